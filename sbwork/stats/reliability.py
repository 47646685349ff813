"""Classical reliability of a scale, from the covariance matrix of its items."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sbwork.stats.estimate import Estimate, Flag, Reason

SMALLEST_RELIABILITY_SAMPLE = 10
"""Complete cases below which no reliability is given."""

_SMALLEST_VARIANCE = 1e-12

FloatArray = NDArray[np.float64]


def estimate_alpha(
    covariance: ArrayLike, n: int, *, names: Sequence[str] = (), ci_level: float = 0.95
) -> Estimate:
    """Estimate Cronbach's alpha with Feldt's interval.

    ``alpha = k / (k - 1) (1 - trace(S) / sum(S))``; the interval is ``1 - (1 - alpha) F(p; n - 1,
    (n - 1)(k - 1))`` with p = .975 and .025 at 95%.

    Returns ``"alpha"``, without a unit. Missing, with the reason, when there are fewer than two
    items or ten complete cases, or when an item does not vary.

    Source: Cronbach, L. J. (1951). Psychometrika, 16, 297-334. Feldt, L. S., Woodruff, D. J., &
    Salih, F. A. (1987). Applied Psychological Measurement, 11, 93-103.
    """
    from scipy.special import fdtri

    matrix = _check_covariance(covariance)
    if obstacle := find_obstacle(matrix, n, names):
        reason, note = obstacle
        return Estimate("alpha", ci_level=ci_level, n=n, note=note, reason=reason)
    alpha = _compute_alpha(matrix)
    k = len(matrix)
    degrees = (n - 1.0, (n - 1.0) * (k - 1.0))
    tail = (1 - ci_level) / 2
    return Estimate(
        "alpha",
        alpha,
        ci_low=1 - (1 - alpha) * float(fdtri(*degrees, 1 - tail)),
        ci_high=1 - (1 - alpha) * float(fdtri(*degrees, tail)),
        ci_level=ci_level,
        n=n,
        note=(
            "Alpha is negative: the items run against each other. Check the reverse key."
            if alpha < 0
            else ""
        ),
        flags=(Flag.OPPOSED_ITEM,) if alpha < 0 else (),
    )


def estimate_item_rest(
    covariance: ArrayLike, n: int, *, names: Sequence[str] = ()
) -> tuple[Estimate, ...]:
    """Correlate each item with the sum of the others (the corrected item-total correlation).

    Returns ``"item_rest_correlation"``, in the order of the items, without an interval.

    Source: Nunnally, J. C., & Bernstein, I. H. (1994). Psychometric Theory (3rd ed.), section 8.
    """
    matrix = _check_covariance(covariance)
    if obstacle := find_obstacle(matrix, n, names):
        return (_miss("item_rest_correlation", n, *obstacle),) * len(matrix)
    variances = np.diag(matrix)
    with_total = matrix.sum(axis=1)
    rest_variances = matrix.sum() - 2 * with_total + variances
    return tuple(
        Estimate("item_rest_correlation", float(shared / math.sqrt(own * rest)), n=n)
        if rest > _SMALLEST_VARIANCE * own
        else _miss(
            "item_rest_correlation",
            n,
            Reason.NO_VARIATION,
            "The sum of the other items is the same for all.",
        )
        for shared, own, rest in zip(with_total - variances, variances, rest_variances, strict=True)
    )


def estimate_alpha_if_dropped(
    covariance: ArrayLike, n: int, *, names: Sequence[str] = ()
) -> tuple[Estimate, ...]:
    """Compute the alpha that is left when one item is taken out, for each item.

    Returns ``"alpha_if_dropped"``, in the order of the items. Missing, with the reason, when fewer
    than two items would be left.

    Source: Cronbach, L. J. (1951). Psychometrika, 16, 297-334.
    """
    matrix = _check_covariance(covariance)
    obstacle = find_obstacle(matrix, n, names)
    if not obstacle and len(matrix) < 3:
        note = "With one of its two items dropped there is no scale left."
        obstacle = Reason.TOO_FEW_ITEMS, note
    if obstacle:
        return (_miss("alpha_if_dropped", n, *obstacle),) * len(matrix)
    items = np.arange(len(matrix))
    return tuple(
        _estimate_rest_alpha(matrix[np.ix_(kept, kept)], n)
        for kept in (items[items != item] for item in items)
    )


def find_opposed_items(covariance: ArrayLike) -> NDArray[np.bool_]:
    """Mark the items that run against the majority: the minority sign on the first component.

    Source: Jolliffe, I. T. (2002). Principal Component Analysis (2nd ed.), section 3.
    """
    matrix = _check_covariance(covariance)
    sd = np.sqrt(np.maximum(np.diag(matrix), _SMALLEST_VARIANCE))
    first = np.linalg.eigh(matrix / np.outer(sd, sd)).eigenvectors[:, -1]
    negative = first < 0
    if 2 * negative.sum() == len(negative):
        return np.asarray(negative != negative[0])
    return np.asarray(~negative if 2 * negative.sum() > len(negative) else negative)


def find_obstacle(
    covariance: FloatArray, n: int, names: Sequence[str] = ()
) -> tuple[Reason, str] | None:
    """Find what keeps a reliability from being computed: the reason, and in words; or None."""
    k = len(covariance)
    if k < 2:
        return Reason.TOO_FEW_ITEMS, "A scale of one item has no internal consistency."
    if n < SMALLEST_RELIABILITY_SAMPLE:
        people = {0: "Nobody", 1: "Only 1 person"}.get(n, f"Only {n} people")
        needed = f"at least {SMALLEST_RELIABILITY_SAMPLE} are needed"
        return Reason.TOO_FEW_PEOPLE, f"{people} answered every item; {needed}."
    constant = np.flatnonzero(np.diag(covariance) <= _SMALLEST_VARIANCE)
    if len(constant):
        named = [
            f"'{names[i]}'" if len(names) == k else f"item {i + 1}" for i in map(int, constant)
        ]
        return Reason.NO_VARIATION, f"Everybody gave the same answer to {', '.join(named)}."
    if _sums_alike(covariance):
        return Reason.NO_VARIATION, "The sum of the items is the same for everybody."
    return None


def _estimate_rest_alpha(matrix: FloatArray, n: int) -> Estimate:
    if _sums_alike(matrix):
        note = "The sum of the items left is the same for everybody."
        return _miss("alpha_if_dropped", n, Reason.NO_VARIATION, note)
    return Estimate("alpha_if_dropped", _compute_alpha(matrix), n=n)


def _miss(estimator: str, n: int, reason: Reason, note: str) -> Estimate:
    return Estimate(estimator, n=n, note=note, reason=reason)


def _compute_alpha(matrix: FloatArray) -> float:
    k = len(matrix)
    return float(k / (k - 1) * (1 - np.trace(matrix) / matrix.sum()))


def _sums_alike(matrix: FloatArray) -> bool:
    return bool(matrix.sum() <= _SMALLEST_VARIANCE * np.trace(matrix))


def _check_covariance(covariance: ArrayLike) -> FloatArray:
    matrix = np.asarray(covariance, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"the covariance matrix must be square, found shape {matrix.shape}")
    return matrix
