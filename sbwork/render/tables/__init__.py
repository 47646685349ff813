"""Results laid out as tables for reading; numbers come rounded from `sbwork.stats.formats`."""

from sbwork.render.tables.accuracy import (
    ESTIMATORS,
    tabulate_accuracy,
    tabulate_error_rates,
    title_world,
)
from sbwork.render.tables.counts import (
    tabulate_changes,
    tabulate_count_models,
    tabulate_placebos,
    tabulate_pooled,
    tabulate_reported_figures,
)
from sbwork.render.tables.evidence import (
    tabulate_checklist,
    tabulate_headings,
    tabulate_kinds,
    tabulate_pairs,
)
from sbwork.render.tables.layout import lay_out
from sbwork.render.tables.models import tabulate_models
from sbwork.render.tables.planning import (
    tabulate_balance,
    tabulate_candidates,
    tabulate_detectable,
    title_feature,
)
from sbwork.render.tables.quality import (
    tabulate_checks,
    tabulate_dropped,
    tabulate_multiple,
    tabulate_nonresponse,
)
from sbwork.render.tables.scales import tabulate_differences, tabulate_reliability, tabulate_scales
from sbwork.render.tables.stories import tabulate_answers, tabulate_engagement, tabulate_stories
from sbwork.render.tables.weights import tabulate_shares, tabulate_weights

__all__ = [
    "ESTIMATORS",
    "lay_out",
    "tabulate_accuracy",
    "tabulate_answers",
    "tabulate_balance",
    "tabulate_candidates",
    "tabulate_changes",
    "tabulate_checklist",
    "tabulate_checks",
    "tabulate_count_models",
    "tabulate_detectable",
    "tabulate_differences",
    "tabulate_dropped",
    "tabulate_engagement",
    "tabulate_error_rates",
    "tabulate_headings",
    "tabulate_kinds",
    "tabulate_models",
    "tabulate_multiple",
    "tabulate_nonresponse",
    "tabulate_pairs",
    "tabulate_placebos",
    "tabulate_pooled",
    "tabulate_reliability",
    "tabulate_reported_figures",
    "tabulate_scales",
    "tabulate_shares",
    "tabulate_stories",
    "tabulate_weights",
    "title_feature",
    "title_world",
]
