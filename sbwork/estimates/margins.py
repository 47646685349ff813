"""What raking takes out of the error of a mean."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Margins", "take_out_margins"]


@dataclass(frozen=True, slots=True)
class Margins:
    """What the weights of some people were raked on.

    Attributes
    ----------
    base : numpy.ndarray, shape (n_people,)
        The weights before raking, all above 0.
    categories : numpy.ndarray of int, shape (n_people, n_variables)
        The category of each person on each variable raked on. Samples that were raked apart, such
        as two sites, must have no code in common.
    """

    base: NDArray[np.float64]
    categories: NDArray[np.intp]

    def select(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Margins:
        """Return the margins of some of the people."""
        return Margins(self.base[rows], self.categories[rows])


def take_out_margins(values: ArrayLike, margins: Margins) -> NDArray[np.float64]:
    """Return what the raked categories leave unexplained of values.

    Parameters
    ----------
    values : array_like, shape (n_people,)
        One number a person, none missing.
    margins : Margins
        What the weights were raked on.

    Returns
    -------
    numpy.ndarray, shape (n_people,)
        Residuals of least squares on the categories of every variable, weighted by the base
        weights, as R's ``survey::calibrate`` has them.

    References
    ----------
    Deville, J.-C., & Särndal, C.-E. (1992). Calibration estimators in survey sampling. Journal of
    the American Statistical Association, 87, 376-382.

    Examples
    --------
    >>> sexes = Margins(np.ones(4), np.array([[0], [0], [1], [1]]))
    >>> take_out_margins([1.0, 3.0, 5.0, 9.0], sexes).round(6).tolist()
    [-1.0, 1.0, -2.0, 2.0]
    """
    y = np.asarray(values, dtype=np.float64)
    met, place = np.unique(margins.categories, axis=0, return_inverse=True)
    place = place.reshape(-1)
    design = np.hstack(
        [(codes[:, None] == np.unique(codes)[None, :]).astype(np.float64) for codes in met.T]
    )
    # People alike in every category share one fitted value, so their means suffice.
    mass = np.bincount(place, weights=margins.base)
    means = np.bincount(place, weights=margins.base * y) / mass
    root = np.sqrt(mass)
    slopes = np.linalg.lstsq(design * root[:, None], means * root, rcond=None)[0]
    return np.asarray(y - (design @ slopes)[place])
