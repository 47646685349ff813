"""Text in whatever encoding a program saved it."""

from __future__ import annotations

import codecs

__all__ = ["OLDER", "find_encoding"]

OLDER = "sbwork-older"
"""The error handler that reads what is not UTF-8 as Windows-1252, or as Mac OS Roman."""


def find_encoding(start: bytes) -> str:
    """Return the encoding that the first bytes of a text show; UTF-8 where they show none.

    Examples
    --------
    >>> find_encoding("month".encode("utf-16-le"))
    'utf-16-le'
    """
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    even, odd = start[::2].count(0), start[1::2].count(0)
    if even == 0 and odd > len(start) / 5:
        return "utf-16-le"
    if odd == 0 and even > len(start) / 5:
        return "utf-16-be"
    return "utf-8-sig"


def _read_older(error: UnicodeError) -> tuple[str, int]:
    """Read one byte that is not UTF-8, so that a file with a single one keeps its other text."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    at = error.start
    byte, before, after = (error.object[i : i + 1] for i in (at, max(at - 1, 0), at + 1))
    text = byte.decode("cp1252", "replace")
    # A capital after a small letter, or alone, is what Mac OS has for an apostrophe or a dash.
    if text.isupper() and (before.islower() or before == after == b" "):
        text = byte.decode("mac_roman")
    return text, at + 1


codecs.register_error(OLDER, _read_older)
