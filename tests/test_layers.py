# SPDX-License-Identifier: GPL-3.0-or-later
"""Eq. 7-9: clusters, costs, weights, and the layers they give."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dofkit.graphcut import energy
from dofkit.layers import kmeans, pairwise, split_layers, unary


@pytest.fixture(scope="module")
def street():
    """A ground that recedes, a wall behind it and a post on the ground, with a little noise."""
    z = np.repeat(np.linspace(1.0, 0.0, 60)[:, None], 48, 1)
    z[:20] = 0.9
    z[10:45, 30:34] = z[45, 0]
    return z + 0.01 * np.random.default_rng(0).standard_normal(z.shape)


def brute_kmeans(values, K):
    """The best K-means of scalars: clusters of sorted values are runs, so try every split."""
    import itertools

    values = np.sort(values)
    return min(
        sum(((part - part.mean()) ** 2).sum() for part in np.split(values, cuts))
        for cuts in itertools.combinations(range(1, len(values)), K - 1)
    )


def test_kmeans_is_near_the_best_split():
    rng = np.random.default_rng(1)
    for _ in range(10):
        values = np.concatenate([rng.normal(c, 0.03, 6) for c in (0.1, 0.5, 0.9)])
        clusters = kmeans(values[None], 3)
        ours = ((values[:, None] - clusters.centres) ** 2).min(1).sum()
        assert ours <= brute_kmeans(values, 3) * 1.01 + 1e-9


def test_kmeans_of_few_values_returns_those():
    assert np.allclose(kmeans(np.array([[0.0, 0.0, 1.0, 1.0]]), 6).centres, [0.0, 1.0])
    assert np.allclose(kmeans(np.full((3, 3), 2.5), 6).centres, [2.5])


def test_kmeans_finds_all_clusters_beside_a_wall_and_an_outlier():
    """One depth over most of the picture, or one wrong pixel, must not use up the layers."""
    rng = np.random.default_rng(0)
    wall = np.where(rng.random((100, 100)) < 0.8, 0.5, rng.random((100, 100)))
    spike = np.linspace(0, 1, 10_000).reshape(100, 100).copy()
    spike[50, 50] = 1e4
    for z in (wall, spike):
        centres = kmeans(z, 6).centres
        assert len(centres) == 6 and np.ptp(centres) < 1.0


def test_kmeans_refuses_nan():
    with pytest.raises(ValueError, match="finite"):
        kmeans(np.array([[0.0, np.nan]]), 2)


def test_unary_terms_are_the_formulas():
    z = np.array([[0.0, 0.3], [0.8, 1.0]])
    clusters = kmeans(z, 2)
    distance = np.abs(z[None] - clusters.centres[:, None, None])
    assert np.allclose(unary(z, clusters), distance**2 / (2 * clusters.sigma**2))
    assert np.allclose(unary(z, clusters, form="printed"), distance / clusters.variances[:, None, None])


def test_pairwise_follows_the_sobel_step():
    z = np.zeros((5, 6))
    z[:, 3:] = 2.0
    right, down = pairwise(z, lambda_=10.0)
    # half of the step at the edge itself, a quarter beside it
    assert np.allclose(right[2], 10 * np.exp(-np.array([0, 0.5, 1.0, 0.5, 0])))
    assert np.allclose(down, 10.0)


def test_layers_do_not_depend_on_the_unit_of_depth(street):
    reference = split_layers(street).labels
    assert (split_layers(street * 1000 - 7).labels == reference).mean() > 0.999


def test_layers_go_from_near_to_far(street):
    layers = split_layers(street)
    means = [street[layers.labels == k].mean() for k in np.unique(layers.labels)]
    assert np.all(np.diff(means) > 0) and np.all(np.diff(layers.clusters.centres) > 0)


def test_crf_is_smoother_than_thresholding(street):
    def pieces(labels):
        return sum(cv2.connectedComponents((labels == k).astype(np.uint8))[0] - 1 for k in range(6))

    noisy = street + 0.04 * np.random.default_rng(1).standard_normal(street.shape)
    crf, threshold = split_layers(noisy), split_layers(noisy, solver="threshold")
    assert pieces(crf.labels) < pieces(threshold.labels) / 2
    assert crf.energy <= threshold.energy


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["expansion", "ordered", "threshold"]), st.integers(1, 8))
def test_any_depth_gives_layers(seed, solver, K):
    rng = np.random.default_rng(seed)
    z = rng.random(tuple(rng.integers(2, 12, 2))) * rng.choice([0.0, 1e-9, 1.0, 1e6])
    layers = split_layers(z, K, solver=solver)
    assert layers.labels.shape == z.shape and layers.labels.max() < layers.count <= K


def test_energy_is_of_the_returned_labels(street):
    layers = split_layers(street)
    assert layers.energy == pytest.approx(energy(layers.labels, layers.u, layers.weights))


def test_negative_lambda_is_refused(street):
    with pytest.raises(ValueError, match="lambda"):
        split_layers(street, lambda_=-1.0)
