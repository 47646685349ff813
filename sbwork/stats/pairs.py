"""Everything that is estimated of one site beside its control, from their monthly counts."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from sbwork.stats.estimate import Estimate, Flag, Reason, add_note
from sbwork.stats.rates import (
    Change,
    correct_dispersion,
    estimate_dispersion,
    estimate_incidents_avoided,
    estimate_percentage_change,
    estimate_relative_effect_size,
    estimate_rirr,
    estimate_smallest_detectable_rirr,
    estimate_total_net_effect,
    estimate_wdd,
    estimate_wdq,
)

PAIR_ESTIMATORS = {
    "rirr": "ratio",
    "rirr_poisson": "ratio",
    "dispersion": "ratio",
    "relative_effect_size": "ratio",
    "incidents_avoided": "incidents",
    "smallest_detectable_rirr": "ratio",
    "wdd": "incidents",
    "wdd_corrected": "incidents",
    "wdq": "ratio",
    "total_net_effect": "incidents",
    "rirr_wdd_agreement": "count",
}
"""What `PairCounts.estimate` gives, in its order, with the unit of each."""

_NOTABLE_EXCESS = 1.05

_SINGLE_MONTH = (
    "With one month on each side, counts are taken to vary like Poisson counts; real ones vary "
    "more, so the interval is too narrow."
)
_WEIGHTED = (
    "These are weighted sums, not counts, so Poisson variance does not hold: use the estimate "
    "corrected for over-dispersion."
)
_NO_PRECISION = "Weighted sums that show no spread from month to month have no known precision."


@dataclass(frozen=True, slots=True, eq=False)
class MonthlyCounts:
    """The months of one area, before and after.

    before, after: Incidents by month, none missing.
    """

    before: npt.NDArray[np.float64]
    after: npt.NDArray[np.float64]

    @property
    def sums(self) -> Change:
        """Incidents in each period."""
        return float(self.before.sum()), float(self.after.sum())

    @property
    def lengths(self) -> tuple[int, int]:
        """Months in each period."""
        return self.before.size, self.after.size


def estimate_site_change(counts: MonthlyCounts, *, weighted: bool = False) -> Estimate:
    """Estimate the percentage change of one site, with the spread of its own months.

    Returns ``"percentage_change"``; the note says where the interval is too narrow.
    """
    dispersion = estimate_dispersion(counts.before, counts.after)
    factor, df = correct_dispersion(dispersion, floor=not weighted)
    change = estimate_percentage_change(
        *counts.sums, months=counts.lengths, dispersion=factor, df=df
    )
    if counts.lengths[0] != counts.lengths[1]:
        change = add_note(change, "Counts a month are compared: the periods differ in length.")
    return _mark_single_month(change, dispersion, weighted=weighted)


@dataclass(frozen=True, eq=False)
class PairCounts:
    """A site, its control, and the areas that incidents may have moved to.

    treated, control: The intervention site and its control, on the same months.
    displacement, displacement_control: The area that incidents may have moved to, and that area's
        own control.
    weighted: The numbers are sums of harm weights rather than counts.
    """

    treated: MonthlyCounts
    control: MonthlyCounts
    displacement: MonthlyCounts | None = None
    displacement_control: MonthlyCounts | None = None
    weighted: bool = False

    @cached_property
    def dispersion(self) -> Estimate:
        """Over-dispersion of the site's and the control's months, unfloored."""
        sides = (self.treated, self.control)
        return estimate_dispersion(*(s.before for s in sides), *(s.after for s in sides))

    def estimate(self) -> list[Estimate]:
        """Estimate all of `PAIR_ESTIMATORS`, in that order."""
        rirr = self.estimate_rirr()
        return [
            rirr,
            self._estimate_poisson(),
            self._describe_dispersion(),
            estimate_relative_effect_size(rirr),
            estimate_incidents_avoided(self.treated.sums[1], rirr),
            self._estimate_smallest(),
            *self._estimate_differences(),
            self._compare_verdicts(rirr),
        ]

    def estimate_rirr(self) -> Estimate:
        """Estimate the RIRR with the variance corrected for over-dispersion."""
        return self._mark_single_month(
            estimate_rirr(self.treated.sums, self.control.sums, **self._correction)
        )

    @property
    def factor(self) -> tuple[float, float]:
        """Factor on the variance, and degrees of freedom."""
        return correct_dispersion(self.dispersion, floor=not self.weighted)

    @property
    def _correction(self) -> dict[str, Any]:
        return dict(zip(("dispersion", "df"), self.factor, strict=True))

    def _estimate_poisson(self) -> Estimate:
        name = "rirr_poisson"
        if self.weighted:
            return Estimate(name, unit="ratio", note=_WEIGHTED, reason=Reason.NOT_APPLICABLE)
        plain = estimate_rirr(self.treated.sums, self.control.sums, estimator=name)
        return self._mark_excess(plain)

    def _describe_dispersion(self) -> Estimate:
        found = self.dispersion
        if math.isnan(found.estimate):
            return found
        note = "How many times as much the months vary as Poisson counts would."
        if self.weighted:
            note = "Monthly variance over monthly mean of the weighted sums."
        elif found.estimate < 1:
            note = "Months varied less than chance alone would; 1 is used."
        return add_note(found, note)

    def _estimate_smallest(self) -> Estimate:
        counts = [*self.treated.sums, *self.control.sums]
        factor = self.factor[0]
        smallest = estimate_smallest_detectable_rirr(counts, dispersion=factor)
        if self.weighted and _lacks_spread(self.dispersion, weighted=True):
            reason = self._explain_no_spread()
            return Estimate(smallest.estimator, unit="ratio", note=_NO_PRECISION, reason=reason)
        if math.isnan(self.dispersion.estimate):
            note = "Months were taken to vary like Poisson counts, so it is too hopeful."
            return add_note(smallest, note, Flag.SINGLE_MONTH)
        return smallest

    def _estimate_wdd(self, *, corrected: bool, alone: bool = False) -> Estimate:
        before, after = self.treated.lengths
        others = (None, None) if alone else (self.displacement, self.displacement_control)
        return estimate_wdd(
            self.treated.sums,
            self.control.sums,
            *(area.sums if area else (0.0, 0.0) for area in others),
            time_weights=(before / after, 1.0),
            estimator="wdd_corrected" if corrected else "wdd",
            **(self._correction if corrected else {}),
        )

    def _estimate_differences(self) -> list[Estimate]:
        plain, corrected = self._estimate_wdd(corrected=False), self._estimate_wdd(corrected=True)
        notes = []
        if self.treated.lengths[0] != self.treated.lengths[1]:
            notes.append("Counts before are scaled to the length of the period after.")
        if self.displacement and not self.displacement_control:
            notes.append("The displacement area has no control of its own.")
        if self.weighted:
            plain = replace(_strip_interval(plain, ""), n=math.nan, note=_WEIGHTED)
        moved = self.displacement.sums if self.displacement else (0.0, 0.0)
        net = estimate_total_net_effect(
            self.treated.sums, self.control.sums, moved, **self._correction
        )
        return [
            add_note(self._mark_excess(plain), " ".join(notes)),
            add_note(self._mark_single_month(corrected), " ".join(notes)),
            self._estimate_wdq(),
            self._mark_single_month(net),
        ]

    def _estimate_wdq(self) -> Estimate:
        if self.displacement is None:
            note = "No displacement area is given."
            return Estimate("wdq", unit="ratio", note=note, reason=Reason.NOT_STATED)
        before, after = self.treated.lengths
        areas = (self.treated.sums, self.control.sums, self.displacement.sums)
        return estimate_wdq(*((area[0] * after / before, area[1]) for area in areas))

    def _compare_verdicts(self, rirr: Estimate) -> Estimate:
        """Find whether the ratio and the difference, both corrected, show the same."""
        wdd = self._estimate_wdd(corrected=True, alone=True)
        verdict = partial(Estimate, "rirr_wdd_agreement", unit="count")
        if math.isnan(rirr.ci_low) or math.isnan(wdd.ci_low):
            note = f"They can't be compared. {rirr.note or wdd.note}".strip()
            return verdict(note=note, reason=rirr.reason or wdd.reason or self._explain_no_spread())
        signs = (_sign(math.log(rirr.estimate)), _sign(wdd.estimate))
        if signs[0] != signs[1]:
            return verdict(0.0, note=_describe_opposition(*signs), flags=(Flag.OPPOSITE_SIGNS,))
        clear = (rirr.ci_high < 1 or rirr.ci_low > 1, wdd.ci_high < 0 or wdd.ci_low > 0)
        if clear[0] != clear[1]:
            which = ("ratio (RIRR)", "difference (WDD)")
            yes, no = which if clear[0] else which[::-1]
            note = (
                f"RIRR and WDD disagree: the interval of the {yes} leaves out 'no change', that of "
                f"the {no} does not. A result that hangs on the choice between them is not settled."
            )
            return verdict(0.0, note=note)
        shown = "a change beyond the interval" if clear[0] else "no change beyond the interval"
        agreed = verdict(1.0, note=f"RIRR and WDD agree: both show {shown}.")
        if math.isnan(self.dispersion.estimate):
            return add_note(agreed, _SINGLE_MONTH, Flag.SINGLE_MONTH)
        return agreed

    def _explain_no_spread(self) -> Reason:
        return self.dispersion.reason or Reason.NO_VARIATION

    def _mark_single_month(self, estimate: Estimate) -> Estimate:
        return _mark_single_month(estimate, self.dispersion, weighted=self.weighted)

    def _mark_excess(self, plain: Estimate) -> Estimate:
        excess = self.dispersion.estimate
        if math.isnan(excess):
            return self._mark_single_month(plain)
        if self.weighted or math.isnan(plain.ci_low) or excess < _NOTABLE_EXCESS:
            return plain
        note = f"Months vary {excess:.1f} times as much as Poisson counts would, so this "
        return add_note(plain, note + "interval is too narrow.", Flag.NARROW_INTERVAL)


def _mark_single_month(estimate: Estimate, dispersion: Estimate, *, weighted: bool) -> Estimate:
    if math.isnan(estimate.ci_low) or not _lacks_spread(dispersion, weighted=weighted):
        return estimate
    if not weighted:
        return add_note(estimate, _SINGLE_MONTH, Flag.SINGLE_MONTH)
    return _strip_interval(estimate, _NO_PRECISION)


def _strip_interval(estimate: Estimate, note: str) -> Estimate:
    nan = math.nan
    bare = replace(estimate, ci_low=nan, ci_high=nan, p_value=nan, se=nan, statistic=nan, df=nan)
    return add_note(bare, note, *(() if estimate.reason else (Flag.NO_INTERVAL,)))


def _lacks_spread(dispersion: Estimate, *, weighted: bool) -> bool:
    """Find whether the months show no spread that a variance could rest on."""
    return math.isnan(dispersion.estimate) or (weighted and dispersion.estimate < 1e-9)


def _describe_opposition(ratio: int, difference: int) -> str:
    words = {-1: "fell", 0: "stayed level", 1: "rose"}
    return (
        f"RIRR and WDD disagree: by the ratio (RIRR) the site {words[ratio]} beside its control, "
        f"by the difference (WDD) it {words[difference]}. The two started from different counts: "
        "RIRR takes equal percentage changes for no difference, WDD equal changes in number. "
        "Neither should be shown alone."
    )


def _sign(value: float) -> int:
    return 0 if abs(value) < 1e-12 else int(math.copysign(1, value))
