"""Whether the series of each feed hold the same from month to month: what is read, put to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from sbwork.cohort import Cohort
from sbwork.incidents.continuity import Continuity, check_continuity
from sbwork.incidents.counting import Coverage, OutcomeKinds
from sbwork.readers.tally import Reading

__all__ = ["track_series"]


def track_series(
    placed: pd.DataFrame,
    cohort: Cohort,
    readings: Sequence[Reading],
    outcomes: OutcomeKinds,
    coverage: Coverage,
) -> Continuity:
    """Check each feed's months for what can't be compared (see `check_continuity`).

    Parameters
    ----------
    placed : pandas.DataFrame
        Every counted row, wherever it lies, as `sbwork.places.placing.place_rows` leaves them.
    cohort : Cohort
        Its names for crime types, its outcomes, and the months that are compared.
    readings : sequence of Reading
        For how each source was read. A month of counts made by others may stand with a zero, so
        feeds of such are not judged.
    outcomes : OutcomeKinds
        Which outcome each kind counts for.
    coverage : Coverage
        Which feed covers which month.

    Returns
    -------
    Continuity
        What must count as missing, and rows for the table of data quality.
    """
    archives = _list_feeds(readings, "police-uk")
    counted = _list_feeds(readings, "counts")
    covered = {
        feed: [month for month, has in zip(coverage.span, row, strict=True) if has]
        for feed, row in zip(coverage.feeds, coverage.covered.tolist(), strict=True)
        if feed not in counted
    }
    renamed = [
        {_fold(theirs): ours for theirs, ours in source.crime_types.items()}
        for source in cohort.incidents
    ]
    members: dict[str, dict[str, float]] = {key: {} for key in outcomes.keys}
    for key, outcome in cohort.outcomes.items():
        members[key] = dict.fromkeys(outcome.crime_types, 1.0)
    for (source, kind, number), weight in outcomes.weights.items():
        members[outcomes.keys[number]][renamed[source].get(_fold(kind), kind)] = weight
    periods = cohort.periods
    return check_continuity(
        _sum_feeds(placed, renamed, coverage),
        covered,
        members,
        titles={key: cohort.title_outcome(key) for key in outcomes.keys},
        compared=(*periods.before.months, *periods.after.months) if periods else (),
        archives=archives - counted,
    )


def _list_feeds(readings: Sequence[Reading], style: str) -> set[str]:
    return {
        batch.feed for reading in readings if reading.style == style for batch in reading.batches
    }


def _sum_feeds(
    placed: pd.DataFrame, renamed: Sequence[Mapping[str, str]], coverage: Coverage
) -> pd.DataFrame:
    """Sum incidents by feed, crime type under the cohort's name, and month."""
    sums = placed.groupby(["source", "feed", "kind", "month"], observed=True)["n"].sum()
    rows = sums.reset_index()
    months = rows["month"].to_numpy(dtype=np.intp)
    return pd.DataFrame(
        {
            "feed": [coverage.feeds[feed] for feed in rows["feed"]],
            "kind": [
                renamed[source].get(_fold(kind), kind)
                for source, kind in zip(rows["source"], rows["kind"], strict=True)
            ],
            "month": [f"{month // 12:04d}-{month % 12 + 1:02d}" for month in months],
            "n": rows["n"].to_numpy(dtype=np.float64),
        }
    )


def _fold(name: str) -> str:
    return " ".join(str(name).split()).casefold()
