"""What follows by itself where an area was picked because its count was high, or rose."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from sbwork.stats.estimate import Estimate, Flag, Reason
from sbwork.stats.ranks import SMALLEST_POOL

FEWEST_SPREAD_AREAS = 10
"""With fewer areas than this how much areas differ is not estimated."""

Floats = npt.NDArray[np.float64]

_NAME = "expected_ratio_by_choice"
_Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Pool:
    """The areas that a site was picked from, in one window, as far as picking goes.

    n_areas: How many areas.
    mean: Mean count in the window, mu.
    between: Variance between the lasting levels of the areas, t2.
    dispersion: Variance of a window's count about the area's level in it, over its mean, phi.
    drift: SD of the log of an area's level in the window about its lasting level, d: the part of
        its drift that passes.
    change: SD of the log of an area's level between the window and the one after.
    """

    n_areas: int
    mean: float
    between: float
    dispersion: float = 1.0
    drift: float = 0.0
    change: float = 0.0

    @property
    def shrinkage(self) -> float:
        """The share of an area's distance from the mean that lasts, B = t2 / (t2 + noise)."""
        noise = self._vary(self.mean, self.drift)
        return self.between / (self.between + noise) if self.between else 0.0

    def expect(self, count: float) -> float:
        """Return the count to expect next of an area that had `count`: mu + B (count - mu)."""
        return self.mean + self.shrinkage * (count - self.mean)

    def spread(self, count: float) -> float:
        """Return the variance of the log of the next count of an area that had `count`."""
        level = self.expect(count)
        noise = self._vary(level, self.drift)
        lasting = self.between * noise / (self.between + noise) if self.between else 0.0
        later = math.sqrt(max(0.0, self.change**2 - self.drift**2))
        return (lasting + self._vary(level, later)) / level**2

    def _vary(self, level: float, drift: float) -> float:
        return self.dispersion * level + drift**2 * level**2


@dataclass(frozen=True, slots=True, eq=False)
class Selected:
    """What followed where areas were picked in the same way.

    changes: Log ratios of after to before, each less its control's.
    weights: How likely each was to be the one picked; they add up to 1.
    """

    changes: Floats
    weights: Floats

    @property
    def n(self) -> float:
        """How many equally likely ones they are worth, 1 / sum of squared weights."""
        return float(1 / (self.weights**2).sum()) if self.weights.size else 0.0

    def find_quantiles(self, shares: Sequence[float]) -> Floats:
        """Return the changes below which these shares of the weight lie."""
        order = np.argsort(self.changes, kind="stable")
        middle = np.cumsum(self.weights[order]) - self.weights[order] / 2
        quantiles: Floats = np.interp(np.asarray(shares), middle, self.changes[order])
        return quantiles


def measure_rise(earlier: npt.ArrayLike, later: npt.ArrayLike) -> Floats:
    """Measure how steeply counts rose: the log of their ratio, half an incident added to each."""
    rise: Floats = np.log(
        (np.asarray(later, dtype=float) + 0.5) / (np.asarray(earlier, dtype=float) + 0.5)
    )
    return rise


def describe_pool(
    months: npt.ArrayLike,
    before: npt.ArrayLike = (),
    after: npt.ArrayLike = (),
    *,
    floor: bool = True,
) -> Pool:
    """Describe the areas that a site was picked from, by the method of moments.

    `months` are areas by months of the whole pool in the window it was picked in; `before` and
    `after` are counts, in this window and in the one after, of areas in which nothing was done. The
    dispersion is Pearson's statistic of areas by months over its degrees of freedom; `change` what
    the areas without work changed by beyond that; `drift` the part of it that was there before and
    passed; `between` the variance of the pool's counts less both.

    Source: Efron, B., & Morris, C. (1973). Journal of the American Statistical Association 68,
    117-130. Bühlmann, H., & Gisler, A. (2005). A Course in Credibility Theory and its Applications.
    Springer, chapter 4. DerSimonian, R., & Laird, N. (1986). Controlled Clinical Trials 7, 177-188.
    """
    window = np.asarray(months, dtype=float)
    counts = window.sum(axis=1)
    mean = float(counts.mean())
    phi = _measure_dispersion(window)
    phi = max(1.0, phi) if floor or not phi > 0 else phi
    change, drift = _measure_drift(
        np.asarray(before, dtype=float), np.asarray(after, dtype=float), phi
    )
    spread = float(counts.var(ddof=1)) if counts.size > 1 else 0.0
    between = spread - phi * mean - drift * mean**2
    return Pool(
        n_areas=counts.size,
        mean=mean,
        between=max(0.0, between),
        dispersion=phi,
        drift=math.sqrt(drift),
        change=math.sqrt(change),
    )


def estimate_from_pool(site: float, control: float | None, pool: Pool) -> Estimate:
    """Estimate what follows for a site picked because its count was the highest of a pool.

    ``"expected_ratio_by_choice"``: (E_T / T0) / (E_C / C0), with E = mu + B (n0 - mu) for the site
    and for its control, which was picked for being like the site, and goes back in the same way;
    E_T / T0 without a control. `ci_low` and `ci_high` hold the middle 95% of the ratios that such
    areas would have by themselves: they are no interval of the expectation.

    B is the best linear prediction, exact where levels follow a gamma distribution. On made-up
    areas whose levels have normal logs the median expected ratio is within .03 of the true one in
    193 of 204 worlds and within .043 in all, beside a control nearest in count within .03 in all;
    the range holds 91 to 97% of the ratios (``tests/studies/sim_choice.py``).

    Source: Morton, V., & Torgerson, D. J. (2003). BMJ 326, 1083-1084. Hauer, E. (1997).
    Observational Before-After Studies in Road Safety. Pergamon, chapter 11.
    """
    counts = [site] if control is None else [site, control]
    missing = _find_missing(counts)
    if missing:
        return missing
    if pool.n_areas < FEWEST_SPREAD_AREAS:
        return _refuse_few(pool.n_areas, FEWEST_SPREAD_AREAS)
    ratios = [pool.expect(count) / count for count in counts]
    expected = ratios[0] / (ratios[1] if control is not None else 1.0)
    reach = _Z * math.sqrt(sum(pool.spread(count) for count in counts))
    note = f"Of an area's distance from the mean of its pool, {pool.shrinkage:.0%} lasts."
    return _describe_ratio(expected, reach, float(pool.n_areas), note)


def estimate_from_regression(
    known: npt.ArrayLike,
    after: npt.ArrayLike,
    site: Sequence[float],
    control: Sequence[float] | None,
) -> Estimate:
    """Estimate what follows for a site picked by something else than its count before.

    As `estimate_from_pool`, each E from a linear regression of the counts `after` on what was
    `known` of other areas (the count before first, then those in the windows that the site was
    picked by), weighted by 1 over the count before plus its mean. Picking by what is regressed on
    does not bend the line. The median is within .03 of the true one in 34 of 36 simulated worlds,
    and .048 above it at most; the range holds 89 to 95% (``tests/studies/sim_choice.py``).

    Source: Little, R. J. A., & Rubin, D. B. (2019). Statistical Analysis with Missing Data, 3rd ed.
    Wiley, chapter 1.
    """
    before = np.asarray(known, dtype=float)
    later = np.asarray(after, dtype=float)
    own = [site] if control is None else [site, control]
    missing = _find_missing([row[0] for row in own])
    if missing:
        return missing
    if later.size < SMALLEST_POOL:
        return _refuse_few(later.size, SMALLEST_POOL)
    design = np.column_stack([np.ones(later.size), before])
    scale = 1 / np.sqrt(before[:, 0] + before[:, 0].mean())
    line, *_ = np.linalg.lstsq(design * scale[:, None], later * scale, rcond=None)
    expected = np.maximum(np.column_stack([np.ones(len(own)), own]) @ line, 0.5)
    fitted = np.maximum(design @ line, 0.5)
    freedom = later.size - design.shape[1]
    dispersion = float(((later - fitted) ** 2 / fitted).sum()) / freedom
    ratios = expected / np.array([row[0] for row in own])
    trend = float(later.sum() / before[:, 0].sum()) if control is None else float(ratios[1])
    reach = _Z * math.sqrt(dispersion * float((1 / expected).sum()))
    note = "From what followed in the other areas, given the months that the area was picked by."
    return _describe_ratio(float(ratios[0]) / trend, reach, float(later.size), note)


def select_again(
    criterion: npt.ArrayLike,
    before: npt.ArrayLike,
    after: npt.ArrayLike,
    pool_size: int,
    *,
    place: int = 1,
    gap: float | None = None,
) -> Selected:
    """Pick areas again as the site was picked, and look at what followed.

    `criterion` is what areas are picked by, the highest first; `gap` is the log of the control's
    count before over the site's: the control of a picked area is the area whose count is nearest to
    that. Every area that could be picked from a random pool of that size is weighted by how likely
    that is. Areas without an incident before are left out; no incident after counts as half a one.
    Without a control, the change is that beside all areas.
    """
    start, end = np.asarray(before, dtype=float), np.asarray(after, dtype=float)
    usable = np.flatnonzero(start > 0)
    start, end = start[usable], end[usable]
    order = np.argsort(-np.asarray(criterion, dtype=float)[usable], kind="stable")
    weights = _weigh_places(order.size, min(pool_size, order.size), place)
    half = np.where(end == 0, 0.5, 0.0)
    changes = np.log((end + half) / (start + half))
    picked = np.flatnonzero(weights > 1e-9)
    chosen = order[picked]
    if gap is None:
        trend = math.log(end.sum() / start.sum()) if end.sum() else 0.0
        return Selected(changes[chosen] - trend, weights[picked] / weights[picked].sum())
    logs = np.log(start)
    distance = np.abs(logs[None, :] - (logs[chosen] + gap)[:, None])
    distance[np.arange(chosen.size), chosen] = np.inf
    control = distance.argmin(axis=1)
    return Selected(changes[chosen] - changes[control], weights[picked] / weights[picked].sum())


def join_selected(parts: Sequence[Selected]) -> Selected:
    """Join what followed in several years, each year with the same weight."""
    filled = [part for part in parts if part.changes.size]
    if not filled:
        return Selected(np.empty(0), np.empty(0))
    weights = np.concatenate([part.weights for part in filled]) / len(filled)
    return Selected(np.concatenate([part.changes for part in filled]), weights)


def estimate_from_selected(selected: Selected) -> Estimate:
    """Estimate what follows from areas that were picked in the same way.

    Returns ``"expected_ratio_by_choice"``: the median ratio, with the middle 95% of the ratios;
    missing where they are worth fewer than 19 areas.

    In ``sbwork/compare/studies/choice.csv`` the median is within .017 of the true one in all 24
    worlds, and `rank_among_selected` has p of at most .05 in 3.2 to 5.4% of draws.
    """
    if selected.n < SMALLEST_POOL - 1e-9:
        return _refuse_few(selected.n, SMALLEST_POOL)
    low, middle, high = map(float, np.exp(selected.find_quantiles((0.025, 0.5, 0.975))))
    note = "The median of what followed where areas were picked in the same way."
    return replace(_describe_ratio(middle, 0.0, selected.n, note), ci_low=low, ci_high=high)


def rank_among_selected(own: float, selected: Selected) -> Estimate:
    """Rank a change among the changes of areas that were picked in the same way.

    Returns ``"placebo_p_chosen"``: two-sided, (1 + n x share) / (n + 1), with the share of the
    weight at least as far from the median and `n` the number of equally likely areas that the
    weights are worth; missing where that is below 19.

    Source: Kish, L. (1965). Survey Sampling. Wiley, section 11.7 (the number that weights are
    worth).
    """
    name = "placebo_p_chosen"
    n = selected.n
    if n < SMALLEST_POOL - 1e-9:
        return _refuse_few(n, SMALLEST_POOL, name, "p")
    if math.isnan(own):
        note = "The pair itself has no change that could be placed."
        return Estimate(name, unit="p", note=note, reason=Reason.ZERO_COUNT)
    everyone = Selected(
        np.append(selected.changes, own), np.append(selected.weights * n, 1.0) / (n + 1)
    )
    middle = everyone.find_quantiles((0.5,))[0]
    far = np.abs(selected.changes - middle) >= abs(own - middle) - 1e-12
    p_value = (1 + n * float(selected.weights[far].sum())) / (n + 1)
    note = "Two-sided, among areas that were picked in the same way and in which nothing was done."
    return Estimate(name, p_value, p_value=p_value, n=n, unit="p", note=note)


def _weigh_places(n_areas: int, pool_size: int, place: int) -> Floats:
    """Return how likely the j-th highest of all areas is to be in this place of a random pool.

    C(j - 1, place - 1) C(n - j, size - place) / C(n, size) for the j-th of n areas.
    """
    from scipy.stats import hypergeom

    rank, place = np.arange(1, n_areas + 1), min(place, pool_size)
    return np.asarray(place / rank * hypergeom.pmf(place, n_areas, rank, pool_size))


def _measure_dispersion(months: Floats) -> float:
    """Return Pearson's statistic of areas by months over its degrees of freedom."""
    rows = months[months.sum(axis=1) > 0][:, months.sum(axis=0) > 0]
    freedom = int((rows.shape[0] - 1) * (rows.shape[1] - 1))
    if freedom < 1:
        return math.nan
    fitted = np.outer(rows.sum(axis=1), rows.sum(axis=0)) / rows.sum()
    return float(((rows - fitted) ** 2 / fitted).sum()) / freedom


def _measure_drift(before: Floats, after: Floats, phi: float) -> tuple[float, float]:
    """Return the variance of the log of levels between windows, and the part that passes."""
    total = before + after
    before, after, total = (each[total > 0] for each in (before, after, total))
    if total.size < FEWEST_SPREAD_AREAS or not (before.sum() and after.sum()):
        return 0.0, 0.0
    share = float(after.sum() / total.sum())
    odds = share * (1 - share)
    pearson = float(((after - share * total) ** 2 / (odds * total)).sum())
    size = float(total.sum() - (total**2).sum() / total.sum())
    change = max(0.0, (pearson - phi * (total.size - 1)) / (odds * size))
    mean = float(before.mean())
    scaled = after * mean / after.mean()
    shared = float(np.cov(before, scaled)[0, 1])
    passing = (float(before.var(ddof=1)) - phi * mean - shared) / mean**2
    return change, min(max(0.0, passing), change)


def _find_missing(counts: Sequence[float]) -> Estimate | None:
    if all(count > 0 for count in counts):
        return None
    note = "One of the counts before is 0, so there is no ratio to expect."
    return Estimate(_NAME, unit="ratio", note=note, reason=Reason.ZERO_COUNT)


def _refuse_few(n: float, fewest: int, name: str = _NAME, unit: str = "ratio") -> Estimate:
    worth = f"{n:.0f}" if float(n).is_integer() else f"as many as {n:.1f} equally likely"
    note = f"Too few areas to see what follows from such a choice: {worth}, at least {fewest} are "
    return Estimate(name, unit=unit, n=float(n), note=note + "needed.", reason=Reason.TOO_FEW_AREAS)


def _describe_ratio(ratio: float, reach: float, n: float, note: str) -> Estimate:
    """Give a ratio the range of `reach` on the log scale to either side."""
    flags = (Flag.FEW_AREAS,) if n < SMALLEST_POOL else ()
    note = f"{note} The middle 95% of areas so picked change by ratios between low and high."
    low, high = ratio * math.exp(-reach), ratio * math.exp(reach)
    return Estimate(_NAME, ratio, low, high, n=n, unit="ratio", note=note, flags=flags)
