"""The imports go one way: read -> score -> compare -> grade -> render -> report."""

from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pandas as pd
import pytest

import sbwork

ROOT = Path(sbwork.__file__).parent

FLOW = ("specs", "stats", "read", "score", "compare", "grade", "evaluation", "render", "report")
"""The rooms in the order of the data: each may import those before it, and no other."""

MAY_IMPORT = {
    **{room: FLOW[:place] for place, room in enumerate(FLOW)},
    "intake": FLOW,
    "cli": (*FLOW, "intake"),
    "__main__": ("cli",),
}
MOST_AT_THE_TOP = 12
MAY_SHOW = {
    "compare.accuracy": {"read_study"},
    "compare.controls": {"LARGEST_DIFFERENCE", "ControlSearch"},
    "compare.survey_planning": {"SurveyPlan"},
    "compare.simulation": {"describe_errors"},
    "read.checks": {"CheckKind"},
    "read.places.outlines": {"Contact", "SiteOutlines", "find_contacts"},
}
"""All that what people see is made with, of the rooms that hold answers and incidents as read."""
RAW = ("read", "score", "compare", "evaluation")
UNPUBLISHED = {"responses", "scores", "distribution"}
"""What an evaluation and its placebos hold as read, or a row each."""
VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "shared", "tools", "lib"}
HEAVY = {
    "duckdb",
    "great_tables",
    "IPython",
    "jinja2",
    "jupyter_client",
    "matplotlib",
    "nbclient",
    "numpy",
    "pandas",
    "papermill",
    "pingouin",
    "pydantic",
    "pyreadstat",
    "rich",
    "ruamel",
    "scipy",
    "seaborn",
    "shapely",
    "statsmodels",
    "yaml",
}


def list_modules() -> dict[str, Path]:
    modules = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = ["sbwork", *path.relative_to(ROOT).with_suffix("").parts]
        modules[".".join(parts).removesuffix(".__init__")] = path
    return modules


def list_imports(path: Path, modules: set[str]) -> set[str]:
    """List the modules of sbwork that a file imports, wherever in it the import stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name in modules}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports by a relative path"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found |= {name for name in (full, node.module) if name in modules}
                if full in modules:
                    found.discard(str(node.module))
    return found - {"sbwork"}


MODULES = list_modules()
IMPORTS = {
    name: list_imports(path, set(MODULES)) for name, path in MODULES.items() if name != "sbwork"
}


def find_step(module: str) -> str:
    step = module.split(".")[1]
    assert step in MAY_IMPORT, f"'{step}' is no step of the flow: give it a room in one"
    return step


def find_cycles(edges: dict[str, set[str]]) -> list[list[str]]:
    """Find every chain of imports that comes back to where it began."""
    cycles: list[list[str]] = []
    done: set[str] = set()

    def visit(module: str, chain: list[str]) -> None:
        if module in chain:
            cycles.append([*chain[chain.index(module) :], module])
        elif module not in done:
            for imported in sorted(edges.get(module, ())):
                visit(imported, [*chain, module])
            done.add(module)

    for module in sorted(edges):
        visit(module, [])
    return cycles


@pytest.mark.parametrize("module", sorted(IMPORTS))
def test_imports_go_down_the_flow(module: str) -> None:
    step = find_step(module)
    allowed = {*MAY_IMPORT[step], step}
    wrong = {name for name in IMPORTS[module] if find_step(name) not in allowed}
    assert not wrong, f"{module} ({step}) may not import {sorted(wrong)}"


def test_no_chain_of_imports_comes_back() -> None:
    # A package's __init__ gathers its modules; only what they import of each other can loop.
    inner = {name: edges - {name.rpartition(".")[0]} for name, edges in IMPORTS.items()}
    assert find_cycles(inner) == []


def test_the_top_level_shows_the_flow() -> None:
    rooms = {path.stem for path in ROOT.glob("*.py")}
    rooms |= {path.parent.name for path in ROOT.glob("*/__init__.py")}
    rooms.discard("__main__")
    assert rooms == {"__init__", *MAY_IMPORT} - {"__main__"}
    assert len(rooms) <= MOST_AT_THE_TOP


def test_statistics_rest_on_libraries_of_statistics_alone() -> None:
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "stats").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                package = name.partition(".")[0]
                if package not in sys.stdlib_module_names | {"numpy", "scipy", "sbwork"}:
                    found.setdefault(package, set()).add(path.stem)
    # pandas: the long frame of findings, and tables that simulations left
    assert set(found) <= {"pandas", "pingouin", "statsmodels"}, found


def test_a_cycle_would_be_found() -> None:
    assert find_cycles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == [["b", "c", "b"]]


def list_raw(tree: ast.AST) -> Iterator[str]:
    """List what code takes from the rooms of raw data, and the raw parts that it asks for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.startswith("sbwork"))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sbwork"):
            room = str(node.module).removeprefix("sbwork").lstrip(".")
            allowed = MAY_SHOW.get(room, set())
            if not room or room.split(".")[0] in RAW:
                yield from (f"{room}.{n.name}" for n in node.names if n.name not in allowed)
        elif isinstance(node, ast.Attribute) and node.attr in UNPUBLISHED:
            yield f".{node.attr}"


SHOWING = [name for name in IMPORTS if name.split(".")[1] in ("render", "report")]


@pytest.mark.parametrize("module", SHOWING)
def test_what_people_see_is_made_from_what_may_be_published(module: str) -> None:
    found = list(list_raw(ast.parse(MODULES[module].read_text("utf-8"))))
    if module in ("sbwork.render.explorers", "sbwork.report.release"):
        assert found.pop(found.index("evaluation.evaluate_cohort"))
        text = MODULES[module].read_text("utf-8")
        assert re.findall(r"evaluate_cohort\(name, data.*\)\.publishable", text)
        assert text.count("evaluate_cohort(") == 1
    assert found == []


def test_the_report_s_notebook_asks_for_nothing_as_read() -> None:
    notebook = ROOT.parent / "notebooks" / "cohort_report.ipynb"
    cells = json.loads(notebook.read_text("utf-8"))["cells"]
    tree = ast.parse("\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code"))
    taken = {
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        if node.value.id in ("sb", "evaluation")
    }
    assert taken == {"sb.evaluate_cohort", "sb.view", "sb.write_results"}


@pytest.mark.parametrize(
    "code",
    [
        "from sbwork.read.surveys import Responses",
        "from sbwork.evaluation import Evaluation",
        "from sbwork.score import score_scales",
        "from sbwork import read_responses",
        "import sbwork.read.incidents as counts",
        "evaluation.responses.answers",
        "def show(evaluation):\n    return evaluation.scores",
    ],
)
def test_a_way_past_it_would_be_found(code: str) -> None:
    assert list(list_raw(ast.parse(code)))


@cache
def list_presenters() -> dict[str, Any]:
    modules = [importlib.import_module(name) for name in SHOWING if ".render" in name]
    found = {name: value for module in modules for name, value in vars(module).items()}
    return {name: value for name, value in found.items() if name.startswith("present_")}


def test_every_section_takes_what_may_be_published_a_plan_or_a_table() -> None:
    assert len(list_presenters()) > 15
    for name, present in list_presenters().items():
        kind = next(iter(get_type_hints(present).values()))
        allowed = {sbwork.grade.publishable.Publishable, sbwork.Cohort, pd.DataFrame, type(None)}
        assert {*(get_args(kind) or [kind])} <= allowed, name


def list_held(kind: Any) -> Iterator[type]:
    """List the types that a type is made of, down to frames and plain values."""
    for part in get_args(kind):
        yield from list_held(part)
    if isinstance(kind, type) and not get_args(kind):
        yield kind
        if is_dataclass(kind):
            for hint in get_type_hints(kind).values():
                yield from list_held(hint)


def test_what_may_be_published_holds_nothing_as_read() -> None:
    held = {*list_held(sbwork.grade.publishable.Publishable)}
    rooms = {kind.__module__.split(".")[1]: kind for kind in held if "sbwork" in kind.__module__}
    kinds = {kind.__name__ for kind in held if kind.__module__.split(".")[0] == "sbwork"}
    assert {"PublishedAnswers", "PublishedIncidents"} <= kinds
    assert {*rooms} <= {"grade", "specs", "read", "stats"}
    assert {k.__name__ for k in held if k.__module__.startswith("sbwork.read")} == {"SiteOutlines"}


SURVEY = """\
name: pilot
instrument: short
sites: {north: {title: North}, south: {title: South}}
pairs: [{intervention: north, control: south}]
surveys:
  - {path: survey.csv, format: csv, wave_column: round, waves: {"1": before, "2": after},
     site_column: area, stories: [said], keep: [sex], multiple: {used: used}}
weighting: {targets: {sex: {f: 0.5, m: 0.5}}}
"""
SHORT = """\
name: short
options: {agree: [{code: 1}, {code: 2}, {code: 3}, {code: 4}, {code: 5}]}
items: {t1: {options: agree}, t2: {options: agree}}
scales: {trust: {items: [t1, t2]}}
"""


def measure_frames(value: Any, name: str = "") -> dict[str, int]:
    """Return how many rows each frame of a dataclass has, whatever it lies in."""
    if isinstance(value, pd.DataFrame):
        return {name: len(value)}
    if not is_dataclass(value):
        return {}
    parts = [measure_frames(getattr(value, f.name), f"{name}.{f.name}") for f in fields(value)]
    return {name: rows for part in parts for name, rows in part.items()}


def test_no_published_frame_has_a_row_for_each_person(tmp_path: Path) -> None:
    rows = [
        (
            wave,
            area,
            1 + n % 5,
            1 + (n + wave) % 5,
            "fm"[n % 2],
            "Busy.",
            "Bus;Tram"[: 3 + n % 2 * 5],
        )
        for wave in (1, 2)
        for area in ("North", "South")
        for n in range(60)
    ]
    survey = pd.DataFrame(rows, columns=["round", "area", "t1", "t2", "sex", "said", "used"])
    own = tmp_path / "cohorts" / "pilot"
    for path, text in ((own / "cohort.yml", SURVEY), (tmp_path / "instruments/short.yml", SHORT)):
        path.parent.mkdir(parents=True)
        path.write_text(text, "utf-8")
    once, twice = [], []
    for times, found in ((1, once), (2, twice)):
        pd.concat([survey] * times).to_csv(own / "survey.csv", index=False)
        evaluation = sbwork.evaluate_cohort("pilot", tmp_path)
        found += [measure_frames(evaluation.publishable), measure_frames(evaluation)]
    assert {".answers.items", ".answers.spread", ".answers.stories", ".findings"} <= {*once[0]}
    assert once[0] == twice[0]
    assert twice[1][".responses.answers"] == twice[1][".scores"] == 2 * once[1][".scores"]


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_does_one_thing(module: str) -> None:
    assert not VAGUE & set(module.split("."))


def list_loaded(*arguments: str) -> set[str]:
    watcher = "import atexit, json, sys\natexit.register(lambda: print(json.dumps([*sys.modules])))"
    code = f"{watcher}\nsys.argv = {['sbwork', *arguments]}\n"
    code += "from sbwork.cli import main\nmain()" if arguments else "import sbwork"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = json.loads(done.stdout.splitlines()[-1])
    return {name.partition(".")[0] for name in loaded}


def test_importing_sbwork_loads_no_other_library() -> None:
    assert not (HEAVY | {"typer"}) & list_loaded()


@pytest.mark.parametrize("arguments", [("--help",), ("report", "--help"), ("--version",)])
def test_help_loads_no_heavy_library(arguments: tuple[str, ...]) -> None:
    # Newer versions of typer read the types of a command's options with pydantic.
    allowed = {"pydantic"} if arguments[0] == "report" else set()
    assert not (HEAVY - allowed) & list_loaded(*arguments)


def test_no_two_test_files_share_a_name():
    names = [path.name for path in Path(__file__).parent.rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
