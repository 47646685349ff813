"""What of a change runs through one measure to the next: recursive least squares, bootstrapped.

Each variable of a chain, such as work, social capital, potency, confidence, is regressed on all
that stand before it and on covariates. One Cholesky factor of the weighted sums of products has
the coefficients of every equation, so that thousands of bootstrap samples are solved together from
how often each unit was drawn.

Source: MacKinnon, D. P. (2008). Introduction to Statistical Mediation Analysis. Erlbaum, chapters
3 to 6. Efron, B., & Tibshirani, R. J. (1993). An Introduction to the Bootstrap, chapters 8 and 13.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

_SINGULAR = 1e-10
_CHUNK = 100_000
"""So many numbers stay in the processor's cache."""
_ONE_THREAD = 250_000
"""Products of so few multiplications are not split among threads, which would wait for others."""
_STEPS = 40
_TOP = 0.999


@dataclass(frozen=True)
class Chain:
    """Regressions of each variable of a chain on those before it, in many samples at once.

    factor: The trailing block of the Cholesky factor of the sums of products, what covariates
        explain taken out; shape (n_variables, n_variables, n_samples), NaN where a variable follows
        from those before it. The first sample is the data, the others are drawn.
    coefficients: ``[i, j]`` is that of variable j in the equation of variable i; 0 for j >= i.
    freedom: What a sum of squares is divided by to give the variance that covariates and the first
        variable leave; shape (n_samples,).
    """

    factor: FloatArray
    coefficients: FloatArray
    freedom: FloatArray

    @classmethod
    def from_paths(cls, coefficients: FloatArray, variances: FloatArray) -> Chain:
        """Make a chain from its coefficients and the variances of its errors, as of a latent model.

        That of the first variable is 1, which changes nothing that is computed.
        """
        paths = np.moveaxis(coefficients, -1, 0)
        inverse = np.linalg.inv(np.eye(len(coefficients)) - np.nan_to_num(paths))
        factor = np.asarray(np.moveaxis(inverse, 0, -1) * np.sqrt(variances)[None])
        return cls(factor, coefficients, np.ones(coefficients.shape[-1]))

    @property
    def spreads(self) -> FloatArray:
        """The standard deviation that covariates and the first variable leave of each variable.

        The first variable is not standardised: its spread is 1.
        """
        left = np.square(self.factor[:, 1:]).sum(axis=1)
        left[0] = self.freedom
        return np.asarray(np.sqrt(left / self.freedom))

    def standardise(self) -> FloatArray:
        """Return the coefficients in standard deviations; the first variable stays as it is."""
        return np.asarray(self.coefficients * self.spreads[None] / self.spreads[:, None])

    def follow(self, *route: int) -> FloatArray:
        """Multiply the coefficients along a route of variables; one value a sample."""
        steps = [self.coefficients[to, start] for start, to in pairwise(route)]
        return np.asarray(np.prod(steps, axis=0))

    def correlate_errors(self, earlier: int, later: int) -> FloatArray:
        """Correlate two variables, all that stands before the earlier one taken out.

        This is the sensitivity rho: if the errors of both were correlated as much as this for
        reasons that nobody measured, the coefficient of the one on the other would be 0.
        """
        row = self.factor[later, earlier:]
        return np.asarray(row[0] / np.sqrt(np.square(row).sum(axis=0)))

    def shift_coefficient(self, earlier: int, later: int, rho: float) -> FloatArray:
        """Compute what a total coefficient would be if the two errors were correlated by `rho`.

        Between the two, variables are left out of the equation; times the coefficient of the
        treatment, this is the average causal mediation effect as a function of rho.

        Source: Imai, K., Keele, L., & Yamamoto, T. (2010). Statistical Science, 25, 51-71, theorem
        2: (s_later / s_earlier) (r - rho sqrt((1 - r^2) / (1 - rho^2))), r being what
        `correlate_errors` returns.
        """
        row = self.factor[later, earlier:]
        spread = np.sqrt(np.square(row).sum(axis=0))
        r = row[0] / spread
        shifted = r - rho * np.sqrt((1 - r**2) / (1 - rho**2))
        return np.asarray(spread / np.abs(self.factor[earlier, earlier]) * shifted)


@dataclass(frozen=True, slots=True)
class PathFit:
    """How well a model of paths fits: normal log-likelihood, and how many parameters it has."""

    loglik: float
    parameters: int
    n: int

    @property
    def aic(self) -> float:
        """Akaike's criterion."""
        return 2 * (self.parameters - self.loglik)

    @property
    def bic(self) -> float:
        """Schwarz's criterion."""
        return math.log(self.n) * self.parameters - 2 * self.loglik


def fit_chain(
    variables: ArrayLike,
    covariates: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    units: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    draws: int = 5000,
    seed: int = 20180601,
) -> Chain:
    """Regress each variable on those before it and on covariates, in the data and in samples.

    Parameters
    ----------
    variables : array_like, shape (n_rows, n_variables)
        In their order; the first is the treatment.
    covariates : array_like, shape (n_rows, n_covariates)
        The constant among them, none following from the others.
    weights : array_like, shape (n_rows,), optional
        Above 0.
    units : array_like, shape (n_rows,), optional
        Whom each row is of: units are drawn with all their rows. By default each row is one.
    strata : array_like, shape (n_rows,), optional
        What units are drawn within, so that each keeps its number of them.
    draws : int, default 5000
        Bootstrap samples.
    seed : int
        Where the draws start from.

    Raises
    ------
    ValueError
        A value is not finite, a weight is not above 0, or the shapes differ.
    """
    x, z = np.asarray(variables, dtype=np.float64), np.asarray(covariates, dtype=np.float64)
    n = len(x)
    weight = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    unit = np.arange(n) if units is None else np.unique(units, return_inverse=True)[1]
    stratum = (
        np.zeros(n, dtype=int) if strata is None else np.unique(strata, return_inverse=True)[1]
    )
    if not (len(z) == len(weight) == len(unit) == len(stratum) == n):
        raise ValueError("variables, covariates, weights, units and strata must be of one length")
    if not (np.isfinite(x).all() and np.isfinite(z).all()):
        raise ValueError("variables and covariates must be finite")
    if not (np.isfinite(weight) & (weight > 0)).all():
        raise ValueError("weights must be finite and above 0")
    columns = np.hstack([z, x - np.average(x, axis=0, weights=weight)])
    p = z.shape[1]
    products, own = _sum_products(columns, weight, unit, stratum)
    whole = products.sum(axis=0)[:, None]
    sums = np.hstack([whole, _draw_sums(products, own, draws, seed)])
    factor = _factor(_fill(sums[:-1], columns.shape[1]))[p:, p:]
    freedom = sums[-1] * (n - p - 1) / n
    return Chain(factor, _solve(factor), freedom)


def draw_moments(
    values: FloatArray,
    units: NDArray[np.intp],
    strata: NDArray[np.intp],
    *,
    draws: int,
    seed: int,
) -> tuple[FloatArray, FloatArray]:
    """Compute the means (draws, p) and covariances (draws, p, p), over n, of bootstrap samples.

    Units are drawn with all their rows, within strata; see `fit_chain`.
    """
    centre = values.mean(axis=0)
    columns = np.hstack([np.ones((len(values), 1)), values - centre])
    products, own = _sum_products(columns, np.ones(len(values)), units, strata)
    sums = _draw_sums(products, own, draws, seed)
    moments = _fill(sums[:-1], columns.shape[1]) / sums[-1]
    means = moments[0, 1:].T
    covariances = moments[1:, 1:] - moments[0, 1:][:, None] * moments[0, 1:][None]
    return means + centre, np.moveaxis(covariances, -1, 0)


def find_percentiles(draws: FloatArray, level: float = 0.95) -> tuple[float, float]:
    """Return the ends of the percentile interval of a statistic's draws; NaN ones are left out."""
    known = draws[np.isfinite(draws)]
    if not known.size:
        return math.nan, math.nan
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def find_clear_rho(chain: Chain, earlier: int, later: int, before: FloatArray) -> float:
    """Find the rho nearest 0 at which the interval of `before` times the coefficient takes in 0.

    0 where it does so at once. See `Chain.shift_coefficient`.
    """
    sign = float(np.sign(chain.correlate_errors(earlier, later)[0]))
    side = sign * float(np.sign(before[0]))

    def takes_in(rho: float) -> bool:
        values = before * chain.shift_coefficient(earlier, later, sign * rho)
        return find_percentiles(side * values[1:])[0] <= 0

    if not side or takes_in(0.0):
        return 0.0
    return sign * _bisect(takes_in, 0.0, _TOP)


def find_area_shock(first: FloatArray, rest: FloatArray, shocks: float, seed: int) -> float:
    """Find how large a chance shock per area and wave would carry an indirect change.

    `first` are the draws of the coefficient of work, `rest` those of what it is multiplied with; a
    shock of standard deviation tau adds ``shocks`` tau^2 to the variance of `first`. Returned is
    the tau from which the percentile interval of the product takes in 0; NaN where it does so
    without. The counterpart of `sbwork.stats.precision.compute_tau_star` for a product.
    """
    chance = np.random.default_rng(seed).standard_normal(len(first) - 1) * math.sqrt(shocks)

    def takes_in(tau: float) -> bool:
        low, high = find_percentiles((first[1:] + tau * chance) * rest[1:])
        return low <= 0 <= high

    if takes_in(0.0):
        return math.nan
    most = abs(float(first[0])) / math.sqrt(shocks)
    return _bisect(takes_in, 0.0, 2 * most) if takes_in(2 * most) else math.nan


def count_shocks(
    treatment: ArrayLike, covariates: ArrayLike, weights: ArrayLike, cells: ArrayLike
) -> float:
    """Sum the squares of what each cell's mean adds to the coefficient of the treatment.

    4 for a site, its control and two waves, as `compute_tau_star` has it.
    """
    root = np.sqrt(np.asarray(weights, dtype=np.float64))
    t, z = np.asarray(treatment, dtype=np.float64) * root, np.asarray(covariates) * root[:, None]
    left = t - z @ np.linalg.lstsq(z, t, rcond=None)[0]
    sums = np.bincount(np.unique(cells, return_inverse=True)[1], weights=left * root)
    return float(np.sum(np.square(sums)) / np.sum(np.square(left)) ** 2)


def fit_paths(
    variables: ArrayLike,
    covariates: ArrayLike,
    paths: Sequence[Sequence[int]],
    weights: ArrayLike | None = None,
) -> PathFit:
    """Fit the equations of a model of paths, errors normal and uncorrelated.

    `paths` names for each variable but the first those that its equation holds, beside every
    covariate. With weights, scaled to a mean of 1, a pseudo-likelihood.
    """
    x, z = np.asarray(variables, dtype=np.float64), np.asarray(covariates, dtype=np.float64)
    n = len(x)
    weight = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    root = np.sqrt(weight / weight.mean())[:, None]
    loglik, parameters = 0.0, 0
    for i, held in enumerate(paths, start=1):
        design = np.hstack([z, x[:, list(held)]]) * root
        y = x[:, i] * root[:, 0]
        left = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
        loglik -= n / 2 * (math.log(2 * math.pi * float(left @ left) / n) + 1)
        parameters += design.shape[1] + 1
    return PathFit(loglik, parameters, n)


def _sum_products(
    columns: FloatArray, weights: FloatArray, units: NDArray[np.intp], strata: NDArray[np.intp]
) -> tuple[FloatArray, NDArray[np.intp]]:
    """Sum what the rows of each unit add to the products of columns and, last, to the weights."""
    one, other = np.triu_indices(columns.shape[1])
    weight = weights[:, None]
    rows = np.hstack([columns[:, one] * columns[:, other] * weight, weight])
    order = np.argsort(units, kind="stable")
    starts = np.flatnonzero(np.diff(units[order], prepend=-1))
    return np.add.reduceat(rows[order], starts), strata[order][starts]


def _fill(sums: FloatArray, k: int) -> FloatArray:
    """Lay out the products of an upper triangle as symmetric matrices, shape (k, k, n)."""
    moments = np.empty((k, k, sums.shape[1]))
    upper = np.triu_indices(k)
    moments[upper] = moments[upper[::-1]] = sums
    return moments


def _draw_sums(products: FloatArray, strata: NDArray[np.intp], draws: int, seed: int) -> FloatArray:
    """Sum what units add over bootstrap samples, each stratum drawn with replacement."""
    bits = np.random.default_rng(seed).bit_generator
    order = np.argsort(strata, kind="stable")
    ordered = np.ascontiguousarray(products[order])
    sizes = np.bincount(strata)
    n, spans = len(order), np.repeat(sizes, sizes).astype(np.uint64)
    starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
    step = max(1, _CHUNK // n)
    block = max(1, _ONE_THREAD // products.size)
    sums = np.empty((draws, products.shape[1]))
    for first in range(0, draws, step):
        size = min(step, draws - first)
        raw = np.asarray(bits.random_raw((size * n + 1) // 2)).view(np.uint32)[: size * n]
        drawn = ((raw.reshape(size, n) * spans) >> np.uint64(32)).astype(np.intp)
        drawn += starts + n * np.arange(size)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)
        for at in range(0, size, block):
            rows = slice(at, min(at + block, size))
            np.matmul(counts[rows], ordered, out=sums[first + at : first + rows.stop])
    return sums.T


def _factor(moments: FloatArray) -> FloatArray:
    """Factor many symmetric matrices, shape (k, k, n), by Cholesky; NaN from a singular pivot."""
    factor = np.zeros_like(moments)
    for j in range(len(moments)):
        own = factor[j, :j]
        pivot = moments[j, j] - np.square(own).sum(axis=0)
        pivot[~(pivot > _SINGULAR * moments[j, j])] = math.nan
        factor[j, j] = np.sqrt(pivot)
        below = np.einsum("imn,mn->in", factor[j + 1 :, :j], own)
        factor[j + 1 :, j] = (moments[j + 1 :, j] - below) / factor[j, j]
    return factor


def _solve(factor: FloatArray) -> FloatArray:
    """Solve every equation of a chain from its Cholesky factor."""
    coefficients = np.zeros_like(factor)
    for i in range(1, len(factor)):
        for j in range(i - 1, -1, -1):
            known = (coefficients[i, j + 1 : i] * factor[j + 1 : i, j]).sum(axis=0)
            coefficients[i, j] = (factor[i, j] - known) / factor[j, j]
    return coefficients


def _bisect(takes_in: Callable[[float], bool], low: float, high: float) -> float:
    """Find where a condition that fails at `low` and is met at `high` begins to be met."""
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if takes_in(middle) else (middle, high)
    return high
