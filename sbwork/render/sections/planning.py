"""Sections for planning: possible controls, a mixture of areas, the smallest detectable change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from sbwork.compare.controls import ControlSearch
from sbwork.render import figures, narrative, tables
from sbwork.render.pictures import Picture, compose_picture
from sbwork.render.sections.blocks import Bullets, Section
from sbwork.specs.cohort import Cohort

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["present_candidates", "present_mixture", "present_plan"]

_DRAWN = 5


def present_candidates(cohort: Cohort, search: ControlSearch) -> Section:
    """Show the areas most like a site, and how like it they are.

    Parameters
    ----------
    cohort : Cohort
        For the titles.
    search : ControlSearch
        As `sbwork.compare.controls.find_controls` returns it.
    """
    blocks: list[Any] = [narrative.describe_candidates(cohort, search)]
    gaps = narrative.list_gaps(cohort, search)
    if not search.ranking.empty:
        names = {key: name or key for key, name in search.ranking[["area", "name"]].to_numpy()}
        search = replace(search, balance=search.balance.replace({"area": names}))
        blocks.append(tables.tabulate_candidates(cohort, search.ranking))
        blocks.append(tables.tabulate_balance(cohort, search.balance))
        blocks.append(_picture_balance(cohort, search))
    if gaps:
        blocks += ["What could not be compared:", Bullets(tuple(gaps))]
    return Section(blocks)


def present_mixture(
    cohort: Cohort,
    mixture: pd.DataFrame,
    traced: pd.DataFrame,
    names: Mapping[str, str] | None = None,
) -> Section:
    """Show a site beside the mixture of areas that follows it before the start.

    Parameters
    ----------
    cohort : Cohort
        For the titles.
    mixture : pandas.DataFrame
        As `sbwork.compare.controls.compare_synthetic` returns it.
    traced : pandas.DataFrame
        As `sbwork.compare.areas.trace_mixture` returns it.
    names : mapping of str to str, optional
        What readers call the areas; their keys by default.
    """
    mixture = mixture.assign(comparison=mixture["comparison"].replace(dict(names or {})))
    blocks: list[Any] = []
    for outcome in cohort.outcomes:
        told = narrative.describe_mixture(cohort, mixture, outcome)
        blocks.append(told)
        path = traced[traced["outcome"] == outcome]
        if len(path):
            blocks.append(_picture_mixture(cohort, outcome, path, told))
    return Section(blocks)


def present_plan(cohort: Cohort, plan: pd.DataFrame) -> Section:
    """Show the smallest fall that a site could show, by window and number of controls.

    Parameters
    ----------
    cohort : Cohort
        For the titles.
    plan : pandas.DataFrame
        As `sbwork.compare.controls.plan_counts` returns it.
    """
    told = narrative.describe_detectable(cohort, plan)
    blocks: list[Any] = [told, tables.tabulate_detectable(cohort, plan)]
    known = plan.dropna(subset="estimate")
    outcomes = list(dict.fromkeys(known["outcome"]))
    if outcomes:

        def draw(figure: Figure) -> None:
            axes = figure.subplots(1, len(outcomes), sharey=True, squeeze=False)[0]
            for ax, outcome in zip(axes, outcomes, strict=True):
                figures.draw_detectable(ax, known[known["outcome"] == outcome])
                ax.set_title(cohort.title_outcome(outcome))
            axes[0].set_ylim(1.1 * known["estimate"].min(), 0)
            axes[-1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=9)

        blocks.append(
            compose_picture(
                cohort,
                "detectable",
                draw,
                size=(9.2, 3.6),
                alt=told,
                caption="The smallest fall, relative to the controls, that would be found. Longer "
                "windows help more than more controls.",
            )
        )
    return Section(blocks)


def _picture_balance(cohort: Cohort, search: ControlSearch) -> Picture:
    areas = list(dict.fromkeys(search.balance["area"]))[:_DRAWN]
    balance = search.balance[search.balance["area"].isin(areas)]
    features = balance.drop_duplicates(["outcome", "feature"])
    labels = [
        tables.title_feature(cohort, outcome, feature)
        for outcome, feature in zip(features["outcome"], features["feature"], strict=True)
    ]

    def draw(figure: Figure) -> None:
        figures.draw_balance(figure.subplots(), balance, labels)
        figure.legend(loc="outside lower right", ncols=2, fontsize=9)

    return compose_picture(
        cohort,
        "balance",
        draw,
        size=(8.6, 1.6 + 0.36 * len(labels)),
        alt=narrative.describe_balance(search, labels),
        caption=f"How far the first {len(areas)} areas lie from the site. The shaded band holds "
        "differences of a quarter of a standard deviation or less.",
    )


def _picture_mixture(cohort: Cohort, outcome: str, path: pd.DataFrame, told: str) -> Picture:
    def draw(figure: Figure) -> None:
        figures.draw_mixture(
            figure.subplots(),
            path["month"].tolist(),
            path["site_count"].to_numpy(),
            path["mixture_count"].to_numpy(),
            int((path["period"] == "before").sum()),
        )

    return compose_picture(
        cohort,
        f"mixture-{outcome}",
        draw,
        size=(9.2, 3.4),
        alt=told,
        caption=f"{cohort.title_outcome(outcome)}: the site (blue circles) beside the mixture of "
        "areas that followed it best before the start (orange squares).",
    )
