# SPDX-License-Identifier: GPL-3.0-or-later
"""Work that is shared out: the results of one process, each once, whoever is killed in between."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from dofkit import cli
from dofkit.datasets import folder, scenes
from dofkit.depth import estimator
from dofkit.depth_evaluation import evaluate_depths
from dofkit.evaluation import evaluate_masks
from dofkit.files import PhotoError
from dofkit.maps import write_map
from dofkit.photo import write_photo
from dofkit.recipes import ablation, pairs
from dofkit.recipes.ablation import evaluate_ablation
from dofkit.recipes.pairs import PairRecipe, make_pairs
from dofkit.segmentation import segmenter
from dofkit.workers import Once, by_dask, cores, in_processes, in_turn

PICTURES = 8
GRAPH_CUT, PRIOR = Once(segmenter, ("graphcut",)), Once(estimator, ("prior",))


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    """Eight scenes as files, with masks and depths; the fifth photograph is broken."""
    base = tmp_path_factory.mktemp("street")
    for name in ("images", "masks", "depths"):
        (base / name).mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOFKIT_CACHE", str(base / "cache"))
        for i, item in enumerate(scenes(PICTURES, split="test", kind="selfie", size=(64, 48))):
            write_photo(base / "images" / f"{i:02}.png", item.image)
            write_map(base / "masks" / f"{i:02}.png", item.mask, bits=8)
            write_map(base / "depths" / f"{i:02}.npy", 1 / item.depth)
    (base / "images" / "04.png").write_bytes(b"no picture")
    return base


class Dask:
    """A scheduler and its workers, each a process of this machine."""

    def __init__(self, base: Path, workers: int) -> None:
        self.place = base / "scheduler.json"
        self.environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
                                     "--no-jupyter", "--scheduler-file", str(self.place))
        deadline = time.monotonic() + 60
        while not (self.place.exists() and self.place.read_text().strip()) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.address = json.loads(self.place.read_text())["address"]
        self.workers = [self._start("worker", self.address, "--nthreads", "1", "--no-nanny", "--no-dashboard",
                                    "--local-directory", str(base)) for _ in range(workers)]

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-m", "dask", *arguments], env=self.environment,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ready(self, workers: int) -> None:
        from distributed import Client

        with Client(self.address, timeout=60) as client:
            client.wait_for_workers(workers, timeout=60)

    def kill(self, *processes: subprocess.Popen[bytes]) -> None:
        for process in processes:
            process.send_signal(signal.SIGKILL)
            process.wait()


@pytest.fixture
def dask(tmp_path):
    started = []

    def start(workers: int) -> Dask:
        started.append(Dask(tmp_path, workers))
        if workers:
            started[0].ready(workers)
        return started[0]

    yield start
    for machine in started:
        machine.kill(*machine.workers, machine.scheduler)


def killing(machine: Dask, at: int, counts: list[tuple[int, int]]):
    """A progress that kills the first worker when so many results have come."""

    def progress(done: int, of: int) -> None:
        counts.append((done, of))
        if done == at:
            machine.kill(machine.workers[0])

    return progress


def test_evaluation_goes_on_when_a_worker_is_killed(street, dask):
    """Masks, then depths with the worker that is left: as in turn, every photograph once."""
    photographs = folder(street / "images", street / "masks", depths=street / "depths", larger_is="nearer")
    machine, counts = dask(2), []
    found = evaluate_masks(GRAPH_CUT, photographs, run=by_dask(machine.address), progress=killing(machine, 3, counts))
    assert machine.workers[0].poll() == -signal.SIGKILL
    assert counts == [(i + 1, PICTURES) for i in range(PICTURES)]
    alone = evaluate_masks(GRAPH_CUT, photographs)
    assert found == alone
    assert len(found.scores) == PICTURES - 1 and [name for name, _ in found.failures] == ["04"]
    depths = evaluate_depths(PRIOR, photographs, metric=False, run=by_dask(machine.address))
    assert depths.report() == evaluate_depths(PRIOR, photographs, metric=False).report()


def test_pairs_are_made_once_when_a_worker_is_killed(dask, tmp_path, monkeypatch):
    monkeypatch.setitem(pairs.RECIPES, "quick", PairRecipe(64, 3, 0, 0, 1, 1))
    machine, counts = dask(2), []
    kill = killing(machine, 2, counts)

    def progress(done: int, of: int) -> None:
        kill(done, of)
        if done == 2:  # what the worker might have been writing just then
            (tmp_path / "many" / "train" / ".scenes-selfie-000001.npz.0123abcd.part").write_bytes(b"half")

    made = make_pairs("quick", tmp_path / "many", run=by_dask(machine.address), progress=progress)
    assert machine.workers[0].poll() == -signal.SIGKILL
    assert made == make_pairs("quick", tmp_path / "one", run=in_turn)
    many, one = ({str(file.relative_to(place)): file.read_bytes() for file in place.rglob("*") if file.is_file()}
                 for place in (tmp_path / "many", tmp_path / "one"))
    assert many == one and len(counts) == 10


def test_the_ablation_over_dask_is_that_of_one_process(dask, monkeypatch):
    monkeypatch.setattr(ablation, "SIZE", (64, 44))
    machine, counts = dask(2), []
    shared = evaluate_ablation("validation", day=2, night=2, run=by_dask(machine.address),
                               progress=killing(machine, 1, counts))
    assert machine.workers[0].poll() == -signal.SIGKILL and len(counts) == 4
    alone = evaluate_ablation("validation", day=2, night=2)
    assert shared == alone
    assert alone["cells"]["exact"]["day"]["scenes"] == alone["cells"]["exact"]["night"]["scenes"] == 2


def test_without_workers_or_scheduler_one_line_says_so(dask, monkeypatch):
    machine = dask(0)
    import distributed

    monkeypatch.setattr(distributed.Client, "wait_for_workers", no_workers)
    with pytest.raises(PhotoError, match=rf"{machine.address} has no workers: start some with `dask worker"):
        list(by_dask(machine.address)(abs, [1]))


def no_workers(client, n_workers, timeout):
    """As the real one, without its patience."""
    raise TimeoutError(f"Only 0/{n_workers} workers arrived after {timeout}")


def test_a_scheduler_that_is_lost_is_one_line(dask):
    machine = dask(1)
    with contextlib.closing(iter(by_dask(machine.address)(time.sleep, [0, 60]))) as results:
        assert next(results) == (0, None)
        machine.kill(machine.scheduler)
        with pytest.raises(PhotoError, match="has gone: start it and its workers"):
            next(results)


@pytest.mark.parametrize(("kind", "guess"), [("segmentation", "graphcut"), ("depth", "network")])
def test_processes_say_what_one_says(kind, guess, street, capsys):
    """By the command, also with the networks that come with the kit."""
    here = [f"--{name}={street / name}" for name in ("images", "masks")]
    here += [f"--depths={street / 'depths'}", "--larger-is", "nearer"] if kind == "depth" else []
    told = []
    for more in ([], ["--workers", "2"]):
        assert cli.main(["evaluate", kind, *here, "--coarse", guess, "--json", *more]) == 0
        told.append(json.loads(capsys.readouterr().out))
    assert told[0]["photographs"] == PICTURES - 1
    assert json.dumps(told[0]) == json.dumps(told[1])


@pytest.mark.parametrize("options", [["--workers", "0"], ["--workers", "2", "--scheduler", "tcp://127.0.0.1:9"]])
def test_wrong_options_are_one_line(options, street, capsys):
    with contextlib.suppress(SystemExit):
        assert cli.main(["evaluate", "segmentation", f"--images={street}", f"--masks={street / 'masks'}",
                         *options]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "--workers" in said


def test_a_task_that_fails_ends_the_work():
    with pytest.raises(ZeroDivisionError):
        list(in_processes(1)(Once(divmod_by, (0,)), [1]))


def divmod_by(number: int):
    return lambda task: divmod(task, number)


def test_cores_are_those_of_the_process_and_of_its_container(tmp_path):
    machine = cores(tmp_path)
    assert 1 <= machine <= os.cpu_count()
    for told, most in (("150000 100000", 2), ("1000 100000", 1), ("max 100000", machine), ("", machine)):
        (tmp_path / "cpu.max").write_text(told)
        assert cores(tmp_path) == min(machine, most)


def test_what_is_built_is_built_once():
    built = []

    def build(name):
        built.append(name)
        return lambda x: f"{name} {x}"

    assert [result for _, result in in_turn(Once(build, ("a",)), [1, 2])] == ["a 1", "a 2"]
    assert built == ["a"] and np.array_equal(list(in_turn(abs, [])), [])
