"""Sets of options made of the answers that were met."""

from __future__ import annotations

from pathlib import Path

import pytest

from sbwork.intake.answer_sets import Answers, build_options, join_answers, read_answers
from sbwork.read.surveys.detection import read_table

AGREE = ("Strongly disagree", "Disagree", "Neither agree nor disagree", "Agree", "Strongly agree")


def say(*labels: str) -> Answers:
    return Answers(words={label.casefold(): label for label in labels})


def code(*codes: int, **labels: str) -> Answers:
    return Answers(codes=dict.fromkeys(map(float, codes), ""))


def list_codes(answers: Answers, family: int = 4, ranges: tuple[tuple[int, int], ...] = ()) -> str:
    options = build_options(answers, family, ranges).options
    return " ".join(f"{o.code:g}{'!' if o.nonresponse else ''}" for o in options)


def test_answers_in_words_get_codes_in_their_order() -> None:
    found = build_options(say(*AGREE[::-1], "Don't know"), 1, ())
    assert [option.label for option in found.answers] == list(AGREE)
    assert [option.code for option in found.options] == [1, 2, 3, 4, 5, 8]
    assert found.options[-1].nonresponse == "dont_know"
    assert found.kind == "agreement"


@pytest.mark.parametrize(
    ("answers", "codes"),
    [
        (code(1, 2, 3, 4, 5), "1 2 3 4 5"),
        (code(1, 2, 3, 4, 5, 8, 9), "1 2 3 4 5 8! 9!"),
        (code(1, 2, 3, 4, 5, 6, 7, 9), "1 2 3 4 5 6 7 9!"),
        (code(1, 2, 4, 5, 99), "1 2 3 4 5 99!"),
        (code(-9, -8, 0, 1, 2, 3, 4), "0 1 2 3 4 -9! -8!"),
        (code(*range(11)), "0 1 2 3 4 5 6 7 8 9 10"),
        (code(2, 3, 4, 5), "1 2 3 4 5"),
        (code(1, 2, 3, 4, 5, 6, 7, 8, 9), "1 2 3 4 5 6 7 8 9"),
        (code(3, 40), ""),
    ],
)
def test_codes_that_lie_apart_stand_for_no_answer(answers: Answers, codes: str) -> None:
    assert list_codes(answers) == codes


def test_ends_that_nobody_chose_are_those_of_the_other_questions() -> None:
    assert list_codes(code(1, 2, 3, 4), ranges=((1, 7), (1, 7), (1, 5))) == "1 2 3 4 5 6 7"


def test_a_lone_column_of_bare_numbers_is_no_item() -> None:
    assert list_codes(code(1, 2, 3), family=1) == ""


def test_labels_of_the_file_keep_their_codes() -> None:
    labels = dict(zip(map(float, range(5)), AGREE, strict=True)) | {-1.0: "Not reached"}
    answers = Answers({**labels, 8.0: "Don't know"}, missing=frozenset({-1.0}), labelled=True)
    assert list_codes(answers, family=1) == "0 1 2 3 4 8!"
    assert build_options(answers, 1, ()).guesses == ()


def test_unordered_labels_are_no_scale() -> None:
    answers = Answers({1.0: "Male", 2.0: "Female"}, labelled=True)
    assert list_codes(answers, family=1) == ""
    assert list_codes(say("Car", "Bus", "Foot")) == ""
    assert list_codes(say("Yes", "No")) == ""


def test_a_file_of_codes_is_joined_with_one_of_words() -> None:
    found = build_options(join_answers([code(1, 2, 3, 4, 5), say(*AGREE)]), 4, ())
    assert [(o.code, o.label) for o in found.options] == list(enumerate(AGREE, start=1))
    assert "one file holds codes and another words" in found.guesses[0]
    assert list_codes(join_answers([code(1, 2, 3, 4), say(*AGREE)])) == ""


def test_cells_are_read_as_codes_words_or_both(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "mixed,ends,blank,many\n"
        + "".join(f"{m},{e},{b},{i}\n" for i, (m, e, b) in enumerate(
            [("1", "1 (Never)", "-99"), ("2", "2", "NA"), ("Don't know", "3 - Always", "")] * 9
        )),
        encoding="utf-8",
    )  # fmt: skip
    table = read_table(path)
    mixed, ends, blank, many = (read_answers(table, column) for column in range(4))
    assert mixed is not None
    assert mixed.codes == {1.0: "", 2.0: "", 88.0: "Don't know"}
    assert ends is not None
    assert ends.codes == {1.0: "Never", 2.0: "", 3.0: "Always"}
    assert blank is None
    assert many is None
