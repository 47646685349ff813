"""Everything of a cohort read, and told as it was understood, with all that is wrong at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from sbwork.grade.disclosure import suppress_table
from sbwork.read.checks import CHECK_COLUMNS, CheckKind
from sbwork.read.incidents import Incidents, read_incidents
from sbwork.read.surveys import Responses, read_responses
from sbwork.specs.cohort import Cohort, find_cohorts, read_cohort
from sbwork.specs.documents import load_spec
from sbwork.specs.errors import InputError, Problem, find_nearest, list_names, quote
from sbwork.specs.instrument import Instrument, read_instrument

__all__ = ["Inspection", "Part", "inspect_cohort"]

_WAVES = ("before", "after")
_KINDS = {"dont_know": "Don't know", "prefer_not_to_say": "Prefer not to say", "blank": "Blank"}
_MOST_NAMES = 12


@dataclass(frozen=True)
class Part:
    """One table of what was understood.

    Attributes
    ----------
    title : str
        What it is about.
    columns : tuple of str
        Headings; empty for plain lines.
    rows : tuple of tuple of str
        Finished text.
    numeric : tuple of int
        Which columns hold numbers, counted from 0.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[int, ...] = ()


@dataclass(frozen=True)
class Inspection:
    """One cohort as it was understood.

    Attributes
    ----------
    cohort : str
        Its name.
    parts : tuple of Part
        What was read.
    missing : tuple of str
        What cohort.yml leaves out and a report will lack, in plain words.
    problems : tuple of Problem
        All that is wrong, of all files.
    """

    cohort: str
    parts: tuple[Part, ...] = ()
    missing: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether a report can be made."""
        return not self.problems


@dataclass
class _Findings:
    parts: list[Part] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def add_problems(self, problems: Iterable[Problem]) -> None:
        self.problems += [problem for problem in problems if problem not in self.problems]


def inspect_cohort(name: str, data: str | Path = "data") -> Inspection:
    """Read everything of a cohort, and tell what was understood.

    Where one file can't be used the others are read all the same, so that every problem is told
    at once. No answer of a person, no name and no free text is in the result, and groups of
    people smaller than ``smallest_group`` are not told.

    Parameters
    ----------
    name : str
        The cohort's name.
    data : str or Path, default "data"
        The folder that holds ``cohorts/`` and ``instruments/``.

    Returns
    -------
    Inspection
        Usable when `problems` is empty.

    Examples
    --------
    >>> inspect_cohort("durham-2", "data").usable
    True
    >>> print(inspect_cohort("durham-3", "data").problems[0].nearest)
    durham-2
    """
    findings = _Findings()
    cohort = _read_cohort(name, Path(data), findings)
    if cohort is None:
        _read_instrument(_peek_instrument(name, Path(data)), Path(data), findings)
        return Inspection(name, (), (), tuple(findings.problems))
    instrument = _read_instrument(cohort.instrument, Path(data), findings)
    findings.parts.append(_describe_plan(cohort, instrument))
    file = str(Path(data) / "cohorts" / name / "cohort.yml")
    findings.add_problems(_check_references(cohort, instrument, file))
    if cohort.surveys and instrument is not None:
        for responses in _read_surveys(cohort, instrument, findings):
            findings.parts += _describe_responses(cohort, instrument, responses)
    missing = list(_list_missing(cohort, instrument))
    if cohort.incidents:
        for incidents in _read_incidents(cohort, findings):
            findings.parts += _describe_incidents(cohort, incidents)
            missing += _list_uncounted(cohort, incidents)
    return Inspection(name, tuple(findings.parts), tuple(missing), tuple(findings.problems))


def _read_cohort(name: str, data: Path, findings: _Findings) -> Cohort | None:
    """Read cohort.yml; a missing file that it names is a problem, but what is there is read."""
    try:
        return read_cohort(name, data)
    except InputError as error:
        findings.add_problems(error.problems)
    if name not in find_cohorts(data):
        return None
    path = data / "cohorts" / name / "cohort.yml"
    try:
        cohort = load_spec(path, Cohort)
    except InputError:
        return None
    folder = path.parent.resolve()
    there = cohort.model_copy(
        update={
            "surveys": tuple(s for s in cohort.surveys if _exists(folder, s.path)),
            "incidents": tuple(s for s in cohort.incidents if _exists(folder, s.path)),
        }
    )
    there._folder = folder
    return there


def _exists(folder: Path, path: str) -> bool:
    try:
        return (folder / path.replace("\\", "/")).exists()
    except OSError:
        return False


def _peek_instrument(name: str, data: Path) -> str:
    """Find the instrument that a cohort.yml names which can't be read as a whole."""
    try:
        text = (data / "cohorts" / name / "cohort.yml").read_text("utf-8", errors="replace")
    except OSError:
        return ""
    found = re.search(r"^instrument:[ \t]*[\"']?([\w-]+)", text, re.MULTILINE)
    return found[1] if found else ""


def _read_instrument(name: str, data: Path, findings: _Findings) -> Instrument | None:
    if not name or not (data / "instruments" / f"{name}.yml").is_file():
        return None
    try:
        return read_instrument(name, data)
    except InputError as error:
        findings.add_problems(error.problems)
        return None


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
    kept = {name for source in cohort.surveys for name in source.keep}
    for name in cohort.weighting.targets:
        if cohort.surveys and name not in kept:
            yield Problem(
                file,
                "key 'weighting.targets'",
                f"'{quote(name)}' is not among the columns that are kept",
                f"Kept: {list_names(sorted(kept)) or 'none'}; add it under 'keep' of each survey",
                find_nearest(name, kept),
            )
    if instrument is None:
        return
    for name in cohort.confirmatory:
        if name not in instrument.scales:
            yield Problem(
                file,
                "key 'confirmatory'",
                f"there is no scale '{quote(name)}' in the questionnaire '{instrument.name}'",
                f"Scales: {list_names(list(instrument.scales)) or 'none'}",
                find_nearest(name, instrument.scales),
            )


def _read_surveys(
    cohort: Cohort, instrument: Instrument, findings: _Findings
) -> Iterator[Responses]:
    try:
        yield read_responses(cohort, instrument)
    except InputError as error:
        findings.add_problems(error.problems)
    else:
        return
    for one in _part_sources(cohort, "surveys"):
        try:
            yield read_responses(one, instrument)
        except InputError as error:
            findings.add_problems(error.problems)


def _read_incidents(cohort: Cohort, findings: _Findings) -> Iterator[Incidents]:
    try:
        yield read_incidents(cohort)
    except InputError as error:
        findings.add_problems(error.problems)
    else:
        return
    for one in _part_sources(cohort, "incidents"):
        try:
            yield read_incidents(one)
        except InputError as error:
            findings.add_problems(error.problems)


def _part_sources(cohort: Cohort, key: str) -> Iterator[Cohort]:
    """Give the cohort once for each of its sources, if there are several."""
    sources = getattr(cohort, key)
    for source in sources if len(sources) > 1 else ():
        one = cohort.model_copy(update={key: (source,)})
        one._folder = cohort.folder
        yield one


def _describe_plan(cohort: Cohort, instrument: Instrument | None) -> Part:
    rows = [("Title", cohort.display_title), ("Data", cohort.data_status)]
    rows.append(("Sites", _list([cohort.title_site(site) for site in cohort.sites])))
    pairs = [
        f"{cohort.title_site(pair.intervention)} against "
        f"{cohort.title_site(pair.control) if pair.control else 'no control site'}"
        + ("" if pair.control_reason or not pair.control else " (no reason given)")
        for pair in cohort.pairs
    ]
    rows.append(("Pairs", "; ".join(pairs) or "none"))
    if cohort.periods is not None:
        told = (
            f"{wave} {part.start} to {part.end} ({len(part.months)} months)"
            for wave, part in (("before", cohort.periods.before), ("after", cohort.periods.after))
        )
        rows.append(("Periods", "; ".join(told)))
    else:
        rows.append(("Periods", "none"))
    if instrument is not None:
        turned = sum(item.reverse for item in instrument.items.values())
        rows.append(
            (
                "Questionnaire",
                f"{instrument.name}: {len(instrument.items)} items ({turned} reversed), "
                f"{len(instrument.scales)} scales",
            )
        )
    if cohort.confirmatory:
        rows.append(("Confirmatory scales", _list(list(cohort.confirmatory))))
    if cohort.confirmatory_counts:
        rows.append(("Confirmatory outcomes", _list(list(cohort.confirmatory_counts))))
    return Part("The plan", ("", ""), tuple(rows))


def _describe_responses(
    cohort: Cohort, instrument: Instrument, responses: Responses
) -> Iterator[Part]:
    yield _tabulate_quality("Survey files", responses.quality)
    smallest = cohort.smallest_group
    answers = responses.answers
    if len(answers):
        yield _tabulate_people(cohort, answers)
        yield Part(
            "Codes met in the answers",
            ("Options", "Items", "Met", "Never met"),
            tuple(_describe_codes(instrument, responses)),
            numeric=(1,),
        )
        blanks = tuple(_describe_nonresponse(responses.nonresponse, smallest))
        heads: tuple[str, ...] = ("Item", *_KINDS.values())
        numeric = tuple(range(1, len(heads)))
        if not blanks:
            heads, numeric = ("", ""), ()
            blanks = (("Every item", "answered by everyone who was asked"),)
        yield Part("No answer, of all who were asked", heads, blanks, numeric)
    if len(responses.multiple):
        sets = responses.multiple.drop_duplicates(["set", "option"]).groupby("set", sort=False)
        rows = [(str(name), str(len(group))) for name, group in sets]
        yield Part("Questions with several answers", ("Set", "Options met"), tuple(rows), (1,))
    dropped = responses.dropped.groupby(["source", "reason"], sort=False)["column"]
    left_out = [
        (str(source), str(reason), _list([str(column) for column in columns]))
        for (source, reason), columns in dropped
    ]
    if left_out:
        yield Part("Columns left out", ("File", "Why", "Columns"), tuple(left_out))


def _tabulate_people(cohort: Cohort, answers: pd.DataFrame) -> Part:
    counts = pd.crosstab(answers["site"], answers["wave"])
    waves = [wave for wave in _WAVES if wave in counts.columns]
    sites = [site for site in cohort.sites if site in set(answers["site"])]
    counts = counts.reindex(index=sites, columns=waves, fill_value=0)
    smallest = cohort.smallest_group
    shown = suppress_table(counts, smallest, total="all")
    full = counts.assign(all=counts.sum(axis=1))
    full.loc["all"] = full.sum()
    rows = [
        (
            cohort.title_site(site) if site != "all" else "All sites",
            *(
                _tell_people(
                    int(full.loc[site, wave]), shown.loc[site, wave], cohort.smallest_group
                )
                for wave in shown.columns
            ),
        )
        for site in shown.index
    ]
    heads = [wave.capitalize() if wave != "all" else "Both" for wave in shown.columns]
    numeric = tuple(range(1, 1 + len(heads)))
    return Part("People by site and wave", ("Site", *heads), tuple(rows), numeric)


def _tell_people(count: int, shown: float, smallest: int) -> str:
    if 0 < count < smallest:
        return f"fewer than {smallest}"
    return "hidden" if shown != shown else f"{count:,}"


def _describe_codes(instrument: Instrument, responses: Responses) -> Iterator[tuple[str, ...]]:
    groups: dict[str, list[str]] = {}
    for key, item in instrument.items.items():
        if responses.answers[key].notna().any() or key in set(responses.nonresponse["item"]):
            name = item.options if isinstance(item.options, str) else key
            groups.setdefault(name, []).append(key)
    for name, keys in groups.items():
        found = {float(code) for key in keys for code in responses.answers[key].dropna().unique()}
        nonresponse = responses.nonresponse[responses.nonresponse["item"].isin(keys)]
        kinds = set(nonresponse.loc[nonresponse["count"] > 0, "kind"])
        met: list[str] = []
        never: list[str] = []
        for option in instrument.list_options(keys[0]):
            here = option.nonresponse in kinds if option.nonresponse else option.code in found
            label = f"{option.code:g}" + (f" {option.label}" if option.label else "")
            (met if here else never).append(label)
        yield name, str(len(keys)), "; ".join(met), "; ".join(never)


def _describe_nonresponse(frame: pd.DataFrame, smallest: int) -> Iterator[tuple[str, ...]]:
    totals = frame.pivot_table(
        index="item", columns="kind", values="count", aggfunc="sum", sort=False
    )
    for item, row in totals.iterrows():
        counts = [int(row.get(kind, 0)) for kind in _KINDS]
        if any(counts):
            yield str(item), *(_hide_few(count, smallest) for count in counts)


def _hide_few(count: int, smallest: int) -> str:
    return f"fewer than {smallest}" if 0 < count < smallest else f"{count:,}"


def _describe_incidents(cohort: Cohort, incidents: Incidents) -> Iterator[Part]:
    yield _tabulate_quality("Incident files", incidents.quality)
    span = f"{incidents.months[0]} to {incidents.months[-1]}" if incidents.months else "none"
    rows = [("Covered", f"{span} ({len(incidents.months)} months)")]
    rows.append(("Missing, not zero", _list(list(incidents.missing_months)) or "none"))
    yield Part("Months", ("", ""), tuple(rows))
    counts = incidents.sites
    if counts.empty:
        return
    windows: Mapping[str, Sequence[str]] = {"All months": sorted(set(counts["month"]))}
    if cohort.periods is not None:
        windows = {
            "Before": cohort.periods.before.months,
            "After": cohort.periods.after.months,
        }
    told = []
    for site in cohort.sites:
        for outcome in dict.fromkeys(counts["outcome"]):
            own = counts[(counts["site"] == site) & (counts["outcome"] == outcome)]
            cells = [_sum_months(own, months, cohort.smallest_count) for months in windows.values()]
            told.append((cohort.title_site(site), cohort.title_outcome(str(outcome)), *cells))
    numeric = tuple(range(2, 2 + len(windows)))
    yield Part("Incidents by site", ("Site", "Outcome", *windows), tuple(told), numeric)


def _sum_months(rows: pd.DataFrame, months: Sequence[str], smallest: int) -> str:
    chosen = rows[rows["month"].isin(months)]
    known = chosen["count"].dropna()
    lacking = len(months) - len(known)
    if known.empty:
        return "not known"
    total = float(known.sum())
    shown = f"fewer than {smallest}" if 0 < total < smallest else f"{total:,.0f}"
    return shown if not lacking else f"{shown} ({lacking} of {len(months)} months missing)"


def _tabulate_quality(title: str, quality: pd.DataFrame) -> Part:
    rows = [
        (str(source), str(check), "" if count != count else f"{count:,.0f}", str(note))
        for source, kind, check, count, note in quality[list(CHECK_COLUMNS)].itertuples(index=False)
        if count != 0 or kind != CheckKind.LEFT_OUT
    ]
    return Part(title, ("File", "Check", "Count", "Note"), tuple(rows), (2,))


def _list_missing(cohort: Cohort, instrument: Instrument | None) -> Iterator[str]:
    if not cohort.incidents:
        yield "No incident files: crime and ASB are not counted."
    if not cohort.surveys:
        yield "No surveys: nothing can be said of what people think."
    if not cohort.pairs:
        yield "No pairs: nothing is set beside a control site ('pairs' in cohort.yml)."
    unexplained = [p for p in cohort.pairs if p.control and not p.control_reason.strip()]
    if unexplained:
        yield "No 'control_reason' for a control site: the evidence can't reach level 3."
    if cohort.incidents and cohort.periods is None:
        yield "No periods: incidents can't be compared before and after ('periods')."
    waves = {source.wave for source in cohort.surveys}
    if cohort.surveys and len(waves) == 1 and None not in waves:
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


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES])
    left = len(names) - _MOST_NAMES
    return f"{shown} and {left} more" if left > 0 else shown
