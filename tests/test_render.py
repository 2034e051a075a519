# SPDX-License-Identifier: GPL-3.0-or-later
"""Eq. 4 and 10 against the port that renders every layer everywhere, and what the reader is promised."""

import numpy as np
import pytest

from dofkit.layers import split_layers
from dofkit.render import layer_radii, layer_shares, render_layers, render_selfie
from dofkit.scenes import portrait_scene
from tests.port import blur_everything


@pytest.fixture(scope="module")
def scene():
    return portrait_scene(1, (160, 120), "whole-body")


@pytest.fixture(scope="module")
def layers(scene):
    return split_layers(-1 / scene.depth)


def test_layers_equal_the_plain_port(scene, layers):
    radii = np.array([0.0, 0.7, 1.5, 2.5, 4.0, 6.0])[: layers.count]
    ours = render_layers(scene.image, scene.alpha, layers.labels, radii, feather=2.0)
    port = blur_everything(scene.image, scene.alpha, layers.labels, radii, 2.0)
    assert np.abs(ours - port).max() < 2e-4  # a layer is left out where it makes up less than 1e-4 of a pixel


def test_person_is_untouched_bit_for_bit(scene, layers):
    inside = scene.alpha == 1
    for result in (
        render_selfie(scene.image, scene.alpha, 5.0),
        render_layers(scene.image, scene.alpha, layers.labels, np.arange(6.0)),
    ):
        assert (result[inside] == scene.image[inside]).all() and inside.sum() > 500


def test_radius_zero_changes_nothing(scene, layers):
    result = render_layers(scene.image, scene.alpha, layers.labels, np.zeros(6), feather=2.0)
    assert np.abs(result - scene.image).max() < 1e-3


def test_shares_sum_to_one(layers):
    shares = layer_shares(layers.labels, 6, 3.0, layers.labels.shape)
    assert np.abs(shares.sum(0) - 1).max() < 1e-5


def test_guided_kernel_leaves_no_halo():
    """A white person before a grey wall: Eq. 6 keeps the wall grey up to the person, Eq. 5 makes it glow (Fig. 3)."""
    image = np.full((60, 60, 3), 0.3, np.float32)
    m = np.zeros((60, 60), np.float32)
    m[20:, 20:40] = 1
    image[m == 1] = 1
    assert np.abs(render_selfie(image, m, 6.0)[m == 0] - 0.3).max() < 1e-5
    assert render_selfie(image, m, 6.0, guided=False)[m == 0].max() > 0.6


def test_small_labels_serve_a_large_picture(scene, layers):
    fine = np.repeat(np.repeat(layers.labels, 2, 0), 2, 1)
    image = np.repeat(np.repeat(scene.image, 2, 0), 2, 1)
    m = np.repeat(np.repeat(scene.alpha, 2, 0), 2, 1)
    radii = np.linspace(0, 4, 6)
    small = render_layers(image, m, layers.labels, radii, feather=8.0)
    assert np.abs(small - render_layers(image, m, fine, radii, feather=8.0)).mean() < 5e-3


def test_radii_start_at_the_persons_layer():
    labels = np.array([[0, 1, 2, 3, 4, 5]], np.uint8)
    person = np.array([[0, 0, 1, 0, 0, 0]])
    assert np.allclose(layer_radii(labels, person, 6, 6.0), [0, 0, 0, 2, 4, 6])
    assert layer_radii(labels, np.array([[0, 0, 0, 0, 0, 1]]), 6, 6.0)[-1] == 6.0  # never all sharp
    assert (layer_radii(labels, np.zeros((1, 6)), 6, 5.0) == np.arange(6)).all()  # nobody: the nearest is sharp
