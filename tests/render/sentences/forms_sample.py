"""What the section on who answered says of the flow of people, of balance and of bounds."""

from __future__ import annotations

import math
import re

import pandas as pd
from forms import NUMBER, fix, form
from reader import Reader, clear_of, confirm, confirm_names, parse_list, require

fix(
    (
        "Does it hold if only the order of answers counts?",
        "Difference in differences as an odds ratio of a higher score; 1 means none",
        "Points of the scale, by how blanks are treated (STROBE item 12c)",
        "Mean or share, with n (STROBE item 14, TREND items 14 and 15)",
        "People by site and wave (STROBE items 13 and 14, TREND items 12 and 16)",
        "Agrees: the same direction, and both intervals either take in or leave out no difference.",
        "Only people who answered every question of the scale.",
        "With a score: on one scale or more.",
        "Lee's bounds (Lee 2009) compare those who would answer either way; worst case (Manski "
        "1990) puts the missing scores at the ends of the scale.",
        "Intervals are Imbens and Manski's (2004).",
        "Standardised difference: the gap in standard deviations (Austin 2009), for columns of "
        "categories the Mahalanobis distance of their shares (Yang and Dalton 2012), which has no "
        "sign.",
        "Marked *: more than 0.1; **: more than 0.25.",
        "How often a score after is above one before, ties counted half: 50% is none",
        "Each site by ranks",
        "Odds ratio of a higher score, by the cumulative logit model over all distinct scores: "
        "only their order counts.",
        "From every answer at hand, by full-information maximum likelihood on the questions of the "
        "scale, for each site and wave.",
        "For people who would answer the second wave whether their area got the work or not; "
        "assumes that the work made nobody less, or nobody more, ready to answer.",
        "Everybody of the first wave, with the lost at the worst or best answers that the scale "
        "has.",
        "Everybody invited, with those who gave no score at the worst or best answers of the "
        "scale.",
        "People of one cluster count together: CR2 errors, Satterthwaite's degrees of freedom.",
        "What people of one street, interviewer or household share",
        "Who answered: standardised differences as in Austin (2009), of categories as in Yang and "
        "Dalton (2012); bounds of Lee (2009) and Manski (1990), with the interval of Imbens and "
        "Manski (2004); blanks by full-information maximum likelihood with Huber and White's "
        "errors; order alone by the cumulative logit model (McCullagh 1980) and Mann and "
        "Whitney's test.",
        "People come in clusters, so differences in differences have CR2 errors by cluster and "
        "Satterthwaite's degrees of freedom (Pustejovsky and Tipton 2018).",
        "df: Satterthwaite's degrees of freedom; below 4 the interval is rough.",
    )
)

_ANSWERED = (
    r"(?P<n>[\d,]+)(?: of the (?P<asked>[\d,]+))? people(?: invited)? (?P<wave>before|after)"
    r"(?: \((?P<rate>\d+)%\))?"
)


@form(r"The questionnaire was answered by (?P<parts>.+)\.")
def check_flow(reader: Reader, match: re.Match[str]) -> None:
    parts = parse_list(match["parts"], _ANSWERED)
    waves = reader.known("sample", "n_answered", site="all")
    require(len(parts) == int((waves["estimate"] > 0).sum()))
    for part in parts:
        place = {"site": "all", "period": part["wave"]}
        confirm(part["n"], reader.row("sample", "n_answered", **place)["estimate"])
        rate = reader.row("sample", "response_rate", **place)
        require(math.isnan(rate["estimate"]) == (part["asked"] is None))
        if part["asked"]:
            confirm(part["asked"], reader.row("sample", "n_invited", **place)["estimate"])
            confirm(part["rate"], rate["estimate"], scale=100)


@form(r"How many did not answer is not known: cohort\.yml does not say who was invited\.")
def check_unknown(reader: Reader, match: re.Match[str]) -> None:
    rows = reader.rows("sample", "response_rate", site="all")
    require(bool((rows["reason"] == "not_stated").any()))


@form(r"cohort\.yml does not say how many people were invited \('invited'\)\.")
def check_unstated(reader: Reader, match: re.Match[str]) -> None:
    rows = reader.rows("sample", "response_rate")
    require(bool((rows["reason"] == "not_stated").any()))


@form(
    r"How far those who did not answer could move the result can't be said: that takes the numbers "
    r"invited, or ids by which the same people are known in both waves\."
)
def check_no_bounds(reader: Reader, match: re.Match[str]) -> None:
    require(reader.known("sample", "manski_invited_lower").empty)
    require(reader.known("sample", "manski_lower").empty)


@form(r"No survey was given, so there is nobody to count\.")
def check_no_survey(reader: Reader, match: re.Match[str]) -> None:
    require(not reader.cohort.surveys)


@form(r"(?P<few>Fewer than two people have a score|Nobody in one of the groups is known).*\.")
def check_nobody(reader: Reader, match: re.Match[str]) -> None:
    few = match["few"].startswith("Fewer")
    rows = reader.rows("sample", "ordered_logit" if few else "standardised_difference")
    require(bool((rows["estimate"].isna() & rows["reason"].str.match("no_ans|too_few")).any()))


@form(
    r"Not computed in (?P<site>.+), wave (?P<wave>before|after): Nobody answered one of the "
    r"questions\."
)
def check_blank(reader: Reader, match: re.Match[str]) -> None:
    rows = reader.rows("sample", "difference_in_differences_fiml")
    require(bool((rows["estimate"].isna() & (rows["reason"] == "no_answers")).any()))
    place = {"site": reader.find_site(match["site"]), "period": match["wave"]}
    means = reader.rows("scales", "mean", **place)
    require(bool((means["reason"] == "no_answers").any()))


@form(r"(?P<n>[\d,]+) people answered both waves\.")
def check_linked(reader: Reader, match: re.Match[str]) -> None:
    confirm(match["n"], reader.row("sample", "n_linked", site="all")["estimate"])


def _baseline(reader: Reader) -> pd.DataFrame:
    return reader.known("sample", "standardised_difference", site="intervention", period="before")


@form(
    r"Before the work, areas and control sites differed by no more than 0\.1 standard deviations "
    r"in anything that is known of the people\."
)
def check_alike(reader: Reader, match: re.Match[str]) -> None:
    rows = _baseline(reader)
    require(len(rows) > 0 and bool((rows["estimate"].abs() <= 0.1).all()))


@form(
    r"Before the work, areas and control sites differed by more than 0\.1 standard deviations in "
    r"(?P<parts>.+); a gap that was there from the start is taken out of the difference in "
    r"differences only if it stays as it is\."
)
def check_apart(reader: Reader, match: re.Match[str]) -> None:
    rows = _baseline(reader)
    apart = rows[rows["estimate"].abs() > 0.1].set_index("outcome")
    parts = parse_list(match["parts"], rf"(?P<what>.+?) \((?P<gap>{NUMBER})\)")
    require(len(parts) == len(apart))
    for part in parts:
        titles = {reader.instrument.title_scale(key).casefold(): key for key in apart.index}
        titles |= {key.replace("_", " "): key for key in apart.index}
        confirm(part["gap"], apart.loc[titles[part["what"].casefold()], "estimate"])


@form(r"Chance alone makes gaps of up to about (?P<gap>\d\.\d+) between groups of this size\.")
def check_chance(reader: Reader, match: re.Match[str]) -> None:
    confirm(match["gap"], 1.96 * math.sqrt(4 / _baseline(reader)["n"].min()))


@form(
    rf"If everybody who was lost between the waves had given the worst or the best answers, a "
    rf"difference in differences could lie anywhere within a range of (?P<range>{NUMBER}) points\."
)
def check_range(reader: Reader, match: re.Match[str]) -> None:
    low, high = (
        reader.known("sample", f"manski_{end}", site="all").set_index("outcome")["estimate"]
        for end in ("lower", "upper")
    )
    confirm(match["range"], (high - low).max())


@form(
    r"By Lee's bounds (?:a difference remains for (?P<some>.+)|no difference is shown to remain "
    r"for any scale)\."
)
def check_remaining(reader: Reader, match: re.Match[str]) -> None:
    rows = reader.known("sample", "lee_lower", site="all")
    clear = rows.loc[clear_of(rows, 0), "outcome"]
    require((match["some"] is None) == clear.empty)
    if match["some"]:
        confirm_names(match["some"], [reader.instrument.title_scale(key) for key in clear])


@form(r"Difference in differences with two 95% intervals(?:; (?P<n>[\d,]+) clusters)?", "clusters")
def check_clusters(reader: Reader, match: re.Match[str]) -> None:
    if match["n"]:
        confirm(match["n"], reader.row("sample", "n_clusters", site="all")["estimate"])


@form(
    r"Standardised differences: (?P<parts>.+)\.",
    "balance-people",
)
def check_drawn(reader: Reader, match: re.Match[str]) -> None:
    rows = _baseline(reader)
    parts = match["parts"].split("; ")
    require(len(parts) == len(rows))
    for part, value in zip(parts, rows["estimate"], strict=True):
        confirm(part.rpartition(" ")[2], value)
