"""The answers met in columns of a survey, made into sets of options for an instrument."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from sbwork.intake.wordings import find_nonresponse, rank_answers
from sbwork.read.surveys.answers import fold_answer, match_answers, parse_number
from sbwork.read.surveys.tables import RawTable
from sbwork.specs.instrument import Option

__all__ = ["Answers", "OptionSet", "build_options", "join_answers", "read_answers"]

_MOST_ANSWERS = 15
_LONGEST_LABEL = 120
_WITH_CODE = re.compile(r"^(-?\d{1,3})\s*(?:[-:=.)]\s*|\s|(?=\())(\D.*)$", re.DOTALL)
_SET_ASIDE = frozenset((-999, -99, -88, -77, -9, -8, -7, -1, 8, 9, 66, 77, 88, 97, 98, 99))
_SET_ASIDE |= {888, 997, 998, 999}
_MOST_OPTIONS = 11
_FEWEST_WORDS = 3


@dataclass(frozen=True)
class Answers:
    """The distinct answers met in one or several columns.

    Attributes
    ----------
    codes : dict of float to str
        Codes, with their labels where the file tells them.
    words : dict of str to str
        Answers in words: folded -> as written.
    missing : frozenset of float
        Codes that the file declares missing.
    labelled : bool
        Whether the labels are the file's own value labels.
    """

    codes: dict[float, str] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    missing: frozenset[float] = frozenset()
    labelled: bool = False


@dataclass(frozen=True)
class OptionSet:
    """Options proposed for items that share them.

    Attributes
    ----------
    kind : str
        What they speak of, such as ``"agreement"``; ``"numbers"`` where only codes are known.
    options : tuple of Option
        In order of their codes, answers that are none last.
    guesses : tuple of str
        What was guessed, in plain words.
    """

    kind: str
    options: tuple[Option, ...]
    guesses: tuple[str, ...] = ()

    @property
    def answers(self) -> tuple[Option, ...]:
        """The options that are real answers."""
        return tuple(option for option in self.options if not option.nonresponse)


def read_answers(table: RawTable, column: int) -> Answers | None:
    """Collect the distinct answers of one column; None where there are too many to be options.

    Parameters
    ----------
    table : RawTable
        The export.
    column : int
        Which column.
    """
    codes, found = pd.factorize(table.read_column(column)[table.kept])
    labels = {parse_number(code): text for code, text in table.codes.get(column, {}).items()}
    if len(found) > _MOST_ANSWERS + 3 or len(labels) > _MOST_ANSWERS + 3:
        return None
    times = np.bincount(codes[codes >= 0], minlength=len(found))
    blanks = match_answers([str(text) for text in found], ())
    counts: Counter[str] = Counter()
    for text, match, count in zip(found, blanks, times, strict=True):
        if match.kind != "blank":
            counts[" ".join(str(text).split())] += int(count)
    missing = frozenset(parse_number(code) for code in table.missing.get(column, ()))
    numbers: dict[float, str] = {}
    words: dict[str, str] = {}
    for text, _ in counts.most_common():
        number, both = parse_number(text), _WITH_CODE.match(text)
        if number == number:
            numbers.setdefault(number, "")
        elif both:
            numbers[float(both[1])] = both[2].strip("() ")[:_LONGEST_LABEL]
        else:
            words.setdefault(fold_answer(text), text[:_LONGEST_LABEL])
    known = {code: text[:_LONGEST_LABEL] for code, text in labels.items() if code == code}
    if words and numbers and all(map(find_nonresponse, words)):
        free = (code for code in range(88, 200) if code not in numbers)
        return Answers(numbers | {float(next(free)): words[text] for text in sorted(words)})
    if words and numbers:
        plain = {fold_answer(text): text for text in counts}
        return Answers(words=plain) if len(plain) <= _MOST_ANSWERS else None
    if len(counts) > _MOST_ANSWERS or not (counts or known):
        return None
    if words:
        return Answers(words=words)
    return Answers(numbers | known, {}, missing, labelled=bool(known))


def join_answers(parts: Iterable[Answers]) -> Answers:
    """Put the answers of several columns together."""
    codes: dict[float, str] = {}
    words: dict[str, str] = {}
    missing: frozenset[float] = frozenset()
    labelled = False
    for part in parts:
        for code, label in part.codes.items():
            codes[code] = codes.get(code) or label
        for folded, text in part.words.items():
            words.setdefault(folded, text)
        missing |= part.missing
        labelled |= part.labelled
    return Answers(codes, words, missing, labelled)


def build_options(answers: Answers, family: int, ranges: Sequence[tuple[int, int]]) -> OptionSet:
    """Make options of answers; an `OptionSet` without options where they are on no scale.

    Parameters
    ----------
    answers : Answers
        Those of one family of items.
    family : int
        How many items share them: a lone column of bare numbers is no item.
    ranges : sequence of tuple
        Ranges of codes that other families of the file use, to see which ends nobody chose.
    """
    if answers.words and answers.codes:
        return _join_words_and_codes(answers)
    if answers.words:
        return _rank_words(answers.words)
    return _order_codes(answers, family, ranges)


def _rank_words(words: Mapping[str, str]) -> OptionSet:
    ranking = rank_answers(words.values())
    least = 2 if ranking and ranking.vocabulary == "agreement" else _FEWEST_WORDS
    if ranking is None or ranking.vocabulary == "yes_no" or len(ranking.scores) < least:
        return OptionSet("", ())
    ordered = sorted(ranking.scores, key=ranking.scores.__getitem__)
    options = [Option(code=i, label=words[text]) for i, text in enumerate(ordered, start=1)]
    aside = [text for text in words if text not in ranking.scores]
    options += _set_aside_words([words[text] for text in aside], len(options))
    guesses = ["the order and the codes"]
    return OptionSet(ranking.vocabulary, tuple(options), tuple(guesses))


def _set_aside_words(labels: Sequence[str], last: int) -> list[Option]:
    start = last + 3 if last < 7 else 88
    return [
        Option(code=start + i, label=label, nonresponse=find_nonresponse(label) or "dont_know")
        for i, label in enumerate(sorted(labels, key=lambda text: (find_nonresponse(text), text)))
    ]


def _order_codes(answers: Answers, family: int, ranges: Sequence[tuple[int, int]]) -> OptionSet:
    labels = dict(answers.codes)
    aside: dict[float, str] = {}
    for code, label in list(labels.items()):
        kind = find_nonresponse(label) if label else ""
        if kind:
            aside[code] = kind
        elif code in answers.missing:
            del labels[code]
    real = sorted(code for code in labels if code not in aside)
    if any(code != int(code) for code in real):
        return OptionSet("", ())
    whole = [int(code) for code in real]
    guessed = [] if all(labels[code] for code in real) else _find_codes_aside(whole)
    whole = [code for code in whole if code not in guessed]
    if len(whole) < 2:
        return OptionSet("", ())
    ranking = rank_answers(label for code in whole if (label := labels[code]))
    complete = all(labels[code] for code in whole)
    scale = ranking is not None and ranking.vocabulary != "yes_no"
    if not scale and family < 2 and (complete or not any(labels[code] for code in whole)):
        return OptionSet("", ())
    if not complete:
        ends = labels[whole[0]] and labels[whole[-1]]
        low, high = whole[0], whole[-1]
        low, high = (low, high) if ends else _complete_range(low, high, ranges)
        if high - low >= _MOST_OPTIONS or high - low < 2:
            return OptionSet("", ())
        whole = list(range(low, high + 1))
    elif len(whole) < _FEWEST_WORDS and not scale:
        return OptionSet("", ())
    options = [Option(code=code, label=labels.get(code, "")) for code in whole]
    last = max(guessed, default=0)
    kinds = {
        code: "prefer_not_to_say" if len(guessed) > 1 and code == last else "dont_know"
        for code in guessed
    }
    for code, kind in sorted((aside | kinds).items()):
        options.append(Option(code=code, label=labels.get(code, ""), nonresponse=kind))
    guesses = []
    if not complete:
        guesses.append("only codes are in the file: add the labels that people saw")
    if guessed:
        guesses.append("the codes far from the others stand for no answer")
    kind = ranking.vocabulary if ranking and scale and complete else "numbers"
    return OptionSet(kind if kind != "numbers" or not complete else "answers", tuple(options),
                     tuple(guesses))  # fmt: skip


def _find_codes_aside(codes: Sequence[int]) -> list[int]:
    """Find codes such as 8, 9 or -1 that lie apart from the rest and so stand for no answer."""
    rest = [code for code in codes if code not in _SET_ASIDE or 0 <= code <= _MOST_OPTIONS]
    steady = [code for code in rest if code not in {8, 9}] or rest
    if len(steady) < 2:
        return []
    low, high = min(steady), max(steady)
    while high + 1 in codes:
        high += 1
    apart = [c for c in codes if c in _SET_ASIDE and (c > high + 1 or c < min(low, 0))]
    return apart if len(apart) < len(codes) - 1 else []


def _complete_range(low: int, high: int, ranges: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Add the ends that nobody chose, as other families of the file have them."""
    wider = [r for r in ranges if r[0] <= low and high <= r[1] and (r[0] == low or r[1] == high)]
    if wider:
        return Counter(wider).most_common(1)[0][0]
    return (1 if low == 2 else low), high


def _join_words_and_codes(answers: Answers) -> OptionSet:
    """Join a file that holds codes with one that holds words, where they are as many."""
    words, codes = _rank_words(answers.words), _order_codes(Answers(answers.codes), 2, ())
    if not words.options or len(words.answers) != len(codes.answers):
        return OptionSet("", ())
    options = [
        Option(code=number.code, label=word.label)
        for number, word in zip(codes.answers, words.answers, strict=True)
    ]
    taken = {option.code for option in options}
    aside = [option for option in codes.options if option.nonresponse]
    named = [option for option in words.options if option.nonresponse]
    for i, option in enumerate(named):
        code = aside[i].code if i < len(aside) else max(taken) + 3 + i
        options.append(Option(code=code, label=option.label, nonresponse=option.nonresponse))
    options += aside[len(named) :]
    guess = "one file holds codes and another words: that the lowest code is the first of these"
    return OptionSet(words.kind, tuple(options), (guess,))
