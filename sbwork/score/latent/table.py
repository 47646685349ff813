"""The parameters of a model: what its text names, and what goes without saying."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sbwork.score.latent.syntax import (
    Definition,
    Restriction,
    Syntax,
    Term,
    parse_model,
    refuse,
)
from sbwork.specs.errors import find_nearest, list_names

_T = TypeVar("_T")

EQUAL = (
    "loadings",
    "intercepts",
    "residuals",
    "means",
    "regressions",
    "residual_covariances",
    "latent_variances",
    "latent_covariances",
)
"""What can be made equal in all groups."""


@dataclass(frozen=True, slots=True)
class Row:
    """One parameter of one group.

    fixed: Its value; NaN where it is free.
    label: Parameters with the same label are equal.
    exogenous: Fixed at the sample's moment: it concerns covariates only.
    place: Among the free parameters; -1 where it is fixed.
    """

    lhs: str
    op: str
    rhs: str
    group: int
    fixed: float = math.nan
    label: str = ""
    start: float = math.nan
    exogenous: bool = False
    place: int = -1

    @property
    def key(self) -> tuple[str, str, str]:
        """The same in all groups, and both ways round."""
        return Term(self.lhs, self.op, self.rhs, 0).key

    @property
    def name(self) -> str:
        """The parameter as the text would name it."""
        return f"{self.lhs} ~ 1" if self.op == "~1" else f"{self.lhs} {self.op} {self.rhs}"


@dataclass(frozen=True, slots=True)
class Table:
    """A model's parameters, in lavaan's order.

    observed, latent: Names of variables; `covariates` are those observed whose moments are fixed.
    size: How many free parameters there are, equal ones counted once.
    """

    rows: tuple[Row, ...]
    definitions: tuple[Definition, ...]
    restrictions: tuple[Restriction, ...]
    observed: tuple[str, ...]
    latent: tuple[str, ...]
    covariates: tuple[str, ...]
    has_means: bool
    size: int
    places: NDArray[np.intp] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        places = np.array([row.place for row in self.rows], dtype=np.intp)
        object.__setattr__(self, "places", places)


class _Roles:
    """Which variable is what, as the text uses it."""

    def __init__(self, terms: Sequence[Term]) -> None:
        def collect(op: str, side: str) -> list[str]:
            return list(dict.fromkeys(getattr(t, side) for t in terms if t.op == op))

        self.latent = collect("=~", "lhs")
        indicators, outcomes, predictors = (
            collect("=~", "rhs"),
            collect("~", "lhs"),
            collect("~", "rhs"),
        )
        others = [side for t in terms if t.op == "~~" for side in (t.lhs, t.rhs)]
        others += collect("~1", "lhs")
        everything = dict.fromkeys([*indicators, *outcomes, *predictors, *others])
        self.observed = [name for name in everything if name not in self.latent]
        self.covariates = [
            name
            for name in self.observed
            if name in predictors and name not in {*indicators, *outcomes, *others}
        ]
        explained = {*indicators, *outcomes}
        self.causes = [name for name in self.latent if name not in explained]
        last = [name for name in outcomes if name not in {*predictors, *indicators}]
        self.outcomes = [name for name in self.latent if name in last]
        self.outcomes += [name for name in self.observed if name in last]
        measured = [(t.lhs, t.rhs) for t in terms if t.op == "=~"]
        factors = [factor for factor, _ in measured]
        self.alone = {item for factor, item in measured if factors.count(factor) == 1}
        self.tops = [name for name in self.latent if name not in indicators]


def build_table(
    text: str, groups: int, equal: Iterable[str], free: Iterable[str], means: bool
) -> Table:
    """Complete a model as ``lavaan::sem`` does.

    The first loading of a latent variable is 1, and its only indicator has no residual variance
    unless that is named. Other variances are free, and so are covariances between latent variables
    that nothing explains, and between outcomes that explain nothing; moments of covariates are
    those of the sample. Intercepts are free and means of latent variables 0, except in later groups
    where intercepts are equal. There, the mean of a latent variable that indicates another stays 0
    (lavaan frees it too, and then can't find it).
    """
    syntax = parse_model(text)
    roles = _Roles(syntax.terms)
    equal, free = tuple(equal), tuple(free)
    has_means = means or groups > 1 or any(term.op == "~1" for term in syntax.terms)
    _check_equal(equal)
    _check_vectors(syntax.terms, groups)
    rows = [
        row for group in range(groups) for row in _list_rows(syntax, roles, group, equal, has_means)
    ]
    rows = _share(rows, roles, equal, _read_free(free, rows))
    table = Table(
        tuple(rows),
        _order_definitions(syntax.definitions, {row.label for row in rows}),
        syntax.restrictions,
        tuple(roles.observed),
        tuple(roles.latent),
        tuple(roles.covariates),
        has_means,
        max((row.place for row in rows), default=-1) + 1,
    )
    _check_names(table)
    return table


def build_unrestricted(table: Table, groups: int, *, covary: bool) -> Table:
    """Make a table of means and variances of the same variables, and covariances or none.

    Moments of covariates stay those of the sample.
    """
    rows: list[Row] = []
    size = 0
    names = [
        (one, other) for place, one in enumerate(table.observed) for other in table.observed[place:]
    ]
    pairs = [(one, "~~", other) for one, other in names]
    pairs += [(one, "~1", "") for one in table.observed if table.has_means]
    for group in range(groups):
        for lhs, op, rhs in pairs:
            exogenous = {lhs, rhs} <= {*table.covariates, ""}
            if covary or op == "~1" or lhs == rhs or exogenous:
                place = -1 if exogenous else size
                size += not exogenous
                rows.append(Row(lhs, op, rhs, group, exogenous=exogenous, place=place))
    kept = table.observed, (), table.covariates, table.has_means
    return Table(tuple(rows), (), (), *kept, size)


def _list_rows(
    syntax: Syntax, roles: _Roles, group: int, equal: tuple[str, ...], has_means: bool
) -> list[Row]:
    rows: dict[tuple[str, str, str], Row] = {}
    anchored: set[str] = set()
    for term in syntax.terms:
        fixed = _choose(term.fixed, group)
        if term.op == "=~" and term.lhs not in anchored:
            anchored.add(term.lhs)
            fixed = 1.0 if fixed is None else fixed
        label, start = _choose(term.labels, group), _choose(term.starts, group)
        rows[term.key] = Row(
            term.lhs,
            term.op,
            term.rhs,
            group,
            math.nan if fixed is None else fixed,
            label or "",
            math.nan if start is None else start,
        )

    def add(lhs: str, op: str, rhs: str, fixed: float = math.nan, exogenous: bool = False) -> None:
        key = Term(lhs, op, rhs, 0).key
        rows.setdefault(key, Row(lhs, op, rhs, group, fixed, exogenous=exogenous))

    for name in (*roles.observed, *roles.latent):
        if name not in roles.covariates:
            add(name, "~~", name, 0.0 if name in roles.alone else math.nan)
    for lhs, rhs in (*combinations(roles.causes, 2), *combinations(roles.outcomes, 2)):
        add(lhs, "~~", rhs)
    for place, lhs in enumerate(roles.covariates):
        for rhs in roles.covariates[place:]:
            add(lhs, "~~", rhs, exogenous=True)
    if has_means:
        for name in roles.observed:
            add(name, "~1", "", exogenous=name in roles.covariates)
        moved = group > 0 and "intercepts" in equal and "means" not in equal
        for name in roles.latent:
            add(name, "~1", "", math.nan if moved and name in roles.tops else 0.0)
    return list(rows.values())


def _choose(values: tuple[_T, ...], group: int) -> _T | None:
    return None if not values else values[group] if len(values) > 1 else values[0]


def _share(
    rows: list[Row], roles: _Roles, equal: tuple[str, ...], freed: set[tuple[str, str, str]]
) -> list[Row]:
    """Give equal parameters one place, and a value where one of them is fixed."""
    owners: dict[object, Row] = {}
    keys: list[object] = []
    for number, row in enumerate(rows):
        key: object = number
        name = row.key
        if row.label:
            key = row.label
        elif not row.exogenous and _classify(row, roles) in equal and name not in freed:
            first = next(
                other for other in rows if Term(other.lhs, other.op, other.rhs, 0).key == name
            )
            key = first.label or name
        keys.append(key)
        if math.isfinite(row.fixed) and row.label:
            known = owners.setdefault(key, row)
            if known.fixed != row.fixed:
                raise refuse(0, f"label '{row.label}' is fixed at two different values")
    places: dict[object, int] = {}
    result = [
        replace(row, fixed=owners[key].fixed) if key in owners else row
        for row, key in zip(rows, keys, strict=True)
    ]
    for number in sorted(range(len(rows)), key=lambda number: _order_places(rows[number])):
        row, key = result[number], keys[number]
        if math.isnan(row.fixed) and not row.exogenous:
            result[number] = replace(row, place=places.setdefault(key, len(places)))
    return result


def _order_places(row: Row) -> tuple[int, int]:
    """Sort parameters as matrices have them, so that derivatives are there without a search."""
    return row.group, {"=~": 0, "~": 0, "~~": 1, "~1": 2}[row.op]


def _classify(row: Row, roles: _Roles) -> str:
    is_latent = row.lhs in roles.latent
    if row.op == "=~":
        return "loadings"
    if row.op == "~":
        return "regressions"
    if row.op == "~1":
        return "means" if is_latent else "intercepts"
    if row.lhs == row.rhs:
        return "latent_variances" if is_latent else "residuals"
    return "latent_covariances" if is_latent else "residual_covariances"


def _check_equal(equal: tuple[str, ...]) -> None:
    for name in equal:
        if name not in EQUAL:
            allowed = f"what can be equal is {list_names(EQUAL)}"
            found = f"equal holds '{name}', which is no kind of parameter"
            raise refuse(0, found, allowed, find_nearest(name, EQUAL))


def _check_vectors(terms: Sequence[Term], groups: int) -> None:
    for term in terms:
        for given in (term.fixed, term.labels, term.starts):
            if len(given) not in (0, 1, groups):
                found = f"'{term.lhs} {term.op} {term.rhs}' is given {len(given)} values"
                allowed = f"give one, or one for each of the groups, of which there are {groups}"
                raise refuse(term.line, found, allowed)


def _read_free(free: tuple[str, ...], rows: Sequence[Row]) -> set[tuple[str, str, str]]:
    known = {row.key for row in rows}
    freed = set()
    for text in free:
        for term in parse_model(text).terms:
            if term.key not in known:
                found = f"free names '{text}', which is no parameter of the model"
                names = [row.name for row in rows]
                raise refuse(0, found, nearest=find_nearest(text, names))
            freed.add(term.key)
    return freed


def _order_definitions(
    definitions: tuple[Definition, ...], labels: set[str]
) -> tuple[Definition, ...]:
    """Check the names that definitions use; they may use each other, if not in a circle."""
    known = labels | {definition.name for definition in definitions}
    for definition in definitions:
        if definition.name in labels:
            raise refuse(definition.line, f"'{definition.name}' is a label already")
        for name in definition.expression.names:
            if name not in known:
                found = f"'{name}' is neither a label nor a defined parameter"
                raise refuse(definition.line, found, nearest=find_nearest(name, known - {""}))
    waiting, done = list(definitions), set(labels)
    while waiting:
        ready = [one for one in waiting if done.issuperset(one.expression.names)]
        if not ready:
            raise refuse(waiting[0].line, f"'{waiting[0].name}' is defined by itself")
        done |= {one.name for one in ready}
        waiting = [one for one in waiting if one not in ready]
    names = [definition.name for definition in definitions]
    for definition in definitions:
        if names.count(definition.name) > 1:
            raise refuse(definition.line, f"'{definition.name}' is defined twice")
    return definitions


def _check_names(table: Table) -> None:
    known = {row.label for row in table.rows} | {one.name for one in table.definitions}
    for restriction in table.restrictions:
        for name in (*restriction.left.names, *restriction.right.names):
            if name not in known:
                found = f"'{name}' is neither a label nor a defined parameter"
                raise refuse(restriction.line, found, nearest=find_nearest(name, known - {""}))


def evaluate_definitions(
    table: Table, values: NDArray[np.complexfloating] | NDArray[np.float64]
) -> dict[str, NDArray[np.complexfloating] | NDArray[np.float64]]:
    """Compute labelled and defined parameters from the values (…, n_rows) of all parameters."""
    names = {}
    for place, row in reversed(list(enumerate(table.rows))):
        if row.label:
            names[row.label] = values[..., place]
    waiting = list(table.definitions)
    while waiting:
        ready = [one for one in waiting if all(name in names for name in one.expression.names)]
        for one in ready:
            computed = np.asarray(one.expression.compute(names))
            names[one.name] = np.broadcast_to(computed, values.shape[:-1])
        waiting = [one for one in waiting if one not in ready]
    return names
