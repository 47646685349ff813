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
    """Find the worlds most like a design, one for each size of drift.

    Parameters
    ----------
    worlds : pandas.DataFrame
        As `read_study` gives it.
    months : float
        Months compared on a side.
    mean : float
        Incidents a month in a site.
    phi : float
        Over-dispersion; NaN where a single month leaves it unknown: then the widest of the table.
    n_pairs : int
        Pairs compared.
    shared : bool
        Whether pairs share a control.
    chosen : {"drawn", "highest", "rising"}, default "drawn"
        How sites came to be sites; the last two with the nearest control.

    Returns
    -------
    pandas.DataFrame
        The rows of the nearest world of each drift, with pairs that do not differ in truth. Pairs
        come first (as many, else the nearest number), then the sum of the absolute log ratios of
        months, incidents and over-dispersion.

    Examples
    --------
    >>> near = find_nearest_worlds(
    ...     read_study("counts"), months=12, mean=25, phi=1.8, n_pairs=1, shared=False)
    >>> near[["phi", "months", "mean"]].drop_duplicates().to_numpy().tolist()
    [[2.0, 12.0, 20.0]]
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
    """Say how often each interval errs in the made-up areas most like this cohort's.

    Parameters
    ----------
    findings : pandas.DataFrame, columns `findings.RESULT_COLUMNS`
        With the section ``"counts"``: its counts, months and dispersions are the design.
    cohort : Cohort
        Says how the sites came to be chosen.

    Returns
    -------
    pandas.DataFrame
        Section ``"accuracy"``, site ``"all"``, one row an outcome, estimator and drift:
        ``false_positive_rirr``, ``false_positive_rirr_poisson`` and ``false_positive_placebo_p``
        (share of pairs in which nothing was done that the interval, or the rank, says changed;
        of sites chosen in the same way where cohort.yml says that they were chosen because their
        counts were high or had risen), with two pairs or more also
        ``false_positive_rirr_pooled_fixed``, ``false_positive_rirr_pooled_bayes`` and
        ``coverage_rirr_pooled_bayes``. `period` is the drift between the periods, ``"drift 0"``
        or ``"drift 0.1"`` (SD of the log); `n` the draws; the note names the world.
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
