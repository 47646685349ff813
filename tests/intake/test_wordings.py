"""Answers in words put into order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbwork.intake.wordings import find_nonresponse, rank_answers

ORDERS = [
    ("agreement", "Strongly disagree|Disagree|Neither agree or disagree|Agree|Strongly Agree"),
    ("agreement", "strongly disagree|tend to disagree|tend to agree|strongly agree"),
    ("satisfaction", "Very dissatisfied|Fairly dissatisfied|Neither|Fairly satisfied"),
    ("safety", "Very unsafe|A bit unsafe|Fairly safe|Very safe"),
    ("confidence", "Not at all confident|Not very confident|Fairly confident|Very confident"),
    ("likelihood", "Extremely unlikely|Somewhat unlikely|Neither likely nor unlikely|Likely"),
    ("quality", "Very poor|Poor|Fair|Good|Excellent"),
    ("direction", "Much worse|A little worse|About the same|A little better|Much better"),
    ("frequency", "Never|Rarely|Sometimes|Often|Very Often|Always"),
    ("extent", "Not at all|A little|Somewhat|Quite a bit|A great deal"),
    ("yes_no", "No|Yes"),
]


@pytest.mark.parametrize(("vocabulary", "order"), ORDERS)
def test_usual_answers_are_put_into_order(vocabulary: str, order: str) -> None:
    labels = order.split("|")
    ranking = rank_answers([*labels[::-1], "Don’t know", "Prefer not to say"])
    assert ranking is not None
    assert ranking.vocabulary == vocabulary
    ordered = sorted(ranking.scores, key=ranking.scores.__getitem__)
    assert ordered == [label.casefold() for label in labels]


@pytest.mark.parametrize(
    "labels",
    [
        ["Physics", "Chemistry"],
        ["Agree"],
        ["Agree", "Sometimes", "Good"],
        ["Neither", "Neutral"],
        ["Don't know", "Refused"],
        [],
    ],
)
def test_what_is_of_no_one_kind_has_no_order(labels: list[str]) -> None:
    assert rank_answers(labels) is None


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("Don’t know", "dont_know"),
        ("I don't know / can't remember", "dont_know"),
        ("Not applicable", "dont_know"),
        ("Unsure", "dont_know"),
        ("I would rather not say", "prefer_not_to_say"),
        ("Refused", "prefer_not_to_say"),
        ("Neither agree nor disagree", ""),
        ("Knowledgeable", ""),
    ],
)
def test_what_is_no_answer_is_told_apart(label: str, kind: str) -> None:
    assert find_nonresponse(label) == kind


@given(st.lists(st.text(max_size=30), max_size=6))
def test_any_text_is_ranked_or_left(labels: list[str]) -> None:
    ranking = rank_answers(labels)
    assert ranking is None or len(set(ranking.scores.values())) == len(ranking.scores)
