"""The curve of specifications: the same comparison over all months, control sites and models."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sbwork.grade.publishable import Publishable
from sbwork.render.blocks import Picture, compose_picture
from sbwork.render.intervals import find_known
from sbwork.render.reasons import explain_missing
from sbwork.render.style import GREY, INK, INTERVENTION, RULE, SMALLEST_TEXT, WHITE_BOX, name_lines
from sbwork.specs.cohort import Cohort
from sbwork.stats.findings import select_findings
from sbwork.stats.formats import (
    format_count,
    format_interval,
    format_list,
    format_number,
    format_share,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FEWEST = 6
_CURVES_A_PAGE = 2
_CURVE_INCHES, _LINE_INCHES = 2.0, 0.19
_MODELS = {
    "rirr": "RIRR",
    "panel_quasipoisson": "Quasi-Poisson panel",
    "panel_nb2": "Negative binomial panel",
    "panel_quasipoisson_trend": "Panel with drift carried on",
    "its_level": "Interrupted series",
}
_CONTROLS = {"all controls": "All control sites", "comparable areas": "Comparable areas"}
_OWN_CONTROL = "Its own control site"
_OTHER = "#9aa5b1"
_FURTHEST = 2
_MARKS = (1 / 256, 1 / 64, 1 / 16, 1 / 4, 1 / 2, 1, 2, 4, 16, 64, 256)
_CAPTION = (
    ": the same comparison with other months, control sites or models, smallest ratio first, each "
    "with its 95% interval (1 is no change); below each mark, what was chosen. Filled: the "
    "interval is clear of no change. Blue diamond: the pair's own RIRR over the periods as planned."
)


def show_curves(evaluation: Publishable) -> Iterator[Picture | str]:
    """Draw the curves of specifications, or say why none is drawn."""
    cohort = evaluation.cohort
    rows = select_findings(evaluation.findings, section="specification")
    rows = rows[rows["period"] != "summary"]
    drawn = False
    for outcome in cohort.list_outcomes():
        shown = {}
        for pair in cohort.pairs:
            place = (rows["outcome"] == outcome) & (rows["site"] == pair.intervention)
            known = rows[place & rows["estimate"].notna()]
            if pair.control and len(known) >= _FEWEST:
                shown[pair.intervention] = known.sort_values("estimate", kind="stable")
        if shown:
            drawn = True
            yield from _picture_curves(cohort, outcome, shown)
    if not drawn:
        yield explain_missing(rows, "The curve of specifications", _FEWEST)


def _picture_curves(
    cohort: Cohort, outcome: str, shown: dict[str, pd.DataFrame]
) -> Iterator[Picture]:
    """Draw the curves of an outcome's pairs below each other, as many as a printed page holds."""
    every = pd.concat(shown.values())
    # the cohort's own window first, the others by their length
    periods = sorted(
        every["period"].unique(), key=lambda p: 0 if p == "change" else int(p.partition("+")[0])
    )
    windows = {period: _title_window(cohort, period) for period in periods}
    models = [title for name, title in _MODELS.items() if (every["estimator"] == name).any()]
    others = [title for key, title in _CONTROLS.items() if (every["comparison"] == key).any()]
    groups = [list(windows.values()), [_OWN_CONTROL, *others], models]
    limits = choose_range(every)
    lines = _LINE_INCHES * sum(map(len, groups))
    controls = {pair.intervention: str(pair.control or "") for pair in cohort.pairs}
    sites = list(shown)
    pages = [sites[at : at + _CURVES_A_PAGE] for at in range(0, len(sites), _CURVES_A_PAGE)]
    for page, part in enumerate(pages, start=1):
        panels, words = [], []
        for site in part:
            rows = shown[site]
            headline = _find_headline(rows, controls[site])
            title = f"{cohort.title_pair(site)}: {cohort.title_outcome(outcome)}"
            chosen = list(
                zip(
                    rows["period"].map(windows),
                    rows["comparison"].map(_CONTROLS).fillna(_OWN_CONTROL),
                    rows["estimator"].map(_MODELS),
                    strict=True,
                )
            )
            at = rows.index.tolist().index(headline) if headline is not None else -1
            panels += [
                (title, partial(draw_specifications, rows=rows, headline=headline, limits=limits)),
                ("", partial(draw_choices, choices=chosen, groups=groups, headline=at)),
            ]
            own = math.nan if headline is None else float(rows.loc[headline, "estimate"])
            words.append(describe_specifications(cohort, rows, outcome, site, own))
        drawn = pd.concat([shown[site] for site in part])
        cut = int(((drawn["ci_low"] < limits[0]) | (drawn["ci_high"] > limits[1])).sum())
        beyond = f" Arrowheads: {cut} of {len(drawn)} intervals run on beyond the picture."
        which = f" ({page} of {len(pages)})" if len(pages) > 1 else ""
        yield compose_picture(
            cohort,
            f"specifications-{outcome}" + (f"-{page}" if page > 1 else ""),
            panels,
            size=(9.2, 0.3 + (_CURVE_INCHES + lines + 0.4) * len(part)),
            alt=" ".join(words),
            caption=f"{cohort.title_outcome(outcome)}{which}{_CAPTION}{beyond if cut else ''}",
            heights=[_CURVE_INCHES, lines] * len(part),
        )


def _title_window(cohort: Cohort, period: str) -> str:
    if period != "change" or cohort.periods is None:
        return f"{period.replace('+', ' + ')} months"
    before, after = len(cohort.periods.before.months), len(cohort.periods.after.months)
    return f"{before} + {after} months (as planned)"


def _find_headline(rows: pd.DataFrame, control: str) -> Any:
    own = (rows["period"] == "change") & (rows["comparison"] == control)
    found = rows.index[own & (rows["estimator"] == "rirr")]
    return found[0] if len(found) else None


def is_clear(rows: pd.DataFrame, value: float = 1) -> pd.Series[bool]:
    """Mark the findings whose interval leaves out a value."""
    return (rows["ci_low"] > value) | (rows["ci_high"] < value)


def describe_specifications(
    cohort: Cohort, rows: pd.DataFrame, outcome: str, site: str, headline: float
) -> str:
    """Say over what range the ratio runs when windows, controls and models are varied."""
    ends = format_interval(rows["estimate"].min(), rows["estimate"].max())
    own = f"; this report's own is {format_number(headline)}" if not math.isnan(headline) else ""
    return (
        f"{cohort.title_pair(site)}, {cohort.title_outcome(outcome)}: {len(rows)} specifications "
        f"with ratios from {ends}, the middle one {format_number(rows['estimate'].median())}{own}; "
        f"{(rows['estimate'] < 1).sum()} of them below 1, {is_clear(rows).sum()} with an interval "
        "clear of no change."
    )


def describe_shares(cohort: Cohort, findings: pd.DataFrame) -> list[str]:
    """Say, a pair and outcome at a time, what share of the specifications agree."""
    sentences = []
    for outcome in cohort.list_outcomes():
        for pair in cohort.pairs:
            find = partial(
                find_known,
                findings,
                section="specification",
                outcome=outcome,
                site=pair.intervention,
            )
            median, same, outside = (
                find(estimator=f"specification_{name}")
                for name in ("median", "same_sign", "excludes_one")
            )
            if median is None or same is None or outside is None:
                continue
            way = "below 1" if median["estimate"] < 1 else "above 1"
            sentences.append(
                f"{cohort.title_pair(pair.intervention)}, {cohort.title_outcome(outcome)}: of "
                f"{format_count(median['n'])} ways to compare, {format_share(same['estimate'])} "
                f"put the ratio {way}, and {format_share(outside['estimate'])} have an interval "
                "clear of no change."
            )
    return sentences


def describe_curve(findings: pd.DataFrame) -> list[str]:
    """Say over all comparisons what share of the specifications agree."""
    rows = select_findings(findings, section="specification", period="summary")
    parts: list[str] = []
    for estimator, words in (
        ("specification_same_sign", "of the specifications point the same way"),
        ("specification_excludes_one", "have an interval clear of no change"),
    ):
        shares = rows.loc[rows["estimator"] == estimator, "estimate"].dropna()
        if len(shares):
            low, high = format_share(shares.min()), format_share(shares.max())
            parts.append(f"{low if low == high else f'from {low} to {high}'} {words}")
    if not parts:
        return []
    counts = sorted({int(n) for n in rows.loc[rows["estimate"].notna(), "n"]})
    ways = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return [
        f"When {_name_varied(findings)} varied ({ways} ways a comparison), {format_list(parts)}."
    ]


def _name_varied(findings: pd.DataFrame) -> str:
    """Name what differs between the specifications of any one comparison."""
    rows = select_findings(findings, section="specification")
    rows = rows[rows["estimate"].notna() & (rows["period"] != "summary")]
    columns = {"period": "months", "comparison": "control sites", "estimator": "models"}
    counts = rows.groupby(["outcome", "site"])[list(columns)].nunique()
    named = [name for column, name in columns.items() if (counts[column] > 1).any()]
    return f"{format_list(named)} are" if named else "nothing is"


def choose_range(rows: pd.DataFrame) -> tuple[float, float]:
    """Choose the ratios that an axis shows: every estimate, and of its intervals what is near.

    At most half the smallest estimate and twice the largest, so that a few intervals that know
    next to nothing do not flatten the rest.
    """
    low = max(rows["ci_low"].min(), rows["estimate"].min() / _FURTHEST)
    high = min(rows["ci_high"].max(), rows["estimate"].max() * _FURTHEST)
    return float(low), float(high)


def draw_specifications(
    ax: Axes, rows: pd.DataFrame, headline: Any, limits: tuple[float, float]
) -> None:
    """Draw every specification's ratio with its interval, in the order of the rows.

    A dot is filled where the interval is clear of 1; the specification that the report leads with
    is a diamond in colour. An interval that runs on beyond the limits ends in an arrowhead.
    """
    low, high = limits
    places = pd.Series(range(len(rows)), index=rows.index)
    ax.axhline(1, color=INK, lw=0.9)
    own = rows.index == headline
    for chosen, colour, width in ((~own, _OTHER, 1.5), (own, INTERVENTION, 2.6)):
        part = rows[chosen]
        ends = part["ci_low"].clip(lower=low), part["ci_high"].clip(upper=high)
        ax.vlines(places[chosen], *ends, color=colour, lw=width, zorder=2)
    for end, beyond, marker in (
        (low, rows["ci_low"] < low, "v"),
        (high, rows["ci_high"] > high, "^"),
    ):
        ax.plot(places[beyond], [end] * int(beyond.sum()), marker, color=_OTHER, ms=4.5, mew=0)
    for filled in (True, False):
        part = rows[~own & (is_clear(rows) == filled)]
        ax.plot(
            places[part.index], part["estimate"], "o", color=GREY, ms=4.6, mew=0.9,
            mfc=GREY if filled else "white", zorder=3,
        )  # fmt: skip
    for at in places[own]:
        _mark_headline(ax, at)
        estimate = rows["estimate"].iloc[at]
        ax.plot(at, estimate, "D", color=INTERVENTION, ms=8, mec="white", mew=0.7, zorder=4)
        left = at < len(rows) / 2
        ax.annotate(
            "this report",
            (at, 1),
            xycoords=ax.get_xaxis_transform(),
            xytext=(7 if left else -7, -2),
            textcoords="offset points",
            ha="left" if left else "right",
            va="top",
            fontsize=SMALLEST_TEXT,
            fontweight="bold",
            color=INTERVENTION,
            bbox=WHITE_BOX,
            zorder=5,
        )
    scale_ratios(ax, low, high)
    ax.set_ylabel("Ratio to control")
    ax.set_xlim(-0.8, len(rows) - 0.2)
    ax.set_xticks([])
    ax.grid(axis="y")


def draw_choices(
    ax: Axes, choices: Sequence[Sequence[str]], groups: Sequence[Sequence[str]], headline: int
) -> None:
    """Draw, under a curve of specifications, what each of them chose of each group.

    `headline` is the place of the specification that the report leads with, -1 without one.
    """
    lines = [option for group in groups for option in group]
    for line in range(0, len(lines), 2):
        ax.axhspan(line - 0.5, line + 0.5, color="#f4f6f9", lw=0, zorder=0)
    for own in (False, True):
        marks = [
            (at, lines.index(option))
            for at, chosen in enumerate(choices)
            if (at == headline) == own
            for option in chosen
        ]
        colour, marker, size = (INTERVENTION, "D", 6.5) if own else (GREY, "o", 3.8)
        if marks:
            ax.plot(*zip(*marks, strict=True), marker, color=colour, ms=size, mew=0)
    for end in np.cumsum([len(group) for group in groups])[:-1]:
        ax.axhline(end - 0.5, color=RULE, lw=0.8)
    if headline >= 0:
        _mark_headline(ax, headline)
    name_lines(ax, lines, fontsize=SMALLEST_TEXT)
    ax.grid(visible=False)
    ax.set_xlim(-0.8, len(choices) - 0.2)
    ax.set_xticks([])
    ax.spines[["left", "bottom"]].set_visible(False)


def _mark_headline(ax: Axes, at: float) -> None:
    """Draw a pale band behind the specification that the report leads with."""
    ax.axvspan(at - 0.5, at + 0.5, color="#dbe7f3", lw=0, zorder=0.5)


def scale_ratios(ax: Axes, low: float, high: float) -> None:
    """Put the vertical axis on ratios, where a half and a double lie as far from 1."""
    ax.set_yscale("log")
    low, high = min(low, 0.8) / 1.1, max(high, 1.25) * 1.1
    ax.set_ylim(low, high)
    wide = high / low > 200
    marks = [m for m in _MARKS if low <= m <= high and not (wide and m in (0.5, 2))]
    ax.set_yticks(marks, [format_number(m, 0 if m >= 1 else 1 if m == 0.5 else 2) for m in marks])
    ax.minorticks_off()
