"""What incident files hold: months, areas, and whether their columns are understood."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sbwork.read.checks import CheckKind
from sbwork.read.incidents.reading import read_incidents
from sbwork.read.places.geography import name_msoa
from sbwork.specs.cohort import Cohort
from sbwork.specs.errors import InputError, Problem

__all__ = ["IncidentDescription", "describe_incidents"]


@dataclass(frozen=True)
class IncidentDescription:
    """One file, folder or zip of incidents.

    Attributes
    ----------
    months, missing : tuple of str
        Months covered, and those between them that no file covers.
    rows : float
        Incidents read.
    totals : mapping
        Title of an outcome -> incidents in all months.
    lsoas : tuple of str
        The LSOA codes met, sorted; empty where the files hold none.
    authorities : mapping
        Local authority, as the names of the LSOAs tell it -> how many of its LSOAs are met.
    notes : tuple of str
        What a person should look at, such as crime types that are not known.
    problems : tuple of Problem
        Why it could not be read; empty where it could.
    """

    months: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    rows: float = 0.0
    totals: Mapping[str, float] = field(default_factory=dict)
    lsoas: tuple[str, ...] = ()
    authorities: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def describe_incidents(path: Path) -> IncidentDescription:
    r"""Look into incident files without a cohort to place them in.

    Parameters
    ----------
    path : Path
        A file, folder or zip.

    Returns
    -------
    IncidentDescription
        What it holds; with `problems` where it can't be read as it stands.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "extract.csv"
    >>> _ = path.write_text("Date,Offence,LSOA\n2023-01-05,Burglary,E01000001\n")
    >>> describe_incidents(path).months, describe_incidents(path).lsoas
    (('2023-01',), ('E01000001',))
    """
    cohort = Cohort.model_validate(
        {"name": "new", "incidents": [{"path": str(path.resolve())}], "placebo": {}}
    )
    try:
        incidents = read_incidents(cohort)
    except InputError as error:
        shown = str(path.resolve())
        problems = (
            Problem(p.file.replace(shown, path.name), p.place, p.found, p.allowed, p.nearest)
            for p in error.problems
        )
        return IncidentDescription(problems=tuple(problems))
    areas = incidents.areas.drop_duplicates("area")
    names = Counter(
        name_msoa(str(name)).rpartition(" ")[0] for name in areas["name"] if str(name).strip()
    )
    del names[""]
    totals = incidents.areas.groupby("outcome")["count"].sum()
    quality = incidents.quality
    unknown = quality.loc[quality["kind"] == CheckKind.UNKNOWN_TYPE, "note"]
    read = quality.loc[quality["kind"] == CheckKind.ROWS_READ, "count"]
    return IncidentDescription(
        months=incidents.months,
        missing=incidents.missing_months,
        rows=float(read.sum()),
        totals={cohort.title_outcome(str(key)): float(total) for key, total in totals.items()},
        lsoas=tuple(sorted(code for code in areas["area"] if _is_lsoa(str(code)))),
        authorities=dict(names.most_common()),
        notes=tuple(unknown),
    )


def _is_lsoa(code: str) -> bool:
    return len(code) == 9 and code[0] in "EWX" and code[1:].isdigit()
