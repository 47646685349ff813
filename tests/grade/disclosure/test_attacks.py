"""A reader's integer programmes against whole reports of small cohorts."""

from __future__ import annotations

import attack_reports
import pytest

SAMPLE = (
    "few answer a scale",
    "few leave a scale out",
    "few men",
    "few lost",
    "stories",
    "few tick nothing",
)


@pytest.mark.parametrize("name", SAMPLE)
def test_no_size_of_a_small_group_is_excluded(name: str) -> None:
    secrets, recovered = attack_reports.attack(name)
    assert secrets
    assert not recovered
