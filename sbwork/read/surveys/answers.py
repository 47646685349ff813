"""Answers given as codes or as words, matched to the options of an instrument."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan

from sbwork.specs.instrument import Option

__all__ = ["ANSWERED", "KINDS", "Match", "fold_answer", "match_answers", "parse_number"]

KINDS = ("dont_know", "prefer_not_to_say", "blank")
"""Why there is no answer."""

ANSWERED = "answered"

_BLANK = frozenset(
    ("", "na", "n/a", "#n/a", "nan", "null", "none", "#null!", "<na>", ".", "-99", "sysmis")
)
_WITH_CODE = re.compile(r"^(-?\d+(?:[.,]\d+)?)\s*(?:[-:=.)]\s*|\s|(?=\())(.*)$", re.DOTALL)
_LIMESURVEY_CODE = re.compile(r"^(?:a|ao|sq)0*(\d{1,6})$")
_YES_OR_NO = {"y": "yes", "n": "no", "true": "yes", "false": "no"}
_NUMBER = re.compile(r"^[-+]?(?:\d{1,15}(?:[.,]\d{0,15})?|[.,]\d{1,15})(?:e[-+]?\d{1,3})?$")
_DONT_KNOW = re.compile(r"(?:don'?t|do not|does not|didn'?t) know|not sure|unsure|no opinion")
_PREFER_NOT = re.compile(r"prefer not|rather not|refus|declin|not say")
_STRAIGHT = str.maketrans("‘’‛`´“”„‐‑‒–—−", "'" * 5 + '"' * 3 + "-" * 6)


@dataclass(frozen=True, slots=True)
class Match:
    """What one written answer means.

    Attributes
    ----------
    code : float
        The option's code; NaN where there is no answer.
    kind : str
        ``"answered"``, ``"dont_know"``, ``"prefer_not_to_say"``, ``"blank"``, ``"unknown"`` for
        a text that is no option, or ``"ambiguous"`` for one that is the code of one option and
        the label of another.
    recoded : bool
        The file's own code for this label differs from the instrument's.
    """

    code: float
    kind: str
    recoded: bool = False


def match_answers(
    texts: Sequence[str],
    options: Sequence[Option],
    labels: Mapping[str, str] | None = None,
    missing: frozenset[str] = frozenset(),
) -> list[Match]:
    """Match the distinct texts of one column to options.

    Case and spacing count for nothing. A text may be an option's label, its code, or both
    together (``10 (All my time)``, ``5 - Often``). Where the file labels its own codes, the label
    decides, since it is what people saw.

    Parameters
    ----------
    texts : sequence of str
        Distinct cells of the column.
    options : sequence of Option
        What may be answered, "don't know" and "prefer not to say" included.
    labels : mapping, optional
        The file's own labels: code as text -> label.
    missing : frozenset of str, optional
        Codes that the file declares missing. One labelled "don't know" or "prefer not to say" is
        counted as that, any other as blank.

    Returns
    -------
    list of Match
        One a text, in the same order.

    Examples
    --------
    >>> options = [Option(code=1, label="Never"), Option(code=2, label="Very often")]
    >>> [match.code for match in match_answers(["very  OFTEN", "1", "2 - Very often"], options)]
    [2.0, 1.0, 2.0]
    """
    by_code = {option.code: option for option in options}
    by_label = {fold_answer(option.label): option for option in options if option.label}
    labels = labels or {}
    folded = [fold_answer(text) for text in texts]
    said = [by_label.get(text) for text in folded]
    coded = [by_code.get(parse_number(text)) for text in folded]
    differs = any(a and b and a != b for a, b in zip(said, coded, strict=True))
    full = [i for i, text in enumerate(folded) if text not in _BLANK or said[i]]
    all_said = all(said[i] for i in full)
    all_coded = all(coded[i] for i in full)
    matches = []
    for i, text in enumerate(folded):
        label = fold_answer(labels.get(texts[i].strip(), ""))
        if texts[i].strip() in missing:
            matches.append(_match_missing(by_label.get(label) or coded[i], label))
        elif label and label in by_label:
            option = by_label[label]
            matches.append(_give(option, recoded=option.code != parse_number(text)))
        elif differs and said[i] and coded[i] and all_said == all_coded:
            same = said[i] == coded[i]
            matches.append(_give(said[i]) if same else Match(nan, "ambiguous"))
        elif differs:
            chosen = (said[i] or coded[i]) if all_said else (coded[i] or said[i])
            matches.append(_give(chosen) if chosen else _match_rest(text, by_code))
        elif said[i] or coded[i]:
            matches.append(_give(said[i] or coded[i]))
        else:
            yes_or_no = by_label.get(_YES_OR_NO.get(text, ""))
            matches.append(_give(yes_or_no) if yes_or_no else _match_rest(text, by_code))
    return matches


def fold_answer(text: str) -> str:
    """Return a text in the form in which answers are compared.

    Case, spacing, the shape of quotation marks and dashes, and a full stop at the end count for
    nothing.

    Examples
    --------
    >>> fold_answer("  Don’t   KNOW. ")
    "don't know"
    """
    plain = unicodedata.normalize("NFKC", text).translate(_STRAIGHT)
    return " ".join(plain.split()).casefold().rstrip(".") or plain.strip()


def parse_number(text: str) -> float:
    """Return a number written with a decimal point or comma, or NaN.

    Examples
    --------
    >>> parse_number("2,50")
    2.5
    """
    text = text.strip()
    if not _NUMBER.match(text.casefold()):
        return nan
    number = float(text.replace(",", "."))
    return number if isfinite(number) else nan


def _give(option: Option | None, recoded: bool = False) -> Match:
    if option is None:
        return Match(nan, "unknown")
    if option.nonresponse:
        return Match(nan, option.nonresponse)
    return Match(option.code, ANSWERED, recoded)


def _match_missing(option: Option | None, label: str) -> Match:
    if option and option.nonresponse:
        return Match(nan, option.nonresponse)
    if _DONT_KNOW.search(label):
        return Match(nan, "dont_know")
    return Match(nan, "prefer_not_to_say" if _PREFER_NOT.search(label) else "blank")


def _match_rest(text: str, by_code: Mapping[float, Option]) -> Match:
    """Match what is neither a label nor a code: a code with words, a LimeSurvey code, a blank."""
    if text in _BLANK:
        return Match(nan, "blank")
    lettered = _LIMESURVEY_CODE.match(text)
    if lettered:
        return _give(by_code.get(float(lettered[1])))
    both = _WITH_CODE.match(text)
    option = by_code.get(parse_number(both[1])) if both else None
    if both is None or option is None:
        return Match(nan, "unknown")
    words = both[2].strip().strip("()[]").strip()
    label = fold_answer(option.label)
    if not label or words in {"", label} or both[2].strip() == label:
        return _give(option)
    return Match(nan, "unknown")
