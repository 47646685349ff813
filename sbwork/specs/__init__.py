"""What a cohort and a questionnaire say: their files, periods, and what is wrong with them."""
