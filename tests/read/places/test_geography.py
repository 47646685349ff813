"""Sites made of LSOAs, wards and authorities; populations; areas that changed."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import openpyxl
import pytest

from sbwork.read.places.geography import place_sites, read_change, read_lookup, site_populations
from sbwork.specs.cohort import Cohort
from sbwork.specs.errors import InputError

LOOKUP = """\ufeffLSOA11CD,LSOA11NM,WD21CD,WD21NM,LAD21CD,LAD21NM,Residents
E01000001,Leeds 001A,E05000001,Abbey,E08000001,Leeds,"1,500"
E01000002,Leeds 001B,E05000001,Abbey,E08000001,Leeds,1600
E01000003,York 001A,E05000002,Abbey,E06000001,York,1700
E01000004,York 001B,E05000003,Minster,E06000001,York,
"""


def make_cohort(folder: Path, sites: dict[str, object], **geography: object) -> Cohort:
    (folder / "lookup.csv").write_text(LOOKUP, encoding="utf-8")
    geography = {"lookup": str(folder / "lookup.csv")} | geography
    return Cohort.model_validate({"name": "pilot", "sites": sites, "geography": geography})


def test_wards_and_authorities_by_code_and_name(tmp_path: Path) -> None:
    sites = {"a": {"wards": ["E05000001"]}, "b": {"authorities": ["york"]}}
    placed = place_sites(make_cohort(tmp_path, sites))
    assert placed == {"a": {"E01000001", "E01000002"}, "b": {"E01000003", "E01000004"}}


@pytest.mark.parametrize("suffix", ["csv", "xlsx"])
def test_titles_above_a_lookup_and_notes_below_it_are_passed_over(
    tmp_path: Path, suffix: str
) -> None:
    cohort = make_cohort(tmp_path, {}, lookup=str(tmp_path / f"l.{suffix}"))
    text = "LSOAs of two cities\n\n" + LOOKUP.lstrip("\ufeff") + "\nSource: Office of statistics\n"
    rows = list(csv.reader(text.splitlines()))
    (tmp_path / "l.csv").write_text(text, encoding="utf-8")
    book = openpyxl.Workbook()
    for row in rows:
        book.worksheets[0].append(row)
    book.create_sheet("Notes", 0).append(["About these data"])
    book.save(tmp_path / "l.xlsx")
    assert read_lookup(cohort).index.tolist() == [f"E0100000{i}" for i in range(1, 5)]


@pytest.mark.parametrize(
    ("sites", "message"),
    [
        ({"a": {"wards": ["Minstr"]}}, "Did you mean 'Minster'"),
        ({"a": {"wards": ["Abbey"]}}, r"the name of 2 wards.*Leeds.*York.*Give the code"),
        (
            {"a": {"wards": ["Minster"]}, "b": {"authorities": ["York"]}},
            "'a' and 'b' overlap: both hold 'E01000004'",
        ),
    ],
)
def test_wrong_sites_are_refused(tmp_path: Path, sites: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        place_sites(make_cohort(tmp_path, sites))


def test_ward_without_a_lookup_is_refused() -> None:
    cohort = Cohort.model_validate({"name": "pilot", "sites": {"a": {"wards": ["Abbey"]}}})
    with pytest.raises(InputError, match="there is no lookup"):
        place_sites(cohort)


def test_populations_come_from_the_site_then_from_the_lookup(tmp_path: Path) -> None:
    sites = {
        "given": {"population": 99, "lsoas": ["E01000001"]},
        "summed": {"lsoas": ["E01000002", "E01000003"]},
        "partly": {"lsoas": ["E01000004"]},
    }
    cohort = make_cohort(tmp_path, sites, lookup_columns={"population": "Residents"})
    found = site_populations(cohort)
    assert found["given"] == 99
    assert found["summed"] == 3300
    assert math.isnan(found["partly"])


def test_lookup_column_that_is_not_there(tmp_path: Path) -> None:
    cohort = make_cohort(tmp_path, {}, lookup_columns={"population": "Resident"})
    with pytest.raises(InputError, match="Did you mean 'Residents'"):
        read_lookup(cohort)


def test_lsoa_in_two_wards_is_refused(tmp_path: Path) -> None:
    cohort = make_cohort(tmp_path, {})
    line = "E01000001,Leeds 001A,E05000003,Minster,E06000001,York,5\n"
    (tmp_path / "lookup.csv").write_text(LOOKUP + line, encoding="utf-8")
    with pytest.raises(InputError, match="more than one place: 'E01000001'"):
        read_lookup(cohort)


def test_split_merged_and_redrawn_areas(tmp_path: Path) -> None:
    lines = ["LSOA11CD,LSOA21CD", "A1,A1", "B1,B2", "B1,B3", "C1,C3", "C2,C3"]
    lines += ["D1,D3", "D1,D4", "D2,D4"]
    (tmp_path / "change.csv").write_text("\n".join(lines))
    cohort = make_cohort(tmp_path, {}, lsoa_change=str(tmp_path / "change.csv"))
    change = read_change(cohort)
    assert change is not None
    assert "A1" not in change.units
    assert {change.units[code] for code in ("B1", "B2", "B3")} == {"B1"}
    assert {change.units[code] for code in ("C1", "C2", "C3")} == {"C3"}
    assert {change.units[code] for code in ("D1", "D2", "D3", "D4")} == {"D1+D2"}
    assert change.new_only == {"B2", "B3", "C3", "D3", "D4"}


def test_change_table_without_its_columns(tmp_path: Path) -> None:
    (tmp_path / "change.csv").write_text("old,LSOA21C\nA,B\n")
    cohort = make_cohort(tmp_path, {}, lsoa_change=str(tmp_path / "change.csv"))
    with pytest.raises(InputError, match="no column 'LSOA11CD', 'LSOA21CD'"):
        read_change(cohort)
