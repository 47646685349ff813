"""The cross-cohort picture: rate ratios on one scale, and reported figures on their own."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import pandas as pd

from sbwork.grade.headlines import Headline, find_headline
from sbwork.render.blocks import Picture
from sbwork.render.style import CONTROL, INK, INTERVENTION, RULE, use_style
from sbwork.specs.cohort import Cohort
from sbwork.stats.findings import select_findings
from sbwork.stats.formats import format_change, format_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ForestRow", "draw_forest", "pick_rows"]

_WIDTH = 9.2
_LEFT, _RIGHT = 0.37, 0.79
_HEAD, _LINE, _FOOT = 0.4, 0.3, 0.75
_RATIO_TICKS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 10, 20)
_NARROWEST, _WIDEST = 0.02, 50.0


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One line of the picture.

    `estimate` is the relative incidence rate ratio or, where `reported` by others, a percentage
    change without an interval. `drift` says that the interval is made from how much places
    changed without any work; else it answers for chance among incidents and, of several pairs,
    for how much they differ.
    """

    cohort: str
    label: str
    estimate: float
    ci_low: float = math.nan
    ci_high: float = math.nan
    reported: bool = False
    status: str = ""
    drift: bool = False

    @property
    def heading(self) -> str:
        """The cohort, with what is said of its data."""
        return f"{self.cohort} ({self.status})" if self.status else self.cohort

    @property
    def has_interval(self) -> bool:
        """Whether both ends are known."""
        return math.isfinite(self.ci_low) and math.isfinite(self.ci_high)

    @property
    def value(self) -> str:
        """The numbers, as printed."""
        if self.reported:
            return format_change(self.estimate)
        interval = (
            f" [{format_number(self.ci_low)}, {format_number(self.ci_high)}]"
            if self.has_interval
            else ""
        )
        return f"{format_number(self.estimate)}{interval}"

    @property
    def words(self) -> str:
        """The line as a sentence for those who can't see it."""
        name = f"{self.heading}, {self.label}"
        if self.reported:
            return f"{name}: {format_change(self.estimate)}"
        interval = "no interval"
        if self.has_interval:
            basis = "as untouched places changed" if self.drift else "for chance alone"
            interval = (
                f"interval {format_number(self.ci_low)} to {format_number(self.ci_high)} ({basis})"
            )
        return f"{name}: ratio {format_number(self.estimate)}, {interval}"


def pick_rows(findings: pd.DataFrame, cohort: Cohort, status: str = "") -> list[ForestRow]:
    """Pick from one cohort's findings the lines of the cross-cohort picture.

    Of each outcome first the number that leads, then, where that is of all pairs together, the
    one that leads for each pair; after these the figures as reported. A row whose estimate is
    missing has no place on the scale.
    """
    name = cohort.display_title
    rows = [
        ForestRow(
            name,
            f"{cohort.title_outcome(found.outcome)}, {_title_place(cohort, found.site)}",
            float(found.ratio["estimate"]),
            float(found.ratio["ci_low"]),
            float(found.ratio["ci_high"]),
            status=status,
            drift=found.basis == "placebo",
        )
        for found in _find_headlines(findings)
        if found.ratio["estimate"] > 0
    ]
    for _, row in select_findings(findings, section="reported").iterrows():
        if math.isfinite(row["estimate"]):
            place = f", {cohort.title_site(row['site'])}" if row["site"] else ""
            label = f"{row['outcome']}{place}"
            rows.append(
                ForestRow(name, label, float(row["estimate"]), reported=True, status=status)
            )
    return rows


def _find_headlines(findings: pd.DataFrame) -> Iterator[Headline]:
    """Find what leads for each outcome, and for each of its pairs."""
    counted = select_findings(findings, section="counts", estimator="rirr", period="change")
    for outcome in counted["outcome"].unique():
        pairs = counted.loc[counted["outcome"] == outcome, ["site", "comparison"]]
        frames = [findings]
        if len(pairs) >= 2:
            frames += [
                select_findings(findings, site=site, comparison=control)
                for site, control in pairs.itertuples(index=False)
            ]
        found = (find_headline(frame, outcome) for frame in frames)
        yield from (headline for headline in found if headline is not None)


def _title_place(cohort: Cohort, site: str) -> str:
    return "all pairs" if site == "all" else cohort.title_site(site)


def draw_forest(rows: list[ForestRow]) -> Picture | None:
    """Draw computed ratios on a logarithmic axis, and reported changes on an axis of their own."""
    from matplotlib.figure import Figure

    panels = [[row for row in rows if row.reported is reported] for reported in (False, True)]
    shown = [panel for panel in panels if panel]
    if not shown:
        return None
    heights = [_HEAD + _LINE * len(_list_lines(panel)) + _FOOT for panel in shown]
    with use_style():
        figure = Figure(figsize=(_WIDTH, sum(heights)))
        top = sum(heights)
        for panel, height in zip(shown, heights, strict=True):
            bottom, tall = top - height + _FOOT, height - _HEAD - _FOOT
            box = (_LEFT, bottom / sum(heights), _RIGHT - _LEFT, tall / sum(heights))
            draw = _draw_changes if panel[0].reported else _draw_ratios
            draw(figure.add_axes(box), panel)
            top -= height
    return Picture("forest", figure, _describe(*panels), _explain(*panels))


def _list_lines(rows: list[ForestRow]) -> list[ForestRow | str]:
    """List the lines of a panel: each cohort's name above its rows."""
    lines: list[ForestRow | str] = []
    for row in rows:
        if not lines or row.heading not in lines:
            lines.append(row.heading)
        lines.append(row)
    return lines


def _draw_ratios(ax: Axes, rows: list[ForestRow]) -> None:
    from matplotlib.ticker import NullLocator

    ends = [v for row in rows for v in (row.estimate, row.ci_low, row.ci_high)]
    finite = [value for value in ends if 0 < value < math.inf]
    low = max(min([*finite, 0.5]) / 1.1, _NARROWEST)
    high = min(max([*finite, 2.0]) * 1.1, _WIDEST)
    _draw_lines(ax, rows, none=1.0, low=low, high=high)
    ax.set_xscale("log")
    ax.set_xlim(low, high)
    ticks = [tick for tick in _RATIO_TICKS if low <= tick <= high]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("ratio (1: no difference)")
    _draw_words(
        ax, -1, "Computed from the cohorts' files: the site beside its control", INTERVENTION
    )


def _draw_changes(ax: Axes, rows: list[ForestRow]) -> None:
    low = min(-100.0, *(row.estimate for row in rows))
    high = max(25.0, *(row.estimate for row in rows))
    margin = 0.03 * (high - low)
    _draw_lines(ax, rows, none=0.0, low=low, high=high)
    ax.set_xlim(low - margin, high + margin)
    ax.xaxis.set_major_formatter(lambda change, _: format_change(change))
    ax.set_xlabel("change, as reported")
    title = "Reported by others: no control site, no interval, not checked"
    _draw_words(ax, -1, title, INTERVENTION)


def _draw_lines(ax: Axes, rows: list[ForestRow], *, none: float, low: float, high: float) -> None:
    """Draw a row of each line, its words on the left and its numbers on the right."""
    from matplotlib.transforms import blended_transform_factory

    lines = _list_lines(rows)
    ax.axvline(none, color=RULE, linestyle="--", zorder=0)
    for y, line in enumerate(lines):
        if isinstance(line, str):
            _draw_words(ax, y, shorten(line, 90, placeholder=" …"), INK)
            continue
        estimate, start, end = (
            min(max(value, low), high) for value in (line.estimate, line.ci_low, line.ci_high)
        )
        if line.has_interval:
            ax.plot([start, end], [y, y], color=INTERVENTION, lw=4 if line.drift else 1.2)
        if line.reported:
            ax.plot(estimate, y, "D", mfc="white", mec=CONTROL, mew=2, ms=8)
        else:
            ax.plot(estimate, y, "s", color=INTERVENTION, ms=8)
        words = blended_transform_factory(ax.figure.transFigure, ax.transData)
        ax.text(0.02, y, shorten(line.label, 40, placeholder=" …"), transform=words, va="center")
        ax.text(_RIGHT + 0.02, y, line.value, transform=words, va="center")
    ax.set_ylim(len(lines) - 0.5, -0.5)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)


def _draw_words(ax: Axes, y: float, text: str, color: str) -> None:
    """Write a heading at the figure's left edge, beside line `y` of a panel."""
    from matplotlib.transforms import blended_transform_factory

    left = blended_transform_factory(ax.figure.transFigure, ax.transData)
    bold: dict[str, Any] = {"fontweight": "bold", "color": color, "backgroundcolor": "white"}
    ax.text(0, y, text, transform=left, va="center", **bold)


def _describe(computed: list[ForestRow], reported: list[ForestRow]) -> str:
    parts = {"Rate ratios computed from files.": computed}
    parts["Reported by others and not checked."] = reported
    return " ".join(
        f"{head} {'; '.join(row.words for row in rows)}." for head, rows in parts.items() if rows
    )


def _explain(computed: list[ForestRow], reported: list[ForestRow]) -> str:
    sentences = {
        "Filled squares: the relative incidence rate ratio (RIRR). Left of 1, counts fell more, or "
        "rose less, than at the control site. Lines: its 95% interval.": bool(computed),
        "Thick lines: made from how much places changed in which nothing was done; one that "
        "crosses 1 is nothing out of the ordinary.": any(row.drift for row in computed),
        "Thin lines: no such places could be compared, so the interval answers for chance among "
        "incidents and, of pairs taken together, for how much they differ, and not for what places "
        "do for reasons of their own: it sees a change too often.": not all(
            row.drift for row in computed
        ),
        "Hollow diamonds: percentage changes as people reported them, on a scale of their own. The "
        "two kinds can't be compared.": bool(reported),
    }
    return " ".join(sentence for sentence, applies in sentences.items() if applies)
