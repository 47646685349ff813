"""Made-up areas with known truth: how often each interval is right."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from sbwork.estimates import Estimate, Reason
from sbwork.estimates.pairs import MonthlyCounts, PairCounts
from sbwork.estimates.pooling import PoolingModel, pool_log_ratios
from sbwork.estimates.ranks import (
    SMALLEST_POOL,
    Rank,
    estimate_placebo_ratio,
    rank_difference,
    rank_mean,
)

__all__ = ["SIMULATION_COLUMNS", "World", "describe_errors", "simulate_counts"]

SIMULATION_COLUMNS = (
    "phi",
    "drift",
    "n_pairs",
    "control",
    "n_areas",
    "estimator",
    "false_positive",
    "coverage",
    "power",
    "n",
)
"""The columns of the table that `simulate_counts` gives, in order."""

Array = npt.NDArray[np.float64]

_ANY_GAP = 99.0

_POOLED: tuple[tuple[str, PoolingModel, bool], ...] = (
    ("rirr_pooled_fixed", "fixed", False),
    ("rirr_pooled_dl", "dersimonian-laird", False),
    ("rirr_pooled", "reml", True),
)


@dataclass(frozen=True, slots=True)
class World:
    """How the made-up areas behave.

    Attributes
    ----------
    phi : float
        Variance of a month's count over its mean: 1 is Poisson, more is negative binomial.
    drift : float
        SD of the log by which each area's level moves between the periods for reasons of its own.
    n_pairs : int
        Sites with a control each.
    control : {"random", "nearest"}
        The control is any area of the site's size, or one of the five whose count before was
        nearest to the site's, as an evaluator would choose it.
    n_areas : int
        Areas of the force, sites and controls included.
    months : int
        Months before, and as many after.
    mean : float
        Incidents a month in the middle area.
    spread : float
        SD of the log of the areas' levels.
    effect : float
        The true RIRR in the sites, for coverage and power; false positives are at 1.
    """

    phi: float = 1.0
    drift: float = 0.0
    n_pairs: int = 1
    control: str = "random"
    n_areas: int = 120
    months: int = 12
    mean: float = 20.0
    spread: float = 0.3
    effect: float = 0.7


def simulate_counts(world: World, *, n: int = 1000, seed: int = 20180601) -> pd.DataFrame:
    """Measure how often each interval errs when the truth is known.

    Parameters
    ----------
    world : World
        How the areas behave.
    n : int, default 1000
        Replications; the standard error of a share of .05 is sqrt(.05 x .95 / n).
    seed : int, default 20180601
        Where the random numbers start.

    Returns
    -------
    pandas.DataFrame
        One row an estimator: the world's phi, drift, n_pairs, control and n_areas;
        ``false_positive`` (share of p <= .05 with no effect), ``coverage`` (share of 95%
        intervals that hold the true value when there is an effect; NaN where there is no
        interval), ``power`` (share of p <= .05 when there is an effect) and ``n``, the draws in
        which it was defined: a site unlike any area has no placebo rank. For one pair:
        ``rirr_poisson``, ``rirr``, ``wdd``, ``wdd_corrected``, ``placebo_p``, ``rirr_placebo``
        and ``placebo_naive`` (the rank among all placebo pairs of the size range, as a warning);
        for several, the pooled ratios and the pooled ``placebo_p``.

    Examples
    --------
    >>> table = simulate_counts(World(phi=2.0, n_areas=60), n=20)
    >>> list(table["estimator"])[-3:]
    ['placebo_p', 'rirr_placebo', 'placebo_naive']
    """
    rng = np.random.default_rng(seed)
    wrong: dict[str, list[float]] = defaultdict(list)
    held: dict[str, list[float]] = defaultdict(list)
    found: dict[str, list[float]] = defaultdict(list)
    for _ in range(n):
        force = _Force(world, rng)
        for estimate, _truth in force.judge(1.0, rng):
            wrong[estimate.estimator].append(_reject(estimate))
        for estimate, truth in force.judge(world.effect, rng):
            found[estimate.estimator].append(_reject(estimate))
            inside = float(estimate.ci_low <= truth <= estimate.ci_high)
            held[estimate.estimator].append(math.nan if math.isnan(estimate.ci_low) else inside)
    rows = [
        {
            "phi": world.phi,
            "drift": world.drift,
            "n_pairs": world.n_pairs,
            "control": world.control,
            "n_areas": world.n_areas,
            "estimator": name,
            "false_positive": _share(wrong[name]),
            "coverage": _share(held[name]),
            "power": _share(found[name]),
            "n": int(np.isfinite(wrong[name]).sum()),
        }
        for name in wrong
    ]
    return pd.DataFrame(rows, columns=list(SIMULATION_COLUMNS))


def describe_errors(table: pd.DataFrame) -> list[str]:
    """Say in plain words which estimators can be relied on.

    Parameters
    ----------
    table : pandas.DataFrame
        Tables of `simulate_counts` for one or more worlds, joined.

    Returns
    -------
    list of str
        One sentence an estimator, in the order of the table: the range over the worlds of the
        share of false positives, and whether it holds its level. A share counts as beyond 4 to
        6% when it is so by more than two standard errors of the simulation.

    Examples
    --------
    >>> table = pd.DataFrame({"estimator": ["wdd", "wdd"], "false_positive": [0.05, 0.25],
    ...                       "n": [1000, 1000]})
    >>> describe_errors(table)[0]
    'wdd: finds a change where there is none in 5.0% to 25.0% of cases; too often in 1 of 2 worlds.'
    """
    sentences = []
    for name, rows in table.groupby("estimator", sort=False):
        share = rows["false_positive"]
        noise = 2 * np.sqrt(0.05 * 0.95 / rows["n"])
        often, seldom = int((share > 0.06 + noise).sum()), int((share < 0.04 - noise).sum())
        verdicts = [
            f"too {word} in {count} of {len(rows)} worlds"
            for word, count in (("often", often), ("seldom", seldom))
            if count
        ]
        sentences.append(
            f"{name}: finds a change where there is none in {share.min():.1%} to {share.max():.1%} "
            f"of cases; {', '.join(verdicts) or 'holds its level'}."
        )
    return sentences


class _Force:
    """One draw of a force: its areas' counts, with pairs picked among them."""

    def __init__(self, world: World, rng: np.random.Generator) -> None:
        self.world = world
        self.levels = world.mean * np.exp(rng.normal(0, world.spread, world.n_areas))
        shape = (world.n_areas, world.months)
        self.drifted = self.levels * np.exp(rng.normal(0, world.drift, world.n_areas))
        self.before = _draw(np.broadcast_to(self.levels[:, None], shape), world.phi, rng)
        self.after = _draw(np.broadcast_to(self.drifted[:, None], shape), world.phi, rng)
        self.pairs = self._pick(rng)

    def _pick(self, rng: np.random.Generator) -> list[tuple[int, int]]:
        free = list(rng.permutation(self.world.n_areas))
        sums = self.before.sum(axis=1)
        pairs = []
        for _ in range(self.world.n_pairs):
            site = free.pop()
            distance = np.abs(np.log(np.maximum(sums[free], 0.5) / max(sums[site], 0.5)))
            near = np.argsort(distance, kind="stable")
            like = near[distance[near] <= math.log(1.5)]
            count = 5 if self.world.control == "nearest" else max(1, like.size)
            control = free.pop(int(near[rng.integers(min(count, near.size))]))
            pairs.append((int(site), int(control)))
        return pairs

    def judge(self, effect: float, rng: np.random.Generator) -> Iterator[tuple[Estimate, float]]:
        """Give each estimate with the truth, were the sites' levels multiplied by `effect`."""
        after = self.after.copy()
        sites = [site for site, _ in self.pairs]
        if effect != 1:
            means = np.repeat(self.drifted[sites, None] * effect, self.world.months, axis=1)
            after[sites] = _draw(means, self.world.phi, rng)
        counts = [self._count(site, control, after) for site, control in self.pairs]
        placed = self._place(after, gap=0.1)
        if self.world.n_pairs == 1:
            yield from self._judge_pair(counts[0], after, placed[0], effect)
            yield self._rank_naively(after, effect), effect
            return
        ratios = [pair.estimate_rirr() for pair in counts]
        logs = [math.log(ratio.estimate) for ratio in ratios]
        variances = [ratio.se**2 for ratio in ratios]
        for name, model, adjust in _POOLED:
            pooled = pool_log_ratios(logs, variances, model=model, adjust=adjust, estimator=name)
            yield pooled, effect
        yield self._rank_together(placed, after, int(rng.integers(2**32))), effect

    def _judge_pair(
        self, pair: PairCounts, after: Array, placed: tuple[float, Rank], effect: float
    ) -> Iterator[tuple[Estimate, float]]:
        level = self.levels[self.pairs[0][0]]
        fewer = self.world.months * level * (effect - 1)
        truths = {"rirr_poisson": effect, "rirr": effect, "wdd": fewer, "wdd_corrected": fewer}
        estimates = {estimate.estimator: estimate for estimate in pair.estimate()}
        for name, truth in truths.items():
            yield estimates[name], truth
        own, rank = placed
        yield self._rank_together([placed], after, 0), effect
        cells = [side[area].sum() for area in self.pairs[0] for side in (self.before, after)]
        yield estimate_placebo_ratio(own, rank, np.maximum(cells, 0.5).tolist()), effect

    def _rank_together(
        self, placed: Sequence[tuple[float, Rank]], after: Array, seed: int
    ) -> Estimate:
        ranks = [rank for _, rank in placed]
        if any(rank.n_areas < SMALLEST_POOL for rank in ranks):
            return Estimate(
                "placebo_p", note="Too few areas like the site.", reason=Reason.TOO_FEW_AREAS
            )
        p_value = ranks[0].p_value
        if len(ranks) > 1:
            change, start = self._measure(after)
            p_value = rank_mean(change, start, self.pairs, 1.5, seed=seed).p_value
        return Estimate("placebo_p", p_value, p_value=p_value)

    def _rank_naively(self, after: Array, effect: float) -> Estimate:
        """Rank among all pairs of the size range; measured for false positives only."""
        note = "A warning, not a method."
        if effect != 1:
            return Estimate("placebo_naive", note=note, reason=Reason.NOT_APPLICABLE)
        share = self._place(after, gap=_ANY_GAP)[0][1].share
        if math.isnan(share):
            return Estimate("placebo_naive", note=note, reason=Reason.TOO_FEW_AREAS)
        return Estimate("placebo_naive", share, p_value=share, note=note)

    def _count(self, site: int, control: int, after: Array) -> PairCounts:
        return PairCounts(
            MonthlyCounts(self.before[site], after[site]),
            MonthlyCounts(self.before[control], after[control]),
        )

    def _measure(self, after: Array) -> tuple[Array, Array]:
        """Return the log ratio of each area, and its count before."""
        start = np.maximum(self.before.sum(axis=1), 0.5)
        return np.log(np.maximum(after.sum(axis=1), 0.5) / start), start

    def _place(self, after: Array, *, gap: float) -> list[tuple[float, Rank]]:
        """Rank each pair among the areas of no pair."""
        change, start = self._measure(after)
        used = [area for pair in self.pairs for area in pair]
        placed = []
        for site, control in self.pairs:
            free = np.delete(np.arange(self.world.n_areas), used)
            own = (float(change[site]), float(change[control]))
            sizes = (float(start[site]), float(start[control]))
            rank = rank_difference(own, sizes, change[free], start[free], 1.5, gap=gap)
            placed.append((own[0] - own[1], rank))
        return placed


def _reject(estimate: Estimate) -> float:
    return math.nan if math.isnan(estimate.p_value) else float(estimate.p_value <= 0.05)


def _share(values: Sequence[float]) -> float:
    known = np.asarray(values)[np.isfinite(values)]
    return float(known.mean()) if known.size else math.nan


def _draw(means: Array, phi: float, rng: np.random.Generator) -> Array:
    """Draw counts with variance phi x mean: Poisson, or negative binomial of the first kind."""
    if phi == 1:
        return rng.poisson(means).astype(float)
    return rng.poisson(rng.gamma(means / (phi - 1), phi - 1)).astype(float)
