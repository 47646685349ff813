"""Which months are compared."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbwork.compare.panel import Window, describe_gaps, list_windows, match_months, shift_window
from sbwork.specs.cohort import Periods, list_months


def make_periods(before: tuple[str, str], after: tuple[str, str], *, unequal=False) -> Periods:
    return Periods.model_validate(
        {
            "before": {"start": before[0], "end": before[1]},
            "after": {"start": after[0], "end": after[1]},
            "unequal_seasons": unequal,
        }
    )


YEARS = make_periods(("2015-10", "2016-09"), ("2016-10", "2017-09"))
GAP = make_periods(("2015-10", "2016-09"), ("2017-01", "2017-12"), unequal=True)


def test_the_cohorts_own_window_is_not_repeated():
    assert [w.period for w in list_windows(YEARS)] == ["change", "6+6", "18+18", "24+24"]


def test_whole_years_run_up_to_the_transition():
    year = next(w for w in list_windows(GAP, [24]) if w.period == "24+24")
    assert (year.before[0], year.before[-1]) == ("2014-10", "2016-09")
    assert (year.after[0], year.after[-1]) == ("2017-01", "2018-12")


@pytest.mark.parametrize("periods", [YEARS, GAP])
@pytest.mark.parametrize("length", [1, 6, 7, 12, 18, 24, 30])
def test_other_windows_keep_the_seasons_and_stay_out_of_the_transition(periods, length):
    for window in list_windows(periods, [length])[1:]:
        assert window.lengths == (length, length)
        assert sorted(m[5:] for m in window.before) == sorted(m[5:] for m in window.after)
        assert window.before[-1] <= periods.before.end
        assert window.after[0] == periods.after.start


def test_a_month_missing_on_one_side_is_left_out_on_both():
    window = list_windows(YEARS)[0]
    matched = match_months(window, set(window.months) - {"2017-02", "2015-11"})
    assert matched.lengths == (10, 10)
    assert "2016-02" not in matched.before
    assert "2016-11" not in matched.after


def test_of_two_equal_calendar_months_the_one_farther_from_the_start_is_left_out():
    window = next(w for w in list_windows(YEARS) if w.period == "24+24")
    matched = match_months(window, set(window.months) - {"2017-02"})
    assert set(window.before) - set(matched.before) == {"2015-02"}
    matched = match_months(window, set(window.months) - {"2016-02"})
    assert set(window.after) - set(matched.after) == {"2018-02"}


def test_unequal_seasons_are_kept_as_asked_and_said():
    periods = make_periods(("2016-01", "2016-06"), ("2016-07", "2016-12"), unequal=True)
    window = list_windows(periods, [])[0]
    assert match_months(window, window.months) == window
    assert "seasons may look like change" in describe_gaps(window, window.months, ())


def test_what_is_missing_is_named():
    window = list_windows(YEARS)[0]
    assert describe_gaps(window, window.months, ()) == ""
    said = describe_gaps(window, set(window.months) - {"2017-02", "2015-11"}, ["2017-02"])
    assert said == (
        "Compared on 10 of 12 months on each side: 2015-11 is missing from the data; "
        "2017-02 is set aside."
    )
    few = set(window.months) - set(list_months("2015-12", "2016-09"))
    assert "Fewer than 3 months" in describe_gaps(window, few, ())
    assert "and 5 more" in describe_gaps(window, few, ())


@given(lost=st.sets(st.sampled_from(list_months("2015-10", "2017-09"))))
def test_whatever_is_missing_the_seasons_stay_equal(lost):
    window = list_windows(YEARS)[0]
    matched = match_months(window, set(window.months) - lost)
    assert [m[5:] for m in matched.before] == [m[5:] for m in matched.after]
    assert not lost & set(matched.months)
    assert matched.before == tuple(sorted(matched.before))


@given(by=st.integers(-60, 60))
def test_shifting_there_and_back_changes_nothing(by):
    window = Window("change", list_months("2016-01", "2016-12"), list_months("2017-01", "2017-12"))
    assert shift_window(shift_window(window, by), -by) == window
