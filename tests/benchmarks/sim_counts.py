"""Measure false positives, coverage and power of every interval for counts, truth known.

Run as ``python tests/benchmarks/sim_counts.py [FRACTION]``: rewrites
``tests/reference/sim_counts.csv``, in about 15 minutes on two cores; with a fraction such as .05,
prints a rougher table and writes nothing.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

import pandas as pd

from sbwork.simulation import World, simulate_counts

SEED = 20180601
TABLE = Path(__file__).parents[1] / "reference" / "sim_counts.csv"
PHIS = (1.0, 2.0, 4.0)
DRIFTS = (0.0, 0.1)
ALONE, TOGETHER = 4000, 2500


def list_worlds() -> list[tuple[World, int]]:
    """List the worlds and the number of replications of each."""
    worlds = []
    for phi, drift in product(PHIS, DRIFTS):
        worlds += [
            (World(phi=phi, drift=drift, control=control), ALONE)
            for control in ("random", "nearest")
        ]
        worlds += [(World(phi=phi, drift=drift, n_areas=45, spread=0.1), ALONE)]
        worlds += [(World(phi=phi, drift=drift, n_pairs=n), TOGETHER) for n in (2, 3, 6)]
    return worlds


def main(fraction: float = 1.0) -> None:
    """Run them all."""
    tables = []
    with ProcessPoolExecutor(max_workers=2) as workers:
        runs = [
            workers.submit(simulate_counts, world, n=max(20, int(n * fraction)), seed=SEED + number)
            for number, (world, n) in enumerate(list_worlds())
        ]
        for run in runs:
            tables.append(run.result())
            print(tables[-1].to_string(index=False, header=len(tables) == 1), flush=True)
    if fraction >= 1:
        pd.concat(tables).to_csv(TABLE, index=False, float_format="%.4f", lineterminator="\n")


if __name__ == "__main__":
    main(*(float(argument) for argument in sys.argv[1:2]))
