# SPDX-License-Identifier: GPL-3.0-or-later
"""Small pieces of the kit's long works, for `test_kills` to kill.

    python -m tests.faults.work      reads lines of JSON, [KIND, FOLDER, FILE]; each is a new process, which has all
                                     that it needs loaded and writes what it says to FILE

Told are the process's number when it begins, and its exit status when it has ended.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import nbformat
import numpy as np
import pymatting  # noqa: F401 (loaded late otherwise, and slowly)
import torch
from nbformat.v4 import new_code_cell, new_notebook

from dofkit import reproduce
from dofkit.recipes import pairs
from dofkit.study import material
from dofkit.study.folder import Study
from dofkit.study.session import Session
from tests import test_training

PICTURES = 9
PAUSE = 0.02  # makes a work long enough to be met in the middle of its writing


def train(folder: Path) -> None:
    test_training.start(folder, every=1, progress=lambda *_: time.sleep(PAUSE))


def make_pairs(folder: Path) -> None:
    pairs.RECIPES["quick"] = pairs.PairRecipe(48, 3, 0, 0, 1, 1)
    pairs.make_pairs("quick", folder, run=lambda work, tasks: ((i, work(task)) for i, task in enumerate(tasks)))


def run_notebook(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / "00_a.ipynb"
    writing = ("import pathlib, time\nfrom dofkit.files import write_bytes\nfor i in range(40):\n"
               "    write_bytes(pathlib.Path('written.txt'), bytes([i]) * 10_000_000)\n    time.sleep(0.01)")
    cells = [new_code_cell("seed = 0", metadata={"tags": ["parameters"]}, id="a"), new_code_cell(writing, id="b"),
             new_code_cell("print(seed, i)", id="c")]
    path.write_text(nbformat.writes(new_notebook(cells=cells)))
    (run,) = reproduce.reproduce(reproduce.Plan([path], folder / "out", {"seed": 3}), progress=False)
    assert not run.error, run.error


def answer(folder: Path) -> None:
    """Three subjects; each answer is told once it is kept."""
    folder.mkdir(exist_ok=True)
    study = Study(folder, "id", "scenes", tuple(f"{i:08d}" for i in range(12)), {})
    for subject in ("Ada", "Bo", "Cy"):
        session = Session(study, subject)
        while (picture := session.current) is not None:
            session.answer("real" if int(picture) % 2 else "computer", seconds=time.monotonic())
            print(subject, picture, flush=True)
            time.sleep(PAUSE)


def build_study(folder: Path) -> None:
    folder.mkdir(exist_ok=True)

    def drawn(plan, kinds, rng):
        for kind in kinds:
            yield kind, rng.random((400, 300, 3)).astype(np.float32)

    material._of_scenes = drawn
    material.build_study(folder / "study", material.Plan(each=PICTURES // 3, size=400))


WORKS = {"training": train, "pairs": make_pairs, "reproduce": run_notebook, "answers": answer, "study": build_study}



def serve() -> None:
    """Fork a process for each line."""
    one = torch.zeros(1, requires_grad=True)
    torch.optim.Adam([one])  # torch loads half of itself with the first one
    print("ready", flush=True)
    for line in sys.stdin:
        kind, folder, file = json.loads(line)
        number = os.fork()
        if number == 0:
            os.setsid()
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 1)
            code = 1
            try:
                WORKS[kind](Path(folder))
                code = 0
            finally:
                sys.stdout.flush()
                os._exit(code)
        print(number, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]), flush=True)


if __name__ == "__main__":
    serve()
