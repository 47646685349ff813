"""docs/results.md documents the columns of results.csv, and every reason and flag, once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sbwork.evaluation import Evaluation
from sbwork.stats import Flag, Reason
from sbwork.stats.findings import RESULT_COLUMNS, tabulate_findings

PAGE = (Path(__file__).parents[1] / "docs" / "results.md").read_text("utf-8")


def read_table(heading: str) -> dict[str, list[str]]:
    """Read the table under a heading: the other cells of each row, by its name in backticks."""
    part = re.split(r"^## (.+)$", PAGE, flags=re.MULTILINE)
    text = dict(zip(part[1::2], part[2::2], strict=True))[heading]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("| `")
    ]
    names = [row[0].strip("`") for row in rows]
    assert len(names) == len(set(names)), "a name stands twice"
    return {name: row[1:] for name, row in zip(names, rows, strict=True)}


def test_every_column_is_documented_in_its_order() -> None:
    table = read_table("Columns")
    assert tuple(table) == RESULT_COLUMNS
    assert all(meaning for *_, meaning in table.values())


def test_types_are_those_of_the_frame() -> None:
    names = {"str": "text", "float64": "number", "bool": "true or false"}
    found = {name: names[str(kind)] for name, kind in tabulate_findings([]).dtypes.items()}
    assert {name: cells[0] for name, cells in read_table("Columns").items()} == found


@pytest.mark.parametrize(
    ("heading", "values"), [("Values of reason", Reason), ("Values of flags", Flag)]
)
def test_every_value_is_documented_with_a_meaning_of_its_own(
    heading: str, values: type[Reason] | type[Flag]
) -> None:
    table = read_table(heading)
    assert set(table) == {str(value) for value in values}
    meanings = [cells[0] for cells in table.values()]
    assert all(meanings)
    assert len(set(meanings)) == len(meanings)


def test_sections_and_units_are_those_that_occur(durham_1: Evaluation) -> None:
    findings = durham_1.findings
    assert set(findings["section"]) <= set(read_table("Sections"))
    units = re.findall(r"`(\w+)`", read_table("Columns")["unit"][-1])
    assert set(findings["unit"]) - {""} <= set(units)
