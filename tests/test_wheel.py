"""Installed from a wheel, outside a clone: examples are copied, and reports are made of them."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that holds what the wheel puts into an environment."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "installed")
    return folder / "installed"


def run(installed: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sbwork", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(installed)},
        timeout=300,
    )


def test_the_wheel_carries_notebooks_and_examples_and_nothing_of_a_run(installed: Path) -> None:
    examples = installed / "sbwork" / "examples"
    assert (examples / "notebooks" / "cohort_report.ipynb").is_file()
    assert (examples / "data" / "cohorts" / "durham-1" / "incidents.zip").is_file()
    assert not list(installed.rglob(".*"))
    assert {path.name for path in installed.iterdir() if path.suffix != ".dist-info"} == {"sbwork"}


@pytest.mark.notebook
def test_examples_are_copied_and_reported_in_an_empty_folder(
    installed: Path, tmp_path: Path
) -> None:
    lost = run(installed, tmp_path, "report")
    assert lost.returncode == 2
    assert "sbwork new --example" in lost.stderr
    copied = run(installed, tmp_path, "new", "--example")
    assert copied.returncode == 0, copied.stderr
    assert "(invented data)" in copied.stdout
    done = run(installed, tmp_path, "report", "durham-2")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "reports" / "durham-2" / "report.html").is_file()
    again = run(installed, tmp_path, "new", "--example")
    assert again.returncode == 2
    assert "nothing is overwritten" in again.stderr


def test_a_data_folder_of_ones_own_is_enough(installed: Path, tmp_path: Path) -> None:
    """The notebook comes with the package: its parameters are read before anything runs."""
    assert run(installed, tmp_path, "new", "--example", "room").returncode == 0
    (tmp_path / "room" / "data").rename(tmp_path / "own")
    found = run(installed, tmp_path, "report", "durham-2", "--data", "own", "-p", "sede=3")
    assert found.returncode == 2
    assert "the notebook has no such parameter. Did you mean 'seed'?" in found.stderr
