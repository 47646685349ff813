"""Mutated survey exports: each must give a right result or one clear message.

Run as a script: ``python tests/benchmarks/fuzz_exports.py [CASES] [SEED]``; 10,000 cases unless
told otherwise. A case fails on any exception but InputError, on a message without a file's name,
on a wrong result, above 10 seconds, and above 1 GB.
"""

from __future__ import annotations

import csv
import io
import resource
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sbwork.read.surveys import Responses, read_responses
from sbwork.specs.cohort import Cohort
from sbwork.specs.errors import InputError
from sbwork.specs.instrument import Instrument

ROWS = 24
ITEMS = [f"trust_{number}" for number in range(1, 7)]
LABELS = ["Strongly disagree", "Disagree", "Neither", "Agree", "Strongly agree"]
SHARES = [0.2, 0.2, 0.15, 0.12, 0.12, 0.15, 0.04, 0.02]
MOST_SECONDS = 10.0
MOST_MEGABYTES = 1000.0

Table = list[list[str]]
Mutate = Callable[[bytes, np.random.Generator], bytes]

INSTRUMENT = Instrument.model_validate(
    {
        "name": "fuzz",
        "options": {"agree": [{"code": i + 1, "label": label} for i, label in enumerate(LABELS)]},
        "items": {
            item: {"options": "agree", "text": f"I trust number {item[-1]}"} for item in ITEMS
        },
    }
)


@dataclass(frozen=True)
class Export:
    """One intact export: its bytes, its file name, and what a right reading gives."""

    name: str
    file: str
    data: bytes
    expected: pd.DataFrame


@dataclass(frozen=True)
class Mutation:
    """One way to spoil a file, and what may come of it: "same", "refused" or "either"."""

    name: str
    mutate: Mutate
    outcome: str
    binary: bool = False


def build_exports() -> list[Export]:
    rng = np.random.default_rng(7)
    codes = rng.integers(1, 6, (ROWS, len(ITEMS)))
    sites = rng.choice(["North", "South"], ROWS)
    texts = [[str(code) for code in row] for row in codes]
    words = [[LABELS[code - 1] for code in row] for row in codes]
    expected = pd.DataFrame(codes.astype(float), columns=ITEMS)
    expected.insert(0, "site", [site.lower() for site in sites])

    def join(rows: list[list[str]]) -> Table:
        return [
            [f"2019-04-03 10:{i:02d}:00", "0", "100", "1", f"R_{i:015d}", site, *row, "thanks, all"]
            for i, (site, row) in enumerate(zip(sites, rows, strict=True))
        ]

    names = ["StartDate", "Status", "Progress", "Finished", "ResponseId", "area", *ITEMS, "told"]
    questions = ["Start Date", "Response Type", "Progress", "Finished", "Response ID", "Where?"]
    questions += [f"How much? - I trust number {item[-1]}" for item in ITEMS] + ["Tell us"]
    ids = [f'{{"ImportId":"{name}"}}' for name in names]
    qualtrics = [names, questions, ids]
    lime = ["id. Response ID", "submitdate. Date submitted", "lastpage. Last page", "area. Where?"]
    lime += [f"trust[{item}]. How much? [I trust number {item[-1]}]" for item in ITEMS]
    lime_rows = [
        [str(i), "2019-04-03 10:00", "3", site, *row]
        for i, (site, row) in enumerate(zip(sites, words, strict=True))
    ]
    forms = ["ID", "Start time", "Completion time", "Email", "area"]
    forms += [f"I trust number {item[-1]}" for item in ITEMS]
    forms_rows = [
        [str(i), "4/3/2019", "4/3/2019", f"ann{i}@example.org", site, *row]
        for i, (site, row) in enumerate(zip(sites, words, strict=True))
    ]
    plain = [["area", *ITEMS]] + [[site, *row] for site, row in zip(sites, texts, strict=True)]
    return [
        Export("qualtrics codes", "q.csv", write_text([*qualtrics, *join(texts)]), expected),
        Export("qualtrics labels", "q.csv", write_text([*qualtrics, *join(words)]), expected),
        Export("limesurvey", "l.csv", write_text([lime, *lime_rows], ";"), expected),
        Export("forms", "f.csv", write_text([forms, *forms_rows]), expected),
        Export("plain", "p.csv", write_text(plain), expected),
        Export("workbook", "w.xlsx", write_workbook(plain), expected),
        Export("spss", "s.sav", write_labelled(expected, sites, "sav"), expected),
        Export("stata", "s.dta", write_labelled(expected, sites, "dta"), expected),
    ]


def write_text(rows: Table, separator: str = ",") -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=separator, lineterminator="\r\n").writerows(rows)
    return out.getvalue().encode()


def write_workbook(rows: Table) -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append([int(cell) if cell.isdecimal() else cell for cell in row])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def write_labelled(expected: pd.DataFrame, sites: np.ndarray, kind: str) -> bytes:
    import pyreadstat

    frame = expected[ITEMS].assign(area=sites)
    labels = {item: {float(i + 1): label for i, label in enumerate(LABELS)} for item in ITEMS}
    if kind == "dta":
        labels = {
            item: {int(code): text for code, text in row.items()} for item, row in labels.items()
        }
        frame = frame.astype(dict.fromkeys(ITEMS, "int64"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"s.{kind}"
        write = pyreadstat.write_sav if kind == "sav" else pyreadstat.write_dta
        write(frame, str(path), variable_value_labels=labels)
        return path.read_bytes()


def read_rows(data: bytes) -> tuple[Table, str]:
    text = data.decode()
    separator = ";" if text.count(";") > text.count(",") else ","
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=separator)), separator


def _rows(change: Callable[[Table, np.random.Generator], Table]) -> Mutate:
    def mutate(data: bytes, rng: np.random.Generator) -> bytes:
        rows, separator = read_rows(data)
        return write_text(change(rows, rng), separator)

    return mutate


def _find_items(rows: Table) -> tuple[int, list[int]]:
    """Return the number of header rows and the columns of the items."""
    headers = 3 if any("ImportId" in cell for row in rows[:4] for cell in row) else 1
    columns = [i for i, c in enumerate(rows[0]) if any(k in c for k in (*ITEMS, "I trust number"))]
    return headers, columns


def cut_end(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(rng.integers(0, len(data)))]


def cut_middle(data: bytes, rng: np.random.Generator) -> bytes:
    start, end = sorted(int(place) for place in rng.integers(0, len(data), 2))
    return data[:start] + data[min(end, start + 400) :]


def flip_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 30))):
        changed[int(rng.integers(len(changed)))] = int(rng.integers(256))
    return bytes(changed)


def insert_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    place = int(rng.integers(len(data)))
    return data[:place] + rng.bytes(int(rng.integers(1, 60))) + data[place:]


def shuffle_columns(rows: Table, rng: np.random.Generator) -> Table:
    order = rng.permutation(len(rows[0]))
    return [[row[i] for i in order] for row in rows]


def shuffle_answers(rows: Table, rng: np.random.Generator) -> Table:
    headers, _ = _find_items(rows)
    return [*rows[:headers], *(rows[headers + i] for i in rng.permutation(len(rows) - headers))]


def rename_column(rows: Table, rng: np.random.Generator) -> Table:
    headers, columns = _find_items(rows)
    column = int(rng.choice(columns))
    for row in rows[:headers]:
        row[column] = str(rng.choice(["", "x", "trust", "Q99", "=1+1", "trust_99"]))
    return rows


def recase_columns(rows: Table, rng: np.random.Generator) -> Table:
    for column in _find_items(rows)[1]:
        rows[0][column] = f" {rows[0][column].upper()} "
    return rows


def repeat_column(rows: Table, rng: np.random.Generator) -> Table:
    column = int(rng.integers(len(rows[0])))
    return [[*row, row[column]] for row in rows]


def repeat_name(rows: Table, rng: np.random.Generator) -> Table:
    headers, columns = _find_items(rows)
    first, second = (int(column) for column in rng.choice(columns, 2, replace=False))
    for row in rows[:headers]:
        row[first] = row[second]
    return rows


def lose_column(rows: Table, rng: np.random.Generator) -> Table:
    column = int(rng.choice(_find_items(rows)[1]))
    return [row[:column] + row[column + 1 :] for row in rows]


def restyle_answers(rows: Table, rng: np.random.Generator) -> Table:
    headers, columns = _find_items(rows)
    for row in rows[headers:]:
        for column in columns:
            row[column] = f"  {row[column].upper()}\u00a0"
    return rows


def add_index(rows: Table, rng: np.random.Generator) -> Table:
    return [["", *rows[0]], *([str(i), *row] for i, row in enumerate(rows[1:], 1))]


def add_blank_rows(rows: Table, rng: np.random.Generator) -> Table:
    blank = [""] * len(rows[0])
    place = int(rng.integers(_find_items(rows)[0], len(rows)))
    return [*rows[:place], blank, *rows[place:], blank, blank]


def spoil_cell(*texts: str) -> Mutate:
    """Write one of the texts into one answer to an item."""

    def change(rows: Table, rng: np.random.Generator) -> Table:
        headers, columns = _find_items(rows)
        row, column = int(rng.integers(headers, len(rows))), int(rng.choice(columns))
        rows[row][column] = str(rng.choice(texts))
        return rows

    return _rows(change)


def change_row(change: Callable[[list[str], Table], object]) -> Mutate:
    """Change one row of answers in place."""

    def change_one(rows: Table, rng: np.random.Generator) -> Table:
        change(rows[int(rng.integers(_find_items(rows)[0], len(rows)))], rows)
        return rows

    return _rows(change_one)


def spoil_site(row: list[str], rows: Table) -> None:
    row[next(i for i, cell in enumerate(rows[0]) if "area" in cell)] = "Nowhere"


def add_columns(count: int) -> Mutate:
    def change(rows: Table, rng: np.random.Generator) -> Table:
        names = [f"extra{number}" for number in range(count)]
        return [[*row, *(names if i == 0 else [""] * count)] for i, row in enumerate(rows[:6])]

    return _rows(change)


def pack(parts: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return out.getvalue()


def make_bomb(data: bytes, rng: np.random.Generator) -> bytes:
    sheet = b"\0" * 400_000_000
    return pack({"xl/workbook.xml": b"<workbook/>", "xl/worksheets/sheet1.xml": sheet})


def _encode(encoding: str) -> Mutate:
    return lambda data, rng: data.decode().encode(encoding)


def _separate(separator: str) -> Mutate:
    return lambda data, rng: write_text(read_rows(data)[0], separator)


CODES = ("6", "0", "99", "-1", "1e9", "1.5", "Agre", "yes", "٣٤")
FORMULAS = ('=HYPERLINK("http://example.org","1")', "=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0")
MUTATIONS = [
    Mutation("intact", lambda data, rng: data, "same", binary=True),
    Mutation("end cut off", cut_end, "either", binary=True),
    Mutation("middle cut out", cut_middle, "either", binary=True),
    Mutation("bytes flipped", flip_bytes, "either", binary=True),
    Mutation("bytes inserted", insert_bytes, "either", binary=True),
    Mutation("columns shuffled", _rows(shuffle_columns), "either"),
    Mutation("rows shuffled", _rows(shuffle_answers), "shuffled"),
    Mutation("column renamed", _rows(rename_column), "refused"),
    Mutation("names in capitals", _rows(recase_columns), "same"),
    Mutation("column repeated", _rows(repeat_column), "same"),
    Mutation("name repeated", _rows(repeat_name), "refused"),
    Mutation("column lost", _rows(lose_column), "refused"),
    Mutation("unknown code", spoil_cell(*CODES), "refused"),
    Mutation("formula", spoil_cell(*FORMULAS), "refused"),
    Mutation("answers in capitals", _rows(restyle_answers), "same"),
    Mutation("index column", _rows(add_index), "same"),
    Mutation("blank rows", _rows(add_blank_rows), "same"),
    Mutation("unknown site", change_row(spoil_site), "refused"),
    Mutation("value too many", change_row(lambda row, rows: row.append("extra")), "either"),
    Mutation("value too few", change_row(lambda row, rows: row.pop()), "refused"),
    Mutation("byte-order mark", lambda data, rng: b"\xef\xbb\xbf" + data, "same"),
    Mutation("UTF-16", _encode("utf-16"), "same"),
    Mutation("UTF-16 without mark", _encode("utf-16-le"), "same"),
    Mutation("tabs", _separate("\t"), "same"),
    Mutation("semicolons", _separate(";"), "same"),
    Mutation("old line ends", lambda data, rng: data.replace(b"\r\n", b"\r"), "same"),
    Mutation("NUL byte", lambda data, rng: data[:99] + b"\0" + data[99:], "refused"),
    Mutation("open quotation mark", lambda data, rng: data + b'"', "either"),
    Mutation("zip named csv", lambda data, rng: pack({"a.csv": data}), "refused", binary=True),
]
RARE = [
    Mutation("100,000 columns", add_columns(100_000), "refused"),
    Mutation("3,000 columns", add_columns(3_000), "either"),
    Mutation("zip bomb", make_bomb, "refused", binary=True),
]


def generate_cases(count: int, seed: int) -> Iterator[tuple[Export, Mutation, bytes]]:
    rng = np.random.default_rng(seed)
    exports = build_exports()
    for number in range(count):
        export = exports[int(rng.choice(len(exports), p=SHARES))]
        texts = export.file.endswith(".csv")
        allowed = [m for m in MUTATIONS if texts or m.binary]
        mutation = allowed[int(rng.integers(len(allowed)))]
        if number % 400 == 0:
            mutation, export = RARE[number // 400 % len(RARE)], exports[0]
        yield export, mutation, mutation.mutate(export.data, rng)


def judge(export: Export, mutation: Mutation, data: bytes, folder: Path) -> str:
    """Read one case; return what is wrong with the outcome, or an empty string."""
    path = folder / export.file
    path.write_bytes(data)
    cohort = Cohort.model_validate(
        {
            "name": "fuzz",
            "sites": {"north": {}, "south": {}},
            "surveys": [{"path": str(path), "wave": "before", "site_column": "area"}],
        }
    )
    start = time.perf_counter()
    outcome: Responses | InputError
    try:
        outcome = read_responses(cohort, INSTRUMENT)
    except InputError as error:
        outcome = error
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    seconds = time.perf_counter() - start
    if seconds > MOST_SECONDS:
        return f"took {seconds:.1f} s"
    if isinstance(outcome, InputError):
        if mutation.outcome in {"same", "shuffled"}:
            return f"refused: {outcome}"
        lines = str(outcome).splitlines()
        told = all(problem.file for problem in outcome.problems) and len(lines) <= 60
        return "" if told and all(len(line) < 1_500 for line in lines) else f"unclear: {outcome}"
    return _judge_result(export, mutation, outcome)


def _judge_result(export: Export, mutation: Mutation, result: Responses) -> str:
    if mutation.outcome == "refused":
        return "was read, though it should have been refused"
    found = result.answers[["site", *ITEMS]]
    if not found[ITEMS].isin([1, 2, 3, 4, 5, np.nan]).all(axis=None):
        return "an answer is not among the options"
    rows, expected = found.to_numpy().tolist(), export.expected.to_numpy().tolist()
    if (mutation.outcome == "same" or mutation.name == "columns shuffled") and rows != expected:
        return "the answers differ from those of the intact file"
    if mutation.outcome == "shuffled" and sorted(rows) != sorted(expected):
        return "the answers differ from those of the intact file"
    if mutation.name == "end cut off" and export.file.endswith(".csv"):
        blank = found[ITEMS].isna().to_numpy()
        if rows[:-1] != expected[: len(rows)][:-1] or blank[:-1].any():
            return "a file cut short changes the answers before the cut"
    return ""


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 20191101
    outcomes: Counter[str] = Counter()
    failures: list[str] = []
    start, slowest = time.perf_counter(), 0.0
    with tempfile.TemporaryDirectory() as folder:
        for number, (export, mutation, data) in enumerate(generate_cases(count, seed)):
            began = time.perf_counter()
            wrong = judge(export, mutation, data, Path(folder))
            if number % 1_000 == 999:
                print(f"{number + 1:,} cases, {len(failures)} wrong", flush=True)
            slowest = max(slowest, time.perf_counter() - began)
            outcomes["wrong" if wrong else "right"] += 1
            if wrong:
                failures.append(f"case {number}, {export.name}, {mutation.name}: {wrong}")
                print(failures[-1][:400], flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{count:,} cases in {time.perf_counter() - start:.0f} s: {dict(outcomes)}; slowest "
        f"{slowest:.2f} s, peak memory {peak:.0f} MB"
    )
    return int(bool(failures) or peak > MOST_MEGABYTES)


if __name__ == "__main__":
    sys.exit(main())
