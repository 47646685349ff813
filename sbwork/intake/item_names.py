"""Names of survey questions taken apart: which belong together, and which say they are reversed."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

__all__ = ["ItemName", "make_slug", "parse_name", "split_question"]

_CODE = re.compile(r"[^\W\d_][\w.-]{0,63}")
_BRACKETS = re.compile(r"^(.*?)\s*\[([^\[\]]+)\]\s*$", re.DOTALL)
_NUMBERED = re.compile(r"^(.*?)[_.\- ]?(\d+)[_.]?(r|R|rev|Rev|REV|reversed)?$")
_REVERSED = re.compile(r"^(.+?)[_.](?:r|R|rev|Rev|REV|reversed)$")
_LETTERED = re.compile(r"^(.*\d)[_.]?([a-z])$")
_GENERIC = re.compile(
    r"(?:q|qu|qid|question|item|items|var|v|x|s|sq|a|ao|col|column|frage|vraag|pregunta)?"
    r"(?:0*\d+)?",
    re.IGNORECASE,
)
_LONGEST_SLUG = 40


@dataclass(frozen=True)
class ItemName:
    """A column's name, taken apart.

    Attributes
    ----------
    key : str
        What the item may be called in an instrument; empty where the name is a whole question.
    stem : str
        What the names of its family share; empty where the name tells nothing.
    reversed : bool
        Whether the name says that the item is worded the other way round.
    """

    key: str
    stem: str
    reversed: bool = False


def parse_name(name: str) -> ItemName:
    """Take the name of a column apart.

    Examples
    --------
    >>> parse_name("trust_2r")
    ItemName(key='trust_2r', stem='trust', reversed=True)
    >>> parse_name("likert1[perfCheck4]")
    ItemName(key='perfCheck4', stem='perfCheck', reversed=False)
    >>> parse_name("How far do you agree? [I feel safe]")
    ItemName(key='', stem='How far do you agree?', reversed=False)
    """
    name = " ".join(name.split())
    within = _BRACKETS.match(name)
    if within:
        outer, inner = within[1], within[2]
        if not _CODE.fullmatch(outer):
            return ItemName("", outer)
        own = parse_name(inner) if _CODE.fullmatch(inner) else ItemName("", "")
        if own.key and own.stem:
            return own
        joined = make_slug(f"{outer}_{inner}", lower=False) if len(inner) <= 12 else ""
        return ItemName(joined, outer, own.reversed)
    if not _CODE.fullmatch(name):
        return ItemName("", "")
    bare, says_reversed = name, False
    marked = _REVERSED.match(name)
    if marked:
        bare, says_reversed = marked[1], True
    numbered = _NUMBERED.match(bare)
    if numbered:
        stem, says_reversed = numbered[1], says_reversed or bool(numbered[3])
    else:
        lettered = _LETTERED.match(bare)
        stem = lettered[1] if lettered else ""
    stem = stem.rstrip("_.-")
    plain = _GENERIC.fullmatch(stem) and not re.search(r"\d", stem)
    return ItemName(name, "" if plain else stem, says_reversed)


def split_question(question: str) -> tuple[str, str]:
    """Part a question into what is asked of every row of a grid, and the row itself.

    Examples
    --------
    >>> split_question("How far do you agree? - I feel safe")
    ('How far do you agree?', 'I feel safe')
    >>> split_question("I feel safe")
    ('', 'I feel safe')
    """
    question = " ".join(question.split())
    within = _BRACKETS.match(question)
    if within:
        return within[1], within[2]
    parts = re.split(r" [-–—] ", question)
    if len(parts) > 1 and parts[-1].strip():
        return " - ".join(parts[:-1]), parts[-1].strip()
    return "", question.strip("[] ")


def make_slug(text: str, *, lower: bool = True, dash: str = "_") -> str:
    """Return letters, digits and dashes only, cut at a word.

    Examples
    --------
    >>> make_slug("Area 1: control site", dash="-")
    'area-1-control-site'
    """
    if lower:
        text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).casefold()
    text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = [word for word in re.sub(r"[^A-Za-z0-9]+", " ", text).split() if word]
    slug = ""
    for word in words:
        if slug and len(slug) + len(word) > _LONGEST_SLUG:
            break
        slug = f"{slug}{dash}{word}" if slug else word[:_LONGEST_SLUG]
    return slug
