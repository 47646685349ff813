"""Classical reliability of a scale, from the covariance matrix of its items.

The matrix is of complete cases, reversed items already reversed; `names` are the items as a note
is to name them. pingouin's cronbach_alpha gives the same from the answers, but four figures of
every group rest on one matrix here, summed up while a million answers are read once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sbwork.stats.estimate import Estimate, Flag, Reason, Refusal, add_note

SMALLEST_RELIABILITY_SAMPLE = 10
"""Complete cases below which no reliability is given."""

_SMALLEST_VARIANCE = 1e-12

FloatArray = NDArray[np.float64]


def estimate_alpha(covariance: ArrayLike, n: int, *, names: Sequence[str] = ()) -> Estimate:
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
    if refused := find_obstacle(matrix, n, names):
        return refused.name("alpha", n=n)
    alpha, k = _compute_alpha(matrix), len(matrix)
    low, high = (
        1 - (1 - alpha) * float(fdtri(n - 1.0, (n - 1.0) * (k - 1.0), p)) for p in (0.975, 0.025)
    )
    found = Estimate("alpha", alpha, low, high, n=n)
    if alpha >= 0:
        return found
    note = "Alpha is negative: the items run against each other. Check the reverse key."
    return add_note(found, note, Flag.OPPOSED_ITEM)


def estimate_item_rest(
    covariance: ArrayLike, n: int, *, names: Sequence[str] = ()
) -> tuple[Estimate, ...]:
    """Correlate each item with the sum of the others (the corrected item-total correlation).

    Returns ``"item_rest_correlation"``, in the order of the items, without an interval.

    Source: Nunnally, J. C., & Bernstein, I. H. (1994). Psychometric Theory (3rd ed.), section 8.
    """
    matrix = _check_covariance(covariance)
    name = "item_rest_correlation"
    if refused := find_obstacle(matrix, n, names):
        return (refused.name(name, n=n),) * len(matrix)
    alike = Refusal(Reason.NO_VARIATION, "The sum of the other items is the same for all.")
    variances = np.diag(matrix)
    with_total = matrix.sum(axis=1)
    rest_variances = matrix.sum() - 2 * with_total + variances
    return tuple(
        Estimate(name, float(shared / math.sqrt(own * rest)), n=n)
        if rest > _SMALLEST_VARIANCE * own
        else alike.name(name, n=n)
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
    name = "alpha_if_dropped"
    refused = find_obstacle(matrix, n, names)
    if not refused and len(matrix) < 3:
        note = "With one of its two items dropped there is no scale left."
        refused = Refusal(Reason.TOO_FEW_ITEMS, note)
    if refused:
        return (refused.name(name, n=n),) * len(matrix)
    alike = Refusal(Reason.NO_VARIATION, "The sum of the items left is the same for everybody.")
    rests = [np.delete(np.delete(matrix, k, 0), k, 1) for k in range(len(matrix))]
    return tuple(
        alike.name(name, n=n) if _sums_alike(rest) else Estimate(name, _compute_alpha(rest), n=n)
        for rest in rests
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


def find_obstacle(covariance: FloatArray, n: int, names: Sequence[str] = ()) -> Refusal | None:
    """Find what keeps a reliability from being computed."""
    k = len(covariance)
    if k < 2:
        return Refusal(Reason.TOO_FEW_ITEMS, "A scale of one item has no internal consistency.")
    if n < SMALLEST_RELIABILITY_SAMPLE:
        people = {0: "Nobody", 1: "Only 1 person"}.get(n, f"Only {n} people")
        needed = f"at least {SMALLEST_RELIABILITY_SAMPLE} are needed"
        return Refusal(Reason.TOO_FEW_PEOPLE, f"{people} answered every item; {needed}.")
    constant = np.flatnonzero(np.diag(covariance) <= _SMALLEST_VARIANCE)
    if len(constant):
        named = [
            f"'{names[i]}'" if len(names) == k else f"item {i + 1}" for i in map(int, constant)
        ]
        return Refusal(
            Reason.NO_VARIATION, f"Everybody gave the same answer to {', '.join(named)}."
        )
    if _sums_alike(covariance):
        return Refusal(Reason.NO_VARIATION, "The sum of the items is the same for everybody.")
    return None


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
