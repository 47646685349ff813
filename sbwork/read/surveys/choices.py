"""Multiple-response sets: how many chose each option, of how many who answered."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from sbwork.read.surveys.answers import fold_answer, is_nonresponse, is_unfilled, parse_number
from sbwork.read.surveys.personal import find_personal_content
from sbwork.read.surveys.tables import Mask, RawTable, fold_name, list_texts
from sbwork.specs.errors import InputError, Problem, list_names, quote
from sbwork.specs.masks import mask_text

OTHER = "Other (written in)"
"""What stands for every answer in people's own words."""

_NO = re.compile(
    r"no|n|0|false|nein|non|nee|off|unchecked"
    r"|not (?:selected|chosen|checked|mentioned|ticked|quoted|marked)"
)
_CHOSEN = re.compile(
    r"yes|y|1|true|ja|oui|x|on|selected|chosen|checked|mentioned|ticked|quoted|marked"
    r"|[✓✔☑✅√]\ufe0f?"
)
_WRITTEN = re.compile(
    r"(?:_text|\[other\]|\[comment\]|comment|_other|\bplease (?:specify|state|describe|say)\W*)$"
)
_FEWEST = 3
_LONGEST_OPTION = 120


def read_choices(
    table: RawTable,
    columns: Sequence[int],
    prefix: str,
    rows: Mask,
    options: Mapping[str, str] | None = None,
) -> tuple[dict[str, Mask], Mask]:
    """Read one set, given as a column an option or as one column of separated options.

    Returns a mask of `rows` for each option, of those who chose it, and one of those who answered
    the set at all (its base). The file's value labels and declared missings decide what is chosen;
    `options` are those of the questionnaire by their codes, if it declares them, and cut cells that
    hold several.
    What people wrote themselves is `OTHER`; in a column of separated options that is every text
    that fewer than three people gave. An InputError says that a value is unknown, or that a comma
    may belong to an option.
    """
    options = options or {}
    if len(columns) == 1 and fold_name(table.names[columns[0]]) == fold_name(prefix):
        return _read_separated(table, columns[0], rows, options)
    answered = np.zeros(int(rows.sum()), dtype=bool)
    masks, ticked = [], []
    for column in columns:
        codes, words = _read_words(table, column, rows)
        ticks = _read_ticks(table, column, words, [*options.values()])
        masks.append(np.array([tick is True for tick in ticks], dtype=bool)[codes])
        ticked.append([word for word, tick in zip(words, ticks, strict=True) if tick])
        answered |= np.array([tick is not None for tick in ticks], dtype=bool)[codes]
    # What more than half of the columns have in common is a tick, and no option's name.
    common = Counter(word for texts in ticked for word in {*map(fold_answer, texts)})
    chosen: dict[str, Mask] = {}
    for column, mask, texts in zip(columns, masks, ticked, strict=True):
        own = [t for t in texts if common[fold_answer(t)] <= max(1, sum(map(bool, ticked)) / 2)]
        option = _name_option(table, column, prefix, own, int(mask.sum()))
        chosen[option] = chosen.get(option, False) | mask
    return chosen, answered


def _read_words(
    table: RawTable, column: int, rows: Mask
) -> tuple[np.ndarray[Any, np.dtype[np.intp]], list[str]]:
    """Return the distinct texts of a column by their value labels, and the number of each cell's.

    Codes that the file declares missing are blank.
    """
    codes, texts = list_texts(table.read_column(column)[rows])
    labels, missing = table.codes.get(column, {}), table.missing.get(column, frozenset())
    plain = [text.strip() for text in texts]
    return codes, ["" if text in missing else labels.get(text, text) for text in plain]


def _read_ticks(
    table: RawTable, column: int, words: Sequence[str], options: Sequence[str]
) -> list[bool | None]:
    """Return whether each text of an option's column is a tick, none, or no answer (None)."""
    folded = [fold_answer(word) for word in words]
    if _WRITTEN.search(table.names[column].casefold()):
        return [None if is_unfilled(word) else not _NO.fullmatch(word) for word in folded]
    own = {fold_answer(option) for option in (_read_option(table.labels[column]), *options)} - {""}
    ticks: dict[str, bool | None] = {}
    unknown = []
    for word in dict.fromkeys(folded):
        ticks[word] = None
        if word in own or _CHOSEN.fullmatch(word):
            ticks[word] = True
        elif _NO.fullmatch(word):
            ticks[word] = False
        elif word == "none" or not is_nonresponse(word):
            unknown.append(word)
    short = [word for word in unknown if re.fullmatch(r"-?\d{1,3}", word)]
    numbers = [word for word in unknown if parse_number(word) == parse_number(word)]
    known = any(tick is not None for tick in ticks.values())
    if unknown and (known or len(unknown) > 1 or (numbers and not any(map(is_unfilled, folded)))):
        found = "these values are" if len(unknown) > 1 else "a value is"
        found = f"{found} neither a tick nor none" + f": {list_names(short)}" * bool(short)
        place = f"column '{quote(table.names[column])}'"
        allowed = "Write Yes or No, 1 or 0, or the option itself; leave what was not answered blank"
        raise InputError(Problem(table.file, place, found, allowed))
    ticks |= dict.fromkeys(unknown, True)
    return [ticks[word] for word in folded]


def _read_separated(
    table: RawTable, column: int, rows: Mask, coded: Mapping[str, str]
) -> tuple[dict[str, Mask], Mask]:
    codes, texts = _read_words(table, column, rows)
    separator = _find_separator(table.platform, texts)
    options = [*coded.values()]
    declared = {**coded, **{fold_answer(option): option for option in options}}
    folded: list[dict[str, str]] = []
    for text in texts:
        parts = [" ".join(part.split()) for part in _cut_cell(text, separator, options)]
        found = {fold_answer(part): part for part in parts if part}
        blank = all(key not in declared and key != "none" and is_nonresponse(key) for key in found)
        folded.append({} if blank else found)
    counts: Counter[str] = Counter()
    shown: dict[str, str] = {}
    for found, times in zip(folded, np.bincount(codes, minlength=len(texts)), strict=True):
        for key, part in found.items():
            counts[key] += int(times)
            shown.setdefault(key, declared.get(key, part))
    place = f"column '{quote(table.names[column])}'"
    unknown = [shown[key] for key in counts if key not in declared and counts[key] >= _FEWEST]
    if options and unknown:
        message = "an answer that several gave is no option of the questionnaire"
        allowed = f"Options: {list_names(options)}"
        raise InputError(Problem(table.file, place, message, allowed))
    if not options and "," in separator:
        _refuse_unclear(table.file, place, folded, counts)
    chosen = {option: np.zeros(len(codes), dtype=bool) for option in options}
    for key, count in counts.items():
        has = np.array([key in found for found in folded], dtype=bool)[codes]
        title = shown[key] if key in declared else _hide_written(shown[key], count)
        chosen[title] = chosen.get(title, False) | has
    answered = np.array([bool(found) for found in folded], dtype=bool)[codes]
    return chosen, answered


def _find_separator(platform: str, texts: Sequence[str]) -> str:
    """Return the pattern between options; Qualtrics puts a comma without a space."""
    for mark in (";", "\n", r"\|"):
        if any(re.search(mark, text.strip()) for text in texts):
            return mark
    spaced = platform != "qualtrics" and any(", " in text for text in texts)
    return ", " if spaced else ",(?! )"


def _cut_cell(text: str, separator: str, options: Sequence[str]) -> list[str]:
    """Cut a cell at its separators, but in no option that the questionnaire declares."""
    longest = sorted((" ".join(option.split()) for option in options), key=len, reverse=True)
    if not longest:
        return re.split(separator, text)
    known = "|".join(re.escape(option) for option in longest)
    pattern = re.compile(rf"\s*({known})\s*(?:{separator}|,|$)", re.IGNORECASE)
    parts = []
    while text.strip():
        match = pattern.match(text)
        if match:
            parts.append(match[1])
            text = text[match.end() :]
        else:
            part, *rest = re.split(separator, text, maxsplit=1)
            parts.append(part)
            text = "".join(rest)
    return parts


def _refuse_unclear(
    file: str, place: str, cells: Sequence[Mapping[str, str]], counts: Mapping[str, int]
) -> None:
    """Refuse commas that may belong to an option.

    That is so before a small letter, and between two parts that are never apart.
    """
    lists = [list(parts.values()) for parts in cells if parts]
    small = any(part[0].islower() for parts in lists for part in parts[1:])
    large = any(parts[0][0].isupper() for parts in lists)
    bound = any(
        counts[first] >= _FEWEST and all((first in c) == (second in c) for c in cells)
        for first, second in {pair for parts in cells for pair in pairwise(parts)}
    )
    if bound or (small and large):
        found = "it is not clear which commas separate options and which belong to one"
        allowed = "List the options in the instrument, under 'options', by the set's own name"
        raise InputError(Problem(file, place, found, allowed))


def _hide_written(option: str, count: int) -> str:
    if count < _FEWEST or len(option) > _LONGEST_OPTION or find_personal_content([option]):
        return OTHER
    return mask_text(option)


def _name_option(
    table: RawTable, column: int, prefix: str, texts: Sequence[str], times: int
) -> str:
    """Name the option of a column: its label's end, else its cells' one text, else its code.

    A text that only one person gave may be that person's own words, so it names nothing.
    """
    name, label = table.names[column], table.labels[column]
    if _WRITTEN.search(name.casefold()):
        return OTHER
    option = _read_option(label)
    if option:
        return option
    words = {word for text in texts if not _CHOSEN.fullmatch(word := fold_answer(text))}
    if len(words) == 1 and times > 1:
        word = " ".join(next(t for t in texts if fold_answer(t) in words).split())
        if not word.isdecimal() and len(word) <= _LONGEST_OPTION:
            return mask_text(word)
    start = re.match(r"\s*".join(map(re.escape, "".join(prefix.split()))), name, re.IGNORECASE)
    return name[start.end() if start else 0 :].strip("_[].:-– ") or name


def _read_option(label: str) -> str:
    """Return the option that ends a question, as ``[option]`` or after a dash."""
    inside = re.search(r"\[([^\[\]]+)\]\s*$", label)
    last = inside[1] if inside else label.rpartition(" - ")[2] if " - " in label else ""
    return last.strip()
