"""Incident files counted by site, outcome and month."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from sbwork.cohort import Cohort

__all__ = ["Incidents", "read_incidents"]


@dataclass(frozen=True)
class Incidents:
    """Counts by month: those of the sites, and those of every area of the archive.

    Attributes
    ----------
    sites : pandas.DataFrame
        Columns ``site``, ``outcome``, ``month`` (text, YYYY-MM) and ``count`` (float64). Complete:
        every site, outcome and month from the first month to the last; a month that the files do
        not cover is NaN, a covered month in which nothing was recorded is 0.
    areas : pandas.DataFrame
        The same for every area of the archive, grouped as ``cohort.placebo.group_by`` says:
        columns ``area``, ``name``, ``site`` (the site it overlaps, empty where none),
        ``outcome``, ``month``, ``count``.
    months : tuple of str
        The months that the files cover, sorted.
    missing_months : tuple of str
        Months between the first and the last that no file covers, and months of the cohort's
        periods that no file covers, sorted.
    quality : pandas.DataFrame
        What was read and what was left out: columns ``source`` (the file as the cohort names
        it), ``check`` (plain words), ``count`` (float64) and ``note``.
    """

    sites: pd.DataFrame
    areas: pd.DataFrame
    months: tuple[str, ...]
    missing_months: tuple[str, ...]
    quality: pd.DataFrame


def read_incidents(cohort: Cohort, *, cache: Path | None = None) -> Incidents:
    """Read and count a cohort's incident files."""
    raise NotImplementedError
