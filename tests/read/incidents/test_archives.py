"""Zips opened safely."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbwork.read.incidents.archives import find_parts, read_ends, serve_members, unpack
from sbwork.specs.errors import InputError

TEXT = b"Month,Crime type\n" + b"2017-01,Burglary\n" * 5000


def write_zip(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", method) as archive:
        warnings.simplefilter("ignore")
        for name, content in members.items():
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
    members = {"b/2.csv": TEXT * 9, "a/1.csv": b"x\n", "c/3.csv": TEXT, "__MACOSX/4.csv": b"no"}
    path = write_zip(tmp_path / "a.zip", {**members, "notes.txt": b"no"}, method)
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
    for first in (0, min(start, len(content)), 0):
        assert stream.seek(first) == first
        assert b"".join(iter(lambda: stream.read(size), b"")) == content[first:]
    stream.close()


def test_broken_member_is_refused_by_name(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"good.csv": TEXT, "x/bad.csv": TEXT[::-1]})
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("x/bad.csv")
    data[info.header_offset + 60] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.zip/x/bad\.csv: this file is broken"):
        read_all(path)


def test_member_whose_checksum_is_wrong_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"a.csv": TEXT})
    with zipfile.ZipFile(path) as archive:
        check = archive.getinfo("a.csv").CRC.to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(check, b"\0\1\2\3"))
    with pytest.raises(InputError, match="does not match its checksum"):
        read_all(path)


def test_cut_zip_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"a.csv": TEXT})
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match="the zip can't be read"):
        find_parts(path, "a.zip")


@pytest.mark.parametrize("name", ["../a.csv", "/etc/a.csv", "C:/a.csv", "x\\..\\..\\a.csv"])
def test_paths_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    path = write_zip(tmp_path / "a.zip", {name: TEXT})
    with pytest.raises(InputError, match="leads out of the zip"):
        find_parts(path, "a.zip")


def test_bomb_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"a.csv": b"\0" * 60_000_000})
    with pytest.raises(InputError, match="would unpack to 60,000,000 bytes"):
        find_parts(path, "a.zip")


def test_member_longer_than_the_zip_says_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"a.csv": TEXT})
    length = len(TEXT).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(length, (100).to_bytes(4, "little")))
    with pytest.raises(InputError, match="longer than the zip says"):
        read_all(path)


def test_locked_zip_and_twice_the_same_name(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = tmp_path / "a.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.csv", "x")
            archive.writestr("a.csv", "y")
    with pytest.raises(InputError, match="two files of this name"):
        find_parts(path, "a.zip")


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no CSV file in it"):
        find_parts(tmp_path, "folder")


def test_zips_inside_a_zip_are_told(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", {"2017.zip": b"", "notes.txt": b"no"})
    with pytest.raises(InputError, match=r"but other zips: '2017\.zip'.* Unpack it once"):
        find_parts(path, "a.zip")
    with pytest.raises(InputError, match=r"folder: .* but other zips: 'a\.zip'"):
        find_parts(tmp_path, "folder")


def test_ends_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"0123456789")
    part = find_parts(tmp_path / "a.csv", "a.csv")[0]
    assert read_ends(part, 4) == (b"0123", b"6789")
    assert part.labels == ("", "", "")
