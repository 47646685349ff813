"""Notes are for people: no module reads meaning back out of one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import sbwork

ROOT = Path(sbwork.__file__).parent
COLUMNS = {"note", "notes", "check"}
NAMES = {"note", "notes"}
PARSERS = {
    "casefold",
    "count",
    "endswith",
    "find",
    "index",
    "lower",
    "lstrip",
    "partition",
    "removeprefix",
    "removesuffix",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "upper",
}


def is_note(node: ast.AST) -> bool:
    """Tell whether an expression is a note, or a column of notes, however it is come by."""
    match node:
        case ast.Subscript(slice=ast.Constant(value=str(name))):
            return name in COLUMNS
        case ast.Subscript(value=ast.Attribute(value=value, attr="loc" | "iloc" | "at"), slice=key):
            names = {part.value for part in ast.walk(key) if isinstance(part, ast.Constant)}
            return bool(names & COLUMNS) or is_note(value)
        case ast.Subscript(value=value):
            return is_note(value)
        case ast.Attribute(attr=name) if name in NAMES:
            return True
        case ast.Attribute(value=value, attr="str" | "iloc" | "loc" | "values"):
            return is_note(value)
        case ast.Name(id=name):
            return name in NAMES
        case ast.Call(func=ast.Name(id="str"), args=[inner]):
            return is_note(inner)
        case ast.Call(func=ast.Attribute(value=value)):
            return is_note(value)
        case ast.IfExp(body=body, orelse=other):
            return is_note(body) or is_note(other)
    return False


def is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(node.value)


def find_readings(source: str) -> Iterator[int]:
    """Yield the lines on which meaning is read out of a note."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(value=value, attr=name) if name in PARSERS and is_note(value):
                yield node.lineno
            case ast.Attribute(value=ast.Attribute(value=value, attr="str")) if is_note(value):
                yield node.lineno
            case ast.Call(func=ast.Attribute(value=ast.Name(id="re")), args=args):
                if any(is_note(argument) for argument in args):
                    yield node.lineno
            case ast.Compare(left=left, comparators=[right]):
                if (is_text(left) and is_note(right)) or (is_note(left) and is_text(right)):
                    yield node.lineno


@pytest.mark.parametrize(
    "source",
    [
        'rows["note"].str.contains("do not reach").any()',
        'rows.loc[rows["estimate"].isna(), "note"].str.extract("(a)")',
        'str(row["note"]).startswith("Hidden")',
        'str(search.findings["note"].iloc[0]).removeprefix("Not computed: ")',
        '(verdict["note"] if verdict is not None else "").partition(". ")',
        're.search("[Cc]ompared on (.+)", note)',
        '"Hidden" in row["note"]',
        'estimate.note == "No control site."',
        'quality["check"].str.startswith("left out")',
        "estimate.note.split('.')",
    ],
)
def test_reading_a_note_is_found(source: str) -> None:
    assert list(find_readings(source)) == [1]


@pytest.mark.parametrize(
    "source",
    [
        'notes.append(row["note"])',
        'if row["note"] not in notes: notes.append(row["note"])',
        'note = f"Not computed: {found.note}"',
        'has_flag(row, Flag.WEIGHTED) and row["reason"] == Reason.SMALL_GROUP',
        'row["note"] == ""',
        '" ".join(notes)',
    ],
)
def test_writing_and_passing_on_a_note_is_not(source: str) -> None:
    assert list(find_readings(source)) == []


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: path.stem)
def test_no_module_reads_meaning_from_a_note(path: Path) -> None:
    lines = list(find_readings(path.read_text("utf-8")))
    assert not lines, f"{path.relative_to(ROOT)}: lines {lines}"
