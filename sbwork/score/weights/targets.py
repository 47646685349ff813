"""Answers weighted to a cohort's population shares, each site and wave by itself."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sbwork.read.checks import Check, CheckKind, tabulate_lines
from sbwork.read.surveys import Responses
from sbwork.read.surveys.answers import fold_answer
from sbwork.score.weights.raking import RakedWeights, rake
from sbwork.specs.cohort import Cohort, Weighting
from sbwork.specs.errors import InputError, Problem, find_nearest, list_names, quote
from sbwork.stats import Estimate, Flag, Reason
from sbwork.stats.cells import Margins, compute_kish_n
from sbwork.stats.estimate import Refusal, add_note
from sbwork.stats.findings import Finding, tabulate_findings

BASE_WEIGHT = "base_weight"
"""The column of raked answers that holds each person's weight before raking."""

NO_ANSWER = "no answer"
"""The category of people with a blank in a column that is raked on."""

_SECTION = "weights"
_NOT_TARGETS = ("wave", "site", "person", "cluster")
_WAVES = {"before": 0, "after": 1}
_ALL_ZERO = Refusal(Reason.NO_ANSWERS, "Everybody's given weight is 0.")

FloatArray = NDArray[np.float64]
Places = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class _Sample:
    """The answers of one site in one wave that have a weight above 0."""

    site: str
    wave: str
    rows: Places


def weigh_responses(responses: Responses, cohort: Cohort) -> tuple[Responses, pd.DataFrame]:
    """Weight a cohort's answers, and note under data quality what was done.

    Parameters
    ----------
    responses : Responses
        As `read_responses` gives them.
    cohort : Cohort
        ``weighting`` holds the targets; ``smallest_group`` the smallest number shown.

    Returns
    -------
    weighted : Responses
        Its ``answers`` as from `weight_answers`, its ``quality`` with lines on the weights.
    findings : pandas.DataFrame
        As from `weight_answers`.

    Raises
    ------
    InputError
        As from `weight_answers`.
    """
    place = str(cohort.folder / "cohort.yml")
    answers, findings = weight_answers(responses.answers, cohort.weighting, place=place)
    lines = list(_check_weights(responses.answers, cohort))
    if not lines:
        return replace(responses, answers=answers), findings
    added = tabulate_lines(("all files", line) for line in lines)
    quality = pd.concat([responses.quality, added], ignore_index=True)
    return replace(responses, answers=answers, quality=quality), findings


def weight_answers(
    answers: pd.DataFrame, weighting: Weighting, *, place: str = "cohort.yml"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rake the answers of each site and wave to the cohort's targets.

    Every site and wave is raked on its own, so that all stand for the same population. People with
    a blank in a column, or with a category listed under ``no_target``, are kept: their share of the
    sample stays as it is, and the targets hold among the others. People whose given weight is 0
    keep it and are not raked. Case and spacing of categories count for nothing.

    Returns the answers with new weights (mean 1 in each site and wave) and, where they were raked,
    the old ones as ``base_weight``; the input is unchanged. Findings of section ``"weights"`` by
    site and wave, none where all weigh the same: for the outcome ``"weight"``, ``"n_eff"`` (Kish,
    count) and ``"largest_weight"`` (ratio to the mean); for each ``"VARIABLE/CATEGORY"``,
    ``"target_share"``, ``"share_before"`` and ``"share_after"`` (share), with the unweighted number
    of people as `n`.
    """
    if answers.empty:
        return answers, tabulate_findings([])
    base = answers["weight"].to_numpy(dtype=np.float64)
    samples = _list_samples(answers, base)
    if not weighting.targets:
        given = [] if (base == 1).all() else samples
        return answers, tabulate_findings(
            Finding(_SECTION, "weight", sample.site, estimate, period=sample.wave)
            for sample in given
            for estimate in _describe_given(base[sample.rows])
        )
    categories = _name_categories(answers, weighting, samples, place)
    weights = base.copy()
    findings: list[Finding] = []
    problems: list[Problem] = []
    for sample in samples:
        if not len(sample.rows):
            estimates = [("weight", estimate) for estimate in _describe_given(base[sample.rows])]
        else:
            frame = categories.iloc[sample.rows]
            raked = rake(
                frame,
                {
                    variable: _share_out(wanted, frame[variable], base[sample.rows])
                    for variable, wanted in weighting.targets.items()
                },
                base=base[sample.rows],
                trim=weighting.trim,
                place=place,
            )
            if not raked.converged and weighting.trim is None:
                problems.append(_refuse_contradiction(raked, sample, place))
            weights[sample.rows] = raked.weights
            estimates = list(_describe_raked(raked))
        findings += [
            Finding(_SECTION, outcome, sample.site, estimate, period=sample.wave)
            for outcome, estimate in estimates
        ]
    if problems:
        raise InputError(problems)
    return answers.assign(**{"weight": weights, BASE_WEIGHT: base}), tabulate_findings(findings)


def find_margins(scores: pd.DataFrame, weighting: Weighting) -> Margins | None:
    """Find what the weights of scores were raked on; None where they were not raked."""
    if BASE_WEIGHT not in scores.columns or not weighting.targets:
        return None
    codes = [
        scores.groupby(
            [scores["site"], scores["wave"], _fold(scores[variable])], sort=False
        ).ngroup()
        for variable in weighting.targets
    ]
    base = scores[BASE_WEIGHT].to_numpy(dtype=np.float64)
    return Margins(base, np.stack([code.to_numpy(dtype=np.intp) for code in codes], axis=1))


def _list_samples(answers: pd.DataFrame, base: FloatArray) -> list[_Sample]:
    groups = answers.groupby(["site", "wave"], sort=True, observed=True).indices
    samples = []
    for key, found in groups.items():
        site, wave = key if isinstance(key, tuple) else (key, "")
        rows = np.asarray(found, dtype=np.intp)
        samples.append(_Sample(str(site), str(wave), rows[base[rows] > 0]))
    return sorted(samples, key=lambda sample: (sample.site, _WAVES.get(sample.wave, 2)))


def _fold(column: pd.Series) -> pd.Series:
    """Return categories in the form in which they are compared; blanks are one of them."""
    codes, found = pd.factorize(column)
    texts = [*(fold_answer(str(text)) or NO_ANSWER for text in found), NO_ANSWER]
    return pd.Series(np.array(texts, dtype=object)[codes], index=column.index, dtype="object")


def _name_categories(
    answers: pd.DataFrame, weighting: Weighting, samples: Sequence[_Sample], place: str
) -> pd.DataFrame:
    """Give each person's category the name that its target has, or refuse them all at once."""
    problems: list[Problem] = []
    if BASE_WEIGHT in answers.columns:
        found = f"a column may not be called '{BASE_WEIGHT}' where answers are weighted"
        problems.append(Problem(place, "key 'surveys.keep'", found, "Leave it out of 'keep'"))
    kept = [
        str(column)
        for column in answers.columns
        if column not in _NOT_TARGETS and not pd.api.types.is_numeric_dtype(answers[column])
    ]
    columns: dict[str, pd.Series] = {}
    for variable, wanted in weighting.targets.items():
        where = f"key 'weighting.targets.{quote(variable)}'"
        if variable not in kept:
            message = f"the answers hold no column '{quote(variable)}' of categories"
            allowed = (
                f"Name it under 'keep' of every survey; kept now: {list_names(kept) or 'none'}"
            )
            problems.append(Problem(place, where, message, allowed, find_nearest(variable, kept)))
            continue
        both = [n for n in weighting.no_target if fold_answer(n) in map(fold_answer, wanted)]
        if both:
            found = f"{list_names(both)} has a share here, and stands under 'no_target' as well"
            problems.append(Problem(place, where, found, "Leave it out of one of them"))
        folded = _fold(answers[variable])
        names = {NO_ANSWER: NO_ANSWER}
        names |= {fold_answer(name): name for name in (*weighting.no_target, *wanted)}
        columns[variable] = folded.map(names)
        strange = answers[variable][columns[variable].isna()]
        problems += _find_untargeted(strange, list(wanted), place, where)
        problems += _find_empty(columns[variable], strange, wanted, samples, (place, where))
    if problems:
        raise InputError(problems)
    return pd.DataFrame(columns, index=answers.index)


def _find_untargeted(
    strange: pd.Series, wanted: Sequence[str], place: str, where: str
) -> Iterator[Problem]:
    if len(strange):
        names = sorted({str(value) for value in strange})
        yield Problem(
            place,
            where,
            f"the answers hold {list_names(names)}, and no share is given for that",
            f"Shares are given for {list_names(wanted)}; a category without one, such as 'prefer "
            "not to say', belongs under 'weighting.no_target'",
            find_nearest(names[0], wanted),
        )


def _find_empty(
    found: pd.Series,
    strange: pd.Series,
    wanted: Mapping[str, float],
    samples: Sequence[_Sample],
    at: tuple[str, str],
) -> Iterator[Problem]:
    here = [(sample, set(found.iloc[sample.rows])) for sample in samples if len(sample.rows)]
    for category in wanted:
        without = [sample for sample, present in here if category not in present]
        if not without:
            continue
        nearest = ""
        if len(without) == len(here):
            message = f"nobody is in '{quote(category)}', so no weight can reach its share"
            nearest = find_nearest(category, sorted({str(value) for value in strange}))
        else:
            places = list_names([f"{sample.site} {sample.wave}" for sample in without], 6)
            message = f"nobody is in '{quote(category)}' at {places}, so no weight can reach its "
            message += "share there"
        allowed = "Join it with another category, in the shares and in the answers"
        yield Problem(*at, message, allowed, nearest)


def _share_out(wanted: Mapping[str, float], found: pd.Series, base: FloatArray) -> dict[str, float]:
    """Leave people without a target their own share, and the targets what is left."""
    mass = pd.Series(base, index=found.index).groupby(found).sum() / base.sum()
    others = {str(name): float(share) for name, share in mass.items() if name not in wanted}
    left = 1 - sum(others.values())
    total = sum(wanted.values())
    return {name: left * share / total for name, share in wanted.items()} | others


def _refuse_contradiction(raked: RakedWeights, sample: _Sample, place: str) -> Problem:
    gaps = (raked.margins["share_after"] - raked.margins["target"]).abs()
    worst = raked.margins.iloc[int(gaps.to_numpy().argmax())]
    return Problem(
        place,
        "key 'weighting.targets'",
        f"the targets can't all be met at once at '{quote(sample.site)}' {sample.wave}: furthest "
        f"off is '{quote(worst['category'])}' of '{quote(worst['variable'])}'",
        "Join small categories, or leave one column out",
    )


def _describe_given(weights: FloatArray) -> Iterator[Estimate]:
    if not len(weights):
        for name, unit in (("n_eff", "count"), ("largest_weight", "ratio")):
            yield _ALL_ZERO.name(name, n=0, unit=unit)
        return
    largest = float(weights.max() / weights.mean())
    yield Estimate("n_eff", compute_kish_n(weights), n=len(weights), unit="count")
    yield Estimate("largest_weight", largest, n=len(weights), unit="ratio")


def _describe_raked(raked: RakedWeights) -> Iterator[tuple[str, Estimate]]:
    n = len(raked.weights)
    n_eff = Estimate("n_eff", raked.n_eff, n=n, unit="count")
    if not raked.converged:
        note = "The weights do not reach every target: compare the shares after weighting."
        n_eff = add_note(n_eff, note, Flag.TARGETS_MISSED)
    if raked.n_trimmed:
        note = "Some weights were held at a limit."
        n_eff = add_note(n_eff, note, Flag.WEIGHTS_LIMITED)
    yield "weight", n_eff
    yield "weight", Estimate("largest_weight", float(raked.weights.max()), n=n, unit="ratio")
    for row in raked.margins.to_dict("records"):
        outcome = f"{row['variable']}/{row['category']}"
        for estimator in ("target", "share_before", "share_after"):
            name = "target_share" if estimator == "target" else estimator
            yield outcome, Estimate(name, row[estimator], n=row["n"], unit="share")


def _check_weights(answers: pd.DataFrame, cohort: Cohort) -> Iterator[Check]:
    weights = answers["weight"]
    if len(weights) and (weights != 1).any():
        yield Check(CheckKind.USED, "answers with a given weight", float(len(weights)))
        zero = float((weights == 0).sum())
        note = "of the weighted figures"
        yield Check(CheckKind.LEFT_OUT, "left out: weight of 0", zero, note)
    if not cohort.weighting.targets:
        return
    used = float((weights > 0).sum())
    columns = list_names(list(cohort.weighting.targets))
    note = f"to population shares of {columns}"
    yield Check(CheckKind.USED, "answers weighted", used, note)
    for variable in cohort.weighting.targets:
        blank = float((_fold(answers[variable]) == NO_ANSWER).sum())
        note = "kept; their share of each site and wave is left as it is"
        if 1 <= blank < cohort.smallest_group:
            blank, note = math.nan, f"fewer than {cohort.smallest_group}; {note}"
        if blank != 0:
            yield Check(CheckKind.DOUBT, f"no answer under '{variable}'", blank, note)
