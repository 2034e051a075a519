# SPDX-License-Identifier: GPL-3.0-or-later
"""Image, mask, depth and pairs must move together: here each pixel carries its own address."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dofkit.datasets import Item, augment, resize

shapes = st.tuples(st.integers(12, 40), st.integers(12, 40))
seeds = st.integers(0, 2**32 - 1)


def addressed(shape: tuple[int, int], seed: int, *, pairs: int = 60) -> Item:
    """Depth falls from left to right and top to bottom, the image says where a pixel was."""
    height, width = shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    rng = np.random.default_rng(seed)
    points = rng.integers((height, width) * 2, size=(pairs, 4))
    points = points[(points[:, :2] != points[:, 2:]).any(axis=1)]
    depth = -(y * width + x)
    gamma = np.where(depth[points[:, 0], points[:, 1]] > depth[points[:, 2], points[:, 3]], 1, -1)
    image = np.dstack([(y + 0.5) / height, (x + 0.5) / width, np.zeros_like(x)])
    mask = (x + 0.5) / width > 0.5
    return Item(image, mask, depth, np.column_stack([points, gamma]), "addressed")


@given(shapes, seeds, st.floats(1, 2), st.sampled_from([0.0, 1.0]))
def test_maps_and_pairs_move_together(shape, seed, aspect, flip):
    item = addressed(shape, seed)
    result = augment(item, np.random.default_rng(seed), aspect=aspect, flip=flip)
    assert result.shape == shape
    assert result.name == item.name
    address = result.image[..., :2] * shape - 0.5
    depth_address = np.stack(np.divmod(-result.depth, shape[1]), axis=-1)
    assert np.abs(address - depth_address).max() <= 1  # depth is the nearest pixel's
    clear = np.abs(address[..., 1] + 0.5 - shape[1] / 2) > 1  # away from the mask's edge
    assert np.array_equal(result.mask[clear], (address[..., 1] + 0.5 > shape[1] / 2)[clear])
    assert (np.diff(address[..., 1], axis=1) < 0).all() == (flip == 1)


@given(shapes, seeds, st.sampled_from([0.0, 1.0]))
def test_each_pair_lands_on_the_pixels_it_meant(shape, seed, flip):
    item = addressed(shape, seed)
    result = augment(item, np.random.default_rng(seed), aspect=1.5, flip=flip)
    assert 0 < len(result.pairs) <= len(item.pairs)
    wanted = {tuple(row) for row in item.pairs.tolist()}
    for y_i, x_i, y_j, x_j, gamma in result.pairs.tolist():
        ends = [result.image[y, x, :2] * shape - 0.5 for y, x in ((y_i, x_i), (y_j, x_j))]
        assert any(gamma == row[4] and abs(np.concatenate(ends) - row[:4]).max() <= 1 for row in wanted)


@given(shapes, seeds)
def test_two_flips_are_none_and_the_stretch_is_real(shape, seed):
    item = addressed(shape, seed)
    rng = np.random.default_rng(seed)
    twice = augment(augment(item, rng, aspect=1, flip=1), rng, aspect=1, flip=1)
    for name in ("image", "mask", "depth", "pairs"):
        assert np.array_equal(getattr(twice, name), getattr(item, name))
    step = np.diff(augment(item, rng, aspect=2, flip=0).image[..., :2], axis=0)[2:-2, :, 0] * shape[0]
    assert step.max() <= 1 + 1e-3  # stretched or kept, never squeezed
    assert step.min() >= 0.5 - 0.1


def test_same_generator_same_result_and_the_source_is_untouched():
    item = addressed((30, 20), 0)
    before = item.image.copy()
    one, two, other = (augment(item, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert np.array_equal(one.image, two.image)
    assert np.array_equal(one.pairs, two.pairs)
    assert not np.array_equal(one.image, other.image)
    assert np.array_equal(item.image, before)


def test_all_directions_occur_and_arrays_are_contiguous():
    item, rng = addressed((40, 40), 0), np.random.default_rng(0)
    tall = wide = flipped = 0
    for _ in range(200):
        image = augment(item, rng).image
        assert image.flags.c_contiguous
        flipped += image[0, 0, 1] > image[0, -1, 1]
        tall += np.ptp(image[..., 0]) < 0.9
        wide += np.ptp(image[..., 1]) < 0.9
    assert 70 < flipped < 130
    assert min(tall, wide) > 30


def test_what_is_unknown_stays_unknown():
    bare = Item(np.zeros((20, 20, 3), np.float32))
    result = augment(bare, np.random.default_rng(1), flip=1)
    assert result.mask is result.depth is result.pairs is None
    assert resize(bare, (7, 9)).shape == (7, 9)


@given(shapes, shapes, seeds)
def test_resize_keeps_addresses(old, new, seed):
    item = addressed(old, seed)
    result = resize(item, new)
    rows, columns = ((np.arange(n) + 0.5) / n for n in new)
    inner = (slice(1, -1), slice(1, -1))  # at the border there is nothing to interpolate from
    tolerance = np.maximum(1 / np.array(old), 1 / np.array(new))
    assert np.abs(result.image[..., 0] - rows[:, None])[inner].max() <= tolerance[0]
    assert np.abs(result.image[..., 1] - columns)[inner].max() <= tolerance[1]
    assert np.isin(result.depth, item.depth).all()  # never an invented depth
    ends = result.pairs[:, :4].reshape(-1, 2, 2)
    assert (ends[:, 0] != ends[:, 1]).any(axis=1).all()
    if new[0] >= old[0] and new[1] >= old[1]:
        assert len(result.pairs) == len(item.pairs)
        values = result.depth[tuple(np.moveaxis(ends, -1, 0))]
        assert np.array_equal(np.sign(values[:, 0] - values[:, 1]), result.pairs[:, 4])


def test_resize_shrinks_without_aliasing():
    stripes = np.zeros((64, 64, 3), np.float32)
    stripes[:, ::2] = 1
    small = resize(Item(stripes), (16, 16)).image
    assert np.allclose(small, 0.5, atol=1e-6)
    assert not np.allclose(cv2.resize(stripes, (16, 16), interpolation=cv2.INTER_NEAREST), 0.5)


@pytest.mark.parametrize("wrong", [{"aspect": 0.9}, {"aspect": np.nan}, {"flip": -0.1}, {"flip": 1.5}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        augment(addressed((12, 12), 0), np.random.default_rng(0), **wrong)


def test_resize_to_nothing_is_refused():
    with pytest.raises(ValueError, match="each side"):
        resize(addressed((12, 12), 0), (0, 5))
