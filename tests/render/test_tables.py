from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest
from made_by_hand import make_cohort, make_instrument, publish_answers

from sbwork.compare.accuracy import read_study
from sbwork.render.answers import tabulate_multiple
from sbwork.render.blocks import Table
from sbwork.render.counts import tabulate_changes, tabulate_count_models, tabulate_reported_figures
from sbwork.render.quality import tabulate_dropped, tabulate_nonresponse
from sbwork.render.robustness import tabulate_models
from sbwork.render.scales import tabulate_differences
from sbwork.specs.cohort import Cohort
from sbwork.stats import Estimate, Flag, Reason
from sbwork.stats.findings import Finding, tabulate_findings
from sbwork.stats.formats import format_share

COHORT = Cohort.model_validate(
    {
        "name": "pilot",
        "sites": {"a": {"title": "Area A"}, "c": {"title": "Control C"}},
        "pairs": [{"title": "Pair A", "intervention": "a", "control": "c"}],
        "outcomes": {"asb": {"title": "ASB", "crime_types": ["Anti-social behaviour"]}},
    }
)
NAN = float("nan")


def text_of(table) -> str:
    return " ".join(
        re.sub(r"<style>.*?</style>|<[^>]+>", " ", table._repr_html_(), flags=re.S).split()
    )


def counts(site: str, before: float, after: float, change: float, note: str = "") -> list[Finding]:
    reason: Any = "" if change == change else Reason.ZERO_COUNT
    ends = (change - 9, change + 9)
    changed = Estimate("percentage_change", change, *ends, note=note, reason=reason)
    return [
        Finding("counts", "asb", site, Estimate("count", before), period="before"),
        Finding("counts", "asb", site, Estimate("count", after), period="after"),
        Finding("counts", "asb", site, changed, period="change"),
    ]


def test_header_cells_say_what_they_head():
    html = Table([{"Site": "A", "n": "12"}], name="x", title="T", stub="Site")._repr_html_()
    assert 'scope="col"' in html
    assert 'scope="row"' in html
    assert 'id="table-x"' in html


def test_hostile_text_is_shown_not_run():
    html = Table(
        [{"Site": "<script>alert(1)</script>", "n": "<img src=x onerror=alert(1)>"}],
        name="x",
        title="<b>T</b>",
        stub="Site",
        notes=["<i>note</i>"],
    )._repr_html_()
    for tag in ("<script>", "<img", "<b>T", "<i>note"):
        assert tag not in html
    assert "&lt;script&gt;" in html


def test_a_note_is_printed_once():
    table = Table([{"a": "1"}], name="x", title="T", notes=["Same.", "", "Same."])
    assert text_of(table).count("Same.") == 1


def test_the_durham_table_has_change_counts_and_interval():
    findings = tabulate_findings([*counts("a", 348, 240, -31.03), *counts("c", 320, 336, 5.0)])
    shown = text_of(tabulate_changes(findings, COHORT))
    assert "−31% 348 to 240 (−40% to −22%)" in shown
    assert "+5% 320 to 336" in shown
    assert "Pair A" in shown


def test_a_missing_number_is_shown_as_missing_with_its_reason():
    reason = "Nothing was recorded before, so a percentage has no meaning."
    findings = tabulate_findings([*counts("a", 0, 4, NAN, reason), *counts("c", 320, 336, 5.0)])
    shown = text_of(tabulate_changes(findings, COHORT))
    assert "not available" in shown
    assert reason in shown
    assert "0%" not in shown.replace("+0%", "").split("+5%")[0]


def test_reported_figures_show_what_is_not_known():
    cohort = Cohort.model_validate(
        {
            "name": "heard",
            "reported_figures": [
                {"title": "ASB", "change_percent": -40, "reported_by": "heard from staff"}
            ],
        }
    )
    shown = text_of(tabulate_reported_figures(cohort))
    assert "−40%" in shown
    assert shown.count("not available") == 3
    assert "heard from staff" in shown


def test_dropped_columns_are_listed_by_reason():
    dropped = pd.DataFrame(
        {
            "source": ["s.csv", "s.csv"],
            "column": ["IPAddress", "Email"],
            "reason": ["IP address", "e-mail address"],
        }
    )
    shown = text_of(tabulate_dropped(dropped))
    assert "IP address IPAddress" in shown
    assert "e-mail address Email" in shown


def test_nonresponse_is_counted_by_kind_with_small_counts_hidden(durham_1):
    html = tabulate_nonresponse(
        durham_1.publishable.answers.nonresponse, durham_1.instrument, durham_1.cohort
    )._repr_html_()
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", html)
    counts = durham_1.responses.nonresponse.groupby(["item", "kind"])["count"].sum()
    assert any(0 < count < 10 for count in counts)
    assert "hidden" in cells
    assert not [cell for cell in cells if re.fullmatch("[1-9]", cell)]


def test_multiple_response_shares_hide_few_people():
    multiple = [
        ("after", "north", "Used", option, count, 40)
        for option, count in (("Bus", 20), ("Tram", 3))
    ]
    answers = pd.DataFrame({"t1": [1.0] * 20 + [5.0] * 20})
    published = publish_answers(
        answers, make_instrument({"trust": ["t1"]}), make_cohort(), multiple
    )
    shown = text_of(tabulate_multiple(published.multiple, COHORT))
    assert "Bus 50% 40" in shown
    assert "Tram hidden 40" in shown


def test_a_note_on_months_names_its_rows_and_the_months_stand_beside_them():
    gap = "Compared on 3 of 12 months on each side: 2010-12 and 8 more are missing from the data."
    cohort = Cohort.model_validate(
        {
            "name": "pilot",
            "sites": {"a": {"title": "Ash"}, "b": {"title": "Birch"}},
            "pairs": [{"intervention": "a", "control": "b"}],
            "periods": {
                "before": {"start": "2010-12", "end": "2011-11"},
                "after": {"start": "2011-12", "end": "2012-11"},
            },
        }
    )
    found = [
        Finding("counts", outcome, site, Estimate(name, value, note=note), other, "change")
        for outcome, months, note in (("victim_based_crime", 3.0, gap), ("asb", 12.0, ""))
        for site, other, name, value in (
            ("a", "", "percentage_change", 10.0),
            ("b", "", "percentage_change", 5.0),
            ("a", "b", "rirr", 1.05),
            ("a", "b", "window_months", months),
        )
    ]
    findings = tabulate_findings(found)
    models = tabulate_count_models(findings, cohort)._repr_html_()
    assert f"Victim-based crime, Ash: {gap}" in models
    assert ">3 of 12</td>" in models
    assert ">12</td>" in models
    changes = tabulate_changes(findings, cohort)._repr_html_()
    assert f"Victim-based crime, Ash; Victim-based crime, Birch: {gap}" in changes
    same = tabulate_findings([replace(f, estimate=replace(f.estimate, note=gap)) for f in found])
    assert f": {gap}" not in tabulate_changes(same, cohort)._repr_html_()


def test_drift_to_undo_it_stands_beside_its_power_and_harm_beside_the_rest():
    cohort = COHORT.model_copy(update={"harm_weights": "weights.csv"})
    above = Estimate("sensitivity_mbar", 5.0, unit="ratio", flags=(Flag.ABOVE_SEARCHED,))
    within = Estimate("sensitivity_mbar", 0.25, unit="ratio")
    findings = tabulate_findings(
        [
            Finding("panel", "asb", "a", above, "c", "change"),
            Finding("panel", "harm", "a", within, "c", "change"),
        ]
    )
    text = text_of(tabulate_models(findings, cohort))
    assert "above 5.00" in text
    assert "Crime harm" in text
    for power in read_study("drift").query("ratio != 1").to_dict("records"):
        assert f"{power['incidents_a_month']:g} incidents a month" in text
        assert f"above 0 in {format_share(power['above_0'])}" in text


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        (Flag.EFFECT, "Effect, among these people"),
        (Flag.NO_MEANINGFUL_EFFECT, "No meaningful effect, among these people"),
        (Flag.INCONCLUSIVE, "Inconclusive"),
    ],
)
def test_verdicts_and_weighted_numbers_come_from_flags(durham_1, flag, words):
    cohort = Cohort.model_validate({"name": "pilot", "sites": {"a": {"title": "Ash"}}})
    difference = Estimate(
        "difference_in_differences", 0.2, n=80, note="Said.", flags=(Flag.WEIGHTED,)
    )
    found = [
        difference,
        Estimate("tost", 0.01, note="Verdict: nothing of the kind.", flags=(flag,)),
    ]
    rows = tabulate_findings([Finding("scales", "trust", "a", each) for each in found])
    shown = text_of(tabulate_differences(rows, cohort, durham_1.instrument))
    assert f" {words} " in shown
    assert "Ash (n = 80)" in shown
    plain = text_of(tabulate_differences(rows.assign(flags=""), cohort, durham_1.instrument))
    assert words not in plain
    assert "n = 80" not in plain
