"""What lavaan, psych and their data say: tests/reference/reliability.R."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

REFERENCE = Path(__file__).parents[1] / "reference"


@pytest.fixture(scope="session")
def lavaan() -> dict[str, Any]:
    values: dict[str, Any] = json.loads((REFERENCE / "reliability.json").read_text("utf-8"))
    return values


@pytest.fixture(scope="session")
def tests_of_1939() -> pd.DataFrame:
    return pd.read_csv(REFERENCE / "holzinger_swineford_1939.csv").drop(columns="school")
