"""How often the verdict on invariance is wrong.

Run by hand: ``python tests/studies/sim_invariance.py``. Two pairs of sites in two waves, answers
from 1 to 5 to scales of three to six items with loadings from .6 to .9, the mean of the factor
.3 SD higher in the areas afterwards. Then one item (two of six) is answered higher or lower by
the same people in the areas afterwards, by .25 to .75 points.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from sbwork.compare.invariance import assess_invariance
from sbwork.specs.cohort import Cohort
from sbwork.specs.instrument import Instrument
from sbwork.stats.findings import find_row

DRAWS = 200
SEED = 20180601
SITES = ("a", "c", "b", "d")
TREATED = ("a", "b")
TRUE_CHANGE = 0.3


def draw_answers(
    rng: np.random.Generator, n: int, items: int, shift: float, shifted: int
) -> pd.DataFrame:
    """Draw the answers of `n` people at each site in each wave."""
    loadings = np.linspace(0.6, 0.9, items)
    frames = []
    for site in SITES:
        for wave in ("before", "after"):
            late = wave == "after" and site in TREATED
            factor = rng.normal(TRUE_CHANGE if late else 0.0, 1.0, n)
            points = 3 + factor[:, None] * loadings + rng.normal(0, 0.65, (n, items))
            points[:, :shifted] += shift * late
            answers = pd.DataFrame(
                np.clip(np.rint(points), 1, 5), columns=[f"q{j}" for j in range(items)]
            )
            frames.append(answers.assign(site=site, wave=wave, person="", weight=1.0))
    return pd.concat(frames, ignore_index=True)


def main() -> None:
    """Print the share of draws in which the scale is called invariant, in part or not at all."""
    pairs = [{"intervention": "a", "control": "c"}, {"intervention": "b", "control": "d"}]
    cohort = Cohort.model_validate(
        {"name": "study", "sites": {site: {} for site in SITES}, "pairs": pairs}
    )
    options = [{"code": code} for code in range(1, 6)]
    rng = np.random.default_rng(SEED)
    print("    n items  shift  all alike  in part  not alike | latent change, scored change")
    for n in (150,):
        for items, shifted in ((3, 1), (4, 1), (6, 2)):
            keys = [f"q{j}" for j in range(items)]
            instrument = Instrument.model_validate(
                {
                    "name": "study",
                    "items": {key: {"options": options} for key in keys},
                    "scales": {"scale": {"items": keys}},
                }
            )
            for shift in (0.0, 0.25, 0.5, 0.75):
                levels, latent, scored = [], [], []
                for _ in range(DRAWS):
                    answers = draw_answers(rng, n, items, shift, shifted)
                    found = assess_invariance(answers, cohort, instrument)
                    verdict = find_row(found, estimator="invariance")
                    levels.append(verdict["flags"].split()[0])
                    change = find_row(
                        found, estimator="latent_difference_in_differences", site="all"
                    )
                    latent.append(change["estimate"])
                    means = answers.assign(score=answers[keys].mean(axis=1))
                    means = means.groupby(["wave", "site"])["score"].mean()
                    rises = means["after"] - means["before"]
                    scored.append((rises["a"] - rises["c"] + rises["b"] - rises["d"]) / 2)
                shares = "  ".join(
                    f"{np.mean([level == kind for level in levels]):9.3f}"
                    for kind in ("invariant", "partly_invariant", "not_invariant")
                )
                print(
                    f"{n:5} {items:5} {shift:6.2f}  {shares} | "
                    f"{np.nanmean(latent):.3f}, {np.mean(scored):.3f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
