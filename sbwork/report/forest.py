"""The cross-cohort picture: rate ratios on one scale, and figures told by others on their own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape

import pandas as pd

from sbwork.grade.headlines import Headline, find_headline
from sbwork.specs.cohort import Cohort
from sbwork.stats.findings import select_findings

__all__ = ["ForestRow", "draw_forest", "pick_rows"]

_LEFT = 320
_PLOT = 370
_RIGHT = _LEFT + _PLOT
_WIDTH = _RIGHT + 170
_ROW = 29
_RATIO_TICKS = (1, 0.5, 2, 0.25, 4, 0.75, 1.5, 0.1, 10, 0.05, 20)
_TICK_ROOM = 36
_MINUS = "\N{MINUS SIGN}"

Place = Callable[[float], float]


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
        The relative incidence rate ratio and its interval; for a reported figure the percentage
        change as reported, without an interval (NaN).
    reported : bool
        Reported by others, and not computed here.
    status : str
        What is said beside the cohort's name, such as "invented data".
    drift : bool
        Whether the interval is made from how much places changed without any work; else it
        answers for chance among incidents and, of several pairs, for how much they differ.
    """

    cohort: str
    label: str
    estimate: float
    ci_low: float = math.nan
    ci_high: float = math.nan
    reported: bool = False
    status: str = ""
    drift: bool = False


def pick_rows(findings: pd.DataFrame, cohort: Cohort, status: str = "") -> list[ForestRow]:
    """Pick from one cohort's results the lines of the cross-cohort picture.

    Parameters
    ----------
    findings : pandas.DataFrame, columns `findings.RESULT_COLUMNS`
        The rows of ``results.json``.
    cohort : Cohort
        Gives the titles.
    status : str
        What is said of its data.

    Returns
    -------
    list of ForestRow
        Of each outcome first the number that leads (`sbwork.grade.headlines.find_headline`), then,
        where that is of all pairs together, the one that leads for each pair; after these the
        figures as reported. A row whose estimate is missing is left out, since it has no place on
        the scale.

    Examples
    --------
    >>> from sbwork.stats import Estimate
    >>> from sbwork.stats.findings import Finding, tabulate_findings
    >>> told = Finding("reported", "Calls", "", Estimate("reported_change_percent", -40.0))
    >>> rows = pick_rows(tabulate_findings([told]), Cohort(name="pilot"))
    >>> rows[0].label, rows[0].estimate
    ('Calls', -40.0)
    """
    rows = [
        ForestRow(
            cohort=cohort.display_title,
            label=f"{cohort.title_outcome(found.outcome)}, {_title_place(cohort, found.site)}",
            estimate=float(found.ratio["estimate"]),
            ci_low=float(found.ratio["ci_low"]),
            ci_high=float(found.ratio["ci_high"]),
            status=status,
            drift=found.basis == "placebo",
        )
        for found in _find_headlines(findings)
        if found.ratio["estimate"] > 0
    ]
    for _, row in select_findings(findings, section="reported").iterrows():
        if math.isfinite(row["estimate"]):
            named = [row["outcome"], *([cohort.title_site(row["site"])] if row["site"] else [])]
            rows.append(
                ForestRow(
                    cohort=cohort.display_title,
                    label=", ".join(named),
                    estimate=float(row["estimate"]),
                    reported=True,
                    status=status,
                )
            )
    return rows


def _find_headlines(findings: pd.DataFrame) -> Iterator[Headline]:
    """Find what leads for each outcome, and for each of its pairs."""
    counted = select_findings(findings, section="counts", estimator="rirr", period="change")
    for outcome in counted["outcome"].unique():
        first = find_headline(findings, outcome)
        if first is not None:
            yield first
        pairs = counted.loc[counted["outcome"] == outcome, ["site", "comparison"]]
        if len(pairs) < 2:
            continue
        for site, control in pairs.itertuples(index=False):
            own = select_findings(findings, site=site, comparison=control)
            alone = find_headline(own, outcome)
            if alone is not None:
                yield alone


def _title_place(cohort: Cohort, site: str) -> str:
    return "all pairs" if site == "all" else cohort.title_site(site)


def draw_forest(rows: list[ForestRow]) -> str:
    """Draw the picture.

    Parameters
    ----------
    rows : list of ForestRow
        In the order in which they are to be shown.

    Returns
    -------
    str
        A ``figure`` with an inline SVG drawing and its alternative text, or an empty string
        when there is nothing to draw. Computed ratios are filled squares on a logarithmic axis;
        figures told by others are hollow diamonds on an axis of their own below.
    """
    computed = [row for row in rows if not row.reported]
    reported = [row for row in rows if row.reported]
    if not rows:
        return ""
    parts: list[str] = []
    y = 22.0
    if computed:
        title = "Computed from the cohorts' files: the site beside its control"
        y = _draw_panel(parts, y, title, computed, _scale_ratios(computed))
    if reported:
        title = "Reported by others: no control site, no interval, not checked"
        y = _draw_panel(parts, y, title, reported, _scale_changes(reported))
    caption = [
        "Filled squares: the relative incidence rate ratio (RIRR). Left of 1, counts fell more, or "
        "rose less, than at the control site. Lines: its 95% interval."
    ]
    if any(row.drift for row in computed):
        caption[0] += (
            " Thick lines: made from how much places changed in which nothing was done; one that "
            "crosses 1 is nothing out of the ordinary."
        )
    if not all(row.drift for row in computed):
        caption[0] += (
            " Thin lines: no such places could be compared, so the interval answers for chance "
            "among incidents and, of pairs taken together, for how much they differ, and not for "
            "what places do for reasons of their own: it sees a change too often."
        )
    if reported:
        caption.append(
            "Hollow diamonds: percentage changes as people reported them, on a scale of their own. "
            "The two kinds can't be compared."
        )
    if not computed:
        del caption[0]
    words = escape(_describe(computed, reported))
    return (
        f'<figure class="forest"><div class="figure-box" role="group" tabindex="0" '
        f'aria-label="Figure"><svg role="img" aria-label="{words}" '
        f'viewBox="0 0 {_WIDTH} {y:.0f}" xmlns="http://www.w3.org/2000/svg">'
        f"{''.join(parts)}</svg></div>"
        f"<figcaption>{' '.join(caption)}</figcaption></figure>"
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    place: Place
    ticks: tuple[tuple[float, str], ...]
    zero: float
    label: str


def _scale_ratios(rows: list[ForestRow]) -> _Scale:
    ends = [
        value
        for row in rows
        for value in (row.estimate, row.ci_low, row.ci_high)
        if 0 < value < math.inf
    ]
    low = max(min([*ends, 0.5]) / 1.1, 0.02)
    high = min(max([*ends, 2.0]) * 1.1, 50.0)

    def place(ratio: float) -> float:
        share = (math.log(min(max(ratio, low), high)) - math.log(low)) / math.log(high / low)
        return _LEFT + share * _PLOT

    ticks = _choose_ticks([t for t in _RATIO_TICKS if low <= t <= high], place, "{:g}".format)
    return _Scale(place, ticks, 1.0, "ratio (1: no difference)")


def _scale_changes(rows: list[ForestRow]) -> _Scale:
    low = min(-100.0, *(row.estimate for row in rows))
    high = max(25.0, *(row.estimate for row in rows))

    def place(change: float) -> float:
        return _LEFT + (change - low) / (high - low) * _PLOT

    wanted = [0, -100, -50, 50, 100, -75, -25, 25, *range(200, int(high) + 1, 100)]
    inside = [float(tick) for tick in wanted if low <= tick <= high]
    return _Scale(place, _choose_ticks(inside, place, _write_change), 0.0, "change, as told")


def _choose_ticks(
    wanted: list[float], place: Place, write: Callable[[float], str]
) -> tuple[tuple[float, str], ...]:
    """Keep the ticks that have room, the first ones wanted most."""
    kept: list[float] = []
    for tick in wanted:
        if all(abs(place(tick) - place(other)) >= _TICK_ROOM for other in kept):
            kept.append(tick)
    return tuple((tick, write(tick)) for tick in sorted(kept))


def _draw_panel(
    parts: list[str], y: float, title: str, rows: list[ForestRow], scale: _Scale
) -> float:
    """Draw one panel from `y` down, and return where it ends."""
    parts.append(f'<text class="group" x="0" y="{y:.0f}">{escape(title)}</text>')
    y += _ROW
    body: list[str] = []
    lines: list[tuple[float, float]] = []
    cohort = ""
    for row in rows:
        if row.cohort != cohort:
            cohort = row.cohort
            status = f" ({row.status})" if row.status else ""
            body.append(f'<text class="cohort" x="0" y="{y:.0f}">{escape(cohort + status)}</text>')
            y += _ROW * 0.85
            lines.append((y - _ROW * 0.65, y))
        body.extend(_draw_row(row, y, scale.place))
        lines[-1] = (lines[-1][0], y + 4)
        y += _ROW
    zero = scale.place(scale.zero)
    parts += [_draw_line("none", zero, zero, top, bottom) for top, bottom in lines]
    parts += body
    parts.append(_draw_line("axis", _LEFT, _RIGHT, y - 10, y - 10))
    for tick, text in scale.ticks:
        x = scale.place(tick)
        parts.append(_draw_line("axis", x, x, y - 10, y - 5))
        parts.append(f'<text class="tick" x="{x:.1f}" y="{y + 9:.0f}">{text}</text>')
    middle = (_LEFT + _RIGHT) / 2
    parts.append(f'<text class="tick" x="{middle:.0f}" y="{y + 28:.0f}">{scale.label}</text>')
    return y + 2.4 * _ROW


def _draw_row(row: ForestRow, y: float, place: Place) -> Iterator[str]:
    middle, x = y - 5, place(row.estimate)
    yield f'<text x="16" y="{y:.0f}">{escape(row.label)}</text>'
    if row.reported:
        corners = ((x - 7, middle), (x, middle - 7), (x + 7, middle), (x, middle + 7))
        points = " ".join(f"{across:.1f},{down:.1f}" for across, down in corners)
        yield f'<polygon class="told" points="{points}"/>'
        value = _write_change(row.estimate)
    else:
        value = f"{row.estimate:.2f}"
        if math.isfinite(row.ci_low) and math.isfinite(row.ci_high):
            kind = "interval drift" if row.drift else "interval"
            yield _draw_line(kind, place(row.ci_low), place(row.ci_high), middle, middle)
            value += f" [{row.ci_low:.2f}, {row.ci_high:.2f}]"
        yield f'<rect class="point" x="{x - 5:.1f}" y="{middle - 5}" width="10" height="10"/>'
    yield f'<text class="value" x="{_RIGHT + 16}" y="{y:.0f}">{value}</text>'


def _draw_line(name: str, left: float, right: float, top: float, bottom: float) -> str:
    return (
        f'<line class="{name}" x1="{left:.1f}" x2="{right:.1f}" y1="{top:.1f}" y2="{bottom:.1f}"/>'
    )


def _describe(computed: list[ForestRow], reported: list[ForestRow]) -> str:
    parts = [f"{_title(row)}: ratio {row.estimate:.2f}{_say_interval(row)}" for row in computed]
    told = [f"{_title(row)}: {_write_change(row.estimate)}" for row in reported]
    text = f"Rate ratios computed from files. {'; '.join(parts)}. " if parts else ""
    text += f"Reported by others and not checked. {'; '.join(told)}." if told else ""
    return text.strip()


def _title(row: ForestRow) -> str:
    status = f" ({row.status})" if row.status else ""
    return f"{row.cohort}{status}, {row.label}"


def _say_interval(row: ForestRow) -> str:
    if not (math.isfinite(row.ci_low) and math.isfinite(row.ci_high)):
        return ", no interval"
    basis = "as untouched places changed" if row.drift else "for chance alone"
    return f", interval {row.ci_low:.2f} to {row.ci_high:.2f} ({basis})"


def _write_change(change: float) -> str:
    return f"{change:+.0f}%".replace("-", _MINUS).replace("+0%", "0%")
