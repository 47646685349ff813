"""What raking takes out of the error of a mean."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
    def _combinations(self) -> _Combinations:
        return _combine(self.base, self.categories)


@dataclass(frozen=True, slots=True)
class _Combinations:
    """People alike in every category, and the space that the categories span.

    place: The combination of each person.
    mass: Sums of the base weights.
    basis: Orthonormal, over the square roots of `mass`.
    """

    place: NDArray[np.intp]
    mass: NDArray[np.float64]
    basis: NDArray[np.float64]


def _combine(base: NDArray[np.float64], categories: NDArray[np.intp]) -> _Combinations:
    place = np.zeros(len(base), dtype=np.intp)
    for codes in categories.T:
        place = np.unique(place * (codes.max(initial=0) + 1) + codes, return_inverse=True)[1]
    first = np.unique(place, return_index=True)[1]
    design = np.hstack(
        [codes[:, None] == np.unique(codes)[None, :] for codes in categories[first].T]
    )
    mass = np.bincount(place, weights=base).astype(np.float64)
    left, singular, _ = np.linalg.svd(np.sqrt(mass)[:, None] * design, full_matrices=False)
    return _Combinations(place, mass, left[:, singular > _NULL * singular.max(initial=0)])


def take_out_margins(values: ArrayLike, margins: Margins) -> NDArray[np.float64]:
    """Return what the raked categories leave unexplained of values.

    Source: Deville, J.-C., & Särndal, C.-E. (1992). Calibration estimators in survey sampling.
    Journal of the American Statistical Association, 87, 376-382.
    """
    y = np.asarray(values, dtype=np.float64)
    alike = margins._combinations
    # People alike in every category share one fitted value, so their sums suffice.
    root = np.sqrt(alike.mass)
    sums = np.bincount(alike.place, weights=margins.base * y) / root
    fitted = alike.basis @ (alike.basis.T @ sums) / root
    return np.asarray(y - fitted[alike.place])
