# SPDX-License-Identifier: GPL-3.0-or-later
"""Training pairs of the RNN filter (section 4.1): photographs, and what the CRF renderer makes of them.

    OUT/pairs.json               the recipe that the folder is of
    OUT/train/ccp-000017.npz     image, mask m, radius r, result B: one file each, whole or not there

The paper renders 5K photographs of the Baidu set. Here they come from scenes, with their exact mask and depth, and,
where there is a data root, from the training parts of CCP and the selfie set, with what the networks estimate. The
largest radius is drawn at random for each training pair, so that the filter learns to be told.

Making a pair is one function of a small, picklable task: processes of this machine share the tasks by default, and
those of several machines through Dask (`pip install 'dofkit[dask]'`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from dofkit import render
from dofkit.arrays import pack_arrays, read_arrays
from dofkit.coarse import Mode
from dofkit.datasets import DataError, Dataset, Item, ccp, resize, scenes, selfie
from dofkit.datasets.item import PathLike
from dofkit.datasets.scene_cache import Kind, Split
from dofkit.files import PhotoError, write_bytes
from dofkit.filtering import blur_radius
from dofkit.parts import remove_abandoned
from dofkit.pipeline import PortraitMode
from dofkit.workers import Share

RECIPE = "pairs.json"
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
SOURCES = ("scenes-whole-body", "scenes-selfie", "selfie", "ccp")
STRENGTH = 0.5, 1.5
"""Range of the largest radius of a training pair, in units of the default one."""


@dataclass(frozen=True)
class PairRecipe:
    """The numbers of a profile.

    Attributes
    ----------
    side : long side of the pictures in pixels.
    scenes, selfies, bodies : scenes of each kind, photographs of the selfie set and of CCP, to learn from.
    held_out : of each, to choose by; and to be scored once, from the test parts.
    """

    side: int
    scenes: int
    selfies: int
    bodies: int
    validation: int
    test: int


RECIPES = {
    "quick": PairRecipe(160, 8, 0, 0, 2, 2),
    "full": PairRecipe(480, 60, 100, 220, 8, 50),
    "paper": PairRecipe(512, 100, 1000, 3800, 50, 50),
}


@dataclass(frozen=True, eq=False)
class Pair:
    """A photograph and the portrait that the CRF renderer made of it.

    Attributes
    ----------
    image, result : (H, W, 3) uint8, sRGB: I and B.
    mask : (H, W) uint8, m times 255, before matting.
    radius : (H, W) float16, the radius of the blur asked for, in pixels.
    """

    image: NDArray[np.uint8]
    result: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    radius: NDArray[np.float16]

    def arrays(self) -> tuple[NDArray[np.float32], ...]:
        """Image, result, mask and radius, float32, all but the radius in [0, 1]."""
        image, result, m = (np.divide(x, 255, dtype=np.float32) for x in (self.image, self.result, self.mask))
        return image, result, m, self.radius.astype(np.float32)


@dataclass(frozen=True, eq=False)
class Task:
    """A pair to be made: item `index` of a data set, rendered at a strength, goes to `file`."""

    dataset: Dataset
    index: int
    exact: bool
    side: int
    strength: float
    file: Path


def plan(recipe: PairRecipe, folder: Path, *, root: PathLike | None, seed: int) -> list[Task]:
    """The tasks of a recipe; a seed's task is the same whoever does it, and when.

    Raises
    ------
    DataError
        If photographs are asked for and the data sets are not there, or hold too few.
    """
    tasks = []
    for split, counts in _wanted(recipe).items():
        for name, (dataset, exact) in _sources(recipe, split, root, seed).items():
            n = counts[name.split("-")[0]]
            if n > len(dataset):
                raise DataError(f"{dataset.name} has {len(dataset)} photographs, but {n} are asked for")
            rng = np.random.default_rng([seed, SPLITS.index(split), SOURCES.index(name)])
            strengths = rng.uniform(*STRENGTH, n) if split == "train" else np.ones(n)
            tasks += [Task(dataset, i, exact, recipe.side, float(strengths[i]), folder / split / f"{name}-{i:06d}.npz")
                      for i in range(n)]
    return tasks


def _wanted(recipe: PairRecipe) -> dict[Split, dict[str, int]]:
    """How many pairs of each source belong to a split."""
    real = bool(recipe.selfies or recipe.bodies)
    rest: tuple[tuple[Split, int], ...] = (("validation", recipe.validation), ("test", recipe.test))
    wanted: dict[Split, dict[str, int]]
    wanted = {"train": {"scenes": recipe.scenes, "selfie": recipe.selfies, "ccp": recipe.bodies}}
    return wanted | {split: {"scenes": n, "selfie": n * real, "ccp": n * real} for split, n in rest}


def asked(recipe: PairRecipe) -> dict[Split, int]:
    """How many pairs of each split a recipe asks for; a folder may hold fewer, since a photograph may fail.

    >>> asked(RECIPES["full"])
    {'train': 440, 'validation': 32, 'test': 200}
    """
    return {split: sum(counts[name.split("-")[0]] for name in SOURCES) for split, counts in _wanted(recipe).items()}


def _sources(recipe: PairRecipe, split: Split, root: PathLike | None, seed: int) -> dict[str, tuple[Dataset, bool]]:
    """For each source its data set, and whether its mask and depth are exact.

    Photographs to choose by are held out of the training parts; those to be scored are of the test parts.
    """
    side, counts = recipe.side, _wanted(recipe)[split]
    found: dict[str, tuple[Dataset, bool]] = {}
    kinds: tuple[tuple[Kind, int], ...] = ("whole-body", side * 2 // 3), ("selfie", side * 3 // 4)
    for kind, width in kinds:
        found[f"scenes-{kind}"] = scenes(counts["scenes"], split=split, kind=kind, size=(side, width)), True
    if counts["selfie"]:
        tested = selfie("test", root=root) if split == "test" else selfie("train", root=root)
        found["selfie"] = _part(tested, split, recipe, seed), False
    if counts["ccp"]:
        tested = ccp("val", root=root) if split == "test" else ccp("train", root=root)
        found["ccp"] = _part(tested, split, recipe, seed), False
    return found


def _part(photographs: Dataset, split: Split, recipe: PairRecipe, seed: int) -> Dataset:
    """What belongs to a split, of the test part or of the training part."""
    if split == "test":
        return photographs.hold_out(recipe.test, seed=seed)[1]
    rest, held = photographs.hold_out(recipe.validation, seed=seed)
    return held if split == "validation" else rest


def make_pair(task: Task) -> str | None:
    """Render one pair into its file; returns why it could not be, or None. What is there already stays."""
    cv2.setNumThreads(1)
    if read_pair(task.file) is not None:
        return None
    try:
        write_bytes(task.file, pack_arrays(**vars(rendered(_resized(task.dataset[task.index], task.side), task))))
    except PhotoError as error:
        if isinstance(error.__cause__, OSError):
            raise
        return str(error)
    except DataError as error:
        return str(error)
    return None


def rendered(item: Item, task: Task) -> Pair:
    """The pair of a photograph."""
    given = (item.mask, item.depth) if task.exact else (None, None)
    mask = None if given[0] is None else given[0].astype(np.float32)
    kind: Mode = "selfie" if "selfie" in task.file.name else "whole-body"
    share = render.SELFIE_RADIUS if kind == "selfie" else render.WHOLE_BODY_RADIUS
    largest = task.strength * share * max(item.shape)
    mode = PortraitMode(mode=kind, max_radius=largest)
    portrait = mode(item.image, mask, given[1] if kind == "whole-body" else None)
    radius = blur_radius(portrait.depth, portrait.mask, mode.K, largest)
    image, result, m = (np.rint(255 * x).astype(np.uint8) for x in (portrait.image, portrait.result, portrait.mask))
    return Pair(image, result, m, radius.astype(np.float16))


def make_pairs(
    profile: str,
    folder: Path,
    *,
    root: PathLike | None = None,
    seed: int = 0,
    run: Share[Task, str | None],
    progress: Callable[[int, int], object] | None = None,
) -> dict[str, Any]:
    """Make all pairs of a profile that are not there yet.

    Parameters
    ----------
    profile : "quick", "full" or "paper".
    folder : made if missing; one for each profile and seed.
    root : folder of the data sets.
    run : shares the tasks out, `dofkit.workers.in_processes` or `by_dask`.
    progress : called as (done, of).

    Returns
    -------
    dict
        profile, seed, recipe, how many there are of each split, and the failures: name of the pair and reason.

    Raises
    ------
    DataError, PhotoError
        The data sets are missing; the folder holds other pairs, or cannot be written.
    """
    recipe = RECIPES[profile]
    told = {"profile": profile, "seed": seed, "recipe": asdict(recipe)}
    _claim(folder, told)
    tasks = plan(recipe, folder, root=root, seed=seed)
    failures = []
    for done, (number, problem) in enumerate(run(make_pair, tasks), 1):
        if problem is not None:
            failures.append({"name": tasks[number].file.stem, "reason": problem})
        if progress is not None:
            progress(done, len(tasks))
    _sweep(folder)
    failures.sort(key=lambda failure: failure["name"])
    return told | {"pairs": {split: len(files(folder, split)) for split in SPLITS}, "failures": failures}


def files(folder: Path, split: str) -> list[Path]:
    """The pairs of a split, sorted."""
    return sorted((folder / split).glob("*.npz"))


def read_pair(file: Path) -> Pair | None:
    """The pair in a file, or None if there is none that is whole."""
    kept = read_arrays(file, ["image", "result", "mask", "radius"])
    if kept is None:
        return None
    pair = Pair(**kept)  # type: ignore[arg-type]
    shape = pair.mask.shape
    kinds = {name: values.dtype for name, values in kept.items()}
    fits = (len(shape) == 2 and pair.image.shape == pair.result.shape == (*shape, 3) and pair.radius.shape == shape
            and kinds == {"image": np.uint8, "result": np.uint8, "mask": np.uint8, "radius": np.float16})
    return pair if fits else None


def _resized(item: Item, side: int) -> Item:
    """The item with a long side of `side`; scenes are made at their size."""
    scale = side / max(item.shape)
    shape = (round(scale * item.shape[0]), round(scale * item.shape[1]))
    if shape == item.shape:
        return item
    small = resize(item, shape)
    return replace(small, image=small.image.clip(0, 1))  # means of pixels, but for rounding by 1e-7


def _claim(folder: Path, told: dict[str, Any]) -> None:
    """Make the folder, or refuse one with pairs of another recipe."""
    file = folder / RECIPE
    try:
        for split in SPLITS:
            (folder / split).mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        there = json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
    except OSError as error:
        raise PhotoError(f"cannot use the folder '{folder}' ({error.strerror or error}): choose another") from error
    except (ValueError, RecursionError) as error:
        raise PhotoError(f"'{file}' is damaged: delete it, or name another folder") from error
    if there is None:
        write_bytes(file, (json.dumps(told, indent=1) + "\n").encode())
    elif there != told:
        raise PhotoError(f"'{folder}' holds pairs of another profile, seed or version: name another folder")


def _sweep(folder: Path) -> None:
    """Remove what processes that were killed had begun to write."""
    for split in SPLITS:
        remove_abandoned(folder / split)
