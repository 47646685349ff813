"""Answers to single questions: Likert bars and questions with several answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sbwork.evaluation import Evaluation
from sbwork.grade.disclosure import merge_small_cells
from sbwork.render.blocks import Picture, Table, compose_picture
from sbwork.render.intervals import HIDDEN
from sbwork.render.style import INK
from sbwork.specs.cohort import Cohort
from sbwork.specs.instrument import Instrument
from sbwork.stats import Flag
from sbwork.stats.findings import has_flag, select_findings
from sbwork.stats.formats import (
    format_count,
    format_share,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

    FloatArray = NDArray[np.float64]

__all__ = [
    "count_shares",
    "describe_answers",
    "draw_likert",
    "picture_answers",
    "tabulate_multiple",
]

_LIKERT = ("#b35806", "#f1a340", "#d8d8d8", "#67a9cf", "#0b3c6f")


def picture_answers(evaluation: Evaluation) -> Iterator[Picture]:
    """Draw the answers to the items of each scale."""
    cohort, instrument, responses = evaluation.cohort, evaluation.instrument, evaluation.responses
    if instrument is None or responses is None:
        return
    answers = responses.answers
    sites = {pair.intervention for pair in cohort.pairs} or set(cohort.sites)
    wave = "after" if (answers["wave"] == "after").any() else "before"
    chosen = answers[(answers["wave"] == wave) & answers["site"].isin(sites)]
    place = "intervention areas" if cohort.pairs else "all sites"
    if len(chosen) < cohort.smallest_group:
        return
    fewest, weights = cohort.smallest_group, chosen["weight"].to_numpy()
    weighted = "Percentages are weighted; n counts people. " if (weights != 1).any() else ""
    for scale, spec in instrument.scales.items():
        items = spec.items
        if not items or len({instrument.list_answers(item) for item in items}) > 1:
            continue

        def draw(figure: Figure, items: tuple[str, ...] = items) -> None:
            ax = figure.subplots()
            draw_likert(ax, chosen, instrument, items, fewest=fewest, weights=weights)
            figure.legend(loc="outside lower center", ncols=5, fontsize=8.5)

        yield compose_picture(
            cohort,
            f"answers-{scale}",
            draw,
            size=(8.8, 1.5 + 0.62 * len(items)),
            alt=describe_answers(chosen, instrument, items, fewest),
            caption=f"{instrument.title_scale(scale)}, {place}, {wave}: answers in per "
            f"cent of those who gave one. {weighted}Half of the middle answer lies on each side "
            f"of the line; an answer that fewer than {fewest} people gave is drawn with the next; "
            "'don't "
            "know' and blanks are counted under data quality.",
        )


def describe_answers(
    answers: pd.DataFrame, instrument: Instrument, items: Sequence[str], fewest: int = 1
) -> str:
    """Say what share gave an answer above the middle to each item, and how many answered.

    Shares are weighted where `answers` has a column ``weight``; the numbers of people are not. A
    share of 1 to `fewest` - 1 people, or of all but as many, is left out.
    """
    parts = []
    for item in items:
        codes = [option.code for option in instrument.list_answers(item)]
        given = answers[answers[item].notna()]
        if "weight" in given:
            given = given[given["weight"] > 0]
        if given.empty:
            continue
        above = (given[item] > (min(codes) + max(codes)) / 2).to_numpy()
        weights = given["weight"].to_numpy() if "weight" in given else np.ones(len(given))
        few = [count for count in (above.sum(), (~above).sum()) if 1 <= count < fewest]
        share = "too few to tell" if few else format_share(float(weights @ above / weights.sum()))
        text = instrument.items[item].text or item
        parts.append(f"'{text}' {share} above the middle (n = {format_count(len(given))})")
    return "; ".join(parts) + "."


def tabulate_multiple(multiple: pd.DataFrame, cohort: Cohort, findings: pd.DataFrame) -> Table:
    """Lay out the multiple-response sets: columns wave, site, set, option, count, base.

    A share of fewer people than the cohort's smallest group, or of all but as many, is hidden; so
    is the number of people asked in a wave where findings say that it has to be.
    """
    rows, fewest = [], cohort.smallest_group
    asked = select_findings(findings, section="scores", estimator="n_scored")
    secret = {row["period"] for _, row in asked.iterrows() if has_flag(row, Flag.N_HIDDEN)}
    for (wave, name, option), held in multiple.groupby(["wave", "set", "option"], sort=False):
        count, base = float(held["count"].sum()), float(held["base"].sum())
        few = 0 < count < fewest or 0 < base - count < fewest or base < fewest
        rows.append(
            {
                "Set": f"{name}, {wave}",
                "Option": str(option),
                "Ticked": HIDDEN if few else format_share(count / base),
                "Asked (n)": HIDDEN if wave in secret or base < fewest else format_count(base),
            }
        )
    return Table(
        rows,
        name="multiple",
        title="Questions with several answers",
        subtitle="All sites; people could tick more than one",
        stub="Option",
        group="Set",
        notes=[f"Hidden: fewer than {fewest} people ticked it, or left it."],
    )


def draw_likert(
    ax: Axes,
    answers: pd.DataFrame,
    instrument: Instrument,
    items: Sequence[str],
    *,
    neutral: str = "split",
    fewest: int = 1,
    weights: ArrayLike | None = None,
) -> None:
    """Draw the answers to Likert items as bars, in the order given, with the base of each."""
    if neutral not in {"split", "centred", "aside", "stacked"}:
        raise ValueError(f"neutral is '{neutral}'; allowed: split, centred, aside, stacked")
    options = instrument.list_answers(items[0])
    codes = [option.code for option in options]
    shares, bases = count_shares(answers, items, codes, fewest, weights)
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
                    color="white" if dark else INK,
                )
    if neutral != "stacked":
        ax.axvline(0, color=INK, lw=0.9, zorder=0)
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


def count_shares(
    answers: pd.DataFrame,
    items: Sequence[str],
    codes: Sequence[float],
    fewest: int = 1,
    weights: ArrayLike | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return the percentage of each code, and how many people each item rests on."""
    weight = np.ones(len(answers)) if weights is None else np.asarray(weights, dtype=np.float64)
    shares, bases = np.zeros((len(items), len(codes))), np.zeros(len(items))
    for row, item in enumerate(items):
        chosen = answers[item].to_numpy()[:, None] == np.asarray(codes)[None, :]
        chosen &= weight[:, None] > 0
        counts = chosen.sum(axis=0)
        merged = merge_small_cells(counts, fewest)
        bases[row] = merged.sum()
        if bases[row] == 0:
            continue
        # Codes are merged in runs, so the totals up to each code tell where it went.
        into = np.searchsorted(np.cumsum(merged), np.cumsum(counts))
        masses = np.bincount(into, weights=weight @ chosen, minlength=len(codes))
        shares[row] = 100 * masses / masses.sum()
    return shares, bases


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


def _spread_colours(count: int) -> list[str]:
    from matplotlib.colors import LinearSegmentedColormap, to_hex

    ramp = LinearSegmentedColormap.from_list("likert", list(_LIKERT))
    return [to_hex(ramp(index / (count - 1))) for index in range(count)]


def _wrap(text: str, width: int = 46) -> str:
    from textwrap import fill

    return "\n".join(fill(line, width) for line in text.split("\n"))
