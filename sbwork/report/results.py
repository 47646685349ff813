"""What a run leaves for other programs: results.json, results.csv and the figures."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from sbwork.grade.publishable import Publishable
from sbwork.render.blocks import Section
from sbwork.render.views import HasPublishable

__all__ = ["escape_cell", "escape_formulas", "write_results"]

_SCHEMA = 1
_FORMULA = re.compile(r"^[\s\x00]*[=+\-@＝＋－＠]|^[\t\r\n]")
_NUMBER = re.compile(r"^[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?%?$")


def write_results(
    out: str | Path,
    evaluation: HasPublishable | Publishable,
    sections: Iterable[Section] = (),
) -> None:
    """Write every estimate shown, unrounded, and every picture.

    Parameters
    ----------
    out : str or Path
        The folder to write into; made where it is missing.
    evaluation : Evaluation or Publishable
        What was found; only what may be published of it is written.
    sections : iterable of Section
        The sections whose pictures are saved into ``figures/``.

    Notes
    -----
    A number that could not be computed is null in the JSON and empty in the CSV; its ``note``
    says why. Text that a spreadsheet would run as a formula is escaped in the CSV.
    """
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    shown = evaluation if isinstance(evaluation, Publishable) else evaluation.publishable
    escape_formulas(shown.findings).to_csv(
        folder / "results.csv", index=False, lineterminator="\n", encoding="utf-8"
    )
    cohort = shown.cohort
    document = {
        "schema": _SCHEMA,
        "cohort": cohort.name,
        "title": cohort.display_title,
        "data_status": cohort.data_status,
        "rehearsal": cohort.rehearsal,
        "evidence_level": shown.evidence.level,
        "seed": cohort.seed,
        "results": [
            {key: _drop_infinite(value) for key, value in row.items()}
            for row in shown.findings.to_dict("records")
        ],
    }
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / "results.json").write_text(text + "\n", encoding="utf-8", newline="\n")
    for section in sections:
        for picture in section.pictures:
            picture.save(folder / "figures")


def escape_formulas(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a copy in which a spreadsheet takes no text for a formula (OWASP, "CSV Injection").

    Text that starts with ``=``, ``+``, ``-``, ``@``, a tab or a line break gets an apostrophe in
    front, names of columns too. Numbers stay numbers, also numbers kept as text.
    """
    escaped = frame.copy()
    for place, kind in enumerate(frame.dtypes):
        if not pd.api.types.is_numeric_dtype(kind):
            escaped.isetitem(place, [escape_cell(value) for value in frame.iloc[:, place]])
    if frame.shape[1]:
        escaped.columns = frame.columns.map(escape_cell)
    return escaped


def escape_cell(value: object) -> object:
    """Return one cell so that a spreadsheet shows it and does not work it out."""
    if not isinstance(value, str) or not _FORMULA.match(value) or _NUMBER.match(value):
        return value
    return f"'{value}"


def _drop_infinite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
