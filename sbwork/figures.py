"""Results drawn with matplotlib: every function draws on the axes that it is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sbwork.cohort import Cohort
from sbwork.formats import format_change, format_count
from sbwork.instrument import Instrument
from sbwork.results import find_row, select_findings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

__all__ = [
    "AFTER",
    "BEFORE",
    "CONTROL",
    "INTERVENTION",
    "STYLE",
    "draw_changes",
    "draw_differences",
    "draw_likert",
    "draw_means",
    "draw_monthly_counts",
    "draw_placebos",
    "draw_reported",
    "draw_score_distributions",
    "list_compared_sites",
]

INTERVENTION = "#0b3c6f"
CONTROL = "#d1730f"
BEFORE = "#8a97a6"
AFTER = "#0b3c6f"
_INK = "#1d2733"
_RULE = "#c9d1da"
_LIKERT = ("#b35806", "#f1a340", "#d8d8d8", "#67a9cf", "#0b3c6f")

STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10.5,
    "axes.edgecolor": _RULE,
    "axes.labelcolor": _INK,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlecolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "text.color": _INK,
    "grid.color": "#e6eaef",
    "legend.frameon": False,
    "figure.facecolor": "white",
    "svg.fonttype": "path",
    "svg.hashsalt": "sbwork",
}
"""How every figure looks; two hues that stay apart in grey and to colour-blind readers."""


def draw_changes(ax: Axes, findings: pd.DataFrame, cohort: Cohort, outcome: str) -> None:
    """Draw each area's percentage change beside its control site's, with intervals.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    findings : pandas.DataFrame
        As `compare_counts` returns it.
    cohort : Cohort
        For the pairs and their titles.
    outcome : str
        Key of the outcome.
    """
    rows = select_findings(findings, section="counts", estimator="percentage_change")
    rows = rows[(rows["outcome"] == outcome) & (rows["period"] == "change")]
    labels: list[str] = []
    for pair in cohort.pairs:
        for site, colour, marker in (
            (pair.intervention, INTERVENTION, "o"),
            (pair.control, CONTROL, "s"),
        ):
            if not site:
                continue
            at = len(labels)
            labels.append(cohort.title_site(site))
            row = find_row(rows, site=site)
            if row is None or np.isnan(row["estimate"]):
                ax.text(0, at, "not available", va="center", ha="center", style="italic")
                continue
            ax.plot([row["ci_low"], row["ci_high"]], [at, at], color=colour, lw=2.2, alpha=0.75)
            ax.plot(row["estimate"], at, marker, color=colour, ms=9, mec="white", mew=1)
            ax.annotate(
                format_change(row["estimate"]),
                (row["estimate"], at),
                xytext=(0, 9),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=10,
                fontweight="bold",
                color=colour,
                bbox={"fc": "white", "ec": "none", "alpha": 0.85, "pad": 0.8},
            )
    ax.axvline(0, color=_INK, lw=0.9, zorder=0)
    ax.locator_params(axis="x", nbins=6)
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(len(labels) - 0.4, -0.75)
    ax.grid(axis="x")
    ax.tick_params(length=0)
    ax.spines["left"].set_visible(False)
    ax.xaxis.set_major_formatter(lambda value, _: format_change(value))
    ax.set_title(cohort.title_outcome(outcome))


def draw_monthly_counts(
    ax: Axes,
    counts: pd.DataFrame,
    cohort: Cohort,
    sites: Sequence[str],
    outcome: str,
    periods: Sequence[str] = ("before", "after"),
) -> None:
    """Draw the monthly counts of sites; a month that no file covers is a gap in the line.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    counts : pandas.DataFrame
        ``Incidents.sites``: columns site, outcome, month, count.
    cohort : Cohort
        For the roles and titles of the sites, and for the periods.
    sites : sequence of str
        Keys of the sites.
    outcome : str
        Key of the outcome.
    periods : sequence of {"before", "after"}
        Which periods to draw; both also show what lies between and around them.
    """
    chosen = counts[counts["outcome"] == outcome]
    months = sorted(chosen["month"].unique())
    if cohort.periods and set(periods) != {"before", "after"}:
        wanted = {month for period in periods for month in getattr(cohort.periods, period).months}
        months = [month for month in months if month in wanted]
    at = {month: index for index, month in enumerate(months)}
    held = [at[m] for m in cohort.periods.after.months if m in at] if cohort.periods else []
    if held:
        ax.axvspan(min(held) - 0.5, max(held) + 0.5, color="#eef3f8", zorder=0)
        ax.text(min(held) - 0.3, 0.985, "after", transform=ax.get_xaxis_transform(), va="top")
    seen = {True: 0, False: 0}
    interventions = {pair.intervention for pair in cohort.pairs}
    for site in sites:
        treated = site in interventions
        series = chosen[chosen["site"] == site].set_index("month")["count"].reindex(months)
        ax.plot(
            range(len(months)),
            series.to_numpy(),
            "-" if treated else "--",
            color=(INTERVENTION if treated else CONTROL),
            alpha=1 / (1 + 0.5 * seen[treated]),
            marker=("o^Dv" if treated else "sPX*")[seen[treated] % 4],
            ms=4.5,
            lw=1.8,
            label=cohort.title_site(site),
        )
        seen[treated] += 1
    step = max(1, len(months) // 8)
    ax.set_xticks(range(0, len(months), step), months[::step], rotation=30, ha="right")
    ax.set_ylim(bottom=0, top=ax.get_ylim()[1] * 1.12)
    ax.grid(axis="y")
    ax.set_ylabel("Incidents a month")
    ax.set_title(cohort.title_outcome(outcome))
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=9)


def draw_placebos(ax: Axes, changes: Sequence[float], own: float, low: float, high: float) -> None:
    """Draw how comparable areas changed where nothing was done, with the pair's own change.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    changes : sequence of float
        Relative changes of the placebo areas, in percent.
    own : float
        The pair's own relative change, in percent.
    low, high : float
        The range that holds the middle 95% of the placebos, in percent.
    """
    ratios = _take_log_ratio(np.asarray(changes, dtype=float))
    ax.hist(ratios, bins=40, color="#b9c4d0", edgecolor="white", lw=0.4)
    for end in (low, high):
        ax.axvline(_take_log_ratio(end), color=_INK, lw=1.2, ls=":")
    if np.isfinite(own):
        at = _take_log_ratio(own)
        ax.axvline(at, color=INTERVENTION, lw=2.6)
        ax.annotate(
            f"this pair {format_change(own)}",
            (at, 1),
            xycoords=("data", "axes fraction"),
            xytext=(6, -4),
            textcoords="offset points",
            va="top",
            color=INTERVENTION,
            fontweight="bold",
            bbox={"fc": "white", "ec": "none", "alpha": 0.85, "pad": 1.5},
        )
    ax.margins(y=0.35)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    marks = (-90, -75, -50, 0, 100, 300, 900)
    left, right = ax.get_xlim()
    shown = [mark for mark in marks if left <= _take_log_ratio(mark) <= right]
    ax.set_xticks([float(_take_log_ratio(m)) for m in shown], [format_change(m) for m in shown])


def _take_log_ratio(percent: Any) -> Any:
    """Put a percentage change on the axis of log ratios, where halving and doubling weigh alike."""
    return np.log1p(np.maximum(percent, -99.9) / 100)


def draw_means(
    ax: Axes,
    findings: pd.DataFrame,
    cohort: Cohort,
    scale: str,
    sites: Sequence[str] | None = None,
    waves: Sequence[str] = ("before", "after"),
) -> None:
    """Draw a scale's mean by site and wave, with intervals.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    findings : pandas.DataFrame
        As `compare_scales` returns it.
    cohort : Cohort
        For the sites and their titles.
    scale : str
        Key of the scale.
    sites : sequence of str, optional
        Keys of the sites; every site of every pair by default.
    waves : sequence of {"before", "after"}
        Which waves to draw.
    """
    rows = select_findings(findings, section="scales", estimator="mean", outcome=scale)
    shown = list_compared_sites(cohort) if sites is None else list(sites)
    looks = {"before": (BEFORE, "s", -0.14), "after": (AFTER, "o", 0.14)}
    for wave in waves:
        colour, marker, shift = looks[wave]
        label: str | None = wave.capitalize()
        for index, site in enumerate(shown):
            row = find_row(rows, site=site, period=wave)
            if row is None or np.isnan(row["estimate"]):
                continue
            y = index + shift
            ax.plot([row["ci_low"], row["ci_high"]], [y, y], color=colour, lw=2)
            ax.plot(row["estimate"], y, marker, color=colour, ms=7, label=label)
            label = None
    ax.set_yticks(range(len(shown)), [cohort.title_site(site) for site in shown])
    ax.set_ylim(len(shown) - 0.5, -0.5)
    ax.grid(axis="x")
    ax.tick_params(axis="y", length=0)


def list_compared_sites(cohort: Cohort) -> list[str]:
    """List the sites of every pair, each intervention site followed by its control."""
    return [site for pair in cohort.pairs for site in (pair.intervention, pair.control) if site]


def draw_differences(ax: Axes, rows: pd.DataFrame, labels: Sequence[str], band: float) -> None:
    """Draw estimates with intervals around zero, and the band too small to matter.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    rows : pandas.DataFrame
        Findings, one row a line.
    labels : sequence of str
        What each line is called.
    band : float
        Half-width of the band of differences too small to matter; 0 for none.
    """
    if band:
        ax.axvspan(-band, band, color="#eef3f8", zorder=0)
    ax.axvline(0, color=_INK, lw=0.9)
    for index, (_, row) in enumerate(rows.iterrows()):
        if np.isnan(row["estimate"]):
            ax.text(0, index, "not available", va="center", ha="center", style="italic")
            continue
        ax.plot([row["ci_low"], row["ci_high"]], [index, index], color=INTERVENTION, lw=2.2)
        ax.plot(row["estimate"], index, "o", color=INTERVENTION, ms=8, mec="white", mew=1)
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.grid(axis="x")
    ax.tick_params(axis="y", length=0)


def draw_reported(ax: Axes, findings: pd.DataFrame) -> None:
    """Draw figures as reported by others, hatched, so that they never pass for measurements."""
    rows = select_findings(findings, section="reported")
    values = rows["estimate"].to_numpy(dtype=float)
    ax.barh(range(len(rows)), values, color="#dfe5ec", edgecolor=INTERVENTION, hatch="///", lw=1)
    for index, value in enumerate(values):
        inside = "right" if value > 0 else "left"
        ax.annotate(
            format_change(value),
            (0, index),
            xytext=(-8 if value > 0 else 8, 0),
            textcoords="offset points",
            ha=inside,
            va="center",
            fontweight="bold",
        )
    ax.axvline(0, color=_INK, lw=0.9)
    ax.set_yticks(range(len(rows)), rows["outcome"].tolist())
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_xlim(min(-100.0, values.min(initial=0)), max(22.0, values.max(initial=0)))
    ax.tick_params(length=0)
    ax.spines["left"].set_visible(False)
    ax.xaxis.set_major_formatter(lambda value, _: format_change(value))


def draw_likert(
    ax: Axes,
    answers: pd.DataFrame,
    instrument: Instrument,
    items: Sequence[str],
    *,
    neutral: str = "split",
) -> None:
    """Draw the answers to Likert items as bars, in the order given, with the base of each.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    answers : pandas.DataFrame
        ``Responses.answers``: one column an item, codes as given; missing answers are outside
        the percentages.
    instrument : Instrument
        For the options and the wording.
    items : sequence of str
        Items that share one set of options.
    neutral : {"split", "centred", "aside", "stacked"}
        Diverging with half of the middle option on each side of zero; with the middle option in
        a column of its own, in the centre or aside on the right; or plain bars from 0 to 100%.
    """
    if neutral not in {"split", "centred", "aside", "stacked"}:
        raise ValueError(f"neutral is '{neutral}'; allowed: split, centred, aside, stacked")
    options = instrument.list_answers(items[0])
    codes = [option.code for option in options]
    shares, bases = count_shares(answers, items, codes)
    middle = len(codes) // 2 if len(codes) % 2 else None
    colours = _spread_colours(len(codes))
    starts = _place_bars(shares, middle, neutral)
    for index, option in enumerate(options):
        width, at = shares[:, index], starts[:, index]
        bars = ax.barh(
            range(len(items)), width, left=at, color=colours[index], label=option.label,
            edgecolor="white", lw=0.6, height=0.72,
        )  # fmt: skip
        for bar, value in zip(bars, width, strict=True):
            if value >= 7:
                dark = index in (0, len(codes) - 1)
                ax.text(
                    bar.get_x() + bar.get_width() / 2,
                    bar.get_y() + bar.get_height() / 2,
                    format_count(value),
                    ha="center",
                    va="center",
                    fontsize=8.5,
                    color="white" if dark else _INK,
                )
    if neutral != "stacked":
        ax.axvline(0, color=_INK, lw=0.9, zorder=0)
    labels = [
        f"{instrument.items[item].text or item}\n"
        f"({'reversed in the score, ' * instrument.items[item].reverse}n = {format_count(base)})"
        for item, base in zip(items, bases, strict=True)
    ]
    ax.set_yticks(range(len(items)), [_wrap(label) for label in labels], fontsize=9)
    ax.set_ylim(len(items) - 0.4, -0.6)
    ax.xaxis.set_major_formatter(lambda value, _: f"{format_count(abs(value))}%")
    ax.tick_params(length=0)
    ax.spines["left"].set_visible(False)


def _place_bars(shares: FloatArray, middle: int | None, neutral: str) -> FloatArray:
    """Return where each bar starts, shape (n_items, n_codes)."""
    ends = np.cumsum(shares, axis=1)
    starts: FloatArray = ends - shares
    if neutral == "stacked":
        return starts
    if middle is None:
        starts -= starts[:, [shares.shape[1] // 2]]
        return starts
    width = shares[:, [middle]]
    if neutral == "split":
        starts -= starts[:, [middle]] + width / 2
        return starts
    gap = width.max() if neutral == "centred" else 0.0
    placed: FloatArray = starts - starts[:, [middle]] - gap / 2
    placed[:, middle + 1 :] += gap - width
    placed[:, middle] = -width[:, 0] / 2 if neutral == "centred" else 110.0
    return placed


def count_shares(
    answers: pd.DataFrame, items: Sequence[str], codes: Sequence[float]
) -> tuple[FloatArray, FloatArray]:
    """Return the percentage of each code, shape (n_items, n_codes), and each item's base."""
    counts = np.array(
        [[np.count_nonzero(answers[item].to_numpy() == code) for code in codes] for item in items],
        dtype=float,
    )
    bases = counts.sum(axis=1)
    with np.errstate(invalid="ignore"):
        shares = np.where(bases[:, None] > 0, 100 * counts / bases[:, None], 0.0)
    return shares, bases


def draw_score_distributions(
    ax: Axes, scores: pd.DataFrame, cohort: Cohort, scale: str, fewest: int
) -> None:
    """Draw how a scale's scores spread, by site and wave, as boxes with their medians.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    scores : pandas.DataFrame
        As `score_scales` returns it.
    cohort : Cohort
        For the sites and their titles.
    scale : str
        Key of the scale.
    fewest : int
        A group with fewer scores than this is left out.
    """
    sites = list_compared_sites(cohort)
    for index, site in enumerate(sites):
        for wave, colour, shift in (("before", BEFORE, -0.18), ("after", AFTER, 0.18)):
            chosen = scores[(scores["site"] == site) & (scores["wave"] == wave)][scale].dropna()
            if len(chosen) < fewest:
                continue
            box = ax.boxplot(
                chosen, positions=[index + shift], orientation="horizontal", widths=0.3,
                patch_artist=True, showfliers=False, whis=(5, 95),
                medianprops={"color": "white", "lw": 2}, whiskerprops={"color": colour},
                capprops={"color": colour}, boxprops={"color": colour},
            )  # fmt: skip
            for patch in box["boxes"]:
                patch.set_facecolor(colour)
                patch.set_label(wave.capitalize() if index == 0 else "_")
    ax.set_yticks(range(len(sites)), [cohort.title_site(site) for site in sites])
    ax.set_ylim(len(sites) - 0.5, -0.5)
    ax.grid(axis="x")
    ax.tick_params(axis="y", length=0)


def _spread_colours(count: int) -> list[str]:
    from matplotlib.colors import LinearSegmentedColormap, to_hex

    ramp = LinearSegmentedColormap.from_list("likert", list(_LIKERT))
    return [to_hex(ramp(index / (count - 1))) for index in range(count)]


def _wrap(text: str, width: int = 46) -> str:
    from textwrap import fill

    return "\n".join(fill(line, width) for line in text.split("\n"))
