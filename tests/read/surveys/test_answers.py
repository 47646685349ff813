import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbwork.read.surveys.answers import (
    Match,
    fold_answer,
    is_nonresponse,
    match_answers,
    parse_number,
)
from sbwork.specs.instrument import Option

AGREE = [
    Option(code=1, label="Strongly disagree"),
    Option(code=2, label="Disagree"),
    Option(code=3, label="Neither agree nor disagree"),
    Option(code=4, label="Agree"),
    Option(code=5, label="Strongly agree"),
    Option(code=8, label="Don't know", nonresponse="dont_know"),
    Option(code=9, label="Prefer not to say", nonresponse="prefer_not_to_say"),
]
BARE = [Option(code=code) for code in range(1, 11)]


YES_NO = [Option(code=1, label="Yes"), Option(code=2, label="No")]
NONE_SOME = [Option(code=0, label="None"), Option(code=1, label="Some")]


def read(text: str, options: list[Option] = AGREE) -> float | str:
    match = match_answers([text], options)[0]
    return match.code if match.kind == "answered" else match.kind


@pytest.mark.parametrize(
    ("options", "meant", "texts"),
    [
        (AGREE, 5, ["Strongly Agree", "  strongly\u00a0 AGREE. ", "5", "5.0", "5,0", " 5 "]),
        (AGREE, 5, ["5 - Strongly agree", "5 – strongly agree", "5: Strongly agree"]),
        (AGREE, 5, ["5 (Strongly agree)", "5. Strongly agree", "A5", "AO05"]),
        (AGREE, "dont_know", ["Don’t know", "8"]),
        (AGREE, "prefer_not_to_say", ["prefer not to say"]),
        (AGREE, "blank", ["", "NA", "#N/A", "-99"]),
        (AGREE, "unknown", ["6", "6 - 7", "4.5", "Agree strongly", "=1+1", "1e400"]),
        (AGREE, "unknown", ["9" * 5_000]),
        (BARE, 10, ["10 (All my time)"]),
        (BARE, 1, ["1 (None at all)"]),
        (BARE, 5, ["5 - Mostly other people"]),
        (BARE, 7, ["7"]),
        (NONE_SOME, 0, ["none"]),
        (YES_NO, 1, ["Y", "TRUE", "yes"]),
        (YES_NO, 2, ["n"]),
    ],
)
def test_codes_and_words_are_matched(
    options: list[Option], meant: float | str, texts: list[str]
) -> None:
    assert [read(text, options) for text in texts] == [meant] * len(texts)


@pytest.mark.parametrize(
    ("texts", "meant"),
    [
        (["0", "1", "2"], [1, 2, 3]),
        (["1", "2", "3"], [1, 2, 3]),
        (["1", "2"], ["ambiguous", "ambiguous"]),
    ],
)
def test_labels_that_are_numbers_decide_when_only_they_fit_and_are_not_guessed(
    texts: list[str], meant: list[float | str]
) -> None:
    options = [Option(code=code, label=str(code - 1)) for code in range(1, 4)]
    matches = match_answers(texts, options)
    assert [m.code if m.kind == "answered" else m.kind for m in matches] == meant


@pytest.mark.parametrize(
    ("texts", "meant"),
    [
        (["1 - Strongly agree", "2 - Agree", "5 - Strongly disagree"], [5, 4, 1]),
        (["0 (Strongly disagree)", "1", "2", "3", "4 (Strongly agree)"], [1, 2, 3, 4, 5]),
        (["1 = Strongly agree", "2", "4", "5 = Strongly disagree"], [5, 4, 2, 1]),
        (["4 - Agree", "5 - Agree"], [4, "unknown"]),
        (["5 - Agree", "5 - Strongly agree"], ["unknown", 5]),
        (["Strongly disagree", "2", "4", "Strongly agree"], [1, "unlike", "unlike", 5]),
        (["Strongly agree", "Don't know", "2", "3"], [5, "dont_know", "unlike", "unlike"]),
        (["Strongly agree", "5", "4", "Agree"], [5, 5, 4, 4]),
        (["Strongly agree", "3", "Don't know"], [5, 3, "dont_know"]),
    ],
)
def test_words_beside_numbers_are_read_where_they_tell_the_order(
    texts: list[str], meant: list[float | str]
) -> None:
    matches = match_answers(texts, AGREE)
    assert [m.code if m.kind == "answered" else m.kind for m in matches] == meant


def test_the_files_own_labels_decide_over_its_codes() -> None:
    labels = {"1": "Strongly agree", "5": "Strongly disagree", "3": "Neither agree nor disagree"}
    matches = match_answers(["1", "3", "5"], AGREE, labels)
    assert [match.code for match in matches] == [5, 3, 1]
    assert [match.recoded for match in matches] == [True, False, True]


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("Don't know", "dont_know"),
        ("Not sure", "dont_know"),
        ("Refused", "prefer_not_to_say"),
        ("Prefer not to answer", "prefer_not_to_say"),
        ("Not asked", "blank"),
        ("", "blank"),
    ],
)
def test_declared_missing_codes_are_kept_apart_by_their_label(label: str, kind: str) -> None:
    match = match_answers(["97"], AGREE, {"97": label}, frozenset({"97"}))[0]
    assert match.kind == kind


def test_a_code_declared_missing_is_no_answer_even_where_it_is_an_option() -> None:
    match = match_answers(["10"], BARE, {}, frozenset({"10"}))[0]
    assert match.kind == "blank"


@given(st.text(max_size=40))
def test_any_text_gives_a_code_of_the_options_or_a_reason(text: str) -> None:
    match = match_answers([text], AGREE)[0]
    assert isinstance(match, Match)
    assert (match.kind == "answered") == (match.code in {1, 2, 3, 4, 5})
    assert (match.kind != "answered") == math.isnan(match.code)


@given(st.sampled_from(AGREE), st.sampled_from([str.upper, str.lower, str.title, str.swapcase]))
def test_case_never_counts(option: Option, change: object) -> None:
    assert callable(change)
    assert read(change(option.label)) == read(option.label)


def test_folding_never_empties_a_text() -> None:
    assert fold_answer("...") == "..."
    assert fold_answer("   ") == ""


@pytest.mark.parametrize("text", ["", "abc", "1,2,3", "1.2.3", "--1", "nan", "inf"])
def test_what_is_no_number_is_nan(text: str) -> None:
    assert math.isnan(parse_number(text))


@pytest.mark.parametrize(
    ("labels", "meant"),
    [
        ({"1": "Strongly agree", "5": "Strongly disagree"}, [5, 4, 3, 2, 1]),
        ({"5": "Strongly disagree"}, [5, 4, 3, 2, 1]),
        ({"1": "Disagree strongly", "5": "Agree strongly"}, [1, 2, 3, 4, 5]),
        ({"1": "1 - Entirely so", "5": "5 - Strongly agree"}, [1, 2, 3, 4, 5]),
        ({"3": "Neither agree nor disagree", "5": "Not at all"}, ["unlike"] * 5),
        ({"1": "Entirely", "5": "Not at all"}, ["unlike"] * 5),
        ({"1": "Agree", "2": "Strongly agree", "5": "Disagree"}, ["unlike"] * 5),
    ],
)
def test_all_codes_are_read_by_labels_or_by_one_order(
    labels: dict[str, str], meant: list[float | str]
) -> None:
    matches = match_answers(["1", "2", "3", "4", "5"], AGREE, labels)
    found = [m.code if m.kind == "answered" else m.kind for m in matches]
    assert found == meant or ("unlike" in meant and "unlike" in found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("N/A", True),
        ("Refused", True),
        ("Refused to answer", True),
        ("Don’t know / not sure", True),
        ("Don't know (not read out)", True),
        ("(Prefer not to say)", True),
        ("I would rather not say", True),
        ("Not applicable to me", True),
        ("Refuse collection", False),
        ("Missing persons", False),
        ("Don't know anyone here", False),
        ("Not applicable / Events", False),
        ("Not sure of the police", False),
    ],
)
def test_a_reason_for_no_answer_is_the_whole_text(text: str, expected: bool) -> None:
    assert is_nonresponse(fold_answer(text)) is expected
