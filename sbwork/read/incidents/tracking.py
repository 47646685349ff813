"""Whether the series of each feed hold the same from month to month: what is read, put to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from sbwork.read.incidents.continuity import Continuity, check_continuity
from sbwork.read.incidents.counting import Coverage, OutcomeKinds
from sbwork.read.incidents.tallies import Reading
from sbwork.specs.cohort import Cohort
from sbwork.specs.documents import fold_name

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
        Every counted row, wherever it lies, as `sbwork.read.places.placing.place_rows` leaves them.
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
        What must count as missing, and lines for the table of data quality.
    """
    archives = _list_feeds(readings, "police-uk")
    counted = _list_feeds(readings, "counts")
    covered = {
        feed: [month for month, has in zip(coverage.span, row, strict=True) if has]
        for feed, row in zip(coverage.feeds, coverage.covered.tolist(), strict=True)
        if feed not in counted
    }
    renamed = [
        {fold_name(theirs): ours for theirs, ours in source.crime_types.items()}
        for source in cohort.incidents
    ]
    members: dict[str, dict[str, float]] = {key: {} for key in outcomes.keys}
    for key, outcome in cohort.outcomes.items():
        members[key] = dict.fromkeys(outcome.crime_types, 1.0)
    for (source, kind, number), weight in outcomes.weights.items():
        members[outcomes.keys[number]][renamed[source].get(fold_name(kind), kind)] = weight
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
    kinds = placed["kind"].cat.categories
    shape = (len(renamed), len(coverage.feeds), len(kinds), len(coverage.span))
    axes = (
        placed["source"],
        placed["feed"],
        placed["kind"].cat.codes,
        placed["month"] - coverage.origin,
    )
    cell = np.ravel_multi_index([axis.to_numpy(np.intp) for axis in axes], shape)
    size = int(np.prod(shape))
    names = np.array(
        [[theirs.get(fold_name(kind), kind) for kind in kinds] for theirs in renamed], dtype=object
    ).reshape(shape[0], shape[2])
    found = np.flatnonzero(np.bincount(cell, minlength=size))
    source, feed, kind, month = np.unravel_index(found, shape)
    return pd.DataFrame(
        {
            "feed": np.array(coverage.feeds, dtype=object)[feed],
            "kind": names[source, kind],
            "month": np.array(coverage.span, dtype=object)[month],
            "n": np.bincount(cell, placed["n"], size)[found],
        }
    )
