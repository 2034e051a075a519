# SPDX-License-Identifier: GPL-3.0-or-later
"""What a training leaves in its folder, and how the next one goes on from it.

    checkpoint.pt       model, optimiser, schedule, random state, best weights, curve: all that is needed to go on
    best.safetensors    the best weights so far (before the first validation: the untrained ones)
    curve.json          [{"step": ..., "loss": ..., "validation": ...}, ...]

The last two are for people and other programs; going on needs the first alone. Files appear whole or not at all,
and `checkpoint.pt` is read as numbers only (`weights_only`): a foreign one cannot run code.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as safetensors_bytes
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from dofkit.engines import Engine, TrainingError
from dofkit.files import PhotoError, write_together
from dofkit.parts import remove_abandoned

CHECKPOINT, BEST, CURVE = "checkpoint.pt", "best.safetensors", "curve.json"

Line = dict[str, float | None]


@dataclass
class Record:
    """What a training has come to after `step` steps, beside model, optimiser and schedule.

    Attributes
    ----------
    weights : the model's state with the best validation, on the CPU; the last one without validation.
    best, best_step : that validation, and its step.
    seconds : of training so far.
    curve : a line for each validation.
    """

    weights: dict[str, Tensor]
    step: int = 0
    best: float | None = None
    best_step: int = 0
    seconds: float = 0.0
    curve: list[Line] = field(default_factory=list)

    def add(self, model: nn.Module, step: int, loss: float, validation: float | None) -> None:
        """Add a line to the curve, and keep the model's weights if none were better.

        Raises
        ------
        TrainingError
            A parameter is not finite; the record is unchanged.
        """
        weights = _copy(model)
        for name, values in weights.items():
            if not torch.isfinite(values).all():
                raise TrainingError(f"'{name}' is not finite after step {step}: lower the learning rate, or clip the "
                                    "gradient; the checkpoint before is kept")
        if validation is None or self.best is None or validation > self.best:
            self.weights, self.best, self.best_step = weights, validation, step
        self.step = step
        self.curve.append({"step": step, "loss": loss, "validation": validation})


class Checkpoints:
    """The files of one training.

    Parameters
    ----------
    folder : made if missing.
    model, optimizer, scheduler : loaded by `begin`, saved by `write`.
    steps : of the whole training. With the model's shapes and the optimiser's settings it tells trainings apart.
    engine : only its main process writes; all of them read.
    """

    def __init__(self, folder: str | os.PathLike[str], model: nn.Module, optimizer: Optimizer,
                 scheduler: LRScheduler | None, *, steps: int, engine: Engine) -> None:
        self.folder, self.model, self.engine = Path(folder), model, engine
        self.parts: dict[str, Any] = {"model": model, "optimizer": optimizer}
        if scheduler is not None:
            self.parts["scheduler"] = scheduler
        self.identity = _identity(model, optimizer, scheduler, steps)

    def begin(self) -> Record:
        """Load the checkpoint of this training if there is one; else write a first one, of step 0.

        Raises
        ------
        TrainingError
            The checkpoint is damaged or of another training; the folder cannot be written.
        """
        file = self.folder / CHECKPOINT
        found = file.exists()
        record = self._load(file) if found else Record(_copy(self.model))
        self.engine.mean(0.0)  # nobody writes before all have read
        self._by_main(self._clean)
        if not found:
            self.write(record)
        return record

    def write(self, record: Record) -> None:
        """Write the three files; each is the old one or the new one, whenever the power fails.

        Raises
        ------
        TrainingError
            The disk is full or the folder cannot be written; the files are still the old ones.
        """
        self._by_main(lambda: self._write(record))

    def _write(self, record: Record) -> None:
        content: dict[str, Any] = {name: part.state_dict() for name, part in self.parts.items()}
        content |= {"record": vars(record), "identity": self.identity, "random": _random_state(self.engine.device)}
        buffer = io.BytesIO()
        torch.save(content, buffer)
        curve = json.dumps(record.curve, indent=1).encode()
        # in this order: a checkpoint of the last step means that the two others are in place
        write_together({self.folder / BEST: safetensors_bytes(record.weights), self.folder / CURVE: curve,
                        self.folder / CHECKPOINT: buffer.getvalue()})

    def _clean(self) -> None:
        """Make the folder; remove what a killed process was writing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in (CHECKPOINT, BEST, CURVE):
            remove_abandoned(self.folder, name)

    def _by_main(self, action: Callable[[], None]) -> None:
        """Let the main process act, and all fail if it fails: none may wait for a process that is gone."""
        problem = None
        if self.engine.main:
            try:
                action()
            except PhotoError as error:
                problem = TrainingError(str(error))
            except OSError as error:
                problem = TrainingError(f"cannot write into '{self.folder}' ({error.strerror or error}): "
                                        "choose another folder")
        if self.engine.mean(float(problem is not None)):
            raise problem or TrainingError(f"the main process could not write into '{self.folder}'")

    def _load(self, file: Path) -> Record:
        content = _read(file)
        there: dict[str, str] = content["identity"]
        keys = [key for key in there | self.identity if there.get(key) != self.identity.get(key)]
        if keys:
            told = "; ".join(f"{key}: {there.get(key, 'none')} there, {self.identity.get(key, 'none')} here"
                             for key in keys[:3])
            more = f"; and {len(keys) - 3} more" if len(keys) > 3 else ""
            raise TrainingError(f"'{file}' is of another training ({told}{more}): name another folder for this one")
        try:
            for name, part in self.parts.items():
                if name == "scheduler" and _kinds(content[name]) != _kinds(part.state_dict()):
                    raise ValueError("a schedule of another kind")  # which it would take over without a look
                part.load_state_dict(content[name])
            _check_moments(self.parts["optimizer"])
            _set_random_state(content["random"], self.engine.device)
            return _checked(Record(**content["record"]), self.model)
        except Exception as error:  # torch raises nearly anything about states of another kind
            raise _damaged(file, error) from error


def _read(file: Path) -> dict[str, Any]:
    try:
        data = file.read_bytes()
        with zipfile.ZipFile(io.BytesIO(data)) as archive:  # torch.load would not check the sums
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                raise ValueError("torch.save compresses nothing")  # so it cannot grow when it is read
            damaged = archive.testzip()
        if damaged is not None:
            raise ValueError(f"wrong checksum in {damaged}")
        content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
        wanted = {"model", "optimizer", "record", "identity", "random"}
        if not (isinstance(content, dict) and wanted <= set(content) and isinstance(content["identity"], dict)
                and set(content["record"]) == {entry.name for entry in fields(Record)}):
            raise ValueError("not written by this version")
        return content
    except Exception as error:  # readers of damaged files raise nearly anything
        raise _damaged(file, error) from error


def _damaged(file: Path, error: Exception) -> TrainingError:
    reason = str(error).partition("\n")[0] or type(error).__name__
    return TrainingError(f"'{file}' is damaged, or not a checkpoint of this version ({reason}): delete it to begin "
                         "again, or name another folder")


def _kinds(state: Any) -> Any:
    """The state with the type of each number in the number's place."""
    if isinstance(state, dict):
        return {key: _kinds(value) for key, value in state.items()}
    return [_kinds(value) for value in state] if isinstance(state, (list, tuple)) else type(state)


def _check_moments(optimizer: Any) -> None:
    """What an optimiser keeps of each parameter: numbers, and moments of the parameter's shape; else a ValueError."""
    kinds = set()
    for parameter, kept in optimizer.state.items():
        if not (isinstance(parameter, Tensor) and isinstance(kept, dict)):
            raise ValueError("an optimiser's state of another kind")
        kinds.add(tuple(sorted(kept)))
        for name, value in kept.items():
            shape = () if name == "step" else parameter.shape
            if not (isinstance(value, Tensor) and value.shape == shape and value.is_floating_point()):
                raise ValueError(f"the optimiser's {name} is of another kind")
    if len(kinds) > 1:
        raise ValueError("an optimiser that kept this of one parameter and that of another")


def _checked(record: Record, model: nn.Module) -> Record:
    """The record, if its parts are of the right kinds and its weights are those of the model."""
    shapes = {name: values.shape for name, values in model.state_dict().items()}
    numbers = (record.step, record.best_step, record.seconds, 0.0 if record.best is None else record.best)
    if not (all(isinstance(number, (int, float)) for number in numbers) and isinstance(record.curve, list)
            and {name: values.shape for name, values in record.weights.items()} == shapes):
        raise ValueError("a record of another kind")
    return record


def _identity(model: nn.Module, optimizer: Optimizer, scheduler: LRScheduler | None, steps: int) -> dict[str, str]:
    """Say what must be the same for a training to go on, as texts that can be shown."""
    told = {"steps": str(steps), "optimiser": type(optimizer).__name__, "schedule": type(scheduler).__name__}
    for number, group in enumerate(optimizer.param_groups):
        told |= {f"{key} of parameter group {number}": str(len(value) if key == "params" else value)
                 for key, value in group.items()}
    return told | {f"'{name}'": str(tuple(values.shape)) for name, values in model.state_dict().items()}


def _copy(model: nn.Module) -> dict[str, Tensor]:
    return {name: values.detach().to("cpu", copy=True).contiguous() for name, values in model.state_dict().items()}


def _random_state(device: torch.device) -> dict[str, Tensor]:
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def _set_random_state(state: dict[str, Tensor], device: torch.device) -> None:
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
