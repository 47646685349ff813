"""Cohort, Site, Pair, Period: one evaluation, as its cohort.yml tells it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PureWindowsPath
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, PrivateAttr, field_validator, model_validator

from sbwork.specs.documents import (
    RESERVED_COLUMNS,
    KeyPath,
    Mistake,
    MistakesError,
    Name,
    Spec,
    fold_name,
    load_spec,
    refuse_name,
)
from sbwork.specs.errors import InputError, Problem, find_nearest, list_names, quote
from sbwork.specs.files import is_reserved, lies_within
from sbwork.specs.periods import Day
from sbwork.specs.periods import Period as Period
from sbwork.specs.periods import Periods as Periods
from sbwork.specs.periods import list_months as list_months

VICTIM_BASED_CRIME = (
    "Bicycle theft",
    "Burglary",
    "Criminal damage and arson",
    "Other theft",
    "Robbery",
    "Shoplifting",
    "Theft from the person",
    "Vehicle crime",
    "Violence and sexual offences",
    "Violent crime",
)
"""The crime types of data.police.uk with a direct victim, under their names past and present."""

ASB = ("Anti-social behaviour",)
"""Anti-social behaviour: incidents, not recorded crimes."""

HARM = "harm"
"""The outcome that sums harm weights rather than incidents, where cohort.yml gives weights."""

EvidenceKind = Literal["functional", "internal quality", "interactional"]

Wave = Literal["before", "after"]

SurveyFormat = Literal["auto", "qualtrics", "limesurvey", "spss", "stata", "forms", "excel", "csv"]


Join = Literal[
    "dates", "places", "places_change", "sites", "lookup", "crime_types", "periods", "months",
    "survey_sites", "survey_waves", "items", "answers", "weights", "people",
]  # fmt: skip
"""What is joined with what as files are read; see `sbwork.read.checks.JOINS`."""


class Site(Spec):
    """One area: where it is, and what the files call it."""

    title: str = ""
    lsoas: tuple[str, ...] = ()
    wards: tuple[str, ...] = ()
    authorities: tuple[str, ...] = ()
    polygon: str = ""
    names: tuple[str, ...] = ()
    population: int | None = Field(default=None, gt=0)

    @field_validator("lsoas")
    @classmethod
    def _check_lsoas(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _refuse_repeated(value)


class Pair(Spec):
    """An intervention site beside its control site."""

    title: str = ""
    intervention: str = Field(min_length=1)
    control: str | None = None
    control_reason: str = ""
    displacement: str | None = None
    displacement_control: str | None = None

    @property
    def sites(self) -> tuple[str, ...]:
        """Every site that the pair names, intervention first."""
        named = (self.intervention, self.control, self.displacement, self.displacement_control)
        return tuple(site for site in named if site)


class Outcome(Spec):
    """A named group of crime types, counted together."""

    title: str
    crime_types: tuple[str, ...] = Field(min_length=1)
    kind: EvidenceKind = "functional"


class IncidentSource(Spec):
    """One file, folder or zip of incidents.

    `sheets` are those of a workbook that are read, one below the other; by default the visible
    ones with the same header. Their names are in a column called "Sheet", which can be named
    under `columns` as the crime type or the site.
    """

    path: str = Field(min_length=1)
    format: Literal["auto", "police-uk", "rows", "counts"] = "auto"
    columns: dict[
        Literal["month", "crime_type", "lsoa", "longitude", "latitude", "site", "count"], str
    ] = Field(default_factory=dict)
    sheets: tuple[str, ...] = ()
    crime_types: dict[str, str] = Field(default_factory=dict)

    @field_validator("sheets", mode="before")
    @classmethod
    def _take_years(cls, value: Any) -> Any:
        """Take one name for a list of one, and 2016 for a name."""
        listed = value if isinstance(value, list | tuple) else [value]
        return tuple(str(name) if isinstance(name, int) else name for name in listed)


class Geography(Spec):
    """The lookup and the boundaries that place incidents in sites."""

    lookup: str = ""
    lookup_columns: dict[Literal["lsoa", "msoa", "ward", "authority", "population"], str] = Field(
        default_factory=dict
    )
    boundaries: tuple[str, ...] = ()
    lsoa_change: str = ""


class PlaceboDesign(Spec):
    """Which areas stand in where nothing was done, and which of them are comparable."""

    group_by: Literal["lsoa", "msoa", "ward", "authority"] = "lsoa"
    size_ratio: float = Field(default=1.5, gt=1)


class Choice(Spec):
    """Why these areas got the work, and no others."""

    reason: Literal["highest", "rising", "volunteered", "drawn", "other"]
    outcome: str = ""
    sentence: str = ""

    @model_validator(mode="before")
    @classmethod
    def _take_word(cls, data: Any) -> Any:
        return {"reason": data} if isinstance(data, str) else data

    @model_validator(mode="after")
    def _check_sentence(self) -> Self:
        if self.reason == "other" and not self.sentence:
            raise ValueError("'other' needs a sentence: {reason: other, sentence: \"...\"}")
        return self


def _read_pool(value: Any) -> Any:
    """Turn the pool into a number of areas, the force or an authority, or a list of areas."""
    if isinstance(value, list | tuple):
        pool: Any = _refuse_repeated(tuple(str(code).strip() for code in value))
        size = len(pool)
    elif not isinstance(value, str | int) or not str(value).strip():
        raise ValueError("give 'force', an authority, a list of areas or how many areas there were")
    elif re.fullmatch(r"-?\d+", str(value).strip()):
        pool = size = int(value)
    else:
        return value
    if size < 2:
        raise ValueError("a pool holds at least two areas")
    return pool


ChosenFrom = Annotated[int | str | tuple[str, ...], BeforeValidator(_read_pool)]


def _read_families(value: Any) -> Any:
    """Turn a list of scales into one family without a name."""
    if not isinstance(value, dict):
        return {"": value} if value else {}
    if "" in value:
        raise ValueError("a family of scales needs a name")
    return value


Families = Annotated[dict[str, tuple[str, ...]], BeforeValidator(_read_families)]


class SurveySource(Spec):
    """One survey export."""

    path: str = Field(min_length=1)
    format: SurveyFormat = "auto"
    wave: Wave | None = None
    wave_column: str = ""
    waves: dict[str, Wave] = Field(default_factory=dict)
    site: str = ""
    site_column: str = ""
    person_column: str = ""
    cluster_column: str = ""
    weight_column: str = ""
    columns: dict[str, str] = Field(default_factory=dict)
    keep: tuple[str, ...] = ()
    stories: tuple[str, ...] = ()
    multiple: dict[str, str] = Field(default_factory=dict)
    not_asked: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check_wave(self) -> Self:
        if self.waves and not self.wave_column:
            raise ValueError("'waves' says what a column's values mean: give 'wave_column' too")
        if bool(self.wave) == bool(self.wave_column):
            raise ValueError(
                "say which wave this file holds: either 'wave: before' (or after), or "
                "'wave_column: NAME'"
            )
        if bool(self.site) == bool(self.site_column):
            raise ValueError(
                "say where the answers come from: either 'site: NAME' or 'site_column: NAME'"
            )
        taken = sorted({*self.keep, *self.stories} & RESERVED_COLUMNS)
        if taken:
            raise ValueError(f"{list_names(taken)}: rename this column, the name is ours")
        return self


class Weighting(Spec):
    """Population shares that the answers are raked to."""

    targets: dict[str, dict[str, float]] = Field(default_factory=dict)
    no_target: tuple[str, ...] = ()
    trim: tuple[float, float] | None = None

    @field_validator("trim")
    @classmethod
    def _check_trim(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not 0 <= value[0] < 1 < value[1]:
            raise ValueError("give the lowest weight, then the highest, 1 between them: [0.3, 3]")
        return value

    @field_validator("targets")
    @classmethod
    def _check_shares(cls, value: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
        for name, shares in value.items():
            if any(share <= 0 for share in shares.values()):
                raise ValueError(f"the shares of '{quote(name)}' must all be above 0")
            if abs(sum(shares.values()) - 1) > 0.005:
                raise ValueError(
                    f"the shares of '{quote(name)}' add up to {sum(shares.values()):.3f}, not to 1"
                )
        return value


class Mechanism(Spec):
    """What a change may have run through: a scale, then a second one, on to each outcome."""

    cause: str = Field(min_length=1)
    mediator: str = Field(min_length=1)
    outcomes: tuple[str, ...] = Field(min_length=1)

    @field_validator("outcomes")
    @classmethod
    def _check_outcomes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _refuse_repeated(value)

    @model_validator(mode="after")
    def _check_roles(self) -> Self:
        named = [self.cause, self.mediator, *self.outcomes]
        repeated = _find_repeated(named)
        if repeated:
            raise ValueError(
                f"{list_names(repeated)} stands in two places: cause, mediator and outcomes must "
                "be different scales or items"
            )
        return self


class ReportedFigure(Spec):
    """A figure that somebody gave and nobody here can check."""

    title: str
    change_percent: float
    reported_by: str
    site: str = ""
    kind: EvidenceKind = "functional"
    period: str = ""


class Story(Spec):
    """What a resident or a member of staff said, under a theme."""

    theme: str
    text: str
    told_by: str
    kind: EvidenceKind = "interactional"
    invented: bool = False


class Engagement(Spec):
    """One line of the engagement log: what was held, who came, what came of it."""

    date: Day
    event: str
    site: str = ""
    attendance: int | None = Field(default=None, ge=0)
    ideas: int | None = Field(default=None, ge=0)
    money: float | None = Field(default=None, ge=0)


class Cohort(Spec):
    """One evaluation: its sites, periods, files, and what was reported by others.

    Every part but the name may be left out. The keys are documented in ``data/README.md``.
    """

    name: Name
    title: str = ""
    summary: str = ""
    data_status: Literal["real", "invented", "reported"] = "real"
    notice: str = ""
    rehearsal: bool = False
    attribution: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    instrument: str = ""
    assignment: Literal["chosen", "quasi-random", "randomised"] = "chosen"
    chosen_because: Choice | None = None
    chosen_on: Period | None = None
    chosen_from: ChosenFrom = "force"
    sites: dict[Name, Site] = Field(default_factory=dict)
    pairs: tuple[Pair, ...] = ()
    periods: Periods | None = None
    incidents: tuple[IncidentSource, ...] = ()
    outcomes: dict[Name, Outcome] = Field(
        default_factory=lambda: {
            "victim_based_crime": Outcome(
                title="Victim-based crime", crime_types=VICTIM_BASED_CRIME
            ),
            "asb": Outcome(title="Anti-social behaviour (ASB)", crime_types=ASB),
        }
    )
    harm_weights: str = ""
    geography: Geography = Field(default_factory=Geography)
    placebo: PlaceboDesign = Field(default_factory=PlaceboDesign)
    surveys: tuple[SurveySource, ...] = ()
    invited: dict[Wave, dict[str, Annotated[int, Field(gt=0)]]] = Field(default_factory=dict)
    weighting: Weighting = Field(default_factory=Weighting)
    outside_paths: tuple[str, ...] = ()
    accepted_losses: dict[Join, Annotated[float, Field(ge=0, le=1)]] = Field(default_factory=dict)
    confirmatory: Families = Field(default_factory=dict)
    confirmatory_counts: tuple[str, ...] = ()
    mechanism: Mechanism | None = None
    smallest_meaningful_g: float = Field(default=0.2, gt=0)
    area_shock_sd: float | None = Field(default=None, ge=0)
    reported_figures: tuple[ReportedFigure, ...] = ()
    stories: tuple[Story, ...] = ()
    engagement: tuple[Engagement, ...] = ()
    smallest_group: int = Field(default=10, ge=1)
    smallest_count: int = Field(default=1, ge=1)
    seed: int = Field(default=20180601, ge=0)

    _folder: Path = PrivateAttr(default=Path())

    @model_validator(mode="after")
    def _check_references(self) -> Self:
        mistakes = [
            *_find_unknown_sites(self),
            *_find_unknown_outcomes(self),
            *_find_shared_scales(self.confirmatory),
            *_find_bad_pairs(self.pairs),
            *_find_shared_areas(self.sites),
            *_find_shared_names(self),
            *_find_bad_choice(self),
        ]
        if mistakes:
            raise MistakesError(mistakes)
        return self

    @property
    def folder(self) -> Path:
        """The folder that holds cohort.yml; every path in it starts from here."""
        return self._folder

    def resolve_path(self, path: str) -> Path:
        """Return a path named in cohort.yml as a full path, whichever slash it is written with."""
        return self._folder / path.replace("\\", "/")

    def list_paths(self) -> list[tuple[KeyPath, str]]:
        """List every path that cohort.yml names, with the keys under which it is."""
        geography = self.geography
        named: list[tuple[KeyPath, str]] = [
            *((("incidents", i, "path"), source.path) for i, source in enumerate(self.incidents)),
            *((("surveys", i, "path"), source.path) for i, source in enumerate(self.surveys)),
            (("geography", "lookup"), geography.lookup),
            *(
                (("geography", "boundaries", i), path)
                for i, path in enumerate(geography.boundaries)
            ),
            (("geography", "lsoa_change"), geography.lsoa_change),
            (("harm_weights",), self.harm_weights),
            *((("sites", key, "polygon"), site.polygon) for key, site in self.sites.items()),
        ]
        return [(at, path) for at, path in named if path]

    @property
    def compared_sites(self) -> tuple[str, ...]:
        """The sites of every pair, each intervention site followed by its control."""
        sites = (site for pair in self.pairs for site in (pair.intervention, pair.control))
        return tuple(site for site in sites if site)

    @property
    def confirmatory_scales(self) -> tuple[str, ...]:
        """The scales named in advance, of all families."""
        return tuple(scale for family in self.confirmatory.values() for scale in family)

    def find_family(self, scale: str) -> str:
        """Return the name of the family of confirmatory scales that a scale is in.

        It is empty where cohort.yml gives one list of scales, and for every other scale.
        """
        return next((name for name, scales in self.confirmatory.items() if scale in scales), "")

    @property
    def shown_pairs(self) -> tuple[Pair, ...]:
        """The pairs; where none are named, each site by itself."""
        return self.pairs or tuple(Pair(intervention=site) for site in self.sites)

    @property
    def shown_sites(self) -> tuple[str, ...]:
        """The sites of every pair; where none are named, every site."""
        return self.compared_sites or tuple(self.sites)

    @property
    def compared_months(self) -> tuple[str, ...]:
        """The months before and those after; none without periods."""
        return (*self.periods.before.months, *self.periods.after.months) if self.periods else ()

    @property
    def how_assigned(self) -> str:
        """How the work came to its areas: `assignment`, or ``"drawn"`` where they were drawn."""
        because = self.chosen_because
        drawn = because is not None and because.reason == "drawn"
        return "drawn" if drawn and self.assignment == "chosen" else self.assignment

    def list_outcomes(self) -> tuple[str, ...]:
        """List the keys of every outcome that is counted: confirmatory ones first, harm last.

        Examples
        --------
        >>> Cohort(name="pilot", harm_weights="weights.csv").list_outcomes()
        ('victim_based_crime', 'asb', 'harm')
        """
        ordered = sorted(self.outcomes, key=lambda key: key not in self.confirmatory_counts)
        return (*ordered, *([HARM] if self.harm_weights else []))

    @property
    def display_title(self) -> str:
        """The title, or the name where no title is given."""
        return self.title or self.name

    def title_site(self, site: str) -> str:
        """Return what readers call a site.

        Examples
        --------
        >>> Cohort(name="pilot", sites={"a1": {"title": "Area 1"}}).title_site("a1")
        'Area 1'
        """
        spec = self.sites.get(site)
        return (spec.title if spec else "") or site.replace("-", " ").replace("_", " ")

    def title_pair(self, intervention: str) -> str:
        """Return what readers call the pair of an intervention site; ``"all"`` is every pair."""
        if intervention == "all":
            return "All pairs together"
        titles = {pair.intervention: pair.title for pair in self.pairs}
        return titles.get(intervention) or self.title_site(intervention)

    def title_outcome(self, outcome: str) -> str:
        """Return what readers call an outcome."""
        spec = self.outcomes.get(outcome)
        if spec:
            return spec.title
        return "Crime harm" if outcome == HARM else outcome.replace("_", " ").capitalize()

    def describe_bound(self) -> str:
        """Say what difference is too small to matter, and who chose it.

        Examples
        --------
        >>> Cohort(name="pilot").describe_bound()
        "a bound of 0.2 SD, this tool's default"
        """
        bound = f"bound of {self.smallest_meaningful_g:g} SD"
        if "smallest_meaningful_g" in self.model_fields_set:
            return f"the {bound} set beforehand"
        return f"a {bound}, this tool's default"

    def identify_site(self, called: str) -> str:
        """Return the site that a file calls `called`, or an empty string.

        Key, title and the site's listed names are tried, then the wards and authorities that it
        is made of, whatever their case and spacing.
        """
        wanted = fold_name(called)
        named = [key for key, names in self._list_site_names() if wanted in names]
        made_of = [
            key
            for key, site in self.sites.items()
            if wanted in map(fold_name, (*site.wards, *site.authorities))
        ]
        return next(iter(named + made_of), "")

    def list_site_names(self) -> list[str]:
        """List what files may call the sites, folded and sorted; see `identify_site`."""
        areas = {name for site in self.sites.values() for name in (*site.wards, *site.authorities)}
        return sorted({*map(fold_name, areas)}.union(*(n for _, n in self._list_site_names())))

    def _list_site_names(self) -> Iterator[tuple[str, set[str]]]:
        for key, site in self.sites.items():
            yield key, {fold_name(name) for name in (key, site.title, *site.names) if name}

    def list_surveyed_pairs(
        self, answered: Collection[tuple[str, str]], wave: str = ""
    ) -> tuple[Pair, ...]:
        """List the pairs whose survey figures can be set beside each other.

        Those with answers on both sides in both waves; `answered` holds the sites and waves with
        at least two answers. Where no pair has both waves, those with `wave` are enough. Where no
        pair has a control site, the intervention site is enough; where some have one, those
        without are left out.

        Examples
        --------
        >>> pairs = [{"intervention": "a", "control": "c"}, {"intervention": "b"}]
        >>> cohort = Cohort(name="pilot", sites={"a": {}, "b": {}, "c": {}}, pairs=pairs)
        >>> answered = {(site, wave) for site in "abc" for wave in ("before", "after")}
        >>> [pair.intervention for pair in cohort.list_surveyed_pairs(answered)]
        ['a']
        """
        beside = [pair for pair in self.pairs if pair.control] or list(self.pairs)

        def select(*waves: str) -> tuple[Pair, ...]:
            return tuple(
                pair
                for pair in beside
                if all(
                    (site, each) in answered
                    for site in (pair.intervention, pair.control)
                    if site
                    for each in waves
                )
            )

        complete = select("before", "after")
        return select(wave) if wave and not complete else complete


def read_cohort(name: str | Path, data: str | Path = "data") -> Cohort:
    """Read one cohort's ``cohort.yml``.

    Parameters
    ----------
    name : str or Path
        The cohort's name, the same as its folder's.
    data : str or Path, default "data"
        The folder that holds ``cohorts/`` and ``instruments/``.

    Returns
    -------
    Cohort
        The evaluation, checked; the files that it names are known to exist.

    Raises
    ------
    InputError
        No such cohort, a mistake in its file, or a file that it names is missing.
    """
    folder = Path(data) / "cohorts" / name
    known = find_cohorts(data)
    if str(Path(name)) not in known:
        found = f"there is no cohort '{quote(name)}'"
        allowed = f"Cohorts here: {list_names(known) or 'none'}"
        near = find_nearest(name, known)
        raise InputError(Problem(str(folder / "cohort.yml"), "", found, allowed, near))

    def check(cohort: Cohort) -> list[Mistake]:
        cohort._folder = folder.resolve()
        mistakes = list(_find_missing_files(cohort, Path(data)))
        if cohort.name != folder.resolve().name:
            own = quote(folder.resolve().name)
            found = f"the name '{cohort.name}' differs from the folder's, '{own}'"
            mistakes.append(Mistake(("name",), found, "Make them the same"))
        return mistakes

    return load_spec(folder / "cohort.yml", Cohort, check)


def find_cohorts(data: str | Path = "data") -> list[str]:
    """List the names of the cohorts in a data folder, sorted."""
    return sorted(path.parent.name for path in Path(data).glob("cohorts/*/cohort.yml"))


def _find_repeated(names: Iterable[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)


def _refuse_repeated(names: tuple[str, ...]) -> tuple[str, ...]:
    repeated = _find_repeated(names)
    if repeated:
        raise ValueError(f"listed twice: {list_names(repeated)}")
    return names


def _find_unknown_sites(cohort: Cohort) -> Iterator[Mistake]:
    keys = {
        "pairs": ("intervention", "control", "displacement", "displacement_control"),
        "surveys": ("site",),
        "reported_figures": ("site",),
        "engagement": ("site",),
    }
    known = list(cohort.sites)
    for part, roles in keys.items():
        for i, entry in enumerate(getattr(cohort, part)):
            for role in roles:
                site = getattr(entry, role)
                if site and site not in known:
                    found = f"the site '{quote(site)}' is not among the sites of this cohort"
                    yield refuse_name((part, i, role), found, site, "Sites", known)
    for wave, counts in cohort.invited.items():
        for site in counts:
            if site not in known:
                found = f"the site '{quote(site)}' is not among the sites of this cohort"
                yield refuse_name(("invited", wave, site), found, site, "Sites", known)


def _find_unknown_outcomes(cohort: Cohort) -> Iterator[Mistake]:
    known = [*cohort.outcomes, *([HARM] if cohort.harm_weights else [])]
    for i, outcome in enumerate(cohort.confirmatory_counts):
        if outcome not in known:
            found = f"the outcome '{quote(outcome)}' is not among those of this cohort"
            yield refuse_name(("confirmatory_counts", i), found, outcome, "Outcomes", known)


def _find_shared_scales(families: Families) -> Iterator[Mistake]:
    """Find scales that are named twice: their p values would be adjusted in two ways."""
    owner: dict[str, str] = {}
    for family, scales in families.items():
        at = ("confirmatory", family) if family else ("confirmatory",)
        for i, scale in enumerate(scales):
            if scale in owner:
                where = list_names(list(dict.fromkeys(filter(None, (owner[scale], family)))))
                found = f"the scale '{quote(scale)}' is named twice"
                found += f", under {where}" if where else ""
                yield Mistake((*at, i), found, "A scale belongs to one family")
            owner[scale] = family


def _find_bad_pairs(pairs: tuple[Pair, ...]) -> Iterator[Mistake]:
    starts = [pair.intervention for pair in pairs]
    for i, pair in enumerate(pairs):
        at = ("pairs", i)
        repeated = list_names(_find_repeated(pair.sites))
        if repeated:
            yield Mistake(at, f"a site is compared with itself: {repeated}")
        elif pair.control in starts:
            found = f"{list_names([pair.control])} is both an intervention and a control site"
            yield Mistake((*at, "control"), found)
        if pair.intervention in starts[:i]:
            found = f"intervention site in two pairs: {list_names([pair.intervention])}"
            yield Mistake((*at, "intervention"), found)


def _find_shared_areas(sites: dict[str, Site]) -> Iterator[Mistake]:
    for kind in ("lsoas", "wards", "authorities"):
        owner: dict[str, str] = {}
        for key, site in sites.items():
            for i, code in enumerate(getattr(site, kind)):
                if owner.setdefault(code, key) != key:
                    found = f"the area '{quote(code)}' is in both '{owner[code]}' and '{key}'"
                    yield Mistake(("sites", key, kind, i), found, "Sites may not overlap")


def _find_shared_names(cohort: Cohort) -> Iterator[Mistake]:
    owner: dict[str, str] = {}
    for key, names in cohort._list_site_names():
        if key == "all":
            yield Mistake(("sites", key), "'all' stands for all sites together", "Use another key")
        for called in names:
            if owner.setdefault(called, key) != key:
                found = f"'{quote(called)}' is a name of both '{owner[called]}' and '{key}'"
                yield Mistake(("sites", key), found, "Files could mean either")


def _find_bad_choice(cohort: Cohort) -> Iterator[Mistake]:
    choice, known = cohort.chosen_because, cohort.list_outcomes()
    for key in ("chosen_on", "chosen_from"):
        if choice is None and key in cohort.model_fields_set:
            found = f"'{key}' says how areas were chosen, but not why"
            yield Mistake((key,), found, "Give 'chosen_because' too")
    if choice and choice.outcome and choice.outcome not in known:
        found = f"the outcome '{quote(choice.outcome)}' is not among the outcomes of this cohort"
        at = ("chosen_because", "outcome")
        yield refuse_name(at, found, choice.outcome, "Outcomes", known)
    start = cohort.periods.after.start if cohort.periods else ""
    if cohort.chosen_on and start and cohort.chosen_on.end >= start:
        found = f"'chosen_on' ends in {cohort.chosen_on.end}, but 'after' starts in {start}"
        yield Mistake(("chosen_on",), found, "Areas are chosen before the work starts")


def find_matches(path: Path) -> list[Path]:
    """List the files and folders that a path with ``*`` or ``?`` in its last part stands for."""
    if path.exists() or not {"*", "?"} & set(path.name):
        return []
    return sorted(one for one in path.parent.glob(path.name) if not one.name.startswith("."))


def _find_missing_files(cohort: Cohort, data: Path) -> Iterator[Mistake]:
    for at, path in cohort.list_paths():
        yield from check_path(cohort, data, at, path)
    instruments = sorted(path.stem for path in data.glob("instruments/*.yml"))
    name = cohort.instrument
    if name and name not in instruments:
        found = f"there is no instrument '{quote(name)}'"
        yield refuse_name(("instrument",), found, name, "Instruments here", instruments)


def check_path(cohort: Cohort, data: Path, at: KeyPath, path: str) -> Iterator[Mistake]:
    """Find why a path that cohort.yml names can't be read: missing, no file, or outside `data`."""
    full, folders = cohort.resolve_path(path), at[0] == "incidents"
    name = f"the file '{quote(path)}'"
    if any(map(is_reserved, PureWindowsPath(path).parts)):
        yield Mistake(at, f"{name} has a name that Windows keeps for devices", "Rename it")
        return
    try:
        is_folder, there = full.is_dir(), full.exists()
        if not full.is_file() and not (folders and (is_folder or find_matches(full))):
            nearby = [p.name for p in full.parent.iterdir()] if full.parent.is_dir() else []
            found = "is no ordinary file" if there else "is not there"
            found = "is a folder, not a file" if is_folder else found
            allowed, near = (
                "Paths start from the cohort's own folder",
                find_nearest(full.name, nearby),
            )
            yield Mistake(at, f"{name} {found}", allowed, "" if there else near)
            return
        files = find_matches(full) or [full]
        inner = [path for file in files if file.is_dir() for path in file.rglob("*")]
    except (OSError, RuntimeError):
        yield Mistake(at, f"{name} is not there, or can't be opened")
        return
    own = [data, cohort.folder, *map(cohort.resolve_path, cohort.outside_paths)]
    if not all(lies_within(path, own) for path in (*files, *filter(Path.is_symlink, inner))):
        found = f"{name}, or a link in it, lies outside the data folder"
        yield Mistake(at, found, "Copy it there, or list it under 'outside_paths'")
