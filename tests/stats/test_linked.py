"""People who answered both waves: against R, and how often the interval holds the truth."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_by_hand import make_cohort, make_instrument, pick, read_reference

from sbwork.compare.surveys import compare_scales
from sbwork.score.weights.targets import weight_answers
from sbwork.specs.cohort import Weighting
from sbwork.stats import Estimate, Flag
from sbwork.stats.cells import Cell, link_cells, match_people, summarise_cell
from sbwork.stats.means import (
    compute_overlap,
    estimate_contrast,
    estimate_standardised_contrast,
)
from sbwork.stats.precision import (
    add_shocks,
    compute_smallest_detectable_difference,
    compute_tau_star_equivalence,
    estimate_equivalence,
    find_verdict,
)

EXACT = 1e-9
SEARCH = 1e-5
"""Ends that R finds by a search."""
FREEDOM = 0.15
"""clubSandwich counts degrees of freedom as if answers of one person were unrelated and all spreads
equal; here both are seen. The simulations below say whether that covers."""
ONE_SAMPLE = 0.01
"""survey multiplies by n / (n - 1) of a site's people, here of each wave's."""

R: dict[str, Any] = read_reference("linked")
DID = (1.0, -1.0, -1.0, 1.0)
INSTRUMENT = make_instrument({"y": ["q"]}, most=7)


def make(site: str, wave: str, first: int, last: int, a: int, shift: float) -> pd.DataFrame:
    """Make the people of tests/reference/linked.R by the same rule."""
    i = np.arange(first, last + 1)
    own = (3 * i**2 + 5 * i) % 31 / 6
    return pd.DataFrame(
        {
            "site": site, "wave": wave, "person": [f"{site} {k}" for k in i],
            "y": 1 + own + (a * i**2 + 7 * i) % 23 / 11 + shift,
            "age": np.array(["young", "middle", "old"])[(i // 2) % 3],
            "weight": 1.0, "given": 0.5 + (i * 13 % 17) / 10,
        }
    )  # fmt: skip


WHOLE = pd.concat(
    [make("a", "before", 1, 43, 4, 0), make("a", "after", 1, 43, 9, 0.6),
     make("c", "before", 1, 35, 5, 0.1), make("c", "after", 1, 35, 2, 0.3)]
)  # fmt: skip
PARTLY = pd.concat(
    [make("a", "before", 1, 43, 4, 0), make("a", "after", 20, 61, 9, 0.6),
     make("c", "before", 1, 35, 5, 0.1), make("c", "after", 11, 39, 2, 0.3)]
)  # fmt: skip
SHARED = pd.concat([WHOLE, make("b", "before", 1, 29, 7, 0.2), make("b", "after", 1, 29, 3, 0.9)])


def compare(scores: pd.DataFrame, sites: str = "a", **others: Any) -> pd.DataFrame:
    cohort = make_cohort([(site, "c") for site in sites], **others)
    return compare_scales(scores, cohort, INSTRUMENT)


def has(row: pd.Series, *flags: Flag) -> bool:
    return set(flags) <= set(row["flags"].split())


def test_everybody_linked_is_the_paired_t_test_and_welch_of_the_changes() -> None:
    found = compare(WHOLE)
    for estimator, key in (("mean_difference", "paired"), ("difference_in_differences", "changes")):
        row, wanted = pick(found, estimator, "a"), R[key]
        seen = row[["estimate", "statistic", "df", "p_value", "ci_low", "ci_high"]].to_numpy(float)
        expected = [wanted[name] for name in ("estimate", "t", "df", "p", "low", "high")]
        assert seen == pytest.approx(expected, rel=EXACT)
        assert has(row, Flag.LINKED)
        assert "own changes" in row["note"]
    g = pick(found, "hedges_g", "a")
    assert g[["estimate", "ci_low", "ci_high"]].to_numpy(float) == pytest.approx(R["g"], rel=SEARCH)
    tost, did = pick(found, "tost", "a"), pick(found, "difference_in_differences", "a")
    assert tost["se"] / tost["estimate"] == pytest.approx(did["se"] / did["estimate"])
    student = pick(found, "mean_difference_student", "a")
    assert has(student, Flag.LINKED_AS_UNLINKED)
    assert not has(student, Flag.LINKED)


def test_partly_linked_waves_take_everybody_and_cluster_by_person() -> None:
    wanted = R["clustered"]
    did = pick(compare(PARTLY), "difference_in_differences", "a")
    assert did["estimate"] == pytest.approx(wanted["estimate"], rel=EXACT)
    assert did["se"] == pytest.approx(wanted["se"], rel=EXACT)
    assert wanted["se"] == pytest.approx(wanted["se_cl"], rel=EXACT)
    assert did["df"] == pytest.approx(wanted["df"], rel=FREEDOM)
    assert has(did, Flag.PARTLY_LINKED)
    unlinked = compare(PARTLY.assign(person=""))
    alone = pick(unlinked, "difference_in_differences", "a")
    assert alone["se"] == pytest.approx(wanted["alone"], rel=EXACT)
    assert alone["se"] > 1.5 * did["se"]
    assert not alone["flags"].count("linked")


def test_weights_and_raking_agree_with_survey() -> None:
    name = "difference_in_differences"
    did = pick(compare(PARTLY.assign(weight=PARTLY["given"])), name, "a")
    assert did["estimate"] == pytest.approx(R["given"]["estimate"], rel=EXACT)
    assert did["se"] == pytest.approx(R["given"]["se"], rel=ONE_SAMPLE)
    weighting = {"targets": {"age": {"young": 0.3, "middle": 0.4, "old": 0.3}}}
    people = PARTLY.drop(columns="given").reset_index(drop=True)
    raked, _ = weight_answers(people, Weighting(**weighting))
    assert raked["weight"].to_numpy() == pytest.approx(R["weights"])
    did = pick(compare(raked, weighting=weighting), name, "a")
    assert did["estimate"] == pytest.approx(R["raked"]["estimate"], abs=1e-8)
    assert did["se"] == pytest.approx(R["raked"]["se"], rel=ONE_SAMPLE)
    assert has(did, Flag.PARTLY_LINKED, Flag.WEIGHTED)


def test_pairs_that_share_a_control_share_its_people_in_ancova() -> None:
    row = pick(compare(SHARED, "ab"), "ancova", "all")
    assert row["estimate"] == pytest.approx(R["shared"]["estimate"], rel=EXACT)
    assert row["se"] == pytest.approx(R["shared"]["se"], rel=EXACT)
    assert row["n"] == 43 + 29 + 35


@pytest.mark.parametrize(
    ("scores", "assignment", "leads"),
    [
        (WHOLE, "chosen", "difference_in_differences"),
        (WHOLE, "quasi-random", "difference_in_differences"),
        (WHOLE, "randomised", "ancova"),
        (WHOLE.iloc[:-5], "randomised", "ancova"),
        (PARTLY, "randomised", "difference_in_differences"),
    ],
)
def test_ancova_leads_only_where_sites_were_drawn_by_lot(
    scores: pd.DataFrame, assignment: str, leads: str
) -> None:
    found = compare(scores, assignment=assignment, confirmatory=["y"])
    for site in ("a", "all"):
        rows = found[(found["site"] == site) & found["flags"].str.contains(Flag.LEADS)]
        assert rows["estimator"].tolist() == [leads]
        assert has(rows.iloc[0], Flag.CONFIRMATORY)


def draw_waves(
    random: np.random.Generator, n: int, r: float, share: float, rise: float
) -> tuple[list[Cell], list[tuple[np.ndarray, np.ndarray]]]:
    """Draw the four cells of a pair, and the rows of those in both waves."""
    cells, rows = [], []
    linked = round(share * n)
    for site in range(2):
        own = random.normal(size=n) * math.sqrt(r)
        other = np.concatenate([own[:linked], random.normal(size=n - linked) * math.sqrt(r)])
        noise = math.sqrt(1 - r)
        cells.append(summarise_cell(other + noise * random.normal(size=n) + rise * (site == 0)))
        cells.append(summarise_cell(own + noise * random.normal(size=n)))
        rows.append((np.arange(linked), np.arange(linked)))
    return cells, rows


def repeat(n: int, r: float, share: float, rise: float, draws: int) -> dict[str, float]:
    random = np.random.default_rng(5)
    seen = dict.fromkeys(("covered", "found", "covered_unlinked", "found_unlinked"), 0)
    for _ in range(draws):
        cells, rows = draw_waves(random, n, r, share, rise)
        links = [link_cells(cells, 2 * k, 2 * k + 1, rows[k]) for k in range(2)]
        for end, given_links in (("", links), ("_unlinked", [])):
            did = estimate_contrast(cells, DID, estimator="did", links=given_links)
            seen[f"covered{end}"] += did.ci_low <= rise <= did.ci_high
            seen[f"found{end}"] += did.p_value < 0.05
    return {name: count / draws for name, count in seen.items()}


def test_the_linked_analysis_covers_as_it_says_and_finds_what_the_other_misses() -> None:
    seen = repeat(n=150, r=0.75, share=1.0, rise=0.26, draws=1000)
    assert seen["covered"] == pytest.approx(0.95, abs=0.02)
    assert seen["covered_unlinked"] > 0.995
    assert seen["found"] == pytest.approx(0.9, abs=0.04)
    assert seen["found_unlinked"] == pytest.approx(0.21, abs=0.05)


@pytest.mark.parametrize(("n", "share"), [(12, 0.5), (40, 0.25), (40, 0.9)])
def test_partly_linked_waves_are_covered_too(n: int, share: float) -> None:
    seen = repeat(n=n, r=0.75, share=share, rise=0.0, draws=1500)
    # Three standard errors of a share of 1,500 draws.
    assert seen["covered"] == pytest.approx(0.95, abs=0.017)


def test_a_linked_design_finds_smaller_differences() -> None:
    random = np.random.default_rng(2)
    cells, rows = draw_waves(random, 4000, 0.75, 1.0, 0.0)
    links = [link_cells(cells, 2 * k, 2 * k + 1, rows[k]) for k in range(2)]
    overlap = compute_overlap(cells, DID, links)
    ratio = compute_smallest_detectable_difference([4000] * 4, DID, overlap=overlap)
    ratio /= compute_smallest_detectable_difference([4000] * 4, DID)
    assert ratio == pytest.approx(math.sqrt(1 - 0.75), rel=0.03)
    g = estimate_standardised_contrast(cells, DID, estimator="g", links=links)
    alone = estimate_standardised_contrast(cells, DID, estimator="g")
    assert g.estimate == pytest.approx(alone.estimate, rel=1e-3)
    assert (g.ci_high - g.ci_low) / (alone.ci_high - alone.ci_low) == pytest.approx(ratio, rel=0.01)


def test_everybody_moving_alike_leaves_no_chance_to_gauge() -> None:
    before = summarise_cell([1.0, 2.0, 4.0])
    after = summarise_cell([1.5, 2.5, 4.5])
    names = ["x", "y", "z"]
    cells = [before, after]
    link = link_cells(cells, 0, 1, match_people(names, names))
    found = estimate_contrast(cells, (-1.0, 1.0), estimator="rise", links=[link])
    assert found.estimate == pytest.approx(0.5)
    assert found.se == 0
    assert math.isnan(found.p_value)
    assert "moved by the same" in found.note


@given(st.lists(st.sampled_from("abcdef"), max_size=8), st.lists(st.sampled_from("abcdef")))
def test_only_people_who_stand_once_in_both_are_matched(
    first: list[str], second: list[str]
) -> None:
    one, other = match_people(first, second)
    both = {n for n in first if first.count(n) == 1 and second.count(n) == 1}
    assert {first[k] for k in one} == both
    assert [first[k] for k in one] == [second[k] for k in other]
    assert len(match_people(["", "x"], ["", ""])[0]) == 0


@pytest.mark.parametrize(("n", "bound"), [(150, 0.5), (1000, 0.2)])
def test_a_shock_to_whole_areas_hides_an_effect_and_tau_star_equivalence_warns(
    n: int, bound: float
) -> None:
    """The truth lies at the bound, and areas move by chance with an SD of .1."""
    random = np.random.default_rng(3)
    draws, shock, told, told_without, told_with, taus = 1500, 0.1, 0, 0, 0, []
    for _ in range(draws):
        cells = [summarise_cell(random.normal(size=n) + bound * (k == 0)) for k in range(4)]
        calm = estimate_contrast(cells, DID, estimator="did")
        moves = random.normal(0, shock, 4) @ np.array(DID)
        did = replace(calm, estimate=calm.estimate + moves)
        told_without += estimate_equivalence(calm, 1.0, bound).p_value < 0.05
        equivalence = estimate_equivalence(did, 1.0, bound)
        if find_verdict(1.0, equivalence.p_value) is Flag.NO_MEANINGFUL_EFFECT:
            told += 1
            taus.append(compute_tau_star_equivalence(did, bound))
        told_with += estimate_equivalence(add_shocks(did, shock), 1.0, bound).p_value < 0.05
    assert 0.12 <= told / draws <= 0.25
    assert told_without / draws <= 0.065
    assert told_with / draws <= 0.065
    assert np.median(taus) < shock


def test_tau_star_equivalence_is_the_shock_that_brings_the_verdict_to_the_edge() -> None:
    did = Estimate("did", -0.04, se=0.05, df=math.inf, n=1000)
    tau = compute_tau_star_equivalence(did, margin=0.2, shocks=2.0)
    edge = add_shocks(did, tau, shocks=2.0)
    assert estimate_equivalence(edge, 1.0, 0.2).p_value == pytest.approx(0.05, abs=2e-4)
    assert compute_tau_star_equivalence(did, margin=0.1) == 0
    assert add_shocks(did, 0.0).se == did.se
