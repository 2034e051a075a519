# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest

from dofkit.baselines import lower_is_nearer_whdr, mean_mask, mean_mask_iou
from dofkit.datasets import Item, scenes
from dofkit.metrics import iou, whdr


def blobs(seed: int, count: int = 12) -> list[Item]:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:24, :20]
    return [Item(np.zeros((24, 20, 3), np.float32),
                 mask=np.hypot(y - 12 + rng.normal(0, 3), x - 10 + rng.normal(0, 3)) < rng.uniform(3, 8))
            for _ in range(count)]


def test_mean_mask_is_cut_at_the_best_level_of_the_training_set():
    items = blobs(0)
    mean = np.mean([item.mask for item in items], axis=0)
    best = max(np.mean([iou(mean > level, item.mask) for item in items]) for level in np.arange(1, 20) / 20)
    fitted = mean_mask(items, shape=(24, 20))
    assert mean_mask_iou(fitted, items).mean() == pytest.approx(best)
    assert best >= np.mean([iou(mean > 0.5, item.mask) for item in items])
    assert fitted.dtype == np.float32


def test_mean_mask_iou_is_one_number_an_item_at_the_items_own_size():
    half = np.zeros((8, 8), np.float32)
    half[4:] = 1
    truth = np.zeros((40, 30), bool)
    truth[20:] = True
    empty = Item(np.zeros((16, 16, 3), np.float32), mask=np.zeros((16, 16), bool))
    scores = mean_mask_iou(half, [Item(np.zeros((40, 30, 3), np.float32), mask=truth), empty])
    assert scores.tolist() == [1.0, 0.0]


def test_mean_mask_needs_masks():
    for items in ([], [Item(np.zeros((4, 4, 3), np.float32))]):
        with pytest.raises(ValueError, match="masks"):
            mean_mask(items)


def test_lower_is_nearer_pools_pairs_and_counts_level_ones_as_wrong():
    image = np.zeros((10, 10, 3), np.float32)
    right, level, wrong = [2, 5, 8, 5, 1], [4, 1, 4, 9, 1], [8, 0, 2, 0, 1]
    sets = [np.array([right, right, right]), np.array([level, wrong]), None]
    assert lower_is_nearer_whdr([Item(image, pairs=pairs) for pairs in sets]) == pytest.approx(2 / 5)


@pytest.mark.parametrize(("kind", "share", "rate"), [("whole-body", (0.2, 0.6), (0.1, 0.4)),
                                                     ("selfie", (0.6, 0.9), (0.1, 0.45))])
def test_scenes_are_neither_trivial_nor_impossible(kind, share, rate, cache):
    train, test = (list(scenes(4, split=split, kind=kind, size=(40, 40))) for split in ("train", "test"))
    assert share[0] < mean_mask_iou(mean_mask(train), test).mean() < share[1]
    assert rate[0] < lower_is_nearer_whdr(test) < rate[1]
    assert all(whdr(item.depth, item.pairs) == 0 for item in test)
