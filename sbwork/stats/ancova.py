"""Follow-up compared between sites at the same baseline, for people who answered both waves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sbwork.stats.estimate import Estimate, Flag, Reason, complete_estimate

_NO_SPREAD = "The scores fit without any error, so chance cannot be gauged."
_TOO_FEW = "Too few linked people, or all with the same score before, to compare the sites."


@dataclass(frozen=True, slots=True)
class AncovaFit:
    """The lead of the treated at follow-up over controls with the same baseline.

    lead: In points; NaN where it can't be fitted.
    influence: What each person given adds to the error of `lead`, 0 for those left out; the squares
        sum to the HC2 variance.
    used: Who was not left out.
    """

    lead: float
    influence: NDArray[np.float64]
    used: NDArray[np.bool_]


def fit_ancova(
    follow_up: ArrayLike,
    baseline: ArrayLike,
    treated: ArrayLike,
    weights: ArrayLike | None = None,
) -> AncovaFit:
    """Fit weighted least squares of follow-up on baseline and treated (1, or 0 in the control).

    A person with either score missing is left out. statsmodels' WLS has the same HC2 error, but
    not each person's part in it, by which pairs with people in common are pooled.

    Source: Vickers, A. J., & Altman, D. G. (2001). BMJ, 323, 1123-1124.
    """
    y, x, arm = (np.asarray(v, dtype=np.float64) for v in (follow_up, baseline, treated))
    weight = np.ones_like(y) if weights is None else np.asarray(weights, dtype=np.float64)
    influence = np.zeros(len(y))
    known = ~(np.isnan(y) | np.isnan(x))
    y, x, arm, weight = y[known], x[known], arm[known], weight[known]
    n = len(y)
    design = np.column_stack([np.ones_like(x), x, arm])
    if min(arm.sum(), n - arm.sum()) < 2 or np.linalg.matrix_rank(design) < 3:
        return AncovaFit(math.nan, influence, known)
    bread = np.linalg.inv(design.T @ (weight[:, None] * design))
    beta = bread @ (design.T @ (weight * y))
    leverage = weight * np.einsum("ij,jk,ik->i", design, bread, design)
    residual = weight * (y - design @ beta)
    open_ended = leverage > 1 - 1e-10
    pull = np.where(open_ended, 0.0, residual / np.sqrt(np.where(open_ended, 1.0, 1 - leverage)))
    influence[known] = (design @ bread)[:, 2] * pull
    return AncovaFit(float(beta[2]), influence, known)


def pool_ancovas(fits: Sequence[AncovaFit]) -> Estimate:
    """Average the leads of several pairs of sites, each pair with the same say.

    Returns ``"ancova"``, in points. Degrees of freedom are Satterthwaite's over the fits, n - 3
    each, and never more than the number of people less 3.
    """
    n = float(np.any([fit.used for fit in fits], axis=0).sum())
    if any(math.isnan(fit.lead) for fit in fits):
        return Estimate("ancova", n=n, unit="points", note=_TOO_FEW, reason=Reason.TOO_FEW_PEOPLE)
    lead = float(np.mean([fit.lead for fit in fits]))
    together = np.mean([fit.influence for fit in fits], axis=0)
    variance = float(np.square(together).sum())
    freedom = np.array([float(fit.used.sum()) - 3 for fit in fits])
    if variance <= 0 or not (freedom > 0).all():
        return Estimate(
            "ancova", lead, n=n, unit="points", note=_NO_SPREAD, flags=(Flag.NO_INTERVAL,)
        )
    own = np.array([float(np.square(fit.influence).sum()) for fit in fits]) / len(fits) ** 2
    df = float(own.sum() ** 2 / np.sum(own**2 / freedom))
    return complete_estimate(
        "ancova", lead, math.sqrt(variance), min(df, n - 3), n=n, unit="points"
    )
