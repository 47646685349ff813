"""cohort.yml: what is right is read, what is wrong is named by file, line, key and nearest name."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sbwork.specs.cohort import Cohort, Period, find_cohorts, list_months, read_cohort
from sbwork.specs.errors import InputError

ROOT = Path(__file__).parents[2]

GOOD = """\
name: pilot
sites:
  north: {title: North Town, lsoas: [E01000001, E01000002], names: ["1"]}
  south: {title: South Town, lsoas: [E01000003], names: ["2"]}
pairs:
  - {intervention: north, control: south}
periods:
  before: {start: 2015-10, end: 2016-09}
  after: {start: 2017-10, end: 2018-09}
incidents:
  - path: incidents
surveys:
  - {path: surveys/before.csv, wave: before, site_column: Area}
instrument: residents
"""

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes the cohort 'pilot' and returns its data folder."""
    folder = tmp_path / "cohorts" / "pilot"
    (folder / "surveys").mkdir(parents=True)
    (folder / "incidents").mkdir()
    (folder / "surveys" / "before.csv").write_text("Area\n")
    (folder / "lookup.csv").write_text("lsoa\n")
    (tmp_path / "instruments").mkdir()
    (tmp_path / "instruments" / "residents.yml").write_text("name: residents\n")

    def run(content: str) -> Path:
        (folder / "cohort.yml").write_text(content, encoding="utf-8")
        return tmp_path

    return run


def refuse(write: Write, content: str) -> list[str]:
    data = write(content)
    with pytest.raises(InputError) as caught:
        read_cohort("pilot", data)
    lines = str(caught.value).splitlines()
    start = str(data / "cohorts" / "pilot" / "cohort.yml")
    assert all(line.startswith(start) and len(line) < len(start) + 900 for line in lines)
    return [line.removeprefix(start) for line in lines]


def test_a_good_file_is_read(write: Write) -> None:
    cohort = read_cohort("pilot", write(GOOD))
    assert cohort.pairs[0].sites == ("north", "south")
    assert cohort.periods is not None
    assert len(cohort.periods.before.months) == len(cohort.periods.after.months) == 12
    assert cohort.resolve_path("surveys/before.csv").read_text() == "Area\n"
    assert cohort.folder.is_absolute()


def test_a_name_is_enough(write: Write) -> None:
    cohort = read_cohort("pilot", write("name: pilot\n"))
    assert set(cohort.outcomes) == {"victim_based_crime", "asb"}
    assert cohort.display_title == "pilot"
    assert cohort.periods is None


@pytest.mark.parametrize("name", find_cohorts(ROOT / "data"))
def test_the_committed_cohorts_are_good(name: str) -> None:
    assert read_cohort(name, ROOT / "data").name == name


def test_a_name_may_be_a_path() -> None:
    assert read_cohort(Path("durham-1"), str(ROOT / "data")).name == "durham-1"


@pytest.mark.parametrize(
    ("given", "expected"),
    [("force", "force"), ("Leeds", "Leeds"), ("40", 40), ("[E01, E02]", ("E01", "E02"))],
)
def test_the_pool_is_the_force_an_authority_a_list_or_a_number(
    write: Write, given: str, expected: object
) -> None:
    cohort = read_cohort("pilot", write(f"{GOOD}chosen_because: highest\nchosen_from: {given}\n"))
    assert cohort.chosen_from == expected
    assert cohort.chosen_because is not None
    assert cohort.chosen_because.reason == "highest"
    assert read_cohort("pilot", write(GOOD)).chosen_from == "force"


def test_a_reason_may_have_a_sentence(write: Write) -> None:
    block = 'chosen_because: {reason: other, sentence: "The mayor asked."}\n'
    cohort = read_cohort("pilot", write(GOOD + block))
    assert cohort.chosen_because is not None
    assert cohort.chosen_because.sentence == "The mayor asked."


CASES = [
    # (what to replace, with what, what is said)
    ("name: pilot", "nmae: pilot", "Did you mean 'name'?"),
    ("name: pilot", "title: x", ", line 1: the key 'name' is missing"),
    ("name: pilot", "name: Pilot Area", ", line 1, key 'name': 'Pilot Area' is not a name made of"),
    ("name: pilot", "name: ../pilot", "is not a name made of small letters"),
    ("name: pilot", "name: pilots", ", line 1, key 'name': the name 'pilots' differs from the "
     "folder's, 'pilot'. Make them the same."),
    ("periods:", "chosen_because: higest\nperiods:", ", line 7, key 'chosen_because': 'higest' is "
     "not allowed here. Did you mean 'highest'?"),
    ("periods:", "chosen_because: {reason: rise}\nperiods:", "key 'chosen_because.reason': 'rise' "
     "is not allowed here."),
    ("periods:", "chosen_because: other\nperiods:", ", line 7, key 'chosen_because': 'other' needs "
     "a sentence"),
    ("periods:", "chosen_because: {reason: highest, outcome: abs}\nperiods:", "key "
     "'chosen_because.outcome': the outcome 'abs' is not among the outcomes of this cohort. Did "
     "you mean 'asb'?"),
    ("periods:", "chosen_because: {because: highest}\nperiods:", "'because' is not a key that is "
     "known here."),
    ("periods:", "chosen_from: 40\nperiods:", ", line 7, key 'chosen_from': 'chosen_from' says "
     "how areas were chosen, but not why. Give 'chosen_because' too."),
    ("periods:", "chosen_because: highest\nchosen_from: 1\nperiods:", ", line 8, key "
     "'chosen_from': a pool holds at least two areas"),
    ("periods:", "chosen_because: highest\nchosen_from: [E01, E01]\nperiods:", "listed twice: "
     "'E01'"),
    ("periods:", "chosen_because: highest\nchosen_from: {a: b}\nperiods:", "give 'force', an "
     "authority, a list of areas"),
    ("periods:", "chosen_because: highest\nchosen_on: {start: 2017-01, end: 2017-10}\nperiods:",
     ", line 8, key 'chosen_on': 'chosen_on' ends in 2017-10, but 'after' starts in 2017-10. Areas "
     "are chosen before the work starts."),
    ("lsoas: [E01000003]", "lsoa: [E01000003]", ", line 4, key 'sites.south.lsoa': 'lsoa' is not a "
     "key that is known here. Did you mean 'lsoas'?"),
    ("lsoas: [E01000003]", "lsoas: E01000003", ", line 4, key 'sites.south.lsoas': 'E01000003' "
     "stands here. A list is needed"),
    ("lsoas: [E01000003]", "lsoas: [E01000002]", ", line 4, key 'sites.south.lsoas': the area "
     "'E01000002' is in both 'north' and 'south'."),
    ("lsoas: [E01000003]", "lsoas: [E01000003, E01000003]", ", line 4, key 'sites.south.lsoas': "
     "listed twice: 'E01000003'."),
    ("title: South Town", "title: NORTH  town", "is a name of both 'north' and 'south'"),
    ('names: ["2"]', 'names: ["1"]', ", line 4, key 'sites.south': '1' is a name of both"),
    ("  south: {", "  South Town: {", "'South Town' is not a name made of small letters"),
    ("  south: {", "  sites: {", ", line 6, key 'pairs.control': the site 'south' is not among"),
    ("  south: {", "  all: {", "'all' stands for all sites together. Use another key."),
    ("control: south", "control: suoth", ", line 6, key 'pairs.control': the site 'suoth' is not "
     "among the sites of this cohort. Did you mean 'south'? Sites: 'north', 'south'."),
    ("intervention: north", "intervention: nroth", ", line 6, key 'pairs.intervention': the site "
     "'nroth' is not among the sites of this cohort. Did you mean 'north'?"),
    ("control: south", "control: south, displacement: east", ", line 6, key 'pairs.displacement'"),
    ("control: south", "control: north", ", line 6, key 'pairs': a site is compared with itself"),
    ("control: south", "contol: south", "Did you mean 'control'?"),
    ("intervention: north, control: south", "control: south", ", line 6, key 'pairs': the key "
     "'intervention' is missing"),
    ("control: south}", "control: south}\n  - {intervention: south}", "'south' is both an "
     "intervention and a control site"),
    ("control: south}", "control: south}\n  - {intervention: north}", ", line 7, key "
     "'pairs.intervention': intervention site in two pairs: 'north'."),
    ("start: 2015-10", "start: 2016-13", ", line 8, key 'periods.before.start': '2016-13' is not "
     "a month written YYYY-MM, such as 2017-07."),
    ("start: 2015-10", "start: 2015-10-01", "'2015-10-01' is not a month"),
    ("start: 2015-10", "start: Oct 2015", "'Oct 2015' is not a month"),
    ("start: 2015-10", "start: 201\u0665-10", "is not a month"),
    ("start: 2015-10", "start: 2016-10", ", line 8, key 'periods.before.end': the period ends "
     "(2016-09) before it starts (2016-10)."),
    ("start: 2015-10, ", "", ", line 8, key 'periods.before': the key 'start' is missing"),
    ("start: 2015-10", "strat: 2015-10, start: 2015-10", "Did you mean 'start'?"),
    ("start: 2017-10", "start: 2016-09", ", line 9, key 'periods.after': 'after' starts in "
     "2016-09, but 'before' ends in 2016-09. Periods may not overlap"),
    ("end: 2018-09", "end: 2018-08", "hold different calendar months, so seasons would be taken "
     "for change. Use the same months, or set 'unequal_seasons: true'"),
    ("  after: {start: 2017-10, end: 2018-09}\n", "", ", line 7, key 'periods': the key 'after'"),
    ("path: incidents", "path: incidnets", ", line 11, key 'incidents.path': the file 'incidnets' "
     "is not there. Did you mean 'incidents'? Paths start from the cohort's own folder."),
    ("path: incidents", "path:", ", line 11, key 'incidents.path': the key 'path' is missing"),
    ("path: incidents", "path: ''", ", line 11, key 'incidents.path': nothing stands here."),
    ("path: incidents", "path: " + "x" * 5000, "is not there"),
    ("path: incidents", "path: incidents\n    format: police", "'police' is not allowed here. "
     "Did you mean 'police-uk'? Allowed: 'auto', 'police-uk', 'rows', 'counts'."),
    ("path: incidents", "path: incidents\n    columns: {mnth: Date}", "Did you mean 'month'?"),
    ("surveys/before.csv", "surveys/befor.csv", ", line 13, key 'surveys.path': the file "
     "'surveys/befor.csv' is not there. Did you mean 'before.csv'?"),
    ("surveys/before.csv", "surveys", "the file 'surveys' is a folder, not a file."),
    ("surveys/before.csv", "before.csv/x", "is not there"),
    ("wave: before, ", "", ", line 13, key 'surveys': say which wave this file holds"),
    ("wave: before, ", "wave: befor, ", "Did you mean 'before'? Allowed: 'before', 'after'."),
    ("wave: before, ", "wave: before, wave_column: W, ", "say which wave this file holds"),
    ("wave: before, ", "wave: before, waves: {1: before}, ", "give 'wave_column' too"),
    (", site_column: Area", "", "say where the answers come from"),
    (", site_column: Area", ", site: norht", "the site 'norht' is not among the sites of this "
     "cohort. Did you mean 'north'?"),
    ("instrument: residents", "instrument: resident", ", line 14, key 'instrument': there is no "
     "instrument 'resident'. Did you mean 'residents'? Instruments here: 'residents'."),
    ("instrument: residents", "geography: {lookup: lokup.csv}", ", line 14, key "
     "'geography.lookup': the file 'lokup.csv' is not there. Did you mean 'lookup.csv'?"),
    ("instrument: residents", "harm_weights: harm.csv", ", line 14, key 'harm_weights': the file"),
    ("instrument: residents", "assignment: random", "Did you mean 'randomised'?"),
    ("instrument: residents", "confirmatory: [trust, trust]", ", line 14, key 'confirmatory': the "
     "scale 'trust' is named twice. A scale belongs to one family."),
    ("instrument: residents", "confirmatory: {one: [trust], two: [all, trust]}", ", line 14, key "
     "'confirmatory.two': the scale 'trust' is named twice, under 'one', 'two'."),
    ("instrument: residents", "confirmatory: {one: trust}", ", line 14, key 'confirmatory.one': "
     "'trust' stands here. A list is needed here"),
    ("instrument: residents", "confirmatory_counts: [asb, victim_based]",
     ", line 14, key 'confirmatory_counts': the outcome 'victim_based' is not among those of this "
     "cohort. Did you mean 'victim_based_crime'? Outcomes: 'victim_based_crime', 'asb'."),
    ("instrument: residents", "confirmatory_counts: [harm]", "the outcome 'harm' is not among"),
    ("instrument: residents", "data_status: fake", "Allowed: 'real', 'invented', 'reported'."),
    ("instrument: residents", "weighting: {targets: {sex: {f: 0.5, m: 0.4}}}", ", line 14, key "
     "'weighting.targets': the shares of 'sex' add up to 0.900, not to 1."),
    ("instrument: residents", "weighting: {targets: {sex: {f: 1, m: 0}}}", "must all be above 0"),
    ("instrument: residents", "weighting: {trim: [3, 0.3]}", "give the lowest weight, then the"),
    ("instrument: residents", "weighting: {trim: [3]}", "the list has too few entries"),
    ("instrument: residents", "placebo: {size_ratio: 1}", "It must be greater than 1."),
    ("instrument: residents", "smallest_group: 0", "It must be greater than or equal to 1."),
    ("instrument: residents", "seed: -1", "It must be greater than or equal to 0."),
    ("instrument: residents", "outcomes: {asb: {title: ASB, crime_types: []}}", "nothing stands "
     "here. At least one entry is needed."),
    ("instrument: residents", "engagement: [{date: 2016-02-30, event: x}]", ", line 14, key "
     "'engagement.date': '2016-02-30' is not a date written YYYY-MM-DD."),
    ("instrument: residents", "engagement: [{date: 20160229, event: x}]", "is not a date written"),
    ("instrument: residents", "engagement: [{date: 29/02/2016, event: x}]", "is not a date"),
    ("instrument: residents", "engagement: [{date: 2016-02-29, event: x, site: est}]", ", line 14, "
     "key 'engagement.site': the site 'est' is not among"),
    ("instrument: residents", "reported_figures: [{title: x, change_percent: lots, "
     "reported_by: y}]", "'lots' stands here. A number is needed here."),
    ("instrument: residents", "reported_figures: [{title: x, change_percent: -40}]", "the key "
     "'reported_by' is missing"),
    ("instrument: residents", "stories: [{theme: a, text: b, told_by: c, kind: internal}]",
     "Allowed: 'functional', 'internal quality', 'interactional'."),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "said"), CASES)
def test_what_is_wrong_is_named_with_its_place(write: Write, old: str, new: str, said: str) -> None:
    assert GOOD.count(old) == 1, "the case changes one place"
    lines = refuse(write, GOOD.replace(old, new))
    assert any(said in line for line in lines), lines


BETWEEN_PARTS = {"control: south": "control: suoth", "E01000003": "E01000001"}
BETWEEN_PARTS["engagement: []"] = "engagement: [{date: 2016-01-01, event: x, site: east}]"
MISSING_FILES = {"path: incidents": "path: a.csv", "before.csv": "b.csv", ": residents": ": c"}


@pytest.mark.parametrize(
    ("changes", "places"),
    [
        (BETWEEN_PARTS, {4: "sites.south.lsoas", 6: "pairs.control", 15: "engagement.site"}),
        (MISSING_FILES, {11: "incidents.path", 13: "surveys.path", 14: "instrument"}),
    ],
)
def test_all_that_is_wrong_is_listed_at_once(
    write: Write, changes: dict[str, str], places: dict[int, str]
) -> None:
    content = f"{GOOD}engagement: []\n"
    for old, new in changes.items():
        content = content.replace(old, new)
    found = [line.partition(":")[0] for line in refuse(write, content)]
    assert found == [f", line {line}, key '{key}'" for line, key in places.items()]


@pytest.mark.parametrize(
    "path", ["surveys\\before.csv", ".\\surveys\\before.csv", "'surveys\\before.csv'"]
)
def test_a_path_typed_on_windows_is_found(write: Write, path: str) -> None:
    cohort = read_cohort("pilot", write(GOOD.replace("surveys/before.csv", path)))
    assert cohort.resolve_path(cohort.surveys[0].path).read_text() == "Area\n"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ('"surveys\\before.csv"', "the text holds a control character"),
        ('"surveys\\march.csv"', "Write paths with '/', or within single quotes."),
        ("C:\\data\\before.csv", "the file 'C:\\data\\before.csv' is not there."),
    ],
)
def test_a_windows_path_that_can_not_be_read_says_why(write: Write, path: str, said: str) -> None:
    (line,) = refuse(write, GOOD.replace("surveys/before.csv", path))
    assert said in line


@pytest.mark.parametrize("name", ["pilto", "Pilot", "PILOT "])
def test_an_unknown_cohort_is_refused_with_the_nearest(write: Write, name: str) -> None:
    with pytest.raises(InputError, match="Did you mean 'pilot'"):
        read_cohort(name, write(GOOD))


@pytest.mark.parametrize("name", ["", ".", "..", "a\0b", "a\nb", "x" * 10_000, "/etc", "~"])
def test_a_name_that_cannot_be_is_refused_in_one_short_line(write: Write, name: str) -> None:
    with pytest.raises(InputError) as caught:
        read_cohort(name, write(GOOD))
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 600


def test_a_missing_data_folder_has_no_cohort(tmp_path: Path) -> None:
    assert find_cohorts(tmp_path / "none") == []
    with pytest.raises(InputError, match=r"there is no cohort 'pilot'\. Cohorts here: none"):
        read_cohort("pilot", tmp_path / "none")


def test_cohorts_are_listed_by_name(write: Write) -> None:
    data = write(GOOD)
    shutil.copytree(data / "cohorts" / "pilot", data / "cohorts" / "another")
    (data / "cohorts" / "empty").mkdir()
    assert find_cohorts(data) == ["another", "pilot"]


@pytest.mark.parametrize(
    ("called", "site"),
    [("north", "north"), ("  NORTH   town ", "north"), ("2", "south"), ("east", ""), ("", "")],
)
def test_a_site_is_known_by_key_title_and_names(write: Write, called: str, site: str) -> None:
    assert read_cohort("pilot", write(GOOD)).identify_site(called) == site


def test_titles_stand_in_where_none_is_given() -> None:
    cohort = Cohort.model_validate(
        {"name": "pilot", "sites": {"far-north": {}}, "pairs": [{"intervention": "far-north"}]}
    )
    assert cohort.title_site("far-north") == "far north"
    assert cohort.title_pair("far-north") == "far north"
    assert cohort.title_pair("all") == "All pairs together"
    assert cohort.title_outcome("asb") == "Anti-social behaviour (ASB)"
    assert cohort.title_outcome("noise_at_night") == "Noise at night"


@given(st.integers(1900, 2098), st.integers(1, 12), st.integers(0, 200))
def test_months_run_on_without_gap_or_repeat(year: int, month: int, more: int) -> None:
    last = year * 12 + month - 1 + more
    months = list_months(f"{year}-{month:02d}", f"{last // 12}-{last % 12 + 1:02d}")
    assert len(months) == len(set(months)) == more + 1
    assert list(months) == sorted(months)
    assert all(Period(start=m, end=m).months == (m,) for m in months[:1])


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_a_file_cut_and_spoilt_anywhere_is_read_or_refused(
    write: Write, data: st.DataObject
) -> None:
    text = GOOD
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        gone = data.draw(st.integers(0, 40))
        new = data.draw(
            st.sampled_from(["", "\t", "\n", ": ", "- ", "{", "[", "'", '"', "\\", "é"])
        )
        text = text[:at] + new + text[at + gone :]
    try:
        read_cohort("pilot", write(text))
    except InputError as error:
        lines = str(error).split("\n")
        assert all("cohort.yml" in line and line.isprintable() for line in lines)
