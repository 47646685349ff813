"""What may have carried the change: paths from the work to each outcome, rivals, what they bear."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from sbwork.grade.publishable import Publishable
from sbwork.render.blocks import Bullets, Picture, Section, Table, compose_picture
from sbwork.render.intervals import describe_interval, describe_value
from sbwork.render.style import GREY, INK, PALE, WHITE_BOX, fit_text
from sbwork.specs.cohort import Cohort, Mechanism
from sbwork.specs.instrument import Instrument
from sbwork.stats.findings import find_row, select_findings
from sbwork.stats.formats import (
    MISSING,
    format_count,
    format_interval,
    format_number,
    format_p,
    format_share,
    lower_title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row = pd.Series

_NONE = "cohort.yml names no 'mechanism', so what may have carried a change was not looked into."
_NO_ANSWERS = "No survey was given, so the path that cohort.yml names can't be followed."
_CANNOT = (
    "The measures were asked in the same sitting, so which came first can't be seen.",
    "Answers are self-reports from the same questionnaire: a good or bad mood can tie them.",
    "The work was given to areas, not to people: intervals are about chance among people, and say "
    "nothing of how much whole areas move by chance.",
    "Crime and ASB are counted by area, not by person, so no path leads from answers to them.",
    "No trial raised the first measure of the path by design, so something unmeasured may stand "
    "behind both ends of each arrow.",
)
_INVENTED = "The answers are invented: what is shown is how the method would report real ones."
_ROUTES = {
    "total": "Total",
    "indirect_serial": "Work → {cause} → {mediator} → outcome",
    "indirect_cause": "Work → {cause} → outcome",
    "indirect_mediator": "Work → {mediator} → outcome",
    "direct": "Work → outcome directly",
}
_STEPS = {
    "path_work_cause": ("work", "cause"),
    "path_cause_mediator": ("cause", "mediator"),
    "path_mediator_outcome": ("mediator", "outcome"),
    "path_work_mediator": ("work", "mediator"),
    "path_cause_outcome": ("cause", "outcome"),
    "direct": ("work", "outcome"),
}
_MODELS = {
    "forward": "Every path, in the order given",
    "reversed": "Every path, {mediator} before {cause}",
    "common_source": "Work reaches each, something unmeasured ties them",
    "forward_only": "Work → {cause} → {mediator} → outcome alone",
    "reversed_only": "Work → {mediator} → {cause} → outcome alone",
    "direct_only": "Work reaches each directly, nothing ties them",
}
_PLACES = {"work": (0.1, 0.16), "cause": (0.33, 0.84), "mediator": (0.67, 0.84),
           "outcome": (0.9, 0.16)}  # fmt: skip
_LABELS = {
    ("work", "cause"): 0.55,
    ("work", "mediator"): 0.36,
    ("cause", "outcome"): 0.64,
    ("mediator", "outcome"): 0.45,
    ("cause", "mediator"): 0.5,
    ("work", "outcome"): 0.5,
}
"""How far along each arrow its numbers stand."""
_HALF = {"width": 0.095, "height": 0.13}
_EQUIVALENT = (
    "The models that leave no path out have the same likelihood between observed scores, whatever "
    "the answers: no data from a single point in time can choose among them."
)
_FIT_NOTES = (
    "χ² of observed scores: against the model with every path; of factors: against the answers' "
    "own means and covariances.",
    "Lower AIC and BIC are better; a CFI of .95, an RMSEA of .06 and an SRMR of .08 are usual "
    "marks.",
    "A better fit of one order is no evidence of direction: a measure with less error fits better "
    "in the middle.",
)
_ROUTE_NOTES = (
    "In standard deviations within sites and waves, with the 95% interval of bootstrap samples of "
    "people.",
    "Observed: the scores themselves; between factors: measurement error taken out, among "
    "complete answers.",
    "People without a score on a measure of the path are left out.",
)
_RHO_NOTES = (
    "Correlation of errors: if something unmeasured tied the two ends this much, the path would be "
    "nothing (Imai, Keele and Yamamoto 2010).",
    "Share of each: what that something would have to explain of what site, wave and the measures "
    "before leave over, if it explained as much of both ends.",
    "Area shock: the standard deviation, in points per area and wave, of chance movements of the "
    "first measure that would be enough; so few areas can't show how much they move by themselves.",
)


def present_mechanism(evaluation: Publishable) -> Section:
    """Show the paths from the work to each outcome, and what can and can't be said of them."""
    cohort, findings, instrument = evaluation.cohort, evaluation.findings, evaluation.instrument
    mechanism = cohort.mechanism
    rows = select_findings(findings, section="mechanism")
    if mechanism is None:
        return Section([_NONE])
    if instrument is None or rows.empty:
        return Section([_NO_ANSWERS])
    shown = _Shown(cohort, mechanism, instrument, rows)
    cannot = [*_CANNOT, *([_INVENTED] if cohort.data_status == "invented" else [])]
    blocks: list[Any] = [
        shown.introduce(),
        *shown.judge_first(),
        *shown.judge_second(),
        "What these data can't show:",
        Bullets(tuple(cannot)),
        *shown.picture_paths(),
        shown.tabulate_routes(),
        _EQUIVALENT,
        *filter(None, [shown.compare_orders()]),
        shown.tabulate_models(),
        shown.tabulate_sensitivity(),
    ]
    return Section(blocks)


class _Shown:
    """The findings of a mechanism under the names that readers know."""

    def __init__(
        self, cohort: Cohort, mechanism: Mechanism, instrument: Instrument, rows: pd.DataFrame
    ) -> None:
        self.cohort, self.mechanism, self.rows, self.instrument = (
            cohort,
            mechanism,
            rows,
            instrument,
        )
        self.names = {
            "cause": lower_title(instrument.title_scale(mechanism.cause)),
            "mediator": lower_title(instrument.title_scale(mechanism.mediator)),
        }
        beside = any(pair.control for pair in cohort.pairs)
        self.beyond = "beyond the control sites'" if beside else "from before to after"

    def find(self, outcome: str, estimator: str) -> Row[Any] | None:
        return find_row(self.rows, outcome=outcome, estimator=estimator)

    def know(self, outcome: str, estimator: str) -> Row[Any] | None:
        row = self.find(outcome, estimator)
        return None if row is None or math.isnan(row["estimate"]) else row

    def title(self, outcome: str) -> str:
        return self.instrument.title_scale(outcome)

    def introduce(self) -> str:
        cause, mediator = self.names["cause"], self.names["mediator"]
        return (
            f"A change is followed from the work in an area to {cause}, from there to {mediator}, "
            "and on to the outcome. Each step is a regression given the site, the wave and what "
            "stands before it on the path, among people who answered the questions of all of them."
        )

    def judge_first(self) -> Iterator[Any]:
        yield f"Claim: a rise in {self.names['cause']} was the main thing behind the change."
        step = self.know(self.mechanism.mediator, "path_work_cause_standardised")
        if step is not None:
            yield (
                f"The first step, the change in {self.names['cause']} itself {self.beyond}, is "
                f"{_describe_sd(step)}{'' if _is_clear(step) else ', which takes in no change'}."
            )
        yield Bullets(tuple(self._judge_outcome(key) for key in self.mechanism.outcomes))

    def _judge_outcome(self, key: str) -> str:
        title, cause = self.title(key), self.names["cause"]
        total = self.find(key, "total_standardised")
        through = self.find(key, "indirect_through_cause_standardised")
        if total is None or through is None or math.isnan(total["estimate"]):
            note = "" if total is None else f": {total['note']}"
            return f"{title} can't be computed{note}"
        whole = _describe_sd(total)
        if not _is_clear(total):
            return (
                f"{title}: no change {self.beyond} is shown: {whole}, so there is nothing for "
                f"{cause} to have carried."
            )
        start = f"{title}: the change {self.beyond} is {whole}"
        if not _is_clear(through) or through["estimate"] * total["estimate"] < 0:
            return (
                f"{start}; what ran along with {cause} is {_describe_sd(through)}, so these data "
                "don't support the claim."
            )
        share = self.know(key, "share_through_cause")
        if share is None:
            return f"{start}; what share of it ran along with {cause} is hidden."
        part = (
            f"{format_share(share['estimate'])} of it ({format_share(share['ci_low'])} to "
            f"{format_share(share['ci_high'])}) ran along with {cause}"
        )
        if share["ci_low"] > 0.5:
            return f"{start}; {part}, which is consistent with the claim."
        if share["ci_high"] < 0.5:
            return f"{start}; {part}: consistent with a part in it, but not with the main part."
        return (
            f"{start}; {part}: consistent with a part in it, and whether that is the main part is "
            "left open."
        )

    def judge_second(self) -> Iterator[Any]:
        cause, mediator = self.names["cause"], self.names["mediator"]
        key = self.mechanism.mediator
        yield f"Claim: raising {cause} raises {mediator}."
        step = self.find(key, "path_cause_outcome_standardised")
        if step is None or math.isnan(step["estimate"]):
            yield f"That can't be computed{'' if step is None else ': ' + step['note']}"
            return
        text = (
            f"Residents who are 1 SD higher in {cause} are {_describe_sd(step)} higher in "
            f"{mediator}, at the same site in the same survey."
        )
        if _is_clear(step) and step["estimate"] > 0:
            text += (
                " That is consistent with the claim, and with the opposite order and a common "
                "source as well."
            )
        else:
            text += " So these data don't support the claim."
        carried = self.know(key, "indirect_cause_standardised")
        if carried is not None:
            text += (
                f" The part of the areas' change in {mediator} that ran along with {cause} is "
                f"{_describe_sd(carried)}."
            )
        yield text

    def picture_paths(self) -> Iterator[Picture]:
        known = [
            k for k in self.mechanism.outcomes if self.know(k, "total_standardised") is not None
        ]
        if not known:
            return
        panels = [(self.title(key), partial(self._draw, key=key)) for key in known]
        alt = " ".join(
            f"Standardised paths to {lower_title(self.title(key))}: {self._list_steps(key)}."
            for key in known
        )
        yield compose_picture(
            self.cohort,
            "mechanism",
            panels,
            size=(9.2, 3.9 * len(panels)),
            alt=alt,
            caption="Coefficients in standard deviations with their 95% intervals. Dashed arrows: "
            "the interval takes in 0.",
            heights=[1.0] * len(panels) if len(panels) > 1 else (),
        )

    def _list_steps(self, key: str) -> str:
        names = {**self.names, "work": "work", "outcome": "outcome"}
        return "; ".join(
            f"{names[start]} to {names[end]} {_describe_bare(row)}"
            for estimator, (start, end) in _STEPS.items()
            if (row := self.know(key, f"{estimator}_standardised")) is not None
        )

    def _draw(self, ax: Axes, key: str) -> None:
        from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

        names = {
            "work": "Work in the area",
            "cause": self.title(self.mechanism.cause),
            "mediator": self.title(self.mechanism.mediator),
            "outcome": self.title(key),
        }
        boxes = {}
        for role, (x, y) in _PLACES.items():
            boxes[role] = FancyBboxPatch(
                (x - _HALF["width"], y - _HALF["height"]), 2 * _HALF["width"],
                2 * _HALF["height"], boxstyle="round,pad=0,rounding_size=0.02", fc=PALE, ec=INK,
                lw=1.3, transform=ax.transAxes, zorder=2,
            )  # fmt: skip
            ax.add_patch(boxes[role])
            ax.text(x, y, fit_text(names[role], 16), ha="center", va="center", fontsize=10.5,
                    fontweight="bold", transform=ax.transAxes, zorder=3)  # fmt: skip
        for estimator, (start, end) in _STEPS.items():
            row = self.know(key, f"{estimator}_standardised")
            if row is None:
                continue
            clear = _is_clear(row)
            (x0, y0), (x1, y1) = _PLACES[start], _PLACES[end]
            ax.add_patch(
                FancyArrowPatch(
                    (x0, y0), (x1, y1), patchA=boxes[start], patchB=boxes[end], shrinkA=1,
                    shrinkB=2, arrowstyle="-|>", mutation_scale=15, lw=1.8 if clear else 1.2,
                    ls="-" if clear else (0, (4, 3)), color=INK if clear else GREY,
                    transform=ax.transAxes, zorder=1,
                )
            )  # fmt: skip
            along = _LABELS[start, end]
            ax.text(
                x0 + along * (x1 - x0), y0 + along * (y1 - y0),
                _describe_bare(row).replace(" (", "\n("), ha="center", va="center", fontsize=9.5,
                bbox=WHITE_BOX, transform=ax.transAxes, zorder=4, linespacing=1.15,
            )  # fmt: skip
        ax.set_axis_off()

    def tabulate_routes(self) -> Table:
        rows: list[dict[str, str]] = []
        notes: list[str] = []
        for key in self.mechanism.outcomes:
            for estimator, words in _ROUTES.items():
                name = f"{estimator}_standardised"
                pair = [self.find(outcome, name) for outcome in (key, f"{key}/latent")]
                notes += [_explain_gap(row) for row in pair]
                cells = [_list_cells(row) for row in pair]
                rows.append(
                    {
                        "Outcome": self.title(key),
                        "Route": words.format(**self.names),
                        "n": _describe_n(pair[0]),
                        "Observed": cells[0][0],
                        "Observed interval": cells[0][1],
                        "Factors n": _describe_n(pair[1]),
                        "Factors": cells[1][0],
                        "Factors interval": cells[1][1],
                    }
                )
        return Table(
            rows,
            name="mechanism-routes",
            title="How much of the change ran along each route",
            stub="Route",
            group="Outcome",
            spanners={
                "Between observed scores": ["n", "Observed", "Observed interval"],
                "Between factors": ["Factors n", "Factors", "Factors interval"],
            },
            labels={
                "Observed": "Estimate",
                "Observed interval": "95% interval",
                "Factors n": "n",
                "Factors": "Estimate",
                "Factors interval": "95% interval",
            },
            notes=[*_ROUTE_NOTES, *notes],
        )

    def compare_orders(self) -> str:
        best = []
        for key in self.mechanism.outcomes:
            fits = {
                model: row["estimate"]
                for model in ("forward_only", "reversed_only", "direct_only")
                if (row := self.know(f"{key}/{model}", "bic")) is not None
            }
            if fits:
                model = min(fits, key=lambda name: fits[name])
                best.append(f"{self.title(key)}: {_MODELS[model].format(**self.names)}")
        return f"Lowest BIC of the models that leave paths out: {'; '.join(best)}." if best else ""

    def tabulate_models(self) -> Table:
        rows, notes = [], []
        for key in self.mechanism.outcomes:
            for model, words in _MODELS.items():
                observed = partial(self.find, f"{key}/{model}")
                latent = partial(self.find, f"{key}/latent_{model}")
                notes += [_explain_gap(observed("bic")), _explain_gap(latent("bic"))]
                rows.append(
                    {
                        "Outcome": self.title(key),
                        "Model": words.format(**self.names),
                        "χ² (df)": _describe_chisq(observed("chisq")),
                        "Log-likelihood": describe_value(observed("loglik"), _write_one),
                        "AIC": describe_value(observed("aic"), _write_one),
                        "BIC": describe_value(observed("bic"), _write_one),
                        "Latent χ² (df)": _describe_chisq(latent("chisq")),
                        "CFI": describe_value(latent("cfi"), _write_three),
                        "RMSEA": describe_value(latent("rmsea"), _write_three),
                        "SRMR": describe_value(latent("srmr"), _write_three),
                        "Latent AIC": describe_value(latent("aic"), _write_one),
                        "Latent BIC": describe_value(latent("bic"), _write_one),
                    }
                )
        own = ["χ² (df)", "Log-likelihood", "AIC", "BIC"]
        factors = ["Latent χ² (df)", "CFI", "RMSEA", "SRMR", "Latent AIC", "Latent BIC"]
        return Table(
            rows,
            name="mechanism-models",
            title="How the order given, the order turned round and the rivals fit",
            stub="Model",
            group="Outcome",
            spanners={"Between observed scores": own, "Between factors": factors},
            labels={name: name.removeprefix("Latent ") for name in factors},
            notes=[*_FIT_NOTES, *notes],
        )

    def tabulate_sensitivity(self) -> Table:
        rows, notes = [], []
        cause, mediator = self.names["cause"], self.names["mediator"]
        named = [(self.mechanism.mediator, "cause", cause, mediator)]
        for key in self.mechanism.outcomes:
            title = lower_title(self.title(key))
            named += [(key, "cause", cause, title), (key, "mediator", mediator, title)]
        for key, role, start, end in named:
            rho, clear = (self.find(key, f"rho_{role}_outcome{end_}") for end_ in ("", "_clear"))
            notes += [_explain_gap(rho), _explain_gap(clear)]
            shock = self.find(key, "area_shock")
            rows.append(
                {
                    "Path": f"{start[:1].upper()}{start[1:]} → {end}",
                    "Correlation": describe_value(rho, format_number),
                    "Interval": describe_interval(rho),
                    "Share": _describe_share(rho),
                    "From": describe_value(clear, format_number),
                    "Share from": _describe_share(clear),
                    "Shock": describe_value(shock, format_number) if role == "cause" else "",
                }
            )
        return Table(
            rows,
            name="mechanism-sensitivity",
            title="How strong something unmeasured would have to be",
            stub="Path",
            spanners={
                "For the path to vanish": ["Correlation", "Interval", "Share"],
                "For the change along it to be chance": ["From", "Share from", "Shock"],
            },
            labels={
                "Correlation": "Correlation of errors",
                "Interval": "95% interval",
                "Share": "Share of each",
                "From": "Correlation of errors",
                "Share from": "Share of each",
                "Shock": "Area shock",
            },
            notes=[*_RHO_NOTES, *notes],
        )


def _is_clear(row: Mapping[str, Any] | Row[Any]) -> bool:
    return bool(row["ci_low"] > 0 or row["ci_high"] < 0)


def _describe_bare(row: Row[Any]) -> str:
    ends = format_interval(row["ci_low"], row["ci_high"])
    return f"{format_number(row['estimate'])} ({ends})"


def _describe_sd(row: Row[Any]) -> str:
    ends = format_interval(row["ci_low"], row["ci_high"])
    return f"{format_number(row['estimate'])} SD (95% interval {ends})"


def _list_cells(row: Row[Any] | None) -> Sequence[str]:
    return describe_value(row, format_number), describe_interval(row)


def _describe_n(row: Row[Any] | None) -> str:
    if row is None or math.isnan(row["n"]):
        return MISSING
    return format_count(row["n"])


def _describe_chisq(row: Row[Any] | None) -> str:
    if row is None or math.isnan(row["estimate"]):
        return MISSING
    p = "" if math.isnan(row["p_value"]) else f", p {format_p(row['p_value'])}"
    return f"{format_number(row['estimate'], 1)} ({format_count(row['df'])}{p})"


def _describe_share(row: Row[Any] | None) -> str:
    return MISSING if row is None else format_share(abs(row["estimate"]))


def _explain_gap(row: Row[Any] | None) -> str:
    if row is None or not math.isnan(row["estimate"]):
        return ""
    return f"Not available: {row['note']}"


_write_one = partial(format_number, digits=1)
_write_three = partial(format_number, digits=3)
