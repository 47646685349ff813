"""What each column of a survey export seems to be for, by its name and its answers."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from sbwork.read.surveys.answers import fold_answer, parse_number
from sbwork.read.surveys.descriptions import ColumnDescription
from sbwork.read.surveys.personal import FREE_TEXT
from sbwork.specs.masks import PERSON_ID

__all__ = [
    "find_role",
    "guess_wave",
    "make_slug",
    "name_item",
    "parse_name",
    "read_waves",
    "read_words",
]

_MOST_SITES = 15
_MOST_WAVES = 6
_LONGEST_SLUG = 40
_CODE = re.compile(r"[^\W\d_][\w.-]{0,63}")
_IN_BRACKETS = re.compile(r"(.*?)\s*\[([^\[\]]+)\]", re.DOTALL)
_NUMBERED = re.compile(r"(.*?)[_.\- ]?(?:\d+|(?<=\d)[a-z])[_.]?(?:r|rev|reversed)?", re.IGNORECASE)
_WITH_NUMBER = re.compile(
    r"\s*(?:(?:q|qu|question|item|frage)[\s._]*(\d+[a-z]?(?:[._]\d+)?[a-z]?)(?![\w])"
    r"|(\d{1,3}[a-z]?)\s?[.):\]-]\s)",
    re.IGNORECASE,
)
_GENERIC = re.compile(r"(?:q|qu|qid|question|items?|var|v|x|s|sq|a|ao|col|column)?", re.IGNORECASE)


@cache
def read_words(section: str) -> Any:
    """Return a section of the words by which files are understood, which are data."""
    return tomllib.loads(files("sbwork.intake").joinpath("words.toml").read_text("utf-8"))[section]


def find_role(column: ColumnDescription, rows: int, is_record: bool = False) -> str:
    """Guess what a column is for, in a file of so many rows.

    One of ``"platform"``, ``"check"`` (of attention), ``"personal"``, ``"person"`` (an id),
    ``"text"``, ``"empty"``, ``"weight"``, ``"wave"``, ``"site"`` and ``"question"``.
    """
    name, question = _split_words(column.name), _split_words(column.question)
    words = read_words("columns")
    named = {
        role
        for role, pattern in words.items()
        if len(name.split()) <= 4 and re.search(pattern, name)
    }
    if is_record or re.fullmatch(words["platform"], name) or question.startswith("timing "):
        return "platform"
    if column.personal == FREE_TEXT:
        return "text"
    if column.personal:
        is_own = column.distinct >= max(rows - column.blank, 1) / 2
        return "person" if column.personal == PERSON_ID and is_own else "personal"
    if not column.distinct:
        return "empty"
    if re.fullmatch(words["attention"], name):
        return "check"
    if "weight" in named and all(parse_number(v) >= 0 for v in column.values):
        return "weight"
    waves = read_waves(column.values, column.labels)
    in_words = {"before", "after"} == set(waves.values()) and not any(map(_is_number, waves))
    if waves and (in_words or "wave" in named):
        return "wave"
    asks_site = re.search(words["site_question"], f"{name} {question}")
    return (
        "site"
        if ("site" in named or asks_site) and 1 <= len(column.values) <= _MOST_SITES
        else "question"
    )


def guess_wave(text: str) -> str:
    """Return ``"before"`` or ``"after"`` if a file's name or a value says so, else "".

    Examples
    --------
    >>> guess_wave("residents-Baseline-2023"), guess_wave("wave 2"), guess_wave("answers")
    ('before', 'after', '')
    """
    words = _split_words(text)
    found = [wave for wave, pattern in read_words("waves").items() if re.search(pattern, words)]
    return found[0] if len(found) == 1 else ""


def read_waves(values: Sequence[str], labels: Mapping[str, str]) -> dict[str, str]:
    """Guess which wave each value of a column means; nothing where they don't look like waves.

    Words decide; of numbers or years the lowest is before and the rest after.

    Examples
    --------
    >>> read_waves(("Pre", "Post"), {}), read_waves(("2016", "2018"), {})
    ({'Pre': 'before', 'Post': 'after'}, {'2016': 'before', '2018': 'after'})
    """
    if not 1 <= len(values) <= _MOST_WAVES:
        return {}
    by_words = {labels.get(value, value): guess_wave(labels.get(value, value)) for value in values}
    if all(by_words.values()):
        return by_words
    if len(values) < 2 or any(by_words.values()) or not all(map(_is_number, values)):
        return {}
    lowest = min(values, key=parse_number)
    return {value: "before" if value == lowest else "after" for value in values}


def parse_name(name: str) -> tuple[str, str]:
    """Take a column's name apart: the item's key, and the family of items it belongs to.

    The key is empty where the name is a whole question, the family where the name gives none.

    Examples
    --------
    >>> parse_name("trust_2r"), parse_name("likert1[perfCheck4]")
    (('trust_2r', 'trust'), ('perfCheck4', 'perfCheck'))
    >>> parse_name("How far do you agree? [I feel safe]"), parse_name("Q12")
    (('', 'How far do you agree?'), ('Q12', ''))
    """
    name = " ".join(name.split())
    within = _IN_BRACKETS.fullmatch(name)
    if within:
        outer, inner = within.groups()
        key, family = parse_name(inner) if _CODE.fullmatch(inner) else ("", "")
        if not _CODE.fullmatch(outer):
            return "", outer
        if family:
            return key, family
        return make_slug(f"{outer}_{inner}") if len(inner) <= 12 else "", outer
    if not _CODE.fullmatch(name):
        return "", ""
    numbered = _NUMBERED.fullmatch(name)
    family = numbered[1].rstrip("_.-") if numbered else ""
    return name, "" if _GENERIC.fullmatch(family) else family


def name_item(name: str, question: str) -> str:
    """Return an item's key for a column called by a whole question: its number, or its words.

    Examples
    --------
    >>> name_item("Q5a. How often do you walk?", ""), name_item("3) Age", "Age")
    ('q5a', 'q3')
    >>> name_item("Q2. Do you agree? [I feel safe]", "I feel safe")
    'i_feel_safe'
    """
    numbered = None if name.endswith("]") else _WITH_NUMBER.match(name)
    return make_slug(f"q{numbered[1] or numbered[2]}" if numbered else question)


def make_slug(text: str, dash: str = "_") -> str:
    """Return small letters and digits, joined by dashes and cut at a word."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().casefold()
    slug = dash.join(re.findall(r"[a-z0-9]+", plain))
    cut = slug[:_LONGEST_SLUG]
    return slug if slug == cut else cut.rpartition(dash)[0] or cut


def _is_number(text: str) -> bool:
    return parse_number(text) == parse_number(text)


def _split_words(name: str) -> str:
    """Cut a name into small words: Q_FirstClick -> q first click."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name[:300])
    return " ".join(re.sub(r"[\W_]+", " ", fold_answer(name)).split())
