"""Answers scored, and scales measured."""

from sbwork.score.latent import ModelFit, fit_model, refit_model
from sbwork.score.scales import scale_reliability, score_coverage, score_scales

__all__ = [
    "ModelFit",
    "fit_model",
    "refit_model",
    "scale_reliability",
    "score_coverage",
    "score_scales",
]
