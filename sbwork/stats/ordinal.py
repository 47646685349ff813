"""Answers compared by their order alone: ranks, and the cumulative logit model."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sbwork.stats.estimate import Estimate, Reason, Refusal, complete_estimate

FloatArray = NDArray[np.float64]
Codes = NDArray[np.intp]

_MOST_STEPS = 100
_TOLERANCE = 1e-9
_FARTHEST = 12.0
_TOO_FEW = Refusal(
    Reason.TOO_FEW_PEOPLE, "Fewer than two people have a score in one of the groups."
)
_NO_SPREAD = Refusal(Reason.NO_VARIATION, "Everybody gave the same score.")
_SEPARATED = Refusal(
    Reason.NOT_ESTIMABLE, "The scores of two groups do not overlap, so the odds have no limit."
)
_UNSETTLED = Refusal(Reason.NOT_ESTIMABLE, "The model's steps did not settle on an answer.")


def estimate_superiority(before: FloatArray, after: FloatArray) -> Estimate:
    """Estimate how often somebody of the second group is above somebody of the first.

    Ties count half. Returns ``"probability_of_superiority"``, a share with no interval: .5 where
    neither is above. The p value is Mann and Whitney's, normal with ties and continuity corrected.

    Source: Mann, H. B., & Whitney, D. R. (1947). Annals of Mathematical Statistics, 18, 50-60.
    """
    from scipy.stats import mannwhitneyu

    name, n = "probability_of_superiority", float(len(before) + len(after))
    if min(len(before), len(after)) < 2:
        return _TOO_FEW.name(name, n=n, unit="share")
    if np.ptp(np.concatenate([before, after])) == 0:
        return _NO_SPREAD.name(name, n=n, unit="share")
    test = mannwhitneyu(after, before, method="asymptotic", use_continuity=True)
    share = float(test.statistic) / (len(before) * len(after))
    return Estimate(name, share, p_value=float(test.pvalue), n=n, unit="share")


def estimate_ordered_contrast(
    scores: FloatArray,
    cells: Codes,
    coefficients: Sequence[float],
    weights: FloatArray | None = None,
    groups: Codes | None = None,
    *,
    estimator: str = "ordered_logit",
) -> Estimate:
    """Estimate a contrast of cells on the log odds of a higher score, as an odds ratio.

    The cumulative logit (proportional odds) model: every distinct score is a category of its own,
    however many there are, so that nothing but their order counts. `cells` are codes from 0;
    `coefficients`, one a cell, sum to 0. Errors are those of the model, or, with `weights` or with
    `groups` of people who belong together, the sandwich by group.

    Source: McCullagh, P. (1980). Journal of the Royal Statistical Society B, 42, 109-142. Liu, Q.,
    Shepherd, B. E., Li, C., & Harrell, F. E. (2017). Statistics in Medicine, 36, 4316-4335 (with
    many distinct values).
    """
    c = np.asarray(coefficients, dtype=np.float64)
    n, k = len(scores), len(c)
    refused = _find_problem(scores, cells, k)
    if refused:
        return refused.name(estimator, n=float(n), unit="ratio")
    levels, level = np.unique(scores, return_inverse=True)
    weight = np.ones(n) if weights is None else weights
    # People of one cell and score are alike: their sums suffice.
    row = cells * len(levels) + level
    rows, place = np.unique(row, return_inverse=True)
    model = _Model(rows // len(levels), rows % len(levels), k, len(levels))
    mass = np.asarray(np.bincount(place, weight), dtype=np.float64)
    found = model.fit(mass)
    if found is None:
        return _UNSETTLED.name(estimator, n=float(n), unit="ratio")
    parameters, information = found
    slopes = np.concatenate([[0.0], parameters[len(levels) - 1 :]])
    if np.ptp(slopes) > _FARTHEST:
        return _SEPARATED.name(estimator, n=float(n), unit="ratio")
    direction = np.concatenate([np.zeros(len(levels) - 1), c[1:]])
    reach = np.linalg.solve(information, direction)
    variance = float(direction @ reach)
    if weights is not None or groups is not None:
        pull = (model.list_scores(parameters) @ reach)[place] * weight
        together = pull if groups is None else np.bincount(groups, pull)
        variance = float(np.square(together).sum())
    return complete_estimate(
        estimator,
        float(c @ slopes),
        math.sqrt(variance),
        n=float(n),
        unit="ratio",
        turn=math.exp,
    )


def _find_problem(scores: FloatArray, cells: Codes, k: int) -> Refusal | None:
    if (np.bincount(cells, minlength=k) < 2).any():
        return _TOO_FEW
    low, high = scores.min(), scores.max()
    if low == high:
        return _NO_SPREAD
    inside = [scores[cells == cell] for cell in range(k)]
    if any(own.max() == low or own.min() == high for own in inside):
        return _SEPARATED
    return None


class _Model:
    """The cumulative logit model of rows of (cell, level); the first cell is the reference."""

    def __init__(self, cell: Codes, level: Codes, n_cells: int, n_levels: int) -> None:
        cuts, rows = n_levels - 1, np.arange(len(cell))
        self.n_cuts = cuts
        self.above = np.zeros((len(cell), cuts + n_cells - 1))
        self.below = self.above.copy()
        self.level = level
        for side, at in ((self.above, level), (self.below, level - 1)):
            inside = (at >= 0) & (at < cuts)
            side[rows[inside], at[inside]] = 1.0
            moved = cell > 0
            side[rows[moved], cuts + cell[moved] - 1] = -1.0

    def _measure(self, parameters: FloatArray) -> tuple[FloatArray, ...]:
        """Return the probability of each row, and the densities and their slopes at its ends."""
        top, bottom = self.level >= self.n_cuts, self.level <= 0
        high = np.where(top, 1.0, _squash(self.above @ parameters))
        low = np.where(bottom, 0.0, _squash(self.below @ parameters))
        upper, lower = high * (1 - high), low * (1 - low)
        return high - low, upper, lower, upper * (1 - 2 * high), lower * (1 - 2 * low)

    def list_scores(self, parameters: FloatArray) -> FloatArray:
        """Return the score of one person of each row."""
        share, upper, lower, _, _ = self._measure(parameters)
        return np.asarray(
            (upper / share)[:, None] * self.above - (lower / share)[:, None] * self.below
        )

    def fit(self, mass: FloatArray) -> tuple[FloatArray, FloatArray] | None:
        """Find the maximum by Newton's method, and the information there; None if there is none."""
        total = np.bincount(self.level, mass, self.n_cuts + 1)
        reached = np.cumsum(total)[:-1] / total.sum()
        parameters = np.zeros(self.above.shape[1])
        parameters[: self.n_cuts] = np.log(reached / (1 - reached))
        best = self._sum_log(parameters, mass)
        for _ in range(_MOST_STEPS):
            gradient = mass @ self.list_scores(parameters)
            information = self._inform(parameters, mass)
            try:
                step = np.linalg.solve(information, gradient)
            except np.linalg.LinAlgError:
                return None
            if float(gradient @ step) < _TOLERANCE:
                return parameters + step, self._inform(parameters + step, mass)
            for _ in range(_MOST_STEPS):
                value = self._sum_log(parameters + step, mass)
                if value >= best:
                    break
                step = step / 2
            else:
                return None
            parameters, best = parameters + step, value
        return None

    def _sum_log(self, parameters: FloatArray, mass: FloatArray) -> float:
        share = self._measure(parameters)[0]
        return float(mass @ np.log(share)) if (share > 0).all() else -math.inf

    def _inform(self, parameters: FloatArray, mass: FloatArray) -> FloatArray:
        share, upper, lower, bend, curve = self._measure(parameters)
        highs = mass * ((upper / share) ** 2 - bend / share)
        lows = mass * ((lower / share) ** 2 + curve / share)
        both = self.above.T @ ((mass * upper * lower / share**2)[:, None] * self.below)
        return np.asarray(
            self.above.T @ (highs[:, None] * self.above)
            + self.below.T @ (lows[:, None] * self.below)
            - both
            - both.T
        )


def _squash(values: FloatArray) -> FloatArray:
    from scipy.special import expit

    return np.asarray(expit(values))
