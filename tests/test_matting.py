# SPDX-License-Identifier: GPL-3.0-or-later
"""The matte against exact truth, against pymatting on the whole picture, and its promises about known pixels."""

import cv2
import numpy as np
import pytest
from scipy.sparse import csr_array

from dofkit.guided_filter import guided_upsample
from dofkit.matting import (
    band_width,
    boundary_distance,
    conjugate_gradients,
    foreground,
    knn_matte,
    matte,
    trimap,
)
from dofkit.scenes import portrait_scene
from tests.port import whole_picture_matte


@pytest.fixture(scope="module")
def scene():
    return portrait_scene(3, (200, 150), "selfie")


@pytest.fixture(scope="module")
def band(scene):
    known = trimap(scene.mask.astype(np.float32), 6.0)
    return known, known == 0.5


def test_trimap_band_is_as_wide_as_asked():
    m = np.zeros((40, 60), np.float32)
    m[:, 30:] = 1
    assert ((trimap(m, 10.0) == 0.5).sum(1) == 20).all()


def test_band_grows_with_the_picture():
    assert band_width((500, 300)) == 10.0 and band_width((300, 2000)) == 40.0


def test_distance_without_a_boundary_is_infinite():
    assert (
        np.isinf(boundary_distance(np.ones((3, 4)))).all()
        and np.isinf(boundary_distance(np.zeros((3, 4)))).all()
    )


def test_conjugate_gradients_solve_the_system():
    rng = np.random.default_rng(0)
    half = rng.standard_normal((40, 40)) * (rng.random((40, 40)) < 0.2)
    a = csr_array(half @ half.T + 5 * np.eye(40))
    b = rng.standard_normal(40)
    found = conjugate_gradients(a, b, np.zeros(40), a.diagonal(), rtol=1e-10)
    assert np.allclose(found, np.linalg.solve(a.toarray(), b), atol=1e-8)


def test_known_pixels_are_kept_exactly(scene, band):
    known, unknown = band
    alpha = knn_matte(scene.image, known)
    assert (alpha[~unknown] == known[~unknown]).all() and alpha.min() >= 0 and alpha.max() <= 1


def test_band_solution_against_pymatting_on_the_whole_picture():
    """Plain KNN matting of the band is as good as the oracle within 15 %; with trust in the mask it is better."""
    plain, trusting, oracle = [], [], []
    for seed in (0, 1, 3):
        scene = portrait_scene(seed, (160, 120), "selfie", "validation")
        m = scene.mask.astype(np.float32)
        known = trimap(m, 5.0)
        unknown = known == 0.5
        for errors, alpha in (
            (plain, knn_matte(scene.image, known)),
            (trusting, matte(scene.image, m, band=5.0)),
            (oracle, whole_picture_matte(scene.image, known)),
        ):
            errors.append(np.abs(alpha - scene.alpha)[unknown].mean())
    assert np.mean(plain) < 1.15 * np.mean(oracle)
    assert np.mean(trusting) < 0.9 * np.mean(oracle)


def test_trust_in_the_mask_pays_where_colours_are_alike():
    rng = np.random.default_rng(0)
    m = np.zeros((80, 80), np.float32)
    m[:, 40:] = 1
    image = np.full((80, 80, 3), 0.5, np.float32) + 0.02 * rng.standard_normal((80, 80, 3)).astype(np.float32)
    known = trimap(m, 12.0)
    plain = np.abs(knn_matte(image.clip(0, 1), known, m) - m).mean()
    assert np.abs(matte(image.clip(0, 1), m, band=12.0) - m).mean() < 0.7 * plain


def test_matte_repairs_a_displaced_mask(scene):
    moved = np.roll(scene.mask, 3, axis=1).astype(np.float32)
    near = boundary_distance(scene.mask) < 12
    repaired = np.abs(matte(scene.image, moved, band=8.0) - scene.alpha)[near].mean()
    assert repaired < 0.75 * np.abs(moved - scene.alpha)[near].mean()


def test_solving_small_and_upsampling_loses_little(scene):
    m = scene.mask.astype(np.float32)
    near = boundary_distance(m) < 8
    full = np.abs(matte(scene.image, m, band=8.0) - scene.alpha)[near].mean()
    small = np.abs(matte(scene.image, m, band=8.0, solve_side=130) - scene.alpha)[near].mean()
    assert small < 1.4 * full


def test_guided_upsampling_reproduces_a_linear_function_of_the_picture():
    y, x = np.mgrid[:40, :60].astype(np.float32)
    image = np.stack([x / 60, y / 40, 0.5 + 0.3 * np.sin(x / 5)], -1)
    small = cv2.resize(image, (30, 20), interpolation=cv2.INTER_AREA)
    weights = np.array([0.5, 0.2, 0.3], np.float32)
    found = guided_upsample(small @ weights, small, image, eps=1e-9)
    assert np.abs(found - image @ weights)[4:-4, 4:-4].max() < 0.02


def test_empty_and_full_masks_pass_through(scene):
    for value in (0.0, 1.0):
        m = np.full(scene.mask.shape, value, np.float32)
        assert (matte(scene.image, m) == m).all()


def test_bad_trimaps_are_refused(scene):
    with pytest.raises(ValueError, match="known foreground"):
        knn_matte(scene.image, np.full(scene.mask.shape, 0.5, np.float32))
    with pytest.raises(ValueError, match="trimap is"):
        knn_matte(scene.image, np.zeros((3, 3), np.float32))


def test_estimated_foreground_composes_better_than_the_picture(scene):
    """alpha F + (1 - alpha) B on another background, where F is the exact radiance's encoding."""
    new = np.full_like(scene.image, (0.1, 0.6, 0.2))
    soft = (scene.alpha > 0.05) & (scene.alpha < 0.95)
    alpha = scene.alpha[..., None]
    estimated = alpha * foreground(scene.image, scene.alpha) + (1 - alpha) * new
    naive = alpha * scene.image + (1 - alpha) * new
    from dofkit.colour import linear_to_srgb, srgb_to_linear

    clean = srgb_to_linear(scene.image) - (1 - alpha) * scene.plate
    truth = linear_to_srgb(np.clip(clean + (1 - alpha) * srgb_to_linear(new), 0, 1))
    assert np.square(estimated - truth)[soft].mean() < np.square(naive - truth)[soft].mean()
