# SPDX-License-Identifier: GPL-3.0-or-later
"""The training loop, and what makes hours of it safe.

    for step in 1 ... steps:    p <- p - lr * d loss(p; batch(step)) / dp        (or what the optimiser makes of it)

`fit` is that loop, visible: a generator. `train` adds validation, the best weights, the learning curve and
checkpoints. A batch is a function of the step, so a training that was killed and is started again ends in the same
bits as one that ran through (on the same machine's CPU; some GPU kernels add up in any order).

A folder of a training holds `checkpoint.pt` (all that is needed to go on), `best.safetensors` (the weights with
the best validation so far) and `curve.json`.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import fmean

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from dofkit.checkpoints import Checkpoints, Line
from dofkit.engines import Batch, Engine, TrainingError, local

__all__ = ["Batch", "Run", "TrainingError", "cosine", "fit", "train"]

Loss = Callable[[nn.Module, Batch], Tensor]
Progress = Callable[[int, int, float, float | None], object]


@dataclass(frozen=True)
class Run:
    """What a training came to.

    Attributes
    ----------
    steps : taken in all.
    best : the best validation (larger is better), None without validation.
    best_step : the step it was found at; the last step without validation.
    curve : a line {step, loss, validation} each `every` steps; `loss` is the mean since the line before.
    seconds : of training, those before interruptions included.
    """

    steps: int
    best: float | None
    best_step: int
    curve: tuple[Line, ...]
    seconds: float


def fit(model: nn.Module, batches: Callable[[int], Batch], optimizer: Optimizer, loss: Loss, steps: int, *,
        start: int = 0, scheduler: LRScheduler | None = None, backward: Callable[[Tensor], object] = Tensor.backward,
        mean: Callable[[Tensor], float] = Tensor.item) -> Iterator[tuple[int, float]]:
    """Train a model step by step; yield (step, loss) after each, for step = start + 1, ..., steps.

    Parameters
    ----------
    model : put in training mode before each step.
    batches : gives the batch of a step, and the same one whenever it is asked for that step.
    loss : of the model on a batch; a scalar tensor, the mean over the samples.
    scheduler : advanced once a step.
    backward, mean : of an engine, where several processes share the batches (`dofkit.engines`).

    Raises
    ------
    TrainingError
        The loss is not a finite number; the parameters are still those of the step before.

    Examples
    --------
    Least squares, y = 2 x:

    >>> model, x = nn.Linear(1, 1), torch.linspace(-1, 1, 8)[:, None]
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    >>> error = lambda model, batch: (model(batch[0]) - batch[1]).square().mean()
    >>> for step, value in fit(model, lambda step: (x, 2 * x), optimizer, error, 60):
    ...     pass
    >>> step, round(value, 4), round(model.weight.item(), 4)
    (60, 0.0, 2.0)
    """
    for step in range(start + 1, steps + 1):
        model.train()
        value = loss(model, batches(step))
        number = mean(value.detach())
        if not math.isfinite(number):
            raise TrainingError(f"the loss of step {step} is {number}: lower the learning rate, warm up longer, or "
                                "look for values that are not finite in the batch of that step")
        optimizer.zero_grad()
        backward(value)
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
        yield step, number


def train(model: nn.Module, batches: Callable[[int], Batch], optimizer: Optimizer, loss: Loss, steps: int, *,
          folder: str | os.PathLike[str], scheduler: LRScheduler | None = None,
          validate: Callable[[nn.Module], float] | None = None, every: int = 200, engine: Engine | None = None,
          progress: Progress | None = None) -> Run:
    """Train with checkpoints; go on by itself from the one in `folder`.

    Each `every` steps, and after the last, the model is validated and all is written, each file whole or not at all;
    what is interrupted in between (Ctrl-C, kill, a power cut) goes on from there. A finished training is only read.

    Parameters
    ----------
    model, batches, optimizer, loss, steps, scheduler : as in `fit`, on any device: the engine moves them. Pass them
        as they were when this training began for the first time; the checkpoint is loaded into them.
    folder : made if missing; one for each training.
    validate : of the model in evaluation mode, without gradients, on the engine's device; larger is better. Without
        it the last weights count as the best. Computed in float32.
    every : steps between two checkpoints.
    engine : `dofkit.engines.local()` if not given.
    progress : called as (step, steps, loss, validation) after each step; `validation` is None where there was none.

    Returns
    -------
    Run
        The model then holds the best weights, in evaluation mode.

    Raises
    ------
    TrainingError
        A loss, validation or parameter that is not finite, a checkpoint that is damaged or of another training, a
        folder that cannot be written. The last checkpoint stays as it was.
    """
    if steps < 1 or every < 1:
        raise TrainingError(f"steps = {steps} and every = {every} must be 1 or more")
    engine = engine or local()
    wrapped, stepper = engine.setup(model, optimizer)
    checkpoints = Checkpoints(folder, model, optimizer, scheduler, steps=steps, engine=engine)
    record = checkpoints.begin()
    began = time.monotonic() - record.seconds
    losses: list[float] = []

    def share(step: int) -> Batch:
        return engine.share(batches(step))

    def mixed(network: nn.Module, batch: Batch) -> Tensor:
        with engine.autocast():
            return loss(network, batch)

    for step, value in fit(wrapped, share, stepper, mixed, steps, start=record.step, scheduler=scheduler,
                           backward=engine.backward, mean=engine.mean):
        losses.append(value)
        score = None
        if step % every == 0 or step == steps:
            score = None if validate is None else _validation(model, validate, step, engine)
            record.seconds = time.monotonic() - began
            record.add(model, step, fmean(losses), score)
            checkpoints.write(record)
            losses.clear()
        if progress is not None and engine.main:
            progress(step, steps, value, score)
    model.load_state_dict(record.weights)
    model.eval()
    return Run(steps, record.best, record.best_step, tuple(record.curve), record.seconds)


def cosine(optimizer: Optimizer, *cycles: int, warmup: int = 0) -> LambdaLR:
    """Return the schedule that rises linearly for `warmup` steps, then falls to zero along half a cosine; and again.

    The factor of the learning rate is k / warmup in step k = 1, ..., warmup of a cycle, and then
    (1 + cos(pi t)) / 2 with t going from 0 to 1 at the end of the cycle's last step. Further cycles are warm restarts
    (Loshchilov and Hutter, ICLR 2017).

    >>> weight = nn.Parameter(torch.zeros(1))
    >>> schedule = cosine(torch.optim.SGD([weight], lr=1.0), 6, 4, warmup=2)
    >>> [round(schedule.lr_lambdas[0](step), 3) for step in range(11)]
    [0.5, 1.0, 1.0, 0.854, 0.5, 0.146, 0.5, 1.0, 1.0, 0.5, 0.0]
    """
    shortest = min(cycles, default=0)
    if not 0 <= warmup < shortest:
        raise TrainingError(f"a warm-up of {warmup} steps does not fit into {shortest} steps: shorten it")

    def factor(done: int) -> float:
        for steps in cycles:
            if done < warmup:
                return (done + 1) / warmup
            if done < steps:
                return 0.5 + 0.5 * math.cos(math.pi * (done - warmup) / (steps - warmup))
            done -= steps
        return 0.0

    return LambdaLR(optimizer, factor)


def _validation(model: nn.Module, validate: Callable[[nn.Module], float], step: int, engine: Engine) -> float:
    model.eval()  # `fit` puts it back
    with torch.no_grad():
        score = engine.mean(float(validate(model)))
    if not math.isfinite(score):
        raise TrainingError(f"the validation after step {step} is {score}: look at what `validate` divides by, "
                            "and at the learning rate")
    return score
