# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a training runs: in one process, or in several that share every batch.

    gradient = (g_1 + ... + g_n) / n,    g_k from the k-th equal part of the batch

That is the gradient of the whole batch's mean loss, so n processes take the steps that one would. An `Engine`
is all that `dofkit.training.train` knows of the machine: `local` makes one for this process, on the GPU if there
is one, and `fabric` one for several processes through Lightning Fabric (`pip install 'dofkit[devices]'`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from dofkit.workers import cores

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Batch = tuple[Tensor, ...]
Precision = Literal["float32", "bf16", "auto"]

_BFLOAT16_UNITS = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")  # as torch.cpu.get_capabilities calls them


class TrainingError(ValueError):
    """A training that cannot start or go on; the message says what was wrong with what and what to do."""


class Engine:
    """One process on one device.

    Parameters
    ----------
    device : where the parameters and the batches go.
    precision : "float32"; "bf16" for products in bfloat16 with parameters, sums and losses in float32; or "auto",
        which is "bf16" where the device computes it directly and "float32" elsewhere.

    Attributes
    ----------
    device : torch.device
    precision : "float32" or "bf16"; "auto" has been decided.
    processes : how many processes share a batch.
    main : True in the one process that writes files and talks.

    Examples
    --------
    >>> engine = Engine("cpu")
    >>> engine.share((torch.zeros(4, 3), torch.zeros(4, 1)))[0].shape
    torch.Size([4, 3])
    >>> engine.mean(torch.tensor(0.5))
    0.5
    """

    def __init__(self, device: torch.device | str, *, precision: Precision = "float32") -> None:
        self.device = torch.device(device)
        self.precision = _decide(self.device, precision)
        self.processes, self.main = 1, True

    def setup(self, model: nn.Module, optimizer: Optimizer) -> tuple[nn.Module, Optimizer]:
        """Move the model to the device, in place; return what the steps of training are to call."""
        return model.to(self.device), optimizer

    def share(self, batch: Batch) -> Batch:
        """Return this process's part of a batch, on the device."""
        return tuple(part.to(self.device) for part in batch)

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context in which forward passes run: that of `precision`. Backward passes stay outside."""
        if self.precision == "float32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def backward(self, loss: Tensor) -> None:
        """Compute the gradients of the whole batch's mean loss, from this process's share of it."""
        loss.backward()

    def mean(self, value: Tensor | float) -> float:
        """Return the mean of a number over the processes; each waits here for the others."""
        return float(value)


class FabricEngine(Engine):
    """One of several processes; made by `fabric`, which says what is the same as in one process and what is not."""

    def __init__(self, launched: Fabric, *, precision: Precision = "float32") -> None:
        super().__init__(launched.device, precision=precision)
        self._fabric = launched
        self.processes, self.main = launched.world_size, launched.global_rank == 0

    def setup(self, model: nn.Module, optimizer: Optimizer) -> tuple[nn.Module, Optimizer]:
        """Move the model to the device and give every process the parameters of the main one."""
        with _together():
            return self._fabric.setup(model, optimizer)

    def share(self, batch: Batch) -> Batch:
        """Return every n-th sample of a batch, on the device.

        Raises
        ------
        TrainingError
            If n does not divide the batch: unequal parts would weigh samples differently.
        """
        for part in batch:
            if len(part) % self.processes:
                raise TrainingError(f"a batch of {len(part)} cannot be shared equally by {self.processes} processes: "
                                    f"choose a batch size that {self.processes} divides")
        return super().share(tuple(part[self._fabric.global_rank::self.processes] for part in batch))

    @contextlib.contextmanager
    def autocast(self) -> Iterator[None]:
        """Do as in one process; a forward pass first brings the running statistics of the main one."""
        with _together(), super().autocast():
            yield

    def backward(self, loss: Tensor) -> None:
        """Compute the gradients, averaged over the processes."""
        with _together():
            self._fabric.backward(loss)

    def mean(self, value: Tensor | float) -> float:
        """Return the mean of a number over the processes; each waits here for the others."""
        number = torch.tensor(float(value), dtype=torch.float64, device=self.device)
        with _together():
            return torch.as_tensor(self._fabric.all_reduce(number, reduce_op="mean")).item()


@contextlib.contextmanager
def _together() -> Iterator[None]:
    """Tell in one line that another process has gone, in what only all of them can do."""
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, torch.distributed.DistError) and "gloo" not in str(error):
            raise  # of this process: memory, shapes
        raise TrainingError("another process of this training has ended, perhaps for want of memory: start the same "
                            "command again; it goes on from its last checkpoint") from error


def local(*, precision: Precision = "float32") -> Engine:
    """Return the engine of a single process: CUDA if there is a GPU, else the CPU.

    With `precision="bf16"` a step of the networks here took 0.5 to 0.63 of the time on one core with bfloat16 units;
    without such units it is slower than float32, hence "auto". bfloat16 has eight significant bits: losses differ
    from float32's in the third digit.
    """
    return Engine("cuda" if torch.cuda.is_available() else "cpu", precision=precision)


def fabric(devices: int, *, precision: Precision = "float32") -> Engine:
    """Start `devices` processes that train together, and return the engine of this one.

    The running program is started again `devices` - 1 times with the same arguments, and every process goes on
    from here; each makes the same batches and computes its share. On GPUs each process has its own.

    The parameters are those of one process, up to the rounding of sums, for losses that are means over the
    batch. Batch normalisation is the exception: every process normalises by the statistics of its own share, and
    the running statistics are those of the main process; with small shares use networks without it (`norm=False`).
    So are random layers (dropout), which draw differently in each process.

    If one of them is killed, the others end at their next step, with a TrainingError.

    Raises
    ------
    TrainingError
        As `check_devices`.
    """
    check_devices(devices)
    from lightning_fabric import Fabric

    cuda = torch.cuda.is_available()
    launched = Fabric(accelerator="cuda" if cuda else "cpu", devices=devices, strategy="ddp" if devices > 1 else "auto")
    launched.launch()
    return FabricEngine(launched, precision=precision)


def check_devices(devices: int) -> None:
    """Tell whether `fabric` can start, before work is done for it.

    Raises
    ------
    TrainingError
        Lightning Fabric is not installed; fewer than one device; more devices than GPUs in a machine with GPUs, or than
        cores (or 8) in one without.
    """
    if devices < 1:
        raise TrainingError(f"cannot train on {devices} devices: use 1 or more")
    if torch.cuda.is_available() and devices > torch.cuda.device_count():
        raise TrainingError(f"cannot train on {devices} devices: this machine has {torch.cuda.device_count()} GPU(s)")
    if not torch.cuda.is_available() and devices > max(cores(), 8):
        raise TrainingError(f"cannot train on {devices} devices: each is a process, for {cores()} cores")
    try:
        import lightning_fabric  # noqa: F401
    except ImportError as error:
        raise TrainingError("training on several devices needs Lightning Fabric, which is not installed: "
                            "pip install 'dofkit[devices]'") from error


def computes_bfloat16(device: torch.device | str) -> bool:
    """Tell whether a device multiplies bfloat16 numbers directly; others emulate it, more slowly than float32.

    Older versions of torch cannot tell what a CPU has; it then counts as having no such units.
    """
    if torch.device(device).type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    capabilities: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(unit) for unit in _BFLOAT16_UNITS)


def _decide(device: torch.device, precision: Precision) -> Literal["float32", "bf16"]:
    if precision == "auto":
        return "bf16" if computes_bfloat16(device) else "float32"
    if precision not in ("float32", "bf16"):
        raise TrainingError(f"unknown precision '{precision}': use float32, bf16 or auto")
    return precision
