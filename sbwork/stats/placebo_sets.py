"""Sets of areas laid out as the real pairs are: a common control stays common."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FEWEST_PLACEBO_PAIRS = 100
"""The tolerance of the starting gap is widened until this many placebo pairs are within it."""

_LOOSE = 0.05  # with a smaller share of sets without repeats, sets are moved rather than rejected
_SWEEPS = 30

Ints = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


class Layout:
    """The parts that the areas of several pairs play, and who can take them.

    parts: The real areas, each once.
    weights: What the change of each counts for in the mean over pairs.
    """

    def __init__(
        self,
        before: Floats,
        pairs: Sequence[tuple[int, int | None]],
        size_ratio: float,
        gap: float,
    ) -> None:
        self.pairs = tuple(pairs)
        self.size = np.log(before)
        self.limit = math.log(size_ratio) + 1e-12
        named = [part for column in zip(*pairs, strict=True) for part in column if part is not None]
        self.parts = np.array(list(dict.fromkeys(named)), dtype=np.intp)
        self.columns = {int(part): column for column, part in enumerate(self.parts)}
        self.weights = np.zeros(self.parts.size)
        for treated, control in self.pairs:
            self.weights[self.columns[treated]] += 1 / len(self.pairs)
            if control is not None:
                self.weights[self.columns[control]] -= 1 / len(self.pairs)
        grouped: dict[int | tuple[int], list[int]] = {}
        for number, (treated, control) in enumerate(self.pairs):
            grouped.setdefault((treated,) if control is None else control, []).append(number)
        self.groups = list(grouped.values())
        self.gaps = np.full(len(self.pairs), gap)
        for group in self.groups:
            for number in group:
                self._widen([number])
            if len(group) > 1:
                self._widen(group)

    def draw(self, among: Mask, n: int, rng: np.random.Generator) -> Ints:
        """Draw sets of distinct areas, every eligible set with the same probability.

        A control is drawn with probability proportional to the product of the numbers of its
        eligible partners, then a partner for each pair, so that all sets that allow repeats are
        equally probable; sets with repeats are rejected. Where fewer than 5% are without, each set
        is instead led by 30 sweeps of a Markov chain that draws the areas of one control anew and
        takes them where they add no repeat, whose limit is the same distribution.
        """
        stars = [_Star(self, group, among) for group in self.groups]
        if not all(star.n_sets for star in stars):
            return np.empty((0, self.parts.size), dtype=np.intp)
        sets = self._propose(stars, n, rng)
        kept = sets[~_have_repeats(sets)]
        share = len(kept) / n
        if share < _LOOSE:
            return self._move(stars, sets, rng)
        found = [kept]
        while (lacking := n - sum(map(len, found))) > 0:
            sets = self._propose(stars, math.ceil(1.1 * lacking / share) + 10, rng)
            found.append(sets[~_have_repeats(sets)])
        return np.concatenate(found)[:n]

    def average(self, values: Floats, sets: Ints) -> Floats:
        """Average the differences of the pairs of each set."""
        total = np.zeros(len(sets))
        for row, (treated, control) in zip(values, self.pairs, strict=True):
            total += row[sets[:, self.columns[treated]]]
            if control is not None:
                total -= row[sets[:, self.columns[control]]]
        return total / len(self.pairs)

    def _propose(self, stars: Sequence[_Star], n: int, rng: np.random.Generator) -> Ints:
        sets = np.empty((n, self.parts.size), dtype=np.intp)
        for star in stars:
            sets[:, star.columns] = star.draw(n, rng)
        return sets

    def _move(self, stars: Sequence[_Star], sets: Ints, rng: np.random.Generator) -> Ints:
        for _ in range(_SWEEPS):
            for star in stars:
                others = np.delete(sets, star.columns, axis=1)
                new = star.draw(len(sets), rng)
                taken = _count_repeats(new, others) <= _count_repeats(sets[:, star.columns], others)
                sets[np.ix_(taken, star.columns)] = new[taken]
        return sets[~_have_repeats(sets)]

    def _widen(self, numbers: list[int]) -> None:
        """Double the tolerance of these pairs until enough sets, or all, are within it."""
        if self.pairs[numbers[0]][1] is None:
            return
        free = np.ones(self.size.shape[1], dtype=bool)
        free[self.parts] = False
        while (found := _Star(self, numbers, free).n_sets) < FEWEST_PLACEBO_PAIRS:
            if found == _Star(self, numbers, free, any_gap=True).n_sets:
                break
            self.gaps[numbers] *= 2


class _Star:
    """Who can take the parts of the pairs of one control, or of one site without control."""

    def __init__(
        self, layout: Layout, numbers: Sequence[int], among: Mask, *, any_gap: bool = False
    ) -> None:
        treated = [layout.pairs[number][0] for number in numbers]
        control = layout.pairs[numbers[0]][1]
        parts = treated if control is None else [*treated, control]
        self.columns = np.array([layout.columns[part] for part in parts], dtype=np.intp)
        self.controls: Ints | None = None
        if control is not None:
            size = layout.size[numbers]
            near = np.abs(size - size[:, [control]]) <= layout.limit
            self.controls = np.flatnonzero(near.all(axis=0) & among)
        ways, sets = np.ones(1), np.ones(1)
        self.partners: list[tuple[Ints, Ints, Ints]] = []
        for number, part in zip(numbers, treated, strict=True):
            size = layout.size[number]
            near = (np.abs(size - size[part]) <= layout.limit) & among
            order = np.flatnonzero(near)
            order = order[np.argsort(size[order], kind="stable")]
            first, beyond = np.zeros(1, dtype=np.intp), np.full(1, order.size)
            with_itself: Mask | bool = False
            if self.controls is not None:
                start = size[part] - size[control]
                gap = math.inf if any_gap else layout.gaps[number] + 1e-12
                wanted = size[self.controls] + start
                first = np.searchsorted(size[order], wanted - gap, side="left")
                beyond = np.searchsorted(size[order], wanted + gap, side="right")
                with_itself = near[self.controls] & (abs(start) <= gap)
            self.partners.append((order, first, beyond - first))
            ways = ways * (beyond - first)
            sets = sets * (beyond - first - with_itself)
        self.ways = np.cumsum(ways)
        self.n_sets = float(sets.sum())

    def draw(self, n: int, rng: np.random.Generator) -> Ints:
        """Draw areas, repeats allowed: those of the treated parts, then of the control."""
        if self.controls is None:
            order = self.partners[0][0]
            return order[rng.integers(order.size, size=(n, 1))]
        chosen = np.searchsorted(self.ways, rng.random(n) * self.ways[-1], side="right")
        drawn = [
            order[first[chosen] + (rng.random(n) * count[chosen]).astype(np.intp)]
            for order, first, count in self.partners
        ]
        return np.column_stack([*drawn, self.controls[chosen]])


def _have_repeats(sets: Ints) -> Mask:
    ordered = np.sort(sets, axis=1)
    return np.asarray((ordered[:, 1:] == ordered[:, :-1]).any(axis=1))


def _count_repeats(some: Ints, others: Ints) -> Ints:
    within = (some[:, :, None] == some[:, None, :]).sum(axis=(1, 2))
    return np.asarray(within + 2 * (some[:, :, None] == others[:, None, :]).sum(axis=(1, 2)))
