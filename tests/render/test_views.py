"""One function shows every topic; what it shows travels in a notebook as JSON."""

from __future__ import annotations

import json

import pytest

import sbwork
from sbwork.render.blocks import SECTION_TYPE, Bullets, Picture, Section, Table
from sbwork.render.views import REPORT, TOPICS, view
from sbwork.specs.cohort import Cohort
from sbwork.specs.errors import InputError

COHORT = Cohort(name="pilot")


@pytest.mark.parametrize("topic", REPORT)
def test_a_section_comes_back_from_a_notebook_with_all_its_text(topic, durham_1):
    section = view(durham_1, topic)
    bundle = section._repr_mimebundle_()
    assert set(bundle) == {"text/html", SECTION_TYPE}
    document = json.loads(json.dumps(bundle[SECTION_TYPE], allow_nan=False))
    again = Section.from_dict(document)
    assert again.to_dict() == section.to_dict()
    assert (again.topic, again.title) == (topic, TOPICS[topic].title)
    shown = [block for block in section.blocks if not isinstance(block, Picture)]
    assert [block for block in again.blocks if not isinstance(block, Picture)] == shown


def test_each_kind_of_block_travels():
    table = Table([{"Site": "A", "n": "12"}], name="x", title="T", stub="Site", notes=["Said."])
    blocks = ["Words.", Bullets(("One.", "Two.")), table, Picture("map", None, "A map.", "Map.")]
    document = json.loads(json.dumps(Section(blocks).to_dict()))
    assert [block["kind"] for block in document["blocks"]] == [
        "paragraph", "bullets", "table", "picture",
    ]  # fmt: skip
    assert list(Section.from_dict(document).blocks) == blocks
    assert 'src="figures/map.svg"' in Section.from_dict(document)._repr_html_()


def test_the_picture_of_a_section_that_was_read_back_is_not_drawn_again():
    with pytest.raises(ValueError, match="'map' was read without its figure"):
        Picture("map", None, "A map.", "Map.").render("svg")


def test_a_plan_needs_the_cohort_alone_and_takes_it_from_an_evaluation(durham_1, monkeypatch):
    seen = []
    topic = TOPICS["plan"]

    def present(cohort, *, plan):
        seen.append(cohort)
        return Section([plan])

    monkeypatch.setitem(TOPICS, "plan", type(topic)("plan", topic.title, present, Cohort))
    assert sbwork.view(durham_1, "plan", plan="x").blocks == ["x"]
    view(durham_1.cohort, "plan", plan="x")
    assert seen == [durham_1.cohort] * 2


@pytest.mark.parametrize(
    ("given", "topic", "choices", "words"),
    [
        (COHORT, "cuonts", {}, "there is no topic 'cuonts'. Did you mean 'counts'?"),
        (COHORT, "counts", {}, "the topic 'counts' needs an Evaluation, not a Cohort."),
        (None, "summary", {}, "needs an Evaluation, not nothing."),
        (COHORT, "plan", {}, "the choice 'plan' is missing."),
        (COHORT, "plan", {"plna": 1}, "there is no choice 'plna'. Did you mean 'plan'?"),
        (None, "accuracy", {"nmae": "x"}, "Did you mean 'name'? Choices: 'name'."),
    ],
)
def test_what_can_not_be_shown_is_refused_with_the_nearest_name(given, topic, choices, words):
    with pytest.raises(InputError) as refused:
        view(given, topic, **choices)
    assert words in str(refused.value)
