"""Incidents counted by site, area, outcome and month."""

from __future__ import annotations

import csv
import math
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sbwork.read.incidents.reading
from sbwork.read.incidents import Incidents, read_incidents
from sbwork.specs.cohort import Cohort, read_cohort
from sbwork.specs.errors import InputError

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


def test_harm_is_the_weighted_sum(tmp_path: Path) -> None:
    (tmp_path / "w.csv").write_text("crime_type,weight\nBurglary,10.5\nRobbery,365\n")
    rows = [("E01000001", "Burglary")] * 2 + [("E01000001", "Robbery"), ("E01000002", "Drugs")]
    write_month(tmp_path / "f", "2017-01", rows)
    incidents = read_incidents(make_cohort(tmp_path / "f", harm_weights=str(tmp_path / "w.csv")))
    assert count(incidents, "one", "harm", "2017-01") == 2 * 10.5 + 365
    assert count(incidents, "two", "harm", "2017-01") == 0
    left_out = incidents.quality.query("check == 'incidents without a harm weight'")
    assert left_out["count"].tolist() == [1.0]


@pytest.mark.parametrize(
    ("table", "separator"),
    [
        ([["Crime type", "Weight"], ["Burglary", 10.5], ["Robbery", "1,365"]], ","),
        ([["Crime type", "Weight"], ["Burglary", "10,5"], ["Robbery", "1365"]], ";"),
        ([["A harm index, 2020"], [], ["crime_type", "weight"], ["Burglary", 10.5],
          ["Robbery", 1365], ["Source: days of imprisonment"]], ""),
    ],
)  # fmt: skip
def test_harm_weights_are_read_from_any_small_table(
    tmp_path: Path, table: list[list[object]], separator: str
) -> None:
    path = tmp_path / ("w.csv" if separator else "w.xlsx")
    if separator:
        with path.open("w", newline="") as file:
            csv.writer(file, delimiter=separator).writerows(table)
    else:
        book = openpyxl.Workbook()
        for row in table:
            book.worksheets[0].append(row)
        book.save(path)
    rows = [("E01000001", "Burglary"), ("E01000001", "Robbery"), ("E01000002", "Drugs")]
    write_month(tmp_path / "f", "2017-01", rows)
    incidents = read_incidents(make_cohort(tmp_path / "f", harm_weights=str(path)))
    assert count(incidents, "one", "harm", "2017-01") == 10.5 + 1365


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("type,weight\n", "no column 'crime_type'"),
        ("crime_type,weight\nBurglary,lots\n", "row 2: this text is not a weight"),
        ("crime_type,weight\nBurglary,1\nburglary,2\n", "row 3: 'burglary' stands twice"),
    ],
)
def test_wrong_harm_weights_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "w.csv").write_text(text)
    write_month(tmp_path / "f", "2017-01", [("E01000001", "Burglary"), ("E01000002", "Drugs")])
    with pytest.raises(InputError, match=message):
        read_incidents(make_cohort(tmp_path / "f", harm_weights=str(tmp_path / "w.csv")))


def test_unknown_crime_types_are_named_and_a_wrong_outcome_refused(tmp_path: Path) -> None:
    rows = [("E01000001", "Burglry"), ("E01000001", "Drugs"), ("E01000002", "Drugs")]
    write_month(tmp_path, "2017-01", rows)
    unknown = read_incidents(make_cohort(tmp_path)).quality.query("check.str.contains('unknown')")
    assert unknown["count"].tolist() == [1.0]
    assert "'Burglry'; the nearest known one is 'Burglary'" in unknown["note"].item()
    outcomes = {"drugs": {"title": "Drugs", "crime_types": ["Drugz"]}}
    with pytest.raises(InputError, match="Did you mean 'Drugs'"):
        read_incidents(make_cohort(tmp_path, outcomes=outcomes))


def test_month_that_one_force_lacks_is_missing_there_alone(tmp_path: Path) -> None:
    for month in ("2017-01", "2017-02"):
        write_month(tmp_path, month, [("E01000001", "Burglary")])
    write_month(tmp_path, "2017-01", [("E01000002", "Burglary")] * 2, force="cleveland")
    incidents = read_incidents(make_cohort(tmp_path))
    assert count(incidents, "one", "victim_based_crime", "2017-02") == 1
    assert math.isnan(count(incidents, "two", "victim_based_crime", "2017-02"))
    told = incidents.quality.query("check == 'months missing in one part'")["note"].item()
    assert "'cleveland' holds nothing for '2017-02'" in told


def test_months_of_the_periods_that_no_file_covers_are_missing(tmp_path: Path) -> None:
    write_month(tmp_path, "2017-01", [("E01000001", "Burglary"), ("E01000002", "Burglary")])
    periods = {
        "before": {"start": "2016-01", "end": "2016-01"},
        "after": {"start": "2017-01", "end": "2017-01"},
    }
    assert read_incidents(make_cohort(tmp_path, periods=periods)).missing_months == ("2016-01",)


def test_cohort_without_incidents_gives_empty_frames() -> None:
    incidents = read_incidents(Cohort.model_validate({"name": "pilot"}))
    assert (len(incidents.sites), len(incidents.areas), incidents.months) == (0, 0, ())
    assert list(incidents.sites) == ["site", "outcome", "month", "count"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["E01000001", "E01000002", "E01000003", ""]),
            st.sampled_from(["Burglary", "Anti-social behaviour", "Drugs", "Unheard of"]),
            st.sampled_from(["2017-01", "2017-02", "2017-03"]),
        ),
        min_size=1,
        max_size=60,
    )
)
@settings(max_examples=15)
def test_no_row_is_lost(rows: list[tuple[str, str, str]]) -> None:
    base = [(f"E0100000{n}", "Anti-social behaviour", "2017-01") for n in (1, 2)]
    with TemporaryDirectory() as name:
        folder = Path(name)
        for month in {month for _, _, month in [*base, *rows]}:
            write_month(folder, month, [(c, k) for c, k, m in [*base, *rows] if m == month])
        incidents = read_incidents(make_cohort(folder))
    checks = incidents.quality.groupby("check")["count"].sum()
    parts = ["rows in the sites", "rows outside every site", "rows without any place"]
    told = sum(checks.get(part, 0) for part in parts)
    told += checks.get("rows not placed, though they have coordinates", 0)
    assert checks["rows read"] == told == len(rows) + 2
    for number, site in ((1, "one"), (2, "two")):
        expected = sum(
            code == f"E0100000{number}" and kind == "Anti-social behaviour"
            for code, kind, _ in [*base, *rows]
        )
        held = (incidents.sites["site"] == site) & (incidents.sites["outcome"] == "asb")
        asb = incidents.sites.loc[held, "count"].sum()
        assert asb == expected


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return write_month(tmp_path / "f", "2017-01", [("E01000001", "Burglary")] * 3)


def read_kept(archive: Path, cache: Path) -> Incidents:
    sites = {"one": {"lsoas": ["E01000001"]}}
    return read_incidents(make_cohort(archive.parent, sites=sites), cache=cache)


def total(incidents: Incidents) -> float:
    return float(incidents.sites["count"].sum())


def refuse_to_read(*_: object) -> None:
    raise AssertionError("the files were read again")


def test_second_read_opens_no_file_and_is_the_same(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = read_kept(archive, tmp_path / "cache")
    monkeypatch.setattr(sbwork.read.incidents.reading, "read_saved_street_files", refuse_to_read)
    second = read_kept(archive, tmp_path / "cache")
    pd.testing.assert_frame_equal(first.sites, second.sites)
    pd.testing.assert_frame_equal(first.areas, second.areas)
    pd.testing.assert_frame_equal(first.quality, second.quality)


def test_changed_file_is_read_again_and_the_old_tally_goes(archive: Path, tmp_path: Path) -> None:
    read_kept(archive, tmp_path / "cache")
    stamp = archive.stat()
    archive.write_text(archive.read_text().replace("Burglary", "Burglarz", 1))
    os.utime(archive, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert total(read_kept(archive, tmp_path / "cache")) == 2
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_a_tally_of_a_file_whose_middle_changed_is_not_used(tmp_path: Path) -> None:
    rows = [("E01000001", "Burglary")] * 2000
    changed = write_month(tmp_path / "f", "2017-01", rows)
    assert total(read_kept(changed, tmp_path / "cache")) == 2000
    stamp, text = changed.stat(), changed.read_text()
    middle = text.index("Burglary", len(text) // 2)
    changed.write_text(text[:middle] + "Burglarz" + text[middle + 8 :])
    os.utime(changed, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert total(read_kept(changed, tmp_path / "cache")) == 1999


@pytest.mark.parametrize("change", ["cut", "noise", "empty", "counts", "older"])
def test_a_tally_that_somebody_changed_is_not_believed(
    archive: Path, tmp_path: Path, change: str
) -> None:
    read_kept(archive, tmp_path / "cache")
    kept = next((tmp_path / "cache").iterdir())
    whole = kept.read_bytes()
    if change == "counts":
        meta = duckdb.execute(
            "SELECT value FROM parquet_kv_metadata($1) WHERE key = 'sbwork'", [str(kept)]
        ).fetchall()[0][0]
        table = duckdb.execute("SELECT * REPLACE (9.0 AS n) FROM read_parquet($1)", [str(kept)])
        frame, text = table.df(), meta.decode().replace("'", "''")
        duckdb.register("changed", frame)
        duckdb.execute(
            f"COPY changed TO '{kept}' (FORMAT parquet, KV_METADATA {{sbwork: '{text}'}})"
        )
    elif change == "older":
        # The tally of what the file held before, under the name that its content has now.
        archive.write_text(archive.read_text().replace("Burglary", "Drugs", 1))
        assert total(read_kept(archive, tmp_path / "cache")) == 2
        now = next((tmp_path / "cache").iterdir())
        now.unlink()
        code = kept.name.rpartition("-")[2]
        (tmp_path / "cache" / f"{now.name.rpartition('-')[0]}-{code}").write_bytes(whole)
    else:
        kept.write_bytes({"cut": whole[:-50], "noise": b"x" * 500, "empty": b""}[change])
    assert total(read_kept(archive, tmp_path / "cache")) == (2 if change == "older" else 3)
    assert [path.read_bytes()[:4] for path in (tmp_path / "cache").iterdir()] == [b"PAR1"]


def test_folder_that_can_not_be_written_is_no_fault(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file, not a folder")
    assert total(read_kept(archive, tmp_path / "cache")) == 3


def test_cache_lies_beside_the_cohort(tmp_path: Path) -> None:
    folder = tmp_path / "cohorts" / "pilot"
    write_month(folder / "f", "2017-01", [("E01000001", "Burglary")])
    (folder / "cohort.yml").write_text("name: pilot\nincidents: [{path: f}]\n")
    read_incidents(read_cohort("pilot", tmp_path))
    assert [path.suffix for path in (folder / ".sbwork-cache").iterdir()] == [".parquet"]


def test_areas_of_another_force_and_spill_over_are_not_comparable(tmp_path: Path) -> None:
    for month in ("2017-01", "2017-02"):
        own = [(f"E0100000{n}", "Burglary") for n in (1, 2, 3, 4)] * 30
        write_month(tmp_path, month, [*own, ("E01000009", "Burglary")])
        write_month(tmp_path, month, [("E01000005", "Burglary")] * 30, force="cleveland")
    comparable = read_incidents(make_cohort(tmp_path)).areas.query("comparable")
    assert set(comparable["area"]) == {"E01000003", "E01000004"}
