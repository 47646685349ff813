"""How every figure looks."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = [
    "AFTER",
    "BEFORE",
    "CONTROL",
    "INK",
    "INTERVENTION",
    "RULE",
    "SMALLEST_TEXT",
    "STYLE",
    "use_style",
]

INTERVENTION = "#0b3c6f"
CONTROL = "#d1730f"
BEFORE = "#8a97a6"
AFTER = "#0b3c6f"
INK = "#1d2733"
RULE = "#c9d1da"
SMALLEST_TEXT = 9.5
"""Points, in a figure 9.2 inches wide: 7 points and a little once it is printed 176 mm wide."""

STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10.5,
    "axes.edgecolor": RULE,
    "axes.labelcolor": INK,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "grid.color": "#e6eaef",
    "legend.frameon": False,
    "figure.facecolor": "white",
    "svg.fonttype": "path",
    "text.parse_math": False,
    "svg.hashsalt": "sbwork",
}
"""How every figure looks; two hues that stay apart in grey and to colour-blind readers."""


@contextmanager
def use_style() -> Iterator[None]:
    """Draw in this style, without the warnings of libraries about each other's newer versions."""
    from matplotlib import rc_context

    with rc_context(STYLE), warnings.catch_warnings():
        for words in ("use_inf_as_na", "vert: bool", "Pandas4Warning", "copy keyword"):
            warnings.filterwarnings("ignore", message=f".*{words}.*")
        yield
