"""Time compare_scales against pingouin's t-test with its effect size, on the same cells.

Run as a script: python tests/benchmarks/bench_surveys.py
"""

from statistics import median
from time import perf_counter

import numpy as np
import pandas as pd
import pingouin

from sbwork.compare.surveys import compare_scales
from sbwork.specs.cohort import Cohort
from sbwork.specs.instrument import Instrument

SITES = ("a1", "c1", "a2", "c2")
SCALES = tuple(f"s{number}" for number in range(8))
ROUNDS = 9


def make_scores(n: int) -> pd.DataFrame:
    random = np.random.default_rng(1)
    frames = [
        pd.DataFrame(
            {"wave": wave, "site": site, **{scale: random.normal(3, 1, n) for scale in SCALES}}
        )
        for wave in ("before", "after")
        for site in SITES
    ]
    return pd.concat(frames, ignore_index=True).assign(person="", weight=1.0)


def run_pingouin(scores: pd.DataFrame) -> int:
    rows = 0
    for scale in SCALES:
        for site in SITES:
            chosen = scores[scores["site"] == site]
            before, after = (chosen.loc[chosen["wave"] == w, scale] for w in ("before", "after"))
            pingouin.ttest(after, before, correction=True)
            pingouin.ttest(after, before, correction=False)
            pingouin.compute_effsize(after, before, eftype="hedges")
            rows += 3
    return rows


def time_it(function, *arguments) -> float:
    times = []
    for _ in range(ROUNDS):
        start = perf_counter()
        function(*arguments)
        times.append(perf_counter() - start)
    return median(times)


def main() -> None:
    options = [{"code": 1}, {"code": 5}]
    instrument = Instrument.model_validate(
        {
            "name": "bench",
            "items": {f"{scale}_1": {"options": options} for scale in SCALES},
            "scales": {scale: {"items": [f"{scale}_1"]} for scale in SCALES},
        }
    )
    pairs = [{"intervention": "a1", "control": "c1"}, {"intervention": "a2", "control": "c2"}]
    cohort = Cohort.model_validate(
        {"name": "bench", "sites": {site: {} for site in SITES}, "pairs": pairs}
    )
    for n in (150, 20_000):
        scores = make_scores(n)
        compared = len(compare_scales(scores, cohort, instrument))
        tested = run_pingouin(scores)
        ours = time_it(compare_scales, scores, cohort, instrument)
        theirs = time_it(run_pingouin, scores)
        print(
            f"{n} people a cell: compare_scales {1000 * ours:.0f} ms for {compared} numbers; "
            f"pingouin {1000 * theirs:.0f} ms for {tested} tests; "
            f"ratio {ours / theirs:.2f}, a number {ours / compared / (theirs / tested):.2f}"
        )


if __name__ == "__main__":
    main()
