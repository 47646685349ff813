"""A small slice of tests/benchmarks/fuzz_exports.py, which runs ten thousand cases."""

import importlib.util
import sys
import warnings
from pathlib import Path

CASES = 120
SEED = 3


def test_mutated_exports_give_a_right_result_or_one_clear_message(tmp_path: Path) -> None:
    path = Path(__file__).parents[2] / "benchmarks" / "fuzz_exports.py"
    spec = importlib.util.spec_from_file_location("fuzz_exports", path)
    assert spec is not None
    assert spec.loader is not None
    fuzz = importlib.util.module_from_spec(spec)
    sys.modules["fuzz_exports"] = fuzz
    spec.loader.exec_module(fuzz)
    failures = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number, (export, mutation, data) in enumerate(fuzz.generate_cases(CASES, SEED)):
            wrong = fuzz.judge(export, mutation, data, tmp_path)
            if wrong:
                failures.append(f"case {number}, {export.name}, {mutation.name}: {wrong}")
    assert not failures
