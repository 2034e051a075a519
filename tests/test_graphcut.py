# SPDX-License-Identifier: GPL-3.0-or-later
"""The graph cuts against brute force, against the whole-grid port, and against each other."""

import itertools

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dofkit.graphcut import BinaryCuts, alpha_expansion, energy, optimal_labels, ordered_cuts
from dofkit.layers import split_layers
from tests.port import whole_grid_expansion


def random_model(rng, K, h, w, smoothness):
    u = rng.random((K, h, w)) * 5
    return u, (rng.random((h, w - 1)) * smoothness, rng.random((h - 1, w)) * smoothness)


def all_labellings(K, h, w):
    return [np.array(l).reshape(h, w) for l in itertools.product(range(K), repeat=h * w)]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 6))
def test_binary_cut_is_the_minimum(seed, smoothness):
    rng = np.random.default_rng(seed)
    u, w = random_model(rng, 2, 3, 3, smoothness)
    found = BinaryCuts(w)(u[1] - u[0]).astype(int)
    assert energy(found, u, w) == pytest.approx(min(energy(l, u, w) for l in all_labellings(2, 3, 3)))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 4))
def test_certified_labels_belong_to_a_minimum(seed, smoothness):
    u, w = random_model(np.random.default_rng(seed), 3, 2, 3, smoothness)
    energies = [(energy(l, u, w), l) for l in all_labellings(3, 2, 3)]
    best = min(e for e, _ in energies)
    certain = optimal_labels(u, w)
    optima = [l for e, l in energies if e <= best + 1e-9]
    assert any((l[certain >= 0] == certain[certain >= 0]).all() for l in optima)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 4))
def test_expansion_is_within_the_proven_factor_and_mostly_optimal(seed, smoothness):
    u, w = random_model(np.random.default_rng(seed), 3, 2, 3, smoothness)
    best = min(energy(l, u, w) for l in all_labellings(3, 2, 3))
    assert best - 1e-9 <= energy(alpha_expansion(u, w), u, w) <= 2 * best + 1e-9


def test_expansion_finds_the_minimum_of_most_small_models():
    found = 0
    for seed in range(20):
        u, w = random_model(np.random.default_rng(seed), 3, 2, 3, 3.0)
        best = min(energy(l, u, w) for l in all_labellings(3, 2, 3))
        found += energy(alpha_expansion(u, w), u, w) <= best + 1e-9
    assert found >= 17


@pytest.mark.parametrize("kind", ["random", "noise", "smooth"])
def test_energy_is_never_above_the_whole_grid_ports(kind):
    rng = np.random.default_rng(5)
    for _ in range(25):
        h, w = rng.integers(6, 24, 2)
        K = int(rng.integers(2, 7))
        if kind == "random":
            u, weights = random_model(rng, K, h, w, 4.0)
        else:
            z = rng.random((h, w))
            z = cv2.GaussianBlur(z, (0, 0), 2.0) if kind == "smooth" else z
            model = split_layers(z, K, lambda_=20 * rng.random())
            u, weights = model.u, model.weights
        ours, port = alpha_expansion(u, weights), whole_grid_expansion(u, weights)
        assert energy(ours, u, weights) <= energy(port, u, weights) + 1e-6


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 3))
def test_ordered_cuts_are_the_minimum(seed, smoothness):
    rng = np.random.default_rng(seed)
    centres = np.cumsum(rng.random(3) + 0.1)
    z = rng.random((2, 3)) * 3
    u = (z - centres[:, None, None]) ** 2
    w = (rng.random((2, 2)) * smoothness, rng.random((1, 3)) * smoothness)
    distance = np.abs(centres[:, None] - centres[None]) / np.diff(centres).mean()
    found = energy(ordered_cuts(u, w, centres), u, w, distance)
    assert found == pytest.approx(min(energy(l, u, w, distance) for l in all_labellings(3, 2, 3)))


def test_ordered_cuts_refuse_what_they_cannot_solve():
    w = (np.ones((2, 1)), np.ones((1, 2)))
    with pytest.raises(ValueError, match="must increase"):
        ordered_cuts(np.zeros((2, 2, 2)), w, np.array([1.0, 1.0]))
    concave = -((np.arange(3.0)[:, None, None] - np.ones((1, 2, 2))) ** 2)
    with pytest.raises(ValueError, match="not convex"):
        ordered_cuts(concave, w, np.arange(3.0))


def test_one_label_and_one_pixel():
    w = (np.ones((2, 1)), np.ones((1, 2)))
    assert (alpha_expansion(np.zeros((1, 2, 2)), w) == 0).all()
    single = (np.zeros((1, 0)), np.zeros((0, 1)))
    assert alpha_expansion(np.array([[[2.0]], [[1.0]]]), single).item() == 1
