"""The statistics: arrays in, frozen Estimate out; numpy and scipy only."""

from sbwork.stats.estimate import Estimate, Flag, Reason

__all__ = ["Estimate", "Flag", "Reason"]
