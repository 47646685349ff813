"""A cohort that says only part of what a report needs gets a report that says what is missing."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import matplotlib
import pytest

import sbwork as sb
from sbwork.evaluation import evaluate_cohort
from sbwork.render.views import REPORT

matplotlib.use("Agg")

DATA = Path(__file__).parents[1] / "data"
SURVEY = "surveys: [{path: survey-before.csv, wave: before, site: everyone}]\n"
BOTH = (
    "surveys:\n  - {path: survey-before.csv, wave: before, site: everyone}\n"
    "  - {path: survey-after.csv, wave: after, site: everyone}\n"
)
INCIDENTS = "incidents: [{path: incidents.zip}]\n"
EVERYONE = "sites: {everyone: {title: All answers}}\n"


def read_text(name: str, data: Path) -> dict[str, str]:
    evaluation = evaluate_cohort(name, data)
    pages = {part: sb.view(evaluation, part)._repr_html_() for part in REPORT}
    return {
        part: " ".join(re.sub(r"<style.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL).split())
        for part, page in pages.items()
    }


@pytest.fixture
def data(tmp_path: Path) -> Path:
    shutil.copytree(
        DATA / "cohorts" / "durham-1",
        tmp_path / "cohorts" / "pilot",
        ignore=shutil.ignore_patterns(".*", "cohort.yml"),
    )
    (tmp_path / "instruments").mkdir()
    text = (DATA / "instruments" / "residents-illustrative.yml").read_text("utf-8")
    for name in ("scaled", "bare"):
        named = text.replace("name: residents-illustrative", f"name: {name}")
        named = named if name == "scaled" else named.partition("scales:\n")[0]
        (tmp_path / "instruments" / f"{name}.yml").write_text(named, "utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", {"scales": "No survey was given", "counts": "No incident file was given"}),
        (INCIDENTS, {"changes": "which sites are compared ('pairs')", "limits": "which months"}),
        (
            INCIDENTS + "periods:\n  before: {start: 2015-10, end: 2016-09}\n"
            "  after: {start: 2016-10, end: 2017-09}\n",
            {"counts": "cohort.yml does not say which sites are compared ('pairs')."},
        ),
        (
            INCIDENTS + "sites: {area-1: {lsoas: [X01000001]}}\npairs: [{intervention: area-1}]\n",
            {"counts": "cohort.yml does not say which months are before and after ('periods')."},
        ),
        (
            EVERYONE + SURVEY + "instrument: bare\n",
            {"scales": "groups no items under 'scales'", "reliability": "groups no items"},
        ),
        (
            EVERYONE + SURVEY + INCIDENTS + "instrument: scaled\n",
            {"scales": "can be set beside a control site's", "quality": "survey-before.csv"},
        ),
        (
            EVERYONE + BOTH + "instrument: scaled\n",
            {"scales": "all sites, after: answers", "reliability": "Omega total"},
        ),
    ],
    ids=["nothing", "incidents", "no-pairs", "no-periods", "no-scales", "one-wave", "one-site"],
)
def test_what_is_missing_is_said(data: Path, text: str, told: dict[str, str]) -> None:
    (data / "cohorts" / "pilot" / "cohort.yml").write_text(f"name: pilot\n{text}", "utf-8")
    pages = read_text("pilot", data)
    for part, words in told.items():
        assert words in pages[part].replace("&#x27;", "'"), (part, pages[part][:600])
    assert not re.search(r"\bnan\b", " ".join(pages.values()))


def test_a_table_without_rows_says_so() -> None:
    from sbwork.render.blocks import Table

    table = Table([], name="none", title="None", stub="Pair", group="Outcome", text=["Words"])
    assert "Nothing was given" in table._repr_html_()
