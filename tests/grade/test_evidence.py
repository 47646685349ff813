import math
import re
from dataclasses import replace

import pandas as pd
import pytest
from causal_words import find_forbidden_words

from sbwork.compare.counts import tabulate_reported
from sbwork.grade.checklists import (
    EMMIE_HEADINGS,
    NOT_REPORTED,
    TREND_ITEMS,
    list_emmie,
    trend_checklist,
)
from sbwork.grade.evidence import (
    LEVELS,
    Evidence,
    grade_evidence,
    set_levels,
)
from sbwork.render.views import view
from sbwork.report.forest import draw_forest, pick_rows
from sbwork.specs.cohort import Cohort
from sbwork.stats import Estimate, Reason
from sbwork.stats.findings import Finding, combine_findings, tabulate_findings

HEARD = {"title": "Calls to police", "change_percent": -40, "reported_by": "staff"}
REASON = "The nearest town of the same size, with the same kind of housing."


def make_cohort(pairs=1, control=True, reason=REASON, **others):
    sites = [f"{side}{number}" for number in range(pairs) for side in "ac"]
    return Cohort.model_validate(
        {
            "name": "pilot",
            "sites": {site: {} for site in sites},
            "pairs": [
                {
                    "intervention": f"a{number}",
                    "control": f"c{number}" if control else None,
                    "control_reason": reason,
                }
                for number in range(pairs)
            ],
            "outcomes": {"asb": {"title": "ASB", "crime_types": ["Anti-social behaviour"]}},
            **others,
        }
    )


def make_counts(pairs=1, control=True):
    for number in range(pairs):
        yield Finding("counts", "asb", f"a{number}", Estimate("percentage_change", -11.0))
        if control:
            ratio = Estimate("rirr", 0.9)
            yield Finding("counts", "asb", f"a{number}", ratio, f"c{number}", "change")


def make_panel(pairs=1, ratio=(0.8, 0.9, 1.1), trend=(-0.3, 0.1, 0.4)):
    for number in range(pairs):
        for name, (low, middle, high) in (("pre_level_ratio", ratio), ("pre_trend", trend)):
            estimate = Estimate(name, middle, low, high)
            yield Finding("panel", "asb", f"a{number}", estimate, f"c{number}", "before")


def make_scales(number=0):
    site, control = f"a{number}", f"c{number}"
    yield Finding("scales", "trust", site, Estimate("mean_difference", 0.2), "", "change")
    did = Estimate("difference_in_differences", 0.2)
    yield Finding("scales", "trust", site, did, control, "change")


def grade(cohort, *parts):
    return grade_evidence(cohort, tabulate_findings([f for part in parts for f in part]))


def find(outcome, estimate, site="a0", section="counts", period="change", comparison="c0"):
    return Finding(section, outcome, site, estimate, comparison, period)


LOST = Estimate("rirr", note="A count is 0.", reason=Reason.ZERO_COUNT)
HARM = find("harm", Estimate("rirr", 0.8))
GONE = Estimate("difference_in_differences", note="Nobody answered.", reason=Reason.NO_ANSWERS)
WIDE = [
    replace(f, outcome="harm", estimate=replace(f.estimate, ci_low=-90.0, ci_high=90.0))
    for f in make_panel()
]
LOTS = {"assignment": "randomised"}


@pytest.mark.parametrize(
    ("cohort", "parts", "level", "reason", "lacking"),
    [
        ({}, [], 0, "no figure", "before and after"),
        ({"control": False}, make_counts(control=False), 1, "no control site", "comparison site"),
        ({}, make_counts(control=False), 1, "no comparison could be made", "both sites of a pair"),
        # where a force has no month after, its level and trend before say nothing of a change
        (
            {},
            [
                find("asb", LOST),
                find("asb", Estimate("placebo_time_contrasts", 0.0), section="placebo"),
                *make_panel(),
            ],
            1,
            "one side of the start",
            "before and after",
        ),
        ({}, make_counts(), 2, "not shown to be comparable", "alike in level"),
        ({}, [*make_counts(), *make_panel()], 3, "written reason", "Sites assigned"),
        ({"pairs": 3}, [*make_counts(3), *make_panel(3)], 3, "written reason", "Sites assigned"),
        # "not significant" is not "parallel": p is far above .05 here
        ({}, [*make_counts(), *make_panel(trend=(-2.0, 0.0, 2.0))], 2, "", "alike in trend"),
        # harm counts once it is compared, and is checked like the others
        ({}, [*make_counts(), *make_panel(), HARM], 2, "", "Crime harm"),
        (
            {},
            [
                *make_counts(),
                *make_panel(),
                HARM,
                *(replace(f, outcome="harm") for f in make_panel()),
            ],
            3,
            "",
            "",
        ),
        ({}, [*make_counts(), *make_panel(), find("harm", LOST), *WIDE], 3, "", ""),
        # with a count of 0 there is a weighted displacement difference, and no RIRR
        (
            {"pairs": 2, **LOTS},
            [find("asb", LOST), find("asb", Estimate("wdd", -4.0)), *make_panel(2)],
            2,
            "",
            "counts above 0 in both sites",
        ),
        # every graded outcome needs its own pairs
        ({"pairs": 2, **LOTS}, make_counts(2), 5, "assigned at random", ""),
        ({"pairs": 2, **LOTS}, [*make_counts(2), HARM], 2, "", "there is 1"),
        (
            {"pairs": 2, **LOTS},
            [*make_counts(2), HARM, replace(HARM, site="a1", comparison="c1")],
            5,
            "",
            "",
        ),
        # scales without a difference in differences are not compared
        (
            {},
            [
                find("trust", Estimate("mean_difference", 0.2), section="scales", comparison=""),
                find("trust", GONE, section="scales"),
                find("questionnaire", Estimate("attrition_difference", 0.1), section="scales"),
            ],
            1,
            "",
            "",
        ),
        # one point in time has no change to grade
        ({}, [find("trust", Estimate("mean", 3.2), section="scales", period="before")], 1, "", ""),
        ({}, [find("asb", Estimate("count", 12.0), period="before"), *make_panel()], 1, "", ""),
        ({}, [find("asb", LOST)], 0, "", ""),
        ({}, [*make_counts(), *make_panel(), *make_scales()], 2, "cannot show a trend", ""),
        ({"rehearsal": True}, [*make_counts(), *make_panel()], 3, "nothing was done", ""),
        ({"assignment": "chosen"}, make_counts(), 2, "were chosen", ""),
    ],
)
def test_levels_and_their_reasons(cohort, parts, level, reason, lacking):
    evidence = grade(make_cohort(**cohort), parts)
    assert evidence.level == level
    assert any(reason in text for text in evidence.reasons)
    assert not lacking or any(lacking in text for text in evidence.missing)
    assert evidence.facts.level == level


def test_figures_heard_from_staff_are_level_1():
    cohort = Cohort(name="pilot", reported_figures=[HEARD])
    evidence = grade_evidence(cohort, tabulate_reported(cohort))
    assert (evidence.level, evidence.sections) == (1, {"reported": 1})
    assert any("comparison" in text for text in evidence.missing)


@pytest.mark.parametrize(
    ("change", "lacking"),
    [
        ({"reason": ""}, "written reason"),
        ({"trend": (-3.0, 0.0, 3.0)}, "alike in trend"),
        ({"trend": (-0.3, 0.4, 1.1)}, "alike in trend"),
        ({"trend": (math.nan, 0.1, math.nan)}, "alike in trend"),
        ({"ratio": (0.5, 0.9, 1.2)}, "alike in level"),
        ({"ratio": (0.9, 1.3, 1.6)}, "alike in level"),
    ],
)
def test_each_thing_lacking_holds_it_at_2_and_is_named(change, lacking):
    panel = {key: change[key] for key in ("trend", "ratio") if key in change}
    cohort = make_cohort(reason=change.get("reason", REASON))
    evidence = grade(cohort, make_counts(), make_panel(**panel))
    assert evidence.level == 2
    assert [text for text in evidence.missing if lacking in text] == list(evidence.missing)


def test_one_pair_that_differs_holds_all_at_2():
    good = make_panel(2)
    bad = Finding("panel", "asb", "a1", Estimate("pre_trend", 2.0, 1.0, 3.0), "c1", "before")
    kept = [f for f in good if (f.site, f.estimate.estimator) != ("a1", "pre_trend")]
    evidence = grade(make_cohort(2), make_counts(2), [*kept, bad])
    assert evidence.level == 2
    assert all("a1" in text for text in evidence.missing)


@pytest.mark.parametrize(("assignment", "level"), [("quasi-random", 4), ("randomised", 5)])
def test_chance_lifts_several_pairs_but_never_one(assignment, level):
    several = make_cohort(2, assignment=assignment)
    assert grade(several, make_counts(2)).level == level
    unreasoned = make_cohort(2, reason="", assignment=assignment)
    assert grade(unreasoned, make_counts(2)).level == 2
    one = make_cohort(1, assignment=assignment)
    assert grade(one, make_counts()).level == 2
    best = grade(one, make_counts(), make_panel())
    assert best.level == 3
    assert "2 pairs" in best.missing[0]


def share_control(cohort):
    pairs = tuple(pair.model_copy(update={"control": "c0"}) for pair in cohort.pairs)
    return cohort.model_copy(update={"pairs": pairs})


def share_rows(findings):
    return [replace(f, comparison=f.comparison and "c0") for f in findings]


@pytest.mark.parametrize("assignment", ["quasi-random", "randomised"])
def test_pairs_that_share_one_control_count_once(assignment):
    cohort = share_control(make_cohort(2, assignment=assignment))
    evidence = grade(cohort, share_rows(make_counts(2)))
    assert evidence.level == 2
    assert "there is 1." in evidence.missing[-1]
    alike = grade(cohort, share_rows(make_counts(2)), share_rows(make_panel(2)))
    assert alike.level == 3
    assert alike.missing == (evidence.missing[-1],)
    scales = [f for n in range(2) for f in make_scales(n)]
    assert grade(cohort, share_rows(scales)).level == 2
    assert grade(make_cohort(2, assignment=assignment), scales).level > 3


@pytest.mark.parametrize("assignment", ["quasi-random", "randomised"])
def test_a_pair_that_was_not_computed_does_not_count(assignment):
    cohort = make_cohort(2, assignment=assignment)
    lost = find("asb", LOST, "a1", comparison="c1")
    changed = Finding("counts", "asb", "a1", Estimate("percentage_change", -100.0), "", "change")
    evidence = grade(cohort, make_counts(1), [lost, changed])
    assert evidence.level == 2
    assert any("each with a control site of its own; there is 1" in m for m in evidence.missing)
    assert not any("a1" in text or "c1" in text for text in evidence.missing)


def test_what_is_needed_is_no_evidence():
    needed = Finding("evidence", "asb", "a0", Estimate("months_needed", 40.0), "c0", "pre_trend")
    assert grade(make_cohort(), [needed]).level == 0
    rows = tabulate_findings([*make_counts(), needed])
    graded = set_levels(rows, grade_evidence(make_cohort(), rows))
    assert math.isnan(graded.set_index("estimator")["evidence_level"]["months_needed"])


def test_levels_go_to_rows():
    reliability = Finding("reliability", "trust", "all", Estimate("alpha", 0.8))
    placebo = Finding("placebo", "asb", "a0", Estimate("placebo_p", 0.4))
    heard = Finding("reported", "Calls", "", Estimate("reported_change_percent", -40.0))
    rows = [*make_counts(), *make_panel(), *make_scales(), placebo, reliability, heard]
    findings = tabulate_findings(rows)
    evidence = grade_evidence(make_cohort(reported_figures=[HEARD]), findings)
    kept = findings.copy()
    graded = set_levels(findings, evidence)
    pd.testing.assert_frame_equal(findings, kept)
    by = graded.set_index("estimator")["evidence_level"]
    assert by["percentage_change"] == by["mean_difference"] == 1
    assert by["rirr"] == by["pre_trend"] == by["placebo_p"] == 3
    assert by["difference_in_differences"] == 2
    assert by["reported_change_percent"] == 1
    assert math.isnan(by["alpha"])


def test_levels_of_an_empty_frame():
    assert len(set_levels(combine_findings([]), Evidence(1, (), ()))) == 0


CLAIMS = (
    "The pilot reduced crime.",
    "Crime reduces where police listen.",
    "A reduction in ASB followed.",
    "The work caused a fall.",
    "Causing less harm.",
    "It led to fewer calls.",
    "Listening leads to trust.",
    "The impact of the pilot was large.",
    "It impacted residents.",
    "The effect of the programme was clear.",
    "An effect on trust was seen.",
    "It resulted in fewer thefts.",
    "It brought about change.",
    "Crime was prevented.",
    "The fall in ASB was due to the pilot.",
    "The difference in trust, large as it is, is because of the training.",
    "Trust increased thanks to residents.",
    "The programme worked.",
    "The pilot has improved trust.",
    "The fall can be attributed to officers.",
    "The work contributed to trust.",
    "The pilot did not\nlead\n to anything.",
)
PLAIN = (
    "ASB fell alongside the pilot.",
    "The effect size is .21, and the difference is not statistically significant.",
    "Verdict: no meaningful effect.",
    "This is so because one site and one control cannot show it.",
    "The team leader was due to speak.",
    "Causality is a hard word; the causal question stays open.",
    "Trust rose in both sites; why cannot be said.",
    "The design effect is 1.2.",
    "Because of the missing months the figures start late.",
    "Rows were left out due to missing months.",
)


@pytest.mark.parametrize("text", CLAIMS)
def test_claims_of_cause_are_found_below_level_3(text):
    for level in (0, 1, 2):
        assert find_forbidden_words(text, level)
    assert find_forbidden_words(text, 3) == []


@pytest.mark.parametrize("text", PLAIN)
def test_plain_words_pass(text):
    assert find_forbidden_words(text, 1) == []


def test_found_words_come_in_order_with_their_surroundings_and_titles_may_stay():
    title = "The impact of policing on trust"
    text = f"First it led to talk, see {title}. " + "x" * 100 + " Then crime was reduced."
    found = find_forbidden_words(text, 1, allow=[title, ""])
    assert [word for word, _ in found] == ["led to", "reduced"]
    assert "First it led to talk" in found[0][1]
    assert "led" not in found[1][1]


def test_everything_said_here_keeps_to_the_words_of_level_1():
    said = [f"{fact.name}. {fact.design} {fact.allows}" for fact in LEVELS]
    said += [f"{heading}. {question}" for heading, question in EMMIE_HEADINGS]
    said += [f"{item.topic}. {item.item}." for item in TREND_ITEMS]
    cohorts = [
        make_cohort(),
        make_cohort(2, assignment="randomised", engagement=[{"date": "2020-01-01", "event": "x"}]),
        make_cohort(control=False, rehearsal=True),
    ]
    for cohort in cohorts:
        findings = tabulate_findings([*make_counts(2), *make_panel(2), *make_scales()])
        evidence = grade_evidence(cohort, findings)
        said += [*evidence.reasons, *evidence.missing]
        said += [held for _, held in list_emmie(cohort, findings)]
    assert find_forbidden_words(" ".join(said), 1) == []


def test_trend_items_are_the_22_and_answers_follow_the_findings():
    cohort = make_cohort()
    empty = trend_checklist(cohort, combine_findings([]))
    full = trend_checklist(cohort, tabulate_findings([*make_counts(), *make_panel()]))
    assert [item.number for item in TREND_ITEMS] == list(range(1, 23))
    assert len(empty) == len(full) == 22
    assert empty[14] == ("15. Whether the groups were alike at the start", NOT_REPORTED)
    assert full[14][1] != NOT_REPORTED
    missing = [sum(where == NOT_REPORTED for _, where in rows) for rows in (full, empty)]
    assert missing[0] < missing[1]


def test_emmie_headings_hold_what_there_is():
    event = {"date": "2020-01-01", "event": "Meeting", "money": 50}
    cohort = make_cohort(2, engagement=[event])
    held = dict(list_emmie(cohort, tabulate_findings([*make_counts(2), *make_scales()])))
    assert list(held) == [heading for heading, _ in EMMIE_HEADINGS]
    assert "control sites" in held["Effect"]
    assert held["Implementation"] == "The engagement log lists 1 event."
    assert NOT_REPORTED not in held.values()
    nothing = dict(list_emmie(Cohort(name="pilot"), combine_findings([])))
    assert set(nothing.values()) == {NOT_REPORTED}


def test_reported_figures_keep_who_said_so():
    cohort = Cohort(name="pilot", reported_figures=[HEARD, {**HEARD, "title": "ASB"}])
    findings = tabulate_reported(cohort)
    assert findings["estimate"].tolist() == [-40, -40]
    assert set(findings["evidence_level"]) == {1.0}
    assert findings["outcome"].tolist() == ["Calls to police", "ASB"]
    assert findings["note"].str.startswith("Source: staff. ").all()
    assert findings["n"].isna().all()
    assert len(tabulate_reported(Cohort(name="pilot"))) == 0


def test_the_source_of_a_reported_figure_is_no_doer(durham_2):
    """A phrase such as "heard from staff" is a source: nothing is reported by it."""
    shown = [
        durham_2.findings["note"].str.cat(sep=" "),
        view(durham_2, "summary")._repr_html_(),
        view(durham_2, "changes")._repr_html_(),
        view(durham_2, "kinds")._repr_html_(),
        view(durham_2, "evidence")._repr_html_(),
        draw_forest(pick_rows(durham_2.findings, durham_2.cohort)).alt,
    ]
    for text in shown:
        assert not re.search(r"\bby heard\b|said so", text)
    assert shown[0].count("Source: heard from staff. ") == 3
    assert set(durham_2.findings["flags"]) == {"unchecked"}
