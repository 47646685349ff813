"""Everything that is estimated of one site beside its control, from their monthly counts."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from sbwork.stats.displacement import estimate_total_net_effect, estimate_wdd, estimate_wdq
from sbwork.stats.estimate import Estimate, Flag, Reason
from sbwork.stats.rates import (
    Change,
    correct_dispersion,
    estimate_dispersion,
    estimate_incidents_avoided,
    estimate_percentage_change,
    estimate_relative_effect_size,
    estimate_rirr,
    estimate_smallest_detectable_rirr,
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

    @property
    def factor(self) -> Change:
        """Factor on the variance, and degrees of freedom."""
        return correct_dispersion(self.dispersion, floor=not self.weighted)

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
        factor, df = self.factor
        rirr = estimate_rirr(
            self.treated.sums,
            self.control.sums,
            months=self.treated.lengths,
            dispersion=factor,
            df=df,
        )
        return _mark_single_month(rirr, self.dispersion, weighted=self.weighted)

    def _estimate_poisson(self) -> Estimate:
        if self.weighted:
            reason = Reason.NOT_APPLICABLE
            return Estimate("rirr_poisson", unit="ratio", note=_WEIGHTED, reason=reason)
        plain = estimate_rirr(
            self.treated.sums,
            self.control.sums,
            months=self.treated.lengths,
            estimator="rirr_poisson",
        )
        return self._mark_excess(plain)

    def _describe_dispersion(self) -> Estimate:
        found = self.dispersion
        if math.isnan(found.estimate):
            return found
        if self.weighted:
            return add_note(found, "Monthly variance over monthly mean of the weighted sums.")
        if found.estimate < 1:
            return add_note(found, "Months varied less than chance alone would; 1 is used.")
        return add_note(found, "How many times as much the months vary as Poisson counts would.")

    def _estimate_smallest(self) -> Estimate:
        counts = [*self.treated.sums, *self.control.sums]
        smallest = estimate_smallest_detectable_rirr(counts, dispersion=self.factor[0])
        if self.weighted and _lacks_spread(self.dispersion, weighted=True):
            reason = self._explain_no_spread()
            return Estimate(smallest.estimator, unit="ratio", note=_NO_PRECISION, reason=reason)
        if math.isnan(self.dispersion.estimate):
            said = "Months were taken to vary like Poisson counts, so it is too hopeful."
            return add_note(smallest, said, Flag.SINGLE_MONTH)
        return smallest

    def _estimate_wdd(self, *, corrected: bool, alone: bool = False) -> Estimate:
        factor, df = self.factor if corrected else (1.0, math.inf)
        before, after = self.treated.lengths
        others = (None, None) if alone else (self.displacement, self.displacement_control)
        areas = (area.sums if area else (0.0, 0.0) for area in others)
        return estimate_wdd(
            self.treated.sums,
            self.control.sums,
            *areas,
            time_weights=(before / after, 1.0),
            dispersion=factor,
            df=df,
            estimator="wdd_corrected" if corrected else "wdd",
        )

    def _estimate_differences(self) -> list[Estimate]:
        plain, corrected = self._estimate_wdd(corrected=False), self._estimate_wdd(corrected=True)
        said = ""
        if self.treated.lengths[0] != self.treated.lengths[1]:
            said = "Counts before are scaled to the length of the period after."
        if self.displacement and not self.displacement_control:
            said = _join(said, "The displacement area has no control of its own.")
        if self.weighted:
            plain = self._strip_interval(plain)
        return [
            add_note(self._mark_excess(plain), said),
            add_note(_mark_single_month(corrected, self.dispersion, weighted=self.weighted), said),
            self._estimate_wdq(),
            self._estimate_net_effect(),
        ]

    def _estimate_wdq(self) -> Estimate:
        if self.displacement is None:
            note = "No displacement area is given."
            return Estimate("wdq", unit="ratio", note=note, reason=Reason.NOT_STATED)
        before, after = self.treated.lengths
        areas = (self.treated.sums, self.control.sums, self.displacement.sums)
        return estimate_wdq(*((area[0] * after / before, area[1]) for area in areas))

    def _estimate_net_effect(self) -> Estimate:
        factor, df = self.factor
        moved = self.displacement.sums if self.displacement else (0.0, 0.0)
        net = estimate_total_net_effect(
            self.treated.sums, self.control.sums, moved, dispersion=factor, df=df
        )
        return _mark_single_month(net, self.dispersion, weighted=self.weighted)

    def _compare_verdicts(self, rirr: Estimate) -> Estimate:
        """Say in words whether the ratio and the difference tell the same story."""
        wdd = self._estimate_wdd(corrected=True, alone=True)
        name = "rirr_wdd_agreement"
        if math.isnan(rirr.ci_low) or math.isnan(wdd.ci_low):
            note = _join("They can't be compared.", rirr.note or wdd.note)
            reason = rirr.reason or wdd.reason or self._explain_no_spread()
            return Estimate(name, unit="count", note=note, reason=reason)
        signs = (_sign(math.log(rirr.estimate)), _sign(wdd.estimate))
        if signs[0] != signs[1]:
            note, flags = _describe_opposition(*signs), (Flag.OPPOSITE_SIGNS,)
            return Estimate(name, 0.0, unit="count", note=note, flags=flags)
        clear = (rirr.ci_high < 1 or rirr.ci_low > 1, wdd.ci_high < 0 or wdd.ci_low > 0)
        if clear[0] != clear[1]:
            which = ("ratio (RIRR)", "difference (WDD)")
            yes, no = which if clear[0] else which[::-1]
            note = (
                f"RIRR and WDD disagree: the interval of the {yes} leaves out 'no change', that of "
                f"the {no} does not. A result that hangs on the choice between them is not settled."
            )
            return Estimate(name, 0.0, unit="count", note=note)
        told = "a change beyond the interval" if clear[0] else "no change beyond the interval"
        agreed = Estimate(name, 1.0, unit="count", note=f"RIRR and WDD agree: both show {told}.")
        if math.isnan(self.dispersion.estimate):
            return add_note(agreed, _SINGLE_MONTH, Flag.SINGLE_MONTH)
        return agreed

    def _explain_no_spread(self) -> Reason:
        return self.dispersion.reason or Reason.NO_VARIATION

    def _strip_interval(self, wdd: Estimate) -> Estimate:
        flags = () if wdd.reason else (Flag.NO_INTERVAL,)
        return Estimate(
            "wdd", wdd.estimate, unit="incidents", note=_WEIGHTED, reason=wdd.reason, flags=flags
        )

    def _mark_excess(self, plain: Estimate) -> Estimate:
        excess = self.dispersion.estimate
        if math.isnan(excess):
            return _mark_single_month(plain, self.dispersion, weighted=self.weighted)
        if self.weighted or math.isnan(plain.ci_low) or excess < _NOTABLE_EXCESS:
            return plain
        note = f"Months vary {excess:.1f} times as much as Poisson counts would, so this "
        return add_note(plain, note + "interval is too narrow.", Flag.NARROW_INTERVAL)


def add_note(estimate: Estimate, note: str, *flags: Flag) -> Estimate:
    """Return the estimate with a further sentence in its note, and further flags."""
    every = tuple(dict.fromkeys((*estimate.flags, *flags)))
    return replace(estimate, note=_join(estimate.note, note), flags=every)


def _mark_single_month(estimate: Estimate, dispersion: Estimate, *, weighted: bool) -> Estimate:
    if math.isnan(estimate.ci_low) or not _lacks_spread(dispersion, weighted=weighted):
        return estimate
    if not weighted:
        return add_note(estimate, _SINGLE_MONTH, Flag.SINGLE_MONTH)
    bare = Estimate(
        estimate.estimator,
        estimate.estimate,
        n=estimate.n,
        unit=estimate.unit,
        note=estimate.note,
        flags=estimate.flags,
    )
    return add_note(bare, _NO_PRECISION, Flag.NO_INTERVAL)


def _lacks_spread(dispersion: Estimate, *, weighted: bool) -> bool:
    """Tell whether the months show no spread that a variance could rest on."""
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


def _join(*notes: str) -> str:
    return " ".join(note for note in notes if note)
