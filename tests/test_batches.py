# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches: a function of (seed, step) and nothing else; image and mask stay together."""

import numpy as np
import pytest
import torch

from dofkit.batches import Pool, crop, draw, hold, stack
from dofkit.datasets import DataError, Item


def blank(level: float, shape=(6, 4), *, person: bool = False) -> Item:
    return Item(np.full((*shape, 3), level, np.float32), np.full(shape, person), name=f"level {level}")


def photographs(n: int = 5, shape=(12, 8)) -> list[Item]:
    rng = np.random.default_rng(0)
    return [Item(rng.random((*shape, 3), dtype=np.float32), rng.random(shape) > 0.5, name=str(i)) for i in range(n)]


# what is held


def test_held_photographs_are_rounded_to_eight_bits():
    items = photographs()
    pool = hold(items, (12, 8), share=0.25)
    assert (len(pool), pool.share, pool.images.dtype, pool.masks.dtype) == (5, 0.25, np.uint8, np.bool_)
    for i, item in enumerate(items):
        assert np.abs(pool[i].image - item.image).max() <= 0.5 / 255 + 1e-6
        assert np.array_equal(pool[i].mask, item.mask)


def test_held_photographs_have_one_size():
    pool = hold([blank(0.2, (30, 20), person=True), blank(0.6, (9, 9))], (12, 8))
    assert pool.images.shape == (2, 12, 8, 3)
    assert pool.masks.mean((1, 2)).tolist() == [1, 0]
    assert pool[1].image == pytest.approx(np.full((12, 8, 3), 0.6), abs=0.5 / 255)


def test_what_cannot_be_held():
    with pytest.raises(DataError, match=r"level 0\.5 has no mask to learn from"):
        hold([blank(0.2), Item(np.full((6, 4, 3), 0.5, np.float32), name="level 0.5")], (6, 4))
    with pytest.raises(DataError, match="not one photograph"):
        hold([], (6, 4))


# what is drawn


def test_a_batch_is_a_function_of_seed_and_step():
    pools = [hold(photographs(), (12, 8)), hold(photographs(3), (12, 8), share=2)]
    first = draw(pools, 4, seed=3, step=17)
    for step in (1, 2, 99):  # other steps before it, and other users of chance
        draw(pools, 4, seed=3, step=step)
    np.random.default_rng(0).random(100)
    torch.manual_seed(5)
    again = draw(pools, 4, seed=3, step=17)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    for other in (draw(pools, 4, seed=3, step=18), draw(pools, 4, seed=4, step=17)):
        assert not torch.equal(first[0], other[0])


def test_a_batch_is_what_networks_take():
    image, mask = draw([hold(photographs(), (12, 8))], 6, seed=0, step=1)
    assert (image.shape, image.dtype) == ((6, 3, 12, 8), torch.float32)
    assert (mask.shape, mask.dtype) == ((6, 1, 12, 8), torch.float32)
    assert image.min() >= 0 and image.max() <= 1
    assert set(mask.unique().tolist()) == {0, 1}


def test_pools_are_drawn_by_their_shares_within_a_batch():
    """Three in four from the pool of people; 800 draws spread by 1.5 %."""
    pools = [hold([blank(0.5, person=True)], (6, 4), share=0.6), hold([blank(0.5)] * 30, (6, 4), share=0.2)]
    masks = [draw(pools, 40, seed=0, step=step)[1].mean((1, 2, 3)) for step in range(20)]
    assert torch.cat(masks).mean().item() == pytest.approx(0.75, abs=0.06)
    assert all(0 < part.mean() < 1 for part in masks)


def test_people_are_set_before_photographs_of_nobody():
    """A quarter of the people, white before white, get a black background."""
    person = np.zeros((6, 6), bool)
    person[2:4, 2:4] = True
    people = hold([Item(np.ones((6, 6, 3), np.float32), person)], (6, 6))
    nobody = hold([Item(np.zeros((6, 6, 3), np.float32), np.zeros((6, 6), bool))], (6, 6), share=0.0)
    assert nobody.of_nobody and not people.of_nobody

    def dark(elsewhere, pools=(people, nobody)):
        images = torch.cat([draw(pools, 40, seed=0, step=step, elsewhere=elsewhere)[0] for step in range(20)])
        return float((images.amax((2, 3)) - images.amin((2, 3)) > 0.2).any(1).float().mean())

    assert dark(0.0) == 0
    assert dark(0.25) == pytest.approx(0.25, abs=0.06)
    assert dark(0.25, [people]) == 0  # nobody's photograph is needed for it


def test_every_photograph_of_a_pool_is_drawn():
    masks = np.zeros((8, 6, 8), bool)
    masks[np.arange(8), :, :] = np.tri(8, dtype=bool)[:, None]  # 1 to 8 of 8 columns
    pool = Pool(np.zeros((8, 6, 8, 3), np.uint8), masks)
    shares = draw([pool], 400, seed=0, step=0)[1].mean((1, 2, 3)).numpy()
    assert len(np.unique(shares.round(3))) > 8
    assert shares.min() < 0.2 and shares.max() == 1


# crops


def numbered(height: int, width: int):
    """A picture whose values are the pixels' numbers, with the same as a mask."""
    numbers = torch.arange(float(height * width)).view(1, 1, height, width)
    return numbers.expand(2, 3, -1, -1) / 1000, numbers.expand(2, 1, -1, -1)


def test_all_parts_of_a_batch_get_the_same_window():
    image, mask = crop(numbered(9, 7), 4, seed=1, step=5)
    assert (image.shape, mask.shape) == ((2, 3, 4, 4), (2, 1, 4, 4))
    assert torch.equal(image, mask.expand(-1, 3, -1, -1) / 1000)
    steps = mask[0, 0]
    assert torch.equal(steps.diff(dim=1), torch.ones(4, 3))
    assert torch.equal(steps.diff(dim=0), torch.full((3, 4), 7.0))


def test_windows_reach_everywhere_and_repeat_by_step():
    corners = [crop(numbered(6, 5), 4, seed=0, step=step)[1][0, 0, 0, 0].item() for step in range(200)]
    assert set(corners) == {0, 1, 5, 6, 10, 11}
    assert corners == [crop(numbered(6, 5), 4, seed=0, step=step)[1][0, 0, 0, 0].item() for step in range(200)]
    assert corners != [crop(numbered(6, 5), 4, seed=1, step=step)[1][0, 0, 0, 0].item() for step in range(200)]


@pytest.mark.parametrize(("side", "shape"), [(6, (6, 4)), (9, (6, 4)), (5, (5, 4))])
def test_a_window_is_no_larger_than_the_picture(side, shape):
    assert crop(numbered(6, 4), side, seed=0, step=0)[1].shape[-2:] == shape


def test_stacked_items():
    items = photographs(2)
    image, mask = stack([*items, Item(items[0].image)])
    for i, item in enumerate(items):
        assert np.array_equal(image[i].permute(1, 2, 0), item.image)
        assert np.array_equal(mask[i, 0], item.mask)
    assert image.is_contiguous() and not mask[2].any()
