"""What a report says of how often intervals err is what the simulation's table has."""

from __future__ import annotations

import math

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


def test_both_drifts_are_named_where_the_table_has_them():
    assert set(find_near()["drift"]) == {0.0, 0.1}


@pytest.mark.parametrize("name", ["durham_1", "west_yorkshire"])
def test_every_figure_of_a_report_stands_in_the_table(name, request):
    evaluation = request.getfixturevalue(name)
    rows = select_findings(evaluation.findings, section="accuracy")
    assert len(rows)
    dispersion = select_findings(evaluation.findings, section="counts", estimator="dispersion")
    n_pairs = len(evaluation.cohort.pairs)
    for _, row in rows.iterrows():
        column = "coverage" if row["estimator"].startswith("coverage") else "false_positive"
        estimator = row["estimator"].removeprefix(f"{column}_")
        drift = float(row["period"].removeprefix("drift "))
        own = dispersion[
            (dispersion["outcome"] == row["outcome"]) & (dispersion["period"] == "change")
        ]
        pooled = "pooled" in estimator
        near = find_near(
            months=len(evaluation.cohort.periods.before.months),
            mean=float(row["note"].partition(" incidents a month")[0].rpartition(" ")[2]),
            phi=float(own["estimate"].median()),
            n_pairs=n_pairs if pooled else 1,
        )
        world = near[(near["drift"] == drift) & (near["estimator"] == estimator)]
        assert len(world) == 1
        assert row["estimate"] == world[column].iloc[0]
        assert f"over-dispersion {world['phi'].iloc[0]:g}" in row["note"]


@pytest.mark.parametrize("name", ["durham_1", "west_yorkshire"])
def test_the_table_shows_each_of_them(name, request):
    evaluation = request.getfixturevalue(name)
    shown = tabulate_error_rates(evaluation.findings, evaluation.cohort)._repr_html_()
    rows = select_findings(evaluation.findings, section="accuracy")
    for _, row in rows.iterrows():
        assert format_share(row["estimate"]) in shown
    shares = select_findings(evaluation.findings, estimator="placebo_interval_share")
    assert len(shares) == len(evaluation.cohort.pairs) * len(evaluation.cohort.outcomes)
    for share in shares["estimate"]:
        assert format_share(share) in shown


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
