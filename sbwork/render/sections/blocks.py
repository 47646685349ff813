"""What a section is made of: paragraphs, lists, tables and pictures in reading order."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from sbwork.render.pictures import Picture

if TYPE_CHECKING:
    from great_tables import GT

__all__ = ["Bullets", "Section"]


@dataclass(frozen=True)
class Bullets:
    """A list of short sentences."""

    points: tuple[str, ...]

    def _repr_html_(self) -> str:
        return "<ul>" + "".join(f"<li>{escape(point)}</li>" for point in self.points) + "</ul>"


@dataclass(frozen=True)
class Section:
    """Paragraphs, tables and pictures in reading order; a notebook shows it as it stands.

    Attributes
    ----------
    blocks : list
        Text (one paragraph), `Bullets`, `Picture` or a great-tables table.
    """

    blocks: list[str | Bullets | Picture | GT] = field(default_factory=list)

    @property
    def pictures(self) -> list[Picture]:
        """The pictures of the section."""
        return [block for block in self.blocks if isinstance(block, Picture)]

    def _repr_html_(self) -> str:
        return "\n".join(_render(block) for block in self.blocks)


def _render(block: Any) -> str:
    if isinstance(block, str):
        return f"<p>{escape(block)}</p>"
    return str(block._repr_html_())
