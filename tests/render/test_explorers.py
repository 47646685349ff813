"""Explorers are tested by their traits, without a browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from sbwork.render.explorers import CohortExplorer, list_outcomes, view_outcome

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture(scope="module")
def explorer() -> CohortExplorer:
    return CohortExplorer(DATA, "durham-1")


def test_all_that_can_be_looked_at_is_offered(durham_1, durham_2):
    assert list(list_outcomes(durham_1).values()) == [
        "victim_based_crime",
        "asb",
        "trust",
        "information_sharing",
        "vision",
        "social_capital",
    ]
    assert list_outcomes(durham_2) == {"Figures as reported": "reported"}


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
    assert "Area 1 348 before, 240 after: −31%" in explorer.view.sentence
    assert "Area 2" not in explorer.page.value
    labels = [text.get_text() for text in explorer.view.picture.figure.axes[0].get_legend().texts]
    assert labels == ["Area 1"]


def test_nothing_chosen_asks_for_a_choice(explorer):
    explorer.sites.value = ()
    assert explorer.page.value == "<p>Choose at least one site and one wave.</p>"
    explorer.sites.value = ("area-1",)


def test_invented_data_are_named_in_every_view(durham_1):
    for outcome in list_outcomes(durham_1).values():
        shown = view_outcome(durham_1, outcome, ["area-1"])._repr_html_()
        assert "Invented data" in shown


def test_a_scale_tells_its_change_with_an_interval(durham_1):
    sentence = view_outcome(durham_1, "social_capital", ["area-1"]).sentence
    assert "Change: Area 1 0.15 (95% interval −0.01 to 0.31" in sentence
    assert "Change" not in view_outcome(durham_1, "social_capital", ["area-1"], ["after"]).sentence


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
