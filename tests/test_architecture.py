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

FLOW = ("specs", "stats", "read", "score", "compare", "grade", "evaluation", "render", "report")
"""The rooms in the order of the data: each may import those before it, and no other."""

MAY_IMPORT = {
    **{room: FLOW[:place] for place, room in enumerate(FLOW)},
    "intake": FLOW,
    "cli": (*FLOW, "intake"),
    "__main__": ("cli",),
}
MOST_AT_THE_TOP = 12
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
