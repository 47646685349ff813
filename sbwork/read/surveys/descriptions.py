"""What a survey export holds, described without any of its personal content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sbwork.read.surveys.answers import fold_answer, parse_number
from sbwork.read.surveys.personal import find_personal_content, find_personal_name
from sbwork.read.surveys.tables import Mask, RawTable
from sbwork.specs.masks import mask_name, mask_text

_MOST_VALUES = 15
_FEWEST_EACH = 3
_SAMPLE = 500
_SHARE_LISTED = 0.8
_LONGEST_NAME = 300


@dataclass(frozen=True)
class ColumnDescription:
    """One column of a survey export.

    `values` are its distinct answers, most frequent first; empty when the column looks personal,
    has many different answers, or has answers that too few people share to be shown. `labels` are
    the file's own (code as text -> label), `distinct` and `blank` count its answers and its rows
    without one, `personal` is the kind of personal data that it looks like, if any.
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
    """A survey export, as `sbwork new` and `sbwork check` describe it; `rows` counts them all."""

    file: str
    platform: str
    rows: int
    left_out: Mapping[str, int]
    columns: tuple[ColumnDescription, ...]
    notes: tuple[str, ...]


def describe_table(table: RawTable) -> SourceDescription:
    """Describe a survey export, with the answers where they are few and not personal."""
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
    labels = table.codes.get(column, {})
    kind = find_personal_name(name, question) or find_personal_content(sample + texts[:_SAMPLE])
    kind = kind or find_personal_content([*labels.values()])
    return ColumnDescription(
        name=mask_name(name[:_LONGEST_NAME]),
        question=mask_text(question[:_LONGEST_NAME]),
        values=() if kind else _list_shown(filled),
        labels={code: mask_text(label[:_LONGEST_NAME]) for code, label in labels.items()},
        distinct=len(filled),
        blank=int(rows.sum()) - sum(filled.values()),
        personal=kind,
    )


def _list_shown(filled: Mapping[str, int]) -> tuple[str, ...]:
    """List answers that are few: short codes, or those that several people share.

    What fewer gave may be their own words.
    """
    if not filled or len(filled) > _MOST_VALUES:
        return ()
    if not all(len(text) <= 4 and parse_number(text) == parse_number(text) for text in filled):
        total = sum(filled.values())
        filled = {text: count for text, count in filled.items() if count >= _FEWEST_EACH}
        if sum(filled.values()) < _SHARE_LISTED * total:
            return ()
    ordered = sorted(filled, key=lambda text: (-filled[text], fold_answer(text)))
    return tuple(mask_text(text[:_LONGEST_NAME]) for text in ordered)
