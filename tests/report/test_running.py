"""A notebook's end is told by what was seen of it, not by its own metadata."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sbwork.report.running import find_heading, run_notebook
from sbwork.specs.errors import InputError

NotebookWriter = Callable[..., Path]
OWN = {"cohort_name": "pilot", "data": "data", "out": "."}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "staging"
    folder.mkdir()
    return folder


@pytest.mark.notebook
def test_a_run_to_the_end_reports_each_cell(
    write_notebook: NotebookWriter, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    seen: list[tuple[int, int, str]] = []
    cell = "import os\nassert seed == 7\nassert os.environ['OMP_NUM_THREADS'] == '1'"
    end = run_notebook(
        write_notebook("# Pilot\n\n## Counts", cell),
        folder,
        {**OWN, "seed": 7},
        threads=1,
        on_cell=lambda *told: seen.append(told),
    )
    assert end.state == "ok", end.reason
    assert (4, 5, "Counts") in seen
    assert {total for _, total, _ in seen} == {5}
    assert capfd.readouterr() == ("", "")
    executed = json.loads((folder / "report.ipynb").read_text(encoding="utf-8"))
    outputs = [output for cell in executed["cells"] for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output["output_type"] == "stream"]


@pytest.mark.notebook
@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (
            "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
            "cell 4 of 5, under 'Counts': the kernel running it was killed or crashed",
        ),
        ("import time\ntime.sleep(60)", "cell 4 of 5, under 'Counts': it took longer than 2 sec"),
        ("import sys\nsys.exit(0)", "the notebook stopped before its end"),
        ('raise KeyError("x\\ny")', "cell 4 of 5, under 'Counts': KeyError: "),
    ],
    ids=["killed", "timeout", "exit", "error"],
)
def test_a_failure_names_the_cell(
    write_notebook: NotebookWriter, folder: Path, cell: str, reason: str
) -> None:
    if sys.platform == "win32" and "SIGKILL" in cell:
        pytest.skip("there is no SIGKILL on Windows")
    end = run_notebook(write_notebook("# Pilot\n\n## Counts", cell), folder, OWN, timeout=2)
    assert end.state == "failed"
    assert reason in end.reason
    assert "\n" not in end.reason


def test_a_kernel_that_never_starts_is_tried_again(
    write_notebook: NotebookWriter, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import papermill

    tries: list[int] = []

    def fail(*arguments: object, **options: object) -> None:
        tries.append(1)
        raise RuntimeError("Kernel died before replying to kernel_info")

    monkeypatch.setattr(papermill, "execute_notebook", fail)
    monkeypatch.setattr("sbwork.report.running.time.sleep", lambda seconds: None)
    end = run_notebook(write_notebook(), folder, OWN)
    assert len(tries) == 3
    assert end.state == "failed"
    assert "no cell has run" in end.reason


def test_a_failure_after_a_cell_has_run_is_not_tried_again(
    write_notebook: NotebookWriter, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import papermill

    tries: list[int] = []

    def fail(*arguments: object, **options: object) -> None:
        tries.append(1)
        options["on_cell_start"](cell=None, cell_index=1)  # type: ignore[operator]
        options["on_cell_execute"](cell=None, cell_index=1)  # type: ignore[operator]
        raise RuntimeError("lost")

    monkeypatch.setattr(papermill, "execute_notebook", fail)
    end = run_notebook(write_notebook(), folder, OWN)
    assert len(tries) == 1
    assert end.reason == "cell 1 of 3: RuntimeError: lost"


def test_what_is_no_notebook_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "report.ipynb"
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="not a notebook"):
        run_notebook(path, tmp_path, OWN)


def test_the_heading_is_the_nearest_above() -> None:
    cells = [
        {"cell_type": "markdown", "source": "# One\n\ntext\n\n## Two"},
        {"cell_type": "code", "source": "# not a heading"},
    ]
    assert [find_heading(cells, 0), find_heading(cells, 1)] == ["Two", "Two"]
    assert find_heading(cells[1:], 0) == ""
