"""`sbwork new` and `sbwork check` as a user types them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sbwork.cli import app
from sbwork.evaluation import evaluate_cohort

DATA = Path(__file__).parents[2] / "data"
DURHAM = DATA / "cohorts" / "durham-1"


def run(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sbwork.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=120)


def make_pilot(data: Path) -> subprocess.CompletedProcess[str]:
    surveys = [f"--survey={DURHAM / f'survey-{wave}.csv'}" for wave in ("before", "after")]
    return run("new", "pilot", *surveys, f"--incidents={DURHAM / 'incidents.zip'}", "--data", data)


def test_from_files_to_a_graded_evaluation_with_the_readme_only(tmp_path: Path) -> None:
    done = make_pilot(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "12 items (3 perhaps reversed), 3 scales, 4 sites" in done.stdout
    assert "sbwork check pilot" in done.stdout
    checked = run("check", "pilot", "--data", tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert "pilot: usable" in checked.stdout

    path = tmp_path / "cohorts" / "pilot" / "cohort.yml"
    text = re.sub(r"(?m)^( *)#(?=\S|  )", r"\1", path.read_text("utf-8"))
    codes = iter(("X01000001", "X01000011", "X01000021", "X01000031"))
    text = re.sub(r"lsoas: \[\w+\]", lambda _: f"lsoas: [{next(codes)}]", text)
    path.write_text(text.replace("control_reason:", "control_reason: Alike."), "utf-8")
    questions = tmp_path / "instruments" / "pilot.yml"
    questions.write_text(questions.read_text("utf-8").replace("#reverse:", "reverse:"), "utf-8")
    evaluation = evaluate_cohort("pilot", tmp_path)
    assert evaluation.evidence.level >= 2
    assert {"counts", "scales", "placebo", "reliability"} <= set(evaluation.findings["section"])
    assert evaluation.instrument is not None
    assert evaluation.instrument.items["trust_3"].reverse


def test_a_second_run_overwrites_nothing_and_says_so(tmp_path: Path) -> None:
    assert make_pilot(tmp_path).returncode == 0
    again = make_pilot(tmp_path)
    assert again.returncode == 2
    assert "nothing is overwritten" in again.stderr
    assert "Traceback" not in again.stderr


def test_files_are_asked_for_in_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = f'"{DURHAM / "survey-before.csv"}"\n\n\n'
    monkeypatch.setattr("sbwork.cli._is_terminal", lambda: True)
    done = CliRunner().invoke(app, ["new", "pilot", "--data", str(tmp_path)], input=typed)
    assert done.exit_code == 0, done.output
    assert "Survey file (drag it here" in done.output
    assert "Survey file (another" in done.output
    assert "Incident file" in done.output
    assert (tmp_path / "cohorts" / "pilot" / "survey-before.csv").is_file()


def test_without_a_terminal_nothing_is_asked(tmp_path: Path) -> None:
    done = run("new", "pilot", "--data", tmp_path)
    assert done.returncode == 2
    assert "there is no survey file and no incident file here" in done.stderr


def test_check_reads_all_cohorts_and_fails_if_one_cannot_be_used(tmp_path: Path) -> None:
    shutil.copytree(DATA / "cohorts" / "durham-2", tmp_path / "cohorts" / "durham-2")
    assert run("check", "--data", tmp_path).returncode == 0
    (tmp_path / "cohorts" / "bad").mkdir()
    (tmp_path / "cohorts" / "bad" / "cohort.yml").write_text("name: bad\ntittle: x\nseeed: 1\n")
    done = run("check", "--data", tmp_path)
    assert done.returncode == 2
    assert "durham-2: usable" in done.stdout
    assert "Did you mean 'title'?" in done.stderr
    assert "Did you mean 'seed'?" in done.stderr


def test_check_of_an_empty_folder_says_how_to_begin(tmp_path: Path) -> None:
    done = run("check", "--data", tmp_path)
    assert done.returncode == 2
    assert "sbwork new" in done.stderr


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_any_terminal_can_print_it(encoding: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sbwork.cli", "check", "durham-1", "--data", str(DATA)],
        capture_output=True,
        env={"PYTHONIOENCODING": encoding, "PATH": ""},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert b"durham-1: usable" in done.stdout
