# SPDX-License-Identifier: GPL-3.0-or-later
"""Kill -9 at random moments: what is started again ends as if nothing had been, and nothing is left lying about.

CI kills once for each kind of work, `make fuzz` 50 times in all. The moments are drawn from a seed; which instruction
they meet is up to the machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from dofkit.recipes.pairs import read_pair
from dofkit.study.answers import read_answers
from tests.faults.damage import TIMES, tried
from tests.faults.work import PICTURES

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")

KILLS = 1 if TIMES == 1 else 10
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def server():
    """`tests.faults.work`, which loads everything once."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen([sys.executable, "-m", "tests.faults.work"], cwd=ROOT, env=environment, text=True, bufsize=1,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == "ready\n"
        yield process
        process.stdin.close()


@dataclass
class Work:
    """A piece of work in a process of its own, which begins now."""

    server: subprocess.Popen[str]
    kind: str
    folder: Path
    said: Path

    def __post_init__(self) -> None:
        self.server.stdin.write(json.dumps([self.kind, str(self.folder), str(self.said)]) + "\n")
        self.number = int(self.server.stdout.readline())

    def kill(self) -> bool:
        """Whether it was met before its end."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.number, signal.SIGKILL)
        return self.ended() == -signal.SIGKILL

    def ended(self) -> int:
        """Wait for its exit status."""
        return int(self.server.stdout.readline())


def group_ends(number: int) -> bool:
    """Whether all that the process had started has ended by itself, within a minute."""
    for _ in range(600):
        try:
            os.killpg(number, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in files(folder)}


# What holds at any moment, and at the end


def acknowledged_answers_are_there(folder: Path, said: str) -> None:
    kept = [(one.subject, one.picture) for one in read_answers(folder / "answers.csv")]
    assert len(set(kept)) == len(kept)
    assert {tuple(line.split()) for line in said.splitlines()} <= set(kept)


def pairs_are_whole(folder: Path, _: str) -> None:
    assert all(read_pair(file) is not None for file in folder.rglob("[!.]*.npz"))


def checkpoint_is_whole(folder: Path, _: str) -> None:
    file = folder / "checkpoint.pt"
    assert not file.exists() or torch.load(file, weights_only=True)["record"]["step"] >= 0


def study_is_whole_or_not_there(folder: Path, _: str) -> None:
    study = folder / "study"
    assert not study.exists() or len(files(study)) == PICTURES + 3


def same_bytes(one: Path, other: Path) -> None:
    assert contents(one) == contents(other)


def same_training(one: Path, other: Path) -> None:
    """All but the seconds that it took."""
    assert files(one) == files(other)
    first, second = (torch.load(folder / "checkpoint.pt", weights_only=True) for folder in (one, other))
    for content in (first, second):
        content["record"].pop("seconds")
    assert str(first) == str(second)  # every number of these small networks is printed
    for name in ("best.safetensors", "curve.json"):
        assert (one / name).read_bytes() == (other / name).read_bytes()


def same_answers(one: Path, other: Path) -> None:
    """Time apart, which is the subject's."""
    first, second = ([(a.subject, a.picture, a.position, a.answer) for a in read_answers(folder / "answers.csv")]
                     for folder in (one, other))
    assert first == second and files(one) == files(other)


def same_notebooks(one: Path, other: Path) -> None:
    """What was computed and written; times of the run are papermill's."""
    def shown(folder):
        cells = json.loads((folder / "out" / "00_a.ipynb").read_text())["cells"]
        return [(cell["source"], [output.get("text") for output in cell["outputs"]]) for cell in cells]

    assert files(one) == files(other) and shown(one) == shown(other)
    assert (one / "written.txt").read_bytes() == (other / "written.txt").read_bytes()


@dataclass(frozen=True)
class Kind:
    """What must hold after a kill, and what at the end against a run that nobody disturbed."""

    always: Callable[[Path, str], None]
    same: Callable[[Path, Path], None]


KINDS = {
    "training": Kind(checkpoint_is_whole, same_training),
    "pairs": Kind(pairs_are_whole, same_bytes),
    "reproduce": Kind(lambda *_: None, same_notebooks),
    "answers": Kind(acknowledged_answers_are_there, same_answers),
    "study": Kind(study_is_whole_or_not_there, same_bytes),
}


@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_any_moment_and_started_again(tmp_path, server, kind):
    moments = random.Random(f"{kind} {KILLS}")
    whole, began = tmp_path / "undisturbed", time.monotonic()
    assert Work(server, kind, whole, tmp_path / "said").ended() == 0
    usual = time.monotonic() - began
    kills = number = 0
    while kills < KILLS:
        folder, said = tmp_path / f"disturbed {number}", tmp_path / f"said {number}"
        work = Work(server, kind, folder, said)
        time.sleep(moments.uniform(0, usual))
        if not work.kill():  # it was faster this time: begin anew
            number += 1
            continue
        kills += 1
        tried[f"kill -9, {kind}"] += 1
        assert group_ends(work.number), "a process lives on"
        if folder.exists():
            KINDS[kind].always(folder, said.read_text().rpartition("\n")[0] if said.exists() else "")
    assert Work(server, kind, folder, said).ended() == 0
    KINDS[kind].same(whole, folder)
