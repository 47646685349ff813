"""Crimes that street files hold more than once."""

from __future__ import annotations

import zipfile
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sbwork.read.incidents import Incidents, read_incidents
from sbwork.read.incidents.archives import find_parts
from sbwork.read.incidents.police_uk import read_street_files
from sbwork.read.incidents.tallies import PointNeed
from sbwork.specs.cohort import Cohort
from sbwork.specs.errors import InputError

HEADER = (
    "Crime ID,Month,Reported by,Longitude,Latitude,Location,LSOA code,LSOA name,Crime type,"
    "Last outcome category,Context"
)
SITES = {"one": {"lsoas": ["E01000001"]}, "two": {"lsoas": ["E01000002"]}}
PERIODS = {
    "before": {"start": "2017-01", "end": "2017-01"},
    "after": {"start": "2018-01", "end": "2018-01"},
}


def line(crime: str, month: str = "2017-01", force: str = "Durham", **cells: str) -> str:
    place, kind = cells.get("lsoa", "E01000001"), cells.get("kind", "Burglary")
    outcome, street = cells.get("outcome", "Under investigation"), cells.get("street", "X")
    return (
        f"{crime},{month},{force} Police,-1.57,54.77,On or near {street},{place},A 001A,{kind},"
        f"{outcome},"
    )


def write(folder: Path, lines: list[str], name: str = "2017-01-durham-street.csv") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("\n".join([HEADER, *lines, ""]))
    return folder


def read(*folders: Path, **keys: object) -> Incidents:
    sources = [{"path": str(folder)} for folder in folders]
    return read_incidents(
        Cohort.model_validate({"name": "p", "sites": SITES, "incidents": sources} | keys)
    )


def total(incidents: Incidents, outcome: str = "victim_based_crime") -> float:
    return float(incidents.sites.query("outcome == @outcome")["count"].sum())


def explain(incidents: Incidents, check: str) -> tuple[float, str]:
    row = incidents.quality.set_index("check").loc[check]
    return float(row["count"]), str(row["note"])


ASB = "Anti-social behaviour"


@pytest.mark.parametrize(
    ("lines", "crimes", "check"),
    [
        ([line("a1")] * 40 + [line("b2")], 2, ("rows that repeat a crime", 39)),
        ([line("a1"), line("a1", outcome="Charged")], 2, ("rows that share a Crime ID", 1)),
        ([line("a1"), line("a1", kind="Robbery"), line("a1")], 2, ("rows that repeat a crime", 1)),
        ([line("")] * 3, 3, None),
        ([line("N/A")] * 3 + [line("unknown")] * 3 + [line("0")] * 3, 9, None),
        ([line("9999")] * 2 + [line("a1"), line("b1"), line("a1", lsoa="")], 4, None),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_alike_rows_of_one_crime_id_count_once(
    tmp_path: Path, lines: list[str], crimes: int, check: tuple[str, int] | None, packed: bool
) -> None:
    folder = write(tmp_path / "f", [*lines, *[line("", kind=ASB, lsoa="E01000002")] * 3])
    if packed:
        with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(folder / "2017-01-durham-street.csv", "2017-01-durham-street.csv")
        folder = tmp_path / "a.zip"
    incidents = read(folder)
    assert total(incidents) == crimes
    assert total(incidents, "asb") == 3
    if check is not None:
        assert explain(incidents, check[0])[0] == check[1]


def test_rows_that_differ_are_counted_and_listed_by_site_and_period(tmp_path: Path) -> None:
    write(tmp_path, [line("a1"), line("b2", lsoa="E01000002")])
    later = [line("a1", "2018-01"), line("b2", "2018-01", lsoa="E01000002", kind="Drugs")]
    later.append(line("b2", "2018-01", lsoa="E01000002", kind="Robbery"))
    write(tmp_path, later, "2018-01-durham-street.csv")
    count, note = explain(read(tmp_path, periods=PERIODS), "rows that share a Crime ID")
    assert count == 3
    assert note.endswith("one 0 before, 1 after; two 0 before, 2 after")


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("named", [False, True])
def test_a_crime_in_files_of_two_forces_counts_once(
    tmp_path: Path, apart: bool, named: bool
) -> None:
    """The force with most rows in the LSOA keeps it, and its months stay whole."""
    asb = [line("", kind=ASB, lsoa="E01000002")] * 2
    own = [line(f"a{n}") for n in range(1, 6)]
    others = [line(f"a{n}", force="Cleveland", outcome="Charged") for n in range(1, 4)]
    names = ("2017-01-durham-street.csv", "2017-01-cleveland-street.csv") if named else ("b", "a")
    write(tmp_path / "b", [*own, *asb], names[0] if named else "b.csv")
    write(tmp_path / ("a" if apart else "b"), [*others, *asb], names[1] if named else "a.csv")
    incidents = read(*([tmp_path / "a"] if apart else []), tmp_path / "b")
    assert total(incidents) == 5
    assert total(incidents, "asb") == 4
    count, note = explain(incidents, "crimes in files of two forces")
    assert count == 3
    assert names[1] in note


FIRST = [
    line("a1"),
    line("b2", lsoa="E01000002"),
    line("", kind=ASB, lsoa="E01000002"),
    line("", kind=ASB, lsoa="E01000002"),
]


@pytest.mark.parametrize(
    ("second", "differ"),
    [
        (FIRST, None),
        (FIRST[::-1], None),
        ([text.replace("Under investigation", "Charged") for text in FIRST], None),
        (FIRST[:-1], "0 rows are only in this file, 1 only in the other"),
        ([*FIRST[1:], line("a1", kind="Robbery")], "1 rows are only in this file, 1 only in"),
        ([*FIRST[1:], line("c3")], "1 rows are only in this file, 1 only in the other"),
    ],
)
def test_a_month_in_two_files_is_read_once_where_they_agree(
    tmp_path: Path, second: list[str], differ: str | None
) -> None:
    write(tmp_path / "new", [line("d4", "2017-02")], "2017-02-durham-street.csv")
    write(tmp_path / "old", FIRST)
    with zipfile.ZipFile(tmp_path / "new.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("2017-01-durham-street.csv", "\r\n".join([HEADER, *second, ""]))
        archive.write(tmp_path / "new/2017-02-durham-street.csv", "2017-02-durham-street.csv")
    if differ is not None:
        with pytest.raises(InputError, match=rf"2017-01 of 'durham' is in .*old/.*{differ}"):
            read(tmp_path / "old", tmp_path / "new.zip")
        return
    incidents = read(tmp_path / "old", tmp_path / "new.zip")
    assert (total(incidents), total(incidents, "asb")) == (3, 2)
    assert incidents.months == ("2017-01", "2017-02")
    assert explain(incidents, "months in two files")[0] == 1


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["durham", "cleveland", "kent"]),
            st.sampled_from(["2017-01", "2017-02"]),
            st.sampled_from(["", "N/A", "000", "0001", "77", "a1", "a1", "b2"]),
            st.sampled_from(["E01000001", "E01000002", ""]),
            st.sampled_from(["Burglary", "Robbery"]),
            st.sampled_from(["Charged", "Under investigation"]),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_random_files_are_counted_as_row_by_row(drawn: list[tuple[str, ...]]) -> None:
    names = ["force", "month", "id", "lsoa", "kind", "outcome"]
    rows = pd.DataFrame(drawn, columns=names)
    with TemporaryDirectory() as folder:
        for (force, month), own in rows.groupby(["force", "month"]):
            lines = [
                line(crime, str(month), lsoa=lsoa, kind=kind, outcome=outcome)
                for _, _, crime, lsoa, kind, outcome in own.to_numpy().tolist()
            ]
            write(Path(folder), lines, f"{month}-{force}-street.csv")
        (reading,) = read_street_files([("f", find_parts(Path(folder), "f"))], PointNeed())
    size = Counter((row[0], row[3]) for row in drawn)
    known = [row for row in drawn if row[2] in {"0001", "a1", "b2"}]
    crimes: dict[tuple[str, str], list[tuple[str, ...]]] = {}
    for row in dict.fromkeys(known):
        crimes.setdefault((row[2], row[4]), []).append(row)
    for key, alike in crimes.items():
        keeper = min(alike, key=lambda r: (not r[3], -size[r[0], r[3]] * bool(r[3]), r[1], r[0]))
        crimes[key] = [row for row in alike if row[0] == keeper[0]]
    kept = sum(map(len, crimes.values()))
    assert reading.tally["n"].sum() == len(drawn) - len(known) + kept
    assert reading.tally["again"].sum() == kept - len({crime for crime, _ in crimes})
