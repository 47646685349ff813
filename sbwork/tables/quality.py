"""Tables of what was read and what was left out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sbwork.formats import (
    format_count,
)
from sbwork.tables.layout import lay_out

if TYPE_CHECKING:
    from great_tables import GT
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

__all__ = ["tabulate_checks", "tabulate_dropped"]


def tabulate_checks(quality: pd.DataFrame, name: str, title: str) -> GT:
    """Lay out what was read and what was left out, with the reason."""
    rows = [
        {
            "File": row["source"],
            "What": row["check"],
            "Count": "" if math.isnan(row["count"]) else format_count(row["count"]),
            "Note": row["note"],
        }
        for _, row in quality.iterrows()
    ]
    return lay_out(rows, name=name, title=title, stub="What", group="File", text=["Note"])


def tabulate_dropped(dropped: pd.DataFrame) -> GT:
    """Lay out the columns dropped as the files were read: columns source, column and reason."""
    rows = [
        {"File": str(source), "Why": str(reason), "Columns dropped": ", ".join(columns)}
        for (source, reason), columns in dropped.groupby(["source", "reason"], sort=False)["column"]
    ]
    return lay_out(
        rows or [{"File": "", "Why": "Nothing was dropped", "Columns dropped": ""}],
        name="dropped",
        title="Columns dropped as the files were read",
        stub="Why",
        group="File",
        text=["Columns dropped"],
    )
