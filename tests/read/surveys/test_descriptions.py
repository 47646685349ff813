from pathlib import Path

from sbwork.read.surveys.descriptions import describe_table
from sbwork.read.surveys.detection import read_table

SENTINELS = ["zz-name", "zz@example.org", "0191 498 0123", "192.0.2.7", "DH1 5UZ"]


def test_columns_questions_and_shared_answers_are_told(tmp_path: Path) -> None:
    path = tmp_path / "w.csv"
    rows = "".join(f"{'AB'[i % 2]},{i % 5 + 1},{i % 3 and 'Agree'},\n" for i in range(30))
    path.write_text(f"site,q1,q2,q3\n{rows}", encoding="utf-8")
    told = describe_table(read_table(path))
    site, q1, q2, q3 = told.columns
    assert (told.platform, told.rows) == ("csv", 30)
    assert site.values == ("A", "B")
    assert q1.values == ("1", "2", "3", "4", "5")
    assert q2.values == ("Agree", "0")
    assert (q3.values, q3.blank, q3.distinct) == ((), 30, 0)


def test_personal_content_is_never_told(tmp_path: Path) -> None:
    path = tmp_path / "w.csv"
    header = "First name,mail,tel,where from,postcode,thoughts,rank\n"
    row = ",".join([*SENTINELS, "zz-thought about it all day long", "zz-rank"])
    path.write_text(header + (row + "\n") * 2, encoding="utf-8")
    told = describe_table(read_table(path))
    assert "zz" not in repr(told).casefold()
    assert not any(sentinel in repr(told) for sentinel in SENTINELS)
    assert [column.personal for column in told.columns[:5]] == [
        "name of a person",
        "e-mail address",
        "phone number",
        "IP address",
        "exact location",
    ]


def test_a_file_without_a_header_does_not_give_away_its_first_row(tmp_path: Path) -> None:
    path = tmp_path / "w.csv"
    path.write_text("zz@example.org,3\nann@example.org,4\n", encoding="utf-8")
    assert "zz@" not in repr(describe_table(read_table(path)))


def test_rows_left_out_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "w.csv"
    path.write_text(
        "StartDate,Status,Finished,q1\n2019-04-03,0,1,3\n2019-04-03,1,1,3\n2019-04-03,0,0,3\n",
        encoding="utf-8",
    )
    told = describe_table(read_table(path))
    assert told.platform == "qualtrics"
    assert told.left_out["previews and tests"] == 1
    assert told.left_out["unfinished"] == 1
    assert told.columns[3].values == ("3",)
