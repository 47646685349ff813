"""Shares of people, and how far two of them differ."""

from __future__ import annotations

import math

from sbwork.stats.estimate import Estimate, Reason


def estimate_share(count: int, n: int, *, estimator: str = "share") -> Estimate:
    """Estimate the share of `n` people that `count` are, with Wilson's score interval.

    Source: Wilson, E. B. (1927). Journal of the American Statistical Association, 22, 209-212.
    """
    from statsmodels.stats.proportion import proportion_confint

    if not 0 <= count <= n:
        raise ValueError("count must lie between 0 and n")
    if n == 0:
        note = "There is nobody to count."
        return Estimate(estimator, n=0.0, unit="share", note=note, reason=Reason.NO_ANSWERS)
    low, high = map(float, proportion_confint(count, n, method="wilson"))
    # Rounding may leave the end short of a share of all.
    return Estimate(
        estimator, count / n, low, 1.0 if count == n else high, n=float(n), unit="share"
    )


def estimate_share_difference(
    count: int, n: int, other_count: int, other_n: int, *, estimator: str = "share_difference"
) -> Estimate:
    """Estimate one share minus another, with Newcombe's interval from the two score intervals.

    p is that of the chi-square test without continuity correction.

    Source: Newcombe, R. G. (1998). Statistics in Medicine, 17, 873-890, method 10.
    """
    from statsmodels.stats.proportion import confint_proportions_2indep

    total = float(n + other_n)
    if not n or not other_n:
        note = "There is nobody in one of the groups."
        return Estimate(estimator, n=total, unit="share", note=note, reason=Reason.NO_ANSWERS)
    difference = count / n - other_count / other_n
    low, high = confint_proportions_2indep(
        count, n, other_count, other_n, method="newcomb", compare="diff"
    )
    pooled = (count + other_count) / total
    se = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / other_n))
    z = difference / se if se > 0 else 0.0
    return Estimate(
        estimator,
        difference,
        float(low),
        float(high),
        p_value=math.erfc(abs(z) / math.sqrt(2)),
        se=se,
        statistic=z,
        df=math.inf,
        n=total,
        unit="share",
    )
