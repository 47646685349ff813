"""Tallies kept on disk, so that the second read of an archive costs next to nothing."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, astuple
from pathlib import Path

from sbwork.read.checks import Check, CheckKind
from sbwork.read.incidents.archives import Part, read_ends
from sbwork.read.incidents.tallies import Batch, Reading, fetch_tally, open_store

__all__ = ["find_entry", "load_entry", "mark_parts", "save_entry"]

_VERSION = 8
_EDGE = 16_384


def mark_parts(parts: Iterable[Part]) -> str:
    """Identify the content of some parts without reading all of it.

    It is a hash of each file's name, length, time of last change and a hash of its first and last
    16 KiB; of a member of a zip its name, length and the CRC-32 of its content that the zip itself
    keeps. A full hash of 2 GB would take longer than counting it.
    """
    content = hashlib.blake2b(digest_size=16)
    for part in parts:
        if part.member is not None:
            mark: tuple[object, ...] = (part.member.CRC, part.member.compress_size)
        else:
            head, tail = read_ends(part, _EDGE)
            ends = hashlib.blake2b(head + tail, digest_size=16).hexdigest()
            mark = (part.path.stat().st_mtime_ns, ends)
        content.update(repr((part.shown, part.size, *mark)).encode())
    return content.hexdigest()


def find_entry(folder: Path, shown: str, *settings: object) -> Path:
    """Name the file for the tally of a source, read with these settings; it may not exist yet."""
    content = hashlib.blake2b(repr((_VERSION, *settings)).encode(), digest_size=16)
    source = hashlib.blake2b(shown.encode(), digest_size=6).hexdigest()
    return folder / f"{source}-{content.hexdigest()}.parquet"


def load_entry(entry: Path) -> Reading | None:
    """Read a kept tally; None where there is none, or it can't be read and is to be made anew."""
    import duckdb

    if not entry.is_file():
        return None
    try:
        with open_store() as store:
            rows = store.execute(
                "SELECT value FROM parquet_kv_metadata($1) WHERE key = 'sbwork'", [str(entry)]
            ).fetchall()
            kept = json.loads(rows[0][0])
            tally = fetch_tally(store, f"read_parquet('{_quote(str(entry))}')")
        if tally["n"].sum() != kept["total"]:
            return None
        batches = [Batch(**batch) for batch in kept["batches"]]
        quality = [Check(CheckKind(kind), *line) for kind, *line in kept["quality"]]
        return Reading(kept["style"], batches, quality, tally, kept["names"])
    except (duckdb.Error, ValueError, KeyError, TypeError, IndexError, OSError):
        return None


def save_entry(entry: Path, reading: Reading) -> None:
    """Keep a tally; a folder that can't be written to is no fault.

    The file appears whole or not at all, and takes the place of older ones of the same source.
    """
    import duckdb

    kept = {
        "total": float(reading.tally["n"].sum()),
        "style": reading.style,
        "batches": [asdict(batch) for batch in reading.batches],
        "quality": [astuple(line) for line in reading.quality],
        "names": reading.names,
    }
    text = _quote(json.dumps(kept))
    unfinished = entry.with_suffix(f".{os.getpid()}.tmp")
    target = _quote(str(unfinished))
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        with open_store() as store:
            store.register("counted", reading.tally)
            store.execute(
                f"COPY counted TO '{target}' (FORMAT parquet, KV_METADATA {{sbwork: '{text}'}})"
            )
        unfinished.replace(entry)
        prefix = entry.name.partition("-")[0]
        for older in entry.parent.glob(f"{prefix}-*.parquet"):
            if older != entry:
                older.unlink(missing_ok=True)
    except (OSError, duckdb.Error):
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _quote(text: str) -> str:
    return text.replace("'", "''")
