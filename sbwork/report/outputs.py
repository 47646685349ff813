"""What a run leaves for other programs: results.json, results.csv and the figures."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sbwork.evaluation import Evaluation
from sbwork.render.sections import Section
from sbwork.report.exports import escape_formulas

__all__ = ["write_results"]

_SCHEMA = 1


def write_results(
    out: str | Path, evaluation: Evaluation, sections: Iterable[Section] = ()
) -> None:
    """Write every estimate shown, unrounded, and every picture.

    Parameters
    ----------
    out : str or Path
        The folder to write into; made where it is missing.
    evaluation : Evaluation
        What was found.
    sections : iterable of Section
        The sections whose pictures are saved into ``figures/``.

    Notes
    -----
    A number that could not be computed is null in the JSON and empty in the CSV; its ``note``
    says why. Text that a spreadsheet would run as a formula is escaped in the CSV.
    """
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    escape_formulas(evaluation.findings).to_csv(
        folder / "results.csv", index=False, lineterminator="\n", encoding="utf-8"
    )
    cohort = evaluation.cohort
    document = {
        "schema": _SCHEMA,
        "cohort": cohort.name,
        "title": cohort.display_title,
        "data_status": cohort.data_status,
        "rehearsal": cohort.rehearsal,
        "evidence_level": evaluation.evidence.level,
        "seed": cohort.seed,
        "results": [
            {key: _plain(value) for key, value in row.items()}
            for row in evaluation.findings.to_dict("records")
        ],
    }
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / "results.json").write_text(text + "\n", encoding="utf-8", newline="\n")
    for section in sections:
        for picture in section.pictures:
            picture.save(folder / "figures")


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
