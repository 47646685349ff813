"""One outcome, scale or set of reported figures, for the sites and waves that are chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sbwork.grade.publishable import Publishable
from sbwork.render.blocks import Section, compose_picture, describe_status
from sbwork.render.counts import (
    describe_counts,
    describe_monthly_counts,
    describe_reported,
    draw_monthly_counts,
    picture_reported,
)
from sbwork.render.intervals import WAVES
from sbwork.render.scales import describe_mean_differences, describe_means, draw_means
from sbwork.specs.errors import InputError, Problem, find_nearest, list_names
from sbwork.stats.findings import select_findings

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def list_outcomes(evaluation: Publishable) -> dict[str, str]:
    """List what can be looked at in a cohort: titles, and the keys they stand for."""
    found: dict[str, str] = {}
    if evaluation.incidents is not None:
        found |= {outcome.title: key for key, outcome in evaluation.cohort.outcomes.items()}
    if evaluation.instrument is not None and evaluation.answers is not None:
        instrument = evaluation.instrument
        found |= {instrument.title_scale(key): key for key in instrument.scales}
    if len(select_findings(evaluation.findings, section="reported")):
        found["Figures as reported"] = "reported"
    return found


def present_outcome(
    evaluation: Publishable,
    *,
    outcome: str = "",
    sites: Sequence[str] | None = None,
    waves: Sequence[str] = WAVES,
) -> Section:
    """Show one outcome or scale, ``"reported"`` for figures as reported; the first by default."""
    keys = list(list_outcomes(evaluation).values())
    if not keys:
        return Section(["This cohort has nothing to look at yet."])
    outcome = outcome or keys[0]
    sites = evaluation.cohort.compared_sites if sites is None else sites
    _check("outcome", [outcome], keys)
    _check("sites", sites, list(evaluation.cohort.sites))
    _check("waves", waves, WAVES)
    if outcome == "reported":
        return Section([describe_reported(evaluation.cohort), picture_reported(evaluation)])
    if not sites or not waves:
        return Section(["Choose at least one site and one wave."])
    if outcome in evaluation.cohort.outcomes:
        return _present_counts(evaluation, outcome, sites, waves)
    return _present_scale(evaluation, outcome, sites, waves)


def _check(choice: str, chosen: Sequence[str], allowed: Sequence[str]) -> None:
    problems = [
        Problem(
            "view", choice, f"'{name}' is not known", f"Known: {list_names(list(allowed))}",
            find_nearest(name, allowed),
        )
        for name in chosen
        if name not in allowed
    ]  # fmt: skip
    if problems:
        raise InputError(problems)


def _present_counts(
    evaluation: Publishable, outcome: str, sites: Sequence[str], waves: Sequence[str]
) -> Section:
    cohort, incidents = evaluation.cohort, evaluation.incidents
    assert incidents is not None  # noqa: S101

    def draw(ax: Axes) -> None:
        draw_monthly_counts(ax, incidents.months, cohort, sites, outcome, waves)

    return Section(
        [
            describe_counts(cohort, evaluation.findings, outcome, sites, waves),
            compose_picture(
                cohort,
                f"explore-{outcome}",
                [(cohort.title_outcome(outcome), draw)],
                size=(8.2, 3.6),
                alt=describe_monthly_counts(cohort, incidents.months, sites, outcome),
                caption="Incidents a month.",
            ),
        ]
    )


def _present_scale(
    evaluation: Publishable, scale: str, sites: Sequence[str], waves: Sequence[str]
) -> Section:
    cohort, instrument, findings = evaluation.cohort, evaluation.instrument, evaluation.findings
    assert instrument is not None  # noqa: S101
    low, high = instrument.find_range(instrument.list_scale_items(scale)[0])

    def draw(ax: Axes) -> None:
        draw_means(ax, findings, cohort, scale, sites, waves)
        ax.set_xlabel(f"Mean score, on a scale from {low:g} to {high:g}")

    means = describe_means(cohort, findings, instrument, scale, sites, waves)
    picture = compose_picture(
        cohort,
        f"explore-{scale}",
        [(instrument.title_scale(scale), draw)],
        size=(8.2, 1.6 + 0.5 * len(sites)),
        alt=means,
        caption="Mean scores with their 95% intervals.",
        legend="outside lower right",
    )
    changes = ""
    if set(waves) == set(WAVES):
        changes = describe_mean_differences(cohort, findings, scale, sites)
    return Section([f"{describe_status(cohort)} {means} {changes}".strip(), picture])
