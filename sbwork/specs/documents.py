"""A YAML file read into a checked pydantic model, its mistakes named by line."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.nodes import Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.resolver import VersionedResolver
from ruamel.yaml.tag import Tag

from sbwork.specs.errors import InputError, Problem, find_nearest, list_names, quote
from sbwork.specs.files import is_reserved

_LARGEST_FILE = 200_000
_DEEPEST = 20
_MOST_MISTAKES = 500
_UNPRINTABLE = re.compile(r"[^\t\n -~\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_STRAIGHT = str.maketrans("‘’‛`´“”„‐‑‒–—−", "'" * 5 + '"' * 3 + "-" * 6)
_NULL, _TEXT = "tag:yaml.org,2002:null", "tag:yaml.org,2002:str"
_KNOWN_TAGS = {_NULL, _TEXT, "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map"}

KeyPath = tuple[str | int, ...]
"""The keys that lead to a place in a file, and the positions in lists, counted from 0."""

RESERVED_COLUMNS = frozenset({"wave", "site", "person", "weight", "cluster"})
"""What the frame of answers calls its own columns: no item, scale or kept column may."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something wrong under one key of a specification; the rest as in `Problem`."""

    at: KeyPath
    found: str
    allowed: str = ""
    nearest: str = ""


def refuse_name(at: KeyPath, found: str, name: object, kind: str, known: Sequence[str]) -> Mistake:
    """Return the mistake of a name that is not among those known, with the nearest of them."""
    allowed = f"{kind}: {list_names(known) or 'none'}"
    return Mistake(at, found, allowed, find_nearest(name, known))


class MistakesError(ValueError):
    """What a validator raises that has found mistakes under several keys, or under one of them."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__(
            "; ".join(f"{_join_keys(mistake.at)}: {mistake.found}" for mistake in self.mistakes)
        )


class Spec(BaseModel):
    """Base of everything that is read from a YAML file: frozen, and strict about its keys.

    A key with nothing after it counts as left out.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", str_strip_whitespace=True, allow_inf_nan=False
    )

    @model_validator(mode="before")
    @classmethod
    def _leave_out_empty(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        known = cls.model_fields
        return {key: value for key, value in data.items() if value is not None or key not in known}


def _check_name(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([a-z0-9_-]{0,62}[a-z0-9])?", value):
        raise ValueError(
            f"'{quote(value)}' is not a name made of small letters, digits, hyphens and underscores"
        )
    if is_reserved(value):
        raise ValueError(f"'{value}' is a name that Windows keeps for devices: take another")
    return value


Name = Annotated[str, AfterValidator(_check_name)]
"""A key that may also be the name of a folder."""

SpecType = TypeVar("SpecType", bound=Spec)


def load_spec(
    path: Path,
    model: type[SpecType],
    check: Callable[[SpecType], Iterable[Mistake]] | None = None,
) -> SpecType:
    """Read one YAML file into `model`; an InputError lists every mistake with its line.

    `check` returns what else is wrong with the instance, such as files that are missing.
    """
    lines: dict[KeyPath, int] = {(): 1}
    mistakes: list[Mistake] = []
    root = _parse(path)
    data = {} if root is None or root.tag == _NULL else _construct(root, (), lines, mistakes)
    if not isinstance(data, dict):
        mistakes.append(Mistake((), "the file is not made of 'key: value' lines"))
    spec = None
    if not mistakes:
        try:
            spec = model.model_validate(data)
        except ValidationError as error:
            details = error.errors(include_url=False)[:_MOST_MISTAKES]
            mistakes = [m for detail in details for m in _explain(detail, model, lines)]
        else:
            mistakes = list(check(spec)) if check else []
    if mistakes or spec is None:
        raise InputError(
            Problem(str(path), _describe_place(m.at, lines), m.found, m.allowed, m.nearest)
            for m in sorted(mistakes, key=lambda mistake: _find_line(mistake.at, lines))
        )
    return spec


class _TextResolver(VersionedResolver):
    """Takes every value for text, since guesses spoil options and dates; the model knows better."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        if kind is ScalarNode and implicit[0] and value in {"", "~", "null"}:
            return Tag(suffix=_NULL)
        if kind is ScalarNode:
            return self.DEFAULT_SCALAR_TAG
        return super().resolve(kind, value, implicit)


class _PlainComposer(Composer):
    """Refuses aliases, since a few of them can stand for gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.parser.check_event(AliasEvent):
            mark = self.parser.peek_event().start_mark
            raise MarkedYAMLError(problem="aliases (*name) are not read", problem_mark=mark)
        return super().compose_node(parent, index)


_YAML_HINTS = (
    ("tab", "the line is indented with a tab", "Indent with spaces"),
    ("end of stream", "a quote or bracket is opened and never closed", "Close it, or quote '#'"),
    (
        "expected ','",
        "a bracket is opened and never closed, or a comma is missing",
        "Close it; quote text that holds a bracket, a comma or ': '",
    ),
    (
        "escape",
        "within double quotes, a backslash stands for something else",
        "Write paths with '/', or within single quotes",
    ),
    (
        "mapping values are not allowed",
        "two ': ' stand in one line, or the line is indented too far",
        "Quote text that holds ': '",
    ),
    ("could not find expected ':'", "this is not a 'key: value' line", "Put ': ' after the key"),
    (
        "expected <block end>",
        "the line does not line up with those above it",
        "Indent entries of one list or block alike; quote text that starts with a sign or quote",
    ),
    ("aliases", "aliases (*name) are not read here", "Quote text that starts with '*'"),
    ("maximum depth", "lists or blocks are nested too deeply"),
    ("single document", "a second document begins here", "Leave out the line '---'"),
    (
        "",
        "this is not YAML",
        "Indent with spaces; quote text that holds ': ' or starts with a sign",
    ),
)


def _parse(path: Path) -> Node | None:
    text = _read_text(path)
    yaml = YAML(typ="safe", pure=True)
    yaml.Resolver, yaml.Composer, yaml.max_depth = _TextResolver, _PlainComposer, _DEEPEST
    yaml.version = (1, 2)
    yaml.composer.warn_double_anchors = False
    try:
        root: Node | None = yaml.compose(text)
    except MarkedYAMLError as error:
        said = f"{error.problem} {error.context}".replace("'<stream end>'", "end of stream")
        mark = (error.context_mark if "end of stream" in said else None) or error.problem_mark
        at = f"line {mark.line + 1}" if mark else ""
        if mark and re.match(r" *\t", "".join(text.splitlines()[mark.line : mark.line + 1])):
            said = "tab"
        hint = next(words for pattern, *words in _YAML_HINTS if pattern in said)
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        at = f"line {line}"
        code = f"U+{ord(text[error.position]):04X}"
        hint = [f"a character stands here that text may not hold ({code})", "Take it out"]
    except (YAMLError, ValueError, OverflowError):
        at, hint = "", ["an escape such as \\U00110000 names no character", "Take it out"]
    else:
        return root
    raise InputError(Problem(str(path), at, *hint))


def _read_text(path: Path) -> str:
    at = allowed = near = ""
    try:
        if not path.is_file():
            siblings = [p.name for p in path.parent.glob("*.yml")] if path.parent.is_dir() else []
            found, near = "no such file", find_nearest(path.name, siblings)
        elif path.stat().st_size > _LARGEST_FILE:
            found = f"the file is larger than {_LARGEST_FILE // 1000} kB"
            allowed = "This is meant to be a short text"
        else:
            return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        at = f"line {line}"
        found, allowed = "the text is not UTF-8", "Save the file again with the encoding UTF-8"
    except OSError as error:
        found = f"the file can't be read: {error.strerror}"
    raise InputError(Problem(str(path), at, found, allowed, near))


def _construct(node: Node, at: KeyPath, lines: dict[KeyPath, int], mistakes: list[Mistake]) -> Any:
    """Turn a node into dicts, lists, text and None, noting the line of each."""
    lines.setdefault(at, node.start_mark.line + 1)
    if node.tag not in _KNOWN_TAGS:
        found = f"the tag '{quote(node.tag)}' is not read here"
        mistakes.append(Mistake(at, found, "Leave out the word that starts with '!'"))
        return None
    if isinstance(node, SequenceNode):
        return [_construct(n, (*at, i), lines, mistakes) for i, n in enumerate(node.value)]
    if isinstance(node, ScalarNode):
        if _UNPRINTABLE.search(node.value):
            mistakes.append(Mistake(at, "the text holds a control character", "Take it out"))
        return None if node.tag == _NULL else node.value
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, ScalarNode):
            lines[(*at, -line)] = line
            mistakes.append(Mistake((*at, -line), "a key must be a word, not a list or block"))
            continue
        key = key_node.value
        if key in mapping:
            lines[(*at, key, -line)] = line
            mistakes.append(Mistake((*at, key, -line), f"the key '{quote(key)}' stands twice"))
            continue
        lines[(*at, key)] = line
        mapping[key] = _construct(value_node, (*at, key), lines, mistakes)
    return mapping


_BLOCK = "Lines of 'key: value' are needed here"
_NEEDED = {
    "string": "Text is needed here",
    "int": "A whole number is needed here",
    "float": "A number is needed here",
    "finite": "A number is needed here",
    "bool": "'true' or 'false' is needed here",
    "tuple": "A list is needed here, each entry on a line of its own that starts with '- '",
    "dict": _BLOCK,
    "model": _BLOCK,
}


def _explain(
    detail: ErrorDetails, model: type[Spec], lines: dict[KeyPath, int]
) -> Iterator[Mistake]:
    at = _find_keys(detail["loc"], lines)
    kind, given, context = detail["type"], detail["input"], detail.get("ctx", {})
    error = context.get("error")
    if isinstance(error, MistakesError):
        for m in error.mistakes:
            yield Mistake((*at, *m.at), m.found, m.allowed, m.nearest)
    elif kind == "extra_forbidden":
        known = list((_find_model(model, at[:-1]) or model).model_fields)
        found = f"'{quote(at[-1])}' is not a key that is known here"
        allowed = f"Allowed: {list_names(known, most=40)}"
        yield Mistake(at, found, allowed, find_nearest(at[-1], known))
    elif kind == "missing":
        last = detail["loc"][-1]
        found = f"the key '{last}' is missing, or nothing stands after it"
        yield Mistake(at, found if isinstance(last, str) else "the list has too few entries")
    elif kind == "literal_error":
        options = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        yield refuse_name(at, f"'{quote(given)}' is not allowed here", given, "Allowed", options)
    elif kind in {"too_short", "string_too_short"}:
        yield Mistake(at, "nothing stands here", "At least one entry is needed")
    elif kind in {"value_error", "assertion_error"}:
        yield Mistake(at, str(error))
    else:
        needed = _NEEDED.get(kind.partition("_")[0], "")
        yield Mistake(at, f"{_name_value(given)} stands here", needed or _put(detail["msg"]))


def _name_value(given: object) -> str:
    if isinstance(given, dict):
        return "a block of 'key: value' lines"
    if isinstance(given, list | tuple):
        return "a list"
    return f"'{quote(given)}'" if given not in (None, "") else "nothing"


def _put(message: str) -> str:
    """Say one of pydantic's rules, such as 'Input should be greater than 0', in our words."""
    return message.replace("Input should be", "It must be").replace("Tuple", "The list")


def _find_keys(loc: KeyPath, lines: dict[KeyPath, int]) -> KeyPath:
    """Return the keys of the file within pydantic's path, which also names unions and the like."""
    at: KeyPath = ()
    for part in loc:
        if (*at, part) in lines:
            at = (*at, part)
    return at


def _find_model(annotation: Any, at: KeyPath) -> type[Spec] | None:
    """Follow a path of keys down to the model that holds it."""
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        field = annotation.model_fields.get(str(at[0])) if at else None
        if not at:
            return annotation
        return _find_model(field.annotation, at[1:]) if field else None
    inner = at[1:] if get_origin(annotation) in {dict, tuple} else at
    found = (_find_model(argument, inner) for argument in get_args(annotation))
    return next((model for model in found if model), None)


def _describe_place(at: KeyPath, lines: dict[KeyPath, int]) -> str:
    name = _join_keys(at)
    return f"line {_find_line(at, lines)}" + (f", key '{quote(name)}'" if name else "")


def _find_line(at: KeyPath, lines: dict[KeyPath, int]) -> int:
    """Return the line of the innermost key on the path that stands in the file."""
    while at not in lines:
        at = at[:-1]
    return lines[at]


def _join_keys(at: KeyPath) -> str:
    """Write keys as 'surveys.path'; positions in lists are left to the line number."""
    return ".".join(part for part in at if isinstance(part, str))


def fold_name(name: str) -> str:
    """Fold a name so that case, spacing and the shape of quotes and dashes make no difference."""
    return " ".join(unicodedata.normalize("NFKC", name).translate(_STRAIGHT).split()).casefold()
