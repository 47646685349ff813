"""Measure how often the rank of several pairs and its interval err, truth known.

Run as ``python tests/studies/sim_ranks.py [--fraction F] [--workers N]``: rewrites
``sbwork/compare/studies/ranks.csv``; with a fraction such as .1, prints a rougher table and writes
nothing. Pairs have controls of their own, share one, or two of three share one; sites without
control stand for themselves. A world has 120 areas that differ by a log SD of .3, or 45 by .1; a
month has 20 incidents; there are 12 months before and 12 after.

With 2,000 draws a world, a share near .05 has a standard error of .5 percentage points.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
from study import SEED, run_study

from sbwork.compare.simulation import draw_counts
from sbwork.stats.ranks import estimate_placebo_mean, rank_mean

DRAWS, SETS = 2000, 999
EFFECT = 0.7
SHARING = {
    "own": lambda n: [(pair, n + pair) for pair in range(n)],
    "shared": lambda n: [(pair, n) for pair in range(n)],
    "mixed": lambda n: [(pair, n + max(0, pair - 1)) for pair in range(n)],
    "none": lambda n: [(pair, None) for pair in range(n)],
}
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class World:
    """How areas vary, and how pairs are laid out."""

    phi: float
    drift: float
    n_pairs: int
    sharing: str
    n_areas: int


def count(means: Floats, phi: float, rng: np.random.Generator) -> Floats:
    """Draw counts of variance phi x mean, half an incident for none."""
    return np.maximum(draw_counts(means, phi, rng), 0.5)


def place(sizes: Floats, pairs: list[tuple[int, int | None]], rng: np.random.Generator) -> Floats:
    """Order the areas so that the first take the parts of `pairs`, each control like its sites."""
    while True:
        order = rng.permutation(sizes.size)
        log = np.log(sizes[order])
        if all(
            control is None or abs(log[site] - log[control]) <= math.log(1.5)
            for site, control in pairs
        ):
            return order


def simulate(world: World, n: int, seed: int = SEED) -> list[dict[str, object]]:
    """Measure false positives and coverage with no effect, coverage and power with one."""
    rng = np.random.default_rng(seed)
    pairs = SHARING[world.sharing](world.n_pairs)
    sites = np.arange(world.n_pairs)
    errors = {name: [] for name in ("false_positive", "coverage_null", "coverage", "power")}
    for _ in range(n):
        levels = 240 * np.exp(rng.normal(0, 0.3 if world.n_areas > 100 else 0.1, world.n_areas))
        before = count(levels, world.phi, rng)
        order = place(before, pairs, rng)
        before, levels = before[order], levels[order]
        later = levels * np.exp(rng.normal(0, world.drift, world.n_areas))
        after = count(later, world.phi, rng)
        fallen = after.copy()
        fallen[sites] = count(later[sites] * EFFECT, world.phi, rng)
        for effect, ended, rejected, held in (
            (1, after, "false_positive", "coverage_null"),
            (EFFECT, fallen, "power", "coverage"),
        ):
            seed = int(rng.integers(2**32))
            change = np.log(ended / before)
            rank = rank_mean(change, before, pairs, 1.5, draws=SETS, seed=seed)
            if math.isnan(rank.p_value):
                continue
            cells = [
                [side[area] for area in pair if area is not None for side in (before, ended)]
                for pair in pairs
            ]
            ratio = estimate_placebo_mean(rank, cells, pairs)
            errors[rejected].append(rank.p_value <= 0.05)
            errors[held].append(ratio.ci_low <= effect <= ratio.ci_high)
    shares = {name: float(np.mean(values)) for name, values in errors.items()}
    return [{**asdict(world), **shares, "n": len(errors["false_positive"])}]


def list_worlds() -> list[World]:
    """List the worlds, in the order of the table."""
    layouts = [*product((2, 3, 6), ("own", "shared")), (3, "mixed"), (6, "none")]
    return [
        World(phi, drift, n_pairs, sharing, n_areas)
        for n_areas, (n_pairs, sharing) in product((120, 45), layouts)
        for phi, drift in product((1.0, 2.0, 4.0), (0.0, 0.1))
    ]


if __name__ == "__main__":
    run_study("ranks", simulate, [(world, DRAWS) for world in list_worlds()], __doc__)
