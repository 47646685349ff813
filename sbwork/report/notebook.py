"""One notebook run to its end by papermill, in a kernel of this interpreter's own."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbwork.specs.errors import FULL, InputError, Problem, find_nearest, list_names

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = [
    "THREAD_VARIABLES",
    "Kernels",
    "NotebookError",
    "OnCell",
    "read_notebook",
    "run_notebook",
]

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
"""The environment variables that limit the threads of linear-algebra libraries."""

_START_ATTEMPTS = 3
_START_SECONDS = 90

OnCell = Callable[[int, int, str], None]
"""Called as a cell starts, with its number, the number of cells and the heading above it."""


class NotebookError(Exception):
    """A notebook did not run to its end; the message says where and why.

    `bad_input` is true when the notebook itself raised an `InputError`.
    """

    def __init__(self, reason: str, *, bad_input: bool = False) -> None:
        self.bad_input = bad_input
        super().__init__(reason)


class Kernels:
    """The kernels that are running, so that all of them can be stopped from another thread."""

    def __init__(self) -> None:
        self.stopped = False
        self._managers: list[Any] = []
        self._lock = threading.Lock()

    def add(self, manager: Any) -> None:
        """Take note of a kernel that is about to start."""
        with self._lock:
            if self.stopped:
                raise RuntimeError("the run was stopped")
            self._managers.append(manager)

    def stop(self) -> None:
        """Kill every kernel, with anything that it started, and let no other start."""
        with self._lock:
            self.stopped = True
            managers = list(self._managers)
        for manager in managers:
            _kill(manager)


def _kill(manager: Any) -> None:
    process = getattr(manager.provisioner, "process", None)
    if process is None or process.poll() is not None:
        return
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    with contextlib.suppress(Exception):
        process.wait(timeout=10)


def read_notebook(path: Path) -> NotebookNode:
    """Read a notebook file of format 4."""
    import nbformat

    if not path.is_file():
        nearby = sorted(p.name for p in path.parent.glob("*.ipynb"))
        allowed = f"Notebooks there: {list_names(nearby)}" if nearby else ""
        near = find_nearest(path.name, nearby)
        raise InputError(Problem(str(path), "", "there is no such notebook", allowed, near))
    try:
        notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
        nbformat.validate(notebook)
    except Exception:
        raise InputError(
            Problem(str(path), "", "this is not a notebook that can be read")
        ) from None
    return notebook


def run_notebook(
    notebook: Path,
    folder: Path,
    parameters: Mapping[str, Any],
    kernels: Kernels,
    *,
    timeout: float | None = None,
    threads: int | None = None,
    on_cell: OnCell | None = None,
    scratch: Path | None = None,
) -> None:
    """Run a notebook and write it, executed, to ``report.ipynb`` in `folder`.

    It is written after a failure too, which is raised as `NotebookError`. The kernel works in
    `folder`; none is left, even when the run is interrupted. `timeout` is in seconds a cell.
    Temporary files, also those of the kernel, are in `scratch`, or where the system has them.
    """
    node = read_notebook(notebook)
    for attempt in range(1, _START_ATTEMPTS + 1):
        account = _Account(node.cells, on_cell)
        try:
            with tempfile.TemporaryDirectory(
                prefix="sbwork-", dir=scratch, ignore_cleanup_errors=True
            ) as own:
                manager = _make_kernel_manager(Path(own), threads, kernels)
                return _run_once(node, folder, parameters, account, timeout, manager)
        except _NotStartedError:
            # Ports of kernels that start together can clash; no cell has run, so try again.
            if kernels.stopped or attempt == _START_ATTEMPTS:
                break
            time.sleep(attempt + random.random())  # noqa: S311
    raise NotebookError("no kernel could be started, so no cell has run; try again")


class _NotStartedError(Exception):
    """No cell has run, so that trying again is safe."""


@dataclass(slots=True)
class _Account:
    """What was seen of the run: papermill's own record is wrong after a kernel's death."""

    cells: list[Any]
    on_cell: OnCell | None
    at: int = -1
    finished: set[int] = field(default_factory=set)
    error: tuple[str, str] | None = None

    def start_cell(self, cell: Any, cell_index: int) -> None:
        self.at = cell_index
        if self.on_cell is not None:
            self.on_cell(self.number, len(self.cells), self.heading)

    def finish_cell(self, cell: Any, cell_index: int, execute_reply: Any) -> None:
        content = (execute_reply or {}).get("content", {})
        if content.get("status") == "ok":
            self.finished.add(cell_index)
        elif content.get("status") == "error":
            self.error = (content.get("ename", "Error"), content.get("evalue", ""))

    @property
    def number(self) -> int:
        """The cell's number from 1, without the one that papermill adds after the parameters."""
        before = self.cells[: max(0, self.at)]
        injected = any("parameters" in cell.metadata.get("tags", []) for cell in before)
        return max(1, self.at + 1 - injected)

    @property
    def heading(self) -> str:
        """The nearest Markdown heading at or above the cell."""
        for cell in reversed(self.cells[: self.number]):
            if cell.cell_type == "markdown":
                lines = [line for line in cell.source.splitlines() if line.startswith("#")]
                if lines:
                    return str(lines[-1].strip("# ").strip())
        return ""

    def fail(self, reason: str) -> NotebookError:
        under = f", under '{self.heading}'" if self.heading else ""
        return NotebookError(f"cell {self.number} of {len(self.cells)}{under}: {reason}")

    def explain(self, name: str, value: str) -> NotebookError:
        """Say which error a cell raised; what an `InputError` says is for the user as it is."""
        name, value = self.error or (name, value)
        if name == "InputError":
            return NotebookError(value, bad_input=True)
        # The error's own words may hold what a cell of a file says.
        return self.fail(name)

    def check(self, executed: Any) -> None:
        for index, cell in enumerate(executed.cells):
            if cell.cell_type == "code" and cell.source.strip() and index not in self.finished:
                self.at = index
                raise self.fail("the notebook stopped before its end")


def _run_once(
    node: NotebookNode,
    folder: Path,
    parameters: Mapping[str, Any],
    account: _Account,
    timeout: float | None,
    manager: Any,
) -> None:
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    for name in ("papermill", "traitlets"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    # papermill fills parameters into the braces of a path.
    output = str(folder / "report.ipynb").replace("{", "{{").replace("}", "}}")
    try:
        executed = papermill.execute_notebook(
            node,
            output,
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
            on_cell_executed=account.finish_cell,
        )
    except PapermillExecutionError as error:
        raise account.explain(error.ename, error.evalue) from None
    except CellTimeoutError:
        limit = f"{timeout:g} seconds" if timeout else "the time allowed"
        raise account.fail(f"it took longer than {limit}") from None
    except DeadKernelError:
        reason = "the kernel running it was killed or crashed; is there enough memory?"
        raise account.fail(reason) from None
    except Exception as error:
        if isinstance(error, OSError) and error.errno in FULL:
            raise
        if account.at < 0:
            raise _NotStartedError from None
        raise account.fail(type(error).__name__) from None
    finally:
        for started in manager.started:
            _kill(started)
    account.check(executed)


def _make_kernel_manager(scratch: Path, threads: int | None, kernels: Kernels) -> Any:
    """Make the class of kernel managers for one run: this interpreter, quiet, unconfigured."""
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    settings = {
        "IPYTHONDIR": str(scratch / "ipython"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONIOENCODING": "utf-8",
        **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch)),
    }
    if threads is not None:
        settings |= dict.fromkeys(THREAD_VARIABLES, str(threads))
    launcher = ["-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = KernelSpec(
        argv=[sys.executable, *launcher],
        display_name="Python 3",
        language="python",
        metadata={"debugger": False},
    )

    class RunKernelManager(AsyncKernelManager):  # type: ignore[misc]
        kernel_spec = spec
        started: list[RunKernelManager] = []  # noqa: RUF012

        async def start_kernel(self, **options: Any) -> None:
            with (scratch / "kernel.log").open("ab") as log:
                options.update(stdout=log, stderr=log, env={**os.environ, **settings})
                kernels.add(self)
                self.started.append(self)
                self.connection_file = str(scratch / "kernel.json")
                await super().start_kernel(**options)
            if kernels.stopped:
                _kill(self)

    return RunKernelManager
