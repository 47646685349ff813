"""A cohort and a questionnaire proposed from files as platforms write them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyreadstat
import pytest

from sbwork.intake.surveys import Proposal, ProposedItem, propose_surveys
from sbwork.specs.errors import InputError

DATA = Path(__file__).parents[2] / "data"
AGREE = ("Strongly disagree", "Disagree", "Neither agree nor disagree", "Agree", "Strongly agree")
PEOPLE = 120


def draw_codes(seed: int, *, turned: bool = False, people: int = PEOPLE) -> list[int]:
    """Draw answers that hang together across seeds; turned ones run the other way."""
    shared = np.random.default_rng(0).integers(1, 6, people)
    own = np.random.default_rng(seed).integers(-1, 2, people)
    codes = np.clip(shared + own, 1, 5)
    return [int(code) for code in (6 - codes if turned else codes)]


def write_csv(path, columns):
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def find_item(proposal: Proposal, key: str) -> ProposedItem:
    return next(item for item in proposal.items if item.key == key)


@pytest.fixture
def answers():
    names = ("trust_1", "trust_2r", "trust_3", "info_1", "info_2", "info_3")
    columns: dict[str, Sequence[object]] = {"Ward": ["North", "South", "North control"] * 40}
    columns |= {name: draw_codes(i, turned=name.endswith("r")) for i, name in enumerate(names)}
    columns["panel_id"] = [f"P{i:05d}x" for i in range(PEOPLE)]
    columns["Email"] = [f"a{i}@example.org" for i in range(PEOPLE)]
    columns["Comments"] = [f"What I said about street number {i}" for i in range(PEOPLE)]
    columns["gender"] = ["f", "m", "x"] * 40
    return columns


def test_a_committed_export_is_understood():
    folder = DATA / "cohorts" / "durham-1"
    proposal = propose_surveys([folder / "survey-after.csv", folder / "survey-before.csv"])
    assert [(s.path.name, s.wave) for s in proposal.surveys] == [
        ("survey-before.csv", "before"),
        ("survey-after.csv", "after"),
    ]
    assert {scale.key: len(scale.items) for scale in proposal.scales} == {
        "trust": 4,
        "info": 4,
        "vision": 4,
        "voice": 3,
        "cooperation": 3,
        "life": 3,
        "fear": 3,
        "confidence": 3,
    }
    assert {item.key for item in proposal.items if item.reverse} == {
        f"{scale.key}_3" for scale in proposal.scales
    }
    assert list(proposal.sites) == [
        "area-1",
        "area-1-control-site",
        "area-2",
        "area-2-control-site",
    ]
    assert find_item(proposal, "trust_1").text.startswith("I can rely on")
    (options,) = proposal.options.values()
    assert [o.code for o in options.options if o.nonresponse] == [8]


def test_a_questionnaire_that_fits_is_used_in_place_of_a_new_one():
    folder = DATA / "cohorts" / "durham-1"
    proposal = propose_surveys([folder / "survey-before.csv", folder / "survey-after.csv"], DATA)
    assert proposal.instrument is not None
    assert proposal.instrument.name == "residents-illustrative"
    assert proposal.items == ()


def test_families_sites_and_ids_are_found(tmp_path, answers):
    first = write_csv(tmp_path / "wave1.csv", answers)
    second = write_csv(tmp_path / "wave2.csv", answers)
    proposal = propose_surveys([first, second])
    assert [(scale.key, scale.items) for scale in proposal.scales] == [
        ("trust", ("trust_1", "trust_2r", "trust_3")),
        ("info", ("info_1", "info_2", "info_3")),
    ]
    assert find_item(proposal, "trust_2r").reverse
    assert not find_item(proposal, "trust_1").reverse
    assert list(proposal.sites) == ["north", "north-control", "south"]
    before = proposal.surveys[0]
    assert before.site_column == "Ward"
    wanted = {"person": "panel_id", "text": "Comments", "other": "gender", "personal": "Email"}
    assert {role: before.roles[role] for role in wanted} == {k: (v,) for k, v in wanted.items()}


FREQUENCY = ("Never", "Rarely", "Sometimes", "Often", "Always")


def label_codes(words: Sequence[str]) -> dict[float, str]:
    return {float(code): word for code, word in enumerate(words, 1)}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (AGREE, FREQUENCY),
        (AGREE, AGREE[1:4]),
        (AGREE, [*AGREE[:2], "Slightly disagree", AGREE[2], "Slightly agree", *AGREE[3:]]),
        (["Yes", "No"], ["Yes", "No", "It depends"]),
        (range(1, 6), range(1, 5)),
        (range(1, 6), range(1, 8)),
    ],
)
@pytest.mark.parametrize("platform", ["csv", "sav"])
def test_questions_of_one_stem_and_different_answers_share_no_scale(
    tmp_path, platform, first, second
):
    sets = {"Q5a": first, "Q5b": second, "Q5c": first, "Q5d": second}
    rng = np.random.default_rng(1)
    codes = {key: rng.integers(0, len(words), PEOPLE) for key, words in sets.items()}
    if platform == "csv":
        columns = {key: np.array(words)[codes[key]] for key, words in sets.items()}
        path = write_csv(tmp_path / "a.csv", columns)
    else:
        path = tmp_path / "a.sav"
        labels = {key: label_codes(list(map(str, words))) for key, words in sets.items()}
        frame = pd.DataFrame({key: found + 1.0 for key, found in codes.items()})
        pyreadstat.write_sav(frame, path, variable_value_labels=labels)
    proposal = propose_surveys([path])
    for scale in proposal.scales:
        assert set(scale.items) in ({"Q5a", "Q5c"}, {"Q5b", "Q5d"})


def test_an_item_that_few_disagree_with_stays_in_its_scale(tmp_path):
    words = [AGREE[code - 1] for code in draw_codes(1)]
    columns = {"a_1": words, "a_2": words[::-1], "a_3": [*AGREE[2:]] * (PEOPLE // 3)}
    (scale,) = propose_surveys([write_csv(tmp_path / "a.csv", columns)]).scales
    assert scale.items == ("a_1", "a_2", "a_3")


def test_keys_of_items_follow_the_header(tmp_path):
    words = [AGREE[code - 1] for code in draw_codes(1)]
    headers = {
        "Area": "",
        "Q1. I trust the police": "q1",
        "Q2: They listen": "q2",
        "Q2b) They are fair": "q2b",
        "4. They help": "q4",
        "Q1 - I trust them all": "q1_2",
        "I feel safe here": "i_feel_safe_here",
        "How far do you agree? [I know people]": "i_know_people",
        "V7": "V7",
        "Weight?": "weight_item",
    }
    columns = dict.fromkeys(headers, words) | {"Area": ["North", "South"] * (PEOPLE // 2)}
    proposal = propose_surveys([write_csv(tmp_path / "a.csv", columns)])
    assert [item.key for item in proposal.items] == [*filter(None, headers.values())]
    assert proposal.surveys[0].columns["4. They help"] == "q4"


@pytest.mark.parametrize("role", ["wave", "site"])
def test_a_column_that_would_leave_out_rows_is_only_named(tmp_path, answers, role):
    column, values = {"wave": ("Wave", ["1", "2"]), "site": ("Ward", ["North", "South"])}[role]
    answers[column] = [*values * 55, *[""] * 10]
    (survey,) = propose_surveys([write_csv(tmp_path / "a.csv", answers)]).surveys
    assert survey.gaps == ((role, column, 10),)
    assert getattr(survey, f"{role}_column") == ""


def test_an_item_turned_round_in_the_file_already_is_not_turned_again(tmp_path, answers):
    answers["trust_2r"] = draw_codes(1)
    proposal = propose_surveys([write_csv(tmp_path / "a.csv", answers)])
    assert not find_item(proposal, "trust_2r").reverse


def test_what_one_file_lacks_is_not_asked_there(tmp_path, answers):
    later = {name: values for name, values in answers.items() if name != "info_2"}
    paths = [write_csv(tmp_path / "2019.csv", answers), write_csv(tmp_path / "2021.csv", later)]
    proposal = propose_surveys(paths)
    assert [survey.not_asked for survey in proposal.surveys] == [(), ("info_2",)]


def test_forms_are_read_by_their_questions(tmp_path):
    words = [[AGREE[code - 1] for code in draw_codes(i, turned=i == 3)] for i in range(1, 4)]
    frame = pd.DataFrame(
        {
            "ID": range(1, PEOPLE + 1),
            "Start time": "2024-01-01",
            "Completion time": "2024-01-01",
            "Email": "anonymous",
            "Which area do you live in?": ["Elm Park", "Quayside"] * 60,
            "Is this your first or second time?": ["First time"] * 60 + ["Second time"] * 60,
            "I trust people here": words[0],
            "The police listen": words[1],
            "People keep to themselves": words[2],
            "How do you hear of us?": ["Leaflet;Web;", "Web;", "Radio;Web;"] * 40,
        }
    )
    frame.to_excel(tmp_path / "forms.xlsx", index=False)
    proposal = propose_surveys([tmp_path / "forms.xlsx"])
    (survey,) = proposal.surveys
    assert survey.platform == "forms"
    assert survey.waves == {"First time": "before", "Second time": "after"}
    assert proposal.items[0].text == "I trust people here"
    (scale,) = proposal.scales
    assert len(scale.items) == 3
    assert [bool(item.reverse) for item in proposal.items] == [False, False, True]
    assert [o.label for o in proposal.options["agreement"].options] == list(AGREE)


def test_extended_missing_values_of_stata_are_no_words(tmp_path):
    columns = {f"trust{i}": pd.Series(draw_codes(i), dtype=object) for i in (1, 2)}
    columns["trust1"][::10] = "a"
    pyreadstat.write_dta(
        pd.DataFrame(columns), str(tmp_path / "w.dta"), missing_user_values={"trust1": ["a"]}
    )
    proposal = propose_surveys([tmp_path / "w.dta"])
    assert [item.key for item in proposal.items] == ["trust1", "trust2"]


def test_labels_and_missing_codes_of_spss_survive(tmp_path):
    labels = dict(enumerate(AGREE, start=1)) | {8: "Don't know", 9: "Refused", -1: "Not reached"}
    codes = [*draw_codes(1)[:-3], 8, 9, -1]
    frame = pd.DataFrame(
        {"wave": [1.0, 2.0] * 60, "trust1": codes, "trust2": codes[::-1], "sex": [1.0, 2.0] * 60}
    ).astype("float64")
    pyreadstat.write_sav(
        frame,
        tmp_path / "a.sav",
        variable_value_labels={
            "wave": {1.0: "Baseline", 2.0: "Follow-up"},
            "sex": {1.0: "Male", 2.0: "Female"},
            **{name: {float(c): text for c, text in labels.items()} for name in frame.columns[1:3]},
        },
        missing_ranges={"trust1": [-1], "trust2": [-1]},
    )
    proposal = propose_surveys([tmp_path / "a.sav"])
    assert proposal.surveys[0].waves == {"Baseline": "before", "Follow-up": "after"}
    options = proposal.options["agreement"]
    assert [(o.code, o.nonresponse) for o in options.options[-2:]] == [
        (8, "dont_know"),
        (9, "prefer_not_to_say"),
    ]
    assert len(options.options) == 7
    assert [item.key for item in proposal.items] == ["trust1", "trust2"]


def test_columns_of_several_answers_are_no_items(tmp_path):
    columns: dict[str, Sequence[object]] = {
        f"news[{i}]. Where do you hear of us? [{name}]": ["Yes", "No", "No", "Yes"] * 10
        for i, name in enumerate(("Web", "Radio", "Post"), start=1)
    }
    columns |= {f"likert[a{i}]. [Statement {i}]": [*AGREE[:4]] * 10 for i in (1, 2)}
    proposal = propose_surveys([write_csv(tmp_path / "lime.csv", columns)])
    assert proposal.surveys[0].platform == "limesurvey"
    assert proposal.surveys[0].roles["other"] == ("news[1]", "news[2]", "news[3]")
    assert len(proposal.items) == 2


def test_columns_of_one_name_are_left_out_and_named(tmp_path):
    path = tmp_path / "a.csv"
    rows = "\n".join(f"{i % 5 + 1},{5 - i % 5},{i % 5 + 1},{i % 4 + 1}" for i in range(40))
    path.write_text(f"trust_1,trust_2,x_1,x_1\n{rows}\n", encoding="utf-8")
    proposal = propose_surveys([path])
    assert [item.key for item in proposal.items] == ["trust_1", "trust_2"]
    assert "'x_1'" in proposal.notes[0]


def test_every_file_that_cannot_be_read_is_named(tmp_path):
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_bytes(b"%PDF-1.4")
    with pytest.raises(InputError) as caught:
        propose_surveys([tmp_path / "a.csv", tmp_path / "b.csv"])
    assert [problem.file for problem in caught.value.problems] == ["a.csv", "b.csv"]


def test_nothing_of_a_person_is_proposed(tmp_path, answers):
    proposal = repr(propose_surveys([write_csv(tmp_path / "a.csv", answers)]))
    assert not re.search(r"@example|P000\d\dx|What I said", proposal)


def test_a_file_of_codes_and_one_of_words_share_no_scale_and_that_is_said(tmp_path, answers):
    words = {
        name: [AGREE[int(str(code)) - 1] for code in values] if name.startswith("trust") else values
        for name, values in answers.items()
    }
    proposal = propose_surveys(
        [write_csv(tmp_path / "before.csv", answers), write_csv(tmp_path / "after.csv", words)]
    )
    assert [item.key for item in proposal.items] == ["info_1", "info_2", "info_3"]
    assert "'trust_1', 'trust_2r', 'trust_3'" in " ".join(proposal.notes)


def test_no_files_are_no_proposal():
    assert propose_surveys([]) == Proposal()
