"""Members of a zip as streams, whatever the sizes of the pieces."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbwork.read.incidents import members
from sbwork.read.incidents.members import MemberStream


def open_member(path: Path, content: bytes, level: int = 6) -> MemberStream:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        archive.writestr("a.csv", content)
    with zipfile.ZipFile(path) as archive:
        return MemberStream(path, archive.getinfo("a.csv"))


@given(
    content=st.one_of(st.binary(max_size=2000), st.integers(0, 200_000).map(lambda n: b"ab," * n)),
    level=st.sampled_from([0, 1, 9]),
    asked=st.sampled_from([1_000, 16_384, 1 << 20]),
)
def test_pieces_make_the_whole(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, level: int, asked: int
) -> None:
    found = bytearray()
    buffer = bytearray(asked)
    with open_member(tmp_path_factory.mktemp("zip") / "a.zip", content, level) as stream:
        while size := stream.readinto(buffer):
            found += buffer[:size]
    assert found == content


@pytest.mark.parametrize("without", [False, True])
def test_either_engine_inflates_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without: bool
) -> None:
    if without:
        monkeypatch.setitem(__import__("sys").modules, "isal", None)
    content = bytes(range(256)) * 20_000
    assert members.list_stream_errors()
    with open_member(tmp_path / "a.zip", content) as stream:
        assert stream.read() == content
