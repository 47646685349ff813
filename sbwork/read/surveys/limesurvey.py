"""LimeSurvey exports: codes, texts, or both in the header; unfinished answers marked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from sbwork.read.surveys.tables import Grid, RawTable, build_table, map_texts
from sbwork.read.workbooks import find_header

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
}
_SIGNS = frozenset({"submitted", "page", "language", "seed"})
_UNSENT = frozenset({"", "N", "NA", "N/A", "NULL"})


def is_limesurvey(head: Sequence[Sequence[str]]) -> bool:
    """Return whether the first rows of a file are those of a LimeSurvey export."""
    if not head:
        return False
    row = [cell for cell in head[find_header(head)] if cell]
    named = {_name_system(_split(cell)[0]) or _name_system(cell) for cell in row}
    styled = sum(bool(_CODE_AND_TEXT.match(cell) or _CODE.match(cell)) for cell in row)
    return len(named & _SIGNS) >= 2 or (styled >= 2 and styled > len(row) / 2)


def read_limesurvey(grid: Grid) -> RawTable:
    """Read codes and questions from a LimeSurvey header, and mark answers that were not sent.

    ``code``, ``code[sub]``, ``code. text``, ``code[sub]. text [option]`` and ``text [option]``
    are distinguished column by column. Subquestions may be called ``code[sub]``, ``code_sub`` or,
    where it is clear, ``sub``.
    """
    head = grid.list_head()
    header = find_header(head)
    pairs = [_split(cell) for cell in head[header]]
    names, labels = [name for name, _ in pairs], [label for _, label in pairs]
    aliases = [
        (*_list_aliases(name), *([cell] if cell != name else []))
        for name, cell in zip(names, head[header], strict=True)
    ]
    table = build_table(grid, "limesurvey", header + 1, names, labels, aliases)
    system: dict[str, int] = {}
    for column, (name, label) in enumerate(pairs):
        system.setdefault(_name_system(name) or _name_system(label), column)
    left_out = dict(table.left_out)
    if "submitted" in system:
        submitted = table.read_column(system["submitted"])
        left_out["unfinished"] = map_texts(submitted, _UNSENT.__contains__, bool) & table.kept
    return replace(table, left_out=left_out, record=system.get("record"))


def _split(header: str) -> tuple[str, str]:
    """Split a header into code and question."""
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
