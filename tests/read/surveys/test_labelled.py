from pathlib import Path

import pandas as pd
import pyreadstat
import pytest

from sbwork.read.surveys.detection import read_table
from sbwork.specs.errors import InputError

LABELS = {1.0: "Agree", 2.0: "Disagree", 9.0: "Don't know"}


def write_spss(path: Path) -> Path:
    frame = pd.DataFrame(
        {
            "q1": [1.0, 2.0, 9.0, float("nan")],
            "q2": [1.0, 98.0, 3.5, 99.0],
            "told": ["a", "", "b", "ç"],
        }
    )
    pyreadstat.write_sav(
        frame,
        str(path),
        column_labels={"q1": "I trust them"},
        variable_value_labels={"q1": LABELS},
        missing_ranges={"q1": [9], "q2": [{"lo": 98, "hi": 99}]},
    )
    return path


@pytest.mark.parametrize("name", ["wave.sav", "named_as_text.csv"])
def test_spss_labels_and_user_missing_codes_survive(tmp_path: Path, name: str) -> None:
    table = read_table(write_spss(tmp_path / name))
    assert table.platform == "spss"
    assert table.read_column(0).tolist() == ["1", "2", "9", ""]
    assert table.read_column(1).tolist() == ["1", "98", "3.5", "99"]
    assert table.read_column(2).tolist() == ["a", "", "b", "ç"]
    assert table.codes[0] == {"1": "Agree", "2": "Disagree", "9": "Don't know"}
    assert table.missing[0] == frozenset({"9"})
    assert table.missing[1] == frozenset({"98", "99"})
    assert table.labels[0] == "I trust them"


def test_stata_extended_missing_values_survive(tmp_path: Path) -> None:
    frame = pd.DataFrame({"q1": pd.Series([1, 2, "a"], dtype=object), "q2": [1, 2, 3]})
    path = tmp_path / "wave.dta"
    pyreadstat.write_dta(
        frame,
        str(path),
        variable_value_labels={"q1": {1: "Agree", "a": "Refused"}},
        missing_user_values={"q1": ["a"]},
    )
    table = read_table(path)
    assert table.platform == "stata"
    assert table.read_column(0).tolist() == ["1", "2", "a"]
    assert table.missing[0] == frozenset({"a"})
    assert table.codes[0]["a"] == "Refused"


@pytest.mark.parametrize("kept", [0.2, 0.6, 0.9])
def test_a_file_cut_short_is_refused_in_one_sentence(tmp_path: Path, kept: float) -> None:
    data = write_spss(tmp_path / "whole.sav").read_bytes()
    path = tmp_path / "cut.sav"
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(InputError, match=r"^cut\.sav: the file is damaged"):
        read_table(path)


def test_an_spss_file_from_qualtrics_has_its_previews_and_unfinished_answers_marked(
    tmp_path: Path,
) -> None:
    frame = pd.DataFrame(
        {
            "StartDate": ["2019-04-03"] * 3,
            "Status": [0.0, 1.0, 0.0],
            "Finished": [1.0, 1.0, 0.0],
            "ResponseId": ["R_1", "R_2", "R_3"],
            "q1": [1.0, 2.0, 3.0],
        }
    )
    pyreadstat.write_sav(frame, str(tmp_path / "w.sav"))
    table = read_table(tmp_path / "w.sav")
    assert table.kept.tolist() == [True, False, False]
    assert table.names[table.record or 0] == "ResponseId"


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (["labelled.MOST_COLUMNS", "tables.MOST_COLUMNS"], "3 columns or more"),
        (["labelled._MOST_CELLS"], r"4 rows by 3 columns\. At most 2 cells"),
    ],
)
def test_a_file_too_large_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limits: list[str], message: str
) -> None:
    path = write_spss(tmp_path / "w.sav")
    for limit in limits:
        monkeypatch.setattr(f"sbwork.read.surveys.{limit}", 2)
    with pytest.raises(InputError, match=message):
        read_table(path)


def test_a_reader_that_crashes_or_hangs_leaves_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_spss(tmp_path / "w.sav")
    monkeypatch.setattr("sbwork.read.surveys.labelled._LEAST_SECONDS", 0.001)
    monkeypatch.setattr("sbwork.read.surveys.labelled._SECONDS_PER_MEGABYTE", 0.0)
    with pytest.raises(InputError, match="given up after 0 seconds"):
        read_table(path)
    crash = tmp_path / "crash"
    crash.write_text("#!/bin/sh\nkill -SEGV $$\n", encoding="utf-8")
    crash.chmod(0o755)
    monkeypatch.setattr("sbwork.read.surveys.labelled._LEAST_SECONDS", 9.0)
    monkeypatch.setattr("sys.executable", str(crash))
    with pytest.raises(InputError, match="damaged"):
        read_table(path)
