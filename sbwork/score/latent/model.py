"""What a model implies of means and covariances, and how far that is from a sample.

All variables, observed then latent, follow y = a + B y + e with cov(e) = S; loadings and paths are
in B, variances and covariances in S, intercepts in a. With A = (I - B)^-1 the implied moments are
those of the observed rows of A a and A S A'. Every free parameter enters the covariance matrix as
d(Sigma) = u v' + v u' for two vectors u and v, and the means as a vector d; gradient and
information need nothing else.

Source: Bollen, K. A. (1989). Structural Equations with Latent Variables. Arbuckle, J. L. (1996).
Full information estimation in the presence of incomplete data (the likelihood by patterns).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sbwork.score.latent.moments import Moments
from sbwork.score.latent.table import Table

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_SMALLEST_PIVOT = 1e-10
_MOST_AT_ONCE = 200_000


class Derivatives(NamedTuple):
    """Of half the discrepancy: gradient (d, q), expected and observed information (d, q, q)."""

    gradient: FloatArray
    expected: FloatArray
    observed: FloatArray


class System(NamedTuple):
    """One group's A, A S A', and A a, for all variables."""

    effects: FloatArray
    covariance: FloatArray
    means: FloatArray


class _Group:
    """Where one group's parameters stand in B, S and a; free ones only, fixed ones apart."""

    def __init__(self, table: Table, group: int) -> None:
        names = [*table.observed, *table.latent]
        index = {name: place for place, name in enumerate(names)}
        self.size = len(names)
        self.n_observed = len(table.observed)
        cells: dict[str, list[tuple[int, int, int, int]]] = {"paths": [], "spread": [], "means": []}
        for number, row in enumerate(table.rows):
            if row.group != group:
                continue
            lhs, rhs = index[row.lhs], index.get(row.rhs, -1)
            kind = {"=~": "paths", "~": "paths", "~~": "spread", "~1": "means"}[row.op]
            cell = (rhs, lhs) if row.op == "=~" else (lhs, rhs)
            cells[kind].append((number, *cell, row.place))
        self.paths, self.spread, self.means = (
            np.array(cells[kind], dtype=np.intp).reshape(-1, 4).T
            for kind in ("paths", "spread", "means")
        )
        reach = np.zeros((self.size, self.size), dtype=np.bool_)
        reach[self.paths[1], self.paths[2]] = True
        self.depth = 1
        power = reach.copy()
        while power.any() and self.depth <= self.size:
            power = power @ reach
            self.depth += 1
        self.is_recursive = self.depth <= self.size
        self.free_paths, self.free_spread, self.free_means = (
            cell[1:, cell[3] >= 0] for cell in (self.paths, self.spread, self.means)
        )
        self.places = np.concatenate([self.free_paths[2], self.free_spread[2], self.free_means[2]])
        self.is_distinct = len(set(self.places.tolist())) == len(self.places)
        self.is_whole = self.places.tolist() == list(range(table.size))
        leads = np.linalg.matrix_power(np.eye(self.size) + reach, self.size) > 0
        sources, targets = self.free_paths[1], self.free_paths[0]
        self.is_chained = bool(leads[np.ix_(sources, targets)].any())
        first, second = self.free_spread[:2]
        bends = (leads[sources][:, first] | leads[sources][:, second]).any(axis=0)
        self.bent_spread = np.flatnonzero(bends)
        self.bent_means = np.flatnonzero(leads[sources][:, self.free_means[0]].any(axis=0))
        self.halves = np.where(self.free_spread[0] == self.free_spread[1], 0.5, 1.0)

    def solve(self, values: FloatArray) -> System:
        """Compute effects and moments of all variables from all parameters (d, n_rows)."""
        shape = (len(values), self.size, self.size)
        paths = np.zeros(shape)
        paths[:, self.paths[1], self.paths[2]] = values[:, self.paths[0]]
        spread = np.zeros(shape)
        spread[:, self.spread[1], self.spread[2]] = values[:, self.spread[0]]
        spread[:, self.spread[2], self.spread[1]] = values[:, self.spread[0]]
        unit = np.eye(self.size)
        if self.is_recursive:
            effects = unit + paths
            for _ in range(self.depth - 2):
                effects = unit + paths @ effects
        else:
            effects = _invert(unit - paths)
        constants = np.zeros(shape[:2])
        constants[:, self.means[1]] = values[:, self.means[0]]
        means = (effects @ constants[..., None])[..., 0]
        return System(effects, effects @ spread @ np.swapaxes(effects, 1, 2), means)


@dataclass(frozen=True, slots=True)
class Model:
    """A table with its places in matrices."""

    table: Table
    groups: tuple[_Group, ...]

    @classmethod
    def from_table(cls, table: Table, n_groups: int) -> Model:
        """Find where each parameter stands."""
        return cls(table, tuple(_Group(table, group) for group in range(n_groups)))


@dataclass(frozen=True, slots=True)
class Likelihood:
    """A model beside samples: d of them at once, each in all groups."""

    model: Model
    moments: tuple[Moments, ...]
    fixed: FloatArray

    @classmethod
    def from_moments(cls, model: Model, moments: Sequence[Moments]) -> Likelihood:
        """Fix what the table fixes, at the samples' own moments where it says so."""
        table = model.table
        index = {name: place for place, name in enumerate(table.observed)}
        fixed = np.zeros((len(moments[0].means), len(table.rows)))
        for place, row in enumerate(table.rows):
            if row.exogenous:
                sample = moments[row.group]
                lhs = index[row.lhs]
                fixed[:, place] = (
                    sample.mean[:, lhs]
                    if row.op == "~1"
                    else sample.covariance[:, lhs, index[row.rhs]]
                )
            elif row.place < 0:
                fixed[:, place] = row.fixed
        return cls(model, tuple(moments), fixed)

    @property
    def n(self) -> float:
        """Cases of all groups."""
        return sum(sample.n for sample in self.moments)

    def take(self, rows: NDArray[np.intp]) -> Likelihood:
        """Keep some of the samples."""
        if len(rows) == len(self.fixed):
            return self
        moments = tuple(sample.take(rows) for sample in self.moments)
        return Likelihood(self.model, moments, self.fixed[rows])

    def expand(self, parameters: FloatArray) -> FloatArray:
        """Return all parameters (d, n_rows), fixed ones too, from the free ones (d, q)."""
        return expand(self.model.table, self.fixed, parameters)

    def compute_discrepancy(self, parameters: FloatArray) -> FloatArray:
        """Compute half the discrepancy: infinite where Sigma is no covariance matrix."""
        values = self.expand(parameters)
        total = np.zeros(len(parameters))
        for group, sample in zip(self.model.groups, self.moments, strict=True):
            with np.errstate(over="ignore", invalid="ignore"):
                system = group.solve(values)
            p = group.n_observed
            implied = np.where(np.isfinite(system.covariance), system.covariance, np.inf)
            means = system.means[:, :p] if self.model.table.has_means else None
            total += sample.n / self.n / 2 * _measure(implied[:, :p, :p], means, sample)
        return total

    def differentiate(self, parameters: FloatArray) -> Derivatives:
        """Compute the derivatives of half the discrepancy."""
        values, has_means = self.expand(parameters), self.model.table.has_means
        groups = self.model.groups
        if len(groups) == 1 and groups[0].is_whole:
            system = groups[0].solve(values)
            return _differentiate(groups[0], system, self.moments[0], has_means=has_means)
        d, q = len(parameters), self.model.table.size
        total = Derivatives(np.zeros((d, q)), np.zeros((d, q, q)), np.zeros((d, q, q)))
        for group, sample in zip(groups, self.moments, strict=True):
            parts = _differentiate(group, group.solve(values), sample, has_means=has_means)
            for whole, part in zip(total, parts, strict=True):
                _scatter(whole, part * (sample.n / self.n), group)
        return total


def expand(table: Table, fixed: FloatArray, parameters: NDArray[Any]) -> NDArray[Any]:
    """Put free parameters (…, q) among the fixed ones (…, n_rows)."""
    free = table.places >= 0
    values = np.empty((*parameters.shape[:-1], len(free)), dtype=parameters.dtype)
    values[...] = fixed
    values[..., free] = parameters[..., table.places[free]]
    return values


def list_directions(group: _Group, system: System) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return u, v (d, p, covariance parameters) and d (d, p, all parameters) of one group."""
    p = group.n_observed
    reach = system.effects[:, :p, :]
    rows, columns = group.free_paths[0], group.free_paths[1]
    first, second = group.free_spread[0], group.free_spread[1]
    # Not by reach[:, :, rows]: numpy lays that out so that products of matrices become slow.
    u = np.take(reach, np.concatenate([rows, first]), axis=2)
    n, k = len(rows), u.shape[2]
    v = np.empty(u.shape)
    v[:, :, :n] = np.take(system.covariance[:, :p, :], columns, axis=2)
    v[:, :, n:] = np.take(reach, second, axis=2) * group.halves
    shift = np.zeros((len(u), p, len(group.places)))
    shift[:, :, :n] = u[:, :, :n] * system.means[:, None, columns]
    shift[:, :, k:] = np.take(reach, group.free_means[0], axis=2)
    return u, v, shift


def invert_patterns(implied: FloatArray, seen: BoolArray) -> FloatArray:
    """Invert the seen part of Sigma for each pattern: (d, patterns, p, p), 0 for what is unseen."""
    if seen.all():
        return _invert(implied)[:, None]
    both = seen[:, :, None] & seen[:, None, :]
    return np.where(both, _invert(np.where(both, implied[:, None], np.eye(seen.shape[1]))), 0.0)


def _invert(matrices: FloatArray) -> FloatArray:
    try:
        return np.asarray(np.linalg.inv(matrices))
    except np.linalg.LinAlgError:
        return np.full(matrices.shape, np.nan)


def _differentiate(
    group: _Group, system: System, sample: Moments, *, has_means: bool
) -> Derivatives:
    """Return one group's gradient, expected and observed information, by place in the group.

    With W = Sigma^-1, r the mean residual, T = S + r r', K = W T W and G = W - K, the observed
    information is that of tr(K dSigma_j W dSigma_i) - tr(W dSigma_j W dSigma_i) / 2 +
    r'W (dSigma_i W d_j + dSigma_j W d_i) + d_i'W d_j + tr(G d2Sigma_ij) / 2 - r'W d2mu_ij.
    """
    p = group.n_observed
    u, v, shift = list_directions(group, system)
    k, q = u.shape[2], shift.shape[2] if has_means else u.shape[2]
    expected, observed = np.zeros((2, len(u), q, q))
    misfit, pull = np.zeros((len(u), p, p)), np.zeros((len(u), p))
    step = max(1, _MOST_AT_ONCE // (len(u) * q * q + 1))
    for start in range(0, len(sample.seen), step):
        part = sample.slice(slice(start, start + step))
        weight = invert_patterns(system.covariance[:, :p, :p], part.seen)
        spread = part.covariances
        if has_means:
            residual = (part.means - system.means[:, None, :p]) * part.seen
            spread = spread + residual[..., :, None] * residual[..., None, :]
        spread = weight @ spread @ weight
        wu, wv, kv = (weight @ u[:, None], weight @ v[:, None], spread @ v[:, None])
        ut, vt = np.swapaxes(u, 1, 2)[:, None], np.swapaxes(v, 1, 2)[:, None]
        uwu, uwv, vwv = ut @ wu, ut @ wv, vt @ wv
        uku, ukv, vkv = ut @ (spread @ u[:, None]), ut @ kv, vt @ kv
        vwu = np.swapaxes(uwv, 2, 3)
        plain = uwu * vwv
        plain += uwv * vwu
        expected[:, :k, :k] += part.add(plain)
        ukv *= vwu
        uku *= vwv
        vkv *= uwu
        uku += vkv
        uku -= plain
        bent = part.add(ukv)
        observed[:, :k, :k] += part.add(uku) + bent + np.swapaxes(bent, 1, 2)
        misfit += part.add(weight - spread)
        if has_means:
            turned = (weight @ residual[..., None])[..., 0]
            wd = weight @ shift[:, None]
            own = part.add(np.swapaxes(shift, 1, 2)[:, None] @ wd)
            expected += own
            observed += own
            along_u, along_v = turned @ u, turned @ v
            crossed = part.add(along_u[..., None] * (vt @ wd) + along_v[..., None] * (ut @ wd))
            observed[:, :k, :] += crossed
            observed[:, :, :k] += np.swapaxes(crossed, 1, 2)
            pull += part.add(turned)
    gradient = np.zeros((len(u), q))
    gradient[:, :k] = np.sum(u * (misfit @ v), axis=1)
    if has_means:
        gradient -= (pull[:, None, :] @ shift)[:, 0]
    _add_curvature(observed, group, system, misfit, pull if has_means else None)
    return Derivatives(gradient, expected, observed)


def _add_curvature(
    observed: FloatArray,
    group: _Group,
    system: System,
    misfit: FloatArray,
    pull: FloatArray | None,
) -> None:
    """Add the part of the second derivatives of moments: tr(G d2Sigma) / 2 - r'W d2mu."""
    p = group.n_observed
    effects, covariance = system.effects, system.covariance
    reach = effects[:, :p, :]
    back = np.swapaxes(reach, 1, 2) @ misfit
    bent, mixed = back @ reach, back @ covariance[:, :p, :]
    rows, columns = group.free_paths[0], group.free_paths[1]
    first, second = group.free_spread[:2, group.bent_spread]
    b, s = slice(0, len(rows)), len(rows) + group.bent_spread
    i, j, k, m = rows[:, None], columns[:, None], rows[None, :], columns[None, :]
    curved = bent[:, i, k] * covariance[:, m, j]
    if group.is_chained:
        curved += effects[:, m, i] * mixed[:, k, j] + mixed[:, i, m] * effects[:, j, k]
    crossed = bent[:, i, first] * effects[:, j, second]
    crossed += bent[:, i, second] * effects[:, j, first]
    crossed *= group.halves[group.bent_spread]
    if pull is not None:
        turned = (pull[:, None, :] @ reach)[:, 0]
        if group.is_chained:
            curved -= effects[:, m, i] * (turned[:, k] * system.means[:, j])
            curved -= effects[:, j, k] * (turned[:, i] * system.means[:, m])
        apart = len(rows) + len(group.halves) + group.bent_means
        moved = turned[:, i] * effects[:, j, group.free_means[0, group.bent_means]]
        observed[:, b, apart] -= moved
        observed[:, apart, b] -= np.swapaxes(moved, 1, 2)
    observed[:, b, b] += curved
    observed[:, b, s] += crossed
    observed[:, s, b] += np.swapaxes(crossed, 1, 2)


def _scatter(whole: FloatArray, part: FloatArray, group: _Group) -> None:
    """Add a group's derivatives at the places of its parameters, of which some may be equal."""
    places = group.places[: part.shape[-1]]
    if part.ndim == 3:
        crossed = places[:, None] * whole.shape[-1] + places[None, :]
        places, part = crossed.ravel(), part.reshape(len(part), -1)
        whole = whole.reshape(len(whole), -1)
    if group.is_distinct:
        whole[:, places] += part
    else:
        np.add.at(whole.T, places, part.T)


def _measure(implied: FloatArray, means: FloatArray | None, sample: Moments) -> FloatArray:
    """Sum log det Sigma + trace(T Sigma^-1) over patterns; infinite where Sigma is singular."""
    padded = implied[:, None]
    if not sample.seen.all():
        both = sample.seen[:, :, None] & sample.seen[:, None, :]
        padded = np.where(both, padded, np.eye(implied.shape[1]))
    diagonal = np.diagonal(padded, axis1=2, axis2=3)
    try:
        pivots = np.diagonal(np.linalg.cholesky(padded), axis1=2, axis2=3)
        inverse = np.linalg.inv(padded)
    except np.linalg.LinAlgError:
        return _measure_some(implied, means, sample)
    spread = sample.covariances
    if means is not None:
        residual = (sample.means - means[:, None]) * sample.seen
        spread = spread + residual[..., :, None] * residual[..., None, :]
    distance = np.sum(spread * inverse, axis=(2, 3))
    total = sample.add(2 * np.sum(np.log(pivots), axis=2) + distance)
    total[np.min(pivots**2 / diagonal, axis=(1, 2)) < _SMALLEST_PIVOT] = np.inf
    return total


def _measure_some(implied: FloatArray, means: FloatArray | None, sample: Moments) -> FloatArray:
    """Measure where Sigma is a covariance matrix that can be inverted."""
    total = np.full(len(implied), np.inf)
    diagonal = np.diagonal(implied, axis1=1, axis2=2)
    finite = np.all(np.isfinite(implied), axis=(1, 2))
    usable = np.flatnonzero(finite & np.all(diagonal > 0, axis=1))
    scale = np.sqrt(diagonal[usable])
    scaled = implied[usable] / scale[:, :, None] / scale[:, None, :]
    usable = usable[np.linalg.eigvalsh(np.clip(scaled, -10, 10))[:, 0] > _SMALLEST_PIVOT]
    if len(usable):
        kept = None if means is None else means[usable]
        total[usable] = _measure(implied[usable], kept, sample.take(usable))
    return total
