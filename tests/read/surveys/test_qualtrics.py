import csv
import io
from pathlib import Path

import pytest

from sbwork.read.surveys.detection import read_table
from sbwork.read.surveys.qualtrics import is_qualtrics

NAMES = ["StartDate", "Status", "Progress", "Duration (in seconds)", "Finished", "ResponseId"]
NAMES += ["trust_1", "trust_2"]
TEXTS = ["Start Date", "Response Type", "Progress", "Duration (in seconds)", "Finished"]
TEXTS += ["Response ID", "How much? - I trust them", "How much? - They care"]
GERMAN = ["Startdatum", "Antworttyp", "Fortschritt", "Dauer (in Sekunden)", "Beendet"]
GERMAN += ["Antwort-ID", "Wie sehr? - Vertrauen", "Wie sehr? - Sorge"]
IDS = ["startDate", "status", "progress", "duration", "finished", "_recordId", "QID1_1", "QID1_2"]
IMPORT = [f'{{"ImportId":"{name}","timeZone":"Europe/London"}}' for name in IDS]
ANSWERS = [
    ["2019-04-03 10:01:05", "0", "100", "122", "1", "R_1", "3", "4"],
    ["2019-04-03 10:02:05", "1", "100", "22", "1", "R_2", "5", "5"],
    ["2019-04-03 10:03:05", "0", "29", "12", "0", "R_3", "2", ""],
    ["2019-04-03 10:04:05", "8", "100", "2", "1", "R_4", "1", "1"],
    ["2019-04-03 10:05:05", "0", "100", "422", "1", "R_5", "2", "1"],
]
R_NAMES = [name.replace("Duration (in seconds)", "Duration..in.seconds.") for name in NAMES]
INDEXED = [[str(i), *row] for i, row in enumerate(ANSWERS, 3)]


def write(path: Path, rows: list[list[str]]) -> Path:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    path.write_text(out.getvalue(), encoding="utf-8", newline="")
    return path


TRUST = "trust_1"
HEADERS = {
    "three rows": (TRUST, [NAMES, TEXTS, IMPORT, *ANSWERS]),
    "names changed by R": (TRUST, [R_NAMES, TEXTS, IMPORT, *ANSWERS]),
    "second row translated": (TRUST, [NAMES, GERMAN, IMPORT, *ANSWERS]),
    "third row lost": (TRUST, [NAMES, TEXTS, *ANSWERS]),
    "translated and third row lost": (TRUST, [NAMES, GERMAN, *ANSWERS]),
    "second row lost": (TRUST, [NAMES, IMPORT, *ANSWERS]),
    "second and third rows lost": (TRUST, [NAMES, *ANSWERS]),
    "first row lost": ("How much? - I trust them", [TEXTS, IMPORT, *ANSWERS]),
    "first row lost and translated": ("Wie sehr? - Vertrauen", [GERMAN, IMPORT, *ANSWERS]),
    "only the second row left": ("How much? - I trust them", [TEXTS, *ANSWERS]),
    "only the third row left": ("QID1_1", [IMPORT, *ANSWERS]),
    "extra row of numbers": (TRUST, [[f"V{i}" for i in range(8)], NAMES, TEXTS, IMPORT, *ANSWERS]),
    "extra row with a title": (TRUST, [["3 April", *[""] * 7], NAMES, TEXTS, IMPORT, *ANSWERS]),
    "leading index column": (TRUST, [["", *NAMES], ["1", *TEXTS], ["2", *IMPORT], *INDEXED]),
    "blank row among the headers": (TRUST, [NAMES, TEXTS, [""] * 8, IMPORT, *ANSWERS]),
    "headers again below": (TRUST, [NAMES, TEXTS, IMPORT, *ANSWERS, NAMES, TEXTS, IMPORT]),
}


@pytest.mark.parametrize(("name", "rows"), HEADERS.values(), ids=HEADERS)
def test_headers_are_separated_from_answers_however_the_file_was_saved(
    tmp_path: Path, name: str, rows: list[list[str]]
) -> None:
    table = read_table(write(tmp_path / "wave.csv", rows))
    assert table.platform == "qualtrics"
    column = table.names.index(name)
    assert table.read_column(column)[table.kept].tolist() == ["3", "2"]
    left_out = {reason: int(mask.sum()) for reason, mask in table.left_out.items()}
    assert left_out["previews and tests"] == 1
    assert left_out["unfinished"] == 1
    assert left_out["marked as spam by Qualtrics"] == 1


def test_questions_and_import_ids_are_kept_beside_the_names(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "wave.csv", [NAMES, TEXTS, IMPORT, *ANSWERS]))
    column = table.names.index("trust_2")
    assert table.labels[column] == "How much? - They care"
    assert table.aliases[column] == ("QID1_2",)
    assert table.names[table.record or 0] == "ResponseId"
    assert table.rows.tolist() == [4, 5, 6, 7, 8]


@pytest.mark.parametrize(
    ("finished", "kept", "statuses"),
    [
        ("True", True, ["IP Address", "Imported"]),
        ("TRUE", True, ["IP Address"]),
        ("1", True, ["16", "4"]),
        ("True", False, ["Survey Preview", "Survey Test", "Spam"]),
        ("Wahr", False, ["Umfragevorschau"]),
        ("False", False, ["IP Address"]),
        ("Falsch", False, ["IP-Adresse"]),
        ("1", False, ["17"]),
    ],
)
def test_label_exports_mark_previews_and_unfinished_answers(
    tmp_path: Path, finished: str, kept: bool, statuses: list[str]
) -> None:
    rest = ["100", "122", finished, "R_1", "3", "4"]
    rows = [["2019-04-03 10:01:05", status, *rest] for status in statuses]
    table = read_table(write(tmp_path / "wave.csv", [NAMES, TEXTS, IMPORT, *rows]))
    assert table.kept.tolist() == [kept] * len(statuses)


def test_progress_decides_where_finished_is_not_told(tmp_path: Path) -> None:
    drop = NAMES.index("Finished")
    rows = [[cell for i, cell in enumerate(row) if i != drop] for row in [NAMES, TEXTS, *ANSWERS]]
    table = read_table(write(tmp_path / "wave.csv", rows))
    assert table.left_out["unfinished"].tolist() == [False, False, True, False, False]


def test_a_table_with_one_name_in_common_is_no_qualtrics_export() -> None:
    assert not is_qualtrics([["StartDate", "site", "q1"], ["2019-04-03", "A", "1"]])
