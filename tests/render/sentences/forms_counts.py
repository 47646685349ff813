"""What the sections on counts say beside their tables and pictures."""

from __future__ import annotations

import math
import re

import pandas as pd
from forms import ALPHA, CHANGE, ENDS_PERCENT, NUMBER, P, fix, form
from forms_summary import find_lead
from reader import (
    Reader,
    clear_of,
    confirm,
    confirm_interval,
    confirm_names,
    parse_list,
    require,
)
from scipy.stats import false_discovery_control

from sbwork.compare.accuracy import read_study

fix(
    (
        "Each cell: percentage change; counts before and after; 95% interval.",
        "Percentage change with its 95% interval.",
        "A raw change says nothing about what would have happened anyway.",
        "Months: how many on each side are compared.",
        "RIRR: relative incidence rate ratio; 1 means the area changed just as its control site "
        "did, below 1 that it fell more or rose less.",
        "The WDD is defined all the same.",
        "The two started from different counts: RIRR takes equal percentage changes for no "
        "difference, WDD equal changes in number.",
        "Neither should be shown alone.",
        "The interval is made from how much areas changed in which nothing was done.",
        "Fixed effects (not used): Takes one and the same change for all pairs.",
        "Q: Cochran's test that all pairs share one ratio.",
        "With two or three pairs all three are rough.",
        "Each way of pooling, and how much the pairs differ among themselves",
        "An interval made from the counts of the sites themselves answers one question: could "
        "chance among incidents do this?",
        "Where they drift, it can see changes where nothing was done more often than it says.",
        "How often such intervals see a change where nothing was done",
        "It should be 5%; in the last column, 95%",
        "RIRR: corrected for over-dispersion where there are two months or more on each side; "
        "Poisson: not corrected; fixed and random effects: all pairs together.",
        "Drift: how far (SD of the log) each area's level moves between the periods by itself.",
        "How often places where nothing happened changed as much",
    )
)


def has_controls(reader: Reader) -> bool:
    """Say whether any area has a control site."""
    return any(pair.control for pair in reader.cohort.pairs)


@form(
    r"Each area (?:beside|against) its control site|(?P<none>Each area, before and after|A raw "
    r"change says nothing about what would have happened anyway, and there is no control site to "
    r"set it beside\.|So the area is ranked among places where nothing was done\.)"
)
def check_controls(reader: Reader, match: re.Match[str]) -> None:
    require(has_controls(reader) == (match["none"] is None))


@form(
    r"Areas: how many of like size, in which nothing was done, stand in for the site(?P<control> or"
    r" its control)?\.|Rank p: how often (?:(?P<pair>a pair drawn from those areas and the real "
    r"ones)|those areas, and the site among them,) changed at least as much \(two-sided, by "
    r"randomisation\)\.|Smallest possible: the rank p of a (?P<kind>pair|site) that changed more"
    r" than every other, and the same adjusted\."
)
def check_rank_legend(reader: Reader, match: re.Match[str]) -> None:
    pairs = bool(match["control"] or match["pair"] or match["kind"] == "pair")
    require(has_controls(reader) == pairs)
    require(len(reader.known("placebo", "placebo_p")) > 0)


@form(r"No counts and no reported figures were given\.")
def check_no_figures(reader: Reader, match: re.Match[str]) -> None:
    require(not reader.cohort.incidents and not reader.cohort.reported_figures)


@form(
    r"No incident file was given, so (?:nothing can be counted and no interval can be put around a "
    r"change|there is no comparison of counts to put to the test)\."
)
def check_no_files(reader: Reader, match: re.Match[str]) -> None:
    require(not reader.cohort.incidents and reader.evaluation.incidents is None)


@form(
    rf"Bars, hatched: (?P<figures>.+ {CHANGE})\.|No intervals can be given\.|Hatching marks what "
    r"could not be checked; there are no intervals because there are no counts\.|No counts came "
    r"with these figures, so no interval can be given: level (?P<level>\d) evidence\."
)
def check_reported_picture(reader: Reader, match: re.Match[str]) -> None:
    rows = reader.findings[reader.findings["section"] == "reported"]
    reader.read.update(rows.index)
    require(len(rows) > 0 and bool(rows[["ci_low", "ci_high", "n"]].isna().all(axis=None)))
    require(bool((rows["evidence_level"] == int(match["level"] or 1)).all()))
    if match["figures"]:
        items = parse_list(match["figures"], rf"(?P<title>.+?) (?P<change>{CHANGE})", "; ")
        require([item["title"] for item in items] == rows["outcome"].tolist())
        for item, change in zip(items, rows["estimate"], strict=True):
            confirm(item["change"], change)


def _find_single(reader: Reader) -> pd.Series:
    ratios = reader.known("counts", "rirr", period="change")
    ratios = ratios[(ratios["site"] != "all") & ratios["ci_low"].notna()]
    months = {
        (row["outcome"], row["site"]): row["estimate"]
        for _, row in reader.rows("counts", "window_months", period="change").iterrows()
    }
    single = [months[row["outcome"], row["site"]] == 1 for _, row in ratios.iterrows()]
    return pd.Series(single, index=ratios.index, dtype=bool)


@form(
    r"Its interval (?:(?P<none>takes counts to vary by chance alone, because a single month on each"
    r" side can't show how much more they vary)|allows for counts that jump about more than chance "
    r"alone would make them(?P<some>, except where a single month is compared)?)\."
)
def check_interval(reader: Reader, match: re.Match[str]) -> None:
    single = _find_single(reader)
    require(bool(single.all()) == (match["none"] is not None) or single.empty)
    require(bool(single.any()) == bool(match["none"] or match["some"]))


_ROWS = r"(?:(?P<rows>(?:[^;:]+, [^;:]+)(?:; [^;:]+, [^;:]+)*): )?"


def _find_rows(reader: Reader, rows: str | None) -> list[tuple[str, str]]:
    """Find the outcomes and pairs (or sites) that a note below a table is for; all without any."""
    if rows is None:
        ratios = reader.rows("counts", "rirr", period="change")
        return [
            (row["outcome"], row["site"]) for _, row in ratios.iterrows() if row["site"] != "all"
        ]
    found = []
    for row in rows.split("; "):
        title, _, place = row.rpartition(", ")
        site = place in {reader.cohort.title_site(key) for key in reader.cohort.sites}
        key = reader.find_site(place) if site else reader.find_pair(place)
        found.append((reader.find_outcome(title), key))
    return found


@form(
    rf"{_ROWS}With one month on each side, counts are taken to vary like Poisson counts; real ones "
    r"vary more, so the interval is too narrow\."
)
def check_one_month(reader: Reader, match: re.Match[str]) -> None:
    months = reader.rows("counts", "window_months", period="change")
    for outcome, site in _find_rows(reader, match["rows"]):
        own = [p.intervention for p in reader.cohort.pairs if site in (p.intervention, p.control)]
        found = months[(months["outcome"] == outcome) & months["site"].isin(own)]
        require(len(found) > 0 and bool((found["estimate"] == 1).all()))


@form(
    rf"{_ROWS}(?:None after: the change is (?P<all>−100%), and no interval can be given|No "
    r"incident after in the site: a ratio that rests on a count of 0 is undefined)\."
)
def check_none_after(reader: Reader, match: re.Match[str]) -> None:
    require(match["rows"] is not None)
    for outcome, site in _find_rows(reader, match["rows"]):
        place = {"outcome": outcome, "site": site}
        require(reader.row("counts", "count", period="after", **place)["estimate"] == 0)
        change = reader.row("counts", "percentage_change", period="change", **place)
        require(change["estimate"] == -100 and math.isnan(change["ci_low"]))
        ratio = reader.row("counts", "rirr", period="change", **place)
        require(ratio["reason"] == "zero_count")


@form(
    r"One of the counts of the pair is 0, so it has no ratio that could be placed\.|(?P<n>\d+) of "
    r"(?P<all>\d+) pairs can't be placed, so their mean can't be either\."
)
def check_unplaced(reader: Reader, match: re.Match[str]) -> None:
    ranks = reader.rows("placebo", "placebo_p")
    ratios = reader.rows("counts", "rirr", period="change")
    zero = ratios[(ratios["site"] != "all") & (ratios["reason"] == "zero_count")]
    require(len(zero) > 0)
    if match["n"]:
        require(int(match["all"]) == len(reader.cohort.pairs))
        missing = zero.groupby("outcome").size()
        require(int(match["n"]) in set(missing))
        together = ranks[(ranks["site"] == "all") & ranks["outcome"].isin(missing.index)]
        require(bool((together["reason"] == "pair_missing").all()))


_MONTH = r"\d{4}-\d{2}"
_MONTHS = rf"{_MONTH}(?:, {_MONTH})*(?: and (?:{_MONTH}|\d+ more))? (?:is|are) "


@form(
    rf"{_ROWS}Compared on (?P<months>\d+) of (?P<planned>\d+) months on each side: (?P<gone>"
    rf"(?:{_MONTHS}missing from the data)?(?:; )?(?:{_MONTHS}set aside)?)\."
)
def check_fewer_months(reader: Reader, match: re.Match[str]) -> None:
    periods, incidents = reader.cohort.periods, reader.evaluation.incidents
    assert periods is not None
    assert incidents is not None
    shorter = reader.rows("counts", "window_months", period="change")
    shorter = shorter[shorter["estimate"] < int(match["planned"])]
    named = _find_rows(reader, match["rows"]) if match["rows"] else [
        (row["outcome"], row["site"]) for _, row in shorter.iterrows()
    ]  # fmt: skip
    months = [*periods.before.months, *periods.after.months]
    require(int(match["planned"]) == min(len(periods.before.months), len(periods.after.months)))
    for outcome, site in named:
        row = reader.row("counts", "window_months", outcome=outcome, site=site, period="change")
        confirm(match["months"], row["estimate"])
        counts = incidents.sites[incidents.sites["outcome"] == outcome]
        counts = counts[counts["site"].isin([site, reader.find_control(site)])]
        known = counts.pivot_table(index="month", columns="site", values="count").dropna().index
        for clause in match["gone"].split("; "):
            filed = clause.endswith("set aside")
            missing = [m for m in months if m not in known and (m in incidents.months) == filed]
            said = re.findall(_MONTH, clause)
            require(bool(said) and said == missing[: len(said)])
            more = re.search(r"(\d+) more", clause)
            require(len(missing) - len(said) == int(more[1] if more else 0))


@form(
    rf"{_ROWS}RIRR and WDD disagree: (?:by the ratio \(RIRR\) the site (?P<ratio>\w+) beside its "
    r"control, by the difference \(WDD\) it (?P<difference>\w+)|the interval of the (?P<yes>ratio "
    r"\(RIRR\)|difference \(WDD\)) leaves out 'no change', that of the (?:ratio \(RIRR\)|difference"
    r" \(WDD\)) does not)\."
)
def check_disagreement(reader: Reader, match: re.Match[str]) -> None:
    for outcome, site in _find_rows(reader, match["rows"]):
        place = {"outcome": outcome, "site": site, "period": "change"}
        require(reader.row("counts", "rirr_wdd_agreement", **place)["estimate"] == 0)
        ratio = reader.row("counts", "rirr", **place)
        difference = reader.row("counts", "wdd_corrected", **place)
        if match["ratio"]:
            words = {True: "rose", False: "fell"}
            require(match["ratio"] == words[ratio["estimate"] > 1])
            require(match["difference"] == words[difference["estimate"] > 0])
        else:
            sure = [
                clear_of(row.to_frame().T, none).item()
                for row, none in ((ratio, 1), (difference, 0))
            ]
            require(sure == [match["yes"].startswith("ratio"), match["yes"].startswith("diff")])


@form(
    r"p adjusted: by the method of (?:Benjamini and Hochberg over all pairs and outcomes|Holm over "
    r"the pairs of the confirmatory outcomes \((?P<titles>.+)\), by that of Benjamini and Hochberg "
    r"over the rest)\."
)
def check_adjusted(reader: Reader, match: re.Match[str]) -> None:
    declared = list(reader.cohort.confirmatory_counts)
    if match["titles"]:
        confirm_names(match["titles"], [reader.cohort.title_outcome(each) for each in declared])
    require((match["titles"] is None) == (not declared))
    rows = reader.rows("counts", "rirr", period="change")
    rows = rows[(rows["site"] != "all") & rows["p_value"].notna()]
    confirmatory = rows["outcome"].isin(declared)
    for family, adjust in ((rows[confirmatory], adjust_holm), (rows[~confirmatory], adjust_bh)):
        for printed, expected in zip(family["p_adjusted"], adjust(family["p_value"]), strict=True):
            require(abs(printed - expected) < 1e-9)


def adjust_bh(p: pd.Series) -> list[float]:
    """Adjust p values by Benjamini and Hochberg's method."""
    return list(false_discovery_control(p)) if len(p) else []


def adjust_holm(p: pd.Series) -> list[float]:
    """Adjust p values by Holm's method."""
    ordered = p.sort_values()
    steps = ordered * list(range(len(p), 0, -1))
    return list(steps.cummax().clip(upper=1).reindex(p.index))


@form(
    r"All pairs taken together|Random effects: Pairs may differ in truth: the spread between them "
    r"has a half-normal prior with scale (?P<scale>0\.5) on the log scale\.|This is a posterior, "
    r"so it has no p value\.|With so few pairs (?P<few>the width of the interval rests largely on "
    r"the prior|it is known only roughly how much they differ, so this interval may be much too "
    r"wide or too narrow)\."
)
def check_pooled(reader: Reader, match: re.Match[str]) -> None:
    led = reader.known("counts", "rirr_pooled_bayes", site="all", period="change")
    require(len(led) > 0 and bool(led["p_value"].isna().all()))
    pairs = reader.pairs("counts", "rirr", period="change").groupby("outcome").size()
    require(pairs.max() > 1 and (not match["few"] or pairs[pairs > 1].min() < 4))


@form(r"A pair with a single month on each side enters as if it were more precise than it is\.")
def check_single_pooled(reader: Reader, match: re.Match[str]) -> None:
    require(bool(_find_single(reader).any()))


_RANGE = r"(?P<site>.+?) between (?P<low>[\d,]+) and (?P<high>[\d,]+) a month"


@form(r"Monthly counts of (?P<outcome>[^:]+): (?P<parts>.+ a month)\.")
def check_months(reader: Reader, match: re.Match[str]) -> None:
    assert reader.evaluation.incidents is not None
    counts = reader.evaluation.incidents.sites
    outcome = reader.find_outcome(match["outcome"])
    for part in parse_list(match["parts"], _RANGE):
        site = reader.find_site(part["site"])
        own = counts.loc[(counts["site"] == site) & (counts["outcome"] == outcome), "count"]
        confirm(part["low"], own.min())
        confirm(part["high"], own.max())


@form(
    r"Simulated: (?P<pairs>1(?= pair,)|\d+(?= pairs,)) pairs?(?:, the site chosen (?P<chosen>as "
    r"the highest of|for the steepest rise among) (?P<pool>\d+) areas)?, (?P<months>1(?= month "
    rf")|\d+(?= months )) months? on each side, (?P<mean>\d+) incidents a month, over-dispersion "
    rf"(?P<phi>{NUMBER}), (?:no drift|a drift of (?P<drift>{NUMBER})) between the periods\."
)
def check_world(reader: Reader, match: re.Match[str]) -> None:
    drift = match["drift"] or "0"
    chosen = (
        "drawn" if not match["chosen"] else "rising" if "rise" in match["chosen"] else "highest"
    )
    world = {
        "n_pairs": int(match["pairs"]), "months": int(match["months"]), "tau": 0.0,
        "mean": float(match["mean"]), "phi": float(match["phi"]), "drift": float(drift),
        "chosen": chosen,
    }  # fmt: skip
    worlds = read_study("counts")
    for column, value in world.items():
        worlds = worlds[worlds[column] == value]
    require(not match["pool"] or bool((worlds["pool"] == int(match["pool"])).all()))
    outcome = reader.find_outcome(reader.paragraph.text.partition(". Simulated")[0])
    rows = reader.findings[
        (reader.findings["section"] == "accuracy")
        & (reader.findings["outcome"] == outcome)
        & (reader.findings["period"] == f"drift {drift}")
    ]
    pooled = rows["estimator"].str.contains("pooled")
    pairs = len(reader.pairs("counts", "rirr", outcome=outcome, period="change"))
    numbers = sorted(read_study("counts")["n_pairs"].unique(), key=lambda n: abs(n - pairs))
    rows = rows[pooled] if int(match["pairs"]) > 1 else rows[~pooled]
    require(int(match["pairs"]) in (1, numbers[0]), "another number of pairs is nearer")
    reader.read.update(rows.index)
    require(len(rows) > 0)
    for _, row in rows.iterrows():
        column = next(c for c in ("false_positive", "coverage") if row["estimator"].startswith(c))
        name = row["estimator"].removeprefix(f"{column}_")
        values = worlds.loc[worlds["estimator"] == name, column]
        require(bool((values == row["estimate"]).any()), f"{name} of another world")


@form(
    r"So the same comparison is made in places where nothing was done, and the pair is ranked among"
    r" them\.|(?P<none>The same comparison in places where nothing was done would show it, but the "
    r"files hold too few of them\.)"
)
def check_ranked(reader: Reader, match: re.Match[str]) -> None:
    require(reader.known("placebo", "placebo_p").empty == (match["none"] is not None))
    require(match["none"] is not None or has_controls(reader))


@form(
    r"Too few areas for p = \.05 to be possible: at least (?P<least>\d+) are needed\.|A pair has "
    r"(?P<areas>\d+) comparable areas; at least (?P<needed>\d+) are needed\."
)
def check_too_few(reader: Reader, match: re.Match[str]) -> None:
    needed = int(match["least"] or match["needed"])
    require(1 / (needed + 1) <= ALPHA < 1 / needed)
    areas = reader.rows("placebo", "placebo_areas")["estimate"]
    require(bool((areas < needed).any()))
    if match["areas"]:
        require(int(match["areas"]) == areas.min())


@form(
    r"(?P<areas>\d+) areas \((?P<group>\w+)\) of like size in which nothing was done, from "
    rf"1/(?P<low>{NUMBER}) to (?P<high>{NUMBER}) times as many incidents before\."
)
def check_areas(reader: Reader, match: re.Match[str]) -> None:
    require((reader.rows("placebo", "placebo_areas")["estimate"] == int(match["areas"])).any())
    require(match["group"] == reader.cohort.placebo.group_by)
    for end in ("low", "high"):
        confirm(match[end], reader.cohort.placebo.size_ratio)


@form(
    r"(?P<pair>.+), (?P<outcome>[^,]+): among comparable places where nothing was done, the middle "
    rf"95% changed by (?P<ends>{ENDS_PERCENT})(?P<other> relative to each other)?; "
    rf"rank p (?:= )?(?P<p>{P})\."
)
def check_placebo(reader: Reader, match: re.Match[str]) -> None:
    place = {
        "outcome": reader.find_outcome(match["outcome"]), "site": reader.find_pair(match["pair"]),
    }  # fmt: skip
    require(bool(reader.find_control(place["site"])) == (match["other"] is not None))
    ends = [reader.row("placebo", f"placebo_{e}", **place)["estimate"] for e in ("low", "high")]
    confirm_interval(match["ends"], *ends)
    confirm(match["p"], reader.row("placebo", "placebo_p", **place)["estimate"])


@form(
    r"(?P<outcome>[^:]+): how much comparable places changed(?P<other> relative to each other)? "
    r"where nothing was done \(grey\), the range that holds the middle 95% of them \(dotted\), and "
    r"the (?P<kind>pair|area) itself \(blue\)\."
)
def check_placebo_caption(reader: Reader, match: re.Match[str]) -> None:
    outcome = reader.find_outcome(match["outcome"])
    require(reader.paragraph.name == f"placebo-{outcome}")
    controls = has_controls(reader)
    require(controls == (match["other"] is not None) == (match["kind"] == "pair"))
    require(len(reader.pairs("placebo", "placebo_p", outcome=outcome)) > 0)
    require(find_lead(reader, outcome)["estimator"] == "rirr_placebo")
