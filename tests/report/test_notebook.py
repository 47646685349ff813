"""A notebook's end is told by what was seen of it, not by its own metadata."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sbwork.report.notebook import Kernels, NotebookError, run_notebook

NotebookWriter = Callable[..., Path]
OWN = {"cohort_name": "pilot", "data": "data", "out": "."}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "braces {x}"
    folder.mkdir()
    return folder


@pytest.mark.notebook
def test_a_run_to_the_end_reports_each_cell(
    write_notebook: NotebookWriter, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    seen: list[tuple[int, int, str]] = []
    cell = "import os\nassert seed == 7\nassert os.environ['OMP_NUM_THREADS'] == '1'"
    run_notebook(
        write_notebook("# Pilot\n\n## Counts", cell),
        folder,
        {**OWN, "seed": 7},
        Kernels(),
        threads=1,
        on_cell=lambda *told: seen.append(told),
    )
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
        ('raise KeyError("x\\ny")', "cell 4 of 5, under 'Counts': KeyError"),
    ],
    ids=["killed", "timeout", "exit", "error"],
)
def test_a_failure_names_the_cell(
    write_notebook: NotebookWriter, folder: Path, cell: str, reason: str
) -> None:
    if sys.platform == "win32" and "SIGKILL" in cell:
        pytest.skip("there is no SIGKILL on Windows")
    notebook = write_notebook("# Pilot\n\n## Counts", cell)
    with pytest.raises(NotebookError) as caught:
        run_notebook(notebook, folder, OWN, Kernels(), timeout=2)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_kernel_that_never_starts_is_tried_again(
    write_notebook: NotebookWriter, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import papermill

    tries: list[int] = []

    def fail(*arguments: object, **options: object) -> None:
        tries.append(1)
        raise RuntimeError("Kernel died before replying to kernel_info")

    monkeypatch.setattr(papermill, "execute_notebook", fail)
    monkeypatch.setattr("sbwork.report.notebook.time.sleep", lambda seconds: None)
    with pytest.raises(NotebookError, match="no cell has run"):
        run_notebook(write_notebook(), folder, OWN, Kernels())
    assert len(tries) == 3


def test_a_failure_after_a_cell_has_run_is_not_tried_again(
    write_notebook: NotebookWriter, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import papermill

    tries: list[int] = []

    def fail(*arguments: object, **options: object) -> None:
        tries.append(1)
        options["on_cell_start"](cell=None, cell_index=1)  # type: ignore[operator]
        raise RuntimeError("lost")

    monkeypatch.setattr(papermill, "execute_notebook", fail)
    with pytest.raises(NotebookError, match=r"^cell 1 of 3: RuntimeError$"):
        run_notebook(write_notebook(), folder, OWN, Kernels())
    assert len(tries) == 1
