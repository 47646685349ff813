"""Structural equation models against lavaan and semopy, and bootstrap refits.

Run as a script: ``python tests/benchmarks/bench_latent.py``. lavaan is timed within R, semopy
within Python, both after a first fit that is not counted; the runs take turns, so that the
machine's other work falls on all alike. Without R, or without semopy (``pip install semopy``),
their rows are left out with a word. A ratio is the peer's median time by ours: above 1 is faster
than the peer.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd

from sbwork.score.latent import fit_model, refit_model

ROUNDS = 5
REPEATS = 5
THREE = "visual =~ x1 + x2 + x3\ntextual =~ x4 + x5 + x6\nspeed =~ x7 + x8 + x9"
HOLZINGER = Path(__file__).parents[1] / "reference" / "holzinger_swineford_1939.csv"
CASES: dict[str, dict[str, Any]] = {
    "one group": {"data": "complete", "missing": "listwise"},
    "two groups, equal loadings": {
        "data": "complete",
        "missing": "listwise",
        "group": "school",
        "equal": ["loadings"],
    },
    "10% missing, full information": {"data": "holes", "missing": "fiml"},
}
R_SCRIPT = """
suppressPackageStartupMessages(library(lavaan))
data <- read.csv("{file}")
model <- "{model}"
fit <- function() sem(model, data, missing = "{missing}"{more})
fit()
times <- sapply(1:{repeats}, function(i) system.time(fit())[["elapsed"]])
cat("[", paste(times, collapse = ","), "]")
"""


def make_data() -> dict[str, pd.DataFrame]:
    complete = pd.read_csv(HOLZINGER)
    holes = complete.copy()
    items = [f"x{item}" for item in range(1, 10)]
    gone = np.random.default_rng(1).random((len(holes), 9)) < 0.1
    holes[items] = holes[items].mask(gone)
    return {"complete": complete, "holes": holes}


def time_calls(call: Callable[[], object]) -> list[float]:
    call()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return times


def time_lavaan(case: dict[str, Any], file: Path) -> list[float]:
    more = f', group = "{case["group"]}", group.equal = "loadings"' if "group" in case else ""
    missing = {"fiml": "ml"}.get(case["missing"], case["missing"])
    script = R_SCRIPT.format(
        file=file, model=THREE.replace("\n", "\\n"), missing=missing, more=more, repeats=REPEATS
    )
    done = subprocess.run(
        ["Rscript", "-e", script], capture_output=True, text=True, check=True
    ).stdout
    return [float(seconds) for seconds in json.loads(done[done.rindex("[") :])]


def time_semopy(data: pd.DataFrame) -> list[float]:
    import semopy

    def fit() -> object:
        model = semopy.Model(THREE)
        model.fit(data)
        return model.inspect(), semopy.calc_stats(model)

    return time_calls(fit)


def has_semopy() -> bool:
    try:
        import semopy  # noqa: F401
    except ImportError:
        return False
    return True


def compare_fits() -> None:
    data = make_data()
    peers = {"lavaan": shutil.which("Rscript") is not None, "semopy": has_semopy()}
    for peer, there in peers.items():
        if not there:
            print(f"{peer} is not installed: left out")
    print(f"{'':34}{'sbwork ms':>10}{'lavaan ms':>10}{'ratio':>7}{'semopy ms':>10}{'ratio':>7}")
    with tempfile.TemporaryDirectory() as folder:
        for name, case in CASES.items():
            rows = data[case["data"]]
            file = Path(folder) / "data.csv"
            rows.to_csv(file, index=False)
            options = {key: value for key, value in case.items() if key != "data"}
            times: dict[str, list[float]] = {"sbwork": [], "lavaan": [], "semopy": []}
            for _ in range(ROUNDS):
                times["sbwork"] += time_calls(lambda: fit_model(rows, THREE, **options))  # noqa: B023
                if peers["lavaan"]:
                    times["lavaan"] += time_lavaan(case, file)
                if peers["semopy"] and name == "one group":
                    times["semopy"] += time_semopy(rows)
            ours = median(times["sbwork"])
            line = f"{name:34}{ours * 1e3:10.1f}"
            for peer in peers:
                if times[peer]:
                    line += f"{median(times[peer]) * 1e3:10.1f}{median(times[peer]) / ours:7.1f}"
                else:
                    line += f"{'-':>10}{'-':>7}"
            print(line)


def time_refits() -> None:
    random = np.random.default_rng(1)
    n = 400
    cause = random.normal(size=n)
    middle = 0.5 * cause + 0.8 * random.normal(size=n)
    outcome = 0.4 * middle + 0.2 * cause + 0.8 * random.normal(size=n)
    columns = {
        f"x{item}": 0.8 * factor + 0.6 * random.normal(size=n)
        for item, factor in enumerate(np.repeat([cause, middle, outcome], 4, axis=0), 1)
    }
    data = pd.DataFrame(columns)
    model = "A =~ x1 + x2 + x3 + x4; B =~ x5 + x6 + x7 + x8; C =~ x9 + x10 + x11 + x12"
    model += "; B ~ a*A; C ~ b*B + c*A; indirect := a*b"
    rows = data.to_numpy()
    draws = [rows[random.integers(n, size=n)] for _ in range(1000)]
    covariances = np.stack([np.cov(draw, rowvar=False, bias=True) for draw in draws])
    means = np.stack([draw.mean(axis=0) for draw in draws])
    for missing in ("listwise", "fiml"):
        fit = fit_model(data, model, missing=missing)
        times = time_calls(lambda: refit_model(fit, covariances, means))  # noqa: B023
        kind = "with means" if missing == "fiml" else "covariances"
        print(f"1,000 refits, 12 items, {kind}: {median(times):.2f} s")


if __name__ == "__main__":
    compare_fits()
    time_refits()
