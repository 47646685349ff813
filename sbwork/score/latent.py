"""Factor models by maximum likelihood.

Every free parameter t enters the model's covariance matrix as dSigma/dt = u v' + v u' for two
vectors u and v. Gradient and expected information need nothing else, so further kinds of
parameter (paths, means, groups) come down to their own u and v.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_MOST_ITERATIONS = 200
_SMALLEST_PIVOT = 1e-5
_LARGEST_MOMENT = 1e12
_DAMPINGS = (None, 0.0, 0.01, 0.1, 1.0, 10.0, 100.0, 1e4)
"""What is tried in turn for a step: Newton, Fisher scoring, and that damped."""


FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class FactorFit:
    """A fitted factor model; factors have variance 1.

    loadings: In the units of the items; each factor is turned so that its loadings sum to more than
        0.
    loading_errors: Their standard errors from the expected information; 0 where a loading is fixed
        at 0.
    correlations: Correlations of the factors.
    residual_variances: In squared units of the items; never below 0.
    at_bound: Where a residual variance was kept at 0 (a Heywood case).
    n: Complete cases.
    chi_square, df, p_value: Test against the unrestricted covariance matrix; p is NaN without
        degrees of freedom.
    cfi, tli, rmsea, srmr: Fit indices; NaN where they are not defined.
    converged: Whether a maximum was reached; nothing here means anything if not.
    iterations: Steps taken.
    """

    loadings: FloatArray
    loading_errors: FloatArray
    correlations: FloatArray
    residual_variances: FloatArray
    at_bound: BoolArray
    n: int
    chi_square: float
    df: float
    p_value: float
    cfi: float
    tli: float
    rmsea: float
    srmr: float
    converged: bool
    iterations: int


class _Layout:
    """The place of each parameter in the vector: loadings, then correlations, then residuals."""

    def __init__(self, pattern: BoolArray) -> None:
        self.pattern = pattern
        self.n_items, self.n_factors = pattern.shape
        self.loads = np.nonzero(pattern)
        self.pairs = np.tril_indices(self.n_factors, -1)
        self.first_pair = len(self.loads[0])
        self.first_residual = self.first_pair + len(self.pairs[0])
        self.size = self.first_residual + self.n_items

    def unpack(self, parameters: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return loadings (…, p, r), factor correlations (…, r, r) and residuals (…, p)."""
        batch = parameters.shape[:-1]
        loadings = np.zeros((*batch, self.n_items, self.n_factors))
        loadings[..., self.loads[0], self.loads[1]] = parameters[..., : self.first_pair]
        factors = np.zeros((*batch, self.n_factors, self.n_factors))
        factors[..., range(self.n_factors), range(self.n_factors)] = 1.0
        shared = parameters[..., self.first_pair : self.first_residual]
        factors[..., self.pairs[0], self.pairs[1]] = shared
        factors[..., self.pairs[1], self.pairs[0]] = shared
        return loadings, factors, parameters[..., self.first_residual :]


@dataclass(frozen=True, slots=True)
class _Batch:
    """Maximum-likelihood solutions for a stack of correlation matrices."""

    parameters: FloatArray
    minimum: FloatArray
    converged: BoolArray
    iterations: int


def fit_factors(covariance: ArrayLike, n: int, pattern: ArrayLike) -> FactorFit:
    """Fit a confirmatory factor model with correlated factors by maximum likelihood.

    Source: Jöreskog, K. G. (1969). Psychometrika, 34, 183-202. Lawley, D. N., & Maxwell, A. E.
    (1971). Factor Analysis as a Statistical Method. Hu, L., & Bentler, P. M. (1999). Structural
    Equation Modeling, 6, 1-55 (fit indices).
    """
    sample, sd, layout = _standardise(covariance, n, pattern)
    batch = _maximise(sample[None], layout, _guess(sample, layout), 1e-10)
    return _summarise(batch, sample, sd, n, layout)


def fit_one_factor(covariance: ArrayLike, n: int) -> FactorFit:
    """Fit one factor behind all items by maximum likelihood.

    Source: Jöreskog, K. G. (1967). Psychometrika, 32, 443-482.
    """
    matrix = np.asarray(covariance, dtype=np.float64)
    return fit_factors(matrix, n, np.ones((len(matrix), 1), dtype=np.bool_))


def refit_one_factor(
    covariances: FloatArray, fit: FactorFit
) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Fit one factor to many covariance matrices at once, starting from a fit that is near.

    Source: Jöreskog, K. G. (1967). Psychometrika, 32, 443-482.
    """
    layout = _Layout(np.ones((covariances.shape[-1], 1), dtype=np.bool_))
    sd = np.sqrt(np.diagonal(covariances, axis1=-2, axis2=-1))
    samples = covariances / (sd[:, :, None] * sd[:, None, :])
    scale = np.sqrt(np.square(fit.loadings[:, 0]) + fit.residual_variances)
    start = np.concatenate(
        [fit.loadings[:, 0] / scale, np.maximum(fit.residual_variances / scale**2, 0.05)]
    )
    batch = _maximise(samples, layout, start, 1e-6)
    loadings, _, residuals = layout.unpack(batch.parameters)
    return loadings[..., 0] * sd, residuals * sd**2, batch.converged


def is_regular(covariance: FloatArray) -> bool:
    """Tell whether a covariance matrix can be inverted: no item is a sum of others."""
    sd = np.sqrt(np.diag(covariance))
    return bool(np.linalg.eigvalsh(covariance / np.outer(sd, sd))[0] > 1e-10)


def _standardise(
    covariance: ArrayLike, n: int, pattern: ArrayLike
) -> tuple[FloatArray, FloatArray, _Layout]:
    matrix = np.asarray(covariance, dtype=np.float64)
    allowed = np.asarray(pattern, dtype=np.bool_)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"the covariance matrix must be square, found shape {matrix.shape}")
    if allowed.ndim != 2 or len(allowed) != len(matrix):
        raise ValueError(f"the pattern must have {len(matrix)} rows, found shape {allowed.shape}")
    if np.diag(matrix).min() <= 0 or not is_regular(matrix):
        raise ValueError("the covariance matrix is singular")
    layout = _Layout(allowed)
    if layout.size > _count_moments(len(matrix)):
        raise ValueError(
            f"{layout.size} parameters can't be found from {_count_moments(len(matrix))} moments"
        )
    sd = np.sqrt(np.diag(matrix) * ((n - 1) / n))
    return matrix * ((n - 1) / n) / np.outer(sd, sd), sd, layout


def _count_moments(n_items: int) -> int:
    return n_items * (n_items + 1) // 2


def _guess(sample: FloatArray, layout: _Layout) -> FloatArray:
    """Start from the first principal component of each factor's items."""
    loadings = np.zeros(layout.pattern.shape)
    for factor, items in enumerate(layout.pattern.T):
        values, vectors = np.linalg.eigh(sample[np.ix_(items, items)])
        loadings[items, factor] = vectors[:, -1] * np.sqrt(0.7 * values[-1])
    signs = np.where(loadings.sum(axis=0) < 0, -1.0, 1.0)
    free = np.clip((loadings * signs)[layout.loads], -0.9, 0.9)
    shared = np.zeros(len(layout.pairs[0]))
    residuals = 1 - np.square(np.clip(loadings, -0.9, 0.9)).sum(axis=1)
    return np.concatenate([free, shared, np.clip(residuals, 0.1, 1.0)])


def _maximise(samples: FloatArray, layout: _Layout, start: FloatArray, tolerance: float) -> _Batch:
    """Maximise the likelihood of every correlation matrix of a stack.

    Newton steps where they lower the discrepancy, else Fisher scoring, damped more and more.
    Residual variances are kept at or above 0: one at 0 whose gradient pushes it further is fixed
    there for the step. A maximum is where the gradient of all others is below `tolerance`.
    """
    parameters = np.tile(start, (len(samples), 1))
    minimum = _compute_discrepancy(parameters, samples, layout)
    converged = np.zeros(len(samples), dtype=np.bool_)
    waiting = np.arange(len(samples))
    iteration = 0
    while len(waiting) and iteration < _MOST_ITERATIONS:
        iteration += 1
        current = parameters[waiting]
        gradient, expected, observed = _differentiate(current, samples[waiting], layout)
        fixed = np.zeros(current.shape, dtype=np.bool_)
        residuals = slice(layout.first_residual, None)
        fixed[:, residuals] = (current[:, residuals] <= 0) & (gradient[:, residuals] > 0)
        gradient[fixed] = 0.0
        there = np.abs(gradient).max(axis=1) < tolerance
        converged[waiting[there]] = True
        stuck = ~there
        for damping in _DAMPINGS:
            tried = np.flatnonzero(stuck)
            if not len(tried):
                break
            curvature = (observed if damping is None else expected)[tried]
            step = _solve_step(gradient[tried], curvature, fixed[tried], damping or 0.0)
            moved = current[tried] + step
            np.maximum(moved[:, residuals], 0.0, out=moved[:, residuals])
            rows = waiting[tried]
            reached = _compute_discrepancy(moved, samples[rows], layout)
            better = reached <= minimum[rows] + 1e-13
            parameters[rows[better]] = moved[better]
            minimum[rows[better]] = reached[better]
            stuck[tried[better]] = False
        waiting = waiting[~there & ~stuck]
    return _Batch(parameters, minimum, converged, iteration)


def _solve_step(
    gradient: FloatArray, curvature: FloatArray, fixed: BoolArray, damping: float
) -> FloatArray:
    identity = np.eye(gradient.shape[1])
    free = np.where(fixed[:, :, None] | fixed[:, None, :], identity, curvature)
    diagonal = np.abs(np.diagonal(free, axis1=1, axis2=2))
    free += (damping * diagonal + 1e-13 * diagonal.max(axis=1, keepdims=True))[
        :, :, None
    ] * identity
    return np.asarray(-np.linalg.solve(free, gradient[:, :, None])[:, :, 0])


def _differentiate(
    parameters: FloatArray, samples: FloatArray, layout: _Layout
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return gradient (…, q), expected and observed information (…, q, q) of half the discrepancy.

    With W = Sigma^-1, K = W S W and G = W - K, the observed information is that of tr(K dSigma_j W
    dSigma_i) - tr(W dSigma_j W dSigma_i) / 2 + tr(G d2Sigma_ij) / 2.
    """
    loadings, factors, residuals = layout.unpack(parameters)
    batch, p = parameters.shape[0], layout.n_items
    units = np.broadcast_to(np.eye(p), (batch, p, p))
    rows, columns = layout.loads
    first, second = layout.pairs
    u = np.concatenate([units[:, :, rows], loadings[:, :, first], units], axis=2)
    v = np.concatenate(
        [(loadings @ factors)[:, :, columns], loadings[:, :, second], units / 2], axis=2
    )
    weight = np.linalg.inv(_imply(loadings, factors, residuals))
    spread = weight @ samples @ weight
    misfit = weight - spread
    gradient = np.sum(u * (misfit @ v), axis=1)

    u_turned, v_turned = np.swapaxes(u, 1, 2), np.swapaxes(v, 1, 2)
    wu, wv, kv = weight @ u, weight @ v, spread @ v
    uwu, uwv, vwv = u_turned @ wu, u_turned @ wv, v_turned @ wv
    uku, ukv, vkv = u_turned @ (spread @ u), u_turned @ kv, v_turned @ kv
    vwu, vku = np.swapaxes(uwv, 1, 2), np.swapaxes(ukv, 1, 2)
    expected = uwu * vwv + uwv * vwu
    observed = vku * uwv + uku * vwv + vkv * uwu + ukv * vwu - expected

    loads, pairs = slice(0, layout.first_pair), slice(layout.first_pair, layout.first_residual)
    observed[:, loads, loads] += (
        factors[:, columns[:, None], columns[None, :]] * misfit[:, rows[:, None], rows[None, :]]
    )
    if len(first):
        turned = (misfit @ loadings)[:, rows]
        crossed = turned[:, :, first] * (columns[:, None] == second) + turned[:, :, second] * (
            columns[:, None] == first
        )
        observed[:, loads, pairs] += crossed
        observed[:, pairs, loads] += np.swapaxes(crossed, 1, 2)
    return gradient, expected, observed


def _compute_discrepancy(
    parameters: FloatArray, samples: FloatArray, layout: _Layout
) -> FloatArray:
    """Return log det Sigma + trace(S Sigma^-1); infinite where Sigma is no covariance matrix."""
    implied = _imply(*layout.unpack(parameters))
    discrepancy = np.full(len(parameters), np.inf)
    try:
        pivots = np.diagonal(np.linalg.cholesky(implied), axis1=1, axis2=2)
        regular = pivots.min(axis=1) > _SMALLEST_PIVOT
    except np.linalg.LinAlgError:
        values = np.linalg.eigvalsh(np.where(np.abs(implied) < _LARGEST_MOMENT, implied, 0.0))
        regular = values[:, 0] > _SMALLEST_PIVOT**2 * np.maximum(values[:, -1], 1.0)
        if regular.any():
            discrepancy[regular] = _compute_discrepancy(
                parameters[regular], samples[regular], layout
            )
        return discrepancy
    inverse = np.linalg.inv(implied[regular])
    discrepancy[regular] = 2 * np.log(pivots[regular]).sum(axis=1) + np.sum(
        samples[regular] * inverse, axis=(1, 2)
    )
    return discrepancy


def _imply(loadings: FloatArray, factors: FloatArray, residuals: FloatArray) -> FloatArray:
    implied = loadings @ factors @ np.swapaxes(loadings, -1, -2)
    diagonal = np.arange(residuals.shape[-1])
    implied[..., diagonal, diagonal] += residuals
    return np.asarray(implied)


def _summarise(
    batch: _Batch, sample: FloatArray, sd: FloatArray, n: int, layout: _Layout
) -> FactorFit:
    """Turn the solution back into the items' units, and judge its fit."""
    from scipy.special import gammaincc

    p = layout.n_items
    parameters = batch.parameters[0]
    loadings, factors, residuals = layout.unpack(parameters)
    _, information, _ = _differentiate(batch.parameters, sample[None], layout)
    at_bound = residuals <= 0
    free = np.concatenate([np.ones(layout.first_residual, dtype=np.bool_), ~at_bound])
    errors = np.zeros(layout.size)
    errors[free] = np.sqrt(np.diag(np.linalg.pinv(n * information[0][np.ix_(free, free)])))
    signs = np.where(loadings.sum(axis=0) < 0, -1.0, 1.0)
    log_determinant = np.linalg.slogdet(sample)[1]
    chi_square = max(n * float(batch.minimum[0] - log_determinant - p), 0.0)
    df = _count_moments(p) - layout.size
    null_chi, null_df = -n * float(log_determinant), p * (p - 1) // 2
    excess, null_excess = max(chi_square - df, 0.0), max(null_chi - null_df, 0.0)
    misfit = sample - _imply(loadings, factors, residuals)
    tested = df > 0
    return FactorFit(
        loadings=loadings * signs * sd[:, None],
        loading_errors=layout.unpack(errors)[0] * sd[:, None],
        correlations=factors * np.outer(signs, signs),
        residual_variances=residuals * sd**2,
        at_bound=at_bound,
        n=n,
        chi_square=chi_square,
        df=float(df),
        p_value=float(gammaincc(df / 2, chi_square / 2)) if tested else np.nan,
        cfi=1 - excess / max(excess, null_excess) if max(excess, null_excess) > 0 else 1.0,
        tli=1 - (chi_square / df - 1) / (null_chi / null_df - 1) if tested else np.nan,
        rmsea=float(np.sqrt(excess / (df * n))) if tested else np.nan,
        srmr=float(np.sqrt(np.square(misfit[np.tril_indices(p)]).mean())),
        converged=bool(batch.converged[0]),
        iterations=batch.iterations,
    )
