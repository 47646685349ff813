"""The section on how often each interval errs when the truth is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from sbwork.compare.accuracy import read_study
from sbwork.compare.simulation import describe_errors
from sbwork.render import figures, tables
from sbwork.render.pictures import compose_picture
from sbwork.render.sections.blocks import Bullets, Section
from sbwork.specs.cohort import Cohort
from sbwork.stats.formats import format_list, format_number, format_share

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["present_accuracy"]

_OTHERS = (
    "Other designs: fewer or more incidents and months, pairs that differ in truth, one control "
    "for all sites, and sites that were chosen because their counts were high or had risen. A "
    "place chosen for its recent rise falls by itself, so there even the rank errs more often."
)
_SHOWN = ("rirr_poisson", "rirr", "placebo_p")


def present_accuracy(table: pd.DataFrame | None = None, *, name: str = "accuracy") -> Section:
    """Show how often each interval errs when the truth is known.

    Parameters
    ----------
    table : pandas.DataFrame, optional
        As `sbwork.compare.simulation.simulate_counts` gives it, for one or more worlds; by default
        the table that comes with the package.
    name : str
        What the table and the picture are called, unique in their page.
    """
    table = read_study("counts") if table is None else table
    usual = (table["chosen"] == "drawn") & (table["tau"] == 0) & (table["control"] != "synthetic")
    for column in ("months", "mean"):
        usual &= table[column] == table[column].mode().iloc[0]
    others = table[~usual]
    single = usual & (table["n_pairs"] == 1) & table["estimator"].isin(_SHOWN)
    single &= (table["control"] == "random") & (table["n_areas"] == table["n_areas"].max())
    shown, table = table[single], table[usual]
    drifts = sorted(shown["drift"].unique())
    titles = {name: tables.ESTIMATORS[name] for name in _SHOWN}

    def draw(figure: Figure) -> None:
        axes = figure.subplots(1, len(drifts), sharey=True, squeeze=False)[0]
        for ax, drift in zip(axes, drifts, strict=True):
            figures.draw_false_positives(ax, shown[shown["drift"] == drift], titles)
            ax.set_title(f"Areas drift by {drift:.0%}" if drift else "Areas do not drift")
        axes[0].set_ylim(0, 1.1 * max(shown["false_positive"].max(), 0.1))
        axes[0].set_ylabel("False positives at p ≤ .05")
        axes[0].legend(loc="upper left", fontsize=9)

    blocks: list[Any] = [
        Bullets(tuple(describe_errors(table.replace({"estimator": tables.ESTIMATORS})))),
        tables.tabulate_accuracy(table, name),
    ]
    if len(others):
        blocks += [_OTHERS, tables.tabulate_accuracy(others, f"{name}-others")]
    if len(shown):
        blocks.append(
            compose_picture(
                Cohort(name="simulation"),
                f"false-positives-{name}",
                draw,
                size=(8.8, 3.8),
                alt=" ".join(_tell_estimator(shown, name) for name in titles),
                caption="One site against one control where nothing was done: how often each "
                "method says that something happened. It should be 5% (line; the band runs from "
                "4% to 6%).",
            )
        )
    return Section(blocks)


def _tell_estimator(table: pd.DataFrame, name: str) -> str:
    rows = table[table["estimator"] == name].sort_values(["drift", "phi"])
    parts = [
        f"{format_share(row['false_positive'])} at φ {format_number(row['phi'], 0)}"
        + (" with drift" if row["drift"] else "")
        for _, row in rows.iterrows()
    ]
    return f"{tables.ESTIMATORS[name]}: false positives {format_list(parts)}."
