"""The data that the project carries: rebuilt byte for byte, counted without sbwork, and clean."""

from __future__ import annotations

import ipaddress
import re
import shutil
import subprocess
import sys
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats

from sbwork.stats.multiplicity import adjust_benjamini_hochberg, adjust_holm

ROOT = Path(__file__).parents[1]
DATA = ROOT / "data"
DURHAM = DATA / "cohorts" / "durham-1"
YORKSHIRE = DATA / "cohorts" / "west-yorkshire"
LARGEST = 2 * 2**20

HISTORY = [f"2014-{m}" for m in (10, 11, 12)] + [f"2015-0{m}" for m in range(1, 10)]
BEFORE = [f"2015-{m}" for m in (10, 11, 12)] + [f"2016-0{m}" for m in range(1, 10)]
AFTER = [f"2016-{m}" for m in (10, 11, 12)] + [f"2017-0{m}" for m in range(1, 10)]
AREAS = {"Area 1": "X0100000", "Area 1 control": "X0100001", "Area 2": "X0100002",
         "Area 2 control": "X0100003"}  # fmt: skip
VICTIM_BASED = {
    "Violence and sexual offences", "Criminal damage and arson", "Other theft", "Burglary",
    "Vehicle crime", "Shoplifting", "Theft from the person", "Bicycle theft", "Robbery",
}  # fmt: skip
ASB = {"Anti-social behaviour"}
ITEMS = {scale: [f"{scale}_{n}" for n in (1, 2, 3, 4)] for scale in ("trust", "info", "vision")}
REVERSED = ["trust_3", "info_3", "vision_3"]
NO_ANSWER = ["8", "9", ""]


@pytest.fixture(scope="module")
def incidents() -> pd.DataFrame:
    with zipfile.ZipFile(DURHAM / "incidents.zip") as archive:
        frames = [
            pd.read_csv(archive.open(name), dtype=str, keep_default_na=False)
            for name in archive.namelist()
        ]
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def answers() -> pd.DataFrame:
    """Return the finished answers of both waves, reversed items turned round."""
    waves = []
    for wave in ("before", "after"):
        path = DURHAM / f"survey-{wave}.csv"
        frame = pd.read_csv(path, skiprows=[1, 2], dtype=str, keep_default_na=False)
        finished = frame[(frame["Status"] == "0") & (frame["Finished"] == "1")]
        waves.append(finished.assign(wave=wave))
    frame = pd.concat(waves, ignore_index=True)
    names = [name for items in ITEMS.values() for name in items]
    codes = frame[names].mask(frame[names].isin(NO_ANSWER)).astype(float)
    codes[REVERSED] = 6 - codes[REVERSED]
    return frame[["wave", "Area"]].join(codes)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return two folders into which the builder wrote."""
    folders = []
    for name in ("one", "two"):
        data = tmp_path_factory.mktemp(name) / "data"
        folder = data / "cohorts" / "durham-1"
        folder.mkdir(parents=True)
        shutil.copy(DURHAM / "build.py", folder)
        shutil.copytree(DATA / "instruments", data / "instruments")
        subprocess.run([sys.executable, folder / "build.py"], check=True, cwd=data)
        folders.append(folder)
    return folders[0], folders[1]


def test_the_builder_gives_the_committed_bytes(built: tuple[Path, Path]) -> None:
    made = {path.relative_to(built[0]): path.read_bytes() for path in built[0].rglob("*.csv")}
    kept = {path.relative_to(DURHAM): path.read_bytes() for path in DURHAM.rglob("*.csv")}
    assert len(kept) == 3
    assert sorted(made) == sorted(kept)
    assert [str(name) for name in made if made[name] != kept[name]] == []


def test_the_builder_gives_the_committed_street_files(built: tuple[Path, Path]) -> None:
    """What is in the zip is compared, since versions of zlib pack it differently."""
    assert read_members(built[0] / "incidents.zip") == read_members(DURHAM / "incidents.zip")
    one, two = (folder / "incidents.zip" for folder in built)
    assert one.read_bytes() == two.read_bytes()


def read_members(path: Path) -> list[tuple[str, tuple[int, ...], int, int, bytes]]:
    """Return the name, date, system, mode and content of every member, in order."""
    with zipfile.ZipFile(path) as archive:
        return [
            (m.filename, m.date_time, m.create_system, m.external_attr, archive.read(m))
            for m in archive.infolist()
        ]


def test_the_zip_is_an_archive_as_data_police_uk_gives_it() -> None:
    with zipfile.ZipFile(DURHAM / "incidents.zip") as archive:
        names = archive.namelist()
        heads = {archive.open(name).readline().decode() for name in names}
    assert names == [f"{m}/{m}-invented-street.csv" for m in HISTORY + BEFORE + AFTER]
    assert heads == {
        "Crime ID,Month,Reported by,Falls within,Longitude,Latitude,Location,LSOA code,LSOA name,"
        "Crime type,Last outcome category,Context\n"
    }
    assert (DURHAM / "incidents.zip").stat().st_size < 1_500_000


@pytest.mark.parametrize(
    ("area", "types", "percent"),
    [
        ("Area 1", VICTIM_BASED, -31),
        ("Area 1 control", VICTIM_BASED, 5),
        ("Area 2", VICTIM_BASED, -14),
        ("Area 2 control", VICTIM_BASED, 39),
        ("Area 1", ASB, -11),
        ("Area 1 control", ASB, 2),
        ("Area 2", ASB, -22),
        ("Area 2 control", ASB, -2),
    ],
)
def test_the_rows_give_the_percentage_changes_of_the_deck(
    incidents: pd.DataFrame, area: str, types: set[str], percent: int
) -> None:
    rows = incidents[
        incidents["LSOA code"].str.startswith(AREAS[area]) & incidents["Crime type"].isin(types)
    ]
    before, after = (rows["Month"].isin(months).sum() for months in (BEFORE, AFTER))
    assert before + after == len(rows) - rows["Month"].isin(HISTORY).sum()
    assert round(100 * (after - before) / before) == percent


DECK_P = [("all", ".010"), ("trust", ".020"), ("info", ".007"), ("vision", ".043")]


def split_by_area(answers: pd.DataFrame, scale: str) -> dict[tuple[str, str], pd.Series]:
    """Return the scores of the two intervention areas, by area and wave."""
    every = [name for items in ITEMS.values() for name in items]
    treated = answers[answers["Area"].isin(["Area 1", "Area 2"])]
    assert treated[every].notna().all(axis=None), "no figure of the deck rests on missing answers"
    scores = treated[ITEMS.get(scale, every)].mean(axis=1)
    groups = scores.groupby([treated["Area"], treated["wave"]])
    return {(str(area), str(wave)): values for (area, wave), values in groups}


@pytest.mark.parametrize("equal_variances", [True, False], ids=["Student", "Welch"])
@pytest.mark.parametrize(("scale", "p"), DECK_P)
def test_all_people_pooled_give_the_p_values_of_the_deck(
    answers: pd.DataFrame, scale: str, p: str, equal_variances: bool
) -> None:
    cells = split_by_area(answers, scale)
    after, before = (
        pd.concat([cells[area, wave] for area in ("Area 1", "Area 2")])
        for wave in ("after", "before")
    )
    result = stats.ttest_ind(after, before, equal_var=equal_variances)
    assert f"{result.pvalue:.3f}"[1:] == p
    assert result.statistic > 0


@pytest.mark.parametrize("equal_variances", [True, False], ids=["Student", "Welch"])
@pytest.mark.parametrize(("scale", "p"), DECK_P)
def test_the_mean_of_the_areas_own_changes_gives_the_p_values_of_the_deck(
    answers: pd.DataFrame, scale: str, p: str, equal_variances: bool
) -> None:
    cells = split_by_area(answers, scale)
    change = sum(
        cells[area, "after"].mean() - cells[area, "before"].mean() for area in ("Area 1", "Area 2")
    )
    n = np.array([len(values) for values in cells.values()])
    variances = np.array([values.var() for values in cells.values()])
    if equal_variances:
        df = n.sum() - 4
        squared = (variances @ (n - 1) / df) * (1 / n).sum() / 4
    else:
        parts = variances / n / 4
        squared = parts.sum()
        df = squared**2 / (parts**2 / (n - 1)).sum()
    assert f"{2 * stats.t.sf(change / 2 / np.sqrt(squared), df):.3f}"[1:] == p


def test_the_deck_s_scales_are_adjusted_as_if_area_potency_had_not_been_asked(durham_1) -> None:
    """The four p values of the deck, and their adjusted ones, do not rest on other scales."""
    scales = durham_1.cohort.confirmatory["social_capital"]
    rows = durham_1.findings[durham_1.findings["outcome"].isin(scales)]
    for site, estimator, adjust in (
        ("intervention", "mean_difference", adjust_benjamini_hochberg),
        ("all", "difference_in_differences", adjust_holm),
    ):
        found = rows[(rows["site"] == site) & (rows["estimator"] == estimator)]
        p = dict(zip(found["outcome"], found["p_value"], strict=True))
        assert found["p_adjusted"].to_numpy() == pytest.approx(adjust(found["p_value"]))
        if site == "intervention":
            printed = {scale: f"{p[scale]:.3f}"[1:] for scale in scales}
            assert printed == {"social_capital": ".010", "trust": ".020",
                               "information_sharing": ".007", "vision": ".043"}  # fmt: skip


def test_area_potency_moves_with_social_capital_person_by_person(durham_1) -> None:
    scores = durham_1.scores
    assert scores["social_capital"].corr(scores["potency"]) == pytest.approx(0.55, abs=0.05)
    assert scores[["potency", "confidence"]].notna().all(axis=None)
    parts = durham_1.instrument.scales["potency"].scales
    correlations = scores[list(parts)].corr()["voice"]
    assert (correlations.drop("fear_of_crime") > 0.3).all()
    assert correlations["fear_of_crime"] < -0.3


@pytest.mark.parametrize("scale", ["all", *ITEMS])
def test_no_mix_of_areas_can_be_taken_for_a_change(answers: pd.DataFrame, scale: str) -> None:
    cells = split_by_area(answers, scale)
    assert {len(values) for values in cells.values()} == {150}
    for wave in ("before", "after"):
        assert abs(cells["Area 1", wave].mean() - cells["Area 2", wave].mean()) < 0.001


@pytest.mark.parametrize("scale", ["all", *ITEMS])
def test_no_control_site_moved(answers: pd.DataFrame, scale: str) -> None:
    every = [name for items in ITEMS.values() for name in items]
    scores = answers[ITEMS.get(scale, every)].mean(axis=1)
    for area in ("Area 1 control site", "Area 2 control site"):
        own = scores[answers["Area"] == area].groupby(answers["wave"])
        assert set(own.size()) == {150}
        assert abs(own.mean()["after"] - own.mean()["before"]) < 0.03


def test_the_invented_places_can_not_be_taken_for_real_ones(incidents: pd.DataFrame) -> None:
    """No ONS code starts with X, and no force, area or district is called Invented."""
    assert incidents["LSOA code"].str.fullmatch(r"(X01\d{6})?").all()
    assert incidents["LSOA name"].str.fullmatch(r"(Invented \d{3}[ABC])?").all()
    for column in ("Falls within", "Reported by"):
        assert set(incidents[column]) == {"Invented Constabulary"}
    assert (incidents[["Longitude", "Latitude"]] == "").all(axis=None)
    lookup = pd.read_csv(DURHAM / "lookup.csv", dtype=str)
    assert lookup["lsoa"].is_unique
    assert set(incidents["LSOA code"]) - {""} == set(lookup["lsoa"])
    assert lookup["msoa"].str.fullmatch(r"Invented \d{3}").all()
    assert lookup["authority"].str.fullmatch(r"X07\d{6}").all()
    assert lookup["authority_name"].str.fullmatch(r"Invented district \d").all()
    assert lookup["population"].astype(int).between(1200, 2000).all()


def test_no_row_can_be_taken_for_a_copy_of_another(incidents: pd.DataFrame) -> None:
    crimes = incidents["Crime type"] != "Anti-social behaviour"
    assert incidents.loc[crimes, "Crime ID"].str.fullmatch(r"invented-\d{6}").all()
    assert incidents.loc[crimes, "Crime ID"].is_unique
    assert set(incidents.loc[~crimes, "Crime ID"]) == {""}


@pytest.fixture(scope="module")
def areas(incidents: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return counts of months by areas, the four sites first."""
    lookup = pd.read_csv(DURHAM / "lookup.csv", dtype=str).set_index("lsoa")["msoa"]
    area = incidents["LSOA code"].map(lookup)
    counts = {}
    for name, types in (("crime", VICTIM_BASED), ("asb", ASB)):
        rows = incidents["Crime type"].isin(types)
        counts[name] = pd.crosstab(incidents.loc[rows, "Month"], area[rows])
    return counts


@pytest.mark.parametrize("outcome", ["crime", "asb"])
@pytest.mark.parametrize(("site", "control"), [(0, 1), (2, 3)])
def test_most_areas_of_the_force_are_of_the_sites_size(
    areas: dict[str, pd.DataFrame], outcome: str, site: int, control: int
) -> None:
    before = areas[outcome].loc[BEFORE].sum()
    others = before.iloc[4:]
    assert len(others) == 76
    for own in (before.iloc[site], before.iloc[control]):
        assert others.between(own / 1.5, own * 1.5).sum() >= 45


@pytest.mark.parametrize("outcome", ["crime", "asb"])
def test_the_force_varies_and_drifts_as_the_builder_says(
    areas: dict[str, pd.DataFrame], outcome: str
) -> None:
    counts = areas[outcome]
    others = counts.iloc[:, 4:]
    season = counts.sum(axis=1)
    for year in (HISTORY, BEFORE, AFTER):
        ratio = season[year[9]] / season[year[3]]
        assert ratio == pytest.approx({"crime": 1.05 / 0.95, "asb": 1.2 / 0.8}[outcome], abs=0.1)
    sums, phis = [], []
    for year in (HISTORY, BEFORE, AFTER):
        rows = others.loc[year]
        expected = np.outer(season[year] / season[year].sum(), rows.sum())
        phis.append(((rows - expected) ** 2 / expected).to_numpy().sum() / (11 * 76))
        sums.append(rows.sum())
    assert np.mean(phis) == pytest.approx(1.75, abs=0.25)
    excess = [
        np.log(later / earlier).var() - 1.75 * (1 / later + 1 / earlier).mean()
        for earlier, later in pairwise(sums)
    ]
    assert np.sqrt(np.mean(excess)) == pytest.approx(0.10, abs=0.03)


def test_the_months_before_the_deck_are_like_those_of_its_first_year(
    areas: dict[str, pd.DataFrame],
) -> None:
    for counts in areas.values():
        sites = counts.iloc[:, :4]
        ratio = sites.loc[BEFORE].sum() / sites.loc[HISTORY].sum()
        assert ratio.between(0.7, 1.4).all()


@pytest.mark.parametrize("wave", ["before", "after"])
def test_personal_columns_hold_only_values_reserved_for_documentation(wave: str) -> None:
    path = DURHAM / f"survey-{wave}.csv"
    frame = pd.read_csv(path, skiprows=[1, 2], dtype=str, keep_default_na=False)
    reserved = ipaddress.ip_network("192.0.2.0/24")
    assert all(ipaddress.ip_address(address) in reserved for address in frame["IPAddress"])
    assert frame["RecipientEmail"].str.fullmatch(r"resident\d{4}@example\.org").all()
    assert frame["ResponseId"].str.fullmatch(rf"R_invented{wave}\d{{4}}").all()
    assert set(frame["LocationLatitude"]) == {"54.0"}
    assert set(frame["LocationLongitude"]) == {"-1.5"}


@pytest.mark.parametrize(
    "path",
    sorted(path for path in DATA.rglob("*") if path.suffix in {".csv", ".yml", ".py", ".md"}),
    ids=lambda path: path.relative_to(DATA).as_posix(),
)
def test_no_file_holds_an_address_of_anybody(path: Path) -> None:
    check_addresses(path.read_text(encoding="utf-8"))


def test_no_street_file_holds_an_address_of_anybody() -> None:
    for _, _, _, _, content in read_members(DURHAM / "incidents.zip"):
        check_addresses(content.decode())


def check_addresses(text: str) -> None:
    emails = re.findall(r"[\w.+-]+@([\w-]+\.[\w.-]+)", text)
    addresses = re.findall(r"\b\d{1,3}(?:\.\d{1,3}){3}\b", text)
    phones = re.findall(r"(?<![\d.])(?:\+44|0)\d{9,10}(?!\d)", text)
    assert set(emails) <= {"example.org"}
    assert all(address.startswith("192.0.2.") for address in addresses)
    assert phones == []


@pytest.mark.parametrize(("month", "rows"), [("2016-07", 27_176), ("2017-07", 28_537)])
def test_west_yorkshire_keeps_every_row_and_only_the_columns_needed(month: str, rows: int) -> None:
    (path,) = YORKSHIRE.glob(f"incidents/{month}/*.csv")
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert len(frame) == rows
    assert list(frame) == ["Month", "Falls within", "LSOA code", "LSOA name", "Crime type"]
    assert set(frame["Month"]) == {month}


def test_the_sites_of_west_yorkshire_are_whole_areas_of_the_lookup() -> None:
    lookup = pd.read_csv(YORKSHIRE / "lookup.csv", dtype=str)
    assert lookup["lsoa"].is_unique
    assert lookup["population"].astype(int).gt(0).all()
    cohort = _read_yaml(YORKSHIRE / "cohort.yml")
    for site in cohort["sites"].values():
        area = lookup[lookup["msoa"] == site["title"]]
        assert sorted(site["lsoas"]) == sorted(area["lsoa"])


def test_open_data_is_attributed_as_its_licence_asks() -> None:
    (said,) = _read_yaml(YORKSHIRE / "cohort.yml")["attribution"]
    for words in (
        "Contains public sector information licensed under the Open Government Licence v3.0",
        "data.police.uk",
        "Office for National Statistics",
        "crime-sim-toolkit 1.5.0 (MIT)",
    ):
        assert words in said
        assert words.removeprefix("Contains public sector information licensed under the ") in (
            DATA / "README.md"
        ).read_text("utf-8")


def test_invented_and_reported_data_say_so() -> None:
    durham = _read_yaml(DURHAM / "cohort.yml")
    assert durham["data_status"] == "invented"
    assert durham["notice"].startswith("Invented data")
    assert "The other areas and their incidents are invented too" in durham["notice"]
    assert not any("control_reason" in pair for pair in durham["pairs"])
    second = _read_yaml(DATA / "cohorts" / "durham-2" / "cohort.yml")
    assert second["data_status"] == "reported"
    assert [figure["change_percent"] for figure in second["reported_figures"]] == [-74, -97, -40]
    assert not {"pairs", "sites", "incidents", "surveys"} & set(second)
    assert _read_yaml(YORKSHIRE / "cohort.yml")["rehearsal"] is True
    assert _read_yaml(DATA / "instruments" / "residents-illustrative.yml")["illustrative"] is True


@pytest.mark.parametrize(
    "kept",
    [
        ("anyone who wants new intelligence", "great"),
        ("my own job easier",),
        ("wanted for failing to appear", "handed themselves in"),
        ("with high-crime families", "results were great"),
        ("provider is flexible", "another ethos", "other skills", "influences one's mindset"),
        ("hated", "aggression can't be met with aggression", "trust has to be built", "who care"),
        ("great technique for solving problems",),
    ],
    ids=lambda kept: kept[0],
)
def test_each_staff_comment_keeps_its_sense(kept: tuple[str, ...]) -> None:
    stories = _read_yaml(DATA / "cohorts" / "durham-2" / "cohort.yml")["stories"]
    texts = [story["text"].lower() for story in stories if story["told_by"] == "staff"]
    assert len(texts) == len(stories) == 7
    assert sum(all(words in text for words in kept) for text in texts) == 1


def test_no_staff_comment_is_turned_into_a_finding() -> None:
    text = (DATA / "cohorts" / "durham-2" / "cohort.yml").read_text("utf-8").lower()
    for claim in ("calls to the police now", "not there before", "easier to police", "got through"):
        assert claim not in text
    summary = _read_yaml(DATA / "cohorts" / "durham-2" / "cohort.yml")["summary"]
    assert "Calls to the police stood among them as a heading without a figure." in summary


def test_every_cohort_and_instrument_has_its_provenance_in_the_readme() -> None:
    readme = (DATA / "README.md").read_text("utf-8")
    names = [path.parent.name for path in DATA.glob("cohorts/*/cohort.yml")]
    names += [path.stem for path in DATA.glob("instruments/*.yml")]
    assert len(names) >= 4
    assert [name for name in names if f"\n| `{name}` |" not in readme] == []


def test_data_files_stay_small() -> None:
    sizes = {path: path.stat().st_size for path in DATA.rglob("*.csv")}
    assert sizes
    assert [str(path) for path, size in sizes.items() if size >= LARGEST] == []


def _read_yaml(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return content
