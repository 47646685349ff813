"""Stata files (.dta): value labels and extended missing values (.a to .z) kept."""

from __future__ import annotations

from pathlib import Path

from sbwork.read.surveys.labelled import read_labelled
from sbwork.read.surveys.tables import RawTable

__all__ = ["read_stata"]


def read_stata(path: Path) -> RawTable:
    """Read a Stata file.

    Parameters
    ----------
    path : Path
        The .dta file, of any version that ReadStat reads.

    Returns
    -------
    RawTable
        Codes as text, with their labels in ``codes``; extended missing values are the letters
        ``a`` to ``z``, listed in ``missing``.

    Raises
    ------
    InputError
        The file is damaged, too large or without answers.
    """
    return read_labelled(path, "stata")
