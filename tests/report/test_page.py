"""An executed notebook becomes one page: semantic, self-contained, without code."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st
from nbformat import v4

from sbwork.report.page import choose_notice, clean_html, render_page
from sbwork.specs.cohort import Cohort

MADE = datetime(2018, 6, 1, tzinfo=UTC)
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
)
PARAMETERS = v4.new_code_cell("secret_code = 1", metadata={"tags": ["parameters"]})


def markdown(source: str) -> Any:
    return v4.new_markdown_cell(source)


def run(*outputs: Any) -> Any:
    return v4.new_code_cell("hidden_code()", outputs=list(outputs), execution_count=1)


def shown(data: dict[str, str], **metadata: str) -> Any:
    return run(v4.new_output("display_data", data, metadata=metadata))


def html(text: str) -> Any:
    return shown({"text/html": text, "text/plain": "<object>"})


def render(*cells: Any, base: Path | None = None, **spec: Any) -> str:
    cohort = Cohort(name="pilot", title="The pilot & its <control>", **spec)
    return render_page(v4.new_notebook(cells=[PARAMETERS, *cells]), cohort, base=base, made=MADE)


def parse(page: str) -> Any:
    return BeautifulSoup(page, "html.parser")


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
    noisy = run(
        v4.new_output("stream", name="stderr", text="FutureWarning: noise"),
        v4.new_output("stream", name="stdout", text="12 rows & more"),
        v4.new_output("error", ename="KeyError", evalue="lost", traceback=["Traceback"]),
    )
    widget = shown({"application/vnd.jupyter.widget-view+json": "{}", "text/plain": "IntSlider()"})
    axes = shown({"text/plain": "<Axes: >"})
    page = render(markdown("## A"), noisy, widget, axes)
    assert "12 rows &amp; more" in page
    for left_out in ("_code", "FutureWarning", "lost", "Trace", "IntSlider", "Axes"):
        assert left_out not in page


def test_what_stands_before_the_parameters_speaks_to_the_notebook_alone() -> None:
    cells = [markdown("# Evaluation report\n\nSet the parameters below."), PARAMETERS]
    page = render_page(
        v4.new_notebook(cells=[*cells, markdown("## A")]), Cohort(name="pilot"), made=MADE
    )
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
def test_the_opening_paragraph_is_set_off(cells: list[Any]) -> None:
    (box,) = parse(render(*cells)).select(".summary")
    assert "One plain paragraph." in box.get_text()


@pytest.mark.parametrize(
    ("given_html", "kept"),
    [
        ("<p>a &lt;b&gt; &amp; c</p>", "<p>a &lt;b&gt; &amp; c</p>"),
        ("<script>alert(1)</script>x", "x"),
        ('<img src="http://example.org/x.png" alt="A map">', '<img alt="A map">'),
        ('<img src="data:text/html,x">', "<img>"),
        ('<img src="data:image/svg+xml;base64,xx" alt="">',) * 2,
        ('<a href="java\nscript:alert(1)">x</a>', "<a>x</a>"),
        ('<a href="data:text/html,x">x</a>', "<a>x</a>"),
        ('<a href="https://doi.org/10.1">x</a>',) * 2,
        ('<p style="text-align:right;background:url(//e.org)">x', "<p>x</p>"),
        ('<p style="text-align:right;position:fixed">x', '<p style="text-align:right">x</p>'),
        ('<link rel="stylesheet" href="https://e.org/x.css">x', "x"),
        ("<style>@import 'https://e.org/x.css'; td {color: red}</style>x", "x"),
        ("<iframe src='https://e.org'></iframe>x", "x"),
        ("<form><input><button>x</button></form>", "x"),
        ("<b onmouseover=alert(1)>x</b>", "<b>x</b>"),
        ("</div></main><p>x", "<p>x</p>"),
        ("<!-- note --><p>x</p>", "<p>x</p>"),
        (
            '<svg viewBox="0 0 1 1"><image href="https://e.org/x.png"/><path d="M0 0" '
            'fill="url(https://e.org)"/></svg>',
            '<svg viewBox="0 0 1 1"><path d="M0 0"></path></svg>',
        ),
        (
            '<table><tbody><tr><th scope="row" id="a">a</th><td headers="a b">1</td></tr>'
            '</tbody><tfoot><tr><td colspan="2">n</td></tr></tfoot></table>',
        )
        * 2,
    ],
)
def test_what_cells_show_is_made_safe(given_html: str, kept: str) -> None:
    assert clean_html(given_html) == kept


pieces = st.sampled_from(
    (
        *("<p>", "</p>", "<div>", "</div>", "<table>", "<tr>", "<td>", "</table>", "<b", ">"),
        *("<script>", "</script>", "<style>", "</style>", "<svg>", "</svg>", "<path/>", "&lt;"),
        *("<img src=x onerror=y>", "<a href='javascript:x'>", '"', "'", "<!--", "-->", "text "),
        *("<", "&", "<br>", "<math>", "<title>", "<textarea>", "<noscript>", "]]>"),
    )
)


@given(st.lists(pieces, max_size=25))
def test_any_jumble_comes_out_inert(jumble: list[str]) -> None:
    cleaned = clean_html("".join(jumble))
    for element in parse(cleaned).find_all():
        assert element.name not in {"script", "style", "iframe", "object", "link", "form"}
        assert not [name for name in element.attrs if name.startswith("on")]
    assert clean_html(cleaned) == cleaned


def test_raw_html_in_markdown_is_made_safe_too() -> None:
    page = render(markdown("A <script>alert(1)</script> <b onclick='x()'>b</b>"))
    assert "<script" not in page
    assert "<b>b</b>" in page


def test_nothing_on_the_page_comes_from_the_network() -> None:
    page = render(
        html('<img src="https://e.org/a.png" alt="A"><link href="https://e.org/a.css">'),
        html('<style>@import "https://e.org/b.css";</style><p style="background:url(//e.org)">'),
        markdown("![A map](https://e.org/map.png) and [a source](https://doi.org/10.1)"),
    )
    for element in parse(page).find_all():
        assert element.name not in {"script", "link", "iframe", "object"}
        for name in ("src", "srcset", "data", "poster"):
            assert not re.match(r"\s*(https?:)?//", element.attrs.get(name, ""))
    assert not re.search(r"url\(\s*['\"]?(?!data:)|@import", page)
    assert "default-src 'none'" in page
    assert '<a href="https://doi.org/10.1">a source</a>' in page
    assert "<em>A map</em>" in page


def test_pictures_named_in_markdown_are_taken_in(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "a.png").write_bytes(b"png")
    (tmp_path.parent / "outside.png").write_bytes(b"png")
    names = "![A map](figures/a.png) ![Outside](../outside.png) ![Lost](figures/b.png)"
    attached = markdown(f"{names} ![Attached](attachment:c.png)")
    attached["attachments"] = {"c.png": {"image/png": PIXEL}}
    tree = parse(render(attached, base=tmp_path))
    assert {image["alt"]: image["src"] for image in tree.find_all("img")} == {
        "A map": "data:image/png;base64,cG5n",
        "Attached": f"data:image/png;base64,{PIXEL}",
    }
    assert [missing.get_text() for missing in tree.main.find_all("em")] == ["Outside", "Lost"]


def test_every_picture_has_an_alternative_text() -> None:
    page = render(
        shown({"image/png": PIXEL}, alt='A "curve"'),
        shown({"image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg'></svg>"}),
        html('<img src="data:image/png;base64,xx">'),
    )
    words = [image["alt"] for image in parse(page).find_all("img")]
    assert len(words) == 3
    assert words[0] == 'A "curve"'
    assert all(words)


def test_numbers_in_plain_tables_are_set_right() -> None:
    table = "<table><tr><th>Site</th><th>n</th></tr><tr><td>A</td><td>1,204</td></tr></table>"
    page = render(html(table))
    assert '<td class="number">1,204</td>' in page
    assert '<th class="number">n</th>' in page
    assert "<td>A</td>" in page


def test_a_great_table_takes_the_look_of_the_page() -> None:
    import pandas as pd
    from great_tables import GT

    frame = pd.DataFrame({"site": ["Area 1"], "change": ["−31%\n348 to 240\n(−49% to −7%)"]})
    table = (
        GT(frame, rowname_col="site", id="t")
        .tab_header("What changed", "Counts")
        .tab_source_note("Each cell: a note.")
    )
    page = render(markdown("## A"), html(table._repr_html_()))
    assert page.count("<style>") == 1
    tree = parse(page)
    (box,) = tree.select(".table-box")
    assert (box["tabindex"], box["aria-label"]) == ("0", "What changed")
    assert tree.select_one(".table > .table-caption").get_text(" ") == "What changed Counts"
    assert tree.select_one(".table > .table-notes > p").get_text() == "Each cell: a note."
    assert not tree.find("tfoot")
    assert box.select('tbody th[scope="row"]')
    assert all(cell["scope"] for cell in box.select("thead th"))
    assert "−31%\n348 to 240\n(−49% to −7%)" in page
    named = {element["id"] for element in tree.find_all(id=True)}
    for element in tree.find_all():
        for name in ("aria-labelledby", "aria-describedby", "headers"):
            value = element.attrs.get(name, "")
            assert set(value.split() if isinstance(value, str) else value) <= named


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
