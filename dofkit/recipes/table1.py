# SPDX-License-Identifier: GPL-3.0-or-later
"""Table 1 in kind: what refines a coarse mask, each way trained alike, from several seeds.

    coarse            the coarse network alone
    no propagation    + the guidance network, its features concatenated with the coarse map and convolved
    one-way           + propagation with one gate for each pixel and direction
    three-way (ours)  + propagation with three

Everything is small (128 px, narrow, minutes), so that three seeds are to be had on a laptop: the rows are for
comparison with each other. The weights that come with the kit learned longer on larger pictures. Profile paper has
the sizes and steps of the segmentation's, for a GPU.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from dofkit.baselines import mean_mask, mean_mask_iou
from dofkit.datasets import Dataset, ccp, selfie
from dofkit.engines import Engine
from dofkit.evaluation import evaluate_masks
from dofkit.files import write_bytes
from dofkit.provenance import source_hash
from dofkit.recipes.making import Stage, begin_as_vgg16, held_back
from dofkit.recipes.segmentation import RECIPES as SEGMENTATION
from dofkit.recipes.segmentation import Data, Recipe, gather, take_guidance, train_coarse, train_guidance, train_spn
from dofkit.segmentation import Segment, Segmenter, segmenter
from dofkit.spn import GuidanceOnly, SpatialPropagation

FULL = Recipe(
    shape=(128, 96),
    shown=(128,),
    crop=96,
    batch=8,
    coarse_width=12,
    width=8,
    channels=8,
    coarse_steps=(1500,),
    guidance_steps=(400,),
    spn_steps=(1500,),
    rate=2e-3,
    scenes=300,
    held_out=80,
    real=True,
)
QUICK = replace(FULL, coarse_steps=(200,), guidance_steps=(50,), spn_steps=(50,), scenes=60, held_out=12, real=False)
RECIPES = {"quick": QUICK, "full": FULL, "paper": SEGMENTATION["paper"]}
REPORT = "table1.json"

METHODS: Mapping[str, Callable[..., SpatialPropagation]] = {
    "no propagation": lambda **size: GuidanceOnly(**size),
    "one-way": lambda **size: SpatialPropagation(way="one-way", **size),
    "three-way (ours)": lambda **size: SpatialPropagation(way="three-way", **size),
}

Cells = dict[str, dict[str, list[float]]]
"""For each method and test set the mean IoU, one number for each seed."""


def make_table1(
    profile: str,
    folder: Path,
    *,
    engine: Engine,
    stage: Stage,
    root: str | os.PathLike[str] | None = None,
    seeds: int = 3,
    vgg16: Path | None = None,
) -> dict[str, Any]:
    """Train and evaluate every row from every seed, write `table1.json`; goes on where it was interrupted.

    Parameters
    ----------
    profile
        "full"; "quick": some steps on scenes alone, to see that it runs; "paper".
    folder, engine, stage, root, vgg16
        As for `make_segmentation`.
    seeds
        0, 1, ...: of the held-out photographs, the parameters and the batches.

    Returns
    -------
    dict
        What stands in `table1.json`: profile, sources, recipe, seeds, and `iou` and `iou_near_boundary`, which give
        for each method and test set one mean for each seed.
    """
    recipe = RECIPES[profile]
    if vgg16 is not None:  # before hours of work: the file may be of no use
        begin_as_vgg16(SpatialPropagation(width=recipe.width, norm=False), vgg16, profile, recipe.width)
    ious: Cells = {}
    near: Cells = {}
    for seed in range(seeds):
        with stage(f"seed {seed}: reading photographs"):
            data = gather(recipe, root=root, seed=seed)
        trained = _trained(recipe, data, seed, folder / f"seed-{seed}", engine, stage, vgg16)
        for method, networks in trained.items():
            with stage(f"seed {seed}: evaluating {method}"):
                segment = Segmenter(*networks, heights=recipe.shown)
                _score(method, segment, held_back(recipe.real, root), ious, near)
    with stage("baselines"):
        _score("graph cut", segmenter("graphcut"), held_back(recipe.real, root), ious, near)
        if recipe.real:
            ious["mean mask"] = _mean_masks(root)
    report = {
        "profile": profile,
        "source": source_hash(),
        "recipe": asdict(recipe),
        "seeds": seeds,
        "iou": ious,
        "iou_near_boundary": near,
    }
    write_bytes(folder / REPORT, (json.dumps(report, indent=1) + "\n").encode())
    return report


def _trained(
    recipe: Recipe, data: Data, seed: int, folder: Path, engine: Engine, stage: Stage, vgg16: Path | None
) -> dict[str, tuple[nn.Module, nn.Module | None]]:
    with stage(f"seed {seed}: coarse network") as progress:
        coarse, _ = train_coarse(recipe, data, seed=seed, folder=folder / "coarse", engine=engine, progress=progress)
    guidance = None
    if vgg16 is None and recipe.guidance_steps:
        with stage(f"seed {seed}: guidance") as progress:
            guidance, _ = train_guidance(
                recipe, data, seed=seed, folder=folder / "guidance", engine=engine, progress=progress
            )
    networks: dict[str, tuple[nn.Module, nn.Module | None]] = {"coarse": (coarse, None)}
    for method, build in METHODS.items():
        torch.manual_seed(seed)
        network = build(width=recipe.width, channels=recipe.channels, norm=vgg16 is None)
        if vgg16 is not None:
            network.guidance.load_vgg16(vgg16)
        elif guidance is not None:
            take_guidance(network, guidance)
        with stage(f"seed {seed}: {method}") as progress:
            train_spn(
                recipe, data, coarse, network, seed=seed, folder=folder / method.split()[0], engine=engine,
                progress=progress,
            )
        networks[method] = coarse, network
    return networks


def _score(
    method: str, segment: Segment, tests: Iterable[tuple[str, Dataset]], ious: Cells, near: Cells
) -> None:
    for test, photographs in tests:
        scores = evaluate_masks(segment, photographs)
        for cells, name in ((ious, "refined"), (near, "refined_near_boundary")):
            cells.setdefault(method, {}).setdefault(test, []).append(round(scores.mean(name), 5))


def _mean_masks(root: str | os.PathLike[str] | None) -> dict[str, list[float]]:
    """The mean mask of each real training set, on the test sets of its kind."""
    of: dict[str, Dataset] = {"selfie": selfie("train", root=root), "CCP": ccp("train", root=root)}
    means = {name: mean_mask(photographs) for name, photographs in of.items()}
    return {
        test: [round(float(np.mean(mean_mask_iou(means[name], photographs))), 5)]
        for test, photographs in held_back(True, root)
        for name in means
        if test.startswith(name)
    }
