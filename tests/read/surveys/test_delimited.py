from pathlib import Path

import pytest

from sbwork.read.surveys.delimited import decode_text, find_separator, read_delimited
from sbwork.read.surveys.detection import read_table
from sbwork.specs.errors import InputError

PLAIN = "site,q1,told\nA,1,café\nB,2,\n"


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]
)
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_encoding_separator_and_line_ends_are_found(
    tmp_path: Path, encoding: str, separator: str, ending: str
) -> None:
    text = PLAIN.replace(",", separator).replace("\n", ending)
    table = read_table(write(tmp_path / "w.csv", text.encode(encoding)))
    assert table.platform == "csv"
    assert table.names == ("site", "q1", "told")
    assert table.cells.to_numpy().tolist() == [["A", "1", "café"], ["B", "2", ""]]
    assert bool(table.notes) == (encoding == "cp1252")


def test_semicolons_win_over_decimal_commas() -> None:
    assert find_separator(b"q1;w;x\n1,5;0,25;1,0\n2,5;0,75;1,0\n")[0] == ";"


def test_the_separator_that_excel_declares_is_obeyed() -> None:
    assert find_separator(b"sep=;\na,b;c\n") == (";", b"a,b;c\n")


def test_quoted_separators_line_breaks_and_quotes_stay_in_their_cell(tmp_path: Path) -> None:
    data = b'site,told\nA,"one, two\nthree ""four"""\nB,five\n'
    table = read_table(write(tmp_path / "w.csv", data))
    assert table.read_column(1).tolist() == ['one, two\nthree "four"', "five"]
    assert table.rows.tolist() == [2, 3]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b" \n \n", "the file is empty"),
        (b"a,b,c\n1,2,3\n1,2,3,4\n" + b"1,2,3\n" * 80, "row 3: the row holds 4 values"),
        (b"a,b\n1,2,3\n4,5,6\n", "header: the rows hold a value more than the header has names"),
        (b"a,b,c\n" + b"1,2,3\n" * 80 + b"1,2,3,4\n", "row 82: the row holds 4 values"),
        (b"a,b,c\n1,2,3\n1,2\n1,2,3\n", "row 3: the row holds 2 values, but the header has 3"),
        (b'a,b,c\n1,"2,3\n1,2,3\n', "never closed|row 2"),
        (b"a,b\n1,2\0\n", "line 2: there is a NUL byte"),
        (b"a,b\n", "no row of answers"),
        (b"\xff\xfea\x00,\x00b", "no row|breaks off"),
        (",".join(f"q{i}" for i in range(100_000)).encode() + b"\n1\n", "10,000 columns"),
        (b"%PDF-1.4", "this is a PDF"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "old Excel"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b'{"answers": []}', "JSON"),
        (b"PK\x03\x04broken", "damaged"),
    ],
)
def test_what_is_no_table_is_refused_in_one_sentence(
    tmp_path: Path, data: bytes, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_table(write(tmp_path / "w.csv", data))
    assert len(caught.value.problems) == 1
    assert str(caught.value).startswith("w.csv")


def test_empty_values_left_off_at_the_end_of_many_rows_are_blank(tmp_path: Path) -> None:
    data = b"site,q1,told\n" + b"A,1,x\n" * 16 + b"B,2\n" * 20
    table = read_table(write(tmp_path / "w.csv", data))
    assert table.read_column(2).tolist() == ["x"] * 16 + [""] * 20


def test_rows_without_any_value_are_dropped_and_row_numbers_stay(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "w.csv", b"site,q1\nA,1\n\n,\nB,2\n\n"))
    assert table.rows.tolist() == [2, 5]


def test_text_read_as_windows_1252_says_so() -> None:
    data, note = decode_text("naïve".encode("cp1252"), "w.csv")
    assert data.decode() == "naïve"
    assert "Windows-1252" in note


def test_a_file_above_the_limit_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sbwork.read.surveys.delimited._LARGEST_FILE", 10)
    with pytest.raises(InputError, match="At most 0 MB"):
        read_delimited(write(tmp_path / "w.csv", PLAIN.encode()))


def test_a_row_of_endless_separators_is_refused_before_it_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sbwork.read.surveys.delimited.MOST_CELLS", 100)
    with pytest.raises(InputError, match="more than 100 separators"):
        read_delimited(write(tmp_path / "w.csv", b"a,b\n" + b"," * 101))
