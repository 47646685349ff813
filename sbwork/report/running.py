"""One notebook run to its end, and what became of it, by our own account."""

from __future__ import annotations

import logging
import random
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sbwork.report.parameters import read_cells

__all__ = ["RunEnd", "find_heading", "run_notebook"]

_START_ATTEMPTS = 3
_START_SECONDS = 90

OnCell = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended.

    Attributes
    ----------
    state : {"ok", "failed", "bad input"}
        "bad input" when the notebook raised `InputError`.
    reason : str
        What to tell the user; empty when all went well.
    """

    state: Literal["ok", "failed", "bad input"]
    reason: str = ""


@dataclass(slots=True)
class _Account:
    """What was seen of the run: papermill's own record can't be trusted after a crash."""

    headings: list[str]
    injected: int | None
    on_cell: OnCell | None
    at: int = -1
    launched: bool = False
    finished: set[int] = field(default_factory=set)
    error: tuple[str, str] | None = None

    def start_cell(self, cell: Any, cell_index: int) -> None:
        self.at = cell_index
        if self.on_cell is not None:
            self.on_cell(self.number(cell_index), len(self.headings), self.heading(cell_index))

    def launch_cell(self, cell: Any, cell_index: int) -> None:
        self.launched = True

    def finish_cell(self, cell: Any, cell_index: int, execute_reply: Any) -> None:
        content = (execute_reply or {}).get("content", {})
        if content.get("status") == "ok":
            self.finished.add(cell_index)
        elif content.get("status") == "error":
            self.error = (content.get("ename", "Error"), content.get("evalue", ""))

    def number(self, index: int) -> int:
        """Return the cell's number in the notebook as its author has it, from 1."""
        shift = 1 if self.injected is not None and index >= self.injected else 0
        return max(1, index + 1 - shift)

    def heading(self, index: int) -> str:
        return self.headings[min(self.number(index), len(self.headings)) - 1]

    def place(self) -> str:
        heading = self.heading(self.at)
        under = f", under '{heading}'" if heading else ""
        return f"cell {self.number(self.at)} of {len(self.headings)}{under}"


def run_notebook(
    notebook: Path,
    folder: Path,
    parameters: Mapping[str, Any],
    *,
    timeout: float | None = None,
    threads: int | None = None,
    on_cell: OnCell | None = None,
) -> RunEnd:
    """Run a notebook in a kernel of its own.

    Parameters
    ----------
    notebook : Path
        The notebook; it is not changed.
    folder : Path
        Where the kernel works and where ``report.ipynb`` is written, also after a failure.
    parameters : mapping of str to object
        Plain JSON values, checked beforehand.
    timeout : float, optional
        The longest that one cell may take, in seconds.
    threads : int, optional
        The most threads for linear algebra.
    on_cell : callable, optional
        Called as each cell starts with its number, the number of cells, and the heading above it.

    Returns
    -------
    RunEnd
        No failure of the notebook is raised. No kernel is left, even when the run is interrupted.

    Raises
    ------
    InputError
        The notebook can't be read.
    KeyboardInterrupt
        The run was stopped by the user.
    """
    cells = read_cells(notebook)
    headings = [find_heading(cells, index) for index in range(len(cells))]
    tagged = [i for i, cell in enumerate(cells) if "parameters" in cell["metadata"].get("tags", [])]
    injected = tagged[0] + 1 if tagged else None
    for attempt in range(1, _START_ATTEMPTS + 1):
        account = _Account(headings, injected, on_cell)
        end = _run_once(notebook, folder, parameters, account, timeout, threads)
        if end is not None:
            return end
        if attempt < _START_ATTEMPTS:
            time.sleep(attempt + random.random())  # noqa: S311
    return RunEnd("failed", "no kernel could be started, so no cell has run; try again")


def find_heading(cells: list[dict[str, Any]], index: int) -> str:
    """Return the nearest Markdown heading at or above a cell, or an empty string."""
    for cell in reversed(cells[: index + 1]):
        if cell["cell_type"] == "markdown":
            lines = [line for line in cell["source"].splitlines() if line.startswith("#")]
            if lines:
                return str(lines[-1].strip("# ").strip())
    return ""


def _run_once(
    notebook: Path,
    folder: Path,
    parameters: Mapping[str, Any],
    account: _Account,
    timeout: float | None,
    threads: int | None,
) -> RunEnd | None:
    """Run once; None means that the kernel never started, so that trying again is safe."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import papermill
        from nbclient.exceptions import CellTimeoutError, DeadKernelError
        from papermill.exceptions import PapermillExecutionError

        from sbwork.report.kernels import make_kernel_manager, stop_kernels

    for name in ("papermill", "traitlets"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="sbwork-", ignore_cleanup_errors=True) as scratch:
        manager, started = make_kernel_manager(Path(scratch), threads)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                executed = papermill.execute_notebook(
                    str(notebook),
                    str(folder / "report.ipynb"),
                    parameters=dict(parameters),
                    kernel_name="python3",
                    language="python",
                    progress_bar=False,
                    start_timeout=_START_SECONDS,
                    execution_timeout=timeout,
                    kernel_manager_class=manager,
                    resources={"metadata": {"path": str(folder)}},
                    shutdown_kernel="immediate",
                    on_cell_start=account.start_cell,
                    on_cell_execute=account.launch_cell,
                    on_cell_executed=account.finish_cell,
                )
        except PapermillExecutionError as error:
            return _explain_error(account, account.error or (error.ename, error.evalue))
        except CellTimeoutError:
            limit = f"{timeout:g} seconds" if timeout else "the time allowed"
            return RunEnd("failed", f"{account.place()}: it took longer than {limit}")
        except DeadKernelError:
            reason = "the kernel running it was killed or crashed; is there enough memory?"
            return RunEnd("failed", f"{account.place()}: {reason}")
        except Exception as error:
            if not account.launched:
                return None
            return RunEnd("failed", f"{account.place()}: {type(error).__name__}: {error}")
        finally:
            stop_kernels(started)
    return _check_finished(account, executed)


def _explain_error(account: _Account, error: tuple[str, str]) -> RunEnd:
    name, value = error
    if name == "InputError":
        return RunEnd("bad input", value)
    last = value.strip().splitlines()[-1] if value.strip() else ""
    return RunEnd("failed", f"{account.place()}: {name}{': ' + last if last else ''}")


def _check_finished(account: _Account, executed: Any) -> RunEnd:
    for index, cell in enumerate(executed.cells):
        wants_run = cell.cell_type == "code" and cell.source.strip()
        if wants_run and index not in account.finished:
            account.at = index
            return RunEnd("failed", f"{account.place()}: the notebook stopped before its end")
    return RunEnd("ok")
