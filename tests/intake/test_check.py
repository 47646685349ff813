"""What was understood of a cohort, and everything that is wrong with it at once."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import sbwork.intake.check
from sbwork.evaluation import evaluate_cohort
from sbwork.intake.check import Inspection, inspect_cohort
from sbwork.read.checks import Check, CheckKind, tabulate_lines
from sbwork.read.incidents import read_incidents
from sbwork.specs.errors import InputError

DATA = Path(__file__).parents[2] / "data"
Edit = Callable[[str, str], None]


@pytest.fixture
def data(tmp_path):
    shutil.copytree(
        DATA / "cohorts" / "durham-1",
        tmp_path / "cohorts" / "durham-1",
        ignore=shutil.ignore_patterns(".*"),
    )
    shutil.copytree(DATA / "instruments", tmp_path / "instruments")
    return tmp_path


@pytest.fixture
def edit(data):
    path = data / "cohorts" / "durham-1" / "cohort.yml"

    def replace(old: str, new: str) -> None:
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new), "utf-8")

    return replace


def find_rows(found: Inspection, title: str) -> list[tuple[str, ...]]:
    table = found.tables.get(title)
    return [] if table is None else list(table.itertuples(index=False, name=None))


@pytest.fixture(scope="module")
def durham():
    return inspect_cohort("durham-1", DATA)


def test_what_was_read_is_shown(durham):
    assert durham.usable
    survey = {row[:2]: row[2] for row in find_rows(durham, "Survey files")}
    assert survey["survey-before.csv", "rows read"] == "602"
    assert survey["survey-before.csv", "answers used"] == "600"
    assert survey["survey-after.csv", "items matched"] == "27"
    people = find_rows(durham, "People by site and wave")
    assert people[0] == ("Area 1", "150", "150", "300")
    assert people[-1] == ("All sites", "600", "600", "1,200")
    (codes,) = find_rows(durham, "Codes met in the answers")
    assert codes[:2] == ("agreement", "27")
    assert "5 Strongly agree" in codes[2]
    assert "9 Prefer not to say" in codes[3]
    assert ("Covered", "2014-10 to 2017-09 (36 months)") in find_rows(durham, "Months")
    (asb,) = [
        row for row in find_rows(durham, "Incidents by site") if row[:2] == ("Area 1", ASB)
    ]  # fmt: skip
    assert all(cell.isdigit() for cell in asb[2:])
    dropped = {row[1]: row[2] for row in find_rows(durham, "Columns left out")}
    assert dropped["e-mail address"] == "RecipientEmail"
    assert "level 3" in " ".join(durham.missing)


ASB = "Anti-social behaviour (ASB)"


def test_every_join_is_shown_with_what_it_lost(durham):
    joins = {row[:2]: row[2:] for row in find_rows(durham, "What was joined")}
    assert joins["survey-before.csv", "answers to sites"] == ("600", "0", "0.0%", "")
    assert joins["survey-before.csv", "answers to options"][:3] == ("15,858", "342", "2.1%")
    assert joins["survey-before.csv", "rows to answers used"][:2] == ("600", "fewer than 10")
    assert joins["incidents.zip", "area codes to lookup"] == ("240", "0", "0.0%", "")
    assert joins["all files", "months to files"] == ("24", "0", "0.0%", "")


def test_a_join_that_loses_much_stops_check_and_report_until_it_is_accepted(data, edit):
    path = data / "cohorts" / "durham-1" / "survey-before.csv"
    text = path.read_text("utf-8")
    path.write_text(text.replace(",Area 1,", ",,"), "utf-8")
    found = inspect_cohort("durham-1", data)
    assert "150 of 600 answers have no site (25%)" in "\n".join(map(str, found.problems))
    assert ("survey-before.csv", "answers to sites", "450", "150", "25.0%", "") in find_rows(
        found, "What was joined"
    )
    with pytest.raises(InputError, match=r"accepted_losses: \{survey_sites: 0.25\}"):
        evaluate_cohort("durham-1", data)
    edit("confirmatory:", "accepted_losses: {survey_sites: 0.25}\nconfirmatory:")
    assert inspect_cohort("durham-1", data).usable


def test_rows_that_are_not_used_are_shown_with_the_reason_of_most(data):
    path = data / "cohorts" / "durham-1" / "survey-before.csv"
    head, *rows = path.read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join([head, *rows, *[head] * 12]), "utf-8")
    joins = find_rows(inspect_cohort("durham-1", data), "What was joined")
    row = next(row for row in joins if row[:2] == ("survey-before.csv", "rows to answers used"))
    assert row[2:] == ("600", "14", "2.3%", "repeated header rows (2%)")


def test_nothing_of_a_person_is_shown(durham):
    found = repr(durham)
    assert not any(word in found for word in ("@", "192.0.2", "R_", "Invented comment"))


def test_small_groups_are_hidden(data):
    path = data / "cohorts" / "durham-1" / "survey-before.csv"
    lines = path.read_text("utf-8").splitlines(keepends=True)
    own = [line for line in lines if ",Area 1," in line]
    path.write_text("".join(line for line in lines if line not in own[4:]), "utf-8")
    found = inspect_cohort("durham-1", data)
    people = {row[0]: row[1:] for row in find_rows(found, "People by site and wave")}
    assert people["Area 1"][0] == "fewer than 10"
    hidden = [row[0] for row in people.values()].count("hidden")
    assert hidden >= 1
    for row in find_rows(found, "No answer, of all who were asked"):
        assert not any(cell.isdigit() and 0 < int(cell) < 10 for cell in row[1:])


def test_problems_of_all_files_are_told_at_once(data, edit, unpack_incidents):
    street = next(unpack_incidents(data / "cohorts" / "durham-1").glob("*/*.csv"))
    edit("social_capital: [social_capital,", "social_capital: [social_captial,")
    edit("wave: before, site_column: Area", "wave: before, site_column: Arae")
    edit("stories: [Comment]", "stories: [Coment], not_asked: [trust_9], columns: {x: info_11}")
    street.write_text("Month,Reported by,Crime type,LSOA code\n2015-13,x,Burglary,X01000001\n")
    found = inspect_cohort("durham-1", data)
    assert not found.usable
    text = "\n".join(str(problem) for problem in found.problems)
    for name in ("social_capital", "Area", "Comment", "trust_4", "info_1"):
        assert f"Did you mean '{name}'?" in text, name
    assert street.name in text
    assert len(found.problems) == len({str(problem) for problem in found.problems})


def test_a_missing_file_does_not_hide_the_rest(data, edit):
    edit("survey-after.csv", "survey-aftr.csv")
    edit("social_capital: [social_capital,", "social_capital: [social_captial,")
    found = inspect_cohort("durham-1", data)
    text = "\n".join(str(problem) for problem in found.problems)
    assert "Did you mean 'survey-after.csv'?" in text
    assert "Did you mean 'social_capital'?" in text
    assert find_rows(found, "People by site and wave")
    assert find_rows(found, "Months")


def test_a_file_that_can_be_read_is_told_although_another_cannot(data):
    (data / "cohorts" / "durham-1" / "survey-after.csv").write_bytes(b"%PDF-1.4")
    found = inspect_cohort("durham-1", data)
    assert not found.usable
    assert {row[0] for row in find_rows(found, "Survey files")} >= {"survey-before.csv"}


def test_a_cohort_that_cannot_be_read_still_has_its_questionnaire_checked(data, edit):
    edit("name: durham-1", "name: durham-1\ntittle: x")
    path = data / "instruments" / "residents-illustrative.yml"
    path.write_text(path.read_text("utf-8").replace("trust_1, trust_2,", "trust_0, trust_2,"))
    text = "\n".join(str(p) for p in inspect_cohort("durham-1", data).problems)
    assert "Did you mean 'title'?" in text
    assert "there is no item 'trust_0'" in text


def test_surveys_without_a_questionnaire_and_targets_without_columns_are_problems(data, edit):
    edit("confirmatory:", "weighting: {targets: {sex: {m: 0.5, f: 0.5}}}\nconfirmatory:")
    edit("instrument: residents-illustrative\n", "")
    text = "\n".join(str(p) for p in inspect_cohort("durham-1", data).problems)
    assert "no questionnaire is named" in text
    assert "'sex' is not among the columns that are kept" in text


def test_what_is_left_out_is_no_problem(tmp_path):
    folder = tmp_path / "cohorts" / "bare"
    folder.mkdir(parents=True)
    (folder / "cohort.yml").write_text("name: bare\n")
    found = inspect_cohort("bare", tmp_path)
    assert found.usable
    assert len(found.missing) == 3


def test_months_that_cannot_be_compared_are_what_the_report_will_lack(data, monkeypatch):
    def read_with_gaps(cohort):
        found = read_incidents(cohort)
        note = "'invented' holds far fewer rows in 2016-05"
        line = Check(CheckKind.NOT_COMPARABLE, "month", 1.0, note)
        quality = pd.concat([found.quality, tabulate_lines([("all files", line)])])
        sites = found.sites.copy()
        late = (sites["site"] == "area-2") & (sites["month"] >= cohort.periods.after.start)
        sites.loc[late, "count"] = float("nan")
        return replace(found, quality=quality, sites=sites)

    monkeypatch.setattr(sbwork.intake.check, "read_incidents", read_with_gaps)
    found = inspect_cohort("durham-1", data)
    assert (
        "Months that can't be compared. 'invented' holds far fewer rows in 2016-05."
        in found.missing
    )
    assert any(
        text.startswith("No incident counts after (2016-10 to 2017-09) for 'Area 2'")
        for text in found.missing
    ), found.missing


def test_an_unknown_cohort_is_a_problem(data):
    found = inspect_cohort("durham-l", data)
    assert [p.nearest for p in found.problems] == ["durham-1"]


def run(*arguments, **options):
    command = [sys.executable, "-m", "sbwork", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, timeout=120, **options)  # type: ignore


def test_check_reads_all_cohorts_and_fails_if_one_cannot_be_used(tmp_path):
    empty = run("check", "--data", tmp_path)
    assert empty.returncode == 2
    assert b"sbwork new" in empty.stderr
    shutil.copytree(DATA / "cohorts" / "durham-2", tmp_path / "cohorts" / "durham-2")
    (tmp_path / "cohorts" / "bad").mkdir()
    (tmp_path / "cohorts" / "bad" / "cohort.yml").write_text("name: bad\ntittle: x\nseeed: 1\n")
    done = run("check", "--data", tmp_path)
    assert done.returncode == 2
    assert b"durham-2: usable" in done.stdout
    assert b"Did you mean 'title'?" in done.stderr
    assert b"Did you mean 'seed'?" in done.stderr


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_any_terminal_can_print_it(encoding):
    environment = {"PYTHONIOENCODING": encoding, "PATH": "", "PYTHONPATH": str(DATA.parent)}
    done = run("check", "durham-1", "--data", DATA, env=environment)
    assert done.returncode == 0, done.stderr
    assert b"durham-1: usable" in done.stdout
