"""Structural equation models by maximum likelihood."""

from sbwork.score.latent.fit import ModelFit, fit_model, refit_model

__all__ = ["ModelFit", "fit_model", "refit_model"]
