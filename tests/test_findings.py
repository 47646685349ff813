"""The findings of the example cohorts stay what they were, number by number.

``python tests/test_findings.py`` writes the reference anew, for when a method changes on purpose.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sbwork as sb

REFERENCE = Path(__file__).parent / "reference" / "findings"
KEYS = ["section", "outcome", "site", "comparison", "period", "estimator"]
RELATIVE = 1e-9
AS_TEXT = {"keep_default_na": False, "dtype": str}
COHORTS = sorted(path.stem for path in REFERENCE.glob("*.csv"))


def as_written(findings: pd.DataFrame) -> pd.DataFrame:
    frame = pd.read_csv(io.StringIO(findings.to_csv(index=False)), **AS_TEXT)
    return frame.drop(columns="note")


def number(frame: pd.DataFrame) -> pd.DataFrame:
    """Key each row by what it is of, and by its place among rows of the same."""
    return frame.set_index([*KEYS, frame.groupby(KEYS).cumcount().rename("row")]).sort_index()


@pytest.mark.parametrize("name", COHORTS)
def test_findings_are_those_of_the_reference(name, evaluate_example):
    expected = number(pd.read_csv(REFERENCE / f"{name}.csv", **AS_TEXT))
    found = number(as_written(evaluate_example(name).findings))
    assert list(found.index.symmetric_difference(expected.index)) == []
    differing = []
    for column in expected.columns:
        was, now = expected[column], found[column]
        numbers = [pd.to_numeric(values, errors="coerce") for values in (was, now)]
        alike = np.isclose(*numbers, rtol=RELATIVE, atol=RELATIVE) | (was == now)
        differing += [(column, key, was[key], now[key]) for key in expected.index[~alike]]
    assert differing == []


def test_the_reference_holds_every_example_cohort():
    assert sb.find_cohorts(REFERENCE.parents[2] / "data") == COHORTS


if __name__ == "__main__":
    for cohort in sb.find_cohorts(REFERENCE.parents[2] / "data"):
        findings = sb.evaluate_cohort(cohort, REFERENCE.parents[2] / "data").findings
        as_written(findings).to_csv(REFERENCE / f"{cohort}.csv", index=False)
