"""A YAML file read into a checked pydantic model, its mistakes named by line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from sbwork.errors import InputError, Problem, find_nearest, list_names, quote

__all__ = ["Spec", "load_spec"]

_LARGEST_FILE = 2_000_000

Key = str | int
KeyPath = tuple[Key, ...]


class Spec(BaseModel):
    """Base of everything that is read from a YAML file: frozen, and strict about its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


SpecType = TypeVar("SpecType", bound=Spec)


def load_spec(path: Path, model: type[SpecType]) -> SpecType:
    """Read one YAML file into `model`.

    Parameters
    ----------
    path : Path
        The file.
    model : type of Spec
        What it must hold.

    Returns
    -------
    Spec
        An instance of `model`.

    Raises
    ------
    InputError
        The file is missing, is not UTF-8, is not YAML, or breaks the model; every mistake is
        listed with its line.
    """
    root = _compose(path)
    lines: dict[KeyPath, int] = {}
    data = _construct(root, (), lines, path) if root is not None else {}
    if not isinstance(data, dict):
        raise InputError(
            Problem(path.name, "line 1", "the file is not a list of 'key: value' lines")
        )
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise InputError(
            [_explain(detail, model, lines, path) for detail in error.errors()]
        ) from None


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader without the guesses that spoil survey options and dates.

    'No' and 'Yes' stay words and dates stay text, whatever other libraries have done to the
    global loader. An alias is refused, since a few of them can stand for gigabytes.
    """

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(
                problem="aliases (*name) are not read here", problem_mark=event.start_mark
            )
        return super().compose_node(parent, index)


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"^(?:true|false)$", "tf"),
    ("int", r"^[-+]?[0-9]+$", "-+0123456789"),
    ("float", r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
    ("null", r"^(?:~|null|)$", ["~", "n", ""]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


def _compose(path: Path) -> yaml.Node | None:
    if not path.is_file():
        siblings = [p.name for p in path.parent.glob("*.yml")] if path.parent.is_dir() else []
        raise InputError(
            Problem(str(path), "", "no such file", nearest=find_nearest(path.name, siblings))
        )
    if path.stat().st_size > _LARGEST_FILE:
        raise InputError(
            Problem(
                str(path), "", "the file is larger than 2 MB", "A specification is a short text"
            )
        )
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            Problem(
                str(path),
                f"byte {error.start + 1}",
                "the text is not UTF-8",
                "Save the file again as UTF-8",
            )
        ) from None
    try:
        return yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f"line {mark.line + 1}" if mark else ""
        found = f"this is not YAML: {error.problem or error.context or 'it can not be read'}"
        hint = "Use spaces, never tabs, to indent; quote text that holds ': ' or starts with a sign"
        raise InputError(Problem(str(path), line, found, hint)) from None
    except yaml.YAMLError:
        raise InputError(
            Problem(str(path), "", "this is not YAML: it holds characters that text may not hold")
        ) from None


def _construct(node: yaml.Node, at: KeyPath, lines: dict[KeyPath, int], path: Path) -> Any:
    line = node.start_mark.line + 1
    lines.setdefault(at, line)
    if len(at) > 20:
        raise InputError(Problem(str(path), f"line {line}", "the lists are nested too deeply"))
    if isinstance(node, yaml.MappingNode):
        mapping: dict[Key, Any] = {}
        for key_node, value_node in node.value:
            key = _construct_scalar(key_node, path)
            key_line = key_node.start_mark.line + 1
            if key in mapping:
                raise InputError(
                    Problem(str(path), f"line {key_line}", f"the key '{quote(key)}' stands twice")
                )
            lines[(*at, key)] = key_line
            mapping[key] = _construct(value_node, (*at, key), lines, path)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [_construct(n, (*at, i), lines, path) for i, n in enumerate(node.value)]
    return _construct_scalar(node, path)


def _construct_scalar(node: yaml.Node, path: Path) -> Any:
    if not isinstance(node, yaml.ScalarNode):
        line = f"line {node.start_mark.line + 1}"
        raise InputError(Problem(str(path), line, "a key must be a word, not a list"))
    kind = node.tag.rpartition(":")[2]
    text: str = node.value
    if kind == "int":
        return int(text) if len(text) < 19 else text
    if kind == "float":
        return float(text)
    if kind == "bool":
        return text == "true"
    return None if kind == "null" else text


def _explain(
    detail: ErrorDetails, model: type[Spec], lines: dict[KeyPath, int], path: Path
) -> Problem:
    at = tuple(part for part in detail["loc"] if not _is_union_tag(part))
    if detail["type"] == "extra_forbidden":
        allowed = list(_find_model(model, at[:-1]).model_fields)
        return Problem(
            str(path),
            _describe_place(at, lines),
            f"'{quote(at[-1])}' is not a key that is known here",
            f"Allowed: {list_names(allowed, most=40)}",
            find_nearest(at[-1], allowed),
        )
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if detail["type"] == "missing":
        message = f"the key '{at[-1]}' is missing"
        at = at[:-1]
    nearest = ""
    if detail["type"] in {"literal_error", "enum"}:
        options = re.findall(r"'([^']*)'", str(detail.get("ctx", {}).get("expected", "")))
        nearest = find_nearest(detail["input"], options)
        message = f"'{quote(detail['input'])}' is not allowed; allowed: {list_names(options)}"
    elif detail["type"] not in {"missing", "value_error", "assertion_error"}:
        message = f"{message[:1].lower()}{message[1:]}, found '{quote(detail['input'])}'"
    return Problem(str(path), _describe_place(at, lines), message.rstrip("."), nearest=nearest)


def _find_model(model: type[Spec], at: KeyPath) -> type[Spec]:
    """Follow a path of keys down to the innermost model that holds it."""
    for part in at:
        field = model.model_fields.get(str(part))
        if field is not None:
            model = next(_list_models(field.annotation), model)
    return model


def _list_models(annotation: Any) -> Iterator[type[Spec]]:
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        yield annotation
    for argument in get_args(annotation):
        yield from _list_models(argument)


def _describe_place(at: KeyPath, lines: dict[KeyPath, int]) -> str:
    known = next((part for part in _shorten(at) if part in lines), ())
    name = ".".join(str(part) for part in at)
    return f"line {lines.get(known, 1)}" + (f", key '{quote(name)}'" if name else "")


def _shorten(at: KeyPath) -> Iterator[KeyPath]:
    for length in range(len(at), -1, -1):
        yield at[:length]


def _is_union_tag(part: Key) -> bool:
    return isinstance(part, str) and ("[" in part or part in {"Spec", "str", "int", "float"})
