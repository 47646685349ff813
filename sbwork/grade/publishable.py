"""Everything that a reader may see of an evaluation, small groups hidden together."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sbwork.compare.linkage import link_people
from sbwork.compare.placebo import Placebo
from sbwork.grade.disclosure import Cell, Ledger
from sbwork.grade.evidence import Evidence
from sbwork.grade.suppression import merge_small_cells
from sbwork.read.checks import CheckKind
from sbwork.read.incidents import Incidents
from sbwork.read.places.outlines import SiteOutlines
from sbwork.read.surveys import Responses
from sbwork.specs.cohort import Cohort
from sbwork.specs.instrument import Instrument
from sbwork.stats import Reason

__all__ = [
    "Publishable",
    "PublishedAnswers",
    "PublishedIncidents",
    "enter_incidents",
    "enter_responses",
    "publish_incidents",
    "publish_responses",
]

_HIDDEN = "Hidden: it would give back the number of a small group."
_QUANTILES = {"low": 0.1, "q1": 0.25, "median": 0.5, "q3": 0.75, "high": 0.9}
_FEW_SCORES = 7
"""Up to so many different scores, mean and standard deviation give back how many have each."""
_EVERYBODY = ("asked", "", "all files", "")


@dataclass(frozen=True)
class PublishedIncidents:
    """What may be shown of incident files.

    months: Columns ``site``, ``outcome``, ``month`` and ``count``; NaN where a month is missing or
        its count is hidden.
    covered: The months that the files cover.
    missing_months: Months that no file covers.
    quality: What was read and left out.
    placebos: How comparable places changed: columns ``kind``, ``outcome``, ``pair`` and
        ``percent_change``.
    """

    months: pd.DataFrame
    covered: tuple[str, ...]
    missing_months: tuple[str, ...]
    quality: pd.DataFrame
    placebos: pd.DataFrame


@dataclass(frozen=True)
class PublishedAnswers:
    """What may be shown of answers.

    spread: How scores spread: columns ``scale``, ``site``, ``wave``, ``low`` and ``high`` (the ends
        of the middle 80%), ``q1``, ``median`` and ``q3``.
    items: Answers to single items: columns ``scale``, ``item``, ``code``, ``share``, ``n`` and
        ``above`` (the share above the middle); a share of few people stands with the next.
    place, wave: Whose answers to single items these are.
    weighted: Whether their shares are weighted.
    multiple: Questions with several answers: columns ``wave``, ``set``, ``option``, ``share``,
        ``n``.
    nonresponse: How many left each item out, and why: an item a row, a reason a column, with
        totals; NaN where hidden.
    stories: What people wrote: columns ``question`` and ``text``, the commonest first.
    n_stories: How many wrote something; NaN where that is hidden.
    few_stories: Whether some question has so few answers that their words are hidden.
    dropped: Columns dropped as the files were read.
    quality: What was read and left out.
    """

    spread: pd.DataFrame
    items: pd.DataFrame
    place: str
    wave: str
    weighted: bool
    multiple: pd.DataFrame
    nonresponse: pd.DataFrame
    stories: pd.DataFrame
    n_stories: float
    few_stories: bool
    dropped: pd.DataFrame
    quality: pd.DataFrame


@dataclass(frozen=True)
class Publishable:
    """All that pictures, tables and sentences are made from.

    Attributes
    ----------
    cohort : Cohort
        What was evaluated.
    instrument : Instrument or None
        The questionnaire.
    findings : pandas.DataFrame
        Every number, with its level of evidence.
    evidence : Evidence
        The level, and why.
    incidents : PublishedIncidents or None
        Counts by month, and the quality of the files.
    answers : PublishedAnswers or None
        What residents answered, in sums.
    outlines : SiteOutlines or None
        Where the sites lie, where boundaries are given.
    cells : Mapping
        What a reader knows of people and of incidents, as `releases.lay_out` lays it out.
    held_back : pandas.DataFrame
        What published reports keep from being shown: columns ``figure``, ``site`` and ``period``.
    given_away : tuple of str
        What published reports give away already.
    """

    cohort: Cohort
    instrument: Instrument | None
    findings: pd.DataFrame
    evidence: Evidence
    incidents: PublishedIncidents | None
    answers: PublishedAnswers | None
    outlines: SiteOutlines | None = None
    cells: Mapping[str, Any] = field(default_factory=dict)
    held_back: pd.DataFrame = field(default_factory=pd.DataFrame)
    given_away: tuple[str, ...] = ()

    @property
    def hidden(self) -> pd.DataFrame:
        """How many numbers are hidden and why: columns ``section``, ``reason`` and ``count``."""
        reasons = (Reason.SMALL_GROUP.value, Reason.SMALL_COUNT.value)
        rows = self.findings[self.findings["reason"].isin(reasons)]
        counted = rows.groupby(["section", "reason"], sort=False).size()
        lines = [
            (str(key[0]), str(key[1]), float(n))
            for key, n in zip(counted.index, counted, strict=True)
        ]
        if self.answers is not None:
            group = Reason.SMALL_GROUP.value
            gone = {
                "questions with several answers": self.answers.multiple["share"].isna().sum(),
                "questions without an answer": self.answers.nonresponse.isna().sum().sum(),
                "survey files": (self.answers.quality["note"] == _HIDDEN).sum(),
            }
            lines += [(part, group, float(n)) for part, n in gone.items() if n]
        return pd.DataFrame(lines, columns=["section", "reason", "count"])

    @property
    def incomparable(self) -> tuple[str, ...]:
        """What the incident files hold of the compared months and can't be compared, and why."""
        return self._list_notes(CheckKind.NOT_COMPARABLE)

    @property
    def uneven(self) -> tuple[str, ...]:
        """What the incident files lack in one period more than in the other."""
        return self._list_notes(CheckKind.UNEVEN)

    def _list_notes(self, kind: CheckKind) -> tuple[str, ...]:
        if self.incidents is None:
            return ()
        quality = self.incidents.quality
        return tuple(quality.loc[quality["kind"] == kind, "note"])


def _leave_out_small(responses: Responses, smallest: int) -> Responses:
    """Leave sites and waves of fewer people out of what sums over sites are made from."""
    sizes = responses.answers.groupby(["site", "wave"]).size()
    few = set(sizes[sizes < smallest].index)

    def _keep(rows: pd.DataFrame) -> pd.DataFrame:
        inside = [place in few for place in zip(rows["site"], rows["wave"], strict=True)]
        return rows[~np.array(inside, dtype=np.bool_)]

    if not few:
        return responses
    return replace(
        responses,
        answers=_keep(responses.answers),
        nonresponse=_keep(responses.nonresponse),
        multiple=_keep(responses.multiple),
    )


def enter_responses(
    book: Ledger, responses: Responses, scores: pd.DataFrame, instrument: Instrument, cohort: Cohort
) -> None:
    """Enter what is shown of answers beside the findings."""
    asked = responses.answers.groupby(["site", "wave"]).size()
    cells = {place: ("asked", "", *map(str, place)) for place in asked.index}
    for place, number in asked.items():
        book.count(cells[place], float(number))
    book.count(_EVERYBODY, float(len(responses.answers)))
    book.link(_EVERYBODY, cells.values())
    _enter_scores(book, scores, instrument, cohort.smallest_group)
    _enter_files(book, responses, cohort)
    large = _leave_out_small(responses, cohort.smallest_group)
    _enter_multiple(book, large)
    _enter_items(book, large, scores, instrument, cohort)
    told = responses.stories
    book.count(("told",), float(len(told)), 0.1)
    for question, number in told["question"].value_counts().items():
        seen = number >= cohort.smallest_group
        book.count(("told", str(question)), float(number), 50.0 * seen)
    book.link(("told",), [cell for cell in book.counts if cell[0] == "told" and len(cell) > 1])


def _enter_scores(book: Ledger, scores: pd.DataFrame, instrument: Instrument, fewest: int) -> None:
    """Enter sums of scores, and of few different scores how many people have each."""
    usable = scores[scores["weight"] > 0]
    linked = link_people(scores, list(instrument.scales))
    for scale in instrument.scales:
        if linked is None:
            break
        both = linked.rows[[f"{scale}_before", f"{scale}_after"]].notna().all(axis=1)
        for site, rows in both.groupby(linked.rows["site"]):
            stayed, twice = (("stayed", "", str(site), "change"), ("twice", scale, str(site)))
            book.count(stayed, float(len(rows)))
            book.count(twice, float(rows.sum()))
            book.split(stayed, twice, ("not twice", scale, str(site)))
            after = ("asked", "", str(site), "after")
            book.split(after, stayed, ("fresh", "", str(site), "change"))
    for scale in instrument.scales:
        low, high = instrument.find_range(instrument.list_scale_items(scale)[0])
        known = usable.dropna(subset=[scale])
        few = known[scale].nunique() <= _FEW_SCORES
        for (site, wave), group in known.groupby(["site", "wave"])[scale]:
            scored = ("scored", scale, str(site), str(wave))
            sums = (float(group.sum()), float((group**2).sum()))
            book.count(scored, float(len(group)))
            book.sums[scored] = (*sums, low, high)
            if few:
                _enter_codes(book, scored, group.value_counts(), sums, (low, high), fewest)


def _enter_codes(
    book: Ledger,
    scored: Cell,
    counts: pd.Series,
    sums: tuple[float, float],
    ends: tuple[float, float],
    fewest: int,
) -> None:
    """Tie the mean and the standard deviation of a group to how many have each score.

    Where few have one, the standard deviation is not shown: with the mean it leaves them only
    every third whole number, which sums of real numbers don't see.
    """
    spread = 0.0 if counts.between(1, fewest - 1).any() else 1.0
    cells: dict[float, Cell] = {}
    for code, number in zip(counts.index.astype(float), counts, strict=True):
        cells[code] = ("code", *scored[1:], f"{code:g}")
        book.count(cells[code], float(number))
    book.link(scored, cells.values())
    for kind, power, total, cost in (("sum", 1, sums[0], 5.0), ("squares", 2, sums[1], spread)):
        measure = (kind, *scored[1:])
        book.measures.add(measure)
        book.count(measure, total, cost)
        book.link_exactly({measure: -1.0} | {cell: code**power for code, cell in cells.items()})
    for end, estimator in zip(ends, ("floor_share", "ceiling_share"), strict=True):
        if end in cells:
            same = (estimator, *scored[1:])
            book.count(same, book.counts[cells[end]])
            book.link(same, [cells[end]])


def _enter_files(book: Ledger, responses: Responses, cohort: Cohort) -> None:
    """Enter how many rows each file holds, how many were left out, and how many were used."""
    quality = responses.quality
    lines = dict(zip(quality.index, _name_lines(quality), strict=True))
    places = responses.files[["source", "site", "wave"]].itertuples(index=False, name=None)
    parts: list[tuple[str, str, str]] = [(str(a), str(b), str(c)) for a, b, c in places]
    for place, number in zip(parts, responses.files["count"], strict=True):
        book.count(("file", *place), float(number))
    for source, rows in quality[quality["count"].notna()].groupby("source"):
        cells: dict[str, list[Cell]] = {}
        held: list[Cell] = [("file", *place) for place in parts if place[0] == source]
        whole: Cell = ("file", str(source))
        book.count(whole, sum(book.counts[cell] for cell in held))
        book.link(whole, held)
        whole = whole if held else _EVERYBODY
        for at, row in rows.iterrows():
            if str(row["kind"]) not in (CheckKind.READ, CheckKind.JOIN):
                cell = lines[at]
                book.count(cell, float(row["count"]), 0.05)
                cells.setdefault(str(row["kind"]), []).append(cell)
                if row["count"] <= book.counts[whole]:
                    book.split(whole, cell, ("not", *cell))
        for read in cells.get(CheckKind.ROWS_READ, []):
            used = cells.get(CheckKind.USED, [])
            book.link(read, [*cells.get(CheckKind.LEFT_OUT, []), *used])
        for cell in cells.get(CheckKind.LINKED, []):
            book.link(cell, [("stayed", "", site, "change") for site in cohort.sites])
    for site, wave in dict.fromkeys(place[1:] for place in parts):
        inside = [("file", *place) for place in parts if place[1:] == (site, wave)]
        book.link(("asked", "", site, wave), inside)


def _name_lines(quality: pd.DataFrame) -> list[Cell]:
    """Name the rows of the quality table so that the same row has the same name in each report."""
    keys = ["source", "kind", "check"]
    named = quality[keys].assign(number=quality.groupby(keys, dropna=False).cumcount())
    return [("line", *map(str, row)) for row in named.itertuples(index=False, name=None)]


def _enter_multiple(book: Ledger, responses: Responses) -> None:
    """Enter how many ticked each option, in a wave at all sites, and how many did not."""
    multiple = responses.multiple
    sums = multiple.groupby(["wave", "set", "option"], sort=False)[["count", "base"]].sum()
    for (wave, name, option), row in zip(sums.index, sums.to_dict("records"), strict=True):
        base, ticked = _name_option(wave, name, option)
        left = ("left", *ticked[1:])
        book.count(base, float(row["base"]), 0.5)
        book.count(ticked, float(row["count"]), 1.0)
        book.split(base, ticked, left)
    for (wave, name), rows in multiple.groupby(["wave", "set"], sort=False):
        base, silent = ("set", str(name), str(wave)), ("no set", str(name), str(wave))
        asked = [("asked", "", str(site), str(wave)) for site in rows["site"].unique()]
        book.count(silent, sum(book.counts[cell] for cell in asked) - book.counts[base])
        book.link_exactly(dict.fromkeys(asked, -1.0) | {base: 1.0, silent: 1.0})


def _name_option(wave: object, name: object, option: object) -> tuple[Cell, Cell]:
    return ("set", str(name), str(wave)), ("ticked", str(name), str(option), str(wave), "")


def _enter_items(
    book: Ledger,
    responses: Responses,
    scores: pd.DataFrame,
    instrument: Instrument,
    cohort: Cohort,
) -> None:
    """Enter how many left each item out, and why, how many answered it, and what they answered."""
    everybody = ("asked", "", "large groups", "")
    sizes = responses.answers.groupby(["site", "wave"]).size()
    book.count(everybody, float(sizes.sum()))
    book.link(everybody, [("asked", "", *map(str, place)) for place in sizes.index])
    counts = _count_nonresponse(responses)
    for item, row in counts.iterrows():
        for kind, number in row.items():
            book.count(("out", str(item), str(kind)), float(number), 0.2)
    items, kinds = ([str(name) for name in axis] for axis in (counts.index, counts.columns))
    for item in [name for name in items if name != "Total"]:
        book.link(("out", item, "Total"), [("out", item, kind) for kind in kinds[:-1]])
    for kind in kinds:
        book.link(("out", "Total", kind), [("out", item, kind) for item in items[:-1]])
    for item in instrument.items:
        whole = ("answered", item, "all")
        book.count(whole, float(responses.answers[item].notna().sum()))
        book.link(everybody, (whole, ("out", item, "Total")))
    for scale in instrument.scales:
        chosen = _choose_answers(responses.answers, scores, scale, cohort)
        places = chosen[["site", "wave"]].drop_duplicates().itertuples(index=False, name=None)
        book.count(("bars", scale), float(len(chosen)))
        book.link(("bars", scale), [("asked", "", *place) for place in places])
        for item in instrument.scales[scale].items:
            _tie_to_scores(book, responses.answers, scores, scale, item, "all")
            if len(chosen):
                given = chosen[chosen["weight"] > 0]
                whole, bars, others = (("answered", item, n) for n in ("all", "bars", "others"))
                book.count(bars, float(given[item].notna().sum()), 0.2)
                book.split(whole, bars, others)
                book.split(("bars", scale), bars, ("no bar", item))
                _tie_to_scores(book, given, scores, scale, item, "bars")
                _enter_bars(book, given, instrument, scale, item, cohort.smallest_group)


def _tie_to_scores(
    book: Ledger, answers: pd.DataFrame, scores: pd.DataFrame, scale: str, item: str, part: str
) -> None:
    """Tie how many answered an item to how many have a score; the two differ by few or none."""
    known, given = scores.loc[answers.index, scale].notna(), answers[item].notna()
    places = answers[["site", "wave"]].drop_duplicates().itertuples(index=False, name=None)
    line = {("scored", scale, *map(str, place)): -1.0 for place in places}
    answered = ("answered", item, part)
    alone, short = ("answered alone", item, part), ("left out alone", item, part)
    book.count(alone, float((given & ~known).sum()))
    book.count(short, float((known & ~given).sum()))
    book.link_exactly(line | {answered: 1.0, alone: -1.0, short: 1.0})


def _enter_bars(
    book: Ledger, given: pd.DataFrame, instrument: Instrument, scale: str, item: str, fewest: int
) -> None:
    """Enter the bars of an item; tie those of a scale's only item to how many have each score."""
    codes, counts, merged = _merge_codes(given, instrument, item, fewest)
    low, high = instrument.find_range(item)
    turned = low + high - codes if instrument.items[item].reverse else codes
    places = given[["site", "wave"]].drop_duplicates().to_numpy().tolist()
    into = _find_bars(counts, merged)
    for bar in np.flatnonzero(merged):
        cell = ("bar", item, f"{codes[bar]:g}")
        book.count(cell, float(merged[bar]), 0.5)
        parts = [
            ("code", scale, site, wave, f"{code:g}")
            for site, wave in places
            for code in turned[(into == bar) & (counts > 0)]
        ]
        book.link(cell, [part for part in parts if part in book.counts])
    above = codes > (codes.min() + codes.max()) / 2
    if min(counts[above].sum(), counts[~above].sum()) >= fewest:
        book.count(("bar", item, "above"), float(counts[above].sum()), 0.1)


def _count_nonresponse(responses: Responses) -> pd.DataFrame:
    """Count by item and reason, with totals; nothing where nobody was asked."""
    if responses.nonresponse.empty:
        return pd.DataFrame()
    counts = responses.nonresponse.pivot_table(
        index="item", columns="kind", values="count", aggfunc="sum", sort=False, fill_value=0
    ).astype("float64")
    counts["Total"] = counts.sum(axis=1)
    counts.loc["Total"] = counts.sum()
    return counts


def _choose_place(answers: pd.DataFrame, cohort: Cohort) -> tuple[set[str], str, str]:
    """Choose whose answers to single items are shown: the last wave's, where work was done."""
    sites = {pair.intervention for pair in cohort.pairs} or set(cohort.sites)
    wave = "after" if (answers["wave"] == "after").any() else "before"
    return sites, "intervention areas" if cohort.pairs else "all sites", wave


def _choose_answers(
    answers: pd.DataFrame, scores: pd.DataFrame, scale: str, cohort: Cohort
) -> pd.DataFrame:
    """Choose the answers to a scale's items that are shown; none of sites with few scores."""
    sites, _, wave = _choose_place(answers, cohort)
    chosen = answers[(answers["wave"] == wave) & answers["site"].isin(sites)]
    known = scores.loc[chosen.index, scale].notna().groupby(chosen["site"]).transform("sum")
    enough: pd.DataFrame = chosen[known >= cohort.smallest_group]
    return enough


def _merge_codes(
    chosen: pd.DataFrame, instrument: Instrument, item: str, fewest: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Count the answers to an item by code, and the same with few people merged into the next."""
    codes = np.array([option.code for option in instrument.list_answers(item)], dtype=np.float64)
    counts = (chosen[item].to_numpy()[:, None] == codes[None, :]).sum(axis=0).astype(np.float64)
    return codes, counts, merge_small_cells(counts, fewest)


def _find_bars(counts: NDArray[np.float64], merged: NDArray[np.float64]) -> NDArray[np.intp]:
    """Find the bar of each code: codes are merged in runs, so totals up to each show it."""
    return np.searchsorted(np.cumsum(merged), np.cumsum(counts))


def publish_responses(
    book: Ledger, responses: Responses, scores: pd.DataFrame, instrument: Instrument, cohort: Cohort
) -> PublishedAnswers:
    """Make what may be shown of answers from the cells that are not hidden."""
    hidden, fewest = book.hide(cohort.smallest_group), cohort.smallest_group
    large = _leave_out_small(responses, fewest)
    _, place, wave = _choose_place(large.answers, cohort)
    shown = {
        scale: _choose_answers(large.answers, scores, scale, cohort) for scale in instrument.scales
    }
    told = responses.stories
    many = told.groupby("question")["text"].transform("size") >= fewest
    held = hidden - book.hide_alone(fewest)
    many &= ~told["question"].isin([cell[1] for cell in held if cell[0] == "told" and cell[1:]])
    sizes = told[many].groupby(["question", "text"], sort=False).size()
    counted = sizes.sort_values(ascending=False, kind="stable").index.to_frame(index=False)
    nonresponse = _count_nonresponse(large)
    for item, kind in [name[1:] for name in hidden if name[0] == "out"]:
        nonresponse.loc[item, kind] = math.nan
    quality = responses.quality[responses.quality["kind"] != CheckKind.JOIN]
    names = dict(zip(responses.quality.index, _name_lines(responses.quality), strict=True))
    gone = pd.Series([names[at] in hidden for at in quality.index], quality.index, "bool")
    return PublishedAnswers(
        spread=_spread_scores(book, scores, instrument, fewest),
        items=pd.DataFrame(
            _share_answers(shown, instrument, fewest, hidden),
            columns=["scale", "item", "code", "share", "n", "above"],
        ),
        place=place,
        wave=wave,
        weighted=any(bool((chosen["weight"] != 1).any()) for chosen in shown.values()),
        multiple=pd.DataFrame(
            _share_multiple(large.multiple, book, hidden),
            columns=["wave", "set", "option", "share", "n"],
        ),
        nonresponse=nonresponse,
        stories=counted[["question", "text"]],
        n_stories=math.nan if ("told",) in hidden else float(len(told)),
        few_stories=not many.all(),
        dropped=responses.dropped,
        quality=quality.assign(
            count=quality["count"].mask(gone),
            lost=quality["lost"].mask(gone),
            note=quality["note"].mask(gone, _HIDDEN),
        ),
    )


def _spread_scores(
    book: Ledger, scores: pd.DataFrame, instrument: Instrument, fewest: int
) -> pd.DataFrame:
    """Find scores that somebody has, not points between two: those would count people."""
    rows, hidden = [], book.hide(fewest)
    secret = {cell[1:4] for cell in hidden if cell[0] in ("floor_share", "ceiling_share")}
    few = {cell[1:4] for cell in book.find_small(fewest) if cell[0] == "code"}
    for scale in instrument.scales:
        known = scores[scores["weight"] > 0].dropna(subset=[scale])
        for (site, wave), group in known.groupby(["site", "wave"])[scale]:
            place = (scale, str(site), str(wave))
            hides = any((kind, *place) in hidden for kind in ("scored", "sum", "squares"))
            # A share hidden for the sake of another would be bounded by a box that touches the end.
            large = any(
                (end, *place) in hidden and book.counts[end, *place] >= fewest
                for end in ("floor_share", "ceiling_share")
            )
            if hides or large or place in few:
                continue
            ends = group.quantile(list(_QUANTILES.values()), interpolation="lower")
            # A part of the group that is as small as a hidden one would say how large that is.
            seen = [
                value if place not in secret or min(share, 1 - share) * len(group) >= fewest
                else math.nan
                for share, value in zip(_QUANTILES.values(), ends, strict=True)
            ]  # fmt: skip
            if len(group) >= 2 * fewest or place not in secret:
                rows.append((*place, *seen))
    return pd.DataFrame(rows, columns=["scale", "site", "wave", *_QUANTILES])


def _share_answers(
    shown: Mapping[str, pd.DataFrame],
    instrument: Instrument,
    fewest: int,
    hidden: Collection[Cell],
) -> Iterator[dict[str, Any]]:
    gone = {cell[1] for cell in hidden if cell[0] == "bar"}
    for scale, item in ((name, item) for name, s in instrument.scales.items() for item in s.items):
        chosen = shown[scale][shown[scale]["weight"] > 0]
        codes, counts, merged = _merge_codes(chosen, instrument, item, fewest)
        if item in gone or not merged.any():
            continue
        given = chosen[item].to_numpy()[:, None] == codes[None, :]
        weighed = chosen["weight"].to_numpy(dtype=np.float64) @ given
        masses = np.bincount(_find_bars(counts, merged), weights=weighed, minlength=len(codes))
        above = codes > (codes.min() + codes.max()) / 2
        few = any(1 <= part < fewest for part in (counts[above].sum(), counts[~above].sum()))
        share = math.nan if few else float(weighed[above].sum() / masses.sum())
        shares, n = masses / masses.sum(), float(counts.sum())
        if ("answered", item, "bars") in hidden:
            # Exact shares would give the number of people back.
            shares, share, n = shares.round(2), round(share, 2), math.nan
        for code, part in zip(codes.tolist(), shares.tolist(), strict=True):
            yield {"scale": scale, "item": item, "code": code, "share": part, "n": n,
                   "above": share}  # fmt: skip


def _share_multiple(
    multiple: pd.DataFrame, book: Ledger, hidden: Collection[Cell]
) -> Iterator[dict[str, Any]]:
    names = multiple[["wave", "set", "option"]].drop_duplicates()
    for wave, name, option in names.itertuples(index=False, name=None):
        base, ticked = _name_option(wave, name, option)
        gone = base in hidden or ticked in hidden or not book.counts[base]
        yield {
            "wave": wave,
            "set": name,
            "option": option,
            "share": math.nan if gone else book.counts[ticked] / book.counts[base],
            "n": math.nan if base in hidden else book.counts[base],
        }


def enter_incidents(book: Ledger, incidents: Incidents, cohort: Cohort) -> None:
    """Enter the counts of every month, and of the periods that they add up to."""
    for (site, outcome), rows in incidents.sites.groupby(["site", "outcome"]):
        place = (str(outcome), str(site))
        known = rows.dropna(subset=["count"])
        for month, count in zip(known["month"], known["count"], strict=True):
            book.count(("month", *place, month), float(count), 1.0)
        for name in ("before", "after") if cohort.periods else ():
            months = getattr(cohort.periods, name).months
            inside = [("month", *place, month) for month in months]
            inside = [cell for cell in inside if cell in book.counts]
            total = ("count", *place, name)
            book.count(total, sum(book.counts[cell] for cell in inside), 5.0)
            book.link(total, inside)


def publish_incidents(
    book: Ledger, incidents: Incidents, placebo: Placebo, cohort: Cohort
) -> PublishedIncidents:
    """Make what may be shown of incidents from the months that are not hidden."""
    months = incidents.sites
    if hidden := book.hide(cohort.smallest_count):
        keys = zip(months["outcome"], months["site"], months["month"], strict=True)
        gone = np.array([("month", *key) in hidden for key in keys], np.bool_)
        months = months.assign(count=months["count"].mask(gone))
    return PublishedIncidents(
        months=months,
        covered=incidents.months,
        missing_months=incidents.missing_months,
        quality=incidents.quality[incidents.quality["kind"] != CheckKind.JOIN],
        placebos=placebo.distribution,
    )
