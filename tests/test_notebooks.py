"""Notebooks are found by globbing, run for real, and committed without outputs."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
REPORT = "cohort_report.ipynb"
LONGEST_CELL = 30


def code_cells(path: Path) -> list[dict]:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def test_notebooks_are_found():
    assert {path.name for path in NOTEBOOKS} >= {REPORT, "explore_cohort.ipynb"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_no_output_is_committed(path):
    for cell in code_cells(path):
        assert cell["outputs"] == []
        assert cell["execution_count"] is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_stay_thin(path):
    for cell in code_cells(path):
        source = "".join(cell["source"])
        tree = ast.parse(source)
        assert len(source.splitlines()) <= LONGEST_CELL
        defined = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)]
        assert not defined, f"{path.name} defines {[n.name for n in defined]}: move it to sbwork"


CHECK_OF_PEERS = """\
pd.testing.assert_frame_equal(
    beside.iloc[:, :3], beside.iloc[:, 3:].set_axis(beside.columns[:3], axis=1), rtol=1e-9
)
assert len(beside) == 4 and abs(alpha - ours) < 1e-9
print(ax.get_title(), len(ax.get_xticklabels()))
"""


@pytest.mark.notebook
@pytest.mark.parametrize(
    "path", [p for p in NOTEBOOKS if p.name != REPORT], ids=lambda path: path.name
)
def test_notebooks_run_to_their_end(path):
    """The report's own notebook is run by tests/report/test_reports.py, once a cohort."""
    notebook = nbformat.read(path, as_version=4)
    explores = path.name == "explore_cohort.ipynb"
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []) and "static = False" in cell.source:
            cell.source = cell.source.replace("static = False", "static = True")
    if explores:
        notebook.cells.append(nbformat.v4.new_code_cell(CHECK_OF_PEERS))
    NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(path.parent)}}
    ).execute()
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    assert any("text/html" in out.get("data", {}) for out in outputs)
    assert not any(out.get("output_type") == "error" for out in outputs)
    if explores:
        # A saved explorer shows a still figure; pingouin and seaborn find the same numbers.
        shown = notebook.cells[2].outputs[0]["data"]
        assert "application/vnd.jupyter.widget-view+json" not in shown
        assert "<img" in shown["text/html"]
        assert notebook.cells[-1].outputs[0]["text"] == "Invented data: trust by site and wave 4\n"
