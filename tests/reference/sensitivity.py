"""Reference values for the drift bounds: writes sensitivity.json beside itself.

Run with numpy, scipy and diff-diff 3.13: ``python tests/reference/sensitivity.py``; two minutes.

diff-diff's HonestDiD gives the identified set under relative magnitudes, its breakdown value
where nothing is uncertain, and the usual interval at a multiple of 0. Its interval at other
multiples is the naive one (the identified set, widened by the standard error of the target);
the hybrid one that its documentation recommends is not switched on in it. So the hybrid interval
is worked out here by brute force from the two papers: the linear programme by HiGHS, the vertices
of its dual by trying every basis, the least-favourable critical value by an integral over the
angle, and the test inverted on a grid.
"""

from __future__ import annotations

import itertools
import json
import math
from functools import partial
from pathlib import Path

import numpy as np
from diff_diff import HonestDiD
from diff_diff.results import MultiPeriodDiDResults, PeriodEffect
from scipy import optimize, special, stats

TARGET = Path(__file__).with_suffix(".json")
ALPHA, FIRST = 0.05, 0.005
MULTIPLES = (0.5, 1.0, 2.0)
MOST = 5.0


def make_fixtures():
    rng = np.random.default_rng(20260301)
    yield "counts", *from_counts(rng, 60, 0.65, 3, 4), np.arange(8.0)
    yield "many counts", *from_counts(rng, 400, 0.6, 3, 4), np.arange(8.0)
    yield "long history", *from_counts(rng, 150, 0.5, 7, 3), np.arange(11.0)
    yield "one after", *from_counts(rng, 200, 0.6, 3, 1), np.arange(5.0)
    yield "one step before", *from_counts(rng, 90, 0.6, 1, 2), np.arange(4.0)
    yield "a transition", *from_counts(rng, 200, 0.5, 2, 3), np.array([0, 1, 2, 4, 5, 6.0])
    distance = np.abs(np.subtract.outer(np.arange(6), np.arange(6)))
    yield (
        "autoregressive",
        np.array([0.06, -0.05]), np.array([-0.5, -0.45, -0.6, -0.55]),
        0.004 * 0.6**distance, np.arange(7.0),
    )  # fmt: skip
    mixed = rng.normal(size=(7, 7))
    yield (
        "any covariance",
        np.array([0.02, 0.05, -0.04]), np.array([0.5, 0.6, 0.7, 0.6]),
        0.0008 * mixed @ mixed.T, np.arange(8.0),
    )  # fmt: skip


def from_counts(rng, level, ratio, n_before, n_after):
    """An event study of quarterly counts, set against the last quarter before."""
    periods = n_before + 1 + n_after
    site = rng.poisson(3 * level * np.where(np.arange(periods) > n_before, ratio, 1.0))
    control = rng.poisson(3 * level, periods)
    logs, variances = np.log(site / control), 1 / site + 1 / control
    beta = np.delete(logs, n_before) - logs[n_before]
    covariance = np.diag(np.delete(variances, n_before)) + variances[n_before]
    return beta[:n_before], beta[n_before:], covariance


def list_families(n_before, n_after, positions, multiple):
    """The constraints A delta <= 0 that bear on the periods after, one set a largest step."""
    gaps = np.diff(positions)
    difference = np.diff(np.eye(n_before + 1 + n_after), axis=0) / gaps[:, None]
    difference = np.delete(difference, n_before, axis=1)
    before, after = difference[:n_before], difference[n_before:] * gaps[n_before:, None]
    for step, sign in itertools.product(before, (1, -1)):
        allowed = multiple * sign * gaps[n_before:, None] * step
        yield np.vstack([after - allowed, -after - allowed])


class Family:
    """The hybrid test of one set of constraints."""

    def __init__(self, a, beta, covariance, n_before):
        self.n_after = len(beta) - n_before
        self.y, self.post, self.sigma = a @ beta, a[:, n_before:], a @ covariance @ a.T
        self.sd = np.sqrt(np.diag(self.sigma))
        null = np.linalg.svd(np.full((1, self.n_after), 1 / self.n_after))[2][1:].T
        self.nuisance = self.post @ null
        self.vertices = self.list_vertices()
        self.critical = self.find_critical()

    def list_vertices(self):
        equations = np.vstack([self.nuisance.T, self.sd])
        right = np.zeros(len(equations))
        right[-1] = 1
        found = []
        for basis in itertools.combinations(range(len(self.sd)), len(equations)):
            part = equations[:, basis]
            if np.linalg.matrix_rank(part) < len(equations):
                continue
            weights = np.linalg.solve(part, right)
            if (weights >= -1e-10).all():
                vertex = np.zeros(len(self.sd))
                vertex[list(basis)] = np.maximum(weights, 0)
                found.append(vertex)
        return np.unique(np.round(found, 12), axis=0)

    def find_critical(self):
        values, vectors = np.linalg.eigh(self.vertices @ self.sigma @ self.vertices.T)
        assert (np.abs(values[:-2]) < 1e-9 * values[-1]).all(), "two normal variables, no more"
        root = vectors[:, -2:] * np.sqrt(np.maximum(values[-2:], 0))
        angle = 2 * np.pi * (np.arange(100_000) + 0.5) / 100_000
        slope = (root @ np.vstack([np.cos(angle), np.sin(angle)])).max(axis=0)
        slope = slope[slope > 0]

        def exceed(end):
            return np.exp(-((end / slope) ** 2) / 2).sum() / len(angle) - FIRST

        return optimize.brentq(exceed, 0, 20 * slope.max(), xtol=1e-12)

    def solve(self, effect):
        """The least eta for which eta sd bounds every moment, whatever the nuisance."""
        cost = np.r_[1.0, np.zeros(self.n_after)]
        rows = np.column_stack([-self.sd, -self.post])
        target = np.r_[0.0, np.full(self.n_after, 1 / self.n_after)][None]
        return optimize.linprog(
            cost, A_ub=rows, b_ub=-self.y, A_eq=target, b_eq=[effect], bounds=(None, None)
        ).fun

    def reject(self, effect, *, check=False):
        y = self.y - self.post.sum(axis=1) * effect
        values = self.vertices @ y
        eta, best = values.max(), values.argmax()
        if check:
            assert abs(self.solve(effect) - eta) < 1e-7 * max(1, abs(eta))
        if eta > self.critical:
            return True
        gamma = self.vertices[best]
        variance = gamma @ self.sigma @ gamma
        direction = self.sigma @ gamma / variance
        rest = self.vertices @ (y - direction * eta)
        slope = 1 - self.vertices @ direction
        low = max((r / s for r, s in zip(rest, slope, strict=True) if s > 1e-9), default=-np.inf)
        high = min((r / s for r, s in zip(rest, slope, strict=True) if s < -1e-9), default=np.inf)
        z, low, high = np.array([eta, low, min(high, self.critical)]) / math.sqrt(variance)
        if not low <= z <= high:
            return False
        size = (ALPHA - FIRST) / (1 - FIRST)
        quantile = stats.truncnorm.ppf(1 - size, low, high)
        if not np.isfinite(quantile) or quantile > 8:
            tails = special.log_ndtr(-np.array([low, high, z]))
            inside = np.exp(tails - tails[0])
            return bool(z > 0 and (inside[2] - inside[1]) / (1 - inside[1]) < size)
        return bool(z > max(0, quantile))


def make_families(beta, covariance, n_before, positions, multiple):
    families = list_families(n_before, len(beta) - n_before, positions, multiple)
    return [Family(a, beta, covariance, n_before) for a in families]


def accept(families, effect, *, check=False):
    return any(not family.reject(effect, check=check) for family in families)


def find_interval(families, beta, covariance, n_before):
    middle = beta[n_before:].mean()
    spread = math.sqrt(covariance[n_before:, n_before:].mean())
    ends = []
    for sign in (-1, 1):
        reach = 3 * spread
        while any(accept(families, middle + sign * reach * more) for more in (1, 1.2, 1.5)):
            reach *= 1.5
        grid = middle + sign * np.linspace(reach, -reach, 1201)
        at = next(i for i, effect in enumerate(grid) if accept(families, effect))
        outer, inner = grid[at - 1], grid[at]
        for _ in range(40):
            half = (outer + inner) / 2
            outer, inner = (outer, half) if accept(families, half) else (half, inner)
        accept(families, inner, check=True)
        ends.append(float(inner))
    return ends


def find_breakdown(make):
    steps = np.arange(0, MOST + 0.01, 0.05)[1:]
    if accept(make(1e-9), 0.0):
        return 0.0
    low = 0.0
    for high in steps:
        if accept(make(high), 0.0):
            while high - low > 1e-6:
                half = (low + high) / 2
                low, high = (low, half) if accept(make(half), 0.0) else (half, high)
            return float(low)
        low = float(high)
    return None


def ask_diff_diff(before, after, covariance):
    """The identified set, the breakdown value where nothing is uncertain, the usual interval."""
    beta = np.concatenate([before, after])
    names = [*range(-len(before) - 1, -1), *range(len(after))]

    def ask(scale):
        sds = np.sqrt(np.diag(covariance) * scale)
        effects = {
            name: PeriodEffect(name, value, sd, value / sd, math.nan, (math.nan, math.nan))
            for name, value, sd in zip(names, beta, sds, strict=True)
        }
        return MultiPeriodDiDResults(
            period_effects=effects, avg_att=math.nan, avg_se=math.nan, avg_t_stat=math.nan,
            avg_p_value=math.nan, avg_conf_int=(math.nan, math.nan), n_obs=0, n_treated=0,
            n_control=0, pre_periods=names[: len(before)], post_periods=names[len(before) :],
            vcov=covariance * scale, reference_period=-1,
            interaction_indices={name: at for at, name in enumerate(names)},
        )  # fmt: skip

    honest = HonestDiD(method="relative_magnitude")
    sets = [honest.fit(ask(1.0), M=multiple) for multiple in MULTIPLES]
    usual = honest.fit(ask(1.0), M=0.0)
    breakdown = honest.breakdown_value(ask(1e-16), tol=1e-9)
    return {
        "identified": [[one.lb, one.ub] for one in sets],
        "naive": [[one.ci_lb, one.ci_ub] for one in sets],
        "usual": [usual.ci_lb, usual.ci_ub],
        "breakdown_certain": breakdown,
    }


def main():
    made = []
    for name, before, after, covariance, positions in make_fixtures():
        beta, n_before = np.concatenate([before, after]), len(before)

        make = partial(make_families, beta, covariance, n_before, positions)
        made.append(
            {
                "name": name,
                "before": before.tolist(),
                "after": after.tolist(),
                "covariance": covariance.tolist(),
                "positions": positions.tolist(),
                "multiples": list(MULTIPLES),
                "hybrid": [
                    find_interval(make(multiple), beta, covariance, n_before)
                    for multiple in MULTIPLES
                ],
                "breakdown": find_breakdown(make),
                "diff_diff": ask_diff_diff(before, after, covariance)
                if (np.diff(positions) == 1).all()
                else None,
            }
        )
        print(name, made[-1]["breakdown"], made[-1]["hybrid"])
    TARGET.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
