"""Answers to single questions: Likert bars and questions with several answers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sbwork.grade.publishable import PublishedAnswers
from sbwork.render.blocks import Picture, Table, compose_picture
from sbwork.render.intervals import HIDDEN
from sbwork.render.style import INK, fit_text, name_lines
from sbwork.specs.cohort import Cohort
from sbwork.specs.instrument import Instrument
from sbwork.stats.formats import format_count, format_share

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LIKERT = ("#b35806", "#f1a340", "#d8d8d8", "#67a9cf", "#0b3c6f")
_NARROWEST = 7
"""Percent below which a bar has no room for its number."""


def picture_answers(
    answers: PublishedAnswers, instrument: Instrument, cohort: Cohort
) -> Iterator[Picture]:
    """Draw the answers to the items of each scale."""
    fewest = cohort.smallest_group
    weighted = "Percentages are weighted; n counts people. " if answers.weighted else ""
    for scale, rows in answers.items.groupby("scale", sort=False):
        items = list(rows["item"].unique())
        if len({instrument.list_answers(item) for item in items}) > 1:
            continue
        yield compose_picture(
            cohort,
            f"answers-{scale}",
            [("", partial(draw_likert, shares=rows, instrument=instrument))],
            size=(8.8, 1.5 + 0.62 * len(items)),
            alt=describe_answers(rows, instrument),
            caption=f"{instrument.title_scale(str(scale))}, {answers.place}, {answers.wave}: "
            f"answers in per cent of those who gave one. {weighted}Half of the middle answer lies "
            f"on each side of the line; an answer that fewer than {fewest} people gave is drawn "
            "with the next; 'don't know' and blanks are counted under data quality.",
            legend="outside lower center",
        )


def describe_answers(shares: pd.DataFrame, instrument: Instrument) -> str:
    """Say what share gave an answer above the middle to each item, and how many answered.

    `shares` has the columns of ``PublishedAnswers.items``.
    """
    parts = []
    for row in shares.drop_duplicates("item").to_dict("records"):
        share = "too few to tell" if math.isnan(row["above"]) else format_share(row["above"])
        text = instrument.items[row["item"]].text or row["item"]
        n = "" if math.isnan(row["n"]) else f" (n = {format_count(row['n'])})"
        parts.append(f"'{text}' {share} above the middle{n}")
    return "; ".join(parts) + "."


def tabulate_multiple(multiple: pd.DataFrame, cohort: Cohort) -> Table:
    """Lay out the multiple-response sets: columns wave, set, option, share and n."""
    rows = [
        {
            "Set": f"{row['set']}, {row['wave']}",
            "Option": str(row["option"]),
            "Ticked": HIDDEN if math.isnan(row["share"]) else format_share(row["share"]),
            "Asked (n)": HIDDEN if math.isnan(row["n"]) else format_count(row["n"]),
        }
        for row in multiple.to_dict("records")
    ]
    return Table(
        rows,
        name="multiple",
        title="Questions with several answers",
        subtitle="All sites; people could tick more than one",
        stub="Option",
        group="Set",
        notes=[f"Hidden: fewer than {cohort.smallest_group} people ticked it, or left it."],
    )


def draw_likert(ax: Axes, shares: pd.DataFrame, instrument: Instrument) -> None:
    """Draw the answers to Likert items as bars, half of the middle option on each side of zero.

    `shares` has the columns of ``PublishedAnswers.items``. Items share one set of options and keep
    their order; each has its base, a number of people, beside it.
    """
    from matplotlib.colors import LinearSegmentedColormap

    items = list(shares["item"].unique())
    options = instrument.list_answers(items[0])
    count = len(options)
    percent = 100 * shares["share"].to_numpy().reshape(len(items), count)
    starts = np.cumsum(percent, axis=1) - percent
    middle = starts[:, count // 2] + (percent[:, count // 2] / 2 if count % 2 else 0)
    starts -= middle[:, None]
    colours = LinearSegmentedColormap.from_list("likert", list(_LIKERT))
    for index, option in enumerate(options):
        bars = ax.barh(
            range(len(items)), percent[:, index], left=starts[:, index],
            label=fit_text(option.label, 30), color=colours(index / (count - 1)),
            edgecolor="white", lw=0.6, height=0.72,
        )  # fmt: skip
        ax.bar_label(
            bars,
            [format_count(v) if v >= _NARROWEST else "" for v in percent[:, index]],
            label_type="center",
            fontsize=8.5,
            color="white" if index in (0, count - 1) else INK,
        )
    ax.axvline(0, color=INK, lw=0.9, zorder=0)
    labels = []
    for row in shares.drop_duplicates("item").to_dict("records"):
        spec = instrument.items[row["item"]]
        beside = ["reversed in the score"] * spec.reverse
        beside += [] if math.isnan(row["n"]) else [f"n = {format_count(row['n'])}"]
        text = fit_text(spec.text or row["item"], 46)
        labels.append(f"{text}\n({', '.join(beside)})".removesuffix("\n()"))
    name_lines(ax, labels, fontsize=9)
    ax.grid(visible=False)
    ax.xaxis.set_major_formatter(lambda value, _: f"{format_count(abs(value))}%")
    ax.tick_params(length=0)
    ax.spines["left"].set_visible(False)
