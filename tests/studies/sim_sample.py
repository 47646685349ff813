"""How often the intervals for clustered people, and for people who were lost, hold the truth.

``python tests/studies/sim_sample.py`` prints the shares of 4,000 samples; the docstrings of
`sbwork.stats.clusters.estimate_clustered_contrast` and `sbwork.stats.bounds.compute_lee_bounds`
quote them.
"""

from __future__ import annotations

import argparse

import numpy as np

from sbwork.stats.bounds import Side, compute_lee_bounds, estimate_bounds
from sbwork.stats.cells import summarise_cell
from sbwork.stats.clusters import ClusteredCell, estimate_clustered_contrast
from sbwork.stats.means import estimate_contrast

SIGNS = (1.0, -1.0, -1.0, 1.0)
TRUE = 0.3


def cover_clusters(
    draws: int, seed: int, *, streets: int = 8, rho: float = 0.1, uneven: bool = False
) -> dict[str, float]:
    """Draw two sites in two waves; how often CR2, and HC2 without clusters, hold the difference.

    People share `rho` of their variance with their street in that wave.
    """
    random = np.random.default_rng(seed)
    held = {"cr2": 0, "hc2": 0}
    for _ in range(draws):
        cells = []
        for number in range(4):
            sizes = random.integers(4, 40, streets) if uneven else np.full(streets, 18)
            street = np.repeat(np.arange(streets), sizes)
            shared = random.normal(0, np.sqrt(rho), streets)[street]
            scores = shared + random.normal(TRUE * (number == 3), np.sqrt(1 - rho), len(street))
            cells.append(ClusteredCell(scores, np.ones(len(street)), street + 100 * (number // 2)))
        found = estimate_clustered_contrast(cells, SIGNS, estimator="did")
        alone = estimate_contrast(
            [summarise_cell(cell.scores) for cell in cells], SIGNS, estimator="did"
        )
        for name, each in (("cr2", found), ("hc2", alone)):
            held[name] += each.ci_low < TRUE < each.ci_high
    return {name: count / draws for name, count in held.items()}


def cover_lee(draws: int, seed: int, *, people: int = 150) -> dict[str, float]:
    """Draw changes of which the lowest are lost where something was done: the truth is an end.

    How often the interval of Lee's bounds, and that of those who stayed, hold the difference among
    people who would have stayed on either side.
    """
    random = np.random.default_rng(seed)
    held = {"lee": 0, "stayed": 0}
    for _ in range(draws):
        sides = []
        for treated in (True, False):
            gain = random.normal(0, 1, people)
            stays = (random.random(people) < 0.85) & ((gain > -0.9) | (not treated))
            values = np.where(stays, gain + TRUE * treated, np.nan)
            sides.append(Side(treated, values, np.ones(people)))
        low, high = estimate_bounds([compute_lee_bounds(*sides)], ("low", "high"))
        cells = [summarise_cell(side.values) for side in sides]
        alone = estimate_contrast(cells, (1.0, -1.0), estimator="did")
        held["lee"] += low.ci_low < TRUE < high.ci_high
        held["stayed"] += alone.ci_low < TRUE < alone.ci_high
    return {name: count / draws for name, count in held.items()}


def main() -> None:
    """Print every share."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=4000)
    draws = parser.parse_args().draws
    for streets in (4, 8, 20):
        for uneven in (False, True):
            found = cover_clusters(draws, 20180601, streets=streets, uneven=uneven)
            print(f"{streets} streets a site, {'uneven' if uneven else 'even'}: {found}")
    print(f"Lee: {cover_lee(draws, 20180601)}")


if __name__ == "__main__":
    main()
