import datetime
import io
import zipfile
from pathlib import Path

import openpyxl
import pytest

from sbwork.read.surveys.detection import read_table
from sbwork.read.surveys.tables import RawTable
from sbwork.specs.errors import InputError


def write(path: Path, *sheets: list[list[object]]) -> RawTable:
    book = openpyxl.Workbook()
    for number, rows in enumerate(sheets):
        sheet = book.create_sheet(f"Sheet {number}", number)
        for row in rows:
            sheet.append(row)
    book.save(path / "w.xlsx")
    return read_table(path / "w.xlsx")


def test_cells_are_read_as_a_person_would_write_them(tmp_path: Path) -> None:
    when = datetime.datetime(2019, 4, 3, 10, 5)
    header = ["site", "q1", "q2", "when", "formula"]
    rows = [["A", 3.0, 2.5, when, "=1+1"], ["B", None, True, None, 2]]
    table = write(tmp_path, [header, *rows])
    assert table.platform == "excel"
    assert table.cells.to_numpy().tolist() == [
        ["A", "3", "2.5", "2019-04-03 10:05:00", ""],
        ["B", "", "True", "", "2"],
    ]


def test_the_sheet_with_the_most_cells_is_read_and_titles_above_are_passed_over(
    tmp_path: Path,
) -> None:
    answers: list[list[object]] = [["Resident survey"], [], ["site", "q1", "q2"], ["A", 1, 2]]
    table = write(tmp_path, [["read me"]], answers)
    assert table.names == ("site", "q1", "q2")
    assert table.rows.tolist() == [4]
    assert table.notes == (
        "read from the workbook: 'Sheet 1'",
        "other sheets, not read: 'Sheet 0'",
    )


def test_sheets_alike_are_read_together_and_doubtful_ones_are_refused(tmp_path: Path) -> None:
    head: list[object] = ["site", "q1", "q2"]
    table = write(tmp_path, [head, ["A", 1, 2]], [head, ["B", 3, 4], ["B", 5, 6]])
    assert table.names == ("site", "q1", "q2", "Sheet")
    assert table.cells.to_numpy().tolist() == [
        ["A", "1", "2", "Sheet 0"],
        ["B", "3", "4", "Sheet 1"],
        ["B", "5", "6", "Sheet 1"],
    ]
    with pytest.raises(InputError, match="'Sheet 0' and 'Sheet 1' may both hold data"):
        write(tmp_path, [head, ["A", 1, 2]], [["site", "q1"], ["B", 3]])


@pytest.mark.parametrize(
    "heads",
    [
        [["site", "q1", "q2"]],
        [["site", "How far?", None], ["Response", "q1", "q2"]],
        [
            ["StartDate", "Finished", "ResponseId"],
            ["Start", "Done", "Id"],
            ['{"ImportId":"Q1"}'] * 3,
        ],
    ],
)
def test_sheets_that_start_with_the_same_answers_lose_none(
    tmp_path: Path, heads: list[list[object]]
) -> None:
    rows: list[list[object]] = [["2019-04-03", 1, 2], ["2019-04-03", 1, 2], ["2019-04-04", 1, 2]]
    table = write(tmp_path, [*heads, *rows], [*heads, *rows])
    assert table.names[-1] == "Sheet"
    assert table.cells.iloc[:, -1].tolist() == ["Sheet 0"] * 3 + ["Sheet 1"] * 3


def test_merged_cells_are_filled_and_hidden_sheets_are_not_read(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in (["site", "q1"], ["A", 1], [None, 2], ["B", 3], [None, 4]):
        book.active.append(row)
    book.active.merge_cells("A2:A3")
    book.active.merge_cells("A4:A5")
    lookup = book.create_sheet("Lookup")
    for number in range(40):
        lookup.append([number, "x", "y"])
    lookup.sheet_state = "hidden"
    book.save(tmp_path / "w.xlsx")
    table = read_table(tmp_path / "w.xlsx")
    assert table.cells[0].tolist() == ["A", "A", "B", "B"]
    assert table.notes[-1] == "hidden sheets, not read: 'Lookup'"


def pack(parts: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return out.getvalue()


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            {"xl/workbook.xml": b"<workbook/>", "xl/worksheets/sheet1.xml": b"\0" * 310_000_000},
            "unpacks to 310 MB",
        ),
        ({"xl/workbook.xml": b'<!DOCTYPE a [<!ENTITY b "c">]><workbook/>'}, "document type"),
        ({"xl/workbook.xml": b"<workbook/>"}, "damaged"),
        ({"export.csv": b"a,b\n1,2\n"}, "zip archive; it holds 'export.csv'"),
        ({"content.xml": b"<a/>"}, "OpenDocument"),
    ],
    ids=["bomb", "entities", "no sheets", "zip named csv", "ods"],
)
def test_archives_that_are_no_workbooks_are_refused(
    tmp_path: Path, parts: dict[str, bytes], message: str
) -> None:
    path = tmp_path / "wave.csv"
    path.write_bytes(pack(parts))
    with pytest.raises(InputError, match=message):
        read_table(path)


def test_a_cell_far_out_does_not_exhaust_memory(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in range(1, 400):
        book.active.cell(row=row, column=16_384, value="x")
    book.save(tmp_path / "w.xlsx")
    with pytest.raises(InputError, match=r"cells|columns"):
        read_table(tmp_path / "w.xlsx")
