"""A new cohort's folder: files sorted and copied, first drafts written, all or nothing."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from sbwork.intake.drafts import draft_cohort, draft_instrument
from sbwork.intake.surveys import Proposal, propose_surveys
from sbwork.read.incidents.archives import find_parts, read_ends
from sbwork.read.incidents.police_uk import is_street_header
from sbwork.read.incidents.reading import IncidentDescription, describe_incidents
from sbwork.read.surveys.detection import read_table
from sbwork.specs.cohort import Cohort, find_cohorts, read_cohort
from sbwork.specs.documents import load_spec
from sbwork.specs.errors import InputError, Problem, find_nearest, quote
from sbwork.specs.instrument import Instrument

__all__ = ["Intake", "Sorted", "check_name", "clean_path", "copy_examples", "sort_files", "take_in"]

_TEXT, _BOOKS = {".csv", ".tsv", ".txt"}, {".xlsx", ".xlsm"}
_SURVEYS = {".sav", ".zsav", ".dta", ".xls", ".ods"}
_KINDS = re.compile(
    r"^(?:crime|offence|incident)(?:type|category|group|description)?s?$|^(?:crime|offence)$"
)
_DATES = re.compile(r"month|date|occurred|reported|period")
_PLACES = re.compile(r"lsoa|ward|beat|area|site|easting|northing|longitude|latitude|neighbourhood")


@dataclass(frozen=True)
class Sorted:
    """Files told apart by what is in them; the rest is in `others`."""

    surveys: tuple[Path, ...] = ()
    incidents: tuple[Path, ...] = ()
    lookups: tuple[Path, ...] = ()
    boundaries: tuple[Path, ...] = ()
    others: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Intake:
    """What `take_in` did.

    Attributes
    ----------
    cohort : Path
        The cohort.yml written.
    instrument : Path or None
        The questionnaire written; None where no column looks like an item.
    copied : tuple of str
        Files copied into the folder.
    others : tuple of str
        Files in the folder that were left alone.
    proposal : Proposal
        What the survey files seem to hold.
    incidents : dict
        Path -> what the incident files hold.
    """

    cohort: Path
    instrument: Path | None
    copied: tuple[str, ...]
    others: tuple[str, ...]
    proposal: Proposal
    incidents: dict[str, IncidentDescription] = field(default_factory=dict)


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


def sort_files(folder: Path) -> Sorted:
    """Tell the files of a folder apart: surveys, incidents, geography.

    Parameters
    ----------
    folder : Path
        A cohort's folder; it need not exist.

    Returns
    -------
    Sorted
        Hidden files and cohort.yml are passed over.
    """
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if not path.name.startswith((".", "~$")) and path.name != "cohort.yml":
            found.setdefault(_find_kind(path), []).append(path)
    return Sorted(**{kind: tuple(paths) for kind, paths in found.items()})


def take_in(
    name: str,
    data: Path,
    surveys: Sequence[str] = (),
    incidents: Sequence[str] = (),
) -> Intake:
    """Make a new cohort: copy its files, look into them, write cohort.yml and the questionnaire.

    Parameters
    ----------
    name : str
        The cohort's name.
    data : Path
        The folder that holds ``cohorts/`` and ``instruments/``.
    surveys, incidents : sequence of str
        Files as the user wrote them; without any, those that lie in the cohort's folder.

    Returns
    -------
    Intake
        What was written and found.

    Raises
    ------
    InputError
        The name can't be used, a file is missing or can't be read, or something would be
        overwritten; all of it at once, and nothing is written.
    """
    folder, questionnaire = data / "cohorts" / name, data / "instruments" / f"{name}.yml"
    check_name(name)
    problems = [
        Problem(str(path), "", "this file is there already, and nothing is overwritten",
                "Use another name, or move it away")
        for path in (folder / "cohort.yml", questionnaire) if path.exists()
    ]  # fmt: skip
    sorted_ = sort_files(folder)
    if surveys or incidents:
        given = [_find_given(text, problems) for text in (*surveys, *incidents)]
        chosen = [path for path in given[: len(surveys)] if path]
        counted = [path for path in given[len(surveys) :] if path]
    else:
        chosen, counted = list(sorted_.surveys), list(sorted_.incidents)
    copies = _plan_copies([*chosen, *counted], folder, problems)
    if not (chosen or counted or problems):
        problems.append(
            Problem(str(folder), "", "there is no survey file and no incident file here",
                    "Put the files in this folder, or name them with --survey and --incidents")
        )  # fmt: skip
    proposal = Proposal()
    try:
        proposal = propose_surveys(chosen)
    except InputError as error:
        problems.extend(error.problems)
    if problems:
        raise InputError(problems)
    places = {path: copies.get(path, path) for path in (*chosen, *counted)}
    shown = {
        path: place.resolve().relative_to(folder.resolve()).as_posix()
        for path, place in places.items()
    }
    told = {shown[path]: describe_incidents(path) for path in counted}
    text = draft_cohort(
        name,
        proposal,
        [shown[survey.path] for survey in proposal.surveys],
        told,
        has_instrument=bool(proposal.items),
        lookup=sorted_.lookups[0].name if sorted_.lookups else "",
        boundaries=[path.name for path in sorted_.boundaries],
    )
    questions = draft_instrument(name, proposal) if proposal.items else ""
    _write(data, folder, questionnaire, text, questions, copies)
    return Intake(
        cohort=folder / "cohort.yml",
        instrument=questionnaire if questions else None,
        copied=tuple(place.name for place in copies.values()),
        others=tuple(path.name for path in sorted_.others),
        proposal=proposal,
        incidents=told,
    )


def copy_examples(folder: Path, source: Path) -> list[str]:
    """Copy the example cohorts and the notebooks that sbwork brings along.

    Parameters
    ----------
    folder : Path
        Where ``data/`` and ``notebooks/`` are to be.
    source : Path
        The folder that holds sbwork's own.

    Returns
    -------
    list of str
        What was copied, and what of it is invented.

    Raises
    ------
    InputError
        One of the two is there already.
    """
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
    return [*lines, f"Next: {'' if folder == Path() else f'cd {folder} && '}sbwork report"]


def _find_kind(path: Path) -> str:
    suffix = path.suffix.lower()
    try:
        if path.is_dir() or suffix == ".zip":
            return "incidents" if _holds_incidents(path) else "others"
        if suffix in {".geojson", ".json"}:
            return "boundaries" if _holds_areas(path) else "others"
        if suffix in _TEXT:
            names = _read_names(path)
        elif suffix in _BOOKS:
            names = list(read_table(path, "excel").names)
        else:
            return "surveys" if suffix in _SURVEYS else "others"
    except (InputError, OSError):
        return "surveys" if suffix in _TEXT | _BOOKS else "others"
    plain = [re.sub(r"[^a-z0-9]", "", name.casefold()) for name in names]
    if is_street_header(names) or all(
        any(pattern.search(name) for name in plain) for pattern in (_KINDS, _DATES, _PLACES)
    ):
        return "incidents"
    if any(re.fullmatch(r"lsoa(\d\d)?(?:cd|code)", name) for name in plain):
        return "lookups" if _names_larger_areas(plain) else "others"
    return "surveys" if suffix != ".txt" or len(names) > 1 else "others"


def _names_larger_areas(plain: Sequence[str]) -> bool:
    return any(re.match(r"(?:wd|ward|lad|ltla|msoa)", name) for name in plain)


def _holds_incidents(path: Path) -> bool:
    for part in find_parts(path, path.name)[:3]:
        if part.labels[2] == "street":
            return True
        head, _ = read_ends(part, 4096)
        header = head.decode("utf-8", "replace").lstrip("\ufeff").partition("\n")[0]
        if is_street_header([name.strip().strip('"') for name in header.split(",")]):
            return True
    return path.suffix.lower() == ".zip" and any(p.labels[2] for p in find_parts(path, path.name))


def _holds_areas(path: Path) -> bool:
    head = _read_head(path, 20_000).decode("utf-8", "replace")
    return '"FeatureCollection"' in head and bool(re.search(r'"LSOA\d\dCD"', head, re.IGNORECASE))


def _read_names(path: Path) -> list[str]:
    head = _read_head(path, 65_536)
    encoding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    line = head.decode(encoding, "replace").splitlines()[:1]
    delimiter = max(",;\t|", key=(line or [""])[0].count)
    return [name.strip().strip('"') for name in (line or [""])[0].split(delimiter)]


def _read_head(path: Path, length: int) -> bytes:
    with path.open("rb") as file:
        return file.read(length)


def check_name(name: str) -> None:
    """Refuse what can't be the name of a cohort.

    Raises
    ------
    InputError
        It holds more than small letters, digits, hyphens and underscores.
    """
    try:
        Cohort(name=name)
    except ValidationError:
        found = f"'{quote(name)}' can't be the name of a cohort"
        allowed = "Use small letters, digits, hyphens and underscores"
        slug = re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")
        raise InputError(Problem("NAME", "", found, allowed, slug)) from None


def _find_given(text: str, problems: list[Problem]) -> Path | None:
    path = Path(clean_path(text)).expanduser()
    try:
        there, parent = path.exists(), path.parent
        nearby = [p.name for p in parent.iterdir()] if not there and parent.is_dir() else []
    except OSError:
        there, nearby = False, []
    if there:
        return path
    problems.append(
        Problem(str(path), "", "there is no such file", nearest=find_nearest(path.name, nearby))
    )
    return None


def _plan_copies(paths: Sequence[Path], folder: Path, problems: list[Problem]) -> dict[Path, Path]:
    """Say where each file from elsewhere goes; those in the folder stay where they are."""
    copies: dict[Path, Path] = {}
    taken: dict[str, Path] = {}
    for path in dict.fromkeys(paths):
        if path.resolve().is_relative_to(folder.resolve()):
            continue
        place = folder / path.name
        other = taken.setdefault(path.name.casefold(), path)
        if place.exists() or other != path:
            found = f"'{quote(path.name)}' would be copied over another file of that name"
            problems.append(Problem(str(path), "", found, "Rename one of the two"))
        copies[path] = place
    return copies


def _write(
    data: Path,
    folder: Path,
    questionnaire: Path,
    text: str,
    questions: str,
    copies: dict[Path, Path],
) -> None:
    """Write everything aside, check that it loads, and move it into place."""
    existed = [path for path in (data, folder, questionnaire.parent) if path.exists()]
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".new-", dir=data))
    moves: list[tuple[Path, Path]] = []
    try:
        for number, (path, place) in enumerate(copies.items()):
            aside = staging / str(number)
            if path.is_dir():
                shutil.copytree(path, aside)
            else:
                shutil.copyfile(path, aside)
            moves.append((aside, place))
        if questions:
            (staging / "instrument.yml").write_text(questions, encoding="utf-8", newline="\n")
            load_spec(staging / "instrument.yml", Instrument)
            moves.append((staging / "instrument.yml", questionnaire))
        (staging / "cohort.yml").write_text(text, encoding="utf-8", newline="\n")
        load_spec(staging / "cohort.yml", Cohort)
        moves.append((staging / "cohort.yml", folder / "cohort.yml"))
        with _undone_on_failure(moves, existed, folder, questionnaire.parent):
            for aside, place in moves:
                place.parent.mkdir(parents=True, exist_ok=True)
                aside.rename(place)
    except OSError as error:
        found = f"this can't be written: {error.strerror}"
        raise InputError(
            Problem(str(error.filename2 or error.filename or folder), "", found)
        ) from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)


@contextlib.contextmanager
def _undone_on_failure(
    moves: Sequence[tuple[Path, Path]], existed: Sequence[Path], *folders: Path
) -> Iterator[None]:
    try:
        yield
    except BaseException:
        for aside, place in moves:
            if not aside.exists() and place.exists():
                with contextlib.suppress(OSError):
                    place.rename(aside)
        for folder in folders:
            if folder not in existed:
                with contextlib.suppress(OSError):
                    folder.rmdir()
        raise
