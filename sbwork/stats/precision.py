"""What a difference in differences can bear: too small to matter, erased by chance, or unseen."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from sbwork.stats.estimate import Estimate, Flag, Reason, complete_estimate

_NO_SPREAD = "Everybody gave the same score, so chance cannot be gauged."
_Z_TWO_SIDED = 1.96
_Z_ONE_SIDED = 1.645


def estimate_equivalence(contrast: Estimate, spread: float, bound: float) -> Estimate:
    """Test by two one-sided tests whether a contrast is too small to matter.

    Returns ``"tost"``: the contrast in standard deviations, its 90% interval, and the larger of the
    two one-sided p-values. Below .05 the contrast lies within the bound.

    Source: Schuirmann, D. J. (1987). Journal of Pharmacokinetics and Biopharmaceutics, 15, 657-680.
    """
    from scipy import stats

    if not bound > 0:
        raise ValueError("the bound must be above 0")
    if not (contrast.se > 0 and spread > 0):
        return Estimate(
            "tost",
            n=contrast.n,
            unit="sd",
            ci_level=0.90,
            note=contrast.note or _NO_SPREAD,
            reason=contrast.reason or _find_reason(contrast),
        )
    margin = bound * spread
    above = float(stats.t.sf((contrast.estimate + margin) / contrast.se, contrast.df))
    below = float(stats.t.cdf((contrast.estimate - margin) / contrast.se, contrast.df))
    half = float(stats.t.ppf(0.95, contrast.df)) * contrast.se
    return Estimate(
        "tost",
        contrast.estimate / spread,
        (contrast.estimate - half) / spread,
        (contrast.estimate + half) / spread,
        0.90,
        p_value=max(above, below),
        se=contrast.se / spread,
        df=contrast.df,
        n=contrast.n,
        unit="sd",
    )


def _find_reason(contrast: Estimate) -> Reason:
    few = Flag.FEW_CLUSTERS in contrast.flags
    return Reason.TOO_FEW_CLUSTERS if few else Reason.NO_VARIATION


def find_verdict(p_difference: float, p_equivalence: float, alpha: float = 0.05) -> Flag:
    """Give one of three verdicts on a contrast."""
    if p_equivalence < alpha:
        return Flag.NO_MEANINGFUL_EFFECT
    return Flag.EFFECT if p_difference < alpha else Flag.INCONCLUSIVE


def compute_tau_star(contrast: Estimate, shocks: float = 4.0) -> float:
    """Compute how large a chance shock per area and wave would erase a result.

    tau* = sqrt((delta^2 / 1.96^2 - SE^2) / 4). Treatment is given to areas, not to people; with two
    sites and two waves nothing is left to measure how much areas move by themselves.
    """
    left = (contrast.estimate / _Z_TWO_SIDED) ** 2 - contrast.se**2
    return math.sqrt(left / shocks) if left > 0 else math.nan


def compute_tau_star_equivalence(contrast: Estimate, margin: float, shocks: float = 4.0) -> float:
    """Compute how large a chance shock per area and wave would hide an effect at the bound.

    sqrt(max(0, ((margin - |delta|) / 1.645)^2 - SE^2) / 4), the counterpart of tau*: with shocks of
    this size, a contrast this near zero would just not be shown to lie within the margin.
    """
    room = max(margin - abs(contrast.estimate), 0.0) / _Z_ONE_SIDED
    return math.sqrt(max(0.0, room**2 - contrast.se**2) / shocks)


def add_shocks(contrast: Estimate, shock_sd: float, shocks: float = 4.0) -> Estimate:
    """Widen a contrast's interval by chance shocks to whole areas whose size, in points, is known.

    `shocks` is the sum of the squared coefficients of the area-by-wave means: 4 for one pair, 4 / P
    for the mean of P pairs that share no site. Degrees of freedom are Satterthwaite's.
    """
    if not contrast.se > 0:
        return contrast
    variance = contrast.se**2 + shocks * shock_sd**2
    df = contrast.df * (variance / contrast.se**2) ** 2
    kept = {name: getattr(contrast, name) for name in ("n", "unit", "note", "flags")}
    return complete_estimate(contrast.estimator, contrast.estimate, math.sqrt(variance), df, **kept)


def compute_smallest_detectable_difference(
    n: ArrayLike,
    coefficients: ArrayLike | None = None,
    overlap: float = 0.0,
) -> float:
    """Compute the contrast of means that is found four times in five, in standard deviations."""
    from scipy.special import ndtri

    size = np.asarray(n, dtype=np.float64)
    c = np.ones_like(size) if coefficients is None else np.asarray(coefficients, dtype=np.float64)
    if not (size > 0).all():
        return math.nan
    variance = max(float(np.sum(c**2 / size)) + overlap, 0.0)
    return float((ndtri(0.975) + ndtri(0.8)) * math.sqrt(variance))
