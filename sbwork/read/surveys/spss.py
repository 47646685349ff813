"""SPSS files (.sav, .zsav): value labels and user-missing codes kept."""

from __future__ import annotations

from pathlib import Path

from sbwork.read.surveys.labelled import read_labelled
from sbwork.read.surveys.tables import RawTable

__all__ = ["read_spss"]


def read_spss(path: Path) -> RawTable:
    """Read an SPSS file.

    Parameters
    ----------
    path : Path
        The .sav or .zsav file.

    Returns
    -------
    RawTable
        Codes as text, with their labels in ``codes`` and the declared missing ones in
        ``missing``.

    Raises
    ------
    InputError
        The file is damaged, too large or without answers.
    """
    return read_labelled(path, "spss")
