"""Files looked into, and the cohort and questionnaire proposed for them."""

from sbwork.intake.surveys import (
    Proposal,
    ProposedItem,
    ProposedScale,
    ProposedSurvey,
    propose_surveys,
)

__all__ = ["Proposal", "ProposedItem", "ProposedScale", "ProposedSurvey", "propose_surveys"]
