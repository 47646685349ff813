"""Measure how right the fall expected from the choice is, on made-up areas where nothing was done.

Run as ``python tests/studies/sim_choice.py [--fraction F] [--workers N]``: rewrites
``sbwork/compare/studies/choice.csv``, in about ten minutes on one core; with a fraction such as
.05, prints a rougher table and writes nothing.

In each draw a force of areas is made up, a site is chosen in it and a control found for it, and
the ratio of the site's change to its control's is set beside the ratio that
`sbwork.stats.selection` expects. Areas' levels have normal logs with SD ``spread``, which
favours no formula: that of `estimate_from_pool` is exact for gamma levels. Counts of a month have
variance ``phi`` times their mean. Levels drift from year to year with an SD of the log of
``drift``, either for good (``lasting``: a random walk) or for the year (passing).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
import pandas as pd
from study import SEED, run_study

from sbwork.compare.simulation import draw_counts
from sbwork.stats.selection import (
    describe_pool,
    estimate_from_pool,
    estimate_from_regression,
    estimate_from_selected,
    join_selected,
    measure_rise,
    rank_among_selected,
    select_again,
)

DRAWS = 2000
MONTHS = 12
YEARS = 5
"""Years before the start; the last of them is the period before."""

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class World:
    """Made-up areas, and how a site and its control are chosen among them.

    Attributes
    ----------
    chosen : {"highest", "highest a year earlier", "rising", "rising half-year"}
        By the year before; by the one before that; by the rise from that to the year before; by
        the rise of its last six months over the same ones a year earlier.
    control : {"nearest", "random"}
        The area nearest in count in the year before, or any other.
    areas, pool : int
        Areas of the force, and how many of them the site is chosen from.
    mean : float
        Incidents a month in the middle area.
    spread, phi, drift, lasting
        See above.
    """

    chosen: str = "highest"
    control: str = "nearest"
    areas: int = 40
    pool: int = 40
    mean: float = 4.0
    spread: float = 0.3
    phi: float = 1.0
    drift: float = 0.0
    lasting: bool = False


def list_worlds() -> list[World]:
    """List the worlds, in the order of the table."""
    drifts = ((0.0, False), (0.1, False), (0.1, True))
    worlds = [
        World("highest", control, areas, areas, mean, spread, phi, drift, lasting)
        for control, areas, mean, spread, phi, (drift, lasting) in product(
            ("random", "nearest"), (40, 120), (4.0, 20.0), (0.0, 0.1, 0.3, 0.5), (1.0, 2.0), drifts
        )
    ]
    ways = ("highest", "highest a year earlier", "rising", "rising half-year")
    return worlds + [
        World(chosen, "nearest", areas, 40, mean, 0.3, phi, drift, lasting)
        for chosen, areas, mean, (phi, drift, lasting) in product(
            ways, (60, 400), (4.0, 20.0), ((1.0, 0.0, False), (2.0, 0.1, False), (2.0, 0.1, True))
        )
    ]


def simulate_choice(world: World, *, n: int = DRAWS, seed: int = SEED) -> list[dict[str, object]]:
    """Draw a world `n` times.

    Returns
    -------
    list of dict
        One row a method: ``"pool"``, the formula; ``"regression"``; ``"selected"``, areas chosen
        again in all years. With the median observed and expected ratio, the SD of the log of the
        expected one, the share of observed ratios within its range, the share of p at most .05 of
        ``"selected"``, and the draws in which all was defined.
    """
    rng = np.random.default_rng(seed)
    rows = [row for _ in range(n) for row in _draw_choice(world, rng)]
    table = pd.DataFrame(rows, columns=["method", "own", "expected", "low", "high", "p"])
    found = []
    for method, part in table.groupby("method", sort=False):
        inside = (part["low"] <= part["own"]) & (part["own"] <= part["high"])
        found.append(
            {
                **asdict(world),
                "method": method,
                "true_ratio": math.exp(part["own"].median()),
                "expected_ratio": math.exp(part["expected"].median()),
                "sd_log": part["expected"].std(),
                "coverage": inside.mean(),
                "false_positive": (part["p"] <= 0.05).mean() if part["p"].notna().any() else None,
                "n": len(part),
            }
        )
    return found


def select_highest(counts: npt.ArrayLike, pool: int, rng: np.random.Generator) -> int:
    """Pick the area with the highest count of a random pool."""
    values = np.asarray(counts, dtype=float)
    drawn = rng.permutation(values.size)[:pool]
    return int(drawn[np.argmax(values[drawn])])


def _draw_choice(world: World, rng: np.random.Generator) -> Iterator[tuple[object, ...]]:
    years = _draw_years(world, rng)
    before, after = years[-2].sum(axis=1), years[-1].sum(axis=1)
    on = _look_back(world, years, len(years) - 1)
    site = select_highest(_measure(on), world.pool, rng)
    others = np.delete(np.arange(world.areas), site)
    control = int(rng.choice(others))
    if world.control == "nearest":
        control = int(others[np.abs(before[others] - before[site]).argmin()])
    cells = [before[site], after[site], before[control], after[control]]
    if not all(cells):
        return
    own = math.log(cells[1] / cells[0]) - math.log(cells[3] / cells[2])
    free = np.delete(np.arange(world.areas), [site, control])
    if world.chosen == "highest":
        pool = describe_pool(years[-2], before[free], after[free])
        expected = estimate_from_pool(before[site], before[control], pool)
        yield "pool", own, *_log(expected), math.nan
    if world.pool == world.areas:
        return
    known = np.column_stack([before, *(on[1:] if world.chosen == "rising" else on)])
    if world.chosen != "highest":
        expected = estimate_from_regression(known[free], after[free], known[site], known[control])
        yield "regression", own, *_log(expected), math.nan
    if world.areas < 10 * world.pool:
        return
    gap = math.log(before[control] / before[site])
    parts = [
        select_again(
            _measure([part[free] for part in _look_back(world, years, year)]),
            years[year - 1][free].sum(axis=1),
            years[year][free].sum(axis=1),
            world.pool,
            gap=gap,
        )
        for year in range(2, len(years))
    ]
    selected = join_selected(parts)
    p_value = rank_among_selected(own, selected).estimate
    yield "selected", own, *_log(estimate_from_selected(selected)), p_value


def _log(expected: object) -> tuple[float, float, float]:
    ends = ("estimate", "ci_low", "ci_high")
    logs = [math.log(getattr(expected, end)) for end in ends]
    return logs[0], logs[1], logs[2]


def _look_back(world: World, years: list[Array], year: int) -> list[Array]:
    """Return what is known of each area of the windows that it is chosen by, before `year`."""
    last, earlier = years[year - 1], years[year - 2]
    if world.chosen == "highest":
        return [last.sum(axis=1)]
    if world.chosen == "highest a year earlier":
        return [earlier.sum(axis=1)]
    months = slice(6, None) if world.chosen == "rising half-year" else slice(None)
    return [last[:, months].sum(axis=1), earlier[:, months].sum(axis=1)]


def _measure(on: list[Array]) -> Array:
    return on[0] if len(on) == 1 else measure_rise(on[1], on[0])


def _draw_years(world: World, rng: np.random.Generator) -> list[Array]:
    """Draw the months of each year, of all areas."""
    level = world.mean * np.exp(rng.normal(0, world.spread, world.areas))
    years = []
    wanted = 2 if world.pool == world.areas else YEARS + 1
    for _ in range(wanted):
        passing = rng.normal(0, world.drift / math.sqrt(2), world.areas)
        here = level if world.lasting else level * np.exp(passing)
        means = np.repeat(here[:, None], MONTHS, axis=1)
        years.append(draw_counts(means, world.phi, rng))
        if world.lasting:
            level = level * np.exp(rng.normal(0, world.drift, world.areas))
    return years


if __name__ == "__main__":
    table = run_study("choice", simulate_choice, [(each, DRAWS) for each in list_worlds()], __doc__)
    off = (table["expected_ratio"] - table["true_ratio"]).abs()
    print(f"largest difference {off.max():.3f}; beyond .03 in {(off > 0.03).sum()} of {len(off)}")
