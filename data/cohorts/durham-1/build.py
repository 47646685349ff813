"""Make the invented row-level files of durham-1; run it again and the same bytes come out.

Nothing here is a real person or a real incident. The deck gives percentage changes and p values
only; the rows are made so that the ordinary analysis of them gives those figures back at the
precision that the deck prints. Sample sizes, item answers, months and area codes are made up.
The p values hold over all people of the two areas pooled and as the mean of the areas' own changes.

    python data/cohorts/durham-1/build.py
"""

from __future__ import annotations

import csv
import json
import math
import random
import shutil
from pathlib import Path
from statistics import NormalDist, fmean, variance

SEED = 20180601
HERE = Path(__file__).parent

BEFORE = [f"{2015 + (9 + m) // 12}-{(9 + m) % 12 + 1:02d}" for m in range(12)]
AFTER = [f"{2016 + (9 + m) // 12}-{(9 + m) % 12 + 1:02d}" for m in range(12)]

SITES = {
    "Area 1": ["X01000001", "X01000002", "X01000003"],
    "Area 1 control site": ["X01000011", "X01000012", "X01000013"],
    "Area 2": ["X01000021", "X01000022", "X01000023"],
    "Area 2 control site": ["X01000031", "X01000032", "X01000033"],
}
ELSEWHERE = ["X01000091", "X01000092"]

VICTIM_BASED = {  # before, after: -31, +5, -14 and +39 per cent
    "Area 1": (348, 240),
    "Area 1 control site": (320, 336),
    "Area 2": (286, 246),
    "Area 2 control site": (264, 367),
}
ASB = {  # -11, +2, -22 and -2 per cent
    "Area 1": (412, 367),
    "Area 1 control site": (350, 357),
    "Area 2": (300, 234),
    "Area 2 control site": (406, 398),
}
VICTIM_TYPES = {
    "Violence and sexual offences": 0.34,
    "Criminal damage and arson": 0.22,
    "Other theft": 0.13,
    "Burglary": 0.12,
    "Vehicle crime": 0.09,
    "Shoplifting": 0.06,
    "Theft from the person": 0.02,
    "Bicycle theft": 0.01,
    "Robbery": 0.01,
}
OTHER_TYPES = ["Drugs", "Public order", "Possession of weapons", "Other crime"]

PEOPLE = 150
ITEMS = [f"{scale}_{number}" for scale in ("trust", "info", "vision") for number in range(1, 5)]
REVERSED = {"trust_3", "info_3", "vision_3"}
TARGET_P = {"trust": 0.020, "info": 0.007, "vision": 0.043, "social capital": 0.010}
TREATED = ("Area 1", "Area 2")
COMMENTS = [
    "I know the names of our officers now and I would stop to talk.",
    "The meal in the hall was the first time I met the people over the road.",
    "They asked what we wanted and then came back to tell us what happened.",
    "It is quieter, but I am not sure it will last.",
    "Nothing much has changed on our side of the estate.",
    "I rang about the bikes because I knew who would pick it up.",
]


def write_incidents(rng: random.Random) -> None:
    """Write one street file a month in the layout of data.police.uk."""
    folder = HERE / "incidents"
    shutil.rmtree(folder, ignore_errors=True)
    rows: dict[str, list[list[str]]] = {month: [] for month in BEFORE + AFTER}
    for site, codes in SITES.items():
        for months, which in ((BEFORE, 0), (AFTER, 1)):
            for month in spread(rng, months, VICTIM_BASED[site][which]):
                kind = choose(rng, VICTIM_TYPES)
                rows[month].append(incident(rng, month, pick(rng, codes), kind))
            for month in spread(rng, months, ASB[site][which]):
                rows[month].append(incident(rng, month, pick(rng, codes), "Anti-social behaviour"))
            for month in spread(rng, months, 40):
                kind = pick(rng, OTHER_TYPES)
                rows[month].append(incident(rng, month, pick(rng, codes), kind))
    for month in rows:
        for _ in range(12):
            kind = choose(rng, VICTIM_TYPES)
            rows[month].append(incident(rng, month, pick(rng, ELSEWHERE), kind))
        for _ in range(3):
            rows[month].append(incident(rng, month, "", "Anti-social behaviour"))
    header = [
        "Crime ID",
        "Month",
        "Reported by",
        "Falls within",
        "Longitude",
        "Latitude",
        "Location",
        "LSOA code",
        "LSOA name",
        "Crime type",
        "Last outcome category",
        "Context",
    ]
    number = 0
    for month, incidents in rows.items():
        for row in sorted(incidents, key=lambda row: row[7:10]):
            if row[9] != "Anti-social behaviour":
                number += 1
                row[0] = f"invented-{number:05d}"
        write_csv(folder / month / f"{month}-invented-street.csv", [header, *incidents])


def spread(rng: random.Random, months: list[str], total: int) -> list[str]:
    """Share a total out over months, more unevenly than chance alone would."""
    busy = {month: 0.6 + 0.8 * rng.random() for month in months}
    return sorted(choose(rng, busy) for _ in range(total))


def incident(rng: random.Random, month: str, code: str, kind: str) -> list[str]:
    """Make one row; the name of the area follows from its code."""
    police = "Invented Constabulary"
    name = f"Invented {int(code[-2]) + 1:03d}{' ABC'[int(code[-1])]}" if code else ""
    outcome = "" if kind == "Anti-social behaviour" else "Investigation complete"
    street = pick(rng, ["Elm Street", "Chapel Row", "Station Road", "Mill Lane"])
    return [
        "",
        month,
        police,
        police,
        "",
        "",
        f"On or near {street}",
        code,
        name,
        kind,
        outcome,
        "",
    ]


def write_surveys(rng: random.Random) -> None:
    """Write one Qualtrics-style export a wave, three header rows each."""
    people = [
        {"site": site, "wave": wave, "answers": answer(rng, site, wave)}
        for wave in ("before", "after")
        for site in SITES
        for _ in range(PEOPLE)
    ]
    fit_to_deck(rng, people)
    settle_controls(rng, people)
    scatter_nonresponse(rng, people)
    for wave in ("before", "after"):
        write_export(rng, wave, [person for person in people if person["wave"] == wave])


def answer(rng: random.Random, site: str, wave: str) -> dict[str, int]:
    """Answer twelve items from one shared and three own leanings."""
    rise = 0.2 if site in TREATED and wave == "after" else 0.0
    shared = normal(rng)
    answers = {}
    for scale in ("trust", "info", "vision"):
        leaning = 0.88 * shared + 0.36 * normal(rng)
        for number in range(1, 5):
            value = round(3.1 + rise + 0.75 * leaning + 0.62 * normal(rng))
            answers[f"{scale}_{number}"] = min(5, max(1, value))
    return answers


def fit_to_deck(rng: random.Random, people: list[dict]) -> None:
    """Nudge single answers, then swap whole blocks, until the four p values are the deck's.

    In each wave the two areas keep the same number of people and the same sum of answers to each
    scale, so that pooling people and averaging the areas' own changes say the same.
    """
    cells = {
        (site, wave): [p for p in people if p["site"] == site and p["wave"] == wave]
        for wave in ("before", "after")
        for site in TREATED
    }
    for scale in ("trust", "info", "vision"):
        names = [name for name in ITEMS if name.startswith(scale)]
        for wave in ("before", "after"):
            level_areas(rng, [cells[site, wave] for site in TREATED], names)
        for _ in range(20_000):
            low, high = compare_waves(cells, names)
            if agree(low, high, TARGET_P[scale]):
                break
            step = 1 if low + high > 2 * TARGET_P[scale] else -1
            for site in TREATED:
                nudge(rng, cells[site, "after"], names, step)
        else:
            raise SystemExit(f"{scale}: the p value of the deck was not reached")
    swap_until(rng, cells, TARGET_P["social capital"])


def level_areas(rng: random.Random, areas: list[list[dict]], names: list[str]) -> None:
    """Nudge single answers up in the lower of two areas until both have the same sum."""
    sums = [sum(p["answers"][name] for p in area for name in names) for area in areas]
    lower = areas[sums.index(min(sums))]
    for _ in range(max(sums) - min(sums)):
        nudge(rng, lower, names, 1)


def nudge(rng: random.Random, people: list[dict], names: list[str], step: int) -> None:
    """Move one answer of one person by a step that stays on the scale."""
    while True:
        answers, name = pick(rng, people)["answers"], pick(rng, names)
        if 1 <= answers[name] + step <= 5:
            answers[name] += step
            return


def swap_until(rng: random.Random, cells: dict[tuple[str, str], list[dict]], target: float) -> None:
    """Swap vision answers inside a site and wave until the p value of all items is the deck's."""
    keys = list(cells)
    p_values = compare_waves(cells, ITEMS)
    for _ in range(20_000):
        if agree(*p_values, target):
            return
        cell = cells[pick(rng, keys)]
        one, other = pick(rng, cell), pick(rng, cell)
        swap(one, other)
        new = compare_waves(cells, ITEMS)
        if abs(sum(new) - 2 * target) > abs(sum(p_values) - 2 * target):
            swap(one, other)
        else:
            p_values = new
    raise SystemExit("social capital: the p value of the deck was not reached")


def agree(one: float, other: float, target: float) -> bool:
    """Say whether both p values are near enough to print as the deck's."""
    return max(abs(one - target), abs(other - target)) < 0.0003


def settle_controls(rng: random.Random, people: list[dict]) -> None:
    """Nudge single answers until no control site moved: the published abstract says as much."""
    for site in (site for site in SITES if site not in TREATED):
        for scale in ("trust", "info", "vision"):
            names = [name for name in ITEMS if name.startswith(scale)]
            waves = {
                wave: [p for p in people if p["site"] == site and p["wave"] == wave]
                for wave in ("before", "after")
            }
            means = {
                wave: fmean(p["answers"][name] for p in held for name in names)
                for wave, held in waves.items()
            }
            while abs(means["after"] - means["before"]) > 0.005:
                person = pick(rng, waves["after"])
                name = pick(rng, names)
                old = person["answers"][name]
                step = 1 if means["after"] < means["before"] else -1
                person["answers"][name] = min(5, max(1, old + step))
                moved = person["answers"][name] - old
                means["after"] += moved / (len(waves["after"]) * len(names))


def swap(one: dict, other: dict) -> None:
    """Swap the vision answers of two people: no subscale's own distribution changes."""
    for name in ITEMS[8:]:
        one["answers"][name], other["answers"][name] = (
            other["answers"][name],
            one["answers"][name],
        )


def compare_waves(
    cells: dict[tuple[str, str], list[dict]], names: list[str]
) -> tuple[float, float]:
    """Return two p values of the rise: all people pooled, and the mean of the areas' changes."""
    scores = {
        key: [fmean([p["answers"][name] for name in names]) for p in people]
        for key, people in cells.items()
    }
    sign = {"before": -1.0, "after": 1.0}
    pooled = [
        (sign[wave], [score for site in TREATED for score in scores[site, wave]]) for wave in sign
    ]
    by_area = [(sign[wave] / len(TREATED), scores[site, wave]) for site, wave in scores]
    return contrast(pooled), contrast(by_area)


def contrast(groups: list[tuple[float, list[float]]]) -> float:
    """Return the p value of a weighted sum of means above 0, with Welch and Satterthwaite's df."""
    from scipy.stats import t as student

    parts = [weight**2 * variance(values) / len(values) for weight, values in groups]
    statistic = sum(weight * fmean(values) for weight, values in groups) / math.sqrt(sum(parts))
    df = sum(parts) ** 2 / sum(
        part**2 / (len(values) - 1) for part, (_, values) in zip(parts, groups, strict=True)
    )
    return 2 * float(student.sf(statistic, df)) if statistic > 0 else 1.0


def scatter_nonresponse(rng: random.Random, people: list[dict]) -> None:
    """Leave blanks and 'don't know' in the control sites, where no figure of the deck rests."""
    for person in people:
        if person["site"] not in TREATED:
            for name in ITEMS:
                draw = rng.random()
                if draw < 0.03:
                    person["answers"][name] = 8 if draw < 0.015 else 0


def write_export(rng: random.Random, wave: str, people: list[dict]) -> None:
    """Write the columns that Qualtrics writes, personal ones included, all made up."""
    start = {"before": "2016-09", "after": "2017-09"}[wave]
    texts = item_texts()
    columns = {
        "StartDate": ("Start Date", "startDate"),
        "EndDate": ("End Date", "endDate"),
        "Status": ("Response Type", "status"),
        "IPAddress": ("IP Address", "ipAddress"),
        "Progress": ("Progress", "progress"),
        "Duration (in seconds)": ("Duration (in seconds)", "duration"),
        "Finished": ("Finished", "finished"),
        "ResponseId": ("Response ID", "_recordId"),
        "RecipientEmail": ("Recipient Email", "recipientEmail"),
        "LocationLatitude": ("Location Latitude", "locationLatitude"),
        "LocationLongitude": ("Location Longitude", "locationLongitude"),
        "Area": ("Area", "Area"),
    }
    for number, item in enumerate(ITEMS, 1):
        # the reversed items are stored as they were answered
        columns[item] = (f"How far do you agree? - {texts[item]}", f"QID1_{number}")
    columns["Comment"] = ("What, if anything, has changed around here?", "QID2_TEXT")
    header = [
        list(columns),
        [label for label, _ in columns.values()],
        [json.dumps({"ImportId": code}) for _, code in columns.values()],
    ]
    rows = []
    for number, person in enumerate(people, 1):
        rows.append(export_row(rng, start, number, person))
    preview = export_row(rng, start, len(rows) + 1, people[0])
    preview[2] = "1"
    unfinished = export_row(rng, start, len(rows) + 2, people[1])
    unfinished[4], unfinished[6] = "38", "0"
    unfinished[-7:] = [""] * 7
    write_csv(HERE / f"survey-{wave}.csv", [*header, preview, *rows, unfinished])


def export_row(rng: random.Random, start: str, number: int, person: dict) -> list[str]:
    """Make one row of the export; code 0 stands for an answer left blank."""
    day, minute = 1 + number % 28, int(rng.random() * 60)
    seconds = 180 + int(rng.random() * 600)
    begun = f"{start}-{day:02d} 10:{minute:02d}:00"
    ended = f"{start}-{day:02d} {10 + (minute + seconds // 60) // 60}:"
    ended += f"{(minute + seconds // 60) % 60:02d}:{seconds % 60:02d}"
    comment = pick(rng, COMMENTS) if rng.random() < 0.15 and person["wave"] == "after" else ""
    answers = [stored(name, person["answers"][name]) for name in ITEMS]
    person_id = f"R_invented{person['wave']}{number:04d}"
    address = f"192.0.2.{1 + number % 250}"
    email = f"resident{number:04d}@example.org"
    site = person["site"]
    return [
        begun, ended, "0", address, "100", str(seconds), "1", person_id, email,
        "54.0", "-1.5", site, *answers, comment,
    ]  # fmt: skip


def stored(name: str, code: int) -> str:
    """Return the code as answered: a reversed item is asked the other way round."""
    if code == 0:
        return ""
    return str(6 - code) if name in REVERSED and code <= 5 else str(code)


def item_texts() -> dict[str, str]:
    """Read the wording from the instrument, so that it stands in one place."""
    import yaml

    path = HERE.parents[1] / "instruments" / "residents-illustrative.yml"
    items = yaml.safe_load(path.read_text(encoding="utf-8"))["items"]
    return {name: item["text"] for name, item in items.items()}


def pick(rng: random.Random, options: list) -> object:
    """Pick one option; only ``random()`` is promised to stay the same between Pythons."""
    return options[int(rng.random() * len(options))]


def choose(rng: random.Random, weights: dict[str, float]) -> str:
    """Pick one key in proportion to its weight."""
    left = rng.random() * sum(weights.values())
    for name, weight in weights.items():
        left -= weight
        if left < 0:
            return name
    return name


def normal(rng: random.Random) -> float:
    """Draw from a standard normal."""
    return NormalDist().inv_cdf(min(max(rng.random(), 1e-12), 1 - 1e-12))


def write_csv(path: Path, rows: list[list[str]]) -> None:
    """Write rows with the same line ends on every system."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


if __name__ == "__main__":
    write_incidents(random.Random(SEED))
    write_surveys(random.Random(SEED + 1))
