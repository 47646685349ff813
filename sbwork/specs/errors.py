"""What is said when an input can't be used: where, what was found, what is allowed."""

from __future__ import annotations

import errno
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from sbwork.specs.masks import mask_name

FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
"""What the system calls a full disk."""

_LONGEST_QUOTE = 80
_LONGEST_PLACE = 300
_LONGEST_MASKED = 1000
_MOST_PROBLEMS = 50


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with one place of one file.

    `place` is a line, a row and column or a key, empty for the whole file; `found` is a sentence
    without its full stop; `allowed` is what may stand there instead, or what to do; `nearest` is
    the allowed name most like the one found, if any.
    """

    file: str
    place: str
    found: str
    allowed: str = ""
    nearest: str = ""

    def __str__(self) -> str:
        file, place = quote(self.file, _LONGEST_PLACE), quote(self.place, _LONGEST_PLACE)
        text = f"{file}, {place}" if place else file
        text += f": {_end_sentence(self.found)}"
        if self.nearest:
            text += f" Did you mean '{quote(self.nearest)}'?"
        if self.allowed:
            text += f" {_end_sentence(self.allowed)}"
        return " ".join(text.splitlines())


class InputError(ValueError):
    """Input that can't be used; the message is fit to be shown as it stands.

    The message holds one line a problem, up to a readable number; `problems` holds them all.

    Parameters
    ----------
    problems : Problem or iterable of Problem
        Everything that was found wrong, in reading order; at least one.

    Examples
    --------
    >>> print(InputError(Problem("cohort.yml", "line 3", "'tittle' is not a key", nearest="title")))
    cohort.yml, line 3: 'tittle' is not a key. Did you mean 'title'?
    """

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        if not self.problems:
            raise ValueError("an InputError needs at least one problem")
        lines = [str(problem) for problem in self.problems[:_MOST_PROBLEMS]]
        left = len(self.problems) - len(lines)
        if left:
            lines.append(f"and {left} more like these")
        super().__init__("\n".join(lines))

    def __reduce__(self) -> tuple[type[InputError], tuple[tuple[Problem, ...]]]:
        return type(self), (self.problems,)


def explain_error(error: BaseException) -> str:
    """Say in plain words what went wrong that is no fault of the input.

    Of an error that nobody foresaw only its class and its place are named, since its own words may
    hold what a file says.
    """
    if isinstance(error, MemoryError):
        return "there was not enough memory: close other programs, then try again"
    if isinstance(error, OSError):
        if error.errno in FULL:
            return "the disk is full: make room on it, then try again"
        name = f"'{quote(Path(str(error.filename)).name)}': " if error.filename else ""
        if isinstance(error, PermissionError):
            return f"{name}it can't be written: close it in other programs, then try again"
        return f"{name}{error.strerror or type(error).__name__}"
    frames = traceback.extract_tb(error.__traceback__)
    place = f", in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return f"an error that sbwork did not foresee ({type(error).__name__}{place})"


def find_nearest(name: object, allowed: Iterable[str]) -> str:
    """Return the allowed name most like `name`, or an empty string.

    Case, spaces, hyphens and underscores count for nothing in the comparison.
    """
    plain = {_fold(option): option for option in allowed}
    close = get_close_matches(_fold(str(name)[:200]), list(plain), n=1, cutoff=0.6)
    return plain[close[0]] if close else ""


def list_names(names: Sequence[str], most: int = 12) -> str:
    """Join names for a message, cutting a long list short and saying so."""
    shown = ", ".join(f"'{quote(name)}'" for name in names[:most])
    left = len(names) - most
    return f"{shown} and {left} more" if left > 0 else shown


def quote(value: object, longest: int = _LONGEST_QUOTE) -> str:
    """Return `value` as text safe to print: one line, no controls, no personal data, not too long.

    It is for names and for what stands in cohort.yml; cells are never quoted (see `describe_cell`).
    """
    text = mask_name(str(value)[:_LONGEST_MASKED])[: longest + 1]
    text = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _end_sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _fold(name: str) -> str:
    return "".join(char for char in name.casefold() if char not in " -_")
