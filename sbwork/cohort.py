"""Cohort, Site, Pair, Period: one evaluation, as its cohort.yml tells it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, PrivateAttr, field_validator, model_validator

from sbwork.errors import InputError, Problem, find_nearest, list_names, quote
from sbwork.specs import Spec, load_spec

__all__ = [
    "ASB",
    "VICTIM_BASED_CRIME",
    "Cohort",
    "Engagement",
    "Geography",
    "IncidentSource",
    "Outcome",
    "Pair",
    "Period",
    "Periods",
    "PlaceboDesign",
    "ReportedFigure",
    "Site",
    "Story",
    "SurveySource",
    "Weighting",
    "find_cohorts",
    "list_months",
    "read_cohort",
]

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


def _check_month(value: str) -> str:
    if not re.fullmatch(r"(19|20)\d\d-(0[1-9]|1[0-2])", value):
        raise ValueError(f"'{quote(value)}' is not a month written YYYY-MM, such as 2017-07")
    return value


def _check_name(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([a-z0-9_-]{0,62}[a-z0-9])?", value):
        raise ValueError(
            f"'{quote(value)}' is not a name made of small letters, digits, hyphens and underscores"
        )
    return value


Month = Annotated[str, AfterValidator(_check_month)]
Name = Annotated[str, AfterValidator(_check_name)]
EvidenceKind = Literal["functional", "internal quality", "interactional"]


def list_months(start: str, end: str) -> tuple[str, ...]:
    """List the months from `start` to `end`, both included, written YYYY-MM.

    Examples
    --------
    >>> list_months("2016-11", "2017-01")
    ('2016-11', '2016-12', '2017-01')
    """
    first, last = (int(month[:4]) * 12 + int(month[5:]) - 1 for month in (start, end))
    return tuple(f"{m // 12:04d}-{m % 12 + 1:02d}" for m in range(first, last + 1))


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
    def _refuse_repeated(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        repeated = sorted({code for code in value if value.count(code) > 1})
        if repeated:
            raise ValueError(f"listed twice: {list_names(repeated)}")
        return value


class Pair(Spec):
    """An intervention site beside its control site."""

    title: str = ""
    intervention: str
    control: str | None = None
    control_reason: str = ""
    displacement: str | None = None
    displacement_control: str | None = None

    @property
    def sites(self) -> tuple[str, ...]:
        """Every site that the pair names, intervention first."""
        named = (self.intervention, self.control, self.displacement, self.displacement_control)
        return tuple(site for site in named if site)


class Period(Spec):
    """A run of whole months, both ends included."""

    start: Month
    end: Month

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.end < self.start:
            raise ValueError(f"the period ends ({self.end}) before it starts ({self.start})")
        return self

    @property
    def months(self) -> tuple[str, ...]:
        """The months of the period, written YYYY-MM."""
        return list_months(self.start, self.end)


class Periods(Spec):
    """The months before and after; what lies between them is the transition, left out."""

    before: Period
    after: Period
    unequal_seasons: bool = False

    @model_validator(mode="after")
    def _check_windows(self) -> Self:
        if self.after.start <= self.before.end:
            raise ValueError(
                f"'after' starts in {self.after.start}, but 'before' ends in {self.before.end}: "
                "periods may not overlap, and 'before' comes first"
            )
        seasons = [sorted(m[5:] for m in p.months) for p in (self.before, self.after)]
        if seasons[0] != seasons[1] and not self.unequal_seasons:
            raise ValueError(
                "'before' and 'after' hold different calendar months, so seasons would be taken "
                "for change; use the same months, or set 'unequal_seasons: true' and the report "
                "will say so"
            )
        return self

    @property
    def transition(self) -> tuple[str, ...]:
        """The months between the two periods."""
        return list_months(self.before.end, self.after.start)[1:-1]


class Outcome(Spec):
    """A named group of crime types, counted together."""

    title: str
    crime_types: tuple[str, ...] = Field(min_length=1)
    kind: EvidenceKind = "functional"


class IncidentSource(Spec):
    """One file, folder or zip of incidents."""

    path: str
    format: Literal["auto", "police-uk", "rows", "counts"] = "auto"
    columns: dict[
        Literal["month", "crime_type", "lsoa", "longitude", "latitude", "site", "count"], str
    ] = Field(default_factory=dict)
    crime_types: dict[str, str] = Field(default_factory=dict)


class Geography(Spec):
    """The lookup and the boundaries that place incidents in sites."""

    lookup: str = ""
    lookup_columns: dict[Literal["lsoa", "ward", "authority", "population"], str] = Field(
        default_factory=dict
    )
    boundaries: tuple[str, ...] = ()
    lsoa_change: str = ""


class PlaceboDesign(Spec):
    """Which areas stand in where nothing was done, and which of them are comparable."""

    group_by: Literal["lsoa", "msoa", "ward", "authority"] = "lsoa"
    size_ratio: float = Field(default=1.5, gt=1)


class SurveySource(Spec):
    """One survey export."""

    path: str
    format: Literal["auto", "qualtrics", "limesurvey", "spss", "stata", "forms", "excel", "csv"] = (
        "auto"
    )
    wave: Literal["before", "after"] | None = None
    wave_column: str = ""
    waves: dict[str, Literal["before", "after"]] = Field(default_factory=dict)
    site: str = ""
    site_column: str = ""
    person_column: str = ""
    weight_column: str = ""
    columns: dict[str, str] = Field(default_factory=dict)
    keep: tuple[str, ...] = ()
    stories: tuple[str, ...] = ()
    multiple: dict[str, str] = Field(default_factory=dict)
    not_asked: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check_wave(self) -> Self:
        if bool(self.wave) == bool(self.wave_column):
            raise ValueError(
                "say which wave this file holds: either 'wave: before' (or after), or "
                "'wave_column: NAME'"
            )
        if bool(self.site) == bool(self.site_column):
            raise ValueError(
                "say where the answers come from: either 'site: NAME' or 'site_column: NAME'"
            )
        return self


class Weighting(Spec):
    """Population shares that the answers are raked to."""

    targets: dict[str, dict[str, float]] = Field(default_factory=dict)
    trim: tuple[float, float] | None = None

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

    date: str
    event: str
    site: str = ""
    attendance: int | None = Field(default=None, ge=0)
    ideas: int | None = Field(default=None, ge=0)
    money: float | None = Field(default=None, ge=0)

    @field_validator("date")
    @classmethod
    def _check_date(cls, value: str) -> str:
        from datetime import date

        try:
            date.fromisoformat(value)
        except ValueError:
            raise ValueError(f"'{quote(value)}' is not a date written YYYY-MM-DD") from None
        return value


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
    weighting: Weighting = Field(default_factory=Weighting)
    confirmatory: tuple[str, ...] = ()
    smallest_meaningful_g: float = Field(default=0.2, gt=0)
    reported_figures: tuple[ReportedFigure, ...] = ()
    stories: tuple[Story, ...] = ()
    engagement: tuple[Engagement, ...] = ()
    smallest_group: int = Field(default=10, ge=1)
    smallest_count: int = Field(default=1, ge=1)
    seed: int = Field(default=20180601, ge=0)

    _folder: Path = PrivateAttr(default=Path())

    @model_validator(mode="after")
    def _check_references(self) -> Self:
        named: list[tuple[str, str]] = [(s, "pairs") for pair in self.pairs for s in pair.sites]
        named += [(survey.site, "surveys") for survey in self.surveys if survey.site]
        named += [(figure.site, "reported_figures") for figure in self.reported_figures]
        named += [(event.site, "engagement") for event in self.engagement]
        for site, where in named:
            if site and site not in self.sites:
                near = find_nearest(site, self.sites)
                hint = f" Did you mean '{near}'?" if near else ""
                raise ValueError(
                    f"{where}: the site '{quote(site)}' is not among the sites of this cohort: "
                    f"{list_names(list(self.sites)) or 'none is given'}.{hint}"
                )
        for pair in self.pairs:
            if len(set(pair.sites)) < len(pair.sites):
                raise ValueError(f"pairs: a site is compared with itself: {list_names(pair.sites)}")
        starts = [pair.intervention for pair in self.pairs]
        twice = sorted({site for site in starts if starts.count(site) > 1})
        if twice:
            raise ValueError(f"pairs: intervention site in two pairs: {list_names(twice)}")
        overlap = sorted(set(starts) & {p.control for p in self.pairs if p.control})
        if overlap:
            raise ValueError(
                f"pairs: {list_names(overlap)} is both an intervention and a control site"
            )
        owner: dict[str, str] = {}
        for key, site_spec in self.sites.items():
            for code in site_spec.lsoas:
                if code in owner:
                    raise ValueError(
                        f"sites: the LSOA '{quote(code)}' is in both '{owner[code]}' and '{key}'"
                    )
                owner[code] = key
        return self

    @property
    def folder(self) -> Path:
        """The folder that holds cohort.yml; every path in it starts from here."""
        return self._folder

    @property
    def display_title(self) -> str:
        """The title, or the name where no title is given."""
        return self.title or self.name

    def resolve_path(self, path: str) -> Path:
        """Return a path named in cohort.yml as a full path."""
        return self._folder / path

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
        return spec.title if spec else outcome.replace("_", " ").capitalize()

    def identify_site(self, called: str) -> str:
        """Return the site that a file calls `called`, or an empty string.

        Key, title and the site's listed names are tried, whatever their case and spacing.
        """
        wanted = " ".join(called.split()).casefold()
        for key, site in self.sites.items():
            names = (key, site.title, *site.names)
            if any(" ".join(name.split()).casefold() == wanted for name in names if name):
                return key
        return ""


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
    folder = Path(data) / "cohorts" / str(name)
    if not (folder / "cohort.yml").is_file():
        known = find_cohorts(data)
        raise InputError(
            Problem(
                str(folder / "cohort.yml"),
                "",
                f"there is no cohort '{quote(name)}'",
                f"Cohorts here: {list_names(known) or 'none'}",
                find_nearest(name, known),
            )
        )
    cohort = load_spec(folder / "cohort.yml", Cohort)
    cohort._folder = folder.resolve()
    problems = [*_check_name_of_folder(cohort, folder), *_check_files(cohort, Path(data))]
    if problems:
        raise InputError(problems)
    return cohort


def find_cohorts(data: str | Path = "data") -> list[str]:
    """List the names of the cohorts in a data folder, sorted."""
    return sorted(path.parent.name for path in Path(data).glob("cohorts/*/cohort.yml"))


def _check_name_of_folder(cohort: Cohort, folder: Path) -> list[Problem]:
    if cohort.name == folder.name:
        return []
    found = f"the name '{cohort.name}' differs from the folder's, '{folder.name}'"
    return [Problem(str(folder / "cohort.yml"), "key 'name'", found, "Make them the same")]


def _check_files(cohort: Cohort, data: Path) -> list[Problem]:
    named: list[tuple[str, str]] = [("incidents", source.path) for source in cohort.incidents]
    named += [("surveys", source.path) for source in cohort.surveys]
    named += [("geography.lookup", cohort.geography.lookup)]
    named += [("geography.boundaries", path) for path in cohort.geography.boundaries]
    named += [("geography.lsoa_change", cohort.geography.lsoa_change)]
    named += [("harm_weights", cohort.harm_weights)]
    named += [(f"sites.{key}.polygon", site.polygon) for key, site in cohort.sites.items()]
    problems = [
        _report_missing(cohort, key, path)
        for key, path in named
        if path and not cohort.resolve_path(path).exists()
    ]
    instruments = sorted(path.stem for path in data.glob("instruments/*.yml"))
    if cohort.instrument and cohort.instrument not in instruments:
        problems.append(
            Problem(
                str(cohort.folder / "cohort.yml"),
                "key 'instrument'",
                f"there is no instrument '{quote(cohort.instrument)}'",
                f"Instruments here: {list_names(instruments) or 'none'}",
                find_nearest(cohort.instrument, instruments),
            )
        )
    return problems


def _report_missing(cohort: Cohort, key: str, path: str) -> Problem:
    folder = cohort.resolve_path(path).parent
    nearby = [p.name for p in folder.iterdir()] if folder.is_dir() else []
    return Problem(
        str(cohort.folder / "cohort.yml"),
        f"key '{key}'",
        f"the file '{quote(path)}' is not there",
        "Paths start from the cohort's own folder",
        find_nearest(Path(path).name, nearby),
    )
