"""The texts of one column of a file, numbered as they stand among its bytes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["Positions", "TextNumbers", "view_fields"]

_ODD = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F)
_MIXERS = np.array([[pow(odd, power, 1 << 64) for power in range(1, 9)] for odd in _ODD], np.uint64)

Positions = npt.NDArray[np.intp]
Words = npt.NDArray[np.uint64]


def view_fields(text: bytearray, width: int) -> npt.NDArray[np.void]:
    """View a buffer as fields of this width, one beginning at every byte."""
    return np.ndarray((len(text) - width,), f"V{width}", text, 0, (1,))


class TextNumbers:
    """Numbers texts in the order in which they turn up; empty text is 0.

    A text is a few words of eight bytes, filled up with zeros, its length in the last byte. Two
    hashes say where its number may stand; the words are compared then, so that a number is never
    wrong. Texts that stand below each other in a row of equals are looked up once.

    Parameters
    ----------
    text : bytearray
        The buffer that the texts stand in; at least `width` bytes longer than what it holds.
    width : int
        Texts are shorter than this, in bytes; a multiple of 8.

    Attributes
    ----------
    texts : list of str
        By number.

    Examples
    --------
    >>> numbers = TextNumbers(bytearray(b"Drugs,Robbery,Drugs" + bytes(16)), 16)
    >>> numbers.number(np.array([0, 6, 14]), np.array([5, 13, 19])).tolist()
    [1, 2, 1]
    """

    def __init__(self, text: bytearray, width: int) -> None:
        self.texts = [""]
        self._width = width
        self._fields = view_fields(text, width)
        sizes = np.arange(width + 1) - 8 * np.arange(width // 8)[:, None]
        keeps = np.array([(1 << 8 * size) - 1 for size in range(9)], np.uint64)
        self._masks = keeps[np.clip(sizes, 0, 8)]
        self._keys = np.zeros((width // 8, 256), np.uint64)
        self._known = {(0,) * (width // 8): 0}
        self._slots = np.zeros((2, 1 << 14), np.intp)
        self._fresh: list[int] = []

    def number(self, begin: Positions, stop: Positions) -> Positions | None:
        """Return the number of each text between these positions; None where one has none.

        A text has none that is too long or not UTF-8.
        """
        length = stop - begin
        if int(length.max()) >= self._width:
            return None
        fields = self._fields[begin].view("<u8").reshape(len(begin), -1)
        words = [fields[:, n] & mask.take(length) for n, mask in enumerate(self._masks)]
        words[-1] |= length.astype(np.uint64) << np.uint64(56)
        changes = np.ones(len(begin), np.bool_)
        changes[1:] = words[0][1:] != words[0][:-1]
        for word in words[1:]:
            changes[1:] |= word[1:] != word[:-1]
        starts = np.flatnonzero(changes)
        if starts.size > len(begin) / 2:
            return self._number_words(words, np.arange(len(begin)))
        codes = self._number_words([word[starts] for word in words], starts)
        return None if codes is None else np.repeat(codes, np.diff(starts, append=len(begin)))

    def take_fresh(self) -> list[int]:
        """Return the lines at which new texts turned up since the last call."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def _number_words(self, words: Sequence[Words], rows: Positions) -> Positions | None:
        """Return the number of each text of these rows; None where one is not UTF-8."""
        codes, places, right = self._look_up(words, 0)
        if right.all():
            return codes
        wrong = np.flatnonzero(~right)
        rest = [word[wrong] for word in words]
        codes[wrong], others, right = self._look_up(rest, 1)
        missed = np.flatnonzero(~right)
        if not missed.size:
            return codes
        table = np.stack([word[missed] for word in rest], axis=1)
        first, inverse = _group_rows(table)
        numbers = np.empty(len(first), np.intp)
        for group in np.argsort(first).tolist():
            at = int(missed[first[group]])
            row = int(wrong[at])
            code = self._learn(tuple(table[first[group]].tolist()), int(rows[row]))
            if code is None:
                return None
            numbers[group] = code
            slot = (0, places[row]) if not self._slots[0, places[row]] else (1, others[at])
            self._slots[slot] = code
        codes[wrong[missed]] = numbers[inverse]
        if len(self.texts) * 16 > self._slots.shape[1]:
            self._make_room()
        return codes

    def _look_up(
        self, words: Sequence[Words], which: int
    ) -> tuple[Positions, Positions, npt.NDArray[np.bool_]]:
        """Return the number in each text's slot, the slot, and whether it is the text's own."""
        hashed = _hash(words, which)
        hashed >>= np.uint64(65 - self._slots.shape[1].bit_length())
        places = hashed.view(np.intp)
        codes = self._slots[which].take(places)
        right = self._keys[0].take(codes) == words[0]
        for key, word in zip(self._keys[1:], words[1:], strict=True):
            right &= key.take(codes) == word
        return codes, places, right

    def _learn(self, words: tuple[int, ...], row: int) -> int | None:
        """Give a text its number, or the one that it has; None where it is no UTF-8."""
        code = self._known.get(words)
        if code is None:
            try:
                filled = np.array(words, "<u8").tobytes()
                text = filled[: filled[-1]].decode()
            except UnicodeDecodeError:
                return None
            code = self._known[words] = len(self.texts)
            self.texts.append(text)
            if code == self._keys.shape[1]:
                self._keys = np.concatenate([self._keys, np.zeros_like(self._keys)], axis=1)
            self._keys[:, code] = words
            self._fresh.append(row)
        return code

    def _make_room(self) -> None:
        """Spread the numbers over four times the slots."""
        self._slots = np.zeros((2, self._slots.shape[1] * 4), np.intp)
        codes = np.arange(1, len(self.texts))
        for which in (0, 1):
            _, places, _ = self._look_up(list(self._keys[:, codes]), which)
            self._slots[which, places] = codes


def _hash(words: Sequence[Words], which: int) -> Words:
    """Mix words into one whose upper bits are even (multiplicative hashing)."""
    hashed: Words = words[0] * _MIXERS[which, 0]
    for word, mixer in zip(words[1:], _MIXERS[which, 1:], strict=False):
        hashed += word * mixer
    return hashed


def _group_rows(table: npt.NDArray[np.uint64]) -> tuple[Positions, Positions]:
    """Group equal rows: the first of each group, and the group of each row."""
    _, first, inverse = np.unique(_hash(list(table.T), 0), return_index=True, return_inverse=True)
    if (table[first][inverse] != table).any():
        _, first, inverse = np.unique(table, axis=0, return_index=True, return_inverse=True)
    return first, inverse.ravel()
