"""Weights that make the respondents look like the population, and means that allow for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from sbwork.specs.errors import InputError, Problem, find_nearest, list_names, quote
from sbwork.stats import Estimate
from sbwork.stats.cells import Margins, compute_kish_n, summarise_cell
from sbwork.stats.means import estimate_mean

_MOST_ROUNDS = 100
_ALLOWED_GAP = 1e-6

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]


@dataclass(frozen=True)
class RakedWeights:
    """Weights raked to population shares.

    weights: One weight a respondent; their mean is 1.
    base: The weights before raking; their mean is 1.
    converged: Whether every share reached its target to within one in a million.
    iterations: Rounds over the margins.
    n_eff: Kish's effective sample size, (sum w)^2 / sum w^2.
    n_trimmed: How many weights are at a limit set by trimming.
    margins: One row a category: ``variable``, ``category``, ``n`` (respondents), ``target``,
        ``share_before`` (with the base weights) and ``share_after``.
    categories: The category of each respondent, by its place among the targets.
    """

    weights: FloatArray
    base: FloatArray
    converged: bool
    iterations: int
    n_eff: float
    n_trimmed: int
    margins: pd.DataFrame
    categories: IntArray

    def list_margins(self) -> Margins:
        """Return what the weights were raked on, as the standard errors need it."""
        return Margins(self.base, self.categories)


def rake(
    frame: pd.DataFrame,
    targets: Mapping[str, Mapping[str, float]],
    *,
    base: ArrayLike | None = None,
    trim: tuple[float, float] | None = None,
    iterations: int = 1000,
    tolerance: float = 1e-12,
    place: str = "the answers",
) -> RakedWeights:
    """Rake weights to population shares by iterative proportional fitting.

    Parameters
    ----------
    frame : pandas.DataFrame, shape (n, n_columns)
        One column a variable named in `targets`, holding categories.
    targets : mapping of str to mapping of str to float
        For each variable the population share of each category; they are scaled to add up to 1.
    base : array_like, shape (n,), optional
        Weights to start from, all above 0; equal ones unless given.
    trim : (float, float), optional
        Lowest and highest weight allowed, as multiples of the mean weight. Raking and trimming
        take turns; where they can't both be met the weights are trimmed and not converged.
    iterations : int, default 1000
        Most rounds over the margins.
    tolerance : float, default 1e-12
        Largest gap between a share and its target at which to stop.
    place : str, default "the answers"
        What a message is to call the frame.

    Returns
    -------
    RakedWeights
        The weights, and what they do to the shares.

    Raises
    ------
    InputError
        A variable has no column, a target category has no respondents, or respondents have a
        category without a target or none at all.
    ValueError
        There are no targets or no rows, a share or base weight is not above 0, or the limits of
        `trim` do not lie around 1.

    References
    ----------
    Deming, W. E., & Stephan, F. F. (1940). Annals of Mathematical Statistics, 11, 427-444.
    Kish, L. (1965). Survey Sampling.

    Examples
    --------
    >>> people = pd.DataFrame({"sex": ["f", "f", "f", "m"]})
    >>> raked = rake(people, {"sex": {"f": 0.5, "m": 0.5}})
    >>> raked.weights.round(4).tolist(), round(raked.n_eff, 4)
    ([0.6667, 0.6667, 0.6667, 2.0], 3.0)
    """
    categories, shares = _match_targets(frame, targets, place)
    start = _check_base(base, len(frame))
    if trim is not None and not 0 <= trim[0] < 1 < trim[1]:
        raise ValueError(f"the limits of trim must lie around 1, found {trim}")
    weights, used = _fit(start, categories, shares, iterations, tolerance)
    trimmed = 0
    if trim is not None:
        for _ in range(_MOST_ROUNDS):
            weights, trimmed = _trim(weights, trim)
            if _find_gap(weights, categories, shares) < _ALLOWED_GAP:
                break
            weights, more = _fit(weights, categories, shares, iterations, tolerance)
            used += more
        weights, trimmed = _trim(weights, trim)
    return RakedWeights(
        weights=weights,
        base=start,
        converged=_find_gap(weights, categories, shares) < _ALLOWED_GAP,
        iterations=used,
        n_eff=compute_kish_n(weights),
        n_trimmed=trimmed,
        margins=_tabulate_margins(targets, categories, shares, start, weights),
        categories=categories,
    )


def weighted_mean(
    values: ArrayLike,
    weights: ArrayLike | RakedWeights,
    *,
    unit: str = "points",
    ci_level: float = 0.95,
) -> Estimate:
    """Estimate a weighted mean with a linearised standard error.

    The variance is that of the sum of ``w (y - mean) / sum w``, as for people drawn with
    replacement. Raked weights take out what the margins explain: the residuals of a regression
    on the margins' categories, weighted by the base weights, take the place of ``y - mean``.
    That is what R's survey gives after ``rake`` of equal weights, and after
    ``calibrate(calfun = "raking")`` of any; its ``rake`` of unequal weights leaves them out of
    the regression, which changes the error a little.

    Parameters
    ----------
    values : array_like, shape (n,)
        One value a respondent; NaN where missing. For a share give 0 and 1.
    weights : array_like, shape (n,), or RakedWeights
        The weights. Hand over the whole result of `rake`, or its effect on the precision is
        lost. For the mean of a subgroup, set the values of everyone else to NaN.
    unit : str, default "points"
        The unit of the estimate.
    ci_level : float, default 0.95
        Level of the interval (t; degrees of freedom are Kish's effective number less 1).

    Returns
    -------
    Estimate
        ``"mean"``; `n` is the unweighted number of values. Missing, with the reason, when there
        are none; without an interval when there is one.

    Raises
    ------
    ValueError
        The lengths differ, or a weight is negative or missing.

    References
    ----------
    Deville, J.-C., Särndal, C.-E., & Sautory, O. (1993). Journal of the American Statistical
    Association, 88, 1013-1020. Lumley, T. (2010). Complex Surveys, chapters 2 and 7.

    Examples
    --------
    >>> mean = weighted_mean([1, 2, 3, 4], [1, 1, 1, 1])
    >>> mean.estimate, round(mean.se, 6)
    (2.5, 0.645497)
    """
    y = np.asarray(values, dtype=np.float64)
    w = np.asarray(weights.weights if isinstance(weights, RakedWeights) else weights, np.float64)
    if y.ndim != 1 or y.shape != w.shape:
        raise ValueError(f"values {y.shape} and weights {w.shape} must be two equal columns")
    if not (w >= 0).all():
        raise ValueError("weights must be 0 or above, and none may be missing")
    used = w > 0
    margins = weights.list_margins().select(used) if isinstance(weights, RakedWeights) else None
    return replace(estimate_mean(summarise_cell(y[used], w[used], margins), ci_level), unit=unit)


def _match_targets(
    frame: pd.DataFrame, targets: Mapping[str, Mapping[str, float]], place: str
) -> tuple[IntArray, list[FloatArray]]:
    if not targets or not len(frame):
        raise ValueError("raking needs targets, and rows to rake")
    problems: list[Problem] = []
    codes: list[IntArray] = []
    shares: list[FloatArray] = []
    for variable, wanted in targets.items():
        share = np.array(list(wanted.values()), dtype=np.float64)
        if not len(share) or not (share > 0).all():
            raise ValueError(f"the shares of '{variable}' must all be above 0")
        shares.append(share / share.sum())
        if variable not in frame.columns:
            near = find_nearest(variable, [str(column) for column in frame.columns])
            problems.append(
                Problem(place, f"column '{quote(variable)}'", "there is no such column", "", near)
            )
            continue
        found = frame[variable]
        code = pd.Index(list(wanted)).get_indexer(pd.Index(found))
        problems += _find_mismatches(variable, found, code, list(wanted), place)
        codes.append(np.asarray(code, dtype=np.intp))
    if problems:
        raise InputError(problems)
    return np.stack(codes, axis=1), shares


def _find_mismatches(
    variable: str, found: pd.Series, code: IntArray, wanted: list[str], place: str
) -> Iterator[Problem]:
    where = f"column '{quote(variable)}'"
    blank = found.isna().to_numpy() | (found.astype(str).str.strip() == "").to_numpy()
    if blank.any():
        yield Problem(
            place,
            where,
            f"{int(blank.sum())} respondents have no category",
            "Give them one with a target of its own, or leave this column out of the targets",
        )
    strange = sorted({str(value) for value in found[(code < 0) & ~blank]})
    if strange:
        yield Problem(
            place,
            where,
            f"no target is given for {list_names(strange)}",
            f"Targets: {list_names(wanted)}",
            find_nearest(strange[0], wanted),
        )
    counts = np.bincount(code[code >= 0], minlength=len(wanted))
    empty = [wanted[int(i)] for i in np.flatnonzero(counts == 0)]
    if empty:
        yield Problem(
            place,
            where,
            f"nobody is in {list_names(empty)}, so no weight can reach the target",
            "Join it with another category, in the targets and in the answers",
        )


def _check_base(base: ArrayLike | None, n: int) -> FloatArray:
    weights = np.ones(n) if base is None else np.asarray(base, dtype=np.float64)
    if weights.shape != (n,):
        raise ValueError(f"base must hold {n} weights, found shape {weights.shape}")
    if not ((weights > 0) & np.isfinite(weights)).all():
        raise ValueError("base weights must all be above 0")
    return np.asarray(weights / weights.mean())


def _fit(
    start: FloatArray,
    categories: IntArray,
    shares: list[FloatArray],
    iterations: int,
    tolerance: float,
) -> tuple[FloatArray, int]:
    """Fit the shares of the distinct combinations of categories, then share out the weights."""
    sizes = tuple(len(share) for share in shares)
    combination = np.ravel_multi_index(tuple(categories.T), sizes)
    met, place = np.unique(combination, return_inverse=True)
    codes = np.stack(np.unravel_index(met, sizes), axis=1)
    mass = np.bincount(place, weights=start) / start.sum()
    factor = np.ones(len(met))
    used = 0
    while used < iterations:
        used += 1
        for variable, share in enumerate(shares):
            code = codes[:, variable]
            factor *= (share / np.bincount(code, weights=mass * factor))[code]
        if _find_gap(mass * factor, codes, shares) < tolerance:
            break
    weights = start * factor[place]
    return np.asarray(weights / weights.mean()), used


def _find_gap(weights: FloatArray, categories: IntArray, shares: list[FloatArray]) -> float:
    total = weights.sum()
    return max(
        float(np.abs(np.bincount(code, weights=weights) / total - share).max())
        for code, share in zip(categories.T, shares, strict=True)
    )


def _trim(weights: FloatArray, trim: tuple[float, float]) -> tuple[FloatArray, int]:
    """Bring weights within limits around their mean, which stays 1."""
    low, high = trim
    for _ in range(_MOST_ROUNDS):
        clipped = np.clip(weights, low, high)
        if abs(clipped.mean() - 1) < 1e-14:
            break
        free = (clipped > low) & (clipped < high)
        if not free.any():
            break
        excess = clipped.sum() - len(clipped)
        weights = np.where(free, clipped * (1 - excess / clipped[free].sum()), clipped)
    return clipped, int(((clipped <= low) | (clipped >= high)).sum())


def _tabulate_margins(
    targets: Mapping[str, Mapping[str, float]],
    categories: IntArray,
    shares: list[FloatArray],
    before: FloatArray,
    after: FloatArray,
) -> pd.DataFrame:
    blocks = []
    for (variable, wanted), code, share in zip(targets.items(), categories.T, shares, strict=True):
        blocks.append(
            pd.DataFrame(
                {
                    "variable": variable,
                    "category": list(wanted),
                    "n": np.bincount(code, minlength=len(share)),
                    "target": share,
                    "share_before": np.bincount(code, weights=before) / before.sum(),
                    "share_after": np.bincount(code, weights=after) / after.sum(),
                }
            )
        )
    return pd.concat(blocks, ignore_index=True)
