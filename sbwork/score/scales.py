"""Answers turned into scale scores, and how well the scales measure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sbwork.score.items import Part, ScaleScore, average_scales
from sbwork.score.omega import estimate_omega, resample_covariances
from sbwork.score.weights.targets import find_margins
from sbwork.specs.cohort import Weighting
from sbwork.specs.errors import InputError, Problem, list_names
from sbwork.specs.instrument import Instrument
from sbwork.stats import Estimate, Flag, Reason
from sbwork.stats.cells import summarise_cell
from sbwork.stats.estimate import Refusal, add_note
from sbwork.stats.findings import Finding, tabulate_findings
from sbwork.stats.means import estimate_mean
from sbwork.stats.reliability import (
    estimate_alpha,
    estimate_alpha_if_dropped,
    estimate_item_rest,
    find_opposed_items,
)

_CHUNK = 16_384
_WEAK_ITEM_REST = 0.2
_WAVES = {"before": 0, "after": 1}
_NO_SCORE = Refusal(Reason.NO_ANSWERS, "Nobody answered enough items for a score.")

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Group:
    """A site (or all) in a wave (or all), as the cells of wave and site that it holds."""

    site: str
    period: str
    cells: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Grouping:
    """The cell of wave and site that each row is in, and the groups made of cells."""

    cell_of: NDArray[np.uint16]
    sizes: IntArray
    groups: tuple[_Group, ...]

    @property
    def n_cells(self) -> int:
        return len(self.sizes)

    def select(self, group: _Group) -> slice | IntArray:
        if len(group.cells) == self.n_cells:
            return slice(None)
        chosen = np.zeros(self.n_cells, dtype=np.bool_)
        chosen[list(group.cells)] = True
        return np.flatnonzero(chosen[self.cell_of])

    def count(self, marked: BoolArray) -> IntArray:
        if self.n_cells == 1:
            return np.array([np.count_nonzero(marked)], dtype=np.intp)
        return np.bincount(self.cell_of[marked], minlength=self.n_cells)


@dataclass(frozen=True, slots=True)
class _Moments:
    """Sums over complete cases, about the middle of each item's range: they add up exactly."""

    n: int
    sums: FloatArray
    products: FloatArray

    def __add__(self, other: _Moments) -> _Moments:
        return _Moments(self.n + other.n, self.sums + other.sums, self.products + other.products)

    @property
    def covariance(self) -> FloatArray:
        if self.n < 2:
            return np.zeros_like(self.products)
        return (self.products - np.outer(self.sums, self.sums) / self.n) / (self.n - 1)


def score_scales(answers: pd.DataFrame, instrument: Instrument) -> pd.DataFrame:
    """Score every scale of the instrument for every respondent.

    Reversed items are turned round (lowest + highest code - code); the score is the mean of the
    items answered when at least `Scale.required` of them are (half, rounded up, unless the
    instrument says otherwise), else missing. A scale made of scales is the mean of their scores
    under the same rule; there a scale with ``reverse``, such as fear, is turned round, while its
    own score stays as it is.

    Parameters
    ----------
    answers : pandas.DataFrame, shape (n_respondents, n_columns)
        `Responses.answers`: one float64 column an item, holding the code as given, and any other
        columns. It is left unchanged.
    instrument : Instrument
        The questionnaire.

    Returns
    -------
    pandas.DataFrame, shape (n_respondents, n_other_columns + n_scales)
        The columns of `answers` that are not items, then one float64 column a scale, in points
        of its items' range. The index is kept.

    Raises
    ------
    InputError
        An item of a scale has no column, a column holds codes outside the item's range, or a
        scale has the name of another column.

    References
    ----------
    Schafer, J. L., & Graham, J. W. (2002). Psychological Methods, 7, 147-177 (on averaging the
    items at hand).

    Examples
    --------
    >>> agree = [{"code": 1}, {"code": 2}, {"code": 3}, {"code": 4}, {"code": 5}]
    >>> instrument = Instrument.model_validate({
    ...     "name": "short",
    ...     "options": {"agree": agree},
    ...     "items": {"t1": {"options": "agree"}, "t2": {"options": "agree", "reverse": True}},
    ...     "scales": {"trust": {"items": ["t1", "t2"]}},
    ... })
    >>> answers = pd.DataFrame({"site": ["a1", "a2"], "t1": [4.0, np.nan], "t2": [1.0, 2.0]})
    >>> score_scales(answers, instrument)
      site  trust
    0   a1    4.5
    1   a2    4.0
    """
    scores = average_scales(answers, instrument)
    others = [column for column in answers.columns if column not in instrument.items]
    taken = [str(column) for column in others if column in scores]
    if taken:
        raise InputError(
            Problem(
                "the answers",
                f"column {list_names(taken)}",
                "a column has the name of a scale",
                "Give the scale another name in the instrument",
            )
        )
    columns: dict[str, pd.Series] = {column: answers[column] for column in others}
    for scale, score in scores.items():
        columns[scale] = pd.Series(score.points, index=answers.index, copy=False)
    return pd.DataFrame(columns, index=answers.index, copy=False)


def score_coverage(
    answers: pd.DataFrame, instrument: Instrument, weighting: Weighting | None = None
) -> pd.DataFrame:
    """Show how many people have a score, and what the scores of complete answers alone say.

    Parameters
    ----------
    answers : pandas.DataFrame
        As for `score_scales`; columns ``wave``, ``site`` and ``weight`` are used where they are
        there.
    instrument : Instrument
        The questionnaire.
    weighting : Weighting, optional
        What the weights were raked to, if they were.

    Returns
    -------
    pandas.DataFrame
        Findings of section ``"scores"`` for each scale, in all and by site and wave:
        ``"n_scored"``, ``"n_unscored"`` (count), ``"share_prorated"`` (share of the scores that
        rest on fewer than all items), ``"mean"``, ``"mean_complete_cases"`` (points; weighted,
        with the t interval that `sbwork.compare.surveys.compare_scales` gives a mean of a site and
        wave; in all, everybody counts as one sample).

    Raises
    ------
    InputError
        As for `score_scales`.
    """
    scores = average_scales(answers, instrument)
    grouping = _group_rows(answers)
    weights = _read_weights(answers)
    raked = find_margins(answers, weighting) if weighting else None
    findings: list[Finding] = []
    for group in grouping.groups:
        rows = grouping.select(group)
        at = np.arange(len(answers))[rows]
        at = at[weights[at] > 0]
        margins = raked.select(at) if raked else None
        for scale, score in scores.items():
            points = score.points[at]
            complete = np.where(score.complete[at], points, np.nan)
            estimates = [
                *_count_scores(score.points[rows], score.complete[rows]),
                estimate_mean(summarise_cell(points, weights[at], margins)),
                replace(
                    estimate_mean(summarise_cell(complete, weights[at], margins)),
                    estimator="mean_complete_cases",
                ),
            ]
            findings += [
                Finding("scores", scale, group.site, estimate, period=group.period)
                for estimate in estimates
            ]
    return tabulate_findings(findings)


def scale_reliability(
    answers: pd.DataFrame, instrument: Instrument, *, draws: int = 500, seed: int = 20180601
) -> pd.DataFrame:
    """Measure how reliable each scale is, in all and by site and wave.

    A scale made of scales is measured on their scores, since those are what it averages.
    Complete cases only, unweighted. Nothing is ever flipped or left out: an item that seems to
    be missing from the reverse key is named in a note.

    Parameters
    ----------
    answers : pandas.DataFrame
        As for `score_scales`; columns ``wave`` and ``site`` are used where they are there.
    instrument : Instrument
        The questionnaire.
    draws : int, default 500
        Bootstrap draws behind the percentile interval of omega; 0 for no interval.
    seed : int, default 20180601
        Seed of those draws.

    Returns
    -------
    pandas.DataFrame
        Findings of section ``"reliability"``. With the scale as the outcome: ``"alpha"`` (Feldt's
        interval), ``"omega_total"``, ``"floor_share"`` and ``"ceiling_share"`` (shares of the
        people with a score who are at the lowest or highest answer throughout). With
        ``"SCALE/ITEM"`` as the outcome: ``"item_rest_correlation"``, ``"alpha_if_dropped"``.
        Site and period are ``"all"`` for pooled figures.

    Raises
    ------
    InputError
        As for `score_scales`.
    ValueError
        `draws` is negative.

    See Also
    --------
    sbwork.stats.reliability : the formulas and where they come from.
    sbwork.score.omega.estimate_omega : omega total.
    """
    if draws < 0:
        raise ValueError(f"draws must be 0 or more, found {draws}")
    scores = average_scales(answers, instrument)
    grouping = _group_rows(answers)
    moments = _add_up_products(scores, grouping)
    findings: list[Finding] = []
    for scale, score in scores.items():
        unscored, *at_ends = (grouping.count(marked) for marked in _mark_ends(score))
        ends = [grouping.sizes - unscored, *at_ends]
        for group in grouping.groups:
            pooled = sum((moments[scale][cell] for cell in group.cells), _start(score))
            counts = [int(end[list(group.cells)].sum()) for end in ends]
            estimates = [
                ("", estimate_alpha(pooled.covariance, pooled.n, names=score.names)),
                ("", _measure_omega(scale, score, pooled, grouping, group, draws, seed)),
                *(
                    ("", _share(f"{end}_share", count, counts[0]))
                    for end, count in zip(("floor", "ceiling"), counts[1:], strict=True)
                ),
                *_measure_items(score, pooled),
            ]
            findings += [
                Finding("reliability", f"{scale}{item}", group.site, estimate, period=group.period)
                for item, estimate in estimates
            ]
    return tabulate_findings(findings)


def _group_rows(answers: pd.DataFrame) -> _Grouping:
    sites, site_of = _code_column(answers, "site")
    waves, wave_of = _code_column(answers, "wave")
    pairs = wave_of * (len(sites) + 1) + site_of
    sizes = np.bincount(pairs)
    met = np.flatnonzero(sizes)
    labels = [divmod(int(pair), len(sites) + 1) for pair in met]
    number = np.zeros(int(met.max(initial=0)) + 1, dtype=np.uint16)
    number[met] = np.arange(len(met), dtype=np.uint16)
    groups = tuple(
        _Group(
            sites[site] if site is not None else "all",
            waves[wave] if wave is not None else "all",
            tuple(
                cell
                for cell, (own_wave, own_site) in enumerate(labels)
                if site in (None, own_site) and wave in (None, own_wave)
            ),
        )
        for site in (None, *range(len(sites)))
        for wave in (None, *range(len(waves)))
    )
    return _Grouping(number[pairs], sizes[met], groups)


def _code_column(answers: pd.DataFrame, column: str) -> tuple[list[str], IntArray]:
    """Give the values of a column numbers, waves in order of time; a row without one comes last."""
    if column not in answers.columns:
        return [], np.zeros(len(answers), dtype=np.intp)
    codes, names = pd.factorize(answers[column])
    named = [str(name) for name in names]
    order = sorted(range(len(named)), key=lambda i: (_WAVES.get(named[i], 2), named[i]))
    place = np.empty(len(named) + 1, dtype=np.intp)
    place[[*order, len(named)]] = np.arange(len(named) + 1)
    return [named[i] for i in order], place[codes]


def _read_weights(answers: pd.DataFrame) -> FloatArray:
    if "weight" not in answers.columns:
        return np.ones(len(answers))
    return answers["weight"].to_numpy(dtype=np.float64)


def _count_scores(points: FloatArray, complete: BoolArray) -> Iterator[Estimate]:
    n, scored = len(points), int(np.count_nonzero(~np.isnan(points)))
    yield Estimate("n_scored", scored, n=n, unit="count")
    yield Estimate("n_unscored", n - scored, n=n, unit="count")
    yield _share("share_prorated", scored - int(np.count_nonzero(complete)), scored)


def _share(estimator: str, count: int, scored: int) -> Estimate:
    if scored:
        return Estimate(estimator, count / scored, n=scored, unit="share")
    return _NO_SCORE.name(estimator, n=0, unit="share")


def _start(score: ScaleScore) -> _Moments:
    k = len(score.parts)
    return _Moments(0, np.zeros(k), np.zeros((k, k)))


def _add_up_products(
    scores: dict[str, ScaleScore], grouping: _Grouping
) -> dict[str, list[_Moments]]:
    """Sum products over the complete cases of each cell, a block of rows at a time.

    Blocks stay in the processor's cache, so each answer is fetched from memory once.
    """
    moments = {scale: [_start(score)] * grouping.n_cells for scale, score in scores.items()}
    for start in range(0, len(grouping.cell_of), _CHUNK):
        rows = slice(start, start + _CHUNK)
        cells = grouping.cell_of[rows]
        present = np.bincount(cells, minlength=grouping.n_cells)
        mixed = np.count_nonzero(present) > 1
        order = np.argsort(cells, kind="stable") if mixed else slice(None)
        ends = np.cumsum(present)
        for scale, score in scores.items():
            block = _centre(score.parts, rows)
            known = ~np.isnan(np.ones(len(block)) @ block)
            counts = present
            if not known.all():
                np.copyto(block, 0.0, where=~known)
                counts = np.bincount(cells[known], minlength=grouping.n_cells)
            if not isinstance(order, slice):
                block = block.take(order, axis=1)
            for cell in map(int, np.flatnonzero(counts)):
                part = block[:, ends[cell] - present[cell] : ends[cell]]
                moments[scale][cell] += _Moments(
                    int(counts[cell]), part @ np.ones(part.shape[1]), part @ part.T
                )
    return moments


def _centre(parts: Sequence[Part], rows: slice | IntArray) -> FloatArray:
    """Stack the parts as (n_parts, n_rows), reversed ones turned, about the middle of each."""
    columns = [part.column[rows] for part in parts]
    centred = np.empty((len(parts), len(columns[0])))
    for row, column, part in zip(centred, columns, parts, strict=True):
        middle = (part.low + part.high) / 2
        if part.reverse:
            np.subtract(middle, column, out=row)
        else:
            np.subtract(column, middle, out=row)
    return centred


def _mark_ends(score: ScaleScore) -> Iterator[BoolArray]:
    """Mark who has no score, who has the lowest and who has the highest possible one."""
    unscored = np.isnan(score.points)
    yield unscored
    lows, highs = {part.low for part in score.parts}, {part.high for part in score.parts}
    if len(lows) == len(highs) == 1:
        low, high = lows.pop(), highs.pop()
        slack = 1e-9 * (high - low)
        yield score.points <= low + slack
        yield score.points >= high - slack
    else:
        for top in (False, True):
            yield ~unscored & _stay_at(score.parts, top)


def _stay_at(parts: Sequence[Part], top: bool) -> BoolArray:
    """Mark who gave the lowest (or highest) answer to every item that they answered."""
    stays = np.ones(len(parts[0].column), dtype=np.bool_)
    for part in parts:
        slack = 1e-9 * (part.high - part.low)
        if top != part.reverse:
            stays &= ~(part.column < part.high - slack)
        else:
            stays &= ~(part.column > part.low + slack)
    return stays


def _measure_omega(
    scale: str,
    score: ScaleScore,
    moments: _Moments,
    grouping: _Grouping,
    group: _Group,
    draws: int,
    seed: int,
) -> Estimate:
    resamples = None
    if draws and moments.n:
        centred = _centre(score.parts, grouping.select(group))
        complete = centred[:, ~np.isnan(centred.sum(axis=0))]
        key = crc32(f"{scale}/{group.site}/{group.period}".encode())
        random = np.random.default_rng([seed, key])
        resamples = resample_covariances(complete.T, draws, random)
    return estimate_omega(moments.covariance, moments.n, names=score.names, resamples=resamples)


def _measure_items(score: ScaleScore, moments: _Moments) -> Iterator[tuple[str, Estimate]]:
    covariance, n = moments.covariance, moments.n
    opposed = find_opposed_items(covariance)
    torn = bool(2 * opposed.sum() == len(opposed))
    rests = estimate_item_rest(covariance, n, names=score.names)
    dropped = estimate_alpha_if_dropped(covariance, n, names=score.names)
    for index, part in enumerate(score.parts):
        yield f"/{part.name}", _warn_of_item(part, rests[index], bool(opposed[index]), torn)
        yield f"/{part.name}", dropped[index]


def _warn_of_item(part: Part, rest: Estimate, opposed: bool, torn: bool) -> Estimate:
    """Add to an item-rest correlation what a reader should look into."""
    if not rest.estimate < _WEAK_ITEM_REST:
        return rest
    if rest.estimate >= 0:
        note = f"'{part.name}' is hardly related to the other items."
        return add_note(rest, note, Flag.WEAK_ITEM)
    if torn:
        why = "the items fall into two halves that run against each other"
    elif not opposed:
        why = "other items look reversed"
    elif part.reverse:
        why = "it is in the reverse key but does not look reversed"
    else:
        why = "it looks reversed but is not in the key"
    note = f"'{part.name}' runs against the other items: {why}. Nothing was flipped; check the "
    return add_note(rest, note + "wording and the reverse key.", Flag.OPPOSED_ITEM)
