# SPDX-License-Identifier: GPL-3.0-or-later
"""From data to the depth networks with their cards: train the stages, measure them once on test data, write all of it.

OUT/coarse, ranking, consistency    checkpoints, curves
OUT/seed-N/coarse, ...              the same from other seeds, which tell the spread of the scores
OUT/depth-coarse.*, depth-spn.*     weights and cards
OUT/depth-ranking.*                 the SPN before Eq. 3, which Fig. 8 shows beside
OUT/depth.json                      recipe, counts, training, test scores: what the cards and tables are made from
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dofkit.coarse.network import CoarseNetwork
from dofkit.datasets import scenes
from dofkit.datasets.scene_cache import Kind
from dofkit.depth import DepthEstimator
from dofkit.depth_evaluation import evaluate_depths
from dofkit.engines import Engine, TrainingError
from dofkit.files import write_bytes
from dofkit.guidance import VGG_WIDTH
from dofkit.provenance import source_hash
from dofkit.recipes.cards import NAMES, depth_card
from dofkit.recipes.depth import RECIPES, DepthRecipe, gather, train_coarse, train_spn
from dofkit.recipes.making import Stage, claim, told
from dofkit.refining import BUILDERS
from dofkit.spn import SpatialPropagation
from dofkit.training import Run
from dofkit.weights import load_weights, metadata, save_weights, shipped

REPORT = "depth.json"
SCENES = 100
"""Test scenes of each kind."""

TESTS: tuple[tuple[str, Kind, tuple[int, int]], ...]
TESTS = ("selfie", "selfie", (256, 192)), ("whole body", "whole-body", (256, 168))
"""Their names, kinds and sizes."""


@dataclass(frozen=True)
class Trained:
    """What one seed came to.

    Attributes
    ----------
    coarse : the coarse network.
    spns : the SPN after each of its stages, "ranking" and "consistency".
    runs : the trainings, by stage.
    photographs : how many there were to learn from and to choose by, of each pool.
    """

    coarse: CoarseNetwork
    spns: Mapping[str, SpatialPropagation]
    runs: Mapping[str, Run]
    photographs: Mapping[str, list[int]]


def make_depth(
    profile: str,
    folder: Path,
    *,
    engine: Engine,
    stage: Stage,
    root: str | os.PathLike[str] | None = None,
    seed: int = 0,
    start: Path | None = None,
) -> dict[str, Any]:
    """Train, evaluate and write the depth networks of a profile; goes on where it was interrupted.

    They begin as segmentation networks, and have their sizes.

    Parameters
    ----------
    profile, folder, engine, stage, root, seed
        As for `make_segmentation`.
    start
        Folder of a segmentation training to begin as; by default the networks that come with the kit, which are
        narrower than the paper's.

    Returns
    -------
    dict
        What stands in `depth.json`.

    Raises
    ------
    DataError, TrainingError, WeightsError
        See there; what is already made stays.
    """
    recipe = RECIPES[profile]
    arguments = {kind: metadata(_begun(kind, start)).arguments for kind in NAMES}
    if profile == "paper" and arguments["spn"]["width"] < VGG_WIDTH:
        raise TrainingError("profile paper begins as segmentation networks of the paper's width: make them with "
                            "`dofkit train segmentation --profile paper`, and name their folder with --segmentation")
    claim(folder, {"profile": profile, "seed": seed}, engine, report=REPORT)
    seeds = range(seed, seed + recipe.seeds)
    made = [_train(recipe, folder if each == seed else folder / f"seed-{each}", engine=engine, stage=stage, root=root,
                   seed=each, start=start) for each in seeds]
    first = made[0]
    report = {
        "profile": profile,
        "seed": seed,
        "source": source_hash(),
        "recipe": asdict(recipe),
        "photographs": first.photographs,
        "training": {name: told(run, engine) for name, run in first.runs.items()},
    }
    if engine.main:
        tests = []
        for each, trained in zip(seeds, made, strict=True):
            with stage(f"evaluation, seed {each}"):
                tests.append({name: scores(trained.coarse, spn, recipe.shown) for name, spn in trained.spns.items()})
        report |= {"test": tests[0], "other seeds": tests[1:]}
        _write(folder, {"coarse": first.coarse, "ranking": first.spns["ranking"], "spn": first.spns["consistency"]},
               arguments, report)
    return report


def _train(
    recipe: DepthRecipe, folder: Path, *, engine: Engine, stage: Stage, root: str | os.PathLike[str] | None, seed: int,
    start: Path | None,
) -> Trained:
    """All stages from one seed."""
    with stage(f"reading photographs, seed {seed}"):
        data = gather(recipe, root=root, seed=seed)
    how: dict[str, Any] = {"seed": seed, "engine": engine}
    with stage("coarse depth") as progress:
        coarse, run = train_coarse(recipe, data, person_network(start), folder=folder / "coarse", progress=progress,
                                   **how)
    spn, runs, spns = untrained_spn(seed, start), {"coarse": run}, {}
    for name in ("ranking", "consistency"):
        with stage(name) as progress:
            runs[name] = train_spn(recipe, data, coarse, spn, consistent=name == "consistency", folder=folder / name,
                                   progress=progress, **how)
        spns[name] = copy.deepcopy(spn).eval()
    counts = {"train": [len(pool) for pool in data.train], "validation": [len(pool) for pool in data.validation]}
    return Trained(coarse, spns, runs, counts)


def person_network(start: Path | None = None) -> CoarseNetwork:
    """The segmentation's coarse network, which depth begins as."""
    network = load_weights(_begun("coarse", start), BUILDERS)
    assert isinstance(network, CoarseNetwork)
    return network


def untrained_spn(seed: int, start: Path | None = None) -> SpatialPropagation:
    """An SPN whose guidance is the segmentation's; the propagation and what is around it start from nothing."""
    learned = load_weights(_begun("spn", start), BUILDERS)
    assert isinstance(learned, SpatialPropagation)
    torch.manual_seed(seed)
    spn = SpatialPropagation(**metadata(_begun("spn", start)).arguments)
    kept = {name: value for name, value in learned.state_dict().items() if name.startswith("guidance.")}
    spn.load_state_dict(kept, strict=False)
    return spn


def _begun(kind: str, start: Path | None) -> Path:
    """The file of the segmentation's network of a kind."""
    return shipped(NAMES[kind]) if start is None else start / f"{NAMES[kind]}.safetensors"


def scores(coarse: nn.Module, spn: nn.Module, heights: Sequence[int]) -> dict[str, Any]:
    """Scores of a pair of networks on the test scenes."""
    estimate = DepthEstimator(coarse, spn, heights=heights)
    return {
        f"scenes, {name}": evaluate_depths(
            estimate, scenes(SCENES, split="test", kind=kind, size=size), metric=True).report()
        for name, kind, size in TESTS
    }


def _write(
    folder: Path, networks: Mapping[str, nn.Module], arguments: Mapping[str, dict[str, Any]], report: Mapping[str, Any]
) -> None:
    for name, network in networks.items():
        kind = "coarse" if name == "coarse" else "spn"
        save_weights(folder / f"depth-{name}.safetensors", network, network=kind, arguments=arguments[kind],
                     card=depth_card(name, report))
    write_bytes(folder / REPORT, (json.dumps(report, indent=1) + "\n").encode())
