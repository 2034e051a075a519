# SPDX-License-Identifier: GPL-3.0-or-later
"""A photograph explored, without a page: the preview, every view, and the same settings at full size."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from dofkit import PhotoError, PortraitMode
from dofkit.exploring import VIEWS, Exploration, Settings, view, wiped
from dofkit.metrics import psnr
from dofkit.photo import Photo
from dofkit.scenes import portrait_scene


@pytest.fixture(scope="module")
def scene():
    return portrait_scene(2, (300, 200), "whole-body", "validation")


@pytest.fixture(scope="module")
def exploration(scene):
    return Exploration(scene.image, scene.mask.astype(np.float32), -1 / scene.depth, side=150)


def test_preview_and_full_size_have_the_same_settings(exploration, scene):
    settings = Settings(mode="whole-body", aperture=2.0, feather=0.5, K=4)
    small, full = exploration.portrait(settings), exploration.full(settings)
    assert small.result.shape == (150, 100, 3) and full.result.shape == scene.image.shape
    assert full.radii.max() == pytest.approx(6.0) and small.radii.max() == pytest.approx(3.0)
    assert psnr(cv2.resize(full.result, (100, 150), interpolation=cv2.INTER_AREA), small.result) > 35
    by_hand = PortraitMode(mode="whole-body", K=4, max_radius=6.0, feather=1.5)
    assert np.array_equal(full.result, by_hand(scene.image, scene.mask.astype(np.float32), -1 / scene.depth).result)


def test_a_small_photograph_is_its_own_preview(scene):
    assert Exploration(scene.image, side=1000).preview is scene.image
    photo = Photo(scene.image, None, 8, "me")
    assert Exploration(photo, side=150).preview.shape == (150, 100, 3)


def test_the_preview_of_white_stays_in_range():
    white = np.ones((1801, 1203, 3), np.float32)
    assert Exploration(white, side=500).preview.max() <= 1
    noise = np.random.default_rng(0).integers(0, 2, (700, 900, 3)).astype(np.float32)
    assert Exploration(np.maximum(noise, np.float32(0.999999)), side=333).preview.max() <= 1


def test_focus_is_the_same_point_at_any_size(exploration):
    settings = Settings(mode="whole-body", look="lens", focus=(0.25, 0.9), aperture=2.0)
    assert settings.renderer((150, 100)).focus == (25.0, 135.0)
    assert settings.renderer((300, 200)).focus == (50.0, 270.0)
    small, full = exploration.portrait(settings).result, exploration.full(settings).result
    assert psnr(cv2.resize(full, (100, 150), interpolation=cv2.INTER_AREA), small) > 30


@pytest.mark.parametrize("name", VIEWS)
def test_every_view_is_a_picture(exploration, name):
    portrait = exploration.portrait(Settings(mode="whole-body"))
    shown = view(portrait, name)
    assert shown.shape == portrait.image.shape
    assert shown.min() >= 0 and shown.max() <= 1 and np.ptp(shown) > 0.2


def test_farther_is_brighter_in_depth_and_layers(exploration, scene):
    portrait = exploration.portrait(Settings(mode="whole-body"))
    far = portrait.depth > np.quantile(portrait.depth, 0.9)
    near = portrait.depth < np.quantile(portrait.depth, 0.1)
    for name in ("depth", "layers"):
        shown = view(portrait, name).mean(2)
        assert shown[far].mean() > shown[near].mean() + 0.2


def test_what_a_portrait_was_made_without_is_said(exploration):
    portrait = exploration.portrait(Settings(mode="whole-body", look="lens"))
    with pytest.raises(PhotoError, match=r"made without layers: .* choose look paper and mode whole-body"):
        view(portrait, "layers")


def test_the_wipe_shows_both_pictures():
    before, after = np.zeros((2, 10, 3)), np.ones((2, 10, 3))
    assert [wiped(before, after, share)[0, :, 0].sum() for share in (0.0, 0.3, 1.0)] == [10, 7, 0]


def test_contradicting_settings_are_one_error(exploration):
    with pytest.raises(PhotoError, match="choose look lens"):
        exploration.portrait(Settings(focus=(0.5, 0.5)))
    with pytest.raises(PhotoError, match="whole numbers"):
        Exploration(np.zeros((4, 4, 3), np.uint8))
