"""Messages: complete, on one line, short, and with the nearest name."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbwork.specs.errors import InputError, Problem, find_nearest, list_names, quote


def test_a_problem_names_file_place_finding_nearest_and_allowed() -> None:
    problem = Problem("cohort.yml", "line 3", "'tittle' is no key", "Allowed: 'title'", "title")
    assert str(problem) == (
        "cohort.yml, line 3: 'tittle' is no key. Did you mean 'title'? Allowed: 'title'."
    )


def test_a_problem_of_a_whole_file_has_no_place() -> None:
    assert str(Problem("cohort.yml", "", "no such file")) == "cohort.yml: no such file."


@pytest.mark.parametrize("end", [".", "?", "!"])
def test_a_sentence_is_ended_once(end: str) -> None:
    assert str(Problem("f", "", f"found{end}", f"allowed{end}")) == f"f: found{end} allowed{end}"


def test_every_problem_is_told_on_its_own_line() -> None:
    error = InputError(Problem("f", f"line {n}", "wrong") for n in range(3))
    assert str(error).splitlines() == [f"f, line {n}: wrong." for n in range(3)]


def test_a_flood_of_problems_is_cut_and_counted_but_kept() -> None:
    error = InputError([Problem("f", f"line {n}", "wrong") for n in range(1000)])
    lines = str(error).splitlines()
    assert len(lines) == 51
    assert lines[-1] == "and 950 more like these"
    assert len(error.problems) == 1000


def test_an_error_without_a_problem_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="at least one problem"):
        InputError([])


def test_an_error_survives_the_way_between_processes() -> None:
    error = InputError([Problem("f", "line 1", "wrong", "Right", "near")])
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert again.problems == error.problems
    assert str(again) == str(error)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("Tittle", "title"),
        ("smallest group", "smallest_group"),
        ("SMALLEST-GROUP", "smallest_group"),
        ("zzz", ""),
        ("", ""),
        (None, ""),
        (12, ""),
    ],
)
def test_the_nearest_name_is_found_or_none(name: object, nearest: str) -> None:
    assert find_nearest(name, ["title", "smallest_group", "pairs"]) == nearest


def test_there_is_no_nearest_name_among_none() -> None:
    assert find_nearest("title", []) == ""


def test_a_long_list_of_names_says_how_many_are_left_out() -> None:
    assert list_names([str(n) for n in range(14)]).endswith("'11' and 2 more")
    assert list_names([str(n) for n in range(12)]).endswith("'11'")
    assert list_names([]) == ""


@given(st.text())
def test_quoted_text_is_one_short_printable_line(text: str) -> None:
    shown = quote(text)
    assert len(shown) <= 80
    assert shown.isprintable()
    if text.isprintable() and len(text) <= 80:
        assert shown == text


def test_quoting_hides_what_turns_or_ends_a_line() -> None:
    assert quote("a\nb\u202ec\x1b[31m\u2028") == "a\ufffdb\ufffdc\ufffd[31m\ufffd"


@given(st.text(), st.text(), st.text(), st.text(), st.text())
def test_a_message_is_one_line_whatever_it_is_made_of(
    file: str, place: str, found: str, allowed: str, nearest: str
) -> None:
    assert len(str(Problem(file, place, found, allowed, nearest)).splitlines()) <= 1
