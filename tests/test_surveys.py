import math

import numpy as np
import pandas as pd
import pytest

from sbwork.cohort import Cohort
from sbwork.estimates.cells import summarise_cell
from sbwork.estimates.means import (
    estimate_difference_in_differences,
    estimate_mean_difference,
)
from sbwork.estimates.multiplicity import adjust_benjamini_hochberg, adjust_holm
from sbwork.evidence import find_forbidden_words
from sbwork.instrument import Instrument
from sbwork.results import RESULT_COLUMNS
from sbwork.surveys import compare_scales

EXACT = 1e-9

OPTIONS = [{"code": code} for code in range(1, 6)]
SCALES = ("trust", "vision", "sharing", "voice")
INSTRUMENT = Instrument.model_validate(
    {
        "name": "short",
        "items": {f"{scale}_1": {"options": OPTIONS} for scale in SCALES},
        "scales": {scale: {"items": [f"{scale}_1"]} for scale in SCALES},
    }
)
DID = (
    "difference_in_differences",
    "did_hedges_g",
    "tost",
    "tau_star",
    "smallest_detectable_difference",
)


def make_cohort(pairs=(("a1", "c1"), ("a2", "c2")), **others):
    return Cohort.model_validate(
        {
            "name": "pilot",
            "sites": {site: {"title": f"Area {site}"} for site in ("a1", "a2", "c1", "c2")},
            "pairs": [{"intervention": a, "control": c} for a, c in pairs],
            "confirmatory": ["trust", "vision"],
            **others,
        }
    )


def make_scores(n=30, seed=3, sites=("a1", "a2", "c1", "c2"), rise=0.5):
    random = np.random.default_rng(seed)
    frames = []
    for wave in ("before", "after"):
        for site in sites:
            shift = rise if wave == "after" and site.startswith("a") else 0
            answers = {scale: random.normal(3 + shift, 1, n) for scale in SCALES}
            frames.append(pd.DataFrame({"wave": wave, "site": site, **answers}))
    return pd.concat(frames, ignore_index=True).assign(person="", weight=1.0)


def pick(findings, **where):
    chosen = findings
    for column, value in where.items():
        chosen = chosen[chosen[column] == value]
    assert len(chosen) == 1, f"{len(chosen)} rows for {where}"
    return chosen.iloc[0]


def cell(scores, sites, wave, scale="trust", weighted=False):
    rows = scores[scores["site"].isin(sites) & (scores["wave"] == wave)]
    return summarise_cell(rows[scale], rows["weight"] if weighted else None)


@pytest.fixture(scope="module")
def scores():
    return make_scores()


@pytest.fixture(scope="module")
def findings(scores):
    return compare_scales(scores, make_cohort(), INSTRUMENT)


def test_one_row_a_number_in_the_shape_of_all_results(findings):
    assert tuple(findings.columns) == RESULT_COLUMNS
    assert set(findings["section"]) == {"scales"}
    keys = ["outcome", "site", "comparison", "period", "estimator"]
    assert not findings.duplicated(keys).any()
    missing = findings["estimate"].isna()
    assert (findings.loc[missing, "note"] != "").all()


def test_means_and_spreads_are_those_of_pandas(scores, findings):
    grouped = scores.groupby(["site", "wave"])["vision"]
    for (site, wave), rows in grouped:
        where = {"outcome": "vision", "site": site, "period": wave}
        assert pick(findings, estimator="n", **where)["estimate"] == len(rows)
        assert pick(findings, estimator="mean", **where)["estimate"] == pytest.approx(rows.mean())
        assert pick(findings, estimator="sd", **where)["estimate"] == pytest.approx(rows.std())


@pytest.mark.parametrize(
    ("site", "members"), [("intervention", ["a1", "a2"]), ("control", ["c1", "c2"]), ("a1", ["a1"])]
)
def test_both_t_tests_are_scipys(scores, findings, site, members):
    from scipy import stats

    rows = scores[scores["site"].isin(members)]
    before, after = (rows.loc[rows["wave"] == wave, "trust"] for wave in ("before", "after"))
    for estimator, equal in (("mean_difference", False), ("mean_difference_student", True)):
        found = pick(findings, outcome="trust", site=site, estimator=estimator)
        wanted = stats.ttest_ind(after, before, equal_var=equal)
        assert (found["statistic"], found["df"], found["p_value"]) == pytest.approx(
            (wanted.statistic, wanted.df, wanted.pvalue), rel=EXACT
        )


def test_difference_in_differences_is_that_of_the_cells(scores, findings):
    cells = [cell(scores, [s], w) for s in ("a1", "c1") for w in ("before", "after")]
    wanted = estimate_difference_in_differences(*cells)
    found = pick(findings, outcome="trust", site="a1", comparison="c1", estimator=DID[0])
    assert (found["estimate"], found["p_value"]) == pytest.approx(
        (wanted.estimate, wanted.p_value), rel=EXACT
    )


def test_the_pooled_figure_gives_every_pair_the_same_say(scores):
    cohort = make_cohort()
    uneven = scores.drop(scores.index[(scores["site"] == "a1") & (scores.index % 2 == 0)])
    found = compare_scales(uneven, cohort, INSTRUMENT)
    rows = found[(found["outcome"] == "trust") & (found["estimator"] == DID[0])].set_index("site")
    assert rows.loc["all", "estimate"] == pytest.approx(
        rows.loc[["a1", "a2"], "estimate"].mean(), rel=EXACT
    )
    pooled_se = math.hypot(*rows.loc[["a1", "a2"], "se"]) / 2
    assert rows.loc["all", "se"] == pytest.approx(pooled_se, rel=EXACT)


def test_a_shared_control_counts_for_both_pairs(scores):
    cohort = make_cohort(pairs=(("a1", "c1"), ("a2", "c1")))
    found = compare_scales(scores, cohort, INSTRUMENT)
    pooled = pick(found, outcome="trust", site="all", estimator=DID[0])
    changes = {
        s: cell(scores, [s], "after").mean - cell(scores, [s], "before").mean
        for s in ("a1", "a2", "c1")
    }
    assert pooled["estimate"] == pytest.approx((changes["a1"] + changes["a2"]) / 2 - changes["c1"])
    variance = sum(
        weight**2 * cell(scores, [s], wave).mean_variance
        for s, weight in (("a1", 0.5), ("a2", 0.5), ("c1", 1.0))
        for wave in ("before", "after")
    )
    assert pooled["se"] ** 2 == pytest.approx(variance)
    assert pick(found, outcome="trust", site="control", period="before", estimator="n")["n"] == 30


def test_tau_star_of_pairs_and_pooled():
    scores = make_scores(n=200, rise=1.5)
    found = compare_scales(scores, make_cohort(), INSTRUMENT)
    for site, pairs in (("a1", 1), ("all", 2)):
        did = pick(found, outcome="trust", site=site, estimator=DID[0])
        tau = pick(found, outcome="trust", site=site, estimator="tau_star")["estimate"]
        assert did["estimate"] / math.sqrt(did["se"] ** 2 + 4 / pairs * tau**2) == pytest.approx(
            1.96
        )


def test_verdicts_are_told_in_the_note():
    flat = make_scores(n=3000, rise=0.0)
    large = make_scores(n=300, rise=1.0)
    few = make_scores(n=5, rise=0.0)
    for scores, verdict in (
        (flat, "no meaningful effect"),
        (large, "effect"),
        (few, "inconclusive"),
    ):
        found = compare_scales(scores, make_cohort(), INSTRUMENT)
        note = pick(found, outcome="trust", site="all", estimator="tost")["note"]
        assert note.startswith(f"Verdict: {verdict}.")


def test_p_values_are_adjusted_in_the_families_that_were_declared(findings):
    did = findings[(findings["estimator"] == DID[0]) & (findings["site"] == "all")]
    declared = did["outcome"].isin(["trust", "vision"])
    for rows, adjust in ((did[declared], adjust_holm), (did[~declared], adjust_benjamini_hochberg)):
        assert len(rows) == 2
        assert rows["p_adjusted"].to_numpy() == pytest.approx(adjust(rows["p_value"].to_numpy()))
    deck = findings[
        (findings["estimator"] == "mean_difference") & (findings["site"] == "intervention")
    ]
    assert deck["p_adjusted"].to_numpy() == pytest.approx(
        adjust_benjamini_hochberg(deck["p_value"].to_numpy())
    )
    pairs = findings[
        (findings["estimator"] == DID[0])
        & findings["site"].isin(["a1", "a2"])
        & findings["outcome"].isin(["trust", "vision"])
    ]
    assert pairs["p_adjusted"].to_numpy() == pytest.approx(adjust_holm(pairs["p_value"].to_numpy()))


def test_with_one_pair_the_pooled_figure_is_the_pairs(scores):
    found = compare_scales(scores, make_cohort(pairs=(("a1", "c1"),)), INSTRUMENT)
    for estimator in DID:
        one = pick(found, outcome="trust", site="a1", comparison="c1", estimator=estimator)
        all_pairs = pick(found, outcome="trust", site="all", estimator=estimator)
        columns = ["estimate", "ci_low", "p_value", "p_adjusted", "n"]
        np.testing.assert_array_equal(
            one[columns].to_numpy(float), all_pairs[columns].to_numpy(float)
        )


def test_weights_are_used_and_n_stays_that_of_people(scores):
    weights = 0.5 + (np.arange(len(scores)) % 7) / 5
    weighted = scores.assign(weight=weights)
    found = compare_scales(weighted, make_cohort(), INSTRUMENT)
    mean = pick(found, outcome="trust", site="a1", period="before", estimator="mean")
    assert mean["estimate"] == pytest.approx(cell(weighted, ["a1"], "before", weighted=True).mean)
    assert mean["estimate"] != pytest.approx(cell(scores, ["a1"], "before").mean)
    assert mean["n"] == 30
    assert "before weighting" in mean["note"]
    welch = pick(found, outcome="trust", site="a1", estimator="mean_difference")
    wanted = estimate_mean_difference(
        *(cell(weighted, ["a1"], w, weighted=True) for w in ("before", "after"))
    )
    assert welch["p_value"] == wanted.p_value


def test_missing_scores_are_left_out_scale_by_scale(scores):
    gappy = scores.copy()
    gappy.loc[gappy.index[:4], "trust"] = np.nan
    found = compare_scales(gappy, make_cohort(), INSTRUMENT)
    for scale, n in (("trust", 26), ("vision", 30)):
        assert pick(found, outcome=scale, site="a1", period="before", estimator="n")["n"] == n


def test_a_missing_wave_or_site_is_named(scores):
    one_wave = scores[~((scores["site"] == "c1") & (scores["wave"] == "after"))]
    found = compare_scales(one_wave, make_cohort(), INSTRUMENT)
    did = pick(found, outcome="trust", site="a1", comparison="c1", estimator=DID[0])
    assert math.isnan(did["estimate"])
    assert did["note"] == "Nobody in Area c1 has a score in the wave after."
    welch = pick(found, outcome="trust", site="c1", estimator="mean_difference")
    assert math.isnan(welch["estimate"])
    pooled = pick(found, outcome="trust", site="all", estimator=DID[0])
    other = pick(found, outcome="trust", site="a2", comparison="c2", estimator=DID[0])
    assert pooled["estimate"] == pytest.approx(other["estimate"])
    assert "Area a1" in pooled["note"]

    no_control = compare_scales(scores[scores["site"] == "a1"], make_cohort(), INSTRUMENT)
    pooled = pick(no_control, outcome="trust", site="all", estimator=DID[0])
    assert math.isnan(pooled["estimate"])
    assert pooled["note"]


def test_without_a_control_there_are_site_rows_and_a_reason(scores):
    cohort = make_cohort(pairs=(("a1", None),))
    found = compare_scales(scores[scores["site"] == "a1"], cohort, INSTRUMENT)
    assert set(found.loc[found["estimate"].notna(), "site"]) == {"a1", "intervention"}
    did = pick(found, outcome="trust", site="all", estimator=DID[0])
    assert math.isnan(did["estimate"])
    assert "no control site" in did["note"]


def test_no_scores_give_no_findings(scores):
    assert len(compare_scales(scores.iloc[:0], make_cohort(), INSTRUMENT)) == 0
    assert len(compare_scales(scores.drop(columns=list(SCALES)), make_cohort(), INSTRUMENT)) == 0


@pytest.fixture(scope="module")
def panel():
    scores = make_scores(n=40, seed=8)
    position = scores.groupby(["wave", "site"]).cumcount()
    scores["person"] = scores["site"] + "-" + position.astype("str")
    gone = (scores["wave"] == "after") & (
        ((scores["site"] == "a1") & (position < 12)) | ((scores["site"] == "c1") & (position < 4))
    )
    return scores[~gone].reset_index(drop=True)


def test_linked_people_get_ancova_as_statsmodels_has_it(panel):
    import statsmodels.api as sm

    found = compare_scales(panel, make_cohort(), INSTRUMENT)
    row = pick(found, outcome="trust", site="a1", comparison="c1", estimator="ancova")
    wide = panel.pivot_table(index=["site", "person"], columns="wave", values="trust")
    wide = wide.dropna().loc[["a1", "c1"]]
    treated = (wide.index.get_level_values("site") == "a1").astype(float)
    design = np.column_stack([np.ones(len(wide)), wide["before"], treated])
    fit = sm.OLS(wide["after"].to_numpy(), design).fit(cov_type="HC2")
    assert (row["estimate"], row["se"]) == pytest.approx((fit.params[2], fit.bse[2]), rel=EXACT)
    assert row["n"] == 28 + 36
    did = pick(found, outcome="trust", site="a1", comparison="c1", estimator=DID[0])
    assert "answered both waves" in did["note"]


def test_attrition_is_told_by_arm(panel):
    found = compare_scales(panel, make_cohort(), INSTRUMENT)
    shares = {
        site: pick(found, site=site, estimator="attrition_share")["estimate"]
        for site in ("a1", "c1", "intervention", "control")
    }
    assert shares == pytest.approx(
        {"a1": 12 / 40, "c1": 4 / 40, "intervention": 12 / 80, "control": 4 / 80}
    )
    difference = pick(found, site="a1", comparison="c1", estimator="attrition_difference")
    assert difference["estimate"] == pytest.approx(8 / 40)


def test_a_person_twice_in_one_wave_is_linked_to_nobody(panel):
    cohort = make_cohort()
    first = panel[(panel["person"] == "a1-39") & (panel["wave"] == "before")]
    twice = pd.concat([panel, first], ignore_index=True)
    rows = [
        pick(compare_scales(s, cohort, INSTRUMENT), outcome="trust", site="a1", estimator="ancova")
        for s in (panel, twice)
    ]
    assert rows[1]["n"] == rows[0]["n"] - 1


def test_unlinked_waves_have_no_ancova(findings):
    assert not findings["estimator"].isin(["ancova", "attrition_share"]).any()


def test_scores_are_left_unchanged(scores):
    kept = scores.copy(deep=True)
    compare_scales(scores, make_cohort(), INSTRUMENT)
    pd.testing.assert_frame_equal(scores, kept)


def test_notes_claim_no_cause(findings, panel):
    notes = [*findings["note"], *compare_scales(panel, make_cohort(), INSTRUMENT)["note"]]
    assert any(notes)
    assert find_forbidden_words(" ".join(notes), level=1) == []
