"""A run that is stopped leaves no kernel, no half report, and the old report as it was."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import kill_runs
import psutil
import pytest

NotebookWriter = Callable[..., Path]

pytestmark = [
    pytest.mark.notebook,
    pytest.mark.skipif(sys.platform == "win32", reason="signals are sent the POSIX way"),
]

SLEEPER = """\
import os, time
Path({folder!r}, f"{{cohort_name}}.pid").write_text(str(os.getpid()))
time.sleep(120)
"""


def is_running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


@pytest.mark.parametrize(
    ("signum", "jobs", "code"),
    [
        (signal.SIGINT, 1, 130),
        (signal.SIGTERM, 2, 143),
        pytest.param(getattr(signal, "SIGKILL", None), 1, -9, id="SIGKILL"),
    ],
)
def test_no_kernel_outlives_the_run(
    toy_data: Path, write_notebook: NotebookWriter, signum: int, jobs: int, code: int
) -> None:
    folder = toy_data.parent
    out = folder / "reports"
    (out / "first").mkdir(parents=True)
    (out / "first" / "report.html").write_text("the old report", encoding="utf-8")
    notebook = write_notebook(SLEEPER.format(folder=str(folder)))
    command = [sys.executable, "-m", "sbwork", "report", "--data", toy_data, "--out", out]
    command += ["--notebook", notebook, "--jobs", str(jobs)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        written = wait_until(lambda: len(list(folder.glob("*.pid"))) == jobs, 60)
        assert written, "the notebook never started"
        time.sleep(0.1)
        kernels = [int(path.read_text(encoding="utf-8")) for path in folder.glob("*.pid")]
        assert all(is_running(pid) for pid in kernels)
        process.send_signal(signum)
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == code
    assert wait_until(lambda: not any(is_running(pid) for pid in kernels), 10)
    assert (out / "first" / "report.html").read_text(encoding="utf-8") == "the old report"
    if signum != getattr(signal, "SIGKILL", None):
        assert "stopped" in errors
        assert "Traceback" not in errors
        assert [path.name for path in out.iterdir()] == ["first"]


@pytest.mark.parametrize("way", ["worker", "group"])
def test_what_a_kill_leaves_is_mended_by_the_next_run(tmp_path: Path, way: str) -> None:
    environment = kill_runs.prepare(tmp_path)
    assert kill_runs.kill_run(tmp_path, environment, way, delay=2.5) == []
