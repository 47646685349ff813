"""The scores of an instrument's scales as arrays: the arithmetic under `sbwork.score`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sbwork.specs.errors import InputError, Problem, find_nearest, list_names, quote
from sbwork.specs.instrument import Instrument

_CHUNK = 16_384

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Part:
    """A column that a scale averages: an item, or the score of another scale.

    name: The key of the item or scale.
    column: The codes as given, or the scores; NaN where missing.
    low, high: The lowest and highest possible value.
    reverse: Whether it is to be turned round: an item of the reverse key, a scale such as fear.
    """

    name: str
    column: FloatArray
    low: float
    high: float
    reverse: bool = False

    def turn(self, rows: slice | IntArray = slice(None)) -> FloatArray:
        """Take some of the rows, turned round where it is reversed."""
        values = self.column[rows]
        return self.low + self.high - values if self.reverse else values


@dataclass(frozen=True, slots=True)
class ScaleScore:
    """The scores of one scale.

    parts: What was averaged.
    points: The scores; NaN where too little was answered.
    complete: Where every item under the scale was answered.
    """

    parts: tuple[Part, ...]
    points: FloatArray
    complete: BoolArray

    @property
    def names(self) -> list[str]:
        """The keys of the parts."""
        return [part.name for part in self.parts]


def average_scales(answers: pd.DataFrame, instrument: Instrument) -> dict[str, ScaleScore]:
    """Score every scale by the rule of `sbwork.score.score_scales`."""
    items = _read_items(answers, instrument)
    outside = [item for item in items.values() if _lies_outside(item)]
    if outside:
        raise InputError([_describe_outside(part, instrument) for part in outside])
    scores: dict[str, ScaleScore] = {}
    for key, scale in instrument.scales.items():
        if scale.items:
            parts = tuple(items[item] for item in scale.items)
            scores[key] = ScaleScore(parts, *_average(parts, scale.required))
    for key, scale in instrument.scales.items():
        if scale.scales:
            parts = tuple(
                Part(
                    name,
                    scores[name].points,
                    *instrument.find_scale_range(name),
                    instrument.scales[name].reverse,
                )
                for name in scale.scales
            )
            points, _ = _average(parts, scale.required)
            complete = np.logical_and.reduce([scores[name].complete for name in scale.scales])
            scores[key] = ScaleScore(parts, points, complete)
    return {key: scores[key] for key in instrument.scales}


def _read_items(answers: pd.DataFrame, instrument: Instrument) -> dict[str, Part]:
    if not answers.columns.is_unique:
        twice = answers.columns[answers.columns.duplicated()]
        raise ValueError(f"duplicate columns: {list_names([str(name) for name in twice])}")
    needed = dict.fromkeys(item for scale in instrument.scales.values() for item in scale.items)
    absent = [item for item in needed if item not in answers.columns]
    if absent:
        raise InputError(
            [
                Problem(
                    "the answers",
                    f"item '{quote(item)}'",
                    "there is no such column",
                    "Every item of a scale needs a column, be it empty",
                    find_nearest(item, [str(name) for name in answers.columns]),
                )
                for item in absent
            ]
        )
    return {
        item: Part(
            item,
            answers[item].to_numpy(dtype=np.float64, na_value=np.nan),
            *instrument.find_range(item),
            instrument.items[item].reverse,
        )
        for item in needed
    }


def _average(parts: Sequence[Part], required: int) -> tuple[FloatArray, BoolArray]:
    """Average the parts a block of rows at a time, so that the work stays in the cache."""
    n = len(parts[0].column)
    points, complete = np.empty(n), np.empty(n, dtype=np.bool_)
    for start in range(0, n, _CHUNK):
        rows = slice(start, min(start + _CHUNK, n))
        total, answered = np.zeros(rows.stop - start), np.zeros(rows.stop - start)
        for part in parts:
            values = part.turn(rows)
            known = ~np.isnan(values)
            answered += known
            total += np.where(known, values, 0.0)
        complete[rows] = answered == len(parts)
        answered[answered < required] = np.nan
        points[rows] = total / answered
    return points, complete


def _lies_outside(part: Part) -> bool:
    """Say whether any code is below the lowest or above the highest answer of an item."""
    lowest = np.fmin.reduce(part.column, initial=part.low)
    highest = np.fmax.reduce(part.column, initial=part.high)
    return bool(lowest < part.low or highest > part.high)


def _describe_outside(part: Part, instrument: Instrument) -> Problem:
    beyond = (part.column < part.low) | (part.column > part.high)
    codes = sorted({f"{code:g}" for code in np.unique(part.column[beyond])[:50]})
    allowed = [f"{option.code:g}" for option in instrument.list_answers(part.name)]
    return Problem(
        "the answers",
        f"item '{quote(part.name)}'",
        f"{int(beyond.sum())} answers have a code outside its range: {list_names(codes, most=5)}",
        f"Codes of its answers: {list_names(allowed)}",
    )
