"""What the results say, in plain sentences; no sentence claims more than the design allows."""

from sbwork.render.narrative.choice import describe_choice
from sbwork.render.narrative.counts import (
    describe_changes,
    describe_counts,
    describe_monthly_counts,
    describe_placebo,
    describe_reported,
)
from sbwork.render.narrative.limits import list_limits
from sbwork.render.narrative.models import (
    describe_event_study,
    describe_robustness,
    describe_shares,
    describe_specifications,
    explain_missing,
)
from sbwork.render.narrative.places import describe_contacts, describe_map, name_contacts
from sbwork.render.narrative.planning import (
    describe_balance,
    describe_candidates,
    describe_detectable,
    describe_mixture,
    list_gaps,
)
from sbwork.render.narrative.reasons import describe_missing, describe_reason
from sbwork.render.narrative.scales import (
    describe_answers,
    describe_attrition,
    describe_differences,
    describe_lead,
    describe_mean_differences,
    describe_means,
    describe_spread,
)
from sbwork.render.narrative.summary import summarise_cohort
from sbwork.render.narrative.weights import describe_weights

__all__ = [
    "describe_answers",
    "describe_attrition",
    "describe_balance",
    "describe_candidates",
    "describe_changes",
    "describe_choice",
    "describe_contacts",
    "describe_counts",
    "describe_detectable",
    "describe_differences",
    "describe_event_study",
    "describe_lead",
    "describe_map",
    "describe_mean_differences",
    "describe_means",
    "describe_missing",
    "describe_mixture",
    "describe_monthly_counts",
    "describe_placebo",
    "describe_reason",
    "describe_reported",
    "describe_robustness",
    "describe_shares",
    "describe_specifications",
    "describe_spread",
    "describe_weights",
    "explain_missing",
    "list_gaps",
    "list_limits",
    "name_contacts",
    "summarise_cohort",
]
