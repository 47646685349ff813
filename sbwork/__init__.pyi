"""The public names: the one list of them, for `sbwork/__init__.py`, type checkers and editors."""

from .compare.controls import compare_synthetic as compare_synthetic
from .compare.controls import find_controls as find_controls
from .compare.controls import plan_counts as plan_counts
from .compare.controls import trace_mixture as trace_mixture
from .compare.counts import compare_counts as compare_counts
from .compare.placebo import compare_placebos as compare_placebos
from .compare.simulation import World as World
from .compare.simulation import simulate_counts as simulate_counts
from .compare.survey_planning import measure_survey as measure_survey
from .compare.survey_planning import plan_survey as plan_survey
from .compare.surveys import compare_scales as compare_scales
from .evaluation import Evaluation as Evaluation
from .evaluation import evaluate_cohort as evaluate_cohort
from .grade.disclosure import suppress_findings as suppress_findings
from .grade.evidence import grade_evidence as grade_evidence
from .read.incidents import Incidents as Incidents
from .read.incidents import read_incidents as read_incidents
from .read.surveys import Responses as Responses
from .read.surveys import read_responses as read_responses
from .render.explorers import explore_cohort as explore_cohort
from .render.views import view as view
from .report.results import write_results as write_results
from .score import ModelFit as ModelFit
from .score import fit_model as fit_model
from .score import refit_model as refit_model
from .score import scale_reliability as scale_reliability
from .score import score_scales as score_scales
from .score.weights import rake as rake
from .score.weights import weigh_responses as weigh_responses
from .score.weights import weighted_mean as weighted_mean
from .specs.cohort import Cohort as Cohort
from .specs.cohort import find_cohorts as find_cohorts
from .specs.cohort import read_cohort as read_cohort
from .specs.errors import InputError as InputError
from .specs.instrument import Instrument as Instrument
from .specs.instrument import read_instrument as read_instrument
from .stats import Estimate as Estimate
from .stats.findings import combine_findings as combine_findings
from .stats.findings import select_findings as select_findings

__version__: str
