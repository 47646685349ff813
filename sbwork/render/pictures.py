"""Figures made ready to be read: with alternative text, a caption and the data's status on them."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from sbwork.render.figures import STYLE
from sbwork.specs.cohort import Cohort

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Picture", "compose_picture", "stamp_status"]


@dataclass(frozen=True)
class Picture:
    """A figure with what a reader who can't see it needs.

    Attributes
    ----------
    name : str
        Its file name without an ending.
    figure : matplotlib.figure.Figure
        The drawing.
    alt : str
        What it shows, in words, with its numbers.
    caption : str
        What to look at.
    """

    name: str
    figure: Figure
    alt: str
    caption: str

    def render(self, kind: str) -> bytes:
        """Return the figure as ``"svg"`` or ``"png"``; the same figure gives the same bytes."""
        from matplotlib import rc_context

        buffer = io.BytesIO()
        metadata = {"Date": None} if kind == "svg" else {"Software": None}
        with rc_context(STYLE):
            self.figure.savefig(buffer, format=kind, dpi=200, metadata=metadata)
        return buffer.getvalue()

    def save(self, folder: Path) -> None:
        """Write the figure into `folder` as SVG and PNG."""
        folder.mkdir(parents=True, exist_ok=True)
        for kind in ("svg", "png"):
            (folder / f"{self.name}.{kind}").write_bytes(self.render(kind))

    def _repr_html_(self) -> str:
        data = base64.b64encode(self.render("svg")).decode("ascii")
        return (
            f'<figure id="figure-{escape(self.name)}">'
            f'<img src="data:image/svg+xml;base64,{data}" alt="{escape(self.alt)}">'
            f"<figcaption>{escape(self.caption)}</figcaption></figure>"
        )


def compose_picture(
    cohort: Cohort,
    name: str,
    draw: Callable[[Figure], None],
    *,
    size: tuple[float, float],
    alt: str,
    caption: str,
) -> Picture:
    """Make a figure of `size` inches, let `draw` fill it, and stamp the data's status on it."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        stamp_status(figure, cohort)
    status = describe_status(cohort)
    return Picture(name, figure, f"{status} {alt}".strip(), f"{caption} {status}".strip())


def describe_status(cohort: Cohort) -> str:
    """Return the words that must stand on everything made of this cohort's data, if any."""
    if cohort.data_status == "invented":
        return "Invented data."
    if cohort.data_status == "reported":
        return "As reported, not measured."
    return "Rehearsal: nothing was done in these areas." if cohort.rehearsal else ""


def stamp_status(figure: Figure, cohort: Cohort) -> None:
    """Write the data's status above the drawing, where a copied figure keeps it."""
    status = describe_status(cohort)
    if status:
        figure.suptitle(
            status.rstrip(".").upper() if cohort.data_status == "invented" else status,
            x=0.995,
            ha="right",
            fontsize=9.5,
            fontweight="bold",
            color="#9a3412",
        )
