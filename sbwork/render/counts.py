"""Counts: what changed, and each area against its control site."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sbwork.grade.headlines import find_headline
from sbwork.grade.publishable import Publishable
from sbwork.render.accuracy import tabulate_error_rates
from sbwork.render.blocks import Picture, Section, Table, compose_picture
from sbwork.render.intervals import WAVES, describe_interval, describe_value, find_known
from sbwork.render.placebos import introduce_ranks, picture_placebos, tabulate_placebos
from sbwork.render.style import (
    CONTROL,
    INK,
    INTERVENTION,
    WHITE_BOX,
    draw_intervals,
    fit_text,
    name_lines,
    name_months,
    shade_after,
)
from sbwork.specs.cohort import HARM, Cohort, Pair
from sbwork.stats import Flag
from sbwork.stats.findings import find_flagged, find_row, has_flag, select_findings
from sbwork.stats.formats import (
    MISSING,
    format_change,
    format_count,
    format_list,
    format_number,
    format_p,
    format_share,
    lower_title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_POOLED = (
    ("placebo", "rirr_placebo", "Interval from placebo areas"),
    ("counts", "rirr_pooled_bayes", "Random effects"),
    ("counts", "rirr_pooled", "REML, Knapp and Hartung"),
    ("counts", "rirr_pooled_fixed", "Fixed effects (not used)"),
)
_NO_INCIDENTS = (
    "No incident file was given, so nothing can be counted and no interval can be put around a "
    "change."
)
_ERRORS = (
    "An interval made from the counts of the sites themselves answers one question: could chance "
    "among incidents do this? It does not ask how much places drift for reasons of their own. "
    "Where they drift, it can see changes where nothing was done more often than it says."
)


def present_changes(evaluation: Publishable) -> Section:
    """Show the Durham table and its picture, or the figures as reported."""
    cohort, findings = evaluation.cohort, evaluation.findings
    why = explain_uncompared(cohort, findings)
    blocks: list[Any] = [why] if why else []
    if _has_changes(findings):
        blocks += [tabulate_changes(findings, cohort), _picture_changes(cohort, findings)]
    if len(select_findings(findings, section="reported")):
        blocks += [tabulate_reported_figures(cohort), picture_reported(evaluation)]
    return Section(blocks or ["No counts and no reported figures were given."])


def present_counts(evaluation: Publishable) -> Section:
    """Show each pair's comparison of counts, and where it stands among comparable places."""
    cohort, findings = evaluation.cohort, evaluation.findings
    if evaluation.incidents is None:
        return Section([_NO_INCIDENTS])
    counts = evaluation.incidents.months
    shown = counts[counts["site"].isin(cohort.shown_sites) & counts["count"].notna()]
    months = [
        _picture_months(cohort, counts, each)
        for each in cohort.list_outcomes()
        if len(evaluation.incidents.covered) > 4 and (shown["outcome"] == each).any()
    ]
    why = explain_uncompared(cohort, findings)
    if why:
        return Section([why, *months])
    controls = any(pair.control for pair in cohort.pairs)
    blocks: list[Any] = [_introduce(findings, controls)]
    if controls:
        blocks.append(tabulate_count_models(findings, cohort))
        pooled = tabulate_pooled(findings, cohort)
        blocks += [pooled] if pooled else []
    blocks += months
    if controls:
        blocks += [_ERRORS, tabulate_error_rates(findings, cohort)]
    blocks += [introduce_ranks(findings, controls), tabulate_placebos(findings, cohort)]
    return Section([*blocks, *picture_placebos(evaluation)])


def _introduce(findings: pd.DataFrame, controls: bool) -> str:
    """Say what the ratios are set against, and what their intervals allow for."""
    start = "A raw change says nothing about what would have happened anyway"
    if not controls:
        return f"{start}, and there is no control site to set it beside."
    start += (
        ". The relative incidence rate ratio (RIRR) sets the area's change against its control "
        "site's."
    )
    ratios = select_findings(findings, section="counts", estimator="rirr", period="change")
    single = find_flagged(ratios[ratios["ci_low"].notna()], Flag.SINGLE_MONTH)
    if len(single) and single.all():
        return (
            f"{start} Its interval takes counts to vary by chance alone, because a single month "
            "on each side can't show how much more they vary."
        )
    rest = ", except where a single month is compared" if single.any() else ""
    return (
        f"{start} Its interval allows for counts that jump about more than chance alone would make "
        f"them{rest}."
    )


def explain_uncompared(cohort: Cohort, findings: pd.DataFrame) -> str:
    """Say why the incidents can't be compared, or ""."""
    lacking = ["which sites are compared ('pairs')"] if not cohort.pairs else []
    lacking += ["which months are before and after ('periods')"] if cohort.periods is None else []
    if not cohort.incidents or (not lacking and _has_changes(findings)):
        return ""
    if lacking:
        return f"The incidents were counted, but cohort.yml does not say {' nor '.join(lacking)}."
    notes = select_findings(findings, section="counts", estimator="percentage_change")["note"]
    return " ".join(["The incidents were counted, but no change is known.", *notes.unique()])


def _has_changes(findings: pd.DataFrame) -> bool:
    changes = select_findings(findings, section="counts", estimator="percentage_change")
    return bool(changes["estimate"].notna().any())


def _picture_changes(cohort: Cohort, findings: pd.DataFrame) -> Picture:
    outcomes = cohort.list_outcomes()
    lines = sum(2 if pair.control else 1 for pair in cohort.shown_pairs)
    controls = any(pair.control for pair in cohort.pairs)
    return compose_picture(
        cohort,
        "changes",
        [
            (
                cohort.title_outcome(outcome),
                partial(draw_changes, findings=findings, cohort=cohort, outcome=outcome),
            )
            for outcome in outcomes
        ],
        size=(9.2, 1.3 + 0.55 * lines),
        alt=" ".join(describe_changes(cohort, findings, outcome) for outcome in outcomes),
        caption="Percentage change with its 95% interval. Blue circles: areas."
        + " Orange squares: their control sites." * controls,
        columns=len(outcomes),
    )


def picture_reported(evaluation: Publishable) -> Picture:
    """Draw the figures as reported."""
    figures = evaluation.cohort.reported_figures
    words = "; ".join(f"{f.title} {format_change(f.change_percent)}" for f in figures)
    return compose_picture(
        evaluation.cohort,
        "reported",
        [("", partial(draw_reported, findings=evaluation.findings))],
        size=(7.6, 1.1 + 0.6 * len(figures)),
        alt=f"Bars, hatched: {words}. No intervals can be given.",
        caption="Changes as reported. Hatching marks what could not be checked; there are no "
        "intervals because there are no counts.",
    )


def _picture_months(cohort: Cohort, counts: pd.DataFrame, outcome: str) -> Picture:
    panels = []
    for pair in cohort.shown_pairs:
        sites = [site for site in (pair.intervention, pair.control) if site]
        draw = partial(
            draw_monthly_counts, counts=counts, cohort=cohort, sites=sites, outcome=outcome
        )
        title = f"{cohort.title_pair(pair.intervention)}: {cohort.title_outcome(outcome)}"
        panels.append((title, draw))
    return compose_picture(
        cohort,
        f"months-{outcome}",
        panels,
        size=(9.2, 0.9 + 2.3 * len(panels)),
        alt=describe_monthly_counts(cohort, counts, cohort.shown_sites, outcome),
        caption="Incidents a month"
        + "; the shaded part is the period after" * (cohort.periods is not None)
        + ". A gap in a line is a month in which the files of that place can't be counted"
        + (
            f", has fewer than {cohort.smallest_count} incidents, or would give such a month back"
            * (cohort.smallest_count > 1)
        )
        + ".",
    )


def describe_changes(cohort: Cohort, findings: pd.DataFrame, outcome: str) -> str:
    """Say how much each area and its control site changed."""
    parts = [
        f"{area} in {cohort.title_site(pair.intervention)}"
        + (f" (its control site {control})" if control else "")
        for pair in cohort.shown_pairs
        for area, control in [describe_pair(cohort, findings, outcome, pair)]
        if area
    ]
    return f"{cohort.title_outcome(outcome)}: {format_list(parts)}." if parts else ""


def describe_pair(
    cohort: Cohort, findings: pd.DataFrame, outcome: str, pair: Pair
) -> tuple[str, str]:
    """Write how much a site and its control changed, and where the pair has fewer months, over all.

    Empty where a change is not known.
    """
    find = partial(find_known, findings, section="counts", outcome=outcome, period="change")
    months = find(site=pair.intervention, estimator="window_months")
    fewer = months is not None and has_flag(months, Flag.FEWER_MONTHS)
    texts = []
    for site in (pair.intervention, pair.control or ""):
        change = find(site=site, estimator="percentage_change")
        over = fewer and change is not None and not has_flag(change, Flag.FEWER_MONTHS)
        text = format_change(change["estimate"]) if change is not None else ""
        texts.append(f"{text} over all months" if over else text)
    return texts[0], texts[1]


def describe_counts(
    cohort: Cohort,
    findings: pd.DataFrame,
    outcome: str,
    sites: Sequence[str],
    waves: Sequence[str],
) -> str:
    """Say each site's count in the chosen periods and, over both, its change."""
    parts = []
    for site in sites:
        find = partial(find_row, findings, section="counts", outcome=outcome, site=site)
        counts = {wave: find(estimator="count", period=wave) for wave in waves}
        text = ", ".join(
            f"{format_count(row['estimate'])} {wave}"
            for wave, row in counts.items()
            if row is not None
        )
        change = find(estimator="percentage_change", period="change")
        if len(counts) > 1 and change is not None:
            interval = describe_interval(change, 0, percent=True)
            text += f": {format_change(change['estimate'])} (95% interval {interval})"
        parts.append(f"{cohort.title_site(site)} {text}")
    return f"{cohort.title_outcome(outcome)}. {'; '.join(parts)}."


def describe_reported(cohort: Cohort) -> str:
    """Say what figures were reported, and by whom."""
    figures = cohort.reported_figures
    values = format_list([f"{f.title} {format_change(f.change_percent)}" for f in figures])
    sources = format_list(sorted({figure.reported_by for figure in figures}))
    return f"These figures are as reported ({sources}): {values}."


def describe_monthly_counts(
    cohort: Cohort, counts: pd.DataFrame, sites: Sequence[str], outcome: str
) -> str:
    """Say what range the monthly counts of each site lie in."""
    known = counts[counts["outcome"] == outcome].dropna(subset="count")
    months = {site: known.loc[known["site"] == site, "count"] for site in sites}
    parts = [
        f"{cohort.title_site(site)} between {format_count(shown.min())} and "
        f"{format_count(shown.max())} a month"
        for site, shown in months.items()
        if len(shown)
    ]
    where = ", where shown" * (cohort.smallest_count > 1)
    title = lower_title(cohort.title_outcome(outcome))
    return f"Monthly counts of {title}{where}: {format_list(parts) or 'none'}."


def tabulate_changes(findings: pd.DataFrame, cohort: Cohort) -> Table:
    """Lay out the Durham table: each area beside its control site, an outcome a row."""
    spanners: dict[str, list[str]] = {}
    labels: dict[str, str] = {}
    for pair in cohort.shown_pairs:
        sites = [site for site in (pair.intervention, pair.control) if site]
        labels |= {site: cohort.title_site(site) for site in sites}
        if pair.control:
            spanners[pair.title or cohort.title_site(pair.intervention)] = sites
    rows: list[dict[str, str]] = []
    noted: list[tuple[str, str]] = []
    for outcome in cohort.list_outcomes():
        title = cohort.title_outcome(outcome)
        row = {"Change in": title}
        for site, label in labels.items():
            row[site], note = _describe_change(findings, outcome, site)
            noted.append((f"{title}, {label}", note))
        rows.append(row)
    return Table(
        rows,
        name="changes",
        title="Each area beside its control site" if spanners else "Each area, before and after",
        stub="Change in",
        spanners=spanners,
        labels=labels,
        notes=[
            *_name_rows(noted),
            "Each cell: percentage change; counts before and after; 95% interval.",
        ],
    )


def _describe_change(findings: pd.DataFrame, outcome: str, site: str) -> tuple[str, str]:
    """Write a site's change, and return the note on it."""
    find = partial(find_row, findings, section="counts", outcome=outcome, site=site)
    change = find(estimator="percentage_change", period="change")
    if change is None or math.isnan(change["estimate"]):
        return MISSING, str(change["note"]) if change is not None else ""
    before, after = (
        describe_value(find(estimator="count", period=wave), format_count) for wave in WAVES
    )
    interval = describe_interval(change, 0, percent=True)
    cell = f"{format_change(change['estimate'])}\n{before} to {after}\n({interval})"
    return cell, str(change["note"])


def tabulate_count_models(findings: pd.DataFrame, cohort: Cohort) -> Table:
    """Lay out the comparison of each pair's counts: raw change, RIRR and WDD, with intervals."""
    rows: list[dict[str, str]] = []
    noted: list[tuple[str, str]] = []
    outcomes = cohort.list_outcomes()
    for outcome, pair in ((outcome, pair) for outcome in outcomes for pair in cohort.pairs):
        find = partial(find_row, findings, section="counts", outcome=outcome, period="change")
        own = partial(find, site=pair.intervention)
        rirr, agreement = own(estimator="rirr"), own(estimator="rirr_wdd_agreement")
        if rirr is None:
            continue
        wdd = own(estimator="wdd_corrected")
        if wdd is None or math.isnan(wdd["estimate"]):
            wdd = own(estimator="wdd")
        titles = cohort.title_outcome(outcome), cohort.title_pair(pair.intervention)
        noted.append((", ".join(titles), rirr["note"]))
        if agreement is not None and agreement["estimate"] == 0:
            noted.append((", ".join(titles), agreement["note"]))
        control = find(site=pair.control or "", estimator="percentage_change")
        rows.append(
            {
                "Outcome": titles[0],
                "Pair": titles[1],
                "Months": _count_months(own(estimator="window_months"), cohort),
                "Area": describe_value(own(estimator="percentage_change"), format_change),
                "Control": describe_value(control, format_change),
                "RIRR": format_number(rirr["estimate"]),
                "95% interval": describe_interval(rirr),
                "p": format_p(rirr["p_value"]),
                "p adjusted": format_p(rirr["p_adjusted"]),
                "WDD": describe_value(wdd, format_count),
                "WDD interval": describe_interval(wdd, digits=0),
            }
        )
    return Table(
        rows,
        name="count-models",
        title="Each area against its control site",
        subtitle="Relative incidence rate ratio beside the raw change",
        stub="Pair",
        group="Outcome",
        spanners={"Raw change": ["Area", "Control"]},
        notes=[
            *_name_rows(noted),
            "Months: how many on each side are compared. RIRR: relative incidence rate ratio; 1 "
            "means the area changed just as its control site did, below 1 that it fell more or "
            f"rose less. {_describe_adjustment(cohort)} WDD: weighted displacement difference, in "
            "incidents over the window"
            f"{' (of crime harm, in its points)' if HARM in outcomes else ''}.",
        ],
    )


def _name_rows(noted: Sequence[tuple[str, str]]) -> list[str]:
    """Say of each note which rows it is for, unless it is for all of them."""
    rows: dict[str, dict[str, None]] = {}
    for row, note in noted:
        if note:
            rows.setdefault(note, {})[row] = None
    every = len({row for row, _ in noted})
    return [
        note if len(named) == every else f"{'; '.join(named)}: {note}"
        for note, named in rows.items()
    ]


def _count_months(row: pd.Series[Any] | None, cohort: Cohort) -> str:
    """Write how many months on a side are compared, of how many were planned."""
    if row is None or math.isnan(row["estimate"]) or cohort.periods is None:
        return MISSING
    planned = min(len(cohort.periods.before.months), len(cohort.periods.after.months))
    compared = int(row["estimate"])
    return str(compared) if compared == planned else f"{compared} of {planned}"


def _describe_adjustment(cohort: Cohort) -> str:
    """Say over which family p values are adjusted."""
    family = "Benjamini and Hochberg over all pairs and outcomes"
    if cohort.confirmatory_counts:
        titles = [lower_title(cohort.title_outcome(each)) for each in cohort.confirmatory_counts]
        family = (
            f"Holm over the pairs of the confirmatory outcomes ({format_list(titles)}), by that of "
            "Benjamini and Hochberg over the rest"
        )
    return f"p adjusted: by the method of {family}."


def tabulate_pooled(findings: pd.DataFrame, cohort: Cohort) -> Table | None:
    """Lay out each way of pooling the pairs and how much they differ; None without two pairs."""
    rows: list[dict[str, str]] = []
    notes: list[str] = []
    for outcome in cohort.list_outcomes():
        headline = find_headline(findings, outcome)
        if headline is None or headline.site != "all":
            continue
        find = partial(find_row, findings, outcome=outcome, site="all", period="change")
        for section, estimator, title in _POOLED:
            row = find(section=section, estimator=estimator)
            if row is None or math.isnan(row["estimate"]):
                continue
            leads = estimator == headline.ratio["estimator"]
            notes.append(str(row["note"]) and f"{title}: {row['note']}")
            spread = dict.fromkeys(("Q (df)", "Q test p", "I²", "tau"), "")
            rows.append(
                {
                    "Outcome": cohort.title_outcome(outcome),
                    "Taken together": f"{title} (leads)" if leads else title,
                    "RIRR": format_number(row["estimate"]),
                    "95% interval": describe_interval(row),
                    "p": "" if math.isnan(row["p_value"]) else format_p(row["p_value"]),
                    **(_describe_spread(find) if leads else spread),
                }
            )
    if not rows:
        return None
    return Table(
        rows,
        name="pooled",
        title="All pairs taken together",
        subtitle="Each way of pooling, and how much the pairs differ among themselves",
        stub="Taken together",
        group="Outcome",
        spanners={"How much pairs differ": ["Q (df)", "Q test p", "I²", "tau"]},
        notes=[
            *notes,
            "Q: Cochran's test that all pairs share one ratio. I²: share of the variation between "
            "pairs that chance within them does not explain. tau: standard deviation between "
            "pairs of the log ratio (REML). With two or three pairs all three are rough.",
        ],
    )


def _describe_spread(find: Any) -> dict[str, str]:
    """Write how much pairs differ."""
    q, i2, tau2 = (
        find(section="counts", estimator=f"heterogeneity_{name}") for name in ("q", "i2", "tau2")
    )
    known = q is not None and not math.isnan(q["estimate"])
    return {
        "Q (df)": f"{format_number(q['estimate'], 1)} ({format_count(q['df'])})"
        if known
        else MISSING,
        "Q test p": describe_value(q, format_p, "p_value"),
        "I²": describe_value(i2, format_share),
        "tau": describe_value(tau2, lambda value: format_number(math.sqrt(value))),
    }


def tabulate_reported_figures(cohort: Cohort) -> Table:
    """Lay out figures that somebody gave, with their source and what is not known of them."""
    unknown = dict.fromkeys(("Counts", "Interval", "Control site"), MISSING)
    return Table(
        [
            {
                "Figure": figure.title,
                "Change": format_change(figure.change_percent),
                **unknown,
                "Source": figure.reported_by,
            }
            for figure in cohort.reported_figures
        ],
        name="reported",
        title="Figures as reported",
        stub="Figure",
        text=["Source"],
        notes=["No counts came with these figures, so no interval can be given: level 1 evidence."],
    )


def draw_changes(ax: Axes, findings: pd.DataFrame, cohort: Cohort, outcome: str) -> None:
    """Draw each area's percentage change beside its control site's, with intervals."""
    rows = select_findings(
        findings, section="counts", estimator="percentage_change", outcome=outcome, period="change"
    )
    labels: list[str] = []
    for pair in cohort.shown_pairs:
        for site, colour, marker in (
            (pair.intervention, INTERVENTION, "o"),
            (pair.control, CONTROL, "s"),
        ):
            if not site:
                continue
            at = len(labels)
            labels.append(cohort.title_site(site))
            row = rows[(rows["site"] == site) & rows["estimate"].notna()].head(1)
            if row.empty:
                ax.text(0, at, "not available", va="center", ha="center", style="italic")
                continue
            draw_intervals(ax, row, [at], colour, marker, ms=9)
            ax.annotate(
                format_change(row["estimate"].iloc[0]),
                (row["estimate"].iloc[0], at),
                xytext=(0, 9),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=10,
                fontweight="bold",
                color=colour,
                bbox=WHITE_BOX,
            )
    ax.axvline(0, color=INK, lw=0.9, zorder=0)
    ax.locator_params(axis="x", nbins=6)
    name_lines(ax, labels)
    ax.set_ylim(len(labels) - 0.4, -0.75)
    ax.spines["left"].set_visible(False)
    ax.xaxis.set_major_formatter(lambda value, _: format_change(value))


def draw_monthly_counts(
    ax: Axes,
    counts: pd.DataFrame,
    cohort: Cohort,
    sites: Sequence[str],
    outcome: str,
    periods: Sequence[str] = WAVES,
) -> None:
    """Draw the monthly counts of sites; a month that no file covers is a gap in the line.

    Both periods also show what lies between and around them.
    """
    import seaborn as sns

    chosen = counts[(counts["outcome"] == outcome) & counts["month"].notna()]
    months = sorted(chosen["month"].unique())
    after: Sequence[str] = ()
    if cohort.periods is not None:
        after = cohort.periods.after.months
        if set(periods) != set(WAVES):
            shown = {m for period in periods for m in getattr(cohort.periods, period).months}
            months = [month for month in months if month in shown]
    at = {month: float(place) for place, month in enumerate(months)}
    shaded = [at[month] for month in after if month in at]
    if shaded:
        shade_after(ax, min(shaded), max(shaded))
    interventions = {pair.intervention for pair in cohort.shown_pairs}
    seen = {True: 0, False: 0}
    for site in sites:
        treated = site in interventions
        series = chosen[chosen["site"] == site].set_index("month")["count"].reindex(months)
        # seaborn joins what lies on both sides of a missing number: a line a run leaves the gap
        runs = series.isna().cumsum().to_numpy()
        if series.isna().all():
            continue
        sns.lineplot(
            x=[at[month] for month in months],
            y=series.to_numpy(dtype=float),
            units=runs,
            estimator=None,
            ax=ax,
            color=INTERVENTION if treated else CONTROL,
            linestyle="-" if treated else "--",
            alpha=1 / (1 + 0.5 * seen[treated]),
            marker=("o^Dv" if treated else "sPX*")[seen[treated] % 4],
            markersize=6,
            markeredgewidth=0,
            lw=1.8,
            label=fit_text(cohort.title_site(site), 30),
        )
        seen[treated] += 1
    name_months(ax, months)


def draw_reported(ax: Axes, findings: pd.DataFrame) -> None:
    """Draw figures as reported by others, hatched, so that they never pass for measurements."""
    import seaborn as sns

    rows = select_findings(findings, section="reported")
    values = rows["estimate"].to_numpy(dtype=float)
    sns.barplot(
        x=values, y=rows["outcome"].to_numpy(), orient="h", ax=ax, color="#dfe5ec", saturation=1,
        edgecolor=INTERVENTION, hatch="///", lw=1,
    )  # fmt: skip
    for place, value in enumerate(values):
        side = "right" if value > 0 else "left"
        ax.annotate(
            format_change(value),
            (0, place),
            xytext=(-8 if value > 0 else 8, 0),
            textcoords="offset points",
            ha=side,
            va="center",
            fontweight="bold",
        )
    ax.axvline(0, color=INK, lw=0.9)
    name_lines(ax, rows["outcome"].tolist())
    ax.grid(visible=False)
    ax.set(xlabel="", ylabel="")
    ax.set_xlim(min(-100.0, np.min(values, initial=0)), max(22.0, np.max(values, initial=0)))
    ax.spines["left"].set_visible(False)
    ax.xaxis.set_major_formatter(lambda value, _: format_change(value))
