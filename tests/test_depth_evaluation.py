# SPDX-License-Identifier: GPL-3.0-or-later
"""Depths against truth: counts by hand, all pairs, what cannot be read."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dofkit.datasets import DataError, Dataset, Item
from dofkit.depth import Depth
from dofkit.depth_evaluation import PAIRS, DepthScore, DepthScores, evaluate_depths, known_pairs, score_depth
from dofkit.metrics import body_spread, boundary_step

RAMP = np.linspace(1, 3, 60, dtype=np.float32)[None].repeat(50, 0)  # farther to the right
BODY = np.zeros((50, 60), bool)
BODY[10:45, 20:35] = True


def photograph(i: int) -> Item:
    return Item(np.full((50, 60, 3), 0.5, np.float32), BODY, RAMP, name=f"ramp {i}")


def estimate(image: np.ndarray, mask: np.ndarray) -> Depth:
    """Coarse: the wrong way round; refined: right."""
    return Depth(RAMP, -RAMP, "")


def every_pair(depth: np.ndarray) -> np.ndarray:
    """Of the first row, all that differ by more than 3 %, which needs no chance."""
    i, j = np.triu_indices(depth.shape[1], 1)
    ratio = np.log(depth[0, i] / depth[0, j])
    known = np.abs(ratio) > 0.03
    return np.column_stack([0 * i, i, 0 * j, j, np.sign(ratio)])[known].astype(np.int64)


def test_the_three_depths_are_compared_on_the_same_pairs():
    scores = evaluate_depths(estimate, Dataset("ramps", range(3), photograph), metric=True)
    assert [scores.mean(name, "whdr") for name in ("refined", "coarse")] == [0, 1]
    assert scores.mean("lower is nearer", "whdr") == pytest.approx(0.5, abs=0.05)  # rows say nothing of this scene
    assert scores.mean("refined", "spread") == pytest.approx(body_spread(RAMP, BODY))
    assert scores.mean("refined", "step") == pytest.approx(boundary_step(RAMP, BODY), nan_ok=True)


def test_pairs_on_the_body_count_apart():
    """A depth that turns the body around is wrong there and nowhere else."""
    turned = np.where(BODY, RAMP[:, 54:55] - RAMP, RAMP)  # the body's mirror image: within its own range
    pairs = np.array([[20, 22, 20, 30, -1], [20, 2, 20, 50, -1], [20, 25, 20, 55, -1]])  # body, ground, across
    found = score_depth(turned, pairs, BODY)
    assert (found.whdr, found.apart) == (pytest.approx(1 / 3), 0)
    assert np.isnan(score_depth(turned, pairs, None).apart)
    assert np.isnan(score_depth(turned, pairs[:1], BODY).apart)


def test_labels_of_a_data_set_are_taken_as_they_are():
    pairs = every_pair(RAMP)[:7]
    flipped = pairs * [1, 1, 1, 1, -1]
    for labels, wrong in ((pairs, 0), (flipped, 1), (np.concatenate([pairs, flipped[:1]]), 1 / 8)):
        item = Item(np.zeros((50, 60, 3), np.float32), pairs=labels)
        data = Dataset("labels", range(1), lambda i, item=item: item)
        scores = evaluate_depths(estimate, data, metric=False)
        assert scores.mean("refined", "whdr") == pytest.approx(wrong)
        assert np.isnan(scores.mean("refined", "spread"))


def test_depths_without_a_unit_differ_by_parts_of_their_range():
    """Of metres 100 to 101 no two differ by 3 %; as a map without a unit nearly all do."""
    item = Item(np.zeros((50, 60, 3), np.float32), depth=RAMP / 2 + 100, name="far")
    assert len(known_pairs(item, metric=True, seed=0)) == 0
    found = known_pairs(item, metric=False, seed=0)
    assert 0.85 * PAIRS < len(found) <= PAIRS
    z = item.depth[found[:, 0], found[:, 1]] - item.depth[found[:, 2], found[:, 3]]
    assert (np.sign(z) == found[:, 4]).all() and np.abs(z).min() > 0.029
    assert np.array_equal(found, known_pairs(item, metric=False, seed=0))
    assert not np.array_equal(found, known_pairs(item, metric=False, seed=1))


def test_means_leave_out_what_is_not_known():
    nan = float("nan")
    each = [DepthScore(0.25, 0.5, nan, 1.0), DepthScore(0.75, nan, nan, nan)]
    scores = DepthScores({"refined": each}, [("c", "broken")])
    report = scores.report()
    assert report == {"photographs": 2, "refined": {"whdr": 0.5, "apart": 0.5, "spread": None, "step": 1.0},
                      "failures": [{"name": "c", "reason": "broken"}]}
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_what_cannot_be_used_is_counted_and_named():
    def read(i):
        if i == 1:
            raise DataError("broken")
        return Item(photograph(i).image, name="bare") if i == 2 else photograph(i)

    seen = []
    scores = evaluate_depths(estimate, Dataset("three", range(3), read), metric=True,
                             progress=lambda *counts: seen.append(counts))
    assert scores.report()["photographs"] == 1 and seen == [(1, 3), (2, 3), (3, 3)]
    assert list(scores.failures) == [("1", "broken"), ("2", "bare has no depth or pairs to compare with")]
    with pytest.raises(DataError, match="three: not one photograph could be evaluated; 1: broken"):
        evaluate_depths(estimate, Dataset("three", (1, 2), read), metric=True)
