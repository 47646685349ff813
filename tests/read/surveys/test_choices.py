from pathlib import Path

import pandas as pd
import pyreadstat
import pytest

from sbwork.read.surveys.choices import OTHER, read_choices
from sbwork.read.surveys.columns import find_set_columns
from sbwork.read.surveys.detection import read_table
from sbwork.specs.errors import InputError


def count(
    tmp_path: Path, text: str, prefix: str, format: str = "csv"
) -> tuple[dict[str, int], int]:
    path = tmp_path / "w.csv"
    path.write_text(text, encoding="utf-8")
    table = read_table(path, format)
    chosen, base = read_choices(table, find_set_columns(table, prefix), prefix, table.kept)
    return {option: int(mask.sum()) for option, mask in chosen.items()}, int(base.sum())


def test_one_column_an_option_with_the_options_words_in_its_cells(tmp_path: Path) -> None:
    text = "n,met_1,met_2,met_3_TEXT\n1,Events,,\n2,Events,Patrols,at the shop\n3,,,\n4,,Patrols,\n"
    assert count(tmp_path, text, "met_") == ({"Events": 2, "Patrols": 2, OTHER: 1}, 3)


def test_words_that_one_person_gave_name_no_option(tmp_path: Path) -> None:
    text = "n,met_1,met_2\n1,Events,\n2,Events,Ann Lee next door\n"
    assert count(tmp_path, text, "met_") == ({"Events": 2, "2": 1}, 2)


def test_one_column_an_option_with_codes_is_named_by_the_question(tmp_path: Path) -> None:
    text = (
        "StartDate,Finished,ResponseId,met_1,met_2\n"
        "Start Date,Finished,Response ID,How? - Events,How? - Patrols\n"
        "2019-04-03,1,R_1,1,\n2019-04-03,1,R_2,1,1\n2019-04-03,1,R_3,,\n"
    )
    assert count(tmp_path, text, "met_", "qualtrics") == ({"Events": 2, "Patrols": 1}, 2)


@pytest.mark.parametrize(("yes", "no"), [("Yes", "No"), ("Y", "N"), ("1", "0")])
def test_limesurvey_says_no_as_well_so_the_base_is_all_who_answered(
    tmp_path: Path, yes: str, no: str
) -> None:
    text = (
        "id. ID;submitdate. Date submitted;lastpage. Last page;"
        "met[1]. How? [Events];met[2]. How? [Patrols];met[other]. How? [Other]\n"
        f"1;2019-04-03;1;{yes};{no};\n2;2019-04-03;1;{no};{no};by chance\n3;2019-04-03;1;;;\n"
    )
    expected = ({"Events": 1, "Patrols": 0, OTHER: 1}, 2)
    assert count(tmp_path, text, "met", "limesurvey") == expected


def test_one_column_of_options_set_apart_by_semicolons(tmp_path: Path) -> None:
    rows = ["Events;Patrols;", "events; My neighbour Ann Lee told me;", "Events", "Patrols;", '""']
    text = "n,met\n" + "".join(f"{i},{row}\n" for i, row in enumerate([*rows, "Patrols;"]))
    assert count(tmp_path, text, "met") == ({"Events": 3, "Patrols": 3, OTHER: 1}, 5)


def test_one_column_of_options_set_apart_by_commas(tmp_path: Path) -> None:
    text = "n,met\n" + '1,"Events, Patrols"\n' * 3 + "2,Events\n"
    assert count(tmp_path, text, "met") == ({"Events": 4, "Patrols": 3}, 4)


def test_an_option_with_an_address_in_it_is_never_shown(tmp_path: Path) -> None:
    text = "n,met\n" + "1,Events;ann@example.org\n" * 5
    assert count(tmp_path, text, "met") == ({"Events": 5, OTHER: 5}, 5)


@pytest.mark.parametrize("yes", ["Yes", "Ticked", "TRUE"])
def test_reasons_for_no_answer_are_no_ticks(tmp_path: Path, yes: str) -> None:
    cells = [yes, "No", "Don't know", "Not applicable", "Refused", "Prefer not to say"]
    text = "n,met_a,met_b\n" + "".join(f"1,{cell},No\n" for cell in cells)
    assert count(tmp_path, text, "met_") == ({"a": 1, "b": 0}, 6)


@pytest.mark.parametrize("tick", ["✓", "✔️", "☑", "√", "x", "Ja", "Picked"])
def test_what_all_columns_share_is_a_tick_and_names_no_option(tmp_path: Path, tick: str) -> None:
    text = (
        "n,Q9 - Word of mouth,Q9 - Social media\n" + f"1,{tick},\n2,{tick},{tick}\n" * 2 + "3,,\n"
    )
    assert count(tmp_path, text, "Q9") == ({"Word of mouth": 4, "Social media": 2}, 4)


@pytest.mark.parametrize("option", ["Refuse collection", "Missing persons", "Don't know anyone"])
def test_an_option_that_begins_like_a_reason_for_no_answer_is_one(tmp_path: Path, option: str):
    text = "n,met\n" + f"1,{option}\n" * 3 + f"2,Events;{option}\n3,Events\n4,Refused\n5,Events\n"
    assert count(tmp_path, text, "met") == ({option: 4, "Events": 3}, 6)
    words = "n,met_a,met_b\n" + f"1,{option},\n" * 3 + "2,,Events\n" * 2
    assert count(tmp_path, words, "met_") == ({option: 3, "Events": 2}, 5)


@pytest.mark.parametrize("cells", [("1", "2"), ("Yes", "Maybe"), ("2", "2")])
def test_values_that_may_be_a_tick_or_none_are_refused(
    tmp_path: Path, cells: tuple[str, str]
) -> None:
    text = "n,met_a,met_b\n" + "".join(f"1,{cell},1\n" for cell in cells)
    with pytest.raises(InputError, match="neither a tick nor none"):
        count(tmp_path, text, "met_")


def test_value_labels_and_declared_missings_decide_what_is_ticked(tmp_path: Path) -> None:
    frame = pd.DataFrame({"met_1": [1.0, 2.0, 9.0], "met_2": [2.0, 2.0, 9.0]})
    labels = {1.0: "Yes", 2.0: "No", 9.0: "Refused"}
    pyreadstat.write_sav(
        frame,
        str(tmp_path / "w.sav"),
        variable_value_labels={"met_1": labels, "met_2": labels},
        missing_ranges={"met_1": [9.0], "met_2": [9.0]},
    )
    table = read_table(tmp_path / "w.sav")
    chosen, base = read_choices(table, find_set_columns(table, "met_"), "met_", table.kept)
    assert {option: int(mask.sum()) for option, mask in chosen.items()} == {"1": 1, "2": 0}
    assert base.sum() == 2


def test_options_that_hold_a_comma_are_cut_as_declared_or_refused(tmp_path: Path) -> None:
    cells = ["Leaflets, letters, Word of mouth"] * 3 + ["Leaflets, letters", "Word of mouth"]
    path = tmp_path / "w.csv"
    path.write_text("n,met\n" + "".join(f'1,"{cell}"\n' for cell in cells), encoding="utf-8")
    table = read_table(path)
    with pytest.raises(InputError, match="not clear which commas"):
        read_choices(table, [1], "met", table.kept)
    options = {"1": "Leaflets, letters", "2": "Word of mouth", "3": "Events"}
    chosen, base = read_choices(table, [1], "met", table.kept, options)
    assert [int(chosen[option].sum()) for option in options.values()] == [4, 4, 0]
    assert base.sum() == 5
    path.write_text("n,met\n" + '1,"1,2"\n' * 3 + "2,2\n", encoding="utf-8")
    table = read_table(path)
    chosen, base = read_choices(table, [1], "met", table.kept, options)
    assert [int(chosen[option].sum()) for option in options.values()] == [3, 4, 0]


def test_qualtrics_puts_commas_without_a_space_between_options(tmp_path: Path) -> None:
    rows = ["Street,Meeting", "Street", "Meeting"]
    text = "StartDate,Finished,ResponseId,met\nStart Date,Finished,Response ID,Where?\n"
    text += "".join(f'2019-04-03,1,R_{i},"{row}"\n' for i, row in enumerate(rows * 3))
    assert count(tmp_path, text, "met", "qualtrics") == ({"Street": 6, "Meeting": 6}, 9)
