"""Raking and weighted means against R's survey."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from made_by_hand import read_reference

from sbwork.score.weights import rake, weighted_mean
from sbwork.specs.errors import InputError
from sbwork.stats.cells import compute_kish_n

SURVEY = 1e-8
EXACT = 1e-12

TARGETS = {
    "age": {"young": 0.30, "middle": 0.45, "old": 0.25},
    "sex": {"f": 0.51, "m": 0.49},
    "tenure": {"owns": 0.64, "rents": 0.36},
}


SURVEYS = read_reference("weights")


@pytest.fixture
def people() -> pd.DataFrame:
    """The people of tests/reference/weights.R, made by the same rule."""
    i = np.arange(1, 241)
    age = np.array(["young", "middle", "old"])[((i * i + 3 * i) % 7) % 3]
    sex = np.where((i * 5 + i // 9) % 11 > 6, "m", "f")
    y = 1 + ((3 * i * i + 5 * i) % 29) / 7 + (age == "old") + 0.5 * (sex == "m")
    tenure, base = np.where((i * 7) % 5 > 2, "rents", "owns"), 0.5 + ((i * 13) % 17) / 10
    gap = np.where(i % 6 == 0, np.nan, y)
    return pd.DataFrame(
        {"age": age, "sex": sex, "tenure": tenure, "y": y, "gap": gap, "base": base}
    )


@pytest.mark.parametrize(("name", "given_base"), [("raked", False), ("calibrated", True)])
def test_agrees_with_survey(people: pd.DataFrame, name: str, given_base: bool) -> None:
    expected = SURVEYS[name]
    raked = rake(people, TARGETS, base=people["base"] if given_base else None)
    assert raked.converged
    assert raked.weights == pytest.approx(expected["weights"], abs=SURVEY)
    for column, prefix in (("y", ""), ("gap", "gap_")):
        mean = weighted_mean(people[column], raked)
        assert mean.estimate == pytest.approx(expected[f"{prefix}mean"], abs=SURVEY)
        assert mean.se == pytest.approx(expected[f"{prefix}se"], abs=SURVEY)
    assert mean.n == 200
    if given_base:
        assert raked.weights == pytest.approx(SURVEYS["raked_given"]["weights"], abs=SURVEY)


def test_plain_weights_agree_with_survey(people: pd.DataFrame) -> None:
    mean = weighted_mean(people["y"], people["base"])
    assert mean.estimate == pytest.approx(SURVEYS["plain"]["mean"], abs=SURVEY)
    assert mean.se == pytest.approx(SURVEYS["plain"]["se"], abs=SURVEY)


def test_a_mean_that_the_margins_fix_has_no_error(people: pd.DataFrame) -> None:
    raked = rake(people, TARGETS)
    share = weighted_mean((people["sex"] == "f") * 1.0, raked, unit="share")
    assert share.estimate == pytest.approx(0.51, abs=1e-10)
    assert share.se == pytest.approx(0, abs=1e-10)
    naive = weighted_mean((people["sex"] == "f") * 1.0, raked.weights)
    assert naive.se > 0.01


SHARES = st.lists(st.floats(0.05, 1), min_size=2, max_size=4)


@given(SHARES, SHARES, st.integers(0, 2**32 - 1))
def test_raking_reproduces_its_targets(first: list[float], second: list[float], seed: int) -> None:
    random = np.random.default_rng(seed)
    rows = [(f"a{i}", f"b{j}") for i in range(len(first)) for j in range(len(second))]
    rows += [rows[i] for i in random.integers(len(rows), size=40)]
    people = pd.DataFrame(rows, columns=["a", "b"])
    targets = {
        "a": {f"a{i}": share / sum(first) for i, share in enumerate(first)},
        "b": {f"b{i}": share / sum(second) for i, share in enumerate(second)},
    }
    base = random.uniform(0.5, 2, len(people))
    raked = rake(people, targets, base=base)
    assert raked.converged
    assert raked.margins["share_after"].to_numpy() == pytest.approx(
        raked.margins["target"].to_numpy(), abs=1e-9
    )
    assert raked.weights.mean() == pytest.approx(1)
    assert (raked.weights > 0).all()
    assert raked.n_eff <= len(people) + 1e-9
    order = random.permutation(len(people))
    shuffled = rake(people.iloc[order], targets, base=base[order])
    assert shuffled.weights == pytest.approx(raked.weights[order], rel=1e-9)


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=30))
def test_equal_weights_give_the_plain_mean(values: list[float]) -> None:
    assume(np.std(values) > 1e-6)
    mean = weighted_mean(values, np.full(len(values), 3.0))
    assert mean.estimate == pytest.approx(np.mean(values), abs=1e-9)
    assert mean.se == pytest.approx(np.std(values, ddof=1) / math.sqrt(len(values)), rel=1e-9)


def test_margins_are_shown_before_and_after(people: pd.DataFrame) -> None:
    raked = rake(people, TARGETS)
    row = raked.margins.set_index(["variable", "category"]).loc[("age", "old")]
    assert row["n"] == (people["age"] == "old").sum()
    assert row["share_before"] == pytest.approx((people["age"] == "old").mean())
    assert row["target"] == 0.25
    assert row["share_after"] == pytest.approx(0.25, abs=1e-10)
    assert raked.n_eff == pytest.approx(compute_kish_n(raked.weights))


def test_trimming_holds_the_limits_and_the_targets_where_it_can(people: pd.DataFrame) -> None:
    free = rake(people, TARGETS)
    limits = (0.5, float(free.weights.max()) * 0.97)
    raked = rake(people, TARGETS, trim=limits)
    assert raked.converged
    assert raked.n_trimmed > 0
    assert raked.weights.max() <= limits[1] + EXACT
    assert raked.weights.min() >= limits[0] - EXACT
    assert raked.weights.mean() == pytest.approx(1)
    tight = rake(people, TARGETS, trim=(0.95, 1.05))
    assert not tight.converged
    assert tight.weights.max() <= 1.05 + EXACT
    gaps = tight.margins["share_after"] - tight.margins["target"]
    assert gaps.abs().max() > 1e-3


def test_refuses_every_mismatch_at_once(people: pd.DataFrame) -> None:
    targets = {
        "age": {"young": 0.5, "midle": 0.3, "old": 0.2},
        "gender": {"f": 0.5, "m": 0.5},
        "sex": {"f": 1.0},
    }
    blank = people.assign(sex=people["sex"].where(people.index > 4, np.nan))
    with pytest.raises(InputError) as refused:
        rake(blank, targets, place="survey.csv")
    message = str(refused.value)
    assert "survey.csv, column 'age': no target is given for 'middle'" in message
    assert "Did you mean 'midle'?" in message
    assert "nobody is in 'midle'" in message
    assert "column 'gender': there is no such column" in message
    assert "5 respondents have no category" in message
    assert "no target is given for 'm'" in message


@pytest.mark.parametrize(
    ("targets", "options", "said"),
    [
        ({}, {}, "needs targets"),
        (TARGETS, {"base": np.zeros(240)}, "above 0"),
        (TARGETS, {"base": [1.0]}, "240 weights"),
        (TARGETS, {"trim": (1.2, 3)}, "around 1"),
        ({"sex": {"f": 1.0, "m": 0.0}}, {}, "shares of 'sex'"),
    ],
)
def test_refuses_wrong_use(people: pd.DataFrame, targets, options, said) -> None:
    with pytest.raises(ValueError, match=said):
        rake(people, targets, **options)


@pytest.mark.parametrize(("weights", "said"), [([1.0], "equal columns"), ([1, -1], "0 or above")])
def test_a_mean_refuses_weights_that_are_none(weights, said) -> None:
    with pytest.raises(ValueError, match=said):
        weighted_mean([1.0, 2.0], weights)


def test_means_of_nobody_and_of_one_say_so() -> None:
    nobody = weighted_mean([np.nan, np.nan], [1.0, 1.0])
    assert math.isnan(nobody.estimate)
    assert nobody.note == "Nobody gave a score."
    one = weighted_mean([np.nan, 4.0], [1.0, 2.0])
    assert one.estimate == 4
    assert math.isnan(one.se)
    assert one.note
    assert math.isnan(compute_kish_n([]))
