"""Figures of survey scales: means, differences, answers, distributions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sbwork.grade.disclosure import merge_small_cells
from sbwork.render.figures.style import AFTER, BEFORE, INK, INTERVENTION
from sbwork.specs.cohort import Cohort
from sbwork.specs.instrument import Instrument
from sbwork.stats.findings import find_row, select_findings
from sbwork.stats.formats import (
    format_count,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    FloatArray = NDArray[np.float64]

__all__ = [
    "count_shares",
    "draw_differences",
    "draw_likert",
    "draw_means",
    "draw_score_distributions",
]

_LIKERT = ("#b35806", "#f1a340", "#d8d8d8", "#67a9cf", "#0b3c6f")


def draw_means(
    ax: Axes,
    findings: pd.DataFrame,
    cohort: Cohort,
    scale: str,
    sites: Sequence[str] | None = None,
    waves: Sequence[str] = ("before", "after"),
) -> None:
    """Draw a scale's mean by site and wave, with intervals.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    findings : pandas.DataFrame
        As `compare_scales` returns it.
    cohort : Cohort
        For the sites and their titles.
    scale : str
        Key of the scale.
    sites : sequence of str, optional
        Keys of the sites; every site of every pair by default.
    waves : sequence of {"before", "after"}
        Which waves to draw.
    """
    rows = select_findings(findings, section="scales", estimator="mean", outcome=scale)
    shown = list(cohort.compared_sites) if sites is None else list(sites)
    looks = {"before": (BEFORE, "s", -0.14), "after": (AFTER, "o", 0.14)}
    for wave in waves:
        colour, marker, shift = looks[wave]
        label: str | None = wave.capitalize()
        for index, site in enumerate(shown):
            row = find_row(rows, site=site, period=wave)
            if row is None or np.isnan(row["estimate"]):
                continue
            y = index + shift
            ax.plot([row["ci_low"], row["ci_high"]], [y, y], color=colour, lw=2)
            ax.plot(row["estimate"], y, marker, color=colour, ms=7, label=label)
            label = None
    ax.set_yticks(range(len(shown)), [cohort.title_site(site) for site in shown])
    ax.set_ylim(len(shown) - 0.5, -0.5)
    ax.grid(axis="x")
    ax.tick_params(axis="y", length=0)


def draw_differences(ax: Axes, rows: pd.DataFrame, labels: Sequence[str], band: float) -> None:
    """Draw estimates with intervals around zero, and the band too small to matter.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    rows : pandas.DataFrame
        Findings, one row a line.
    labels : sequence of str
        What each line is called.
    band : float
        Half-width of the band of differences too small to matter; 0 for none.
    """
    if band:
        ax.axvspan(-band, band, color="#eef3f8", zorder=0)
    ax.axvline(0, color=INK, lw=0.9)
    for index, (_, row) in enumerate(rows.iterrows()):
        if np.isnan(row["estimate"]):
            ax.text(0, index, "not available", va="center", ha="center", style="italic")
            continue
        ax.plot([row["ci_low"], row["ci_high"]], [index, index], color=INTERVENTION, lw=2.2)
        ax.plot(row["estimate"], index, "o", color=INTERVENTION, ms=8, mec="white", mew=1)
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.grid(axis="x")
    ax.tick_params(axis="y", length=0)


def draw_likert(
    ax: Axes,
    answers: pd.DataFrame,
    instrument: Instrument,
    items: Sequence[str],
    *,
    neutral: str = "split",
    fewest: int = 1,
    weights: ArrayLike | None = None,
) -> None:
    """Draw the answers to Likert items as bars, in the order given, with the base of each.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    answers : pandas.DataFrame
        ``Responses.answers``: one column an item, codes as given; missing answers are outside
        the percentages.
    instrument : Instrument
        For the options and the wording.
    items : sequence of str
        Items that share one set of options.
    neutral : {"split", "centred", "aside", "stacked"}
        Diverging with half of the middle option on each side of zero; with the middle option in
        a column of its own, in the centre or aside on the right; or plain bars from 0 to 100%.
    fewest : int, default 1
        An answer given by fewer people than this is drawn with the next one towards the middle.
    weights : array_like, shape (n_people,), optional
        Weights of the percentages. The number printed beside each item stays that of people.
    """
    if neutral not in {"split", "centred", "aside", "stacked"}:
        raise ValueError(f"neutral is '{neutral}'; allowed: split, centred, aside, stacked")
    options = instrument.list_answers(items[0])
    codes = [option.code for option in options]
    shares, bases = count_shares(answers, items, codes, fewest, weights)
    middle = len(codes) // 2 if len(codes) % 2 else None
    colours = _spread_colours(len(codes))
    starts = _place_bars(shares, middle, neutral)
    for index, option in enumerate(options):
        width, at = shares[:, index], starts[:, index]
        bars = ax.barh(
            range(len(items)), width, left=at, color=colours[index], label=option.label,
            edgecolor="white", lw=0.6, height=0.72,
        )  # fmt: skip
        for bar, value in zip(bars, width, strict=True):
            if value >= 7:
                dark = index in (0, len(codes) - 1)
                ax.text(
                    bar.get_x() + bar.get_width() / 2,
                    bar.get_y() + bar.get_height() / 2,
                    format_count(value),
                    ha="center",
                    va="center",
                    fontsize=8.5,
                    color="white" if dark else INK,
                )
    if neutral != "stacked":
        ax.axvline(0, color=INK, lw=0.9, zorder=0)
    labels = [
        f"{instrument.items[item].text or item}\n"
        f"({'reversed in the score, ' * instrument.items[item].reverse}n = {format_count(base)})"
        for item, base in zip(items, bases, strict=True)
    ]
    ax.set_yticks(range(len(items)), [_wrap(label) for label in labels], fontsize=9)
    ax.set_ylim(len(items) - 0.4, -0.6)
    ax.xaxis.set_major_formatter(lambda value, _: f"{format_count(abs(value))}%")
    ax.tick_params(length=0)
    ax.spines["left"].set_visible(False)


def draw_score_distributions(
    ax: Axes, scores: pd.DataFrame, cohort: Cohort, scale: str, fewest: int
) -> None:
    """Draw how a scale's scores spread, by site and wave: half in the box, 80% in the whiskers.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    scores : pandas.DataFrame
        As `score_scales` returns it.
    cohort : Cohort
        For the sites and their titles.
    scale : str
        Key of the scale.
    fewest : int
        A group with fewer scores than this is left out.
    """
    sites = list(cohort.compared_sites) or list(cohort.sites)
    for index, site in enumerate(sites):
        for wave, colour, shift in (("before", BEFORE, -0.18), ("after", AFTER, 0.18)):
            chosen = scores[(scores["site"] == site) & (scores["wave"] == wave)][scale].dropna()
            if len(chosen) < fewest:
                continue
            box = ax.boxplot(
                chosen, positions=[index + shift], orientation="horizontal", widths=0.3,
                patch_artist=True, showfliers=False, whis=(10, 90),
                medianprops={"color": "white", "lw": 2}, whiskerprops={"color": colour},
                capprops={"color": colour}, boxprops={"color": colour},
            )  # fmt: skip
            for patch in box["boxes"]:
                patch.set_facecolor(colour)
                patch.set_label(wave.capitalize() if index == 0 else "_")
    ax.set_yticks(range(len(sites)), [cohort.title_site(site) for site in sites])
    ax.set_ylim(len(sites) - 0.5, -0.5)
    ax.grid(axis="x")
    ax.tick_params(axis="y", length=0)


def count_shares(
    answers: pd.DataFrame,
    items: Sequence[str],
    codes: Sequence[float],
    fewest: int = 1,
    weights: ArrayLike | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return the percentage of each code, and how many people each item rests on.

    Parameters
    ----------
    answers : pandas.DataFrame, shape (n_people, ...)
        One column an item; missing answers are outside the percentages.
    items : sequence of str
        The items.
    codes : sequence of float
        The codes of their options, in order.
    fewest : int, default 1
        A code given by fewer people than this is merged with the next towards the middle.
    weights : array_like, shape (n_people,), optional
        Weights of the percentages; a person who weighs 0 is left out. What is merged depends on
        the people, not on their weights.

    Returns
    -------
    shares : numpy.ndarray, shape (n_items, n_codes)
        In per cent.
    bases : numpy.ndarray, shape (n_items,)
        People who gave one of the codes, never weighted.
    """
    weight = np.ones(len(answers)) if weights is None else np.asarray(weights, dtype=np.float64)
    shares, bases = np.zeros((len(items), len(codes))), np.zeros(len(items))
    for row, item in enumerate(items):
        chosen = answers[item].to_numpy()[:, None] == np.asarray(codes)[None, :]
        chosen &= weight[:, None] > 0
        counts = chosen.sum(axis=0)
        merged = merge_small_cells(counts, fewest)
        bases[row] = merged.sum()
        if bases[row] == 0:
            continue
        # Codes are merged in runs, so the totals up to each code tell where it went.
        into = np.searchsorted(np.cumsum(merged), np.cumsum(counts))
        masses = np.bincount(into, weights=weight @ chosen, minlength=len(codes))
        shares[row] = 100 * masses / masses.sum()
    return shares, bases


def _place_bars(shares: FloatArray, middle: int | None, neutral: str) -> FloatArray:
    """Return where each bar starts, shape (n_items, n_codes)."""
    ends = np.cumsum(shares, axis=1)
    starts: FloatArray = ends - shares
    if neutral == "stacked":
        return starts
    if middle is None:
        starts -= starts[:, [shares.shape[1] // 2]]
        return starts
    width = shares[:, [middle]]
    if neutral == "split":
        starts -= starts[:, [middle]] + width / 2
        return starts
    gap = width.max() if neutral == "centred" else 0.0
    placed: FloatArray = starts - starts[:, [middle]] - gap / 2
    placed[:, middle + 1 :] += gap - width
    placed[:, middle] = -width[:, 0] / 2 if neutral == "centred" else 110.0
    return placed


def _spread_colours(count: int) -> list[str]:
    from matplotlib.colors import LinearSegmentedColormap, to_hex

    ramp = LinearSegmentedColormap.from_list("likert", list(_LIKERT))
    return [to_hex(ramp(index / (count - 1))) for index in range(count)]


def _wrap(text: str, width: int = 46) -> str:
    from textwrap import fill

    return "\n".join(fill(line, width) for line in text.split("\n"))
