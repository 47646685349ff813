"""Incident files counted by site, outcome and month."""

from sbwork.read.incidents.reading import Incidents, read_incidents

__all__ = ["Incidents", "read_incidents"]
