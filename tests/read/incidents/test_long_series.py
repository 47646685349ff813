"""Archives of many years as they come: other crime types, forces that stop, months in part."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from sbwork.compare.counts import compare_counts
from sbwork.read.checks import CheckKind
from sbwork.read.incidents import Incidents, read_incidents
from sbwork.specs.cohort import Cohort, list_months

HEADER = "Month,Reported by,LSOA code,LSOA name,Crime type"
SITES = {"one": ["E01000001"], "two": ["E01000002"]}
MONTHS = list_months("2010-12", "2012-11")
LUMPED = {"Shoplifting", "Drugs"}
KINDS = {"Burglary": 9, "Shoplifting": 9, "Drugs": 5, "Anti-social behaviour": 14, "Other crime": 2}


def write_force(
    folder: Path, force: str, months: tuple[str, ...], cut: str = "", scale: float = 1.0
) -> None:
    rng = np.random.default_rng(20180601)
    for month in months:
        lines = [HEADER]
        for kind, level in KINDS.items():
            published = "Other crime" if month < "2011-09" and kind in LUMPED else kind
            for code in ("E01000001", "E01000002", "E01000003"):
                mean = level * scale * (0.1 if month == cut else 1.0)
                line = f"{month},{force} Police,{code},Town 00{code[-1]}A,{published}"
                lines += [line] * int(rng.poisson(mean))
        path = folder / month / f"{month}-{force}-street.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")


def read(folder: Path, before: tuple[str, str], after: tuple[str, str]) -> tuple[Incidents, Cohort]:
    cohort = Cohort.model_validate(
        {
            "name": "pilot",
            "sites": {key: {"lsoas": codes} for key, codes in SITES.items()},
            "pairs": [{"intervention": "one", "control": "two"}],
            "periods": {
                "before": dict(zip(("start", "end"), before, strict=True)),
                "after": dict(zip(("start", "end"), after, strict=True)),
            },
            "incidents": [{"path": str(folder)}],
            "outcomes": {
                "crime": {"title": "Crime", "crime_types": ["Burglary", "Shoplifting"]},
                "asb": {"title": "ASB", "crime_types": ["Anti-social behaviour"]},
                "drugs": {"title": "Drugs", "crime_types": ["Drugs"]},
            },
        }
    )
    return read_incidents(cohort), cohort


def list_missing(incidents: Incidents, site: str, outcome: str) -> list[str]:
    rows = incidents.sites.query("site == @site and outcome == @outcome and count.isna()")
    return rows["month"].tolist()


def test_a_longer_list_of_crime_types_is_no_rise(tmp_path: Path) -> None:
    write_force(tmp_path, "durham", MONTHS)
    incidents, cohort = read(tmp_path, ("2010-12", "2011-11"), ("2011-12", "2012-11"))
    early = list(list_months("2010-12", "2011-08"))
    assert list_missing(incidents, "one", "crime") == early
    assert list_missing(incidents, "two", "drugs") == early
    assert list_missing(incidents, "one", "asb") == []
    told = incidents.quality.query("check == 'not comparable: crime types change'")["note"]
    assert told.str.contains("'Drugs' stood within 'Other crime' then").any()
    found = compare_counts(incidents, cohort)
    row = found.query(
        "outcome == 'crime' and site == 'one' and estimator == 'rirr' and period == 'change'"
    ).iloc[0]
    assert "Compared on 3 of 12 months" in row["note"]


def test_a_partly_delivered_month_is_no_fall(tmp_path: Path) -> None:
    write_force(tmp_path, "durham", list_months("2014-01", "2015-12"), cut="2014-08")
    incidents, _ = read(tmp_path, ("2014-01", "2014-12"), ("2015-01", "2015-12"))
    for outcome in ("crime", "asb", "drugs"):
        assert list_missing(incidents, "one", outcome) == ["2014-08"]
    left_out = incidents.quality.query("kind == @CheckKind.NOT_COMPARABLE")
    assert left_out["check"].tolist() == ["not comparable: month partly delivered"]
    assert not (incidents.quality["check"] == "LSOA of a site that starts or stops").any()


def test_the_transport_police_do_not_stand_in_for_a_force_that_stops(tmp_path: Path) -> None:
    months = list_months("2018-07", "2020-06")
    write_force(tmp_path, "greater-manchester", months[:12])
    write_force(tmp_path, "btp", months, scale=0.3)
    incidents, cohort = read(tmp_path, ("2018-07", "2019-06"), ("2019-07", "2020-06"))
    assert list_missing(incidents, "one", "crime") == list(months[12:])
    found = compare_counts(incidents, cohort)
    change = found.query("estimator == 'percentage_change' and site == 'one'").iloc[0]
    assert math.isnan(change["estimate"])
    assert "There is no count of one and two in the period after" in change["note"]


def test_a_whole_series_is_left_as_it_is(tmp_path: Path) -> None:
    write_force(tmp_path, "durham", list_months("2014-01", "2015-12"))
    incidents, _ = read(tmp_path, ("2014-01", "2014-12"), ("2015-01", "2015-12"))
    assert incidents.sites["count"].notna().all()
    kinds = {CheckKind.READ, CheckKind.ROWS_READ, CheckKind.JOIN}
    assert set(incidents.quality["kind"]) == kinds
