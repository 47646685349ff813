"""An executed notebook as one self-contained page: semantic HTML, no code, no network."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbwork.specs.cohort import Cohort

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag
    from nbformat import NotebookNode

__all__ = ["Notice", "choose_notice", "clean_html", "format_date", "render_page", "render_template"]

_SHOWN = ("text/html", "text/markdown", "image/svg+xml", "image/png", "image/jpeg", "text/plain")
_REPR = re.compile(r"^\[?<.*>\]?$", re.DOTALL)
_HEADINGS = ["h1", "h2", "h3", "h4", "h5", "h6"]
_NUMBER = re.compile(
    r"^[<>≤≥~≈=±]?\s*[-−+–]?[£$€]?(?:\d[\d,\u202f\u00a0 ]*)?(?:\.\d+)?\d*\s*(?:%|pp|×|SD)?"
    r"(?:\s*[\[(].{1,40}[\])])?\*{0,3}$"
)
_MISSING = {"", "-", "–", "—", "n/a", "NaN", "not known", "suppressed"}
_FEW_COLUMNS = 3
_MANY_COLUMNS = 7
_SHORT_ROWS = 14
_LONGEST_HEAD = 40
_NOTICES = {
    "invented": (
        "Invented data",
        "The files behind this report were made up to show how it works. "
        "No person or place is described by them.",
    ),
    "reported": (
        "As reported, not measured",
        "The figures in this report are as others reported them. None of them could be checked.",
    ),
    "rehearsal": (
        "Rehearsal: nothing was done in these areas",
        "The records are real; they test the method, not any work.",
    ),
}

_TAGS = {"section", "tfoot"}
_SVG_TAGS = {
    *("svg", "g", "defs", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon"),
    *("text", "tspan", "title", "desc", "clipPath", "linearGradient", "radialGradient", "stop"),
}
_ATTRIBUTES = {
    *("id", "class", "lang", "dir", "title", "role", "tabindex", "style"),
    *("scope", "headers", "colspan", "rowspan", "abbr", "start", "value", "datetime"),
}
_SVG_ATTRIBUTES = {
    *("viewBox", "preserveAspectRatio", "xmlns", "width", "height", "transform", "d", "points"),
    *("x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r", "rx", "ry", "dx", "dy", "offset"),
    *("fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-opacity"),
    *("opacity", "text-anchor", "font-size", "font-weight", "font-family", "stop-color"),
}
_INLINE_IMAGE = re.compile(r"(?i)^\s*data:image/(?:png|jpeg|gif|webp|svg\+xml)[;,]")


@dataclass(frozen=True, slots=True)
class Notice:
    """What every page of a report must say about its data.

    `label` is repeated on each printed page; the banner begins with `head` and goes on with
    `text`.
    """

    label: str
    head: str
    text: str


def choose_notice(cohort: Cohort) -> Notice | None:
    """Return the notice that a cohort's pages carry; none where real data show a real pilot."""
    status: str = cohort.data_status
    if status == "real":
        status = "rehearsal" if cohort.rehearsal else ""
    if not status and not cohort.notice:
        return None
    label, usual = _NOTICES.get(status, ("Note", ""))
    head, colon, rest = cohort.notice.partition(": ")
    if colon and len(head) <= _LONGEST_HEAD:
        return Notice(label, head, rest[:1].upper() + rest[1:])
    return Notice(label, label, cohort.notice or usual)


def render_page(
    notebook: NotebookNode, cohort: Cohort, *, base: Path | None = None, made: datetime
) -> str:
    """Turn an executed notebook into one HTML document that needs no other file.

    Its title is the notebook's first heading of level one, else the cohort's. Code, errors and
    widgets are left out; pictures named in Markdown are looked for in `base`.
    """
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(_export_cells(notebook, base), "html.parser")
    for plain in soup.select(".mathjax_ignore"):
        plain.unwrap()
    title = _take_title(soup) or cohort.display_title
    for image in soup.find_all("img"):
        _frame_image(soup, image)
    for table in soup.find_all("table"):
        _frame_table(soup, table)
    lead, sections = _divide(soup)
    contents = list(_number_headings(sections))
    _mark_summary(soup, lead, sections)
    return render_template(
        "report.html.j2",
        title=title,
        cohort=cohort,
        notice=choose_notice(cohort),
        lead=str(lead) if lead.get_text(strip=True) or lead.find(["img", "svg"]) else "",
        sections=[str(section) for section in sections],
        contents=contents,
        made=made,
        made_text=format_date(made),
    )


def render_template(name: str, **values: Any) -> str:
    """Fill one of the package's page templates; ``css`` holds the style sheet."""
    return str(_load_templates().get_template(name).render(css=_read_css(), **values))


def format_date(moment: datetime) -> str:
    """Write a date as British readers do: 1 June 2018."""
    return f"{moment.day} {moment:%B %Y}"


def clean_html(html: str) -> str:
    """Take out whatever acts or reaches for the network, and close what was left open."""
    import nh3

    return nh3.clean(
        html,
        tags=nh3.ALLOWED_TAGS | _TAGS | _SVG_TAGS,
        attributes={
            "*": _ATTRIBUTES,
            "a": {"href"},
            "img": {"src", "alt"},
            **dict.fromkeys(_SVG_TAGS, _ATTRIBUTES | _SVG_ATTRIBUTES),
        },
        attribute_filter=_filter_attribute,
        clean_content_tags={"script", "style", "template", "noscript", "iframe", "object"},
        filter_style_properties={"text-align"},
        generic_attribute_prefixes={"aria-"},
        link_rel=None,
        url_schemes={"http", "https", "mailto", "tel", "data"},
    )


def _filter_attribute(tag: str, name: str, value: str) -> str | None:
    """Keep what a picture holds itself, and no data, script or file elsewhere."""
    if name == "src":
        return value if _INLINE_IMAGE.match(value) else None
    reaches = value.startswith("data:") if name == "href" else "url(" in value.lower()
    return None if reaches else value


@cache
def _load_templates() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("sbwork.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _read_css() -> str:
    return (Path(__file__).parent / "templates" / "page.css").read_text(encoding="utf-8")


def _export_cells(notebook: NotebookNode, base: Path | None) -> str:
    """Export what the cells show; what precedes the parameters is for those who open the file."""
    from nbconvert.exporters import HTMLExporter
    from traitlets.config import Config

    node = deepcopy(notebook)
    for number, cell in enumerate(notebook.cells, start=1):
        if "parameters" in cell.metadata.get("tags", []):
            node.cells = node.cells[number:]
    for cell in node.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if _is_shown(output)]
    exporter = HTMLExporter(
        config=Config({"NbConvertBase": {"display_data_priority": list(_SHOWN)}}),
        extra_template_basedirs=[str(Path(__file__).parent / "templates")],
        template_name="cells",
        exclude_input=True,
        exclude_anchor_links=True,
        embed_images=base is not None,
    )
    exporter.register_filter("clean_html", clean_html)
    return str(exporter.from_notebook_node(node, {"metadata": {"path": str(base or "")}})[0])


def _is_shown(output: Mapping[str, Any]) -> bool:
    """Leave out errors, warnings, widgets and bare representations such as ``<Axes: >``."""
    if output["output_type"] not in {"display_data", "execute_result"}:
        return bool(output["output_type"] == "stream" and output["name"] == "stdout")
    data = output["data"]
    if any(name.startswith("application/vnd.jupyter.widget") for name in data):
        return False
    kind = next((kind for kind in _SHOWN if kind in data), None)
    return kind is not None and not (kind == "text/plain" and _REPR.match(data[kind]))


def _take_title(soup: BeautifulSoup) -> str:
    """Take the first heading of level one; of the rest, none steps down more than one level."""
    first = soup.find("h1")
    if first is not None:
        first.extract()
    level = 1
    for heading in soup.find_all(_HEADINGS):
        level = min(max(int(heading.name[1]), 2), level + 1)
        heading.name = f"h{level}"
    return "" if first is None else first.get_text(" ", strip=True)


def _divide(soup: BeautifulSoup) -> tuple[Tag, list[Tag]]:
    """Part the page at its headings of the second level."""
    for wrapper in soup.find_all(["div", "section", "article"]):
        if wrapper.find("h2"):
            wrapper.unwrap()
    lead = soup.new_tag("div", attrs={"class": "lead"})
    parts = [lead]
    for block in list(soup.contents):
        if getattr(block, "name", None) == "h2":
            parts.append(soup.new_tag("section"))
        parts[-1].append(block.extract())
    return lead, parts[1:]


def _number_headings(sections: list[Tag]) -> Iterator[dict[str, str]]:
    """Give every heading an anchor of its own, and list those of the second level."""
    used = {"contents", "main", "notice"}
    for section in sections:
        for heading in section.find_all(["h2", "h3"]):
            text = heading.get_text(" ", strip=True)
            base = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "section"
            anchor, number = base, 2
            while anchor in used:
                anchor, number = f"{base}-{number}", number + 1
            used.add(anchor)
            heading["id"] = anchor
            if heading.name == "h2":
                section["aria-labelledby"] = anchor
                yield {"id": anchor, "text": text}


def _frame_image(soup: BeautifulSoup, image: Tag) -> None:
    """Set a picture in a box to scroll in; one that could not be taken in leaves its words."""
    if not image.get("src"):
        missing = soup.new_tag("em", string=image.get("alt") or "A picture is missing here.")
        image.replace_with(missing)
        return
    attributes = {"class": "figure-box", "role": "group", "tabindex": "0", "aria-label": "Figure"}
    image.wrap(soup.new_tag("div", attrs=attributes))


def _frame_table(soup: BeautifulSoup, table: Tag) -> None:
    """Set a table in a box to scroll in, its title above and its notes below, outside the box."""
    title = soup.new_tag("p", attrs={"class": "table-caption"})
    for cell in table.select("tr.gt_heading > *"):
        known = {"id": cell["id"]} if cell.get("id") else {}
        part = soup.new_tag("span" if title.contents else "b", attrs=known)
        part.extend(list(cell.contents))
        title.append(part)
    notes = soup.new_tag("div", attrs={"class": "table-notes"})
    for cell in table.select("tfoot .gt_sourcenote, tfoot .gt_footnote"):
        note = soup.new_tag("p")
        note.extend(list(cell.contents))
        notes.append(note)
    for part in table.select("tr.gt_heading" + (", tfoot" if notes.contents else "")):
        part.decompose()
    rows = [row.find_all(["td", "th"]) for row in table.find_all("tr")]
    width = max((sum(int(cell.get("colspan", 1)) for cell in row) for row in rows), default=0)
    if "gt_table" not in table.get("class", []):
        _align_numbers([row for row in rows if len(row) == width])
    for cell in table.select("thead th:not([scope])"):
        cell["scope"] = "col"
    size = "few" if width <= _FEW_COLUMNS else "many" if width >= _MANY_COLUMNS else "some"
    named = title.b or table.caption
    attributes = {"class": f"table-box columns-{size}", "role": "region", "tabindex": "0"}
    attributes["aria-label"] = named.get_text(" ", strip=True) if named else "Table"
    length = "table table-short" if len(rows) <= _SHORT_ROWS else "table"
    box = table.wrap(soup.new_tag("div", attrs=attributes))
    box.wrap(soup.new_tag("div", attrs={"class": length}))
    if title.contents:
        box.insert_before(title)
    if notes.contents:
        box.insert_after(notes)


def _align_numbers(rows: list[list[Tag]]) -> None:
    """Mark the columns whose every filled cell is a number, head and body alike."""
    body = [row for row in rows if any(cell.name == "td" for cell in row)]
    for column in range(len(rows[0]) if rows else 0):
        texts = {row[column].get_text(" ", strip=True) for row in body} - _MISSING
        if texts and all(_NUMBER.match(text) for text in texts):
            for row in rows:
                row[column]["class"] = [*row[column].get("class", []), "number"]


def _mark_summary(soup: BeautifulSoup, lead: Tag, sections: list[Tag]) -> None:
    """Set off the opening paragraph: the one before any heading, else the first section's."""
    first = lead.find("p", recursive=False)
    if first is not None:
        first.wrap(soup.new_tag("div", attrs={"class": "summary"}))
    elif sections and sections[0].h2.get_text(strip=True).lower() in {"summary", "in brief"}:
        sections[0]["class"] = "summary"
