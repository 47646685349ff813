"""Incident files counted by site, outcome and month."""

from sbwork.incidents.reading import Incidents, read_incidents

__all__ = ["Incidents", "read_incidents"]
