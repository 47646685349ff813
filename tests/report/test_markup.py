"""What is shown can't act, can't reach the network, and can't break out of its place."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbwork.report.markup import VOID, clean_tree, parse_fragment


def clean(html: str) -> str:
    return str(clean_tree(parse_fragment(html)))


@pytest.mark.parametrize(
    ("given_html", "kept"),
    [
        ("<p>a &lt;b&gt; &amp; c</p>", "<p>a &lt;b&gt; &amp; c</p>"),
        ("<script>alert(1)</script>x", "x"),
        ('<img src="http://example.org/x.png" alt="A map">', "<em>A map</em>"),
        ('<img src="//example.org/x.png">', "<em>A picture is missing here.</em>"),
        ('<a href="java\nscript:alert(1)">x</a>', "<a>x</a>"),
        ('<a href="https://doi.org/10.1">x</a>', '<a href="https://doi.org/10.1">x</a>'),
        ('<p style="background:url(https://e.org/x)">x</p>', '<p style="background:">x</p>'),
        ('<link rel="stylesheet" href="https://e.org/x.css">x', "x"),
        ("<style>@import 'https://e.org/x.css'; td {color: red}</style>x", "x"),
        ("<iframe src='https://e.org'></iframe>x", "x"),
        ("<b onmouseover=alert(1)>x</b>", "<b>x</b>"),
        ("</div></main><p>x", "<p>x</p>"),
        ("<!-- note --><p>x</p>", "<p>x</p>"),
        (
            '<svg viewBox="0 0 1 1"><image href="https://e.org/x.png"/><clipPath id="c"/></svg>',
            '<svg viewBox="0 0 1 1"><image></image><clipPath id="c"></clipPath></svg>',
        ),
    ],
)
def test_what_is_kept(given_html: str, kept: str) -> None:
    assert clean(given_html) == kept


class Auditor(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.bad: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"script", "iframe", "object", "link", "form"}:
            self.bad.append(tag)
        self.bad += [name for name, _ in attrs if name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.bad.append(f"/{tag}")


pieces = st.sampled_from(
    (
        *("<p>", "</p>", "<div>", "</div>", "<table>", "<tr>", "<td>", "</table>", "<b", ">"),
        *("<script>", "</script>", "<style>", "</style>", "<svg>", "</svg>", "<path/>", "&lt;"),
        *("<img src=x onerror=y>", "<a href='javascript:x'>", '"', "'", "<!--", "-->", "text "),
        *("<", "&", "<br>"),
    )
)


@given(st.lists(pieces, max_size=25))
def test_any_jumble_comes_out_balanced_and_inert(jumble: list[str]) -> None:
    auditor = Auditor()
    auditor.feed(clean("".join(jumble)))
    assert not auditor.bad
    assert not auditor.open


@given(st.text(max_size=60))
def test_cleaning_twice_changes_nothing(text: str) -> None:
    once = clean(f"<p>{text}</p>")
    assert clean(once) == once


@given(st.text(alphabet=st.characters(exclude_characters="<>&\r\x00"), max_size=60))
def test_text_is_kept(text: str) -> None:
    assert parse_fragment(f"<p>{text}</p>").text == " ".join(text.split())
