"""Weights raked to targets, and what they cost."""

from sbwork.score.weights.raking import RakedWeights, rake, weighted_mean
from sbwork.score.weights.targets import weigh_responses, weight_answers

__all__ = [
    "RakedWeights",
    "rake",
    "weigh_responses",
    "weight_answers",
    "weighted_mean",
]
