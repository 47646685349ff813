"""Time to read a Qualtrics export of 100,000 answers, beside pandas.read_csv on the same file.

Run as a script: ``python tests/benchmarks/bench_readers.py``. The target is a ratio of 3.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from sbwork.read.surveys import read_responses
from sbwork.specs.cohort import Cohort, SurveySource
from sbwork.specs.instrument import Instrument, Item, Option

TARGET = 3.0
ROWS = 100_000
ITEMS = 40
ROUNDS = 5
LABELS = ("Strongly disagree", "Disagree", "Neither", "Agree", "Strongly agree")


def write_export(path: Path, labels: bool) -> None:
    rng = np.random.default_rng(20191101)
    data: dict[str, object] = {
        "StartDate": "2019-04-03 10:01:05",
        "EndDate": "2019-04-03 10:03:08",
        "Status": "IP Address" if labels else "0",
        "IPAddress": "192.0.2.1",
        "Progress": np.where(rng.random(ROWS) < 0.05, "40", "100"),
        "Duration (in seconds)": rng.integers(60, 2_000, ROWS).astype(str),
        "Finished": "True" if labels else "1",
        "ResponseId": [f"R_{number:015x}" for number in rng.integers(0, 2**60, ROWS)],
        "RecipientEmail": "",
        "LocationLatitude": np.round(rng.uniform(50, 55, ROWS), 6).astype(str),
        "UserLanguage": "EN",
        "area": rng.choice(["North", "South"], ROWS),
    }
    answers = [*LABELS, ""] if labels else ["1", "2", "3", "4", "5", ""]
    for number in range(ITEMS):
        data[f"q{number}"] = rng.choice(answers, ROWS)
    frame = pd.DataFrame(data)
    texts = {name: f"Question {name}, how much do you agree?" for name in frame}
    ids = {name: f'{{"ImportId":"QID{name}"}}' for name in frame}
    pd.concat([pd.DataFrame([texts, ids]), frame]).to_csv(path, index=False)


def measure(peer: Callable[[], object], ours: Callable[[], object]) -> tuple[float, float]:
    """Time both in turns, so that a busy machine slows both alike; return the medians."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for task, taken in zip((peer, ours), times, strict=True):
            start = time.perf_counter()
            task()
            taken.append(time.perf_counter() - start)
    return statistics.median(times[0]), statistics.median(times[1])


def main() -> int:
    options = tuple(Option(code=i + 1, label=label) for i, label in enumerate(LABELS))
    instrument = Instrument(
        name="bench", items={f"q{number}": Item(options=options) for number in range(ITEMS)}
    )
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for labels in (True, False):
            path = Path(folder) / "wave.csv"
            write_export(path, labels)
            cohort = Cohort.model_validate(
                {
                    "name": "bench",
                    "sites": {"north": {}, "south": {}},
                    "surveys": [SurveySource(path=str(path), wave="before", site_column="area")],
                }
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", pd.errors.DtypeWarning)
                peer, ours = measure(
                    partial(pd.read_csv, path), partial(read_responses, cohort, instrument)
                )
            ratio = ours / peer
            worst = max(worst, ratio)
            kind = "labels" if labels else "codes"
            print(
                f"{ROWS:,} answers as {kind}, {path.stat().st_size / 1e6:.0f} MB: "
                f"pandas.read_csv {peer:.3f} s, read_responses {ours:.3f} s, ratio {ratio:.2f} "
                f"(target {TARGET})"
            )
    return int(worst > TARGET)


if __name__ == "__main__":
    sys.exit(main())
