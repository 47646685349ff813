"""Time `compare_placebos` on 1,000 areas by 48 months, beside a plain pandas loop.

Run as ``python tests/benchmarks/bench_placebo.py``. The peer sums with ``groupby`` and takes the
ratio of each pair of areas in a Python loop; it does a hundredth of the pairs, and its time is
multiplied by a hundred. `rank_mean` draws 9,999 sets twice for six pairs with controls of their own
and for six that share one; its peer draws such sets one by one, a hundredth of them.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from sbwork.compare.placebo import compare_placebos
from sbwork.read.incidents import Incidents
from sbwork.specs.cohort import Cohort, list_months
from sbwork.stats.ranks import DRAWS, rank_mean

AREAS, RUNS, SAMPLE = 1000, 5, 100
MONTHS = list_months("2014-01", "2017-12")


def make_counts(names: list[str], key: str, rng: np.random.Generator) -> pd.DataFrame:
    wide = pd.DataFrame(rng.poisson(20.0, (len(names), 48)).astype(float), columns=list(MONTHS))
    long = wide.assign(**{key: names}).melt(key, var_name="month", value_name="count")
    return long.assign(outcome="asb")


def loop_over_pairs(areas: pd.DataFrame) -> list[float]:
    sums = {
        year: areas[areas["month"].str[:4] == year].groupby("area")["count"].sum()
        for year in ("2016", "2017")
    }
    codes = list(sums["2016"].index)
    return [
        math.log(sums["2017"][one] / sums["2016"][one])
        - math.log(sums["2017"][other] / sums["2016"][other])
        for one in codes[: len(codes) // SAMPLE]
        for other in codes
        if one != other
    ]


def draw_one_by_one(
    changes: np.ndarray, before: np.ndarray, pairs: list[tuple[int, int]], n: int
) -> list[float]:
    """Draw sets by trial and error, as a first program would; sizes and starting gaps alike."""
    rng, log = np.random.default_rng(1), np.log(before)
    means = []
    while len(means) < n:
        taken: dict[int, int] = {}
        for site, control in pairs:
            for part in (control, site):
                if part in taken:
                    continue
                near = np.abs(log - log[part]) <= math.log(1.5)
                if part == site:
                    start = log - log[taken[control]] - (log[site] - log[control])
                    near &= np.abs(start) <= 0.1
                taken[part] = int(rng.choice(np.flatnonzero(near)))
        if len(set(taken.values())) == len(taken):
            means.append(np.mean([changes[taken[a]] - changes[taken[b]] for a, b in pairs]))
    return means


def time_median(run: Callable[[], object]) -> float:
    spent = []
    for _ in range(RUNS):
        start = time.perf_counter()
        run()
        spent.append(time.perf_counter() - start)
    return statistics.median(spent)


def main() -> None:
    """Print both times and their ratio."""
    rng = np.random.default_rng(20180601)
    areas = make_counts([f"E{number:05d}" for number in range(AREAS)], "area", rng)
    areas = areas.assign(name=areas["area"], site="", comparable=True)
    sites = make_counts(["north", "south"], "site", rng)
    cohort = Cohort.model_validate(
        {
            "name": "bench",
            "sites": {"north": {}, "south": {}},
            "pairs": [{"intervention": "north", "control": "south"}],
            "periods": {
                "before": {"start": "2016-01", "end": "2016-12"},
                "after": {"start": "2017-01", "end": "2017-12"},
            },
        }
    )
    incidents = Incidents(sites, areas, MONTHS, (), pd.DataFrame())
    ours = time_median(lambda: compare_placebos(incidents, cohort))
    peer = SAMPLE * time_median(lambda: loop_over_pairs(areas))
    print(f"compare_placebos, {AREAS} areas x {len(MONTHS)} months: {ours:.2f} s (limit 1 s)")
    print(f"pandas and a loop, the same pairs: {peer:.1f} s; ratio {peer / ours:.0f}")
    changes, before = rng.normal(0, 0.1, AREAS), 240 * np.exp(rng.normal(0, 0.2, AREAS))
    before[:12] = 240
    for sharing, pairs in (
        ("controls of their own", [(pair, 6 + pair) for pair in range(6)]),
        ("one control", [(pair, 6) for pair in range(6)]),
    ):
        ours = time_median(lambda pairs=pairs: rank_mean(changes, before, pairs, 1.5))
        n = DRAWS // SAMPLE
        peer = (
            2
            * SAMPLE
            * time_median(lambda pairs=pairs, n=n: draw_one_by_one(changes, before, pairs, n))
        )
        print(f"rank_mean, six pairs, {sharing}, {AREAS} areas: {ours:.3f} s (limit .2 s)")
        print(f"one by one: {peer:.1f} s; ratio {peer / ours:.0f}")


if __name__ == "__main__":
    main()
