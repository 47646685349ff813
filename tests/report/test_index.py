"""The index lists every cohort with its state, and draws them on one picture."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sbwork.report.forest import ForestRow, draw_forest, pick_rows
from sbwork.report.index import list_entries, write_index
from sbwork.report.producing import Outcome
from sbwork.specs.cohort import Cohort
from sbwork.stats.findings import combine_findings

COHORT = Cohort(name="pilot", title="The pilot", sites={"a1": {"title": "Area 1"}})


def count(**values: Any) -> dict[str, Any]:
    row = {"section": "counts", "estimator": "rirr", "outcome": "asb", "site": "a1"}
    row["comparison"] = "c1"
    return row | {"period": "change", "estimate": 0.8, "ci_low": 0.6, "ci_high": 1.1} | values


def put_report(out: Path, name: str, rows: list[dict[str, Any]], **about: Any) -> None:
    folder = out / name
    folder.mkdir(parents=True)
    (folder / "report.html").write_text("page", encoding="utf-8")
    document = {"schema": 1, "evidence_level": about.pop("level", None), "results": rows}
    (folder / "results.json").write_text(json.dumps(document), encoding="utf-8")
    manifest = {"title": name.title(), "finished": "2018-06-01T10:00:00+00:00", **about}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def pick(*rows: dict[str, Any]) -> list[ForestRow]:
    return pick_rows(combine_findings([pd.DataFrame(rows)]), COHORT)


def placed(**values: Any) -> dict[str, Any]:
    return count(section="placebo", estimator="rirr_placebo", ci_low=0.4, ci_high=2.2, **values)


def pooled(estimator: str, **values: Any) -> dict[str, Any]:
    return count(site="all", comparison="", estimator=estimator, **values)


def test_one_pair_is_led_by_its_own_ratio_with_the_widest_interval_there_is() -> None:
    told = {"section": "reported", "outcome": "Calls", "site": "a1", "estimate": -40}
    others = (
        count(period="12+12", estimate=9.0),
        count(estimator="wdd", estimate=9.0),
        count(outcome="harm", estimate=None),
        {"section": "scales", "outcome": "trust", "site": "a1", "estimate": 3.1},
    )
    rows = pick(count(), *others, told)
    assert [(row.label, row.estimate, row.reported) for row in rows] == [
        ("Anti-social behaviour (ASB), Area 1", 0.8, False),
        ("Calls, Area 1", -40.0, True),
    ]
    assert (rows[0].ci_low, rows[0].ci_high, rows[0].drift) == (0.6, 1.1, False)
    (row,) = pick(count(), placed(), *others)
    assert (row.ci_low, row.ci_high, row.drift) == (0.4, 2.2, True)


def test_all_pairs_lead_together_and_fixed_effects_never_do() -> None:
    pairs = [count(), count(site="a2", comparison="c2", estimate=1.2)]
    wrong = [pooled(f"rirr_pooled{end}", estimate=9.0) for end in ("", "_fixed", "_dl")]
    bayes = pooled("rirr_pooled_bayes", estimate=0.9, ci_low=0.3, ci_high=2.0)
    where = [row.label.partition(", ")[2] for row in pick(*wrong, *pairs)]
    assert where == ["Area 1", "a2"]
    rows = pick(*wrong, *pairs, bayes, placed())
    assert [(row.estimate, row.drift) for row in rows] == [(0.9, False), (0.8, True), (1.2, False)]
    assert rows[0].label == "Anti-social behaviour (ASB), all pairs"
    rows = pick(*wrong, *pairs, bayes, placed(site="all", comparison="", estimate=0.95))
    assert [(row.estimate, row.drift) for row in rows] == [
        (0.95, True),
        (0.8, False),
        (1.2, False),
    ]


def test_the_picture_says_what_each_interval_answers_for() -> None:
    drift = ForestRow("A", "asb", 2.0, 0.8, 5.0, drift=True)
    chance = ForestRow("A", "asb", 2.0, 1.3, 3.2)
    picture = draw_forest([drift])
    assert picture.count('class="interval drift"') == 1
    assert "interval 0.80 to 5.00 (as untouched places changed)" in picture
    assert "nothing out of the ordinary" in picture
    assert "sees a change too often" not in picture
    picture = draw_forest([chance])
    assert picture.count('class="interval"') == 1
    assert "interval 1.30 to 3.20 (for chance alone)" in picture
    assert "nothing out of the ordinary" not in picture
    assert "sees a change too often" in picture


def test_computed_and_told_figures_are_drawn_apart() -> None:
    rows = [
        ForestRow("A", "asb", 0.5, 0.25, 1.0, status="invented data"),
        ForestRow("A", "crime", 2.0),
        ForestRow("B", "calls", -97.0, reported=True),
    ]
    picture = draw_forest(rows)
    computed, told = picture.split("Reported by others: no control site")
    assert computed.count('class="point"') == 2
    assert told.count('class="told"') == 1
    assert computed.count('class="interval"') == 1
    assert "A (invented data)" in computed
    assert "−97%" in told
    words = re.search(r'aria-label="(Rate [^"]+)"', picture)
    assert words is not None
    assert (
        "A (invented data), asb: ratio 0.50, interval 0.25 to 1.00 (for chance alone)" in words[1]
    )
    assert "crime: ratio 2.00, no interval" in words[1]
    assert "not checked. B, calls: −97%" in words[1]


def test_the_picture_keeps_its_order_and_scale() -> None:
    rows = [ForestRow("A", str(value), value, value / 2, value * 2) for value in (0.5, 1.0, 2.0)]
    places = [float(x) + 5 for x in re.findall(r'class="point" x="([\d.]+)"', draw_forest(rows))]
    assert places[1] - places[0] == pytest.approx(places[2] - places[1], abs=0.2)
    zero = re.search(r'class="none" x1="([\d.]+)"', draw_forest(rows))
    assert zero is not None
    assert float(zero[1]) == pytest.approx(places[1], abs=0.2)


def test_nothing_is_drawn_of_nothing() -> None:
    assert draw_forest([]) == ""


def test_every_cohort_is_listed_with_its_state(tmp_path: Path, toy_data: Path) -> None:
    out = tmp_path / "reports"
    put_report(out, "first", [count()], level=2)
    put_report(out, "gone", [count()], level=1, data_status="real", rehearsal=True)
    failed = Outcome("second", "", "failed", "cell 3 of 9: <boom>")
    write_index(out, toy_data, [Outcome("first", "", "unchanged"), failed])
    page = (out / "index.html").read_text(encoding="utf-8")
    assert page.index("The first cohort") < page.index("Gone") < page.index("The second cohort")
    assert "cell 3 of 9: &lt;boom&gt;" in page
    assert "invented data" in page
    assert "real data, rehearsal" in page
    assert "level 2 of 5" in page
    for address in re.findall(r'href="([^"#]+)"', page):
        assert (out / address).is_file(), address
    assert len(re.findall(r"<h1[ >]", page)) == 1


def test_a_state_is_remembered_by_the_next_run(tmp_path: Path, toy_data: Path) -> None:
    out = tmp_path / "reports"
    out.mkdir()
    write_index(out, toy_data, [Outcome("first", "", "failed", "no luck")])
    write_index(out, toy_data, [Outcome("second", "", "ok")])
    entries = {entry.name: entry for entry in list_entries(out, toy_data, [])}
    assert (entries["first"].state, entries["first"].reason) == ("failed", "no luck")
    assert entries["second"].state == "ok"


def test_a_damaged_report_does_not_stop_the_index(tmp_path: Path, toy_data: Path) -> None:
    out = tmp_path / "reports"
    put_report(out, "first", [])
    (out / "first" / "results.json").write_text("{", encoding="utf-8")
    (out / "index.json").write_text("[", encoding="utf-8")
    (toy_data / "cohorts" / "second" / "cohort.yml").write_text("tittle: x", encoding="utf-8")
    entries = list_entries(out, toy_data, [])
    assert [entry.name for entry in entries] == ["first", "second"]
