"""An executed notebook becomes one page: semantic, self-contained, without code."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sbwork.report.markup import parse_fragment
from sbwork.report.page import choose_notice, render_page
from sbwork.specs.cohort import Cohort

MADE = datetime(2018, 6, 1, tzinfo=UTC)
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
)
PARAMETERS = {
    "cell_type": "code",
    "metadata": {"tags": ["parameters"]},
    "source": "secret_code = 1",
    "outputs": [],
}


def markdown(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def shown(data: dict[str, str], **metadata: str) -> dict[str, Any]:
    output = {"output_type": "display_data", "data": data, "metadata": metadata}
    return {"cell_type": "code", "metadata": {}, "source": "hidden_code()", "outputs": [output]}


def html(text: str) -> dict[str, Any]:
    return shown({"text/html": text, "text/plain": "<object>"})


def render(*cells: dict[str, Any], base: Path | None = None, **spec: Any) -> str:
    cohort = Cohort(name="pilot", title="The pilot & its <control>", **spec)
    return render_page({"cells": [PARAMETERS, *cells]}, cohort, base=base, made=MADE)


def test_the_page_has_its_landmarks() -> None:
    page = render(markdown("## Counts\n\n### Detail"), markdown("## Stories"))
    assert page.startswith('<!doctype html>\n<html lang="en-GB">')
    for tag in ("header", "nav", "main", "footer", "h1"):
        assert len(re.findall(f"<{tag}[ >]", page)) == 1, tag
    assert "<h1>The pilot &amp; its &lt;control&gt;</h1>" in page
    assert '<a class="skip" href="#main">' in page
    assert '<li><a href="#counts">Counts</a></li>' in page
    assert '<section aria-labelledby="counts"><h2 id="counts">Counts</h2>' in page


def test_code_errors_widgets_and_representations_are_left_out() -> None:
    noisy = {
        "cell_type": "code",
        "metadata": {},
        "source": "hidden_code()",
        "outputs": [
            {"output_type": "stream", "name": "stderr", "text": "FutureWarning: noise"},
            {"output_type": "stream", "name": "stdout", "text": "12 rows & more"},
        ],
    }
    widget = shown({"application/vnd.jupyter.widget-view+json": "{}", "text/plain": "IntSlider()"})
    page = render(markdown("## A"), noisy, widget, shown({"text/plain": "<Axes: >"}))
    assert "12 rows &amp; more" in page
    for left_out in ("hidden_code", "secret_code", "FutureWarning", "IntSlider", "Axes"):
        assert left_out not in page


def test_what_stands_before_the_parameters_speaks_to_the_notebook_alone() -> None:
    cells = [markdown("# Evaluation report\n\nSet the parameters below."), PARAMETERS]
    page = render_page({"cells": [*cells, markdown("## A")]}, Cohort(name="pilot"), made=MADE)
    assert "Set the parameters" not in page
    assert "<h1>pilot</h1>" in page


def test_a_title_in_the_notebook_becomes_the_only_first_heading() -> None:
    page = render(markdown("# My title"), html("<h1>Another</h1><h4>Deep</h4>"))
    assert re.findall(r"<h(\d)[ >]", page) == ["1", "2", "3"]
    assert "<h1>My title</h1>" in page


@pytest.mark.parametrize(
    "cells",
    [
        [markdown("One plain paragraph.\n\nAnother."), markdown("## Rest")],
        [markdown("## Summary"), html("<p>One plain paragraph.</p>")],
    ],
)
def test_the_opening_paragraph_is_set_off(cells: list[dict[str, Any]]) -> None:
    page = parse_fragment(render(*cells))
    boxes = [e for e in page.walk() if "summary" in e.attributes.get("class", "").split()]
    assert len(boxes) == 1
    assert "One plain paragraph." in boxes[0].text


def test_raw_html_in_markdown_is_shown_as_text() -> None:
    page = render(markdown("A <script>alert(1)</script> <b>b</b>"))
    assert "&lt;script&gt;" in page
    assert "<script" not in page


def test_nothing_on_the_page_comes_from_the_network() -> None:
    page = render(
        html('<img src="https://e.org/a.png" alt="A"><link href="https://e.org/a.css">'),
        html('<style>@import "https://e.org/b.css";</style><p style="background:url(//e.org)">'),
        markdown("![A map](https://e.org/map.png) and [a source](https://doi.org/10.1)"),
    )
    tags = parse_fragment(page)
    for element in tags.walk():
        assert element.tag not in {"script", "link", "iframe", "object"}
        for name in ("src", "srcset", "data", "poster"):
            assert not re.match(r"\s*(https?:)?//", element.attributes.get(name, ""))
    assert not re.search(r"url\(\s*['\"]?(?!data:)|@import", page)
    assert "default-src 'none'" in page
    assert '<a href="https://doi.org/10.1">a source</a>' in page


def test_pictures_named_in_markdown_are_taken_in(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "a.png").write_bytes(b"png")
    (tmp_path.parent / "outside.png").write_bytes(b"png")
    page = render(
        markdown("![A map](figures/a.png) ![Outside](../outside.png) ![Lost](figures/b.png)"),
        base=tmp_path,
    )
    assert 'src="data:image/png;base64,cG5n" alt="A map"' in page
    assert "<em>Outside</em>" in page
    assert "<em>Lost</em>" in page


def test_every_picture_has_an_alternative_text() -> None:
    page = render(
        shown({"image/png": PIXEL}, alt="A curve"),
        shown({"image/png": PIXEL}),
        html('<img src="data:image/png;base64,xx">'),
    )
    images = [e for e in parse_fragment(page).walk() if e.tag == "img"]
    assert len(images) == 3
    assert all("alt" in image.attributes for image in images)
    assert images[0].attributes["alt"] == "A curve"


def test_numbers_in_plain_tables_are_set_right() -> None:
    table = "<table><tr><th>Site</th><th>n</th></tr><tr><td>A</td><td>1,204</td></tr></table>"
    page = render(html(table))
    assert '<td class="number short">1,204</td>' in page
    assert '<th class="number short">n</th>' in page
    assert '<td class="short">A</td>' in page


def test_a_great_table_takes_the_look_of_the_page() -> None:
    great_tables = pytest.importorskip("great_tables")
    import pandas as pd

    frame = pd.DataFrame({"site": ["Area 1"], "change": ["−31%\n348 to 240\n(−49% to −7%)"]})
    table = (
        great_tables.GT(frame, rowname_col="site", id="t")
        .tab_header("What changed", "Counts")
        .tab_source_note("Each cell: a note.")
    )
    page = render(markdown("## A"), html(table._repr_html_()))
    assert page.count("<style>") == 1
    tree = parse_fragment(page)
    box = next(e for e in tree.walk() if "table-box" in e.attributes.get("class", ""))
    assert box.attributes["tabindex"] == "0"
    assert box.attributes["aria-label"] == "What changed"
    assert 'class="table-caption"' in page
    assert '<div class="table-notes"><p>' in page
    assert "<tfoot" not in page
    assert 'scope="row"' in page
    assert '−31%<br>348 to 240<br><span class="short">(−49% to −7%)</span>' in page
    named = {e.attributes["id"] for e in tree.walk() if "id" in e.attributes}
    for element in tree.walk():
        for name in ("aria-labelledby", "aria-describedby", "headers"):
            assert set(element.attributes.get(name, "").split()) <= named


@pytest.mark.parametrize(
    ("spec", "label", "head"),
    [
        ({"data_status": "invented"}, "Invented data", "Invented data"),
        (
            {"data_status": "invented", "notice": "Invented data: made up."},
            "Invented data",
            "Invented data",
        ),
        ({"data_status": "reported"}, "As reported, not measured", None),
        ({"rehearsal": True}, "Rehearsal: nothing was done in these areas", None),
        ({"notice": "Draft: not final."}, "Note", "Draft"),
    ],
)
def test_the_status_of_the_data_stands_on_the_page(
    spec: dict[str, Any], label: str, head: str | None
) -> None:
    page = render(markdown("## A"), **spec)
    assert f'<div class="running" aria-hidden="true"><span>{label}</span></div>' in page
    assert f"<strong>{head or label}.</strong>" in page
    assert f"({label})</title>" in page
    assert page.count("Invented data: made up") == 0


def test_real_data_of_a_real_pilot_carry_no_notice() -> None:
    assert choose_notice(Cohort(name="pilot")) is None
    assert 'class="notice"' not in render(markdown("## A"))


def test_headings_of_one_name_have_anchors_of_their_own() -> None:
    page = render(markdown("## Counts"), markdown("## Counts"), markdown("## 数"))
    anchors = re.findall(r'<h2 id="([^"]+)"', page)
    assert anchors == ["counts", "counts-2", "section"]
