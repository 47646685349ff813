"""Measure false positives, coverage and power of every interval for counts, truth known.

Run as ``python tests/benchmarks/sim_counts.py [--fraction F] [--workers N]``: rewrites
``tests/reference/sim_counts.csv``, in about half an hour on one core; with a fraction such as .05,
prints a rougher table and writes nothing. Worlds that are done stand in ``sim_counts.partial``
beside the table, so that a run that was broken off goes on where it stopped; delete that file when
the code has changed meanwhile.

A share near .05 has a standard error of sqrt(.05 x .95 / 6000), .28 percentage points.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import product
from pathlib import Path

import pandas as pd

from sbwork.simulation import World, simulate_counts

SEED = 20180601
TABLE = Path(__file__).parents[1] / "reference" / "sim_counts.csv"
PARTIAL = TABLE.with_suffix(".partial")
PHIS = (1.0, 2.0, 4.0)
DRIFTS = (0.0, 0.1)
DRAWS = 6000


def list_worlds() -> list[World]:
    """List the worlds, in the order of the table."""
    worlds = []
    for phi, drift in product(PHIS, DRIFTS):
        worlds += [World(phi=phi, drift=drift, control=each) for each in ("random", "nearest")]
        worlds += [World(phi=phi, drift=drift, n_areas=45, spread=0.1)]
        worlds += [World(phi=phi, drift=drift, n_pairs=n) for n in (2, 3, 6)]
    return worlds


def run_worlds(draws: int, workers: int, done: dict[int, pd.DataFrame], keep: bool) -> None:
    """Run the worlds that are not `done`, adding each to it as it ends."""
    started, worlds = time.monotonic(), list_worlds()
    with ProcessPoolExecutor(max_workers=workers) as pool:
        runs = {
            pool.submit(simulate_counts, world, n=draws, seed=SEED + number): number
            for number, world in enumerate(worlds)
            if number not in done
        }
        for run in as_completed(runs):
            number = runs[run]
            done[number] = run.result()
            minutes = (time.monotonic() - started) / 60
            print(f"{len(done)} of {len(worlds)} worlds, {minutes:.1f} min", flush=True)
            print(done[number].to_string(index=False), flush=True)
            if keep:
                rows = done[number].assign(world=number)
                rows.to_csv(PARTIAL, mode="a", index=False, header=not PARTIAL.exists())


def main() -> None:
    """Run them all, or go on."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fraction", type=float, default=1.0, help="share of the draws")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    chosen = parser.parse_args()
    if chosen.fraction < 1:
        run_worlds(max(20, int(DRAWS * chosen.fraction)), chosen.workers, {}, keep=False)
        return
    done: dict[int, pd.DataFrame] = {}
    if PARTIAL.exists():
        kept = pd.read_csv(PARTIAL)
        numbers = kept.pop("world").to_numpy(int)
        done = {int(number): kept[numbers == number] for number in set(numbers)}
    run_worlds(DRAWS, chosen.workers, done, keep=True)
    table = pd.concat([done[number] for number in sorted(done)])
    table.to_csv(TABLE, index=False, float_format="%.4f", lineterminator="\n")
    PARTIAL.unlink()


if __name__ == "__main__":
    main()
