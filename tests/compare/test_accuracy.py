"""What a report says of how often intervals err is what the simulation's table has."""

from __future__ import annotations

import math
import re

import pandas as pd
import pytest

from sbwork.compare.accuracy import compare_accuracy, find_nearest_worlds, read_study
from sbwork.render.accuracy import tabulate_error_rates
from sbwork.specs.cohort import Choice
from sbwork.stats.findings import find_row, select_findings
from sbwork.stats.formats import format_share

WORLDS = read_study("counts")


def find_near(**design) -> pd.DataFrame:
    usual = {"months": 12, "mean": 20, "phi": 2.0, "n_pairs": 1, "shared": False}
    return find_nearest_worlds(WORLDS, **{**usual, **design})


@pytest.mark.parametrize(
    ("design", "found"),
    [
        ({}, (12, 20, 2, 1, "random")),
        ({"phi": 3.5}, (12, 20, 4, 1, "random")),
        ({"phi": 0.6}, (12, 20, 1, 1, "random")),
        ({"phi": math.nan}, (12, 20, 4, 1, "random")),
        ({"mean": 3}, (12, 4, 2, 1, "random")),
        ({"mean": 75, "months": 1, "phi": 1}, (1, 60, 1, 1, "random")),
        ({"months": 23}, (24, 20, 2, 1, "random")),
        ({"n_pairs": 4}, (12, 20, 2, 4, "random")),
        ({"n_pairs": 9}, (12, 20, 2, 6, "random")),
        ({"n_pairs": 3, "shared": True}, (12, 20, 2, 3, "shared")),
    ],
)
def test_the_nearest_world_is_the_designs(design, found):
    near = find_near(**design)
    # pairs that share a control were simulated with one drift for each over-dispersion
    drifting = near[near["drift"] == 0.1]
    worlds = drifting[["months", "mean", "phi", "n_pairs", "control"]].drop_duplicates()
    assert [tuple(row) for row in worlds.to_numpy()] == [found]
    assert set(near["chosen"]) == {"drawn"}
    assert not near.duplicated(["drift", "estimator"]).any()
    assert design or set(near["drift"]) == {0.0, 0.1}


@pytest.mark.parametrize("name", ["durham_1", "west_yorkshire"])
def test_every_figure_of_a_report_stands_in_the_table_and_is_shown(name, request):
    evaluation = request.getfixturevalue(name)
    cohort, findings = evaluation.cohort, evaluation.findings
    shown = tabulate_error_rates(findings, cohort)._repr_html_()
    rows = select_findings(findings, section="accuracy")
    assert len(rows)
    dispersion = select_findings(
        findings, section="counts", estimator="dispersion", period="change"
    )
    for _, row in rows.iterrows():
        column = "coverage" if row["estimator"].startswith("coverage") else "false_positive"
        estimator = row["estimator"].removeprefix(f"{column}_")
        near = find_near(
            months=len(cohort.periods.before.months),
            mean=float(re.search(r"(\S+) incidents a month", row["note"])[1]),
            phi=select_findings(dispersion, outcome=row["outcome"])["estimate"].median(),
            n_pairs=len(cohort.pairs) if "pooled" in estimator else 1,
        )
        drift = float(row["period"].removeprefix("drift "))
        world = near[(near["drift"] == drift) & (near["estimator"] == estimator)].squeeze()
        assert row["estimate"] == world[column]
        assert f"over-dispersion {world['phi']:g}" in row["note"]
        assert format_share(row["estimate"]) in shown
    shares = select_findings(findings, estimator="placebo_interval_share")
    assert len(shares) == len(cohort.pairs) * len(cohort.outcomes)
    assert all(format_share(share) in shown for share in shares["estimate"])


def test_nothing_is_said_where_nothing_was_compared(durham_2):
    assert compare_accuracy(durham_2.findings, durham_2.cohort).empty
    assert find_row(durham_2.findings, section="accuracy") is None


@pytest.mark.parametrize("reason", ["highest", "rising"])
def test_sites_chosen_by_their_counts_are_set_beside_worlds_of_sites_so_chosen(durham_1, reason):
    cohort = durham_1.cohort.model_copy(
        update={"chosen_because": Choice.model_validate({"reason": reason})}
    )
    rows = compare_accuracy(durham_1.findings, cohort)
    rank = rows[rows["estimator"] == "false_positive_placebo_p"]
    near = find_near(chosen=reason, phi=float("nan"))
    assert set(near["chosen"]) == {reason}
    assert rank["note"].str.contains("the site chosen").all()
    shares = WORLDS[(WORLDS["chosen"] == reason) & (WORLDS["estimator"] == "placebo_p")]
    assert set(rank["estimate"]) <= set(shares["false_positive"])
