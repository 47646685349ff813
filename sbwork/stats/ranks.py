"""The rank of a change among the changes of areas in which nothing was done."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

from sbwork.stats.estimate import Estimate, Flag
from sbwork.stats.placebo_sets import FEWEST_PLACEBO_PAIRS, Layout

SMALLEST_POOL = 19
"""With fewer areas than this a p of .05 cannot be reached: 1 / (19 + 1) = .05."""

AMPLE_POOL = 38
"""With fewer areas than this beside a control even the largest change may not reach .05: the real
site has a part in 2 / (38 + 2) of all pairs, and all of these may be as far from the middle."""

MOST_PAIRS = 1_500_000
"""More pairs than this are not formed at once: areas are thinned at random, by the seed."""

_LEVEL = 0.95

DRAWS = 9_999
"""Sets of placebo pairs drawn where several pairs are judged together."""

Ints = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Rank:
    """The place of one change among placebo changes.

    `p_value`: two-sided: the share of all ways to give out the parts among the areas that yield a
        change at least as far from the middle, the real one among them.
    `share`: share of the placebo changes, the real site left out, at least as far from their
        middle.
    `n_areas`: distinct placebo areas in use.
    `gap`: how far the starting gap of a placebo pair may be from the real one's; NaN without a
        control.
    `changes`: the placebo changes, as log ratios, of the areas at `treated` and `control`.
    `reference`: the changes that p counts: the placebo ones, the real one, and mixtures of both.
    `signs`: what the real site does in each of these: 1 where its change counts, -1 where it is
        taken off, 0 where it has no part.
    """

    p_value: float
    share: float
    n_areas: int
    gap: float
    changes: Floats
    treated: Ints
    control: Ints
    reference: Floats
    signs: npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True, eq=False)
class MeanRank:
    """The place of the mean change of several pairs, a log ratio, among placebo means.

    `smallest_p`: the smallest that `p_value` could have been: see `find_smallest_p`.
    `low, high`: the range that holds the middle 95% of the placebo means.
    `n_areas`: distinct areas in the placebo means.
    `means`: the placebo means: of sets of areas in which nothing was done, real controls among
        them.
    `weights`: what the change of each area of a set counts for in the mean.
    """

    observed: float
    p_value: float
    smallest_p: float
    low: float
    high: float
    n_areas: int
    means: Floats
    weights: Floats


def rank_change(
    own: float, own_before: float, changes: npt.ArrayLike, before: npt.ArrayLike, size_ratio: float
) -> Rank:
    """Rank the change of one site among the changes of areas of its size.

    Areas count as of its size up to `size_ratio` times as large or as small before. p = rank /
    (n_areas + 1); distance is taken from the median of all, the site's own change included, so that
    every area is treated alike.

    Source: Abadie, A., Diamond, A., & Hainmueller, J. (2010). Journal of the American Statistical
    Association 105, 493-505.
    """
    near = find_alike(own_before, before, size_ratio)
    pool = np.asarray(changes, dtype=float)[near]
    none = np.empty(0, dtype=np.intp)
    if not pool.size:
        signs = np.empty(0, dtype=np.int8)
        return Rank(math.nan, math.nan, 0, math.nan, pool, near, none, pool, signs)
    everyone = np.append(pool, own)
    signs = np.append(np.zeros(pool.size, dtype=np.int8), np.int8(1))
    p_value = _share_as_far(everyone, own)
    share = _share_as_far(pool, own)
    return Rank(p_value, share, pool.size, math.nan, pool, near, none, everyone, signs)


def find_alike(own: float, before: npt.ArrayLike, size_ratio: float) -> npt.NDArray[np.intp]:
    """Find the areas that are up to `size_ratio` times as large or as small as a site before."""
    size = np.log(np.asarray(before, dtype=float))
    return np.flatnonzero(np.abs(size - math.log(own)) <= math.log(size_ratio) + 1e-12)


def rank_difference(
    own: tuple[float, float],
    own_before: tuple[float, float],
    changes: npt.ArrayLike,
    before: npt.ArrayLike,
    size_ratio: float,
    *,
    gap: float = 0.1,
    seed: int = 0,
) -> Rank:
    """Rank a site's change less its control's among such differences between like areas.

    `own` and `own_before` are the log ratios and counts before of the site and its control. An area
    may stand in for either up to `size_ratio` times as large or as small before; a pair of areas is
    like the real one when the log ratio of its counts before is within `gap` of the real one's,
    doubled until 100 pairs are, or all. For p the real site and its control can take the other
    areas' parts too: under no effect each ordered pair was as likely to be the real one, so that
    pairs that share an area do no harm.

    Ranking among the placebo pairs alone rejects too often when areas are few. And a control picked
    for being like the site before shares its chance high or low, so that the real pair varies less
    than pairs at large: hence the condition on the starting gap. The price is power: in simulations
    of 240 incidents a year, a fall of 80% has a p of .05 or less in 94% of cases with 43 areas, 78%
    with 33, 58% with 23.

    Source: Abadie, A., Diamond, A., & Hainmueller, J. (2010). Journal of the American Statistical
    Association 105, 493-505. Ernst, M. D. (2004). Statistical Science 19, 676-685. Hennessy, J., et
    al. (2016). Journal of Causal Inference 4, 61-80.
    """
    everyone = np.concatenate([own, np.asarray(changes, dtype=float)])
    sizes = np.concatenate([own_before, np.asarray(before, dtype=float)])
    size = np.log(sizes)
    pools = [find_alike(sizes[part], sizes, size_ratio) for part in (0, 1)]
    treated, control = _thin(pools[0], pools[1], seed)
    starts = np.subtract.outer(size[treated], size[control]) - (size[0] - size[1])
    starts[np.equal.outer(treated, control)] = np.inf
    starts = np.abs(starts)
    gap = _widen(starts[np.ix_(treated > 1, control > 1)], gap)
    rows, columns = np.nonzero(starts <= gap)
    one, other = treated[rows], control[columns]
    reference = everyone[one] - everyone[other]
    placebo = (one > 1) & (other > 1)
    pairs, positions = reference[placebo], (one[placebo] - 2, other[placebo] - 2)
    signs = np.subtract(one == 0, other == 0, dtype=np.int8)
    if not pairs.size:
        return Rank(math.nan, math.nan, 0, gap, pairs, *positions, pairs, signs[placebo])
    used = np.zeros(everyone.size, dtype=bool)
    used[positions[0]] = used[positions[1]] = True
    own_difference = float(everyone[0] - everyone[1])
    return Rank(
        p_value=_share_as_far(reference, own_difference),
        share=_share_as_far(pairs, own_difference),
        n_areas=int(used.sum()),
        gap=gap,
        changes=pairs,
        treated=positions[0],
        control=positions[1],
        reference=reference,
        signs=signs,
    )


def rank_mean(
    changes: npt.ArrayLike,
    before: npt.ArrayLike,
    pairs: Sequence[tuple[int, int | None]],
    size_ratio: float,
    *,
    gap: float = 0.1,
    draws: int = DRAWS,
    seed: int = 0,
) -> MeanRank:
    """Rank the mean change of several pairs among means of sets of areas laid out like them.

    `changes` and `before` are of all areas, in the months of each pair where these differ; a count
    before of NaN keeps an area out of that pair. `pairs` are positions of sites, each in one pair
    only, and of controls, which may be shared, or None. p = 2 (1 + draws at least as far out on the
    same side) / (draws + 1). A draw is a set of distinct areas with exactly the sharing of the real
    pairs, each pair like its real one, all such sets equally probable, the real sites and controls
    among the areas; the placebo means leave out the real sites.

    Drawn as independent pairs, a mean would be called unusual in 9% of cases with two and in 15%
    with three pairs that share a control; this rank errs in 4 to 6%, whatever the sharing
    (``tests/studies/sim_ranks.py``). The sides are counted apart because a real site that fell
    makes the sets rise in which it is the common control: six such pairs among 45 areas were found
    in 53% of cases by side and in 29% by distance.

    Source: Ernst, M. D. (2004). Statistical Science 19, 676-685. Cavallo, E., et al. (2013). Review
    of Economics and Statistics 95, 1549-1561. Phipson, B., & Smyth, G. K. (2010). Statistical
    Applications in Genetics and Molecular Biology 9, article 39.
    """
    shape = (len(pairs), np.asarray(changes).shape[-1])
    change = np.broadcast_to(np.asarray(changes, dtype=float), shape)
    layout = Layout(np.broadcast_to(np.asarray(before, dtype=float), shape), pairs, size_ratio, gap)
    rng = np.random.default_rng(seed)
    treated = np.zeros(shape[1], dtype=bool)
    treated[[site for site, _ in pairs]] = True
    sets = layout.draw(np.ones_like(treated), draws, rng)
    placebo = layout.draw(~treated, draws, rng)
    observed = float(layout.average(change, layout.parts[None, :])[0])
    means = layout.average(change, placebo)
    if not (len(sets) and means.size):
        nan = math.nan
        return MeanRank(observed, nan, nan, nan, nan, 0, np.empty(0), layout.weights)
    reference = np.append(layout.average(change, sets), observed)
    shares = layout.average(np.broadcast_to(treated.astype(float), shape), sets)
    p_value = _double_tail(reference, observed)
    low, high = np.quantile(means, [0.025, 0.975])
    return MeanRank(
        observed=observed,
        p_value=p_value,
        smallest_p=_shift_out(_double_tail, reference, np.append(shares, 1.0), observed),
        low=float(low),
        high=float(high),
        n_areas=np.unique(placebo).size,
        means=means,
        weights=layout.weights,
    )


def find_smallest_p(own: float, rank: Rank) -> float:
    """Find the smallest p value that a rank could have given.

    That were the site's change farther out than all others', the control and all other areas being
    as they are: 1 / (n_areas + 1) for a site without control, and more beside a control, since the
    site has a part in other pairs.
    """
    if math.isnan(rank.p_value):
        return math.nan
    return _shift_out(_share_as_far, rank.reference, rank.signs.astype(float), own)


def _shift_out(
    rank: Callable[[Floats, float], float], reference: Floats, shares: Floats, own: float
) -> float:
    """Find the smallest p; `shares` is how much of the sites' own shift each change takes on."""
    out = 10 * (1 + float(np.abs(reference).max()))
    return min(rank(reference + by * shares, own + by) for by in (-out, 0.0, out))


def estimate_placebo_ratio(own: float, rank: Rank, counts: Sequence[float]) -> Estimate:
    """Give a ratio the interval that the placebo changes support: ``"rirr_placebo"``.

    All true ratios under which the rest, own change less true change, would lie no farther from the
    middle of the placebo changes than 95% of them do: whatever moves areas apart, as long as it
    moves the placebo areas in the same way. `counts` are the site's incidents before and after, and
    its control's.

    Fewer incidents vary more, so the allowed distance is multiplied by the root of V / V0, where V
    is the sum of 1 / count and V0 the same with the site's count after put back to what it would be
    without the ratio; by 1 for a rise, the careful side of both. And few areas show their spread
    but roughly: beside a control the distance is widened by t on as many degrees of freedom as
    areas over its normal limit; without control, it is the order statistic that the rank itself
    asks for. So a true fall of 30% is within the interval in 94 to 96% of simulated cases, and in
    92 to 95% without these two; a fall by half in 94 to 98%, a doubling in 96 to 97%. Inverting the
    rank exactly gives no end in 15% of cases with 45 areas.

    Source: Conley, T. G., & Taber, C. R. (2011). Review of Economics and Statistics 93, 113-125
    (the interval). Ferman, B., & Pinto, C. (2019). Review of Economics and Statistics 101, 452-467
    (the rescaling). Donald, S. G., & Lang, K. (2007). Review of Economics and Statistics 89,
    221-233 (t on the number of groups).
    """
    if rank.n_areas < SMALLEST_POOL:
        return _leave_open(own, rank)
    untouched = rank.reference[rank.signs == 0]
    middle = float(np.median(untouched))
    reach = _reach(np.abs(untouched - middle), rank)
    shares = 1 / np.asarray(counts, dtype=float)
    ends = _solve_ends(own - middle, reach, float(shares.sum()), float(shares[1]))
    return _close(own, rank, ends)


def estimate_placebo_mean(
    rank: MeanRank,
    counts: Sequence[Sequence[float]],
    pairs: Sequence[tuple[int, int | None]],
) -> Estimate:
    """Give the mean ratio of several pairs the interval that the placebo means support.

    As `estimate_placebo_ratio` for the geometric mean of the pairs' own ratios, with `counts` and
    `pairs` in the same order. In the variance the counts of a shared control enter once, with the
    square of the number of its pairs. Where the weights w of a set do not add up to 0, as with
    sites without control, distinct areas bring the placebo means nearer to the middle than the real
    mean is: the distance is multiplied by the root of (sum w^2 + (sum w)^2 / n) / (sum w^2 - (sum
    w)^2 / n), the ratio of the variances among n areas. In simulations a true fall of 30% was
    within the interval in 93 to 96% of cases with two, three and six pairs.

    Source: as there; and Cochran, W. G. (1977). Sampling Techniques (3rd ed.). Wiley, section 2.5.
    """
    squares = float((rank.weights**2).sum())
    shared = float(rank.weights.sum() ** 2) / max(1, rank.n_areas)
    if rank.n_areas < SMALLEST_POOL or squares - shared < 1e-9:
        return _leave_open(rank.observed, rank)
    middle = float(np.median(rank.means))
    reach = float(np.quantile(np.abs(rank.means - middle), _LEVEL))
    reach *= math.sqrt((squares + shared) / (squares - shared))
    reach = _widen_by_t(reach, rank.n_areas)
    variance = _find_variance(counts, [control for _, control in pairs])
    ends = _solve_ends(rank.observed - middle, reach, *variance)
    return _close(rank.observed, rank, ends)


def _find_variance(
    counts: Sequence[Sequence[float]], controls: Sequence[int | None]
) -> tuple[float, float]:
    """Find the Poisson variance of the mean log ratio, and the part of the sites' counts after.

    Two logs of counts of one control, the one taken in a part of the months of the other, have the
    covariance 1 / the larger count.
    """
    sites = sum(1 / count for pair in counts for count in pair[:2])
    after = sum(1 / pair[1] for pair in counts)
    shared = 0.0
    for control in {control for control in controls if control is not None}:
        served = [pair for pair, name in zip(counts, controls, strict=True) if name == control]
        sides = np.array([pair[2:] for pair in served], dtype=float).T
        shared += sum(float((1 / np.maximum.outer(side, side)).sum()) for side in sides)
    squared = len(counts) ** 2
    return (sites + shared) / squared, after / squared


def _leave_open(own: float, rank: Rank | MeanRank) -> Estimate:
    return Estimate(
        "rirr_placebo",
        math.exp(own),
        n=float(rank.n_areas),
        unit="ratio",
        note=f"At least {SMALLEST_POOL} comparable areas are needed for an interval.",
        flags=(Flag.FEW_AREAS,),
    )


def _close(own: float, rank: Rank | MeanRank, ends: tuple[float, float]) -> Estimate:
    ratio, low, high = map(math.exp, (own, *ends))
    note = "The interval is made from how much areas changed in which nothing was done."
    n = float(rank.n_areas)
    return Estimate(
        "rirr_placebo", ratio, low, high, p_value=rank.p_value, n=n, unit="ratio", note=note
    )


def _reach(distances: Floats, rank: Rank) -> float:
    """Find how far from the middle a change may lie to be among 95% of them."""
    if not rank.control.size:
        wanted = math.ceil(_LEVEL * (rank.n_areas + 1) - 1e-9)
        return float(np.partition(distances, wanted - 1)[wanted - 1])
    return _widen_by_t(float(np.quantile(distances, _LEVEL)), rank.n_areas)


def _widen_by_t(distance: float, df: int) -> float:
    tail = (1 + _LEVEL) / 2
    return float(stats.t.ppf(tail, df) / stats.norm.ppf(tail)) * distance


def _solve_ends(centre: float, reach: float, total: float, after: float) -> tuple[float, float]:
    """Find the log ratios whose distance from `centre` is `reach`, widened as each implies.

    `total` is the variance by the number of incidents, `after` what the sites' counts after
    contribute to it.
    """

    def widen(ratio: float) -> float:
        return reach * math.sqrt(total / (total + after * min(0.0, math.expm1(ratio))))

    beyond = 2 * reach * math.sqrt(total / (total - after))
    low = optimize.brentq(lambda end: centre - end - widen(end), centre - beyond, centre)
    high = optimize.brentq(lambda end: end - centre - widen(end), centre, centre + beyond)
    return float(low), float(high)


def _double_tail(pool: Floats, own: float) -> float:
    sides = (np.mean(pool <= own + 1e-12), np.mean(pool >= own - 1e-12))
    return min(1.0, 2 * float(min(sides)))


def _share_as_far(pool: Floats, own: float) -> float:
    middle = float(np.median(pool))
    return float(np.mean(np.abs(pool - middle) >= abs(own - middle) - 1e-12))


def _widen(gaps: Floats, gap: float) -> float:
    """Double the tolerance until enough pairs, or all pairs of distinct areas, are within it."""
    wanted = min(FEWEST_PLACEBO_PAIRS, int(np.isfinite(gaps).sum()))
    while np.count_nonzero(gaps <= gap) < wanted:
        gap *= 2
    return gap + 1e-12


def _thin(treated: Ints, control: Ints, seed: int) -> tuple[Ints, Ints]:
    """Keep so many areas that their pairs can be formed; the real site and control come first."""
    most = math.isqrt(MOST_PAIRS)
    if treated.size * control.size <= MOST_PAIRS:
        return treated, control
    everyone = np.union1d(treated, control)
    rng = np.random.default_rng(seed)
    kept = np.union1d([0, 1], rng.choice(everyone, size=min(most, everyone.size), replace=False))
    return np.intersect1d(treated, kept), np.intersect1d(control, kept)
