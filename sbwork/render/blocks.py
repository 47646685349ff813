"""What a section is made of: paragraphs, lists, tables and pictures in reading order."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbwork.render.style import STYLE, fit_text, use_style
from sbwork.specs.cohort import Cohort

if TYPE_CHECKING:
    from great_tables import GT
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


SECTION_TYPE = "application/vnd.sbwork.section+json"
"""The type under which a notebook keeps a section's blocks, beside their HTML."""

PLAIN_CLASS = "mathjax_ignore tex2jax_ignore"
"""What keeps notebooks from reading formulas between two dollar signs."""

_LETTERS = 8.5
"""How many letters of a panel's title stand on an inch, beside the status of the data."""

_NOTHING = "Nothing was given that could be shown here."


@dataclass(frozen=True)
class Bullets:
    """A list of short sentences."""

    points: tuple[str, ...]

    def _repr_html_(self) -> str:
        return "<ul>" + "".join(f"<li>{escape(point)}</li>" for point in self.points) + "</ul>"


@dataclass(frozen=True)
class Table:
    """A table of text that is already formatted, from which every output format is written.

    `rows` has one mapping of column to text a row, all with the same keys; without any, the table
    says that there is nothing to show. `name` is unique in its page. `stub` and `group` are the
    columns that name the rows and the groups of rows; `spanners` are headings over several
    columns; `labels` are printed in place of a column's key, and may repeat. Columns in `text` are
    words, set left; the rest are numbers, set right. Of `notes`, repeats are printed once.
    """

    rows: Sequence[Mapping[str, str]]
    name: str
    title: str
    subtitle: str = ""
    stub: str = ""
    group: str = ""
    spanners: Mapping[str, Sequence[str]] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    text: Sequence[str] = ()
    notes: Iterable[str] = ()

    def __post_init__(self) -> None:
        values: dict[str, Any] = {
            "rows": tuple(dict(row) for row in self.rows),
            "spanners": {heading: tuple(columns) for heading, columns in self.spanners.items()},
            "labels": dict(self.labels),
            "text": tuple(self.text),
            "notes": tuple(dict.fromkeys(note for note in self.notes if note)),
        }
        if not self.rows:
            nothing = ({self.stub or "Result": _NOTHING},)
            values |= {"rows": nothing, "group": "", "spanners": {}, "labels": {}, "text": ()}
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def columns(self) -> list[str]:
        """The columns, in order, the stub and the group among them."""
        return list(self.rows[0])

    def as_gt(self) -> GT:
        """Return the great-tables table that writes the HTML; it escapes all text."""
        import pandas as pd
        from great_tables import GT

        table = GT(
            pd.DataFrame(list(self.rows)),
            rowname_col=self.stub or None,
            groupname_col=self.group or None,
            id=f"table-{self.name}",
        ).tab_header(self.title, self.subtitle or None)
        if self.stub:
            table = table.tab_stubhead(self.stub)
        for heading, columns in self.spanners.items():
            table = table.tab_spanner(_quote_heading(heading), list(columns), id=heading)
        if self.labels:
            table = table.cols_label({k: _quote_heading(text) for k, text in self.labels.items()})
        numbers = [c for c in self.columns if c not in {self.stub, self.group, *self.text}]
        for side, columns in (("right", numbers), ("left", list(self.text))):
            if columns:
                table = table.cols_align(side, columns)
        for note in self.notes:
            table = table.tab_source_note(note)
        return table.opt_css(
            f"#table-{self.name} td {{ white-space: pre-line; }}\n"
            f"#table-{self.name} td.gt_right {{ white-space: pre; }}"
        )

    def _repr_html_(self) -> str:
        return str(self.as_gt()._repr_html_())


def _quote_heading(text: str) -> Any:
    """Return a heading in which great-tables finds neither marks of HTML nor units in braces."""
    from great_tables import html

    return html(escape(text).replace("{", "&#123;"))


@dataclass(frozen=True)
class Picture:
    """A figure with what a reader who can't see it needs.

    `name` is its file name without an ending, `alt` says in words what it shows, with its numbers,
    `caption` says what to look at. A picture that was read back from a notebook has no figure: its
    files stand in ``figures/``.
    """

    name: str
    figure: Figure | None
    alt: str
    caption: str

    def render(self, kind: str) -> bytes:
        """Return the figure as ``"svg"`` or ``"png"``; the same figure gives the same bytes."""
        from matplotlib import rc_context

        if self.figure is None:
            raise ValueError(f"the picture '{self.name}' was read without its figure")
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
        source = f"figures/{escape(self.name)}.svg"
        if self.figure is not None:
            data = base64.b64encode(self.render("svg")).decode("ascii")
            source = f"data:image/svg+xml;base64,{data}"
        return (
            f'<figure id="figure-{escape(self.name)}">'
            f'<img src="{source}" alt="{escape(self.alt)}">'
            f"<figcaption>{escape(self.caption)}</figcaption></figure>"
        )


@dataclass(frozen=True)
class Section:
    """Paragraphs (plain text), lists, tables and pictures in reading order.

    A notebook shows it as HTML and keeps beside that its blocks as JSON, for writers of other
    formats.
    """

    blocks: Sequence[str | Bullets | Table | Picture] = ()
    topic: str = ""
    title: str = ""

    @property
    def pictures(self) -> list[Picture]:
        """The pictures of the section."""
        return [block for block in self.blocks if isinstance(block, Picture)]

    def to_dict(self) -> dict[str, Any]:
        """Return all blocks with their kind and text, of pictures all but the drawing."""
        blocks = [_describe_block(block) for block in self.blocks]
        return {"topic": self.topic, "title": self.title, "blocks": blocks}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Section:
        """Make a section from what `to_dict` returned; its pictures have no figure."""
        blocks = [_read_block(block) for block in document["blocks"]]
        return cls(blocks, document["topic"], document["title"])

    def _repr_html_(self) -> str:
        return "\n".join(
            f"<p>{escape(block)}</p>" if isinstance(block, str) else block._repr_html_()
            for block in self.blocks
        )

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        html = f'<div class="{PLAIN_CLASS}">{self._repr_html_()}</div>'
        return {"text/html": html, SECTION_TYPE: self.to_dict()}


def _describe_block(block: str | Bullets | Table | Picture) -> dict[str, Any]:
    if isinstance(block, str):
        return {"kind": "paragraph", "text": block}
    if isinstance(block, Picture):
        words = {"name": block.name, "alt": block.alt, "caption": block.caption}
        return {"kind": "picture", **words}
    return {"kind": type(block).__name__.lower(), **asdict(block)}


def _read_block(block: Mapping[str, Any]) -> str | Bullets | Table | Picture:
    fields = {key: value for key, value in block.items() if key != "kind"}
    if block["kind"] == "paragraph":
        return str(fields["text"])
    if block["kind"] == "bullets":
        return Bullets(tuple(fields["points"]))
    return Table(**fields) if block["kind"] == "table" else Picture(figure=None, **fields)


def compose_picture(
    cohort: Cohort | None,
    name: str,
    panels: Sequence[tuple[str, Callable[[Axes], None]]],
    *,
    size: tuple[float, float],
    alt: str,
    caption: str,
    columns: int = 1,
    heights: Sequence[float] = (),
    legend: Any = "",
) -> Picture:
    """Make a figure of `size` inches from titles with what draws each panel, and stamp its status.

    Panels below each other share the horizontal axis, panels beside each other the vertical one,
    unless each has a height of its own. `legend` is where one legend of all panels goes.
    """
    from matplotlib.figure import Figure

    status = describe_status(cohort)
    invented = cohort is not None and cohort.data_status == "invented"
    with use_style():
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(
            -(-len(panels) // columns),
            columns,
            squeeze=False,
            sharex=columns == 1 and not heights,
            sharey=columns > 1,
            height_ratios=heights or None,
        ).ravel()
        named: dict[str, Artist] = {}
        for number, (ax, (title, draw)) in enumerate(zip(axes, panels, strict=False)):
            draw(ax)
            ax.set_title(fit_text(title, round(size[0] * _LETTERS / columns)))
            if number % columns:
                ax.set_ylabel("")
            if columns == 1 and not heights and number < len(panels) - 1:
                ax.set_xlabel("")
            own = ax.get_legend()
            if legend and own is not None:
                own.remove()
            for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
                named.setdefault(label, handle)
        for ax in axes[len(panels) :]:
            ax.set_visible(False)
        if legend:
            figure.legend(named.values(), named.keys(), loc=legend, ncols=5, fontsize=9)
        if status:
            figure.suptitle(
                status.rstrip(".").upper() if invented else status,
                x=0.995,
                ha="right",
                fontsize=9.5,
                fontweight="bold",
                color="#9a3412",
            )
    return Picture(name, figure, f"{status} {alt}".strip(), f"{caption} {status}".strip())


def describe_status(cohort: Cohort | None) -> str:
    """Return the words that must stand on everything made of this cohort's data, if any."""
    if cohort is None:
        return ""
    if cohort.data_status == "invented":
        return "Invented data."
    if cohort.data_status == "reported":
        return "As reported, not measured."
    return "Rehearsal: nothing was done in these areas." if cohort.rehearsal else ""
