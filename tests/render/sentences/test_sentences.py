"""Every sentence of every committed report is read against the findings.

A sentence that holds a number, or a word such as "none" or "all", must fit exactly one of the forms
in the modules beside this one; the form recomputes what the sentence says. A sentence of a form
that nobody checks fails the test: write its form, with what it claims.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import forms_counts
import forms_design
import forms_mechanism
import forms_models
import forms_sample
import forms_scales
import forms_summary
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from forms import FIXED, FORMS, find_forms
from made_up import COHORTS, evaluate_made_up
from prose import Paragraph, makes_claim, read_report, split_sentences
from reader import Reader

from sbwork.evaluation import Evaluation

mpl.use("Agg")

MODULES = (
    forms_summary, forms_counts, forms_models, forms_scales, forms_sample, forms_mechanism,
    forms_design,
)  # fmt: skip
COMMITTED = ("durham_1", "durham_2", "west_yorkshire")
SWAPS = (
    ("none of", "1 of"), ("all pairs", "most pairs"), ("leaves out", "takes in"),
    ("takes in no", "leaves out no"),
    (" below 1", " above 1"), (" above 1,", " below 1,"), ("No survey", "A survey"),
    ("chosen, not", "drawn, not"), ("fell by", "rose by"), ("fall by about", "rise by about"),
    ("is clear of no difference (trust)", "is clear of no difference (safety)"),
    ("set beforehand", "set afterwards"), ("tool's default", "cohort's own"),
)  # fmt: skip
"""Words, and words that would make of most true sentences false ones."""


@dataclass(frozen=True)
class Sentence:
    """A sentence with what those before it in its paragraph were about, and the rows behind it."""

    paragraph: Paragraph
    text: str
    outcome: str
    site: str
    read: frozenset[int] = frozenset()

    def judge(self, reader: Reader, *, strict: bool = False) -> str:
        """Say what is wrong with the sentence; empty if nothing is.

        A sentence without a number or a word of quantity needs a form only where that is asked.
        """
        reader.start(self.paragraph)
        reader.outcome, reader.site = self.outcome, self.site
        reader.read = set()
        fitting = find_forms(reader, self.text)
        if not fitting:
            return "no form" if strict or makes_claim(self.text) else ""
        if len(fitting) > 1:
            return f"{len(fitting)} forms"
        form, match = fitting[0]
        try:
            if form is not None and match is not None:
                form.check(reader, match)
        except (AssertionError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            return f"not true: {error or type(error).__name__}"
        return ""


@dataclass(frozen=True)
class Audit:
    """The sentences of one report, and what is wrong with them."""

    reader: Reader
    sentences: tuple[Sentence, ...]
    wrong: tuple[str, ...]


def audit(evaluation: Evaluation) -> Audit:
    reader, report = Reader(evaluation), read_report(evaluation)
    reader.report = [paragraph.text for paragraph in report]
    sentences: list[Sentence] = []
    wrong: dict[str, None] = {}
    for paragraph in report:
        outcome = site = ""
        for text in split_sentences(paragraph.text):
            sentence = Sentence(paragraph, text, outcome, site)
            found = sentence.judge(reader)
            if found:
                where = f"{paragraph.section}, {paragraph.place} {paragraph.name}".rstrip()
                wrong[f"{where}: {found}: {text}"] = None
            sentences.append(replace(sentence, read=frozenset(reader.read)))
            outcome, site = reader.outcome, reader.site
    return Audit(reader, tuple(sentences), tuple(wrong))


@pytest.fixture(scope="session")
def find_audit(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Audit]:
    """Return a function that audits a cohort, once."""
    known: dict[str, Audit] = {}

    def find(name: str) -> Audit:
        if name not in known:
            made = name in COHORTS
            known[name] = audit(
                evaluate_made_up(name, tmp_path_factory.mktemp(name))
                if made
                else request.getfixturevalue(name)
            )
        return known[name]

    return find


@pytest.mark.parametrize("name", [*COMMITTED, *COHORTS])
def test_every_sentence_is_true_of_the_findings(name, find_audit):
    found = find_audit(name)
    assert not found.wrong, "\n".join(found.wrong)
    assert len([s for s in found.sentences if makes_claim(s.text)]) > 20


@pytest.mark.parametrize("name", [*COMMITTED, *COHORTS])
def test_no_number_of_a_sentence_can_be_changed_unseen(name, find_audit):
    found = find_audit(name)
    true = {sentence.text for sentence in found.sentences}
    unseen = []
    for sentence in found.sentences:
        for digits in re.finditer(r"\d+", sentence.text):
            last = digits.end() - 1
            other = str((int(sentence.text[last]) + 1) % 10)
            text = f"{sentence.text[:last]}{other}{sentence.text[last + 1 :]}"
            if text not in true and not replace(sentence, text=text).judge(found.reader):
                unseen.append(text)
    assert not unseen, "\n".join(unseen)


@pytest.mark.parametrize("name", [*COMMITTED, *COHORTS])
def test_no_word_that_carries_the_claim_can_be_changed_unseen(name, find_audit):
    found = find_audit(name)
    true = {sentence.text for sentence in found.sentences}
    unseen = []
    for sentence in found.sentences:
        for word, other in SWAPS:
            changed = replace(sentence, text=sentence.text.replace(word, other, 1))
            if changed.text not in true and not changed.judge(found.reader, strict=True):
                unseen.append(changed.text)
    assert not unseen, "\n".join(unseen)


@pytest.mark.parametrize("name", [*COMMITTED, *COHORTS])
def test_no_finding_that_prose_rests_on_can_be_changed_unseen(name, find_audit):
    found = find_audit(name)
    findings = found.reader.findings
    read = findings.loc[sorted(set().union(*(s.read for s in found.sentences)))]
    unseen = []
    for (section, estimator), rows in read.groupby(["section", "estimator"]):
        others = [found.reader.change(other) for other in _falsify(findings, rows.index)]
        about = [s for s in found.sentences if s.read & set(rows.index)]
        if not any(sentence.judge(other) for other in others for sentence in about):
            unseen.append(f"{section} {estimator}")
    assert unseen == []


def _falsify(findings: pd.DataFrame, rows: pd.Index) -> Iterator[pd.DataFrame]:
    """Give rows other numbers, also where they have none; then 1 without flags; then no number."""
    other = findings.copy()
    for column in ("estimate", "ci_low", "ci_high", "n", "evidence_level"):
        other.loc[rows, column] = 1.7 * other.loc[rows, column].fillna(1.0).abs() + 3.3
    for column in ("p_value", "p_adjusted"):
        p = other.loc[rows, column].fillna(0.2)
        other.loc[rows, column] = np.where(p < 0.05, 0.5, 0.011)
    yield other
    other = findings.copy()
    other.loc[rows, "estimate"] = 1.0
    other.loc[rows, "flags"] = ""
    yield other
    other = findings.copy()
    other.loc[rows, ["estimate", "ci_low", "ci_high", "p_value", "p_adjusted"]] = np.nan
    yield other


@pytest.mark.parametrize(
    "text",
    [
        "Trust rose in all 4 areas.",
        "None of the areas changed.",
        "ASB fell by 12% in Area 1.",
        "Every pair passes the usual test.",
    ],
)
def test_an_invented_sentence_fits_no_form(text, durham_1):
    sentence = Sentence(Paragraph("summary", "point", "", text), text, "", "")
    assert sentence.judge(Reader(durham_1)) == "no form"


def test_a_sentence_that_claims_nothing_needs_no_form(durham_1):
    text = "Police and residents met."
    assert (
        Sentence(Paragraph("summary", "point", "", text), text, "", "").judge(Reader(durham_1))
        == ""
    )


def test_each_form_is_used_by_a_report(find_audit):
    used, texts = set(), set()
    for name in (*COMMITTED, *COHORTS):
        found = find_audit(name)
        for sentence in found.sentences:
            texts.add(sentence.text)
            found.reader.start(sentence.paragraph)
            used |= {form.check for form, _ in find_forms(found.reader, sentence.text) if form}
    assert [form.check.__name__ for form in FORMS if form.check not in used] == []
    assert sorted(FIXED - texts) == []
