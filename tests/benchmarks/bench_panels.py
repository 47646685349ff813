"""Panel models, synthetic controls and the search for controls against named peers.

Run: python tests/benchmarks/bench_panels.py
"""

from __future__ import annotations

import statistics
import time

import numpy as np
import pandas as pd

from sbwork.compare.controls import compare_synthetic, find_controls
from sbwork.compare.robustness import analyse_panel, vary_specifications
from sbwork.read.incidents import Incidents
from sbwork.specs.cohort import Cohort, list_months
from sbwork.stats.panel import estimate_panel

REPEATS = 7


def time_median(function):
    function()
    took = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        function()
        took.append(time.perf_counter() - start)
    return statistics.median(took)


def compare_with_statsmodels(sites, months):
    import statsmodels.api as sm
    import statsmodels.formula.api as smf

    rng = np.random.default_rng(4)
    counts = rng.poisson(20, (months, sites))
    arm = np.arange(sites) % 2 == 0
    times = np.arange(months) - months // 2
    long = pd.DataFrame(
        {
            "y": counts.ravel(),
            "site": np.tile(np.arange(sites), months),
            "month": np.repeat(times, sites),
        }
    )
    long["x"] = (arm[long["site"]] & (long["month"] >= 0)).astype(float)
    design = pd.get_dummies(long[["site", "month"]].astype(str), drop_first=True, dtype=float)
    design = sm.add_constant(design.assign(x=long["x"]))

    def fit_arrays():
        return sm.GLM(long["y"], design, family=sm.families.Poisson()).fit(scale="X2")

    def fit_formula():
        formula = "y ~ x + C(site) + C(month)"
        return smf.glm(formula, long, family=sm.families.Poisson()).fit(scale="X2")

    ours = time_median(lambda: estimate_panel(counts, arm, times))
    print(f"quasi-Poisson panel, {sites} sites x {months} months: {ours * 1e3:.2f} ms")
    for name, peer in (("statsmodels GLM", fit_arrays), ("statsmodels formula", fit_formula)):
        theirs = time_median(peer)
        print(f"  {name}: {theirs * 1e3:.2f} ms, {theirs / ours:.1f} times as long")
    agreed = np.exp(fit_arrays().params["x"]) / estimate_panel(counts, arm, times).estimate
    print(f"  ratio of the two estimates: {agreed:.9f}")


def build_archive(areas, length):
    rng = np.random.default_rng(6)
    months = list_months("2014-01", "2017-12")[-length:]
    cohort = Cohort.model_validate(
        {
            "name": "bench",
            "sites": {"a": {}, "b": {}},
            "pairs": [{"intervention": "a", "control": "b"}],
            "periods": {
                "before": {"start": "2016-01", "end": "2016-12"},
                "after": {"start": "2017-01", "end": "2017-12"},
            },
        }
    )
    outcomes = list(cohort.outcomes)

    def Table(keys, **labels):
        index = pd.MultiIndex.from_product(
            [keys, outcomes, months], names=["place", "outcome", "month"]
        )
        frame = index.to_frame(index=False).assign(**labels)
        return frame.assign(count=rng.poisson(20, len(frame)).astype(float))

    sites = Table(["a", "b"]).rename(columns={"place": "site"})
    places = Table([f"x{k}" for k in range(areas)], site="").rename(columns={"place": "area"})
    return Incidents(
        sites, places.assign(name="x", comparable=True), months, (), pd.DataFrame()
    ), cohort


def time_archive(areas=1000, length=48):
    from scipy.optimize import minimize

    from sbwork.stats.synthetic import fit_synthetic_control

    incidents, cohort = build_archive(areas, length)
    for function in (analyse_panel, vary_specifications):
        took = time_median(lambda each=function: each(incidents, cohort))
        print(f"{function.__name__}, {areas} areas x {length} months: {took:.3f} s")
    for function in (find_controls, compare_synthetic):
        took = time_median(lambda each=function: each(incidents, cohort, "a"))
        print(f"{function.__name__}, {areas} areas x {length} months: {took:.3f} s")
    rng = np.random.default_rng(2)
    donors, series = rng.poisson(20, (24, 12)), rng.poisson(20, 24)
    times = np.arange(-12, 12)
    index, target = donors[:12] / donors[:12].mean(axis=0), series[:12] / series[:12].mean()

    def solve_slsqp():
        return minimize(
            lambda w: float(np.sum((target - index @ w) ** 2)),
            np.full(12, 1 / 12),
            jac=lambda w: -2 * index.T @ (target - index @ w),
            bounds=[(0, 1)] * 12,
            constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
            method="SLSQP",
            options={"ftol": 1e-12},
        )

    ours = time_median(lambda: fit_synthetic_control(series, donors, times))
    theirs = time_median(solve_slsqp)
    print(f"synthetic weights: {ours * 1e3:.2f} ms; scipy SLSQP {theirs / ours:.1f} times as long")


if __name__ == "__main__":
    compare_with_statsmodels(2, 24)
    compare_with_statsmodels(12, 48)
    time_archive()
