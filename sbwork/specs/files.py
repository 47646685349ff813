"""Files as they are before anything is read from them: what they are, how large, which content."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from sbwork.specs.errors import InputError, Problem

__all__ = ["hash_file", "hash_package", "is_reserved", "lies_within", "measure_file"]

_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])\s*(\..*)?", re.IGNORECASE)


def is_reserved(name: str) -> bool:
    """Say whether Windows takes a file's name for a device, whatever its extension."""
    return bool(_DEVICES.fullmatch(name))


def lies_within(path: Path, folders: Iterable[Path]) -> bool:
    """Say whether a path, its links followed, is one of some folders or files, or in one."""
    full = Path(os.path.realpath(path))
    return any(full.is_relative_to(os.path.realpath(folder)) for folder in folders)


def measure_file(path: Path, shown: str, largest: float, allowed: str = "") -> int:
    """Return the bytes of a file before it is read; refuse a larger one, and what is no file.

    `shown` is what the message calls it, `allowed` what to do instead.
    """
    try:
        status = path.stat()
    except OSError as error:
        found = f"the file can't be opened ({error.strerror})"
        raise InputError(Problem(shown, "", found)) from None
    systems = [Path("/proc"), Path("/sys"), Path("/dev")]
    if not stat.S_ISREG(status.st_mode) or (os.sep == "/" and lies_within(path, systems)):
        found = "this is no ordinary file, but a folder, a device, a pipe or part of the system"
        raise InputError(Problem(shown, "", found, "Name a file that was saved on a disk"))
    if status.st_size > largest:
        found = f"the file holds {status.st_size / 1e6:,.0f} MB"
        allowed = f"At most {largest / 1e6:,.0f} MB are read; {allowed or 'split it'}"
        raise InputError(Problem(shown, "", found, allowed))
    return status.st_size


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@cache
def hash_package() -> str:
    """Return one SHA-256 over every source file of sbwork and its name."""
    root = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            name = path.relative_to(root).as_posix()
            digest.update(f"{name}\0{hash_file(path)}\n".encode())
    return digest.hexdigest()
