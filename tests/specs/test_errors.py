"""Messages: complete, on one line, short, and with the nearest name."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sbwork.specs.errors import InputError, Problem, find_nearest, list_names, quote
from sbwork.specs.masks import mask_name


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (
            Problem("cohort.yml", "line 3", "'tittle' is no key", "Allowed: 'title'", "title"),
            "cohort.yml, line 3: 'tittle' is no key. Did you mean 'title'? Allowed: 'title'.",
        ),
        (Problem("cohort.yml", "", "no such file"), "cohort.yml: no such file."),
        *((Problem("f", "", f"found{end}", f"so{end}"), f"f: found{end} so{end}") for end in ".?!"),
    ],
)
def test_a_problem_names_file_place_finding_nearest_and_allowed(
    problem: Problem, text: str
) -> None:
    assert str(problem) == text


def test_every_problem_has_its_own_line_and_a_flood_is_cut_and_counted_but_kept() -> None:
    error = InputError(Problem("f", f"line {n}", "wrong") for n in range(1000))
    lines = str(error).splitlines()
    assert lines == [*(f"f, line {n}: wrong." for n in range(50)), "and 950 more like these"]
    assert len(error.problems) == 1000


def test_an_error_without_a_problem_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="at least one problem"):
        InputError([])


def test_an_error_survives_the_way_between_processes() -> None:
    error = InputError([Problem("f", "line 1", "wrong", "Right", "near")])
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (again.problems, str(again)) == (error.problems, str(error))


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("Tittle", "title"),
        ("smallest group", "smallest_group"),
        ("SMALLEST-GROUP", "smallest_group"),
        *((name, "") for name in ("zzz", "", None, 12)),
    ],
)
def test_the_nearest_name_is_found_or_none(name: object, nearest: str) -> None:
    assert find_nearest(name, ["title", "smallest_group", "pairs"]) == nearest
    assert find_nearest(name, []) == ""


@pytest.mark.parametrize(("count", "end"), [(14, "'11' and 2 more"), (12, "'11'"), (0, "")])
def test_a_long_list_of_names_says_how_many_are_left_out(count: int, end: str) -> None:
    assert list_names([str(n) for n in range(count)]).endswith(end)


@given(st.text())
@example("@A")
def test_quoted_text_is_one_short_printable_line(text: str) -> None:
    shown, masked = quote(text), mask_name(text)
    assert len(shown) <= 80
    assert shown.isprintable()
    assert shown == masked or not text.isprintable() or len(masked) > 80
    assert masked == text or " removed]" in masked


def test_quoting_hides_what_turns_or_ends_a_line() -> None:
    assert quote("a\nb\u202ec\x1b[31m\u2028") == "a\ufffdb\ufffdc\ufffd[31m\ufffd"


@given(*[st.text()] * 5)
def test_a_message_is_one_line_whatever_it_is_made_of(
    file: str, place: str, found: str, allowed: str, nearest: str
) -> None:
    assert len(str(Problem(file, place, found, allowed, nearest)).splitlines()) <= 1
