"""What the report says of its design: the level, what is missing, the limits, the methods."""

from __future__ import annotations

import math
import re

import pandas as pd
from forms import CHANGE, NUMBER, fix, form
from forms_summary import find_level
from reader import Reader, confirm, confirm_names, require, write_months

from sbwork.grade.comparability import LARGEST_DRIFT
from sbwork.grade.evidence import FEWEST_PAIRS
from sbwork.stats.history import POWER

fix(
    (
        "Three kinds of evidence",
        "The three kinds follow Waters (1996) and Fisher and Ritchie (2015).",
        "Every other comparison is exploratory.",
        "Under the five EMMIE headings",
        "No EMMIE score is awarded: that takes a review of many studies.",
        "Percentage change: 100 (after / before − 1).",
        "Relative incidence rate ratio: the area's after/before ratio divided by its control "
        "site's (Wilson 2022), with a variance corrected for over-dispersion and a t reference.",
        "Weighted displacement difference: Wheeler and Ratcliffe (2018).",
        "Placebo distribution: the same comparison for comparable areas in which nothing was done; "
        "the p value is the pair's rank among them, and their spread gives an interval (Conley and "
        "Taber 2011), made wider for few areas and for fewer incidents (Ferman and Pinto 2019).",
        "Does it hold up: drift before the start is the slope of log(area / control); the panel "
        "model is quasi-Poisson or negative binomial, with site and month effects (Cameron and "
        "Trivedi 2013); the controlled interrupted time series follows Lopez Bernal, Cummins and "
        "Gasparrini (2018), drift to undo a result Rambachan and Roth (2023: relative magnitudes "
        "by quarter, conditional least-favourable hybrid), the specification curve Simonsohn, "
        "Simmons and Nelson (2020).",
        "Welch's t and Hedges' g with its noncentral-t interval describe each site; sites together "
        "are the mean of their own figures, each pair with the same say.",
        "The difference in differences is estimated by weighted least squares with HC2 standard "
        "errors, of change scores where the same people answered both waves, clustered by person "
        "where some did (Bell and McCaffrey 2002).",
        "Equivalence is tested by two one-sided tests.",
        "p is adjusted by Holm's method over the scales declared confirmatory, by Benjamini and "
        "Hochberg's over the rest, for all pairs together and for single pairs apart.",
        "Reliability: Cronbach's alpha with Feldt's interval; omega total from a one-factor "
        "maximum-likelihood model with a bootstrap interval.",
        "Weights: means and shares are weighted, and so is the spread within groups; standard "
        "errors are linearised, as for people drawn with replacement (Lumley 2010), which without "
        "weights is the same as HC2.",
        "The answers of each site and wave are raked to the population's shares by iterative "
        "proportional fitting (Deming and Stephan 1940); standard errors take out what those "
        "shares explain (Deville, Särndal and Sautory 1993).",
        "Below level 3 the report says that things changed alongside the work, and no more.",
        "Every estimate, interval and p value of a site, a pair or a scale stands unrounded in "
        "results.csv and results.json beside this page.",
        "What was merely read or counted (files, rows, questionnaires, single months, single "
        "answers, questions left blank, options ticked, the engagement log, distances on the map), "
        "and the medians that show how scores spread, stand only on this page.",
    )
)


@form(r"Level (?P<level>\d) of 5 on the Maryland Scientific Methods Scale\.")
def check_level(reader: Reader, match: re.Match[str]) -> None:
    require(int(match["level"]) == find_level(reader))


def _find_checks(reader: Reader) -> pd.DataFrame:
    """Find what bears on whether sites and controls were alike, and whether each check passes."""
    trend, level = math.log1p(LARGEST_DRIFT / 100), math.log(reader.cohort.placebo.size_ratio)
    compared = reader.pairs("counts", "rirr", period="change")
    found = []
    for _, pair in compared.iterrows():
        for name, low, high in (
            ("level", -level, level),
            ("trend", math.log1p(-LARGEST_DRIFT / 100), trend),
        ):
            estimator = "pre_level_ratio" if name == "level" else "pre_trend"
            rows = reader.rows("panel", estimator, outcome=pair["outcome"], site=pair["site"])
            ends = [rows[end].iloc[0] if len(rows) else math.nan for end in ("ci_low", "ci_high")]
            if name == "trend":
                ends = [12 * math.log1p(end / 100) for end in ends]
            else:
                ends = [math.log(end) if end > 0 else math.nan for end in ends]
            passes = bool(ends[0] >= low and ends[1] <= high)
            found.append((pair["outcome"], pair["site"], name, passes))
    return pd.DataFrame(found, columns=["outcome", "site", "check", "passes"])


@form(r"Sites and controls are not shown to be comparable: level (?P<level>2)\.")
def check_not_comparable(reader: Reader, match: re.Match[str]) -> None:
    reasons = [pair.control_reason.strip() for pair in reader.cohort.pairs if pair.control]
    failed = _find_checks(reader)
    failed = failed[~failed["passes"]]
    require(not all(reasons) or len(failed) > 0)
    listed = [text for text in reader.report if "shown to be alike in" in text]
    require(len(listed) == len(failed), "a check that fails is not listed")
    for _, row in failed.iterrows():
        needed = (
            f"{reader.cohort.title_site(row['site'])} and its control site shown to be alike in "
        )
        needed += f"{row['check']} beforehand ({reader.cohort.title_outcome(row['outcome'])})"
        require(any(text.startswith(needed) for text in listed), needed)


@form(r"The survey has two waves, so it cannot show a trend beforehand: level (?P<level>2)\.")
def check_two_waves(reader: Reader, match: re.Match[str]) -> None:
    require(set(reader.known("scales", "mean")["period"]) == {"before", "after"})


@form(r"There are figures, but no control site to set them beside: level (?P<level>1)\.")
def check_no_controls(reader: Reader, match: re.Match[str]) -> None:
    require(not any(pair.control for pair in reader.cohort.pairs))
    require(len(reader.known("counts", "percentage_change")) > 0)


@form(
    r"Control sites are named, but no comparison could be made \((?P<section>counts|scales)\): "
    r"level (?P<level>1)\."
)
def check_nothing_compared(reader: Reader, match: re.Match[str]) -> None:
    names = {"counts": "rirr", "scales": "difference_in_differences"}
    require(any(pair.control for pair in reader.cohort.pairs))
    require(reader.known(match["section"], names[match["section"]]).empty)


@form(r"There is no figure to grade\.|Figures from before and after in both sites of a pair\.")
def check_nothing_known(reader: Reader, match: re.Match[str]) -> None:
    require(find_level(reader) < 2)
    require(("grade" in match[0]) == (find_level(reader) == 0))


@form(
    r"No change of an area is known: the figures describe one side of the start, or control sites "
    r"alone\."
)
def check_one_side(reader: Reader, match: re.Match[str]) -> None:
    areas = {pair.intervention for pair in reader.cohort.pairs}
    for section, estimator in (("counts", "percentage_change"), ("scales", "mean_difference")):
        require(not areas & set(reader.known(section, estimator)["site"]))


@form(r"Figures reported by others rest on no counts that can be checked: level (?P<level>1)\.")
def check_reported_level(reader: Reader, match: re.Match[str]) -> None:
    rows = reader.findings[reader.findings["section"] == "reported"]
    reader.read.update(rows.index)
    require(len(rows) > 0 and bool((rows["evidence_level"] == int(match["level"])).all()))


@form(
    r"This is a rehearsal: nothing was done in any site\.|The design is graded, but there is no "
    r"intervention for it to speak of\.|Nothing was done in any site: this is a rehearsal\.|"
    r"Anything about a project: none ran here\.|Rehearsal: nothing was done in these areas\."
)
def check_rehearsal(reader: Reader, match: re.Match[str]) -> None:
    require(reader.cohort.rehearsal)


@form(r"(?P<how>Sites were chosen, not assigned by chance|Areas were drawn, but their control sites were chosen)\.")  # fmt: skip  # noqa: E501
def check_assignment(reader: Reader, match: re.Match[str]) -> None:
    because = reader.cohort.chosen_because
    drawn = because is not None and because.reason == "drawn"
    require(reader.cohort.assignment == "chosen" and drawn == match["how"].startswith("Areas"))


@form(r"A written reason why (?P<site>.+) was chosen as control\.")
def check_no_reason(reader: Reader, match: re.Match[str]) -> None:
    control = reader.find_site(match["site"])
    require(any(p.control == control and not p.control_reason for p in reader.cohort.pairs))


_NOW = (
    rf"with (?P<rate>{NUMBER}) (?P<what>incidents|points of harm) a month in both sites together, "
    r"as now, (?:(?P<never>no realistic number of months would be enough)|it takes (?P<about>at "
    r"least|about) (?P<needed>[\d,]+) months? (?P<where>of counts before the start|in the period "
    r"before) \((?:there are (?P<known>[\d,]+)|there is (?P<one>1))\))(?:; with (?P<as_now>[\d,]+) "
    rf"months?, (?:at least|about) (?P<more>{NUMBER}) a month)?"
)
_NEED = re.compile(
    r"the two already (?P<apart>moved differently), so that takes another control site, not more "
    rf"months|at a ratio of (?P<ratio>{NUMBER}) that takes another control site, not more months|"
    r"the (?P<enough>[\d,]+) months? there are would be enough for two sites that move alike, so "
    rf"that takes a control site that moves more alike|{_NOW}"
)


@form(
    r"(?P<site>.+) and its control site shown to be alike in (?P<check>level|trend) beforehand "
    r"\((?P<outcome>.+?)\)(?:: (?P<need>.+))?\."
)
def check_requirement(reader: Reader, match: re.Match[str]) -> None:
    site, outcome = reader.find_site(match["site"]), reader.find_outcome(match["outcome"])
    checks = _find_checks(reader)
    own = (checks["site"] == site) & (checks["outcome"] == outcome)
    require(not checks.loc[own & (checks["check"] == match["check"]), "passes"].item())
    if not match["need"]:
        return
    need = _NEED.fullmatch(match["need"])
    assert need, match["need"]
    estimator = "pre_trend" if match["check"] == "trend" else "pre_level_ratio"
    place = {"outcome": outcome, "site": site}
    numbers = {
        name: reader.row("evidence", name, period=estimator, **place)
        for name in ("months_known", "incidents_known", "months_needed", "incidents_needed")
    }
    if need["apart"] or need["ratio"]:
        row = reader.row("panel", estimator, **place)
        require(numbers["months_needed"]["reason"] == "not_alike")
        require(not need["apart"] or row["ci_low"] > 0 or row["ci_high"] < 0)
        confirm(need["ratio"], row["estimate"])
        return
    months = numbers["months_known"]["estimate"]
    confirm(need["known"] or need["one"] or need["enough"] or need["as_now"], months)
    if need["enough"]:
        require(numbers["months_needed"]["estimate"] <= months)
        return
    require((need["what"] == "points of harm") == (outcome == "harm"))
    confirm(need["rate"], numbers["incidents_known"]["estimate"])
    require((need["never"] is not None) == math.isnan(numbers["months_needed"]["estimate"]))
    confirm(need["needed"], numbers["months_needed"]["estimate"])
    confirm(need["as_now"], months)
    confirm(need["more"], numbers["incidents_needed"]["estimate"])
    if need["about"]:
        single = "single_month" in numbers["months_needed"]["flags"].split()
        require((need["about"] == "at least") == single)
        require(need["where"].startswith("of counts") == (match["check"] == "trend"))


@form(
    r"At least (?P<least>\d+) pairs that can be compared in every outcome, each with a control "
    r"site of its own; there (?:is|are) (?P<there>none|\d+)\."
)
def check_fewest_pairs(reader: Reader, match: re.Match[str]) -> None:
    require(int(match["least"]) == FEWEST_PAIRS)
    rows = reader.rows("evidence", "pairs_with_own_control")
    instrument = reader.evaluation.instrument
    scales = instrument.scales if instrument else {}
    there = 0 if match["there"] == "none" else int(match["there"])
    least = rows.groupby(rows["outcome"].isin(list(scales)))["estimate"].min()
    require(there in set(least) and there < FEWEST_PAIRS)


@form(
    r"Months and rates are those with which the 95% interval of the level or the trend would lie "
    r"within its limits in (?P<cases>four) cases of (?P<all>five), if the two sites differ as they "
    r"did but do not drift apart, and counts go on varying as they do\."
)
def check_power(reader: Reader, match: re.Match[str]) -> None:
    require(POWER == 4 / 5)


@form(
    rf"The limits are a ratio of (?P<ratio>{NUMBER}) either way, and a drift of (?P<drift>{CHANGE})"
    r" a year; an interval that is merely wide enough to hold no difference does not pass\."
)
def check_limits(reader: Reader, match: re.Match[str]) -> None:
    confirm(match["ratio"], reader.cohort.placebo.size_ratio)
    confirm(match["drift"], LARGEST_DRIFT)


@form(r"What was done, in the words of cohort\.yml: (?P<words>.+)")
def check_words(reader: Reader, match: re.Match[str]) -> None:
    require(match["words"] in reader.quoted)


@form(r"The periods: before is (?P<before>.+), after is (?P<after>.+)\.")
def check_periods(reader: Reader, match: re.Match[str]) -> None:
    periods = reader.cohort.periods
    assert periods is not None
    require(match["before"] == write_months(periods.before.start, periods.before.end))
    require(match["after"] == write_months(periods.after.start, periods.after.end))


@form(r"Declared confirmatory in cohort\.yml: (?P<names>.+)\.")
def check_confirmatory(reader: Reader, match: re.Match[str]) -> None:
    cohort = reader.cohort
    names = [cohort.title_outcome(outcome) for outcome in cohort.confirmatory_counts]
    if cohort.confirmatory:
        names += [reader.instrument.title_scale(scale) for scale in cohort.confirmatory_scales]
    confirm_names(match["names"], names)


@form(
    r"(?P<parts>(?:Incident counts|Residents' scales|Figures as reported|The same comparison)[^;]*"
    r"(?:; [^;]+)*)\.",
    name="headings",
)
def check_effect(reader: Reader, match: re.Match[str]) -> None:
    compared = {
        "incident counts beside control sites": len(reader.pairs("counts", "rirr")) > 0,
        "incident counts before and after, without a control site": (
            len(reader.known("counts", "percentage_change")) > 0
            and reader.known("counts", "rirr").empty
        ),
        "residents' scales beside control sites": (
            len(reader.pairs("scales", "difference_in_differences")) > 0
        ),
        "residents' scales by wave and site": len(reader.known("scales", "mean")) > 0,
        "the same comparison where nothing was done": len(reader.known("placebo", "placebo_p")) > 0,
        "figures as reported by others, which cannot be checked": bool(
            reader.cohort.reported_figures
        ),
        "residents' scales bear on it": len(reader.known("scales", "mean")) > 0,
        "its steps were not tested": reader.cohort.mechanism is None,
        "a path through them was followed": reader.cohort.mechanism is not None,
    }
    for part in match["parts"].split("; "):
        require(compared[part[:1].lower() + part[1:]], part)


@form(r"Each pair of sites is shown by itself; what made them differ was not tested\.")
def check_moderators(reader: Reader, match: re.Match[str]) -> None:
    pairs = pd.concat(
        [
            reader.pairs("counts", "rirr", period="change"),
            reader.pairs("scales", "difference_in_differences"),
        ]
    )
    require(pairs.groupby("outcome")["site"].nunique().max() > 1)


@form(r"The engagement log lists (?P<n>\d+) events?\.")
def check_engagement(reader: Reader, match: re.Match[str]) -> None:
    require(int(match["n"]) == len(reader.cohort.engagement))


@form(
    r"(?P<parts>.*(?:\(counted from incident rows\)|% \(|Residents' scales: |Story: |Engagement "
    r"log: ).*)",
    name="kinds",
)
def check_kinds(reader: Reader, match: re.Match[str]) -> None:
    cohort = reader.cohort
    held = [
        f"{outcome.title} (counted from incident rows)"
        for key, outcome in cohort.outcomes.items()
        if (reader.findings["outcome"] == key).any()
    ]
    held += [f"Story: {story.theme}" for story in cohort.stories]
    held += [f"Engagement log: {len(cohort.engagement)} events"]
    if reader.evaluation.instrument is not None:
        titles = [reader.instrument.title_scale(scale) for scale in reader.instrument.scales]
        held += [f"Residents' scales: {', '.join(titles)}"]
    changes = {figure.title: figure for figure in cohort.reported_figures}
    for part in match["parts"].split("; "):
        figure = re.fullmatch(rf"(.+) ({CHANGE}) \((.+)\)", part)
        if figure:
            row = reader.rows("reported", "reported_change_percent", outcome=figure[1])
            confirm(figure[2], row["estimate"].item())
            require(figure[3] == changes[figure[1]].reported_by)
        else:
            require(part in held, part)


@form(r"Nothing was given\.", name="kinds")
def check_no_kind(reader: Reader, match: re.Match[str]) -> None:
    cohort = reader.cohort
    things = (*cohort.outcomes.values(), *cohort.reported_figures, *cohort.stories)
    kinds = {thing.kind for thing in things}
    kinds |= {"interactional"} if cohort.surveys or cohort.engagement else set()
    require(len(kinds) < 3 or not cohort.incidents)


@form(r"No reason is given in cohort\.yml\.", name="pairs")
def check_no_control_reason(reader: Reader, match: re.Match[str]) -> None:
    require(any(pair.control and not pair.control_reason for pair in reader.cohort.pairs))


# ---- the limits


@form(
    r"Anything about a real place: the rows behind this report are invented, and so are the sample "
    r"sizes, the months and every interval\."
)
def check_no_place(reader: Reader, match: re.Match[str]) -> None:
    require(bool((reader.findings["data_status"] == "invented").all()))


@form(
    r"That the work was the reason: the areas were (?P<how>chosen, not drawn by lot|drawn, but "
    r"their control sites were chosen|drawn by lot, but they are few), and something else may have "
    r"differed between an area and its control site\."
)
def check_reason(reader: Reader, match: re.Match[str]) -> None:
    because = reader.cohort.chosen_because
    drawn = because is not None and because.reason == "drawn"
    lot = reader.cohort.assignment == "randomised"
    require(lot == match["how"].startswith("drawn by lot"))
    require(not reader.cohort.rehearsal)
    require(lot or drawn == match["how"].startswith("drawn, but"))
    require(not lot or find_level(reader) < 5)


@form(
    r"Whether the change would have come anyway: (?:there is no control site to set it beside|"
    r"(?P<uncompared>no change of a control site can be set beside it))\."
)
def check_no_control(reader: Reader, match: re.Match[str]) -> None:
    require(any(pair.control for pair in reader.cohort.pairs) == bool(match["uncompared"]))
    require(not match["uncompared"] or find_level(reader) < 2)


@form(
    r"How large the change was: the figures came without counts, dates or a source that can be "
    r"checked, so no interval can be given\."
)
def check_no_size(reader: Reader, match: re.Match[str]) -> None:
    require(bool(reader.cohort.reported_figures) and not reader.cohort.incidents)


@form(r"What residents think: no survey was given\.")
def check_no_survey(reader: Reader, match: re.Match[str]) -> None:
    require(not reader.cohort.surveys)


@form(
    r"How often places where nothing happened change as much: the files hold too few comparable "
    r"areas to tell\."
)
def check_no_ranks(reader: Reader, match: re.Match[str]) -> None:
    require(bool(reader.cohort.incidents) and reader.known("placebo", "placebo_p").empty)


# ---- data quality and methods


@form(r"Months that no file covers \(missing, not zero\): (?P<months>.+)\.")
def check_missing_months(reader: Reader, match: re.Match[str]) -> None:
    incidents = reader.evaluation.incidents
    assert incidents is not None
    held = pd.PeriodIndex(incidents.months, freq="M")
    periods = reader.cohort.periods
    ends = [] if periods is None else [periods.before.start, periods.after.end]
    ends = held.append(pd.PeriodIndex(ends, freq="M"))
    gaps = pd.period_range(ends.min(), ends.max(), freq="M").difference(held)
    require(match["months"].split(", ") == [str(month) for month in gaps])


@form(
    r"No boundaries of the sites are given, so it can't be said whether a control site touches the "
    r"area it is compared with\."
)
def check_no_boundaries(reader: Reader, match: re.Match[str]) -> None:
    outlines = reader.evaluation.publishable.outlines
    require(outlines is None or not set(outlines.sites) & set(reader.cohort.sites))


@form(r"No file was read\.")
def check_no_file(reader: Reader, match: re.Match[str]) -> None:
    require(not reader.cohort.incidents and not reader.cohort.surveys)


@form(r"Every figure in this report is one that people reported\.")
def check_all_reported(reader: Reader, match: re.Match[str]) -> None:
    require(set(reader.findings["section"]) == {"reported"})


@form(
    r"Scale scores: the mean of the answered items, reversed where the key says so, when at least "
    r"half are answered(?: \((?P<own>.+)\))?; 'don't know' counts as no answer\."
)
def check_scores(reader: Reader, match: re.Match[str]) -> None:
    scales = reader.instrument.scales
    own = {k: s.minimum_answered for k, s in scales.items() if s.minimum_answered is not None}
    names = [f"{n} for {reader.instrument.title_scale(scale)}" for scale, n in own.items()]
    require((match["own"] is None) == (not names))
    confirm_names(match["own"] or "", names)
    halves = [(len(s.items or s.scales) + 1) // 2 == s.required for k, s in scales.items()
              if k not in own]  # fmt: skip
    require(all(halves))


@form(
    r"manifest\.json holds the fingerprints of the files that were read, the versions of the "
    r"software and the seed \((?P<seed>\d+)\)\."
)
def check_seed(reader: Reader, match: re.Match[str]) -> None:
    require(int(match["seed"]) == reader.cohort.seed)
