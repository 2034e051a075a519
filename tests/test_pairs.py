# SPDX-License-Identifier: GPL-3.0-or-later
"""Training pairs: what is in them, that they are made once, by processes and by Dask, and what a fault leaves."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from distributed import LocalCluster

from dofkit.cli import main
from dofkit.datasets import DataError, Dataset, Item
from dofkit.files import PhotoError
from dofkit.metrics import psnr
from dofkit.pipeline import PortraitMode
from dofkit.recipes import pairs
from dofkit.recipes.pairs import PairRecipe, Task, files, make_pair, make_pairs, plan, read_pair
from dofkit.recipes.rnn_filter import draw, middle, read_pairs
from dofkit.scenes import portrait_scene
from dofkit.workers import by_dask, in_processes

TINY = PairRecipe(64, 2, 0, 0, 1, 1)


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setitem(pairs.RECIPES, "quick", TINY)


def in_turn(work, tasks):
    return ((i, work(task)) for i, task in enumerate(tasks))


def bytes_of(folder):
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*.npz")}


def test_a_pair_is_the_photograph_and_its_portrait(tmp_path):
    task = plan(TINY, tmp_path, root=None, seed=0)[0]
    task.file.parent.mkdir()
    assert make_pair(task) is None
    image, result, m, radius = read_pair(task.file).arrays()
    scene = portrait_scene(0, (64, 42), "whole-body", "train")
    assert psnr(image, scene.image) > 50 and (m == scene.mask).all()
    largest = task.strength * 0.64
    wanted = PortraitMode(mode="whole-body", max_radius=largest)(image, m, scene.depth).result
    assert psnr(result, wanted) > 45
    assert radius.max() <= largest * 1.001 and (radius[m == 1] == 0).all()


def test_the_quick_profile_needs_no_data(tiny, tmp_path, capsys):
    assert main(["pairs", "--out", str(tmp_path / "pairs"), "--workers", "1"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["pairs"] == {"train": 4, "validation": 2, "test": 2} and report["failures"] == []


def test_splits_share_no_photograph(tmp_path):
    tasks = plan(TINY, tmp_path, root=None, seed=0)
    seen = [(task.dataset.name, task.dataset.keys[task.index]) for task in tasks]
    assert len(set(seen)) == len(seen) == 8


def test_what_is_there_is_not_made_again_and_what_is_damaged_is(tiny, tmp_path):
    make_pairs("quick", tmp_path, run=in_turn)
    before = bytes_of(tmp_path)
    kept, cut, gone = files(tmp_path, "train")[:3]
    cut.write_bytes(cut.read_bytes()[:100])
    gone.unlink()
    age = kept.stat().st_mtime_ns
    make_pairs("quick", tmp_path, run=in_turn)
    assert bytes_of(tmp_path) == before and kept.stat().st_mtime_ns == age


def test_processes_make_what_one_makes(tiny, tmp_path):
    make_pairs("quick", tmp_path / "one", run=in_turn)
    make_pairs("quick", tmp_path / "two", run=in_processes(2))
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")


def test_a_photograph_that_fails_is_listed_and_the_others_are_made(tiny, tmp_path, monkeypatch):
    def broken(key):
        if key == 1:
            raise DataError("1 is broken")
        return Item(portrait_scene(key, (64, 42), "whole-body").image, np.eye(64, 42) > 0, name=str(key))

    real = plan(TINY, tmp_path, root=None, seed=0)
    tasks = [replace(task, dataset=Dataset("some", (0, 1, 2), broken), index=i, exact=True, file=task.file)
             for i, task in enumerate(real[:3])]
    monkeypatch.setattr(pairs, "plan", lambda *_, **__: tasks)
    report = make_pairs("quick", tmp_path, run=in_turn)
    assert [failure["reason"] for failure in report["failures"]] == ["1 is broken"]
    assert report["pairs"]["train"] == 2


def test_a_folder_of_other_pairs_is_refused(tiny, tmp_path):
    make_pairs("quick", tmp_path, run=in_turn)
    with pytest.raises(PhotoError, match="another profile, seed or version"):
        make_pairs("quick", tmp_path, seed=1, run=in_turn)
    (tmp_path / "pairs.json").write_text("{")
    with pytest.raises(PhotoError, match="damaged"):
        make_pairs("quick", tmp_path, run=in_turn)


def test_missing_data_is_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("DOFKIT_DATA", raising=False)
    assert main(["pairs", "--profile", "full", "--out", str(tmp_path)]) == 2
    assert "nobody said where" in capsys.readouterr().err


@pytest.mark.parametrize(("options", "says"), [(["--workers", "0"], "choose 1 or"), (["--seed", "-1"], "choose 0")])
def test_wrong_options_are_one_line(options, says, tmp_path, capsys):
    assert main(["pairs", "--out", str(tmp_path / "p"), *options]) == 2
    assert says in capsys.readouterr().err and not (tmp_path / "p").exists()


def test_a_kill_leaves_whole_pairs_and_no_process(tmp_path):
    """The parent is killed without a chance to clean up; its workers end, and the next run goes on."""
    command = [sys.executable, "-m", "dofkit", "pairs", "--out", str(tmp_path), "--workers", "1"]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
    while not files(tmp_path, "train") and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    while alive(run.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(run.pid)
    there = files(tmp_path, "train")
    assert there and all(read_pair(file) is not None for file in there)
    left = tmp_path / "train" / ".scenes-whole-body-000000.npz.0123abcd.part"
    left.write_bytes(b"half")
    make_pairs("quick", tmp_path, run=lambda work, tasks: iter(()))
    assert not left.exists()


def alive(group):
    """Whether a process of the group lives."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_dask_makes_what_processes_make(tiny, tmp_path):
    make_pairs("quick", tmp_path / "one", run=in_turn)
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        make_pairs("quick", tmp_path / "many", run=by_dask(cluster.scheduler_address))
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "many")


def test_without_dask_one_line_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(PhotoError, match="pip install"):
        next(by_dask("tcp://127.0.0.1:9")(make_pair, []))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    for task in plan(TINY, folder, root=None, seed=0):
        task.file.parent.mkdir(exist_ok=True)
        make_pair(task)
    return folder


def test_a_batch_is_the_same_whenever_it_is_drawn(made):
    learned = read_pairs(made, "train")
    first, again = (draw(learned, 3, 32, seed=5, step=7) for _ in range(2))
    assert [tuple(part.shape) for part in first] == [(3, 3, 32, 32), (3, 2, 32, 32), (3, 3, 32, 32)]
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert not (first[0] == draw(learned, 3, 32, seed=5, step=8)[0]).all()


def test_the_parts_of_a_square_belong_together(made):
    """Where nobody asks for a blur, photograph and portrait agree; elsewhere they do not."""
    for step in range(4):
        image, guides, result = draw(read_pairs(made, "train"), 4, 40, seed=0, step=step)
        inside = guides[:, :1].expand_as(image) == 1
        assert (image - result).abs()[inside].mean() < (image - result).abs()[~inside].mean() or not inside.any()
    assert [part.shape[-1] for part in middle(read_pairs(made, "test")[0], 32)] == [32, 32, 32]


def test_damaged_or_missing_pairs_are_told(made, tmp_path):
    with pytest.raises(DataError, match="dofkit pairs"):
        read_pairs(tmp_path, "train")
    assert read_pairs(made, "test", ("ccp",)) == []


def test_a_smaller_photograph_stays_in_its_range():
    white = Item(np.ones((825, 550, 3), np.float32))
    assert pairs._resized(white, 224).image.max() == 1  # without care 1.0000001, which the renderer refuses


def test_a_task_can_be_sent_to_another_process(tmp_path):
    import pickle

    task = plan(TINY, tmp_path, root=None, seed=0)[0]
    assert isinstance(task, Task) and pickle.loads(pickle.dumps(task)).file == task.file
