"""Planning: possible controls, a mixture of areas, the smallest detectable change."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sbwork.compare.controls import LARGEST_DIFFERENCE, ControlSearch
from sbwork.render.blocks import Bullets, Picture, Section, Table, compose_picture
from sbwork.render.style import (
    BEFORE,
    CONTROL,
    INK,
    INTERVENTION,
    LINES,
    PALE,
    name_lines,
    name_months,
    shade_after,
)
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


def present_candidates(cohort: Cohort, *, search: ControlSearch) -> Section:
    """Show the areas most like a site, and how like it they are."""
    blocks: list[Any] = [describe_candidates(cohort, search)]
    if not search.ranking.empty:
        names = {key: name or key for key, name in search.ranking[["area", "name"]].to_numpy()}
        balance = search.balance.replace({"area": names})
        blocks += [
            tabulate_candidates(search.ranking),
            tabulate_balance(cohort, balance),
            _picture_balance(cohort, balance),
        ]
    gaps = list_gaps(search)
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
    """Show a site beside the mixture of areas that follows it before the start.

    `names` are what readers call the areas; their keys by default.
    """
    mixture = mixture.assign(comparison=mixture["comparison"].replace(dict(names or {})))
    blocks: list[Any] = []
    for outcome in cohort.outcomes:
        words = describe_mixture(cohort, mixture, outcome)
        blocks.append(words)
        path = traced[traced["outcome"] == outcome]
        if len(path):
            blocks.append(
                compose_picture(
                    cohort,
                    f"mixture-{outcome}",
                    [("", partial(draw_mixture, path=path))],
                    size=(9.2, 3.4),
                    alt=words,
                    caption=f"{cohort.title_outcome(outcome)}: the site (blue circles) beside the "
                    "mixture of areas that followed it best before the start (orange squares).",
                )
            )
    return Section(blocks)


def present_plan(cohort: Cohort, *, plan: pd.DataFrame) -> Section:
    """Show the smallest fall that a site could show, by window and number of controls."""
    words = describe_detectable(cohort, plan)
    blocks: list[Any] = [words, tabulate_detectable(cohort, plan)]
    known = plan.dropna(subset="estimate")
    if len(known):
        low = known["estimate"].min()
        panels = [
            (cohort.title_outcome(str(outcome)), partial(draw_detectable, plan=part, low=low))
            for outcome, part in known.groupby("outcome", sort=False)
        ]
        blocks.append(
            compose_picture(
                cohort,
                "detectable",
                panels,
                size=(9.2, 3.6),
                alt=words,
                caption="The smallest fall, relative to the controls, that would be found. Longer "
                "windows help more than more controls.",
                columns=len(panels),
                legend="outside lower center",
            )
        )
    return Section(blocks)


def _picture_balance(cohort: Cohort, balance: pd.DataFrame) -> Picture:
    areas = list(dict.fromkeys(balance["area"]))[:_DRAWN]
    balance = balance[balance["area"].isin(areas)]
    features = balance[["outcome", "feature"]].drop_duplicates().itertuples(index=False)
    labels = [title_feature(cohort, outcome, feature) for outcome, feature in features]
    return compose_picture(
        cohort,
        "balance",
        [("", partial(draw_balance, balance=balance, labels=labels))],
        size=(8.6, 1.6 + 0.36 * len(labels)),
        alt=describe_balance(balance, labels),
        caption=f"How far the first {len(areas)} areas lie from the site. The shaded band holds "
        "differences of a quarter of a standard deviation or less.",
        legend="outside lower right",
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


def list_gaps(search: ControlSearch) -> list[str]:
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


def describe_balance(balance: pd.DataFrame, labels: Sequence[str]) -> str:
    """Say how far the most similar area lies from the site in each feature."""
    name = balance["area"].iloc[0]
    differences = balance.loc[balance["area"] == name, "standardised_difference"]
    parts = [f"{each} {format_number(by)}" for each, by in zip(labels, differences, strict=True)]
    unlike = int((differences.abs() > LARGEST_DIFFERENCE).sum())
    return (
        f"{name}, in standard deviations from the site: {'; '.join(parts)}. {unlike} of "
        f"{len(differences)} lie more than {format_number(LARGEST_DIFFERENCE)} apart."
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
    parts = []
    for outcome, part in plan.groupby("outcome", sort=False):
        known = part.dropna(subset="estimate")
        title = cohort.title_outcome(str(outcome))
        if known.empty:
            parts.append(f"{title}: {part['note'].iloc[0]}")
            continue
        ordered = known.sort_values("estimate", kind="stable")
        ends = [
            f"{format_change(row['estimate'])} with {row['period'].replace('+', ' + ')} months and "
            f"{row['comparison']}"
            for row in (ordered.iloc[0], ordered.iloc[-1])
        ]
        parts.append(f"{title}: from {ends[0]} to {ends[1]}.")
    return " ".join(parts)


def title_feature(cohort: Cohort, outcome: str, feature: str) -> str:
    """Return what readers call one feature in which areas are compared."""
    words = _FEATURES.get(feature) or feature.replace("_", " ")
    if outcome == "all":
        return words[:1].upper() + words[1:]
    return f"{cohort.title_outcome(outcome)}: {words}"


def tabulate_candidates(ranking: pd.DataFrame) -> Table:
    """Lay out the areas most like a site: columns of `sbwork.compare.controls.RANKING_COLUMNS`."""
    shown = ranking.head(10)
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


def tabulate_balance(cohort: Cohort, balance: pd.DataFrame) -> Table:
    """Lay out site and areas side by side: columns of `sbwork.compare.controls.BALANCE_COLUMNS`."""
    areas = list(dict.fromkeys(balance["area"]))[:3]
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
    """Draw how far the first areas lie from the site in each feature (a "love plot").

    The nearest area, which comes first, is a diamond in colour; the others are grey circles.
    """
    import seaborn as sns

    ax.axvspan(-LARGEST_DIFFERENCE, LARGEST_DIFFERENCE, color=PALE, zorder=0)
    ax.axvline(0, color=INK, lw=0.9)
    nearest = f"Most alike: {balance['area'].iloc[0]}"
    lines = balance.groupby(["outcome", "feature"], sort=False).ngroup()
    rank = np.where(balance["area"] == balance["area"].iloc[0], nearest, "The next areas")
    order = ["The next areas", nearest]
    sns.scatterplot(
        balance.assign(line=lines, rank=rank).sort_values("rank", key=lambda r: r == nearest),
        x="standardised_difference", y="line", hue="rank", style="rank", size="rank",
        hue_order=order, style_order=order, palette=[BEFORE, INTERVENTION], markers=["o", "D"],
        sizes={nearest: 70, "The next areas": 32}, ax=ax, zorder=3,
    )  # fmt: skip
    name_lines(ax, labels)
    ax.set(xlabel="Difference from the site, in standard deviations", ylabel="")


def draw_mixture(ax: Axes, path: pd.DataFrame) -> None:
    """Draw a site's monthly counts beside those of the mixture of areas that follows it."""
    import seaborn as sns

    months = path["month"].tolist()
    shade_after(ax, int((path["period"] == "before").sum()), len(months) - 1)
    lines = {"site_count": "The site", "mixture_count": "Mixture of areas"}
    counts = path.assign(place=range(len(path))).melt("place", list(lines), "who", "count")
    sns.lineplot(
        counts.replace({"who": lines}), x="place", y="count", hue="who", style="who",
        palette=[INTERVENTION, CONTROL], markers=["o", "s"], errorbar=None, ms=6, mew=0, lw=1.8,
        ax=ax,
    )  # fmt: skip
    name_months(ax, months)


def draw_detectable(ax: Axes, plan: pd.DataFrame, low: float) -> None:
    """Draw the smallest fall that would be found against the months, a line a number of controls.

    `low` is the largest fall that the axis has to hold, in percent.
    """
    import seaborn as sns

    months = plan["period"].str.split("+").str[0].astype(int)
    looks = dict(zip(dict.fromkeys(plan["comparison"]), LINES * len(plan), strict=False))
    colours, markers, dashes = ({n: look[part] for n, look in looks.items()} for part in range(3))
    sns.lineplot(
        plan.assign(months=months), x="months", y="estimate", hue="comparison",
        style="comparison", palette=colours, markers=markers, dashes=dashes, errorbar=None, ms=6,
        mew=0, ax=ax,
    )  # fmt: skip
    ax.set_xticks(sorted(set(months)))
    ax.yaxis.set_major_formatter(lambda value, _: format_change(value))
    ax.set(xlabel="Months before, and as many after", ylabel="", ylim=(min(low * 1.1, -5), 0))
    ax.grid(axis="y")
