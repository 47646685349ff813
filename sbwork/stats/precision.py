"""What a difference in differences can bear: too small to matter, erased by chance, or unseen."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from sbwork.stats.estimate import (
    Estimate,
    Flag,
    Reason,
    complete_estimate,
    find_critical_value,
)
from sbwork.stats.means import invert_noncentral_t

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
    variance, df = add_shock_variance(contrast.se**2, contrast.df, shock_sd, shocks)
    kept = {name: getattr(contrast, name) for name in ("n", "unit", "note", "flags")}
    return complete_estimate(contrast.estimator, contrast.estimate, math.sqrt(variance), df, **kept)


def add_shock_variance(
    variance: float, df: float, shock_sd: float, shocks: float
) -> tuple[float, float]:
    """Add chance shocks of known size to a variance: the sum, and its degrees of freedom."""
    total = variance + shocks * shock_sd**2
    return total, df * (total / variance) ** 2


def compute_smallest_detectable_difference(
    n: ArrayLike,
    coefficients: ArrayLike | None = None,
    overlap: float = 0.0,
) -> float:
    """Compute the contrast of means that is found four times in five, in standard deviations."""
    size = np.asarray(n, dtype=np.float64)
    c = np.ones_like(size) if coefficients is None else np.asarray(coefficients, dtype=np.float64)
    if not (size > 0).all():
        return math.nan
    variance = max(float(np.sum(c**2 / size)) + overlap, 0.0)
    return compute_detectable_errors() * math.sqrt(variance)


def compute_detectable_errors(
    df: float = math.inf, *, power: float = 0.8, alpha: float = 0.05
) -> float:
    """Compute how many standard errors a true difference must measure to be found so often.

    By a two-sided t test with `df` degrees of freedom, in the difference's own direction: the
    noncentrality at which t lies above its critical value with probability `power`. 2.80 for a
    normal test at the default.

    Source: Cohen, J. (1988). Statistical power analysis for the behavioral sciences, chapter 2.
    """
    from scipy.special import ndtri

    critical = find_critical_value(df, 1 - alpha)
    if math.isinf(df):
        return critical + float(ndtri(power))
    return invert_noncentral_t(critical, df, 1 - power)


def predict_change_precision(
    coefficients: ArrayLike,
    before: ArrayLike,
    after: ArrayLike,
    both: ArrayLike = 0.0,
    *,
    correlation: float = 0.0,
    clusters: ArrayLike | None = None,
    icc: float = 0.0,
) -> tuple[float, float]:
    """Predict the error of a sum of coefficients times sites' changes, before anybody has answered.

    Of each site: how many people answer `before`, `after` and in `both` waves, whose two scores
    have the given correlation; and the number of `clusters` that they live in, all of one size,
    within which scores have an intraclass correlation `icc`. With nobody in both waves each wave
    draws clusters of its own, whose means are independent; otherwise the clusters stay, and their
    means correlate over time as people's scores do, so that `icc` is that of the changes too.

    Returns the variance in squared standard deviations of the scores, and the degrees of freedom,
    Welch and Satterthwaite's, that `sbwork.stats.means.estimate_contrast` has on average: groups of
    people who are in one wave, in the other or in both; with clusters, groups of clusters.

    Source: Kish, L. (1965). Survey Sampling. Wiley, chapter 5. Feldman, H. A., & McKinlay, S. M.
    (1994). Statistics in Medicine, 13, 61-78.
    """
    c2, b, a, s = np.broadcast_arrays(
        np.square(np.asarray(coefficients, dtype=np.float64)), before, after, both
    )
    if clusters is None:
        parts = [
            s * (1 / b**2 + 1 / a**2 - 2 * correlation / (a * b)), (b - s) / b**2, (a - s) / a**2
        ]  # fmt: skip
        shares = s / b, s / a
        freedom = [
            np.minimum((b - 1) * shares[0], (a - 1) * shares[1]),
            (b - 1) * (1 - shares[0]),
            (a - 1) * (1 - shares[1]),
        ]
    else:
        k = np.broadcast_to(np.asarray(clusters, dtype=np.float64), b.shape)
        own = [(1 + (n / k - 1) * icc) / n for n in (b, a)]
        shared = correlation * (s + (a * b / k - s) * icc) / (a * b)
        linked = s > 0
        parts = [
            np.where(linked, own[0] + own[1] - 2 * shared, own[0]),
            np.where(linked, 0, own[1]),
        ]
        freedom = [k - 1, k - 1]
    variance = c2 * np.array(parts)
    shown = variance > 0
    total = float(variance.sum())
    return total, total**2 / float(np.sum(variance[shown] ** 2 / np.array(freedom)[shown]))
