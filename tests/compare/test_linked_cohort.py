"""A cohort whose people answered both waves, from its survey file to its report."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from causal_words import find_forbidden_words
from made_by_hand import publish

from sbwork.evaluation import Evaluation, evaluate_cohort
from sbwork.render.scales import (
    describe_attrition,
    describe_lead,
    tabulate_differences,
    tabulate_scales,
)
from sbwork.render.views import view
from sbwork.stats import Flag
from sbwork.stats.findings import find_row, has_flag
from sbwork.stats.formats import format_interval, format_number, format_p, format_share

mpl.use("Agg")

INSTRUMENT = """\
name: short
options:
  agree: [{code: 1, label: No}, {code: 2, label: Rather not}, {code: 3, label: Neither},
    {code: 4, label: Rather}, {code: 5, label: Yes}]
items:
  t1: {text: One, options: agree}
  t2: {text: Two, options: agree}
  v1: {text: Three, options: agree}
  v2: {text: Four, options: agree}
scales:
  trust: {title: Trust, items: [t1, t2]}
  vision: {title: Vision, items: [v1, v2]}
"""
COHORT = """\
name: linked
instrument: short
data_status: invented
sites:
  n: {title: North}
  nc: {title: North control}
  s: {title: South}
  sc: {title: South control}
pairs: [{intervention: n, control: nc}, {intervention: s, control: sc}]
surveys:
  - {path: survey.csv, format: csv, wave_column: round, waves: {"1": before, "2": after},
     site_column: area, person_column: id}
confirmatory: [vision]
area_shock_sd: 0.05
"""
TITLES = {"n": "North", "nc": "North control", "s": "South", "sc": "South control"}
LOST = {"n": 30, "nc": 15, "s": 20, "sc": 4}


def make_survey(size: int = 120) -> pd.DataFrame:
    random = np.random.default_rng(4)
    frames = []
    for site, title in TITLES.items():
        own = random.normal(3, 0.8, (size, 1))
        for wave in (1, 2):
            rise = 0.4 if wave == 2 and site in ("n", "s") else 0.0
            answers = np.clip(np.round(own + rise + random.normal(0, 0.6, (size, 4))), 1, 5)
            frame = pd.DataFrame(answers.astype(int), columns=["t1", "t2", "v1", "v2"])
            frame = frame.assign(round=wave, area=title, id=[f"{site}{k}" for k in range(size)])
            frames.append(frame.iloc[LOST[site] :] if wave == 2 else frame)
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def write(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    def write_data(cohort: str = COHORT) -> Path:
        data = tmp_path_factory.mktemp("data")
        (data / "instruments").mkdir()
        (data / "instruments" / "short.yml").write_text(INSTRUMENT, encoding="utf-8")
        folder = data / "cohorts" / "linked"
        folder.mkdir(parents=True)
        (folder / "cohort.yml").write_text(cohort, encoding="utf-8")
        make_survey().to_csv(folder / "survey.csv", index=False)
        return data

    return write_data


@pytest.fixture(scope="module")
def chosen(write: Callable[..., Path]) -> Evaluation:
    return evaluate_cohort("linked", write())


@pytest.fixture(scope="module")
def drawn(write: Callable[..., Path]) -> Evaluation:
    return evaluate_cohort("linked", write(f"{COHORT}assignment: randomised\n"))


def find(
    evaluation: Evaluation, estimator: str, site: str, outcome: str = "trust"
) -> pd.Series[Any]:
    row = find_row(
        evaluation.findings, section="scales", outcome=outcome, estimator=estimator, site=site
    )
    assert row is not None
    return row


def read_table(html: str) -> list[list[str]]:
    """Read a table as rows of cells, blanks kept."""
    html = re.sub(r"<style>.*?</style>", "", html, flags=re.S)
    rows = re.findall(r"<tr.*?</tr>", html, flags=re.S)
    cells = [re.findall(r"<t[dh].*?</t[dh]>", row, flags=re.S) for row in rows]
    return [[unescape(re.sub(r"<[^>]+>", "", cell)).strip() for cell in row] for row in cells]


def read_differences(evaluation: Evaluation) -> dict[str, list[dict[str, str]]]:
    """Read the table of differences: by group, its rows."""
    assert evaluation.instrument is not None
    html = tabulate_differences(
        evaluation.findings, evaluation.cohort, evaluation.instrument
    )._repr_html_()
    lines = read_table(html)
    head = next(line for line in lines if line and line[0] == "Pair")
    groups: dict[str, list[dict[str, str]]] = {}
    for line in lines[lines.index(head) + 1 :]:
        if len(line) == 1 and "(" in line[0] and len(line[0]) < 40:
            rows = groups.setdefault(line[0], [])
        elif len(line) == len(head):
            rows.append(dict(zip(head, line, strict=True)))
    return groups


def test_confirmatory_scales_and_all_pairs_come_first(chosen: Evaluation) -> None:
    groups = read_differences(chosen)
    assert list(groups) == ["Vision (confirmatory)", "Trust (exploratory)"]
    for scale, rows in zip(("vision", "trust"), groups.values(), strict=True):
        assert [row["Pair"] for row in rows] == [
            f"{pair}{what}"
            for pair in ("All pairs together", "North", "South")
            for what in ("", ", with shocks of 0.05 SD", ", same score before")
        ]
        did = find(chosen, "difference_in_differences", "all", scale)
        assert has_flag(did, Flag.LEADS)
        assert has_flag(did, Flag.CONFIRMATORY) == (scale == "vision")
        assert rows[0]["Difference"] == format_number(did["estimate"])
        assert rows[0]["95% interval"] == format_interval(did["ci_low"], did["ci_high"])
        assert rows[0]["p adjusted"] == format_p(did["p_adjusted"])
        shocked = find(chosen, "difference_in_differences_with_shock", "all", scale)
        assert rows[1]["95% interval"] == format_interval(shocked["ci_low"], shocked["ci_high"])
        ancova = find(chosen, "ancova", "all", scale)
        assert rows[2]["Difference"] == format_number(ancova["estimate"])
        shock = find(chosen, "tau_star", "all", scale)["estimate"]
        assert rows[0]["Shock that undoes it"] == format_number(shock)
    assert chosen.instrument is not None
    html = tabulate_differences(chosen.findings, chosen.cohort, chosen.instrument)
    assert "of partly the same people in the two waves" in html._repr_html_()


def test_the_verdict_is_read_from_flags_and_never_from_a_note(chosen: Evaluation) -> None:
    words = {
        Flag.EFFECT: "Effect, among ",
        Flag.NO_MEANINGFUL_EFFECT: "No meaningful effect, among ",
        Flag.INCONCLUSIVE: "Inconclusive",
    }
    other = publish(chosen, findings=chosen.findings.assign(note="Weighted. Verdict: who knows."))
    for evaluation in (chosen, other):
        for scale, rows in zip(
            ("vision", "trust"), read_differences(evaluation).values(), strict=True
        ):
            for row, estimator in zip(rows, ("tost", "tost_with_shock"), strict=False):
                flags = find(chosen, estimator, "all", scale)["flags"].split()
                word = next(words[flag] for flag in words if flag in flags)
                assert row["Verdict"].startswith(word)
                if word != "Inconclusive":
                    assert row["Verdict"].endswith("areas" if "shock" in estimator else "people")
            assert "n =" not in rows[0]["Pair"]


def test_the_lead_changes_only_where_sites_were_drawn_by_lot(
    chosen: Evaluation, drawn: Evaluation
) -> None:
    assert "difference in differences leads" in describe_lead(chosen.findings)
    assert "drawn by lot, and everybody" in describe_lead(drawn.findings)
    rows = read_differences(drawn)["Trust (exploratory)"]
    assert rows[0]["Pair"] == "All pairs together, same score before"
    assert has_flag(find(drawn, "ancova", "all"), Flag.LEADS)
    assert not has_flag(find(drawn, "difference_in_differences", "all"), Flag.LEADS)
    both = [find(evaluation, "ancova", "all", "vision") for evaluation in (chosen, drawn)]
    assert both[0]["estimate"] == both[1]["estimate"]
    # In the family of the confirmatory scale alone, nothing is adjusted for.
    assert both[1]["p_adjusted"] == both[1]["p_value"]


def test_who_was_lost_is_told_in_the_section(chosen: Evaluation) -> None:
    told = describe_attrition(chosen.cohort, chosen.findings)
    for site in ("n", "nc", "s"):
        row = find(chosen, "attrition_share", site, "questionnaire")
        assert row["estimate"] == pytest.approx(LOST[site] / 120)
        assert f"{format_share(row['estimate'])} of 120 in {TITLES[site]}" in told
    assert "too few to tell in South control" in told
    assert "15 of" not in told.partition("South")[2]
    assert told.count("points apart") == 1
    section = view(chosen, "scales")
    assert told in section.blocks
    html = section._repr_html_()
    assert html.index("table-differences") < html.index("table-scales")
    assert "Welch's t-tests, of people's own changes" in unescape(html)
    text = " ".join(block for block in section.blocks if isinstance(block, str))
    assert find_forbidden_words(text, level=1) == []
    picture = next(picture for picture in section.pictures if picture.name == "differences")
    assert "this tool's default" in picture.caption


def test_people_as_one_sample_stand_beside_the_mean_of_the_areas(chosen: Evaluation) -> None:
    assert chosen.instrument is not None
    shown = read_table(
        tabulate_scales(chosen.findings, chosen.cohort, chosen.instrument)._repr_html_()
    )
    pooled = find(chosen, "mean_difference_people", "intervention")
    line = next(row for row in shown if row[0] == "All areas together, as one sample of people")
    assert line[4] == format_number(pooled["estimate"])
    assert line[2:4] == ["", ""]
    together = next(row for row in shown if row[0] == "All areas together")
    assert together[4] == format_number(find(chosen, "mean_difference", "intervention")["estimate"])
