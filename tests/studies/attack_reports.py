"""Small cohorts made up, and a reader who works out of their reports what these hide.

Run by hand for all cohorts: ``python tests/studies/attack_reports.py``. The reader knows the
questionnaire, the code, and every number of a finished report, writes down what each says of how
many people are where, and finds by integer programmes the least and greatest size that each hidden
group can have, and by linear ones the least and greatest mean.
"""

from __future__ import annotations

import itertools
import json
import math
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp

import sbwork as sb
from sbwork.evaluation import Evaluation

WAVES = ("before", "after")
Place = tuple[str, str]
Name = tuple[str, ...]
OPTIONS = ("street", "home", "call")
QUESTIONS = ("why", "what")


@dataclass(frozen=True)
class World:
    """A cohort: how many answered where, and what is peculiar to whom.

    sizes: By site and wave.  scales: How many items, and answers to each.
    blanks: By scale and place, how many left the scale out; skips: its first item only.
    floor: How many are at the lower end; same: the one answer that all gave.
    men: By place; the others are women.  stayed: By site, how many answered again.
    ticks, silent: By option and place, or place, who ticked it, or nothing at all.
    told: By question and place, how many wrote.
    """

    sizes: dict[Place, int]
    pairs: tuple[Place, ...] = (("a", "b"), ("c", "d"))
    scales: dict[str, Place] = field(default_factory=lambda: {"trust": (3, 5), "vision": (1, 5)})
    blanks: dict[Name, int] = field(default_factory=dict)
    skips: dict[Name, int] = field(default_factory=dict)
    floor: dict[Name, int] = field(default_factory=dict)
    same: dict[Name, int] = field(default_factory=dict)
    men: dict[Place, int] | None = None
    weights: bool = False
    stayed: dict[str, int] | None = None
    ticks: dict[Name, int] = field(default_factory=dict)
    silent: dict[Place, int] = field(default_factory=dict)
    told: dict[Name, int] = field(default_factory=dict)
    one_file: bool = False
    others: dict[str, Any] = field(default_factory=dict)


def draw_answers(world: World, seed: int) -> pd.DataFrame:
    """Draw the answers of every place."""
    frames = []
    for number, (place, size) in enumerate(world.sizes.items()):
        draws, at = np.random.default_rng([seed, number]), np.arange(size)
        frame = pd.DataFrame({"site": place[0], "wave": place[1]}, index=at)
        for scale, (items, points) in world.scales.items():
            key = (scale, *place)
            codes = draws.integers(1, points + 1, (size, items))
            if key in world.floor:
                codes[at >= world.floor[key]] = np.maximum(codes[at >= world.floor[key]], 2)
                codes[at < world.floor[key]] = 1
            codes[:] = world.same.get(key, codes)
            for item in range(items):
                away = world.blanks.get(key, 0) if item else max(
                    world.blanks.get(key, 0), world.skips.get(key, 0))  # fmt: skip
                frame[f"{scale}{item + 1}"] = np.where(at < away, "", codes[:, item].astype(str))
        draws.shuffle(at)
        men = (world.men or {}).get(place, size // 2)
        again = (world.stayed or {}).get(place[0], 0)
        new = [place[1] == "after" and number >= again for number in range(size)]
        frame["sex"] = np.where(at < men, "m", "f")
        frame["w"] = draws.choice([0.5, 1.0, 2.0], size)
        frame["person"] = [f"{place[0]}{'new' * late}{n}" for n, late in enumerate(new)]
        for option in OPTIONS:
            ticked = at < world.ticks.get((option, *place), size // 2)
            frame[f"met_{option}"] = np.where(ticked, "Yes", "No")
        frame.loc[at < world.silent.get(place, 0), [f"met_{name}" for name in OPTIONS]] = ""
        for question in QUESTIONS:
            wrote = np.arange(size) < world.told.get((question, *place), 0)
            frame[question] = [
                f"{question} {place} no {n}" if w else "" for n, w in enumerate(wrote)
            ]
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def evaluate(world: World, folder: Path, seed: int = 1) -> Evaluation:
    """Write the files of a world, and evaluate them."""
    own = folder / "cohorts" / "pilot"
    own.mkdir(parents=True)
    (folder / "instruments").mkdir()
    answers = draw_answers(world, seed)
    common: dict[str, Any] = {"format": "csv", "multiple": {"contact": "met_"}, "keep": ["sex"]}
    common |= {"weight_column": "w"} if world.weights else {}
    common |= {"person_column": "person"} if world.stayed else {}
    common |= {"stories": list(QUESTIONS)} if world.told else {}
    if world.one_file:
        answers.to_csv(own / "all.csv", index=False)
        surveys = [{"path": "all.csv", "wave_column": "wave", "site_column": "site", **common}]
    else:
        surveys = []
        for (site, wave), rows in answers.groupby(["site", "wave"], sort=False):
            rows.drop(columns=["site", "wave"]).to_csv(own / f"{site}-{wave}.csv", index=False)
            surveys.append({"path": f"{site}-{wave}.csv", "wave": wave, "site": site, **common})
    cohort: dict[str, Any] = {
        "name": "pilot",
        "instrument": "short",
        "sites": {site: {} for site, _ in world.sizes},
        "pairs": [{"intervention": a, "control": c} for a, c in world.pairs],
        "surveys": surveys,
        "accepted_losses": {"people": 1.0, "items": 1.0},
        **world.others,
    }
    if world.men is not None:
        cohort["weighting"] = {"targets": {"sex": {"f": 0.5, "m": 0.5}}}
    names = {scale: [f"{scale}{n + 1}" for n in range(k)] for scale, (k, _) in world.scales.items()}
    questionnaire = {
        "name": "short",
        "options": {
            s: [{"code": c} for c in range(1, p + 1)] for s, (_, p) in world.scales.items()
        },
        "items": {i: {"options": scale} for scale, items in names.items() for i in items},
        "scales": {scale: {"items": items} for scale, items in names.items()},
    }
    (own / "cohort.yml").write_text(json.dumps(cohort), "utf-8")
    (folder / "instruments" / "short.yml").write_text(json.dumps(questionnaire), "utf-8")
    return sb.evaluate_cohort("pilot", folder)


Line = dict[Name, float]


class Reader:
    """What a reader of a report writes down: how many people are where."""

    def __init__(self, world: World, evaluation: Evaluation) -> None:
        self.world, self.evaluation = world, evaluation
        assert evaluation.responses is not None
        assert evaluation.scores is not None
        self.answers, self.scores = evaluation.responses.answers, evaluation.scores
        self.truth: dict[Name, float] = {}
        self.lines: list[tuple[Line, float, float]] = []
        self.weighted = world.weights or world.men is not None
        self._count()
        for row in evaluation.findings.to_dict("records"):
            if row["section"] in ("scales", "scores", "reliability", "weights"):
                self._read(row)
            elif row["section"] in ("sample", "invariance"):
                self._read_sample(row)
        self._read_answers()

    def _say(self, line: Line, low: float, high: float | None = None) -> None:
        high = low if high is None else high
        slack = 1e-6 * max(1.0, abs(low), abs(high))
        self.lines.append((line, low - slack, high + slack))
        value = sum(factor * self.truth[name] for name, factor in line.items())
        assert low - 2 * slack <= value <= high + 2 * slack, (line, low, value, high)

    def _count(self) -> None:
        """Count what is true, and write down what everybody knows."""
        truth, say = self.truth, self._say
        for place, rows in self.answers.groupby(["site", "wave"]):
            truth["asked", *place] = len(rows)
            truth["m", *place] = (rows["sex"] == "m").sum()
            truth["f", *place] = (rows["sex"] == "f").sum()
            say({("m", *place): 1, ("f", *place): 1, ("asked", *place): -1}, 0)
            scored = self.scores.loc[rows.index, list(self.world.scales)].notna()
            truth["any scale", *place] = scored.any(axis=1).sum()
            say({("any scale", *place): 1, ("asked", *place): -1}, -math.inf, 0)
            for scale, (items, points) in self.world.scales.items():
                at = (scale, *place)
                own = self.scores.loc[rows.index, scale].dropna()
                given = rows[[f"{scale}{n + 1}" for n in range(items)]].notna()
                truth["scored", *at] = len(own)
                truth["unscored", *at] = len(rows) - len(own)
                truth["complete", *at] = given.all(axis=1).sum()
                truth["any item", *at] = given.any(axis=1).sum()
                say({("any item", *at): 1, ("scored", *at): -1}, 0, math.inf)
                say({("any item", *at): 1, ("asked", *place): -1}, -math.inf, 0)
                say({("any scale", *place): 1, ("scored", *at): -1}, 0, math.inf)
                truth["short", *at] = len(own) - truth["complete", *at]
                say({("scored", *at): 1, ("unscored", *at): 1, ("asked", *place): -1}, 0)
                say({("scored", *at): 1, ("complete", *at): -1, ("short", *at): -1}, 0)
                for name in given:
                    truth["given", name, *place] = given[name].sum()
                    say({("given", name, *place): 1, ("complete", *at): -1}, 0, math.inf)
                    say({("given", name, *place): 1, ("asked", *place): -1}, -math.inf, 0)
                values = [float(v) for v in range(1, points + 1)] if items == 1 else [1.0, points]
                for value in values:
                    truth["code", *at, f"{value:g}"] = np.isclose(own, value).sum()
                line = {("code", *at, f"{v:g}"): 1.0 for v in values} | {("scored", *at): -1.0}
                say(line, *((0,) if items == 1 else (-math.inf, 0)))
                if items == 1:
                    say({("given", f"{scale}1", *place): 1, ("scored", *at): -1}, 0)
        people = self.answers[["site", "wave", "person"]]
        for site, rows in people.groupby("site"):
            before, after = (set(rows.loc[rows["wave"] == wave, "person"]) for wave in WAVES)
            known = ("asked", site, "before")
            truth["lost", site], truth["stayed", site] = len(before - after), len(before & after)
            truth["fresh", site] = len(after - before)
            if self.world.stayed and known in truth:
                say({("lost", site): 1, ("stayed", site): 1, known: -1}, 0)
            if self.world.stayed and ("asked", site, "after") in truth:
                after_line = {("fresh", site): 1.0, ("stayed", site): 1.0}
                say(after_line | {("asked", site, "after"): -1.0}, 0)
        for scale in self.world.scales:
            for site, rows in self.scores.dropna(subset=[scale]).groupby("site"):
                before, after = (set(rows.loc[rows["wave"] == wave, "person"]) for wave in WAVES)
                truth["twice", scale, site] = len(before & after)
                truth["not twice", scale, site] = truth["stayed", site] - len(before & after)
                line = {("twice", scale, site): 1.0, ("not twice", scale, site): 1.0}
                say(line | {("stayed", site): -1.0}, 0)

    def _list_places(self, row: dict[str, Any]) -> list[Place]:
        cohort, site, wave = self.evaluation.cohort, row["site"], row["period"]
        waves = [wave] if wave in WAVES else list(WAVES)
        sites = [site] if site in cohort.sites else list(cohort.sites)
        if site in ("intervention", "control"):
            chosen = cohort.pairs
            if row["estimator"] != "attrition_share":
                scale = row["outcome"]
                enough = {
                    place for place in self.world.sizes if self.truth["scored", scale, *place] > 1
                }
                chosen = cohort.list_surveyed_pairs(enough, wave if wave in WAVES else "")
            sites = list(dict.fromkeys(str(getattr(pair, site)) for pair in chosen))
        return [(s, w) for s, w in itertools.product(sites, waves) if ("asked", s, w) in self.truth]

    def _read(self, row: dict[str, Any]) -> None:
        """Write down what one row says."""
        estimator, value, n = row["estimator"], row["estimate"], row["n"]
        places, scale = self._list_places(row), row["outcome"].partition("/")[0]
        off = 0.005 if "n_hidden" in str(row["flags"]) else 0.0
        single = row["comparison"] == "" and row["period"] != "change"

        def _sum(kind: str, factor: float = 1.0) -> Line:
            return {(kind, scale, *place): factor for place in places}

        asked = {("asked", *place): 1.0 for place in places}
        if row["section"] == "weights":
            category = row["outcome"].partition("/")[2]
            if category:
                name = (category, *places[0])
                if not math.isnan(n):
                    self._say({name: 1}, n)
                if estimator == "share_before" and not math.isnan(value):
                    self._say({name: 1, ("asked", *places[0]): -value + off}, 0, math.inf)
                    self._say({name: 1, ("asked", *places[0]): -value - off}, -math.inf, 0)
            elif not math.isnan(n):
                self._say(asked, n)
            if estimator == "n_eff" and self.world.men and not math.isnan(value):
                self._say_kish(places[0], value)
        elif row["section"] == "reliability":
            if estimator in ("floor_share", "ceiling_share"):
                if not math.isnan(n):
                    self._say(_sum("scored"), n)
                    if not math.isnan(value):
                        points = self.world.scales[scale][1]
                        end = "1" if estimator == "floor_share" else f"{points:g}"
                        self._say({("code", scale, *p, end): 1 for p in places}, round(value * n))
            elif not math.isnan(n):
                self._say(_sum("complete"), n)
        elif row["section"] == "scores":
            if estimator in ("n_scored", "n_unscored"):
                kind = estimator.removeprefix("n_")
                if not math.isnan(value):
                    self._say(_sum(kind), value)
                if not math.isnan(n):
                    self._say(asked, n)
            elif not math.isnan(n):
                self._say(_sum("complete" if estimator == "mean_complete_cases" else "scored"), n)
            if estimator == "share_prorated" and not math.isnan(value) and not math.isnan(n):
                self._say(_sum("short"), round(value * n))
        elif estimator == "attrition_share" and not math.isnan(value):
            line = {("lost", s): 1.0 for s, w in places if w == "before"}
            known = [("asked", s, w) for s, w in places if w == "before"]
            self._say(line | dict.fromkeys(known, -value + off), 0, math.inf)
            self._say(line | dict.fromkeys(known, -value - off), -math.inf, 0)
            if not math.isnan(n):
                self._say(dict.fromkeys(known, 1.0), n)
        elif estimator == "ancova" and not math.isnan(n) and row["site"] != "all":
            self._say({("twice", scale, s): 1 for s in (row["site"], row["comparison"])}, n)
        elif single and estimator in ("n", "mean", "sd"):
            if not math.isnan(n):
                self._say(_sum("scored"), n)
            if estimator == "mean" and not math.isnan(row["df"]) and len(places) == 1:
                if self.world.men:
                    self._say_kish(places[0], row["df"] + 1)
                elif not self.weighted:
                    self._say(_sum("scored"), row["df"] + 1)
        if single and estimator in ("mean", "sd") and len(places) == 1 and not self.weighted:
            self._say_moment(scale, places[0], estimator, value, off)

    def _list_sides(self, row: dict[str, Any], side: str) -> list[Place]:
        """List the places of a site or an arm: of a comparison of changes, those compared."""
        cohort, arms = self.evaluation.cohort, ("intervention", "control")
        if (row["comparison"] and row["period"] == "change") or side not in arms:
            return self._list_places(row | {"site": side})
        arm = [str(getattr(pair, side)) for pair in cohort.pairs if pair.control]
        waves = (row["period"],) if row["period"] in WAVES else WAVES
        found = itertools.product(dict.fromkeys(arm), waves)
        return [place for place in found if ("asked", *place) in self.truth]

    def _read_sample(self, row: dict[str, Any]) -> None:
        """Write down what one row on the sample, or on a model of it, says."""
        estimator, value, n = row["estimator"], row["estimate"], row["n"]
        sides = [row["site"], row["comparison"]]
        if row["period"] == "all":
            sides = ["all"]
        elif row["site"] == "all" and row["comparison"]:
            sides = ["intervention", "control"]
        places = {place: 1.0 for side in sides if side for place in self._list_sides(row, side)}
        scale, _, category = row["outcome"].partition("/")

        def _sum(*kind: str) -> Line:
            return {(*kind, *place): 1.0 for place in places}

        if row["outcome"] == "questionnaire":
            kinds = {"n_answered": "asked", "n_scored": "any scale"}
            if estimator in kinds and not math.isnan(value):
                self._say(_sum(kinds[estimator]), value)
            if estimator == "n_linked" and self.world.stayed and not math.isnan(value):
                self._say({("stayed", site): 1.0 for site, _ in places}, value)
        elif math.isnan(n) or estimator.endswith(("_lower", "_upper")):
            return
        elif category in ("m", "f"):
            self._say(_sum(category), n)
        elif row["section"] == "invariance":
            large = [p for p in places if self.truth["scored", scale, *p] >= 30]
            if row["site"] == "all" and row["period"] == "change":
                compared = self.evaluation.cohort.list_surveyed_pairs(set(large))
                chosen = {site for pair in compared for site in pair.sites}
                large = [place for place in large if place[0] in chosen]
            self._say({("scored", scale, *place): 1.0 for place in large}, n)
        elif scale in self.world.scales:
            kind = {"complete_cases": "complete", "fiml": "any item"}.get(
                estimator.removeprefix("difference_in_differences_").removeprefix("mean_"), "scored"
            )
            self._say(_sum(kind, scale), n)

    def _say_kish(self, place: Place, n_eff: float) -> None:
        """Two categories raked to a half each: their sizes follow from the effective number."""
        asked = self.truth["asked", *place]
        few = [m for m in range(1, int(asked)) if math.isclose(
            1 / n_eff, 0.25 / m + 0.25 / (asked - m), rel_tol=1e-9)]  # fmt: skip
        if few and self.truth["m", *place] in few:
            self._say({("m", *place): 1}, min(few), max(few))

    def _say_moment(
        self, scale: str, place: Place, estimator: str, value: float, off: float
    ) -> None:
        """Tie a mean, or a mean and a standard deviation, to how many have each score."""
        items, points = self.world.scales[scale]
        if items > 1 or math.isnan(value):
            return
        n = self.truth["scored", scale, *place]
        codes = {("code", scale, *place, f"{c}"): float(c) for c in range(1, points + 1)}
        if estimator == "mean":
            self._say(codes, n * (value - off), n * (value + off))
            return
        mean = sum(factor * self.truth[name] for name, factor in codes.items()) / n
        shown = self.evaluation.findings.query(
            "section == 'scales' and estimator == 'mean' and outcome == @scale and "
            "site == @place[0] and period == @place[1]"
        )["estimate"]
        if shown.notna().all():
            squares = {name: factor**2 for name, factor in codes.items()}
            low, high = max(value - off, 0) ** 2, (value + off) ** 2
            self._say(squares, (n - 1) * low + n * mean**2, (n - 1) * high + n * mean**2)

    def _read_answers(self) -> None:
        """Write down what the pictures, the quality tables and the stories say."""
        published = self.evaluation.publishable.answers
        responses, cohort = self.evaluation.responses, self.evaluation.cohort
        assert published is not None
        assert responses is not None
        truth, say, fewest = self.truth, self._say, cohort.smallest_group
        for row in published.quality.to_dict("records"):
            if row["check"] in ("rows read", "answers used") and not math.isnan(row["count"]):
                own = row["source"].removesuffix(".csv").split("-")
                say({p: 1 for p in truth if p[0] == "asked" and own in (["all"], list(p[1:]))},
                    row["count"])  # fmt: skip
            if row["check"] == "people linked across waves" and not math.isnan(row["count"]):
                say({name: 1 for name in truth if name[0] == "stayed"}, row["count"])
        large = [place for place, n in self.world.sizes.items() if n >= fewest]
        for item, row in published.nonresponse.iterrows():
            names = [item] if item != "Total" else published.nonresponse.index.drop("Total")
            if not math.isnan(row["Total"]):
                line: Line = {}
                for name, place in itertools.product(names, large):
                    line["asked", *place] = line.get(("asked", *place), 0.0) + 1.0
                    line["given", str(name), *place] = -1.0
                say(line, row["Total"])
        left = published.nonresponse.index.drop("Total", errors="ignore")
        for name in left:
            truth["left out", str(name)] = sum(
                truth["asked", *p] - truth["given", name, *p] for p in large
            )
            line = {("asked", *place): 1.0 for place in large}
            line |= {("given", str(name), *place): -1.0 for place in large}
            say(line | {("left out", str(name)): -1.0}, 0)
        self._read_bars(published.items, fewest)
        sums = responses.multiple.groupby(["wave", "set", "option"])
        for row in published.multiple.to_dict("records"):
            wave, option = row["wave"], row["option"]
            rows = sums.get_group((wave, row["set"], option))
            inside = [p for p in large if p[1] == wave]
            kept = rows[[p in inside for p in zip(rows["site"], rows["wave"], strict=True)]]
            base, ticked = ("base", wave), ("ticked", option, wave)
            truth[base], truth[ticked] = kept["base"].sum(), kept["count"].sum()
            truth["left", option, wave] = truth[base] - truth[ticked]
            truth["silent", wave] = sum(truth["asked", *p] for p in inside) - truth[base]
            say({("silent", wave): 1, base: 1} | {("asked", *p): -1 for p in inside}, 0)
            say({("left", option, wave): 1, ticked: 1, base: -1}, 0)
            if not math.isnan(row["n"]):
                say({base: 1}, row["n"])
            if not math.isnan(row["share"]):
                say({ticked: 1, base: -row["share"]}, 0)
        for question, number in responses.stories["question"].value_counts().items():
            truth["told", str(question)] = number
            seen = published.stories["question"].eq(question).sum()
            if seen:
                say({("told", str(question)): 1}, float(seen))
        if not math.isnan(published.n_stories) and published.n_stories:
            say({name: 1 for name in truth if name[0] == "told"}, published.n_stories)
        self._read_boxes(published.spread)

    def _read_bars(self, bars: pd.DataFrame, fewest: int) -> None:
        cohort = self.evaluation.cohort
        wave = "after" if any(p[1] == "after" for p in self.world.sizes) else "before"
        sites = {pair.intervention for pair in cohort.pairs} or set(cohort.sites)
        for (scale, item), rows in bars.groupby(["scale", "item"]):
            inside = [p for p in self.world.sizes if p[1] == wave and p[0] in sites
                      and self.truth["scored", scale, *p] >= fewest]  # fmt: skip
            n, total = rows["n"].iloc[0], sum(self.truth["given", item, *p] for p in inside)
            if math.isnan(n):
                continue
            if total != n:
                inside = [p for p in self.world.sizes if p[1] == wave and p[0] in sites
                          and self.world.sizes[p] >= fewest]  # fmt: skip
            self._say({("given", item, *p): 1 for p in inside}, n)
            if self.weighted or self.world.scales[scale][0] > 1:
                continue
            masses = (rows["share"] * n).round().to_numpy()
            counts = [sum(self.truth["code", scale, *p, f"{c:g}"] for p in inside)
                      for c in rows["code"]]  # fmt: skip
            into = np.searchsorted(np.cumsum(masses), np.cumsum(counts))
            for bar in np.flatnonzero(masses):
                codes = rows["code"].to_numpy()[(into == bar) & (np.array(counts) > 0)]
                self._say({("code", scale, *p, f"{c:g}"): 1 for p in inside for c in codes},
                          masses[bar])  # fmt: skip

    def _read_boxes(self, spread: pd.DataFrame) -> None:
        """A quantile between two scores says exactly how many lie below it."""
        shares = {"low": 0.1, "q1": 0.25, "median": 0.5, "q3": 0.75, "high": 0.9}
        for row in spread.to_dict("records"):
            at = (row["scale"], row["site"], row["wave"])
            items, points = self.world.scales[row["scale"]]
            n = self.truth["scored", *at]
            for name, share in shares.items():
                value, rank = row[name], share * (n - 1)
                if math.isnan(value):
                    continue
                whole, first, last = math.floor(rank), math.floor(rank) + 1, math.ceil(rank)
                known = range(1, points + 1) if items == 1 else (1,)
                below = {("code", *at, f"{c}"): 1 for c in known if c < value - 1e-9}
                upto = {("code", *at, f"{c}"): 1 for c in known if c < value + 1e-9}
                if items > 1 and value > 1 + 1e-9:
                    self._say(below, 0, last)
                elif items > 1:
                    self._say(upto, first, n)
                elif below == upto:
                    self._say(below, first, last)
                else:
                    self._say(below, 0, last) if below else None
                    self._say(upto, min(whole + 1, n), n)

    def list_secrets(self) -> list[Name]:
        """List the groups of 1 to 9 people, or of as few as cohort.yml says."""
        fewest = self.evaluation.cohort.smallest_group
        kinds = ["asked", "scored", "unscored", "short", "code", "ticked", "left", "silent", "told"]
        kinds += ["left out"]
        kinds += ["m", "f"] if self.world.men else []
        kinds += ["lost", "stayed", "fresh", "twice", "not twice"] if self.world.stayed else []
        return [name for name, n in self.truth.items() if name[0] in kinds and 1 <= n < fewest]

    def find_recovered(self) -> Iterator[tuple[Name, float, float]]:
        """Yield the hidden groups some of whose possible sizes are excluded."""
        fewest = self.evaluation.cohort.smallest_group
        names = {name: at for at, name in enumerate(self.truth)}
        matrix = np.zeros((len(self.lines), len(names)))
        for row, (line, _, _) in enumerate(self.lines):
            for name, factor in line.items():
                matrix[row, names[name]] = factor
        low, high = (np.array([line[end] for line in self.lines]) for end in (1, 2))
        roof = 3 * max(self.truth.values()) + 30
        for secret in self.list_secrets():
            ends = []
            for sign in (1.0, -1.0):
                aim = np.zeros(len(names))
                aim[names[secret]] = sign
                found = milp(
                    aim,
                    constraints=LinearConstraint(matrix, low, high),
                    integrality=np.ones(len(names)),
                    bounds=Bounds(0, roof),
                    options={"time_limit": 5.0, "node_limit": 200},
                )
                bound = found.mip_dual_bound if found.x is None or not found.success else found.fun
                ends.append(sign * bound)
            if ends[0] > 1 + 1e-6 or ends[1] < fewest - 1 - 1e-6:
                yield secret, ends[0], ends[1]

    def find_means(self) -> Iterator[tuple[Name, float, float]]:
        """Yield the hidden means that what is shown of means and changes bounds too narrowly."""
        rows = self.evaluation.findings.query("section == 'scales'").dropna(subset=["estimate"])
        shown = ("mean", "mean_difference", "difference_in_differences")
        fewest = self.evaluation.cohort.smallest_group
        for scale, (_, points) in self.world.scales.items():
            places = list(self.world.sizes)
            lines = []
            for row in rows[rows["outcome"] == scale].to_dict("records"):
                if row["estimator"] not in shown or row["site"] == "all":
                    continue
                off = 0.005 if "n_hidden" in str(row["flags"]) else 1e-9
                line = self._weigh(row, places)
                lines.append((line, row["estimate"] - off, row["estimate"] + off))
            matrix = np.array([line for line, _, _ in lines]).reshape(-1, len(places))
            low, high = (np.array([line[end] for line in lines]) for end in (1, 2))
            for at, place in enumerate(places):
                if not 1 <= self.truth["scored", scale, *place] < fewest:
                    continue
                aim = np.eye(len(places))[at]
                limits = [LinearConstraint(matrix, low, high)] if len(lines) else []
                ends = [
                    sign * milp(sign * aim, constraints=limits, bounds=Bounds(1, points)).fun
                    for sign in (1.0, -1.0)
                ]
                if ends[1] - ends[0] < (points - 1) / 4:
                    yield ("mean", scale, *place), ends[0], ends[1]

    def _weigh(self, row: dict[str, Any], places: list[Place]) -> NDArray[np.float64]:
        """Return what each place's mean counts in a row."""
        line = np.zeros(len(places))
        waves = [row["period"]] if row["period"] in WAVES else list(WAVES)
        for site, side in ((row["site"], 1.0), (row["comparison"], -1.0)):
            here = self._list_places({**row, "site": site}) if site else []
            if site in ("intervention", "control"):
                sites = [str(getattr(pair, site)) for pair in self.evaluation.cohort.pairs]
                here = [(s, w) for s, w in itertools.product(sites, waves)]
            for place in here:
                sign = -1.0 if len(waves) == 2 and place[1] == "before" else 1.0
                line[places.index(place)] += side * sign * len(waves) / len(here)
        return line


def _list_sites(letters: str, sizes: list[int], waves: tuple[str, ...] = WAVES) -> dict[Place, int]:
    return dict(zip(itertools.product(letters, waves), sizes, strict=False))


BASE = _list_sites("abcd", [40, 45, 50, 55, 60, 65, 70, 75])
AFTER = ("a", "after")
NO_CALLS = {("call", site, wave): 0 for site in "abcd" for wave in WAVES}
WORLDS = {
    "small site": World({**BASE, AFTER: 6}),
    "two small sites": World({**BASE, AFTER: 8, ("c", "after"): 4}),
    "one person": World({**BASE, AFTER: 1}),
    "two people, one file": World({**BASE, ("b", "before"): 2}, one_file=True),
    "one pair": World(_list_sites("ab", [30, 7, 35, 41]), pairs=(("a", "b"),)),
    "three pairs": World(
        _list_sites("abcdef", [40, 9, 50, 55, 30, 33, 36, 39, 42, 3, 48, 51]),
        pairs=(("a", "b"), ("c", "d"), ("e", "f")),
    ),
    "shared control": World(
        _list_sites("abc", [40, 45, 50, 55, 60, 5]), pairs=(("a", "b"), ("c", "b"))
    ),
    "a site without a pair": World(
        _list_sites("abe", [40, 45, 50, 55, 6, 60]), pairs=(("a", "b"),)
    ),
    "no pairs": World(_list_sites("abc", [12, 45, 50, 9, 60, 70]), pairs=()),
    "one wave": World(_list_sites("abcd", [40, 7, 50, 60], ("after",))),
    "few answer a scale": World(BASE, blanks={("vision", *AFTER): 39}),
    "few answer a long scale": World(BASE, blanks={("trust", *AFTER): 38}),
    "few leave a scale out": World(BASE, blanks={("trust", *AFTER): 6}),
    "few leave an item out": World(BASE, skips={("trust", *AFTER): 6, ("trust", "b", "after"): 3}),
    "both": World(BASE, blanks={("vision", *AFTER): 3, ("vision", "b", "before"): 44},
                  skips={("trust", *AFTER): 12}),
    "few men": World(BASE, men={AFTER: 4}),
    "few men, few scores": World(BASE, men={("b", "before"): 6}, blanks={("trust", *AFTER): 5}),
    "weights of their own": World({**BASE, AFTER: 5}, weights=True),
    "few stayed": World(BASE, stayed={"a": 6, "b": 30, "c": 30, "d": 30}),
    "few lost": World(BASE, stayed={"a": 36, "b": 30, "c": 57, "d": 70}),
    "few lost of a scale": World(
        BASE, stayed={"a": 28, "b": 30, "c": 30, "d": 30}, blanks={("trust", "a", "before"): 24}
    ),
    "stories": World(BASE, told={("why", "b", "after"): 12, ("what", *AFTER): 3}),
    "few stories": World(BASE, told={("why", "b", "after"): 7}),
    "few ticks": World(BASE, ticks={**NO_CALLS, ("call", *AFTER): 4, ("home", *AFTER): 44}),
    "few tick nothing": World(BASE, silent={AFTER: 5, ("c", "before"): 2}),
    "few at the floor": World(
        BASE, floor={("vision", *AFTER): 4, ("trust", *AFTER): 4, ("trust", "c", "after"): 20}
    ),
    "bars": World(
        {**BASE, AFTER: 85}, floor={("vision", *AFTER): 3, ("vision", "c", "after"): 20}
    ),
    "yes or no": World({**BASE, AFTER: 14}, scales={"fear": (1, 2), "hope": (2, 3)}),
    "all the same": World(
        {**BASE, AFTER: 8}, same={("vision", *AFTER): 5, ("vision", "b", "after"): 1}
    ),
    "smallest group 5": World({**BASE, AFTER: 3}, others={"smallest_group": 5}),
    "smallest group 20": World({**BASE, AFTER: 17}, others={"smallest_group": 20}),
    "invented": World({**BASE, AFTER: 9}, others={"data_status": "invented"}, one_file=True),
}  # fmt: skip


def attack(name: str, seed: int = 1) -> tuple[list[Name], list[tuple[Name, float, float]]]:
    """Evaluate a world and attack its report: the hidden groups, and those recovered."""
    with tempfile.TemporaryDirectory() as folder:
        reader = Reader(WORLDS[name], evaluate(WORLDS[name], Path(folder), seed))
    return reader.list_secrets(), [*reader.find_recovered(), *reader.find_means()]


def main() -> None:
    """Attack every world, or those named."""
    for name in sys.argv[1:] or WORLDS:
        secrets, recovered = attack(name)
        print(f"{name}: {len(recovered)} of {len(secrets)}", flush=True)
        for secret, low, high in recovered:
            print(f"    {secret}: {low:g} to {high:g}")


if __name__ == "__main__":
    main()
