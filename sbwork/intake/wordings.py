"""Answers in words put into order: strongly disagree, disagree, neither, agree, strongly agree."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from sbwork.read.surveys.answers import fold_answer

__all__ = ["Ranking", "find_nonresponse", "rank_answers"]

_DONT_KNOW = re.compile(
    r"(?:i )?(?:don'?t|do not|does not|didn'?t|can'?t) (?:know|say|remember|recall)\b.*"
    r"|(?:i'?m )?(?:not sure|unsure)|no opinion|(?:can'?t|cannot) (?:say|choose)|dk|unknown"
    r"|don'?t know.*|not applicable.*|does ?n[o']t apply.*"
)
_PREFER_NOT = re.compile(
    r"(?:i )?(?:would )?(?:prefer not|rather not)\b.*|refused?(?: to (?:say|answer))?"
    r"|declined?(?: to (?:say|answer))?|no answer|not (?:answered|stated|disclosed)|pnts"
)
_STRENGTHS = (
    (4.0, "extremely|completely|totally|absolutely|entirely|exceptionally"),
    (3.0, "strongly|very(?: much| strongly)?|definitely|certainly|much|a lot|highly|really"),
    (2.5, "mostly|generally"),
    (1.5, "moderately|quite|reasonably"),
    (1.2, "fairly|rather|tend to(?: be)?|probably"),
    (1.0, "somewhat|partly|mildly"),
    (0.8, "slightly|a (?:little|bit)"),
)
_PLAIN = 2.0
_PAIRS = {
    "agreement": ("agree", "disagree"),
    "satisfaction": ("satisfied", "dissatisfied|unsatisfied"),
    "likelihood": ("likely", "unlikely"),
    "safety": ("safe", "unsafe"),
    "importance": ("important", "unimportant"),
    "confidence": ("confident", "unconfident"),
    "happiness": ("happy", "unhappy"),
    "quality": ("good", "poor|bad"),
    "direction": ("better|improved", "worse|worsened"),
    "truth": ("true", "untrue|false"),
    "trust": ("trust", "distrust"),
    "comfort": ("comfortable", "uncomfortable"),
    "help": ("helpful", "unhelpful"),
    "effectiveness": ("effective", "ineffective"),
    "concern": ("worried|concerned", "unworried|unconcerned"),
}
_MIDDLE = re.compile(
    r"neither\b.*|neutral|undecided|mixed(?: feelings)?|in the middle|no change|unchanged"
    r"|(?:about|stayed|much)? ?the same|fair|ok(?:ay)?|acceptable|average"
)
_SINGLE: dict[str, dict[str, float]] = {
    "quality": {"excellent": 5.0, "outstanding": 5.5, "terrible": -5.0, "awful": -5.0},
    "frequency": {
        "never": 0, "almost never": 1, "hardly ever": 1, "very rarely": 1.2, "rarely": 2,
        "seldom": 2, "once in a while": 3, "occasionally": 3, "now and then": 3, "sometimes": 4,
        "about half the time": 5, "half of the time": 5, "half the time": 5, "regularly": 5.5,
        "often": 6, "frequently": 6, "usually": 6.5, "most of the time": 7, "very often": 7,
        "very frequently": 7, "almost always": 8, "nearly always": 8, "always": 9,
        "all of the time": 9, "all the time": 9, "every time": 9,
    },
    "extent": {
        "not at all": 0, "none": 0, "none at all": 0, "to no extent": 0, "nothing": 0,
        "very little": 0.5, "a little": 1, "a little bit": 1, "slightly": 1, "not much": 0.8,
        "to a small extent": 1, "a small amount": 1, "hardly": 0.5, "to a little extent": 1,
        "some": 2, "somewhat": 2, "to some extent": 2, "moderately": 2.2, "a moderate amount": 2,
        "to a moderate extent": 2, "a fair amount": 2.5, "quite a bit": 3, "quite a lot": 3,
        "mostly": 3, "to a large extent": 3.2, "a lot": 3.5, "much": 3.5, "very much": 4,
        "a great deal": 4, "to a great extent": 4, "to a very large extent": 4.5, "extremely": 4.5,
        "completely": 5, "fully": 5, "entirely": 5, "totally": 5,
    },
    "yes_no": {"no": 0, "partly": 1, "to some extent": 1, "maybe": 1, "yes": 2},
}  # fmt: skip


@dataclass(frozen=True)
class Ranking:
    """Answers of one question in order.

    Attributes
    ----------
    vocabulary : str
        What they speak of: ``"agreement"``, ``"frequency"`` and so on.
    scores : dict of str to float
        Each answer, folded, with its place on a line; the distances mean nothing.
    """

    vocabulary: str
    scores: dict[str, float]


def find_nonresponse(label: str) -> str:
    """Return ``"dont_know"``, ``"prefer_not_to_say"``, or "" for a real answer.

    Examples
    --------
    >>> find_nonresponse("Don't know"), find_nonresponse("Prefer not to say")
    ('dont_know', 'prefer_not_to_say')
    >>> find_nonresponse("Neither agree nor disagree")
    ''
    """
    text = fold_answer(label)
    if _PREFER_NOT.fullmatch(text):
        return "prefer_not_to_say"
    return "dont_know" if _DONT_KNOW.fullmatch(text) else ""


def rank_answers(labels: Iterable[str]) -> Ranking | None:
    """Put answers in English into order, lowest first, if they are of one usual kind.

    Parameters
    ----------
    labels : iterable of str
        Distinct answers; "don't know" and its like are set aside.

    Returns
    -------
    Ranking or None
        None where an answer is not known, or two would stand in the same place.

    Examples
    --------
    >>> ranking = rank_answers(["Agree", "Strongly disagree", "Neither", "Don't know"])
    >>> sorted(ranking.scores, key=ranking.scores.get)
    ['strongly disagree', 'neither', 'agree']
    >>> rank_answers(["Physics", "Chemistry"]) is None
    True
    """
    texts = {fold_answer(label) for label in labels if not find_nonresponse(label)}
    if len(texts) < 2:
        return None
    for vocabulary in [*_PAIRS, *(name for name in _SINGLE if name not in _PAIRS)]:
        scores = {text: _score(text, vocabulary) for text in texts}
        known = {text: score for text, score in scores.items() if score is not None}
        if len(known) < len(texts) or len(set(known.values())) < len(known):
            continue
        if not all(_MIDDLE.fullmatch(text) for text in texts):
            return Ranking(vocabulary, known)
    return None


def _score(text: str, vocabulary: str) -> float | None:
    single = _SINGLE.get(vocabulary, {}).get(text)
    if single is not None:
        return float(single)
    if vocabulary not in _PAIRS:
        return None
    if _MIDDLE.fullmatch(text):
        return 0.0
    good, bad = _PAIRS[vocabulary]
    if text == "not at all" or re.fullmatch(rf"not at all (?:{good}|{bad})", text):
        return -3.5
    if re.fullmatch(rf"not (?:very|too|so|particularly|really) (?:{good})", text):
        return -1.2
    if re.fullmatch(rf"(?:not|do not|don'?t) (?:{good})", text):
        return -_PLAIN
    for sign, words in ((1.0, good), (-1.0, bad)):
        if re.fullmatch(words, text):
            return sign * _PLAIN
        for strength, adverbs in _STRENGTHS:
            before, behind = rf"(?:{adverbs}) (?:{words})", rf"(?:{words}) (?:{adverbs})"
            if re.fullmatch(rf"{before}(?: of me)?|{behind}", text):
                return sign * strength
    return None
