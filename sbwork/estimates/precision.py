"""What a difference in differences can bear: too small to matter, erased by chance, or unseen."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from sbwork.estimates.estimate import Estimate

__all__ = [
    "Verdict",
    "compute_cluster_deff",
    "compute_smallest_detectable_difference",
    "compute_tau_star",
    "estimate_equivalence",
    "find_verdict",
]

Verdict = Literal["effect", "no meaningful effect", "inconclusive"]


def estimate_equivalence(contrast: Estimate, spread: float, bound: float) -> Estimate:
    """Test by two one-sided tests whether a contrast is too small to matter.

    Parameters
    ----------
    contrast : Estimate
        In points, with its standard error and degrees of freedom.
    spread : float
        Pooled standard deviation of the scores, in points.
    bound : float
        The smallest difference worth having, in standard deviations, set beforehand.

    Returns
    -------
    Estimate
        ``"tost"``: the contrast in standard deviations, its 90% interval, and the larger of the
        two one-sided p-values. Below .05 the contrast lies within the bound.

    Raises
    ------
    ValueError
        The bound is not above 0.

    References
    ----------
    Schuirmann, D. J. (1987). A comparison of the two one-sided tests procedure and the power
    approach. Journal of Pharmacokinetics and Biopharmaceutics, 15, 657-680.

    Examples
    --------
    >>> flat = Estimate("difference_in_differences", 0.0, se=0.05, df=400.0, n=404)
    >>> estimate_equivalence(flat, spread=1.0, bound=0.2).p_value < 0.05
    True
    """
    from scipy import stats

    if not bound > 0:
        raise ValueError("the bound must be above 0")
    if not (contrast.se > 0 and spread > 0):
        note = contrast.note or "Everybody gave the same score, so chance can not be gauged."
        return Estimate("tost", n=contrast.n, unit="sd", ci_level=0.90, note=note)
    margin = bound * spread
    above = float(stats.t.sf((contrast.estimate + margin) / contrast.se, contrast.df))
    below = float(stats.t.cdf((contrast.estimate - margin) / contrast.se, contrast.df))
    half = float(stats.t.ppf(0.95, contrast.df)) * contrast.se
    return Estimate(
        "tost",
        contrast.estimate / spread,
        (contrast.estimate - half) / spread,
        (contrast.estimate + half) / spread,
        0.90,
        p_value=max(above, below),
        se=contrast.se / spread,
        df=contrast.df,
        n=contrast.n,
        unit="sd",
    )


def find_verdict(contrast: Estimate, equivalence: Estimate, alpha: float = 0.05) -> Verdict:
    """Give one of three verdicts on a contrast.

    Parameters
    ----------
    contrast : Estimate
        With its two-sided p-value against zero.
    equivalence : Estimate
        From `estimate_equivalence` on the same contrast.
    alpha : float, default .05
        Level of both tests.

    Returns
    -------
    str
        ``"no meaningful effect"`` where the contrast lies within the bound, whether or not it
        differs from zero; else ``"effect"`` where it differs from zero; else ``"inconclusive"``.

    Examples
    --------
    >>> change = Estimate("difference_in_differences", 0.1, se=0.3, df=50.0, p_value=0.74)
    >>> find_verdict(change, estimate_equivalence(change, spread=1.0, bound=0.2))
    'inconclusive'
    """
    if equivalence.p_value < alpha:
        return "no meaningful effect"
    return "effect" if contrast.p_value < alpha else "inconclusive"


def compute_tau_star(contrast: Estimate, shocks: float = 4.0) -> float:
    """Compute how large a chance shock per area and wave would erase a result.

    tau* = sqrt((delta^2 / 1.96^2 - SE^2) / 4). Treatment is given to areas, not to people; with
    two sites and two waves nothing is left to measure how much areas move by themselves.

    Parameters
    ----------
    contrast : Estimate
        A difference in differences with its standard error.
    shocks : float, default 4
        Sum of the squared coefficients of the area-by-wave means: 4 for one pair, 4 / P for the
        mean of P pairs that share no site.

    Returns
    -------
    float
        A standard deviation, in points; NaN where chance among people alone can already account
        for the result.

    Examples
    --------
    >>> result = Estimate("difference_in_differences", 0.5, se=0.1)
    >>> round(compute_tau_star(result), 4)
    0.1173
    """
    left = (contrast.estimate / 1.96) ** 2 - contrast.se**2
    return math.sqrt(left / shocks) if left > 0 else math.nan


def compute_smallest_detectable_difference(
    n: ArrayLike, coefficients: ArrayLike | None = None, deff: float = 1.0
) -> float:
    """Compute the contrast of means that is found four times in five, in standard deviations.

    Parameters
    ----------
    n : array_like, shape (n_cells,)
        People, or Kish's effective numbers, in each cell.
    coefficients : array_like, shape (n_cells,), optional
        Coefficients of the cells; plus or minus 1 by default.
    deff : float, default 1
        Design effect of clusters, from `compute_cluster_deff`.

    Returns
    -------
    float
        (z.975 + z.80) sqrt(deff x sum c^2 / n); NaN where a cell is empty.

    Examples
    --------
    >>> round(compute_smallest_detectable_difference([150, 150, 150, 150]), 3)
    0.457
    """
    from scipy.special import ndtri

    size = np.asarray(n, dtype=np.float64)
    c = np.ones_like(size) if coefficients is None else np.asarray(coefficients, dtype=np.float64)
    if not (size > 0).all():
        return math.nan
    return float((ndtri(0.975) + ndtri(0.8)) * math.sqrt(deff * np.sum(c**2 / size)))


def compute_cluster_deff(cluster_size: float, correlation: float) -> float:
    """Compute the design effect of clusters, 1 + (m - 1) rho.

    Parameters
    ----------
    cluster_size : float
        Mean number of people a cluster.
    correlation : float
        Intra-cluster correlation, 0 to 1.

    Examples
    --------
    >>> compute_cluster_deff(21, 0.05)
    2.0
    """
    if cluster_size < 1 or not 0 <= correlation <= 1:
        raise ValueError("a cluster has at least one person, and a correlation from 0 to 1")
    return 1 + (cluster_size - 1) * correlation
