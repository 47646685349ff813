"""Measure false positives, coverage and power of every interval for counts, truth known.

Run as ``python tests/studies/sim_counts.py [--fraction F] [--workers N]``: rewrites
``sbwork/compare/studies/counts.csv``, in about an hour on one core; with a fraction such as .05,
prints a rougher table and writes nothing.

A share near .05 has a standard error of sqrt(.05 x .95 / 4000), .34 percentage points.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from study import run_study

from sbwork.compare.simulation import World, simulate_counts

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


if __name__ == "__main__":
    run_study("counts", simulate_counts, list_worlds(), __doc__)
