"""The CSV files inside a folder, a zip, or a single file, found and opened safely."""

from __future__ import annotations

import io
import re
import shutil
import struct
import threading
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO, Any

from isal import isal_zlib

from sbwork.specs.cohort import find_matches
from sbwork.specs.errors import InputError, Problem, list_names
from sbwork.specs.files import measure_file

__all__ = ["Part", "find_parts", "read_ends", "read_through", "serve_members", "unpack"]

_SMALLEST_PIECE, _LARGEST_PIECE = 1 << 14, 1 << 23
_PIECE = 1 << 20
_LONGEST_WAIT = 0.5
_LARGEST_MEMBER = 20_000_000_000
_LARGEST_TOTAL = 100_000_000_000
_HIGHEST_RATIO = 200
_SMALL_MEMBER = 10_000_000
_MOST_MEMBERS = 100_000
_EXPECTED = "An archive of data.police.uk holds files such as 2017-07/2017-07-durham-street.csv"
_TABLES = {".csv", ".xlsx", ".xlsm", ".xls", ".ods", ".xlsb", ".zip"}
_STREET_NAME = re.compile(r"((?:19|20)\d\d-(?:0[1-9]|1[0-2]))-(.+)-([a-z]+)\.csv", re.IGNORECASE)
_BROKEN: tuple[Any, ...] = (
    zipfile.BadZipFile, zlib.error, isal_zlib.error, EOFError, NotImplementedError, OSError
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    """One CSV file of an archive.

    Attributes
    ----------
    shown : str
        What a message calls it: the archive's name, then the path inside it.
    path : Path
        The file on disk: the CSV itself, or the zip that holds it.
    member : zipfile.ZipInfo or None
        The member of the zip; None for a file on disk.
    """

    shown: str
    path: Path
    member: zipfile.ZipInfo | None = field(default=None, hash=False)

    @cached_property
    def size(self) -> int:
        """Length in bytes, not compressed."""
        return self.member.file_size if self.member else self.path.stat().st_size

    @cached_property
    def name(self) -> str:
        """The file's own name, without folders."""
        return PurePosixPath(self.member.filename).name if self.member else self.path.name

    @cached_property
    def labels(self) -> tuple[str, str, str]:
        """Month, force and kind as data.police.uk puts them in the name; else empty."""
        found = _STREET_NAME.fullmatch(self.name)
        return (found[1], found[2].lower(), found[3].lower()) if found else ("", "", "")


def find_parts(path: Path, shown: str) -> list[Part]:
    """List the tables of a folder, a zip, or a single file, sorted by name; never none.

    In the last part of `path`, ``*`` and ``?`` may stand for other characters. Zips inside a folder
    are read like folders.

    Raises
    ------
    InputError
        A zip that can't be read, that is encrypted, that would unpack to far more than its
        size, that holds other zips, or whose paths lead out of it; a table that stands twice, as
        CSV and as a workbook; or no table at all.
    """
    if matches := find_matches(path):
        named = [str(PurePosixPath(shown).with_name(match.name)) for match in matches]
        return [part for pair in zip(matches, named, strict=True) for part in find_parts(*pair)]
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file() and _is_table(file.name))
        parts = [
            part
            for file in files
            for part in find_parts(file, f"{shown}/{file.relative_to(path).as_posix()}")
        ]
        _refuse_twins(parts)
    elif measure_file(path, shown, _LARGEST_MEMBER) >= 0 and path.suffix.lower() == ".zip":
        parts = _list_members(path, shown)
    else:
        parts = [Part(shown, path)]
    if not parts:
        raise InputError(Problem(shown, "", "there is no CSV file in it", _EXPECTED))
    return parts


def _is_table(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in _TABLES and not name.startswith((".", "~$"))


def _refuse_twins(parts: Sequence[Part]) -> None:
    """Refuse a table that stands beside itself, saved once as CSV and once as a workbook."""
    kinds: dict[str, set[str]] = {}
    for part in parts:
        stem, _, suffix = part.shown.rpartition(".")
        kinds.setdefault(stem.casefold(), set()).add(suffix.lower())
    for part in parts:
        if len(both := kinds[part.shown.rpartition(".")[0].casefold()]) > 1:
            found = f"it is there as {' and as '.join(sorted(both))}, and would be counted twice"
            raise InputError(Problem(part.shown, "", found, "Leave one of them out of the folder"))


def read_ends(part: Part, length: int = 65_536) -> tuple[bytes, bytes]:
    """Return the first and the last `length` bytes; the last are empty inside a zip."""
    with _report_broken(part), _open(part) as stream:
        head = stream.read(length)
        if part.member is not None:
            return head, b""
        if len(head) < length:
            return head, head
        stream.seek(max(part.size - length, 0))
        return head, stream.read(length)


@contextmanager
def unpack(part: Part) -> Iterator[Part]:
    """Give a part as a file on disk, which is removed again if it came out of a zip."""
    if part.member is None:
        yield part
        return
    with TemporaryDirectory(prefix="sbwork-") as folder:
        target = Path(folder) / f"part{PurePosixPath(part.name).suffix.lower()}"
        with _report_broken(part), _open(part) as stream, target.open("wb") as out:
            shutil.copyfileobj(stream, out, _PIECE)
        yield Part(part.shown, target)


def read_through(part: Part) -> None:
    """Read a part to its end, to refuse it if it is broken."""
    with _report_broken(part), _open(part) as stream:
        while stream.read(_PIECE):
            pass


def serve_members(parts: Sequence[Part]) -> Any:
    """Serve members of zips to DuckDB, inflated as they are read, so that nothing is unpacked.

    Returns
    -------
    fsspec.AbstractFileSystem
        Part number 3 is its ``member://3.csv``. Of an error DuckDB passes on nothing but the
        traceback as text; `read_through` meets it again.
    """
    # fsspec takes a tenth of a second to import, and folders do without it.
    from fsspec import AbstractFileSystem

    class _Members(AbstractFileSystem):  # type: ignore[misc]
        protocol = "member"
        cachable = False

        def open(self, path: str, *_: object, **__: object) -> _ServedMember:
            return _ServedMember(_find(path))

        def info(self, path: str, **_: object) -> dict[str, object]:
            return {"name": path, "size": _find(path).size, "type": "file"}

        def glob(self, path: str, **_: object) -> list[str]:
            return [path]

        def modified(self, path: str) -> datetime:
            return datetime.fromtimestamp(_find(path).path.stat().st_mtime, UTC)

    def _find(path: str) -> Part:
        return parts[int(PurePosixPath(path).stem)]

    return _Members()


class _ServedMember:
    """An open member, of which each thread has its own place: DuckDB seeks first, then reads."""

    def __init__(self, part: Part) -> None:
        self._stream = _open(part)
        self._turn = threading.Condition()
        self._place = threading.local()

    def seek(self, position: int) -> int:
        self._place.position = position
        return position

    def read(self, size: int) -> bytes | None:
        position = self._place.position
        with self._turn:
            # Going back means inflating from the start, so what lies before is let read first.
            self._turn.wait_for(lambda: self._stream.tell() >= position, _LONGEST_WAIT)
            self._stream.seek(position)
            data = self._stream.read(size)
            self._place.position = self._stream.tell()
            self._turn.notify_all()
        return data

    def close(self) -> None:
        self._stream.close()


@contextmanager
def _report_broken(part: Part) -> Iterator[None]:
    """Put into words that a part can't be read to its end."""
    try:
        yield
    except _BROKEN as error:
        reason = "is not readable" if isinstance(error, OSError) else "is broken"
        found = f"this file {reason} ({error})"
        raise InputError(Problem(part.shown, "", found, "Download the archive again")) from None


def _open(part: Part) -> io.RawIOBase | IO[bytes]:
    """Open a part; see `_report_broken` for the errors of reading it."""
    if part.member is None:
        return part.path.open("rb")
    if part.member.compress_type == zipfile.ZIP_DEFLATED:
        return _MemberStream(part.path, part.member)
    return zipfile.ZipFile(part.path).open(part.member)


class _MemberStream(io.RawIOBase):
    """A deflated member of a zip; at its end its length and CRC-32 are compared with the zip's.

    ISA-L inflates more than twice as fast as zlib, and fastest in one piece.
    """

    def __init__(self, path: Path, member: zipfile.ZipInfo) -> None:
        super().__init__()
        self._member = member
        self._file = path.open("rb")
        self._file.seek(member.header_offset)
        header = self._file.read(30)
        if len(header) < 30 or header[:4] != b"PK\x03\x04":
            raise zipfile.BadZipFile("its place in the zip holds something else")
        self._start = member.header_offset + 30 + sum(struct.unpack("<HH", header[26:]))
        self._rewind()

    def _rewind(self) -> None:
        self._file.seek(self._start)
        self._left = self._member.compress_size
        self._position = self._check = 0
        self._inflater = isal_zlib.decompressobj(-zlib.MAX_WBITS)

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        """Go to a position from the start, reading what lies before it."""
        if position < self._position:
            self._rewind()
        while self._position < position and self.read(min(position - self._position, _PIECE)):
            pass
        return self._position

    def tell(self) -> int:
        """Return the position from the start."""
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Return as many bytes as asked for, fewer at the end alone."""
        size = self._member.file_size + 1 if size < 0 else size
        pieces = []
        while size and (piece := self._inflate(size)):
            pieces.append(piece)
            size -= len(piece)
        length = self._member.file_size
        if self._position > length or (self._position == length and self._inflate(1)):
            raise zipfile.BadZipFile("longer than the zip says")
        if size and self._position < length:
            raise EOFError("shorter than the zip says")
        if self._position == length and self._check != self._member.CRC:
            raise zipfile.BadZipFile("its content does not match its checksum")
        return b"".join(pieces)

    def _inflate(self, size: int) -> bytes:
        while not self._inflater.eof:
            packed = self._inflater.unconsumed_tail
            if not packed and self._left:
                piece = min(max(size // 4, _SMALLEST_PIECE), _LARGEST_PIECE, self._left)
                packed = self._file.read(piece)
                if not packed:
                    raise EOFError("the zip ends in the middle of it")
                self._left -= len(packed)
            found: bytes = self._inflater.decompress(packed, size)
            if found:
                self._position += len(found)
                self._check = isal_zlib.crc32(found, self._check)
                return found
            if not packed:
                raise zipfile.BadZipFile("its end is missing")
        return b""

    def close(self) -> None:
        """Close the zip."""
        self._file.close()
        super().close()


def _list_members(path: Path, shown: str) -> list[Part]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise InputError(
            Problem(shown, "", f"the zip can't be read ({error})", "Download it again")
        ) from None
    problems: list[Problem] = []
    parts: list[Part] = []
    seen: set[str] = set()
    inner: list[str] = []
    if len(members) > _MOST_MEMBERS:
        raise InputError(Problem(shown, "", f"the zip holds {len(members):,} files"))
    for member in members:
        inside = PurePosixPath(member.filename.replace("\\", "/"))
        if not _is_table(inside.name) or inside.parts[0] == "__MACOSX":
            continue
        if inside.suffix.lower() == ".zip":
            inner.append(str(inside))
            continue
        fault = _find_fault(member, inside, seen)
        seen.add(str(inside))
        if fault:
            problems.append(Problem(f"{shown}/{inside}", "", fault, "Download the archive again"))
        parts.append(Part(f"{shown}/{inside}", path, member))
    if inner:
        found = f"it holds other zips: {list_names(inner, 3)}"
        problems.append(Problem(shown, "", found, "Unpack it once, and name the folder"))
    total, packed = sum(part.size for part in parts), path.stat().st_size
    if total > min(_LARGEST_TOTAL, max(_SMALL_MEMBER, packed * _HIGHEST_RATIO)):
        found = f"the zip would unpack to {total:,} bytes, far more than incident files do"
        problems.append(Problem(shown, "", found, "Download it again, or unpack it yourself"))
    if problems:
        raise InputError(problems)
    return sorted(parts, key=lambda part: part.shown)


def _find_fault(member: zipfile.ZipInfo, inside: PurePosixPath, seen: set[str]) -> str:
    if inside.is_absolute() or ".." in inside.parts or ":" in inside.parts[0]:
        return "the path leads out of the zip"
    if str(inside) in seen:
        return "the zip holds two files of this name"
    if member.flag_bits & 0x1:
        return "the file is locked with a password"
    ratio = member.file_size / max(member.compress_size, 1)
    too_dense = ratio > _HIGHEST_RATIO and member.file_size > _SMALL_MEMBER
    if member.file_size > _LARGEST_MEMBER or too_dense:
        return f"it would unpack to {member.file_size:,} bytes, far more than incident files do"
    return ""
