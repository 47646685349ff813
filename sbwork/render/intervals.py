"""Findings as the cells of a table."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from sbwork.stats.findings import find_row
from sbwork.stats.formats import MISSING, format_interval

HIDDEN = "hidden"
WAVES = ("before", "after")


def find_known(findings: pd.DataFrame, **where: str) -> pd.Series[Any] | None:
    """Return the first finding that matches, or None where it has no number."""
    row = find_row(findings, **where)
    return None if row is None or math.isnan(row["estimate"]) else row


def describe_interval(row: pd.Series[Any] | None, digits: int = 2, *, percent: bool = False) -> str:
    """Write a finding's interval; what is not there is said to be missing."""
    if row is None:
        return MISSING
    return format_interval(row["ci_low"], row["ci_high"], digits, percent=percent)


def describe_value(row: pd.Series[Any] | None, write: Any, column: str = "estimate") -> str:
    """Write one column of a finding with `write`, a function of `sbwork.stats.formats`."""
    return MISSING if row is None else str(write(row[column]))
