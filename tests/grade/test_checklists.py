"""Each place that the TREND checklist names is a heading of the report, and holds the item."""

from __future__ import annotations

import itertools
import json
import math
import re
from html import unescape
from pathlib import Path

import pytest
from made_by_hand import publish

import sbwork
from sbwork.grade.checklists import NOT_REPORTED, TREND_ITEMS, Heading, list_emmie, trend_checklist
from sbwork.specs.cohort import Cohort
from sbwork.stats import Estimate, Reason
from sbwork.stats.findings import Finding, combine_findings, tabulate_findings

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "cohort_report.ipynb"
COHORTS = ("durham_1", "durham_2", "west_yorkshire")
NOTHING = re.compile(
    r"^(No .*was given|No stories were given|No file was read|The incidents were counted, but|"
    r"No control site or no periods|The answers were read, but)"
)
HOLDS = {
    "what was found, and the level of evidence": r"level|graded?",
    "how sites were assigned": r"Sites were (chosen|assigned)|Areas were drawn",
    "the sites": r"The sites Site Role",
    "what was done": r"What was done, in the words of cohort\.yml: \w",
    "engagement log": r"Engagement log",
    "what was declared confirmatory": r"Declared confirmatory in cohort\.yml: \w",
    "how each number was made": r"Percentage change: 100|Scale scores: the mean",
    "alpha and omega": r"Alpha.*\d\.\d\d",
    "smallest detectable difference; not planned beforehand": r"Smallest detectable",
    "why each control site was chosen": r"Why it was chosen",
    "rank among areas where nothing was done": r"Rank p",
    "the shock to whole areas that erases it": r"Shock that undoes it",
    "survey files": r"Survey files",
    "the periods": r"The periods: before is \w+ \d{4}",
    "counts before": r"counts before and after",
    "mean scores before": r"Mean score.* Before",
    "before the start": r"Before the start.*Site / control",
    "from invited to analysed": r"From invited to analysed.*Answered",
    "standardised differences": r"alike before the work\?.*Difference \(SD\)",
    "missing answers, three ways": r"Do questions left blank.*Complete answers only",
    "people of one cluster counted together": r"By cluster \(CR2\)",
    "n, before and after": r"n: people with a score, before / after",
    "percentage change": r"[+−]?\d+% \d[\d,]* to \d",
    "each area against its control site": r"Each area against its control site.*RIRR.*\d\.\d\d to",
    "difference in differences": r"Difference in differences.*\d\.\d\d to",
    "other windows, controls and models": r"months, controls? (sites )?(and|or) models",
    "weighted displacement difference": r"WDD",
    "the level of evidence and why": r"^Level \d of 5",
    "the list": r"cannot show",
}
"""What a reader finds under the heading, by what the checklist says to look for."""


def read_notebook() -> dict[str, str]:
    """Return the headings of the report's notebook, each with the topic below it."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells]
    return {
        text.removeprefix("## "): found[1]
        for text, code in itertools.pairwise(texts)
        if text.startswith("## ") and (found := re.search(r'sb\.view\(evaluation, "(\w+)"\)', code))
    }


def render(evaluation) -> dict[str, str]:
    texts = {}
    for heading, topic in read_notebook().items():
        html = sbwork.view(evaluation, topic)._repr_html_()
        html = re.sub(r"<style>.*?</style>|<img[^>]*>", " ", html, flags=re.S)
        texts[heading] = " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())
    return texts


def split_places(where: str) -> list[tuple[str, str]]:
    return re.findall(r"([A-Z][^()]*?) \(([^()]+)\)(?:; |$)", where)


@pytest.fixture(scope="module", params=COHORTS)
def evaluation(request):
    return request.getfixturevalue(request.param)


def test_headings_are_those_of_the_notebook():
    assert [*Heading] == [*read_notebook()]


def test_every_place_named_is_there_and_holds_the_item(evaluation):
    shown = render(evaluation)
    cited = 0
    for item, where in trend_checklist(evaluation.cohort, evaluation.findings):
        if where == NOT_REPORTED:
            continue
        places = split_places(where)
        assert "; ".join(f"{heading} ({detail})" for heading, detail in places) == where
        for heading, detail in places:
            assert not NOTHING.match(shown[heading]), (item, heading)
            assert re.search(HOLDS[detail], shown[heading]), (item, heading, detail)
            cited += 1
    assert cited >= 3


def test_every_section_with_nothing_in_it_is_recognised(durham_2):
    empty = [heading for heading, text in render(durham_2).items() if NOTHING.match(text)]
    assert empty == [
        Heading.COUNTS,
        Heading.ROBUSTNESS,
        Heading.SCALES,
        Heading.POTENCY,
        Heading.SAMPLE,
        Heading.RELIABILITY,
        Heading.QUALITY,
    ]


def find(cohort, findings, number):
    return dict(zip(range(1, 23), (w for _, w in trend_checklist(cohort, findings)), strict=True))[
        number
    ]


def test_items_are_reported_where_there_is_a_number_and_nowhere_else(durham_1, west_yorkshire):
    """durham-1 declares scales and has no placebo areas; west-yorkshire has areas and no survey."""
    for evaluation in (durham_1, west_yorkshire):
        rows = evaluation.findings
        placed = bool((rows["estimator"].eq("placebo_p") & rows["estimate"].notna()).any())
        surveyed = bool((rows["section"] == "scales").any())
        said = [find(evaluation.cohort, rows, number) for number in range(1, 23)]
        assert any("rank among areas" in where for where in said) == placed
        assert any(Heading.SCALES in where for where in said) == surveyed
        assert ("confirmatory" in said[17]) == bool(evaluation.cohort.confirmatory)


@pytest.mark.parametrize("number", range(1, 23))
def test_a_missing_number_is_not_reported(durham_1, number):
    """With every estimate taken away, only what the cohort itself says is still there."""
    gone = durham_1.findings.assign(estimate=math.nan)
    bare = find(durham_1.cohort, gone, number)
    kept = {3: "the sites", 4: "what was done", 13: "the periods"}
    assert bare == (f"{Heading.EVIDENCE} ({kept[number]})" if number in kept else NOT_REPORTED)


def test_confirmatory_is_cited_only_where_it_was_declared(durham_1):
    cohort = durham_1.cohort.model_copy(update={"confirmatory": {}})
    for number in (5, 18):
        assert "confirmatory" in find(durham_1.cohort, durham_1.findings, number)
        assert "confirmatory" not in find(cohort, durham_1.findings, number)
    assert "Declared confirmatory" not in render(publish(durham_1, cohort=cohort))[Heading.EVIDENCE]


PAIR = Cohort.model_validate(
    {
        "name": "pilot",
        "sites": {"a": {}, "c": {}, "d": {}},
        "pairs": [{"intervention": "a", "control": "c", "displacement": "d"}],
    }
)


def test_harms_are_looked_for_only_where_displacement_was_computed():
    wdd = Finding("counts", "asb", "a", Estimate("wdd", -4.0), "c", "change")
    alone = PAIR.pairs[0].model_copy(update={"displacement": None})
    none = PAIR.model_copy(update={"pairs": (alone,)})
    assert Heading.COUNTS in find(PAIR, tabulate_findings([wdd]), 19)
    assert find(none, tabulate_findings([wdd]), 19) == NOT_REPORTED
    assert find(PAIR, combine_findings([]), 19) == NOT_REPORTED


@pytest.mark.parametrize(
    ("estimate", "said"),
    [
        (Estimate("placebo_p", 0.4), "the same comparison where nothing was done"),
        (Estimate("placebo_p", note="Too few areas.", reason=Reason.TOO_FEW_AREAS), ""),
        (Estimate("placebo_areas", 3.0), ""),
    ],
)
def test_places_where_nothing_was_done_are_named_only_where_a_rank_was_computed(estimate, said):
    ratio = Finding("counts", "asb", "a", Estimate("rirr", 0.9), "c", "change")
    rows = tabulate_findings([ratio, Finding("placebo", "asb", "a", estimate, "c", "change")])
    held = dict(list_emmie(PAIR, rows))["Effect"]
    assert held.startswith("Incident counts beside control sites")
    assert ("nothing was done" in held) == bool(said)


def test_a_comparison_that_was_not_computed_is_none():
    lost = Finding(
        "counts",
        "asb",
        "a",
        Estimate("rirr", note="A count is 0.", reason=Reason.ZERO_COUNT),
        "c",
        "change",
    )
    changed = Finding("counts", "asb", "a", Estimate("percentage_change", -100.0), "", "change")
    held = dict(list_emmie(PAIR, tabulate_findings([lost, changed])))["Effect"]
    assert held == "Incident counts before and after, without a control site."
    assert Heading.COUNTS not in find(PAIR, tabulate_findings([lost, changed]), 17)


def test_items_are_the_22():
    assert [item.number for item in TREND_ITEMS] == list(range(1, 23))
