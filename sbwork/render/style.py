"""How every figure looks."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from textwrap import fill
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


INTERVENTION = "#0b3c6f"
CONTROL = "#d1730f"
BEFORE = "#8a97a6"
AFTER = "#0b3c6f"
INK = "#1d2733"
RULE = "#c9d1da"
PALE = "#eef3f8"
GREY = "#5c6875"
WHITE_BOX = {"fc": "white", "ec": "none", "alpha": 0.85, "pad": 0.8}
"""Behind words that lie on a drawing."""

LOOKS = {"before": (BEFORE, "s"), "after": (AFTER, "o")}
"""Colour and marker of each wave."""

LINES = (
    (INTERVENTION, "o", ""),
    (CONTROL, "s", (4, 1.5)),
    (GREY, "^", (5, 1.5, 1, 1.5)),
    ("#6d3f9c", "D", (1, 1.5)),
)
"""Colour, marker and dashes of each of some lines, which stay apart in grey."""

SMALLEST_TEXT = 9.5
"""Points, in a figure 9.2 inches wide: 7 points and a little once it is printed 176 mm wide."""

STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10.5,
    "axes.edgecolor": RULE,
    "axes.labelcolor": INK,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "grid.color": "#e6eaef",
    "legend.frameon": False,
    "figure.facecolor": "white",
    "svg.fonttype": "path",
    "text.parse_math": False,
    "svg.hashsalt": "sbwork",
}
"""How every figure looks; two hues that stay apart in grey and to colour-blind readers."""


@contextmanager
def use_style() -> Iterator[None]:
    """Draw in this style, without the warnings of libraries about each other's newer versions."""
    from matplotlib import rc_context

    with rc_context(STYLE), warnings.catch_warnings():
        for words in ("use_inf_as_na", "vert: bool", "Pandas4Warning", "copy keyword"):
            warnings.filterwarnings("ignore", message=f".*{words}.*")
        yield


def draw_intervals(
    ax: Axes,
    rows: pd.DataFrame,
    at: Any,
    colour: str,
    marker: str,
    *,
    upright: bool = False,
    **look: Any,
) -> None:
    """Draw findings at places along an axis, each with its interval; missing ones stay open."""
    ends = [rows["estimate"] - rows["ci_low"], rows["ci_high"] - rows["estimate"]]
    places: dict[str, Any] = {"x": at, "y": rows["estimate"], "yerr": ends}
    if not upright:
        places = {"x": rows["estimate"], "y": at, "xerr": ends}
    usual: dict[str, Any] = {"ms": 8, "elinewidth": 2.2, "mec": "white", "mew": 1, "ls": "none"}
    ax.errorbar(**places, color=colour, marker=marker, **(usual | look))


def fit_text(text: str, width: int = 40) -> str:
    """Break a text from outside into lines of at most `width` characters.

    One that starts with an underscore gets a space of no width in front: matplotlib leaves such
    names out of legends.
    """
    lines = (fill(line, width) for line in text.split("\n"))
    return "\u200b" * text.startswith("_") + "\n".join(lines)


def name_lines(ax: Axes, labels: Sequence[str], **look: Any) -> None:
    """Give each line of a horizontal picture its name, the first at the top."""
    ax.set_yticks(range(len(labels)), [fit_text(label) for label in labels], **look)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x")


def name_months(ax: Axes, months: Sequence[str]) -> None:
    """Name some months below lines of counts."""
    step = max(1, len(months) // 8)
    ax.set_xticks(range(0, len(months), step), months[::step], rotation=30, ha="right")
    ax.set_xlabel("")
    ax.set_ylim(bottom=0, top=ax.get_ylim()[1] * 1.12)
    ax.set_ylabel("Incidents a month")
    ax.grid(axis="y")
    handles, labels = ax.get_legend_handles_labels()
    named = dict(zip(labels, handles, strict=True))
    ax.legend(named.values(), named.keys(), loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=9)


def shade_after(ax: Axes, first: float, last: float) -> None:
    """Shade the period after, whose months stand at these places."""
    ax.axvspan(first - 0.5, last + 0.5, color=PALE, zorder=0)
    ax.text(first - 0.35, 0.985, "after", transform=ax.get_xaxis_transform(), va="top", fontsize=9)
