"""How often intervals err in made-up areas like those of a cohort."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from importlib.resources import files
from io import StringIO
from typing import Any, Literal

import numpy as np
import pandas as pd

from sbwork.specs.cohort import Cohort
from sbwork.stats import Estimate
from sbwork.stats.findings import Finding, select_findings, tabulate_findings

__all__ = ["compare_accuracy", "find_nearest_worlds", "read_study"]

_SECTION = "accuracy"
_CHOSEN = {
    "drawn": "",
    "highest": ", the site chosen as the highest of {pool:g} areas",
    "rising": ", the site chosen for the steepest rise among {pool:g} areas",
}
_PAIR = ("rirr", "rirr_poisson", "placebo_p")
_TOGETHER = ("rirr_pooled_fixed", "rirr_pooled_bayes")


Study = Literal["choice", "counts", "drift", "ranks", "series"]


def read_study(name: Study) -> pd.DataFrame:
    """Read the committed table of a simulation study, one row a simulated world and method.

    ``tests/studies/sim_NAME.py`` makes the table and says what it measures; that of ``"counts"``
    has the columns `sbwork.compare.simulation.SIMULATION_COLUMNS`.

    Examples
    --------
    >>> sorted(set(read_study("counts")["drift"]))
    [0.0, 0.1]
    """
    text = (files("sbwork.compare") / "studies" / f"{name}.csv").read_text(encoding="utf-8")
    return pd.read_csv(StringIO(text))


def find_nearest_worlds(
    worlds: pd.DataFrame,
    *,
    months: float,
    mean: float,
    phi: float,
    n_pairs: int,
    shared: bool,
    chosen: str = "drawn",
) -> pd.DataFrame:
    """Find the simulated worlds most like a design, one for each size of drift.

    Pairs come first (as many, else the nearest number), then the sum of the absolute log ratios of
    months on a side, incidents a month and over-dispersion `phi`; NaN of the last, where a single
    month leaves it unknown, takes the widest of the table. Only worlds whose pairs do not differ in
    truth are looked at; of sites ``"highest"`` or ``"rising"``, those with the nearest control.
    """
    plain = worlds[(worlds["chosen"] == chosen) & (worlds["tau"] == 0)]
    control = "shared" if shared and n_pairs > 1 else "random"
    control = control if chosen == "drawn" else "nearest"
    plain = plain[(plain["control"] == control) & (plain["n_areas"] == plain["n_areas"].max())]
    numbers = plain["n_pairs"].unique()
    plain = plain[plain["n_pairs"] == min(numbers, key=lambda each: abs(each - n_pairs))]
    phi = plain["phi"].max() if math.isnan(phi) else max(phi, 1.0)
    distance = sum(
        np.abs(np.log(plain[name] / max(value, 1e-6)))
        for name, value in (("months", months), ("mean", mean), ("phi", phi))
    )
    plain = plain.assign(distance=distance)
    nearest = plain.groupby("drift")["distance"].transform("min")
    found = plain[plain["distance"] <= nearest + 1e-9]
    first = found.groupby("drift")[["months", "mean", "phi"]].transform("first")
    same = (found[["months", "mean", "phi"]] == first).all(axis=1)
    nearest_rows: pd.DataFrame = found[same].drop(columns="distance")
    return nearest_rows


def compare_accuracy(findings: pd.DataFrame, cohort: Cohort) -> pd.DataFrame:
    """Find how often each interval errs in the made-up areas most like this cohort's.

    The counts, months and dispersions of the section ``"counts"`` are the design; cohort.yml says
    how sites were chosen. Section ``"accuracy"``, site ``"all"``, one row an outcome, estimator and
    drift (`period`): ``false_positive_*``, the share of pairs in which nothing was done that the
    interval, or the rank, calls changed, and with two pairs or more ``coverage_rirr_pooled_bayes``.
    `n` is the draws; the note names the world.
    """
    counts = select_findings(findings, section="counts")
    worlds = read_study("counts")
    found: list[Finding] = []
    for outcome in counts["outcome"].unique():
        rows = counts[counts["outcome"] == outcome]
        change = rows[rows["period"] == "change"]
        pairs = change[(change["estimator"] == "rirr") & change["estimate"].notna()]
        if len(pairs):
            found += _describe_design(str(outcome), rows, pairs, cohort, worlds)
    return tabulate_findings(found)


def _describe_design(
    outcome: str, rows: pd.DataFrame, pairs: pd.DataFrame, cohort: Cohort, worlds: pd.DataFrame
) -> Iterator[Finding]:
    change = rows[rows["period"] == "change"].groupby("estimator")["estimate"].median()
    length, phi = float(change["window_months"]), float(change["dispersion"])
    sites = [*pairs["site"], *pairs["comparison"]]
    before = rows[(rows["estimator"] == "count") & (rows["period"] == "before")]
    sizes = before[before["site"].isin(sites)]["estimate"]
    mean = float(np.exp(np.log(np.maximum(sizes, 0.5)).mean())) / max(length, 1.0)
    if not (length > 0 and mean > 0):
        return
    find = partial(find_nearest_worlds, worlds, months=length, mean=mean, phi=phi)
    # the intervals of single pairs are simulated with one pair only
    choice = cohort.chosen_because.reason if cohort.chosen_because else ""
    alone = find(n_pairs=1, shared=False, chosen=choice if choice in _CHOSEN else "drawn")
    wanted = [("false_positive", name, alone) for name in _PAIR]
    if len(pairs) > 1:
        shared = bool(pairs["comparison"].duplicated().any())
        near = find(n_pairs=len(pairs), shared=shared)
        wanted += [("false_positive", name, near) for name in _TOGETHER]
        wanted.append(("coverage", "rirr_pooled_bayes", near))
    for column, name, table in wanted:
        for _, world in table[table["estimator"] == name].iterrows():
            yield Finding(
                _SECTION,
                outcome,
                "all",
                Estimate(
                    f"{column}_{name}",
                    float(world[column]),
                    n=float(world["n"]),
                    unit="share",
                    note=_name_world(world),
                ),
                period=f"drift {world['drift']:g}",
            )


def _name_world(world: pd.Series[Any]) -> str:
    drift = f"a drift of {world['drift']:g}" if world["drift"] else "no drift"
    pairs = "1 pair" if world["n_pairs"] == 1 else f"{world['n_pairs']:g} pairs"
    how = _CHOSEN[world["chosen"]].format(pool=world["pool"])
    months = "1 month" if world["months"] == 1 else f"{world['months']:g} months"
    return (
        f"Simulated: {pairs}{how}, {months} on each side, {world['mean']:g} incidents a month, "
        f"over-dispersion {world['phi']:g}, {drift} between the periods."
    )
