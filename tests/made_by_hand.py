"""What tests make by hand, and what other programs say: cohorts, incidents, reference values."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sbwork.evaluation import Evaluation
from sbwork.grade.disclosure import Ledger
from sbwork.grade.publishable import PublishedAnswers, enter_responses, publish_responses
from sbwork.read.checks import tabulate_lines
from sbwork.read.incidents import Incidents
from sbwork.read.surveys import Responses
from sbwork.score import score_scales
from sbwork.specs.cohort import Cohort
from sbwork.specs.instrument import Instrument

DATA = Path(__file__).parents[1] / "data"
REFERENCE = Path(__file__).parent / "reference"
CAUSAL = re.compile(r"\b(?:reduc\w*|caus\w*|led to|impact\w*)\b", re.IGNORECASE)
PAIR = {"intervention": "north", "control": "south"}
ASB = {"asb": {"title": "ASB", "crime_types": ["Anti-social behaviour"]}}
YEARS = {
    "before": {"start": "2016-01", "end": "2016-12"},
    "after": {"start": "2017-01", "end": "2017-12"},
}
ROLES = ("intervention", "control", "displacement", "displacement_control")

Pairs = Sequence[Mapping[str, str] | tuple[str, ...]]
Series = np.ndarray | Mapping[str, Sequence[float]]


def read_reference(name: str) -> Any:
    """Read what another program computed; the script of this name says which."""
    return json.loads((REFERENCE / f"{name}.json").read_text("utf-8"))


def make_cohort(
    pairs: Pairs = (PAIR,), *, titles: Mapping[str, str] | None = None, **more: Any
) -> Cohort:
    """Make a cohort of pairs, each a mapping or (intervention, control); its sites are theirs."""
    named = [
        pair if isinstance(pair, Mapping) else dict(zip(ROLES, pair, strict=False))
        for pair in pairs
    ]
    keys = sorted({pair[role] for pair in named for role in ROLES if pair.get(role)})
    sites = {site: {"title": (titles or {}).get(site, "")} for site in keys}
    spec = {"name": "pilot", "pairs": named, "sites": sites, "periods": YEARS, **more}
    return Cohort.model_validate(spec)


def make_instrument(scales: Mapping[str, Sequence[str]], most: int = 5) -> Instrument:
    """Make a questionnaire of scales, each item answered from 1 to `most`."""
    options = {"agree": [{"code": code} for code in range(1, most + 1)]}
    items = {item: {"options": "agree"} for items in scales.values() for item in items}
    made = {scale: {"items": list(items)} for scale, items in scales.items()}
    return Instrument.model_validate(
        {"name": "short", "options": options, "items": items, "scales": made}
    )


def make_incidents(
    months: Sequence[str],
    sites: Mapping[str, Sequence[float]],
    areas: Series = (),
    overlap: Mapping[int | str, str] | None = None,
    names: Sequence[str] | None = None,
    outcome: str = "asb",
) -> Incidents:
    """Lay out sites and areas (areas by months); `overlap` says which areas lie in a site."""

    def lay_out(counts: Mapping[str, Sequence[float]], key: str) -> pd.DataFrame:
        if not counts:
            return pd.DataFrame(columns=[key, "outcome", "month", "count"])
        frame = pd.DataFrame(counts, index=pd.Index(list(months), name="month"), dtype="float64")
        long = frame.reset_index().melt("month", var_name=key, value_name="count")
        return long.astype({key: "str", "month": "str"}).assign(outcome=outcome)

    if not isinstance(areas, Mapping):
        areas = {f"E{number:05d}": counts for number, counts in enumerate(areas)}
    codes = list(areas)
    owner = {codes[at] if isinstance(at, int) else at: s for at, s in (overlap or {}).items()}
    laid = lay_out(areas, "area")
    laid["name"] = laid["area"].map(dict(zip(codes, names or codes, strict=True)))
    laid["site"] = [owner.get(area, "") for area in laid["area"]]
    laid["comparable"] = laid["site"] == ""
    return Incidents(lay_out(sites, "site"), laid, tuple(months), (), pd.DataFrame())


def join_incidents(*several: Incidents) -> Incidents:
    """Join the incidents of several outcomes over the same months."""
    sites, areas = (
        pd.concat([getattr(one, part) for one in several]) for part in ("sites", "areas")
    )
    return Incidents(sites, areas, several[0].months, (), pd.DataFrame())


def publish(evaluation: Evaluation, **parts: Any) -> Evaluation:
    """Return an evaluation of which readers see other parts, `findings` or `outlines` say."""
    return replace(evaluation, publishable=replace(evaluation.publishable, **parts))


def publish_answers(
    answers: pd.DataFrame, instrument: Instrument, cohort: Cohort, multiple: Sequence[Any] = ()
) -> PublishedAnswers:
    """Publish answers; people are of `north`, after the work, and count once unless they say so.

    `multiple` are rows of (wave, site, set, option, count, base).
    """
    made = pd.DataFrame({"wave": "after", "site": "north", "person": "", "weight": 1.0},
                        index=answers.index)  # fmt: skip
    made = made.drop(columns=list(answers), errors="ignore").join(answers)
    responses = Responses(
        answers=made,
        nonresponse=pd.DataFrame(columns=["wave", "site", "item", "kind", "count"]),
        stories=pd.DataFrame({"question": [], "text": []}),
        multiple=pd.DataFrame(multiple, columns=["wave", "site", "set", "option", "count", "base"]),
        dropped=pd.DataFrame(),
        files=pd.DataFrame(columns=["source", "site", "wave", "count"]),
        quality=tabulate_lines([]),
    )
    book, scores = Ledger(), score_scales(made, instrument)
    enter_responses(book, responses, scores, instrument, cohort)
    return publish_responses(book, responses, scores, instrument, cohort)


def pick(
    findings: pd.DataFrame, estimator: str, site: str = "north", period: str = "", **where: str
) -> pd.Series:
    """Return the one row of this name; an empty site or period is any."""
    wanted = {"estimator": estimator, "site": site, "period": period, **where}
    rows = findings
    for column, value in wanted.items():
        rows = rows[rows[column] == value] if value else rows
    assert len(rows) == 1, f"{len(rows)} rows of {wanted}"
    return rows.iloc[0]
