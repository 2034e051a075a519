# SPDX-License-Identifier: GPL-3.0-or-later
"""One process and several: what they share, and that two take the steps that one takes."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from dofkit import engines
from dofkit.engines import Engine, TrainingError, computes_bfloat16, fabric, local
from dofkit.training import cosine, train

STEPS = 12
installed = pytest.mark.skipif(not importlib.util.find_spec("lightning_fabric"), reason="needs Lightning Fabric")


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.ReLU(), nn.Conv2d(4, 1, 3, padding=1))


def batches(step: int) -> tuple[torch.Tensor, ...]:
    x = torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(step))
    return x, x.mean(1, keepdim=True)


def loss(model: nn.Module, batch: tuple[torch.Tensor, ...]) -> torch.Tensor:
    return (model(batch[0]) - batch[1]).square().mean()


def validate(model: nn.Module) -> float:
    return -float(loss(model, batches(0)))


def start(engine: Engine, folder: Path, **options) -> tuple[object, nn.Module]:
    with torch.random.fork_rng():
        model = network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    options = {"validate": validate, "every": 5, "loss": loss, "batches": batches} | options
    run = train(model, optimizer=optimizer, steps=STEPS, folder=folder, engine=engine,
                scheduler=cosine(optimizer, STEPS, warmup=2), **options)
    return run, model


def two(folder: Path, work: str) -> subprocess.CompletedProcess[str]:
    """Run `work` in two processes, as the file that `fabric` starts once more."""
    script = folder / "two.py"
    script.write_text("import math, os\n"
                      "from tests.test_engines import *\n"
                      f"engine = fabric(2)\nfolder = Path({str(folder / 'run')!r})\n{work}\n"
                      "print('end of the main process' if engine.main else 'end of the other process')\n")
    root = str(Path(__file__).parents[1])
    hidden = {"CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
    free = {name: value for name, value in os.environ.items() if name not in ("LOCAL_RANK", "MASTER_PORT")}
    return subprocess.run([sys.executable, str(script)], env=free | hidden, cwd=root, capture_output=True, text=True,
                          timeout=120, check=False)


@installed
def test_two_processes_give_the_parameters_of_one(tmp_path):
    run, model = start(Engine("cpu"), tmp_path / "one")
    done = two(tmp_path, f"""
torch.manual_seed(os.getpid())  # processes need not agree on anything but the parameters of the main one
run, model = start(engine, folder)
print(engine.processes, run.best_step, [line['loss'] for line in run.curve], run.best)
torch.save(model.state_dict(), Path({str(tmp_path)!r}) / f"{{engine.main}}.pt")
""")
    assert done.returncode == 0, done.stderr
    assert "end of the main process" in done.stdout
    assert "end of the other process" in done.stdout
    reference = model.state_dict()
    moved = network().state_dict()
    for rank in (True, False):
        state = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        for name, values in reference.items():
            assert torch.allclose(state[name], values, rtol=0, atol=1e-6), name
    assert all((moved[name] - values).abs().max() > 1e-2 for name, values in reference.items())
    assert f"2 {run.best_step} " in done.stdout


@installed
def test_what_stops_one_process_stops_both_and_both_go_on(tmp_path):
    """No process may wait for ever for another that has given up; and a checkpoint resumes in two processes."""
    _, model = start(Engine("cpu"), tmp_path / "one")
    (tmp_path / "file").write_text("")
    done = two(tmp_path, f"""
def attempt(what, folder, **options):
    try:
        start(engine, folder, **options)
    except TrainingError as error:
        print(f"{{what}}, {{'main' if engine.main else 'other'}}: {{error}}", flush=True)
def half_poisoned(step):
    x, truth = batches(step)
    if step == 8: x[1] = math.nan  # sample 1 is in the share of the other process
    return x, truth
attempt("nan", folder, batches=half_poisoned)
attempt("folder", Path({str(tmp_path / "file")!r}) / "run")
attempt("batch", folder / "uneven", batches=lambda step: tuple(part[:5] for part in batches(step)))
run, model = start(engine, folder)
assert [line["step"] for line in run.curve] == [5, 10, 12]
torch.save(model.state_dict(), Path({str(tmp_path)!r}) / f"{{engine.main}}.pt")
""")
    assert done.returncode == 0, done.stderr
    told = done.stdout
    for process in ("main", "other"):
        assert f"nan, {process}: the loss of step 8 is nan" in told
        assert f"batch, {process}: a batch of 5 cannot be shared equally by 2 processes" in told
    assert "folder, main: cannot write into" in told
    assert "folder, other: the main process could not write into" in told
    for rank in (True, False):
        state = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert all(torch.allclose(state[name], values, atol=1e-6) for name, values in model.state_dict().items())


@installed
def test_fabric_in_one_process_is_the_plain_engine_bit_for_bit(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    plain, ours = start(Engine("cpu"), tmp_path / "plain")
    run, model = start(fabric(1), tmp_path / "fabric")
    assert (run.curve, run.best_step) == (plain.curve, plain.best_step)
    assert all(torch.equal(model.state_dict()[name], values) for name, values in ours.state_dict().items())


def test_only_what_other_processes_did_is_told_of_them():
    with pytest.raises(TrainingError, match="another process of this training has ended"), engines._together():
        raise RuntimeError("[.../gloo/transport/tcp/pair.cc:537] Connection closed by peer")
    with pytest.raises(RuntimeError, match="out of memory"), engines._together():
        raise RuntimeError("out of memory")


def test_without_lightning_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    with pytest.raises(TrainingError, match=r"pip install 'dofkit\[devices\]'"):
        fabric(1)


def test_more_devices_than_there_are_is_refused(monkeypatch):
    with pytest.raises(TrainingError, match="on 0 devices"):
        fabric(0)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(TrainingError, match=r"on 3 devices: this machine has 2 GPU\(s\)"):
        fabric(3)


def test_local_takes_the_gpu_if_there_is_one(monkeypatch):
    for there, device in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert local().device.type == device


def test_bf16_computes_products_in_bfloat16_and_keeps_float32():
    """Against rounding by hand: factors in bfloat16, the sum in float32, its result in bfloat16."""
    x, w = torch.randn(2, 5, 7, generator=torch.Generator().manual_seed(0)).unbind()
    for precision, dtype in (("float32", torch.float32), ("bf16", torch.bfloat16)):
        engine = Engine("cpu", precision=precision)
        with engine.autocast():
            found = x @ w.T
        assert (engine.precision, found.dtype) == (precision, dtype)
        expected = (x.to(dtype).double() @ w.to(dtype).double().T)
        assert torch.allclose(found.double(), expected, rtol=2 * torch.finfo(dtype).eps, atol=1e-6)
    assert not torch.is_autocast_enabled("cpu")


def test_bf16_trains_nearly_as_float32_does(tmp_path):
    plain, _ = start(Engine("cpu"), tmp_path / "float32")
    run, model = start(Engine("cpu", precision="bf16"), tmp_path / "bf16")
    assert run.curve != plain.curve
    assert run.best == pytest.approx(plain.best, rel=0.05)
    assert all(values.dtype == torch.float32 for values in model.state_dict().values())


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="the oracle is Linux's list of the CPU's units")
@pytest.mark.skipif(not hasattr(torch.cpu, "get_capabilities"), reason="this torch cannot tell")
def test_the_units_found_are_those_that_linux_lists():
    flags = Path("/proc/cpuinfo").read_text().split()
    there = bool({"avx512_bf16", "amx_bf16", "bf16", "svebf16"} & set(flags))
    assert computes_bfloat16("cpu") == there
    assert Engine("cpu", precision="auto").precision == ("bf16" if there else "float32")


@pytest.mark.parametrize(("capabilities", "precision"), [({}, "float32"), ({"avx512_bf16": False}, "float32"),
                                                         ({"bf16": True}, "bf16"), ({"amx_bf16": True}, "bf16")])
def test_auto_is_float32_where_bfloat16_is_emulated(monkeypatch, capabilities, precision):
    monkeypatch.setattr(engines.torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert Engine("cpu", precision="auto").precision == precision


def test_an_unknown_precision_is_refused():
    with pytest.raises(TrainingError, match="unknown precision 'fp8': use float32, bf16 or auto"):
        Engine("cpu", precision="fp8")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("precision", ["float32", "auto"])
def test_a_gpu_trains_as_the_cpu_does(tmp_path, precision):
    def score(model):
        device = next(model.parameters()).device
        return -float(loss(model, tuple(part.to(device) for part in batches(0))))

    plain, _ = start(Engine("cpu"), tmp_path / "cpu")
    run, model = start(local(precision=precision), tmp_path / "gpu", validate=score)
    assert next(model.parameters()).is_cuda
    assert run.best == pytest.approx(plain.best, rel=0.05)
