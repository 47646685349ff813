"""What a change may have run through: work in the area, social capital, potency, outcomes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sbwork.compare.latent_paths import LatentData, Paths, chain_latent, fit_latent
from sbwork.score.latent import ModelFit
from sbwork.specs.cohort import Cohort, Pair
from sbwork.specs.errors import InputError, Problem, find_nearest, list_names, quote
from sbwork.specs.instrument import Instrument
from sbwork.stats import Estimate, Flag, Reason
from sbwork.stats.estimate import Refusal, add_note
from sbwork.stats.findings import Finding, combine_findings, tabulate_findings
from sbwork.stats.mediation import (
    Chain,
    PathFit,
    count_shocks,
    find_area_shock,
    find_clear_rho,
    find_percentiles,
    fit_chain,
    fit_paths,
)

__all__ = ["check_mechanism", "compare_mechanism"]

_SECTION = "mechanism"
_WAVES = ("before", "after")
_FEWEST = 10
_MOST_LOST = 0.05
_DRAWS = 5000
_ROLES = ("work", "cause", "mediator", "outcome")
_MODELS: dict[str, Paths] = {
    "forward": ((0,), (0, 1), (0, 1, 2)),
    "reversed": ((0, 2), (0,), (0, 1, 2)),
    "common_source": ((0,), (0,), (0,)),
    "forward_only": ((0,), (1,), (2,)),
    "reversed_only": ((2,), (0,), (1,)),
    "direct_only": ((0,), (0,), (0,)),
}
"""Of cause, mediator and outcome, what the equation of each holds, by their place in the chain.

In ``common_source`` the errors correlate, which between observed scores has the likelihood of
``forward``.
"""
_SHORT: dict[str, Paths] = {"forward": ((0,), (0, 1))}
"""The same without an outcome."""
_FIT = ("loglik", "chisq", "aic", "bic")
_LATENT_FIT = ("loglik", "chisq", "cfi", "rmsea", "srmr", "aic", "bic")

_NO_PAIRS = Refusal(Reason.NO_CONTROL, "cohort.yml names no pair, so no site had the work.")
_NO_ANSWERS = Refusal(Reason.NO_ANSWERS, "Nobody has a score on every measure of the path.")
_TOO_FEW = Refusal(
    Reason.TOO_FEW_PEOPLE,
    f"No pair of sites has {_FEWEST} people with every score on both sides in both waves.",
)
_NO_CONTROL = "There is no control site, so a change here cannot be told from a change everywhere."
_UNWEIGHTED = "Models of factors are not weighted."
_LATENT = "Between factors, from complete answers."
_WEIGHTED = "Weighted, each person's weight as given; n counts people before weighting."
_LINKED = "Somebody who answered both waves was drawn with both answers."
_FEW_DRAWS = "No interval: too many bootstrap samples had nothing to compute it from."
_SD = "In standard deviations of the scores within sites and waves."
_NO_TOTAL = Refusal(
    Reason.NOT_APPLICABLE,
    "The interval of the whole change takes in no change, so there is nothing to take a share of.",
)
_NOT_CLEAR = Refusal(
    Reason.NOT_APPLICABLE,
    "The interval of the indirect change takes in no change already, so nothing more is needed.",
)
_RHO = (
    "If reasons that nobody measured made the errors of the two measures correlate by this much, "
    "the path between them would be nothing (Imai, Keele and Yamamoto 2010)."
)
_RHO_CLEAR = "From this correlation of the errors on, the interval takes in no change."
_SHOCK = (
    "If chance moves the cause by this much (standard deviation per area and wave), the interval "
    "of what runs through it takes in no change."
)
_FIT_NOTE = "Normal log-likelihood of the equations, each person's answers taken as independent."


@dataclass(frozen=True)
class _Sample:
    """The people whose answers a path is computed from."""

    variables: NDArray[np.float64]
    covariates: NDArray[np.float64]
    weights: NDArray[np.float64]
    units: NDArray[np.intp]
    strata: NDArray[np.intp]
    cells: NDArray[np.intp]
    flags: tuple[Flag, ...]
    notes: tuple[str, ...]

    @property
    def n(self) -> int:
        return len(self.variables)


def check_mechanism(cohort: Cohort, instrument: Instrument) -> list[Problem]:
    """Find names of the mechanism that the questionnaire lacks, and measures that share items."""
    mechanism = cohort.mechanism
    if mechanism is None:
        return []
    scales, items = list(instrument.scales), list(instrument.items)
    named = [("cause", mechanism.cause), ("mediator", mechanism.mediator)]
    named += [("outcomes", outcome) for outcome in mechanism.outcomes]
    problems: list[Problem] = []
    made_of: dict[str, tuple[str, str, set[str]]] = {}
    for key, name in named:
        known = [*scales, *items] if key == "outcomes" else scales
        kind = "scale or item" if key == "outcomes" else "scale"
        place = f"key 'mechanism.{key}'"
        if name not in known:
            found = f"there is no {kind} '{quote(name)}' in the questionnaire '{instrument.name}'"
            allowed = f"Scales: {list_names(scales) or 'none'}"
            problems.append(Problem("cohort.yml", place, found, allowed, find_nearest(name, known)))
            continue
        own = {name} if name in items else set(instrument.list_scale_items(name))
        for other_key, other, theirs in made_of.values():
            if own & theirs and (key != "outcomes" or other_key != "outcomes"):
                shared = list_names(sorted(own & theirs))
                found = f"'{quote(name)}' and '{quote(other)}' share {shared}"
                allowed = "A measure may not be a part of another on the same path"
                problems.append(Problem("cohort.yml", place, found, allowed))
        made_of[name] = (key, name, own)
    return problems


def compare_mechanism(
    answers: pd.DataFrame, scores: pd.DataFrame, cohort: Cohort, instrument: Instrument
) -> pd.DataFrame:
    """Compute what of the change in each outcome runs through the measures of a path.

    Parameters
    ----------
    answers : pandas.DataFrame, shape (n_questionnaires, ...)
        `Responses.answers`, for outcomes that are single items.
    scores : pandas.DataFrame, shape (n_questionnaires, ...)
        From `score.score_scales`, of the same rows.
    cohort : Cohort
        ``mechanism`` names cause, mediator and outcomes; sites, pairs and seed.
    instrument : Instrument
        Names the scales.

    Returns
    -------
    pandas.DataFrame, columns `findings.RESULT_COLUMNS`
        Section ``"mechanism"``, site ``"all"``; none where cohort.yml names no mechanism. With
        the mediator as the outcome, work, cause and mediator are the path; with each outcome, all
        four. ``path_A_B`` is the coefficient of A in the equation of B, and ``direct`` that of work
        in the equation of the outcome; ``indirect_serial``, ``indirect_cause`` and
        ``indirect_mediator`` are the products along the routes through both, through the cause
        alone and the mediator alone, ``indirect_through_cause`` and ``indirect`` the sums of those
        through the cause and of all; ``total`` adds ``direct``. Each again as ``_standardised``.
        ``share_through_cause`` is that of the total, where the interval of the total leaves out
        no change. ``rho_cause_outcome`` and ``rho_mediator_outcome`` are the correlations of errors
        at which a path would vanish, ``_clear`` those from which its interval takes in 0;
        ``area_shock`` is the chance shock to the cause per area and wave at which the interval
        of ``indirect_through_cause`` does. Outcome ``OUTCOME/MODEL``: ``loglik``, ``chisq``
        (against the model with every path), ``aic`` and ``bic`` of six models. Outcome
        ``OUTCOME/latent``: the same path with cause and mediator as factors, measured by their
        items or, if made of scales, by these; ``OUTCOME/latent_MODEL``: ``loglik``, ``chisq``,
        ``cfi``, ``rmsea``, ``srmr``, ``aic`` and ``bic`` of the six models.

    Raises
    ------
    InputError
        A name is not in the questionnaire, or two measures share items.

    Notes
    -----
    Weighted least squares with an intercept, an effect of each site and one of the wave; work is 1
    for the answers after the work in its sites. Percentile intervals of 5,000 bootstrap samples of
    people, drawn within site and wave; who answered both waves is drawn with both answers. Models
    of factors rest on complete answers, unweighted.
    """
    mechanism = cohort.mechanism
    if mechanism is None:
        return combine_findings([])
    problems = check_mechanism(cohort, instrument)
    if problems:
        raise InputError(problems)
    first = (mechanism.cause, mechanism.mediator)
    findings: list[Finding] = []
    for names in (first, *((*first, outcome) for outcome in mechanism.outcomes)):
        measures = [_take_measure(name, answers, scores, instrument) for name in names]
        sample = _lay_out(measures, scores, cohort)
        if not isinstance(sample, Refusal):
            sample = _find_gap(sample, names, instrument) or sample
        comparison = "control" if any(pair.control for pair in cohort.pairs) else ""
        place = {"site": "all", "comparison": comparison, "period": "change"}
        found = [*_describe(sample, names, cohort)]
        parts = [_list_parts(name, answers, scores, instrument) for name in names]
        if len(names) > 2:
            parts[-1] = {names[-1]: measures[-1]}
        every = [*measures, *(values for node in parts for values in node.values())]
        if not isinstance(sample, Refusal):
            sample = _lay_out(every, scores, cohort)
        found += _describe_latent(sample, [list(node) for node in parts], cohort)
        findings += [
            Finding(_SECTION, "/".join((names[-1], *model)), estimate=estimate, **place)
            for *model, estimate in found
        ]
    return tabulate_findings(findings)


def _list_parts(
    name: str, answers: pd.DataFrame, scores: pd.DataFrame, instrument: Instrument
) -> dict[str, NDArray[np.float64]]:
    """Return what a measure is made of: the scores of its scales, or its items."""
    spec = instrument.scales.get(name)
    parts = (spec.scales or spec.items) if spec else (name,)
    return {part: _take_measure(part, answers, scores, instrument) for part in parts}


def _take_measure(
    name: str, answers: pd.DataFrame, scores: pd.DataFrame, instrument: Instrument
) -> NDArray[np.float64]:
    """Return the scores of a scale or the answers to an item, turned round if it is in the key."""
    if name in instrument.scales:
        return scores[name].to_numpy(dtype=np.float64)
    values = answers[name].to_numpy(dtype=np.float64)
    low, high = instrument.find_range(name)
    return low + high - values if instrument.items[name].reverse else values


def _lay_out(
    measures: Sequence[NDArray[np.float64]], scores: pd.DataFrame, cohort: Cohort
) -> _Sample | Refusal:
    """Lay out the people of the pairs that can be compared who have every score."""
    if not cohort.pairs:
        return _NO_PAIRS
    weight = scores["weight"].to_numpy(dtype=np.float64)
    site, wave = (scores[name].astype(str).to_numpy() for name in ("site", "wave"))
    values = np.column_stack(measures)
    usable = np.isfinite(values).all(axis=1) & np.isfinite(weight) & (weight > 0)
    among = np.isin(site, cohort.compared_sites) & np.isin(wave, _WAVES)
    if not (usable & among).any():
        return _NO_ANSWERS
    counts = pd.Series(list(zip(site, wave, strict=True)))[usable & among].value_counts()
    pairs = cohort.list_surveyed_pairs(set(counts[counts >= _FEWEST].index))
    if not pairs:
        return _TOO_FEW
    sites = list(dict.fromkeys(s for p in pairs for s in (p.intervention, p.control) if s))
    among &= np.isin(site, sites)
    rows = np.flatnonzero(usable & among)
    after = (wave[rows] == "after").astype(np.float64)
    treated = np.isin(site[rows], [pair.intervention for pair in pairs])
    beside = any(pair.control for pair in pairs)
    covariates = [site[rows] == name for name in sites] + ([after] if beside else [])
    cells = np.array([sites.index(name) for name in site[rows]]) * 2 + after.astype(int)
    person = scores["person"].fillna("").astype(str).to_numpy()[rows]
    units, strata, twice = _find_units(person, site[rows], cells)
    flags, notes = _describe_pairs(pairs, cohort)
    if not (weight[rows] == 1).all():
        flags, notes = [*flags, Flag.WEIGHTED], [*notes, _WEIGHTED]
    if twice:
        linked = Flag.LINKED if twice == len(rows) else Flag.PARTLY_LINKED
        flags, notes = [*flags, linked], [*notes, _LINKED]
    return _Sample(
        np.column_stack([treated * after, values[rows]]),
        np.column_stack(covariates).astype(np.float64),
        weight[rows],
        units,
        strata,
        cells,
        tuple(flags),
        tuple(notes),
    )


def _find_units(
    person: NDArray[np.object_], site: NDArray[np.object_], cells: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp], int]:
    """Find whom each row is of, the strata to draw from, and how many rows share their person."""
    named = zip(site, person, strict=True)
    own = [f"{at}/{name}" if name else f"/{row}" for row, (at, name) in enumerate(named)]
    units = pd.factorize(np.array(own))[0]
    held = pd.Series(cells).groupby(units).agg(lambda group: str(sorted(group)))
    return units, pd.factorize(held)[0][units], int((np.bincount(units)[units] > 1).sum())


def _describe_pairs(pairs: Sequence[Pair], cohort: Cohort) -> tuple[list[Flag], list[str]]:
    controls = [pair.control for pair in pairs if pair.control]
    flags = [Flag.SHARED_CONTROL] if len(set(controls)) < len(controls) else []
    notes = [] if controls else [_NO_CONTROL]
    absent = [cohort.title_site(p.intervention) for p in cohort.pairs if p not in pairs]
    if absent:
        flags.append(Flag.PAIRS_LEFT_OUT)
        notes.append(f"Left out for want of answers or of a control site: {', '.join(absent)}.")
    return flags, notes


def _describe(
    sample: _Sample | Refusal, names: Sequence[str], cohort: Cohort
) -> Iterator[tuple[str, Estimate] | tuple[Estimate]]:
    """Compute everything of one path; each number with the model it belongs to, if to one."""
    roles = (*_ROLES[: len(names)], _ROLES[-1])
    if not isinstance(sample, Refusal):
        chain = _fit(sample, cohort.seed)
        yield from ((estimate,) for estimate in _describe_chain(chain, sample, roles, cohort))
        if len(names) > 2:
            yield from _compare_models(sample, cohort.seed)
        return
    yield from ((estimate,) for estimate in sample.name_each(dict(_list_units(roles))))
    if len(names) > 2:
        for model in _MODELS:
            yield from ((model, sample.name(name)) for name in _FIT)


def _describe_latent(
    sample: _Sample | Refusal, parts: Sequence[Sequence[str]], cohort: Cohort
) -> Iterator[tuple[str, Estimate]]:
    """Compute the same path between factors, and how each model of factors fits."""
    roles = (*_ROLES[: len(parts)], _ROLES[-1])
    models = _MODELS if len(parts) > 2 else _SHORT
    fits: dict[str, tuple[ModelFit, str]] = {}
    refused: Refusal | None = None
    if isinstance(sample, Refusal):
        refused = sample
    else:
        flags = tuple(flag for flag in sample.flags if flag is not Flag.WEIGHTED)
        notes = tuple(note for note in sample.notes if note != _WEIGHTED)
        weighted = (_UNWEIGHTED,) if len(flags) < len(sample.flags) else ()
        sample = replace(
            sample, weights=np.ones(sample.n), flags=flags, notes=(*weighted, *notes, _LATENT)
        )
        data = _measure(sample, parts)
        for name, paths in models.items():
            fits[name] = fit_latent(data, paths, tied=name == "common_source")
        fit, problem = fits["forward"]
        if problem or not fit.converged:
            refused = Refusal(Reason.NOT_ESTIMABLE, f"The latent model can't be used: {problem}")
        else:
            chain = chain_latent(data, fit, draws=_DRAWS, seed=cohort.seed)
            for estimate in _describe_chain(chain, sample, roles, cohort):
                yield "latent", estimate
    if refused:
        yield from (("latent", each) for each in refused.name_each(dict(_list_units(roles))))
    for name in models:
        yield from ((f"latent_{name}", each) for each in _rate_latent(fits.get(name), refused))


def _measure(sample: _Sample, parts: Sequence[Sequence[str]]) -> LatentData:
    """Take from a sample the columns of what each variable is made of."""
    columns = iter(sample.variables.T[len(parts) + 1 :])
    return LatentData(
        tuple({name: next(columns) for name in node} for node in parts),
        sample.variables[:, 0],
        sample.covariates[:, 1:],
        sample.units,
        sample.strata,
    )


def _rate_latent(
    fitted: tuple[ModelFit, str] | None, refused: Refusal | None
) -> Iterator[Estimate]:
    if fitted is None:
        assert refused is not None  # noqa: S101
        yield from (refused.name(name) for name in _LATENT_FIT)
        return
    fit, problem = fitted
    if problem or not fit.converged:
        gap = Refusal(Reason.NOT_ESTIMABLE, f"The latent model can't be used: {problem}")
        yield from (gap.name(name) for name in _LATENT_FIT)
        return
    indices = fit.fit
    for name in _LATENT_FIT:
        more: dict[str, Any] = {}
        if name == "chisq":
            more = {"df": float(indices["df"]), "p_value": float(indices["p_value"])}
        elif name == "rmsea":
            more = {"ci_low": float(indices["rmsea_low"]), "ci_high": float(indices["rmsea_high"])}
            more["ci_level"] = 0.9
        yield Estimate(name, float(indices[name]), n=float(indices["n"]), note=_LATENT, **more)


def _list_units(roles: Sequence[str]) -> Iterator[tuple[str, str]]:
    """List the names of all that is computed of a path, each with its unit."""
    last = len(roles) - 1
    effects = [_name_path(j, i, roles) for i in range(1, last + 1) for j in range(i)]
    effects += [_name_route(route, roles) for route in _list_indirect(last)]
    effects += ["indirect_through_cause", "indirect", "total"] if last > 2 else ["total"]
    for name in effects:
        yield name, "points"
        yield f"{name}_standardised", "sd"
    yield "share_through_cause", "share"
    for earlier in range(1, last):
        yield f"rho_{roles[earlier]}_outcome", "correlation"
        yield f"rho_{roles[earlier]}_outcome_clear", "correlation"
    yield "area_shock", "points"


def _list_indirect(last: int) -> list[tuple[int, ...]]:
    return [(0, 1, 2, 3), (0, 1, 3), (0, 2, 3)] if last == 3 else [(0, 1, 2)]


def _name_path(earlier: int, later: int, roles: Sequence[str]) -> str:
    direct = earlier == 0 and later == len(roles) - 1
    return "direct" if direct else f"path_{roles[earlier]}_{roles[later]}"


def _name_route(route: Sequence[int], roles: Sequence[str]) -> str:
    return "indirect_serial" if len(route) > 3 else f"indirect_{roles[route[1]]}"


def _find_gap(sample: _Sample, names: Sequence[str], instrument: Instrument) -> Refusal | None:
    """Say why no path can be computed from these answers."""
    for name, column in zip(names, sample.variables.T[1:], strict=True):
        if np.ptp(column) == 0:
            title = instrument.title_scale(name)
            return Refusal(Reason.NO_VARIATION, f"Everybody has the same score on {title}.")
    alone = fit_chain(sample.variables, sample.covariates, sample.weights, draws=0)
    known = np.isfinite(alone.factor[np.arange(len(names) + 1), np.arange(len(names) + 1), 0])
    if known.all():
        return None
    lost = int(np.argmin(known))
    if lost == 0:
        return _TOO_FEW
    title = instrument.title_scale(names[lost - 1])
    note = f"{title} follows exactly from site, wave and the measures before it on the path."
    return Refusal(Reason.NOT_ESTIMABLE, note)


def _fit(sample: _Sample, seed: int, order: Sequence[int] | None = None) -> Chain:
    variables = sample.variables if order is None else sample.variables[:, list(order)]
    return fit_chain(
        variables, sample.covariates, sample.weights,
        units=sample.units, strata=sample.strata, draws=_DRAWS, seed=seed,
    )  # fmt: skip


def _describe_chain(
    chain: Chain, sample: _Sample, roles: Sequence[str], cohort: Cohort
) -> Iterator[Estimate]:
    last = len(roles) - 1
    scaled, spread = chain.standardise(), chain.spreads[last]
    numbers = {
        _name_path(j, i, roles): (chain.coefficients[i, j], scaled[i, j])
        for i in range(1, last + 1)
        for j in range(i)
    }
    routes = {_name_route(r, roles): chain.follow(*r) for r in _list_indirect(last)}
    direct, indirect = chain.follow(0, last), np.sum(list(routes.values()), axis=0)
    total = direct + indirect
    through = indirect - routes.get("indirect_mediator", 0.0)
    if last > 2:
        routes |= {"indirect_through_cause": through, "indirect": indirect}
    routes["total"] = total
    numbers |= {name: (draws, draws / spread) for name, draws in routes.items()}
    for name, (draws, in_spreads) in numbers.items():
        yield _summarise(name, draws, sample, "points")
        yield _summarise(f"{name}_standardised", in_spreads, sample, "sd", _SD)
    low, high = find_percentiles(total[1:])
    known: dict[str, Any] = {"n": sample.n, "flags": sample.flags}
    if low <= 0 <= high:
        yield _NO_TOTAL.name("share_through_cause", unit="share", **known)
    else:
        with np.errstate(divide="ignore", invalid="ignore"):
            share = through / total
        yield _summarise("share_through_cause", share, sample, "share")
    before = chain.coefficients[1, 0]
    for earlier in range(1, last):
        name = f"rho_{roles[earlier]}_outcome"
        rho = chain.correlate_errors(earlier, last)
        yield _summarise(name, rho, sample, "correlation", _RHO)
        clear = find_clear_rho(chain, earlier, last, before)
        if clear:
            yield Estimate(f"{name}_clear", clear, unit="correlation", note=_RHO_CLEAR, **known)
        else:
            yield _NOT_CLEAR.name(f"{name}_clear", unit="correlation", **known)
        before = before * chain.coefficients[2, 1]
    shocks = count_shocks(sample.variables[:, 0], sample.covariates, sample.weights, sample.cells)
    rest = chain.coefficients[last, 1]
    if last > 2:
        rest = rest + chain.coefficients[2, 1] * chain.coefficients[3, 2]
    shock = find_area_shock(chain.coefficients[1, 0], rest, shocks, cohort.seed)
    if math.isnan(shock):
        yield _NOT_CLEAR.name("area_shock", unit="points", **known)
    else:
        yield Estimate("area_shock", shock, unit="points", note=_SHOCK, **known)


def _summarise(
    name: str, draws: NDArray[np.float64], sample: _Sample, unit: str, *notes: str
) -> Estimate:
    """Take a number and its draws for an estimate with its percentile interval."""
    known = np.isfinite(draws[1:])
    low, high = find_percentiles(draws[1:])
    note = " ".join((*notes, *sample.notes))
    estimate = Estimate(
        name, float(draws[0]), low, high, se=float(np.std(draws[1:][known], ddof=1)),
        n=sample.n, unit=unit, note=note, flags=sample.flags,
    )  # fmt: skip
    if known.mean() < 1 - _MOST_LOST:
        bare = replace(estimate, ci_low=math.nan, ci_high=math.nan, se=math.nan)
        return add_note(bare, _FEW_DRAWS, Flag.NO_INTERVAL)
    return estimate


def _compare_models(sample: _Sample, seed: int) -> Iterator[tuple[str, Estimate]]:
    """Set models of the same answers side by side, and follow the path in the other order."""
    turned = _fit(sample, seed, (0, 2, 1, 3))
    serial = turned.follow(0, 1, 2, 3)
    yield "reversed", _summarise("indirect_serial", serial, sample, "points")
    scaled = serial / turned.spreads[3]
    yield "reversed", _summarise("indirect_serial_standardised", scaled, sample, "sd", _SD)
    fits = {
        model: fit_paths(sample.variables, sample.covariates, paths, sample.weights)
        for model, paths in _MODELS.items()
    }
    full = fits["common_source"] = fits["forward"]
    flags = [f for f in sample.flags if f not in (Flag.LINKED, Flag.PARTLY_LINKED)]
    if len(flags) < len(sample.flags):
        flags.append(Flag.LINKED_AS_UNLINKED)
    for model, fit in fits.items():
        for name in _FIT:
            yield model, _describe_fit(name, fit, full, tuple(flags))


def _describe_fit(name: str, fit: PathFit, full: PathFit, flags: tuple[Flag, ...]) -> Estimate:
    from scipy.stats import chi2

    if name != "chisq":
        value = float(getattr(fit, name))
        return Estimate(name, value, n=fit.n, note=_FIT_NOTE, flags=flags)
    chisq = max(0.0, 2 * (full.loglik - fit.loglik))
    df = full.parameters - fit.parameters
    p = float(chi2.sf(chisq, df)) if df else math.nan
    return Estimate(
        name, chisq if df else 0.0, p_value=p, df=df, n=fit.n, note=_FIT_NOTE, flags=flags
    )
