from pathlib import Path

import pytest

from sbwork.read.surveys.descriptions import SourceDescription, describe_table
from sbwork.read.surveys.detection import read_table
from sbwork.specs.errors import InputError

SENTINELS = ["zz-name", "zz@example.org", "0191 498 0123", "192.0.2.7", "DH1 5UZ"]


def describe(tmp_path: Path, text: str) -> SourceDescription:
    path = tmp_path / "w.csv"
    path.write_text(text, encoding="utf-8")
    return describe_table(read_table(path))


def test_columns_questions_and_shared_answers_are_described(tmp_path: Path) -> None:
    rows = "".join(f"{'AB'[i % 2]},{i % 5 + 1},{i % 3 and 'Agree'},\n" for i in range(30))
    found = describe(tmp_path, f"site,q1,q2,q3\n{rows}")
    assert (found.platform, found.rows) == ("csv", 30)
    values = [column.values for column in found.columns]
    assert values == [("A", "B"), ("1", "2", "3", "4", "5"), ("Agree", "0"), ()]
    assert (found.columns[3].blank, found.columns[3].distinct) == (30, 0)


def test_personal_content_is_never_shown(tmp_path: Path) -> None:
    header = "First name,mail,tel,where from,postcode,thoughts,rank\n"
    row = ",".join([*SENTINELS, "zz-thought about it all day long", "zz-rank"])
    found = describe(tmp_path, header + (row + "\n") * 2)
    assert "zz" not in repr(found).casefold()
    assert not any(sentinel in repr(found) for sentinel in SENTINELS)
    kinds = ["name of a person", "e-mail address", "phone number", "IP address", "exact location"]
    assert [column.personal for column in found.columns[:5]] == kinds
    with pytest.raises(InputError, match="first row holds answers") as caught:
        describe(tmp_path, "zz@example.org,3\nann@example.org,4\n")
    assert "zz@" not in str(caught.value)


def test_options_named_like_their_answers_are_no_first_row(tmp_path: Path) -> None:
    rows = ["Area,trust_1,trust_2,picked", "N,1,2,", "S,2,1,picked"]
    assert len(describe(tmp_path, "\n".join(rows) + "\n").columns) == 4
    with pytest.raises(InputError, match="first row holds answers"):
        describe(tmp_path, "\n".join([rows[2], *rows[1:], *rows[1:]]) + "\n")


def test_rows_left_out_are_counted(tmp_path: Path) -> None:
    rows = "2019-04-03,0,1,3\n2019-04-03,1,1,3\n2019-04-03,0,0,3\n"
    found = describe(tmp_path, f"StartDate,Status,Finished,q1\n{rows}")
    assert found.platform == "qualtrics"
    assert (found.left_out["previews and tests"], found.left_out["unfinished"]) == (1, 1)
    assert found.columns[3].values == ("3",)
