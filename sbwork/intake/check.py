"""Everything of a cohort read: what was understood, what a report will lack, and all problems."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

import pandas as pd

from sbwork.compare.mechanism import check_mechanism
from sbwork.evaluation import evaluate_cohort
from sbwork.grade.disclosure import describe_held
from sbwork.grade.releases import list_releases, read_releases
from sbwork.grade.suppression import suppress_table
from sbwork.read.checks import JOINS, CheckKind, find_losses
from sbwork.read.incidents import Incidents, read_incidents
from sbwork.read.surveys import Responses, read_responses
from sbwork.read.surveys.descriptions import describe_table
from sbwork.read.surveys.detection import read_table
from sbwork.specs.cohort import Cohort, SurveySource, check_path, find_cohorts, read_cohort
from sbwork.specs.documents import load_spec
from sbwork.specs.errors import InputError, Problem, find_nearest, list_names, quote
from sbwork.specs.instrument import Instrument, read_instrument
from sbwork.specs.masks import mask_name

__all__ = ["Inspection", "inspect_cohort"]

_WAVES = ("before", "after")
_KINDS = {"dont_know": "Don't know", "prefer_not_to_say": "Prefer not to say", "blank": "Blank"}
_MOST_NAMES = 12
_Read = TypeVar("_Read", Responses, Incidents)


@dataclass
class Inspection:
    """One cohort as it was understood.

    `tables` gives, under a title, what was read, as finished text; `missing` says in plain words
    what cohort.yml leaves out and a report will lack; `problems` is all that is wrong.
    """

    cohort: str
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def usable(self) -> bool:
        """Whether a report can be made."""
        return not self.problems

    def report(self, problems: Iterable[Problem]) -> None:
        """Add problems, each once."""
        self.problems += [problem for problem in problems if problem not in self.problems]

    def show(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Add a table, or further rows of it, unless there are none."""
        table = pd.DataFrame(list(rows), columns=list(columns), dtype=object)
        if len(table):
            self.tables[title] = pd.concat([self.tables.get(title, table[:0]), table])


def inspect_cohort(name: str, data: str | Path = "data") -> Inspection:
    """Read everything of a cohort, and describe what was understood.

    Where one file can't be used the others are read all the same, so that every problem is found
    at once. No answer of a person, no name and no free text is in the result, and groups of
    people smaller than ``smallest_group`` are not shown.

    Examples
    --------
    >>> inspect_cohort("durham-2", "data").usable
    True
    >>> print(inspect_cohort("durham-3", "data").problems[0].nearest)
    durham-2
    """
    inspection, file = Inspection(name), Path(data) / "cohorts" / name / "cohort.yml"
    cohort = _read_cohort(name, Path(data), inspection)
    instrument = _read_instrument(cohort, file, inspection)
    if cohort is None:
        return inspection
    inspection.show("The plan", ("", ""), _describe_plan(cohort, instrument))
    inspection.report(_check_references(cohort, instrument, str(file)))
    inspection.missing += _list_missing(cohort, instrument)
    if cohort.surveys and instrument is not None:
        for responses in _read_all(
            cohort, "surveys", lambda part: read_responses(part, instrument), inspection
        ):
            _describe_responses(cohort, instrument, responses, inspection)
        heads = ("File", "Key", "Column", "Rows it would leave out")
        inspection.show("Guesses not used yet", heads, _try_guesses(cohort, instrument, file))
    if cohort.incidents:
        for incidents in _read_all(cohort, "incidents", read_incidents, inspection):
            _describe_incidents(cohort, incidents, inspection)
            inspection.missing += _list_uncounted(cohort, incidents)
    if list_releases(cohort.folder) and inspection.usable:
        _compare_releases(name, data, inspection)
    return inspection


def _compare_releases(name: str, data: str | Path, inspection: Inspection) -> None:
    """Say which figures are held back because of published reports."""
    try:
        publishable = evaluate_cohort(name, data).publishable
        releases = read_releases(publishable.cohort.folder)
    except InputError as error:
        inspection.report(error.problems)
        return
    note = describe_held(releases)
    held = publishable.held_back.fillna("").astype(str).to_numpy().tolist()
    heads = ("Figure", "Site", "Wave or period")
    inspection.show("Held back because of a published report", heads, held)
    inspection.missing += [f"{len(held)} figures. {note}"] if held else []
    if held:
        inspection.tables.pop("People by site and wave", None)
        inspection.tables.pop("No answer, of all who were asked", None)
        if (files := inspection.tables.get("Survey files")) is not None:
            inspection.tables["Survey files"] = files.assign(Count="", Note="")
    given = "A small group that published reports give away already, whatever is hidden now"
    inspection.missing += [f"{given}: {cell}." for cell in publishable.given_away]


def _read_cohort(name: str, data: Path, inspection: Inspection) -> Cohort | None:
    """Read cohort.yml; a missing file that it names is a problem, but what is there is read."""
    try:
        return read_cohort(name, data)
    except InputError as error:
        inspection.report(error.problems)
    path = data / "cohorts" / name / "cohort.yml"
    if name not in find_cohorts(data):
        return None
    try:
        cohort = load_spec(path, Cohort)
    except InputError:
        return None
    cohort._folder = path.parent.resolve()
    there = {
        key: tuple(
            source
            for number, source in enumerate(getattr(cohort, key))
            if not any(check_path(cohort, data, (key, number, "path"), source.path))
        )
        for key in ("surveys", "incidents")
    }
    cohort, folder = cohort.model_copy(update=there), cohort._folder
    cohort._folder = folder
    return cohort


def _read_instrument(
    cohort: Cohort | None, file: Path, inspection: Inspection
) -> Instrument | None:
    """Read the questionnaire, even one of a cohort.yml that can't be read as a whole."""
    name = cohort.instrument if cohort else ""
    if cohort is None and file.is_file():
        with file.open(encoding="utf-8", errors="replace") as stream:
            text = stream.read(200_000)
        named = re.search(r"^instrument:[ \t]*[\"']?([\w-]+)", text, re.MULTILINE)
        name = named[1] if named else ""
    data = file.parents[2]
    try:
        exists = name and (data / "instruments" / f"{name}.yml").is_file()
        return read_instrument(name, data) if exists else None
    except InputError as error:
        inspection.report(error.problems)
        return None


def _read_all(
    cohort: Cohort,
    key: Literal["surveys", "incidents"],
    read: Callable[[Cohort], _Read],
    inspection: Inspection,
) -> Iterator[_Read]:
    """Read all sources at once or, where that fails, each that can be read by itself."""
    try:
        yield read(cohort)
        return
    except InputError as error:
        inspection.report(error.problems)
    sources = getattr(cohort, key)
    for source in sources if len(sources) > 1 else ():
        part = cohort.model_copy(update={key: (source,)})
        part._folder = cohort.folder
        try:
            yield read(part)
        except InputError as error:
            inspection.report(error.problems)


def _check_references(
    cohort: Cohort, instrument: Instrument | None, file: str
) -> Iterator[Problem]:
    if cohort.surveys and not cohort.instrument:
        yield Problem(
            file,
            "key 'instrument'",
            "there are surveys, but no questionnaire is named to read them by",
            "Name a file of instruments/, without '.yml'",
        )
    kept = sorted({name for source in cohort.surveys for name in source.keep})
    for name in cohort.weighting.targets:
        if cohort.surveys and name not in kept:
            yield Problem(
                file,
                "key 'weighting.targets'",
                f"'{quote(name)}' is not among the columns that are kept",
                f"Kept: {list_names(kept) or 'none'}; add it under 'keep' of each survey",
                find_nearest(name, kept),
            )
    for name in cohort.confirmatory_scales if instrument else ():
        if instrument and name not in instrument.scales:
            yield Problem(
                file,
                "key 'confirmatory'",
                f"there is no scale '{quote(name)}' in the questionnaire '{instrument.name}'",
                f"Scales: {list_names(list(instrument.scales)) or 'none'}",
                find_nearest(name, instrument.scales),
            )
    if instrument is not None:
        yield from check_mechanism(cohort, instrument)


def _describe_plan(cohort: Cohort, instrument: Instrument | None) -> Iterator[tuple[str, str]]:
    yield "Title", cohort.display_title
    yield "Data", cohort.data_status
    yield "Sites", _shorten([cohort.title_site(site) for site in cohort.sites])
    pairs = [
        f"{cohort.title_site(pair.intervention)} against "
        f"{cohort.title_site(pair.control) if pair.control else 'no control site'}"
        + (" (no reason given)" if pair.control and not pair.control_reason else "")
        for pair in cohort.pairs
    ]
    yield "Pairs", "; ".join(pairs) or "none"
    periods = cohort.periods
    windows = [("before", periods.before), ("after", periods.after)] if periods else []
    spans = [f"{w} {p.start} to {p.end} ({len(p.months)} months)" for w, p in windows]
    yield "Periods", "; ".join(spans) or "none"
    if instrument is not None:
        reversed_ = sum(item.reverse for item in instrument.items.values())
        yield (
            "Questionnaire",
            f"{instrument.name}: {len(instrument.items)} items ({reversed_} reversed), "
            f"{len(instrument.scales)} scales",
        )
    if cohort.confirmatory:
        families = [
            f"{family}: {_shorten(scales)}" if family else _shorten(scales)
            for family, scales in cohort.confirmatory.items()
        ]
        yield "Confirmatory scales", "; ".join(families)
    if cohort.confirmatory_counts:
        yield "Confirmatory outcomes", _shorten(cohort.confirmatory_counts)


def _describe_responses(
    cohort: Cohort, instrument: Instrument, responses: Responses, inspection: Inspection
) -> None:
    _describe_quality("Survey files", responses.quality, cohort, inspection)
    if len(responses.answers):
        people = _count_people(cohort, responses.answers)
        heads = ("Site", *(str(name).capitalize() for name in people.columns))
        rows = people.reset_index().to_numpy().tolist()
        inspection.show("People by site and wave", heads, rows)
        heads = ("Options", "Items", "Met", "Never met")
        inspection.show("Codes met in the answers", heads, _describe_codes(instrument, responses))
        counts = responses.nonresponse.pivot_table(
            index="item", columns="kind", values="count", aggfunc="sum", sort=False, fill_value=0
        ).reindex(columns=list(_KINDS), fill_value=0)
        shown = counts[counts.any(axis=1)].map(lambda n: _hide_few(int(n), cohort.smallest_group))
        rows = shown.reset_index().to_numpy().tolist()
        inspection.show("No answer, of all who were asked", ("Item", *_KINDS.values()), rows)
    options = responses.multiple.groupby("set", sort=False)["option"].nunique()
    sets = [(str(name), str(count)) for name, count in options.items()]
    inspection.show("Questions with several answers", ("Set", "Options met"), sets)
    dropped = responses.dropped.groupby(["source", "reason"], sort=False)["column"]
    columns = [(*map(str, key), _shorten(list(map(str, names)))) for key, names in dropped]
    inspection.show("Columns left out", ("File", "Why", "Columns"), columns)


def _try_guesses(
    cohort: Cohort, instrument: Instrument, file: Path
) -> Iterator[tuple[str, str, str, str]]:
    """Say what the columns that stand commented out in cohort.yml would leave out."""
    entries = re.split(r"(?m)^ *- path:", file.read_text("utf-8", errors="replace"))[1:]
    for source in cohort.surveys:
        entry = next((text for text in entries if source.path in text.partition("\n")[0]), "")
        for key, written in re.findall(r"(?m)^ *# ?((?:person|site|wave)_column): (.+)$", entry):
            name = json.loads(written) if written[0] == '"' else written.partition(" #")[0].strip()
            try:
                if key == "person_column":
                    guessed = source.model_copy(update={key: name})
                    used = [_count_used(cohort, each, instrument) for each in (source, guessed)]
                    left_out = used[0] - used[1]
                else:
                    table = read_table(cohort.resolve_path(source.path), source.format)
                    columns = describe_table(table).columns
                    left_out = next(c.blank for c in columns if c.name == name)
                lost = _hide_few(left_out, cohort.smallest_group)
            except (InputError, StopIteration) as error:
                lost = " ".join(p.found for p in getattr(error, "problems", ())) or "no such column"
            yield mask_name(source.path), key, mask_name(name), lost


def _count_used(cohort: Cohort, source: SurveySource, instrument: Instrument) -> int:
    """Count the questionnaires of one survey file that enter the evaluation."""
    part = cohort.model_copy(update={"surveys": (source,)})
    part._folder = cohort.folder
    return len(read_responses(part, instrument).answers)


def _count_people(cohort: Cohort, answers: pd.DataFrame) -> pd.DataFrame:
    """Count people by site and wave, small groups hidden with what would give them back."""
    counts = pd.crosstab(answers["site"], answers["wave"])
    counts = counts.reindex(
        index=[site for site in cohort.sites if site in counts.index],
        columns=[wave for wave in _WAVES if wave in counts.columns],
    )
    shown = suppress_table(counts, cohort.smallest_group, total="both")
    texts = shown.map(lambda count: "hidden" if pd.isna(count) else f"{count:,.0f}")
    small = ((counts > 0) & (counts < cohort.smallest_group)).reindex_like(shown).fillna(False)
    texts = texts.mask(small.astype(bool), f"fewer than {cohort.smallest_group}")
    return texts.rename({site: cohort.title_site(site) for site in cohort.sites}).rename(
        {"both": "All sites"}
    )


def _describe_codes(instrument: Instrument, responses: Responses) -> Iterator[tuple[str, ...]]:
    """List, for each set of options, which were met in the answers and which never."""
    nonresponse = responses.nonresponse[responses.nonresponse["count"] > 0]
    groups: dict[str, list[str]] = {}
    for key, item in instrument.items.items():
        if responses.answers[key].notna().any() or key in set(nonresponse["item"]):
            name = item.options if isinstance(item.options, str) else key
            groups.setdefault(name, []).append(key)
    for name, keys in groups.items():
        found = set(pd.unique(responses.answers[keys].to_numpy(dtype=float).ravel()))
        found |= set(nonresponse.loc[nonresponse["item"].isin(keys), "kind"])
        labels: dict[bool, list[str]] = {True: [], False: []}
        for option in instrument.list_options(keys[0]):
            is_met = (option.nonresponse or option.code) in found
            labels[is_met].append(f"{option.code:g} {option.label}".strip())
        yield name, str(len(keys)), "; ".join(labels[True]), "; ".join(labels[False])


def _hide_few(count: int, smallest: int) -> str:
    return f"fewer than {smallest}" if 0 < count < smallest else f"{count:,}"


def _describe_incidents(cohort: Cohort, incidents: Incidents, inspection: Inspection) -> None:
    _describe_quality("Incident files", incidents.quality, cohort, inspection)
    months = incidents.months
    span = f"{months[0]} to {months[-1]} ({len(months)} months)" if months else "none"
    missing = _shorten(incidents.missing_months) or "none"
    inspection.show("Months", ("", ""), [("Covered", span), ("Missing, not zero", missing)])
    counts = incidents.sites
    windows: Mapping[str, Sequence[str]] = {"All months": sorted(set(counts["month"]))}
    if cohort.periods is not None:
        windows = {"Before": cohort.periods.before.months, "After": cohort.periods.after.months}
    rows = [
        (
            cohort.title_site(site),
            cohort.title_outcome(str(outcome)),
            *(
                _sum_months(
                    counts[(counts["site"] == site) & (counts["outcome"] == outcome)],
                    window,
                    cohort.smallest_count,
                )
                for window in windows.values()
            ),
        )
        for site in cohort.sites
        for outcome in counts["outcome"].unique()
    ]
    inspection.show("Incidents by site", ("Site", "Outcome", *windows), rows)


def _sum_months(rows: pd.DataFrame, months: Sequence[str], smallest: int) -> str:
    known = rows.loc[rows["month"].isin(months), "count"].dropna()
    if known.empty:
        return "not known"
    total = float(known.sum())
    shown = f"fewer than {smallest}" if 0 < total < smallest else f"{total:,.0f}"
    lacking = len(months) - len(known)
    return f"{shown} ({lacking} of {len(months)} months missing)" if lacking else shown


def _describe_quality(
    title: str, quality: pd.DataFrame, cohort: Cohort, inspection: Inspection
) -> None:
    joins = quality["kind"] == CheckKind.JOIN
    smallest = cohort.smallest_group if title == "Survey files" else cohort.smallest_count
    heads = ("File", "Join", "Matched", "Lost", "Share lost", "Most of it")
    inspection.show("What was joined", heads, _describe_joins(quality[joins], smallest))
    inspection.report(find_losses(quality, cohort.accepted_losses))
    quality = quality[~joins]
    worth = quality[(quality["count"] != 0) | (quality["kind"] != CheckKind.LEFT_OUT)]
    table = worth[["source", "check", "count", "note"]].copy()
    table["count"] = table["count"].map(lambda n: "" if pd.isna(n) else f"{n:,.0f}")
    rows = table.astype(str).to_numpy().tolist()
    inspection.show(title, ("File", "Check", "Count", "Note"), rows)


def _describe_joins(joins: pd.DataFrame, smallest: int) -> Iterator[tuple[str, ...]]:
    """Sum each kind of join of a file, and name the part of it that lost the largest share."""
    for key, rows in joins.groupby(["source", "check"], sort=False):
        source, join = map(str, key)
        words = next(words for name, (words, *_) in JOINS.items() if name == join)
        matched, lost = int(rows["count"].sum()), int(rows["lost"].sum())
        shares = (rows["lost"] / (rows["count"] + rows["lost"])).fillna(0.0).to_numpy()
        most = rows.iloc[int(shares.argmax())]
        named = most["note"] and most["lost"] >= max(smallest, 1)
        hidden = 0 < lost < smallest or not matched + lost
        yield (
            source,
            words,
            _hide_few(matched, smallest),
            _hide_few(lost, smallest),
            "" if hidden else f"{lost / (matched + lost):.1%}",
            f"{most['note']} ({shares.max():.0%})" if named else "",
        )


def _list_missing(cohort: Cohort, instrument: Instrument | None) -> Iterator[str]:
    if not cohort.incidents:
        yield "No incident files: crime and ASB are not counted."
    if not cohort.surveys:
        yield "No surveys: nothing can be said of what people think."
    if not cohort.pairs:
        yield "No pairs: nothing is set beside a control site ('pairs' in cohort.yml)."
    if any(pair.control and not pair.control_reason.strip() for pair in cohort.pairs):
        yield "No 'control_reason' for a control site: the evidence can't reach level 3."
    if cohort.incidents and cohort.periods is None:
        yield "No periods: incidents can't be compared before and after ('periods')."
    waves = {source.wave for source in cohort.surveys}
    if len(waves) == 1 and None not in waves:
        yield f"Only answers from {waves.pop()}: no change can be measured."
    placed = ("lsoas", "wards", "authorities", "polygon", "names")
    bare = [
        cohort.title_site(key)
        for key, site in cohort.sites.items()
        if not any(getattr(site, name) for name in placed)
    ]
    if cohort.incidents and bare:
        yield f"No 'lsoas' for {list_names(bare)}: no incident can be placed there by its code."
    if instrument is not None and not instrument.scales:
        yield "The questionnaire has no scales: answers are not scored."


def _list_uncounted(cohort: Cohort, incidents: Incidents) -> Iterator[str]:
    """Name the months of the periods that can't be compared, and sites without any count there."""
    quality = incidents.quality
    for note in quality.loc[quality["kind"] == CheckKind.NOT_COMPARABLE, "note"]:
        yield f"Months that can't be compared. {note}."
    if cohort.periods is None:
        return
    known = incidents.sites.dropna(subset="count")
    for name, period in (("before", cohort.periods.before), ("after", cohort.periods.after)):
        counted = set(known.loc[known["month"].isin(period.months), "site"])
        silent = [cohort.title_site(key) for key in cohort.compared_sites if key not in counted]
        if silent:
            span = f"{period.start} to {period.end}"
            yield (
                f"No incident counts {name} ({span}) for {list_names(silent)}: no comparison can "
                "be made there."
            )


def _shorten(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES])
    left = len(names) - _MOST_NAMES
    return f"{shown} and {left} more" if left > 0 else shown
