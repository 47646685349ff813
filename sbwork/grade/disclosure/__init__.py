"""What may be shown: small groups hidden, and whatever would give them back."""

from sbwork.grade.disclosure.bases import suppress_questionnaires
from sbwork.grade.disclosure.suppression import merge_small_cells, suppress_findings, suppress_table

__all__ = ["merge_small_cells", "suppress_findings", "suppress_questionnaires", "suppress_table"]
