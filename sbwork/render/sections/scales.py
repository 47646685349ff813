"""Sections on residents' scales: what they answered, and how well it is measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from sbwork.evaluation import Evaluation
from sbwork.render import figures, narrative, tables
from sbwork.render.pictures import Picture, compose_picture
from sbwork.render.sections.blocks import Section
from sbwork.specs.instrument import Instrument
from sbwork.stats.findings import select_findings

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["present_reliability", "present_scales"]

_NO_SCALES = (
    "The answers were read, but the questionnaire's file groups no items under 'scales', so there "
    "is no score to compare."
)


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
    if not instrument.scales:
        return Section([*blocks, _NO_SCALES])
    if len(select_findings(findings, section="weights")):
        blocks.append(
            "Answers are weighted: data quality shows to what, and what that costs. Every n counts "
            "people, never weights."
        )
    if cohort.pairs:
        blocks.append(
            "A rise in one place that is not seen in another is not yet a difference between them: "
            "that has to be estimated itself, as the difference in differences."
        )
        blocks += [text for text in [narrative.describe_lead(findings)] if text]
        blocks.append(tables.tabulate_differences(findings, cohort, instrument))
        blocks += list(_picture_differences(evaluation))
        blocks += [text for text in [narrative.describe_attrition(cohort, findings)] if text]
    else:
        blocks.append(
            "cohort.yml does not say which sites are compared ('pairs'), so no change can be set "
            "beside a control site's."
        )
    blocks.append(tables.tabulate_scales(findings, cohort, instrument))
    blocks.append(_picture_means(evaluation))
    blocks.append(_picture_distributions(evaluation))
    if len(evaluation.responses.multiple):
        blocks.append(tables.tabulate_multiple(evaluation.responses.multiple, cohort, findings))
    return Section([*blocks, *_picture_likert(evaluation)])


def present_reliability(evaluation: Evaluation) -> Section:
    """Show how reliably the scales measure."""
    if evaluation.instrument is None or evaluation.responses is None:
        return Section(["No survey was given, so there is no scale whose reliability to report."])
    if not evaluation.instrument.scales:
        return Section([_NO_SCALES])
    return Section(
        [
            "A scale is worth comparing only if its questions hang together. Alpha and omega are 1 "
            "at most; .70 is a usual minimum for comparing groups.",
            tables.tabulate_reliability(evaluation.findings, evaluation.instrument),
        ]
    )


def _picture_means(evaluation: Evaluation) -> Picture:
    cohort, findings, instrument = evaluation.cohort, evaluation.findings, evaluation.instrument
    assert instrument is not None  # noqa: S101
    sites = cohort.compared_sites or tuple(cohort.sites)

    def draw_scale(ax: Axes, scale: str) -> None:
        low, high = instrument.find_range(instrument.list_scale_items(scale)[0])
        figures.draw_means(ax, findings, cohort, scale, sites)
        ax.set_xlabel(f"Mean, on a scale from {low:g} to {high:g}", fontsize=9)

    means = [
        narrative.describe_means(cohort, findings, instrument, scale, sites)
        for scale in instrument.scales
    ]
    return compose_picture(
        cohort,
        "means",
        lambda figure: _draw_scales(figure, instrument, draw_scale),
        size=_fit_scales(instrument, len(sites)),
        alt=" ".join(means),
        caption="Mean scores with their 95% intervals, before (grey squares) and after (blue "
        "circles).",
    )


def _picture_distributions(evaluation: Evaluation) -> Picture:
    cohort, instrument, scores = evaluation.cohort, evaluation.instrument, evaluation.scores
    assert instrument is not None and scores is not None  # noqa: S101, PT018
    fewest = cohort.smallest_group

    def draw_scale(ax: Axes, scale: str) -> None:
        figures.draw_score_distributions(ax, scores, cohort, scale, fewest)

    return compose_picture(
        cohort,
        "distributions",
        lambda figure: _draw_scales(figure, instrument, draw_scale),
        size=_fit_scales(instrument, len(cohort.compared_sites or cohort.sites)),
        alt=narrative.describe_spread(scores, cohort, instrument),
        caption="How people's scores spread, before (grey) and after (blue): the box holds the "
        "middle half of them, the whiskers the middle 80%, the white line is the median. Groups of "
        f"fewer than {fewest} people are left out.",
    )


def _draw_scales(
    figure: Figure, instrument: Instrument, draw_scale: Callable[[Axes, str], None]
) -> None:
    """Draw every scale of an instrument, two beside each other, with one legend."""
    scales = list(instrument.scales)
    axes = figure.subplots((len(scales) + 1) // 2, 2, sharey=True, squeeze=False).ravel()
    for ax, scale in zip(axes, scales, strict=False):
        draw_scale(ax, scale)
        ax.set_title(instrument.title_scale(scale))
    for ax in axes[len(scales) :]:
        ax.set_visible(False)
    named: dict[str, Artist] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            named.setdefault(label, handle)
    named.pop("_", None)
    figure.legend(named.values(), named.keys(), loc="outside lower right", ncols=2, fontsize=9)


def _fit_scales(instrument: Instrument, sites: int) -> tuple[float, float]:
    """Return a size in inches that gives every scale and site room."""
    rows = (len(instrument.scales) + 1) // 2
    return 9.2, 0.8 + (0.85 + 0.4 * sites) * rows


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
            f"with the 95% interval. The shaded band ends at {cohort.describe_bound()}: smaller "
            "differences count as too small to matter.",
        )


def _picture_likert(evaluation: Evaluation) -> Iterator[Picture]:
    cohort, instrument, responses = evaluation.cohort, evaluation.instrument, evaluation.responses
    if instrument is None or responses is None:
        return
    answers = responses.answers
    sites = {pair.intervention for pair in cohort.pairs} or set(cohort.sites)
    wave = "after" if (answers["wave"] == "after").any() else "before"
    chosen = answers[(answers["wave"] == wave) & answers["site"].isin(sites)]
    place = "intervention areas" if cohort.pairs else "all sites"
    if len(chosen) < cohort.smallest_group:
        return
    fewest, weights = cohort.smallest_group, chosen["weight"].to_numpy()
    weighted = "Percentages are weighted; n counts people. " if (weights != 1).any() else ""
    for scale, spec in instrument.scales.items():
        items = spec.items
        if not items or len({instrument.list_answers(item) for item in items}) > 1:
            continue

        def draw(figure: Figure, items: tuple[str, ...] = items) -> None:
            ax = figure.subplots()
            figures.draw_likert(ax, chosen, instrument, items, fewest=fewest, weights=weights)
            figure.legend(loc="outside lower center", ncols=5, fontsize=8.5)

        yield compose_picture(
            cohort,
            f"answers-{scale}",
            draw,
            size=(8.8, 1.5 + 0.62 * len(items)),
            alt=narrative.describe_answers(chosen, instrument, items, fewest),
            caption=f"{instrument.title_scale(scale)}, {place}, {wave}: answers in per "
            f"cent of those who gave one. {weighted}Half of the middle answer lies on each side "
            f"of the line; an answer that fewer than {fewest} people gave is drawn with the next; "
            "'don't "
            "know' and blanks are counted under data quality.",
        )
