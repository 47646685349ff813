"""What the report says of residents' answers, of how well scales measure, and of weights."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from forms import ALPHA, ENDS, NUMBER, P, fix, form
from reader import Reader, confirm, confirm_interval, confirm_names, parse_list, require

fix(
    (
        "A rise in one place that is not seen in another is not yet a difference between them: "
        "that has to be estimated itself, as the difference in differences.",
        "Every n counts people, never weights.",
        "Where the same people answered both waves, their own changes are compared.",
        "Where only some answered both waves, everybody counts, and the interval allows for what "
        "the two answers of one person share.",
        "People who answered both waves: the difference afterwards at the same score before.",
        "Where more were lost on one side, a difference between those who stayed may be a "
        "difference between those who left.",
        "Sites together: the mean of their own figures, each pair with the same say.",
        "Everybody of these sites as one sample, in which a larger site has a larger say.",
        "Whole areas move by chance from one survey to the next, and so few areas cannot show by "
        "how much.",
        "If chance moves the average of an area by this much (standard deviation per area and "
        "wave), the result could be chance alone.",
        "Mean scores with their 95% intervals, before (grey squares) and after (blue circles).",
        "How people's scores spread, before (grey) and after (blue): the box holds the middle half "
        "of them, the whiskers the middle 80%, the white line is the median.",
        "All pairs together: how much more the areas rose than their control sites, with the 95% "
        "interval.",
        "A scale is worth comparing only if its questions hang together.",
        "Alpha and omega are 1 at most; .70 is a usual minimum for comparing groups.",
        "How reliably each scale measures",
        "n: people who answered; a weight of 1 is the average",
        "n: people in the category; never weighted.",
        "Such answers are never scored.",
        "Area potency beside the control sites",
        "Change from before to after, in points of the scale, of all pairs together",
        "n: answers of both waves and sides.",
        "Whole areas also move by chance, which no interval here allows for, and a difference "
        "doesn't say what brought it about.",
    )
)

_DIFFERENCE = (
    rf"(?P<scale>.+?) (?P<change>{NUMBER})(?P<ancova> at the same score before)? \(95% interval "
    rf"(?P<ends>{ENDS}); p (?:= )?(?P<p>{P})"
    rf"(?:, adjusted (?P<adjusted>{P}))?\)"
)


def find_family(reader: Reader, scale: str) -> tuple[str, ...]:
    """Find the scales of a family, or all where none were named in advance."""
    families = [*reader.cohort.confirmatory.values()] or [tuple(reader.instrument.scales)]
    return next((scales for scales in families if scale in scales), ())


def find_leading(reader: Reader, scales: Sequence[str]) -> pd.DataFrame:
    """Find the comparison of all pairs that leads for each of some scales."""
    rows = pd.concat(
        [
            reader.known("scales", estimator, site="all", period="change")
            for estimator in ("difference_in_differences", "ancova")
        ]
    )
    rows = rows[rows["flags"].str.split().map(lambda flags: "leads" in flags)]
    return rows[rows["outcome"].isin(scales)].set_index("outcome")


def confirm_scale(part: re.Match[str], row: pd.Series) -> None:
    """Check a difference, its interval and its p values."""
    confirm(part["change"], row["estimate"])
    confirm_interval(part["ends"], row["ci_low"], row["ci_high"])
    confirm(part["p"], row["p_value"])
    if part["adjusted"]:
        confirm(part["adjusted"], row["p_adjusted"])


@form(r"Residents' answers, points of change beyond that in the control sites: (?P<parts>.+\))\.")
def check_differences(reader: Reader, match: re.Match[str]) -> None:
    parts = parse_list(match["parts"], _DIFFERENCE)
    reader.outcome = reader.find_scale(parts[0]["scale"])
    leading = find_leading(reader, find_family(reader, reader.outcome))
    require({reader.find_scale(part["scale"]) for part in parts} == set(leading.index))
    for part in parts:
        row = leading.loc[reader.find_scale(part["scale"])]
        require((part["adjusted"] is None) == (len(parts) == 1))
        require((part["ancova"] is None) == (row["estimator"] != "ancova"))
        confirm_scale(part, row)


@form(
    r"(?:That (?P<lone>is clear of|takes in) no difference|After adjustment (?:(?P<two>both|"
    r"neither)|(?:(?P<clear>none|\d+) of the|all) (?P<all>\d+)) (?:is|are) clear of no difference"
    r"(?: \((?P<which>.+?)\))?), as far as (?P<people>the same people asked twice|chance among "
    r"people) can tell; whole areas also move by chance\."
)
def check_verdicts(reader: Reader, match: re.Match[str]) -> None:
    leading = find_leading(reader, find_family(reader, reader.outcome))
    clear = leading.index[leading["p_adjusted"] < ALPHA]
    if match["lone"]:
        require(len(leading) == 1)
        require((match["lone"] == "is clear of") == (len(clear) == 1))
    elif match["two"]:
        require(len(leading) == 2)
        require(len(clear) == (2 if match["two"] == "both" else 0))
    else:
        require(int(match["all"]) == len(leading) > 1)
        said = match["clear"] or match["all"]
        require((0 if said == "none" else int(said)) == len(clear))
    if match["which"]:
        confirm_names(match["which"], [reader.instrument.title_scale(scale) for scale in clear])
    linked = leading["flags"].str.split().map(lambda flags: "linked" in flags).any()
    require((match["people"] == "the same people asked twice") == linked)


@form(
    r"Within the areas by themselves: (?P<parts>.+\)); a description of the areas, not a "
    r"comparison\."
)
def check_own_changes(reader: Reader, match: re.Match[str]) -> None:
    item = rf"(?P<scale>.+?) (?P<change>{NUMBER}) \(p (?:= )?(?P<p>{P})\)"
    parts = parse_list(match["parts"], item)
    scales = find_family(reader, reader.find_scale(parts[0]["scale"]))
    rows = reader.known("scales", "mean_difference", site="intervention", period="change")
    rows = rows[rows["outcome"].isin(scales)].set_index("outcome")
    require({reader.find_scale(part["scale"]) for part in parts} == set(rows.index))
    for part in parts:
        row = rows.loc[reader.find_scale(part["scale"])]
        confirm(part["change"], row["estimate"])
        confirm(part["p"], row["p_value"])
    require(not find_leading(reader, scales).empty)


@form(r"No change beyond that in the control sites is known of (?P<scales>.+)\.")
def check_unknown_changes(reader: Reader, match: re.Match[str]) -> None:
    scales = reader.cohort.confirmatory_scales or tuple(reader.instrument.scales)
    known = find_leading(reader, scales).index
    absent = [scale for scale in scales if scale not in known]
    confirm_names(match["scales"], [reader.instrument.title_scale(scale) for scale in absent])


@form(r"A higher score on (?P<scales>.+) means more of (?P<them>it|them), which is worse\.")
def check_reversed(reader: Reader, match: re.Match[str]) -> None:
    turned = [key for key, scale in reader.instrument.scales.items() if scale.reverse]
    if reader.paragraph.section == "potency":
        turned = [key for key in turned if key in list_potency(reader)]
    confirm_names(match["scales"], [reader.instrument.title_scale(scale) for scale in turned])
    require((match["them"] == "it") == (len(turned) == 1))


@form(r"Residents were asked (?P<when>once, before|once, after|before and after) the start of the work\.")  # fmt: skip  # noqa: E501
def check_waves(reader: Reader, match: re.Match[str]) -> None:
    waves = list(dict.fromkeys(find_means(reader)["period"]))
    require(match["when"] == (f"once, {waves[0]}" if len(waves) == 1 else "before and after"))


@form(
    r"(?:That is a (?P<before>baseline): a second wave of the same questions can be set beside it, "
    r"and until then no change is known|(?P<after>Nobody) has a score before, so no change is known"
    r"|No site has scores of both waves, so no change is known)\."
)
def check_no_change(reader: Reader, match: re.Match[str]) -> None:
    rows = find_means(reader)
    both = not match["before"] and not match["after"]
    require(set(rows["period"]) == {"before", "after"} - {match["before"] and "after"} - {match["after"] and "before"})  # fmt: skip  # noqa: E501
    require(not both or rows.groupby("site")["period"].nunique().max() == 1)
    require(reader.known("scales", "mean_difference").empty)


@form(r"Residents' answers changed by: (?P<parts>.+)\.")
def check_changes_of_sites(reader: Reader, match: re.Match[str]) -> None:
    rows = reader.known("scales", "mean_difference")
    rows = rows[rows["site"].isin(list(reader.cohort.sites))]
    item = (
        r"(?P<scale>[^,]+?) in (?P<site>[^,]+?)(?P<control>, a control site,)? "
        rf"(?P<change>{NUMBER}) \(95% interval (?P<ends>{ENDS}); p (?:= )?(?P<p>{P})\)"
    )
    parts = parse_list(match["parts"], item)
    require(len(parts) == len(rows))
    for part in parts:
        site = reader.find_site(part["site"])
        require((part["control"] is not None) == (site in {p.control for p in reader.cohort.pairs}))
        row = rows[(rows["site"] == site) & (rows["outcome"] == reader.find_scale(part["scale"]))]
        confirm(part["change"], row["estimate"].item())
        confirm_interval(part["ends"], row["ci_low"].item(), row["ci_high"].item())
        confirm(part["p"], row["p_value"].item())


@form(
    r"No change of an area can be set beside a control site's, so nothing shows what would have "
    r"happened anyway\.|No change can be set beside a control site's\."
)
def check_uncompared(reader: Reader, match: re.Match[str]) -> None:
    require(reader.known("scales", "difference_in_differences").empty)


@form(r"(?P<sites>.+) (?:was|were) asked only (?P<wave>before|after) the start of the work\.")
def check_asked_once(reader: Reader, match: re.Match[str]) -> None:
    waves = find_means(reader).groupby("site")["period"].unique().map(list)
    once = waves[waves.map(lambda asked: asked == [match["wave"]])].index
    confirm_names(match["sites"], [reader.cohort.title_site(site) for site in once])


@form(
    r"Scores of (?P<sites>.+) (?P<wave>before|after) the start are hidden, so that no group of "
    r"fewer than (?P<fewest>\d+) people is shown\."
)
def check_hidden_scores(reader: Reader, match: re.Match[str]) -> None:
    rows = reader.rows("scales", "mean", period=match["wave"], reason="small_group")
    sites = set(rows["site"]) & set(reader.cohort.sites)
    confirm_names(match["sites"], [reader.cohort.title_site(site) for site in sites])
    require(int(match["fewest"]) == reader.cohort.smallest_group)


def find_means(reader: Reader) -> pd.DataFrame:
    """Find the known mean of every scale, site and wave."""
    rows = reader.known("scales", "mean")
    return rows[rows["site"].isin(list(reader.cohort.sites))]


@form(rf"Mean scores(?: on scales from (?P<low>{NUMBER}) to (?P<high>{NUMBER}))?: (?P<parts>.+)\.")
def check_baseline(reader: Reader, match: re.Match[str]) -> None:
    rows = find_means(reader)
    items = [reader.instrument.list_scale_items(scale)[0] for scale in set(rows["outcome"])]
    ranges = {reader.instrument.find_range(item) for item in items}
    require((match["low"] is not None) == (len(ranges) == 1))
    if match["low"]:
        confirm(match["low"], min(ranges)[0])
        confirm(match["high"], max(ranges)[1])
    parts = parse_list(
        match["parts"],
        rf"(?P<scale>.+?) in (?P<site>.+?) (?P<mean>{NUMBER})(?: (?P<wave>before|after))?"
        r"(?=, | and |$)",
    )
    require(len(parts) == len(rows))
    for part in parts:
        place = {
            "outcome": reader.find_scale(part["scale"]),
            "site": reader.find_site(part["site"]),
        }
        wave = part["wave"] or rows["period"].iloc[0]
        require((part["wave"] is None) == (len(set(rows["period"])) == 1))
        confirm(part["mean"], reader.row("scales", "mean", period=wave, **place)["estimate"])


@form(r"No survey was given, so (?:nothing can be said of what residents think|area potency was not measured|there is no scale whose reliability to report)\.")  # fmt: skip  # noqa: E501
def check_no_survey(reader: Reader, match: re.Match[str]) -> None:
    require(not reader.cohort.surveys and reader.evaluation.responses is None)


@form(
    r"Difference in differences, in points of the scale, of (?P<people>(?:the same|partly the same|"
    r"different) people|people) in the two waves"
)
def check_subtitle(reader: Reader, match: re.Match[str]) -> None:
    rows = reader.rows("scales", "difference_in_differences")
    words = {"linked": "the same people", "partly_linked": "partly the same people"}
    said = {
        next((words[f] for f in flags.split() if f in words), "different people")
        for flags in rows["flags"]
    }
    require({match["people"]} == said)


@form(
    r"Welch's t-tests(?P<linked>, of people's own changes where they are known)?: a description of "
    r"each place, not yet a comparison"
)
def check_tests(reader: Reader, match: re.Match[str]) -> None:
    flags = reader.rows("scales", "mean_difference")["flags"].str
    require((match["linked"] is not None) == flags.contains(r"\b(?:partly_)?linked\b").any())


@form(
    r"Some people answered both waves\.|(?P<difference>The difference in differences leads; the "
    r"comparison of people with the same score before stands beside it, as it is fair only where "
    r"sites were drawn by lot: elsewhere it takes a gap that was there from the start for a change)"
    r"\.|(?P<lot>The sites were drawn by lot, and everybody in the second wave had answered the "
    r"first: so the comparison of people with the same score before leads, and the difference in "
    r"differences stands beside it)\."
)
def check_lead(reader: Reader, match: re.Match[str]) -> None:
    assert reader.evaluation.responses is not None
    people = reader.evaluation.responses.answers[["wave", "site", "person"]].dropna()
    waves = [set(people.loc[people["wave"] == wave, "person"]) for wave in ("before", "after")]
    require(bool(waves[0] & waves[1]))
    ancova = reader.known("scales", "ancova", site="all")
    leads = ancova["flags"].str.split().map(lambda flags: "leads" in flags)
    require(len(ancova) > 0)
    require(match["lot"] is None or (bool(leads.all()) and waves[1] <= waves[0]))
    require(match["lot"] is None or reader.cohort.assignment == "randomised")
    require(match["difference"] is None or not leads.any())


_LOST = r"(?P<{0}>\d+%) of (?P<{0}_n>[\d,]+) in (?P<{0}_site>.+?)"


@form(r"Lost between the waves, of the people who answered the first: (?P<parts>.+)\.")
def check_lost(reader: Reader, match: re.Match[str]) -> None:
    item = (
        rf"{_LOST.format('area')}, {_LOST.format('control')} \((?P<points>{NUMBER}) points apart, "
        rf"95% interval (?P<ends>{ENDS})\)"
    )
    for part in parse_list(match["parts"], item, "; "):
        for side in ("area", "control"):
            site = reader.find_site(part[f"{side}_site"])
            row = reader.row("scales", "attrition_share", site=site)
            confirm(part[side], row["estimate"], scale=100)
            confirm(part[f"{side}_n"], row["n"])
        site = reader.find_site(part["area_site"])
        row = reader.row("scales", "attrition_difference", site=site)
        confirm(part["points"], row["estimate"], scale=100)
        confirm_interval(part["ends"], row["ci_low"], row["ci_high"], scale=100)


def find_lacking(reader: Reader, titles: str | None) -> list[str]:
    """Find the scales that a gap is said of; all, or those of area potency, where none is named."""
    if titles is not None:
        named = parse_list(titles, r"(?:(?! and |, ).)+")
        reader.outcome = reader.find_scale(named[0][0])
        return [reader.find_scale(match[0]) for match in named]
    if reader.outcome:
        return [reader.outcome]
    if reader.paragraph.section == "potency":
        return list(reader.cohort.confirmatory["potency"])
    return list(reader.instrument.scales)


@form(r"(?:(?P<scales>[^:]+): )?No pair of sites has two waves of scores on both sides\.")
def check_no_pair(reader: Reader, match: re.Match[str]) -> None:
    rows = reader.known("scales", "difference_in_differences", site="all")
    require(not set(find_lacking(reader, match["scales"])) & set(rows["outcome"]))


@form(
    r"(?:(?P<scales>[^:]+): )?Nobody in (?P<site>.+) has a score in the wave "
    r"(?P<wave>before|after)\."
)
def check_nobody(reader: Reader, match: re.Match[str]) -> None:
    site = reader.find_site(match["site"])
    rows = reader.known("scales", "mean", site=site, period=match["wave"])
    if reader.paragraph.section == "sample":
        require(len(set(rows["outcome"])) < len(reader.instrument.scales))
    else:
        require(not set(find_lacking(reader, match["scales"])) & set(rows["outcome"]))


@form(
    r"Verdict: (?P<word>inconclusive|effect|no meaningful effect)(?:, among these people)?\.|"
    r"(?P<neither>Neither) a difference nor its absence is shown; more answers would be needed\."
)
def check_verdict(reader: Reader, match: re.Match[str]) -> None:
    word = "inconclusive" if match["neither"] else match["word"].replace(" ", "_")
    rows = reader.known("scales", "tost")
    alpha_level = rows["flags"].str.split().map(lambda flags: word in flags)
    require(bool(alpha_level.any()))
    for _, row in rows[alpha_level].iterrows():
        place = {"outcome": row["outcome"], "site": row["site"]}
        did = reader.row("scales", "difference_in_differences", **place)
        if word != "no_meaningful_effect":
            require((did["p_adjusted"] < ALPHA) == (word == "effect"))


@form(
    r"Chance among the people who answered can already account for this result, so there is nothing"
    r" left for a chance shock to an area to erase\."
)
def check_no_shock(reader: Reader, match: re.Match[str]) -> None:
    rows = reader.rows("scales", "tau_star")
    for _, row in rows[rows["estimate"].isna()].iterrows():
        place = {"outcome": row["outcome"], "site": row["site"]}
        found = reader.rows("scales", "difference_in_differences", **place)
        require(found["estimate"].isna().item() or found["p_value"].item() >= ALPHA)
    require(bool(rows["estimate"].isna().any()))


@form(
    r"p adjusted: for the number of scales \(of single pairs, for that of scales and pairs\), by "
    r"(?:(?P<holm>Holm)'s method over the confirmatory scales, which were named in advance"
    r"(?:, in each of their (?P<families>\d+) families by itself)?, and by "
    r"Benjamini and Hochberg's method over the others|Benjamini and Hochberg's method)\."
)
def check_scales_adjusted(reader: Reader, match: re.Match[str]) -> None:
    require((match["holm"] is not None) == bool(reader.cohort.confirmatory))
    require(int(match["families"] or 1) == max(len(reader.cohort.confirmatory), 1))


@form(rf"In standard deviations: (?P<parts>.+ \({ENDS}\))\.")
def check_standardised(reader: Reader, match: re.Match[str]) -> None:
    rows = reader.rows("scales", "did_hedges_g", site="all").set_index("outcome")
    parts = parse_list(
        match["parts"], rf"(?P<scale>.+?) (?P<g>{NUMBER}|not available) \((?P<ends>{ENDS})\)", "; "
    )
    named = [part["scale"].removesuffix(" (lower is better)") for part in parts]
    scales = [reader.find_scale(title) for title in named]
    turned = [part["scale"] not in named for part in parts]
    family = list_potency(reader) if reader.paragraph.section == "potency" else list(rows.index)
    require(scales == family)
    if reader.paragraph.section == "potency":
        require(turned == [reader.instrument.scales[scale].reverse for scale in scales])
    for scale, part in zip(scales, parts, strict=True):
        row = rows.loc[scale]
        if np.isnan(row["estimate"]):
            require(part["g"] == part["ends"] == "not available")
        else:
            confirm(part["g"], row["estimate"])
            confirm_interval(part["ends"], row["ci_low"], row["ci_high"])


@form(
    rf"The shaded band ends at (?:the bound of (?P<set>{NUMBER}) SD set beforehand|a bound of "
    rf"(?P<default>{NUMBER}) SD, this tool's default): smaller differences count as too small to "
    r"matter\."
)
def check_bound(reader: Reader, match: re.Match[str]) -> None:
    require(("smallest_meaningful_g" in reader.cohort.model_fields_set) == bool(match["set"]))
    confirm(match["set"] or match["default"], reader.cohort.smallest_meaningful_g)


def list_potency(reader: Reader) -> list[str]:
    """List the scales that the section on area potency is about."""
    named = list(reader.cohort.confirmatory.get("potency", ()))
    whole = reader.instrument.scales.get("potency")
    return named or (["potency", *whole.scales] if whole else [])


def find_better(reader: Reader) -> pd.DataFrame:
    """Find the leading comparisons of area potency, and which way is better."""
    rows = find_leading(reader, list_potency(reader))
    turned = [reader.instrument.scales[scale].reverse for scale in rows.index]
    return rows.assign(better=rows["estimate"] * np.where(turned, -1, 1))


def confirm_scales(reader: Reader, text: str, scales: Sequence[str]) -> None:
    """Fail unless a list names some scales and those on which lower is better as such."""
    titles = [reader.instrument.title_scale(scale) for scale in scales]
    turned = [title for title, scale in zip(titles, scales, strict=True)
              if reader.instrument.scales[scale].reverse]  # fmt: skip
    require(text.count("(where lower is better)") == len(turned))
    require(all(f"{title.lower()} (where lower is better)" in text for title in turned))
    confirm_names(text.replace(" (where lower is better)", ""), titles)


@form(
    r"Area potency was not measured: no scale of the questionnaire, and no family of confirmatory "
    r"scales in cohort\.yml, is called 'potency'\."
)
def check_unmeasured(reader: Reader, match: re.Match[str]) -> None:
    require(list_potency(reader) == [])


@form(
    r"After adjustment (?P<clear>none|\d+) of the (?P<all>\d+) differences from the control sites "
    r"are clear of zero(?: \((?P<which>.+)\))?, as far as chance among people can tell\."
)
def check_clear(reader: Reader, match: re.Match[str]) -> None:
    rows = find_better(reader)
    clear = rows.index[rows["p_adjusted"] < ALPHA]
    require(int(match["all"]) == len(rows))
    require((0 if match["clear"] == "none" else int(match["clear"])) == len(clear))
    if match["which"]:
        confirm_scales(reader, match["which"], list(clear))


@form(
    r"In direction, sure or not, they favour (?:the areas on (?P<areas>[^;]+?))?(?:; )?"
    r"(?:the control sites on (?P<controls>[^;]+?))?(?:; )?(?:neither on (?P<neither>[^;]+?))?\."
)
def check_direction(reader: Reader, match: re.Match[str]) -> None:
    better = find_better(reader)["better"]
    for side, rows in (
        ("areas", better > 0),
        ("controls", better < 0),
        ("neither", better == 0),
    ):
        require((match[side] is not None) == rows.any())
        if match[side]:
            confirm_scales(reader, match[side], list(better.index[rows]))


@form(
    rf"(?P<scale>.+): (?P<change>{NUMBER}) points of change beyond that in the control sites, on a "
    rf"scale from (?P<low>{NUMBER}) to (?P<high>{NUMBER}) \(95% interval (?P<ends>{ENDS}); "
    rf"p (?:= )?(?P<p>{P})(?:, adjusted (?P<adjusted>{P}))\)\."
)
def check_potency(reader: Reader, match: re.Match[str]) -> None:
    scale = reader.find_scale(match["scale"])
    require(scale == "potency")
    confirm_scale(match, find_better(reader).loc[scale])
    ends = reader.instrument.find_range(reader.instrument.list_scale_items(scale)[0])
    confirm(match["low"], ends[0])
    confirm(match["high"], ends[1])


_MEAN = rf"(?:{NUMBER}|not available)"


@form(
    rf"(?P<scale>[^:]+): (?P<parts>.+? {_MEAN} before, {_MEAN} after"
    rf"(?:; .+? {_MEAN} before, {_MEAN} after)*)\."
)
def check_means(reader: Reader, match: re.Match[str]) -> None:
    scale = reader.find_scale(match["scale"])
    item = rf"(?P<site>.+?) (?P<before>{_MEAN}) before, (?P<after>{_MEAN}) after"
    parts = parse_list(match["parts"], item, "; ")
    sites = reader.cohort.compared_sites or tuple(reader.cohort.sites)
    require([reader.find_site(part["site"]) for part in parts] == list(sites))
    for part in parts:
        for wave in ("before", "after"):
            site = reader.find_site(part["site"])
            row = reader.row("scales", "mean", outcome=scale, site=site, period=wave)
            confirm(part[wave], row["estimate"])


_MEDIAN = rf"(?P<site>.+?) (?P<wave>before|after) (?P<median>{NUMBER})"


@form(r"(?P<parts>[^:;]+: (?:too few to show|.+ (?:before|after) \d.+))\.", name="distributions")
def check_medians(reader: Reader, match: re.Match[str]) -> None:
    scores = reader.evaluation.scores
    assert scores is not None
    parts = [part.partition(": ") for part in match["parts"].split("; ")]
    require([reader.find_scale(part[0]) for part in parts] == list(reader.instrument.scales))
    for title, _, said in parts:
        scale = reader.find_scale(title)
        groups = scores.groupby(["site", "wave"])[scale]
        shown = {
            k: g.quantile(0.5, interpolation="lower")
            for k, g in groups
            if g.count() >= reader.cohort.smallest_group
        }
        items = parse_list(said, _MEDIAN, ", ") if shown else []
        places = [(reader.find_site(i["site"]), i["wave"]) for i in items]
        require(places == [place for place in sorted(shown) if place in places])
        for item in items:
            confirm(item["median"], shown[reader.find_site(item["site"]), item["wave"]])


@form(
    r"Groups of fewer than (?P<fewest>\d+) people are (?:left out|hidden, and so is any figure "
    r"that would give them back; questionnaires that were left out are counted)\.|Hidden: fewer "
    r"than (?P<hidden>\d+) people(?:, or a number that would give such a one back)?\."
)
def check_hidden(reader: Reader, match: re.Match[str]) -> None:
    require(int(match["fewest"] or match["hidden"]) == reader.cohort.smallest_group)


_ANSWER = r"'(?P<text>.+?)' (?P<share>\d+%|too few to tell) above the middle"
_ANSWER += r"(?: \(n = (?P<n>[\d,]+)\))?"


@form(r"(?P<parts>'.+' (?:\d+%|too few to tell) above the middle(?: \(n = [\d,]+\))?)\.")
def check_answers(reader: Reader, match: re.Match[str]) -> None:
    answers = _find_answers(reader)
    scale = reader.paragraph.name.removeprefix("answers-")
    items = reader.instrument.scales[scale].items
    parts = parse_list(match["parts"], _ANSWER, "; ")
    require([part["text"] for part in parts] == [reader.instrument.items[i].text for i in items])
    for part, item in zip(parts, items, strict=True):
        options = [option.code for option in reader.instrument.list_answers(item)]
        given = answers[answers[item].notna() & (answers["weight"] > 0)]
        above = given[item] > np.mean([min(options), max(options)])
        require(bool(part["n"]) or len(answers) - len(given) > 0)
        confirm(part["n"] or str(len(given)), len(given))
        few = [n for n in (above.sum(), (~above).sum()) if 0 < n < reader.cohort.smallest_group]
        require((part["share"] == "too few to tell") == bool(few))
        if not few:
            confirm(part["share"], np.average(above, weights=given["weight"]), scale=100)


def _find_answers(reader: Reader) -> pd.DataFrame:
    """Find the latest answers of the intervention areas, or of all sites without pairs."""
    assert reader.evaluation.responses is not None
    answers = reader.evaluation.responses.answers
    wave = "after" if "after" in set(answers["wave"]) else "before"
    sites: Sequence[str] = [pair.intervention for pair in reader.cohort.pairs]
    return answers[(answers["wave"] == wave) & answers["site"].isin(sites or reader.cohort.sites)]


@form(
    r"(?P<scale>[^,]+), (?P<where>intervention areas|all sites), (?P<wave>before|after): answers "
    r"in per cent of those who gave one\."
)
def check_answers_caption(reader: Reader, match: re.Match[str]) -> None:
    require(reader.paragraph.name == f"answers-{reader.find_scale(match['scale'])}")
    require((match["where"] == "all sites") == (not reader.cohort.pairs))
    require(set(_find_answers(reader)["wave"]) == {match["wave"]})


@form(
    r"Half of the middle answer lies on each side of the line; an answer that fewer than "
    r"(?P<fewest>\d+) people gave is drawn with the next; 'don't know' and blanks are counted "
    r"under data quality\."
)
def check_likert_caption(reader: Reader, match: re.Match[str]) -> None:
    require(int(match["fewest"]) == reader.cohort.smallest_group)


@form(r"A one-factor model needs at least (?P<least>three) items\.")
def check_factor(reader: Reader, match: re.Match[str]) -> None:
    counts = {
        scale: len(reader.instrument.list_scale_items(scale)) for scale in reader.instrument.scales
    }
    rows = reader.rows("reliability", "omega_total", site="all", period="all")
    missing = rows.loc[rows["estimate"].isna(), "outcome"]
    require(len(missing) > 0 and all(counts[scale] < 3 for scale in missing))


@form(r"(?P<n>\d+|Few) answers were given in residents' own words\.")
def check_stories(reader: Reader, match: re.Match[str]) -> None:
    assert reader.evaluation.responses is not None
    require(int(match["n"]) == len(reader.evaluation.responses.stories))


@form(r"No stories were given\.")
def check_no_stories(reader: Reader, match: re.Match[str]) -> None:
    responses = reader.evaluation.responses
    require(not reader.cohort.stories and (responses is None or responses.stories.empty))


@form(
    r"The people who answered need not be a small copy of the population, so each site's answers in"
    r" each wave are weighted until their mix of (?P<columns>.+) is the population's\."
)
def check_targets(reader: Reader, match: re.Match[str]) -> None:
    targets = reader.cohort.weighting.targets
    confirm_names(match["columns"], [name.replace("_", " ") for name in targets])
    place = ["site", "period", "outcome"]
    reached, wanted = (
        reader.rows("weights", estimator).set_index(place)["estimate"]
        for estimator in ("share_after", "target_share")
    )
    require(len(reached) > 0)
    apart = (reached - wanted).abs().dropna()
    limited = reader.rows("weights", "n_eff")["flags"].str.contains("targets_missed").any()
    require(bool(limited) or bool((apart < 0.005).all()))


@form(
    r"Weighting costs precision: (?P<people>[\d,]+) people tell as much as (?P<worth>[\d,]+) would "
    r"who all count alike \(Kish's effective number\)\."
)
def check_effective(reader: Reader, match: re.Match[str]) -> None:
    rows = reader.known("weights", "n_eff", outcome="weight")
    confirm(match["people"], rows["n"].sum())
    confirm(match["worth"], rows["estimate"].sum())


@form(rf"Nobody counts for more than (?P<most>{NUMBER}) times the average person\.")
def check_largest(reader: Reader, match: re.Match[str]) -> None:
    rows = reader.rows("weights", "largest_weight", outcome="weight")
    require(bool(rows["estimate"].notna().all()))
    confirm(match["most"], rows["estimate"].max())


fix(
    (
        "Means can be compared only where the same answers mean the same at every site and in both "
        "waves (measurement invariance).",
        "Do the questions mean the same at every site and in both waves?",
        "Factor models of all sites and waves, each step asking for more",
        "A step fails where CFI falls by .010 or more and RMSEA rises by .015 or more, or SRMR by "
        ".030 (loadings) or .010 (intercepts) (Chen 2007).",
        "Changes are against the step before; of a model that holds in part, against the first.",
        "Of scales of three questions that do measure alike, this rule doubts about one in ten, of "
        "longer ones about one in fifty (simulated, 150 people a site and wave).",
        "There the comparison is also given without what these questions do.",
        "This takes at least 3 items or subscales.",
    )
)


def _list_verdicts(reader: Reader, flag: str) -> list[str]:
    rows = reader.known("invariance", "invariance")
    scales = rows.loc[rows["flags"].str.split().map(lambda flags: flag in flags), "outcome"]
    return [reader.instrument.title_scale(scale) for scale in scales]


@form(r"By the usual rule they do for (?P<names>.+)\.")
def check_invariant(reader: Reader, match: re.Match[str]) -> None:
    confirm_names(match["names"], _list_verdicts(reader, "invariant"))


@form(
    r"They do only in part for (?P<names>.+?): (?P<items>.+) (?P<verb>seems?) to be answered "
    r"differently by people who are alike in the rest\."
)
def check_partly_invariant(reader: Reader, match: re.Match[str]) -> None:
    confirm_names(match["names"], _list_verdicts(reader, "partly_invariant"))
    rows = reader.findings
    freed = rows[rows["estimator"].isin(["intercept_spread", "loading_spread"])]
    parts = [outcome.partition("/")[2] for outcome in freed["outcome"]]
    items = reader.instrument.items
    names = [
        f'"{items[part].text}"'
        if part in items and items[part].text
        else reader.instrument.title_scale(part)
        for part in dict.fromkeys(parts)
    ]
    require((match["verb"] == "seems") == (len(names) == 1))
    require(all(name in match["items"] for name in names))


@form(r"Not tested: (?P<names>.+?) \((?P<why>.+)\)\.")
def check_untested(reader: Reader, match: re.Match[str]) -> None:
    rows = reader.rows("invariance", "invariance")
    missing = rows.loc[rows["estimate"].isna(), "outcome"]
    titles = [reader.instrument.title_scale(scale) for scale in missing]
    confirm_names(match["names"], titles)
