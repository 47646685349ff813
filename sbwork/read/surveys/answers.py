"""Answers given as codes or as words, matched to the options of an instrument."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan

from sbwork.specs.documents import fold_name
from sbwork.specs.instrument import Option

KINDS = ("dont_know", "prefer_not_to_say", "blank")
"""Why there is no answer."""

ANSWERED = "answered"

_UNFILLED = frozenset(("", "na", "n/a", "-99"))
_BLANK = _UNFILLED | {"#n/a", "nan", "null", "none", "#null!", "<na>", ".", "sysmis"}
_UNASKED = frozenset(("not asked", "not applicable", "not routed", "not shown", "skipped"))
_WITH_CODE = re.compile(r"^(-?\d+(?:[.,]\d+)?)\s*(?:[-:=.)]\s*|\s|(?=\())(.*)$", re.DOTALL)
_LIMESURVEY_CODE = re.compile(r"^(?:a|ao|sq)0*(\d{1,6})$")
_YES_OR_NO = {"y": "yes", "n": "no", "true": "yes", "false": "no"}
_NUMBER = re.compile(r"^[-+]?(?:\d{1,15}(?:[.,]\d{0,40})?|[.,]\d{1,40})(?:e[-+]?\d{1,3})?$")
_DONT_KNOW = re.compile(r"(?:don'?t|do not|does not|didn'?t) know|not sure|unsure|no opinion")
_PREFER_NOT = re.compile(r"prefer not|rather not|refus|declin|not say")
_NO_ANSWER = re.compile(
    r"(?:i )?(?:(?:don'?t|do not|does not|didn'?t) know|not sure|unsure|no opinion"
    r"|(?:(?:would |'d )?(?:prefer|rather) )?not (?:to )?(?:say|answer|tell)"
    r"|refus(?:ed?|al)|declined?|not (?:applicable|asked|stated|answered)|no answer|missing"
    r"|skipped)(?: to (?:me|say|answer))?"
)


@dataclass(frozen=True, slots=True)
class Match:
    """What one written answer means.

    The kind is ``"answered"``, one of `KINDS`, ``"unknown"`` for a text that is no option,
    ``"ambiguous"`` for one that is the code of one option and the label of another, or
    ``"unlike"`` where the file's labels and the instrument's don't fit each other; without an
    answer the code is NaN. `recoded` says that the file's own code differs from the instrument's.
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
    """Match the distinct texts of one column to options, "don't know" and the like included.

    Case and spacing count for nothing. A text may be an option's label, its code, or both
    together (``10 (All my time)``, ``5 - Often``). Where the file labels its own codes (`labels`),
    or its cells hold both, all are read by their labels, since these are what people saw; or,
    where some have no label that is known, all by one straight or reversed order that the known
    ones fix. Where words stand beside bare numbers, and nothing tells which end those count from,
    none is read. A code that
    the file declares `missing` is counted as "don't know" or "prefer not to say" if so labelled,
    any other as blank.
    """
    by_code = {option.code: option for option in options}
    by_label = {fold_answer(option.label): option for option in options if option.label}
    if not labels:
        texts, labels = _split_labels(texts, by_label)
    folded = [fold_answer(text) for text in texts]
    labelled = [by_label.get(text) for text in folded]
    coded = [by_code.get(parse_number(text)) for text in folded]
    filled = [i for i, text in enumerate(folded) if text not in _BLANK or labelled[i]]
    all_labelled = all(labelled[i] for i in filled)
    all_coded = all(coded[i] for i in filled)
    # Labels that are numbers, such as "0" for code 1: where every text of the column is a label,
    # or every one a code, that decides; where both fit, nothing does.
    differ = any(a and b and a != b for a, b in zip(labelled, coded, strict=True))
    doubtful = differ and all_labelled == all_coded
    own = {code.strip(): _read_label(code, label) for code, label in (labels or {}).items()}
    known = {code: _find_label(label, by_label, options) for code, label in own.items() if label}
    present = {text.strip() for text in texts} - missing
    apart = {t for t in present if not known.get(t) and not is_nonresponse(own.get(t) or t)}
    unsettled = {t for t in apart if parse_number(t) == parse_number(t)}
    order, unlike = (1.0, 0.0), False
    if unsettled and by_label and any(own.values()):
        order, unlike = _find_order(own, known, unsettled, by_code)
    elif not any(own.values()):
        unlike = _is_undirected(labelled, coded, options)
    matches = []
    for written, text, by_words, by_number in zip(texts, folded, labelled, coded, strict=True):
        code = written.strip()
        option = known.get(code)
        if code in missing:
            matches.append(_match_missing(option or by_number, own.get(code, "")))
        elif option:
            matches.append(_give(option, recoded=option.code != parse_number(text)))
        elif code in unsettled and unlike:
            matches.append(Match(nan, "unlike"))
        elif code in unsettled and order != (1, 0) and not (by_number and by_number.nonresponse):
            moved = by_code.get(order[0] * parse_number(text) + order[1])
            matches.append(_give(None if moved and moved.nonresponse else moved, recoded=True))
        elif doubtful and by_words and by_number and by_words != by_number:
            matches.append(Match(nan, "ambiguous"))
        elif by_words or by_number:
            words_first = all_labelled or not differ
            first, second = (by_words, by_number) if words_first else (by_number, by_words)
            matches.append(_give(first or second))
        elif not differ and text in _YES_OR_NO and _YES_OR_NO[text] in by_label:
            matches.append(_give(by_label[_YES_OR_NO[text]]))
        else:
            matches.append(_match_rest(text, by_code))
    return matches


def is_unfilled(text: str) -> bool:
    """Return whether a cell is empty, or holds what platforms write into an empty one."""
    return fold_answer(text) in _UNFILLED


def is_unasked(text: str) -> bool:
    """Return whether a cell is blank or says that the question was not put."""
    return (folded := fold_answer(text)) in _BLANK or folded in _UNASKED


def is_nonresponse(text: str) -> bool:
    """Return whether a folded text is blank or gives a reason for no answer, and nothing else.

    "Refused / not sure (not read out)" does; "Refuse collection" and "Don't know anyone" don't.
    """
    plain = re.sub(r"\([^)]*\)", "", text).strip() or text.strip("()")
    reasons = re.split(r"[/,;]| or ", plain)
    return text in _BLANK or all(_NO_ANSWER.fullmatch(reason.strip()) for reason in reasons)


def fold_answer(text: str) -> str:
    """Return a text in the form in which answers are compared.

    Case, spacing, the shape of quotation marks and dashes, and a full stop at the end count for
    nothing.
    """
    plain = fold_name(text)
    return plain.rstrip(".") or plain


def parse_number(text: str) -> float:
    """Return a number written with a decimal point or comma, or NaN."""
    text = text.strip()
    if not _NUMBER.match(text.casefold()):
        return nan
    number = float(text.replace(",", "."))
    return number if isfinite(number) else nan


def _find_label(
    label: str, by_label: Mapping[str, Option], options: Sequence[Option]
) -> Option | None:
    """Return the option of a value label, also if its two words are in the other order.

    A label such as "Refused" is the one option that gives that reason.
    """
    if label in by_label:
        return by_label[label]
    found = [by_label[other] for other in by_label if _sort_words(other) == _sort_words(label)]
    if not found and is_nonresponse(label):
        kind = _match_missing(None, label).kind
        found = [option for option in options if option.nonresponse == kind]
    return found[0] if len(found) == 1 else None


def _split_labels(
    texts: Sequence[str], by_label: Mapping[str, Option]
) -> tuple[Sequence[str], dict[str, str]]:
    """Take codes and labels apart where cells hold both, such as ``1 (Strongly agree)``."""
    labels: dict[str, str] = {}
    codes = []
    for text in texts:
        both = _WITH_CODE.match(fold_answer(text))
        label = _read_label(both[1], text) if both else ""
        if both and label in by_label and fold_answer(text) not in by_label:
            if labels.setdefault(both[1], label) != label:
                return texts, {}
            text = both[1]
        codes.append(text)
    return (codes, labels) if len({*labels.values()}) == len(labels) else (texts, {})


def _is_undirected(
    words: Sequence[Option | None], numbers: Sequence[Option | None], options: Sequence[Option]
) -> bool:
    """Say whether bare numbers of labelled options may count from either end, beside words."""
    real = {option.code for option in options if not option.nonresponse}
    pairs = list(zip(words, numbers, strict=True))
    own = {word.code for word, number in pairs if word and not number} & real
    bare = {o.code for word, o in pairs if o and o.label and not word} & real
    turned = {code: min(real) + max(real) - code for code in bare}
    both_ways = not own & {*bare, *turned.values()}
    return bool(own) and both_ways and any(code != other for code, other in turned.items())


def _sort_words(label: str) -> str:
    """Return the words of a label of two in alphabetical order, else the label."""
    words = re.findall(r"[\w']+", label)
    return " ".join(sorted(words)) if len(words) == 2 else label


def _read_label(code: str, label: str) -> str:
    """Return the words of a value label without its own code."""
    folded = fold_answer(label)
    both = _WITH_CODE.match(folded)
    if both and parse_number(both[1]) == parse_number(code):
        folded = both[2].strip().strip("()[]").strip()
    return "" if folded == fold_answer(code) else folded


def _find_order(
    own: Mapping[str, str],
    known: Mapping[str, Option | None],
    unsettled: Iterable[str],
    by_code: Mapping[float, Option],
) -> tuple[tuple[float, float], bool]:
    """Return slope (1 or -1) and shift from the file's codes to the options', and if none fits.

    Two known labels of real answers fix them, or one if only one order leads to options.
    """
    answers = {code: o.code for code, o in known.items() if o and not o.nonresponse}
    pairs = [(parse_number(code), mine) for code, mine in answers.items()]
    others = {code for code, label in own.items() if label and code not in answers}
    others = {code for code in others if not known.get(code) and not is_nonresponse(own[code])}
    if not pairs:
        options = (by_code.get(parse_number(code)) for code in others)
        return (1.0, 0.0), any(option and option.label for option in options)
    orders = []
    for slope in (1.0, -1.0):
        shifts = {mine - slope * theirs for theirs, mine in pairs}
        shift = shifts.pop()
        ends = [by_code.get(slope * parse_number(code) + shift) for code in {*unsettled, *others}]
        if not shifts and (len(pairs) > 1 or all(o and not o.nonresponse for o in ends)):
            orders.append((slope, shift))
    return (orders[0], False) if len(orders) == 1 else ((1.0, 0.0), True)


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
