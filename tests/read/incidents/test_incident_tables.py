"""A force's own extracts and tables that are counted already."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from sbwork.read.checks import find_losses
from sbwork.read.incidents import Incidents, read_incidents
from sbwork.read.incidents.months import read_dates, read_month
from sbwork.specs.cohort import Cohort
from sbwork.specs.errors import InputError

SITES = {"one": {"title": "Area 1"}, "two": {"names": ["Area 2", "The second"]}}
COUNTS = "month,crime_type,site,count\n"


def read(path: Path, text: str | bytes = "", sites: object = SITES, **source: object) -> Incidents:
    if text:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    given = {"name": "pilot", "sites": sites, "incidents": [{"path": str(path), **source}]}
    return read_incidents(Cohort.model_validate(given))


def list_counts(incidents: Incidents, site: str, outcome: str) -> list[float]:
    return incidents.sites.query("site == @site and outcome == @outcome")["count"].tolist()


ROWS = (
    "Ref;Date;Type;Area\n"
    "1;03/07/2017 14:00;Dwelling burglary;Area 1\n"
    "2;2017-07-04;Robbery;the  SECOND\n"
    "3;5 Sep 2017;Robbery;Elsewhere\n"
    "4;;Robbery;Area 1\n"
)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be", "mac_roman"]
)
def test_rows_by_site_name_in_any_encoding(tmp_path: Path, encoding: str, ending: str) -> None:
    text = ROWS.replace("Elsewhere", "Café").replace("Area 1", "St Mary’s – north")
    site = {"one": {"title": "St Mary’s – north"}, "two": {"names": ["The second"]}}
    types = {"dwelling burglary": "Burglary"}
    path = tmp_path / "a.csv"
    path.write_bytes(text.replace("\n", ending).encode(encoding))
    incidents = read(path, sites=site, crime_types=types)
    assert list_counts(incidents, "one", "victim_based_crime")[0] == 1
    assert list_counts(incidents, "two", "victim_based_crime")[0] == 1
    assert incidents.missing_months == ("2017-08",)
    quality = incidents.quality.set_index("check")["count"]
    assert quality["rows without a date"] == 1
    assert quality["rows outside every site"] == 1
    assert ("text that is not UTF-8" in quality) == (encoding in {"cp1252", "mac_roman"})


def test_one_byte_that_is_not_utf8_and_mixed_line_ends_spoil_nothing(tmp_path: Path) -> None:
    text = "Date,Type,Area,Note\n2017-07-01,Robbery,St Mary’s,?\r\n2017-07-02,Robbery,St Mary’s,\n"
    sites = {"one": {"title": "St Mary’s"}}
    incidents = read(tmp_path / "a.csv", text.encode().replace(b"?", b"\x92"), sites=sites)
    assert list_counts(incidents, "one", "victim_based_crime") == [2.0]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"Date": ""}, "6 of 26 rows have no date (23%)"),
        ({"LSOA code": ""}, "6 of 26 rows have no area code or coordinates to place them by (23%)"),
        ({"Type": "Larceny"}, "6 of 26 rows have a crime type that is not known (23%)"),
        ({"LSOA code": "E01000002"}, None),
        ({"Date": "2019-01-01"}, None),
    ],
)
def test_a_join_of_rows_that_loses_much_is_asked_about(
    tmp_path: Path, change: dict[str, str], found: str | None
) -> None:
    row = {"Date": "2017-07-04", "Type": "Robbery", "LSOA code": "E01000001"}
    rows = [row] * 20 + [row | change] * 6
    text = "\n".join(",".join(cells) for cells in [[*row], *(r.values() for r in rows)])
    path = tmp_path / "a.csv"
    path.write_text(text)
    months = {"before": {"start": "2017-07", "end": "2017-07"}}
    months["after"] = {"start": "2018-07", "end": "2018-07"}
    sites = {"one": {"lsoas": ["E01000001"]}}
    given = {"name": "pilot", "sites": sites, "incidents": [{"path": str(path)}]}
    quality = read_incidents(Cohort.model_validate({**given, "periods": months})).quality
    assert [problem.found for problem in find_losses(quality, {})] == ([found] if found else [])


def test_rows_by_mapped_columns(tmp_path: Path) -> None:
    text = "When,What,Where\n2017-07,Robbery,Area 1\n"
    columns = {"month": "When", "crime_type": "What", "site": "Where"}
    incidents = read(tmp_path / "a.csv", text, columns=columns)
    assert list_counts(incidents, "one", "victim_based_crime") == [1.0]


def test_workbook(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Date", "Type", "Site"])
    book.active.append([datetime(2017, 7, 3, 9, 30), "Burglary", "Area 1"])
    book.active.append(["2/8/2017", "Robbery", "Area 1"])
    book.save(tmp_path / "a.xlsx")
    incidents = read(tmp_path / "a.xlsx")
    assert list_counts(incidents, "one", "victim_based_crime") == [1.0, 1.0]


def test_outcome_that_a_file_never_records_is_missing(tmp_path: Path) -> None:
    incidents = read(tmp_path / "a.csv", "Date,Type,Site\n2017-07-01,Burglary,Area 1\n")
    assert list_counts(incidents, "one", "victim_based_crime") == [1.0]
    assert incidents.sites.query("outcome == 'asb'")["count"].isna().all()
    assert "outcomes without any record" in set(incidents.quality["check"])


def test_counts_with_zeros_cover_the_months_they_state(tmp_path: Path) -> None:
    text = COUNTS + '2017-01,asb,one,"1,004"\n2017-02,asb,one,0\n2017-02,asb,two,3\n'
    incidents = read(tmp_path / "a.csv", text)
    assert list_counts(incidents, "one", "asb") == [1004.0, 0.0]
    second = list_counts(incidents, "two", "asb")
    assert second[1] == 3
    assert second[0] != second[0]


def test_counts_without_zeros_lack_what_is_zero(tmp_path: Path) -> None:
    text = COUNTS + "2017-01,ASB,one,4\n2017-02,ASB,two,3\n"
    incidents = read(tmp_path / "a.csv", text, crime_types={"ASB": "Anti-social behaviour"})
    assert list_counts(incidents, "one", "asb") == [4.0, 0.0]
    assert "table without zeros" in set(incidents.quality["check"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Date,Type,Site\n07/13/2017,Burglary,Area 1\n", r"row 2, column 'Date': this date is no"),
        ("Date,Type,Site\n07/13/2017,Burglary,Area 1\n", "month came before the day"),
        ("Date,Type,Site\nsoon\xa0,Burglary,Area 1\n", "column 'Date': this text is not a date"),
        ("Date,Type,Site\n", "a header and no row"),
        ("Date,Type\n2017-01,x\n", "no column says where"),
        ("Date,Site\n2017-01,one\n", "no column holds the crime type"),
        ("Date,Type,Site\n2017-01,x\n", "line 2: the row has 2 columns"),
        ("Date,Type,Site\n2017-01,Robbery,Arae 1\n", "Did you mean 'Area 1'"),
        (COUNTS + "2017-01,asb,one,\n", "row 2, column 'count': the cell is blank"),
        (COUNTS + "2017-01,asb,one,-3\n", "'-3' is not a count"),
        (
            COUNTS + "2017-01,asb,one,1\n2017-01,asb,one,2\n",
            "more than one count in 'count' for one place: asb in 2017-01",
        ),
        (
            COUNTS + "2017-01,asb,one,1\n2017-01,Anti-social behaviour,one,2\n",
            "would be counted twice",
        ),
        (
            COUNTS + "2017-01,asb,one,0\n2017-01,Burglary,one,2\n2017-02,asb,one,2\n",
            "states zeros, but a place has no row for Burglary in 2017-02",
        ),
        ("PK\0\0", "this is not a CSV file"),
    ],
)
def test_faults_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path / "a.csv", text)


def test_mapped_column_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no column 'Dat'.* Did you mean 'Date'"):
        read(tmp_path / "a.csv", ROWS, columns={"month": "Dat"})


@pytest.mark.parametrize(
    ("name", "message"), [("a.xls", "not read"), ("a.xlsx", "can't be opened")]
)
def test_workbooks_that_are_none(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path / name, b"nonsense")


def test_two_sources_that_hold_the_same_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(COUNTS + "2017-01,asb,one,4\n")
    (tmp_path / "b.csv").write_text("Date,Type,Site\n2017-01-03,Anti-social behaviour,one\n")
    sources = [{"path": str(tmp_path / name)} for name in ("a.csv", "b.csv")]
    cohort = Cohort.model_validate({"name": "pilot", "sites": SITES, "incidents": sources})
    with pytest.raises(InputError, match=r"would be counted twice: .*holds it too"):
        read_incidents(cohort)


def test_site_that_no_file_names_is_missing(tmp_path: Path) -> None:
    incidents = read(tmp_path / "a.csv", "Date,Type,Site\n2017-07-01,Burglary,Area 1\n")
    assert incidents.sites.query("site == 'two'")["count"].isna().all()
    assert "site that the files do not name" in set(incidents.quality["check"])


DAYS = [date(2016, 1, 1) + timedelta(days=number) for number in range(366)]


def exchange(day: date, form: str = "%d/%m/%Y") -> str:
    """Write a date as a program does that takes the day for the month where it can."""
    return date(day.year, day.day, day.month).isoformat() if day.day < 13 else day.strftime(form)


def write_serial(day: date) -> str:
    return str((day - date(1899, 12, 30)).days)


@pytest.mark.parametrize(
    ("days", "write", "check"),
    [
        (DAYS, exchange, "dates with day and month put back"),
        (DAYS, lambda day: exchange(day, "%d.%m.%y"), "dates with day and month put back"),
        (DAYS, lambda day: exchange(day, "%m/%d/%Y"), "dates with day and month put back"),
        (DAYS[:31], exchange, "dates with day and month put back"),
        (DAYS, write_serial, "dates written as numbers"),
        (DAYS[::31], lambda day: write_serial(day) + ".58", "dates written as numbers"),
        (DAYS, lambda day: f"{day}" if day.month < 5 else f"{day:%d/%m/%Y}", ""),
        (DAYS, lambda day: f"{day:%d/%m/%y}", ""),
    ],
)
def test_dates_that_a_spreadsheet_program_changed(
    days: list[date], write: Callable[[date], str], check: str
) -> None:
    months, notes, doubt = read_dates({write(day): 2.0 for day in days}, "a.csv")
    assert [months[write(day)] for day in days] == [day.strftime("%Y-%m") for day in days]
    assert not doubt
    assert [note.check for note in notes] == [check] * bool(check)


@pytest.mark.parametrize(
    ("first", "form", "certain"),
    [
        (2016, "{2}-{1:02d}-{0}", True),
        (2016, "{0}/{1:02d}/{2}", True),
        (2017, "{2}-{1:02d}-{0}", False),
    ],
)
def test_days_that_excel_made_of_months_are_read_as_months_or_refused(
    first: int, form: str, certain: bool
) -> None:
    true = {
        form.format(year - 2000, month, 2026): f"{year}-{month:02d}"
        for year in range(first, 2018)
        for month in range(1, 13)
    }
    months, notes, doubt = read_dates(dict.fromkeys(true, 1.0), "a.csv")
    assert months == true
    assert bool(doubt) is not certain
    assert notes[0].check == "days read as years of a month"


@pytest.mark.parametrize("form", ["2025-{:02d}-01", "2025-{:02d}-28", "{:02d}-2025"])
def test_days_that_every_month_has_are_no_years(form: str) -> None:
    months, notes, doubt = read_dates({form.format(m): 1.0 for m in range(1, 13)}, "a.csv")
    assert [*months.values()] == [f"2025-{m:02d}" for m in range(1, 13)]
    assert not notes
    assert not doubt


def test_numbers_of_days_count_from_1904_where_the_workbook_says_so(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.epoch = CALENDAR_MAC_1904
    book.worksheets[0].append(["Date", "Type", "Site"])
    for day in DAYS[:40]:
        book.worksheets[0].append([(day - date(1904, 1, 1)).days, "Robbery", "Area 1"])
    book.save(tmp_path / "a.xlsx")
    assert set(read(tmp_path / "a.xlsx").months) == {f"{day:%Y-%m}" for day in DAYS[:40]}


@pytest.mark.parametrize(
    "lines",
    [
        [exchange(day) for day in DAYS[10:14]],
        [exchange(day) if day.month < 7 else f"{day}" for day in DAYS],
        [f"{day:%m/%d/%Y}" for day in DAYS if day.day < 13],
        [exchange(day) for day in DAYS if day.day < 13],
    ],
)
def test_dates_that_may_be_exchanged_are_refused(tmp_path: Path, lines: list[str]) -> None:
    rows = "".join(f"{line},Robbery,Area 1\n" for line in lines)
    with pytest.raises(InputError, match=r"'Date': .*(month exchanged|exchanged day)"):
        read(tmp_path / "a.csv", "Date,Type,Site\n" + rows)


FORMS = ("%Y-%m-%d", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%Y%m%d", "%d %B %Y", "%d-%b-%Y",
         "%a %d %b %Y", "%A, %d %B %Y", "%B %d, %Y")  # fmt: skip


@given(
    st.dates(date(1900, 1, 1), date(2099, 12, 31)),
    st.sampled_from(FORMS),
    st.sampled_from(["", " 14:05", " 00:00:00", "T09:30:00Z"]),
)
def test_every_common_spelling(day: date, form: str, time: str) -> None:
    assert read_month(day.strftime(form) + time) == day.strftime("%Y-%m")


@pytest.mark.parametrize(
    ("text", "month"),
    [
        ("2017-07", "2017-07"),
        ("2017/7/3", "2017-07"),
        ("07/2017", "2017-07"),
        ("Jul-17", "2017-07"),
        ("3rd July 2017", "2017-07"),
        ("July, 2017", "2017-07"),
        ("31/12/17", "2017-12"),
        ("12/31/2017", ""),
        ("31/02/2017", ""),
        ("2017-13", ""),
        ("yesterday", ""),
        ("43000", ""),
        ("Jly 2017", ""),
        ("", ""),
    ],
)
def test_what_is_a_month_and_what_is_none(text: str, month: str) -> None:
    assert read_month(text) == month


@given(st.text(max_size=20))
def test_any_text_gives_a_month_or_nothing(text: str) -> None:
    found = read_month(text)
    assert found == "" or (len(found) == 7 and "01" <= found[5:] <= "12")


LSOAS = {"one": {"lsoas": ["E01000001"]}, "two": {"lsoas": ["E01000002"]}}
MONTHS = [f"2017-{month:02d}" for month in range(1, 13)]


def write_table(
    path: Path, columns: dict[str, Callable[[int], object]], every: int = 1, sep: str = ","
) -> Path:
    """Write rows of two LSOAs in twelve months, `every` of them a month; a heading "*" is none."""
    lines = [sep.join(columns)]
    keys = [(month, lsoa) for month in MONTHS for lsoa in ("E01000001", "E01000002")]
    for number, (month, lsoa) in enumerate(key for key in keys for _ in range(every)):
        cells = {"Month": month, "Date": f"{month}-03", "LSOA code": lsoa, "Crime type": "Burglary"}
        lines.append(
            sep.join(str(cells.get(name) or make(number)) for name, make in columns.items())
        )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def make_ten(_: int) -> object:
    return 10


def make_log_number(number: int) -> object:
    return 5001 + number


@pytest.mark.parametrize("order", [0, 1, 2, 3])
@pytest.mark.parametrize(
    "heading",
    ["Count", "n", "TOTAL", "Number of crimes", "No. of offences", "Offences", "crime_count",
     "Number", "Count of Crime ID", "Incidents recorded", "Value"],
)  # fmt: skip
def test_counts_beside_street_headings(tmp_path: Path, heading: str, order: int) -> None:
    columns = dict.fromkeys(["Month", "LSOA code", "Crime type", heading], make_ten)
    names = list(columns)
    columns = dict.fromkeys(names[order:] + names[:order], make_ten)
    incidents = read(write_table(tmp_path / "a.csv", columns), sites=LSOAS)
    assert list_counts(incidents, "one", "victim_based_crime") == [10.0] * 12


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("date", ["Month", "Date"])
@pytest.mark.parametrize(
    ("heading", "make"),
    [
        ("Number", make_log_number),
        ("No.", lambda number: number + 1),
        ("Incident number", lambda number: 90_000 - 7 * number),
        ("Number", lambda number: f"INC/{number}"),
        ("Count", lambda _: 1),
        ("Year", lambda _: 2017),
    ],
)
def test_log_numbers_are_no_counts(
    tmp_path: Path, heading: str, make: Callable[[int], object], date: str, every: int
) -> None:
    columns = dict.fromkeys((heading, date, "Crime type", "LSOA code"), make)
    incidents = read(write_table(tmp_path / "a.csv", columns, every), sites=LSOAS)
    assert list_counts(incidents, "one", "victim_based_crime") == [float(every)] * 12


@pytest.mark.parametrize(
    ("heading", "make", "every"),
    [
        ("Count", make_log_number, 1),
        ("Number", lambda number: 3 + number % 4, 2),
        ("Number of victims", lambda number: 1 + number * 5 % 3, 1),
        ("Burglaries", make_ten, 1),
        ("Total", lambda number: 10_000 + number * 7919 % 10_007, 1),
    ],
)
def test_unclear_counts_are_asked_for(
    tmp_path: Path, heading: str, make: Callable[[int], object], every: int
) -> None:
    columns = dict.fromkeys(("Month", "LSOA code", "Crime type", heading), make)
    path = write_table(tmp_path / "a.csv", columns, every)
    with pytest.raises(InputError, match=r"may count .*'format: rows'.*'columns: \{count: "):
        read(path, sites=LSOAS)
    rows = read(path, sites=LSOAS, format="rows")
    assert list_counts(rows, "one", "victim_based_crime") == [float(every)] * 12
    if every == 1:
        counts = read(path, sites=LSOAS, columns={"count": heading})
        assert list_counts(counts, "one", "victim_based_crime")[0] == make(0)


def save_in_excel(path: Path, lines: list[list[str]], saved_as: str) -> Path:
    """Save a street file as a spreadsheet program does; months become dates but in 'text'."""
    months = {month: datetime.fromisoformat(f"{month}-01") for month in MONTHS}
    if saved_as.endswith("xlsx"):
        book = openpyxl.Workbook()
        for line in lines:
            book.active.append(
                [months.get(cell, cell) if "date" in saved_as else cell for cell in line]
            )
        book.save(path / "a.xlsx")
        return path / "a.xlsx"
    lines = [
        [f"{months[cell]:%b-%y}" if cell in months else cell for cell in line] for line in lines
    ]
    sep = {"semicolons": ";", "utf-16": "\t"}.get(saved_as, ",")
    text = "\n".join(sep.join(line) for line in lines) + "\n"
    (path / "a.csv").write_text(text, encoding="utf-16" if saved_as == "utf-16" else "utf-8")
    return path / "a.csv"


@pytest.mark.parametrize("saved_as", ["text.xlsx", "dates.xlsx", "csv", "semicolons", "utf-16"])
def test_street_file_that_a_spreadsheet_saved(tmp_path: Path, saved_as: str) -> None:
    header = ["Crime ID", "Month", "Reported by", "LSOA code", "LSOA name", "Crime type"]
    lines = [
        [f"{number:064x}", month, "A Police", lsoa, "Abc 001A", "Burglary"]
        for number in range(3)
        for month in MONTHS
        for lsoa in ("E01000001", "E01000002")
    ]
    incidents = read(save_in_excel(tmp_path, [header, *lines], saved_as), sites=LSOAS)
    assert list_counts(incidents, "one", "victim_based_crime") == [3.0] * 12
    assert list_counts(incidents, "one", "asb") == [0.0] * 12
    assert "street files that a spreadsheet program had saved" in set(incidents.quality["check"])


def test_street_files_saved_under_their_published_names(tmp_path: Path) -> None:
    header = ["Month", "Reported by", "LSOA code", "Crime type"]
    for month in MONTHS:
        lines = [[month, "A Police", lsoa, "Burglary"] for lsoa in ("E01000001", "E01000002")]
        folder = tmp_path / "d" / month
        folder.mkdir(parents=True)
        saved = save_in_excel(
            folder, [header, *lines], "semicolons" if month > "2017-06" else "csv"
        )
        saved.rename(folder / f"{month}-a-street.csv")
    incidents = read(tmp_path / "d", sites=LSOAS)
    assert list_counts(incidents, "one", "victim_based_crime") == [1.0] * 12


@pytest.mark.parametrize(
    "called", ["", "Unknown", "n/a", "#N/A", "-", "0", "Not recorded", "(blank)"]
)
@pytest.mark.parametrize("place", ["LSOA code", "Beat"])
def test_what_stands_for_no_place_is_none(tmp_path: Path, place: str, called: str) -> None:
    rows = [f"{month},{name},Burglary" for month in MONTHS for name in ("e01000001", "E01000002")]
    lost = [f"{month},{called},Burglary" for month in MONTHS]
    sites = LSOAS
    if place == "Beat":
        sites = {
            key: {"names": [site["lsoas"][0], site["lsoas"][0].lower()]}
            for key, site in sites.items()
        }
    text = "\n".join([f"Month,{place},Type", *rows, *lost])
    incidents = read(tmp_path / "a.csv", text, sites=sites)
    assert list_counts(incidents, "one", "victim_based_crime") == [1.0] * 12
    assert incidents.quality.query("check == 'rows without any place'")["count"].item() == 12
    assert any("no area code" in str(problem) for problem in find_losses(incidents.quality, {}))


@pytest.mark.parametrize("first", ["rows", "counts"])
def test_files_of_rows_and_of_counts_in_one_folder(tmp_path: Path, first: str) -> None:
    for number, month in enumerate(MONTHS):
        names = ("E01000001", "E01000002")
        lines = ["Month,LSOA code,Crime type,Count"]
        lines += [f"{month},{name},Burglary,{5 + number + (name > names[0])}" for name in names]
        if (number % 2 == 0) == (first == "rows"):
            lines = ["Month,LSOA code,Crime type"]
            lines += [
                f"{month},{n},Burglary" for n in names for _ in range(5 + number + (n > names[0]))
            ]
        (tmp_path / f"{month}.csv").write_text("\n".join(lines) + "\n")
    counts = list_counts(read(tmp_path, sites=LSOAS), "one", "victim_based_crime")
    assert counts == [5.0 + number for number in range(12)]


@pytest.mark.parametrize("months", [MONTHS, MONTHS[6:]])
@pytest.mark.parametrize("as_counts", [False, True])
def test_files_that_hold_the_same_months_alike_are_refused(
    tmp_path: Path, months: list[str], as_counts: bool
) -> None:
    for name, held in (("a.csv", MONTHS), ("b.csv", months)):
        lines = ["Month,LSOA code,Type,Number of crimes" if as_counts else "Month,LSOA code,Type"]
        for number, month in enumerate(held):
            for site in ("E01000001", "E01000002"):
                lines += (
                    [f"{month},{site},Burglary,{9 + number % 3}"]
                    if as_counts
                    else [f"{month},{site},Burglary"] * 3
                )
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match=r"b\.csv: it holds the same counts as .*a\.csv in 2017-"):
        read(tmp_path, sites=LSOAS)


def test_a_decimal_comma_is_no_count(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="this number is not a count"):
        read(tmp_path / "a.csv", "Month;Area;Type;Count\n2017-01;Area 1;Burglary;12,0\n")
    counts = read(tmp_path / "a.csv", "Month;Area;Type;Count\n2017-01;Area 1;Burglary;1,200\n")
    assert list_counts(counts, "one", "victim_based_crime") == [1200.0]


@pytest.mark.parametrize(
    ("reference", "numbers", "count"),
    [
        ("Crime Number", ["a1", "a1", "a1", "a2", "a3"], 3),
        ("IncidentRef", ["1", "2", "3", "4", "5"], 5),
        ("URN", ["7", "7", "", "", ""], 4),
        ("Offence No", ["28E"] * 5, 5),
        ("Officer", ["PC"] * 5, 5),
    ],
)
def test_rows_alike_with_one_reference_are_one_incident(
    tmp_path: Path, reference: str, numbers: list[str], count: int
) -> None:
    lines = [f"{number},03/07/2017,Robbery,Area 1" for number in numbers]
    lines += [f"{reference[:1]}{n},04/07/2017,Robbery,Area 2" for n in range(20)]
    if "28E" in numbers:
        lines = [f"28E,{line.split(',', 1)[1]}" for line in lines]
    text = "\n".join([f"{reference},Date,Type,Area", *lines])
    incidents = read(tmp_path / "a.csv", text, format="rows")
    assert list_counts(incidents, "one", "victim_based_crime") == [count]
    quality = incidents.quality.set_index("check")["count"]
    assert quality.get("rows that repeat an incident", 0) == len(numbers) - count
