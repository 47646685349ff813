"""One number with what is known of its precision."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


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
    SMALL_GROUP = "small_group"
    SMALL_COUNT = "small_count"


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
    MODELS_DISAGREE = "models_disagree"
    EFFECT = "effect"
    NO_MEANINGFUL_EFFECT = "no_meaningful_effect"
    INCONCLUSIVE = "inconclusive"
    UNADJUSTED = "unadjusted"
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
