"""What a model's chi-square would fall by if one more parameter were free."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sbwork.score.latent.inference import find_scales
from sbwork.score.latent.model import Likelihood, Model
from sbwork.score.latent.table import Row, Table

FloatArray = NDArray[np.float64]

MODIFICATION_COLUMNS = ("lhs", "op", "rhs", "group", "mi", "epc", "standardised")
_SMALLEST_SHARE = 1e-7


def compute_modifications(
    likelihood: Likelihood,
    parameters: FloatArray,
    along: FloatArray,
    groups: Sequence[str],
) -> pd.DataFrame:
    """Compute score tests of what is fixed, left out, or equal to something else.

    `along` are the directions that equalities leave open. Parameters whose freedom the data could
    not tell from the others' are left out.

    Source: Sörbom, D. (1989). Psychometrika, 54, 371-384.
    """
    table = likelihood.model.table
    values = likelihood.expand(parameters[None])[0]
    added = [row for group in range(len(groups)) for row in _list_absent(table, group)]
    rows = [*table.rows, *added]
    wide = replace(
        table, rows=tuple(replace(row, place=n) for n, row in enumerate(rows)), size=len(rows)
    )
    model = Model.from_table(wide, len(groups))
    here = np.concatenate([values, np.zeros(len(added))])
    derivatives = Likelihood.from_moments(model, likelihood.moments).differentiate(here[None])
    gradient = derivatives.gradient[0]
    information = derivatives.expected[0]
    places = np.array([row.place for row in rows])
    free = np.flatnonzero(places >= 0)
    chosen = np.zeros((len(rows), table.size))
    chosen[free, places[free]] = 1.0
    moving = chosen @ along
    crossed = information @ moving
    own = np.linalg.inv(moving.T @ crossed)
    left = np.diag(information) - np.einsum("ij,jk,ik->i", crossed, own, crossed)
    shared = np.bincount(places[free], minlength=table.size)
    scales = find_scales(model, here[None])[0]
    found = []
    for number, row in enumerate(rows):
        is_free = row.place >= 0 and shared[row.place] == 1
        lost = left[number] <= _SMALLEST_SHARE * abs(information[number, number])
        if is_free or lost or row.exogenous:
            continue
        change = -gradient[number] / left[number]
        mi = likelihood.n * gradient[number] ** 2 / left[number]
        name = (row.lhs, row.op, row.rhs, groups[row.group])
        found.append((*name, mi, change, change * scales[number]))
    return pd.DataFrame(found, columns=list(MODIFICATION_COLUMNS))


def _list_absent(table: Table, group: int) -> Iterator[Row]:
    """List what a model leaves out: loadings, covariances, and paths among what has paths."""
    known = {row.key for row in table.rows}
    items = [row.rhs for row in table.rows if row.op == "=~" and row.group == group]
    items = [name for name in table.observed if name in items]
    tied = dict.fromkeys(side for row in table.rows if row.op == "~" for side in (row.lhs, row.rhs))
    own = [name for name in table.observed if name not in table.covariates]
    candidates = [(factor, "=~", item) for factor in table.latent for item in items]
    candidates += [(lhs, "~~", rhs) for lhs, rhs in combinations(own, 2)]
    candidates += [(lhs, "~~", rhs) for lhs, rhs in combinations(table.latent, 2)]
    candidates += [
        (lhs, "~", rhs)
        for lhs in tied
        for rhs in tied
        if lhs != rhs and lhs not in table.covariates
    ]
    for lhs, op, rhs in candidates:
        row = Row(lhs, op, rhs, group)
        if row.key not in known and (rhs, "=~", lhs) not in known:
            yield row
