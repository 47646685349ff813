"""SPSS and Stata files, through pyreadstat: codes as text beside their labels."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sbwork.read.surveys.qualtrics import is_qualtrics, mark_responses
from sbwork.read.surveys.tables import MOST_COLUMNS, Grid, RawTable, build_table, refuse_size
from sbwork.specs.errors import InputError, Problem

_MOST_CELLS = 10_000_000
_LEAST_SECONDS = 9.0
_SECONDS_PER_MEGABYTE = 0.5


def read_labelled(path: Path, platform: str) -> RawTable:
    """Read an SPSS (.sav, .zsav) or a Stata file (.dta); `platform` is "spss" or "stata".

    Value labels are in ``codes`` of the table; user-missing codes of SPSS, and Stata's extended
    missing values as the letters ``a`` to ``z``, are in ``missing``.
    """
    outline, numbers = _run_reader(path, platform)
    if not outline.get("names") or not outline["rows"]:
        raise InputError(Problem(path.name, "", "the file holds no answers"))
    names: list[str] = outline["names"]
    cells = pd.DataFrame(
        {
            column: np.array([*texts, ""], dtype=object)[numbers[column]]
            for column, texts in enumerate(outline["texts"])
        }
    )
    table = build_table(Grid(cells, path.name), platform, 0, names, outline["questions"])
    table = replace(
        table,
        codes={i: labels for i, labels in enumerate(outline["labels"]) if labels},
        missing={i: frozenset(codes) for i, codes in enumerate(outline["missing"]) if codes},
    )
    return mark_responses(table) if is_qualtrics([names]) else table


def _run_reader(
    path: Path, platform: str
) -> tuple[dict[str, Any], np.ndarray[Any, np.dtype[np.int32]]]:
    """Read the file in a process of its own, which a damaged file may crash."""
    program = Path(__file__).with_name("readstat_process.py")
    limits = [str(MOST_COLUMNS), str(_MOST_CELLS)]
    damaged = Problem(
        path.name, "", "the file is damaged and can't be read", "Save it again, or as CSV"
    )
    try:
        run = subprocess.run(  # noqa: S603
            [sys.executable, "-I", str(program), str(path.resolve()), platform, *limits],
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=_LEAST_SECONDS + _SECONDS_PER_MEGABYTE * path.stat().st_size / 1e6,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        if run.returncode:
            raise InputError(damaged)
        header, _, data = run.stdout.partition(b"\n")
        outline: dict[str, Any] = json.loads(header)
        if "names" not in outline:
            refuse_size(path.name, outline["rows"], outline["columns"])
            found = f"there are {outline['rows']:,} rows by {outline['columns']:,} columns"
            raise InputError(Problem(path.name, "", found, f"At most {_MOST_CELLS:,} cells"))
        numbers = np.frombuffer(data, dtype=np.int32).reshape(len(outline["names"]), -1)
    except subprocess.TimeoutExpired as error:
        found = f"reading was given up after {error.timeout:.0f} seconds"
        hint = "The file may be damaged, or the computer busy: try again, or save it as CSV"
        raise InputError(Problem(path.name, "", found, hint)) from None
    except InputError:
        raise
    except ValueError:
        raise InputError(damaged) from None
    return outline, numbers
