"""How often each interval errs when the truth is known."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from sbwork.compare.accuracy import read_study
from sbwork.compare.simulation import describe_errors
from sbwork.render.blocks import Bullets, Section, Table, compose_picture
from sbwork.render.style import CONTROL, GREY, INK, INTERVENTION, PALE
from sbwork.specs.cohort import Cohort
from sbwork.stats.findings import select_findings
from sbwork.stats.formats import format_list, format_number, format_share

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_OTHERS = (
    "Other designs: fewer or more incidents and months, pairs that differ in truth, one control "
    "for all sites, and sites that were chosen because their counts were high or had risen. A "
    "place chosen for its recent rise falls by itself, so there even the rank errs more often."
)
ESTIMATORS = {
    "rirr_poisson": "RIRR, Poisson interval",
    "rirr": "RIRR, corrected for over-dispersion",
    "rirr_placebo": "RIRR, interval from the placebos",
    "wdd": "WDD, Poisson interval",
    "wdd_corrected": "WDD, corrected for over-dispersion",
    "placebo_p": "Placebo rank",
    "rirr_pooled_fixed": "Pooled RIRR, pairs taken as one",
    "rirr_pooled": "Pooled RIRR, REML with Knapp and Hartung",
    "rirr_pooled_bayes": "Pooled RIRR, random effects with a prior",
    "synthetic_rmspe_ratio": "Synthetic control, rank of its gap",
}
"""What readers call each estimator of the simulation."""
_CONTROLS = {
    "random": "any control of like size",
    "nearest": "nearest control",
    "shared": "one control for all",
    "none": "no control",
    "synthetic": "a mixture of areas as control",
}
_CHOSEN = {
    "drawn": "",
    "highest": ", chosen as the highest of {pool:.0f}",
    "rising": ", chosen for the steepest rise among {pool:.0f}",
}
_COVERS = "Holds a fall of 30%"
_RATES = {
    "rirr": "RIRR",
    "rirr_poisson": "RIRR, Poisson",
    "placebo_p": "Placebo rank",
    "rirr_pooled_fixed": "Fixed effects",
    "rirr_pooled_bayes": "Random effects",
}
_LOOKS = {
    "rirr_poisson": (CONTROL, "s", (4, 1.5)),
    "rirr": (GREY, "^", (5, 1.5, 1, 1.5)),
    "placebo_p": (INTERVENTION, "o", ""),
}


def present_accuracy(table: pd.DataFrame | None = None, *, name: str = "accuracy") -> Section:
    """Show how often each interval errs when the truth is known."""
    table = read_study("counts") if table is None else table
    usual = (table["chosen"] == "drawn") & (table["tau"] == 0) & (table["control"] != "synthetic")
    for column in ("months", "mean"):
        usual &= table[column] == table[column].mode().iloc[0]
    others = table[~usual]
    single = usual & (table["n_pairs"] == 1) & table["estimator"].isin(list(_LOOKS))
    single &= (table["control"] == "random") & (table["n_areas"] == table["n_areas"].max())
    shown, table = table[single], table[usual]
    top = 1.1 * max(shown["false_positive"].max(), 0.1)
    panels = [
        (
            f"Areas drift by {drift:.0%}" if drift else "Areas do not drift",
            partial(draw_false_positives, table=shown[shown["drift"] == drift], top=top),
        )
        for drift in sorted(shown["drift"].unique())
    ]
    blocks: list[Any] = [
        Bullets(tuple(describe_errors(table.replace({"estimator": ESTIMATORS})))),
        tabulate_accuracy(table, name),
    ]
    if len(others):
        blocks += [_OTHERS, tabulate_accuracy(others, f"{name}-others")]
    if len(shown):
        blocks.append(
            compose_picture(
                Cohort(name="simulation"),
                f"false-positives-{name}",
                panels,
                size=(8.8, 3.8),
                alt=" ".join(_describe_estimator(shown, name) for name in _LOOKS),
                caption="One site against one control where nothing was done: how often each "
                "method says that something happened. It should be 5% (line; the band runs from "
                "4% to 6%).",
                columns=len(panels),
                legend="outside lower center",
            )
        )
    return Section(blocks)


def _describe_estimator(table: pd.DataFrame, name: str) -> str:
    rows = table[table["estimator"] == name].sort_values(["drift", "phi"])
    parts = [
        f"{format_share(row['false_positive'])} at φ {format_number(row['phi'], 0)}"
        + (" with drift" if row["drift"] else "")
        for _, row in rows.iterrows()
    ]
    return f"{ESTIMATORS[name]}: false positives {format_list(parts)}."


def title_world(row: pd.Series[Any]) -> str:
    """Say in a line how the made-up areas behaved."""
    pairs = "One pair" if row["n_pairs"] == 1 else f"{row['n_pairs']:.0f} pairs"
    if row["control"] in ("none", "synthetic"):
        pairs = "One site"
    tau = f", true ratios differ by {format_number(row['tau'], 1)}" if row["tau"] else ""
    return (
        f"{pairs}, {_CONTROLS[row['control']]}{_CHOSEN[row['chosen']].format(pool=row['pool'])}, "
        f"{row['n_areas']:.0f} areas, {row['months']:.0f} + {row['months']:.0f} months, "
        f"{format_number(row['mean'], 0)} incidents a month{tau}"
    )


def tabulate_error_rates(findings: pd.DataFrame, cohort: Cohort) -> Table:
    """Lay out how often intervals see a change where nothing was done, in areas like a cohort's."""
    rows: list[dict[str, str]] = []
    notes: list[str] = []
    accuracy = select_findings(findings, section="accuracy")
    shares = select_findings(findings, section="placebo", estimator="placebo_interval_share")
    for outcome in cohort.list_outcomes():
        title = cohort.title_outcome(outcome)
        for _, row in shares[shares["outcome"] == outcome].dropna(subset="estimate").iterrows():
            where = f"Pairs of areas in these files like {cohort.title_pair(row['site'])}"
            cells = dict.fromkeys((*_RATES.values(), _COVERS), "") | {
                "RIRR": format_share(row["estimate"])
            }
            rows.append({"Outcome": title, "Where nothing was done": where, **cells})
        made_up = accuracy[accuracy["outcome"] == outcome]
        for period in sorted(made_up["period"].unique()):
            found = made_up[made_up["period"] == period].set_index("estimator")["estimate"]
            drift = float(period.removeprefix("drift "))
            where = f"Made-up areas, drift {drift:.0%}" if drift else "Made-up areas, no drift"
            cells = {
                label: _write_share(found.get(f"false_positive_{name}", math.nan), "")
                for name, label in _RATES.items()
            }
            cells[_COVERS] = _write_share(found.get("coverage_rirr_pooled_bayes", math.nan), "")
            rows.append({"Outcome": title, "Where nothing was done": where, **cells})
            notes += [f"{title}. {note}" for note in made_up["note"]]
    return Table(
        rows,
        name="error-rates",
        title="How often such intervals see a change where nothing was done",
        subtitle="It should be 5%; in the last column, 95%",
        stub="Where nothing was done",
        group="Outcome",
        spanners={"Sees a change": list(_RATES.values())},
        notes=[
            "RIRR: corrected for over-dispersion where there are two months or more on each side; "
            "Poisson: not corrected; fixed and random effects: all pairs together. Drift: how far "
            "(SD of the log) each area's level moves between the periods by itself.",
            *dict.fromkeys(notes),
        ],
    )


def tabulate_accuracy(table: pd.DataFrame, name: str = "accuracy") -> Table:
    """Lay out false positives and coverage, as `sbwork.compare.simulation` measures them."""
    worlds = table[["phi", "drift"]].drop_duplicates().sort_values(["drift", "phi"])
    spanners: dict[str, list[str]] = {}
    labels: dict[str, str] = {}
    for _, world in worlds.iterrows():
        key = f"{world['phi']:g}-{world['drift']:g}"
        drift = "no drift" if world["drift"] == 0 else f"drift {format_number(world['drift'], 1)}"
        spanners[f"φ {format_number(world['phi'], 0)}, {drift}"] = [f"f{key}", f"c{key}"]
        labels |= {f"f{key}": "False +", f"c{key}": "Cover"}
    rows = []
    design = ["n_pairs", "control", "chosen", "n_areas", "months", "mean", "tau", "estimator"]
    for _, part in table.groupby(design, sort=False):
        first = part.iloc[0]
        row = {
            "Design": title_world(first),
            "Estimator": ESTIMATORS.get(first["estimator"], first["estimator"]),
            **dict.fromkeys(labels, ""),
        }
        for _, found in part.iterrows():
            key = f"{found['phi']:g}-{found['drift']:g}"
            row[f"f{key}"] = _write_share(found["false_positive"])
            row[f"c{key}"] = _write_share(found["coverage"])
        rows.append(row)
    draws = f"{int(table['n'].min()):,} to {int(table['n'].max()):,}"
    return Table(
        rows,
        name=name,
        title="How often each interval errs when the truth is known",
        stub="Estimator",
        group="Design",
        spanners=spanners,
        labels=labels,
        notes=[
            "False +: share of runs with no true effect in which p is .05 or below; it should be "
            "5%. Cover: share of 95% intervals that hold the true effect; it should be 95%; a rank "
            "alone has no interval.",
            "φ: variance of a month's count over its mean. Drift: how far (SD of the log) each "
            f"area's level moves between the periods by itself. Runs in each cell: {draws}.",
        ],
    )


def _write_share(share: float, missing: str = "–") -> str:
    return missing if math.isnan(share) else format_share(share)


def draw_false_positives(ax: Axes, table: pd.DataFrame, top: float) -> None:
    """Draw the share of false positives against over-dispersion, a line an estimator."""
    import seaborn as sns

    ax.axhspan(0.04, 0.06, color=PALE, zorder=0)
    ax.axhline(0.05, color=INK, lw=0.9)
    looks = {ESTIMATORS[name]: look for name, look in _LOOKS.items()}
    colours, markers, dashes = ({n: look[part] for n, look in looks.items()} for part in range(3))
    sns.lineplot(
        table.assign(method=table["estimator"].map(ESTIMATORS)), x="phi", y="false_positive",
        hue="method", style="method", hue_order=list(looks), style_order=list(looks),
        palette=colours, markers=markers, dashes=dashes, errorbar=None, ms=6, mew=0, lw=1.8, ax=ax,
    )  # fmt: skip
    ax.set_xticks(sorted(table["phi"].unique()))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.yaxis.set_major_formatter(lambda value, _: format_share(value))
    ax.set(xlabel="Over-dispersion φ", ylabel="False positives at p ≤ .05", ylim=(0, top))
    ax.grid(axis="y")
