"""What the summary says of counts, of how areas were chosen, and of reported figures."""

from __future__ import annotations

import re

import pandas as pd
from forms import ALPHA, CHANGE, COUNT, ENDS_PERCENT, NUMBER, P, fix, form
from reader import (
    Reader,
    clear_of,
    confirm,
    confirm_count,
    confirm_interval,
    confirm_names,
    fold,
    parse_list,
    require,
    write_months,
)

fix(("Where areas are chosen because their counts are high, the counts fall by themselves.",))


@form(r"The data behind this report are invented: .+\.")
def check_invented(reader: Reader, match: re.Match[str]) -> None:
    require(reader.cohort.data_status == "invented")


@form(
    r"No project ran in these areas: this is a rehearsal on real data, and an honest report should "
    r"find nothing out of the ordinary\."
)
def check_rehearsal(reader: Reader, match: re.Match[str]) -> None:
    require(reader.cohort.rehearsal and reader.cohort.data_status == "real")


@form(rf"These figures are as reported \((?P<who>.+?)\): (?P<figures>.+ {CHANGE})\.")
def check_reported(reader: Reader, match: re.Match[str]) -> None:
    figures = reader.cohort.reported_figures
    confirm_names(match["who"], sorted({figure.reported_by for figure in figures}))
    items = parse_list(match["figures"], rf"(?P<title>.+?) (?P<change>{CHANGE})")
    require(len(items) == len(figures))
    rows = reader.findings[reader.findings["section"] == "reported"]
    for item in items:
        row = rows[rows["outcome"] == item["title"]]
        reader.read.update(row.index)
        confirm(item["change"], row["estimate"].item())


@form(
    r"They came without counts, dates or a control site, so they can't be checked and no interval "
    r"can be put around them\."
)
def check_bare(reader: Reader, match: re.Match[str]) -> None:
    rows = reader.findings[reader.findings["section"] == "reported"]
    reader.read.update(rows.index)
    empty = rows[["n", "ci_low", "ci_high", "p_value"]].isna().all(axis=None)
    require(len(rows) > 0 and bool(empty) and bool((rows["comparison"] == "").all()))


@form(r"Incidents of (?P<after>.+) are compared with those of (?P<before>.+)\.")
def check_periods(reader: Reader, match: re.Match[str]) -> None:
    periods = reader.cohort.periods
    assert periods is not None
    require(match["after"] == write_months(periods.after.start, periods.after.end))
    require(match["before"] == write_months(periods.before.start, periods.before.end))


@form(r"Not all of these months could be compared: (?P<parts>.+)\.")
def check_shorter(reader: Reader, match: re.Match[str]) -> None:
    periods = reader.cohort.periods
    assert periods is not None
    planned = min(len(periods.before.months), len(periods.after.months))
    rows = reader.known("counts", "window_months", period="change")
    rows = rows[rows["estimate"] < planned]
    for part in match["parts"].split("; "):
        each = re.fullmatch(r"(.+) on (\d+) of (\d+) months on each side", part)
        assert each
        require(int(each[3]) == planned)
        alike = rows[rows["estimate"] == int(each[2])]
        titles = [
            f"{reader.cohort.title_outcome(row['outcome'])} in "
            f"{reader.cohort.title_site(row['site'])}"
            for _, row in alike.iterrows()
        ]
        require(bool(titles))
        confirm_names(each[1], titles)
        rows = rows.drop(index=alike.index)
    require(rows.empty, "not all shorter comparisons are named")


_CHANGED = (
    rf"(?P<change>{CHANGE})(?P<months> over all months)? in (?P<site>.+?)"
    rf"(?: \(its control site (?P<control>{CHANGE})(?P<theirs> over all months)?\))?"
    rf"(?=(?:, | and ){CHANGE}|$)"
)


@form(rf"(?P<outcome>[^:]+): (?P<parts>{CHANGE} (?:over all months )?in .+)\.")
def check_changes(reader: Reader, match: re.Match[str]) -> None:
    outcome = reader.outcome = reader.find_outcome(match["outcome"])
    parts = parse_list(match["parts"], _CHANGED)
    rows = reader.known("counts", "percentage_change", outcome=outcome, period="change")
    areas = {pair.intervention for pair in reader.cohort.pairs} & set(rows["site"])
    require({reader.find_site(part["site"]) for part in parts} == areas, "a pair is left out")
    for part in parts:
        check_change(reader, outcome, part["site"], part["change"], part["control"])
        key = reader.find_site(part["site"])
        for site, months in ((key, part["months"]), (reader.find_control(key), part["theirs"])):
            check_all_months(reader, outcome, key, site, said=months is not None)


def check_change(
    reader: Reader, outcome: str, title: str, own: str | None, control: str | None
) -> None:
    """Check the percentage change of an area, and that of its control site where it is given."""
    key = reader.find_site(title)
    place = {"outcome": outcome, "period": "change"}
    change = reader.row("counts", "percentage_change", site=key, **place)["estimate"]
    confirm(own, change)
    if control:
        beside = reader.find_control(key)
        confirm(
            control, reader.row("counts", "percentage_change", site=beside, **place)["estimate"]
        )


def check_all_months(reader: Reader, outcome: str, area: str, site: str, *, said: bool) -> None:
    """Check whether a site's change rests on more months than its pair compares."""
    months = reader.rows("counts", "window_months", outcome=outcome, site=area, period="change")
    change = reader.rows("counts", "percentage_change", outcome=outcome, site=site, period="change")
    fewer = [rows["flags"].str.contains("fewer_months").any() for rows in (months, change)]
    require(said == (fewer[0] and not fewer[1]), "other months than are said")


def find_lead(reader: Reader, outcome: str) -> pd.Series:
    """Find the ratio that errs least: by placebo areas, else pooled with a prior, else bare."""
    place = {"outcome": outcome, "period": "change"}
    pairs = reader.pairs("counts", "rirr", **place)
    site = "all" if len(pairs) > 1 else "".join(pairs["site"])
    placed = reader.known("placebo", "rirr_placebo", **place)
    placed = placed[placed["ci_low"].notna() & (placed["site"] == site if site else True)]
    if len(placed):
        return placed.iloc[0]
    return reader.row(
        "counts", "rirr_pooled_bayes" if site == "all" else "rirr", site=site, **place
    )


@form(
    rf"(?P<who>The areas together, set against their control sites|.+ set against its control site|"
    rf".+, which has no control site): (?P<change>{CHANGE}) \(95% interval (?P<ends>{ENDS_PERCENT})"
    rf", which (?P<sure>leaves out|takes in) no change"
    rf"(?:; rank p (?:= )?(?P<rank>{P}))?(?:; adjusted p (?:= )?(?P<adjusted>{P}))?\)\."
)
def check_headline(reader: Reader, match: re.Match[str]) -> None:
    ratio = find_lead(reader, reader.outcome)
    reader.site = ratio["site"]
    who = "The areas together, set against their control sites"
    if ratio["site"] != "all":
        pair = next(p for p in reader.cohort.pairs if p.intervention == ratio["site"])
        beside = " set against its control site" if pair.control else ", which has no control site"
        who = f"{reader.cohort.title_site(ratio['site'])}{beside}"
    require(match["who"] == who)
    low, high = (100 * (ratio[end] - 1) for end in ("ci_low", "ci_high"))
    confirm(match["change"], 100 * (ratio["estimate"] - 1))
    confirm_interval(match["ends"], low, high)
    leaves_out = low > 0 or high < 0
    require(match["sure"] == ("leaves out" if leaves_out else "takes in"))
    ends = match["ends"].split(" to ")
    require(not leaves_out or not {"0%", "0.0%"} & set(ends), "an end is written as no change")
    rank = reader.known("placebo", "placebo_p", outcome=reader.outcome, site=ratio["site"])
    require((match["rank"] is None) == rank.empty)
    if len(rank):
        confirm(match["rank"], rank["estimate"].item())
        require((match["adjusted"] is None) == rank["p_adjusted"].isna().item())
        confirm(match["adjusted"], rank["p_adjusted"].item())


_TOO_FEW = "the files hold too few comparable areas in which nothing was done"


@form(
    r"The interval (?:is (?P<placed>made from) how much places change by themselves where nothing "
    r"is done|allows for chance among incidents(?:(?P<pairs> and for pairs that differ), but|, but)"
    rf" not for drift of whole areas: {_TOO_FEW})\."
)
def check_basis(reader: Reader, match: re.Match[str]) -> None:
    estimator = find_lead(reader, reader.outcome)["estimator"]
    bare = "rirr_pooled_bayes" if match["pairs"] else "rirr"
    require(estimator == ("rirr_placebo" if match["placed"] else bare))


@form(
    r"(?P<who>They|Some) share a control site, whose own drift would move (?:all of them|those) at "
    r"once\."
)
def check_shared(reader: Reader, match: re.Match[str]) -> None:
    controls = reader.pairs("counts", "rirr", outcome=reader.outcome, period="change")["comparison"]
    require(len(set(controls)) < len(controls))
    require((match["who"] == "They") == (len(set(controls)) == 1))


@form(
    rf"The pairs differ by more than chance within them explains \(Q test p (?:= )?(?P<p>{P}), "
    rf"I² (?P<share>{CHANGE})\), so their mean may describe none of them\."
)
def check_heterogeneity(reader: Reader, match: re.Match[str]) -> None:
    place = {"outcome": reader.outcome, "site": "all", "period": "change"}
    q = reader.row("counts", "heterogeneity_q", **place)
    confirm(match["p"], q["p_value"])
    require(q["p_value"] < ALPHA)
    confirm(
        match["share"], reader.row("counts", "heterogeneity_i2", **place)["estimate"], scale=100
    )


@form(
    rf"Pair by pair, (?P<passing>{COUNT}) of (?P<ratios>\d+) comparisons of an area with its "
    r"control site pass the usual test \(p < \.05\)\."
)
def check_passing(reader: Reader, match: re.Match[str]) -> None:
    rows = reader.rows("counts", "rirr", period="change")
    tests = rows.loc[(rows["site"] != "all") & rows["p_value"].notna(), "p_value"]
    require(int(match["ratios"]) == len(tests))
    confirm_count(match["passing"], int((tests < ALPHA).sum()))


@form(
    rf"Set among comparable places where nothing was done, (?P<unusual>{COUNT}) of (?P<ranks>\d+) "
    rf"lie in the outermost 5% \(smallest rank p (?:= )?(?P<smallest>{P})"
    rf"(?:, adjusted (?P<adjusted>{P}))?\); chance alone would put about "
    rf"(?P<expected>{NUMBER}) there\."
)
def check_ranks(reader: Reader, match: re.Match[str]) -> None:
    rows = reader.pairs("placebo", "placebo_p")
    confirm_count(match["unusual"], int((rows["estimate"] < ALPHA).sum()))
    require(int(match["ranks"]) == len(rows))
    confirm(match["smallest"], rows["estimate"].min())
    confirm(match["adjusted"], rows["p_adjusted"].min())
    confirm(match["expected"], ALPHA * len(rows))


@form(r"cohort\.yml does not say why these areas were chosen\.")
def check_unsaid(reader: Reader, match: re.Match[str]) -> None:
    require(reader.cohort.chosen_because is None and reader.cohort.assignment == "chosen")


@form(r"The areas were not chosen by their counts, so nothing follows from the choice\.")
def check_drawn(reader: Reader, match: re.Match[str]) -> None:
    because = reader.cohort.chosen_because
    require(because.reason == "drawn" if because else reader.cohort.assignment != "chosen")


@form(r"The areas volunteered: what follows from that can't be worked out\.")
def check_volunteered(reader: Reader, match: re.Match[str]) -> None:
    because = reader.cohort.chosen_because
    require(because is not None and because.reason == "volunteered")


@form(
    r"(?:(?P<outcome>[^:]+): )?(?P<site>.+?) had (?:the (?P<order>second |third )?"
    r"(?P<what>highest count|steepest rise)(?: of (?P<chosen_by>.+?))?|place (?P<place>\d+)) "
    r"of (?P<areas>[\d,]+) areas in (?P<months>.+?)(?:, the (?P<also>.+?) being place 1)?\."
)
def check_place(reader: Reader, match: re.Match[str]) -> None:
    reader.outcome = reader.find_outcome(match["outcome"]) if match["outcome"] else reader.outcome
    reader.site = reader.find_site(match["site"])
    because, cohort = reader.cohort.chosen_because, reader.cohort
    by_count = because is not None and because.reason in ("highest", "rising")
    row = reader.row(
        "choice", "observed_rank_chosen" if by_count else "observed_rank_before",
        outcome=reader.outcome, site=reader.site,
    )  # fmt: skip
    place = {None: 1, "second ": 2, "third ": 3}[match["order"]]
    confirm(match["place"] or str(place), row["estimate"])
    confirm(match["areas"], row["n"])
    assert cohort.periods is not None
    on = (cohort.chosen_on if by_count else None) or cohort.periods.before
    require(match["months"] == write_months(on.start, on.end))
    what = "steepest rise" if because and because.reason == "rising" else "highest count"
    if by_count and because and because.outcome:
        what += f" of {fold(cohort.title_outcome(because.outcome))}"
    said = match["also"] or " of ".join(filter(None, (match["what"], match["chosen_by"])))
    require(fold(said) == what, f"{said} is not {what}")


def _confirm_move(said: str, percent: float, words: tuple[str, str, str]) -> None:
    """Check "fall by 9%" and the like, in the words for a fall, a rise and neither."""
    sign = 0 if abs(percent) < 0.5 else -1 if percent < 0 else 1
    expected = {-1: words[0], 1: words[1], 0: words[2]}[sign]
    require(said.startswith(expected), f"{said} is not {percent}")
    if sign:
        confirm(said.rsplit(" ", 1)[-1], abs(percent))


@form(
    r"(?:(?P<outcome>[^:]+): )?How (?P<site>.+) would have changed by the choice alone is not "
    r"known\."
)
def check_unknown_choice(reader: Reader, match: re.Match[str]) -> None:
    reader.outcome = reader.find_outcome(match["outcome"]) if match["outcome"] else reader.outcome
    reader.site = reader.find_site(match["site"])
    place = {"outcome": reader.outcome, "site": reader.site}
    require(reader.known("choice", "expected_change_by_choice", **place).empty)


@form(
    r"The choice rests on (?P<first>\d{4}-\d{2}) to (?P<last>\d{4}-\d{2}); the files hold "
    r"(?P<held>\d{4}-\d{2} to \d{4}-\d{2})\."
)
def check_choice_months(reader: Reader, match: re.Match[str]) -> None:
    cohort, incidents = reader.cohort, reader.evaluation.incidents
    assert incidents is not None
    assert cohort.periods is not None
    on = cohort.chosen_on or cohort.periods.before
    assert cohort.chosen_because is not None
    year = int(on.start[:4]) - (cohort.chosen_because.reason == "rising")
    require(match["first"] == f"{year}{on.start[4:]}")
    require(match["last"] == on.end)
    require(match["held"] == f"{incidents.months[0]} to {incidents.months[-1]}")


@form(
    r"Beside (?P<beside>such a control|the other areas), counts in areas (?P<like>chosen like that|"
    rf"in such a place) (?P<expected>(?:fall|rise) by about {CHANGE}|do not change) by themselves"
    rf"(?:; (?P<own>beside its own, )?those in (?P<site>.+?) (?P<did>(?:fell|rose) by {CHANGE}|did "
    rf"not change))?(?: \(p (?:= )?(?P<p>{P}) among areas (?:chosen like that|in such a place)\))?"
    r"\."
)
def check_expected(reader: Reader, match: re.Match[str]) -> None:
    place = {"outcome": reader.outcome, "site": reader.site}
    expected = reader.row("choice", "expected_change_by_choice", **place)["estimate"]
    _confirm_move(match["expected"], expected, ("fall", "rise", "do not change"))
    rank = reader.row("choice", "observed_rank_chosen", **place)["estimate"]
    require((match["like"] == "in such a place") == (rank > 3))
    control = bool(reader.find_control(reader.site))
    require((match["beside"] == "such a control") == control)
    ratio = reader.known("counts", "rirr", period="change", **place)
    require((match["site"] is None) == ratio.empty)
    if len(ratio):
        require(reader.find_site(match["site"]) == reader.site)
        moved = 100 * (ratio["estimate"].item() - 1)
        _confirm_move(match["did"], moved, ("fell", "rose", "did not change"))
    p = reader.known("choice", "placebo_p_chosen", **place)
    require((match["p"] is None) == p.empty)
    if len(p):
        confirm(match["p"], p["estimate"].item())


@form(
    r"This is evidence of level (?P<level>\d) on a scale from 1 \(weakest\) to 5(?P<end>: these "
    r"things changed alongside the work, and this design can't say that the work was the reason| by"
    r" its design, and there is no work here to credit|)\."
)
def check_level(reader: Reader, match: re.Match[str]) -> None:
    level = find_level(reader)
    require(int(match["level"]) == level, f"level {level}")
    require(("no work" in match["end"]) == reader.cohort.rehearsal)
    if not reader.cohort.rehearsal:
        require(("alongside" in match["end"]) == (level < 3))
        require(has_change(reader), "no change was measured")


def has_change(reader: Reader) -> bool:
    """Say whether any number tells a change of an area."""
    known = reader.findings[reader.findings["estimate"].notna()]
    known = known[~known["site"].isin({"control", *(p.control for p in reader.cohort.pairs)})]
    names = ["percentage_change", "mean_difference", "rirr", "difference_in_differences"]
    return bool((known["estimator"].isin(names) | (known["section"] == "reported")).any())


def find_level(reader: Reader) -> int:
    """Find the level of the weakest kind of comparison; of reported figures if there is no other.

    The best row of a section bears its level: single sites bear less.
    """
    rows = reader.findings.dropna(subset=["evidence_level", "estimate"])
    rows = rows[rows["section"].isin(["counts", "scales", "reported"])]
    levels = rows.groupby("section")["evidence_level"].max()
    if levels.empty:
        return int(reader.findings["estimate"].notna().any())
    own = levels.drop("reported", errors="ignore")
    return int((own if len(own) else levels).min())


@form(r"There is no change to grade yet: what is still missing is listed below\.")
def check_nothing_to_grade(reader: Reader, match: re.Match[str]) -> None:
    require(not has_change(reader))


@form(
    r"The incidents were counted, but (?:no change is known|cohort\.yml does not say (?P<pairs>"
    r"which sites are compared \('pairs'\))?(?: nor )?(?P<periods>which months are before and "
    r"after \('periods'\))?)\."
)
def check_uncompared_counts(reader: Reader, match: re.Match[str]) -> None:
    require((match["pairs"] is None) == bool(reader.cohort.pairs))
    require((match["periods"] is None) == (reader.cohort.periods is not None))
    if not match["pairs"] and not match["periods"]:
        require(reader.known("counts", "percentage_change").empty)


@form(r"The files hold (?P<held>\S+ to \S+), and no month of the period after \((?P<after>.+)\)\.")
def check_no_months_after(reader: Reader, match: re.Match[str]) -> None:
    incidents, periods = reader.evaluation.incidents, reader.cohort.periods
    assert incidents is not None
    assert periods is not None
    require(match["held"] == f"{incidents.months[0]} to {incidents.months[-1]}")
    require(match["after"] == f"{periods.after.start} to {periods.after.end}")
    require(not set(incidents.months) & set(periods.after.months))


@form(
    r"No incident file, survey or reported figure was given(?:; there is (?:(?P<stories>\d+) "
    r"stor(?:y|ies))?(?: and )?(?:an engagement log of (?P<events>\d+) events?)?)?\."
)
def check_rest(reader: Reader, match: re.Match[str]) -> None:
    cohort = reader.cohort
    require(not cohort.incidents and not cohort.surveys and not cohort.reported_figures)
    require(int(match["stories"] or 0) == len(cohort.stories))
    require(int(match["events"] or 0) == len(cohort.engagement))


@form(r"Whether anything changed: no change of an area is known\.")
def check_unknown_change(reader: Reader, match: re.Match[str]) -> None:
    require(not has_change(reader))


def count_clear(rows: pd.DataFrame, value: float = 1.0) -> int:
    """Count the intervals that leave a value out."""
    return int(clear_of(rows, value).sum())
