"""An executed notebook as one self-contained page: semantic HTML, no code, no network."""

from __future__ import annotations

import base64
import mimetypes
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from sbwork.report.markup import Element, clean_tree, parse_fragment
from sbwork.specs.cohort import Cohort

__all__ = ["Notice", "choose_notice", "format_date", "render_page", "render_template"]

_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_NUMBER = re.compile(
    r"^[<>≤≥~≈=±]?\s*[-−+–]?[£$€]?(?:\d[\d,\u202f\u00a0 ]*)?(?:\.\d+)?\d*\s*(?:%|pp|×|SD)?"
    r"(?:\s*[\[(].{1,40}[\])])?\*{0,3}$"
)
_MISSING = {"", "-", "–", "—", "n/a", "NaN", "not known", "suppressed"}
_INTERVAL = re.compile(r"\[[^\]\n]{1,28}\]|\([^)\n]{1,28}\)")
_REPR = re.compile(r"^\[?<.*>\]?$", re.DOTALL)
_FEW_COLUMNS = 3
_MANY_COLUMNS = 7
_SHORT_ROWS = 14
_SHORT_TEXT = 16
_LONGEST_HEAD = 40


@dataclass(frozen=True, slots=True)
class Notice:
    """What every page of a report must say about its data.

    Attributes
    ----------
    label : str
        A few words, repeated on each printed page.
    head, text : str
        How the banner begins, and what it goes on to say.
    """

    label: str
    head: str
    text: str


def choose_notice(cohort: Cohort) -> Notice | None:
    """Return the notice that a cohort's pages carry; none where real data show a real pilot.

    Examples
    --------
    >>> choose_notice(Cohort(name="pilot", data_status="invented")).label
    'Invented data'
    """
    if cohort.data_status == "invented":
        label = "Invented data"
        usual = (
            "The files behind this report were made up to show how it works. "
            "No person or place is described by them."
        )
    elif cohort.data_status == "reported":
        label = "As reported, not measured"
        usual = (
            "The figures in this report are as others reported them. None of them could be checked."
        )
    elif cohort.rehearsal:
        label = "Rehearsal: nothing was done in these areas"
        usual = "The records are real; they test the method, not any work."
    elif cohort.notice:
        label, usual = "Note", ""
    else:
        return None
    head, colon, rest = cohort.notice.partition(": ")
    if colon and len(head) <= _LONGEST_HEAD:
        return Notice(label, head, rest[:1].upper() + rest[1:])
    return Notice(label, label, cohort.notice or usual)


def render_page(
    notebook: Mapping[str, Any], cohort: Cohort, *, base: Path | None = None, made: datetime
) -> str:
    """Turn an executed notebook into a page.

    Parameters
    ----------
    notebook : mapping
        The notebook as its JSON has it, outputs included.
    cohort : Cohort
        Names the page where the notebook has no heading of the first level, and gives the
        notice.
    base : Path, optional
        The folder that pictures named in Markdown are looked for in.
    made : datetime
        When the report was made.

    Returns
    -------
    str
        One HTML document that needs no other file. Code, errors and widgets are left out; raw
        HTML in Markdown is shown as text.
    """
    blocks = Element()
    for cell in _skip_preface(notebook["cells"]):
        for html in _show_cell(cell, base):
            blocks.children.extend(clean_tree(parse_fragment(html)).children)
    title, lead, sections = _divide(blocks, cohort.display_title)
    contents = _number_headings(sections)
    for part in (lead, *sections):
        _improve(part)
    _mark_summary(lead, sections)
    return render_template(
        "report.html.j2",
        title=title,
        cohort=cohort,
        notice=choose_notice(cohort),
        lead=str(lead) if lead.text or any(lead.find("img", "svg")) else "",
        sections=[str(section) for section in sections],
        contents=contents,
        made=made,
        made_text=format_date(made),
    )


def render_template(name: str, **values: Any) -> str:
    """Fill one of the package's page templates; ``css`` holds the style sheet."""
    return str(_load_templates().get_template(name).render(css=_read_css(), **values))


def format_date(moment: datetime) -> str:
    """Write a date as British readers do.

    Examples
    --------
    >>> format_date(datetime(2018, 6, 1))
    '1 June 2018'
    """
    return f"{moment.day} {moment:%B %Y}"


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


@cache
def _load_markdown() -> Any:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def _skip_preface(cells: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Leave out what stands before the parameters: it speaks to whoever opens the notebook."""
    for index, cell in enumerate(cells):
        if "parameters" in cell["metadata"].get("tags", []):
            return cells[index + 1 :]
    return cells


def _show_cell(cell: Mapping[str, Any], base: Path | None) -> Iterator[str]:
    if cell["cell_type"] == "markdown":
        yield _show_markdown("".join(cell["source"]), base, cell.get("attachments", {}))
    elif cell["cell_type"] == "code" and "hide-output" not in cell["metadata"].get("tags", []):
        for output in cell.get("outputs", []):
            yield _show_output(output, base)


def _show_output(output: Mapping[str, Any], base: Path | None) -> str:
    kind = output["output_type"]
    if kind == "stream":
        text = "".join(output["text"])
        return str(Element("pre", {}, [text])) if output["name"] == "stdout" else ""
    if kind not in {"display_data", "execute_result"}:
        return ""
    data = output["data"]
    if any(name.startswith("application/vnd.jupyter.widget") for name in data):
        return ""
    if "text/html" in data:
        return "".join(data["text/html"])
    if "text/markdown" in data:
        return _show_markdown("".join(data["text/markdown"]), base, {})
    if "image/svg+xml" in data:
        return f"<figure>{''.join(data['image/svg+xml'])}</figure>"
    for name in ("image/png", "image/jpeg"):
        if name in data:
            alt = output.get("metadata", {}).get("alt", "A figure, described in the text around it")
            source = f"data:{name};base64,{''.join(data[name].split())}"
            return str(Element("figure", {}, [Element("img", {"src": source, "alt": alt})]))
    text = "".join(data.get("text/plain", ""))
    return "" if not text or _REPR.match(text) else str(Element("pre", {}, [text]))


def _show_markdown(source: str, base: Path | None, attachments: Mapping[str, Any]) -> str:
    root = parse_fragment(_load_markdown().render(source))
    for image in root.find("img"):
        image.attributes["src"] = _embed(image.attributes.get("src", ""), base, attachments)
    return str(root)


def _embed(source: str, base: Path | None, attachments: Mapping[str, Any]) -> str:
    if source.startswith("attachment:"):
        for kind, content in attachments.get(source.partition(":")[2], {}).items():
            return f"data:{kind};base64,{''.join(content)}"
    if base is None or ":" in source:
        return source
    path = (base / unquote(source)).resolve()
    if not path.is_relative_to(base.resolve()) or not path.is_file():
        return ""
    kind = mimetypes.guess_type(path.name)[0] or "image/png"
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _divide(blocks: Element, title: str) -> tuple[str, Element, list[Element]]:
    """Part the page at its headings of the second level; the first of level one is its title."""
    flat = list(_flatten(blocks))
    named = next((b for b in flat if isinstance(b, Element) and b.tag == "h1"), None)
    if named is not None:
        title = named.text
        flat.remove(named)
    _even_levels([h for b in flat if isinstance(b, Element) for h in b.find(*_HEADINGS)])
    lead = Element("div", {"class": "lead"})
    sections: list[Element] = []
    for block in flat:
        if isinstance(block, Element) and block.tag == "h2":
            sections.append(Element("section", {}, [block]))
        else:
            (sections[-1] if sections else lead).children.append(block)
    return title, lead, sections


def _flatten(blocks: Element) -> Iterator[Element | str]:
    """Go through the blocks, stepping inside plain wrappers that hold headings of the page."""
    for child in blocks.children:
        wraps = isinstance(child, Element) and child.tag in {"div", "section", "article"}
        if wraps and isinstance(child, Element) and any(child.find("h1", "h2")):
            yield from _flatten(child)
        else:
            yield child


def _even_levels(headings: list[Element]) -> None:
    """Leave one heading of level one, and never step down more than one level at a time."""
    level = 1
    for heading in headings:
        level = min(max(int(heading.tag[1]), 2), level + 1)
        heading.tag = f"h{level}"


def _number_headings(sections: list[Element]) -> list[dict[str, Any]]:
    contents: list[dict[str, Any]] = []
    used: set[str] = {"contents", "main", "notice"}
    for section in sections:
        for heading in section.find("h2", "h3"):
            base = re.sub(r"[^a-z0-9]+", "-", heading.text.lower()).strip("-") or "section"
            anchor = base
            number = 2
            while anchor in used:
                anchor = f"{base}-{number}"
                number += 1
            used.add(anchor)
            heading.attributes["id"] = anchor
            entry = {"id": anchor, "text": heading.text, "inner": []}
            if heading.tag == "h2":
                section.attributes["aria-labelledby"] = anchor
                contents.append(entry)
            elif contents:
                contents[-1]["inner"].append(entry)
    return contents


def _improve(part: Element) -> None:
    """Give every table a box to scroll in, and every picture an alternative text."""
    for parent in list(part.walk()):
        if any(isinstance(child, Element) and child.tag == "table" for child in parent.children):
            parent.attributes.pop("style", None)
        parent.children = [
            _frame(child) if isinstance(child, Element) else child for child in parent.children
        ]


def _frame(element: Element) -> Element:
    if element.tag == "table":
        return _frame_table(element)
    if element.tag == "img":
        element.attributes.setdefault("alt", "")
        box = {"class": "figure-box", "role": "group", "tabindex": "0", "aria-label": "Figure"}
        return Element("div", box, [element])
    return element


def _frame_table(table: Element) -> Element:
    """Set a table in a box, its title above and its notes below, both outside the box."""
    for name in ("border", "style"):
        table.attributes.pop(name, None)
    title = _take_heading(table)
    notes = _take_notes(table)
    rows = [_list_cells(row) for row in table.find("tr")]
    width = max((sum(_span(cell) for cell in row) for row in rows), default=0)
    if "gt_table" not in table.attributes.get("class", "").split():
        _align_numbers(rows, width)
    for head in table.find("thead"):
        for cell in head.find("th"):
            cell.attributes.setdefault("scope", "col")
    for row in rows:
        for cell in row:
            _keep_together(cell)
    size = "few" if width <= _FEW_COLUMNS else "many" if width >= _MANY_COLUMNS else "some"
    length = " table-short" if len(rows) <= _SHORT_ROWS else ""
    label = next(title.find("b")).text if title is not None else ""
    caption = next(table.find("caption"), None)
    box = {"class": f"table-box columns-{size}", "role": "region", "tabindex": "0"}
    box["aria-label"] = label or (caption.text if caption is not None else "") or "Table"
    inner = [title, Element("div", box, [table]), notes]
    return Element(
        "div", {"class": f"table{length}"}, [element for element in inner if element is not None]
    )


def _take_heading(table: Element) -> Element | None:
    """Take the title rows that great-tables puts inside a table's head."""
    parts: list[Element | str] = []
    for head in table.find("thead"):
        for row in list(head.find("tr")):
            if "gt_heading" in row.attributes.get("class", "").split():
                head.children.remove(row)
                for cell in _list_cells(row):
                    known = {"id": cell.attributes["id"]} if "id" in cell.attributes else {}
                    parts.append(Element("span" if parts else "b", known, cell.children))
    return Element("p", {"class": "table-caption"}, parts) if parts else None


def _take_notes(table: Element) -> Element | None:
    notes = [
        Element("p", {}, cell.children)
        for foot in table.find("tfoot")
        for row in foot.find("tr")
        for cell in _list_cells(row)
        if "gt_sourcenote" in cell.attributes.get("class", "").split()
        or "gt_footnote" in cell.attributes.get("class", "").split()
    ]
    if not notes:
        return None
    table.children = [c for c in table.children if isinstance(c, str) or c.tag != "tfoot"]
    return Element("div", {"class": "table-notes"}, list(notes))


def _keep_together(cell: Element) -> None:
    """Break a cell's lines where it does itself, never inside an interval or a short number."""
    if len(cell.text) <= _SHORT_TEXT and "\n" not in cell.text:
        cell.add_class("short")
    parts: list[Element | str] = []
    for child in cell.children:
        if not isinstance(child, str):
            parts.append(child)
            continue
        for number, line in enumerate(child.strip().split("\n")):
            if number:
                parts.append(Element("br"))
            parts.extend(_wrap_intervals(line))
    cell.children = parts


def _wrap_intervals(line: str) -> Iterator[Element | str]:
    end = 0
    for found in _INTERVAL.finditer(line):
        yield line[end : found.start()]
        yield Element("span", {"class": "short"}, [found[0]])
        end = found.end()
    yield line[end:]


def _list_cells(row: Element) -> list[Element]:
    return [c for c in row.children if isinstance(c, Element) and c.tag in {"td", "th"}]


def _span(cell: Element) -> int:
    span = cell.attributes.get("colspan", "1")
    return int(span) if span.isdecimal() else 1


def _align_numbers(rows: list[list[Element]], width: int) -> None:
    """Mark the columns whose every filled cell is a number, head and body alike."""
    whole = [row for row in rows if len(row) == width]
    body = [row for row in whole if any(cell.tag == "td" for cell in row)]
    for column in range(width):
        filled = [row[column].text for row in body if row[column].text not in _MISSING]
        if filled and all(_NUMBER.match(text) for text in filled):
            for row in whole:
                row[column].add_class("number")


def _mark_summary(lead: Element, sections: list[Element]) -> None:
    """Set off the opening paragraph: the one before any heading, else the first section's."""
    paragraphs = [c for c in lead.children if isinstance(c, Element) and c.tag == "p"]
    if paragraphs:
        first = lead.children.index(paragraphs[0])
        box = Element("div", {"class": "summary"}, [paragraphs[0]])
        lead.children[first] = box
    elif sections and next(sections[0].find("h2")).text.lower() in {"summary", "in brief"}:
        sections[0].add_class("summary")
