"""Incidents counted by site, area, outcome and month."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from sbwork.cohort import Cohort
from sbwork.errors import InputError
from sbwork.incidents import Incidents, read_incidents

HEADER = (
    "Crime ID,Month,Reported by,Falls within,Longitude,Latitude,Location,LSOA code,LSOA name,"
    "Crime type,Last outcome category,Context"
)


def write_month(
    folder: Path,
    month: str,
    rows: list[tuple[str, str]],
    force: str = "durham",
    header: str = HEADER,
    end: str = "\n",
) -> Path:
    """Write one street file; rows are LSOA code and crime type."""
    lines = [header]
    for code, kind in rows:
        name = f"Sometown {int(code[-3:]):03d}A" if code else ""
        lines.append(
            f",{month},{force.title()} Police,{force.title()} Police,-1.57,54.77,On or near X,"
            f"{code},{name},{kind},,"
        )
    path = folder / month / f"{month}-{force}-street.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((end.join(lines) + end).encode())
    return path


def make_cohort(folder: Path, **keys: object) -> Cohort:
    defaults: dict[str, object] = {
        "name": "pilot",
        "sites": {"one": {"lsoas": ["E01000001"]}, "two": {"lsoas": ["E01000002"]}},
        "incidents": [{"path": str(folder)}],
    }
    return Cohort.model_validate(defaults | keys)


def count(incidents: Incidents, site: str, outcome: str, month: str) -> float:
    table = incidents.sites.set_index(["site", "outcome", "month"])["count"]
    return float(table[site, outcome, month])


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_counts_by_site_outcome_and_month(tmp_path: Path, end: str) -> None:
    one = [("E01000001", "Burglary")] * 3 + [("E01000002", "Anti-social behaviour")] * 2
    write_month(tmp_path, "2017-01", one, end=end)
    write_month(tmp_path, "2017-02", [("E01000001", "Robbery"), ("", "Drugs")], end=end)
    incidents = read_incidents(make_cohort(tmp_path))
    assert count(incidents, "one", "victim_based_crime", "2017-01") == 3
    assert count(incidents, "two", "asb", "2017-01") == 2
    assert count(incidents, "one", "asb", "2017-01") == 0
    assert count(incidents, "one", "victim_based_crime", "2017-02") == 1
    assert incidents.months == ("2017-01", "2017-02")
    assert incidents.missing_months == ()
    assert len(incidents.sites) == 2 * 2 * 2


def test_missing_month_is_missing_and_not_zero(tmp_path: Path) -> None:
    for month in ("2017-01", "2017-03"):
        write_month(tmp_path, month, [("E01000001", "Burglary"), ("E01000002", "Burglary")])
    incidents = read_incidents(make_cohort(tmp_path))
    assert incidents.missing_months == ("2017-02",)
    february = incidents.sites.query("month == '2017-02'")["count"]
    assert len(february) == 4
    assert february.isna().all()
    named = incidents.quality.query("check == 'months missing'")["note"].item()
    assert "2017-02" in named


def test_areas_are_grouped_by_msoa(tmp_path: Path) -> None:
    rows = [("E01000001", "Burglary"), ("E01000002", "Burglary"), ("E01000003", "Burglary")]
    write_month(tmp_path, "2017-01", rows)
    incidents = read_incidents(make_cohort(tmp_path, placebo={"group_by": "msoa"}))
    areas = incidents.areas.query("outcome == 'victim_based_crime'")
    assert areas["area"].tolist() == ["Sometown 001", "Sometown 002", "Sometown 003"]
    assert areas["site"].tolist() == ["one", "two", ""]
    assert areas["count"].tolist() == [1.0, 1.0, 1.0]


def test_rows_without_an_lsoa_or_outside_are_counted(tmp_path: Path) -> None:
    rows = [("E01000001", "Burglary"), ("E01000002", "Drugs"), ("", "Drugs")]
    write_month(tmp_path, "2017-01", [*rows, ("E01000009", "Drugs")])
    quality = read_incidents(make_cohort(tmp_path)).quality.set_index("check")["count"]
    assert quality["rows read"] == 4
    assert quality["rows in the sites"] == 2
    assert quality["rows outside every site"] == 1
    assert quality["rows not placed, though they have coordinates"] == 1


def test_month_given_twice_is_refused(tmp_path: Path) -> None:
    write_month(tmp_path / "a", "2017-01", [("E01000001", "Drugs"), ("E01000002", "Drugs")])
    write_month(tmp_path / "b", "2017-01", [("E01000001", "Drugs")])
    with pytest.raises(InputError, match=r"2017-01 of 'durham' is in .*already"):
        read_incidents(make_cohort(tmp_path))


def test_against_pandas(tmp_path: Path) -> None:
    kinds = ["Burglary", "Robbery", "Anti-social behaviour", "Drugs"]
    for number, month in enumerate(["2016-12", "2017-01"]):
        rows = [(f"E0100000{1 + i % 5}", kinds[(i + number) % 4]) for i in range(97)]
        write_month(tmp_path, month, rows)
    raw = pd.concat([pd.read_csv(path) for path in sorted(tmp_path.rglob("*.csv"))])
    crime = raw[raw["Crime type"].isin(["Burglary", "Robbery"])]
    expected = crime.groupby(["LSOA code", "Month"]).size()
    areas = read_incidents(make_cohort(tmp_path)).areas.query("outcome == 'victim_based_crime'")
    found = areas.set_index(["area", "month"])["count"]
    assert found.sort_index().tolist() == expected.sort_index().tolist()
