"""What follows from the choice of the sites, on frames made by hand."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_by_hand import ASB, CAUSAL, PAIR, join_incidents, make_cohort, make_incidents, pick

from sbwork.compare.choice import CHOICE_ESTIMATORS, assess_choice
from sbwork.compare.counts import compare_counts
from sbwork.evaluation import Evaluation
from sbwork.render.choice import describe_choice
from sbwork.specs.cohort import Cohort, list_months
from sbwork.specs.errors import InputError
from sbwork.stats import Flag, Reason
from sbwork.stats.estimate import Estimate
from sbwork.stats.findings import RESULT_COLUMNS, combine_findings, has_flag
from sbwork.stats.selection import describe_pool, estimate_from_pool

MONTHS = list_months("2012-01", "2017-12")
BEFORE, AFTER = slice(48, 60), slice(60, 72)
LONE = [{"intervention": "north"}]
RATIO = "expected_ratio_by_choice"

Sites = dict[str, np.ndarray]


def plan(pairs: Any = (PAIR,), **more: Any) -> Cohort:
    """Plan a cohort whose sites were the highest, unless `more` says otherwise."""
    titles, usual = {"north": "North Town"}, {"outcomes": ASB, "chosen_because": "highest"}
    return make_cohort(pairs, titles=titles, **usual | more)


def assess(sites: Sites, areas: np.ndarray, cohort: Cohort | None = None, **laid: Any):
    return assess_choice(make_incidents(MONTHS, sites, areas, **laid), cohort or plan())


def tell(sites: Sites, areas: np.ndarray, cohort: Cohort) -> tuple[pd.DataFrame, list[str]]:
    """Return what was found, and what a report says of it beside the counts."""
    incidents = make_incidents(MONTHS, sites, areas)
    found = assess_choice(incidents, cohort)
    counted = combine_findings([found, compare_counts(incidents, cohort)])
    return found, describe_choice(cohort, counted)


@pytest.fixture
def areas() -> np.ndarray:
    rng = np.random.default_rng(1)
    return rng.poisson(rng.gamma(40, 0.5, (58, 1)), (58, 72)).astype(float)


@pytest.fixture
def sites() -> Sites:
    rng = np.random.default_rng(2)
    north = np.concatenate([rng.poisson(22, 48), rng.poisson(40, 12), rng.poisson(22, 12)])
    return {"north": north.astype(float), "south": rng.poisson(24, 72).astype(float)}


def expect(sites: Sites, areas: np.ndarray, *starts: float | None) -> Estimate:
    """Expect by the formula, with a pool of both sites and all areas."""
    whole = np.vstack([sites["north"], sites["south"], areas])[:, BEFORE]
    pool = describe_pool(whole, areas[:, BEFORE].sum(axis=1), areas[:, AFTER].sum(axis=1))
    return estimate_from_pool(*starts, pool)


def test_the_highest_of_the_force_by_the_formula(sites, areas) -> None:
    found = assess(sites, areas)
    assert tuple(found.columns) == RESULT_COLUMNS
    assert dict(zip(found["estimator"], found["unit"], strict=True)) == CHOICE_ESTIMATORS
    assert set(zip(found["section"], found["period"], strict=True)) == {("choice", "change")}
    assert ((found["reason"] != "") == found["estimate"].isna()).all()
    assert not found["note"].str.contains(CAUSAL).any()
    row = pick(found, RATIO)
    expected = expect(sites, areas, *(sites[site][BEFORE].sum() for site in sites))
    assert row["estimate"] == pytest.approx(expected.estimate)
    assert row["ci_low"] == pytest.approx(expected.ci_low)
    assert row["estimate"] < 0.98
    percent = pick(found, "expected_change_by_choice")
    assert percent["estimate"] == pytest.approx(100 * (row["estimate"] - 1))
    counts = compare_counts(make_incidents(MONTHS, sites, areas), plan())
    less = pick(found, "rirr_less_choice")
    rirr = pick(counts, "rirr", period="change")
    assert less["estimate"] == pytest.approx(rirr["estimate"] / row["estimate"])
    assert has_flag(less, Flag.DESCRIPTION)
    for name, value in (("rank_before", 1), ("rank_chosen", 1)):
        assert pick(found, f"observed_{name}")["estimate"] == value
    assert pick(found, "pool_size")["estimate"] == 60
    assert pick(found, "placebo_p_chosen")["reason"] == Reason.TOO_FEW_AREAS


def test_an_area_without_control_is_set_beside_its_pool(sites, areas) -> None:
    found = assess(sites, areas, plan(LONE))
    expected = expect(sites, areas, sites["north"][BEFORE].sum(), None)
    assert pick(found, RATIO)["estimate"] == pytest.approx(expected.estimate)
    assert pick(found, "rirr_less_choice")["reason"] == Reason.NO_CONTROL


@pytest.mark.parametrize(
    ("more", "reason", "said"),
    [
        (
            {"chosen_because": None},
            Reason.NOT_STATED,
            "cohort.yml does not say why these areas were chosen. Where areas are chosen because "
            "their counts are high, the counts fall by themselves.",
        ),
        ({"chosen_because": None, "assignment": "randomised"}, Reason.NOT_APPLICABLE, ""),
        ({"chosen_because": "drawn"}, Reason.NOT_APPLICABLE, ""),
        ({"chosen_because": "volunteered"}, Reason.NOT_ESTIMABLE, ""),
        ({"chosen_because": {"reason": "other", "sentence": "So."}}, Reason.NOT_ESTIMABLE, "So."),
    ],
)
def test_other_reasons_give_a_rank_and_a_reason(sites, areas, more, reason, said) -> None:
    found = assess(sites, areas, plan(**more))
    assert pick(found, "observed_rank_before")["estimate"] == 1
    for name in (RATIO, "rirr_less_choice", "placebo_p_chosen"):
        assert pick(found, name)["reason"] == reason
    first, *rest = describe_choice(plan(**more), found)
    assert first.endswith(said or ".")
    assert rest == ["ASB: North Town had the highest count of 60 areas in January 2016 to "
                    "December 2016."]  # fmt: skip


def test_a_rise_uses_the_regression_where_the_force_was_the_pool(sites, areas) -> None:
    found, told = tell(sites, areas, plan(chosen_because="rising"))
    row = pick(found, RATIO)
    assert row["estimate"] < 0.95
    assert not has_flag(row, Flag.SELECTED_AGAIN)
    assert pick(found, "observed_rank_chosen")["estimate"] == 1
    fall = round(-100 * (row["estimate"] - 1))
    assert told[0].startswith(
        "ASB: North Town had the steepest rise of 60 areas in January 2016 to December 2016. "
        f"Beside such a control, counts in areas chosen like that fall by about {fall}% by "
        "themselves; beside its own, those in North Town fell by "
    )


def test_a_small_pool_in_a_large_archive_is_chosen_from_again(sites) -> None:
    rng = np.random.default_rng(4)
    many = rng.poisson(rng.gamma(40, 0.5, (300, 1)), (300, 72)).astype(float)
    rising = assess(sites, many, plan(chosen_because="rising", chosen_from=15))
    row = pick(rising, RATIO)
    assert has_flag(row, Flag.SELECTED_AGAIN)
    assert 0.8 < row["estimate"] < 0.99
    assert pick(rising, "pool_size")["estimate"] == 15
    assert pick(rising, "observed_rank_before")["n"] == 302
    p_value = pick(rising, "placebo_p_chosen")
    assert 0 < p_value["estimate"] < 0.1  # the site fell back from 40 to 22 a month
    assert p_value["p_value"] == p_value["estimate"]
    highest, told = tell(sites, many, plan(chosen_from=15))
    assert not has_flag(pick(highest, RATIO), Flag.SELECTED_AGAIN)
    assert pick(highest, "placebo_p_chosen")["estimate"] < 0.1
    assert told[0].endswith("among areas chosen like that).")


def test_other_months_that_sites_were_chosen_by(sites, areas) -> None:
    earlier, far, stated = (
        assess(sites, areas, plan(chosen_on={"start": f"{year}-01", "end": f"{year}-12"}))
        for year in (2015, 2010, 2016)
    )
    # Chosen on 2015, but high in 2016 only: little was known of it, so it is expected to fall.
    assert pick(earlier, RATIO)["estimate"] < 1
    assert pick(earlier, "observed_rank_chosen")["estimate"] > 1
    for name in ("observed_rank_chosen", RATIO, "rirr_less_choice"):
        assert pick(far, name)["reason"] == Reason.OUTSIDE_FILES
    assert pick(far, "observed_rank_before")["estimate"] == 1
    pd.testing.assert_frame_equal(stated, assess(sites, areas))


def test_the_pool_may_be_a_list_or_an_authority(sites, areas) -> None:
    names = [f"Leeds {n:03d}" if n < 25 else f"Wakefield {n:03d}" for n in range(58)]
    by_list, by_name, by_place = (
        assess(sites, areas, plan(chosen_from=pool), names=names)
        for pool in ([f"E{n:05d}" for n in range(25)], names[:25], "leeds")
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
    with pytest.raises(InputError, match=re.escape(f"cohort.yml, key 'chosen_from': {said}")):
        assess(sites, areas, plan(chosen_from=pool), names=names)


def test_a_site_of_several_areas_is_not_one_of_them(sites, areas) -> None:
    areas[:2], areas[2] = sites["north"] / 2, sites["south"]
    found = assess(sites, areas, overlap={0: "north", 1: "north", 2: "south"})
    assert set(found["reason"]) == {Reason.NOT_ALIKE}
    areas[0], areas[1:3] = sites["north"], sites["south"] / 2
    found = assess(sites, areas, overlap={0: "north", 1: "south", 2: "south"})
    assert pick(found, "observed_rank_before")["estimate"] == 1
    assert pick(found, "pool_size")["estimate"] == 56  # the site and 55 areas
    assert pick(found, RATIO)["reason"] == Reason.NOT_ALIKE


def test_a_zero_missing_months_and_no_areas(sites, areas) -> None:
    month = np.arange(72)
    found = assess(sites | {"south": np.where(month >= 60, 0.0, sites["south"])}, areas)
    assert not math.isnan(pick(found, RATIO)["estimate"])
    assert pick(found, "rirr_less_choice")["reason"] == Reason.ZERO_COUNT
    found = assess(sites | {"north": np.where(month == 50, np.nan, sites["north"])}, areas)
    assert has_flag(pick(found, RATIO), Flag.FEWER_MONTHS)
    found = assess(sites | {"north": np.where(month >= 60, np.nan, sites["north"])}, areas)
    assert set(found["reason"]) == {Reason.NO_MONTHS}
    assert set(assess(sites, areas[:0])["reason"]) == {Reason.TOO_FEW_AREAS}
    assert assess(sites, areas, plan(periods=None)).empty


def test_a_pool_without_the_months_before(sites, areas) -> None:
    areas[:, 50] = np.nan
    found = assess({"north": sites["north"]}, areas, plan(LONE)).set_index("estimator")
    assert set(found["reason"].drop("rirr_less_choice")) == {Reason.TOO_FEW_AREAS}
    beside = assess(sites, areas)
    assert pick(beside, "observed_rank_before")["n"] == 2
    assert pick(beside, RATIO)["reason"] == Reason.TOO_FEW_AREAS


def test_two_pairs_are_averaged_and_left_out_pairs_are_flagged(sites, areas) -> None:
    two, rng = plan([PAIR, ("east", "west")]), np.random.default_rng(9)
    more = sites | {site: rng.poisson(26, 72).astype(float) for site in ("east", "west")}
    found = assess(more, areas, two)
    each = [pick(found, RATIO, site)["estimate"] for site in ("north", "east")]
    both = pick(found, RATIO, "all")["estimate"]
    assert both == pytest.approx(math.sqrt(math.prod(each)))
    percent = pick(found, "expected_change_by_choice", "all")["estimate"]
    assert percent == pytest.approx(100 * (both - 1))
    found = assess(more | {"west": np.zeros(72)}, areas, two)
    assert has_flag(pick(found, RATIO, "all"), Flag.PAIRS_LEFT_OUT)


def test_the_outcome_that_was_looked_at(sites, areas) -> None:
    rng = np.random.default_rng(12)
    crimes = {site: rng.poisson(20, 72).astype(float) for site in sites}, rng.poisson(20, (58, 72))
    both = join_incidents(
        make_incidents(MONTHS, sites, areas), make_incidents(MONTHS, *crimes, outcome="crime")
    )
    outcomes = ASB | {"crime": {"title": "Crime", "crime_types": ["Burglary"]}}
    stated = plan(outcomes=outcomes, chosen_because={"reason": "highest", "outcome": "asb"})
    of = {"plain": assess_choice(both, plan(outcomes=outcomes))}
    of["stated"] = assess_choice(both, stated)
    rows = {
        (name, outcome): pick(frame, RATIO, outcome=outcome)
        for name, frame in of.items()
        for outcome in outcomes
    }
    assert has_flag(rows["plain", "crime"], Flag.OUTCOME_NOT_STATED)
    assert not has_flag(rows["stated", "asb"], Flag.OUTCOME_NOT_STATED)
    assert rows["stated", "asb"]["estimate"] == rows["plain", "asb"]["estimate"]
    assert rows["stated", "crime"]["estimate"] != rows["plain", "crime"]["estimate"]
    assert pick(of["stated"], "observed_rank_chosen", outcome="crime")["estimate"] == 1
    assert "the highest count of ASB of 60 areas" in describe_choice(stated, of["stated"])[1]


def test_the_committed_cohorts(west_yorkshire: Evaluation, durham_1: Evaluation) -> None:
    for evaluation, reason in (
        (west_yorkshire, Reason.NOT_APPLICABLE),
        (durham_1, Reason.NOT_STATED),
    ):
        findings = evaluation.findings.query("section == 'choice'")
        assert set(findings.query("estimator == @RATIO")["reason"]) == {reason}
        assert findings["evidence_level"].isna().all()
    findings = west_yorkshire.findings.query("section == 'choice'")
    assert (findings.query("estimator == 'observed_rank_before'")["n"] == 300).all()
    assert "A seeded draw" in describe_choice(west_yorkshire.cohort, findings)[0]
