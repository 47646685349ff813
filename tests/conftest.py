"""What tests of several modules share: a small data folder and small notebooks."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

import sbwork
from sbwork.report.notebook import THREAD_VARIABLES

if TYPE_CHECKING:
    from sbwork.evaluation import Evaluation

# Small matrices on several threads wait for each other more than they compute; reports run so too.
for variable in THREAD_VARIABLES:
    os.environ.setdefault(variable, "1")

# A busy machine is slow now and then; what is too slow is a matter for the benchmarks.
settings.register_profile("sbwork", deadline=None, max_examples=40)
settings.load_profile("sbwork")

DATA = Path(__file__).parents[1] / "data"

PARAMETERS = """\
cohort_name = "pilot"
data = "data"
out = "out"
seed: int | None = None
label = "none"
"""

SETUP = """\
import json
from pathlib import Path
from IPython.display import HTML, Markdown, display
folder = Path(out)
rows = [
    {"section": "counts", "outcome": "asb", "site": "north", "estimator": "rirr",
     "comparison": "south", "period": "change",
     "estimate": 0.65, "ci_low": 0.37, "ci_high": 1.17, "evidence_level": 2},
    {"section": "reported", "outcome": "asb", "site": "", "estimator": "percent_change",
     "estimate": -40.0, "ci_low": None, "ci_high": None, "evidence_level": None},
]
"""

RESULTS = """\
(folder / "figures").mkdir(exist_ok=True)
(folder / "results.json").write_text(json.dumps({"evidence_level": 2, "results": rows}))
_ = (folder / "results.csv").write_text("section,outcome\\ncounts,asb\\n")
"""


NotebookWriter = Callable[..., Path]


def _make_cell(number: int, source: str, tags: list[str]) -> dict[str, Any]:
    kind = "markdown" if source.startswith("# ") else "code"
    cell: dict[str, Any] = {
        "id": f"cell-{number}",
        "cell_type": kind,
        "metadata": {"tags": tags} if tags else {},
        "source": source,
    }
    return cell | ({"outputs": [], "execution_count": None} if kind == "code" else {})


@pytest.fixture
def write_notebook(tmp_path: Path) -> NotebookWriter:
    """Return a function that writes a notebook: parameters, set-up, the cells given, results.

    A text that starts with "#" and a space becomes a Markdown cell.
    """

    def write(*cells: str, results: str = RESULTS, parameters: str = PARAMETERS) -> Path:
        sources = [(parameters, ["parameters"]), (SETUP, []), *((cell, []) for cell in cells)]
        sources += [(results, [])] if results else []
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        content = {
            "cells": [_make_cell(n, source, tags) for n, (source, tags) in enumerate(sources)],
            "metadata": {"kernelspec": kernel},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        path = tmp_path / "cohort_report.ipynb"
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    return write


@pytest.fixture
def toy_data(tmp_path: Path) -> Path:
    """Return a data folder with two cohorts, 'first' and 'second'."""
    folder = tmp_path / "data"
    for name, status in (("first", "invented"), ("second", "reported")):
        cohort = folder / "cohorts" / name
        cohort.mkdir(parents=True)
        (cohort / "cohort.yml").write_text(
            f"name: {name}\ntitle: The {name} cohort\ndata_status: {status}\n", encoding="utf-8"
        )
    return folder


@pytest.fixture
def toy_notebook(write_notebook: NotebookWriter) -> Path:
    """Return a notebook that runs to its end."""
    return write_notebook(
        "# A pilot\n\nOne paragraph in plain English.\n\n## Counts",
        'display(HTML("<p>shown</p>")); display(Markdown("**bold**"))',
    )


@pytest.fixture
def unpack_incidents() -> Callable[[Path], Path]:
    """Return a function that turns the zip of a copy of durham-1 into a folder, to edit a file."""

    def unpack(cohort: Path) -> Path:
        archive, folder = cohort / "incidents.zip", cohort / "incidents"
        with zipfile.ZipFile(archive) as held:
            held.extractall(folder)
        archive.unlink()
        written = cohort / "cohort.yml"
        text = written.read_text("utf-8")
        assert "path: incidents.zip" in text
        written.write_text(text.replace("path: incidents.zip", "path: incidents"), "utf-8")
        return folder

    return unpack


@pytest.fixture(scope="session")
def evaluate_example(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Evaluation]:
    """Return a function that evaluates an example cohort, once for all processes of a test run."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def evaluate(name: str) -> Evaluation:
        kept = shared / f"{name}.pickle"
        if kept.is_file():
            found: Evaluation = pickle.loads(kept.read_bytes())  # noqa: S301
            return found
        found = sbwork.evaluate_cohort(name, DATA)
        written = base / f"{name}.written"
        written.write_bytes(pickle.dumps(found))
        written.replace(kept)
        return found

    return evaluate


@pytest.fixture(scope="session")
def durham_1(evaluate_example: Callable[[str], Evaluation]) -> Evaluation:
    """Return the cohort whose rows are invented."""
    return evaluate_example("durham-1")


@pytest.fixture(scope="session")
def durham_2(evaluate_example: Callable[[str], Evaluation]) -> Evaluation:
    """Return the cohort that is known from staff alone."""
    return evaluate_example("durham-2")


@pytest.fixture(scope="session")
def west_yorkshire(evaluate_example: Callable[[str], Evaluation]) -> Evaluation:
    """Return the rehearsal on real data."""
    return evaluate_example("west-yorkshire")
