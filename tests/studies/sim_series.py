"""How often the interrupted series sees a break where there is none, by its standard error.

Run as a script: ``python tests/studies/sim_series.py``; under a minute. Writes
``sbwork/compare/studies/series.csv``, from which the docstring of `estimate_interrupted_series`,
its test and the report take their numbers.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats
from study import TABLES

from sbwork.stats.regression import compute_newey_west, fit_shares
from sbwork.stats.trends import estimate_interrupted_series

SEED = 20260101
RUNS = 2000
LAG = 2
COLUMNS = (
    "incidents_a_month", "months_a_side", "autocorrelation", "log_sd", "runs", "newey_west",
    "wider", "wider_slope",
)  # fmt: skip
WORLDS = ((20, 12, 0.0, 0.0), (60, 12, 0.4, 0.15), (60, 24, 0.4, 0.15))


def main() -> None:
    """Simulate every world and write the shares of intervals that leave out no break."""
    rows = [
        (level, months, rho, spread, RUNS, *simulate(level, months, rho, spread))
        for level, months, rho, spread in WORLDS
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    print(table.to_string(index=False))
    table.to_csv(TABLES / "series.csv", index=False, lineterminator="\n")


def simulate(level: float, months: int, rho: float, spread: float) -> tuple[float, ...]:
    """Return the shares for Newey and West's errors alone, and for the larger of the two.

    The first two are of a break in level, the last of one in slope.
    """
    chance = np.random.default_rng(SEED)
    times = np.arange(-months, months, dtype=float)
    after = (times >= 0).astype(float)
    seasons = [np.sin(2 * np.pi * times / 12), np.cos(2 * np.pi * times / 12)]
    design = np.column_stack([np.ones_like(times), times, after, after * times, *seasons])
    seen = np.zeros(3)
    for _ in range(RUNS):
        site, control = (
            chance.poisson(level * np.exp(drift(chance, 2 * months, rho, spread))).astype(float)
            for _ in range(2)
        )
        fit = fit_shares(site, site + control, design)
        reach = stats.t.ppf(0.975, fit.df) * np.sqrt(compute_newey_west(fit, LAG)[2, 2])
        wider, slope = estimate_interrupted_series(site, control, times)
        seen += [
            abs(fit.coefficients[2]) > reach,
            not wider.ci_low <= 1 <= wider.ci_high,
            not slope.ci_low <= 0 <= slope.ci_high,
        ]
    return tuple(float(share) for share in seen / RUNS)


def drift(chance: np.random.Generator, size: int, rho: float, spread: float) -> np.ndarray:
    """Draw a first-order autoregressive series whose steps have this spread."""
    steps = chance.normal(0.0, 1.0, size) * spread
    series = np.empty(size)
    series[0] = steps[0] / np.sqrt(1 - rho**2)
    for month in range(1, size):
        series[month] = rho * series[month - 1] + steps[month]
    return series


if __name__ == "__main__":
    main()
