"""Widgets over the same views that the report calls; nothing is computed here."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from sbwork.evaluation import evaluate_cohort
from sbwork.render.blocks import Section
from sbwork.render.intervals import WAVES
from sbwork.render.outcomes import list_outcomes
from sbwork.render.views import view
from sbwork.specs.cohort import find_cohorts


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
        self._publish = lru_cache(maxsize=8)(lambda name: evaluate_cohort(name, data).publishable)
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
    def view(self) -> Section:
        """What is shown now."""
        if self.widget is None:
            return view(self._publish(self.start), "outcome")
        return view(
            self._publish(self.cohort.value),
            "outcome",
            outcome=self.outcome.value or "",
            sites=self.sites.value,
            waves=self.waves.value,
        )

    def _build(self, widgets: Any, names: list[str]) -> None:
        look = {
            "style": {"description_width": "5.5em"},
            "layout": widgets.Layout(width="34em"),
        }
        self.cohort = widgets.Dropdown(
            options=names, value=self.start, description="Cohort", **look
        )
        self.outcome = widgets.Dropdown(description="Look at", **look)
        self.sites = widgets.SelectMultiple(description="Sites", rows=6, **look)
        self.waves = widgets.SelectMultiple(
            options=WAVES, value=WAVES, description="Waves", rows=2, **look
        )
        self.page = widgets.HTML()
        self.widget = widgets.VBox([self.cohort, self.outcome, self.sites, self.waves, self.page])
        self.cohort.observe(self._fill_choices, names="value")
        for control in (self.outcome, self.sites, self.waves):
            control.observe(self._refresh, names="value")
        self._fill_choices()

    def _fill_choices(self, _: object = None) -> None:
        shown = self._publish(self.cohort.value)
        sites = shown.cohort.compared_sites
        self._filling = True
        try:
            outcomes = list_outcomes(shown)
            self.outcome.options = list(outcomes.items())
            self.outcome.value = next(iter(outcomes.values()), None)
            self.sites.options = [(shown.cohort.title_site(site), site) for site in sites]
            self.sites.value = tuple(sites)
        finally:
            self._filling = False
        self._refresh()

    def _refresh(self, _: object = None) -> None:
        if not self._filling:
            self.page.value = self.view._repr_html_()

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.view if self.widget is None else self.widget)  # type: ignore[no-untyped-call]


def explore_cohort(
    data: str | Path = "data", cohort: str | None = None, *, static: bool = False
) -> CohortExplorer:
    """Open the explorer; see `CohortExplorer` for the parameters."""
    return CohortExplorer(data, cohort, static=static)
