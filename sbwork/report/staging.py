"""A report's folder, filled out of sight and moved into its place whole; what killed runs leave."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from sbwork.report.manifest import MANIFEST, read_manifest
from sbwork.specs.errors import InputError, Problem, list_names

__all__ = ["claim_report", "clear_leftovers", "remove_empty", "stage_folder"]

_MADE = {"report.html", "report.ipynb", "results.csv", "results.json", MANIFEST}
_FIGURES = "figures"
_WAITS = (0.2, 0.5, 1.0, 2.0)
_SCRATCH = "sbwork-"


@contextlib.contextmanager
def claim_report(target: Path) -> Iterator[Path]:
    """Keep other runs away from a report, and give a folder for what is needed for a while only.

    Both end with the process, however it ends: the system drops the lock, and the next run removes
    the folder, whose name the lock file holds.
    """
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        found = "this is a file or a link, where the folder of a report belongs"
        raise InputError(Problem(str(target), "", found, "Move it away"))
    target.parent.mkdir(parents=True, exist_ok=True)
    with _lock(target) as lock:
        if lock is None:
            found = "another run is making this report"
            raise InputError(Problem(str(target), "", found, "Wait for its end"))
        scratch = Path(tempfile.gettempdir(), _SCRATCH + secrets.token_hex(8))
        lock.truncate(0)
        lock.write(str(scratch))
        lock.flush()
        scratch.mkdir(mode=0o700)
        try:
            yield scratch
        finally:
            _remove(scratch)


@contextlib.contextmanager
def stage_folder(target: Path) -> Iterator[Path]:
    """Give a folder to fill, moved into its place in one step when the block ends well.

    It is a sibling of `target`, so that relative paths out of it stay right. What is there
    already is not touched before, and put back if the move fails, as when one of its files is
    open on Windows. Files that no run made are carried over.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix=f".{target.name}.staging-", dir=target.parent))
    try:
        staged.chmod(0o755)
        yield staged
        _publish(staged, target)
    finally:
        _remove(staged)


def clear_leftovers(folder: Path) -> None:
    """Tidy after runs that were killed: put back a report that was being replaced, drop the rest.

    What a run that is still alive works on is left alone.
    """
    kinds = (".*.old", ".*.staging-*", ".*.lock")
    names = {path.name.split(".")[1] for kind in kinds for path in folder.glob(kind)}
    for name in sorted(names - {""}):
        target = folder / name
        with contextlib.suppress(OSError), _lock(target) as lock:
            if lock is None:
                continue
            lock.seek(0)
            scratch = Path(lock.read(1000))
            if scratch.parent == Path(tempfile.gettempdir()) and scratch.name.startswith(_SCRATCH):
                _remove(scratch)
            old = _name_old(target)
            if old.is_dir() and not target.exists():
                _move(old, target)
            for path in (old, *folder.glob(f".{name}.staging-*")):
                _remove(path)


def remove_empty(folder: Path) -> None:
    """Remove a folder in which nothing was left; one that holds anything stays."""
    with contextlib.suppress(OSError):
        folder.rmdir()


def _name_old(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")


def _publish(staged: Path, target: Path) -> None:
    old = _name_old(target)
    replacing = target.exists()
    if replacing:
        _carry_over(target, staged)
        _remove(old)
        _move(target, old)
    try:
        _move(staged, target)
    except OSError:
        if replacing:
            _move(old, target)
        raise
    _remove(old)


def _carry_over(target: Path, staged: Path) -> None:
    """Copy what a user put beside a report; a file in the place of a new one is refused."""
    outputs = read_manifest(target).get("outputs")
    made = _MADE | set(outputs if isinstance(outputs, dict) else ())
    clashes = []
    for folder, folders, files in os.walk(target):
        links = [name for name in folders if Path(folder, name).is_symlink()]
        for name in [*files, *links]:
            inside = Path(folder, name).relative_to(target)
            mine = inside.as_posix() in made or (not outputs and inside.parts[0] == _FIGURES)
            if not mine and (staged / inside).exists():
                clashes.append(inside.as_posix())
            elif not mine:
                (staged / inside).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(target / inside, staged / inside, follow_symlinks=False)
    if clashes:
        found = f"files that no run made are in the way: {list_names(sorted(clashes))}"
        raise InputError(Problem(str(target), "", found, "Move them away, then run again"))


def _move(path: Path, to: Path) -> None:
    """Rename a folder; Windows refuses while a virus scanner or an index looks into it."""
    for wait in (*_WAITS, None):
        try:
            path.rename(to)
            return
        except PermissionError:
            if wait is None:
                raise
            time.sleep(wait)


def _remove(path: Path) -> None:
    """Remove a folder, into which a program that is about to end may still be writing."""
    for wait in _WAITS[:2]:
        if path.is_symlink() or path.is_file():
            path.unlink()
        shutil.rmtree(path, ignore_errors=True)
        if not path.exists():
            return
        time.sleep(wait)


@contextlib.contextmanager
def _lock(target: Path) -> Iterator[IO[str] | None]:
    """Hold the lock of a report; None where another process has it."""
    path = target.with_name(f".{target.name}.lock")
    with path.open("a+", encoding="utf-8", errors="surrogateescape") as file:
        mine = _lock_file(file, path)
        try:
            yield file if mine else None
        finally:
            if mine and sys.platform != "win32":
                path.unlink(missing_ok=True)
    if mine and sys.platform == "win32":
        with contextlib.suppress(OSError):
            path.unlink()


def _lock_file(file: IO[str], path: Path) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The one who had the lock may have removed the file between the two steps.
            return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except OSError as error:
        # Folders of some networks know no locks.
        return error.errno not in {errno.EACCES, errno.EAGAIN, errno.EDEADLK, errno.ENOENT}
    return True
