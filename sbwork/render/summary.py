"""What was found, and how sure one can be: what a reader who stops here should know."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from sbwork.grade.evidence import Evidence
from sbwork.grade.headlines import Headline, find_headline
from sbwork.grade.publishable import Publishable
from sbwork.render.blocks import Bullets, Section
from sbwork.render.choice import describe_choice
from sbwork.render.counts import describe_changes, describe_reported, explain_uncompared
from sbwork.render.intervals import WAVES, describe_interval, find_known
from sbwork.render.reasons import HIDING
from sbwork.render.scales import NO_SCALES, explain_reversed, find_leading
from sbwork.specs.cohort import Cohort
from sbwork.specs.instrument import Instrument
from sbwork.stats import Flag
from sbwork.stats.findings import find_row, has_flag, select_findings
from sbwork.stats.formats import (
    describe_p,
    format_change,
    format_count,
    format_difference,
    format_interval,
    format_list,
    format_months,
    format_number,
    format_p,
    format_share,
    lower_title,
)

_ALPHA = 0.05
_TWO = 2
_HALF = 0.5
"""Percent below which the end of an interval is written as 0, as if it took in no change."""
_ONE_WAVE = {
    "before": (
        "once, before",
        "That is a baseline: a second wave of the same questions can be set beside it, and until "
        "then no change is known.",
    ),
    "after": ("once, after", "Nobody has a score before, so no change is known."),
    "both": ("before and after", "No site has scores of both waves, so no change is known."),
}


def present_summary(evaluation: Publishable) -> Section:
    """Open the report: a few points in plain English, what kind of data this is first."""
    first, *points = summarise_cohort(
        evaluation.cohort,
        evaluation.findings,
        evaluation.evidence,
        evaluation.instrument,
        evaluation.uneven,
    )
    return Section([first, Bullets(tuple(points))] if points else [first])


def summarise_cohort(
    cohort: Cohort,
    findings: pd.DataFrame,
    evidence: Evidence,
    instrument: Instrument | None = None,
    uneven: Sequence[str] = (),
) -> list[str]:
    """Say in a few points what was found and how sure one can be.

    What the files lack in one period (`uneven`) comes before the counts that it may have changed.
    """
    found = [
        *_describe_reported(cohort),
        *_describe_counts(cohort, findings),
        *_describe_scales(cohort, findings, instrument),
    ]
    return [
        *_describe_status(cohort),
        *(f"Read the counts with this in mind. {note}." for note in uneven),
        *(found or _describe_rest(cohort)),
        *_describe_level(cohort, evidence),
    ]


def _describe_status(cohort: Cohort) -> list[str]:
    if cohort.data_status == "invented":
        return [
            "The data behind this report are invented: read it to see what such a report shows, "
            "not to learn about a place."
        ]
    if cohort.rehearsal:
        return [
            "No project ran in these areas: this is a rehearsal on real data, and an honest report "
            "should find nothing out of the ordinary."
        ]
    return []


def _describe_rest(cohort: Cohort) -> list[str]:
    """Say what there is where there are no numbers."""
    stories, events = len(cohort.stories), len(cohort.engagement)
    parts = [f"{stories} stor{'y' if stories == 1 else 'ies'}"] if stories else []
    parts += [f"an engagement log of {events} event{'s' * (events != 1)}"] if events else []
    start = "No incident file, survey or reported figure was given"
    return [f"{start}; there is {format_list(parts)}." if parts else f"{start}."]


def _describe_reported(cohort: Cohort) -> list[str]:
    if not cohort.reported_figures:
        return []
    return [
        f"{describe_reported(cohort)} They came without counts, dates or a control site, so they "
        "can't be checked and no interval can be put around them."
    ]


def _describe_counts(cohort: Cohort, findings: pd.DataFrame) -> list[str]:
    points = [
        f"{changes} {_describe_comparison(cohort, findings, outcome)}".strip()
        for outcome in cohort.list_outcomes()
        if (changes := describe_changes(cohort, findings, outcome))
    ]
    why = explain_uncompared(cohort, findings)
    if not points or cohort.periods is None:
        return [why] if why else []
    points += [why] if why else []
    before, after = cohort.periods.before, cohort.periods.after
    when = (
        f"Incidents of {format_months(after.start, after.end)} are compared with those of "
        f"{format_months(before.start, before.end)}."
    )
    shorter = _describe_shorter(cohort, findings)
    choice = describe_choice(cohort, findings)
    return [" ".join([when, *shorter]), *points, *choice, *_describe_tests(findings)]


def _describe_comparison(cohort: Cohort, findings: pd.DataFrame, outcome: str) -> str:
    """Say the number that leads, what its interval answers for, and how pairs differ."""
    headline = find_headline(findings, outcome)
    if headline is None:
        return ""
    sentences = [
        f"{_name_comparison(cohort, headline)} {_describe_ratio(headline)}.",
        _explain_basis(findings, headline),
        *_describe_heterogeneity(findings, headline),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def _name_comparison(cohort: Cohort, headline: Headline) -> str:
    if headline.site == "all":
        return "The areas together, set against their control sites:"
    pair = next(pair for pair in cohort.pairs if pair.intervention == headline.site)
    title = cohort.title_site(pair.intervention)
    if pair.control is None:
        return f"{title}, which has no control site:"
    return f"{title} set against its control site:"


def _describe_ratio(headline: Headline) -> str:
    """Write a ratio as a change with its interval and, where there is one, its rank."""
    ratio, rank = headline.ratio, headline.rank
    low, high = (100 * (ratio[end] - 1) for end in ("ci_low", "ci_high"))
    sure = "leaves out" if headline.excludes_no_change else "takes in"
    digits = 1 if headline.excludes_no_change and min(abs(low), abs(high)) < _HALF else 0
    interval = format_interval(low, high, digits, percent=True)
    parts = [f"95% interval {interval}, which {sure} no change"]
    if rank is not None:
        parts.append(describe_p(rank["estimate"], "rank p"))
        if not math.isnan(rank["p_adjusted"]):
            parts.append(describe_p(rank["p_adjusted"], "adjusted p"))
    change = format_change(100 * (ratio["estimate"] - 1))
    return f"{change} ({'; '.join(parts)})"


def _explain_basis(findings: pd.DataFrame, headline: Headline) -> str:
    """Say what the interval answers for, and why no better one is there."""
    if headline.basis == "placebo":
        return (
            "The interval is made from how much places change by themselves where nothing is done."
        )
    why = "the files hold too few comparable areas in which nothing was done"
    if headline.basis == "random effects":
        return (
            "The interval allows for chance among incidents and for pairs that differ, but not "
            f"for drift of whole areas: {why}.{_describe_sharing(findings, headline)}"
        )
    return (
        f"The interval allows for chance among incidents, but not for drift of whole areas: {why}."
    )


def _describe_sharing(findings: pd.DataFrame, headline: Headline) -> str:
    """Say what follows where pairs share a control site."""
    if not has_flag(headline.ratio, Flag.SHARED_CONTROL):
        return ""
    pairs = select_findings(
        findings, section="counts", outcome=headline.outcome, estimator="rirr", period="change"
    )
    controls = pairs[(pairs["site"] != "all") & pairs["estimate"].notna()]["comparison"]
    if len(set(controls)) == 1:
        return " They share a control site, whose own drift would move all of them at once."
    return " Some share a control site, whose own drift would move those at once."


def _describe_heterogeneity(findings: pd.DataFrame, headline: Headline) -> list[str]:
    """Say where pairs differ so much that their mean describes none of them."""
    place = {"section": "counts", "outcome": headline.outcome, "site": "all", "period": "change"}
    q = find_row(findings, **place, estimator="heterogeneity_q")
    i2 = find_row(findings, **place, estimator="heterogeneity_i2")
    if headline.site != "all" or q is None or i2 is None or not q["p_value"] < _ALPHA:
        return []
    return [
        "The pairs differ by more than chance within them explains "
        f"({describe_p(q['p_value'], 'Q test p')}, I² {format_share(i2['estimate'])}), so their "
        "mean may describe none of them."
    ]


def _describe_shorter(cohort: Cohort, findings: pd.DataFrame) -> list[str]:
    """Say which comparisons rest on fewer months than the periods have."""
    rows = select_findings(findings, section="counts", estimator="window_months", period="change")
    alike: dict[str, list[str]] = {}
    assert cohort.periods is not None  # noqa: S101
    planned = min(len(cohort.periods.before.months), len(cohort.periods.after.months))
    for _, row in rows[rows["estimate"] < planned].iterrows():
        title = lower_title(cohort.title_outcome(row["outcome"]))
        alike.setdefault(format_count(row["estimate"]), []).append(
            f"{title} in {cohort.title_site(row['site'])}"
        )
    parts = "; ".join(
        f"{format_list(titles)} on {months} of {planned} months on each side"
        for months, titles in alike.items()
    )
    return [f"Not all of these months could be compared: {parts}."] if parts else []


def _describe_tests(findings: pd.DataFrame) -> list[str]:
    """Say how many single comparisons pass a test, and what placebo ranks make of them."""
    ranks = select_findings(findings, section="placebo", estimator="placebo_p")
    ranks = ranks[(ranks["site"] != "all") & ranks["estimate"].notna()]
    ratios = select_findings(findings, section="counts", estimator="rirr", period="change")
    ratios = ratios[ratios["p_value"].notna()]
    if ranks.empty or ratios.empty:
        return []
    passing = _count_below(ratios["p_value"])
    unusual = _count_below(ranks["estimate"])
    expected = format_number(_ALPHA * len(ranks), 1)
    smallest = describe_p(float(ranks["estimate"].min()), "smallest rank p")
    adjusted = ranks["p_adjusted"].min()
    smallest += "" if math.isnan(adjusted) else f", adjusted {format_p(adjusted)}"
    return [
        f"Pair by pair, {passing} of {len(ratios)} comparisons of an area with its control site "
        "pass the usual test (p < .05). Set among comparable places where nothing was done, "
        f"{unusual} of {len(ranks)} lie in the outermost 5% ({smallest}); chance alone would put "
        f"about {expected} there."
    ]


def _count_below(p: pd.Series[float]) -> str:
    return format_count(int((p < _ALPHA).sum())) if (p < _ALPHA).any() else "none"


def _describe_scales(
    cohort: Cohort, findings: pd.DataFrame, instrument: Instrument | None
) -> list[str]:
    rows = select_findings(findings, section="scales")
    if instrument is None or rows.empty:
        return [NO_SCALES] if instrument is not None and cohort.surveys else []
    families = [scales for scales in cohort.confirmatory.values() if scales]
    families = families or [tuple(instrument.scales)]
    scales = [scale for family in families for scale in family]
    leading = find_leading(rows, scales)
    if not leading:
        own = rows["site"].isin(list(cohort.sites)) & rows["outcome"].isin(scales)
        return [" ".join([*_describe_sites(cohort, rows[own], instrument),
                          *explain_reversed(instrument, scales)])]  # fmt: skip
    rises = select_findings(rows, site="intervention", estimator="mean_difference")
    points = []
    for family in families:
        found = {scale: leading[scale] for scale in family if scale in leading}
        changes = _find_each(rises, family)
        if found:
            said = [_compare_scales(instrument, found), *explain_reversed(instrument, found)]
            points.append(" ".join(said))
        if found and changes:
            points.append(_describe_own_changes(instrument, changes))
    absent = [
        lower_title(instrument.title_scale(scale)) for scale in scales if scale not in leading
    ]
    if absent:
        points.append(
            f"No change beyond that in the control sites is known of {format_list(absent)}."
        )
    return points


def _find_each(rows: pd.DataFrame, scales: Sequence[str]) -> dict[str, Any]:
    """Find one number a scale of those that have one."""
    found = {scale: find_known(rows, outcome=scale, period="change") for scale in scales}
    return {scale: row for scale, row in found.items() if row is not None}


def _compare_scales(instrument: Instrument, found: dict[str, Any]) -> str:
    """Say every difference in differences, and how many are clear after adjustment."""
    parts = []
    for scale, row in found.items():
        adjusted = f", adjusted {format_p(row['p_adjusted'])}" * (len(found) > 1)
        parts.append(
            f"{lower_title(instrument.title_scale(scale))} {format_difference(row['estimate'])}"
            f"{' at the same score before' if row['estimator'] == 'ancova' else ''} "
            f"(95% interval {describe_interval(row)}; {describe_p(row['p_value'])}{adjusted})"
        )
    clear = [
        lower_title(instrument.title_scale(scale))
        for scale, row in found.items()
        if row["p_adjusted"] < _ALPHA
    ]
    if len(found) == 1:
        verdict = f"That {'is clear of' if clear else 'takes in'} no difference"
    elif len(clear) in (0, len(found)):
        which = f"all {len(found)} are" if clear else f"none of the {len(found)} is"
        if len(found) == _TWO:
            which = "both are" if clear else "neither is"
        verdict = f"After adjustment {which} clear of no difference"
    else:
        verdict = (
            f"After adjustment {len(clear)} of the {len(found)} "
            f"{'is' if len(clear) == 1 else 'are'} clear of no difference ({format_list(clear)})"
        )
    linked = any(has_flag(row, Flag.LINKED) for row in found.values())
    people = "the same people asked twice" if linked else "chance among people"
    return (
        "Residents' answers, points of change beyond that in the control sites: "
        f"{format_list(parts)}. {verdict}, as far as {people} can tell; whole areas also move by "
        "chance."
    )


def _describe_own_changes(instrument: Instrument, found: dict[str, Any]) -> str:
    """Say how answers changed within the areas, which is a description and no comparison."""
    parts = [
        f"{lower_title(instrument.title_scale(scale))} "
        f"{format_difference(row['estimate'])} ({describe_p(row['p_value'])})"
        for scale, row in found.items()
    ]
    return (
        f"Within the areas by themselves: {format_list(parts)}; a description of the areas, not a "
        "comparison."
    )


def _describe_sites(cohort: Cohort, rows: pd.DataFrame, instrument: Instrument) -> Iterator[str]:
    """Say how answers changed at each site or, where no change is known, what they were."""
    titles = {pair.control: ", a control site," for pair in cohort.pairs if pair.control}
    known = rows[rows["estimate"].notna()].assign(
        title=lambda shown: [
            f"{lower_title(instrument.title_scale(scale))} in {cohort.title_site(site)}"
            for scale, site in zip(shown["outcome"], shown["site"], strict=True)
        ]
    )
    changes = known[known["estimator"] == "mean_difference"]
    means = known[known["estimator"] == "mean"]
    asked = {
        str(site): list(waves) for site, waves in means.groupby("site")["period"].unique().items()
    }
    if len(changes):
        parts = [
            f"{row['title']}{titles.get(row['site'], '')} {format_difference(row['estimate'])} "
            f"(95% interval {describe_interval(row)}; {describe_p(row['p_value'])})"
            for _, row in changes.iterrows()
        ]
        yield f"Residents' answers changed by: {format_list(parts)}."
        yield (
            "No change of an area can be set beside a control site's, so nothing shows what would "
            "have happened anyway."
        )
    elif len(means):
        waves = means["period"].unique()
        when, verdict = _ONE_WAVE[waves[0] if len(waves) == 1 else "both"]
        yield f"Residents were asked {when} the start of the work."
        ranges = {
            instrument.find_range(instrument.list_scale_items(scale)[0])
            for scale in means["outcome"].unique()
        }
        on = " on scales from {:g} to {:g}".format(*ranges.pop()) if len(ranges) == 1 else ""
        parts = [
            f"{row['title']} {format_number(row['estimate'])}"
            + f" {row['period']}" * (len(waves) > 1)
            for _, row in means.iterrows()
        ]
        yield f"Mean scores{on}: {format_list(parts)}."
        yield verdict
    hidden = rows[(rows["estimator"] == "mean") & rows["reason"].isin(HIDING)]
    for wave in WAVES:
        alone = [site for site, waves in asked.items() if waves == [wave]] if len(changes) else []
        concealed = hidden.loc[hidden["period"] == wave, "site"].unique()
        alone = [cohort.title_site(str(site)) for site in alone if site not in set(hidden["site"])]
        if alone:
            verb = "was" if len(alone) == 1 else "were"
            yield f"{format_list(alone)} {verb} asked only {wave} the start of the work."
        if len(concealed):
            places = format_list([cohort.title_site(str(site)) for site in concealed])
            yield (
                f"Scores of {places} {wave} the start are hidden, so that no group of fewer than "
                f"{cohort.smallest_group} people is shown."
            )
    if means.empty and hidden.empty:
        yield "A survey was given, but nobody in it has a score."


def _describe_level(cohort: Cohort, evidence: Evidence) -> list[str]:
    if evidence.level < 1 or set(evidence.sections) == {"description"}:
        return ["There is no change to grade yet: what is still missing is listed below."]
    level = f"This is evidence of level {evidence.level} on a scale from 1 (weakest) to 5"
    if cohort.rehearsal:
        return [f"{level} by its design, and there is no work here to credit."]
    if evidence.level < 3:
        return [
            f"{level}: these things changed alongside the work, and this design can't say that "
            "the work was the reason."
        ]
    return [f"{level}."]
