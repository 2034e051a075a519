# SPDX-License-Identifier: GPL-3.0-or-later
"""The training loop: an interrupted training ends in the bits of an unbroken one, and nothing is half written."""

from __future__ import annotations

import json
import math
import os
import random
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

from dofkit.engines import Engine
from dofkit.training import Run, TrainingError, cosine, fit, train

STEPS, EVERY = 24, 5


def network(seed: int = 0, width: int = 6) -> nn.Module:
    """All that has a state of its own: batch statistics, and dropout, which draws from torch's generator."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.Dropout(0.3),
                         nn.Conv2d(width, 1, 3, padding=1))


def batches(step: int) -> tuple[torch.Tensor, ...]:
    x = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(step))
    return x, (x.mean(1, keepdim=True) > 0).float()


def loss(model: nn.Module, batch: tuple[torch.Tensor, ...]) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(model(batch[0]).float(), batch[1])


def validate(model: nn.Module) -> float:
    x, truth = batches(10**6)
    torch.rand(3)  # a validation may draw random numbers
    return float(((model(x) > 0) == (truth > 0.5)).float().mean())


def start(folder: Path, steps: int = STEPS, lr: float = 0.02, width: int = 6, **options) -> tuple[Run, nn.Module]:
    """Begin as a user's program would, always in the same way."""
    with torch.random.fork_rng():
        model = network(width=width)
        optimizer = torch.optim.Adam(model.parameters(), lr=lr)
        options = {"validate": validate, "every": EVERY, "loss": loss, "batches": batches,
                   "engine": Engine("cpu")} | options
        run = train(model, optimizer=optimizer, steps=steps, folder=folder,
                    scheduler=cosine(optimizer, steps, warmup=3), **options)
    return run, model


def killed(folder: Path, step: int, where: str) -> None:
    """Run the same training in a process that kills itself (-9) at a step: after it, or in the middle of writing."""
    program = f"""
import os, pathlib, signal
from tests import test_training as t
def die(*_): os.kill(os.getpid(), signal.SIGKILL)
seen = []
def progress(step, *rest): seen.append(step); {where == "after"} and step == {step} and die()
if {where == "writing"}:
    move = pathlib.Path.replace
    def replace(part, target):
        if seen and seen[-1] + 1 >= {step} and part.name.startswith(".checkpoint"): die()
        return move(part, target)
    pathlib.Path.replace = replace
t.start({str(folder)!r}, progress=progress)
"""
    result = subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[1], check=False)
    assert result.returncode == -signal.SIGKILL


def finished(folder: Path) -> tuple[Run, nn.Module]:
    """Run the training to its end in a process of its own, and read what it came to.

    Like the killed one: libraries that other tests load may change how this process rounds the smallest numbers.
    """
    program = f"import pathlib; from tests import test_training as t; t.start(pathlib.Path({str(folder)!r}))"
    subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[1], check=True)
    return start(folder)


def same(one: nn.Module, other: nn.Module) -> bool:
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory) -> tuple[Path, Run, nn.Module]:
    folder = tmp_path_factory.mktemp("unbroken")
    return folder, *start(folder)


def test_a_step_is_the_textbooks(tmp_path):
    """Plain gradient descent in closed form: p <- p - lr * mean(2 x (p x - y))."""
    model = nn.Linear(1, 1, bias=False).double()
    x, p = torch.tensor([[1.0], [2.0]]).double(), model.weight.item()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    seen = list(fit(model, lambda step: (step * x,), optimizer, lambda m, b: (m(b[0]) - 1).square().mean(), 4, start=1))
    for step, value in seen:
        xs = step * x.numpy().ravel()
        assert value == pytest.approx(((p * xs - 1) ** 2).mean())
        p -= 0.1 * (2 * xs * (p * xs - 1)).mean()
    assert [step for step, _ in seen] == [2, 3, 4]
    assert model.weight.item() == pytest.approx(p)


def test_fit_trains_in_training_mode_whatever_happens_between_steps():
    model, modes = network(), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in fit(model, batches, optimizer, lambda m, b: modes.append(m.training) or loss(m, b), 3):
        model.eval()
    assert modes == [True] * 3


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_before_the_parameters_are_touched(bad):
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    steps = fit(model, batches, optimizer, lambda m, b: loss(m, b) * (bad if calls() == 3 else 1), 9)
    counter = iter(range(1, 99))

    def calls() -> int:
        return next(counter)

    next(steps)
    next(steps)
    before = [p.clone() for p in model.parameters()]
    with pytest.raises(TrainingError, match=rf"loss of step 3 is {bad}: lower the learning rate"):
        next(steps)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


@pytest.mark.parametrize("where", ["after", "writing"])
def test_killed_and_started_again_is_unbroken_bit_for_bit(tmp_path, where):
    whole, model = finished(tmp_path / "unbroken")
    folder, step = tmp_path / "broken", random.randrange(1, STEPS)
    killed(folder, step, where)
    assert where == "after" or list(folder.glob(".*.part")), "nothing was being written"
    resumed, again = finished(folder)
    assert same(model, again), f"killed {where} step {step}"
    assert (resumed.curve, resumed.best, resumed.best_step) == (whole.curve, whole.best, whole.best_step)
    assert sorted(path.name for path in folder.iterdir()) == ["best.safetensors", "checkpoint.pt", "curve.json"]


def test_what_stands_in_the_folder(unbroken):
    folder, run, model = unbroken
    curve = json.loads((folder / "curve.json").read_text())
    assert curve == list(run.curve)
    assert [line["step"] for line in curve] == [5, 10, 15, 20, 24]
    best = max(curve, key=lambda line: line["validation"])  # the first of equals
    assert (run.best, run.best_step) == (best["validation"], best["step"])
    assert not model.training
    stored = load_file(folder / "best.safetensors")
    assert all(torch.equal(stored[name], values) for name, values in model.state_dict().items())


def test_the_curve_holds_mean_losses_and_the_best_is_not_the_last(tmp_path):
    scores, losses, last = iter([0.3, 0.9, 0.9, 0.5, 0.1]), [], {}

    def watch(step, steps, value, validation):
        losses.append(value)
        assert steps == STEPS
        assert (validation is not None) == (step % EVERY == 0 or step == STEPS)

    def score(model):
        assert not model.training
        assert not torch.is_grad_enabled()
        last[len(losses) + 1] = {name: values.clone() for name, values in model.state_dict().items()}
        return next(scores)

    run, model = start(tmp_path, validate=score, progress=watch)
    assert (run.best, run.best_step) == (0.9, 10)
    assert all(torch.equal(values, last[10][name]) for name, values in model.state_dict().items())
    assert not torch.equal(last[10]["0.weight"], last[24]["0.weight"])
    for line, (a, b) in zip(run.curve, [(0, 5), (5, 10), (10, 15), (15, 20), (20, 24)], strict=True):
        assert line["loss"] == pytest.approx(sum(losses[a:b]) / (b - a))


def test_without_validation_the_last_is_kept(tmp_path):
    run, model = start(tmp_path, validate=None)
    with torch.random.fork_rng():
        reference = network()
        optimizer = torch.optim.Adam(reference.parameters(), lr=0.02)
        schedule = cosine(optimizer, STEPS, warmup=3)
        list(fit(reference, batches, optimizer, loss, STEPS, scheduler=schedule))
    assert same(model, reference)
    assert (run.best, run.best_step, run.curve[-1]["validation"]) == (None, STEPS, None)


def test_a_finished_training_is_only_read(unbroken):
    folder, run, model = unbroken
    before = {path: path.read_bytes() for path in folder.iterdir()}
    again, loaded = start(folder, batches=None, loss=None, validate=None)
    assert again == run
    assert same(model, loaded)
    assert before == {path: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(("change", "told"), [
    ({"steps": 30}, "steps: 24 there, 30 here"),
    ({"lr": 0.01}, "initial_lr of parameter group 0: 0.02 there, 0.01 here"),
    ({"width": 8}, r"'0.weight': \(6, 3, 3, 3\) there, \(8, 3, 3, 3\) here; .*; and [0-9]+ more\): name another"),
])
def test_a_checkpoint_of_another_training_is_not_continued(unbroken, change, told):
    folder, _, _ = unbroken
    before = (folder / "checkpoint.pt").read_bytes()
    with pytest.raises(TrainingError, match=f"checkpoint.pt' is of another training .*{told}"):
        start(folder, **change)
    assert (folder / "checkpoint.pt").read_bytes() == before


def test_ctrl_c_keeps_the_last_checkpoint(tmp_path, unbroken):
    def stop(step, *rest):
        if step == 13:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start(tmp_path, progress=stop)
    steps = []
    _, again = start(tmp_path, progress=lambda step, *rest: steps.append(step))
    assert steps == list(range(11, STEPS + 1))
    assert same(unbroken[2], again)


def test_nan_leaves_the_last_good_checkpoint(tmp_path):
    def poisoned(step):
        x, truth = batches(step)
        return (x * math.nan if step == 13 else x), truth

    with pytest.raises(TrainingError, match="loss of step 13 is nan"):
        start(tmp_path, batches=poisoned)
    assert json.loads((tmp_path / "curve.json").read_text())[-1]["step"] == 10
    _, again = start(tmp_path)  # the batch has been repaired
    assert all(torch.isfinite(values).all() for values in again.state_dict().values())


def test_parameters_that_are_not_finite_are_never_saved(tmp_path):
    """A finite loss with an infinite gradient spoils the parameters in the very step that would be saved."""
    def steep(model, batch):
        value = loss(model, batch)
        return value + (0 * model[0].bias.sum()).abs().sqrt() if steps[-1] == 9 else value

    steps = [0]
    with pytest.raises(TrainingError, match=r"'0\.bias' is not finite after step 10"):
        start(tmp_path, loss=steep, progress=lambda step, *rest: steps.append(step))
    assert json.loads((tmp_path / "curve.json").read_text())[-1]["step"] == 5


def test_a_validation_that_is_not_a_number_stops(tmp_path):
    with pytest.raises(TrainingError, match="validation after step 5 is nan"):
        start(tmp_path, validate=lambda model: math.nan)


def damage(data: bytes, how: str) -> bytes:
    middle = len(data) // 2
    return {"empty": b"", "cut": data[:middle], "text": b"no checkpoint",
            "flipped": data[:middle] + bytes([data[middle] ^ 16]) + data[middle + 1:]}[how]


@pytest.mark.parametrize("how", ["empty", "cut", "text", "flipped"])
def test_a_damaged_checkpoint_is_named(tmp_path, unbroken, how):
    file = tmp_path / "checkpoint.pt"
    file.write_bytes(damage((unbroken[0] / "checkpoint.pt").read_bytes(), how))
    with pytest.raises(TrainingError, match=r"checkpoint\.pt' is damaged, or not a checkpoint .*delete it") as caught:
        start(tmp_path)
    assert "\n" not in str(caught.value)


class Evil:
    """What a hostile file would do on loading."""

    def __reduce__(self):
        return os.mkdir, (str(Evil.target),)

    target: Path


def test_a_hostile_checkpoint_runs_nothing(tmp_path):
    Evil.target = tmp_path / "owned"
    torch.save({"model": Evil()}, tmp_path / "checkpoint.pt")
    with pytest.raises(TrainingError, match="is damaged, or not a checkpoint"):
        start(tmp_path)
    assert not Evil.target.exists()


def test_a_checkpoint_of_another_kind_is_refused(tmp_path):
    torch.save({"model": {}}, tmp_path / "checkpoint.pt")
    with pytest.raises(TrainingError, match="not written by this version"):
        start(tmp_path)


def test_a_full_disk_is_one_clear_error_and_leaves_the_last_checkpoint(tmp_path, unbroken):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(step, *rest):
        if step == 7:  # no file may grow from here on: every write fails, as on a full disk
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))

    try:
        with pytest.raises(TrainingError, match=r"cannot write '.*' \(File too large\): free some space"):
            start(tmp_path, progress=fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.safetensors", "checkpoint.pt", "curve.json"]
    _, again = start(tmp_path)
    assert same(unbroken[2], again)


def test_a_folder_that_cannot_be_is_said_before_the_first_step(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match=r"cannot write into '.*' \(Not a directory\): choose another folder"):
        start(tmp_path / "file" / "run", progress=lambda *_: pytest.fail("a step was taken"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_read_only_is_said_before_the_first_step(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(TrainingError, match=r"Permission denied"):
        start(tmp_path, progress=lambda *_: pytest.fail("a step was taken"))


def test_what_others_left_in_the_folder_stays(tmp_path):
    for name in (".checkpoint.pt.0123abcd.part", ".other.pt.0123abcd.part", "notes.txt"):
        (tmp_path / name).write_text("")
    start(tmp_path, steps=5)
    assert {path.name for path in tmp_path.iterdir()} == {"best.safetensors", "checkpoint.pt", "curve.json",
                                                          ".other.pt.0123abcd.part", "notes.txt"}


def test_cosine_warms_up_and_ends_at_zero():
    """Against torch's own LinearLR and CosineAnnealingLR, one after the other."""
    ours, theirs = (torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.3) for _ in range(2))
    schedule = cosine(ours, 50, warmup=10)
    rise = torch.optim.lr_scheduler.LinearLR(theirs, start_factor=0.1, total_iters=9)
    fall = torch.optim.lr_scheduler.CosineAnnealingLR(theirs, 40)
    expected = torch.optim.lr_scheduler.SequentialLR(theirs, [rise, fall], [10])
    for _ in range(50):
        assert ours.param_groups[0]["lr"] == pytest.approx(theirs.param_groups[0]["lr"], abs=1e-12)
        for optimizer, scheduler in ((ours, schedule), (theirs, expected)):
            optimizer.step()
            scheduler.step()
    assert ours.param_groups[0]["lr"] == pytest.approx(0, abs=1e-12)


def test_cycles_of_the_cosine_are_each_a_cosine():
    def rates(*cycles):
        optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.3)
        schedule = cosine(optimizer, *cycles, warmup=3)
        for _ in range(sum(cycles)):
            yield optimizer.param_groups[0]["lr"]
            optimizer.step()
            schedule.step()

    assert [*rates(20, 11)] == [*rates(20), *rates(11)]


@pytest.mark.parametrize(("cycles", "warmup"), [([5], 5), ([5], -1), ([20, 5], 5), ([], 0)])
def test_a_warm_up_must_fit(cycles, warmup):
    with pytest.raises(TrainingError, match="does not fit"):
        cosine(torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0), *cycles, warmup=warmup)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"every": 0}])
def test_counts_are_checked(tmp_path, wrong):
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(TrainingError, match="must be 1 or more"):
        train(model, batches, optimizer, loss, **({"steps": 5, "folder": tmp_path} | wrong))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_goes_on_on_a_gpu_what_began_on_the_cpu(tmp_path):
    def stop(step, *rest):
        if step == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start(tmp_path, progress=stop)
    seen = []
    run, model = start(tmp_path, engine=Engine("cuda"), progress=lambda step, *rest: seen.append(step),
                       validate=lambda model: float(next(model.parameters()).mean()))
    assert seen == list(range(11, STEPS + 1))
    assert next(model.parameters()).is_cuda
    assert run.curve[-1]["step"] == STEPS
