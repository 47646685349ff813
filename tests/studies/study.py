"""What the studies share: their options, their processes, and the table that they write."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd

SEED = 20180601
TABLES = Path(__file__).parents[2] / "sbwork" / "compare" / "studies"
FEWEST_DRAWS = 20

Rows = Iterable[dict[str, Any]] | pd.DataFrame


def run_study(
    name: str,
    simulate: Callable[..., Rows],
    worlds: Sequence[tuple[Any, int]],
    about: str,
    folder: Path = TABLES,
) -> pd.DataFrame:
    """Simulate each world and write the table; with a fraction of the draws, print it instead.

    Parameters
    ----------
    simulate
        Called as ``simulate(world, n=draws, seed=seed)``, with a seed of its own for each world.
    worlds
        Worlds, each with its number of draws.
    folder
        Where the table goes; by default among those that the package carries.
    """
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--fraction", type=float, default=1.0, help="share of the draws")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    chosen = parser.parse_args()
    started, frames = time.monotonic(), []
    with ProcessPoolExecutor(max_workers=chosen.workers) as pool:
        runs = [
            pool.submit(
                simulate, world, n=max(FEWEST_DRAWS, int(n * chosen.fraction)), seed=SEED + number
            )
            for number, (world, n) in enumerate(worlds)
        ]
        for run in runs:
            frames.append(pd.DataFrame(run.result()))
            minutes = (time.monotonic() - started) / 60
            print(f"{len(frames)} of {len(worlds)} worlds, {minutes:.1f} min", flush=True)
    table = pd.concat(frames, ignore_index=True)
    print(table.to_string(index=False))
    if chosen.fraction == 1:
        table.to_csv(folder / f"{name}.csv", index=False, float_format="%.4f", lineterminator="\n")
    return table
