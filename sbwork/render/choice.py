"""What follows from the choice of the areas alone."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pandas as pd

from sbwork.specs.cohort import Cohort, Pair
from sbwork.stats.findings import find_row, select_findings
from sbwork.stats.formats import describe_p, format_count, format_months, format_number, lower_title

_HIGH = 0.1
_FEWEST = 10
_ORDINALS = {1: "", 2: "second ", 3: "third "}


def describe_choice(cohort: Cohort, findings: pd.DataFrame) -> list[str]:
    """Say what was to be expected of the areas because of how they were chosen."""
    rows = select_findings(findings, section="choice")
    if rows.empty:
        return []
    texts = [_explain(cohort)] if _explain(cohort) else []
    for outcome in cohort.list_outcomes():
        told = [_describe_pair(cohort, findings, outcome, pair) for pair in cohort.pairs]
        if any(told):
            title = cohort.title_outcome(outcome)
            texts.append(f"{title}: {' '.join(text for text in told if text)}")
    return texts


def _explain(cohort: Cohort) -> str:
    """Say why nothing can be expected from the choice; empty where something can."""
    choice = cohort.chosen_because
    given = f" {choice.sentence}" if choice and choice.sentence else ""
    if choice is None and cohort.assignment == "chosen":
        return (
            "cohort.yml does not say why these areas were chosen. Where areas are chosen because "
            "their counts are high, the counts fall by themselves."
        )
    if choice is None or choice.reason == "drawn":
        return (
            f"The areas were not chosen by their counts, so nothing follows from the choice.{given}"
        )
    if choice.reason == "volunteered":
        return f"The areas volunteered: what follows from that can't be worked out.{given}"
    if choice.reason == "other":
        return f"What follows from how the areas were chosen can't be worked out.{given}"
    return ""


def _describe_pair(cohort: Cohort, findings: pd.DataFrame, outcome: str, pair: Pair) -> str:
    find = partial(find_row, findings, outcome=outcome, site=pair.intervention, period="change")
    choice, title = cohort.chosen_because, cohort.title_site(pair.intervention)
    if choice is None or choice.reason not in ("highest", "rising"):
        place = find(estimator="observed_rank_before")
        high = (
            place is not None and place["n"] >= _FEWEST and place["estimate"] <= _HIGH * place["n"]
        )
        return _describe_place(cohort, title, place) if high else ""
    expected = find(estimator="expected_change_by_choice")
    if expected is None:
        return ""
    if math.isnan(expected["estimate"]):
        return (
            f"How {title} would have changed by the choice alone is not known. {expected['note']}"
        )
    beside = "Beside such a control" if pair.control else "Beside the other areas"
    place = find(estimator="observed_rank_chosen")
    like = "in such a place" if place is not None and place["estimate"] > 3 else "chosen like that"
    told = f"{beside}, counts in areas {like} {_describe_change(expected['estimate'], 'areas')}"
    ratio = find(section="counts", estimator="rirr")
    if ratio is not None and not math.isnan(ratio["estimate"]):
        own = "beside its own, " if pair.control else ""
        told += f"; {own}those in {title} {_describe_change(100 * (ratio['estimate'] - 1), 'area')}"
    p_value = find(estimator="placebo_p_chosen")
    if p_value is not None and not math.isnan(p_value["estimate"]):
        told += f" ({describe_p(p_value['estimate'])} among areas {like})"
    return " ".join(part for part in (_describe_place(cohort, title, place), f"{told}.") if part)


def _describe_place(cohort: Cohort, title: str, row: pd.Series[Any] | None) -> str:
    """Say the place of a site in its pool."""
    if row is None or math.isnan(row["estimate"]):
        return ""
    choice, on, what = cohort.chosen_because, cohort.chosen_on, "highest count"
    if row["estimator"] == "observed_rank_before" or on is None:
        on = cohort.periods.before if cohort.periods else None
    if row["estimator"] == "observed_rank_chosen" and choice:
        what = "steepest rise" if choice.reason == "rising" else what
        what += f" of {lower_title(cohort.title_outcome(choice.outcome))}" if choice.outcome else ""
    when = f" in {format_months(on.start, on.end)}" if on else ""
    place, among = int(row["estimate"]), f"of {format_count(row['n'])} areas{when}"
    if place in _ORDINALS:
        return f"{title} had the {_ORDINALS[place]}{what} {among}."
    return f"{title} had place {format_count(place)} {among}, the {what} being place 1."


def _describe_change(percent: float, who: str) -> str:
    """Say a change in words: of areas, what they do by themselves; of one area, what it did."""
    size = format_number(abs(percent), 0)
    if who == "areas":
        if size == "0":
            return "do not change by themselves"
        return f"{'fall' if percent < 0 else 'rise'} by about {size}% by themselves"
    if size == "0":
        return "did not change"
    return f"{'fell' if percent < 0 else 'rose'} by {size}%"
