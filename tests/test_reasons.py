"""Every missing number has a reason out of the enum, every other one none; flags are known."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from sbwork.evaluation import evaluate_cohort
from sbwork.stats import Flag, Reason

DATA = Path(__file__).parents[1] / "data"
REASONS = {str(reason) for reason in Reason}
FLAGS = {str(flag) for flag in Flag}

MONTH = {"before": {"start": "2016-09", "end": "2016-09"}}
MONTH["after"] = {"start": "2017-09", "end": "2017-09"}
QUARTER = {"before": {"start": "2016-04", "end": "2016-06"}}
QUARTER["after"] = {"start": "2017-04", "end": "2017-06"}
OUTSIDE = {"before": {"start": "2018-01", "end": "2018-12"}}
OUTSIDE["after"] = {"start": "2019-01", "end": "2019-12"}
SHARED = [{"intervention": site, "control": "area-1-control"} for site in ("area-1", "area-2")]
BESIDE = [
    {
        "intervention": "area-1",
        "control": "area-1-control",
        "displacement": "area-2",
        "displacement_control": "area-2-control",
    }
]
RARE = {"rare": {"title": "Rare", "crime_types": ["Bicycle theft"]}}

BROKEN: dict[str, dict[str, Any]] = {
    "no periods": {"periods": None, "surveys": None},
    "no controls": {"pairs": [{"intervention": "area-1"}, {"intervention": "area-2"}]},
    "one month a side": {"periods": MONTH, "surveys": None},
    "three months a side": {"periods": QUARTER, "surveys": None},
    "outside the files": {
        "periods": OUTSIDE,
        "surveys": None,
        "accepted_losses": {"months": 1},
    },
    "a shared control": {"pairs": SHARED, "surveys": None},
    "displacement": {"pairs": BESIDE, "surveys": None},
    "a rare outcome": {"outcomes": RARE, "surveys": None},
    "hidden counts": {"smallest_count": 200, "surveys": None},
    "hidden people": {"smallest_group": 200, "incidents": None},
    "no pairs": {"pairs": None},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("broken")
    shutil.copytree(
        DATA / "cohorts" / "durham-1",
        folder / "cohorts" / "durham-1",
        ignore=shutil.ignore_patterns(".*"),
    )
    shutil.copytree(DATA / "instruments", folder / "instruments")
    return folder


def check(findings: pd.DataFrame) -> None:
    missing = findings["estimate"].isna()
    shown = ["section", "outcome", "site", "estimator", "reason", "note"]
    without = findings[missing & ~findings["reason"].isin(REASONS)]
    assert without.empty, without[shown].drop_duplicates("note").to_string()
    untold = findings[missing & (findings["note"] == "")]
    assert untold.empty, untold[shown].to_string()
    needless = findings[~missing & (findings["reason"] != "")]
    assert needless.empty, needless[shown].to_string()
    flags = {flag for row in findings["flags"] for flag in row.split()}
    assert flags <= FLAGS


@pytest.mark.parametrize("cohort", ["durham_1", "durham_2", "west_yorkshire"])
def test_committed_cohorts_give_a_reason_for_every_missing_number(
    cohort: str, request: pytest.FixtureRequest
) -> None:
    check(request.getfixturevalue(cohort).findings)


@pytest.mark.parametrize("case", BROKEN)
def test_broken_cohorts_give_a_reason_for_every_missing_number(data: Path, case: str) -> None:
    path = data / "cohorts" / "durham-1" / "cohort.yml"
    plan = yaml.safe_load((DATA / "cohorts" / "durham-1" / "cohort.yml").read_text("utf-8"))
    plan = {key: value for key, value in (plan | BROKEN[case]).items() if value is not None}
    path.write_text(yaml.safe_dump(plan), "utf-8")
    findings = evaluate_cohort("durham-1", data).findings
    check(findings)
    assert findings["estimate"].isna().any(), "nothing is missing, so nothing was tested"
