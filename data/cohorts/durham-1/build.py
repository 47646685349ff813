"""Make the invented row-level files of durham-1; run it again and the same bytes come out.

Nothing here is a real person, a real place or a real incident. The deck gives percentage changes
and p values only; the rows are made so that the ordinary analysis of them gives those figures back
at the precision that the deck prints. Sample sizes, item answers, months, area codes and the whole
force around the four sites are made up.

    python data/cohorts/durham-1/build.py

The p values hold over all people of the two areas pooled, and as the mean of the areas' own
changes.

The force has 76 more areas, each of three small areas (LSOAs), and a year of months before the
two of the deck. How much areas differ and change was set beforehand, near to what the published
street files of Northumbria (2013-06 to 2014-06) show between areas (MSOAs) of 250 to 500 incidents
a year, and neither a parameter nor the seed was picked for where it puts the sites:

- size: the sites' geometric mean, with a log SD of .30 (real areas: .6; less here, so that most
  are of the sites' size), correlated .85 between crime and anti-social behaviour (real: .88);
- over-dispersion of the months around an area's own level: 1.75 (real: 1.7 and 1.9);
- drift: a random walk by month, under which two years in a row differ by a log SD of .10 (real:
  .12 between half-years, beyond what the over-dispersion gives);
- season: anti-social behaviour 20% higher in July and 20% lower in January, other crime 5% (real:
  about 20% and 5%).

The sites' months follow the same model, except that the totals of the two years are the deck's.

What the deck calls area potency has no figure in it. The answers to those questions, and to those
on confidence in the police, are drawn from random numbers of their own once all others are there.
Their structure was set beforehand, and nothing was adjusted to what came out, nor the seed picked:

- area potency: a person's leaning, with a standard deviation of about 1, is .6 of their standing
  on social capital (the mean of its twelve answers, less 3.1, over .7) and .8 of chance. In the two
  areas it is .1 higher afterwards, beside what comes with social capital, so that in standard
  deviations it rises about as much as social capital does; in the control sites nothing is added;
- its four facets hang on that leaning by .9 (voice), .8 (cooperation), .7 (life satisfaction) and
  -.7 (fear of crime), the rest being the facet's own, with a total standard deviation of 1;
- confidence in the police: .5 of the leaning on potency, .15 of the standing on social capital, and
  .8 of chance; nothing is added in the two areas;
- an answer: 3.1 + .75 of the leaning + chance with a standard deviation of .62, the first question
  of a facet .15 easier to agree to and the third .15 harder, rounded to 1 to 5. The same holds in
  every site and wave, so the measurement is invariant but for rounding at the ends;
- 3% of these answers are blank or "don't know", in all sites, but at most one of the three
  questions of a facet, so that everybody has every score.

Another version of zlib may pack the zip into other bytes; what is in it stays the same.
"""

from __future__ import annotations

import csv
import io
import json
import math
import random
import zipfile
from pathlib import Path
from statistics import NormalDist, fmean, variance

SEED = 20180601
HERE = Path(__file__).parent

MONTHS = [f"{2014 + (9 + m) // 12}-{(9 + m) % 12 + 1:02d}" for m in range(36)]
EARLIER, BEFORE, AFTER = MONTHS[:12], MONTHS[12:24], MONTHS[24:]

SITES = ["Area 1", "Area 1 control site", "Area 2", "Area 2 control site"]
AREAS = 80  # the first four are the sites
DISTRICTS = 4

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
OTHER_TYPES = dict.fromkeys(["Drugs", "Public order", "Possession of weapons", "Other crime"], 1.0)
OTHER_A_YEAR = 40
STREETS = ["Elm Street", "Chapel Row", "Station Road", "Mill Lane"]

SIZE_SD, SIZE_CORRELATION = 0.30, 0.85
DISPERSION = 1.75
DRIFT = 0.10 / math.sqrt(8)  # by month; the means of two years in a row differ by sqrt(8) steps
SWING = {"crime": 0.05, "asb": 0.20}

PEOPLE = 150
ITEMS = [f"{scale}_{number}" for scale in ("trust", "info", "vision") for number in range(1, 5)]
LOADINGS = {"voice": 0.9, "cooperation": 0.8, "life": 0.7, "fear": -0.7}
LATER_ITEMS = [f"{facet}_{number}" for facet in (*LOADINGS, "confidence") for number in (1, 2, 3)]
REVERSED = {f"{scale}_3" for scale in ("trust", "info", "vision", *LOADINGS, "confidence")}
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
    """Write the lookup, and one street file a month in the layout of data.police.uk, zipped."""
    rows: dict[str, list[tuple[str, str]]] = {month: [] for month in MONTHS}
    for area, (crime, asb) in enumerate(size_areas(rng)):
        site = SITES[area] if area < len(SITES) else ""
        for months, kinds in (
            (draw_months(rng, crime, "crime", VICTIM_BASED.get(site)), VICTIM_TYPES),
            (draw_months(rng, asb, "asb", ASB.get(site)), {"Anti-social behaviour": 1.0}),
            (draw_months(rng, OTHER_A_YEAR, "crime"), OTHER_TYPES),
        ):
            for month, count in months.items():
                for _ in range(count):
                    code = lsoa(area, 1 + int(rng.random() * 3))
                    rows[month].append((code, choose(rng, kinds)))
    for month in MONTHS:
        rows[month] += [("", "Anti-social behaviour")] * 3
    write_zip(HERE / "incidents.zip", rows)
    write_lookup(rng)


def size_areas(rng: random.Random) -> list[tuple[float, float]]:
    """Return crimes and anti-social behaviour expected in the year before, the sites' first."""
    sizes = [(float(VICTIM_BASED[site][0]), float(ASB[site][0])) for site in SITES]
    centres = [fmean(math.log(size[which]) for size in sizes) for which in (0, 1)]
    for _ in range(AREAS - len(SITES)):
        crime = normal(rng)
        own = math.sqrt(1 - SIZE_CORRELATION**2) * normal(rng)
        asb = SIZE_CORRELATION * crime + own
        sizes.append((math.exp(centres[0] + SIZE_SD * crime), math.exp(centres[1] + SIZE_SD * asb)))
    return sizes


def draw_months(
    rng: random.Random, a_year: float, kind: str, totals: tuple[int, int] | None = None
) -> dict[str, int]:
    """Draw the counts of all months; totals of the two years, where given, are shared out."""
    noise = math.sqrt(math.log(1 + (DISPERSION - 1) * 12 / a_year))
    walk = [0.0]
    while len(walk) < len(MONTHS):
        walk.append(walk[-1] + DRIFT * normal(rng))
    middle = fmean(walk[len(EARLIER) : len(EARLIER + BEFORE)])
    rates = {}
    for month, level in zip(MONTHS, walk, strict=True):
        season = 1 + SWING[kind] * math.cos(2 * math.pi * (int(month[-2:]) - 7) / 12)
        shock = noise * normal(rng) - noise**2 / 2
        rates[month] = a_year / 12 * season * math.exp(level - middle + shock)
    if totals is None:
        return {month: poisson(rng, rate) for month, rate in rates.items()}
    counts = {month: poisson(rng, rates[month]) for month in EARLIER}
    for months, total in ((BEFORE, totals[0]), (AFTER, totals[1])):
        counts |= dict.fromkeys(months, 0)
        shares = {month: rates[month] for month in months}
        for _ in range(total):
            counts[choose(rng, shares)] += 1
    return counts


def lsoa(area: int, number: int) -> str:
    """Return the code of a small area; those of real ones start with E or W."""
    return f"X01{area:05d}{number}"


def write_zip(path: Path, rows: dict[str, list[tuple[str, str]]]) -> None:
    """Write a folder a month; what is the same or blank in every row packs to little."""
    police = "Invented Constabulary"
    header = [
        "Crime ID", "Month", "Reported by", "Falls within", "Longitude", "Latitude", "Location",
        "LSOA code", "LSOA name", "Crime type", "Last outcome category", "Context",
    ]  # fmt: skip
    number = 0
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for month, incidents in rows.items():
            lines = [header]
            for code, kind in sorted(incidents):
                number += kind != "Anti-social behaviour"
                crime_id = "" if kind == "Anti-social behaviour" else f"invented-{number:06d}"
                area, within = (int(code[3:8]), int(code[8])) if code else (0, 0)
                street = f"On or near {STREETS[(area + within) % 4]}" if code else "No Location"
                name = f"{area_name(area)}{' ABC'[within]}" if code else ""
                lines.append(
                    [crime_id, month, police, police, "", "", street, code, name, kind, "", ""]
                )
            member = zipfile.ZipInfo(f"{month}/{month}-invented-street.csv")
            member.compress_type = zipfile.ZIP_DEFLATED
            member.create_system = 3
            member.external_attr = 0o644 << 16
            archive.writestr(member, format_csv(lines), compresslevel=9)


def area_name(area: int) -> str:
    """Name an area as real ones are named: a district, then a number."""
    return f"Invented {area + 1:03d}"


def write_lookup(rng: random.Random) -> None:
    """Write the area, the district and the residents of every small area."""
    rows = [["lsoa", "msoa", "authority", "authority_name", "population"]]
    for area in range(AREAS):
        district = 1 + area * DISTRICTS // AREAS
        for number in (1, 2, 3):
            people = str(1200 + int(rng.random() * 800))
            authority = [f"X0700000{district}", f"Invented district {district}"]
            rows.append([lsoa(area, number), area_name(area), *authority, people])
    write_csv(HERE / "lookup.csv", rows)


def poisson(rng: random.Random, mean: float) -> int:
    """Draw a count by multiplying uniform draws (Knuth)."""
    limit, product, count = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count


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
    answer_later_items(random.Random(SEED + 2), people)
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


def answer_later_items(rng: random.Random, people: list[dict]) -> None:
    """Answer the questions on area potency and on confidence, and leave some without an answer."""
    for person in people:
        answers = person["answers"]
        capital = (fmean(answers[name] for name in ITEMS) - 3.1) / 0.7
        rise = 0.1 if person["site"] in TREATED and person["wave"] == "after" else 0.0
        potency = 0.6 * capital + 0.8 * normal(rng) + rise
        leanings = {
            facet: loading * potency + math.sqrt(1 - loading**2) * normal(rng)
            for facet, loading in LOADINGS.items()
        }
        leanings["confidence"] = 0.5 * potency + 0.15 * capital + 0.8 * normal(rng)
        for facet, leaning in leanings.items():
            for number in (1, 2, 3):
                level = 3.1 + 0.15 * (2 - number)
                value = round(level + 0.75 * leaning + 0.62 * normal(rng))
                answers[f"{facet}_{number}"] = min(5, max(1, value))
    for person in people:
        for facet in (*LOADINGS, "confidence"):
            leave_out(rng, person, [f"{facet}_{number}" for number in (1, 2, 3)], most=1)


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
    total = math.fsum(parts)
    statistic = math.fsum(weight * fmean(values) for weight, values in groups) / math.sqrt(total)
    df = total**2 / math.fsum(
        part**2 / (len(values) - 1) for part, (_, values) in zip(parts, groups, strict=True)
    )
    return 2 * float(student.sf(statistic, df)) if statistic > 0 else 1.0


def scatter_nonresponse(rng: random.Random, people: list[dict]) -> None:
    """Leave blanks and 'don't know' in the control sites, where no figure of the deck rests."""
    for person in people:
        if person["site"] not in TREATED:
            leave_out(rng, person, ITEMS, most=len(ITEMS))


def leave_out(rng: random.Random, person: dict, names: list[str], most: int) -> None:
    """Put 'don't know' or a blank in the place of 3% of the answers, at most so many of them."""
    for name in names:
        draw = rng.random()
        if draw < 0.03 and most:
            person["answers"][name] = 8 if draw < 0.015 else 0
            most -= 1


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
    for number, item in enumerate([*ITEMS, *LATER_ITEMS], 1):
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
    unfinished[-7 - len(LATER_ITEMS) :] = [""] * (7 + len(LATER_ITEMS))
    write_csv(HERE / f"survey-{wave}.csv", [*header, preview, *rows, unfinished])


def export_row(rng: random.Random, start: str, number: int, person: dict) -> list[str]:
    """Make one row of the export; code 0 stands for an answer left blank."""
    day, minute = 1 + number % 28, int(rng.random() * 60)
    seconds = 180 + int(rng.random() * 600)
    begun = f"{start}-{day:02d} 10:{minute:02d}:00"
    ended = f"{start}-{day:02d} {10 + (minute + seconds // 60) // 60}:"
    ended += f"{(minute + seconds // 60) % 60:02d}:{seconds % 60:02d}"
    comment = pick(rng, COMMENTS) if rng.random() < 0.15 and person["wave"] == "after" else ""
    answers = [stored(name, person["answers"][name]) for name in [*ITEMS, *LATER_ITEMS]]
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
    left = rng.random() * math.fsum(weights.values())
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
    path.write_bytes(format_csv(rows).encode())


def format_csv(rows: list[list[str]]) -> str:
    """Return rows as the text of a CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


if __name__ == "__main__":
    write_incidents(random.Random(SEED))
    write_surveys(random.Random(SEED + 1))
