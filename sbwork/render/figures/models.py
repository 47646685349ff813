"""Figures of how a comparison holds up: month by month, and over all specifications."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sbwork.render.figures.style import BEFORE, INK, INTERVENTION, SMALLEST_TEXT
from sbwork.stats.formats import format_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "choose_range",
    "draw_choices",
    "draw_event_study",
    "draw_specifications",
    "scale_ratios",
]

_OTHER = "#9aa5b1"
_DOT = "#5c6875"
_FURTHEST = 2
_MARKS = (1 / 256, 1 / 64, 1 / 16, 1 / 4, 1 / 2, 1, 2, 4, 16, 64, 256)


def draw_event_study(ax: Axes, rows: pd.DataFrame) -> None:
    """Draw the site against its control, month by month, on a logarithmic axis.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    rows : pandas.DataFrame
        Findings ``event_study`` of one pair and outcome; `period` is the month counted from the
        start. A month without a number is left open.
    """
    known = rows[rows["estimate"].notna()]
    months = known["period"].astype(float).to_numpy()
    ax.axvspan(-0.5, max(months.max(initial=0), 0) + 0.5, color="#eef3f8", zorder=0)
    ax.axhline(1, color=INK, lw=0.9)
    for side, colour, marker in ((months < 0, BEFORE, "s"), (months >= 0, INTERVENTION, "o")):
        part = known[side]
        ax.vlines(months[side], part["ci_low"], part["ci_high"], color=colour, lw=1.6, alpha=0.8)
        ax.plot(months[side], part["estimate"], marker, color=colour, ms=5.5, mec="white", mew=0.6)
    ax.text(-0.35, 0.985, "after", transform=ax.get_xaxis_transform(), va="top", fontsize=9)
    scale_ratios(ax, known["ci_low"].min(), known["ci_high"].max())
    ax.grid(axis="y")
    ax.locator_params(axis="x", integer=True)


def choose_range(rows: pd.DataFrame) -> tuple[float, float]:
    """Choose the ratios that an axis shows: every estimate, and of its intervals what is near.

    Parameters
    ----------
    rows : pandas.DataFrame
        Findings with a number.

    Returns
    -------
    tuple of float
        The lowest and the highest ratio: those of the intervals, but at most half the smallest
        estimate and twice the largest, so that a few that know next to nothing do not flatten
        the rest.
    """
    low = max(rows["ci_low"].min(), rows["estimate"].min() / _FURTHEST)
    high = min(rows["ci_high"].max(), rows["estimate"].max() * _FURTHEST)
    return float(low), float(high)


def draw_specifications(
    ax: Axes, rows: pd.DataFrame, headline: Any, limits: tuple[float, float] | None = None
) -> None:
    """Draw every specification's ratio with its interval, smallest first.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    rows : pandas.DataFrame
        Findings of section ``"specification"`` of one pair and outcome, all with a number, in
        the order in which they are drawn. A dot is filled where the interval is clear of 1.
    headline : label of the index of `rows` or None
        The specification that the report leads with: drawn in colour and as a diamond.
    limits : tuple of float, optional
        The ratios that the axis shows; by default from `choose_range`. An interval that runs on
        beyond them ends in an arrowhead.
    """
    low, high = limits or choose_range(rows)
    ax.axhline(1, color=INK, lw=0.9)
    for at, (label, row) in enumerate(rows.iterrows()):
        own = label == headline
        colour = INTERVENTION if own else _DOT
        clear = row["ci_low"] > 1 or row["ci_high"] < 1
        ends = [max(row["ci_low"], low), min(row["ci_high"], high)]
        ax.plot(
            [at, at],
            ends,
            color=INTERVENTION if own else _OTHER,
            lw=2.6 if own else 1.5,
            zorder=3 if own else 2,
        )
        for end, beyond, marker in (
            (low, row["ci_low"] < low, "v"),
            (high, row["ci_high"] > high, "^"),
        ):
            if beyond:
                ax.plot(at, end, marker, color=_OTHER, ms=4.5, mew=0, zorder=2)
        ax.plot(
            at,
            row["estimate"],
            "D" if own else "o",
            color=colour,
            mfc=colour if own or clear else "white",
            ms=8 if own else 4.6,
            mec="white" if own else colour,
            mew=0.7 if own else 0.9,
            zorder=4 if own else 3,
        )
        if own:
            _mark_headline(ax, at)
            side = "left" if at < len(rows) / 2 else "right"
            ax.annotate(
                "this report",
                (at, 1),
                xycoords=ax.get_xaxis_transform(),
                xytext=(7 if side == "left" else -7, -2),
                textcoords="offset points",
                ha=side,
                va="top",
                fontsize=SMALLEST_TEXT,
                fontweight="bold",
                color=INTERVENTION,
                bbox={"fc": "white", "ec": "none", "alpha": 0.85, "pad": 0.8},
                zorder=5,
            )
    scale_ratios(ax, low, high)
    ax.set_xlim(-0.8, len(rows) - 0.2)
    ax.set_xticks([])
    ax.grid(axis="y")


def draw_choices(
    ax: Axes, choices: Sequence[Sequence[str]], groups: Sequence[Sequence[str]], headline: int
) -> None:
    """Draw, under a curve of specifications, what each of them chose.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw, with the same horizontal axis as the curve.
    choices : sequence of sequence of str
        For each specification, from left to right, what it chose of each group.
    groups : sequence of sequence of str
        What there is to choose from: a group after the other, from top to bottom.
    headline : int
        Position of the specification that the report leads with; -1 where there is none.
    """
    lines = [option for group in groups for option in group]
    for line in range(0, len(lines), 2):
        ax.axhspan(line - 0.5, line + 0.5, color="#f4f6f9", lw=0, zorder=0)
    for at, chosen in enumerate(choices):
        own = at == headline
        for option in chosen:
            ax.plot(
                at,
                lines.index(option),
                "D" if own else "o",
                color=INTERVENTION if own else _DOT,
                ms=6.5 if own else 3.8,
                mew=0,
            )
    ends = np.cumsum([len(group) for group in groups])[:-1]
    for end in ends:
        ax.axhline(end - 0.5, color="#c9d1da", lw=0.8)
    if headline >= 0:
        _mark_headline(ax, headline)
    ax.set_yticks(range(len(lines)), lines, fontsize=SMALLEST_TEXT)
    ax.set_ylim(len(lines) - 0.4, -0.6)
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines["left"].set_visible(False)
    ax.spines["bottom"].set_visible(False)


def _mark_headline(ax: Axes, at: float) -> None:
    """Draw a pale band behind the specification that the report leads with."""
    ax.axvspan(at - 0.5, at + 0.5, color="#dbe7f3", lw=0, zorder=0.5)


def scale_ratios(ax: Axes, low: float, high: float) -> None:
    """Put the vertical axis on ratios, where a half and a double lie as far from 1."""
    ax.set_yscale("log")
    low, high = min(low, 0.8) / 1.1, max(high, 1.25) * 1.1
    ax.set_ylim(low, high)
    wide = high / low > 200
    marks = [mark for mark in _MARKS if low <= mark <= high]
    marks = [mark for mark in marks if not wide or mark not in (0.5, 2)]
    ax.set_yticks(marks, [_write_ratio(mark) for mark in marks])
    ax.minorticks_off()


def _write_ratio(ratio: float) -> str:
    return format_number(ratio, 0 if ratio >= 1 else 1 if ratio == 0.5 else 2)
