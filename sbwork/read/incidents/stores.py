"""The DuckDB database in which tables of incidents are read."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

__all__ = ["open_store"]


def open_store() -> Any:
    """Open a DuckDB database in memory that neither installs nor loads anything from outside.

    Returns
    -------
    duckdb.DuckDBPyConnection
        Limited to 350 MB; past that it spills to its temporary folder.
    """
    import duckdb

    return duckdb.connect(
        config={
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "preserve_insertion_order": False,
            "memory_limit": "350MB",
            "temp_directory": str(Path(tempfile.gettempdir()) / f"sbwork-spill-{os.getpid()}"),
        }
    )
