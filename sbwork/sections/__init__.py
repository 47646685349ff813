"""The sections of the report: what is shown in each, and in what order."""

from sbwork.sections.accuracy import present_accuracy
from sbwork.sections.blocks import Bullets, Section
from sbwork.sections.counts import present_changes, present_counts
from sbwork.sections.evidence import present_evidence
from sbwork.sections.methods import present_methods
from sbwork.sections.planning import present_candidates, present_mixture, present_plan
from sbwork.sections.quality import present_quality
from sbwork.sections.robustness import present_robustness
from sbwork.sections.scales import present_reliability, present_scales
from sbwork.sections.stories import present_kinds, present_stories
from sbwork.sections.summary import present_limits, present_summary

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
