"""What follows from the choice of the sites, on frames made by hand."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
import small_archive
from small_archive import ASB, CAUSAL, PAIR, pick

from sbwork.compare.choice import CHOICE_ESTIMATORS, assess_choice
from sbwork.compare.counts import compare_counts
from sbwork.evaluation import Evaluation
from sbwork.read.incidents import Incidents
from sbwork.render.choice import describe_choice
from sbwork.specs.cohort import Cohort, list_months
from sbwork.specs.errors import InputError
from sbwork.stats import Flag, Reason
from sbwork.stats.findings import RESULT_COLUMNS, combine_findings, has_flag
from sbwork.stats.selection import describe_pool, estimate_from_pool

MONTHS = list_months("2012-01", "2017-12")
BEFORE, AFTER = slice(48, 60), slice(60, 72)


def make_cohort(pairs: Sequence[Mapping[str, str]] = (PAIR,), **more: Any) -> Cohort:
    named = {site for pair in pairs for site in pair.values()}
    titles = {"north": {"title": "North Town"}}
    sites = {site: titles.get(site, {}) for site in sorted(named)}
    return small_archive.make_cohort(pairs, **{"sites": sites, "outcomes": ASB, **more})


make_incidents = partial(small_archive.make_incidents, MONTHS)


@pytest.fixture
def areas() -> np.ndarray:
    rng = np.random.default_rng(1)
    return rng.poisson(rng.gamma(40, 0.5, (58, 1)), (58, 72)).astype(float)


@pytest.fixture
def sites() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    north = np.concatenate([rng.poisson(22, 48), rng.poisson(40, 12), rng.poisson(22, 12)])
    return {"north": north.astype(float), "south": rng.poisson(24, 72).astype(float)}


def test_the_shape(sites, areas) -> None:
    found = assess_choice(make_incidents(sites, areas), make_cohort(chosen_because="highest"))
    assert tuple(found.columns) == RESULT_COLUMNS
    assert found["estimator"].tolist() == list(CHOICE_ESTIMATORS)
    assert found["unit"].tolist() == list(CHOICE_ESTIMATORS.values())
    assert set(found["section"]) == {"choice"}
    assert set(found["period"]) == {"change"}
    missing = found["estimate"].isna()
    assert (found.loc[missing, "reason"] != "").all()
    assert (found.loc[~missing, "reason"] == "").all()
    assert not found["note"].str.contains(CAUSAL).any()


def test_the_highest_of_the_force_by_the_formula(sites, areas) -> None:
    cohort = make_cohort(chosen_because="highest")
    incidents = make_incidents(sites, areas)
    found = assess_choice(incidents, cohort)
    whole = np.vstack([sites["north"], sites["south"], areas])[:, BEFORE]
    pool = describe_pool(whole, areas[:, BEFORE].sum(axis=1), areas[:, AFTER].sum(axis=1))
    starts = [sites[site][BEFORE].sum() for site in ("north", "south")]
    expected = estimate_from_pool(*starts, pool)
    row = pick(found, "expected_ratio_by_choice")
    assert row["estimate"] == pytest.approx(expected.estimate)
    assert row["ci_low"] == pytest.approx(expected.ci_low)
    assert row["estimate"] < 0.98
    percent = pick(found, "expected_change_by_choice")
    assert percent["estimate"] == pytest.approx(100 * (row["estimate"] - 1))
    rirr = pick(compare_counts(incidents, cohort).query("period == 'change'"), "rirr")
    less = pick(found, "rirr_less_choice")
    assert less["estimate"] == pytest.approx(rirr["estimate"] / row["estimate"])
    assert has_flag(less, Flag.DESCRIPTION)
    assert pick(found, "observed_rank_before")["estimate"] == 1
    assert pick(found, "observed_rank_chosen")["estimate"] == 1
    assert pick(found, "pool_size")["estimate"] == 60
    assert pick(found, "placebo_p_chosen")["reason"] == Reason.TOO_FEW_AREAS


def test_an_area_without_control_is_set_beside_its_pool(sites, areas) -> None:
    cohort = make_cohort([{"intervention": "north"}], chosen_because="highest")
    found = assess_choice(make_incidents(sites, areas), cohort)
    whole = np.vstack([sites["north"], sites["south"], areas])[:, BEFORE]
    pool = describe_pool(whole, areas[:, BEFORE].sum(axis=1), areas[:, AFTER].sum(axis=1))
    expected = estimate_from_pool(sites["north"][BEFORE].sum(), None, pool).estimate
    assert pick(found, "expected_ratio_by_choice")["estimate"] == pytest.approx(expected)
    assert pick(found, "rirr_less_choice")["reason"] == Reason.NO_CONTROL


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({}, Reason.NOT_STATED),
        ({"assignment": "randomised"}, Reason.NOT_APPLICABLE),
        ({"chosen_because": "drawn"}, Reason.NOT_APPLICABLE),
        ({"chosen_because": "volunteered"}, Reason.NOT_ESTIMABLE),
        ({"chosen_because": {"reason": "other", "sentence": "So."}}, Reason.NOT_ESTIMABLE),
    ],
)
def test_other_reasons_give_a_rank_and_a_reason(sites, areas, more, reason) -> None:
    cohort = make_cohort(**more)
    found = assess_choice(make_incidents(sites, areas), cohort)
    assert pick(found, "observed_rank_before")["estimate"] == 1
    for name in ("expected_ratio_by_choice", "rirr_less_choice", "placebo_p_chosen"):
        assert math.isnan(pick(found, name)["estimate"])
        assert pick(found, name)["reason"] == reason
    first, *rest = describe_choice(cohort, found)
    assert first.endswith("So." if "other" in str(more) else ".")
    assert rest == ["ASB: North Town had the highest count of 60 areas in January 2016 to "
                    "December 2016."]  # fmt: skip


def test_the_report_says_that_nobody_said_why(sites, areas) -> None:
    cohort = make_cohort()
    told = describe_choice(cohort, assess_choice(make_incidents(sites, areas), cohort))
    assert told[0] == (
        "cohort.yml does not say why these areas were chosen. Where areas are chosen because their "
        "counts are high, the counts fall by themselves."
    )


def test_a_rise_uses_the_regression_where_the_force_was_the_pool(sites, areas) -> None:
    cohort = make_cohort(chosen_because="rising")
    incidents = make_incidents(sites, areas)
    found = assess_choice(incidents, cohort)
    row = pick(found, "expected_ratio_by_choice")
    assert row["estimate"] < 0.95
    assert not has_flag(row, Flag.SELECTED_AGAIN)
    assert pick(found, "observed_rank_chosen")["estimate"] == 1
    told = describe_choice(cohort, combine_findings([found, compare_counts(incidents, cohort)]))
    fall = round(-100 * (row["estimate"] - 1))
    assert told[0].startswith(
        "ASB: North Town had the steepest rise of 60 areas in January 2016 to December 2016. "
        f"Beside such a control, counts in areas chosen like that fall by about {fall}% by "
        "themselves; beside its own, those in North Town fell by "
    )


def test_a_small_pool_in_a_large_archive_is_chosen_from_again(sites) -> None:
    rng = np.random.default_rng(4)
    many = rng.poisson(rng.gamma(40, 0.5, (300, 1)), (300, 72)).astype(float)
    incidents = make_incidents(sites, many)
    rising = assess_choice(incidents, make_cohort(chosen_because="rising", chosen_from=15))
    row = pick(rising, "expected_ratio_by_choice")
    assert has_flag(row, Flag.SELECTED_AGAIN)
    assert 0.8 < row["estimate"] < 0.99
    assert pick(rising, "pool_size")["estimate"] == 15
    assert pick(rising, "observed_rank_before")["n"] == 302
    p_value = pick(rising, "placebo_p_chosen")
    assert 0 < p_value["estimate"] < 0.1  # the site fell back from 40 to 22 a month
    assert p_value["p_value"] == p_value["estimate"]
    cohort = make_cohort(chosen_because="highest", chosen_from=15)
    highest = assess_choice(incidents, cohort)
    assert not has_flag(pick(highest, "expected_ratio_by_choice"), Flag.SELECTED_AGAIN)
    assert pick(highest, "placebo_p_chosen")["estimate"] < 0.1
    told = describe_choice(cohort, combine_findings([highest, compare_counts(incidents, cohort)]))
    assert told[0].endswith("among areas chosen like that).")


def test_another_window_and_one_that_the_files_do_not_reach(sites, areas) -> None:
    incidents = make_incidents(sites, areas)
    on = {"chosen_because": "highest", "chosen_on": {"start": "2015-01", "end": "2015-12"}}
    found = assess_choice(incidents, make_cohort(**on))
    # Chosen on 2015, but high in 2016 only: little was known of it, so it is expected to fall.
    assert pick(found, "expected_ratio_by_choice")["estimate"] < 1
    assert pick(found, "observed_rank_chosen")["estimate"] > 1
    far = {"chosen_because": "highest", "chosen_on": {"start": "2010-01", "end": "2010-12"}}
    lost = assess_choice(incidents, make_cohort(**far))
    for name in ("observed_rank_chosen", "expected_ratio_by_choice", "rirr_less_choice"):
        assert pick(lost, name)["reason"] == Reason.OUTSIDE_FILES
    assert pick(lost, "observed_rank_before")["estimate"] == 1


def test_the_window_before_in_so_many_words_is_the_default(sites, areas) -> None:
    incidents = make_incidents(sites, areas)
    on = {"chosen_on": {"start": "2016-01", "end": "2016-12"}}
    said, default = (
        assess_choice(incidents, make_cohort(chosen_because="highest", **more)) for more in (on, {})
    )
    pd.testing.assert_frame_equal(said, default)


def test_the_pool_may_be_a_list_or_an_authority(sites, areas) -> None:
    names = [f"Leeds {n:03d}" if n < 25 else f"Wakefield {n:03d}" for n in range(58)]
    incidents = make_incidents(sites, areas, names=names)
    listed = [f"E{n:05d}" for n in range(25)]
    by_list, by_name, by_place = (
        assess_choice(incidents, make_cohort(chosen_because="highest", chosen_from=pool))
        for pool in (listed, names[:25], "leeds")
    )
    assert pick(by_list, "pool_size")["estimate"] == 26  # the site is one of them
    pd.testing.assert_frame_equal(by_list, by_name)
    pd.testing.assert_frame_equal(by_list, by_place)


@pytest.mark.parametrize(
    ("pool", "said"),
    [
        ("Leads", "'Leads' is no authority of the archive. Did you mean 'Leeds'?"),
        (["E00001", "E0002"], "areas that are not in the archive: 'E0002'."),
    ],
)
def test_a_pool_that_is_not_there_is_refused(sites, areas, pool, said) -> None:
    names = [f"Leeds {n:03d}" for n in range(58)]
    cohort = make_cohort(chosen_because="highest", chosen_from=pool)
    with pytest.raises(InputError, match=re.escape(f"cohort.yml, key 'chosen_from': {said}")):
        assess_choice(make_incidents(sites, areas, names=names), cohort)


def test_a_site_of_several_areas_is_not_one_of_them(sites, areas) -> None:
    overlap = {0: "north", 1: "north", 2: "south"}
    areas[:2] = sites["north"] / 2
    areas[2] = sites["south"]
    found = assess_choice(
        make_incidents(sites, areas, overlap), make_cohort(chosen_because="highest")
    )
    assert set(found["reason"]) == {Reason.NOT_ALIKE}
    areas[0] = sites["north"]
    overlap = {0: "north", 1: "south", 2: "south"}
    areas[1:3] = sites["south"] / 2
    found = assess_choice(
        make_incidents(sites, areas, overlap), make_cohort(chosen_because="highest")
    )
    assert pick(found, "observed_rank_before")["estimate"] == 1
    assert pick(found, "pool_size")["estimate"] == 56  # the site and 55 areas
    assert pick(found, "expected_ratio_by_choice")["reason"] == Reason.NOT_ALIKE


def test_without_other_areas(sites) -> None:
    found = assess_choice(
        make_incidents(sites, np.empty((0, 72))), make_cohort(chosen_because="highest")
    )
    assert set(found["reason"]) == {Reason.TOO_FEW_AREAS}


def test_a_zero_and_missing_months(sites, areas) -> None:
    cohort = make_cohort(chosen_because="highest")
    none = sites | {"south": np.where(np.arange(72) >= 60, 0.0, sites["south"])}
    found = assess_choice(make_incidents(none, areas), cohort)
    assert not math.isnan(pick(found, "expected_ratio_by_choice")["estimate"])
    assert pick(found, "rirr_less_choice")["reason"] == Reason.ZERO_COUNT
    gap = sites | {"north": np.where(np.arange(72) == 50, np.nan, sites["north"])}
    found = assess_choice(make_incidents(gap, areas), cohort)
    assert has_flag(pick(found, "expected_ratio_by_choice"), Flag.FEWER_MONTHS)
    lost = sites | {"north": np.where(np.arange(72) >= 60, np.nan, sites["north"])}
    found = assess_choice(make_incidents(lost, areas), cohort)
    assert set(found["reason"]) == {Reason.NO_MONTHS}


def test_a_pool_without_the_months_before(sites, areas) -> None:
    areas[:, 50] = np.nan
    alone = {"north": sites["north"]}
    cohort = make_cohort([{"intervention": "north"}], chosen_because="highest")
    found = assess_choice(make_incidents(alone, areas), cohort).set_index("estimator")
    reasons = found["reason"].drop("rirr_less_choice")
    assert set(reasons) == {Reason.TOO_FEW_AREAS}
    beside = assess_choice(make_incidents(sites, areas), make_cohort(chosen_because="highest"))
    assert pick(beside, "observed_rank_before")["n"] == 2
    assert pick(beside, "expected_ratio_by_choice")["reason"] == Reason.TOO_FEW_AREAS


def test_two_pairs_are_averaged_and_left_out_pairs_are_flagged(sites, areas) -> None:
    pairs = [PAIR, {"intervention": "east", "control": "west"}]
    rng = np.random.default_rng(9)
    more = sites | {site: rng.poisson(26, 72).astype(float) for site in ("east", "west")}
    found = assess_choice(make_incidents(more, areas), make_cohort(pairs, chosen_because="highest"))
    each = [pick(found, "expected_ratio_by_choice", site)["estimate"] for site in ("north", "east")]
    both = pick(found, "expected_ratio_by_choice", "all")
    assert both["estimate"] == pytest.approx(math.sqrt(math.prod(each)))
    assert pick(found, "expected_change_by_choice", "all")["estimate"] == pytest.approx(
        100 * (both["estimate"] - 1)
    )
    more["west"] = np.zeros(72)
    found = assess_choice(make_incidents(more, areas), make_cohort(pairs, chosen_because="highest"))
    assert has_flag(pick(found, "expected_ratio_by_choice", "all"), Flag.PAIRS_LEFT_OUT)


def test_the_outcome_that_was_looked_at(sites, areas) -> None:
    rng = np.random.default_rng(12)
    crime_sites = {site: rng.poisson(20, 72).astype(float) for site in sites}
    crime = make_incidents(crime_sites, rng.poisson(20, areas.shape).astype(float), outcome="crime")
    asb = make_incidents(sites, areas)
    both = Incidents(
        pd.concat([asb.sites, crime.sites]), pd.concat([asb.areas, crime.areas]), MONTHS, (),
        pd.DataFrame(),
    )  # fmt: skip
    outcomes = ASB | {"crime": {"title": "Crime", "crime_types": ["Burglary"]}}
    plain = make_cohort(outcomes=outcomes, chosen_because="highest")
    stated = make_cohort(outcomes=outcomes, chosen_because={"reason": "highest", "outcome": "asb"})
    of = {"plain": assess_choice(both, plain), "stated": assess_choice(both, stated)}
    rows = {
        (name, outcome): pick(frame[frame["outcome"] == outcome], "expected_ratio_by_choice")
        for name, frame in of.items()
        for outcome in ("asb", "crime")
    }
    assert has_flag(rows["plain", "crime"], Flag.OUTCOME_NOT_STATED)
    assert not has_flag(rows["stated", "asb"], Flag.OUTCOME_NOT_STATED)
    assert rows["stated", "asb"]["estimate"] == rows["plain", "asb"]["estimate"]
    assert rows["stated", "crime"]["estimate"] != rows["plain", "crime"]["estimate"]
    place = pick(of["stated"].query("outcome == 'crime'"), "observed_rank_chosen")
    assert place["estimate"] == 1
    assert "the highest count of ASB of 60 areas" in describe_choice(stated, of["stated"])[1]


def test_without_periods_nothing_is_assessed(sites, areas) -> None:
    assert assess_choice(make_incidents(sites, areas), make_cohort(periods=None)).empty


def test_the_committed_cohorts(west_yorkshire: Evaluation, durham_1: Evaluation) -> None:
    findings = west_yorkshire.findings.query("section == 'choice'")
    ranks = findings.query("estimator == 'observed_rank_before'")
    assert (ranks["n"] == 318).all()
    lost = findings.query("estimator == 'expected_ratio_by_choice'")
    assert set(lost["reason"]) == {Reason.NOT_APPLICABLE}
    assert findings["evidence_level"].isna().all()
    assert "A seeded draw" in describe_choice(west_yorkshire.cohort, findings)[0]
    unstated = durham_1.findings.query("section == 'choice'")
    lost = unstated.query("estimator == 'expected_ratio_by_choice'")
    assert set(lost["reason"]) == {Reason.NOT_STATED}
