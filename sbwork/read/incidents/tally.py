"""The tally: incidents counted by place, type and month, as every incident reader leaves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.types import union_categoricals

from sbwork.read.checks import Check

__all__ = ["Batch", "Reading", "join_tallies", "label_codes", "make_tally"]

_TEXTS = ("lsoa", "called", "kind", "month")


@dataclass(frozen=True)
class Batch:
    """One file that was counted.

    Attributes
    ----------
    shown : str
        What a message calls the file.
    feed : str
        Who recorded it: the force, or the file itself where no force is named. Months that one
        feed covers say nothing about another's.
    months : dict of str to int
        The months in it, with the rows of each.
    grid : bool
        Whether its coordinates are eastings and northings of the national grid.
    counted : bool
        Whether its rows are counts made by others, so that a month may stand with a zero.
    """

    shown: str
    feed: str
    months: dict[str, int] = field(default_factory=dict)
    grid: bool = False
    counted: bool = False


@dataclass
class Reading:
    """What one reader did with one source.

    Attributes
    ----------
    style : str
        ``"police-uk"``, whose files hold every crime type; ``"rows"`` or ``"counts"``, of which
        an outcome that never occurs may simply not have been recorded.
    batches : list of Batch
        The files counted, in the order of the tally's column ``batch``.
    quality : list of Check
        What was left out, and why.
    tally : pandas.DataFrame
        The counts; see `make_tally`.
    names : dict of str to str
        What the files call an LSOA, by its code.
    """

    style: str = "police-uk"
    batches: list[Batch] = field(default_factory=list)
    quality: list[Check] = field(default_factory=list)
    tally: pd.DataFrame = field(default_factory=lambda: make_tally({}))
    names: dict[str, str] = field(default_factory=dict)


def make_tally(columns: Mapping[str, Any]) -> pd.DataFrame:
    """Lay out counted incidents, one row a place, type and month of a batch.

    Parameters
    ----------
    columns : mapping
        Any of the columns below, as arrays of one length; those not given are empty, as are
        coordinates that are masked.

    Returns
    -------
    pandas.DataFrame
        ``batch`` (int32, position among the batches); ``lsoa``, ``called`` (what the file calls
        the site), ``kind`` and ``month`` (YYYY-MM), categories that are empty text where the
        file gives none; ``x`` and ``y`` (float64, NaN but where they are needed to place the
        rows); ``located`` (bool, whether a row without an LSOA has coordinates); ``n`` (float64).

    Examples
    --------
    >>> tally = make_tally({"lsoa": ["E01000001"], "month": ["2017-01"], "n": [3]})
    >>> tally.loc[0, ["lsoa", "called", "month"]].tolist()
    ['E01000001', '', '2017-01']
    """
    size = len(next(iter(columns.values()), ()))
    table: dict[str, Any] = {"batch": np.asarray(columns.get("batch", np.zeros(size)), np.int32)}
    for name in _TEXTS:
        given = columns.get(name)
        if given is None:
            given = label_codes(np.zeros(size), [""])
        table[name] = given if isinstance(given, pd.Categorical) else _categorize(given)
    for name in ("x", "y"):
        given = columns.get(name, np.full(size, np.nan))
        table[name] = np.asarray(np.ma.filled(given, np.nan), np.float64)
    table["located"] = np.asarray(columns.get("located", np.zeros(size)), np.bool_)
    table["n"] = np.asarray(columns.get("n", np.zeros(size)), np.float64)
    return pd.DataFrame(table, index=pd.RangeIndex(size), copy=False)


def join_tallies(tallies: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put tallies below each other; their categories are put together, in order of turning up."""
    if len(tallies) <= 1:
        return tallies[0] if tallies else make_tally({})
    table: dict[str, Any] = {}
    for name in map(str, make_tally({})):
        columns = [tally[name] for tally in tallies]
        if name in _TEXTS:
            table[name] = union_categoricals(columns)
        else:
            table[name] = np.concatenate([column.to_numpy() for column in columns])
    return make_tally(table)


def label_codes(codes: npt.ArrayLike, texts: Sequence[str]) -> pd.Categorical:
    """Make a column of a tally from numbers and the texts that they stand for.

    Examples
    --------
    >>> list(label_codes([1, 1], ["", "Drugs"]))
    ['Drugs', 'Drugs']
    """
    categories: Any = pd.Index(list(texts), dtype="str")
    return pd.Categorical.from_codes(np.asarray(codes, np.int32), categories)


def _categorize(texts: Sequence[str]) -> pd.Categorical:
    codes, found = pd.factorize(np.asarray(texts, dtype=object))
    return label_codes(codes, list(found))
