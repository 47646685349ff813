"""Numbers as readers see them: the only place that rounds."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = [
    "MISSING",
    "describe_p",
    "format_change",
    "format_count",
    "format_difference",
    "format_interval",
    "format_list",
    "format_months",
    "format_number",
    "format_p",
    "format_share",
    "lower_title",
]

MISSING = "not available"
"""What stands where a number could not be computed; the reason stands in a note."""

_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_MINUS = "\N{MINUS SIGN}"
_FAR = 10_000


def format_number(value: float, digits: int = 2) -> str:
    """Write a number with a fixed count of decimals and a true minus sign.

    Examples
    --------
    >>> format_number(-0.4238)
    '−0.42'
    >>> format_number(float("nan"))
    'not available'
    """
    if math.isnan(value):
        return MISSING
    if math.isinf(value):
        return "no limit"
    text = f"{abs(value):,.{digits}f}"
    negative = value < 0 and any(char in "123456789" for char in text)
    return f"{_MINUS}{text}" if negative else text


def format_count(value: float) -> str:
    """Write a whole number with thousands separated.

    Examples
    --------
    >>> format_count(28537)
    '28,537'
    """
    return format_number(value, 0)


def format_change(percent: float, digits: int = 0) -> str:
    """Write a percentage change with its sign, as the Durham table does.

    Examples
    --------
    >>> format_change(-31.03), format_change(5.0), format_change(0.2)
    ('−31%', '+5%', '0%')
    """
    if math.isnan(percent) or math.isinf(percent):
        return MISSING
    text = format_number(percent, digits)
    rises = percent > 0 and any(char in "123456789" for char in text)
    return f"+{text}%" if rises else f"{text}%"


def format_difference(value: float, digits: int = 2) -> str:
    """Write a difference with its sign.

    Examples
    --------
    >>> format_difference(0.154), format_difference(-0.2), format_difference(0.001)
    ('+0.15', '−0.20', '0.00')
    """
    text = format_number(value, digits)
    return f"+{text}" if value > 0 and any(char in "123456789" for char in text) else text


def format_share(share: float) -> str:
    """Write a share from 0 to 1 as a percentage.

    Examples
    --------
    >>> format_share(0.073)
    '7%'
    """
    return MISSING if math.isnan(share) else f"{format_number(100 * share, 0)}%"


def format_p(p: float) -> str:
    """Write a p value to three decimals without its leading zero.

    Examples
    --------
    >>> format_p(0.0101), format_p(0.00004)
    ('.010', '< .001')
    """
    if math.isnan(p):
        return MISSING
    if p < 0.001:
        return "< .001"
    text = f"{p:.3f}"
    return text.removeprefix("0")


def describe_p(p: float, name: str = "p") -> str:
    """Write a p value as prose has it, under the name it goes by.

    Examples
    --------
    >>> describe_p(0.0101), describe_p(0.00004, "adjusted p")
    ('p = .010', 'adjusted p < .001')
    """
    text = format_p(p)
    if text == MISSING:
        return f"{name} {MISSING}"
    return f"{name} {text}" if text.startswith("<") else f"{name} = {text}"


def format_interval(low: float, high: float, digits: int = 2, *, percent: bool = False) -> str:
    """Write the two ends of an interval.

    Examples
    --------
    >>> format_interval(0.3657, 1.1714)
    '0.37 to 1.17'
    >>> format_interval(-44.2, -14.9, 0, percent=True)
    '−44% to −15%'
    >>> format_interval(0.0, 90_662_722_261.07)
    '0.00 to over 10,000'
    """
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
    """Write a run of months, given as YYYY-MM, in words.

    Examples
    --------
    >>> format_months("2016-07", "2016-07"), format_months("2015-10", "2016-09")
    ('July 2016', 'October 2015 to September 2016')
    """
    ends = [f"{_MONTHS[int(month[5:]) - 1]} {month[:4]}" for month in (start, end)]
    return ends[0] if start == end else " to ".join(ends)


def format_list(parts: Sequence[str]) -> str:
    """Join phrases as prose does.

    Examples
    --------
    >>> format_list(["trust", "vision", "voice"])
    'trust, vision and voice'
    """
    return " and ".join(part for part in (", ".join(parts[:-1]), *parts[-1:]) if part)


def lower_title(title: str) -> str:
    """Lower the first letter of a title unless it starts with an abbreviation.

    Examples
    --------
    >>> lower_title("Victim-based crime"), lower_title("ASB at night")
    ('victim-based crime', 'ASB at night')
    """
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]
