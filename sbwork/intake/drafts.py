"""A first cohort.yml and a first questionnaire, written with comments for a person to finish."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher

from sbwork.intake.answer_sets import OptionSet
from sbwork.intake.surveys import Proposal, ProposedSurvey
from sbwork.read.incidents.reading import IncidentDescription

__all__ = ["draft_cohort", "draft_instrument"]

_CHECK = "guessed: check"
_EVERYONE = "everyone"
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_/.-]*(?: [A-Za-z0-9_/.-]+)*")
_NOT_PLAIN = {"null", "yes", "no", "true", "false", "on", "off", "n", "y"}
_CONTROL = re.compile(r"\b(?:controls?|comparison)\b", re.IGNORECASE)
_MOST_SHOWN = 8
_MOST_AUTHORITIES = 6
_YEAR = 12


def draft_cohort(
    name: str,
    proposal: Proposal,
    survey_paths: Sequence[str],
    incidents: Mapping[str, IncidentDescription],
    *,
    has_instrument: bool = True,
    lookup: str = "",
    boundaries: Sequence[str] = (),
) -> str:
    """Write a cohort.yml from what the files hold.

    Guesses are marked as such. What only a person can know stands there as examples: lines that
    begin with a ``#`` and no space after it, filled with values from the files.

    Parameters
    ----------
    name : str
        The cohort's name.
    proposal : Proposal
        What the survey files seem to hold.
    survey_paths : sequence of str
        The path of each survey of the proposal, from the cohort's folder.
    incidents : mapping
        Path -> what the incident files hold.
    has_instrument : bool
        Whether a questionnaire of this name goes with it.
    lookup, boundaries : str
        Files of the geography lying in the folder.

    Returns
    -------
    str
        YAML.
    """
    lines = [
        "# A first cohort.yml, written by 'sbwork new' from what the files hold.",
        f"# \"{_CHECK}\" marks what was guessed. A line that begins with '#' and no space after it",
        "# is an example: take the '#' out to use it. Every key is explained in data/README.md.",
        f"name: {write_text(name)}",
        f"title: {write_text(name.replace('-', ' ').replace('_', ' ').capitalize())}",
        "#summary: One or two sentences on what was done, where, and by whom.",
    ]
    if has_instrument:
        lines.append(f"instrument: {write_text(name)}  # the file instruments/{name}.yml")
    lines += ["", *_draft_sites(proposal, incidents), "", *_draft_pairs(proposal, incidents)]
    lines += ["", *_draft_periods(incidents)]
    if incidents:
        lines += ["", *_draft_incidents(incidents)]
    if lookup or boundaries:
        lines += ["", "geography:"]
        lines += [f"  lookup: {write_text(lookup)}  # {_CHECK}"] if lookup else []
        if boundaries:
            lines.append(f"  boundaries: {_write_list(boundaries)}  # {_CHECK}")
    if proposal.surveys:
        lines += ["", *_draft_surveys(proposal, survey_paths)]
    if proposal.scales:
        lines += [
            "",
            "# The scales that the evaluation is about, named before the results are seen:",
            f"#confirmatory: {_write_list([scale.key for scale in proposal.scales][:_MOST_SHOWN])}",
        ]
    return _join(lines)


def draft_instrument(name: str, proposal: Proposal) -> str:
    """Write a questionnaire's file from the items that the survey files seem to hold."""
    lines = [
        "# A first questionnaire, written by 'sbwork new' from what the survey files hold.",
        f"# \"{_CHECK}\" marks what was guessed. A line that begins with '#' and no space after it",
        "# is an example or a guess that is not used yet: take the '#' out to use it.",
        f"name: {write_text(name)}",
        f"title: {write_text(name.replace('-', ' ').replace('_', ' ').capitalize())}",
        "#source: Who wrote the questions, and where they were published.",
        "#licence: Who may use them.",
        "",
        "options:",
    ]
    for key, found in proposal.options.items():
        lines += _draft_options(key, found)
    turned = [item.key for item in proposal.items if item.reverse]
    lines += ["", "# The questions. Leave out what measures nothing."]
    if turned:
        lines += [
            f"# {len(turned)} of them may be worded the other way round. No answer is turned round",
            "# until you take out the '#' before 'reverse: true' (look for '#reverse').",
        ]
    lines.append("items:")
    for item in proposal.items:
        lines.append(f"  {write_text(item.key)}:")
        if item.text:
            lines.append(f"    text: {write_text(item.text)}")
        lines.append(f"    options: {write_text(item.options)}")
        if item.reverse:
            lines.append(f"    #reverse: true  # {_CHECK}: {item.reverse}")
    lines += ["", "# What is averaged."]
    if not proposal.scales:
        first = [item.key for item in proposal.items][:4]
        lines += [
            "#scales:",
            f"#  first_scale: {{title: First scale, items: {_write_list(first)}}}",
        ]
        return _join(lines)
    lines.append("scales:")
    for scale in proposal.scales:
        lines += [
            f"  {write_text(scale.key)}:  # {_CHECK}: {scale.why}",
            f"    title: {write_text(scale.title)}",
            f"    items: {_write_list(scale.items)}",
        ]
    if len(proposal.scales) > 1:
        parts = _write_list([scale.key for scale in proposal.scales][:3])
        lines += [
            "  # A scale of scales, where several measure one thing together:",
            f"  #overall: {{title: Overall, scales: {parts}}}",
        ]
    return _join(lines)


def _join(lines: Iterable[str]) -> str:
    """Join lines; text of the files may not break one, nor hide anything in it."""
    return "".join(
        "".join(char if char.isprintable() else " " for char in line).rstrip() + "\n"
        for line in lines
    )


def write_text(text: str) -> str:
    r"""Write text so that YAML reads it back as it is.

    Examples
    --------
    >>> print(write_text("Area 1"), write_text("No: 3"), write_text("5"))
    Area 1 "No: 3" "5"
    """
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if _PLAIN.fullmatch(text) and text.casefold() not in _NOT_PLAIN:
        return text
    return json.dumps(text, ensure_ascii=False)


def _write_list(values: Iterable[str]) -> str:
    return f"[{', '.join(write_text(value) for value in values)}]"


def _list_shown(values: Sequence[str], most: int = _MOST_SHOWN) -> str:
    shown = ", ".join(f"'{value}'" for value in values[:most])
    return f"{shown} and {len(values) - most} more" if len(values) > most else shown


def _draft_sites(proposal: Proposal, incidents: Mapping[str, IncidentDescription]) -> Iterator[str]:
    codes = [code for told in incidents.values() for code in told.lsoas]
    authorities: dict[str, int] = {}
    for told in incidents.values():
        for authority, count in told.authorities.items():
            authorities[authority] = authorities.get(authority, 0) + count
    yield "# The areas. Give each the LSOA codes it is made of, so that its incidents are counted."
    if codes:
        yield "# Those in the examples are just the first of the files: put the area's own there."
        named = list(authorities)[:_MOST_AUTHORITIES]
        yield f"# The incident files name {len(codes):,} LSOAs" + (
            ", most of them in:" if named else "."
        )
        if named:
            yield f"# {', '.join(named)}."
    if proposal.sites:
        column = next(s.site_column for s in proposal.surveys if s.site_column)
        yield f"sites:  # {_CHECK}: the answers in the column {write_text(column)}"
        for number, (key, names) in enumerate(proposal.sites.items()):
            yield f"  {write_text(key)}:"
            yield f"    title: {write_text(names[0])}"
            if names[1:]:
                yield f"    names: {_write_list(names[1:])}"
            if len(codes) > number:
                yield f"    #lsoas: [{codes[number]}]"
        return
    if proposal.surveys:
        yield "sites:"
        yield f"  {_EVERYONE}:  # {_CHECK}: no column tells the area, so all answers count as one"
        yield "    title: Everyone who answered"
        indent = "  #"
    else:
        yield "#sites:"
        indent = "#  "
    for number, (key, title) in enumerate(_EXAMPLES):
        lsoas = f", lsoas: [{codes[number]}]" if len(codes) > number else ""
        yield f"{indent}{key}: {{title: {title}{lsoas}}}"


_EXAMPLES = (("area-1", "Area 1"), ("area-1-control", "Area 1 control site"))


def _draft_pairs(proposal: Proposal, incidents: Mapping[str, IncidentDescription]) -> Iterator[str]:
    titles = {key: names[0] for key, names in proposal.sites.items()} or dict(_EXAMPLES)
    yield "# Which area is compared with which control site, and why that is a fair comparison."
    yield "#pairs:"
    for area, control in _match_controls(titles):
        yield f"#  - title: {write_text(titles[area])}"
        yield f"#    intervention: {area}"
        if control:
            yield f"#    control: {control}"
            yield "#    control_reason:"
            yield "#    # Write why after it: without a reason the evidence can't reach level 3."
    yield "# Why these areas: highest, rising, volunteered, drawn or other (see data/README.md)."
    yield "#chosen_because: highest"


def _match_controls(titles: Mapping[str, str]) -> list[tuple[str, str]]:
    """Pair each area with the control site whose name is most like its own."""
    controls = [key for key, title in titles.items() if _CONTROL.search(f"{key} {title}")]
    areas = [key for key in titles if key not in controls]
    if not controls:
        # Nothing says which is which: the first two stand as an example.
        return [(areas[0], areas[1] if len(areas) > 1 else "")]
    free = list(controls)
    pairs = []
    for area in areas:
        like = {key: SequenceMatcher(None, titles[area], titles[key]).ratio() for key in free}
        best = max(like, key=like.__getitem__, default="")
        if best:
            free.remove(best)
        pairs.append((area, best))
    return pairs or [(controls[0], "")]


def _draft_periods(incidents: Mapping[str, IncidentDescription]) -> Iterator[str]:
    months = sorted({month for told in incidents.values() for month in told.months})
    yield "# The months before and after the work began; those between count for neither."
    if months:
        yield f"# The incident files cover {months[0]} to {months[-1]} ({len(months)} months)."
    yield "#periods:"
    if len(months) >= 2 * _YEAR:
        before, after = months[-2 * _YEAR : -_YEAR], months[-_YEAR:]
    elif len(months) >= 2:
        half = len(months) // 2
        before, after = months[:half], months[-half:]
    else:
        before, after = ["2023-01", "2023-12"], ["2024-01", "2024-12"]
    yield f"#  before: {{start: {before[0]}, end: {before[-1]}}}"
    yield f"#  after: {{start: {after[0]}, end: {after[-1]}}}"
    if {month[5:] for month in before} != {month[5:] for month in after}:
        yield "#  unequal_seasons: true  # the two hold different calendar months"


def _draft_incidents(incidents: Mapping[str, IncidentDescription]) -> Iterator[str]:
    usable = any(not told.problems for told in incidents.values())
    yield "incidents:" if usable else "#incidents:"
    for path, told in incidents.items():
        if told.problems:
            yield from _draft_unread(path, told, "  #" if usable else "#  ")
            continue
        yield f"  - path: {write_text(path)}"
        span = f"{told.months[0]} to {told.months[-1]}" if told.months else "no month"
        yield f"    # {told.rows:,.0f} incidents, {span}."
        if told.missing:
            yield f"    # No file covers {_list_shown(told.missing)}: missing, not zero."
        for note in told.notes[:_MOST_SHOWN]:
            yield f"    # Crime type not known: {note}."
        if told.notes:
            yield '    #crime_types: {"your name for it": Burglary}'


def _draft_unread(path: str, told: IncidentDescription, mark: str) -> Iterator[str]:
    yield f"# {path} can't be used as it stands:"
    for problem in told.problems[:_MOST_SHOWN]:
        yield f"# {' '.join(str(problem).split())}"
    column = '"its name in your file"'
    yield f"{mark}- path: {write_text(path)}"
    yield f"{mark}  columns: {{month: {column}, crime_type: {column}, lsoa: {column}}}"


def _draft_surveys(proposal: Proposal, paths: Sequence[str]) -> Iterator[str]:
    yield "surveys:"
    for survey, path in zip(proposal.surveys, paths, strict=True):
        yield f"  - path: {write_text(path)}"
        yield f"    # {survey.rows:,} rows, as {survey.platform} writes them."
        yield from _draft_wave(survey)
        if survey.site_column:
            yield f"    site_column: {write_text(survey.site_column)}  # {_CHECK}"
        else:
            yield f"    site: {_EVERYONE}"
            for column, values in survey.groups.items():
                yield f"    # The column '{column}' holds {_list_shown(values)}. If it tells"
                yield f"    # the area, write 'site_column: {column}' in place of 'site',"
                yield "    # and make these values sites."
        if survey.person_column:
            yield f"    person_column: {write_text(survey.person_column)}  # {_CHECK}: links people"
        elif survey.ids:
            yield "    # An id that links people across waves; it is replaced by a keyed hash."
            yield f"    #person_column: {write_text(survey.ids[0])}"
        if survey.weights:
            yield f"    #weight_column: {write_text(survey.weights[0])}"
        if survey.columns:
            yield f"    columns:  # {_CHECK}: your column, and the item it answers"
            for column, item in survey.columns.items():
                yield f"      {write_text(column)}: {write_text(item)}"
        if survey.not_asked:
            yield f"    not_asked: {_write_list(survey.not_asked)}"
        if survey.multiple:
            yield f"    multiple:  # {_CHECK}: questions with several answers"
            for key, prefix in survey.multiple.items():
                yield f"      {write_text(key)}: {write_text(prefix)}"
        yield from _draft_rest(survey)


def _draft_wave(survey: ProposedSurvey) -> Iterator[str]:
    if survey.wave_column:
        yield f"    wave_column: {write_text(survey.wave_column)}  # {_CHECK}"
        meant = ", ".join(f"{write_text(v)}: {wave}" for v, wave in survey.waves.items())
        yield f"    waves: {{{meant}}}  # {_CHECK}"
    else:
        yield f"    wave: {survey.wave}  # {_CHECK}, from {survey.wave_why}"


def _draft_rest(survey: ProposedSurvey) -> Iterator[str]:
    if survey.others:
        yield "    # Other questions. Keep what answers are to be weighted or described by."
        yield f"    #keep: {_write_list(survey.others[:_MOST_SHOWN])}"
    if survey.texts:
        yield "    # Free text is dropped, unless named here. Read it before it is published."
        yield f"    #stories: {_write_list(survey.texts[:_MOST_SHOWN])}"
    if survey.checks:
        yield f"    # Left out as checks of attention: {_list_shown(survey.checks)}."
    names = [name for columns in survey.dropped.values() for name in columns]
    kept_id = survey.person_column
    names = [name for name in names if name != kept_id]
    if names:
        yield f"    # Dropped as personal data: {_list_shown(names)}."


def _draft_options(key: str, found: OptionSet) -> Iterator[str]:
    why = f"  # {_CHECK}: {'; '.join(found.guesses)}" if found.guesses else ""
    yield f"  {write_text(key)}:{why}"
    for option in found.options:
        label = f", label: {write_text(option.label)}" if option.label else ""
        kind = f", nonresponse: {option.nonresponse}" if option.nonresponse else ""
        mark = f"  # {_CHECK}" if option.nonresponse else ""
        yield f"    - {{code: {option.code:g}{label}{kind}}}{mark}"
