"""Places whose rows stop, and months of other years, which change no count of a window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sbwork.compare.counts import compare_counts
from sbwork.read.checks import CheckKind
from sbwork.read.incidents import Incidents, read_incidents
from sbwork.read.incidents.silence import find_silent_months
from sbwork.specs.cohort import Cohort, list_months
from sbwork.specs.errors import InputError
from sbwork.specs.periods import list_windows

SEED = 20180601
YEARS = list_months("2016-01", "2017-12")
CODES = ("E01000001", "E01000002", "E01000003", "E01000004", "E01000005")
KINDS = {"Burglary": 10, "Anti-social behaviour": 8, "Robbery": 0.2}
PERIODS = {
    "before": {"start": "2016-01", "end": "2016-12"},
    "after": {"start": "2017-01", "end": "2017-12"},
}
STYLES = ("street", "rows", "called", "counts")


def draw(months: tuple[str, ...] = YEARS, feed: str = "durham", seed: int = SEED) -> pd.DataFrame:
    """Draw rows in which nothing changes."""
    rng = np.random.default_rng(seed)
    rows = [
        (feed, month, code, kind)
        for month in months
        for code in CODES
        for kind, level in KINDS.items()
        for _ in range(rng.poisson(level))
    ]
    return pd.DataFrame(rows, columns=["feed", "month", "lsoa", "kind"])


def write(folder: Path, rows: pd.DataFrame, style: str) -> list[Path]:
    """Write a file a month and force (``"street"``) or a year, and list what a cohort names."""
    folder.mkdir(parents=True)
    if style == "street":
        for (feed, month), part in rows.groupby(["feed", "month"]):
            table = pd.DataFrame({"Month": month, "LSOA code": part["lsoa"], "LSOA name": ""})
            path = folder / month / f"{month}-{feed}-street.csv"
            path.parent.mkdir(exist_ok=True)
            table.assign(**{"Crime type": part["kind"]}).to_csv(path, index=False)
        return [folder]
    for year, part in rows.groupby(rows["month"].str[:4]):
        table = pd.DataFrame({"month": part["month"], "crime type": part["kind"]})
        if style == "called":
            table["site"] = part["lsoa"].map(lambda code: f"Ward {code[-1]}")
        else:
            table["lsoa"] = part["lsoa"]
        if style == "counts":
            table = table.groupby(list(table)).size().reset_index(name="count")
        table.to_csv(folder / f"y{year}.csv", index=False)
    return sorted(folder.iterdir())


def read(paths: list[Path], style: str = "rows", **periods: object) -> tuple[Incidents, Cohort]:
    def _place(numbers: tuple[int, ...]) -> dict[str, list[str]]:
        if style == "called":
            return {"names": [f"Ward {n}" for n in numbers]}
        return {"lsoas": [CODES[n - 1] for n in numbers]}

    cohort = Cohort.model_validate(
        {
            "name": "pilot",
            "sites": {"one": _place((1, 2)), "two": _place((3, 4))},
            "pairs": [{"intervention": "one", "control": "two"}],
            "periods": PERIODS | periods,
            "incidents": [{"path": str(path)} for path in paths],
            "placebo": {"group_by": "lsoa"},
            "outcomes": {
                "crime": {"title": "Crime", "crime_types": ["Burglary"]},
                "robbery": {"title": "Robbery", "crime_types": ["Robbery"]},
                "asb": {"title": "ASB", "crime_types": ["Anti-social behaviour"]},
            },
        }
    )
    return read_incidents(cohort), cohort


def list_missing(incidents: Incidents, outcome: str, site: str = "two") -> list[str]:
    rows = incidents.sites.query("site == @site and outcome == @outcome and count.isna()")
    return rows["month"].tolist()


def list_set_aside(incidents: Incidents) -> list[str]:
    rows = incidents.quality[incidents.quality["check"].str.endswith("rows of a site stop")]
    return rows["note"].tolist()


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(
    ("gone", "codes"),
    [
        (YEARS[18:], CODES[2:4]),
        (YEARS[:3], CODES[2:4]),
        (YEARS[8:10], CODES[2:4]),
        (YEARS[12:], CODES[2:4]),
        (YEARS[18:], CODES[3:4]),
    ],
    ids=["stop", "start", "hole", "a whole period", "half of a site"],
)
def test_a_site_whose_rows_stop_is_missing(
    tmp_path: Path, style: str, gone: tuple[str, ...], codes: tuple[str, ...]
) -> None:
    rows = draw()
    rows = rows[~(rows["month"].isin(gone) & rows["lsoa"].isin(codes))]
    incidents, cohort = read(write(tmp_path / "f", rows, style), style)
    for outcome in ("crime", "robbery", "asb"):
        assert list_missing(incidents, outcome) == list(gone)
        assert list_missing(incidents, outcome, "one") == []
    notes = list_set_aside(incidents)
    # A file of its own for a year, without a row of the site, is none of the site's files.
    assert len(notes) == (style == "street" or len(gone) < 12)
    assert all(note.startswith("two has" if len(codes) > 1 else "two ('") for note in notes)
    kinds = incidents.quality.loc[incidents.quality["note"].isin(notes), "kind"]
    assert set(kinds) <= {CheckKind.NOT_COMPARABLE}
    found = compare_counts(incidents, cohort).query("estimator == 'rirr' and period == 'change'")
    assert found["estimate"].isna().all() == (len(gone) == 12)


def test_one_outcome_of_a_site_and_an_area_of_the_pool_may_stop(tmp_path: Path) -> None:
    rows = draw()
    late = rows["month"].isin(YEARS[18:])
    asb = rows["lsoa"].isin(CODES[2:4]) & (rows["kind"] == "Anti-social behaviour")
    rows = rows[~(late & (asb | (rows["lsoa"] == CODES[4])))]
    incidents, _ = read(write(tmp_path / "f", rows, "rows"))
    assert list_missing(incidents, "asb") == list(YEARS[18:])
    assert list_missing(incidents, "crime") == []
    assert list_set_aside(incidents)[0].startswith("ASB in two has no rows in 2017-07 to 2017-12")
    area = incidents.areas[incidents.areas["area"] == CODES[4]]
    assert set(area.loc[area["count"].isna(), "month"]) == set(YEARS[18:])
    assert "areas outside the sites whose rows stop" in incidents.quality["check"].tolist()


def test_zeros_that_a_file_states_or_a_cohort_keeps_are_counted(tmp_path: Path) -> None:
    rows = draw()
    rows = rows[~(rows["month"].isin(YEARS[18:]) & rows["lsoa"].isin(CODES[2:4]))]
    incidents, _ = read(write(tmp_path / "f", rows, "rows"), keep_months=YEARS[18:])
    assert list_missing(incidents, "crime") == []
    assert "keep_months" in list_set_aside(incidents)[0]
    index = pd.MultiIndex.from_product([YEARS, CODES, KINDS], names=["month", "lsoa", "crime type"])
    counts = rows.rename(columns={"kind": "crime type"}).groupby(index.names).size()
    counts.reindex(index, fill_value=0).reset_index(name="count").to_csv(tmp_path / "c.csv")
    incidents, _ = read([tmp_path / "c.csv"])
    assert list_missing(incidents, "crime") == []
    assert CheckKind.DOUBT in set(incidents.quality["kind"])


@pytest.mark.parametrize("level", [0.2, 1, 5, 50])
def test_a_zero_that_chance_gives_is_a_zero(level: float) -> None:
    rng = np.random.default_rng(SEED)
    for factor in (1.0, 2.0):
        means = level if factor == 1 else rng.gamma(level / (factor - 1), factor - 1, (500, 24))
        counts = rng.poisson(means, (500, 24)).astype(float)
        assert find_silent_months(counts, np.ones(counts.shape, np.bool_)).any(axis=1).sum() <= 1


def test_several_gaps_are_found_together() -> None:
    counts = np.full((1, 24), 30.0)
    counts[0, [3, 9, 10, 20, 23]] = 0
    known = np.ones(counts.shape, np.bool_)
    known[0, 4] = False
    assert find_silent_months(counts, known)[0].nonzero()[0].tolist() == [3, 9, 10, 20, 23]


@pytest.mark.parametrize("seed", range(4))
def test_files_of_other_years_change_no_count_of_a_window(tmp_path: Path, seed: int) -> None:
    """Feeds that come and go, months in part, types, LSOAs and outcomes that stop."""
    rng = np.random.default_rng(seed)
    months, style = list_months("2013-01", "2019-12"), STYLES[seed]
    frames = []
    for feed in ("durham", "cleveland", "btp"):
        rows = draw(months, feed, seed)
        share = {code: rng.choice([0.05, 0.3, 1]) for code in CODES}
        part = set(rng.choice(months, 6))
        kept = [
            share[c] * (0.08 if m in part else 1) for c, m in rows[["lsoa", "month"]].to_numpy()
        ]
        rows = rows[rng.random(len(rows)) < kept]
        for column, names in (("lsoa", CODES), ("kind", tuple(KINDS))):
            first, last = sorted(rng.choice(months, 2))
            stops = rows[column] == rng.choice(names)
            rows = rows[~(stops & rows["month"].between(first, last))]
        frames.append(rows[~rows["month"].isin(rng.choice(months, int(rng.choice([0, 5, 60]))))])
    everything = pd.concat(frames)
    windows = list_windows(read([])[1].periods)
    reach = {month for window in windows for month in window.months}
    own = set(windows[0].months)
    found = {}
    for name, chosen in {"all": set(months), "reach": reach, "own": own}.items():
        rows = everything[everything["month"].isin(chosen)]
        try:
            frame = compare_counts(*read(write(tmp_path / name, rows, style), style))
        except InputError:
            pytest.skip("refused")
        keys = ["outcome", "site", "comparison", "period", "estimator"]
        numbers = ["estimate", "se", "ci_low", "p_value", "n"]
        found[name] = frame.set_index(keys)[numbers].sort_index()
    pd.testing.assert_frame_equal(found["all"], found["reach"])
    main = [f.query("period in ['before', 'after', 'change']") for f in found.values()]
    pd.testing.assert_frame_equal(main[0], main[2])


def test_a_fall_that_comes_and_goes_is_kept_and_named_where_other_years_make_it_odd(
    tmp_path: Path,
) -> None:
    months = list_months("2016-01", "2021-12")
    level = {"2020-03": 0.8, "2020-04": 0.4, "2020-05": 0.6, "2020-06": 0.8, "2018-05": 0.05}
    rng = np.random.default_rng(SEED)
    rows = draw(months)
    rows = rows[rng.random(len(rows)) < rows["month"].map(level).fillna(1.0)]
    after = {"before": {"start": "2019-04", "end": "2020-03"},
             "after": {"start": "2020-04", "end": "2021-03"}}  # fmt: skip
    paths = write(tmp_path / "f", rows, "street")
    incidents, _ = read(paths, **after)
    assert list_missing(incidents, "crime") == ["2018-05"]
    incidents, _ = read(paths, **after, keep_months=["2018-05"])
    assert list_missing(incidents, "crime") == []
    doubt = incidents.quality.query("kind == @CheckKind.DOUBT")
    assert "month perhaps partly delivered" in doubt["check"].tolist()
