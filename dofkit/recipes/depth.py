# SPDX-License-Identifier: GPL-3.0-or-later
"""The two networks of section 3.2: a coarse depth, and the depth SPN in its two stages.

    coarse        the coarse network, by Eq. 2; begins as the segmentation's, which knows people
    ranking       guidance and propagation, by Eq. 2; the guidance begins as the segmentation's
    consistency   the same goes on, by Eq. 2 and Eq. 3 together

Labels are exact in scenes; in the selfie set and CCP they follow from the masks (`dofkit.datasets.orders`).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from dofkit.batches import Batch, Pool, draw, hold, stack
from dofkit.coarse.network import CoarseNetwork
from dofkit.datasets import Dataset, Item, ccp, orders_from_depth, orders_from_mask, scenes, selfie
from dofkit.datasets.item import PathLike
from dofkit.datasets.scene_cache import Kind, Split
from dofkit.depth import standardised
from dofkit.engines import Engine
from dofkit.losses import body_consistency_loss, ranking_loss
from dofkit.metrics import whdr
from dofkit.recipes.segmentation import Data, plan
from dofkit.spn import SpatialPropagation
from dofkit.training import Progress, Run, train

LABELS = 600
"""Pairs kept of each photograph."""

PAIRS = 256
"""Pairs of a photograph in a batch."""


@dataclass(frozen=True)
class DepthRecipe:
    """The numbers of a profile.

    Attributes
    ----------
    shape : (H, W) that photographs are brought to.
    shown : heights at which the finished networks are shown a photograph.
    batch : photographs in a batch.
    coarse_steps, ranking_steps, consistency_steps : how long each stage takes.
    rate : highest learning rate of the first two stages; a third of it in the last.
    delta : margin of Eq. 3, in squared units of z.
    weight : of Eq. 3 beside Eq. 2, both as means. Chosen on the validation scenes: from 1/3 on, WHDR suffers.
    scenes : how many scenes of each kind.
    held_out : scenes of each kind, and photographs of each training set, that choose the best weights.
    real : whether the selfie set and CCP are read.
    seeds : how many trainings tell the spread of the scores; the weights are those of the first.
    """

    shape: tuple[int, int]
    shown: tuple[int, ...]
    batch: int
    coarse_steps: tuple[int, ...]
    ranking_steps: tuple[int, ...]
    consistency_steps: tuple[int, ...]
    rate: float
    delta: float
    weight: float
    scenes: int
    held_out: int
    real: bool
    seeds: int = 1


RECIPES = {
    "quick": DepthRecipe((128, 96), (128,), 4, (200,), (60,), (30,), 1e-3, 0.25, 0.05, 60, 12, real=False),
    "full": DepthRecipe((224, 160), (224, 288), 8, (3000,), (900,), (1200,), 1e-3, 0.25, 0.05, 300, 60, real=True,
                        seeds=3),
    "paper": DepthRecipe((512, 368), (512,), 8, (80000,), (40000,), (20000,), 1e-3, 0.25, 0.05, 5000, 200, real=True),
}


def gather(recipe: DepthRecipe, *, root: PathLike | None = None, seed: int = 0) -> Data:
    """Read what a recipe asks for.

    Whole bodies have two thirds of the photographs' share and selfies one; scenes, whose labels are exact, half of
    all. Validation is by the scenes alone: labels that follow from masks would choose what agrees with the rules.
    """
    kinds: tuple[tuple[Kind, Callable[..., Dataset], float], ...]
    kinds = ("selfie", selfie, 1 / 3), ("whole-body", ccp, 2 / 3)
    real = {kind: read("train", root=root) for kind, read, _ in kinds} if recipe.real else {}
    learned_from, validation = [], []
    for kind, _, share in kinds:
        drawn = _scenes(recipe, recipe.scenes, "train", kind)
        learned_from.append(hold(_exact(drawn, seed), recipe.shape, share=share))
        validation.append(hold(_scenes(recipe, recipe.held_out, "validation", kind), recipe.shape))
        if recipe.real:
            learned_from.append(hold(_by_rules(real[kind], seed), recipe.shape, share=share))
    return Data(learned_from, validation)


def _scenes(recipe: DepthRecipe, n: int, split: Split, kind: Kind) -> Dataset:
    height, width = recipe.shape
    return scenes(n, split=split, kind=kind, size=(height * 3 // 4, width * 3 // 4))


def _exact(items: Iterable[Item], seed: int) -> Iterator[Item]:
    rng = np.random.default_rng([seed, 1])
    for item in items:
        assert item.depth is not None
        yield Item(item.image, item.mask, pairs=orders_from_depth(item.depth, LABELS, rng), name=item.name)


def _by_rules(items: Iterable[Item], seed: int) -> Iterator[Item]:
    rng = np.random.default_rng([seed, 2])
    for item in items:
        assert item.mask is not None
        yield Item(item.image, item.mask, pairs=orders_from_mask(item.mask, LABELS, rng), name=item.name)


def train_coarse(
    recipe: DepthRecipe, data: Data, start: CoarseNetwork, *, seed: int, folder: Path, engine: Engine,
    progress: Progress | None = None,
) -> tuple[CoarseNetwork, Run]:
    """From a network that knows people to one that knows order; goes on from a checkpoint in `folder`."""
    torch.manual_seed(seed)
    network = copy.deepcopy(start)
    network.score.reset_parameters()  # the one layer that spoke of people

    def batches(step: int) -> Batch:
        return draw(data.train, recipe.batch, seed=seed, step=step, pairs=PAIRS)

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        image, _, pairs = batch
        return ranking_loss(model(image).float(), pairs)

    def validate(model: nn.Module) -> float:
        return 1 - mean_whdr(model, data.validation, engine)

    run = train(network, batches, loss=loss, validate=validate, folder=folder, engine=engine, progress=progress,
                **plan(network, recipe.coarse_steps, recipe.rate))
    return network, run


def train_spn(
    recipe: DepthRecipe, data: Data, coarse: nn.Module, network: SpatialPropagation, *, consistent: bool, seed: int,
    folder: Path, engine: Engine, progress: Progress | None = None,
) -> Run:
    """`network` learns to refine what the finished `coarse` says, by Eq. 2, or by Eq. 2 and 3.

    The best of the first stage has the least WHDR; that of the second the least objective, Eq. 3 included.
    """
    coarse = coarse.to(engine.device).eval().requires_grad_(False)

    def batches(step: int) -> Batch:
        image, mask, pairs = (part.to(engine.device) for part in draw(
            data.train, recipe.batch // 2, seed=seed + 1 + consistent, step=step, pairs=PAIRS))
        with torch.no_grad(), engine.autocast():
            guess = standardised(coarse(image).float())
        return image, guess, mask, pairs

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        image, guess, mask, pairs = batch
        z = model(image, guess).float()
        ranked = ranking_loss(z, pairs)
        return ranked + recipe.weight * body_consistency_loss(z, mask, recipe.delta) if consistent else ranked

    def validate(model: nn.Module) -> float:
        def predict(image: Tensor) -> Tensor:
            z: Tensor = model(image, standardised(coarse(image).float()))
            return z

        if consistent:
            return -mean_objective(predict, data.validation, engine, recipe)
        return 1 - mean_whdr(predict, data.validation, engine)

    steps, rate = (recipe.consistency_steps, recipe.rate / 3) if consistent else (recipe.ranking_steps, recipe.rate)
    return train(network, batches, loss=loss, validate=validate, folder=folder, engine=engine, progress=progress,
                 **plan(network, steps, rate))


def mean_whdr(predict: Callable[[Tensor], Tensor], pools: Sequence[Pool], engine: Engine) -> float:
    """WHDR, in [0, 1]: the mean over the pools of the mean over their photographs."""

    def disagreement(z: Tensor, item: Item) -> float:
        assert item.pairs is not None
        return whdr(z[0, 0].numpy(), item.pairs)

    return _mean(disagreement, predict, pools, engine)


def mean_objective(
    predict: Callable[[Tensor], Tensor], pools: Sequence[Pool], engine: Engine, recipe: DepthRecipe
) -> float:
    """Eq. 2 and the recipe's weighted Eq. 3, over all pairs: the mean as for WHDR, which knows nothing of Eq. 3."""

    def objective(z: Tensor, item: Item) -> float:
        assert item.mask is not None
        assert item.pairs is not None
        mask, pairs = torch.from_numpy(item.mask)[None, None], torch.from_numpy(item.pairs)[None]
        return float(ranking_loss(z, pairs) + recipe.weight * body_consistency_loss(z, mask, recipe.delta))

    return _mean(objective, predict, pools, engine)


@torch.no_grad()
def _mean(
    score: Callable[[Tensor, Item], float], predict: Callable[[Tensor], Tensor], pools: Sequence[Pool], engine: Engine
) -> float:
    scores = []
    for pool in pools:
        each: list[float] = []
        for start in range(0, len(pool), 16):
            items = [pool[i] for i in range(start, min(start + 16, len(pool)))]
            with engine.autocast():
                z = predict(stack(items)[0].to(engine.device)).float().cpu()
            each += [score(depth[None], item) for depth, item in zip(z, items, strict=True)]
        scores.append(float(np.mean(each)))
    return float(np.mean(scores))
