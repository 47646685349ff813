"""The main job for real: the three cohorts, from files to finished reports."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from bs4 import BeautifulSoup
from causal_words import find_forbidden_words

from sbwork.stats.findings import RESULT_COLUMNS

pytestmark = pytest.mark.notebook

ROOT = Path(__file__).parents[2]
COHORTS = ("durham-1", "durham-2", "west-yorkshire")
FILES = ("report.ipynb", "report.html", "results.json", "results.csv", "manifest.json")
SENTINELS = ("192.0.2.", "example.org", "R_invented", "Mill Lane", "invented-0")


class Text:
    """What a reader sees or hears: text, and the words of pictures."""

    def __init__(self, html: str) -> None:
        page = BeautifulSoup(html, "html.parser")
        self.alts = [image.get("alt", "") for image in page.find_all("img")]
        self.all = " ".join([*page.get_text(" ").split(), *self.alts])


@pytest.fixture(scope="module")
def reports(tmp_path_factory) -> Path:
    """Return the reports of all cohorts; those of this clone, where sbwork finds them current."""
    folder = tmp_path_factory.mktemp("run")
    data, out = folder / "data", folder / "reports"
    shutil.copytree(ROOT / "data", data, ignore=shutil.ignore_patterns(".*"))
    for name in COHORTS:
        if (ROOT / "reports" / name).is_dir():
            shutil.copytree(ROOT / "reports" / name, out / name)
    command = [sys.executable, "-m", "sbwork", "report", "--data", str(data), "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in COHORTS:
        assert name in done.stdout
    return out


@pytest.mark.parametrize("cohort", COHORTS)
def test_a_report_is_whole(reports, cohort):
    folder = reports / cohort
    assert all((folder / name).stat().st_size > 0 for name in FILES)
    assert (folder / "figures").is_dir() == (cohort in COHORTS)
    pictures = {path.suffix for path in (folder / "figures").iterdir()}
    assert pictures == {".svg", ".png"}


def test_results_hold_the_decks_figures(reports):
    document = json.loads((reports / "durham-1" / "results.json").read_text(encoding="utf-8"))
    frame = pd.DataFrame(document["results"])
    changes = frame[(frame["estimator"] == "percentage_change") & (frame["period"] == "change")]
    found = {(row["outcome"], row["site"]): round(row["estimate"]) for _, row in changes.iterrows()}
    sites = ("area-1", "area-1-control", "area-2", "area-2-control")
    assert [found["victim_based_crime", site] for site in sites] == [-31, 5, -14, 39]
    assert [found["asb", site] for site in sites] == [-11, 2, -22, -2]
    tests = frame[(frame["estimator"] == "mean_difference") & (frame["site"] == "intervention")]
    p_values = {row["outcome"]: f"{row['p_value']:.3f}" for _, row in tests.iterrows()}
    deck = {
        "social_capital": "0.010",
        "trust": "0.020",
        "information_sharing": "0.007",
        "vision": "0.043",
    }
    assert {scale: p_values[scale] for scale in deck} == deck
    assert document["data_status"] == "invented"


@pytest.mark.parametrize("cohort", COHORTS)
def test_csv_and_json_hold_the_same_rows(reports, cohort):
    document = json.loads((reports / cohort / "results.json").read_text(encoding="utf-8"))
    with (reports / cohort / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(document["results"])
    assert tuple(rows[0]) == RESULT_COLUMNS
    for row, entry in zip(rows, document["results"], strict=True):
        if entry["estimate"] is None:
            assert row["estimate"] in {"", "inf", "-inf"}
            assert row["note"]
        else:
            assert float(row["estimate"]) == pytest.approx(entry["estimate"])


@pytest.mark.parametrize("cohort", COHORTS)
def test_no_report_claims_more_than_its_level(reports, cohort):
    text = Text((reports / cohort / "report.html").read_text(encoding="utf-8")).all
    level = json.loads((reports / cohort / "results.json").read_text(encoding="utf-8"))
    assert level["evidence_level"] < 3
    assert find_forbidden_words(text, level["evidence_level"]) == []
    for word in ("reduced", "caused", "led to", "impact of"):
        assert word not in text.lower()


@pytest.mark.parametrize("cohort", COHORTS)
def test_every_picture_has_words(reports, cohort):
    page = Text((reports / cohort / "report.html").read_text(encoding="utf-8"))
    assert page.alts
    assert all(len(alt) > 40 for alt in page.alts)


@pytest.mark.parametrize("cohort", COHORTS)
def test_every_report_asks_whether_it_holds_up(reports, cohort):
    text = Text((reports / cohort / "report.html").read_text(encoding="utf-8")).all
    said = text.split("Does it hold up?", 2)[2]
    if cohort == "durham-2":
        assert said.lstrip().startswith("No incident file was given")
        return
    assert "asked in other ways" in said
    assert re.search(r"\d+% have an interval clear of no change", said)
    drawn = {path.stem for path in (reports / cohort / "figures").glob("*.svg")}
    wanted = {f"{kind}-asb" for kind in ("event-study", "specifications")}
    if cohort == "durham-1":
        assert wanted <= drawn
    else:
        assert not wanted & drawn
        assert said.count("is not drawn: it takes at least") == 2


def test_invented_data_are_named_on_every_picture_and_in_the_banner(reports):
    page = Text((reports / "durham-1" / "report.html").read_text(encoding="utf-8"))
    assert all(alt.startswith("Invented data.") for alt in page.alts)
    assert "Invented data." in page.all[:800]
    real = Text((reports / "west-yorkshire" / "report.html").read_text(encoding="utf-8"))
    assert "Invented data" not in real.all


@pytest.mark.parametrize("cohort", COHORTS)
def test_nothing_is_loaded_from_the_network(reports, cohort):
    html = (reports / cohort / "report.html").read_text(encoding="utf-8")
    assert not re.findall(r"<script|<link[^>]+href|@import|url\(\s*['\"]?(?!data:)", html)
    assert not re.findall(r"""src\s*=\s*["'](?!data:)""", html)


@pytest.mark.parametrize("cohort", COHORTS)
def test_no_number_is_shown_raw(reports, cohort):
    text = Text((reports / cohort / "report.html").read_text(encoding="utf-8")).all
    assert not re.findall(r"\bnan\b|\bNone\b|\binf\b|\bNaN\b", text)
    assert not re.findall(r"\d\.\d{6,}", text)


def test_no_personal_data_reach_any_output(reports):
    for path in reports.rglob("*"):
        if path.suffix in {".html", ".json", ".csv", ".ipynb", ".svg"}:
            text = path.read_text(encoding="utf-8")
            found = [sentinel for sentinel in SENTINELS if sentinel in text]
            assert not found, f"{path.name}: {found}"


def test_no_path_of_the_machine_reaches_any_output(reports):
    for path in reports.rglob("*"):
        if path.suffix in {".html", ".json", ".csv", ".ipynb"}:
            assert str(ROOT) not in path.read_text(encoding="utf-8"), path.name


def test_the_index_lists_every_cohort(reports):
    page = Text((reports / "index.html").read_text(encoding="utf-8")).all
    for title in ("Durham cohort 1", "Durham cohort 2", "West Yorkshire"):
        assert title in page
    assert "invented" in page.lower()
