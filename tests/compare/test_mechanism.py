"""Paths of a cohort: what is computed, who is in it, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_by_hand import make_cohort, make_instrument, pick, read_reference

from sbwork.compare.latent_paths import LatentData, chain_latent, fit_latent
from sbwork.compare.mechanism import check_mechanism, compare_mechanism
from sbwork.compare.surveys import compare_scales
from sbwork.score import score_scales
from sbwork.specs.cohort import Cohort
from sbwork.specs.errors import InputError
from sbwork.stats import Flag, Reason

EXACT = 1e-9
SCALES = {
    "social_capital": ["s0", "s1", "s2"],
    "potency": ["p0", "p1", "p2"],
    "confidence": ["y0", "y1", "y2"],
}
FIT = ("logl", "chisq", "df", "cfi", "rmsea", "srmr", "aic", "bic")
ROLES = {"cause": "social_capital", "mediator": "potency", "outcomes": ["confidence"]}
PAIRS = (("north", "south"), ("east", "west"))
INSTRUMENT = make_instrument(SCALES)


def make_answers(n: int = 60, a: float = 0.8, seed: int = 1, *, linked: bool = False) -> Any:
    """Make answers of two sites with the work and two without, on one path."""
    random, rows = np.random.default_rng(seed), []
    for site in ("north", "south", "east", "west"):
        for wave in ("before", "after"):
            work = site in ("north", "east") and wave == "after"
            cause = a * work + random.normal(size=n)
            mediator = 0.6 * cause + 0.1 * work + random.normal(size=n)
            outcome = 0.5 * mediator + 0.1 * cause + 0.1 * work + random.normal(size=n)
            made = {
                f"{key}{item}": np.clip(np.round(3 + 0.6 * value + random.normal(size=n)), 1, 5)
                for key, value in zip("spy", (cause, mediator, outcome), strict=True)
                for item in range(3)
            }
            people = [f"p{i}" if linked else "" for i in range(n)]
            rows.append(
                pd.DataFrame({"site": site, "wave": wave, "person": people, "weight": 1.0, **made})
            )
    return pd.concat(rows, ignore_index=True)


def make_pilot(pairs: Any = PAIRS, **roles: Any) -> Cohort:
    return make_cohort(pairs, mechanism={**ROLES, **roles})


def compare(answers: pd.DataFrame, cohort: Cohort | None = None) -> pd.DataFrame:
    scores = score_scales(answers, INSTRUMENT)
    return compare_mechanism(answers, scores, cohort or make_pilot(), INSTRUMENT)


def find(findings: pd.DataFrame, estimator: str, outcome: str = "confidence") -> pd.Series:
    return pick(findings, estimator, "all", outcome=outcome)


@pytest.fixture(scope="module")
def findings() -> pd.DataFrame:
    return compare(make_answers())


def test_routes_add_up_to_the_difference_in_differences(findings: pd.DataFrame) -> None:
    parts = ("indirect_serial", "indirect_cause", "indirect_mediator", "direct")
    total = find(findings, "total")["estimate"]
    assert sum(find(findings, part)["estimate"] for part in parts) == pytest.approx(total)
    scores = score_scales(make_answers(), INSTRUMENT)
    did = pick(
        compare_scales(scores, make_pilot(), INSTRUMENT), "difference_in_differences", "all",
        outcome="confidence",
    )  # fmt: skip
    assert total == pytest.approx(did["estimate"], abs=EXACT)


def test_every_number_rests_on_the_same_people(findings: pd.DataFrame) -> None:
    assert set(findings["section"]) == {"mechanism"}
    assert set(findings["site"]) == {"all"}
    assert set(findings["comparison"]) == {"control"}
    assert set(findings["period"]) == {"change"}
    assert set(findings["n"]) == {480.0}


def test_the_interval_of_the_serial_route_is_clear(findings: pd.DataFrame) -> None:
    row = find(findings, "indirect_serial")
    assert 0 < row["ci_low"] < row["estimate"] < row["ci_high"]
    assert find(findings, "rho_cause_outcome_clear")["estimate"] > 0
    assert 0 < find(findings, "area_shock")["estimate"] < 0.5
    share = find(findings, "share_through_cause")
    through = find(findings, "indirect_through_cause")["estimate"]
    assert share["estimate"] == pytest.approx(through / find(findings, "total")["estimate"])


def test_equivalent_models_fit_alike_and_no_path_fits_worse(findings: pd.DataFrame) -> None:
    logs = {
        model: find(findings, "loglik", f"confidence/{model}")["estimate"]
        for model in ("forward", "reversed", "common_source", "forward_only", "direct_only")
    }
    assert logs["reversed"] == pytest.approx(logs["forward"])
    assert logs["common_source"] == pytest.approx(logs["forward"])
    assert logs["direct_only"] < logs["forward_only"] <= logs["forward"]
    chisq = find(findings, "chisq", "confidence/direct_only")
    assert chisq["df"] == 3
    assert chisq["p_value"] < 0.001


def test_a_seed_gives_the_same_numbers(findings: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(compare(make_answers()), findings)


def test_no_share_is_taken_of_no_change() -> None:
    found = compare(make_answers(a=0.0, n=30, seed=4))
    total, share = find(found, "total"), find(found, "share_through_cause")
    assert total["ci_low"] < 0 < total["ci_high"]
    assert math.isnan(share["estimate"])
    assert share["reason"] == Reason.NOT_APPLICABLE


def test_weights_of_nothing_leave_people_out() -> None:
    answers = make_answers()
    answers.loc[[3, 60, 300], "weight"] = [0.0, np.nan, np.inf]
    answers.loc[400, ["y0", "y1", "y2"]] = np.nan
    found = compare(answers)
    assert find(found, "total")["n"] == 476
    assert find(found, "total", "potency")["n"] == 477
    weighted = answers.drop([3, 60, 300]).assign(weight=lambda rows: 1 + rows.index % 3)
    row = find(compare(weighted.reset_index(drop=True)), "total")
    assert Flag.WEIGHTED in row["flags"]


def test_people_of_both_waves_are_drawn_with_both_answers() -> None:
    answers = make_answers(linked=True)
    own = np.random.default_rng(2).normal(size=60)
    for item in ("s0", "s1", "s2"):
        answers[item] = (answers[item] + np.tile(own, 8)).clip(1, 5)
    linked, apart = compare(answers), compare(answers.assign(person=""))
    rows = [find(found, "path_work_cause") for found in (linked, apart)]
    assert rows[0]["estimate"] == pytest.approx(rows[1]["estimate"])
    assert rows[0]["se"] < rows[1]["se"]
    assert Flag.LINKED in rows[0]["flags"]
    assert Flag.LINKED_AS_UNLINKED in find(linked, "aic", "confidence/forward")["flags"]


def test_without_a_control_site_it_is_before_and_after_and_says_so() -> None:
    found = compare(make_answers(), make_pilot((("north",), ("east",))))
    row = find(found, "path_work_cause")
    assert row["comparison"] == ""
    assert row["estimate"] > 0
    assert "no control site" in row["note"]


def test_a_pair_without_answers_is_left_out_and_named() -> None:
    answers = make_answers()
    gone = (answers["site"] == "west") & (answers["wave"] == "before")
    row = find(compare(answers[~gone].reset_index(drop=True)), "total")
    assert row["n"] == 240
    assert Flag.PAIRS_LEFT_OUT in row["flags"]
    assert "east" in row["note"]


def lose(answers: pd.DataFrame) -> pd.DataFrame:
    """Take the outcome away from 95 of 100 people."""
    answers.loc[answers.index % 20 > 0, ["y0", "y1"]] = np.nan
    return answers


def keep(count: int) -> Any:
    return lambda a: a.groupby(["site", "wave"]).head(count)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda a: a.assign(s0=3.0, s1=3.0, s2=3.0), Reason.NO_VARIATION),
        (lambda a: a.assign(y0=a["p0"], y1=a["p1"], y2=a["p2"]), Reason.NOT_ESTIMABLE),
        (keep(3), Reason.TOO_FEW_PEOPLE),
        (lambda a: a[a["wave"] == "after"], Reason.TOO_FEW_PEOPLE),
        (lambda a: a.assign(y0=np.nan, y1=np.nan, y2=np.nan), Reason.NO_ANSWERS),
        (lambda a: a.assign(weight=0.0), Reason.NO_ANSWERS),
        (lose, Reason.TOO_FEW_PEOPLE),
    ],
)
def test_what_cannot_be_computed_is_missing_with_its_reason(change: Any, reason: str) -> None:
    answers = change(make_answers()).reset_index(drop=True)
    found = compare(answers)
    rows = found[found["outcome"].str.startswith("confidence")]
    assert len(rows) > 40
    assert rows["estimate"].isna().all()
    assert (rows["note"] != "").all()
    assert set(rows["reason"]) == {str(reason)}


def test_names_of_missing_rows_are_those_of_numbers(findings: pd.DataFrame) -> None:
    empty = compare(make_answers(n=3))
    key = ["outcome", "estimator", "unit"]
    extra = findings["outcome"].eq("confidence/reversed") & findings["estimator"].str.startswith(
        "i"
    )
    assert empty[key].sort_values(key).to_numpy().tolist() == (
        findings.loc[~extra, key].sort_values(key).to_numpy().tolist()
    )


def test_an_item_may_be_an_outcome_turned_round_where_it_is_in_the_key() -> None:
    answers = make_answers()
    spec = INSTRUMENT.model_dump()
    spec["items"] |= {"safe": {"options": "agree"}, "fear": {"options": "agree", "reverse": True}}
    instrument = type(INSTRUMENT).model_validate(spec)
    answers = answers.assign(safe=answers["y0"], fear=6 - answers["y0"])
    scores = score_scales(answers, instrument)
    cohort = make_pilot(outcomes=["safe", "fear"])
    found = compare_mechanism(answers, scores, cohort, instrument)
    one, other = (find(found, "indirect", item)["estimate"] for item in ("safe", "fear"))
    assert one == pytest.approx(other)


def test_no_key_gives_no_findings() -> None:
    answers = make_answers(n=5)
    cohort = make_cohort(PAIRS)
    assert compare(answers, cohort).empty
    assert check_mechanism(cohort, INSTRUMENT) == []


@pytest.mark.parametrize(
    ("roles", "words"),
    [
        ({"outcomes": ["confidense"]}, "Did you mean 'confidence'?"),
        ({"cause": "socialcapital"}, "Did you mean 'social_capital'?"),
        ({"mediator": "p0"}, "there is no scale 'p0'"),
        ({"outcomes": ["p0"]}, "'p0' and 'potency' share 'p0'"),
    ],
)
def test_names_that_cannot_be_used_are_refused(roles: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as error:
        compare(make_answers(n=3), make_pilot(**roles))
    assert words in str(error.value)


@pytest.mark.parametrize(
    "roles", [{"mediator": "social_capital"}, {"outcomes": ["potency"]}, {"outcomes": []}]
)
def test_one_measure_in_two_places_is_refused(roles: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"stands in two places|at least 1 item"):
        make_pilot(**roles)


def make_latent() -> LatentData:
    """Make the data of tests/reference/mechanism.R."""
    i = np.arange(240)
    site, after = i % 4, (i // 4) % 2
    work = (after * (site % 2 == 0)).astype(float)

    def wobble(a: int, b: int, m: int) -> Any:
        return ((a * i**2 + b * i) % m) / m - 0.5

    cause = 3 + 0.4 * work + 0.2 * after + 2 * wobble(3, 5, 31)
    mediator = 3 + 0.5 * (cause - 3) + 0.1 * work + 2 * wobble(4, 7, 37)
    outcome = 3 + 0.4 * (mediator - 3) + 0.2 * (cause - 3) + 0.1 * work + 2 * wobble(2, 9, 41)
    items = [
        {f"c{k}": (0.7 + 0.1 * k) * cause + wobble(5, 3 + k, 43) for k in (1, 2, 3)},
        {f"m{k}": (0.6 + 0.1 * k) * mediator + wobble(7, 2 + k, 47) for k in (1, 2, 3)},
        {"outcome": outcome},
    ]
    dummies = np.column_stack([site == s for s in (1, 2, 3)] + [after]).astype(float)
    return LatentData(tuple(items), work, dummies, i, 2 * site + after)


LATENT = {
    "forward": ((0,), (0, 1), (0, 1, 2)),
    "reversed": ((0, 2), (0,), (0, 1, 2)),
    "forward_only": ((0,), (1,), (2,)),
    "reversed_only": ((2,), (0,), (1,)),
    "direct_only": ((0,), (0,), (0,)),
}


@pytest.mark.parametrize("model", LATENT)
def test_fits_between_factors_agree_with_lavaan(model: str) -> None:
    fit, problem = fit_latent(make_latent(), LATENT[model])
    expected = read_reference("mechanism")["latent"][model]
    assert problem == ""
    found = {name: fit.fit[name.replace("logl", "loglik")] for name in FIT}
    assert found == pytest.approx({name: expected[name] for name in FIT}, rel=1e-4, abs=1e-3)


def test_paths_between_factors_agree_with_lavaan() -> None:
    data = make_latent()
    fit, _ = fit_latent(data, LATENT["forward"])
    chain = chain_latent(data, fit, draws=200, seed=1)
    b = chain.coefficients[:, :, 0]
    expected = read_reference("mechanism")["latent"]["forward"]
    found = {
        "path_work_cause": b[1, 0],
        "path_cause_mediator": b[2, 1],
        "path_mediator_outcome": b[3, 2],
        "total": b[3, 0] + b[1, 0] * b[3, 1] + (b[2, 0] + b[1, 0] * b[2, 1]) * b[3, 2],
    }
    assert found == pytest.approx({name: expected[name] for name in found}, abs=1e-4)
    assert np.isfinite(chain.coefficients).all()
    assert chain.coefficients[2, 1, 1:].mean() == pytest.approx(b[2, 1], abs=0.05)


def test_a_factor_that_cannot_be_fitted_says_why() -> None:
    """Two items that are one and the same leave no factor to estimate."""
    answers = make_answers()
    answers["p1"] = answers["p0"]
    row = find(compare(answers), "indirect_serial", "confidence/latent")
    assert math.isnan(row["estimate"])
    assert row["reason"] == Reason.NOT_ESTIMABLE
    assert find(compare(answers), "indirect_serial")["estimate"] > 0
