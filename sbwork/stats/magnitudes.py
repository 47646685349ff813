"""Intervals that allow for drift up to a multiple of the largest step seen before the start."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special, stats

Vector = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_SHARE_OF_FIRST_STAGE = 0.1
_TAIL = 9.0  # standard deviations beyond which a normal variable is taken not to lie
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(40)
_HALVINGS = 28
_GRID = 401
_SCAN = 0.25
_TOLERANCE = 1e-5


@dataclass(frozen=True, slots=True)
class PeriodStudy:
    """An event study by period, each period set against the last one before the start.

    before: Coefficients of the periods before the start but the last, in order of time.
    after: Coefficients of the periods from the start on, in order of time.
    covariance: Of all coefficients, those before first.
    positions: When each period was, the last one before the start among them, with a step of 1 from
        one period to the next; a step may be longer where periods are left out.
    """

    before: Vector
    after: Vector
    covariance: Vector
    positions: Vector


class RelativeMagnitudes:
    """The mean effect after the start where drift is bounded by what was seen before it.

    With no effect, the coefficients would have been ``delta``, 0 in the last period before. The
    restriction with multiple ``Mbar`` is that no step of ``delta`` from one period to the next
    after the start is larger than ``Mbar`` times the largest step before it (steps between periods
    that are further apart may be longer in proportion). The interval is the union, over the step
    that may have been the largest and its sign, of the conditional least-favourable hybrid (C-LF)
    intervals, as in Rambachan and Roth's HonestDiD, with moments of the periods after alone and a
    first stage of a tenth of the level.

    The target is the mean of the coefficients after. For a given largest step, the dual of the
    linear programme in the test has ``n_after + 2`` vertices that can be written down: the target
    less or plus the drift allowed, and one for each step after. They are linear in two normal
    variables, the estimate of the target and the largest step, so that truncation points are exact
    and the least-favourable critical value is a one-dimensional integral; neither is simulated.

    Source: Rambachan, A. & Roth, J. (2023). Review of Economic Studies 90(5), 2555-2591. Andrews,
    I., Roth, J. & Pakes, A. (2023). Review of Economic Studies 90(6), 2763-2791.
    """

    def __init__(self, study: PeriodStudy, level: float = 0.95) -> None:
        n_before, n_after = len(study.before), len(study.after)
        if not (n_before and n_after):
            raise ValueError("there must be a period before besides the last, and one after")
        gaps = np.diff(study.positions)
        if len(gaps) != n_before + n_after or (gaps <= 0).any():
            raise ValueError("positions must rise, one for each period and one for the last before")
        self._alpha = 1 - level
        self._after_gaps = gaps[n_before:]
        every = np.concatenate([study.before, study.after])
        target = np.concatenate([np.zeros(n_before), np.full(n_after, 1 / n_after)])
        # A step before is the change into a period from the one before it; the last is into 0.
        steps = np.eye(n_before, n_before + n_after, 1) - np.eye(n_before, n_before + n_after)
        steps[-1, n_before:] = 0
        steps /= gaps[:n_before, None]
        self._steps = np.vstack([steps, -steps])
        after = np.eye(n_after, n_before + n_after, n_before)
        self._after = after - np.eye(n_after, n_before + n_after, n_before - 1)
        self._after[0] = after[0]
        self._covariance = study.covariance
        self.estimate = float(target @ every)
        self._sizes = self._steps @ every
        self._cross = self._steps @ study.covariance @ target
        self._variances = np.einsum("ki,ij,kj->k", self._steps, study.covariance, self._steps)
        self.variance = float(target @ study.covariance @ target)
        # How much of the target's drift each step after carries.
        self._carried = np.arange(n_after, 0, -1) / n_after

    def accepts(self, effect: float, multiple: float) -> bool:
        """Say whether a mean effect is compatible with the study at one multiple."""
        return bool(self._prepare(multiple).accept(np.array([effect]))[0])

    def find_interval(self, multiple: float) -> tuple[float, float]:
        """Find the ends of the interval of the mean effect at one multiple."""
        test = self._prepare(multiple)
        reach = test.find_reach()
        ends = []
        for side in (-1.0, 1.0):
            grid = side * np.linspace(-reach, reach, _GRID)
            accepted = np.flatnonzero(test.accept(grid + self.estimate))
            last = accepted[-1] if len(accepted) else 0
            inner = self.estimate + float(grid[last])
            outer = self.estimate + float(grid[min(last + 1, _GRID - 1)])
            for _ in range(_HALVINGS):
                middle = (inner + outer) / 2
                if test.accept(np.array([middle]))[0]:
                    inner = middle
                else:
                    outer = middle
            ends.append(inner)
        return ends[0], ends[1]

    def find_breakdown(self, most: float = 5.0) -> float:
        """Find the multiple at which the interval first takes in no effect."""
        low = 0.0
        if self.accepts(0.0, low):
            return 0.0
        for high in np.arange(_SCAN, most + _SCAN / 2, _SCAN).tolist():
            if not self.accepts(0.0, high):
                low = high
                continue
            while high - low > _TOLERANCE:
                middle = (low + high) / 2
                low, high = (low, middle) if self.accepts(0.0, middle) else (middle, high)
            return low
        return math.inf

    def _prepare(self, multiple: float) -> _Test:
        """Write down the vertices of every dual as coefficients of (target, largest step)."""
        signs = [self._after[None] - multiple * self._after_gaps[None, :, None] * step for step in (
            self._steps[:, None], -self._steps[:, None])]  # fmt: skip
        upper, lower = (
            np.sqrt(np.maximum(np.einsum("kti,ij,ktj->kt", m, self._covariance, m), 0))
            for m in signs
        )
        drift = multiple * float(self._carried @ self._after_gaps)
        weights = [spread @ self._carried for spread in (upper, lower)]
        ones, zeros = np.ones(len(self._steps)), np.zeros(len(self._steps))
        vertices = [
            np.stack([sign * ones / weight, -drift / weight], axis=1)
            for sign, weight in zip((1, -1), weights, strict=True)
        ]
        slack = (upper + lower) / self._after_gaps
        # Those of the steps lie on one ray, so the nearest and the farthest suffice.
        if len(self._after_gaps) > 1:
            vertices += [
                np.stack([zeros, -2 * multiple / end], axis=1)
                for end in (slack.min(axis=1), slack.max(axis=1))
            ]
        covariance = np.empty((len(self._steps), 2, 2))
        covariance[:, 0, 0] = self.variance
        covariance[:, 0, 1] = covariance[:, 1, 0] = self._cross
        covariance[:, 1, 1] = self._variances
        return _Test(
            np.stack(vertices, axis=1), covariance, self.estimate, self._sizes, self._alpha
        )


class _Test:
    """The test of an effect at one multiple, for every step that may have been the largest."""

    def __init__(
        self, vertices: Vector, covariance: Vector, estimate: float, sizes: Vector, alpha: float
    ) -> None:
        self.vertices, self.covariance = vertices, covariance
        self.estimate, self.sizes = estimate, sizes
        first = _SHARE_OF_FIRST_STAGE * alpha
        self.second = (alpha - first) / (1 - first)
        self.critical = _find_least_favourable(vertices, covariance, first)

    def find_reach(self) -> float:
        """Find how far from the estimate the first stage rejects every effect."""
        v = self.vertices
        ends = [(self.critical - v[:, j, 1] * self.sizes) / np.abs(v[:, j, 0]) for j in (0, 1)]
        return 1.001 * float(max(np.max(ends), 0)) + 1e-12

    def accept(self, effects: Vector) -> Flags:
        """Say of each effect whether it is compatible with any of the largest steps."""
        point = np.empty((len(self.sizes), len(effects), 2))
        point[..., 0] = self.estimate - effects
        point[..., 1] = self.sizes[:, None]
        values = np.einsum("kji,kei->kej", self.vertices, point)
        best = values.argmax(axis=2)
        found = values.max(axis=2)
        vertex = np.take_along_axis(self.vertices[:, None], best[..., None, None], axis=2)[:, :, 0]
        spread = np.einsum("kij,kej->kei", self.covariance, vertex)
        variance = np.einsum("kei,kei->ke", vertex, spread)
        certain = variance <= 1e-30
        direction = spread / np.where(certain, 1, variance)[..., None]
        rest = point - direction * found[..., None]
        slope = 1 - np.einsum("kji,kei->kej", self.vertices, direction)
        level = np.einsum("kji,kei->kej", self.vertices, rest)
        with np.errstate(divide="ignore", invalid="ignore"):
            bound = level / slope
        low = np.where(slope > 1e-9, bound, -np.inf).max(axis=2)
        high = np.where(slope < -1e-9, bound, np.inf).min(axis=2)
        high = np.minimum(high, self.critical[:, None])
        deviation = np.sqrt(np.where(certain, 1, variance))
        z, lowest, highest = (part / deviation for part in (found, low, high))
        beyond = _find_tail(z, np.minimum(lowest, z), np.maximum(highest, z))
        rejected = (found > self.critical[:, None]) | ((found > 0) & (beyond < self.second))
        rejected = np.where(certain, found > 1e-12, rejected)
        return np.asarray(~rejected.all(axis=0))


def _find_tail(z: Vector, low: Vector, high: Vector) -> Vector:
    """Find how likely a normal variable truncated to (low, high) lies above z."""
    top = special.log_ndtr(-low)
    above = np.exp(special.log_ndtr(-high) - top)
    with np.errstate(divide="ignore", invalid="ignore"):
        tail: Vector = (np.exp(special.log_ndtr(-z) - top) - above) / (1 - above)
    return np.where(above < 1, tail, 1.0)


def _find_least_favourable(vertices: Vector, covariance: Vector, size: float) -> Vector:
    """Find the value that the largest vertex exceeds with this probability at most."""
    scale = np.sqrt(np.einsum("kji,kil,kjl->kj", vertices, covariance, vertices)).max(axis=1)
    low: Vector = np.zeros(len(scale))
    high: Vector = scale * stats.norm.isf(size / vertices.shape[1])
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        enough = _find_coverage(middle, vertices, covariance) >= 1 - size
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return high


def _find_coverage(ends: Vector, vertices: Vector, covariance: Vector) -> Vector:
    """Find how likely no vertex exceeds an end, by an integral over the largest step."""
    deviation = np.sqrt(covariance[:, 1, 1])
    # Below this step no target satisfies both of the first two vertices, or a later one.
    (up, drift_up), (down, drift_down) = vertices[:, 0].T, vertices[:, 1].T
    crossing = (drift_up / up - drift_down / down) / (1 / up - 1 / down)
    slope = deviation * np.minimum(crossing, vertices[:, 2:, 1].min(axis=1, initial=0.0))
    lowest = np.maximum(-_TAIL, ends / np.where(slope < 0, slope, -1e-300))
    half = (_TAIL - lowest) / 2
    z = lowest[:, None] + half[:, None] * (_NODES + 1)
    step = z * deviation[:, None]
    middle = step * (covariance[:, 0, 1] / covariance[:, 1, 1])[:, None]
    left = covariance[:, 0, 0] - covariance[:, 0, 1] ** 2 / covariance[:, 1, 1]
    left = np.sqrt(np.maximum(left, 1e-300))[:, None]
    above, below = (
        ((ends[:, None] - vertices[:, j, 1][:, None] * step) / vertices[:, j, 0][:, None] - middle)
        / left
        for j in (0, 1)
    )
    inside = np.maximum(special.ndtr(above) - special.ndtr(below), 0)
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    result: Vector = half * ((inside * density) @ _WEIGHTS)
    return result
