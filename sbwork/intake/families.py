"""Questions that belong together: named alike in every file, grouped, and given their options."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from sbwork.intake.answer_sets import Answers, OptionSet, build_options, join_answers
from sbwork.intake.exploration import ExploredFile, Question
from sbwork.read.surveys.answers import ANSWERED, KINDS, fold_answer, match_answers

__all__ = ["RESERVED", "drop_unmatched", "find_families", "name_questions", "share_options"]

RESERVED = frozenset({"wave", "site", "person", "weight"})
"""What no item and no scale may be called."""

_FEWEST_SIDE_BY_SIDE = 3


def name_questions(files: Sequence[ExploredFile]) -> None:
    """Give each question a key that is the same in every file, by its name or its words."""
    by_text: dict[str, str] = {}
    taken: set[str] = set()
    for position, file in enumerate(files):
        own = {column.name.key for column in file.questions}
        once = Counter(fold_answer(column.text) for column in file.questions)
        for column in file.questions:
            folded = fold_answer(column.text)
            known = by_text.get(folded, "") if folded and once[folded] == 1 else ""
            if known and (not column.name.key or (known not in own and known != column.name.key)):
                column.key = known
            else:
                column.key = column.name.key or _make_key(column, taken)
            if column.key in RESERVED:
                column.key += "_item"
            if position == 0 and folded and once[folded] == 1:
                by_text[folded] = column.key
            taken.add(column.key)


def _make_key(column: Question, taken: set[str]) -> str:
    key = f"q{column.number + 1}"
    while key in taken:
        key += "a"
    return key


def find_families(files: Sequence[ExploredFile]) -> dict[str, list[str]]:
    """Group the keys of questions by the stem of their names, else by what surrounds them."""
    families: dict[str, list[str]] = {}
    done: set[str] = set()
    for file in files:
        previous = -10
        running = ""
        for column in file.questions:
            if column.key in done:
                continue
            done.add(column.key)
            kind = _sketch(column.answers)
            if column.name.stem:
                running, family = "", column.name.stem
            else:
                together = f"{column.stem}|{kind}"
                close = column.number - previous <= 1 and running.endswith(f"|{together}")
                running = running if close else f"{column.number}|{together}"
                family = running
            previous = column.number
            families.setdefault(family, []).append(column.key)
    return families


def _sketch(answers: Answers) -> str:
    if answers.labelled:
        return repr(sorted(answers.codes.items()))
    if answers.words:
        options = build_options(answers, 1, ())
        return options.kind or repr(sorted(answers.words))
    codes = sorted(answers.codes)
    return f"numbers from {codes[0]:g} to {codes[-1]:g}" if len(codes) > 2 else repr(codes)


def _count_members(family: str, keys: Sequence[str]) -> int:
    """Count the items of a family; too few that only stand side by side count as lone ones."""
    return 1 if "|" in family and len(keys) < _FEWEST_SIDE_BY_SIDE else len(keys)


def share_options(
    files: Sequence[ExploredFile], families: Mapping[str, Sequence[str]]
) -> tuple[dict[str, OptionSet], dict[str, str]]:
    """Make option sets, shared between families whose options are the same."""
    met: dict[str, list[Answers]] = defaultdict(list)
    for file in files:
        for column in file.questions:
            met[column.key].append(column.answers)
    joined = {
        family: join_answers(a for k in keys for a in met[k]) for family, keys in families.items()
    }
    ranges: list[tuple[int, int]] = []
    for family, answers in joined.items():
        found = build_options(answers, _count_members(family, families[family]), ())
        if _count_members(family, families[family]) > 1 and found.answers and not answers.words:
            ranges.append((int(found.answers[0].code), int(found.answers[-1].code)))
    sets: dict[str, OptionSet] = {}
    chosen: dict[str, str] = {}
    built = {f: build_options(a, _count_members(f, families[f]), ranges) for f, a in joined.items()}
    for family in sorted(built, key=lambda f: -len(built[f].options)):
        found = built[family]
        if len(found.answers) < 2:
            for key in families[family]:
                alone = build_options(join_answers(met[key]), 1, ranges)
                if len(families[family]) > 1 and len(alone.answers) >= 2:
                    chosen[key] = _file_set(sets, alone)
            continue
        name = _file_set(sets, found)
        for key in families[family]:
            chosen[key] = name
    return sets, chosen


def _file_set(sets: dict[str, OptionSet], found: OptionSet) -> str:
    """Return the name of the set that holds these options, adding it where there is none."""
    for name, known in sets.items():
        if known.kind == found.kind and _covers(known, found):
            return name
    base = found.kind
    if base in {"numbers", "answers"}:
        base = f"from_{found.answers[0].code:g}_to_{found.answers[-1].code:g}".replace(
            "-", "minus_"
        )
    name, number = base, 2
    while name in sets:
        name, number = f"{base}_{number}", number + 1
    sets[name] = found
    return name


def _covers(known: OptionSet, found: OptionSet) -> bool:
    """Tell whether `found` lacks nothing of `known` but answers at an end, or that are none."""
    if known.kind in {"numbers", "answers"} or known.guesses != found.guesses:
        return _write(known.options) == _write(found.options)
    if known.guesses:
        labels = [fold_answer(option.label) for option in known.answers]
        own = [fold_answer(option.label) for option in found.answers]
        inside = any(labels[i : i + len(own)] == own for i in range(len(labels) - len(own) + 1))
        aside = {fold_answer(o.label) for o in known.options if o.nonresponse}
        return inside and {fold_answer(o.label) for o in found.options if o.nonresponse} <= aside
    return set(_write(found.options)) <= set(_write(known.options))


def _write(options: Iterable[object]) -> list[str]:
    return [repr(option) for option in options]


def drop_unmatched(
    files: Sequence[ExploredFile], options: Mapping[str, OptionSet], chosen: dict[str, str]
) -> list[str]:
    """Drop the items with an answer that their options don't hold, and return their keys."""
    dropped: dict[str, None] = {}
    for file in files:
        for column in file.questions:
            if column.key not in chosen:
                continue
            table, number = file.table, column.number
            texts = [str(text) for text in pd.unique(table.read_column(number)[table.kept])]
            labels, missing = table.codes.get(number, {}), table.missing.get(number, frozenset())
            found = options[chosen[column.key]].options
            kinds = {match.kind for match in match_answers(texts, found, labels, missing)}
            if kinds - {ANSWERED, *KINDS}:
                dropped[column.key] = None
    for key in dropped:
        del chosen[key]
    return list(dropped)
