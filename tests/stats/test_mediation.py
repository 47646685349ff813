"""Paths through a chain of measures: against R and pingouin, and how often intervals err."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_by_hand import read_reference
from sim_mediation import World, run_worlds

from sbwork.stats.mediation import (
    Chain,
    count_shocks,
    find_area_shock,
    find_clear_rho,
    find_percentiles,
    fit_chain,
    fit_paths,
)

EXACT = 1e-9
NEAR = 0.02
"""pingouin's interval is corrected for bias, and draws other samples."""
REFERENCE = read_reference("mechanism")
MODELS = {
    "forward": ((0,), (0, 1), (0, 1, 2)),
    "reversed": ((0, 2), (0,), (0, 1, 2)),
    "forward_only": ((0,), (1,), (2,)),
    "reversed_only": ((2,), (0,), (1,)),
    "direct_only": ((0,), (0,), (0,)),
}


def make_reference() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Make the data of the R script: variables, covariates, weights, cells."""
    i = np.arange(240)
    site, after = i % 4, (i // 4) % 2
    work = after * (site % 2 == 0)

    def wobble(a: int, b: int, m: int) -> np.ndarray:
        return 2 * (((a * i**2 + b * i) % m) / m - 0.5)

    cause = 3 + 0.4 * work + 0.2 * after + wobble(3, 5, 31)
    mediator = 3 + 0.5 * (cause - 3) + 0.1 * work + wobble(4, 7, 37)
    outcome = 3 + 0.4 * (mediator - 3) + 0.2 * (cause - 3) + 0.1 * work + wobble(2, 9, 41)
    covariates = np.column_stack([site == s for s in range(4)] + [after]).astype(float)
    variables = np.column_stack([work, cause, mediator, outcome])
    return variables, covariates, 0.5 + ((i * 13) % 17) / 10, 2 * site + after


@pytest.mark.parametrize("weighting", ["plain", "weighted"])
def test_paths_agree_with_lm(weighting: str) -> None:
    variables, covariates, weights, cells = make_reference()
    weights = weights if weighting == "weighted" else np.ones(240)
    expected = REFERENCE[weighting]
    chain = fit_chain(variables, covariates, weights, draws=0)
    b = chain.coefficients[:, :, 0]
    total = b[3, 0] + b[1, 0] * b[3, 1] + b[2, 0] * b[3, 2] + b[1, 0] * b[2, 1] * b[3, 2]
    found = {
        "path_work_cause": b[1, 0],
        "path_work_mediator": b[2, 0],
        "path_cause_mediator": b[2, 1],
        "direct": b[3, 0],
        "path_cause_outcome": b[3, 1],
        "path_mediator_outcome": b[3, 2],
        "indirect_serial": chain.follow(0, 1, 2, 3)[0],
        "indirect_cause": chain.follow(0, 1, 3)[0],
        "indirect_mediator": chain.follow(0, 2, 3)[0],
        "total": total,
        "total_standardised": total / chain.spreads[3, 0],
        "rho_cause_outcome": chain.correlate_errors(1, 3)[0],
        "rho_mediator_outcome": chain.correlate_errors(2, 3)[0],
        "acme": b[1, 0] * chain.shift_coefficient(1, 3, 0.2)[0],
        "shocks": count_shocks(variables[:, 0], covariates, weights, cells),
    }
    assert found == pytest.approx(expected, abs=EXACT)


@pytest.mark.parametrize("model", MODELS)
def test_fit_agrees_with_lavaan(model: str) -> None:
    variables, covariates, _, _ = make_reference()
    fit, full = (fit_paths(variables, covariates, MODELS[m]) for m in (model, "forward"))
    expected = REFERENCE["fits"][model]
    found = {
        "logl": fit.loglik,
        "chisq": 2 * (full.loglik - fit.loglik),
        "df": full.parameters - fit.parameters,
        "aic": fit.aic,
        "bic": fit.bic,
        "npar": fit.parameters,
    }
    assert found == pytest.approx(expected, rel=1e-7, abs=1e-6)


def test_orders_and_a_common_source_fit_alike() -> None:
    fits = REFERENCE["fits"]
    logs = [fits["forward"]["logl"], fits["reversed"]["logl"], REFERENCE["tied"]["logl"]]
    assert logs == pytest.approx([logs[0]] * 3, rel=1e-12)


def test_a_mediation_agrees_with_pingouin() -> None:
    import pingouin

    variables, covariates, _, _ = make_reference()
    names = ["work", "cause", "mediator", "outcome"]
    frame = pd.DataFrame(variables, columns=names).assign(
        **{f"z{k}": column for k, column in enumerate(covariates.T[1:])}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = pingouin.mediation_analysis(
            frame, "work", "cause", "outcome", covar=[f"z{k}" for k in range(4)],
            n_boot=5000, seed=1,
        ).set_index("path")  # fmt: skip
    chain = fit_chain(variables[:, [0, 1, 3]], covariates)
    found = {
        "cause ~ X": chain.coefficients[1, 0, 0],
        "Direct": chain.coefficients[2, 0, 0],
        "Indirect": chain.follow(0, 1, 2)[0],
        "Total": chain.coefficients[2, 0, 0] + chain.follow(0, 1, 2)[0],
    }
    assert found == pytest.approx(peer["coef"][list(found)].to_dict(), abs=EXACT)
    ends = peer.loc["Indirect", ["CI2.5", "CI97.5"]].to_list()
    assert find_percentiles(chain.follow(0, 1, 2)[1:]) == pytest.approx(ends, abs=NEAR)


def test_draws_are_those_of_least_squares_on_repeated_rows() -> None:
    """A draw is what least squares gives on rows repeated as often as they were drawn."""
    variables, covariates, weights, cells = make_reference()
    units = np.where(np.arange(240) < 80, np.arange(240) % 40, np.arange(240))
    chain = fit_chain(
        variables, covariates, weights, units=units, strata=cells * 0, draws=40, seed=7
    )
    assert chain.coefficients.shape == (4, 4, 41)
    spread = chain.coefficients[1, 0, 1:].std()
    alone = (
        fit_chain(variables, covariates, weights, draws=400, seed=7).coefficients[1, 0, 1:].std()
    )
    assert 0.5 * alone < spread < 2 * alone
    same = fit_chain(variables, covariates, weights, units=units, draws=40, seed=7)
    assert np.array_equal(chain.coefficients, same.coefficients)


def test_strata_keep_their_numbers() -> None:
    """Where everybody of a stratum has the same values, no draw differs from the data."""
    x = np.repeat([[0.0, 1.0], [1.0, 3.0]], 20, axis=0)
    x[::2, 1] += 1
    strata = np.repeat(np.arange(4), 10) * 2 + np.tile([0, 1], 20)
    chain = fit_chain(x, np.ones((40, 1)), strata=strata, draws=50)
    assert chain.coefficients[1, 0] == pytest.approx(2.0)


def test_units_are_drawn_with_all_their_rows() -> None:
    """Twice the same rows under one unit give the same draws as the rows once."""
    rng = np.random.default_rng(3)
    x, z = rng.normal(size=(50, 3)), np.ones((50, 1))
    once = fit_chain(x, z, draws=100)
    twice = fit_chain(
        np.vstack([x, x]), np.vstack([z, z]), units=np.tile(np.arange(50), 2), draws=100
    )
    assert twice.coefficients == pytest.approx(once.coefficients, abs=1e-10)


@given(st.integers(0, 10_000), st.floats(0.1, 10), st.floats(-50, 50))
def test_scale_and_origin_change_nothing(seed: int, scale: float, shift: float) -> None:
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=(30, 4)), np.ones((30, 1))
    plain, moved = fit_chain(x, z, draws=0), fit_chain(x * scale + shift, z, draws=0)
    assert moved.coefficients == pytest.approx(plain.coefficients, abs=1e-8)
    assert moved.correlate_errors(1, 3) == pytest.approx(plain.correlate_errors(1, 3), abs=1e-8)


def test_a_known_confounder_is_found_at_its_rho() -> None:
    """With an error that mediator and outcome share and no path, rho is that correlation."""
    rng = np.random.default_rng(5)
    n = 200_000
    work, shared = (rng.random(n) < 0.5).astype(float), rng.normal(size=n)
    cause = 0.5 * work + 0.6 * shared + 0.8 * rng.normal(size=n)
    outcome = 0.2 * work + 0.7 * shared + np.sqrt(0.51) * rng.normal(size=n)
    chain = fit_chain(np.column_stack([work, cause, outcome]), np.ones((n, 1)), draws=0)
    assert chain.correlate_errors(1, 2)[0] == pytest.approx(0.42, abs=0.01)
    assert chain.shift_coefficient(1, 2, 0.42)[0] == pytest.approx(0, abs=0.01)
    assert chain.shift_coefficient(1, 2, 0.0)[0] == pytest.approx(chain.coefficients[2, 1, 0])


def test_clear_rho_and_area_shock_are_where_the_interval_meets_nothing() -> None:
    variables, covariates, *_ = make_reference()
    chain = fit_chain(variables[:, [0, 1, 3]], covariates)
    first, rest = chain.coefficients[1, 0], chain.coefficients[2, 1]
    rho = find_clear_rho(chain, 1, 2, first)
    assert 0 < rho < chain.correlate_errors(1, 2)[0]
    assert find_percentiles((first * chain.shift_coefficient(1, 2, rho))[1:])[0] == pytest.approx(
        0, abs=1e-6
    )
    tau = find_area_shock(first, rest, 4.0, seed=1)
    alike = np.sqrt(((first[0] / 1.96) ** 2 - first[1:].std() ** 2) / 4)
    assert tau == pytest.approx(alike, rel=0.05)
    assert np.isnan(find_area_shock(first - first[0], rest, 4.0, seed=1))


@pytest.mark.parametrize("bad", [0.0, -1.0, np.inf, np.nan])
def test_weights_and_values_that_are_no_numbers_are_refused(bad: float) -> None:
    variables, covariates, weights, _ = make_reference()
    weights[3] = bad
    with pytest.raises(ValueError, match="weights must be finite and above 0"):
        fit_chain(variables, covariates, weights)
    if not np.isfinite(bad):
        variables[2, 1] = bad
        with pytest.raises(ValueError, match="must be finite"):
            fit_chain(variables, covariates)


def test_what_follows_from_the_rest_is_missing() -> None:
    variables, covariates, _, _ = make_reference()
    variables[:, 2] = 2 * variables[:, 1] - variables[:, 0]
    chain = fit_chain(variables, covariates, draws=5)
    assert isinstance(chain, Chain)
    assert np.isfinite(chain.factor[1, 1]).all()
    assert np.isnan(chain.factor[2, 2]).all()


@pytest.mark.parametrize("world", [World(a=0.5, d=0.4, b=0.4), World(a=0.0, d=0.4, b=0.4)])
def test_intervals_err_as_often_as_they_say(world: World) -> None:
    """A short run of ``tests/studies/sim_mediation.py``, whose docstring has the whole table."""
    found = run_worlds([world], worlds=200, draws=400, seed=11).iloc[0]
    assert found["covered"] > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 200) - 0.01
