"""The parameters of a notebook: what its own cell declares, and what is given for them."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sbwork.specs.errors import InputError, Problem, find_nearest, list_names, quote

__all__ = ["OWN_PARAMETERS", "Parameter", "check_parameters", "read_cells", "read_parameters"]

OWN_PARAMETERS = {"cohort_name": "COHORT", "data": "--data", "out": "--out"}
"""The parameters that every run sets itself, and what sets them on the command line."""

JSON_KINDS = (str, int, float, bool, type(None))


@dataclass(frozen=True, slots=True)
class Parameter:
    """One name that the notebook's parameters cell sets.

    Attributes
    ----------
    name : str
        The variable.
    default : object
        Its value in the cell; `None` where that is not a plain value.
    kinds : tuple of type
        What may be given for it.
    """

    name: str
    default: Any
    kinds: tuple[type, ...]


def read_cells(notebook: Path) -> list[dict[str, Any]]:
    """Read the cells of a notebook file.

    Parameters
    ----------
    notebook : Path
        An ``.ipynb`` file of format 4.

    Returns
    -------
    list of dict
        The cells as the file has them, each ``source`` joined into one text.

    Raises
    ------
    InputError
        No such file, or it is not a notebook.
    """
    if not notebook.is_file():
        nearby = sorted(p.name for p in notebook.parent.glob("*.ipynb"))
        raise InputError(
            Problem(
                str(notebook),
                "",
                "there is no such notebook",
                f"Notebooks there: {list_names(nearby)}" if nearby else "",
                find_nearest(notebook.name, nearby),
            )
        )
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        return [{**cell, "source": "".join(cell["source"])} for cell in cells]
    except (ValueError, KeyError, TypeError):
        raise InputError(
            Problem(str(notebook), "", "this is not a notebook that can be read")
        ) from None


def read_parameters(notebook: Path) -> dict[str, Parameter]:
    """Read what the cell tagged "parameters" declares, without running it.

    Parameters
    ----------
    notebook : Path
        An ``.ipynb`` file.

    Returns
    -------
    dict of str to Parameter
        By name, in the order of the cell.

    Raises
    ------
    InputError
        The file can't be read, has no such cell, or the cell is not Python.
    """
    tagged = [
        (number, cell["source"])
        for number, cell in enumerate(read_cells(notebook), start=1)
        if "parameters" in cell.get("metadata", {}).get("tags", [])
    ]
    if len(tagged) != 1:
        found = "no cell" if not tagged else f"{len(tagged)} cells"
        raise InputError(
            Problem(
                str(notebook),
                "",
                f"{found} tagged 'parameters' can be found",
                "A report's notebook has exactly one",
            )
        )
    number, source = tagged[0]
    try:
        tree = ast.parse(source)
    except SyntaxError:
        raise InputError(
            Problem(str(notebook), f"cell {number}", "the parameters cell is not Python")
        ) from None
    return {parameter.name: parameter for parameter in _list_parameters(tree)}


def check_parameters(
    given: Mapping[str, Any] | Iterable[str], known: Mapping[str, Parameter], notebook: Path
) -> dict[str, Any]:
    """Check parameters against those that the notebook declares.

    Parameters
    ----------
    given : mapping of str to object, or iterable of str
        Values by name, or texts ``"NAME=VALUE"`` as typed on a command line.
    known : mapping of str to Parameter
        As from `read_parameters`.
    notebook : Path
        Named in the messages.

    Returns
    -------
    dict of str to object
        Plain JSON values by name.

    Raises
    ------
    InputError
        A name that the notebook does not know, one that the run sets itself, or a value of
        another kind; all of them at once.

    Examples
    --------
    >>> known = {name: Parameter(name, "", (str,)) for name in OWN_PARAMETERS}
    >>> known["seed"] = Parameter("seed", None, (int, type(None)))
    >>> check_parameters(["seed=7"], known, Path("report.ipynb"))
    {'seed': 7}
    """
    pairs = list(given.items()) if isinstance(given, Mapping) else [_split(text) for text in given]
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    options = [name for name in known if name not in OWN_PARAMETERS]
    for name, value in pairs:
        place = f"parameter '{quote(name)}'"
        if name in OWN_PARAMETERS:
            found = f"this one is set by {OWN_PARAMETERS[name]}"
            problems.append(Problem(notebook.name, place, found))
        elif name not in known:
            problems.append(
                Problem(
                    notebook.name,
                    place,
                    "the notebook has no such parameter",
                    f"Parameters: {list_names(options) or 'none'}",
                    find_nearest(name, options),
                )
            )
        else:
            try:
                values[name] = _fit(value, known[name], typed=not isinstance(given, Mapping))
            except ValueError as error:
                problems.append(Problem(notebook.name, place, str(error)))
    lacking = [name for name in OWN_PARAMETERS if name not in known]
    if lacking:
        problems.append(
            Problem(
                notebook.name,
                "the parameters cell",
                f"it lacks {list_names(lacking)}",
                f"Every report's notebook has {list_names(list(OWN_PARAMETERS))}",
            )
        )
    if problems:
        raise InputError(problems)
    return values


def _list_parameters(tree: ast.Module) -> Iterable[Parameter]:
    for node in tree.body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    default = _evaluate(node.value)
                    yield Parameter(target.id, default, _choose_kinds(default, ""))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            default = _evaluate(node.value)
            kinds = _choose_kinds(default, ast.unparse(node.annotation))
            yield Parameter(node.target.id, default, kinds)


def _evaluate(node: ast.expr | None) -> Any:
    try:
        return None if node is None else ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        return None


def _choose_kinds(default: Any, annotation: str) -> tuple[type, ...]:
    words = {word.strip() for word in annotation.split("|")} if annotation else set()
    named = tuple(
        kind
        for kind in (*JSON_KINDS, list, dict)
        if ("None" if kind is type(None) else kind.__name__) in words
    )
    if named:
        return named
    if default is None:
        return (*JSON_KINDS, list, dict)
    return (type(default),)


def _split(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        found = f"'{quote(text)}' is not NAME=VALUE"
        raise InputError(Problem("parameters", "", found, "Such as seed=7"))
    return name.strip(), value.strip()


def _fit(value: Any, parameter: Parameter, *, typed: bool) -> Any:
    kinds = parameter.kinds
    if typed:
        if kinds == (str,):
            return value
        try:
            value = json.loads(value, parse_constant=_refuse_constant)
        except ValueError:
            if value in ("None", "none", ""):
                value = None
            elif value in ("True", "False"):
                value = value == "True"
    if isinstance(value, bool) and bool not in kinds:
        fits = False
    else:
        fits = isinstance(value, kinds) or (float in kinds and isinstance(value, int))
    if not fits:
        allowed = " or ".join(_name_kind(kind) for kind in kinds)
        raise ValueError(f"'{quote(value)}' is given, where {allowed} is wanted")
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        raise ValueError(f"'{quote(value)}' is not a plain value") from None
    return value


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def _name_kind(kind: type) -> str:
    names = {
        str: "text",
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        type(None): "nothing",
        list: "a list",
        dict: "a mapping",
    }
    return names.get(kind, kind.__name__)
