"""Standard errors and tests that don't rest on normal answers, or on independent people.

Source: Satorra, A., & Bentler, P. M. (1994), in von Eye & Clogg, Latent Variables Analysis. Yuan,
K.-H., & Bentler, P. M. (2000). Sociological Methodology, 30, 165-200. Brosseau-Liard, P. E., &
Savalei, V. (2014). Multivariate Behavioral Research, 49, 460-470 (indices of complete answers).
Zhang, X., & Savalei, V. (2023). Psychological Methods, 28, 263-283 (of incomplete answers).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sbwork.score.latent.indices import ChiSquare
from sbwork.score.latent.inference import invert_information
from sbwork.score.latent.model import Likelihood, Model, invert_patterns, list_directions
from sbwork.score.latent.sample import Sample
from sbwork.score.latent.table import Table, build_unrestricted

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model at one solution (q,), and the cases.

    along: Directions (q, k) that equalities leave open.
    inverse: The covariance of the parameters by the information.
    centred: Whether cases are taken around the sample's means and their scores around their own
        mean, and the information is the expected one (Satorra and Bentler), or neither.
    """

    likelihood: Likelihood
    parameters: FloatArray
    along: FloatArray
    inverse: FloatArray
    sample: Sample
    centred: bool

    def move(self, likelihood: Likelihood, parameters: FloatArray) -> Fitted:
        """Take another model of the same cases at its solution."""
        derivatives = likelihood.differentiate(parameters[None])
        information = derivatives.expected if self.centred else derivatives.observed
        along = np.eye(len(parameters))
        inverse = invert_information(likelihood.n * information[0], along).covariance
        return Fitted(likelihood, parameters, along, inverse, self.sample, self.centred)


@dataclass(frozen=True, slots=True)
class Scaled:
    """By how much a chi-square is too large for each degree of freedom, and what indices rest on.

    With answers that all are there, indices rest on the same chi-square and factor.
    """

    factor: float
    for_indices: ChiSquare


def sandwich(fitted: Fitted) -> FloatArray:
    """Return the covariance of parameters (q, q) by the sandwich of Huber and White."""
    return fitted.inverse @ _multiply(fitted) @ fitted.inverse


def scale_chi_squares(
    fitted: Fitted, model: ChiSquare, baseline: ChiSquare, *, incomplete: bool
) -> tuple[Scaled, Scaled]:
    """Return the scaling of a model and of its baseline; factors are NaN without freedom.

    `incomplete` is for models fitted by full information, for indices of which the likeliest
    moments take the place of the sample's.
    """
    saturated = _fit_unrestricted(fitted, covary=True)
    scaled = []
    for one, chi in ((fitted, model), (_fit_unrestricted(fitted, covary=False), baseline)):
        if not chi.df:
            scaled.append(Scaled(np.nan, chi))
            continue
        whole = _imply_saturated(one, saturated) if fitted.centred else saturated
        own = _inform_by_moments(one, saturated) if fitted.sample.clusters else one
        factor = (_trace(whole) - _trace(own)) / chi.df
        for_indices = replace(chi, factor=factor)
        if incomplete:
            for_indices = _correct_incomplete(one, saturated, chi.df)
        scaled.append(Scaled(factor, for_indices))
    return scaled[0], scaled[1]


def _trace(fitted: Fitted) -> float:
    return float(np.sum(_multiply(fitted) * fitted.inverse))


def _fit_unrestricted(fitted: Fitted, *, covary: bool) -> Fitted:
    """Fit means and variances without a model, with covariances or without."""
    given = fitted.likelihood
    groups = len(given.moments)
    table = build_unrestricted(given.model.table, groups, covary=covary)
    likelihood = Likelihood.from_moments(Model.from_table(table, groups), given.moments)
    moments = []
    for sample in given.moments:
        mean, variances = sample.list_margins()
        moments.append(
            (sample.mean[0], sample.covariance[0]) if covary else (mean, np.diag(variances))
        )
    return fitted.move(likelihood, _pick(table, moments))


def _imply_saturated(fitted: Fitted, saturated: Fitted) -> Fitted:
    """Take what a model implies as the parameters of unrestricted moments."""
    likelihood = fitted.likelihood
    values = likelihood.expand(fitted.parameters[None])
    moments = []
    for group, sample in zip(likelihood.model.groups, likelihood.moments, strict=True):
        system, p = group.solve(values), group.n_observed
        mean = system.means[0, :p] if likelihood.model.table.has_means else sample.mean[0]
        moments.append((mean, system.covariance[0, :p, :p]))
    parameters = _pick(saturated.likelihood.model.table, moments)
    return fitted.move(saturated.likelihood, parameters)


def _inform_by_moments(one: Fitted, saturated: Fitted) -> Fitted:
    """Take the information about a model from that about the moments that it implies.

    lavaan does so for tests by cluster, and for these only.
    """
    implied = _imply_saturated(one, saturated)
    whole = implied.likelihood
    known = whole.n * whole.differentiate(implied.parameters[None]).observed[0]
    change = _relate(one, implied) @ one.along
    inverse = one.along @ np.linalg.inv(change.T @ known @ change) @ one.along.T
    return replace(one, inverse=inverse)


def _pick(table: Table, moments: Sequence[tuple[FloatArray, FloatArray]]) -> FloatArray:
    """Order moments, a mean and covariance a group, as parameters of an unrestricted table."""
    index = {name: place for place, name in enumerate(table.observed)}
    parameters = np.zeros(table.size)
    for row in table.rows:
        if row.place >= 0:
            mean, covariance = moments[row.group]
            lhs = index[row.lhs]
            parameters[row.place] = mean[lhs] if row.op == "~1" else covariance[lhs, index[row.rhs]]
    return parameters


def _correct_incomplete(one: Fitted, saturated: Fitted, df: float) -> ChiSquare:
    """Compare a model with the likeliest moments as if these were a complete sample's."""
    complete = tuple(sample.merge() for sample in saturated.likelihood.moments)
    whole = Likelihood(saturated.likelihood.model, complete, saturated.likelihood.fixed)
    model = Likelihood(one.likelihood.model, complete, one.likelihood.fixed)
    n, where = whole.n, saturated.parameters[None]
    least = whole.compute_discrepancy(where)[0]
    chi = 2 * n * float(model.compute_discrepancy(one.parameters[None])[0] - least)
    known = n * saturated.likelihood.differentiate(where).observed[0]
    weight = n * whole.differentiate(where).observed[0]
    products, inverse = _multiply(saturated), saturated.inverse
    change = _relate(one, saturated) @ one.along
    own = np.linalg.inv(change.T @ known @ change)
    spread = change.T @ products @ change @ own
    crossed = change.T @ products @ inverse @ weight @ change
    total = np.sum(weight * (inverse @ products @ inverse)) - 2 * np.sum(crossed * own)
    total += np.sum(spread * (change.T @ weight @ change @ own).T)
    return ChiSquare(chi, df, float(total) / df)


def _relate(one: Fitted, saturated: Fitted) -> FloatArray:
    """Return how unrestricted moments change with a model's parameters."""
    model, table = one.likelihood.model, saturated.likelihood.model.table
    values = one.likelihood.expand(one.parameters[None])
    index = {name: place for place, name in enumerate(table.observed)}
    change = np.zeros((table.size, model.table.size))
    for number, group in enumerate(model.groups):
        u, v, shift = (part[0] for part in list_directions(group, group.solve(values)))
        places = group.places if table.has_means else group.places[: u.shape[1]]
        for row in table.rows:
            if row.group != number or row.place < 0:
                continue
            lhs, rhs = index[row.lhs], index.get(row.rhs, -1)
            moved = np.zeros(len(places))
            if row.op == "~1":
                moved = shift[lhs]
            else:
                moved[: u.shape[1]] = u[lhs] * v[rhs] + v[lhs] * u[rhs]
            np.add.at(change[row.place], places, moved)
    return change


def _multiply(fitted: Fitted) -> FloatArray:
    """Add the outer products of cases' scores, or of clusters': (q, q).

    Clusters of different groups count as different ones; a sum over c clusters is raised by
    c / (c - 1).
    """
    total = np.zeros((len(fitted.parameters),) * 2)
    for number, scores in enumerate(_score_cases(fitted)):
        factor = 1.0
        if fitted.centred:
            scores = scores - scores.mean(axis=0)
        if fitted.sample.clusters:
            _, codes = np.unique(fitted.sample.clusters[number], return_inverse=True)
            summed = np.zeros((int(codes.max()) + 1, scores.shape[1]))
            np.add.at(summed, codes, scores)
            factor = len(summed) / (len(summed) - 1) if len(summed) > 1 else np.nan
            scores = summed
        total += factor * (scores.T @ scores)
    return total


def _score_cases(fitted: Fitted) -> Iterator[FloatArray]:
    """Yield every case's derivative of its log-likelihood (n, q), by group."""
    likelihood = fitted.likelihood
    table = likelihood.model.table
    values = likelihood.expand(fitted.parameters[None])
    for number, group in enumerate(likelihood.model.groups):
        rows, system, p = fitted.sample.rows[number], group.solve(values), group.n_observed
        u, v, shift = (part[0] for part in list_directions(group, system))
        centre = likelihood.moments[number].mean[0]
        if table.has_means and not fitted.centred:
            centre = system.means[0, :p]
        seen, pattern = np.unique(~np.isnan(rows), axis=0, return_inverse=True)
        weights = invert_patterns(system.covariance[:, :p, :p], seen)[0]
        away = np.nan_to_num(rows - centre)
        width = shift.shape[1] if table.has_means else u.shape[1]
        own = np.zeros((len(rows), width))
        for place, weight in enumerate(weights):
            members = pattern.reshape(-1) == place
            z = away[members] @ weight
            own[members, : u.shape[1]] = (z @ u) * (z @ v) - np.sum(u * (weight @ v), axis=0)
            if table.has_means:
                own[members] += z @ shift
            if fitted.centred and table.covariates:
                z = _regress(away, table) @ weight
                own[:, : u.shape[1]] -= (z @ u) * (z @ v)
                if table.has_means:
                    own -= z @ shift
        scores = np.zeros((len(rows), table.size))
        np.add.at(scores.T, group.places[: own.shape[1]], own.T)
        yield scores


def _regress(away: FloatArray, table: Table) -> FloatArray:
    """Return what the covariates say of each complete case; covariates say themselves."""
    inner = [table.observed.index(name) for name in table.covariates]
    slopes = np.linalg.lstsq(away[:, inner], away, rcond=None)[0]
    return np.asarray(away[:, inner] @ slopes)
