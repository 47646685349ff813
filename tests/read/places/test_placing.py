"""Incidents placed by code, by name and by point; boundaries that moved between 2011 and 2021."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sbwork.read.incidents import Incidents, read_incidents
from sbwork.read.incidents.reading import describe_incidents
from sbwork.specs.cohort import Cohort
from sbwork.specs.errors import InputError

HEADER = "Month,Reported by,Longitude,Latitude,LSOA code,LSOA name,Crime type"
GRID_HEADER = "Month,Reported by,Easting,Northing,Location,Crime type"
WEST = [[-1.60, 54.70], [-1.50, 54.70], [-1.50, 54.80], [-1.60, 54.80], [-1.60, 54.70]]
EAST = [[-1.50, 54.70], [-1.40, 54.70], [-1.40, 54.80], [-1.50, 54.80], [-1.50, 54.70]]


def write_rows(folder: Path, month: str, rows: list[str], header: str = HEADER) -> None:
    path = folder / month / f"{month}-durham-street.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *rows]) + "\n")


def row(month: str, lsoa: str, kind: str = "Burglary", x: str = "-1.57", y: str = "54.77") -> str:
    name = "Durham 001A" if lsoa else ""
    return f"{month},Durham Constabulary,{x},{y},{lsoa},{name},{kind}"


def write_areas(path: Path, areas: dict[str, list[list[float]]], key: str = "LSOA11CD") -> str:
    features = [
        {
            "type": "Feature",
            "properties": {key: code, "LSOA11NM": f"Town 00{number}A"},
            "geometry": {"type": "Polygon", "coordinates": [ring]},
        }
        for number, (code, ring) in enumerate(areas.items(), start=1)
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return str(path)


def read(folder: Path, **keys: object) -> Incidents:
    given = {"name": "pilot", "incidents": [{"path": str(folder)}]} | keys
    return read_incidents(Cohort.model_validate(given))


def total(incidents: Incidents, site: str) -> float:
    return float(incidents.sites.query("site == @site")["count"].sum())


def check(incidents: Incidents, name: str) -> float:
    return float(incidents.quality.query("check == @name")["count"].sum())


def test_rows_without_an_lsoa_are_placed_by_their_coordinates(tmp_path: Path) -> None:
    boundaries = write_areas(tmp_path / "b.geojson", {"E01000001": WEST, "E01000002": EAST})
    rows = [
        row("2017-01", "", x="-1.55"),
        row("2017-01", "", x="-1.45"),
        row("2017-01", "", x="-1.45"),
        row("2017-01", "", x="-1.20"),
        row("2017-01", "", x="", y=""),
    ]
    write_rows(tmp_path / "f", "2017-01", rows)
    sites = {"west": {"lsoas": ["E01000001"]}, "east": {"lsoas": ["E01000002"]}}
    incidents = read(tmp_path / "f", sites=sites, geography={"boundaries": [boundaries]})
    assert (total(incidents, "west"), total(incidents, "east")) == (1, 2)
    assert check(incidents, "rows placed by their coordinates") == 3
    assert check(incidents, "rows not placed, though they have coordinates") == 1
    assert check(incidents, "rows without any place") == 1


def test_eastings_and_northings_are_placed(tmp_path: Path) -> None:
    boundaries = write_areas(tmp_path / "b.geojson", {"E01000001": WEST, "E01000002": EAST})
    rows = [
        "2011-01,Durham Constabulary,429000,541000,On or near X,Burglary",
        "2011-01,Durham Constabulary,436000,541000,On or near X,Burglary",
    ]
    write_rows(tmp_path / "f", "2011-01", rows, GRID_HEADER)
    sites = {"west": {"lsoas": ["E01000001"]}, "east": {"lsoas": ["E01000002"]}}
    incidents = read(tmp_path / "f", sites=sites, geography={"boundaries": [boundaries]})
    assert (total(incidents, "west"), total(incidents, "east")) == (1, 1)


def test_eastings_without_boundaries_are_refused(tmp_path: Path) -> None:
    rows = ["2011-01,Durham Constabulary,429000,541000,On or near X,Burglary"] * 3
    write_rows(tmp_path, "2011-01", rows, GRID_HEADER)
    with pytest.raises(InputError, match=r"none of its 3 rows .* there are no boundaries"):
        read(tmp_path, sites={"west": {"lsoas": ["E01000001"]}})


# A point in WEST, one in EAST and one in neither, in each system; 12, 24 and 36 rows of them.
IN_DEGREES = [("-1.55", "54.75"), ("-1.45", "54.75"), ("-1.2", "54.75")]
IN_METRES = [("429064", "539500"), ("435500", "539550"), ("451595", "539695")]
IN_MERCATOR = [("-172545", "7312500"), ("-161413", "7312500"), ("-133583", "7312500")]
IN_IRISH_GRID = [("333000", "374000"), ("334000", "374000"), ("335000", "375000")]


def turn(points: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(y, x) for x, y in points]


def write(points: list[tuple[str, str]], form: str) -> list[tuple[str, str]]:
    return [(format(int(x), form), format(int(y), form)) for x, y in points]


def write_points(
    folder: Path, points: list[tuple[str, str]], heads: tuple[str, str], *, street: bool
) -> dict[str, object]:
    """Write rows with coordinates alone, and two sites drawn around them."""
    rows = [
        (x, y) for times, (x, y) in zip((12, 24, 36), points, strict=False) for _ in range(times)
    ]
    rows += [("0", "0"), ("0.0", "0.00"), ("", "")]
    sites = {
        key: {"polygon": write_areas(folder / f"{key}.geojson", {"x": ring})}
        for key, ring in (("west", WEST), ("east", EAST))
    }
    if street:
        header = f"Month,Reported by,{heads[0]},{heads[1]},LSOA code,LSOA name,Crime type"
        lines = [row("2017-01", "", x=f'"{x}"', y=f'"{y}"') for x, y in rows]
        write_rows(folder / "f", "2017-01", lines, header)
        return {"sites": sites, "incidents": [{"path": str(folder / "f")}]}
    lines = [f'2017-01-03,Burglary,"{x}","{y}"' for x, y in rows]
    path = folder / "own.csv"
    path.write_text("\n".join([f"Date,Crime type,{heads[0]},{heads[1]}", *lines]))
    columns = {"longitude": heads[0], "latitude": heads[1]}
    return {"sites": sites, "incidents": [{"path": str(path), "columns": columns}]}


@pytest.mark.parametrize("street", [True, False], ids=["street file", "table"])
@pytest.mark.parametrize("heads", [("Longitude", "Latitude"), ("Easting", "Northing")])
@pytest.mark.parametrize(
    ("points", "taken"),
    [
        (IN_DEGREES, ""),
        (turn(IN_DEGREES), "latitude and longitude, the two swapped"),
        ([(x.replace(".", ","), y.replace(".", ",")) for x, y in IN_DEGREES], ""),
        (IN_METRES, "metres of the British National Grid"),
        (write(IN_METRES, ","), "metres of the British National Grid"),
        ([(f"{x}.25", f"{y}.75") for x, y in IN_METRES], "metres of the British National Grid"),
        (turn(IN_METRES), "metres of the British National Grid, northing first"),
        ([(f"{x}0", f"{y}0") for x, y in IN_METRES], "decimetres of the British National Grid"),
        (IN_MERCATOR, r"metres of Web Mercator \(EPSG:3857\)"),
    ],
)
def test_coordinates_are_recognised_by_their_range(
    tmp_path: Path,
    points: list[tuple[str, str]],
    taken: str,
    heads: tuple[str, str],
    street: bool,
) -> None:
    incidents = read(tmp_path, **write_points(tmp_path, points, heads, street=street))
    assert (total(incidents, "west"), total(incidents, "east")) == (12, 24)
    assert check(incidents, "rows without any place") == 3
    notes = incidents.quality.query("check == 'rows whose coordinates were converted'")["note"]
    assert len(notes) == bool(taken)
    assert notes.str.contains(f"taken for {taken}, and converted").all()


@pytest.mark.parametrize("street", [True, False], ids=["street file", "table"])
@pytest.mark.parametrize(
    ("points", "message"),
    [
        (IN_IRISH_GRID, "none of its 75 rows .* runs from 333,000 to 335,000.*Irish Grid"),
        ([("2.35", "48.85")] * 3, "from 2.35 to 2.35, .*48.85: most are no place in Great Britain"),
        ([IN_DEGREES[0], *IN_METRES[1:]], "12 of 72 are longitude and latitude"),
        ([*IN_DEGREES[:2], turn(IN_DEGREES)[2]], "coordinates are mixed"),
        ([("-1.2", "54.75")] * 3, "none of its 75 rows lies in a place"),
        ([("NZ 123 456", "NZ 123 456")] * 3, "NZ 123 456|none of its 75 rows"),
        ([("54°45'N", "1°33'W")] * 3, "is no coordinate|none of its 75 rows"),
    ],
)  # fmt: skip
def test_coordinates_that_are_not_certain_are_refused(
    tmp_path: Path,
    points: list[tuple[str, str]],
    message: str,
    street: bool,
) -> None:
    given = write_points(tmp_path, points, ("Easting", "Northing"), street=street)
    with pytest.raises(InputError, match=message):
        read(tmp_path, **given)


def test_points_outlast_the_cache(tmp_path: Path) -> None:
    boundaries = write_areas(tmp_path / "b.geojson", {"E01000001": WEST, "E01000002": EAST})
    rows = [row("2017-01", "E01000002", x="-1.55"), row("2017-01", "", x="-1.55")]
    write_rows(tmp_path / "f", "2017-01", rows)
    given = {
        "name": "pilot",
        "incidents": [{"path": str(tmp_path / "f")}],
        "geography": {"boundaries": [boundaries]},
        "sites": {"west": {"lsoas": ["E01000001"]}},
    }
    cohort = Cohort.model_validate(given)
    first, second = (read_incidents(cohort, cache=tmp_path / "cache") for _ in range(2))
    assert total(first, "west") == total(second, "west") == 1
    assert check(second, "rows placed by their coordinates") == 1


def test_polygon_holds_rows_by_point_and_may_not_share_them(tmp_path: Path) -> None:
    polygon = write_areas(tmp_path / "p.geojson", {"x": WEST})
    rows = [row("2017-01", "E01000001", x="-1.55")] * 2 + [row("2017-01", "E01000002", x="-1.45")]
    write_rows(tmp_path / "f", "2017-01", rows)
    sites: dict[str, object] = {"drawn": {"polygon": polygon}, "east": {"lsoas": ["E01000002"]}}
    incidents = read(tmp_path / "f", sites=sites)
    assert (total(incidents, "drawn"), total(incidents, "east")) == (2, 1)
    sites["east"] = {"lsoas": ["E01000001", "E01000002"]}
    with pytest.raises(InputError, match="'drawn' and 'east' overlap: 2 incidents"):
        read(tmp_path / "f", sites=sites)


def write_two_years(folder: Path) -> None:
    """2011's E01000002 was split into E01034001 and E01034002 from 2017-03."""
    for month in ("2017-01", "2017-02"):
        rows = [row(month, "E01000001")] * 5 + [row(month, "E01000002")] * 9
        write_rows(folder, month, rows)
    for month in ("2017-03", "2017-04"):
        rows = [row(month, "E01000001")] * 5 + [row(month, "E01034001")] * 6
        write_rows(folder, month, rows + [row(month, "E01034002")] * 3)


def write_change(path: Path) -> str:
    lines = ["LSOA11CD,LSOA11NM,CHGIND,LSOA21CD", "E01000001,a,U,E01000001"]
    lines += ["E01000002,b,S,E01034001", "E01000002,b,S,E01034002"]
    path.write_text("\n".join(lines))
    return str(path)


@pytest.mark.parametrize(
    ("lsoas", "said"),
    [
        (["E01000001"], "must hold areas that sites are compared with: 'E01034001'"),
        (["E01034001", "E01000002"], "must hold One: 'E01000002', 'E01034001'"),
    ],
)
def test_years_mixed_without_a_table_are_refused(
    tmp_path: Path, lsoas: list[str], said: str
) -> None:
    write_two_years(tmp_path)
    with pytest.raises(InputError, match=r"2021 stand in 2 months from 2017-03 to 2017") as error:
        read(tmp_path, sites={"one": {"title": "One", "lsoas": lsoas}})
    assert said in str(error.value)


def test_lsoas_of_2021_elsewhere_refuse_nothing(tmp_path: Path) -> None:
    change = tmp_path / "change.csv"
    change.write_text("LSOA11CD,LSOA21CD\nE01000009,E01034009\n")
    for month in ("2017-01", "2017-02", "2017-03", "2017-04"):
        own = [row(month, "E01000001")] * 200 + [row(month, "E01000002")] * 200
        strays = [row(month, f"E0103400{n % 6}") for n in range(18)] if month > "2017-02" else []
        write_rows(tmp_path / "f", month, own + strays)
    for geography in ({}, {"lsoa_change": str(change)}):
        incidents = read(
            tmp_path / "f", sites={"one": {"lsoas": ["E01000001"]}}, geography=geography
        )
        noted = incidents.quality.query("check == 'rows in LSOAs of 2021'")
        assert noted["count"].tolist() == [36.0]
        assert "'E01034000'" in noted["note"].item()
        assert total(incidents, "one") == 800


def test_lsoas_that_a_lookup_lacks_are_named_with_their_rows(tmp_path: Path) -> None:
    lookup = tmp_path / "lookup.csv"
    lookup.write_text("LSOA11CD,WD11NM\nE01000001,West\n")
    rows = [row("2017-01", "E01000001")] * 3 + [row("2017-01", "E01000002")] * 2
    write_rows(tmp_path / "f", "2017-01", rows)
    incidents = read(
        tmp_path / "f",
        sites={"west": {"wards": ["West"]}},
        geography={"lookup": str(lookup)},
        placebo={"group_by": "ward"},
    )
    noted = incidents.quality.query("check == 'LSOAs that the lookup does not hold'")
    assert noted["note"].item().startswith("'E01000002': they hold 2 rows")


def test_years_are_joined_by_the_table(tmp_path: Path) -> None:
    write_two_years(tmp_path / "f")
    change = write_change(tmp_path / "change.csv")
    sites = {"one": {"lsoas": ["E01034001", "E01034002"]}}
    incidents = read(tmp_path / "f", sites=sites, geography={"lsoa_change": change})
    burglary = incidents.sites.query("outcome == 'victim_based_crime'")
    assert burglary["count"].tolist() == [9.0, 9.0, 9.0, 9.0]
    assert set(incidents.areas["area"]) == {"E01000001", "E01000002"}


def test_site_that_holds_part_of_a_split_area_is_refused(tmp_path: Path) -> None:
    write_two_years(tmp_path / "f")
    change = write_change(tmp_path / "change.csv")
    with pytest.raises(InputError, match="holds 'E01034001' but not 'E01034002'"):
        read(
            tmp_path / "f",
            sites={"one": {"lsoas": ["E01034001"]}},
            geography={"lsoa_change": change},
        )


def test_a_rare_new_code_is_not_taken_for_a_change_of_years(tmp_path: Path) -> None:
    write_rows(tmp_path, "2017-01", [row("2017-01", "E01000001")])
    write_rows(tmp_path, "2017-02", [row("2017-02", "E01000001"), row("2017-02", "E01034001")])
    assert read(tmp_path, sites={"one": {"lsoas": ["E01000001"]}}).missing_months == ()


def test_lsoa_that_vanishes_from_a_site_is_flagged(tmp_path: Path) -> None:
    for month in ("2017-01", "2017-02", "2017-03"):
        rows = [row(month, "E01000001")] * 250
        write_rows(tmp_path, month, rows + [row(month, "E01000002")] * 20 * (month < "2017-03"))
    incidents = read(tmp_path, sites={"one": {"lsoas": ["E01000001", "E01000002"]}})
    flagged = incidents.quality.query("check == 'LSOA of a site that starts or stops'")
    assert flagged["count"].tolist() == [40.0]
    assert "E01000002" in flagged["note"].item()


def test_unknown_lsoas(tmp_path: Path) -> None:
    write_rows(tmp_path, "2017-01", [row("2017-01", "E01000001")])
    incidents = read(tmp_path, sites={"one": {"lsoas": ["E01000001", "E01000011"]}})
    note = incidents.quality.query("check == 'LSOAs of a site without any incident'")["note"].item()
    assert "E01000011" in note
    assert "nearest code there is E01000001" in note
    with pytest.raises(InputError, match="Did you mean 'E01000001'"):
        read(tmp_path, sites={"one": {"lsoas": ["E01000011"]}})


def test_group_by_ward_needs_a_lookup(tmp_path: Path) -> None:
    write_rows(tmp_path, "2017-01", [row("2017-01", "E01000001")])
    with pytest.raises(InputError, match="no lookup from LSOA to ward"):
        read(tmp_path, placebo={"group_by": "ward"})


def test_authorities_are_listed_by_their_rows(tmp_path: Path) -> None:
    own = [row("2017-01", "E01000001")] * 9
    strays = [row("2017-01", f"E0100010{n}").replace("Durham 001A", f"York 00{n}A") for n in "123"]
    write_rows(tmp_path, "2017-01", own + strays)
    assert list(describe_incidents(tmp_path).authorities) == ["Durham", "York"]
