"""Made-up areas with known truth: how often each interval is right."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from sbwork.compare.counts import relate_ratios
from sbwork.stats import Estimate, Reason
from sbwork.stats.pairs import MonthlyCounts, PairCounts
from sbwork.stats.pooling import PoolingModel, pool_log_ratios, pool_with_prior
from sbwork.stats.ranks import (
    SMALLEST_POOL,
    estimate_placebo_mean,
    estimate_placebo_ratio,
    rank_change,
    rank_difference,
    rank_mean,
)
from sbwork.stats.synthetic import choose_donors, fit_synthetic_controls

__all__ = [
    "SIMULATION_COLUMNS",
    "WORLD_COLUMNS",
    "World",
    "describe_errors",
    "draw_counts",
    "simulate_counts",
]

WORLD_COLUMNS = (
    "phi",
    "drift",
    "n_pairs",
    "control",
    "chosen",
    "pool",
    "n_areas",
    "months",
    "mean",
    "spread",
    "tau",
)
"""The columns of a simulation's table that say how its areas behave."""

SIMULATION_COLUMNS = (
    *WORLD_COLUMNS,
    "estimator",
    "level",
    "false_positive",
    "coverage",
    "power",
    "ratio",
    "n",
)
"""The columns of the table that `simulate_counts` gives, in order."""

Array = npt.NDArray[np.float64]

_POOLED: tuple[tuple[str, PoolingModel, bool], ...] = (
    ("rirr_pooled_fixed", "fixed", False),
    ("rirr_pooled", "reml", True),
)
_SIZE_RATIO = 1.5
_NEAREST = 5
_MOST_DONORS = 12
_SETS = 999
_ALPHA = 0.05


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
        Sites; each has a control of its own unless `control` is ``"shared"`` or ``"none"``.
    control : {"random", "nearest", "shared", "none", "synthetic"}
        The control is any area of the site's size; one of the five whose count before was nearest
        to the site's, as an evaluator would choose it; one area for all sites; none; or a mixture
        of areas that follows the site in the months before.
    chosen : {"drawn", "highest", "rising"}
        How sites came to be sites: drawn among all areas; the highest counts before among `pool`
        areas; or the steepest rise into the period before.
    pool : int
        Areas among which the highest or steepest was chosen.
    n_areas : int
        Areas of the force, sites and controls included.
    months : int
        Months before, and as many after.
    mean : float
        Incidents a month in the middle area.
    spread : float
        SD of the log of the areas' levels.
    tau : float
        SD between pairs of the log of their true ratios.
    effect : float
        The true RIRR in the sites, for coverage and power; false positives are at 1.
    """

    phi: float = 1.0
    drift: float = 0.0
    n_pairs: int = 1
    control: str = "random"
    chosen: str = "drawn"
    pool: int = 40
    n_areas: int = 120
    months: int = 12
    mean: float = 20.0
    spread: float = 0.3
    tau: float = 0.0
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
        One row an estimator: the world (columns `WORLD_COLUMNS`); ``level``, the share of false
        positives that it promises: .05, but floor(.05 (J + 1)) / (J + 1) for the rank of a lone
        site among J areas, on average over the draws; ``false_positive`` (share of
        p <= .05, or of intervals that leave out 1 where there is no p, with no effect on
        average), ``coverage`` (share of 95% intervals that hold the true value when there is an
        effect; NaN where there is no interval), ``power`` (share of p <= .05, or of intervals
        that leave out 1, when there is an effect), ``ratio`` (median estimate with no effect) and
        ``n``, the draws in which it was defined: a site unlike any area has no placebo rank.

        For one pair: ``rirr_poisson``, ``rirr``, ``wdd``, ``wdd_corrected``, ``placebo_p`` and
        ``rirr_placebo``; for a lone site the last two; for a synthetic control
        ``synthetic_rmspe_ratio``; for several pairs ``rirr_pooled_fixed``, ``rirr_pooled``,
        ``rirr_pooled_bayes``, ``placebo_p`` and ``rirr_placebo``. The true value of random
        effects is the ratio in all pairs there could be, that of the placebo interval the mean
        of these pairs' own; a rank tests that nothing happened in any pair, so where true ratios
        differ (`tau` above 0) it has no false positives.

    Examples
    --------
    >>> table = simulate_counts(World(phi=2.0, n_areas=60), n=20)
    >>> list(table["estimator"])[-2:]
    ['placebo_p', 'rirr_placebo']
    """
    rng = np.random.default_rng(seed)
    wrong: dict[str, list[float]] = defaultdict(list)
    covered: dict[str, list[float]] = defaultdict(list)
    found: dict[str, list[float]] = defaultdict(list)
    ratios: dict[str, list[float]] = defaultdict(list)
    levels: dict[str, list[float]] = defaultdict(list)
    for _ in range(n):
        force = _Force(world, rng)
        for estimate, truth in force.judge(1.0, rng):
            own = estimate.estimator == "rirr_placebo" and truth != 1
            wrong[estimate.estimator].append(math.nan if own else _reject(estimate))
            ratios[estimate.estimator].append(estimate.estimate)
            lone = world.control == "none" and world.n_pairs == 1
            levels[estimate.estimator].append(_find_level(estimate.n) if lone else _ALPHA)
        for estimate, truth in force.judge(world.effect, rng):
            found[estimate.estimator].append(_reject(estimate))
            inside = float(estimate.ci_low <= truth <= estimate.ci_high)
            covered[estimate.estimator].append(math.nan if math.isnan(estimate.ci_low) else inside)
    described = {name: value for name, value in asdict(world).items() if name in WORLD_COLUMNS}
    rows = [
        {
            **described,
            "estimator": name,
            "level": _share(levels[name]),
            "false_positive": _share(wrong[name]),
            "coverage": _share(covered[name]),
            "power": _share(found[name]),
            "ratio": _find_median(ratios[name]),
            "n": int(np.isfinite(ratios[name]).sum()),
        }
        for name in wrong
    ]
    return pd.DataFrame(rows, columns=list(SIMULATION_COLUMNS))


def describe_errors(table: pd.DataFrame) -> list[str]:
    """Describe in a sentence an estimator how often it finds a change where there is none.

    A share counts as too high or too low when it is more than a percentage point off its level, by
    more than two standard errors of the simulation. `table`: of `simulate_counts`, for any worlds.
    """
    sentences = []
    for name, rows in table.groupby("estimator", sort=False):
        rows = rows.dropna(subset="false_positive")
        if rows.empty:
            continue
        share = rows["false_positive"]
        level = rows.get("level", _ALPHA)
        noise = 0.01 + 2 * np.sqrt(_ALPHA * (1 - _ALPHA) / rows["n"])
        often, seldom = int((share > level + noise).sum()), int((share < level - noise).sum())
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
    """One draw of a force: its areas' counts, with sites and controls picked among them."""

    def __init__(self, world: World, rng: np.random.Generator) -> None:
        self.world = world
        shape = (world.n_areas, world.months)
        moved = rng.normal(0, world.drift, (2, world.n_areas))
        self.levels = world.mean * np.exp(rng.normal(0, world.spread, world.n_areas))
        self.drifted = self.levels * np.exp(moved[0])
        self.before = draw_counts(np.broadcast_to(self.levels[:, None], shape), world.phi, rng)
        self.after = draw_counts(np.broadcast_to(self.drifted[:, None], shape), world.phi, rng)
        self.start = np.maximum(self.before.sum(axis=1), 0.5)
        earlier = self.start
        if world.chosen == "rising":
            past = (self.levels * np.exp(moved[1]))[:, None]
            earlier = draw_counts(np.broadcast_to(past, shape), world.phi, rng).sum(axis=1)
        self.pairs = self._pick(np.maximum(earlier, 0.5), rng)
        self.sites = [site for site, _ in self.pairs]
        self.own_ratios = np.exp(rng.normal(0, world.tau, len(self.pairs)))

    def _pick(self, earlier: Array, rng: np.random.Generator) -> list[tuple[int, int | None]]:
        """Pick the sites, then a control for each."""
        world = self.world
        free = [int(area) for area in rng.permutation(world.n_areas)]
        shared: int | None = None
        if world.chosen != "drawn":
            order = self.start if world.chosen == "highest" else np.log(self.start / earlier)
            pool = free[: world.pool]
            sites = sorted(pool, key=lambda area: -order[area])[: world.n_pairs]
        elif world.control == "shared":
            shared = free.pop()
            sites = self._list_like(shared, free)[: world.n_pairs]
            sites += [area for area in free if area not in sites][: world.n_pairs - len(sites)]
        else:
            sites = free[: world.n_pairs]
        free = [area for area in free if area not in sites]
        pairs: list[tuple[int, int | None]] = []
        for site in sites:
            if world.control in ("none", "synthetic"):
                pairs.append((site, None))
            elif shared is not None:
                pairs.append((site, shared))
            else:
                near = self._sort_by_likeness(site, free)
                like = max(1, len(self._list_like(site, free)))
                count = _NEAREST if world.control == "nearest" else like
                control = near[int(rng.integers(min(count, len(near))))]
                free.remove(control)
                pairs.append((site, control))
        return pairs

    def _sort_by_likeness(self, area: int, others: Sequence[int]) -> list[int]:
        distance = np.abs(np.log(self.start[list(others)] / self.start[area]))
        return [others[int(at)] for at in np.argsort(distance, kind="stable")]

    def _list_like(self, area: int, others: Sequence[int]) -> list[int]:
        """List the areas of about the size of one, in their order."""
        distance = np.abs(np.log(self.start[list(others)] / self.start[area]))
        return [others[int(at)] for at in np.flatnonzero(distance <= math.log(_SIZE_RATIO))]

    def judge(self, effect: float, rng: np.random.Generator) -> Iterator[tuple[Estimate, float]]:
        """Give each estimate with the truth, were the sites' levels multiplied by `effect`."""
        world, after = self.world, self.after
        ratios = effect * self.own_ratios
        if (ratios != 1).any():
            after = after.copy()
            means = np.repeat((self.drifted[self.sites] * ratios)[:, None], world.months, axis=1)
            after[self.sites] = draw_counts(means, world.phi, rng)
        if world.control == "synthetic":
            yield self._mix(after), math.nan
            return
        ends = np.maximum(after.sum(axis=1), 0.5)
        changes = np.log(ends / self.start)
        seed = int(rng.integers(2**32))
        own = float(np.exp(np.log(ratios).mean()))
        if len(self.pairs) == 1:
            if self.pairs[0][1] is not None:
                yield from self._judge_pair(after, effect)
            rank, ratio = self._place_alone(changes, ends)
        else:
            yield from self._pool(after, effect)
            rank, ratio = self._place_together(changes, ends, seed)
        if world.tau == 0:
            yield rank, effect
        yield ratio, own

    def _judge_pair(self, after: Array, effect: float) -> Iterator[tuple[Estimate, float]]:
        level = self.levels[self.sites[0]]
        fewer = self.world.months * level * (effect - 1)
        truths = {"rirr_poisson": effect, "rirr": effect, "wdd": fewer, "wdd_corrected": fewer}
        found = self._count(*self.pairs[0], after).estimate()
        estimates = {estimate.estimator: estimate for estimate in found}
        for name, truth in truths.items():
            yield estimates[name], truth

    def _pool(self, after: Array, effect: float) -> Iterator[tuple[Estimate, float]]:
        counts = [self._count(site, control, after) for site, control in self.pairs]
        ratios = [pair.estimate_rirr() for pair in counts]
        logs = [math.log(ratio.estimate) for ratio in ratios]
        covariance = relate_ratios(ratios, counts, [control for _, control in self.pairs])
        for name, model, adjust in _POOLED:
            pooled = pool_log_ratios(logs, covariance, model=model, adjust=adjust, estimator=name)
            yield pooled, effect
        yield pool_with_prior(logs, covariance), effect

    def _count(self, site: int, control: int | None, after: Array) -> PairCounts:
        assert control is not None  # noqa: S101
        return PairCounts(
            MonthlyCounts(self.before[site], after[site]),
            MonthlyCounts(self.before[control], after[control]),
        )

    def _place_alone(self, changes: Array, ends: Array) -> tuple[Estimate, Estimate]:
        """Rank one site, or one pair, among the areas that are neither."""
        site, control = self.pairs[0]
        used = [site] if control is None else [site, control]
        free = np.delete(np.arange(self.world.n_areas), used)
        own, sizes = changes[used], self.start[used]
        if control is None:
            rank = rank_change(own[0], sizes[0], changes[free], self.start[free], _SIZE_RATIO)
            observed = float(own[0])
        else:
            rank = rank_difference(
                (own[0], own[1]), (sizes[0], sizes[1]), changes[free], self.start[free], _SIZE_RATIO
            )
            observed = float(own[0] - own[1])
        if rank.n_areas < SMALLEST_POOL:
            return _MISSING_RANK, _MISSING_RATIO
        cells = np.column_stack([self.start[used], ends[used]]).ravel()
        ratio = estimate_placebo_ratio(observed, rank, cells.tolist())
        n = float(rank.n_areas)
        return Estimate("placebo_p", rank.p_value, p_value=rank.p_value, n=n), ratio

    def _place_together(self, changes: Array, ends: Array, seed: int) -> tuple[Estimate, Estimate]:
        """Rank the mean of the pairs among sets of areas laid out like them."""
        rank = rank_mean(changes, self.start, self.pairs, _SIZE_RATIO, draws=_SETS, seed=seed)
        if rank.n_areas < SMALLEST_POOL:
            return _MISSING_RANK, _MISSING_RATIO
        cells = [
            [float(side[area]) for area in pair if area is not None for side in (self.start, ends)]
            for pair in self.pairs
        ]
        ratio = estimate_placebo_mean(rank, cells, self.pairs)
        return Estimate("placebo_p", rank.p_value, p_value=rank.p_value), ratio

    def _mix(self, after: Array) -> Estimate:
        """Rank the gap between the site and the mixture of areas that follows it before."""
        site, world = self.sites[0], self.world
        name = "synthetic_rmspe_ratio"
        alike = [area for area in self._list_like(site, range(world.n_areas)) if area != site]
        if len(alike) < SMALLEST_POOL:
            return Estimate(name, note="Too few areas.", reason=Reason.TOO_FEW_AREAS)
        counts = np.column_stack([self.before, after])[[site, *alike]].T
        times = np.arange(-world.months, world.months)
        nearest = choose_donors(counts[times < 0], times[times < 0], _MOST_DONORS)
        own, *others = (fit.ratio for fit in fit_synthetic_controls(counts, times, nearest))
        p = (1 + int((~(np.array(others) < own)).sum())) / (len(others) + 1)
        return Estimate(name, own, p_value=p)


_MISSING_RANK, _MISSING_RATIO = (
    Estimate(name, note="Too few areas like the site.", reason=Reason.TOO_FEW_AREAS)
    for name in ("placebo_p", "rirr_placebo")
)


def _reject(estimate: Estimate) -> float:
    """Say whether a test, or an interval where there is no test, finds a change."""
    if not math.isnan(estimate.p_value):
        return float(estimate.p_value <= _ALPHA)
    if math.isnan(estimate.ci_low):
        return math.nan
    return float(estimate.ci_low > 1 or estimate.ci_high < 1)


def _share(values: Sequence[float]) -> float:
    known = np.asarray(values)[np.isfinite(values)]
    return float(known.mean()) if known.size else math.nan


def _find_level(areas: float) -> float:
    """Return the largest share up to .05 that ranks among so many areas can give."""
    return math.nan if math.isnan(areas) else math.floor(_ALPHA * (areas + 1)) / (areas + 1)


def _find_median(values: Sequence[float]) -> float:
    known = np.asarray(values)[np.isfinite(values)]
    return float(np.median(known)) if known.size else math.nan


def draw_counts(means: Array, phi: float, rng: np.random.Generator) -> Array:
    """Draw counts with variance phi x mean: Poisson, or negative binomial of the first kind."""
    if phi == 1:
        return rng.poisson(means).astype(float)
    return rng.poisson(rng.gamma(means / (phi - 1), phi - 1)).astype(float)
