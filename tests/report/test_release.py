"""What `sbwork release` keeps, and what it refuses."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sbwork.cli import app
from sbwork.evaluation import evaluate_cohort
from sbwork.report.manifest import describe_sources, write_manifest
from sbwork.report.release import release_report
from sbwork.report.results import write_results
from sbwork.specs.cohort import read_cohort
from sbwork.specs.errors import InputError

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Make what the notebook and the manifest leave of a report, in the folder reports."""
    shutil.copytree(DATA / "cohorts" / "durham-2", tmp_path / "data" / "cohorts" / "durham-2")
    (tmp_path / "data" / "instruments").mkdir()
    make_report(tmp_path)
    return tmp_path


def make_report(folder: Path) -> None:
    data, report = folder / "data", folder / "reports" / "durham-2"
    write_results(report, evaluate_cohort("durham-2", data).publishable)
    cohort = read_cohort("durham-2", data)
    write_manifest(report, {}, describe_sources(cohort, data, Path(__file__), {}))


def test_what_is_kept_is_small_and_readable(made: Path) -> None:
    kept = release_report("durham-2", made / "data", made / "reports")
    assert sorted(path.name for path in kept.iterdir()) == [
        "cells.json", "release.json", "results.csv"
    ]  # fmt: skip
    assert kept.parent == made / "data" / "cohorts" / "durham-2" / "releases"
    published = made / "reports" / "durham-2" / "results.csv"
    assert (kept / "results.csv").read_bytes() == published.read_bytes()
    assert not [path for path in kept.parent.iterdir() if path != kept]


def change_nothing(made: Path) -> None:
    release_report("durham-2", made / "data", made / "reports")


def change_inputs(made: Path) -> None:
    file = made / "data" / "cohorts" / "durham-2" / "cohort.yml"
    file.write_text(file.read_text("utf-8") + "\n# later\n", "utf-8")


def change_results(made: Path) -> None:
    file = made / "reports" / "durham-2" / "results.csv"
    file.write_text(file.read_text("utf-8").replace("1", "2"), "utf-8")


def remove_report(made: Path) -> None:
    shutil.rmtree(made / "reports" / "durham-2")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (change_nothing, "was released already"),
        (change_inputs, "changed since"),
        (change_results, "'results.csv' was changed after the report was made"),
        (remove_report, "there is no finished report here"),
    ],
    ids=["released", "inputs", "results", "none"],
)
def test_a_report_that_is_not_of_the_files_is_refused(change, said: str, made: Path) -> None:
    change(made)
    place = made / "data" / "cohorts" / "durham-2" / "releases"
    before = sorted(place.rglob("*"))
    with pytest.raises(InputError, match=said):
        release_report("durham-2", made / "data", made / "reports")
    assert sorted(place.rglob("*")) == before


def test_the_command_says_where_it_is_kept(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made)
    found = CliRunner().invoke(app, ["release", "durham-2"])
    assert found.exit_code == 0
    assert "Released: data/cohorts/durham-2/releases/" in found.output.replace("\\", "/")
    assert CliRunner().invoke(app, ["check", "durham-2"]).exit_code == 0
