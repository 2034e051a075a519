# SPDX-License-Identifier: GPL-3.0-or-later
"""From data to weights with a card: train both stages, measure them once on test data, write all of it.

OUT/coarse, guidance, spn         checkpoints, curves
OUT/segmentation-coarse.*         weights and card
OUT/segmentation-spn.*            weights and card
OUT/segmentation.json             recipe, counts, training, test scores: what the cards and tables are made from
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from dofkit.datasets import Dataset, Item, ccp, scenes, selfie
from dofkit.engines import Engine, TrainingError
from dofkit.evaluation import evaluate_masks
from dofkit.files import write_bytes
from dofkit.guidance import VGG_WIDTH
from dofkit.provenance import source_hash
from dofkit.recipes.cards import NAMES, card
from dofkit.recipes.segmentation import (
    RECIPES,
    empty_windows,
    gather,
    take_guidance,
    train_coarse,
    train_guidance,
    train_spn,
)
from dofkit.refining import BUILDERS, HEIGHTS
from dofkit.segmentation import Segmenter
from dofkit.spn import SpatialPropagation
from dofkit.training import Progress, Run
from dofkit.weights import WeightsError, load_weights, save_weights

Stage = Callable[[str], AbstractContextManager[Progress | None]]
"""Announces a stage of the work by its name, for as long as it lasts, and gives what shows its progress."""

REPORT = "segmentation.json"
SCENES = 100
BESIDE = "beside people, CCP val"


def make_segmentation(
    profile: str,
    folder: Path,
    *,
    engine: Engine,
    stage: Stage,
    root: str | os.PathLike[str] | None = None,
    seed: int = 0,
    vgg16: Path | None = None,
) -> dict[str, Any]:
    """Train, evaluate and write the segmentation networks of a profile; goes on where it was interrupted.

    Parameters
    ----------
    profile
        "quick", "full" or "paper".
    folder
        Where everything goes; one for each profile and seed.
    engine
        Where it runs; in several processes only the main one evaluates and writes.
    stage
        See `Stage`.
    root
        Folder of the data sets, for profiles that read them.
    vgg16
        File of VGG-16's weights to start the guidance's encoder from.

    Returns
    -------
    dict
        What stands in `segmentation.json`.

    Raises
    ------
    DataError, TrainingError, WeightsError
        See there; what is already made stays.
    """
    recipe = RECIPES[profile]
    claim(folder, {"profile": profile, "seed": seed}, engine)
    spn = _untrained(profile, seed, vgg16)  # before hours of work: the file may be of no use
    with stage("reading photographs"):
        data = gather(recipe, root=root, seed=seed)
    with stage("coarse network") as progress:
        coarse, coarse_run = train_coarse(
            recipe, data, seed=seed, folder=folder / "coarse", engine=engine, progress=progress
        )
    runs = {"coarse": coarse_run}
    if vgg16 is None and recipe.guidance_steps:
        with stage("guidance") as progress:
            guidance, runs["guidance"] = train_guidance(
                recipe, data, seed=seed, folder=folder / "guidance", engine=engine, progress=progress
            )
        take_guidance(spn, guidance)
    with stage("SPN") as progress:
        runs["spn"] = train_spn(
            recipe, data, coarse, spn, seed=seed, folder=folder / "spn", engine=engine, progress=progress
        )
    counts = {"train": [len(pool) for pool in data.train], "validation": [len(pool) for pool in data.validation]}
    report = {
        "profile": profile,
        "seed": seed,
        "source": source_hash(),
        "recipe": asdict(recipe),
        "vgg16": None if vgg16 is None else vgg16.name,
        "photographs": counts,
        "training": {name: told(run, engine) for name, run in runs.items()},
    }
    if engine.main:
        arguments = {"width": recipe.width, "channels": recipe.channels, "norm": vgg16 is None}
        networks = {"coarse": (coarse, {"width": recipe.coarse_width}), "spn": (spn, arguments)}
        _write(folder, networks, report)
        with stage("evaluation"):
            report["test"] = evaluate_all(folder, real=recipe.real, root=root, heights=recipe.shown)
        _write(folder, networks, report)
    return report


def claim(folder: Path, identity: Mapping[str, Any], engine: Engine, *, report: str = REPORT) -> None:
    """Make the folder of a training; checkpoints of another one would be taken for its own.

    Raises
    ------
    TrainingError
        If the folder cannot be made, or its report says that something of `identity` was different there.
    """
    file = folder / report
    try:
        folder.mkdir(parents=True, exist_ok=True)
        new = not file.exists()
        there = identity if new else json.loads(file.read_bytes())
        differ = [f"{key} {there[key]}, not {identity[key]}" for key in identity if there[key] != identity[key]]
    except OSError as error:
        raise TrainingError(f"cannot use the folder '{folder}' ({error.strerror or error}): choose another") from error
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise TrainingError(f"'{file}' is damaged: delete it, or name another folder") from error
    if differ:
        raise TrainingError(f"in '{folder}' is a training with {' and '.join(differ)}: "
                            "name another folder for this one")
    if new and engine.main:
        write_bytes(file, (json.dumps(identity, indent=1) + "\n").encode())


def _untrained(profile: str, seed: int, vgg16: Path | None) -> SpatialPropagation:
    recipe = RECIPES[profile]
    torch.manual_seed(seed)
    spn = SpatialPropagation(width=recipe.width, channels=recipe.channels, norm=vgg16 is None)
    if vgg16 is not None:
        begin_as_vgg16(spn, vgg16, profile, recipe.width)
    return spn


def begin_as_vgg16(spn: SpatialPropagation, vgg16: Path, profile: str, width: int) -> None:
    """Give a guidance without normalisation VGG-16's weights, or tell why it cannot have them."""
    if width != VGG_WIDTH:
        raise WeightsError(f"the guidance of profile {profile} is narrower than VGG-16: use profile paper, "
                           "or leave out the VGG-16 weights")
    spn.guidance.load_vgg16(vgg16)


def evaluate_all(
    folder: Path, *, real: bool, root: str | os.PathLike[str] | None = None, heights: Sequence[int] = HEIGHTS
) -> dict[str, Any]:
    """Scores of the weights in a folder, rounded as they were written, on every test set that there is."""
    coarse, spn = (load_weights(folder / f"{name}.safetensors", BUILDERS) for name in NAMES.values())
    segmenter = Segmenter(coarse, spn, heights=heights)
    scores = {name: evaluate_masks(segmenter, photographs).report() for name, photographs in held_back(real, root)}
    windows = empty_windows(ccp("val", root=root), seed=0) if real else []
    if windows:
        scores[BESIDE] = left_empty(segmenter, windows)
    return scores


def held_back(real: bool, root: str | os.PathLike[str] | None) -> Iterator[tuple[str, Dataset]]:
    """What no network has seen: scenes, and the photographs kept for the end.

    The selfie test set comes clean, and with the photographs that also stand in the training list, as others count it.
    """
    yield "scenes, selfie", scenes(SCENES, split="test", kind="selfie", size=(256, 192))
    yield "scenes, whole body", scenes(SCENES, split="test", kind="whole-body", size=(256, 168))
    if real:
        yield "selfie test", selfie("test", root=root)
        yield "selfie test, with leaks", selfie("test", root=root, leaks=True)
        yield "CCP val", ccp("val", root=root)


def left_empty(segmenter: Segmenter, windows: Sequence[Item]) -> dict[str, Any]:
    """On how many photographs of nobody, at least one, the mask stayed empty."""
    empty = [not segmenter(window.image).mask.any() for window in windows]
    return {"photographs": len(empty), "left empty": round(float(np.mean(empty)), 5)}


def _write(folder: Path, networks: Mapping[str, tuple[nn.Module, dict[str, Any]]], report: Mapping[str, Any]) -> None:
    for name, (network, arguments) in networks.items():
        path = folder / f"{NAMES[name]}.safetensors"
        save_weights(path, network, network=name, arguments=arguments, card=card(name, report))
    write_bytes(folder / REPORT, (json.dumps(report, indent=1) + "\n").encode())


def told(run: Run, engine: Engine) -> dict[str, Any]:
    """What a report says of a stage of training."""
    return {
        "steps": run.steps,
        "best step": run.best_step,
        "validation": run.best,
        "seconds": round(run.seconds),
        "device": engine.device.type,
        "precision": engine.precision,
        "processes": engine.processes,
        "curve": list(run.curve),
    }
