"""Drafts load as they stand, and with every example put to use."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sbwork.intake import Proposal, ProposedItem, ProposedScale, ProposedSurvey
from sbwork.intake.answer_sets import OptionSet
from sbwork.intake.drafts import draft_cohort, draft_instrument, write_text
from sbwork.read.incidents.reading import IncidentDescription
from sbwork.specs.cohort import Cohort
from sbwork.specs.documents import Spec, load_spec
from sbwork.specs.errors import Problem
from sbwork.specs.instrument import Instrument, Option

MONTHS = tuple(f"{year}-{month:02d}" for year in (2016, 2017, 2018) for month in range(1, 13))
COUNTED = IncidentDescription(
    MONTHS, ("2016-05",), 5000, {}, ("E01000001", "E01000002", "E01000003"), {"Leeds": 3},
    ("'Bike': unknown",),
)  # fmt: skip
BROKEN = IncidentDescription(problems=(Problem("own.csv", "line 1", "no column holds the month"),))
ODD = "\u2028 # {odd}: 'name' \"here\"\n- x"


def propose(text: str = ODD, sites: bool = True) -> Proposal:
    survey = ProposedSurvey(
        Path("a.csv"),
        "csv",
        120,
        wave="" if sites else "before",
        wave_why="the file's name",
        wave_column=text if sites else "",
        waves={"1": "before", text: "after"} if sites else {},
        site_column=text if sites else "",
        columns={text: "item_2"},
        not_asked=("item_1",),
        multiple={"news": text},
        ids=(text,),
        weights=("wt",),
        texts=(text, "b"),
        groups={} if sites else {text: (text, "x")},
        others=("sex", text),
        dropped={"e-mail address": (text,)},
        checks=(text,),
    )
    options = (Option(code=1, label=text), Option(code=2), Option(code=8, nonresponse="dont_know"))
    return Proposal(
        (survey, survey),
        {"odd": OptionSet("numbers", options, (text,))},
        (ProposedItem("item_1", text, "odd", text), ProposedItem("item_2", "", "odd")),
        (
            ProposedScale("s1", text, ("item_1", "item_2"), "w"),
            ProposedScale("s2", "", ("item_1",), text),
        ),
        {"north": ("North", text), "north-control": ("North control",)} if sites else {},
    )  # fmt: skip


def load(text: str, model: type[Spec], folder: Path) -> Spec:
    path = folder / "draft.yml"
    path.write_text(text, encoding="utf-8")
    return load_spec(path, model)


def use_examples(text: str) -> str:
    return re.sub(r"(?m)^( *)#(?=\S|  )", r"\1", text)


@pytest.mark.parametrize("sites", [True, False])
@pytest.mark.parametrize(
    "incidents", [{}, {"a.zip": COUNTED, "own.csv": BROKEN}, {"o.csv": BROKEN}]
)
@pytest.mark.parametrize("text", [ODD, "null", "", "5", "é", "No"])
def test_a_draft_loads_with_and_without_its_examples(
    tmp_path: Path, sites: bool, incidents: dict[str, IncidentDescription], text: str
) -> None:
    proposal = propose(text or "x", sites)
    drafted = draft_cohort(
        "pilot",
        proposal,
        ["a b.csv", ODD],
        incidents,
        lookup="lookup.csv",
        boundaries=["a.geojson"],
    )
    plain, full = (load(t, Cohort, tmp_path) for t in (drafted, use_examples(drafted)))
    assert isinstance(plain, Cohort)
    assert isinstance(full, Cohort)
    assert not plain.pairs
    assert plain.periods is None
    assert len(full.pairs) == 1
    assert full.pairs[0].control_reason == ""
    assert full.periods is not None
    assert len(full.confirmatory) == 2
    assert full.surveys[0].stories
    assert not plain.surveys[0].stories
    assert len(full.incidents) == len(incidents)
    written = draft_instrument("pilot", proposal)
    assert isinstance(load(written, Instrument, tmp_path), Instrument)
    turned = load(use_examples(written), Instrument, tmp_path)
    assert isinstance(turned, Instrument)
    assert turned.items["item_1"].reverse
    assert "overall" in turned.scales


def test_the_example_periods_hold_the_same_months_where_there_are_two_years(tmp_path: Path) -> None:
    text = use_examples(draft_cohort("pilot", Proposal(), [], {"a.zip": COUNTED}))
    cohort = load(text, Cohort, tmp_path)
    assert isinstance(cohort, Cohort)
    assert cohort.periods is not None
    assert (cohort.periods.before.start, cohort.periods.after.end) == ("2017-01", "2018-12")
    assert "unequal_seasons" not in text


class Word(Spec):
    a: str = ""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_text_is_read_back_as_it_is(tmp_path: Path, text: str) -> None:
    shown = "".join(c if c.isprintable() else " " for c in text)
    word = load(f"a: {write_text(text)}  # comment", Word, tmp_path)
    assert word == Word(a=" ".join(shown.split()))
