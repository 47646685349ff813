"""The one shape of a number: never missing without a reason."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from sbwork.stats import Estimate, Reason


def test_a_missing_number_needs_a_note() -> None:
    with pytest.raises(ValueError, match="'rirr' has no value and no note"):
        Estimate("rirr")
    with pytest.raises(ValueError, match="no note"):
        Estimate("rirr", np.float64("nan"))


def test_a_missing_number_with_a_note_is_kept_as_missing() -> None:
    estimate = Estimate("rirr", note="No incident before.", reason=Reason.ZERO_COUNT)
    assert math.isnan(estimate.estimate)
    assert estimate.note == "No incident before."
    assert estimate.reason == "zero_count"


def test_a_missing_number_needs_a_reason_and_one_that_is_there_has_none() -> None:
    with pytest.raises(ValueError, match="'rirr' has no value and no reason"):
        Estimate("rirr", note="No incident before.")
    with pytest.raises(ValueError, match="'rirr' has a value and a reason"):
        Estimate("rirr", 0.8, reason=Reason.ZERO_COUNT)


@pytest.mark.parametrize("value", [0.0, -3.5, math.inf])
def test_a_number_needs_no_note(value: float) -> None:
    assert Estimate("wdd", value).note == ""


def test_what_is_not_known_is_missing_and_not_nought() -> None:
    estimate = Estimate("wdd", -52.0)
    unknown = ("ci_low", "ci_high", "p_value", "se", "statistic", "df", "n")
    assert all(math.isnan(getattr(estimate, name)) for name in unknown)
    assert estimate.ci_level == 0.95


def test_an_estimate_can_not_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Estimate("wdd", 1.0).estimate = 2.0  # type: ignore[misc]
