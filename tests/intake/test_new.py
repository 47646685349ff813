"""A new cohort: its folder appears whole or not at all, and its drafts load as they are."""

from __future__ import annotations

import csv
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from sbwork.cli import app
from sbwork.evaluation import evaluate_cohort
from sbwork.intake.check import inspect_cohort
from sbwork.intake.drafts import draft_cohort, write_yaml
from sbwork.intake.new import clean_path, sort_files, take_in
from sbwork.intake.surveys import Proposal
from sbwork.read.incidents.reading import IncidentDescription
from sbwork.read.surveys import read_responses
from sbwork.report.manifest import list_inputs
from sbwork.specs.cohort import Cohort, read_cohort
from sbwork.specs.documents import load_spec
from sbwork.specs.errors import InputError, Problem
from sbwork.specs.instrument import Instrument, read_instrument

DATA = Path(__file__).parents[2] / "data"
DURHAM = DATA / "cohorts" / "durham-1"
SURVEYS = [str(DURHAM / f"survey-{wave}.csv") for wave in ("before", "after")]
INCIDENTS = [str(DURHAM / "incidents.zip")]


@pytest.fixture(scope="module")
def street_folder(tmp_path_factory):
    """Return the street files of durham-1 in a folder."""
    folder = tmp_path_factory.mktemp("unpacked") / "incidents"
    with zipfile.ZipFile(DURHAM / "incidents.zip") as archive:
        archive.extractall(folder)
    return folder


def list_tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def run(*arguments: object, typed: str = ""):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=typed)


def use_examples(text: str) -> str:
    return re.sub(r"(?m)^( *)#(?=\S|  )", r"\1", text)


def test_from_files_to_a_graded_evaluation_with_the_readme_only(tmp_path):
    surveys = [f"--survey={path}" for path in SURVEYS]
    done = run("new", "pilot", *surveys, f"--incidents={INCIDENTS[0]}", "--data", tmp_path)
    assert done.exit_code == 0, done.output
    assert "27 items (8 perhaps reversed), 8 scales, 4 sites" in done.output
    assert "sbwork check pilot" in done.output
    checked = run("check", "pilot", "--data", tmp_path)
    assert checked.exit_code == 0, checked.output
    assert "pilot: usable" in checked.output

    path = tmp_path / "cohorts" / "pilot" / "cohort.yml"
    codes = iter(("X01000001", "X01000011", "X01000021", "X01000031"))
    text = use_examples(path.read_text("utf-8"))
    text = re.sub(r"lsoas: \[\w+\]", lambda _: f"lsoas: [{next(codes)}]", text)
    path.write_text(text.replace("control_reason:", "control_reason: Alike."), "utf-8")
    questions = tmp_path / "instruments" / "pilot.yml"
    questions.write_text(questions.read_text("utf-8").replace("#reverse:", "reverse:"), "utf-8")
    evaluation = evaluate_cohort("pilot", tmp_path)
    assert evaluation.evidence.level >= 2
    assert {"counts", "scales", "placebo", "reliability"} <= set(evaluation.findings["section"])
    assert evaluation.instrument.items["trust_3"].reverse


@pytest.mark.parametrize(
    "columns",
    [
        {"age": range(18, 98), "Comments": ["Nothing to say of it"] * 80},
        {"when_1": [13.5e9, 13.6e9] * 40, "when_2": [1, 13.7e9] * 40},
        {"a_1": ["1 - Yes", "2 - yes"] * 40, "a_2": ["1 - Yes", "2 - yes"] * 40},
        {
            "trust_1": [1, 2, 3, 4] * 20,
            "trust_2": [4, 3, 2, 1] * 20,
            "Survey ID": [*range(60), *range(20)],
        },
        {
            "trust_1": [1, 2, 3, 4] * 20,
            "trust_2": [4, 3, 2, 1] * 20,
            "Area": ["North", "South", "", ""] * 20,
        },
        {
            "trust_1": [1, 2, 3, 4] * 20,
            "trust_2": [4, 3, 2, 1] * 20,
            "Wave": ["Pre", "Post", "", ""] * 20,
        },
    ],
    ids=["no item", "times", "labels twice", "id", "sites with blanks", "waves with blanks"],
)
def test_what_new_writes_is_accepted_by_check(tmp_path, columns):
    path = tmp_path / "a.csv"
    rows = zip(*columns.values(), strict=True)
    path.write_text("\n".join(",".join(map(str, row)) for row in [[*columns], *rows]), "utf-8")
    take_in("pilot", tmp_path / "data", [str(path)])
    found = inspect_cohort("pilot", tmp_path / "data")
    assert found.usable, found.problems
    guesses = found.tables.get("Guesses not used yet", pd.DataFrame())
    lost = {"Survey ID": "19 of 80 rows repeat", "Area": "40", "Wave": "40"}
    told = [row[2:] for row in guesses.itertuples(index=False, name=None)]
    assert [name for name, _ in told] == [name for name in lost if name in columns]
    assert all(lost[name] in text for name, text in told), told


def test_files_from_elsewhere_are_copied_and_nothing_is_overwritten(tmp_path):
    intake = take_in("pilot", tmp_path, SURVEYS)
    assert intake.copied == ("survey-before.csv", "survey-after.csv")
    cohort, instrument = read_cohort("pilot", tmp_path), read_instrument("pilot", tmp_path)
    assert len(read_responses(cohort, instrument).answers) == 1200
    before = {name: (tmp_path / name).stat().st_mtime_ns for name in list_tree(tmp_path)}
    with pytest.raises(InputError, match="nothing is overwritten") as caught:
        take_in("pilot", tmp_path, SURVEYS)
    assert len(caught.value.problems) == 4
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in list_tree(tmp_path)} == before


def test_files_in_the_folder_are_used_where_they_are(tmp_path, street_folder):
    folder = tmp_path / "cohorts" / "pilot"
    shutil.copytree(street_folder, folder / "incidents")
    for path in SURVEYS:
        shutil.copy(path, folder)
    (folder / "notes.pdf").write_bytes(b"%PDF-1.4")
    intake = take_in("pilot", tmp_path)
    assert (intake.copied, intake.others) == ((), ("notes.pdf",))
    assert [s.path for s in read_cohort("pilot", tmp_path).surveys] == [
        "survey-before.csv",
        "survey-after.csv",
    ]
    assert list(intake.incidents) == ["incidents"]


@pytest.mark.parametrize("loose", [False, True])
def test_an_unpacked_archive_is_one_entry(tmp_path, street_folder, loose):
    folder = tmp_path / "cohorts" / "pilot"
    folder.mkdir(parents=True)
    for month in street_folder.iterdir():
        shutil.copytree(month, folder if loose else folder / month.name, dirs_exist_ok=True)
    taken = take_in("pilot", tmp_path)
    path = "????-??-invented-street.csv" if loose else "????-??"
    assert list(taken.incidents) == [path]
    months = len(list(street_folder.iterdir()))
    assert len(taken.incidents[path].months) == months
    cohort = read_cohort("pilot", tmp_path)
    assert [source.path for source in cohort.incidents] == [path]
    assert sum("street" in name for name in list_inputs(cohort, tmp_path)) == months
    lsoas = taken.incidents[path].lsoas
    assert f"name {len(lsoas)} LSOAs" in taken.cohort.read_text("utf-8")


def test_every_problem_is_named_and_nothing_is_left(tmp_path):
    bad = tmp_path / "bad.csv"
    bad.write_bytes(b"PAR1")
    data = tmp_path / "data"
    with pytest.raises(InputError) as caught:
        take_in("pilot", data, [str(bad), str(DURHAM / "survey-befor.csv")], [str(DURHAM / "none")])
    message = str(caught.value)
    assert "Parquet" in message
    assert "Did you mean 'survey-before.csv'?" in message
    assert message.count("there is no such file") == 2
    assert not data.exists()


def test_a_failure_half_way_takes_everything_back(tmp_path, monkeypatch):
    write = Path.write_text

    def fail_on_cohort(self, *arguments, **options):
        if self.name == "cohort.yml":
            raise PermissionError(13, "Permission denied", str(self))
        return write(self, *arguments, **options)

    monkeypatch.setattr(Path, "write_text", fail_on_cohort)
    with pytest.raises(InputError, match="can't be written: Permission denied"):
        take_in("pilot", tmp_path / "data", SURVEYS)
    assert list_tree(tmp_path) == []


@pytest.mark.parametrize("name", ["Durham 3", "../x", "", "é", "a/b"])
def test_a_name_that_is_none_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="can't be the name of a cohort"):
        take_in(name, tmp_path, SURVEYS)
    assert list_tree(tmp_path) == []


def test_without_any_file_it_says_where_to_put_them(tmp_path):
    with pytest.raises(InputError, match="--survey and --incidents"):
        take_in("pilot", tmp_path)
    assert list_tree(tmp_path) == []


def test_an_extract_with_unknown_columns_is_an_example_to_fill_in(tmp_path):
    own = tmp_path / "own.csv"
    own.write_text("Crime group;When it was;LSOA code\nBurglary;2023-01-05;E01000001\n", "utf-8")
    intake = take_in("pilot", tmp_path / "data", (), [str(own)])
    assert intake.incidents["own.csv"].problems
    assert "no column holds the month" in intake.cohort.read_text("utf-8")
    assert read_cohort("pilot", tmp_path / "data").incidents == ()


def test_a_survey_without_items_gets_no_questionnaire(tmp_path):
    survey = tmp_path / "a.csv"
    survey.write_text("subject,colour\n" + "art,red\nmaths,blue\n" * 30, encoding="utf-8")
    assert take_in("pilot", tmp_path / "data", [str(survey)]).instrument is None
    assert read_cohort("pilot", tmp_path / "data").instrument == ""


def test_files_are_told_apart_by_what_is_in_them(tmp_path, street_folder):
    shutil.copytree(street_folder, tmp_path / "2015")
    shutil.copy(DURHAM / "incidents.zip", tmp_path / "archive.zip")
    (tmp_path / "extract.csv").write_text("Offence,Date,Beat\nBurglary,2023-01-05,B1\n")
    (tmp_path / "lookup.csv").write_text("LSOA21CD,WD21CD\nE01000001,E05000001\n")
    (tmp_path / "areas.geojson").write_text(
        '{"type": "FeatureCollection", "features": [{"properties": {"LSOA21CD": "E01000001"}}]}'
    )
    (tmp_path / "survey.csv").write_text("area,q1\nNorth,3\n")
    (tmp_path / "~$survey.xlsx").write_bytes(b"x")
    (tmp_path / "readme.docx").write_bytes(b"x")
    found = sort_files(tmp_path)
    assert {key: [p.name for p in paths] for key, paths in found.items()} == {
        "incidents": ["2015", "archive.zip", "extract.csv"],
        "surveys": ["survey.csv"],
        "lookups": ["lookup.csv"],
        "boundaries": ["areas.geojson"],
        "others": ["readme.docx"],
    }
    assert sort_files(tmp_path / "none") == {}


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ('"C:\\Survey data\\wave 1.csv"', "C:\\Survey data\\wave 1.csv"),
        ("& 'C:\\Survey data\\wave 1.csv' ", "C:\\Survey data\\wave 1.csv"),
        ("C:\\Survey\\ (1).csv", "C:\\Survey\\ (1).csv"),
        ("file:///srv/wave%201.csv", "/srv/wave 1.csv"),
        ("  plain.csv\n", "plain.csv"),
    ],
)
def test_a_path_is_understood_however_it_is_written(written, path):
    assert clean_path(written) == path


def test_files_are_asked_for_in_a_terminal_only(tmp_path, monkeypatch):
    refused = run("new", "pilot", "--data", tmp_path)
    assert isinstance(refused.exception, InputError)
    monkeypatch.setattr("sbwork.cli._is_terminal", lambda: True)
    done = run("new", "pilot", "--data", tmp_path, typed=f'"{SURVEYS[0]}"\n\n\n')
    assert done.exit_code == 0, done.output
    for asked in ("Survey file (drag it here", "Survey file (another", "Incident file"):
        assert asked in done.output
    assert (tmp_path / "cohorts" / "pilot" / "survey-before.csv").is_file()


MONTHS = tuple(f"{year}-{month:02d}" for year in (2016, 2017, 2018) for month in range(1, 13))
COUNTED = IncidentDescription(
    MONTHS, ("2016-05",), 5000, {}, ("E01000001", "E01000002", "E01000003"), {"Leeds": 3},
    ("'Bike': unknown",),
)  # fmt: skip
BROKEN = IncidentDescription(problems=(Problem("own.csv", "line 1", "no \u2028 # {month}"),))


def load_draft(text, folder):
    path = folder / "draft.yml"
    path.write_text(text, encoding="utf-8")
    return load_spec(path, Instrument if "\nitems:" in text else Cohort)


@pytest.mark.parametrize(
    ("incidents", "first", "last"),
    [
        ({}, "2023-01", "2024-12"),
        ({"o.csv": BROKEN}, "2023-01", "2024-12"),
        ({"a: b.zip": COUNTED, "own.csv": BROKEN}, "2017-01", "2018-12"),
    ],
)
def test_what_only_a_person_can_know_is_an_example(tmp_path, incidents, first, last):
    draft = draft_cohort(
        "pilot", Proposal(), [], incidents, lookup="lookup.csv", boundaries=["a.json"]
    )
    plain, full = load_draft(draft, tmp_path), load_draft(use_examples(draft), tmp_path)
    assert (plain.pairs, plain.periods) == ((), None)
    assert [pair.control_reason for pair in full.pairs] == [""]
    assert (full.periods.before.start, full.periods.after.end) == (first, last)
    assert len(full.incidents) == len(incidents)
    assert "unequal_seasons" not in draft


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_text_is_read_back_as_it_is(tmp_path_factory, text):
    shown = "".join(c if c.isprintable() else " " for c in text)
    path = tmp_path_factory.getbasetemp() / "text.yml"
    path.write_text(f"name: x\ntitle: {write_yaml(text)}  # comment", encoding="utf-8")
    assert load_spec(path, Cohort).title == " ".join(shown.split())


KINDS: tuple[tuple[str, ...], ...] = (
    ("1", "2", "3", "4", "5"),
    ("1", "2", "3", "4", "5", "8", "9", ""),
    ("Strongly disagree", "Disagree", "Agree", "Strongly agree", "Don't know"),
    ("1 (Never)", "2", "3", "5 - Often"),
    ("Yes", "No"),
    ("", "1"),
    ("North", "South", "é: #x", "- y"),
    ("Pre", "Post"),
    ("a;b;", "b;", "c;a;"),
    ("null", "~", "{z}", "=1+1"),
    ("", "-99", "NA", "3"),
    ("1,5", "2,5"),
)
NAMES = (
    "trust_{}", "trust_{}r", "Q{}", "Q1_{}", "How far? [row {}]", "I agree with number {}", "wave",
    "site", "person", "weight", "Area", "grp[SQ{:03d}]", "all", "null", "{}", "x: {}", "# {}",
    "agreement", "items_{}",
)  # fmt: skip


@pytest.mark.parametrize("seed", range(60))
def test_any_answers_give_drafts_that_read_them(tmp_path, seed):
    rng = np.random.default_rng(seed)
    columns: dict[str, tuple[str, ...]] = {}
    for _ in range(rng.integers(1, 8)):
        kind, name = KINDS[rng.integers(len(KINDS))], NAMES[rng.integers(len(NAMES))]
        columns |= {name.format(i): kind for i in range(1, rng.choice([2, 3, 6]))}
    files = []
    for number in range(rng.choice([1, 1, 2])):
        chosen = [name for name in columns if number == 0 or rng.random() < 0.8] or list(columns)
        path = tmp_path / f"file{number}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([*chosen, "row"])
            for row in range(rng.choice([3, 12, 60])):
                writer.writerow([*(rng.choice(columns[name]) for name in chosen), f"r{row}"])
        files.append(str(path))
    intake = take_in("pilot", tmp_path / "data", files)
    cohort = read_cohort("pilot", tmp_path / "data")
    load_draft(use_examples(intake.cohort.read_text("utf-8")), tmp_path)
    if intake.instrument is not None:
        load_draft(use_examples(intake.instrument.read_text("utf-8")), tmp_path)
        responses = read_responses(cohort, read_instrument("pilot", tmp_path / "data"))
        assert len(responses.answers) <= 120
