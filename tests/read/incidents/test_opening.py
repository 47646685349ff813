"""How a table of incidents is opened: sheets, titles above the header, notes below the table."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import openpyxl
import pytest

from sbwork.read.incidents import Incidents, read_incidents
from sbwork.specs.cohort import Cohort
from sbwork.specs.errors import InputError

Rows = list[list[object]]

HEAD: list[object] = ["Date", "Crime type", "Site"]
SHORT: list[object] = ["Date", "Site"]


def read(path: Path, **source: object) -> Incidents:
    given = {"name": "p", "sites": {"a": {}, "b": {}}, "incidents": [{"path": str(path), **source}]}
    return read_incidents(Cohort.model_validate(given))


def count(incidents: Incidents) -> list[float]:
    sites = incidents.sites.query("outcome == 'victim_based_crime'")
    return sites.groupby("site")["count"].sum().tolist()


def list_notes(incidents: Incidents, check: str) -> str:
    quality = incidents.quality.query("check == @check")
    return "; ".join(quality["note"])


def write(folder: Path, sheets: dict[str, Rows], hidden: tuple[str, ...] = ()) -> Path:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
        if title in hidden:
            sheet.sheet_state = "hidden"
    book.save(folder / "w.xlsx")
    return folder / "w.xlsx"


def list_rows(year: int, crime_type: str = "Burglary") -> Rows:
    return [
        [datetime(year, month, 5), crime_type, site] for month in range(1, 13) for site in "aab"
    ]


def drop_type(rows: Rows) -> Rows:
    return [[row[0], row[2]] for row in rows]


FIRST, SECOND = list_rows(2016), list_rows(2017)
DATA: Rows = [HEAD, *FIRST]


@pytest.mark.parametrize(
    ("sheets", "source", "counts", "note"),
    [
        ({"2016": DATA, "2017": [HEAD, *SECOND]}, {}, [48, 24], "read from the workbook: '2016', "),
        (
            {"2016": DATA, "2017": [["Run"], [], HEAD[::-1], *(row[::-1] for row in SECOND)]},
            {},
            [48, 24],
            "'2016', '2017'",
        ),
        ({"2016": DATA, "2017": [HEAD, *SECOND]}, {"sheets": 2016}, [24, 12], "read: '2017'"),
        (
            {
                "Read me": [["x"]] * 80,
                "Data": DATA,
                "Pivot": [["Row Labels", "a"], ["Burglary", 24]],
            },
            {},
            [24, 12],
            "other sheets, not read: 'Read me', 'Pivot'",
        ),
        (
            {"Data": DATA, "Hidden": [[n, n] for n in range(99)]},
            {},
            [24, 12],
            "hidden sheets, not read: 'Hidden'",
        ),
        ({"Hidden": DATA, "Data": DATA}, {"sheets": ["Hidden"]}, [24, 12], "not read: 'Data'"),
        (
            {"Burglary": [SHORT, *drop_type(FIRST)], "Robbery": [SHORT, *drop_type(FIRST)]},
            {"columns": {"crime_type": "Sheet"}},
            [48, 24],
            "'Burglary', 'Robbery'",
        ),
    ],
    ids=["years", "order", "named", "pivot", "hidden", "hidden and named", "types"],
)
def test_sheets_alike_are_read_together_and_others_are_named(
    tmp_path: Path,
    sheets: dict[str, Rows],
    source: dict[str, object],
    counts: list[float],
    note: str,
) -> None:
    incidents = read(write(tmp_path, sheets, ("Hidden",)), **source)
    assert count(incidents) == counts
    assert note in list_notes(incidents, "sheets of a workbook")


@pytest.mark.parametrize(
    ("sheets", "source", "message"),
    [
        (
            {"2016": DATA, "2017": [["When", "What", "Where"], *SECOND]},
            {},
            "'2016' and '2017' may both hold data, and differ in header.*'sheets:'",
        ),
        ({"1": DATA, "2": SECOND[:6]}, {}, "'1' and '2' may both hold data"),
        (
            {"All": [*DATA, *SECOND], "2016": DATA},
            {},
            "rows of the sheet '2016' are in .* 'All'",
        ),
        ({"2016": DATA}, {"sheets": ["2O16"]}, "no sheet '2O16'. Did you mean '2016'"),
        ({"a": DATA, "Notes": [["x"]]}, {"sheets": ["a", "Notes"]}, "'a' and 'Notes'"),
        ({"Hidden": DATA, "Empty": []}, {}, "no visible sheet holds anything"),
        (
            {"2016": DATA, "2017": [["Run"], [], HEAD, *SECOND, ["soon", "Burglary", "a"]]},
            {},
            "sheet '2017', row 40, column 'Date': this text is not a date",
        ),
    ],
)
def test_doubtful_sheets_are_refused(
    tmp_path: Path, sheets: dict[str, Rows], source: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read(write(tmp_path, sheets, ("Hidden",)), **source)


def test_merged_cells_are_filled(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in (HEAD, *([row[0], row[1], None] for row in FIRST)):
        book.active.append(row)
    for first, site in ((2, "a"), (20, "b")):
        book.active.cell(first, 3, site)
        book.active.merge_cells(start_row=first, end_row=first + 17, start_column=3, end_column=3)
    book.save(tmp_path / "w.xlsx")
    assert count(read(tmp_path / "w.xlsx")) == [18, 18]


TEXT = "Date,Crime type,Site\n" + "".join(f"2016-{m:02d}-05,Burglary,a\n" for m in range(1, 13))


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize(
    ("above", "below", "rows", "notes"),
    [
        ("Recorded crime, run 3 July 2019\n\n", "", 2, 0),
        ('"Recorded\ncrime",,\n,,\n', "", 2, 0),
        ("sep=,\n", "", 1, 0),
        ("Date,Site,by – me\nFrom,2016,to\n\n", "", 3, 0),
        ("", "\nSource: Northumbria Police, July 2019\n", 0, 1),
        ("", ",,\nSource: the force’s own,,\n*Provisional,,\n,,\n", 0, 2),
        ("\n", "\nNotes\n1. x, y and z\n\n(12 rows affected)\n", 1, 3),
    ],
)
def test_titles_above_and_notes_below_are_passed_over(
    tmp_path: Path, above: str, below: str, rows: int, notes: int, encoding: str, ending: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes((above + TEXT + below).replace("\n", ending).encode(encoding))
    incidents = read(path)
    assert count(incidents) == [12, 0]
    quality = incidents.quality.set_index("check")["count"]
    assert quality.get("rows above the header", 0) == rows
    assert quality.get("notes below the table", 0) == notes
    assert not quality.get("rows without a date", 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Run\n\n" + TEXT + "soon,Burglary,a\n", "row 16, column 'Date': this text"),
        ("Run\n\n" + TEXT + "2016-12-06,Burg", "line 16: the row has 2 columns"),
        ("Run\n\nA,B,C\n" + TEXT.partition("\n")[2], "row 3: no column holds the month.*'A', 'B'"),
    ],
)
def test_places_are_those_of_the_file(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read(tmp_path / "a.csv")
