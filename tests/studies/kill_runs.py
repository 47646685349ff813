"""Runs killed at random moments: no half report, none lost, nothing left by the next run.

Run as a script: ``python tests/studies/kill_runs.py [CASES] [SEED]``; 100 kills unless given
otherwise. Killed are the command, a kernel, a process that a kernel started, or all of a group;
or the command is asked to stop, three times.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil

from sbwork.report.manifest import hash_file, read_manifest

WAYS = ("parent", "kernel", "worker", "group", "interrupt", "terminate")
NAMES = ("first", "second")
LONGEST_DELAY = 9.0
CELLS = (
    'cohort_name = "pilot"\ndata = "data"\nout = "out"\nseed = None',
    "import json, subprocess, sys, time\nfrom pathlib import Path\nfolder = Path(out)",
    'subprocess.run([sys.executable, "-c", "import time; time.sleep(0.4)"], check=True)',
    '(folder / "figures").mkdir()\n_ = (folder / "figures" / "a.svg").write_text("a" * 100_000)',
    "time.sleep(0.3)",
    '_ = (folder / "results.json").write_text(json.dumps({"results": []}))\n'
    '_ = (folder / "results.csv").write_text("section\\n")',
)


def prepare(folder: Path) -> dict[str, str]:
    """Write two cohorts, a notebook and a report of each; return the environment of the runs."""
    for name in NAMES:
        cohort = folder / "data" / "cohorts" / name
        cohort.mkdir(parents=True)
        (cohort / "cohort.yml").write_text(f"name: {name}\ndata_status: invented\n")
    cells = [
        {"id": f"c{number}", "cell_type": "code", "source": source, "outputs": [],
         "execution_count": None, "metadata": {"tags": ["parameters"] if not number else []}}
        for number, source in enumerate(CELLS)
    ]  # fmt: skip
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    content = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4}
    (folder / "run.ipynb").write_text(json.dumps({**content, "nbformat_minor": 5}))
    for name in ("temporary", "runtime"):
        (folder / name).mkdir()
    temporary = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder / "temporary"))
    environment = {**os.environ, **temporary, "JUPYTER_RUNTIME_DIR": str(folder / "runtime")}
    done = start(folder, environment, "--fresh")
    _, errors = done.communicate()
    assert done.returncode == 0, errors
    for name in NAMES:
        (folder / "reports" / name / "notes.txt").write_text("mine")
    return environment


def start(folder: Path, environment: dict[str, str], *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "sbwork", "report", "--data", "data", "--jobs", "2"]
    return subprocess.Popen(
        [*command, "--notebook", "run.ipynb", *options],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def kill_run(folder: Path, environment: dict[str, str], way: str, delay: float) -> list[str]:
    """Start a run, kill it in this way after so many seconds, run again; return what is wrong."""
    process = start(folder, environment, "--fresh")
    time.sleep(delay)
    strike(process, way)
    _, errors = process.communicate(timeout=60)
    wrong = [f"traceback: {errors[-300:]}"] if "Traceback" in errors else []
    wrong += [f"after the kill, {found}" for found in find_damage(folder)]
    again = start(folder, environment)
    _, errors = again.communicate(timeout=120)
    wrong += [f"the next run ended with {again.returncode}: {errors}"] if again.returncode else []
    wrong += [f"after the next run, {found}" for found in find_damage(folder)]
    left = {path.name for path in (folder / "reports").iterdir()}
    left -= {*NAMES, "index.html", "index.json", "_failed"}
    for name in ("temporary", "runtime"):
        left |= {path.name for path in (folder / name).iterdir()}
    return wrong + [f"left: {sorted(left)}"] * bool(left)


def strike(process: subprocess.Popen[str], way: str) -> None:
    try:
        below = psutil.Process(process.pid).children(recursive=True)
        kernels = [each for each in below if "ipykernel_launcher" in " ".join(each.cmdline())]
        if way in {"kernel", "worker"}:
            workers = [each for kernel in kernels for each in kernel.children()]
            struck = kernels if way == "kernel" else workers
            for each in struck[:1]:
                each.kill()
        elif way == "group":
            os.killpg(process.pid, signal.SIGKILL)
        elif way == "parent":
            process.kill()
        else:
            for _ in range(3):
                process.send_signal(signal.SIGINT if way == "interrupt" else signal.SIGTERM)
                time.sleep(0.05)
    except (psutil.Error, ProcessLookupError):
        return


def find_damage(folder: Path) -> list[str]:
    """Find reports that are lost or not whole; one that is being replaced may lie beside."""
    wrong = []
    for name in NAMES:
        report, old = folder / "reports" / name, folder / "reports" / f".{name}.old"
        report = report if report.exists() else old
        outputs = read_manifest(report).get("outputs", {})
        whole = outputs and all(
            (report / file).is_file() and hash_file(report / file) == digest
            for file, digest in outputs.items()
        )
        if not whole:
            wrong.append(f"'{name}' is not whole")
        elif not (report / "notes.txt").is_file():
            wrong.append(f"'{name}' lost a file of the user's")
    return wrong


def main() -> int:
    cases = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    rng, counted, failed = random.Random(seed), Counter[str](), 0  # noqa: S311
    with tempfile.TemporaryDirectory() as name:
        environment = prepare(Path(name))
        for number in range(cases):
            way, delay = WAYS[number % len(WAYS)], rng.uniform(0, LONGEST_DELAY)
            counted[way] += 1
            for wrong in kill_run(Path(name), environment, way, delay):
                failed += 1
                print(f"{number}: {way} after {delay:.2f} s: {wrong}", flush=True)
    print(f"{cases} kills ({dict(counted)}): {failed} wrong", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
