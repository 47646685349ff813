"""Findings as a reader sees them: words, tables, figures, sections."""
