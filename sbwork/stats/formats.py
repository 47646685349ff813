"""Numbers as readers see them: the only place that rounds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

MISSING = "not available"
"""What is written where a number could not be computed; a note gives the reason."""

_MINUS = "\N{MINUS SIGN}"
_FAR = 10_000


def format_number(value: float, digits: int = 2) -> str:
    """Write a number with a fixed count of decimals and a true minus sign."""
    if math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "no limit"
    text = f"{abs(value):,.{digits}f}"
    negative = value < 0 and any(char in "123456789" for char in text)
    return f"{_MINUS}{text}" if negative else text


def format_count(value: float) -> str:
    """Write a whole number with thousands separated."""
    return format_number(value, 0)


def format_change(percent: float, digits: int = 0) -> str:
    """Write a percentage change with its sign, as the Durham table does."""
    if math.isnan(percent) or math.isinf(percent):
        return MISSING
    text = format_number(percent, digits)
    rises = percent > 0 and any(char in "123456789" for char in text)
    return f"+{text}%" if rises else f"{text}%"


def format_difference(value: float, digits: int = 2) -> str:
    """Write a difference with its sign."""
    text = format_number(value, digits)
    return f"+{text}" if value > 0 and any(char in "123456789" for char in text) else text


def format_share(share: float) -> str:
    """Write a share from 0 to 1 as a percentage."""
    return MISSING if math.isnan(share) else f"{format_number(100 * share, 0)}%"


def format_p(p: float) -> str:
    """Write a p value to three decimals without its leading zero."""
    if math.isnan(p):
        return MISSING
    if p < 0.001:
        return "< .001"
    text = f"{p:.3f}"
    return text.removeprefix("0")


def describe_p(p: float, name: str = "p") -> str:
    """Write a p value as prose has it, under the name it goes by."""
    text = format_p(p)
    if text == MISSING:
        return f"{name} {MISSING}"
    return f"{name} {text}" if text.startswith("<") else f"{name} = {text}"


def format_interval(low: float, high: float, digits: int = 2, *, percent: bool = False) -> str:
    """Write the two ends of an interval."""
    if math.isnan(low) or math.isnan(high):
        return MISSING
    ends = [
        format_change(end, digits) if percent and math.isfinite(end) else format_number(end, digits)
        for end in (low, high)
    ]
    # Two or three months give ends in the millions, which are read as if they were measured.
    if (digits or percent) and _FAR < high < math.inf:
        ends[1] = f"over +{_FAR:,}%" if percent else f"over {_FAR:,}"
    return " to ".join(ends)


def format_months(start: str, end: str) -> str:
    """Write a run of months, given as YYYY-MM, in words."""
    ends = [f"{pd.Timestamp(month).month_name()} {month[:4]}" for month in (start, end)]
    return ends[0] if start == end else " to ".join(ends)


def format_list(parts: Sequence[str]) -> str:
    """Join phrases as prose does."""
    return " and ".join(part for part in (", ".join(parts[:-1]), *parts[-1:]) if part)


def lower_title(title: str) -> str:
    """Lower the first letter of a title unless it starts with an abbreviation."""
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]
