"""A group of six: every number of a whole report is tried against it."""

from __future__ import annotations

import html
import itertools
import json
import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

import sbwork as sb
from sbwork.evaluation import Evaluation
from sbwork.render.blocks import Table
from sbwork.render.views import REPORT

mpl.use("Agg")

SMALL = 6
SIZES = {("a", "before"): SMALL, ("a", "after"): 121, ("b", "before"): 263, ("b", "after"): 517,
         ("c", "before"): 1055, ("c", "after"): 2111}  # fmt: skip
"""Six people among groups whose sums differ by more than any printed number is off."""
ITEMS = ("t1", "t2", "t3")
KINDS = {
    "a file each": {},
    "one file": {"one": True},
    "weights of their own": {"weight": "w"},
    "weighted to a population": {"targets": True},
    "people linked": {"person": True},
    "no scales": {"scales": False},
    "a file without ids": {"person": True, "unnamed": True},
    "few blanks": {"sizes": {**SIZES, ("a", "before"): 67, ("a", "after"): 133}, "blanks": True},
}


def draw_answers(sizes: dict[tuple[str, str], int], *, blanks: bool = False) -> pd.DataFrame:
    """Draw answers; of the first group, six leave an item blank where `blanks` says so."""
    draws = np.random.default_rng(3)
    frames = []
    for (site, wave), size in sizes.items():
        frame = pd.DataFrame(draws.integers(1, 6, (size, 3)), columns=list(ITEMS)).astype(object)
        frame = frame.assign(site=site, wave=wave, w=draws.choice([0.5, 1.0, 2.0], size))
        frame["met_street"] = draws.choice(["Yes", "No"], size)
        frame["sex"] = np.where(np.arange(size) % 2, "f", "m")
        frame["person"] = [f"{site}{number}" for number in range(size)]
        frame["story"] = [f"It is better, says number {number} of {site}" for number in range(size)]
        if blanks and site == "a":
            frame.loc[: SMALL - 1, "t1"] = ""
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def evaluate(folder: Path, answers: pd.DataFrame, **kind: Any) -> Evaluation:
    own = folder / "cohorts" / "pilot"
    own.mkdir(parents=True)
    (folder / "instruments").mkdir()
    common: dict[str, Any] = {"multiple": {"contact": "met_"}, "keep": ["sex"], "format": "csv"}
    common |= {"weight_column": kind["weight"]} if kind.get("weight") else {}
    common |= {"person_column": "person"} if kind.get("person") else {}
    left_out = {"w", "person", "story"} - {kind.get("weight"), kind.get("person") and "person"}
    answers = answers.drop(columns=sorted(left_out))
    if kind.get("unnamed"):
        first = (answers["site"] == "a") & (answers["wave"] == "before")
        answers.loc[first, "person"] = ""
    surveys = []
    if kind.get("one"):
        answers.to_csv(own / "all.csv", index=False)
        surveys = [{"path": "all.csv", "wave_column": "wave", "site_column": "site", **common}]
    else:
        for (site, wave), rows in answers.groupby(["site", "wave"]):
            rows.drop(columns=["site", "wave"]).to_csv(own / f"{site}-{wave}.csv", index=False)
            surveys.append({"path": f"{site}-{wave}.csv", "wave": wave, "site": site, **common})
    cohort: dict[str, Any] = {
        "name": "pilot",
        "instrument": "short",
        "sites": {site: {"title": f"Area {site}"} for site in "abc"},
        "pairs": [{"intervention": "a", "control": "b"}, {"intervention": "c", "control": "b"}],
        "surveys": surveys,
    }
    if kind.get("targets"):
        cohort["weighting"] = {"targets": {"sex": {"f": 0.5, "m": 0.5}}}
    scale = {"trust": {"title": "Trust", "items": list(ITEMS)}}
    questionnaire = {
        "name": "short",
        "options": {"agree": [{"code": n, "label": f"Answer {n}"} for n in range(1, 6)]},
        "items": {item: {"text": f"Item {item}", "options": "agree"} for item in ITEMS},
        "scales": scale if kind.get("scales", True) else {},
    }
    (own / "cohort.yml").write_text(json.dumps(cohort), "utf-8")
    (folder / "instruments" / "short.yml").write_text(json.dumps(questionnaire), "utf-8")
    return sb.evaluate_cohort("pilot", folder)


def list_numbers(evaluation: Evaluation) -> dict[str, list[float]]:
    """List every number of the report's text, pictures and results, by where it stands."""
    numbers: dict[str, list[float]] = {}
    for part in REPORT:
        section = sb.view(evaluation, part)
        text = json.dumps(section.to_dict(), ensure_ascii=False)
        drawn = " ".join(
            html.unescape(line)
            for picture in section.pictures
            for line in re.findall("<!-- (.*?) -->", picture.render("svg").decode(), re.DOTALL)
        )
        for name, words in (("text", text), ("pictures", drawn)):
            found = re.findall(r"(?<![\w.])\d[\d,]*(?:\.\d+)?", words)
            numbers[f"{part}, {name}"] = [float(each.replace(",", "")) for each in found]
    for _, row in evaluation.findings.iterrows():
        for column in ("estimate", "ci_low", "ci_high", "n", "df"):
            place = f"{row['section']} {row['outcome']} {row['site']} {row['period']}"
            numbers.setdefault(f"{place} {row['estimator']} {column}", []).append(row[column])
    return numbers


def find_telling(
    numbers: dict[str, list[float]], sizes: dict[tuple[str, str], int], secret: tuple[str, str]
) -> list[str]:
    """Find numbers that are a sum of groups with the small one in it, or one or two below it.

    Groups that are hidden too leave a sum open.
    """
    others = [
        size
        for (site, wave), size in sizes.items()
        if (site, wave) != secret
        and not np.isnan(
            numbers.get(f"sample questionnaire {site} {wave} n_answered estimate", 0)
        ).any()
    ]
    sums = {
        sizes[secret] + sum(some)
        for count in range(1, len(others) + 1)
        for some in itertools.combinations(others, count)
    }
    telling = {float(each - off) for each in sums for off in (0, 1, 2)}
    return [f"{where}: {v:g}" for where, found in numbers.items() for v in found if v in telling]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "few blanks"])
def test_six_people_do_not_follow_from_any_number(kind: str, tmp_path: Path) -> None:
    answers = draw_answers(SIZES)
    evaluation = evaluate(tmp_path, answers, **KINDS[kind])
    numbers = list_numbers(evaluation)
    assert find_telling(numbers, SIZES, ("a", "before")) == []
    assert evaluation.publishable.answers is not None
    quality = evaluation.publishable.answers.quality
    counted = quality[~quality["check"].isin(["items matched"])]
    assert SMALL not in set(counted["count"])
    where = "section in ('scales', 'scores', 'reliability', 'weights') and site == 'a'"
    rows = evaluation.findings.query(f"{where} and period == 'before'")
    rows = rows[~rows["estimator"].isin(["target_share"])]
    assert not (rows["estimate"] > 0).any(), rows[["outcome", "estimator", "estimate"]]
    first = answers[(answers["site"] == "a") & (answers["wave"] == "before")]
    means = {float(first[list(ITEMS)].to_numpy(float).mean())}
    means |= {float(answers[answers["wave"] == "before"][list(ITEMS)].to_numpy(float).mean())}
    known = evaluation.findings["estimate"]
    assert not [mean for mean in means if np.isclose(known, mean, atol=1e-6).any()]
    shown = [each for each in sb.view(evaluation, "scales").blocks if isinstance(each, Table)]
    rows = [row for each in shown if each.name == "multiple" for row in each.rows]
    asked = {row["Asked (n)"] for row in rows if "before" in row["Set"]}
    assert asked <= {"hidden", "1,318"}


def test_six_blanks_do_not_follow_from_any_number(tmp_path: Path) -> None:
    sizes = KINDS["few blanks"]["sizes"]
    numbers = list_numbers(evaluate(tmp_path, draw_answers(sizes, blanks=True)))
    printed = {k: v for k, v in numbers.items() if k.endswith((", text", ", pictures"))}
    for place in (("a", "before"), ("a", "after")):
        without = {**sizes, place: sizes[place] - SMALL}
        assert without[place] not in [value for found in printed.values() for value in found]
        told = set(find_telling(printed, without, place))
        assert told <= set(find_telling(printed, sizes, place))
