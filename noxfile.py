"""What a contributor runs: ``nox`` for everything but the benchmarks, ``nox -s tests`` for one."""

from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "docs", "tests"]
nox.options.reuse_existing_virtualenvs = True


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests; what follows ``--`` goes to pytest."""
    session.install("-e", ".[test]")
    session.run("pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Find what ruff would write otherwise."""
    session.install("ruff")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types."""
    session.install("-e", ".[test]")
    session.run("mypy")


@nox.session
def docs(session: nox.Session) -> None:
    """Write docs/api.md anew from the docstrings, and check every document."""
    session.install("-e", ".[test]")
    session.run("python", "docs/build_api.py")
    session.run("pytest", "-q", "tests/test_docs.py")


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Run the benchmarks one by one, each against a named peer; or the one named after ``--``."""
    session.install("-e", ".[test]")
    chosen = session.posargs or sorted(map(str, Path("tests/benchmarks").glob("bench_*.py")))
    for path in chosen:
        session.run("python", path)
