"""Explorers are tested by their traits, without a browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from sbwork.render.explorers import CohortExplorer
from sbwork.render.outcomes import list_outcomes
from sbwork.render.views import view
from sbwork.specs.errors import InputError

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture(scope="module")
def explorer() -> CohortExplorer:
    return CohortExplorer(DATA, "durham-1")


def test_all_that_can_be_looked_at_is_offered(durham_1, durham_2):
    assert list(list_outcomes(durham_1.publishable).values()) == [
        "victim_based_crime",
        "asb",
        "trust",
        "information_sharing",
        "vision",
        "social_capital",
        "voice",
        "cooperation",
        "life_satisfaction",
        "fear_of_crime",
        "potency",
        "confidence",
    ]
    assert list_outcomes(durham_2.publishable) == {"Figures as reported": "reported"}


def test_the_page_follows_every_choice(explorer):
    seen = {explorer.page.value}
    explorer.outcome.value = "trust"
    seen.add(explorer.page.value)
    explorer.sites.value = ("area-2",)
    seen.add(explorer.page.value)
    explorer.waves.value = ("after",)
    seen.add(explorer.page.value)
    explorer.cohort.value = "durham-2"
    seen.add(explorer.page.value)
    assert len(seen) == 5
    explorer.cohort.value = "durham-1"


def test_sentence_and_figure_speak_of_the_chosen_site(explorer):
    explorer.cohort.value = "durham-1"
    explorer.outcome.value = "victim_based_crime"
    explorer.waves.value = ("before", "after")
    explorer.sites.value = ("area-1",)
    assert "Area 1 348 before, 240 after: −31%" in explorer.view.blocks[0]
    assert "Area 2" not in explorer.page.value
    labels = [
        text.get_text() for text in explorer.view.pictures[0].figure.axes[0].get_legend().texts
    ]
    assert labels == ["Area 1"]


def test_nothing_chosen_asks_for_a_choice(explorer):
    explorer.sites.value = ()
    assert explorer.page.value == "<p>Choose at least one site and one wave.</p>"
    explorer.sites.value = ("area-1",)


def test_invented_data_are_named_in_every_view(durham_1):
    for outcome in list_outcomes(durham_1.publishable).values():
        shown = view(durham_1, "outcome", outcome=outcome, sites=["area-1"])._repr_html_()
        assert "Invented data" in shown


def test_a_scale_shows_its_change_with_an_interval(durham_1):
    choice = {"outcome": "social_capital", "sites": ["area-1"]}
    assert "Change: Area 1 0.15 (95% interval −0.01 to 0.31" in str(
        view(durham_1, "outcome", **choice).blocks[0]
    )
    after = view(durham_1, "outcome", **choice, waves=["after"])
    assert "Change" not in str(after.blocks[0])


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"outcome": "trsut"}, "outcome: 'trsut' is not known. Did you mean 'trust'?"),
        ({"sites": ["area-11"]}, "sites: 'area-11' is not known. Did you mean 'area-1'?"),
        (
            {"waves": ["later"]},
            "waves: 'later' is not known. Did you mean 'after'? Known: 'before', 'after'.",
        ),
    ],
)
def test_a_choice_that_is_not_there_is_refused(durham_1, choices, words):
    with pytest.raises(InputError) as refused:
        view(durham_1, "outcome", **choices)
    assert words in str(refused.value)


def test_a_still_figure_stands_in_for_widgets():
    still = CohortExplorer(DATA, "durham-2", static=True)
    assert still.widget is None
    assert "ASB nuisance levels −74%" in still.view._repr_html_()
    assert "<img" in still.view._repr_html_()


def test_a_still_figure_stands_in_where_widgets_are_missing(monkeypatch):
    import builtins

    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "ipywidgets":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert CohortExplorer(DATA, "durham-2").widget is None
