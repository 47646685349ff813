"""Scale scores compared: wave with wave in each site, and change with change across sites."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sbwork.cohort import Cohort, Pair
from sbwork.estimates import Estimate
from sbwork.estimates.ancova import estimate_ancova
from sbwork.estimates.cells import Cell, summarise_cell
from sbwork.estimates.margins import Margins
from sbwork.estimates.means import (
    compute_pooled_spread,
    estimate_contrast,
    estimate_hedges_g,
    estimate_mean,
    estimate_mean_difference,
    estimate_standardised_contrast,
    estimate_student_difference,
)
from sbwork.estimates.multiplicity import adjust_benjamini_hochberg, adjust_holm
from sbwork.estimates.precision import (
    compute_smallest_detectable_difference,
    compute_tau_star,
    estimate_equivalence,
    find_verdict,
)
from sbwork.estimates.shares import estimate_share, estimate_share_difference
from sbwork.instrument import Instrument
from sbwork.results import Finding, combine_findings, tabulate_findings
from sbwork.weights.targets import find_margins

__all__ = ["compare_scales"]

_SECTION = "scales"
_WAVES = ("before", "after")
_GROUPS = ("intervention", "control")
_VERDICT_NOTES = {
    "effect": (
        "Verdict: effect. The difference is unlikely to be chance among people, and it is not "
        "shown to be too small to matter."
    ),
    "no meaningful effect": (
        "Verdict: no meaningful effect. Any difference is smaller than the bound set beforehand."
    ),
    "inconclusive": (
        "Verdict: inconclusive. Neither a difference nor its absence is shown; more answers "
        "would be needed."
    ),
}
_TAU_NOTE = (
    "Whole areas move by chance from one survey to the next, and so few areas can not show by how "
    "much. If chance moves the average of an area by this much (standard deviation per area and "
    "wave), the result could be chance alone."
)
_TAU_GAP = (
    "Chance among the people who answered can already account for this result, so there is "
    "nothing left for a chance shock to an area to erase."
)
_WEIGHTED = "Weighted; n counts people before weighting."
_LINKED = "Some people answered both waves; this figure treats the waves as different people."
_STUDENT_NOTE = "Takes the spread of scores as equal in both waves."
_DETECTABLE_NOTE = "A true difference of this size would be found four times in five."
_NO_CONTROL = "There is no control site, so a change here can not be told from a change everywhere."


@dataclass(frozen=True)
class _Contrast:
    """Cells with their coefficients, and which sites they come from."""

    site: str
    comparison: str
    cells: tuple[Cell, ...]
    coefficients: tuple[float, ...]
    gap: str = ""
    note: str = ""


def compare_scales(scores: pd.DataFrame, cohort: Cohort, instrument: Instrument) -> pd.DataFrame:
    """Compare scale scores between waves and sites.

    Parameters
    ----------
    scores : pandas.DataFrame, shape (n_questionnaires, ...)
        From `scoring.score_scales`: ``wave`` (``"before"`` or ``"after"``), ``site``, ``person``,
        ``weight`` and one float64 column a scale, NaN for no score. Of raked weights, as from
        `targets.weight_answers`, also ``base_weight`` and the columns that were raked on: then
        every standard error allows for the raking.
    cohort : Cohort
        Sites, pairs, confirmatory scales and the smallest difference worth having.
    instrument : Instrument
        Names the scales.

    Returns
    -------
    pandas.DataFrame, columns `results.RESULT_COLUMNS`
        Section ``"scales"``. Per scale, site and wave: ``n``, ``mean`` (t interval) and ``sd``.
        Per scale and site, and for all intervention sites together (site ``"intervention"``) and
        all control sites together (``"control"``): ``mean_difference`` (Welch),
        ``mean_difference_student`` and ``hedges_g``, after minus before. Per pair, and for the
        mean of all pairs (site ``"all"``): ``difference_in_differences``, ``did_hedges_g``,
        ``tost``, ``tau_star`` and ``smallest_detectable_difference``. Where people are linked
        across waves: ``ancova`` per pair, and ``attrition_share`` per site with
        ``attrition_difference`` per pair (outcome ``"questionnaire"``).

        ``p_adjusted``: of the differences in differences, Holm across the confirmatory scales and
        Benjamini-Hochberg across the others, one family for the pooled figures and one for the
        pairs; of every other test Benjamini-Hochberg across the scales, one family a group of
        sites. Where scores are weighted, ``n`` stays unweighted. ``ancova`` uses the weights but
        not what they were raked on, which leaves its interval rather too wide than too narrow.

    Notes
    -----
    The evidence is the difference in differences, never "up in one site, not significantly in the
    other", which happens a quarter of the time when both rose equally. The pooled figure gives
    every pair the same say, because the pairs, not the people, were treated.

    Examples
    --------
    >>> from sbwork.instrument import Instrument
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
    groups = _list_groups(cohort)
    weighted = bool((scores["weight"] != 1).any())
    linked = _link_people(scores, scales)
    places = _place_rows(scores, {**sites, **groups})
    raked = find_margins(scores, cohort.weighting)
    margins = {place: raked.select(rows) if raked else None for place, rows in places.items()}
    findings: list[Finding] = []
    for scale in scales:
        cells = _summarise_cells(scores, scale, places, margins)
        for site in (*sites, *groups):
            findings += _describe_site(scale, site, cells, cohort, weighted, linked is not None)
        for contrast in _list_contrasts(cells, cohort):
            findings += _compare_changes(scale, contrast, cohort, weighted, linked is not None)
        if linked is not None:
            findings += _compare_linked(scale, linked, cohort, weighted)
    if linked is not None:
        findings += _describe_attrition(scores, {**sites, **groups}, cohort)
    return _adjust_p_values(tabulate_findings(findings), cohort)


def _list_sites(scores: pd.DataFrame, cohort: Cohort) -> dict[str, tuple[str, ...]]:
    """List the sites to describe: those with answers, and every side of a pair."""
    present = set(scores["site"].unique())
    sides = {site for pair in cohort.pairs for site in (pair.intervention, pair.control)}
    return {site: (site,) for site in cohort.sites if site in present or site in sides}


def _list_groups(cohort: Cohort) -> dict[str, tuple[str, ...]]:
    treated = tuple(pair.intervention for pair in cohort.pairs)
    controls = tuple(dict.fromkeys(pair.control for pair in cohort.pairs if pair.control))
    groups = dict(zip(_GROUPS, (treated, controls), strict=True))
    return {group: members for group, members in groups.items() if members}


def _place_rows(
    scores: pd.DataFrame, groups: Mapping[str, tuple[str, ...]]
) -> dict[tuple[str, str], NDArray[np.intp]]:
    """Find the rows of each group of sites in each wave; a weight of 0 leaves a row out."""
    usable = scores["weight"].to_numpy() > 0
    waves = {wave: usable & (scores["wave"] == wave).to_numpy() for wave in _WAVES}
    places = {}
    for group, members in groups.items():
        inside = scores["site"].isin(members).to_numpy()
        for wave in _WAVES:
            places[group, wave] = np.flatnonzero(inside & waves[wave])
    return places


def _summarise_cells(
    scores: pd.DataFrame,
    scale: str,
    places: Mapping[tuple[str, str], NDArray[np.intp]],
    margins: Mapping[tuple[str, str], Margins | None],
) -> dict[tuple[str, str], Cell]:
    values, weights = scores[scale].to_numpy(), scores["weight"].to_numpy()
    return {
        place: summarise_cell(values[rows], weights[rows], margins[place])
        for place, rows in places.items()
    }


def _describe_site(
    scale: str,
    site: str,
    cells: Mapping[tuple[str, str], Cell],
    cohort: Cohort,
    weighted: bool,
    linked: bool,
) -> Iterator[Finding]:
    note = _WEIGHTED if weighted else ""
    for wave in _WAVES:
        cell = cells[site, wave]
        gap = _explain_gap(cell, cohort.title_site(site), wave)
        mean = estimate_mean(cell)
        spread = math.sqrt(cell.variance) if cell.n > 1 else math.nan
        described = (
            Estimate("n", float(cell.n), n=float(cell.n), unit="count"),
            _annotate(replace(mean, note=gap or mean.note), note),
            _annotate(Estimate("sd", spread, n=float(cell.n), unit="points", note=gap), note),
        )
        for estimate in described:
            yield Finding(_SECTION, scale, site, estimate, period=wave)
    before, after = cells[site, "before"], cells[site, "after"]
    gap = _explain_gaps({wave: cells[site, wave] for wave in _WAVES}, cohort.title_site(site))
    compared = (
        estimate_mean_difference(before, after),
        _annotate(estimate_student_difference(before, after), _STUDENT_NOTE),
        estimate_hedges_g(before, after),
    )
    for estimate in compared:
        caveats = f"{note} {_LINKED}".strip() if linked else note
        told = replace(estimate, note=gap) if gap else _annotate(estimate, caveats)
        yield Finding(_SECTION, scale, site, told, period="change")


def _list_contrasts(cells: Mapping[tuple[str, str], Cell], cohort: Cohort) -> Iterator[_Contrast]:
    paired = [pair for pair in cohort.pairs if pair.control]
    if not paired:
        yield _Contrast("all", "", (), (), gap=_NO_CONTROL)
        return
    complete = []
    for pair in paired:
        contrast = _contrast_pairs([pair], cells, cohort)
        if not contrast.gap:
            complete.append(pair)
        yield contrast
    if not complete:
        gap = "No pair of sites has two waves of scores on both sides."
        yield _Contrast("all", "control", (), (), gap=gap)
        return
    left_out = [cohort.title_site(p.intervention) for p in paired if p not in complete]
    note = f"Left out for want of answers: {', '.join(left_out)}." if left_out else ""
    pooled = _contrast_pairs(complete, cells, cohort)
    yield replace(pooled, site="all", comparison="control", note=note)


def _contrast_pairs(
    pairs: list[Pair], cells: Mapping[tuple[str, str], Cell], cohort: Cohort
) -> _Contrast:
    """Average the differences in differences of pairs; a control that two share counts twice."""
    weights: defaultdict[tuple[str, str], float] = defaultdict(float)
    gaps = []
    for pair in pairs:
        for site, side in ((pair.intervention, 1.0), (str(pair.control), -1.0)):
            waves = {wave: cells[site, wave] for wave in _WAVES}
            gaps.append(_explain_gaps(waves, cohort.title_site(site)))
            for wave, sign in zip(_WAVES, (-1.0, 1.0), strict=True):
                weights[site, wave] += side * sign / len(pairs)
    return _Contrast(
        pairs[0].intervention,
        str(pairs[0].control),
        tuple(cells[key] for key in weights),
        tuple(weights.values()),
        gap=" ".join(gap for gap in gaps if gap),
    )


def _compare_changes(
    scale: str, contrast: _Contrast, cohort: Cohort, weighted: bool, linked: bool
) -> Iterator[Finding]:
    notes = [contrast.note, _WEIGHTED if weighted else "", _LINKED if linked else ""]
    note = " ".join(text for text in notes if text)
    for estimate in _estimate_changes(contrast, cohort.smallest_meaningful_g, note):
        told = replace(estimate, note=contrast.gap) if contrast.gap else estimate
        yield Finding(
            _SECTION, scale, contrast.site, told, comparison=contrast.comparison, period="change"
        )


def _estimate_changes(contrast: _Contrast, bound: float, note: str) -> Iterator[Estimate]:
    cells, c = contrast.cells, contrast.coefficients
    if contrast.gap:
        n = float(sum(cell.n for cell in cells)) if cells else math.nan
        units = {
            "difference_in_differences": "points",
            "did_hedges_g": "sd",
            "tost": "sd",
            "tau_star": "points",
            "smallest_detectable_difference": "sd",
        }
        for name, unit in units.items():
            yield Estimate(name, n=n, unit=unit, note=contrast.gap)
        return
    did = estimate_contrast(cells, c, estimator="difference_in_differences")
    yield _annotate(did, note)
    g = estimate_standardised_contrast(cells, c, estimator="did_hedges_g")
    yield _annotate(g, note)
    tost = estimate_equivalence(did, compute_pooled_spread(cells), bound)
    if math.isnan(tost.estimate):
        yield tost
    else:
        yield _annotate(tost, _VERDICT_NOTES[find_verdict(did, tost)])
    shocks = float(np.sum(np.square(c)))
    tau = compute_tau_star(did, shocks)
    told = _TAU_GAP if math.isnan(tau) else _TAU_NOTE
    yield Estimate("tau_star", tau, n=did.n, unit="points", note=told)
    smallest = compute_smallest_detectable_difference([cell.n_effective for cell in cells], c)
    yield Estimate(
        "smallest_detectable_difference", smallest, n=did.n, unit="sd", note=_DETECTABLE_NOTE
    )


def _link_people(scores: pd.DataFrame, scales: list[str]) -> pd.DataFrame | None:
    """Join the two waves of everybody who answered both once in one site; None if nobody did."""
    known = scores[_find_linkable(scores)]
    before, after = (known[known["wave"] == wave] for wave in _WAVES)
    both = before.merge(
        after[["site", "person", "weight", *scales]],
        on=["site", "person"],
        suffixes=("_before", "_after"),
    )
    return both if len(both) else None


def _find_linkable(scores: pd.DataFrame) -> pd.Series:
    person = scores["person"].fillna("")
    return (person != "") & ~scores.duplicated(["wave", "site", "person"], keep=False)


def _compare_linked(
    scale: str, linked: pd.DataFrame, cohort: Cohort, weighted: bool
) -> Iterator[Finding]:
    for pair in cohort.pairs:
        if not pair.control:
            continue
        rows = linked[linked["site"].isin([pair.intervention, pair.control])]
        estimate = estimate_ancova(
            rows[f"{scale}_after"].to_numpy(),
            rows[f"{scale}_before"].to_numpy(),
            (rows["site"] == pair.intervention).to_numpy(),
            rows["weight_after"].to_numpy(),
        )
        note = "People who answered both waves: the difference afterwards at the same score before."
        told = _annotate(estimate, f"{note} {_WEIGHTED}" if weighted else note)
        yield Finding(
            _SECTION, scale, pair.intervention, told, comparison=pair.control, period="change"
        )


def _describe_attrition(
    scores: pd.DataFrame, groups: Mapping[str, tuple[str, ...]], cohort: Cohort
) -> Iterator[Finding]:
    known = scores.loc[_find_linkable(scores), ["wave", "site", "person"]]
    before = known[known["wave"] == "before"]
    after = known.loc[known["wave"] == "after", ["site", "person"]]
    stayed = before.merge(after, on=["site", "person"])["site"].value_counts()
    asked = before["site"].value_counts()
    lost = {
        group: (
            int(sum(asked.get(site, 0) - stayed.get(site, 0) for site in members)),
            int(sum(asked.get(site, 0) for site in members)),
        )
        for group, members in groups.items()
    }
    for group, (count, n) in lost.items():
        share = estimate_share(count, n, estimator="attrition_share")
        told = _annotate(share, "Share of the people of the first wave who did not answer again.")
        yield Finding(_SECTION, "questionnaire", group, told, period="change")
    for pair in cohort.pairs:
        if pair.control:
            counts = (*lost[pair.intervention], *lost[pair.control])
            difference = estimate_share_difference(*counts, estimator="attrition_difference")
            yield Finding(
                _SECTION,
                "questionnaire",
                pair.intervention,
                difference,
                comparison=pair.control,
                period="change",
            )


def _adjust_p_values(findings: pd.DataFrame, cohort: Cohort) -> pd.DataFrame:
    tested = findings["p_value"].notna() & (findings["estimator"] != "tost")
    reach = findings["site"].where(findings["site"].isin(["all", *_GROUPS]), "each")
    declared = findings["outcome"].isin(cohort.confirmatory) & (
        findings["estimator"] == "difference_in_differences"
    )
    adjusted = findings["p_adjusted"].copy()
    for (_, _, confirmatory), rows in findings[tested].groupby(
        [findings["estimator"], reach, declared]
    ):
        adjust = adjust_holm if confirmatory else adjust_benjamini_hochberg
        adjusted.loc[rows.index] = adjust(rows["p_value"].to_numpy())
    return findings.assign(p_adjusted=adjusted)


def _explain_gaps(waves: Mapping[str, Cell], title: str) -> str:
    gaps = (_explain_gap(cell, title, wave) for wave, cell in waves.items())
    return " ".join(gap for gap in gaps if gap)


def _explain_gap(cell: Cell, title: str, wave: str) -> str:
    if cell.n == 0:
        return f"Nobody in {title} has a score in the wave {wave}."
    return f"Only one person in {title} has a score in the wave {wave}." if cell.n == 1 else ""


def _annotate(estimate: Estimate, note: str) -> Estimate:
    return replace(estimate, note=" ".join(text for text in (estimate.note, note) if text))
