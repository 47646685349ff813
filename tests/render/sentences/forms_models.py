"""What the section on whether comparisons hold up says: before the start, other models, drift."""

from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd
from forms import ALPHA, CHANGE, COUNT, ENDS, NUMBER, fix, form
from forms_summary import count_clear
from matplotlib.figure import Figure
from reader import (
    REASONS,
    Reader,
    confirm,
    confirm_count,
    confirm_interval,
    parse_list,
    require,
)

from sbwork.compare.accuracy import read_study
from sbwork.stats.trends import FEWEST_TREND_MONTHS

fix(
    (
        "A result is worth more if it does not hang on one way of counting.",
        "True results have a low number too, where nothing drifts: the note below the table says "
        "how often.",
        "Each cell: the estimate, with its 95% interval.",
        "Site / control, panel models and break in level are ratios, where 1 means no difference; "
        "drift and break in slope are in percent a month, where 0 means none.",
        "Drift to undo it: how large the steps by which the two would have moved apart anyway, "
        "from each quarter to the next, may be before the 95% interval of the mean change takes in "
        "no change, as a multiple of the largest step before the start (breakdown value under "
        "relative magnitudes).",
        "0: it takes in no change without any drift.",
        "So a low number is no sign that a result is wrong.",
        "Where there are few sites that says little; read the quasi-Poisson model.",
        "Before the start the marks should lie around 1 without a slope.",
        "Filled: the interval is clear of no change.",
    )
)

_CURVE_FEWEST = 6
_CURVES_A_PAGE = 2


@form(r"No control site or no periods are given, so there is no comparison to put to the test\.")
def check_no_comparison(reader: Reader, match: re.Match[str]) -> None:
    controls = any(pair.control for pair in reader.cohort.pairs)
    require(not controls or reader.cohort.periods is None)


def _panel(reader: Reader, estimator: str) -> pd.DataFrame:
    rows = reader.rows("panel", estimator)
    return rows[rows["site"] != "all"]


@form(
    rf"In (?:(?P<lone>the one comparison)|(?P<apart>{COUNT}) of (?P<all>\d+) comparisons) the two "
    r"already moved differently before the start, so there the control site is a poor guide to "
    r"what would have happened anyway\."
)
def check_apart(reader: Reader, match: re.Match[str]) -> None:
    known = _panel(reader, "pre_trend").dropna(subset="estimate")
    apart = int((known["p_value"] < ALPHA).sum())
    require(apart > 0)
    if match["lone"]:
        require(len(known) == 1)
    else:
        confirm_count(match["apart"], apart)
        confirm_count(match["all"], len(known))


@form(
    r"In (?:(?P<lone>the one comparison the two did not)|none of the (?P<all>\d+) comparisons did "
    r"the two) clearly move differently before the start; that is not proof that they moved alike, "
    r"because few months show little\."
)
def check_alike(reader: Reader, match: re.Match[str]) -> None:
    known = _panel(reader, "pre_trend").dropna(subset="estimate")
    require(not (known["p_value"] < ALPHA).any())
    confirm_count(match["all"] or "1", len(known))


def confirm_reasons(said: str, rows: pd.DataFrame) -> None:
    """Check why numbers are missing, and of how many that is said."""
    counts = rows.loc[rows["estimate"].isna(), "reason"].value_counts()
    items = parse_list(said, r"(?P<why>[^(]+?)(?: \((?P<n>\d+)\))?(?=, | and |$)")
    require(len(items) == len(counts))
    for item in items:
        require(item["n"] is not None or len(items) == 1)
        require(counts[REASONS[item["why"]]] == int(item["n"] or counts.iloc[0]))


@form(r"How the two moved before the start can't be said: (?P<why>.+)\.")
def check_no_trend(reader: Reader, match: re.Match[str]) -> None:
    rows = _panel(reader, "pre_trend")
    require(bool(rows["estimate"].isna().all()))
    confirm_reasons(match["why"], rows)


_LACKING = {
    "trend before the start": "pre_trend",
    "quasi-Poisson model": "panel_quasipoisson",
    "interrupted time series": "its_level",
    "drift that would undo it": "sensitivity_mbar",
}


@form(rf"(?P<n>\d+) comparisons? ha(?:s|ve) no (?P<what>{'|'.join(_LACKING)}): (?P<why>.+)\.")
def check_lacking(reader: Reader, match: re.Match[str]) -> None:
    rows = _panel(reader, _LACKING[match["what"]])
    confirm_count(match["n"], int(rows["estimate"].isna().sum()))
    confirm_reasons(match["why"], rows)


@form(r"No panel model of a single pair gives a number\.")
def check_no_panel(reader: Reader, match: re.Match[str]) -> None:
    for estimator in ("panel_quasipoisson", "panel_nb2", "its_level", "its_slope"):
        require(bool(_panel(reader, estimator)["estimate"].isna().all()))


_MODELS = (
    rf"(?:by the quasi-Poisson panel model in (?P<panel>{COUNT}) of (?P<panels>\d+))?(?:; )?"
    rf"(?:by the interrupted time series (?:in level in (?P<level>{COUNT}) of (?P<levels>\d+))?"
    rf"(?: and )?(?:in slope in (?P<slope>{COUNT}) of (?P<slopes>\d+))?)?"
)


@form(
    r"The area differs from its control site beyond chance \(95% interval clear of no change\) "
    rf"{_MODELS}\."
)
def check_models(reader: Reader, match: re.Match[str]) -> None:
    for name, estimator, none in (
        ("panel", "panel_quasipoisson", 1.0), ("level", "its_level", 1.0),
        ("slope", "its_slope", 0.0),
    ):  # fmt: skip
        known = _panel(reader, estimator).dropna(subset="estimate")
        require((match[name] is None) == known.empty)
        if len(known):
            confirm_count(match[name], count_clear(known, none))
            confirm_count(match[f"{name}s"], len(known))


_MULTIPLE = rf"(?:more than )?{NUMBER}"


@form(
    r"Judged by quarters and set against the last quarter before the start alone, a stricter test "
    r"than the panel model's, the interval (?:takes in no change(?: in all (?P<none>\d+) "
    r"comparisons)? even without any drift|is clear of no change(?: in (?P<clear>\d+) of "
    r"(?P<all>\d+) comparisons)?; it takes in no change once the two may have moved apart anyway, "
    rf"from each quarter to the next, by (?P<low>{_MULTIPLE})(?: to (?P<high>{_MULTIPLE}))? times "
    r"the largest step seen before the start)\."
)
def check_drift(reader: Reader, match: re.Match[str]) -> None:
    known = _panel(reader, "sensitivity_mbar").dropna(subset="estimate")
    clear = known[known["estimate"] > 0].sort_values("estimate")
    require((match["low"] is None) == clear.empty)
    if match["low"]:
        confirm_count(match["clear"] or "1", len(clear))
        confirm_count(match["all"] or "1", len(known))
        ends = (match["low"], clear.iloc[0]), (match["high"] or match["low"], clear.iloc[-1])
        for printed, row in ends:
            require(("more than" in printed) == ("above_searched" in row["flags"].split()))
            confirm(printed.removeprefix("more than "), row["estimate"])
    else:
        confirm_count(match["none"] or "1", len(known))


_SPAN = rf"(?:from {CHANGE} to )?{CHANGE}"


@form(
    r"When (?P<varied>[a-z ,]+?) (?:are|is) varied \((?P<fewest>\d+)(?: to (?P<most>\d+))? ways a "
    rf"comparison\), (?P<same>{_SPAN}) of the specifications point the same way and (?P<clear>"
    rf"{_SPAN}) have an interval clear of no change\."
)
def check_curve(reader: Reader, match: re.Match[str]) -> None:
    shares: dict[str, list[float]] = {"same": [], "clear": []}
    counts: list[int] = []
    names = {"period": "months", "comparison": "control sites", "estimator": "models"}
    varied: set[str] = set()
    for _, rows in _find_curves(reader):
        side = rows["estimate"] < 1
        same = max(side.mean(), (rows["estimate"] > 1).mean())
        shares["same"].append(same)
        shares["clear"].append(count_clear(rows) / len(rows))
        counts.append(len(rows))
        varied |= {name for column, name in names.items() if len(set(rows[column])) > 1}
    require(set(re.split(", | and ", match["varied"])) == (varied or {"nothing"}))
    for name, values in shares.items():
        ends = re.findall(CHANGE, match[name])
        confirm(ends[0], min(values), scale=100)
        confirm(ends[-1], max(values), scale=100)
    confirm_count(match["fewest"], min(counts))
    confirm_count(match["most"] or match["fewest"], max(counts))


def _find_curves(reader: Reader) -> list[tuple[tuple[str, str], pd.DataFrame]]:
    """Find the specifications with a number of each outcome and pair, in the report's order."""
    rows = reader.findings[reader.findings["section"] == "specification"]
    rows = rows[(rows["period"] != "summary") & rows["estimate"].notna()]
    reader.read.update(rows.index)
    by = dict(iter(rows.groupby(["outcome", "site"])))
    sites = [pair.intervention for pair in reader.cohort.pairs]
    keys = [(outcome, site) for outcome in reader.cohort.list_outcomes() for site in sites]
    return [(key, by[key]) for key in keys if key in by]


@form(
    r"Interrupted series: in simulations without a break, the 95% interval saw one in level in "
    rf"(?P<level>{CHANGE} to {CHANGE}) of pairs and one in slope in (?P<slope>{CHANGE} to {CHANGE})"
    r", most often where months hang together\."
)
def check_series_errors(reader: Reader, match: re.Match[str]) -> None:
    worlds = read_study("series").to_dict("records")
    for name, column in (("level", "wider"), ("slope", "wider_slope")):
        shares = [float(world[column]) for world in worlds]
        confirm_interval(match[name], min(shares), max(shares), scale=100)
        worst = max(worlds, key=lambda world, of=column: float(world[of]))  # type: ignore[misc]
        require(float(worst["autocorrelation"]) > 0)


_UNDER = rf"(?:under 1%|{CHANGE})"
_POWER = (
    r"at (?P<rate>\d+) incidents a month(?: \(variance (?P<phi>\d+) times the mean\))? above 0 in "
    rf"(?P<above_0>{_UNDER}), above 0\.5 in (?P<above_half>{_UNDER}) and above 1 in "
    rf"(?P<above_1>{_UNDER})"
)


def _confirm_share(printed: str, share: float) -> None:
    if printed.startswith("under"):
        require(100 * share < 0.5)
    else:
        confirm(printed, share, scale=100)


@form(
    r"What drift to undo it can show: in simulated pairs that did not drift at all, with "
    rf"(?P<months>\d+) months on each side and a true ratio of (?P<ratio>{NUMBER}), it was "
    r"(?P<parts>.+)\."
)
def check_power(reader: Reader, match: re.Match[str]) -> None:
    worlds = read_study("drift").query("ratio != 1").to_dict("records")
    parts = parse_list(match["parts"], _POWER, "; ")
    require(len(parts) == len(worlds))
    for part, world in zip(parts, worlds, strict=True):
        require(int(match["months"]) == int(world["months"]))
        confirm(match["ratio"], float(world["ratio"]))
        require(float(part["rate"]) == float(world["incidents_a_month"]))
        require(float(part["phi"] or 1) == float(world["phi"]))
        for column in ("above_0", "above_half", "above_1"):
            _confirm_share(part[column], float(world[column]))


@form(rf"Where nothing changed, it was above 0 in (?P<low>{_UNDER}) to (?P<high>{_UNDER})\.")
def check_false_power(reader: Reader, match: re.Match[str]) -> None:
    shares = read_study("drift").query("ratio == 1")["above_0"].tolist()
    _confirm_share(match["low"], min(shares))
    _confirm_share(match["high"], max(shares))


def _missing_months(reader: Reader, estimator: str) -> list[tuple[int, int]]:
    """List the months before and after of the comparisons that lack a number."""
    rows = _panel(reader, estimator)
    rows = rows[rows["estimate"].isna()]
    require(len(rows) > 0)
    return [reader.count_months(row["site"], row["outcome"]) for _, row in rows.iterrows()]


@form(
    r"Drift a month: not computed: only (?P<months>one|\d+) months? before the start with counts "
    r"for both sites, and a trend needs at least (?P<least>\d+)\."
)
def check_short_trend(reader: Reader, match: re.Match[str]) -> None:
    months = 1 if match["months"] == "one" else int(match["months"])
    require(months in {before for before, _ in _missing_months(reader, "pre_trend")})
    require(months < int(match["least"]) == FEWEST_TREND_MONTHS)


@form(
    r"Quasi-Poisson and negative binomial: not computed: one month on each side and two sites leave"
    r" nothing to judge precision by\."
)
def check_short_panel(reader: Reader, match: re.Match[str]) -> None:
    for estimator in ("panel_quasipoisson", "panel_nb2"):
        require((1, 1) in _missing_months(reader, estimator))


@form(
    r"Break in level and break in slope: not computed: months with counts for both sites are "
    r"(?P<before>\d+) before and (?P<after>\d+) after; an interrupted time series needs at least "
    r"(?P<least>\d+) on each side\."
)
def check_short_series(reader: Reader, match: re.Match[str]) -> None:
    months = int(match["before"]), int(match["after"])
    for estimator in ("its_level", "its_slope"):
        require(months in _missing_months(reader, estimator))
    require(min(months) < int(match["least"]) == 8)


@form(
    r"Drift to undo it: not computed: drift is judged from quarter to quarter, which takes at least"
    r" two quarters before the start and one after; there are (?P<before>\d+) and (?P<after>\d+)\."
)
def check_short_drift(reader: Reader, match: re.Match[str]) -> None:
    quarters = int(match["before"]), int(match["after"])
    months = _missing_months(reader, "sensitivity_mbar")
    require(quarters in {(before // 3, after // 3) for before, after in months})
    require(quarters[0] < 2 or quarters[1] < 1)


_MISSING = {
    "in one of the quarters a site had no incident, so it has no ratio": "zero_count",
    "the site had no incident after the start: there is no ratio": "zero_count",
    "some group of months has no incident at all, so the model's ratio runs off to zero or infinity"
    "": "zero_count",
    "once the model's terms are taken out, no variation beyond chance is left for the negative "
    "binomial model to fit": "no_variation",
}
_COLUMNS = {
    "Drift to undo it": ("sensitivity_mbar",),
    "Negative binomial": ("panel_nb2",),
    "Quasi-Poisson and negative binomial": ("panel_quasipoisson", "panel_nb2"),
    "Break in level and break in slope": ("its_level", "its_slope"),
}


_WHY = "|".join(map(re.escape, _MISSING))


@form(rf"(?P<column>{'|'.join(_COLUMNS)}): not computed: (?P<why>{_WHY})\.")
def check_missing(reader: Reader, match: re.Match[str]) -> None:
    for estimator in _COLUMNS[match["column"]]:
        rows = reader.rows("panel", estimator)
        reasons = rows.loc[rows["estimate"].isna(), "reason"]
        require(_MISSING[match["why"]] in set(reasons))


@form(
    r"Negative binomial: with few sites and an effect for every month, this model takes counts to "
    r"vary less than they do, so its interval is too narrow; prefer the quasi-Poisson model\."
)
def check_narrow(reader: Reader, match: re.Match[str]) -> None:
    known = reader.known("panel", "panel_nb2")
    require(len(known) > 0 and bool(known["flags"].str.contains("too_narrow").any()))


_SIDE = (
    rf"(?P<n>\d+) months (?P<side>before|after), ratios from (?P<ends>{ENDS}), (?P<clear>\d+) of "
    r"them with an interval clear of no difference"
)


@form(
    r"(?P<pair>.+), (?P<outcome>[^,:]+): (?P<parts>\d+ months (?:before|after), ratios from .+)\."
)
def check_event_study(reader: Reader, match: re.Match[str]) -> None:
    rows = reader.known(
        "panel", "event_study", outcome=reader.find_outcome(match["outcome"]),
        site=reader.find_pair(match["pair"]),
    )  # fmt: skip
    rows = rows[~rows["period"].isin(["", "change"])]
    months = rows["period"].astype(float)
    parts = parse_list(match["parts"], _SIDE, "; ")
    require(sum(int(part["n"]) for part in parts) == len(rows))
    for part in parts:
        side = rows[months < 0] if part["side"] == "before" else rows[months >= 0]
        confirm_count(part["n"], len(side))
        confirm_interval(part["ends"], side["estimate"].min(), side["estimate"].max())
        confirm_count(part["clear"], count_clear(side))


@form(
    r"(?P<outcome>[^:]+), month by month: the area against its control site, set against the months"
    r" before \(ratio, with 95% interval; 1 is no difference\)\."
)
def check_event_caption(reader: Reader, match: re.Match[str]) -> None:
    require(reader.paragraph.name == f"event-study-{reader.find_outcome(match['outcome'])}")


@form(
    r"(?P<pair>.+), (?P<outcome>[^,:]+): (?P<n>\d+) specifications with ratios from "
    rf"(?P<ends>{ENDS}), the middle one (?P<middle>{NUMBER})(?:; this report's own is "
    rf"(?P<own>{NUMBER}))?; (?P<below>\d+) of them below 1, (?P<clear>\d+) with an interval clear "
    r"of no change\."
)
def check_specifications(reader: Reader, match: re.Match[str]) -> None:
    key = reader.find_outcome(match["outcome"]), reader.find_pair(match["pair"])
    rows = dict(_find_curves(reader))[key]
    confirm_count(match["n"], len(rows))
    confirm_interval(match["ends"], rows["estimate"].min(), rows["estimate"].max())
    confirm(match["middle"], rows["estimate"].median())
    confirm_count(match["below"], int((rows["estimate"] < 1).sum()))
    confirm_count(match["clear"], count_clear(rows))
    own = reader.known("counts", "rirr", outcome=key[0], site=key[1], period="change")
    require((match["own"] is None) == own.empty)
    if len(own):
        confirm(match["own"], own["estimate"].item())


@form(
    r"(?P<outcome>.+?)(?: \((?P<page>\d+) of (?P<pages>\d+)\))?: the same comparison with other "
    r"months, control sites or models, smallest ratio first, each with its 95% interval \(1 is no "
    r"change\); below each mark, what was chosen\."
)
def check_curve_caption(reader: Reader, match: re.Match[str]) -> None:
    outcome = reader.find_outcome(match["outcome"])
    drawn = [
        key
        for key, rows in _find_curves(reader)
        if key[0] == outcome and len(rows) >= _CURVE_FEWEST and reader.find_control(key[1])
    ]
    confirm_count(match["pages"] or "1", math.ceil(len(drawn) / _CURVES_A_PAGE))
    number = reader.paragraph.name.removeprefix(f"specifications-{outcome}").removeprefix("-")
    require((match["page"] or "1") == (number or "1"))


@form(r"Arrowheads: (?P<cut>\d+) of (?P<all>\d+) intervals run on beyond the picture\.")
def check_arrowheads(reader: Reader, match: re.Match[str]) -> None:
    assert reader.paragraph.picture is not None
    figure: Figure = reader.paragraph.picture.figure
    cut, drawn = 0, 0
    for ax in figure.axes[::2]:
        places: dict[str, set[float]] = {"ends": set(), "marks": set()}
        for line in ax.get_lines():
            kind = {"v": "ends", "^": "ends", "D": "marks", "o": "marks"}.get(
                str(line.get_marker())
            )
            if kind:
                places[kind].update(np.asarray(line.get_xdata(), dtype=float))
        cut += len(places["ends"])
        drawn += len(places["marks"])
    confirm_count(match["cut"], cut)
    confirm_count(match["all"], drawn)


@form(
    r"(?P<pair>.+), (?P<outcome>[^,:]+): of (?P<n>\d+) ways to compare, (?P<same>\d+%) put the "
    r"ratio (?P<side>below|above) 1, and (?P<clear>\d+%) have an interval clear of no change\."
)
def check_shares(reader: Reader, match: re.Match[str]) -> None:
    key = reader.find_outcome(match["outcome"]), reader.find_pair(match["pair"])
    rows = dict(_find_curves(reader))[key]
    below = match["side"] == "below"
    require(below == (rows["estimate"].map(math.log).median() < 0))
    side = rows["estimate"] < 1 if below else rows["estimate"] > 1
    confirm_count(match["n"], len(rows))
    confirm(match["same"], side.mean(), scale=100)
    confirm(match["clear"], count_clear(rows) / len(rows), scale=100)
    place = {"outcome": key[0], "site": key[1]}
    for name, name_in_rows in (("same", "same_sign"), ("clear", "excludes_one")):
        row = reader.row("specification", f"specification_{name_in_rows}", **place)
        confirm(match[name], row["estimate"], scale=100)


_PICTURES = {
    "The picture month by month": ("panel", "event_study"),
    "The curve of specifications": ("specification", None),
}


@form(
    rf"(?P<what>{'|'.join(_PICTURES)}) is not drawn: it takes at least (?P<least>\d+) numbers, and "
    r"no comparison has (?P<had>any|more than (?P<most>one|\d+))\."
)
def check_not_drawn(reader: Reader, match: re.Match[str]) -> None:
    reader.outcome = match["what"]
    rows = _find_undrawn(reader, match["what"])
    most = int(rows["estimate"].notna().groupby([rows["outcome"], rows["site"]]).sum().max())
    said = {"any": 0, "one": 1}.get(match["most"] or match["had"])
    require((int(match["most"]) if said is None else said) == most)
    require(most < int(match["least"]) == _CURVE_FEWEST)


def _find_undrawn(reader: Reader, what: str) -> pd.DataFrame:
    section, estimator = _PICTURES[what]
    rows = reader.findings[reader.findings["section"] == section]
    rows = rows[rows["estimator"] == estimator] if estimator else rows
    rows = rows[~rows["period"].isin(["", "change"])] if estimator else rows
    rows = rows[rows["period"] != "summary"]
    reader.read.update(rows.index)
    return rows


@form(r"Most often, (?P<why>.+)\.")
def check_most_often(reader: Reader, match: re.Match[str]) -> None:
    rows = _find_undrawn(reader, reader.outcome)
    counts = rows.loc[rows["estimate"].isna(), "reason"].value_counts()
    require(counts[REASONS[match["why"]]] == counts.max())
