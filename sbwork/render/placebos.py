"""Where each pair ranks among comparable places in which nothing was done."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sbwork.evaluation import Evaluation
from sbwork.render.blocks import Picture, Table, compose_picture
from sbwork.render.intervals import describe_interval, describe_value
from sbwork.render.style import INK, INTERVENTION
from sbwork.specs.cohort import Cohort
from sbwork.stats.findings import find_row, select_findings
from sbwork.stats.formats import (
    MISSING,
    describe_p,
    format_change,
    format_count,
    format_interval,
    format_p,
    format_share,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "describe_placebo",
    "draw_placebos",
    "introduce_ranks",
    "picture_placebos",
    "tabulate_placebos",
]

_PLACEBO_NOTE = (
    "Areas: how many of like size, in which nothing was done, stand in for the site{or_control}. "
    "Rank p: how often {drawn} changed at least as much (two-sided, by randomisation). Smallest "
    "possible: the rank p of {kind} that changed more than every other, and the same adjusted. "
    "RIRR interval by placebos: how far the ratio could lie from what was found, if places drift "
    "as those areas did."
)
_OF_PAIRS = {
    "or_control": " or its control",
    "drawn": "a pair drawn from those areas and the real ones",
    "kind": "a pair",
}
_OF_SITES = {
    "or_control": "",
    "drawn": "those areas, and the site among them,",
    "kind": "a site",
}


def introduce_ranks(findings: pd.DataFrame, controls: bool) -> str:
    """Say what is ranked among what, or that the files hold too little for a rank."""
    ranks = select_findings(findings, section="placebo", estimator="placebo_p")
    if ranks["estimate"].isna().all():
        return (
            "The same comparison in places where nothing was done would show it, but the files "
            "hold too few of them."
        )
    if controls:
        return (
            "So the same comparison is made in places where nothing was done, and the pair is "
            "ranked among them."
        )
    return "So the area is ranked among places where nothing was done."


def picture_placebos(evaluation: Evaluation) -> Iterator[Picture]:
    """Draw how comparable places changed, a picture an outcome."""
    cohort, findings, placebo = evaluation.cohort, evaluation.findings, evaluation.placebo
    rows = select_findings(findings, section="placebo", estimator="placebo_p")
    to_each = " relative to each other" if any(pair.control for pair in cohort.pairs) else ""
    for outcome in cohort.list_outcomes():
        ranked = rows["estimate"].notna() & (rows["site"] != "all")
        chosen = rows[(rows["outcome"] == outcome) & ranked]
        if chosen.empty or placebo is None:
            continue
        sites = chosen["site"].tolist()

        def draw(figure: Figure, outcome: str = outcome, sites: list[str] = sites) -> None:
            axes = figure.subplots(len(sites), 1, sharex=True, squeeze=False)[:, 0]
            for ax, site in zip(axes, sites, strict=True):
                _draw_placebo(ax, evaluation, outcome, site)

        told = [describe_placebo(cohort, findings, outcome, site) for site in sites]
        yield compose_picture(
            cohort,
            f"placebo-{outcome}",
            draw,
            size=(8.2, 0.8 + 1.55 * len(sites)),
            alt=" ".join(told),
            caption=f"{cohort.title_outcome(outcome)}: how much comparable places changed{to_each} "
            "where nothing was done (grey), the range that holds the middle 95% of them (dotted), "
            f"and the {'pair' if to_each else 'area'} itself (blue).",
        )


def _draw_placebo(ax: Any, evaluation: Evaluation, outcome: str, site: str) -> None:
    placebo, findings = evaluation.placebo, evaluation.findings
    assert placebo is not None  # noqa: S101
    drawn = placebo.distribution
    drawn = drawn[
        (drawn["outcome"] == outcome) & (drawn["pair"] == site) & (drawn["kind"] == "space")
    ]
    rirr = find_row(
        findings, section="counts", outcome=outcome, site=site, estimator="rirr", period="change"
    )
    place = {"section": "placebo", "outcome": outcome, "site": site}
    ends = [find_row(findings, **place, estimator=f"placebo_{end}") for end in ("low", "high")]
    draw_placebos(
        ax,
        drawn["percent_change"].tolist(),
        100 * (rirr["estimate"] - 1) if rirr is not None else float("nan"),
        *(end["estimate"] if end is not None else float("nan") for end in ends),
    )
    ax.set_title(evaluation.cohort.title_pair(site))


def describe_placebo(cohort: Cohort, findings: pd.DataFrame, outcome: str, site: str) -> str:
    """Say where one pair stands among comparable places in which nothing was done."""
    place = {"section": "placebo", "outcome": outcome, "site": site}
    p = find_row(findings, **place, estimator="placebo_p")
    low = find_row(findings, **place, estimator="placebo_low")
    high = find_row(findings, **place, estimator="placebo_high")
    title = cohort.title_pair(site)
    if p is None or math.isnan(p["estimate"]) or low is None or high is None:
        note = f" {p['note']}" if p is not None else ""
        return f"{title}, {cohort.title_outcome(outcome)}: no placebo rank is available.{note}"
    middle = format_interval(low["estimate"], high["estimate"], 0, percent=True)
    to_each = " relative to each other" if _has_control(cohort, site) else ""
    return (
        f"{title}, {cohort.title_outcome(outcome)}: among comparable places where nothing was "
        f"done, the middle 95% changed by {middle}{to_each}; "
        f"{describe_p(p['estimate'], 'rank p')}."
    )


def _has_control(cohort: Cohort, site: str) -> bool:
    return any(pair.control for pair in cohort.pairs if pair.intervention == site)


def tabulate_placebos(findings: pd.DataFrame, cohort: Cohort) -> Table:
    """Lay out where each pair stands among comparable areas in which nothing was done."""
    rows: list[dict[str, str]] = []
    notes: list[str] = []
    controls = any(pair.control for pair in cohort.pairs)
    explained = _PLACEBO_NOTE.format(**(_OF_PAIRS if controls else _OF_SITES))
    chosen = select_findings(findings, section="placebo", estimator="placebo_p")
    for _, row in chosen.iterrows():
        place = {"section": "placebo", "outcome": row["outcome"], "site": row["site"]}
        low, high, areas, share, ratio, smallest, smallest_adjusted = (
            find_row(findings, **place, estimator=estimator)
            for estimator in (
                "placebo_low", "placebo_high", "placebo_areas", "placebo_share_as_large",
                "rirr_placebo", "placebo_smallest_p", "placebo_smallest_p_adjusted",
            )
        )  # fmt: skip
        notes.append(row["note"] if math.isnan(row["estimate"]) else explained)
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
                "p adjusted": format_p(row["p_adjusted"]),
                "Smallest possible": describe_value(smallest, format_p),
                "Smallest adjusted": describe_value(smallest_adjusted, format_p),
                "RIRR interval by placebos": "" if ratio is None else describe_interval(ratio),
            }
        )
    return Table(
        rows,
        name="placebos",
        title="How often places where nothing happened changed as much",
        stub="Pair",
        group="Outcome",
        spanners={"p": ["Rank p", "p adjusted", "Smallest possible", "Smallest adjusted"]},
        labels={"Rank p": "Rank", "p adjusted": "Adjusted"},
        notes=notes,
    )


def draw_placebos(ax: Axes, changes: Sequence[float], own: float, low: float, high: float) -> None:
    """Draw how comparable areas changed where nothing was done, with the pair's own change."""
    ratios = _take_log_ratio(np.asarray(changes, dtype=float))
    ax.hist(ratios, bins=40, color="#b9c4d0", edgecolor="white", lw=0.4)
    for end in (low, high):
        ax.axvline(_take_log_ratio(end), color=INK, lw=1.2, ls=":")
    if np.isfinite(own):
        at = _take_log_ratio(own)
        ax.axvline(at, color=INTERVENTION, lw=2.6)
        ax.annotate(
            f"this pair {format_change(own)}",
            (at, 1),
            xycoords=("data", "axes fraction"),
            xytext=(6, -4),
            textcoords="offset points",
            va="top",
            color=INTERVENTION,
            fontweight="bold",
            bbox={"fc": "white", "ec": "none", "alpha": 0.85, "pad": 1.5},
        )
    ax.margins(y=0.35)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    marks = (-90, -75, -50, 0, 100, 300, 900)
    left, right = ax.get_xlim()
    shown = [mark for mark in marks if left <= _take_log_ratio(mark) <= right]
    ax.set_xticks([float(_take_log_ratio(m)) for m in shown], [format_change(m) for m in shown])


def _take_log_ratio(percent: Any) -> Any:
    """Put a percentage change on the axis of log ratios, where halving and doubling weigh alike."""
    return np.log1p(np.maximum(percent, -99.9) / 100)
