# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole order: what goes in, what comes out, and what is refused."""

import numpy as np
import pytest
from skimage.data import astronaut

from dofkit import PhotoError, PortraitMode
from dofkit.colour import linear_to_srgb
from dofkit.metrics import psnr
from dofkit.pipeline import STAGES, mode_of
from dofkit.scenes import portrait_scene


@pytest.fixture(scope="module")
def photo():
    return astronaut()[::2, ::2].astype(np.float32) / 255


@pytest.fixture(scope="module")
def scene():
    return portrait_scene(2, (240, 160), "whole-body", "validation")


@pytest.fixture(scope="module")
def mask(scene):
    return scene.mask.astype(np.float32)


@pytest.fixture(scope="module")
def body(scene, mask):
    return PortraitMode(max_radius=5.0)(scene.image, mask, scene.depth)


def test_a_real_portrait_without_any_help(photo):
    portrait = PortraitMode()(photo)
    assert portrait.mode == "selfie" and portrait.labels is None
    face, wall = (slice(35, 65), slice(100, 120)), (slice(10, 40), slice(160, 174))
    assert (portrait.result[face] == photo[face]).all()
    assert portrait.alpha[wall].max() < 0.01


def test_result_is_a_picture_of_the_same_size(body, scene):
    for name in ("image", "result"):
        assert getattr(body, name).shape == scene.image.shape
    for name in ("mask", "depth", "alpha", "labels"):
        assert getattr(body, name).shape == scene.image.shape[:2]
    assert body.result.dtype == np.float32 and body.result.min() >= 0 and body.result.max() <= 1


def test_person_is_untouched_and_the_far_background_is_not(body, scene):
    inside, far = body.alpha == 1, (body.labels == 5) & (body.alpha == 0)
    assert inside.mean() > 0.05 and (body.result[inside] == scene.image[inside]).all()
    assert np.abs(body.result - scene.image)[far].mean() > 0.003


def test_ground_at_the_feet_stays_sharp(body, scene, mask):
    feet = np.flatnonzero(mask.any(1))[-1]
    beside = (slice(feet - 3, feet), slice(None))
    behind = (body.labels == 5) & (body.alpha == 0)
    change = np.abs(body.result - scene.image).mean(-1)
    assert change[beside].mean() < 0.5 * change[behind].mean()


def test_layers_come_nearer_to_the_lens_than_one_disc(body, scene, mask):
    lens = linear_to_srgb(scene.photograph(2.0, lens_points=32).clip(0, 1))
    flat = PortraitMode(max_radius=5.0, depth=False)(scene.image, mask, scene.depth)
    assert psnr(body.result, lens) > psnr(flat.result, lens)


def test_each_switch_changes_the_picture(body, scene, mask):
    rough = scene.depth * np.exp(0.2 * np.random.default_rng(0).standard_normal(scene.depth.shape)).astype(np.float32)
    whole = PortraitMode(max_radius=5.0)(scene.image, mask, rough)
    for switch in ("depth", "crf", "guided"):
        other = PortraitMode(max_radius=5.0, **{switch: False})(scene.image, mask, rough)
        assert np.abs(other.result - whole.result).max() > 0.01, switch


def test_foreground_changes_soft_hair_alone(scene, mask, body):
    other = PortraitMode(max_radius=5.0, foreground=True)(scene.image, mask, scene.depth)
    changed = np.abs(other.result - body.result).max(-1) > 1e-3
    assert changed.any() and not changed[(body.alpha == 0) | (body.alpha == 1)].any()


def test_radii_end_at_the_largest_even_if_depth_has_two_values(scene, mask):
    depth = np.where(np.arange(240)[:, None] < 100, 9.0, 3.0) * np.ones((1, 160))
    depth[scene.mask] = 3.0
    portrait = PortraitMode(max_radius=5.0)(scene.image, mask, depth)
    assert portrait.radii.tolist() == [0.0, 5.0]


def test_one_layer_is_one_disc(scene, mask):
    assert PortraitMode(K=1, max_radius=4.0)(scene.image, mask, scene.depth).radii.tolist() == [4.0]


def test_someone_far_away_in_a_large_picture():
    image = np.random.default_rng(0).random((1400, 1000, 3)).astype(np.float32)
    mask = np.zeros((1400, 1000), np.float32)
    y, x = np.mgrid[:1400, :1000]
    mask[(y - 700) ** 2 + (x - 500) ** 2 < 29**2] = 1
    assert PortraitMode(mode="selfie")(image, mask).alpha[700, 500] == 1


def test_a_strip_of_a_picture():
    image = np.random.default_rng(0).random((6, 3000, 3)).astype(np.float32)
    mask = np.zeros((6, 3000), np.float32)
    mask[:, 1000:1300] = 1
    assert PortraitMode(mode="whole-body")(image, mask).result.shape == image.shape


def test_nobody_there_is_said_plainly():
    with pytest.raises(PhotoError, match="no person was found"):
        PortraitMode()(np.random.default_rng(0).random((8, 8, 3)).astype(np.float32))


def test_what_read_photo_returns_is_a_photograph(photo):
    from dofkit.photo import Photo

    assert PortraitMode()(Photo(photo, None, 8, "astronaut")).mode == "selfie"


def test_linear_light_keeps_the_person_to_rounding(scene, mask, body):
    linear = PortraitMode(max_radius=5.0, space="linear")(scene.image, mask, scene.depth)
    assert np.abs(linear.result - scene.image)[linear.alpha == 1].max() < 1 / 510
    assert np.abs(linear.result - body.result).max() > 0.01


def test_stages_are_reported_and_timed(scene, mask):
    seen = []
    portrait = PortraitMode()(scene.image, mask, progress=seen.append)
    assert tuple(seen) == STAGES == tuple(portrait.times)


def test_large_pictures_are_layered_small():
    scene = portrait_scene(2, (1300, 800), "whole-body", "validation")
    portrait = PortraitMode()(scene.image, scene.mask.astype(np.float32), scene.depth)
    assert portrait.labels.shape == (1300, 800)
    assert portrait.radii[-1] == pytest.approx(13.0)


def test_mode_from_the_mask():
    body, head = np.zeros((100, 60)), np.zeros((100, 80))
    body[10:95, 20:40] = 1
    head[20:, 10:70] = 1
    assert mode_of(body) == "whole-body" and mode_of(head) == "selfie"
    assert PortraitMode(mode="whole-body")._mode(head, None) == "whole-body"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"K": 0}, "layers"),
        ({"K": 2.5}, "whole number"),
        ({"lambda_": -1.0}, "lambda"),
        ({"max_radius": np.nan}, "radius"),
        ({"mode": "potrait"}, "mode is 'potrait'"),
        ({"space": "lin"}, "space"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(PhotoError, match=message):
        PortraitMode(**settings)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda image: image[..., 0], "height, width, 3"),
        (lambda image: (image * 255).astype(np.uint8), "divide by 255"),
        (lambda image: image * 2, "outside 0..1"),
        (lambda image: np.where(image > 0.5, np.nan, image), "NaN"),
        (lambda image: image[:0], "height, width, 3"),
    ],
)
def test_unusable_pictures(scene, mask, change, message):
    with pytest.raises(PhotoError, match=message):
        PortraitMode()(change(scene.image), mask)


@pytest.mark.parametrize("depth", [np.full((240, 160), np.nan), np.ones((240, 160)), np.ones((10, 300))])
def test_unusable_depths(scene, mask, depth):
    with pytest.raises(PhotoError):
        PortraitMode()(scene.image, mask, depth)
