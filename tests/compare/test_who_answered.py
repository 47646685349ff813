"""Who answered: counted, compared, bounded, filled in, and checked by order alone."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from causal_words import find_forbidden_words
from made_by_hand import make_cohort, make_instrument, pick

from sbwork.compare.sample import compare_sample
from sbwork.compare.surveys import compare_scales
from sbwork.score import score_scales
from sbwork.specs.instrument import Instrument
from sbwork.stats import Flag, Reason
from sbwork.stats.findings import has_flag

INSTRUMENT = make_instrument({"trust": ["t1", "t2"], "vision": ["v1", "v2", "v3"]})
ITEMS = [*INSTRUMENT.items]
SITES = ("n", "nc", "m", "mc")
PAIRS = (("n", "nc"), ("m", "mc"))
DID = "difference_in_differences"
INVITED = {"before": dict.fromkeys(SITES, 240), "after": {"n": 240, "nc": 200, "m": 240}}
SURVEY = {"path": "x.csv", "wave": "before", "site": "n", "keep": ["age", "sex", "years"]}


def make_answers(n=90, seed=2, lost=20, silent=0.08):
    random = np.random.default_rng(seed)
    frames = []
    for site in SITES:
        own = random.normal(3, 0.8, n)
        years = random.integers(18, 80, n).astype(str)
        age = random.choice(["young", "middle", "old", "very old"], n, p=[0.4, 0.3, 0.27, 0.03])
        for wave in ("before", "after"):
            rise = 0.5 if wave == "after" and site in "nm" else 0
            answers = np.clip(np.round(own[:, None] + rise + random.normal(0, 0.6, (n, 5))), 1, 5)
            answers[random.random((n, 5)) < silent] = np.nan
            frame = pd.DataFrame(answers, columns=ITEMS).assign(
                wave=wave, site=site, person=[f"p{k}" for k in range(n)], weight=1.0, age=age,
                sex=np.where(np.arange(n) % 3, "f", "m"), years=years,
            )  # fmt: skip
            here = lost + 10 if site in "nm" else lost
            frames.append(frame.iloc[here:] if wave == "after" else frame)
    return pd.concat(frames, ignore_index=True)


def compare(answers, pairs=PAIRS, instrument=INSTRUMENT, **more):
    cohort = make_cohort(pairs, **{"surveys": [SURVEY], "invited": INVITED, **more})
    scores = score_scales(answers, instrument)
    scales = compare_scales(scores, cohort, instrument)
    return compare_sample(answers, scores, scales, cohort, instrument), scales


@pytest.fixture(scope="module")
def answers():
    return make_answers()


@pytest.fixture(scope="module")
def both(answers):
    return compare(answers)


@pytest.fixture(scope="module")
def findings(both):
    return both[0]


def test_flow_is_counted_and_what_is_not_known_is_not_guessed(findings, answers):
    rate = pick(findings, "response_rate", "n", "before")
    assert rate["estimate"] == 90 / 240
    assert rate["n"] == 240
    assert pick(findings, "n_answered", "nc", "after")["estimate"] == 70
    assert pick(findings, "n_linked", "n", "change")["estimate"] == 60
    for site in ("mc", "all"):
        row = pick(findings, "response_rate", site, "after")
        assert row["reason"] == Reason.NOT_STATED
        assert "invited" in row["note"]
    assert pick(findings, "n_invited", "all", "before")["estimate"] == 960
    zero = answers.assign(weight=np.where(answers.index < 10, 0.0, 1.0))
    found, _ = compare(zero)
    counts = [pick(found, f"n_{kind}", "n", "before")["estimate"] for kind in ("answered", "used")]
    assert counts == [90, 80]


def test_balance_before_and_who_answered_after(findings, answers):
    first = answers[answers["wave"] == "before"]
    arm = first["site"].isin(["n", "m"])
    scores = score_scales(first, INSTRUMENT)["trust"]
    one, other = scores[arm], scores[~arm]
    wanted = (one.mean() - other.mean()) / math.sqrt((one.var() + other.var()) / 2)
    row = pick(findings, "standardised_difference", "intervention", "before", outcome="trust")
    assert row["estimate"] == pytest.approx(wanted)
    assert row["comparison"] == "control"
    assert row["n"] == scores.notna().sum()
    for outcome in ("age", "sex", "years"):
        pick(findings, "standardised_difference", "n", "before", outcome=outcome)
        pick(findings, "standardised_difference", "control", "change", outcome=outcome)
    assert pick(findings, "mean", "control", "after", outcome="years")["n"] == 140
    assert "standardised_difference_weighted" not in set(findings["estimator"])


def test_small_categories_are_joined_so_that_none_is_shown(findings):
    shares = findings[(findings["estimator"] == "share") & findings["outcome"].str.match("age/")]
    assert "age/very old" not in set(shares["outcome"])
    assert "age/others, together" in set(shares["outcome"])
    assert (shares["n"] >= 10).all()
    sums = shares.groupby(["site", "period"])["estimate"].sum()
    assert sums.to_numpy() == pytest.approx(1)


def test_weights_stand_beside(answers):
    weights = np.where(answers["sex"] == "f", 0.5, 2.0)
    found, _ = compare(answers.assign(weight=weights))
    row = pick(found, "standardised_difference_weighted", "intervention", "before", outcome="trust")
    assert has_flag(row, Flag.WEIGHTED)
    plain = pick(found, "standardised_difference", "intervention", "before", outcome="trust")
    assert row["estimate"] != plain["estimate"]
    assert has_flag(pick(found, f"{DID}_fiml", "all", outcome="trust"), Flag.WEIGHTED)


def test_bounds_hold_the_change_of_those_who_stayed(findings, answers):
    scores = score_scales(answers, INSTRUMENT)
    wide = scores.pivot_table(index=["site", "person"], columns="wave", values="trust")
    change = (wide["after"] - wide["before"]).dropna()
    stayed = change["n"].mean() - change["nc"].mean()
    ends = [
        pick(findings, name, "n", "change", outcome="trust")["estimate"]
        for name in ("manski_lower", "lee_lower", "lee_upper", "manski_upper")
    ]
    assert ends == sorted(ends)
    assert ends[1] < stayed < ends[2]
    row = pick(findings, "lee_lower", "n", "change", outcome="trust")
    assert row["n"] == wide.loc[["n", "nc"], "before"].notna().sum()
    known = pick(findings, "manski_invited_upper", "n", "change", outcome="trust")
    assert known["estimate"] > ends[-1]
    unknown = pick(findings, "manski_invited_upper", "all", "change", outcome="trust")
    assert unknown["reason"] == Reason.NOT_STATED


def test_unlinked_people_have_no_lee_bounds(answers):
    found, _ = compare(answers.assign(person=""))
    assert not found["estimator"].str.startswith("lee").any()
    assert not (found["estimator"] == "n_linked").any()


def test_complete_answers_make_all_three_figures_one():
    found, scales = compare(make_answers(silent=0))
    for outcome in INSTRUMENT.scales:
        scored = pick(scales, DID, "all", outcome=outcome)
        filled = pick(found, f"{DID}_fiml", "all", outcome=outcome)
        whole = pick(found, f"{DID}_complete_cases", "all", outcome=outcome)
        assert filled["estimate"] == pytest.approx(scored["estimate"], abs=1e-7)
        assert filled["se"] == pytest.approx(scored["se"], rel=0.01)
        assert whole["estimate"] == scored["estimate"]
        assert not has_flag(whole, Flag.LEADS)


def test_a_scale_of_scales_is_filled_from_its_questions(answers):
    made = INSTRUMENT.model_dump()
    made["items"]["v2"]["reverse"] = True
    made["scales"]["both"] = {"scales": ["trust", "vision"]}
    instrument = Instrument.model_validate(made)
    found, scales = compare(make_answers(silent=0), instrument=instrument)
    filled = pick(found, f"{DID}_fiml", "all", outcome="both")
    assert filled["estimate"] == pytest.approx(
        pick(scales, DID, "all", outcome="both")["estimate"], abs=1e-7
    )


def test_without_control_sites_changes_or_means_are_filled(answers):
    treated = answers[answers["site"].isin(["n", "m"])].reset_index(drop=True)
    more = {"pairs": ({"intervention": "n"}, {"intervention": "m"}), "invited": {}}
    found, scales = compare(treated, **more)
    change = pick(found, "mean_difference_fiml", "n", "change", outcome="trust")
    scored = pick(scales, "mean_difference", "n", "change", outcome="trust")
    assert change["estimate"] == pytest.approx(scored["estimate"], abs=0.15)
    found, scales = compare(treated[treated["wave"] == "before"], **more)
    mean = pick(found, "mean_fiml", "n", "before", outcome="vision")
    scored = pick(scales, "mean", "n", "before", outcome="vision")
    assert mean["estimate"] == pytest.approx(scored["estimate"], abs=0.1)


def test_order_alone_agrees_with_a_clear_rise(both):
    findings, scales = both
    row = pick(findings, "ordered_logit", "all", "change", outcome="trust")
    assert row["ci_low"] > 1
    assert pick(scales, DID, "all", outcome="trust")["ci_low"] > 0
    assert not has_flag(row, Flag.DISAGREES)
    ranks = pick(findings, "probability_of_superiority", "n", "change", outcome="trust")
    assert ranks["p_value"] < 0.05


def test_a_mean_moved_by_a_few_disagrees_with_the_order():
    """A few who move far lift the mean, while most move down: the order says otherwise."""
    rows = []
    for site in ("n", "nc"):
        for wave in ("before", "after"):
            for k in range(100):
                moved = site == "n" and wave == "after"
                code = (5 if k < 30 else 2) if moved else 3 if k % 10 else 2
                rows.append({"wave": wave, "site": site, "person": "", "weight": 1.0,
                             **dict.fromkeys(ITEMS, float(code))})  # fmt: skip
    found, scales = compare(pd.DataFrame(rows), pairs=(("n", "nc"),), surveys=[], invited={})
    row = pick(found, "ordered_logit", "n", "change", outcome="trust")
    assert pick(scales, DID, "n", outcome="trust")["estimate"] > 0 > math.log(row["estimate"])
    assert has_flag(row, Flag.DISAGREES)


def spoil(answers, kind):
    after, area = answers["wave"] == "after", answers["site"] == "n"
    numbered = answers.groupby(["site", "wave"]).cumcount()
    match kind:
        case "an arm lost":
            return answers[~(after & area)]
        case "an arm with strangers":
            return answers.assign(
                person=answers["person"].mask(after & area, "x" + answers["person"])
            )
        case "constant":
            return answers.assign(**dict.fromkeys(ITEMS, 3.0))
        case "three people":
            return answers[numbered < 3]
        case "nearly all missing":
            kept = np.random.default_rng(1).random((len(answers), 5)) < 0.05
            return answers.assign(**answers[ITEMS].where(kept))
        case "nothing answered":
            return answers.assign(**dict.fromkeys(ITEMS, math.nan))
        case "one cluster a site":
            return answers.assign(cluster=answers["site"])
        case "one cluster":
            return answers.assign(cluster="x")
        case "a weight of zero":
            return answers.assign(weight=np.where(area, 0.0, 1.0))
        case "blank background":
            return answers.assign(age="", sex="", years="")
        case "one category":
            return answers.assign(age="old", sex=np.where(area, "f", "m"), years="40")
        case "all different":
            return answers.assign(age=[f"w{k}" for k in range(len(answers))])
    raise ValueError(kind)


@pytest.mark.parametrize(
    "kind",
    [
        "an arm lost", "an arm with strangers", "constant", "three people", "nearly all missing",
        "nothing answered", "one cluster a site", "one cluster", "a weight of zero",
        "blank background", "one category", "all different",
    ],
)  # fmt: skip
def test_odd_samples_have_a_number_or_a_reason(answers, kind):
    """Every row has a number or a typed reason with words; nothing falls over."""
    found, scales = compare(spoil(answers, kind).reset_index(drop=True))
    for frame in (found, scales):
        missing = frame["estimate"].isna()
        assert (frame.loc[missing, "reason"] != "").all()
        assert (frame.loc[missing, "note"] != "").all()
        assert np.isfinite(frame.loc[~missing, "estimate"]).all()
        assert not frame.duplicated(["outcome", "site", "comparison", "period", "estimator"]).any()
    for note in found["note"].unique():
        assert not find_forbidden_words(note, 1)
    if kind == "an arm with strangers":
        assert pick(found, "lee_lower", "n", outcome="trust")["reason"] == Reason.NO_ANSWERS
        assert math.isfinite(pick(found, "manski_lower", "n", outcome="trust")["estimate"])


def test_clusters_are_counted_and_widen_what_is_filled(answers):
    street = answers["site"] + (answers.groupby(["site", "wave"]).cumcount() // 10).astype(str)
    random = np.random.default_rng(5)
    key = street + answers["wave"]
    shift = key.map(dict(zip(key.unique(), random.normal(0, 1, key.nunique()), strict=True)))
    moved = answers.assign(**{item: (answers[item] + shift.round()).clip(1, 5) for item in ITEMS})
    plain, _ = compare(moved.assign(person=""))
    found, scales = compare(moved.assign(person="", cluster=street))
    assert pick(found, "n_clusters", "all", "change")["estimate"] == street.nunique()
    for name in (f"{DID}_fiml", "ordered_logit"):
        rows = [pick(frame, name, "all", outcome="vision") for frame in (found, plain)]
        assert rows[0]["se"] > 1.3 * rows[1]["se"]
    clustered = pick(scales, DID, "all", outcome="vision")
    filled = pick(found, f"{DID}_fiml", "all", outcome="vision")
    assert filled["se"] == pytest.approx(clustered["se"], rel=0.1)
