"""Follow-up compared between sites at the same baseline, for people who answered both waves."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from sbwork.estimates.estimate import Estimate
from sbwork.estimates.means import complete_estimate

__all__ = ["estimate_ancova"]

_NO_SPREAD = "The scores fit without any error, so chance can not be gauged."
_TOO_FEW = "Too few linked people, or all with the same score before, to compare the sites."


def estimate_ancova(
    follow_up: ArrayLike,
    baseline: ArrayLike,
    treated: ArrayLike,
    weights: ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """Estimate the treated people's lead at follow-up over controls with the same baseline.

    Parameters
    ----------
    follow_up, baseline : array_like, shape (n_people,)
        The same people's scores after and before; a person with either missing is left out.
    treated : array_like, shape (n_people,)
        1 in the intervention site, 0 in its control.
    weights : array_like, shape (n_people,), optional
        Positive weights; equal by default.
    level : float, default .95
        Level of the interval.

    Returns
    -------
    Estimate
        ``"ancova"``, in points: the coefficient of `treated` in weighted least squares of
        follow-up on baseline and treated, HC2 standard error, n - 3 degrees of freedom.

    References
    ----------
    Vickers, A. J., & Altman, D. G. (2001). Analysing controlled trials with baseline and follow
    up measurements. BMJ, 323, 1123-1124.

    Examples
    --------
    >>> lead = estimate_ancova([2, 3, 4.1, 4, 5, 6.2], [1, 2, 3, 1, 2, 3.0], [0, 0, 0, 1, 1, 1])
    >>> round(lead.estimate, 4)
    2.0333
    """
    y, x, arm = (np.asarray(v, dtype=np.float64) for v in (follow_up, baseline, treated))
    weight = np.ones_like(y) if weights is None else np.asarray(weights, dtype=np.float64)
    known = ~(np.isnan(y) | np.isnan(x))
    y, x, arm, weight = y[known], x[known], arm[known], weight[known]
    n = float(len(y))
    design = np.column_stack([np.ones_like(x), x, arm])
    if min(arm.sum(), n - arm.sum()) < 2 or np.linalg.matrix_rank(design) < 3:
        return Estimate("ancova", n=n, unit="points", note=_TOO_FEW)
    bread = np.linalg.inv(design.T @ (weight[:, None] * design))
    beta = bread @ (design.T @ (weight * y))
    leverage = weight * np.einsum("ij,jk,ik->i", design, bread, design)
    residual = y - design @ beta
    open_ended = leverage > 1 - 1e-10
    meat = np.where(
        open_ended, 0.0, (weight * residual) ** 2 / np.where(open_ended, 1, 1 - leverage)
    )
    variance = float((bread @ (design.T @ (meat[:, None] * design)) @ bread)[2, 2])
    if variance <= 0 or n <= 3:
        return Estimate("ancova", float(beta[2]), n=n, unit="points", note=_NO_SPREAD)
    return complete_estimate("ancova", float(beta[2]), math.sqrt(variance), n - 3, level, n)
