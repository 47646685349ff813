"""Whether the comparison of counts holds up: before the start, other models, drift."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from sbwork.compare.accuracy import read_study
from sbwork.grade.publishable import Publishable
from sbwork.render.blocks import Bullets, Picture, Section, Table, compose_picture
from sbwork.render.counts import explain_uncompared
from sbwork.render.reasons import describe_missing, explain_missing
from sbwork.render.specifications import (
    describe_curve,
    describe_shares,
    is_clear,
    scale_ratios,
    show_curves,
)
from sbwork.render.style import INK, LOOKS, draw_intervals, shade_after
from sbwork.specs.cohort import Cohort
from sbwork.stats import Flag
from sbwork.stats.findings import find_row, has_flag, select_findings
from sbwork.stats.formats import (
    MISSING,
    format_change,
    format_interval,
    format_list,
    format_number,
    format_share,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_FEWEST_MONTHS = 6
_ALPHA = 0.05
_MODELS = {
    "the quasi-Poisson panel model": ("quasi-Poisson model", {"panel_quasipoisson": ""}),
    "the interrupted time series": (
        "interrupted time series",
        {"its_level": "in level ", "its_slope": "in slope "},
    ),
}
_COLUMNS = {
    "pre_level_ratio": "Site / control",
    "pre_trend": "Drift a month",
    "panel_quasipoisson": "Quasi-Poisson",
    "panel_nb2": "Negative binomial",
    "its_level": "Break in level",
    "its_slope": "Break in slope",
    "sensitivity_mbar": "Drift to undo it",
}
_SPANNERS = {
    "Before the start": ("pre_level_ratio", "pre_trend"),
    "Panel model": ("panel_quasipoisson", "panel_nb2"),
    "Interrupted series": ("its_level", "its_slope"),
}
_BEFORE = ("pre_level_ratio", "pre_trend")
_NO_CONTROL = (
    "No control site or no periods are given, so there is no comparison to put to the test."
)
_LEGEND = (
    "Each cell: the estimate, with its 95% interval. Site / control, panel models and break in "
    "level are ratios, where 1 means no difference; drift and break in slope are in percent a "
    "month, where 0 means none.",
    "Drift to undo it: how large the steps by which the two would have moved apart anyway, from "
    "each quarter to the next, may be before the 95% interval of the mean change takes in no "
    "change, as a multiple of the largest step before the start (breakdown value under relative "
    "magnitudes). 0: it takes in no change without any drift.",
)


def present_robustness(evaluation: Publishable) -> Section:
    """Show whether the comparison of counts holds up: before the start, other models, drift."""
    cohort, findings = evaluation.cohort, evaluation.findings
    if evaluation.incidents is None:
        return Section(
            ["No incident file was given, so there is no comparison of counts to put to the test."]
        )
    if not any(pair.control for pair in cohort.pairs) or cohort.periods is None:
        return Section([_NO_CONTROL])
    why = explain_uncompared(cohort, findings)
    if why:
        return Section([why])
    shares = describe_shares(cohort, findings)
    return Section(
        [
            describe_robustness(cohort, findings),
            tabulate_models(findings, cohort),
            *_show_event_studies(evaluation),
            *show_curves(evaluation),
            *([Bullets(tuple(shares))] if shares else []),
        ]
    )


def _show_event_studies(evaluation: Publishable) -> Iterator[Picture | str]:
    cohort = evaluation.cohort
    rows = select_findings(evaluation.findings, section="panel", estimator="event_study")
    rows = rows[~rows["period"].isin(["", "change"])]
    drawn = False
    for outcome in cohort.list_outcomes():
        chosen = rows[rows["outcome"] == outcome]
        shown = {
            pair.intervention: part
            for pair in cohort.pairs
            if _has_both_sides(part := chosen[chosen["site"] == pair.intervention])
        }
        if not shown:
            continue
        drawn, title = True, cohort.title_outcome(outcome)
        yield compose_picture(
            cohort,
            f"event-study-{outcome}",
            [
                (f"{cohort.title_pair(site)}: {title}", partial(draw_event_study, rows=part))
                for site, part in shown.items()
            ],
            size=(8.8, 0.9 + 2.3 * len(shown)),
            alt=" ".join(
                describe_event_study(cohort, part, outcome, site) for site, part in shown.items()
            ),
            caption=f"{title}, month by month: the area against its control site, set against the "
            "months before (ratio, with 95% interval; 1 is no difference). Grey squares: before. "
            "Blue circles: after. Before the start the marks should lie around 1 without a slope.",
        )
    if not drawn:
        yield explain_missing(rows, "The picture month by month", _FEWEST_MONTHS)


def _has_both_sides(rows: pd.DataFrame) -> bool:
    months = rows.loc[rows["estimate"].notna(), "period"].astype(float)
    return len(months) >= _FEWEST_MONTHS and bool((months < 0).any() and (months >= 0).any())


def describe_robustness(cohort: Cohort, findings: pd.DataFrame) -> str:
    """Say in one paragraph whether the comparisons of counts hold up."""
    rows = select_findings(findings, section="panel")
    rows = rows[rows["site"] != "all"]
    sentences = [
        "A result is worth more if it does not hang on one way of counting. So the same "
        "comparison is asked in other ways: were the area and its control site alike, and moving "
        "alike, before the start; do other models agree; how much drift of their own would undo "
        "the result; and does it stay when other months, control sites or models are chosen?",
        *_describe_before(rows),
        *_describe_models(rows),
        *_describe_drift(rows),
        *describe_curve(findings),
    ]
    return " ".join(sentences)


def describe_event_study(cohort: Cohort, rows: pd.DataFrame, outcome: str, site: str) -> str:
    """Say how the site stood to its control in the months before and after the start."""
    known = rows[rows["estimate"].notna()]
    months = known["period"].astype(float)
    parts = [
        f"{len(part)} months {when}, ratios from "
        f"{format_interval(part['estimate'].min(), part['estimate'].max())}, "
        f"{is_clear(part).sum()} of them with an interval clear of no difference"
        for when, part in (("before", known[months < 0]), ("after", known[months >= 0]))
        if len(part)
    ]
    return f"{cohort.title_pair(site)}, {cohort.title_outcome(outcome)}: {'; '.join(parts)}."


def _describe_before(rows: pd.DataFrame) -> list[str]:
    every = rows[rows["estimator"] == "pre_trend"]
    known = every[every["estimate"].notna()]
    if known.empty:
        why = describe_missing(every)
        return [f"How the two moved before the start can't be said{f': {why}' if why else ''}."]
    apart = int((known["p_value"] < _ALPHA).sum())
    if apart:
        which = "the one comparison" if len(known) == 1 else f"{apart} of {len(known)} comparisons"
        said = (
            f"In {which} the two already moved differently before the start, so there the control "
            "site is a poor guide to what would have happened anyway."
        )
    else:
        which = f"In none of the {len(known)} comparisons did the two"
        if len(known) == 1:
            which = "In the one comparison the two did not"
        said = (
            f"{which} clearly move differently before the start; that is not proof that they moved "
            "alike, because few months show little."
        )
    return [said, *_explain_rest(every, "trend before the start")]


def _describe_models(rows: pd.DataFrame) -> list[str]:
    parts, rest = [], []
    for title, (what, estimators) in _MODELS.items():
        counts = []
        for estimator, where in estimators.items():
            known = rows[(rows["estimator"] == estimator) & rows["estimate"].notna()]
            if len(known):
                clear = is_clear(known, 0 if estimator == "its_slope" else 1).sum()
                counts.append(f"{where}in {clear or 'none'} of {len(known)}")
        if counts:
            parts.append(f"by {title} {format_list(counts)}")
        rest += _explain_rest(rows[rows["estimator"] == next(iter(estimators))], what)
    if not parts:
        return ["No panel model of a single pair gives a number.", *rest]
    return [
        "The area differs from its control site beyond chance (95% interval clear of no change) "
        f"{'; '.join(parts)}.",
        *rest,
    ]


def _describe_drift(rows: pd.DataFrame) -> list[str]:
    every = rows[rows["estimator"] == "sensitivity_mbar"]
    known = every[every["estimate"].notna()]
    if known.empty:
        return _explain_rest(every, "drift that would undo it")
    clear = known[known["estimate"] > 0].sort_values("estimate")
    said = (
        "Judged by quarters and set against the last quarter before the start alone, a stricter "
        "test than the panel model's, "
    )
    if clear.empty:
        which = f"in all {len(known)} comparisons" if len(known) > 1 else ""
        said += f"the interval takes in no change {which}".rstrip() + " even without any drift."
    else:
        ends = list(dict.fromkeys(_write_multiple(row) for _, row in clear.iterrows()))
        span = ends[0] if len(ends) == 1 else f"{ends[0]} to {ends[-1]}"
        many = f"in {len(clear)} of {len(known)} comparisons" if len(known) > 1 else ""
        said += (
            f"the interval is clear of no change {many}".rstrip()
            + f"; it takes in no change once the two may have moved apart anyway, from each "
            f"quarter to the next, by {span} times the largest step seen before the start."
        )
    return [
        said,
        "True results have a low number too, where nothing drifts: the note below the table says "
        "how often.",
        *_explain_rest(every, "drift that would undo it"),
    ]


def _write_multiple(row: pd.Series[Any]) -> str:
    above = "more than " if has_flag(row, Flag.ABOVE_SEARCHED) else ""
    return f"{above}{format_number(row['estimate'])}"


def _explain_rest(rows: pd.DataFrame, what: str) -> list[str]:
    """Say how many comparisons have no such number, and why."""
    missing = rows[rows["estimate"].isna()]
    if missing.empty:
        return []
    why = describe_missing(missing)
    of = "1 comparison has" if len(missing) == 1 else f"{len(missing)} comparisons have"
    return [f"{of} no {what}{f': {why}' if why else ''}."]


def _describe_errors() -> str:
    """Say how often the interrupted series sees a break where there is none."""
    worlds = read_study("series")
    level, slope = (
        f"{format_share(shares.min())} to {format_share(shares.max())}"
        for shares in (worlds["wider"], worlds["wider_slope"])
    )
    return (
        f"Interrupted series: in simulations without a break, the 95% interval saw one in level in "
        f"{level} of pairs and one in slope in {slope}, most often where months hang together."
    )


def _describe_power() -> str:
    """Say how often the drift that would undo a result is above 0, half and 1 without any."""
    worlds = read_study("drift")
    true = worlds[worlds["ratio"] != 1]
    parts = [
        f"at {_describe_world(world)} above 0 in {_write_share(world['above_0'])}, above 0.5 in "
        f"{_write_share(world['above_half'])} and above 1 in {_write_share(world['above_1'])}"
        for _, world in true.iterrows()
    ]
    wrong = worlds.loc[worlds["ratio"] == 1, "above_0"]
    months, ratio = true[["months", "ratio"]].iloc[0]
    return (
        "What drift to undo it can show: in simulated pairs that did not drift at all, with "
        f"{months:g} months on each side and a true ratio of "
        f"{format_number(ratio)}, it was {'; '.join(parts)}. So a low number "
        "is no sign that a result is wrong. Where nothing changed, it was above 0 in "
        f"{_write_share(wrong.min())} to {_write_share(wrong.max())}."
    )


def _describe_world(world: pd.Series[Any]) -> str:
    level = f"{format_number(world['incidents_a_month'], 0)} incidents a month"
    if world["phi"] == 1:
        return level
    return f"{level} (variance {format_number(world['phi'], 0)} times the mean)"


def _write_share(share: float) -> str:
    return "under 1%" if share < 0.005 else format_share(share)


def tabulate_models(findings: pd.DataFrame, cohort: Cohort) -> Table:
    """Lay out each pair's likeness before the start, the other models, and the drift bound."""
    rows: list[dict[str, str]] = []
    remarks: dict[str, list[str]] = {}
    chosen = select_findings(findings, section="panel")
    for outcome in cohort.list_outcomes():
        sites = [pair.intervention for pair in cohort.pairs]
        for site in [*sites, "all"]:
            find = partial(find_row, chosen, outcome=outcome, site=site)
            found = {
                name: find(estimator=name, period="before" if name in _BEFORE else "change")
                for name in _COLUMNS
            }
            found = {
                name: find(estimator=name) if row is None and name not in _BEFORE else row
                for name, row in found.items()
            }
            if all(row is None for row in found.values()):
                continue
            rows.append(
                {
                    "Outcome": cohort.title_outcome(outcome),
                    "Pair": cohort.title_pair(site),
                    **{name: _describe_cell(row, remarks) for name, row in found.items()},
                }
            )
    return Table(
        rows,
        name="models",
        title="The same comparison, asked in other ways",
        stub="Pair",
        group="Outcome",
        spanners=_SPANNERS,
        labels=_COLUMNS,
        notes=[*_LEGEND, _describe_errors(), _describe_power(), *_gather_notes(remarks)],
    )


def _describe_cell(row: pd.Series[Any] | None, remarks: dict[str, list[str]]) -> str:
    """Write an estimate above its interval; remark why it is missing, or what to know of it."""
    if row is None:
        return ""
    missing = math.isnan(row["estimate"])
    narrow = row["estimator"] == "panel_nb2" and has_flag(row, Flag.TOO_NARROW)
    if missing or narrow:
        columns = remarks.setdefault(row["note"], [])
        if _COLUMNS[row["estimator"]] not in columns:
            columns.append(_COLUMNS[row["estimator"]])
    if missing:
        return MISSING
    percent = row["unit"] == "percent"
    value = format_change(row["estimate"], 1) if percent else format_number(row["estimate"])
    if has_flag(row, Flag.ABOVE_SEARCHED):
        value = f"above {value}"
    if math.isnan(row["ci_low"]):
        return value
    interval = format_interval(row["ci_low"], row["ci_high"], 1 if percent else 2, percent=percent)
    return f"{value}\n({interval})"


def _gather_notes(remarks: dict[str, list[str]]) -> list[str]:
    """Write each remark once, after the columns that it is about."""
    return [
        f"{format_list([columns[0], *map(_lower, columns[1:])])}: {_lower(remark)}"
        for remark, columns in remarks.items()
    ]


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def draw_event_study(ax: Axes, rows: pd.DataFrame) -> None:
    """Draw the site against its control, month by month; a month without a number is left open."""
    known = rows[rows["estimate"].notna()]
    months = known["period"].astype(float)
    shade_after(ax, 0, max(months.max(), 0))
    ax.axhline(1, color=INK, lw=0.9)
    for side, wave in ((months < 0, "before"), (months >= 0, "after")):
        draw_intervals(
            ax, known[side], months[side], *LOOKS[wave], upright=True, ms=5.5, mew=0.6,
            elinewidth=1.6,
        )  # fmt: skip
    scale_ratios(ax, known["ci_low"].min(), known["ci_high"].max())
    ax.set_ylabel("Ratio to control")
    ax.set_xlabel("Months from the start (0 is the first month after it)")
    ax.grid(axis="y")
    ax.locator_params(axis="x", integer=True)
