"""Time `compare_placebos` on 1,000 areas by 48 months, beside a plain pandas loop.

Run as ``python tests/benchmarks/bench_placebo.py``. The peer sums with ``groupby`` and takes the
ratio of each pair of areas in a Python loop; it does a hundredth of the pairs, and its time is
multiplied by a hundred.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from sbwork.cohort import Cohort, list_months
from sbwork.incidents import Incidents
from sbwork.placebo import compare_placebos

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
    areas = areas.assign(name=areas["area"], site="")
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


if __name__ == "__main__":
    main()
