# SPDX-License-Identifier: GPL-3.0-or-later
"""Every writer of the kit on a full disk, at a limit of file size, and in a folder that may not be written to.

Each says so in one clear error, what was there before stays as it was, and no unfinished file is left.
"""

from __future__ import annotations

import contextlib
import copy
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from matplotlib.figure import Figure
from nbformat.v4 import new_code_cell, new_notebook

from dofkit import reproduce
from dofkit.datasets import scenes
from dofkit.engines import TrainingError
from dofkit.figures import save_figure, save_table
from dofkit.files import PhotoError
from dofkit.maps import write_map
from dofkit.notebooks import NotebookError, normalised, write_notebook
from dofkit.photo import write_photo
from dofkit.recipes import pairs
from dofkit.study import material
from dofkit.study.answers import Answer, AnswersError, keep_answer
from dofkit.study.folder import StudyError
from dofkit.weights import save_weights
from tests import test_training
from tests.faults.damage import tried

NOISE = np.random.default_rng(0).random((300, 300, 3)).astype(np.float32)
NOTEBOOK = new_notebook(cells=[new_code_cell("seed = 0", metadata={"tags": ["parameters"]}), new_code_cell("1")])


def figure(folder):
    picture = Figure(figsize=(4, 4))
    picture.subplots().imshow(NOISE)
    save_figure(picture, "fig03_guided_kernel", notebook="05_blur_with_guidance", profile="quick", seed=0)


def table(folder):
    save_table([{"a": "x" * 50_000}], "table1_segmentation", notebook="02_segment_with_an_spn", profile="quick", seed=0)


def weights(folder):
    save_weights(folder / "a.safetensors", test_training.network(width=900), network="a", arguments={}, card="# A")


def training(folder):
    test_training.start(folder / "training", steps=5, width=900)


def make_pairs(folder):
    def in_turn(work, tasks):
        return ((i, work(task)) for i, task in enumerate(tasks))

    pairs.make_pairs("quick", folder / "pairs", run=in_turn)


def study(folder):
    material.build_study(folder / "study", material.Plan(each=2, size=300))


def answers(folder):
    for i in range(4000):
        keep_answer(folder / "answers.csv", Answer("Ada", f"{i:08d}", i, 1.0, "real"))


def notebook(folder):
    cell = new_code_cell("1", outputs=[nbformat.v4.new_output("stream", text="x" * 200_000)])
    write_notebook(folder / "a.ipynb", normalised(new_notebook(cells=[cell])))


def run_notebook(folder):
    source = Path(os.environ["DOFKIT_TEST_ELSEWHERE"]) / "00_a.ipynb"
    plan = reproduce.Plan([source], folder / "out")
    reproduce.reproduce(plan, progress=False)


WRITERS = {
    "photograph": (lambda folder: write_photo(folder / "a.png", NOISE, bits=16, force=True), PhotoError),
    "map": (lambda folder: write_map(folder / "a.npy", NOISE[..., 0], force=True), PhotoError),
    "figure": (figure, PhotoError), "table": (table, PhotoError), "weights": (weights, PhotoError),
    "training": (training, TrainingError), "pairs": (make_pairs, PhotoError), "study": (study, StudyError),
    "answers": (answers, AnswersError), "notebook": (notebook, PhotoError),
    "reproduce": (run_notebook, NotebookError),
}


@pytest.fixture(autouse=True)
def small_works(monkeypatch, tmp_path):
    """Works that are done in no time; caches that are not what is tested."""
    monkeypatch.setenv("DOFKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DOFKIT_TEST_ELSEWHERE", str(tmp_path))
    monkeypatch.setitem(pairs.RECIPES, "quick", pairs.PairRecipe(96, 2, 0, 0, 1, 1))
    monkeypatch.setattr(material, "_of_scenes", lambda plan, kinds, rng: ((kind, NOISE) for kind in kinds))
    nbformat.write(NOTEBOOK, tmp_path / "00_a.ipynb")


def left_over(folder):
    return [path.name for path in folder.rglob(".*.part")]


@contextlib.contextmanager
def full_disk(folder):
    """A disk of 40 KB, which only root can mount."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40k", "tmpfs", str(folder)], capture_output=True,
                             check=False) if sys.platform == "linux" and os.geteuid() == 0 else None
    if mounted is None or mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextlib.contextmanager
def small_files(folder):
    """No file may grow beyond 20 KB: a write fails in its middle."""
    folder.mkdir()
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        yield folder
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@contextlib.contextmanager
def read_only(folder):
    """A folder that may be read only. Root may write everywhere, so nobody asks."""
    folder.mkdir()
    folder.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        for path in (folder.parent, folder.parent / "cache"):
            path.mkdir(exist_ok=True)
            path.chmod(0o777)
        for parent in folder.parents[:-1]:
            if not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o011)
        os.seteuid(65534)
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.parametrize("disk", [full_disk, small_files, read_only], ids=lambda disk: disk.__name__)
@pytest.mark.parametrize("name", WRITERS)
def test_a_disk_that_takes_no_more(tmp_path, monkeypatch, name, disk):
    write, error = WRITERS[name]
    for split in ("train", "validation", "test"):  # scenes are kept in the cache, which has room
        if name == "pairs":
            for kind, size in (("whole-body", (96, 64)), ("selfie", (96, 72))):
                list(scenes(2, split=split, kind=kind, size=size))
    if disk is small_files and name in ("reproduce", "training"):
        pytest.skip("what others write for it is larger")
    if disk is full_disk and name == "reproduce":
        loud = copy.deepcopy(NOTEBOOK)
        loud.cells[1].source = "print('x' * 300_000)"
        nbformat.write(loud, tmp_path / "00_a.ipynb")
    with disk(tmp_path / "disk") as folder:
        monkeypatch.setenv("DOFKIT_FIGURES", str(folder))
        with pytest.raises(error) as found:
            write(folder)
        text = str(found.value)
        assert "cannot" in text and any(words in text for words in ("space", "large", "ermission", "read-only")), text
        assert "choose another" in text or "free some" in text
        assert left_over(folder) == []
        tried[f"disk, {disk.__name__}"] += 1


def test_what_was_there_stays(tmp_path):
    with small_files(tmp_path / "disk") as folder:
        write_photo(folder / "a.png", NOISE[:9, :9])
        before = (folder / "a.png").read_bytes()
        with pytest.raises(PhotoError, match="File too large"):
            write_photo(folder / "a.png", NOISE, force=True)
        assert (folder / "a.png").read_bytes() == before
