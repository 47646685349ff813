"""Answers turned into scale scores, and how well the scales measure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sbwork.errors import InputError, Problem, list_names
from sbwork.estimates import Estimate
from sbwork.estimates.reliability import (
    estimate_alpha,
    estimate_alpha_if_dropped,
    estimate_item_rest,
    find_opposed_items,
)
from sbwork.instrument import Instrument
from sbwork.omega import estimate_omega, resample_covariances
from sbwork.results import Finding, tabulate_findings
from sbwork.scales import Part, ScaleScore, average_scales

__all__ = ["scale_reliability", "score_coverage", "score_scales"]

_CHUNK = 16_384
_WEAK_ITEM_REST = 0.2
_WAVES = ("before", "after")
_NO_SCORE = "Nobody answered enough items for a score."

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
BoolArray = NDArray[np.bool_]
Rows = slice | IntArray


@dataclass(frozen=True, slots=True)
class _Group:
    """A site (or all) in a wave (or all), as the cells of wave and site that it holds."""

    site: str
    period: str
    cells: tuple[int, ...]


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
    under the same rule.

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


def score_coverage(answers: pd.DataFrame, instrument: Instrument) -> pd.DataFrame:
    """Show how many people have a score, and what the scores of complete answers alone say.

    Parameters
    ----------
    answers : pandas.DataFrame
        As for `score_scales`; columns ``wave`` and ``site`` are used where they are there.
    instrument : Instrument
        The questionnaire.

    Returns
    -------
    pandas.DataFrame
        Findings of section ``"scores"`` for each scale, in all and by site and wave:
        ``"n_scored"``, ``"n_unscored"`` (count), ``"share_prorated"`` (share of the scores that
        rest on fewer than all items), ``"mean"``, ``"mean_complete_cases"`` (points; unweighted,
        with the normal 95% interval of a mean).

    Raises
    ------
    InputError
        As for `score_scales`.
    """
    scores = average_scales(answers, instrument)
    cells, groups = _split_groups(answers)
    findings: list[Finding] = []
    for scale, score in scores.items():
        for group in groups:
            chosen = _join_cells(cells, group)
            values = score.points[chosen]
            complete = values[score.complete[chosen]]
            scored = values[~np.isnan(values)]
            for estimate in _describe_scores(len(values), scored, complete):
                findings.append(Finding("scores", scale, group.site, estimate, period=group.period))
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
    sbwork.estimates.reliability : the formulas and where they come from.
    sbwork.latent.estimate_omega : omega total.
    """
    if draws < 0:
        raise ValueError(f"draws must be 0 or more, found {draws}")
    scores = average_scales(answers, instrument)
    cells, groups = _split_groups(answers)
    findings: list[Finding] = []
    for scale, score in scores.items():
        moments = [_add_up_products(score.parts, rows) for rows in cells]
        ends = np.array([_count_ends(score, rows) for rows in cells]).reshape(-1, 3)
        for group in groups:
            pooled = _pool(moments, group, len(score.parts))
            key = crc32(f"{scale}/{group.site}/{group.period}".encode())
            random = np.random.default_rng([seed, key])
            estimates = [
                ("", estimate_alpha(pooled.covariance, pooled.n, names=score.names)),
                ("", _measure_omega(score, pooled, _join_cells(cells, group), draws, random)),
                *(("", share) for share in _share_ends(ends[list(group.cells)].sum(axis=0))),
                *_measure_items(score, pooled),
            ]
            findings += [
                Finding("reliability", f"{scale}{item}", group.site, estimate, period=group.period)
                for item, estimate in estimates
            ]
    return tabulate_findings(findings)


def _split_groups(answers: pd.DataFrame) -> tuple[list[Rows], list[_Group]]:
    """Cut the rows into cells of wave and site, and list the groups made of those cells."""
    sites, site_of = _code_column(answers, "site")
    waves, wave_of = _code_column(answers, "wave")
    waves_in_order = sorted(waves, key=lambda wave: _WAVES.index(wave) if wave in _WAVES else 9)
    pairs = (wave_of + 1) * (len(sites) + 1) + site_of + 1
    cells: list[Rows]
    if len(pairs) and (pairs == pairs[0]).all():
        present, cells = pairs[:1], [slice(0, len(pairs))]
    else:
        small = pairs.astype(np.uint16) if pairs.max(initial=0) < 65_536 else pairs
        order = np.argsort(small, kind="stable")
        present, starts = np.unique(pairs[order], return_index=True)
        cells = list(np.split(order, starts[1:])) if len(present) else []
    labels = [
        (["", *sites][site], ["", *waves][wave])
        for wave, site in (divmod(int(pair), len(sites) + 1) for pair in present)
    ]
    groups = []
    for site in ["all", *sites]:
        for wave in ["all", *waves_in_order]:
            members = tuple(
                index
                for index, (own_site, own_wave) in enumerate(labels)
                if site in ("all", own_site) and wave in ("all", own_wave)
            )
            groups.append(_Group(site, wave, members))
    return cells, groups


def _code_column(answers: pd.DataFrame, column: str) -> tuple[list[str], IntArray]:
    if column not in answers.columns:
        return [], np.full(len(answers), -1, dtype=np.intp)
    codes, names = pd.factorize(answers[column], sort=True)
    return [str(name) for name in names], codes


def _join_cells(cells: list[Rows], group: _Group) -> Rows:
    if len(group.cells) == 1:
        return cells[group.cells[0]]
    if len(group.cells) == len(cells):
        return slice(None)
    chosen = [
        cell for cell in (cells[index] for index in group.cells) if isinstance(cell, np.ndarray)
    ]
    return np.sort(np.concatenate(chosen)) if chosen else np.empty(0, dtype=np.intp)


def _describe_scores(n: int, scored: FloatArray, complete: FloatArray) -> Iterator[Estimate]:
    share = 1 - len(complete) / len(scored) if len(scored) else np.nan
    yield Estimate("n_scored", len(scored), n=n, unit="count")
    yield Estimate("n_unscored", n - len(scored), n=n, unit="count")
    yield Estimate(
        "share_prorated",
        share,
        n=len(scored),
        unit="share",
        note="" if len(scored) else _NO_SCORE,
    )
    yield _estimate_mean("mean", scored, _NO_SCORE)
    yield _estimate_mean("mean_complete_cases", complete, "Nobody answered every item.")


def _estimate_mean(estimator: str, values: FloatArray, missing: str) -> Estimate:
    from scipy.special import ndtri

    n = len(values)
    if n == 0:
        return Estimate(estimator, n=0, unit="points", note=missing)
    mean = float(values.mean())
    if n == 1:
        return Estimate(estimator, mean, n=1, unit="points", note="One person: no interval.")
    se = float(values.std(ddof=1)) / np.sqrt(n)
    half = float(ndtri(0.975)) * se
    return Estimate(
        estimator, mean, ci_low=mean - half, ci_high=mean + half, se=se, n=n, unit="points"
    )


def _add_up_products(parts: Sequence[Part], rows: Rows) -> _Moments:
    """Sum products over the complete cases of one cell, a block of rows at a time."""
    signs = np.array([-1.0 if part.reverse else 1.0 for part in parts])
    n, sums, products = 0, np.zeros(len(parts)), np.zeros((len(parts), len(parts)))
    for block in _cut(rows, _CHUNK):
        centred = _gather(parts, block)
        n += centred.shape[1]
        sums += centred.sum(axis=1)
        products += centred @ centred.T
    return _Moments(n, sums * signs, products * np.outer(signs, signs))


def _gather(parts: Sequence[Part], rows: Rows) -> FloatArray:
    """Stack the complete cases as (n_parts, n), each part about the middle of its range."""
    first = parts[0].column[rows]
    centred = np.empty((len(parts), len(first)))
    for row, part in zip(centred, parts, strict=True):
        np.subtract(part.column[rows], (part.low + part.high) / 2, out=row)
    known = ~np.isnan(centred.sum(axis=0))
    return centred if known.all() else centred[:, known]


def _cut(rows: Rows, size: int) -> Iterator[Rows]:
    if isinstance(rows, slice):
        for start in range(rows.start, rows.stop, size):
            yield slice(start, min(start + size, rows.stop))
    else:
        for start in range(0, len(rows), size):
            yield rows[start : start + size]


def _pool(moments: Sequence[_Moments], group: _Group, k: int) -> _Moments:
    pooled = _Moments(0, np.zeros(k), np.zeros((k, k)))
    for cell in group.cells:
        pooled += moments[cell]
    return pooled


def _count_ends(score: ScaleScore, rows: Rows) -> IntArray:
    """Count who has a score, who is at its lowest and who at its highest possible value."""
    scored = ~np.isnan(score.points[rows])
    lows, highs = {part.low for part in score.parts}, {part.high for part in score.parts}
    if len(lows) == len(highs) == 1:
        low, high = lows.pop(), highs.pop()
        values, slack = score.points[rows], 1e-9 * (high - low)
        ends = [(values <= low + slack).sum(), (values >= high - slack).sum()]
    else:
        ends = [(scored & _stay_at(score.parts, rows, top)).sum() for top in (False, True)]
    return np.array([scored.sum(), *ends], dtype=np.intp)


def _stay_at(parts: Sequence[Part], rows: Rows, top: bool) -> BoolArray:
    """Mark who gave the lowest (or highest) answer to every item that they answered."""
    stays = np.ones(len(parts[0].column[rows]), dtype=np.bool_)
    for part in parts:
        values, slack = part.column[rows], 1e-9 * (part.high - part.low)
        away = values < part.high - slack if top != part.reverse else values > part.low + slack
        stays &= ~away
    return stays


def _measure_omega(
    score: ScaleScore, moments: _Moments, rows: Rows, draws: int, random: np.random.Generator
) -> Estimate:
    resamples = None
    if draws and moments.n:
        turned = _gather(score.parts, rows)
        turned *= np.array([-1.0 if part.reverse else 1.0 for part in score.parts])[:, None]
        resamples = resample_covariances(turned.T, draws, random)
    return estimate_omega(moments.covariance, moments.n, names=score.names, resamples=resamples)


def _share_ends(counts: IntArray) -> Iterator[Estimate]:
    scored, *ends = (int(count) for count in counts)
    for estimator, count in zip(("floor_share", "ceiling_share"), ends, strict=True):
        if scored:
            yield Estimate(estimator, count / scored, n=scored, unit="share")
        else:
            yield Estimate(estimator, n=0, unit="share", note=_NO_SCORE)


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
        return replace(rest, note=f"'{part.name}' is hardly related to the other items.")
    if torn:
        why = "the items fall into two halves that run against each other"
    elif not opposed:
        why = "other items look reversed"
    elif part.reverse:
        why = "it is in the reverse key but does not look reversed"
    else:
        why = "it looks reversed but is not in the key"
    return replace(
        rest,
        note=(
            f"'{part.name}' runs against the other items: {why}. "
            "Nothing was flipped; check the wording and the reverse key."
        ),
    )
