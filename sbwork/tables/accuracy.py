"""The table of how often each interval errs when the truth is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from sbwork.formats import format_number, format_share
from sbwork.tables.layout import lay_out

if TYPE_CHECKING:
    from great_tables import GT

__all__ = ["ESTIMATORS", "tabulate_accuracy", "title_world"]

ESTIMATORS = {
    "rirr_poisson": "RIRR, Poisson interval",
    "rirr": "RIRR, corrected for over-dispersion",
    "rirr_placebo": "RIRR, interval from the placebos",
    "wdd": "WDD, Poisson interval",
    "wdd_corrected": "WDD, corrected for over-dispersion",
    "placebo_p": "Placebo rank",
    "placebo_naive": "Rank among all placebo pairs (a warning, not used)",
    "rirr_pooled_fixed": "Pooled RIRR, pairs taken as one",
    "rirr_pooled_dl": "Pooled RIRR, DerSimonian and Laird",
    "rirr_pooled": "Pooled RIRR, REML with Knapp and Hartung",
}
"""What readers call each estimator of the simulation."""


def title_world(row: pd.Series) -> str:
    """Say in a line how the made-up areas behaved."""
    pairs = "One pair" if row["n_pairs"] == 1 else f"{row['n_pairs']:.0f} pairs"
    chosen = "nearest control" if row["control"] == "nearest" else "any control of like size"
    return f"{pairs}, {chosen}, {row['n_areas']:.0f} areas"


def tabulate_accuracy(table: pd.DataFrame, name: str = "accuracy") -> GT:
    """Lay out false positives and coverage: columns of `sbwork.simulation.SIMULATION_COLUMNS`.

    Parameters
    ----------
    table : pandas.DataFrame
        As `sbwork.simulation.simulate_counts` gives it, for one or more worlds.
    name : str
        The table's id, unique in its page.

    Returns
    -------
    great_tables.GT
        One row a design and estimator, a pair of columns for each phi and drift.
    """
    worlds = table[["phi", "drift"]].drop_duplicates().sort_values(["drift", "phi"])
    spanners: dict[str, list[str]] = {}
    labels: dict[str, str] = {}
    for _, world in worlds.iterrows():
        key = f"{world['phi']:g}-{world['drift']:g}"
        drift = "no drift" if world["drift"] == 0 else f"drift {format_number(world['drift'], 1)}"
        spanners[f"φ {format_number(world['phi'], 0)}, {drift}"] = [f"f{key}", f"c{key}"]
        labels |= {f"f{key}": "False +", f"c{key}": "Cover"}
    rows = []
    design = ["n_pairs", "control", "n_areas", "estimator"]
    for _, part in table.groupby(design, sort=False):
        first = part.iloc[0]
        row = {
            "Design": title_world(first),
            "Estimator": ESTIMATORS.get(first["estimator"], first["estimator"]),
            **dict.fromkeys(labels, ""),
        }
        for _, found in part.iterrows():
            key = f"{found['phi']:g}-{found['drift']:g}"
            row[f"f{key}"] = _write_share(found["false_positive"])
            row[f"c{key}"] = _write_share(found["coverage"])
        rows.append(row)
    draws = f"{int(table['n'].min()):,} to {int(table['n'].max()):,}"
    return lay_out(
        rows,
        name=name,
        title="How often each interval errs when the truth is known",
        stub="Estimator",
        group="Design",
        spanners=spanners,
        labels=labels,
        notes=[
            "False +: share of runs with no true effect in which p is .05 or below; it should be "
            "5%. Cover: share of 95% intervals that hold the true effect; it should be 95%; a rank "
            "alone has no interval.",
            "φ: variance of a month's count over its mean. Drift: how far (SD of the log) each "
            f"area's level moves between the periods by itself. Runs in each cell: {draws}.",
        ],
    )


def _write_share(share: float) -> str:
    return "–" if share != share else format_share(share)
