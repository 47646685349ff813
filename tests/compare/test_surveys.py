"""Scales compared between waves and sites, against pandas, scipy and statsmodels."""

from __future__ import annotations

import math

import made_by_hand
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from causal_words import find_forbidden_words
from made_by_hand import make_instrument
from scipy import stats

from sbwork.compare.surveys import compare_scales
from sbwork.stats import Flag, Reason
from sbwork.stats.cells import summarise_cell
from sbwork.stats.findings import RESULT_COLUMNS, has_flag
from sbwork.stats.means import estimate_contrast
from sbwork.stats.multiplicity import adjust_benjamini_hochberg, adjust_holm

EXACT = 1e-9
SCALES = ("trust", "vision", "sharing", "voice")
INSTRUMENT = make_instrument({scale: [f"{scale}_1"] for scale in SCALES})
SITES, WAVES = ("a1", "a2", "c1", "c2"), ("before", "after")
PAIRS = (("a1", "c1"), ("a2", "c2"))
SHARED = (("a1", "c1"), ("a2", "c1"))
DID, RISE, SHOCKED = "difference_in_differences", "mean_difference", "_with_shock"
UNCLUSTERED = f"{DID}_unclustered"
OF_PAIRS = (
    DID,
    "did_hedges_g",
    "tost",
    "tau_star",
    "tau_star_equivalence",
    "smallest_detectable_difference",
)


def compare(scores, pairs=PAIRS, **others):
    titles = {site: f"Area {site}" for site in SITES}
    others = {"confirmatory": ["trust", "vision"], **others}
    cohort = made_by_hand.make_cohort(pairs, titles=titles, **others)
    return compare_scales(scores, cohort, INSTRUMENT)


def make_scores(n=30, seed=3, rise=0.5):
    random = np.random.default_rng(seed)
    frames = []
    for wave in WAVES:
        for site in SITES:
            shift = rise if wave == "after" and site.startswith("a") else 0
            answers = {scale: random.normal(3 + shift, 1, n) for scale in SCALES}
            frames.append(pd.DataFrame({"wave": wave, "site": site, **answers}))
    return pd.concat(frames, ignore_index=True).assign(person="", weight=1.0)


def pick(findings, estimator, site="all", outcome="trust", **where):
    return made_by_hand.pick(findings, estimator, site, outcome=outcome, **where)


def take(findings, estimator, site="all", **where):
    return pick(findings, estimator, site, **where)["estimate"]


def cell(scores, site, wave, weighted=False):
    rows = scores[(scores["site"] == site) & (scores["wave"] == wave)]
    return summarise_cell(rows["trust"], rows["weight"] if weighted else None)


@pytest.fixture(scope="module")
def scores():
    return make_scores()


@pytest.fixture(scope="module")
def findings(scores):
    return compare(scores)


def test_one_row_a_number_in_the_shape_of_all_results(scores, findings):
    assert tuple(findings.columns) == RESULT_COLUMNS
    assert set(findings["section"]) == {"scales"}
    keys = ["outcome", "site", "comparison", "period", "estimator"]
    assert not findings.duplicated(keys).any()
    missing = findings["estimate"].isna()
    assert (findings.loc[missing, "note"] != "").all()
    assert (missing == (findings["reason"] != "")).all()
    assert not findings["estimator"].isin(["ancova", "attrition_share"]).any()
    pd.testing.assert_frame_equal(scores, make_scores())
    assert len(compare(scores.iloc[:0])) == len(compare(scores.drop(columns=list(SCALES)))) == 0


def test_means_and_spreads_are_those_of_pandas(scores, findings):
    for (site, wave), rows in scores.groupby(["site", "wave"])["vision"]:
        where = {"site": site, "outcome": "vision", "period": wave}
        found = [take(findings, name, **where) for name in ("n", "mean", "sd")]
        assert found == pytest.approx([len(rows), rows.mean(), rows.std()])


@pytest.mark.parametrize(
    ("site", "members", "estimator", "equal"),
    [
        ("intervention", ["a1", "a2"], "mean_difference_people", False),
        ("control", ["c1", "c2"], "mean_difference_people", False),
        ("a1", ["a1"], RISE, False),
        ("a1", ["a1"], "mean_difference_student", True),
    ],
)
def test_t_tests_over_people_are_scipys(scores, findings, site, members, estimator, equal):
    rows = scores[scores["site"].isin(members)]
    before, after = (rows.loc[rows["wave"] == wave, "trust"] for wave in WAVES)
    found = pick(findings, estimator, site)
    wanted = stats.ttest_ind(after, before, equal_var=equal)
    assert (found["statistic"], found["df"], found["p_value"]) == pytest.approx(
        (wanted.statistic, wanted.df, wanted.pvalue), rel=EXACT
    )


def make_shifted(sizes=((210, 60), (60, 210)), weights=None):
    """Two areas and their controls, none of which changes, and a mix of people that does."""
    frames = [
        pd.DataFrame(
            {"wave": wave, "site": f"{side}{pair}", "trust": mean + np.tile([-1.0, 1.0], n // 2)}
        )
        for wave, numbers in zip(WAVES, sizes, strict=True)
        for pair, (mean, n) in enumerate(zip((3.0, 3.6), numbers, strict=True), start=1)
        for side in "ac"
    ]
    scores = pd.concat(frames, ignore_index=True)
    given = 1.0 if weights is None else weights(scores)
    return scores.assign(person="", weight=given, vision=3.0, sharing=3.0, voice=3.0)


@pytest.mark.parametrize(
    "weights", [None, lambda scores: 0.5 + (np.arange(len(scores)) // 2 % 2)], ids=["plain", "w"]
)
@pytest.mark.parametrize("group", ["intervention", "control"])
def test_no_group_rises_where_no_area_does(group, weights):
    found = compare(make_shifted(weights=weights))
    for estimator in (RISE, "mean_difference_student", "hedges_g"):
        row = pick(found, estimator, group)
        assert row["estimate"] == pytest.approx(0, abs=1e-9)
        assert row["ci_low"] < 0 < row["ci_high"]
    people = pick(found, "mean_difference_people", group)
    assert people["reason"] == Reason.SITE_MIX
    assert has_flag(people, Flag.DESCRIPTION)
    for wave in WAVES:
        assert take(found, "mean", group, period=wave) == pytest.approx(3.3)


def test_a_mix_that_stays_leaves_the_t_test_over_people():
    found = compare(make_shifted(((200, 70), (204, 70))))
    people = pick(found, "mean_difference_people", "intervention")
    assert people["estimate"] == pytest.approx(0, abs=0.01)
    assert has_flag(people, Flag.DESCRIPTION)
    assert people["reason"] == ""


def assert_adds_up(found, pairs=("a1", "a2")):
    """The group's rise is that of its waves; the difference in differences, of its groups."""
    groups = {}
    for group in ("intervention", "control"):
        groups[group] = take(found, RISE, group)
        before, after = (take(found, "mean", group, period=wave) for wave in WAVES)
        assert groups[group] == pytest.approx(after - before, abs=1e-12)
        student = take(found, "mean_difference_student", group)
        assert student == pytest.approx(groups[group], abs=1e-12)
    assert take(found, DID) == pytest.approx(groups["intervention"] - groups["control"])
    own = [take(found, RISE, site) for site in pairs]
    assert groups["intervention"] == pytest.approx(np.mean(own), abs=1e-12)


@pytest.mark.parametrize("pairs", [PAIRS, SHARED])
def test_groups_and_pairs_add_up(scores, pairs):
    random = np.random.default_rng(1)
    uneven = scores[random.random(len(scores)) < scores["site"].eq("a1") * 0.4 + 0.5]
    weights = random.uniform(0.5, 2, len(uneven))
    for some in (uneven, uneven.assign(weight=weights)):
        assert_adds_up(compare(some, pairs))


def test_group_figures_are_the_means_of_the_sites(scores, findings):
    cells = [cell(scores, site, "before") for site in ("a1", "a2")]
    mean, spread = (
        pick(findings, name, "intervention", period="before") for name in ("mean", "sd")
    )
    assert mean["se"] == pytest.approx(math.sqrt(sum(c.mean_variance for c in cells)) / 2)
    assert spread["estimate"] == pytest.approx(np.mean([math.sqrt(c.variance) for c in cells]))
    assert mean["n"] == 60
    assert math.isnan(mean["p_value"])


def test_difference_in_differences_is_that_of_the_cells(scores, findings):
    cells = [cell(scores, site, wave) for site in ("a1", "c1") for wave in WAVES]
    wanted = estimate_contrast(cells, (-1, 1, 1, -1), estimator=DID)
    found = pick(findings, DID, "a1", comparison="c1")
    seen = (found["estimate"], found["p_value"])
    assert seen == pytest.approx((wanted.estimate, wanted.p_value), rel=EXACT)


def test_the_pooled_figure_gives_every_pair_the_same_say(scores):
    uneven = scores.drop(scores.index[(scores["site"] == "a1") & (scores.index % 2 == 0)])
    found = compare(uneven)
    one, other, pooled = (pick(found, DID, site) for site in ("a1", "a2", "all"))
    mean = (one["estimate"] + other["estimate"]) / 2
    assert pooled["estimate"] == pytest.approx(mean, rel=EXACT)
    assert pooled["se"] == pytest.approx(math.hypot(one["se"], other["se"]) / 2, rel=EXACT)


def test_a_shared_control_counts_for_both_pairs(scores):
    found = compare(scores, SHARED)
    pooled, says = pick(found, DID), {"a1": 0.5, "a2": 0.5, "c1": -1.0}
    cells = {site: [cell(scores, site, wave) for wave in WAVES] for site in says}
    change = sum(say * (cells[s][1].mean - cells[s][0].mean) for s, say in says.items())
    variance = sum(say**2 * c.mean_variance for s, say in says.items() for c in cells[s])
    assert pooled["estimate"] == pytest.approx(change)
    assert pooled["se"] ** 2 == pytest.approx(variance)
    assert pick(found, "n", "control", period="before")["n"] == 30


def test_tau_star_of_pairs_and_pooled():
    found = compare(make_scores(n=200, rise=1.5))
    for site, pairs in (("a1", 1), ("all", 2)):
        did, tau = pick(found, DID, site), take(found, "tau_star", site)
        wide = math.sqrt(did["se"] ** 2 + 4 / pairs * tau**2)
        assert did["estimate"] / wide == pytest.approx(1.96)


FLAT = {"n": 3000, "rise": 0.0}


@pytest.mark.parametrize(
    ("design", "verdict", "words"),
    [
        (FLAT, Flag.NO_MEANINGFUL_EFFECT, "Verdict: no meaningful effect, among these people."),
        ({"n": 300, "rise": 1.0}, Flag.EFFECT, "Verdict: effect, among these people."),
        ({"n": 5, "rise": 0.0}, Flag.INCONCLUSIVE, "Verdict: inconclusive."),
    ],
)
def test_the_verdict_is_a_flag_and_speaks_of_these_people(design, verdict, words):
    found = compare(make_scores(**design))
    row, hiding, did = (pick(found, name) for name in ("tost", "tau_star_equivalence", DID))
    assert has_flag(row, verdict)
    assert row["note"].startswith(words)
    if verdict is Flag.NO_MEANINGFUL_EFFECT:
        spread = did["estimate"] / row["estimate"]
        room = (0.2 * spread - abs(did["estimate"])) / 1.645
        wanted = math.sqrt((room**2 - did["se"] ** 2) / 2)
        assert hiding["estimate"] == pytest.approx(wanted, rel=1e-6)
    else:
        assert hiding["reason"] == Reason.NOT_APPLICABLE


def test_an_effect_is_one_only_after_adjusting():
    scores = make_scores(n=60, rise=0.0, seed=4)
    for scale, rise in {"trust": 0.39, "vision": 0.0}.items():
        scores[scale] -= scores.groupby(["site", "wave"])[scale].transform("mean")
        scores[scale] += rise * ((scores["wave"] == "after") & scores["site"].str.startswith("a"))
    found = compare(scores)
    did = pick(found, DID)
    assert did["p_value"] < 0.05 < did["p_adjusted"]
    assert has_flag(pick(found, "tost"), Flag.INCONCLUSIVE)


@pytest.mark.parametrize(
    ("others", "words", "default"),
    [
        ({}, "a bound of 0.2 SD, this tool's default", True),
        ({"smallest_meaningful_g": 0.2}, "the bound of 0.2 SD set beforehand", False),
    ],
)
def test_a_bound_is_called_set_beforehand_only_where_it_was(others, words, default):
    row = pick(compare(make_scores(**FLAT), **others), "tost")
    assert words in row["note"]
    assert has_flag(row, Flag.DEFAULT_BOUND) == default


def test_a_stated_shock_gets_a_version_of_its_own():
    scores = make_scores(n=3000, rise=0.06)
    assert not compare(scores)["estimator"].str.endswith(SHOCKED).any()
    found = compare(scores, area_shock_sd=0.1)
    did, wide = (pick(found, f"{DID}{end}") for end in ("", SHOCKED))
    tost, within = (pick(found, f"tost{end}") for end in ("", SHOCKED))
    spread = did["estimate"] / tost["estimate"]
    assert wide["estimate"] == did["estimate"]
    assert wide["se"] ** 2 == pytest.approx(did["se"] ** 2 + 4 / 2 * (0.1 * spread) ** 2)
    assert within["se"] == pytest.approx(wide["se"] / spread)
    assert has_flag(tost, Flag.NO_MEANINGFUL_EFFECT)
    assert has_flag(within, Flag.INCONCLUSIVE)
    none = compare(scores, area_shock_sd=0.0)
    assert pick(none, f"{DID}{SHOCKED}")["se"] == pytest.approx(did["se"])
    note = pick(none, f"tost{SHOCKED}")["note"]
    assert "allowing for chance shocks of 0 SD" in note


def test_p_values_are_adjusted_in_the_families_that_were_declared(findings):
    declared, did = findings["outcome"].isin(["trust", "vision"]), findings["estimator"] == DID
    pooled, alone = findings["site"] == "all", findings["site"].isin(["a1", "a2"])
    deck = (findings["estimator"] == RISE) & (findings["site"] == "intervention")
    for family, n, adjust in (
        (did & pooled & declared, 2, adjust_holm),
        (did & pooled & ~declared, 2, adjust_benjamini_hochberg),
        (did & alone & declared, 4, adjust_holm),
        (deck, 4, adjust_benjamini_hochberg),
    ):
        rows = findings[family]
        assert len(rows) == n
        assert rows["p_adjusted"].to_numpy() == pytest.approx(adjust(rows["p_value"]))


def test_families_that_are_named_are_adjusted_each_by_itself(scores):
    """Each family has the p values that it has as the only one, whatever is tested beside it."""
    families = {"one": ["trust", "vision"], "two": ["sharing"]}
    found = compare(scores, confirmatory=families)
    for scales in [*families.values(), ["voice"]]:
        others = [scale for scale in SCALES if scale not in scales]
        declared = scales if scales != ["voice"] else []
        alone = compare(scores.drop(columns=others), confirmatory=declared)
        rows = found[found["outcome"].isin(scales)]
        for column in ("p_value", "p_adjusted"):
            assert rows[column].to_numpy() == pytest.approx(alone[column].to_numpy(), nan_ok=True)
        assert rows["flags"].tolist() == alone["flags"].tolist()


def test_with_one_pair_the_pooled_figure_is_the_pairs(scores):
    found = compare(scores, PAIRS[:1])
    columns = ["estimate", "ci_low", "p_value", "p_adjusted", "n"]
    for estimator in OF_PAIRS:
        one, pooled = (pick(found, estimator, site)[columns] for site in ("a1", "all"))
        np.testing.assert_array_equal(one.to_numpy(float), pooled.to_numpy(float))


def test_weights_are_used_and_n_stays_that_of_people(scores):
    weighted = scores.assign(weight=0.5 + (np.arange(len(scores)) % 7) / 5)
    found = compare(weighted)
    mean = pick(found, "mean", "a1", period="before")
    assert mean["estimate"] == pytest.approx(cell(weighted, "a1", "before", weighted=True).mean)
    assert mean["estimate"] != pytest.approx(cell(scores, "a1", "before").mean)
    assert mean["n"] == 30
    assert "before weighting" in mean["note"]
    waves = [cell(weighted, "a1", wave, weighted=True) for wave in WAVES]
    wanted = estimate_contrast(waves, (-1, 1), estimator=RISE)
    assert pick(found, RISE, "a1")["p_value"] == wanted.p_value


def test_missing_scores_are_left_out_scale_by_scale(scores):
    gappy = scores.assign(trust=scores["trust"].where(scores.index > 3))
    found = compare(gappy)
    for scale, n in (("trust", 26), ("vision", 30)):
        assert pick(found, "n", "a1", outcome=scale, period="before")["n"] == n


def test_a_missing_wave_of_a_site_is_named_and_its_pair_left_out(scores):
    found = compare(scores[~((scores["site"] == "c1") & (scores["wave"] == "after"))])
    did = pick(found, DID, "a1", comparison="c1")
    assert math.isnan(did["estimate"])
    assert did["note"] == "Nobody in Area c1 has a score in the wave after."
    assert math.isnan(take(found, RISE, "c1"))
    pooled = pick(found, DID)
    assert pooled["estimate"] == pytest.approx(take(found, DID, "a2"))
    assert "Left out for want of answers: Area a1." in pooled["note"]
    assert has_flag(pooled, Flag.PAIRS_LEFT_OUT)
    for group, site in (("intervention", "a2"), ("control", "c2")):
        rise = pick(found, RISE, group)
        assert rise["estimate"] == pytest.approx(take(found, RISE, site))
        assert has_flag(rise, Flag.PAIRS_LEFT_OUT)
        assert pick(found, "mean", group, period="before")["n"] == 30
    assert_adds_up(found, pairs=("a2",))


def test_one_wave_alone_and_sites_alone_have_a_reason(scores):
    baseline = compare(scores[scores["wave"] == "before"])
    assert pick(baseline, "mean", "control", period="before")["n"] == 60
    assert pick(baseline, RISE, "control")["reason"] == Reason.PAIR_MISSING
    alone = scores[scores["site"] == "a1"]
    assert pick(compare(alone), DID)["reason"] == Reason.PAIR_MISSING
    found = compare(alone, [("a1",)])
    assert set(found.loc[found["estimate"].notna(), "site"]) == {"a1", "intervention"}
    did = pick(found, DID)
    assert did["reason"] == Reason.NO_CONTROL
    assert "no control site" in did["note"]


@pytest.fixture(scope="module")
def panel():
    """People who answered both waves, but 12 of one site and 4 of its control."""
    scores = make_scores(n=40, seed=8)
    position = scores.groupby(["wave", "site"]).cumcount()
    scores["person"] = scores["site"] + "-" + position.astype("str")
    lost = position < scores["site"].map({"a1": 12, "c1": 4}).fillna(0)
    return scores[~(lost & (scores["wave"] == "after"))].reset_index(drop=True)


def test_linked_people_get_ancova_as_statsmodels_has_it(panel):
    found = compare(panel)
    row = pick(found, "ancova", "a1", comparison="c1")
    wide = panel.pivot_table(index=["site", "person"], columns="wave", values="trust")
    wide = wide.dropna().loc[["a1", "c1"]]
    treated = (wide.index.get_level_values("site") == "a1").astype(float)
    design = np.column_stack([np.ones(len(wide)), wide["before"], treated])
    fit = sm.OLS(wide["after"].to_numpy(), design).fit(cov_type="HC2")
    assert (row["estimate"], row["se"]) == pytest.approx((fit.params[2], fit.bse[2]), rel=EXACT)
    assert row["n"] == 28 + 36
    did = pick(found, DID, "a1", comparison="c1")
    assert "answered both waves" in did["note"]
    assert has_flag(did, Flag.PARTLY_LINKED)
    first = panel[(panel["person"] == "a1-39") & (panel["wave"] == "before")]
    twice = compare(pd.concat([panel, first], ignore_index=True))
    assert pick(twice, "ancova", "a1")["n"] == row["n"] - 1  # who is there twice is nobody's pair
    assert find_forbidden_words(" ".join(found["note"]), level=1) == []


def test_attrition_is_told_by_arm(panel):
    found = compare(panel)
    shares = {"a1": 12 / 40, "c1": 4 / 40, "intervention": 12 / 80, "control": 4 / 80}
    lost = {site: take(found, "attrition_share", site, outcome="questionnaire") for site in shares}
    assert lost == pytest.approx(shares)
    difference = take(found, "attrition_difference", "a1", outcome="questionnaire")
    assert difference == pytest.approx(8 / 40)


@pytest.fixture(scope="module")
def streets():
    """Return scores of people on eight streets a site, the same ones in both waves."""
    scores = make_scores(n=48)
    random = np.random.default_rng(8)
    street = scores["site"] + np.tile(np.repeat(np.arange(8), 6), 8).astype(str)
    own = dict(zip(street.unique(), random.normal(0, 1, 32), strict=True))
    wave = {key: random.normal(0, 0.5) for key in zip(street, scores["wave"], strict=True)}
    shared = [own[s] + wave[s, w] for s, w in zip(street, scores["wave"], strict=True)]
    moved = {scale: scores[scale] + shared for scale in SCALES}
    return scores.assign(**moved, cluster=street)


def test_streets_count_as_clusters_in_what_leads(streets):
    findings = compare(streets, area_shock_sd=0.1)
    row, alone = pick(findings, DID), pick(findings, UNCLUSTERED)
    rose = streets["site"].str.startswith("a") == (streets["wave"] == "after")
    cell = streets["site"] + streets["wave"]
    frame = streets.assign(cell=cell, sign=np.where(rose, 0.5, -0.5))
    fit = sm.OLS(frame["trust"], pd.get_dummies(frame["cell"], dtype=float)).fit(
        cov_type="cluster", cov_kwds={"groups": pd.factorize(frame["cluster"])[0]}
    )
    signs = frame.drop_duplicates("cell").set_index("cell")["sign"].loc[fit.params.index]
    assert row["estimate"] == pytest.approx(fit.params @ signs, abs=EXACT)
    # Eight streets of one size a site: CR2 is 8 / 7 where CR1 is 32 / 31 x 383 / 376.
    ratio = math.sqrt(8 / 7 / (32 / 31 * 383 / 376))
    assert row["se"] == pytest.approx(fit.t_test(signs.to_numpy()).sd.item() * ratio, rel=EXACT)
    assert row["df"] == pytest.approx(28, abs=0.5)
    assert alone["estimate"] == pytest.approx(row["estimate"], abs=EXACT)
    assert has_flag(row, Flag.LEADS)
    assert has_flag(row, Flag.CLUSTERED)
    assert not has_flag(alone, Flag.LEADS)
    assert not has_flag(alone, Flag.CLUSTERED)
    g, tost = pick(findings, "did_hedges_g"), pick(findings, "tost")
    assert (g["ci_low"] > 0) == (row["ci_low"] > 0)
    assert g["ci_low"] / g["estimate"] == pytest.approx(row["ci_low"] / row["estimate"])
    assert tost["df"] == row["df"]
    smallest = take(findings, "smallest_detectable_difference")
    assert smallest == pytest.approx((1.959964 + 0.8416212) * tost["se"], rel=1e-6)
    assert pick(findings, f"{DID}{SHOCKED}")["se"] > row["se"]


def test_people_alone_in_their_cluster_give_the_plain_error(scores):
    alone = scores.assign(cluster=np.arange(len(scores)).astype(str))
    row = pick(compare(alone), DID)
    plain = pick(compare(scores), DID)
    assert row["se"] == pytest.approx(plain["se"], rel=1e-9)


@pytest.mark.parametrize("cluster", ["site", "one"])
def test_one_cluster_a_site_gives_no_interval_and_says_why(scores, cluster):
    made = scores.assign(cluster=scores["site"] if cluster == "site" else "one")
    findings = compare(made)
    row = pick(findings, DID)
    assert row["estimate"] == pytest.approx(take(compare(scores), DID))
    assert math.isnan(row["ci_low"])
    assert has_flag(row, Flag.FEW_CLUSTERS)
    assert "one cluster" in row["note"]
    for estimator in ("tost", "tau_star", "smallest_detectable_difference"):
        found = pick(findings, estimator)
        assert found["reason"] == Reason.TOO_FEW_CLUSTERS
        assert "one cluster" in found["note"]


def test_whoever_has_no_cluster_is_one_alone(scores):
    blank = scores.assign(cluster=np.where(scores["site"] == "a1", "", scores.index.astype(str)))
    assert pick(compare(blank), DID)["se"] == pytest.approx(pick(compare(scores), DID)["se"])
    assert (compare(scores.assign(cluster=""))["estimator"] != UNCLUSTERED).all()
