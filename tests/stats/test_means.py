import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_by_hand import read_reference

from sbwork.stats import Estimate, Flag
from sbwork.stats.ancova import fit_ancova, pool_ancovas
from sbwork.stats.cells import compute_kish_n, summarise_cell
from sbwork.stats.means import (
    compute_pooled_spread,
    estimate_contrast,
    estimate_mean,
    estimate_standardised_contrast,
    estimate_student_contrast,
    invert_noncentral_t,
)
from sbwork.stats.precision import (
    compute_smallest_detectable_difference,
    compute_tau_star,
    estimate_equivalence,
    find_verdict,
)
from sbwork.stats.shares import estimate_share, estimate_share_difference

EXACT = 1e-9
"""Closed formulas against R's."""
SEARCH = 1e-5
"""Roots that effectsize finds by optimisation to about six digits."""
HC2 = 5e-3
"""With unequal weights HC2 divides each square by 1 - leverage, survey all by (n - 1) / n."""
PRINTED = 5e-3
"""Values that the methods print to two decimals."""

DID = (1, -1, -1, 1)
R = read_reference("means")


def compare(before, after, estimate=estimate_contrast):
    return estimate([before, after], (-1, 1), estimator="change")


def estimate_student(before, after):
    return compare(before, after, estimate_student_contrast)


def estimate_g(before, after):
    return compare(before, after, estimate_standardised_contrast)


def estimate_did(
    treated_before, treated_after, control_before, control_after, estimate=estimate_contrast
):
    cells = [treated_after, treated_before, control_after, control_before]
    return estimate(cells, DID, estimator="difference_in_differences")


def estimate_ancova(*people):
    return pool_ancovas([fit_ancova(*people)])


def make(n, a, b, shift):
    i = np.arange(1, n + 1)
    return 1 + ((a * i**2 + b * i) % 29) / 7 + shift


def weigh(n):
    return 0.5 + (np.arange(1, n + 1) * 13 % 17) / 10


SCORES = {
    "treated_before": make(41, 3, 5, 0),
    "treated_after": make(37, 7, 2, 0.6),
    "control_before": make(52, 5, 11, 0.1),
    "control_after": make(29, 2, 9, 0.2),
}
CELLS = {name: summarise_cell(scores) for name, scores in SCORES.items()}
WEIGHTED = {name: summarise_cell(scores, weigh(len(scores))) for name, scores in SCORES.items()}
TREATED = (CELLS["treated_before"], CELLS["treated_after"])


def assert_test(found: Estimate, expected: dict[str, float]) -> None:
    seen = (found.statistic, found.df, found.p_value, found.ci_low, found.ci_high)
    wanted = tuple(expected[key] for key in ("t", "df", "p", "low", "high"))
    assert seen == pytest.approx(wanted, rel=EXACT)


def test_t_tests_and_hedges_g_agree_with_r_and_published_values():
    mpg, am = (np.array(R["mtcars"][key]) for key in ("mpg", "am"))
    mtcars = (summarise_cell(mpg[am == 0]), summarise_cell(mpg[am == 1]))
    for cells, key in ((mtcars, "mtcars_"), (TREATED, "")):
        assert_test(compare(*cells), R[f"{key}welch"])
        assert_test(estimate_student(*cells), R[f"{key}student"])
        g = estimate_g(*cells)
        assert (g.estimate, g.ci_low, g.ci_high) == pytest.approx(R[f"{key}g"], rel=SEARCH)
    welch, g = compare(*mtcars), estimate_g(*mtcars)
    assert welch.statistic == pytest.approx(3.7671231, abs=5e-8)
    assert welch.df == pytest.approx(18.332252, abs=5e-7)
    assert welch.p_value == pytest.approx(0.001373638, abs=5e-10)
    assert (g.estimate, g.ci_low, g.ci_high) == pytest.approx((1.44, 0.65, 2.21), abs=PRINTED)


@pytest.mark.parametrize(
    ("cells", "key", "apart"), [(CELLS, "did", EXACT), (WEIGHTED, "did_weighted", HC2)]
)
def test_difference_in_differences_agrees_with_lm_sandwich_and_emmeans(cells, key, apart):
    did = estimate_did(**cells)
    assert did.estimate == pytest.approx(R[key]["estimate"], rel=EXACT)
    assert did.se == pytest.approx(R[key]["se"], rel=apart)
    assert did.n == sum(map(len, SCORES.values()))
    if cells is CELLS:
        assert did.df == pytest.approx(R["df_did"], rel=EXACT)
        g = estimate_did(**cells, estimate=estimate_standardised_contrast)
        assert (g.estimate, g.ci_low, g.ci_high) == pytest.approx(R["standardised"], rel=1e-7)
        assert g.df == R["did_pooled"]["df"]


def test_ancova_agrees_with_lm_and_sandwich():
    n = 60
    before = make(n, 3, 4, 0)
    treated = np.tile([0, 1], n // 2)
    after = 1 + 0.5 * before + 0.3 * treated + make(n, 11, 6, -2) / 3
    for weights, key in ((None, "ancova"), (weigh(n), "ancova_weighted")):
        found = estimate_ancova(after, before, treated, weights)
        seen = (found.estimate, found.se, found.p_value, found.ci_low, found.ci_high)
        wanted = [R[key][part] for part in ("estimate", "se", "p", "low", "high")]
        assert seen == pytest.approx(wanted, rel=EXACT)
        assert found.df == n - 3


def test_ancova_leaves_out_people_with_a_score_missing_and_says_when_it_cannot_be_fitted():
    y, x, arm = [1.0, 2, 4, 3, 5, 7, 9], [1.0, 2, 3, 1, 2, 3, math.nan], [0, 0, 0, 1, 1, 1, 1]
    assert estimate_ancova(y, x, arm) == estimate_ancova(y[:6], x[:6], arm[:6])
    found = estimate_ancova([1.0, 2, 3, 4], [2.0, 2, 2, 2], [0, 0, 1, 1])
    assert math.isnan(found.estimate)
    assert "same score before" in found.note


def test_weighted_mean_agrees_with_r():
    y = np.concatenate([SCORES["treated_before"], SCORES["treated_after"]])
    w = np.concatenate([weigh(41), weigh(37)])
    cell = summarise_cell(y, w)
    wanted = R["weighted_mean"]
    assert cell.mean == pytest.approx(wanted["mean"], rel=EXACT)
    assert math.sqrt(cell.mean_variance) == pytest.approx(wanted["survey_se"], rel=EXACT)
    assert math.sqrt(cell.mean_variance) == pytest.approx(wanted["se"], rel=HC2)
    assert cell.variance == pytest.approx(wanted["variance"], rel=EXACT)
    assert cell.n == 78


def test_shares_agree_with_r():
    for (count, n), wanted in zip(
        [(3, 10), (0, 12), (12, 12), (81, 263)], R["wilson"], strict=True
    ):
        share = estimate_share(count, n)
        assert (share.ci_low, share.ci_high) == pytest.approx(wanted, rel=EXACT, abs=1e-12)
    difference = estimate_share_difference(56, 70, 48, 80)
    assert difference.p_value == pytest.approx(R["share_test"], rel=EXACT)
    # Newcombe (1998), table II, method 10: .0524 to .3339.
    assert (difference.ci_low, difference.ci_high) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert math.isnan(estimate_share(0, 0).estimate)
    assert math.isnan(estimate_share_difference(0, 0, 1, 5).estimate)
    with pytest.raises(ValueError, match="between 0 and n"):
        estimate_share(4, 3)


def test_smallest_detectable_difference_is_the_methods_value():
    assert compute_smallest_detectable_difference([150] * 4) == pytest.approx(0.457, abs=6e-4)
    assert math.isnan(compute_smallest_detectable_difference([150, 0]))


def test_tau_star_is_the_shock_that_brings_the_result_to_the_edge():
    did = Estimate("difference_in_differences", 0.4, se=0.1)
    tau = compute_tau_star(did)
    assert 0.4 / math.sqrt(0.1**2 + 4 * tau**2) == pytest.approx(1.96)
    assert compute_tau_star(did, shocks=2.0) > tau
    assert math.isnan(compute_tau_star(Estimate("difference_in_differences", 0.1, se=0.1)))


def test_welch_is_pingouins_where_nothing_is_weighted():
    y = [SCORES["treated_before"], SCORES["treated_after"]]
    nearly_equal = [1 + 1e-13 * (np.arange(len(scores)) == 0) for scores in y]
    own = compare(*(summarise_cell(*cell) for cell in zip(y, nearly_equal, strict=True)))
    theirs = compare(*TREATED)
    for field in ("statistic", "df", "p_value", "ci_low", "ci_high"):
        assert getattr(theirs, field) == pytest.approx(getattr(own, field), rel=1e-10)


@pytest.mark.parametrize(
    ("estimate", "se", "verdict"),
    [
        (0.5, 0.1, Flag.EFFECT),
        (0.0, 0.02, Flag.NO_MEANINGFUL_EFFECT),
        (0.1, 0.02, Flag.NO_MEANINGFUL_EFFECT),
        (0.1, 0.2, Flag.INCONCLUSIVE),
        (-0.5, 0.1, Flag.EFFECT),
    ],
)
def test_the_three_verdicts(estimate, se, verdict):
    p = math.erfc(abs(estimate / se) / math.sqrt(2))
    did = Estimate("difference_in_differences", estimate, se=se, df=1e6, p_value=p)
    assert find_verdict(p, estimate_equivalence(did, spread=1.0, bound=0.2).p_value) == verdict


def test_equivalence_agrees_with_r_and_needs_a_bound():
    tost = estimate_equivalence(estimate_did(**CELLS), spread=2.0, bound=0.2)
    assert tost.p_value == pytest.approx(R["tost"], rel=EXACT)
    assert tost.ci_level == 0.90
    with pytest.raises(ValueError, match="bound"):
        estimate_equivalence(Estimate("x", 0.0, se=1.0, df=5), spread=1.0, bound=0.0)


@pytest.mark.parametrize("scores", [[], [3.0], [math.nan, 3.0]])
def test_too_few_people_give_nan_and_say_why(scores):
    few, many = summarise_cell(scores), CELLS["treated_after"]
    for found in (
        compare(few, many),
        estimate_student(few, many),
        estimate_g(few, many),
        estimate_did(few, many, many, many),
    ):
        assert math.isnan(found.estimate)
        assert "two people" in found.note
    assert estimate_mean(few).note


def test_scores_all_alike_have_no_test_and_say_so():
    # 3.1 is not exact in binary: rounding must not pass for spread.
    flat, higher = (summarise_cell([score] * 6, weigh(6)) for score in (3.1, 4.1))
    welch = compare(flat, higher)
    assert welch.estimate == pytest.approx(1.0)
    assert estimate_mean(flat).estimate == 3.1
    assert "same score" in estimate_mean(flat).note
    assert math.isnan(welch.p_value)
    assert "same score" in welch.note
    assert math.isnan(estimate_g(flat, higher).estimate)
    assert math.isnan(compute_pooled_spread([summarise_cell([]), CELLS["treated_after"]]))
    assert math.isnan(estimate_equivalence(welch, spread=0.0, bound=0.2).estimate)


def test_weights_that_leave_one_person_give_no_g_and_say_why():
    cells = [summarise_cell([1.0, 2.0], [100.0, 0.01]), summarise_cell([3.0, 5.0], [100.0, 0.01])]
    g = estimate_g(*cells)
    assert math.isnan(g.estimate)
    assert "uneven" in g.note
    alone = summarise_cell([1.0, 2.0], [1.0, 1e-300])
    found = compare(alone, alone)
    assert math.isnan(found.p_value)
    assert "uneven" in found.note


def test_bad_weights_are_refused():
    with pytest.raises(ValueError, match="weights"):
        summarise_cell([1.0, 2.0], [1.0, 0.0])
    with pytest.raises(ValueError, match="one length"):
        summarise_cell([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="coefficient"):
        estimate_contrast([CELLS["treated_after"]], DID, estimator="x")


answers = st.lists(st.integers(1, 5), min_size=3, max_size=25).filter(lambda x: len(set(x)) > 1)
four = st.tuples(answers, answers, answers, answers)
points = st.floats(-50, 50, allow_nan=False)


def summarise_all(lists, shift=0.0, scale=1.0):
    return [summarise_cell(np.array(x) * scale + shift) for x in lists]


@given(four, points)
def test_it_is_the_difference_of_the_differences_and_a_shift_changes_nothing(lists, shift):
    a, b, c, d = (float(np.mean(x)) for x in lists)
    one, other = (estimate_did(*summarise_all(lists, by)) for by in (0.0, shift))
    assert one.estimate == pytest.approx((b - a) - (d - c), abs=1e-9)
    for field in ("estimate", "ci_low", "ci_high", "p_value", "df"):
        assert getattr(other, field) == pytest.approx(getattr(one, field), abs=1e-7, rel=1e-6)


@given(four)
@settings(max_examples=40)
def test_swapping_the_sites_turns_the_sign(lists):
    a, b, c, d = summarise_all(lists)
    one = estimate_did(a, b, c, d)
    other = estimate_did(c, d, a, b)
    assert other.estimate == pytest.approx(-one.estimate)
    assert (other.ci_low, other.ci_high) == pytest.approx((-one.ci_high, -one.ci_low))
    assert other.p_value == pytest.approx(one.p_value)
    g, h = estimate_g(a, b), estimate_g(b, a)
    assert (g.estimate, g.ci_low, g.ci_high) == pytest.approx(
        (-h.estimate, -h.ci_high, -h.ci_low), abs=1e-7
    )


@given(answers, answers, st.floats(0.1, 20))
@settings(max_examples=40)
def test_g_has_no_unit(before, after, scale):
    one = estimate_g(*summarise_all([before, after]))
    other = estimate_g(*summarise_all([before, after], scale=scale))
    assert other.estimate == pytest.approx(one.estimate, rel=1e-6, abs=1e-9)
    assert one.ci_low <= one.estimate <= one.ci_high


@given(four, st.floats(0.01, 100))
def test_equal_weights_of_any_size_are_no_weights(lists, weight):
    plain = estimate_did(*summarise_all(lists))
    cells = [summarise_cell(x, np.full(len(x), weight)) for x in lists]
    weighted = estimate_did(*cells)
    assert weighted.se == pytest.approx(plain.se, rel=1e-9)
    assert weighted.df == pytest.approx(plain.df, rel=1e-6)


@given(st.integers(2, 200), st.integers(1, 200))
def test_more_people_find_smaller_differences(n, more):
    few = compute_smallest_detectable_difference([n] * 4)
    assert compute_smallest_detectable_difference([n + more] * 4) < few
    scores = np.tile([1.0, 2.0, 4.0], n)
    longer = np.tile([1.0, 2.0, 4.0], n + more)
    assert summarise_cell(longer).mean_variance < summarise_cell(scores).mean_variance


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=50))
def test_the_effective_number_never_exceeds_the_number(weights):
    assert compute_kish_n([weights[0]] * 7) == pytest.approx(7)
    assert 1 - 1e-9 <= compute_kish_n(weights) <= len(weights) + 1e-9


@given(st.floats(-15, 15), st.floats(3, 6000))
@settings(max_examples=60)
def test_noncentral_interval_inverts_the_distribution(t, df):
    from scipy.stats import nct

    for probability in (0.025, 0.975):
        noncentrality = invert_noncentral_t(t, df, probability)
        sign = -1 if t < 0 else 1
        reached = nct.cdf(abs(t), df, sign * noncentrality)
        assert reached == pytest.approx(probability if t >= 0 else 1 - probability, abs=1e-6)


def test_interval_covers_the_truth_at_its_level():
    random = np.random.default_rng(7)
    draws, truth, covered = 1500, 0.3, 0
    for _ in range(draws):
        cells = [
            summarise_cell(random.normal(mean, spread, n))
            for mean, spread, n in ((0, 1, 12), (truth, 2, 20), (0, 0.5, 40), (0, 1, 15))
        ]
        did = estimate_did(*cells)
        covered += did.ci_low <= truth <= did.ci_high
    # Three standard errors of a share of 1,500 draws.
    assert covered / draws == pytest.approx(0.95, abs=3 * math.sqrt(0.95 * 0.05 / draws))
