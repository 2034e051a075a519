# SPDX-License-Identifier: GPL-3.0-or-later
"""Evaluation against counts by hand; what cannot be read is counted and named."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dofkit.datasets import DataError, Dataset, Item
from dofkit.evaluation import BAND, MaskScores, evaluate_masks, score_masks
from dofkit.photo import PhotoError
from dofkit.segmentation import Segmentation


def box(top: int, bottom: int, left: int, right: int, shape=(20, 30)) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[top:bottom, left:right] = True
    return mask


def painted(mask: np.ndarray, name: str) -> Item:
    """A photograph that shows its own truth."""
    return Item(np.repeat(mask[..., None], 3, 2).astype(np.float32), mask, name=name)


def segment(image: np.ndarray) -> Segmentation:
    """Refined: what is painted; coarse: the same, one column farther to the right."""
    truth = image[..., 0]
    return Segmentation(truth, np.roll(truth, 1, axis=1), "found")


def near(truth: np.ndarray, distance: float) -> np.ndarray:
    """The band of pixels that have one of the other kind within the distance, each looked for one by one."""
    y, x = np.indices(truth.shape).reshape(2, -1)
    kind = truth.ravel()
    apart = np.hypot(y[:, None] - y, x[:, None] - x)
    return (np.where(kind[:, None] != kind, apart, np.inf).min(1) <= distance).reshape(truth.shape)


MASKS = [box(2, 18, 5, 15), box(0, 20, 10, 14), box(5, 9, 1, 29)]
WHOLE = Dataset("boxes", range(3), lambda i: painted(MASKS[i], f"box {i}"))


def test_means_are_those_counted_by_hand():
    """A box w wide, moved by one: w - 1 columns of w + 1 are shared."""
    scores = evaluate_masks(segment, WHOLE)
    wanted = [9 / 11, 3 / 5, 27 / 29]
    assert [score.coarse for score in scores.scores] == pytest.approx(wanted)
    assert [score.name for score in scores.scores] == ["box 0", "box 1", "box 2"]
    assert scores.mean("coarse") == pytest.approx(np.mean(wanted))
    assert scores.mean("refined") == 1
    bands = []
    for mask in MASKS:
        band, moved = near(mask, BAND), np.roll(mask, 1, axis=1)
        bands.append((mask & moved & band).sum() / ((mask | moved) & band).sum())
    assert scores.mean("coarse_near_boundary") == pytest.approx(np.mean(bands))
    assert scores.report() == {
        "photographs": 3,
        "coarse": {"iou": round(np.mean(wanted), 5), "iou_near_boundary": round(np.mean(bands), 5)},
        "refined": {"iou": 1.0, "iou_near_boundary": 1.0},
        "failures": [],
    }


def test_failures_are_counted_named_and_left_out_of_the_means():
    def read(key):
        if key == 0:
            return painted(MASKS[0], "good")
        if key == 4:
            return Item(np.zeros((4, 5, 3), np.float32), name="unmarked")
        raise {1: DataError("seven: sizes differ"), 2: PhotoError("no picture"), 3: OSError(5, "disk")}[key]

    seen = []
    scores = evaluate_masks(segment, Dataset("mixed", (1, 2, 0, 3, 4), read), progress=lambda *at: seen.append(at))
    assert scores.failures == [("1", "seven: sizes differ"), ("2", "no picture"), ("3", "[Errno 5] disk"),
                               ("4", "unmarked has no mask to compare with")]
    assert (len(scores.scores), scores.mean("coarse")) == (1, pytest.approx(9 / 11))
    assert seen == [(i, 5) for i in range(1, 6)]
    assert scores.report()["failures"][0] == {"name": "1", "reason": "seven: sizes differ"}


def test_if_nothing_can_be_evaluated_the_first_reason_is_given():
    def read(key):
        raise DataError(f"{key} is broken")

    with pytest.raises(DataError, match="mixed: not one photograph could be evaluated; a: a is broken"):
        evaluate_masks(segment, Dataset("mixed", ("a", "b"), read))
    with pytest.raises(DataError, match=r"none: not one photograph could be evaluated$"):
        evaluate_masks(segment, Dataset("none", (), read))
    with pytest.raises(DataError, match="unmarked has no mask"):
        score_masks(segment, Item(np.zeros((4, 5, 3), np.float32), name="unmarked"))


def test_a_fault_of_the_networks_is_no_failure_of_a_photograph():
    def faulty(image):
        raise ValueError("operands could not be broadcast")

    with pytest.raises(ValueError, match="broadcast"):
        evaluate_masks(faulty, WHOLE)


def test_photographs_of_nobody_have_no_boundary():
    """They count in the IoU (empty and empty agree), and in the other mean they do not."""
    masks = [MASKS[0], np.zeros((20, 30), bool)]
    some = evaluate_masks(segment, Dataset("some", range(2), lambda i: painted(masks[i], str(i))))
    alone = evaluate_masks(segment, Dataset("alone", range(1), lambda i: painted(MASKS[0], str(i))))
    assert some.mean("coarse") == pytest.approx((9 / 11 + 1) / 2)
    assert some.mean("coarse_near_boundary") == alone.mean("coarse_near_boundary")
    none = evaluate_masks(segment, Dataset("none", range(1), lambda i: painted(masks[1], str(i))))
    assert np.isnan(none.mean("refined_near_boundary"))
    report = json.loads(json.dumps(none.report(), allow_nan=False))
    assert report["refined"] == {"iou": 1.0, "iou_near_boundary": None}


def test_scores_of_nothing_are_no_number():
    assert np.isnan(MaskScores([]).mean("coarse"))
