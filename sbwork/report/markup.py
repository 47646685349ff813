"""A small tree of HTML: read from what notebooks show, made safe, written out again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from html.parser import HTMLParser

__all__ = ["Element", "clean_tree", "parse_fragment"]

VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}
)
_RAW = frozenset({"script", "style"})
_APART = frozenset({"p", "td", "th", "li", "br", "div", "tr"})

_DROPPED = frozenset(
    {"script", "iframe", "object", "embed", "applet", "link", "meta", "base", "frame", "frameset"}
    | {"form", "input", "button", "select", "textarea", "noscript", "template", "portal"}
    | {"audio", "video", "source", "metadata", "foreignobject"}
)
_UNWRAPPED = frozenset({"html", "body", "head", "center", "font"})

# HTML's parser folds case; SVG's names keep theirs when the page is read as XML later on.
_SVG_CASE = {
    name.lower(): name
    for name in (
        *("viewBox", "preserveAspectRatio", "clipPath", "clipPathUnits", "linearGradient"),
        *("radialGradient", "gradientUnits", "gradientTransform", "markerWidth", "markerHeight"),
        *("markerUnits", "refX", "refY", "patternUnits", "patternTransform", "textLength"),
        *("lengthAdjust", "textPath", "pathLength"),
    )
}

_SAFE_LINK = re.compile(r"(?i)^(?:https?:|mailto:|tel:|#|[^:]*$)")
_INLINE_IMAGE = re.compile(r"(?i)^data:image/(?:png|jpeg|gif|webp|svg\+xml)[;,]")
_NETWORK_CSS = re.compile(r"(?is)@import[^;]*;?|url\(\s*['\"]?(?!\s*(?:data:|#))[^)]*\)")


@dataclass(slots=True)
class Element:
    """One element of the tree, or the nameless root.

    Attributes
    ----------
    tag : str
        Its name in small letters; empty for the root.
    attributes : dict of str to str
        In order.
    children : list of Element or str
        Text is kept unescaped.
    """

    tag: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Element | str] = field(default_factory=list)

    def __str__(self) -> str:
        return "".join(self._write())

    @property
    def text(self) -> str:
        """The text inside, tags taken away and white space made single."""
        return " ".join("".join(self._list_text()).split())

    def walk(self) -> Iterator[Element]:
        """Go through this element and all within it, in document order."""
        yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child.walk()

    def find(self, *tags: str) -> Iterator[Element]:
        """Go through the elements within of these names, in document order."""
        return (element for element in self.walk() if element.tag in tags)

    def add_class(self, name: str) -> None:
        """Add one class."""
        names = self.attributes.get("class", "").split()
        if name not in names:
            self.attributes["class"] = " ".join([*names, name])

    def _list_text(self) -> Iterator[str]:
        for child in self.children:
            if isinstance(child, str):
                yield child
            elif child.tag not in _RAW:
                yield from child._list_text()
                if child.tag in _APART:
                    yield " "

    def _write(self) -> Iterator[str]:
        if self.tag:
            yield f"<{self.tag}"
            for name, value in self.attributes.items():
                yield f' {name}="{escape(value)}"'
            yield ">"
        if self.tag in VOID:
            return
        for child in self.children:
            if isinstance(child, Element):
                yield from child._write()
            else:
                yield child if self.tag in _RAW else escape(child, quote=False)
        if self.tag:
            yield f"</{self.tag}>"


class _Builder(HTMLParser):
    """Build the tree; what is left open is closed at the end of the fragment."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element()
        self.stack = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        name = _SVG_CASE.get(tag, tag)
        attributes = {_SVG_CASE.get(key, key): value or "" for key, value in attrs}
        element = Element(name, attributes)
        self.stack[-1].children.append(element)
        if tag not in VOID:
            self.stack.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        depth = len(self.stack)
        self.handle_starttag(tag, attrs)
        in_svg = any(element.tag == "svg" for element in self.stack)
        if in_svg:
            del self.stack[depth:]

    def handle_endtag(self, tag: str) -> None:
        name = _SVG_CASE.get(tag, tag)
        for depth in range(len(self.stack) - 1, 0, -1):
            if self.stack[depth].tag == name:
                del self.stack[depth:]
                return

    def handle_data(self, data: str) -> None:
        self.stack[-1].children.append(data)


def parse_fragment(html: str) -> Element:
    """Read a fragment of HTML into a tree; unbalanced tags stay inside the fragment.

    Examples
    --------
    >>> str(parse_fragment("<p>n = 5 &lt; 10<b>!</div>"))
    '<p>n = 5 &lt; 10<b>!</b></p>'
    """
    builder = _Builder()
    builder.feed(html)
    builder.close()
    return builder.root


def clean_tree(root: Element) -> Element:
    """Take out whatever acts, or reaches for the network; tables lose styles of their own.

    Parameters
    ----------
    root : Element
        Changed in place.

    Returns
    -------
    Element
        The same tree. Scripts, forms, frames and event handlers are gone; pictures hold their
        own bytes; a ``style`` element stays only inside a drawing.

    Examples
    --------
    >>> str(clean_tree(parse_fragment('<p onclick="x()">Hi<script>x()</script></p>')))
    '<p>Hi</p>'
    """
    root.children = list(_clean_children(root, in_svg=False))
    return root


def _clean_children(parent: Element, *, in_svg: bool) -> Iterator[Element | str]:
    for child in parent.children:
        if isinstance(child, str):
            yield child
            continue
        tag = child.tag.lower()
        inside = in_svg or tag == "svg"
        if tag in _DROPPED or (tag == "style" and not inside):
            continue
        if tag == "style":
            child.children = [_clean_css(part) for part in child.children if isinstance(part, str)]
            yield child
            continue
        child.attributes = dict(_clean_attributes(child, inside))
        child.children = list(_clean_children(child, in_svg=inside))
        if tag in _UNWRAPPED:
            yield from child.children
        elif tag == "img" and not child.attributes.get("src"):
            yield Element("em", {}, [child.attributes.get("alt") or "A picture is missing here."])
        else:
            yield child


def _clean_attributes(element: Element, in_svg: bool) -> Iterator[tuple[str, str]]:
    for name, value in element.attributes.items():
        key = name.lower()
        if key.startswith("on") or key in {"srcset", "background", "ping", "formaction", "srcdoc"}:
            continue
        if key == "src" and not _INLINE_IMAGE.match(value.strip()):
            continue
        if key in {"href", "xlink:href"}:
            text = re.sub(r"[\x00-\x20]", "", value)
            if element.tag != "a" and not text.startswith(("#", "data:image/")):
                continue
            if element.tag == "a" and not _SAFE_LINK.match(text):
                continue
        yield name, _clean_css(value) if key == "style" or in_svg else value


def _clean_css(css: str) -> str:
    return _NETWORK_CSS.sub("", css)
