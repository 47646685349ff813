from pathlib import Path

import pytest

from sbwork.read.surveys.detection import read_table
from sbwork.specs.errors import InputError

QUALTRICS = 'StartDate,Finished,ResponseId,q1\n"{""ImportId"":""a""}",b,c,d\n2019-04-03,1,R_1,3\n'


def test_the_format_overrides_what_the_bytes_tell(tmp_path: Path) -> None:
    path = tmp_path / "w.csv"
    path.write_text(QUALTRICS, encoding="utf-8")
    assert read_table(path).platform == "qualtrics"
    assert len(read_table(path).rows) == 1
    assert read_table(path, "csv").platform == "csv"
    assert len(read_table(path, "csv").rows) == 2


def test_an_unknown_format_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Did you mean 'qualtrics'"):
        read_table(tmp_path / "w.csv", "qualtrix")


def test_a_format_that_the_bytes_deny_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.csv"
    path.write_text(QUALTRICS, encoding="utf-8")
    with pytest.raises(InputError, match="the bytes are not of such a file"):
        read_table(path, "spss")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be opened"):
        read_table(tmp_path / "none.csv")
