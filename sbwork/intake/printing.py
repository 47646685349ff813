"""What `sbwork new` and `sbwork check` found, printed in the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sbwork.intake.check import Inspection
from sbwork.intake.new import Intake
from sbwork.specs.masks import mask_name

__all__ = ["print_inspection", "print_intake"]

_NARROWEST = 100
_OF_NUMBERS = {"Count", "Items", "Options met", "Before", "After", "Both", "Don't know", "Blank"}
_OF_NUMBERS |= {"Prefer not to say", "All months", "Matched", "Lost", "Share lost"}


def print_intake(intake: Intake, name: str, data: Path) -> None:
    """Say what was written, what was found, and what to do next."""
    _print_lines(_open_console(), _describe_intake(intake, name, data))


def print_inspection(inspection: Inspection) -> None:
    """Print what was understood of a cohort; what is wrong goes to standard error."""
    console = _open_console()
    console.rule(f"Cohort {inspection.cohort}", align="left", characters="=")
    for title, table in inspection.tables.items():
        _print_table(console, title, table)
    if inspection.missing:
        console.print(Text("What the report will lack", style="bold"))
        _print_lines(console, [*(f"  - {line}" for line in inspection.missing), ""])
    count = len(inspection.problems)
    if not count:
        _print_lines(console, [f"{inspection.cohort}: usable; nothing is wrong with its files."])
        return
    lines = [f"{inspection.cohort}: {count} problem{'s' * (count > 1)}:"]
    _print_lines(_open_console(error=True), [*lines, *(f"  {p}" for p in inspection.problems)])


def _describe_intake(intake: Intake, name: str, data: Path) -> Iterator[str]:
    proposal = intake.proposal
    if intake.copied:
        yield f"Copied into {intake.cohort.parent}: {', '.join(map(mask_name, intake.copied))}."
    for survey in proposal.surveys:
        wave = survey.wave or f"the column '{survey.wave_column}' gives the wave"
        file = mask_name(survey.path.name)
        yield f"Survey {file}: {survey.platform}, {survey.rows:,} rows, {wave}."
    for file, found in intake.incidents.items():
        path = mask_name(file)
        if found.problems:
            yield f"Incidents {path}: not used yet."
            yield from (f"  {problem}" for problem in found.problems)
        elif found.months:
            span = f"{found.months[0]} to {found.months[-1]}"
            yield f"Incidents {path}: {found.rows:,.0f} rows, {span}, {len(found.lsoas):,} LSOAs."
    if proposal.instrument:
        yield f"The questionnaire '{proposal.instrument.name}' fits, and is used."
    elif proposal.surveys and not proposal.items:
        yield "No column looks like an item of a scale, so no questionnaire was written."
    elif proposal.items:
        reversed_ = sum(bool(item.reverse) for item in proposal.items)
        yield (
            f"Proposed: {len(proposal.items)} items ({reversed_} perhaps reversed), "
            f"{len(proposal.scales)} scales, {len(proposal.sites) or 'no'} sites given by a column."
        )
    yield from proposal.notes
    if intake.others:
        yield f"Left alone: {', '.join(map(mask_name, intake.others))}."
    yield f"Written: {' and '.join(str(p) for p in (intake.cohort, intake.instrument) if p)}."
    option = "" if data == Path("data") or not data.name else f" --data {data}"
    yield "Next: look through what is marked 'guessed: check', and fill in what no file can give:"
    yield "the areas' LSOA codes, which is compared with which and why, and the months."
    yield f"Then: sbwork check {name}{option}"
    yield f"And:  sbwork report {name}{option}"


def _open_console(*, error: bool = False) -> Console:
    width = None if sys.stdout.isatty() else _NARROWEST
    return Console(stderr=error, width=width, markup=False, highlight=False, emoji=False)


def _print_lines(console: Console, lines: Iterable[str]) -> None:
    for line in lines:
        console.print(Text(line), soft_wrap=True)


def _print_table(console: Console, title: str, table: pd.DataFrame) -> None:
    has_heads = any(table.columns)
    shown = Table(
        title=Text(title, style="bold"),
        title_justify="left",
        box=box.SIMPLE_HEAD if has_heads else None,
        show_header=has_heads,
        pad_edge=False,
    )
    for column in table.columns:
        shown.add_column(
            Text(column), overflow="fold", justify="right" if column in _OF_NUMBERS else "left"
        )
    for row in table.itertuples(index=False):
        shown.add_row(*(Text(cell) for cell in row))
    console.print(shown)
    console.print()
