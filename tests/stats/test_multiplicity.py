import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sbwork.stats.multiplicity import adjust_benjamini_hochberg, adjust_family, adjust_holm

EXACT = 1e-12

R = json.loads((Path(__file__).parents[1] / "reference" / "means.json").read_text())
p_values = st.lists(st.floats(0, 1), max_size=20)


def test_published_values():
    p = [0.01, 0.04, 0.03, 0.005]
    assert adjust_holm(p) == pytest.approx([0.03, 0.06, 0.06, 0.02], rel=EXACT)
    assert adjust_benjamini_hochberg(p) == pytest.approx([0.02, 0.04, 0.04, 0.02], rel=EXACT)


def test_r_agrees():
    assert adjust_holm(R["p"]) == pytest.approx(R["holm"], rel=EXACT)
    assert adjust_benjamini_hochberg(R["p"]) == pytest.approx(R["bh"], rel=EXACT)


@pytest.mark.parametrize("adjust", [adjust_holm, adjust_benjamini_hochberg])
def test_missing_p_values_stay_missing_and_do_not_count(adjust):
    found = adjust([0.01, np.nan, 0.02])
    assert np.isnan(found[1])
    assert found[[0, 2]] == pytest.approx(adjust([0.01, 0.02]))


@pytest.mark.parametrize("adjust", [adjust_holm, adjust_benjamini_hochberg])
@pytest.mark.parametrize("bad", [[-0.1], [1.1], [[0.1, 0.2]]])
def test_what_is_no_p_value_is_refused(adjust, bad):
    with pytest.raises(ValueError, match="p"):
        adjust(bad)


@given(p_values)
def test_adjusted_values_lie_between_the_raw_one_and_bonferroni(p):
    raw = np.array(p, dtype=float)
    for adjusted in (adjust_benjamini_hochberg(p), adjust_holm(p)):
        assert (adjusted >= raw - EXACT).all()
        assert (adjusted <= np.minimum(1, raw * len(p)) + EXACT).all()
    assert (adjust_benjamini_hochberg(p) <= adjust_holm(p) + EXACT).all()


@given(p_values, st.randoms())
def test_order_does_not_matter(p, random):
    order = list(range(len(p)))
    random.shuffle(order)
    for adjust in (adjust_holm, adjust_benjamini_hochberg):
        assert adjust([p[i] for i in order]) == pytest.approx(adjust(p)[order])


def test_one_p_value_is_left_alone():
    assert adjust_holm([0.3]).tolist() == adjust_benjamini_hochberg([0.3]).tolist() == [0.3]


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=12))
def test_a_family_is_adjusted_in_its_two_parts(tests):
    p, declared = (np.array([test[k] for test in tests]) for k in (0, 1))
    found, declared = adjust_family(p, declared), declared.astype(bool)
    assert found[declared] == pytest.approx(adjust_holm(p[declared]))
    assert found[~declared] == pytest.approx(adjust_benjamini_hochberg(p[~declared]))
