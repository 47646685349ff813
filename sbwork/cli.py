"""The command line: sbwork new, check, report, release, lab."""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from sbwork.specs.errors import InputError, Problem, explain_error, find_nearest, quote

__all__ = ["app", "main"]

FAILED, BAD_INPUT, INTERRUPTED = 1, 2, 130

app = typer.Typer(
    name="sbwork",
    help="A workbench for evaluating strengths-based policing pilots.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

CohortsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="[COHORT]...", help="Which cohorts; all of them by default."),
]
DataOption = Annotated[
    Path, typer.Option("--data", help="The folder that holds cohorts/ and instruments/.")
]


def main() -> None:
    """Run the command line; bad input is explained in plain words and ends with exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    out: Any = _Output(sys.stdout)
    errors: Any = _Output(sys.stderr)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        try:
            app()
        except InputError as error:
            print(f"sbwork: {error}", file=sys.stderr)
            sys.exit(BAD_INPUT)
        except Exception as error:
            print(f"sbwork: {explain_error(error)}", file=sys.stderr)
            sys.exit(FAILED)
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)
        finally:
            out.flush()


class _Output:
    """A stream whose reader may have gone: what is written then is lost, and the work goes on."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        return self._try(lambda: self._stream.write(text)) or len(text)

    def flush(self) -> None:
        self._try(lambda: self._stream.flush())

    def _try(self, action: Callable[[], Any]) -> Any:
        try:
            return action() if self._stream else None
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())


def _show_version(wanted: bool) -> None:
    if wanted:
        from sbwork import __version__

        print(f"sbwork {__version__}")
        raise typer.Exit


@app.callback()
def set_up(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and stop."
        ),
    ] = False,
) -> None:
    """Evaluate strengths-based policing pilots."""


@app.command()
def new(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="The cohort's name, such as durham-3."),
    ] = None,
    survey: Annotated[
        list[str] | None,
        typer.Option("--survey", "-s", metavar="FILE", help="A survey export; may be repeated."),
    ] = None,
    incidents: Annotated[
        list[str] | None,
        typer.Option(
            "--incidents",
            "-i",
            metavar="FILE",
            help="A zip, folder or file of incidents; may be repeated.",
        ),
    ] = None,
    example: Annotated[
        bool,
        typer.Option(
            "--example",
            help="Copy the invented example cohorts and the notebooks to NAME, or here.",
        ),
    ] = False,
    data: DataOption = Path("data"),
) -> None:
    """Look into survey and incident files, and write a first cohort.yml and questionnaire.

    Without options the files that lie in data/cohorts/NAME are used; if there are none, they are
    asked for. Files from elsewhere are copied there. Nothing is overwritten.
    """
    from sbwork.intake.new import check_name, copy_examples, sort_files, take_in
    from sbwork.intake.printing import print_intake

    if example:
        for line in copy_examples(Path(name or "."), _find_parent("data")):
            print(line)
        return
    if name is None:
        raise typer.BadParameter("name the cohort, or ask for the examples with --example")
    check_name(name)
    place = data if data.is_dir() or data != Path("data") else _find_folder(data, "data")
    surveys, counted = list(survey or []), list(incidents or [])
    lying = sort_files(place / "cohorts" / name)
    if not (surveys or counted or lying["surveys"] or lying["incidents"]) and _is_terminal():
        surveys, counted = _ask_files("Survey file"), _ask_files("Incident file, folder or zip")
    print_intake(take_in(name, place, surveys, counted), name, place)


@app.command()
def check(
    cohorts: CohortsArgument = None,
    data: DataOption = Path("data"),
) -> None:
    """Read everything of each cohort and print what was understood, and all that is wrong.

    Exit code 0: reports can be made. 2: something can't be used.
    """
    from sbwork.intake.check import Inspection, inspect_cohort
    from sbwork.intake.printing import print_inspection
    from sbwork.specs.cohort import find_cohorts

    place = _find_folder(data, "data")
    names = list(dict.fromkeys(cohorts or find_cohorts(place)))
    if not names:
        found = "there is no cohort here"
        raise InputError(Problem(str(place / "cohorts"), "", found, "Make one with 'sbwork new'"))
    usable = True
    for name in names:
        try:
            inspection = inspect_cohort(name, place)
        except Exception as error:
            inspection = Inspection(name, problems=[Problem(name, "", explain_error(error))])
        print_inspection(inspection)
        usable &= inspection.usable
    if not usable:
        raise typer.Exit(BAD_INPUT)


@app.command()
def report(
    cohorts: CohortsArgument = None,
    data: DataOption = Path("data"),
    out: Annotated[
        Path, typer.Option("--out", help="The folder that the reports are written to.")
    ] = Path("reports"),
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=1, help="How many cohorts at a time.")
    ] = 1,
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            "--parameter", "-p", metavar="NAME=VALUE", help="Set a parameter of the notebook."
        ),
    ] = None,
    notebook: Annotated[
        Path | None,
        typer.Option("--notebook", help="Another notebook than notebooks/cohort_report.ipynb."),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", min=1, help="The longest that one cell may take, in seconds."),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Also make the reports that are up to date.")
    ] = False,
) -> None:
    """Make the report of each cohort, and the index of them all.

    Exit code 0: all is well. 1: a cohort failed; the others are finished. 2: bad input. 130: it
    was stopped; the next run goes on from there.
    """
    from sbwork.report.batch import Display, Stopped, produce_reports, stop_on_signals
    from sbwork.report.index import write_index
    from sbwork.report.plan import plan_jobs
    from sbwork.report.staging import clear_leftovers, remove_empty

    plan = plan_jobs(
        cohorts or [],
        data=_find_folder(data, "data"),
        out=out,
        notebook=notebook or _find_folder(Path("notebooks"), "notebooks") / "cohort_report.ipynb",
        parameters=parameter or [],
        timeout=timeout,
        workers=jobs,
        fresh=fresh,
    )
    try:
        with stop_on_signals():
            clear_leftovers(out)
            with Display() as display:
                outcomes = produce_reports(plan, display, workers=jobs)
            states = [outcome.state for outcome in outcomes]
            try:
                print(f"All reports: {write_index(out, plan[0].data, outcomes)}")
            except OSError as error:
                print(f"sbwork: the index was not written: {explain_error(error)}", file=sys.stderr)
                states.append("failed")
            remove_empty(out)
    except Stopped as stop:
        remove_empty(out)
        print("sbwork: stopped; reports finished before that are kept", file=sys.stderr)
        raise typer.Exit(128 + stop.signum) from None
    if "failed" in states:
        raise typer.Exit(FAILED)
    if "bad input" in states:
        raise typer.Exit(BAD_INPUT)


@app.command()
def release(
    cohort: Annotated[str, typer.Argument(metavar="COHORT", help="Whose report was published.")],
    data: DataOption = Path("data"),
    reports: Annotated[
        Path, typer.Option("--reports", help="The folder that the reports were written to.")
    ] = Path("reports"),
) -> None:
    """Mark the report of a cohort as published, and keep what its readers know.

    Later reports are compared with it: a figure that would give a small group away together with
    it is held back. What is kept lies in data/cohorts/COHORT/releases.
    """
    from sbwork.report.plan import check_cohort
    from sbwork.report.release import release_report

    place = _find_folder(data, "data")
    if problems := check_cohort(cohort, place):
        raise InputError(problems)
    kept = release_report(cohort, place, reports)
    print(f"Released: {place / 'cohorts' / cohort / kept.parent.name / kept.name}")
    print("Keep this folder with the cohort; later reports are compared with it.")


@app.command()
def lab(
    port: Annotated[int, typer.Option("--port", help="The port on this machine.")] = 8888,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open a browser window.")
    ] = True,
) -> None:
    """Open JupyterLab in the folder of notebooks, for this machine alone.

    Whatever Jupyter is configured to do otherwise, it answers this machine only, and nobody without
    the token in the address that it opens. Your settings of JupyterLab itself are kept.
    """
    import subprocess

    folder = _find_folder(Path("notebooks"), "notebooks")
    command = [sys.executable, "-m", "jupyterlab", f"--port={port}"]
    command += [f"--{name}={value}" for name, value in _LAB.items()]
    command += [] if browser else ["--no-browser"]
    raise typer.Exit(subprocess.call(command, cwd=folder, env=_close_jupyter()))  # noqa: S603


_LAB = {
    "ip": "127.0.0.1",
    "ServerApp.allow_remote_access": False,
    "ServerApp.allow_origin": "",
    "ServerApp.allow_origin_pat": "",
    "ServerApp.disable_check_xsrf": False,
    "ServerApp.allow_unauthenticated_access": False,
    "PasswordIdentityProvider.hashed_password": "",
    "KernelManager.ip": "127.0.0.1",
    "LabApp.news_url": None,
    "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
}
_KEPT = {f"JUPYTER_{name}" for name in ("PATH", "DATA_DIR", "RUNTIME_DIR", "PLATFORM_DIRS")}


def _close_jupyter() -> dict[str, str]:
    """Return an environment in which Jupyter reads no configuration and asks for a new token.

    Other users of the machine can read a command's options, but not its environment.
    """
    from jupyter_core.paths import jupyter_config_dir

    own = {k: v for k, v in os.environ.items() if not k.startswith("JUPYTER_") or k in _KEPT}
    lab = Path(jupyter_config_dir(), "lab")
    settings = {"SETTINGS": lab / "user-settings", "WORKSPACES": lab / "workspaces"}
    kept = {f"JUPYTERLAB_{name}_DIR": str(path) for name, path in settings.items()}
    return {**kept, **own, "JUPYTER_NO_CONFIG": "1", "JUPYTER_TOKEN": secrets.token_hex(24)}


def _is_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _ask_files(what: str) -> list[str]:
    """Ask for files until none is named; they may be dragged into the window."""
    files: list[str] = []
    while True:
        more = "another, or press Enter" if files else "drag it here, or press Enter for none"
        text = typer.prompt(f"{what} ({more})", default="", show_default=False)
        if not text.strip():
            return files
        files.append(text)


def _find_folder(given: Path, name: str) -> Path:
    """Return the folder as given or, for the usual one, that of the checkout sbwork runs from.

    Installed outside a clone, sbwork brings its notebooks along; examples are no one's data.
    """
    if given.is_dir() or given != Path(name):
        return given
    beside = _find_parent(name) / name
    if beside.is_dir() and (name != "data" or beside.parent != _PACKAGED):
        return beside
    raise InputError(
        Problem(
            str(given),
            "",
            f"there is no folder '{quote(name)}' here",
            "Run the command from the project's folder, or copy the examples here with "
            "'sbwork new --example'",
            find_nearest(name, [p.name for p in Path().iterdir() if p.is_dir()]),
        )
    )


_PACKAGED = Path(__file__).resolve().parent / "examples"


def _find_parent(name: str) -> Path:
    """Return where sbwork keeps a folder of its own: in a wheel beside this file, or in a clone."""
    return _PACKAGED if (_PACKAGED / name).is_dir() else _PACKAGED.parents[1]


if __name__ == "__main__":
    main()
