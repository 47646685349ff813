"""Which column of a survey export is which item of the instrument."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sbwork.read.surveys.answers import fold_answer
from sbwork.read.surveys.personal import mask_text
from sbwork.read.surveys.tables import RawTable, fold_name
from sbwork.specs.cohort import SurveySource
from sbwork.specs.errors import InputError, Problem, find_nearest, list_names, quote
from sbwork.specs.instrument import Instrument

__all__ = ["Assignment", "assign_columns", "find_column", "find_set_columns"]

_LAST_PART = re.compile(r"^.*(?: [-–—:] |\[)(.+?)\]?\s*$", re.DOTALL)


@dataclass
class Assignment:
    """The columns that a cohort asks of one file, by number.

    Attributes
    ----------
    items : dict
        Item -> column.
    keep, stories : dict
        Name as cohort.yml has it -> column.
    sets : dict
        Multiple-response set -> columns.
    wave, site, person, weight : int or None
        The columns named for these.
    """

    items: dict[str, int] = field(default_factory=dict)
    keep: dict[str, int] = field(default_factory=dict)
    stories: dict[str, int] = field(default_factory=dict)
    sets: dict[str, list[int]] = field(default_factory=dict)
    wave: int | None = None
    site: int | None = None
    person: int | None = None
    weight: int | None = None

    def list_used(self) -> set[int]:
        """Return every column that is asked for."""
        named = {self.wave, self.site, self.person, self.weight}
        named |= {*self.items.values(), *self.keep.values(), *self.stories.values()}
        for columns in self.sets.values():
            named |= set(columns)
        return {column for column in named if column is not None}


def assign_columns(table: RawTable, source: SurveySource, instrument: Instrument) -> Assignment:
    """Find the columns that the cohort and the instrument ask for.

    An item is found by ``columns`` in cohort.yml, else by its key, by another name that the
    platform gives the column, by its question, or by its key with punctuation set aside; the
    first of these that fits decides. Case and spaces never count.

    Parameters
    ----------
    table : RawTable
        The export.
    source : SurveySource
        Its entry in cohort.yml.
    instrument : Instrument
        The questionnaire.

    Returns
    -------
    Assignment
        Columns by what they hold.

    Raises
    ------
    InputError
        A column is missing, stands twice with different answers, or would serve two items; all
        of these at once.
    """
    problems: list[Problem] = []
    found = Assignment()

    def look_up(name: str, key: str) -> int | None:
        try:
            return find_column(table, name, key)
        except InputError as error:
            problems.extend(error.problems)
            return None

    found.wave = look_up(source.wave_column, "wave_column") if source.wave_column else None
    found.site = look_up(source.site_column, "site_column") if source.site_column else None
    found.person = look_up(source.person_column, "person_column") if source.person_column else None
    found.weight = look_up(source.weight_column, "weight_column") if source.weight_column else None
    for names, key, target in (
        (source.keep, "keep", found.keep),
        (source.stories, "stories", found.stories),
    ):
        for name in names:
            column = look_up(name, key)
            if column is not None:
                target[name] = column
    for name, prefix in source.multiple.items():
        columns = find_set_columns(table, prefix)
        if not columns:
            near = find_nearest(prefix, table.names)
            message = f"no column starts with '{quote(prefix)}', as key 'multiple' has it"
            problems.append(Problem(table.file, "header", message, nearest=near))
        found.sets[name] = columns
    problems += _assign_items(table, source, instrument, found, look_up)
    if problems:
        raise InputError(problems)
    return found


def find_column(table: RawTable, name: str, key: str) -> int:
    """Return the column called `name`, by its name, another name of it, or its question.

    Raises
    ------
    InputError
        No column is called so, or several are and differ.
    """
    for index in (_index_names(table), _index_aliases(table), _index_labels(table)):
        columns = index.get(fold_name(name))
        if columns:
            return _settle(table, name, columns)
    message = f"there is no column '{quote(name)}', as key '{key}' has it"
    near = find_nearest(name, table.names)
    allowed = f"Columns here: {list_names([mask_text(name) for name in table.names])}"
    raise InputError(Problem(table.file, "header", message, "" if near else allowed, near))


def find_set_columns(table: RawTable, prefix: str) -> list[int]:
    """Return the columns whose name starts with `prefix`, or the one that is called so."""
    wanted = fold_name(prefix)
    exact = [i for i, name in enumerate(table.names) if fold_name(name) == wanted]
    started = [i for i, name in enumerate(table.names) if fold_name(name).startswith(wanted)]
    parts = [i for i in started if i not in exact and not _continues(table.names[i], wanted)]
    return parts or exact


def _continues(name: str, wanted: str) -> bool:
    """Tell whether a name goes on with a digit after the prefix's own, as Q12 does after Q1."""
    return wanted[-1:].isdigit() and fold_name(name)[len(wanted) :][:1].isdigit()


def _assign_items(
    table: RawTable,
    source: SurveySource,
    instrument: Instrument,
    found: Assignment,
    look_up: Callable[[str, str], int | None],
) -> list[Problem]:
    problems: list[Problem] = []
    for name, item in source.columns.items():
        if item not in instrument.items:
            message = f"'{quote(name)}' is to be the item '{quote(item)}', which is no item"
            near = find_nearest(item, instrument.items)
            problems.append(Problem(table.file, "key 'columns'", message, nearest=near))
            continue
        column = look_up(name, "columns")
        if column is not None:
            found.items[item] = column
    for item in source.not_asked:
        if item not in instrument.items:
            message = f"'{quote(item)}' is no item of the instrument"
            near = find_nearest(item, instrument.items)
            problems.append(Problem(table.file, "key 'not_asked'", message, nearest=near))
    indexes = [index(table) for index in (_index_names, _index_aliases)]
    labels, loose = _index_labels(table), _index_loosely(table)
    absent = []
    mapped = set(source.columns.values())
    for item, spec in instrument.items.items():
        if item in mapped or item in source.not_asked:
            continue
        columns = next((i[fold_name(item)] for i in indexes if fold_name(item) in i), [])
        if not columns and spec.text:
            columns = labels.get(fold_name(fold_answer(spec.text)), [])
        columns = columns or loose.get(_loosen(item), [])
        if not columns:
            absent.append(item)
            continue
        try:
            found.items[item] = _settle(table, item, columns)
        except InputError as error:
            problems.extend(error.problems)
    if absent:
        problems.append(_report_absent(table, absent, found))
    owners: dict[int, str] = {}
    for item, column in found.items.items():
        if column in owners:
            message = f"the column '{quote(table.names[column])}' would serve the items "
            message += list_names([owners[column], item])
            problems.append(
                Problem(table.file, "header", message, "Name each one's column under 'columns'")
            )
        owners[column] = item
    return problems


def _report_absent(table: RawTable, absent: Sequence[str], found: Assignment) -> Problem:
    free = [n for i, n in enumerate(table.names) if i not in set(found.items.values())]
    which = "this item has" if len(absent) == 1 else "these items have"
    return Problem(
        table.file,
        "header",
        f"{which} no column: {list_names(absent)}",
        "Name its column under 'columns' in cohort.yml, or list the item under 'not_asked'",
        find_nearest(absent[0], free),
    )


def _settle(table: RawTable, name: str, columns: Sequence[int]) -> int:
    first = table.read_column(columns[0])
    if all((table.read_column(column) == first).all() for column in columns[1:]):
        return columns[0]
    message = f"{len(columns)} columns are called '{quote(name)}', and their answers differ"
    raise InputError(Problem(table.file, "header", message, "Keep one, or rename the others"))


def _index_names(table: RawTable) -> dict[str, list[int]]:
    index = defaultdict(list)
    for column, name in enumerate(table.names):
        index[fold_name(name)].append(column)
    return dict(index)


def _index_aliases(table: RawTable) -> dict[str, list[int]]:
    index = defaultdict(list)
    for column, names in enumerate(table.aliases):
        for name in {fold_name(name) for name in names}:
            index[name].append(column)
    return dict(index)


def _index_labels(table: RawTable) -> dict[str, list[int]]:
    whole, parts = defaultdict(list), defaultdict(list)
    for column, label in enumerate(table.labels):
        if label:
            whole[fold_name(fold_answer(label))].append(column)
            last = _LAST_PART.match(label)
            if last:
                parts[fold_name(fold_answer(last[1]))].append(column)
    return {**parts, **whole}


def _index_loosely(table: RawTable) -> dict[str, list[int]]:
    index = defaultdict(list)
    for column, name in enumerate(table.names):
        index[_loosen(name)].append(column)
    return dict(index)


def _loosen(name: str) -> str:
    return re.sub(r"[\W_]+", "_", name.casefold()).strip("_")
