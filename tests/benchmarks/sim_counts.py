"""Measure false positives, coverage and power of every interval for counts, truth known.

Run as ``python tests/benchmarks/sim_counts.py [--fraction F] [--workers N]``: rewrites
``sbwork/compare/sim_counts.csv``, in about an hour on one core; with a fraction such as .05,
prints a rougher table and writes nothing. Worlds that are done stand in ``sim_counts.partial``
beside the table, so that a run that was broken off goes on where it stopped; delete that file when
the code has changed meanwhile.

A share near .05 has a standard error of sqrt(.05 x .95 / 4000), .34 percentage points.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from itertools import product
from pathlib import Path

import pandas as pd

from sbwork.compare.simulation import World, simulate_counts

SEED = 20180601
TABLE = Path(__file__).parents[2] / "sbwork" / "compare" / "sim_counts.csv"
PARTIAL = TABLE.with_suffix(".partial")
PHIS = (1.0, 2.0, 4.0)
DRIFTS = (0.0, 0.1)
DESIGNS = ((12, 4.0), (12, 60.0), (1, 60.0), (6, 20.0), (24, 20.0))
"""Months on a side and incidents a month, besides 12 and 20."""


def list_worlds() -> list[tuple[World, int]]:
    """List the worlds with their draws, in the order of the table."""
    worlds: list[tuple[World, int]] = []
    for phi, drift in product(PHIS, DRIFTS):
        basic = World(phi=phi, drift=drift)
        worlds += [(replace(basic, control=each), 4000) for each in ("none", "random", "nearest")]
        worlds += [(replace(basic, n_areas=45, spread=0.1), 4000)]
        worlds += [(replace(basic, n_pairs=n), 3000) for n in (2, 3, 4, 5, 6)]
    for (phi, drift), n in product(((1.0, 0.0), (2.0, 0.1)), (2, 3, 6)):
        world = World(phi=phi, drift=drift, n_pairs=n)
        worlds.append((replace(world, control="shared"), 3000))
        worlds += [(replace(world, tau=tau), 2000) for tau in (0.2, 0.5)]
    for (months, mean), phi, drift in product(DESIGNS, (1.0, 2.0), DRIFTS):
        world = World(phi=phi, drift=drift, months=months, mean=mean)
        worlds += [(world, 2000), (replace(world, n_pairs=3), 1000)]
    chosen = ("highest", "rising")
    for why, mean, phi, drift in product(chosen, (4.0, 20.0), (1.0, 2.0), DRIFTS):
        world = World(phi=phi, drift=drift, mean=mean, chosen=why, control="nearest")
        worlds.append((world, 4000))
    worlds += [(World(phi=2.0, drift=0.1, chosen=why, control="none"), 4000) for why in chosen]
    for why in ("drawn", *chosen):
        worlds.append((World(phi=2.0, drift=0.1, chosen=why, control="synthetic"), 400))
    return worlds


def run_worlds(share: float, workers: int, done: dict[int, pd.DataFrame], keep: bool) -> None:
    """Run the worlds that are not `done`, adding each to it as it ends."""
    started, worlds = time.monotonic(), list_worlds()
    with ProcessPoolExecutor(max_workers=workers) as pool:
        runs = {
            pool.submit(simulate_counts, world, n=max(20, int(n * share)), seed=SEED + k): k
            for k, (world, n) in enumerate(worlds)
            if k not in done
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
        run_worlds(chosen.fraction, chosen.workers, {}, keep=False)
        return
    done: dict[int, pd.DataFrame] = {}
    if PARTIAL.exists():
        kept = pd.read_csv(PARTIAL)
        numbers = kept.pop("world").to_numpy(int)
        done = {int(number): kept[numbers == number] for number in set(numbers)}
    run_worlds(1.0, chosen.workers, done, keep=True)
    table = pd.concat([done[number] for number in sorted(done)])
    table.to_csv(TABLE, index=False, float_format="%.4f", lineterminator="\n")
    PARTIAL.unlink()


if __name__ == "__main__":
    main()
