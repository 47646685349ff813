"""What the report says of what may have carried the change."""

from __future__ import annotations

import re

import pandas as pd
from forms import ENDS, NUMBER, fix, form
from reader import Reader, clear_of, confirm, confirm_interval, parse_list, require

fix(
    (
        "cohort.yml names no 'mechanism', so what may have carried a change was not looked into.",
        "The work was given to areas, not to people: intervals are about chance among people, and "
        "say nothing of how much whole areas move by chance.",
        "Crime and ASB are counted by area, not by person, so no path leads from answers to them.",
        "No trial raised the first measure of the path by design, so something unmeasured may "
        "stand behind both ends of each arrow.",
        "Coefficients in standard deviations with their 95% intervals.",
        "χ² of observed scores: against the model with every path; of factors: against the "
        "answers' own means and covariances.",
        "Area shock: the standard deviation, in points per area and wave, of chance movements of "
        "the first measure that would be enough; so few areas can't show how much they move by "
        "themselves.",
        "Not available: The interval of the indirect change takes in no change already, so nothing "
        "more is needed.",
        "Mechanism: recursive least squares with a term for each site and for the wave, weighted "
        "where the answers are; percentile intervals of 5,000 bootstrap samples of people within "
        "site and wave (MacKinnon 2008).",
        "Between factors: maximum likelihood.",
        "Sensitivity: Imai, Keele and Yamamoto (2010).",
        "Dashed arrows: the interval takes in 0.",
        "In standard deviations within sites and waves, with the 95% interval of bootstrap samples "
        "of people.",
        "Lower AIC and BIC are better; a CFI of .95, an RMSEA of .06 and an SRMR of .08 are usual "
        "marks.",
        "The models that leave no path out have the same likelihood between observed scores, "
        "whatever the answers: no data from a single point in time can choose among them.",
        "A better fit of one order is no evidence of direction: a measure with less error fits "
        "better in the middle.",
        "Correlation of errors: if something unmeasured tied the two ends this much, the path "
        "would be nothing (Imai, Keele and Yamamoto 2010).",
        "How much of the change ran along each route",
        "Share of each: what that something would have to explain of what site, wave and the "
        "measures before leave over, if it explained as much of both ends.",
    )
)

SD = rf"(?P<x>{NUMBER}) SD \(95% interval (?P<ends>{ENDS})\)"
BEYOND = r"(?:beyond the control sites'|from before to after)"
STEPS = {
    ("work", "cause"): "path_work_cause",
    ("work", "mediator"): "path_work_mediator",
    ("work", "outcome"): "direct",
    ("cause", "mediator"): "path_cause_mediator",
    ("cause", "outcome"): "path_cause_outcome",
    ("mediator", "outcome"): "path_mediator_outcome",
}


def find(reader: Reader, outcome: str, estimator: str) -> pd.Series:
    return reader.row("mechanism", estimator, outcome=outcome)


def is_clear(row: pd.Series) -> bool:
    return bool(clear_of(row.to_frame().T, 0).iloc[0])


def confirm_sd(match: re.Match[str], row: pd.Series, suffix: str = "") -> None:
    confirm(match[f"x{suffix}"], row["estimate"])
    confirm_interval(match[f"ends{suffix}"], row["ci_low"], row["ci_high"])


def take_roles(reader: Reader) -> tuple[str, str, tuple[str, ...]]:
    mechanism = reader.cohort.mechanism
    assert mechanism is not None
    return mechanism.cause, mechanism.mediator, mechanism.outcomes


@form(
    r"A change is followed from the work in an area to (?P<cause>.+?), from there to "
    r"(?P<mediator>.+?), and on to the outcome\.|Each step is a regression given the site, the "
    r"wave and what stands before it on the path, among people who answered the questions of all "
    r"of them\."
)
def check_path(reader: Reader, match: re.Match[str]) -> None:
    cause, mediator, _ = take_roles(reader)
    if match["cause"]:
        require(reader.find_scale(match["cause"]) == cause)
        require(reader.find_scale(match["mediator"]) == mediator)


@form(
    rf"The first step, the change in (?P<cause>.+?) itself (?P<beyond>beyond the control sites'|"
    rf"from before to after), is {SD}(?P<no>, which takes in no change)?\."
)
def check_first_step(reader: Reader, match: re.Match[str]) -> None:
    cause, mediator, _ = take_roles(reader)
    require(reader.find_scale(match["cause"]) == cause)
    row = find(reader, mediator, "path_work_cause_standardised")
    confirm_sd(match, row)
    require(is_clear(row) == (match["no"] is None))
    beside = any(pair.control for pair in reader.cohort.pairs)
    require(match["beyond"].startswith("beyond") == beside)


@form(
    rf"(?P<outcome>.+?): (?:no change {BEYOND} is shown: {SD}, so there is nothing for "
    rf"(?P<cause>.+?) to have carried|the change {BEYOND} is (?P<x1>{NUMBER}) SD "
    rf"\(95% interval (?P<ends1>{ENDS})\); (?:what "
    rf"ran along with .+? is (?P<x2>{NUMBER}) SD \(95% interval (?P<ends2>{ENDS})\), so these data "
    r"don't support the claim|(?P<share>\S+)% of it \((?P<low>\S+)% to (?P<high>\S+)%\) ran along "
    r"with .+?(?P<verdict>, which is consistent with the claim|: consistent with a part in it, but "
    r"not with the main part|: consistent with a part in it, and whether that is the main part is "
    r"left open)))\."
)
def check_claim(reader: Reader, match: re.Match[str]) -> None:
    outcome = reader.find_scale(match["outcome"])
    total = find(reader, outcome, "total_standardised")
    require(is_clear(total) == (match["x"] is None))
    confirm_sd(match, total, "" if match["x"] else "1")
    if match["x"]:
        require(reader.find_scale(match["cause"]) == take_roles(reader)[0])
        return
    through = find(reader, outcome, "indirect_through_cause_standardised")
    carried = is_clear(through) and through["estimate"] * total["estimate"] > 0
    require(carried == (match["x2"] is None))
    if match["x2"]:
        confirm_sd(match, through, "2")
        return
    share = find(reader, outcome, "share_through_cause")
    for name, column in (("share", "estimate"), ("low", "ci_low"), ("high", "ci_high")):
        confirm(match[name], share[column], scale=100)
    wanted = "claim" if share["ci_low"] > 0.5 else "not with" if share["ci_high"] < 0.5 else "open"
    require(wanted in match["verdict"])


@form(
    rf"Residents who are 1 SD higher in (?P<cause>.+?) are {SD} higher in (?P<mediator>.+?), at "
    r"the same site in the same survey\."
)
def check_second_claim(reader: Reader, match: re.Match[str]) -> None:
    cause, mediator, _ = take_roles(reader)
    require(reader.find_scale(match["cause"]) == cause)
    require(reader.find_scale(match["mediator"]) == mediator)
    confirm_sd(match, find(reader, mediator, "path_cause_outcome_standardised"))


@form(
    r"That is consistent with the claim, and with the opposite order and a common source as well\.|"
    r"So these data don't (?P<no>support) the claim\."
)
def check_second_verdict(reader: Reader, match: re.Match[str]) -> None:
    row = find(reader, take_roles(reader)[1], "path_cause_outcome_standardised")
    require((is_clear(row) and row["estimate"] > 0) == (match["no"] is None))


@form(
    rf"The part of the areas' change in (?P<mediator>.+?) that ran along with (?P<cause>.+?) is "
    rf"{SD}\."
)
def check_carried(reader: Reader, match: re.Match[str]) -> None:
    cause, mediator, _ = take_roles(reader)
    require(reader.find_scale(match["cause"]) == cause)
    require(reader.find_scale(match["mediator"]) == mediator)
    confirm_sd(match, find(reader, mediator, "indirect_cause_standardised"))


@form(r"Standardised paths to (?P<outcome>.+?): (?P<steps>.+)\.", "mechanism")
def check_picture(reader: Reader, match: re.Match[str]) -> None:
    cause, mediator, _ = take_roles(reader)
    outcome = reader.find_scale(match["outcome"])
    titles = {"work": "work", "outcome": "outcome"}
    titles |= {
        reader.instrument.title_scale(key).casefold(): role
        for key, role in ((cause, "cause"), (mediator, "mediator"))
    }
    named = "|".join(map(re.escape, titles))
    item = rf"(?P<start>{named}) to (?P<end>{named}) (?P<x>{NUMBER}) \((?P<ends>{ENDS})\)"
    parts = parse_list(match["steps"].casefold(), item, "; ")
    require(len(parts) == len(STEPS))
    for part in parts:
        step = STEPS[titles[part["start"]], titles[part["end"]]]
        confirm_sd(part, find(reader, outcome, f"{step}_standardised"))


@form(r"Lowest BIC of the models that leave paths out: (?P<parts>.+)\.")
def check_orders(reader: Reader, match: re.Match[str]) -> None:
    cause, mediator, outcomes = take_roles(reader)
    one, other = (reader.instrument.title_scale(key).casefold() for key in (cause, mediator))
    words = {
        f"work → {one} → {other} → outcome alone": "forward_only",
        f"work → {other} → {one} → outcome alone": "reversed_only",
        "work reaches each directly, nothing ties them": "direct_only",
    }
    parts = [part.rpartition(": ") for part in match["parts"].split("; ")]
    require([reader.find_scale(title) for title, _, _ in parts] == list(outcomes))
    for (_, _, model), outcome in zip(parts, outcomes, strict=True):
        bics = {m: find(reader, f"{outcome}/{m}", "bic")["estimate"] for m in words.values()}
        require(bics[words[model.casefold()]] == min(bics.values()))
