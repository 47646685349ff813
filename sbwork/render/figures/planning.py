"""Figures for planning: balance of possible controls, mixtures of areas, what is detectable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
from numpy.typing import ArrayLike

from sbwork.render.figures.style import CONTROL, INK, INTERVENTION
from sbwork.stats.formats import format_change

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_balance", "draw_detectable", "draw_mixture"]

_LIMIT = 0.25
_LOOKS = ((INTERVENTION, "o", "-"), (CONTROL, "s", "--"), ("#5c6875", "^", "-."),
          ("#6d3f9c", "D", ":"))  # fmt: skip


def draw_balance(ax: Axes, balance: pd.DataFrame, labels: Sequence[str]) -> None:
    """Draw how far the first areas lie from the site in each feature (a "love plot").

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    balance : pandas.DataFrame
        Columns of `sbwork.compare.controls.BALANCE_COLUMNS`, nearest area first: that one is
        drawn in colour and as a diamond, the others as grey circles.
    labels : sequence of str
        What each feature is called, in the order in which they first stand in `balance`.
    """
    lines = list(balance.groupby(["outcome", "feature"], sort=False).groups)
    ax.axvspan(-_LIMIT, _LIMIT, color="#eef3f8", zorder=0)
    ax.axvline(0, color=INK, lw=0.9)
    areas = list(dict.fromkeys(balance["area"]))
    for rank, area in reversed(list(enumerate(areas))):
        part = balance[balance["area"] == area]
        heights = [
            lines.index((outcome, feature))
            for outcome, feature in zip(part["outcome"], part["feature"], strict=True)
        ]
        ax.plot(
            part["standardised_difference"],
            heights,
            "o" if rank else "D",
            color="#8a97a6" if rank else INTERVENTION,
            ms=5 if rank else 8,
            mec="white",
            mew=0.7,
            zorder=2 if rank else 3,
            label="_" if rank > 1 else "The next areas" if rank else f"Most alike: {area}",
        )
    ax.set_yticks(range(len(lines)), list(labels))
    ax.set_ylim(len(lines) - 0.4, -0.6)
    ax.grid(axis="x")
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("Difference from the site, in standard deviations")


def draw_mixture(
    ax: Axes, months: Sequence[str], own: ArrayLike, mixture: ArrayLike, n_before: int
) -> None:
    """Draw a site's monthly counts beside those of the mixture of areas that follows it.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    months : sequence of str
        Months written YYYY-MM.
    own, mixture : array_like, shape (n_months,)
        Incidents a month.
    n_before : int
        How many of the months lie before the start.
    """
    at = range(len(months))
    ax.axvspan(n_before - 0.5, len(months) - 0.5, color="#eef3f8", zorder=0)
    ax.text(n_before - 0.3, 0.985, "after", transform=ax.get_xaxis_transform(), va="top")
    ax.plot(at, own, "-o", color=INTERVENTION, ms=4.5, lw=1.8, label="The site")
    ax.plot(at, mixture, "--s", color=CONTROL, ms=4, lw=1.8, label="Mixture of areas")
    step = max(1, len(months) // 8)
    ax.set_xticks(list(at)[::step], list(months)[::step], rotation=30, ha="right")
    ax.set_ylim(bottom=0, top=ax.get_ylim()[1] * 1.15)
    ax.set_ylabel("Incidents a month")
    ax.grid(axis="y")
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=9)


def draw_detectable(ax: Axes, plan: pd.DataFrame) -> None:
    """Draw the smallest fall that would be found against the months on each side.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    plan : pandas.DataFrame
        Findings of `sbwork.compare.controls.plan_counts` for one outcome; a line for each number of
        controls.
    """
    for at, (number, part) in enumerate(plan.groupby("comparison", sort=False)):
        colour, marker, line = _LOOKS[at % len(_LOOKS)]
        months = part["period"].str.split("+").str[0].astype(int)
        ax.plot(months, part["estimate"], color=colour, marker=marker, ls=line, ms=6, label=number)
    ticks = sorted(set(plan["period"].str.split("+").str[0].astype(int)))
    ax.set_xticks(ticks)
    low = plan["estimate"].min()
    ax.set_ylim(min(low * 1.1, -5) if low == low else -100, 0)
    ax.yaxis.set_major_formatter(lambda value, _: format_change(value))
    ax.set_xlabel("Months before, and as many after")
    ax.grid(axis="y")
