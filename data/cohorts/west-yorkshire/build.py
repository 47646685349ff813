"""Cut the real open data of west-yorkshire, and pick its pairs by a rule set beforehand.

The package crime-sim-toolkit 1.5.0 carries street files of data.police.uk for West Yorkshire and
the 2011 census population of every LSOA. What the rehearsal needs is kept, and nothing else:
no Crime ID, no coordinates, no street.

    python -m pip download --no-deps crime-sim-toolkit==1.5.0
    python data/cohorts/west-yorkshire/build.py crime_sim_toolkit-1.5.0-py3-none-any.whl

Pairs are drawn from July 2016 alone, so that July 2017 can't steer the choice: three areas
(MSOAs) at random from all with at least 60 victim-based crimes, each beside the area of the same
authority that is nearest in victim-based crime and not yet taken. The sites are printed for
cohort.yml.
"""

from __future__ import annotations

import csv
import io
import random
import sys
import zipfile
from collections import Counter
from pathlib import Path

SEED = 20160701
HERE = Path(__file__).parent
STREET = "crime_sim_toolkit/tests/testing_data/test_policedata/{0}/{0}-west-yorkshire-street.csv"
LOOKUP = "crime_sim_toolkit/src/LSOA_data/PoliceforceLSOA.csv"
CENSUS = "crime_sim_toolkit/src/LSOA_data/census_2011_population_hh.csv"
KEPT = ["Month", "Falls within", "LSOA code", "LSOA name", "Crime type"]
NOT_VICTIM_BASED = {
    "Anti-social behaviour",
    "Drugs",
    "Other crime",
    "Possession of weapons",
    "Public order",
}
FEWEST, PAIRS = 60, 3


def main(wheel: str) -> None:
    """Write the cut files and print the sites."""
    with zipfile.ZipFile(wheel) as archive:
        months = {month: read(archive, STREET.format(month)) for month in ("2016-07", "2017-07")}
        lookup = read(archive, LOOKUP)
        people = read_populations(archive)
    for month, rows in months.items():
        cut = [[row[name] for name in KEPT] for row in rows]
        write_csv(HERE / "incidents" / month / f"{month}-west-yorkshire-street.csv", [KEPT, *cut])
    force = [row for row in lookup if row["Police_force"] == "West Yorkshire"]
    header = ["lsoa", "msoa", "authority", "authority_name", "population"]
    areas = [
        [
            row["LSOA Code"],
            row["MSOA Name"],
            row["Local authority code"],
            row["Local authority name"],
            people[row["LSOA Code"]],
        ]
        for row in force
    ]
    write_csv(HERE / "lookup.csv", [header, *sorted(areas)])
    print_sites(months["2016-07"], areas)


def print_sites(before: list[dict[str, str]], areas: list[list[str]]) -> None:
    """Draw the pairs from the month before, and print them as cohort.yml wants them."""
    home = {lsoa: (msoa, authority) for lsoa, msoa, authority, *_ in areas}
    count = Counter(
        home[row["LSOA code"]]
        for row in before
        if row["LSOA code"] in home and row["Crime type"] not in NOT_VICTIM_BASED
    )
    rng = random.Random(SEED)
    taken: set[tuple[str, str]] = set()
    for number in range(1, PAIRS + 1):
        free = sorted(area for area in count if count[area] >= FEWEST and area not in taken)
        site = free[int(rng.random() * len(free))]
        taken.add(site)
        near = [a for a in sorted(count) if a[1] == site[1] and a not in taken]
        control = min(near, key=lambda area: abs(count[area] - count[site]))
        taken.add(control)
        for role, (msoa, _) in (("", site), ("-control", control)):
            codes = sorted(lsoa for lsoa, (name, _) in home.items() if name == msoa)
            print(f"  pair-{number}{role}: {{title: {msoa}, lsoas: [{', '.join(codes)}]}}")


def read(archive: zipfile.ZipFile, member: str) -> list[dict[str, str]]:
    """Read one CSV of the wheel."""
    with archive.open(member) as file:
        return list(csv.DictReader(io.TextIOWrapper(file, encoding="utf-8-sig", newline="")))


def read_populations(archive: zipfile.ZipFile) -> dict[str, str]:
    """Read everyone living in each LSOA; three columns share the name, the first is the total."""
    with archive.open(CENSUS) as file:
        rows = list(csv.reader(io.TextIOWrapper(file, encoding="utf-8-sig", newline="")))
    lsoa, total = rows[0].index("LSOA Code"), rows[0].index("Persons")
    return {row[lsoa]: row[total].replace(",", "") for row in rows[1:]}


def write_csv(path: Path, rows: list[list[str]]) -> None:
    """Write rows with the same line ends on every system."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


if __name__ == "__main__":
    main(sys.argv[1])
