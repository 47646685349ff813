"""A small sample of tests/studies/fuzz_inputs.py, which runs a thousand cases of each kind."""

from __future__ import annotations

import fuzz_inputs
import pytest

CASES = {"survey csv": 12, "geojson": 12}
SEED = 50_000


@pytest.mark.parametrize("kind", fuzz_inputs.KINDS)
def test_a_mutated_input_gives_a_result_or_one_clear_message(kind: str) -> None:
    assert list(fuzz_inputs.run(kind, CASES.get(kind, 5), SEED)) == []
