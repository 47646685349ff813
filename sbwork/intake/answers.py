"""Answers met in survey files, put into order and made into options of a questionnaire."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sbwork.intake.columns import read_words
from sbwork.read.surveys.answers import fold_answer, match_answers, parse_number
from sbwork.read.surveys.tables import RawTable
from sbwork.specs.instrument import Nonresponse, Option

__all__ = [
    "Answers",
    "OptionSet",
    "build_options",
    "find_nonresponse",
    "join_answers",
    "rank_answers",
    "read_answers",
]

_MOST_ANSWERS = 15
_MOST_OPTIONS = 11
_FEWEST_OPTIONS = 3
_FEWEST_SHARING = 3
_LONGEST_LABEL = 120
_MANY_ROWS, _MANY_CODED, _LONG_SCALE = 20, 50, 7
_WITH_CODE = re.compile(r"^(-?\d{1,3})\s*(?:[-:=.)]\s*|\s|(?=\())(\D.*)$", re.DOTALL)
_CODES_OF_NO_ANSWER = {-999, -99, -88, -77, -9, -8, -7, -1, 8, 9, 66, 77, 88, 97, 98, 99, 999}
_ORDER_GUESSED = "the order and the codes"
_LABELS_LACKING = "only codes are in the file: add the labels, and any answer that nobody chose"
_NO_ANSWER_GUESSED = "codes far from the others stand for no answer"


@dataclass(frozen=True)
class Answers:
    """The distinct answers of one or several columns.

    Codes come with their labels where the file gives them; words are keyed by their folded form;
    `missing` are codes that the file declares missing. `labelled` says that the file itself lists
    the labels, so also of answers that nobody gave; `rows` is how many rows were answered at most.
    """

    codes: Mapping[float, str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    missing: frozenset[float] = frozenset()
    labelled: bool = False
    rows: int = 0

    @property
    def kind(self) -> str:
        """What columns side by side must share to be taken for one scale."""
        if self.words:
            ranking = rank_answers(self.words.values())
            return ranking[0] if ranking else repr(sorted(self.words))
        if any(self.codes.values()):
            return repr(sorted(self.codes.items()))
        return f"{min(self.codes)} to {max(self.codes)}"

    def fits(self, other: Answers) -> bool:
        """Whether both may be answers of one scale, seen that some answers are never given.

        In words, what a column of many rows lacks may be at one end; codes tell less.
        """
        mine, theirs = (part._fold_real() for part in (self, other))
        if self.labelled and other.labelled:
            return mine == theirs
        shared = mine.keys() & theirs.keys()
        if bool(self.words) != bool(other.words) or any(
            mine[key] != theirs[key] for key in shared if mine[key] and theirs[key]
        ):
            return False
        ranking = rank_answers([*self.words.values(), *other.words.values()])
        order: list[Any] = (
            ranking[1]
            if ranking
            else sorted({*mine, *theirs}, key=lambda answer: (isinstance(answer, str), answer))
        )
        for part, own in ((self, mine), (other, theirs)):
            places = [place for place, answer in enumerate(order) if answer in own]
            ends = [places[0], len(order) - 1 - places[-1]] if places else [len(order)] * 2
            lacking, many = sum(ends), _MANY_CODED
            if any(own.values()):
                lacking, many = len(order) - len(places) - max(ends), _MANY_ROWS
            if lacking > (part.rows < many or len(order) > _LONG_SCALE):
                return False
        return True

    def _fold_real(self) -> dict[Any, str]:
        """Return the real answers: codes with their folded labels, or folded words."""
        answers: dict[Any, str] = {**self.codes, **self.words}
        return {
            key: fold_answer(label)
            for key, label in answers.items()
            if key not in self.missing and not find_nonresponse(label)
        }


@dataclass(frozen=True)
class OptionSet:
    """Options proposed for items that share them, and what of them is guessed."""

    kind: str
    options: tuple[Option, ...]
    guesses: tuple[str, ...] = ()

    def covers(self, other: OptionSet) -> bool:
        """Whether items with the options of `other` may share these."""
        if (self.kind, self.guesses) != (other.kind, other.guesses):
            return False
        own, wanted = (
            {
                (0 if _ORDER_GUESSED in self.guesses else o.code, fold_answer(o.label))
                for o in found.options
            }
            for found in (self, other)
        )
        return wanted == own if self.kind.startswith("from_") else wanted <= own


def read_answers(table: RawTable, column: int) -> Answers | None:
    """Collect the distinct answers of a column; None where they are too many to be options."""
    labels = table.codes.get(column, {})
    times = Counter(" ".join(str(cell).split()) for cell in table.read_column(column)[table.kept])
    declared = table.missing.get(column, frozenset())
    texts = [text for text in times if text not in declared or text in labels]
    if max(len(texts), len(labels)) > _MOST_ANSWERS + _FEWEST_OPTIONS:
        return None
    codes: dict[float, str] = {}
    words: dict[str, str] = {}
    for text, match in zip(texts, match_answers(texts, ()), strict=True):
        number, with_code = parse_number(text), _WITH_CODE.match(text)
        if match.kind == "blank":
            continue
        if number == number:
            codes.setdefault(number, "")
        elif with_code:
            # Words that few gave may be their own, and are no label.
            label = with_code[2].strip("() ")[:_LONGEST_LABEL]
            codes[float(with_code[1])] = label if times[text] >= _FEWEST_SHARING else ""
        else:
            words.setdefault(fold_answer(text), text[:_LONGEST_LABEL])
    codes |= {parse_number(code): label[:_LONGEST_LABEL] for code, label in labels.items()}
    codes = {code: label for code, label in codes.items() if code == code}
    if codes and words and all(map(find_nonresponse, words)):
        free = (float(code) for code in range(88, 200) if code not in codes)
        codes |= {next(free): words[text] for text in sorted(words)}
        words = {}
    if not (codes or words) or max(len(codes), len(words)) > _MOST_ANSWERS:
        return None
    missing = frozenset(map(parse_number, declared))
    rows = sum(bool(str(cell).strip()) for cell in table.read_column(column)[table.kept])
    return Answers(codes, words, missing, bool(labels), rows)


def join_answers(parts: Iterable[Answers]) -> Answers:
    """Put the answers of several columns together."""
    codes: dict[float, str] = {}
    words: dict[str, str] = {}
    missing: frozenset[float] = frozenset()
    parts = list(parts)
    for part in parts:
        codes |= {code: codes.get(code) or label for code, label in part.codes.items()}
        words |= part.words
        missing |= part.missing
    rows = max((part.rows for part in parts), default=0)
    return Answers(codes, words, missing, any(part.labelled for part in parts), rows)


def build_options(answers: Answers, items: int) -> OptionSet | None:
    """Make options of the answers that `items` questions share; None where they are no scale."""
    if answers.words and answers.codes:
        return None
    found = _rank_words(answers.words) if answers.words else _order_codes(answers, items)
    labels = (
        [fold_answer(option.label) for option in found.options if option.label] if found else []
    )
    return found if len(set(labels)) == len(labels) else None


def find_nonresponse(label: str) -> Nonresponse | None:
    """Return how an answer that is none counts; None for a real answer."""
    kinds: tuple[Nonresponse, ...] = ("prefer_not_to_say", "dont_know")
    text = fold_answer(label)
    return next((kind for kind in kinds if re.fullmatch(read_words("answers")[kind], text)), None)


def rank_answers(labels: Iterable[str]) -> tuple[str, list[str]] | None:
    """Put answers in English into order, lowest first, and name what they speak of.

    "Don't know" and its like are set aside. None where an answer is not known, or two would take
    the same place.

    Examples
    --------
    >>> rank_answers(["Agree", "Strongly disagree", "Neither", "Don't know"])
    ('agreement', ['strongly disagree', 'neither', 'agree'])
    """
    texts = {fold_answer(label) for label in labels if not find_nonresponse(label)}
    for kind, rungs in _list_ladders():
        places = {
            text: next((i for i, words in enumerate(rungs) if re.fullmatch(words, text)), -1)
            for text in texts
        }
        if -1 not in places.values() and 2 <= len(texts) == len(set(places.values())):
            return kind, sorted(places, key=places.__getitem__)
    return None


@cache
def _list_ladders() -> list[tuple[str, list[str]]]:
    """List the kinds of answers with the patterns of their rungs, lowest first."""
    words = read_words("answers")
    ladders = list(words["ladders"].items())
    for kind, ends in words["pairs"].items():
        high, low = (
            [
                f"(?:{strength}) (?:{end})|(?:{end}) (?:{strength})" if strength else end
                for strength in words["strengths"]
            ]
            for end in ends
        )
        denied = [pattern.format(good=ends[0], bad=ends[1]) for pattern in words["denials"]]
        ladders.append((kind, [*low, *denied, words["middle"], *reversed(high)]))
    return ladders


def _rank_words(words: Mapping[str, str]) -> OptionSet | None:
    kind, ordered = rank_answers(words.values()) or ("", [])
    if len(ordered) < (2 if kind == "agreement" else _FEWEST_OPTIONS):
        return None
    options = [Option(code=i, label=words[text]) for i, text in enumerate(ordered, start=1)]
    first = len(options) + 3 if len(options) < 7 else 88
    options += [
        Option(code=code, label=words[text], nonresponse=find_nonresponse(text))
        for code, text in enumerate(sorted(set(words) - set(ordered)), start=first)
    ]
    return OptionSet(kind, tuple(options), (_ORDER_GUESSED,))


def _order_codes(answers: Answers, items: int) -> OptionSet | None:
    labels = dict(answers.codes)
    aside = {code: kind for code, label in labels.items() if (kind := find_nonresponse(label))}
    real = sorted(set(labels) - set(aside) - answers.missing)
    complete = all(labels[code] for code in real)
    guessed = [] if complete else _find_codes_apart(real)
    real = [code for code in real if code not in guessed]
    ranking = rank_answers(labels[code] for code in real) if complete else None
    if len(real) < 2 or any(code != int(code) for code in real):
        return None
    if items < 2 and not ranking and (complete or not any(labels[code] for code in real)):
        return None
    if not complete:
        low = 1 if real[0] == 2 and not labels[2] else int(real[0])
        if real[-1] - low >= _MOST_OPTIONS:
            return None
        real = [float(code) for code in range(low, int(real[-1]) + 1)]
    if len(real) > _MOST_OPTIONS or (len(real) < _FEWEST_OPTIONS and not ranking):
        return None
    for code in guessed:
        aside[code] = "dont_know"
    options = [Option(code=code, label=labels.get(code, "")) for code in real]
    once = {fold_answer(labels[code]) or code: code for code in sorted(aside, reverse=True)}
    options += [
        Option(code=code, label=labels[code], nonresponse=aside[code])
        for code in sorted(once.values())
    ]
    name = ranking[0] if ranking else f"from_{real[0]:g}_to_{real[-1]:g}".replace("-", "minus_")
    guesses = [_LABELS_LACKING] * (not complete) + [_NO_ANSWER_GUESSED] * bool(guessed)
    return OptionSet(name, tuple(options), tuple(guesses))


def _find_codes_apart(codes: list[float]) -> list[float]:
    """Find codes such as 9, 99 or -1 that lie apart from the rest, so stand for no answer."""
    rest = [code for code in codes if code not in _CODES_OF_NO_ANSWER]
    if len(rest) < 2:
        return []
    low, high = rest[0], rest[-1]
    while high + 1 in codes:
        high += 1
    return [c for c in codes if c in _CODES_OF_NO_ANSWER and (c > high or c < min(low, 0))]
