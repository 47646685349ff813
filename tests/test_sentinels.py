"""Personal data planted in every kind of column reach no output of a full run."""

# ruff: noqa: E501

from __future__ import annotations

import contextlib
import csv
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyreadstat
import pytest

from sbwork.cli import main
from sbwork.report.index import write_index
from sbwork.report.run import Outcome

ROOT = Path(__file__).parents[1]
PLANTED = {
    "RecipientFirstName": "Zaphodina{n}",
    "RecipientLastName": "Quibblesworth{n}",
    "Your full name": "Zaphodina Quibblesworth{n}",
    "RecipientEmail": "zq{n}@sentinel.example",
    "Contact": "zq{n}@sentinel.example",
    "Mobile number": "07700 900{n:03d}",
    "IPAddress": "203.0.113.{n}",
    "LocationLatitude": "54.771{n:03d}",
    "LocationLongitude": "-1.573{n:03d}",
    "Device": "SentinelPhone/{n} (Gecko)",
    "ResponseId": "R_sentinel{file}{n:04d}",
    "ExternalReference": "WARRANT-{n:04d}",
    "Anything else?": "Ask Quibblesworth{n} of 12 Sentinel Street about it",
}
MARKS = (
    "zaphodina", "quibblesworth", "sentinel.example", "07700 900", "203.0.113.", "54.771",
    "1.573", "sentinelphone", "r_sentinel", "warrant-", "sentinel street",
)  # fmt: skip


def plant(path: Path) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    header = rows[0]
    for name, pattern in PLANTED.items():
        if name not in header:
            header.append(name)
            rows[1].append(name)
            rows[2].append(f'{{"ImportId":"{name}"}}')
            for row in rows[3:]:
                row.append("")
        at = header.index(name)
        for number, row in enumerate(rows[3:], 1):
            row[at] = pattern.format(n=number, file=path.stem)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sentinels")
    data = folder / "data"
    skip = shutil.ignore_patterns(".sbwork-cache", "incidents.zip")
    shutil.copytree(
        ROOT / "data" / "cohorts" / "durham-1", data / "cohorts" / "durham-1", ignore=skip
    )
    shutil.copytree(ROOT / "data" / "instruments", data / "instruments")
    cohort = data / "cohorts" / "durham-1"
    for export in cohort.glob("survey-*.csv"):
        plant(export)
    text = (cohort / "cohort.yml").read_text(encoding="utf-8")
    kept = text.replace("incidents:\n  - {path: incidents.zip, format: police-uk}\n", "")
    (cohort / "cohort.yml").write_text(kept, encoding="utf-8")
    out = folder / "reports"
    command = [sys.executable, "-m", "sbwork", "report", "--data", str(data), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    (out / "printed.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    check = [sys.executable, "-m", "sbwork", "check", "durham-1", "--data", str(data)]
    done = subprocess.run(check, capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    (out / "checked.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    return out


@pytest.mark.notebook
def test_the_sentinels_were_planted(outputs):
    export = outputs.parent / "data" / "cohorts" / "durham-1" / "survey-after.csv"
    text = export.read_text(encoding="utf-8").lower()
    assert all(mark in text for mark in MARKS)


@pytest.mark.notebook
def test_no_sentinel_reaches_any_output(outputs):
    scanned = 0
    for path in outputs.rglob("*"):
        if path.is_file():
            text = path.read_bytes().decode("utf-8", errors="ignore").lower()
            found = [mark for mark in MARKS if mark in text]
            assert not found, f"{path.relative_to(outputs)}: {found}"
            scanned += 1
    names = {path.name for path in outputs.rglob("*")}
    assert {"report.ipynb", "report.html", "results.csv", "results.json", "manifest.json"} <= names
    assert scanned > 10


@pytest.mark.notebook
def test_what_was_dropped_is_listed_in_the_report(outputs):
    page = (outputs / "durham-1" / "report.html").read_text(encoding="utf-8")
    for name in ("RecipientFirstName", "RecipientEmail", "IPAddress", "Device", "ResponseId"):
        assert name in page


AREAS = ("North", "South")
CLEAN = {
    "Area": "{area}", "wave": "{wave}", "trust_1": "{code}", "trust_2": "{code}", "trust_3": "{code}",
    "w": "1.5", "age": "{age}", "tick_1": "1", "tick_2": "0", "panel": "P{n:04d}", "Comment": "Zqcomment{n} said",
    "Name": "Zqname{n} Zqsurname{n}", "Email": "zqmail{n}@example.org", "Tel": "07700 900{n:03d}",
    "Seen by": "Zqofficer{n} Zqkhan", "Notes": "Zqnote{n} lives at 1{n} Zqroad Street",
}  # fmt: skip
INSTRUMENT = """name: mine
options: {agree: [{code: 1, label: Disagree}, {code: 2, label: Neither}, {code: 3, label: Agree}]}
items: {trust_1: {options: agree}, trust_2: {options: agree}, trust_3: {options: agree}}
scales: {trust: {items: [trust_1, trust_2, trust_3]}}
"""
COHORT = """name: mine
title: Ours  # Zqcommentinyml
instrument: mine
sites: {north: {title: North, lsoas: [E01000001]}, south: {title: South, lsoas: [E01000002]}}
stories: [{theme: Help, text: Zqstory told us, told_by: Zqteller}]
engagement: [{date: 2016-05-12, event: Zqevent}]
"""
SURVEY = """surveys:
  - {path: "FILE", wave_column: wave, site_column: Area, weight_column: w, person_column: panel,
     cluster_column: "Seen by",
     stories: [Comment], keep: [age], multiple: {ticks: tick}}
"""
INCIDENTS = 'incidents: [{path: "FILE"}]\n'


def make_rows(change: dict[str, str] | None = None, at: int = 7) -> list[list[str]]:
    """Return a survey with words of people in it; `change` is put into one row."""
    rows = [list(CLEAN)]
    for n in range(60):
        values = {"n": n, "area": AREAS[n % 2], "wave": ("before", "after")[n // 30],
                  "code": n % 3 + 1, "age": ("18-34", "35+")[n % 2]}  # fmt: skip
        row = {name: pattern.format(**values) for name, pattern in CLEAN.items()}
        rows.append([*(row | (change or {} if n == at else {})).values()])
    return rows


def write_survey(path: Path, rows: list[list[str]]) -> None:
    frame = pd.DataFrame(rows[1:], columns=rows[0])
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    elif path.suffix == ".xlsx":
        with pd.ExcelWriter(path) as book:
            frame.to_excel(book, sheet_name="Mrs Zqsheet", index=False)
    else:
        frame.columns = [re.sub(r"\W", "_", name) for name in frame.columns]
        labels = {"trust_1": {"1": "Disagree", "9": "Zqlabel"}, "trust_2": {"1": "Mr Zqlabel"}}
        pyreadstat.write_sav(frame, str(path), variable_value_labels=labels)


def run_sbwork(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run the command line in this process, and return all that it printed."""
    with pytest.MonkeyPatch.context() as patch, contextlib.suppress(SystemExit):
        patch.setattr(sys, "argv", ["sbwork", *arguments])
        main()
    printed = capsys.readouterr()
    return printed.out + printed.err


def find_sentinels(printed: str, folder: Path, given: set[Path]) -> list[str]:
    """Return what of people's words was printed, or written to a file that was not given."""
    texts = [printed]
    texts += [
        path.read_bytes().decode("utf-8", "ignore")
        for path in folder.rglob("*")
        if path.is_file() and path not in given
    ]
    pattern = r"(?i)zq\w+|07700 ?900 ?\d\d\d"
    return sorted({found for text in texts for found in re.findall(pattern, text)})


BREAKS: list[dict[str, str]] = [
    {},
    *({name: "Zqword in a cell"} for name in CLEAN),
    {"Area": "Nort Zqsmith"}, {"wave": "zqbefore"}, {"trust_1": "3 Zqreason"}, {"trust_2": "Agreee Zq1"},
    {"w": "zq1,5"}, {"w": "-4Zq"}, {"tick_1": "Zqother"}, {"age": "zqage@example.org"}, {"age": "AB12 ZQX"},
    {"trust_3": "07700 900123"}, {"panel": "Zqpanel"}, {"Area": ""}, {"age": "12/05/1980 Zqborn"},
]  # fmt: skip


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".sav"])
def test_no_words_of_people_are_printed_of_a_survey(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    folder = tmp_path / "cohorts" / "mine"
    folder.mkdir(parents=True)
    (tmp_path / "instruments").mkdir()
    (tmp_path / "instruments" / "mine.yml").write_text(INSTRUMENT, encoding="utf-8")
    file = folder / f"answers of PC Zqjones zq@example.org{suffix}"
    (folder / "cohort.yml").write_text(COHORT + SURVEY.replace("FILE", file.name), encoding="utf-8")
    given = {path for path in tmp_path.rglob("*") if path.is_file()} | {file}
    for change in BREAKS if suffix == ".csv" else BREAKS[::3]:
        write_survey(file, make_rows(change))
        printed = run_sbwork(capsys, "check", "mine", "--data", str(tmp_path))
        assert "mine" in printed
        assert find_sentinels(printed, tmp_path, given) == [], change


HEADERS = [
    {"Area": "Zq\tnorth"}, {"Email": "zq@example.org"}, {"trust_1": "Mrs Zqsmith"}, {"w": "07700 900123"},
    {"Name": "DOB 12/05/1980"}, {"Comment": "AB12 ZQX"},
]  # fmt: skip


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".sav"])
def test_a_first_cohort_copies_no_words_of_people(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str
) -> None:
    rows = make_rows()
    tables = [rows, make_rows({"Area": "Zqplace", "trust_1": "2 Zqreason"}), rows[1:]]
    for changed in HEADERS if suffix == ".csv" else []:
        tables.append([[changed.get(name, name) for name in rows[0]], *rows[1:]])
    for number, table in enumerate(tables):
        folder = tmp_path / str(number) / "cohorts" / "mine"
        folder.mkdir(parents=True)
        file = folder / f"answers{suffix}"
        header = [name if suffix != ".sav" else re.sub(r"\W", "_", f"v{name}")[:20] + f"_{i}"
                  for i, name in enumerate(table[0])]  # fmt: skip
        write_survey(file, table if suffix != ".sav" else [header, *table[1:]])
        printed = run_sbwork(capsys, "new", "mine", "--data", str(tmp_path / str(number)))
        if suffix == ".sav" and number == 2:
            continue
        found = find_sentinels(printed, tmp_path / str(number), {file})
        assert [text for text in found if "label" not in text.casefold()] == [], (number, printed)


INCIDENT_BREAKS = [
    {}, {"Date": "Zqday"}, {"Type": "Mr Zqsmith"}, {"Type": "zq@example.org"}, {"Place": "Nort Zq"},
    {"Place": "Zqplace"}, {"Count": "Zqfew"}, {"Count": "-1 Zq"}, {"Date": ""}, {"Count": ""},
    {"Date": "31/02/2016 Zq"}, {"LSOA": "Zqarea"}, {"Type": "PC 1234 Zqjones"}, {"Notes": "Zq"},
]  # fmt: skip


@pytest.mark.parametrize("counted", [False, True], ids=["rows", "counts"])
def test_no_words_are_printed_of_incidents(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], counted: bool
) -> None:
    folder = tmp_path / "cohorts" / "mine"
    folder.mkdir(parents=True)
    file = folder / "Dr Zqdoctor.csv"
    text = COHORT.replace("instrument: mine\n", "") + INCIDENTS.replace("FILE", file.name)
    (folder / "cohort.yml").write_text(text, encoding="utf-8")
    given = {path for path in tmp_path.rglob("*") if path.is_file()} | {file}
    for change in INCIDENT_BREAKS:
        rows = [
            {"Date": f"2016-{month:02d}", "Type": kind, "Place": place, "LSOA": f"E0100000{code}",
             "Notes": f"Zqnote{month}"} | ({"Count": "4"} if counted else {})
            for month in range(1, 13) for kind in ("Burglary", "Robbery")
            for code, place in enumerate(AREAS, 1)
        ]  # fmt: skip
        rows[5] |= {key: value for key, value in change.items() if key in rows[5]}
        pd.DataFrame(rows).to_csv(file, index=False)
        for command in ("check", "new"):
            where = ["--data", str(tmp_path)]
            printed = run_sbwork(capsys, command, "mine" if command == "check" else "other", *where)
            # The kept tally, beside the file, holds the categories that it counts, and no others.
            kept = set(folder.glob(".sbwork-cache/*"))
            assert not any(b"Zqnote" in path.read_bytes() for path in kept)
            found = find_sentinels(printed, tmp_path, given | kept)
            assert found == [], (command, change, printed)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.geojson", '{"type": "Zqtype"}'),
        ("a.geojson", '{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": '
         '{"LSOA21CD": "Zqcode", "who": "Zqname"}, "geometry": {"type": "Zqshape"}}]}'),
        ("a.geojson", '{"Zqkey": '),
        ("PC Zqjones.geojson", "{}"),
        ("lookup.csv", "lsoa,ward\nE01000001,Zqward\nE01000001,Zqother\n"),
        ("lookup.csv", "Zqhead\nZqcell\n"),
        ("weights.csv", "crime_type,weight\nMr Zqsmith,Zqmany\n"),
    ],
)  # fmt: skip
def test_no_words_are_printed_of_other_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: str
) -> None:
    folder = tmp_path / "cohorts" / "mine"
    folder.mkdir(parents=True)
    (folder / name).write_text(content, encoding="utf-8")
    pd.DataFrame(
        {"Date": ["2016-01"] * 9, "Type": ["Burglary"] * 9, "LSOA": ["E01000001"] * 9}
    ).to_csv(folder / "rows.csv", index=False)
    key = {"a": f"geography: {{boundaries: ['{name}']}}", "l": f"geography: {{lookup: {name}}}",
           "w": f"harm_weights: {name}"}.get(name[0], f"geography: {{boundaries: ['{name}']}}")  # fmt: skip
    text = COHORT.replace("instrument: mine\n", "") + INCIDENTS.replace("FILE", "rows.csv")
    (folder / "cohort.yml").write_text(f"{text}{key}\n", encoding="utf-8")
    given = {path for path in tmp_path.rglob("*") if path.is_file()}
    printed = run_sbwork(capsys, "check", "mine", "--data", str(tmp_path))
    found = [word for word in find_sentinels(printed, tmp_path, given) if word != "Zqhead"]
    assert found == [], printed


def test_an_index_names_no_folder_of_the_machine(tmp_path: Path) -> None:
    reasons = [
        "/" + "home/zqjane/x y/data/cohorts/a/cohort.yml, line 3: no",
        "C:" + r"\Users\Zqjane\data\a.csv: no", "../../zqjane/a.csv: no", "the file '~/zqjane/a.csv' is not there",
    ]  # fmt: skip
    outcomes = [Outcome(f"c{n}", "bad input", reason) for n, reason in enumerate(reasons)]
    data = tmp_path / "data"
    for outcome in outcomes:
        (data / "cohorts" / outcome.cohort).mkdir(parents=True)
        (data / "cohorts" / outcome.cohort / "cohort.yml").touch()
    write_index(tmp_path / "out", data, outcomes)
    for name in ("index.html", "index.json"):
        text = (tmp_path / "out" / name).read_text(encoding="utf-8")
        assert "zqjane" not in text.casefold()
        assert text.count(": no") >= 3
