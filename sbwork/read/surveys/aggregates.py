"""Tables of shares, such as one of percentages by borough, which hold no person's answers."""

from __future__ import annotations

import math
import re

from sbwork.read.surveys.answers import fold_answer, parse_number
from sbwork.read.surveys.tables import RawTable
from sbwork.specs.errors import InputError, Problem

_SHARE = re.compile(r"%|\b(?:per ?cent(?:age)?s?|pct|proportions?|shares?)\b")
_BASE = re.compile(
    r"(?:(?:un)?weighted )?(?:n|base|total|counts?|sample(?: size)?|respondents|responses|freq"
    r"|frequency)|n(?:umber|o)? of (?:people|respondents|responses|answers)|n ?= ?\d*"
)
_TIME = re.compile(r"\b(?:year|quarter|month|date|period|wave)\b")
_AREA_CODE = re.compile(r"[A-Z]\d{8}")
_LARGEST_CODE = 11
_PERCENT = re.compile(r"\d{1,3}(?:[.,]\d+)?\s?%")


def refuse_aggregates(table: RawTable) -> None:
    """Refuse a table of shares: nothing in it but names that no row repeats, shares and bases."""
    kept, shares, bases, numbers, keys = table.kept, 0, 0, [], []
    differ = False
    for column, name in enumerate(table.names):
        cells = [str(cell).strip() for cell in table.read_column(column)[kept]]
        filled = [cell for cell in cells if cell]
        words = re.sub(r"[_()]+", " ", fold_answer(name)).strip()
        values = [parse_number(cell.rstrip("% ").replace(",", "")) for cell in filled]
        if not filled or _TIME.search(words):
            keys.append(cells)
        elif any(value != value for value in values):
            named = [bool(_AREA_CODE.fullmatch(c) or not re.search(r"\d", c)) for c in filled]
            if not all(named):
                return
            keys.append(cells)
        elif _BASE.fullmatch(words) and sorted(values) != list(range(1, len(values) + 1)):
            bases += 1
            differ |= len(set(values)) > 1
        elif _SHARE.search(words) or all(map(_PERCENT.fullmatch, filled)):
            shares += 1
        else:
            numbers.append([parse_number(cell.replace(",", "")) for cell in cells])
    rows = list(zip(*keys, strict=True))
    sums = [sum(row) for row in zip(*numbers, strict=True)]
    whole = len(numbers) > 1 and (
        all(98 <= total <= 102 for total in sums)
        or (all(0.98 <= total <= 1.02 for total in sums) and any(v % 1 for v in numbers[0]))
    )
    odd = numbers and all(any(v > _LARGEST_CODE or v % 1 > 0 for v in values) for values in numbers)
    # A count of each of nearly all combinations of the rest, such as area by answer.
    crossed = math.prod(len(set(cells)) for cells in keys) <= 2 * len(rows) and len(rows) > 1
    tallied = differ and crossed and not (numbers or shares)
    is_share = tallied or whole or bool(bases and odd) or bool(shares and not numbers)
    if keys and is_share and len(set(rows)) == len(rows):
        found = "this looks like a table of shares, a row a place or an answer, not a row a person"
        allowed = "Individual answers are needed: ask for the file with one row a respondent"
        raise InputError(Problem(table.file, "", found, allowed))
