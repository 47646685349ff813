"""The rows of a data frame that a model can use, by group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sbwork.score.latent.moments import Moments
from sbwork.specs.errors import InputError, Problem, find_nearest, list_names

FloatArray = NDArray[np.float64]

FILE = "data"


@dataclass(frozen=True, slots=True)
class Sample:
    """The cases that are used.

    groups: Names, in the order of first appearance; one empty name without groups.
    rows: One array (n, p) a group, in the order of the model's observed variables.
    clusters: One array of codes a group; empty without clusters.
    notes: What was left out, in sentences.
    """

    groups: tuple[str, ...]
    rows: tuple[FloatArray, ...]
    clusters: tuple[NDArray[np.intp], ...]
    notes: tuple[str, ...]

    def compute_moments(self) -> tuple[Moments, ...]:
        """Compute every group's moments by pattern."""
        return tuple(Moments.from_rows(rows) for rows in self.rows)


def list_groups(data: pd.DataFrame, group: str | None) -> list[object]:
    """List the groups in the order of first appearance."""
    if group is None:
        return [None]
    _check_columns(data, [group], "group")
    return list(data[group].dropna().unique())


def select_sample(
    data: pd.DataFrame,
    variables: Sequence[str],
    covariates: Sequence[str],
    *,
    latent: Sequence[str],
    group: str | None,
    missing: str,
    cluster: str | None,
) -> Sample:
    """Take the model's columns, and leave out rows that it can't use; `notes` say which."""
    _check_columns(data, variables, "the model")
    clash = [name for name in latent if name in data.columns]
    if clash:
        found = f"'{clash[0]}' is a latent variable in the model and a column of the data"
        raise InputError(Problem(FILE, "", found, "Give the latent variable another name"))
    values = np.column_stack([_read_column(data, name) for name in variables])
    notes: list[str] = []
    used = np.ones(len(data), dtype=np.bool_)

    def leave_out(rows: Any, why: str) -> None:
        count = int((rows & used).sum())
        if count:
            notes.append(f"{count} of {len(data)} rows were left out: {why}.")
        np.logical_and(used, ~rows, out=used)

    lacking = np.isnan(values)
    if group is not None:
        leave_out(data[group].isna().to_numpy(), f"they have no '{group}'")
    if cluster is not None:
        _check_columns(data, [cluster], "cluster")
        leave_out(data[cluster].isna().to_numpy(), f"they have no '{cluster}'")
    if missing == "listwise":
        leave_out(lacking.any(axis=1), "an answer is missing")
    else:
        inner = [variables.index(name) for name in covariates]
        why = f"a covariate is missing ({list_names(covariates)})"
        leave_out(lacking[:, inner].any(axis=1), why)
        leave_out(lacking.all(axis=1), "every answer is missing")
    labels = list_groups(data, group)
    members = [
        used if group is None else used & (data[group] == label).to_numpy() for label in labels
    ]
    codes = None if cluster is None else pd.factorize(data[cluster])[0]
    return Sample(
        tuple("" if group is None else str(label) for label in labels),
        tuple(values[rows] for rows in members),
        () if codes is None else tuple(codes[rows] for rows in members),
        tuple(notes),
    )


def _check_columns(data: pd.DataFrame, names: Sequence[str], place: str) -> None:
    columns = [str(column) for column in data.columns]
    missing = [name for name in names if name not in columns]
    if missing:
        raise InputError(
            Problem(FILE, "", f"{place} names '{name}', which is no column", "", nearest)
            for name in missing
            for nearest in [find_nearest(name, columns)]
        )
    double = [name for name in names if columns.count(name) > 1]
    if double:
        raise InputError(Problem(FILE, "", f"'{double[0]}' names several columns"))


def _read_column(data: pd.DataFrame, name: str) -> FloatArray:
    column = data[name]
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_complex_dtype(column):
        found = f"column '{name}' holds {column.dtype} values"
        raise InputError(Problem(FILE, "", found, "The model's columns must hold numbers"))
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    if np.isinf(values).any():
        found = f"column '{name}' holds {int(np.isinf(values).sum())} infinite values"
        raise InputError(Problem(FILE, "", found, "Make them missing, or leave the rows out"))
    return values
