"""Answers to single questions: Likert bars and questions with several answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sbwork.evaluation import Evaluation
from sbwork.grade.cross_tables import merge_small_cells
from sbwork.render.blocks import Picture, Table, compose_picture
from sbwork.render.intervals import HIDDEN
from sbwork.render.style import INK, fit_text, name_lines
from sbwork.specs.cohort import Cohort
from sbwork.specs.instrument import Instrument
from sbwork.stats import Flag
from sbwork.stats.findings import find_flagged, select_findings
from sbwork.stats.formats import format_count, format_share

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike, NDArray

    FloatArray = NDArray[np.float64]

_LIKERT = ("#b35806", "#f1a340", "#d8d8d8", "#67a9cf", "#0b3c6f")
_NARROWEST = 7
"""Percent below which a bar has no room for its number."""


def picture_answers(evaluation: Evaluation) -> Iterator[Picture]:
    """Draw the answers to the items of each scale."""
    cohort, instrument, responses = evaluation.cohort, evaluation.instrument, evaluation.responses
    if instrument is None or responses is None:
        return
    answers, fewest = responses.answers, cohort.smallest_group
    sites = {pair.intervention for pair in cohort.pairs} or set(cohort.sites)
    wave = "after" if (answers["wave"] == "after").any() else "before"
    chosen = answers[(answers["wave"] == wave) & answers["site"].isin(sites)]
    if len(chosen) < fewest:
        return
    place = "intervention areas" if cohort.pairs else "all sites"
    weighted = ""
    if (chosen["weight"] != 1).any():
        weighted = "Percentages are weighted; n counts people. "
    for scale, spec in instrument.scales.items():
        items = spec.items
        if not items or len({instrument.list_answers(item) for item in items}) > 1:
            continue
        draw = partial(
            draw_likert,
            answers=chosen,
            instrument=instrument,
            items=items,
            fewest=fewest,
            weights=chosen["weight"].to_numpy(),
        )
        yield compose_picture(
            cohort,
            f"answers-{scale}",
            [("", draw)],
            size=(8.8, 1.5 + 0.62 * len(items)),
            alt=describe_answers(chosen, instrument, items, fewest),
            caption=f"{instrument.title_scale(scale)}, {place}, {wave}: answers in per "
            f"cent of those who gave one. {weighted}Half of the middle answer lies on each side "
            f"of the line; an answer that fewer than {fewest} people gave is drawn with the next; "
            "'don't know' and blanks are counted under data quality.",
            legend="outside lower center",
        )


def describe_answers(
    answers: pd.DataFrame, instrument: Instrument, items: Sequence[str], fewest: int = 1
) -> str:
    """Say what share gave an answer above the middle to each item, and how many answered.

    Shares are weighted where `answers` has a column ``weight``; the numbers of people are not. A
    share of 1 to `fewest` - 1 people, or of all but as many, is left out.
    """
    if "weight" not in answers:
        answers = answers.assign(weight=1.0)
    parts = []
    for item in items:
        codes = [option.code for option in instrument.list_answers(item)]
        given = answers[answers[item].notna() & (answers["weight"] > 0)]
        if given.empty:
            continue
        above = (given[item] > (min(codes) + max(codes)) / 2).to_numpy()
        weights = given["weight"].to_numpy()
        few = any(1 <= count < fewest for count in (above.sum(), (~above).sum()))
        share = "too few to tell" if few else format_share(float(weights @ above / weights.sum()))
        text = instrument.items[item].text or item
        n = _describe_base(len(given), len(answers), fewest)
        parts.append(f"'{text}' {share} above the middle ({n})")
    return "; ".join(parts) + "."


def _describe_base(base: float, asked: int, fewest: int) -> str:
    """Write how many people answered, unless that tells how few did not."""
    return "n hidden" if 1 <= asked - base < fewest else f"n = {format_count(base)}"


def tabulate_multiple(multiple: pd.DataFrame, cohort: Cohort, findings: pd.DataFrame) -> Table:
    """Lay out the multiple-response sets: columns wave, site, set, option, count, base.

    A share of fewer people than the cohort's smallest group, or of all but as many, is hidden; so
    is the number of people asked in a wave where findings say that it has to be.
    """
    rows, fewest = [], cohort.smallest_group
    asked = select_findings(findings, section="scores", estimator="n_scored")
    secret = set(asked.loc[find_flagged(asked, Flag.N_HIDDEN), "period"])
    for (wave, name, option), part in multiple.groupby(["wave", "set", "option"], sort=False):
        count, base = float(part["count"].sum()), float(part["base"].sum())
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
        notes=[
            f"Hidden: fewer than {fewest} people ticked it, or left it. A site with as few people "
            "in a wave is left out."
        ],
    )


def draw_likert(
    ax: Axes,
    answers: pd.DataFrame,
    instrument: Instrument,
    items: Sequence[str],
    fewest: int = 1,
    weights: ArrayLike | None = None,
) -> None:
    """Draw the answers to Likert items as bars, half of the middle option on each side of zero.

    Items share one set of options and keep their order; each has its base, a number of people,
    beside it. An answer that fewer than `fewest` people gave is drawn with the next one towards
    the middle.
    """
    from matplotlib.colors import LinearSegmentedColormap

    options = instrument.list_answers(items[0])
    count = len(options)
    shares, bases = count_shares(answers, items, [o.code for o in options], fewest, weights)
    starts = np.cumsum(shares, axis=1) - shares
    middle = starts[:, count // 2] + (shares[:, count // 2] / 2 if count % 2 else 0)
    starts -= middle[:, None]
    colours = LinearSegmentedColormap.from_list("likert", list(_LIKERT))
    for index, option in enumerate(options):
        bars = ax.barh(
            range(len(items)), shares[:, index], left=starts[:, index],
            label=fit_text(option.label, 30), color=colours(index / (count - 1)),
            edgecolor="white", lw=0.6, height=0.72,
        )  # fmt: skip
        ax.bar_label(
            bars,
            [format_count(v) if v >= _NARROWEST else "" for v in shares[:, index]],
            label_type="center",
            fontsize=8.5,
            color="white" if index in (0, count - 1) else INK,
        )
    ax.axvline(0, color=INK, lw=0.9, zorder=0)
    labels = []
    for item, base in zip(items, bases, strict=True):
        spec = instrument.items[item]
        n = _describe_base(base, len(answers), fewest)
        n = f"({'reversed in the score, ' * spec.reverse}{n})"
        labels.append(f"{fit_text(spec.text or item, 46)}\n{n}")
    name_lines(ax, labels, fontsize=9)
    ax.grid(visible=False)
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
    """Return the percentage of each code, an item a row, and how many people each item rests on.

    Missing answers, and people who weigh 0, are outside the percentages. A code given by fewer
    people than `fewest` is merged with the next towards the middle, whatever they weigh. The bases
    count people and are never weighted.
    """
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
        # Codes are merged in runs, so the totals up to each code show where it went.
        into = np.searchsorted(np.cumsum(merged), np.cumsum(counts))
        masses = np.bincount(into, weights=weight @ chosen, minlength=len(codes))
        shares[row] = 100 * masses / masses.sum()
    return shares, bases
