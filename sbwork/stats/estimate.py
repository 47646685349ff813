"""One number with what is known of its precision."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal, NamedTuple


class Reason(StrEnum):
    """Why a number is missing; results.csv has the value, the note says it in words."""

    NO_CONTROL = "no_control"
    NO_PERIODS = "no_periods"
    NO_MONTHS = "no_months"
    NO_ANSWERS = "no_answers"
    OUTSIDE_FILES = "outside_files"
    ZERO_COUNT = "zero_count"
    TOO_FEW_MONTHS = "too_few_months"
    TOO_FEW_AREAS = "too_few_areas"
    TOO_FEW_PEOPLE = "too_few_people"
    TOO_FEW_PAIRS = "too_few_pairs"
    TOO_FEW_ITEMS = "too_few_items"
    PAIR_MISSING = "pair_missing"
    NO_VARIATION = "no_variation"
    NOT_ESTIMABLE = "not_estimable"
    NOT_STATED = "not_stated"
    NOT_APPLICABLE = "not_applicable"
    NOT_ALIKE = "not_alike"
    TOO_MANY_MONTHS = "too_many_months"
    SITE_MIX = "site_mix"
    TOO_FEW_CLUSTERS = "too_few_clusters"
    SMALL_GROUP = "small_group"
    SMALL_COUNT = "small_count"
    RELEASED = "released"


class Flag(StrEnum):
    """What to know of a number before it is believed; the note says it in words."""

    FEWER_MONTHS = "fewer_months"
    SINGLE_MONTH = "single_month"
    FEW_MONTHS = "few_months"
    UNEQUAL_SEASONS = "unequal_seasons"
    NARROW_INTERVAL = "narrow_interval"
    OPPOSITE_SIGNS = "opposite_signs"
    WEIGHTED = "weighted"
    TARGETS_MISSED = "targets_missed"
    WEIGHTS_LIMITED = "weights_limited"
    LINKED = "linked"
    PARTLY_LINKED = "partly_linked"
    LINKED_AS_UNLINKED = "linked_as_unlinked"
    CLUSTERED = "clustered"
    FEW_CLUSTERS = "few_clusters"
    PAIRS_LEFT_OUT = "pairs_left_out"
    SHARED_CONTROL = "shared_control"
    FEW_PAIRS = "few_pairs"
    FEW_AREAS = "few_areas"
    NO_POPULATION = "no_population"
    NO_BOUNDARIES = "no_boundaries"
    NO_INTERVAL = "no_interval"
    OPPOSED_ITEM = "opposed_item"
    WEAK_ITEM = "weak_item"
    AT_BOUND = "at_bound"
    UNLIKE = "unlike"
    IMBALANCED = "imbalanced"
    DISAGREES = "disagrees"
    EFFECT = "effect"
    NO_MEANINGFUL_EFFECT = "no_meaningful_effect"
    INCONCLUSIVE = "inconclusive"
    UNCHECKED = "unchecked"
    DESCRIPTION = "description"
    LEADS = "leads"
    CONFIRMATORY = "confirmatory"
    DEFAULT_BOUND = "default_bound"
    SELECTED_AGAIN = "selected_again"
    OUTCOME_NOT_STATED = "outcome_not_stated"
    ABOVE_SEARCHED = "above_searched"
    NO_SEASONS = "no_seasons"
    TOO_NARROW = "too_narrow"
    N_HIDDEN = "n_hidden"
    INVARIANT = "invariant"
    PARTLY_INVARIANT = "partly_invariant"
    NOT_INVARIANT = "not_invariant"


@dataclass(frozen=True, slots=True)
class Estimate:
    """One number with what is known of its precision; unrounded.

    Attributes
    ----------
    estimator : str
        What was computed, such as ``"rirr"``, ``"wdd"`` or ``"mean_difference"``.
    estimate : float
        The number; NaN where it can't be computed, and then `reason` and `note` say why.
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
    reason : Reason or ""
        Why the number is missing, as data; empty where it is there.
    flags : tuple of Flag
        What to know of it, as data: sentences are made from these and never from a note.

    Raises
    ------
    ValueError
        A number is missing without a note or without a reason, or is there and has a reason.
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
    reason: Reason | Literal[""] = ""
    flags: tuple[Flag, ...] = ()

    def __post_init__(self) -> None:
        missing = math.isnan(self.estimate)
        if missing and not self.note:
            raise ValueError(f"'{self.estimator}' has no value and no note that says why")
        if missing and not self.reason:
            raise ValueError(f"'{self.estimator}' has no value and no reason for that")
        if self.reason and not missing:
            raise ValueError(f"'{self.estimator}' has a value and a reason for having none")


class Refusal(NamedTuple):
    """Why a number can't be computed, as data and in words."""

    reason: Reason
    note: str

    def name(self, estimator: str, **known: Any) -> Estimate:
        """Return the missing estimate of this name; `known` is what else there is to say of it."""
        return Estimate(estimator, note=self.note, reason=self.reason, **known)

    def name_each(self, units: Mapping[str, str], **known: Any) -> list[Estimate]:
        """Return the missing estimates of these names, each with its unit."""
        return [self.name(estimator, unit=unit, **known) for estimator, unit in units.items()]


def complete_estimate(
    estimator: str,
    value: float,
    se: float,
    df: float = math.inf,
    level: float = 0.95,
    *,
    turn: Callable[[float], float] | None = None,
    **known: Any,
) -> Estimate:
    """Add t, its two-sided p and its interval to a number with a standard error.

    The normal distribution takes the place of t where `df` is infinite. `turn` takes the number
    and the ends of its interval to the unit reported, such as ``math.exp`` for the log of a ratio;
    `se` and `statistic` stay on the scale of the test.
    """
    half = find_critical_value(df, level) * se
    middle, low, high = (
        end if turn is None else turn(end) for end in (value, value - half, value + half)
    )
    return Estimate(
        estimator,
        middle,
        low,
        high,
        level,
        p_value=find_p_value(value / se, df),
        se=se,
        statistic=value / se,
        df=df,
        **known,
    )


def add_note(estimate: Estimate, note: str, *flags: Flag) -> Estimate:
    """Return the estimate with a further sentence in its note, and further flags."""
    every = tuple(dict.fromkeys((*estimate.flags, *flags)))
    return replace(estimate, note=f"{estimate.note} {note}".strip(), flags=every)


def find_critical_value(df: float, level: float = 0.95) -> float:
    """Return the two-sided critical value of t; of the normal where `df` is infinite."""
    from scipy.special import ndtri, stdtrit

    tail = 0.5 + level / 2
    return float(ndtri(tail) if math.isinf(df) else stdtrit(df, tail))


def find_p_value(statistic: float, df: float) -> float:
    """Return the two-sided p of a t statistic; of a z statistic where `df` is infinite."""
    from scipy.special import ndtr, stdtr

    tail = -abs(statistic)
    return float(2 * (ndtr(tail) if math.isinf(df) else stdtr(df, tail)))
