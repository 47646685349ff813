"""The sections of the report: what is shown in each, and in what order."""

from sbwork.render.sections.accuracy import present_accuracy
from sbwork.render.sections.blocks import Bullets, Section
from sbwork.render.sections.counts import present_changes, present_counts
from sbwork.render.sections.evidence import present_evidence
from sbwork.render.sections.methods import present_methods
from sbwork.render.sections.planning import present_candidates, present_mixture, present_plan
from sbwork.render.sections.quality import present_quality
from sbwork.render.sections.robustness import present_robustness
from sbwork.render.sections.scales import present_reliability, present_scales
from sbwork.render.sections.stories import present_kinds, present_stories
from sbwork.render.sections.summary import present_limits, present_summary

__all__ = [
    "Bullets",
    "Section",
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
]
