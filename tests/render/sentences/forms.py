"""The forms that a report's sentences take, each with what it claims; and those that never change.

A form is a regular expression that must fit a whole sentence, and a function that recomputes from
the findings what the sentence says. No function of `sbwork.render` is used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from reader import Reader

NUMBER = r"[−+]?\d[\d,]*(?:\.\d+)?"
CHANGE = rf"{NUMBER}%"
P = r"(?:< \.001|\.\d{3}|1\.000)"
ENDS = rf"(?:{NUMBER} to (?:over )?{NUMBER}|not available)"
ENDS_PERCENT = rf"{CHANGE} to (?:over )?{CHANGE}"
COUNT = r"(?:\d[\d,]*|none)"
ALPHA = 0.05

Check = Callable[[Reader, re.Match[str]], None]


@dataclass(frozen=True)
class Form:
    """What a sentence looks like, and what it claims; of one table or picture alone if named."""

    pattern: re.Pattern[str]
    check: Check
    name: str = ""


FORMS: list[Form] = []
FIXED: set[str] = set()
"""Sentences of method: definitions and legends, which hold for every cohort."""


def form(pattern: str, name: str = "") -> Callable[[Check], Check]:
    """Register what a form of sentence claims, anywhere or only in the block called `name`."""

    def register(check: Check) -> Check:
        FORMS.append(Form(re.compile(pattern), check, name))
        return check

    return register


def fix(sentences: Iterable[str]) -> None:
    """Register sentences that hold for every cohort."""
    FIXED.update(sentences)


def find_forms(reader: Reader, sentence: str) -> list[tuple[Form | None, re.Match[str] | None]]:
    """Find the forms that a sentence fits; None stands for a fixed or a quoted one."""
    fitting: list[tuple[Form | None, re.Match[str] | None]] = [
        (each, match)
        for each in FORMS
        if each.name in ("", reader.paragraph.name)
        if (match := each.pattern.fullmatch(sentence))
    ]
    if sentence in FIXED or sentence in reader.quoted:
        fitting.append((None, None))
    return fitting
