"""Widgets over the same functions that the report calls; nothing is computed here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sbwork.evaluation import Evaluation, evaluate_cohort
from sbwork.render import figures, narrative
from sbwork.render.pictures import Picture, compose_picture, describe_status
from sbwork.specs.cohort import find_cohorts
from sbwork.stats.findings import select_findings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["CohortExplorer", "View", "explore_cohort", "list_outcomes", "view_outcome"]

WAVES = ("before", "after")


@dataclass(frozen=True)
class View:
    """What an explorer shows for one choice.

    Attributes
    ----------
    sentence : str
        The result in plain words, its numbers with their intervals.
    picture : Picture or None
        The figure; None where nothing can be drawn.
    """

    sentence: str
    picture: Picture | None

    def _repr_html_(self) -> str:
        drawn = self.picture._repr_html_() if self.picture else ""
        return f"<p>{escape(self.sentence)}</p>{drawn}"


def list_outcomes(evaluation: Evaluation) -> dict[str, str]:
    """List what can be looked at in a cohort: titles, and the keys they stand for."""
    found: dict[str, str] = {}
    if evaluation.incidents is not None:
        found |= {outcome.title: key for key, outcome in evaluation.cohort.outcomes.items()}
    if evaluation.instrument is not None and evaluation.scores is not None:
        instrument = evaluation.instrument
        found |= {instrument.title_scale(key): key for key in instrument.scales}
    if len(select_findings(evaluation.findings, section="reported")):
        found["Figures as reported"] = "reported"
    return found


def view_outcome(
    evaluation: Evaluation, outcome: str, sites: Sequence[str], waves: Sequence[str] = WAVES
) -> View:
    """Show one outcome or scale for the chosen sites and waves.

    Parameters
    ----------
    evaluation : Evaluation
        As `evaluate_cohort` returns it.
    outcome : str
        Key of an incident outcome or a scale; ``"reported"`` for figures as reported.
    sites : sequence of str
        Keys of the sites.
    waves : sequence of {"before", "after"}
        Which waves or periods.

    Returns
    -------
    View
        The sentence and the figure.
    """
    if outcome == "reported":
        return _view_reported(evaluation)
    if not sites or not waves:
        return View("Choose at least one site and one wave.", None)
    if outcome in evaluation.cohort.outcomes:
        return _view_counts(evaluation, outcome, sites, waves)
    return _view_scale(evaluation, outcome, sites, waves)


class CohortExplorer:
    """Choose a cohort, an outcome, sites and waves; the figure and the sentence follow.

    Parameters
    ----------
    data : str or Path
        The folder that holds ``cohorts/`` and ``instruments/``.
    cohort : str, optional
        Where to start; the first cohort by default.
    static : bool, default False
        Show the first view as a plain figure, for runs that nobody watches.
    """

    def __init__(
        self, data: str | Path = "data", cohort: str | None = None, *, static: bool = False
    ) -> None:
        self._evaluate = lru_cache(maxsize=8)(lambda name: evaluate_cohort(name, data))
        self._filling = False
        names = find_cohorts(data)
        self.start = cohort or names[0]
        self.widget: Any = None
        if not static:
            try:
                import ipywidgets
            except ImportError:
                return
            self._build(ipywidgets, names)

    @property
    def view(self) -> View:
        """What is shown now."""
        if self.widget is None:
            evaluation = self._evaluate(self.start)
            outcome = next(iter(list_outcomes(evaluation).values()), "reported")
            return view_outcome(evaluation, outcome, evaluation.cohort.compared_sites)
        if self.outcome.value is None:
            return View("This cohort has nothing to look at yet.", None)
        return view_outcome(
            self._evaluate(self.cohort.value),
            self.outcome.value,
            self.sites.value,
            self.waves.value,
        )

    def _build(self, widgets: Any, names: list[str]) -> None:
        style = {"description_width": "5.5em"}
        wide = widgets.Layout(width="34em")
        self.cohort = widgets.Dropdown(
            options=names, value=self.start, description="Cohort", style=style, layout=wide
        )
        self.outcome = widgets.Dropdown(description="Look at", style=style, layout=wide)
        self.sites = widgets.SelectMultiple(description="Sites", style=style, layout=wide, rows=6)
        self.waves = widgets.SelectMultiple(
            options=WAVES, value=WAVES, description="Waves", style=style, layout=wide, rows=2
        )
        self.page = widgets.HTML()
        self.widget = widgets.VBox([self.cohort, self.outcome, self.sites, self.waves, self.page])
        self.cohort.observe(self._fill_choices, names="value")
        for control in (self.outcome, self.sites, self.waves):
            control.observe(self._refresh, names="value")
        self._fill_choices()

    def _fill_choices(self, _: object = None) -> None:
        evaluation = self._evaluate(self.cohort.value)
        sites = evaluation.cohort.compared_sites
        self._filling = True
        try:
            outcomes = list_outcomes(evaluation)
            self.outcome.options = list(outcomes.items())
            self.outcome.value = next(iter(outcomes.values()), None)
            self.sites.options = [(evaluation.cohort.title_site(site), site) for site in sites]
            self.sites.value = tuple(sites)
        finally:
            self._filling = False
        self._refresh()

    def _refresh(self, _: object = None) -> None:
        if not self._filling:
            self.page.value = self.view._repr_html_()

    def _ipython_display_(self) -> None:
        from IPython.display import HTML, display

        shown = self.widget if self.widget is not None else HTML(self.view._repr_html_())  # type: ignore[no-untyped-call]
        display(shown)  # type: ignore[no-untyped-call]


def explore_cohort(
    data: str | Path = "data", cohort: str | None = None, *, static: bool = False
) -> CohortExplorer:
    """Open the explorer; see `CohortExplorer` for the parameters."""
    return CohortExplorer(data, cohort, static=static)


def _view_counts(
    evaluation: Evaluation, outcome: str, sites: Sequence[str], waves: Sequence[str]
) -> View:
    cohort, incidents = evaluation.cohort, evaluation.incidents
    assert incidents is not None  # noqa: S101
    sentence = narrative.describe_counts(cohort, evaluation.findings, outcome, sites, waves)

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        figures.draw_monthly_counts(ax, incidents.sites, cohort, sites, outcome, waves)

    picture = compose_picture(
        cohort,
        f"explore-{outcome}",
        draw,
        size=(8.2, 3.6),
        alt=narrative.describe_monthly_counts(cohort, incidents.sites, sites, outcome),
        caption="Incidents a month.",
    )
    return View(sentence, picture)


def _view_scale(
    evaluation: Evaluation, scale: str, sites: Sequence[str], waves: Sequence[str]
) -> View:
    cohort, instrument, findings = evaluation.cohort, evaluation.instrument, evaluation.findings
    assert instrument is not None  # noqa: S101
    low, high = instrument.find_range(instrument.list_scale_items(scale)[0])

    def draw(figure: Figure) -> None:
        ax = figure.subplots()
        figures.draw_means(ax, findings, cohort, scale, sites, waves)
        ax.set_xlabel(f"Mean score, on a scale from {low:g} to {high:g}")
        ax.set_title(instrument.title_scale(scale))
        figure.legend(loc="outside lower right", ncols=2, fontsize=9)

    told = narrative.describe_means(cohort, findings, instrument, scale, sites, waves)
    picture = compose_picture(
        cohort,
        f"explore-{scale}",
        draw,
        size=(8.2, 1.6 + 0.5 * len(sites)),
        alt=told,
        caption="Mean scores with their 95% intervals.",
    )
    if set(waves) == set(WAVES):
        told += " " + narrative.describe_mean_differences(cohort, findings, scale, sites)
    return View(f"{describe_status(cohort)} {told}".strip(), picture)


def _view_reported(evaluation: Evaluation) -> View:
    cohort = evaluation.cohort
    sentence = narrative.describe_reported(cohort)
    picture = compose_picture(
        cohort,
        "explore-reported",
        lambda figure: figures.draw_reported(figure.subplots(), evaluation.findings),
        size=(7.6, 1.1 + 0.6 * len(cohort.reported_figures)),
        alt=sentence,
        caption="Changes as reported; nothing stands behind them that could be checked.",
    )
    return View(sentence, picture)
