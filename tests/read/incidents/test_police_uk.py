"""Street files with the faults that real downloads have."""

from __future__ import annotations

from pathlib import Path

import pytest

from sbwork.read.incidents.archives import find_parts
from sbwork.read.incidents.police_uk import read_street_files
from sbwork.read.incidents.street_counting import PointNeed
from sbwork.read.incidents.tally import Reading
from sbwork.specs.errors import InputError

HEADER = "Crime ID,Month,Reported by,Longitude,Latitude,LSOA code,LSOA name,Crime type,Context"
LINE = 'ab,2017-01,Durham Constabulary,-1.57,54.77,E01000001,"Durham, 001A",Burglary,'


def read(folder: Path, text: str | bytes, name: str = "2017-01-durham-street.csv") -> Reading:
    data = text if isinstance(text, bytes) else text.encode()
    (folder / name).write_bytes(data)
    return read_folder(folder)[0]


def read_folder(folder: Path) -> tuple[Reading, list[tuple[object, ...]]]:
    reading = read_street_files(find_parts(folder, "f"), "f", PointNeed())
    texts = reading.tally[["lsoa", "kind", "month"]].astype("str")
    counts = zip(texts.itertuples(index=False, name=None), reading.tally["n"], strict=True)
    return reading, sorted((*row, reading.names.get(row[0], ""), n) for row, n in counts)


def test_same_rows_are_separate_incidents(tmp_path: Path) -> None:
    read(tmp_path, "\n".join([HEADER, LINE, LINE, LINE, ""]))
    assert read_folder(tmp_path)[1] == [("E01000001", "Burglary", "2017-01", "Durham, 001A", 3.0)]


def test_byte_order_mark_and_mixed_layouts(tmp_path: Path) -> None:
    (tmp_path / "2017-01-durham-street.csv").write_text(f"{HEADER}\n{LINE}\n", encoding="utf-8-sig")
    other = "Month,LSOA code,Crime type\r\n2017-02,E01000001,Drugs\r\n"
    (tmp_path / "2017-02-durham-street.csv").write_bytes(other.encode())
    reading, rows = read_folder(tmp_path)
    assert [row[:3] for row in rows] == [
        ("E01000001", "Burglary", "2017-01"),
        ("E01000001", "Drugs", "2017-02"),
    ]
    assert [batch.feed for batch in reading.batches] == ["durham", "durham"]


def test_outcomes_are_skipped_and_counted(tmp_path: Path) -> None:
    (tmp_path / "2017-01-durham-outcomes.csv").write_text("Month,Outcome type\n2017-01,None\n")
    (tmp_path / "2017-01-durham-stop-and-search.csv").write_text("Type,Date\n")
    quality = {line.check: line.count for line in read(tmp_path, f"{HEADER}\n{LINE}\n").quality}
    assert quality == {"files skipped (outcomes)": 1.0, "files skipped (stop and search)": 1.0}


def test_renamed_file_takes_its_force_from_the_rows(tmp_path: Path) -> None:
    reading = read(tmp_path, f"{HEADER}\n{LINE}\n", "january.csv")
    assert [(batch.feed, batch.months) for batch in reading.batches] == [("durham", {"2017-01": 1})]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        (f"{HEADER}\n{LINE}\n{LINE[:40]}", r"cut short: its last line has 5 of 9 columns"),
        (f"{HEADER}\n{LINE}\nab,2017-01\n{LINE}\n", r"line 3: the row has 2 columns .* 9"),
        (HEADER.replace("Crime type", "Crime tipe") + f"\n{LINE}\n", "Did you mean 'Crime tipe'"),
        (HEADER.replace("LSOA code", "LSOA cod") + f"\n{LINE}\n", "no column 'LSOA code', but one"),
        (f"{HEADER}\n{LINE.replace('-1.57,54.77', '54.77,-1.57')}\n", "the two are swapped"),
        (f"{HEADER}\n{LINE.replace('2017-01', '2017-02')}\n", "the name says 2017-01, but"),
        (f"{HEADER}\n{LINE.replace('2017-01', 'January')}\n", "months that are none: 'January'"),
        ("Month,Crime type\n2017-01,Drugs\n", "no column says where"),
        (f"{HEADER},Month\n{LINE},x\n", "columns that stand twice: 'Month'"),
        (f"{HEADER}\n{LINE}\n\xff\xfe".encode("latin-1") + b"\n", "2017-01-durham-street.csv"),
    ],
)
def test_faults_are_named(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, text)


def test_header_without_rows_is_a_missing_month(tmp_path: Path) -> None:
    reading = read(tmp_path, f"{HEADER}\n")
    assert reading.quality[0].check == "file without rows"
    assert reading.batches[0].months == {}


def test_last_line_without_an_end_is_counted_and_told(tmp_path: Path) -> None:
    reading = read(tmp_path, f"{HEADER}\n{LINE}\n{LINE}")
    assert reading.batches[0].months == {"2017-01": 2}
    assert [line.check for line in reading.quality] == ["file that may be cut short"]


def test_messages_never_show_a_row(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, f"{HEADER}\n{LINE}\nSECRET,2017-01\n{LINE}\n")
    assert "SECRET" not in str(caught.value)


def test_no_street_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no street file in it"):
        read(tmp_path, "Month,Outcome type\n2017-01,x\n", "2017-01-durham-outcomes.csv")
