"""How many were asked, and how few of them gave no score: played as an attack."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import made_by_hand
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_by_hand import make_instrument

from sbwork.compare.surveys import compare_scales
from sbwork.grade.disclosure import Ledger, suppress_findings
from sbwork.grade.publishable import enter_responses, publish_responses
from sbwork.read.checks import Check, CheckKind, tabulate_lines
from sbwork.read.surveys import Responses
from sbwork.score import scale_reliability, score_coverage, score_scales
from sbwork.score.weights.targets import weight_answers
from sbwork.specs.cohort import Cohort
from sbwork.stats import Flag
from sbwork.stats.findings import combine_findings, has_flag
from sbwork.stats.reliability import estimate_alpha

SITES = ("a1", "c1", "a2", "c2")
WAVES = ("before", "after")
CELLS = list(itertools.product(SITES, WAVES))
SCALES = {"trust": ("t1", "t2", "t3"), "vision": ("v1", "v2")}
SMALL = 10

INSTRUMENT = make_instrument(SCALES)


def make_cohort(**others: Any) -> Cohort:
    surveys = [{"path": f"{wave}.csv", "wave": wave, "site_column": "area"} for wave in WAVES]
    return made_by_hand.make_cohort([("a1", "c1"), ("a2", "c2")], surveys=surveys, **others)


def publish(
    answers: pd.DataFrame,
    found: pd.DataFrame,
    cohort: Cohort,
    others: Sequence[tuple[str, Check]] = (),
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what may be shown of findings, and of how many questionnaires the files hold."""
    sizes = answers.groupby(["wave", "site"]).size().reset_index(name="count")
    files = sizes.assign(source=sizes["wave"] + ".csv")
    used = files.groupby("source")["count"].sum()
    lines = [(str(name), Check(CheckKind.USED, "used", float(n))) for name, n in used.items()]
    responses = Responses(
        answers=answers,
        nonresponse=pd.DataFrame(columns=["wave", "site", "item", "kind", "count"]),
        stories=pd.DataFrame({"question": [], "text": []}),
        multiple=pd.DataFrame(columns=["wave", "site", "set", "option", "count", "base"]),
        dropped=pd.DataFrame(),
        files=files,
        quality=tabulate_lines([*lines, *others]),
    )
    scores, book = score_scales(answers, INSTRUMENT), Ledger()
    enter_responses(book, responses, scores, INSTRUMENT, cohort)
    shown = suppress_findings(found, cohort, book)
    return shown, publish_responses(book, responses, scores, INSTRUMENT, cohort).quality


Blanks = dict[tuple[str, str, str], int]


def make_answers(blanks: Blanks, n: int = 40, linked: bool = False) -> pd.DataFrame:
    """Answers in which as many people of a site and wave leave a whole scale blank."""
    random = np.random.default_rng(1)
    frames = []
    for at, (site, wave) in enumerate(CELLS):
        size = n + at
        answers = random.integers(1, 6, (size, 5)).astype(float)
        frame = pd.DataFrame(answers, columns=["t1", "t2", "t3", "v1", "v2"])
        for scale, items in SCALES.items():
            frame.loc[: blanks.get((scale, site, wave), 0) - 1, list(items)] = np.nan
        person = [f"{site}-{k}" for k in range(size)] if linked else ""
        sex = np.where(np.arange(size) % 2, "f", "m")
        frames.append(frame.assign(wave=wave, site=site, person=person, weight=1.0, sex=sex))
    return pd.concat(frames, ignore_index=True)


def count_people(answers: pd.DataFrame, cohort: Cohort) -> pd.DataFrame:
    weighted, weights = weight_answers(answers, cohort.weighting)
    coverage = score_coverage(weighted, INSTRUMENT, cohort.weighting)
    return combine_findings([weights, coverage])


def evaluate(answers: pd.DataFrame, cohort: Cohort) -> pd.DataFrame:
    weighted, _ = weight_answers(answers, cohort.weighting)
    return combine_findings(
        [
            count_people(answers, cohort),
            compare_scales(score_scales(weighted, INSTRUMENT), cohort, INSTRUMENT),
            scale_reliability(weighted, INSTRUMENT, draws=0),
        ]
    )


def list_cells(site: str, wave: str) -> list[tuple[str, str]]:
    return [(s, w) for s, w in CELLS if site in ("all", s) and wave in ("all", w)]


Equation = tuple[dict[tuple[str, ...], float], float]


def list_equations(shown: pd.DataFrame, quality: pd.DataFrame) -> Iterator[Equation]:
    """Yield what each shown number says of how many were asked and how many have a score."""

    def add(
        site: str, wave: str, scale: str = "", sign: float = 1.0
    ) -> dict[tuple[str, ...], float]:
        return {
            (*((scale,) if scale else ("asked",)), *cell): sign for cell in list_cells(site, wave)
        }

    for _, row in shown.iterrows():
        place, scale = (row["site"], row["period"]), row["outcome"]
        if row["section"] == "scores":
            if row["estimator"] in ("n_scored", "n_unscored") and not math.isnan(row["n"]):
                yield add(*place), row["n"]
            if row["estimator"] == "n_scored" and not math.isnan(row["estimate"]):
                yield add(*place, scale), row["estimate"]
            if row["estimator"] == "n_unscored" and not math.isnan(row["estimate"]):
                yield {**add(*place), **add(*place, scale, -1.0)}, row["estimate"]
        elif row["section"] == "scales" and row["estimator"] == "n" and row["site"] in SITES:
            if not math.isnan(row["n"]):
                yield add(*place, scale), row["n"]
        elif row["estimator"] == "n_eff" and not math.isnan(row["n"]):
            yield add(*place), row["n"]
        elif row["estimator"] == "share_before" and not math.isnan(row["estimate"]):
            # Exactly two sexes: a share that is given to the last digit tells of how many it is.
            exact = Fraction(row["estimate"]).limit_denominator(60)
            if abs(float(exact) - row["estimate"]) < 1e-12 and exact.denominator > 20:
                yield add(*place), float(exact.denominator)
    for source, count in zip(quality["source"], quality["count"], strict=True):
        if not math.isnan(count):
            yield add("all", source.removesuffix(".csv")), count


def solve_unscored(shown: pd.DataFrame, quality: pd.DataFrame) -> dict[tuple[str, str, str], float]:
    """Work out the numbers without a score that follow from what is shown."""
    equations = list(list_equations(shown, quality))
    names = sorted({name for left, _ in equations for name in left})
    at = {name: column for column, name in enumerate(names)}
    matrix = np.zeros((len(equations), len(names)))
    right = np.array([value for _, value in equations])
    for line, (left, _) in enumerate(equations):
        for name, factor in left.items():
            matrix[line, at[name]] = factor
    found = {}
    for scale in SCALES:
        for site, wave in itertools.product((*SITES, "all"), (*WAVES, "all")):
            aim = np.zeros(len(names))
            for cell in list_cells(site, wave):
                for name, sign in ((("asked", *cell), 1.0), ((scale, *cell), -1.0)):
                    if name not in at:
                        break
                    aim[at[name]] = sign
            if np.count_nonzero(aim) < 2 * len(list_cells(site, wave)):
                continue
            mix = np.linalg.lstsq(matrix.T, aim, rcond=None)[0]
            if np.allclose(matrix.T @ mix, aim, atol=1e-7):
                found[scale, site, wave] = float(right @ mix)
    return found


def list_small(blanks: Blanks) -> set[tuple[str, str, str]]:
    small = set()
    for scale in SCALES:
        for site, wave in itertools.product((*SITES, "all"), (*WAVES, "all")):
            total = sum(blanks.get((scale, *cell), 0) for cell in list_cells(site, wave))
            if 1 <= total < SMALL:
                small.add((scale, site, wave))
    return small


def attack(blanks: Blanks, cohort: Cohort) -> dict[tuple[str, str, str], float]:
    answers = make_answers(blanks)
    shown, quality = publish(answers, count_people(answers, cohort), cohort)
    return solve_unscored(shown, quality)


WEIGHTED = make_cohort(weighting={"targets": {"sex": {"f": 0.5, "m": 0.5}}})


@given(
    st.dictionaries(
        st.tuples(st.sampled_from(sorted(SCALES)), st.sampled_from(SITES), st.sampled_from(WAVES)),
        st.integers(0, 14),
        max_size=6,
    )
)
@settings(max_examples=8)
def test_few_people_without_a_score_do_not_follow_from_what_is_shown(blanks: Blanks) -> None:
    solved = attack(blanks, WEIGHTED)
    assert not list_small(blanks) & set(solved)
    assert not [value for value in solved.values() if 0.5 < value < SMALL - 0.5]


def test_the_attack_works_where_nothing_is_protected() -> None:
    blanks = {("trust", "a1", "before"): 3}
    answers = make_answers(blanks)
    found = evaluate(answers, WEIGHTED)
    lines = answers.groupby("wave").size().items()
    quality = tabulate_lines(
        (f"{wave}.csv", Check(CheckKind.USED, "used", float(n))) for wave, n in lines
    )
    small = found["estimator"].eq("n_unscored") & found["estimate"].between(1, 9)
    naive = found.assign(
        estimate=found["estimate"].mask(small),
        n=found["n"].mask(found["estimator"].isin(["n_scored", "n_unscored"])),
    )
    assert solve_unscored(naive, quality)["trust", "a1", "before"] == pytest.approx(3)
    bare = naive[naive["section"] != "weights"]
    assert solve_unscored(bare, quality)["trust", "all", "before"] == pytest.approx(3)


def test_where_nobody_lacks_a_score_nothing_is_hidden() -> None:
    answers, cohort = make_answers({("trust", "a1", "before"): 12}), make_cohort()
    shown, quality = publish(answers, evaluate(answers, cohort), cohort)
    scores = shown[shown["section"] == "scores"]
    assert scores["n"].notna().all()
    assert quality["count"].tolist() == [176.0, 172.0]


def test_only_the_file_that_would_tell_loses_its_count() -> None:
    answers, cohort = make_answers({("trust", "a1", "after"): 3}), make_cohort()
    _, quality = publish(answers, evaluate(answers, cohort), cohort)
    counts = quality.set_index("source")["count"]
    assert math.isnan(counts["after.csv"])
    assert counts["before.csv"] == (answers["wave"] == "before").sum()
    assert "give back" in quality.set_index("source").loc["after.csv", "note"]


def test_alpha_does_not_tell_how_few_answers_are_incomplete() -> None:
    answers, cohort = make_answers({}, n=120), make_cohort()
    answers.loc[answers.index[:3], "t1"] = np.nan
    found = evaluate(answers, cohort)
    shown = suppress_findings(found, cohort)
    where = "outcome == 'trust' and site == 'all' and period == 'all'"
    true, seen = (
        frame.query(f"estimator == 'alpha' and {where}").iloc[0] for frame in (found, shown)
    )
    scored = shown.query(f"estimator == 'n_scored' and {where}")["estimate"].iloc[0]
    assert scored - true["n"] == 3
    assert math.isnan(seen["n"])
    assert has_flag(seen, Flag.N_HIDDEN)
    assert seen["estimate"] == round(true["estimate"], 2)
    # Every number of incomplete answers from 1 to 9 gives the interval that is shown.
    matrix = answers[["t1", "t2", "t3"]].dropna().cov().to_numpy()
    for few in range(1, SMALL):
        guess = estimate_alpha(matrix, int(scored) - few)
        assert (round(guess.ci_low, 2), round(guess.ci_high, 2)) == (
            seen["ci_low"],
            seen["ci_high"],
        )
    site = shown.query("estimator == 'alpha' and outcome == 'trust' and site == 'a1'")
    before = site[site["period"] == "before"].iloc[0]
    assert math.isnan(before["n"])


def test_few_lost_people_do_not_follow_from_those_who_stayed() -> None:
    answers = make_answers({}, linked=True)
    gone = answers["person"].isin([f"c1-{k}" for k in range(4)]) & (answers["wave"] == "after")
    # Twelve others answered only afterwards at each site, so that nobody is told apart by that.
    others = answers[answers["wave"] == "after"].groupby("site").head(12)
    others = others.assign(person="new " + others["person"])
    answers, cohort = pd.concat([answers[~gone], others], ignore_index=True), make_cohort()
    found = evaluate(answers, cohort)
    lost = found.query("estimator == 'attrition_share' and site == 'c1'").iloc[0]
    assert lost["estimate"] * lost["n"] == pytest.approx(4)
    lines = [("all files", Check(CheckKind.LINKED, "people linked across waves", 168.0))]
    shown, quality = publish(answers, found, cohort, lines)
    assert math.isnan(
        shown.query("estimator == 'attrition_share' and site == 'c1'")["estimate"].iloc[0]
    )
    rows = shown[(shown["estimator"] == "ancova") & shown["site"].isin(["a1", "all"])]
    assert rows[["n", "df", "se", "statistic"]].isna().all(axis=None)
    assert rows["estimate"].notna().all()
    shares = shown.loc[shown["estimator"] == "attrition_share", "estimate"]
    total = quality.loc[quality["kind"] == CheckKind.LINKED, "count"]
    assert total.isna().all() or shares.isna().all()
