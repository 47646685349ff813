"""Results laid out as tables for reading; numbers come rounded from `sbwork.formats`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from sbwork.cohort import Cohort
from sbwork.formats import (
    MISSING,
    format_change,
    format_count,
    format_interval,
    format_number,
    format_p,
    format_share,
)
from sbwork.instrument import Instrument
from sbwork.results import find_row, select_findings

if TYPE_CHECKING:
    from great_tables import GT

__all__ = [
    "find_pooled",
    "lay_out",
    "tabulate_answers",
    "tabulate_changes",
    "tabulate_checklist",
    "tabulate_checks",
    "tabulate_count_models",
    "tabulate_differences",
    "tabulate_dropped",
    "tabulate_engagement",
    "tabulate_headings",
    "tabulate_kinds",
    "tabulate_pairs",
    "tabulate_placebos",
    "tabulate_reliability",
    "tabulate_reported_figures",
    "tabulate_scales",
    "tabulate_stories",
]

_FEWEST_PAIRS = 5
_PLACEBO_NOTE = (
    "Areas: how many of like size, in which nothing was done, stand in for the site or its "
    "control. Rank p: how often a pair drawn from those areas and the real ones changed at least "
    "as much (two-sided, by randomisation)."
)
_KINDS = {
    "functional": "Functional: crime, incidents, statistics",
    "internal quality": "Internal quality: culture, skills, management",
    "interactional": "Interactional: what the community asks for and says",
}


def lay_out(
    rows: Sequence[Mapping[str, str]],
    *,
    name: str,
    title: str,
    subtitle: str = "",
    stub: str = "",
    group: str = "",
    spanners: Mapping[str, Sequence[str]] | None = None,
    labels: Mapping[str, str] | None = None,
    text: Sequence[str] = (),
    notes: Iterable[str] = (),
) -> GT:
    """Lay rows of finished text out as one table, with header cells that screen readers follow.

    Parameters
    ----------
    rows : sequence of mapping
        One mapping of column to text a row; every row has the same keys.
    name : str
        The table's id, unique in its page.
    title, subtitle : str
        What stands above it.
    stub, group : str
        The columns that name the rows and the groups of rows.
    spanners : mapping of str to sequence of str, optional
        Headings that span several columns.
    labels : mapping of str to str, optional
        What to print for a column in place of its key; repeats are allowed.
    text : sequence of str
        Columns of words, set left; the rest are numbers, set right.
    notes : iterable of str
        What stands below it; repeats are printed once.

    Returns
    -------
    great_tables.GT
        The table; its library escapes all text.
    """
    from great_tables import GT

    frame = pd.DataFrame(rows)
    table = GT(frame, rowname_col=stub or None, groupname_col=group or None, id=f"table-{name}")
    table = table.tab_header(title, subtitle or None)
    if stub:
        table = table.tab_stubhead(stub)
    for heading, columns in (spanners or {}).items():
        table = table.tab_spanner(heading, list(columns))
    if labels:
        table = table.cols_label(dict(labels))
    numbers = [column for column in frame.columns if column not in {stub, group, *text}]
    if numbers:
        table = table.cols_align("right", numbers)
    if text:
        table = table.cols_align("left", list(text))
    for note in dict.fromkeys(note for note in notes if note):
        table = table.tab_source_note(note)
    return table.opt_css(
        f"#table-{name} td {{ white-space: pre-line; }}\n"
        f"#table-{name} td.gt_right {{ white-space: pre; }}"
    )


def tabulate_changes(findings: pd.DataFrame, cohort: Cohort) -> GT:
    """Lay out the Durham table: each area beside its control site, an outcome a row."""
    spanners: dict[str, list[str]] = {}
    labels: dict[str, str] = {}
    sites = [(pair, site) for pair in cohort.pairs for site in (pair.intervention, pair.control)]
    for pair, site in sites:
        if site:
            spanners.setdefault(pair.title or cohort.title_site(pair.intervention), []).append(site)
            labels[site] = cohort.title_site(site)
    rows: list[dict[str, str]] = []
    notes: list[str] = []
    for outcome in cohort.outcomes:
        row = {"Change in": cohort.title_outcome(outcome)}
        for site in labels:
            row[site] = _describe_change(findings, outcome, site, notes)
        rows.append(row)
    notes.append("Each cell: percentage change; counts before and after; 95% interval.")
    return lay_out(
        rows,
        name="changes",
        title="Each area beside its control site",
        stub="Change in",
        spanners={key: value for key, value in spanners.items() if len(value) > 1},
        labels=labels,
        notes=notes,
    )


def find_pooled(findings: pd.DataFrame, outcome: str) -> pd.Series[Any] | None:
    """Find the pooled ratio to be shown: random effects from five pairs on, else all as one.

    With two to four pairs a random-effects interval is too wide to say anything (Bender et al.
    2018, Research Synthesis Methods 9, 382-392), so the pairs are taken as one, which speaks for
    these pairs and no others; both stand in the findings.
    """
    place = {"section": "counts", "outcome": outcome, "site": "all", "period": "change"}
    pairs = select_findings(findings, section="counts", outcome=outcome, estimator="rirr")
    known = pairs[(pairs["period"] == "change") & pairs["estimate"].notna()]
    if len(known) >= _FEWEST_PAIRS:
        return find_row(findings, **place, estimator="rirr_pooled")
    return find_row(findings, **place, estimator="rirr_pooled_fixed")


def tabulate_count_models(findings: pd.DataFrame, cohort: Cohort) -> GT:
    """Lay out the comparison of each pair's counts: raw change, RIRR and WDD, with intervals."""
    rows: list[dict[str, str]] = []
    notes: list[str] = []
    for outcome in cohort.outcomes:
        find = partial(find_row, findings, section="counts", outcome=outcome, period="change")
        for pair in cohort.pairs:
            rirr = find(site=pair.intervention, estimator="rirr")
            if rirr is None:
                continue
            wdd = find(site=pair.intervention, estimator="wdd_corrected")
            if wdd is None or math.isnan(wdd["estimate"]):
                wdd = find(site=pair.intervention, estimator="wdd")
            area, control = (
                find(site=site or "", estimator="percentage_change")
                for site in (pair.intervention, pair.control)
            )
            notes.append(rirr["note"])
            rows.append(
                {
                    "Outcome": cohort.title_outcome(outcome),
                    "Pair": cohort.title_pair(pair.intervention),
                    "Area": _value(area, format_change),
                    "Control": _value(control, format_change),
                    **_describe_ratio(rirr),
                    "WDD": _value(wdd, format_count),
                    "WDD interval": _describe_interval(wdd, digits=0),
                }
            )
        pooled = find_pooled(findings, outcome)
        if pooled is not None and len(cohort.pairs) > 1:
            notes.append(pooled["note"])
            rows.append(
                {
                    "Outcome": cohort.title_outcome(outcome),
                    "Pair": "All pairs together",
                    "Area": "",
                    "Control": "",
                    **_describe_ratio(pooled),
                    "WDD": "",
                    "WDD interval": "",
                }
            )
    notes.append(
        "RIRR: relative incidence rate ratio; 1 means the area changed just as its control site "
        "did, below 1 that it fell more or rose less. WDD: weighted displacement difference, in "
        "incidents over the window."
    )
    return lay_out(
        rows,
        name="count-models",
        title="Each area against its control site",
        subtitle="Relative incidence rate ratio beside the raw change",
        stub="Pair",
        group="Outcome",
        spanners={"Raw change": ["Area", "Control"]},
        notes=notes,
    )


def tabulate_placebos(findings: pd.DataFrame, cohort: Cohort) -> GT:
    """Lay out where each pair stands among comparable areas in which nothing was done."""
    rows: list[dict[str, str]] = []
    notes: list[str] = []
    chosen = select_findings(findings, section="placebo", estimator="placebo_p")
    for _, row in chosen.iterrows():
        place = {"section": "placebo", "outcome": row["outcome"], "site": row["site"]}
        low, high, areas, share = (
            find_row(findings, **place, estimator=estimator)
            for estimator in (
                "placebo_low", "placebo_high", "placebo_areas", "placebo_share_as_large",
            )
        )  # fmt: skip
        notes.append(row["note"] if math.isnan(row["estimate"]) else _PLACEBO_NOTE)
        rows.append(
            {
                "Outcome": cohort.title_outcome(row["outcome"]),
                "Pair": cohort.title_pair(row["site"]),
                "Areas": "" if areas is None else format_count(areas["estimate"]),
                "Middle 95% of them": (
                    format_interval(low["estimate"], high["estimate"], 0, percent=True)
                    if low is not None and high is not None
                    else MISSING
                ),
                "Changed as much": "" if share is None else format_share(share["estimate"]),
                "Rank p": format_p(row["estimate"]),
            }
        )
    return lay_out(
        rows or [{"Outcome": "", "Pair": MISSING}],
        name="placebos",
        title="How often places where nothing happened changed as much",
        stub="Pair",
        group="Outcome",
        notes=notes,
    )


def tabulate_scales(findings: pd.DataFrame, cohort: Cohort, instrument: Instrument) -> GT:
    """Lay out every scale by site: n, means by wave, the difference with its tests."""
    rows: list[dict[str, str]] = []
    notes: list[str] = []
    chosen = select_findings(findings, section="scales", estimator="mean_difference")
    for _, row in chosen.iterrows():
        place = {"section": "scales", "outcome": row["outcome"], "site": row["site"]}
        means = [
            find_row(findings, **place, estimator="mean", period=wave)
            for wave in ("before", "after")
        ]
        g = find_row(findings, **place, estimator="hedges_g")
        notes.append(row["note"])
        rows.append(
            {
                "Scale": instrument.title_scale(row["outcome"]),
                "Site": _title_group(cohort, row["site"]),
                "n before": _value(means[0], format_count, "n"),
                "Mean before": _value(means[0], format_number),
                "n after": _value(means[1], format_count, "n"),
                "Mean after": _value(means[1], format_number),
                "Difference": format_number(row["estimate"]),
                "95% interval": format_interval(row["ci_low"], row["ci_high"]),
                "Welch t (df)": (
                    MISSING
                    if math.isnan(row["statistic"])
                    else f"{format_number(row['statistic'])} ({format_number(row['df'], 1)})"
                ),
                "p": format_p(row["p_value"]),
                "Hedges g": _value(g, format_number),
            }
        )
    return lay_out(
        rows,
        name="scales",
        title="Residents' scales, before and after",
        subtitle="Independent-samples t-tests: a description of each place, not yet a comparison",
        stub="Site",
        group="Scale",
        notes=notes,
    )


def tabulate_differences(findings: pd.DataFrame, cohort: Cohort, instrument: Instrument) -> GT:
    """Lay out the difference in differences of every scale, with what it would take to erase it."""
    rows: list[dict[str, str]] = []
    notes: list[str] = []
    chosen = select_findings(findings, section="scales", estimator="difference_in_differences")
    for _, row in chosen.iterrows():
        place = {"section": "scales", "outcome": row["outcome"], "site": row["site"]}
        tau, smallest, g = (
            find_row(findings, **place, estimator=estimator)
            for estimator in ("tau_star", "smallest_detectable_difference", "did_hedges_g")
        )
        verdict = find_row(findings, **place, estimator="tost")
        word, _, meaning = (verdict["note"] if verdict is not None else "").partition(". ")
        word = word.removeprefix("Verdict: ")
        notes += [row["note"], tau["note"] if tau is not None else ""]
        notes.append(f"{word.capitalize()}: {meaning}" if meaning else "")
        rows.append(
            {
                "Scale": instrument.title_scale(row["outcome"]),
                "Pair": cohort.title_pair(row["site"]),
                "Difference": format_number(row["estimate"]),
                "95% interval": format_interval(row["ci_low"], row["ci_high"]),
                "p": format_p(row["p_value"]),
                "p adjusted": format_p(row["p_adjusted"]),
                "In SD": _value(g, format_number),
                "Smallest detectable (SD)": _value(smallest, format_number),
                "Shock that erases it": _value(tau, format_number),
                "Verdict": word.capitalize(),
            }
        )
    return lay_out(
        rows,
        name="differences",
        title="Did the areas change more than their control sites?",
        subtitle="Difference in differences, in points of the scale",
        stub="Pair",
        group="Scale",
        text=["Verdict"],
        notes=notes,
    )


def tabulate_reliability(findings: pd.DataFrame, instrument: Instrument) -> GT:
    """Lay out how reliable each scale is, over all sites and waves."""
    rows: list[dict[str, str]] = []
    notes: list[str] = []
    chosen = select_findings(findings, section="reliability", site="all", period="all")
    for scale in instrument.scales:
        place = chosen[chosen["outcome"] == scale]
        alpha, omega, floor, ceiling = (
            find_row(place, estimator=estimator)
            for estimator in ("alpha", "omega_total", "floor_share", "ceiling_share")
        )
        if alpha is None:
            continue
        shown = (alpha, omega, floor, ceiling)
        notes += [row["note"] for row in shown if row is not None]
        rows.append(
            {
                "Scale": instrument.title_scale(scale),
                "Items": str(len(instrument.list_scale_items(scale))),
                "n": format_count(alpha["n"]),
                "Alpha": format_number(alpha["estimate"]),
                "95% interval": format_interval(alpha["ci_low"], alpha["ci_high"]),
                "Omega total": _value(omega, format_number),
                "At the floor": _value(floor, format_share),
                "At the ceiling": _value(ceiling, format_share),
            }
        )
    items = select_findings(chosen, estimator="item_rest_correlation")
    notes += [note for note in items["note"] if note]
    return lay_out(
        rows,
        name="reliability",
        title="How reliably each scale measures",
        stub="Scale",
        notes=notes,
    )


def tabulate_pairs(cohort: Cohort) -> GT:
    """Lay out the sites, their roles, and why each control site was chosen."""
    rows = []
    for pair in cohort.pairs:
        for role, site in (
            ("Intervention", pair.intervention),
            ("Control", pair.control),
            ("Displacement", pair.displacement),
            ("Displacement control", pair.displacement_control),
        ):
            if site:
                spec = cohort.sites[site]
                reason = pair.control_reason if role == "Control" else ""
                if role == "Control" and not reason:
                    reason = "No reason is given in cohort.yml."
                rows.append(
                    {
                        "Site": cohort.title_site(site),
                        "Role": role,
                        "Small areas (LSOAs)": str(len(spec.lsoas)) if spec.lsoas else "",
                        "Why it was chosen": reason,
                    }
                )
    return lay_out(
        rows,
        name="pairs",
        title="The sites",
        stub="Site",
        text=["Role", "Why it was chosen"],
    )


def tabulate_kinds(findings: pd.DataFrame, cohort: Cohort, instrument: Instrument | None) -> GT:
    """Lay out the three kinds of evidence, and what this cohort has of each."""
    held: dict[str, list[str]] = {kind: [] for kind in _KINDS}
    for key, outcome in cohort.outcomes.items():
        if len(select_findings(findings, section="counts", outcome=key)):
            held[outcome.kind].append(f"{outcome.title} (counted from incident rows)")
    for figure in cohort.reported_figures:
        held[figure.kind].append(
            f"{figure.title} {format_change(figure.change_percent)} ({figure.reported_by})"
        )
    if instrument is not None:
        measured = set(select_findings(findings, section="scales")["outcome"])
        titles = [instrument.title_scale(key) for key in instrument.scales if key in measured]
        if titles:
            held["interactional"].append(f"Residents' scales: {', '.join(titles)}")
    for story in cohort.stories:
        held[story.kind].append(f"Story: {story.theme}")
    if cohort.engagement:
        held["interactional"].append(f"Engagement log: {len(cohort.engagement)} events")
    rows = [
        {"Kind": _KINDS[kind], "What there is": "; ".join(what) or "Nothing was given."}
        for kind, what in held.items()
    ]
    return lay_out(
        rows,
        name="kinds",
        title="Three kinds of evidence",
        stub="Kind",
        text=["What there is"],
        notes=["The three kinds follow Waters (1996) and Fisher and Ritchie (2015)."],
    )


def tabulate_stories(stories: pd.DataFrame) -> GT:
    """Lay out what people said: columns theme, text, told_by and kind."""
    rows = [
        {"Theme": row["theme"], "What was said": row["text"], "Told by": row["told_by"]}
        for _, row in stories.iterrows()
    ]
    return lay_out(
        rows,
        name="stories",
        title="What residents and staff said",
        stub="Theme",
        text=["What was said", "Told by"],
    )


def tabulate_answers(counted: pd.DataFrame, cohort: Cohort) -> GT:
    """Lay out what residents wrote, the commonest first: columns question, text and times."""
    rows = [
        {
            "What residents wrote": row["text"],
            "Question": row["question"],
            "Times": str(row["times"]),
        }
        for _, row in counted.iterrows()
    ]
    return lay_out(
        rows,
        name="answers",
        title="In residents' own words",
        subtitle="Invented data" if cohort.data_status == "invented" else "",
        stub="What residents wrote",
        group="Question",
    )


def tabulate_reported_figures(cohort: Cohort) -> GT:
    """Lay out figures that somebody gave, with who said so and what is not known of them."""
    rows = [
        {
            "Figure": figure.title,
            "Change": format_change(figure.change_percent),
            "Counts": MISSING,
            "Interval": MISSING,
            "Control site": MISSING,
            "Who said so": figure.reported_by,
        }
        for figure in cohort.reported_figures
    ]
    return lay_out(
        rows,
        name="reported",
        title="Figures as reported",
        stub="Figure",
        text=["Who said so"],
        notes=["No counts came with these figures, so no interval can be given: level 1 evidence."],
    )


def tabulate_headings(headings: Sequence[tuple[str, str]]) -> GT:
    """Lay out the five EMMIE headings and what this report holds under each."""
    rows = [{"Heading": heading, "What this report holds": held} for heading, held in headings]
    return lay_out(
        rows,
        name="headings",
        title="Under the five EMMIE headings",
        stub="Heading",
        text=["What this report holds"],
        notes=["No EMMIE score is awarded: that takes a review of many studies."],
    )


def tabulate_checklist(items: Sequence[tuple[str, str]]) -> GT:
    """Lay out the TREND checklist: each item, and where it is reported or that it is not."""
    rows = [{"Item": item, "Where": where} for item, where in items]
    return lay_out(rows, name="trend", title="TREND checklist", stub="Item", text=["Where"])


def tabulate_dropped(dropped: pd.DataFrame) -> GT:
    """Lay out the columns dropped as the files were read: columns source, column and reason."""
    rows = [
        {"File": str(source), "Why": str(reason), "Columns dropped": ", ".join(columns)}
        for (source, reason), columns in dropped.groupby(["source", "reason"], sort=False)["column"]
    ]
    return lay_out(
        rows or [{"File": "", "Why": "Nothing was dropped", "Columns dropped": ""}],
        name="dropped",
        title="Columns dropped as the files were read",
        stub="Why",
        group="File",
        text=["Columns dropped"],
    )


def tabulate_engagement(cohort: Cohort) -> GT:
    """Lay out the engagement log."""
    rows = [
        {
            "Date": event.date,
            "Event": event.event,
            "Where": cohort.title_site(event.site) if event.site else "",
            "Attendance": "" if event.attendance is None else format_count(event.attendance),
            "Ideas": "" if event.ideas is None else format_count(event.ideas),
            "Money (£)": "" if event.money is None else format_count(event.money),
        }
        for event in cohort.engagement
    ]
    return lay_out(
        rows, name="engagement", title="Engagement log", stub="Date", text=["Event", "Where"]
    )


def tabulate_checks(quality: pd.DataFrame, name: str, title: str) -> GT:
    """Lay out what was read and what was left out, with the reason."""
    rows = [
        {
            "File": row["source"],
            "What": row["check"],
            "Count": "" if math.isnan(row["count"]) else format_count(row["count"]),
            "Note": row["note"],
        }
        for _, row in quality.iterrows()
    ]
    return lay_out(rows, name=name, title=title, stub="What", group="File", text=["Note"])


def _describe_change(findings: pd.DataFrame, outcome: str, site: str, notes: list[str]) -> str:
    place = {"section": "counts", "outcome": outcome, "site": site}
    change = find_row(findings, **place, estimator="percentage_change", period="change")
    if change is None or math.isnan(change["estimate"]):
        notes.append(change["note"] if change is not None else "")
        return MISSING
    counts = [
        find_row(findings, **place, estimator="count", period=wave) for wave in ("before", "after")
    ]
    notes.append(change["note"])
    return (
        f"{format_change(change['estimate'])}\n"
        f"{_value(counts[0], format_count)} to {_value(counts[1], format_count)}\n"
        f"({format_interval(change['ci_low'], change['ci_high'], 0, percent=True)})"
    )


def _title_group(cohort: Cohort, site: str) -> str:
    together = {
        "intervention": "Intervention areas together",
        "control": "Control sites together",
        "all": "All sites together",
    }
    return together.get(site) or cohort.title_site(site)


def _describe_ratio(row: pd.Series[Any]) -> dict[str, str]:
    return {
        "RIRR": format_number(row["estimate"]),
        "95% interval": _describe_interval(row),
        "p": format_p(row["p_value"]),
    }


def _describe_interval(row: pd.Series[Any] | None, digits: int = 2) -> str:
    return MISSING if row is None else format_interval(row["ci_low"], row["ci_high"], digits)


def _value(row: pd.Series[Any] | None, write: Any, column: str = "estimate") -> str:
    return MISSING if row is None else str(write(row[column]))
