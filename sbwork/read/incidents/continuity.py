"""Months in which an incident file holds less, or something else, than in the months around it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import pdtr

from sbwork.read.checks import Check, CheckKind
from sbwork.read.incidents.counting import (
    PREFIXES,
    Coverage,
    Placed,
    judge_months,
    list_stretches,
    rename_kinds,
)
from sbwork.specs.documents import fold_name
from sbwork.specs.errors import list_names
from sbwork.specs.periods import join_some, name_months, number_month

__all__ = [
    "Continuity",
    "Gap",
    "check_continuity",
    "find_partial_months",
    "mark_published",
    "track_series",
]

FAR_BELOW = 0.5
"""A month is partly delivered if it holds less than this share of the months on either side."""

_SPREADS = 5.0
_CHANCE_OF_A_MONTH = 1e-5
_NEIGHBOURS = 6
_FARTHEST = 12
_FEWEST_NEIGHBOURS = 4

ASB = "anti-social behaviour"

RENAMED = {
    "violence and sexual offences": ("violent crime", "2013-05"),
    "public order": ("public disorder and weapons", "2013-05"),
    "possession of weapons": ("public disorder and weapons", "2013-05"),
    "bicycle theft": ("other theft", "2013-05"),
    "theft from the person": ("other theft", "2013-05"),
    "criminal damage and arson": ("other crime", "2011-09"),
    "drugs": ("other crime", "2011-09"),
    "other theft": ("other crime", "2011-09"),
    "public disorder and weapons": ("other crime", "2011-09"),
    "shoplifting": ("other crime", "2011-09"),
}
"""The type under which data.police.uk published a type before it stood by itself, and the month
from which it does: six types from December 2010, eleven from September 2011, fourteen from May
2013."""

_CEASED = {"violent crime": "2013-05", "public disorder and weapons": "2013-05"}

_STRAY = 0.01
_BY_CHANCE = 1e-5
_PRESENT_MONTHS = 12
_IMMATERIAL = 0.02
_CRIMES = "crimes"

Flags = npt.NDArray[np.bool_]
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Gap:
    """Months of one feed in which an outcome must count as missing, though there is a file.

    `partial` says that the months were delivered in part; else their crime types differ.
    """

    feed: str
    outcome: str
    months: tuple[str, ...]
    reason: str
    partial: bool = False


@dataclass(frozen=True)
class Continuity:
    """What must count as missing, and lines for the table of data quality, which count months."""

    gaps: tuple[Gap, ...] = ()
    quality: tuple[Check, ...] = ()


def track_series(placed: Placed) -> Continuity:
    """Check each feed's months for what can't be compared (see `check_continuity`).

    A month of counts made by others may stand with a zero, so feeds of such are not judged.
    """
    cohort, coverage, outcomes = placed.cohort, placed.coverage, placed.outcomes
    archives, counted = (
        {b.feed for reading in placed.readings if reading.style == style for b in reading.batches}
        for style in ("police-uk", "counts")
    )
    covered = {
        feed: [month for month, has in zip(coverage.span, row, strict=True) if has]
        for feed, row in zip(coverage.feeds, coverage.covered.tolist(), strict=True)
        if feed not in counted
    }
    renamed = [rename_kinds(source.crime_types) for source in cohort.incidents]
    members: dict[str, dict[str, float]] = {key: {} for key in outcomes.keys}
    for key, outcome in cohort.outcomes.items():
        members[key] = dict.fromkeys(outcome.crime_types, 1.0)
    for (source, kind, number), weight in outcomes.weights.items():
        members[outcomes.keys[number]][renamed[source].get(fold_name(kind), kind)] = weight
    keys = ["source", "feed", "kind", "month"]
    summed = placed.rows.groupby(keys, observed=True, as_index=False)["n"].sum()
    kinds = zip(summed["source"], summed["kind"], strict=True)
    counts = pd.DataFrame(
        {
            "feed": np.array(coverage.feeds, dtype=object)[summed["feed"]],
            "kind": [renamed[source].get(fold_name(kind), kind) for source, kind in kinds],
            "month": np.array(coverage.span, dtype=object)[summed["month"] - coverage.origin],
            "n": summed["n"],
        }
    )
    return check_continuity(
        counts,
        covered,
        members,
        titles={key: cohort.title_outcome(key) for key in outcomes.keys},
        compared=cohort.compared_months,
        archives=archives - counted,
        stretches=list_stretches(cohort, coverage),
        keep=cohort.periods.keep_months if cohort.periods else (),
    )


def mark_published(gaps: Iterable[Gap], outcomes: Sequence[str], coverage: Coverage) -> Flags:
    """Lay out which feed covers which outcome in which month, shape (n_feeds, n_outcomes, n_span).

    Each has what its feed has a file for, less the gaps.
    """
    published = np.repeat(coverage.covered[:, None, :], len(outcomes), axis=1)
    for gap in gaps:
        months = [month in gap.months for month in coverage.span]
        published[coverage.feeds.index(gap.feed), outcomes.index(gap.outcome), months] = False
    return published


def check_continuity(
    counts: pd.DataFrame,
    covered: Mapping[str, Collection[str]],
    outcomes: Mapping[str, Mapping[str, float]],
    *,
    titles: Mapping[str, str],
    compared: Collection[str],
    archives: Collection[str],
    stretches: Sequence[Collection[str]] = (),
    keep: Collection[str] = (),
) -> Continuity:
    """Find the months in which a feed's outcomes are not what they are in the others.

    Two things are looked for. A month far below its neighbours was probably delivered in part
    (see `find_partial_months`); crimes and anti-social behaviour are judged apart, as they come
    from different systems. And an outcome that holds other crime types in some months than in
    others is not one series: a type that starts, stops or pauses for the whole feed was not
    published then, and a type that stood under another name is looked for there.

    Parameters
    ----------
    counts : pandas.DataFrame
        Incidents of each feed, wherever they lie: columns ``feed``, ``kind`` (the crime type,
        under the name that the cohort gives it), ``month`` (YYYY-MM) and ``n``.
    covered : mapping of str to collection of str
        The months that each feed covers.
    outcomes : mapping of str to mapping of str to float
        The crime types of each outcome, with their weights.
    titles : mapping of str to str
        What readers call the outcomes.
    compared : collection of str
        The months that are compared; all if there are none. An outcome is what it is in most of
        them (in the later ones, of two that are as common); the other months are left out.
    archives : collection of str
        Feeds in the layout of data.police.uk. To these the months apply in which it changed its
        list of types, and partly delivered months of these are left out; of others, which may
        hold a few places only, they are mentioned and kept.
    stretches : sequence of collection of str
        Months that are judged by each other, each holding the one before it. What a longer one
        finds amiss in the months of a shorter one is mentioned, and kept.
    keep : collection of str
        Months that the cohort keeps, whatever is found amiss in them.

    Notes
    -----
    A type is silent in a run of months if the feed has none of it there (or not above 1% of its
    usual level) and chance would give so many empty months less than once in 100,000, at half
    the mean of the 12 nearest other months and with their over-dispersion (negative binomial of
    the first kind). Types that make up less than 2% of an outcome are mentioned, and
    the outcome is kept.

    """
    members = {
        key: {fold_name(kind): weight for kind, weight in kinds.items()}
        for key, kinds in outcomes.items()
    }
    gaps: list[Gap] = []
    kept: list[Gap] = []
    partial: dict[tuple[str, str, str], tuple[float, bool]] = {}
    done: set[str] = set()
    for stretch in stretches or [set().union(*covered.values())]:
        for feed, all_months in sorted(covered.items()):
            months = [month for month in sorted(all_months) if month in stretch]
            if not months:
                continue
            own = set(months) - done - set(keep)
            inside = counts[counts["month"].isin(months)]
            table = _Feed(feed, inside, months, feed in archives)
            for group, month, share in table.partial:
                left_out = feed in archives and month in own
                partial.setdefault((feed, month, group), (share, left_out))
            for key, kinds in members.items():
                found, immaterial = table.follow(key, kinds, set(compared))
                found += table.leave_partial(key, kinds)
                gaps += _trim(found, own)
                kept += _trim(immaterial, own)
                kept += _trim((gap for gap in found if not gap.partial), set(keep) - done)
        done |= set(stretch)
    compared = set(compared)
    quality = [*_note_partial(partial, compared)]
    changes = [gap for gap in gaps if not gap.partial]
    quality += _note_changes(changes, titles, compared, kept=False)
    quality += _note_changes(kept, titles, compared, kept=True)
    return Continuity(tuple(gaps), tuple(quality))


def _trim(gaps: Iterable[Gap], months: set[str]) -> Iterator[Gap]:
    for gap in gaps:
        kept = tuple(month for month in gap.months if month in months)
        if kept:
            yield replace(gap, months=kept)


def find_partial_months(counts: npt.ArrayLike, times: npt.ArrayLike) -> dict[int, float]:
    """Find months that hold far fewer incidents than the months around them.

    A month is flagged if it lies below half of the median of the (up to six) months before it
    and below half of the median of those after it, as far as there are any within a year; if that
    is more than five times the spread of the months within a year about such medians (1.4826
    times the median absolute deviation of the log ratios); if a Poisson count of that median would
    be as low less than once in 100,000; and if it lies below half of the next month on either side
    too. A lasting fall is not flagged, because the months after it are as low, nor one that comes
    or goes over some months, as in spring 2020. Flagged months are set aside and the rest is
    judged again until nothing is added.

    Parameters
    ----------
    counts : array_like, shape (n_months,)
        Incidents a month.
    times : array_like, shape (n_months,)
        The months, numbered with a step of 1 a month; gaps are allowed.

    Returns
    -------
    dict of int to float
        Position of each flagged month, and its share of the lower of the two medians. Empty
        where a month has fewer than four neighbours.

    Notes
    -----
    In 4,500 simulated series of 169 months without any such month (seasons of 30%, drift, months
    that vary by a log SD of .05 to .15 beyond Poisson, a fall by a third in April 2020) 7 months
    of 760,500 were flagged: 2 at 20 incidents a month, 5 at 100, none at 5, 1,000 or 20,000. Of
    months cut to a tenth 97% or more were found from 100 a month on (91% where it is the last
    month), about half at 20 and none at 5; of months cut to a third 21 to 66% from 100 on, the
    more the steadier the series; months cut to a half are hardly ever found, at most 2%
    (``tests/studies/sim_partial.py``, 300 series a row, seed 20180601).
    """
    values = np.asarray(counts, dtype=np.float64)
    months = np.asarray(times, dtype=np.float64)
    flagged: dict[int, float] = {}
    while True:
        whole = np.array([n not in flagged for n in range(values.size)], dtype=np.bool_)
        lower = np.array([_find_level(n, months, values, whole) for n in range(values.size)])
        ratios = np.log((values + 0.5) / (lower + 0.5))
        near = whole & np.isfinite(ratios) & (np.abs(months - months[:, None]) <= _FARTHEST)
        found = {
            n: float(values[n] / lower[n])
            for n in np.flatnonzero(ratios < math.log(FAR_BELOW)).tolist()
            if n not in flagged
            and ratios[n] < -_SPREADS * _measure_spread(ratios[near[n]])
            and float(pdtr(values[n], lower[n])) < _CHANCE_OF_A_MONTH
        }
        found = {
            n: share
            for n, share in found.items()
            if all(
                values[n] < FAR_BELOW * v for v in _list_next(n, months, values, {*found, *flagged})
            )
        }
        if not found:
            return dict(sorted(flagged.items()))
        flagged |= found


class _Feed:
    """The incidents of one feed: a row a crime type, a column a covered month."""

    def __init__(
        self, feed: str, counts: pd.DataFrame, months: Sequence[str], archive: bool
    ) -> None:
        own = counts[counts["feed"] == feed]
        table = (
            own.assign(kind=own["kind"].map(fold_name), n=own["n"].astype("float64"))
            .pivot_table(index="kind", columns="month", values="n", aggfunc="sum", fill_value=0.0)
            .reindex(columns=list(months), fill_value=0.0)
        )
        self.feed, self.months, self.archive = feed, tuple(months), archive
        self.counts = {str(k): row.to_numpy(dtype=np.float64) for k, row in table.iterrows()}
        self.times = np.array([number_month(m) for m in months], dtype=np.float64)
        self.titles = {fold_name(kind): str(kind).strip() for kind in dict.fromkeys(own["kind"])}
        self.silent: dict[str, Flags] = {}
        self.partial: list[tuple[str, str, float]] = []
        self._judge_crimes()
        self._judge_asb()
        atoms = [k for k in self.counts if k not in _CEASED]
        if archive:
            atoms += [k for k in RENAMED if k not in self.counts and k not in _CEASED]
        self.atoms = atoms
        self.places = {atom: [self._locate(atom, m) for m in range(len(months))] for atom in atoms}

    def _judge_crimes(self) -> None:
        crimes = [kind for kind in self.counts if kind != ASB]
        if not crimes:
            return
        found = find_partial_months(np.sum([self.counts[k] for k in crimes], axis=0), self.times)
        self.partial += [(_CRIMES, self.months[n], share) for n, share in found.items()]
        for kind in crimes:
            self.silent[kind] = self._find_silence(kind, list(found))

    def _judge_asb(self) -> None:
        if ASB not in self.counts:
            return
        self.silent[ASB] = self._find_silence(ASB, [])
        there = np.flatnonzero(~self.silent[ASB])
        found = find_partial_months(self.counts[ASB][there], self.times[there])
        self.partial += [(ASB, self.months[there[n]], share) for n, share in found.items()]

    def _find_silence(self, kind: str, excused: Sequence[int]) -> Flags:
        """Find the months in which a type was not published; partly delivered ones are excused."""
        values = self.counts[kind]
        usual = float((values**2).sum() / values.sum()) if values.sum() else 0.0
        some = values > _STRAY * usual
        quiet = ~some
        quiet[list(excused)] = False
        silent = np.zeros(values.size, dtype=np.bool_)
        at = np.arange(values.size)
        for start, end in _list_runs(quiet):
            away = np.maximum(start - at, at - end)
            near = np.flatnonzero(away > 0)
            nearest = near[np.argsort(away[near], kind="stable")][:_PRESENT_MONTHS]
            level = float(values[nearest].mean()) / 2 if nearest.size else 0.0
            factor = _measure_dispersion(values[np.sort(nearest)])
            rate = level * (math.log(factor) / (factor - 1) if factor > 1 else 1.0)
            if math.exp(-rate * (end - start + 1)) < _BY_CHANCE:
                silent[start : end + 1] = True
        if self.archive:
            since = RENAMED.get(kind, ("", ""))[1]
            until = _CEASED.get(kind, "9999-12")
            silent |= np.array([not since <= m < until for m in self.months]) & ~some
        return silent

    def _locate(self, atom: str, month: int) -> str:
        """Name the type that holds an offence in a month; empty where none does."""
        kind, name = atom, self.months[month]
        while kind not in self.counts or self.silent[kind][month]:
            holder, start = RENAMED.get(kind, ("", ""))
            if not self.archive or not holder or name >= start:
                return ""
            kind = holder
        return kind

    def leave_partial(self, key: str, kinds: Mapping[str, float]) -> Iterator[Gap]:
        """Leave out partly delivered months of an archive."""
        if not self.archive:
            return
        months = sorted(
            {
                month
                for group, month, _ in self.partial
                if (group == ASB and ASB in kinds) or (group != ASB and set(kinds) - {ASB})
            }
        )
        if months:
            yield Gap(self.feed, key, tuple(months), "partly delivered", partial=True)

    def follow(
        self, key: str, kinds: Mapping[str, float], compared: set[str]
    ) -> tuple[list[Gap], list[Gap]]:
        """Find the months in which an outcome holds other offences than in most."""
        held = [
            frozenset(atom for atom in self.atoms if self._counts(atom, m, kinds))
            for m in range(len(self.months))
        ]
        chosen = [m for m, month in enumerate(self.months) if month in compared and held[m]]
        chosen = chosen or [m for m in range(len(self.months)) if held[m]]
        if not chosen:
            rows = sum(float(values.sum()) for values in self.counts.values())
            by_chance = not self.archive or math.exp(-_STRAY * rows) > _BY_CHANCE
            why = "none of its crime types was published then"
            return [] if by_chance else [Gap(self.feed, key, self.months, why)], []
        common = Counter(held[m] for m in chosen)
        last = {what: m for m, what in enumerate(held) if m in set(chosen)}
        usual = max(common, key=lambda what: (common[what], last[what]))
        others: dict[frozenset[str], list[int]] = {}
        for m, what in enumerate(held):
            if what != usual:
                others.setdefault(what, []).append(m)
        gaps: list[Gap] = []
        kept: list[Gap] = []
        for what, where in others.items():
            months = tuple(self.months[m] for m in where)
            gap = Gap(self.feed, key, months, self._explain(usual, what, where[-1]))
            (kept if self._weigh(usual ^ what, usual) < _IMMATERIAL else gaps).append(gap)
        return gaps, kept

    def _counts(self, atom: str, month: int, kinds: Mapping[str, float]) -> bool:
        """Say whether an outcome holds an offence in a month, with its own weight if it has one."""
        weight = kinds.get(self.places[atom][month])
        return weight is not None and weight == kinds.get(atom, weight)

    def _weigh(self, some: frozenset[str], usual: frozenset[str]) -> float:
        """Take the monthly level of some types as a share of an outcome's; infinite if unknown."""

        def _measure(atoms: frozenset[str]) -> float:
            total = 0.0
            for atom in atoms:
                apart = np.array([place == atom for place in self.places[atom]], dtype=np.bool_)
                if not apart.any():
                    return math.inf
                total += float(self.counts[atom][apart].mean())
            return total

        whole = _measure(usual)
        part = _measure(some)
        return part / whole if math.isfinite(part) and 0 < whole < math.inf else math.inf

    def _explain(self, usual: frozenset[str], held: frozenset[str], month: int) -> str:
        said = []
        inside: dict[str, list[str]] = {}
        for atom in sorted(usual - held):
            inside.setdefault(self.places[atom][month], []).append(self._title(atom))
        for holder, names in inside.items():
            if holder:
                said.append(f"{list_names(names, 4)} stood within '{self._title(holder)}' then")
                sharing = {atom for atom in self.atoms if self.places[atom][month] == holder}
                if sharing <= usual:
                    said[-1] += f" (name '{self._title(holder)}' among its crime types too)"
            else:
                verb = "was" if len(names) == 1 else "were"
                said.append(f"{list_names(names, 4)} {verb} not published then")
        gained: dict[str, list[str]] = {}
        for atom in sorted(held - usual):
            gained.setdefault(self.places[atom][month], []).append(self._title(atom))
        for holder, names in gained.items():
            if holder in {fold_name(name) for name in names}:
                said.append(f"{list_names(names, 4)} was published only then")
            else:
                said.append(f"'{self._title(holder)}' held {list_names(names, 4)} as well then")
        return "; ".join(said)

    def _title(self, kind: str) -> str:
        return self.titles.get(kind, kind[:1].upper() + kind[1:])


def _find_level(at: int, times: Array, values: Array, whole: Flags) -> float:
    """Take the lower of the medians of the months before and after; NaN where they are few."""
    away = times - times[at]
    near = np.flatnonzero(whole & (away != 0) & (np.abs(away) <= _FARTHEST))
    parts = (near[away[near] < 0][-_NEIGHBOURS:], near[away[near] > 0][:_NEIGHBOURS])
    if sum(part.size for part in parts) < _FEWEST_NEIGHBOURS:
        return math.nan
    return min(float(np.median(values[part])) for part in parts if part.size)


def _measure_spread(ratios: Array) -> float:
    return 1.4826 * float(np.median(np.abs(ratios - np.median(ratios))))


def _list_next(at: int, times: Array, values: Array, flagged: Collection[int]) -> list[float]:
    """List the values of the next month on each side that is not flagged, within a year."""
    sides = (range(at - 1, -1, -1), range(at + 1, times.size))
    found = (next((n for n in side if n not in flagged), at) for side in sides)
    return [float(values[n]) for n in found if 0 < abs(times[n] - times[at]) <= _FARTHEST]


def _measure_dispersion(values: Array) -> float:
    """Estimate variance over mean from successive differences, so that drift does not count."""
    if values.size < 3 or not values.mean():
        return 1.0
    return max(1.0, float(np.mean(np.diff(values) ** 2) / 2 / values.mean()))


def _list_runs(flags: Flags) -> Iterator[tuple[int, int]]:
    """List the first and last position of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    for start, end in edges.reshape(-1, 2).tolist():
        yield start, end - 1


def _note_partial(
    found: Mapping[tuple[str, str, str], tuple[float, bool]], compared: set[str]
) -> Iterator[Check]:
    by_row: dict[tuple[str, CheckKind], dict[str, list[str]]] = {}
    for (feed, month, group), (share, left_out) in sorted(
        found.items(), key=lambda item: item[0][:2]
    ):
        kind = judge_months([month], compared) if left_out else CheckKind.DOUBT
        months = by_row.setdefault((feed, kind), {})
        months.setdefault(month, []).append(f"{group} {share:.0%}")
    for (feed, kind), months in by_row.items():
        shares = [f"{month} ({', '.join(what)})" for month, what in sorted(months.items())]
        check, end = "month perhaps partly delivered", "Kept all the same"
        if kind != CheckKind.DOUBT:
            check = f"{PREFIXES[kind]}month partly delivered"
            end = "Set aside: missing, no fall. 'periods: keep_months:' keeps a month"
        note = (
            f"'{feed}' holds far fewer rows than in the months around it, as a share of them: "
            f"{join_some(shares)}, as if delivered in part. {end}"
        )
        yield Check(kind, check, float(len(months)), note)


def _note_changes(
    gaps: Sequence[Gap], names: Mapping[str, str], compared: set[str], *, kept: bool
) -> Iterator[Check]:
    """Describe changes once for all feeds that share them."""
    alike: dict[tuple[str, str, str, str], list[Gap]] = {}
    for gap in gaps:
        alike.setdefault((gap.outcome, gap.reason, gap.months[0], gap.months[-1]), []).append(gap)
    for (outcome, reason, _, _), group in alike.items():
        feeds = sorted(gap.feed for gap in group)
        months = sorted({month for gap in group for month in gap.months})
        kind = CheckKind.DOUBT if kept else judge_months(months, compared)
        check, end = "crime types change a little", "Counted all the same"
        if not kept:
            check, end = f"{PREFIXES[kind]}crime types change", "Missing, not zero"
        where = f"{names[outcome]} of {list_names(feeds, 4)} in {name_months(months)}"
        yield Check(kind, check, float(len(months)), f"{where}: {reason}. {end}")
