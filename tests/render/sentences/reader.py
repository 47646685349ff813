"""The numbers of a cohort, found by what the sentences of its report call them."""

from __future__ import annotations

import calendar
import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from made_by_hand import publish
from prose import Paragraph, split_sentences

from sbwork.evaluation import Evaluation
from sbwork.specs.cohort import Cohort
from sbwork.specs.instrument import Instrument

REASONS = {
    "no month can be compared": "no_months",
    "the files do not cover these months": "outside_files",
    "a count of zero leaves no ratio": "zero_count",
    "there are too few months": "too_few_months",
    "nothing varies that precision could be judged by": "no_variation",
    "the data settle on no single answer": "not_estimable",
}
"""What readers are told where a number is missing, and the reason in results.csv."""

_FAR = 10_000


class Reader:
    """The rows of one cohort, and what the sentences before in the same paragraph were about.

    Attributes
    ----------
    outcome, site : str
        Keys that the sentence before named, for those that do not repeat them.
    read : set of int
        Labels of the findings that were looked at.
    report : list of str
        All paragraphs.
    """

    def __init__(self, evaluation: Evaluation) -> None:
        self.evaluation = evaluation
        self.cohort: Cohort = evaluation.cohort
        self.findings = evaluation.findings
        self.paragraph = Paragraph("", "", "", "")
        self.outcome, self.site = "", ""
        self.read: set[int] = set()
        self.report: list[str] = []
        self.quoted = set(_list_quoted(evaluation))
        self._places = self.findings.groupby(["section", "estimator"]).indices
        self._found: dict[tuple[Any, ...], pd.DataFrame] = {}

    @property
    def instrument(self) -> Instrument:
        """The questionnaire."""
        assert self.evaluation.instrument is not None
        return self.evaluation.instrument

    def start(self, paragraph: Paragraph) -> None:
        """Begin a paragraph: nothing was said before."""
        self.paragraph, self.outcome, self.site = paragraph, "", ""

    def change(self, findings: pd.DataFrame) -> Reader:
        """Return a reader of the same report and of other findings."""
        other = Reader(publish(self.evaluation, findings=findings))
        other.report = self.report
        return other

    def rows(self, section: str, estimator: str, **where: Any) -> pd.DataFrame:
        """Find all rows of an estimator whose columns hold the given values."""
        key = (section, estimator, *where.items())
        if key not in self._found:
            rows = self.findings.iloc[self._places.get((section, estimator), [])]
            wanted = np.ones(len(rows), dtype=bool)
            for column, value in where.items():
                wanted &= (rows[column] == value).to_numpy()
            self._found[key] = rows[wanted]
        rows = self._found[key]
        self.read.update(rows.index)
        return rows

    def known(self, section: str, estimator: str, **where: Any) -> pd.DataFrame:
        """Find the rows that have a number."""
        rows = self.rows(section, estimator, **where)
        return rows[rows["estimate"].notna()]

    def row(self, section: str, estimator: str, **where: Any) -> pd.Series:
        """Find the one row that there must be."""
        rows = self.rows(section, estimator, **where)
        assert len(rows) == 1, f"{len(rows)} rows of {section} {estimator} are {where}"
        return rows.iloc[0]

    def pairs(self, section: str, estimator: str, **where: Any) -> pd.DataFrame:
        """Find the rows of single pairs that have a number."""
        rows = self.known(section, estimator, **where)
        return rows[rows["site"] != "all"]

    def find_outcome(self, title: str) -> str:
        """Find an outcome of the counts by its title, whatever the case of its first letter."""
        titles = {fold(self.cohort.title_outcome(k)): k for k in self.cohort.list_outcomes()}
        assert fold(title) in titles, f"no outcome is called {title!r}"
        return titles[fold(title)]

    def find_scale(self, title: str) -> str:
        titles = {fold(self.instrument.title_scale(key)): key for key in self.instrument.scales}
        assert fold(title) in titles, f"no scale is called {title!r}"
        return titles[fold(title)]

    def find_site(self, title: str) -> str:
        titles = {self.cohort.title_site(key): key for key in self.cohort.sites}
        assert title in titles, f"no site is called {title!r}"
        return titles[title]

    def find_pair(self, title: str) -> str:
        titles = {self.cohort.title_pair(p.intervention): p.intervention for p in self.cohort.pairs}
        assert title in titles, f"no pair is called {title!r}"
        return titles[title]

    def find_control(self, site: str) -> str:
        return next(p.control or "" for p in self.cohort.pairs if p.intervention == site)

    def count_months(self, site: str, outcome: str) -> tuple[int, int]:
        """Count the months in which a site and its control have counts, before and after."""
        assert self.evaluation.incidents is not None
        assert self.cohort.periods is not None
        counts = self.evaluation.incidents.sites
        counts = counts[(counts["outcome"] == outcome) & counts["count"].notna()]
        own, other = (
            set(counts.loc[counts["site"] == each, "month"])
            for each in (site, self.find_control(site))
        )
        start = self.cohort.periods.after.start
        return sum(m < start for m in own & other), sum(m >= start for m in own & other)


def fold(text: str) -> str:
    """Return a title as it stands within a sentence."""
    return text.strip().casefold()


def require(said: bool, what: str = "") -> None:
    """Fail unless what a sentence says is so."""
    assert said, what or "that is not so"


def confirm(printed: str | None, value: float, *, scale: float = 1.0) -> None:
    """Fail unless a printed number is a value rounded to as many decimals as it shows."""
    if printed is None:
        return
    plain = re.sub(r"[,%+= ]|over", "", printed).replace("−", "-").lstrip("<")
    value = scale * float(value)
    if "not available" in printed:
        ok = math.isnan(value)
    elif printed.strip().startswith("<"):
        ok = value < float(plain)
    elif printed.strip().startswith("over"):
        ok = float(plain) == _FAR < value
    else:
        decimals = len(plain.partition(".")[2])
        ok = float(plain) == float(f"{value:.{decimals}f}")
    assert ok, f"{printed} is not {value}"


def confirm_interval(printed: str, low: float, high: float, *, scale: float = 1.0) -> None:
    """Fail unless the ends of a printed interval are those of a finding."""
    ends = printed.split(" to ")
    assert len(ends) == 2, printed
    confirm(ends[0], low, scale=scale)
    confirm(ends[1], high, scale=scale)


def confirm_count(printed: str, count: int) -> None:
    """Fail unless a count, or "none", is right."""
    assert printed == ("none" if printed == "none" and not count else f"{count:,}"), (
        f"{printed} is not {count}"
    )


def parse_list(text: str, item: str, separator: str = ", | and ") -> list[re.Match[str]]:
    """Take a list apart; all of it must be items and what stands between them."""
    found, at = [], 0
    while at < len(text):
        match = re.compile(item).match(text, at)
        assert match, f"{text[at:]!r} is no {item}"
        found.append(match)
        at = match.end()
        if at < len(text):
            between = re.compile(separator).match(text, at)
            assert between, f"{text[at:]!r} does not go on"
            at = between.end()
    return found


def confirm_names(text: str, names: Sequence[str]) -> None:
    """Fail unless a list holds all of some names and nothing else."""
    for name in sorted(map(fold, names), key=len, reverse=True):
        assert name in fold(text), f"{name!r} is not in {text!r}"
        text = fold(text).replace(name, "", 1)
    assert not re.sub(r", | and |; ", "", f" {text} ").strip(), f"{text!r} is too much"


def write_months(start: str, end: str) -> str:
    """Write a run of months, given as YYYY-MM."""
    ends = [f"{calendar.month_name[int(m[5:])]} {m[:4]}" for m in (start, end)]
    return ends[0] if start == end else " to ".join(ends)


def clear_of(rows: pd.DataFrame, value: float) -> pd.Series:
    """Mark the rows whose interval leaves a value out."""
    return (rows["ci_low"] > value) | (rows["ci_high"] < value)


def _list_quoted(evaluation: Evaluation) -> list[str]:
    """List the sentences that the report quotes from cohort.yml and from the questionnaire."""
    cohort, instrument = evaluation.cohort, evaluation.instrument
    texts = [cohort.summary, *cohort.attribution, *cohort.references]
    texts += [pair.control_reason for pair in cohort.pairs]
    texts += [cohort.chosen_because.sentence] if cohort.chosen_because else []
    texts += [instrument.source] if instrument else []
    return [s for text in texts for s in split_sentences(text.rstrip(".") + "." if text else "")]
