"""Tables of what was read and what was left out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

from sbwork.grade.disclosure import suppress_table
from sbwork.render.tables.layout import lay_out
from sbwork.specs.cohort import Cohort
from sbwork.specs.instrument import Instrument
from sbwork.stats import Flag
from sbwork.stats.findings import has_flag, select_findings
from sbwork.stats.formats import format_count, format_share

if TYPE_CHECKING:
    from great_tables import GT

__all__ = ["tabulate_checks", "tabulate_dropped", "tabulate_multiple", "tabulate_nonresponse"]

_KINDS = {
    "dont_know": "Don't know",
    "prefer_not_to_say": "Prefer not to say",
    "blank": "Left blank",
}
_HIDDEN = "hidden"


def tabulate_checks(quality: pd.DataFrame, name: str, title: str) -> GT:
    """Lay out what was read and what was left out, with the reason."""
    rows = [
        {
            "File": row["source"],
            "What": row["check"],
            "Count": "" if math.isnan(row["count"]) else format_count(row["count"]),
            "Note": row["note"],
        }
        for _, row in quality.iterrows()
    ]
    return lay_out(rows, name=name, title=title, stub="What", group="File", text=["Note"])


def tabulate_dropped(dropped: pd.DataFrame) -> GT:
    """Lay out the columns dropped as the files were read: columns source, column and reason."""
    rows = [
        {"File": str(source), "Why": str(reason), "Columns dropped": ", ".join(columns)}
        for (source, reason), columns in dropped.groupby(["source", "reason"], sort=False)["column"]
    ]
    return lay_out(
        rows or [{"File": "", "Why": "Nothing was dropped", "Columns dropped": ""}],
        name="dropped",
        title="Columns dropped as the files were read",
        stub="Why",
        group="File",
        text=["Columns dropped"],
    )


def tabulate_nonresponse(nonresponse: pd.DataFrame, instrument: Instrument, cohort: Cohort) -> GT:
    """Lay out how often each item has no answer, and why; small counts stay hidden.

    Parameters
    ----------
    nonresponse : pandas.DataFrame
        ``Responses.nonresponse``: columns wave, site, item, kind, count.
    instrument : Instrument
        For the wording of the items.
    cohort : Cohort
        For the smallest group that may be shown.

    Returns
    -------
    great_tables.GT
        One row an item, over all sites and waves.
    """
    counts = nonresponse.pivot_table(
        index="item", columns="kind", values="count", aggfunc="sum", sort=False, fill_value=0
    )
    shown = suppress_table(counts, cohort.smallest_group)
    rows = [
        {
            "Item": instrument.items[item].text or item if item in instrument.items else "Total",
            **{
                _KINDS.get(str(kind), str(kind)): _HIDDEN
                if math.isnan(count)
                else format_count(count)
                for kind, count in row.items()
            },
        }
        for item, row in ((str(index), held) for index, held in shown.iterrows())
    ]
    return lay_out(
        rows,
        name="nonresponse",
        title="Questions left without an answer, and why",
        stub="Item",
        notes=[
            f"Hidden: fewer than {cohort.smallest_group} people, or a number that would give such "
            "a one back. Such answers are never scored."
        ],
    )


def tabulate_multiple(multiple: pd.DataFrame, cohort: Cohort, findings: pd.DataFrame) -> GT:
    """Lay out the multiple-response sets: columns wave, site, set, option, count, base.

    A share of fewer people than the cohort's smallest group, or of all but as many, is hidden; so
    is the number of people asked in a wave where findings say that it has to be.
    """
    rows, fewest = [], cohort.smallest_group
    asked = select_findings(findings, section="scores", estimator="n_scored")
    secret = {row["period"] for _, row in asked.iterrows() if has_flag(row, Flag.N_HIDDEN)}
    for (wave, name, option), held in multiple.groupby(["wave", "set", "option"], sort=False):
        count, base = float(held["count"].sum()), float(held["base"].sum())
        few = 0 < count < fewest or 0 < base - count < fewest or base < fewest
        rows.append(
            {
                "Set": f"{name}, {wave}",
                "Option": str(option),
                "Ticked": _HIDDEN if few else format_share(count / base),
                "Asked (n)": _HIDDEN if wave in secret or base < fewest else format_count(base),
            }
        )
    return lay_out(
        rows,
        name="multiple",
        title="Questions with several answers",
        subtitle="All sites; people could tick more than one",
        stub="Option",
        group="Set",
        notes=[f"Hidden: fewer than {fewest} people ticked it, or left it."],
    )
