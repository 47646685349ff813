"""Differences between counts, with the area that incidents may have moved to."""

from __future__ import annotations

import math

from sbwork.stats.estimate import Estimate, Flag, Reason
from sbwork.stats.rates import Change, find_critical_value, find_p_value

_NONE: Change = (0.0, 0.0)


def estimate_wdd(
    treated: Change,
    control: Change,
    displacement: Change = _NONE,
    displacement_control: Change = _NONE,
    *,
    area_weights: tuple[float, float, float, float] = (1, 1, 1, 1),
    time_weights: Change = (1, 1),
    dispersion: float = 1.0,
    df: float = math.inf,
    ci_level: float = 0.95,
    estimator: str = "wdd",
) -> Estimate:
    """Estimate the weighted displacement difference.

    Source: Wheeler, A. P., & Ratcliffe, J. H. (2018). A simple weighted displacement difference
    test to evaluate place based crime interventions. Crime Science 7, 11.
    """
    change, variance = 0.0, 0.0
    areas = (treated, control, displacement, displacement_control)
    for sign, area, weight in zip((1, -1, 1, -1), areas, area_weights, strict=True):
        for direction, count, length in zip((-1, 1), area, time_weights, strict=True):
            change += sign * direction * count / (weight * length)
            variance += count / (weight * length) ** 2
    if variance == 0:
        note = "No incident in any area."
        return Estimate(estimator, unit="incidents", n=0.0, note=note, reason=Reason.ZERO_COUNT)
    se = math.sqrt(dispersion * variance)
    margin = find_critical_value(df, ci_level) * se
    return Estimate(
        estimator,
        change,
        ci_low=change - margin,
        ci_high=change + margin,
        ci_level=ci_level,
        p_value=find_p_value(change / se, df),
        se=se,
        statistic=change / se,
        df=df,
        n=float(sum(sum(area) for area in areas)),
        unit="incidents",
    )


def estimate_wdq(treated: Change, control: Change, displacement: Change) -> Estimate:
    """Estimate the weighted displacement quotient, where it has a meaning.

    Returns ``"wdq"``: (D1/C1 - D0/C0) / (T1/C1 - T0/C0). Above 0, the displacement area shared in
    the fall (above 1, more than the site itself); below 0, incidents may have moved there (below
    -1, more than the site lost). Missing unless the site fell, and fell beside its control: without
    a success there is nothing to displace. It has no valid interval.

    Source: Bowers, K. J., & Johnson, S. D. (2003). Measuring the geographical displacement and
    diffusion of benefit effects of crime prevention activity. Journal of Quantitative Criminology
    19, 275-301.
    """
    total = float(sum(treated) + sum(control) + sum(displacement))
    note, reason = "", Reason.NOT_APPLICABLE
    if 0 in control:
        reason = Reason.ZERO_COUNT
        note = "The control site has a count of 0, so shares of it are undefined."
    elif treated[1] >= treated[0]:
        note = "The site's count did not fall, so there is nothing that could have moved."
    elif treated[1] / control[1] >= treated[0] / control[0]:
        note = "The site did not fall beside its control, so there is nothing to have moved."
    if note:
        return Estimate("wdq", unit="ratio", n=total, note=note, reason=reason)
    measures = [area[1] / control[1] - area[0] / control[0] for area in (displacement, treated)]
    note = (
        "No valid interval exists for this quotient: judge by the WDD's. Above 0, the "
        "displacement area fell too; below 0, incidents may have moved there."
    )
    quotient, flags = measures[0] / measures[1], (Flag.NO_INTERVAL,)
    return Estimate("wdq", quotient, unit="ratio", n=total, note=note, flags=flags)


def estimate_total_net_effect(
    treated: Change,
    control: Change,
    displacement: Change = _NONE,
    *,
    dispersion: float = 1.0,
    df: float = math.inf,
    ci_level: float = 0.95,
) -> Estimate:
    """Estimate the incidents fewer than expected, in the site and the displacement area together.

    Returns ``"total_net_effect"``: [T0 C1/C0 - T1] + [D0 C1/C0 - D1]. Positive: fewer than
    expected. The interval is by the delta method, counts independent with variance dispersion x n.
    Missing where the control has no incident before.

    Source: Guerette, R. T. (2009). Analyzing Crime Displacement and Diffusion. Problem-Oriented
    Guides for Police, tool guide 10.
    """
    name = "total_net_effect"
    total = float(sum(treated) + sum(control) + sum(displacement))
    if control[0] == 0:
        note = "The control site had none before, so no count can be expected from its change."
        return Estimate(name, unit="incidents", n=total, note=note, reason=Reason.ZERO_COUNT)
    before, after = treated[0] + displacement[0], treated[1] + displacement[1]
    growth = control[1] / control[0]
    effect = before * growth - after
    variance = (
        growth**2 * before
        + after
        + before**2 * (control[1] / control[0] ** 2 + growth**2 / control[0])
    )
    if variance == 0:
        note = "No incident in the site."
        return Estimate(name, unit="incidents", n=total, note=note, reason=Reason.ZERO_COUNT)
    se = math.sqrt(dispersion * variance)
    margin = find_critical_value(df, ci_level) * se
    return Estimate(
        name,
        effect,
        ci_low=effect - margin,
        ci_high=effect + margin,
        ci_level=ci_level,
        p_value=find_p_value(effect / se, df),
        se=se,
        statistic=effect / se,
        df=df,
        n=total,
        unit="incidents",
        note="Positive: fewer than the control site's change would lead one to expect.",
    )
