"""Cohorts run through the notebook, and the finished pages made of it."""
