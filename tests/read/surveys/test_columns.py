from pathlib import Path

import pytest

from sbwork.read.surveys.columns import Assignment, assign_columns, find_set_columns
from sbwork.read.surveys.detection import read_table
from sbwork.read.surveys.tables import RawTable
from sbwork.specs.cohort import SurveySource
from sbwork.specs.errors import InputError
from sbwork.specs.instrument import Instrument

INSTRUMENT = Instrument.model_validate(
    {
        "name": "toy",
        "options": {"agree": [{"code": 1}, {"code": 2}]},
        "items": {
            "trust_1": {"options": "agree", "text": "I trust them"},
            "trust_2": {"options": "agree", "text": "They care"},
        },
    }
)


def read(tmp_path: Path, header: str, row: str = "", format: str = "auto") -> RawTable:
    path = tmp_path / "w.csv"
    values = row or ",".join("1" for _ in header.split(","))
    path.write_text(f"{header}\n{values}\n", encoding="utf-8")
    return read_table(path, format)


def assign(table: RawTable, **keys: object) -> Assignment:
    given = {"path": "w.csv", "wave": "before", "site": "north", **keys}
    return assign_columns(table, SurveySource.model_validate(given), INSTRUMENT)


@pytest.mark.parametrize(
    ("header", "keys"),
    [
        ("Trust 1,x", {"columns": {"x": "trust_2"}}),
        *(
            (header, {})
            for header in (
                "trust_1,trust_2",
                "TRUST_1, trust_2 ",
                "trust.1,trust.2",
                "I trust them,They  care",
                "How much? - I trust them,How much? - They care",
                "How much? [I trust them],How much? [They care.]",
                "2.1. I trust them,2.2. They care",
                "Q5a) I trust them,Q5b) They care",
                "<p>I <b>trust</b> them</p>,They&nbsp;care",
            )
        ),
    ],
)
def test_items_are_found_by_key_or_by_question(
    tmp_path: Path, header: str, keys: dict[str, object]
) -> None:
    found = assign(read(tmp_path, header, format="forms"), **keys)
    assert found.items == {"trust_1": 0, "trust_2": 1}


@pytest.mark.parametrize(
    ("header", "keys", "items"),
    [
        ("id,submitdate,lastpage,likert[trust_1],likert[trust_2]", {}, (3, 4)),
        ("trust_1,trust_2,Q9", {"columns": {"q9": "trust_1"}}, (2, 1)),
        ("trust_1,x", {"not_asked": ["trust_2"]}, (0, None)),
        ("trust_1,trust_2,trust_1", {}, (0, 1)),
    ],
    ids=["subquestions", "mapped columns come first", "not asked", "repeated with one answer"],
)
def test_items_are_found_where_the_platform_or_cohort_yml_has_them(
    tmp_path: Path, header: str, keys: dict[str, object], items: tuple[int | None, ...]
) -> None:
    found = assign(read(tmp_path, header), **keys).items
    assert (found.get("trust_1"), found.get("trust_2")) == items


@pytest.mark.parametrize(
    ("header", "row", "keys", "message"),
    [
        ("trust_1,trust_3", "1,1", {}, "no column: 'trust_2'. Did you mean 'trust_3'"),
        (
            "trust_1,trust_2,trust_1",
            "1,2,2",
            {},
            "2 columns are 'trust_1', and their",
        ),
        ("trust_1,trust_2", "1,1", {"columns": {"q9": "trust_1"}}, "there is no column 'q9'"),
        ("trust_1,trust_2", "1,1", {"columns": {"trust_1": "trust_9"}}, "which is no item"),
        ("trust_1,trust_2", "1,1", {"not_asked": ["trusty"]}, "'trusty' is no item"),
        ("trust_1,trust_2", "1,1", {"keep": ["gendr"]}, "as key 'keep' has it"),
        ("trust_1,trust_2", "1,1", {"multiple": {"ways": "met_"}}, "starts with 'met_'"),
        (
            "trust_1,trust_2,gender",
            "1,1,1",
            {"site": "", "site_column": "gendr"},
            "no column 'gendr', as key 'site_column' has it. Did you mean 'gender'",
        ),
        ("a,trust_2", "1,1", {"columns": {"trust_2": "trust_1"}}, "would serve the items"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_nearest_name(
    tmp_path: Path, header: str, row: str, keys: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        assign(read(tmp_path, header, row), **keys)


def test_everything_amiss_is_told_at_once(tmp_path: Path) -> None:
    table = read(tmp_path, "trust_1,x")
    with pytest.raises(InputError) as caught:
        assign(table, keep=["y"], weight_column="z", person_column="w")
    assert len(caught.value.problems) == 4


def test_a_prefix_that_ends_in_a_digit_does_not_take_the_next_question(tmp_path: Path) -> None:
    table = read(tmp_path, "Q1_1,Q1_2,Q12_1,Q1_2_TEXT")
    assert find_set_columns(table, "Q1") == [0, 1, 3]
    assert find_set_columns(table, "q12") == [2]
    assert find_set_columns(table, "Q9") == []
