import datetime
import io
import zipfile
from pathlib import Path

import openpyxl
import pytest

from sbwork.read.surveys.detection import read_table
from sbwork.specs.errors import InputError


def write(path: Path, rows: list[list[object]], others: dict[str, list[list[object]]]) -> Path:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    for title, more in others.items():
        sheet = book.create_sheet(title)
        for row in more:
            sheet.append(row)
    book.save(path)
    return path


def test_cells_are_read_as_a_person_would_write_them(tmp_path: Path) -> None:
    when = datetime.datetime(2019, 4, 3, 10, 5)
    rows = [["site", "q1", "q2", "when"], ["A", 3.0, 2.5, when], ["B", None, True, None]]
    table = read_table(write(tmp_path / "w.xlsx", rows, {}))
    assert table.platform == "excel"
    assert table.cells.to_numpy().tolist() == [
        ["A", "3", "2.5", "2019-04-03 10:05:00"],
        ["B", "", "True", ""],
    ]


def test_the_sheet_with_the_most_cells_is_read_and_the_others_are_told_of(tmp_path: Path) -> None:
    rows: list[list[object]] = [["read me"]]
    answers: list[list[object]] = [["site", "q1"], ["A", 1], ["B", 2]]
    table = read_table(write(tmp_path / "w.xlsx", rows, {"Answers": answers}))
    assert table.names == ("site", "q1")
    assert "'Answers' was read" in table.notes[0]


def test_titles_above_the_table_are_passed_over(tmp_path: Path) -> None:
    rows: list[list[object]] = [["Resident survey"], [], ["site", "q1", "q2"], ["A", 1, 2]]
    table = read_table(write(tmp_path / "w.xlsx", rows, {}))
    assert table.names == ("site", "q1", "q2")
    assert table.rows.tolist() == [4]


def test_a_formula_without_a_stored_value_is_blank_and_never_worked_out(tmp_path: Path) -> None:
    rows: list[list[object]] = [["site", "q1"], ["A", "=1+1"], ["B", 2]]
    table = read_table(write(tmp_path / "w.xlsx", rows, {}))
    assert table.read_column(1).tolist() == ["", "2"]


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
