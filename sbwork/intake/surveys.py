"""Survey files looked into: the items, options, scales, waves and sites that they seem to hold."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from sbwork.intake.answers import Answers, OptionSet, build_options, join_answers, read_answers
from sbwork.intake.columns import (
    find_role,
    guess_wave,
    make_slug,
    name_item,
    parse_name,
    read_waves,
)
from sbwork.read.surveys.answers import ANSWERED, KINDS, Match, fold_answer, match_answers
from sbwork.read.surveys.columns import assign_columns
from sbwork.read.surveys.descriptions import ColumnDescription, describe_table
from sbwork.read.surveys.detection import read_table
from sbwork.read.surveys.tables import RawTable, fold_name
from sbwork.specs.cohort import SurveySource
from sbwork.specs.documents import RESERVED_COLUMNS
from sbwork.specs.errors import InputError, Problem, list_names
from sbwork.specs.instrument import Instrument, Option, read_instrument
from sbwork.specs.masks import mask_name, mask_text

__all__ = ["Proposal", "ProposedItem", "ProposedScale", "ProposedSurvey", "propose_surveys"]

_FEWEST_SIDE_BY_SIDE = 3
_LONGEST_TEXT = 300
_AGAINST = -0.05


@dataclass(frozen=True)
class ProposedItem:
    """A question that looks like an item; reversed if its answers run against the others'."""

    key: str
    text: str
    options: str
    reverse: bool = False


@dataclass(frozen=True)
class ProposedScale:
    """Items that may belong together."""

    key: str
    items: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class ProposedSurvey:
    """One survey file: its wave or the column that tells it, and what its columns seem to be.

    `columns` gives the item of each column that has another name, `not_asked` the items that the
    file lacks, and `roles` the names of the remaining columns by what they are for. `gaps` are
    columns that may give the wave or the site, with the rows that they would leave out as blank.
    """

    path: Path
    platform: str
    rows: int
    wave: str = ""
    wave_why: str = ""
    wave_column: str = ""
    waves: Mapping[str, str] = field(default_factory=dict)
    site_column: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    not_asked: tuple[str, ...] = ()
    roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    gaps: tuple[tuple[str, str, int], ...] = ()


@dataclass(frozen=True)
class Proposal:
    """What the survey files of a cohort seem to hold.

    `instrument` is a questionnaire that fits all of them, if there is one; then no item is
    proposed. `sites` gives each site's key with its title and other names.
    """

    surveys: tuple[ProposedSurvey, ...] = ()
    instrument: Instrument | None = None
    options: Mapping[str, OptionSet] = field(default_factory=dict)
    items: tuple[ProposedItem, ...] = ()
    scales: tuple[ProposedScale, ...] = ()
    sites: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass
class _Question:
    """A column that may be an item."""

    number: int
    name: str
    text: str
    family: str
    answers: Answers
    key: str

    def is_beside(self, other: _Question | None) -> bool:
        """Whether the other is the column before this one, nameless and with like answers."""
        return (
            other is not None
            and (other.family, other.number) == ("", self.number - 1)
            and other.answers.kind == self.answers.kind
            and other.answers.fits(self.answers)
        )


@dataclass
class _Group:
    """Questions of one family of names, or without such a name side by side; each key's answers."""

    family: str
    answers: dict[str, list[Answers]] = field(default_factory=dict)

    @property
    def is_sure(self) -> bool:
        """Whether they are enough to be taken for one scale."""
        return len(self.answers) >= (2 if self.family else _FEWEST_SIDE_BY_SIDE)

    def join(self) -> Answers:
        """Put the answers of all its questions together."""
        return join_answers(found for answers in self.answers.values() for found in answers)


class _File:
    """One export, with the role of each column and the questions among them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.table = read_table(path)
        described = describe_table(self.table).columns
        rows = int(self.table.kept.sum())
        times = Counter(fold_name(column.name) for column in described)
        self.columns: dict[int, ColumnDescription] = dict(enumerate(described))
        self.roles = {
            number: find_role(column, rows, number == self.table.record)
            if times[fold_name(column.name)] == 1
            else "repeated"
            for number, column in self.columns.items()
        }
        self.questions = list(self._find_questions())

    def find(self, role: str) -> ColumnDescription | None:
        """Return the first column of a role, if no row would be left out for a blank there."""
        column = next((self.columns[n] for n, own in self.roles.items() if own == role), None)
        return None if column and column.blank else column

    def list_gaps(self) -> Iterator[tuple[str, str, int]]:
        """List the roles, columns and blank rows of what `find` passes over."""
        for role in ("wave", "site"):
            for number, own in self.roles.items():
                if own == role and self.columns[number].blank and not self.find(role):
                    yield role, self.columns[number].name, self.columns[number].blank

    def match(
        self, number: int, options: Sequence[Option]
    ) -> tuple[npt.NDArray[np.intp], list[Match]]:
        """Match a column's distinct cells to options; also return which of them each row has."""
        cells, texts = pd.factorize(self.table.read_column(number)[self.table.kept])
        labels = self.table.codes.get(number, {})
        missing = self.table.missing.get(number, frozenset())
        return cells, match_answers([str(text) for text in texts], options, labels, missing)

    def is_matched(self, number: int, options: Sequence[Option]) -> bool:
        """Whether every answer of a column is among the options."""
        return {match.kind for match in self.match(number, options)[1]} <= {ANSWERED, *KINDS}

    def read_codes(self, number: int, options: Sequence[Option]) -> npt.NDArray[np.float64]:
        """Return the code of every row's answer, NaN for none."""
        cells, matches = self.match(number, options)
        return np.array([*(match.code for match in matches), np.nan])[cells]

    def _find_questions(self) -> Iterator[_Question]:
        for number, role in self.roles.items():
            answers = read_answers(self.table, number) if role in {"question", "site"} else None
            if answers is None:
                continue
            column, name = self.columns[number], self.table.names[number]
            key, family = parse_name(name)
            asked = column.question or ("" if key else column.name)
            text = re.split(r" [-–—] |\[", " ".join(asked.split()))[-1].strip("] ")
            text = mask_text(text[:_LONGEST_TEXT])
            yield _Question(number, name, text, family, answers, key)


def propose_surveys(paths: Sequence[Path], data: Path | None = None) -> Proposal:
    r"""Look into the exports of one questionnaire, one file with all waves or one a wave.

    A questionnaire in `data` that fits them all is taken; else items, options and scales are
    proposed. An InputError names every file that can't be read.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "before.csv"
    >>> rows = [f"{'NS'[i % 2]},{i % 5 + 1},{5 - i % 5}" for i in range(60)]
    >>> _ = path.write_text("\n".join(["Ward,trust_1,trust_2", *rows]))
    >>> proposal = propose_surveys([path])
    >>> [item.key for item in proposal.items], list(proposal.sites), proposal.surveys[0].wave
    (['trust_1', 'trust_2'], ['n', 's'], 'before')
    """
    files: list[_File] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            files.append(_File(path))
        except InputError as error:
            problems.extend(error.problems)
    if problems:
        raise InputError(problems)
    waves = _guess_waves(files)
    files.sort(key=lambda file: waves[file.path]["wave"] == "after")
    sites = _list_sites(files)
    notes = [
        f"{mask_name(file.path.name)} has several columns of the same name, which are left out: "
        f"{list_names(list(dict.fromkeys(repeated)))}. Rename them to have them read."
        for file in files
        if (repeated := [file.columns[n].name for n, r in file.roles.items() if r == "repeated"])
    ]
    proposal = Proposal(sites=sites, notes=tuple(notes))
    instrument = _find_instrument(files, data) if data and files else None
    if instrument is None:
        proposal = _propose_items(files, proposal)
    else:
        proposal = replace(proposal, instrument=instrument)
    wanted = {item.key: None for item in proposal.items}
    surveys = [
        _describe_survey(
            file,
            waves[file.path],
            bool(sites),
            _assign(file.table, instrument)
            if instrument
            else {q.key: q.number for q in file.questions if q.key in wanted},
            tuple(wanted),
        )
        for file in files
    ]
    return replace(proposal, surveys=tuple(surveys))


def _propose_items(files: Sequence[_File], proposal: Proposal) -> Proposal:
    """Add the items, the options and the scales of a new questionnaire."""
    _name_questions(files)
    groups = _group_questions(files)
    options, chosen = _share_options(groups)
    notes = [*proposal.notes, *_drop_unmatched(files, options, chosen)]
    scales = tuple(_list_scales(groups, chosen))
    reversed_: set[str] = set()
    for scale in scales:
        reversed_ |= _find_reversed(files, scale.items, options[chosen[scale.items[0]]])
    texts: dict[str, str] = {}
    for question in (q for file in files for q in file.questions if q.key in chosen):
        first = texts.setdefault(question.key, question.text)
        if first and question.text and fold_answer(first) != fold_answer(question.text):
            notes.append(f"'{question.key}' is worded differently in the files: check it.")
    return replace(
        proposal,
        options={name: found for name, found in options.items() if name in chosen.values()},
        items=tuple(
            ProposedItem(key, text, chosen[key], key in reversed_) for key, text in texts.items()
        ),
        scales=scales,
        notes=tuple(notes),
    )


def _guess_waves(files: Sequence[_File]) -> dict[Path, dict[str, object]]:
    """Guess each file's wave: by a column, else by its name, else by the order given."""
    waves: dict[Path, dict[str, object]] = {}
    for position, file in enumerate(files):
        column = file.find("wave")
        meant = read_waves(column.values, column.labels) if column else {}
        named = guess_wave(file.path.stem)
        if column and (len(files) == 1 or len(set(meant.values())) > 1):
            waves[file.path] = {"wave": "", "wave_column": column.name, "waves": meant}
        elif named:
            waves[file.path] = {"wave": named, "wave_why": "from the file's name"}
        else:
            why = "nothing in the file says which"
            waves[file.path] = {"wave": "after" if position else "before", "wave_why": why}
    return waves


def _list_sites(files: Sequence[_File]) -> dict[str, tuple[str, ...]]:
    """List the sites that a column of every file gives."""
    sites: dict[str, tuple[str, ...]] = {}
    for column in (file.find("site") for file in files):
        if column is None:
            return {}
        for value in sorted(column.values):
            label = column.labels.get(value, value)
            slug = make_slug(label, "-") or make_slug(value, "-") or str(len(sites) + 1)
            key = f"site-{slug}" if slug.isdecimal() or slug == "all" else slug
            title = f"Site {label}" if label.isdecimal() else label
            names = [name for name in (label,) if name not in {title, key}]
            sites[key] = tuple(dict.fromkeys([*sites.get(key, (title,)), *names]))
    return sites


def _find_instrument(files: Sequence[_File], data: Path) -> Instrument | None:
    """Return the questionnaire whose items are all in every file, with its answers."""
    fitting: list[Instrument] = []
    for path in sorted((data / "instruments").glob("*.yml")):
        try:
            instrument = read_instrument(path.stem, data)
            found = [(file, _assign(file.table, instrument)) for file in files]
        except InputError:
            continue
        if all(
            file.is_matched(number, instrument.list_options(item))
            for file, items in found
            for item, number in items.items()
        ):
            fitting.append(instrument)
    return max(fitting, key=lambda instrument: len(instrument.items), default=None)


def _assign(table: RawTable, instrument: Instrument) -> dict[str, int]:
    return assign_columns(
        table, SurveySource(path=table.file, wave="before", site="any"), instrument
    ).items


def _name_questions(files: Sequence[_File]) -> None:
    """Give each question a key that is the same in every file, by its name or else its words."""
    known: set[str] = set()
    by_text: dict[str, str] = {}
    for file in files:
        texts = Counter(fold_answer(question.text) for question in file.questions)
        own: set[str] = set()
        for question in file.questions:
            text = fold_answer(question.text)
            if question.key not in known and texts[text] == 1 and text in by_text:
                question.key = by_text[text]
            question.key = question.key or name_item(question.name, question.text)
            question.key = question.key or f"column_{question.number + 1}"
            question.key += "_item" * (question.key in RESERVED_COLUMNS)
            while question.key in own:
                question.key += "_2"
            own.add(question.key)
        known |= own
        by_text |= {fold_answer(q.text): q.key for q in file.questions if q.text}


def _group_questions(files: Sequence[_File]) -> list[_Group]:
    """Group questions by the family of their names, else those side by side with like answers."""
    groups: list[_Group] = []
    by_family: dict[str, list[_Group]] = defaultdict(list)
    by_key: dict[str, _Group] = {}
    for file in files:
        previous: _Question | None = None
        for question in file.questions:
            family = by_family[question.family] if question.family else []
            group = by_key.get(question.key) or next(
                (group for group in family if group.join().fits(question.answers)), None
            )
            if group is None and not question.family and question.is_beside(previous):
                group = by_key[previous.key] if previous else None
            if group is None:
                group = _Group(question.family)
                groups.append(group)
                family.append(group)
            group.answers.setdefault(question.key, []).append(question.answers)
            by_key[question.key] = group
            previous = question
    return groups


def _share_options(groups: Sequence[_Group]) -> tuple[dict[str, OptionSet], dict[str, str]]:
    """Make the options of each group, or of each question of one that has none in common."""
    built: dict[str, OptionSet] = {}
    for group in groups:
        keys = list(group.answers)
        shared = len(keys) if group.is_sure else 1
        for part, items in [(keys, shared), *(([key], 1) for key in keys)]:
            answers = join_answers(found for key in part for found in group.answers[key])
            options = build_options(answers, items)
            if options is not None:
                built = dict.fromkeys(part, options) | built
    sets: dict[str, OptionSet] = {}
    chosen: dict[str, str] = {}
    for key, found in sorted(built.items(), key=lambda pair: -len(pair[1].options)):
        name = next((name for name, known in sets.items() if known.covers(found)), "")
        if not name:
            alike = sum(name.startswith(found.kind) for name in sets)
            name = f"{found.kind}_{alike + 1}" if alike else found.kind
            sets[name] = found
        chosen[key] = name
    return sets, chosen


def _drop_unmatched(
    files: Sequence[_File], options: Mapping[str, OptionSet], chosen: dict[str, str]
) -> list[str]:
    """Drop the items with an answer that their options lack, and say which are left out."""
    coded, worded = (
        {q.key for file in files for q in file.questions if getattr(q.answers, kind)}
        for kind in ("codes", "words")
    )
    mixed = sorted((coded & worded) - set(chosen))
    dropped = {
        question.key: None
        for file in files
        for question in file.questions
        if question.key in chosen
        and not file.is_matched(question.number, options[chosen[question.key]].options)
    }
    for key in dropped:
        del chosen[key]
    reasons = {
        "their answers are on no one scale": list(dropped),
        "their answers are codes in part and words in part": mixed,
    }
    return [f"Left out, since {why}: {list_names(keys)}." for why, keys in reasons.items() if keys]


def _list_scales(groups: Sequence[_Group], chosen: Mapping[str, str]) -> Iterator[ProposedScale]:
    """Make a scale of every group of items that share their options."""
    taken = set(chosen) | RESERVED_COLUMNS
    for group in groups:
        by_options: dict[str, list[str]] = defaultdict(list)
        for key in group.answers:
            if key in chosen:
                by_options[chosen[key]].append(key)
        for name, items in by_options.items():
            if len(items) < (2 if group.family else _FEWEST_SIDE_BY_SIDE):
                continue
            key = make_slug(group.family or name) or "scale"
            while key in taken:
                key += "_scale"
            taken.add(key)
            why = "their names start alike" if group.family else "side by side with like answers"
            yield ProposedScale(key, tuple(items), why)


def _find_reversed(files: Sequence[_File], keys: Sequence[str], options: OptionSet) -> set[str]:
    """Find items whose answers run against the others', so perhaps the other way round in words.

    Their loading on the first principal component of the scale has the other sign.
    """
    for file in files:
        numbers = {q.key: q.number for q in file.questions if q.key in keys}
        codes = {key: file.read_codes(number, options.options) for key, number in numbers.items()}
        matrix = pd.DataFrame(codes).corr(min_periods=10).to_numpy(dtype=np.float64)
        if len(codes) == len(keys) and np.isfinite(matrix).all():
            leading = np.linalg.eigh(matrix)[1][:, -1]
            leading = leading if leading.sum() >= 0 else -leading
            return {key for key, loading in zip(codes, leading, strict=True) if loading < _AGAINST}
    return set()


def _describe_survey(
    file: _File,
    wave: Mapping[str, object],
    sited: bool,
    items: Mapping[str, int],
    wanted: Sequence[str],
) -> ProposedSurvey:
    """Describe a file by the columns of its items; those of a new questionnaire are `wanted`."""
    site = file.find("site") if sited else None
    roles: dict[str, list[str]] = defaultdict(list)
    for number, role in file.roles.items():
        column = file.columns[number]
        if number in items.values() or (site and column.name == site.name):
            continue
        if role in {"question", "site"}:
            shown = len(column.values) > 1 and fold_answer(column.name) not in RESERVED_COLUMNS
            role = "other" if shown else ""
        roles[role].append(column.name)
    return ProposedSurvey(
        path=file.path,
        platform=file.table.platform,
        rows=len(file.table.rows),
        site_column=site.name if site else "",
        columns={
            file.table.names[number]: key
            for key, number in items.items()
            if wanted and file.table.names[number] != key
        },
        not_asked=tuple(key for key in wanted if key not in items),
        roles={role: tuple(names) for role, names in roles.items()},
        gaps=tuple(file.list_gaps()),
        **wave,  # type: ignore[arg-type]
    )
