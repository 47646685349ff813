"""Personal data planted in every kind of column reach no output of a full run."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.notebook

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
    "ResponseId": "R_sentinel{n:04d}",
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
            row[at] = pattern.format(n=number)
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


def test_the_sentinels_were_planted(outputs):
    export = outputs.parent / "data" / "cohorts" / "durham-1" / "survey-after.csv"
    text = export.read_text(encoding="utf-8").lower()
    assert all(mark in text for mark in MARKS)


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


def test_what_was_dropped_is_listed_in_the_report(outputs):
    page = (outputs / "durham-1" / "report.html").read_text(encoding="utf-8")
    for name in ("RecipientFirstName", "RecipientEmail", "IPAddress", "Device", "ResponseId"):
        assert name in page
