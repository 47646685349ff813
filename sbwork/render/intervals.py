"""Findings written into cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from sbwork.stats.formats import MISSING, format_interval

if TYPE_CHECKING:
    pass

__all__ = ["HIDDEN", "describe_interval", "describe_value"]

HIDDEN = "hidden"


def describe_interval(row: pd.Series[Any] | None, digits: int = 2) -> str:
    """Write a finding's interval; what is not there is said to be missing."""
    return MISSING if row is None else format_interval(row["ci_low"], row["ci_high"], digits)


def describe_value(row: pd.Series[Any] | None, write: Any, column: str = "estimate") -> str:
    """Write one column of a finding with `write`, a function of `sbwork.stats.formats`."""
    return MISSING if row is None else str(write(row[column]))
