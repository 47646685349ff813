"""The imports go one way: read -> score -> compare -> grade -> render -> report."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import sbwork

ROOT = Path(sbwork.__file__).parent

# A step: the modules that belong to it, and the steps that these may import besides their own.
STEPS: dict[str, tuple[set[str], set[str]]] = {
    "errors": ({"errors", "checks"}, set()),
    "estimates": ({"estimates"}, set()),
    "specs": ({"specs", "periods", "cohort", "instrument"}, {"errors"}),
    "results": ({"results", "exports"}, {"estimates"}),
    "written": ({"formats"}, set()),
    "platforms": ({"readers"}, {"errors", "specs"}),
    "places": (
        {"places", "windows"},
        {"errors", "specs"},
    ),
    "surveys read": (
        {"responses"},
        {"errors", "specs", "platforms"},
    ),
    "incidents read": (
        {"incidents"},
        {"errors", "specs", "platforms", "places"},
    ),
    "propose": (
        {"proposals"},
        {"errors", "specs", "platforms", "places", "surveys read", "incidents read"},
    ),
    "score": (
        {"latent", "scoring", "weights"},
        {"errors", "specs", "estimates", "results", "surveys read"},
    ),
    "compare": (
        {
            "adjustment",
            "areas",
            "choice",
            "controls",
            "counts",
            "outlines",
            "panels",
            "placebo",
            "reported",
        }
        | {"linkage", "simulation", "surveys"},
        {"errors", "specs", "estimates", "results", "places"}
        | {"surveys read", "incidents read", "score"},
    ),
    "grade": (
        {"accuracy", "checklists", "comparability", "disclosure", "evidence", "headlines"},
        {"errors", "specs", "estimates", "results", "written"},
    ),
    "inspect": (
        {"inspection"},
        {"errors", "specs", "surveys read", "incidents read", "grade"},
    ),
    "evaluate": (
        {"evaluation"},
        {"errors", "specs", "results", "surveys read", "incidents read", "score"}
        | {"compare", "grade"},
    ),
    "render": (
        {"explorers", "figures", "narrative", "outputs", "pictures", "sections", "tables"},
        {"errors", "specs", "estimates", "results", "written", "grade", "evaluate", "score"}
        | {"compare"},
    ),
    "report": ({"reporting"}, {"errors", "specs", "results", "grade"}),
    "command line": (
        {"cli", "printing", "__main__"},
        {"errors", "specs", "inspect", "propose", "report"},
    ),
}
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
    part = module.split(".")[1]
    steps = [step for step, (members, _) in STEPS.items() if part in members]
    assert len(steps) == 1, f"say in STEPS to which step '{part}' belongs"
    return steps[0]


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
    allowed = STEPS[step][1] | {step}
    wrong = {name for name in IMPORTS[module] if find_step(name) not in allowed}
    assert not wrong, f"{module} ({step}) may not import {sorted(wrong)}"


def test_no_chain_of_imports_comes_back() -> None:
    # A package's __init__ gathers its modules; only what they import of each other can loop.
    inner = {name: edges - {name.rpartition(".")[0]} for name, edges in IMPORTS.items()}
    assert find_cycles(inner) == []


def test_the_steps_themselves_are_in_order() -> None:
    edges = {step: set(others) for step, (_, others) in STEPS.items()}
    assert find_cycles(edges) == []
    assert all(others <= set(STEPS) for others in edges.values())


def test_a_cycle_would_be_found() -> None:
    assert find_cycles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == [["b", "c", "b"]]


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
