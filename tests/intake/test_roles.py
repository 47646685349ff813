"""What columns are for, told by their names and answers."""

from __future__ import annotations

import pytest

from sbwork.intake.item_names import ItemName, make_slug, parse_name, split_question
from sbwork.intake.roles import find_role, guess_wave, read_waves
from sbwork.read.surveys.descriptions import ColumnDescription

YES = ("Yes", "No")


def describe(
    name: str, values: tuple[str, ...] = YES, question: str = "", personal: str = ""
) -> ColumnDescription:
    return ColumnDescription(name, question, values, {}, max(len(values), 1), 0, personal)


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (describe("Area", ("North", "South")), "site"),
        (describe("Q7", ("North", "South"), "Which ward do you live in?"), "site"),
        (describe("condition", ("intervention", "none")), "group"),
        (describe("age_group", ("16-34", "35+")), "question"),
        (describe("wave", ("Pre", "Post")), "wave"),
        (describe("Is this your first or second time?", ("First time", "Second time")), "wave"),
        (describe("time_spent", ("1 hour", "2 hours")), "question"),
        (describe("wt", ("0.8", "1.2")), "weight"),
        (describe("weight", ("heavy", "light")), "question"),
        (describe("Duration..in.seconds.", ()), "platform"),
        (describe("hb_t_Page.Submit", ()), "platform"),
        (describe("check_5", ("5", "6")), "check"),
        (describe("likert1[perfCheck4]", ("Often", "Never")), "question"),
        (describe("Comments", (), personal="free text"), "text"),
        (describe("Email", (), personal="e-mail address"), "personal"),
    ],
    ids=lambda value: value.name if isinstance(value, ColumnDescription) else value,
)
def test_a_column_is_known_by_its_name_and_answers(column: ColumnDescription, kind: str) -> None:
    assert find_role(column, 60).kind == kind


def test_an_id_links_people_only_if_most_have_their_own() -> None:
    own = ColumnDescription("worker_id", "", (), {}, 59, 0, "id of a person or of a response")
    shared = ColumnDescription("hitId", "", (), {}, 1, 0, "id of a person or of a response")
    assert find_role(own, 60).kind == "person"
    assert find_role(shared, 60).kind == "personal"
    assert find_role(own, 60, is_record=True).kind == "platform"


@pytest.mark.parametrize(
    ("text", "wave"),
    [
        ("survey-before", "before"),
        ("qualtrics-post", "after"),
        ("Wave 2", "after"),
        ("T1", "before"),
        ("follow-up", "after"),
        ("baseline_and_followup", ""),
        ("answers", ""),
    ],
)
def test_a_wave_is_read_from_words(text: str, wave: str) -> None:
    assert guess_wave(text) == wave


def test_waves_are_told_by_words_or_else_by_numbers() -> None:
    assert read_waves(("1", "2"), {"1": "Baseline", "2": "Follow-up"}) == {
        "Baseline": "before",
        "Follow-up": "after",
    }
    assert read_waves(("2019", "2017", "2018"), {})["2017"] == "before"
    assert read_waves(("North", "South"), {}) == {}


@pytest.mark.parametrize(
    ("name", "parsed"),
    [
        ("trust_1", ItemName("trust_1", "trust")),
        ("trust_2r", ItemName("trust_2r", "trust", reversed=True)),
        ("TrustPolice3R", ItemName("TrustPolice3R", "TrustPolice", reversed=True)),
        ("trust_2_rev", ItemName("trust_2_rev", "trust", reversed=True)),
        ("Q12", ItemName("Q12", "")),
        ("Q3_4", ItemName("Q3_4", "Q3")),
        ("Q3b", ItemName("Q3b", "Q3")),
        ("grid[SQ001]", ItemName("grid_SQ001", "grid")),
        ("likert1[perfCheck4]", ItemName("perfCheck4", "perfCheck")),
        ("How often? [Litter]", ItemName("", "How often?")),
        ("I trust the people here", ItemName("", "")),
        ("gender", ItemName("gender", "")),
    ],
)
def test_names_are_taken_apart(name: str, parsed: ItemName) -> None:
    assert parse_name(name) == parsed


def test_a_question_is_parted_from_its_row() -> None:
    assert split_question("How far do you agree? - I feel safe - at night") == (
        "How far do you agree? - I feel safe",
        "at night",
    )
    assert split_question("How often? [Litter]") == ("How often?", "Litter")


def test_a_slug_is_plain_letters() -> None:
    assert make_slug("medSkept") == "med_skept"
    assert make_slug("Près de l'église", dash="-") == "pres-de-l-eglise"
    assert make_slug("三") == ""
