"""A survey export explored: what each column may be, before anybody has said so."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from sbwork.intake.answer_sets import Answers, read_answers
from sbwork.intake.item_names import ItemName, parse_name, split_question
from sbwork.intake.roles import Role, find_role
from sbwork.read.surveys.answers import fold_answer
from sbwork.read.surveys.columns import find_set_columns
from sbwork.read.surveys.descriptions import ColumnDescription, describe_table
from sbwork.read.surveys.detection import read_table
from sbwork.read.surveys.tables import RawTable, fold_name

__all__ = ["ExploredFile", "Question", "explore_file", "find_date", "find_site_column"]

_FEWEST_IN_SET = 3
_MOST_CHOICES = 40
_SHARE_SEPARATED = 0.2
_LONGEST_TEXT = 300
_DATES = re.compile(
    r"(?:recorded|start|end) ?date|submitdate|start time|completion time|timestamp|startzeit"
)


@dataclass
class Question:
    """A column that may be an item, in one file."""

    number: int
    name: ItemName
    told: ColumnDescription
    stem: str
    text: str
    answers: Answers
    key: str = ""


@dataclass
class ExploredFile:
    """One file on its way."""

    path: Path
    table: RawTable
    columns: tuple[ColumnDescription, ...]
    roles: list[Role]
    sets: dict[str, list[int]]
    questions: list[Question]

    def name_columns(self, *kinds: str) -> tuple[str, ...]:
        """List the columns of some roles, each name once."""
        shown = (c.name for c, r in zip(self.columns, self.roles, strict=True) if r.kind in kinds)
        return tuple(dict.fromkeys(shown))


def explore_file(path: Path) -> ExploredFile:
    """Read a survey export and guess what each of its columns is for.

    Raises
    ------
    InputError
        The file can't be read.
    """
    table = read_table(path)
    told = describe_table(table)
    rows = int(table.kept.sum())
    roles = [
        find_role(column, rows, number == table.record)
        for number, column in enumerate(told.columns)
    ]
    times = Counter(fold_name(name) for name in table.names)
    roles = [
        Role("repeated") if times[fold_name(name)] > 1 else role
        for name, role in zip(table.names, roles, strict=True)
    ]
    sets = dict(_find_sets(table, roles))
    taken = {column for columns in sets.values() for column in columns}
    questions = []
    for number, (column, role) in enumerate(zip(told.columns, roles, strict=True)):
        if role.kind not in {"question", "group", "site"} or number in taken:
            continue
        answers = read_answers(table, number)
        if answers is not None:
            name = parse_name(table.names[number])
            stem, text = split_question(column.question or (column.name if not name.key else ""))
            questions.append(Question(number, name, column, stem, text[:_LONGEST_TEXT], answers))
    return ExploredFile(path, table, told.columns, roles, sets, questions)


def _find_sets(table: RawTable, roles: Sequence[Role]) -> Iterator[tuple[str, list[int]]]:
    """Find multiple-response sets: columns of yes or nothing, or of options set apart by ';'."""
    groups: dict[str, list[int]] = defaultdict(list)
    rows = table.kept
    for number, role in enumerate(roles):
        if role.kind not in {"question", "empty", "text"}:
            continue
        values = table.read_column(number)[rows]
        texts = {fold_answer(str(value)) for value in pd.unique(values)} - {""}
        if role.kind != "empty" and _is_separated(values, texts):
            yield table.names[number], [number]
            continue
        name = parse_name(table.names[number])
        if name.stem and role.kind != "text" and _is_choice(texts, table.codes.get(number, {})):
            groups[name.stem].append(number)
    for stem, columns in groups.items():
        asked = {split_question(table.labels[column])[0] for column in columns}
        named = [table.names[column] for column in columns]
        apart = all(re.search(r"[\[_.\- ]\w+\]?$", name) for name in named)
        answered = any((table.read_column(column)[rows] != "").any() for column in columns)
        if len(columns) < _FEWEST_IN_SET or not (apart or asked != {""}) or not answered:
            continue
        if len(asked) > 1 or set(find_set_columns(table, stem)) - set(columns) - {
            i for i, role in enumerate(roles) if role.kind in {"text", "empty", "platform"}
        }:
            continue
        yield stem, columns


def _is_choice(texts: Iterable[str], labels: Mapping[str, str]) -> bool:
    words = {fold_answer(labels.get(text, text)) for text in texts}
    chosen = words & {"yes", "y", "1", "true", "checked", "selected", "x", "on"}
    unchosen = words & {"no", "n", "0", "false", "unchecked", "not selected", "off", "2"}
    rest = words - chosen - unchosen
    return (not rest and len(words) <= 2) or (
        len(words) == 1 and bool(rest) and max(map(len, rest)) > 1
    )


def _is_separated(values: Iterable[object], texts: Iterable[str]) -> bool:
    filled = [str(value) for value in values if str(value).strip()]
    several = [text for text in filled if ";" in text.rstrip("; ")]
    if not filled or len(several) < _SHARE_SEPARATED * len(filled):
        return False
    counts = Counter(part.strip() for text in filled for part in text.split(";") if part.strip())
    common = [option for option, count in counts.items() if count > 1]
    return 2 <= len(common) <= _MOST_CHOICES and sum(counts[o] for o in common) > 0.8 * sum(
        counts.values()
    )


def find_date(file: ExploredFile) -> str:
    """Return the middle day on which a file was answered (YYYY-MM-DD), or ""."""
    for number, column in enumerate(file.columns):
        if _DATES.fullmatch(column.name.casefold()) or _DATES.fullmatch(
            re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column.name).casefold()
        ):
            values = pd.Series(file.table.read_column(number)[file.table.kept], dtype=object)
            dates = pd.to_datetime(values, errors="coerce", format="mixed").dropna()
            if len(dates):
                return str(dates.median())[:10]
    return ""


def find_site_column(file: ExploredFile) -> ColumnDescription | None:
    """Return the column that most likely tells the site; None where none does."""
    for column, role in zip(file.columns, file.roles, strict=True):
        if role.kind == "site":
            return column
    return None
