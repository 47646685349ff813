"""Counts: what changed, and each area against its control site."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sbwork.evaluation import Evaluation
from sbwork.grade.headlines import find_headline
from sbwork.render.accuracy import tabulate_error_rates
from sbwork.render.blocks import Picture, Section, Table, compose_picture
from sbwork.render.intervals import describe_interval, describe_value
from sbwork.render.placebos import introduce_ranks, picture_placebos, tabulate_placebos
from sbwork.render.style import CONTROL, INK, INTERVENTION
from sbwork.specs.cohort import HARM, Cohort, Pair
from sbwork.stats import Flag
from sbwork.stats.findings import find_row, has_flag, select_findings
from sbwork.stats.formats import (
    MISSING,
    format_change,
    format_count,
    format_interval,
    format_list,
    format_number,
    format_p,
    format_share,
    lower_title,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "describe_change",
    "describe_changes",
    "describe_counts",
    "describe_monthly_counts",
    "describe_reported",
    "draw_changes",
    "draw_monthly_counts",
    "draw_reported",
    "picture_reported",
    "present_changes",
    "present_counts",
    "tabulate_changes",
    "tabulate_count_models",
    "tabulate_pooled",
    "tabulate_reported_figures",
]

_NO_FIGURES = "No counts and no reported figures were given."
_POOLED = (
    ("placebo", "rirr_placebo", "Interval from placebo areas"),
    ("counts", "rirr_pooled_bayes", "Random effects"),
    ("counts", "rirr_pooled", "REML, Knapp and Hartung"),
    ("counts", "rirr_pooled_fixed", "Fixed effects (not used)"),
)


def present_changes(evaluation: Evaluation) -> Section:
    """Show the Durham table and its picture, or the figures as reported."""
    cohort, findings = evaluation.cohort, evaluation.findings
    blocks: list[Any] = []
    if cohort.pairs and len(select_findings(findings, section="counts")):
        blocks.append(tabulate_changes(findings, cohort))
        blocks.append(_picture_changes(evaluation))
    if len(select_findings(findings, section="reported")):
        blocks.append(tabulate_reported_figures(cohort))
        blocks.append(picture_reported(evaluation))
    return Section(blocks or [_explain_silence(cohort) or _NO_FIGURES])


def present_counts(evaluation: Evaluation) -> Section:
    """Show each pair's comparison of counts, and where it stands among comparable places."""
    cohort, findings = evaluation.cohort, evaluation.findings
    if evaluation.incidents is None or evaluation.placebo is None:
        return Section(
            ["No incident file was given, so nothing can be counted and no interval can be put "
             "around a change."]
        )  # fmt: skip
    missing = _explain_silence(cohort)
    if missing:
        return Section([missing])
    controls = any(pair.control for pair in cohort.pairs)
    blocks: list[Any] = []
    if controls:
        blocks.append(
            "A raw change says nothing about what would have happened anyway. The relative "
            "incidence rate ratio (RIRR) sets the area's change against its control site's. "
            f"{_describe_interval(findings)}"
        )
        blocks.append(tabulate_count_models(findings, cohort))
        pooled = tabulate_pooled(findings, cohort)
        blocks += [pooled] if pooled is not None else []
    else:
        blocks.append(
            "A raw change says nothing about what would have happened anyway, and there is no "
            "control site to set it beside."
        )
    if len(evaluation.incidents.months) > 4:
        blocks += [_picture_months(evaluation, outcome) for outcome in cohort.list_outcomes()]
    if controls:
        blocks += _show_errors(evaluation)
    blocks.append(introduce_ranks(findings, controls))
    blocks.append(tabulate_placebos(findings, cohort))
    blocks += list(picture_placebos(evaluation))
    return Section(blocks)


def _show_errors(evaluation: Evaluation) -> list[Any]:
    """Say what intervals do not ask, and show how often they err."""
    return [
        "An interval made from the counts of the sites themselves answers one question: could "
        "chance among incidents do this? It does not ask how much places drift for reasons of "
        "their own. Where they drift, it can see changes where nothing was done more often than "
        "it says.",
        tabulate_error_rates(evaluation.findings, evaluation.cohort),
    ]


def _describe_interval(findings: pd.DataFrame) -> str:
    """Say what the intervals of the ratios allow for."""
    ratios = select_findings(findings, section="counts", estimator="rirr", period="change")
    known = ratios[ratios["ci_low"].notna()]
    single = [has_flag(row, Flag.SINGLE_MONTH) for _, row in known.iterrows()]
    if single and all(single):
        return (
            "Its interval takes counts to vary by chance alone, because a single month on each "
            "side can't show how much more they vary."
        )
    allowed = (
        "Its interval allows for counts that jump about more than chance alone would make them"
    )
    return f"{allowed}{', except where a single month is compared' if any(single) else ''}."


def _explain_silence(cohort: Cohort) -> str:
    """Say what cohort.yml lacks for its incidents to be compared, or ""."""
    lacking = ["which sites are compared ('pairs')"] if not cohort.pairs else []
    lacking += ["which months are before and after ('periods')"] if cohort.periods is None else []
    if not cohort.incidents or not lacking:
        return ""
    return f"The incidents were counted, but cohort.yml does not say {' nor '.join(lacking)}."


def _picture_changes(evaluation: Evaluation) -> Picture:
    cohort, findings = evaluation.cohort, evaluation.findings
    outcomes = list(cohort.list_outcomes())
    lines = sum(2 if pair.control else 1 for pair in cohort.pairs)

    def draw(figure: Figure) -> None:
        axes = figure.subplots(1, len(outcomes), sharey=True, squeeze=False)[0]
        for ax, outcome in zip(axes, outcomes, strict=True):
            draw_changes(ax, findings, cohort, outcome)

    told = [describe_changes(cohort, findings, outcome) for outcome in outcomes]
    return compose_picture(
        cohort,
        "changes",
        draw,
        size=(9.2, 1.3 + 0.55 * lines),
        alt=" ".join(told),
        caption=(
            "Percentage change with its 95% interval. Blue circles: areas. Orange squares: their "
            "control sites."
        ),
    )


def picture_reported(evaluation: Evaluation) -> Picture:
    """Draw the figures as reported."""
    cohort, findings = evaluation.cohort, evaluation.findings
    told = "; ".join(
        f"{f.title} {format_change(f.change_percent)}" for f in cohort.reported_figures
    )
    return compose_picture(
        cohort,
        "reported",
        lambda figure: draw_reported(figure.subplots(), findings),
        size=(7.6, 1.1 + 0.6 * len(cohort.reported_figures)),
        alt=f"Bars, hatched: {told}. No intervals can be given.",
        caption="Changes as reported. Hatching marks what could not be checked; there are no "
        "intervals because there are no counts.",
    )


def _picture_months(evaluation: Evaluation, outcome: str) -> Picture:
    cohort = evaluation.cohort
    assert evaluation.incidents is not None  # noqa: S101
    counts = evaluation.incidents.sites
    sites = [[s for s in (pair.intervention, pair.control) if s] for pair in cohort.pairs]

    def draw(figure: Figure) -> None:
        axes = figure.subplots(len(sites), 1, sharex=True, squeeze=False)[:, 0]
        for ax, pair, shown in zip(axes, cohort.pairs, sites, strict=True):
            draw_monthly_counts(ax, counts, cohort, shown, outcome)
            ax.set_title(f"{cohort.title_pair(pair.intervention)}: {cohort.title_outcome(outcome)}")

    told = describe_monthly_counts(cohort, counts, cohort.compared_sites, outcome)
    return compose_picture(
        cohort,
        f"months-{outcome}",
        draw,
        size=(9.2, 0.9 + 2.3 * len(sites)),
        alt=told,
        caption="Incidents a month; the shaded part is the period after. A gap in a line is a "
        "month in which the files of that place can't be counted.",
    )


def describe_changes(cohort: Cohort, findings: pd.DataFrame, outcome: str) -> str:
    """Say how each area changed beside its control site."""
    parts = [_compare_pair(cohort, findings, outcome, pair) for pair in cohort.pairs]
    told = "; ".join(part for part in parts if part)
    return f"{cohort.title_outcome(outcome)}: {told}." if told else ""


def describe_change(
    cohort: Cohort, findings: pd.DataFrame, outcome: str, pair: Pair, site: str | None
) -> str:
    """Write how much a site of a pair changed, and over which months where the pair has fewer.

    Empty where its change is not known.
    """
    find = partial(find_row, findings, section="counts", outcome=outcome, period="change")
    change = find(site=site or "", estimator="percentage_change")
    months = find(site=pair.intervention, estimator="window_months")
    if change is None or math.isnan(change["estimate"]):
        return ""
    text = format_change(change["estimate"])
    fewer = months is not None and has_flag(months, Flag.FEWER_MONTHS)
    return f"{text} over all months" if fewer and not has_flag(change, Flag.FEWER_MONTHS) else text


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
        place = {"section": "counts", "outcome": outcome, "site": site}
        counts = {
            wave: find_row(findings, **place, estimator="count", period=wave) for wave in waves
        }
        told = ", ".join(
            f"{format_count(row['estimate'])} {wave}"
            for wave, row in counts.items()
            if row is not None
        )
        change = find_row(findings, **place, estimator="percentage_change", period="change")
        if len(counts) > 1 and change is not None:
            interval = format_interval(change["ci_low"], change["ci_high"], 0, percent=True)
            told += f": {format_change(change['estimate'])} (95% interval {interval})"
        parts.append(f"{cohort.title_site(site)} {told}")
    return f"{cohort.title_outcome(outcome)}. {'; '.join(parts)}."


def describe_reported(cohort: Cohort) -> str:
    """Say what figures were reported, and by whom."""
    figures = format_list(
        [f"{f.title} {format_change(f.change_percent)}" for f in cohort.reported_figures]
    )
    sources = format_list(sorted({figure.reported_by for figure in cohort.reported_figures}))
    return f"These figures are as reported ({sources}): {figures}."


def describe_monthly_counts(
    cohort: Cohort, counts: pd.DataFrame, sites: Sequence[str], outcome: str
) -> str:
    """Say what range the monthly counts of each site lie in."""
    parts = []
    for site in dict.fromkeys(sites):
        chosen = counts[(counts["site"] == site) & (counts["outcome"] == outcome)]["count"]
        if chosen.notna().any():
            parts.append(
                f"{cohort.title_site(site)} between {format_count(chosen.min())} and "
                f"{format_count(chosen.max())} a month"
            )
    return f"Monthly counts of {lower_title(cohort.title_outcome(outcome))}: {format_list(parts)}."


def _compare_pair(cohort: Cohort, findings: pd.DataFrame, outcome: str, pair: Pair) -> str:
    area, control = (
        describe_change(cohort, findings, outcome, pair, site)
        for site in (pair.intervention, pair.control)
    )
    if not area:
        return ""
    beside = f" beside {control} in its control site" if control else ""
    return f"{cohort.title_site(pair.intervention)} {area}{beside}"


def tabulate_changes(findings: pd.DataFrame, cohort: Cohort) -> Table:
    """Lay out the Durham table: each area beside its control site, an outcome a row."""
    spanners: dict[str, list[str]] = {}
    labels: dict[str, str] = {}
    sites = [(pair, site) for pair in cohort.pairs for site in (pair.intervention, pair.control)]
    for pair, site in sites:
        if site:
            spanners.setdefault(pair.title or cohort.title_site(pair.intervention), []).append(site)
            labels[site] = cohort.title_site(site)
    rows: list[dict[str, str]] = []
    noted: list[tuple[str, str]] = []
    for outcome in cohort.list_outcomes():
        row = {"Change in": cohort.title_outcome(outcome)}
        for site, title in labels.items():
            row[site], note = _describe_cell(findings, outcome, site)
            noted.append((f"{cohort.title_outcome(outcome)}, {title}", note))
        rows.append(row)
    notes = _name_rows(noted)
    notes.append("Each cell: percentage change; counts before and after; 95% interval.")
    return Table(
        rows,
        name="changes",
        title="Each area beside its control site"
        if any(pair.control for pair in cohort.pairs)
        else "Each area, before and after",
        stub="Change in",
        spanners={key: value for key, value in spanners.items() if len(value) > 1},
        labels=labels,
        notes=notes,
    )


def tabulate_count_models(findings: pd.DataFrame, cohort: Cohort) -> Table:
    """Lay out the comparison of each pair's counts: raw change, RIRR and WDD, with intervals."""
    rows: list[dict[str, str]] = []
    noted: list[tuple[str, str]] = []
    outcomes = list(cohort.list_outcomes())
    for outcome in outcomes:
        title = cohort.title_outcome(outcome)
        find = partial(find_row, findings, section="counts", outcome=outcome, period="change")
        for pair in cohort.pairs:
            rirr = find(site=pair.intervention, estimator="rirr")
            if rirr is None:
                continue
            wdd = find(site=pair.intervention, estimator="wdd_corrected")
            if wdd is None or math.isnan(wdd["estimate"]):
                wdd = find(site=pair.intervention, estimator="wdd")
            area, control = (
                find(site=site or "", estimator="percentage_change")
                for site in (pair.intervention, pair.control)
            )
            row = f"{title}, {cohort.title_pair(pair.intervention)}"
            noted.append((row, rirr["note"]))
            agreement = find(site=pair.intervention, estimator="rirr_wdd_agreement")
            if agreement is not None and agreement["estimate"] == 0:
                noted.append((row, agreement["note"]))
            rows.append(
                {
                    "Outcome": title,
                    "Pair": cohort.title_pair(pair.intervention),
                    "Months": _count_months(
                        find(site=pair.intervention, estimator="window_months"), cohort
                    ),
                    "Area": describe_value(area, format_change),
                    "Control": describe_value(control, format_change),
                    "RIRR": format_number(rirr["estimate"]),
                    "95% interval": describe_interval(rirr),
                    "p": format_p(rirr["p_value"]),
                    "p adjusted": format_p(rirr["p_adjusted"]),
                    "WDD": describe_value(wdd, format_count),
                    "WDD interval": describe_interval(wdd, digits=0),
                }
            )
    notes = _name_rows(noted)
    notes.append(
        "Months: how many on each side are compared. RIRR: relative incidence rate ratio; 1 means "
        "the area changed just as its control site did, below 1 that it fell more or rose less. "
        f"{_describe_adjustment(cohort)} WDD: weighted displacement difference, in incidents over "
        f"the window{' (of crime harm, in its points)' if HARM in outcomes else ''}."
    )
    return Table(
        rows,
        name="count-models",
        title="Each area against its control site",
        subtitle="Relative incidence rate ratio beside the raw change",
        stub="Pair",
        group="Outcome",
        spanners={"Raw change": ["Area", "Control"]},
        notes=notes,
    )


def tabulate_pooled(findings: pd.DataFrame, cohort: Cohort) -> Table | None:
    """Lay out the pairs taken together: each way of pooling, and how much the pairs differ."""
    rows: list[dict[str, str]] = []
    notes: list[str] = []
    for outcome in cohort.list_outcomes():
        find = partial(find_row, findings, outcome=outcome, site="all", period="change")
        spread = {
            name: find(section="counts", estimator=f"heterogeneity_{name}")
            for name in ("q", "i2", "tau2")
        }
        headline = find_headline(findings, outcome)
        if headline is None or headline.site != "all":
            continue
        q = spread["q"]
        for section, estimator, title in _POOLED:
            row = find(section=section, estimator=estimator)
            if row is None or math.isnan(row["estimate"]):
                continue
            leads = estimator == headline.ratio["estimator"]
            notes.append(str(row["note"]) and f"{title}: {row['note']}")
            rows.append(
                {
                    "Outcome": cohort.title_outcome(outcome),
                    "Taken together": f"{title} (leads)" if leads else title,
                    "RIRR": format_number(row["estimate"]),
                    "95% interval": describe_interval(row),
                    "p": "" if math.isnan(row["p_value"]) else format_p(row["p_value"]),
                    "Q (df)": _describe_q(q) if leads else "",
                    "Q test p": format_p(q["p_value"]) if leads and q is not None else "",
                    "I²": describe_value(spread["i2"], format_share) if leads else "",
                    "tau": _describe_tau(spread["tau2"]) if leads else "",
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


def tabulate_reported_figures(cohort: Cohort) -> Table:
    """Lay out figures that somebody gave, with their source and what is not known of them."""
    rows = [
        {
            "Figure": figure.title,
            "Change": format_change(figure.change_percent),
            "Counts": MISSING,
            "Interval": MISSING,
            "Control site": MISSING,
            "Source": figure.reported_by,
        }
        for figure in cohort.reported_figures
    ]
    return Table(
        rows,
        name="reported",
        title="Figures as reported",
        stub="Figure",
        text=["Source"],
        notes=["No counts came with these figures, so no interval can be given: level 1 evidence."],
    )


def _name_rows(noted: Sequence[tuple[str, str]]) -> list[str]:
    """Say of each note which rows it is for, unless it is for all of them."""
    rows: dict[str, list[str]] = {}
    for row, note in noted:
        if note and row not in rows.setdefault(note, []):
            rows[note].append(row)
    every = len({row for row, _ in noted})
    return [
        note if len(held) == every else f"{'; '.join(held)}: {note}" for note, held in rows.items()
    ]


def _count_months(row: pd.Series[Any] | None, cohort: Cohort) -> str:
    """Write how many months on a side are compared, of how many were meant."""
    if row is None or math.isnan(row["estimate"]) or cohort.periods is None:
        return MISSING
    meant = min(len(cohort.periods.before.months), len(cohort.periods.after.months))
    held = int(row["estimate"])
    return str(held) if held == meant else f"{held} of {meant}"


def _describe_cell(findings: pd.DataFrame, outcome: str, site: str) -> tuple[str, str]:
    """Write a site's change, and return the note on it."""
    place = {"section": "counts", "outcome": outcome, "site": site}
    change = find_row(findings, **place, estimator="percentage_change", period="change")
    if change is None or math.isnan(change["estimate"]):
        return MISSING, str(change["note"]) if change is not None else ""
    counts = [
        find_row(findings, **place, estimator="count", period=wave) for wave in ("before", "after")
    ]
    cell = (
        f"{format_change(change['estimate'])}\n"
        f"{describe_value(counts[0], format_count)} to {describe_value(counts[1], format_count)}\n"
        f"({format_interval(change['ci_low'], change['ci_high'], 0, percent=True)})"
    )
    return cell, str(change["note"])


def _describe_adjustment(cohort: Cohort) -> str:
    """Say over which family p values are adjusted."""
    family = "Benjamini and Hochberg over all pairs and outcomes"
    if cohort.confirmatory_counts:
        titles = format_list(
            [lower_title(cohort.title_outcome(each)) for each in cohort.confirmatory_counts]
        )
        family = f"Holm over the pairs of the confirmatory outcomes ({titles}), by that of "
        family += "Benjamini and Hochberg over the rest"
    return f"p adjusted: by the method of {family}."


def _describe_q(row: pd.Series[Any] | None) -> str:
    if row is None or math.isnan(row["estimate"]):
        return MISSING
    return f"{format_number(row['estimate'], 1)} ({format_count(row['df'])})"


def _describe_tau(row: pd.Series[Any] | None) -> str:
    return MISSING if row is None else format_number(math.sqrt(row["estimate"]))


def draw_changes(ax: Axes, findings: pd.DataFrame, cohort: Cohort, outcome: str) -> None:
    """Draw each area's percentage change beside its control site's, with intervals."""
    rows = select_findings(findings, section="counts", estimator="percentage_change")
    rows = rows[(rows["outcome"] == outcome) & (rows["period"] == "change")]
    labels: list[str] = []
    for pair in cohort.pairs:
        for site, colour, marker in (
            (pair.intervention, INTERVENTION, "o"),
            (pair.control, CONTROL, "s"),
        ):
            if not site:
                continue
            at = len(labels)
            labels.append(cohort.title_site(site))
            row = find_row(rows, site=site)
            if row is None or np.isnan(row["estimate"]):
                ax.text(0, at, "not available", va="center", ha="center", style="italic")
                continue
            ax.plot([row["ci_low"], row["ci_high"]], [at, at], color=colour, lw=2.2, alpha=0.75)
            ax.plot(row["estimate"], at, marker, color=colour, ms=9, mec="white", mew=1)
            ax.annotate(
                format_change(row["estimate"]),
                (row["estimate"], at),
                xytext=(0, 9),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=10,
                fontweight="bold",
                color=colour,
                bbox={"fc": "white", "ec": "none", "alpha": 0.85, "pad": 0.8},
            )
    ax.axvline(0, color=INK, lw=0.9, zorder=0)
    ax.locator_params(axis="x", nbins=6)
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(len(labels) - 0.4, -0.75)
    ax.grid(axis="x")
    ax.tick_params(length=0)
    ax.spines["left"].set_visible(False)
    ax.xaxis.set_major_formatter(lambda value, _: format_change(value))
    ax.set_title(cohort.title_outcome(outcome))


def draw_monthly_counts(
    ax: Axes,
    counts: pd.DataFrame,
    cohort: Cohort,
    sites: Sequence[str],
    outcome: str,
    periods: Sequence[str] = ("before", "after"),
) -> None:
    """Draw the monthly counts of sites; a month that no file covers is a gap in the line."""
    chosen = counts[counts["outcome"] == outcome]
    months = sorted(chosen["month"].unique())
    if cohort.periods and set(periods) != {"before", "after"}:
        wanted = {month for period in periods for month in getattr(cohort.periods, period).months}
        months = [month for month in months if month in wanted]
    at = {month: index for index, month in enumerate(months)}
    held = [at[m] for m in cohort.periods.after.months if m in at] if cohort.periods else []
    if held:
        ax.axvspan(min(held) - 0.5, max(held) + 0.5, color="#eef3f8", zorder=0)
        ax.text(min(held) - 0.3, 0.985, "after", transform=ax.get_xaxis_transform(), va="top")
    seen = {True: 0, False: 0}
    interventions = {pair.intervention for pair in cohort.pairs}
    for site in sites:
        treated = site in interventions
        series = chosen[chosen["site"] == site].set_index("month")["count"].reindex(months)
        ax.plot(
            range(len(months)),
            series.to_numpy(),
            "-" if treated else "--",
            color=(INTERVENTION if treated else CONTROL),
            alpha=1 / (1 + 0.5 * seen[treated]),
            marker=("o^Dv" if treated else "sPX*")[seen[treated] % 4],
            ms=4.5,
            lw=1.8,
            label=cohort.title_site(site),
        )
        seen[treated] += 1
    step = max(1, len(months) // 8)
    ax.set_xticks(range(0, len(months), step), months[::step], rotation=30, ha="right")
    ax.set_ylim(bottom=0, top=ax.get_ylim()[1] * 1.12)
    ax.grid(axis="y")
    ax.set_ylabel("Incidents a month")
    ax.set_title(cohort.title_outcome(outcome))
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=9)


def draw_reported(ax: Axes, findings: pd.DataFrame) -> None:
    """Draw figures as reported by others, hatched, so that they never pass for measurements."""
    rows = select_findings(findings, section="reported")
    values = rows["estimate"].to_numpy(dtype=float)
    ax.barh(range(len(rows)), values, color="#dfe5ec", edgecolor=INTERVENTION, hatch="///", lw=1)
    for index, value in enumerate(values):
        inside = "right" if value > 0 else "left"
        ax.annotate(
            format_change(value),
            (0, index),
            xytext=(-8 if value > 0 else 8, 0),
            textcoords="offset points",
            ha=inside,
            va="center",
            fontweight="bold",
        )
    ax.axvline(0, color=INK, lw=0.9)
    ax.set_yticks(range(len(rows)), rows["outcome"].tolist())
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_xlim(min(-100.0, values.min(initial=0)), max(22.0, values.max(initial=0)))
    ax.tick_params(length=0)
    ax.spines["left"].set_visible(False)
    ax.xaxis.set_major_formatter(lambda value, _: format_change(value))
