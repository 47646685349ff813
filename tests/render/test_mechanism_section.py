"""What the section on mechanism answers, case by case, and the words it may use."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from causal_words import find_forbidden_words
from made_by_hand import publish

import sbwork
from sbwork.evaluation import Evaluation
from sbwork.render.blocks import Bullets, Picture, Section, Table

OVERCLAIMS = re.compile(r"\b(?:driv\w+|drove|proves?|proof|mediat\w+ the|due to)\b", re.IGNORECASE)


def show(evaluation: Evaluation, **values: tuple[float, float, float]) -> Section:
    """Show the section with other numbers: estimate and interval by estimator."""
    findings = evaluation.findings.copy()
    own = findings["section"].eq("mechanism") & findings["outcome"].isin(["confidence", "potency"])
    for estimator, numbers in values.items():
        rows = own & findings["estimator"].eq(estimator)
        findings.loc[rows, ["estimate", "ci_low", "ci_high"]] = numbers
        findings.loc[rows, "reason"] = "" if np.isfinite(numbers[0]) else "not_estimable"
    return sbwork.view(publish(evaluation, findings=findings), "mechanism")


def read(section: Section) -> str:
    texts: list[str] = []
    for block in section.blocks:
        if isinstance(block, str):
            texts.append(block)
        elif isinstance(block, Bullets):
            texts += block.points
        elif isinstance(block, Picture):
            texts += [block.alt, block.caption]
        elif isinstance(block, Table):
            texts += [block.title, *block.notes]
            texts += [cell for row in block.rows for cell in row.values()]
    return "\n".join(texts)


UP = (0.5, 0.3, 0.7)
CASES = {
    "most": {"total_standardised": UP, "indirect_through_cause_standardised": (0.4, 0.2, 0.6),
             "share_through_cause": (0.8, 0.6, 1.1)},
    "part": {"total_standardised": UP, "indirect_through_cause_standardised": (0.1, 0.05, 0.2),
             "share_through_cause": (0.2, 0.1, 0.4)},
    "open": {"total_standardised": UP, "indirect_through_cause_standardised": (0.3, 0.1, 0.5),
             "share_through_cause": (0.6, 0.2, 0.9)},
    "none": {"total_standardised": UP, "indirect_through_cause_standardised": (0.1, -0.1, 0.3)},
    "against": {"total_standardised": UP,
                "indirect_through_cause_standardised": (-0.3, -0.5, -0.1)},
    "no change": {"total_standardised": (0.1, -0.1, 0.3)},
}  # fmt: skip
WORDS = {
    "most": "80% of it (60% to 110%) ran along with social capital, which is consistent with",
    "part": "consistent with a part in it, but not with the main part",
    "open": "whether that is the main part is left open",
    "none": "is 0.10 SD (95% interval −0.10 to 0.30), so these data don't support the claim",
    "against": "these data don't support the claim",
    "no change": "there is nothing for social capital to have carried",
}


@pytest.mark.parametrize("case", CASES)
def test_the_first_claim_is_answered(case: str, durham_1: Evaluation) -> None:
    assert WORDS[case] in read(show(durham_1, **CASES[case]))


@pytest.mark.parametrize("case", CASES)
def test_no_words_claim_more_than_the_design_allows(case: str, durham_1: Evaluation) -> None:
    text = read(show(durham_1, **CASES[case]))
    assert find_forbidden_words(text, 1) == []
    assert not OVERCLAIMS.search(text)
    assert "consistent with" in text


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ((0.5, 0.4, 0.6), "That is consistent with the claim, and with the opposite order"),
        ((0.1, -0.1, 0.3), "So these data don't support the claim."),
        ((-0.5, -0.6, -0.4), "So these data don't support the claim."),
    ],
)
def test_the_second_claim_is_answered(
    step: tuple[float, float, float], words: str, durham_1: Evaluation
) -> None:
    assert words in read(show(durham_1, path_cause_outcome_standardised=step))


def test_what_cannot_be_computed_says_so(durham_1: Evaluation) -> None:
    missing = (np.nan, np.nan, np.nan)
    findings = durham_1.findings
    names = findings.loc[findings["section"] == "mechanism", "estimator"].unique()
    section = show(durham_1, **dict.fromkeys(names, missing))
    text = read(section)
    assert "Confidence in the police can't be computed" in text
    assert "nan" not in text.lower()
    assert section.pictures == []


def test_the_picture_has_its_numbers_in_words(durham_1: Evaluation) -> None:
    picture = sbwork.view(durham_1, "mechanism").pictures[0]
    rows = durham_1.findings.query("section == 'mechanism' and outcome == 'confidence'")
    step = rows.set_index("estimator").loc["path_mediator_outcome_standardised", "estimate"]
    assert f"area potency to outcome {step:.2f}" in picture.alt
    assert picture.alt.startswith("Invented data.")


def test_without_the_key_there_is_one_sentence(durham_1: Evaluation) -> None:
    cohort = durham_1.cohort.model_copy(update={"mechanism": None})
    section = sbwork.view(publish(durham_1, cohort=cohort, findings=pd.DataFrame(
        columns=durham_1.findings.columns)), "mechanism")  # fmt: skip
    assert len(section.blocks) == 1
    assert "names no 'mechanism'" in str(section.blocks[0])
