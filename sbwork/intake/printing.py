"""What `sbwork new` and `sbwork check` found, printed in the terminal."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sbwork.intake.check import Inspection, Part
from sbwork.intake.new import Intake

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["print_inspection", "print_intake"]

_NARROWEST = 100


def print_intake(intake: Intake, name: str, data: Path) -> None:
    """Say what was written, what was found, and what to do next."""
    proposal = intake.proposal
    lines = [f"Copied into {intake.cohort.parent}: {', '.join(intake.copied)}."] * bool(
        intake.copied
    )
    for survey in proposal.surveys:
        wave = (
            f"the column '{survey.wave_column}' tells the wave"
            if survey.wave_column
            else survey.wave
        )
        lines.append(f"Survey {survey.path.name}: {survey.platform}, {survey.rows:,} rows, {wave}.")
    for path, told in intake.incidents.items():
        if told.problems:
            lines += [f"Incidents {path}: not used yet.", *(f"  {p}" for p in told.problems)]
        elif told.months:
            lines.append(
                f"Incidents {path}: {told.rows:,.0f} incidents, {told.months[0]} to "
                f"{told.months[-1]}, {len(told.lsoas):,} LSOAs."
            )
    if proposal.surveys:
        turned = sum(bool(item.reverse) for item in proposal.items)
        lines.append(
            f"Proposed: {len(proposal.items)} items ({turned} perhaps reversed), "
            f"{len(proposal.scales)} scales, {len(proposal.sites) or 'no'} sites told by a column."
        )
    if proposal.surveys and intake.instrument is None:
        lines.append("No column looks like an item of a scale, so no questionnaire was written.")
    lines += proposal.notes
    if intake.others:
        lines.append(f"Left alone: {', '.join(intake.others)}.")
    written = [str(path) for path in (intake.cohort, intake.instrument) if path]
    lines.append(f"Written: {' and '.join(written)}.")
    option = "" if data == Path("data") or not data.name else f" --data {data}"
    lines += [
        "Next: look through what is marked 'guessed: check', and fill in what no file can tell.",
        f"Then: sbwork check {name}{option}",
        f"And:  sbwork report {name}{option}",
    ]
    for line in lines:
        print(line)


def print_inspection(inspection: Inspection) -> None:
    """Print what was understood of a cohort; what is wrong goes to standard error."""
    console = _open_console()
    console.rule(f"Cohort {inspection.cohort}", align="left", characters="=")
    for part in inspection.parts:
        _print_part(console, part)
    if inspection.missing:
        _print_lines(console, "What the report will lack", inspection.missing)
    if inspection.usable:
        print(f"{inspection.cohort}: usable; nothing is wrong with its files.")
        return
    count = len(inspection.problems)
    print(f"{inspection.cohort}: {count} problem{'s' * (count > 1)}:", file=sys.stderr)
    for problem in inspection.problems:
        print(f"  {problem}", file=sys.stderr)


def _open_console() -> Console:
    from rich.console import Console

    width = None if sys.stdout.isatty() else _NARROWEST
    return Console(width=width, markup=False, highlight=False, emoji=False)


def _print_part(console: Console, part: Part) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(part.title, style="bold"),
        title_justify="left",
        box=box.SIMPLE_HEAD if any(part.columns) else None,
        show_header=any(part.columns),
        pad_edge=False,
    )
    for number, column in enumerate(part.columns):
        table.add_column(
            Text(column), overflow="fold", justify="right" if number in part.numeric else "left"
        )
    for row in part.rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)
    console.print()


def _print_lines(console: Console, title: str, lines: Sequence[str]) -> None:
    from rich.text import Text

    console.print(Text(title, style="bold"))
    for line in lines:
        console.print(Text(f"  - {line}"))
    console.print()
