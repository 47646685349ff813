"""The sections of the report: what is shown in each, and in what order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

import pandas as pd

from sbwork import figures, narrative, tables
from sbwork.checklists import list_emmie, trend_checklist
from sbwork.evaluation import Evaluation
from sbwork.formats import format_change
from sbwork.pictures import Picture, compose_picture
from sbwork.results import find_row, select_findings

if TYPE_CHECKING:
    from great_tables import GT
    from matplotlib.figure import Figure

__all__ = [
    "Bullets",
    "Section",
    "present_changes",
    "present_counts",
    "present_evidence",
    "present_kinds",
    "present_limits",
    "present_methods",
    "present_quality",
    "present_reliability",
    "present_scales",
    "present_stories",
    "present_summary",
]


@dataclass(frozen=True)
class Bullets:
    """A list of short sentences."""

    points: tuple[str, ...]

    def _repr_html_(self) -> str:
        return "<ul>" + "".join(f"<li>{escape(point)}</li>" for point in self.points) + "</ul>"


@dataclass(frozen=True)
class Section:
    """Paragraphs, tables and pictures in reading order; a notebook shows it as it stands.

    Attributes
    ----------
    blocks : list
        Text (one paragraph), `Bullets`, `Picture` or a great-tables table.
    """

    blocks: list[str | Bullets | Picture | GT] = field(default_factory=list)

    @property
    def pictures(self) -> list[Picture]:
        """The pictures of the section."""
        return [block for block in self.blocks if isinstance(block, Picture)]

    def _repr_html_(self) -> str:
        return "\n".join(_render(block) for block in self.blocks)


def present_summary(evaluation: Evaluation) -> Section:
    """Open the report: one paragraph in plain English."""
    return Section([narrative.summarise_cohort(
        evaluation.cohort, evaluation.findings, evaluation.evidence, evaluation.instrument
    )])  # fmt: skip


def present_changes(evaluation: Evaluation) -> Section:
    """Show the Durham table and its picture, or the figures as reported."""
    cohort, findings = evaluation.cohort, evaluation.findings
    blocks: list[Any] = []
    if len(select_findings(findings, section="counts")):
        blocks.append(tables.tabulate_changes(findings, cohort))
        blocks.append(_picture_changes(evaluation))
    if len(select_findings(findings, section="reported")):
        blocks.append(tables.tabulate_reported_figures(cohort))
        blocks.append(_picture_reported(evaluation))
    return Section(blocks or ["No counts and no reported figures were given."])


def present_counts(evaluation: Evaluation) -> Section:
    """Show each pair's comparison of counts, and where it stands among comparable places."""
    cohort, findings = evaluation.cohort, evaluation.findings
    if evaluation.incidents is None or evaluation.placebo is None:
        return Section(
            ["No incident file was given, so nothing can be counted and no interval can be put "
             "around a change."]
        )  # fmt: skip
    blocks: list[Any] = [
        "A raw change says nothing about what would have happened anyway. The relative incidence "
        "rate ratio (RIRR) sets the area's change against its control site's; its interval allows "
        "for counts that jump about more than chance alone would make them."
    ]
    blocks.append(tables.tabulate_count_models(findings, cohort))
    if len(evaluation.incidents.months) > 4:
        blocks += [_picture_months(evaluation, outcome) for outcome in cohort.outcomes]
    blocks.append(
        "An interval answers one question: could chance among incidents do this? It does not ask "
        "how much places drift for reasons of their own. So the same comparison is made in places "
        "where nothing was done, and the pair is ranked among them."
    )
    blocks.append(tables.tabulate_placebos(findings, cohort))
    blocks += list(_picture_placebos(evaluation))
    return Section(blocks)


def present_scales(evaluation: Evaluation) -> Section:
    """Show residents' scales by site and wave, and the difference in differences."""
    cohort, findings, instrument = evaluation.cohort, evaluation.findings, evaluation.instrument
    if instrument is None or evaluation.scores is None or evaluation.responses is None:
        return Section(["No survey was given, so nothing can be said of what residents think."])
    blocks: list[Any] = []
    if instrument.illustrative:
        blocks.append(
            "The questions are illustrative: this project wrote them to try the method, and they "
            "are not the published scale."
        )
    blocks.append(tables.tabulate_scales(findings, cohort, instrument))
    blocks += [
        _picture_means(evaluation, scale)
        for scale in instrument.scales
        if len(select_findings(findings, section="scales", outcome=scale, estimator="mean"))
    ]
    blocks.append(
        "A rise in one place that is not seen in another is not yet a difference between them: "
        "that has to be estimated itself, as the difference in differences."
    )
    blocks.append(tables.tabulate_differences(findings, cohort, instrument))
    blocks += list(_picture_differences(evaluation))
    blocks += list(_picture_likert(evaluation))
    return Section(blocks)


def present_reliability(evaluation: Evaluation) -> Section:
    """Show how reliably the scales measure."""
    if evaluation.instrument is None or evaluation.responses is None:
        return Section(["No survey was given, so there is no scale whose reliability to report."])
    return Section(
        [
            "A scale is worth comparing only if its questions hang together. Alpha and omega run "
            "from 0 to 1; .70 is a usual minimum for comparing groups.",
            tables.tabulate_reliability(evaluation.findings, evaluation.instrument),
        ]
    )


def present_kinds(evaluation: Evaluation) -> Section:
    """Show what there is of each of the three kinds of evidence."""
    blocks: list[Any] = [
        tables.tabulate_kinds(evaluation.findings, evaluation.cohort, evaluation.instrument)
    ]
    if evaluation.cohort.engagement:
        blocks.append(tables.tabulate_engagement(evaluation.cohort))
    return Section(blocks)


def present_stories(evaluation: Evaluation) -> Section:
    """Show what residents and staff said."""
    cohort = evaluation.cohort
    rows = [
        {"theme": story.theme, "text": story.text, "told_by": story.told_by}
        for story in cohort.stories
    ]
    blocks: list[Any] = []
    if rows:
        blocks.append(tables.tabulate_stories(pd.DataFrame(rows)))
    if evaluation.responses is not None and len(evaluation.responses.stories):
        told = evaluation.responses.stories
        counted = told.groupby(["question", "text"], sort=False).size().reset_index(name="times")
        counted = counted.sort_values("times", ascending=False, kind="stable")
        blocks.append(
            f"{len(told)} residents answered in their own words. E-mail addresses, phone numbers, "
            "postcodes and links are masked as the file is read."
        )
        blocks.append(tables.tabulate_answers(counted.head(20), cohort))
    return Section(blocks or ["No stories were given."])


def present_evidence(evaluation: Evaluation) -> Section:
    """Show the level of evidence and why, and what would be needed for the next."""
    evidence, cohort = evaluation.evidence, evaluation.cohort
    blocks: list[Any] = [
        f"Level {evidence.level} of 5 on the Maryland Scientific Methods Scale.",
        Bullets(tuple(evidence.reasons)),
    ]
    if evidence.missing:
        blocks += ["What the next level would need:", Bullets(tuple(evidence.missing))]
    if cohort.pairs:
        blocks.append(tables.tabulate_pairs(cohort))
    blocks.append(tables.tabulate_headings(list_emmie(cohort, evaluation.findings)))
    return Section(blocks)


def present_limits(evaluation: Evaluation) -> Section:
    """List what these results can't show."""
    points = narrative.list_limits(evaluation.cohort, evaluation.findings, evaluation.evidence)
    return Section(["These results can not show:", Bullets(tuple(points))])


def present_quality(evaluation: Evaluation) -> Section:
    """Show what was read, what was left out, and why."""
    blocks: list[Any] = []
    if evaluation.incidents is not None:
        if evaluation.incidents.missing_months:
            missing = ", ".join(evaluation.incidents.missing_months)
            blocks.append(f"Months that no file covers (missing, not zero): {missing}.")
        quality = _drop_idle_checks(evaluation.incidents.quality)
        blocks.append(tables.tabulate_checks(quality, "incident-quality", "Incident files"))
    if evaluation.responses is not None:
        quality = _drop_idle_checks(evaluation.responses.quality)
        blocks.append(tables.tabulate_checks(quality, "survey-quality", "Survey files"))
        blocks.append(tables.tabulate_dropped(evaluation.responses.dropped))
    return Section(blocks or ["No file was read: everything in this report was told by people."])


def present_methods(evaluation: Evaluation) -> Section:
    """Say how each number was made, and attach the TREND checklist."""
    cohort = evaluation.cohort
    blocks: list[Any] = [Bullets(tuple(_list_methods(evaluation)))]
    blocks.append(tables.tabulate_checklist(trend_checklist(cohort, evaluation.findings)))
    sources = (*cohort.attribution, *cohort.references)
    if sources:
        blocks += ["Sources and references:", Bullets(tuple(sources))]
    blocks.append(
        "Every number above stands unrounded in results.csv and results.json beside this page; "
        "manifest.json holds the fingerprints of the files that were read, the versions of the "
        f"software and the seed ({cohort.seed})."
    )
    return Section(blocks)


def _drop_idle_checks(quality: pd.DataFrame) -> pd.DataFrame:
    """Leave out checks that found nothing to leave out."""
    idle = quality["check"].str.startswith("left out") & (quality["count"] == 0)
    return quality[~idle]


def _render(block: Any) -> str:
    if isinstance(block, str):
        return f"<p>{escape(block)}</p>"
    return str(block._repr_html_())


def _picture_changes(evaluation: Evaluation) -> Picture:
    cohort, findings = evaluation.cohort, evaluation.findings
    outcomes = list(cohort.outcomes)
    lines = sum(2 if pair.control else 1 for pair in cohort.pairs)

    def draw(figure: Figure) -> None:
        axes = figure.subplots(1, len(outcomes), sharey=True, squeeze=False)[0]
        for ax, outcome in zip(axes, outcomes, strict=True):
            figures.draw_changes(ax, findings, cohort, outcome)

    told = [narrative.describe_changes(cohort, findings, outcome) for outcome in outcomes]
    return compose_picture(
        cohort,
        "changes",
        draw,
        size=(9.2, 1.3 + 0.55 * lines),
        alt=" ".join(told),
        caption=(
            "Percentage change with its 95% interval. Blue circles: areas. Orange squares: their "
            "control sites."
        ),
    )


def _picture_reported(evaluation: Evaluation) -> Picture:
    cohort, findings = evaluation.cohort, evaluation.findings
    told = "; ".join(
        f"{f.title} {format_change(f.change_percent)}" for f in cohort.reported_figures
    )
    return compose_picture(
        cohort,
        "reported",
        lambda figure: figures.draw_reported(figure.subplots(), findings),
        size=(7.6, 1.1 + 0.6 * len(cohort.reported_figures)),
        alt=f"Bars, hatched: {told}. No intervals can be given.",
        caption="Changes as reported. Hatching marks what could not be checked; there are no "
        "intervals because there are no counts.",
    )


def _picture_months(evaluation: Evaluation, outcome: str) -> Picture:
    cohort = evaluation.cohort
    assert evaluation.incidents is not None  # noqa: S101
    counts = evaluation.incidents.sites
    sites = [[s for s in (pair.intervention, pair.control) if s] for pair in cohort.pairs]

    def draw(figure: Figure) -> None:
        axes = figure.subplots(len(sites), 1, sharex=True, squeeze=False)[:, 0]
        for ax, pair, shown in zip(axes, cohort.pairs, sites, strict=True):
            figures.draw_monthly_counts(ax, counts, cohort, shown, outcome)
            ax.set_title(f"{cohort.title_pair(pair.intervention)}: {cohort.title_outcome(outcome)}")

    told = narrative.describe_monthly_counts(cohort, counts, cohort.compared_sites, outcome)
    return compose_picture(
        cohort,
        f"months-{outcome}",
        draw,
        size=(9.2, 0.9 + 2.3 * len(sites)),
        alt=told,
        caption="Incidents a month; the shaded part is the period after. A gap in a line is a "
        "month that no file covers.",
    )


def _picture_placebos(evaluation: Evaluation) -> Iterator[Picture]:
    cohort, findings, placebo = evaluation.cohort, evaluation.findings, evaluation.placebo
    rows = select_findings(findings, section="placebo", estimator="placebo_p")
    for outcome in cohort.outcomes:
        ranked = rows["estimate"].notna() & (rows["site"] != "all")
        chosen = rows[(rows["outcome"] == outcome) & ranked]
        if chosen.empty or placebo is None:
            continue
        sites = chosen["site"].tolist()

        def draw(figure: Figure, outcome: str = outcome, sites: list[str] = sites) -> None:
            axes = figure.subplots(len(sites), 1, sharex=True, squeeze=False)[:, 0]
            for ax, site in zip(axes, sites, strict=True):
                _draw_placebo(ax, evaluation, outcome, site)

        told = [narrative.describe_placebo(cohort, findings, outcome, site) for site in sites]
        yield compose_picture(
            cohort,
            f"placebo-{outcome}",
            draw,
            size=(8.2, 0.8 + 1.55 * len(sites)),
            alt=" ".join(told),
            caption=f"{cohort.title_outcome(outcome)}: how much comparable places changed relative "
            "to each other where nothing was done (grey), the range that holds the middle 95% of "
            "them (dotted), and the pair itself (blue).",
        )


def _draw_placebo(ax: Any, evaluation: Evaluation, outcome: str, site: str) -> None:
    placebo, findings = evaluation.placebo, evaluation.findings
    assert placebo is not None  # noqa: S101
    drawn = placebo.distribution
    drawn = drawn[
        (drawn["outcome"] == outcome) & (drawn["pair"] == site) & (drawn["kind"] == "space")
    ]
    rirr = find_row(
        findings, section="counts", outcome=outcome, site=site, estimator="rirr", period="change"
    )
    place = {"section": "placebo", "outcome": outcome, "site": site}
    ends = [find_row(findings, **place, estimator=f"placebo_{end}") for end in ("low", "high")]
    figures.draw_placebos(
        ax,
        drawn["percent_change"].tolist(),
        100 * (rirr["estimate"] - 1) if rirr is not None else float("nan"),
        *(end["estimate"] if end is not None else float("nan") for end in ends),
    )
    ax.set_title(evaluation.cohort.title_pair(site))


def _picture_means(evaluation: Evaluation, scale: str) -> Picture:
    cohort, findings, instrument = evaluation.cohort, evaluation.findings, evaluation.instrument
    assert instrument is not None  # noqa: S101
    low, high = instrument.find_range(instrument.list_scale_items(scale)[0])

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        figures.draw_means(ax, findings, cohort, scale)
        ax.set_xlabel(f"Mean score, on a scale from {low:g} to {high:g}")
        ax.set_title(instrument.title_scale(scale))
        figure.legend(loc="outside lower right", ncols=2, fontsize=9)

    return compose_picture(
        cohort,
        f"means-{scale}",
        draw,
        size=(8.2, 1.5 + 0.45 * len(cohort.sites)),
        alt=narrative.describe_means(cohort, findings, instrument, scale, cohort.compared_sites),
        caption=f"{instrument.title_scale(scale)}: mean score with its 95% interval, before (grey "
        "squares) and after (blue circles).",
    )


def _picture_differences(evaluation: Evaluation) -> Iterator[Picture]:
    cohort, findings, instrument = evaluation.cohort, evaluation.findings, evaluation.instrument
    rows = select_findings(findings, section="scales", estimator="did_hedges_g", site="all")
    if rows["estimate"].notna().any() and instrument is not None:
        labels = [instrument.title_scale(scale) for scale in rows["outcome"]]

        def draw(figure: Figure) -> None:
            ax = figure.subplots()
            figures.draw_differences(ax, rows, labels, cohort.smallest_meaningful_g)
            ax.set_xlabel("Difference in differences, in standard deviations")

        yield compose_picture(
            cohort,
            "differences",
            draw,
            size=(8.2, 1.3 + 0.45 * len(rows)),
            alt=narrative.describe_differences(rows, labels),
            caption="All pairs together: how much more the areas rose than their control sites, "
            "with the 95% interval. The shaded band holds differences set beforehand as too small "
            "to matter.",
        )


def _picture_likert(evaluation: Evaluation) -> Iterator[Picture]:
    cohort, instrument, responses = evaluation.cohort, evaluation.instrument, evaluation.responses
    if instrument is None or responses is None:
        return
    sites = {pair.intervention for pair in cohort.pairs}
    chosen = responses.answers[
        (responses.answers["wave"] == "after") & responses.answers["site"].isin(sites)
    ]
    if len(chosen) < cohort.smallest_group:
        return
    for scale, spec in instrument.scales.items():
        items = spec.items
        if not items or len({instrument.list_answers(item) for item in items}) > 1:
            continue

        def draw(figure: Figure, items: tuple[str, ...] = items) -> None:
            figures.draw_likert(figure.subplots(), chosen, instrument, items)
            figure.legend(loc="outside lower center", ncols=5, fontsize=8.5)

        yield compose_picture(
            cohort,
            f"answers-{scale}",
            draw,
            size=(8.8, 1.5 + 0.62 * len(items)),
            alt=narrative.describe_answers(chosen, instrument, items),
            caption=f"{instrument.title_scale(scale)}, intervention areas, after: answers in per "
            "cent of those who gave one. Half of the middle answer lies on each side of the line; "
            "'don't know' and blanks are counted under data quality.",
        )


def _list_methods(evaluation: Evaluation) -> Iterator[str]:
    if evaluation.incidents is not None:
        yield (
            "Percentage change: 100 (after / before − 1). Relative incidence rate ratio: the "
            "area's after/before ratio divided by its control site's (Wilson 2022), with a "
            "variance corrected for over-dispersion and a t reference. Weighted displacement "
            "difference: Wheeler and Ratcliffe (2018)."
        )
        yield (
            "Placebo distribution: the same comparison for comparable areas in which nothing was "
            "done; the p value is the pair's rank among them."
        )
    if evaluation.responses is not None:
        yield (
            "Scale scores: the mean of the answered items, reversed where the key says so, when at "
            "least half are answered; 'don't know' counts as no answer. Welch's t and Hedges' g "
            "with its noncentral-t interval describe each site. The difference in differences is "
            "estimated by weighted least squares with HC2 standard errors; p is adjusted by Holm's "
            "method over the scales declared confirmatory, by Benjamini and Hochberg's over the "
            "rest."
        )
        yield (
            "Reliability: Cronbach's alpha with Feldt's interval; omega total from a one-factor "
            "maximum-likelihood model with a bootstrap interval."
        )
        yield (
            f"Groups of fewer than {evaluation.cohort.smallest_group} people are hidden, and so is "
            "any figure that would give them back."
        )
    yield (
        "Level of evidence: the Maryland Scientific Methods Scale. Below level 3 the report says "
        "that things changed alongside the work, and no more."
    )
