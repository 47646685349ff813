"""Survey exports read into one tidy frame of answers, with no personal data in it."""

from sbwork.read.surveys.responses import Responses, read_responses

__all__ = ["Responses", "read_responses"]
