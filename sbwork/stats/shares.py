"""Shares of people, and how far two of them differ."""

from __future__ import annotations

import math

from sbwork.stats.estimate import Estimate, Reason


def estimate_share(
    count: int, n: int, *, estimator: str = "share", level: float = 0.95
) -> Estimate:
    """Estimate a share with Wilson's score interval.

    Returns from 0 to 1 (``"share"``); NaN where n is 0.

    Source: Wilson, E. B. (1927). Probable inference, the law of succession, and statistical
    inference. Journal of the American Statistical Association, 22, 209-212.
    """
    if not 0 <= count <= n:
        raise ValueError("count must lie between 0 and n")
    if n == 0:
        note = "There is nobody to count."
        return Estimate(estimator, n=0.0, unit="share", note=note, reason=Reason.NO_ANSWERS)
    share, z2 = count / n, _find_z(level) ** 2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    low = 0.0 if count == 0 else middle - half
    high = 1.0 if count == n else middle + half
    return Estimate(estimator, share, low, high, level, n=float(n), unit="share")


def estimate_share_difference(
    count: int,
    n: int,
    other_count: int,
    other_n: int,
    *,
    estimator: str = "share_difference",
    level: float = 0.95,
) -> Estimate:
    """Estimate one share minus another, with Newcombe's interval from the two score intervals.

    Returns from -1 to 1 (``"share"``), with the two-sided p of the chi-square test without
    continuity correction; NaN where a group is empty.

    Source: Newcombe, R. G. (1998). Interval estimation for the difference between independent
    proportions. Statistics in Medicine, 17, 873-890, method 10.
    """
    one = estimate_share(count, n, level=level)
    total = float(n + other_n)
    if not n or not other_n:
        note = "There is nobody in one of the groups."
        return Estimate(estimator, n=total, unit="share", note=note, reason=Reason.NO_ANSWERS)
    other = estimate_share(other_count, other_n, level=level)
    p, q = one.estimate, other.estimate
    pooled = (count + other_count) / total
    se = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / other_n))
    z = (p - q) / se if se > 0 else 0.0
    return Estimate(
        estimator,
        p - q,
        p - q - math.hypot(p - one.ci_low, other.ci_high - q),
        p - q + math.hypot(one.ci_high - p, q - other.ci_low),
        level,
        p_value=math.erfc(abs(z) / math.sqrt(2)),
        se=se,
        statistic=z,
        df=math.inf,
        n=total,
        unit="share",
    )


def _find_z(level: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf((1 + level) / 2)
