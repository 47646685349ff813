"""LimeSurvey exports: codes, texts, or both in the header; unfinished answers marked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sbwork.read.surveys.plain import find_header
from sbwork.read.surveys.tables import Grid, RawTable, build_table

__all__ = ["is_limesurvey", "read_limesurvey"]

_CODE_AND_TEXT = re.compile(r"^([A-Za-z]\w*(?:\[[^\[\]]*\])*)\.(?:\s+(.*))?$", re.DOTALL)
_CODE = re.compile(r"^([A-Za-z]\w*)((?:\[[^\[\]]*\])+)$")
_SYSTEM = {
    "id": "record",
    "responseid": "record",
    "submitdate": "submitted",
    "datesubmitted": "submitted",
    "lastpage": "page",
    "startlanguage": "language",
    "seed": "seed",
    "startdate": "start",
    "datestarted": "start",
    "datestamp": "last action",
    "datelastaction": "last action",
    "ipaddr": "ip",
    "refurl": "referrer",
}
_TELLING = frozenset({"submitted", "page", "language", "seed"})


def is_limesurvey(head: Sequence[Sequence[str]]) -> bool:
    """Tell whether the first rows of a file are those of a LimeSurvey export.

    Examples
    --------
    >>> is_limesurvey([["id", "submitdate", "lastpage", "trust[SQ001]"]])
    True
    >>> is_limesurvey([["socio1. In which country?", "likert1[a1]. [I trust them]"]])
    True
    >>> is_limesurvey([["site", "q1", "q2"]])
    False
    """
    if not head:
        return False
    row = [cell for cell in head[find_header(head)] if cell]
    told = {_name_system(_split(cell)[0]) or _name_system(cell) for cell in row}
    styled = sum(bool(_CODE_AND_TEXT.match(cell) or _CODE.match(cell)) for cell in row)
    return len(told & _TELLING) >= 2 or (styled >= 2 and styled > len(row) / 2)


def read_limesurvey(grid: Grid) -> RawTable:
    """Read the codes and the questions out of a LimeSurvey header, whatever its style.

    ``code``, ``code[sub]``, ``code. text``, ``code[sub]. text [option]`` and ``text [option]``
    are told apart column by column. Subquestions may be called ``code[sub]``, ``code_sub`` or,
    where it is clear, ``sub``.

    Parameters
    ----------
    grid : Grid
        The file's cells.

    Returns
    -------
    RawTable
        Answers; those without a date of submission are marked unfinished in ``left_out``.

    Raises
    ------
    InputError
        No row of answers follows the header.
    """
    head = grid.list_head()
    header = find_header(head)
    pairs = [_split(cell) for cell in head[header]]
    names = [name for name, _ in pairs]
    aliases = [
        (*_list_aliases(name), *([cell] if cell != name else []))
        for name, cell in zip(names, head[header], strict=True)
    ]
    labels = [label for _, label in pairs]
    table = build_table(grid, "limesurvey", header + 1, names, labels, aliases)
    system: dict[str, int] = {}
    for column, (name, label) in enumerate(pairs):
        key = _name_system(name) or _name_system(label)
        if key:
            system.setdefault(key, column)
    left_out = {}
    if "submitted" in system:
        submitted = table.read_column(system["submitted"])
        blank = np.array([text in {"", "N", "NA", "N/A", "NULL"} for text in submitted], dtype=bool)
        left_out["unfinished"] = blank
    return replace(table, left_out=left_out, record=system.get("record"))


def _split(header: str) -> tuple[str, str]:
    match = _CODE_AND_TEXT.match(header)
    if match:
        return match[1], (match[2] or "").strip()
    return header, "" if _CODE.match(header) or header.isidentifier() else header


def _name_system(name: str) -> str:
    return _SYSTEM.get("".join(char for char in name.casefold() if char.isalnum()), "")


def _list_aliases(name: str) -> tuple[str, ...]:
    match = _CODE.match(name)
    if not match:
        return ()
    parts = [part for part in re.split(r"[\[\]]+", match[2]) if part]
    joined = "_".join([match[1], *parts])
    return (joined, "_".join(parts)) if parts else (match[1],)
