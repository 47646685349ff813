"""Survey exports read into one tidy frame of answers, with no personal data in it."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from sbwork.cohort import Cohort
from sbwork.instrument import Instrument

__all__ = ["Responses", "read_responses"]


@dataclass(frozen=True)
class Responses:
    """Answers of every wave and site.

    Attributes
    ----------
    answers : pandas.DataFrame
        One row an answered questionnaire: ``wave`` (``"before"`` or ``"after"``), ``site`` (key
        of the cohort's site), ``person`` (keyed hash that links waves, empty where none),
        ``weight`` (float64, 1 where none is given), every column of ``keep`` as text, then one
        float64 column an item of the instrument holding the code as given (not reversed);
        NaN for no answer, "don't know" and "prefer not to say" alike.
    nonresponse : pandas.DataFrame
        How often each item has no answer and why: columns ``wave``, ``site``, ``item``, ``kind``
        (``"dont_know"``, ``"prefer_not_to_say"`` or ``"blank"``) and ``count``.
    stories : pandas.DataFrame
        Declared free text: columns ``wave``, ``site``, ``question``, ``text``.
    multiple : pandas.DataFrame
        Multiple-response sets, long: ``wave``, ``site``, ``set``, ``option``, ``count``, ``base``.
    dropped : pandas.DataFrame
        Columns dropped as the file was read: ``source``, ``column``, ``reason``.
    quality : pandas.DataFrame
        What was read and what was left out: ``source``, ``check``, ``count`` (float64), ``note``.
    """

    answers: pd.DataFrame
    nonresponse: pd.DataFrame
    stories: pd.DataFrame
    multiple: pd.DataFrame
    dropped: pd.DataFrame
    quality: pd.DataFrame


def read_responses(cohort: Cohort, instrument: Instrument) -> Responses:
    """Read a cohort's survey files."""
    raise NotImplementedError
