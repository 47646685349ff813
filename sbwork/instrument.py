"""Item, Scale, Instrument: one questionnaire, as its file in ``instruments/`` tells it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from sbwork.errors import InputError, Problem, find_nearest, list_names, quote
from sbwork.specs import Spec, load_spec

__all__ = ["Instrument", "Item", "Option", "Scale", "read_instrument"]

Nonresponse = Literal["dont_know", "prefer_not_to_say"]


class Option(Spec):
    """One answer that may be given: its code, its label, and whether it is a real answer."""

    code: float
    label: str = ""
    nonresponse: Nonresponse | None = None


class Item(Spec):
    """One question.

    `options` names a set of the instrument, or lists the item's own options.
    """

    text: str = ""
    options: str | tuple[Option, ...] = ()
    reverse: bool = False


class Scale(Spec):
    """Items that are averaged, or scales that are (a second-order scale)."""

    title: str = ""
    items: tuple[str, ...] = ()
    scales: tuple[str, ...] = ()
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
        for key, item in self.items.items():
            if isinstance(item.options, str):
                _require_known(item.options, self.options, f"items.{key}.options", "option set")
            options = self.list_options(key)
            if not options:
                raise ValueError(f"items.{key}: no options are given")
            _check_options(key, options)
        for key, scale in self.scales.items():
            if key in self.items:
                raise ValueError(f"scales.{key}: an item has the same name")
            for part in scale.items:
                _require_known(part, self.items, f"scales.{key}.items", "item")
            for part in scale.scales:
                _require_known(part, self.scales, f"scales.{key}.scales", "scale")
                if self.scales[part].scales:
                    raise ValueError(f"scales.{key}: '{part}' is itself made of scales")
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
    instrument = load_spec(path, Instrument)
    if instrument.name != name:
        raise InputError(
            Problem(
                str(path),
                "key 'name'",
                f"the name '{quote(instrument.name)}' differs from the file's, '{quote(name)}'",
                "Make them the same",
            )
        )
    return instrument


def _require_known(name: str, known: Collection[str], where: str, kind: str) -> None:
    if name not in known:
        near = find_nearest(name, known)
        hint = f" Did you mean '{near}'?" if near else ""
        raise ValueError(f"{where}: there is no {kind} '{quote(name)}'.{hint}")


def _check_options(key: str, options: tuple[Option, ...]) -> None:
    codes = [option.code for option in options]
    if len(set(codes)) < len(codes):
        raise ValueError(f"items.{key}: two options share a code")
    labels = [" ".join(option.label.split()).casefold() for option in options if option.label]
    if len(set(labels)) < len(labels):
        raise ValueError(f"items.{key}: two options share a label")
    if len([option for option in options if not option.nonresponse]) < 2:
        raise ValueError(f"items.{key}: at least two options must be real answers")
