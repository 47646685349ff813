"""Which number leads for each outcome: the one that errs least often where nothing was done."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from sbwork.stats.findings import find_row, select_findings

__all__ = ["Headline", "find_headline"]

Basis = Literal["placebo", "random effects", "pair"]


@dataclass(frozen=True)
class Headline:
    """The number that a report leads with for one outcome.

    site: The intervention site that it is about; ``"all"`` where pairs are taken together.
    basis: What the interval answers for: how much places in which nothing was done changed; chance
        within and differences between pairs; or chance among the incidents of one pair.
    ratio: The finding: a ratio with its interval.
    rank: The finding ``placebo_p`` of the same site, where there is one.
    """

    outcome: str
    site: str
    basis: Basis
    ratio: pd.Series[Any]
    rank: pd.Series[Any] | None

    @property
    def excludes_no_change(self) -> bool:
        """Whether the interval leaves out a ratio of 1."""
        return bool(self.ratio["ci_low"] > 1 or self.ratio["ci_high"] < 1)


def find_headline(findings: pd.DataFrame, outcome: str) -> Headline | None:
    """Find the number that leads for an outcome of the counts; None where nothing was compared.

    Two computed pairs or more are led by their mean: with the interval of the placebo areas where
    there are enough of them, else by random effects. A pair that is alone is not pooled: its own
    ratio leads, again with the interval of the placebo areas where there is one. Fixed effects
    never lead: their interval leaves out that pairs differ.
    """
    rows = findings[(findings["outcome"] == outcome) & (findings["period"] == "change")]
    counted = select_findings(rows, section="counts")
    placed = select_findings(rows, section="placebo")
    pairs = counted[(counted["estimator"] == "rirr") & (counted["site"] != "all")]
    pairs = pairs[pairs["estimate"].notna()]
    ranked = placed[(placed["estimator"] == "rirr_placebo") & placed["ci_low"].notna()]
    if len(pairs) > 1:
        choices: list[tuple[Basis, pd.DataFrame, str]] = [
            ("placebo", ranked[ranked["site"] == "all"], "rirr_placebo"),
            ("random effects", counted[counted["site"] == "all"], "rirr_pooled_bayes"),
        ]
    else:
        alone = pairs["site"].tolist() or ranked.loc[ranked["site"] != "all", "site"].tolist()[:1]
        choices = [
            ("placebo", ranked[ranked["site"].isin(alone)], "rirr_placebo"),
            ("pair", pairs, "rirr"),
        ]
    for basis, candidates, estimator in choices:
        ratio = find_row(candidates, estimator=estimator)
        if ratio is not None and not math.isnan(ratio["estimate"]):
            site = str(ratio["site"])
            rank = find_row(placed, estimator="placebo_p", site=site)
            known = rank is not None and not math.isnan(rank["estimate"])
            return Headline(outcome, site, basis, ratio, rank if known else None)
    return None
