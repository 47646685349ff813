"""Tallies kept on disk."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

import sbwork.read.incidents.reading
from sbwork.read.incidents import Incidents, read_incidents
from sbwork.specs.cohort import Cohort

TEXT = "Month,Reported by,LSOA code,Crime type\n" + "2017-01,Durham,E01000001,Burglary\n" * 3


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "f" / "2017-01-durham-street.csv"
    path.parent.mkdir()
    path.write_text(TEXT)
    return path


def read(archive: Path, cache: Path) -> Incidents:
    sites = {"one": {"lsoas": ["E01000001"]}}
    given = {"name": "pilot", "sites": sites, "incidents": [{"path": str(archive.parent)}]}
    return read_incidents(Cohort.model_validate(given), cache=cache)


def total(incidents: Incidents) -> float:
    return float(incidents.sites["count"].sum())


def refuse_to_read(*_: object) -> None:
    raise AssertionError("the files were read again")


def test_second_read_opens_no_file_and_is_the_same(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = read(archive, tmp_path / "cache")
    monkeypatch.setattr(sbwork.read.incidents.reading, "read_street_files", refuse_to_read)
    second = read(archive, tmp_path / "cache")
    pd.testing.assert_frame_equal(first.sites, second.sites)
    pd.testing.assert_frame_equal(first.areas, second.areas)
    pd.testing.assert_frame_equal(first.quality, second.quality)


def test_changed_file_is_read_again_and_the_old_tally_goes(archive: Path, tmp_path: Path) -> None:
    read(archive, tmp_path / "cache")
    stamp = archive.stat()
    archive.write_text(TEXT.replace("Burglary", "Burglarz", 1))
    os.utime(archive, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert total(read(archive, tmp_path / "cache")) == 2
    assert len(list((tmp_path / "cache").iterdir())) == 1


@pytest.mark.parametrize("damage", ["cut", "noise", "empty"])
def test_damaged_tally_is_made_anew(archive: Path, tmp_path: Path, damage: str) -> None:
    read(archive, tmp_path / "cache")
    kept = next((tmp_path / "cache").iterdir())
    whole = kept.read_bytes()
    kept.write_bytes({"cut": whole[:-50], "noise": b"x" * 500, "empty": b""}[damage])
    assert total(read(archive, tmp_path / "cache")) == 3
    assert kept.read_bytes()[:4] == b"PAR1"


def test_folder_that_can_not_be_written_is_no_fault(archive: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file, not a folder")
    assert total(read(archive, tmp_path / "cache")) == 3


def test_cache_lies_beside_the_cohort(tmp_path: Path) -> None:
    from sbwork.specs.cohort import read_cohort

    folder = tmp_path / "cohorts" / "pilot"
    (folder / "f").mkdir(parents=True)
    (folder / "f" / "2017-01-durham-street.csv").write_text(TEXT)
    (folder / "cohort.yml").write_text("name: pilot\nincidents: [{path: f}]\n")
    read_incidents(read_cohort("pilot", tmp_path))
    assert [path.suffix for path in (folder / ".sbwork-cache").iterdir()] == [".parquet"]
