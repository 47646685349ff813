"""What each column of a survey export seems to be for: site, wave, id, weight, text or question."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sbwork.read.surveys.answers import fold_answer, parse_number
from sbwork.read.surveys.descriptions import ColumnDescription
from sbwork.read.surveys.personal import FREE_TEXT, PERSON_ID

__all__ = ["Role", "find_role", "guess_wave", "read_waves"]

_MOST_SITES = 15
_MOST_WAVES = 6
_SHARE_DISTINCT = 0.9

_OF_THE_PLATFORM = re.compile(
    r"start ?date|end ?date|recorded ?date|status|response type|progress|duration.*|finished"
    r"|distribution ?channel|user ?language|start ?language|language|last ?page|submit ?date"
    r"|date ?stamp|date submitted|interview ?time|(?:group|question)time.*|start time"
    r"|completion time|last modified time|timestamp|seed|column \d+|.*\bfirst click|.*\blast click"
    r"|.*\bpage submit|.*\bclick count|.* do \d+.*|.*display order|payment|study time|score|sc\d+"
)
_CHECKS = re.compile(
    r".*\b(?:attention|attn|atten|trap|bogus|captcha|consent|screener|instructed)\b.*"
    r"|(?:manipulation |quality )?checks?(?: \d+r?)?"
)
_SITES = re.compile(
    r"\b(?:sites?|areas?|wards?|beats?|neighbou?rhoods?|estates?|villages?|towns?|locality"
    r"|localities|districts?|boroughs?|sectors?|parish)\b"
)
_SITE_QUESTIONS = re.compile(
    r"\b(?:which|what)(?: of (?:the|these)(?: following)?)? (?:area|ward|neighbou?rhood|village"
    r"|town|estate|site|district|part of)\b|\bwhere do you live\b|\barea do you live\b"
)
_GROUPS = re.compile(
    r"\b(?:group|condition|arm|treatment|intervention|control|cluster|allocation|cohort|region"
    r"|team|station|community)\b"
)
_WAVES = re.compile(
    r"\b(?:waves?|phase|round|time ?points?|time|period|pre ?post|occasion|stage|year)\b"
)
_WEIGHTS = re.compile(r"\b(?:weights?|wts?|wgts?|weighting|gewicht|poids)\b")
_BEFORE = re.compile(
    r"\b(?:pre(?:test| test)?|before|baseline|base line|first|(?:wave|time|round|phase|w|t) ?0*1"
    r"|(?:time|t) ?0+|vorher|avant)\b"
)
_AFTER = re.compile(
    r"\b(?:post(?:test| test)?|after|follow ?ups?|end ?line|second|final"
    r"|(?:wave|time|round|phase|w|t) ?0*[2-9]|nachher)\b"
)


@dataclass(frozen=True)
class Role:
    """What a column seems to be for.

    Attributes
    ----------
    kind : str
        ``"platform"``, ``"check"``, ``"personal"``, ``"person"``, ``"text"``, ``"weight"``,
        ``"wave"``, ``"site"``, ``"group"`` (may tell the site), ``"empty"``, ``"repeated"`` (one of
        several of the same name) or ``"question"``.
    why : str
        For personal data: of which kind.
    """

    kind: str
    why: str = ""


def find_role(column: ColumnDescription, rows: int, is_record: bool = False) -> Role:
    """Guess what a column is for, by its name, its question and how its answers lie.

    Parameters
    ----------
    column : ColumnDescription
        The column.
    rows : int
        Rows of answers in the file.
    is_record : bool
        Whether it holds the platform's own number of the response.

    Examples
    --------
    >>> find_role(ColumnDescription("Ward", "", ("A", "B"), {}, 2, 0, ""), 60).kind
    'site'
    """
    name = _split(column.name)
    question = _split(column.question)
    if is_record or _OF_THE_PLATFORM.fullmatch(name) or question.startswith("timing "):
        return Role("platform")
    filled = rows - column.blank
    if column.personal == FREE_TEXT:
        return Role("text")
    if column.personal == PERSON_ID and column.distinct >= _SHARE_DISTINCT * max(filled, 1) / 2:
        return Role("person", column.personal)
    if column.personal:
        return Role("personal", column.personal)
    if not column.distinct:
        return Role("empty")
    if _CHECKS.fullmatch(name):
        return Role("check")
    short = len(name.split()) <= 4
    if short and _WEIGHTS.search(name) and _is_positive(column):
        return Role("weight")
    if short and _WAVES.search(name) and read_waves(column.values, column.labels):
        return Role("wave")
    if {guess_wave(column.labels.get(v, v)) for v in column.values} == {"before", "after"}:
        return Role("wave")
    if 1 <= len(column.values) <= _MOST_SITES:
        if (short and _SITES.search(name)) or _SITE_QUESTIONS.search(f"{name} {question}"):
            return Role("site")
        if short and _GROUPS.search(name) and not re.search(r"\b(?:age|ethnic)\b", name):
            return Role("group")
    return Role("question")


def guess_wave(text: str) -> str:
    """Return ``"before"`` or ``"after"`` if a file's name or a value says so, else "".

    Examples
    --------
    >>> guess_wave("residents-Baseline-2023"), guess_wave("wave 2"), guess_wave("answers")
    ('before', 'after', '')
    """
    words = _split(text)
    before, after = bool(_BEFORE.search(words)), bool(_AFTER.search(words))
    return "" if before == after else "before" if before else "after"


def read_waves(values: Sequence[str], labels: Mapping[str, str]) -> dict[str, str]:
    """Guess which wave each value of a column means; nothing where they don't look like waves.

    Values that say so decide; else, of numbers or years, the lowest is before and the rest after.

    Examples
    --------
    >>> read_waves(("Pre", "Post"), {}), read_waves(("2016", "2018"), {})
    ({'Pre': 'before', 'Post': 'after'}, {'2016': 'before', '2018': 'after'})
    """
    if not 1 <= len(values) <= _MOST_WAVES:
        return {}
    said = {labels.get(value, value): guess_wave(labels.get(value, value)) for value in values}
    if all(said.values()):
        return said
    numbers = {value: parse_number(value) for value in values}
    if len(values) > 1 and not any(said.values()) and all(n == n for n in numbers.values()):
        lowest = min(numbers.values())
        return {value: "before" if n == lowest else "after" for value, n in numbers.items()}
    return {}


def _is_positive(column: ColumnDescription) -> bool:
    numbers = [parse_number(value) for value in column.values]
    return all(number >= 0 for number in numbers)


def _split(name: str) -> str:
    """Cut a name into small words: Q_FirstClick -> q first click."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name[:300])
    return " ".join(re.sub(r"[\W_]+", " ", fold_answer(name)).split())
