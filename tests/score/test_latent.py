"""Structural equation models against lavaan."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_by_hand import read_reference

from sbwork.score.latent import ModelFit, fit_model, refit_model

ESTIMATE = 2e-5
IN_ERRORS = 2e-4  # where lavaan's optimiser stops, in standard errors
LIKELIHOOD = 2e-5
RELATIVE_ERROR = 1e-4

LAVAAN_SAYS = read_reference("latent")
DATA = {name: pd.DataFrame(columns) for name, columns in LAVAAN_SAYS["data"].items()}
CASES = LAVAAN_SAYS["cases"]
NAMES = {
    "pvalue": "p_value",
    "rmsea.ci.lower": "rmsea_low",
    "rmsea.ci.upper": "rmsea_high",
    "logl": "loglik",
    "ntotal": "n",
    "baseline.chisq": "baseline_chisq",
    "baseline.df": "baseline_df",
}


def fit_case(name: str, data: pd.DataFrame | None = None) -> ModelFit:
    case = CASES[name]
    data = DATA[case["data"]] if data is None else data
    options = {
        key: (value,) if key in ("equal", "free") and isinstance(value, str) else value
        for key, value in dict(case["options"]).items()
    }
    return fit_model(data, case["model"], **options)


def to_array(values: list[Any]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], dtype=float)


@pytest.mark.parametrize("name", CASES)
def test_agrees_with_lavaan(name: str) -> None:
    case, fit = CASES[name], fit_case(name)
    assert fit.converged
    frame = fit.estimates
    keys = [(row.lhs, row.op, row.rhs, row.group) for row in frame.itertuples()]
    assert keys == [
        (lhs, op, rhs, str(group))
        for lhs, op, rhs, group in zip(
            case["lhs"], case["op"], case["rhs"], case["group"], strict=True
        )
    ]
    away = np.abs(frame["estimate"].to_numpy() - to_array(case["est"]))
    assert (away <= ESTIMATE + IN_ERRORS * to_array(case["se"])).all()
    assert frame["se"].to_numpy() == pytest.approx(
        to_array(case["se"]), rel=RELATIVE_ERROR, abs=1e-6
    )
    assert frame["standardised"].to_numpy() == pytest.approx(
        to_array(case["std"]), abs=3 * ESTIMATE, nan_ok=True
    )
    for key, value in case["fit"].items():
        found = fit.fit[NAMES.get(key, key)]
        if value is None and key in ("cfi", "tli", "baseline.chisq", "baseline.df"):
            continue  # lavaan's baseline model did not converge
        expected = np.nan if value is None else value
        assert found == pytest.approx(expected, abs=LIKELIHOOD, nan_ok=True), key


@pytest.mark.parametrize("name", ["latent_path", "second_order", "scalar", "linear", "path"])
def test_refits_equal_fits_one_by_one(name: str) -> None:
    case, fit = CASES[name], fit_case(name)
    data, by = DATA[case["data"]], dict(case["options"]).get("group")
    labels = list(data[by].unique()) if by else [""]
    whole = data.groupby(by, sort=False) if by else data
    draws = [whole.sample(frac=1, replace=True, random_state=seed) for seed in range(3)]
    parts = [[draw[draw[by] == label] if by else draw for draw in draws] for label in labels]
    items = list(fit.observed)
    found, converged = refit_model(
        fit,
        [np.stack([draw[items].cov(ddof=0) for draw in part]) for part in parts],
        [np.stack([draw[items].mean() for draw in part]) for part in parts],
    )
    assert converged.all()
    for draw, row in zip(draws, found, strict=True):
        alone = fit_case(name, draw)
        assert row == pytest.approx(alone.estimates["estimate"].to_numpy(), abs=1e-6)
