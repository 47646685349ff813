"""Texts numbered from their bytes, against a dictionary."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sbwork.read.incidents.numbering import TextNumbers

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=5).filter(
    lambda text: len(text.encode()) < 16
)


def number(numbers: TextNumbers, buffer: bytearray, some: list[str]) -> list[int] | None:
    pieces = [text.encode() for text in some]
    joined = b",".join(pieces)
    buffer[: len(joined)] = joined
    stop = np.cumsum([len(piece) + 1 for piece in pieces]) - 1
    begin = stop - [len(piece) for piece in pieces]
    found = numbers.number(begin, stop)
    return None if found is None else found.tolist()


@given(st.lists(st.lists(texts, min_size=1, max_size=30), max_size=5))
def test_equal_texts_get_equal_numbers(blocks: list[list[str]]) -> None:
    buffer = bytearray(4096)
    numbers = TextNumbers(buffer, 16)
    known = {"": 0}
    for block in blocks:
        expected = [known.setdefault(text, len(known)) for text in block]
        assert number(numbers, buffer, block) == expected
    assert numbers.texts == list(known)


def test_thousands_of_texts_find_room() -> None:
    some = [f"E{code:08d}" for code in range(20_000)]
    buffer = bytearray(300_000)
    numbers = TextNumbers(buffer, 16)
    for _ in range(2):
        assert number(numbers, buffer, some) == list(range(1, 20_001))
    assert numbers.texts[1:] == some


def test_fresh_texts_are_told_once() -> None:
    buffer = bytearray(100)
    numbers = TextNumbers(buffer, 16)
    number(numbers, buffer, ["a", "b", "a"])
    assert numbers.take_fresh() == [0, 1]
    number(numbers, buffer, ["b", "c"])
    assert numbers.take_fresh() == [1]
    assert numbers.take_fresh() == []


def test_texts_that_are_too_long_have_no_number() -> None:
    buffer = bytearray(100)
    assert number(TextNumbers(buffer, 16), buffer, ["a" * 15]) == [1]
    assert number(TextNumbers(buffer, 16), buffer, ["a" * 16]) is None


def test_a_zero_byte_is_a_character() -> None:
    buffer = bytearray(100)
    assert number(TextNumbers(buffer, 16), buffer, ["a", "a\0", "\0"]) == [1, 2, 3]
