# SPDX-License-Identifier: GPL-3.0-or-later
"""Stages: what is computed again and what is not, and that a portrait with a memo is the portrait without."""

from __future__ import annotations

import numpy as np
import pytest

from dofkit import PortraitMode
from dofkit.lens_look import LensLook
from dofkit.scenes import portrait_scene
from dofkit.stages import Memo, Stages


@pytest.fixture(scope="module")
def given():
    scene = portrait_scene(2, (160, 110), "whole-body", "validation")
    return scene.image, scene.mask.astype(np.float32), -1 / scene.depth


def test_arrays_count_by_identity_and_numbers_by_value():
    memo, calls = Memo(), []
    array = np.zeros(3)

    def keep(*given: object) -> None:
        calls.append(given)

    for argument in (array, array, array.copy(), 1.0, 1.0, True, (1, 2), (1, 2), None, None):
        Stages(memo=memo)("one", keep, argument)
    assert [type(given[0]) for given in calls] == [np.ndarray, np.ndarray, float, bool, tuple, type(None)]
    Stages(memo=memo)("one", keep, None, None)  # one argument more
    assert len(calls) == 7


def test_another_function_is_another_stage():
    memo = Memo()
    assert [Stages(memo=memo)("one", function, "abc") for function in (len, str.upper, len)] == [3, "ABC", 3]


def test_a_failed_stage_is_tried_again_and_the_others_are_kept():
    memo, answers = Memo(), iter([ValueError("once"), 7])

    def second() -> int:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    run = Stages(memo=memo)
    assert run("first", len, "abc") == 3
    with pytest.raises(ValueError, match="once"):
        run("second", second)
    assert Stages(memo=memo)("first", len, "abc") == 3 and Stages(memo=memo)("second", second) == 7
    assert memo.news() == ["first", "second"]


def test_every_stage_is_announced_and_timed():
    seen: list[str] = []
    run = Stages(seen.append)
    assert run("a", len, "abc") == 3 and run("b", len, "ab") == 2
    assert seen == ["a", "b"] and list(run.times) == seen and min(run.times.values()) >= 0


CHANGES = [
    ({"max_radius": 3.0}, ["blur"]),
    ({"feather": 0.5}, ["blur"]),
    ({"foreground": True}, ["blur"]),
    ({"K": 3}, ["layers", "blur"]),
    ({"lambda_": 0.0}, ["layers", "blur"]),
    ({"crf": False}, ["layers", "blur"]),
    ({"layer_side": 40}, ["layers", "blur"]),
    ({"look": "lens"}, ["blur"]),
    ({"look": "lens", "focus": (5.0, 9.0)}, ["blur"]),
    ({"look": "lens", "lens": LensLook(blades=5)}, ["blur"]),
    ({"method": "rnn"}, ["blur"]),
    ({}, []),
]


@pytest.mark.parametrize(("change", "computed"), CHANGES, ids=lambda x: str(x))
def test_a_changed_option_computes_what_follows_and_nothing_else(given, change, computed):
    memo = Memo()
    PortraitMode(mode="whole-body")(*given, memo=memo)
    memo.news()
    portrait = PortraitMode(mode="whole-body", **change)(*given, memo=memo)
    assert memo.news() == computed
    fresh = PortraitMode(mode="whole-body", **change)(*given)
    for name in ("result", "mask", "depth", "radii"):
        assert np.array_equal(getattr(portrait, name), getattr(fresh, name)), name


def test_another_photograph_of_the_same_mask_and_depth_keeps_mask_and_layers_alone(given):
    image, mask, depth = given
    memo = Memo()
    PortraitMode(mode="whole-body")(image, mask, depth, memo=memo)
    memo.news()
    other = np.ascontiguousarray(image[:, ::-1])
    portrait = PortraitMode(mode="whole-body")(other, mask, depth, memo=memo)
    assert memo.news() == ["depth", "matte", "blur"]
    assert np.array_equal(portrait.result, PortraitMode(mode="whole-body")(other, mask, depth).result)
