"""The figure of how often each interval errs when the truth is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from sbwork.render.figures.style import CONTROL, INK, INTERVENTION
from sbwork.stats.formats import format_share

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_false_positives"]

_LOOKS = {
    "rirr_poisson": (CONTROL, "s", "--"),
    "rirr": ("#5c6875", "^", "-."),
    "placebo_p": (INTERVENTION, "o", "-"),
}


def draw_false_positives(ax: Axes, table: pd.DataFrame, titles: dict[str, str]) -> None:
    """Draw the share of false positives against over-dispersion, a line an estimator.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    table : pandas.DataFrame
        Rows of `sbwork.compare.simulation.simulate_counts` that differ in `phi` and `estimator`
        alone.
    titles : dict of str to str
        What each estimator is called; those that are not named are not drawn.
    """
    ax.axhspan(0.04, 0.06, color="#eef3f8", zorder=0)
    ax.axhline(0.05, color=INK, lw=0.9)
    for name, part in table.groupby("estimator", sort=False):
        if name not in titles:
            continue
        colour, marker, line = _LOOKS.get(str(name), ("#9aa5b1", "x", ":"))
        part = part.sort_values("phi")
        ax.plot(
            part["phi"], part["false_positive"], color=colour, marker=marker, ls=line, ms=6,
            lw=1.8, label=titles[str(name)],
        )  # fmt: skip
    ax.set_xticks(sorted(table["phi"].unique()))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.yaxis.set_major_formatter(lambda value, _: format_share(value))
    ax.set_xlabel("Over-dispersion φ")
    ax.grid(axis="y")
