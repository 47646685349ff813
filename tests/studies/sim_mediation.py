"""Measure how often the mediation interval holds the truth, and how often it sees what is not.

Run as ``python tests/studies/sim_mediation.py [WORLDS]``; prints the table below. Four sites, two
with the work, two waves, 150 people a site and wave; scores are normal, site and wave have effects
of their own. The indirect change runs from work through the cause and the mediator to the outcome:
its truth is a d b. ``covered``: the 95% interval holds it. ``seen``: it leaves out 0.

With 1,000 worlds of 1,000 draws a share of .95 has a standard error of .7 percentage points, one of
.05 the same.

====  ====  ====  ======  ======  =======  ====
   a     d     b  people  errors  covered  seen
====  ====  ====  ======  ======  =======  ====
  .5    .4    .4     150  normal     .938  .990
  .3    .3    .3     150  normal     .943  .739
  .5    .4    .4     150  skewed     .947  .994
  .5    .4    .4      30  normal     .937  .500
   0    .4    .4     150  normal     .952  .048
  .5     0    .4     150  normal     .954  .046
  .5    .4     0     150  normal     .948  .052
   0    .4     0     150  normal    1.000  .000
   0     0     0     150  normal    1.000  .000
====  ====  ====  ======  ======  =======  ====

Where one of the three coefficients is 0, a change is seen about as often as 5% says; where two are,
hardly ever. Chance shocks to whole areas are not in these worlds: no interval of people sees them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from sbwork.stats.mediation import find_percentiles, fit_chain


@dataclass(frozen=True)
class World:
    """The coefficients of a path, in standard deviations of the errors; people a cell."""

    a: float
    d: float
    b: float
    n: int = 150
    skewed: bool = False


WORLDS = (
    World(0.5, 0.4, 0.4), World(0.3, 0.3, 0.3), World(0.5, 0.4, 0.4, skewed=True),
    World(0.5, 0.4, 0.4, n=30), World(0.0, 0.4, 0.4), World(0.5, 0.0, 0.4), World(0.5, 0.4, 0.0),
    World(0.0, 0.4, 0.0), World(0.0, 0.0, 0.0),
)  # fmt: skip


def run_worlds(worlds_of: Sequence[World], *, worlds: int, draws: int, seed: int) -> pd.DataFrame:
    """Return how often the interval of each world's indirect change covers, and sees one."""
    rows = []
    for number, world in enumerate(worlds_of):
        rng = np.random.default_rng([seed, number])
        cell = np.repeat(np.arange(8), world.n)
        site, after = cell // 2, cell % 2
        work = (after * (site % 2 == 0)).astype(float)
        covariates = np.column_stack([site == s for s in range(4)] + [after]).astype(float)
        truth, covered, seen = world.a * world.d * world.b, 0, 0
        for _ in range(worlds):
            errors = rng.normal(size=(3, len(cell)))
            if world.skewed:
                errors = rng.exponential(size=errors.shape) - 1
            base = 0.3 * rng.normal(size=(3, 4))[:, site] + 0.2 * after
            cause = base[0] + world.a * work + errors[0]
            mediator = base[1] + 0.1 * work + world.d * cause + errors[1]
            outcome = base[2] + 0.1 * work + 0.1 * cause + world.b * mediator + errors[2]
            chain = fit_chain(
                np.column_stack([work, cause, mediator, outcome]), covariates,
                strata=cell, draws=draws, seed=int(rng.integers(2**31)),
            )  # fmt: skip
            low, high = find_percentiles(chain.follow(0, 1, 2, 3)[1:])
            covered += low <= truth <= high
            seen += not low <= 0 <= high
        rows.append({**asdict(world), "covered": covered / worlds, "seen": seen / worlds})
    return pd.DataFrame(rows)


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    print(run_worlds(WORLDS, worlds=count, draws=1000, seed=20180601).to_string(index=False))
