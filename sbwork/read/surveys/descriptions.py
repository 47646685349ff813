"""What a survey export holds, told without any of its personal content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sbwork.read.surveys.answers import fold_answer, parse_number
from sbwork.read.surveys.detection import read_table
from sbwork.read.surveys.personal import find_personal_content, find_personal_name, mask_text
from sbwork.read.surveys.tables import Mask, RawTable

__all__ = ["ColumnDescription", "SourceDescription", "describe_source", "describe_table"]

_MOST_VALUES = 15
_FEWEST_EACH = 3
_SAMPLE = 500
_LONGEST_NAME = 300


@dataclass(frozen=True)
class ColumnDescription:
    """One column of a survey export.

    Attributes
    ----------
    name : str
        Its name, as cohort.yml should call it.
    question : str
        The question behind it, where the file tells.
    values : tuple of str
        Its distinct answers, most frequent first; empty when the column looks personal, has many
        different answers, or has answers that too few people share to be shown.
    labels : mapping
        The file's own value labels: code as text -> label.
    distinct : int
        How many different answers it has.
    blank : int
        How many rows have none.
    personal : str
        The kind of personal data that it looks like; empty for none.
    """

    name: str
    question: str
    values: tuple[str, ...]
    labels: Mapping[str, str]
    distinct: int
    blank: int
    personal: str


@dataclass(frozen=True)
class SourceDescription:
    """A survey export, as `sbwork new` and `sbwork check` tell of it.

    Attributes
    ----------
    file : str
        The file's name.
    platform : str
        What wrote it: ``"qualtrics"``, ``"limesurvey"``, ``"forms"``, ``"spss"``, ``"stata"``,
        ``"excel"`` or ``"csv"``.
    rows : int
        Rows of answers, those to be left out included.
    left_out : mapping
        Reason -> number of rows left out for it.
    columns : tuple of ColumnDescription
        Every column, in file order.
    notes : tuple of str
        What the user should know of how the file was read.
    """

    file: str
    platform: str
    rows: int
    left_out: Mapping[str, int]
    columns: tuple[ColumnDescription, ...]
    notes: tuple[str, ...]


def describe_source(path: str | Path, format: str = "auto") -> SourceDescription:
    r"""Look into a survey export.

    Parameters
    ----------
    path : str or Path
        The file.
    format : str, default "auto"
        The platform, as under ``format`` in cohort.yml.

    Returns
    -------
    SourceDescription
        Its platform, its columns, and the answers met where they are few and not personal.

    Raises
    ------
    InputError
        The file can't be read.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "wave1.csv"
    >>> _ = path.write_text("site,q1,email\nA,1,ann@example.org\nA,1,bo@example.org\n")
    >>> told = describe_source(path)
    >>> told.platform, told.rows, [column.personal for column in told.columns]
    ('csv', 2, ['', '', 'e-mail address'])
    """
    return describe_table(read_table(Path(path), format))


def describe_table(table: RawTable) -> SourceDescription:
    """Look into a survey export that is read already; see `describe_source`."""
    rows = table.kept
    return SourceDescription(
        file=table.file,
        platform=table.platform,
        rows=len(table.rows),
        left_out={reason: int(mask.sum()) for reason, mask in table.left_out.items()},
        columns=tuple(_describe_column(table, column, rows) for column in range(len(table.names))),
        notes=table.notes,
    )


def _describe_column(table: RawTable, column: int, rows: Mask) -> ColumnDescription:
    codes, found = pd.factorize(table.read_column(column)[rows])
    texts = [" ".join(str(text).split()) for text in found]
    counts = np.bincount(codes, minlength=len(texts))
    filled = {text: int(count) for text, count in zip(texts, counts, strict=True) if text}
    sample = [texts[code] for code in codes[:_SAMPLE]]
    name, question = table.names[column], table.labels[column]
    kind = find_personal_name(name, question) or find_personal_content(sample + texts[:_SAMPLE])
    return ColumnDescription(
        name=mask_text(name[:_LONGEST_NAME]),
        question=mask_text(question[:_LONGEST_NAME]),
        values=() if kind else _list_shown(filled),
        labels={code: label[:_LONGEST_NAME] for code, label in table.codes.get(column, {}).items()},
        distinct=len(filled),
        blank=int(rows.sum()) - sum(filled.values()),
        personal=kind,
    )


def _list_shown(filled: Mapping[str, int]) -> tuple[str, ...]:
    """List answers that are few, and are short codes or shared by several people each."""
    if not filled or len(filled) > _MOST_VALUES:
        return ()
    short = all(len(text) <= 4 and parse_number(text) == parse_number(text) for text in filled)
    shared = sum(filled.values()) >= _FEWEST_EACH * len(filled)
    if not short and not shared:
        return ()
    ordered = sorted(filled, key=lambda text: (-filled[text], fold_answer(text)))
    return tuple(mask_text(text[:_LONGEST_NAME]) for text in ordered)
