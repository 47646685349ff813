"""Which column of a survey export is which item of the instrument."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from sbwork.read.surveys.answers import fold_answer, is_unasked
from sbwork.read.surveys.tables import Mask, RawTable, Texts, fold_name, map_texts
from sbwork.specs.cohort import SurveySource
from sbwork.specs.errors import InputError, Problem, find_nearest, list_names, quote
from sbwork.specs.instrument import Instrument

_LAST_PART = re.compile(r"^.*(?: [-–—:] |\[)(.+?)\]?\s*$", re.DOTALL)

_NUMBER = re.compile(r"^\s*(?:q(?:uestion)?\s*)?\d+(?:[._]\d+)*[a-z]?\s*[.):-]\s*", re.IGNORECASE)

_Index = dict[str, list[int]]


@dataclass
class Assignment:
    """The columns that a cohort asks of one file, by number.

    `items` has the column of each item, `keep` and `stories` those of names in cohort.yml, `sets`
    the columns of each multiple-response set.
    """

    items: dict[str, int] = field(default_factory=dict)
    keep: dict[str, int] = field(default_factory=dict)
    stories: dict[str, int] = field(default_factory=dict)
    sets: dict[str, list[int]] = field(default_factory=dict)
    wave: int | None = None
    site: int | None = None
    person: int | None = None
    cluster: int | None = None
    weight: int | None = None
    notes: list[str] = field(default_factory=list)

    def list_used(self) -> set[int]:
        """Return every column that is asked for."""
        named = {self.wave, self.site, self.person, self.cluster, self.weight}
        named |= {*self.items.values(), *self.keep.values(), *self.stories.values()}
        named |= {column for columns in self.sets.values() for column in columns}
        return {column for column in named if column is not None}


def assign_columns(table: RawTable, source: SurveySource, instrument: Instrument) -> Assignment:
    """Find the columns that the cohort and the instrument ask for; an InputError lists all amiss.

    An item is found by ``columns`` in cohort.yml, else by its key, by another name that the
    platform gives the column, by its question, or by its key with punctuation set aside; the
    first of these that fits decides. Case and spaces never count.
    """
    finder = _Finder(table)
    found = Assignment(
        wave=finder.look_up(source.wave_column, "wave_column"),
        site=finder.look_up(source.site_column, "site_column"),
        person=finder.look_up(source.person_column, "person_column"),
        cluster=finder.look_up(source.cluster_column, "cluster_column"),
        weight=finder.look_up(source.weight_column, "weight_column"),
        keep=finder.look_up_all(source.keep, "keep"),
        stories=finder.look_up_all(source.stories, "stories"),
    )
    for name, prefix in source.multiple.items():
        found.sets[name] = find_set_columns(table, prefix)
        if not found.sets[name]:
            message = f"no column starts with '{quote(prefix)}', as key 'multiple' has it"
            finder.report("header", message, nearest=find_nearest(prefix, table.names))
    _assign_items(finder, source, instrument, found)
    found.notes = finder.notes
    if finder.problems:
        raise InputError(finder.problems)
    return found


class _Finder:
    """Finds columns by name, and gathers what is wrong."""

    def __init__(self, table: RawTable) -> None:
        self.table = table
        self.problems: list[Problem] = []
        self.notes: list[str] = []
        self.names = _index((fold_name(name), i) for i, name in enumerate(table.names))
        self.headers = _index((_fold_label(name), i) for i, name in enumerate(table.names))
        self.aliases = _index(
            (fold_name(name), i) for i, names in enumerate(table.aliases) for name in names
        )
        self.loose = _index((_loosen(name), i) for i, name in enumerate(table.names))
        labels = [(label, i) for i, label in enumerate(table.labels) if label]
        asked = [*((name, i) for i, name in enumerate(table.names)), *labels]
        self.unnumbered = _index((_fold_label(_NUMBER.sub("", text)), i) for text, i in asked)
        parts = [(_LAST_PART.match(label), i) for label, i in labels]
        self.labels = {
            **_index((_fold_label(part[1]), i) for part, i in parts if part),
            **_index((_fold_label(label), i) for label, i in labels),
        }

    def report(self, place: str, found: str, allowed: str = "", nearest: str = "") -> None:
        self.problems.append(Problem(self.table.file, place, found, allowed, nearest))

    def look_up(self, name: str, key: str) -> int | None:
        """Return the column that a key of cohort.yml names: by name, another name or question."""
        if not name:
            return None
        folded = fold_name(name)
        indexes = (self.names, self.aliases, self.labels)
        columns = next((index[folded] for index in indexes if folded in index), [])
        if columns:
            return self.settle(name, columns)
        near = find_nearest(name, self.table.names)
        names = list_names(self.table.names)
        message = f"there is no column '{quote(name)}', as key '{key}' has it"
        self.report("header", message, "" if near else f"Columns here: {names}", near)
        return None

    def look_up_all(self, names: Iterable[str], key: str) -> dict[str, int]:
        columns = {name: self.look_up(name, key) for name in names}
        return {name: column for name, column in columns.items() if column is not None}

    def look_up_item(self, item: str, question: str) -> list[int]:
        """Return every column that may be an item's."""
        folded = fold_name(item)
        columns = self.names.get(folded) or self.aliases.get(folded)
        if not columns and question:
            asked = _fold_label(question)
            columns = self.labels.get(asked) or self.headers.get(asked)
            columns = columns or self.unnumbered.get(_fold_label(_NUMBER.sub("", question)))
        return columns or self.loose.get(_loosen(item), [])

    def settle(self, name: str, columns: Sequence[int]) -> int | None:
        """Return the first of several columns, completed from the others, if no answers differ."""
        table, first = self.table, columns[0]
        if len(columns) == 1:
            return first
        values = table.read_column(first).copy()
        for column in columns[1:]:
            more = table.read_column(column)
            blank, none = (self._find_unasked(n, v) for n, v in ((first, values), (column, more)))
            alike = (table.codes.get(column), table.missing.get(column)) == (
                table.codes.get(first),
                table.missing.get(first),
            )
            if not alike or (~blank & ~none & (values != more)).any():
                what = "answers" if alike else "value labels"
                message = f"{len(columns)} columns are '{quote(name)}', and their {what} differ: "
                message += list_names([table.names[column] for column in columns])
                self.report("header", message, "Keep one, or rename the others")
                return None
            values = np.where(blank, more, values)
        if (values != table.read_column(first)).any():
            table.cells[first] = values
            names = list_names([table.names[column] for column in columns])
            self.notes.append(f"'{quote(name)}' combines columns that no row fills twice: {names}")
        return first

    def find_copies(self, column: int) -> list[int]:
        """Return columns that pandas or R numbered for a repeated name, and that complete one.

        In ``t1`` and ``t1.1`` or ``t1...4`` no row has two answers, and the answers are the same.
        """
        table, name = self.table, re.escape(fold_name(self.table.names[column]))
        values = table.read_column(column)
        blank = self._find_unasked(column, values)
        copies = []
        for other, called in enumerate(table.names):
            if re.fullmatch(rf"{name}(?:\.|\.\.\.)\d{{1,3}}", fold_name(called)):
                more = table.read_column(other)
                none = self._find_unasked(other, more)
                if (blank | none).all() and {*more[~none]} <= {*values[~blank]}:
                    copies.append(other)
        return copies

    def _find_unasked(self, column: int, values: Texts) -> Mask:
        missing = self.table.missing.get(column, frozenset())
        mask: Mask = map_texts(values, lambda t: is_unasked(t) or t.strip() in missing, bool)
        return mask


def find_set_columns(table: RawTable, prefix: str) -> list[int]:
    """Return the columns whose name starts with `prefix`, or the one that is called so.

    Q12 does not start with Q1: a digit does not go on after the prefix's own.
    """
    wanted = fold_name(prefix)
    names = [fold_name(name) for name in table.names]
    parts = [
        i
        for i, name in enumerate(names)
        if name.startswith(wanted)
        and name != wanted
        and not (wanted[-1:].isdigit() and name[len(wanted) :][:1].isdigit())
    ]
    return parts or [i for i, name in enumerate(names) if name == wanted]


def _assign_items(
    finder: _Finder, source: SurveySource, instrument: Instrument, found: Assignment
) -> None:
    named: dict[str, list[int]] = {}
    for name, item in source.columns.items():
        if item not in instrument.items:
            message = f"'{quote(name)}' is to be the item '{quote(item)}', which is no item"
            finder.report("key 'columns'", message, nearest=find_nearest(item, instrument.items))
            continue
        column = finder.look_up(name, "columns")
        if column is not None:
            named.setdefault(item, []).append(column)
    for item, columns in named.items():
        column = finder.settle(item, list(dict.fromkeys(columns)))
        if column is not None:
            found.items[item] = column
    for item in source.not_asked:
        if item not in instrument.items:
            message = f"'{quote(item)}' is no item of the instrument"
            finder.report("key 'not_asked'", message, nearest=find_nearest(item, instrument.items))
    absent = []
    for item, spec in instrument.items.items():
        if item in source.columns.values() or item in source.not_asked:
            continue
        columns = finder.look_up_item(item, spec.text)
        if len(columns) == 1:
            columns = columns + finder.find_copies(columns[0])
        column = finder.settle(item, columns) if columns else None
        if column is not None:
            found.items[item] = column
        elif not columns:
            absent.append(item)
    if absent:
        taken = set(found.items.values())
        free = [name for i, name in enumerate(finder.table.names) if i not in taken]
        which = "this item has" if len(absent) == 1 else "these items have"
        allowed = "Name its column under 'columns' in cohort.yml, or list the item under"
        message = f"{which} no column: {list_names(absent)}"
        finder.report("header", message, f"{allowed} 'not_asked'", find_nearest(absent[0], free))
    owners: dict[int, str] = {}
    for item, column in found.items.items():
        if column in owners:
            message = f"the column '{quote(finder.table.names[column])}' would serve the items "
            message += list_names([owners[column], item])
            finder.report("header", message, "Name each one's column under 'columns'")
        owners[column] = item


def _index(entries: Iterable[tuple[str, int]]) -> _Index:
    index: _Index = {}
    for name, column in entries:
        columns = index.setdefault(name, [])
        if column not in columns:
            columns.append(column)
    return index


def _fold_label(label: str) -> str:
    """Fold a question, without the tags and entities of HTML that platforms leave in."""
    return fold_name(fold_answer(re.sub(r"<[^<>]{1,200}>", "", html.unescape(label))))


def _loosen(name: str) -> str:
    return re.sub(r"[\W_]+", "_", name.casefold()).strip("_")
