"""Small made-up cohorts whose reports say what those of the committed ones do not."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from sbwork.evaluation import Evaluation, evaluate_cohort
from sbwork.specs.periods import list_months

_PERIODS = """\
periods:
  before: {start: 2021-01, end: 2021-12}
  after: {start: 2022-01, end: 2022-12}
"""
_INSTRUMENT = """\
name: short
options:
  agree: [{code: 1, label: No}, {code: 2, label: Rather not}, {code: 3, label: Neither},
    {code: 4, label: Rather}, {code: 5, label: Yes}]
items:
  t1: {text: One, options: agree}
  t2: {text: Two, options: agree}
  s1: {text: Three, options: agree}
  s2: {text: Four, options: agree}
scales:
  trust: {title: Trust, items: [t1, t2]}
  safety: {title: Safety, items: [s1, s2], minimum_answered: 2}
"""
_LINKED = """\
name: {name}
instrument: short
assignment: {assignment}
sites: {{north: {{title: North}}, south: {{title: South}}}}
pairs: [{{intervention: north, control: south, control_reason: Near.}}]
surveys:
  - path: survey.csv
    format: csv
    wave_column: round
    waves: {{"1": before, "2": after}}
    site_column: area
    person_column: person
confirmatory: [trust]
"""
_CLUSTERED = "person_column: person\n    cluster_column: street\n    keep: [age_group]"
COHORTS = {
    "alone": """\
name: alone
sites: {ash: {title: Ash}, birch: {title: Birch}}
pairs: [{intervention: ash, control: birch, control_reason: Alike in size.}]
incidents: [{path: counts.csv}]
confirmatory_counts: [asb]
chosen_because: volunteered
"""
    + _PERIODS,
    "shared": """\
name: shared
sites: {ash: {title: Ash}, birch: {title: Birch}, cedar: {title: Cedar}, oak: {title: Oak}}
pairs:
  - {intervention: ash, control: oak}
  - {intervention: birch, control: oak}
  - {intervention: cedar, control: oak}
incidents: [{path: counts.csv}, {path: birch.csv}]
engagement:
  - {date: 2022-02-03, event: A meeting, site: ash, attendance: 40}
"""
    + _PERIODS,
    "baseline": """\
name: baseline
instrument: short
sites: {north: {title: North}, south: {title: South}}
pairs: [{intervention: north, control: south}]
surveys:
  - {path: survey.csv, format: csv, wave_column: round, waves: {"1": before}, site_column: area}
""",
    "apart": """\
name: apart
instrument: short
sites: {north: {title: North}, south: {title: South}, east: {title: East}}
pairs: [{intervention: north, control: south}]
surveys:
  - path: survey.csv
    format: csv
    wave_column: round
    waves: {"1": before, "2": after}
    site_column: area
""",
    "counted": """\
name: counted
accepted_losses: {months: 0.5}
sites: {ash: {title: Ash}, birch: {title: Birch}}
pairs: [{intervention: ash, control: birch, control_reason: Alike in size.}]
incidents: [{path: counts.csv}]
"""
    + _PERIODS,
    "told": """\
name: told
stories: [{theme: Trust, text: They know my name., told_by: A resident}]
engagement: [{date: 2022-02-03, event: A meeting, attendance: 40}]
""",
    "ranked": """\
name: ranked
sites: {site-0: {title: Ash, lsoas: [X000]}, site-1: {title: Birch, lsoas: [X001]}}
pairs: [{intervention: site-0, control: site-1}]
incidents: [{path: counts.csv}]
geography: {lookup: lookup.csv, lookup_columns: {lsoa: lsoa, authority: authority}}
placebo: {group_by: lsoa}
chosen_because: highest
"""
    + _PERIODS,
    "lone": """\
name: lone
sites: {site-0: {title: Ash, lsoas: [X000]}}
pairs: [{intervention: site-0}]
incidents: [{path: counts.csv}]
geography: {lookup: lookup.csv, lookup_columns: {lsoa: lsoa, authority: authority}}
placebo: {group_by: lsoa}
chosen_because: {reason: rising, outcome: asb}
"""
    + _PERIODS,
    "linked": _LINKED.format(name="linked", assignment="chosen"),
    "lot": _LINKED.format(name="lot", assignment="randomised"),
    "asked": _LINKED.replace("person_column: person", _CLUSTERED).format(
        name="asked", assignment="chosen"
    )
    + """\
invited: {before: {north: 300, south: 280}, after: {north: 300, south: 280}}
""",
    "harm": """\
name: harm
assignment: randomised
sites: {ash: {title: Ash}, birch: {title: Birch}, cedar: {title: Cedar}, oak: {title: Oak}}
pairs:
  - {intervention: ash, control: birch, control_reason: Alike.}
  - {intervention: cedar, control: oak, control_reason: Alike.}
incidents: [{path: counts.csv}]
harm_weights: weights.csv
chosen_because: {reason: other, sentence: The council asked for them.}
reported_figures: [{title: Calls, change_percent: -12, reported_by: the council}]
"""
    + _PERIODS,
    "answers": """\
name: answers
instrument: short
sites: {north: {title: North}, south: {title: South}}
pairs: [{intervention: north, control: south}]
surveys:
  - path: survey.csv
    format: csv
    wave_column: round
    waves: {"1": before, "2": after}
    site_column: area
    keep: [age_group]
weighting: {targets: {age_group: {young: 0.4, old: 0.6}}}
confirmatory: [trust, safety]
smallest_meaningful_g: 0.25
""",
    "later": """\
name: later
instrument: short
sites: {north: {title: North}, south: {title: South}}
pairs: [{intervention: north, control: south}]
surveys:
  - path: survey.csv
    format: csv
    wave_column: round
    waves: {"1": before, "2": after}
    site_column: area
confirmatory: {trust: [trust], potency: [safety]}
""",
}


def evaluate_made_up(name: str, folder: Path) -> Evaluation:
    """Write the files of one of `COHORTS` into a folder, and evaluate it."""
    own = folder / "cohorts" / name
    own.mkdir(parents=True)
    (folder / "instruments").mkdir()
    (folder / "instruments" / "short.yml").write_text(_INSTRUMENT, "utf-8")
    (own / "cohort.yml").write_text(COHORTS[name], "utf-8")
    if "survey.csv" in COHORTS[name]:
        waves = (1,) if name == "baseline" else (1, 2)
        answers = _draw_survey(waves, linked=name in ("linked", "lot", "asked"))
        if name == "apart":
            answers = answers[(answers["area"] == "North") | (answers["round"] == 2)]
            answers = answers.reset_index(drop=True)
            answers.loc[answers[answers["area"] == "North"].index[-6:], "area"] = "East"
        if name == "later":
            answers[["s1", "s2"]] = answers[["s1", "s2"]].mask(answers["round"] == 1)
        answers.to_csv(own / "survey.csv", index=False)
    elif "lookup.csv" in COHORTS[name]:
        _write_areas(own)
    elif name == "harm":
        counts = _draw_counts("site", ("ash", "birch", "cedar", "oak"))
        late = (counts["month"] >= "2022-01") & (counts["crime_type"] != "Burglary")
        counts.loc[late & (counts["site"] == "cedar"), "count"] = 0
        counts.to_csv(own / "counts.csv", index=False)
        weights = "crime_type,weight\nBurglary,20\nAnti-social behaviour,1\n"
        (own / "weights.csv").write_text(weights, "utf-8")
    elif name in ("alone", "counted"):
        counts = _draw_counts("site", ("ash", "birch"))
        early = counts["month"] < "2022-01"
        counts[early | (name == "alone")].to_csv(own / "counts.csv", index=False)
    elif "counts.csv" in COHORTS[name]:
        counts = _draw_counts("site", ("ash", "birch", "cedar", "oak"))
        apart = counts["site"] == "birch"
        counts[~apart].to_csv(own / "counts.csv", index=False)
        early = counts[apart & (counts["month"] <= "2022-09")]
        early.to_csv(own / "birch.csv", index=False)
    return evaluate_cohort(name, folder)


def _draw_counts(
    place: str, places: tuple[str, ...], first: float = 1.0, fall: float = 0.55, seed: int = 5
) -> pd.DataFrame:
    """Draw two years of counts; the first place has `first` times as many, and its ASB falls."""
    draws = np.random.default_rng(seed)
    rows = []
    for (at, name), (when, month), kind in product(
        enumerate(places),
        enumerate(list_months("2021-01", "2022-12")),
        ("Burglary", "Anti-social behaviour"),
    ):
        mean = 30 * (first if at == 0 else 1.0)
        mean *= fall if at == 0 and when >= 12 and kind != "Burglary" else 1.0
        rows.append((month, kind, name, draws.poisson(mean * draws.gamma(25, 1 / 25))))
    return pd.DataFrame(rows, columns=["month", "crime_type", place, "count"])


def _write_areas(folder: Path) -> None:
    areas = tuple(f"X{at:03}" for at in range(40))
    counts = _draw_counts("lsoa", areas, first=1.25, fall=0.75, seed=9)
    counts.to_csv(folder / "counts.csv", index=False)
    lookup = pd.DataFrame({"lsoa": areas, "authority": "The one", "population": 1500})
    lookup.to_csv(folder / "lookup.csv", index=False)


def _draw_survey(waves: tuple[int, ...], *, linked: bool) -> pd.DataFrame:
    """Draw the answers of 120 people a site and wave; trust rises in the north.

    Linked people answer both waves, but for some of the south.
    """
    draws = np.random.default_rng(11)
    frames = []
    people = 120
    lasting = draws.normal(0, 0.6, (2, people)) if linked else np.zeros((2, people))
    for wave, (at, area) in product(waves, enumerate(("North", "South"))):
        gain = 0.6 * (wave == 2 and area == "North")
        shared = {"t": draws.normal(3 + gain, 0.8, people), "s": draws.normal(3, 0.8, people)}
        items = {
            f"{scale}{item}": np.clip(
                np.round(lasting[at] + shared[scale] + draws.normal(0, 0.5, people)), 1, 5
            )
            for scale, item in product("ts", (1, 2))
        }
        ages = draws.choice(["young", "old"], people)
        names = [f"{area} {person}" for person in range(people)]
        frame = pd.DataFrame(
            {"round": wave, "area": area, "person": names, "age_group": ages, **items}
        ).astype(dict.fromkeys(items, int))
        frame = frame.assign(street=[f"{area} {person % 9}" for person in range(people)])
        frames.append(frame[:80] if linked and wave == 2 and area == "South" else frame)
    return pd.concat(frames).drop(columns=[] if linked else ["person"])
