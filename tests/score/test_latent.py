"""Structural equation models against lavaan."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_by_hand import read_reference

from sbwork.score.latent import ModelFit, fit_model, refit_model
from sbwork.specs.errors import InputError

ESTIMATE = 2e-5
IN_ERRORS = 2e-4  # where lavaan's optimiser stops, in standard errors
LIKELIHOOD = 2e-5
SCALED = 8e-4
RELATIVE_ERROR = 1e-4
MODIFICATION = 4e-4

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
    "chisq.scaled": "chisq",
    "pvalue.scaled": "p_value",
    "chisq.scaling.factor": "scaling_factor",
    "cfi.robust": "cfi_robust",
    "tli.robust": "tli_robust",
    "rmsea.robust": "rmsea_robust",
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
        if f"{key}.scaled" in case["fit"]:
            continue
        found = fit.fit[NAMES.get(key, key)]
        if value is None and key in ("cfi", "tli", "baseline.chisq", "baseline.df"):
            continue  # lavaan's baseline model did not converge
        expected = np.nan if value is None else value
        tolerance = SCALED if "scal" in key or "robust" in key else LIKELIHOOD
        assert found == pytest.approx(expected, abs=tolerance, nan_ok=True), key


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].get("indices")])
def test_modification_indices_are_lavaans(name: str) -> None:
    expected = pd.DataFrame(CASES[name]["indices"]).astype({"group": str})
    found = fit_case(name).modification_indices()
    both = expected.merge(found, on=["lhs", "op", "rhs", "group"], suffixes=("", "_found"))
    # lavaan also takes covariates for outcomes, which would have their moments free.
    sensible = expected[~expected["lhs"].isin(["sex", "ageyr"])]
    assert len(both) == len(sensible)
    for there, here in [("mi", "mi_found"), ("epc", "epc_found"), ("std", "standardised")]:
        assert both[here].to_numpy() == pytest.approx(
            both[there].to_numpy(dtype=float), rel=MODIFICATION, abs=MODIFICATION
        )


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


THREE = CASES["listwise"]["model"]
HOLZINGER = DATA["holzinger"]


def make_answers(n: int = 120, seed: int = 3) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    shared = random.normal(size=(n, 1))
    answers = pd.DataFrame(shared + random.normal(size=(n, 5)))
    answers.columns = ["q1", "q2", "q3", "q4", "q5"]
    return answers.assign(site=np.where(np.arange(n) % 2, "north", "south"), street=0, words="no")


ANSWERS = make_answers()
TRUST = "trust =~ q1 + q2 + q3 + q4"


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        ("trust =~ q1 + Q22 + q3", {}, "'Q22', which is no column. Did you mean 'q2'?"),
        ("trust =~ q1 +\n\nq2 q3", {}, "line 1: 'q2 q3' is no term"),
        ("x =~ q1 + q2; q3", {}, "line 1: 'q3' has no operator"),
        ("", {}, "the model has no parameters"),
        ("q1 | t1", {}, "'|' is not an operator here"),
        ("trust =~", {}, "nothing on one side of '=~'"),
        ("trust =~ q1 + equal('a')*q2", {}, "equal() can't be used"),
        ("trust =~ q1 + c(a, b)*q2 + q3", {}, "is given 2 values"),
        ("trust =~ q1 + a*q2 + q3; trust =~ b*q2", {}, "given twice, in different ways"),
        ("q1 ~ q2:q3", {}, "'q2:q3' is no term"),
        ("trust =~ q1 + a*q2 + q3; x := a*b", {}, "'b' is neither a label nor"),
        ("trust =~ q1 + a*q2 + q3; x := y; y := x*a", {}, "'x' is defined by itself"),
        ("trust =~ q1 + a*q2 + q3; x := __import__('os')", {}, "only + - * / ^"),
        ("trust =~ q1 + a*q2 + q3; x := (lambda: a)()", {}, "is no arithmetic"),
        ("trust =~ q1 + a*q2 + q3; a > 0", {}, "'>' is not an operator here"),
        ("q5 =~ q1 + q2 + q3", {}, "is a latent variable in the model and a column"),
        ("trust =~ q1 + q2 + words", {}, "column 'words' holds"),
        (TRUST, {"group": "sites"}, "'sites', which is no column. Did you mean 'site'?"),
        (TRUST, {"group": "site", "equal": ["loading"]}, "Did you mean 'loadings'?"),
        (TRUST, {"group": "site", "free": ["trust =~ q5"]}, "no parameter of the model"),
        (TRUST, {"cluster": "stret"}, "Did you mean 'street'?"),
    ],
)
def test_says_in_one_message_what_it_cannot_read(
    model: str, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError) as caught:
        fit_model(ANSWERS, model, **options)
    assert said in str(caught.value)


def hide(answers: pd.DataFrame, item: str, rows: slice) -> pd.DataFrame:
    changed = answers.copy()
    changed.loc[changed.index[rows], item] = np.nan
    return changed


@pytest.mark.parametrize(
    ("data", "model", "options", "said"),
    [
        (ANSWERS.assign(q2=3.0), TRUST, {}, "the same answer to 'q2'"),
        (ANSWERS.assign(q2=ANSWERS["q1"] + ANSWERS["q3"]), TRUST, {}, "computed from the others"),
        (ANSWERS.assign(q2=np.nan), TRUST, {}, "Nobody has an answer to 'q2'"),
        (ANSWERS.assign(q2=np.nan), TRUST, {"missing": "listwise"}, "120 of 120 rows were left"),
        (hide(ANSWERS, "q2", slice(2, None)), TRUST, {}, "Only 2% of the rows have 'q2'"),
        (ANSWERS.head(4), TRUST, {}, "Only 4 rows can be used"),
        (ANSWERS.head(0), TRUST, {}, "Only 0 rows can be used"),
        (
            ANSWERS.assign(q2=ANSWERS["q2"].where(ANSWERS["site"] == "north", 1.0)),
            TRUST,
            {"group": "site"},
            "Everybody in group 'south' has the same answer to 'q2'",
        ),
        (ANSWERS, TRUST, {"cluster": "street"}, "All rows are in one cluster"),
        (ANSWERS, "trust =~ q1 + q2", {}, "these apart: 'trust =~ q2', 'q1 ~~ q1'"),
        (ANSWERS, f"{TRUST}; trust ~ 1", {}, "these apart: 'trust ~ 1', 'q1 ~ 1'"),
        (ANSWERS, "trust =~ q1 + a*q2 + q3 + q4; a^2 == -1", {}, "No maximum"),
    ],
)
def test_gives_no_numbers_but_why(
    data: pd.DataFrame, model: str, options: dict[str, Any], said: str
) -> None:
    fit = fit_model(data, model, **options)
    assert any(said in problem for problem in fit.problems)
    assert not fit.converged
    assert fit.estimates.drop(columns=["lhs", "op", "rhs", "group"]).isna().all(axis=None)
    assert fit.fit.drop("n").isna().all()
    assert fit.modification_indices().empty
    with pytest.raises(ValueError, match="did not converge"):
        refit_model(fit, np.eye(4)[None])


@pytest.mark.parametrize(
    ("data", "model", "said"),
    [
        (hide(ANSWERS, "q2", slice(9, None)), TRUST, "Only 8% of the rows have 'q2'"),
        (
            hide(hide(ANSWERS, "q1", slice(60, None)), "q2", slice(0, 60)),
            TRUST,
            "No rows have 'q2' with 'q1'",
        ),
        (ANSWERS, "q1 ~ q2", "no degrees of freedom"),
        (ANSWERS, "trust =~ q1 + a*q2 + q3 + q4; x := sqrt(-a)", "'x' can't be computed"),
        (hide(ANSWERS, "q2", slice(0, 3)), "q1 ~ q2; q3 ~ q1", "3 of 120 rows were left out"),
    ],
)
def test_gives_numbers_with_a_word_of_caution(data: pd.DataFrame, model: str, said: str) -> None:
    fit = fit_model(data, model)
    assert fit.converged
    assert any(said in problem for problem in fit.problems)
    assert fit.estimates.loc[fit.estimates["op"] != ":=", "estimate"].notna().all()


def test_reports_negative_variances_and_correlations_above_one() -> None:
    random = np.random.default_rng(5)
    covariance = np.array([[1, 0.8, 0.3], [0.8, 1, 0.75], [0.3, 0.75, 1]])
    rows = random.multivariate_normal(np.zeros(3), covariance, 200)
    heywood = fit_model(pd.DataFrame(rows, columns=["a", "b", "c"]), "f =~ a + b + c")
    assert any("'b' is estimated below 0" in problem for problem in heywood.problems)
    crossed = np.kron([[0, 1], [1, 0]], np.full((2, 2), 0.6))
    within = np.kron(np.eye(2), [[1, 0.5], [0.5, 1]])
    rows = random.multivariate_normal(np.zeros(4), crossed + within, 200)
    split = fit_model(pd.DataFrame(rows, columns=list("abcd")), "f =~ a + b; g =~ c + d")
    assert any("'f' and 'g' is above 1" in problem for problem in split.problems)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.floats(0.01, 100), min_size=9, max_size=9), st.permutations(range(301)))
def test_fit_does_not_depend_on_units_or_order(scales: list[float], order: list[int]) -> None:
    options: dict[str, Any] = {"group": "school", "equal": ["loadings", "intercepts"]}
    items = [f"x{item}" for item in range(1, 10)]
    changed = HOLZINGER.iloc[order].assign(
        **{item: HOLZINGER[item] * scale for item, scale in zip(items, scales, strict=True)}
    )
    fit = fit_model(changed, THREE, **options)
    plain = fit_case("scalar")
    assert fit.converged
    for name in ("chisq", "cfi", "rmsea", "srmr"):
        assert fit.fit[name] == pytest.approx(plain.fit[name], abs=1e-5)


def test_full_information_of_complete_answers_is_listwise() -> None:
    full = fit_case("complete").estimates.set_index(["lhs", "op", "rhs"])
    listwise = fit_case("listwise").estimates.set_index(["lhs", "op", "rhs"])
    away = listwise["estimate"] - full.loc[listwise.index, "estimate"]
    assert away.abs().max() < 1e-9


@pytest.mark.parametrize(
    ("covariances", "means"),
    [(np.eye(3)[None], None), (np.eye(9)[None], np.zeros((2, 9))), ([np.eye(9)[None]] * 2, None)],
)
def test_refuses_moments_of_another_shape(covariances: Any, means: Any) -> None:
    with pytest.raises(ValueError, match=r"variables|groups"):
        refit_model(fit_case("complete"), covariances, means)
