# SPDX-License-Identifier: GPL-3.0-or-later
"""The paper's sizes: every training of profile paper takes its first step, from data to weights with cards.

Widths, picture sizes, squares and channels are those of the profile. A batch is of one photograph (of two where the
SPN takes half a batch), there is one scene of each kind, and each stage has one step.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from dofkit.engines import Engine, TrainingError
from dofkit.recipes import depth, making, making_depth, pairs, rnn_filter, segmentation, table1
from dofkit.recipes.pairs import PairRecipe, make_pairs
from dofkit.rnn_filter import FILTERS
from dofkit.weights import metadata
from dofkit.workers import in_turn

CPU = Engine("cpu")
ONE = {"batch": 1, "scenes": 1, "held_out": 1, "real": False}


@contextlib.contextmanager
def silent(name: str):
    yield None


@pytest.fixture(scope="module", autouse=True)
def first_steps(tmp_path_factory):
    """The paper's recipes, with one step of one photograph; tests on small scenes, of which one is enough."""
    segment = replace(segmentation.RECIPES["paper"], coarse_steps=(1,), spn_steps=(1,), **ONE)
    ordered = replace(depth.RECIPES["paper"], coarse_steps=(1,), ranking_steps=(1,), consistency_steps=(1,),
                      **(ONE | {"batch": 2}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOFKIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setitem(segmentation.RECIPES, "paper", replace(segment, shown=(64,)))
        patch.setitem(table1.RECIPES, "paper", replace(segment, shown=(64,)))
        patch.setitem(depth.RECIPES, "paper", replace(ordered, shown=(64,)))
        patch.setitem(rnn_filter.RECIPES, "paper", replace(rnn_filter.RECIPES["paper"], batch=1, steps=1))
        patch.setitem(pairs.RECIPES, "paper", PairRecipe(512, 1, 0, 0, 1, 1))
        patch.setattr(making, "SCENES", 1)
        patch.setattr(making_depth, "SCENES", 1)
        yield


@pytest.fixture(scope="module")
def segmented(tmp_path_factory):
    folder = tmp_path_factory.mktemp("paper") / "segmentation"
    return folder, making.make_segmentation("paper", folder, engine=CPU, stage=silent)


def test_segmentation_takes_its_first_step(segmented):
    folder, report = segmented
    assert [report["training"][stage]["steps"] for stage in ("coarse", "spn")] == [1, 1]
    assert report["recipe"]["shape"] == (512, 368) and report["recipe"]["crop"] == 256
    assert metadata(folder / "segmentation-spn.safetensors").arguments == {"width": 64, "channels": 32, "norm": True}
    assert list(report["test"]) == ["scenes, selfie", "scenes, whole body"]


def test_depth_takes_its_first_steps_as_that_segmentation(segmented, tmp_path):
    report = making_depth.make_depth("paper", tmp_path, engine=CPU, stage=silent, start=segmented[0])
    assert [report["training"][stage]["steps"] for stage in ("coarse", "ranking", "consistency")] == [1, 1, 1]
    assert metadata(tmp_path / "depth-spn.safetensors").arguments["width"] == 64
    with pytest.raises(TrainingError, match="--segmentation"):
        making_depth.make_depth("paper", tmp_path / "narrow", engine=CPU, stage=silent)


def test_table_1_takes_its_first_steps(tmp_path):
    report = table1.make_table1("paper", tmp_path, engine=CPU, stage=silent, seeds=1)
    assert list(report["iou"]) == ["coarse", *table1.METHODS, "graph cut"]
    assert not (tmp_path / "seed-0" / "guidance").exists()  # begins as VGG-16, or as nothing


def test_the_filters_take_their_first_step(tmp_path):
    from dofkit.recipes.making_filter import make_filter

    make_pairs("paper", tmp_path / "pairs", run=in_turn)
    report = make_filter("paper", tmp_path / "filters", tmp_path / "pairs", engine=CPU, stage=silent)
    assert [report["training"][name]["steps"] for name in FILTERS] == [1] * len(FILTERS)
    told = json.loads(Path(tmp_path, "filters", "filter.json").read_text())["recipe"]
    assert told["arguments"]["rnn"] == {"width": 64, "channels": 16} and told["crop"] == 256
