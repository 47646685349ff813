"""Every sentence of every committed report is read against the findings.

A sentence that holds a number, or a word such as "none" or "all", must fit one of the forms below;
each form recomputes what the sentence says from the rows of results.csv. A sentence of a form that
nobody checks fails the test: write its form here, with what it claims.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from sbwork.evaluation import Evaluation
from sbwork.headlines import find_headline

ROOT = Path(__file__).parents[1]
COHORTS = ("durham_1", "durham_2", "west_yorkshire")
ALPHA = 0.05

QUANTIFIER = re.compile(r"\b(none|no one|all|every|most|each|any|both|neither|one of|half)\b", re.I)
NUMBER = r"[−+]?\d[\d,]*(?:\.\d+)?"
P = r"(?:[<=] )?\.\d{3}"
WORDS = r"[^;()]+?"


@dataclass(frozen=True)
class Said:
    """One sentence, and the part of the report that it stands in."""

    section: str
    text: str


def to_number(text: str) -> float:
    plain = text.replace("−", "-").replace("+", "").replace(",", "").replace("%", "")
    return float(plain)


def agrees(printed: str, value: float) -> bool:
    """Say whether a printed number is a value rounded to as many decimals as it shows."""
    plain = printed.strip().replace("= ", "")
    if plain.startswith("<"):
        return value < to_number(plain[1:])
    decimals = len(plain.partition(".")[2].rstrip("%"))
    return abs(to_number(plain) - value) <= 0.5 * 10**-decimals + 1e-9


class Reader:
    """The rows of one cohort, found by what a sentence calls them."""

    def __init__(self, evaluation: Evaluation) -> None:
        self.evaluation = evaluation
        self.cohort = evaluation.cohort
        self.findings = evaluation.findings

    def find_outcome(self, title: str) -> str:
        keys = {self.fold(self.cohort.title_outcome(key)): key for key in self.list_outcomes()}
        return keys[self.fold(title)]

    def list_outcomes(self) -> list[str]:
        rows = self.findings["section"].isin(["counts", "panel", "placebo", "specification"])
        return list(dict.fromkeys([*self.cohort.outcomes, *self.findings.loc[rows, "outcome"]]))

    def find_site(self, title: str) -> str:
        return {self.cohort.title_site(key): key for key in self.cohort.sites}[title.strip()]

    def find_pair(self, title: str) -> str:
        return {
            self.cohort.title_pair(pair.intervention): pair.intervention
            for pair in self.cohort.pairs
        }[title.strip()]

    def find_scale(self, title: str) -> str:
        instrument = self.evaluation.instrument
        assert instrument is not None
        return {self.fold(instrument.title_scale(k)): k for k in instrument.scales}[
            self.fold(title)
        ]

    def row(self, **where: Any) -> pd.Series:
        rows = self.rows(**where)
        assert len(rows) == 1, f"{len(rows)} rows are {where}"
        return rows.iloc[0]

    def rows(self, **where: Any) -> pd.DataFrame:
        keep = pd.Series(True, index=self.findings.index)
        for column, value in where.items():
            keep &= self.findings[column] == value
        return self.findings[keep]

    @staticmethod
    def fold(text: str) -> str:
        return text.strip()[:1].lower() + text.strip()[1:]


Check = Callable[[Reader, re.Match[str]], None]
FORMS: list[tuple[re.Pattern[str], Check]] = []


def form(pattern: str) -> Callable[[Check], Check]:
    """Register what a form of sentence claims; `pattern` must fit the whole sentence."""

    def register(check: Check) -> Check:
        FORMS.append((re.compile(pattern), check))
        return check

    return register


# ---- the summary


@form(r"Incidents of (?P<after>.+?) are compared with those of (?P<before>.+?)\.")
def check_periods(reader: Reader, match: re.Match[str]) -> None:
    from sbwork.formats import format_months

    periods = reader.cohort.periods
    assert periods is not None
    assert match["after"] == format_months(periods.after.start, periods.after.end)
    assert match["before"] == format_months(periods.before.start, periods.before.end)


@form(
    rf"(?P<outcome>[^:]+): (?P<parts>{NUMBER}% in {WORDS}(?: \(its control site {NUMBER}%\))?"
    rf"(?:(?:, | and ){NUMBER}% in {WORDS}(?: \(its control site {NUMBER}%\))?)*)\."
)
def check_changes(reader: Reader, match: re.Match[str]) -> None:
    outcome = reader.find_outcome(match["outcome"])
    parts = re.findall(
        rf"({NUMBER}%) in ({WORDS})(?: \(its control site ({NUMBER}%)\))?(?=, | and [−+\d]|$)",
        match["parts"],
    )
    assert parts
    for change, site, control in parts:
        key = reader.find_site(site)
        place = {"section": "counts", "outcome": outcome, "period": "change"}
        own = reader.row(**place, site=key, estimator="percentage_change")
        assert agrees(change, own["estimate"])
        if control:
            pair = next(pair for pair in reader.cohort.pairs if pair.intervention == key)
            other = reader.row(**place, site=pair.control, estimator="percentage_change")
            assert agrees(control, other["estimate"])


LATEST: dict[str, str] = {}
"""The outcome that the sentence before was about: the sentences after it don't repeat it."""


@form(
    rf"(?P<who>The areas together, set against their control sites|.+ set against its control site|"
    rf".+, which has no control site): (?P<change>{NUMBER}%) \(95% interval (?P<low>{NUMBER}%) to "
    rf"(?P<high>{NUMBER}%), which (?P<sure>leaves out|takes in) no change"
    rf"(?:; rank p (?P<rank>{P}))?(?:; adjusted p (?P<adjusted>{P}))?\)\."
)
def check_headline(reader: Reader, match: re.Match[str]) -> None:
    headline = find_headline(reader.findings, LATEST["outcome"])
    assert headline is not None
    if headline.site == "all":
        assert match["who"].startswith("The areas together")
    else:
        assert match["who"].startswith(reader.cohort.title_site(headline.site))
    ratio = headline.ratio
    for name, value in (("change", "estimate"), ("low", "ci_low"), ("high", "ci_high")):
        assert agrees(match[name], 100 * (ratio[value] - 1)), name
    takes_in = ratio["ci_low"] <= 1 <= ratio["ci_high"]
    assert match["sure"] == ("takes in" if takes_in else "leaves out")
    ranks = reader.rows(
        section="placebo", outcome=headline.outcome, site=headline.site, estimator="placebo_p"
    )
    if match["rank"]:
        assert agrees(match["rank"], ranks["estimate"].iloc[0])
    else:
        assert ranks["estimate"].isna().all()
    if match["adjusted"]:
        assert agrees(match["adjusted"], ranks["p_adjusted"].iloc[0])


@form(
    r"Pair by pair, (?P<passing>\d+|none) of (?P<ratios>\d+) comparisons of an area with its "
    r"control site pass the usual test \(p < \.05\)\."
)
def check_passing(reader: Reader, match: re.Match[str]) -> None:
    rows = reader.rows(section="counts", estimator="rirr", period="change")
    tests = rows[(rows["site"] != "all") & rows["p_value"].notna()]["p_value"]
    assert int(match["ratios"]) == len(tests)
    passing = int((tests < ALPHA).sum())
    assert match["passing"] == (str(passing) if passing else "none")


@form(
    rf"Set among comparable places where nothing was done, (?P<unusual>\d+|none) of (?P<ranks>\d+) "
    rf"lie in the outermost 5% \(smallest rank p (?P<smallest>{P})"
    rf"(?:, adjusted (?P<adjusted>(?:< )?\.\d{{3}}|1\.000))?\); chance alone would put about "
    rf"(?P<expected>{NUMBER}) there\."
)
def check_ranks(reader: Reader, match: re.Match[str]) -> None:
    rows = reader.rows(section="placebo", estimator="placebo_p")
    rows = rows[(rows["site"] != "all") & rows["estimate"].notna()]
    unusual = int((rows["estimate"] < ALPHA).sum())
    assert match["unusual"] == (str(unusual) if unusual else "none")
    assert int(match["ranks"]) == len(rows)
    assert agrees(match["smallest"], rows["estimate"].min())
    assert agrees(match["expected"], ALPHA * len(rows))
    if match["adjusted"]:
        assert agrees(match["adjusted"], rows["p_adjusted"].min())


SCALE = (
    rf"(?P<scale>{WORDS}) (?P<did>{NUMBER}) \(95% interval (?P<low>{NUMBER}) to "
    rf"(?P<high>{NUMBER}); "
    rf"p (?P<p>{P})(?:, adjusted (?P<adjusted>(?:< )?\.\d{{3}}|1\.000))?\)"
)


@form(r"Residents' answers, points of change beyond that in the control sites: (?P<parts>.+\))\.")
def check_differences(reader: Reader, match: re.Match[str]) -> None:
    found = list(re.finditer(SCALE, match["parts"]))
    assert found
    for part in found:
        scale = reader.find_scale(re.sub(r"^(, | and |, and )", "", part["scale"]))
        row = reader.row(
            section="scales", outcome=scale, site="all", period="change",
            estimator="difference_in_differences",
        )  # fmt: skip
        for name, column in (
            ("did", "estimate"), ("low", "ci_low"), ("high", "ci_high"), ("p", "p_value"),
        ):  # fmt: skip
            assert agrees(part[name], row[column]), (scale, name)
        if part["adjusted"]:
            assert agrees(part["adjusted"], row["p_adjusted"])
