"""Power that `plan_survey` promises against power that `compare_scales` finds.

Each world is a survey that can be planned; the true difference is the smallest that the plan says
would be found four times in five. Surveys with that difference are drawn, analysed by
`compare_scales` as a cohort's own are, and counted as finds where the pooled difference in
differences is significant at the planned level and has its right sign.

With 2,000 draws a world, a share near .8 has a standard error of .9 percentage points.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from study import SEED, run_study

from sbwork.compare.survey_planning import SurveyPlan, plan_survey
from sbwork.compare.surveys import compare_scales
from sbwork.specs.cohort import Cohort
from sbwork.specs.instrument import Instrument
from sbwork.stats.findings import select_findings

DRAWS, BATCH = 2000, 100
Floats = npt.NDArray[np.float64]

PANEL = {"waves": "same people"}
WORLDS: dict[str, dict[str, Any]] = {
    "different people, 50": {"respondents": 50, "pairs": 1},
    "different people, 150": {"respondents": 150, "pairs": 1},
    "different people, 400": {"respondents": 400, "pairs": 1},
    "different people, 10": {"respondents": 10, "pairs": 1},
    "two pairs": {"respondents": 150},
    "unequal sites": {"respondents": (200, 100, 60, 140)},
    "power .9": {"respondents": 150, "power": 0.9},
    "four tests": {"respondents": 150, "tests": 4},
    "weights": {"respondents": 150, "weighting_effect": 1.5},
    "same people, r .5": PANEL | {"respondents": 150, "pairs": 1, "correlation": 0.5},
    "same people, r .75, 50": PANEL | {"respondents": 50, "pairs": 1, "correlation": 0.75},
    "same people, r .75, 150": PANEL | {"respondents": 150, "correlation": 0.75},
    "attrition .3": PANEL | {"respondents": 150, "correlation": 0.5, "attrition": 0.3},
    "attrition .6": PANEL | {"respondents": 50, "correlation": 0.75, "attrition": 0.6},
    "attrition .4, refreshed": PANEL
    | {"respondents": 150, "correlation": 0.75, "attrition": 0.4, "refresh": True},
    "clusters of 10": {"respondents": 150, "cluster_size": 10, "icc": 0.05},
    "clusters of 20, icc .1": {"respondents": 400, "cluster_size": 20, "icc": 0.1, "pairs": 1},
    "clusters of 10, same people": PANEL
    | {"respondents": 150, "cluster_size": 10, "icc": 0.1, "correlation": 0.5},
    "few clusters": {"respondents": 50, "cluster_size": 10, "icc": 0.05},
    "shock .05": {"respondents": 150, "pairs": 1, "area_shock_sd": 0.05},
    "shock .1": {"respondents": 150, "area_shock_sd": 0.1},
    "shock .1, 400 same people": PANEL
    | {"respondents": 400, "area_shock_sd": 0.1, "correlation": 0.75, "pairs": 4},
    "shock .2, four tests": {"respondents": 50, "area_shock_sd": 0.2, "pairs": 4, "tests": 4},
    "clusters of 10, attrition .3": PANEL
    | {"respondents": 150, "cluster_size": 10, "icc": 0.1, "correlation": 0.5, "attrition": 0.3},
    "clusters of 20, refreshed, shock .05": PANEL
    | {"respondents": 200, "cluster_size": 20, "icc": 0.05, "correlation": 0.75}
    | {"attrition": 0.4, "refresh": True, "area_shock_sd": 0.05},
}


@dataclass(frozen=True)
class World:
    """A design by its name in `WORLDS`."""

    name: str


def draw_scores(plan: SurveyPlan, rng: np.random.Generator) -> pd.DataFrame:
    """Draw one survey of a plan for each of `BATCH` scales, in SD of people's scores."""
    design = plan.design
    counts = np.broadcast_to(plan.respondents, 2 * design.pairs).astype(int)
    frames = []
    linked = design.waves == "same people"
    for site, n in enumerate(counts):
        after, both = (round(float(each)) for each in design.count_answers(float(n)))
        people = np.arange(n + after - both)
        waves = people[:n], people[n - both :]
        clusters = people % round(n / design.cluster_size)
        means = draw_linked(len(people), design.correlation, rng)
        own = draw_linked(len(people), design.correlation, rng)
        for wave, rows in enumerate(waves):
            scores = np.sqrt(design.icc) * means[wave][clusters[rows]]
            scores += np.sqrt(1 - design.icc) * own[wave][rows]
            scores += rng.normal(0, design.area_shock_sd, BATCH)
            scores += plan.difference * (wave == 1 and site % 2 == 0)
            spread = np.sqrt(design.weighting_effect - 1)
            frame = pd.DataFrame(scores, columns=[f"s{k}" for k in range(BATCH)])
            drawn = f"{site}" if linked else f"{site}-{wave}"
            frame = frame.assign(
                wave=("before", "after")[wave],
                site=f"site-{site}",
                person=[f"{p}" if linked else "" for p in rows],
                weight=rng.choice([1 - spread, 1 + spread], len(rows)),
            )
            if design.cluster_size > 1:
                frame = frame.assign(cluster=[f"{drawn}-{k}" for k in clusters[rows]])
            frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def draw_linked(n: int, correlation: float, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw two standard normal scores of each of n people for each scale."""
    first, other = rng.standard_normal((2, n, BATCH))
    return first, correlation * first + np.sqrt(1 - correlation**2) * other


def make_specs(plan: SurveyPlan) -> tuple[Cohort, Instrument]:
    pairs = [
        {"intervention": f"site-{2 * k}", "control": f"site-{2 * k + 1}"}
        for k in range(plan.design.pairs)
    ]
    sites = {site: {} for pair in pairs for site in pair.values()}
    shock = plan.design.area_shock_sd or None
    cohort = Cohort(name="planned", sites=sites, pairs=pairs, area_shock_sd=shock)
    options = [{"code": 1}, {"code": 5}]
    instrument = Instrument(
        name="planned",
        items={f"i{k}": {"options": options} for k in range(BATCH)},
        scales={f"s{k}": {"items": [f"i{k}"]} for k in range(BATCH)},
    )
    return cohort, instrument


def simulate(world: World, n: int, seed: int = SEED) -> list[dict[str, object]]:
    """Measure how often the smallest difference that a plan promises to find is found."""
    rng = np.random.default_rng(seed)
    plan = plan_survey(**WORLDS[world.name])
    design, (cohort, instrument) = plan.design, make_specs(plan)
    estimator = "difference_in_differences" + "_with_shock" * bool(design.area_shock_sd)
    finds: list[bool] = []
    while len(finds) < n:
        findings = compare_scales(draw_scores(plan, rng), cohort, instrument)
        rows = select_findings(findings, estimator=estimator, site="all")
        found = (rows["p_value"] < design.alpha / design.tests) & (rows["estimate"] > 0)
        finds += found.tolist()
    known = {"design": world.name, "difference": plan.difference, "promised": design.power}
    return [{**known, "found": float(np.mean(finds)), "n": len(finds)}]


if __name__ == "__main__":
    worlds = [(World(name), DRAWS) for name in WORLDS]
    run_study("survey_plan", simulate, worlds, __doc__, folder=Path(__file__).parent)
