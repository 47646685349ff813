"""A survey planned: how many residents have to answer, or how small a difference would be found."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sbwork.compare.survey_planning import SurveyPlan
from sbwork.render.blocks import Bullets, Section, Table, compose_picture
from sbwork.render.style import INK, LINES
from sbwork.specs.cohort import Cohort
from sbwork.stats.findings import find_row, select_findings
from sbwork.stats.formats import format_count, format_list, format_number, format_share

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_STEPS = 4
_ANSWERS = {
    "respondents_needed": "Residents in each site and wave",
    "smallest_detectable_difference": "Smallest difference (SD)",
}


def present_survey_plan(cohort: Cohort | None, *, plan: SurveyPlan) -> Section:
    """Show how many residents have to answer, or how small a difference would be found."""
    words, table = describe_survey_plan(plan), plan.table
    panels = [
        (
            f"If areas also move by chance (SD {format_number(shock)})"
            if shock
            else "If whole areas stand still",
            partial(draw_survey_sizes, plan=plan, rows=table[table["area_shock_sd"] == shock]),
        )
        for shock in table["area_shock_sd"].unique()
    ]
    picture = compose_picture(
        cohort,
        "survey-sizes",
        panels,
        size=(9.2, 4.2),
        alt=words,
        caption="The smallest difference that would be found; dotted: the one of this plan. More "
        "residents help less and less; where whole areas move by chance, the lines level off, and "
        "only more areas help.",
        columns=len(panels),
        legend="outside lower center",
    )
    return Section(
        [
            words,
            describe_meaning(plan),
            "What this rests on:",
            Bullets(tuple(list_assumptions(plan))),
            tabulate_survey_sizes(plan),
            tabulate_survey_pairs(plan),
            picture,
        ]
    )


def describe_survey_plan(plan: SurveyPlan) -> str:
    """Say how many have to answer so that a difference is found, or how small a one would be."""
    difference, often = _write_difference(plan, plan.difference), _write_often(plan.design.power)
    row = plan.answer
    if row["reason"]:
        return _describe_want_of_areas(plan, difference)
    effort = f"{_write_answers(plan)} ({format_count(row['n'])} interviews in all)"
    if row["estimator"] == "respondents_needed":
        words = f"For a true difference of {difference} to be found {often}, {effort}."
    else:
        words = (
            f"If {effort}, a true difference of {difference} is found {often}; smaller ones are "
            "missed more often."
        )
    return f"{words}{_describe_invited(plan)}{_describe_cost(plan, row['n'])}"


def describe_meaning(plan: SurveyPlan) -> str:
    """Say what a difference is, and what one of the plan's size looks like in answers."""
    points = plan.difference * plan.design.sd
    return (
        "The difference is how much further answers move in the intervention sites than in their "
        "control sites, on a scale whose steps, such as from “neither” to “agree”, are one point. "
        f"{format_number(points)} points more is as if {_describe_points(points)}, and nobody in "
        "the control sites."
    )


def list_assumptions(plan: SurveyPlan) -> list[str]:
    """List what a survey's plan takes as given, and what would follow if it were otherwise."""
    design = plan.design
    points = [
        "Residents differ: a score typically lies "
        f"{format_number(design.sd)} points from the average (standard deviation, SD).",
        _describe_waves(plan),
    ]
    together = []
    if design.cluster_size > 1:
        together.append("that")
        points.append(
            f"Residents are asked in groups of {format_number(design.cluster_size, 0)}, such as "
            "streets, within which answers are more alike than among strangers (intraclass "
            f"correlation {format_number(design.icc, 3)})."
        )
    if design.weighting_effect > 1:
        together.append("weights")
    if design.design_effect > 1:
        points.append(
            f"Because of {format_list(together)}, 100 interviews tell as much as "
            f"{format_count(100 / design.design_effect)} with people drawn one by one who all "
            "count alike."
        )
    if design.tests > 1:
        points.append(
            f"{design.tests} scales are tested, so each has to pass a stricter test: p below "
            f"{format_number(design.alpha / design.tests, 4)} (Holm's first step)."
        )
    return [
        *points,
        _describe_shock(plan),
        f"A true difference of that size is still missed {_write_often(1 - design.power)}. If none "
        "is found, that does not show that nothing changed.",
    ]


def _describe_want_of_areas(plan: SurveyPlan, difference: str) -> str:
    fewest = find_row(plan.findings, estimator="pairs_needed")
    assert fewest is not None  # noqa: S101
    needed = select_findings(plan.findings, estimator="respondents_needed", reason="")
    ways = [
        f"{format_count(row['estimate'])} with {row['comparison']}" for _, row in needed.iterrows()
    ]
    return (
        f"A difference of {difference} cannot be reached with any number of respondents: more "
        f"areas are needed than {plan.design.label} of sites. Whole areas move by chance, and "
        "asking more residents of the same areas does not average that out. At least "
        f"{format_count(fewest['estimate'])} pairs are needed. Residents who then have to "
        f"answer in each site and wave: {format_list(ways)}."
    )


def _describe_waves(plan: SurveyPlan) -> str:
    design = plan.design
    if design.waves != "same people":
        return "Different residents answer before and after."
    kept = "The same residents answer before and after"
    if design.attrition:
        kept += f", but for {format_share(design.attrition)} who do not answer again"
        kept += " and for whom newcomers are asked" if design.refresh else ""
    return (
        f"{kept}; the two scores of one resident go together (correlation "
        f"{format_number(design.correlation)}), which makes changes easier to see."
    )


def _describe_shock(plan: SurveyPlan) -> str:
    """Say how far whole areas are taken to move by chance, and what that leaves to be found."""
    shock = format_number(float(plan.table["area_shock_sd"].max()))
    ever = find_row(plan.findings, estimator="smallest_difference_ever")
    assert ever is not None  # noqa: S101
    least = (
        f"with {ever['comparison']} of sites no number of residents is enough to find a difference "
        f"below {_write_difference(plan, ever['estimate'])} {_write_often(plan.design.power)}"
    )
    if plan.design.area_shock_sd:
        return (
            f"Whole areas move by chance between the waves, by {shock} SD, which is taken as "
            f"known: {least}."
        )
    return (
        "Whole areas are taken not to move by chance between the waves. They do, and how far is "
        f"seldom known: if it were {shock} SD, {least}."
    )


def _describe_invited(plan: SurveyPlan) -> str:
    design, n = plan.design, plan.respondents
    if math.isnan(design.response_rate) or isinstance(n, tuple):
        return ""
    before, after = (format_count(math.ceil(each)) for each in design.count_invited(n))
    again = "as many after" if before == after else f"{after} after"
    return (
        f" If {format_share(design.response_rate)} of those invited answer, {before} have to be "
        f"invited in each site before, and {again}."
    )


def _describe_cost(plan: SurveyPlan, interviews: float) -> str:
    each = plan.design.cost_per_interview
    if math.isnan(each):
        return ""
    return f" At {format_number(each)} an interview that costs {format_count(interviews * each)}."


def _describe_points(points: float) -> str:
    """Say how many of 100 residents would have to give a higher answer for a mean to move so."""
    steps, people = divmod(round(100 * points), 100)
    who = "residents in the intervention sites"
    if points > _MOST_STEPS:
        return f"all {who} moved further than answers from 1 to 5 have room for"
    if not steps:
        share = f"{people} of 100" if people else "fewer than 1 of 100"
        return f"{share} {who} gave an answer one step higher"
    more = f" and {people} of 100 one step more" if people else ""
    return f"all {who} gave an answer {steps} step{'s' * (steps > 1)} higher{more}"


def _write_often(share: float) -> str:
    """Write a share of true differences as times in ten, in a hundred or in a thousand."""
    for whole in (10, 100, 1000):
        times = round(whole * share, 6)
        if times == round(times):
            break
    return f"{format_count(times)} time{'s' * (round(times) != 1)} in {whole:,}"


def _write_difference(plan: SurveyPlan, difference: float) -> str:
    return f"{format_number(difference)} SD ({format_number(difference * plan.design.sd)} points)"


def _write_answers(plan: SurveyPlan) -> str:
    """Write how many answer in each site before, and how many after."""
    design, n = plan.design, plan.respondents
    sites = format_count(2 * design.pairs)
    same = design.waves == "same people"
    answer = "have to answer" if plan.answer["estimator"] == "respondents_needed" else "answer"
    if isinstance(n, tuple):
        counts = format_list([format_count(each) for each in n])
        again = "the same people again after" if same else "as many others after"
        return f"{counts} residents {answer} in the {sites} sites before, and {again}"
    after, both = design.count_answers(n)
    if not same:
        again = f"{format_count(after)} others"
    elif design.attrition:
        again = f"{format_count(both)} of them again"
        again += f" with {format_count(after - both)} newcomers" if design.refresh else ""
    else:
        again = "the same again"
    return (
        f"{format_count(n)} residents {answer} in each of {sites} sites before, and {again} after"
    )


def tabulate_survey_sizes(plan: SurveyPlan) -> Table:
    """Lay out the smallest difference found by the number who answer, for the plan's own pairs."""
    design, table = plan.design, plan.table
    own = (table["pairs"] == design.pairs) & (table["area_shock_sd"] == design.area_shock_sd)
    rows = [
        {
            "Residents who answer": format_count(found["respondents"])
            + " (this plan)" * (found["respondents"] in {plan.respondents}),
            "Invited": format_count(np.ceil(found["invited"])),
            "Interviews in all": format_count(found["interviews"]),
            "Cost": format_count(found["cost"]),
            "SD": format_number(found["difference"]),
            "Points": format_number(found["points"]),
            "Steps": format_count(100 * found["points"]),
        }
        for _, found in table[own].iterrows()
    ]
    for name, known in (("Invited", design.response_rate), ("Cost", design.cost_per_interview)):
        if math.isnan(known):
            rows = [{key: text for key, text in row.items() if key != name} for row in rows]
    again = " In the first wave; the same people are asked again." * (design.waves == "same people")
    return Table(
        rows,
        name="survey-sizes",
        title="The smallest difference that would be found",
        subtitle=f"With {design.label} of sites; found {_write_often(design.power)}",
        stub="Residents who answer",
        labels={"Steps": "Steps up, by 100 residents"},
        spanners={"Smallest difference": ["SD", "Points", "Steps"]},
        notes=[
            f"Residents who answer, and are invited: in each site and wave.{again}",
            "Steps up, by 100 residents: as if so many of 100 residents in the intervention sites "
            "gave an answer one step higher, and nobody in the control sites. Above 100, some go "
            "up by more than one step.",
        ],
    )


def tabulate_survey_pairs(plan: SurveyPlan) -> Table:
    """Lay out what fewer or more pairs of sites would need, or show."""
    rows = []
    for _, found in plan.findings[plan.findings["estimator"].isin(list(_ANSWERS))].iterrows():
        there = not found["reason"]
        value = format_number(found["estimate"], 0 if found["unit"] == "count" else 2)
        row = {
            "Pairs of sites": str(found["comparison"]),
            _ANSWERS[found["estimator"]]: value if there else "no number is enough",
            "Interviews in all": format_count(found["n"]) if there else "",
        }
        if not math.isnan(plan.design.cost_per_interview):
            cost = found["n"] * plan.design.cost_per_interview
            row["Cost"] = format_count(cost) if there else ""
        rows.append(row)
    return Table(
        rows,
        name="survey-pairs",
        title="More pairs of sites, or more residents in each",
        subtitle="Each pair is an intervention site and a control site of its own",
        stub="Pairs of sites",
        notes=plan.findings["note"],
    )


def draw_survey_sizes(ax: Axes, plan: SurveyPlan, rows: pd.DataFrame) -> None:
    """Draw the smallest difference found against who answers, a line a number of pairs.

    A dotted line lies at the plan's difference; the plan itself is a star, where `rows` are of its
    own area shock.
    """
    import seaborn as sns

    design, every = plan.design, sorted(plan.table["pairs"].unique())
    if len(every) > len(LINES):
        every = sorted({design.pairs, *every[1 - len(LINES) :]})
    names = {pairs: f"{replace(design, pairs=pairs).label} of sites" for pairs in every}
    looks = dict(zip(names.values(), LINES, strict=False))
    colours, markers, dashes = ({n: look[part] for n, look in looks.items()} for part in range(3))
    sns.lineplot(
        rows.assign(line=rows["pairs"].map(names)).dropna(subset="line"),
        x="respondents", y="difference", hue="line", style="line", palette=colours,
        markers=markers, dashes=dashes, errorbar=None, ms=6, mew=0, ax=ax,
    )  # fmt: skip
    ax.axhline(plan.difference, color=INK, lw=0.9, ls=(0, (2, 2)), zorder=1)
    if not isinstance(plan.respondents, tuple) and set(rows["area_shock_sd"]) == {
        design.area_shock_sd
    }:
        ax.plot(
            plan.respondents, plan.difference, marker="*", ms=15, color=INK, mec="white", ls="none",
            label="This plan", zorder=5,
        )  # fmt: skip
    ax.set(
        xlabel="Residents who answer, in each site and wave",
        ylabel="Smallest difference found (SD)",
        xlim=(0, None),
        ylim=(0, plan.table["difference"].max() * 1.05),
    )
    ax.grid(axis="y")
