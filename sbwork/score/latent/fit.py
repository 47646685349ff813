"""Structural equation models, fitted as ``lavaan::sem`` fits them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sbwork.score.latent.checks import (
    find_gaps,
    find_improper,
    find_obstacles,
    find_sums,
    find_undefined,
    name_lost,
)
from sbwork.score.latent.indices import (
    ChiSquare,
    compute_cfi,
    compute_rmsea,
    compute_srmr,
    compute_tli,
    measure_yardstick,
)
from sbwork.score.latent.inference import define, invert_information, tabulate
from sbwork.score.latent.model import Likelihood, Model
from sbwork.score.latent.modification import MODIFICATION_COLUMNS, compute_modifications
from sbwork.score.latent.moments import Moments
from sbwork.score.latent.robust import Fitted, sandwich, scale_chi_squares
from sbwork.score.latent.sample import Sample, list_groups, select_sample
from sbwork.score.latent.solver import (
    Restrictions,
    Solution,
    find_unidentified,
    is_minimum,
    minimise,
)
from sbwork.score.latent.starts import COMMON, guess_parameters
from sbwork.score.latent.table import build_table

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

FIT_INDICES = (
    "chisq",
    "df",
    "p_value",
    "cfi",
    "tli",
    "rmsea",
    "rmsea_low",
    "rmsea_high",
    "srmr",
    "aic",
    "bic",
    "loglik",
    "n",
    "baseline_chisq",
    "baseline_df",
)
_MISSING = ("fiml", "listwise")
_ESTIMATORS = ("ml", "mlm", "mlr")
_REFIT_TOLERANCE = 1e-9
_MOST_REFIT_ITERATIONS = 60


@dataclass(frozen=True, slots=True)
class ModelFit:
    """A fitted structural equation model.

    Attributes
    ----------
    estimates : pandas.DataFrame
        One row a parameter, in lavaan's order, with ``lhs``, ``op``, ``rhs``, ``group`` (empty for
        one group), ``estimate``, ``se``, ``z``, ``p_value``, ``ci_low``, ``ci_high`` (95%) and
        ``standardised`` (all variables have variance 1). Fixed parameters have an ``se`` of 0 and
        no ``z`` and ``p_value``. Parameters defined by ``:=`` come last.
    fit : pandas.Series
        ``chisq``, ``df``, ``p_value``, ``cfi``, ``tli``, ``rmsea`` with its 90% interval
        ``rmsea_low`` and ``rmsea_high``, ``srmr``, ``aic``, ``bic``, ``loglik``, ``n``,
        ``baseline_chisq``, ``baseline_df``. With a robust estimator ``chisq`` and ``p_value`` are
        the scaled ones (times ``scaling_factor`` gives the plain chi-square), and ``cfi_robust``,
        ``tli_robust``, ``rmsea_robust`` stand beside the plain indices.
    converged : bool
        Whether a maximum of the likelihood was reached.
    problems : tuple of str
        What is wrong with the data or the solution, in sentences. Where the solution can't be used,
        all estimates are NaN and a problem says why.
    """

    estimates: pd.DataFrame
    fit: pd.Series[float]
    converged: bool
    problems: tuple[str, ...]
    _likelihood: Likelihood = field(repr=False)
    _parameters: FloatArray = field(repr=False)
    _groups: tuple[str, ...] = field(repr=False)

    @property
    def observed(self) -> tuple[str, ...]:
        """The model's columns, in the order of the moments that `refit_model` takes."""
        return self._likelihood.model.table.observed

    def modification_indices(self) -> pd.DataFrame:
        """Return what the chi-square would fall by if one more parameter were free.

        Returns
        -------
        pandas.DataFrame
            ``lhs``, ``op``, ``rhs``, ``group``; ``mi``, the expected fall in chi-square (a score
            test with one degree of freedom, not scaled); ``epc``, the expected change of the
            parameter; ``standardised``, that in standard deviations of all variables. Rows are what
            is fixed, left out (loadings on other factors, covariances, paths among variables that
            have paths), or equal to another parameter: then ``mi`` is for this one becoming
            different. What could not be told from other parameters is left out, and there are no
            rows without a solution.

        Examples
        --------
        >>> import numpy as np, pandas as pd
        >>> random = np.random.default_rng(1)
        >>> data = pd.DataFrame(random.normal(size=(200, 1)) + random.normal(size=(200, 4)))
        >>> data.columns = ["q1", "q2", "q3", "q4"]
        >>> fit = fit_model(data, "trust =~ q1 + q2 + q3 + q4")
        >>> fit.modification_indices().round(2).head(2)
          lhs  op rhs group    mi   epc  standardised
        0  q1  ~~  q2        0.94 -0.13         -0.14
        1  q1  ~~  q3        0.10  0.03          0.04
        """
        if not self.converged:
            return pd.DataFrame(columns=list(MODIFICATION_COLUMNS))
        table = self._likelihood.model.table
        along = Restrictions(table, self._likelihood.fixed).span(self._parameters)
        return compute_modifications(self._likelihood, self._parameters, along, self._groups)


def fit_model(
    data: pd.DataFrame,
    model: str,
    *,
    group: str | None = None,
    equal: Sequence[str] = (),
    free: Sequence[str] = (),
    missing: str = "fiml",
    estimator: str = "ml",
    cluster: str | None = None,
) -> ModelFit:
    """Fit a structural equation model by maximum likelihood, as ``lavaan::sem`` does.

    Parameters
    ----------
    data : pandas.DataFrame
        One row a respondent; the model's columns hold numbers.
    model : str
        lavaan's syntax: ``=~`` (is measured by), ``~`` (is regressed on), ``~~`` (covaries with),
        ``~ 1`` (intercept), ``:=`` (defined parameter), ``==`` (equality). ``2*x`` fixes a
        parameter, ``NA*x`` frees it, ``a*x`` labels it, ``start(2)*x`` says where to start,
        ``c(a, b)*x`` speaks of each group. ``#`` and ``!`` begin remarks; ``;`` ends a statement.
    group : str, optional
        A column; the model is fitted in each of its groups, in the order of first appearance.
    equal : sequence of str
        What is equal in all groups: ``"loadings"``, ``"intercepts"``, ``"residuals"``,
        ``"means"``, ``"regressions"``, ``"residual_covariances"``, ``"latent_variances"``,
        ``"latent_covariances"``. With equal intercepts the means of latent variables are free in
        later groups.
    free : sequence of str
        Parameters that are not equal all the same, such as ``"trust =~ q3"`` or ``"q3 ~ 1"``.
    missing : {"fiml", "listwise"}
        With ``"fiml"`` all answers are used; the model has means, and standard errors come from the
        observed information. With ``"listwise"`` rows with a missing answer are left out; standard
        errors come from the expected information. Rows without a covariate are left out of both:
        covariates are the columns that only predict, and their moments are those of the sample.
    estimator : {"ml", "mlm", "mlr"}
        Estimates are those of maximum likelihood with all three. ``"mlm"`` gives errors and a test
        that allow for answers that are not normal (Satorra and Bentler), of complete rows only:
        it sets `missing` to ``"listwise"``. ``"mlr"`` does so with missing answers, too (errors of
        Huber and White from the observed information, test of Yuan and Bentler as Mplus has it).
    cluster : str, optional
        A column, such as the street or the interviewer: people in one cluster may be alike. Sets
        `estimator` to ``"mlr"``, with errors and test by cluster. A cluster with people in several
        groups counts as a different one in each.

    Returns
    -------
    ModelFit
        Estimates, indices of fit, and problems in sentences. A model or a sample that has no
        solution is a result whose numbers are missing and whose problems say why.

    Raises
    ------
    InputError
        If the model can't be read, or a column is unknown, holds text or infinite values.
    TypeError
        If `data` is no DataFrame, or `model` no text.
    ValueError
        If `missing` or `estimator` is unknown.

    Notes
    -----
    Defaults are those of ``lavaan::sem`` (0.6): the first loading of a latent variable is 1, an
    only indicator has no residual variance unless the model names it, latent variables that nothing
    explains covary, and so do outcomes that explain nothing. With equal intercepts a latent
    variable that indicates another keeps a mean of 0: lavaan frees it, and then can't identify it.

    Source: Bollen, K. A. (1989). Structural Equations with Latent Variables. Arbuckle, J. L.
    (1996), in Marcoulides & Schumacker, Advanced Structural Equation Modeling (missing answers).
    Rosseel, Y. (2012). lavaan. Journal of Statistical Software, 48(2). Satorra, A., & Bentler,
    P. M. (1994). Yuan, K.-H., & Bentler, P. M. (2000). Sociological Methodology, 30, 165-200.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> random = np.random.default_rng(1)
    >>> trust = random.normal(size=(200, 1))
    >>> data = pd.DataFrame(trust + random.normal(size=(200, 4)), columns=["q1", "q2", "q3", "q4"])
    >>> fit = fit_model(data, "trust =~ q1 + q2 + q3 + q4")
    >>> fit.estimates.loc[:3, ["lhs", "op", "rhs", "estimate"]].round(2)
         lhs  op rhs  estimate
    0  trust  =~  q1      1.00
    1  trust  =~  q2      1.12
    2  trust  =~  q3      0.87
    3  trust  =~  q4      1.05
    >>> round(float(fit.fit["cfi"]), 3), fit.problems
    (1.0, ())
    """
    for name, given, allowed in (
        ("missing", missing, _MISSING),
        ("estimator", estimator, _ESTIMATORS),
    ):
        if given not in allowed:
            raise ValueError(f"{name} must be one of {', '.join(allowed)}, found {given!r}")
    if estimator == "mlm":
        missing = "listwise"
    if cluster is not None:
        estimator = "mlr"
    if not isinstance(data, pd.DataFrame) or not isinstance(model, str):
        found = f"{type(data).__name__} and {type(model).__name__}"
        raise TypeError(f"data must be a DataFrame and the model text, found {found}")
    equal = (equal,) if isinstance(equal, str) else equal
    free = (free,) if isinstance(free, str) else free
    groups = list_groups(data, group)
    table = build_table(
        model, len(groups), equal, free, means=missing == "fiml" or cluster is not None
    )
    sample = select_sample(
        data,
        table.observed,
        table.covariates,
        latent=table.latent,
        group=group,
        missing=missing,
        cluster=cluster,
    )
    layout = Model.from_table(table, len(groups))
    notes = [*sample.notes]
    obstacles = find_obstacles(table, sample)
    if obstacles:
        return _refuse(layout, sample, notes + obstacles)
    notes += find_gaps(table, sample)
    moments = sample.compute_moments()
    obstacles = find_sums(table, sample.groups, [one.covariance[0] for one in moments])
    if obstacles:
        return _refuse(layout, sample, notes + obstacles)
    likelihood = Likelihood.from_moments(layout, moments)
    lost = find_unidentified(likelihood, guess_parameters(table, moments))
    if lost:
        return _refuse(layout, sample, [*notes, name_lost(table, sample.groups, lost)])
    solution = _solve(likelihood)
    parameters = solution.parameters[0]
    if not solution.converged[0]:
        return _refuse(layout, sample, [*notes, "No maximum of the likelihood was found."])
    along = Restrictions(table, likelihood.fixed).span(parameters)
    derivatives = likelihood.differentiate(solution.parameters)
    expected = missing == "listwise" and estimator != "mlr"
    information = derivatives.expected if expected else derivatives.observed
    spread = invert_information(likelihood.n * information[0], along)
    if spread.lost:
        return _refuse(layout, sample, [*notes, name_lost(table, sample.groups, spread.lost)])
    notes += find_improper(likelihood, sample.groups, parameters)
    fit = _measure_fit(likelihood, parameters, float(solution.minimum[0]), along.shape[1])
    if not fit["df"]:
        notes.append("The model has no degrees of freedom, so nothing tests its fit.")
    covariance = spread.covariance
    if estimator != "ml":
        fitted = Fitted(
            likelihood, parameters, along, covariance, sample, centred=estimator == "mlm"
        )
        covariance = sandwich(fitted)
        fit = _scale_fit(fit, fitted, len(groups), incomplete=missing == "fiml")
    estimates = tabulate(likelihood, sample.groups, parameters, covariance)
    notes += find_undefined(estimates)
    found = likelihood, parameters, sample.groups
    return ModelFit(estimates, fit, True, tuple(notes), *found)


def _solve(likelihood: Likelihood) -> Solution:
    """Fit one sample from one guess after the other, until one leads to a minimum.

    With missing answers, the sample's likeliest moments are fitted first.
    """
    starts = [
        guess_parameters(likelihood.model.table, likelihood.moments, common)[None]
        for common in COMMON
    ]
    if any(len(one.seen) > 1 for one in likelihood.moments):
        merged = tuple(one.merge() for one in likelihood.moments)
        near = _solve(Likelihood(likelihood.model, merged, likelihood.fixed))
        starts.insert(0, near.parameters)
    for start in starts:
        solution = minimise(likelihood, start)
        if solution.converged[0] and is_minimum(likelihood, solution):
            return solution
    return replace(solution, converged=np.zeros(1, dtype=np.bool_))


def _refuse(model: Model, sample: Sample, problems: Sequence[str]) -> ModelFit:
    """Return a fit without numbers, and with what is wrong."""
    table = model.table
    empty = [
        Moments.from_complete(np.full((1, p), np.nan), np.full((1, p, p), np.nan), len(rows))
        for rows in sample.rows
        for p in [len(table.observed)]
    ]
    likelihood = Likelihood.from_moments(model, empty)
    parameters = np.full(table.size, np.nan)
    estimates = tabulate(likelihood, sample.groups, parameters, np.full((table.size,) * 2, np.nan))
    estimates[list(estimates.columns[4:])] = np.nan
    fit: pd.Series[float] = pd.Series(np.nan, index=list(FIT_INDICES))
    fit["n"] = float(sum(len(rows) for rows in sample.rows))
    found = likelihood, parameters, sample.groups
    return ModelFit(estimates, fit, False, tuple(problems), *found)


def refit_model(
    fit: ModelFit,
    covariances: FloatArray | Sequence[FloatArray],
    means: FloatArray | Sequence[FloatArray] | None = None,
) -> tuple[FloatArray, BoolArray]:
    """Fit a model again to many samples at once, from the solution that is known.

    Parameters
    ----------
    fit : ModelFit
        A converged fit.
    covariances : array (draws, p, p), or a sequence of one for each group
        Covariance matrices of complete samples, in the order of `ModelFit.observed`, divided by the
        number of cases; groups in the order of the fit.
    means : array (draws, p), or a sequence of one for each group, optional
        Means; by default those of the sample of `fit`. Not used by a model without means.

    Returns
    -------
    estimates : numpy.ndarray (draws, rows of ``fit.estimates``)
        NaN where a draw did not converge.
    converged : numpy.ndarray (draws,)
        Whether a maximum was reached.

    Raises
    ------
    ValueError
        If the moments don't fit the model, or `fit` did not converge.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> random = np.random.default_rng(1)
    >>> data = pd.DataFrame(random.normal(size=(80, 1)) + random.normal(size=(80, 3)))
    >>> data.columns = ["q1", "q2", "q3"]
    >>> fit = fit_model(data, "trust =~ q1 + q2 + q3")
    >>> draws = [data.sample(frac=1, replace=True, random_state=seed) for seed in range(50)]
    >>> estimates, converged = refit_model(
    ...     fit,
    ...     np.stack([draw.cov(ddof=0) for draw in draws]),
    ...     np.stack([draw.mean() for draw in draws]),
    ... )
    >>> estimates.shape, bool(converged.all())
    ((50, 11), True)
    """
    known = fit._likelihood
    if not fit.converged:
        raise ValueError("the fit did not converge, so no sample can be fitted from its solution")
    spreads = _list_groups(covariances, len(known.moments), 3)
    p = len(fit.observed)
    if means is None:
        centres = [
            np.broadcast_to(sample.mean, (len(spread), p))
            for sample, spread in zip(known.moments, spreads, strict=True)
        ]
    else:
        centres = _list_groups(means, len(known.moments), 2)
    for spread, centre in zip(spreads, centres, strict=True):
        if spread.shape[1:] != (p, p) or centre.shape != (len(spread), p):
            raise ValueError(
                f"the model has {p} variables, found covariances of shape {spread.shape} and "
                f"means of shape {centre.shape}"
            )
    moments = [
        Moments.from_complete(centre, spread, sample.n)
        for sample, centre, spread in zip(known.moments, centres, spreads, strict=True)
    ]
    likelihood = Likelihood.from_moments(known.model, moments)
    solution = minimise(
        likelihood,
        fit._parameters[None],
        tolerance=_REFIT_TOLERANCE,
        most_iterations=_MOST_REFIT_ITERATIONS,
    )
    estimates = define(known.model.table, likelihood.expand(solution.parameters))
    estimates[~solution.converged] = np.nan
    return estimates, solution.converged


def _list_groups(
    moments: FloatArray | Sequence[FloatArray], groups: int, rank: int
) -> list[FloatArray]:
    """Return one stack of moments a group, each of `rank` axes; one group needs no list."""
    if isinstance(moments, np.ndarray) and moments.ndim == rank:
        moments = [moments]
    stacks = [np.asarray(stack, dtype=np.float64) for stack in moments]
    if len(stacks) != groups or any(stack.ndim != rank for stack in stacks):
        raise ValueError(f"needs one array of {rank} axes for each of {groups} groups")
    return stacks


def _scale_fit(
    fit: pd.Series[float], fitted: Fitted, groups: int, *, incomplete: bool
) -> pd.Series[float]:
    """Divide the chi-square by its factor, and add the indices that allow for it."""
    from scipy.special import gammaincc

    model = ChiSquare(fit["chisq"], fit["df"])
    baseline = ChiSquare(fit["baseline_chisq"], fit["baseline_df"])
    own, other = scale_chi_squares(fitted, model, baseline, incomplete=incomplete)
    scaled = fit.copy()
    scaled["scaling_factor"] = own.factor
    if model.df:
        scaled["chisq"] = model.value / own.factor
        scaled["p_value"] = float(gammaincc(model.df / 2, scaled["chisq"] / 2))
    scaled["cfi_robust"] = compute_cfi(own.for_indices, other.for_indices)
    scaled["tli_robust"] = compute_tli(own.for_indices, other.for_indices)
    scaled["rmsea_robust"] = compute_rmsea(own.for_indices, fit["n"], groups)[0]
    return scaled


def _measure_fit(
    likelihood: Likelihood, parameters: FloatArray, minimum: float, n_free: int
) -> pd.Series[float]:
    from scipy.special import gammaincc

    n, groups = likelihood.n, len(likelihood.moments)
    yardstick = measure_yardstick(likelihood)
    counted = sum(
        sample.n * float(sample.shares @ sample.seen.sum(axis=1)) for sample in likelihood.moments
    )
    loglik = -n * minimum - counted * math.log(2 * math.pi) / 2 - yardstick.covariates
    chi = max(2 * (yardstick.saturated - loglik), 0.0)
    base = 2 * (yardstick.saturated - yardstick.baseline)
    df = yardstick.moments - n_free
    model, baseline = ChiSquare(chi, df), ChiSquare(base, yardstick.baseline_df)
    rmsea, low, high = compute_rmsea(model, n, groups)
    values = {
        "chisq": chi,
        "df": df,
        "p_value": float(gammaincc(df / 2, chi / 2)) if df > 0 else math.nan,
        "cfi": compute_cfi(model, baseline),
        "tli": compute_tli(model, baseline),
        "rmsea": rmsea,
        "rmsea_low": low,
        "rmsea_high": high,
        "srmr": compute_srmr(likelihood, parameters),
        "aic": -2 * loglik + 2 * n_free,
        "bic": -2 * loglik + math.log(n) * n_free,
        "loglik": loglik,
        "n": n,
        "baseline_chisq": base,
        "baseline_df": yardstick.baseline_df,
    }
    return pd.Series(values, dtype=float)
