"""A report's folder appears whole or not at all, and nothing else is lost or left."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

import pytest

from sbwork.report.staging import claim_report, clear_leftovers, stage_folder
from sbwork.specs.errors import InputError


def list_files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "reports" / "pilot"

    def fill(name: str, *, fail: bool) -> None:
        with stage_folder(target) as staged:
            (staged / name).touch()
            if fail:
                raise RuntimeError

    with pytest.raises(RuntimeError):
        fill("half.txt", fail=True)
    assert list(target.parent.iterdir()) == []
    fill("results.csv", fail=False)
    with pytest.raises(RuntimeError):
        fill("half.txt", fail=True)
    assert [path.name for path in target.parent.rglob("*")] == ["pilot", "results.csv"]
    fill("report.html", fail=False)
    assert [path.name for path in target.parent.rglob("*")] == ["pilot", "report.html"]


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
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with pytest.raises(PermissionError), stage_folder(target):
        pass
    assert [path.name for path in tmp_path.rglob("*")] == ["pilot", "old.txt"]


def test_what_a_killed_run_left_is_mended_and_a_live_run_is_left_alone(tmp_path: Path) -> None:
    scratch = Path(tempfile.gettempdir(), f"sbwork-test-{tmp_path.parent.name}-{tmp_path.name}")
    for name in (".pilot.old", ".a.staging-x", ".b.staging-y", str(scratch)):
        (tmp_path / name).mkdir()
    (tmp_path / ".pilot.old" / "old.txt").touch()
    (tmp_path / ".a.lock").write_text(str(scratch), encoding="utf-8")
    with claim_report(tmp_path / "b") as own:
        clear_leftovers(tmp_path)
        assert own.is_dir()
        assert list_files(tmp_path) == [".b.lock", ".b.staging-y", "pilot", "pilot/old.txt"]
        with pytest.raises(InputError, match="another run"), claim_report(tmp_path / "b"):
            pass
    assert not own.exists()
    assert not scratch.exists()
    clear_leftovers(tmp_path)
    assert list_files(tmp_path) == ["pilot", "pilot/old.txt"]


def test_files_of_a_user_stay_or_are_named(tmp_path: Path) -> None:
    target = tmp_path / "pilot"

    def publish(*names: str) -> None:
        with stage_folder(target) as staged:
            for name in names:
                (staged / name).parent.mkdir(exist_ok=True)
                (staged / name).write_text("new", encoding="utf-8")
            text = json.dumps({"outputs": dict.fromkeys(names)})
            (staged / "manifest.json").write_text(text, encoding="utf-8")

    publish("report.html", "figures/gone.svg")
    (target / "notes" / "mine").mkdir(parents=True)
    (target / "notes" / "mine" / "minutes.txt").write_text("mine", encoding="utf-8")
    (target / "figures" / "own.svg").write_text("mine", encoding="utf-8")
    (target / "report.html").write_text("touched", encoding="utf-8")
    publish("report.html", "figures/new.svg")
    files = [name for name in list_files(target) if (target / name).is_file()]
    kept = ["figures/own.svg", "notes/mine/minutes.txt"]
    assert files == ["figures/new.svg", "figures/own.svg", "manifest.json", kept[1], "report.html"]
    assert (target / "report.html").read_text(encoding="utf-8") == "new"
    with pytest.raises(InputError, match=r"in the way: 'figures/own\.svg'"):
        publish("report.html", "figures/own.svg")
    assert {(target / name).read_text(encoding="utf-8") for name in kept} == {"mine"}
    (target / "manifest.json").write_text("{", encoding="utf-8")
    publish("report.html")
    assert [name for name in list_files(target) if (target / name).is_file()] == [
        "manifest.json",
        "notes/mine/minutes.txt",
        "report.html",
    ]
    assert list_files(tmp_path)[0] == "pilot"


@pytest.mark.parametrize("kind", ["file", "link"])
def test_what_is_no_folder_is_never_replaced(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "pilot"
    if kind == "file":
        target.write_text("mine", encoding="utf-8")
    else:
        (tmp_path / "elsewhere").mkdir()
        target.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="file or a link"), claim_report(target):
        pass
    assert target.is_symlink() or target.is_file()
