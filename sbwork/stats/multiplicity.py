"""p-values adjusted for the number of questions asked at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def adjust_holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjust p-values to control the chance of even one false alarm; NaN is no test, and stays.

    Source: Holm, S. (1979). Scandinavian Journal of Statistics, 6, 65-70.
    """
    return _adjust(p_values, "holm")


def adjust_benjamini_hochberg(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjust p-values to control the share of false alarms; NaN is no test, and stays.

    Source: Benjamini, Y., & Hochberg, Y. (1995). Journal of the Royal Statistical Society B, 57,
    289-300.
    """
    return _adjust(p_values, "fdr_bh")


def adjust_family(p_values: ArrayLike, declared: ArrayLike) -> NDArray[np.float64]:
    """Adjust a family split in two: Holm for the tests `declared` beforehand, else the other."""
    p, first = np.array(p_values, dtype=np.float64), np.asarray(declared, dtype=bool)
    p[first], p[~first] = adjust_holm(p[first]), adjust_benjamini_hochberg(p[~first])
    return p


def _adjust(p_values: ArrayLike, method: str) -> NDArray[np.float64]:
    # statsmodels' multipletests collects all garbage at each call of Holm's method: 0.2 s.
    from pingouin import multicomp

    p = np.array(p_values, dtype=np.float64)
    if p.ndim != 1:
        raise ValueError("p_values must be one-dimensional")
    if ((p < 0) | (p > 1)).any():
        raise ValueError("a p-value lies outside 0 to 1")
    known = ~np.isnan(p)
    if known.any():
        p[known] = multicomp(p[known], method=method)[1]
    return p
