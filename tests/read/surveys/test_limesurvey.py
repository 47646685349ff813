import csv
import io
from pathlib import Path

import pytest

from sbwork.read.surveys.detection import read_table

ANSWERS = [["1", "2019-04-03 10:00", "3", "Agree", "A2"], ["2", "", "1", "Disagree", "A1"]]
STYLES = {
    "codes": ["id", "submitdate", "lastpage", "likert1[trust]", "rating"],
    "codes joined": ["id", "submitdate", "lastpage", "likert1_trust", "rating"],
    "codes and texts": [
        "id. Response ID",
        "submitdate. Date submitted",
        "lastpage. Last page",
        "likert1[trust]. How much? [I trust them]",
        "rating. Your rating",
    ],
    "texts": ["Response ID", "Date submitted", "Last page", "How much? [I trust them]", "Rating"],
}


def write(path: Path, rows: list[list[str]]) -> Path:
    out = io.StringIO()
    csv.writer(out, delimiter=";").writerows(rows)
    path.write_text(out.getvalue(), encoding="utf-8-sig", newline="")
    return path


@pytest.mark.parametrize("style", STYLES)
def test_every_style_of_header_is_known_and_unsent_answers_are_marked(
    tmp_path: Path, style: str
) -> None:
    table = read_table(write(tmp_path / "wave.csv", [STYLES[style], *ANSWERS]))
    assert table.platform == "limesurvey"
    assert table.read_column(3).tolist() == ["Agree", "Disagree"]
    assert table.left_out["unfinished"].tolist() == [False, True]
    assert table.record == 0


def test_code_question_and_subquestion_are_told_apart(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "wave.csv", [STYLES["codes and texts"], *ANSWERS]))
    assert table.names[3] == "likert1[trust]"
    assert table.labels[3] == "How much? [I trust them]"
    assert table.aliases[3] == (
        "likert1_trust",
        "trust",
        "likert1[trust]. How much? [I trust them]",
    )
    assert (table.names[4], table.labels[4]) == ("rating", "Your rating")


def test_headers_over_several_lines_keep_their_question(tmp_path: Path) -> None:
    header = [*STYLES["codes and texts"][:4], "rating. Your rating\nof today"]
    table = read_table(write(tmp_path / "wave.csv", [header, *ANSWERS]))
    assert (table.names[4], table.labels[4]) == ("rating", "Your rating\nof today")
