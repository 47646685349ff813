"""Figures of how a comparison holds up: month by month, and over all specifications."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sbwork.figures.style import BEFORE, INK, INTERVENTION
from sbwork.formats import format_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_choices", "draw_event_study", "draw_specifications", "scale_ratios"]

_OTHER = "#9aa5b1"
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


def draw_specifications(ax: Axes, rows: pd.DataFrame, headline: Any) -> None:
    """Draw every specification's ratio with its interval, smallest first.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    rows : pandas.DataFrame
        Findings of section ``"specification"`` of one pair and outcome, all with a number, in
        the order in which they are drawn.
    headline : label of the index of `rows` or None
        The specification that the report leads with: drawn in colour and as a diamond.
    """
    ax.axhline(1, color=INK, lw=0.9)
    for at, (label, row) in enumerate(rows.iterrows()):
        own = label == headline
        ax.plot(
            [at, at],
            [row["ci_low"], row["ci_high"]],
            color=INTERVENTION if own else _OTHER,
            lw=2.6 if own else 1.5,
            zorder=3 if own else 2,
        )
        ax.plot(
            at,
            row["estimate"],
            "D" if own else "o",
            color=INTERVENTION if own else "#5c6875",
            ms=8 if own else 4,
            mec="white",
            mew=0.7,
            zorder=4 if own else 3,
        )
        if own:
            ax.annotate(
                "this report",
                (at, row["ci_high"]),
                xytext=(0, 5),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=9,
                fontweight="bold",
                color=INTERVENTION,
                bbox={"fc": "white", "ec": "none", "alpha": 0.85, "pad": 0.8},
            )
    scale_ratios(ax, rows["ci_low"].min(), rows["ci_high"].max())
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
    for at, chosen in enumerate(choices):
        own = at == headline
        for option in chosen:
            ax.plot(
                at,
                lines.index(option),
                "D" if own else "o",
                color=INTERVENTION if own else "#5c6875",
                ms=6.5 if own else 3.6,
                mew=0,
            )
    ends = np.cumsum([len(group) for group in groups])[:-1]
    for end in ends:
        ax.axhline(end - 0.5, color="#c9d1da", lw=0.8)
    ax.set_yticks(range(len(lines)), lines, fontsize=9)
    ax.set_ylim(len(lines) - 0.4, -0.6)
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines["left"].set_visible(False)
    ax.spines["bottom"].set_visible(False)


def scale_ratios(ax: Axes, low: float, high: float) -> None:
    """Put the vertical axis on ratios, where a half and a double lie as far from 1."""
    ax.set_yscale("log")
    low, high = min(low, 0.8) / 1.1, max(high, 1.25) * 1.1
    ax.set_ylim(low, high)
    wide = high / low > 40
    marks = [mark for mark in _MARKS if low <= mark <= high]
    marks = [mark for mark in marks if not wide or mark not in (0.5, 2)]
    ax.set_yticks(marks, [_write_ratio(mark) for mark in marks])
    ax.minorticks_off()


def _write_ratio(ratio: float) -> str:
    return format_number(ratio, 0 if ratio >= 1 else 1 if ratio == 0.5 else 2)
