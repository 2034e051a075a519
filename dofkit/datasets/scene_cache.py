# SPDX-License-Identifier: GPL-3.0-or-later
"""The scenes of `dofkit.scenes` as a data set: rendered when first asked for, then kept on disk.

    CACHE/scenes/v1/train-whole-body-128x128/000017.npz

CACHE is `dofkit.cache.cache_dir()`, v1 the VERSION of the scenes. A file is put in place whole: several
processes may fill one cache, and any of them may be killed. What cannot be read is rendered anew.
"""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dofkit.arrays import pack_arrays, read_arrays
from dofkit.cache import cache_dir
from dofkit.datasets.item import DataError, Dataset, Item
from dofkit.files import write_bytes
from dofkit.parts import remove_abandoned
from dofkit.photo import PhotoError
from dofkit.scenes import VERSION, portrait_scene

Kind = Literal["selfie", "whole-body"]
Split = Literal["train", "validation", "test"]

PAIRS = 256
"""Ordinal pairs kept with each scene."""


def scenes(n: int, *, split: Split, kind: Kind, size: tuple[int, int] = (128, 128)) -> Dataset:
    """The first `n` scenes of a split, with mask, depth in metres and `PAIRS` ordinal pairs.

    Parameters
    ----------
    n
        How many; scene i is the same whatever `n` is.
    split
        "train", "validation" or "test": their seeds are disjoint, and some things are seen in "test" only.
    kind
        "selfie" or "whole-body".
    size
        (H, W) in pixels.

    Returns
    -------
    Dataset
        Images hold 8-bit values, as a photograph's file would.

    Raises
    ------
    DataError
        If no folder for the cache can be written to.

    Examples
    --------
    >>> item = scenes(1, split="test", kind="selfie", size=(48, 36))[0]
    >>> item.shape, item.pairs.shape, item.name
    ((48, 36), (256, 5), 'test/selfie/0')
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, not {n}")
    try:
        folder = cache_dir() / "scenes" / f"v{VERSION}" / f"{split}-{kind}-{size[0]}x{size[1]}"
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"nowhere to keep the scenes: {error}") from error
    remove_abandoned(folder)
    reader = partial(_read, folder, split, kind, size)
    name = f"scenes, {kind}, {split}, {size[1]} x {size[0]}"
    return Dataset(name, range(n), reader, {"rendered by code": n})


def _read(folder: Path, split: Split, kind: Kind, size: tuple[int, int], seed: int) -> Item:
    path, name = folder / f"{seed:06d}.npz", f"{split}/{kind}/{seed}"
    item = _load(path, size, name)
    if item is None:
        item = _render(split, kind, size, seed, name)
        try:
            write_bytes(path, _packed(item))
        except PhotoError as error:
            warnings.warn(f"a scene is not kept: {error}", RuntimeWarning, stacklevel=2)
    return item


def _render(split: Split, kind: Kind, size: tuple[int, int], seed: int, name: str) -> Item:
    scene = portrait_scene(seed, size, kind=kind, split=split)
    points, gamma = scene.ordinal_pairs(PAIRS, np.random.default_rng([VERSION, seed]))
    pairs = np.column_stack([points.reshape(-1, 4), gamma])
    image = np.divide(np.rint(scene.image * 255), 255, dtype=np.float32)
    return Item(image, scene.mask, scene.depth, pairs, name)


def _packed(item: Item) -> bytes:
    known = {what: getattr(item, what) for what in ("mask", "depth", "pairs")}
    return pack_arrays(image=np.rint(item.image * 255).astype(np.uint8), **known)


def _load(path: Path, size: tuple[int, int], name: str) -> Item | None:
    """The kept item, or None if there is none that is whole."""
    kept: dict[str, Any] | None = read_arrays(path, ["image", "mask", "depth", "pairs"])
    if kept is None or kept["image"].dtype != np.uint8:
        return None
    image = np.divide(kept.pop("image"), 255, dtype=np.float32)
    try:
        item = Item(image, **kept, name=name)
    except DataError:
        return None
    return item if item.shape == tuple(size) else None
