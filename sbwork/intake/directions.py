"""Which items of a scale are worded the other way round: by their names, and by their answers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from sbwork.intake.answer_sets import OptionSet
from sbwork.intake.exploration import ExploredFile
from sbwork.read.surveys.answers import match_answers
from sbwork.read.surveys.tables import RawTable

__all__ = ["find_reversed"]

_AGAINST = -0.05


def find_reversed(
    files: Sequence[ExploredFile], scales: Sequence[tuple[Sequence[str], OptionSet]]
) -> dict[str, str]:
    """Say of each item that may be worded the other way round why it may be.

    An item's name may end in r; or its answers may run against the other items': its loading on
    the first principal component of the scale has the other sign.

    Parameters
    ----------
    files : sequence of ExploredFile
        The survey files.
    scales : sequence of tuple
        The items of each scale, and their options.

    Returns
    -------
    dict of str to str
        Item -> why, in plain words; items that nothing speaks of are left out.
    """
    marked = {c.key for file in files for c in file.questions if c.name.reversed}
    hints: dict[str, str] = {}
    for keys, options in scales:
        signs = _find_signs(files, keys, options)
        flipped = {key for key, sign in signs.items() if sign < 0}
        own = marked & set(keys)
        if len(own ^ flipped) > len(own ^ (set(signs) - flipped)):
            flipped = set(signs) - flipped
        for key in keys:
            if key in own and key in flipped:
                hints[key] = "the name ends in r, and the answers run against the other items'"
            elif key in own:
                hints[key] = (
                    "the name ends in r, but the answers do not run against the other items': "
                    "perhaps it is turned round in the file already"
                )
            elif key in flipped:
                hints[key] = "the answers run against the other items'"
    return dict.fromkeys(marked - set(hints), "the name ends in r") | hints


def _find_signs(
    files: Sequence[ExploredFile], keys: Sequence[str], options: OptionSet
) -> dict[str, float]:
    """Return which items go with the scale (1) and which against it (-1)."""
    for file in files:
        columns = {column.key: column.number for column in file.questions if column.key in keys}
        if len(columns) < len(keys):
            continue
        data = {key: _read_codes(file.table, columns[key], options) for key in keys}
        matrix = pd.DataFrame(data).corr(min_periods=10).to_numpy(dtype=np.float64)
        if not np.isfinite(matrix).all():
            continue
        values, vectors = np.linalg.eigh(matrix)
        leading = vectors[:, int(np.argmax(values))]
        leading = leading * (1.0 if leading.sum() >= 0 else -1.0)
        sure = np.where(leading < _AGAINST, -1.0, 1.0)
        return dict(zip(keys, sure.tolist(), strict=True))
    return {}


def _read_codes(table: RawTable, column: int, options: OptionSet) -> npt.NDArray[np.float64]:
    codes, found = pd.factorize(table.read_column(column)[table.kept])
    texts = [str(text) for text in found]
    labels, missing = table.codes.get(column, {}), table.missing.get(column, frozenset())
    matches = match_answers(texts, options.options, labels, missing)
    values: npt.NDArray[np.float64] = np.array([*(match.code for match in matches), np.nan])
    return values[codes]
