"""The text of a model, as lavaan writes it, into statements."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from sbwork.score.latent.expressions import Expression, parse_expression
from sbwork.specs.errors import InputError, Problem

FILE = "model"

_OPERATOR = re.compile(r"=~|~~|:=|==|<~|~\*~|~|<|>|\||=")
_ALLOWED = ("=~", "~", "~~", ":=", "==")
_VARIABLE = re.compile(r"[^\W\d][\w.]*")
_CALL = re.compile(r"(c|start|label|equal)\s*\((.*)\)", re.DOTALL)
_QUOTED = re.compile(r"""(["'])(.*)\1""")


@dataclass(frozen=True, slots=True)
class Term:
    """One parameter that the text names; op is ``=~``, ``~``, ``~~`` or ``~1`` (rhs is empty).

    fixed, labels, starts: One a group, or one for all, or none; a fixed value of NaN is free.
    """

    lhs: str
    op: str
    rhs: str
    line: int
    fixed: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()
    starts: tuple[float, ...] = ()

    @property
    def key(self) -> tuple[str, str, str]:
        """The parameter's name; a covariance has the same both ways round."""
        if self.op == "~~" and self.rhs < self.lhs:
            return self.rhs, self.op, self.lhs
        return self.lhs, self.op, self.rhs


@dataclass(frozen=True, slots=True)
class Definition:
    """``name := expression``."""

    name: str
    expression: Expression
    line: int


@dataclass(frozen=True, slots=True)
class Restriction:
    """``left == right``."""

    left: Expression
    right: Expression
    line: int


@dataclass(frozen=True, slots=True)
class Syntax:
    """A model's statements, in the order of the text."""

    terms: tuple[Term, ...]
    definitions: tuple[Definition, ...]
    restrictions: tuple[Restriction, ...]


def refuse(line: int, found: str, allowed: str = "", nearest: str = "") -> InputError:
    """Make the error for one line of a model."""
    allowed = allowed[:1].upper() + allowed[1:]
    return InputError(Problem(FILE, f"line {line}" if line else "", found, allowed, nearest))


def parse_model(text: str) -> Syntax:
    """Read a model; raise `InputError` with the line of the first thing that can't be read."""
    terms: dict[tuple[str, str, str], Term] = {}
    definitions: list[Definition] = []
    restrictions: list[Restriction] = []
    for line, statement in _split_statements(text):
        match = _OPERATOR.search(statement)
        if not match:
            allowed = f"each statement needs one of {', '.join(_ALLOWED)}"
            raise refuse(line, f"'{statement}' has no operator", allowed)
        operator = match.group()
        left, right = statement[: match.start()].strip(), statement[match.end() :].strip()
        if operator not in _ALLOWED:
            allowed = f"only {', '.join(_ALLOWED)} can be fitted"
            raise refuse(line, f"'{operator}' is not an operator here", allowed)
        if not left or not right:
            raise refuse(line, f"'{statement}' has nothing on one side of '{operator}'")
        if operator == ":=":
            if not _VARIABLE.fullmatch(left):
                raise refuse(line, f"'{left}' is no name for a defined parameter")
            definitions.append(Definition(left, _read_expression(right, line), line))
        elif operator == "==":
            sides = _read_expression(left, line), _read_expression(right, line)
            restrictions.append(Restriction(*sides, line))
        else:
            for term in _read_terms(left, operator, right, line):
                seen = terms.get(term.key)
                terms[term.key] = _join(seen, term) if seen else term
    if not terms:
        raise refuse(0, "the model has no parameters", "write for example 'trust =~ q1 + q2 + q3'")
    return Syntax(tuple(terms.values()), tuple(definitions), tuple(restrictions))


def _split_statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield statements with the line on which each begins; a line that goes on is joined on."""
    current, start, ended = "", 0, True
    for number, raw in enumerate(text.splitlines(), 1):
        for place, piece in enumerate(re.split(r"[#!]", raw, maxsplit=1)[0].split(";")):
            piece = piece.strip()
            if place:
                ended = True
            if not piece:
                continue
            goes_on = current.endswith(("+", "*", "~", "=", ",", "(")) or piece.startswith(
                ("+", "*")
            )
            if current and not ended and (goes_on or not _OPERATOR.search(piece)):
                current += " " + piece
                continue
            if current:
                yield start, current
            current, start, ended = piece, number, False
    if current:
        yield start, current


def _split_outside_brackets(text: str, separator: str) -> list[str]:
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == separator and depth == 0 and not re.search(r"\d[eE]$", parts[-1]):
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def _read_expression(text: str, line: int) -> Expression:
    try:
        return parse_expression(text)
    except ValueError as error:
        raise refuse(line, str(error)) from None


def _read_terms(left: str, operator: str, right: str, line: int) -> Iterator[Term]:
    for lhs in _split_outside_brackets(left, "+"):
        if not _VARIABLE.fullmatch(lhs):
            raise refuse(line, f"'{lhs}' is no name of a variable")
        for piece in _split_outside_brackets(right, "+"):
            *modifiers, rhs = _split_outside_brackets(piece, "*")
            term = Term(lhs, operator, rhs, line)
            if operator == "~" and rhs in ("0", "1"):
                term = replace(term, op="~1", rhs="", fixed=(0.0,) if rhs == "0" else ())
            elif not _VARIABLE.fullmatch(rhs) or rhs == "NA":
                raise refuse(line, f"'{piece}' is no term", "write for example 'x' or '0.5*x'")
            elif rhs == lhs and operator != "~~":
                raise refuse(line, f"'{lhs}' stands on both sides of '{operator}'")
            for modifier in modifiers:
                term = _join(term, _read_modifier(term, modifier))
            yield term


def _read_modifier(term: Term, text: str) -> Term:
    bare = Term(term.lhs, term.op, term.rhs, term.line)
    call = _CALL.fullmatch(text)
    kind = call.group(1) if call else "c"
    items = _split_outside_brackets(call.group(2), ",") if call else [text]
    if kind == "start":
        return replace(bare, starts=tuple(_read_number(item, term.line) for item in items))
    if kind == "equal":
        allowed = "give both parameters the same label, as in 'a*x1 + a*x2'"
        raise refuse(term.line, "equal() can't be used", allowed)
    quoted = [_QUOTED.fullmatch(item) for item in items]
    names = [match.group(2) if match else item for match, item in zip(quoted, items, strict=True)]
    if kind == "label" or all(
        match or (_VARIABLE.fullmatch(name) and name != "NA")
        for match, name in zip(quoted, names, strict=True)
    ):
        wrong = [name for name in names if not _VARIABLE.fullmatch(name)]
        if wrong:
            raise refuse(term.line, f"'{wrong[0]}' is no label")
        return replace(bare, labels=tuple(names))
    return replace(bare, fixed=tuple(_read_number(item, term.line) for item in items))


def _read_number(text: str, line: int) -> float:
    if text == "NA":
        return math.nan
    expression = _read_expression(text, line)
    if expression.names:
        raise refuse(line, f"'{text}' is neither a number nor a label")
    value = float(expression.compute({}))
    if not math.isfinite(value):
        raise refuse(line, f"'{text}' is no finite number")
    return value


def _join(one: Term, other: Term) -> Term:
    """Join what two mentions say of a parameter, as in ``NA*x + a*x``."""
    for name in ("fixed", "labels", "starts"):
        first, second = getattr(one, name), getattr(other, name)
        if first and second and first != second:
            shown = f"{one.lhs} {one.op} {one.rhs}".strip()
            raise refuse(other.line, f"'{shown}' is given twice, in different ways")
    return replace(
        one,
        fixed=one.fixed or other.fixed,
        labels=one.labels or other.labels,
        starts=one.starts or other.starts,
    )
