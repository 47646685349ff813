"""Every paragraph of a cohort's report, and the sentences that it is made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sbwork
from sbwork.evaluation import Evaluation
from sbwork.render.blocks import Bullets, Picture
from sbwork.render.views import REPORT

_WORDED = {
    "headings": "What this report holds",
    "kinds": "What there is",
    "pairs": "Why it was chosen",
}
"""Tables with a column of sentences."""

_NUMBERS = "one|two|three|four|five|six|seven|eight|nine|ten|once|twice|half|quarter|percent"
_QUANTIFIERS = (
    "none|no|nobody|nothing|never|not any|all|every|everything|everybody|any|each|both|neither|"
    "nor|either|most|many|few|several|some|only|alone|always|often|rest"
)
_CLAIM = re.compile(rf"\d|\b(?:{_NUMBERS}|{_QUANTIFIERS})\b", re.IGNORECASE)
_ENDS = re.compile(r"(?<=[.?!])\s+")


@dataclass(frozen=True)
class Paragraph:
    """A run of sentences that stand together.

    Attributes
    ----------
    section : str
        One of `REPORT`.
    place : {"text", "point", "alt", "caption", "title", "note", "cell"}
        What kind of block it is of.
    name : str
        The id of its table or picture; empty for text.
    text : str
        All of it.
    picture : Picture or None
        The picture whose words they are.
    """

    section: str
    place: str
    name: str
    text: str
    picture: Picture | None = None


def read_report(evaluation: Evaluation) -> list[Paragraph]:
    """Read all paragraphs of a report, as notebooks/cohort_report.ipynb shows them."""
    return [
        Paragraph(section, place, name, text, block if isinstance(block, Picture) else None)
        for section in REPORT
        for block in sbwork.view(evaluation, section).blocks
        for place, name, text in _read_block(block)
        if text
    ]


def split_sentences(text: str) -> list[str]:
    """Split a paragraph after each full stop, question mark or exclamation mark before a space.

    A decimal point has no space behind it, and the reports use no abbreviation with a point.
    """
    return [sentence for sentence in _ENDS.split(text.strip()) if sentence]


def makes_claim(sentence: str) -> bool:
    """Say whether a sentence holds a number or a word such as "none" or "all"."""
    return bool(_CLAIM.search(sentence))


def _read_block(block: Any) -> Iterator[tuple[str, str, str]]:
    if isinstance(block, str):
        yield "text", "", block
    elif isinstance(block, Bullets):
        for point in block.points:
            yield "point", "", point
    elif isinstance(block, Picture):
        yield "alt", block.name, block.alt
        yield "caption", block.name, block.caption
    else:
        for title in (block.title, block.subtitle):
            yield "title", block.name, title
        if block.name in _WORDED:
            for row in block.rows:
                yield "cell", block.name, row[_WORDED[block.name]]
        for note in block.notes:
            yield "note", block.name, note
