"""Parameters are checked against the notebook's own cell before anything runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sbwork.report.plan import check_parameters, plan_jobs, read_parameters
from sbwork.specs.errors import InputError

CELL = """\
cohort_name = "pilot"  # which
data, out = "data", "out"
data = "data"
out = "out"
seed: int | None = None
level = 0.95
strict = True
anything = None
made = str(1)
"""


@pytest.fixture
def notebook(write_notebook: Callable[..., Path]) -> Path:
    return write_notebook(parameters=CELL)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("seed=7", 7),
        ("seed=none", None),
        ("level=1", 1),
        ("level=.5", None),
        ("level=0.5", 0.5),
        ("strict=false", False),
        ("strict=True", True),
        ('anything={"a": [1]}', {"a": [1]}),
        ("seed=7.5", None),
        ("seed=true", None),
        ("level=NaN", None),
        ("level=Infinity", None),
        ("strict=1", None),
    ],
)
def test_a_value_typed_is_read_as_the_cell_wants_it(notebook: Path, text: str, value: Any) -> None:
    name = text.partition("=")[0]
    if value is None and text != "seed=none":
        with pytest.raises(InputError, match="is wanted"):
            check_parameters([text], notebook)
    else:
        assert check_parameters([text], notebook) == {name: value}
        json.dumps(value)


def test_all_mistakes_are_told_at_once(notebook: Path) -> None:
    with pytest.raises(InputError) as caught:
        check_parameters(["sede=1", "out=x", "level=high"], notebook)
    told = [str(problem) for problem in caught.value.problems]
    assert len(told) == 3
    assert "Did you mean 'seed'?" in told[0]
    assert "set by --out" in told[1]
    assert "'high' is given, where a number is wanted" in told[2]


def test_a_notebook_without_the_runs_own_parameters_is_refused(
    write_notebook: Callable[..., Path],
) -> None:
    notebook = write_notebook(parameters="cohort_name = 'x'")
    with pytest.raises(InputError, match="it lacks 'data', 'out'"):
        check_parameters([], notebook)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"cells": 3}', '{"cells": [1]}'])
def test_what_is_no_notebook_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.ipynb"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match="not a notebook"):
        read_parameters(path)


def test_a_notebook_needs_one_parameters_cell(tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    content = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InputError, match="no cell tagged 'parameters'"):
        read_parameters(path)


def test_a_near_name_is_given_for_a_missing_notebook(notebook: Path) -> None:
    with pytest.raises(InputError, match=r"Did you mean 'cohort_report\.ipynb'"):
        read_parameters(notebook.with_name("cohort_reprot.ipynb"))


def test_a_file_in_place_of_the_folder_is_refused(toy_data: Path, notebook: Path) -> None:
    out = toy_data.parent / "reports"
    plan_jobs([], data=toy_data, out=out / "new" / "deep", notebook=notebook)
    out.touch()
    with pytest.raises(InputError, match="this is a file"):
        plan_jobs([], data=toy_data, out=out, notebook=notebook)
