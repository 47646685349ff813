"""Scale scores compared: wave with wave in each site, and change with change across sites."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sbwork.compare.linkage import compare_linked, describe_attrition, link_people
from sbwork.score.weights.targets import find_margins
from sbwork.specs.cohort import Cohort, Pair
from sbwork.specs.instrument import Instrument
from sbwork.stats import Estimate, Flag, Reason
from sbwork.stats.cells import Cell, Link, Margins, link_cells, match_people, summarise_cell
from sbwork.stats.clusters import ClusteredCell, estimate_clustered_contrast
from sbwork.stats.findings import (
    Finding,
    combine_findings,
    find_flagged,
    find_row,
    tabulate_findings,
)
from sbwork.stats.means import (
    compute_overlap,
    compute_pooled_spread,
    estimate_contrast,
    estimate_mean,
    estimate_standardised_contrast,
    estimate_student_contrast,
)
from sbwork.stats.multiplicity import adjust_family
from sbwork.stats.precision import (
    add_shocks,
    compute_smallest_detectable_difference,
    compute_tau_star,
    compute_tau_star_equivalence,
    estimate_equivalence,
    find_verdict,
)

__all__ = ["adjust_p_values", "compare_scales"]

_SECTION = "scales"
_WAVES = ("before", "after")
_GROUPS = ("intervention", "control")
_DID = "difference_in_differences"
_SHOCKED = "_with_shock"
_UNCLUSTERED = "_unclustered"
_LARGEST_SHIFT = 0.02
_UNITS = {
    _DID: "points",
    "did_hedges_g": "sd",
    "tost": "sd",
    "tau_star": "points",
    "tau_star_equivalence": "points",
    "smallest_detectable_difference": "sd",
}
_TAU_NOTE = (
    "Whole areas move by chance from one survey to the next, and so few areas cannot show by how "
    "much. If chance moves the average of an area by this much (standard deviation per area and "
    "wave), the result could be chance alone."
)
_TAU_GAP = (
    "Chance among the people who answered can already account for this result, so there is "
    "nothing left for a chance shock to an area to erase."
)
_TAU_EQUIVALENCE_NOTE = (
    "If chance moves the average of an area by this much (standard deviation per area and wave), "
    "a difference large enough to matter could hide behind this result."
)
_TAU_EQUIVALENCE_GAP = (
    "The difference is not shown to be too small to matter, so nothing is hidden."
)
_WEIGHTED = "Weighted; n counts people before weighting."
_LINKED = "Where the same people answered both waves, their own changes are compared."
_PARTLY_LINKED = (
    "Where only some answered both waves, everybody counts, and the interval allows for what the "
    "two answers of one person share."
)
_UNLINKED = "Some people answered both waves; this figure treats the waves as different people."
_CLUSTERED = "People of one cluster count together: CR2 errors, Satterthwaite's degrees of freedom."
_ALONE = "As if people were independent, whatever cluster they come from."
_STUDENT_NOTE = "Takes the spread of scores as equal in both waves."
_SAME_SAY = "Sites together: the mean of their own figures, each pair with the same say."
_PEOPLE_NOTE = "Everybody of these sites as one sample, in which a larger site has a larger say."
_MIX = (
    "A site makes up more of these people in one wave than in the other, so that the mean over "
    "people would move even where no site did."
)
_DETECTABLE_NOTE = "A true difference of this size would be found four times in five."
_NO_CONTROL = "There is no control site, so a change here cannot be told from a change everywhere."
_NO_PAIR = "No pair of sites has two waves of scores on both sides."
_FLAG_NOTES = {
    Flag.WEIGHTED: _WEIGHTED,
    Flag.LINKED: _LINKED,
    Flag.PARTLY_LINKED: _PARTLY_LINKED,
    Flag.LINKED_AS_UNLINKED: _UNLINKED,
    Flag.CLUSTERED: _CLUSTERED,
}

Place = tuple[str, str]
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class _Survey:
    """What the comparisons of every scale share.

    Attributes
    ----------
    places : dict of (str, str) to numpy.ndarray
        The rows of each site and wave.
    both : dict of str to tuple of numpy.ndarray
        By site, where the people of both waves stand among the rows of either.
    clusters : numpy.ndarray or None
        The code of each row's cluster; None where no clusters are given.
    """

    scores: pd.DataFrame
    cohort: Cohort
    places: dict[Place, Rows]
    both: dict[str, tuple[Rows, Rows]]
    margins: Margins | None
    weighted: bool
    clusters: Rows | None

    def summarise(self, scale: str, rows: Rows) -> Cell:
        values = self.scores[scale].to_numpy()[rows]
        margins = self.margins.select(rows) if self.margins else None
        return summarise_cell(values, self.scores["weight"].to_numpy()[rows], margins)

    def gather_clusters(self, scale: str, rows: Rows) -> ClusteredCell:
        assert self.clusters is not None  # noqa: S101
        values = self.scores[scale].to_numpy()[rows]
        known = ~np.isnan(values)
        weights = self.scores["weight"].to_numpy()[rows]
        return ClusteredCell(values[known], weights[known], self.clusters[rows][known])


@dataclass(frozen=True)
class _Gap:
    """Why a figure is missing."""

    note: str
    reason: Reason


@dataclass(frozen=True)
class _Contrast:
    """Cells with their coefficients, and who is in two of them."""

    places: tuple[Place, ...] = ()
    cells: tuple[Cell, ...] = ()
    coefficients: tuple[float, ...] = ()
    links: tuple[Link, ...] = ()
    clustered: tuple[ClusteredCell, ...] = ()
    flags: tuple[Flag, ...] = ()
    gap: _Gap | None = None
    note: str = ""

    @property
    def n(self) -> float:
        return float(sum(cell.n for cell in self.cells)) if self.cells else math.nan

    @property
    def shocks(self) -> float:
        return float(np.sum(np.square(self.coefficients)))

    @property
    def linkage(self) -> tuple[Flag, ...]:
        """How the people of one wave are linked to those of the other."""
        twice = 2 * sum(link.n for link in self.links)
        if not twice:
            return ()
        return (Flag.LINKED,) if twice == self.n else (Flag.PARTLY_LINKED,)

    def estimate(self, estimator: str) -> Estimate:
        """Estimate the contrast, with errors by cluster where it has clusters."""
        if self.clustered:
            return estimate_clustered_contrast(
                self.clustered, self.coefficients, estimator=estimator
            )
        return estimate_contrast(
            self.cells, self.coefficients, estimator=estimator, links=self.links
        )

    def miss(self, estimator: str, unit: str) -> Estimate:
        assert self.gap is not None  # noqa: S101
        return Estimate(
            estimator, n=self.n, unit=unit, note=self.gap.note, reason=self.gap.reason,
            flags=self.flags,
        )  # fmt: skip

    def annotate(self, estimate: Estimate, note: str = "", *, linked: bool = True) -> Estimate:
        """Add what is to be known of a figure, as flags and in words."""
        linkage = self.linkage if linked else ((Flag.LINKED_AS_UNLINKED,) if self.linkage else ())
        flags = (*self.flags, *linkage)
        notes = [estimate.note, note, self.note, *(_FLAG_NOTES.get(flag, "") for flag in flags)]
        return replace(
            estimate,
            note=" ".join(text for text in notes if text),
            flags=(*estimate.flags, *flags),
        )


@dataclass(frozen=True)
class _Measure:
    """One scale, its scores by site and wave in brief."""

    scale: str
    survey: _Survey
    cells: dict[Place, Cell]

    @property
    def answered(self) -> set[Place]:
        return {place for place, cell in self.cells.items() if cell.n > 1}

    def contrast(
        self, weights: Mapping[Place, float], note: str = "", flags: tuple[Flag, ...] = ()
    ) -> _Contrast:
        """Set sites and waves against each other; the gap says what is missing."""
        places = tuple(weights)
        cells = tuple(self.cells[place] for place in places)
        links = [
            link_cells(cells, places.index((site, "before")), places.index((site, "after")), rows)
            for site, rows in self.survey.both.items()
            if {(site, wave) for wave in _WAVES} <= set(places)
        ]
        weighted = (Flag.WEIGHTED,) if self.survey.weighted else ()
        clustered = [
            self.survey.gather_clusters(self.scale, self.survey.places[place])
            for place in places
            if Flag.CLUSTERED in flags
        ]
        gaps = [self.find_gap(*place) for place in places]
        return _Contrast(
            places,
            cells,
            tuple(weights.values()),
            tuple(link for link in links if link.n),
            tuple(clustered),
            (*weighted, *flags),
            _join_gaps(gap for gap in gaps if gap),
            note,
        )

    def find_gap(self, site: str, wave: str) -> _Gap | None:
        cell, title = self.cells[site, wave], self.survey.cohort.title_site(site)
        if cell.n == 0:
            note = f"Nobody in {title} has a score in the wave {wave}."
            return _Gap(note, Reason.NO_ANSWERS)
        if cell.n == 1:
            note = f"Only one person in {title} has a score in the wave {wave}."
            return _Gap(note, Reason.TOO_FEW_PEOPLE)
        return None


def compare_scales(scores: pd.DataFrame, cohort: Cohort, instrument: Instrument) -> pd.DataFrame:
    """Compare scale scores between waves and sites.

    Parameters
    ----------
    scores : pandas.DataFrame, shape (n_questionnaires, ...)
        From `score.score_scales`: ``wave`` (``"before"`` or ``"after"``), ``site``, ``person``,
        ``cluster`` (only where people come in clusters),
        ``weight`` and one float64 column a scale, NaN for no score. Of raked weights, as from
        `targets.weight_answers`, also ``base_weight`` and the columns that were raked on: then
        every standard error allows for the raking.
    cohort : Cohort
        Sites, pairs, confirmatory scales, the smallest difference worth having, and how much
        whole areas are known to move by chance.
    instrument : Instrument
        Names the scales.

    Returns
    -------
    pandas.DataFrame, columns `findings.RESULT_COLUMNS`
        Section ``"scales"``. Per scale, site and wave: ``n``, ``mean`` (t interval) and ``sd``.
        Per scale and site: ``mean_difference`` (Welch; paired where people are linked),
        ``mean_difference_student`` and ``hedges_g``, after minus before. The same for all
        intervention sites together (site ``"intervention"``) and for all control sites
        (``"control"``): the mean of the sites' own figures, each pair with the same say, so that
        the difference in differences is the one minus the other; besides,
        ``mean_difference_people``, Welch's t over everybody of these sites as one sample: a
        description, and missing where a site's share of the people differs between the waves by
        more than .02.

        Per pair, and for the mean of all pairs (site ``"all"``): ``difference_in_differences``,
        ``did_hedges_g``, ``tost``, ``tau_star``, ``tau_star_equivalence`` (the chance shock that
        would hide an effect at the bound; missing unless ``tost`` finds no meaningful effect) and
        ``smallest_detectable_difference``; where cohort.yml states a shock,
        ``difference_in_differences_with_shock`` and ``tost_with_shock`` allow for it. Where people
        are linked across waves: ``ancova`` per pair and for all pairs, and ``attrition_share`` per
        site with ``attrition_difference`` per pair (outcome ``"questionnaire"``).

        ``p_adjusted``: of the differences in differences, and of ``ancova`` where it leads, Holm
        across the confirmatory scales and Benjamini-Hochberg across the others, one family for the
        pooled figures and one for the pairs; of every other test Benjamini-Hochberg across the
        scales, one family a group of sites. Where cohort.yml names several families of
        confirmatory scales, each is adjusted by itself, in every test. Where scores are weighted,
        ``n`` stays unweighted. ``ancova`` uses the weights but not what they were raked on, which
        leaves its interval rather too wide than too narrow. Somebody who answered both waves counts
        twice in `n`, but for ``ancova``.

        Where people come in clusters (column ``cluster``), every difference in differences and what
        is made from it has CR2 errors by cluster and Satterthwaite's degrees of freedom
        (``CLUSTERED``, ``FEW_CLUSTERS`` below 4 of them), and
        ``difference_in_differences_unclustered`` stands beside it; the raking of weights is then
        left out of the error, which is rather too wide than too narrow for it. Single places are
        described as if people were independent.

        Flags: ``LEADS`` on the row that a report puts first, of each scale and pair: the
        difference in differences, but ``ancova`` where sites were drawn by lot and everybody in
        the second wave had answered the first, and no clusters are given. ``CONFIRMATORY`` on these
        where the scale was declared so. ``LINKED`` where everybody compared is in both waves and
        change scores are compared; ``PARTLY_LINKED`` where some are, everybody counts and errors
        are clustered by person; ``LINKED_AS_UNLINKED`` where a figure ignores that. ``EFFECT``,
        ``NO_MEANINGFUL_EFFECT`` or ``INCONCLUSIVE`` is the verdict on ``tost``, with
        ``DEFAULT_BOUND`` where cohort.yml sets no bound. ``PAIRS_LEFT_OUT`` where a pair lacks
        answers, ``SHARED_CONTROL`` where two pairs share one.

    Notes
    -----
    The evidence is the difference in differences, never "up in one site, not significantly in the
    other", which happens a quarter of the time when both rose equally. The pooled figure gives
    every pair the same say, because the pairs, not the people, were treated; pooling people would
    turn a shift in who answered into a change.

    Examples
    --------
    >>> from sbwork.specs.instrument import Instrument
    >>> cohort = Cohort(
    ...     name="pilot", sites={"a": {}, "c": {}}, pairs=[{"intervention": "a", "control": "c"}]
    ... )
    >>> instrument = Instrument(
    ...     name="short",
    ...     items={"q1": {"options": [{"code": 1}, {"code": 5}]}},
    ...     scales={"trust": {"items": ["q1"]}},
    ... )
    >>> rows = [(w, s, x) for w in ("before", "after") for s in "ac" for x in (1.0, 3.0, 5.0)]
    >>> scores = pd.DataFrame(rows, columns=["wave", "site", "trust"]).assign(person="", weight=1.0)
    >>> findings = compare_scales(scores, cohort, instrument)
    >>> found = findings.query("estimator == 'difference_in_differences' and site == 'all'")
    >>> float(found["estimate"].iloc[0])
    0.0
    """
    scales = [scale for scale in instrument.scales if scale in scores.columns]
    if scores.empty or not scales:
        return combine_findings([])
    sites = _list_sites(scores, cohort)
    survey = _read_survey(scores, cohort, sites)
    linked = link_people(scores, scales)
    findings: list[Finding] = []
    for scale in scales:
        cells = {place: survey.summarise(scale, rows) for place, rows in survey.places.items()}
        measure = _Measure(scale, survey, cells)
        for site in sites:
            findings += _describe_place(measure, site, _take_site(measure, site))
        for group in _list_groups(cohort):
            findings += _describe_place(measure, group, _take_group(measure, group))
        findings += _compare_pairs(measure)
        if linked is not None:
            findings += compare_linked(scale, linked, cohort, measure.answered)
    if linked is not None:
        findings += describe_attrition(scores, sites, cohort)
    frame = _mark_leading(tabulate_findings(findings), cohort)
    return _give_verdicts(adjust_p_values(frame, cohort), cohort)


def _list_sites(scores: pd.DataFrame, cohort: Cohort) -> list[str]:
    """List the sites to describe: those with answers, and every side of a pair."""
    present = {*scores["site"].unique(), *cohort.compared_sites}
    return [site for site in cohort.sites if site in present]


def _read_survey(scores: pd.DataFrame, cohort: Cohort, sites: Sequence[str]) -> _Survey:
    """Find the rows of each site and wave; a weight of 0 leaves a row out."""
    usable = scores["weight"].to_numpy() > 0
    waves = {wave: usable & (scores["wave"] == wave).to_numpy() for wave in _WAVES}
    places = {
        (site, wave): np.flatnonzero((scores["site"] == site).to_numpy() & waves[wave])
        for site, wave in product(sites, _WAVES)
    }
    person = scores["person"].fillna("").astype(str).to_numpy()
    both = {site: match_people(*(person[places[site, wave]] for wave in _WAVES)) for site in sites}
    return _Survey(
        scores,
        cohort,
        places,
        {site: rows for site, rows in both.items() if len(rows[0])},
        find_margins(scores, cohort.weighting),
        bool((scores["weight"] != 1).any()),
        number_clusters(scores),
    )


def number_clusters(scores: pd.DataFrame) -> Rows | None:
    """Return a number for the cluster of each row; None where no cluster is given.

    Whoever has none is a cluster alone, in both waves where linked.
    """
    if "cluster" not in scores.columns:
        return None
    cluster, person = (scores[name].fillna("").astype(str) for name in ("cluster", "person"))
    if (cluster == "").all():
        return None
    row = pd.Series(np.arange(len(scores)).astype(str), index=scores.index)
    alone = ("person " + scores["site"].astype(str) + " " + person).where(
        person != "", "row " + row
    )
    codes: Rows = pd.factorize(("cluster " + cluster).where(cluster != "", alone))[0]
    return codes


def _list_groups(cohort: Cohort) -> list[str]:
    return [group for group in _GROUPS if any(getattr(pair, group) for pair in cohort.pairs)]


def _take_site(measure: _Measure, site: str) -> dict[str, _Contrast]:
    weights = {
        "before": {(site, "before"): 1.0},
        "after": {(site, "after"): 1.0},
        "change": {(site, "before"): -1.0, (site, "after"): 1.0},
    }
    return {period: measure.contrast(places) for period, places in weights.items()}


def _take_group(measure: _Measure, role: str) -> dict[str, _Contrast]:
    """Put the sites of one side of the pairs together, each pair with the same say.

    A control site that two pairs share counts twice, as in the difference in differences. Where no
    pair has both waves, the means of a wave are those of the pairs that have it.
    """
    cohort = measure.survey.cohort
    contrasts = {}
    for period, signs in (
        ("before", {"before": 1.0}),
        ("after", {"after": 1.0}),
        ("change", {"before": -1.0, "after": 1.0}),
    ):
        pairs = cohort.list_surveyed_pairs(measure.answered, period if len(signs) == 1 else "")
        if not pairs:
            contrasts[period] = _Contrast(gap=_Gap(_NO_PAIR, Reason.PAIR_MISSING))
            continue
        note, flags = _describe_choice(pairs, cohort)
        named = Counter(str(getattr(pair, role)) for pair in pairs)
        weights = {
            (site, wave): sign * count / len(pairs)
            for site, count in named.items()
            for wave, sign in signs.items()
        }
        together = _SAME_SAY if len(named) > 1 else ""
        contrasts[period] = measure.contrast(weights, f"{together} {note}".strip(), flags)
    return contrasts


def _describe_choice(chosen: Sequence[Pair], cohort: Cohort) -> tuple[str, tuple[Flag, ...]]:
    """Say which pairs are left out, and whether those that are left share a control site."""
    controls = [pair.control for pair in chosen if pair.control]
    flags = [Flag.SHARED_CONTROL] if len(set(controls)) < len(controls) else []
    gaps: dict[str, list[str]] = {}
    for pair in cohort.pairs:
        if pair not in chosen:
            why = "of a control site" if controls and not pair.control else "of answers"
            gaps.setdefault(why, []).append(cohort.title_site(pair.intervention))
    if gaps:
        flags.append(Flag.PAIRS_LEFT_OUT)
    parts = [f"Left out for want {why}: {', '.join(sites)}." for why, sites in gaps.items()]
    return " ".join(parts), tuple(flags)


def _describe_place(
    measure: _Measure, site: str, contrasts: Mapping[str, _Contrast]
) -> Iterator[Finding]:
    estimates = {wave: list(_describe_wave(contrasts[wave])) for wave in _WAVES}
    estimates["change"] = list(_estimate_rise(contrasts["change"]))
    if site in _GROUPS:
        estimates["change"].append(_pool_people(measure, contrasts["change"]))
    for period, found in estimates.items():
        for estimate in found:
            yield Finding(_SECTION, measure.scale, site, estimate, period=period)


def _describe_wave(contrast: _Contrast) -> Iterator[Estimate]:
    cells, c = contrast.cells, contrast.coefficients
    n = 0.0 if math.isnan(contrast.n) else contrast.n
    yield Estimate("n", n, n=n, unit="count", flags=contrast.flags)
    gap = contrast.gap
    if len(cells) == 1:
        mean = estimate_mean(cells[0])
    elif gap:
        mean = contrast.miss("mean", "points")
    else:
        mean = estimate_contrast(cells, c, estimator="mean")
        mean = replace(mean, p_value=math.nan, statistic=math.nan)
    yield contrast.annotate(replace(mean, note=gap.note) if gap and cells else mean)
    if gap:
        yield contrast.miss("sd", "points")
        return
    spread = sum(w * math.sqrt(cell.variance) for w, cell in zip(c, cells, strict=True))
    yield contrast.annotate(Estimate("sd", spread, n=n, unit="points"))


def _estimate_rise(contrast: _Contrast) -> Iterator[Estimate]:
    cells, c, links = contrast.cells, contrast.coefficients, contrast.links
    names = {"mean_difference": "points", "mean_difference_student": "points", "hedges_g": "sd"}
    if contrast.gap:
        for name, unit in names.items():
            yield contrast.miss(name, unit)
        return
    rise, student, g = names
    yield contrast.annotate(estimate_contrast(cells, c, estimator=rise, links=links))
    alike = estimate_student_contrast(cells, c, estimator=student)
    yield contrast.annotate(alike, _STUDENT_NOTE, linked=False)
    yield contrast.annotate(estimate_standardised_contrast(cells, c, estimator=g, links=links))


def _pool_people(measure: _Measure, contrast: _Contrast) -> Estimate:
    """Compare the waves over everybody of some sites, unless the mix of sites shifted."""
    name, survey = "mean_difference_people", measure.survey
    if contrast.gap:
        return contrast.miss(name, "points")
    contrast = replace(contrast, flags=(*contrast.flags, Flag.DESCRIPTION), note=_PEOPLE_NOTE)
    weights = survey.scores["weight"].to_numpy()
    scored = survey.scores[measure.scale].notna().to_numpy()
    cells, shares = [], []
    for wave in _WAVES:
        own = [survey.places[place] for place in contrast.places if place[1] == wave]
        mass = np.array([weights[rows][scored[rows]].sum() for rows in own])
        shares.append(mass / mass.sum())
        cells.append(survey.summarise(measure.scale, np.concatenate(own)))
    if np.abs(shares[1] - shares[0]).max() > _LARGEST_SHIFT:
        return replace(contrast, gap=_Gap(_MIX, Reason.SITE_MIX)).miss(name, "points")
    people = estimate_contrast(cells, (-1.0, 1.0), estimator=name)
    return contrast.annotate(people, linked=False)


def _compare_pairs(measure: _Measure) -> Iterator[Finding]:
    cohort = measure.survey.cohort
    paired = [pair for pair in cohort.pairs if pair.control]
    chosen = cohort.list_surveyed_pairs(measure.answered)
    clustered = () if measure.survey.clusters is None else (Flag.CLUSTERED,)
    if not paired:
        pooled = _Contrast(gap=_Gap(_NO_CONTROL, Reason.NO_CONTROL))
    elif not chosen:
        pooled = _Contrast(gap=_Gap(_NO_PAIR, Reason.PAIR_MISSING))
    else:
        note, flags = _describe_choice(chosen, cohort)
        pooled = measure.contrast(weigh_pairs(chosen), note, (*flags, *clustered))
    contrasts = [
        (
            pair.intervention,
            str(pair.control),
            measure.contrast(weigh_pairs([pair]), flags=clustered),
        )
        for pair in paired
    ]
    for site, comparison, contrast in [
        *contrasts,
        ("all", "control" if paired else "", pooled),
    ]:
        for estimate in _estimate_changes(contrast, cohort):
            yield Finding(
                _SECTION, measure.scale, site, estimate, comparison=comparison, period="change"
            )


def weigh_pairs(pairs: Sequence[Pair]) -> dict[Place, float]:
    """Average the differences in differences of pairs; a control that two share counts twice."""
    weights: defaultdict[Place, float] = defaultdict(float)
    for pair in pairs:
        for site, side in ((pair.intervention, 1.0), (str(pair.control), -1.0)):
            for wave, sign in zip(_WAVES, (-1.0, 1.0), strict=True):
                weights[site, wave] += side * sign / len(pairs)
    return dict(weights)


def _estimate_changes(contrast: _Contrast, cohort: Cohort) -> Iterator[Estimate]:
    cells, c, links = contrast.cells, contrast.coefficients, contrast.links
    if contrast.gap:
        for name, unit in _UNITS.items():
            yield contrast.miss(name, unit)
        return
    did = contrast.estimate(_DID)
    yield contrast.annotate(did)
    if contrast.clustered:
        flags = tuple(flag for flag in contrast.flags if flag is not Flag.CLUSTERED)
        apart = replace(contrast, clustered=(), flags=flags)
        yield apart.annotate(apart.estimate(f"{_DID}{_UNCLUSTERED}"), _ALONE)
    g = estimate_standardised_contrast(
        cells, c, estimator="did_hedges_g", links=links,
        clustered=did if contrast.clustered else None,
    )  # fmt: skip
    yield contrast.annotate(g)
    spread, bound = compute_pooled_spread(cells), cohort.smallest_meaningful_g
    tost = estimate_equivalence(did, spread, bound)
    yield replace(contrast, note="").annotate(tost)
    if cohort.area_shock_sd is not None:
        shocked = add_shocks(did, cohort.area_shock_sd * spread, contrast.shocks)
        yield contrast.annotate(replace(shocked, estimator=f"{_DID}{_SHOCKED}"))
        within = estimate_equivalence(shocked, spread, bound)
        yield replace(contrast, note="").annotate(replace(within, estimator=f"tost{_SHOCKED}"))
    yield from _estimate_shocks(contrast, did, tost, bound * spread)
    if contrast.clustered:
        smallest = compute_smallest_detectable_difference([(spread / did.se) ** 2])
    else:
        smallest = compute_smallest_detectable_difference(
            [cell.n_effective for cell in cells], c, overlap=compute_overlap(cells, c, links)
        )
    unknown = math.isnan(smallest)
    yield Estimate(
        "smallest_detectable_difference",
        smallest,
        n=did.n,
        unit="sd",
        note=did.note if unknown else _DETECTABLE_NOTE,
        reason=tost.reason if unknown else "",
        flags=(*contrast.flags, *contrast.linkage),
    )


def _estimate_shocks(
    contrast: _Contrast, did: Estimate, tost: Estimate, margin: float
) -> Iterator[Estimate]:
    """Estimate the chance shocks that would erase a difference, or hide one."""
    within = find_verdict(did.p_value, tost.p_value) is Flag.NO_MEANINGFUL_EFFECT
    shocks = contrast.shocks
    hiding = compute_tau_star_equivalence(did, margin, shocks) if within else math.nan
    for name, tau, note, gap in (
        ("tau_star", compute_tau_star(did, shocks), _TAU_NOTE, _TAU_GAP),
        ("tau_star_equivalence", hiding, _TAU_EQUIVALENCE_NOTE, _TAU_EQUIVALENCE_GAP),
    ):
        missing, unknown = math.isnan(tau), math.isnan(did.se)
        yield Estimate(
            name,
            tau,
            n=did.n,
            unit="points",
            note=did.note if unknown else gap if missing else note,
            reason=tost.reason if unknown else Reason.NOT_APPLICABLE if missing else "",
            flags=(*contrast.flags, *contrast.linkage),
        )


def _mark_leading(findings: pd.DataFrame, cohort: Cohort) -> pd.DataFrame:
    """Mark the row of each scale and pair that leads, and those declared in advance."""
    leads = find_flagged(findings, Flag.LEADS)
    rows = findings[leads]
    taken = set(zip(rows["outcome"], rows["site"], strict=True))
    did = findings["estimator"] == _DID
    place = zip(findings["outcome"], findings["site"], strict=True)
    free = pd.Series([key not in taken for key in place], index=findings.index)
    declared = findings["outcome"].isin(cohort.confirmatory_scales) & (did | leads)
    flags = findings["flags"].where(~(did & free), findings["flags"] + f" {Flag.LEADS}")
    flags = flags.where(~declared, flags + f" {Flag.CONFIRMATORY}")
    return findings.assign(flags=flags.str.strip())


def adjust_p_values(findings: pd.DataFrame, cohort: Cohort) -> pd.DataFrame:
    """Adjust the p values of section ``"scales"`` for how many were tested.

    Parameters
    ----------
    findings : pandas.DataFrame, columns `findings.RESULT_COLUMNS`
        Findings of that section only.
    cohort : Cohort
        Names the families of confirmatory scales.

    Returns
    -------
    pandas.DataFrame
        A copy with ``p_adjusted`` filled, as `compare_scales` says.
    """
    tests = ~findings["estimator"].isin(["tost", f"tost{_SHOCKED}"])
    tested = findings["p_value"].notna() & tests
    reach = findings["site"].where(findings["site"].isin(["all", *_GROUPS]), "each")
    declared = find_flagged(findings, Flag.CONFIRMATORY)
    declared |= findings["outcome"].isin(cohort.confirmatory_scales) & (
        findings["estimator"] == f"{_DID}{_SHOCKED}"
    )
    family = findings["outcome"].map(cohort.find_family)
    adjusted = findings["p_adjusted"].copy()
    for _, rows in findings[tested].groupby([findings["estimator"], reach, family]):
        adjusted.loc[rows.index] = adjust_family(rows["p_value"], declared[rows.index])
    return findings.assign(p_adjusted=adjusted)


def _give_verdicts(findings: pd.DataFrame, cohort: Cohort) -> pd.DataFrame:
    """Add to each equivalence test the verdict on its difference, as a flag and in words."""
    given = findings.copy()
    for shock in ("", _SHOCKED):
        rows = findings[(findings["estimator"] == f"tost{shock}") & findings["estimate"].notna()]
        for index, row in rows.iterrows():
            did = find_row(
                findings, section=_SECTION, outcome=row["outcome"], site=row["site"],
                estimator=f"{_DID}{shock}",
            )  # fmt: skip
            assert did is not None  # noqa: S101
            verdict = find_verdict(did["p_adjusted"], row["p_value"])
            bound = "" if "smallest_meaningful_g" in cohort.model_fields_set else Flag.DEFAULT_BOUND
            given.loc[index, "flags"] = f"{row['flags']} {verdict} {bound}".strip()
            note = _word_verdict(verdict, cohort, shocked=bool(shock))
            given.loc[index, "note"] = f"{note} {row['note']}".strip()
    return given


def _word_verdict(verdict: Flag, cohort: Cohort, *, shocked: bool) -> str:
    if verdict is Flag.INCONCLUSIVE:
        return (
            "Verdict: inconclusive. Neither a difference nor its absence is shown; more answers "
            "would be needed."
        )
    reach = "among these people"
    if shocked:
        shock = f"{cohort.area_shock_sd:g} SD"
        reach = f"allowing for chance shocks of {shock} to the mean of each area and wave"
    if verdict is Flag.EFFECT:
        return (
            f"Verdict: effect, {reach}. The difference is unlikely to be chance, and it is not "
            "shown to be too small to matter."
        )
    return (
        f"Verdict: no meaningful effect, {reach}. Any difference lies within "
        f"{cohort.describe_bound()}."
    )


def _join_gaps(gaps: Iterable[_Gap]) -> _Gap | None:
    found = list(gaps)
    if not found:
        return None
    return _Gap(" ".join(gap.note for gap in found), found[0].reason)
