# SPDX-License-Identifier: GPL-3.0-or-later
"""Clothing Co-Parsing (Yang, Luo, Lin, CVPR 2014): street photographs of whole bodies with labelled pixels.

    photos/0001.jpg   annotations/pixel-level/0001.mat, groundtruth: 0 = background   splits.csv: id,split

It stands in for the Baidu set of section 4.1, which is not to be had. The person is every label above 0:
clothes, skin, hair, bags and shoes.
"""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from dofkit.datasets.folders import read_image
from dofkit.datasets.item import DataError, Dataset, Item, PathLike, data_folder
from dofkit.datasets.matlab import read_mat

Split = Literal["train", "val", "all"]


def ccp(split: Split, *, root: PathLike | None = None) -> Dataset:
    """CCP: 550 px wide photographs of one standing person with a mask, cleaned by `clean_mask`.

    Parameters
    ----------
    split
        "train", "val" or "all". Without a `splits.csv`, a tenth is held out as "val", with seed 0.
    root
        The folder that holds `ccp/`, or that folder itself; DOFKIT_DATA if None.

    Raises
    ------
    DataError
        If the data set or the split is not there; on reading an item, if a file is broken.

    Examples
    --------
    >>> ccp("val", root="no such folder")
    Traceback (most recent call last):
    dofkit.datasets.item.DataError: looked for ccp/ in no such folder, which is no folder: ...
    """
    if split not in ("train", "val", "all"):
        raise ValueError(f'split must be "train", "val" or "all", not {split!r}')
    base = data_folder(root, "ccp", "clothing-co-parsing")
    photos, labels = base / "photos", base / "annotations" / "pixel-level"
    if not photos.is_dir() or not labels.is_dir():
        raise DataError(f"no CCP in {base}: looked for photos/ and annotations/pixel-level/")
    labelled = {path.stem for path in labels.glob("*.mat")}
    on_disk = sorted({path.stem for path in photos.glob("*.jpg")} & labelled)
    whole = Dataset(f"CCP, {split}", on_disk, partial(_read, base), {"labelled": len(labelled)})
    if not on_disk:
        raise DataError(f"no CCP in {base}: no photos/NAME.jpg has an annotations/pixel-level/NAME.mat")
    if split == "all":
        return whole
    if not (base / "splits.csv").is_file():
        rest, held = whole.hold_out(len(on_disk) // 10)
        return held if split == "val" else rest
    listed = _listed(base / "splits.csv", split)
    keys = sorted(listed.intersection(on_disk))
    if not keys:
        raise DataError(f"CCP, {split}: none of the {len(listed)} photographs of splits.csv is in {base}")
    counts = {"listed": len(listed), "without a file": len(listed) - len(keys)}
    return Dataset(whole.name, keys, whole.read, counts)


def clean_mask(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Drop specks below max(60 px, 0.4 % of the largest part) and fill holes below 120 px.

    CCP was labelled by regions of equal colour, some of which lie in the background or left pinholes in the
    person. Larger holes (an arm on the hip) and larger parts (a bag) stay. Parts touch at sides or corners,
    holes at sides.

    Parameters
    ----------
    mask
        (H, W) bool.

    Examples
    --------
    >>> mask = np.zeros((40, 40), bool)
    >>> mask[5:35, 5:35] = True                # the person
    >>> mask[10, 10] = False                   # a pinhole
    >>> mask[0, 0] = True                      # a speck
    >>> int(clean_mask(mask).sum())
    900
    """
    labels, sizes = _components(mask, 8)
    if len(sizes) > 1:
        keep = sizes >= max(60.0, 0.004 * sizes[1:].max())
        keep[0] = False
        mask = keep[labels]
    labels, sizes = _components(~mask, 4)
    outside = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    hole = sizes < 120
    hole[outside] = False  # what touches the border is no hole
    hole[0] = False
    return mask | hole[labels]


def _components(mask: NDArray[np.bool_], connectivity: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """(H, W) labels, 0 where `mask` is False, and the area of each label in px."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=connectivity)
    return labels.astype(np.int32, copy=False), stats[:, cv2.CC_STAT_AREA].astype(np.int32, copy=False)


def _listed(path: Path, split: str) -> set[str]:
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            return {row["id"] for row in csv.DictReader(lines) if row["split"] == split}
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise DataError(f"{path}: not a table with the columns id,split ({error})") from error


def _read(base: Path, stem: str) -> Item:
    labels = read_mat(base / "annotations" / "pixel-level" / f"{stem}.mat", "groundtruth")
    return Item(read_image(base / "photos" / f"{stem}.jpg"), clean_mask(labels > 0), name=stem)
