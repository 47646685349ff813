"""A program of its own that reads one SPSS or Stata file, so that a broken file ends only it.

ReadStat, the C library behind pyreadstat, can crash on damaged files, and a crash in the same
process would take the user's session along. Started by `labelled`; imports nothing of sbwork.
The answer goes to standard output: one line of JSON, then the cells, as numbers of distinct
texts (int32, column by column).
"""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_MOST_BYTES = 700_000_000


def main(arguments: Sequence[str]) -> int:
    """Read the file named and write its cells and labels to standard output.

    The arguments are the path, ``"spss"`` or ``"stata"``, the most columns and the most cells to
    read; of a file that is larger only the size is written.
    """
    import pyreadstat

    _bound_memory()
    path, platform, most_columns, most_cells = arguments
    read = pyreadstat.read_sav if platform == "spss" else pyreadstat.read_dta
    _, outline = read(path, metadataonly=True, output_format="dict")
    rows, columns = max(outline.number_rows or 0, 0), outline.number_columns or 0
    if columns > int(most_columns) or rows * columns > int(most_cells):
        _write({"rows": rows, "columns": columns}, [])
        return 0
    data, meta = read(
        path, user_missing=True, disable_datetime_conversion=True, output_format="dict"
    )
    names = list(data)
    numbers, texts = zip(*(_number(data.pop(name)) for name in names), strict=True)
    ranges, letters = meta.missing_ranges or {}, meta.missing_user_values or {}
    labels = meta.variable_value_labels or {}
    questions = meta.column_names_to_labels or {}
    _write(
        {
            "rows": len(numbers[0]),
            "names": names,
            "questions": [str(questions.get(name) or "") for name in names],
            "texts": texts,
            "labels": [
                {_write_code(code): str(label) for code, label in labels.get(name, {}).items()}
                for name in names
            ],
            "missing": [
                _list_missing(found, ranges.get(name, []), letters.get(name, []))
                for name, found in zip(names, texts, strict=True)
            ],
        },
        numbers,
    )
    return 0


def _bound_memory() -> None:
    """Let the memory grow no further than a sound file needs, where the system can see to it."""
    statm = Path("/proc/self/statm")
    if statm.is_file():
        import resource

        used = int(statm.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + _MOST_BYTES, used + _MOST_BYTES))


def _write(description: Mapping[str, Any], numbers: Sequence[array[int]]) -> None:
    out = sys.stdout.buffer
    out.write(json.dumps(description).encode() + b"\n")
    for column in numbers:
        out.write(column.tobytes())
    out.flush()


def _number(values: Sequence[object]) -> tuple[array[int], list[str]]:
    """Give each distinct text of a column a number, in order of first appearance."""
    known: dict[str, int] = {}
    seen: dict[object, int] = {}
    numbers = array("i")
    for value in values:
        if value not in seen:
            seen[value] = known.setdefault(_write_code(value), len(known))
        numbers.append(seen[value])
    return numbers, list(known)


def _write_code(code: object) -> str:
    if code is None or code != code:
        return ""
    if isinstance(code, float) and code.is_integer() and abs(code) < 1e15:
        return str(int(code))
    return str(code).strip()


def _list_missing(
    texts: Sequence[str], ranges: Sequence[Mapping[str, Any]], letters: Sequence[object]
) -> list[str]:
    declared = {_write_code(letter) for letter in letters}
    declared |= {text for text in texts if text and _lies_within(text, ranges)}
    return sorted(declared)


def _lies_within(text: str, ranges: Sequence[Mapping[str, Any]]) -> bool:
    for span in ranges:
        low, high = span["lo"], span["hi"]
        try:
            if low == text or float(low) <= float(text) <= float(high):
                return True
        except ValueError:
            continue
    return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
