"""Area potency: what it is made of, and how it moved beside the control sites."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from sbwork.grade.publishable import Publishable
from sbwork.render.blocks import Picture, Section, Table
from sbwork.render.intervals import describe_interval, describe_value
from sbwork.render.scales import (
    ILLUSTRATIVE,
    explain_reversed,
    find_leading,
    list_notes,
    picture_differences,
)
from sbwork.specs.cohort import Cohort
from sbwork.specs.instrument import Instrument
from sbwork.stats import Flag
from sbwork.stats.findings import find_row, has_flag, select_findings
from sbwork.stats.formats import (
    describe_p,
    format_count,
    format_difference,
    format_interval,
    format_list,
    format_number,
    format_p,
    lower_title,
)

POTENCY = "potency"
"""The key of the family of scales, and of the scale, that this section is about."""

_ALPHA = 0.05
_NOT_MEASURED = (
    "Area potency was not measured: no scale of the questionnaire, and no family of confirmatory "
    "scales in cohort.yml, is called 'potency'."
)
_UNCOMPARED = (
    "It can't be compared with that of control sites; what scores there are is shown under 'What "
    "residents answered'."
)
_NO_PAIRS = "cohort.yml does not say which sites are compared ('pairs')."
_LIMIT = (
    "Whole areas also move by chance, which no interval here allows for, and a difference doesn't "
    "say what brought it about."
)


def present_potency(evaluation: Publishable) -> Section:
    """Show the scales of area potency beside the control sites, and say what was found."""
    cohort, instrument = evaluation.cohort, evaluation.instrument
    if instrument is None or evaluation.answers is None:
        return Section(["No survey was given, so area potency was not measured."])
    scales = list_potency(cohort, instrument)
    if not scales:
        return Section([_NOT_MEASURED])
    findings = select_findings(evaluation.findings, section="scales")
    findings = findings[findings["outcome"].isin(scales)]
    leading = find_leading(findings, scales)
    blocks: list[Any] = [ILLUSTRATIVE] if instrument.illustrative else []
    blocks.append(describe_potency(instrument, scales))
    if not leading:
        did = select_findings(findings, site="all", estimator="difference_in_differences")
        why = list(dict.fromkeys(did["note"])) if cohort.pairs else [_NO_PAIRS]
        return Section([*blocks, " ".join([_UNCOMPARED, *why])])
    return Section(
        [
            *blocks,
            summarise_potency(instrument, leading),
            tabulate_potency(findings, instrument, scales),
            *_picture_potency(cohort, findings, instrument, scales),
        ]
    )


def list_potency(cohort: Cohort, instrument: Instrument) -> tuple[str, ...]:
    """List the scales of the family called potency, or the scale so called and its parts."""
    named = cohort.confirmatory.get(POTENCY, ())
    if not named and POTENCY in instrument.scales:
        named = (POTENCY, *instrument.scales[POTENCY].scales)
    return tuple(scale for scale in named if scale in instrument.scales)


def describe_potency(instrument: Instrument, scales: Sequence[str]) -> str:
    """Say what area potency is made of, and on which of its scales a high score is worse."""
    parts = instrument.scales[POTENCY].scales if POTENCY in instrument.scales else ()
    names = [lower_title(instrument.title_scale(scale)) for scale in parts or scales]
    turned = [
        lower_title(instrument.title_scale(scale))
        for scale in parts
        if instrument.scales[scale].reverse
    ]
    whole = "the mean of residents' scores on" if parts else "seen here as"
    text = f"Area potency is {whole} {format_list(names)}"
    text += f", with {format_list(turned)} turned round" if turned else ""
    return " ".join([f"{text}.", *explain_reversed(instrument, scales)])


def summarise_potency(instrument: Instrument, leading: Mapping[str, pd.Series[Any]]) -> str:
    """Say in plain words how sure the differences from the control sites are, and which way."""
    clear = [_name(instrument, s) for s, row in leading.items() if row["p_adjusted"] < _ALPHA]
    sides: dict[str, list[str]] = {"the areas": [], "the control sites": [], "neither": []}
    for scale, row in leading.items():
        better = row["estimate"] * (-1 if instrument.scales[scale].reverse else 1)
        side = "the areas" if better > 0 else "the control sites" if better < 0 else "neither"
        sides[side].append(_name(instrument, scale))
    favoured = [f"{side} on {format_list(names)}" for side, names in sides.items() if names]
    sentences = [
        f"{_judge(clear, len(leading))}, as far as chance among people can tell.",
        f"In direction, sure or not, they favour {'; '.join(favoured)}.",
    ]
    if POTENCY in leading:
        row, (low, high) = leading[POTENCY], instrument.find_scale_range(POTENCY)
        sentences.append(
            f"{instrument.title_scale(POTENCY)}: {format_difference(row['estimate'])} points of "
            f"change beyond that in the control sites, on a scale from {low:g} to {high:g} (95% "
            f"interval {describe_interval(row)}; {describe_p(row['p_value'])}, "
            f"adjusted {format_p(row['p_adjusted'])})."
        )
    return " ".join([*sentences, _LIMIT])


def _judge(clear: Sequence[str], total: int) -> str:
    if total == 1:
        return f"The difference from the control sites is {'' if clear else 'not '}clear of zero"
    which = f"{len(clear)} of the {total}" if clear else f"none of the {total}"
    names = f" ({format_list(clear)})" if clear else ""
    return f"After adjustment {which} differences from the control sites are clear of zero{names}"


def _name(instrument: Instrument, scale: str) -> str:
    title = lower_title(instrument.title_scale(scale))
    return f"{title} (where lower is better)" if instrument.scales[scale].reverse else title


def tabulate_potency(
    findings: pd.DataFrame, instrument: Instrument, scales: Sequence[str]
) -> Table:
    """Lay out for each scale the changes of both sides and what lies between them."""
    rows: list[dict[str, str]] = []
    shown: list[pd.Series[Any]] = []
    for scale in scales:
        find = partial(find_row, findings, outcome=scale, period="change")
        row = find_leading(findings, [scale]).get(scale)
        if row is None:
            row = find(site="all", estimator="difference_in_differences")
        if row is None:
            continue
        changes = [
            find(site=site, estimator="mean_difference") for site in ("intervention", "control")
        ]
        g = find(site="all", estimator="did_hedges_g")
        shown.append(row)
        rows.append(
            {
                "Scale": instrument.title_scale(scale),
                "Better": "lower" if instrument.scales[scale].reverse else "higher",
                "n": "hidden" if has_flag(row, Flag.N_HIDDEN) else format_count(row["n"]),
                "Areas": describe_value(changes[0], format_difference),
                "Control sites": describe_value(changes[1], format_difference),
                "Difference": format_difference(row["estimate"]),
                "95% interval": format_interval(row["ci_low"], row["ci_high"]),
                "p adjusted": format_p(row["p_adjusted"]),
                "p": format_p(row["p_value"]),
                "In SD": describe_value(g, format_number),
            }
        )
    return Table(
        rows,
        name="potency",
        title="Area potency beside the control sites",
        subtitle="Change from before to after, in points of the scale, of all pairs together",
        stub="Scale",
        spanners={"Change": ("Areas", "Control sites")},
        text=["Better"],
        notes=[*list_notes(shown, instrument), "n: answers of both waves and sides."],
    )


def _picture_potency(
    cohort: Cohort, findings: pd.DataFrame, instrument: Instrument, scales: Sequence[str]
) -> Iterator[Picture]:
    rows = select_findings(findings, estimator="did_hedges_g", site="all")
    order = [scale for scale in scales if scale in set(rows["outcome"])]
    rows = rows.set_index("outcome", drop=False).reindex(order)
    labels = [
        instrument.title_scale(scale) + " (lower is better)" * instrument.scales[scale].reverse
        for scale in rows.index
    ]
    yield from picture_differences(cohort, "potency", rows, labels)
