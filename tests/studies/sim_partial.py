"""How often a whole month is taken for a partly delivered one, and a partly delivered one missed.

Run by hand: ``python tests/studies/sim_partial.py``. Series of 169 months in which nothing is
missing: seasons of 30%, drift, months that vary by a log SD beyond Poisson, and a fall by a third
in April 2020 that takes a year to go. Then the same with one month in the middle, or the last,
cut to a share of its rows. The second table does the same for a crime type that is never silent.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from sbwork.read.incidents.continuity import check_continuity, find_partial_months
from sbwork.specs.cohort import list_months

MONTHS = list_months("2010-12", "2024-12")
LEVELS = (5, 20, 100, 1_000, 20_000)
NOISES = (0.05, 0.10, 0.15)
SERIES = 300
SEED = 20180601


def draw_series(rng: np.random.Generator, level: float, noise: float) -> np.ndarray:
    """Draw one series of whole months."""
    at = np.arange(len(MONTHS))
    season = 1 + 0.30 / 2 * np.cos(2 * np.pi * (at - 7) / 12)
    drift = np.exp(np.cumsum(rng.normal(0, 0.02, at.size)))
    spring = at - MONTHS.index("2020-04")
    fall = np.where(spring >= 0, 1 - np.exp(-spring / 4) / 3, 1.0)
    return rng.poisson(level * season * drift * fall * np.exp(rng.normal(0, noise, at.size)))


def main() -> None:
    """Print both tables."""
    rng = np.random.default_rng(SEED)
    times = np.arange(len(MONTHS))
    print("level noise  series flagged  months flagged | found: tenth  third  half  last tenth")
    for level in LEVELS:
        for noise in NOISES:
            flagged = months = 0
            found = np.zeros(4)
            for _ in range(SERIES):
                series = draw_series(rng, level, noise)
                wrong = find_partial_months(series, times)
                flagged, months = flagged + bool(wrong), months + len(wrong)
                for number, (where, share) in enumerate(
                    ((90, 0.1), (90, 1 / 3), (90, 0.5), (len(MONTHS) - 1, 0.1))
                ):
                    cut = series.copy()
                    cut[where] = rng.binomial(cut[where], share)
                    found[number] += where in find_partial_months(cut, times)
            told = "  ".join(f"{share:.2f}" for share in found / SERIES)
            print(f"{level:6} {noise:.2f}  {flagged / SERIES:.4f}  {months} | {told}")
    print("level of a type  series in which some month is called silent")
    for level in (0.2, 0.5, 1, 2, 5, 20):
        wrong = 0
        for _ in range(SERIES):
            frames = [
                pd.DataFrame({"kind": kind, "n": draw_series(rng, size, 0.1), "month": MONTHS})
                for kind, size in (("Burglary", 200), ("Robbery", level))
            ]
            counts = pd.concat(frames).assign(feed="f")
            found = check_continuity(
                counts,
                {"f": MONTHS},
                {"robbery": {"Robbery": 1.0}},
                titles={"robbery": "Robbery"},
                compared=(),
                archives=["f"],
            )
            wrong += any("partly" not in gap.reason for gap in found.gaps)
        print(f"{level:6}  {wrong / SERIES:.4f}")


if __name__ == "__main__":
    main()
