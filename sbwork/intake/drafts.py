"""A first cohort.yml and a first questionnaire, written with comments for a person to finish."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from functools import cache
from typing import TYPE_CHECKING

from sbwork.intake.surveys import Proposal
from sbwork.read.incidents.reading import IncidentDescription
from sbwork.specs.errors import list_names

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["draft_cohort", "draft_instrument", "write_yaml"]

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_/.-]*(?: [A-Za-z0-9_/.-]+)*")
_NOT_PLAIN = {"null", "yes", "no", "true", "false", "on", "off", "n", "y"}
_CONTROL = re.compile(r"\b(?:controls?|comparison)\b", re.IGNORECASE)
_EXAMPLES = {"area-1": "Area 1", "area-1-control": "Area 1 control site"}
_MOST_AUTHORITIES = 6
_YEAR = 12


def draft_cohort(
    name: str,
    proposal: Proposal,
    survey_paths: Sequence[str],
    incidents: Mapping[str, IncidentDescription],
    *,
    lookup: str = "",
    boundaries: Sequence[str] = (),
) -> str:
    """Write a cohort.yml from what the files hold; paths start from the cohort's folder.

    Guesses are marked as such. What only a person can know is there as an example: lines that
    begin with a ``#`` and no space after it, filled with values from the files.
    """
    titles = {key: names[0] for key, names in proposal.sites.items()} or _EXAMPLES
    authorities: Counter[str] = Counter()
    for found in incidents.values():
        authorities.update(found.authorities)
    codes = list(dict.fromkeys(code for found in incidents.values() for code in found.lsoas))
    months = sorted({month for found in incidents.values() for month in found.months})
    length = min(_YEAR, len(months) // 2)
    before, after = ["2023-01", "2023-12"], ["2024-01", "2024-12"]
    if length:
        before, after = months[-2 * length : -length], months[-length:]
    instrument = proposal.instrument
    return _open_templates().get_template("cohort.yml.j2").render(
        name=name,
        title=_make_title(name),
        proposal=proposal,
        unread=bool(proposal.surveys) and not (proposal.items or instrument),
        survey_paths=survey_paths,
        incidents=incidents,
        lookup=lookup,
        boundaries=list(boundaries),
        codes=codes,
        spilled=len({code for found in incidents.values() for code in found.spilled} - {*codes}),
        authorities=[authority for authority, _ in authorities.most_common(_MOST_AUTHORITIES)],
        site_column=next((s.site_column for s in proposal.surveys if s.site_column), ""),
        titles=titles,
        pairs=_match_controls(titles),
        months=months,
        before=before,
        after=after,
        unequal={month[5:] for month in before} != {month[5:] for month in after},
        scales=list(instrument.scales) if instrument else [s.key for s in proposal.scales],
    )  # fmt: skip


def draft_instrument(name: str, proposal: Proposal) -> str:
    """Write a questionnaire's file from the items that the survey files seem to hold."""
    options = {item.key: item.options for item in proposal.items}
    sets = [options[scale.items[0]] for scale in proposal.scales]
    alike = [s.key for s, own in zip(proposal.scales, sets, strict=True) if own == sets[0]]
    return _open_templates().get_template("instrument.yml.j2").render(
        name=name, title=_make_title(name), proposal=proposal, alike=alike
    )  # fmt: skip


def write_yaml(value: str | Sequence[str]) -> str:
    r"""Write text, or a list of texts, so that YAML reads it back as it is.

    Examples
    --------
    >>> print(write_yaml("Area 1"), write_yaml(["No: 3", "5"]))
    Area 1 ["No: 3", "5"]
    """
    if not isinstance(value, str):
        return f"[{', '.join(write_yaml(part) for part in value)}]"
    text = _clean(value)
    if _PLAIN.fullmatch(text) and text.casefold() not in _NOT_PLAIN:
        return text
    return json.dumps(text, ensure_ascii=False)


def _clean(value: object) -> str:
    """Return text on one line: what files hold may not break a line, nor hide anything in it."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(value)).split())


@cache
def _open_templates() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(  # noqa: S701
        loader=PackageLoader("sbwork.intake"),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {
        "yaml": write_yaml,
        "text": _clean,
        "as_example": lambda text, wanted: (
            re.sub("(?m)^(?! *#)(?=.)", "#", text) if wanted else text
        ),
        "names": lambda names: _clean(list_names(list(names), most=8)),
    }
    return environment


def _make_title(name: str) -> str:
    return name.replace("-", " ").replace("_", " ").capitalize()


def _match_controls(titles: Mapping[str, str]) -> list[tuple[str, str]]:
    """Pair each area with the control site whose name is most like its own."""
    free = [key for key, title in titles.items() if _CONTROL.search(f"{key} {title}")]
    areas = [key for key in titles if key not in free]
    if not free or not areas:
        # Nothing says which is which: the first two are an example.
        first, second = [*titles, ""][:2]
        return [(first, second)]
    pairs = []
    for area in areas:
        like = {key: SequenceMatcher(None, titles[area], titles[key]).ratio() for key in free}
        best = max(like, key=like.__getitem__, default="")
        free = [key for key in free if key != best]
        pairs.append((area, best))
    return pairs
