"""How often drift to undo a result is above 0, half and once the largest step seen before.

Run as a script: ``python tests/studies/sim_drift.py``; a few minutes. Writes
``sbwork/compare/studies/drift.csv``, from which the report tells what the number can show.
Rows with a ratio of 1 are pairs without any change: there a share above 0 is an error.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from study import TABLES

from sbwork.stats.sensitivity import bound_drift

SEED = 20260201
RUNS = 1000
MONTHS = 12
COLUMNS = (
    "incidents_a_month", "phi", "months", "ratio", "runs", "above_0", "above_half", "above_1",
)  # fmt: skip
WORLDS = tuple(
    (level, phi, ratio) for ratio in (0.7, 1.0) for phi in (1.0, 2.0) for level in (20.0, 60.0)
)


def main() -> None:
    """Simulate every world and write the shares."""
    rows = [
        (level, phi, MONTHS, ratio, RUNS, *simulate(level, phi, ratio, RUNS))
        for level, phi, ratio in WORLDS
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    print(table.to_string(index=False))
    table.to_csv(TABLES / "drift.csv", index=False, lineterminator="\n")


def simulate(level: float, phi: float, ratio: float, runs: int) -> tuple[float, float, float]:
    """Return the shares of pairs with a breakdown value above 0, .5 and 1."""
    chance = np.random.default_rng(SEED)
    times = np.arange(-MONTHS, MONTHS)
    site = level * np.where(times < 0, 1.0, ratio)
    values = np.array(
        [
            bound_drift(
                draw(chance, site, phi), draw(chance, np.full(site.shape, level), phi), times,
                multiples=(),
            ).breakdown.estimate
            for _ in range(runs)
        ]
    )  # fmt: skip
    return tuple(float(np.mean(values > multiple)) for multiple in (0, 0.5, 1))


def draw(chance: np.random.Generator, mean: np.ndarray, phi: float) -> np.ndarray:
    """Draw counts whose variance is phi times their mean."""
    if phi == 1:
        return chance.poisson(mean).astype(float)
    return chance.negative_binomial(mean / (phi - 1), 1 / phi).astype(float)


if __name__ == "__main__":
    main()
