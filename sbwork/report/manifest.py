"""What a report was made from: hashes, versions, seed and times, without paths or names."""

from __future__ import annotations

import json
import os
import platform
import re
from collections import Counter
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from sbwork.grade.releases import list_releases
from sbwork.specs.cohort import Cohort, find_matches
from sbwork.specs.files import hash_file, hash_package
from sbwork.specs.masks import mask_name

__all__ = [
    "describe_sources",
    "is_current",
    "list_inputs",
    "read_manifest",
    "read_mapping",
    "write_manifest",
]

MANIFEST = "manifest.json"
_LARGEST_JSON = 50_000_000
_SOURCES = ("inputs", "notebook", "code", "parameters", "seed", "python", "packages")


def list_inputs(cohort: Cohort, data: Path) -> dict[str, Path]:
    """List every file that a cohort's report is computed from, by the name shown in the manifest.

    Names are relative to `data`, without personal data; of a file elsewhere, its own.
    """
    paths = [cohort.folder / "cohort.yml"]
    if cohort.instrument:
        paths.append(data / "instruments" / f"{cohort.instrument}.yml")
    paths += [cohort.resolve_path(name) for _, name in cohort.list_paths()]
    paths += list_releases(cohort.folder)
    base = data.resolve()
    found = [match for named in paths for match in find_matches(named) or [named]]
    found = [file for path in found for file in (path.rglob("*") if path.is_dir() else [path])]
    files: dict[str, Path] = {}
    times: Counter[str] = Counter()
    for full in sorted({Path(os.path.realpath(file)) for file in found}):
        if not full.is_file():
            continue
        parts = full.relative_to(base).parts if full.is_relative_to(base) else None
        name = "/".join(map(mask_name, parts or ("(elsewhere)", full.name)))
        times[name] += 1
        files[f"{name} ({times[name]})" if times[name] > 1 else name] = full
    return dict(sorted(files.items()))


def describe_sources(
    cohort: Cohort, data: Path, notebook: Path, parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Describe in plain JSON values everything that decides what a report says."""
    seed = parameters.get("seed")
    return {
        "inputs": {name: hash_file(path) for name, path in list_inputs(cohort, data).items()},
        "notebook": {"name": mask_name(notebook.name), "sha256": hash_file(notebook)},
        "code": {"version": metadata.version("sbwork"), "sha256": hash_package()},
        "parameters": dict(parameters),
        "seed": cohort.seed if seed is None else seed,
        "python": platform.python_version(),
        "packages": _list_versions(),
    }


def write_manifest(folder: Path, about: Mapping[str, Any], sources: Mapping[str, Any]) -> None:
    """Write ``manifest.json`` into a finished folder; each file in it is hashed."""
    outputs = {
        path.relative_to(folder).as_posix(): hash_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }
    content = {**about, **sources, "outputs": outputs}
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8", newline="\n")


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read a report's manifest; an empty mapping where there is none that can be read."""
    return read_mapping(folder / MANIFEST)


def read_mapping(path: Path) -> dict[str, Any]:
    """Read a JSON object; an empty mapping where there is none that can be read."""
    try:
        large = not path.is_file() or path.stat().st_size > _LARGEST_JSON
        content = {} if large else json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def is_current(folder: Path, sources: Mapping[str, Any]) -> bool:
    """Tell whether a finished report was made from these very sources and is still whole."""
    manifest = read_manifest(folder)
    if any(manifest.get(key) != sources[key] for key in _SOURCES):
        return False
    outputs = manifest.get("outputs")
    if not isinstance(outputs, dict) or not outputs:
        return False
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    return all(
        name in found and found[name].is_file() and hash_file(found[name]) == digest
        for name, digest in outputs.items()
    )


@cache
def _list_versions() -> dict[str, str]:
    needed = [text for text in metadata.requires("sbwork") or [] if "extra ==" not in text]
    names = sorted(re.split(r"[^A-Za-z0-9._-]", text)[0] for text in needed)
    return {name: metadata.version(name) for name in names}
