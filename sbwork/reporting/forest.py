"""The cross-cohort picture: every cohort's rate ratios on one scale, reported figures apart."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

__all__ = ["ForestRow", "draw_forest", "pick_rows"]

_LABEL_WIDTH = 330
_PLOT_WIDTH = 380
_VALUE_WIDTH = 170
_WIDTH = _LABEL_WIDTH + _PLOT_WIDTH + _VALUE_WIDTH
_ROW = 30
_TICKS = (0.05, 0.1, 0.2, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 5, 10, 20)


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One line of the picture.

    Attributes
    ----------
    cohort : str
        The cohort's title.
    label : str
        Outcome and site.
    estimate, ci_low, ci_high : float
        The relative incidence rate ratio and its interval; for a reported figure the ratio of
        after to before, without an interval (NaN).
    reported : bool
        Told by others, and not computed here.
    status : str
        What is said beside the cohort's name, such as "invented data".
    """

    cohort: str
    label: str
    estimate: float
    ci_low: float
    ci_high: float
    reported: bool
    status: str = ""


def pick_rows(
    findings: Iterable[Mapping[str, Any]], cohort: str, status: str = ""
) -> list[ForestRow]:
    """Pick from one cohort's results the lines of the cross-cohort picture.

    Parameters
    ----------
    findings : iterable of mapping
        The rows of ``results.json``: those of section "counts" with estimator "rirr", and those
        of section "reported" (a percentage change).
    cohort : str
        The cohort's title.
    status : str
        What is said of its data.

    Returns
    -------
    list of ForestRow
        A row whose estimate is missing is left out, since it has no place on the scale.

    Examples
    --------
    >>> told = {"section": "reported", "outcome": "ASB", "site": "", "estimate": -40.0}
    >>> [row.estimate for row in pick_rows([told], "Cohort 2")]
    [0.6]
    """
    rows = []
    for finding in findings:
        estimate = _number(finding.get("estimate"))
        outcome = str(finding.get("outcome_title") or _name(finding.get("outcome")))
        site = str(finding.get("site_title") or _name(finding.get("site")))
        label = ", ".join(part for part in (outcome, site) if part)
        if finding.get("section") == "counts" and finding.get("estimator") == "rirr":
            low, high = (_number(finding.get(key)) for key in ("ci_low", "ci_high"))
            if math.isfinite(estimate) and estimate > 0:
                rows.append(ForestRow(cohort, label, estimate, low, high, False, status))
        elif finding.get("section") == "reported" and math.isfinite(estimate):
            ratio = round(1 + estimate / 100, 10)
            if ratio > 0:
                rows.append(ForestRow(cohort, label, ratio, math.nan, math.nan, True, status))
    return rows


def draw_forest(rows: list[ForestRow]) -> str:
    """Draw the picture.

    Parameters
    ----------
    rows : list of ForestRow
        In the order in which they are to be shown; reported ones are moved to the end.

    Returns
    -------
    str
        A ``figure`` with an inline SVG drawing and its alternative text, or an empty string
        when there is nothing to draw. Filled squares are computed, hollow diamonds reported.
    """
    computed = [row for row in rows if not row.reported]
    reported = [row for row in rows if row.reported]
    if not rows:
        return ""
    ends = [v for r in rows for v in (r.estimate, r.ci_low, r.ci_high) if 0 < v < math.inf]
    low, high = min([*ends, 0.5]) / 1.1, max([*ends, 2.0]) * 1.1
    low, high = max(low, 0.02), min(high, 50.0)

    def place(ratio: float) -> float:
        ratio = min(max(ratio, low), high)
        share = (math.log(ratio) - math.log(low)) / (math.log(high) - math.log(low))
        return _LABEL_WIDTH + share * _PLOT_WIDTH

    body: list[str] = []
    y = 24.0
    groups = [
        ("Computed from the cohorts' files: change beside the control site's", computed),
        ("As reported by others: no control site, no interval, not checked", reported),
    ]
    for title, members in groups:
        if not members:
            continue
        body.append(f'<text class="group" x="0" y="{y:.0f}">{escape(title)}</text>')
        y += _ROW
        cohort = ""
        for row in members:
            if row.cohort != cohort:
                cohort = row.cohort
                status = f" ({row.status})" if row.status else ""
                text = escape(cohort + status)
                body.append(f'<text class="cohort" x="0" y="{y:.0f}">{text}</text>')
                y += _ROW * 0.8
            body.extend(_draw_row(row, y, place, low, high))
            y += _ROW
        y += _ROW * 0.4
    axis = list(_draw_axis(y, place, low, high))
    height = y + 46
    words = escape(_describe(computed, reported))
    drawing = (
        f'<svg role="img" aria-label="{words}" viewBox="0 0 {_WIDTH} {height:.0f}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(axis)}{"".join(body)}</svg>'
    )
    caption = (
        "Relative incidence rate ratio (RIRR): the change at the site beside the change at its "
        "control, with its 95% interval. Left of 1, counts fell more, or rose less, than at the "
        "control. Hollow diamonds are what people told us: after as a share of before, at the "
        "site alone. The two kinds must not be read as one."
    )
    return f'<figure class="forest">{drawing}<figcaption>{caption}</figcaption></figure>'


def _draw_row(row: ForestRow, y: float, place: Any, low: float, high: float) -> Iterator[str]:
    middle = y - 5
    x = place(row.estimate)
    yield f'<text x="16" y="{y:.0f}">{escape(row.label)}</text>'
    value = f"{row.estimate:.2f}"
    if row.reported:
        value = f"{100 * (row.estimate - 1):+.0f}% (told)".replace("-", "\N{MINUS SIGN}")
        corners = ((x - 7, middle), (x, middle - 7), (x + 7, middle), (x, middle + 7))
        points = " ".join(f"{across:.1f},{down:.1f}" for across, down in corners)
        yield f'<polygon class="told" points="{points}"/>'
    else:
        if math.isfinite(row.ci_low) and math.isfinite(row.ci_high):
            left, right = place(row.ci_low), place(row.ci_high)
            yield _draw_line("interval", left, right, middle, middle)
            value += f" [{row.ci_low:.2f}, {row.ci_high:.2f}]"
        yield f'<rect class="point" x="{x - 5:.1f}" y="{middle - 5}" width="10" height="10"/>'
    right_edge = _LABEL_WIDTH + _PLOT_WIDTH + 16
    yield f'<text class="value" x="{right_edge}" y="{y:.0f}">{value}</text>'


def _draw_axis(y: float, place: Any, low: float, high: float) -> Iterator[str]:
    one = place(1.0)
    yield _draw_line("none", one, one, 36, y)
    yield _draw_line("axis", _LABEL_WIDTH, _LABEL_WIDTH + _PLOT_WIDTH, y, y)
    last = -math.inf
    for tick in _TICKS:
        x = place(tick)
        if low <= tick <= high and x - last > 34:
            last = x
            yield f'<text class="tick" x="{x:.1f}" y="{y + 18:.0f}">{tick:g}</text>'
    middle = _LABEL_WIDTH + _PLOT_WIDTH / 2
    yield f'<text class="tick" x="{middle:.0f}" y="{y + 38:.0f}">ratio; 1 is no difference</text>'


def _draw_line(name: str, left: float, right: float, top: float, bottom: float) -> str:
    return (
        f'<line class="{name}" x1="{left:.1f}" x2="{right:.1f}" y1="{top:.1f}" y2="{bottom:.1f}"/>'
    )


def _describe(computed: list[ForestRow], reported: list[ForestRow]) -> str:
    parts = [
        f"{row.cohort}, {row.label}: ratio {row.estimate:.2f}"
        + (f", interval {row.ci_low:.2f} to {row.ci_high:.2f}" if row.ci_low == row.ci_low else "")
        for row in computed
    ]
    told = [
        f"{row.cohort}, {row.label}: {100 * (row.estimate - 1):+.0f} per cent" for row in reported
    ]
    text = "Forest plot of rate ratios. " + "; ".join(parts) if parts else "Forest plot."
    return text + ("; reported by others and not checked: " + "; ".join(told) if told else "") + "."


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return float(value)


def _name(key: Any) -> str:
    return str(key or "").replace("_", " ").replace("-", " ").strip()
