"""Tallies kept on disk, so that the second read of an archive costs next to nothing."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, astuple
from pathlib import Path

import pandas as pd

from sbwork.read.checks import Check, CheckKind
from sbwork.read.incidents.archives import Part, read_ends
from sbwork.read.incidents.stores import open_store
from sbwork.read.incidents.tally import Batch, Reading, label_codes, make_tally

__all__ = ["find_entry", "load_entry", "save_entry"]

_VERSION = 3
_EDGE = 16_384


def find_entry(folder: Path, shown: str, parts: Iterable[Part], settings: object) -> Path:
    """Name the file that holds the tally of these parts, read with these settings.

    The name is a hash of what identifies the content without reading all of it: of a file its
    name, length, time of last change and a hash of its first and last 16 KiB; of a member of a
    zip its name, length and the CRC-32 of its content that the zip itself keeps. A full hash of
    2 GB would take longer than counting it.

    Parameters
    ----------
    folder : Path
        Where tallies are kept.
    shown : str
        What the cohort calls the source; older tallies of the same source are replaced.
    parts : iterable of Part
        The files.
    settings : object
        Everything else that the tally depends on; its ``repr`` counts.

    Returns
    -------
    Path
        The file, which may not exist yet.
    """
    content = hashlib.blake2b(repr((_VERSION, settings)).encode(), digest_size=16)
    for part in parts:
        if part.member is not None:
            mark: tuple[object, ...] = (part.member.CRC, part.member.compress_size)
        else:
            head, tail = read_ends(part, _EDGE)
            ends = hashlib.blake2b(head + tail, digest_size=16).hexdigest()
            mark = (part.path.stat().st_mtime_ns, ends)
        content.update(repr((part.shown, part.size, *mark)).encode())
    source = hashlib.blake2b(shown.encode(), digest_size=6).hexdigest()
    return folder / f"{source}-{content.hexdigest()}.parquet"


def load_entry(entry: Path) -> Reading | None:
    """Read a kept tally.

    Returns
    -------
    Reading or None
        None where there is no such tally, or it can't be read; it is then made anew.
    """
    import duckdb

    if not entry.is_file():
        return None
    try:
        with open_store() as store:
            rows = store.execute(
                "SELECT value FROM parquet_kv_metadata($1) WHERE key = 'sbwork'", [str(entry)]
            ).fetchall()
            told = json.loads(rows[0][0])
            columns = store.execute("SELECT * FROM read_parquet($1)", [str(entry)]).fetchnumpy()
        for name, texts in told["texts"].items():
            columns[name] = label_codes(columns[name], texts)
        tally = make_tally(columns)
        if tally["n"].sum() != told["total"]:
            return None
        return Reading(
            told["style"],
            [Batch(**batch) for batch in told["batches"]],
            [Check(CheckKind(kind), *line) for kind, *line in told["quality"]],
            tally,
            told["names"],
        )
    except (duckdb.Error, ValueError, KeyError, TypeError, IndexError, OSError):
        return None


def save_entry(entry: Path, reading: Reading) -> None:
    """Keep a tally; a folder that can't be written to is no fault.

    The file appears whole or not at all, and takes the place of older ones of the same source.
    Texts are kept once, beside the numbers that stand for them in the columns.
    """
    import duckdb

    tally = reading.tally
    texts = tally.select_dtypes("category")
    told = {
        "total": float(tally["n"].sum()),
        "style": reading.style,
        "batches": [asdict(batch) for batch in reading.batches],
        "quality": [astuple(line) for line in reading.quality],
        "names": reading.names,
        "texts": {name: texts[name].cat.categories.tolist() for name in texts},
    }
    text = json.dumps(told).replace("'", "''")
    unfinished = entry.with_suffix(f".{os.getpid()}.tmp")
    target = str(unfinished).replace("'", "''")
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        with open_store() as store:
            numbers = texts.apply(lambda column: column.cat.codes)
            store.register("tally", pd.concat([tally.drop(columns=texts.columns), numbers], axis=1))
            store.execute(
                f"COPY tally TO '{target}' (FORMAT parquet, KV_METADATA {{sbwork: '{text}'}})"
            )
        unfinished.replace(entry)
        prefix = entry.name.partition("-")[0]
        for older in entry.parent.glob(f"{prefix}-*.parquet"):
            if older != entry:
                older.unlink(missing_ok=True)
    except (OSError, duckdb.Error):
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
