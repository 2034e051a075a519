# SPDX-License-Identifier: GPL-3.0-or-later
"""From a photograph to its depth: what the SPN is shown, what comes back, what the shipped networks see."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from skimage import data
from torch import nn

from dofkit import PortraitMode
from dofkit.coarse import lower_is_nearer
from dofkit.datasets import scenes
from dofkit.depth import GROWTH, SPREAD, DepthEstimator, check_depth_guess, estimator, inverse_distance, standardised
from dofkit.depth_evaluation import evaluate_depths
from dofkit.refining import HEIGHTS
from dofkit.weights import WeightsError


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, 3), dtype=np.float32)


class Plus(nn.Module):
    """A refinement that adds the picture's red."""

    def forward(self, image, coarse):
        return coarse + image[:, :1]


def red(image: np.ndarray) -> np.ndarray:
    return 40 + 7 * image[..., 0]


def test_what_the_spn_is_shown_has_no_unit():
    """At the networks' own size nothing is resized: v is the guess around 0 with a deviation of SPREAD, and red."""
    image = noise(64, 48)
    mask = np.zeros((64, 48), np.float32)
    expected = SPREAD * (image[..., 0] - image[..., 0].mean()) / image[..., 0].std(ddof=1)
    for unit, zero in ((7, 40), (0.001, -0.1), (1e5, 0)):
        guess = DepthEstimator(lambda x, unit=unit, zero=zero: zero + unit * x[..., 0], Plus(), heights=(64,))
        found = guess(image, mask)
        assert found.coarse == pytest.approx(inverse_distance(expected), abs=1e-3)
        assert found.z == pytest.approx(inverse_distance(expected + image[..., 0]), abs=1e-3)


def test_a_distance_that_grows_as_v_says_comes_out_inverted():
    distance = np.random.default_rng(0).uniform(1.5, 60, (30, 20)).astype(np.float32)
    z = inverse_distance(GROWTH * np.log(distance) - 11)
    assert z == pytest.approx(-distance.min() / distance, rel=1e-4)


def test_a_flat_guess_stays_flat():
    assert (standardised(torch.full((2, 1, 5, 4), 7.0)) == 0).all()


def test_pictures_are_standardised_one_by_one():
    z = torch.randn(3, 1, 20, 30) * torch.tensor([1.0, 10.0, 100.0])[:, None, None, None] + 5
    s = standardised(z)
    assert s.mean((1, 2, 3)).numpy() == pytest.approx(np.zeros(3), abs=1e-4)
    assert s.std((1, 2, 3)).numpy() == pytest.approx(np.full(3, SPREAD), rel=1e-4)


@pytest.mark.parametrize("shape", [(300, 200), (77, 401), (9, 5)])
def test_depth_has_the_size_of_the_photograph(shape):
    found = DepthEstimator(red, Plus())(noise(*shape), np.ones(shape, np.float32))
    assert found.z.shape == found.coarse.shape == shape
    assert found.z.dtype == np.float32 and np.isfinite(found.z).all()


def test_order_survives_the_way_there_and_back():
    """A ramp that grows to the right still does, at twice and at a third of the size that the networks see."""
    for width in (2 * HEIGHTS[0], HEIGHTS[0] // 3):
        ramp = np.linspace(0, 1, width, dtype=np.float32)[None].repeat(width, 0)
        image = np.repeat(ramp[..., None], 3, 2)
        z = DepthEstimator(red, Plus())(image, ramp).z
        assert (np.diff(z[width // 2]) > 0).mean() > 0.95


def test_the_prior_is_the_guess_by_position():
    mask = np.zeros((40, 30), np.float32)
    mask[10:30, 10:20] = 1
    found = estimator("prior")(noise(40, 30), mask)
    assert np.array_equal(found.z, lower_is_nearer(mask)) and np.array_equal(found.z, found.coarse)
    assert "lower is nearer" in found.message


@pytest.mark.parametrize("name", ["", "nonsense", "transformers", "transformers:", "Network"])
def test_a_guess_there_is_not(name):
    for ask in (check_depth_guess, estimator):
        with pytest.raises(WeightsError, match=f"no coarse depth is called {name!r}: choose network, prior or"):
            ask(name)


# the shipped networks


@pytest.mark.parametrize(("kind", "most"), [("selfie", 0.1), ("whole-body", 0.08)])
def test_the_shipped_networks_order_scenes(kind, most):
    """Half of what "lower is nearer" gets wrong, or less."""
    photographs = scenes(6, split="validation", kind=kind, size=(224, 160))
    scores = evaluate_depths(DepthEstimator.shipped(), photographs, metric=True)
    assert scores.mean("refined", "whdr") < most
    assert scores.mean("refined", "whdr") < scores.mean("lower is nearer", "whdr") / 2
    assert scores.mean("refined", "step") > scores.mean("coarse", "step")


def test_the_pipeline_asks_the_networks():
    image = cv2.resize(data.astronaut(), (200, 200), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    mask = np.zeros((200, 200), np.float32)
    mask[60:150, 60:120] = 1
    mask[:, :10] = 0
    by_network, by_prior = (PortraitMode(mode="whole-body", coarse_depth=which)(image, mask)
                            for which in ("network", "prior"))
    z = DepthEstimator.shipped()(image, mask)
    assert np.array_equal(by_network.depth, z.z) and np.array_equal(by_network.coarse_depth, z.coarse)
    assert z.message in by_network.messages
    assert np.array_equal(by_prior.depth, lower_is_nearer(mask))
    own = np.linspace(3, 1, 200, dtype=np.float32)[:, None].repeat(200, 1)
    given = PortraitMode()(image, mask, own)
    assert np.array_equal(given.depth, own) and np.array_equal(given.coarse_depth, own)
    with pytest.raises(WeightsError, match="no coarse depth is called 'guess'"):
        PortraitMode(coarse_depth="guess")
