"""The observed mediation with 5,000 bootstrap draws, against pingouin on the same problem.

Run as a script: ``python tests/benchmarks/bench_mediation.py``. 1,200 people of four sites and two
waves, one mediator, site and wave as covariates. The ratio is of medians measured in turns.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import pingouin

from sbwork.stats.mediation import find_percentiles, fit_chain

REPEATS, DRAWS, WANTED = 5, 5000, 15


def clock(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    random = np.random.default_rng(1)
    cell = np.repeat(np.arange(8), 150)
    site, after = cell // 2, cell % 2
    work = (after * (site % 2 == 0)).astype(float)
    cause = 0.5 * work + random.normal(size=1200)
    outcome = 0.4 * cause + random.normal(size=1200)
    covariates = np.column_stack([np.ones(1200), *(site == s for s in (1, 2, 3)), after])
    variables = np.column_stack([work, cause, outcome])
    frame = pd.DataFrame(variables, columns=["work", "cause", "outcome"])
    named = {f"z{k}": column for k, column in enumerate(covariates.T[1:])}
    frame = frame.assign(**named)

    def ours() -> tuple[float, float]:
        chain = fit_chain(variables, covariates, strata=cell, draws=DRAWS)
        return find_percentiles(chain.follow(0, 1, 2)[1:])

    def peer() -> pd.DataFrame:
        return pingouin.mediation_analysis(
            frame, "work", "cause", "outcome", covar=list(named), n_boot=DRAWS, seed=1
        )

    ours()
    times = [(clock(ours), clock(peer)) for _ in range(REPEATS)]
    mine, theirs = (median(each) for each in zip(*times, strict=True))
    ratio = theirs / mine
    print(f"sbwork {mine:.3f} s, pingouin {theirs:.3f} s: {ratio:.0f} times as fast")
    assert ratio >= WANTED, f"less than {WANTED} times as fast as pingouin"


if __name__ == "__main__":
    main()
