"""Survey exports read into one tidy frame of answers, with no personal data in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sbwork.read.checks import Check, CheckKind, tabulate_lines
from sbwork.read.surveys.answers import ANSWERED, KINDS, fold_answer, match_answers, parse_number
from sbwork.read.surveys.choices import read_choices
from sbwork.read.surveys.detection import LARGEST_FILE
from sbwork.read.surveys.personal import (
    find_personal_content,
    find_personal_name,
    make_key,
)
from sbwork.read.surveys.sources import (
    SurveyFile,
    leave_out_duplicates,
    open_survey,
    report_unknown,
)
from sbwork.read.surveys.tables import Mask, RawTable, Texts, list_texts, map_texts
from sbwork.specs.cohort import Cohort
from sbwork.specs.errors import InputError, Problem, list_names, quote
from sbwork.specs.files import measure_file
from sbwork.specs.instrument import Instrument
from sbwork.specs.masks import describe_cell, mask_name, mask_text

_MOST_PROBLEMS = 40
_MOST_UNKNOWN = 3
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+")
_SAMPLE = 200
_UNWRITTEN = {"", "NA", "N/A", "-99"}
_NOT_ASKED = "not_asked"
_KIND_CODES = {kind: code for code, kind in enumerate((ANSWERED, *KINDS, _NOT_ASKED))}
_STORY_COLUMNS = ["wave", "site", "question", "text"]
_MULTIPLE_COLUMNS = ["wave", "site", "set", "option", "count", "base"]
_NONRESPONSE_COLUMNS = ["wave", "site", "item", "kind", "count"]
_DROPPED_COLUMNS = ["source", "column", "reason"]

Kinds = np.ndarray[Any, np.dtype[np.int8]]
Codes = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Responses:
    """Answers of every wave and site.

    Attributes
    ----------
    answers : pandas.DataFrame
        One row an answered questionnaire: ``wave`` (``"before"`` or ``"after"``), ``site`` (key
        of the cohort's site), ``person`` (keyed hash that links waves, empty where none),
        ``cluster`` (keyed hash; only where a file names a ``cluster_column``), ``weight``
        (float64, 1 where none is given), every column of ``keep`` as text, then one float64 column
        an item of the instrument holding the code as given (not reversed);
        NaN for no answer, "don't know" and "prefer not to say" alike.
    nonresponse : pandas.DataFrame
        How often each item has no answer and why: columns ``wave``, ``site``, ``item``, ``kind``
        (``"dont_know"``, ``"prefer_not_to_say"`` or ``"blank"``) and ``count``. Every combination
        that was asked has a row, also with count 0; items not asked in a wave have none.
    stories : pandas.DataFrame
        Declared free text: columns ``wave``, ``site``, ``question``, ``text``.
    multiple : pandas.DataFrame
        Multiple-response sets, long: ``wave``, ``site``, ``set``, ``option``, ``count``, ``base``
        (how many answered the set at all).
    dropped : pandas.DataFrame
        Columns dropped as the file was read: ``source``, ``column``, ``reason``.
    files : pandas.DataFrame
        How many questionnaires each file has of each site and wave: ``source``, ``site``, ``wave``,
        ``count``.
    quality : pandas.DataFrame
        What was read and what was left out, in the columns `sbwork.read.checks.CHECK_COLUMNS`.
    """

    answers: pd.DataFrame
    nonresponse: pd.DataFrame
    stories: pd.DataFrame
    multiple: pd.DataFrame
    dropped: pd.DataFrame
    files: pd.DataFrame
    quality: pd.DataFrame


@dataclass
class _Piece:
    """One file's share of the result."""

    answers: pd.DataFrame
    kinds: Kinds
    stories: pd.DataFrame
    multiple: pd.DataFrame


def read_responses(cohort: Cohort, instrument: Instrument) -> Responses:
    """Read a cohort's survey files.

    Personal data go as the files are read: only columns that the cohort or the instrument names
    are kept, a ``person_column`` or ``cluster_column`` is replaced by a keyed hash, ``stories`` are
    masked, and a column under ``keep`` that holds personal data is refused. Rows are left out, and
    counted in ``quality``, when they are previews or unfinished, when wave or site is blank, or
    when they repeat a response: a platform's own number, or an id with its answers, within a wave
    and a site. People who share an id but not their answers are kept and not linked.

    Parameters
    ----------
    cohort : Cohort
        The evaluation; its ``surveys`` name the files.
    instrument : Instrument
        The questionnaire.

    Returns
    -------
    Responses
        All waves together; frames without rows when the cohort names no survey.

    Raises
    ------
    InputError
        A file can't be read, a column or an item is missing, a site, a wave or an answer is
        unknown; all of it at once, with file, row, column, what was found and what is nearest.
    """
    problems: list[Problem] = []
    sources: list[SurveyFile] = []
    paths = [cohort.resolve_path(spec.path) for spec in cohort.surveys]
    key: bytes | None = None
    for spec, path in zip(cohort.surveys, paths, strict=True):
        try:
            if (spec.person_column or spec.cluster_column) and key is None:
                files = [path for path in paths if path.is_file()]
                for file in files:
                    measure_file(file, file.name, LARGEST_FILE)
                key = make_key(cohort.folder, files)
            sources.append(open_survey(cohort, instrument, spec, path, key or b""))
        except InputError as error:
            problems.extend(error.problems)
    problems += leave_out_duplicates(sources)
    pieces = []
    for source in sources:
        try:
            pieces.append(_read_piece(source, instrument))
        except InputError as error:
            problems.extend(error.problems)
    if problems:
        left = len(problems) - _MOST_PROBLEMS
        if left > 0:
            found = f"{left} further problems of the same kinds are not listed"
            problems[_MOST_PROBLEMS:] = [Problem("and more", "", found)]
        raise InputError(problems)
    responses = _join(cohort, instrument, sources, pieces)
    if problems := list(_find_too_few_invited(cohort, responses.answers)):
        raise InputError(problems)
    return responses


def _find_too_few_invited(cohort: Cohort, answers: pd.DataFrame) -> Iterator[Problem]:
    """Find sites and waves in which more people answered than cohort.yml says were invited."""
    answered = answers.groupby(["wave", "site"]).size()
    for wave, counts in cohort.invited.items():
        for site, count in counts.items():
            number = int(answered.get((wave, site), 0))
            if number > count:
                place = f"key 'invited.{wave}.{site}'"
                found = f"{count} people were invited, but {number} answered"
                allowed = "Give how many people were asked to answer, or leave the key out"
                yield Problem(str(cohort.folder / "cohort.yml"), place, found, allowed)


def _read_piece(source: SurveyFile, instrument: Instrument) -> _Piece:
    table, rows, columns = source.table, source.rows, source.columns
    problems: list[Problem] = []
    data: dict[str, Any] = {
        "wave": source.wave[rows],
        "site": source.site[rows],
        "person": source.person[rows],
        "cluster": source.cluster[rows],
        "weight": _read_weight(source, problems),
    }
    for name, column in columns.keep.items():
        data[name] = _read_labels(table, column, rows)
    shape = (int(rows.sum()), len(instrument.items))
    kinds = np.full(shape, _KIND_CODES[_NOT_ASKED], dtype=np.int8)
    for number, item in enumerate(instrument.items):
        data[item] = np.full(len(kinds), np.nan)
        if item in columns.items:
            data[item], kinds[:, number] = _read_item(source, instrument, item, problems)
            answered = float((kinds[:, number] == _KIND_CODES[ANSWERED]).sum())
            lost = len(kinds) - answered
            source.quality.append(Check(CheckKind.JOIN, "items", answered, item, lost))
    multiple = _read_multiple(source, instrument, problems)
    if problems:
        raise InputError(problems)
    silent = float((kinds != _KIND_CODES[ANSWERED]).all(axis=1).sum())
    check = "finished without answering any item"
    source.quality.append(Check(CheckKind.DOUBT, check, silent, "kept, as blanks"))
    return _Piece(pd.DataFrame(data), kinds, _read_stories(source), multiple)


def _read_labels(table: RawTable, column: int, rows: Mask) -> Texts:
    labels = table.codes.get(column, {})

    def word(text: str) -> str:
        return " ".join(labels.get(text.strip(), text).split())

    worded: Texts = map_texts(table.read_column(column)[rows], word)
    return worded


def _read_item(
    source: SurveyFile, instrument: Instrument, item: str, problems: list[Problem]
) -> tuple[Codes, Kinds]:
    table, column = source.table, source.columns.items[item]
    options = instrument.list_options(item)
    codes, texts = list_texts(table.read_column(column)[source.rows])
    labels, missing = table.codes.get(column, {}), table.missing.get(column, frozenset())
    matches = match_answers(texts, options, labels, missing)
    unknown = []
    if any(match.kind == "unlike" for match in matches):
        answered = [t for t, match in zip(texts, matches, strict=True) if match.kind != "unknown"]
        problems.append(_report_unlike(table, column, item, instrument, answered))
        return np.full(len(codes), np.nan), np.zeros(len(codes), dtype=np.int8)
    for number, (text, match) in enumerate(zip(texts, matches, strict=True)):
        if match.kind not in _KIND_CODES:
            label = ", by the file's label for it," if labels.get(text) else ""
            found = f"{describe_cell(text)}{label} is no answer to the item '{item}'"
            if match.kind == "ambiguous":
                found = f"{describe_cell(text)} is the code of one option and the label of another"
            row = int(np.flatnonzero(source.rows)[np.argmax(codes == number)])
            unknown.append((row, text, found))
    names = [option.label or f"{option.code:g}" for option in options]
    allowed = f"Options: {list_names(names)}"
    problems += report_unknown(table, column, unknown, names, allowed, _MOST_UNKNOWN)
    recoded = sum(match.recoded for match in matches)
    if recoded:
        note = f"'{item}': the file's codes differ from the instrument's, so its labels decided"
        line = Check(CheckKind.READ, "codes read by their labels", float(recoded), note)
        source.quality.append(line)
    titles = {option.code: fold_answer(option.label) for option in options if option.label}
    differ = [
        f"{match.code:g} = {titles[match.code]}"
        for text, match in zip(texts, matches, strict=True)
        if match.kind == ANSWERED
        and not match.recoded
        and text in labels
        and titles.get(match.code, "") not in {"", fold_answer(labels[text])}
    ]
    if differ:
        note = f"'{item}': the file and the instrument word these codes differently: "
        note += list_names(differ)
        line = Check(CheckKind.DOUBT, "codes whose labels differ", float(len(differ)), note)
        source.quality.append(line)
    values = np.array([match.code for match in matches], dtype=float)
    kinds = [_KIND_CODES.get(match.kind, _KIND_CODES["blank"]) for match in matches]
    return values[codes], np.array(kinds, dtype=np.int8)[codes]


def _report_unlike(
    table: RawTable, column: int, item: str, instrument: Instrument, answered: Sequence[str]
) -> Problem:
    codes = [*table.codes.get(column, {})] or sorted({*answered} - {""})
    codes = [code for code in codes if parse_number(code) == parse_number(code)]
    mine = [f"{o.code:g} = {o.label}" for o in instrument.list_options(item) if o.label]
    found = f"the file's labels for {list_names(codes)} are not those of the item '{item}', or may "
    found += f"count from either end: {list_names(mine)} in the item"
    allowed = "Give the instrument's options the labels of the file, and no others"
    return Problem(table.file, f"column '{quote(table.names[column])}'", found, allowed)


def _read_weight(source: SurveyFile, problems: list[Problem]) -> Codes:
    column = source.columns.weight
    if column is None:
        return np.ones(int(source.rows.sum()))
    texts = source.table.read_column(column)[source.rows]
    weights: Codes = map_texts(texts, parse_number, float)
    thousands = [bool(_THOUSANDS.fullmatch(text.strip())) for text in texts]
    if all(each or text.strip().isdigit() for each, text in zip(thousands, texts, strict=True)):
        weights[thousands] = np.nan
    bad = np.flatnonzero(~(weights >= 0))
    if len(bad):
        row, text = int(np.flatnonzero(source.rows)[bad[0]]), str(texts[bad[0]])
        found = f"{describe_cell(text)} is no weight" + (
            f", nor in {len(bad) - 1} other rows" if len(bad) > 1 else ""
        )
        place = source.table.name_cell(row, column)
        allowed = "A weight is 0 or more, with no comma between thousands"
        problems.append(Problem(source.table.file, place, found, allowed))
    used = float((weights > 0).sum())
    source.quality.append(Check(CheckKind.JOIN, "weights", used, lost=len(weights) - used))
    return weights


def _read_stories(source: SurveyFile) -> pd.DataFrame:
    frames = []
    for name, column in source.columns.stories.items():
        values = source.table.read_column(column)
        written = source.rows & ~map_texts(values, lambda text: text.strip() in _UNWRITTEN, bool)
        story = {
            "wave": source.wave[written],
            "site": source.site[written],
            "question": source.table.labels[column] or name,
            "text": [mask_text(str(value).strip()) for value in values[written]],
        }
        frames.append(pd.DataFrame(story))
    return _stack(frames, _STORY_COLUMNS)


def _read_multiple(
    source: SurveyFile, instrument: Instrument, problems: list[Problem]
) -> pd.DataFrame:
    frames = []
    wave, site = source.wave[source.rows], source.site[source.rows]
    for name, columns in source.columns.sets.items():
        prefix = source.spec.multiple[name]
        declared = instrument.options.get(name, ())
        options = {f"{option.code:g}": option.label for option in declared if option.label}
        try:
            chosen, answered = read_choices(source.table, columns, prefix, source.rows, options)
        except InputError as error:
            problems.extend(error.problems)
            continue
        for option, mask in chosen.items():
            group = {"wave": wave, "site": site, "set": name, "option": option}
            frames.append(pd.DataFrame({**group, "count": mask, "base": answered}))
    return _add_up(frames)


def _join(
    cohort: Cohort,
    instrument: Instrument,
    sources: Sequence[SurveyFile],
    pieces: Sequence[_Piece],
) -> Responses:
    keep = list(dict.fromkeys(name for spec in cohort.surveys for name in spec.keep))
    clustered = any(spec.cluster_column for spec in cohort.surveys)
    texts = ["wave", "site", "person", *(["cluster"] if clustered else []), *keep]
    columns = [*texts[: len(texts) - len(keep)], "weight", *keep, *instrument.items]
    frames = [piece.answers.reindex(columns=columns) for piece in pieces]
    answers = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)
    answers = answers.fillna(dict.fromkeys(keep, ""))
    answers = answers.astype({name: "str" if name in texts else "float64" for name in columns})
    kinds = [piece.kinds for piece in pieces]
    matrix = np.concatenate(kinds) if kinds else np.empty((0, len(instrument.items)), np.int8)
    quality = [
        (source.table.file, line)
        for source in sources
        for line in (*source.quality, *_sum_up(source))
    ]
    quality += [("all files", line) for line in _count_linked(answers)]
    return Responses(
        answers=answers,
        nonresponse=_count_nonresponse(answers, matrix, list(instrument.items)),
        stories=_stack([piece.stories for piece in pieces], _STORY_COLUMNS),
        multiple=_add_up([piece.multiple for piece in pieces]),
        dropped=_stack([_list_dropped(source) for source in sources], _DROPPED_COLUMNS),
        files=_count_files(sources, pieces),
        quality=tabulate_lines(quality),
    )


def _count_files(sources: Sequence[SurveyFile], pieces: Sequence[_Piece]) -> pd.DataFrame:
    places = pd.concat(
        [
            piece.answers[["site", "wave"]].assign(source=source.table.file)
            for source, piece in zip(sources, pieces, strict=True)
        ]
        or [pd.DataFrame(columns=["source", "site", "wave"])]
    )
    return places.groupby(["source", "site", "wave"], sort=False).size().reset_index(name="count")


def _sum_up(source: SurveyFile) -> list[Check]:
    used, note = float(source.rows.sum()), "questionnaires that enter the evaluation"
    matched, absent = source.columns.items, source.spec.not_asked
    lost = {line.check: line.count for line in source.quality if line.kind == CheckKind.LEFT_OUT}
    most = max(lost, key=lambda check: lost[check], default="").removeprefix("left out: ")
    lines = [
        Check(CheckKind.USED, "answers used", used, note),
        Check(CheckKind.JOIN, "answers", used, most, len(source.rows) - used),
        Check(CheckKind.READ, "items matched", float(len(matched))),
    ]
    if absent:
        note = ", ".join(absent)
        lines.append(Check(CheckKind.MISSING, "items not asked", float(len(absent)), note))
    return lines


def _count_linked(answers: pd.DataFrame) -> list[Check]:
    known = answers.loc[answers["person"] != "", ["person", "wave"]]
    if known.empty:
        return []
    people = known.drop_duplicates()
    both = float(people["person"].duplicated().sum())
    note = "the same id before and after at one site"
    lines = [Check(CheckKind.LINKED, "people linked across waves", both, note)]
    waves = people["wave"].value_counts()
    if len(waves) == 2:
        lines.append(Check(CheckKind.JOIN, "people", both, lost=float(waves.min()) - both))
    return lines


def _count_nonresponse(answers: pd.DataFrame, kinds: Kinds, items: Sequence[str]) -> pd.DataFrame:
    frames = []
    groups = answers.groupby(["wave", "site"], sort=False).ngroup().to_numpy()
    for number in range(int(groups.max(initial=-1)) + 1):
        first = int(np.argmax(groups == number))
        wave, site = answers.loc[first, ["wave", "site"]]
        group = kinds[groups == number]
        asked = (group != _KIND_CODES[_NOT_ASKED]).any(axis=0)
        for kind in KINDS:
            counts = (group == _KIND_CODES[kind]).sum(axis=0)
            frame = pd.DataFrame({"item": items, "count": counts}).loc[asked]
            frames.append(frame.assign(wave=wave, site=site, kind=kind))
    return _stack(frames, _NONRESPONSE_COLUMNS)


def _list_dropped(source: SurveyFile) -> pd.DataFrame:
    table, used = source.table, source.columns.list_used()
    file = mask_name(table.file)
    sample = np.flatnonzero(source.rows)[:_SAMPLE]
    lines = []
    for column, name in enumerate(table.names):
        if column in {source.columns.person, source.columns.cluster}:
            lines.append((file, mask_name(name), "id, replaced by a keyed hash"))
        elif column not in used:
            values = [str(value) for value in table.read_column(column)[sample]]
            reason = find_personal_name(name, table.labels[column]) or find_personal_content(values)
            lines.append((file, mask_name(name), reason or "not asked for"))
    return pd.DataFrame(lines, columns=_DROPPED_COLUMNS)


def _add_up(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    stacked = _stack(frames, _MULTIPLE_COLUMNS)
    if stacked.empty:
        return stacked
    by = _MULTIPLE_COLUMNS[:4]
    return stacked.groupby(by, sort=False, as_index=False)[["count", "base"]].sum()


def _stack(frames: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    filled = [frame[list(columns)] for frame in frames if len(frame)]
    if filled:
        return pd.concat(filled, ignore_index=True)
    return pd.DataFrame(
        {name: pd.Series(dtype="int64" if name in {"count", "base"} else "str") for name in columns}
    )
