"""The one shape that every result takes: a long tidy frame, one row a number."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import pandas as pd

from sbwork.stats import Estimate, Flag

_TEXT = ("section", "outcome", "site", "comparison", "period", "estimator")
_NOTES = ("reason", "flags", "note", "data_status")

RESULT_COLUMNS = (
    *_TEXT,
    *("estimate", "ci_low", "ci_high", "ci_level", "p_value", "p_adjusted"),
    *("se", "statistic", "df", "n", "unit", "evidence_level"),
    *_NOTES,
    "rehearsal",
)
"""The columns of every frame of findings, in order; names never change with the options.

They are an interface: ``docs/results.md`` has the type, unit and meaning of each, and what every
value of ``reason`` and ``flags`` means.
"""

_ESTIMATE_FIELDS = tuple(field.name for field in fields(Estimate))


@dataclass(frozen=True, slots=True)
class Finding:
    """An estimate, and what it is an estimate of.

    section: The part of the report it belongs to, such as ``"counts"`` or ``"scales"``.
    outcome: The key of the outcome, scale or item.
    site: The key of the site; ``"all"`` for a pooled figure.
    estimate: The number.
    comparison: The key of the site it is compared with; empty where there is none.
    period: ``"before"``, ``"after"``, ``"change"``, or a window such as ``"12+12"``; of what the
        next level of evidence needs, the check that it is for.
    """

    section: str
    outcome: str
    site: str
    estimate: Estimate
    comparison: str = ""
    period: str = ""


def tabulate_findings(findings: Iterable[Finding]) -> pd.DataFrame:
    """Lay findings out as a long tidy frame."""
    rows = [
        {
            "section": finding.section,
            "outcome": finding.outcome,
            "site": finding.site,
            "comparison": finding.comparison,
            "period": finding.period,
            **{name: getattr(finding.estimate, name) for name in _ESTIMATE_FIELDS},
            "reason": str(finding.estimate.reason),
            "flags": " ".join(finding.estimate.flags),
        }
        for finding in findings
    ]
    return _order_columns(pd.DataFrame(rows))


def combine_findings(frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Join frames of findings into one, in the order given; empty ones are left out."""
    filled = [frame for frame in frames if len(frame)]
    if not filled:
        return _order_columns(pd.DataFrame())
    return _order_columns(pd.concat(filled, ignore_index=True))


def select_findings(findings: pd.DataFrame, **where: str) -> pd.DataFrame:
    """Return the findings whose columns hold the given values, in their order.

    Parameters
    ----------
    findings : pandas.DataFrame
        As `tabulate_findings` returns it.
    **where : str
        A column and the value it must hold, such as ``estimator="rirr"``.

    Returns
    -------
    pandas.DataFrame
        The matching rows; none where nothing matches.
    """
    unknown = sorted(set(where) - set(RESULT_COLUMNS))
    if unknown:
        raise ValueError(f"no such column in a frame of findings: {unknown}")
    keep = pd.Series(True, index=findings.index)
    for column, value in where.items():
        keep &= findings[column] == value
    return findings[keep]


def find_row(findings: pd.DataFrame, **where: str) -> pd.Series | None:
    """Return the first finding that matches, or None; see `select_findings`."""
    matching = select_findings(findings, **where)
    return None if matching.empty else matching.iloc[0]


def has_flag(row: pd.Series[Any], flag: Flag) -> bool:
    """Say whether a finding bears a flag."""
    return flag in str(row["flags"]).split()


def find_flagged(findings: pd.DataFrame, flag: Flag) -> pd.Series[bool]:
    """Mark the findings that bear a flag; see `has_flag` for one."""
    return findings["flags"].str.split().map(lambda flags: flag in flags).astype("bool")


def _order_columns(frame: pd.DataFrame) -> pd.DataFrame:
    ordered = frame.reindex(columns=list(RESULT_COLUMNS))
    kinds = {
        column: "str" if column in (*_TEXT, "unit", *_NOTES) else "float64"
        for column in RESULT_COLUMNS
    }
    ordered = ordered.astype({**kinds, "rehearsal": "object"})
    ordered = ordered.fillna(dict.fromkeys(("reason", "flags", "data_status"), ""))
    return ordered.assign(rehearsal=ordered["rehearsal"].eq(True).astype("bool"))
