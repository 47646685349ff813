"""Who answered: from invited to analysed, how unlike, and what those who did not could change."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sbwork.compare.surveys import compare_scales, number_clusters, weigh_pairs
from sbwork.score.items import ScaleScore, average_scales
from sbwork.specs.cohort import Cohort, Pair
from sbwork.specs.instrument import Instrument
from sbwork.stats import Estimate, Flag, Reason
from sbwork.stats.balance import estimate_standardised_mean, estimate_standardised_shares
from sbwork.stats.bounds import (
    Bounds,
    Side,
    compute_lee_bounds,
    compute_worst_case,
    estimate_bounds,
    estimate_response_bounds,
    refuse_bounds,
)
from sbwork.stats.cells import summarise_cell
from sbwork.stats.estimate import Refusal, complete_estimate
from sbwork.stats.findings import Finding, combine_findings, find_row, tabulate_findings
from sbwork.stats.means import estimate_mean
from sbwork.stats.missing import NormalFit, fit_normal
from sbwork.stats.ordinal import estimate_ordered_contrast, estimate_superiority
from sbwork.stats.shares import estimate_share

__all__ = ["compare_sample"]

LEE = ("lee_lower", "lee_upper")
MANSKI = ("manski_lower", "manski_upper")
MANSKI_INVITED = ("manski_invited_lower", "manski_invited_upper")

_SECTION = "sample"
_PEOPLE = "questionnaire"
_WAVES = ("before", "after")
_ARMS = ("intervention", "control")
_SMD = "standardised_difference"
_DID = "difference_in_differences"
_NO_ANSWER = "no answer"
_OTHERS = "others, together"
_FEWEST_VALUES = 10
_UNKNOWN = "cohort.yml does not say how many people were invited ('invited')."
_UNASKED = Refusal(Reason.NO_ANSWERS, "One of the groups has no answer to it at all.")
_FEW = Refusal(
    Reason.TOO_FEW_PEOPLE, "Its categories hold too few people to be compared one by one."
)
_LEE_NOTE = (
    "For people who would answer the second wave whether their area got the work or not; assumes "
    "that the work made nobody less, or nobody more, ready to answer."
)
_MANSKI_NOTE = (
    "Everybody of the first wave, with the lost at the worst or best answers that the scale has."
)
_INVITED_NOTE = (
    "Everybody invited, with those who gave no score at the worst or best answers of the scale."
)
_ORDERED_NOTE = (
    "Odds ratio of a higher score, by the cumulative logit model over all distinct scores: only "
    "their order counts."
)
_RANKS_NOTE = "Mann and Whitney's test, in which the waves are different people; not weighted."
_FIML_NOTE = (
    "From every answer at hand, by full-information maximum likelihood on the questions of the "
    "scale, for each site and wave."
)
_FEW_CLUSTERS = "There are too few clusters for an interval."
_COMPLETE_NOTE = "Only people who answered every question of the scale."

Place = tuple[str, str]
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class _Contrast:
    """Sites and waves with their coefficients, and where the figure stands in the findings."""

    site: str
    comparison: str
    period: str
    places: Mapping[Place, float]
    pairs: tuple[Pair, ...] = ()

    @property
    def estimator(self) -> str:
        """What it is called in the section of the scales."""
        if self.comparison:
            return _DID
        return "mean_difference" if self.period == "change" else "mean"


@dataclass(frozen=True)
class _Sample:
    """The answers of one cohort, read once for every comparison."""

    answers: pd.DataFrame
    scores: pd.DataFrame
    cohort: Cohort
    instrument: Instrument

    @cached_property
    def sites(self) -> list[str]:
        """The sites with answers or invitations, and every side of a pair."""
        invited = {site for counts in self.cohort.invited.values() for site in counts}
        present = {*self.answers["site"], *self.cohort.compared_sites, *invited}
        return [site for site in self.cohort.sites if site in present]

    @cached_property
    def weights(self) -> NDArray[np.float64]:
        return self.answers["weight"].to_numpy(dtype=np.float64)

    @cached_property
    def weighted(self) -> bool:
        return bool((self.weights[self.weights > 0] != 1).any())

    @cached_property
    def clusters(self) -> Rows | None:
        """The cluster of each row, else the person where some are linked."""
        found = number_clusters(self.answers)
        if found is None:
            person = self.answers["person"].fillna("").astype(str)
            site = self.answers["site"].astype(str)
            found = number_clusters(
                self.answers.assign(cluster=(site + "/" + person).where(person != "", ""))
            )
        return found

    @cached_property
    def clustered(self) -> bool:
        return number_clusters(self.answers) is not None

    @cached_property
    def parts(self) -> dict[str, ScaleScore]:
        return average_scales(self.answers, self.instrument)

    @cached_property
    def people(self) -> pd.DataFrame:
        """Those of either wave whose id is their own there, with a weight above 0."""
        frame = self.answers[["wave", "site", "person"]].assign(row=np.arange(len(self.answers)))
        known = frame[(frame["person"].fillna("") != "") & (self.weights > 0)]
        return known[~known.duplicated(["wave", "site", "person"], keep=False)]

    @property
    def flags(self) -> tuple[Flag, ...]:
        marks = {Flag.WEIGHTED: self.weighted, Flag.CLUSTERED: self.clustered}
        return tuple(flag for flag, applies in marks.items() if applies)

    def find_invited(self, site: str, wave: str) -> int | None:
        """Find how many people were invited; None where cohort.yml does not say."""
        counts = {str(key): each for key, each in self.cohort.invited.items()}
        return counts.get(wave, {}).get(site)

    def find_rows(self, sites: Sequence[str], wave: str, *, used: bool = True) -> Rows:
        """Find the rows of some sites in a wave, by default those with a weight above 0."""
        inside = self.answers["site"].isin(sites) & (self.answers["wave"] == wave)
        return np.flatnonzero(inside.to_numpy() & ((self.weights > 0) | (not used)))

    def list_contrasts(self, scale: str) -> list[_Contrast]:
        """List the differences in differences; without a control, the changes, or the means."""
        cohort = self.cohort
        scored = self.scores[scale].notna().to_numpy()
        answered = {
            (site, wave)
            for site, wave in product(self.sites, _WAVES)
            if scored[self.find_rows([site], wave)].sum() > 1
        }
        paired = [pair for pair in cohort.pairs if pair.control]
        whole = [pair for pair in cohort.list_surveyed_pairs(answered) if pair.control]
        contrasts = [
            _Contrast(pair.intervention, str(pair.control), "change", weigh_pairs([pair]), (pair,))
            for pair in paired
        ]
        if whole:
            together = weigh_pairs(whole)
            contrasts.append(_Contrast("all", "control", "change", together, tuple(whole)))
        if paired:
            return contrasts
        changes = [
            _Contrast(site, "", "change", {(site, "before"): -1.0, (site, "after"): 1.0})
            for site in self.sites
            if {(site, wave) for wave in _WAVES} <= answered
        ]
        single = [_Contrast(site, "", wave, {(site, wave): 1.0}) for site, wave in sorted(answered)]
        return changes or single


def compare_sample(
    answers: pd.DataFrame,
    scores: pd.DataFrame,
    compared: pd.DataFrame,
    cohort: Cohort,
    instrument: Instrument,
) -> pd.DataFrame:
    """Describe who answered, and what those who did not could change.

    Parameters
    ----------
    answers : pandas.DataFrame
        `Responses.answers`, weighted where they are to be.
    scores : pandas.DataFrame
        From `score_scales`, with the rows of `answers`.
    compared : pandas.DataFrame
        Findings of `compare_scales`, which the ordinal check is set beside.
    cohort : Cohort
        Sites, pairs, how many people were invited, columns kept.
    instrument : Instrument
        Names the scales and their questions.

    Returns
    -------
    pandas.DataFrame, columns `findings.RESULT_COLUMNS`
        Section ``"sample"``. Of the outcome ``"questionnaire"``, by site (and ``"all"``) and wave:
        ``n_invited``, ``n_answered``, ``n_used`` (weight above 0), ``n_scored`` (a score on any
        scale), ``response_rate`` (Wilson); with period ``"change"``, ``n_linked`` and
        ``n_clusters``.

        ``standardised_difference`` (and ``_weighted``) of each scale and background column: of the
        intervention site over its control in the wave before, with period ``"before"``, and, of
        background columns, of the wave after over the wave before in each arm, with period
        ``"change"``. ``mean`` and ``share`` (outcome ``"VARIABLE/CATEGORY"``, `n` the people in
        it) of each arm and wave. Categories with fewer people than ``smallest_group`` in some arm
        and wave are joined; a column of numbers with more than ten values is compared by means.

        Per scale, pair and for all pairs: ``lee_lower`` and ``lee_upper``, ``manski_lower`` and
        ``manski_upper`` where people are linked, of those with a score in the first wave;
        ``manski_invited_lower`` and ``_upper`` where the numbers invited are known. Both rows have
        the one interval of Imbens and Manski. ``difference_in_differences_fiml`` and
        ``difference_in_differences_complete_cases``; without control sites ``mean_difference_`` or
        ``mean_`` of each site instead. ``ordered_logit`` (odds ratio), flagged ``DISAGREES`` where
        it differs from the difference in differences in sign or in whether the interval excludes
        no change; per site ``probability_of_superiority`` with Mann and Whitney's p.

    See Also
    --------
    sbwork.stats.balance, sbwork.stats.bounds, sbwork.stats.missing, sbwork.stats.ordinal
    """
    if answers.empty:
        return combine_findings([])
    sample = _Sample(answers.reset_index(drop=True), scores.reset_index(drop=True), cohort,
                     instrument)  # fmt: skip
    findings = [*_count_flow(sample), *_compare_balance(sample)]
    for scale in instrument.scales:
        findings += [
            *_bound_scale(sample, scale),
            *_fill_scale(sample, scale),
            *_check_order(sample, scale, compared),
        ]
    return combine_findings([tabulate_findings(findings), _compare_complete(sample)])


def _find(
    outcome: str, site: str, estimate: Estimate, comparison: str = "", period: str = ""
) -> Finding:
    return Finding(_SECTION, outcome, site, estimate, comparison, period)


def _count_flow(sample: _Sample) -> Iterator[Finding]:
    """Count people from invited to linked; what is not known is never guessed."""
    scales = [scale for scale in sample.instrument.scales if scale in sample.scores]
    scored = sample.scores[scales].notna().any(axis=1).to_numpy()
    for site, wave in product([*sample.sites, "all"], _WAVES):
        members = sample.sites if site == "all" else [site]
        rows = sample.find_rows(members, wave, used=False)
        used = sample.find_rows(members, wave)
        counts = {"n_answered": len(rows), "n_used": len(used), "n_scored": scored[used].sum()}
        invited = [sample.find_invited(member, wave) for member in members]
        known = [count for count in invited if count is not None]
        estimates = [_count(name, float(number)) for name, number in counts.items()]
        if len(known) == len(invited):
            estimates.insert(0, _count("n_invited", float(sum(known))))
            estimates.append(estimate_share(len(rows), sum(known), estimator="response_rate"))
        else:
            refused = Refusal(Reason.NOT_STATED, _UNKNOWN)
            estimates.insert(0, refused.name("n_invited", unit="count"))
            estimates.append(refused.name("response_rate", n=float(len(rows)), unit="share"))
        for estimate in estimates:
            yield _find(_PEOPLE, site, estimate, period=wave)
    sides = [sample.people[sample.people["wave"] == wave] for wave in _WAVES]
    linked = sides[0].merge(sides[1], on=["site", "person"])["site"].value_counts()
    for site in [*sample.sites, "all"]:
        members = sample.sites if site == "all" else [site]
        if len(sample.people):
            together = sum(int(linked.get(member, 0)) for member in members)
            yield _find(_PEOPLE, site, _count("n_linked", float(together)), period="change")
        if sample.clustered and sample.clusters is not None:
            inside = sample.answers["site"].isin(members).to_numpy() & (sample.weights > 0)
            number = float(len(np.unique(sample.clusters[inside])))
            estimate = Estimate("n_clusters", number, n=float(inside.sum()), unit="count")
            yield _find(_PEOPLE, site, estimate, period="change")


def _count(name: str, number: float) -> Estimate:
    return Estimate(name, number, n=number, unit="count")


def _compare_balance(sample: _Sample) -> Iterator[Finding]:
    cohort = sample.cohort
    paired = [pair for pair in cohort.pairs if pair.control]
    arms = {
        "intervention": [pair.intervention for pair in paired],
        "control": list(dict.fromkeys(str(pair.control) for pair in paired)),
    }
    sides = [(pair.intervention, str(pair.control)) for pair in paired]
    groups = {site: [site] for site in sample.sites} | arms
    compared = [*(sides if len(sides) != 1 else []), _ARMS] if paired else []
    for scale in sample.instrument.scales:
        values = sample.scores[scale].to_numpy()
        for site, comparison in compared:
            rows = [sample.find_rows(groups[key], "before") for key in (site, comparison)]
            for estimate in _standardise_means(sample, values, rows):
                yield _find(scale, site, estimate, comparison, "before")
        for arm in _ARMS if paired else ():
            yield _find(scale, arm, _average(values, sample.find_rows(arms[arm], "before")), "",
                        "before")  # fmt: skip
    told = {arm: arms[arm] for arm in _ARMS} if paired else {"all": sample.sites}
    for name in _list_background(sample):
        yield from _compare_background(sample, name, compared, groups, told)


def _list_background(sample: _Sample) -> list[str]:
    kept = [name for source in sample.cohort.surveys for name in source.keep]
    named = dict.fromkeys([*kept, *sample.cohort.weighting.targets])
    return [name for name in named if name in sample.answers.columns]


def _compare_background(
    sample: _Sample,
    name: str,
    compared: Sequence[tuple[str, str]],
    groups: Mapping[str, Sequence[str]],
    told: Mapping[str, Sequence[str]],
) -> Iterator[Finding]:
    """Compare one background column between arms before, and between waves in each arm."""
    cells = {(arm, wave): sample.find_rows(told[arm], wave) for arm, wave in product(told, _WAVES)}
    text = sample.answers[name].fillna("").astype(str).str.strip()
    numbers = pd.to_numeric(text.where(text != ""), errors="coerce")
    numeric = bool((numbers.notna() == (text != "")).all()) and numbers.nunique() > _FEWEST_VALUES
    categories: Any = (
        numbers.to_numpy(dtype=np.float64)
        if numeric
        else _join_small(text, list(cells.values()), sample.cohort.smallest_group)
    )
    blank = (text == "").to_numpy()

    def compare(rows: Sequence[Rows]) -> list[Estimate]:
        if any(len(side) == 0 or blank[side].all() for side in rows):
            return [_UNASKED.name(_SMD, n=float(sum(map(len, rows))), unit="sd")]
        if numeric:
            return _standardise_means(sample, categories, rows)
        return _standardise_categories(sample, categories, rows)

    for site, comparison in compared:
        sides = [sample.find_rows(groups[key], "before") for key in (site, comparison)]
        for estimate in compare(sides):
            yield _find(name, site, estimate, comparison, "before")
    for arm in told:
        for estimate in compare([cells[arm, "after"], cells[arm, "before"]]):
            yield _find(name, arm, estimate, "", "change")
    for (arm, wave), rows in cells.items():
        if not len(rows) or blank[rows].all():
            continue
        if numeric:
            yield _find(name, arm, _average(categories, rows), "", wave)
            continue
        counts = pd.Series(categories[rows]).value_counts()
        for category in sorted(set(categories)):
            count = float(counts.get(category, 0))
            estimate = Estimate("share", count / len(rows), n=count, unit="share")
            yield _find(f"{name}/{category}", arm, estimate, "", wave)


def _join_small(text: pd.Series, cells: Sequence[Rows], smallest: int) -> NDArray[np.object_]:
    """Join categories that some cell has too few people of, until none is left."""
    named = text.where(text != "", _NO_ANSWER).to_numpy(dtype=object)
    counts = pd.DataFrame(
        [pd.Series(named[rows]).value_counts() for rows in cells if len(rows)]
    ).fillna(0)
    small: list[Any] = [c for c in counts if counts[c].between(1, smallest - 1).any()]
    rest = sorted((c for c in counts if c not in small), key=lambda c: counts[c].sum())
    while small and counts[small].sum(axis=1).between(1, smallest - 1).any() and rest:
        small.append(rest.pop(0))
    joined: NDArray[np.object_] = np.where(np.isin(named, small), _OTHERS, named)
    return joined


def _average(values: NDArray[np.float64], rows: Rows) -> Estimate:
    mean = estimate_mean(summarise_cell(values[rows]))
    note = mean.note or "Of the people as one sample, not weighted."
    return replace(mean, note=note)


def _standardise_means(
    sample: _Sample, values: NDArray[np.float64], rows: Sequence[Rows]
) -> list[Estimate]:
    one, other = (summarise_cell(values[side]) for side in rows)
    found = [estimate_standardised_mean(one, other)]
    if sample.weighted:
        one, other = (summarise_cell(values[side], sample.weights[side]) for side in rows)
        weighted = estimate_standardised_mean(one, other, f"{_SMD}_weighted")
        found.append(replace(weighted, flags=(*weighted.flags, Flag.WEIGHTED)))
    return found


def _standardise_categories(
    sample: _Sample, categories: NDArray[np.object_], rows: Sequence[Rows]
) -> list[Estimate]:
    n = float(sum(map(len, rows)))
    if set(np.concatenate([categories[side] for side in rows])) == {_OTHERS}:
        return [_FEW.name(_SMD, n=n, unit="sd")]
    found: list[Estimate] = []
    for weights in (np.ones(len(categories)), *([sample.weights] if sample.weighted else [])):
        one, other = (
            pd.Series(weights[side]).groupby(categories[side]).sum().to_dict() for side in rows
        )
        plain = not found
        name = _SMD if plain else f"{_SMD}_weighted"
        estimate = estimate_standardised_shares(one, other, name)
        flags = estimate.flags if plain else (*estimate.flags, Flag.WEIGHTED)
        found.append(replace(estimate, n=n, flags=flags))
    return found


def _find_limits(sample: _Sample, scale: str) -> tuple[float, float]:
    """Find the lowest and the highest score that is possible."""
    parts = sample.parts[scale].parts
    return (
        sum(part.low for part in parts) / len(parts),
        sum(part.high for part in parts) / len(parts),
    )


def _bound_scale(sample: _Sample, scale: str) -> Iterator[Finding]:
    """Bound the difference in differences by what lost and silent people could have said."""
    contrasts = [one for one in sample.list_contrasts(scale) if one.comparison]
    follow = {
        site: _follow_people(sample, scale, site)
        for one in contrasts
        for site in {place[0] for place in one.places}
    }
    for one in contrasts:
        if len(sample.people):
            for name, estimates in _bound_attrition(sample, scale, one, follow):
                note = _LEE_NOTE if name == LEE else _MANSKI_NOTE
                yield from _place_bounds(scale, one, estimates, note, sample.flags)
        invited = _bound_response(sample, scale, one)
        weighted = (Flag.WEIGHTED,) if sample.weighted else ()
        yield from _place_bounds(scale, one, invited, _INVITED_NOTE, weighted)


def _place_bounds(
    scale: str,
    one: _Contrast,
    estimates: Sequence[Estimate],
    note: str,
    marks: tuple[Flag, ...],
) -> Iterator[Finding]:
    for estimate in estimates:
        known = not math.isnan(estimate.estimate)
        words = f"{estimate.note} {note}".strip() if known else estimate.note
        flags = (*estimate.flags, *marks) if known else estimate.flags
        placed = replace(estimate, note=words, flags=flags)
        yield _find(scale, one.site, placed, one.comparison, one.period)


def _follow_people(sample: _Sample, scale: str, site: str) -> pd.DataFrame:
    """Return everybody of a site with an id and a score before: `row`, `before`, `after`."""
    points = sample.scores[scale].to_numpy()
    own = sample.people[sample.people["site"] == site]
    first, second = (own.loc[own["wave"] == wave, ["person", "row"]] for wave in _WAVES)
    both = first.merge(second, on="person", how="left", suffixes=("", "_after"))
    later = both["row_after"].to_numpy(dtype=np.float64)
    seen = ~np.isnan(later)
    after = np.full(len(both), np.nan)
    after[seen] = points[later[seen].astype(np.intp)]
    both = both.assign(before=points[both["row"].to_numpy(dtype=np.intp)], after=after)
    return both[both["before"].notna()]


def _bound_attrition(
    sample: _Sample, scale: str, one: _Contrast, follow: Mapping[str, pd.DataFrame]
) -> Iterator[tuple[tuple[str, str], Sequence[Estimate]]]:
    limits = _find_limits(sample, scale)
    lee: list[Bounds] = []
    worst: list[Bounds] = []
    sites = {place[0] for place in one.places}
    n = float(sum(len(follow[site]) for site in sites))
    few = [site for site in sites if len(follow[site]) < 2]
    if few:
        site = sample.cohort.title_site(sorted(few)[0])
        note = f"Fewer than two people of {site} have an id and a score in the first wave."
        for names in (LEE, MANSKI):
            yield names, refuse_bounds(names, Reason.TOO_FEW_PEOPLE, note, n)
        return
    codes = {}
    for site in sites:
        rows = follow[site]["row"].to_numpy(dtype=np.intp)
        codes[site] = rows if sample.clusters is None else sample.clusters[rows]
    for pair in one.pairs:
        made = [_make_sides(sample, follow[site], site, limits)
                for site in (pair.intervention, str(pair.control))]  # fmt: skip
        worst.append(compute_worst_case(made[0][1:], made[1][1:]))
        if all(side[0].known.any() for side in made):
            lee.append(compute_lee_bounds(made[0][0], made[1][0]))
    clusters = codes if sample.clustered else None
    if len(lee) == len(one.pairs):
        yield LEE, estimate_bounds(lee, LEE, clusters)
    else:
        note = "Nobody of one of the sites has a score in both waves, so no change is known there."
        yield LEE, refuse_bounds(LEE, Reason.NO_ANSWERS, note, n)
    yield MANSKI, estimate_bounds(worst, MANSKI, clusters)


def _make_sides(
    sample: _Sample, people: pd.DataFrame, site: str, limits: tuple[float, float]
) -> tuple[Side, Side, Side]:
    """Make a side of changes: as known, with the lost at the lowest score, and at the highest."""
    before, after = (people[wave].to_numpy(dtype=np.float64) for wave in _WAVES)
    weights = sample.weights[people["row"].to_numpy(dtype=np.intp)]
    lowest, highest = (
        Side(site, np.where(np.isnan(after), limit, after) - before, weights) for limit in limits
    )
    return Side(site, after - before, weights), lowest, highest


def _bound_response(sample: _Sample, scale: str, one: _Contrast) -> Sequence[Estimate]:
    points = sample.scores[scale].to_numpy()
    rows = {place: sample.find_rows([place[0]], place[1]) for place in one.places}
    cells = [summarise_cell(points[at], sample.weights[at]) for at in rows.values()]
    counts = [sample.find_invited(site, wave) for site, wave in one.places]
    known = [count for count in counts if count is not None]
    if len(known) < len(counts):
        n = float(sum(cell.n for cell in cells))
        return refuse_bounds(MANSKI_INVITED, Reason.NOT_STATED, _UNKNOWN, n)
    return estimate_response_bounds(
        cells, known, list(one.places.values()), _find_limits(sample, scale), MANSKI_INVITED
    )


def _fill_scale(sample: _Sample, scale: str) -> Iterator[Finding]:
    """Estimate each comparison of a scale from every answer at hand."""
    fits: dict[Place, tuple[Rows, NormalFit]] = {}
    coefficients, constant = _spread_scale(sample.parts, scale)
    items = np.column_stack([sample.answers[item].to_numpy(float) for item in coefficients])
    share = np.array(list(coefficients.values()))
    for one in sample.list_contrasts(scale):
        estimate, pulls, n = 0.0, np.zeros(len(sample.answers)), 0
        name = f"{one.estimator}_fiml"
        refused: Estimate | None = None
        for (site, wave), c in one.places.items():
            if (site, wave) not in fits:
                rows = sample.find_rows([site], wave)
                weights = sample.weights[rows] if sample.weighted else None
                fits[site, wave] = rows, fit_normal(items[rows], weights)
            rows, fit = fits[site, wave]
            n += fit.n
            if fit.problem:
                title = sample.cohort.title_site(site)
                note = f"Not computed in {title}, wave {wave}: {fit.problem.note}"
                refused = Estimate(name, unit="points", note=note, reason=fit.problem.reason)
                continue
            estimate += c * (float(fit.mean @ share) + constant)
            pulls[rows] += c * (fit.influence @ share)
        if refused:
            found = replace(refused, n=float(n))
        else:
            found = _complete(sample, name, estimate, pulls, n, len(one.places))
        yield _find(scale, one.site, found, one.comparison, one.period)


def _spread_scale(parts: Mapping[str, ScaleScore], scale: str) -> tuple[dict[str, float], float]:
    """Write the score of complete answers as coefficients of the questions, and a constant."""
    coefficients: dict[str, float] = {}
    constant, k = 0.0, len(parts[scale].parts)
    for part in parts[scale].parts:
        inner, base = {part.name: 1.0}, 0.0
        if part.name in parts:
            inner, base = _spread_scale(parts, part.name)
        sign = -1.0 if part.reverse else 1.0
        for item, c in inner.items():
            coefficients[item] = coefficients.get(item, 0.0) + sign * c / k
        constant += (sign * base + (part.low + part.high if part.reverse else 0.0)) / k
    return coefficients, constant


def _complete(
    sample: _Sample, name: str, estimate: float, pulls: NDArray[np.float64], n: int, cells: int
) -> Estimate:
    """Add the error; by cluster times G / (G - 1), on G less the number of means."""
    scale, df = 1.0, math.inf
    if sample.clusters is not None:
        pulls = np.asarray(np.bincount(sample.clusters, pulls), dtype=np.float64)
        if sample.clustered:
            active = int((pulls != 0).sum())
            scale, df = active / max(active - 1, 1), float(active - cells)
    se = math.sqrt(scale * float(np.square(pulls).sum()))
    known: dict[str, Any] = {"n": float(n), "unit": "points"}
    if not df > 0:
        flags = (*sample.flags, Flag.FEW_CLUSTERS, Flag.NO_INTERVAL)
        note = f"{_FIML_NOTE} {_FEW_CLUSTERS}"
        return Estimate(name, estimate, note=note, flags=flags, **known)
    return complete_estimate(name, estimate, se, df, note=_FIML_NOTE, flags=sample.flags, **known)


def _compare_complete(sample: _Sample) -> pd.DataFrame:
    """Compare the scales among those who answered every question of each."""
    masked = {
        scale: np.where(score.complete, score.points, np.nan)
        for scale, score in sample.parts.items()
    }
    found = compare_scales(sample.scores.assign(**masked), sample.cohort, sample.instrument)
    wanted = {
        (scale, one.site, one.comparison, one.period, one.estimator)
        for scale in sample.instrument.scales
        for one in sample.list_contrasts(scale)
    }
    keys = ["outcome", "site", "comparison", "period", "estimator"]
    rows = found[pd.MultiIndex.from_frame(found[keys]).isin(wanted)]
    leading = {Flag.LEADS, Flag.CONFIRMATORY}
    return rows.assign(
        section=_SECTION,
        estimator=rows["estimator"] + "_complete_cases",
        p_adjusted=math.nan,
        flags=[" ".join(f for f in flags.split() if f not in leading) for flags in rows["flags"]],
        note=[f"{_COMPLETE_NOTE} {note}".strip() for note in rows["note"]],
    )


def _check_order(sample: _Sample, scale: str, compared: pd.DataFrame) -> Iterator[Finding]:
    """Compare by order alone: ranks in each site, and the cumulative logit across sites."""
    points = sample.scores[scale].to_numpy()
    known = ~np.isnan(points)
    for site in sample.sites:
        sides = [sample.find_rows([site], wave) for wave in _WAVES]
        if all(known[rows].any() for rows in sides):
            ranks = estimate_superiority(*(points[rows][known[rows]] for rows in sides))
            note = f"{ranks.note} {_RANKS_NOTE}".strip()
            yield _find(scale, site, replace(ranks, note=note), "", "change")
    for one in sample.list_contrasts(scale):
        if not one.comparison:
            continue
        cells = [sample.find_rows([site], wave) for site, wave in one.places]
        cells = [rows[known[rows]] for rows in cells]
        rows = np.concatenate(cells)
        estimate = estimate_ordered_contrast(
            points[rows],
            np.repeat(np.arange(len(cells)), [len(cell) for cell in cells]),
            list(one.places.values()),
            sample.weights[rows] if sample.weighted else None,
            None if sample.clusters is None else sample.clusters[rows],
        )
        if not math.isnan(estimate.estimate):
            did = find_row(compared, outcome=scale, site=one.site, comparison=one.comparison,
                           estimator=_DID)  # fmt: skip
            flags = [*sample.flags, *([Flag.DISAGREES] if _differ(estimate, did) else [])]
            estimate = replace(estimate, note=_ORDERED_NOTE, flags=tuple(flags))
        yield _find(scale, one.site, estimate, one.comparison, one.period)


def _differ(ordered: Estimate, did: pd.Series | None) -> bool:
    """Say whether an odds ratio and a difference in differences point to different answers."""
    if did is None or math.isnan(did["ci_low"]):
        return False
    shown = [_judge(math.log(end)) for end in (ordered.ci_low, ordered.ci_high)]
    told = [_judge(did[end]) for end in ("ci_low", "ci_high")]
    excludes = [ends[0] == ends[1] for ends in (shown, told)]
    same_sign = _judge(math.log(ordered.estimate)) == _judge(did["estimate"])
    return excludes[0] != excludes[1] or not same_sign


def _judge(number: float) -> bool:
    return number > 0
