"""The section on whether the comparison of counts holds up when it is asked in other ways."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pandas as pd

from sbwork.evaluation import Evaluation
from sbwork.render import figures, narrative, tables
from sbwork.render.pictures import Picture, compose_picture
from sbwork.render.sections.blocks import Bullets, Section
from sbwork.specs.cohort import Cohort
from sbwork.stats.findings import select_findings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["present_robustness"]

_FEWEST_MONTHS = 6
_FEWEST_SPECIFICATIONS = 6
_CURVES_A_PAGE = 2
_CURVE_INCHES, _LINE_INCHES = 2.0, 0.19
_MODELS = {
    "rirr": "RIRR",
    "panel_quasipoisson": "Quasi-Poisson panel",
    "panel_nb2": "Negative binomial panel",
    "panel_quasipoisson_trend": "Panel with drift carried on",
    "its_level": "Interrupted series",
}
_CONTROLS = {"all controls": "All control sites", "comparable areas": "Comparable areas"}
_OWN_CONTROL = "Its own control site"


def present_robustness(evaluation: Evaluation) -> Section:
    """Show whether the comparison of counts holds up: before the start, other models, drift."""
    cohort, findings = evaluation.cohort, evaluation.findings
    if evaluation.incidents is None:
        return Section(
            ["No incident file was given, so there is no comparison of counts to put to the test."]
        )
    if not any(pair.control for pair in cohort.pairs) or cohort.periods is None:
        return Section(
            ["No control site or no periods are given, so there is no comparison to put to the "
             "test."]
        )  # fmt: skip
    blocks: list[Any] = [
        narrative.describe_robustness(cohort, findings),
        tables.tabulate_models(findings, cohort),
        *_show_event_studies(evaluation),
        *_show_curves(evaluation),
    ]
    shares = narrative.describe_shares(cohort, findings)
    if shares:
        blocks.append(Bullets(tuple(shares)))
    return Section(blocks)


def _show_event_studies(evaluation: Evaluation) -> Iterator[Picture | str]:
    cohort = evaluation.cohort
    rows = select_findings(evaluation.findings, section="panel", estimator="event_study")
    rows = rows[~rows["period"].isin(["", "change"])]
    drawn = False
    for outcome in cohort.list_outcomes():
        chosen = rows[rows["outcome"] == outcome]
        shown = {
            pair.intervention: part
            for pair in cohort.pairs
            if _has_both_sides(part := chosen[chosen["site"] == pair.intervention])
        }
        if shown:
            drawn = True
            yield _picture_event_study(cohort, outcome, shown)
    if not drawn:
        yield narrative.explain_missing(rows, "The picture month by month", _FEWEST_MONTHS)


def _has_both_sides(rows: pd.DataFrame) -> bool:
    months = rows.loc[rows["estimate"].notna(), "period"].astype(float)
    return len(months) >= _FEWEST_MONTHS and bool((months < 0).any() and (months >= 0).any())


def _picture_event_study(cohort: Cohort, outcome: str, shown: dict[str, pd.DataFrame]) -> Picture:
    def draw(figure: Figure) -> None:
        axes = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
        for ax, (site, rows) in zip(axes, shown.items(), strict=True):
            figures.draw_event_study(ax, rows)
            ax.set_title(f"{cohort.title_pair(site)}: {cohort.title_outcome(outcome)}")
            ax.set_ylabel("Ratio to control")
        axes[-1].set_xlabel("Months from the start (0 is the first month after it)")

    described = [
        narrative.describe_event_study(cohort, rows, outcome, site) for site, rows in shown.items()
    ]
    return compose_picture(
        cohort,
        f"event-study-{outcome}",
        draw,
        size=(8.8, 0.9 + 2.3 * len(shown)),
        alt=" ".join(described),
        caption=f"{cohort.title_outcome(outcome)}, month by month: the area against its control "
        "site, set against the months before (ratio, with 95% interval; 1 is no difference). Grey "
        "squares: before. Blue circles: after. Before the start the marks should lie around 1 "
        "without a slope.",
    )


def _show_curves(evaluation: Evaluation) -> Iterator[Picture | str]:
    cohort = evaluation.cohort
    rows = select_findings(evaluation.findings, section="specification")
    rows = rows[rows["period"] != "summary"]
    drawn = False
    for outcome in cohort.list_outcomes():
        shown = {}
        for pair in cohort.pairs:
            place = (rows["outcome"] == outcome) & (rows["site"] == pair.intervention)
            known = rows[place & rows["estimate"].notna()]
            if pair.control and len(known) >= _FEWEST_SPECIFICATIONS:
                shown[pair.intervention] = known.sort_values("estimate", kind="stable")
        if shown:
            drawn = True
            yield from _picture_curves(cohort, outcome, shown)
    if not drawn:
        what = "The curve of specifications"
        yield narrative.explain_missing(rows, what, _FEWEST_SPECIFICATIONS)


def _picture_curves(
    cohort: Cohort, outcome: str, shown: dict[str, pd.DataFrame]
) -> Iterator[Picture]:
    """Draw the curves of an outcome's pairs below each other, as many as a printed page holds."""
    every = pd.concat(shown.values())
    periods = sorted(every["period"].unique(), key=_order_window)
    windows = {period: _title_window(cohort, period) for period in periods}
    models = [title for name, title in _MODELS.items() if (every["estimator"] == name).any()]
    others = [title for key, title in _CONTROLS.items() if (every["comparison"] == key).any()]
    groups = [list(windows.values()), [_OWN_CONTROL, *others], models]
    limits = figures.choose_range(every)
    sites = list(shown)
    parts = [sites[at : at + _CURVES_A_PAGE] for at in range(0, len(sites), _CURVES_A_PAGE)]
    for number, part in enumerate(parts, start=1):
        curves = {site: shown[site] for site in part}
        which = f" ({number} of {len(parts)})" if len(parts) > 1 else ""
        name = f"specifications-{outcome}" + (f"-{number}" if number > 1 else "")
        yield _picture_curve(cohort, outcome, curves, windows, groups, limits, name, which)


def _picture_curve(
    cohort: Cohort,
    outcome: str,
    shown: dict[str, pd.DataFrame],
    windows: dict[str, str],
    groups: list[list[str]],
    limits: tuple[float, float],
    name: str,
    which: str,
) -> Picture:
    controls = {pair.intervention: str(pair.control or "") for pair in cohort.pairs}
    headlines = {site: _find_headline(rows, controls[site]) for site, rows in shown.items()}
    lines = _LINE_INCHES * sum(map(len, groups))

    def draw(figure: Figure) -> None:
        axes = figure.subplots(
            2 * len(shown), 1, squeeze=False, height_ratios=[_CURVE_INCHES, lines] * len(shown)
        )[:, 0]
        for number, (site, rows) in enumerate(shown.items()):
            curve, table = axes[2 * number : 2 * number + 2]
            figures.draw_specifications(curve, rows, headlines[site], limits)
            curve.set_title(f"{cohort.title_pair(site)}: {cohort.title_outcome(outcome)}")
            curve.set_ylabel("Ratio to control")
            chosen = [
                (
                    windows[row["period"]],
                    _CONTROLS.get(row["comparison"], _OWN_CONTROL),
                    _MODELS[row["estimator"]],
                )
                for _, row in rows.iterrows()
            ]
            labels = rows.index.tolist()
            at = labels.index(headlines[site]) if headlines[site] in labels else -1
            figures.draw_choices(table, chosen, groups, at)
            table.set_xlim(curve.get_xlim())

    described = [
        narrative.describe_specifications(
            cohort, rows, outcome, site, _find_estimate(rows, headlines[site])
        )
        for site, rows in shown.items()
    ]
    every = pd.concat(shown.values())
    cut = int(((every["ci_low"] < limits[0]) | (every["ci_high"] > limits[1])).sum())
    beyond = f" Arrowheads: {cut} of {len(every)} intervals run on beyond the picture."
    return compose_picture(
        cohort,
        name,
        draw,
        size=(9.2, 0.3 + (_CURVE_INCHES + lines + 0.4) * len(shown)),
        alt=" ".join(described),
        caption=f"{cohort.title_outcome(outcome)}{which}: the same comparison with other months, "
        "control sites or models, smallest ratio first, each with its 95% interval (1 is no "
        "change); below each mark, what was chosen. Filled: the interval is clear of no change. "
        f"Blue diamond: the pair's own RIRR over the periods as planned.{beyond if cut else ''}",
    )


def _order_window(period: str) -> int:
    """Put the cohort's own window first, the others by their length."""
    return 0 if period == "change" else int(period.partition("+")[0])


def _title_window(cohort: Cohort, period: str) -> str:
    if period != "change":
        return f"{period.replace('+', ' + ')} months"
    assert cohort.periods is not None  # noqa: S101
    lengths = [len(part.months) for part in (cohort.periods.before, cohort.periods.after)]
    return f"{lengths[0]} + {lengths[1]} months (as planned)"


def _find_headline(rows: pd.DataFrame, control: str) -> Any:
    own = (rows["period"] == "change") & (rows["comparison"] == control)
    found = rows.index[own & (rows["estimator"] == "rirr")]
    return found[0] if len(found) else None


def _find_estimate(rows: pd.DataFrame, label: Any) -> float:
    return math.nan if label is None else float(rows.loc[label, "estimate"])
