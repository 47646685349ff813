"""Rows without a place that are more of one period than of the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from sbwork.read.checks import CheckKind, find_losses
from sbwork.read.incidents import read_incidents
from sbwork.specs.cohort import Cohort

SITES = {"a": {"lsoas": ["E01000001"]}, "b": {"lsoas": ["E01000002"]}}
PERIODS = {
    "before": {"start": "2016-01", "end": "2016-06"},
    "after": {"start": "2017-01", "end": "2017-06"},
}
STREET = "Month,Reported by,Longitude,Latitude,LSOA code,LSOA name,Crime type"


def write_files(
    folder: Path, lost: dict[str, float], *, style: str, located: bool, only: str, elsewhere: int
) -> list[dict[str, str]]:
    """Write fifty burglaries and robberies a month and site, of which a share has no place."""
    x, y = ("-1.55", "54.75") if located else ("", "")
    tables: dict[str, list[str]] = {}
    for month in (f"{year}-{number:02d}" for year in (2016, 2017) for number in range(1, 7)):
        rows = []
        for code in ("E01000001", "E01000002", *["E01000003"] * elsewhere):
            for kind in ("Burglary", "Robbery"):
                gone = round(50 * lost[month[:4]]) if only in (kind, code, "") else 0
                rows += [(code, kind)] * (50 - gone) + [("", kind)] * gone
        name = f"{month}/{month}-durham-street.csv" if style == "street" else f"{month[:4]}.csv"
        lines = [f"{month},Durham Police,{x},{y},{code},,{kind}" for code, kind in rows]
        if style == "table":
            lines = [f"{month}-03,{code},{kind},{x},{y}" for code, kind in rows]
        tables.setdefault(name, []).extend(lines)
    header = STREET if style == "street" else "Date,LSOA,Crime type,Longitude,Latitude"
    for name, lines in tables.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("\n".join([header, *lines, ""]))
    return [{"path": str(folder / name)} for name in (tables if style == "table" else ["."])]


@pytest.mark.parametrize("style", ["street", "table"])
@pytest.mark.parametrize(
    ("lost", "keys", "uneven", "refused"),
    [
        ({"2016": 0.02, "2017": 0.4}, {}, "2% of all before and 40% after", "39%|38%"),
        ({"2016": 0.4, "2017": 0.02}, {}, "counts before may be too low", "38%"),
        ({"2016": 0.02, "2017": 0.1}, {}, "2% of all before and 10% after", ""),
        ({"2016": 0.1, "2017": 0.1}, {}, "", ""),
        ({"2016": 0.02, "2017": 0.04}, {"elsewhere": 0, "only": "Robbery"}, "", ""),
        ({"2016": 0.0, "2017": 0.4}, {"only": "Burglary"}, "0% of all before and 40%", "40%"),
        ({"2016": 0.0, "2017": 0.4}, {"only": "E01000001", "elsewhere": 40, "located": True},
         "Burglaries, a: rows with coordinates but no area code", "40%"),
    ],
)  # fmt: skip
def test_a_share_without_a_place_that_changes_is_said_or_refused(
    tmp_path: Path,
    lost: dict[str, float],
    keys: dict[str, object],
    uneven: str,
    refused: str,
    style: str,
) -> None:
    settings = {"style": style, "located": False, "only": "", "elsewhere": 2} | keys
    given = {
        "name": "pilot",
        "sites": SITES,
        "periods": PERIODS,
        "outcomes": {"x": {"title": "Burglaries", "crime_types": ["Burglary"]}},
        "incidents": write_files(tmp_path, lost, **settings),
    }
    quality = read_incidents(Cohort.model_validate(given)).quality
    said = " ".join(quality.loc[quality["kind"] == CheckKind.UNEVEN, "note"])
    assert uneven in said if uneven else not said
    share = quality[quality["check"] == "places_change"]
    problems = [str(problem) for problem in find_losses(share, {})]
    assert bool(problems) == bool(refused)
    if problems:
        assert "rows may be missing from one period alone" in problems[0]
        assert any(f"({percent})" in problems[0] for percent in refused.split("|"))
        assert not list(find_losses(share, {"places_change": 0.4}))
