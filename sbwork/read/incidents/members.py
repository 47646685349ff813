"""Members of a zip, inflated and checked as they stream by."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["MemberStream", "list_stream_errors"]

_FIRST_PIECE = 1 << 14
_PIECE = 1 << 20


class MemberStream(io.RawIOBase):
    """One member of a zip as a stream of bytes, without unpacking it to disk.

    Parameters
    ----------
    path : Path
        The zip.
    member : zipfile.ZipInfo
        As the zip lists it.

    Notes
    -----
    Reading to the end compares the length and the CRC-32 with what the zip says. Errors of
    reading are those of `list_stream_errors`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.zip"
    ...     with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
    ...         archive.writestr("a.csv", "Month")
    ...     with zipfile.ZipFile(path) as archive:
    ...         member = archive.getinfo("a.csv")
    ...     MemberStream(path, member).read()
    b'Month'
    """

    def __init__(self, path: Path, member: zipfile.ZipInfo) -> None:
        super().__init__()
        self._pieces = _stream_pieces(path, member)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Say that the stream can be read."""
        return True

    def readinto(self, target: Any) -> int:
        """Fill the target as far as the next piece goes; return its length, 0 at the end."""
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        view = memoryview(target).cast("B")
        size = min(len(view), len(self._rest))
        view[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size

    def close(self) -> None:
        """Close the zip."""
        self._pieces.close()
        super().close()


def list_stream_errors() -> tuple[type[Exception], ...]:
    """List what reading a broken member raises."""
    errors = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError)
    engine = _choose_engine().error
    return errors if engine is zlib.error else (*errors, engine)


def _choose_engine() -> Any:
    """Return ISA-L where it is there, which inflates more than twice as fast as zlib."""
    try:
        from isal import isal_zlib
    except ImportError:
        return zlib
    engine: ModuleType = isal_zlib
    return engine


def _stream_pieces(path: Path, member: zipfile.ZipInfo) -> Any:
    engine = _choose_engine()
    check = written = 0
    with path.open("rb") as file:
        for piece in _inflate(path, file, member, engine):
            written += len(piece)
            if written > member.file_size:
                raise zipfile.BadZipFile("longer than the zip says")
            check = engine.crc32(piece, check)
            yield piece
    if written != member.file_size:
        raise EOFError("shorter than the zip says")
    if check != member.CRC:
        raise zipfile.BadZipFile("its content does not match its checksum")


def _inflate(
    path: Path, file: io.BufferedReader, member: zipfile.ZipInfo, engine: Any
) -> Iterator[bytes]:
    if member.compress_type != zipfile.ZIP_DEFLATED:
        with zipfile.ZipFile(path) as archive, archive.open(member) as stream:
            while piece := stream.read(_PIECE):
                yield piece
        return
    file.seek(member.header_offset)
    header = file.read(30)
    if len(header) < 30 or header[:4] != b"PK\x03\x04":
        raise zipfile.BadZipFile("its place in the zip holds something else")
    name_length, extra_length = struct.unpack("<HH", header[26:30])
    file.seek(name_length + extra_length, 1)
    inflater = engine.decompressobj(-zlib.MAX_WBITS)
    left = member.compress_size
    size = _FIRST_PIECE
    while left and not inflater.eof:
        packed = file.read(min(size, left))
        if not packed:
            raise EOFError("the zip ends in the middle of it")
        left -= len(packed)
        full = True
        while (packed or full) and not inflater.eof:
            piece = inflater.decompress(packed, size)
            packed = inflater.unconsumed_tail
            full = len(piece) == size
            size = min(2 * size, _PIECE)
            yield piece
    if not inflater.eof:
        raise zipfile.BadZipFile("its end is missing")
