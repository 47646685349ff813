"""Areas that could stand beside a site: mixtures of them, and their residents."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sbwork.compare.areas import AreaPool, keep_peopled, mix_series, sum_populations
from sbwork.read.incidents import Incidents
from sbwork.specs.cohort import Cohort, list_months


def test_a_mixture_has_the_sites_level_and_the_areas_course():
    months = list_months("2016-01", "2016-04")
    counts = {"x": [10.0, 10.0, 5.0, 20.0], "y": [4.0, 4.0, 4.0, 4.0]}
    areas = pd.DataFrame(
        [
            (area, area, "", "asb", month, count)
            for area, values in counts.items()
            for month, count in zip(months, values, strict=True)
        ],
        columns=["area", "name", "site", "outcome", "month", "count"],
    )
    sites = pd.DataFrame(
        [("a", "asb", month, 20.0) for month in months],
        columns=["site", "outcome", "month", "count"],
    )
    incidents = Incidents(sites, areas, months, (), pd.DataFrame())
    cohort = Cohort.model_validate(
        {
            "name": "pilot",
            "sites": {"a": {}},
            "outcomes": {"asb": {"title": "ASB", "crime_types": ["Anti-social behaviour"]}},
        }
    )
    path = mix_series(incidents, cohort, "a", "asb", {"x": 0.5, "y": 0.5}, months, months[:2])
    np.testing.assert_allclose(path, [20, 20, 15, 30])


def test_an_msoa_column_groups_lsoas_that_have_no_name(tmp_path):
    (tmp_path / "lookup.csv").write_text(
        "lsoa,msoa,population\nE01000001,Town 001,100\nE01000002,Town 001,50\n"
        "E01000003,Town 002,70\n"
    )
    columns = {"lsoa": "lsoa", "msoa": "msoa", "population": "population"}
    cohort = Cohort.model_validate(
        {
            "name": "pilot",
            "geography": {"lookup": "lookup.csv", "lookup_columns": columns},
            "placebo": {"group_by": "msoa"},
        }
    )
    cohort._folder = tmp_path
    assert sum_populations(cohort) == {"Town 001": 150.0, "Town 002": 70.0}


def test_a_few_areas_of_unknown_population_are_left_out_and_many_are_not():
    keys = [f"x{k}" for k in range(20)]
    pool = AreaPool(keys, keys, ["asb"], np.zeros(1), np.arange(21.0).reshape(1, 1, 21))
    left = pd.DataFrame({"reason": ["Next to the site"], "areas": [2]})
    residents = np.full(21, 500.0)
    residents[3] = np.nan
    fewer, told, people = keep_peopled(pool, left, residents)
    assert "x2" not in fewer.keys
    assert len(fewer.keys) == len(people) - 1 == 19
    assert fewer.counts[0, 0].tolist() == [k for k in range(21) if k != 3]
    assert told["areas"].tolist() == [2, 1]
    residents[4:9] = np.nan
    assert keep_peopled(pool, left, residents)[0] is pool
    residents = np.full(21, 500.0)
    residents[0] = np.nan
    assert keep_peopled(pool, left, residents)[0] is pool
