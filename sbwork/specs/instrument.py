"""Item, Scale, Instrument: one questionnaire, as its file in ``instruments/`` tells it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from sbwork.specs.documents import (
    RESERVED_COLUMNS,
    KeyPath,
    Mistake,
    MistakesError,
    Spec,
    load_spec,
    refuse_name,
)
from sbwork.specs.errors import find_nearest, list_names, quote

Nonresponse = Literal["dont_know", "prefer_not_to_say"]


class Option(Spec):
    """One answer that may be given: its code, its label, and whether it is a real answer."""

    code: float
    label: str = ""
    nonresponse: Nonresponse | None = None


_Options = Annotated[
    Annotated[str, Tag("name")] | Annotated[tuple[Option, ...], Tag("list")],
    Discriminator(lambda value: "name" if isinstance(value, str) else "list"),
]


class Item(Spec):
    """One question.

    `options` names a set of the instrument, or lists the item's own options.
    """

    text: str = ""
    options: _Options = ()
    reverse: bool = False


class Scale(Spec):
    """Items that are averaged, or scales that are (a second-order scale).

    `reverse`: a high score is worse, as of fear. The score itself stays as it is; where the scale
    is part of another one it is turned round (lowest + highest - score).
    """

    title: str = ""
    items: tuple[str, ...] = ()
    scales: tuple[str, ...] = ()
    reverse: bool = False
    minimum_answered: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _check_parts(self) -> Self:
        if bool(self.items) == bool(self.scales):
            raise ValueError("a scale is made of 'items' or of 'scales': give one of the two")
        parts = self.items or self.scales
        if len(set(parts)) < len(parts):
            raise ValueError(f"a part stands twice among {list_names(parts)}")
        if self.minimum_answered is not None and self.minimum_answered > len(parts):
            raise ValueError(
                f"minimum_answered is {self.minimum_answered}, but there are {len(parts)} parts"
            )
        return self

    @property
    def required(self) -> int:
        """How many parts must be answered for a score: half of them, rounded up, unless set."""
        parts = len(self.items or self.scales)
        return self.minimum_answered or (parts + 1) // 2


class Instrument(Spec):
    """A questionnaire: its items, their options, and the scales made of them."""

    name: str
    title: str = ""
    source: str = ""
    licence: str = ""
    illustrative: bool = False
    options: dict[str, tuple[Option, ...]] = Field(default_factory=dict)
    items: dict[str, Item] = Field(min_length=1)
    scales: dict[str, Scale] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        mistakes = [*_find_bad_items(self), *_find_bad_scales(self)]
        mistakes = mistakes or [*_find_mixed_ranges(self)]
        if mistakes:
            raise MistakesError(mistakes)
        return self

    def list_options(self, item: str) -> tuple[Option, ...]:
        """Return every option of an item, nonresponse ones included, in the order given."""
        options = self.items[item].options
        return self.options[options] if isinstance(options, str) else options

    def list_answers(self, item: str) -> tuple[Option, ...]:
        """Return the options of an item that are real answers."""
        return tuple(option for option in self.list_options(item) if not option.nonresponse)

    def find_range(self, item: str) -> tuple[float, float]:
        """Return the lowest and the highest code that is a real answer."""
        codes = [option.code for option in self.list_answers(item)]
        return min(codes), max(codes)

    def list_scale_items(self, scale: str) -> tuple[str, ...]:
        """Return the items of a scale; of a second-order scale, those of all its parts."""
        spec = self.scales[scale]
        if spec.items:
            return spec.items
        return tuple(item for part in spec.scales for item in self.scales[part].items)

    def find_scale_range(self, scale: str) -> tuple[float, float]:
        """Return the lowest and the highest score that a scale can have."""
        ranges = [self.find_range(item) for item in self.list_scale_items(scale)]
        low, high = (sum(ends) / len(ranges) for ends in zip(*ranges, strict=True))
        return low, high

    def title_scale(self, scale: str) -> str:
        """Return what readers call a scale."""
        spec = self.scales.get(scale)
        return (spec.title if spec else "") or scale.replace("_", " ").capitalize()


def read_instrument(name: str, data: str | Path = "data") -> Instrument:
    """Read ``instruments/NAME.yml`` from a data folder.

    Parameters
    ----------
    name : str
        The file's name without its ending.
    data : str or Path, default "data"
        The folder that holds ``instruments/``.

    Returns
    -------
    Instrument
        The questionnaire, checked.

    Raises
    ------
    InputError
        No such file, or a mistake in it.
    """
    path = Path(data) / "instruments" / f"{name}.yml"

    def check(instrument: Instrument) -> Iterator[Mistake]:
        if instrument.name != name:
            found = f"the name '{quote(instrument.name)}' differs from the file's, '{quote(name)}'"
            yield Mistake(("name",), found, "Make them the same")

    return load_spec(path, Instrument, check)


def _find_bad_items(instrument: Instrument) -> Iterator[Mistake]:
    for name, options in instrument.options.items():
        yield from _find_bad_options(("options", name), options)
    for key, item in instrument.items.items():
        at = ("items", key)
        if key in RESERVED_COLUMNS:
            yield Mistake(at, f"an item may not be called '{key}'", "The answers' frame uses it")
        if isinstance(item.options, str) and item.options not in instrument.options:
            found, sets = f"there is no option set '{quote(item.options)}'", [*instrument.options]
            yield refuse_name((*at, "options"), found, item.options, "Option sets", sets)
        elif not item.options:
            yield Mistake(at, "no options are given")
        elif not isinstance(item.options, str):
            yield from _find_bad_options((*at, "options"), item.options)


def _find_bad_options(at: KeyPath, options: tuple[Option, ...]) -> Iterator[Mistake]:
    codes = [option.code for option in options]
    if len(set(codes)) < len(codes):
        yield Mistake(at, "two options share a code")
    labels = [" ".join(option.label.split()).casefold() for option in options if option.label]
    if len(set(labels)) < len(labels):
        yield Mistake(at, "two options share a label")
    if len([option for option in options if not option.nonresponse]) < 2:
        yield Mistake(at, "at least two options must be real answers")


def _find_bad_scales(instrument: Instrument) -> Iterator[Mistake]:
    known = {"item": list(instrument.items), "scale": list(instrument.scales)}
    for key, scale in instrument.scales.items():
        at = ("scales", key)
        if key in instrument.items or key in RESERVED_COLUMNS:
            yield Mistake(at, f"the name '{quote(key)}' is taken", "Use another name for the scale")
        for kind, parts in (("item", scale.items), ("scale", scale.scales)):
            for i, part in enumerate(parts):
                place = (*at, f"{kind}s", i)
                if part not in known[kind]:
                    near = find_nearest(part, known[kind])
                    yield Mistake(place, f"there is no {kind} '{quote(part)}'", nearest=near)
                elif kind == "scale" and instrument.scales[part].scales:
                    yield Mistake(place, f"'{quote(part)}' is itself made of scales")


def _find_mixed_ranges(instrument: Instrument) -> Iterator[Mistake]:
    """Find scales of scales whose parts can't be averaged: a missing part would move the mean."""
    for key, scale in instrument.scales.items():
        ranges = {part: instrument.find_scale_range(part) for part in scale.scales}
        if len(set(ranges.values())) > 1:
            found = "; ".join(f"{part} {low:g} to {high:g}" for part, (low, high) in ranges.items())
            yield Mistake(
                ("scales", key, "scales"),
                f"the scores of its parts have different ranges: {found}",
                "Scales that are averaged need answers on one range",
            )
