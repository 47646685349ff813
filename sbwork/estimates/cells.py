"""The scores of one site in one wave, reduced to what comparisons of means need.

The variance of a cell's mean is the linearised one of people drawn with replacement, with
n / (n - 1), each cell a sample of its own: what R's survey gives for
``svydesign(~1, strata = ~cell, weights = ~w)``. With equal weights it is s^2 / n, which is also
the HC2 variance of least squares (MacKinnon & White 1985); with unequal ones HC2 has
1 / (1 - w / sum w) for each person in place of n / (n - 1), which is nearly the same. Raked weights
take out what their margins explain, as ``survey::calibrate(calfun = "raking")`` does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sbwork.estimates.margins import Margins, take_out_margins

__all__ = ["Cell", "compute_kish_n", "summarise_cell"]

_ROUNDING = 1e-18


@dataclass(frozen=True, slots=True)
class Cell:
    """The scores of one site in one wave, in brief.

    Attributes
    ----------
    n : int
        How many people gave a score; never weighted.
    n_effective : float
        Kish's effective number of people; equal to `n` where all weights are equal.
    mean : float
        Weighted mean; NaN where nobody gave a score.
    variance : float
        Weighted variance of the scores, times n / (n - 1); NaN below two people.
    mean_variance : float
        Linearised variance of the mean; variance / n where all weights are equal.
    """

    n: int
    n_effective: float
    mean: float
    variance: float
    mean_variance: float


def summarise_cell(
    scores: ArrayLike, weights: ArrayLike | None = None, margins: Margins | None = None
) -> Cell:
    """Reduce scores to what the comparisons need.

    Parameters
    ----------
    scores : array_like, shape (n_people,)
        One score a person; NaN is left out.
    weights : array_like, shape (n_people,), optional
        Positive weights of any size; equal by default.
    margins : Margins, optional
        What the weights were raked on. Then give everybody whose weights were raked together,
        people without a score too: they are part of what was raked.

    Returns
    -------
    Cell
        Number of people, mean, variance, and variance of the mean.

    Raises
    ------
    ValueError
        The lengths differ, or the weight of a person with a score is not above 0.

    References
    ----------
    Deville, J.-C., Särndal, C.-E., & Sautory, O. (1993). Generalized raking procedures in survey
    sampling. Journal of the American Statistical Association, 88, 1013-1020.
    Lumley, T. (2010). Complex Surveys. Wiley, chapters 2 and 7.

    Examples
    --------
    >>> round(summarise_cell([1.0, 2.0, 3.0]).mean_variance, 4)
    0.3333
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
    if n == 0:
        return Cell(0, 0.0, math.nan, math.nan, math.nan)
    share = weight[scored] / weight[scored].sum()
    n_effective = compute_kish_n(weight[scored])
    mean = float(np.sum(share * values[scored]))
    if n == 1:
        return Cell(1, n_effective, mean, math.nan, math.nan)
    if values[scored].min() == values[scored].max():
        return Cell(n, n_effective, float(values[scored][0]), 0.0, 0.0)
    deviations = values[scored] - mean
    variance = float(np.sum(share * deviations**2)) * n / (n - 1)
    if margins is None:
        influence = share * deviations
    else:
        left = take_out_margins(np.where(scored, values - mean, 0.0), margins)
        influence = weight * left / weight[scored].sum()
    mean_variance = float(influence.var() * len(influence) ** 2 / (len(influence) - 1))
    if mean_variance < _ROUNDING * variance / n:
        mean_variance = 0.0
    return Cell(n, n_effective, mean, variance, mean_variance)


def compute_kish_n(weights: ArrayLike) -> float:
    """Compute Kish's effective number of people, (sum w)^2 / sum w^2.

    References
    ----------
    Kish, L. (1965). Survey Sampling. Wiley.

    Examples
    --------
    >>> compute_kish_n([1.0, 1.0, 2.0])
    2.6666666666666665
    """
    w = np.asarray(weights, dtype=np.float64)
    return float(w.sum() ** 2 / np.sum(w**2)) if len(w) else 0.0
