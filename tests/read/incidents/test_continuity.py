"""Months that are there and yet can't be compared: changed crime types, partly delivered files."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sbwork.read.checks import CheckKind
from sbwork.read.incidents.continuity import (
    Continuity,
    Gap,
    check_continuity,
    find_partial_months,
    mark_published,
)
from sbwork.read.incidents.counting import Coverage, cover_places
from sbwork.specs.cohort import ASB, VICTIM_BASED_CRIME, list_months

SEED = 20180601
MONTHS = list_months("2010-12", "2015-12")
FIRST, SECOND = list_months("2010-12", "2011-08"), list_months("2010-12", "2013-04")
LEVELS = {
    "Anti-social behaviour": 400, "Bicycle theft": 20, "Burglary": 70,
    "Criminal damage and arson": 100, "Drugs": 40, "Other crime": 10, "Other theft": 80,
    "Possession of weapons": 6, "Public order": 25, "Robbery": 5, "Shoplifting": 70,
    "Theft from the person": 8, "Vehicle crime": 50, "Violence and sexual offences": 110,
}  # fmt: skip
OUTCOMES = {
    "crime": VICTIM_BASED_CRIME,
    "asb": ASB,
    "drugs": ["Drugs"],
    "bikes": ["Bicycle theft"],
    "order": ["Public order", "Possession of weapons", "Public disorder and weapons"],
    "violence": ["Violence and sexual offences"],
    "burglary": ["Burglary"],
    "thefts": ["Other theft", "Bicycle theft", "Theft from the person"],
    "other": ["Other crime"],
}
OF_2011 = {"Criminal damage and arson", "Drugs", "Other theft", "Shoplifting"}
OLD = {
    "Violence and sexual offences": "Violent crime",
    "Public order": "Public disorder and weapons",
    "Possession of weapons": "Public disorder and weapons",
    "Bicycle theft": "Other theft",
    "Theft from the person": "Other theft",
}


def publish(kind: str, month: str) -> str:
    """Name the type under which data.police.uk published an incident at the time."""
    if month in SECOND:
        kind = OLD.get(kind, kind)
    lumped = {*OF_2011, "Public disorder and weapons"}
    return "Other crime" if month in FIRST and kind in lumped else kind


def make_counts(
    months: tuple[str, ...] = MONTHS,
    feed: str = "durham",
    shares: dict[str, float] | None = None,
    seed: int = SEED,
) -> pd.DataFrame:
    """Draw a force in which nothing changes but the names; `shares` cuts single months."""
    rng = np.random.default_rng(seed)
    rows = [
        (feed, publish(kind, month), month, rng.poisson(level * (shares or {}).get(month, 1.0)))
        for month in months
        for kind, level in LEVELS.items()
    ]
    frame = pd.DataFrame(rows, columns=["feed", "kind", "month", "n"])
    return frame.groupby(["feed", "kind", "month"], as_index=False)["n"].sum()


def check(counts: pd.DataFrame, months: tuple[str, ...] = MONTHS, **keys: object) -> Continuity:
    covered = dict.fromkeys(counts["feed"].unique(), months)
    outcomes = {key: dict.fromkeys(kinds, 1.0) for key, kinds in OUTCOMES.items()}
    settings = {"archives": list(covered), "outcomes": outcomes, "compared": (), **keys}
    titles = {key: key for key in settings["outcomes"]}  # type: ignore[attr-defined]
    return check_continuity(counts, covered, titles=titles, **settings)  # type: ignore[arg-type]


def list_gaps(found: Continuity) -> dict[str, tuple[str, ...]]:
    return {gap.outcome: gap.months for gap in found.gaps}


def test_the_published_lists_of_types_leave_out_what_was_not_published_as_such() -> None:
    found = check(make_counts())
    assert list_gaps(found) == {
        "crime": FIRST,
        "drugs": FIRST,
        "bikes": SECOND,
        "order": FIRST,
        "violence": SECOND,
        "thefts": FIRST,
        "other": FIRST,
    }
    told = {gap.outcome: gap.reason for gap in found.gaps}
    assert told["drugs"] == "'Drugs' stood within 'Other crime' then"
    assert told["bikes"] == "'Bicycle theft' stood within 'Other theft' then"
    assert told["violence"] == (
        "'Violence and sexual offences' stood within 'Violent crime' then (name 'Violent crime' "
        "among its crime types too)"
    )
    assert told["other"].startswith("'Other crime' held 'Bicycle theft', 'Criminal damage")
    assert {line.kind for line in found.quality} == {CheckKind.NOT_COMPARABLE}
    assert {line.check for line in found.quality} == {"not comparable: crime types change"}
    assert len(found.quality) == 7


def test_a_type_under_its_old_name_is_the_same_outcome() -> None:
    months = list_months("2012-05", "2014-04")
    gaps = list_gaps(check(make_counts(months), months))
    assert set(gaps) == {"bikes", "violence"}


def test_what_most_of_the_compared_months_hold_is_the_outcome() -> None:
    early = check(make_counts(), compared=list_months("2010-12", "2011-06"))
    kept = set(MONTHS) - set(list_gaps(early)["crime"])
    assert kept == set(FIRST)
    even = check(make_counts(), compared=(*FIRST, *list_months("2011-12", "2012-08")))
    assert list_gaps(even)["crime"] == FIRST


def test_a_change_outside_the_compared_months_is_told_as_such() -> None:
    found = check(make_counts(), compared=list_months("2014-01", "2015-12"))
    assert {line.kind for line in found.quality} == {CheckKind.OUTSIDE_PERIODS}
    assert list_gaps(found)["crime"] == FIRST


def test_types_that_a_force_withholds_are_missing_and_not_zero() -> None:
    months = list_months("2014-01", "2015-12")
    counts = make_counts(months)
    paused = list_months("2014-10", "2015-02")
    withheld = (counts["kind"] == "Anti-social behaviour") & counts["month"].isin(paused)
    found = check(counts[~withheld], months)
    assert list_gaps(found) == {"asb": paused}
    (line,) = found.quality
    assert line.note == (
        "asb of 'durham' in 2014-10 to 2015-02: 'Anti-social behaviour' was not published then. "
        "Missing, not zero"
    )


def test_a_type_withheld_in_all_compared_months_is_missing_whatever_other_years_hold() -> None:
    months, compared = list_months("2014-01", "2015-12"), list_months("2015-01", "2015-12")
    counts = make_counts(months)
    withheld = (counts["kind"] == "Anti-social behaviour") & counts["month"].isin(compared)
    counts = counts[~withheld]
    found = check(counts, months, compared=compared, stretches=[compared, months])
    assert list_gaps(found)["asb"] == compared
    alone = check(counts[counts["month"].isin(compared)], compared, compared=compared)
    assert list_gaps(alone)["asb"] == compared


def test_a_type_too_small_to_matter_is_told_and_kept() -> None:
    months = list_months("2014-01", "2015-12")
    counts = make_counts(months)
    paused = list_months("2014-07", "2015-06")
    withheld = (counts["kind"] == "Robbery") & counts["month"].isin(paused)
    found = check(counts[~withheld], months)
    assert found.gaps == ()
    (line,) = found.quality
    assert (line.kind, line.check) == (CheckKind.DOUBT, "crime types change a little")
    assert "Counted all the same" in line.note


def test_a_rare_type_that_just_does_not_occur_is_zero() -> None:
    months = list_months("2014-01", "2015-12")
    rows = [("durham", "Burglary", month, 80) for month in months]
    rows += [("durham", "Drugs", month, 1) for month in months[::5]]
    counts = pd.DataFrame(rows, columns=["feed", "kind", "month", "n"])
    outcomes = {"drugs": {"Drugs": 1.0}}
    assert check(counts, months, outcomes=outcomes).gaps == ()


def test_partly_delivered_months_of_an_archive_are_left_out_in_every_outcome() -> None:
    months = list_months("2014-01", "2015-12")
    counts = make_counts(months, shares={"2014-09": 0.1, "2015-12": 0.1})
    found = check(counts, months)
    assert {gap.months for gap in found.gaps} == {("2014-09", "2015-12")}
    assert {gap.outcome for gap in found.gaps} == set(OUTCOMES)
    (line,) = found.quality
    assert (line.kind, line.count) == (CheckKind.NOT_COMPARABLE, 2.0)
    assert line.check == "not comparable: month partly delivered"
    assert "2014-09 (crimes 1" in line.note


def test_only_the_part_that_was_delivered_in_part_is_left_out() -> None:
    months = list_months("2014-01", "2015-12")
    counts = make_counts(months)
    asb = (counts["kind"] == "Anti-social behaviour") & (counts["month"] == "2015-03")
    counts.loc[asb, "n"] //= 10
    assert list_gaps(check(counts, months)) == {"asb": ("2015-03",)}


def test_a_file_that_may_hold_few_places_is_told_and_kept() -> None:
    months = list_months("2014-01", "2015-12")
    counts = make_counts(months, shares={"2014-09": 0.1})
    found = check(counts, months, archives=[])
    assert found.gaps == ()
    (line,) = found.quality
    assert (line.kind, line.check) == (CheckKind.DOUBT, "month perhaps partly delivered")


def test_the_dates_of_the_lists_are_for_archives_alone() -> None:
    """A force's own extract may well hold drugs in 2010, and name violence as it is named now."""
    kinds = {kind: level for kind, level in LEVELS.items() if level > 30}
    rows = [("extract", kind, m, level) for kind, level in kinds.items() for m in MONTHS]
    counts = pd.DataFrame(rows, columns=["feed", "kind", "month", "n"])
    assert check(counts, archives=[]).gaps == ()


def test_harm_needs_each_type_at_its_own_weight() -> None:
    """Other crime once held drugs and much else, none of which weighs what it weighs itself."""
    months = list_months("2011-01", "2012-12")
    counts = make_counts(months)
    weights = {"Burglary": 10.0, "Other crime": 3.0, "Drugs": 7.0}
    found = check(counts, months, outcomes={"harm": weights})
    assert found.gaps[0].months == list_months("2011-01", "2011-08")
    level = {"Violence and sexual offences": 5.0, "Violent crime": 5.0}
    later = list_months("2013-01", "2013-12")
    same = check(make_counts(later), later, outcomes={"harm": level})
    assert same.gaps == ()


def test_forces_that_change_alike_are_told_in_one_row() -> None:
    counts = pd.concat([make_counts(feed=feed) for feed in ("durham", "cleveland")])
    found = check(counts)
    assert len(found.quality) == 7
    assert "Drugs' stood" not in found.quality[0].note
    assert any(
        "drugs of 'cleveland', 'durham' in 2010-12 to 2011-08" in line.note
        for line in found.quality
    )


@pytest.mark.parametrize("level", [20, 200, 20_000])
def test_whole_months_are_not_called_partial(level: float) -> None:
    rng = np.random.default_rng(SEED)
    at = np.arange(169)
    season = 1 + 0.15 * np.cos(2 * np.pi * at / 12)
    for _ in range(20):
        drift = np.cumsum(rng.normal(0, 0.02, at.size))
        means = level * season * np.exp(drift + rng.normal(0, 0.08, at.size))
        assert find_partial_months(rng.poisson(means), at) == {}


def test_a_lasting_fall_is_no_partial_month_and_a_run_of_two_is() -> None:
    rng = np.random.default_rng(SEED)
    fallen = rng.poisson(np.repeat([1000.0, 400.0], 24))
    assert find_partial_months(fallen, np.arange(48)) == {}
    means = np.full(48, 1000.0)
    means[[20, 21, 47]] = 100
    assert list(find_partial_months(rng.poisson(means), np.arange(48))) == [20, 21, 47]


def test_a_short_or_gappy_series_is_not_judged() -> None:
    assert find_partial_months([1000, 10, 1000], np.arange(3)) == {}
    assert find_partial_months([1000, 10, 1000, 990, 1010], [0, 24, 48, 72, 96]) == {}


def test_transport_police_do_not_stand_in_for_a_force_that_stopped() -> None:
    months = list_months("2017-01", "2021-12")
    covered = np.array([[m < "2019-07" for m in months], [True] * len(months)], dtype=np.bool_)
    coverage = Coverage(months, months, (), ["force", "btp"], covered, [])
    published = mark_published([], ["crime"], coverage)
    gap = Gap("btp", "crime", (months[0], "1999-01"), "")
    marked = mark_published([gap], ["crime"], coverage)
    assert np.argwhere(marked != published).tolist() == [[1, 0, 0]]
    main = np.array([[[True, True]], [[True, False]]])
    whole = cover_places(main, published, covered)
    assert [months[n] for n in np.flatnonzero(whole[0, 0])] == [m for m in months if m < "2019-07"]
    assert (whole[1, 0] == covered[0]).all()


def test_files_of_single_years_follow_each_other() -> None:
    covered = np.zeros((3, 36), dtype=np.bool_)
    for year in range(3):
        covered[year, 12 * year : 12 * year + 13] = True
    published = covered[:, None, :]
    main = np.ones((1, 1, 3), dtype=np.bool_)
    assert cover_places(main, published, covered).all()
