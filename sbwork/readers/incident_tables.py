"""A force's own rows, and tables that are counted already."""

from __future__ import annotations

from typing import Any

from sbwork.cohort import IncidentSource
from sbwork.readers.archives import Part
from sbwork.readers.police_uk import PointNeed
from sbwork.readers.tally import Reading

__all__ = ["choose_format", "read_table"]


def choose_format(source: IncidentSource, parts: list[Part]) -> str:
    """Tell which of the formats a source is in."""
    return "police-uk"


def read_table(
    store: Any, part: Part, source: IncidentSource, style: str, points: PointNeed
) -> Reading:
    """Read."""
    raise NotImplementedError
