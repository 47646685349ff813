"""Files looked into, and the cohort and questionnaire proposed for them."""
