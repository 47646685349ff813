"""Scores and reliability of scales, checked in plain pandas and by what must not matter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sbwork.score import scale_reliability, score_coverage, score_scales
from sbwork.specs.errors import InputError
from sbwork.specs.instrument import Instrument
from sbwork.stats import Flag, Reason
from sbwork.stats.findings import has_flag
from sbwork.stats.reliability import estimate_alpha

EXACT = 1e-12
COUNTS_OF_ROWS = (1, 16_383, 16_384, 16_385, 40_000)

OPTIONS: list[dict[str, Any]] = [{"code": code} for code in range(1, 6)]


def make_instrument(**changes: Any) -> Instrument:
    items = {f"t{i}": {"options": "agree"} for i in range(1, 5)}
    items |= {f"v{i}": {"options": "agree"} for i in range(1, 4)}
    items["t2"]["reverse"] = True  # type: ignore[assignment]
    spec: dict[str, Any] = {
        "name": "short",
        "options": {"agree": [*OPTIONS, {"code": 9, "nonresponse": "dont_know"}]},
        "items": items,
        "scales": {
            "trust": {"items": ["t1", "t2", "t3", "t4"]},
            "capital": {"scales": ["trust", "vision", "pair"]},
            "vision": {"items": ["v1", "v2", "v3"], "minimum_answered": 3},
            "pair": {"items": ["t1", "v1"]},
        },
    }
    return Instrument.model_validate(spec | changes)


def make_answers(n: int = 400, seed: int = 2, missing: float = 0.08) -> pd.DataFrame:
    """Answers that hang together, about `missing` of them blank."""
    random = np.random.default_rng(seed)
    instrument = make_instrument()
    shared = random.normal(size=(n, 1))
    codes = np.clip(np.round(3 + shared + 0.8 * random.normal(size=(n, 7))), 1, 5)
    codes[:, 1] = 6 - codes[:, 1]
    codes[random.random(codes.shape) < missing] = np.nan
    frame = pd.DataFrame(codes, columns=list(instrument.items))
    frame.insert(0, "wave", random.choice(["after", "before"], n))
    frame.insert(1, "site", random.choice(["south", "north"], n))
    frame.insert(2, "weight", 1.0)
    frame.index = pd.Index(np.arange(n) * 3 + 7)
    return frame


def score_plainly(answers: pd.DataFrame) -> pd.DataFrame:
    items = answers[["t1", "t2", "t3", "t4", "v1", "v2", "v3"]].copy()
    items["t2"] = 6 - items["t2"]

    def average(frame: pd.DataFrame, required: int) -> pd.Series:
        return frame.mean(axis=1).where(frame.notna().sum(axis=1) >= required)

    scores = pd.DataFrame(
        {
            "trust": average(items[["t1", "t2", "t3", "t4"]], 2),
            "vision": average(items[["v1", "v2", "v3"]], 3),
            "pair": average(items[["t1", "v1"]], 1),
        }
    )
    scores.insert(1, "capital", average(scores, 2))
    return scores


def pick(findings: pd.DataFrame, **wanted: str) -> pd.DataFrame:
    for column, value in wanted.items():
        findings = findings[findings[column] == value]
    return findings


def measure(
    answers: pd.DataFrame, spec: Instrument, outcome: str, estimator: str = "item_rest_correlation"
) -> pd.Series:
    """Return one figure of the reliability of all answers together."""
    found = scale_reliability(answers, spec, draws=0)
    rows = pick(found, outcome=outcome, estimator=estimator, site="all", period="all")
    assert len(rows) == 1
    return rows.iloc[0]


@pytest.mark.parametrize("n", COUNTS_OF_ROWS)
@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_scores_equal_plain_pandas(n: int, missing: float) -> None:
    answers = make_answers(n, missing=missing)
    scores = score_scales(answers, make_instrument())
    expected = answers[["wave", "site", "weight"]].join(score_plainly(answers))
    pd.testing.assert_frame_equal(scores, expected, rtol=EXACT, atol=EXACT)


def test_answers_are_left_unchanged_and_not_shared() -> None:
    answers = make_answers()
    before = answers.copy(deep=True)
    scores = score_scales(answers, make_instrument())
    scores.loc[:, "weight"] = 5.0
    scale_reliability(answers, make_instrument(), draws=0)
    score_coverage(answers, make_instrument())
    pd.testing.assert_frame_equal(answers, before)


def test_layout_of_memory_changes_nothing() -> None:
    answers = make_answers()
    items = list(make_instrument().items)
    rows = np.ascontiguousarray(answers[items].to_numpy())
    other = pd.concat(
        [answers.drop(columns=items), pd.DataFrame(rows, columns=items, index=answers.index)],
        axis=1,
    )
    pd.testing.assert_frame_equal(
        score_scales(answers, make_instrument()), score_scales(other, make_instrument())
    )


def test_no_rows_give_no_scores_and_say_so() -> None:
    answers = make_answers().head(0)
    assert score_scales(answers, make_instrument()).shape == (0, 7)
    found = scale_reliability(answers, make_instrument())
    assert found["estimate"].isna().all()
    assert (found["note"] != "").all()
    coverage = score_coverage(answers, make_instrument())
    assert (coverage.loc[coverage["estimator"] == "n_scored", "estimate"] == 0).all()


ANSWERS = st.lists(
    st.lists(st.sampled_from([1.0, 2.0, 3.0, 4.0, 5.0, np.nan]), min_size=7, max_size=7),
    min_size=1,
    max_size=20,
)


@given(ANSWERS)
def test_scores_stay_within_the_range_of_the_items(rows: list[list[float]]) -> None:
    answers = pd.DataFrame(rows, columns=list(make_instrument().items))
    scores = score_scales(answers, make_instrument()).to_numpy()
    known = scores[~np.isnan(scores)]
    assert ((known >= 1) & (known <= 5)).all()


@settings(max_examples=25)
@given(ANSWERS, st.permutations(["t1", "t2", "t3", "t4"]))
def test_order_of_items_changes_nothing(rows: list[list[float]], order: list[str]) -> None:
    answers = pd.DataFrame(rows, columns=list(make_instrument().items))
    other = make_instrument(scales={"trust": {"items": order}})
    same = score_scales(answers, make_instrument())["trust"]
    assert score_scales(answers, other)["trust"].to_numpy() == pytest.approx(
        same.to_numpy(), nan_ok=True
    )
    found = pick(scale_reliability(answers, other, draws=0), outcome="trust")
    expected = pick(scale_reliability(answers, make_instrument(), draws=0), outcome="trust")
    omega = found["estimator"] == "omega_total"
    for column in ("estimate", "ci_low", "ci_high"):
        assert found.loc[~omega, column].to_numpy() == pytest.approx(
            expected.loc[~omega.to_numpy(), column].to_numpy(), nan_ok=True, abs=1e-9
        )


def test_order_of_items_changes_no_omega() -> None:
    answers = make_answers()
    other = make_instrument(scales={"trust": {"items": ["t3", "t2", "t4", "t1"]}})
    found = [
        pick(scale_reliability(answers, spec, draws=120), outcome="trust", estimator="omega_total")
        for spec in (make_instrument(), other)
    ]
    for column in ("estimate", "ci_low", "ci_high"):
        assert found[0][column].to_numpy() == pytest.approx(found[1][column].to_numpy(), abs=1e-5)


@given(ANSWERS, st.sets(st.sampled_from(["t1", "t3", "t4", "v1", "v2", "v3"])))
def test_reversing_an_item_and_its_key_changes_nothing(
    rows: list[list[float]], turned: set[str]
) -> None:
    answers = pd.DataFrame(rows, columns=list(make_instrument().items))
    items = {
        key: {"options": "agree", "reverse": (key == "t2") != (key in turned)} for key in answers
    }
    mirrored = answers.assign(**{item: 6 - answers[item] for item in turned})
    pd.testing.assert_frame_equal(
        score_scales(mirrored, make_instrument(items=items)),
        score_scales(answers, make_instrument()),
        rtol=EXACT,
    )


def test_shift_and_stretch_leave_alpha() -> None:
    answers = make_answers()
    items = list(make_instrument().items)
    stretched = answers.assign(**{item: 10 * answers[item] - 7 for item in items})
    options = {"agree": [{"code": 10 * code - 7} for code in range(1, 6)]}
    for estimator in ("alpha", "omega_total", "item_rest_correlation", "floor_share"):
        found = [
            pick(scale_reliability(frame, spec, draws=0), estimator=estimator)["estimate"]
            for frame, spec in (
                (answers, make_instrument()),
                (stretched, make_instrument(options=options)),
            )
        ]
        assert found[0].to_numpy() == pytest.approx(found[1].to_numpy(), nan_ok=True, abs=1e-8)


def test_reliability_by_site_and_wave_rests_on_those_answers() -> None:
    answers = make_answers()
    found = scale_reliability(answers, make_instrument(), draws=0)
    turned = answers.assign(t2=6 - answers["t2"])
    for site in ("all", "north", "south"):
        for wave in ("all", "before", "after"):
            chosen = turned[
                ((turned["site"] == site) | (site == "all"))
                & ((turned["wave"] == wave) | (wave == "all"))
            ]
            complete = chosen[["t1", "t2", "t3", "t4"]].dropna()
            alpha = pick(found, outcome="trust", estimator="alpha", site=site, period=wave).iloc[0]
            assert alpha["n"] == len(complete)
            expected = estimate_alpha(complete.cov().to_numpy(), len(complete))
            assert alpha["estimate"] == pytest.approx(expected.estimate, abs=EXACT)
            assert alpha["ci_low"] == pytest.approx(expected.ci_low, abs=EXACT)
    assert list(dict.fromkeys(found["period"])) == ["all", "before", "after"]
    assert list(dict.fromkeys(found["site"])) == ["all", "north", "south"]


def test_reliability_of_a_scale_of_scales_rests_on_their_scores() -> None:
    answers = make_answers()
    scores = score_scales(answers, make_instrument())[["trust", "vision", "pair"]].dropna()
    found = measure(answers, make_instrument(), "capital", "alpha")
    expected = estimate_alpha(scores.cov().to_numpy(), len(scores))
    assert found["estimate"] == pytest.approx(expected.estimate, abs=1e-9)
    assert found["n"] == len(scores)


def reverse_vision(**changes: Any) -> Instrument:
    """Make an instrument in which a high score on vision is worse."""
    scales = make_instrument().model_dump()["scales"]
    scales = {key: {k: v for k, v in scale.items() if v} for key, scale in scales.items()}
    scales["capital"]["scales"] = ["trust", "vision"]
    scales["vision"]["reverse"] = True
    return make_instrument(scales=scales, **changes)


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_a_scale_where_high_is_worse_is_turned_round_in_the_scale_that_it_is_part_of(
    missing: float,
) -> None:
    answers, instrument = make_answers(missing=missing), reverse_vision()
    found = score_scales(answers, instrument)
    plain = score_plainly(answers)
    np.testing.assert_allclose(found["vision"], plain["vision"], atol=EXACT)
    expected = pd.DataFrame({"trust": plain["trust"], "vision": 6 - plain["vision"]}).mean(axis=1)
    np.testing.assert_allclose(found["capital"], expected, atol=EXACT)


def test_reliability_of_a_scale_of_scales_is_that_of_the_parts_as_they_are_averaged() -> None:
    """Answering the part's questions the other way round, or turning it, is the same."""
    turned = make_answers()
    turned[["v1", "v2", "v3"]] = 6 - turned[["v1", "v2", "v3"]]
    straight = reverse_vision()
    straight = straight.model_copy(
        update={"scales": straight.scales | {"vision": make_instrument().scales["vision"]}}
    )
    found, expected = (
        scale_reliability(answers, instrument, draws=100)
        for answers, instrument in ((turned, reverse_vision()), (make_answers(), straight))
    )
    rows = [frame["outcome"].str.startswith("capital") for frame in (found, expected)]
    one, other = found[rows[0]].reset_index(drop=True), expected[rows[1]].reset_index(drop=True)
    assert (one["estimator"] == other["estimator"]).all()
    assert one.loc[one["estimator"] == "alpha", "estimate"].notna().all()
    for column in ("estimate", "ci_low", "ci_high", "n"):
        np.testing.assert_allclose(one[column], other[column], rtol=1e-9)
    assert (one["flags"] == other["flags"]).all()


def test_the_ends_of_a_scale_of_scales_are_those_of_its_parts_as_they_are_averaged() -> None:
    best = {f"t{i}": 1.0 if i == 2 else 5.0 for i in range(1, 5)} | {
        f"v{i}": 1.0 for i in (1, 2, 3)
    }
    worst = {item: 6 - code for item, code in best.items()}
    found = scale_reliability(pd.DataFrame([best, best, worst, best]), reverse_vision(), draws=0)
    for outcome, floor, ceiling in (("capital", 0.25, 0.75), ("vision", 0.75, 0.25)):
        shares = pick(found, outcome=outcome).set_index("estimator")["estimate"]
        assert (shares["floor_share"], shares["ceiling_share"]) == (floor, ceiling)


def test_bootstrap_follows_its_seed() -> None:
    answers = make_answers()
    runs = [
        pick(scale_reliability(answers, make_instrument(), draws=150, seed=seed), outcome="trust")
        for seed in (1, 1, 2)
    ]
    pd.testing.assert_frame_equal(runs[0], runs[1])
    omegas = [pick(run, estimator="omega_total")["ci_low"].to_numpy() for run in runs]
    assert not np.array_equal(omegas[0], omegas[2])
    first = pick(runs[0], estimator="omega_total").iloc[0]
    assert first["ci_low"] < first["estimate"] < first["ci_high"]


def test_item_forgotten_in_the_key_is_named_and_not_flipped() -> None:
    answers = make_answers()
    items = {key: {"options": "agree"} for key in make_instrument().items}
    forgetful = make_instrument(items=items)
    rest = measure(answers, forgetful, "trust/t2")
    assert rest["estimate"] < -0.3
    assert "'t2' runs against the other items: it looks reversed but is not in" in rest["note"]
    for item in ("t1", "t3", "t4"):
        assert "looks reversed but" not in measure(answers, forgetful, f"trust/{item}")["note"]
    plain = answers[["t1", "t2", "t3", "t4"]]
    expected = plain.mean(axis=1).where(plain.notna().sum(axis=1) >= 2)
    assert score_scales(answers, forgetful)["trust"].to_numpy() == pytest.approx(
        expected.to_numpy(), nan_ok=True
    )


def test_item_wrongly_in_the_key_and_a_torn_scale_have_different_notes() -> None:
    answers = make_answers(missing=0.0)
    items: dict[str, Any] = {key: {"options": "agree"} for key in make_instrument().items}
    items |= {key: {"options": "agree", "reverse": True} for key in ("t2", "t4")}

    def note(frame: pd.DataFrame, scale: list[str], item: str) -> str:
        """Return the note; the flag must be there where the note says that something is wrong."""
        spec = make_instrument(items=items, scales={"s": {"items": scale}})
        row = measure(frame, spec, f"s/{item}")
        assert has_flag(row, Flag.OPPOSED_ITEM) == bool(row["note"])
        return str(row["note"])

    assert "in the reverse key but does not look" in note(answers, ["t1", "t2", "t3", "t4"], "t4")
    assert "two halves" in note(answers, ["t1", "t4"], "t1")
    assert note(answers, ["t1", "t2", "t3"], "t1") == ""


def test_weak_item_is_warned_of() -> None:
    random = np.random.default_rng(4)
    answers = make_answers(2000, missing=0.0)
    mixed = np.where(random.random(2000) < 0.15, answers["t1"], random.integers(1, 6, 2000))
    rest = measure(answers.assign(t3=mixed), make_instrument(), "trust/t3")
    assert 0 < rest["estimate"] < 0.2
    assert rest["note"] == "'t3' is hardly related to the other items."
    assert rest["flags"] == Flag.WEAK_ITEM


def test_what_cannot_be_measured_is_missing_with_its_reason() -> None:
    answers = make_answers()
    constant, spec = answers.assign(v2=3.0), make_instrument()
    alpha = measure(constant, spec, "vision", "alpha")
    assert alpha["note"].startswith("Everybody gave the same")
    assert alpha["reason"] == Reason.NO_VARIATION
    assert not np.isnan(measure(constant, spec, "pair", "alpha")["estimate"])
    omega = measure(constant, spec, "pair", "omega_total")
    assert "three items" in omega["note"]
    assert omega["reason"] == Reason.TOO_FEW_ITEMS
    assert "at least 10" in measure(answers.head(9), spec, "vision", "alpha")["note"]


def test_floor_and_ceiling_count_those_at_one_end_throughout() -> None:
    spec = make_instrument(
        items={
            "t1": {"options": "agree"},
            "t2": {"options": [{"code": code} for code in range(11)], "reverse": True},
        },
        scales={"trust": {"items": ["t1", "t2"]}},
    )
    answers = pd.DataFrame({"t1": [1, 1, 5, np.nan, np.nan, 3.0], "t2": [10, 9, 0, 0, np.nan, 5.0]})
    same_range = make_instrument(scales={"trust": {"items": ["t1", "t2"]}})
    alike = answers.assign(t2=[5, 4, 1, 1, np.nan, 3.0])
    for frame, instrument in ((answers, spec), (alike, same_range)):
        assert measure(frame, instrument, "trust", "floor_share")["estimate"] == 1 / 5
        assert measure(frame, instrument, "trust", "ceiling_share")["estimate"] == 2 / 5


def test_coverage_equals_plain_counts() -> None:
    answers = make_answers(missing=0.35)
    found = score_coverage(answers, make_instrument())
    plain = score_plainly(answers)
    chosen = (answers["site"] == "north") & (answers["wave"] == "after")
    parts = {"trust": ["t1", "t2", "t3", "t4"], "capital": list(make_instrument().items)}
    for scale, items in parts.items():
        rows = pick(found, outcome=scale, site="north", period="after").set_index("estimator")
        scores = plain.loc[chosen, scale]
        complete = answers.loc[chosen, items].notna().all(axis=1)
        assert rows.loc["n_scored", "estimate"] == scores.notna().sum()
        assert rows.loc["n_unscored", "estimate"] == scores.isna().sum()
        assert rows.loc["share_prorated", "estimate"] == pytest.approx(
            1 - complete.sum() / scores.notna().sum()
        )
        assert rows.loc["mean", "estimate"] == pytest.approx(scores.mean())
        assert rows.loc["mean", "se"] == pytest.approx(scores.sem())
        assert rows.loc["mean_complete_cases", "estimate"] == pytest.approx(scores[complete].mean())


def test_answers_without_a_site_count_in_the_whole_only() -> None:
    answers = make_answers()
    answers.loc[answers.index[:50], "site"] = np.nan
    found = pick(score_coverage(answers, make_instrument()), outcome="pair", period="all")
    counted = found[found["estimator"].isin(["n_scored", "n_unscored"])]
    counts = counted.groupby("site")["estimate"].sum()
    assert counts["all"] == 400
    assert counts["north"] + counts["south"] == 350


def test_codes_outside_the_range_are_all_refused_at_once() -> None:
    answers = make_answers(missing=0.0)
    answers.loc[answers.index[3], "t1"] = 9.0
    answers.loc[answers.index[4:6], "v3"] = [-np.inf, 0.0]
    with pytest.raises(InputError) as refused:
        score_scales(answers, make_instrument())
    message = str(refused.value)
    assert len(refused.value.problems) == 2
    assert "item 't1': 1 answers have a code outside its range: '9'" in message
    assert "item 'v3': 2 answers" in message
    assert "'1', '2', '3', '4', '5'" in message


def test_missing_columns_and_clashing_names_are_refused() -> None:
    answers = make_answers()
    with pytest.raises(InputError, match=r"item 't1'.*Did you mean 'T1'"):
        score_scales(answers.rename(columns={"t1": "T1"}), make_instrument())
    with pytest.raises(InputError, match="'trust': a column has the name of a scale"):
        score_scales(answers.assign(trust="x"), make_instrument())
    with pytest.raises(ValueError, match="duplicate columns"):
        score_scales(pd.concat([answers, answers], axis=1), make_instrument())
    with pytest.raises(ValueError, match="draws"):
        scale_reliability(answers, make_instrument(), draws=-1)
