"""Contrasts of cell means with clustered people, against clubSandwich."""

from __future__ import annotations

import math

import numpy as np
import pytest
from made_by_hand import read_reference
from sim_sample import cover_clusters

from sbwork.stats import Flag, Reason
from sbwork.stats.clusters import ClusteredCell, count_clusters, estimate_clustered_contrast

R = 1e-6
SIGNS = (1.0, -1.0, -1.0, 1.0)
REFERENCE = read_reference("clusters")


def make_cells(streets, *, apart=False, weighted=False, people=False):
    """Make the data of clusters.R, by the same rule."""
    cells, number = [], 0
    for cell in range(4):
        site, wave = divmod(cell, 2)
        rows = []
        for s in range(streets):
            for i in range(3 + (5 * s + 3 * cell) % 7):
                street = s + streets * site + (100 * wave if apart else 0)
                y = 1 + ((7 * s + 4 * site) % 11) / 5 + ((3 * i * i + 5 * i + s + cell) % 13) / 6
                weight = 0.4 + ((i * 13 + 5 * s + cell) % 17) / 9 if weighted else 1.0
                rows.append((y + 0.3 * (cell == 3), weight, number if people else street))
                number += 1
        scores, weights, clusters = np.array(rows).T
        cells.append(ClusteredCell(scores, weights, clusters.astype(np.intp)))
    return cells


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("eight", {"streets": 8}),
        ("eight_weighted", {"streets": 8, "weighted": True}),
        ("apart", {"streets": 8, "apart": True}),
        ("apart_weighted", {"streets": 8, "apart": True, "weighted": True}),
        ("three", {"streets": 3}),
        ("three_weighted", {"streets": 3, "weighted": True}),
        ("people", {"streets": 8, "weighted": True, "people": True}),
    ],
)
def test_cr2_and_satterthwaite_as_in_clubsandwich(name, made):
    found = estimate_clustered_contrast(make_cells(**made), SIGNS, estimator="did")
    wanted = REFERENCE[name]
    ours = {"estimate": found.estimate, "se": found.se, "df": found.df, "p": found.p_value,
            "low": found.ci_low, "high": found.ci_high}  # fmt: skip
    assert ours == pytest.approx(wanted, rel=R)
    assert (Flag.FEW_CLUSTERS in found.flags) == (wanted["df"] < 4)


def test_clusters_as_one_matrix_agree():
    """The adjustment by blocks is the one by whole matrices, weights and crossing clusters too."""
    cells = make_cells(5, weighted=True)
    y, w, g = (np.concatenate([getattr(cell, name) for cell in cells])
               for name in ("scores", "weights", "clusters"))  # fmt: skip
    x = np.repeat(np.eye(4), [len(cell.scores) for cell in cells], axis=0)
    bread = np.linalg.inv(x.T @ (w[:, None] * x))
    take_out = np.eye(len(y)) - x @ bread @ x.T * w
    left = take_out @ y
    rows = []
    for cluster in np.unique(g):
        at = np.flatnonzero(g == cluster)
        values, vectors = np.linalg.eigh((take_out @ take_out.T)[np.ix_(at, at)])
        root = np.where(values > 1e-12, 1 / np.sqrt(np.maximum(values, 1e-12)), 0)
        pull = (vectors * root) @ vectors.T @ (w[at, None] * x[at]) @ bread @ np.array(SIGNS)
        rows.append((pull @ left[at], take_out[at].T @ pull))
    gram = np.array([[a @ b for _, b in rows] for _, a in rows])
    found = estimate_clustered_contrast(cells, SIGNS, estimator="did")
    assert found.se == pytest.approx(math.sqrt(sum(own**2 for own, _ in rows)), rel=1e-10)
    assert found.df == pytest.approx(np.trace(gram) ** 2 / np.sum(gram**2), rel=1e-10)


@pytest.mark.parametrize(
    ("change", "flags", "reason"),
    [
        (lambda s, w, g: (s, w, np.zeros_like(g)), {Flag.NO_INTERVAL, Flag.FEW_CLUSTERS}, ""),
        (lambda s, w, g: (np.full_like(s, 0.3), w, g), {Flag.NO_INTERVAL}, ""),
        (lambda s, w, g: (s[:1], w[:1], g[:1]), set(), Reason.TOO_FEW_PEOPLE),
    ],
)
def test_what_cannot_be_gauged_is_missing(change, flags, reason):
    """One cluster a site, constant scores, or nobody: no interval, or a reason."""
    cells = [
        ClusteredCell(*change(cell.scores, cell.weights, cell.clusters))
        for cell in make_cells(4, weighted=True)
    ]
    found = estimate_clustered_contrast(cells, SIGNS, estimator="did")
    assert flags <= set(found.flags)
    assert found.reason == reason
    assert math.isnan(found.se)
    assert found.note


@pytest.mark.parametrize("weight", [0.0, math.inf, math.nan])
def test_weights_must_be_positive_and_finite(weight):
    cells = make_cells(4)
    cells[0].weights[0] = weight
    with pytest.raises(ValueError, match="weights"):
        estimate_clustered_contrast(cells, SIGNS, estimator="did")


def test_clusters_are_counted_once():
    assert count_clusters(make_cells(8)) == 16
    assert count_clusters([]) == 0


@pytest.mark.parametrize("uneven", [False, True])
def test_eight_streets_a_site_are_covered(uneven):
    """Of 500 samples, 95% within three standard errors; without clusters far fewer."""
    held = cover_clusters(500, 3, streets=8, uneven=uneven)
    assert held["cr2"] == pytest.approx(0.95, abs=0.03)
    assert held["hc2"] < 0.85
