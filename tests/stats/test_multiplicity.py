import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_by_hand import read_reference

from sbwork.stats.multiplicity import adjust_benjamini_hochberg, adjust_family, adjust_holm

EXACT = 1e-12

R = read_reference("means")
p_values = st.lists(st.floats(0, 1), max_size=20)


@pytest.mark.parametrize(
    ("p", "holm", "benjamini_hochberg"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02], [0.02, 0.04, 0.04, 0.02]),
        (R["p"], R["holm"], R["bh"]),
        ([0.3], [0.3], [0.3]),
    ],
)
def test_published_values_and_r_agree(p, holm, benjamini_hochberg):
    assert adjust_holm(p) == pytest.approx(holm, rel=EXACT)
    assert adjust_benjamini_hochberg(p) == pytest.approx(benjamini_hochberg, rel=EXACT)


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


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=12))
def test_a_family_is_adjusted_in_its_two_parts(tests):
    p, declared = (np.array([test[k] for test in tests]) for k in (0, 1))
    found, declared = adjust_family(p, declared), declared.astype(bool)
    assert found[declared] == pytest.approx(adjust_holm(p[declared]))
    assert found[~declared] == pytest.approx(adjust_benjamini_hochberg(p[~declared]))
