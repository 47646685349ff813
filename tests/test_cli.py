"""The command line, as a user types it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sbwork.cli import main

NotebookWriter = Callable[..., Path]


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command in this process, which spares it the imports."""

    def run_here(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = ["sbwork", *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as ended:
            main()
        return subprocess.CompletedProcess(
            command, int(ended.value.code or 0), *capsys.readouterr()
        )

    return run_here


def run_apart(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sbwork.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def list_tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.notebook
def test_report_makes_every_cohort_and_the_index_without_a_path_of_this_machine(
    toy_data: Path, toy_notebook: Path
) -> None:
    out = toy_data.parent / "reports"
    done = run_apart("report", "--data", toy_data, "--out", out, "--notebook", toy_notebook)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for name in ("first", "second"):
        made = {path.name for path in (out / name).iterdir()}
        assert made == {
            "report.ipynb",
            "report.html",
            "results.json",
            "results.csv",
            "figures",
            "manifest.json",
        }
        assert f"{name}: done" in done.stdout
        assert f'href="{name}/report.html"' in (out / "index.html").read_text(encoding="utf-8")
    assert not [name for name in list_tree(out) if name.startswith(".")]

    for path in out.rglob("*.*"):
        text = path.read_text(encoding="utf-8")
        assert str(toy_data.parent) not in text, path.name
        assert str(Path.home()) + "/" not in text, path.name
    manifest = json.loads((out / "first" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["parameters"]["data"] == "../../data"


@pytest.mark.notebook
def test_a_failed_cohort_is_named_and_the_others_are_finished(
    run: Run, toy_data: Path, write_notebook: NotebookWriter
) -> None:
    broken = write_notebook("# Pilot\n\n## Counts", 'assert cohort_name != "first", "no" + " luck"')
    out = toy_data.parent / "reports"
    done = run("report", "--data", toy_data, "--out", out, "--notebook", broken)
    assert done.returncode == 1
    assert "first: failed: cell 4 of 5, under 'Counts': AssertionError" in done.stderr
    assert "no luck" not in done.stderr + (out / "_failed" / "first.ipynb").read_text("utf-8")
    assert not (out / "first").exists()
    assert (out / "second" / "report.html").is_file()
    assert "AssertionError" in (out / "index.html").read_text(encoding="utf-8")


@pytest.mark.notebook
def test_bad_input_met_in_the_notebook_is_told_plainly(
    run: Run, toy_data: Path, write_notebook: NotebookWriter
) -> None:
    strict = write_notebook(
        "from sbwork import InputError\n"
        "from sbwork.specs.errors import Problem\n"
        'raise InputError(Problem(f"{data}/cohorts/x.csv", "row 3", "there is no column \'site\'"))'
    )
    out = toy_data.parent / "reports"
    done = run("report", "first", "--data", toy_data, "--out", out, "--notebook", strict)
    assert done.returncode == 2
    assert f"{toy_data}/cohorts/x.csv, row 3: there is no column 'site'." in done.stderr
    assert "cell" not in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert sorted(path.name for path in out.iterdir()) == ["index.html", "index.json"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["frist"], "there is no cohort 'frist'. Did you mean 'first'?"),
        (["-p", "sede=3"], "the notebook has no such parameter. Did you mean 'seed'?"),
        (["-p", "seed=three"], "'three' is given, where a whole number or nothing is wanted"),
        (["-p", "data=x"], "this one is set by --data"),
        (["-p", "seed"], "'seed' is not NAME=VALUE"),
        (["--notebook", "none.ipynb"], "there is no such notebook"),
        (["--jobs", "0"], "--jobs"),
        (["--jbos", "2"], "--jobs"),
    ],
)
def test_a_mistyped_command_runs_nothing(
    run: Run, toy_data: Path, toy_notebook: Path, arguments: list[str], told: str
) -> None:
    out = toy_data.parent / "reports"
    done = run("report", "--data", toy_data, "--out", out, "--notebook", toy_notebook, *arguments)
    assert done.returncode == 2
    assert told in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not out.exists()


@pytest.mark.notebook
def test_a_broken_cohort_file_stops_no_other(run: Run, toy_data: Path, toy_notebook: Path) -> None:
    spec = toy_data / "cohorts" / "second" / "cohort.yml"
    spec.write_text("name: second\ntittle: Wrong\n", encoding="utf-8")
    out = toy_data.parent / "reports"
    done = run("report", "--data", toy_data, "--out", out, "--notebook", toy_notebook)
    assert done.returncode == 2
    assert "line 2" in done.stderr
    assert "Did you mean 'title'?" in done.stderr
    assert (out / "first" / "report.html").is_file()
    assert "tittle" in (out / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", ["check", "report"])
def test_a_reader_that_has_gone_stops_nothing(
    toy_data: Path, toy_notebook: Path, command: str
) -> None:
    out = toy_data.parent / "reports"
    given = ["--data", toy_data]
    if command == "report":
        (toy_data / "cohorts" / "first" / "cohort.yml").write_text("name: [", encoding="utf-8")
        (toy_data / "cohorts" / "second" / "cohort.yml").write_text("name: [", encoding="utf-8")
        given += ["--out", out, "--notebook", toy_notebook]
    read, write = os.pipe()
    os.close(read)
    arguments = [sys.executable, "-m", "sbwork", command, *map(str, given)]
    done = subprocess.run(arguments, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert done.returncode == (2 if command == "report" else 0)
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr
    assert command == "check" or (out / "index.html").is_file()


def test_the_version_is_shown() -> None:
    from sbwork import __version__

    done = run_apart("--version")
    assert (done.returncode, done.stdout) == (0, f"sbwork {__version__}\n")


def test_an_unknown_command_is_a_usage_error(run: Run) -> None:
    assert run("reprot").returncode == 2


OPEN = """\
c = get_config()
c.ServerApp.ip = c.KernelManager.ip = "0.0.0.0"
c.ServerApp.allow_remote_access = c.ServerApp.disable_check_xsrf = True
c.ServerApp.allow_unauthenticated_access = True
c.ServerApp.allow_origin = "*"
c.ServerApp.local_hostnames = ["example.org"]
c.ServerApp.tornado_settings = {"headers": {"Access-Control-Allow-Origin": "*"}}
c.IdentityProvider.token = c.PasswordIdentityProvider.token = c.ServerApp.token = ""
c.PasswordIdentityProvider.hashed_password = "argon2:planted"
c.GatewayClient.url = "http://example.org"
c.Session.key = b""
"""
LOOK = """\
import json, os, sys
from jupyterlab.labapp import LabApp
app = LabApp.initialize_server(argv=[*sys.argv[1:], "--no-browser"])
provider = app.identity_provider
print(json.dumps([app.ip, app.allow_remote_access, app.allow_origin, app.disable_check_xsrf,
    app.allow_unauthenticated_access, app.local_hostnames, app.tornado_settings.get("headers"),
    app.gateway_config.gateway_enabled, provider.hashed_password,
    provider.token == os.environ["JUPYTER_TOKEN"], len(provider.token), provider.auth_enabled]))
"""


def test_lab_opens_the_notebooks_for_this_machine_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from typer.testing import CliRunner

    from sbwork.cli import app

    calls: list[tuple[list[str], Path, dict[str, str]]] = []

    def call(command: list[str], cwd: Path, env: dict[str, str]) -> int:
        calls.append((command, cwd, env))
        return 0

    for name in ("jupyter_config.py", "jupyter_server_config.py", "jupyter_lab_config.py"):
        (tmp_path / name).write_text(OPEN, encoding="utf-8")
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_CONFIG_PATH"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("JUPYTER_TOKEN", "")
    monkeypatch.setenv("JUPYTER_GATEWAY_URL", "http://example.org")
    monkeypatch.setattr(subprocess, "call", call)
    assert CliRunner().invoke(app, ["lab", "--no-browser"]).exit_code == 0
    ((command, folder, environment),) = calls
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    assert folder.name == "notebooks"
    token = environment["JUPYTER_TOKEN"]
    assert not any(token in option for option in command)
    assert environment["JUPYTERLAB_SETTINGS_DIR"] == str(tmp_path / "lab" / "user-settings")
    look = [sys.executable, "-c", LOOK, *command[3:]]
    done = subprocess.run(look, env=environment, cwd=tmp_path, capture_output=True, check=True)
    closed = ["127.0.0.1", False, "", False, False, ["localhost"], None, False, "", True, 48, True]
    assert json.loads(done.stdout) == closed


@pytest.mark.notebook
def test_an_interrupted_run_goes_on_from_where_it_was(
    run: Run, toy_data: Path, write_notebook: NotebookWriter
) -> None:
    out = toy_data.parent / "reports"
    given = ["--data", toy_data, "--out", out, "-p", "label=done"]
    flag = toy_data.parent / "second-may-run"
    notebook = write_notebook(f"assert cohort_name == 'first' or Path({str(flag)!r}).exists()")
    assert run("report", *given, "--notebook", notebook).returncode == 1
    before = (out / "first" / "manifest.json").read_bytes()
    flag.touch()
    again = run("report", *given, "--notebook", notebook)
    assert again.returncode == 0, again.stderr
    assert "first: unchanged" in again.stdout
    assert "second: done" in again.stdout
    assert (out / "first" / "manifest.json").read_bytes() == before
    assert not (out / "_failed" / "second.ipynb").exists()
