"""Moments of samples, by pattern of what is missing."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sbwork.stats.missing import run_em

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_EM_TOLERANCE = 1e-7


@dataclass(frozen=True, slots=True)
class Moments:
    """One group of d samples, whose cases fall into patterns by what is missing.

    seen: (patterns, p) which variables a pattern has.
    shares: (patterns,) shares of the cases.
    means, covariances: (d, patterns, p[, p]), around the pattern's mean, divided by its cases; 0
        for what is unseen.
    mean, covariance: (d, p[, p]) of all cases; by maximum likelihood where some are incomplete.
    n: Cases.
    """

    seen: BoolArray
    shares: FloatArray
    means: FloatArray
    covariances: FloatArray
    mean: FloatArray
    covariance: FloatArray
    n: float

    @classmethod
    def from_complete(cls, mean: FloatArray, covariance: FloatArray, n: float) -> Moments:
        """Take means (d, p) and covariances (d, p, p), divided by n, of complete cases."""
        seen = np.ones((1, mean.shape[1]), dtype=np.bool_)
        whole = mean[:, None], covariance[:, None]
        return cls(seen, np.ones(1), *whole, mean, covariance, n)

    @classmethod
    def from_rows(cls, rows: FloatArray) -> Moments:
        """Sort the cases (n, p) of one sample by pattern; none may miss everything."""
        n, p = rows.shape
        if not np.isnan(rows).any():
            mean = rows.mean(axis=0)
            centred = rows - mean
            return cls.from_complete(mean[None], (centred.T @ centred / n)[None], n)
        seen, pattern = np.unique(~np.isnan(rows), axis=0, return_inverse=True)
        pattern = pattern.reshape(-1)
        filled = np.nan_to_num(rows)
        counts = np.bincount(pattern, minlength=len(seen)).astype(np.float64)
        order = np.argsort(pattern, kind="stable")
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.intp)
        means = np.add.reduceat(filled[order], starts) / counts[:, None]
        centred = (filled - means[pattern]) * seen[pattern]
        covariances = np.zeros((len(seen), p, p))
        ordered = centred[order]
        for place, start in enumerate(starts):
            block = ordered[start : start + int(counts[place])]
            covariances[place] = block.T @ block / counts[place]
        partial = cls(
            seen, counts / n, means[None], covariances[None], means[:1], covariances[:1], n
        )
        mean, variances = partial.list_margins()
        mean, covariance, _ = run_em(
            seen, partial.shares, means, covariances, mean, np.diag(variances),
            tolerance=_EM_TOLERANCE,
        )  # fmt: skip
        return replace(partial, mean=mean[None], covariance=covariance[None])

    def take(self, rows: NDArray[np.intp]) -> Moments:
        """Keep some of the samples."""
        if len(self.means) == 1:
            return self
        parts = self.means[rows], self.covariances[rows], self.mean[rows], self.covariance[rows]
        return Moments(self.seen, self.shares, *parts, self.n)

    def slice(self, patterns: slice) -> Moments:
        """Keep some of the patterns."""
        if patterns.start == 0 and patterns.stop >= len(self.seen):
            return self
        return Moments(
            self.seen[patterns],
            self.shares[patterns],
            self.means[:, patterns],
            self.covariances[:, patterns],
            self.mean,
            self.covariance,
            self.n,
        )

    def add(self, parts: FloatArray) -> FloatArray:
        """Add over patterns (d, patterns, …), each by its share."""
        if len(self.shares) == 1 and self.shares[0] == 1:
            return parts[:, 0]
        return np.asarray(np.tensordot(parts, self.shares, axes=(1, 0)))

    def list_margins(self) -> tuple[FloatArray, FloatArray]:
        """Return every variable's mean and variance (p,) over those of one sample who have it."""
        answered = self.shares @ self.seen
        mean = self.shares @ self.means[0] / answered
        away = (self.means[0] - mean) * self.seen
        second = np.diagonal(self.covariances[0], axis1=1, axis2=2) + away**2
        return mean, self.shares @ second / answered

    def merge(self) -> Moments:
        """Take the moments of all cases as if they were complete."""
        return Moments.from_complete(self.mean, self.covariance, self.n)
