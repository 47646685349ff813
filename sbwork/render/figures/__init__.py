"""Results drawn with matplotlib: every function draws on the axes that it is given."""

from sbwork.render.figures.accuracy import draw_false_positives
from sbwork.render.figures.counts import (
    draw_changes,
    draw_monthly_counts,
    draw_placebos,
    draw_reported,
)
from sbwork.render.figures.maps import draw_map
from sbwork.render.figures.models import (
    choose_range,
    draw_choices,
    draw_event_study,
    draw_specifications,
    scale_ratios,
)
from sbwork.render.figures.planning import draw_balance, draw_detectable, draw_mixture
from sbwork.render.figures.scales import (
    count_shares,
    draw_differences,
    draw_likert,
    draw_means,
    draw_score_distributions,
)
from sbwork.render.figures.style import AFTER, BEFORE, CONTROL, INTERVENTION, STYLE

__all__ = [
    "AFTER",
    "BEFORE",
    "CONTROL",
    "INTERVENTION",
    "STYLE",
    "choose_range",
    "count_shares",
    "draw_balance",
    "draw_changes",
    "draw_choices",
    "draw_detectable",
    "draw_differences",
    "draw_event_study",
    "draw_false_positives",
    "draw_likert",
    "draw_map",
    "draw_means",
    "draw_mixture",
    "draw_monthly_counts",
    "draw_placebos",
    "draw_reported",
    "draw_score_distributions",
    "draw_specifications",
    "scale_ratios",
]
