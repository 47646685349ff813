"""Which shares behind the weights may be shown: small categories hidden."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import pandas as pd

__all__ = ["suppress_weights"]

_SECTION = "weights"
_SHARES = ("share_before", "share_after")
_NUMBERS = ["estimate", "n"]


def suppress_weights(findings: pd.DataFrame, smallest_group: int) -> pd.DataFrame:
    """Hide the shares of categories that few people of a site and wave are in.

    Parameters
    ----------
    findings : pandas.DataFrame, columns `findings.RESULT_COLUMNS`
        Findings of all sections; only the section ``"weights"`` is looked at.
    smallest_group : int
        The smallest number of people that may be shown.

    Returns
    -------
    pandas.DataFrame
        A copy. A category with fewer people loses its number and its shares before and after; so
        does the next smallest of the same column, until the people hidden together are as many,
        since shares add up to 1. The largest weight goes with them: it is often such a category's
        target over its share. Targets stay, which are known to all.

    References
    ----------
    Hundepool, A., et al. (2012). Statistical Disclosure Control. Wiley, chapter 4.

    Examples
    --------
    >>> from sbwork.stats import Estimate
    >>> from sbwork.stats.findings import Finding, tabulate_findings
    >>> rows = tabulate_findings(
    ...     Finding("weights", f"sex/{name}", "a", Estimate("share_before", n / 43, n=n))
    ...     for name, n in (("f", 40), ("m", 3))
    ... )
    >>> suppress_weights(rows, 10)["note"].tolist()
    ['Hidden: fewer than 10 people.', 'Hidden: fewer than 10 people.']
    """
    rows = findings[findings["section"] == _SECTION]
    if rows.empty:
        return findings
    shown = findings.copy()
    note = f"Hidden: fewer than {smallest_group} people."
    for _, sample in rows.groupby(["site", "period"], sort=False):
        hidden = set(_find_hidden(sample, smallest_group))
        if not hidden:
            continue
        inside = sample["outcome"].isin(hidden)
        shares = sample.index[inside & sample["estimator"].isin(_SHARES)]
        largest = sample.index[sample["estimator"] == "largest_weight"]
        for index in (shares, largest):
            shown.loc[index, _NUMBERS] = math.nan
            shown.loc[index, "note"] = note
        shown.loc[sample.index[inside], "n"] = math.nan
    return shown


def _find_hidden(sample: pd.DataFrame, smallest_group: int) -> Iterator[str]:
    """Yield the outcomes of one site and wave that are to be hidden."""
    categories = sample[sample["outcome"].str.contains("/", regex=False)]
    counts = categories.groupby("outcome", sort=False)["n"].max()
    variables: dict[str, dict[str, float]] = {}
    for outcome, n in counts.items():
        variables.setdefault(str(outcome).partition("/")[0], {})[str(outcome)] = float(n)
    for categories_of_one in variables.values():
        yield from _choose(categories_of_one, smallest_group)


def _choose(counts: Mapping[str, float], smallest_group: int) -> list[str]:
    order = sorted(counts, key=lambda name: counts[name])
    chosen = [name for name in order if 1 <= counts[name] < smallest_group]
    if not chosen:
        return []
    for name in order:
        if len(chosen) > 1 and sum(counts[each] for each in chosen) >= smallest_group:
            break
        if name not in chosen:
            chosen.append(name)
    return chosen
