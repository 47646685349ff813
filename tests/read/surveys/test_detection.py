"""Which platform a file is from; LimeSurvey, Microsoft Forms and Google Forms."""

from pathlib import Path

import openpyxl
import pytest

from sbwork.read.surveys.detection import read_table
from sbwork.specs.errors import InputError

QUALTRICS = 'StartDate,Finished,ResponseId,q1\n"{""ImportId"":""a""}",b,c,d\n2019-04-03,1,R_1,3\n'
LIMESURVEY = {
    "codes": "id;submitdate;lastpage;likert1[trust];rating",
    "codes joined": "id;submitdate;lastpage;likert1_trust;rating",
    "codes and texts": "id. Response ID;submitdate. Date submitted;lastpage. Last page;"
    'likert1[trust]. How much? [I trust them];"rating. Your rating\nof today"',
    "texts": "Response ID;Date submitted;Last page;How much? [I trust them];Rating",
}


@pytest.fixture
def wave(tmp_path: Path) -> Path:
    path = tmp_path / "w.csv"
    path.write_text(QUALTRICS, encoding="utf-8")
    return path


def test_the_format_overrides_what_the_bytes_say(wave: Path) -> None:
    found = [(read_table(wave, name).platform, len(read_table(wave, name).rows))
             for name in ("auto", "csv")]  # fmt: skip
    assert found == [("qualtrics", 1), ("csv", 2)]


@pytest.mark.parametrize(
    ("name", "format", "message"),
    [
        ("w.csv", "qualtrix", "Did you mean 'qualtrics'"),
        ("w.csv", "spss", "the bytes are not of such a file"),
        ("none.csv", "auto", "can't be opened"),
    ],
)
def test_a_format_or_a_file_that_does_not_fit_is_refused(
    wave: Path, name: str, format: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read_table(wave.with_name(name), format)


@pytest.mark.parametrize("style", LIMESURVEY)
def test_every_style_of_limesurvey_is_known_and_unsent_answers_are_marked(
    wave: Path, style: str
) -> None:
    rows = "1;2019-04-03 10:00;3;Agree;A2\n2;;1;Disagree;A1\n"
    wave.write_text(f"{LIMESURVEY[style]}\n{rows}", encoding="utf-8-sig")
    table = read_table(wave)
    assert (table.platform, table.record) == ("limesurvey", 0)
    assert table.read_column(3).tolist() == ["Agree", "Disagree"]
    assert table.left_out["unfinished"].tolist() == [False, True]
    if style == "codes and texts":
        code, text = "likert1[trust]", "How much? [I trust them]"
        assert (table.names[3], table.labels[3]) == (code, text)
        assert table.aliases[3] == ("likert1_trust", "trust", f"{code}. {text}")
        assert (table.names[4], table.labels[4]) == ("rating", "Your rating\nof today")


@pytest.mark.parametrize(
    "begin", [("Start time", "Completion time"), ("Startzeit", "Fertigstellungszeit")]
)
def test_a_microsoft_forms_workbook_is_known_by_its_first_columns(
    tmp_path: Path, begin: tuple[str, str]
) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.append(["ID", *begin, "Email", "Name", "I trust  the police", "Which of these?"])
    book.active.append([1, "x", "y", "anonymous", "", "Agree", "Shops;Parks;"])
    book.save(tmp_path / "wave.xlsx")
    table = read_table(tmp_path / "wave.xlsx")
    assert (table.platform, table.record) == ("forms", 0)
    assert table.names[5] == "I trust the police"
    assert table.read_column(6).tolist() == ["Shops;Parks;"]


def test_rows_of_a_grid_of_google_forms_have_a_name_of_their_own(wave: Path) -> None:
    wave.write_text("Timestamp,How much? [I trust them],Area\n2019/04/03,Agree,North\n", "utf-8")
    table = read_table(wave)
    assert (table.platform, table.record) == ("forms", None)
    assert table.aliases[1] == ("I trust them",)


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("Borough,% agree,n\nBarnet,65,210\nBrent,61,190\n", True),
        ("Borough,Agree,Base\nBarnet,65%,210\nBrent,61%,190\n", True),
        ("Borough,Agree,Neither,Disagree\nBarnet,60,30,10\nBrent,50,30,20.4\n", True),
        ("Ward,Ward code,Trust,Sample size\nA,E05000001,0.61,210\nB,E05000002,0.58,190\n", True),
        ("Answer,Percentage\nStrongly agree,23\nAgree,45\nDisagree,32\n", True),
        ("Date,Borough,Measure,Proportion\n2023-03-01,Barnet,Trust,0.7\n"
         "2023-03-01,Barnet,Fair,0.6\n2023-06-01,Barnet,Trust,0.8\n", True),
        ("Area,Answer,Count\nNorth,Yes,21\nNorth,No,9\nSouth,Yes,11\nSouth,No,14\n", True),
        ("Ward,Agree,Disagree\nNorth,0.55,0.45\nSouth,0.4,0.6\n", True),
        ("area,trust_1,age,n\nNorth,Yes,Old,3\nSouth,No,Young,2\nNorth,No,Old,1\n", False),
        ("area,trust_1,trust_2\nNorth,1,2\nSouth,2,1\n", False),
        ("n,area,trust_1\n1,North,1\n2,South,2\n", False),
        ("id,area,trust_1,weight\nP1,North,Agree,0.91\nP2,South,Agree,1.2\n", False),
        ("area,share of time,trust_1\nNorth,20,1\nSouth,30,2\n", False),
        ("Timestamp,What % of police do you trust?\n2024-01-01 10:00,20\n", False),
        ("name,q1,q2,total\nAnn,1,5,6\nBo,4,3,7\n", False),
        ("id,home,work,other\nP1,20,30,50\nP2,40,30,30\n", False),
    ],
)  # fmt: skip
def test_tables_of_shares_are_no_answers(tmp_path: Path, text: str, refused: bool) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    if refused:
        with pytest.raises(InputError, match="Individual answers are needed"):
            read_table(path)
    else:
        assert read_table(path).names
