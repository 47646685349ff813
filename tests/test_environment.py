"""environment.yml, pyproject.toml and what the code imports say the same."""

from __future__ import annotations

import ast
import json
import re
import sys
import tomllib
from importlib.metadata import packages_distributions, requires
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
BROUGHT_BY = {
    "ipython": "ipykernel",
    "jupyter-client": "ipykernel",
    "nbclient": "papermill",
    "pydantic-core": "pydantic",
    "traitlets": "nbconvert",
}


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    content: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return content["project"]  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def environment() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    return content


def test_the_environment_has_the_name_of_the_project(
    project: dict[str, Any], environment: dict[str, Any]
) -> None:
    assert environment["name"] == project["name"]


def test_conda_brings_python_and_pip_and_pip_brings_the_project(
    project: dict[str, Any], environment: dict[str, Any]
) -> None:
    conda = [entry for entry in environment["dependencies"] if isinstance(entry, str)]
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert conda == [f"python{project['requires-python']}", "pip"]
    assert pip == ["-e ."], "pyproject.toml is the one source of dependencies"


def test_no_python_of_the_classifiers_is_older_than_required(project: dict[str, Any]) -> None:
    oldest = tuple(int(part) for part in re.findall(r"\d+", project["requires-python"]))
    named = [
        tuple(int(part) for part in found.groups())
        for line in project["classifiers"]
        if (found := re.fullmatch(r"Programming Language :: Python :: (\d+)\.(\d+)", line))
    ]
    assert min(named) == oldest


def test_every_dependency_has_a_lower_bound_and_no_address(project: dict[str, Any]) -> None:
    extras = project["optional-dependencies"].values()
    for line in [*project["dependencies"], *(line for extra in extras for line in extra)]:
        requirement = Requirement(line)
        assert requirement.url is None, line
        assert any(bound.operator == ">=" for bound in requirement.specifier), line


def test_what_the_code_imports_is_declared(project: dict[str, Any]) -> None:
    declared = {canonicalize_name(Requirement(line).name) for line in project["dependencies"]}
    brought_by = packages_distributions()
    used = {
        canonicalize_name(distribution)
        for module in _find_imports(ROOT / "sbwork")
        for distribution in brought_by.get(module, [module])[:1]
    }
    assert used - declared - set(BROUGHT_BY) == set(), "imported, but not in pyproject.toml"


@pytest.mark.parametrize(("name", "bringer"), BROUGHT_BY.items())
def test_what_is_not_declared_comes_with_what_is(
    project: dict[str, Any], name: str, bringer: str
) -> None:
    declared = {canonicalize_name(Requirement(line).name) for line in project["dependencies"]}
    assert bringer in declared
    assert name in {canonicalize_name(Requirement(line).name) for line in requires(bringer) or []}


SIX = {
    "jupyterlab": "sbwork/cli.py",
    "pandas": "sbwork/stats/findings.py",
    "pingouin": "notebooks/explore_cohort.ipynb",
    "seaborn": "notebooks/explore_cohort.ipynb",
    "ipywidgets": "sbwork/render/explorers.py",
    "papermill": "sbwork/report/notebook.py",
}
"""The packages that the project is built on, and one file that puts each to work."""


@pytest.mark.parametrize(("package", "user"), SIX.items())
def test_each_of_the_six_packages_is_at_work(
    project: dict[str, Any], package: str, user: str
) -> None:
    assert package in {Requirement(line).name for line in project["dependencies"]}
    text = (ROOT / user).read_text("utf-8")
    if user.endswith(".ipynb"):
        cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
        text = "\n".join("".join(cell["source"]) for cell in cells)
    # JupyterLab is no library to import but a program: `sbwork lab` runs it.
    used = rf'"-m", "{package}"' if package == "jupyterlab" else rf"^\s*(?:import|from) {package}\b"
    assert re.search(used, text, flags=re.MULTILINE), f"{user} does not use {package}"


def _find_imports(folder: Path) -> set[str]:
    """Return what the code can't do without: not what it tries and falls back from."""
    found: set[str] = set()
    for path in folder.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        tried = [node for node in ast.walk(tree) if isinstance(node, ast.Try)]
        optional = {
            inner
            for node in tried
            if any("ImportError" in ast.unparse(handler) for handler in node.handlers)
            for statement in node.body
            for inner in ast.walk(statement)
        }
        for node in ast.walk(tree):
            if node in optional:
                continue
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"sbwork"}


def test_exact_pins_agree_with_the_bounds(project: dict[str, Any]) -> None:
    bounds = {
        canonicalize_name(Requirement(line).name): Requirement(line).specifier
        for line in project["dependencies"]
    }
    for path in sorted(ROOT.glob("requirements*.txt")):
        lines = [line.split("#")[0].strip() for line in path.read_text("utf-8").splitlines()]
        pins = {canonicalize_name(Requirement(line).name): line for line in lines if line}
        assert set(bounds) <= set(pins), f"{path.name} leaves out a dependency"
        for name, line in pins.items():
            (pin,) = Requirement(line).specifier
            assert pin.operator == "==", line
            assert bounds.get(name, Requirement(line).specifier).contains(pin.version), line
