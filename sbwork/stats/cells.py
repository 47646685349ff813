"""The scores of one site in one wave, reduced to what comparisons of means need.

The variance of a cell's mean is the linearised one of people drawn with replacement, with
n / (n - 1), each cell a sample of its own: what R's survey gives for
``svydesign(~1, strata = ~cell, weights = ~w)``. With equal weights it is s^2 / n, which is also
the HC2 variance of least squares (MacKinnon & White 1985); with unequal ones HC2 has
1 / (1 - w / sum w) for each person in place of n / (n - 1), which is nearly the same. Raked weights
take out what their margins explain, as ``survey::calibrate(calfun = "raking")`` does.

People who are in two cells tie their means together. The covariance is the sum of the products of
what each of them adds to the error of either mean, the cluster-robust CR2 of least squares on the
cells (Bell & McCaffrey 2002), a cluster a person. Where all people are in both cells and all
weights are equal, the variance of the difference is that of their change scores over n.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

_ROUNDING = 1e-18
_NULL = 1e-10


@dataclass(frozen=True)
class Margins:
    """What the weights of some people were raked on.

    base: The weights before raking, all above 0.
    categories: The category of each person on each variable raked on. Samples that were raked
        apart, such as two sites, must have no code in common.
    """

    base: NDArray[np.float64]
    categories: NDArray[np.intp]

    def select(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Margins:
        """Return the margins of some of the people."""
        return Margins(self.base[rows], self.categories[rows])

    @cached_property
    def _combinations(self) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
        """Who is alike in every category, the roots of their weights, and a basis over these.

        The orthonormal basis spans what the categories span.
        """
        place = np.zeros(len(self.base), dtype=np.intp)
        for codes in self.categories.T:
            place = np.unique(place * (codes.max(initial=0) + 1) + codes, return_inverse=True)[1]
        first = np.unique(place, return_index=True)[1]
        design = np.hstack(
            [codes[:, None] == np.unique(codes)[None, :] for codes in self.categories[first].T]
        )
        root = np.sqrt(np.bincount(place, weights=self.base))
        left, singular, _ = np.linalg.svd(root[:, None] * design, full_matrices=False)
        return place, root, left[:, singular > _NULL * singular.max(initial=0)]


def take_out_margins(values: ArrayLike, margins: Margins) -> NDArray[np.float64]:
    """Return what the raked categories leave unexplained of values.

    Source: Deville, J.-C., & Särndal, C.-E. (1992). Journal of the American Statistical
    Association, 87, 376-382.
    """
    y = np.asarray(values, dtype=np.float64)
    # People alike in every category share one fitted value, so their sums suffice.
    place, root, basis = margins._combinations
    sums = np.bincount(place, weights=margins.base * y) / root
    fitted = basis @ (basis.T @ sums) / root
    return np.asarray(y - fitted[place])


@dataclass(frozen=True, slots=True)
class Cell:
    """The scores of one site in one wave, in brief.

    n: How many people gave a score; never weighted.
    n_effective: Kish's effective number of people; equal to `n` where all weights are equal.
    mean: Weighted mean; NaN where nobody gave a score.
    variance: Weighted variance of the scores, times n / (n - 1); NaN below two people.
    mean_variance: Linearised variance of the mean; variance / n where all weights are equal.
    influence: What each row given adds to the error of the mean; the squares sum to
        `mean_variance`.
    scored: Which of the rows have a score.
    answers: The scores themselves, where nothing is weighted.
    """

    n: int
    n_effective: float
    mean: float
    variance: float
    mean_variance: float
    influence: NDArray[np.float64] = field(
        default_factory=lambda: np.zeros(0), repr=False, compare=False
    )
    scored: NDArray[np.bool_] = field(
        default_factory=lambda: np.zeros(0, dtype=bool), repr=False, compare=False
    )
    answers: NDArray[np.float64] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Link:
    """The people who are in two of the cells of a comparison.

    first, second: Which two cells, by their place among those compared.
    rows: The rows of the same people in the one cell and in the other.
    n: How many of them have a score in both.
    """

    first: int
    second: int
    rows: tuple[NDArray[np.intp], NDArray[np.intp]]
    n: int


def summarise_cell(
    scores: ArrayLike, weights: ArrayLike | None = None, margins: Margins | None = None
) -> Cell:
    """Reduce the scores of the people of a cell to what comparisons need; NaN is no score.

    With `margins`, what the weights were raked on, give everybody whose weights were raked
    together, people without a score too: they are part of what was raked.

    Source: Deville, J.-C., Särndal, C.-E., & Sautory, O. (1993). Journal of the American
    Statistical Association, 88, 1013-1020. Lumley, T. (2010). Complex Surveys. Wiley, chapters 2
    and 7.
    """
    values = np.asarray(scores, dtype=np.float64)
    weight = np.ones_like(values) if weights is None else np.asarray(weights, dtype=np.float64)
    if values.ndim != 1 or values.shape != weight.shape:
        raise ValueError("scores and weights must be one-dimensional and of one length")
    scored = ~np.isnan(values)
    used = scored if margins is None else np.ones_like(scored)
    if not (np.isfinite(weight[used]) & (weight[used] > 0)).all():
        raise ValueError("weights must be above 0 and finite")
    if margins is not None and len(margins.base) != len(values):
        raise ValueError("margins and scores must be of one length")
    n = int(scored.sum())
    still = np.zeros(len(values))
    if n == 0:
        return Cell(0, 0.0, math.nan, math.nan, math.nan, still, scored)
    share = weight[scored] / weight[scored].sum()
    n_effective = compute_kish_n(weight[scored])
    mean = float(np.sum(share * values[scored]))
    if n == 1:
        return Cell(1, n_effective, mean, math.nan, math.nan, still, scored)
    if values[scored].min() == values[scored].max():
        return Cell(n, n_effective, float(values[scored][0]), 0.0, 0.0, still, scored)
    deviations = values[scored] - mean
    variance = float(np.sum(share * deviations**2)) * n / (n - 1)
    left = np.where(scored, values - mean, 0.0)
    if margins is not None:
        left = take_out_margins(left, margins)
    pull = weight[used] * left[used] / weight[scored].sum()
    influence = still.copy()
    influence[used] = (pull - pull.mean()) * math.sqrt(len(pull) / (len(pull) - 1))
    # A plain sum: BLAS would start its threads for a few thousand numbers.
    mean_variance = float(np.square(influence).sum())
    if mean_variance < _ROUNDING * variance / n:
        return Cell(n, n_effective, mean, variance, 0.0, still, scored)
    plain = margins is None and weight[scored].min() == weight[scored].max()
    answers = values[scored] if plain else None
    return Cell(n, n_effective, mean, variance, mean_variance, influence, scored, answers)


def match_people(first: ArrayLike, second: ArrayLike) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Find the rows of the people who are in both of two cells, in the same order.

    An empty text is nobody known; a person who is twice in one of them is matched with nobody.
    """
    sides = []
    for column in (first, second):
        names = np.asarray(column, dtype=str)
        once, at, counts = np.unique(names, return_index=True, return_counts=True)
        sides.append(dict(zip(once[counts == 1].tolist(), at[counts == 1].tolist(), strict=True)))
    both = [name for name in sides[0] if name and name in sides[1]]
    one, other = (np.array([side[name] for name in both], dtype=np.intp) for side in sides)
    return one, other


def link_cells(
    cells: Sequence[Cell],
    first: int,
    second: int,
    rows: tuple[NDArray[np.intp], NDArray[np.intp]],
) -> Link:
    """Tell a comparison which people are in two of its cells.

    Source: Bell, R. M., & McCaffrey, D. F. (2002). Survey Methodology, 28, 169-181.
    """
    scored = cells[first].scored[rows[0]] & cells[second].scored[rows[1]]
    return Link(first, second, rows, int(scored.sum()))


def compute_kish_n(weights: ArrayLike) -> float:
    """Compute Kish's effective number of people, (sum w)^2 / sum w^2; NaN without weights above 0.

    Source: Kish, L. (1965). Survey Sampling. Wiley.
    """
    w = np.asarray(weights, dtype=np.float64)
    squares = float(np.sum(w**2))
    return float(w.sum()) ** 2 / squares if squares > 0 else math.nan
