"""A new cohort's folder appears whole or not at all."""

from __future__ import annotations

import csv
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from sbwork.intake import new as intake
from sbwork.intake.new import clean_path, sort_files, take_in
from sbwork.read.incidents import read_incidents
from sbwork.read.surveys import read_responses
from sbwork.specs.cohort import read_cohort
from sbwork.specs.errors import InputError
from sbwork.specs.instrument import read_instrument

DATA = Path(__file__).parents[2] / "data"
DURHAM = DATA / "cohorts" / "durham-1"
SURVEYS = [str(DURHAM / f"survey-{wave}.csv") for wave in ("before", "after")]
INCIDENTS = [str(DURHAM / "incidents.zip")]


@pytest.fixture(scope="module")
def street_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the street files of durham-1 in a folder."""
    folder = tmp_path_factory.mktemp("unpacked") / "incidents"
    with zipfile.ZipFile(DURHAM / "incidents.zip") as archive:
        archive.extractall(folder)
    return folder


def list_tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_files_from_elsewhere_are_copied_and_the_drafts_can_be_read(tmp_path: Path) -> None:
    told = take_in("pilot", tmp_path, SURVEYS, INCIDENTS)
    assert told.copied == ("survey-before.csv", "survey-after.csv", "incidents.zip")
    cohort, instrument = read_cohort("pilot", tmp_path), read_instrument("pilot", tmp_path)
    assert len(read_responses(cohort, instrument).answers) == 1200
    assert len(read_incidents(cohort).months) == 36
    assert not [name for name in list_tree(tmp_path) if name.startswith(".")]


def test_files_that_lie_in_the_folder_are_used_where_they_are(
    tmp_path: Path, street_folder: Path
) -> None:
    folder = tmp_path / "cohorts" / "pilot"
    folder.mkdir(parents=True)
    for path in [*SURVEYS, street_folder]:
        source = Path(path)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / source.name)
    (folder / "notes.pdf").write_bytes(b"%PDF-1.4")
    told = take_in("pilot", tmp_path)
    assert told.copied == ()
    assert told.others == ("notes.pdf",)
    assert {s.path for s in read_cohort("pilot", tmp_path).surveys} == {
        "survey-before.csv",
        "survey-after.csv",
    }
    assert list(told.incidents) == ["incidents"]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    take_in("pilot", tmp_path, SURVEYS)
    before = {name: (tmp_path / name).stat().st_mtime_ns for name in list_tree(tmp_path)}
    with pytest.raises(InputError) as caught:
        take_in("pilot", tmp_path, SURVEYS)
    assert len(caught.value.problems) == 4
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in list_tree(tmp_path)} == before


def test_every_problem_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_bytes(b"PAR1")
    data = tmp_path / "data"
    with pytest.raises(InputError) as caught:
        take_in("pilot", data, [str(bad), str(DURHAM / "survey-befor.csv")], [str(DURHAM / "none")])
    told = str(caught.value)
    assert "Parquet" in told
    assert "Did you mean 'survey-before.csv'?" in told
    assert told.count("there is no such file") == 2
    assert not data.exists()


def test_a_failure_half_way_takes_everything_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.rename

    def fail_on_cohort(self: Path, target: Path) -> Path:
        if Path(target).name == "cohort.yml":
            raise PermissionError(13, "Permission denied", str(target))
        return real(self, target)

    monkeypatch.setattr(Path, "rename", fail_on_cohort)
    with pytest.raises(InputError, match="can't be written: Permission denied"):
        take_in("pilot", tmp_path, SURVEYS)
    monkeypatch.undo()
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


@pytest.mark.parametrize("name", ["Durham 3", "../x", "", "é", "a/b"])
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="can't be the name of a cohort"):
        take_in(name, tmp_path, SURVEYS)
    assert list_tree(tmp_path) == []


def test_without_any_file_it_says_where_to_put_them(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--survey and --incidents"):
        take_in("pilot", tmp_path)
    assert list_tree(tmp_path) == []


def test_an_extract_with_unknown_columns_is_an_example_to_fill_in(tmp_path: Path) -> None:
    own = tmp_path / "own.csv"
    own.write_text("Crime group;When it was;LSOA code\nBurglary;2023-01-05;E01000001\n", "utf-8")
    told = take_in("pilot", tmp_path / "data", (), [str(own)])
    assert told.incidents["own.csv"].problems
    assert "no column holds the month" in told.cohort.read_text("utf-8")
    assert read_cohort("pilot", tmp_path / "data").incidents == ()


def test_a_survey_without_items_gets_no_questionnaire(tmp_path: Path) -> None:
    survey = tmp_path / "a.csv"
    survey.write_text("subject,colour\n" + "art,red\nmaths,blue\n" * 30, encoding="utf-8")
    told = take_in("pilot", tmp_path / "data", [str(survey)])
    assert told.instrument is None
    assert read_cohort("pilot", tmp_path / "data").instrument == ""


def test_files_are_told_apart_by_what_is_in_them(tmp_path: Path, street_folder: Path) -> None:
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
    assert [p.name for p in found.incidents] == ["2015", "archive.zip", "extract.csv"]
    assert [p.name for p in found.surveys] == ["survey.csv"]
    assert [p.name for p in found.lookups] == ["lookup.csv"]
    assert [p.name for p in found.boundaries] == ["areas.geojson"]
    assert [p.name for p in found.others] == ["readme.docx"]
    assert sort_files(tmp_path / "none") == intake.Sorted()


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
def test_a_path_is_understood_however_it_is_written(written: str, path: str) -> None:
    assert clean_path(written) == path


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
def test_any_answers_give_drafts_that_read_them(tmp_path: Path, seed: int) -> None:
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
    told = take_in("pilot", tmp_path / "data", files)
    cohort = read_cohort("pilot", tmp_path / "data")
    if told.instrument is not None:
        responses = read_responses(cohort, read_instrument("pilot", tmp_path / "data"))
        assert len(responses.answers) <= 120
