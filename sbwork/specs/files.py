"""Files as they are before anything is read from them: what they are, how large, which content."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

__all__ = ["hash_file", "hash_package"]


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
