"""What columns are for, and what their answers mean, by their names and words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbwork.intake.answers import Answers, build_options, find_nonresponse, rank_answers
from sbwork.intake.columns import find_role, guess_wave, make_slug, parse_name, read_waves
from sbwork.read.surveys.descriptions import ColumnDescription

AGREE = ("Strongly disagree", "Disagree", "Neither agree nor disagree", "Agree", "Strongly agree")
ID = "id of a person or of a response"


@pytest.mark.parametrize(
    ("name", "values", "personal", "role"),
    [
        ("Area", ("North", "South"), "", "site"),
        ("Which ward do you live in?", ("North", "South"), "", "site"),
        ("age_group", ("16-34", "35+"), "", "question"),
        ("wave", ("Pre", "Post"), "", "wave"),
        ("year", ("2016", "2018"), "", "wave"),
        ("Is this your first or second time?", ("First time", "Second time"), "", "wave"),
        ("time_spent", ("1 hour", "2 hours"), "", "question"),
        ("wt", ("0.8", "1.2"), "", "weight"),
        ("weight", ("heavy", "light"), "", "question"),
        ("Duration..in.seconds.", ("1",), "", "platform"),
        ("hb_t_Page.Submit", ("1",), "", "platform"),
        ("check_5", ("5", "6"), "", "check"),
        ("likert1[perfCheck4]", ("Often", "Never"), "", "question"),
        ("Comments", (), "free text", "text"),
        ("Email", (), "e-mail address", "personal"),
        ("worker_id", tuple(map(str, range(40))), ID, "person"),
        ("hitId", ("1",), ID, "personal"),
    ],
)
def test_a_column_is_known_by_its_name_and_answers(name, values, personal, role):
    column = ColumnDescription(name, "", values, {}, len(values), 0, personal)
    assert find_role(column, 60) == role
    assert find_role(column, 60, is_record=True) == "platform"


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
def test_a_wave_is_read_from_words(text, wave):
    assert guess_wave(text) == wave


def test_waves_are_known_by_words_or_else_by_numbers():
    labels = {"1": "Baseline", "2": "Follow-up"}
    assert read_waves(("1", "2"), labels) == {"Baseline": "before", "Follow-up": "after"}
    assert read_waves(("2019", "2017", "2018"), {})["2017"] == "before"
    assert read_waves(("North", "South"), {}) == {}


@pytest.mark.parametrize(
    ("name", "parsed"),
    [
        ("trust_1", ("trust_1", "trust")),
        ("trust_2r", ("trust_2r", "trust")),
        ("TrustPolice3R", ("TrustPolice3R", "TrustPolice")),
        ("trust_2_rev", ("trust_2_rev", "trust")),
        ("Q12", ("Q12", "")),
        ("Q3_4", ("Q3_4", "Q3")),
        ("Q3b", ("Q3b", "Q3")),
        ("grid[SQ001]", ("grid_sq001", "grid")),
        ("likert1[perfCheck4]", ("perfCheck4", "perfCheck")),
        ("How often? [Litter]", ("", "How often?")),
        ("I trust the people here", ("", "")),
        ("gender", ("gender", "")),
    ],
)
def test_names_are_taken_apart(name, parsed):
    assert parse_name(name) == parsed


def test_a_slug_is_plain_letters():
    assert make_slug("Près de l'église", "-") == "pres-de-l-eglise"
    assert make_slug("三") == ""


@pytest.mark.parametrize(
    ("kind", "order"),
    [
        ("agreement", "Strongly disagree|Disagree|Neither agree or disagree|Agree|Strongly Agree"),
        ("agreement", "strongly disagree|tend to disagree|tend to agree|strongly agree"),
        ("satisfaction", "Very dissatisfied|Fairly dissatisfied|Neither|Fairly satisfied"),
        ("safety", "Very unsafe|A bit unsafe|Fairly safe|Very safe"),
        (
            "confidence",
            "Not at all confident|Not very confident|Fairly confident|Very confident",
        ),
        ("likelihood", "Extremely unlikely|Somewhat unlikely|Neither likely nor unlikely|Likely"),
        ("quality", "Very poor|Poor|Fair|Good|Excellent"),
        ("direction", "Much worse|A little worse|About the same|A little better|Much better"),
        ("frequency", "Never|Rarely|Sometimes|Often|Very Often|Always"),
        ("extent", "Not at all|A little|Somewhat|Quite a bit|A great deal"),
    ],
)
def test_usual_answers_are_put_into_order(kind, order):
    labels = order.split("|")
    assert rank_answers([*labels[::-1], "Don’t know", "Prefer not to say"]) == (
        kind,
        [label.casefold() for label in labels],
    )


@pytest.mark.parametrize(
    "order", ["Physics|Chemistry", "Agree", "Agree|Sometimes|Good", "Neither|Neutral", "Refused|"]
)
def test_what_is_of_no_one_kind_has_no_order(order):
    assert rank_answers(order.split("|")) is None


@given(st.lists(st.text(max_size=30), max_size=6))
def test_any_text_is_ranked_or_left(labels):
    ranking = rank_answers(labels)
    assert ranking is None or len(set(ranking[1])) == len(ranking[1])


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("I don’t know / can't remember", "dont_know"),
        ("Not applicable", "dont_know"),
        ("Unsure", "dont_know"),
        ("I would rather not say", "prefer_not_to_say"),
        ("Refused", "prefer_not_to_say"),
        ("Neither agree nor disagree", None),
        ("Knowledgeable", None),
    ],
)
def test_what_is_no_answer_is_set_aside(label, kind):
    assert find_nonresponse(label) == kind


CODED = {float(code): label for code, label in enumerate(AGREE)}


@pytest.mark.parametrize(
    ("codes", "items", "options"),
    [
        ((1, 2, 3, 4, 5), 4, "1 2 3 4 5"),
        ((1, 2, 3, 4, 5, 8, 9), 4, "1 2 3 4 5 8! 9!"),
        ((1, 2, 3, 4, 5, 6, 7, 9), 4, "1 2 3 4 5 6 7 9!"),
        ((1, 2, 4, 5, 99), 4, "1 2 3 4 5 99!"),
        ((-9, -8, 0, 1, 2, 3, 4), 4, "0 1 2 3 4 -9! -8!"),
        (range(11), 4, "0 1 2 3 4 5 6 7 8 9 10"),
        ((2, 3, 4, 5), 4, "1 2 3 4 5"),
        (range(1, 10), 4, "1 2 3 4 5 6 7 8 9"),
        ((3, 40), 4, ""),
        ((1, 2, 3), 1, ""),
        ({**CODED, 8.0: "Don't know", -1.0: "Not reached"}, 1, "0 1 2 3 4 8!"),
        ({1.0: "Male", 2.0: "Female"}, 1, ""),
        ({1.0: "Never", 2.0: "", 4.0: "Always"}, 1, "1 2 3 4"),
    ],
)
def test_codes_become_options(codes, items, options):
    given = codes if isinstance(codes, dict) else dict.fromkeys(map(float, codes), "")
    missing = frozenset({-1.0}) if -1.0 in given else frozenset()
    assert list_options(Answers(given, missing=missing), items) == options


@pytest.mark.parametrize(
    ("labels", "options"),
    [
        ((*AGREE[::-1], "Don't know"), "1 2 3 4 5 8!"),
        (("Car", "Bus", "Foot"), ""),
        (("Yes", "No"), ""),
        (("Never", "Often"), ""),
    ],
)
def test_words_become_options(labels, options):
    words = {label.casefold(): label for label in labels}
    assert list_options(Answers(words=words), 1) == options


def list_options(answers, items):
    found = build_options(answers, items)
    options = found.options if found else ()
    return " ".join(f"{o.code:g}{'!' if o.nonresponse else ''}" for o in options)
