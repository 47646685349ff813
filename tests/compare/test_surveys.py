import math

import numpy as np
import pandas as pd
import pytest
from causal_words import find_forbidden_words

from sbwork.compare.surveys import compare_scales
from sbwork.specs.cohort import Cohort
from sbwork.specs.instrument import Instrument
from sbwork.stats import Flag, Reason
from sbwork.stats.cells import summarise_cell
from sbwork.stats.findings import RESULT_COLUMNS, has_flag
from sbwork.stats.means import estimate_contrast
from sbwork.stats.multiplicity import adjust_benjamini_hochberg, adjust_holm

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
    "tau_star_equivalence",
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
    assert (findings.loc[missing, "reason"] != "").all()
    assert (findings.loc[~missing, "reason"] == "").all()


def test_means_and_spreads_are_those_of_pandas(scores, findings):
    grouped = scores.groupby(["site", "wave"])["vision"]
    for (site, wave), rows in grouped:
        where = {"outcome": "vision", "site": site, "period": wave}
        assert pick(findings, estimator="n", **where)["estimate"] == len(rows)
        assert pick(findings, estimator="mean", **where)["estimate"] == pytest.approx(rows.mean())
        assert pick(findings, estimator="sd", **where)["estimate"] == pytest.approx(rows.std())


@pytest.mark.parametrize(
    ("site", "members", "tests"),
    [
        ("intervention", ["a1", "a2"], {"mean_difference_people": False}),
        ("control", ["c1", "c2"], {"mean_difference_people": False}),
        ("a1", ["a1"], {"mean_difference": False, "mean_difference_student": True}),
    ],
)
def test_t_tests_over_people_are_scipys(scores, findings, site, members, tests):
    from scipy import stats

    rows = scores[scores["site"].isin(members)]
    before, after = (rows.loc[rows["wave"] == wave, "trust"] for wave in ("before", "after"))
    for estimator, equal in tests.items():
        found = pick(findings, outcome="trust", site=site, estimator=estimator)
        wanted = stats.ttest_ind(after, before, equal_var=equal)
        assert (found["statistic"], found["df"], found["p_value"]) == pytest.approx(
            (wanted.statistic, wanted.df, wanted.pvalue), rel=EXACT
        )


def make_shifted(means=(3.0, 3.6), sizes=((210, 60), (60, 210)), weights=None):
    """Two areas and their controls, none of which changes, and a mix of people that does."""
    frames = []
    for wave, numbers in zip(("before", "after"), sizes, strict=True):
        for pair, (mean, n) in enumerate(zip(means, numbers, strict=True), start=1):
            for side in "ac":
                values = mean + np.tile([-1.0, 1.0], n // 2)
                frames.append(
                    pd.DataFrame({"wave": wave, "site": f"{side}{pair}", "trust": values})
                )
    scores = pd.concat(frames, ignore_index=True)
    given = 1.0 if weights is None else weights(scores)
    return scores.assign(person="", weight=given, vision=3.0, sharing=3.0, voice=3.0)


@pytest.mark.parametrize(
    "weights", [None, lambda scores: 0.5 + (np.arange(len(scores)) // 2 % 2)], ids=["plain", "w"]
)
@pytest.mark.parametrize("group", ["intervention", "control"])
def test_no_group_rises_where_no_area_does(group, weights):
    found = compare_scales(make_shifted(weights=weights), make_cohort(), INSTRUMENT)
    where = {"outcome": "trust", "site": group}
    for estimator in ("mean_difference", "mean_difference_student", "hedges_g"):
        row = pick(found, estimator=estimator, **where)
        assert row["estimate"] == pytest.approx(0, abs=1e-9)
        assert row["ci_low"] < 0 < row["ci_high"]
    people = pick(found, estimator="mean_difference_people", **where)
    assert math.isnan(people["estimate"])
    assert people["reason"] == Reason.SITE_MIX
    assert has_flag(people, Flag.DESCRIPTION)
    for wave in ("before", "after"):
        assert pick(found, estimator="mean", period=wave, **where)["estimate"] == pytest.approx(3.3)


def test_a_mix_that_stays_leaves_the_t_test_over_people():
    sizes = ((200, 70), (204, 70))
    found = compare_scales(make_shifted(sizes=sizes), make_cohort(), INSTRUMENT)
    people = pick(found, outcome="trust", site="intervention", estimator="mean_difference_people")
    assert people["estimate"] == pytest.approx(0, abs=0.01)
    assert has_flag(people, Flag.DESCRIPTION)
    assert people["reason"] == ""


def assert_adds_up(found, pairs=("a1", "a2")):
    """The group's rise is that of its waves; the difference in differences, of its groups."""
    groups = {}
    for group in ("intervention", "control"):
        where = {"outcome": "trust", "site": group}
        rise = pick(found, estimator="mean_difference", **where)
        means = [
            pick(found, estimator="mean", period=wave, **where)["estimate"]
            for wave in ("before", "after")
        ]
        assert rise["estimate"] == pytest.approx(means[1] - means[0], abs=1e-12)
        groups[group] = rise["estimate"]
        student = pick(found, estimator="mean_difference_student", **where)
        assert student["estimate"] == pytest.approx(rise["estimate"], abs=1e-12)
    pooled = pick(found, outcome="trust", site="all", estimator=DID[0])
    assert pooled["estimate"] == pytest.approx(groups["intervention"] - groups["control"])
    own = [
        pick(found, outcome="trust", site=site, estimator="mean_difference")["estimate"]
        for site in pairs
    ]
    assert groups["intervention"] == pytest.approx(np.mean(own), abs=1e-12)


@pytest.mark.parametrize("pairs", [(("a1", "c1"), ("a2", "c2")), (("a1", "c1"), ("a2", "c1"))])
def test_groups_and_pairs_add_up(scores, pairs):
    random = np.random.default_rng(1)
    uneven = scores[random.random(len(scores)) < scores["site"].eq("a1") * 0.4 + 0.5]
    weights = random.uniform(0.5, 2, len(uneven))
    for some in (uneven, uneven.assign(weight=weights)):
        assert_adds_up(compare_scales(some, make_cohort(pairs), INSTRUMENT))


def test_group_figures_are_the_means_of_the_sites(scores, findings):
    where = {"outcome": "trust", "site": "intervention", "period": "before"}
    cells = [cell(scores, [site], "before") for site in ("a1", "a2")]
    mean, spread = (pick(findings, estimator=e, **where) for e in ("mean", "sd"))
    assert mean["se"] == pytest.approx(math.sqrt(sum(c.mean_variance for c in cells)) / 2)
    assert spread["estimate"] == pytest.approx(np.mean([math.sqrt(c.variance) for c in cells]))
    assert mean["n"] == 60
    assert math.isnan(mean["p_value"])


def test_difference_in_differences_is_that_of_the_cells(scores, findings):
    cells = [cell(scores, [s], w) for s in ("a1", "c1") for w in ("before", "after")]
    wanted = estimate_contrast(cells, (-1, 1, 1, -1), estimator=DID[0])
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


FLAT, LARGE, FEW = (
    {"n": 3000, "rise": 0.0},
    {"n": 300, "rise": 1.0},
    {"n": 5, "rise": 0.0},
)


@pytest.mark.parametrize(
    ("design", "verdict", "words"),
    [
        (FLAT, Flag.NO_MEANINGFUL_EFFECT, "Verdict: no meaningful effect, among these people."),
        (LARGE, Flag.EFFECT, "Verdict: effect, among these people."),
        (FEW, Flag.INCONCLUSIVE, "Verdict: inconclusive."),
    ],
)
def test_the_verdict_is_a_flag_and_speaks_of_these_people(design, verdict, words):
    found = compare_scales(make_scores(**design), make_cohort(), INSTRUMENT)
    row = pick(found, outcome="trust", site="all", estimator="tost")
    assert has_flag(row, verdict)
    assert row["note"].startswith(words)
    hiding = pick(found, outcome="trust", site="all", estimator="tau_star_equivalence")
    if verdict is Flag.NO_MEANINGFUL_EFFECT:
        did = pick(found, outcome="trust", site="all", estimator=DID[0])
        spread = did["estimate"] / row["estimate"]
        room = (0.2 * spread - abs(did["estimate"])) / 1.645
        wanted = math.sqrt((room**2 - did["se"] ** 2) / 2)
        assert hiding["estimate"] == pytest.approx(wanted, rel=1e-6)
    else:
        assert math.isnan(hiding["estimate"])
        assert hiding["reason"] == Reason.NOT_APPLICABLE


def test_an_effect_is_one_only_after_adjusting():
    scores = make_scores(n=60, rise=0.0, seed=4)
    rises = {"trust": 0.39, "vision": 0.0}
    for scale, rise in rises.items():
        scores[scale] -= scores.groupby(["site", "wave"])[scale].transform("mean")
        scores[scale] += rise * ((scores["wave"] == "after") & scores["site"].str.startswith("a"))
    found = compare_scales(scores, make_cohort(), INSTRUMENT)
    did = pick(found, outcome="trust", site="all", estimator=DID[0])
    assert did["p_value"] < 0.05 < did["p_adjusted"]
    assert has_flag(pick(found, outcome="trust", site="all", estimator="tost"), Flag.INCONCLUSIVE)


def test_a_bound_is_called_set_beforehand_only_where_it_was():
    scores = make_scores(**FLAT)
    for others, words, default in (
        ({}, "a bound of 0.2 SD, this tool's default", True),
        ({"smallest_meaningful_g": 0.2}, "the bound of 0.2 SD set beforehand", False),
    ):
        row = pick(
            compare_scales(scores, make_cohort(**others), INSTRUMENT),
            outcome="trust",
            site="all",
            estimator="tost",
        )
        assert words in row["note"]
        assert has_flag(row, Flag.DEFAULT_BOUND) == default


def test_a_stated_shock_gets_a_version_of_its_own():
    scores = make_scores(n=3000, rise=0.06)
    plain = compare_scales(scores, make_cohort(), INSTRUMENT)
    assert not plain["estimator"].str.endswith("_with_shock").any()
    found = compare_scales(scores, make_cohort(area_shock_sd=0.1), INSTRUMENT)
    where = {"outcome": "trust", "site": "all"}
    did, wide = (pick(found, estimator=f"{DID[0]}{end}", **where) for end in ("", "_with_shock"))
    tost, within = (pick(found, estimator=f"tost{end}", **where) for end in ("", "_with_shock"))
    spread = did["estimate"] / tost["estimate"]
    assert wide["estimate"] == did["estimate"]
    assert wide["se"] ** 2 == pytest.approx(did["se"] ** 2 + 4 / 2 * (0.1 * spread) ** 2)
    assert within["se"] == pytest.approx(wide["se"] / spread)
    assert has_flag(tost, Flag.NO_MEANINGFUL_EFFECT)
    assert has_flag(within, Flag.INCONCLUSIVE)
    none = compare_scales(scores, make_cohort(area_shock_sd=0.0), INSTRUMENT)
    same = pick(none, estimator=f"{DID[0]}_with_shock", **where)
    assert same["se"] == pytest.approx(did["se"])
    note = pick(none, estimator="tost_with_shock", **where)["note"]
    assert "allowing for chance shocks of 0 SD" in note


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
    waves = [cell(weighted, ["a1"], w, weighted=True) for w in ("before", "after")]
    wanted = estimate_contrast(waves, (-1, 1), estimator="mean_difference")
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
    assert "Left out for want of answers: Area a1." in pooled["note"]
    assert has_flag(pooled, Flag.PAIRS_LEFT_OUT)
    for group, site in (("intervention", "a2"), ("control", "c2")):
        rise = pick(found, outcome="trust", site=group, estimator="mean_difference")
        own = pick(found, outcome="trust", site=site, estimator="mean_difference")
        assert rise["estimate"] == pytest.approx(own["estimate"])
        assert has_flag(rise, Flag.PAIRS_LEFT_OUT)
        mean = pick(found, outcome="trust", site=group, period="before", estimator="mean")
        assert mean["n"] == 30
    assert_adds_up(found, pairs=("a2",))

    baseline = compare_scales(scores[scores["wave"] == "before"], make_cohort(), INSTRUMENT)
    mean = pick(baseline, outcome="trust", site="control", period="before", estimator="mean")
    assert mean["n"] == 60
    rise = pick(baseline, outcome="trust", site="control", estimator="mean_difference")
    assert rise["reason"] == Reason.PAIR_MISSING

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
    assert has_flag(did, Flag.PARTLY_LINKED)


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
