"""Figures of counts: changes, months, placebos, reported figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sbwork.render.figures.style import CONTROL, INK, INTERVENTION
from sbwork.specs.cohort import Cohort
from sbwork.stats.findings import find_row, select_findings
from sbwork.stats.formats import (
    format_change,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_changes", "draw_monthly_counts", "draw_placebos", "draw_reported"]


def draw_changes(ax: Axes, findings: pd.DataFrame, cohort: Cohort, outcome: str) -> None:
    """Draw each area's percentage change beside its control site's, with intervals.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    findings : pandas.DataFrame
        As `compare_counts` returns it.
    cohort : Cohort
        For the pairs and their titles.
    outcome : str
        Key of the outcome.
    """
    rows = select_findings(findings, section="counts", estimator="percentage_change")
    rows = rows[(rows["outcome"] == outcome) & (rows["period"] == "change")]
    labels: list[str] = []
    for pair in cohort.pairs:
        for site, colour, marker in (
            (pair.intervention, INTERVENTION, "o"),
            (pair.control, CONTROL, "s"),
        ):
            if not site:
                continue
            at = len(labels)
            labels.append(cohort.title_site(site))
            row = find_row(rows, site=site)
            if row is None or np.isnan(row["estimate"]):
                ax.text(0, at, "not available", va="center", ha="center", style="italic")
                continue
            ax.plot([row["ci_low"], row["ci_high"]], [at, at], color=colour, lw=2.2, alpha=0.75)
            ax.plot(row["estimate"], at, marker, color=colour, ms=9, mec="white", mew=1)
            ax.annotate(
                format_change(row["estimate"]),
                (row["estimate"], at),
                xytext=(0, 9),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=10,
                fontweight="bold",
                color=colour,
                bbox={"fc": "white", "ec": "none", "alpha": 0.85, "pad": 0.8},
            )
    ax.axvline(0, color=INK, lw=0.9, zorder=0)
    ax.locator_params(axis="x", nbins=6)
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(len(labels) - 0.4, -0.75)
    ax.grid(axis="x")
    ax.tick_params(length=0)
    ax.spines["left"].set_visible(False)
    ax.xaxis.set_major_formatter(lambda value, _: format_change(value))
    ax.set_title(cohort.title_outcome(outcome))


def draw_monthly_counts(
    ax: Axes,
    counts: pd.DataFrame,
    cohort: Cohort,
    sites: Sequence[str],
    outcome: str,
    periods: Sequence[str] = ("before", "after"),
) -> None:
    """Draw the monthly counts of sites; a month that no file covers is a gap in the line.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    counts : pandas.DataFrame
        ``Incidents.sites``: columns site, outcome, month, count.
    cohort : Cohort
        For the roles and titles of the sites, and for the periods.
    sites : sequence of str
        Keys of the sites.
    outcome : str
        Key of the outcome.
    periods : sequence of {"before", "after"}
        Which periods to draw; both also show what lies between and around them.
    """
    chosen = counts[counts["outcome"] == outcome]
    months = sorted(chosen["month"].unique())
    if cohort.periods and set(periods) != {"before", "after"}:
        wanted = {month for period in periods for month in getattr(cohort.periods, period).months}
        months = [month for month in months if month in wanted]
    at = {month: index for index, month in enumerate(months)}
    held = [at[m] for m in cohort.periods.after.months if m in at] if cohort.periods else []
    if held:
        ax.axvspan(min(held) - 0.5, max(held) + 0.5, color="#eef3f8", zorder=0)
        ax.text(min(held) - 0.3, 0.985, "after", transform=ax.get_xaxis_transform(), va="top")
    seen = {True: 0, False: 0}
    interventions = {pair.intervention for pair in cohort.pairs}
    for site in sites:
        treated = site in interventions
        series = chosen[chosen["site"] == site].set_index("month")["count"].reindex(months)
        ax.plot(
            range(len(months)),
            series.to_numpy(),
            "-" if treated else "--",
            color=(INTERVENTION if treated else CONTROL),
            alpha=1 / (1 + 0.5 * seen[treated]),
            marker=("o^Dv" if treated else "sPX*")[seen[treated] % 4],
            ms=4.5,
            lw=1.8,
            label=cohort.title_site(site),
        )
        seen[treated] += 1
    step = max(1, len(months) // 8)
    ax.set_xticks(range(0, len(months), step), months[::step], rotation=30, ha="right")
    ax.set_ylim(bottom=0, top=ax.get_ylim()[1] * 1.12)
    ax.grid(axis="y")
    ax.set_ylabel("Incidents a month")
    ax.set_title(cohort.title_outcome(outcome))
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=9)


def draw_placebos(ax: Axes, changes: Sequence[float], own: float, low: float, high: float) -> None:
    """Draw how comparable areas changed where nothing was done, with the pair's own change.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    changes : sequence of float
        Relative changes of the placebo areas, in percent.
    own : float
        The pair's own relative change, in percent.
    low, high : float
        The range that holds the middle 95% of the placebos, in percent.
    """
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


def draw_reported(ax: Axes, findings: pd.DataFrame) -> None:
    """Draw figures as reported by others, hatched, so that they never pass for measurements."""
    rows = select_findings(findings, section="reported")
    values = rows["estimate"].to_numpy(dtype=float)
    ax.barh(range(len(rows)), values, color="#dfe5ec", edgecolor=INTERVENTION, hatch="///", lw=1)
    for index, value in enumerate(values):
        inside = "right" if value > 0 else "left"
        ax.annotate(
            format_change(value),
            (0, index),
            xytext=(-8 if value > 0 else 8, 0),
            textcoords="offset points",
            ha=inside,
            va="center",
            fontweight="bold",
        )
    ax.axvline(0, color=INK, lw=0.9)
    ax.set_yticks(range(len(rows)), rows["outcome"].tolist())
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_xlim(min(-100.0, values.min(initial=0)), max(22.0, values.max(initial=0)))
    ax.tick_params(length=0)
    ax.spines["left"].set_visible(False)
    ax.xaxis.set_major_formatter(lambda value, _: format_change(value))


def _take_log_ratio(percent: Any) -> Any:
    """Put a percentage change on the axis of log ratios, where halving and doubling weigh alike."""
    return np.log1p(np.maximum(percent, -99.9) / 100)
