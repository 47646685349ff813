"""A cohort with population shares in its cohort.yml, from its survey file to its report."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from made_by_hand import make_cohort, make_instrument, publish_answers

from sbwork.evaluation import Evaluation, evaluate_cohort
from sbwork.render.answers import describe_answers, draw_likert
from sbwork.render.scales import draw_means
from sbwork.render.views import view
from sbwork.render.weights import describe_weights, tabulate_shares, tabulate_weights
from sbwork.score.weights import rake, weighted_mean
from sbwork.specs.errors import InputError
from sbwork.stats.findings import find_row, select_findings

mpl.use("Agg")

INSTRUMENT = """\
name: short
options:
  agree: [{code: 1, label: No}, {code: 2, label: Rather not}, {code: 3, label: Neither},
    {code: 4, label: Rather}, {code: 5, label: Yes}]
items:
  t1: {text: One, options: agree}
  t2: {text: Two, options: agree}
  t3: {text: Three, options: agree}
scales:
  trust: {title: Trust, items: [t1, t2, t3]}
"""
COHORT = """\
name: raked
instrument: short
data_status: invented
sites: {north: {title: North}, south: {title: South}}
pairs: [{intervention: north, control: south}]
surveys:
  - path: survey.csv
    format: csv
    wave_column: round
    waves: {"1": before, "2": after}
    site_column: area
    weight_column: given
    keep: [age_group, sex]
weighting:
  targets:
    age_group: {young: 0.30, middle: 0.45, old: 0.25}
    sex: {f: 0.51, m: 0.49}
"""
SINGLE = make_instrument({"single": ["q"]})
Write = Callable[..., Path]


def make_survey() -> pd.DataFrame:
    random = np.random.default_rng(11)
    frames = []
    for wave in (1, 2):
        for area, n in (("North", 90), ("South", 110)):
            age = random.choice(["young", "middle", "old"], n, p=[0.50, 0.30, 0.20])
            shared = random.normal(3 + 0.6 * (age == "old") + 0.3 * (wave == 2), 0.7, n)
            items = {
                f"t{i}": np.clip(np.round(shared + random.normal(0, 0.6, n)), 1, 5).astype(int)
                for i in (1, 2, 3)
            }
            frames.append(
                pd.DataFrame(
                    {
                        "round": wave, "area": area, "age_group": age,
                        "sex": random.choice(["f", "m"], n, p=[0.62, 0.38]), "given": 1, **items,
                    }
                )
            )  # fmt: skip
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def write(tmp_path_factory: pytest.TempPathFactory) -> Write:
    """Return a function that writes the data folder and gives its path."""

    def write_data(survey: pd.DataFrame | None = None, cohort: str = COHORT) -> Path:
        data = tmp_path_factory.mktemp("data")
        (data / "instruments").mkdir()
        (data / "instruments" / "short.yml").write_text(INSTRUMENT, encoding="utf-8")
        folder = data / "cohorts" / "raked"
        folder.mkdir(parents=True)
        (folder / "cohort.yml").write_text(cohort, encoding="utf-8")
        (make_survey() if survey is None else survey).to_csv(folder / "survey.csv", index=False)
        return data

    return write_data


@pytest.fixture(scope="module")
def raked(write: Write) -> Evaluation:
    return evaluate_cohort("raked", write())


@pytest.fixture(scope="module")
def plain(write: Write) -> Evaluation:
    return evaluate_cohort("raked", write(cohort=COHORT[: COHORT.index("weighting:")]))


def find(evaluation: Evaluation, estimator: str, site: str, **where: str) -> pd.Series:
    row = find_row(
        evaluation.findings, section="scales", outcome="trust", estimator=estimator, site=site,
        **where,
    )  # fmt: skip
    assert row is not None
    return row


def test_the_means_are_those_of_the_raked_answers(raked: Evaluation, plain: Evaluation) -> None:
    assert raked.responses is not None
    assert raked.scores is not None
    for (site, wave), cell in raked.scores.groupby(["site", "wave"]):
        row = find(raked, "mean", str(site), period=str(wave))
        assert row["estimate"] == pytest.approx(np.average(cell["trust"], weights=cell["weight"]))
        assert row["n"] == len(cell)
        assert "before weighting" in row["note"]
        assert np.average(cell["sex"] == "f", weights=cell["weight"]) == pytest.approx(0.51)
    pd.testing.assert_series_equal(raked.responses.answers["weight"], raked.scores["weight"])
    ours, theirs = (find(e, "difference_in_differences", "north") for e in (raked, plain))
    assert ours["estimate"] != theirs["estimate"]
    assert ours["n"] == theirs["n"]
    assert select_findings(plain.findings, section="weights").empty


@pytest.mark.parametrize("name", ["raked", "plain"])
def test_one_mean_has_one_interval_everywhere(name: str, request: pytest.FixtureRequest) -> None:
    evaluation: Evaluation = request.getfixturevalue(name)
    scores, cohort = evaluation.scores, evaluation.cohort
    assert scores is not None
    columns = ["estimate", "ci_low", "ci_high", "se", "df", "n"]
    means = evaluation.findings.query("estimator == 'mean' and outcome == 'trust'")
    from matplotlib.figure import Figure

    ax = Figure().subplots()
    draw_means(ax, evaluation.findings, cohort, "trust", ["north"], ["before"])
    (interval,) = ax.collections[0].get_segments()
    drawn = interval[:, 0].tolist()
    for (site, wave), cell in scores.groupby(["site", "wave"]):
        rows = means[(means["site"] == site) & (means["period"] == wave)]
        assert set(rows["section"]) == {"scales", "scores"}
        first, second = rows[columns].to_numpy(float)
        assert first == pytest.approx(second, rel=1e-12)
        if name == "raked":
            weights = rake(cell.reset_index(drop=True), cohort.weighting.targets)
            mean = weighted_mean(cell["trust"], weights)
        else:
            mean = weighted_mean(cell["trust"], np.ones(len(cell)))
        assert (mean.estimate, mean.ci_low, mean.ci_high) == pytest.approx(first[:3].tolist())
        if (site, wave) == ("north", "before"):
            assert drawn == pytest.approx(first[1:3].tolist())


def test_weights_are_shown_before_and_after(raked: Evaluation) -> None:
    assert raked.responses is not None
    told = tabulate_shares(raked.findings, raked.cohort)._repr_html_()
    answers = raked.responses.answers
    cell = answers[(answers["site"] == "north") & (answers["wave"] == "before")]
    young = (cell["age_group"] == "young").mean()
    assert "age group: young" in told
    assert f"{100 * young:.0f}%" in told
    assert "30%" in told
    costs = tabulate_weights(raked.findings, raked.cohort)._repr_html_()
    n_eff = cell["weight"].sum() ** 2 / (cell["weight"] ** 2).sum()
    assert f"{n_eff:.0f}" in costs
    assert ">90<" in costs
    assert costs.index(">Before<") < costs.index(">After<")
    sentence = describe_weights(raked.findings, raked.cohort)
    assert "mix of age group and sex" in sentence
    assert "400 people" in sentence


def test_many_sites_are_told_by_their_ends(raked: Evaluation) -> None:
    rows = select_findings(raked.findings, section="weights")
    copies = [rows.assign(site=f"s{i}") for i in range(13)]
    many = pd.concat([*copies[:-1], copies[-1].assign(estimate=0.9)], ignore_index=True)
    told = tabulate_shares(many, raked.cohort)._repr_html_()
    assert "Smallest and largest share of any site" in told
    assert "to 90%" in told
    assert told.count("age group: young") == 1


def test_sections_speak_of_the_weights(raked: Evaluation, plain: Evaluation) -> None:
    quality = view(raked, "quality")._repr_html_()
    assert "Effective n (Kish)" in quality
    assert "answers weighted" in quality
    scales = view(raked, "scales")._repr_html_()
    assert "Answers are weighted" in scales
    assert "Percentages are weighted" in scales
    assert "(n = 400)" in scales
    assert "raked to the population" in view(raked, "methods")._repr_html_()
    assert "eighted" not in view(plain, "scales")._repr_html_()
    assert "(Kish)" not in view(plain, "quality")._repr_html_()
    assert describe_weights(plain.findings, plain.cohort) == ""


def test_weighted_percentages_have_the_number_of_people_beside_them(raked: Evaluation) -> None:
    assert raked.responses is not None
    assert raked.instrument is not None
    assert raked.publishable.answers is not None
    answers = raked.responses.answers.query("site == 'north' and wave == 'after'")
    items = raked.publishable.answers.items
    shares = items[items["item"] == "t1"]
    for code, share in shares.set_index("code")["share"].loc[3:].items():
        assert (answers["t1"] == code).sum() >= 10
        assert share == pytest.approx(np.average(answers["t1"] == code, weights=answers["weight"]))
    assert set(shares["n"]) == {len(answers)}
    from matplotlib.figure import Figure

    ax = Figure().subplots()
    draw_likert(ax, shares, raked.instrument)
    assert "n = 90" in ax.get_yticklabels()[0].get_text()
    width = ax.patches[2].get_width()  # type: ignore[attr-defined]
    assert width == pytest.approx(100 * shares["share"].iloc[2])
    above = 100 * np.average(answers["t1"] > 3, weights=answers["weight"])
    told = describe_answers(shares, raked.instrument)
    assert f"{above:.0f}% above the middle (n = 90)" in told


def test_small_groups_are_merged_by_people_not_by_weight() -> None:
    answers = pd.DataFrame({"q": [1.0] * 3 + [2.0] * 40 + [3.0] * 30 + [4.0] * 20 + [5.0] * 9})
    weights = answers["weight"] = np.where(answers["q"] == 1, 50.0, 1.0)
    answers["r"] = 1.0 + np.arange(len(answers)) % 5
    instrument = make_instrument({"double": ["q", "r"]})
    items = publish_answers(answers, instrument, make_cohort()).items.query("item == 'q'")
    assert items["share"].tolist() == pytest.approx(np.array([0, 190, 30, 29, 0]) / weights.sum())
    assert set(items["n"]) == {102}


def test_a_share_of_few_people_is_not_told() -> None:
    answers = pd.DataFrame({"q": [1.0] * 40 + [5.0] * 3})
    told = [
        describe_answers(publish_answers(answers, SINGLE, cohort).items, SINGLE)
        for cohort in (make_cohort(), make_cohort(smallest_group=3))
    ]
    assert "too few to tell" in told[0]
    assert "7% above" in told[1]


def test_a_category_of_three_people_shows_no_share(write: Write) -> None:
    survey = make_survey()
    north = (survey["area"] == "North") & (survey["round"] == 1)
    old = survey[north & (survey["age_group"] == "old")].index
    survey.loc[old[3:], "age_group"] = "middle"
    evaluation = evaluate_cohort("raked", write(survey))
    rows = select_findings(evaluation.findings, section="weights", site="north", period="before")
    row = find_row(rows, outcome="age_group/old", estimator="share_before")
    assert row is not None
    assert math.isnan(row["estimate"])
    assert "fewer than 10" in row["note"]
    hidden = tabulate_shares(evaluation.findings, evaluation.cohort)._repr_html_()
    assert "hidden" in hidden
    largest = find_row(rows, outcome="weight", estimator="largest_weight")
    assert largest is not None
    assert math.isnan(largest["estimate"])
    assert "hidden" in tabulate_weights(evaluation.findings, evaluation.cohort)._repr_html_()
    assert "Nobody counts for more" not in describe_weights(evaluation.findings, evaluation.cohort)


def test_blanks_are_kept_and_told_under_quality(write: Write) -> None:
    survey = make_survey()
    survey.loc[survey.index[::15], "sex"] = None
    evaluation = evaluate_cohort("raked", write(survey))
    assert evaluation.responses is not None
    quality = evaluation.responses.quality
    line = quality[quality["check"] == "no answer under 'sex'"].iloc[0]
    assert line["count"] == survey["sex"].isna().sum()
    assert "kept" in line["note"]
    assert len(evaluation.responses.answers) == len(survey)


def test_a_mistake_names_the_key_the_category_and_the_nearest(write: Write) -> None:
    wrong = COHORT.replace("middle: 0.45", "midle: 0.45").replace("sex: {f", "gender: {f")
    with pytest.raises(InputError) as refused:
        evaluate_cohort("raked", write(cohort=wrong))
    message = str(refused.value)
    assert "cohort.yml, key 'weighting.targets.age_group'" in message
    assert "'middle'" in message
    assert "Did you mean 'midle'?" in message
    assert "key 'weighting.targets.gender'" in message


@pytest.mark.parametrize("text", ["", "-1", "heavy", "nan", "inf"])
def test_a_given_weight_that_is_none_is_refused(write: Write, text: str) -> None:
    survey = make_survey().astype({"given": object})
    survey.loc[7, "given"] = text
    with pytest.raises(InputError, match=r"survey\.csv.*row 9.*A weight is 0 or more"):
        evaluate_cohort("raked", write(survey))


def test_given_weights_are_the_start_of_the_raking(write: Write) -> None:
    survey = make_survey()
    survey["given"] = 0.5 + (np.arange(len(survey)) % 5) / 4
    survey.loc[survey.index[::40], "given"] = 0.0
    evaluation = evaluate_cohort("raked", write(survey))
    assert evaluation.responses is not None
    answers = evaluation.responses.answers
    assert (answers["base_weight"].to_numpy() == survey["given"].to_numpy()).all()
    assert (answers["weight"].eq(0) == answers["base_weight"].eq(0)).all()
    quality = evaluation.responses.quality.set_index("check")
    assert quality.loc["left out: weight of 0", "count"] == 10
    only = COHORT[: COHORT.index("weighting:")]
    given = evaluate_cohort("raked", write(survey, only))
    assert "as the survey's own file has it" in describe_weights(given.findings, given.cohort)
    html = view(given, "quality")._repr_html_()
    assert "Effective n (Kish)" in html
    assert "The mix of people" not in html


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("  trim: [1.5, 3]", "1 between them"),
        ("  trim: [0.5, 0.9]", "1 between them"),
        ("  no_target: [M]", "'M' has a share here"),
    ],
)
def test_settings_that_contradict_are_refused(write: Write, line: str, said: str) -> None:
    with pytest.raises(InputError, match=rf"cohort\.yml.*weighting.*{said}"):
        evaluate_cohort("raked", write(cohort=COHORT + line + "\n"))


def test_trimmed_weights_say_what_they_miss(write: Write) -> None:
    evaluation = evaluate_cohort("raked", write(cohort=COHORT + "  trim: [0.9, 1.1]\n"))
    assert evaluation.responses is not None
    assert evaluation.responses.answers["weight"].max() <= 1.1 + 1e-9
    findings = evaluation.findings.assign(note="")
    sentence = describe_weights(findings, evaluation.cohort)
    assert "keep some shares from their targets" in sentence
    unflagged = describe_weights(findings.assign(flags=""), evaluation.cohort)
    assert "keep some shares" not in unflagged


def test_a_kept_column_may_not_be_called_weight(write: Write) -> None:
    wrong = COHORT.replace("keep: [age_group, sex]", "keep: [weight, sex]")
    with pytest.raises(InputError, match="'weight': rename this column"):
        evaluate_cohort("raked", write(cohort=wrong))
