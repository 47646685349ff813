"""The public names: one list, told in three places, each name importable and on the map."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

import sbwork

SOURCE = ast.parse(Path(sbwork.__file__).read_text(encoding="utf-8"))


def list_typed_imports() -> dict[str, str]:
    """List what type checkers are told: each name and the module that it comes from."""
    guarded = [
        node
        for node in SOURCE.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    assert len(guarded) == 1
    return {
        alias.name: str(node.module).removeprefix("sbwork.")
        for node in guarded[0].body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_the_list_is_sorted_and_without_repeats() -> None:
    assert sorted(set(sbwork.__all__)) == sbwork.__all__


def test_lazy_typed_and_public_names_are_the_same() -> None:
    assert list(sbwork._HOMES) == sbwork.__all__
    assert list_typed_imports() == sbwork._HOMES


@pytest.mark.parametrize("name", sbwork.__all__)
def test_each_name_can_be_had_and_is_documented(name: str) -> None:
    value = getattr(sbwork, name)
    assert inspect.isclass(value) or inspect.isfunction(value)
    assert value.__name__ == name
    assert value.__module__.startswith(f"sbwork.{sbwork._HOMES[name]}")
    assert inspect.getdoc(value)


def test_the_map_names_them_all_and_nothing_else() -> None:
    named = set(re.findall(r"(?<!`)`(\w+)`(?!`)", sbwork.__doc__ or ""))
    assert named == set(sbwork.__all__)


def test_dir_lists_them_without_loading_them() -> None:
    assert set(sbwork.__all__) <= set(dir(sbwork))


def test_a_wrong_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'evaluate_chorot'"):
        _ = sbwork.evaluate_chorot
