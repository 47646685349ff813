"""p-values adjusted for the number of questions asked at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray


def adjust_holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjust p-values to control the chance of even one false alarm (Holm 1979).

    Source: Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian
    Journal of Statistics, 6, 65-70.
    """
    return _adjust(p_values, _step_down)


def adjust_benjamini_hochberg(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjust p-values to control the share of false alarms (Benjamini & Hochberg 1995).

    Source: Benjamini, Y., & Hochberg, Y. (1995). Controlling the false discovery rate. Journal of
    the Royal Statistical Society B, 57, 289-300.
    """
    return _adjust(p_values, _step_up)


def _adjust(
    p_values: ArrayLike, step: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> NDArray[np.float64]:
    p = np.array(p_values, dtype=np.float64)
    if p.ndim != 1:
        raise ValueError("p_values must be one-dimensional")
    known = np.flatnonzero(~np.isnan(p))
    if ((p[known] < 0) | (p[known] > 1)).any():
        raise ValueError("a p-value lies outside 0 to 1")
    order = known[np.argsort(p[known], kind="stable")]
    p[order] = np.minimum(step(p[order]), 1.0)
    return p


def _step_down(ascending: NDArray[np.float64]) -> NDArray[np.float64]:
    factors = np.arange(len(ascending), 0, -1)
    return np.maximum.accumulate(factors * ascending)


def _step_up(ascending: NDArray[np.float64]) -> NDArray[np.float64]:
    count = len(ascending)
    factors = count / np.arange(1, count + 1)
    return np.minimum.accumulate((factors * ascending)[::-1])[::-1]
