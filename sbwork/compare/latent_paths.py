"""The paths of a mechanism between factors: their coefficients in many samples, and their fit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sbwork.score.latent import ModelFit, fit_model, refit_model
from sbwork.stats.mediation import Chain, draw_moments

FloatArray = NDArray[np.float64]
Paths = Sequence[Sequence[int]]

_WORK = "work"


@dataclass(frozen=True)
class LatentData:
    """Complete answers to what measures each variable of a path.

    nodes: For each variable after work, what measures it, by name; one measure stands for itself.
    covariates: Site and wave, no constant among them.
    """

    nodes: tuple[Mapping[str, FloatArray], ...]
    work: FloatArray
    covariates: FloatArray
    units: NDArray[np.intp]
    strata: NDArray[np.intp]

    @property
    def n(self) -> int:
        """How many questionnaires there are."""
        return len(self.work)

    def lay_out(self) -> tuple[pd.DataFrame, dict[str, str]]:
        """Return the columns under names that a model can be written in, and what they stand for.

        Measures of variable 2 are ``v2m1``, ``v2m2``; covariates ``z1``, ``z2``.
        """
        named = {
            f"v{i}m{k}": (name, values)
            for i, node in enumerate(self.nodes, start=1)
            for k, (name, values) in enumerate(node.items(), start=1)
        }
        columns = {key: values for key, (_, values) in named.items()}
        columns |= {f"z{k}": values for k, values in enumerate(self.covariates.T, start=1)}
        frame = pd.DataFrame({**columns, _WORK: self.work})
        return frame, {key: name for key, (name, _) in named.items()}

    def name_variables(self) -> list[str]:
        """Name work and the variables after it, as the model does."""
        many = [len(node) > 1 for node in self.nodes]
        return [_WORK, *(f"v{i}" if m else f"v{i}m1" for i, m in enumerate(many, start=1))]


def fit_latent(data: LatentData, paths: Paths, *, tied: bool = False) -> tuple[ModelFit, str]:
    """Fit a model of paths between factors; return what is wrong with it as well.

    `paths` says for each variable after work which others its equation holds, as
    `sbwork.stats.mediation.fit_paths` takes it; errors are unrelated unless `tied`.
    """
    frame, titles = data.lay_out()
    variables = data.name_variables()
    lines = [
        f"v{i} =~ {' + '.join(f'v{i}m{k}' for k in range(1, len(node) + 1))}"
        for i, node in enumerate(data.nodes, start=1)
        if len(node) > 1
    ]
    covariates = [f"z{k}" for k in range(1, data.covariates.shape[1] + 1)]
    for variable, held in zip(variables[1:], paths, strict=True):
        lines.append(f"{variable} ~ {' + '.join([*(variables[j] for j in held), *covariates])}")
    factor = "" if tied else "0*"
    lines += [f"{one} ~~ {factor}{other}" for one, other in combinations(variables[1:], 2)]
    fit = fit_model(frame, "\n".join(lines), missing="listwise")

    def name(match: re.Match[str]) -> str:
        return titles.get(match.group(), match.group())

    return fit, re.sub(r"\bv\d+m\d+\b", name, " ".join(fit.problems))


def chain_latent(data: LatentData, fit: ModelFit, *, draws: int, seed: int) -> Chain:
    """Take the paths of a fit, and of the same model in bootstrap samples, for a chain."""
    frame, _ = data.lay_out()
    values = frame[list(fit.observed)].to_numpy(dtype=np.float64)
    means, covariances = draw_moments(values, data.units, data.strata, draws=draws, seed=seed)
    drawn, _ = refit_model(fit, covariances, means)
    table = fit.estimates
    samples = np.vstack([table["estimate"].to_numpy(dtype=np.float64), drawn])
    keys = zip(table["lhs"], table["op"], table["rhs"], strict=True)
    rows = {key: row for row, key in enumerate(keys)}
    variables = data.name_variables()
    k = len(variables)
    coefficients, variances = np.zeros((k, k, len(samples))), np.ones((k, len(samples)))
    for i in range(1, k):
        for j in range(i):
            coefficients[i, j] = samples[:, rows[variables[i], "~", variables[j]]]
        own = samples[:, rows[variables[i], "~~", variables[i]]]
        variances[i] = np.where(own > 0, own, np.nan)
    return Chain.from_paths(coefficients, variances)
