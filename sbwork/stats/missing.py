"""Means of questions that some people left out, by full-information maximum likelihood.

Answers are taken as multivariate normal with any means and covariances (a saturated model), and as
missing at random given the answers at hand. Errors are Huber and White's, from the observed
information, as lavaan's ``missing = "fiml", estimator = "MLR"`` has them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sbwork.stats.estimate import Reason, Refusal

FloatArray = NDArray[np.float64]

_MOST_STEPS = 5_000
_TOLERANCE = 1e-9
_LARGEST_CONDITION = 1e10
_MOST_COLUMNS = 40

_TOO_FEW = Refusal(
    Reason.TOO_FEW_PEOPLE,
    "Fewer people than it takes for the means and covariances of so many questions.",
)
_CONSTANT = Refusal(Reason.NO_VARIATION, "Everybody gave the same answer to one of the questions.")
_UNASKED = Refusal(Reason.NO_ANSWERS, "Nobody answered one of the questions.")
_UNSETTLED = Refusal(
    Reason.NOT_ESTIMABLE, "So much is missing that the answers do not settle on one covariance."
)
_TOO_MANY = Refusal(Reason.NOT_ESTIMABLE, "Too many questions for their covariances.")


@dataclass(frozen=True, slots=True)
class NormalFit:
    """Means and covariances of partly answered questions.

    mean, covariance: In the units of the answers; empty where there is a problem.
    influence: What each person given adds to the error of each mean, 0 for those who answered
        nothing; the squares sum to the sandwich variance, times n / (n - 1).
    n: People who answered anything.
    problem: Why there is no fit.
    """

    mean: FloatArray
    covariance: FloatArray
    influence: FloatArray
    n: int
    problem: Refusal | None = None


@dataclass(frozen=True, slots=True)
class _Pattern:
    """People who answered the same questions: which, who, and sums of their answers."""

    seen: NDArray[np.intp]
    rows: NDArray[np.intp]
    mass: float
    mean: FloatArray
    products: FloatArray


def fit_normal(answers: ArrayLike, weights: ArrayLike | None = None) -> NormalFit:
    """Fit means and covariances to answers, shape (n_people, n_questions), NaN where missing.

    By EM; with weights by pseudo-likelihood.

    Source: Little, R. J. A., & Rubin, D. B. (2020). Statistical Analysis with Missing Data, 3rd ed.
    Wiley, section 11.2. Savalei, V. (2010). Psychological Methods, 15, 352-367 (the errors).
    """
    x = np.asarray(answers, dtype=np.float64)
    w = np.ones(len(x)) if weights is None else np.asarray(weights, dtype=np.float64)
    known = ~np.isnan(x)
    used, p = np.asarray(known.any(axis=1)), x.shape[1]
    n = int(used.sum())
    problem = _find_problem(x, known, n)
    if problem:
        return _report_problem(problem, n, x.shape)
    patterns = _group(x, w, known, used)
    start = np.nanmean(x, axis=0)
    found = _maximise(patterns, start, np.diag(np.nanvar(x, axis=0)))
    if found is None or np.linalg.cond(found[1]) > _LARGEST_CONDITION:
        return _report_problem(_UNSETTLED, n, x.shape)
    mean, covariance = found
    scores, information = _differentiate(patterns, x, w, mean, covariance)
    if np.linalg.cond(information) > _LARGEST_CONDITION**1.5:
        return _report_problem(_UNSETTLED, n, x.shape)
    influence = scores @ np.linalg.inv(information)[:, :p] * np.sqrt(n / (n - 1))
    return NormalFit(mean, covariance, influence, n)


def _find_problem(x: FloatArray, known: NDArray[np.bool_], n: int) -> Refusal | None:
    if not known.any(axis=0).all():
        return _UNASKED
    if x.shape[1] > _MOST_COLUMNS:
        return _TOO_MANY
    if min(n, *known.sum(axis=0)) < x.shape[1] + 2:
        return _TOO_FEW
    if not (np.nanmax(x, axis=0) > np.nanmin(x, axis=0)).all():
        return _CONSTANT
    together = known.astype(float).T @ known.astype(float)
    return _TOO_FEW if together.min() < 2 else None


def _report_problem(problem: Refusal, n: int, shape: tuple[int, ...]) -> NormalFit:
    empty = np.empty(0)
    return NormalFit(empty, empty, np.zeros(shape), n, problem)


def _group(
    x: FloatArray, w: FloatArray, known: NDArray[np.bool_], used: NDArray[np.bool_]
) -> list[_Pattern]:
    kinds, place = np.unique(known, axis=0, return_inverse=True)
    patterns = []
    for number, kind in enumerate(kinds):
        rows = np.flatnonzero((place.ravel() == number) & used)
        if len(rows):
            seen = np.flatnonzero(kind)
            values, weight = x[np.ix_(rows, seen)], w[rows]
            mean = weight @ values / weight.sum()
            left = values - mean
            products = left.T @ (weight[:, None] * left)
            patterns.append(_Pattern(seen, rows, float(weight.sum()), mean, products))
    return patterns


def _maximise(
    patterns: list[_Pattern], mean: FloatArray, covariance: FloatArray
) -> tuple[FloatArray, FloatArray] | None:
    """Run EM over the patterns; None where it does not settle."""
    p, masses = len(mean), np.array([pattern.mass for pattern in patterns])
    seen = np.zeros((len(patterns), p), dtype=np.bool_)
    means, covariances = np.zeros((len(patterns), p)), np.zeros((len(patterns), p, p))
    for number, pattern in enumerate(patterns):
        seen[number, pattern.seen] = True
        means[number, pattern.seen] = pattern.mean
        at = np.ix_(pattern.seen, pattern.seen)
        covariances[number][at] = pattern.products / pattern.mass
    shares = masses / masses.sum()
    mean, covariance, settled = run_em(
        seen, shares, means, covariances, mean, covariance, tolerance=_TOLERANCE
    )
    return (mean, covariance) if settled and (np.diag(covariance) > 0).all() else None


def run_em(
    seen: NDArray[np.bool_],
    shares: FloatArray,
    means: FloatArray,
    covariances: FloatArray,
    mean: FloatArray,
    covariance: FloatArray,
    *,
    tolerance: float,
) -> tuple[FloatArray, FloatArray, bool]:
    """Find the likeliest mean and covariance of incomplete cases, by EM.

    `seen`, `means` and `covariances` (patterns, p[, p]) are of cases that have the same variables,
    0 for what is unseen, and `shares` (patterns,) theirs of all. It settles where neither means nor
    covariances move by more than `tolerance` standard deviations of the start.

    Source: Little, R. J. A., & Rubin, D. B. (2020). Statistical Analysis with Missing Data, 3rd ed.
    Wiley, section 11.2.
    """
    scale = np.sqrt(np.diag(covariance))
    both = seen[:, :, None] & seen[:, None, :]
    unit = np.eye(len(mean))
    for _ in range(_MOST_STEPS):
        away = (means - mean) * seen
        scatter = covariances + away[:, :, None] * away[:, None, :]
        try:
            inverse = np.linalg.inv(np.where(both, covariance, unit))
        except np.linalg.LinAlgError:
            break
        weight = np.where(both, inverse, 0.0)
        slope = covariance @ weight
        shift = shares @ (slope @ away[:, :, None])[:, :, 0]
        total = slope @ scatter @ np.swapaxes(slope, 1, 2) + covariance - slope @ covariance
        renewed = np.tensordot(shares, total, axes=(0, 0)) - np.outer(shift, shift)
        moved = max(
            np.abs(shift / scale).max(),
            np.abs((renewed - covariance) / np.outer(scale, scale)).max(),
        )
        mean, covariance = mean + shift, (renewed + renewed.T) / 2
        if moved < tolerance:
            return mean, covariance, True
    return mean, covariance, False


def _differentiate(
    patterns: list[_Pattern], x: FloatArray, w: FloatArray, mean: FloatArray, covariance: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return each person's score, and the observed information, of means and covariances.

    With K the inverse covariance of what a pattern has seen, g = K sum(r) and M = K sum(r r') K,
    r the deviations, the information is N K for the means, K D g for a mean and a direction D of
    the covariances, and tr(K D2 M D1) - N tr(K D1 K D2) / 2 for two directions.
    """
    p = len(mean)
    first, second = np.triu_indices(p)
    spread = np.zeros((p * p, len(first)))
    at = np.arange(len(first))
    spread[first * p + second, at] = 1.0
    spread[second * p + first, at] = 1.0
    scores = np.zeros((len(x), p + len(first)))
    information = np.zeros((p + len(first),) * 2)
    corner = np.zeros((p * p, p * p))
    for pattern in patterns:
        seen, inner = pattern.seen, np.zeros((p, p))
        inner[np.ix_(seen, seen)] = np.linalg.inv(covariance[np.ix_(seen, seen)])
        left = np.zeros((len(pattern.rows), p))
        left[:, seen] = x[np.ix_(pattern.rows, seen)] - mean[seen]
        weight = w[pattern.rows][:, None]
        pulled = left @ inner
        scores[pattern.rows, :p] = weight * pulled
        pairs = np.einsum("ni,nj->nij", pulled, pulled) - inner
        scores[pattern.rows, p:] = weight * (pairs.reshape(len(left), -1) @ spread) / 2
        information[:p, :p] += pattern.mass * inner
        summed = (weight * pulled).sum(axis=0)
        information[:p, p:] += np.kron(summed, inner) @ spread
        moments = pulled.T @ (weight * pulled)
        corner += (np.kron(moments, inner) + np.kron(inner, moments)) / 2
        corner -= pattern.mass / 2 * np.kron(inner, inner)
    information[p:, :p] = information[:p, p:].T
    information[p:, p:] = spread.T @ corner @ spread
    return scores, information
