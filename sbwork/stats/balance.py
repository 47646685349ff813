"""How unlike two groups of people are, in standard deviations, however many they are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from sbwork.stats.cells import Cell
from sbwork.stats.estimate import Estimate, Flag, Reason

IMBALANCE = 0.1
"""Above this a difference is worth a look (Austin 2009)."""

UNLIKE = 0.25
"""Above this adjustment by regression is not to be trusted (Stuart 2010)."""

_ROUNDING = 1e-9
_NO_SPREAD = "Everybody is alike within both groups: there is no standard deviation to measure by."
_NOBODY = "Nobody in one of the groups is known."
_ALONE = "Only one person in one of the groups is known."


def estimate_standardised_mean(
    one: Cell, other: Cell, estimator: str = "standardised_difference"
) -> Estimate:
    """Estimate how far the mean of one group lies above the other's, in standard deviations.

    d = (m1 - m2) / sqrt((s1^2 + s2^2) / 2), weighted means and variances where there are weights.

    Source: Austin, P. C. (2009). Statistics in Medicine, 28, 3083-3107, section 3.1.
    """
    n = float(one.n + other.n)
    if min(one.n, other.n) < 2:
        nobody = min(one.n, other.n) == 0
        note = _NOBODY if nobody else _ALONE
        reason = Reason.NO_ANSWERS if nobody else Reason.TOO_FEW_PEOPLE
        return Estimate(estimator, n=n, unit="sd", note=note, reason=reason)
    spread = math.sqrt((one.variance + other.variance) / 2)
    gap = one.mean - other.mean
    return _flag_difference(estimator, gap / spread if spread > 0 else gap and math.inf, n)


def estimate_standardised_shares(
    one: Mapping[Any, float],
    other: Mapping[Any, float],
    estimator: str = "standardised_difference",
) -> Estimate:
    """Estimate how far two groups differ in the shares of their categories, never below 0.

    `one` and `other` have the sums of the weights, or the numbers, of people by category. With two
    categories it is |p1 - p2| / sqrt((p1 (1 - p1) + p2 (1 - p2)) / 2); with more, the Mahalanobis
    distance sqrt((p1 - p2)' S^-1 (p1 - p2)) of all shares but one, S the mean of the two groups'
    multinomial covariances. `n` is not set.

    Source: Yang, D., & Dalton, J. E. (2012). A unified approach to measuring the effect size
    between two groups using SAS. SAS Global Forum, paper 335.
    """
    names = [name for name in {**one, **other} if one.get(name, 0) or other.get(name, 0)]
    counts = np.array([[group.get(name, 0.0) for name in names] for group in (one, other)])
    if not counts.size or not (counts.sum(axis=1) > 0).all():
        return Estimate(estimator, unit="sd", note=_NOBODY, reason=Reason.NO_ANSWERS)
    shares = counts / counts.sum(axis=1, keepdims=True)
    gap = (shares[0] - shares[1])[1:]
    spread = np.mean([np.diag(p) - np.outer(p, p) for p in shares[:, 1:]], axis=0)
    solved = np.linalg.pinv(spread, rcond=_ROUNDING, hermitian=True) @ gap
    # Two groups with no category in common lie infinitely far apart.
    inside = np.allclose(spread @ solved, gap, atol=_ROUNDING)
    return _flag_difference(estimator, math.sqrt(max(gap @ solved, 0)) if inside else math.inf)


def _flag_difference(estimator: str, difference: float, n: float = math.nan) -> Estimate:
    if math.isinf(difference):
        note = _NO_SPREAD
        return Estimate(estimator, n=n, unit="sd", note=note, reason=Reason.NO_VARIATION)
    limits = {Flag.IMBALANCED: IMBALANCE, Flag.UNLIKE: UNLIKE}
    flags = tuple(flag for flag, limit in limits.items() if abs(difference) > limit)
    return Estimate(estimator, difference, n=n, unit="sd", flags=flags)
