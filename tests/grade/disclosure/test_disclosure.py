import itertools
import math

import made_by_hand
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_by_hand import make_instrument

from sbwork.compare.surveys import compare_scales
from sbwork.grade.disclosure import suppress_findings
from sbwork.grade.suppression import merge_small_cells, suppress_table
from sbwork.score import scale_reliability, score_coverage, score_scales
from sbwork.stats import Estimate
from sbwork.stats.findings import Finding, combine_findings, tabulate_findings

INSTRUMENT = make_instrument({"trust": ["q1", "q2", "q3"]})
SITES = ("a1", "c1", "a2", "c2", "a3", "c3")
WAVES = ("before", "after")
NUMBERS = ["estimate", "ci_low", "ci_high", "p_value", "se", "statistic", "df", "n"]


def make_cohort(**others):
    pairs = [(f"a{k}", f"c{k}") for k in (1, 2, 3)]
    return made_by_hand.make_cohort(pairs, **others)


COHORT = make_cohort()


def make_answers(sizes, seed=1):
    """Answers with as many people a site and wave as `sizes` says; 40 where it is silent."""
    random = np.random.default_rng(seed)
    frames = []
    for site, wave in itertools.product(SITES, WAVES):
        n = sizes.get((site, wave), 40)
        items = {f"q{k}": random.integers(1, 6, n).astype(float) for k in (1, 2, 3)}
        frames.append(pd.DataFrame({"wave": wave, "site": site, **items}))
    return pd.concat(frames, ignore_index=True).assign(person="", weight=1.0)


def compare(answers, cohort=COHORT):
    return compare_scales(score_scales(answers, INSTRUMENT), cohort, INSTRUMENT)


def suppress(sizes, cohort=COHORT):
    """Compare answers of so many people a site and wave, and hide the small groups."""
    return suppress_findings(compare(make_answers(sizes), cohort), cohort)


def is_hidden(rows):
    return rows["note"].str.startswith("Hidden")


def list_members(site, cohort):
    if site == "all":
        return set(cohort.sites)
    if site == "intervention":
        return {pair.intervention for pair in cohort.pairs}
    return {pair.control for pair in cohort.pairs} if site == "control" else {site}


def test_a_small_group_is_hidden_with_everything_built_on_it():
    shown = suppress({("a2", "after"): 6})
    hidden = shown[is_hidden(shown)]
    gone = set(zip(hidden["site"], hidden["period"], strict=True))
    assert gone == {
        ("a2", "after"),
        ("a2", "change"),
        ("intervention", "after"),
        ("intervention", "change"),
        ("all", "change"),
    }
    assert hidden[[*NUMBERS, "p_adjusted"]].isna().all(axis=None)
    assert set(hidden["note"]) == {
        "Hidden: fewer than 10 people, or a number that would give such a one back."
    }
    did = shown[shown["comparison"] == "c2"]
    assert is_hidden(did).all()


def test_nothing_else_changes():
    findings = compare(make_answers({("a2", "after"): 6}))
    kept = findings.copy()
    shown = suppress_findings(findings, COHORT)
    pd.testing.assert_frame_equal(findings, kept)
    same = ~is_hidden(shown)
    # Adjusted for the tests that are hidden as if they had found nothing, which never helps.
    before, after = (f.loc[same, "p_adjusted"] for f in (findings, shown))
    assert (after.dropna() >= before.dropna() - 1e-12).all()
    left = [frame[same].drop(columns="p_adjusted") for frame in (shown, findings)]
    pd.testing.assert_frame_equal(*left)


@pytest.mark.parametrize(
    ("n", "hidden"), [(0, False), (1, True), (2, True), (9, True), (10, False)]
)
def test_the_edges_of_the_rule(n, hidden):
    shown = suppress({("a1", "before"): n})
    row = shown[
        (shown["site"] == "a1") & (shown["period"] == "before") & (shown["estimator"] == "n")
    ]
    assert is_hidden(row).all() == hidden
    if hidden:
        assert not shown["note"].str.contains("one person", case=False).any()


def test_the_threshold_can_be_set():
    shown = suppress({("a1", "before"): 6}, make_cohort(smallest_group=5))
    assert not is_hidden(shown).any()


def test_two_hidden_groups_of_enough_people_leave_the_pooled_mean():
    for n in (8, 4):
        shown = suppress({("a1", "after"): n, ("a2", "after"): n})
        pooled = shown[(shown["site"] == "intervention") & (shown["period"] == "after")]
        assert set(is_hidden(pooled)) == {2 * n < 10}
        assert is_hidden(shown[shown["site"] == "all"]).all()


def solve_numbers(shown, cohort, estimator):
    """Play the attacker: which hidden numbers of people follow from those that are shown?"""
    rows = shown[(shown["estimator"] == estimator) & (shown["comparison"] == "")]
    known, unknown = {}, []
    for _, row in rows.iterrows():
        if row["site"] in cohort.sites and row["period"] in WAVES:
            place = (row["site"], row["period"])
            if math.isnan(row["n"]):
                unknown.append(place)
            else:
                known[place] = row["n"]
    system, right = [], []
    for _, row in rows.iterrows():
        if math.isnan(row["n"]) or (row["site"], row["period"]) in known:
            continue
        waves = WAVES if row["period"] == "all" else (row["period"],)
        cells = set(itertools.product(list_members(row["site"], cohort), waves))
        system.append([float(place in cells) for place in unknown])
        right.append(row["n"] - sum(n for place, n in known.items() if place in cells))
    if not unknown or not system:
        return {}
    matrix, sums = np.array(system), np.array(right)
    solved = {}
    best = np.linalg.lstsq(matrix, sums, rcond=None)[0]
    for index, place in enumerate(unknown):
        unit = np.eye(len(unknown))[index]
        weights, *_ = np.linalg.lstsq(matrix.T, unit, rcond=None)
        if np.allclose(matrix.T @ weights, unit):
            solved[place] = best[index]
    left = {tuple(line): total for line, total in zip(map(tuple, matrix), sums, strict=True)}
    remainders = [total for line, total in left.items() if any(line)]
    found = {**solved, **{("remainder", str(k)): r for k, r in enumerate(remainders)}}
    return {place: number for place, number in found.items() if 0.5 < number < 9.5}


places = st.sampled_from(list(itertools.product(SITES, WAVES)))


def number_groups(sizes, cohort):
    """Yield each group that the comparisons and the scores tell of, with its number of people."""
    count = {place: sizes.get(place, 40) for place in itertools.product(SITES, WAVES)}
    groups = {
        "scales": itertools.product((*SITES, "intervention", "control"), WAVES),
        "scores": itertools.product((*SITES, "all"), (*WAVES, "all")),
    }
    for section, places in groups.items():
        for site, period in places:
            waves = WAVES if period == "all" else (period,)
            members = itertools.product(list_members(site, cohort), waves)
            yield section, site, period, float(sum(count[place] for place in members))


@given(st.dictionaries(places, st.integers(0, 14), max_size=8))
@settings(max_examples=30)
def test_no_hidden_number_follows_from_the_totals(sizes):
    findings = tabulate_findings(
        Finding(section, "trust", site, Estimate("mean", 3.0, n=n, unit="points"), period=period)
        for section, site, period, n in number_groups(sizes, COHORT)
    )
    shown = suppress_findings(findings, COHORT)
    assert not shown["n"].between(1, 9).any()
    # Sections are read side by side, so the attack sets them against one another.
    assert solve_numbers(shown.drop_duplicates(["site", "period"]), COHORT, "mean") == {}


def test_real_findings_of_every_section_hold_out_too():
    answers = make_answers({("a1", "before"): 1, ("a2", "after"): 6, ("c1", "before"): 9})
    answers.loc[answers.index % 11 == 0, "q1"] = np.nan
    findings = combine_findings(
        [
            compare(answers),
            score_coverage(answers, INSTRUMENT),
            scale_reliability(answers, INSTRUMENT, draws=0),
        ]
    )
    shown = suppress_findings(findings, COHORT)
    assert not shown["n"].between(1, 9).any()
    shares = shown[(shown["unit"] == "share") & shown["estimate"].notna()]
    assert not np.round(shares["estimate"] * shares["n"]).between(1, 9).any()
    for section, estimator in (("scales", "n"), ("scores", "mean"), ("reliability", "alpha")):
        rows = shown[(shown["section"] == section) & (shown["outcome"] == "trust")]
        assert solve_numbers(rows, COHORT, estimator) == {}


def test_totals_of_two_sections_are_not_set_against_one_another():
    # 12 people are left in the intervention areas and 17 in all: 5 in the control sites.
    sizes = {("a1", "before"): 6, ("a2", "before"): 6, ("c1", "before"): 5}
    shown = suppress_findings(
        tabulate_findings(
            Finding(section, "trust", site, Estimate("mean", 3.0, n=n), period=period)
            for section, site, period, n in number_groups(sizes, COHORT)
        ),
        COHORT,
    ).set_index(["section", "site", "period"])
    hidden = is_hidden(shown)
    assert not (~hidden["scales", "intervention", "before"] and ~hidden["scores", "all", "before"])
    assert hidden["scales", "control", "before"]


def test_complete_answers_do_not_give_back_the_few_others():
    answers = make_answers({})
    answers.loc[answers.index[:3], "q1"] = np.nan
    shown = suppress_findings(score_coverage(answers, INSTRUMENT), COHORT)
    chosen = shown[(shown["site"] == "a1") & (shown["period"] == "before")]
    hidden = chosen.set_index("estimator")["note"].str.startswith("Hidden")
    assert hidden[["share_prorated", "mean_complete_cases"]].all()
    assert not hidden["mean"]


def test_the_attack_works_where_nothing_is_protected():
    findings = compare(make_answers({("a2", "after"): 6}))
    cell = (findings["site"] == "a2") & (findings["period"] == "after")
    naive = findings.assign(n=findings["n"].mask(cell))
    assert solve_numbers(naive, COHORT, "n")["a2", "after"] == pytest.approx(6)


def test_shares_of_few_people_are_hidden():
    rows = [
        Finding("reliability", "trust", site, Estimate("floor_share", share, n=40, unit="share"),
                period="before")
        for site, share in (("a1", 0.1), ("a2", 0.5), ("a3", 0.0), ("c1", 0.95))
    ]  # fmt: skip
    shown = suppress_findings(tabulate_findings(rows), COHORT)
    assert is_hidden(shown).tolist() == [True, False, False, True]


def test_the_number_without_a_score_cannot_be_taken_from_the_number_with_one():
    rows = [
        Finding("scores", "trust", "a1", Estimate(name, value, n=40, unit="count"), period="before")
        for name, value in (("n_scored", 37.0), ("n_unscored", 3.0))
    ]
    shown = suppress_findings(tabulate_findings(rows), COHORT).set_index("estimator")
    assert math.isnan(shown.loc["n_unscored", "estimate"])
    assert shown.loc["n_scored", "estimate"] == 37
    assert math.isnan(shown.loc["n_scored", "n"])


def make_count_rows(n):
    for site, count in (("a1", n), ("c1", 50.0), ("a2", 60.0), ("c2", 70.0)):
        yield Finding(
            "counts", "asb", site, Estimate("count", count, n=count, unit="incidents"), "", "before"
        )
        change = Estimate("percentage_change", -10.0, unit="percent")
        yield Finding("counts", "asb", site, change, "", "change")
    for site, control in (("a1", "c1"), ("a2", "c2"), ("all", "")):
        yield Finding("counts", "asb", site, Estimate("rirr", 0.9, unit="ratio"), control, "change")
    yield Finding("counts", "theft", "a1", Estimate("rirr", 0.9, unit="ratio"), "c1", "change")


def test_incidents_follow_their_own_threshold():
    rows = tabulate_findings(make_count_rows(3.0))
    assert not is_hidden(suppress_findings(rows, make_cohort())).any()
    shown = suppress_findings(rows, make_cohort(smallest_count=5))
    hidden = shown[is_hidden(shown)]
    assert set(zip(hidden["site"], hidden["estimator"], strict=True)) == {
        ("a1", "count"),
        ("a1", "percentage_change"),
        ("a1", "rirr"),
        ("all", "rirr"),
    }
    assert set(hidden["outcome"]) == {"asb"}
    assert set(hidden["note"]) == {
        "Hidden: fewer than 5 incidents, or a number that would give such a one back."
    }


def test_a_small_count_hides_what_is_set_against_all_controls_together():
    together = Finding("specification", "asb", "b1", Estimate("rirr", 0.7), "all controls", "6+6")
    alone = Finding("specification", "asb", "b1", Estimate("rirr", 0.8), "b2", "6+6")
    rows = tabulate_findings([*make_count_rows(3.0), together, alone])
    shown = suppress_findings(rows, make_cohort(smallest_count=5))
    kept = shown[~is_hidden(shown) & (shown["section"] == "specification")]
    assert kept["comparison"].tolist() == ["b2"]


def test_an_empty_frame_stays_empty():
    assert len(suppress_findings(combine_findings([]), make_cohort())) == 0


def test_reported_figures_are_never_hidden():
    told = Finding("reported", "Calls", "", Estimate("reported_change_percent", -40.0, n=3))
    assert not is_hidden(suppress_findings(tabulate_findings([told]), make_cohort())).any()


def list_equations(shape):
    rows, columns = shape
    for row in range(rows):
        yield [(row, c, 1.0 if c < columns - 1 else -1.0) for c in range(columns)]
    for column in range(columns):
        yield [(r, column, 1.0 if r < rows - 1 else -1.0) for r in range(rows)]


def attack_table(shown):
    """Bound every hidden cell by linear programming, knowing the sums and that none is below 0."""
    from scipy.optimize import linprog

    values = shown.to_numpy()
    hidden = [tuple(place) for place in np.argwhere(np.isnan(values))]
    index = {place: number for number, place in enumerate(hidden)}
    system, right = [], []
    for equation in list_equations(values.shape):
        line, known = np.zeros(len(hidden)), 0.0
        for row, column, sign in equation:
            if (row, column) in index:
                line[index[row, column]] = sign
            else:
                known += sign * values[row, column]
        system.append(line)
        right.append(-known)
    bounds = {}
    for place, number in index.items():
        aim = np.zeros(len(hidden))
        aim[number] = 1.0
        ends = [
            linprog(sign * aim, A_eq=np.array(system), b_eq=right, bounds=(0, None))
            for sign in (1, -1)
        ]
        bounds[place] = (ends[0].fun, math.inf if ends[1].status == 3 else -ends[1].fun)
    return bounds


tables = st.integers(1, 4).flatmap(
    lambda rows: st.integers(1, 4).flatmap(
        lambda columns: st.lists(
            st.lists(
                st.one_of(st.integers(0, 12), st.integers(0, 80)),
                min_size=columns,
                max_size=columns,
            ),
            min_size=rows,
            max_size=rows,
        )
    )
)


@given(tables)
@settings(max_examples=60)
def test_no_hidden_cell_of_a_table_can_be_solved(cells):
    counts = pd.DataFrame(cells).rename(columns=str)
    shown = suppress_table(counts)
    full = counts.assign(Total=counts.sum(axis=1))
    full.loc["Total"] = full.sum()
    small = full.to_numpy() % 1 == 0
    small &= (full.to_numpy() >= 1) & (full.to_numpy() < 10)
    values = shown.to_numpy()
    assert np.isnan(values[small]).all()
    seen = ~np.isnan(values)
    np.testing.assert_array_equal(values[seen], full.to_numpy()[seen])
    for place, (low, high) in attack_table(shown).items():
        if small[place]:
            assert high - low >= 1 - 1e-6, f"{place} lies between {low} and {high}"


@given(tables)
@settings(max_examples=60)
def test_no_line_of_a_table_leaves_a_small_remainder(cells):
    counts = pd.DataFrame(cells).rename(columns=str)
    shown = suppress_table(counts).to_numpy()
    for lines in (shown, shown.T):
        for line in lines:
            if not math.isnan(line[-1]):
                left = line[-1] - np.nansum(line[:-1])
                assert not 1 <= left < 10


def test_a_table_without_small_cells_is_shown_whole():
    shown = suppress_table(pd.DataFrame({"x": [10, 0], "y": [25, 30]}))
    assert not shown.isna().any(axis=None)
    assert shown.loc["Total", "Total"] == 65


@pytest.mark.parametrize("cells", [[[1, -2]], [[1.5, 2]], [[math.nan, 2]]])
def test_what_is_no_table_of_people_is_refused(cells):
    with pytest.raises(ValueError, match="whole numbers"):
        suppress_table(pd.DataFrame(cells))


def test_a_line_called_total_is_refused():
    with pytest.raises(ValueError, match="Total"):
        suppress_table(pd.DataFrame({"Total": [1]}))


@given(
    counts=st.lists(st.integers(0, 60), min_size=2, max_size=11),
    fewest=st.integers(1, 15),
)
def test_merging_leaves_no_small_cell_and_loses_nobody(counts, fewest):
    merged = merge_small_cells(counts, fewest)
    assert not ((merged > 0) & (merged < fewest)).any()
    if sum(counts) >= fewest:
        assert merged.sum() == sum(counts)
    else:
        assert merged.sum() == 0


def test_merging_goes_towards_the_middle():
    assert merge_small_cells([50, 4, 30, 3, 50], 10).tolist() == [50, 0, 37, 0, 50]
    assert merge_small_cells([20, 5, 40], 10).tolist() == [20, 0, 45]
