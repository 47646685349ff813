"""One number with what is known of its precision."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Estimate"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """One number with what is known of its precision; unrounded.

    Attributes
    ----------
    estimator : str
        What was computed, such as ``"rirr"``, ``"wdd"`` or ``"mean_difference"``.
    estimate : float
        The number; NaN where it can't be computed, and then `note` says why.
    ci_low, ci_high : float
        The ends of the interval; NaN where there is none.
    ci_level : float
        The level of the interval, such as .95.
    p_value : float
        Two-sided; NaN where there is none.
    se : float
        Standard error on the scale of the test; NaN where there is none.
    statistic : float
        The test statistic; NaN where there is none.
    df : float
        Degrees of freedom; infinity for a normal reference, NaN where there is none.
    n : float
        How many people or incidents the number rests on; NaN where that has no meaning.
    unit : str
        ``"percent"``, ``"ratio"``, ``"incidents"``, ``"points"``, ``"sd"``, ``"share"`` …
    note : str
        Why the number is missing, or what to know before it is believed; else empty.
    """

    estimator: str
    estimate: float = math.nan
    ci_low: float = math.nan
    ci_high: float = math.nan
    ci_level: float = 0.95
    p_value: float = math.nan
    se: float = math.nan
    statistic: float = math.nan
    df: float = math.nan
    n: float = math.nan
    unit: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if math.isnan(self.estimate) and not self.note:
            raise ValueError(f"'{self.estimator}' has no value and no note that says why")
