"""Zips opened safely."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbwork.read.incidents.archives import find_parts, read_ends, serve_members, unpack
from sbwork.specs.errors import InputError

TEXT = b"Month,Crime type\n" + b"2017-01,Burglary\n" * 5000


def write_zip(
    path: Path, members: list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED
) -> Path:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", method) as archive:
        warnings.simplefilter("ignore")
        for name, content in members:
            archive.writestr(name, content)
    return path


def read_all(path: Path) -> list[bytes]:
    contents = []
    for part in find_parts(path, path.name):
        with unpack(part) as file:
            contents.append(file.path.read_bytes())
        assert not file.path.exists()
    return contents


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_members_are_inflated_whole_and_in_order(tmp_path: Path, method: int) -> None:
    members = [("b/2.csv", TEXT * 9), ("a/1.csv", b"x\n"), ("c/3.csv", TEXT)]
    ignored = [("__MACOSX/4.csv", b"no"), ("notes.txt", b"no")]
    path = write_zip(tmp_path / "a.zip", members + ignored, method)
    assert read_all(path) == [b"x\n", TEXT * 9, TEXT]


@given(
    content=st.one_of(st.binary(max_size=2000), st.integers(0, 200_000).map(lambda n: b"ab," * n)),
    level=st.sampled_from([0, 1, 9]),
    size=st.sampled_from([1_000, 16_384, 1 << 20]),
    start=st.integers(0, 3_000),
)
def test_a_member_is_read_in_pieces_and_from_any_place(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, level: int, size: int, start: int
) -> None:
    path = tmp_path_factory.mktemp("zip") / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        archive.writestr("a.csv", content)
    files = serve_members(find_parts(path, "a.zip"))
    assert files.size("member://0.csv") == len(content)
    stream = files.open("member://0.csv", "rb")

    def read_elsewhere() -> None:
        stream.seek(len(content) // 2)
        stream.read(size)

    for first in (0, min(start, len(content)), 0):
        assert stream.seek(first) == first
        other = Thread(target=read_elsewhere)
        other.start()
        other.join()
        assert b"".join(iter(lambda: stream.read(size), b"")) == content[first:]
    stream.close()


def test_broken_member_is_refused_by_name(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", [("good.csv", TEXT), ("x/bad.csv", TEXT[::-1])])
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("x/bad.csv")
    data[info.header_offset + 60] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.zip/x/bad\.csv: this file is broken"):
        read_all(path)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("../a.csv", TEXT)], "leads out of the zip"),
        ([("/etc/a.csv", TEXT)], "leads out of the zip"),
        ([("C:/a.csv", TEXT)], "leads out of the zip"),
        ([("x\\..\\..\\a.csv", TEXT)], "leads out of the zip"),
        ([("a.csv", b"\0" * 60_000_000)], "would unpack to 60,000,000 bytes"),
        ([("a.csv", b"x"), ("a.csv", b"y")], "two files of this name"),
        (
            [("2017.zip", b""), ("notes.txt", b"no")],
            r"it holds other zips: '2017\.zip'.* Unpack it once",
        ),
        ([("2017.zip", b""), ("a.csv", TEXT)], r"it holds other zips: '2017\.zip'"),
    ],
)
def test_zips_are_refused_before_a_member_is_opened(
    tmp_path: Path, members: list[tuple[str, bytes]], message: str
) -> None:
    path = write_zip(tmp_path / "a.zip", members)
    with pytest.raises(InputError, match=message):
        find_parts(path, "a.zip")


def test_cut_zip_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", [("a.csv", TEXT)])
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match="the zip can't be read"):
        find_parts(path, "a.zip")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("file_size", 100, "longer than the zip says"),
        ("CRC", 1, "does not match its checksum"),
    ],
)
def test_members_that_are_not_what_the_zip_says_are_refused(
    tmp_path: Path, field: str, value: int, message: str
) -> None:
    path = write_zip(tmp_path / "a.zip", [("a.csv", TEXT)])
    with zipfile.ZipFile(path) as archive:
        said = getattr(archive.getinfo("a.csv"), field)
    old, new = (number.to_bytes(4, "little") for number in (said, value))
    path.write_bytes(path.read_bytes().replace(old, new))
    with pytest.raises(InputError, match=message):
        read_all(path)


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no CSV file in it"):
        find_parts(tmp_path, "folder")
    write_zip(tmp_path / "a.zip", [])
    with pytest.raises(InputError, match=r"folder/a\.zip: there is no CSV file in it"):
        find_parts(tmp_path, "folder")


def test_zips_and_workbooks_inside_a_folder_are_parts_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    write_zip(folder / "a.zip", [("2017-01/x.csv", TEXT), ("b.xlsx", b"")])
    for name in ("c.xlsx", "d.csv", "~$c.xlsx", ".e.csv", "read me.txt"):
        (folder / name).write_bytes(TEXT)
    found = ["folder/a.zip/2017-01/x.csv", "folder/a.zip/b.xlsx", "folder/c.xlsx", "folder/d.csv"]
    assert [part.shown for part in find_parts(folder, "folder")] == found
    assert [part.shown for part in find_parts(tmp_path / "fol*", "fol*")] == found
    (folder / "d.xlsx").write_bytes(TEXT)
    with pytest.raises(InputError, match="there as csv and as xlsx, and would be"):
        find_parts(folder, "folder")


def test_ends_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"0123456789")
    part = find_parts(tmp_path / "a.csv", "a.csv")[0]
    assert read_ends(part, 4) == (b"0123", b"6789")
    assert part.labels == ("", "", "")
