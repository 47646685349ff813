"""Every topic that can be shown, in the order of the report, and the one function that shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from inspect import Parameter, signature
from typing import Any, Protocol

import pandas as pd

from sbwork.grade.checklists import Heading
from sbwork.grade.publishable import Publishable
from sbwork.render.accuracy import present_accuracy
from sbwork.render.blocks import Section
from sbwork.render.counts import present_changes, present_counts
from sbwork.render.evidence import present_evidence, present_kinds, present_limits
from sbwork.render.mechanism import present_mechanism
from sbwork.render.methods import present_methods
from sbwork.render.outcomes import present_outcome
from sbwork.render.planning import present_candidates, present_mixture, present_plan
from sbwork.render.potency import present_potency
from sbwork.render.quality import present_quality
from sbwork.render.reliability import present_reliability
from sbwork.render.robustness import present_robustness
from sbwork.render.sample import present_sample
from sbwork.render.scales import present_scales
from sbwork.render.stories import present_stories
from sbwork.render.summary import present_summary
from sbwork.render.survey_planning import present_survey_plan
from sbwork.specs.cohort import Cohort
from sbwork.specs.errors import InputError, Problem, find_nearest, list_names


class HasPublishable(Protocol):
    """An evaluation: of all that it holds, only what may be published is shown."""

    @property
    def publishable(self) -> Publishable:
        """All that a reader may see."""


@dataclass(frozen=True)
class Topic:
    """What can be shown: its key, its heading, the function that shows it, and what that needs."""

    key: str
    title: str
    present: Callable[..., Section]
    needs: type = Publishable
    does_without: bool = False


TOPICS = {
    topic.key: topic
    for topic in (
        Topic("summary", Heading.SUMMARY, present_summary),
        Topic("changes", Heading.CHANGES, present_changes),
        Topic("counts", Heading.COUNTS, present_counts),
        Topic("robustness", Heading.ROBUSTNESS, present_robustness),
        Topic("scales", Heading.SCALES, present_scales),
        Topic("potency", Heading.POTENCY, present_potency),
        Topic("sample", Heading.SAMPLE, present_sample),
        Topic("mechanism", Heading.MECHANISM, present_mechanism),
        Topic("reliability", Heading.RELIABILITY, present_reliability),
        Topic("kinds", Heading.KINDS, present_kinds),
        Topic("stories", Heading.STORIES, present_stories),
        Topic("evidence", Heading.EVIDENCE, present_evidence),
        Topic("limits", Heading.LIMITS, present_limits),
        Topic("quality", Heading.QUALITY, present_quality),
        Topic("methods", Heading.METHODS, present_methods),
        Topic("outcome", "One outcome", present_outcome),
        Topic("candidates", "Possible controls", present_candidates, Cohort),
        Topic("mixture", "A mixture of areas", present_mixture, Cohort),
        Topic("plan", "The smallest fall that would be found", present_plan, Cohort),
        Topic(
            "survey_plan", "How many residents have to be asked?", present_survey_plan, Cohort, True
        ),
        Topic("accuracy", "How often each interval errs", present_accuracy, pd.DataFrame, True),
    )
}
"""Every topic by its key."""

REPORT = tuple(key for key, topic in TOPICS.items() if isinstance(topic.title, Heading))
"""The keys of the topics of a report, in its order: those that have one of its headings."""


def view(
    evaluation: HasPublishable | Publishable | Cohort | pd.DataFrame | None,
    topic: str,
    **choices: Any,
) -> Section:
    """Show one topic of an evaluation, of a plan or of the methods.

    Parameters
    ----------
    evaluation : Evaluation or Publishable or Cohort or pandas.DataFrame or None
        As `evaluate_cohort` returns it; only its ``publishable`` is looked at. A plan needs no more
        than the cohort, and one of a survey not even that; ``"accuracy"`` takes the table that
        `simulate_counts` returns, or None for the table that comes with the package.
    topic : str
        ``"summary"``, ``"changes"``, ``"counts"``, ``"robustness"``, ``"scales"``,
        ``"potency"``, ``"sample"``, ``"mechanism"``, ``"reliability"``, ``"kinds"``,
        ``"stories"``, ``"evidence"``, ``"limits"``, ``"quality"`` and ``"methods"`` are the
        sections of a report; ``"outcome"`` is one outcome or scale;
        ``"candidates"``, ``"mixture"``, ``"plan"`` and ``"survey_plan"`` are those of a plan;
        ``"accuracy"`` is how often each interval errs.
    **choices
        What a topic lets you choose: `outcome`, `sites` and `waves` of ``"outcome"``; the results
        that a plan shows: `search` of ``"candidates"``, `mixture`, `traced` and `names` of
        ``"mixture"``, `plan` of ``"plan"`` and of ``"survey_plan"``; `name` of ``"accuracy"``.

    Returns
    -------
    Section
        Paragraphs, tables and pictures; a notebook shows it as it is.

    Raises
    ------
    InputError
        A topic or choice is not known, a choice is missing, or the topic needs another kind of
        result; the message names what is allowed and the nearest right name.

    Examples
    --------
    >>> view(Cohort(name="pilot"), "cuonts")
    Traceback (most recent call last):
        ...
    sbwork.specs.errors.InputError: view: there is no topic 'cuonts'. Did you mean 'counts'?...
    """
    if topic not in TOPICS:
        found, names = f"there is no topic '{topic}'", list(TOPICS)
        allowed = f"Topics: {list_names(names, len(names))}"
        raise InputError(Problem("view", "", found, allowed, find_nearest(topic, names)))
    chosen = TOPICS[topic]
    given: Any = getattr(evaluation, "publishable", evaluation)
    if chosen.needs is Cohort and isinstance(given, Publishable):
        given = given.cohort
    if not isinstance(given, chosen.needs) and not (chosen.does_without and given is None):
        found = f"the topic '{topic}' needs {_name(chosen.needs)}, not {_name(type(given))}"
        raise InputError(Problem("view", "", found))
    _check_choices(chosen, choices)
    section = chosen.present(given, **choices)
    return replace(section, topic=chosen.key, title=str(chosen.title))


def _name(kind: type) -> str:
    names = {type(None): "nothing", Publishable: "an Evaluation"}
    return names.get(kind, f"a {kind.__name__}")


def _check_choices(topic: Topic, choices: dict[str, Any]) -> None:
    parameters = dict(list(signature(topic.present).parameters.items())[1:])
    names = list(parameters)
    allowed = f"Choices: {list_names(names)}" if names else "It has no choices"
    place = f"topic '{topic.key}'"
    problems = [
        Problem("view", place, f"there is no choice '{name}'", allowed, find_nearest(name, names))
        for name in choices
        if name not in parameters
    ]
    problems += [
        Problem("view", place, f"the choice '{name}' is missing")
        for name, parameter in parameters.items()
        if parameter.default is Parameter.empty and name not in choices
    ]
    if problems:
        raise InputError(problems)
