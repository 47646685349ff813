"""Standard errors, intervals and standardised values of a solution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sbwork.score.latent.expressions import differentiate
from sbwork.score.latent.model import Likelihood, Model, expand
from sbwork.score.latent.table import Table, evaluate_definitions

FloatArray = NDArray[np.float64]

_SMALLEST_INFORMATION = 1e-9
_CLEAR_INFORMATION = 1e-5
_TINY = 1e-300
_Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Spread:
    """How certain parameters are.

    covariance: (q, q) of the free parameters; NaN without information.
    lost: Numbers of the free parameters about which the sample says nothing by themselves.
    """

    covariance: FloatArray
    lost: tuple[int, ...]


def reduce_information(
    information: FloatArray, scale: FloatArray, along: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return information (k, k) in the directions (q, k), and these, made orthogonal.

    Parameters are first multiplied by `scale`.
    """
    scaled = information * np.outer(scale, scale)
    if along.shape[0] == along.shape[1]:
        return scaled, along
    ways, _ = np.linalg.qr(along / scale[:, None])
    return ways.T @ scaled @ ways, ways


def is_positive(matrix: FloatArray, least: float) -> bool:
    """Tell whether a matrix (k, k) has a Cholesky factor with squared pivots above `least`."""
    try:
        pivots = np.diag(np.linalg.cholesky(matrix))
    except np.linalg.LinAlgError:
        return False
    return bool(np.min(pivots**2, initial=1.0) > least)


def invert_information(information: FloatArray, along: FloatArray) -> Spread:
    """Invert information (q, q) in the directions (q, k) that equalities leave open."""
    scale = 1 / np.sqrt(np.maximum(np.abs(np.diag(information)), _TINY))
    reduced, ways = reduce_information(information, scale, along)
    turned = scale[:, None] * ways
    if is_positive(reduced, _CLEAR_INFORMATION):
        return Spread(turned @ np.linalg.inv(reduced) @ turned.T, ())
    values, vectors = np.linalg.eigh(reduced)
    if values[0] < _SMALLEST_INFORMATION:
        loose = np.abs(ways @ vectors[:, values < _SMALLEST_INFORMATION]).max(axis=1)
        lost = tuple(np.flatnonzero(loose > 0.1 * loose.max()).tolist())
        return Spread(np.full(information.shape, np.nan), lost)
    turned = turned @ vectors
    return Spread((turned / values) @ turned.T, ())


def define(table: Table, values: NDArray[Any]) -> NDArray[Any]:
    """Put the values of definitions behind those (…, n_rows) of all rows."""
    if not table.definitions:
        return values
    names = evaluate_definitions(table, values)
    defined = np.stack([names[one.name] for one in table.definitions], axis=-1)
    return np.concatenate([values, defined], axis=-1)


def find_scales(model: Model, values: FloatArray) -> FloatArray:
    """Return what turns values (d, n_rows) into standard deviations of all variables."""
    table = model.table
    index = {name: place for place, name in enumerate((*table.observed, *table.latent))}
    scales = np.ones(values.shape)
    for number, group in enumerate(model.groups):
        variances = np.diagonal(group.solve(values).covariance, axis1=1, axis2=2)
        residual = np.zeros(variances.shape)
        rows = [(place, row) for place, row in enumerate(table.rows) if row.group == number]
        for place, row in rows:
            if row.op == "~~" and row.lhs == row.rhs:
                residual[:, index[row.lhs]] = values[:, place]
        for place, row in rows:
            lhs, rhs = index[row.lhs], index.get(row.rhs, -1)
            with np.errstate(all="ignore"):
                if row.op == "~1":
                    scales[:, place] = 1 / np.sqrt(variances[:, lhs])
                elif row.op == "=~":
                    scales[:, place] = np.sqrt(variances[:, lhs] / variances[:, rhs])
                elif row.op == "~":
                    scales[:, place] = np.sqrt(variances[:, rhs] / variances[:, lhs])
                elif lhs == rhs:
                    scales[:, place] = 1 / variances[:, lhs]
                else:
                    scales[:, place] = 1 / np.sqrt(residual[:, lhs] * residual[:, rhs])
    return scales


def standardise(model: Model, values: FloatArray) -> FloatArray:
    """Return values (d, n_rows), and definitions, in standard deviations of all variables."""
    return define(model.table, values * find_scales(model, values))


def tabulate(
    likelihood: Likelihood, groups: tuple[str, ...], parameters: FloatArray, covariance: FloatArray
) -> pd.DataFrame:
    """Make the frame of estimates from one solution (q,) and its covariance (q, q)."""
    from scipy.special import ndtr

    table = likelihood.model.table
    fixed = likelihood.fixed[0]
    with np.errstate(all="ignore"):
        estimate = define(table, expand(table, fixed, parameters))
        jacobian = differentiate(lambda x: define(table, expand(table, fixed, x)), parameters)
        estimate[~np.isfinite(estimate)] = np.nan
        jacobian[~np.isfinite(jacobian).all(axis=1)] = np.nan
        variance = np.einsum("ij,jk,ik->i", jacobian, covariance, jacobian)
        se = np.sqrt(np.where(variance > -1e-12, np.maximum(variance, 0.0), np.nan))
        z = np.where(se > 0, estimate / se, np.nan)
        standardised = standardise(likelihood.model, expand(table, fixed, parameters)[None])[0]
    rows = [
        *((row.lhs, row.op, row.rhs, groups[row.group]) for row in table.rows),
        *((one.name, ":=", one.expression.text, "") for one in table.definitions),
    ]
    frame = pd.DataFrame(rows, columns=["lhs", "op", "rhs", "group"])
    frame["estimate"], frame["se"], frame["z"] = estimate, se, z
    frame["p_value"] = 2 * ndtr(-np.abs(z))
    frame["ci_low"], frame["ci_high"] = estimate - _Z * se, estimate + _Z * se
    frame["standardised"] = standardised
    return frame
