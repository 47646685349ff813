"""The deck's figures come from rows: change one row and they change."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from sbwork.evaluation import Evaluation, evaluate_cohort
from sbwork.specs.cohort import read_cohort
from sbwork.specs.errors import InputError
from sbwork.stats.findings import RESULT_COLUMNS, find_row, select_findings
from sbwork.stats.multiplicity import adjust_benjamini_hochberg

ROOT = Path(__file__).parents[1]
DATA = ROOT / "data"

DECK_CHANGES = {
    ("victim_based_crime", "area-1"): -31,
    ("victim_based_crime", "area-1-control"): 5,
    ("victim_based_crime", "area-2"): -14,
    ("victim_based_crime", "area-2-control"): 39,
    ("asb", "area-1"): -11,
    ("asb", "area-1-control"): 2,
    ("asb", "area-2"): -22,
    ("asb", "area-2-control"): -2,
}
DECK_P = {"social_capital": 0.010, "trust": 0.020, "information_sharing": 0.007, "vision": 0.043}


def find_change(evaluation: Evaluation, outcome: str, site: str) -> float:
    row = find_row(
        evaluation.findings,
        section="counts",
        outcome=outcome,
        site=site,
        estimator="percentage_change",
        period="change",
    )
    assert row is not None
    return float(row["estimate"])


def find_p(evaluation: Evaluation, scale: str, estimator: str) -> float:
    row = find_row(
        evaluation.findings,
        section="scales",
        outcome=scale,
        site="intervention",
        estimator=estimator,
    )
    assert row is not None
    return float(row["p_value"])


@pytest.mark.parametrize(("place", "printed"), DECK_CHANGES.items())
def test_percentage_changes_are_the_decks(durham_1, place, printed):
    assert round(find_change(durham_1, *place)) == printed


@pytest.mark.parametrize(
    "estimator", ["mean_difference", "mean_difference_student", "mean_difference_people"]
)
@pytest.mark.parametrize(("scale", "printed"), DECK_P.items())
def test_p_values_are_the_decks(durham_1, scale, printed, estimator):
    assert round(find_p(durham_1, scale, estimator), 3) == printed


@pytest.mark.parametrize("outcome", ["victim_based_crime", "asb"])
def test_every_pair_is_ranked_among_many_areas_and_so_are_all_together(durham_1, outcome):
    placebo = durham_1.findings.query("section == 'placebo' and outcome == @outcome")
    areas = placebo[placebo["estimator"] == "placebo_areas"]
    assert dict(zip(areas["site"], areas["estimate"] >= 45, strict=True)) == {
        "area-1": True,
        "area-2": True,
    }
    ranks = placebo[placebo["estimator"] == "placebo_p"]
    assert set(ranks["site"]) == {"area-1", "area-2", "all"}
    assert ranks["estimate"].between(0, 1, inclusive="right").all()


@pytest.fixture
def own_data(tmp_path):
    """Return a copy of the data folder that a test may change."""
    shutil.copytree(DATA, tmp_path / "data", ignore=shutil.ignore_patterns(".sbwork-cache"))
    return tmp_path / "data"


def drop_last_line(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:-1]), encoding="utf-8", newline="")


def leave_out(data: Path, key: str) -> None:
    """Take a key out of the cohort file: what is not asked about need not be evaluated again."""
    path = data / "cohorts" / "durham-1" / "cohort.yml"
    plan = yaml.safe_load(path.read_text("utf-8"))
    del plan[key]
    path.write_text(yaml.safe_dump(plan), "utf-8")


def test_one_incident_fewer_changes_the_figure(own_data, durham_1, unpack_incidents):
    folder = unpack_incidents(own_data / "cohorts" / "durham-1")
    path = next(folder.glob("2016-12/*.csv"))
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if "X01000001" in line and "Burglary" in line)
    path.write_text("".join(lines[:at] + lines[at + 1 :]), encoding="utf-8", newline="")
    leave_out(own_data, "surveys")
    changed = evaluate_cohort("durham-1", own_data)
    before = find_change(durham_1, "victim_based_crime", "area-1")
    assert find_change(changed, "victim_based_crime", "area-1") == pytest.approx(
        before - 100 / 348, abs=1e-9
    )


def test_one_answer_fewer_changes_the_p_value(own_data, durham_1):
    path = own_data / "cohorts" / "durham-1" / "survey-after.csv"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if ",Area 1," in line and i > 3)
    path.write_text("".join(lines[:at] + lines[at + 1 :]), encoding="utf-8", newline="")
    leave_out(own_data, "incidents")
    changed = evaluate_cohort("durham-1", own_data)
    assert find_p(changed, "trust", "mean_difference") != find_p(
        durham_1, "trust", "mean_difference"
    )


def test_every_missing_number_says_why(durham_1, durham_2, west_yorkshire):
    for evaluation in (durham_1, durham_2, west_yorkshire):
        missing = evaluation.findings[evaluation.findings["estimate"].isna()]
        assert (missing["note"].str.len() > 10).all()


def test_findings_keep_their_columns(durham_1, durham_2, west_yorkshire):
    for evaluation in (durham_1, durham_2, west_yorkshire):
        assert tuple(evaluation.findings.columns) == RESULT_COLUMNS


def test_two_areas_chosen_without_a_stated_reason_reach_level_2(durham_1):
    assert durham_1.evidence.level == 2


def test_figures_from_staff_are_the_weakest_evidence(durham_2):
    assert durham_2.evidence.level == 1
    assert durham_2.incidents is None
    assert list(durham_2.findings["estimate"]) == [-74, -97, -40]


def test_p_values_of_counts_are_adjusted(durham_1, west_yorkshire):
    for evaluation in (durham_1, west_yorkshire):
        found = select_findings(evaluation.findings, section="counts", estimator="rirr")
        found = found[(found["period"] == "change") & found["p_value"].notna()]
        assert len(found) >= 4
        assert found["p_adjusted"].tolist() == pytest.approx(
            adjust_benjamini_hochberg(found["p_value"]).tolist()
        )
    placebo = west_yorkshire.findings[west_yorkshire.findings["estimator"] == "placebo_p"]
    assert placebo["p_value"].notna().any()
    assert (placebo["p_adjusted"].notna() == placebo["p_value"].notna()).all()


def test_no_effect_is_found_in_noise(west_yorkshire):
    """Nothing was done: no pair may pass five per cent after Holm over its six comparisons."""
    findings = west_yorkshire.findings
    ranks = findings[(findings["section"] == "placebo") & (findings["estimator"] == "placebo_p")]
    ranks = ranks[ranks["site"] != "all"]
    assert len(ranks) == 6
    assert ranks["estimate"].notna().all()
    assert ranks["estimate"].min() * len(ranks) > 0.05


def test_the_seed_can_be_set_and_is_kept(own_data):
    one = evaluate_cohort("durham-2", own_data, seed=7)
    assert one.cohort.seed == 7
    assert one.cohort.folder == read_cohort("durham-2", own_data).folder


def test_a_bad_file_is_named(own_data):
    (own_data / "cohorts" / "durham-1" / "survey-after.csv").write_bytes(b"")
    with pytest.raises(InputError, match=r"survey-after\.csv"):
        evaluate_cohort("durham-1", own_data)
