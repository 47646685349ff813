"""What is wrong with a sample or a solution, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sbwork.score.latent.model import Likelihood
from sbwork.score.latent.sample import Sample
from sbwork.score.latent.table import Table
from sbwork.specs.errors import list_names

FloatArray = NDArray[np.float64]

_SMALLEST_EIGENVALUE = 1e-8
_LEAST_COVERAGE = 0.1
_LARGEST_CORRELATION = 1 + 1e-9


def find_obstacles(table: Table, sample: Sample) -> list[str]:
    """Say why no model can be fitted to the rows: too few, or an answer that does not vary."""
    found = []
    for number, (label, rows) in enumerate(zip(sample.groups, sample.rows, strict=True)):
        where = _locate(label)
        if len(rows) <= len(table.observed):
            found.append(
                f"Only {len(rows)} rows{where} can be used: with {len(table.observed)} variables "
                f"at least {len(table.observed) + 1} are needed."
            )
            continue
        answered = (~np.isnan(rows)).sum(axis=0)
        empty = [name for name, n in zip(table.observed, answered, strict=True) if n == 0]
        if empty:
            found.append(f"Nobody{where} has an answer to {list_names(empty)}.")
            continue
        spread = np.nanmax(rows, axis=0) - np.nanmin(rows, axis=0)
        size = np.nanmax(np.abs(rows), axis=0)
        flat = [
            name
            for name, width, most in zip(table.observed, spread, size, strict=True)
            if width <= 1e-12 * most
        ]
        if flat:
            found.append(f"Everybody{where} has the same answer to {list_names(flat)}.")
        elif sample.clusters and len(set(sample.clusters[number].tolist())) < 2:
            found.append(f"All rows{where} are in one cluster: errors by cluster need several.")
    return found


def find_sums(table: Table, groups: Sequence[str], covariances: Sequence[FloatArray]) -> list[str]:
    """Say which variables are sums of others, so that the likelihood has no maximum."""
    found = []
    for label, covariance in zip(groups, covariances, strict=True):
        scale = np.sqrt(np.diag(covariance))
        values, vectors = np.linalg.eigh(covariance / np.outer(scale, scale))
        if values[0] < _SMALLEST_EIGENVALUE:
            weights = np.abs(vectors[:, 0])
            names = [table.observed[place] for place in np.flatnonzero(weights > 1e-3)]
            found.append(
                f"Some of {list_names(names)} can be computed from the others{_locate(label)}, "
                "so the model can't be fitted."
            )
    return found


def find_gaps(table: Table, sample: Sample) -> list[str]:
    """Say which answers, or pairs of them, few people gave."""
    found = []
    for label, rows in zip(sample.groups, sample.rows, strict=True):
        if not len(rows):
            continue
        seen = (~np.isnan(rows)).astype(np.float64)
        together = seen.T @ seen / len(rows)
        for one, first in enumerate(table.observed):
            if together[one, one] < _LEAST_COVERAGE:
                share = f"{together[one, one]:.0%}"
                found.append(f"Only {share} of the rows{_locate(label)} have '{first}'.")
                continue
            rare = [
                second
                for other, second in enumerate(table.observed[:one])
                if together[other, other] >= _LEAST_COVERAGE > together[one, other]
            ]
            if rare:
                never = all(together[one, table.observed.index(name)] == 0 for name in rare)
                few = "No" if never else f"Fewer than {_LEAST_COVERAGE:.0%} of the"
                found.append(f"{few} rows{_locate(label)} have '{first}' with {list_names(rare)}.")
    return found


def find_undefined(estimates: pd.DataFrame) -> list[str]:
    """Say which defined parameters have no value at the solution."""
    lost = estimates["lhs"][(estimates["op"] == ":=") & estimates["estimate"].isna()]
    return [f"{list_names(list(lost))} can't be computed: no number results."] if len(lost) else []


def name_lost(table: Table, groups: Sequence[str], lost: Sequence[int]) -> str:
    """Say which parameters the sample can't tell apart."""
    names = []
    for place in lost:
        row = next(row for row in table.rows if row.place == place)
        names.append(f"{row.name}{_locate(groups[row.group])}")
    return f"The model is not identified: the data can't tell these apart: {list_names(names)}."


def find_improper(
    likelihood: Likelihood, groups: Sequence[str], parameters: FloatArray
) -> Iterator[str]:
    """Say where a solution is no possible one: negative variances, correlations above 1."""
    table = likelihood.model.table
    values = likelihood.expand(parameters[None])
    for number, (group, label) in enumerate(zip(likelihood.model.groups, groups, strict=True)):
        where = _locate(label)
        rows = [
            (row, value)
            for row, value in zip(table.rows, values[0], strict=True)
            if row.group == number and row.op == "~~"
        ]
        variances = {row.lhs: value for row, value in rows if row.lhs == row.rhs}
        negative = [name for name, value in variances.items() if value < 0]
        if negative:
            yield (
                f"The variance of {list_names(negative)}{where} is estimated below 0 (a Heywood "
                "case): the model may be wrong, or the sample too small."
            )
        for row, value in rows:
            most = variances[row.lhs] * variances[row.rhs]
            if row.lhs != row.rhs and most > 0 and value**2 > most * _LARGEST_CORRELATION**2:
                yield f"The correlation of '{row.lhs}' and '{row.rhs}'{where} is above 1."
        latent = group.solve(values).covariance[0, group.n_observed :, group.n_observed :]
        if len(latent) > 1 and not negative:
            scale = np.sqrt(np.maximum(np.diag(latent), 1e-300))
            if np.linalg.eigvalsh(latent / np.outer(scale, scale))[0] < -_SMALLEST_EIGENVALUE:
                yield (
                    f"The covariances of {list_names(table.latent)}{where} are not possible ones: "
                    "some combination has a negative variance."
                )


def _locate(group: str) -> str:
    return f" in group '{group}'" if group else ""
