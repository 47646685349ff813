"""Contrasts of cell means where people come in clusters: streets, interviewers, households.

Least squares on the cells, weighted or not, with the bias-reduced cluster-robust error CR2 and
Satterthwaite's degrees of freedom. As R's ``clubSandwich`` does for ``lm``, the working model takes
people as independent and equally restless, whatever their weights. In a saturated model of cell
means every adjustment matrix falls into blocks of one cluster in one cell, and differs from the
identity only along the ones and the weights of the block; so it takes two numbers a block, not
a matrix.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sbwork.stats.estimate import Estimate, Flag, Reason, complete_estimate

FloatArray = NDArray[np.float64]

FEWEST_DF = 4.0
"""Below so many degrees of freedom CR2 with Satterthwaite is not to be relied on."""

_NULL = 1e-12
_ALONE = "In one of the groups everybody is of one cluster, so chance among clusters can't be seen."
_FEW = "So few clusters, or so unlike in size, that the interval is known only roughly."
_ALIKE = "The clusters do not differ, so chance among them can't be gauged."


@dataclass(frozen=True, slots=True)
class ClusteredCell:
    """The scores of one site in one wave, and who belongs together.

    scores: No NaN.
    weights: Above 0, of the same length.
    clusters: The code of each person's cluster; a code may turn up in several cells.
    """

    scores: FloatArray
    weights: FloatArray
    clusters: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class _Block:
    """One cell in sums by cluster, a row each; see `_summarise_block`.

    own: What the cluster adds to the error of the mean.
    squares, ones, pulls: a'a, 1'a and w'a of a = A w / sum(w), the adjusted row of the mean.
    """

    clusters: NDArray[np.intp]
    own: FloatArray
    squares: FloatArray
    ones: FloatArray
    pulls: FloatArray
    mean: float
    mass: float
    mass_of_squares: float


def estimate_clustered_contrast(
    cells: Sequence[ClusteredCell],
    coefficients: Sequence[float],
    *,
    estimator: str,
    level: float = 0.95,
) -> Estimate:
    """Estimate a sum of coefficients times cell means, with CR2 errors by cluster.

    A cluster that is in several cells, such as a street asked in both waves, is one cluster.
    `Flag.FEW_CLUSTERS` is set below 4 degrees of freedom; where a cell holds one cluster only, the
    estimate has no interval.

    In 4,000 simulated samples of two sites in two waves, with 10% of the variance shared by the
    people of a street in a wave, 95% intervals held the truth in 94.6% with 8 streets a site of one
    size, in 95.1% with uneven ones (4 to 39 people), and in 95.3% with 4 uneven ones; without
    clusters in 77%, 71% and 71% (``tests/studies/sim_sample.py``).

    Source: Bell, R. M., & McCaffrey, D. F. (2002). Survey Methodology, 28, 169-181. Pustejovsky,
    J. E., & Tipton, E. (2018). Journal of Business & Economic Statistics, 36, 672-683.
    """
    c = np.asarray(coefficients, dtype=np.float64)
    if c.shape != (len(cells),):
        raise ValueError("there must be one coefficient a cell")
    for cell in cells:
        if not (np.isfinite(cell.weights) & (cell.weights > 0)).all():
            raise ValueError("weights must be above 0 and finite")
    n = float(sum(len(cell.scores) for cell in cells))
    if any(len(cell.scores) < 2 for cell in cells):
        note = "Fewer than two people gave a score in one of the groups."
        return Estimate(estimator, n=n, unit="points", note=note, reason=Reason.TOO_FEW_PEOPLE)
    blocks = [_summarise_block(cell) for cell in cells]
    estimate = float(c @ np.array([block.mean for block in blocks]))
    if any(len(block.clusters) < 2 for block in blocks):
        flags = (Flag.NO_INTERVAL, Flag.FEW_CLUSTERS)
        return Estimate(estimator, estimate, n=n, unit="points", note=_ALONE, flags=flags)
    variance, df = _combine_blocks(blocks, c)
    spread = max(float(np.ptp(cell.scores)) for cell in cells)
    if spread == 0 or not variance > _NULL * spread**2 / n:
        return Estimate(
            estimator, estimate, n=n, unit="points", note=_ALIKE, flags=(Flag.NO_INTERVAL,)
        )
    few = df < FEWEST_DF
    return complete_estimate(
        estimator,
        estimate,
        math.sqrt(variance),
        df,
        level,
        n=n,
        unit="points",
        note=_FEW if few else "",
        flags=(Flag.FEW_CLUSTERS,) if few else (),
    )


def count_clusters(cells: Sequence[ClusteredCell]) -> int:
    """Count the clusters that have anybody in the cells."""
    return len(np.unique(np.concatenate([cell.clusters for cell in cells]))) if cells else 0


def _summarise_block(cell: ClusteredCell) -> _Block:
    """Adjust the rows of a cell, a cluster at a time, by what the mean takes out of them.

    For cluster g with weights w, B = I - (1 w' + w 1') / W + 1 1' S / W^2, W and S the sums of all
    weights of the cell and of their squares; A is the root of its inverse. In the basis of the
    ones and of the weights about their mean B is two by two, and the identity elsewhere.
    """
    clusters, place = np.unique(cell.clusters, return_inverse=True)
    weight, mass = cell.weights, float(cell.weights.sum())
    mass_of_squares = float(np.square(weight).sum())
    mean = float(weight @ cell.scores) / mass
    left = cell.scores - mean

    def add(values: FloatArray) -> FloatArray:
        return np.asarray(np.bincount(place, values, len(clusters)), dtype=np.float64)

    size = add(np.ones_like(weight))
    along = add(weight) / np.sqrt(size)
    about = weight - (add(weight) / size)[place]
    across = np.sqrt(add(about**2))
    across = np.where(across > _NULL * along, across, 0.0)
    basis = np.zeros((len(clusters), 2, 2))
    basis[:, 0, 0] = 1 - 2 * np.sqrt(size) * along / mass + size * mass_of_squares / mass**2
    basis[:, 0, 1] = basis[:, 1, 0] = -np.sqrt(size) * across / mass
    basis[:, 1, 1] = 1.0
    values, vectors = np.linalg.eigh(basis)
    inverse = np.where(values > _NULL, 1 / np.sqrt(np.maximum(values, _NULL)), 0.0)
    seen = np.stack([along, across], axis=1)
    turned = np.einsum("gij,gi->gj", vectors, seen) * inverse / mass
    first, second = np.einsum("gij,gj->gi", vectors, turned).T
    safe = np.where(across > 0, across, 1.0)
    own = first * add(left) / np.sqrt(size) + second * add(about * left) / safe
    return _Block(
        clusters,
        own,
        first**2 + second**2,
        np.sqrt(size) * first,
        along * first + across * second,
        mean,
        mass,
        mass_of_squares,
    )


def _combine_blocks(blocks: Sequence[_Block], c: FloatArray) -> tuple[float, float]:
    """Return the variance of a contrast and Satterthwaite's degrees of freedom.

    The degrees of freedom are tr(P)^2 / tr(P P), P the products of the clusters' adjusted rows
    after the cell means are taken out of all of them: a diagonal and a matrix of low rank.
    """
    every = np.unique(np.concatenate([block.clusters for block in blocks]))
    shape = (len(every), len(blocks))
    own, diagonal = np.zeros(len(every)), np.zeros(len(every))
    ones, pulls = np.zeros(shape), np.zeros(shape)
    for number, block in enumerate(blocks):
        at = np.searchsorted(every, block.clusters)
        own[at] += c[number] * block.own
        diagonal[at] += c[number] ** 2 * block.squares
        ones[at, number] = c[number] * block.ones
        pulls[at, number] = c[number] * block.pulls
    mass = np.array([block.mass for block in blocks])
    squares = np.array([block.mass_of_squares for block in blocks])
    sides = np.hstack([pulls, ones])
    k = len(blocks)
    middle = np.zeros((2 * k, 2 * k))
    middle[:k, k:] = middle[k:, :k] = -np.diag(1 / mass)
    middle[k:, k:] = np.diag(squares / mass**2)
    low = np.einsum("gi,ij,gj->g", sides, middle, sides)
    inner = middle @ (sides.T @ sides)
    trace = float(np.sum(diagonal + low))
    square = float(np.sum(diagonal**2) + 2 * np.sum(diagonal * low) + np.trace(inner @ inner))
    return float(np.square(own).sum()), trace**2 / square if square > 0 else math.nan
