"""What may be shown: small groups hidden, and whatever would give them back."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sbwork.compare.surveys import adjust_p_values
from sbwork.grade.releases import (
    Earlier,
    Release,
    compare_releases,
    deduce,
    find_corrected,
    find_given_away,
    join_reorganised,
    lay_out,
)
from sbwork.grade.suppression import Moments, hide_cells
from sbwork.specs.cohort import Cohort, Pair
from sbwork.specs.periods import shift_month
from sbwork.stats import Flag, Reason

__all__ = ["Ledger", "describe_held", "list_held_back", "suppress_findings"]

_PEOPLE = ("scales", "scores", "reliability", "weights")
_MODELS = ("invariance", "mechanism")
"""Sections whose models leave out sites and waves of few people."""
_INCIDENTS = ("choice", "counts", "panel", "placebo", "specification")
_WAVES = ("before", "after")
_GROUPS = ("intervention", "control")
_NUMBERS = (
    "estimate",
    "ci_low",
    "ci_high",
    "p_value",
    "p_adjusted",
    "se",
    "statistic",
    "df",
    "n",
)
_COMPLETE = (
    "mean_complete_cases",
    "alpha",
    "omega_total",
    "item_rest_correlation",
    "alpha_if_dropped",
)
_LOST = "attrition_share"
_LINKED = ("ancova", "attrition_difference")
_MEANS = ("mean", "mean_complete_cases")
_COUNTED = ("n", "n_scored", "n_unscored", "share_prorated", _LOST, "attrition_difference")
_DIFFERENCES = (
    "mean_difference",
    "mean_difference_people",
    "mean_difference_student",
    "difference_in_differences",
    "difference_in_differences_with_shock",
)
"""Figures that don't follow from how far scores spread; only their precision does."""
_ENOUGH_TO_SHOW_WIDTH = 100
_ROUNDED_NOTE = "Rounded, and without the number of people, which would give back a hidden one."

Cell = tuple[str, ...]
"""What is counted, of which scale or category, at which site, in which wave."""


@dataclass
class Ledger:
    """Numbers of people that are shown or could be worked out, and the sums that tie them.

    counts: How many people each cell holds.
    links: Cells with their factors, whose sum is 0.
    cost: What hiding a cell costs; cells without a cost are never shown.
    sums: The sum and the sum of squares of the scores in a cell.
    measures: Cells that are sums of scores, not of people.
    earlier: What readers know from published reports.
    withheld: Cells that are never shown, beside those without a cost.
    """

    counts: dict[Cell, float] = field(default_factory=dict)
    links: list[dict[Cell, float]] = field(default_factory=list)
    cost: dict[Cell, float] = field(default_factory=dict)
    sums: dict[Cell, tuple[float, float, float, float]] = field(default_factory=dict)
    measures: set[Cell] = field(default_factory=set)
    earlier: Sequence[Earlier] = ()
    withheld: set[Cell] = field(default_factory=set)
    _hidden: dict[int, frozenset[Cell]] = field(default_factory=dict)
    _alone: dict[int, frozenset[Cell]] = field(default_factory=dict)

    def count(self, cell: Cell, number: float, cost: float = 0.0) -> None:
        """Enter how many people a cell holds; a cost says that it would be shown."""
        self.counts.setdefault(cell, number)
        if cost:
            self.cost[cell] = self.cost.get(cell, 0.0) + cost

    def link(self, total: Cell, parts: Iterable[Cell]) -> None:
        """Enter that parts add up to a total, where all are known and do."""
        line: dict[Cell, float] = {total: -1.0}
        for part in parts:
            line[part] = line.get(part, 0.0) + 1.0
        self.link_exactly(line)

    def link_exactly(self, line: dict[Cell, float]) -> None:
        """Enter factors whose sum over the cells is 0; nothing where a cell is not known."""
        self.links.append(line)

    def split(self, total: Cell, part: Cell, rest: Cell) -> None:
        """Enter that whoever of a group is not in one part is in the rest, if it is a part."""
        if self.counts[part] <= self.counts[total]:
            self.count(rest, self.counts[total] - self.counts[part])
            self.link(total, (part, rest))

    def find_small(self, smallest: int) -> frozenset[Cell]:
        """Find the cells with so few people that they are hidden for their own sake."""
        return frozenset(
            cell
            for cell, n in self.counts.items()
            if 1 <= n < smallest and cell not in self.measures
        )

    def _list_relations(self, at: Mapping[Cell, int]) -> NDArray[np.float64]:
        """Lay out the sums that hold, a row each, a column a cell."""
        rows = []
        for line in self.links:
            known = line.keys() <= self.counts.keys()
            if known and abs(sum(f * self.counts[cell] for cell, f in line.items())) < 1e-6:
                row = np.zeros(len(at))
                for cell in line.keys() & at.keys():
                    row[at[cell]] = line[cell]
                rows.append(row)
        return np.array(rows).reshape(len(rows), len(at))

    def hide(self, smallest: int) -> frozenset[Cell]:
        """Choose the cells to hide; the choice stays, whatever is entered later.

        Cells that hold nobody are never hidden: a reader would guess so.
        """
        if smallest not in self._hidden:
            self._alone[smallest] = chosen = self._choose(smallest)
            if self.earlier:
                chosen = self._compare(smallest, chosen)
            self._hidden[smallest] = chosen
        return self._hidden[smallest]

    def hide_alone(self, smallest: int) -> frozenset[Cell]:
        """Choose the cells that would be hidden if no report had been published."""
        self.hide(smallest)
        return self._alone[smallest]

    def lay_out(self, smallest: int) -> dict[str, Any]:
        """Lay out what a reader knows, to be compared with later reports."""
        return lay_out(self.counts, self.cost.keys() - self.hide(smallest), self.links)

    def list_given_away(self, smallest: int) -> list[Cell]:
        """List small groups that published reports give away already, whatever is hidden now."""
        known = [{c for c, n in each.known.items() if n == self.counts.get(c)}
                 for each in self.earlier]  # fmt: skip
        either = set().union(*known)
        moved = {
            cell
            for cell in either
            for each in self.earlier
            if 1 <= abs(each.known.get(cell, self.counts[cell]) - self.counts[cell]) < smallest
        }
        few = {cell for cell in either - self.measures if 1 <= self.counts[cell] < smallest}
        return sorted((few | moved) & self.cost.keys())

    def _compare(self, smallest: int, alone: frozenset[Cell]) -> frozenset[Cell]:
        """Choose what to hide so that releases, too, give nothing back."""
        guarded: dict[Cell, tuple[float, float]] = {}
        unseen = [{c for link in each.links for c in link} - each.known.keys()
                  for each in self.earlier[::-1]]  # fmt: skip
        patterns = [alone, *unseen]
        joined = list(join_reorganised(self.counts, self.earlier, smallest))
        for number, (cells, total) in enumerate(joined):
            union: Cell = ("joined", str(number))
            self.count(union, sum(self.counts[cell] for cell in cells))
            self.link(union, cells)
            self.earlier = [*self.earlier, Earlier({union: total})]
        while True:
            chosen = self._choose(smallest, guarded, patterns)
            shown = {c: self.counts[c] for c in self.counts if c in self.cost and c not in chosen}
            seen = deduce(shown, [link for link in self.links if link.keys() <= self.counts.keys()])
            given = {
                cell
                for each in self.earlier
                for cell in find_given_away(each, seen, smallest)
                if cell not in guarded and cell in self.counts
            }
            if not given:
                return chosen
            for cell in given:
                few = smallest - 1.0
                guarded[cell] = (self.counts[cell] - few, self.counts[cell] + few)

    def _choose(
        self,
        smallest: int,
        guarded: Mapping[Cell, tuple[float, float]] | None = None,
        patterns: Iterable[Collection[Cell]] = (),
    ) -> frozenset[Cell]:
        cells = [cell for cell, number in self.counts.items() if number]
        at = {cell: number for number, cell in enumerate(cells)}
        known = [self.sums.get(cell, (math.nan,) * 4) for cell in cells]
        moments = Moments(*np.array(known, dtype=np.float64).reshape(-1, 4).T)
        counts = np.array([self.counts[cell] for cell in cells])
        withheld = self.withheld if guarded is not None else ()
        hidden = hide_cells(
            counts,
            self._list_relations(at),
            smallest,
            people=[cell not in self.measures for cell in cells],
            unpublished=[cell not in self.cost or cell in withheld for cell in cells],
            cost=[self.cost.get(cell, 0.0) + math.log2(abs(n) + 2) for cell, n in
                  zip(cells, counts, strict=True)],
            moments=moments,
            beliefs=None if guarded is None else compare_releases(
                cells, self.counts, self.earlier, smallest, guarded, patterns),
        )  # fmt: skip
        return frozenset(cell for cell, away in zip(cells, hidden, strict=True) if away)


@dataclass(frozen=True, slots=True)
class _Basis:
    """What a figure rests on: it goes with any of `rests`, its numbers of people with `tells`."""

    rests: tuple[Cell, ...] = ()
    tells: tuple[Cell, ...] = ()


def suppress_findings(
    findings: pd.DataFrame,
    cohort: Cohort,
    ledger: Ledger | None = None,
    months: Ledger | None = None,
    releases: Sequence[Release] = (),
) -> pd.DataFrame:
    """Hide every figure that rests on a small group, or that would give one back.

    Parameters
    ----------
    findings : pandas.DataFrame, columns `findings.RESULT_COLUMNS`
        Findings of all sections.
    cohort : Cohort
        ``smallest_group`` (people, 10 by default) and ``smallest_count`` (incidents; 1 by
        default, which hides none), and who is paired with whom.
    ledger : Ledger, optional
        Whatever else is shown of the same people: sums of scores, numbers of a file, answers to
        single questions. What has to be hidden of it is not returned; ask `Ledger.hide`.
    months : Ledger, optional
        The same for incidents: counts of months and of the periods that they add up to.
    releases : sequence of Release, optional
        Published reports: a figure that would give a small group away with one is held back.

    Returns
    -------
    pandas.DataFrame
        A copy; in hidden rows every number is NaN and the note says so. Nothing else changes.

    Notes
    -----
    Every number of people in the sections scales, scores, reliability and weights is a cell, and so
    are those that follow from them: who was asked and has no score, who left an item out, who was
    lost between the waves. Sites add up to groups, waves to all. Cells of 1 to ``smallest_group`` -
    1 people are hidden, and others, until what is shown leaves each of them open (`hide_cells`). A
    figure is hidden with any group it rests on; where only a number of people beside it has to go,
    it is rounded and stays.

    Of incidents, a count from 1 to ``smallest_count`` - 1 is hidden with every figure built on it,
    pooled ones included. Outcomes that are sums of other outcomes are not looked for: with a
    ``smallest_count`` above 1, don't define such outcomes.

    References
    ----------
    Hundepool, A., et al. (2012). Statistical Disclosure Control. Wiley, chapter 4.

    Examples
    --------
    >>> from sbwork.stats import Estimate
    >>> from sbwork.stats.findings import Finding, tabulate_findings
    >>> few = Estimate("mean", 3.5, n=4, unit="points")
    >>> rows = tabulate_findings([Finding("scales", "trust", "a", few, period="before")])
    >>> suppress_findings(rows, Cohort(name="pilot"))["note"].tolist()
    ['Hidden: fewer than 10 people, or a number that would give such a one back.']
    """
    book = Ledger() if ledger is None else ledger
    bases = _enter_findings(book, findings, cohort)
    spans = {cell: high - low for cell, (_, _, low, high) in book.sums.items()}
    book.withheld |= find_corrected(findings, releases, spans, cohort.smallest_group)
    for link in book.links:
        total, *parts = link
        if any(part in book.withheld and part[:2] == total[:2] for part in parts):
            book.withheld.add(total)
    return _hide_findings(findings, cohort, bases, book, months, releases)


def _enter_findings(book: Ledger, findings: pd.DataFrame, cohort: Cohort) -> dict[int, _Basis]:
    """Enter every number of people that findings give; return what each row rests on."""
    people = findings[findings["section"].isin(_PEOPLE)]
    compared = people["section"].eq("scales") & people["period"].eq("change")
    single = people[people["comparison"].eq("") & (~compared | people["estimator"].eq(_LOST))]
    row: Any
    bases: dict[int, _Basis] = {}
    for row in single.itertuples():
        bases[row.Index] = _enter_row(book, row)
    models = findings[findings["section"].isin([*_MODELS, "sample"])]
    for row in models[models["section"] == "sample"].itertuples():
        counted = None if math.isnan(row.estimate) else _enter_flow(book, row, cohort)
        if counted is not None:
            bases[row.Index] = counted
    answered = {
        scale: _list_answered(people, scale) for scale in people["outcome"].unique().tolist()
    }
    _link_totals(book, cohort, answered)
    _link_categories(book)
    categories = [cell for cell in book.counts if cell[0] == "category"]
    singles = [cell for cell, n in book.counts.items() if n == 1 and cell[0] == "scored"]
    for row in people.itertuples():
        if row.section == "weights" and "/" not in row.outcome:
            # The share of each category follows from the size of the weights and the targets.
            shares = [cell for cell in categories if cell[2:] == (row.site, row.period)]
            bases[row.Index] = _Basis(tuple(shares), bases[row.Index].tells)
        change = row.section == "scales" and (row.comparison or row.period == "change")
        if change and row.estimator != _LOST:
            bases[row.Index] = _find_compared(book, row, cohort, answered[row.outcome])
        if row.section in ("scales", "scores") and row.estimator not in _COUNTED:
            bases[row.Index] = _add_places(book, row, cohort, categories, bases[row.Index])
        if row.section == "scales" and row.site in (*_GROUPS, "all"):
            # A pair left out of a group because one person answered tells of that one.
            alone = [cell for cell in singles if cell[1] == row.outcome]
            bases[row.Index] = _Basis((*bases[row.Index].rests, *alone), bases[row.Index].tells)
    for row in models.itertuples():
        if row.Index not in bases:
            bases[row.Index] = _enter_model(book, row, cohort)
    return bases


def _enter_flow(book: Ledger, row: Any, cohort: Cohort) -> _Basis | None:
    """Enter what one row of the sample counts: people, or those of a category; None for others."""
    place = (row.site, row.period)
    asked, used, scored = ((kind, "", *place) for kind in ("asked", "used", "scored at all"))
    if row.estimator == "n_answered":
        book.count(asked, row.estimate, _worth(row.site))
        return _Basis((asked,))
    if row.estimator in ("n_used", "n_scored"):
        whole, part = (asked, used) if row.estimator == "n_used" else (used, scored)
        _split(book, whole, part, ("not", *part), row.estimate, 0.1)
        return _Basis((part,))
    if row.estimator == "n_linked":
        stayed = ("stayed", "", *place)
        book.count(stayed, row.estimate, 0.1)
        return _Basis((stayed,))
    if row.estimator in ("n_invited", "response_rate"):
        return _Basis(() if row.estimator == "n_invited" else (asked,))
    if row.estimator == "share" and "/" in row.outcome:
        sites = _list_members(row.site, cohort)
        parts = _keep_known(book, [("asked", "", site, row.period) for site in sites])
        book.count(asked, sum(book.counts[part] for part in parts), 0.1)
        category = ("category", row.outcome, *place)
        book.count(category, row.n, 1.0)
        return _Basis((category, asked))
    return None


def _enter_model(book: Ledger, row: Any, cohort: Cohort) -> _Basis:
    """Enter how many people a figure rests on, beside those who were asked and have a score.

    A model of many sites gives none of them back by itself; what compares sites rests on each.
    """
    scale = row.outcome.partition("/")[0]
    sites = dict.fromkeys(
        name for site in (row.site, row.comparison) for name in _list_members(site, cohort) if site
    )
    waves = (row.period,) if row.period in _WAVES else _WAVES
    if row.estimator.endswith(("_lower", "_upper")):
        waves = waves if "invited" in row.estimator else ("before",)
    places = [*product(sites, waves)]
    asked, scored, complete = (
        _keep_known(book, [(kind, name, *place) for place in places])
        for kind, name in (("asked", ""), ("scored", scale), ("complete", scale))
    )
    rests = scored or asked
    if row.section in _MODELS:
        rests = tuple(cell for cell in rests if book.counts[cell] >= cohort.smallest_group)
        rests = rests if row.period == "change" else ()
    if math.isnan(row.n):
        return _Basis(rests)
    cell: Cell = (row.section, scale, row.site, row.period)
    if book.counts.get(cell, row.n) != row.n:
        cell = (row.section, row.outcome, row.site, row.comparison, row.period, row.estimator)
    book.count(cell, row.n, 0.05)
    whole = row.estimator.endswith("_complete_cases")
    for parts in (asked, scored, *([complete] if whole else [])):
        left = sum(book.counts[part] for part in parts) - row.n
        if left >= 0 and parts:
            rest = ("beside", parts[0][0], *cell)
            book.count(rest, left)
            book.link_exactly({cell: 1.0, rest: 1.0} | dict.fromkeys(parts, -1.0))
    return _Basis(rests, (cell,))


def _add_places(
    book: Ledger, row: Any, cohort: Cohort, categories: Iterable[Cell], basis: _Basis
) -> _Basis:
    """Add what a figure tells of each place that it takes in.

    A group may be one site, or one with others that are shown; degrees of freedom follow from the
    sizes of the categories that weights were raked on.
    """
    sites = {
        name
        for site in (row.site, row.comparison)
        for name in _list_members(site, cohort)
        if site or row.section == "scores"
    }
    waves = (row.period,) if row.period in _WAVES else _WAVES
    cells = tuple(cell for cell in categories if cell[2] in sites and cell[3] in waves)
    rests, tells = [*basis.rests], [*basis.tells, *cells]
    if row.estimator == "smallest_detectable_difference":
        rests, tells = [*rests, *cells], [*basis.tells]
    for kind in ("sum", "squares"):
        inside = _keep_known(
            book, [(kind, row.outcome, site, wave) for site in sites for wave in waves]
        )
        precise = kind == "squares" and row.estimator in (*_DIFFERENCES, *_MEANS)
        (tells if precise else rests).extend(inside)
    return _Basis(tuple(rests), tuple(tells))


def _enter_row(book: Ledger, row: Any) -> _Basis:
    """Enter what one row tells of one group of people."""
    place = (row.site, row.period)
    scale = row.outcome.partition("/")[0]
    scored, asked = ("scored", scale, *place), ("asked", "", *place)
    n = 0.0 if math.isnan(row.n) else row.n
    if row.section == "weights":
        return _enter_weight(book, row, asked, n)
    if row.estimator == _LOST:
        known, lost, stayed = ((kind, "", *place) for kind in ("known", "lost", "stayed"))
        book.count(known, n, 1)
        _split(book, known, lost, stayed, _count_part(row), 1)
        before = ("asked", "", row.site, "before")
        if before in book.counts:
            book.split(before, known, ("nameless", *before[1:]))
        return _Basis((lost,), (known,))
    if row.estimator in ("n_scored", "n_unscored"):
        with_score, unscored = ("scored", scale, *place), ("unscored", scale, *place)
        number = row.estimate if row.estimator == "n_scored" else n - row.estimate
        book.count(asked, n, 0.1)
        book.count(with_score, number, _worth(row.site) * (row.estimator == "n_scored"))
        _split(book, asked, unscored, with_score, n - number, row.estimator == "n_unscored")
        return _Basis((with_score if row.estimator == "n_scored" else unscored,), (asked,))
    if row.estimator in _COMPLETE:
        complete = ("complete", scale, *place)
        if book.counts.get(complete, n) != n:
            complete = (f"complete for {row.estimator}", row.outcome, *place)
        book.count(complete, n, 1)
        if scored in book.counts:
            _split(book, scored, ("incomplete", *complete[1:]), complete,
                   book.counts[scored] - n, 0)  # fmt: skip
        whole = row.estimator == "mean_complete_cases"
        return _Basis((scored, complete), ()) if whole else _Basis((scored,), (complete,))
    if row.unit == "share":
        part, rest = (row.estimator, row.outcome, *place), ("rest", row.estimator, scale, *place)
        book.count(scored, n, 1)
        _split(book, scored, part, rest, _count_part(row), 1)
        return _Basis((scored, part))
    book.count(scored, row.estimate if row.estimator == "n" else n, _worth(row.site))
    return _Basis((scored,))


def _worth(site: str) -> float:
    """Return what hiding a score costs: a group of sites is lost with any of them anyway."""
    return 2.0 if site in (*_GROUPS, "all") else 5.0


def _enter_weight(book: Ledger, row: Any, asked: Cell, n: float) -> _Basis:
    if "/" not in row.outcome:
        book.count(asked, n, 0.1)
        return _Basis((), (asked,))
    category = ("category", row.outcome, row.site, row.period)
    book.count(category, n, 1)
    told = (category,) if row.estimator == "target_share" else ()
    return _Basis(() if told else (category,), (*told, asked))


def _split(book: Ledger, total: Cell, part: Cell, rest: Cell, number: float, cost: float) -> None:
    """Enter a part of a group, and the rest that follows from it."""
    book.count(part, number, cost)
    book.split(total, part, rest)


def _count_part(row: Any) -> float:
    return 0.0 if math.isnan(row.estimate) or math.isnan(row.n) else round(row.estimate * row.n)


def _link_totals(
    book: Ledger, cohort: Cohort, answered: Mapping[str, Collection[tuple[str, str]] | None]
) -> None:
    """Tie every group of sites or waves to the sites and waves that it takes in."""
    for cell in list(book.counts):
        if len(cell) != 4:
            continue
        kind, name, site, period = cell
        sites = _list_members(site, cohort, answered.get(name), period)
        waves = _WAVES if period in ("", "all") else (period,)
        parts = [(kind, name, each, wave) for each, wave in product(sites, waves)]
        if parts == [cell]:
            continue
        known = [part for part in parts if part in book.counts]
        book.link(cell, known)
        if all(part in book.sums for part in known) and known:
            sums = np.array([book.sums[part] for part in known])
            book.sums[cell] = (*sums[:, :2].sum(axis=0), *sums[0, 2:])


def _link_categories(book: Ledger) -> None:
    """Tie the categories of a column to those who were asked; who left it blank is the rest."""
    columns: dict[Cell, list[Cell]] = {}
    for cell in book.counts:
        if cell[0] == "category":
            columns.setdefault((cell[1].partition("/")[0], *cell[2:]), []).append(cell)
    for (column, *place), cells in columns.items():
        asked, blank = ("asked", "", *place), ("blank", column, *place)
        if asked in book.counts:
            book.count(blank, book.counts[asked] - sum(book.counts[cell] for cell in cells))
            book.link(asked, (*cells, blank))


def _list_answered(people: pd.DataFrame, scale: str) -> set[tuple[str, str]] | None:
    """List the sites and waves with two scores or more; None where scales have nothing to do."""
    rows = people[
        (people["section"] == "scales")
        & (people["outcome"] == scale)
        & (people["estimator"] == "n")
    ]
    if rows.empty:
        return None
    enough = rows[rows["estimate"] > 1]
    return set(zip(enough["site"], enough["period"], strict=True))


def _list_members(
    site: str,
    cohort: Cohort,
    answered: Collection[tuple[str, str]] | None = None,
    period: str = "",
) -> Collection[str]:
    """List the sites of a group; of scales, only those of the pairs that are compared."""
    if site in ("", "all"):
        return tuple(cohort.sites)
    if site not in _GROUPS:
        return (site,)
    pairs: Collection[Pair] = cohort.pairs
    if answered is not None:
        pairs = cohort.list_surveyed_pairs(answered, period if period in _WAVES else "")
    return dict.fromkeys(name for pair in pairs if (name := getattr(pair, site)))


def _find_compared(
    book: Ledger, row: Any, cohort: Cohort, answered: Collection[tuple[str, str]] | None
) -> _Basis:
    """Find the groups that a change or a difference between sites rests on."""
    sites = {row.site, row.comparison} - {""}
    sides = _GROUPS if row.site == "all" else (row.site,)
    # The mean over people and the mean of the sites together would give back two hidden sites.
    if row.site == "all" or row.estimator == "mean_difference_people":
        sites |= {name for side in sides for name in _list_members(side, cohort, answered)}
    members = {name for site in sites for name in _list_members(site, cohort, answered)}
    linked = [
        cell
        for site in members
        for cell in (
            ("lost", "", site, "change"),
            ("stayed", "", site, "change"),
            ("twice", row.outcome, site),
            ("not twice", row.outcome, site),
        )
        if 1 <= book.counts.get(cell, 0) < cohort.smallest_group
    ]
    if row.estimator in _LINKED:
        lost, known = ([(k, "", site, "change") for site in members] for k in ("lost", "known"))
        if row.estimator == "attrition_difference":
            return _Basis(_keep_known(book, lost), _keep_known(book, known))
        together = ("compared", row.outcome, row.site, row.comparison)
        if not math.isnan(row.n):
            book.count(together, row.n, 1.0)
            book.link(together, [("twice", row.outcome, site) for site in members])
        rests = [("scored", row.outcome, site, wave) for site in members for wave in _WAVES]
        few = [cell for cell in linked if cell[0] == "twice"]
        return _Basis(_keep_known(book, [*rests, *few]), _keep_known(book, [*linked, together]))
    rests = [("scored", row.outcome, *place) for place in product(sites, _WAVES)]
    return _Basis(_keep_known(book, rests), _keep_known(book, linked))


def _keep_known(book: Ledger, cells: Iterable[Cell]) -> tuple[Cell, ...]:
    return tuple(cell for cell in cells if cell in book.counts)


def _hide_findings(
    findings: pd.DataFrame,
    cohort: Cohort,
    bases: Mapping[int, _Basis],
    book: Ledger,
    months: Ledger | None,
    releases: Sequence[Release],
) -> pd.DataFrame:
    """Blank the rows that rest on hidden cells, and round those that only tell of them."""
    smallest = cohort.smallest_group
    hidden = book.hide(smallest)
    note = "Hidden: fewer than {} {}, or a number that would give such a one back."
    people, counts = (
        note.format(smallest, "people"),
        note.format(cohort.smallest_count, "incidents"),
    )
    few, alone = (
        _find_few(findings, bases, away, book, smallest)
        for away in (hidden, book.hide_alone(smallest))
    )
    rare, rare_alone = _hide_incidents(findings, cohort, months)
    told, vague = pd.Series(False, index=findings.index), pd.Series(False, index=findings.index)
    for at, basis in bases.items():
        told[at] = any(cell in hidden for cell in (*basis.rests, *basis.tells))
        vague[at] = any(cell in hidden for cell in basis.tells if cell[0] == "squares")
    gone = few | rare
    shown = _blank(_adjust_again(findings, gone, cohort), rare_alone, Reason.SMALL_COUNT, counts)
    shown = _blank(shown, alone, Reason.SMALL_GROUP, people)
    held = (few & ~alone) | (rare & ~rare_alone)
    shown = _blank(shown, held, Reason.RELEASED, describe_held(releases))
    told, vague = told & ~gone, vague & ~gone
    counted = told & (findings["unit"].eq("count") | findings["estimator"].eq("target_share"))
    shown = _coarsen_rows(_drop_numbers(shown, counted, ["n"]), told & ~counted)
    ends = ["ci_low", "ci_high"]
    shown.loc[vague, ends] = shown.loc[vague, ends].round(1)
    shown.loc[vague, ["p_value", "p_adjusted"]] = math.nan
    return shown


def describe_held(releases: Iterable[Release]) -> str:
    """Say in a sentence why a figure is held back."""
    days = [date.fromisoformat(release.date) for release in releases]
    names = [f"{day.day} {day:%B %Y}" for day in dict.fromkeys(days)]
    if len(names) < 2:
        text = f"the report released on {''.join(names)}"
    else:
        text = f"the reports released on {', '.join(names[:-1])} and {names[-1]}"
    return f"Held back: with {text} it would give a small group away."


def list_held_back(findings: pd.DataFrame, book: Ledger, cohort: Cohort) -> pd.DataFrame:
    """List what is held back because of releases: columns ``figure``, ``site`` and ``period``."""
    rows = findings.loc[findings["reason"] == Reason.RELEASED, ["outcome", "site", "period"]]
    smallest = cohort.smallest_group
    held = (book.hide(smallest) - book.hide_alone(smallest)) & book.cost.keys()
    words = {"bar": "answers to", "answered": "answers to", "out": "no answer to",
             "told": "what was said on", "ticked": "ticked in"}  # fmt: skip
    others = sorted({f"{words[c[0]]} {c[1]}" for c in held if c[0] in words and len(c) > 1})
    more = pd.DataFrame({"outcome": others, "site": "", "period": ""})
    listed = pd.concat([rows, more]).rename(columns={"outcome": "figure"})
    return listed.drop_duplicates(ignore_index=True)


def _find_few(
    findings: pd.DataFrame,
    bases: Mapping[int, _Basis],
    hidden: Collection[Cell],
    book: Ledger,
    smallest: int,
) -> pd.Series[bool]:
    """Find the rows that rest on hidden cells.

    Where a number of scores is hidden though no few people have a score of that scale, such as for
    those who were lost between the waves, means stay; only what is that number goes.
    """
    few = pd.Series(False, index=findings.index)
    small = {
        cell[1] for cell in book.find_small(smallest) if cell[0] in ("scored", "code", "twice")
    }
    numbers = {
        cell for cell in book.hide_alone(smallest) if cell[0] == "scored" and cell[1] not in small
    }
    counted = findings["unit"].eq("count") | findings["unit"].eq("share")
    for at, basis in bases.items():
        spared = () if counted[at] else numbers
        few[at] = any(cell in hidden and cell not in spared for cell in basis.rests) or any(
            cell in hidden and 1 <= book.counts[cell] < smallest
            for cell in basis.tells
            if cell[0] in ("asked", "known") or cell[0].startswith("complete")
        )
    return few


def _adjust_again(findings: pd.DataFrame, gone: pd.Series[bool], cohort: Cohort) -> pd.DataFrame:
    """Adjust the tests that stay as if those that go had found nothing, as they would show."""
    tests = findings["section"].eq("scales")
    if not (gone & tests & findings["p_adjusted"].notna()).any():
        return findings
    silent = findings["p_value"].mask(gone & findings["p_value"].notna(), 1.0)
    again = adjust_p_values(findings[tests].assign(p_value=silent[tests]), cohort)
    adjusted = findings["p_adjusted"].copy()
    adjusted[tests] = again["p_adjusted"]
    return findings.assign(p_adjusted=adjusted)


def _hide_incidents(
    findings: pd.DataFrame, cohort: Cohort, months: Ledger | None
) -> Iterator[pd.Series[bool]]:
    """Find small counts of incidents, and every figure of the same outcome built on them.

    First with what is held back because of a release, then without.
    """
    incidents = findings["section"].isin(_INCIDENTS)
    counted = incidents & (findings["estimator"] == "count")
    value = findings["estimate"]
    pooled = findings["site"].isin(["all", "intervention", "control"])
    pooled |= findings["comparison"] == "all controls"
    fewest = cohort.smallest_count
    for gone in (months.hide(fewest), months.hide_alone(fewest)) if months else ((), ()):
        few = counted & (value >= 1) & (value < fewest)
        keys = zip(findings["outcome"], findings["site"], findings["period"], strict=True)
        few |= counted & np.array([("count", *key) in gone for key in keys], np.bool_)
        found = few.copy()
        for outcome, rows in findings[few].groupby("outcome"):
            touched = set(rows["site"])
            built = findings["site"].isin(touched) | findings["comparison"].isin(touched) | pooled
            same_cell = counted & ~few & ~pooled
            found |= incidents & (findings["outcome"] == outcome) & built & ~same_cell
        yield found | _find_secret_months(findings, cohort, gone)


def _find_secret_months(
    findings: pd.DataFrame, cohort: Cohort, gone: Collection[Cell]
) -> pd.Series[bool]:
    """Find the ratios of single months whose counts are hidden."""
    found = pd.Series(False, index=findings.index)
    secret = {cell[1:] for cell in gone if cell[0] == "month"}
    if not secret or cohort.periods is None:
        return found
    row: Any
    for row in findings[findings["estimator"] == "event_study"].itertuples():
        sites = {row.site, row.comparison}
        sites = sites if sites <= cohort.sites.keys() else set(cohort.sites)
        month = shift_month(cohort.periods.after.start, int(row.period))
        found[row.Index] = any((row.outcome, site, month) in secret for site in sites)
    return found


def _blank(
    findings: pd.DataFrame, rows: pd.Series[bool], reason: Reason, note: str
) -> pd.DataFrame:
    blank = findings.copy()
    blank.loc[rows, list(_NUMBERS)] = math.nan
    blank.loc[rows, ["note", "flags", "reason"]] = [note, "", reason.value]
    return blank


def _coarsen_rows(findings: pd.DataFrame, rows: pd.Series[bool]) -> pd.DataFrame:
    """Round figures so far that the number of people cannot be worked out from them.

    Estimates and intervals to two decimals, p to three; `n`, standard errors and degrees of freedom
    missing; below 100 people no interval, as its width would tell.
    """
    if not rows.any():
        return findings
    few = rows & (findings["n"] < _ENOUGH_TO_SHOW_WIDTH)
    ends = ["ci_low", "ci_high"]
    shown = _drop_numbers(findings, rows, ["n", "df", "se", "statistic"])
    shown.loc[rows, ["estimate", *ends]] = shown.loc[rows, ["estimate", *ends]].round(2)
    shown.loc[rows, ["p_value", "p_adjusted"]] = shown.loc[rows, ["p_value", "p_adjusted"]].round(3)
    shown.loc[few, ends] = math.nan
    notes = shown.loc[rows, "note"]
    shown.loc[rows, "note"] = (notes + f" {_ROUNDED_NOTE}").str.strip()
    return shown


def _drop_numbers(
    findings: pd.DataFrame, rows: pd.Series[bool], columns: list[str]
) -> pd.DataFrame:
    shown = findings.copy()
    shown.loc[rows, columns] = math.nan
    shown.loc[rows, "flags"] = [
        f"{flags} {Flag.N_HIDDEN}".strip() for flags in shown.loc[rows, "flags"]
    ]
    return shown
