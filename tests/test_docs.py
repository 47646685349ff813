"""The documents say what the code does, and nothing of anyone's machine."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import typer

from sbwork.cli import app
from sbwork.read.checks import JOINS
from sbwork.specs.cohort import (
    Choice,
    Cohort,
    Engagement,
    Geography,
    IncidentSource,
    Mechanism,
    Outcome,
    Pair,
    Period,
    Periods,
    PlaceboDesign,
    ReportedFigure,
    Site,
    Story,
    SurveySource,
    Weighting,
)
from sbwork.specs.documents import Spec
from sbwork.specs.instrument import Instrument, Item, Option, Scale

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    path
    for name in (
        "README.md",
        "CONTRIBUTING.md",
        "data/README.md",
        "docs/results.md",
        "docs/api.md",
        "reports/README.md",
    )
    if (path := ROOT / name).is_file()
]
SECTIONS: dict[str, list[type[Spec]]] = {
    "cohort.yml, key by key": [Cohort],
    "sites": [Site],
    "chosen_because": [Choice],
    "pairs": [Pair],
    "periods": [Periods, Period],
    "incidents": [IncidentSource],
    "outcomes": [Outcome],
    "geography": [Geography],
    "placebo": [PlaceboDesign],
    "surveys": [SurveySource],
    "weighting": [Weighting],
    "mechanism": [Mechanism],
    "reported_figures": [ReportedFigure],
    "stories": [Story],
    "engagement": [Engagement],
    "instruments/NAME.yml, key by key": [Instrument, Item, Option, Scale],
}
OTHER_WORDS = {"true", "crime_type", "weight", "instruments", "victim_based_crime", "asb", "all"}
OTHER_WORDS |= {"force"}
DEFAULTS = (
    r"`(\w+)`[^`\n]*\n?[^`\n]*\(default\s`?([\w.-]+?)`?[:,)]",
    r"^\| `(\w+)` \|[^|\n]*?`([\w.-]+)` \(default\)",
)
COMMAND = typer.main.get_command(app)
SUBCOMMANDS: dict[str, Any] = COMMAND.commands  # type: ignore[attr-defined]

INDEX = "|".join(("pypi[.]org/" + "simple", "files[.]python" + "hosted", "index" + "-url"))
HOMES = "|".join(("home", "Users", "tmp", "work", "root", "mnt"))
OF_A_MACHINE = re.compile(rf"{INDEX}|(?<![\w.~/:*-])/(?:{HOMES})/\w|\b[A-Za-z]:\\+Users\\")


def _read_sections() -> dict[str, str]:
    text = (ROOT / "data" / "README.md").read_text("utf-8")
    parts = re.split(r"^##+ (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def _find_words(text: str) -> set[str]:
    """Return the keys and values in backticks; `key: value` counts as its key."""
    return {word.split(":")[0] for word in re.findall(r"`([^`]+)`", text)}


def _list_values(annotation: Any) -> Iterator[str]:
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
    else:
        for argument in get_args(annotation):
            yield from _list_values(argument)


def _list_specs(annotation: Any) -> Iterator[type[Spec]]:
    if isinstance(annotation, type) and issubclass(annotation, Spec):
        yield annotation
        for field in annotation.model_fields.values():
            yield from _list_specs(field.annotation)
    for argument in get_args(annotation):
        yield from _list_specs(argument)


def test_no_part_of_a_specification_is_left_out_of_this_test() -> None:
    parts = {*_list_specs(Cohort), *_list_specs(Instrument)}
    assert parts == {model for models in SECTIONS.values() for model in models}


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_and_every_value_is_documented(section: str) -> None:
    fields = [field for model in SECTIONS[section] for field in model.model_fields.items()]
    wanted = {key for key, _ in fields}
    wanted |= {value for _, field in fields for value in _list_values(field.annotation)}
    assert wanted - _find_words(_read_sections()[section]) == set()


@pytest.mark.parametrize("section", SECTIONS)
def test_no_key_is_documented_that_does_not_exist(section: str) -> None:
    models = SECTIONS[section]
    keys = {key for model in models for key in model.model_fields}
    rows = re.findall(r"^\| (`.+?) \|", _read_sections()[section], flags=re.MULTILINE)
    assert {key for row in rows for key in _find_words(row)} - keys == set()


def test_the_share_lost_that_stops_each_join_is_documented() -> None:
    table = _read_sections()["accepted_losses"]
    told = dict(re.findall(r"^\| `(\w+)` \|.*\| (\S+) \|$", table, flags=re.MULTILINE))
    assert told == {
        join: f"{limit:.0%}" if limit <= 1 else "never" for join, (_, _, limit) in JOINS.items()
    }


def test_no_word_is_quoted_that_is_neither_key_nor_value() -> None:
    models = {model for group in SECTIONS.values() for model in group}
    fields = [field for model in models for field in model.model_fields.items()]
    known = {key for key, _ in fields} | OTHER_WORDS
    known |= {value for _, field in fields for value in _list_values(field.annotation)}
    text = "".join(_read_sections()[section] for section in SECTIONS)
    words = {word for word in _find_words(text) if re.fullmatch(r"[a-z_ -]+", word)}
    assert words - known == set()


def test_defaults_are_those_of_the_code() -> None:
    told: list[tuple[str, str]] = []
    true: dict[str, str] = {}
    for section, models in SECTIONS.items():
        text = _read_sections()[section]
        told += [
            (f"{section}: {key}", value)
            for pattern in DEFAULTS
            for key, value in re.findall(pattern, text, flags=re.MULTILINE)
        ]
        for model in models:
            for key, field in model.model_fields.items():
                true[f"{section}: {key}"] = str(field.default)
    assert len(told) >= 8
    assert [(key, value, true[key]) for key, value in told if true[key] != value] == []


def _find_commands() -> list[tuple[str, str]]:
    found = []
    for path in DOCUMENTS:
        text = path.read_text("utf-8")
        code = re.findall(r"^```.*?\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
        code += re.findall(r"`([^`\n]+)`", text)
        for line in (line for part in code for line in part.splitlines()):
            for command in re.split(r"&&|\|(?!\w)|;", line):
                if re.match(r"(\$ )?sbwork\s", command.strip()):
                    found.append((path.name, command.strip().removeprefix("$ ")))
    return sorted(set(found))


@pytest.mark.parametrize(("document", "line"), _find_commands())
def test_a_command_in_the_documents_is_accepted(document: str, line: str) -> None:
    refused = _explain_refusal(line)
    assert not refused, f"{document}: {line}: {refused}"


def _explain_refusal(line: str) -> str:
    """Parse a command without running it; NAME, N and the like stand for any value."""
    _, *words = shlex.split(line, comments=True)
    if not words or words[0] in {"--help", "-h", "--version"}:
        return ""
    name, *arguments = words
    if name not in SUBCOMMANDS:
        return f"no such command, only {sorted(SUBCOMMANDS)}"
    arguments = [
        "1" if re.fullmatch(r"[A-Z]+", word) and arguments[i - 1].startswith("--") else word
        for i, word in enumerate(arguments)
        if word not in {"--help", "-h", "..."}
    ]
    try:
        SUBCOMMANDS[name].make_context(name, arguments)
    except Exception as error:
        return str(error) or type(error).__name__
    return ""


@pytest.mark.parametrize(
    "line", ["sbwork reprot", "sbwork report --jbs 2", "sbwork report --jobs x"]
)
def test_a_command_that_is_none_would_be_noticed(line: str) -> None:
    assert _explain_refusal(line)


def test_every_command_is_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    if not text:
        pytest.skip("the README is not written yet")
    assert [name for name in SUBCOMMANDS if f"sbwork {name}" not in text] == []


def _list_anchors(path: Path) -> set[str]:
    """List what a link to a part of a document may end in, as the hosts of repositories have it."""
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_links_between_the_documents_lead_somewhere() -> None:
    broken = []
    for path in DOCUMENTS:
        text = re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
        for link in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)", text):
            name, _, anchor = link.partition("#")
            target = path.parent / name if name else path
            if not target.exists() or (anchor and anchor not in _list_anchors(target)):
                broken.append((path.name, link))
    assert broken == []


def test_the_page_of_public_names_is_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("build_api", ROOT / "docs" / "build_api.py")
    assert spec is not None
    assert spec.loader is not None
    builder = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(builder)
    current = (ROOT / "docs" / "api.md").read_text("utf-8") == builder.build_page()
    assert current, f"docs/api.md is out of date; rebuild it with: {builder.COMMAND}"


def _list_tracked() -> list[Path]:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a clone")
    listed = subprocess.run([git, "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True)
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name]


def test_no_tracked_file_names_a_package_index_or_a_place_on_a_machine() -> None:
    found = []
    for path in _list_tracked():
        if not path.is_file():
            continue
        text = path.read_bytes().decode("utf-8", "ignore")
        for match in OF_A_MACHINE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            found.append(f"{path.relative_to(ROOT)}:{line}: {match.group()}")
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "--index" + "-url https://example.org",
        "https://pypi.org/" + "simple/",
        'open("/' + 'home/ann/x.csv")',
        "C:\\" + "Users\\ann",
    ],
)
def test_an_address_or_a_place_would_be_noticed(text: str) -> None:
    assert OF_A_MACHINE.search(text)


def test_reports_and_caches_are_not_tracked() -> None:
    tracked = [path.relative_to(ROOT) for path in _list_tracked()]
    assert [path for path in tracked if path.parts[0] == "reports"] == [Path("reports/README.md")]
    folders = {path.parts[0] for path in tracked}
    assert folders & {".sbwork-cache", ".venv", ".hypothesis", "build", "dist"} == set()
