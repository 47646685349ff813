"""Write docs/api.md from the docstrings of the public names: ``python docs/build_api.py``."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path

import sbwork

PAGE = Path(__file__).parent / "api.md"
COMMAND = "python docs/build_api.py"
HEADING = re.compile(r"^(\w[\w ]*)\n-{3,}$", re.MULTILINE)
SHOWN = ("Parameters", "Attributes", "Returns", "Raises")


def build_page() -> str:
    """Return the page: the map of the package, then each public name."""
    names = sorted(sbwork.__all__)
    links = ", ".join(f"[`{name}`](#{name.lower()})" for name in names)
    parts = [
        "# The public names",
        f"Made from the docstrings by `{COMMAND}`; correct them there. "
        "`import sbwork as sb`, then `sb.NAME`.",
        links,
        *(describe(name) for name in names),
    ]
    return "\n\n".join(parts) + "\n"


def describe(name: str) -> str:
    """Return the part of one name: its signature, its summary, and what goes in and out."""
    value = getattr(sbwork, name)
    summary, sections = split(inspect.getdoc(value) or "")
    parts = [f"## {name}"]
    if not inspect.isclass(value):
        parts.append(f"```text\n{name}{sign(value)}\n```")
    parts.append(summary)
    for title in SHOWN:
        if title in sections:
            parts.append(f"**{title}**\n\n```text\n{sections[title]}\n```")
    source = inspect.getsourcefile(value)
    path = Path(source or "").resolve().relative_to(PAGE.parents[1].resolve())
    parts.append(f"Source: [{path.as_posix()}](../{path.as_posix()})")
    return "\n\n".join(parts)


def split(text: str) -> tuple[str, dict[str, str]]:
    """Part a NumPy docstring into what stands before its sections, and the sections."""
    before, *rest = HEADING.split(text)
    sections = {title: body.strip("\n") for title, body in zip(rest[::2], rest[1::2], strict=True)}
    return before.strip(), sections


def sign(function: Callable[..., object]) -> str:
    """Return how a function is called; the types are in its docstring, as people say them."""
    signature = inspect.signature(function)
    bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    text = str(signature.replace(parameters=bare, return_annotation=signature.empty))
    return text if len(text) < 80 else text.replace("(", "(\n    ", 1).replace(", ", ",\n    ")


if __name__ == "__main__":
    PAGE.write_text(build_page(), encoding="utf-8", newline="\n")
