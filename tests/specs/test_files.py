"""What a path leads to is looked at, and measured, before anything is read from it."""

from __future__ import annotations

import os
import re
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from sbwork.intake.check import inspect_cohort
from sbwork.intake.new import take_in
from sbwork.read.incidents.archives import find_parts
from sbwork.read.places.boundaries import read_boundaries
from sbwork.read.surveys.detection import read_table
from sbwork.read.tables import read_small_table
from sbwork.specs.cohort import read_cohort
from sbwork.specs.errors import InputError

needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="pipes and links are POSIX's")

KEYS = {
    "incidents": "incidents: [{{path: {}}}]",
    "survey": "surveys: [{{path: {}, wave: before, site: a}}]",
    "lookup": "geography: {{lookup: {}}}",
    "boundaries": "geography: {{boundaries: [{}]}}",
    "polygon": "sites: {{b: {{polygon: {}}}}}",
    "weights": "harm_weights: {}",
}


def write_cohort(data: Path, *lines: str) -> Path:
    folder = data / "cohorts" / "pilot"
    folder.mkdir(parents=True, exist_ok=True)
    sites = () if "sites:" in "".join(lines) else ("sites: {a: {}}",)
    text = "\n".join(["name: pilot", *sites, *lines])
    (folder / "cohort.yml").write_text(text, encoding="utf-8")
    return folder


def refuse(data: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_cohort("pilot", data)
    assert not inspect_cohort("pilot", data).usable
    return str(caught.value)


@needs_posix
@pytest.mark.parametrize("key", KEYS)
def test_paths_outside_the_data_folder_are_read_where_they_are_named(
    tmp_path: Path, key: str
) -> None:
    data, outside = tmp_path / "data", tmp_path / "elsewhere" / "a.csv"
    outside.parent.mkdir()
    outside.write_text("a,b\n1,2\n", encoding="utf-8")
    folder = write_cohort(data)
    (folder / "link.csv").symlink_to(outside)
    for written in (str(outside), "../../../elsewhere/a.csv", "link.csv"):
        write_cohort(data, KEYS[key].format(written))
        assert "lies outside the data folder" in refuse(data)
        for allowed in (written, str(outside.parent)):
            write_cohort(data, KEYS[key].format(written), f"outside_paths: [{allowed}]")
            assert read_cohort("pilot", data).outside_paths == (allowed,)


@needs_posix
def test_a_link_within_an_archive_leads_nowhere_else(tmp_path: Path) -> None:
    folder = write_cohort(tmp_path / "data", KEYS["incidents"].format("archive"))
    (folder / "archive").mkdir()
    (folder / "archive" / "2017-01-x-street.csv").symlink_to("/etc/passwd")
    assert "or a link in it, lies outside" in refuse(tmp_path / "data")


@needs_posix
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("kind", ["pipe", "loop", "device", "system"])
def test_what_is_no_file_is_never_opened(tmp_path: Path, key: str, kind: str) -> None:
    folder = write_cohort(tmp_path / "data")
    name = {"device": "/dev/zero", "system": "/proc/self/status"}.get(kind, "a.csv")
    if kind == "pipe":
        os.mkfifo(folder / "a.csv")
    elif kind == "loop":
        (folder / "a.csv").symlink_to("a.csv")
    write_cohort(tmp_path / "data", KEYS[key].format(name))
    assert "cohort.yml, line" in refuse(tmp_path / "data")
    write_cohort(tmp_path / "data", KEYS[key].format(name), f"outside_paths: [{name}]")
    if kind != "system":
        assert "is no" in refuse(tmp_path / "data")


READERS: dict[str, Callable[[Path], object]] = {
    "survey": read_table,
    "table": lambda path: read_small_table(path, path.name),
    "boundaries": lambda path: read_boundaries([(path, path.name)]),
    "incidents": lambda path: find_parts(path, path.name),
    "new": lambda path: take_in("pilot", path.parent / "data", [str(path)]),
}


@needs_posix
@pytest.mark.parametrize("reader", READERS)
def test_every_reader_refuses_what_is_no_file_and_what_is_too_large(
    tmp_path: Path, reader: str
) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    for path in (tmp_path / "pipe.csv", Path("/dev/zero"), Path("/proc/self/status")):
        with pytest.raises(InputError, match="no ordinary file"):
            READERS[reader](path)
    with (tmp_path / "large.csv").open("wb") as file:
        file.truncate(30_000_000_000)
    with pytest.raises(InputError, match=r"holds 30,000 MB\. At most [\d,]+ MB are read"):
        READERS[reader](tmp_path / "large.csv")


@pytest.mark.parametrize("name", ["con.csv", "NUL", "sub/com1.tar.gz", "lpt9 .csv", "aux/a.csv"])
def test_names_that_windows_keeps_are_refused(tmp_path: Path, name: str) -> None:
    write_cohort(tmp_path / "data", KEYS["incidents"].format(name))
    assert "Windows keeps for devices" in refuse(tmp_path / "data")
    stem = Path(name).parts[0].partition(".")[0].lower().strip()
    if stem not in {"sub"}:
        with pytest.raises(InputError, match="Windows keeps"):
            take_in(stem.replace(" ", ""), tmp_path / "data")


def test_a_large_file_with_people_is_measured_before_it_is_hashed(tmp_path: Path) -> None:
    from sbwork.read.surveys import read_responses
    from sbwork.specs.instrument import Instrument

    folder = write_cohort(
        tmp_path, "surveys: [{path: a.csv, wave: before, site: a, person_column: id}]"
    )
    with (folder / "a.csv").open("wb") as file:
        file.truncate(3_000_000_000)
    instrument = Instrument.model_validate(
        {
            "name": "i",
            "options": {"o": [{"code": 1}, {"code": 2}]},
            "items": {"q": {"options": "o"}},
        }
    )
    with pytest.raises(InputError, match="At most 200 MB"):
        read_responses(read_cohort("pilot", tmp_path), instrument)


@pytest.mark.parametrize("members", [1, 100])
def test_a_zip_or_workbook_that_would_swell_is_refused(tmp_path: Path, members: int) -> None:
    piece = b"0" * (120_000_000 // members)
    for name, inner, reader in (
        ("a.zip", "{}.csv", lambda path: find_parts(path, "a.zip")),
        ("a.xlsx", "xl/worksheets/{}.xml", read_table),
        ("b.xlsx", "xl/worksheets/{}.xml", lambda path: read_small_table(path, "b.xlsx")),
    ):
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("xl/workbook.xml", "<workbook/>")
            for number in range(members):
                archive.writestr(inner.format(number), piece)
        with pytest.raises(InputError, match="unpack"):
            reader(tmp_path / name)


@pytest.mark.parametrize("rows", ['<row r="9999999"/>', '<row r="{}"><c r="XFD{}" s="1"/></row>'])
def test_a_sheet_of_empty_cells_is_refused(tmp_path: Path, rows: str) -> None:
    import openpyxl

    path, changed = tmp_path / "a.xlsx", tmp_path / "b.xlsx"
    openpyxl.Workbook().save(path)
    text = "".join(rows.format(number, number) for number in range(1, 200))
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(changed, "w") as out:
        for name in archive.namelist():
            content = archive.read(name)
            if name == "xl/worksheets/sheet1.xml":
                sheet = f"<sheetData>{text}</sheetData>".encode()
                content = re.sub(rb"<sheetData ?/>|<sheetData></sheetData>", sheet, content)
            out.writestr(name, content)
    with pytest.raises(InputError, match=r"more than [\d,]+ cells"):
        read_table(changed)
