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


@pytest.mark.parametrize(
    ("rows", "name"),
    [
        ([NAMES, TEXTS, IMPORT, *ANSWERS], "trust_1"),
        ([R_NAMES, TEXTS, IMPORT, *ANSWERS], "trust_1"),
        ([NAMES, GERMAN, IMPORT, *ANSWERS], "trust_1"),
        ([NAMES, TEXTS, *ANSWERS], "trust_1"),
        ([NAMES, GERMAN, *ANSWERS], "trust_1"),
        ([NAMES, IMPORT, *ANSWERS], "trust_1"),
        ([NAMES, *ANSWERS], "trust_1"),
        ([TEXTS, IMPORT, *ANSWERS], "How much? - I trust them"),
        ([GERMAN, IMPORT, *ANSWERS], "Wie sehr? - Vertrauen"),
        ([TEXTS, *ANSWERS], "How much? - I trust them"),
        ([IMPORT, *ANSWERS], "QID1_1"),
        ([[f"V{i}" for i in range(8)], NAMES, TEXTS, IMPORT, *ANSWERS], "trust_1"),
        ([["Export of 3 April", *[""] * 7], NAMES, TEXTS, IMPORT, *ANSWERS], "trust_1"),
        ([["", *NAMES], ["1", *TEXTS], ["2", *IMPORT], *INDEXED], "trust_1"),
        ([NAMES, TEXTS, [""] * 8, IMPORT, *ANSWERS], "trust_1"),
        ([NAMES, TEXTS, IMPORT, *ANSWERS, NAMES, TEXTS, IMPORT], "trust_1"),
    ],
    ids=[
        "three rows",
        "names changed by R",
        "second row translated",
        "third row lost",
        "translated and third row lost",
        "second row lost",
        "second and third rows lost",
        "first row lost",
        "first row lost and translated",
        "only the second row left",
        "only the third row left",
        "extra row of numbers",
        "extra row with a title",
        "leading index column",
        "blank row among the headers",
        "headers again below",
    ],
)
def test_headers_are_told_from_answers_however_the_file_was_saved(
    tmp_path: Path, rows: list[list[str]], name: str
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
    ("status", "finished", "kept"),
    [
        ("IP Address", "True", True),
        ("IP Address", "TRUE", True),
        ("Imported", "True", True),
        ("Survey Preview", "True", False),
        ("Survey Test", "True", False),
        ("Umfragevorschau", "Wahr", False),
        ("Spam", "True", False),
        ("IP Address", "False", False),
        ("IP-Adresse", "Falsch", False),
        ("17", "1", False),
        ("16", "1", True),
        ("4", "1", True),
    ],
)
def test_label_exports_mark_previews_and_unfinished_answers(
    tmp_path: Path, status: str, finished: str, kept: bool
) -> None:
    answer = ["2019-04-03 10:01:05", status, "100", "122", finished, "R_1", "3", "4"]
    table = read_table(write(tmp_path / "wave.csv", [NAMES, TEXTS, IMPORT, answer]))
    assert table.kept.tolist() == [kept]


def test_progress_decides_where_finished_is_not_told(tmp_path: Path) -> None:
    drop = NAMES.index("Finished")
    rows = [[cell for i, cell in enumerate(row) if i != drop] for row in [NAMES, TEXTS, *ANSWERS]]
    table = read_table(write(tmp_path / "wave.csv", rows))
    assert table.left_out["unfinished"].tolist() == [False, False, True, False, False]


def test_a_table_with_one_name_in_common_is_no_qualtrics_export() -> None:
    assert not is_qualtrics([["StartDate", "site", "q1"], ["2019-04-03", "A", "1"]])
