# SPDX-License-Identifier: GPL-3.0-or-later
"""`make weights`: its own commands, on a few pictures, make every shipped file, twice the same; how they compare."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import dofkit.weights
from dofkit import cli
from dofkit.recipes import depth, making, making_depth, pairs, remade, rnn_filter, segmentation, table1
from dofkit.recipes.pairs import PairRecipe
from dofkit.recipes.remade import allowed, compare, scores
from dofkit.recipes.rnn_filter import FilterRecipe
from dofkit.results import ResultsError, read_results
from tests.test_making_depth import TINY as TINY_DEPTH
from tests.test_making_filter import SMALL
from tests.test_recipes import TINY, real_data

SHIPPED = Path(dofkit.weights.__file__).parent


@pytest.fixture(scope="module", autouse=True)
def shrunk(tmp_path_factory):
    """Profile full with a few steps on a few small pictures, real ones (of stripes) among them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOFKIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setitem(segmentation.RECIPES, "full", replace(TINY, real=True))
        patch.setitem(table1.RECIPES, "full", replace(TINY, real=True))
        patch.setitem(depth.RECIPES, "full", replace(TINY_DEPTH, real=True, seeds=2))
        patch.setitem(pairs.RECIPES, "full", PairRecipe(64, 2, 0, 0, 1, 1))
        patch.setitem(rnn_filter.RECIPES, "full", FilterRecipe(SMALL, 32, 2, 3, 3e-3))
        for module in (making, making_depth):
            patch.setattr(module, "SCENES", 1)
        patch.setattr(making_depth, "TESTS", [("selfie", "selfie", (64, 48))])
        patch.setattr(cli, "COMMANDS", ("train",))
        yield


@pytest.fixture(scope="module")
def twice(root, tmp_path_factory):
    """The commands of `make weights`, done twice, each time in an empty folder: what became of dofkit/weights."""
    data = real_data(tmp_path_factory.mktemp("data"))
    command = ["make", "-n", "weights", f"DATA={data}", "ACCEPT=yes"]
    if shutil.which("make") is None:
        pytest.skip("needs make")
    told = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    lines = [shlex.split(line) for line in told.splitlines() if " -m dofkit" in line or line.startswith("cp ")]
    made = []
    for number in range(2):
        place = tmp_path_factory.mktemp(f"made-{number}")
        (place / "dofkit" / "weights").mkdir(parents=True)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(place)
            for line in lines:
                assert do(line) == 0, line
        made.append(place / "dofkit" / "weights")
    return made


def do(line: list[str]) -> int:
    """A command of the Makefile, in this process if it is Python."""
    if line[0] == "cp":
        return subprocess.run(["/bin/sh", "-c", " ".join(line)], check=False).returncode
    module, *arguments = line[line.index("-m") + 1:]
    return {"dofkit": cli.main, "dofkit.recipes.remade": remade.main}[module](arguments)


def test_one_command_makes_every_shipped_file(twice):
    there = {file.name for file in SHIPPED.iterdir() if file.suffix in (".safetensors", ".md", ".json")}
    assert {file.name for file in twice[0].iterdir()} == there


def test_made_twice_from_scratch_weights_and_scores_are_the_same(twice):
    for name in dofkit.weights.names():
        one, two = ((folder / f"{name}.safetensors").read_bytes() for folder in twice)
        assert one == two, name
        assert one != (SHIPPED / f"{name}.safetensors").read_bytes()
    for name in remade.REPORTS:
        rows = compare(name, twice[1], twice[0])
        assert rows and all(row["apart"] == 0 for row in rows), name


def test_the_shipped_ones_are_within_their_own_spread():
    """Every score of the reports is found; what was trained once has the spread of its kind."""
    for name, known in (("segmentation", True), ("depth", True), ("table1", None), ("filter", True)):
        rows = compare(name, SHIPPED)
        assert all(row["apart"] == 0 and row["within"] != "NO" for row in rows)
        if known:
            assert {row["within"] for row in rows} == {"yes"}
    assert len(compare("depth", SHIPPED)) == 4 and len(compare("segmentation", SHIPPED)) == 10


def test_a_filter_trained_once_takes_the_spread_of_the_rnn_filter(tmp_path):
    for folder, cnn in (("shipped", 40.0), ("remade", 43.0)):
        report = {"validation by seed": {"rnn": [38.0, 38.2, 38.4], "cnn": [cnn]}}
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "filter.json").write_text(json.dumps(report))
    ours, cnn = compare("filter", tmp_path / "remade", tmp_path / "shipped")
    assert ours["within"] == "yes" and ours["allowed"] == pytest.approx(9.92 * 0.2 * (2 / 3) ** 0.5, rel=1e-3)
    assert cnn["within"] == "NO" and cnn["allowed"] == pytest.approx(9.92 * 0.2 * 2 ** 0.5, rel=1e-3)


def test_a_worse_remake_is_told(tmp_path, capsys):
    report = read_results("depth")
    cell = report["test"]["ranking"]["scenes, selfie"]["refined"]
    for each in (report["test"], *report["other seeds"]):
        each["ranking"]["scenes, selfie"]["refined"]["whdr"] = cell["whdr"] + 0.05
    (tmp_path / "depth.json").write_text(json.dumps(report))
    assert [row["within"] for row in compare("depth", tmp_path)].count("NO") == 1
    assert remade.main([str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert "| NO |" in said.out and "1 of 4 scores" in said.err
    assert remade.main([str(tmp_path), "--accept"]) == 0


def test_the_limit_holds_for_99_of_100_pairs_of_means():
    """Of 4000 pairs of trainings whose scores differ by chance alone."""
    rng = np.random.default_rng(0)
    outside = 0
    for _ in range(4000):
        shipped, made = rng.normal(0.9, 0.01, 3), rng.normal(0.9, 0.01, 3)
        outside += abs(made.mean() - shipped.mean()) > allowed(shipped.tolist(), 3, 3)
    assert 0.005 < outside / 4000 < 0.016


def test_what_cannot_be_compared_is_one_line(tmp_path, capsys):
    assert remade.main([str(tmp_path)]) == 2
    assert "no report of a training" in capsys.readouterr().err
    report = read_results("table1")
    report["iou"] = {"coarse": report["iou"]["coarse"]}
    (tmp_path / "table1.json").write_text(json.dumps(report))
    with pytest.raises(ResultsError, match="were not scored alike"):
        compare("table1", tmp_path)
    assert remade.main([str(tmp_path)]) == 2 and capsys.readouterr().err.count("\n") == 1
    assert set(scores("table1", report)) == {f"coarse, {test}, IoU" for test in report["iou"]["coarse"]}
