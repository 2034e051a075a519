# SPDX-License-Identifier: GPL-3.0-or-later
"""What every data set is: a sequence of items, read one by one when they are asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import index as as_index
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

PathLike = str | os.PathLike[str]


class DataError(ValueError):
    """A data set that is missing, incomplete or broken; the message says what was looked for where."""


@dataclass(frozen=True, eq=False)
class Item:
    """One photograph and what is known about it.

    Attributes
    ----------
    image
        (H, W, 3) float32, sRGB in [0, 1].
    mask
        (H, W) bool, True on the person; None if unknown.
    depth
        (H, W) float32, larger = farther; None if unknown.
    pairs
        (n, 5) int64 rows (y_i, x_i, y_j, x_j, gamma), 0-based pixels of `image`; gamma of Eq. 2 is +1 where
        i is farther than j, -1 where it is nearer; None if the data set has no pairs.
    name
        Tells the photograph within its data set.

    Raises
    ------
    DataError
        If shapes or types do not fit.

    Examples
    --------
    >>> Item(np.zeros((4, 6, 3), np.float32), mask=np.zeros((4, 6), bool), name="black").shape
    (4, 6)
    """

    image: NDArray[np.float32]
    mask: NDArray[np.bool_] | None = None
    depth: NDArray[np.float32] | None = None
    pairs: NDArray[np.int64] | None = None
    name: str = ""

    def __post_init__(self) -> None:
        shape = self.image.shape
        if len(shape) != 3 or shape[2] != 3 or 0 in shape or self.image.dtype != np.float32:
            raise DataError(f"{self.name}: the image is {self.image.dtype} {shape}, not float32 (H, W, 3)")
        for what, values, kind in (("mask", self.mask, np.bool_), ("depth", self.depth, np.float32)):
            if values is not None and (values.shape != shape[:2] or values.dtype != kind):
                raise DataError(f"{self.name}: the {what} is {values.dtype} {_size(values.shape)}, but the "
                                f"image {_size(shape)} (width x height): they do not belong together")
        if self.pairs is not None:
            self._check_pairs(self.pairs)

    def _check_pairs(self, pairs: NDArray[np.int64]) -> None:
        if pairs.ndim != 2 or pairs.shape[1] != 5 or pairs.dtype != np.int64:
            raise DataError(f"{self.name}: pairs are {pairs.dtype} {pairs.shape}, not int64 (n, 5)")
        inside = (pairs[:, :4] >= 0) & (pairs[:, :4] < [*self.shape, *self.shape])
        if not inside.all() or not np.isin(pairs[:, 4], (-1, 1)).all():
            raise DataError(f"{self.name}: a pair lies outside the {_size(self.shape)} picture, or its gamma "
                            "is neither +1 nor -1")

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) in pixels."""
        return self.image.shape[:2]


@dataclass(frozen=True, eq=False)
class Dataset(Sequence[Item]):
    """A sequence of items: `dataset[i]` reads from disk, a slice is a smaller one, `print` shows the counts.

    It holds keys, not pictures, can be pickled, and may be read by several processes at once.

    Attributes
    ----------
    name
        What it is, with its split.
    keys
        One for each item.
    read
        Makes the item of a key.
    counts
        Where the number of items comes from: what was listed, and what was left out and why.

    Examples
    --------
    >>> def grey(level):
    ...     return Item(np.full((2, 2, 3), level, np.float32))
    >>> greys = Dataset("greys", (0.0, 0.5, 1.0), grey, {"listed": 4, "without a file": 1})
    >>> print(greys)
    greys: 3 items (4 listed, 1 without a file)
    >>> float(greys[-1].image.max()), [len(part) for part in greys.hold_out(1, seed=0)]
    (1.0, [2, 1])
    """

    name: str
    keys: Sequence[Any]
    read: Callable[[Any], Item]
    counts: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.keys)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Dataset: ...
    def __getitem__(self, index: int | slice) -> Item | Dataset:
        if isinstance(index, slice):
            return self.pick(range(len(self))[index])
        return self.read(self.keys[as_index(index)])

    def __str__(self) -> str:
        counts = ", ".join(f"{number} {what}" for what, number in self.counts.items())
        return f"{self.name}: {len(self)} items" + (f" ({counts})" if counts else "")

    def pick(self, indices: Iterable[int]) -> Dataset:
        """The items at `indices`, in that order, as a data set."""
        keys = tuple(self.keys[i] for i in indices)
        return Dataset(self.name, keys, self.read, {f"picked from {len(self)}": len(keys)})

    def hold_out(self, n: int, *, seed: int = 0) -> tuple[Dataset, Dataset]:
        """Split off `n` random items: (the rest, the held out), both in the old order.

        The paper holds out 500 of Baidu's 5387 (section 4.1); which 500 is unknown, so the seed belongs to a
        result.

        Raises
        ------
        DataError
            If there are not more than `n` items.
        """
        if not 0 <= n < len(self):
            raise DataError(f"{self.name}: cannot hold out {n} of {len(self)} items and keep one")
        held = set(np.random.default_rng(seed).permutation(len(self))[:n].tolist())
        return self.pick(i for i in range(len(self)) if i not in held), self.pick(sorted(held))


def data_folder(root: PathLike | None, *names: str) -> Path:
    """Where a data set lies: `root/NAME` for the first of `names` that is a folder, else `root` itself.

    Parameters
    ----------
    root
        A folder of data sets, or the data set's own folder; None asks the environment variable DOFKIT_DATA.
    names
        What the data set's folder may be called.

    Raises
    ------
    DataError
        If no folder was given, or it does not exist.
    """
    given = os.environ.get("DOFKIT_DATA") if root is None else root
    advice = f"set DOFKIT_DATA (or root, --data-root) to the folder that holds {names[0]}/"
    if not given:
        raise DataError(f"nobody said where {names[0]}/ is: {advice}")
    base = Path(given).expanduser()
    if not base.is_dir():
        raise DataError(f"looked for {names[0]}/ in {base}, which is no folder: {advice}")
    return next((base / name for name in names if (base / name).is_dir()), base)


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]} x {shape[0]}" if len(shape) >= 2 else str(shape)
