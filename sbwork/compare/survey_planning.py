"""Surveys planned: how many people have to answer, or how small a difference would be found."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from sbwork.compare.linkage import link_people
from sbwork.specs.errors import InputError, Problem, find_nearest, list_names, quote
from sbwork.stats import Estimate, Reason
from sbwork.stats.estimate import Refusal
from sbwork.stats.findings import Finding, tabulate_findings
from sbwork.stats.precision import (
    add_shock_variance,
    compute_detectable_errors,
    predict_change_precision,
)

__all__ = ["SURVEY_PLAN_COLUMNS", "SurveyDesign", "SurveyPlan", "measure_survey", "plan_survey"]

SURVEY_PLAN_COLUMNS = (
    *("pairs", "area_shock_sd", "respondents", "respondents_after", "invited", "invited_after"),
    *("interviews", "cost", "difference", "points"),
)
"""The columns of a plan's table, in order."""

WAVES = ("different people", "same people")
"""Who answers the second wave."""

_HERE = "plan_survey"
_MEASURED = "measure_survey"
_FEWEST_MEASURED = 10
_FEWEST = 2
_SMALLEST = 0.001
_MOST = 1e9
_EXAMPLE_SHOCK = 0.1
_NOT_COUNTED = "Whole areas also move by chance, which is not counted in here."
_KNOWN_SHOCK = "Takes the chance movement of whole areas as known."
_OUT_OF_REACH = Refusal(
    Reason.TOO_FEW_PAIRS,
    "Cannot be reached with any number of respondents: more areas are needed, since by chance the "
    "mean of a whole area moves too far for such a difference to stand out among so few of them.",
)
_WHERE_NONE = {
    "correlation": 0.0,
    "cluster_size": 1.0,
    "icc": 0.0,
    "response_rate": math.nan,
    "cost_per_interview": math.nan,
}

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SurveyDesign:
    """How a survey of two waves is laid out; `plan_survey` says what each attribute means.

    Attributes
    ----------
    pairs, tests : int
    waves : {"different people", "same people"}
    refresh : bool
    correlation, attrition, icc, weighting_effect, area_shock_sd, power, alpha, sd : float
    cluster_size : float
        1 where people are drawn singly.
    response_rate, cost_per_interview : float
        NaN where not given.
    """

    pairs: int
    waves: str
    correlation: float
    attrition: float
    refresh: bool
    cluster_size: float
    icc: float
    weighting_effect: float
    area_shock_sd: float
    tests: int
    power: float
    alpha: float
    sd: float
    response_rate: float
    cost_per_interview: float

    @property
    def label(self) -> str:
        """The number of pairs, in words."""
        return "1 pair" if self.pairs == 1 else f"{self.pairs} pairs"

    @property
    def design_effect(self) -> float:
        """By how many times clusters and weights raise the variance of a mean."""
        return self.weighting_effect * (1 + (self.cluster_size - 1) * self.icc)

    @property
    def fewest(self) -> float:
        """How many people a site needs at least, so that chance among them can be gauged."""
        kept = 1.0 if self.waves != WAVES[1] else 1 - self.attrition
        return _FEWEST * self.weighting_effect * max(self.cluster_size, 1 / kept)

    def count_answers(self, respondents: Any) -> tuple[Any, Any]:
        """Count who answers the second wave, and who answers both, of each site."""
        if self.waves != WAVES[1]:
            return respondents, 0 * respondents
        stayed = respondents * (1 - self.attrition)
        return respondents if self.refresh else stayed, stayed

    def count_invited(self, respondents: float) -> tuple[float, float]:
        """Count whom to ask in either wave of one site; NaN without a response rate."""
        drawn = respondents / self.response_rate
        if self.waves != WAVES[1]:
            return drawn, drawn
        replaced = drawn * self.attrition if self.refresh else 0 * drawn
        return drawn, respondents + replaced

    def predict_error(self, respondents: ArrayLike) -> tuple[float, float]:
        """Predict the standard error of the pooled difference in differences, in SD, and its df.

        `respondents` is one number for all sites, or one a site.
        """
        n = np.atleast_1d(np.asarray(respondents, dtype=np.float64)) / self.weighting_effect
        after, both = self.count_answers(n)
        variance, df = predict_change_precision(
            np.full(len(n), 1 / self.pairs),
            n, after, both,
            correlation=self.correlation,
            clusters=None if self.cluster_size == 1 else n / self.cluster_size,
            icc=self.icc,
        )  # fmt: skip
        alike = 2 * self.pairs / len(n)
        shocks = 4 / self.pairs
        variance, df = add_shock_variance(variance * alike, df * alike, self.area_shock_sd, shocks)
        return math.sqrt(variance), df

    def find_difference(self, respondents: ArrayLike) -> float:
        """Find the smallest difference that is found with the power asked for, in SD.

        Of an infinite number of respondents, what the area shock alone leaves to be found.
        """
        if np.isinf(respondents).any():
            return self._measure(2 * self.area_shock_sd / math.sqrt(self.pairs), math.inf)
        return self._measure(*self.predict_error(respondents))

    def find_respondents(self, difference: float) -> float:
        """Find how many must answer in each site and wave; NaN where no number suffices."""
        if self.find_difference(_MOST) > difference:
            return math.nan
        low, high = math.ceil(self.fewest) - 1, int(_MOST)
        while high - low > 1:
            middle = min((low + high) // 2, 2 * low + 100)
            if self.find_difference(middle) > difference:
                low = middle
            else:
                high = middle
        return high

    def find_pairs(self, difference: float) -> int:
        """Find the fewest pairs with which a difference can be found at all."""
        furthest = self._measure(2 * self.area_shock_sd, math.inf)
        pairs = math.floor((furthest / difference) ** 2) + 1
        while math.isnan(replace(self, pairs=pairs).find_respondents(difference)):
            pairs += 1
        return pairs

    def _measure(self, se: float, df: float) -> float:
        level = self.alpha / self.tests
        return se * compute_detectable_errors(df, power=self.power, alpha=level)


@dataclass(frozen=True)
class SurveyPlan:
    """What a survey needs, or what it can show.

    Attributes
    ----------
    difference : float
        The difference in differences, in standard deviations of people's scores: the one asked
        for, or the smallest that would be found.
    respondents : int, or tuple of int, or NaN
        How many must answer in each site, in each wave (in the first, where the same people are
        asked again and those lost are not replaced), or as given. NaN where no number suffices.
    design : SurveyDesign
        All else that was asked for.
    table : pandas.DataFrame
        Columns `SURVEY_PLAN_COLUMNS`, a row for each number of pairs, with and without the area
        shock, and each number of respondents. ``respondents``, ``invited`` and these ``_after``
        are of one site in the first wave and in the second; ``interviews`` and ``cost`` of all
        sites and waves together; ``difference`` in SD and ``points`` are the smallest found.
    findings : pandas.DataFrame
        Section ``"survey_plan"``, `comparison` such as ``"2 pairs"``, `n` interviews in all:
        ``respondents_needed`` (``count``) or ``smallest_detectable_difference`` (``sd``) for each
        number of pairs; ``pairs_needed`` (``count``) where more of them are needed; and
        ``smallest_difference_ever`` (``sd``), below which no number of respondents finds anything.
        A missing number has its reason.
    """

    difference: float
    respondents: float | tuple[int, ...]
    design: SurveyDesign
    table: pd.DataFrame
    findings: pd.DataFrame

    @property
    def answer(self) -> pd.Series[Any]:
        """The finding for the plan's own number of pairs."""
        own = self.findings["comparison"] == self.design.label
        return self.findings[own].iloc[0]


def plan_survey(
    *,
    difference: float | None = None,
    respondents: int | Sequence[int] | None = None,
    pairs: int = 2,
    waves: str = "different people",
    correlation: float | None = None,
    attrition: float = 0.0,
    refresh: bool = False,
    cluster_size: float | None = None,
    icc: float | None = None,
    weighting_effect: float = 1.0,
    area_shock_sd: float = 0.0,
    tests: int = 1,
    power: float = 0.8,
    alpha: float = 0.05,
    sd: float = 1.0,
    response_rate: float | None = None,
    cost_per_interview: float | None = None,
    sizes: int | Sequence[int] = (50, 100, 150, 200, 300, 400, 600, 800),
    numbers: int | Sequence[int] = (1, 2, 4),
) -> SurveyPlan:
    """Work out how many residents have to be asked, or how small a difference would be found.

    Plans for the test that `compare_scales` makes: sites in pairs, one of each a control, asked
    before and after; the mean of the pairs' differences in differences, by t with HC2 errors and
    Satterthwaite's degrees of freedom, widened by the area shock that cohort.yml states.

    Parameters
    ----------
    difference : float, optional
        The true difference in differences worth finding, in standard deviations of people's
        scores. Give either this or `respondents`.
    respondents : int or sequence of int, optional
        How many answer in each site and wave; of unequal sites a number each, intervention and
        control site of each pair in turn.
    pairs : int, default 2
        Intervention sites, each with a control site of its own.
    waves : {"different people", "same people"}, default "different people"
        Who answers the second wave: a new sample (repeated cross-section), or those of the first
        again (panel).
    correlation : float, optional
        Between the two scores of one person; needed for, and only for, the same people.
    attrition : float, default 0
        Share of the first wave who don't answer the second.
    refresh : bool, default False
        Whether newcomers take the place of those lost, so that both waves are equally large.
    cluster_size, icc : float, optional
        People per cluster, such as a street, and the intraclass correlation: the design effect is
        1 + (cluster_size - 1) icc (Kish 1965). Of the same people, it is that of their changes.
    weighting_effect : float, default 1
        Kish's factor by which weights raise the variance, 1 + (their relative SD)^2.
    area_shock_sd : float, default 0
        By how much the mean of a whole area moves by chance between waves: the SD per area and
        wave, in SD of people's scores. It adds 4 area_shock_sd^2 / pairs to the variance, which no
        number of respondents takes away.
    tests : int, default 1
        How many confirmatory scales are tested; each is planned for at Holm's first and strictest
        step, alpha / tests.
    power : float, default 0.8
        How often a true difference of that size would be found, with its right sign.
    alpha : float, default 0.05
        Two-sided level of the test.
    sd : float, default 1
        SD of people's scores in points of the scale, to put differences in points.
    response_rate : float, optional
        Share of those invited who answer; then ``invited`` is filled.
    cost_per_interview : float, optional
        Of one completed questionnaire, in any currency; then ``cost`` is filled.
    sizes : sequence of int
        Respondents to tabulate; those too few to plan from are left out.
    numbers : sequence of int
        Numbers of pairs to tabulate, beside `pairs`.

    Returns
    -------
    SurveyPlan

    Raises
    ------
    InputError
        A value that is missing, out of its range or has no meaning beside another; the message
        names each.

    Notes
    -----
    Of each site, n people before and after add 2 / n to the variance over the number of pairs
    squared; the same people 2 (1 - correlation) / n; with attrition a and no newcomers
    (1 + 1 / (1 - a) - 2 correlation) / n, since `compare_scales` keeps those who were lost.

    Power promised against power found, in 2,000 simulated surveys a design analysed by
    `compare_scales` (standard error .009). Of .80 promised: different people, 10, 50, 150 and 400 a
    site, .790, .791, .795 and .786; the same people, .803 and .783; with attrition .3 and .6, .805
    and .792, refreshed .796; clusters .802, .811, few of them .808 and of the same people .794;
    weights .800; an area shock of .05 and .1, .790 and .794; four tests .798. Of .90: .902.

    References
    ----------
    Cohen, J. (1988). Statistical power analysis for the behavioral sciences. Kish, L. (1965).
    Survey sampling. Feldman, H. A., & McKinlay, S. M. (1994). Cohort versus cross-sectional design
    in large field trials. Statistics in Medicine 13, 61-78.

    Examples
    --------
    >>> plan_survey(difference=0.4, pairs=1).respondents
    197
    >>> round(plan_survey(respondents=150, pairs=1).difference, 3)
    0.458
    >>> plan = plan_survey(difference=0.25, pairs=2, area_shock_sd=0.1)
    >>> plan.respondents, plan.findings.query("estimator == 'pairs_needed'")["estimate"].item()
    (nan, 6.0)
    """
    given = dict(locals())
    problems = list(_check_plan(given))
    if problems:
        raise InputError(problems)
    shape = {field.name: given[field.name] for field in fields(SurveyDesign)}
    missing = {name: _WHERE_NONE[name] for name, value in shape.items() if value is None}
    design = SurveyDesign(**(shape | missing))
    every = {int(each) for each in (pairs, *np.atleast_1d(numbers))}
    tried = {int(each) for each in np.atleast_1d(sizes)}
    if difference is not None:
        needed = design.find_respondents(difference)
        if math.isnan(needed):
            fewest = design.find_pairs(difference)
            every |= {fewest, fewest + 1, 2 * fewest}
        else:
            tried.add(int(needed))
        answered: float | tuple[int, ...] = needed
        found = list(_find_needed(design, sorted(every), difference))
    else:
        if problems := list(_check_answers(design, respondents)):
            raise InputError(problems)
        answers = np.atleast_1d(np.asarray(respondents, dtype=np.float64))
        difference, counts = design.find_difference(answers), tuple(int(n) for n in answers)
        even = len(set(counts)) == 1
        answered = counts[0] if even else counts
        tried |= {*counts[:even]}
        found = list(_find_detectable(design, sorted(every) if even else [pairs], answers))
    shocks = (0.0, area_shock_sd or _EXAMPLE_SHOCK)
    found.append(_find_floor(replace(design, area_shock_sd=shocks[1])))
    usable = {n for n in tried if n >= design.fewest} or {math.ceil(design.fewest)}
    table = _tabulate_sizes(design, sorted(every), shocks, sorted(usable))
    return SurveyPlan(difference, answered, design, table, tabulate_findings(found))


def measure_survey(scores: pd.DataFrame, scale: str) -> dict[str, Any]:
    """Take what `plan_survey` needs to know of people from a survey that was made already.

    Parameters
    ----------
    scores : pandas.DataFrame
        As `score_scales` returns them; what `compare_scales` takes.
    scale : str
        The scale that the plan is for.

    Returns
    -------
    dict of str to float, bool or str
        Keyword arguments of `plan_survey`: ``sd`` within sites and waves; ``weighting_effect``;
        where people come in clusters (column ``cluster``), ``cluster_size``, as large as the one
        that a person is in on average, and ``icc`` by analysis of variance, 0 where it is negative;
        where people are linked across waves, ``waves``, ``correlation`` within sites, ``attrition``
        and ``refresh``. What fewer than ten people would show is left out.

    Raises
    ------
    InputError
        No such scale, fewer than ten people with a score, or everybody has the same.

    References
    ----------
    Donner, A., & Koval, J. J. (1980). The estimation of intraclass correlation in the analysis of
    family data. Biometrics 36, 19-25.

    Examples
    --------
    >>> scores = pd.DataFrame({"trust": [2.0, 4.0] * 10, "wave": "before", "site": "a",
    ...                        "person": "", "weight": 1.0})
    >>> measured = measure_survey(scores, "trust")
    >>> round(measured["sd"], 3)
    1.026
    >>> plan_survey(difference=0.4, pairs=1, **measured).respondents
    197
    """
    if scale not in scores.columns:
        names = [str(name) for name in scores.columns]
        found = f"there are no scores of '{quote(scale)}'"
        raise InputError(Problem(_MEASURED, "scale", found, nearest=find_nearest(scale, names)))
    known = scores[scores[scale].notna() & (scores["weight"] > 0)]
    cells = known.groupby(["site", "wave"])
    freedom = len(known) - cells.ngroups
    squares = float(np.sum(np.square(known[scale] - cells[scale].transform("mean"))))
    if len(known) < _FEWEST_MEASURED or freedom < 1 or not squares > 0:
        why = "too few people have a score, or all of a site and wave have the same"
        raise InputError(Problem(_MEASURED, "scale", why, "Give 'sd' to plan_survey by itself"))
    weight = known["weight"] / cells["weight"].transform("mean")
    measured: dict[str, Any] = {
        "sd": math.sqrt(squares / freedom),
        "weighting_effect": max(float(np.square(weight).mean()), 1.0),
    }
    return measured | _measure_clusters(known, scale) | _measure_links(known, scale)


def _measure_clusters(known: pd.DataFrame, scale: str) -> dict[str, float]:
    """Measure how large clusters are, and how alike people are in them, within site and wave."""
    if "cluster" not in known or (known["cluster"].fillna("") == "").all():
        return {}
    alone = pd.Series(np.arange(len(known)).astype(str), known.index)
    named = ("cluster " + known["cluster"]).where(known["cluster"].fillna("") != "", alone)
    cells = known.groupby([known["site"], known["wave"]])[scale]
    clusters = known.groupby([known["site"], known["wave"], named])[scale]
    means, own = clusters.transform("mean"), clusters.transform("size")
    between, within = clusters.ngroups - cells.ngroups, len(known) - clusters.ngroups
    if not (between and within):
        return {}
    apart = float(np.sum(np.square(means - cells.transform("mean")))) / between
    inside = float(np.sum(np.square(known[scale] - means))) / within
    typical = (len(known) - float(np.sum(own / cells.transform("size")))) / between
    icc = (apart - inside) / (apart + (typical - 1) * inside)
    return {"cluster_size": float(own.mean()), "icc": max(icc, 0.0)}


def _measure_links(known: pd.DataFrame, scale: str) -> dict[str, Any]:
    """Measure how people's two scores correlate within sites, and who was lost."""
    linked = link_people(known, [scale])
    if linked is None or len(linked.rows) < _FEWEST_MEASURED:
        return {}
    rows = linked.rows
    ends = rows[[f"{scale}_before", f"{scale}_after"]]
    left = (ends - ends.groupby(rows["site"]).transform("mean")).to_numpy()
    if not (left.std(axis=0) > 0).all():
        return {}
    correlation = float(np.corrcoef(left.T)[0, 1])
    if not abs(correlation) < 1:
        return {}
    before, after = ((known["wave"] == wave).sum() for wave in ("before", "after"))
    return {
        "waves": WAVES[1],
        "correlation": correlation,
        "attrition": 1 - len(rows) / int(before),
        "refresh": bool(after > len(rows)),
    }


def _find_needed(
    design: SurveyDesign, numbers: Sequence[int], difference: float
) -> Iterator[Finding]:
    """Find how many must answer with each number of pairs, and how many pairs at least."""
    unit = "count"
    for pairs in numbers:
        each = replace(design, pairs=pairs)
        n = each.find_respondents(difference)
        found = _OUT_OF_REACH.name("respondents_needed", unit=unit)
        if not math.isnan(n):
            found = _know(each, n, Estimate("respondents_needed", n, unit=unit))
        yield _find(each, found)
        if pairs == design.pairs and math.isnan(n):
            fewest = Estimate("pairs_needed", float(each.find_pairs(difference)), unit=unit)
            yield _find(each, fewest)


def _find_detectable(
    design: SurveyDesign, numbers: Sequence[int], answers: Floats
) -> Iterator[Finding]:
    """Find the smallest difference with each number of pairs."""
    for pairs in numbers:
        each = replace(design, pairs=pairs)
        n = answers if pairs == design.pairs else answers[:1]
        found = Estimate("smallest_detectable_difference", each.find_difference(n), unit="sd")
        yield _find(each, _know(each, n, found))


def _find_floor(design: SurveyDesign) -> Finding:
    floor = design.find_difference(math.inf)
    return _find(design, Estimate("smallest_difference_ever", floor, unit="sd"))


def _know(design: SurveyDesign, respondents: ArrayLike, estimate: Estimate) -> Estimate:
    """Add the error that the test will have, and the interviews that it takes."""
    se, df = design.predict_error(respondents)
    note = _KNOWN_SHOCK if design.area_shock_sd else _NOT_COUNTED
    return replace(estimate, se=se, df=df, n=_count_interviews(design, respondents), note=note)


def _find(design: SurveyDesign, estimate: Estimate) -> Finding:
    return Finding("survey_plan", "", "all", estimate, comparison=design.label)


def _count_interviews(design: SurveyDesign, respondents: ArrayLike) -> float:
    """Count the questionnaires of all sites in both waves."""
    n = np.atleast_1d(np.asarray(respondents, dtype=np.float64))
    both_waves = n + design.count_answers(n)[0]
    return float(np.mean(both_waves)) * 2 * design.pairs


def _tabulate_sizes(
    design: SurveyDesign, numbers: Sequence[int], shocks: Sequence[float], sizes: Sequence[int]
) -> pd.DataFrame:
    """Tabulate the smallest difference found by pairs, with and without a shock, and size."""
    rows = []
    for pairs, shock, n in product(numbers, shocks, sizes):
        each = replace(design, pairs=pairs, area_shock_sd=shock)
        interviews, found = _count_interviews(each, n), each.find_difference(n)
        costs = (interviews, interviews * each.cost_per_interview)
        answers = (float(n), float(each.count_answers(n)[0]))
        rows.append(
            (pairs, shock, *answers, *each.count_invited(n), *costs, found, found * each.sd)
        )
    return pd.DataFrame(rows, columns=list(SURVEY_PLAN_COLUMNS))


def _is_whole(least: int) -> Callable[[float], bool]:
    return lambda value: value >= least and value == int(value)


_RULES: dict[str, tuple[Callable[[float], bool], str]] = {
    "difference": (lambda x: x >= _SMALLEST, f"From {_SMALLEST:g}, in standard deviations"),
    "pairs": (_is_whole(1), "A whole number from 1"),
    "correlation": (lambda x: -1 < x < 1, "Between -1 and 1"),
    "attrition": (lambda x: 0 <= x < 1, "A share from 0 to below 1"),
    "cluster_size": (lambda x: x >= 1, "People per cluster, from 1"),
    "icc": (lambda x: 0 <= x <= 1, "From 0 to 1"),
    "weighting_effect": (lambda x: x >= 1, "From 1, which is none"),
    "area_shock_sd": (lambda x: x >= 0, "From 0, in standard deviations"),
    "tests": (_is_whole(1), "A whole number from 1"),
    "power": (lambda x: 0 < x < 1, "Between 0 and 1, such as 0.8"),
    "alpha": (lambda x: 0 < x < 1, "Between 0 and 1, such as 0.05"),
    "sd": (lambda x: x > 0, "Above 0, in points of the scale"),
    "response_rate": (lambda x: 0 < x <= 1, "A share above 0, up to 1"),
    "cost_per_interview": (lambda x: x >= 0, "From 0"),
}
_OPTIONAL = (
    *("difference", "correlation", "cluster_size", "icc", "response_rate", "cost_per_interview"),
)


def _check_plan(given: Mapping[str, Any]) -> Iterator[Problem]:
    """Find what is wrong with the parameters, each by itself, then beside the others."""
    wrong = False
    for name, (holds, allowed) in _RULES.items():
        value = given[name]
        if not (value is None and name in _OPTIONAL) and not (_is_number(value) and holds(value)):
            yield _refuse(name, value, allowed)
            wrong = True
    if given["waves"] not in WAVES:
        nearest = find_nearest(given["waves"], WAVES)
        yield replace(_refuse("waves", given["waves"], list_names(WAVES)), nearest=nearest)
        wrong = True
    for name, least in (("respondents", _FEWEST), ("sizes", _FEWEST), ("numbers", 1)):
        value = given[name]
        if name == "respondents" and value is None:
            continue
        several = isinstance(value, Iterable) and not isinstance(value, str)
        values = list(value) if several else [value]
        bad = [each for each in values if not (_is_number(each) and _is_whole(least)(each))]
        if bad or not values:
            found = bad[0] if bad else "an empty list"
            yield _refuse(name, found, f"Whole numbers from {least}")
            wrong = True
    if not wrong:
        yield from _check_together(given)


def _check_together(given: Mapping[str, Any]) -> Iterator[Problem]:
    """Find which parameters don't go together; each is right by itself."""
    answers = given["respondents"]
    if (given["difference"] is None) == (answers is None):
        both = "neither is given" if answers is None else "both are given"
        allowed = "Give one of the two: the other is worked out"
        yield Problem(_HERE, "difference and respondents", both, allowed)
    if given["power"] <= given["alpha"]:
        yield _refuse("power", given["power"], "Above alpha, or nothing need be there to be found")
    again = given["waves"] == WAVES[1]
    if again and given["correlation"] is None:
        found = "it is not given, and the same people answer both waves"
        yield Problem(_HERE, "correlation", found, "Between the two scores of one person, often .5")
    for name in ("correlation", "attrition", "refresh"):
        if not again and given[name]:
            found = "it is given, but different people answer each wave"
            yield Problem(_HERE, name, found, f"Leave it out, or give waves='{WAVES[1]}'")
    if (given["icc"] is None) != (given["cluster_size"] is None):
        name, other = ("icc", "cluster_size")[:: -1 if given["icc"] is None else 1]
        yield Problem(_HERE, name, f"'{other}' is not given beside it", "Give both or neither")


def _check_answers(design: SurveyDesign, respondents: Any) -> Iterator[Problem]:
    """Find what is wrong with the numbers of people who answer, given all else."""
    n = np.atleast_1d(respondents)
    if len(n) not in (1, 2 * design.pairs):
        found = f"{len(n)} numbers are given for {design.pairs} pairs of sites"
        yield Problem(_HERE, "respondents", found, f"Give one, or {2 * design.pairs}: one a site")
    elif min(n) < design.fewest:
        allowed = f"At least {math.ceil(design.fewest)} in each site, two people or clusters a wave"
        yield _refuse("respondents", min(n), allowed)


def _refuse(name: str, value: Any, allowed: str) -> Problem:
    given = f"'{quote(value)}'" if isinstance(value, str) else quote(value)
    return Problem(_HERE, name, f"{given} is given", allowed)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
