# SPDX-License-Identifier: GPL-3.0-or-later
"""Depth in the Wild (Chen et al. 2016 [7]): one pair of points an image, and which of the two is farther.

    DIW's own files            re-packed, with a header line
    ./DIW_test/NAME.thumb      path,x,n_point
    yA,xA,yB,xB,>,W,H          ./DIW_test/NAME.thumb,0,1
                               yA,xA,yB,xB,>,W,H                 n_point such lines

Points are 1-based, on the image of W x H pixels. In the authors' files `>` means that A is farther: with
(i, j) = (A, B) that is gamma = +1 of Eq. 2. Some ports read it the other way, so `sign` has no default.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from dofkit.datasets.folders import read_image
from dofkit.datasets.item import DataError, Dataset, Item, PathLike

_Pair = tuple[float, float, float, float, int, int, int]  # y_A, x_A, y_B, x_B, gamma, W, H
_Key = tuple[str, tuple[_Pair, ...]]


def diw(annotations: PathLike, *, sign: Literal[1, -1], images: PathLike | None = None) -> Dataset:
    """Read a DIW annotation file in either format.

    Parameters
    ----------
    annotations
        The CSV file, for instance `DIW_test.csv`.
    sign
        gamma of a pair marked `>`: +1 if that says "A is farther", as the authors' files do, -1 if "A is
        nearer".
    images
        The folder that the paths of the file start from; the file's own folder if None.

    Returns
    -------
    Dataset
        Items with pairs, without masks; images that are not on disk are counted and left out. If an image is
        not of the size that its line states, the points are scaled to it; pairs that then meet are dropped.

    Raises
    ------
    DataError
        If the file is missing or malformed (with the line) or no image is there; on reading an item, if the
        image is broken or a point lies outside it.

    Examples
    --------
    >>> diw("DIW_test.csv", sign=+1, images="no such folder")
    Traceback (most recent call last):
    dofkit.datasets.item.DataError: no DIW annotations: there is no file DIW_test.csv
    """
    if sign not in (1, -1):
        raise ValueError(f"sign must be +1 (`>` means A is farther) or -1, not {sign!r}")
    path = Path(annotations).expanduser()
    if not path.is_file():
        raise DataError(f"no DIW annotations: there is no file {path}")
    base = Path(images).expanduser() if images is not None else path.parent
    listed = list(_records(path, sign))
    there = _existing(base, (name for name, _ in listed))
    keys = [key for key in listed if key[0] in there]
    if not keys:
        example = f", for instance {base / listed[0][0]}" if listed else ""
        raise DataError(f"{path}: none of its {len(listed)} images is in {base}{example}; pass images=FOLDER")
    counts = {"listed": len(listed), "without a file": len(listed) - len(keys),
              "pairs": sum(len(pairs) for _, pairs in keys)}
    return Dataset(f"DIW, {path.name}", keys, partial(_read, base), counts)


def _records(path: Path, sign: int) -> Iterator[_Key]:
    """(name, pairs) of each image; the kind of a line is told by its number of fields."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a readable text file ({error})") from error
    name, wanted = "", 0
    pairs: list[_Pair] = []
    for number, line in enumerate(lines, start=1):
        fields = [field.strip() for field in line.split(",")]
        complete = len(pairs) == wanted or (number == 2 and wanted == 1)  # line 1 may have been a header
        if len(fields) == 7 and len(pairs) < wanted:
            pairs.append(_pair(fields, sign, path, number))
            if len(pairs) == wanted:
                yield name, tuple(pairs)
        elif complete and len(fields) == 1 and fields[0]:
            name, pairs, wanted = fields[0], [], 1
        elif complete and len(fields) == 3 and re.fullmatch("[1-9][0-9]{0,5}", fields[2]):
            name, pairs, wanted = fields[0], [], int(fields[2])
        elif line.strip() and number > 1:  # the first line may be a header
            expected = "a pair" if len(pairs) < wanted else "an image"
            raise DataError(f"{path}, line {number}: expected {expected}, found {line[:60]!r}")
    if len(pairs) < wanted:
        raise DataError(f"{path}: ends before the {wanted} pairs of {name}: the file is cut short")


def _pair(fields: list[str], sign: int, path: Path, number: int) -> _Pair:
    try:
        y_a, x_a, y_b, x_b = (float(field) for field in fields[:4])
        gamma = {">": sign, "<": -sign}[fields[4]]
        width, height = int(fields[5]), int(fields[6])
    except (ValueError, KeyError) as error:
        raise DataError(f"{path}, line {number}: not y_A,x_A,y_B,x_B,> or <,W,H: {fields}") from error
    largest = max(width, height)  # some copies swap the two
    if min(width, height) < 1 or largest > 100_000 or not all(0 < p <= largest for p in (y_a, x_a, y_b, x_b)):
        raise DataError(f"{path}, line {number}: a point outside the picture, or no size of one: {fields}")
    return y_a, x_a, y_b, x_b, gamma, width, height


def _existing(base: Path, names: Iterator[str]) -> set[str]:
    """Those of `names` that are files below `base`, asking each folder once: DIW has 495,000 names."""
    folders: dict[Path, set[str]] = {}
    found = set()
    for name in names:
        path = base / name
        if path.parent not in folders:
            try:
                folders[path.parent] = {file.name for file in path.parent.iterdir()}
            except (OSError, ValueError):  # no such folder, or no possible name of one
                folders[path.parent] = set()
        if path.name in folders[path.parent]:
            found.add(name)
    return found


def _read(base: Path, key: _Key) -> Item:
    name, stated = key
    image = read_image(base / name)
    height, width = image.shape[:2]
    rows = []
    for *points, gamma, w, h in stated:
        # a copy that swapped W and H is not a copy that was resized
        scale = (1.0, 1.0) if (w, h) in ((width, height), (height, width)) else (height / h, width / w)
        rows.append([*(math.floor((p - 0.5) * s) for p, s in zip(points, scale * 2, strict=True)), gamma])
    pairs = np.array(rows, dtype=np.int64).reshape(-1, 5)
    apart = (pairs[:, :2] != pairs[:, 2:4]).any(axis=1)
    return Item(image, pairs=pairs[apart], name=Path(name).stem)
