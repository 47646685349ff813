"""Multiple-response sets: how many chose each option, of how many who answered."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd

from sbwork.read.surveys.answers import fold_answer
from sbwork.read.surveys.personal import find_personal_content, mask_text
from sbwork.read.surveys.tables import Mask, RawTable, fold_name

__all__ = ["OTHER", "read_choices"]

OTHER = "Other (written in)"
"""What stands for every answer in people's own words."""

_NOT_CHOSEN = frozenset(
    (
        *("no", "n", "0", "false", "unchecked", "nein", "non", "nee", "off", "na", "n/a", "-99"),
        *("not selected", "not chosen"),
    )
)
_CHOSEN = frozenset(("yes", "y", "1", "true", "checked", "selected", "ja", "oui", "x", "on"))
_WRITTEN = re.compile(r"(?:_text|\[other\]|\[comment\]|comment|_other)$")
_FEWEST = 3
_LONGEST_OPTION = 120


def read_choices(
    table: RawTable, columns: Sequence[int], prefix: str, rows: Mask
) -> tuple[dict[str, Mask], Mask]:
    """Read one set, given as a column an option or as one column of separated options.

    Parameters
    ----------
    table : RawTable
        The export.
    columns : sequence of int
        The set's columns.
    prefix : str
        What their names start with.
    rows : numpy.ndarray of bool
        The rows to read.

    Returns
    -------
    tuple
        Option -> mask of those who chose it, and the mask of those who answered the set at all
        (its base). What people wrote themselves is `OTHER`; in a column of separated options that
        is every text that fewer than three people gave.
    """
    if len(columns) == 1 and fold_name(table.names[columns[0]]) == fold_name(prefix):
        return _read_separated(table.read_column(columns[0])[rows])
    chosen: dict[str, Mask] = {}
    answered = np.zeros(int(rows.sum()), dtype=bool)
    for column in columns:
        codes, found = pd.factorize(table.read_column(column)[rows])
        texts = [fold_answer(str(text)) for text in found]
        filled = np.array([bool(text) and text not in {"na", "n/a", "-99"} for text in texts])
        named = np.array([bool(text) and text not in _NOT_CHOSEN for text in texts])
        words = [str(text) for text, is_named in zip(found, named, strict=True) if is_named]
        mask = named[codes] if len(texts) else answered
        option = _name_option(table, column, prefix, words, int(mask.sum()))
        chosen[option] = chosen.get(option, np.zeros_like(answered)) | mask
        answered = answered | (filled[codes] if len(texts) else False)
    return chosen, answered


def _read_separated(
    values: np.ndarray[tuple[int], np.dtype[np.object_]],
) -> tuple[dict[str, Mask], Mask]:
    codes, found = pd.factorize(values)
    texts = [str(text).strip() for text in found]
    separator = ";" if any(";" in text for text in texts) else ", "
    parts = [
        list(
            dict.fromkeys(" ".join(part.split()) for part in text.split(separator) if part.strip())
        )
        for text in texts
    ]
    times = np.bincount(codes, minlength=len(texts))
    counts: Counter[str] = Counter()
    shown: dict[str, str] = {}
    for options, count in zip(parts, times, strict=True):
        for option in options:
            counts[fold_answer(option)] += int(count)
            shown.setdefault(fold_answer(option), option)
    titles = {key: _hide_written(shown[key], counts[key]) for key in counts}
    chosen: dict[str, Mask] = {}
    for key, title in titles.items():
        has = np.array([key in {fold_answer(part) for part in options} for options in parts])
        chosen[title] = chosen.get(title, np.zeros(len(values), dtype=bool)) | has[codes]
    answered = np.array([bool(options) for options in parts], dtype=bool)[codes]
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
