import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pyreadstat
import pytest

from sbwork.read.checks import find_losses
from sbwork.read.surveys import Responses, read_responses
from sbwork.specs.cohort import Cohort, read_cohort
from sbwork.specs.errors import InputError
from sbwork.specs.instrument import Instrument

INSTRUMENT = Instrument.model_validate(
    {
        "name": "toy",
        "options": {
            "agree": [
                {"code": 1, "label": "Disagree"},
                {"code": 2, "label": "Neither"},
                {"code": 3, "label": "Agree"},
                {"code": 8, "label": "Don't know", "nonresponse": "dont_know"},
                {"code": 9, "label": "Prefer not to say", "nonresponse": "prefer_not_to_say"},
            ]
        },
        "items": {
            "trust_1": {"options": "agree", "text": "I trust them"},
            "trust_2": {"options": "agree", "reverse": True},
        },
        "scales": {"trust": {"items": ["trust_1", "trust_2"]}},
    }
)
SITES = {"north": {"title": "North End", "names": ["N"]}, "south": {}}
HEADER = ["wave", "site", "who", "w", "age", "trust_1", "trust_2", "told", "email"]
ROWS = [
    ["pre", "North End", "p1", "1,5", "18-34", "Agree", "disagree", "", "zz1@example.org"],
    ["pre", "n", "p2", "0.5", "35+", "3", "Don't know", "Ring 0191 498 0123", "zz2@example.org"],
    ["pre", "SOUTH", "p3", "1", "35+", "", "PREFER NOT TO SAY", "", "zz3@example.org"],
    ["post", "North end", "P1 ", "1", "18-34", "neither", "1", "", "zz1@example.org"],
    ["post", "south", "p3", "1", "35+", "2", "", "=1+1", "zz3@example.org"],
    ["post", "south", "p3", "1", "35+", "1", "1", "again", "zz3@example.org"],
    ["post", "south", "", "1", "35+", "1", "1", "", ""],
]
SOURCE = {
    "wave_column": "wave",
    "waves": {"Pre": "before", "post": "after"},
    "site_column": "site",
    "person_column": "who",
    "weight_column": "w",
    "keep": ["age"],
    "stories": ["told"],
}


def write(path: Path, rows: list[list[str]]) -> None:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    path.write_text(out.getvalue(), encoding="utf-8", newline="")


def read(folder: Path, *sources: dict[str, Any]) -> Responses:
    """Read the sources given, each in wave "before" at site "north" unless it says otherwise."""
    surveys = []
    for source in sources:
        wave = {} if "wave_column" in source else {"wave": "before"}
        site = {} if "site_column" in source else {"site": "north"}
        surveys.append({"path": "w.csv", **wave, **site, **source})
    cohort = Cohort.model_validate({"name": "toy", "sites": SITES, "surveys": surveys})
    cohort._folder = folder
    return read_responses(cohort, INSTRUMENT)


@pytest.fixture
def toy(tmp_path: Path) -> Responses:
    write(tmp_path / "w.csv", [HEADER, *ROWS])
    return read(tmp_path, SOURCE)


def count(responses: Responses, check: str) -> float:
    lines = responses.quality.set_index("check")["count"]
    return float(lines[check])


def test_answers_of_two_waves_in_one_file(toy: Responses) -> None:
    answers = toy.answers
    names = ["wave", "site", "person", "weight", "age", "trust_1", "trust_2"]
    assert list(answers.columns) == names
    assert answers["wave"].tolist() == ["before"] * 3 + ["after"] * 4
    assert answers["site"].tolist() == ["north", "north", "south", "north"] + ["south"] * 3
    assert answers["weight"].tolist() == [1.5, 0.5, 1, 1, 1, 1, 1]
    assert answers["age"].tolist() == ["18-34", "35+", "35+", "18-34"] + ["35+"] * 3
    np.testing.assert_array_equal(answers["trust_1"], [3, 3, np.nan, 2, 2, 1, 1])
    np.testing.assert_array_equal(answers["trust_2"], [1, np.nan, np.nan, 1, np.nan, 1, 1])
    assert {str(answers[name].dtype) for name in names[3:] if name != "age"} == {"float64"}
    assert {str(answers[name].dtype) for name in ("wave", "site", "person", "age")} == {"str"}


def test_people_are_linked_by_a_hash_unless_several_share_an_id(toy: Responses) -> None:
    people = toy.answers["person"]
    assert people[0] == people[3] != ""
    assert people[2] == people[4] == people[5] == people[6] == ""
    assert not people.str.contains("p1|p2|p3").any()
    assert count(toy, "left out: the person answered before") == 0
    assert count(toy, "with a shared id") == 3
    assert count(toy, "people linked across waves") == 1
    assert count(toy, "without an id") == 1
    assert count(toy, "rows read") == 7
    assert count(toy, "answers used") == 7


def test_why_there_is_no_answer_is_counted_apart(toy: Responses) -> None:
    table = toy.nonresponse
    assert list(table.columns) == ["wave", "site", "item", "kind", "count"]
    assert len(table) == 4 * 2 * 3
    some = table[table["count"] > 0].set_index(["wave", "site", "item", "kind"])["count"]
    assert some.to_dict() == {
        ("before", "north", "trust_2", "dont_know"): 1,
        ("before", "south", "trust_2", "prefer_not_to_say"): 1,
        ("before", "south", "trust_1", "blank"): 1,
        ("after", "south", "trust_2", "blank"): 1,
    }


def test_stories_are_masked_and_follow_the_rows_that_stay(toy: Responses) -> None:
    assert toy.stories.to_numpy().tolist() == [
        ["before", "north", "told", "Ring [phone removed]"],
        ["after", "south", "told", "=1+1"],
        ["after", "south", "told", "again"],
    ]


def test_what_was_dropped_is_listed_with_the_reason(toy: Responses) -> None:
    assert toy.dropped.to_numpy().tolist() == [
        ["w.csv", "who", "id, replaced by a keyed hash"],
        ["w.csv", "email", "e-mail address"],
    ]


def test_nothing_personal_is_in_any_frame(tmp_path: Path) -> None:
    planted = {
        "Name": "zzAnn",
        "mail": "zz@example.org",
        "phone": "0191 498 0123",
        "IPAddress": "192.0.2.77",
        "LocationLatitude": "54.775251",
        "UserAgent": "zzMozilla/5.0",
        "ResponseId": "R_zz3r0t3UbFJ3bi2rR",
        "thoughts": "zz I thought about it all day",
        "who": "zzperson",
        "extra": "zzextra",
    }
    row = {"trust_1": "1", "trust_2": "1", "told": "I am zz@example.org", **planted}
    write(tmp_path / "w.csv", [list(row), list(row.values()), list(row.values())])
    responses = read(tmp_path, {"person_column": "who", "stories": ["told"]})
    written = "".join(frame.to_csv() for frame in vars(responses).values())
    assert "zz" not in written
    assert not any(value in written for value in planted.values())
    assert set(responses.dropped["column"]) == set(planted)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("age", "ann@example.org", "e-mail address"),
        ("Postcode", "DH1", "exact location"),
        ("inputzip", "90210", "exact location"),
        ("age", "DH1 5UZ", "exact location"),
        ("member", "17", "id of a person"),
    ],
)
def test_personal_data_are_refused_even_under_keep(
    tmp_path: Path, name: str, value: str, message: str
) -> None:
    write(tmp_path / "w.csv", [["trust_1", "trust_2", name], ["1", "1", value], ["1", "2", "x"]])
    person = {"person_column": "member"} if name == "member" else {}
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path, {"keep": [name], **person})
    assert value not in str(caught.value)


def test_hashes_are_the_same_in_every_run_on_the_same_files(toy: Responses, tmp_path: Path) -> None:
    pd.testing.assert_frame_equal(toy.answers, read(tmp_path, SOURCE).answers)


def test_clusters_are_the_same_in_both_waves_and_no_words(tmp_path: Path) -> None:
    rows = [["wave", "site", "road", "trust_1", "trust_2"]]
    rows += [["pre", "n", "Zz Lane", "1", "1"], ["post", "n", " zz lane", "1", "2"],
             ["post", "south", "ZZ LANE", "2", "2"], ["post", "south", "", "2", "3"]]  # fmt: skip
    write(tmp_path / "w.csv", rows)
    source = {key: SOURCE[key] for key in ("wave_column", "waves", "site_column")}
    responses = read(tmp_path, {**source, "cluster_column": "road"})
    cluster = responses.answers["cluster"]
    assert (cluster == cluster[0]).tolist() == [True, True, True, False]
    assert cluster[3] == ""
    assert count(responses, "without a cluster") == 1
    assert "zz lane" not in "".join(f.to_csv().casefold() for f in vars(responses).values())
    with pytest.raises(InputError, match=r"no column 'rode'.*Did you mean 'road'"):
        read(tmp_path, {**source, "cluster_column": "rode"})


@pytest.mark.parametrize(
    ("invited", "message"),
    [
        ({"before": {"north": 1}}, r"'invited\.before\.north'.* 1 people were invited, but 2 answ"),
        ({"before": {"nroth": 9}}, r"site 'nroth' is not among.*[Dd]id you mean 'north'"),
        ({"befor": {"north": 9}}, "before"),
        ({"before": {"north": 0}}, "greater than 0"),
    ],
)
def test_invited_must_fit_the_answers(
    tmp_path: Path, invited: dict[str, dict[str, int]], message: str
) -> None:
    write(tmp_path / "w.csv", [["trust_1", "trust_2"], ["1", "1"], ["1", "2"]])
    survey = {"path": "w.csv", "wave": "before", "site": "north"}
    text = json.dumps({"name": "toy", "sites": SITES, "surveys": [survey], "invited": invited})
    folder = tmp_path / "cohorts" / "toy"
    folder.mkdir(parents=True)
    (folder / "cohort.yml").write_text(text, encoding="utf-8")
    (tmp_path / "w.csv").rename(folder / "w.csv")
    with pytest.raises(InputError, match=message):
        read_responses(read_cohort("toy", tmp_path), INSTRUMENT)


def test_two_files_are_linked_and_items_not_asked_are_no_blanks(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", [["id", "trust_1", "trust_2"], ["p1", "1", "2"], ["p2", "3", "3"]])
    write(tmp_path / "b.csv", [["ID", "trust_1"], ["P1", "2"]])
    after = {"path": "b.csv", "wave": "after", "not_asked": ["trust_2"], "person_column": "id"}
    responses = read(tmp_path, {"path": "a.csv", "person_column": "id"}, after)
    assert responses.answers["person"].nunique() == 2
    np.testing.assert_array_equal(responses.answers["trust_2"], [2, 3, np.nan])
    asked = responses.nonresponse.groupby("wave")["item"].unique()
    assert asked["after"].tolist() == ["trust_1"]
    assert count(responses, "items not asked") == 1


def test_the_same_response_exported_twice_counts_once(tmp_path: Path) -> None:
    header = ["StartDate", "Finished", "ResponseId", "trust_1", "trust_2"]
    row = ["2019-04-03", "1", "R_3r0t3UbFJ3bi2rR", "1", "2"]
    write(tmp_path / "a.csv", [header, row, row])
    write(tmp_path / "b.csv", [header, row, [*row[:2], "R_4r0t3UbFJ3bi2rR", "3", "3"]])
    responses = read(tmp_path, {"path": "a.csv"}, {"path": "b.csv"})
    assert responses.answers["trust_1"].tolist() == [1, 3]
    again = responses.quality[responses.quality["check"] == "left out: the same response again"]
    assert again["count"].tolist() == [1, 1]


def test_unfinished_answers_and_previews_are_left_out_before_answers_are_checked(
    tmp_path: Path,
) -> None:
    header = ["StartDate", "Status", "Finished", "site", "trust_1", "trust_2"]
    rows = [
        ["2019-04-03", "0", "1", "north", "1", "2"],
        ["2019-04-03", "1", "1", "nowhere", "77", "2"],
        ["2019-04-03", "0", "0", "", "88", ""],
        ["2019-04-03", "0", "1", "", "1", "2"],
    ]
    write(tmp_path / "w.csv", [header, *rows])
    responses = read(tmp_path, {"site_column": "site"})
    assert len(responses.answers) == 1
    assert count(responses, "left out: previews and tests") == 1
    assert count(responses, "left out: unfinished") == 1
    assert count(responses, "left out: no site") == 1


def test_spss_labels_decide_and_user_missing_codes_are_told_apart(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "area": [1.0, 2.0, 1.0],
            "trust_1": [1.0, 97.0, 98.0],
            "trust_2": [3.0, 1.0, 2.0],
            "sex": [1.0, 2.0, 1.0],
        }
    )
    pyreadstat.write_sav(
        frame,
        str(tmp_path / "w.sav"),
        variable_value_labels={
            "area": {1.0: "North end", 2.0: "South"},
            "trust_1": {1.0: "Agree", 97.0: "Don't know", 98.0: "Refused"},
            "sex": {1.0: "Woman", 2.0: "Man"},
        },
        missing_ranges={"trust_1": [97, 98]},
    )
    responses = read(tmp_path, {"path": "w.sav", "site_column": "area", "keep": ["sex"]})
    assert responses.answers["site"].tolist() == ["north", "south", "north"]
    assert responses.answers["sex"].tolist() == ["Woman", "Man", "Woman"]
    np.testing.assert_array_equal(responses.answers["trust_1"], [3, np.nan, np.nan])
    assert responses.answers["trust_2"].tolist() == [3, 1, 2]
    kinds = responses.nonresponse.groupby("kind")["count"].sum().to_dict()
    assert kinds == {"blank": 0, "dont_know": 1, "prefer_not_to_say": 1}
    assert count(responses, "codes read by their labels") == 1


def test_multiple_response_sets_are_counted_by_wave_and_site(tmp_path: Path) -> None:
    rows = [
        ["N", "1", "1", "Events", ""],
        ["N", "1", "1", "Events", "Patrols"],
        ["N", "1", "1", "", "Patrols"],
        ["south", "1", "1", "", ""],
    ]
    write(tmp_path / "w.csv", [["site", "trust_1", "trust_2", "met_1", "met_2"], *rows])
    responses = read(tmp_path, {"site_column": "site", "multiple": {"met": "met_"}})
    assert responses.multiple.to_numpy().tolist() == [
        ["before", "north", "met", "Events", 2, 3],
        ["before", "south", "met", "Events", 0, 0],
        ["before", "north", "met", "Patrols", 2, 3],
        ["before", "south", "met", "Patrols", 0, 0],
    ]


def test_a_cohort_without_surveys_gives_frames_without_rows(tmp_path: Path) -> None:
    responses = read(tmp_path)
    for name, frame in vars(responses).items():
        assert frame.empty, name
        assert len(frame.columns) >= 3, name
    names = ["wave", "site", "person", "weight", "trust_1", "trust_2"]
    assert list(responses.answers.columns) == names


@pytest.mark.parametrize(
    ("row", "column", "value", "message"),
    [
        (
            0,
            "trust_1",
            "Agre",
            r"w\.csv, row 2, column 'trust_1': this text is no answer .*'Agree'",
        ),
        (1, "trust_2", "7", r"row 3, column 'trust_2': '7' is no answer to the item 'trust_2'"),
        (2, "trust_1", "=HYPERLINK(1)", r"row 4, column 'trust_1': this text is no answer"),
        (3, "site", "Nort end", r"row 5, column 'site': this text is no site .*'North End'"),
        (4, "wave", "posst", r"row 6, column 'wave': this text is no wave .*'post'"),
        (3, "site", "ann lee", r"row 5, column 'site': this text is no site"),
        (0, "w", "-1", r"row 2, column 'w': '-1' is no weight"),
        (0, "w", "", r"row 2, column 'w': a blank is no weight"),
        (0, "trust_1", "ann@example.org", "this text is no answer"),
    ],
)
def test_what_is_unknown_is_refused_with_row_column_and_nearest(
    tmp_path: Path, row: int, column: str, value: str, message: str
) -> None:
    rows = [list(line) for line in ROWS]
    rows[row][HEADER.index(column)] = value
    write(tmp_path / "w.csv", [HEADER, *rows])
    with pytest.raises(InputError, match=message) as caught:
        read(tmp_path, SOURCE)
    assert len(caught.value.problems) == 1


def test_problems_of_every_file_are_listed_at_once_and_a_long_list_is_cut(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", [["trust_1", "trust_2"], ["77", "78"]])
    (tmp_path / "b.csv").write_bytes(b"")
    with pytest.raises(InputError) as caught:
        read(tmp_path, {"path": "b.csv"}, *[{"path": "a.csv"}] * 25)
    files = [problem.file for problem in caught.value.problems]
    assert files == ["b.csv", *["a.csv"] * 39, "and more"]
    assert "11 further problems" in str(caught.value)


def test_a_column_of_other_things_in_place_of_sites_is_not_listed_at_length(tmp_path: Path) -> None:
    rows = [[f"person{i}", "1", "1"] for i in range(50)]
    write(tmp_path / "w.csv", [["who", "trust_1", "trust_2"], *rows])
    with pytest.raises(InputError, match="45 other texts in this column") as caught:
        read(tmp_path, {"site_column": "who"})
    assert len(caught.value.problems) == 5


def test_codes_that_file_and_instrument_word_differently_are_told_of(tmp_path: Path) -> None:
    frame = pd.DataFrame({"trust_1": [1.0, 3.0], "trust_2": [1.0, 2.0]})
    labels = {"trust_1": {1.0: "Totally disagree", 3.0: "Agree"}}
    pyreadstat.write_sav(frame, str(tmp_path / "w.sav"), variable_value_labels=labels)
    responses = read(tmp_path, {"path": "w.sav"})
    assert responses.answers["trust_1"].tolist() == [1, 3]
    line = responses.quality[responses.quality["check"] == "codes whose labels differ"]
    assert line["note"].tolist() == [
        "'trust_1': the file and the instrument word these codes differently: '1 = disagree'"
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16"])
@pytest.mark.parametrize("name", ["L’Aire – Est", "“The Mount” £5", "St. Ann's St.", "A_*b* <i>$"])
def test_a_site_is_known_by_a_name_with_any_characters(
    tmp_path: Path, name: str, encoding: str
) -> None:
    sites = {"north": {"names": [name]}, "south": {}}
    text = f"area;trust_1;trust_2\n{name};Agree;Agree\nsouth;Agree;Agree\n"
    (tmp_path / "w.csv").write_text(text, encoding=encoding)
    survey = {"path": "w.csv", "wave": "before", "site_column": "area"}
    cohort = Cohort.model_validate({"name": "toy", "sites": sites, "surveys": [survey]})
    cohort._folder = tmp_path
    assert read_responses(cohort, INSTRUMENT).answers["site"].tolist() == ["north", "south"]


def test_waves_that_a_spreadsheet_wrote_as_decimals_are_known(tmp_path: Path) -> None:
    write(tmp_path / "w.csv", [["t", "trust_1", "trust_2"], ["1.0", "1", "1"], ["2.0", "", ""]])
    responses = read(tmp_path, {"wave_column": "t", "waves": {"1": "before", "2": "after"}})
    assert responses.answers["wave"].tolist() == ["before", "after"]
    assert count(responses, "finished without answering any item") == 1


def test_ids_start_again_in_each_site_and_only_true_repeats_are_left_out(tmp_path: Path) -> None:
    header = ["wave", "area", "id", "trust_1", "trust_2"]
    rows = [["before", area, str(i), "1", "2"] for area in ("north", "south") for i in range(1, 7)]
    source = {"wave_column": "wave", "site_column": "area", "person_column": "id"}
    write(tmp_path / "w.csv", [header, *rows, rows[0]])
    responses = read(tmp_path, source)
    assert len(responses.answers) == responses.answers["person"].nunique() == 12
    assert count(responses, "left out: the person answered before") == 1
    write(tmp_path / "w.csv", [header, *rows, *rows[:6]])
    with pytest.raises(InputError, match="6 of 18 rows repeat an id and its answers"):
        read(tmp_path, source)
    shared = [["before", "north", "PC 12", "1", str(1 + i % 2)] for i in range(9)]
    write(tmp_path / "w.csv", [header, *rows, *shared])
    responses = read(tmp_path, source)
    assert len(responses.answers) == 21
    assert count(responses, "with a shared id") == 9


@pytest.mark.parametrize(
    ("rows", "source", "found"),
    [
        ([["north", "", "1", "1"]] * 4 + [["", "", "1", "1"]] * 5, {"site_column": "area"},
         "5 of 9 answers have no site (56%)"),
        ([["before", "", "1", "1"]] * 4 + [["", "", "1", "1"]] * 5, {"wave_column": "area"},
         "5 of 9 answers have no wave (56%)"),
        ([["", "0", "1", "1"]] * 6 + [["", "1", "1", "1"]] * 6, {"weight_column": "who"},
         "6 of 12 answers have a weight of 0 (50%)"),
        ([["", "", "", "1"]] * 7, {},
         "7 of 7 people gave no answer to the item trust_1 (100%)"),
        ([["before", f"p{i}", "1", "1"] for i in range(9)]
         + [["after", f"P-{i}", "1", "1"] for i in range(7)],
         {"wave_column": "area", "person_column": "who"},
         "7 of 7 people of the smaller wave are not found in the other one by their id (100%)"),
        ([["before", f"p{i}", "1", "1"] for i in range(9)]
         + [["after", f"p{i}", "1", "1"] for i in range(5)],
         {"wave_column": "area", "person_column": "who"}, None),
    ],
    ids=["site", "wave", "weight", "item", "people", "attrition"],
)  # fmt: skip
def test_a_join_of_answers_that_loses_much_is_asked_about(
    tmp_path: Path, rows: list[list[str]], source: dict[str, Any], found: str | None
) -> None:
    write(tmp_path / "w.csv", [["area", "who", "trust_1", "trust_2"], *rows])
    quality = read(tmp_path, source).quality
    problems = list(find_losses(quality, {}))
    assert [problem.found for problem in problems] == ([found] if found else [])
    for problem in problems:
        key, share = re.findall(r"\{(\w+): ([\d.]+)\}", problem.allowed)[0]
        assert not list(find_losses(quality, {key: float(share)}))


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (["", "", "3"], [1, 2, 3]),
        (["Not asked", ".", "3"], [1, 2, 3]),
        (["", "3", "3"], None),
    ],
)
def test_an_item_in_two_columns_is_combined_where_no_row_has_both(
    tmp_path: Path, second: list[str], expected: list[float] | None
) -> None:
    rows = [[one, two, "1"] for one, two in zip(["1", "2", ""], second, strict=True)]
    write(tmp_path / "w.csv", [["q1", "q1_new", "trust_2"], *rows])
    source = {"columns": {"q1": "trust_1", "q1_new": "trust_1"}}
    if expected is None:
        with pytest.raises(InputError, match="their answers differ"):
            read(tmp_path, source)
    else:
        assert read(tmp_path, source).answers["trust_1"].tolist() == expected


@pytest.mark.parametrize(
    ("below", "notes"),
    [
        ("Source: resident survey", 1),
        ("\nExported on 12/03/2019 10:15\nPage 1 of 1,,,", 2),
        ("Source: resident survey, January 2019, n = 3, second wave\n", 1),
        ("n = 3,,,\n© Anytown Council 2019", 2),
        (",,,\nTotal,3,3,3\nMean,1.5,2,2.5", 2),
        ("Two people answered on paper", 1),
        ("north,,,", 0),
        ("south,,,", 0),
    ],
)
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_notes_below_a_table_are_no_answers(
    tmp_path: Path, below: str, notes: int, separator: str
) -> None:
    rows = "site,trust_1,trust_2,x\nnorth,1,1,1\nsouth,2,2,2\nnorth,3,3,3\n" + below
    (tmp_path / "w.csv").write_text(rows.replace(",", separator), encoding="utf-8")
    responses = read(tmp_path, {"site_column": "site"})
    assert len(responses.answers) == 3 + (notes == 0)
    assert not notes or count(responses, "left out: notes below the table") == notes


@pytest.mark.parametrize(
    "heads",
    [
        [["Respondent ID", "Start Date", "End Date", "IP Address", "Area", "How far?", "", "Met?",
          "", "Else?"],
         ["", "", "", "", "Response", "I trust them", "trust_2", "Events", "Other (please specify)",
          "Open-Ended Response"]],
        [["Residents' survey"], [],
         ["Id", "S", "E", "IP", "Area", "How far?", "", "Met?", "", "Else"],
         ["Id", "S", "E", "IP", "Area", "trust_1", "trust_2", "Events", "Other: please say", ""]],
    ],
    ids=["SurveyMonkey", "merged by hand"],
)  # fmt: skip
def test_headers_of_two_rows_are_joined(tmp_path: Path, heads: list[list[str]]) -> None:
    rows = [
        [f"{i}", "", "", "", "north", "Agree", "Disagree", *met, "words"]
        for i, met in enumerate([["Events", ""], ["", "a"], ["Events", "b c"], ["", ""]])
    ]
    write(tmp_path / "w.csv", [*heads, *rows])
    responses = read(tmp_path, {"site_column": "Area", "multiple": {"met": "Met?"}})
    assert responses.answers["trust_1"].tolist() == [3] * 4
    assert responses.answers["trust_2"].tolist() == [1] * 4
    sums = responses.multiple.set_index("option")["count"]
    assert sums.to_dict() == {"Events": 2, "Other (written in)": 2}


@pytest.mark.parametrize(
    "header", [["site", "trust_1", "", "trust_2"], ["", "site", "trust_1", "trust_2"]]
)
def test_a_column_without_a_name_makes_no_second_header(tmp_path: Path, header: list[str]) -> None:
    cells = {"site": "north", "trust_1": "Agree", "trust_2": "Disagree"}
    row = [cells.get(name, "Posters") for name in header]
    write(tmp_path / "w.csv", [header, row, row])
    assert read(tmp_path, {"site_column": "site"}).answers["trust_1"].tolist() == [3, 3]


@pytest.mark.parametrize("other", ["trust_1.1", "Trust_1.2", "trust_1...7"])
def test_a_name_that_another_program_numbered_completes_the_item(
    tmp_path: Path, other: str
) -> None:
    rows = [["1", "", "1"], ["3", "", "1"], ["", "3", "1"], ["", "1", "1"]]
    write(tmp_path / "w.csv", [["trust_1", other, "trust_2"], *rows])
    responses = read(tmp_path, {})
    assert responses.answers["trust_1"].tolist() == [1, 3, 3, 1]
    assert responses.quality["note"].str.contains("combines columns").any()


@pytest.mark.parametrize(
    ("weights", "read_as"),
    [
        (["1,250", "0,875"], [1.25, 0.875]),
        (["1,250", "963,5"], [1.25, 963.5]),
        (["1,250", "963"], None),
        (["1,250", "2,125"], None),
        (["1,250.50", "963"], None),
    ],
)
def test_a_comma_in_weights_is_read_where_it_is_certain(
    tmp_path: Path, weights: list[str], read_as: list[float] | None
) -> None:
    write(tmp_path / "w.csv", [["w", "trust_1", "trust_2"], *([w, "1", "2"] for w in weights)])
    if read_as is None:
        with pytest.raises(InputError, match="no comma between thousands"):
            read(tmp_path, {"weight_column": "w"})
    else:
        assert read(tmp_path, {"weight_column": "w"}).answers["weight"].tolist() == read_as


def test_weights_of_full_precision_are_read(tmp_path: Path) -> None:
    rows = [["w", "trust_1", "trust_2"], ["0.30000000000000004", "1", "2"]]
    write(tmp_path / "w.csv", rows)
    assert read(tmp_path, {"weight_column": "w"}).answers["weight"][0] == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("title", "source", "message"),
    [
        (
            "South",
            {"site_column": "Sheet"},
            "sheet 'South', row 4, column 'trust_1': this text is no",
        ),
        ("Page 2", {"site": "north"}, "sheet 'Page 2', row 4, column 'trust_1': this text is no"),
        ("South", {"site": "north"}, "'South' names another wave or site"),
        ("After", {"site": "north"}, "'After' names another wave or site"),
    ],
)
def test_sheets_read_together_are_named_with_their_own_rows(
    tmp_path: Path, title: str, source: dict[str, Any], message: str
) -> None:
    book = openpyxl.Workbook()
    for name, cell in (("North", "1"), (title, "Maybe")):
        sheet = book.create_sheet(name)
        for row in [["trust_1", "trust_2"], ["1", "2"], ["2", "1"], [cell, "1"]]:
            sheet.append(row)
    book.remove(book.worksheets[0])
    book.save(tmp_path / "w.xlsx")
    with pytest.raises(InputError, match=re.escape(message)):
        read(tmp_path, {"path": "w.xlsx", **source})
