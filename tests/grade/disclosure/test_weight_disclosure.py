"""Shares behind the weights: what is hidden can't be worked out from what is shown."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbwork.grade.disclosure import suppress_findings
from sbwork.score.weights.targets import weight_answers
from sbwork.specs.cohort import Cohort, Weighting

SMALL = 10
COHORT = Cohort.model_validate({"name": "pilot", "sites": {"n": {}, "s": {}}})


def make_findings(counts: dict[str, int], wave: str = "after") -> pd.DataFrame:
    ages = [age for age, n in counts.items() for _ in range(n)]
    answers = pd.DataFrame({"age": ages, "wave": wave, "site": "n", "weight": 1.0})
    targets = {"age": {age: 1 / len(counts) for age in counts}}
    return weight_answers(answers, Weighting(targets=targets))[1]


def select(findings: pd.DataFrame, category: str, estimator: str) -> pd.Series:
    rows = findings[findings["outcome"] == f"age/{category}"]
    return rows[rows["estimator"] == estimator].iloc[0]


def test_a_category_of_three_shows_no_share_and_can_not_be_worked_out() -> None:
    found = suppress_findings(make_findings({"young": 50, "middle": 30, "old": 3}), COHORT)
    for estimator in ("share_before", "share_after"):
        row = select(found, "old", estimator)
        assert row[["estimate", "n"]].isna().all()
        assert (
            row["note"]
            == "Hidden: fewer than 10 people, or a number that would give such a one back."
        )
    for category in ("old", "middle", "young"):
        target = select(found, category, "target_share")
        assert target["estimate"] == pytest.approx(1 / 3)
    # With the number of people, the two other shares would give the third group back.
    shown = found[(found["estimator"] == "share_before") & found["estimate"].notna()]
    assert len(shown) < 2 or shown["n"].isna().all()
    weight = found[found["outcome"] == "weight"].set_index("estimator")
    # A third over 3 / 83 would give the 3 back, and so would the sum of the squared weights.
    assert weight["estimate"].isna()["largest_weight"]
    assert weight["estimate"].isna()["n_eff"]


def test_large_categories_stay() -> None:
    rows = make_findings({"young": 50, "old": 10})
    pd.testing.assert_frame_equal(suppress_findings(rows, COHORT), rows)


def test_a_small_category_of_one_wave_hides_nothing_of_the_other() -> None:
    few = make_findings({"young": 50, "old": 9}, "before")
    many = make_findings({"young": 50, "old": 20}, "after")
    found = suppress_findings(pd.concat([few, many], ignore_index=True), COHORT)
    after = found[found["period"] == "after"]
    assert after["estimate"].notna().all()
    before = found[(found["period"] == "before") & (found["outcome"] == "age/old")]
    assert before.loc[before["estimator"] == "share_before", "estimate"].isna().all()


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6))
def test_what_is_left_over_is_never_one_small_group(sizes: list[int]) -> None:
    counts = {f"c{i}": n for i, n in enumerate(sizes)}
    found = suppress_findings(make_findings(counts), COHORT)
    shares = found[found["estimator"] == "share_before"].set_index("outcome")["estimate"]
    hidden = [n for name, n in counts.items() if pd.isna(shares[f"age/{name}"])]
    assert all(n in hidden for n in sizes if n < SMALL)
    asked = found[(found["outcome"] == "weight") | found["outcome"].isin(shares.index)]["n"]
    if hidden and len(hidden) < len(sizes) and asked.notna().any():
        assert len(hidden) > 1
        assert sum(hidden) >= SMALL
