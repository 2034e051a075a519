# SPDX-License-Identifier: GPL-3.0-or-later
"""`dofkit train --devices 2` as people type it: the networks of one process, and what a killed process leaves."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from dofkit import cli
from dofkit.recipes import pairs as pair_recipes
from dofkit.recipes import rnn_filter
from dofkit.recipes.pairs import PairRecipe
from dofkit.recipes.rnn_filter import FilterRecipe

pytestmark = pytest.mark.skipif(not importlib.util.find_spec("lightning_fabric"), reason="needs Lightning Fabric")

FEW = PairRecipe(64, 2, 0, 0, 1, 1)
TINY = FilterRecipe({"rnn": {"width": 4, "channels": 2}, "cnn": {"width": 4}, "liu": {"width": 4, "channels": 2},
                     "gradient": {"channels": 2}}, 32, 4, 6, 3e-3)
SCRIPT = """
import os, sys, time
from pathlib import Path
from dofkit import cli
from dofkit.recipes import making, pairs, rnn_filter, segmentation
from dofkit.recipes.segmentation import Recipe
from tests.test_train_devices import FEW, TINY
if __name__ == "__main__":
    Path(__file__).with_name("process-" + os.environ.get("LOCAL_RANK", "0")).write_text(str(os.getpid()))
    pairs.RECIPES["quick"], rnn_filter.RECIPES["quick"] = FEW, TINY
    segmentation.RECIPES["quick"] = Recipe((64, 48), (64,), 32, 4, 4, 4, 2, (40,), (2,), (2,), 3e-3, 3, 2, real=False)
    making.SCENES = 1
    draw = segmentation.draw
    segmentation.draw = lambda *args, **more: (time.sleep(0.05), draw(*args, **more))[1]
    sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("devices")
    (folder / "tiny.py").write_text(SCRIPT)
    return folder


@pytest.fixture
def start(place):
    """Starts `dofkit train ... --devices 2`; what is left of it at the end is killed."""
    started = []

    def run(*arguments: str) -> subprocess.Popen[str]:
        started.append(_start(place, *arguments))
        return started[-1]

    yield run
    for run in started:
        alive = run.poll() is None
        with contextlib.suppress(ProcessLookupError):  # nothing is left
            os.killpg(run.pid, signal.SIGKILL)
        if alive:
            run.communicate()


def _start(place: Path, *arguments: str) -> subprocess.Popen[str]:
    free = {name: value for name, value in os.environ.items() if name not in ("LOCAL_RANK", "MASTER_PORT")}
    here = {"CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": "1",
            "DOFKIT_CACHE": str(place / "cache")}
    command = [sys.executable, str(place / "tiny.py"), "train", *arguments, "--devices", "2"]
    return subprocess.Popen(command, env=free | here, cwd=place, text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, start_new_session=True)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return {f"{path.parent.name} {name}": values for path in sorted(folder.glob("*/best.safetensors"))
            for name, values in load_file(path).items()}


def test_two_processes_train_the_filters_that_one_trains(place, start, monkeypatch, capsys):
    """The one without normalisation over the batch: equal but for rounding. The pairs are made once, before."""
    run = start("rnn", "--out", "two")
    said, told = run.communicate(timeout=300)
    assert run.returncode == 0, told
    assert told.count("dofkit: pairs in") == 1
    monkeypatch.chdir(place)
    monkeypatch.setitem(pair_recipes.RECIPES, "quick", FEW)
    monkeypatch.setitem(rnn_filter.RECIPES, "quick", TINY)
    assert cli.main(["train", "rnn", "--out", "one", "--pairs", "two/pairs"]) == 0
    one, two = weights(place / "one"), weights(place / "two")
    assert one.keys() == two.keys() and len({name.split()[0] for name in one}) == 4
    without = {name for name in one if name.startswith("gradient ")}
    assert {name.split()[0] for name in one if name.endswith("running_mean")} == {"rnn", "cnn", "liu"}
    for name in without:
        assert torch.allclose(one[name], two[name], rtol=0, atol=1e-5), name
    assert list(json.loads(said)) == list(json.loads(capsys.readouterr().out)) == ["scenes"]
    report = json.loads((place / "two" / "filter.json").read_text())
    assert report["training"]["rnn"]["processes"] == 2


@pytest.mark.parametrize("killed", ["main", "other"])
def test_a_killed_process_ends_both_with_one_line_and_both_go_on(killed, place, start):
    """SIGKILL in the middle of a stage; the same command then ends in the weights of an unbroken run."""
    run = start("segmentation", "--out", killed)
    deadline = time.monotonic() + 120
    while not lines(place / killed) and run.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(run.pid if killed == "main" else int((place / "process-1").read_text()), signal.SIGKILL)
    told = run.communicate(timeout=60)[1]  # both have ended: nobody holds the pipe any more
    assert "Traceback" not in told and told.count("another process of this training has ended") == 1
    assert run.returncode == (-signal.SIGKILL if killed == "main" else 2)
    assert 0 < len(lines(place / killed)) < 20
    again = start("segmentation", "--out", killed)
    assert again.communicate(timeout=300) and again.returncode == 0
    if not (place / "unbroken").exists():
        assert start("segmentation", "--out", "unbroken").communicate(timeout=300)
    found, wanted = weights(place / killed), weights(place / "unbroken")
    assert found.keys() == wanted.keys() and found
    assert all(torch.equal(values, wanted[name]) for name, values in found.items())


def lines(folder: Path) -> list[dict]:
    """The learning curve of the first stage."""
    file = folder / "coarse" / "curve.json"
    return json.loads(file.read_text()) if file.exists() else []
