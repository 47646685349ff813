"""The public names: listed once, in the stub; each importable, documented and on the map."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

import sbwork

STUB = Path(sbwork.__file__).with_suffix(".pyi")
IMPORTS = [
    node for node in ast.parse(STUB.read_text("utf-8")).body if isinstance(node, ast.ImportFrom)
]
HOMES = {alias.name: f"sbwork.{node.module}" for node in IMPORTS for alias in node.names}


def test_the_stub_exports_each_name_once() -> None:
    # Type checkers hide what a stub imports, unless it is imported as itself.
    aliases = [alias for node in IMPORTS for alias in node.names]
    assert [(alias.name, alias.asname) for alias in aliases] == [(name, name) for name in HOMES]
    assert sorted(HOMES) == sbwork.__all__ == dir(sbwork)
    assert STUB.with_name("py.typed").is_file()


@pytest.mark.parametrize("name", HOMES)
def test_each_name_can_be_had_and_is_documented(name: str) -> None:
    value = getattr(sbwork, name)
    assert inspect.isclass(value) or inspect.isfunction(value)
    assert value.__name__ == name
    assert value.__module__.startswith(HOMES[name])
    assert inspect.getdoc(value)


def test_the_map_names_them_all_and_nothing_else() -> None:
    assert set(re.findall(r"(?<!`)`(\w+)`(?!`)", sbwork.__doc__ or "")) == set(HOMES)


def test_a_wrong_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="evaluate_chorot"):
        _ = sbwork.evaluate_chorot
