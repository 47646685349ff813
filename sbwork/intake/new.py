"""A new cohort's folder: files sorted and copied, first drafts written, all or nothing."""

from __future__ import annotations

import contextlib
import math
import os
import re
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from sbwork.intake.columns import read_words
from sbwork.intake.drafts import draft_cohort, draft_instrument
from sbwork.intake.surveys import Proposal, propose_surveys
from sbwork.read.incidents.archives import find_parts, read_ends
from sbwork.read.incidents.police_uk import is_street_header
from sbwork.read.incidents.reading import IncidentDescription, describe_incidents
from sbwork.read.surveys.detection import read_table
from sbwork.specs.cohort import Cohort, find_cohorts, find_matches, read_cohort
from sbwork.specs.documents import load_spec
from sbwork.specs.errors import InputError, Problem, find_nearest, quote
from sbwork.specs.files import is_reserved, measure_file
from sbwork.specs.instrument import Instrument

__all__ = ["Intake", "check_name", "clean_path", "copy_examples", "sort_files", "take_in"]

_TEXT, _BOOKS = {".csv", ".tsv", ".txt"}, {".xlsx", ".xlsm"}
_MONTH = re.compile(r"(?:19|20)\d\d-(?:0[1-9]|1[0-2])(?=$|-.+-street\.csv$)")
_SURVEYS = {".sav", ".zsav", ".dta", ".xls", ".ods"}


@dataclass(frozen=True)
class Intake:
    """What was written, copied into the folder and left alone, and what the files seem to hold."""

    cohort: Path
    instrument: Path | None
    copied: tuple[str, ...]
    others: tuple[str, ...]
    proposal: Proposal
    incidents: dict[str, IncidentDescription]


def clean_path(written: str) -> str:
    r"""Return a path as it is, however it came to be written: dragged, quoted, or escaped.

    Examples
    --------
    >>> clean_path('& "C:\\Survey data\\wave 1.csv" ')
    'C:\\Survey data\\wave 1.csv'
    >>> clean_path(r"/data/wave\ 1.csv")
    '/data/wave 1.csv'
    """
    path = re.sub(r"^&\s+", "", written.strip())
    if len(path) > 1 and path[0] == path[-1] and path[0] in "\"'":
        path = path[1:-1]
    if path.startswith("file://"):
        from urllib.parse import unquote

        path = unquote(re.sub(r"^file:///(?=[A-Za-z]:)|^file://", "", path))
    if os.sep == "/" and not re.match(r"[A-Za-z]:\\", path):
        path = re.sub(r"\\([ ()&'\[\]])", r"\1", path)
    return path.strip()


def sort_files(folder: Path) -> dict[str, list[Path]]:
    """Tell the files of a cohort's folder apart; hidden files and cohort.yml are passed over.

    They are "surveys", "incidents", "lookups", "boundaries" or "others".
    """
    found: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        plain = path.is_file() or path.is_dir()
        if plain and not path.name.startswith((".", "~$")) and path.name != "cohort.yml":
            found[_find_kind(path)].append(path)
    return found


def take_in(
    name: str, data: Path, surveys: Sequence[str] = (), incidents: Sequence[str] = ()
) -> Intake:
    """Make a new cohort: copy its files, look into them, write cohort.yml and the questionnaire.

    Files are named as the user wrote them; without any, those in the cohort's folder are used. An
    InputError names all that is wrong at once (the name, files missing or unreadable, files that
    would be overwritten), and then nothing is written.
    """
    check_name(name)
    folder, questionnaire = data / "cohorts" / name, data / "instruments" / f"{name}.yml"
    problems = [
        Problem(str(path), "", "this file is there already, and nothing is overwritten",
                "Use another name, or move it away")
        for path in (folder / "cohort.yml", questionnaire) if path.exists()
    ]  # fmt: skip
    lying = sort_files(folder)
    chosen, counted = lying["surveys"], lying["incidents"]
    if surveys or incidents:
        chosen = [path for text in dict.fromkeys(surveys) if (path := _find_given(text, problems))]
        counted = [
            path for text in dict.fromkeys(incidents) if (path := _find_given(text, problems))
        ]
    places = _plan_places([*chosen, *counted], folder, problems)
    if not (chosen or counted or problems):
        problems.append(
            Problem(str(folder), "", "there is no survey file and no incident file here",
                    "Put the files in this folder, or name them with --survey and --incidents")
        )  # fmt: skip
    proposal = Proposal()
    try:
        proposal = propose_surveys(chosen, data)
    except InputError as error:
        problems.extend(error.problems)
    if problems:
        raise InputError(problems)
    shown = {
        path: place.resolve().relative_to(folder.resolve()).as_posix()
        for path, place in places.items()
    }
    described = {
        (place := Path(shown[paths[0]]).with_name(pattern).as_posix()): describe_incidents(
            paths[0].with_name(pattern), place
        )
        for pattern, paths in _group_months(counted).items()
    }
    files: dict[Path, Path | str] = {p: path for path, p in places.items() if p != path}
    copied = tuple(place.name for place in files)
    if proposal.items:
        files[questionnaire] = draft_instrument(name, proposal)
    files[folder / "cohort.yml"] = draft_cohort(
        name,
        proposal,
        [shown[survey.path] for survey in proposal.surveys],
        described,
        lookup=next((path.name for path in lying["lookups"]), ""),
        boundaries=[path.name for path in lying["boundaries"]],
    )
    _write(files)
    return Intake(
        cohort=folder / "cohort.yml",
        instrument=questionnaire if proposal.items else None,
        copied=copied,
        others=tuple(path.name for path in lying["others"]),
        proposal=proposal,
        incidents=described,
    )


def _group_months(paths: Sequence[Path]) -> dict[str, list[Path]]:
    """Group the folders and street files of an unpacked archive, by the pattern that they fit."""
    grouped: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        grouped[_MONTH.sub("????-??", path.name)].append(path)
    for pattern, own in list(grouped.items()):
        if len(own) < 2 or sorted(own) != sorted(find_matches(own[0].with_name(pattern))):
            del grouped[pattern]
            grouped |= {path.name: [path] for path in own}
    return dict(grouped)


def copy_examples(folder: Path, source: Path) -> list[str]:
    """Copy sbwork's example cohorts and notebooks from `source`, and say what of it is invented."""
    names = ("data", "notebooks")
    problems = [
        Problem(str(folder / name), "", "this folder is there already, and nothing is overwritten",
                "Name another folder: sbwork new --example FOLDER")
        for name in names if (folder / name).exists()
    ]  # fmt: skip
    if problems:
        raise InputError(problems)
    for name in names:
        shutil.copytree(
            source / name, folder / name, ignore=shutil.ignore_patterns(".*", "__pycache__")
        )
    lines = [f"Copied: {folder / 'data'} and {folder / 'notebooks'}. These are examples:"]
    for name in find_cohorts(folder / "data"):
        cohort = read_cohort(name, folder / "data")
        status = "rehearsal on real data" if cohort.rehearsal else f"{cohort.data_status} data"
        lines.append(f"  {name}: {cohort.display_title} ({status})")
    return [*lines, f"Next: {'' if folder == Path() else f'cd {folder}, then '}sbwork report"]


def _find_kind(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix in _SURVEYS:
        return "surveys"
    try:
        if path.is_dir() or suffix == ".zip":
            return "incidents" if _holds_incidents(path) else "others"
        if suffix in {".geojson", ".json"}:
            head = _read_head(path, 20_000).decode("utf-8", "replace")
            areas = '"FeatureCollection"' in head and re.search(
                r'"LSOA\d\dCD"', head, re.IGNORECASE
            )
            return "boundaries" if areas else "others"
        if suffix not in _TEXT | _BOOKS:
            return "others"
        names = _read_names(path) if suffix in _TEXT else read_table(path, "excel").names
    except (InputError, OSError):
        return "surveys" if suffix in _TEXT | _BOOKS else "others"
    if _are_of_incidents(names):
        return "incidents"
    plain = [re.sub(r"[^a-z0-9]", "", name.casefold()) for name in names]
    if any(re.fullmatch(r"lsoa(\d\d)?(?:cd|code)", name) for name in plain):
        larger = any(re.match(r"(?:wd|ward|lad|ltla|msoa)", name) for name in plain)
        return "lookups" if larger else "others"
    return "surveys" if suffix != ".txt" or len(names) > 1 else "others"


def _holds_incidents(path: Path) -> bool:
    """Whether a folder or zip holds incidents, by the names of its files or their headers."""
    parts = find_parts(path, path.name)
    if any(part.labels[2] for part in parts):
        return True
    if any(part.member is None and _find_kind(part.path) == "incidents" for part in parts[:3]):
        return True
    heads = (read_ends(part, 4096)[0].decode("utf-8-sig", "replace") for part in parts[:3])
    return any(_are_of_incidents(_split_names(head)) for head in heads)


def _are_of_incidents(names: Sequence[str]) -> bool:
    plain = [re.sub(r"[^a-z0-9]", "", name.casefold()) for name in names]
    patterns = read_words("incidents").values()
    return is_street_header(list(names)) or all(
        any(re.search(pattern, name) for name in plain) for pattern in patterns
    )


def _read_names(path: Path) -> list[str]:
    head = _read_head(path, 65_536)
    encoding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return _split_names(head.decode(encoding, "replace"))


def _split_names(head: str) -> list[str]:
    line = (head.splitlines() or [""])[0]
    return [name.strip().strip('"') for name in line.split(max(",;\t|", key=line.count))]


def _read_head(path: Path, length: int) -> bytes:
    with path.open("rb") as file:
        return file.read(length)


def check_name(name: str) -> None:
    """Refuse what can't be the name of a cohort."""
    try:
        Cohort(name=name)
    except ValidationError:
        found = f"'{quote(name)}' can't be the name of a cohort"
        allowed = "Use small letters, digits, hyphens and underscores"
        slug = re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")
        if is_reserved(slug):
            allowed, slug = "Windows keeps this name for a device", f"{slug}-area"
        raise InputError(Problem("NAME", "", found, allowed, slug)) from None


def _find_given(text: str, problems: list[Problem]) -> Path | None:
    path = Path(clean_path(text)).expanduser()
    try:
        there, parent = path.exists(), path.parent
        nearby = [p.name for p in parent.iterdir()] if not there and parent.is_dir() else []
    except OSError:
        there, nearby = False, []
    if there and not path.is_dir():
        try:
            measure_file(path, str(path), math.inf)
        except InputError as error:
            problems.extend(error.problems)
            return None
    if there and is_reserved(path.name):
        found = "this is a name that Windows keeps for devices"
        problems.append(Problem(str(path), "", found, "Rename the file"))
        return None
    if there:
        return path
    problems.append(
        Problem(str(path), "", "there is no such file", nearest=find_nearest(path.name, nearby))
    )
    return None


def _plan_places(paths: Sequence[Path], folder: Path, problems: list[Problem]) -> dict[Path, Path]:
    """Say where each file will be: those in the folder stay, the rest are copied into it."""
    places: dict[Path, Path] = {}
    taken: dict[str, Path] = {}
    for path in dict.fromkeys(paths):
        is_inside = path.resolve().is_relative_to(folder.resolve())
        places[path] = path if is_inside else folder / path.name
        other = taken.setdefault(path.name.casefold(), path)
        if not is_inside and (places[path].exists() or other != path):
            found = f"'{quote(path.name)}' would be copied over another file of that name"
            problems.append(Problem(str(path), "", found, "Rename one of the two"))
    return places


def _write(files: Mapping[Path, Path | str]) -> None:
    """Copy or write every file and read the drafts; whatever fails, all of it is taken back."""
    made: list[Path] = []
    try:
        for place, content in files.items():
            made += [parent for parent in reversed(place.parents) if not parent.exists()]
            place.parent.mkdir(parents=True, exist_ok=True)
            made.append(place)
            if isinstance(content, str):
                place.write_text(content, encoding="utf-8", newline="\n")
                load_spec(place, Cohort if place.name == "cohort.yml" else Instrument)
            elif content.is_dir():
                shutil.copytree(content, place)
            else:
                shutil.copyfile(content, place)
    except BaseException as error:
        for path in reversed(made):
            with contextlib.suppress(OSError):
                if path in files and path.is_file():
                    path.unlink()
                elif path in files:
                    shutil.rmtree(path)
                else:
                    path.rmdir()
        if not isinstance(error, OSError):
            raise
        found = f"this can't be written: {error.strerror}"
        raise InputError(
            Problem(str(error.filename2 or error.filename or made[-1]), "", found)
        ) from None
