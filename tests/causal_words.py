"""The words of cause that a report below level 3 of evidence must not use."""

from __future__ import annotations

import re
from collections.abc import Collection

_CHANGE = (
    r"(?:change|rise|rose|fall|fell|drop|increase|decrease|decline|difference|improvement|gain)"
    r"(?:s|d|ed|ped)?"
)
_DOER = r"(?:pilot|programme|program|scheme|intervention|project|approach|training|initiative)s?"
_DEED = (
    r"(?:works|worked|succeeded|improved|improves|increased|increases|decreased|decreases|lowered|"
    r"lowers|cut|cuts|boosted|boosts|raised|raises|drove|drives|delivered|produced|produces|"
    r"stopped|stops|made|makes|changed|changes|helped|helps)"
)
_CAUSAL = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\breduc(?:e|es|ed|ing|tion|tions)\b",
        r"\bcaus(?:e|es|ed|ing|ation)\b",
        r"\b(?:led|leads?|leading)\s+to\b",
        r"\bimpact(?:s|ed|ing|ful)?\b",
        r"\beffects?\s+(?:of|on|upon)\b",
        r"\b(?:resulted|resulting)\s+in\b",
        r"\b(?:brought|bringing)\s+about\b",
        r"\b(?:gave|gives|giving)\s+rise\s+to\b",
        r"\bprevent(?:s|ed|ing)?\b",
        r"\bcontribut(?:e|es|ed|ing)\s+to\b",
        r"\battribut(?:ed|able)\s+to\b",
        rf"\b{_CHANGE}\b[^.;:!?]{{0,80}}?\b(?:due|thanks|owing)\s+to\b",
        rf"\b{_CHANGE}\b[^.;:!?]{{0,80}}?\b(?:because\s+of|as\s+a\s+result\s+of)\b",
        rf"\b{_DOER}\s+(?:has\s+|have\s+|had\s+)?(?:{_DEED})\b",
    )
)


def find_forbidden_words(
    text: str, level: int, allow: Collection[str] = ()
) -> list[tuple[str, str]]:
    """Find the words of cause in a text that its level of evidence does not allow.

    Each with the words around it, in order; from level 3 on nothing is forbidden. `allow` has
    passages that may stay, such as the title of a cited work. A denial is found as well: readers
    remember the word and forget the "not".
    """
    if level >= 3:
        return []
    plain = " ".join(text.split())
    for passage in allow:
        joined = " ".join(passage.split())
        if joined:
            plain = plain.replace(joined, " " * len(joined))
    found = {
        (match.start(), match.end()): match.group()
        for pattern in _CAUSAL
        for match in pattern.finditer(plain)
    }
    return [
        (word, plain[max(0, start - 40) : end + 40].strip())
        for (start, end), word in sorted(found.items())
    ]
