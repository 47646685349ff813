"""Starting is quick: measured beside a bare Python, so that a slow machine is no excuse."""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median

ROUNDS = 7
# A bare Python takes about .02 s on the machine on which these limits were set; a machine on
# which it takes longer is given as much longer.
USUAL_BARE_SECONDS = 0.03
IMPORT_SECONDS = 0.1
HELP_SECONDS = 0.4


def measure(*arguments: str) -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True, timeout=60)
    return time.perf_counter() - begin


def measure_beside_bare(*arguments: str) -> tuple[float, float]:
    """Return the median seconds of a bare Python and of one with `arguments`, run in turns."""
    measure(*arguments)
    pairs = [(measure("-c", "pass"), measure(*arguments)) for _ in range(ROUNDS)]
    bare, full = zip(*pairs, strict=True)
    return median(bare), median(full)


def test_importing_sbwork_adds_little() -> None:
    bare, full = measure_beside_bare("-c", "import sbwork")
    assert full - bare < IMPORT_SECONDS * max(1, bare / USUAL_BARE_SECONDS)


def test_help_is_there_at_once() -> None:
    bare, full = measure_beside_bare("-c", "from sbwork.cli import app; app(['--help'])")
    assert full < HELP_SECONDS * max(1, bare / USUAL_BARE_SECONDS)
