"""Residents' scales: means, differences in differences, how scores spread."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sbwork.grade.publishable import Publishable
from sbwork.render.answers import picture_answers, tabulate_multiple
from sbwork.render.blocks import Picture, Section, Table, compose_picture
from sbwork.render.intervals import WAVES, describe_interval, describe_value, find_known
from sbwork.render.reasons import HIDING
from sbwork.render.style import (
    AFTER,
    BEFORE,
    GREY,
    INK,
    INTERVENTION,
    LOOKS,
    PALE,
    draw_intervals,
    name_lines,
)
from sbwork.specs.cohort import Cohort
from sbwork.specs.instrument import Instrument
from sbwork.stats import Flag, Reason
from sbwork.stats.findings import find_flagged, find_row, has_flag, select_findings
from sbwork.stats.formats import (
    MISSING,
    describe_p,
    format_count,
    format_interval,
    format_list,
    format_number,
    format_p,
    format_share,
    lower_title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NO_SCALES = (
    "The answers were read, but the questionnaire's file groups no items under 'scales', so there "
    "is no score to compare."
)
ILLUSTRATIVE = (
    "The questions are illustrative: this project wrote them to try the method, and they are not "
    "the published scale."
)
_WEIGHTED = (
    "Answers are weighted: data quality shows to what, and what that costs. Every n counts people, "
    "never weights."
)
_COMPARING = (
    "A rise in one place that is not seen in another is not yet a difference between them: that "
    "has to be estimated itself, as the difference in differences."
)
_NO_PAIRS = (
    "cohort.yml does not say which sites are compared ('pairs'), so no change can be set beside a "
    "control site's."
)
_UNCOMPARED = "No change can be set beside a control site's."
_RISES = ("mean_difference", "mean_difference_people")
_COMPARED = {
    "difference_in_differences": "",
    "difference_in_differences_with_shock": ", with shocks of {shock:g} SD",
    "ancova": ", same score before",
    "latent_difference_in_differences": ", without what is measured unlike",
}
_GAPS = {Reason.NO_ANSWERS, Reason.TOO_FEW_PEOPLE, Reason.PAIR_MISSING}
_ALIKE = {Flag.INVARIANT: "yes", Flag.PARTLY_INVARIANT: "in part", Flag.NOT_INVARIANT: "no"}
_VERDICTS = {
    Flag.EFFECT: "Effect, among {reach}",
    Flag.NO_MEANINGFUL_EFFECT: "No meaningful effect, among {reach}",
    Flag.INCONCLUSIVE: "Inconclusive",
}


def present_scales(evaluation: Publishable) -> Section:
    """Show residents' scales by site and wave, and the difference in differences."""
    cohort, findings, instrument = evaluation.cohort, evaluation.findings, evaluation.instrument
    answers = evaluation.answers
    if instrument is None or answers is None:
        return Section(["No survey was given, so nothing can be said of what residents think."])
    blocks: list[Any] = [ILLUSTRATIVE] if instrument.illustrative else []
    if not instrument.scales:
        return Section([*blocks, NO_SCALES])
    if len(select_findings(findings, section="weights")):
        blocks.append(_WEIGHTED)
    rows = select_findings(findings, section="scales")
    compared = rows[rows["estimator"].isin(_COMPARED)]
    if compared["estimate"].notna().any():
        blocks += [_COMPARING, describe_lead(findings)]
        blocks.append(tabulate_differences(findings, cohort, instrument))
        blocks += _picture_differences(cohort, findings, instrument)
        blocks.append(describe_attrition(cohort, findings))
    elif cohort.pairs:
        blocks.append(" ".join([_UNCOMPARED, *compared["note"].unique()]))
    else:
        blocks.append(_NO_PAIRS)
    blocks.append(tabulate_scales(findings, cohort, instrument))
    if rows.loc[rows["estimator"] == "mean", "estimate"].notna().any():
        blocks.append(_picture_means(cohort, findings, instrument))
        blocks.append(_picture_distributions(cohort, answers.spread, instrument))
    if len(answers.multiple):
        blocks.append(tabulate_multiple(answers.multiple, cohort))
    blocks += picture_answers(answers, instrument, cohort)
    return Section([block for block in blocks if block != ""])


def _picture_scales(
    cohort: Cohort,
    instrument: Instrument,
    name: str,
    draw: Callable[[Axes, str], None],
    *,
    alt: str,
    caption: str,
) -> Picture:
    """Draw every scale of an instrument, two beside each other, with one legend."""

    def draw_scale(ax: Axes, scale: str) -> None:
        draw(ax, scale)
        low, high = instrument.find_range(instrument.list_scale_items(scale)[0])
        what = "Mean" if name == "means" else "Score"
        ax.set_xlabel(f"{what}, on a scale from {low:g} to {high:g}", fontsize=9)

    sites, rows = len(cohort.shown_sites), (len(instrument.scales) + 1) // 2
    return compose_picture(
        cohort,
        name,
        [
            (instrument.title_scale(scale), partial(draw_scale, scale=scale))
            for scale in instrument.scales
        ],
        size=(9.2, 0.8 + (0.85 + 0.4 * sites) * rows),
        alt=alt,
        caption=caption,
        columns=2,
        legend="outside lower right",
    )


def _picture_means(cohort: Cohort, findings: pd.DataFrame, instrument: Instrument) -> Picture:
    sites = cohort.shown_sites
    return _picture_scales(
        cohort,
        instrument,
        "means",
        lambda ax, scale: draw_means(ax, findings, cohort, scale, sites),
        alt=" ".join(
            describe_means(cohort, findings, instrument, scale, sites)
            for scale in instrument.scales
        ),
        caption="Mean scores with their 95% intervals, before (grey squares) and after (blue "
        "circles).",
    )


def _picture_distributions(cohort: Cohort, spread: pd.DataFrame, instrument: Instrument) -> Picture:
    fewest = cohort.smallest_group
    return _picture_scales(
        cohort,
        instrument,
        "distributions",
        lambda ax, scale: draw_score_distributions(ax, spread, cohort, scale),
        alt=describe_spread(spread, cohort, instrument),
        caption="How people's scores spread, before (grey) and after (blue): the box holds the "
        "middle half of them, the whiskers the middle 80%, the white line is the median. Groups of "
        f"fewer than {fewest} people are left out.",
    )


def _picture_differences(
    cohort: Cohort, findings: pd.DataFrame, instrument: Instrument
) -> Iterator[Picture]:
    rows = select_findings(findings, section="scales", estimator="did_hedges_g", site="all")
    labels = [instrument.title_scale(scale) for scale in rows["outcome"]]
    yield from picture_differences(cohort, "differences", rows, labels)


def picture_differences(
    cohort: Cohort, name: str, rows: pd.DataFrame, labels: list[str]
) -> Iterator[Picture]:
    """Draw standardised differences of all pairs together; nothing where none is known."""
    if rows["estimate"].notna().any():
        band = cohort.smallest_meaningful_g
        yield compose_picture(
            cohort,
            name,
            [("", partial(draw_differences, rows=rows, labels=labels, band=band))],
            size=(8.2, 1.3 + 0.45 * len(rows)),
            alt=describe_differences(rows, labels),
            caption="All pairs together: how much more the areas rose than their control sites, "
            f"with the 95% interval. The shaded band ends at {cohort.describe_bound()}: smaller "
            "differences count as too small to matter.",
        )


def describe_mean_differences(
    cohort: Cohort, findings: pd.DataFrame, scale: str, sites: Sequence[str]
) -> str:
    """Say how much each site's mean of a scale changed, with its interval."""
    rows = select_findings(findings, section="scales", outcome=scale, estimator="mean_difference")
    parts = [
        f"{cohort.title_site(site)} {format_number(row['estimate'])} "
        f"(95% interval {describe_interval(row)}; {describe_p(row['p_value'])})"
        for site in sites
        if (row := find_row(rows, site=site)) is not None
    ]
    return f"Change: {'; '.join(parts)}." if parts else ""


def describe_means(
    cohort: Cohort,
    findings: pd.DataFrame,
    instrument: Instrument,
    scale: str,
    sites: Sequence[str],
    waves: Sequence[str] = WAVES,
) -> str:
    """Say each site's mean of a scale in each wave."""
    parts = []
    rows = select_findings(findings, section="scales", outcome=scale, estimator="mean")
    for site in sites:
        values = [
            f"{format_number(row['estimate'])} {wave}"
            for wave in waves
            if (row := find_row(rows, site=site, period=wave)) is not None
        ]
        parts += [f"{cohort.title_site(site)} {', '.join(values)}"] if values else []
    return f"{instrument.title_scale(scale)}: {'; '.join(parts)}."


def describe_differences(rows: pd.DataFrame, labels: list[str]) -> str:
    """Say each estimate with its interval."""
    parts = [
        f"{label} {format_number(row['estimate'])} ({describe_interval(row)})"
        for label, (_, row) in zip(labels, rows.iterrows(), strict=True)
    ]
    return f"In standard deviations: {'; '.join(parts)}."


def describe_attrition(cohort: Cohort, findings: pd.DataFrame) -> str:
    """Say what share of the first wave was lost in each pair; empty where nobody is linked."""
    parts = []
    find = partial(find_row, findings, section="scales", outcome="questionnaire")
    for pair in cohort.pairs:
        area = find(estimator="attrition_share", site=pair.intervention)
        control = find(estimator="attrition_share", site=str(pair.control))
        difference = find(estimator="attrition_difference", site=pair.intervention)
        if area is None:
            continue
        text = f"{_describe_lost(area)} in {cohort.title_site(pair.intervention)}"
        if control is not None:
            text += f", {_describe_lost(control)} in {cohort.title_site(str(pair.control))}"
        if difference is not None and not np.isnan(difference["ci_low"]):
            points = format_number(100 * difference["estimate"], 0)
            ends = format_interval(100 * difference["ci_low"], 100 * difference["ci_high"], 0)
            text += f" ({points} points apart, 95% interval {ends})"
        parts.append(text)
    if not parts:
        return ""
    return (
        f"Lost between the waves, of the people who answered the first: {'; '.join(parts)}. Where "
        "more were lost on one side, a difference between those who stayed may be a difference "
        "between those who left."
    )


def _describe_lost(row: pd.Series[Any]) -> str:
    if row["reason"] in HIDING:
        return "too few to tell"
    share = format_share(row["estimate"])
    return share if np.isnan(row["n"]) else f"{share} of {format_count(row['n'])}"


def describe_lead(findings: pd.DataFrame) -> str:
    """Say which comparison of linked people leads, and why; empty where nobody is linked."""
    rows = select_findings(findings, section="scales", estimator="ancova", period="change")
    if rows.empty:
        return ""
    if find_flagged(rows, Flag.LEADS).any():
        return (
            "The sites were drawn by lot, and everybody in the second wave had answered the first: "
            "so the comparison of people with the same score before leads, and the difference in "
            "differences stands beside it."
        )
    return (
        "Some people answered both waves. The difference in differences leads; the comparison of "
        "people with the same score before stands beside it, as it is fair only where sites were "
        "drawn by lot: elsewhere it takes a gap that was there from the start for a change."
    )


def describe_spread(spread: pd.DataFrame, cohort: Cohort, instrument: Instrument) -> str:
    """Say the median score of each scale by site and wave; small groups are left out."""
    parts = []
    for scale in instrument.scales:
        rows = spread[spread["scale"] == scale].sort_values(["site", "wave"])
        columns = zip(rows["site"], rows["wave"], rows["median"], strict=True)
        medians = [f"{cohort.title_site(s)} {w} {format_number(m)}" for s, w, m in columns]
        parts.append(f"{instrument.title_scale(scale)}: {', '.join(medians) or 'too few to show'}")
    return f"Median scores. {'; '.join(parts)}."


def tabulate_scales(findings: pd.DataFrame, cohort: Cohort, instrument: Instrument) -> Table:
    """Lay out every scale by site: n, means by wave, the difference with its tests."""
    rows: list[dict[str, str]] = []
    shown: list[pd.Series[Any]] = []
    chosen = select_findings(findings, section="scales")
    chosen = chosen[chosen["estimator"].isin(_RISES)]
    linked = False
    for _, row in chosen.iterrows():
        people = row["estimator"] == "mean_difference_people"
        if people and (row["site"] != "intervention" or len(cohort.pairs) < 2):
            continue
        if row["reason"] == Reason.PAIR_MISSING:
            continue
        place = {"section": "scales", "outcome": row["outcome"], "site": row["site"]}
        means = [
            find_row(findings, **place, estimator="mean", period=wave)
            for wave in ("before", "after")
        ]
        g = None if people else find_row(findings, **place, estimator="hedges_g")
        linked |= has_flag(row, Flag.LINKED) or has_flag(row, Flag.PARTLY_LINKED)
        shown.append(row)
        title = _title_group(cohort, row["site"])
        rows.append(
            {
                "Scale": instrument.title_scale(row["outcome"]),
                "Site": f"{title}, as one sample of people" if people else title,
                "n": " / ".join(describe_value(mean, format_count, "n") for mean in means),
                "Before": "" if people else describe_value(means[0], format_number),
                "After": "" if people else describe_value(means[1], format_number),
                "Difference": format_number(row["estimate"]),
                "95% interval": format_interval(row["ci_low"], row["ci_high"]),
                "Welch t (df)": (
                    MISSING
                    if math.isnan(row["statistic"])
                    else f"{format_number(row['statistic'])} ({format_number(row['df'], 1)})"
                ),
                "p": format_p(row["p_value"]),
                "Hedges g": "" if people else describe_value(g, format_number),
            }
        )
    tests = "t-tests, of people's own changes where they are known" if linked else "t-tests"
    known = [
        name for name in (rows or [{}])[0] if any(row[name] not in ("", MISSING) for row in rows)
    ]
    changed, waves = "Difference" in known, [w for w in ("Before", "After") if w in known]
    return Table(
        [{name: row[name] for name in known} for row in rows],
        name="scales",
        title="Residents' scales, before and after" if changed else "Residents' scales",
        subtitle=f"Welch's {tests}: a description of each place, not yet a comparison" * changed,
        stub="Site",
        group="Scale",
        spanners={"Mean score": waves} if waves else {},
        notes=[
            *list_notes(shown, instrument),
            "n: people with a score, before / after.",
            *explain_reversed(instrument, instrument.scales),
        ],
    )


def tabulate_differences(findings: pd.DataFrame, cohort: Cohort, instrument: Instrument) -> Table:
    """Lay out what compares the pairs on every scale, what leads first, and what it can bear.

    Scales declared in advance come first, and of each scale all pairs together. Beside the row
    that leads stand the difference in differences or the comparison at the same score before, and
    the one with a stated shock.
    """
    rows: list[dict[str, str]] = []
    noted: list[pd.Series[Any]] = []
    chosen = findings[findings["section"].isin(["scales", "invariance"])]
    partly = set(chosen.loc[find_flagged(chosen, Flag.PARTLY_INVARIANT), "outcome"])
    chosen = chosen[
        chosen["estimator"].isin(_COMPARED)
        & (chosen["section"].eq("scales") | chosen["outcome"].isin(partly))
    ]
    chosen = chosen.assign(
        later=~chosen["outcome"].isin(cohort.confirmatory_scales),
        place=chosen["site"] != "all",
        beside=[not has_flag(row, Flag.LEADS) for _, row in chosen.iterrows()],
        scale=chosen["outcome"].map({key: k for k, key in enumerate(instrument.scales)}),
        pair=chosen["site"].map({pair.intervention: k for k, pair in enumerate(cohort.pairs)}),
    ).sort_values(["later", "scale", "place", "pair", "beside"], kind="stable")
    people: dict[str, None] = {}
    for _, row in chosen.iterrows():
        find = partial(
            find_row, findings, section="scales", outcome=row["outcome"], site=row["site"]
        )
        whole = row["estimator"] == "difference_in_differences"
        smallest, g = (
            find(estimator=estimator) if whole else None
            for estimator in ("smallest_detectable_difference", "did_hedges_g")
        )
        stated = "_with_shock" if row["estimator"].endswith("_with_shock") else ""
        verdict = find(estimator=f"tost{stated}") if whole or stated else None
        within = verdict is not None and has_flag(verdict, Flag.NO_MEANINGFUL_EFFECT)
        shock = find(estimator="tau_star_equivalence" if within else "tau_star") if whole else None
        noted += [each for each in (row, shock, verdict) if each is not None]
        if whole:
            people[_describe_people(row)] = None
        rows.append(
            {
                "Scale": _title_scale(cohort, instrument, row["outcome"]),
                "Pair": _title_pair(cohort, row),
                "Difference": format_number(row["estimate"]),
                "95% interval": format_interval(row["ci_low"], row["ci_high"]),
                "p adjusted": format_p(row["p_adjusted"]) if row["section"] == "scales" else "",
                "p": format_p(row["p_value"]),
                "In SD": _write(g, whole),
                "Smallest detectable (SD)": _write(smallest, whole),
                "Shock that undoes it": _write_shock(shock),
                "Measured alike": _describe_measurement(row) if whole else "",
                "Verdict": _describe_verdict(verdict),
            }
        )
    return Table(
        rows,
        name="differences",
        title="Did the areas change more than their control sites?",
        subtitle="Difference in differences, in points of the scale, of "
        f"{format_list(list(people)) or 'people'} in the two waves",
        stub="Pair",
        group="Scale",
        text=["Verdict"],
        notes=[
            *list_notes(noted, instrument),
            *_explain_adjusting(cohort, instrument),
            *explain_reversed(instrument, instrument.scales),
        ],
    )


def find_leading(rows: pd.DataFrame, scales: Sequence[str]) -> dict[str, pd.Series[Any]]:
    """Find the comparison of all pairs that leads for each scale that has one: `Flag.LEADS`."""
    leads = rows[find_flagged(rows, Flag.LEADS) & (rows["site"] == "all")]
    found = {scale: find_known(leads, outcome=scale, period="change") for scale in scales}
    return {scale: row for scale, row in found.items() if row is not None}


def list_notes(rows: Iterable[pd.Series[Any]], instrument: Instrument) -> list[str]:
    """List what is to be known of some numbers; of gaps, in which scales where not in all."""
    shown = list(rows)
    scales: dict[str, dict[str, None]] = {}
    for row in shown:
        scales.setdefault(str(row["note"]), {})[instrument.title_scale(row["outcome"])] = None
    gaps = {str(row["note"]) for row in shown if row["reason"] in _GAPS}
    every = len({row["outcome"] for row in shown})
    return [
        f"{format_list(list(titles))}: {note}" if note in gaps and len(titles) < every else note
        for note, titles in scales.items()
    ]


def explain_reversed(instrument: Instrument, scales: Iterable[str]) -> list[str]:
    """Say of which scales a high score is worse; nothing where there is none."""
    titles = [
        lower_title(instrument.title_scale(scale))
        for scale in scales
        if instrument.scales[scale].reverse
    ]
    if not titles:
        return []
    it = "it" if len(titles) == 1 else "them"
    return [f"A higher score on {format_list(titles)} means more of {it}, which is worse."]


def _title_scale(cohort: Cohort, instrument: Instrument, scale: str) -> str:
    title = instrument.title_scale(scale)
    if not cohort.confirmatory:
        return title
    return f"{title} ({'confirmatory' if scale in cohort.confirmatory_scales else 'exploratory'})"


def _title_pair(cohort: Cohort, row: pd.Series[Any]) -> str:
    """Name a pair and what is compared; where weighted, with the number of people behind it."""
    title = cohort.title_pair(row["site"])
    title += _COMPARED[row["estimator"]].format(shock=cohort.area_shock_sd)
    weighted = has_flag(row, Flag.WEIGHTED) and not math.isnan(row["n"])
    return f"{title} (n = {format_count(row['n'])})" if weighted else title


def _write(row: pd.Series[Any] | None, whole: bool) -> str:
    return describe_value(row, format_number) if whole else ""


def _write_shock(row: pd.Series[Any] | None) -> str:
    if row is not None and row["reason"] == Reason.NOT_APPLICABLE:
        return "none needed"
    return _write(row, row is not None)


def _describe_people(row: pd.Series[Any]) -> str:
    if has_flag(row, Flag.LINKED):
        return "the same people"
    return "partly the same people" if has_flag(row, Flag.PARTLY_LINKED) else "different people"


def _describe_verdict(row: pd.Series[Any] | None) -> str:
    if row is None:
        return ""
    reach = "such areas" if row["estimator"].endswith("_with_shock") else "these people"
    words = [word for flag, word in _VERDICTS.items() if has_flag(row, flag)]
    return words[0].format(reach=reach) if words else ""


def _describe_measurement(row: pd.Series[Any]) -> str:
    words = [word for flag, word in _ALIKE.items() if has_flag(row, flag)]
    return words[0] if words else "not known"


def _explain_adjusting(cohort: Cohort, instrument: Instrument) -> list[str]:
    several = len(instrument.scales) > 1
    if not several:
        return []
    rest = "Benjamini and Hochberg's method"
    counted = "the number of scales (of single pairs, for that of scales and pairs)"
    if not cohort.confirmatory:
        return [f"p adjusted: for {counted}, by {rest}."]
    families = len(cohort.confirmatory)
    each = f", in each of their {families} families by itself" if families > 1 else ""
    return [
        f"p adjusted: for {counted}, by Holm's method over the confirmatory scales, which were "
        f"named in advance{each}, and by {rest} over the others."
    ]


def _title_group(cohort: Cohort, site: str) -> str:
    together = {
        "intervention": "All areas together",
        "control": "All control sites",
        "all": "All sites together",
    }
    return together.get(site) or cohort.title_site(site)


def draw_means(
    ax: Axes,
    findings: pd.DataFrame,
    cohort: Cohort,
    scale: str,
    sites: Sequence[str] | None = None,
    waves: Sequence[str] = WAVES,
) -> None:
    """Draw a scale's mean by site and wave, with intervals."""
    rows = select_findings(findings, section="scales", estimator="mean", outcome=scale)
    shown = list(cohort.shown_sites if sites is None else sites)
    for wave, shift in (("before", -0.14), ("after", 0.14)):
        known = rows[(rows["period"] == wave) & rows["site"].isin(shown) & rows["estimate"].notna()]
        if wave not in waves or known.empty:
            continue
        at = known["site"].map(shown.index) + shift
        draw_intervals(ax, known, at, *LOOKS[wave], ms=7, mew=0, label=wave.capitalize())
    name_lines(ax, [cohort.title_site(site) for site in shown])


def draw_differences(ax: Axes, rows: pd.DataFrame, labels: Sequence[str], band: float) -> None:
    """Draw estimates with intervals around zero, and the band that is too small to matter."""
    if band:
        ax.axvspan(-band, band, color=PALE, zorder=0)
    ax.axvline(0, color=INK, lw=0.9)
    draw_intervals(ax, rows, range(len(rows)), INTERVENTION, "o")
    for place in np.flatnonzero(rows["estimate"].isna()):
        ax.text(0, int(place), "not available", va="center", ha="center", style="italic")
    name_lines(ax, labels)
    ax.set_xlabel("Difference in differences, in standard deviations")


def draw_score_distributions(ax: Axes, spread: pd.DataFrame, cohort: Cohort, scale: str) -> None:
    """Draw how a scale's scores spread, by site and wave: half in the box, 80% in the whiskers."""
    sites = list(cohort.shown_sites)
    for wave, colour, shift in (("before", BEFORE, -0.19), ("after", AFTER, 0.19)):
        rows = spread[(spread["scale"] == scale) & (spread["wave"] == wave)]
        rows = rows[rows["site"].isin(sites)]
        if rows.empty:
            continue
        at = rows["site"].map(sites.index).to_numpy() + shift
        ax.hlines(at, rows["low"], rows["high"], color=GREY, zorder=0)
        ax.barh(
            at, rows["q3"] - rows["q1"], 0.3, rows["q1"],
            label=wave.capitalize(), color=colour, edgecolor=GREY,
        )  # fmt: skip
        ax.vlines(rows["median"], at - 0.15, at + 0.15, color="white", lw=2)
    name_lines(ax, [cohort.title_site(site) for site in sites])
