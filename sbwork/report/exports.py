"""Tables made safe to open in a spreadsheet."""

from __future__ import annotations

import re

import pandas as pd

__all__ = ["escape_cell", "escape_formulas"]

_FORMULA = re.compile(r"^[\s\x00]*[=+\-@＝＋－＠]|^[\t\r\n]")
_NUMBER = re.compile(r"^[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?%?$")


def escape_formulas(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a copy in which no text would be taken for a formula by a spreadsheet.

    A cell of text that starts with ``=``, ``+``, ``-``, ``@``, a tab or a line break gets an
    apostrophe in front; names of columns and of the index too. Numbers stay numbers, also numbers
    kept as text.

    Parameters
    ----------
    frame : pandas.DataFrame
        What is to be written as CSV or XLSX.

    Returns
    -------
    pandas.DataFrame
        The same shape and order; the frame given is not changed.

    References
    ----------
    OWASP Foundation, "CSV Injection".

    Examples
    --------
    >>> frame = pd.DataFrame({"told": ["=HYPERLINK(1)", "-2.5", "fine"], "n": [1, -2, 3]})
    >>> escape_formulas(frame).values.tolist()
    [["'=HYPERLINK(1)", 1], ['-2.5', -2], ['fine', 3]]
    """
    columns = {
        number: frame.iloc[:, number].map(escape_cell)
        if not pd.api.types.is_numeric_dtype(frame.dtypes.iloc[number])
        else frame.iloc[:, number]
        for number in range(frame.shape[1])
    }
    escaped = pd.DataFrame(columns, index=frame.index)
    escaped.columns = frame.columns.map(escape_cell) if frame.shape[1] else frame.columns
    if not pd.api.types.is_numeric_dtype(frame.index.dtype) and len(frame.index):
        escaped.index = frame.index.map(_escape_label)
    escaped.index.names = [escape_cell(name) for name in frame.index.names]
    return escaped


def escape_cell(value: object) -> object:
    """Return one cell so that a spreadsheet shows it and does not work it out.

    Examples
    --------
    >>> escape_cell("@SUM(A1)"), escape_cell(-3), escape_cell("-3")
    ("'@SUM(A1)", -3, '-3')
    """
    if not isinstance(value, str) or not _FORMULA.match(value) or _NUMBER.match(value):
        return value
    return f"'{value}"


def _escape_label(label: object) -> object:
    if isinstance(label, tuple):
        return tuple(escape_cell(part) for part in label)
    return escape_cell(label)
