"""Street files with the faults that real downloads have."""

from __future__ import annotations

import csv
import io
import zipfile
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbwork.read.incidents import police_uk
from sbwork.read.incidents.archives import find_parts
from sbwork.read.incidents.police_uk import read_street_files
from sbwork.read.incidents.tallies import PointNeed, Reading, join_tallies, open_store
from sbwork.specs.errors import InputError

HEADER = "Crime ID,Month,Reported by,Longitude,Latitude,LSOA code,LSOA name,Crime type,Context"
LINE = 'ab,2017-01,Durham Constabulary,-1.57,54.77,E01000001,"Durham, 001A",Burglary,'
NO_POINTS = PointNeed()


def read(folder: Path, text: str | bytes, name: str = "2017-01-durham-street.csv") -> Reading:
    data = text if isinstance(text, bytes) else text.encode()
    (folder / name).write_bytes(data)
    return read_folder(folder)[0]


def read_folder(
    folder: Path, points: PointNeed = NO_POINTS
) -> tuple[Reading, list[tuple[object, ...]]]:
    (reading,) = read_street_files([(folder.name, find_parts(folder, folder.name))], points)
    texts = reading.tally[["lsoa", "kind", "month"]].astype("str")
    counts = zip(texts.itertuples(index=False, name=None), reading.tally["n"], strict=True)
    return reading, sorted((*row, reading.names.get(row[0], ""), n) for row, n in counts)


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
        (f"{HEADER}\n{LINE.replace('2017-01', '2017-02')}\n", "the name says 2017-01, but"),
        (f"{HEADER}\n{LINE.replace('2017-01', 'January')}\n", "rows whose month is none"),
        ("Month,Crime type\n2017-01,Drugs\n", "no column says where"),
        (f'{HEADER}\n{LINE}"x\n{LINE}\n', "line 2: a quotation mark is opened and never closed"),
        (f"{HEADER},Month\n{LINE},x\n", "columns that stand twice: 'Month'"),
        (f"{HEADER}\n{LINE}\n\xff\xfe".encode("latin-1") + b"\n", "2017-01-durham-street.csv"),
    ],
)
def test_faults_are_named_in_a_folder_and_in_a_zip(
    tmp_path: Path, text: str | bytes, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, text)
    name = "2017-01-durham-street.csv"
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / name, name)
    if "cut short" in message:
        message = "line 3: the row has 5 columns"
    with pytest.raises(InputError, match=message):
        read_folder(tmp_path / "a.zip")


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


codes = st.sampled_from(["E01000001", "E01000002", "W01000003", "", "95AA01S1", "x"])
kinds = st.sampled_from(["Drugs", "Robbery", "", "Drügs", "Dr\0", "A very long name " * 9])
names = st.sampled_from(["Place 1", "Place, the first", 'The "Place"', "Two\nlines"])
places = st.sampled_from([("-1.57", "54.77"), ("", ""), ("0.1", "51.5")])
rows = st.tuples(st.just("2017-01"), places, codes, names, kinds)


@given(rows=st.lists(rows, min_size=1, max_size=40), end=st.sampled_from(["\n", "\r\n"]))
def test_files_and_members_are_counted_as_by_a_csv_reader(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple], end: str
) -> None:
    folder = tmp_path_factory.mktemp("f")
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=end)
    writer.writerow(["Month", "Longitude", "Latitude", "LSOA code", "LSOA name", "Crime type"])
    writer.writerows([month, *place, code, name, kind] for month, place, code, name, kind in rows)
    path = folder / "2017-01-durham-street.csv"
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, path.name)
    expected = Counter((code, kind, not code and bool(x)) for _, (x, _), code, _, kind in rows)
    for source in (folder, folder / "a.zip"):
        tally = read_folder(source)[0].tally
        columns = [tally[name].tolist() for name in ("lsoa", "kind", "located")]
        assert dict(zip(zip(*columns, strict=True), tally["n"], strict=True)) == expected


@pytest.mark.parametrize(
    ("text", "total"),
    [
        (f"{HEADER}\n{LINE}\n{LINE}\r\n", 2),
        (f"{HEADER}\r\n{LINE}\n{LINE}\n", 2),
        (f"{HEADER}\n{LINE}Café\n{LINE}\n".encode("cp1252"), 2),
    ],
)
def test_mixed_line_ends_and_other_encodings_are_counted(
    tmp_path: Path, text: str | bytes, total: int
) -> None:
    (tmp_path / "2017-02-durham-street.csv").write_text(
        f"{HEADER}\n{LINE}\n".replace("2017-01", "2017-02")
    )
    assert read(tmp_path, text).tally["n"].sum() == total + 1


def test_names_that_are_not_utf_8_are_read_as_windows_1252(tmp_path: Path) -> None:
    text = f"{HEADER}\n{LINE}\n".replace("Durham, 001A", "Dûrham 001A").encode("cp1252")
    assert read(tmp_path, text).names == {"E01000001": "Dûrham 001A"}


def test_a_broken_member_stops_the_count_and_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for month in range(1, 4):
            lines = [LINE.replace("2017-01", f"2017-0{month}")] * 5_000
            archive.writestr(f"2017-0{month}-durham-street.csv", "\n".join([HEADER, *lines, ""]))
        broken = archive.getinfo("2017-02-durham-street.csv")
    data = bytearray(path.read_bytes())
    data[broken.header_offset + broken.compress_size - 9] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.zip/2017-02-durham-street\.csv: this file is broken"):
        read_folder(path)


def test_files_larger_than_a_buffer_are_counted_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(police_uk, "_BUFFER", 2_100_000)
    lines = [LINE.replace("ab,", f"{'ab' * (number % 50)},") for number in range(100_000)]
    path = tmp_path / "2017-01-durham-street.csv"
    path.write_text("\n".join([HEADER, *lines, ""]))
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, path.name)
    for source in (tmp_path, tmp_path / "a.zip"):
        assert read_folder(source)[1] == [
            ("E01000001", "Burglary", "2017-01", "Durham, 001A", 100_000.0)
        ]


def test_names_are_those_of_the_first_file_that_has_one(tmp_path: Path) -> None:
    for month, name in enumerate(["", '"Durham, 001A"', "County Durham 001A"], start=1):
        line = LINE.replace("2017-01", f"2017-0{month}").replace('"Durham, 001A"', name)
        (tmp_path / f"2017-0{month}-durham-street.csv").write_text(f"{HEADER}\n{line}\n")
    assert read_folder(tmp_path)[0].names == {"E01000001": "Durham, 001A"}


@pytest.mark.parametrize(
    ("points", "kept", "located"),
    [
        (PointNeed(), 0, 2),
        (PointNeed(unplaced=True), 2, 2),
        (PointNeed(boxes=((-1.575, 54.0, -1.0, 55.0),)), 3, 4),
    ],
)
def test_coordinates_are_kept_where_they_are_needed(
    tmp_path: Path, points: PointNeed, kept: int, located: int
) -> None:
    nowhere = LINE.replace('E01000001,"Durham, 001A"', ",")
    lines = [LINE, LINE.replace("-1.57", "-1.58"), nowhere, nowhere, nowhere.replace("-1.57", "w")]
    path = tmp_path / "2017-01-durham-street.csv"
    path.write_text("\n".join([HEADER, *lines, ""]))
    tally = read_folder(tmp_path, points)[0].tally
    assert tally.dropna(subset=["x"])["n"].sum() == kept
    assert tally.loc[tally["located"], "n"].sum() == located
    assert tally["n"].sum() == 5


def test_texts_of_joined_tallies_stay_what_they_were(tmp_path: Path) -> None:
    one = read(tmp_path, f"{HEADER}\n{LINE}\n").tally
    two = read(tmp_path, f"{HEADER}\n{LINE.replace('Burglary', 'Arson')}\n").tally
    joined = join_tallies([one, two, one[:0]])
    assert joined["kind"].tolist() == ["Burglary", "Arson"]
    assert joined.dtypes.drop("kind").equals(pd.concat([one, two]).dtypes.drop("kind"))


def test_the_database_loads_nothing_from_outside() -> None:
    settings = open_store().execute(
        "SELECT value FROM duckdb_settings() WHERE name IN "
        "('autoinstall_known_extensions', 'autoload_known_extensions')"
    )
    assert {value.lower() for (value,) in settings.fetchall()} == {"false"}
