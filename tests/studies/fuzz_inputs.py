"""Mutated inputs of every kind: each must give a result or one clear message.

Run as a script: ``python tests/studies/fuzz_inputs.py [CASES] [SEED] [KIND]``; 1,000 cases of each
kind unless given otherwise. A case fails on any exception but InputError, above 10 seconds of work,
above 1 GB, and where it leaves or changes a file.
"""

from __future__ import annotations

import csv
import io
import json
import os
import random
import resource
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from sbwork.evaluation import evaluate_cohort
from sbwork.intake.check import inspect_cohort
from sbwork.intake.new import take_in
from sbwork.report.index import write_index
from sbwork.report.manifest import is_current
from sbwork.report.staging import clear_leftovers, stage_folder
from sbwork.specs.errors import InputError

MOST_SECONDS, MOST_MEGABYTES = 10.0, 1000.0
EVALUATED = 100
"""One case in so many is also evaluated to its findings."""

ITEMS = [f"trust_{number}" for number in range(1, 5)]
MONTHS = [f"{year}-{month:02d}" for year in (2017, 2018) for month in range(1, 13)]
PERIODS = "periods: {before: {start: 2017-01, end: 2017-12}, after: {start: 2018-01, end: 2018-12}}"
CODES = {"north": "E01000001", "south": "E01000002"}
CORNERS = {"north": (-1.60, 54.70), "south": (-1.50, 54.70)}
ODD: list[Any] = [
    None, "", " ", "0", -1, 1e308, "1e400", "nan", "inf", 10**30, [], {}, [[]], {"a": [1]}, True,
    "=1+1", "\u202e", "\ud83d\ude00", "a" * 5000, "..", "/dev/zero", "con", "2017-13", "1900-01",
    "north", "all", "E01000001", "0x10", "1_000", "٣", "*a", "&a", "!!python/object:x", "\t", "'",
]  # fmt: skip


def write_table(rows: list[list[Any]], separator: str = ",") -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=separator).writerows(rows)
    return out.getvalue().encode(errors="replace")


def list_answers() -> list[list[Any]]:
    rng = random.Random(4)  # noqa: S311
    rows = [
        [wave, site, f"p{number}", *(rng.randint(1, 5) for _ in ITEMS)]
        for wave in ("before", "after")
        for site in CODES
        for number in range(15)
    ]
    return [["wave", "area", "id", *ITEMS], *rows]


def list_incidents() -> list[list[Any]]:
    rng = random.Random(5)  # noqa: S311
    header = ["Crime ID", "Month", "Reported by", "Falls within", "Longitude", "Latitude"]
    header += ["Location", "LSOA code", "LSOA name", "Crime type"]
    rows = [
        ["", month, "X Police", "X Police", west + rng.random() * 0.05, south + rng.random() * 0.05,
         "On or near", CODES[site], f"X 00{number}A", rng.choice(["Burglary", "Drugs"])]
        for month in MONTHS
        for number, (site, (west, south)) in enumerate(CORNERS.items())
        for _ in range(3)
    ]  # fmt: skip
    return [header, *rows]


def write_workbook(rows: list[list[Any]]) -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def write_labelled(kind: str) -> bytes:
    import pyreadstat

    head, *rows = list_answers()
    frame = pd.DataFrame(rows, columns=head)
    labels = {item: {code: f"label {code}" for code in range(1, 6)} for item in ITEMS}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"s.{kind}"
        write = pyreadstat.write_sav if kind == "sav" else pyreadstat.write_dta
        write(frame, str(path), variable_value_labels=labels)
        return path.read_bytes()


def pack(parts: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, data in parts.items():
            archive.writestr(name, data)
    return out.getvalue()


def write_archive() -> bytes:
    head, *rows = list_incidents()
    return pack(
        {
            f"{month}/{month}-x-street.csv": write_table(
                [head, *(r for r in rows if r[1] == month)]
            )
            for month in MONTHS
        }
    )


def write_polygons() -> bytes:
    features = [
        {"type": "Feature", "properties": {"LSOA21CD": CODES[site]}, "geometry": {
            "type": "Polygon", "coordinates": [[[x, y], [x + 0.05, y], [x + 0.05, y + 0.05],
                                                [x, y + 0.05], [x, y]]]}}
        for site, (x, y) in CORNERS.items()
    ]  # fmt: skip
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


SITES = "sites:\n  north: {lsoas: [E01000001]}\n  south: {lsoas: [E01000002]}"
PAIRS = "pairs: [{intervention: north, control: south, control_reason: alike}]"
SURVEY = "surveys: [{{path: {}, wave_column: wave, site_column: area, person_column: id}}]"
QUESTIONS = {
    "name": "residents",
    "options": {"agree": [{"code": code, "label": f"label {code}"} for code in range(1, 6)]},
    "items": {item: {"options": "agree", "text": f"I trust {item}"} for item in ITEMS},
    "scales": {"trust": {"title": "Trust", "items": ITEMS}},
}


def write_cohort(*lines: str) -> bytes:
    head = ["name: pilot", "title: The pilot", "data_status: invented", SITES, PAIRS, PERIODS]
    return "\n".join([*head, *lines, ""]).encode()


def build_kinds() -> dict[str, tuple[str, dict[str, bytes]]]:
    """Return for each kind of input the file to mutate and the data folder that it is part of."""
    surveyed = "instrument: residents"
    question = {"instruments/residents.yml": json.dumps(QUESTIONS, indent=1).encode()}
    home = "cohorts/pilot/"

    def survey(name: str, data: bytes) -> tuple[str, dict[str, bytes]]:
        cohort = write_cohort(surveyed, SURVEY.format(name))
        return home + name, {home + "cohort.yml": cohort, home + name: data, **question}

    def counted(name: str, data: bytes, *lines: str) -> tuple[str, dict[str, bytes]]:
        cohort = write_cohort(f"incidents: [{{path: {name}}}]", *lines)
        return home + name, {home + "cohort.yml": cohort, home + name: data}

    rows = write_table(list_incidents())
    polygons = counted("i.csv", rows, "geography: {boundaries: [g.geojson]}")[1]
    polygons[home + "g.geojson"] = write_polygons()
    both = {**survey("s.csv", write_table(list_answers()))[1], home + "i.csv": rows}
    both[home + "cohort.yml"] = write_cohort(
        surveyed, SURVEY.format("s.csv"), "incidents:\n  - path: i.csv\n    format: auto",
        "outcomes:\n  crime: {title: Crime, crime_types: [Burglary, Drugs]}",
        "weighting: {no_target: [age]}", "smallest_group: 10", "seed: 3", "harm_weights: w.csv",
        "stories: [{theme: trust, text: It is safer., told_by: a resident}]",
        "engagement: [{date: 2018-02-01, event: Walk, attendance: 12}]",
        "reported_figures: [{title: Calls, change_percent: -20, reported_by: staff}]",
        "chosen_because: highest\nchosen_on: {start: 2016-01, end: 2016-12}",
    )  # fmt: skip
    both[home + "w.csv"] = b"crime_type,weight\nBurglary,400\nDrugs,20\n"
    return {
        "survey csv": survey("s.csv", write_table(list_answers())),
        "survey xlsx": survey("s.xlsx", write_workbook(list_answers())),
        "survey sav": survey("s.sav", write_labelled("sav")),
        "survey dta": survey("s.dta", write_labelled("dta")),
        "incidents csv": counted("i.csv", rows),
        "incidents xlsx": counted("i.xlsx", write_workbook(list_incidents())),
        "incidents zip": counted("i.zip", write_archive()),
        "geojson": (home + "g.geojson", polygons),
        "cohort yml": (home + "cohort.yml", both),
        "instrument yml": ("instruments/residents.yml", both),
        "weights csv": (home + "w.csv", both),
        "reports": ("", {home + "cohort.yml": write_cohort()}),
    }


# What is done to the bytes of any file.


def mutate_bytes(data: bytes, rng: random.Random) -> bytes:
    at, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    noise = rng.randbytes(rng.randint(1, 60))
    flipped = bytearray(data)
    for _ in range(rng.randint(1, 30) if data else 0):
        flipped[rng.randrange(len(flipped))] = rng.randrange(256)
    return rng.choice(
        [
            data[:at], data[:at] + data[end:], data[:at] + noise + data[at:], bytes(flipped), b"",
            data[:at] + data[at:end] * 3 + data[end:], data[:at] + bytes(end - at) + data[end:],
            b"\xef\xbb\xbf" + data, b"\xff\xfe" + data, data * 2, data.replace(b"\n", b"\r"), noise,
            b"PK\x03\x04" + data, data.upper(), data.replace(b'"', b"'"), b"[" * 100_000,
            b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        ]
    )  # fmt: skip


def mutate_rows(rows: list[list[Any]], rng: random.Random) -> list[list[Any]]:
    for _ in range(rng.randint(1, 4)):
        row, column = rng.randrange(len(rows)), rng.randrange(len(rows[0]))
        step = rng.randrange(9)
        if step == 0:
            rows = [
                [c for i, c in enumerate(each) if i != column or len(each) < 3] for each in rows
            ]
        elif step == 1:
            rows = [[*each, each[column % len(each)] if each else ""] for each in rows]
        elif step == 2:
            rows = [rows[0], *(each for each in rows[1:] for _ in range(rng.randint(0, 2)))]
        elif step == 3:
            rows.insert(row, rng.choice([[], [""] * len(rows[0]), rows[0], ["Source: x"]]))
        elif step == 4 and rows[row]:
            rows[row] = rows[row][: rng.randrange(len(rows[row]))]
        elif step == 5:
            value = rng.choice(ODD)
            rows = [each and [*each[:column], value, *each[column + 1 :]] for each in rows]
        elif step == 6:
            rows[0] = [rng.choice([str(rng.choice(ODD)), name]) for name in rows[0]]
        elif rows[row]:
            rows[row] = list(rows[row])
            rows[row][column % len(rows[row])] = rng.choice(ODD)
        if not rows or not rows[0]:
            return [[""]]
    return rows


def mutate_tree(tree: Any, rng: random.Random) -> Any:
    """Change one value somewhere in lists and dicts, or a key."""
    if isinstance(tree, dict) and tree and rng.random() < 0.9:
        key = rng.choice(list(tree))
        if rng.random() < 0.15:
            return {k if k != key else str(rng.choice(ODD)): v for k, v in tree.items()}
        if rng.random() < 0.1:
            return {k: v for k, v in tree.items() if k != key}
        return {**tree, key: mutate_tree(tree[key], rng)}
    if isinstance(tree, list) and tree and rng.random() < 0.9:
        at = rng.randrange(len(tree))
        if rng.random() < 0.1:
            return tree[:at] + tree[at + 1 :]
        return [*tree[:at], mutate_tree(tree[at], rng), *tree[at + 1 :]]
    return rng.choice(ODD)


def mutate_lines(data: bytes, rng: random.Random) -> bytes:
    """Change lines of YAML: values, keys, indents, aliases, depth."""
    lines = data.decode().splitlines()
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(lines))
        key, colon, value = lines[at].partition(": ")
        text = str(rng.choice(ODD))
        lines[at : at + 1] = rng.choice(
            [
                [f"{key}{colon}{text}"], [f"{key}: {value}: {text}"], [f" {lines[at]}"], [],
                [lines[at]] * 2, [f"{key}: &a {value}", f"{key}2: *a"], [f"{key}: [{value}]"],
                [f"{key}: {{{value}: {text}}}"], [f"{key}: !!binary {value}"], ["---", lines[at]],
                [f"{key}: " + "[" * 3000], [lines[at].lstrip()], [f"{key}: |", "  " + value],
                [lines[at].replace(rng.choice("abnorth0123"), rng.choice("xyz789./*")) or "x"],
            ]
        )  # fmt: skip
        lines = lines or [""]
    return "\n".join(lines).encode(errors="replace")


def mutate_members(data: bytes, rng: random.Random, change: Callable[..., bytes]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(list(parts))
    step = rng.randrange(8)
    if step == 0:
        del parts[name]
    elif step == 1:
        other = ["../a.csv", "/a.csv", "a.csv", "x.zip", "2017-01-y-street.csv", "con.csv"]
        parts[rng.choice(other)] = parts[name]
    elif step == 2:
        parts[name] = b"0,1\n" * 3_000_000
    elif step == 3:
        return pack(parts) + pack({name: b"x"})
    else:
        parts[name] = change(parts[name], rng)
    return pack(parts)


def mutate(kind: str, data: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.35:
        return mutate_bytes(data, rng)
    if kind.endswith("csv"):
        rows = list(csv.reader(io.StringIO(data.decode(), newline="")))
        return write_table(mutate_rows(rows, rng), rng.choice(",,,;\t|"))
    if kind.endswith("xlsx"):
        if rng.random() < 0.5:
            rows = list_answers() if kind.startswith("survey") else list_incidents()
            texts = [[c if isinstance(c, int | float) else str(c)[:999] for c in row]
                     for row in mutate_rows(rows, rng)]  # fmt: skip
            try:
                return write_workbook(texts)
            except Exception:
                return data[: rng.randrange(len(data))]
        return mutate_members(data, rng, mutate_bytes)
    if kind.endswith("zip"):
        return mutate_members(
            data, rng, lambda part, rng: mutate("csv", part, rng) if part else part
        )
    if kind == "geojson":
        tree = json.loads(data)
        for _ in range(rng.randint(1, 3)):
            tree = mutate_tree(tree, rng)
        return json.dumps(tree).encode()
    if kind.endswith("yml"):
        return mutate_lines(data, rng)
    return mutate_bytes(data, rng)


# Reports.


def write_reports(out: Path, rng: random.Random) -> None:
    """Write reports and mutate one of their files, or where they are."""
    row = {
        "section": "counts",
        "estimator": "rirr",
        "outcome": "crime",
        "site": "north",
        "comparison": "south",
        "period": "change",
        "estimate": 0.8,
        "ci_low": 0.6,
        "ci_high": 1.1,
    }
    files = {
        "results.json": {"schema": 1, "evidence_level": 2, "results": [row, row]},
        "manifest.json": {"title": "Pilot", "finished": "2018-06-01T10:00:00+00:00",
                          "data_status": "real", "outputs": {"report.html": "0"}},
        "report.html": "<p>", "results.csv": "section\n",
    }  # fmt: skip
    for name in ("pilot", "other", rng.choice(["du-1 (copy)", "#x", "ümlaut", "a\nb", "con"])):
        (out / name).mkdir(parents=True)
        for file, content in files.items():
            tree = content
            if rng.random() < 0.5 and isinstance(content, dict):
                tree = mutate_tree(content, rng)
            data = (tree if isinstance(tree, str) else json.dumps(tree)).encode(errors="replace")
            if rng.random() < 0.2:
                data = mutate_bytes(data, rng)
            (out / name / file).write_bytes(data)
    states = {"pilot": {"state": "ok", "reason": ""}, "other": {"state": "failed"}}
    (out / "index.json").write_text(json.dumps(mutate_tree(states, rng)), encoding="utf-8")
    file = out / "pilot" / rng.choice(list(files))
    if rng.random() < 0.3:
        file.unlink()
        rng.choice([file.mkdir, lambda: os.mkfifo(file), lambda: file.symlink_to("/dev/zero"),
                    lambda: file.symlink_to(file), lambda: None])()  # fmt: skip
    for name in (".pilot.old", ".x.staging-1", ".x.lock"):
        if rng.random() < 0.2:
            (out / name).mkdir() if rng.random() < 0.5 else (out / name).write_text("x")


def judge_reports(folder: Path, rng: random.Random) -> None:
    out = folder / "reports"
    write_reports(out, rng)
    clear_leftovers(out)
    page = write_index(out, folder / "data", [])
    json.loads((out / "index.json").read_text("utf-8"))
    assert "</html>" in page.read_text("utf-8")
    sources = dict.fromkeys(("inputs", "notebook", "code", "parameters", "seed"), 1)
    is_current(out / "pilot", {**sources, "python": 1, "packages": 1})
    try:
        with stage_folder(out / "pilot") as staged:
            (staged / "report.html").write_text("new")
    except (InputError, OSError):
        return
    assert (out / "pilot" / "report.html").read_text() == "new"


# Judging.


def list_tree(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): path.lstat().st_size
        for path in folder.rglob("*")
        if ".sbwork-cache" not in path.parts
    }


def judge(kind: str, seed: int) -> str:
    """Run one case; return what is wrong with the outcome, or an empty string."""
    rng = random.Random(seed)  # noqa: S311
    target, files = KINDS[kind]
    with tempfile.TemporaryDirectory() as name:
        data = Path(name) / "data"
        for file, content in files.items():
            (data / file).parent.mkdir(parents=True, exist_ok=True)
            (data / file).write_bytes(mutate(kind, content, rng) if file == target else content)
        before, began = list_tree(data), measure_time()
        try:
            if kind == "reports":
                judge_reports(Path(name), rng)
            else:
                read_all(data, data / target, rng)
        except InputError as error:
            if any(len(line) > 2000 for line in str(error).splitlines()):
                return f"a message of {len(str(error))} characters"
        except BaseException as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            return f"{type(error).__name__}: {str(error)[:200]} ({where.filename}:{where.lineno})"
        if measure_time() - began > MOST_SECONDS:
            return f"took {measure_time() - began:.1f} s"
        after = {path: size for path, size in list_tree(data).items() if "made" not in path}
        return "" if after == before else "files were left or changed"


def read_all(data: Path, target: Path, rng: random.Random) -> None:
    inspect_cohort("pilot", data)
    if target.suffix not in {".yml", ".geojson"} and rng.random() < 0.3:
        tree = list_tree(data)
        kind = "surveys" if target.stem == "s" else "incidents"
        try:
            take_in("made", data, **{kind: [str(target)]})
        except InputError:
            assert list_tree(data) == tree, "a part of a new cohort was left"
    if rng.randrange(EVALUATED) == 0:
        evaluate_cohort("pilot", data)


def measure_time() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + used.ru_utime + used.ru_stime


def measure_memory() -> float:
    """Return the largest memory of this process or one that it started, in MB."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(each).ru_maxrss for each in who) / 1024


def run(kind: str, cases: int, seed: int) -> Iterator[str]:
    """Run cases of one kind; give what was wrong with each that failed."""
    for number in range(seed, seed + cases):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            memory = measure_memory()
            wrong = judge(kind, number)
        if not wrong and measure_memory() > max(memory + 1, MOST_MEGABYTES):
            wrong = f"took {measure_memory():,.0f} MB"
        if wrong:
            yield f"{kind}, seed {number}: {wrong}"


KINDS = build_kinds()


def main() -> int:
    cases = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    failed: Counter[str] = Counter()
    for kind in [kind for kind in KINDS if len(sys.argv) < 4 or kind == sys.argv[3]]:
        start = time.perf_counter()
        for wrong in run(kind, cases, seed):
            failed[kind] += 1
            print(wrong, flush=True)
        print(
            f"{kind}: {cases:,} cases, {failed[kind]} wrong, {time.perf_counter() - start:.0f} s, "
            f"peak memory {measure_memory():,.0f} MB",
            flush=True,
        )
    return int(failed.total() > 0)


if __name__ == "__main__":
    sys.exit(main())
