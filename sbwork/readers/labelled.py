"""Files of statistics programs, through pyreadstat: codes as text beside their labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from sbwork.errors import InputError, Problem
from sbwork.readers.qualtrics import is_qualtrics, mark_responses
from sbwork.readers.tables import Grid, RawTable, Texts, build_table, refuse_size

__all__ = ["read_labelled"]


def read_labelled(path: Path, platform: str) -> RawTable:
    """Read an SPSS or a Stata file.

    Parameters
    ----------
    path : Path
        The file.
    platform : {"spss", "stata"}
        Which of the two it is.

    Returns
    -------
    RawTable
        Codes as text; value labels in ``codes``, declared missing codes in ``missing``.

    Raises
    ------
    InputError
        The file is damaged, too large or without answers.
    """
    import pyreadstat

    read = pyreadstat.read_sav if platform == "spss" else pyreadstat.read_dta
    try:
        _, outline = read(str(path), metadataonly=True)
        refuse_size(path.name, max(outline.number_rows or 0, 0), outline.number_columns or 0)
        frame, meta = read(str(path), user_missing=True, disable_datetime_conversion=True)
    except InputError:
        raise
    except Exception:
        found = "the file is damaged and can't be read"
        raise InputError(Problem(path.name, "", found, "Save it again, or as CSV")) from None
    names = [str(name) for name in frame.columns]
    if not names or frame.empty:
        raise InputError(Problem(path.name, "", "the file holds no answers"))
    cells = pd.DataFrame(
        {i: _write_column(frame.iloc[:, i]) for i in range(len(names))}, index=range(len(frame))
    )
    codes: dict[int, Mapping[str, str]] = {}
    missing: dict[int, frozenset[str]] = {}
    for column, name in enumerate(names):
        labels = meta.variable_value_labels.get(name)
        if labels:
            codes[column] = {_write_code(code): str(label) for code, label in labels.items()}
        declared = _list_missing(
            cells[column].to_numpy(dtype=object),
            (meta.missing_ranges or {}).get(name, []),
            (meta.missing_user_values or {}).get(name, []),
        )
        if declared:
            missing[column] = declared
    questions = [str(meta.column_names_to_labels.get(name) or "") for name in names]
    table = build_table(Grid(cells, path.name), platform, 0, names, questions)
    table = replace(table, codes=codes, missing=missing)
    return mark_responses(table) if is_qualtrics([names]) else table


def _write_column(values: pd.Series[Any]) -> Texts:
    numbers, found = pd.factorize(values.to_numpy(dtype=object))
    texts: Texts = pd.Series(
        [*(_write_code(value) for value in found), ""], dtype=object
    ).to_numpy()
    written: Texts = texts[numbers]
    return written


def _write_code(code: object) -> str:
    if isinstance(code, float) and code.is_integer() and abs(code) < 1e15:
        return str(int(code))
    return str(code).strip()


def _list_missing(
    texts: Texts, ranges: Sequence[Mapping[str, Any]], letters: Sequence[object]
) -> frozenset[str]:
    declared = {_write_code(letter) for letter in letters}
    if ranges:
        declared |= {text for text in pd.unique(texts) if text and _lies_within(text, ranges)}
    return frozenset(declared)


def _lies_within(text: str, ranges: Sequence[Mapping[str, Any]]) -> bool:
    for span in ranges:
        low, high = span["lo"], span["hi"]
        if isinstance(low, str):
            if low.strip() == text:
                return True
            continue
        try:
            if float(low) <= float(text) <= float(high):
                return True
        except ValueError:
            continue
    return False
