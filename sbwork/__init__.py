"""sbwork: a workbench for evaluating strengths-based policing pilots.

Data moves one way: read -> score -> compare -> grade -> render -> report.

read
    `find_cohorts`, `read_cohort` (a `Cohort`), `read_instrument` (an `Instrument`),
    `read_responses` (`Responses`), `read_incidents` (`Incidents`); what can't be read raises
    `InputError`
score
    `rake`, `weigh_responses`, `weighted_mean`; `score_scales`, `scale_reliability`;
    `fit_model` (a `ModelFit`), `refit_model`
compare
    `compare_counts`, `compare_placebos`, `compare_scales`; each number is an `Estimate`, each
    result a long frame that `combine_findings` joins and `select_findings` searches
plan
    `find_controls`, `compare_synthetic`, `trace_mixture`, `plan_counts`; `plan_survey`, with what
    `measure_survey` finds in an earlier one; how often each interval errs: `simulate_counts` in a
    `World` with known truth
grade
    `grade_evidence`, `suppress_findings`
all of it
    `evaluate_cohort` (an `Evaluation`)
render
    `view` shows a topic of an evaluation, of a plan or of the methods; `explore_cohort`
report
    `write_results`; the command ``sbwork report`` does the rest
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
