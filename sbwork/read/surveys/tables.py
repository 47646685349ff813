"""Grid and RawTable: what every reader hands on, whatever the platform."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from sbwork.read.workbooks import NOTE
from sbwork.specs.errors import InputError, Problem, quote

MOST_COLUMNS = 10_000
MOST_CELLS = 20_000_000

_HEAD = 12
_REPEATED, _NOTES = "repeated header rows", "notes below the table"
_RESPONSE = re.compile(r"(?:(?:open.ended |other )?response|value|answer)?", re.IGNORECASE)
_SUM = re.compile(r"(?:grand )?totals?|averages?|means?|counts?|base", re.IGNORECASE)
_FEWEST_WORDS = 3

Mask = np.ndarray[Any, np.dtype[np.bool_]]
Texts = np.ndarray[Any, np.dtype[np.object_]]


@dataclass(frozen=True)
class Grid:
    """The cells of a text file or a sheet as text, headers included, nothing yet interpreted.

    Row i of `cells` is row i + 1 of the file as a spreadsheet shows it; an empty cell is an empty
    string. `notes` say what the user should know of how the file was opened. Where `sheets` were
    read together, `numbers` has the number of each row in its own.
    """

    cells: pd.DataFrame
    file: str
    notes: tuple[str, ...] = ()
    sheets: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()

    def list_head(self, rows: int = _HEAD) -> list[list[str]]:
        """Return the first rows as lists of text, without spaces around the cells."""
        head: list[list[str]] = self.cells.head(rows).to_numpy().tolist()
        return [[str(cell).strip() for cell in row] for row in head]


@dataclass(frozen=True)
class RawTable:
    """One survey export as text: a row an answered questionnaire, a column a question.

    Attributes
    ----------
    platform : str
        A format of cohort.yml, such as ``"qualtrics"``.
    file : str
        The file's name, for messages.
    names : tuple of str
        Column names, in file order; they may repeat.
    labels : tuple of str
        The question behind each column, empty where the file has none.
    aliases : tuple of tuple of str
        Other names by which each column may be called.
    cells : pandas.DataFrame
        Text (object columns numbered from 0, as `names`); an empty cell is an empty string.
    rows : numpy.ndarray
        The row of the file that each row of `cells` comes from, counted from 1.
    codes : mapping
        Column number -> {code as text: label}, where the file holds value labels.
    missing : mapping
        Column number -> codes (as text) that the file declares missing.
    left_out : mapping
        Reason -> mask of the rows to leave out for it; no row is under two reasons.
    record : int or None
        The column that holds the platform's own number of the response.
    notes : tuple of str
        What the user should know of how the file was read.
    sheets : tuple of str
        The sheets of a workbook that were read together, if there are several.
    """

    platform: str
    file: str
    names: tuple[str, ...]
    labels: tuple[str, ...]
    aliases: tuple[tuple[str, ...], ...]
    cells: pd.DataFrame
    rows: np.ndarray[Any, np.dtype[np.int64]]
    codes: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    missing: Mapping[int, frozenset[str]] = field(default_factory=dict)
    left_out: Mapping[str, Mask] = field(default_factory=dict)
    record: int | None = None
    notes: tuple[str, ...] = ()
    sheets: tuple[str, ...] = ()

    @property
    def kept(self) -> Mask:
        """Mask of the rows that are under no reason to be left out."""
        mask = np.ones(len(self.rows), dtype=bool)
        for out in self.left_out.values():
            mask &= ~out
        return mask

    def read_column(self, column: int) -> Texts:
        """Return one column as an array of text, every row included."""
        values: Texts = self.cells[column].to_numpy(dtype=object)
        return values

    def name_cell(self, row: int, column: int) -> str:
        """Return the place of a cell as a spreadsheet names it, for messages."""
        place = f"row {self.rows[row]}, column '{quote(self.names[column])}'"
        if not self.sheets:
            return place
        return f"sheet '{quote(self.cells.iloc[row, -1])}', {place}"


def list_texts(values: Texts) -> tuple[np.ndarray[Any, np.dtype[np.intp]], list[str]]:
    """Return the distinct texts of a column in order of appearance, and the number of each cell's.

    Answers repeat, so that each is interpreted once.
    """
    codes, found = pd.factorize(values)
    return codes, [str(text) for text in found]


def map_texts(values: Texts, function: Callable[[str], Any], dtype: Any = object) -> Any:
    """Apply a function to each distinct text of a column, and return one result a cell."""
    codes, texts = list_texts(values)
    return np.array([function(text) for text in texts], dtype=dtype)[codes]


def fold_name(name: str) -> str:
    """Return a name without case and without spaces, to compare it by."""
    return "".join(name.split()).casefold()


def build_table(
    grid: Grid,
    platform: str,
    first: int,
    names: Sequence[str],
    labels: Sequence[str] = (),
    aliases: Sequence[tuple[str, ...]] = (),
) -> RawTable:
    """Cut the rows of answers from a grid, from row `first` (of 0); rows without any are dropped.

    An InputError says that no row of answers follows the header, or that it is a name short.
    """
    cells = grid.cells.iloc[first:]
    empty = np.ones(len(cells), dtype=bool)
    for column in cells:
        values = cells[column].to_numpy(dtype=object)
        undecided = np.flatnonzero(empty)
        if not len(undecided):
            break
        empty[undecided] = values[undecided] == ""
    if empty.all():
        found = "there is a header, but no row of answers follows it"
        raise InputError(Problem(grid.file, "", found))
    _refuse_unnamed(grid.file, cells, names)
    rows = np.array(grid.numbers[first:], dtype=np.int64)
    if not len(rows):
        rows = np.arange(first + 1, first + 1 + len(cells), dtype=np.int64)
    if empty.any():
        cells, rows = cells.loc[~empty], rows[~empty]
    width = cells.shape[1]
    called = tuple(name or f"column {i + 1}" for i, name in enumerate(names))
    return RawTable(
        platform=platform,
        file=grid.file,
        names=called,
        labels=tuple(labels) or ("",) * width,
        aliases=tuple(aliases) or ((),) * width,
        cells=cells,
        rows=rows,
        left_out=_find_no_answers(cells, called),
        notes=grid.notes,
        sheets=grid.sheets,
    )


def join_headers(head: Sequence[Sequence[str]]) -> tuple[list[str], list[str], int] | None:
    """Join a header of two rows, questions above and their parts below; None where it has one.

    SurveyMonkey writes such headers, and so do people who merge cells above several columns.
    Returned are the names, the parts (empty where a question has none) and the row below, of 0.
    """
    above = next((i for i, row in enumerate(head[:-1]) if sum(map(bool, row)) > 1), None)
    if above is None:
        return None
    questions, parts = head[above], head[above + 1]
    gaps = [not question and bool(part) for question, part in zip(questions, parts, strict=True)]
    inside = [gap or next_ for gap, next_ in pairwise([*gaps, False])]
    names: list[str] = []
    for question, part, grouped in zip(questions, parts, inside, strict=True):
        question = question or (names[-1] if names else "")
        alone = part == question or _RESPONSE.fullmatch(part)
        if not question or not (grouped or alone) or (grouped and not re.search(r"[^\W\d]", part)):
            return None
        names.append(question)
    pairs = list(zip(names, parts, inside, strict=True))
    groups = [pair[:2] for pair in pairs if pair[2]]
    if not groups or len(set(groups)) < len(groups):
        return None
    joined = [f"{question} - {part}" if grouped else question for question, part, grouped in pairs]
    return joined, [part if grouped else "" for _, part, grouped in pairs], above + 2


def _find_no_answers(cells: pd.DataFrame, names: Sequence[str]) -> dict[str, Mask]:
    """Find rows that hold nobody's answers: the header again, and notes below the table."""
    first = cells[0].to_numpy(dtype=object)
    masks = {reason: np.zeros(len(cells), dtype=bool) for reason in (_REPEATED, _NOTES)}
    for row in map(int, np.flatnonzero(first == names[0])):
        here = [str(cell).strip() for cell in cells.iloc[row]]
        masks[_REPEATED][row] = all(a == b for a, b in zip(here, names, strict=True) if a)
    for row in reversed(range(len(cells) if len(names) > 1 else 0)):
        filled = [str(cell).strip() for cell in cells.iloc[row] if str(cell).strip()]
        text, rest = filled[0], filled[1:]
        alone = not rest and (NOTE.match(text) or len(text.split()) >= _FEWEST_WORDS)
        prose = rest and NOTE.match(text) and ":" in text
        sums = rest and _SUM.fullmatch(text) and not any(re.search(r"[^\W\d]", c) for c in rest)
        if first[row] == "" or not (alone or prose or sums) or (first[:row] == first[row]).any():
            break
        masks[_NOTES][row] = True
    return {reason: mask for reason, mask in masks.items() if mask.any()}


def _refuse_unnamed(file: str, cells: pd.DataFrame, names: Sequence[str]) -> None:
    """Refuse answers beyond the last name: a header a name short puts answers under wrong ones."""
    last = len(names) - 1
    if last and names[0] and not names[last] and (cells[last].to_numpy(dtype=object) != "").any():
        found = "the rows hold a value more than the header has names"
        hint = "The first column may lack its name; write one into the header"
        raise InputError(Problem(file, "header", found, hint))


def refuse_size(file: str, rows: int, columns: int) -> None:
    """Refuse a table too large for a survey before memory is spent on it."""
    if columns > MOST_COLUMNS:
        found = f"there are {columns:,} columns or more, which no survey has"
        raise InputError(Problem(file, "", found, f"At most {MOST_COLUMNS:,} columns are read"))
    if rows * columns > MOST_CELLS:
        found = f"there are {rows:,} rows by {columns:,} columns, too many to read"
        raise InputError(Problem(file, "", found, f"At most {MOST_CELLS:,} cells are read"))
