"""Tables of counts as spreadsheets lay them out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

import openpyxl
import pytest

from sbwork.read.incidents import Incidents, read_incidents
from sbwork.specs.cohort import Cohort
from sbwork.specs.errors import InputError

MONTHS = [datetime(2016 + number // 12, number % 12 + 1, 1) for number in range(9, 21)]
NAMED = {"one": {"names": ["Area 1"]}, "two": {"names": ["Area 2"]}}
OUTCOMES = {
    "burglary": {"title": "Burglary", "crime_types": ["Burglary"]},
    "robbery": {"title": "Robbery", "crime_types": ["Robbery"]},
}
TWO_LEVELS = OUTCOMES | {
    "homes": {"title": "Homes", "crime_types": ["Burglary of homes", "Robbery"]},
    "all": {"title": "All", "crime_types": ["Burglary", "Burglary of homes", "Robbery"]},
}

Rows = list[list[object]]
Change = Callable[[Rows], Rows]


def read(
    path: Path,
    rows: Rows,
    sites: Mapping[str, object] = NAMED,
    outcomes: Mapping[str, object] = OUTCOMES,
    **source: object,
) -> Incidents:
    if path.suffix == ".xlsx":
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append([None if cell == "" else cell for cell in row])
        book.save(path)
    else:
        path.write_text("\n".join(",".join(f'"{cell}"' for cell in row) for row in rows) + "\n")
    given = {"name": "pilot", "sites": sites, "outcomes": outcomes}
    given |= {"incidents": [{"path": str(path), **source}]}
    return read_incidents(Cohort.model_validate(given))


def sum_counts(incidents: Incidents, outcome: str = "burglary") -> list[float]:
    chosen = incidents.sites.query("outcome == @outcome")
    return [float(chosen.query("site == @site")["count"].sum(min_count=1)) for site in NAMED]


def make_pivot(form: str = "%Y-%m") -> Rows:
    """Make a table of two areas and three types: 1, 2 and 3 a month, 10 times that in Area 2."""
    header = ["Area", "Crime type", *(f"{month:{form}}" for month in MONTHS)]
    kinds = ("Burglary", "Drugs", "Robbery")
    rows = [
        [area, kind, *[size * number] * 12]
        for area, size in (("Area 1", 1), ("Area 2", 10))
        for number, kind in enumerate(kinds, 1)
    ]
    return [header, *rows]


@pytest.mark.parametrize(
    "form",
    ["%Y%m", "%Y-%m", "%Y-%m-%d", "%b-%y", "%b %Y", "%B %Y", "%m/%Y", "01/%m/%Y", "Sum of %b-%y",
     "X%Y.%m"],
)  # fmt: skip
def test_months_as_columns_in_every_spelling(tmp_path: Path, form: str) -> None:
    incidents = read(tmp_path / "a.csv", make_pivot(form))
    assert sum_counts(incidents) == [12.0, 120.0]
    assert incidents.months[0] == "2016-10"


def test_dates_of_a_workbook_in_any_order(tmp_path: Path) -> None:
    rows = [[*row[:2], *reversed(row[2:])] for row in make_pivot()]
    rows[0][2:] = reversed(MONTHS)
    rows = [[*row[5:], *row[:5]] for row in rows]
    assert sum_counts(read(tmp_path / "a.xlsx", rows)) == [12.0, 120.0]


def give_once(rows: Rows) -> Rows:
    return [["" if n in {2, 3, 5, 6} else row[0], *row[1:]] for n, row in enumerate(rows)]


def sum_rows(rows: Rows) -> list[int]:
    return [sum(int(str(row[at])) for row in rows) for at in range(2, 14)]


def add_totals(rows: Rows) -> Rows:
    one, two = rows[1:4], rows[4:]
    rows = [rows[0], *one, ["Area 1 Total", "", *sum_rows(one)]]
    rows += [*two, ["Area 2 Total", "", *sum_rows(two)]]
    rows.append(["Grand Total", "", *sum_rows([*one, *two])])
    heading, *sums = "Grand Total", *(sum(int(str(cell)) for cell in row[2:]) for row in rows[1:])
    return [[*row, cell] for row, cell in zip(rows, [heading, *sums], strict=True)]


def add_sums_above(rows: Rows) -> Rows:
    one, two = ([["", *row[1:]] for row in part] for part in (rows[1:4], rows[4:]))
    return [
        rows[0], ["Area 1", "", *sum_rows(one)], *one, ["Area 2", "", *sum_rows(two)], *two
    ]  # fmt: skip


def add_unnamed_sums(rows: Rows) -> Rows:
    return [*rows, ["", "", *[66] * 12]]


def add_all(rows: Rows) -> Rows:
    return [*rows, ["Area 1", "All", *[6] * 12], ["All", "Burglary", *[11] * 12]]


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
@pytest.mark.parametrize(
    "change",
    [give_once, add_totals, lambda rows: add_totals(give_once(rows)), add_sums_above,
     add_unnamed_sums, add_all],
)  # fmt: skip
def test_totals_are_left_out_and_labels_filled_in(
    tmp_path: Path, suffix: str, change: object
) -> None:
    assert callable(change)
    incidents = read(tmp_path / f"a{suffix}", change(make_pivot()))
    assert sum_counts(incidents) == [12.0, 120.0]
    assert sum_counts(incidents, "robbery") == [36.0, 360.0]
    left_out = incidents.quality.set_index("check")["count"].get("rows of totals", 0.0)
    assert left_out == len(change(make_pivot())) - len(make_pivot())


@pytest.mark.parametrize("month_first", [True, False])
def test_labels_of_a_long_table_given_once(tmp_path: Path, month_first: bool) -> None:
    rows: Rows = [["Month", "Area", "Crime type", "Count"]]
    rows += [[f"{m:%Y-%m}", area, "Burglary", 4] for m in MONTHS for area in ("Area 1", "Area 2")]
    if not month_first:
        rows = [rows[0], *sorted(rows[1:], key=lambda row: str(row[1]))]
        rows = [[row[1], row[0], *row[2:]] for row in rows]
    for n in range(len(rows) - 1, 1, -1):
        rows[n][0] = "" if rows[n][0] == rows[n - 1][0] else rows[n][0]
    rows.append(["Grand Total", "", "", 96])
    assert sum_counts(read(tmp_path / "a.csv", rows)) == [48.0, 48.0]


def test_blank_cells_are_zero_and_an_empty_month_is_missing(tmp_path: Path) -> None:
    rows = make_pivot()
    rows[1][2] = ""
    for row in rows[1:]:
        row[5] = ""
    incidents = read(tmp_path / "a.csv", rows)
    assert sum_counts(incidents) == [10.0, 110.0]
    assert incidents.missing_months == ("2017-01",)
    quality = incidents.quality.set_index("check")["count"]
    assert quality["blank cells counted as 0"] == 1
    assert quality["months without any count"] == 1


def set_cell(row: int, column: int, value: object) -> Change:
    def change(rows: Rows) -> Rows:
        rows[row][column] = value
        return rows

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_cell(1, 3, "-"), "row 2, column '2016-11': this text is not a count"),
        (lambda rows: set_cell(1, 3, "")(set_cell(2, 3, 0)(rows)), "though the table writes zeros"),
        (lambda rows: [*rows, rows[1]], "row 8: a second row for what row 2 counts"),
        (set_cell(0, 4, "Nov 2016"), "two columns hold 2016-11"),
        (lambda rows: set_cell(1, 0, "")(give_once(rows)), "row 2: some of the labels are blank"),
        (lambda rows: set_cell(3, 0, "Area 2")(give_once(rows)), r"not certain"),
        (lambda rows: set_cell(1, 4, 7)(add_sums_above(rows)), "row 2: .*not certain"),
        (lambda rows: [["A", "B", "2009-10", "2010-11"], *(r[:4] for r in rows[1:])], "are years"),
        (lambda rows: [row[1:] for row in rows], "no column says where"),
        (lambda rows: [["Row Labels", *row[2:]] for row in rows], "compact form"),
    ],
)  # fmt: skip
def test_what_is_not_certain_is_refused(tmp_path: Path, change: Change, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path / "a.csv", change(make_pivot()))


def make_wards() -> Rows:
    """Make a table in the layout of the Metropolitan Police's open data."""
    header = ["MajorText", "MinorText", "WardName", "WardCode", "LookUp_BoroughName"]
    types = (("BURGLARY", "BURGLARY OF HOMES", 2), ("BURGLARY", "BURGLARY BUSINESS", 1),
             ("ROBBERY", "ROBBERY", 3))  # fmt: skip
    wards = (("Area 1", "E05000001", "Camden"), ("Area 2", "E05000002", "Camden"),
             ("Abbey", "E05000003", "Camden"), ("Abbey", "E05000004", "Merton"))  # fmt: skip
    rows: Rows = [
        [*kind, *ward, *[n] * 12] for *ward, _ in [(*w, 0) for w in wards] for *kind, n in types
    ]
    return [[*header, *(f"{month:%Y%m}" for month in MONTHS)], *rows]


@pytest.mark.parametrize(
    "places",
    [
        [{"names": ["Area 1"]}, {"names": ["Area 2"]}],
        [{"names": ["E05000001"]}, {"names": ["E05000002"]}],
        [{"names": ["E05000003"]}, {"names": ["E05000004"]}],
    ],
)
def test_two_levels_of_crime_type_by_ward(tmp_path: Path, places: list[object]) -> None:
    sites = dict(zip(NAMED, places, strict=True))
    incidents = read(tmp_path / "a.csv", make_wards(), sites, TWO_LEVELS)
    assert sum_counts(incidents) == [36.0, 36.0]
    assert sum_counts(incidents, "homes") == [60.0, 60.0]
    assert sum_counts(incidents, "all") == [72.0, 72.0]


@pytest.mark.parametrize("long", [False, True])
def test_ward_that_two_boroughs_share_is_one(tmp_path: Path, long: bool) -> None:
    rows = make_wards()
    rows += [[*row[:4], "Aviation Security", *row[5:]] for row in rows[1:4]]
    if long:
        head = [*rows[0][:5], "Month_Year", "Count"]
        rows = [
            head,
            *([*r[:5], m, n] for r in rows[1:] for m, n in zip(rows[0][5:], r[5:], strict=True)),
        ]
    assert sum_counts(read(tmp_path / "a.csv", rows)) == [72.0, 36.0]


def test_lsoas_and_a_place_without_a_row(tmp_path: Path) -> None:
    rows = make_wards()
    rows[0][2:4] = ["LSOA Name", "LSOA Code"]
    for row in rows[1:]:
        row[3] = str(row[3]).replace("E05", "E01")
    sites = {"one": {"lsoas": ["E01000001"]}, "two": {"lsoas": ["E01000002", "E01000003"]}}
    assert sum_counts(read(tmp_path / "a.csv", rows, sites)) == [36.0, 72.0]
    rows = [row for row in make_wards() if row[2] != "Area 2"]
    incidents = read(tmp_path / "b.csv", rows)
    assert incidents.sites.query("site == 'two'")["count"].isna().all()
    assert "site that the files do not name" in set(incidents.quality["check"])


def test_name_of_several_wards_is_refused(tmp_path: Path) -> None:
    sites = {"one": {"names": ["Abbey"]}, "two": {"names": ["Area 2"]}}
    with pytest.raises(InputError, match=r"several places are called 'Abbey': .*'E05000003', 'E05"):
        read(tmp_path / "a.csv", make_wards(), sites)


def test_type_with_and_without_a_second_level_is_refused(tmp_path: Path) -> None:
    rows = make_wards()
    with pytest.raises(InputError, match="with a second level of type and rows without"):
        read(tmp_path / "a.csv", [*rows, ["BURGLARY", "", *rows[1][2:]]])
    rows += [["BURGLARY", "Total burglary", *rows[1][2:]]]
    assert sum_counts(read(tmp_path / "a.csv", rows)) == [36.0, 36.0]


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
@pytest.mark.parametrize("above", [[], [["Count of Ref", "Column Labels", "", "", ""]]])
def test_compact_pivot_tables_are_refused_with_what_to_do(
    tmp_path: Path, suffix: str, above: Rows
) -> None:
    rows: Rows = [*above, ["Row Labels", "Jan-16", "Feb-16", "Mar-16", "Grand Total"]]
    rows += [["Area 1", 5, 6, 7, 18], ["Burglary", 5, 6, 7, 18]]
    with pytest.raises(InputError, match=r"compact form.*'Repeat All Item Labels'") as error:
        read(tmp_path / f"a{suffix}", rows)
    assert len(error.value.problems) == 1
