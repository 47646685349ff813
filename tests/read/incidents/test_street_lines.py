"""Lines counted from their bytes: as a CSV reader would, or not at all."""

from __future__ import annotations

import csv
import io
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sbwork.read.incidents import street_lines
from sbwork.read.incidents.street_lines import LineCount, LineCounter, LineLayout

HEADER = "Crime ID,Month,Longitude,Latitude,LSOA code,LSOA name,Crime type,Context"
LAYOUT = LineLayout(width=8, month=1, lsoa=4, kind=6, name=5, x=2, y=3)
LINE = "ab,2017-01,-1.57,54.77,E01000001,Durham 001A,Burglary,"
Counted = Counter[tuple[str, str, str, bool]]

codes = st.sampled_from(["E01000001", "E01000002", "W01000003", "", "95AA01S1", "x"])
kinds = st.sampled_from(["Drugs", "Robbery", "Violence and sexual offences", "", "Drügs", "Dr\0"])
places = st.sampled_from([("-1.57", "54.77"), ("", ""), ("0.1", "51.5")])
lines = st.builds(
    lambda mark, place, code, kind, rest: ",".join(
        [mark, "2017-01", *place, code, f"Place {code[-3:]}", kind, rest]
    ),
    st.text("0123456789abcdef", max_size=9),
    places,
    codes,
    kinds,
    st.sampled_from(["", "closed"]),
)
faults = st.sampled_from(
    [
        LINE.replace("2017-01", "2017-02"),
        LINE.replace("Durham 001A", '"Durham, 001A"'),
        LINE.replace("Burglary", "Burglary, distraction"),
        LINE.replace("ab,2017-01,", "2017-01,"),
        LINE.replace("E01000001", "E" * 40),
        LINE.replace("Burglary", "B" * 40),
        "",
    ]
)


def count(text: str, counter: LineCounter | None = None, layout: LineLayout = LAYOUT) -> Counted:
    counter = counter or LineCounter()
    found = counter.count(0, layout, io.BytesIO(text.encode()).readinto)
    assert found is not None
    return unfold(counter, found)


def unfold(counter: LineCounter, found: LineCount) -> Counted:
    return Counter(
        {
            (found.month, counter.lsoas[lsoa], counter.kinds[kind], bool(located)): int(n)
            for lsoa, kind, located, n in zip(
                found.lsoa, found.kind, found.located, found.n, strict=True
            )
        }
    )


def count_as_csv(text: str) -> Counted:
    rows = list(csv.reader(io.StringIO(text, newline="")))[1:]
    return Counter((row[1], row[4], row[6], not row[4] and bool(row[2])) for row in rows)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(
    rows=st.lists(lines, max_size=40),
    end=st.sampled_from(["\n", "\r\n"]),
    last=st.booleans(),
    block=st.sampled_from([256, 300, 1 << 12]),
)
def test_regular_files_are_counted_as_by_a_csv_reader(
    rows: list[str], end: str, last: bool, block: int
) -> None:
    text = end.join([HEADER, *rows]) + end * last
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(street_lines, "_BLOCK", block)
        patch.setattr(street_lines, "_PIECE", 64)
        found = count(text)
    assert found == count_as_csv(text)


@given(rows=st.lists(lines, max_size=9), fault=faults, at=st.integers(0, 9))
def test_irregular_files_are_not_counted(rows: list[str], fault: str, at: int) -> None:
    text = "\n".join([HEADER, LINE, *rows[:at], fault, *rows[at:], LINE, ""])
    assert LineCounter().count(0, LAYOUT, io.BytesIO(text.encode()).readinto) is None


def test_a_line_longer_than_the_buffer_is_irregular(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(street_lines, "_BLOCK", 128)
    text = f"{HEADER}\n{LINE.replace('ab', 'a' * 200)}\n"
    assert LineCounter().count(0, LAYOUT, io.BytesIO(text.encode()).readinto) is None


def test_lines_that_end_in_carriage_returns_alone_are_irregular() -> None:
    data = f"{HEADER}\r{LINE}\r{LINE}\r".encode()
    assert LineCounter().count(0, LAYOUT, io.BytesIO(data).readinto) is None


def test_text_that_is_no_utf_8_is_irregular() -> None:
    data = f"{HEADER}\n{LINE}\n".encode().replace(b"Burglary", b"B\xfcrglary")
    assert LineCounter().count(0, LAYOUT, io.BytesIO(data).readinto) is None


def test_fields_at_either_end_of_a_line() -> None:
    layout = LineLayout(width=3, month=0, lsoa=1, kind=2)
    text = "Month,LSOA code,Crime type\r\n2017-01,E01000001,Drugs\r\n2017-01,E01000001,\r\n"
    assert count(text, layout=layout) == {
        ("2017-01", "E01000001", "Drugs", False): 1,
        ("2017-01", "E01000001", "", False): 1,
    }


def test_header_alone_and_nothing_at_all() -> None:
    assert count(HEADER) == {}
    assert count(f"{HEADER}\r\n") == {}
    assert count("") == {}


def test_names_are_those_of_the_first_file() -> None:
    counter = LineCounter()
    texts = [LINE.replace("Durham 001A", name) for name in ("County Durham 001A", "Durham", "")]
    for number, line in enumerate(texts):
        found = counter.count(number, LAYOUT, io.BytesIO(f"{HEADER}\n{line}\n".encode()).readinto)
        assert found is not None
    assert counter.names == {"E01000001": (0, "County Durham 001A")}


def test_points_of_lines_without_an_lsoa_are_kept_where_wanted() -> None:
    layout = LineLayout(width=8, month=1, lsoa=4, kind=6, x=2, y=3, keep_points=True)
    nowhere = LINE.replace("E01000001", "")
    rows = [LINE, nowhere, nowhere, nowhere.replace("-1.57", "west"), nowhere.replace("-1.57", "")]
    counter = LineCounter()
    text = "\n".join([HEADER, *rows, ""])
    found = counter.count(0, layout, io.BytesIO(text.encode()).readinto)
    assert found is not None
    kept = zip(found.located.tolist(), found.x.astype(str), found.n.tolist(), strict=True)
    assert sorted(kept) == [
        (False, "nan", 1),
        (False, "nan", 1),
        (True, "-1.57", 2),
        (True, "nan", 1),
    ]
    assert found.n.sum() == 5


def test_many_points_are_left_to_a_csv_reader() -> None:
    layout = LineLayout(width=8, month=1, lsoa=4, kind=6, x=2, y=3, keep_points=True)
    text = "\n".join([HEADER, *[LINE.replace("E01000001", "")] * 100, ""])
    assert LineCounter().count(0, layout, io.BytesIO(text.encode()).readinto) is None


def test_large_files_are_summed_up_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(street_lines, "_LINES_TOGETHER", 10)
    monkeypatch.setattr(street_lines, "_BLOCK", 1 << 10)
    text = "\n".join([HEADER, *[LINE, LINE.replace("Burglary", "Drugs")] * 200, ""])
    assert sum(count(text).values()) == 400
    assert count(text) == count_as_csv(text)
