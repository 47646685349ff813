from pathlib import Path

import openpyxl
import pytest

from sbwork.read.surveys.detection import read_table


@pytest.mark.parametrize(
    "system",
    [
        ["ID", "Start time", "Completion time", "Email", "Name"],
        ["ID", "Startzeit", "Fertigstellungszeit", "E-Mail", "Name"],
    ],
)
def test_microsoft_forms_workbook_is_known_by_its_first_columns(
    tmp_path: Path, system: list[str]
) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.append([*system, "I trust  the police", "Which of these?"])
    book.active.append([1, "x", "y", "anonymous", "", "Agree", "Shops;Parks;"])
    book.save(tmp_path / "wave.xlsx")
    table = read_table(tmp_path / "wave.xlsx")
    assert table.platform == "forms"
    assert table.names[5] == "I trust the police"
    assert table.read_column(6).tolist() == ["Shops;Parks;"]
    assert table.record == 0


def test_google_forms_rows_of_a_grid_have_a_name_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "wave.csv"
    path.write_text(
        '"Timestamp","How much? [I trust them]","Area"\n"2019/04/03","Agree","North"\n',
        encoding="utf-8",
    )
    table = read_table(path)
    assert table.platform == "forms"
    assert table.aliases[1] == ("I trust them",)
    assert table.record is None
