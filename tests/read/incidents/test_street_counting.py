"""The two ways of counting street files agree, and each takes what is its own."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pandas as pd
import pytest

from sbwork.read.incidents.archives import Part, find_parts
from sbwork.read.incidents.street_counting import PointNeed, count_any_files, count_regular_files
from sbwork.read.incidents.street_lines import LineLayout
from sbwork.read.incidents.tally import join_tallies
from sbwork.specs.errors import InputError

HEADER = "Month,Longitude,Latitude,LSOA code,LSOA name,Crime type,Context"
LAYOUT = LineLayout(width=7, month=0, lsoa=3, kind=5, name=4, x=1, y=2, keep_points=True)
LINES = [
    "2017-0{0},-1.57,54.77,E01000001,Durham 001A,Burglary,",
    "2017-0{0},-1.58,54.77,E01000001,Durham 001A,Burglary,",
    "2017-0{0},-1.57,54.77,E0100000{0},Durham 00{0}A,Drugs,",
    "2017-0{0},-1.57,54.77,,,Drugs,",
    "2017-0{0},,,,,Robbery,",
]
POINTS = PointNeed(unplaced=True)


def write(folder: Path) -> list[Part]:
    for month in range(1, 6):
        text = "\n".join([HEADER, *[line.format(month) for line in LINES], ""])
        (folder / f"2017-0{month}-durham-street.csv").write_text(text)
    return find_parts(folder, "f")


def lay_out(tallies: list[pd.DataFrame]) -> list[tuple[object, ...]]:
    tally = join_tallies(tallies)
    texts = tally.astype(dict.fromkeys(("lsoa", "kind", "month", "x", "y"), "str"))
    columns = ["batch", "month", "lsoa", "kind", "x", "y", "located", "n"]
    return sorted(texts[columns].itertuples(index=False, name=None))


def count_both(parts: list[Part]) -> None:
    headers = [tuple(HEADER.split(","))] * len(parts)
    names: dict[str, str] = {}
    others: dict[str, str] = {}
    fast, rest = count_regular_files(parts, [LAYOUT] * len(parts), names)
    slow = count_any_files(parts, headers, range(len(parts)), POINTS, others)
    assert rest == []
    assert lay_out(fast) == lay_out(slow)
    assert names == others
    assert sum(tally["n"].sum() for tally in fast) == len(LINES) * len(parts)


def test_both_ways_agree_on_a_folder_and_a_zip(tmp_path: Path) -> None:
    parts = write(tmp_path)
    count_both(parts)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for part in parts:
            archive.write(part.path, part.name)
    count_both(find_parts(tmp_path / "a.zip", "a.zip"))


def test_irregular_files_and_those_without_a_layout_are_left(tmp_path: Path) -> None:
    parts = write(tmp_path)
    text = parts[1].path.read_text()
    parts[1].path.write_text(text.replace("Durham 001A", '"Durham, 001A"'))
    layouts = [LAYOUT, LAYOUT, None, LAYOUT, LAYOUT]
    tallies, rest = count_regular_files(parts, layouts, {})
    assert rest == [1, 2]
    assert set(join_tallies(tallies)["batch"]) == {0, 3, 4}


def test_nothing_to_count() -> None:
    assert count_regular_files([], [], {}) == ([], [])


def test_a_broken_member_stops_the_count_and_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for month in range(1, 4):
            archive.writestr(f"2017-0{month}-durham-street.csv", f"{HEADER}\n" + LINES[0] * 99)
        broken = archive.getinfo("2017-02-durham-street.csv").header_offset
    data = bytearray(path.read_bytes())
    data[broken + 70] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.zip/2017-02-durham-street\.csv: this file is broken"):
        count_regular_files(find_parts(path, "a.zip"), [LAYOUT] * 3, {})


def test_box_keeps_the_points_inside_it(tmp_path: Path) -> None:
    parts = write(tmp_path)[:1]
    box = PointNeed(boxes=((-1.575, 54.0, -1.0, 55.0),))
    tally = join_tallies(count_any_files(parts, [tuple(HEADER.split(","))], [0], box, {}))
    assert tally.dropna(subset=["x"])["n"].sum() == 3
    assert tally["n"].sum() == 5
