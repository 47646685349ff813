"""How each number was made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sbwork.grade.checklists import trend_checklist
from sbwork.grade.publishable import Publishable
from sbwork.render.blocks import Bullets, Section, Table
from sbwork.specs.instrument import Instrument
from sbwork.stats.findings import select_findings
from sbwork.stats.formats import format_list, lower_title

_WEIGHTS = (
    "Weights: means and shares are weighted, and so is the spread within groups; standard errors "
    "are linearised, as for people drawn with replacement (Lumley 2010), which without weights is "
    "the same as HC2. Alpha, omega and the numbers of people are not weighted."
)
_MECHANISM = (
    "Mechanism: recursive least squares with a term for each site and for the wave, weighted "
    "where the answers are; percentile intervals of 5,000 bootstrap samples of people within site "
    "and wave (MacKinnon 2008). Between factors: maximum likelihood. Sensitivity: "
    "Imai, Keele and Yamamoto (2010)."
)
_RAKING = (
    " The answers of each site and wave are raked to the population's shares by iterative "
    "proportional fitting (Deming and Stephan 1940); standard errors take out what those shares "
    "explain (Deville, Särndal and Sautory 1993)."
)


_SAMPLE = (
    "Who answered: standardised differences as in Austin (2009), of categories as in Yang and "
    "Dalton (2012); bounds of Lee (2009) and Manski (1990), with the interval of Imbens and Manski "
    "(2004); blanks by full-information maximum likelihood with Huber and White's errors; order "
    "alone by the cumulative logit model (McCullagh 1980) and Mann and Whitney's test."
)
_CLUSTERS = (
    "People come in clusters, so differences in differences have CR2 errors by cluster and "
    "Satterthwaite's degrees of freedom (Pustejovsky and Tipton 2018)."
)


def present_methods(evaluation: Publishable) -> Section:
    """Say how each number was made, and attach the TREND checklist."""
    cohort = evaluation.cohort
    blocks: list[Any] = [Bullets(tuple(_list_methods(evaluation)))]
    blocks.append(tabulate_checklist(trend_checklist(cohort, evaluation.findings)))
    sources = (*_cite_instrument(evaluation), *cohort.attribution, *cohort.references)
    if sources:
        blocks += ["Sources and references:", Bullets(tuple(sources))]
    blocks.append(
        "Every estimate, interval and p value of a site, a pair or a scale stands unrounded in "
        "results.csv and results.json beside this page. What was merely read or counted (files, "
        "rows, questionnaires, single months, single answers, questions left blank, options "
        "ticked, the engagement log, distances on the map), and the medians that show how scores "
        "spread, stand only on this page. manifest.json holds "
        "the fingerprints of the files that were read, the versions of the software and the seed "
        f"({cohort.seed})."
    )
    return Section(blocks)


def _cite_instrument(evaluation: Publishable) -> Iterator[str]:
    """Say where the questionnaire comes from, and under which licence it may be used."""
    instrument = evaluation.instrument
    if instrument is not None:
        told = [f"Questionnaire: {instrument.title or instrument.name}"]
        told += [instrument.source] if instrument.source else []
        told += [f"Licence: {instrument.licence}"] if instrument.licence else []
        yield ". ".join(part.rstrip(".") for part in told) + "."


def _except_scales(instrument: Instrument | None) -> str:
    """Name the scales whose questionnaire says how many items must be answered."""
    if instrument is None:
        return ""
    own = [
        f"{spec.minimum_answered} for {lower_title(instrument.title_scale(scale))}"
        for scale, spec in instrument.scales.items()
        if spec.minimum_answered is not None
    ]
    return f" ({format_list(own)})" if own else ""


def _list_methods(evaluation: Publishable) -> Iterator[str]:
    if evaluation.incidents is not None:
        yield (
            "Percentage change: 100 (after / before − 1). Relative incidence rate ratio: the "
            "area's after/before ratio divided by its control site's (Wilson 2022), with a "
            "variance corrected for over-dispersion and a t reference. Weighted displacement "
            "difference: Wheeler and Ratcliffe (2018)."
        )
        yield (
            "Placebo distribution: the same comparison for comparable areas in which nothing was "
            "done; the p value is the pair's rank among them, and their spread gives an interval "
            "(Conley and Taber 2011), made wider for few areas and for fewer incidents (Ferman "
            "and Pinto 2019)."
        )
        yield (
            "Does it hold up: drift before the start is the slope of log(area / control); the "
            "panel model is quasi-Poisson or negative binomial, with site and month effects "
            "(Cameron and Trivedi 2013); the controlled interrupted time series follows Lopez "
            "Bernal, Cummins and Gasparrini (2018), drift to undo a result Rambachan and Roth "
            "(2023: relative magnitudes by quarter, conditional least-favourable hybrid), the "
            "specification curve Simonsohn, Simmons and Nelson (2020)."
        )
    if evaluation.answers is not None:
        yield (
            "Scale scores: the mean of the answered items, reversed where the key says so, when at "
            f"least half are answered{_except_scales(evaluation.instrument)}; 'don't know' counts "
            "as no answer. Welch's t and Hedges' g with its noncentral-t interval describe each "
            "site; sites together are the mean of their own figures, each pair with the same say. "
            "The difference in differences is estimated by weighted least squares with HC2 "
            "standard errors, of change scores where the same people answered both waves, "
            "clustered by person where some did (Bell and McCaffrey 2002). Equivalence is tested "
            "by two one-sided tests. p is adjusted by Holm's method over the scales declared "
            "confirmatory, by Benjamini and Hochberg's over the rest, for all pairs together and "
            "for single pairs apart."
        )
        if len(select_findings(evaluation.findings, section="weights")):
            yield _WEIGHTS + (_RAKING if evaluation.cohort.weighting.targets else "")
        yield (
            "Reliability: Cronbach's alpha with Feldt's interval; omega total from a one-factor "
            "maximum-likelihood model with a bootstrap interval."
        )
        yield _SAMPLE
        if (evaluation.findings["estimator"] == "n_clusters").any():
            yield _CLUSTERS
        if len(select_findings(evaluation.findings, section="mechanism")):
            yield _MECHANISM
        yield (
            f"Groups of fewer than {evaluation.cohort.smallest_group} people are hidden, and so is "
            "any figure that would give them back; questionnaires that were left out are counted."
        )
    yield (
        "Level of evidence: the Maryland Scientific Methods Scale. Below level 3 the report says "
        "that things changed alongside the work, and no more."
    )


def tabulate_checklist(items: Sequence[tuple[str, str]]) -> Table:
    """Lay out the TREND checklist: each item, and where it is reported or that it is not."""
    rows = [{"Item": item, "Where": where} for item, where in items]
    return Table(rows, name="trend", title="TREND checklist", stub="Item", text=["Where"])
