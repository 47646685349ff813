"""A folder that appears whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from pathlib import Path
from types import TracebackType

from sbwork.specs.errors import InputError, Problem

__all__ = ["StagedFolder", "check_folder", "clear_leftovers", "remove_empty"]

_STALE_SECONDS = 24 * 3600


class StagedFolder:
    """A folder filled beside its place, then moved into it in one step.

    Parameters
    ----------
    target : Path
        Where the folder is to appear. One that is there already stays untouched until `publish`.

    Attributes
    ----------
    path : Path
        The folder to fill: a sibling of `target`, so that relative paths out of it hold after
        the move.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as room:
    ...     with StagedFolder(Path(room) / "report") as staged:
    ...         _ = (staged.path / "page.html").write_text("whole")
    ...         staged.publish()
    ...     sorted(path.name for path in Path(room).rglob("*"))
    ['page.html', 'report']
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self._old = target.parent / f".{target.name}.old"
        self.path = Path()

    def __enter__(self) -> StagedFolder:
        self.target.parent.mkdir(parents=True, exist_ok=True)
        self.path = Path(
            tempfile.mkdtemp(prefix=f".{self.target.name}.staging-", dir=self.target.parent)
        )
        self.path.chmod(0o755)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    def publish(self) -> None:
        """Move the filled folder into its place; the old one is put back if that fails.

        Raises
        ------
        OSError
            The old folder can't be moved, as when one of its files is open on Windows.
        """
        had_one = self.target.exists()
        if had_one:
            shutil.rmtree(self._old, ignore_errors=True)
            self.target.rename(self._old)
        try:
            self.path.rename(self.target)
        except OSError:
            if had_one:
                self._old.rename(self.target)
            raise
        shutil.rmtree(self._old, ignore_errors=True)


def clear_leftovers(folder: Path) -> None:
    """Tidy after a run whose machine went down: restore a moved report, drop stale staging.

    Parameters
    ----------
    folder : Path
        The folder of reports; it need not exist.
    """
    for old in folder.glob(".*.old"):
        target = folder / old.name[1 : -len(".old")]
        if target.exists():
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.replace(target)
    for staging in folder.glob(".*.staging-*"):
        if time.time() - staging.stat().st_mtime > _STALE_SECONDS:
            shutil.rmtree(staging, ignore_errors=True)


def remove_empty(folder: Path) -> None:
    """Remove a folder in which nothing was left; one that holds anything stays."""
    with contextlib.suppress(OSError):
        folder.rmdir()


def check_folder(folder: Path) -> None:
    """Refuse an output folder that can't be written to.

    Raises
    ------
    InputError
        It is a file, or may not be written.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(Problem(str(folder), "", "this is a file; a folder is wanted"))
    place = folder if folder.exists() else next(p for p in folder.absolute().parents if p.exists())
    if not os.access(place, os.W_OK):
        raise InputError(Problem(str(folder), "", "this folder may not be written to"))
