"""The CSV files inside a folder, a zip, or a single file, found and opened safely."""

from __future__ import annotations

import io
import re
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TypeVar

from sbwork.read.incidents.members import MemberStream, list_stream_errors
from sbwork.specs.errors import InputError, Problem, list_names

__all__ = ["Part", "find_parts", "open_part", "read_ends", "report_broken", "use_on_disk"]

_CHUNK = 1 << 20
_LARGEST_MEMBER = 20_000_000_000
_LARGEST_TOTAL = 100_000_000_000
_HIGHEST_RATIO = 200
_SMALL_MEMBER = 10_000_000
_MOST_MEMBERS = 100_000
_EXPECTED = "An archive of data.police.uk holds files such as 2017-07/2017-07-durham-street.csv"
_STREET_NAME = re.compile(r"((?:19|20)\d\d-(?:0[1-9]|1[0-2]))-(.+)-([a-z]+)\.csv", re.IGNORECASE)

Result = TypeVar("Result")


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
    """List the CSV files of a folder, a zip, or a single file, sorted by name.

    Parameters
    ----------
    path : Path
        The folder, zip or file.
    shown : str
        What a message calls it.

    Returns
    -------
    list of Part
        Every CSV file in it; never empty.

    Raises
    ------
    InputError
        A zip that can't be read, that is encrypted, that would unpack to far more than its
        size, or whose paths lead out of it; or no CSV file at all.
    """
    if path.is_dir():
        files = sorted(
            file
            for file in path.rglob("*")
            if file.suffix.lower() == ".csv" and not file.name.startswith(".") and file.is_file()
        )
        parts = [Part(f"{shown}/{file.relative_to(path).as_posix()}", file) for file in files]
    elif path.suffix.lower() == ".zip":
        parts = _list_members(path, shown)
    else:
        parts = [Part(shown, path)]
    if not parts:
        found, allowed = "there is no CSV file in it", _EXPECTED
        if inner := _find_zips(path):
            found = f"there is no CSV file in it, but other zips: {list_names(inner, 3)}"
            allowed = "Unpack it once, and name the folder"
        raise InputError(Problem(shown, "", found, allowed))
    return parts


def open_part(part: Part) -> io.RawIOBase:
    """Open one part for reading, from its start, without a buffer.

    Of a member of a zip, errors are those of `sbwork.read.incidents.members.list_stream_errors`;
    `report_broken` puts them in words.
    """
    if part.member is None:
        return part.path.open("rb", buffering=0)
    return MemberStream(part.path, part.member)


def read_ends(part: Part, length: int = 65_536) -> tuple[bytes, bytes]:
    """Return the first and the last `length` bytes; the last are empty inside a zip."""
    try:
        with io.BufferedReader(open_part(part), length) as stream:
            head = stream.read(length)
            if part.member is not None:
                return head, b""
            if len(head) < length:
                return head, head
            stream.seek(max(part.size - length, 0))
            return head, stream.read()
    except list_stream_errors() as error:
        raise report_broken(part, error) from None


def use_on_disk(
    parts: list[Part],
    use: Callable[[list[int], list[Path]], Result],
    together: int = 0,
) -> list[Result]:
    """Give parts to `use` as files on disk, inflating the members of zips on the way.

    Only one batch is unpacked at a time, and removed as soon as it has been used, so that a large
    archive needs little room.

    Parameters
    ----------
    parts : list of Part
        What to read.
    use : callable
        Called with the positions of a batch of parts and their files.
    together : int, default 0
        Parts are put together in a batch until it holds this many bytes; one by one by default.

    Returns
    -------
    list
        What `use` returned, in the order of the batches.
    """
    batches: list[list[int]] = []
    filled = together
    for number, part in enumerate(parts):
        if filled >= together:
            batches.append([])
            filled = 0
        batches[-1].append(number)
        filled += part.size
    with TemporaryDirectory(prefix="sbwork-") as folder:

        def _use(batch: list[int]) -> Result:
            unpacked: list[Path] = []
            paths: list[Path] = []
            try:
                for number in batch:
                    part = parts[number]
                    paths.append(part.path)
                    if part.member is not None:
                        paths[-1] = Path(folder) / f"{number}.csv"
                        unpacked.append(paths[-1])
                        _inflate(part, paths[-1])
                return use(batch, paths)
            finally:
                for path in unpacked:
                    path.unlink(missing_ok=True)

        return [_use(batch) for batch in batches]


def _inflate(part: Part, target: Path) -> None:
    try:
        with open_part(part) as stream, target.open("wb") as out:
            shutil.copyfileobj(stream, out, _CHUNK)
    except list_stream_errors() as error:
        raise report_broken(part, error) from None


def report_broken(part: Part, error: Exception) -> InputError:
    """Put into words that a part can't be read to its end."""
    reason = "is not readable" if isinstance(error, OSError) else "is broken"
    return InputError(
        Problem(part.shown, "", f"this file {reason} ({error})", "Download the archive again")
    )


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
    if len(members) > _MOST_MEMBERS:
        raise InputError(Problem(shown, "", f"the zip holds {len(members):,} files"))
    for member in members:
        inside = PurePosixPath(member.filename.replace("\\", "/"))
        if inside.suffix.lower() != ".csv" or inside.name.startswith((".", "__MACOSX")):
            continue
        if inside.parts[0] == "__MACOSX":
            continue
        fault = _find_fault(member, inside, seen)
        seen.add(str(inside))
        if fault:
            problems.append(Problem(f"{shown}/{inside}", "", fault, "Download the archive again"))
        parts.append(Part(f"{shown}/{inside}", path, member))
    if sum(part.size for part in parts) > _LARGEST_TOTAL:
        problems.append(Problem(shown, "", "the zip would unpack to more than 100 GB"))
    if problems:
        raise InputError(problems)
    return sorted(parts, key=lambda part: part.shown)


def _find_zips(path: Path) -> list[str]:
    """List the zips inside a zip or a folder."""
    if path.is_dir():
        return sorted(file.name for file in path.rglob("*.zip"))
    with zipfile.ZipFile(path) as archive:
        return sorted(name for name in archive.namelist() if name.lower().endswith(".zip"))


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
