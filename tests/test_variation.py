# SPDX-License-Identifier: GPL-3.0-or-later
"""Variation: image and mask move as one, the light changes, and what was given stays as it was."""

import cv2
import numpy as np
import pytest

from dofkit.datasets import DataError, Item, beside_person, set_before, vary
from dofkit.datasets.variation import ZOOM, relight


def lit(mask: np.ndarray) -> Item:
    """Bright red where the mask is, dark green elsewhere; nobody may write to it."""
    image = np.where(mask[..., None], np.float32([0.9, 0.6, 0.5]), np.float32([0.1, 0.2, 0.15]))
    for array in (image, mask):
        array.flags.writeable = False
    return Item(image, mask, name="lit")


def blob(shape=(96, 72)) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]]
    return ((y - 40) / 22) ** 2 + ((x - 30) / 12) ** 2 < 1


def disc(side=128, radius=9) -> np.ndarray:
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    return y**2 + x**2 < radius**2


def varied(item: Item, seed: int) -> Item:
    return vary(item, np.random.default_rng(seed))


def test_image_and_mask_move_together():
    """The mask is found again in the picture alone: halfway between its darkest and brightest."""
    for seed in range(60):
        found = varied(lit(blob()), seed)
        light = found.image.sum(-1)
        inside = light > (light.min() + light.max()) / 2
        overlap = (inside & found.mask).sum() / (inside | found.mask).sum()
        assert overlap > 0.95, (seed, overlap)


def test_what_comes_out():
    item = lit(blob())
    for seed in range(20):
        found = varied(item, seed)
        assert (found.image.dtype, found.mask.dtype, found.name) == (np.float32, np.bool_, "lit")
        assert found.shape == item.shape
        assert found.image.min() >= 0 and found.image.max() <= 1
    assert varied(Item(item.image), 0).mask is None
    assert np.array_equal(varied(Item(item.image), 0).image, varied(item, 0).image)


def test_the_same_chance_gives_the_same_result():
    first, again, other = (varied(lit(blob()), seed) for seed in (4, 4, 5))
    assert np.array_equal(first.image, again.image) and np.array_equal(first.mask, again.mask)
    assert not np.array_equal(first.mask, other.mask)


def test_zooms_are_those_stated():
    """Turning and stretching keep areas, so a disc's area changes by the square of the zoom."""
    disc_ = disc()
    zooms = np.sqrt([varied(lit(disc_), seed).mask.sum() / disc_.sum() for seed in range(300)])
    assert zooms.min() == pytest.approx(ZOOM[0], abs=0.03)
    assert zooms.max() == pytest.approx(ZOOM[1], abs=0.03)
    assert np.median(zooms) == pytest.approx(np.sqrt(ZOOM[0] * ZOOM[1]), abs=0.08)  # even in its logarithm


def test_discs_are_shifted_stretched_and_stay_in_the_picture():
    places, stretches = [], []
    for seed in range(300):
        y, x = np.nonzero(varied(lit(disc()), seed).mask)
        assert min(y.min(), x.min()) > 0 and max(y.max(), x.max()) < 127
        places.append((y.mean(), x.mean()))
        stretches.append(np.ptp(x) / np.ptp(y))
    assert np.mean(places, axis=0) == pytest.approx([63.5, 63.5], abs=3)
    assert (np.ptp(places, axis=0) > 40).all()
    assert min(stretches) == pytest.approx(1 / 1.3, abs=0.1) and max(stretches) == pytest.approx(1.3, abs=0.15)


def test_every_second_one_is_flipped():
    left = np.zeros((64, 64), bool)
    left[:, :20] = True
    flipped = [varied(lit(left), seed).mask[:, 32:].mean() > varied(lit(left), seed).mask[:, :32].mean()
               for seed in range(200)]
    assert np.mean(flipped) == pytest.approx(0.5, abs=0.1)


def test_a_depth_map_is_refused():
    with pytest.raises(DataError, match="seven: a depth map cannot be varied"):
        varied(Item(np.zeros((4, 4, 3), np.float32), name="seven", depth=np.zeros((4, 4), np.float32)), 0)


def test_pairs_stay_on_what_they_were_on():
    """From the bright blob to the dark background, before and after; at the rim a pixel is either."""
    mask = blob()
    rng = np.random.default_rng(0)
    i, j = (rng.permutation(np.argwhere(where))[:200] for where in (mask, ~mask))
    pairs = np.column_stack([i, j, np.resize([1, -1], 200)])
    for seed in range(30):
        found = varied(Item(lit(mask).image, mask, pairs=pairs), seed)
        y_i, x_i, y_j, x_j, gamma = found.pairs.T
        assert found.mask[y_i, x_i].mean() > 0.95 and found.mask[y_j, x_j].mean() < 0.05
        assert 40 < len(gamma) <= 200 and abs(gamma.sum()) < 60
    assert varied(lit(mask), 0).pairs is None


def test_light_has_no_shape():
    """An even picture stays even; a point of light has no neighbours, unless the lens is softened."""
    even = np.full((8, 8, 3), 0.4, np.float32)
    point = np.full((9, 9, 3), [0.3, 0.25, 0.2], np.float32)
    point[4, 4] = 0.6
    soft, grey = [], []
    for seed in range(400):
        result = relight(even, np.random.default_rng(seed))
        assert result.dtype == np.float32
        assert np.ptp(result, axis=(0, 1)).max() < 1e-5
        result = relight(point, np.random.default_rng(seed))
        assert result.min() >= 0 and result.max() <= 1
        soft.append(np.abs(result[4, 5] - result[0, 0]).max() > 1e-4)
        grey.append(np.ptp(result, axis=2).max() < 1e-4)
    assert np.mean(grey) == pytest.approx(0.1, abs=0.05)
    assert np.mean(soft) == pytest.approx(0.2, abs=0.06)


def test_light_is_changed_in_a_copy():
    image = lit(blob()).image
    before = image.copy()
    assert not np.array_equal(relight(image, np.random.default_rng(0)), image)
    assert np.array_equal(image, before)


# windows beside people


def coordinates(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([y / 255, x / 255, 0 * x], -1).astype(np.float32)


def test_a_window_beside_the_person_is_a_part_of_the_photograph():
    mask = np.zeros((60, 40), bool)
    mask[10:, 22:] = True
    item = Item(coordinates(60, 40), mask, name="street")
    found = [beside_person(item, np.random.default_rng(seed)) for seed in range(50)]
    windows = [window for window in found if window is not None]
    assert len(windows) > 40
    for window in windows:
        height, width = window.shape
        top, left = (round(255 * float(window.image[0, 0, c])) for c in (0, 1))
        at = slice(top, top + height), slice(left, left + width)
        assert not window.mask.any() and not mask[at].any()
        assert np.array_equal(window.image, item.image[at])
        assert not np.shares_memory(window.image, item.image)
        assert 0.29 <= height / 60 <= 0.61
        assert width / height == pytest.approx(40 / 60, abs=0.05)
        assert window.name == "beside street"


def test_where_there_is_no_room_there_is_no_window():
    mask = np.ones((60, 40), bool)
    mask[:15] = False  # the smallest window is 18 px high
    assert beside_person(Item(coordinates(60, 40), mask), np.random.default_rng(0), tries=200) is None
    with pytest.raises(DataError, match="seven: without a mask"):
        beside_person(Item(coordinates(6, 4), name="seven"), np.random.default_rng(0))


@pytest.mark.parametrize("share", [0.6, 1.0])
def test_a_window_is_at_most_the_photograph(share):
    empty = Item(coordinates(6, 4), np.zeros((6, 4), bool))
    sizes = {beside_person(empty, np.random.default_rng(seed), share=share).shape for seed in range(20)}
    assert (6, 4) in sizes
    assert all(height <= 6 and width <= 4 for height, width in sizes)


def test_a_person_is_set_before_another_background():
    """Inside the person's colours, outside the background's, stretched; the cut is soft."""
    person, ramp = lit(blob()), np.linspace(0, 1, 40, dtype=np.float32)
    background = Item(np.repeat(ramp[:, None, None], 3, 2).repeat(30, 1), name="ramp")
    found = set_before(person, background)
    assert (found.image.dtype, found.shape, found.name) == (np.float32, person.shape, "lit")
    assert np.array_equal(found.mask, person.mask)
    distance = cv2.distanceTransform((~person.mask).astype(np.uint8), cv2.DIST_L2, 5)
    within = cv2.distanceTransform(person.mask.astype(np.uint8), cv2.DIST_L2, 5)
    assert np.allclose(found.image[within > 5], person.image[within > 5], atol=1e-3)
    rows = np.linspace(0, 1, 96)[:, None, None]
    assert np.abs(found.image - rows)[distance > 5].max() < 0.02
    across = set_before(Item(np.ones_like(person.image), person.mask), Item(np.zeros((4, 4, 3), np.float32))).image[40]
    assert 0.3 < np.abs(np.diff(across, axis=0)).max() < 0.5


def test_without_a_mask_nobody_can_be_cut_out():
    with pytest.raises(DataError, match="without a mask"):
        set_before(Item(np.zeros((4, 4, 3), np.float32), name="x"), Item(np.zeros((4, 4, 3), np.float32)))
