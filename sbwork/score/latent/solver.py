"""The likeliest parameters, for many samples at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sbwork.score.latent.expressions import differentiate
from sbwork.score.latent.inference import (
    invert_information,
    is_positive,
    reduce_information,
)
from sbwork.score.latent.model import Likelihood, expand
from sbwork.score.latent.table import Table, evaluate_definitions

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_DAMPINGS = (None, 0.0, 0.01, 0.1, 1.0, 10.0, 100.0, 1e4)
"""What is tried in turn for a step: Newton, Fisher scoring, and that damped."""
_LARGEST_NEWTON = 0.25
"""Of a Newton step that promises more, the curvature is taken to hold nearby only."""
_RIDGE = 1e-13
_TINY = 1e-300
_SEED, _AWAY, _MOST_HALVINGS = 1, 0.1, 10
_LARGEST_BLOCK = 32_000
_SMALLEST_SINGULAR = 1e-9
_LARGEST_BREACH = 1e-9
_LARGEST_FALL = 1e-8
_CURVATURE_STEP = 1e-6


@dataclass(frozen=True, slots=True)
class Solution:
    """What was found for d samples: parameters (d, q), half the discrepancy, whether least."""

    parameters: FloatArray
    minimum: FloatArray
    converged: BoolArray


class Restrictions:
    """The equalities that parameters must meet, as ``h(parameters) = 0``."""

    def __init__(self, table: Table, fixed: FloatArray) -> None:
        self.table, self.fixed = table, fixed
        self.count = len(table.restrictions)

    def evaluate(self, parameters: NDArray[Any]) -> NDArray[Any]:
        """Compute h (…, m): left less right of every equality."""
        fixed = self.fixed.reshape(len(self.fixed), *(1,) * (parameters.ndim - 2), -1)
        values = evaluate_definitions(self.table, expand(self.table, fixed, parameters))
        sides = [
            one.left.compute(values) - one.right.compute(values) for one in self.table.restrictions
        ]
        shape = parameters.shape[:-1]
        return np.stack([np.broadcast_to(side, shape) for side in sides], axis=-1)

    def differentiate(self, parameters: FloatArray) -> FloatArray:
        """Compute the Jacobian (…, m, q)."""
        return differentiate(self.evaluate, parameters)

    def span(self, parameters: FloatArray) -> FloatArray:
        """Find the directions (q, q - rank) in which one set of parameters (q,) may move."""
        if not self.count:
            return np.eye(self.table.size)
        return np.asarray(_find_null_space(self.differentiate(parameters[None]))[0])

    def take(self, rows: NDArray[np.intp]) -> Restrictions:
        """Keep some of the samples."""
        return Restrictions(self.table, self.fixed[rows] if len(self.fixed) > 1 else self.fixed)


def minimise(
    likelihood: Likelihood,
    start: FloatArray,
    *,
    lower: FloatArray | None = None,
    tolerance: float = 1e-15,
    most_iterations: int = 120,
) -> Solution:
    """Minimise the discrepancy of every sample of a stack.

    Newton steps where they lower the discrepancy, else Fisher scoring, damped more and more; among
    equalities, along their tangent (sequential quadratic programming). A parameter kept at its
    `lower` bound whose gradient pushes it further is fixed there for the step. A minimum is where
    a step would lower half the discrepancy by less than `tolerance`, whatever the units; as that
    step is taken, too, what is left after a Newton step is about its square.

    Source: Jöreskog, K. G. (1969). Psychometrika, 34, 183-202. Nocedal, J., & Wright, S. J. (2006).
    Numerical Optimization, chapter 18.
    """
    size, count = start.shape[-1], len(likelihood.fixed)
    starts = np.broadcast_to(start, (count, size))
    bounds = np.full(size, -np.inf) if lower is None else lower
    block = max(1, _LARGEST_BLOCK // max(size * size, 1))
    blocks = [
        _minimise_block(
            likelihood.take(rows), starts[rows].copy(), bounds, tolerance, most_iterations
        )
        for rows in np.split(np.arange(count), range(block, count, block))
    ]
    return Solution(
        np.concatenate([one.parameters for one in blocks]),
        np.concatenate([one.minimum for one in blocks]),
        np.concatenate([one.converged for one in blocks]),
    )


def _minimise_block(
    likelihood: Likelihood,
    parameters: FloatArray,
    lower: FloatArray,
    tolerance: float,
    most_iterations: int,
) -> Solution:
    """Minimise from `parameters` (d, q) for so many samples that their arrays stay in the cache."""
    restrictions = Restrictions(likelihood.model.table, likelihood.fixed)
    penalty = np.zeros(len(parameters))
    minimum = likelihood.compute_discrepancy(parameters)
    converged = np.zeros(len(parameters), dtype=np.bool_)
    waiting = np.flatnonzero(np.isfinite(minimum))
    for _ in range(most_iterations):
        if not len(waiting):
            break
        current = parameters[waiting]
        part = likelihood.take(waiting)
        gradient, expected, observed = part.differentiate(current)
        fixed = (current <= lower) & (gradient > 0)
        gradient[fixed] = 0.0
        bound = None
        if restrictions.count:
            bound = _Tangent(restrictions.take(waiting), current, gradient)
            observed = observed + bound.curvature
            penalty[waiting] = np.maximum(penalty[waiting], 2 * bound.pull)
        broken = np.zeros(len(waiting)) if bound is None else bound.broken
        merit = minimum[waiting] + penalty[waiting] * broken
        there = np.zeros(len(waiting), dtype=np.bool_)
        stuck = ~there
        for damping in _DAMPINGS:
            tried = np.flatnonzero(stuck)
            if not len(tried):
                break
            curvature = (observed if damping is None else expected)[tried]
            step, gain = _solve_step(
                gradient[tried], curvature, fixed[tried], damping or 0.0, bound, tried
            )
            moved = np.maximum(current[tried] + step, lower)
            reached = likelihood.take(waiting[tried]).compute_discrepancy(moved)
            total = reached
            if bound is not None:
                total = reached + penalty[waiting[tried]] * bound.measure_breach(moved, tried)
            better = total <= merit[tried] + 1e-13 * (1 + np.abs(merit[tried]))
            if damping is None:
                better &= (gain > -tolerance) & (gain < _LARGEST_NEWTON)
            rows = waiting[tried]
            parameters[rows[better]] = moved[better]
            minimum[rows[better]] = reached[better]
            stuck[tried[better]] = False
            if not damping:
                still = (np.abs(gain) < tolerance) & (broken[tried] < _LARGEST_BREACH)
                there[tried[better & still]] = True
        if bound is not None:
            stuck |= bound.is_blocked
        converged[waiting[there]] = True
        waiting = waiting[~there & ~stuck]
    return Solution(parameters, minimum, converged)


def is_minimum(likelihood: Likelihood, solution: Solution) -> bool:
    """Tell whether one sample's discrepancy rises in all directions, or at least does not fall."""
    curvature = likelihood.differentiate(solution.parameters)
    observed = curvature.observed
    restrictions = Restrictions(likelihood.model.table, likelihood.fixed)
    if restrictions.count:
        tangent = _Tangent(restrictions, solution.parameters, curvature.gradient)
        observed = observed + tangent.curvature
    along = restrictions.span(solution.parameters[0])
    scale = 1 / np.sqrt(np.maximum(np.diag(curvature.expected[0]), _TINY))
    reduced, _ = reduce_information(observed[0], scale, along)
    return is_positive(reduced + _LARGEST_FALL * np.eye(len(reduced)), 0.0)


def find_unidentified(likelihood: Likelihood, start: FloatArray) -> tuple[int, ...]:
    """Return the free parameters that no sample could tell apart, judged a little off `start` (q,).

    Source: Bekker, P. A., Merckens, A., & Wansbeek, T. J. (1994). Identification, Equivalent
    Models, and Computer Algebra (the rank at a point drawn at random).
    """
    restrictions = Restrictions(likelihood.model.table, likelihood.fixed)
    information = likelihood.differentiate(start[None]).expected[0]
    away = np.random.default_rng(_SEED).normal(size=len(start))
    away *= _AWAY / np.sqrt(np.maximum(np.diag(information), _TINY ** (1 / 10)))
    for _ in range(_MOST_HALVINGS):
        point = start + away
        if np.isfinite(likelihood.compute_discrepancy(point[None]))[0]:
            information = likelihood.differentiate(point[None]).expected[0]
            return invert_information(information, restrictions.span(point)).lost
        away /= 2
    return ()


class _Tangent:
    """Equalities around a point: where they allow to go, and how they bend."""

    def __init__(
        self, restrictions: Restrictions, current: FloatArray, gradient: FloatArray
    ) -> None:
        self.restrictions = restrictions
        with np.errstate(all="ignore"):
            broken = np.nan_to_num(restrictions.evaluate(current), nan=1e6, posinf=1e6, neginf=-1e6)
            jacobian = np.nan_to_num(restrictions.differentiate(current))
        self.broken = np.abs(broken).sum(axis=1)
        inverse = np.linalg.pinv(jacobian, rcond=_SMALLEST_SINGULAR)
        self.back = -(inverse @ broken[..., None])[..., 0]
        left = np.abs(broken + (jacobian @ self.back[..., None])[..., 0]).sum(axis=1)
        self.is_blocked = (left > _LARGEST_BREACH) & (left > 0.9 * self.broken)
        self.along = _find_null_space(jacobian)
        multipliers = -(np.swapaxes(inverse, 1, 2) @ gradient[..., None])
        self.pull = np.abs(multipliers).max(axis=(1, 2))
        step = _CURVATURE_STEP * np.eye(gradient.shape[1])
        with np.errstate(all="ignore"):
            ahead = restrictions.differentiate(current[:, None] + step)
            bent = (ahead - restrictions.differentiate(current[:, None] - step)) / _CURVATURE_STEP
        self.curvature = np.einsum("diqj,dq->dij", np.nan_to_num(bent) / 2, multipliers[..., 0])

    def measure_breach(self, moved: FloatArray, rows: NDArray[np.intp]) -> FloatArray:
        """Add up by how much other points of some samples miss the equalities."""
        with np.errstate(all="ignore"):
            left = np.abs(self.restrictions.take(rows).evaluate(moved)).sum(axis=1)
        return np.where(np.isfinite(left), left, np.inf)


def _find_null_space(jacobian: FloatArray) -> FloatArray:
    """Return directions (d, q, q - rank) that change no equality; the rank is that of most."""
    _, singular, vectors = np.linalg.svd(jacobian)
    rank = int(np.median((singular > _SMALLEST_SINGULAR * (1 + singular[:, :1])).sum(axis=1)))
    return np.swapaxes(vectors[:, rank:], 1, 2)


def _solve_step(
    gradient: FloatArray,
    curvature: FloatArray,
    fixed: BoolArray,
    damping: float,
    bound: _Tangent | None,
    rows: NDArray[np.intp],
) -> tuple[FloatArray, FloatArray]:
    """Return the step, and by how much it should lower half the discrepancy."""
    if bound is None:
        step = _solve(gradient, curvature, fixed, damping)
        return step, -np.sum(gradient * step, axis=1) / 2
    along, back = bound.along[rows], bound.back[rows]
    pushed = gradient + (curvature @ back[..., None])[..., 0]
    reduced = (pushed[:, None] @ along)[:, 0]
    inner = np.swapaxes(along, 1, 2) @ curvature @ along
    free = np.zeros(reduced.shape, dtype=np.bool_)
    step = _solve(reduced, inner, free, damping)
    return back + (along @ step[..., None])[..., 0], -np.sum(reduced * step, axis=1) / 2


def _solve(
    gradient: FloatArray, curvature: FloatArray, fixed: BoolArray, damping: float
) -> FloatArray:
    if fixed.any():
        curvature = np.where(
            fixed[:, :, None] | fixed[:, None, :], np.eye(gradient.shape[1]), curvature
        )
    scale = 1 / np.sqrt(np.maximum(np.abs(np.einsum("dii->di", curvature)), _TINY))
    free = curvature * scale[:, :, None] * scale[:, None, :]
    np.einsum("dii->di", free)[...] += damping + _RIDGE
    try:
        step = np.linalg.solve(free, (gradient * scale)[:, :, None])
    except np.linalg.LinAlgError:
        step = np.linalg.pinv(free) @ (gradient * scale)[:, :, None]
    return np.asarray(-step[:, :, 0] * scale)
