# SPDX-License-Identifier: GPL-3.0-or-later
"""The paper's sizes: every training of profile paper takes its first step, from data to weights with cards.

Widths, picture sizes, squares and channels are those of the profile. A batch is of one photograph (of two where the
SPN takes half a batch), there is one scene of each kind, and each stage has one step. Checkpoints of this size are
deleted at the end of each test.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from dofkit.cli import build_parser
from dofkit.engines import Engine, TrainingError
from dofkit.recipes import depth, making, making_depth, pairs, rnn_filter, segmentation, table1
from dofkit.recipes.pairs import PairRecipe, make_pairs
from dofkit.rnn_filter import FILTERS
from dofkit.weights import metadata
from dofkit.workers import in_turn
from tests.benchmarks.paper import COSTS, PAGE, STAGES, page

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
        patch.setitem(pairs.RECIPES, "paper", PairRecipe(384, 1, 0, 0, 1, 1))  # squares of 256 fit
        for module in (making, making_depth):
            patch.setattr(module, "SCENES", 1)
        for module in (making, making_depth, table1):
            patch.setattr(module, "gather", partial(one_to_choose_by, module.gather))
        yield


def one_to_choose_by(gather, recipe, **more):
    data = gather(recipe, **more)
    return replace(data, validation=data.validation[:1])


@pytest.fixture
def place(tmp_path):
    yield tmp_path
    shutil.rmtree(tmp_path)


@pytest.fixture(scope="module")
def segmented(tmp_path_factory):
    folder = tmp_path_factory.mktemp("paper")
    yield folder, making.make_segmentation("paper", folder, engine=CPU, stage=silent)
    shutil.rmtree(folder)


def test_segmentation_takes_its_first_step(segmented):
    folder, report = segmented
    assert [report["training"][stage]["steps"] for stage in ("coarse", "spn")] == [1, 1]
    assert report["recipe"]["shape"] == (512, 368) and report["recipe"]["crop"] == 256
    assert metadata(folder / "segmentation-spn.safetensors").arguments == {"width": 64, "channels": 32, "norm": True}
    assert list(report["test"]) == ["scenes, selfie", "scenes, whole body"]


def test_depth_takes_its_first_steps_as_that_segmentation(segmented, place):
    report = making_depth.make_depth("paper", place, engine=CPU, stage=silent, start=segmented[0])
    assert [report["training"][stage]["steps"] for stage in ("coarse", "ranking", "consistency")] == [1, 1, 1]
    assert metadata(place / "depth-spn.safetensors").arguments["width"] == 64
    with pytest.raises(TrainingError, match="--segmentation"):
        making_depth.make_depth("paper", place / "narrow", engine=CPU, stage=silent)


def test_table_1_takes_its_first_steps(place):
    report = table1.make_table1("paper", place, engine=CPU, stage=silent, seeds=1)
    assert list(report["iou"]) == ["coarse", *table1.METHODS, "graph cut"]
    assert not (place / "seed-0" / "guidance").exists()  # begins as VGG-16, or as nothing


def test_the_filters_take_their_first_step(place):
    from dofkit.recipes.making_filter import make_filter

    make_pairs("paper", place / "pairs", run=in_turn)
    report = make_filter("paper", place / "filters", place / "pairs", engine=CPU, stage=silent)
    assert [report["training"][name]["steps"] for name in FILTERS] == [1] * len(FILTERS)
    told = json.loads(Path(place, "filters", "filter.json").read_text())["recipe"]
    assert told["arguments"]["rnn"] == {"width": 64, "channels": 16} and told["crop"] == 256


def test_the_plan_says_what_was_measured():
    costs = json.loads(COSTS.read_text(encoding="utf-8"))
    text = PAGE.read_text(encoding="utf-8")
    assert page(text, costs) == text
    assert {row["stage"] for row in costs["steps"]} == set(STAGES)
    for row in costs["steps"]:
        (height, width), batch, steps = STAGES[row["stage"]]
        assert (row["height"], row["width"], row["batch"], row["steps"]) == (height, width, batch, steps)


def test_the_commands_of_the_plan_are_commands():
    lines = [line.split("#")[0].split() for line in PAGE.read_text(encoding="utf-8").splitlines()
             if line.startswith("    .venv/bin/dofkit ")]
    assert len(lines) >= 8
    for line in lines:
        build_parser().parse_args(line[1:])  # ends the test if there is no such option
