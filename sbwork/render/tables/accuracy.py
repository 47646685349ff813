"""The table of how often each interval errs when the truth is known."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pandas as pd

from sbwork.render.tables.layout import lay_out
from sbwork.specs.cohort import Cohort
from sbwork.stats.findings import select_findings
from sbwork.stats.formats import format_number, format_share

if TYPE_CHECKING:
    from great_tables import GT

__all__ = ["ESTIMATORS", "tabulate_accuracy", "tabulate_error_rates", "title_world"]

ESTIMATORS = {
    "rirr_poisson": "RIRR, Poisson interval",
    "rirr": "RIRR, corrected for over-dispersion",
    "rirr_placebo": "RIRR, interval from the placebos",
    "wdd": "WDD, Poisson interval",
    "wdd_corrected": "WDD, corrected for over-dispersion",
    "placebo_p": "Placebo rank",
    "rirr_pooled_fixed": "Pooled RIRR, pairs taken as one",
    "rirr_pooled": "Pooled RIRR, REML with Knapp and Hartung",
    "rirr_pooled_bayes": "Pooled RIRR, random effects with a prior",
    "synthetic_rmspe_ratio": "Synthetic control, rank of its gap",
}
"""What readers call each estimator of the simulation."""


_CONTROLS = {
    "random": "any control of like size",
    "nearest": "nearest control",
    "shared": "one control for all",
    "none": "no control",
    "synthetic": "a mixture of areas as control",
}
_CHOSEN = {
    "drawn": "",
    "highest": ", chosen as the highest of {pool:.0f}",
    "rising": ", chosen for the steepest rise among {pool:.0f}",
}
_HELD = "Holds a fall of 30%"
_RATES = {
    "rirr": "RIRR",
    "rirr_poisson": "RIRR, Poisson",
    "placebo_p": "Placebo rank",
    "rirr_pooled_fixed": "Fixed effects",
    "rirr_pooled_bayes": "Random effects",
}


def title_world(row: pd.Series[Any]) -> str:
    """Say in a line how the made-up areas behaved."""
    pairs = "One pair" if row["n_pairs"] == 1 else f"{row['n_pairs']:.0f} pairs"
    if row["control"] in ("none", "synthetic"):
        pairs = "One site"
    tau = f", true ratios differ by {format_number(row['tau'], 1)}" if row["tau"] else ""
    return (
        f"{pairs}, {_CONTROLS[row['control']]}{_CHOSEN[row['chosen']].format(pool=row['pool'])}, "
        f"{row['n_areas']:.0f} areas, {row['months']:.0f} + {row['months']:.0f} months, "
        f"{format_number(row['mean'], 0)} incidents a month{tau}"
    )


def tabulate_error_rates(findings: pd.DataFrame, cohort: Cohort) -> GT:
    """Lay out how often intervals see a change where nothing was done, in areas like a cohort's.

    Parameters
    ----------
    findings : pandas.DataFrame
        With the section ``"accuracy"``, and ``placebo_interval_share`` of section ``"placebo"``.
    cohort : Cohort
        For the titles.

    Returns
    -------
    great_tables.GT
        A row a pair for the comparable areas of the files, and one for each drift of the made-up
        areas most like the cohort's.
    """
    rows: list[dict[str, str]] = []
    notes: list[str] = []
    accuracy = select_findings(findings, section="accuracy")
    shares = select_findings(findings, section="placebo", estimator="placebo_interval_share")
    for outcome in cohort.list_outcomes():
        title = cohort.title_outcome(outcome)
        for _, row in shares[shares["outcome"] == outcome].dropna(subset="estimate").iterrows():
            where = f"Pairs of areas in these files like {cohort.title_pair(row['site'])}"
            cells = dict.fromkeys((*_RATES.values(), _HELD), "") | {
                "RIRR": format_share(row["estimate"])
            }
            rows.append({"Outcome": title, "Where nothing was done": where, **cells})
        made_up = accuracy[accuracy["outcome"] == outcome]
        for period in sorted(made_up["period"].unique()):
            found = made_up[made_up["period"] == period].set_index("estimator")["estimate"]
            drift = float(period.removeprefix("drift "))
            where = f"Made-up areas, drift {drift:.0%}" if drift else "Made-up areas, no drift"
            cells = {
                label: _write_share(found.get(f"false_positive_{name}", math.nan), "")
                for name, label in _RATES.items()
            }
            cells[_HELD] = _write_share(found.get("coverage_rirr_pooled_bayes", math.nan), "")
            rows.append({"Outcome": title, "Where nothing was done": where, **cells})
            notes += [f"{title}. {note}" for note in made_up["note"]]
    return lay_out(
        rows,
        name="error-rates",
        title="How often such intervals see a change where nothing was done",
        subtitle="It should be 5%; in the last column, 95%",
        stub="Where nothing was done",
        group="Outcome",
        spanners={"Sees a change": list(_RATES.values())} if rows else None,
        notes=[
            "RIRR: corrected for over-dispersion where there are two months or more on each side; "
            "Poisson: not corrected; fixed and random effects: all pairs together. Drift: how far "
            "(SD of the log) each area's level moves between the periods by itself.",
            *dict.fromkeys(notes),
        ],
    )


def tabulate_accuracy(table: pd.DataFrame, name: str = "accuracy") -> GT:
    """Lay out false positives and coverage, as `sbwork.compare.simulation` measures them.

    Parameters
    ----------
    table : pandas.DataFrame
        As `sbwork.compare.simulation.simulate_counts` gives it, for one or more worlds.
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
    design = ["n_pairs", "control", "chosen", "n_areas", "months", "mean", "tau", "estimator"]
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


def _write_share(share: float, missing: str = "–") -> str:
    return missing if math.isnan(share) else format_share(share)
