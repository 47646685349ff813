"""Street files counted from their bytes, many lines at a time, without taking rows apart.

A file as data.police.uk publishes it is regular: no quotation mark, as many commas in every line,
one month throughout. Then the place of every comma says where each field begins and ends, and
fields are compared as whole numbers of eight bytes. A file that is regular in this sense is
counted exactly as a CSV reader would; of any other nothing is counted, and the caller reads it
with a CSV reader.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
import numpy.typing as npt

from sbwork.read.incidents.numbering import Positions, TextNumbers, view_fields

__all__ = ["LineCount", "LineCounter", "LineLayout"]

_BLOCK = 1 << 23
_PIECE = 1 << 19
_LINES_TOGETHER = 1 << 20
_LINE_END, _CARRIAGE_RETURN, _COMMA = b"\n\r,"
_MOST_KINDS = 64
_FEW_BINS = 8
_FEW_POINTS = 64
_MONTH_WIDTH = 7

Fill = Callable[[memoryview], int]


@dataclass(frozen=True)
class LineLayout:
    """Where the fields of a line stand, counted from 0.

    Attributes
    ----------
    width : int
        Fields of a line.
    month, lsoa, kind : int
        The fields that are counted by.
    name, x, y : int or None
        The LSOA's name, and the coordinates; None where the file has none.
    keep_points : bool
        Whether the coordinates of lines without an LSOA are wanted.
    """

    width: int
    month: int
    lsoa: int
    kind: int
    name: int | None = None
    x: int | None = None
    y: int | None = None
    keep_points: bool = False


@dataclass(frozen=True)
class LineCount:
    """The lines of one file, by LSOA and crime type.

    Attributes
    ----------
    month : str
        Of every line; empty where there is none.
    lsoa, kind : numpy.ndarray of int, shape (n_groups,)
        Positions among `LineCounter.lsoas` and `LineCounter.kinds`.
    located : numpy.ndarray of bool, shape (n_groups,)
        Whether lines without an LSOA have coordinates.
    x, y : numpy.ndarray of float, shape (n_groups,)
        Coordinates where they were wanted, else NaN.
    n : numpy.ndarray of int, shape (n_groups,)
        Lines.
    """

    month: str
    lsoa: Positions
    kind: Positions
    located: npt.NDArray[np.bool_]
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    n: Positions


class LineCounter:
    """Counts the lines of one street file after another; each thread needs one of its own.

    Parameters
    ----------
    largest : int, optional
        The length of the largest file in bytes, so that no more room is made than it needs.

    Attributes
    ----------
    names : dict of str to tuple of (int, str)
        By LSOA code, the number of the first file that holds it, and its name there.

    Examples
    --------
    >>> import io
    >>> lines = [b"Month,LSOA code,Crime type", b"2017-01,E01000001,Drugs", b"2017-01,,Drugs"]
    >>> counter = LineCounter()
    >>> layout = LineLayout(width=3, month=0, lsoa=1, kind=2)
    >>> counted = counter.count(0, layout, io.BytesIO(bytes([10]).join(lines)).readinto)
    >>> [counter.lsoas[code] for code in counted.lsoa], counted.n.tolist()
    (['', 'E01000001'], [1, 1])
    """

    def __init__(self, largest: int = _BLOCK) -> None:
        self._room = max(min(largest, _BLOCK), 1)
        self._bytes = bytearray(self._room + 64)
        self._mark = np.empty(self._room + 1, np.bool_)
        self._other = np.empty(_PIECE, np.bool_)
        self._lsoas = TextNumbers(self._bytes, 16)
        self._kinds = TextNumbers(self._bytes, 32)
        self.names: dict[str, tuple[int, str]] = {}

    @property
    def lsoas(self) -> list[str]:
        """The LSOA codes met, empty text first."""
        return self._lsoas.texts

    @property
    def kinds(self) -> list[str]:
        """The crime types met, empty text first."""
        return self._kinds.texts

    def count(self, number: int, layout: LineLayout, fill: Fill) -> LineCount | None:
        """Count the lines of one file.

        Parameters
        ----------
        number : int
            The file's place among all files; numbers must rise from call to call.
        layout : LineLayout
            Its columns.
        fill : callable
            Puts what comes next of the file into a buffer and returns its length, 0 at the end.

        Returns
        -------
        LineCount or None
            None where the file is not regular.
        """
        task = _Task(layout)
        view = memoryview(self._bytes)
        have = 0
        ended = header_read = False
        while not ended:
            while have < self._room and not ended:
                got = fill(view[have : self._room])
                have += got
                ended = not got
            if ended and have and self._bytes[have - 1] != _LINE_END:
                self._bytes[have] = _LINE_END
                have += 1
            start = 0 if header_read else self._bytes.find(b"\n", 0, have) + 1
            end = self._bytes.rfind(b"\n", 0, have) + 1
            if (have and not end) or b"\r" in self._bytes[:start].rstrip(b"\r\n"):
                return None
            header_read = True
            if end > start and not self._count_block(start, end, number, task):
                return None
            self._bytes[: have - end] = self._bytes[end:have]
            have -= end
        return task.sum_up()

    def _count_block(self, start: int, end: int, number: int, task: _Task) -> bool:
        """Count whole lines of the buffer; False where they are not regular."""
        layout = task.layout
        if self._bytes.find(b'"', start, end) >= 0:
            return False
        marks = self._find_marks(start, end, layout.width)
        if marks is None:
            return False
        lines = _Lines(self._bytes, marks, start)
        lsoa = self._lsoas.number(*lines.find(layout.lsoa))
        kind = self._kinds.number(*lines.find(layout.kind))
        if lsoa is None or kind is None or len(self.kinds) > _MOST_KINDS:
            return False
        if not task.check_month(lines):
            return False
        if (fresh := self._lsoas.take_fresh()) and layout.name is not None:
            names = lines.read(layout.name, fresh)
            self._keep_names([self.lsoas[code] for code in lsoa[fresh]], names, number)
        key = lsoa * (2 * _MOST_KINDS)
        key += kind
        if layout.x is not None and (nowhere := np.flatnonzero(lsoa == 0)).size:
            begin, stop = lines.find(layout.x)
            located = nowhere[stop[nowhere] > begin[nowhere]]
            if located.size and layout.keep_points:
                if located.size > _FEW_POINTS:
                    return False
                task.add_points(lines, located, kind)
                key = np.delete(key, located)
            else:
                key[located] += _MOST_KINDS
        task.add(key)
        return True

    def _find_marks(self, start: int, end: int, width: int) -> Positions | None:
        """Find commas and line ends, a row a line; None where a line has another width."""
        text = np.frombuffer(self._bytes, np.uint8)
        lines = 0
        for at in range(start, end, _PIECE):
            piece = text[at : min(at + _PIECE, end)]
            mark = self._mark[at : at + len(piece)]
            np.equal(piece, _LINE_END, out=mark)
            lines += int(np.count_nonzero(mark))
            other = np.equal(piece, _COMMA, out=self._other[: len(piece)])
            np.logical_or(mark, other, out=mark)
        marks = np.flatnonzero(self._mark[start:end])
        if marks.size != lines * width:
            return None
        marks += start
        table = marks.reshape(lines, width)
        return table if (text.take(table[:, -1]) == _LINE_END).all() else None

    def _keep_names(self, codes: list[str], names: list[bytes], number: int) -> None:
        for code, name in zip(codes, names, strict=True):
            self.names.setdefault(code, (number, name.decode("utf-8", "replace")))


class _Lines:
    """Whole lines of a buffer, and where their fields stand."""

    def __init__(self, text: bytearray, marks: Positions, start: int) -> None:
        self._text = text
        self._marks = marks
        self._start = start

    def find(self, field: int) -> tuple[Positions, Positions]:
        """Return where a field begins and stops in each line."""
        stop = self._marks[:, field]
        if field:
            begin = self._marks[:, field - 1] + 1
        else:
            begin = np.empty_like(stop)
            begin[0] = self._start
            np.add(self._marks[:-1, -1], 1, out=begin[1:])
        if field == self._marks.shape[1] - 1:
            last = np.frombuffer(self._text, np.uint8).take(np.maximum(stop - 1, 0))
            stop = stop - ((last == _CARRIAGE_RETURN) & (stop > begin))
        return begin, stop

    def read(self, field: int, rows: Sequence[int] | Positions) -> list[bytes]:
        """Return one field of some lines."""
        begin, stop = self.find(field)
        spans = zip(begin[rows].tolist(), stop[rows].tolist(), strict=True)
        return [bytes(self._text[first:last]) for first, last in spans]

    def read_month(self, field: int) -> bytes:
        """Return the month that every line shares, as in 2017-01; empty if none does."""
        begin, stop = self.find(field)
        if stop[0] - begin[0] != _MONTH_WIDTH:
            return b""
        word = view_fields(self._text, _MONTH_WIDTH + 1)[begin].view("<u8")
        if not (word == word[0]).all():
            return b""
        return bytes(self._text[int(begin[0]) : int(stop[0])])


class _Task:
    """What has been counted of one file so far."""

    def __init__(self, layout: LineLayout) -> None:
        self.layout = layout
        self._month = b""
        self._pending: list[Positions] = []
        self._done: list[tuple[Positions, Positions]] = []
        self._points: Counter[tuple[int, float, float]] = Counter()

    def check_month(self, lines: _Lines) -> bool:
        """Say whether every line is of the month that the lines before are of."""
        month = lines.read_month(self.layout.month)
        if not month.isascii() or month != (self._month or month):
            return False
        self._month = month
        return bool(month)

    def add(self, keys: Positions) -> None:
        """Add lines, each told by its place and kind as one number."""
        self._pending.append(keys)
        if sum(map(len, self._pending)) > _LINES_TOGETHER:
            self._tabulate()

    def add_points(self, lines: _Lines, rows: Positions, kinds: Positions) -> None:
        """Add lines that have coordinates and no LSOA."""
        pairs = [
            [_read_number(text) for text in lines.read(field, rows)] if field is not None else []
            for field in (self.layout.x, self.layout.y)
        ]
        for kind, x, y in zip(kinds[rows].tolist(), *pairs, strict=True):
            self._points[kind, x, y] += 1

    def sum_up(self) -> LineCount:
        """Sum up the file."""
        self._tabulate()
        keys = np.concatenate([keys for keys, _ in self._done])
        counts = np.concatenate([counts for _, counts in self._done])
        if len(self._done) > 1:
            keys, inverse = np.unique(keys, return_inverse=True)
            counts = np.bincount(inverse, counts).astype(np.intp)
        points = np.array(list(self._points), np.float64).reshape(-1, 3)
        bare = np.full(len(keys), np.nan)
        place = keys // _MOST_KINDS
        return LineCount(
            self._month.decode(),
            np.append(place // 2, np.zeros(len(points), np.intp)),
            np.append(keys % _MOST_KINDS, points[:, 0].astype(np.intp)),
            np.append(place % 2 == 1, np.ones(len(points), np.bool_)),
            np.append(bare, points[:, 1]),
            np.append(bare, points[:, 2]),
            np.append(counts, np.array(list(self._points.values()), np.intp)),
        )

    def _tabulate(self) -> None:
        keys = np.concatenate([np.empty(0, np.intp), *self._pending])
        self._pending = []
        bins = int(keys.max(initial=0)) + 1
        if bins > _FEW_BINS * keys.size:
            self._done.append(np.unique(keys, return_counts=True))
            return
        counts = np.bincount(keys)
        found = np.flatnonzero(counts)
        self._done.append((found, counts[found]))


def _read_number(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:
        return nan
