"""Sections on counts: what changed, and how sure one can be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sbwork.evaluation import Evaluation
from sbwork.render import figures, narrative, tables
from sbwork.render.pictures import Picture, compose_picture
from sbwork.render.sections.blocks import Section
from sbwork.specs.cohort import Cohort
from sbwork.stats import Flag
from sbwork.stats.findings import find_row, has_flag, select_findings
from sbwork.stats.formats import format_change

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["present_changes", "present_counts"]

_NO_FIGURES = "No counts and no reported figures were given."


def present_changes(evaluation: Evaluation) -> Section:
    """Show the Durham table and its picture, or the figures as reported."""
    cohort, findings = evaluation.cohort, evaluation.findings
    blocks: list[Any] = []
    if cohort.pairs and len(select_findings(findings, section="counts")):
        blocks.append(tables.tabulate_changes(findings, cohort))
        blocks.append(_picture_changes(evaluation))
    if len(select_findings(findings, section="reported")):
        blocks.append(tables.tabulate_reported_figures(cohort))
        blocks.append(_picture_reported(evaluation))
    return Section(blocks or [_explain_silence(cohort) or _NO_FIGURES])


def present_counts(evaluation: Evaluation) -> Section:
    """Show each pair's comparison of counts, and where it stands among comparable places."""
    cohort, findings = evaluation.cohort, evaluation.findings
    if evaluation.incidents is None or evaluation.placebo is None:
        return Section(
            ["No incident file was given, so nothing can be counted and no interval can be put "
             "around a change."]
        )  # fmt: skip
    missing = _explain_silence(cohort)
    if missing:
        return Section([missing])
    controls = any(pair.control for pair in cohort.pairs)
    blocks: list[Any] = []
    if controls:
        blocks.append(
            "A raw change says nothing about what would have happened anyway. The relative "
            "incidence rate ratio (RIRR) sets the area's change against its control site's. "
            f"{_describe_interval(findings)}"
        )
        blocks.append(tables.tabulate_count_models(findings, cohort))
        pooled = tables.tabulate_pooled(findings, cohort)
        blocks += [pooled] if pooled is not None else []
    else:
        blocks.append(
            "A raw change says nothing about what would have happened anyway, and there is no "
            "control site to set it beside."
        )
    if len(evaluation.incidents.months) > 4:
        blocks += [_picture_months(evaluation, outcome) for outcome in cohort.list_outcomes()]
    if controls:
        blocks += _show_errors(evaluation)
    blocks.append(_introduce_ranks(findings, controls))
    blocks.append(tables.tabulate_placebos(findings, cohort))
    blocks += list(_picture_placebos(evaluation))
    return Section(blocks)


def _show_errors(evaluation: Evaluation) -> list[Any]:
    """Say what intervals do not ask, and show how often they err."""
    return [
        "An interval made from the counts of the sites themselves answers one question: could "
        "chance among incidents do this? It does not ask how much places drift for reasons of "
        "their own. Where they drift, it can see changes where nothing was done more often than "
        "it says.",
        tables.tabulate_error_rates(evaluation.findings, evaluation.cohort),
    ]


def _introduce_ranks(findings: pd.DataFrame, controls: bool) -> str:
    """Say what is ranked among what, or that the files hold too little for a rank."""
    ranks = select_findings(findings, section="placebo", estimator="placebo_p")
    if ranks["estimate"].isna().all():
        return (
            "The same comparison in places where nothing was done would show it, but the files "
            "hold too few of them."
        )
    if controls:
        return (
            "So the same comparison is made in places where nothing was done, and the pair is "
            "ranked among them."
        )
    return "So the area is ranked among places where nothing was done."


def _describe_interval(findings: pd.DataFrame) -> str:
    """Say what the intervals of the ratios allow for."""
    ratios = select_findings(findings, section="counts", estimator="rirr", period="change")
    known = ratios[ratios["ci_low"].notna()]
    single = [has_flag(row, Flag.SINGLE_MONTH) for _, row in known.iterrows()]
    if single and all(single):
        return (
            "Its interval takes counts to vary by chance alone, because a single month on each "
            "side can't show how much more they vary."
        )
    allowed = (
        "Its interval allows for counts that jump about more than chance alone would make them"
    )
    return f"{allowed}{', except where a single month is compared' if any(single) else ''}."


def _explain_silence(cohort: Cohort) -> str:
    """Say what cohort.yml lacks for its incidents to be compared, or ""."""
    lacking = ["which sites are compared ('pairs')"] if not cohort.pairs else []
    lacking += ["which months are before and after ('periods')"] if cohort.periods is None else []
    if not cohort.incidents or not lacking:
        return ""
    return f"The incidents were counted, but cohort.yml does not say {' nor '.join(lacking)}."


def _picture_changes(evaluation: Evaluation) -> Picture:
    cohort, findings = evaluation.cohort, evaluation.findings
    outcomes = list(cohort.list_outcomes())
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
        "month in which the files of that place can't be counted.",
    )


def _picture_placebos(evaluation: Evaluation) -> Iterator[Picture]:
    cohort, findings, placebo = evaluation.cohort, evaluation.findings, evaluation.placebo
    rows = select_findings(findings, section="placebo", estimator="placebo_p")
    to_each = " relative to each other" if any(pair.control for pair in cohort.pairs) else ""
    for outcome in cohort.list_outcomes():
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
            caption=f"{cohort.title_outcome(outcome)}: how much comparable places changed{to_each} "
            "where nothing was done (grey), the range that holds the middle 95% of them (dotted), "
            f"and the {'pair' if to_each else 'area'} itself (blue).",
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
