"""The statistics: arrays in, frozen Estimate out; numpy, scipy, statsmodels, pingouin."""

from sbwork.stats.estimate import Estimate, Flag, Reason

__all__ = ["Estimate", "Flag", "Reason"]
