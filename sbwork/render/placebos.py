"""Where each pair ranks among comparable places in which nothing was done."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sbwork.grade.publishable import Publishable
from sbwork.render.blocks import Picture, Table, compose_picture
from sbwork.render.intervals import describe_interval, describe_value, find_known
from sbwork.render.style import INK, INTERVENTION, WHITE_BOX
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
    from matplotlib.axes import Axes

_NOTE = (
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
_MARKS = (-90, -75, -50, 0, 100, 300, 900)


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


def picture_placebos(evaluation: Publishable) -> Iterator[Picture]:
    """Draw how comparable places changed, a picture an outcome."""
    cohort, findings, incidents = evaluation.cohort, evaluation.findings, evaluation.incidents
    if incidents is None:
        return
    rows = select_findings(findings, section="placebo", estimator="placebo_p")
    rows = rows[rows["estimate"].notna() & (rows["site"] != "all")]
    to_each = " relative to each other" if any(pair.control for pair in cohort.pairs) else ""
    areas = incidents.placebos[incidents.placebos["kind"] == "space"]
    for outcome in cohort.list_outcomes():
        sites = rows.loc[rows["outcome"] == outcome, "site"].tolist()
        if not sites:
            continue
        panels = []
        for site in sites:
            changes = areas[(areas["outcome"] == outcome) & (areas["pair"] == site)]
            find = partial(find_known, findings, outcome=outcome, site=site)
            own = find(section="counts", estimator="rirr", period="change")
            low, high = (
                math.nan if end is None else end["estimate"]
                for end in (find(estimator="placebo_low"), find(estimator="placebo_high"))
            )
            draw = partial(
                draw_placebos,
                changes=changes["percent_change"].tolist(),
                own=100 * (own["estimate"] - 1) if own is not None else math.nan,
                low=low,
                high=high,
            )
            panels.append((cohort.title_pair(site), draw))
        yield compose_picture(
            cohort,
            f"placebo-{outcome}",
            panels,
            size=(8.2, 0.8 + 1.55 * len(sites)),
            alt=" ".join(describe_placebo(cohort, findings, outcome, site) for site in sites),
            caption=f"{cohort.title_outcome(outcome)}: how much comparable places changed{to_each} "
            "where nothing was done (grey), the range that holds the middle 95% of them (dotted), "
            f"and the {'pair' if to_each else 'area'} itself (blue).",
        )


def describe_placebo(cohort: Cohort, findings: pd.DataFrame, outcome: str, site: str) -> str:
    """Say where one pair stands among comparable places in which nothing was done."""
    find = partial(find_row, findings, section="placebo", outcome=outcome, site=site)
    p, low, high = (find(estimator=f"placebo_{name}") for name in ("p", "low", "high"))
    title = f"{cohort.title_pair(site)}, {cohort.title_outcome(outcome)}"
    if p is None or math.isnan(p["estimate"]) or low is None or high is None:
        note = f" {p['note']}" if p is not None else ""
        return f"{title}: no placebo rank is available.{note}"
    middle = format_interval(low["estimate"], high["estimate"], 0, percent=True)
    paired = any(pair.control for pair in cohort.pairs if pair.intervention == site)
    return (
        f"{title}: among comparable places where nothing was done, the middle 95% changed by "
        f"{middle}{' relative to each other' * paired}; {describe_p(p['estimate'], 'rank p')}."
    )


def tabulate_placebos(findings: pd.DataFrame, cohort: Cohort) -> Table:
    """Lay out where each pair stands among comparable areas in which nothing was done."""
    rows: list[dict[str, str]] = []
    notes: list[str] = []
    controls = any(pair.control for pair in cohort.pairs)
    explained = _NOTE.format(**(_OF_PAIRS if controls else _OF_SITES))
    chosen = select_findings(findings, section="placebo", estimator="placebo_p")
    for _, row in chosen.iterrows():
        find = partial(
            find_row, findings, section="placebo", outcome=row["outcome"], site=row["site"]
        )
        low, high, areas, share, smallest, adjusted = (
            find(estimator=f"placebo_{name}")
            for name in ("low", "high", "areas", "share_as_large", "smallest_p",
                         "smallest_p_adjusted")
        )  # fmt: skip
        ratio = find(estimator="rirr_placebo")
        middle = MISSING
        if low is not None and high is not None:
            middle = format_interval(low["estimate"], high["estimate"], 0, percent=True)
        notes.append(row["note"] if math.isnan(row["estimate"]) else explained)
        rows.append(
            {
                "Outcome": cohort.title_outcome(row["outcome"]),
                "Pair": cohort.title_pair(row["site"]),
                "Areas": "" if areas is None else format_count(areas["estimate"]),
                "Middle 95% of them": middle,
                "Changed as much": "" if share is None else format_share(share["estimate"]),
                "Rank p": format_p(row["estimate"]),
                "p adjusted": format_p(row["p_adjusted"]),
                "Smallest possible": describe_value(smallest, format_p),
                "Smallest adjusted": describe_value(adjusted, format_p),
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
    """Draw how comparable areas changed, in percent, with the pair's own and the middle 95%."""
    import seaborn as sns

    ratios = _take_log_ratio(np.asarray(changes, dtype=float))
    sns.histplot(x=ratios, bins=40, color="#b9c4d0", alpha=1, edgecolor="white", lw=0.4, ax=ax)
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
            bbox=WHITE_BOX,
        )
    ax.margins(y=0.35)
    ax.set(yticks=[], ylabel="")
    ax.spines["left"].set_visible(False)
    left, right = ax.get_xlim()
    shown = [mark for mark in _MARKS if left <= _take_log_ratio(mark) <= right]
    ax.set_xticks([float(_take_log_ratio(m)) for m in shown], [format_change(m) for m in shown])


def _take_log_ratio(percent: Any) -> Any:
    """Put a percentage change on the axis of log ratios, where halving and doubling weigh alike."""
    return np.log1p(np.maximum(percent, -99.9) / 100)
