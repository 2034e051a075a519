# SPDX-License-Identifier: GPL-3.0-or-later
"""The RNN filter and its competitors learn from the same pairs, batches and steps (section 4.1, 4.5).

    loss = mean (filter(I, m, r) - B)^2,    chosen by the mean PSNR of the validation pairs

The paper trains by SGD with a rate of 1e-4; here AdamW with a rate that falls along a cosine does in minutes
what that would take days for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from dofkit.batches import Batch
from dofkit.datasets import DataError
from dofkit.engines import Engine
from dofkit.metrics import psnr
from dofkit.recipes.pairs import Pair, files, read_pair
from dofkit.recipes.segmentation import plan
from dofkit.rnn_filter import FILTERS, RADIUS_UNIT
from dofkit.training import Progress, Run, train

VALIDATION_SIDE = 256
"""Validation is by a square of this side from the middle of each pair."""


@dataclass(frozen=True)
class FilterRecipe:
    """The numbers of a profile.

    Attributes
    ----------
    arguments : of each filter, by its name in `dofkit.rnn_filter.FILTERS`.
    crop : side of the random squares that a filter learns on.
    batch : squares in a batch.
    steps : of each training.
    rate : highest learning rate (AdamW, warmed up, then down to zero by a cosine).
    seeds : how many trainings of each filter, by its name; the weights are those of the first.
    """

    arguments: dict[str, dict[str, int]]
    crop: int
    batch: int
    steps: int
    rate: float
    seeds: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FILTERS, 1))


_SMALL = {"rnn": {"width": 8, "channels": 8}, "cnn": {"width": 8}, "liu": {"width": 8, "channels": 8},
          "gradient": {"channels": 16}}
_PAPER = {"rnn": {"width": 64, "channels": 16}, "cnn": {"width": 64}, "liu": {"width": 64, "channels": 16},
          "gradient": {"channels": 256}}

RECIPES = {
    "quick": FilterRecipe(_SMALL, 48, 4, 20, 3e-3),
    # three of the two whose order is the question; the others are decibels behind
    "full": FilterRecipe(_SMALL, 128, 8, 1500, 3e-3, {"rnn": 3, "liu": 1, "cnn": 3, "gradient": 1}),
    "paper": FilterRecipe(_PAPER, 256, 20, 20000, 1e-3),
}


def read_pairs(folder: Path, split: str, beginnings: tuple[str, ...] = ("",)) -> list[Pair]:
    """All pairs of a split whose names begin so, in memory; for given beginnings there may be none.

    Raises
    ------
    DataError
        If the split has none, or one is damaged.
    """
    there = files(folder, split)
    found = [file for file in there if file.name.startswith(beginnings)]
    pairs = [pair for pair in map(read_pair, found) if pair is not None]
    if not there or len(pairs) < len(found):
        raise DataError(f"of {len(found)} {split} pairs in '{folder}', {len(pairs)} can be read: make them with "
                        f"`dofkit pairs --out {folder}`")
    return pairs


def draw(pairs: Sequence[Pair], n: int, side: int, *, seed: int, step: int) -> Batch:
    """The batch of a step: squares at random places of random pairs, some mirrored.

    Returns
    -------
    tuple of Tensor
        image (n, 3, side, side), guides (n, 2, side, side) and result (n, 3, side, side), all float32; less than
        `side` where a pair is smaller.
    """
    rng = np.random.default_rng([seed, step])
    chosen = [pairs[i] for i in rng.integers(len(pairs), size=n)]
    side = min(side, *(min(pair.mask.shape) for pair in chosen))
    squares = []
    for pair in chosen:
        top, left = (int(rng.integers(size - side + 1)) for size in pair.mask.shape)
        window = slice(top, top + side), slice(left, left + side)
        squares.append(_window(pair, window, mirrored=bool(rng.integers(2))))
    return _stack(squares)


def middle(pair: Pair, side: int = VALIDATION_SIDE) -> Batch:
    """The square in the middle of a pair, as a batch of one."""
    height, width = pair.mask.shape
    top, left = max(0, (height - side) // 2), max(0, (width - side) // 2)
    return _stack([_window(pair, (slice(top, top + side), slice(left, left + side)), mirrored=False)])


def train_filter(
    name: str, recipe: FilterRecipe, pairs: Sequence[Pair], validation: Sequence[Pair], *, seed: int, folder: Path,
    engine: Engine, progress: Progress | None = None,
) -> tuple[nn.Module, Run]:
    """One of the filters; goes on from a checkpoint in `folder`."""
    torch.manual_seed(seed)
    model = FILTERS[name](**recipe.arguments[name])

    def batches(step: int) -> Batch:
        return draw(pairs, recipe.batch, recipe.crop, seed=seed, step=step)

    def loss(network: nn.Module, batch: Batch) -> Tensor:
        image, guides, result = batch
        return (network(image, guides) - result).square().mean()

    def validate(network: nn.Module) -> float:
        return mean_psnr(network, validation, engine)

    run = train(model, batches, loss=loss, validate=validate, folder=folder, engine=engine, progress=progress,
                **plan(model, (recipe.steps,), recipe.rate))
    return model, run


@torch.no_grad()
def mean_psnr(predict: Callable[[Tensor, Tensor], Tensor], pairs: Sequence[Pair], engine: Engine) -> float:
    """Mean over the pairs of the PSNR in dB of their middle squares."""
    scores = []
    for pair in pairs:
        image, guides, result = (part.to(engine.device) for part in middle(pair))
        with engine.autocast():
            made = predict(image, guides)
        scores.append(psnr(made.float().clamp(0, 1).cpu().numpy(), result.cpu().numpy()))
    return float(np.mean(scores))


def _window(pair: Pair, window: tuple[slice, slice], *, mirrored: bool) -> tuple[np.ndarray, ...]:
    """Image, guides and result of a window: (3, h, w), (2, h, w), (3, h, w) float32."""
    image, result, mask, radius = pair.arrays()
    guides = np.stack([mask[window], radius[window] / RADIUS_UNIT])
    image, result = (x[window].transpose(2, 0, 1) for x in (image, result))
    return tuple(np.flip(x, -1) if mirrored else x for x in (image, guides, result))


def _stack(squares: Sequence[tuple[np.ndarray, ...]]) -> Batch:
    return tuple(torch.from_numpy(np.ascontiguousarray(np.stack(parts))) for parts in zip(*squares, strict=True))
