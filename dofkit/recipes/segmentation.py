# SPDX-License-Identifier: GPL-3.0-or-later
"""The two networks of section 3.1: a coarse network that knows people, then the SPN that refines what it says.

    coarse     the coarse network alone, by Eq. 1
    guidance   the SPN's encoder-decoder alone, by Eq. 1, on random squares: in the place of ImageNet's weights
    spn        guidance and propagation, by Eq. 1, on random squares; the coarse network is finished, and stays

One pair of networks serves selfies and whole bodies: a batch is drawn from one pool of photographs or another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dofkit.batches import Batch, Pool, crop, draw, hold, stack
from dofkit.coarse.network import CoarseNetwork
from dofkit.datasets import Dataset, Item, beside_person, ccp, scenes, selfie
from dofkit.datasets.item import PathLike
from dofkit.datasets.scene_cache import Kind, Split
from dofkit.engines import Engine
from dofkit.guidance import Guidance
from dofkit.losses import mask_cross_entropy
from dofkit.metrics import iou
from dofkit.spn import SpatialPropagation
from dofkit.training import Progress, Run, cosine, train

WINDOWS = 4
"""Tries per photograph for windows without a person."""

ELSEWHERE = 0.25
"""Part of the people that are set before another background, once a first cycle has shown them where they were."""

WEIGHT_DECAY, WARMUP, CHECKPOINTS = 1e-2, 100, 20


@dataclass(frozen=True)
class Recipe:
    """The numbers of a profile.

    Attributes
    ----------
    shape : (H, W) that photographs of either kind, 4:3 and 3:2, are brought to.
    shown : heights at which the finished networks are shown a photograph.
    crop : side of the squares that the SPN learns on.
    batch : photographs in a batch.
    coarse_width, width, channels : of the networks.
    coarse_steps, guidance_steps, spn_steps : how long each stage takes, cycle by cycle of the learning rate.
    rate : highest learning rate (AdamW, warmed up, then down to zero by a cosine, in each cycle).
    scenes : how many scenes of each kind.
    held_out : photographs of each training set that choose the best weights.
    real : whether the selfie set and CCP are read.
    """

    shape: tuple[int, int]
    shown: tuple[int, ...]
    crop: int
    batch: int
    coarse_width: int
    width: int
    channels: int
    coarse_steps: tuple[int, ...]
    guidance_steps: tuple[int, ...]
    spn_steps: tuple[int, ...]
    rate: float
    scenes: int
    held_out: int
    real: bool


RECIPES = {
    "quick": Recipe((128, 96), (128,), 96, 8, 8, 8, 8, (400,), (150,), (150,), 3e-3, 60, 12, real=False),
    "full": Recipe(
        (224, 160), (224, 288), 160, 8, 20, 12, 16, (7000, 9000), (3000, 4500), (2500,), 2e-3, 300, 80, real=True
    ),
    "paper": Recipe((512, 368), (512,), 256, 8, 64, 64, 32, (80000,), (), (80000,), 1e-3, 5000, 200, real=True),
}


@dataclass(frozen=True, eq=False)
class Data:
    """Photographs to learn from and to choose by, in memory."""

    train: Sequence[Pool]
    validation: Sequence[Pool]


def gather(recipe: Recipe, *, root: PathLike | None = None, seed: int = 0) -> Data:
    """Read what a recipe asks for.

    Half of the photographs' share goes to selfies, half to whole bodies; scenes have a fifth of all, windows beside
    people, in which the mask is empty, a tenth.
    """
    kinds: tuple[tuple[Kind, Callable[..., Dataset]], ...] = (("selfie", selfie), ("whole-body", ccp))
    # the folders first: scenes take minutes to render, and a wrong folder should not wait for them
    real = {kind: read("train", root=root) for kind, read in kinds} if recipe.real else {}
    learned_from, validation = [], []
    for kind, _ in kinds:
        drawn = hold(_scenes(recipe, recipe.scenes, "train", kind), recipe.shape, share=0.1)
        learned_from.append(drawn)
        if not recipe.real:
            validation.append(hold(_scenes(recipe, recipe.held_out, "validation", kind), recipe.shape))
            continue
        rest, held = real[kind].hold_out(recipe.held_out, seed=seed)
        validation.append(hold(held, recipe.shape))
        learned_from.append(hold(rest, recipe.shape, share=0.35))
        learned_from.append(hold(empty_windows(rest, seed=seed), recipe.shape, share=0.05))
    return Data(learned_from, validation)


def _scenes(recipe: Recipe, n: int, split: Split, kind: Kind) -> Dataset:
    """Scenes at three quarters of a recipe's size, which is as sharp as a photograph's detail and half the work."""
    height, width = recipe.shape
    return scenes(n, split=split, kind=kind, size=(height * 3 // 4, width * 3 // 4))


def empty_windows(photographs: Dataset, *, seed: int) -> list[Item]:
    """Up to `WINDOWS` windows without a person from each photograph, where it has room for them."""
    rng = np.random.default_rng(seed)
    windows = (beside_person(item, rng) for item in photographs for _ in range(WINDOWS))
    return [window for window in windows if window is not None]


def train_coarse(
    recipe: Recipe, data: Data, *, seed: int, folder: Path, engine: Engine, progress: Progress | None = None
) -> tuple[CoarseNetwork, Run]:
    """From nothing to a network that knows people; goes on from a checkpoint in `folder`."""
    torch.manual_seed(seed)
    network = CoarseNetwork(width=recipe.coarse_width)

    def batches(step: int) -> Batch:
        elsewhere = ELSEWHERE if step > recipe.coarse_steps[0] else 0
        return draw(data.train, recipe.batch, seed=seed, step=step, elsewhere=elsewhere)

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        image, mask = batch
        return mask_cross_entropy(model(image).float(), mask)

    def validate(model: nn.Module) -> float:
        return mean_iou(model, data.validation, engine)

    how = plan(network, recipe.coarse_steps, recipe.rate)
    run = train(network, batches, loss=loss, validate=validate, folder=folder, engine=engine, progress=progress, **how)
    return network, run


def train_guidance(
    recipe: Recipe, data: Data, *, seed: int, folder: Path, engine: Engine, progress: Progress | None = None
) -> tuple[Guidance, Run]:
    """The guidance network alone learns what a person is, before it learns affinities; goes on from a checkpoint."""
    torch.manual_seed(seed)
    network = Guidance(1, width=recipe.width)

    def batches(step: int) -> Batch:
        return crop(draw(data.train, recipe.batch, seed=seed + 2, step=step), recipe.crop, seed=seed, step=step)

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        image, mask = batch
        return mask_cross_entropy(model(image).float(), mask)

    def validate(model: nn.Module) -> float:
        return mean_iou(model, data.validation, engine)

    how = plan(network, recipe.guidance_steps, recipe.rate)
    run = train(network, batches, loss=loss, validate=validate, folder=folder, engine=engine, progress=progress, **how)
    return network, run


def take_guidance(network: SpatialPropagation, learned: Guidance) -> None:
    """Start an SPN's guidance from one that was trained alone; its last layer has another meaning and stays."""
    body = {name: value for name, value in learned.state_dict().items() if not name.startswith("head.")}
    network.guidance.load_state_dict(body, strict=False)


def train_spn(
    recipe: Recipe,
    data: Data,
    coarse: nn.Module,
    network: nn.Module,
    *,
    seed: int,
    folder: Path,
    engine: Engine,
    progress: Progress | None = None,
) -> Run:
    """`network` learns to refine what the finished `coarse` says; goes on from a checkpoint in `folder`."""
    coarse = coarse.to(engine.device).eval().requires_grad_(False)

    def batches(step: int) -> Batch:
        image, mask = (part.to(engine.device) for part in draw(data.train, recipe.batch, seed=seed + 1, step=step))
        with torch.no_grad(), engine.autocast():
            guess = coarse(image).float()
        return crop((image, guess, mask), recipe.crop, seed=seed, step=step)

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        image, guess, mask = batch
        return mask_cross_entropy(model(image, guess).float(), mask)

    def validate(model: nn.Module) -> float:
        return mean_iou(lambda image: model(image, coarse(image).float()), data.validation, engine)

    how = plan(network, recipe.spn_steps, recipe.rate)
    return train(
        network, batches, loss=loss, validate=validate, folder=folder, engine=engine, progress=progress, **how
    )


@torch.no_grad()
def mean_iou(predict: Callable[[Tensor], Tensor], pools: Sequence[Pool], engine: Engine) -> float:
    """Mean IoU, in [0, 1], over the pools of the mean over their photographs, at the pools' size."""
    scores = []
    for pool in pools:
        each: list[float] = []
        for start in range(0, len(pool), 16):
            image, mask = stack([pool[i] for i in range(start, min(start + 16, len(pool)))])
            with engine.autocast():
                found = (predict(image.to(engine.device)) > 0).cpu().numpy()
            each += [iou(m, truth) for m, truth in zip(found[:, 0], mask.numpy()[:, 0], strict=True)]
        scores.append(float(np.mean(each)))
    return float(np.mean(scores))


def plan(network: nn.Module, cycles: Sequence[int], rate: float) -> dict[str, Any]:
    """Optimiser, schedule and length, as `train` takes them."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=WEIGHT_DECAY)
    schedule = cosine(optimizer, *cycles, warmup=min(WARMUP, min(cycles) // 4))
    every = max(1, cycles[0] // CHECKPOINTS)
    return {"optimizer": optimizer, "scheduler": schedule, "steps": sum(cycles), "every": every}
