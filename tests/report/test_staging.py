"""A report's folder appears whole or not at all, and says what it was made from."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path

import pytest

from sbwork.report.manifest import (
    describe_sources,
    is_current,
    list_inputs,
    read_manifest,
    write_manifest,
)
from sbwork.report.staging import StagedFolder, check_folder, clear_leftovers
from sbwork.specs.cohort import read_cohort
from sbwork.specs.errors import InputError


def test_nothing_appears_unless_published(tmp_path: Path) -> None:
    target = tmp_path / "reports" / "pilot"
    with StagedFolder(target) as staged:
        (staged.path / "report.html").write_text("half", encoding="utf-8")
    assert list(target.parent.iterdir()) == []


def test_an_old_report_stays_until_a_new_one_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "pilot"
    target.mkdir()
    (target / "old.txt").touch()
    with StagedFolder(target) as staged:
        (staged.path / "new.txt").touch()
    assert [path.name for path in target.iterdir()] == ["old.txt"]
    with StagedFolder(target) as staged:
        (staged.path / "new.txt").touch()
        staged.publish()
    assert [path.name for path in tmp_path.rglob("*")] == ["pilot", "new.txt"]


def test_the_old_report_is_put_back_when_the_move_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "pilot"
    target.mkdir()
    (target / "old.txt").touch()
    rename = Path.rename

    def fail(path: Path, to: Path) -> Path:
        if ".staging-" in path.name:
            raise PermissionError(13, "in use", str(path))
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", fail)
    with StagedFolder(target) as staged, pytest.raises(PermissionError):
        staged.publish()
    assert [path.name for path in tmp_path.rglob("*")] == ["pilot", "old.txt"]


def test_a_crash_between_the_two_moves_is_mended(tmp_path: Path) -> None:
    (tmp_path / ".pilot.old").mkdir()
    (tmp_path / ".pilot.old" / "old.txt").touch()
    stale, young = tmp_path / ".a.staging-x", tmp_path / ".b.staging-y"
    for folder in (stale, young):
        folder.mkdir()
    two_days_ago = time.time() - 2 * 86400
    os.utime(stale, (two_days_ago, two_days_ago))
    clear_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".b.staging-y", "pilot"]
    assert (tmp_path / "pilot" / "old.txt").exists()


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "reports").touch()
    with pytest.raises(InputError, match="this is a file"):
        check_folder(tmp_path / "reports")
    check_folder(tmp_path / "new" / "deep")


def test_every_file_that_counts_is_an_input(toy_data: Path) -> None:
    cohort = toy_data / "cohorts" / "first"
    (cohort / "archive" / "2017-07").mkdir(parents=True)
    (cohort / "archive" / "2017-07" / "street.csv").touch()
    outside = toy_data.parent / "elsewhere" / "lookup.csv"
    outside.parent.mkdir()
    outside.touch()
    (cohort / "notes.txt").touch()
    (cohort / "cohort.yml").write_text(
        "name: first\nincidents: [{path: archive}]\n"
        "geography: {lookup: ../../../elsewhere/lookup.csv}\n",
        encoding="utf-8",
    )
    assert list(list_inputs(read_cohort("first", toy_data), toy_data)) == [
        "(elsewhere)/elsewhere/lookup.csv",
        "cohorts/first/archive/2017-07/street.csv",
        "cohorts/first/cohort.yml",
    ]


def test_a_report_is_current_until_anything_behind_it_changes(
    toy_data: Path, toy_notebook: Path, tmp_path: Path
) -> None:
    def describe(**parameters: object) -> dict[str, object]:
        cohort = read_cohort("first", toy_data)
        return describe_sources(cohort, toy_data, toy_notebook, parameters)

    folder = tmp_path / "report"
    folder.mkdir()
    assert not is_current(folder, describe())
    (folder / "report.html").write_text("page", encoding="utf-8")
    write_manifest(folder, {"title": "x"}, describe())
    assert is_current(folder, describe())
    assert not is_current(folder, describe(seed=3))

    digest = hashlib.sha256(b"page").hexdigest()
    manifest = read_manifest(folder)
    assert manifest["outputs"] == {"report.html": digest}
    assert manifest["seed"] == read_cohort("first", toy_data).seed
    assert {"numpy", "pandas", "papermill"} <= set(manifest["packages"])
    assert str(tmp_path) not in json.dumps(manifest)

    spec = toy_data / "cohorts" / "first" / "cohort.yml"
    text = spec.read_text(encoding="utf-8")
    spec.write_text(text + "# a comment\n", encoding="utf-8")
    assert not is_current(folder, describe())
    spec.write_text(text, encoding="utf-8")
    assert is_current(folder, describe())
    (folder / "report.html").unlink()
    assert not is_current(folder, describe())
