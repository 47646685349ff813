"""Multiple-response sets: how many chose each option, of how many who answered."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from sbwork.read.surveys.answers import fold_answer
from sbwork.read.surveys.personal import find_personal_content, mask_text
from sbwork.read.surveys.tables import (
    Mask,
    RawTable,
    Texts,
    fold_name,
    list_texts,
    map_texts,
)

OTHER = "Other (written in)"
"""What stands for every answer in people's own words."""

_BLANK = frozenset(("", "na", "n/a", "-99"))
_NO = ("no", "n", "0", "false", "unchecked", "nein", "non", "nee", "off")
_UNCHOSEN = _BLANK | {*_NO, "not selected", "not chosen"}
_CHOSEN = frozenset(("yes", "y", "1", "true", "checked", "selected", "ja", "oui", "x", "on"))
_WRITTEN = re.compile(r"(?:_text|\[other\]|\[comment\]|comment|_other)$")
_FEWEST = 3
_LONGEST_OPTION = 120


def read_choices(
    table: RawTable, columns: Sequence[int], prefix: str, rows: Mask
) -> tuple[dict[str, Mask], Mask]:
    """Read one set, given as a column an option or as one column of separated options.

    Returns a mask of `rows` for each option, of those who chose it, and one of those who answered
    the set at all (its base). What people wrote themselves is `OTHER`; in a column of separated
    options that is every text that fewer than three people gave.
    """
    if len(columns) == 1 and fold_name(table.names[columns[0]]) == fold_name(prefix):
        return _read_separated(table.read_column(columns[0])[rows])
    chosen: dict[str, Mask] = {}
    answered = np.zeros(int(rows.sum()), dtype=bool)
    for column in columns:
        values = table.read_column(column)[rows]
        named: Mask = map_texts(values, lambda text: fold_answer(text) not in _UNCHOSEN, bool)
        words = list_texts(values[named])[1]
        option = _name_option(table, column, prefix, words, int(named.sum()))
        chosen[option] = chosen.get(option, False) | named
        answered |= map_texts(values, lambda text: fold_answer(text) not in _BLANK, bool)
    return chosen, answered


def _read_separated(values: Texts) -> tuple[dict[str, Mask], Mask]:
    codes, texts = list_texts(values)
    separator = ";" if any(";" in text for text in texts) else ", "
    folded: list[dict[str, str]] = []
    for text in texts:
        parts = [" ".join(part.split()) for part in text.split(separator)]
        folded.append({fold_answer(part): part for part in parts if part})
    counts: Counter[str] = Counter()
    shown: dict[str, str] = {}
    for options, times in zip(folded, np.bincount(codes, minlength=len(texts)), strict=True):
        for key, part in options.items():
            counts[key] += int(times)
            shown.setdefault(key, part)
    chosen: dict[str, Mask] = {}
    for key, count in counts.items():
        has = np.array([key in options for options in folded], dtype=bool)[codes]
        title = _hide_written(shown[key], count)
        chosen[title] = chosen.get(title, False) | has
    answered = np.array([bool(options) for options in folded], dtype=bool)[codes]
    return chosen, answered


def _hide_written(option: str, count: int) -> str:
    if count < _FEWEST or len(option) > _LONGEST_OPTION or find_personal_content([option]):
        return OTHER
    return mask_text(option)


def _name_option(
    table: RawTable, column: int, prefix: str, texts: Sequence[str], times: int
) -> str:
    """Name the option of a column: its label's end, else its cells' one text, else its code.

    A text that only one person gave may be that person's own words, so it names nothing.
    """
    name, label = table.names[column], table.labels[column]
    if _WRITTEN.search(name.casefold()):
        return OTHER
    inside = re.search(r"\[([^\[\]]+)\]\s*$", label)
    last = inside[1] if inside else label.rpartition(" - ")[2] if " - " in label else ""
    if last.strip():
        return last.strip()
    words = {fold_answer(text) for text in texts} - _CHOSEN
    if len(words) == 1 and times > 1:
        word = " ".join(texts[0].split())
        if not word.isdecimal() and len(word) <= _LONGEST_OPTION:
            return mask_text(word)
    ending = "".join(name.split())[len("".join(prefix.split())) :].strip("_[]. ")
    return ending or name
