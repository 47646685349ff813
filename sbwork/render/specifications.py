"""The curve of specifications: the same comparison over all months, control sites and models."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sbwork.evaluation import Evaluation
from sbwork.render.blocks import Picture, compose_picture
from sbwork.render.style import INK, INTERVENTION, SMALLEST_TEXT
from sbwork.specs.cohort import Cohort
from sbwork.stats import Reason
from sbwork.stats.findings import find_row, select_findings
from sbwork.stats.formats import (
    format_count,
    format_interval,
    format_list,
    format_number,
    format_share,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "choose_range",
    "describe_curve",
    "describe_missing",
    "describe_reason",
    "describe_shares",
    "describe_specifications",
    "draw_choices",
    "draw_specifications",
    "explain_missing",
    "scale_ratios",
    "show_curves",
]

_FEWEST_SPECIFICATIONS = 6
_CURVES_A_PAGE = 2
_CURVE_INCHES, _LINE_INCHES = 2.0, 0.19
_MODEL_TITLES = {
    "rirr": "RIRR",
    "panel_quasipoisson": "Quasi-Poisson panel",
    "panel_nb2": "Negative binomial panel",
    "panel_quasipoisson_trend": "Panel with drift carried on",
    "its_level": "Interrupted series",
}
_CONTROLS = {"all controls": "All control sites", "comparable areas": "Comparable areas"}
_OWN_CONTROL = "Its own control site"
_WORDS = {
    Reason.NO_CONTROL: "no control site is named",
    Reason.NO_PERIODS: "no periods before and after are given",
    Reason.NO_MONTHS: "no month can be compared",
    Reason.NO_ANSWERS: "nobody answered",
    Reason.OUTSIDE_FILES: "the files do not cover these months",
    Reason.ZERO_COUNT: "a count of zero leaves no ratio",
    Reason.TOO_FEW_MONTHS: "there are too few months",
    Reason.TOO_FEW_AREAS: "there are too few areas",
    Reason.TOO_FEW_PEOPLE: "too few people answered",
    Reason.TOO_FEW_PAIRS: "there are too few pairs",
    Reason.TOO_FEW_ITEMS: "the scale has too few items",
    Reason.PAIR_MISSING: "a pair has no number",
    Reason.NO_VARIATION: "nothing varies that precision could be judged by",
    Reason.NOT_ESTIMABLE: "the data settle on no single answer",
    Reason.NOT_STATED: "it is not stated",
    Reason.NOT_APPLICABLE: "it does not apply here",
    Reason.NOT_ALIKE: "site and control were not alike before the start",
    Reason.TOO_MANY_MONTHS: "more months would be needed than can be asked for",
    Reason.SITE_MIX: "where the answers came from shifted between the waves",
    Reason.SMALL_GROUP: "the group is too small to be shown",
    Reason.SMALL_COUNT: "the count is too small to be shown",
}
_OTHER = "#9aa5b1"
_DOT = "#5c6875"
_FURTHEST = 2
_MARKS = (1 / 256, 1 / 64, 1 / 16, 1 / 4, 1 / 2, 1, 2, 4, 16, 64, 256)


def show_curves(evaluation: Evaluation) -> Iterator[Picture | str]:
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
            if pair.control and len(known) >= _FEWEST_SPECIFICATIONS:
                shown[pair.intervention] = known.sort_values("estimate", kind="stable")
        if shown:
            drawn = True
            yield from _picture_curves(cohort, outcome, shown)
    if not drawn:
        what = "The curve of specifications"
        yield explain_missing(rows, what, _FEWEST_SPECIFICATIONS)


def _picture_curves(
    cohort: Cohort, outcome: str, shown: dict[str, pd.DataFrame]
) -> Iterator[Picture]:
    """Draw the curves of an outcome's pairs below each other, as many as a printed page holds."""
    every = pd.concat(shown.values())
    periods = sorted(every["period"].unique(), key=_order_window)
    windows = {period: _title_window(cohort, period) for period in periods}
    models = [title for name, title in _MODEL_TITLES.items() if (every["estimator"] == name).any()]
    others = [title for key, title in _CONTROLS.items() if (every["comparison"] == key).any()]
    groups = [list(windows.values()), [_OWN_CONTROL, *others], models]
    limits = choose_range(every)
    sites = list(shown)
    parts = [sites[at : at + _CURVES_A_PAGE] for at in range(0, len(sites), _CURVES_A_PAGE)]
    for number, part in enumerate(parts, start=1):
        curves = {site: shown[site] for site in part}
        which = f" ({number} of {len(parts)})" if len(parts) > 1 else ""
        name = f"specifications-{outcome}" + (f"-{number}" if number > 1 else "")
        yield _picture_curve(cohort, outcome, curves, windows, groups, limits, name, which)


def _picture_curve(
    cohort: Cohort,
    outcome: str,
    shown: dict[str, pd.DataFrame],
    windows: dict[str, str],
    groups: list[list[str]],
    limits: tuple[float, float],
    name: str,
    which: str,
) -> Picture:
    controls = {pair.intervention: str(pair.control or "") for pair in cohort.pairs}
    headlines = {site: _find_headline(rows, controls[site]) for site, rows in shown.items()}
    lines = _LINE_INCHES * sum(map(len, groups))

    def draw(figure: Figure) -> None:
        axes = figure.subplots(
            2 * len(shown), 1, squeeze=False, height_ratios=[_CURVE_INCHES, lines] * len(shown)
        )[:, 0]
        for number, (site, rows) in enumerate(shown.items()):
            curve, table = axes[2 * number : 2 * number + 2]
            draw_specifications(curve, rows, headlines[site], limits)
            curve.set_title(f"{cohort.title_pair(site)}: {cohort.title_outcome(outcome)}")
            curve.set_ylabel("Ratio to control")
            chosen = [
                (
                    windows[row["period"]],
                    _CONTROLS.get(row["comparison"], _OWN_CONTROL),
                    _MODEL_TITLES[row["estimator"]],
                )
                for _, row in rows.iterrows()
            ]
            labels = rows.index.tolist()
            at = labels.index(headlines[site]) if headlines[site] in labels else -1
            draw_choices(table, chosen, groups, at)
            table.set_xlim(curve.get_xlim())

    described = [
        describe_specifications(cohort, rows, outcome, site, _find_estimate(rows, headlines[site]))
        for site, rows in shown.items()
    ]
    every = pd.concat(shown.values())
    cut = int(((every["ci_low"] < limits[0]) | (every["ci_high"] > limits[1])).sum())
    beyond = f" Arrowheads: {cut} of {len(every)} intervals run on beyond the picture."
    return compose_picture(
        cohort,
        name,
        draw,
        size=(9.2, 0.3 + (_CURVE_INCHES + lines + 0.4) * len(shown)),
        alt=" ".join(described),
        caption=f"{cohort.title_outcome(outcome)}{which}: the same comparison with other months, "
        "control sites or models, smallest ratio first, each with its 95% interval (1 is no "
        "change); below each mark, what was chosen. Filled: the interval is clear of no change. "
        f"Blue diamond: the pair's own RIRR over the periods as planned.{beyond if cut else ''}",
    )


def _order_window(period: str) -> int:
    """Put the cohort's own window first, the others by their length."""
    return 0 if period == "change" else int(period.partition("+")[0])


def _title_window(cohort: Cohort, period: str) -> str:
    if period != "change":
        return f"{period.replace('+', ' + ')} months"
    assert cohort.periods is not None  # noqa: S101
    lengths = [len(part.months) for part in (cohort.periods.before, cohort.periods.after)]
    return f"{lengths[0]} + {lengths[1]} months (as planned)"


def _find_headline(rows: pd.DataFrame, control: str) -> Any:
    own = (rows["period"] == "change") & (rows["comparison"] == control)
    found = rows.index[own & (rows["estimator"] == "rirr")]
    return found[0] if len(found) else None


def _find_estimate(rows: pd.DataFrame, label: Any) -> float:
    return math.nan if label is None else float(rows.loc[label, "estimate"])


def describe_specifications(
    cohort: Cohort, rows: pd.DataFrame, outcome: str, site: str, headline: float
) -> str:
    """Say over what range the ratio runs when windows, controls and models are varied."""
    ends = format_interval(rows["estimate"].min(), rows["estimate"].max())
    own = f"; this report's own is {format_number(headline)}" if not math.isnan(headline) else ""
    below = int((rows["estimate"] < 1).sum())
    clear = int(((rows["ci_low"] > 1) | (rows["ci_high"] < 1)).sum())
    return (
        f"{cohort.title_pair(site)}, {cohort.title_outcome(outcome)}: {len(rows)} specifications "
        f"with ratios from {ends}, the middle one {format_number(rows['estimate'].median())}{own}; "
        f"{below} of them below 1, {clear} with an interval clear of no change."
    )


def describe_shares(cohort: Cohort, findings: pd.DataFrame) -> list[str]:
    """Say, a pair and outcome at a time, what share of the specifications agree."""
    sentences = []
    for outcome in cohort.list_outcomes():
        for pair in cohort.pairs:
            place = {"section": "specification", "outcome": outcome, "site": pair.intervention}
            median, same, outside = (
                find_row(findings, **place, estimator=f"specification_{name}")
                for name in ("median", "same_sign", "excludes_one")
            )
            if median is None or same is None or outside is None or math.isnan(median["estimate"]):
                continue
            way = "below 1" if median["estimate"] < 1 else "above 1"
            sentences.append(
                f"{cohort.title_pair(pair.intervention)}, {cohort.title_outcome(outcome)}: of "
                f"{format_count(median['n'])} ways to compare, {format_share(same['estimate'])} "
                f"put the ratio {way}, and {format_share(outside['estimate'])} have an interval "
                "clear of no change."
            )
    return sentences


def explain_missing(rows: pd.DataFrame, what: str, fewest: int) -> str:
    """Say why a picture is not drawn: how many numbers there are, and what the rest lacks."""
    counts = rows["estimate"].notna().groupby([rows["outcome"], rows["site"]]).sum()
    known = int(counts.max()) if len(counts) else 0
    if known >= fewest:
        return f"{what} is not drawn: there are numbers on one side of the start only."
    reasons = rows.loc[rows["estimate"].isna() & (rows["reason"] != ""), "reason"]
    why = f" Most often, {describe_reason(reasons.mode().iloc[0])}." if len(reasons) else ""
    had = {0: "no comparison has any", 1: "no comparison has more than one"}.get(
        known, f"no comparison has more than {known}"
    )
    return f"{what} is not drawn: it takes at least {fewest} numbers, and {had}.{why}"


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
            parts.append(f"{_span(shares.tolist())} {words}")
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


def _span(shares: Sequence[float]) -> str:
    ends = [format_share(end) for end in (min(shares), max(shares))]
    return ends[0] if ends[0] == ends[1] else f"from {ends[0]} to {ends[1]}"


def describe_reason(reason: str) -> str:
    """Say in words why a number is missing."""
    return _WORDS[Reason(reason)]


def describe_missing(rows: pd.DataFrame) -> str:
    """Say why the numbers of some findings are missing, the most common reason first."""
    reasons = rows.loc[rows["estimate"].isna() & (rows["reason"] != ""), "reason"]
    counts = reasons.value_counts(sort=False).sort_values(ascending=False, kind="stable")
    if len(counts) == 1:
        return describe_reason(str(counts.index[0]))
    return format_list([f"{describe_reason(str(why))} ({n})" for why, n in counts.items()])


def choose_range(rows: pd.DataFrame) -> tuple[float, float]:
    """Choose the ratios that an axis shows: every estimate, and of its intervals what is near."""
    low = max(rows["ci_low"].min(), rows["estimate"].min() / _FURTHEST)
    high = min(rows["ci_high"].max(), rows["estimate"].max() * _FURTHEST)
    return float(low), float(high)


def draw_specifications(
    ax: Axes, rows: pd.DataFrame, headline: Any, limits: tuple[float, float] | None = None
) -> None:
    """Draw every specification's ratio with its interval, smallest first."""
    low, high = limits or choose_range(rows)
    ax.axhline(1, color=INK, lw=0.9)
    for at, (label, row) in enumerate(rows.iterrows()):
        own = label == headline
        colour = INTERVENTION if own else _DOT
        clear = row["ci_low"] > 1 or row["ci_high"] < 1
        ends = [max(row["ci_low"], low), min(row["ci_high"], high)]
        ax.plot(
            [at, at],
            ends,
            color=INTERVENTION if own else _OTHER,
            lw=2.6 if own else 1.5,
            zorder=3 if own else 2,
        )
        for end, beyond, marker in (
            (low, row["ci_low"] < low, "v"),
            (high, row["ci_high"] > high, "^"),
        ):
            if beyond:
                ax.plot(at, end, marker, color=_OTHER, ms=4.5, mew=0, zorder=2)
        ax.plot(
            at,
            row["estimate"],
            "D" if own else "o",
            color=colour,
            mfc=colour if own or clear else "white",
            ms=8 if own else 4.6,
            mec="white" if own else colour,
            mew=0.7 if own else 0.9,
            zorder=4 if own else 3,
        )
        if own:
            _mark_headline(ax, at)
            side = "left" if at < len(rows) / 2 else "right"
            ax.annotate(
                "this report",
                (at, 1),
                xycoords=ax.get_xaxis_transform(),
                xytext=(7 if side == "left" else -7, -2),
                textcoords="offset points",
                ha=side,
                va="top",
                fontsize=SMALLEST_TEXT,
                fontweight="bold",
                color=INTERVENTION,
                bbox={"fc": "white", "ec": "none", "alpha": 0.85, "pad": 0.8},
                zorder=5,
            )
    scale_ratios(ax, low, high)
    ax.set_xlim(-0.8, len(rows) - 0.2)
    ax.set_xticks([])
    ax.grid(axis="y")


def draw_choices(
    ax: Axes, choices: Sequence[Sequence[str]], groups: Sequence[Sequence[str]], headline: int
) -> None:
    """Draw, under a curve of specifications, what each of them chose."""
    lines = [option for group in groups for option in group]
    for line in range(0, len(lines), 2):
        ax.axhspan(line - 0.5, line + 0.5, color="#f4f6f9", lw=0, zorder=0)
    for at, chosen in enumerate(choices):
        own = at == headline
        for option in chosen:
            ax.plot(
                at,
                lines.index(option),
                "D" if own else "o",
                color=INTERVENTION if own else _DOT,
                ms=6.5 if own else 3.8,
                mew=0,
            )
    ends = np.cumsum([len(group) for group in groups])[:-1]
    for end in ends:
        ax.axhline(end - 0.5, color="#c9d1da", lw=0.8)
    if headline >= 0:
        _mark_headline(ax, headline)
    ax.set_yticks(range(len(lines)), lines, fontsize=SMALLEST_TEXT)
    ax.set_ylim(len(lines) - 0.4, -0.6)
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines["left"].set_visible(False)
    ax.spines["bottom"].set_visible(False)


def _mark_headline(ax: Axes, at: float) -> None:
    """Draw a pale band behind the specification that the report leads with."""
    ax.axvspan(at - 0.5, at + 0.5, color="#dbe7f3", lw=0, zorder=0.5)


def scale_ratios(ax: Axes, low: float, high: float) -> None:
    """Put the vertical axis on ratios, where a half and a double lie as far from 1."""
    ax.set_yscale("log")
    low, high = min(low, 0.8) / 1.1, max(high, 1.25) * 1.1
    ax.set_ylim(low, high)
    wide = high / low > 200
    marks = [mark for mark in _MARKS if low <= mark <= high]
    marks = [mark for mark in marks if not wide or mark not in (0.5, 2)]
    ax.set_yticks(marks, [_write_ratio(mark) for mark in marks])
    ax.minorticks_off()


def _write_ratio(ratio: float) -> str:
    return format_number(ratio, 0 if ratio >= 1 else 1 if ratio == 0.5 else 2)
