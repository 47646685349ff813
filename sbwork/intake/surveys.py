"""Survey and incident files looked into, and a cohort and a questionnaire proposed from them."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sbwork.intake.answer_sets import OptionSet
from sbwork.intake.directions import find_reversed
from sbwork.intake.exploration import (
    ExploredFile,
    Question,
    explore_file,
    find_date,
    find_site_column,
)
from sbwork.intake.families import (
    RESERVED,
    drop_unmatched,
    find_families,
    name_questions,
    share_options,
)
from sbwork.intake.item_names import make_slug
from sbwork.intake.roles import guess_wave, read_waves
from sbwork.read.surveys.answers import fold_answer
from sbwork.read.surveys.columns import assign_columns
from sbwork.read.surveys.personal import hash_ids, mask_text
from sbwork.specs.cohort import SurveySource
from sbwork.specs.errors import InputError, Problem, list_names
from sbwork.specs.instrument import Instrument, Item

__all__ = ["Proposal", "ProposedItem", "ProposedScale", "ProposedSurvey", "propose_surveys"]

_MOST_ITEMS = 400
_FEWEST_SIDE_BY_SIDE = 3
_SHARE_LINKED = 0.05
_FEWEST_LINKED = 5


@dataclass(frozen=True)
class ProposedItem:
    """One question that looks like an item.

    Attributes
    ----------
    key : str
        What the instrument calls it.
    text : str
        The question, as far as the files tell.
    options : str
        Its set of options.
    reverse : str
        Why it may be worded the other way round; empty where nothing says so.
    """

    key: str
    text: str
    options: str
    reverse: str = ""


@dataclass(frozen=True)
class ProposedScale:
    """Items that may belong together: ``key``, ``title``, ``items`` and ``why``."""

    key: str
    title: str
    items: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class ProposedSurvey:
    """One survey file and what its columns seem to be.

    Attributes
    ----------
    path : Path
        The file.
    platform : str
        What wrote it.
    rows : int
        Rows of answers.
    wave, wave_why : str
        The wave of the whole file and why it is guessed; empty with `wave_column`.
    wave_column : str
        The column that tells the wave.
    waves : mapping
        What its values mean.
    site_column : str
        The column that tells the site.
    person_column : str
        The id that links people across waves.
    columns : mapping
        Column -> item, where the item is not found by its own name.
    not_asked : tuple of str
        Items that the file lacks.
    multiple : mapping
        Multiple-response set -> what its columns start with.
    ids, weights, texts, groups, others : tuple of str
        Columns of ids, of weights, of free text, that may tell the site, and of other questions.
    dropped : mapping
        Kind of personal data -> columns.
    checks : tuple of str
        Columns that look like attention checks.
    """

    path: Path
    platform: str
    rows: int
    wave: str = ""
    wave_why: str = ""
    wave_column: str = ""
    waves: Mapping[str, str] = field(default_factory=dict)
    site_column: str = ""
    person_column: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    not_asked: tuple[str, ...] = ()
    multiple: Mapping[str, str] = field(default_factory=dict)
    ids: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    others: tuple[str, ...] = ()
    dropped: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    checks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Proposal:
    """What the survey files of a cohort seem to hold.

    Attributes
    ----------
    surveys : tuple of ProposedSurvey
        The files, before first.
    options : mapping
        Name -> the set of options.
    items : tuple of ProposedItem
        In the order of the files.
    scales : tuple of ProposedScale
        Items that may belong together.
    sites : mapping
        Key -> what the files call the site; empty where no column tells the site.
    notes : tuple of str
        What could not be proposed, and why.
    """

    surveys: tuple[ProposedSurvey, ...] = ()
    options: Mapping[str, OptionSet] = field(default_factory=dict)
    items: tuple[ProposedItem, ...] = ()
    scales: tuple[ProposedScale, ...] = ()
    sites: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def propose_surveys(paths: Sequence[Path]) -> Proposal:
    r"""Look into survey files and propose how they are read and what they measure.

    Parameters
    ----------
    paths : sequence of Path
        The exports of one questionnaire: one file with all waves, or one a wave.

    Returns
    -------
    Proposal
        Items, options, scales, waves and sites, each as good as a guess can be.

    Raises
    ------
    InputError
        A file can't be read; every such file is named.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "before.csv"
    >>> rows = [f"{'NS'[i % 2]},{i % 5 + 1},{5 - i % 5}" for i in range(60)]
    >>> _ = path.write_text("\n".join(["Ward,trust_1,trust_2", *rows]))
    >>> told = propose_surveys([path])
    >>> [item.key for item in told.items], list(told.sites), told.surveys[0].wave
    (['trust_1', 'trust_2'], ['n', 's'], 'before')
    """
    files: list[ExploredFile] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            files.append(explore_file(path))
        except InputError as error:
            problems.extend(error.problems)
    if problems:
        raise InputError(problems)
    if not files:
        return Proposal()
    waves = _guess_waves(files)
    files = [file for _, file in sorted(zip(waves, files, strict=True), key=lambda p: p[0][3])]
    waves = sorted(waves, key=lambda wave: wave[3])
    name_questions(files)
    families = find_families(files)
    options, chosen = share_options(files, families)
    left_out = drop_unmatched(files, options, chosen)
    items, notes = _describe_items(files, chosen)
    if left_out:
        notes.append(f"Left out, since their answers are on no one scale: {list_names(left_out)}")
    for file in files:
        repeated = file.name_columns("repeated")
        if repeated:
            notes.append(
                f"{file.path.name} has several columns of the same name, which are left out: "
                f"{list_names(repeated)}. Rename them to have them read"
            )
    sites = _list_sites(files)
    person = _choose_person(files)
    surveys = [
        _describe_survey(file, wave, items, bool(sites), person)
        for file, wave in zip(files, waves, strict=True)
    ]
    used = {item.options for item in items}
    known = {item.key for item in items}
    scales = _list_scales(files, families, known, chosen, options)
    reversed_ = find_reversed(
        files,
        [(scale.items, options[chosen[scale.items[0]]]) for scale in scales],
    )
    return Proposal(
        surveys=tuple(surveys),
        options={name: found for name, found in options.items() if name in used},
        items=tuple(replace(item, reverse=reversed_.get(item.key, "")) for item in items),
        scales=tuple(scales),
        sites=sites,
        notes=tuple(f"{note}." for note in notes),
    )


_Wave = tuple[str, str, dict[str, str], tuple[int, str, int]]


def _guess_waves(files: Sequence[ExploredFile]) -> list[_Wave]:
    """Guess each file's wave: by a column, its name, its dates, or the order given.

    Each entry is the wave, why, the wave column's values (with its name under ""), and a key to
    sort the files by.
    """
    guessed: list[_Wave] = []
    dates = [find_date(file) for file in files]
    for number, file in enumerate(files):
        columns = [i for i, role in enumerate(file.roles) if role.kind == "wave"]
        told = [c for i, c in enumerate(file.columns) if i in columns]
        values = [read_waves(column.values, column.labels) for column in told]
        place = (0, dates[number], number)
        best = max(range(len(told)), key=lambda i: len(set(values[i].values())), default=-1)
        if best >= 0 and (len(files) == 1 or len(set(values[best].values())) > 1):
            guessed.append(("", "", {"": told[best].name, **values[best]}, place))
            continue
        named = guess_wave(file.path.stem)
        guessed.append((named, "the file's name" if named else "", {}, place))
    open_ = [i for i, wave in enumerate(guessed) if not wave[0] and not wave[2]]
    ordered = sorted(open_, key=lambda i: (dates[i] or "9999", i))
    others = {wave[0] for i, wave in enumerate(guessed) if i not in open_}
    for rank, i in enumerate(ordered):
        first = rank == 0 and "before" not in others
        dated = len(files) > 1 and dates[i]
        why = "the dates in the files" if dated else "the order of the files"
        why = why if len(files) > 1 else "nothing in the file says which"
        guessed[i] = ("before" if first else "after", why, {}, guessed[i][3])
    rank_of = {"before": 0, "": 1, "after": 2}
    return [(w, why, v, (rank_of[w], place[1], place[2])) for w, why, v, place in guessed]


def _describe_items(
    files: Sequence[ExploredFile], chosen: Mapping[str, str]
) -> tuple[list[ProposedItem], list[str]]:
    texts: dict[str, str] = {}
    notes: list[str] = []
    for file in files:
        for column in file.questions:
            if column.key not in chosen:
                continue
            first = texts.setdefault(column.key, column.text)
            if first and column.text and fold_answer(first) != fold_answer(column.text):
                notes.append(
                    f"'{column.key}' is worded differently in {file.path.name}: check that it is "
                    "the same question"
                )
    items = [
        ProposedItem(key, mask_text(text), chosen[key])
        for key, text in list(texts.items())[:_MOST_ITEMS]
    ]
    return items, notes


def _list_sites(files: Sequence[ExploredFile]) -> dict[str, tuple[str, ...]]:
    """List the sites that a column of every file tells, under the same kind of name."""
    sites: dict[str, tuple[str, ...]] = {}
    for file in files:
        column = find_site_column(file)
        if column is None:
            return {}
        for value in sorted(column.values):
            label = column.labels.get(value, value)
            slug = make_slug(label, dash="-") or make_slug(value, dash="-")
            slug = slug or str(len(sites) + 1)
            key = f"site-{slug}" if slug.isdecimal() or slug == "all" else slug
            title = label if not label.isdecimal() else f"Site {label}"
            names = [name for name in (label,) if name not in {title, key}]
            known = sites.get(key, (title,))
            sites[key] = tuple(dict.fromkeys([*known, *names]))
    titles = {fold_answer(name) for names in sites.values() for name in names}
    return sites if len(titles) >= len(sites) else {}


def _choose_person(files: Sequence[ExploredFile]) -> str:
    """Choose the id that links people: the one that most of them carry in both waves."""
    ids: dict[str, list[set[str]]] = defaultdict(list)
    for file in files:
        rows = file.table.kept
        for number, (column, role) in enumerate(zip(file.columns, file.roles, strict=True)):
            if role.kind == "person":
                values = [str(value) for value in file.table.read_column(number)[rows]]
                ids[column.name].append(set(hash_ids(values, b"look only")) - {""})
                if len(files) == 1:
                    repeated = {
                        v for v, n in Counter(hash_ids(values, b"look only")).items() if n == 2
                    }
                    ids[column.name].append(repeated - {""})
    linked = {
        name: len(sets[0].intersection(*sets[1:])) / max(1, min(len(s) for s in sets))
        for name, sets in ids.items()
        if len(sets) > 1
    }
    best = max(linked, key=linked.__getitem__, default="")
    if not best or linked[best] < _SHARE_LINKED:
        return ""
    return "" if len(files) == 1 and len(ids[best][1]) < _FEWEST_LINKED else best


def _describe_survey(
    file: ExploredFile, wave: _Wave, items: Sequence[ProposedItem], sited: bool, person: str
) -> ProposedSurvey:
    site = find_site_column(file)
    keys = {column.key for column in file.questions}
    wanted = {item.key for item in items}
    here = {column.key: column for column in file.questions if column.key in wanted}
    used = {column.number for column in here.values()}
    used |= {number for columns in file.sets.values() for number in columns}
    others = [
        column.name
        for number, (column, role) in enumerate(zip(file.columns, file.roles, strict=True))
        if role.kind in {"question", "group", "site"}
        and number not in used
        and column.values
        and not (sited and site is not None and column.name == site.name)
        and len(column.values) > 1
        and fold_answer(column.name) not in RESERVED
    ]
    dropped: dict[str, tuple[str, ...]] = {}
    for column, role in zip(file.columns, file.roles, strict=True):
        if role.kind in {"personal", "person"}:
            dropped[role.why] = (*dropped.get(role.why, ()), column.name)
    told = ProposedSurvey(
        path=file.path,
        platform=file.table.platform,
        rows=len(file.table.rows),
        wave=wave[0],
        wave_why=wave[1],
        wave_column=wave[2].get("", ""),
        waves={value: meant for value, meant in wave[2].items() if value},
        site_column=site.name if sited and site is not None else "",
        person_column=person if person in file.name_columns("person") else "",
        not_asked=tuple(item.key for item in items if item.key not in keys),
        multiple=_name_sets(file, wanted),
        ids=file.name_columns("person"),
        weights=file.name_columns("weight"),
        texts=file.name_columns("text"),
        groups={c.name: c.values for c, r in zip(file.columns, file.roles, strict=True)
                if r.kind in {"group", "site"} and c.name in others},
        others=tuple(dict.fromkeys(others)),
        dropped=dropped,
        checks=file.name_columns("check"),
    )  # fmt: skip
    return replace(told, columns=_map_columns(file, here, items))


def _name_sets(file: ExploredFile, taken: set[str]) -> dict[str, str]:
    named: dict[str, str] = {}
    for prefix in file.sets:
        key = make_slug(prefix) or f"set_{len(named) + 1}"
        while key in taken or key in named:
            key += "_set"
        named[key] = prefix
    return named


def _map_columns(
    file: ExploredFile,
    here: Mapping[str, Question],
    items: Sequence[ProposedItem],
) -> dict[str, str]:
    """Name the columns of items that the file would not find by itself."""
    present = {item.key: item for item in items if item.key in here}
    spec = SurveySource(path=file.path.name, wave="before", site="any")
    found: dict[str, int] = {}
    for group in (list(present), *([key] for key in present)):
        asked = {
            key: Item.model_construct(text=present[key].text) for key in group if key not in found
        }
        draft = Instrument.model_construct(name="draft", options={}, items=asked, scales={})
        try:
            found |= assign_columns(file.table, spec, draft).items
        except InputError:
            continue
    return {
        file.table.names[column.number]: key
        for key, column in here.items()
        if found.get(key) != column.number
    }


def _list_scales(
    files: Sequence[ExploredFile],
    families: Mapping[str, Sequence[str]],
    known: set[str],
    chosen: Mapping[str, str],
    options: Mapping[str, OptionSet],
) -> list[ProposedScale]:
    """Make a scale of every family of items that share their options."""
    stems = {column.key: column.stem for file in files for column in file.questions}
    scales: list[ProposedScale] = []
    taken = set(known) | RESERVED
    for family, keys in families.items():
        by_set: dict[str, list[str]] = defaultdict(list)
        for key in keys:
            if key in known:
                by_set[chosen[key]].append(key)
        for name, members in by_set.items():
            aside = "|" in family
            if len(members) < (_FEWEST_SIDE_BY_SIDE if aside else 2):
                continue
            asked = stems.get(members[0], "")
            title = make_slug(asked if aside and asked else name if aside else family)
            title = re.sub(r"^(from_.*)$", r"items_\1", title)
            title = "_".join(title.split("_")[:6])
            key, number = title or "scale", 2
            while key in taken:
                key, number = f"{title}_scale" if number == 2 else f"{title}_{number}", number + 1
            taken.add(key)
            why = "stand side by side with the same answers" if aside else "their names start alike"
            scales.append(ProposedScale(key, _title(key), tuple(members), why))
    return scales


def _title(key: str) -> str:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", key).replace("_", " ")
    return words[:1].upper() + words[1:]
