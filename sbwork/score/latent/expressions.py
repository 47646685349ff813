"""Arithmetic in a model's text, such as ``a*b`` or ``sqrt(v)``: read by a parser, never run."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sbwork.specs.errors import quote

_FUNCTIONS: dict[str, Any] = {"sqrt": np.sqrt, "exp": np.exp, "log": np.log}
_OPERATORS: dict[type, Any] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
    ast.UAdd: np.positive,
    ast.USub: np.negative,
}
_NAME = re.compile(r"(?<![\w.])[^\W\d][\w.]*")
_STEP = 1e-20

_Compute = Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Expression:
    """Arithmetic over names; `compute` takes a number or array for each of `names`."""

    text: str
    names: tuple[str, ...]
    compute: _Compute


def parse_expression(text: str) -> Expression:
    """Read arithmetic of + - * / ^, brackets, sqrt, exp and log; `ValueError` says what fails."""
    names: list[str] = []

    def replace(match: re.Match[str]) -> str:
        name = match.group()
        if name in _FUNCTIONS:
            return name
        if name not in names:
            names.append(name)
        return f"v{names.index(name)}"

    source = _NAME.sub(replace, text).replace("^", "**").strip()
    try:
        tree = ast.parse(source, mode="eval")
        compute = _compile(tree.body, names)
    except (SyntaxError, RecursionError, MemoryError):
        raise ValueError(f"'{quote(text.strip())}' is no arithmetic") from None
    return Expression("".join(text.split()), tuple(names), compute)


def _compile(node: ast.expr, names: list[str]) -> _Compute:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        value = np.float64(node.value)
        return lambda _: value
    if isinstance(node, ast.Name) and node.id not in _FUNCTIONS:
        name = names[int(node.id[1:])]
        return lambda values: values[name]
    if isinstance(node, ast.UnaryOp) and type(node.op) in _OPERATORS:
        operator, operand = _OPERATORS[type(node.op)], _compile(node.operand, names)
        return lambda values: operator(operand(values))
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        operator = _OPERATORS[type(node.op)]
        left, right = _compile(node.left, names), _compile(node.right, names)
        return lambda values: operator(left(values), right(values))
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in _FUNCTIONS
        and len(node.args) == 1
        and not node.keywords
    ):
        function, argument = _FUNCTIONS[node.func.id], _compile(node.args[0], names)
        return lambda values: function(argument(values))
    raise ValueError("only + - * / ^, brackets, sqrt(), exp() and log() can be computed")


def differentiate(
    function: Callable[[NDArray[Any]], NDArray[Any]], at: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Compute the Jacobian (…, m, q) of `function` from (…, q) to (…, m), by a complex step.

    Source: Squire, W., & Trapp, G. (1998). SIAM Review, 40, 110-112.
    """
    moved = at[..., None, :] + 1j * _STEP * np.eye(at.shape[-1])
    return np.asarray(np.swapaxes(np.imag(function(moved)) / _STEP, -1, -2))
