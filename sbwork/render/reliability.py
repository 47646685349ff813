"""How reliably the scales measure."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pandas as pd

from sbwork.grade.publishable import Publishable
from sbwork.render.blocks import Section, Table
from sbwork.render.intervals import describe_value
from sbwork.render.reasons import describe_missing
from sbwork.render.scales import NO_SCALES
from sbwork.specs.instrument import Instrument
from sbwork.stats import Flag
from sbwork.stats.findings import find_flagged, find_row, has_flag, select_findings
from sbwork.stats.formats import (
    MISSING,
    format_count,
    format_interval,
    format_list,
    format_number,
    format_p,
    format_share,
)

VERDICTS = (Flag.INVARIANT, Flag.PARTLY_INVARIANT, Flag.NOT_INVARIANT)
_STEPS = {
    "configural": "Same questions, one factor (configural)",
    "metric": "and the same loadings (metric)",
    "scalar": "and the same intercepts (scalar)",
    "partial": "the same but for some questions (partial)",
}


def present_reliability(evaluation: Publishable) -> Section:
    """Show how reliably the scales measure."""
    if evaluation.instrument is None or evaluation.answers is None:
        return Section(["No survey was given, so there is no scale whose reliability to report."])
    if not evaluation.instrument.scales:
        return Section([NO_SCALES])
    findings, instrument = evaluation.findings, evaluation.instrument
    tested = select_findings(findings, section="invariance")
    steps = [tabulate_invariance(tested, instrument)] if (tested["comparison"] != "").any() else []
    return Section(
        [
            "A scale is worth comparing only if its questions hang together. Alpha and omega are 1 "
            "at most; .70 is a usual minimum for comparing groups.",
            tabulate_reliability(findings, instrument),
            describe_invariance(tested, instrument),
            *steps,
        ]
    )


def describe_invariance(tested: pd.DataFrame, instrument: Instrument) -> str:
    """Say which scales measure alike everywhere, so that their means can be compared."""
    verdicts = select_findings(tested, estimator="invariance")
    if verdicts.empty:
        return ""

    def name(rows: pd.DataFrame) -> str:
        return format_list([instrument.title_scale(scale) for scale in rows["outcome"]])

    alike, partly, never = (verdicts[find_flagged(verdicts, flag)] for flag in VERDICTS)
    parts = [
        "Means can be compared only where the same answers mean the same at every site and in "
        "both waves (measurement invariance)."
    ]
    if len(alike):
        parts.append(f"By the usual rule they do for {name(alike)}.")
    if len(partly):
        freed = tested[tested["estimator"].isin(["intercept_spread", "loading_spread"])]
        items = [_title_part(outcome, instrument) for outcome in freed["outcome"].unique()]
        verb = "seems" if len(items) == 1 else "seem"
        parts.append(
            f"They do only in part for {name(partly)}: {format_list(items)} {verb} to be answered "
            "differently by people who are alike in the rest. There the comparison is also given "
            "without what these questions do."
        )
    if len(never):
        parts.append(
            f"They do not for {name(never)}: a difference between means may be a difference in "
            "how the questions are understood."
        )
    missing = verdicts[verdicts["estimate"].isna()]
    if len(missing):
        parts.append(f"Not tested: {name(missing)} ({describe_missing(missing)}).")
    return " ".join(parts)


def tabulate_invariance(tested: pd.DataFrame, instrument: Instrument) -> Table:
    """Lay out how well each step fits, and how much worse than the step before."""
    rows: list[dict[str, str]] = []
    notes = [*tested.loc[tested["estimator"] == "invariance", "note"]]
    titles = {scale: instrument.title_scale(scale) for scale in instrument.scales}
    steps = tested[tested["comparison"].isin(_STEPS) & tested["estimator"].eq("chi_square")]
    for _, row in steps.iterrows():
        find = partial(find_row, tested, outcome=row["outcome"], comparison=row["comparison"])
        cfi, rmsea, srmr, difference, *changes = (
            find(estimator=estimator)
            for estimator in (
                "cfi", "rmsea", "srmr",
                "chi_square_difference", "cfi_change", "rmsea_change", "srmr_change",
            )
        )  # fmt: skip
        rows.append(
            {
                "Scale": titles[row["outcome"]],
                "Step": _STEPS[row["comparison"]],
                "Chi-square (df)": _write_chi_square(row),
                "CFI": describe_value(cfi, _format_index),
                "RMSEA": describe_value(rmsea, _format_index),
                "SRMR": describe_value(srmr, _format_index),
                "Chi-square change (df)": _write_chi_square(difference),
                "p": "" if difference is None else format_p(difference["p_value"]),
                "CFI change": _write_change(changes[0]),
                "RMSEA change": _write_change(changes[1]),
                "SRMR change": _write_change(changes[2]),
            }
        )
    return Table(
        rows,
        name="invariance",
        title="Do the questions mean the same at every site and in both waves?",
        subtitle="Factor models of all sites and waves, each step asking for more",
        stub="Step",
        group="Scale",
        notes=[
            *notes,
            "A step fails where CFI falls by .010 or more and RMSEA rises by .015 or more, or SRMR "
            "by .030 (loadings) or .010 (intercepts) (Chen 2007). Changes are against the step "
            "before; of a model that holds in part, against the first.",
            "Of scales of three questions that do measure alike, this rule doubts about one in "
            "ten, of longer ones about one in fifty (simulated, 150 people a site and wave).",
        ],
    )


def _title_part(outcome: str, instrument: Instrument) -> str:
    """Name an item by its words, or a subscale by its title."""
    part = outcome.partition("/")[2]
    item = instrument.items.get(part)
    return f'"{item.text}"' if item and item.text else instrument.title_scale(part)


def _format_index(value: float) -> str:
    return format_number(value, 3)


def _write_change(row: pd.Series[Any] | None) -> str:
    return "" if row is None else describe_value(row, _format_index)


def _write_chi_square(row: pd.Series[Any] | None) -> str:
    if row is None:
        return ""
    if math.isnan(row["estimate"]):
        return MISSING
    return f"{format_number(row['estimate'])} ({format_count(row['df'])})"


def tabulate_reliability(findings: pd.DataFrame, instrument: Instrument) -> Table:
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
                "n": "hidden" if has_flag(alpha, Flag.N_HIDDEN) else format_count(alpha["n"]),
                "Alpha": format_number(alpha["estimate"]),
                "95% interval": format_interval(alpha["ci_low"], alpha["ci_high"]),
                "Omega total": describe_value(omega, format_number),
                "At the floor": describe_value(floor, format_share),
                "At the ceiling": describe_value(ceiling, format_share),
            }
        )
    items = select_findings(chosen, estimator="item_rest_correlation")
    notes += [note for note in items["note"] if note]
    return Table(
        rows,
        name="reliability",
        title="How reliably each scale measures",
        stub="Scale",
        notes=notes,
    )
