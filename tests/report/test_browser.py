"""The page in a real browser: still, on a phone, on paper, and without the network."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from nbformat import v4

from sbwork.report.forest import ForestRow, draw_forest
from sbwork.report.page import render_page, render_template
from sbwork.specs.cohort import Cohort

CHROMIUM = os.environ.get("SBWORK_CHROMIUM") or shutil.which("chromium") or ""
NO_BROWSER = not CHROMIUM and not os.environ.get("CI")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(NO_BROWSER, reason="no chromium here; set SBWORK_CHROMIUM to its path"),
]

PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="800" height="300">'
    '<rect width="800" height="300"/></svg>'
)


def make_notebook() -> Any:
    head = "".join(f"<th>A long heading {n}</th>" for n in range(12))
    body = "".join(f"<td>{n},234.5 [1.0, 2.0]</td>" for n in range(12))
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{f'<tr>{body}</tr>' * 60}</tbody></table>"
    figure = f'<figure><img alt="A box" src="data:image/svg+xml,{quote(PICTURE)}"></figure>'
    text = "One plain sentence about what was found, with averyveryverylongwordinit. " * 12
    shown = [f"<p>{text}</p>", table, figure, '<img src="http://203.0.113.1/x.png" alt="far">']
    cells = []
    for number, html in enumerate(shown):
        output = v4.new_output("display_data", {"text/html": html})
        cells += [v4.new_markdown_cell(f"## Part {number}"), v4.new_code_cell(outputs=[output])]
    return v4.new_notebook(cells=cells)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as tools:
        started = tools.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cohort = Cohort(name="pilot", title="A pilot in two areas", data_status="invented")
    page = render_page(make_notebook(), cohort, made=datetime(2018, 6, 1, tzinfo=UTC))
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    opened: dict[Any, Any] = {}

    def open_at(path: Path, width: int = 1280, **options: Any) -> Any:
        key = (path, width, *options.items())
        if key not in opened:
            opened[key] = browser.new_page(viewport={"width": width, "height": 800}, **options)
            opened[key].requests = []
            opened[key].on("request", lambda request: opened[key].requests.append(request.url))
            opened[key].goto(path.as_uri())
        return opened[key]

    yield open_at
    for page in opened.values():
        page.close()


def test_the_page_is_still_and_can_be_followed(report: Path, open_page: Callable[..., Any]) -> None:
    page = open_page(report)
    assert [url for url in page.requests if not url.startswith(("file:", "data:"))] == []
    levels = page.evaluate(
        "[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(h => Number(h.tagName[1]))"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert page.evaluate("[...document.images].every(i => i.alt && i.naturalWidth > 0)")
    assert page.evaluate("document.documentElement.lang") == "en-GB"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for link in page.evaluate("[...document.querySelectorAll('nav a')].map(a => a.hash.slice(1))"):
        assert page.evaluate(f"document.getElementById({link!r}) !== null")


@pytest.mark.parametrize("width", [1280, 768, 390, 360])
def test_the_page_never_scrolls_sideways(
    report: Path, open_page: Callable[..., Any], width: int
) -> None:
    page = open_page(report, width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    box = "document.querySelector('.table-box')"
    if width < 768:
        assert page.evaluate(f"{box}.scrollWidth > {box}.clientWidth")


def test_text_stands_out_from_its_ground(report: Path, open_page: Callable[..., Any]) -> None:
    page = open_page(report)
    ratios = page.evaluate(
        """() => {
          const light = c => {
            const [r, g, b] = c.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255)
              .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const ground = e => {
            for (; e; e = e.parentElement) {
              const c = getComputedStyle(e).backgroundColor;
              if (!c.endsWith(', 0)')) return c;
            }
            return 'rgb(255, 255, 255)';
          };
          return [...document.querySelectorAll('p, a, th, td, h1, h2, strong')].map(e => {
            const [a, b] = [light(getComputedStyle(e).color), light(ground(e))];
            return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
          });
        }"""
    )
    assert min(ratios) >= 4.5


def test_motion_is_left_out_when_unwanted(report: Path, open_page: Callable[..., Any]) -> None:
    scroll = "getComputedStyle(document.documentElement).scrollBehavior"
    assert open_page(report, reduced_motion="reduce").evaluate(scroll) == "auto"
    assert open_page(report, reduced_motion="no-preference").evaluate(scroll) == "smooth"


def test_every_printed_page_carries_the_notice(
    report: Path, open_page: Callable[..., Any], tmp_path: Path
) -> None:
    page = open_page(report)
    path = tmp_path / "report.pdf"
    page.pdf(path=str(path), prefer_css_page_size=True, print_background=True)
    reader = shutil.which("pdftotext")
    if reader is None:
        pytest.skip("pdftotext is not here to read the pages with")
    text = subprocess.run(
        [reader, "-layout", str(path), "-"], capture_output=True, text=True, check=True
    ).stdout
    pages = text.rstrip("\f").split("\f")
    assert len(pages) > 2
    for number, content in enumerate(pages, start=1):
        assert "Invented data" in content.splitlines()[0] + "".join(content.splitlines()[:4]), (
            number
        )


def test_a_wide_table_fits_on_paper(report: Path, open_page: Callable[..., Any]) -> None:
    page = open_page(report, 658)  # what A4 leaves between the margins, in CSS pixels
    page.emulate_media(media="print")
    assert page.evaluate("document.querySelector('table').getBoundingClientRect().right") <= 659


def test_the_index_fits_a_phone(open_page: Callable[..., Any], tmp_path: Path) -> None:
    rows = [ForestRow("A pilot", "asb", 0.8, 0.6, 1.1), ForestRow("B", "calls", -97, reported=True)]
    made = datetime(2018, 6, 1, tzinfo=UTC)
    values = {"entries": [], "states": {}, "made": made, "made_text": "1 June"}
    path = tmp_path / "index.html"
    page = render_template("index.html.j2", forest=draw_forest(rows), **values)
    path.write_text(page, encoding="utf-8")
    page = open_page(path, 390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("document.images[0].naturalWidth") > 390
    assert "ratio 0.80" in page.evaluate("document.images[0].alt")
