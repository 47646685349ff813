"""sbwork: a workbench for evaluating strengths-based policing pilots.

Data moves one way: read -> score -> compare -> grade -> render -> report.

read
    `find_cohorts`, `read_cohort` (a `Cohort`), `read_instrument` (an `Instrument`),
    `read_responses` (`Responses`), `read_incidents` (`Incidents`); what can't be read raises
    `InputError`
score
    `rake`, `weigh_responses`, `weighted_mean`; `score_scales`, `score_coverage`,
    `scale_reliability`
compare
    `compare_counts`, `compare_placebos` (a `Placebo`), `assess_comparability`, `compare_scales`;
    each number is an `Estimate`, each result a long frame that `combine_findings` joins and
    `select_findings` searches
plan
    `find_controls` (a `ControlSearch`), `compare_synthetic`, `trace_mixture`, `plan_counts`; how
    often each interval errs: `simulate_counts` in a `World` with known truth
grade
    `grade_evidence`, `suppress_findings`
all of it
    `evaluate_cohort` (an `Evaluation`)
render
    `present_summary`, `present_changes`, `present_counts`, `present_robustness`,
    `present_scales`, `present_reliability`, `present_kinds`, `present_stories`,
    `present_evidence`, `present_limits`, `present_quality`, `present_methods`;
    for plans and methods `present_candidates`, `present_mixture`, `present_plan`,
    `present_accuracy`; `explore_cohort` (a `CohortExplorer`)
report
    `write_results`; the command ``sbwork report`` does the rest
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Cohort": "specs.cohort",
    "CohortExplorer": "render.explorers",
    "ControlSearch": "compare.controls",
    "Estimate": "stats",
    "Evaluation": "evaluation",
    "Incidents": "read.incidents",
    "InputError": "specs.errors",
    "Instrument": "specs.instrument",
    "Placebo": "compare.placebo",
    "Responses": "read.surveys",
    "World": "compare.simulation",
    "assess_comparability": "compare.panels",
    "combine_findings": "stats.findings",
    "compare_counts": "compare.counts",
    "compare_placebos": "compare.placebo",
    "compare_scales": "compare.surveys",
    "compare_synthetic": "compare.controls",
    "evaluate_cohort": "evaluation",
    "explore_cohort": "render.explorers",
    "find_cohorts": "specs.cohort",
    "find_controls": "compare.controls",
    "grade_evidence": "grade.evidence",
    "plan_counts": "compare.controls",
    "present_accuracy": "render.sections",
    "present_candidates": "render.sections",
    "present_changes": "render.sections",
    "present_counts": "render.sections",
    "present_evidence": "render.sections",
    "present_kinds": "render.sections",
    "present_limits": "render.sections",
    "present_methods": "render.sections",
    "present_mixture": "render.sections",
    "present_plan": "render.sections",
    "present_quality": "render.sections",
    "present_reliability": "render.sections",
    "present_robustness": "render.sections",
    "present_scales": "render.sections",
    "present_stories": "render.sections",
    "present_summary": "render.sections",
    "rake": "score.weights",
    "read_cohort": "specs.cohort",
    "read_incidents": "read.incidents",
    "read_instrument": "specs.instrument",
    "read_responses": "read.surveys",
    "scale_reliability": "score",
    "score_coverage": "score",
    "score_scales": "score",
    "select_findings": "stats.findings",
    "simulate_counts": "compare.simulation",
    "suppress_findings": "grade.disclosure",
    "trace_mixture": "compare.areas",
    "weigh_responses": "score.weights",
    "weighted_mean": "score.weights",
    "write_results": "report.outputs",
}

__all__ = [
    "Cohort",
    "CohortExplorer",
    "ControlSearch",
    "Estimate",
    "Evaluation",
    "Incidents",
    "InputError",
    "Instrument",
    "Placebo",
    "Responses",
    "World",
    "assess_comparability",
    "combine_findings",
    "compare_counts",
    "compare_placebos",
    "compare_scales",
    "compare_synthetic",
    "evaluate_cohort",
    "explore_cohort",
    "find_cohorts",
    "find_controls",
    "grade_evidence",
    "plan_counts",
    "present_accuracy",
    "present_candidates",
    "present_changes",
    "present_counts",
    "present_evidence",
    "present_kinds",
    "present_limits",
    "present_methods",
    "present_mixture",
    "present_plan",
    "present_quality",
    "present_reliability",
    "present_robustness",
    "present_scales",
    "present_stories",
    "present_summary",
    "rake",
    "read_cohort",
    "read_incidents",
    "read_instrument",
    "read_responses",
    "scale_reliability",
    "score_coverage",
    "score_scales",
    "select_findings",
    "simulate_counts",
    "suppress_findings",
    "trace_mixture",
    "weigh_responses",
    "weighted_mean",
    "write_results",
]

if TYPE_CHECKING:
    from sbwork.compare.areas import trace_mixture
    from sbwork.compare.controls import ControlSearch, compare_synthetic, find_controls, plan_counts
    from sbwork.compare.counts import compare_counts
    from sbwork.compare.panels import assess_comparability
    from sbwork.compare.placebo import Placebo, compare_placebos
    from sbwork.compare.simulation import World, simulate_counts
    from sbwork.compare.surveys import compare_scales
    from sbwork.evaluation import Evaluation, evaluate_cohort
    from sbwork.grade.disclosure import suppress_findings
    from sbwork.grade.evidence import grade_evidence
    from sbwork.read.incidents import Incidents, read_incidents
    from sbwork.read.surveys import Responses, read_responses
    from sbwork.render.explorers import CohortExplorer, explore_cohort
    from sbwork.render.sections import (
        present_accuracy,
        present_candidates,
        present_changes,
        present_counts,
        present_evidence,
        present_kinds,
        present_limits,
        present_methods,
        present_mixture,
        present_plan,
        present_quality,
        present_reliability,
        present_robustness,
        present_scales,
        present_stories,
        present_summary,
    )
    from sbwork.report.outputs import write_results
    from sbwork.score import scale_reliability, score_coverage, score_scales
    from sbwork.score.weights import rake, weigh_responses, weighted_mean
    from sbwork.specs.cohort import Cohort, find_cohorts, read_cohort
    from sbwork.specs.errors import InputError
    from sbwork.specs.instrument import Instrument, read_instrument
    from sbwork.stats import Estimate
    from sbwork.stats.findings import combine_findings, select_findings


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"sbwork.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'sbwork' has no attribute '{name}'")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
