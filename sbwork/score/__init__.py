"""Answers scored, and scales measured."""

from sbwork.score.scales import scale_reliability, score_coverage, score_scales

__all__ = ["scale_reliability", "score_coverage", "score_scales"]
