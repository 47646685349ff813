"""The kernel that runs a report: this interpreter, quiet, and gone when the run is over."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

__all__ = ["THREAD_VARIABLES", "make_kernel_manager", "stop_kernels"]

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
"""The environment variables that hold the linear-algebra libraries to a number of threads."""


class ReportKernelManager(AsyncKernelManager):  # type: ignore[misc]
    """Start a kernel of this interpreter, whatever kernels the user has registered."""

    scratch: Path
    settings: Mapping[str, str]
    started: list[ReportKernelManager]

    @property
    def kernel_spec(self) -> KernelSpec:
        """The one kernel: the interpreter that runs sbwork."""
        return KernelSpec(
            argv=[
                sys.executable,
                "-Xfrozen_modules=off",
                "-m",
                "ipykernel_launcher",
                "-f",
                "{connection_file}",
            ],
            display_name="Python 3",
            language="python",
            metadata={"debugger": False},
        )

    async def start_kernel(self, **options: Any) -> None:
        """Start it, its own chatter going to a file and not to the terminal."""
        with (self.scratch / "kernel.log").open("ab") as log:
            options.update(stdout=log, stderr=log, env={**os.environ, **self.settings})
            self.started.append(self)
            await super().start_kernel(**options)


def make_kernel_manager(
    scratch: Path, threads: int | None
) -> tuple[type[ReportKernelManager], list[ReportKernelManager]]:
    """Make the class of kernel managers for one run.

    Parameters
    ----------
    scratch : Path
        A temporary folder for the kernel's log and settings; the user's own IPython start-up
        files are not read.
    threads : int or None
        The most threads for linear algebra; None leaves the choice to the libraries.

    Returns
    -------
    type
        To be handed to nbclient.
    list of ReportKernelManager
        Filled with every manager as it starts its kernel; see `stop_kernels`.
    """
    settings = {
        "IPYTHONDIR": str(scratch / "ipython"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONIOENCODING": "utf-8",
    }
    if threads is not None:
        settings |= dict.fromkeys(THREAD_VARIABLES, str(threads))
    started: list[ReportKernelManager] = []
    namespace = {"scratch": scratch, "settings": settings, "started": started}
    return type("RunKernelManager", (ReportKernelManager,), namespace), started


def stop_kernels(started: list[ReportKernelManager]) -> None:
    """Kill what still runs of the kernels started, with anything that they started."""
    for manager in started:
        process = getattr(manager.provisioner, "process", None)
        if process is None or process.poll() is not None:
            continue
        with contextlib.suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
        with contextlib.suppress(Exception):
            process.wait(timeout=10)
