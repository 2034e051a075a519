# SPDX-License-Identifier: GPL-3.0-or-later
"""Augmentation: "we randomly change the aspect ratio and flip the image" (section 4.1).

Image, mask, depth and pairs move together. Pixel i covers [i, i + 1), so a stretch by s moves its centre
to s (i + 1/2) and a flip to W - (i + 1/2).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dofkit.datasets.item import Item


def augment(item: Item, rng: np.random.Generator, *, aspect: float = 4 / 3, flip: float = 0.5) -> Item:
    """Change the aspect ratio at random, and flip left and right at random; the shape stays.

    The paper names no range. Here one axis, either with the same chance, is stretched by a factor between 1
    and `aspect` (even in its logarithm), and a random window of the old shape is cut out. So no border has to
    be invented, a batch keeps one shape, and up to a quarter of one axis is lost at 4/3.

    Parameters
    ----------
    item
        Image (H, W, 3) with whatever else is known.
    rng
        The only source of chance: the same state gives the same result.
    aspect
        Largest stretch, at least 1; 1 leaves the aspect ratio alone.
    flip
        Probability of a flip, in [0, 1].

    Returns
    -------
    Item
        Of the same shape. Pairs that leave the window, or meet in one pixel, are dropped.

    Raises
    ------
    ValueError
        If `aspect` is below 1 or `flip` no probability.

    Examples
    --------
    >>> ramp = np.linspace(0, 1, 8, dtype=np.float32) * np.ones((8, 1), np.float32)
    >>> flipped = augment(Item(np.dstack([ramp] * 3), depth=ramp), np.random.default_rng(0), aspect=1, flip=1)
    >>> bool((flipped.depth == ramp[:, ::-1]).all())
    True
    """
    if not aspect >= 1:
        raise ValueError(f"aspect must be at least 1, not {aspect}")
    if not 0 <= flip <= 1:
        raise ValueError(f"flip must be a probability, not {flip}")
    axis, stretch = rng.integers(2), np.exp(rng.uniform(0.0, np.log(aspect)))
    size = list(item.shape)
    size[axis] = max(1, round(size[axis] / stretch))
    start = [int(rng.integers(whole - part + 1)) for whole, part in zip(item.shape, size, strict=True)]
    window = _window(item, slice(start[0], start[0] + size[0]), slice(start[1], start[1] + size[1]))
    result = resize(window, item.shape)
    return _flip(result) if rng.random() < flip else result


def resize(item: Item, shape: tuple[int, int]) -> Item:
    """Bring an item to (H, W): image by area or bilinearly, mask by majority, depth by the nearest pixel.

    Depth is not interpolated, since between a person and the wall behind there is nothing.

    Parameters
    ----------
    item
        Of any shape.
    shape
        (H, W) in pixels, each at least 1.

    Returns
    -------
    Item
        Pairs that meet in one pixel are dropped.

    Raises
    ------
    ValueError
        If a side is below 1 px.

    Examples
    --------
    >>> pairs = np.array([[0, 0, 7, 7, 1], [0, 0, 1, 1, -1]])
    >>> small = resize(Item(np.zeros((8, 8, 3), np.float32), pairs=pairs), (4, 4))
    >>> small.shape, small.pairs.tolist()
    ((4, 4), [[0, 0, 3, 3, 1]])
    """
    if min(shape) < 1:
        raise ValueError(f"cannot resize to {shape}: each side needs 1 px")
    if tuple(shape) == item.shape:
        return item
    mask = None if item.mask is None else _scaled(item.mask.astype(np.float32), shape) >= 0.5
    pairs = None
    if item.pairs is not None:
        old, new = np.array(item.shape * 2), np.array(tuple(shape) * 2)
        points = (2 * item.pairs[:, :4] + 1) * new // (2 * old)  # floor(s (i + 1/2)), exactly
        pairs = _apart(np.column_stack([points, item.pairs[:, 4]]))
    depth = None if item.depth is None else _nearest(item.depth, shape)
    return Item(_scaled(item.image, shape), mask, depth, pairs, item.name)


def _window(item: Item, rows: slice, columns: slice) -> Item:
    pairs = item.pairs
    if pairs is not None:
        low, high = np.array([rows.start, columns.start] * 2), np.array([rows.stop, columns.stop] * 2)
        pairs = pairs[((pairs[:, :4] >= low) & (pairs[:, :4] < high)).all(axis=1)]
        pairs = pairs - np.append(low, 0)
    return _cut(item, (rows, columns), pairs)


def _flip(item: Item) -> Item:
    pairs = item.pairs
    if pairs is not None:
        pairs = pairs.copy()
        pairs[:, [1, 3]] = item.shape[1] - 1 - pairs[:, [1, 3]]
    return _cut(item, (slice(None), slice(None, None, -1)), pairs)


def _cut(item: Item, at: tuple[slice, slice], pairs: NDArray[np.int64] | None) -> Item:
    """The maps at `at`, copied: PyTorch takes no array with negative strides."""
    return Item(item.image[at].copy(), None if item.mask is None else item.mask[at].copy(),
                None if item.depth is None else item.depth[at].copy(), pairs, item.name)


def _scaled(values: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    smaller = shape[0] <= values.shape[0] and shape[1] <= values.shape[1]
    method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(values, (shape[1], shape[0]), interpolation=method), dtype=np.float32)


def _nearest(values: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    rows, columns = ((2 * np.arange(new) + 1) * old // (2 * new)
                     for new, old in zip(shape, values.shape, strict=True))
    return values[np.ix_(rows, columns)]


def _apart(pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    return pairs[(pairs[:, :2] != pairs[:, 2:4]).any(axis=1)]
