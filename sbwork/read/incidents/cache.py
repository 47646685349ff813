"""Tallies kept on disk, so that the second read of an archive costs next to nothing."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, astuple
from pathlib import Path

from sbwork.read.checks import Check, CheckKind
from sbwork.read.incidents.archives import Part
from sbwork.read.incidents.tallies import Batch, Reading, fetch_tally, open_store
from sbwork.specs.files import hash_file, hash_package

__all__ = ["find_entry", "load_entry", "mark_parts", "save_entry"]

_KEY_BYTES = 32


def mark_parts(parts: Iterable[Part]) -> str:
    """Identify some parts by the whole content of their files, and by what they are called."""
    listed = list(parts)
    paths = list(dict.fromkeys(part.path for part in listed))
    with ThreadPoolExecutor() as pool:
        hashes = dict(zip(paths, pool.map(hash_file, paths), strict=True))
    content = hashlib.sha256()
    for part in listed:
        content.update(repr((part.shown, part.size, hashes[part.path])).encode())
    return content.hexdigest()


def find_entry(folder: Path, shown: str, *settings: object) -> Path:
    """Name the tally of a source read with these settings by this code; it may not exist yet.

    The file has the code of `_sign` behind this name.
    """
    content = hashlib.sha256(repr((hash_package(), *settings)).encode()).hexdigest()[:32]
    source = hashlib.blake2b(shown.encode(), digest_size=6).hexdigest()
    return folder / f"{source}-{content}"


def load_entry(entry: Path) -> Reading | None:
    """Read a kept tally; None where there is none, or none that this user's sbwork wrote so."""
    import duckdb

    try:
        written = entry.parent.glob(f"{entry.name}-*.parquet")
        found = next(path for path in written if path.is_file() and path == _sign(path, entry))
        with open_store() as store:
            rows = store.execute(
                "SELECT value FROM parquet_kv_metadata($1) WHERE key = 'sbwork'", [str(found)]
            ).fetchall()
            kept = json.loads(rows[0][0])
            tally = fetch_tally(store, f"read_parquet('{_quote(str(found))}')")
        batches = [Batch(**batch) for batch in kept["batches"]]
        quality = [Check(CheckKind(kind), *line) for kind, *line in kept["quality"]]
        return Reading(kept["style"], batches, quality, tally, kept["names"])
    except (duckdb.Error, StopIteration, LookupError, ValueError, TypeError, OSError, RuntimeError):
        return None


def save_entry(entry: Path, reading: Reading) -> None:
    """Keep a tally; a folder that can't be written to is no fault.

    The file appears whole or not at all, and takes the place of older ones of the same source.
    """
    import duckdb

    kept = {
        "style": reading.style,
        "batches": [asdict(batch) for batch in reading.batches],
        "quality": [astuple(line) for line in reading.quality],
        "names": reading.names,
    }
    text = _quote(json.dumps(kept))
    unfinished = entry.with_name(f"{entry.name}.{os.getpid()}.tmp")
    target = _quote(str(unfinished))
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        with open_store() as store:
            store.register("counted", reading.tally)
            store.execute(
                f"COPY counted TO '{target}' (FORMAT parquet, KV_METADATA {{sbwork: '{text}'}})"
            )
        signed = _sign(unfinished, entry)
        prefix = entry.name.partition("-")[0]
        for older in (*entry.parent.glob(f"{prefix}-*.parquet"), *entry.parent.glob("*.tmp")):
            if older != unfinished:
                older.unlink(missing_ok=True)
        unfinished.replace(signed)
    except (OSError, RuntimeError, duckdb.Error):
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _sign(file: Path, entry: Path) -> Path:
    """Return how a tally is called: with a signature of its name and content.

    The key lies where the user alone can read it, so that nobody else can write a tally.
    """
    home = os.environ.get("LOCALAPPDATA") or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    stored = Path(home).expanduser() / "sbwork" / "key"
    if not stored.is_file():
        stored.parent.mkdir(parents=True, exist_ok=True)
        made = stored.with_name(f"key.{os.getpid()}")
        made.touch(mode=0o600)
        made.write_bytes(secrets.token_bytes(_KEY_BYTES))
        made.replace(stored)
    key = stored.read_bytes()
    if len(key) != _KEY_BYTES:
        raise OSError(f"{stored} holds no key")
    with file.open("rb") as stream:
        content = hashlib.file_digest(stream, "sha256").digest()
    code = hmac.new(key, entry.name.encode() + content, hashlib.sha256).hexdigest()[:32]
    return entry.with_name(f"{entry.name}-{code}.parquet")


def _quote(text: str) -> str:
    return text.replace("'", "''")
