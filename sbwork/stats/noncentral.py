"""The noncentral t distribution turned round: which noncentrality goes with a t statistic."""

from __future__ import annotations

import math


def invert_noncentral_t(t: float, df: float, probability: float) -> float:
    """Find the noncentrality at which a t this large or smaller has the given probability.

    The search starts from the normal approximation and widens; far out in the tails, where scipy's
    distribution function returns NaN, that approximation stands in.

    Source: Steiger, J. H. (2004). Beyond the F test. Psychological Methods, 9, 164-182.
    """
    from scipy.optimize import brentq
    from scipy.special import nctdtr, ndtr, ndtri

    if t < 0:
        return -invert_noncentral_t(-t, df, 1 - probability)
    spread = math.sqrt(1 + t * t / (2 * df))

    def miss(noncentrality: float) -> float:
        reached = float(nctdtr(df, noncentrality, t))
        if math.isnan(reached):
            reached = float(ndtr((t - noncentrality) / spread))
        return reached - probability

    guess = t - float(ndtri(probability)) * spread
    width = 0.5 * spread
    while miss(guess - width) * miss(guess + width) > 0:
        width *= 2
    return float(brentq(miss, guess - width, guess + width, xtol=1e-10))
