"""Why these areas were chosen, and what follows from that choice alone."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from sbwork.compare.areas import group_lsoas
from sbwork.compare.panel import (
    MAIN,
    Panel,
    Window,
    list_windows,
    match_months,
    shift_month,
    shift_window,
    sum_months,
)
from sbwork.read.incidents import Incidents
from sbwork.read.places.geography import read_lookup
from sbwork.specs.cohort import Cohort, Pair
from sbwork.specs.errors import InputError, Problem, find_nearest, list_names, quote
from sbwork.stats import Estimate, Flag, Reason
from sbwork.stats.estimate import Refusal
from sbwork.stats.findings import Finding, combine_findings, tabulate_findings
from sbwork.stats.ranks import SMALLEST_POOL
from sbwork.stats.selection import (
    Selected,
    describe_pool,
    estimate_from_pool,
    estimate_from_regression,
    estimate_from_selected,
    join_selected,
    measure_rise,
    rank_among_selected,
    select_again,
)

__all__ = ["assess_choice"]

SECTION = "choice"

CHOICE_ESTIMATORS = {
    "observed_rank_before": "count",
    "pool_size": "count",
    "observed_rank_chosen": "count",
    "expected_ratio_by_choice": "ratio",
    "expected_change_by_choice": "percent",
    "rirr_less_choice": "ratio",
    "placebo_p_chosen": "p",
}
"""What is found of each pair and outcome, in order, with its unit."""

_PLACED = ("observed_rank_before", "pool_size")
_YEAR = 12

_NO_SHARED_MONTH = Refusal(
    Reason.NO_MONTHS, "The data hold no calendar month on both sides for all sites of the pair."
)
_NO_AREAS = Refusal(Reason.TOO_FEW_AREAS, "The files hold no areas besides the sites.")
_NO_OTHER_AREA = Refusal(Reason.TOO_FEW_AREAS, "No other area of the pool has all these months.")
_NOT_STATED = Refusal(
    Reason.NOT_STATED,
    "cohort.yml does not say why these areas were chosen (chosen_because). Where areas are "
    "chosen because their counts are high, the counts fall by themselves.",
)
_NOT_CHOSEN = Refusal(
    Reason.NOT_APPLICABLE,
    "The areas were not chosen by their counts, so nothing follows from the choice.",
)
_NOT_ESTIMABLE = Refusal(
    Reason.NOT_ESTIMABLE,
    "What follows from a choice for this reason can't be worked out from counts.",
)
_NO_CONTROL = Refusal(Reason.NO_CONTROL, "No control site is given, so there is no RIRR.")
_ZERO_COUNT = Refusal(Reason.ZERO_COUNT, "One of the counts of the pair is 0, so it has no RIRR.")

Floats = npt.NDArray[np.float64]


def assess_choice(incidents: Incidents, cohort: Cohort) -> pd.DataFrame:
    """Work out what was to be expected of each pair because of how its site was chosen.

    Areas picked because their counts were high or had risen fall by themselves, since part of
    what set them apart was chance, or passed. Section ``"choice"``, one row of each a pair and
    outcome (see docs/results.md): ``observed_rank_before`` and ``observed_rank_chosen``, the place
    of the site in its pool, 1 for the highest, by its count before and by what it was chosen by;
    ``pool_size``; ``expected_ratio_by_choice``, the ratio of the site to its control (without
    control: to the mean of the pool) to be expected from the choice alone, and
    ``expected_change_by_choice``, the same in percent; ``rirr_less_choice``, the observed RIRR over
    the expected ratio; ``placebo_p_chosen``, the place of the observed RIRR among the ratios of
    areas chosen in the same way. Site ``"all"``: the geometric mean of the expected ratios.

    Chosen as the highest by the months before: `sbwork.stats.selection.estimate_from_pool`. Chosen
    by other months, by another outcome or for a rise: areas are chosen again in the archive, in
    the same months of this and earlier years, from random pools of the same size and at the
    site's place in its own, beside the area whose count before is to theirs as the real control's
    is to the site's (`select_again`). Where these are worth fewer than 19 areas, a regression over
    all areas takes their place (`estimate_from_regression`). A rise is that from the same months a
    year before, or as many years as the months of ``chosen_on`` fill.

    The pool has the sites and the areas that overlap none; a site is one of them only if it is up
    to ``placebo.size_ratio`` times as large or as small as the areas it overlaps are on average.

    Raises
    ------
    InputError
        ``chosen_from`` names an area or an authority that is not in the archive.
    """
    if cohort.periods is None:
        return combine_findings([])
    outcomes = list(dict.fromkeys([*incidents.sites["outcome"], *cohort.outcomes]))
    panels = {outcome: Panel(incidents, outcome, cohort.compared_months) for outcome in outcomes}
    pool = _find_pool(incidents, cohort)
    findings: list[Finding] = []
    for outcome in dict.fromkeys(incidents.sites["outcome"]):
        ratios: list[Estimate] = []
        for pair in cohort.pairs:
            found = _assess_pair(_Setting(panels, cohort, pool, str(outcome), pair))
            ratios += [e for e in found if e.estimator == "expected_ratio_by_choice"]
            findings += [
                Finding(SECTION, str(outcome), pair.intervention, e, pair.control or "", MAIN)
                for e in found
            ]
        if len(cohort.pairs) > 1:
            mean = _average_ratios(ratios)
            findings += [
                Finding(SECTION, str(outcome), "all", e, "", MAIN)
                for e in (mean, _turn_to_percent(mean))
            ]
    return tabulate_findings(findings)


@dataclass(frozen=True)
class _Setting:
    """One pair and outcome, with the areas its site was chosen from (None: all of them)."""

    panels: Mapping[str, Panel]
    cohort: Cohort
    pool: frozenset[str] | None
    outcome: str
    pair: Pair

    @property
    def panel(self) -> Panel:
        """The counts of the outcome."""
        return self.panels[self.outcome]

    @property
    def compared(self) -> list[str]:
        """The site, and its control if there is one."""
        return [site for site in (self.pair.intervention, self.pair.control) if site]

    @property
    def criterion(self) -> str:
        """The outcome that the site was chosen by."""
        choice = self.cohort.chosen_because
        return (choice.outcome if choice else "") or self.outcome

    @property
    def rising(self) -> bool:
        """The site was chosen for a rise."""
        choice = self.cohort.chosen_because
        return choice is not None and choice.reason == "rising"

    @cached_property
    def window(self) -> Window:
        """The months before and after that all sites of the pair have."""
        assert self.cohort.periods is not None  # noqa: S101 - nothing is assessed without
        covered = self.panel.find_covered(self.pair.sites)
        return match_months(list_windows(self.cohort.periods, ())[0], covered)

    @property
    def on_before(self) -> bool:
        """The months that the site was chosen by are those before."""
        periods, on = self.cohort.periods, self.cohort.chosen_on
        return on is None or (periods is not None and on == periods.before)

    @property
    def chosen_on(self) -> tuple[tuple[str, ...], ...]:
        """The months chosen by; for a rise, those that it is measured from too."""
        on = self.cohort.chosen_on
        months = self.window.before if self.on_before or on is None else on.months
        if not self.rising:
            return (months,)
        back = -_YEAR * math.ceil(len(months) / _YEAR)
        return months, tuple(shift_month(month, back) for month in months)

    @property
    def chosen_before(self) -> bool:
        """The site was chosen as the highest by the very counts that are compared."""
        return self.on_before and not self.rising and self.criterion == self.outcome

    def is_like_an_area(self, site: str) -> bool:
        """Say whether a site is about as large as one of the areas it overlaps."""
        before = list(self.window.before)
        areas = self.panel.take_areas_in(site)
        mean = areas.reindex(index=before).sum().mean() if areas.size else 0.0
        own = self.panel.take_site(site).reindex(before).sum()
        if not (mean > 0 and own > 0):
            return True
        return abs(math.log(own / mean)) <= math.log(self.cohort.placebo.size_ratio) + 1e-12

    def count_sites(self, months: Sequence[str], outcome: str) -> Floats:
        """Sum the months of the compared sites; NaN where one lacks a month."""
        return sum_months(self.panels[outcome].sites.reindex(columns=self.compared), months)

    def list_pool(self, months: Sequence[str], outcome: str) -> pd.DataFrame:
        """Lay out the pool, the site first, as months by areas; those with gaps are left out."""
        site = self.pair.intervention
        sites, free = self.panels[outcome].sites, self.panels[outcome].free_areas
        others = [other for other in sites if other != site and self._is_in_pool(str(other))]
        if self.pool is not None:
            free = free[[area for area in free if area in self.pool]]
        frames = [frame.reindex(index=list(months)) for frame in (sites[[site, *others]], free)]
        whole = pd.concat(frames, axis="columns")
        return whole.loc[:, whole.notna().all() | (whole.columns == site)]

    def _is_in_pool(self, site: str) -> bool:
        if self.pool is None or site in [pair.intervention for pair in self.cohort.pairs]:
            return self.is_like_an_area(site)
        owned = self.panel.take_areas_in(site)
        return any(area in self.pool for area in owned) and self.is_like_an_area(site)

    def count_free(self, shift: int = 0) -> _Counts | None:
        """Sum the windows of the areas in which nothing was done, moved by some months."""
        window = shift_window(self.window, shift)
        wanted = [(self.outcome, window.before), (self.outcome, window.after)]
        wanted += [
            (self.criterion, tuple(shift_month(month, shift) for month in months))
            for months in self.chosen_on
        ]
        sums = [
            self.panels[outcome].free_areas.reindex(list(months)).sum(axis=0, skipna=False)
            for outcome, months in wanted
        ]
        table = pd.concat(sums, axis="columns").dropna()
        if table.empty:
            return None
        before, after, *on = table.to_numpy(dtype=float).T
        return _Counts(table.index.to_numpy(dtype=object), before, after, tuple(on))


@dataclass(frozen=True, eq=False)
class _Counts:
    """Areas in which nothing was done: counts before, after, and in the months chosen by."""

    areas: npt.NDArray[np.object_]
    before: Floats
    after: Floats
    on: tuple[Floats, ...]

    @property
    def criterion(self) -> Floats:
        """What areas are chosen by."""
        return _measure(self.on)

    def keep(self, pool: frozenset[str] | None) -> _Counts:
        """Keep the areas of the pool, where these are enough to be looked at by themselves."""
        inside = np.array([pool is None or area in pool for area in self.areas], dtype=np.bool_)
        if inside.sum() < SMALLEST_POOL:
            return self
        on = tuple(part[inside] for part in self.on)
        return _Counts(self.areas[inside], self.before[inside], self.after[inside], on)


def _assess_pair(setting: _Setting) -> list[Estimate]:
    if not min(setting.window.lengths):
        return _NO_SHARED_MONTH.name_each(CHOICE_ESTIMATORS)
    refused = _refuse_pool(setting, [setting.pair.intervention])
    if refused:
        placed = refused.name_each({name: CHOICE_ESTIMATORS[name] for name in _PLACED})
    else:
        pool = setting.list_pool(setting.window.before, setting.outcome)
        before = pool.sum(axis=0, skipna=False).to_numpy(dtype=float)
        placed = [_place_first(before, "observed_rank_before", setting), _count_pool(setting, pool)]
    refused = _refuse_expectation(setting.cohort) or _refuse_pool(setting, setting.compared)
    if refused:
        rest = {name: unit for name, unit in CHOICE_ESTIMATORS.items() if name not in _PLACED}
        return [*placed, *refused.name_each(rest)]
    chosen = _place_by_choice(setting)
    selected = _select_in_archive(setting, chosen, placed[1])
    expected = _flag(_expect_ratio(setting, pool, selected), setting)
    own = _find_own(setting)
    return [
        *placed,
        chosen,
        expected,
        _turn_to_percent(expected),
        _divide(own, expected, setting),
        rank_among_selected(own, selected),
    ]


def _refuse_pool(setting: _Setting, sites: Sequence[str]) -> Refusal | None:
    """Return why sites can't be placed among the areas; None where they can."""
    if setting.panel.free_areas.empty:
        return _NO_AREAS
    unlike = [site for site in sites if not setting.is_like_an_area(site)]
    if not unlike:
        return None
    titles = " and ".join(setting.cohort.title_site(site) for site in unlike)
    note = (
        f"{titles} can't be one of the areas ({setting.cohort.placebo.group_by}) of the archive: "
        "these are of another size. Set placebo.group_by to areas like the sites."
    )
    return Refusal(Reason.NOT_ALIKE, note)


def _refuse_expectation(cohort: Cohort) -> Refusal | None:
    """Return why nothing can be expected from the choice; None where something can."""
    choice = cohort.chosen_because
    if choice is None and cohort.assignment == "chosen":
        return _NOT_STATED
    if choice is None or choice.reason == "drawn":
        return _NOT_CHOSEN
    return None if choice.reason in ("highest", "rising") else _NOT_ESTIMABLE


def _expect_ratio(setting: _Setting, pool: pd.DataFrame, selected: Selected) -> Estimate:
    window = setting.window
    own = setting.count_sites(window.before, setting.outcome)
    control = float(own[1]) if setting.pair.control else None
    free = setting.count_free()
    if setting.chosen_before:
        inside = free.keep(setting.pool) if free else None
        counts = (inside.before, inside.after) if inside else ((), ())
        described = describe_pool(
            pool.to_numpy(dtype=float).T, *counts, floor=not setting.panel.weighted
        )
        return estimate_from_pool(float(own[0]), control, described)
    if free is None:
        return _refuse_months(setting).name("expected_ratio_by_choice", unit="ratio")
    if selected.n >= SMALLEST_POOL:
        again = estimate_from_selected(selected)
        return replace(again, flags=(*again.flags, Flag.SELECTED_AGAIN))
    inside = free.keep(setting.pool)
    known = [own, *(setting.count_sites(on, setting.criterion) for on in setting.chosen_on)]
    columns = [inside.before, *inside.on]
    if setting.criterion == setting.outcome and setting.chosen_on[0] == window.before:
        known, columns = [known[0], *known[2:]], [columns[0], *columns[2:]]
    rows = np.column_stack(known)
    if not np.isfinite(rows).all():
        return _refuse_months(setting).name("expected_ratio_by_choice", unit="ratio")
    return estimate_from_regression(
        np.column_stack(columns),
        inside.after,
        rows[0].tolist(),
        rows[1].tolist() if setting.pair.control else None,
    )


def _select_in_archive(setting: _Setting, chosen: Estimate, size: Estimate) -> Selected:
    """Choose again among areas in which nothing was done, in this and earlier years."""
    own = setting.count_sites(setting.window.before, setting.outcome)
    if math.isnan(chosen.estimate) or math.isnan(size.estimate) or not (own > 0).all():
        return join_selected([])
    gap = math.log(own[1] / own[0]) if setting.pair.control else None
    wanted = min(size.estimate, chosen.n)
    place = round(1 + (chosen.estimate - 1) * (wanted - 1) / (chosen.n - 1))
    parts: list[Selected] = []
    shift = 0
    months = setting.panel.months
    first = min((*setting.window.before, *(m for on in setting.chosen_on for m in on)))
    while months and shift_month(first, shift) >= months[0]:
        free = setting.count_free(shift)
        if free is not None:
            parts.append(
                select_again(
                    free.criterion,
                    free.before,
                    free.after,
                    int(wanted),
                    place=place,
                    gap=gap,
                )
            )
        shift -= _YEAR
    return join_selected(parts)


def _place_by_choice(setting: _Setting) -> Estimate:
    """Find the place of the site by what it was chosen by."""
    frames = [setting.list_pool(on, setting.criterion) for on in setting.chosen_on]
    sums = [frame.sum(axis=0, skipna=False) for frame in frames]
    rows = pd.concat(sums, axis="columns", join="inner").to_numpy(dtype=float)
    values = _measure(tuple(rows.T))
    if math.isnan(values[0]):
        return _refuse_months(setting).name("observed_rank_chosen", unit="count")
    return _place_first(values, "observed_rank_chosen", setting)


def _place_first(values: Floats, estimator: str, setting: _Setting) -> Estimate:
    """Find the place of the first of these values among all, 1 for the highest."""
    known = values[np.isfinite(values)]
    if known.size < 2:
        return _NO_OTHER_AREA.name(estimator, unit="count")
    note = (
        f"1 is the highest of {known.size} areas ({setting.cohort.placebo.group_by}), the sites "
        "among them."
    )
    if isinstance(setting.cohort.chosen_from, int):
        note += " Which of them the site was chosen from is not known."
    place = 1.0 + int((known > values[0]).sum())
    return Estimate(estimator, place, unit="count", n=float(known.size), note=note)


def _count_pool(setting: _Setting, pool: pd.DataFrame) -> Estimate:
    stated = setting.cohort.chosen_from
    n = float(stated if isinstance(stated, int) else pool.shape[1])
    if n < 2:
        return _NO_OTHER_AREA.name("pool_size", unit="count")
    return Estimate("pool_size", n, unit="count")


def _find_own(setting: _Setting) -> float:
    """Return the log RIRR of the pair, NaN where a count is 0; without control, beside the pool."""
    window = setting.window
    before, after = (setting.count_sites(side, setting.outcome) for side in window.sides)
    if not (before.all() and after.all()):
        return math.nan
    logs = np.log(after / before)
    if setting.pair.control:
        return float(logs[0] - logs[1])
    free = setting.count_free()
    if free is None or not (free.before.sum() and free.after.sum()):
        return math.nan
    return float(logs[0] - math.log(free.after.sum() / free.before.sum()))


def _divide(own: float, expected: Estimate, setting: _Setting) -> Estimate:
    name, unit = "rirr_less_choice", "ratio"
    if not setting.pair.control:
        return _NO_CONTROL.name(name, unit=unit)
    if math.isnan(expected.estimate):
        return Estimate(name, unit=unit, note=expected.note, reason=expected.reason)
    if math.isnan(own):
        return _ZERO_COUNT.name(name, unit=unit)
    note = "The RIRR over the ratio to be expected from the choice alone."
    value = math.exp(own) / expected.estimate
    return Estimate(name, value, unit=unit, note=note, flags=(Flag.DESCRIPTION,))


def _turn_to_percent(ratio: Estimate) -> Estimate:
    ends = {end: 100 * (getattr(ratio, end) - 1) for end in ("estimate", "ci_low", "ci_high")}
    return replace(ratio, estimator="expected_change_by_choice", unit="percent", **ends)


def _average_ratios(ratios: Sequence[Estimate]) -> Estimate:
    name, unit = "expected_ratio_by_choice", "ratio"
    known = [ratio.estimate for ratio in ratios if not math.isnan(ratio.estimate)]
    if not known:
        return Estimate(name, unit=unit, note=ratios[0].note, reason=ratios[0].reason)
    note = f"The geometric mean over {len(known)} of {len(ratios)} pairs."
    left = (Flag.PAIRS_LEFT_OUT,) if len(known) < len(ratios) else ()
    mean = float(np.exp(np.mean(np.log(known))))
    return Estimate(name, mean, n=float(len(known)), unit=unit, note=note, flags=left)


def _flag(ratio: Estimate, setting: _Setting) -> Estimate:
    """Add to an expected ratio what is to be known of it."""
    choice, flags, said = setting.cohort.chosen_because, list(ratio.flags), [ratio.note]
    if math.isnan(ratio.estimate) or choice is None:
        return ratio
    periods = setting.cohort.periods
    if periods and len(setting.window.before) < len(periods.before.months):
        flags.append(Flag.FEWER_MONTHS)
        said.append("Some months of the period before have no count.")
    if not choice.outcome and len(setting.cohort.list_outcomes()) > 1:
        flags.append(Flag.OUTCOME_NOT_STATED)
        said.append("As if it was chosen by this outcome: cohort.yml does not say by which.")
    if len(setting.window.before) == 1:
        flags.append(Flag.SINGLE_MONTH)
        said.append("A single month shows nothing of how months vary among themselves.")
    return replace(ratio, flags=tuple(flags), note=" ".join(said))


def _refuse_months(setting: _Setting) -> Refusal:
    """Return why no area has all the months that the site was chosen by and is compared in."""
    read = setting.panel.months
    chosen = [month for months in setting.chosen_on for month in months]
    if set(chosen) <= set(read):
        note = "No area besides the sites has all the months of the choice and the comparison."
        return Refusal(Reason.TOO_FEW_AREAS, note)
    note = f"The choice rests on {min(chosen)} to {max(chosen)}; the files "
    note += f"hold {read[0]} to {read[-1]}." if read else "hold no month."
    return Refusal(Reason.OUTSIDE_FILES, note)


def _measure(on: tuple[Floats, ...]) -> Floats:
    """Return what areas are chosen by: a count, or its rise from the one that stands second."""
    return on[0] if len(on) == 1 else measure_rise(on[1], on[0])


def _find_pool(incidents: Incidents, cohort: Cohort) -> frozenset[str] | None:
    """Find the areas that the sites were chosen from; None where they were all of the archive."""
    stated = cohort.chosen_from
    if isinstance(stated, int) or stated == "force":
        return None
    areas = incidents.areas
    names = dict(zip(areas["area"], areas["name"], strict=True)) if len(areas) else {}
    if isinstance(stated, tuple):
        known = {str(name): str(key) for key, name in names.items()} | {key: key for key in names}
        unknown = [code for code in stated if code not in known]
        if unknown:
            found = f"areas that are not in the archive: {list_names(unknown, 5)}"
            raise InputError(_refuse_name(found, find_nearest(unknown[0], list(known))))
        return frozenset(known[code] for code in stated)
    inside = _list_authorities(cohort, {str(key): str(name) for key, name in names.items()})
    called = {key.casefold(): members for key, members in inside.items()}
    if stated.casefold() not in called:
        found = f"'{quote(stated)}' is no authority of the archive"
        raise InputError(_refuse_name(found, find_nearest(stated, list(inside))))
    return frozenset(called[stated.casefold()])


def _refuse_name(found: str, nearest: str) -> Problem:
    allowed = "Give 'force', an authority, a list of areas or how many areas there were"
    return Problem("cohort.yml", "key 'chosen_from'", found, allowed, nearest)


def _list_authorities(cohort: Cohort, names: dict[str, str]) -> dict[str, set[str]]:
    """List the areas of each authority, by its code and by its name."""
    inside: dict[str, set[str]] = {}
    lookup = read_lookup(cohort)
    lsoas = {str(code): str(name) for code, name in lookup["name"].items()}
    grouped = group_lsoas(cohort, lsoas)
    for column in ("authority", "authority_name"):
        for code, authority in lookup[column].items():
            if authority and grouped[str(code)] in names:
                inside.setdefault(str(authority), set()).add(grouped[str(code)])
    if not inside:
        for key, name in names.items():
            place = re.sub(r" \d{3}[A-Z]?$", "", name)
            if place != name:
                inside.setdefault(place, set()).add(key)
    return inside
