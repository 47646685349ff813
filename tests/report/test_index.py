"""The index lists every cohort with its state, and draws them on one picture."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sbwork.render.blocks import Picture
from sbwork.report.forest import ForestRow, draw_forest, pick_rows
from sbwork.report.index import list_entries, write_index
from sbwork.report.run import Outcome
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
    heard = {"section": "reported", "outcome": "Calls", "site": "a1", "estimate": -40}
    others = (
        count(period="12+12", estimate=9.0),
        count(estimator="wdd", estimate=9.0),
        count(outcome="harm", estimate=None),
        {"section": "scales", "outcome": "trust", "site": "a1", "estimate": 3.1},
    )
    rows = pick(count(), *others, heard)
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


def list_drawn(picture: Picture, marker: str) -> list[float]:
    lines = [line for ax in picture.figure.axes for line in ax.lines]
    return [float(line.get_xdata()[0]) for line in lines if line.get_marker() == marker]


@pytest.mark.parametrize(
    ("drift", "basis", "said", "width"),
    [
        (True, "as untouched places changed", "nothing out of the ordinary", 4),
        (False, "for chance alone", "sees a change too often", 1.2),
    ],
)
def test_the_picture_says_what_its_intervals_answer_for(
    drift: bool, basis: str, said: str, width: float
) -> None:
    picture = draw_forest([ForestRow("A", "asb", 2.0, 0.8, 5.0, drift=drift)])
    assert picture is not None
    assert f"interval 0.80 to 5.00 ({basis})" in picture.alt
    warnings = ("nothing out of the ordinary", "sees a change too often")
    assert [warning for warning in warnings if warning in picture.caption] == [said]
    (interval,) = [line for line in picture.figure.axes[0].lines if line.get_linestyle() == "-"][:1]
    assert interval.get_linewidth() == width
    assert list(interval.get_xdata()) == [0.8, 5.0]


def test_computed_and_reported_figures_are_drawn_apart() -> None:
    rows = [
        ForestRow("A", "asb", 0.5, 0.25, 1.0, status="invented data"),
        ForestRow("A $x$", "crime", 2.0),
        ForestRow("B", "calls", -97.0, reported=True),
    ]
    picture = draw_forest(rows)
    assert picture is not None
    computed, reported = picture.figure.axes
    assert computed.get_xscale() == "log"
    assert list_drawn(picture, "s") == [0.5, 2.0]
    assert list_drawn(picture, "D") == [-97.0]
    texts = [[text.get_text() for text in ax.texts] for ax in (computed, reported)]
    assert {"A (invented data)", "asb", "0.50 [0.25, 1.00]", "2.00"} <= set(texts[0])
    assert {"B", "calls", "−97%"} <= set(texts[1])
    assert picture.alt == (
        "Rate ratios computed from files. A (invented data), asb: ratio 0.50, interval 0.25 to "
        "1.00 (for chance alone); A $x$, crime: ratio 2.00, no interval. "
        "Reported by others and not checked. B, calls: −97%."
    )
    assert b"<svg" in picture.render("svg")


def test_nothing_is_drawn_of_nothing() -> None:
    assert draw_forest([]) is None


def test_every_cohort_is_listed_with_its_state(tmp_path: Path, toy_data: Path) -> None:
    out = tmp_path / "reports"
    put_report(out, "first", [count()], level=2)
    put_report(out, "gone", [count()], level=1, data_status="real", rehearsal=True)
    failed = Outcome("second", "failed", "cell 3 of 9: <boom>")
    write_index(out, toy_data, [Outcome("first", "unchanged"), failed])
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
    write_index(out, toy_data, [Outcome("first", "failed", "no luck")])
    write_index(out, toy_data, [Outcome("second", "ok")])
    entries = {entry.name: entry for entry in list_entries(out, toy_data, [])}
    assert (entries["first"].state, entries["first"].reason) == ("failed", "no luck")
    assert entries["second"].state == "ok"


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("manifest.json", '{"finished": 3, "title": ["x"], "data_status": "odd"}'),
        ("manifest.json", '{"finished": "yesterday", "title": "\\ud800", "rehearsal": {}}'),
        ("manifest.json", "[" * 100_000),
        ("results.json", '{"evidence_level": 1e400, "results": [{"estimate": "x"}]}'),
        ("results.json", '{"results": [{"section": "reported", "estimate": [1], "site": {}}]}'),
        ("results.json", '{"results": [{"section": [1], "outcome": null}]}'),
    ],
)
def test_copies_and_odd_values_do_not_stop_the_index(
    tmp_path: Path, toy_data: Path, file: str, content: str
) -> None:
    out = tmp_path / "reports"
    for name in ("first", "du-1 (copy)", "#x"):
        put_report(out, name, [count()])
        (out / name / file).write_text(content, encoding="utf-8")
    (toy_data / "cohorts" / "second").rename(toy_data / "cohorts" / "second (copy)")
    states = json.dumps({"first": {"state": ["x"], "reason": None}, "#x": "failed"})
    (out / "index.json").write_text(states, encoding="utf-8")
    page = write_index(out, toy_data, []).read_text(encoding="utf-8")
    assert "du-1%20%28copy%29/report.html" in page
    assert "%23x/report.html" in page
    assert json.loads((out / "index.json").read_text(encoding="utf-8")).keys() == {
        *("#x", "du-1 (copy)", "first", "second (copy)")
    }


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"results": 3}', '{"results": {"a": 1}}'])
def test_a_damaged_report_does_not_stop_the_index(
    tmp_path: Path, toy_data: Path, content: str
) -> None:
    out = tmp_path / "reports"
    put_report(out, "first", [])
    (out / "first" / "results.json").write_text(content, encoding="utf-8")
    (out / "index.json").write_text("[", encoding="utf-8")
    (toy_data / "cohorts" / "second" / "cohort.yml").write_text("tittle: x", encoding="utf-8")
    entries = list_entries(out, toy_data, [])
    assert [entry.name for entry in entries] == ["first", "second"]
