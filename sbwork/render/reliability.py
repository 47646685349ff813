"""How reliably the scales measure."""

from __future__ import annotations

import pandas as pd

from sbwork.grade.publishable import Publishable
from sbwork.render.blocks import Section, Table
from sbwork.render.intervals import describe_value
from sbwork.render.scales import NO_SCALES
from sbwork.specs.instrument import Instrument
from sbwork.stats import Flag
from sbwork.stats.findings import find_row, has_flag, select_findings
from sbwork.stats.formats import (
    format_count,
    format_interval,
    format_number,
    format_share,
)


def present_reliability(evaluation: Publishable) -> Section:
    """Show how reliably the scales measure."""
    if evaluation.instrument is None or evaluation.answers is None:
        return Section(["No survey was given, so there is no scale whose reliability to report."])
    if not evaluation.instrument.scales:
        return Section([NO_SCALES])
    return Section(
        [
            "A scale is worth comparing only if its questions hang together. Alpha and omega are 1 "
            "at most; .70 is a usual minimum for comparing groups.",
            tabulate_reliability(evaluation.findings, evaluation.instrument),
        ]
    )


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
