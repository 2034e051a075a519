# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from dofkit.metrics import body_spread, boundary_leak, iou, iou_near_boundary, psnr, ssim, whdr

SHAPE = (7, 9)
masks = hnp.arrays(bool, SHAPE)
depths = hnp.arrays(np.float32, SHAPE, elements=st.integers(0, 6).map(float))  # few values: ties happen


def disc(size: int, radius: float) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return np.hypot(y, x) <= radius


# IoU

@given(masks, masks)
def test_iou_is_a_count_of_pixels(mask, truth):
    both = sum(bool(m and t) for m, t in zip(mask.flat, truth.flat, strict=True))
    either = sum(bool(m or t) for m, t in zip(mask.flat, truth.flat, strict=True))
    assert iou(mask, truth) == (both / either if either else 1.0)
    assert iou(mask, truth) == iou(truth, mask)
    assert iou(mask.astype(np.float32), truth.astype(np.uint8)) == iou(mask, truth)


@given(masks, masks, st.integers(1, 5))
def test_iou_near_boundary_by_brute_force(mask, truth, distance):
    points = list(np.ndindex(SHAPE))
    band = [p for p in points if any(truth[q] != truth[p] and np.hypot(p[0] - q[0], p[1] - q[1]) <= distance
                                     for q in points)]
    result = iou_near_boundary(mask, truth, distance=distance)
    if not band:
        assert np.isnan(result)
        return
    either = sum(mask[p] or truth[p] for p in band)
    assert result == sum(mask[p] and truth[p] for p in band) / either


def test_iou_near_boundary_sees_what_iou_hardly_sees():
    truth, fat = disc(101, 40), disc(101, 42)
    assert iou(fat, truth) > 0.9
    assert iou_near_boundary(fat, truth, distance=5) < 0.75
    assert iou_near_boundary(truth, truth) == 1


@pytest.mark.parametrize("wrong", [np.full(SHAPE, 255), np.full(SHAPE, -2.0), np.full(SHAPE, np.nan),
                                   np.zeros(SHAPE, complex), np.zeros((*SHAPE, 1)), np.zeros((3, 3))])
def test_iou_refuses_what_is_no_mask(wrong):
    with pytest.raises(ValueError, match=r"mask|shapes"):
        iou(wrong, np.zeros(SHAPE))


@pytest.mark.parametrize("distance", [0, -1, np.nan])
def test_iou_near_boundary_needs_a_band(distance):
    with pytest.raises(ValueError, match="distance"):
        iou_near_boundary(disc(9, 3), disc(9, 3), distance=distance)


# WHDR

@given(depths, st.data())
def test_whdr_by_brute_force_with_ties_wrong(depth, data):
    row, column = st.integers(0, SHAPE[0] - 1), st.integers(0, SHAPE[1] - 1)
    pairs = data.draw(st.lists(st.tuples(row, column, row, column, st.sampled_from([-1, 1])), min_size=1))
    wrong = 0
    for y_i, x_i, y_j, x_j, gamma in pairs:
        difference = float(depth[y_i, x_i]) - float(depth[y_j, x_j])
        wrong += not gamma * difference > 0
    assert whdr(depth, pairs) == pytest.approx(wrong / len(pairs))


def test_whdr_reads_only_the_order():
    rng = np.random.default_rng(0)
    depth = rng.random(SHAPE)
    pairs = np.column_stack([rng.integers(SHAPE * 2, size=(50, 4)), rng.choice([-1, 1], 50)])
    apart = pairs[(pairs[:, :2] != pairs[:, 2:4]).any(axis=1)]
    assert whdr(np.exp(3 * depth), apart) == whdr(depth, apart)
    assert whdr(-depth, apart) == pytest.approx(1 - whdr(depth, apart))
    assert whdr(np.zeros(SHAPE), apart) == 1
    assert whdr(np.full(SHAPE, np.nan), apart) == 1
    assert np.isnan(whdr(depth, apart[:0]))


@pytest.mark.parametrize("pair", [[-1, 0, 1, 1, 1], [0, 0, 7, 0, 1], [0, 9, 0, 0, 1], [0, 0, 1, 1, 0],
                                  [0, 0, 1, 1], [0.0, 0, 1, 1, 1]])
def test_whdr_refuses_pairs_that_are_none(pair):
    with pytest.raises(ValueError, match=r"pair|gamma"):
        whdr(np.zeros(SHAPE), [pair])


# PSNR, SSIM

@given(st.integers(0, 2**32 - 1), st.sampled_from([(12, 15), (12, 15, 3)]))
def test_psnr_and_ssim_are_scikit_images(seed, shape):
    rng = np.random.default_rng(seed)
    truth = rng.random(shape)
    image = np.clip(truth + rng.normal(0, 0.1, shape), 0, 1)
    assert psnr(image, truth) == pytest.approx(peak_signal_noise_ratio(truth, image, data_range=1))
    published = structural_similarity(truth, image, data_range=1, channel_axis=2 if len(shape) == 3 else None,
                                      gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
    assert ssim(image, truth) == pytest.approx(published)


def test_equal_pictures_and_float32():
    image = np.random.default_rng(0).random((16, 16, 3)).astype(np.float32)
    assert psnr(image, image) == np.inf
    assert ssim(image, image) == pytest.approx(1)


@pytest.mark.parametrize("measure", [psnr, ssim])
def test_pictures_of_two_shapes_are_refused(measure):
    with pytest.raises(ValueError, match="shapes differ"):
        measure(np.zeros((16, 16, 3)), np.zeros((16, 15, 3)))


def test_ssim_refuses_what_is_smaller_than_its_window():
    with pytest.raises(ValueError, match="11"):
        ssim(np.zeros((10, 20, 3)), np.zeros((10, 20, 3)))


# boundary leak

def test_leak_tells_outside_from_inside_and_near_from_far():
    alpha = disc(61, 15).astype(float)
    truth = np.zeros((61, 61, 3))
    halo, washed, far = (truth.copy() for _ in range(3))
    halo[disc(61, 17) & ~disc(61, 15)] = 0.5
    washed[disc(61, 15) & ~disc(61, 13)] = 0.5
    far[~disc(61, 28)] = 0.5
    far[disc(61, 3)] = 0.5
    assert boundary_leak(halo, truth, alpha, width=5).outside > 0.1
    assert boundary_leak(halo, truth, alpha, width=5).inside == 0
    assert boundary_leak(washed, truth, alpha, width=5).inside > 0.1
    assert boundary_leak(washed, truth, alpha, width=5).outside == 0
    assert boundary_leak(far, truth, alpha, width=5) == (0, 0)
    assert boundary_leak(truth, truth, alpha) == (0, 0)


@given(masks, st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_leak_by_brute_force(body, width, seed):
    image, truth = np.random.default_rng(seed).random((2, *SHAPE, 3))
    points = list(np.ndindex(SHAPE))
    rings = {False: [], True: []}
    for p in points:
        if any(body[q] != body[p] and np.hypot(p[0] - q[0], p[1] - q[1]) <= width for q in points):
            rings[bool(body[p])].append(np.mean((image[p] - truth[p]) ** 2))
    result = boundary_leak(image, truth, body, width=width)
    for leak, ring in zip(result, (rings[False], rings[True]), strict=True):
        assert leak == pytest.approx(np.sqrt(np.mean(ring))) if ring else np.isnan(leak)


def test_leak_refuses_what_does_not_fit():
    alpha, image = disc(9, 3), np.zeros((9, 9, 3))
    for bad in ((image[:8], image, alpha), (image, image[:, :8], alpha), (image, image, alpha * 2)):
        with pytest.raises(ValueError, match=r"alpha|shapes"):
            boundary_leak(*bad)
    with pytest.raises(ValueError, match="width"):
        boundary_leak(image, image, alpha, width=0)


# body spread

@given(depths, masks)
def test_spread_is_the_root_of_eq_3_over_the_range(depth, mask):
    low, high = np.percentile(depth, [5, 95])
    result = body_spread(depth, mask)
    if not mask.any() or low == high:
        assert np.isnan(result)
        return
    body = depth[mask].astype(float)
    pairs = [(a - b) ** 2 for a, b in itertools.product(body, body)]
    assert result == pytest.approx(np.sqrt(np.mean(pairs)) / (high - low))


@given(depths, masks, st.floats(0.01, 100), st.floats(-100, 100))
def test_spread_knows_neither_unit_nor_zero(depth, mask, unit, zero):
    depth = depth.astype(float)
    spread = body_spread(unit * depth + zero, mask)
    assert spread == pytest.approx(body_spread(depth, mask), rel=1e-6, nan_ok=True)


def test_spread_refuses_depth_that_is_not_finite():
    with pytest.raises(ValueError, match="finite"):
        body_spread(np.full(SHAPE, np.inf), np.ones(SHAPE))
