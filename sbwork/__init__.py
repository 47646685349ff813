"""sbwork: a workbench for evaluating strengths-based policing pilots.

Data moves one way: read -> score -> compare -> grade -> render -> report.

read
    `read_cohort`, `read_instrument`
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Cohort": "cohort",
    "Estimate": "estimates",
    "InputError": "errors",
    "Instrument": "instrument",
    "read_cohort": "cohort",
    "read_instrument": "instrument",
}

__all__ = [
    "Cohort",
    "Estimate",
    "InputError",
    "Instrument",
    "read_cohort",
    "read_instrument",
]

if TYPE_CHECKING:
    from sbwork.cohort import Cohort, read_cohort
    from sbwork.errors import InputError
    from sbwork.estimates import Estimate
    from sbwork.instrument import Instrument, read_instrument


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"sbwork.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'sbwork' has no attribute '{name}'")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
