"""Figures that somebody gave, laid out as findings so that they are graded like the others."""

from __future__ import annotations

import pandas as pd

from sbwork.specs.cohort import Cohort, ReportedFigure
from sbwork.stats import Estimate, Flag
from sbwork.stats.findings import Finding, tabulate_findings

__all__ = ["tabulate_reported"]


def tabulate_reported(cohort: Cohort) -> pd.DataFrame:
    """Lay out a cohort's reported figures as findings.

    Parameters
    ----------
    cohort : Cohort
        With or without reported figures.

    Returns
    -------
    pandas.DataFrame, columns `findings.RESULT_COLUMNS`
        Section ``"reported"``, estimator ``"reported_change_percent"``, evidence level 1, no
        interval and no n, flag ``unchecked``. The outcome is the figure's title, and the note
        gives its source.

    Examples
    --------
    >>> heard = {"title": "Calls", "change_percent": -40, "reported_by": "staff"}
    >>> print(tabulate_reported(Cohort(name="pilot", reported_figures=[heard]))["note"][0])
    Source: staff. No counts were given, so it cannot be checked and has no interval.
    """
    findings = tabulate_findings(
        Finding("reported", figure.title, figure.site, _take_figure(figure), period=figure.period)
        for figure in cohort.reported_figures
    )
    return findings.assign(evidence_level=1.0)


def _take_figure(figure: ReportedFigure) -> Estimate:
    return Estimate(
        "reported_change_percent",
        figure.change_percent,
        unit="percent",
        note=(
            f"Source: {figure.reported_by.rstrip('.')}. No counts were given, so it cannot be "
            "checked and has no interval."
        ),
        flags=(Flag.UNCHECKED,),
    )
