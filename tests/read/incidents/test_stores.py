"""The DuckDB database that tables are read in."""

from __future__ import annotations

from sbwork.read.incidents.stores import open_store


def test_store_loads_nothing_from_outside() -> None:
    store = open_store()
    settings = store.execute(
        "SELECT value FROM duckdb_settings() WHERE name IN "
        "('autoinstall_known_extensions', 'autoload_known_extensions')"
    ).fetchall()
    assert {value.lower() for (value,) in settings} == {"false"}
