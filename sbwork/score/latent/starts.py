"""Values to start from."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from sbwork.score.latent.moments import Moments
from sbwork.score.latent.table import Row, Table

FloatArray = NDArray[np.float64]

COMMON = (0.8, 0.65, 0.9, 0.5)
"""What to try as the share of an item's variance that its factor explains: from low shares the way
often leads to saddles and into endless valleys."""


def guess_parameters(
    table: Table, moments: tuple[Moments, ...], common: float = COMMON[0]
) -> FloatArray:
    """Start loadings from the first principal component of each factor's items, paths from 0."""
    parameters = np.zeros(table.size)
    settled = np.zeros(table.size, dtype=np.bool_)
    for group, sample in enumerate(moments):
        rows = [row for row in table.rows if row.group == group]
        guesses = _guess_group(table, rows, sample, common)
        for row, guess in zip(rows, guesses, strict=True):
            if row.place >= 0 and (not settled[row.place] or math.isfinite(row.start)):
                parameters[row.place] = guess if math.isnan(row.start) else row.start
                settled[row.place] = True
    return parameters


def _guess_group(table: Table, rows: list[Row], sample: Moments, common: float) -> list[float]:
    index = {name: place for place, name in enumerate(table.observed)}
    covariance, mean = sample.covariance[0], sample.mean[0]
    loadings: dict[tuple[str, str], float] = {}
    variances = {name: float(covariance[place, place]) for name, place in index.items()}
    fixed_variances = {row.lhs: row.fixed for row in rows if row.op == "~~" and row.lhs == row.rhs}
    latent = list(table.latent)
    known = set(index)
    while latent:
        factor = next((name for name in latent if _is_ready(name, rows, known)), latent[0])
        latent.remove(factor)
        own = [row for row in rows if row.op == "=~" and row.lhs == factor]
        weights = _weigh_items([row.rhs for row in own], index, covariance, variances, common)
        anchors = [
            (row.fixed, weight)
            for row, weight in zip(own, weights, strict=True)
            if math.isfinite(row.fixed) and row.fixed
        ]
        wanted = fixed_variances.get(factor, math.nan)
        if anchors:
            scale = anchors[0][0] / anchors[0][1] if anchors[0][1] else 1.0
        else:
            scale = 1 / math.sqrt(wanted) if wanted > 0 else 1.0
        if abs(scale) > 1e6 or not math.isfinite(scale):
            scale = 1.0
        variances[factor] = wanted if wanted > 0 else 1 / scale**2
        for row, weight in zip(own, weights, strict=True):
            loadings[factor, row.rhs] = weight * scale
        known.add(factor)
    guesses = []
    for row in rows:
        guess = 0.0
        if row.op == "=~":
            guess = loadings[row.lhs, row.rhs]
        elif row.op == "~~" and row.lhs == row.rhs:
            guess = variances[row.lhs] * (1 - common if row.lhs in index else 1.0)
        elif row.op == "~1" and row.lhs in index:
            guess = float(mean[index[row.lhs]])
        guesses.append(guess)
    return guesses


def _is_ready(factor: str, rows: list[Row], known: set[str]) -> bool:
    return all(row.rhs in known for row in rows if row.op == "=~" and row.lhs == factor)


def _weigh_items(
    items: list[str],
    index: dict[str, int],
    covariance: FloatArray,
    variances: dict[str, float],
    common: float,
) -> list[float]:
    """Weigh a factor's items as if its variance were 1."""
    spread = np.sqrt([max(variances.get(item, 1.0), 1e-12) for item in items])
    correlations = np.full((len(items), len(items)), 0.3)
    np.fill_diagonal(correlations, 1.0)
    places = [index.get(item, -1) for item in items]
    for one, first in enumerate(places):
        for other, second in enumerate(places):
            if first >= 0 and second >= 0:
                correlations[one, other] = covariance[first, second] / (spread[one] * spread[other])
    values, vectors = np.linalg.eigh(correlations)
    leading = vectors[:, -1] * (1 if vectors[:, -1].sum() >= 0 else -1)
    share = np.clip(leading * math.sqrt(max(common * values[-1], 0.0)), -0.9, 0.9)
    share = np.where(np.abs(share) < 0.1, 0.1 * np.sign(share + 1e-9), share)
    return [float(value) for value in share * spread]
