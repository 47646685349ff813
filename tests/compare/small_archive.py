"""Cohorts and incidents made by hand, for tests of what is compared."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sbwork.read.incidents import Incidents
from sbwork.specs.cohort import Cohort

CAUSAL = re.compile(r"\b(?:reduc\w*|caus\w*|led to|impact\w*)\b", re.IGNORECASE)
PAIR = {"intervention": "north", "control": "south"}
ASB = {"asb": {"title": "ASB", "crime_types": ["Anti-social behaviour"]}}
YEARS = {
    "before": {"start": "2016-01", "end": "2016-12"},
    "after": {"start": "2017-01", "end": "2017-12"},
}


def make_cohort(pairs: Sequence[Mapping[str, str]] = (PAIR,), **more: Any) -> Cohort:
    named = sorted({site for pair in pairs for site in pair.values()})
    sites = {site: {} for site in named}
    return Cohort.model_validate(
        {"name": "pilot", "pairs": pairs, "sites": sites, "periods": YEARS, **more}
    )


def make_incidents(
    months: Sequence[str],
    sites: Mapping[str, np.ndarray],
    areas: np.ndarray = (),
    overlap: Mapping[int, str] | None = None,
    names: Sequence[str] | None = None,
    outcome: str = "asb",
) -> Incidents:
    """Lay out sites and areas (areas by months); `overlap` says which areas lie in a site."""

    def lay_out(keys: Sequence[str], counts: np.ndarray, key: str) -> pd.DataFrame:
        frame = pd.DataFrame(counts, index=pd.Index(keys, name=key), columns=list(months))
        long = frame.reset_index().melt(key, var_name="month", value_name="count")
        return long.assign(outcome=outcome)

    codes = [f"E{number:05d}" for number in range(len(areas))]
    owner = {codes[number]: site for number, site in (overlap or {}).items()}
    laid = pd.DataFrame(columns=["area", "name", "site", "outcome", "month", "count"])
    if codes:
        laid = lay_out(codes, areas, "area")
        laid = laid.assign(
            name=laid["area"].map(dict(zip(codes, names or codes, strict=True))),
            site=[owner.get(area, "") for area in laid["area"]],
        )
    own = lay_out(list(sites), np.array(list(sites.values()), dtype=float), "site")
    own = own.astype({"site": "str", "month": "str"})
    return Incidents(own, laid, tuple(months), (), pd.DataFrame())


def pick(frame: pd.DataFrame, estimator: str, site: str = "north", period: str = "") -> pd.Series:
    rows = frame[(frame["estimator"] == estimator) & (frame["site"] == site)]
    rows = rows[rows["period"] == period] if period else rows
    assert len(rows) == 1, f"{len(rows)} rows of {estimator} for {site}, {period}"
    return rows.iloc[0]
