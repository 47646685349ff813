"""Scoring and reliability of 1,000,000 respondents by 40 items in 5 scales, against peers.

Run as a script: ``python tests/benchmarks/bench_scoring.py [ROWS]``. Every ratio is of medians
measured in turns in the same run, so that the machine's other work falls on both alike.
"""

from __future__ import annotations

import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import pingouin

from sbwork.score import scale_reliability, score_scales
from sbwork.specs.instrument import Instrument

REPEATS = 7
SCALES = {f"s{scale}": [f"s{scale}i{item}" for item in range(8)] for scale in range(5)}
ITEMS = [item for items in SCALES.values() for item in items]
REVERSED = [item for item in ITEMS if item.endswith("i2")]


def make_instrument() -> Instrument:
    return Instrument.model_validate(
        {
            "name": "benchmark",
            "options": {"agree": [{"code": code} for code in range(1, 6)]},
            "items": {item: {"options": "agree", "reverse": item in REVERSED} for item in ITEMS},
            "scales": {scale: {"items": items} for scale, items in SCALES.items()},
        }
    )


def make_answers(rows: int, missing: float, with_sites: bool) -> pd.DataFrame:
    random = np.random.default_rng(1)
    columns: dict[str, Any] = {}
    if with_sites:
        columns["wave"] = random.choice(["before", "after"], rows)
        columns["site"] = random.choice(["north", "south"], rows)
    for items in SCALES.values():
        shared = random.normal(size=rows)
        for item in items:
            codes = np.clip(np.round(3 + 0.8 * shared + 0.9 * random.normal(size=rows)), 1, 5)
            codes = 6 - codes if item in REVERSED else codes
            if missing:
                codes[random.random(rows) < missing] = np.nan
            columns[item] = codes
    return pd.DataFrame(columns)


def score_in_numpy(answers: pd.DataFrame) -> dict[str, np.ndarray]:
    """The bare arithmetic: turn round, count, add, divide."""
    scores = {}
    for scale, items in SCALES.items():
        codes = answers[items].to_numpy(copy=True)
        turned = [item in REVERSED for item in items]
        codes[:, turned] = 6 - codes[:, turned]
        answered = (~np.isnan(codes)).sum(axis=1)
        with np.errstate(invalid="ignore"):
            mean = np.nansum(codes, axis=1) / answered
        scores[scale] = np.where(answered >= 4, mean, np.nan)
    return scores


def add_in_numpy(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Less than the arithmetic: complete columns at hand, added and divided, nothing checked."""
    scores = {}
    for scale, items in SCALES.items():
        total = np.zeros(len(columns[items[0]]))
        for item in items:
            total += 6 - columns[item] if item in REVERSED else columns[item]
        scores[scale] = total / len(items)
    return scores


def score_in_pandas(answers: pd.DataFrame) -> pd.DataFrame:
    turned = answers.assign(**{item: 6 - answers[item] for item in REVERSED})
    return pd.DataFrame(
        {
            scale: turned[items].mean(axis=1).where(turned[items].notna().sum(axis=1) >= 4)
            for scale, items in SCALES.items()
        }
    )


def compute_alphas(answers: pd.DataFrame) -> list[Any]:
    return [pingouin.cronbach_alpha(data=answers[items]) for items in SCALES.values()]


def compute_alphas_by_group(answers: pd.DataFrame) -> list[Any]:
    """The same for everybody, each wave, each site, and each site in each wave."""
    groups = [answers]
    for keys in (["wave"], ["site"], ["wave", "site"]):
        groups += [group for _, group in answers.groupby(keys)]
    return [alpha for group in groups for alpha in compute_alphas(group)]


def time_in_turns(*functions: Callable[[], object]) -> list[float]:
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(REPEATS):
        for function, taken in zip(functions, times, strict=True):
            start = time.perf_counter()
            function()
            taken.append(time.perf_counter() - start)
    return [median(taken) for taken in times]


def measure_peak(function: Callable[[], object]) -> int:
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def main() -> None:
    warnings.simplefilter("ignore")
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    instrument = make_instrument()
    print(f"{rows:,} respondents, {len(ITEMS)} items, {len(SCALES)} scales; medians of {REPEATS}")
    for missing, with_sites in ((0.0, False), (0.0, True), (0.03, False), (0.03, True)):
        answers = make_answers(rows, missing, with_sites)
        columns = {item: answers[item].to_numpy() for item in ITEMS}
        own = len(ITEMS) * rows * 8
        print(f"\nmissing {missing:.0%}, {'by site and wave' if with_sites else 'one group'}")
        ours, numpy_time, least, pandas_time = time_in_turns(
            lambda: score_scales(answers, instrument),  # noqa: B023
            lambda: score_in_numpy(answers),  # noqa: B023
            lambda: add_in_numpy(columns),  # noqa: B023
            lambda: score_in_pandas(answers),  # noqa: B023
        )
        print(f"score_scales {ours:.3f} s")
        print(f"  / numpy, same rule     {ours / numpy_time:.2f}  (at most 2)")
        print(f"  / numpy, sums only     {ours / least:.2f}  (2 where nothing is missing)")
        print(f"  / pandas, same rule    {ours / pandas_time:.2f}  (at most 1)")
        ours, theirs = time_in_turns(
            lambda: scale_reliability(answers, instrument, draws=0),  # noqa: B023
            lambda: compute_alphas(answers),  # noqa: B023
        )
        print(f"scale_reliability {ours:.3f} s")
        print(f"  / pingouin alpha       {ours / theirs:.2f}  (at most 1 for one group)")
        if with_sites:
            ours, theirs = time_in_turns(
                lambda: scale_reliability(answers, instrument, draws=0),  # noqa: B023
                lambda: compute_alphas_by_group(answers),  # noqa: B023
            )
            print(f"  / same, by group       {ours / theirs:.2f}  (at most 1)")
        for name, function in (
            ("score_scales", lambda: score_scales(answers, instrument)),  # noqa: B023
            (
                "scale_reliability",
                lambda: scale_reliability(answers, instrument, draws=0),  # noqa: B023
            ),
        ):
            peak = measure_peak(function)
            print(f"extra memory of {name} / answers {peak / own:.2f}  (at most 2)")


if __name__ == "__main__":
    main()
