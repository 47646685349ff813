"""Planning: possible controls, a mixture of areas, the smallest detectable change."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd
from numpy.typing import ArrayLike

from sbwork.compare.controls import LARGEST_DIFFERENCE, ControlSearch
from sbwork.render.blocks import Bullets, Picture, Section, Table, compose_picture
from sbwork.render.style import CONTROL, INK, INTERVENTION
from sbwork.specs.cohort import Cohort
from sbwork.stats import Flag, Reason
from sbwork.stats.findings import find_row, has_flag, select_findings
from sbwork.stats.formats import (
    describe_p,
    format_change,
    format_count,
    format_list,
    format_months,
    format_number,
    format_share,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "describe_balance",
    "describe_candidates",
    "describe_detectable",
    "describe_mixture",
    "draw_balance",
    "draw_detectable",
    "draw_mixture",
    "list_gaps",
    "present_candidates",
    "present_mixture",
    "present_plan",
    "tabulate_balance",
    "tabulate_candidates",
    "tabulate_detectable",
    "title_feature",
]

_DRAWN = 5
_TREND, _SEASON = 6, 12
_WHY_NONE = {
    Reason.TOO_FEW_AREAS: "no area of the archive is left to compare with",
    Reason.NO_MONTHS: "no month before the start has counts",
}
_FEATURES = {
    "level": "incidents a month",
    "trend": "trend, % a month",
    "season": "seasonal swing, % of the mean",
    "mix": "share of all incidents",
    "population": "residents",
}
_LIMIT = 0.25
_LOOKS = ((INTERVENTION, "o", "-"), (CONTROL, "s", "--"), ("#5c6875", "^", "-."),
          ("#6d3f9c", "D", ":"))  # fmt: skip


def present_candidates(cohort: Cohort, *, search: ControlSearch) -> Section:
    """Show the areas most like a site, and how like it they are."""
    blocks: list[Any] = [describe_candidates(cohort, search)]
    gaps = list_gaps(cohort, search)
    if not search.ranking.empty:
        names = {key: name or key for key, name in search.ranking[["area", "name"]].to_numpy()}
        search = replace(search, balance=search.balance.replace({"area": names}))
        blocks.append(tabulate_candidates(cohort, search.ranking))
        blocks.append(tabulate_balance(cohort, search.balance))
        blocks.append(_picture_balance(cohort, search))
    if gaps:
        blocks += ["What could not be compared:", Bullets(tuple(gaps))]
    return Section(blocks)


def present_mixture(
    cohort: Cohort,
    *,
    mixture: pd.DataFrame,
    traced: pd.DataFrame,
    names: Mapping[str, str] | None = None,
) -> Section:
    """Show a site beside the mixture of areas that follows it before the start."""
    mixture = mixture.assign(comparison=mixture["comparison"].replace(dict(names or {})))
    blocks: list[Any] = []
    for outcome in cohort.outcomes:
        told = describe_mixture(cohort, mixture, outcome)
        blocks.append(told)
        path = traced[traced["outcome"] == outcome]
        if len(path):
            blocks.append(_picture_mixture(cohort, outcome, path, told))
    return Section(blocks)


def present_plan(cohort: Cohort, *, plan: pd.DataFrame) -> Section:
    """Show the smallest fall that a site could show, by window and number of controls."""
    told = describe_detectable(cohort, plan)
    blocks: list[Any] = [told, tabulate_detectable(cohort, plan)]
    known = plan.dropna(subset="estimate")
    outcomes = list(dict.fromkeys(known["outcome"]))
    if outcomes:

        def draw(figure: Figure) -> None:
            axes = figure.subplots(1, len(outcomes), sharey=True, squeeze=False)[0]
            for ax, outcome in zip(axes, outcomes, strict=True):
                draw_detectable(ax, known[known["outcome"] == outcome])
                ax.set_title(cohort.title_outcome(outcome))
            axes[0].set_ylim(1.1 * known["estimate"].min(), 0)
            axes[-1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=9)

        blocks.append(
            compose_picture(
                cohort,
                "detectable",
                draw,
                size=(9.2, 3.6),
                alt=told,
                caption="The smallest fall, relative to the controls, that would be found. Longer "
                "windows help more than more controls.",
            )
        )
    return Section(blocks)


def _picture_balance(cohort: Cohort, search: ControlSearch) -> Picture:
    areas = list(dict.fromkeys(search.balance["area"]))[:_DRAWN]
    balance = search.balance[search.balance["area"].isin(areas)]
    features = balance.drop_duplicates(["outcome", "feature"])
    labels = [
        title_feature(cohort, outcome, feature)
        for outcome, feature in zip(features["outcome"], features["feature"], strict=True)
    ]

    def draw(figure: Figure) -> None:
        draw_balance(figure.subplots(), balance, labels)
        figure.legend(loc="outside lower right", ncols=2, fontsize=9)

    return compose_picture(
        cohort,
        "balance",
        draw,
        size=(8.6, 1.6 + 0.36 * len(labels)),
        alt=describe_balance(search, labels),
        caption=f"How far the first {len(areas)} areas lie from the site. The shaded band holds "
        "differences of a quarter of a standard deviation or less.",
    )


def _picture_mixture(cohort: Cohort, outcome: str, path: pd.DataFrame, told: str) -> Picture:
    def draw(figure: Figure) -> None:
        draw_mixture(
            figure.subplots(),
            path["month"].tolist(),
            path["site_count"].to_numpy(),
            path["mixture_count"].to_numpy(),
            int((path["period"] == "before").sum()),
        )

    return compose_picture(
        cohort,
        f"mixture-{outcome}",
        draw,
        size=(9.2, 3.4),
        alt=told,
        caption=f"{cohort.title_outcome(outcome)}: the site (blue circles) beside the mixture of "
        "areas that followed it best before the start (orange squares).",
    )


def describe_candidates(cohort: Cohort, search: ControlSearch) -> str:
    """Say how many areas could stand beside the site, and which is most like it."""
    site = cohort.title_site(str(search.findings["site"].iloc[0]))
    left = [f"{row['reason'].lower()}: {row['areas']}" for _, row in search.left_out.iterrows()]
    out = f" Left out: {'; '.join(left)}." if left else ""
    if search.ranking.empty:
        reason = _WHY_NONE[Reason(search.findings["reason"].iloc[0])]
        return f"No area can be ranked beside {site}: {reason}.{out}"
    first = search.ranking.iloc[0]
    return (
        f"{format_count(len(search.ranking))} areas could stand beside {site}, judged by the "
        f"months before the start ({format_months(search.months[0], search.months[-1])}). The "
        f"most alike is {first['name'] or first['area']}, {format_number(first['distance'])} "
        f"standard deviations away.{out}"
    )


def list_gaps(cohort: Cohort, search: ControlSearch) -> list[str]:
    """List what could not be compared, and why."""
    gaps = []
    months = len(search.months)
    had = "1 month before the start is" if months == 1 else f"{months} months before the start are"
    if months < _TREND:
        gaps.append(f"Trends are not compared: {had} in the files, and a trend needs {_TREND}.")
    if months < _SEASON:
        gaps.append(f"Seasons are not compared: {had} in the files, and a season needs {_SEASON}.")
    if search.ranking.empty:
        return gaps
    if search.ranking["population"].isna().any():
        gaps.append("Residents are not compared: no population is given for every area.")
    if has_flag(search.findings.iloc[0], Flag.NO_BOUNDARIES):
        gaps.append("No boundaries are given, so areas next to the site could not be ruled out.")
    return gaps


def describe_balance(search: ControlSearch, labels: Sequence[str]) -> str:
    """Say how far the most similar area lies from the site in each feature."""
    first = search.balance[search.balance["area"] == search.balance["area"].iloc[0]]
    parts = [
        f"{label} {format_number(value)}"
        for label, value in zip(labels, first["standardised_difference"], strict=True)
    ]
    unlike = int((first["standardised_difference"].abs() > LARGEST_DIFFERENCE).sum())
    return (
        f"{first['area'].iloc[0]}, in standard deviations from the site: {'; '.join(parts)}. "
        f"{unlike} of {len(first)} lie more than {format_number(LARGEST_DIFFERENCE)} apart."
    )


def describe_mixture(cohort: Cohort, mixture: pd.DataFrame, outcome: str) -> str:
    """Say how the site did against a mixture of areas, or why there is none."""
    rows = select_findings(mixture, outcome=outcome)
    change, ratio, fit = (
        find_row(rows, estimator=f"synthetic_{name}")
        for name in ("change", "rmspe_ratio", "pre_rmspe")
    )
    title = cohort.title_outcome(outcome)
    if change is None or ratio is None or fit is None or math.isnan(fit["estimate"]):
        reason = str(fit["note"] if fit is not None else "no periods are given.")
        return f"{title}: there is no mixture of areas. {reason}"
    weights = select_findings(rows, estimator="synthetic_weight")
    parts = [
        f"{row['comparison']} ({format_share(row['estimate'])})"
        for _, row in weights.head(3).iterrows()
    ]
    more = f", and {len(weights) - 3} more" if len(weights) > 3 else ""
    moved = f"The site moved by {format_change(100 * (change['estimate'] - 1))} relative to it."
    if change["reason"] == Reason.ZERO_COUNT:
        moved = "One of the periods has no incident, so no change relative to it can be given."
    return (
        f"{title}: mixed from {format_list(parts)}{more}. Before the start the mixture misses the "
        f"site by {format_share(fit['estimate'])} of its mean{_rank_gap(ratio)} {moved}"
    )


def _rank_gap(ratio: pd.Series) -> str:
    """Say how much larger the gap is afterwards, and how seldom other areas have a larger one."""
    if ratio["reason"]:
        return ", so it can't be said how many times as large the gap is after it."
    areas = format_count(ratio["n"])
    rank = f"the rank of that among {areas} areas gives {describe_p(ratio['p_value'])}"
    if has_flag(ratio, Flag.FEW_AREAS):
        rank = f"{areas} areas are too few to rank that among"
    larger = format_number(ratio["estimate"])
    return f"; after it, the gap is {larger} times as large (RMSPE ratio), and {rank}."


def describe_detectable(cohort: Cohort, plan: pd.DataFrame) -> str:
    """Say what the shortest and the longest plan could find."""
    told = []
    for outcome, part in plan.groupby("outcome", sort=False):
        known = part.dropna(subset="estimate")
        title = cohort.title_outcome(str(outcome))
        if known.empty:
            told.append(f"{title}: {part['note'].iloc[0]}")
            continue
        ordered = known.sort_values("estimate", kind="stable")
        ends = [
            f"{format_change(row['estimate'])} with {row['period'].replace('+', ' + ')} months and "
            f"{row['comparison']}"
            for row in (ordered.iloc[0], ordered.iloc[-1])
        ]
        told.append(f"{title}: from {ends[0]} to {ends[1]}.")
    return " ".join(told)


def title_feature(cohort: Cohort, outcome: str, feature: str) -> str:
    """Return what readers call one feature in which areas are compared."""
    words = _FEATURES.get(feature) or feature.replace("_", " ")
    if outcome == "all":
        return words[:1].upper() + words[1:]
    return f"{cohort.title_outcome(outcome)}: {words}"


def tabulate_candidates(cohort: Cohort, ranking: pd.DataFrame, number: int = 10) -> Table:
    """Lay out the areas most like a site: columns of `sbwork.compare.controls.RANKING_COLUMNS`."""
    shown = ranking.head(number)
    rows = [
        {
            "Rank": format_count(row["rank"]),
            "Area": str(row["name"] or row["area"]),
            "Distance (SD)": format_number(row["distance"]),
            "Incidents before": format_count(row["incidents"]),
            "Residents": format_count(row["population"]),
        }
        for _, row in shown.iterrows()
    ]
    if shown["population"].isna().all():
        for row in rows:
            del row["Residents"]
    return Table(
        rows,
        name="candidates",
        title="Areas most like the site before the start",
        subtitle=f"The first {len(shown)} of {len(ranking)}",
        stub="Area",
        notes=[
            "Distance: how far the area lies from the site over all that is compared, in standard "
            "deviations of the areas; 0 is the same."
        ],
    )


def tabulate_balance(cohort: Cohort, balance: pd.DataFrame, number: int = 3) -> Table:
    """Lay out site and areas side by side: columns of `sbwork.compare.controls.BALANCE_COLUMNS`."""
    areas = list(dict.fromkeys(balance["area"]))[:number]
    features = balance.drop_duplicates(["outcome", "feature"])
    rows = []
    for _, first in features.iterrows():
        feature = first["feature"]
        row = {
            "Compared": title_feature(cohort, first["outcome"], feature),
            "Site": _write_value(feature, first["site_value"]),
        }
        for number_of, area in enumerate(areas):
            found = balance[
                (balance["area"] == area)
                & (balance["outcome"] == first["outcome"])
                & (balance["feature"] == feature)
            ].iloc[0]
            difference = found["standardised_difference"]
            row[f"area-{number_of}"] = (
                f"{_write_value(feature, found['control_value'])}\n({format_number(difference)} SD)"
            )
        rows.append(row)
    return Table(
        rows,
        name="balance",
        title="How like the site the first areas are",
        stub="Compared",
        labels={f"area-{number_of}": area for number_of, area in enumerate(areas)},
        notes=[
            "Below each value: the difference from the site in standard deviations of the areas. "
            "More than 0.25 either way is called unlike (Stuart 2010)."
        ],
    )


def tabulate_detectable(cohort: Cohort, plan: pd.DataFrame) -> Table:
    """Lay out the smallest fall that would be found, as `sbwork.compare.controls` plans it."""
    rows: list[dict[str, str]] = []
    notes: list[str] = []
    numbers = list(dict.fromkeys(plan["comparison"]))
    for (outcome, window), part in plan.groupby(["outcome", "period"], sort=False):
        row = {
            "Outcome": cohort.title_outcome(str(outcome)),
            "Months before and after": str(window).replace("+", " + "),
        }
        for number in numbers:
            found = part[part["comparison"] == number].iloc[0]
            row[number] = format_change(found["estimate"])
            if math.isnan(found["estimate"]) or found["note"] not in notes:
                notes.append(found["note"])
        rows.append(row)
    return Table(
        rows,
        name="detectable",
        title="The smallest fall that would be found",
        subtitle="Relative to the controls, at p = .05",
        stub="Months before and after",
        group="Outcome",
        notes=notes,
    )


def _write_value(feature: str, value: float) -> str:
    if feature == "mix":
        return format_share(value)
    if feature == "population":
        return format_count(value)
    return format_number(value, 1)


def draw_balance(ax: Axes, balance: pd.DataFrame, labels: Sequence[str]) -> None:
    """Draw how far the first areas lie from the site in each feature (a "love plot")."""
    lines = list(balance.groupby(["outcome", "feature"], sort=False).groups)
    ax.axvspan(-_LIMIT, _LIMIT, color="#eef3f8", zorder=0)
    ax.axvline(0, color=INK, lw=0.9)
    areas = list(dict.fromkeys(balance["area"]))
    for rank, area in reversed(list(enumerate(areas))):
        part = balance[balance["area"] == area]
        heights = [
            lines.index((outcome, feature))
            for outcome, feature in zip(part["outcome"], part["feature"], strict=True)
        ]
        ax.plot(
            part["standardised_difference"],
            heights,
            "o" if rank else "D",
            color="#8a97a6" if rank else INTERVENTION,
            ms=5 if rank else 8,
            mec="white",
            mew=0.7,
            zorder=2 if rank else 3,
            label="_" if rank > 1 else "The next areas" if rank else f"Most alike: {area}",
        )
    ax.set_yticks(range(len(lines)), list(labels))
    ax.set_ylim(len(lines) - 0.4, -0.6)
    ax.grid(axis="x")
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("Difference from the site, in standard deviations")


def draw_mixture(
    ax: Axes, months: Sequence[str], own: ArrayLike, mixture: ArrayLike, n_before: int
) -> None:
    """Draw a site's monthly counts beside those of the mixture of areas that follows it."""
    at = range(len(months))
    ax.axvspan(n_before - 0.5, len(months) - 0.5, color="#eef3f8", zorder=0)
    ax.text(n_before - 0.3, 0.985, "after", transform=ax.get_xaxis_transform(), va="top")
    ax.plot(at, own, "-o", color=INTERVENTION, ms=4.5, lw=1.8, label="The site")
    ax.plot(at, mixture, "--s", color=CONTROL, ms=4, lw=1.8, label="Mixture of areas")
    step = max(1, len(months) // 8)
    ax.set_xticks(list(at)[::step], list(months)[::step], rotation=30, ha="right")
    ax.set_ylim(bottom=0, top=ax.get_ylim()[1] * 1.15)
    ax.set_ylabel("Incidents a month")
    ax.grid(axis="y")
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=9)


def draw_detectable(ax: Axes, plan: pd.DataFrame) -> None:
    """Draw the smallest fall that would be found against the months on each side."""
    for at, (number, part) in enumerate(plan.groupby("comparison", sort=False)):
        colour, marker, line = _LOOKS[at % len(_LOOKS)]
        months = part["period"].str.split("+").str[0].astype(int)
        ax.plot(months, part["estimate"], color=colour, marker=marker, ls=line, ms=6, label=number)
    ticks = sorted(set(plan["period"].str.split("+").str[0].astype(int)))
    ax.set_xticks(ticks)
    low = plan["estimate"].min()
    ax.set_ylim(min(low * 1.1, -5) if low == low else -100, 0)
    ax.yaxis.set_major_formatter(lambda value, _: format_change(value))
    ax.set_xlabel("Months before, and as many after")
    ax.grid(axis="y")
