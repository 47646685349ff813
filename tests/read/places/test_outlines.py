"""Outlines of sites from small GeoJSON files made here; which controls touch which areas."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from causal_words import find_forbidden_words

from sbwork.grade.evidence import Evidence
from sbwork.read.places.outlines import Contact, find_contacts, outline_sites
from sbwork.render.evidence import list_limits
from sbwork.render.maps import describe_contacts, describe_map, name_contacts
from sbwork.specs.cohort import Cohort
from sbwork.stats.findings import combine_findings


def write_squares(path: Path, squares: dict[str, tuple[float, float]]) -> None:
    features = []
    for code, (x, y) in squares.items():
        ring = [[x, y], [x + 0.01, y], [x + 0.01, y + 0.01], [x, y + 0.01], [x, y]]
        features.append(
            {
                "type": "Feature",
                "properties": {"LSOA11CD": code, "LSOA11NM": f"Name {code}"},
                "geometry": {"type": "Polygon", "coordinates": [ring]},
            }
        )
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))


def make_cohort(folder: Path, sites: dict, boundaries: list[str]) -> Cohort:
    cohort = Cohort.model_validate(
        {"name": "pilot", "sites": sites, "geography": {"boundaries": boundaries}}
    )
    cohort._folder = folder
    return cohort


def test_outlines_name_the_site_of_each_area(tmp_path):
    write_squares(tmp_path / "b.geojson", {"E1": (-1.6, 54.9), "E2": (-1.5, 54.9)})
    write_squares(tmp_path / "own.geojson", {"": (-1.4, 54.9)})
    cohort = make_cohort(
        tmp_path, {"a": {"lsoas": ["E1"]}, "p": {"polygon": "own.geojson"}}, ["b.geojson"]
    )
    outlines = outline_sites(cohort)
    assert outlines is not None
    assert outlines.sites == ("a", "", "p")
    assert outlines.find_middles()["p"] == pytest.approx((-1.395, 54.905))


def test_no_outline_of_a_site_is_no_map(tmp_path):
    write_squares(tmp_path / "b.geojson", {"E1": (-1.6, 54.9)})
    assert outline_sites(make_cohort(tmp_path, {"a": {"lsoas": ["E9"]}}, ["b.geojson"])) is None
    assert outline_sites(make_cohort(tmp_path, {"a": {"lsoas": ["E1"]}}, [])) is None


# Four squares in a row, then one apart; each .01 degrees (640 m) wide and as many (1,113 m) high.
ROW = {f"E0100000{k}": (-1.6 + 0.01 * k, 54.9) for k in range(4)} | {"E01000009": (-1.5, 54.95)}
HEIGHT = 1113.3


def make_row(folder: Path, sites: dict, pairs: list[dict], lookup: str = "") -> Cohort:
    write_squares(folder / "row.geojson", ROW)
    geography: dict = {"boundaries": ["row.geojson"]}
    if lookup:
        (folder / "lookup.csv").write_text(lookup)
        geography["lookup"] = "lookup.csv"
    cohort = Cohort.model_validate(
        {"name": "pilot", "sites": sites, "pairs": pairs, "geography": geography}
    )
    cohort._folder = folder
    return cohort


def name_found(found: tuple[Contact, ...]) -> list[tuple[str, str, str]]:
    return [(contact.control, contact.other, contact.role) for contact in found]


def test_controls_of_lsoas_touch_what_they_share_a_border_with(tmp_path):
    sites = {
        key: {"lsoas": [f"E0100000{k}"]} for key, k in (("a", 0), ("d", 1), ("c", 2), ("e", 9))
    }
    pairs = [{"intervention": "a", "control": "c", "displacement": "d"},
             {"intervention": "e"}]  # fmt: skip
    cohort = make_row(tmp_path, sites, pairs)
    outlines = outline_sites(cohort)
    assert outlines is not None
    (found,) = find_contacts(outlines, cohort)
    assert (found.control, found.other, found.role) == ("c", "d", "displacement")
    assert found.border == pytest.approx(HEIGHT, rel=0.01)


def test_wards_touch_and_controls_of_other_pairs_count(tmp_path):
    lookup = "LSOA21CD,WD22CD,WD22NM\nE01000000,W1,North\nE01000001,W1,North\n"
    lookup += "E01000002,W2,South\nE01000003,W3,Far\nE01000009,W4,Out\n"
    sites = {"a": {"wards": ["North"]}, "b": {"wards": ["Out"]}, "c": {"wards": ["South"]},
             "x": {"wards": ["Far"]}}  # fmt: skip
    pairs = [{"intervention": "a", "control": "x"}, {"intervention": "b", "control": "c"}]
    cohort = make_row(tmp_path, sites, pairs, lookup)
    outlines = outline_sites(cohort)
    assert outlines is not None
    assert name_found(find_contacts(outlines, cohort)) == [("c", "a", "intervention")]


@pytest.mark.parametrize(("gap", "touches"), [(0.0, True), (0.0002, True), (0.0005, False)])
def test_polygons_drawn_with_a_gap_touch_up_to_twenty_metres(tmp_path, gap, touches):
    """A gap of .0002 degrees is 13 m here, one of .0005 is 32 m."""
    write_squares(tmp_path / "own.geojson", {"": (-1.61 - gap, 54.9)})
    sites = {"a": {"lsoas": ["E01000000"]}, "c": {"polygon": "own.geojson"}}
    cohort = make_row(tmp_path, sites, [{"intervention": "a", "control": "c"}])
    outlines = outline_sites(cohort)
    assert outlines is not None
    assert bool(find_contacts(outlines, cohort)) is touches


def test_words_say_who_touches_whom_and_what_it_does_to_the_comparison(tmp_path):
    sites = {
        "a": {"title": "Area A", "lsoas": ["E01000000"]},
        "c": {"title": "Control C", "lsoas": ["E01000001"]},
    }
    cohort = make_row(tmp_path, sites, [{"intervention": "a", "control": "c"}])
    outlines = outline_sites(cohort)
    assert outlines is not None
    contacts = find_contacts(outlines, cohort)
    border = "The control site Control C shares about 1.1 km of border with Area A"
    told = describe_contacts(cohort, outlines, contacts)
    assert border in told
    assert "may be biased, either way" in told
    assert border in describe_map(cohort, outlines, contacts)
    assert "Control C and Area A. What is done" in name_contacts(cohort, contacts)
    limits = list_limits(cohort, combine_findings([]), Evidence(2, (), ()), contacts)
    (limit,) = [point for point in limits if "spill-over" in point]
    assert "Control C" in limit
    for text in (told, limit, name_contacts(cohort, contacts)):
        assert find_forbidden_words(text, 1) == []
    corner = Contact("c", "a", "intervention", 0.0)
    assert "touches, at a corner or along a short border, Area A" in describe_contacts(
        cohort, outlines, [corner]
    )


def test_words_tell_apart_no_contact_and_nothing_known(tmp_path):
    sites = {"a": {"lsoas": ["E01000000"]}, "c": {"lsoas": ["E01000003"]}, "z": {}}
    cohort = make_row(tmp_path, sites, [{"intervention": "a", "control": "c"}])
    outlines = outline_sites(cohort)
    assert outlines is not None
    assert describe_contacts(cohort, outlines, ()) == (
        "No control site touches an area where the work is, or a displacement area."
    )
    assert name_contacts(cohort, ()) == ""
    pairs = [{"intervention": "a", "control": "c", "displacement": "z"}]
    partly = make_row(tmp_path, sites, pairs)
    assert describe_contacts(partly, outlines, ()) == (
        "Without an outline, so that nothing can be said of its borders: z."
    )
    assert "can't be said" in describe_contacts(cohort, None, ())
    alone = make_row(tmp_path, sites, [{"intervention": "a"}])
    assert describe_contacts(alone, outlines, ()) == ""
