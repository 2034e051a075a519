# SPDX-License-Identifier: GPL-3.0-or-later
"""Ordinal labels (section 3.2) where nobody clicked on points: from an exact depth, or from the mask of a person.

What the mask of a person who stands on the ground tells of depth, without any other knowledge of the photograph:

    behind    a background pixel above the lowest point of the person is farther than the person
    before    a background pixel below it is nearer: the ground before the feet
    ground    of two background pixels at the height of the feet or below, the lower one is nearer
    far       a background pixel above the person's middle is farther than one at the height of the feet or below

The first holds for all photographs; the others need the feet, and are not used where the mask reaches the lower edge.
Each has exceptions (a table before the person, a wall beside the feet): they are labels with noise, as clicks are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

MARGIN = 0.03
"""Heights that count as different, in picture heights; and depths, in logarithms."""

REACH = 0.08
"""Half of the pairs lie no farther apart than this, in picture heights: they say where depth steps."""

Pairs = NDArray[np.int64]


def orders_from_depth(
    depth: NDArray[np.float32], n: int, rng: np.random.Generator, *, close: bool = True
) -> Pairs:
    """Pairs of points whose depths differ by more than 3 %.

    Parameters
    ----------
    depth
        (H, W), positive, larger = farther.
    n
        How many are drawn; pairs at nearly equal depth fall away.
    rng
        The only source of chance.
    close
        Whether every second pair is drawn from points close to each other, for learning.

    Returns
    -------
    ndarray
        (at most n, 5) rows (y_i, x_i, y_j, x_j, gamma).

    Examples
    --------
    >>> pairs = orders_from_depth(np.geomspace(1, 8, 40, dtype=np.float32)[:, None].repeat(30, 1), 50,
    ...                           np.random.default_rng(0))
    >>> bool((np.sign(pairs[:, 0] - pairs[:, 2]) == pairs[:, 4]).all())
    True
    """
    size = np.array(depth.shape)
    i = rng.integers(0, size, (n, 2))
    j = rng.integers(0, size, (n, 2))
    if close:
        step = np.rint(rng.uniform(-REACH, REACH, (n, 2)) * size[0]).astype(np.int64)
        j[1::2] = (i + step).clip(0, size - 1)[1::2]
    ratio = np.log(depth[i[:, 0], i[:, 1]] / depth[j[:, 0], j[:, 1]])
    known = np.abs(ratio) > MARGIN
    return np.column_stack([i, j, np.sign(ratio)])[known].astype(np.int64)


def orders_from_mask(mask: NDArray[np.bool_], n: int, rng: np.random.Generator) -> Pairs:
    """Pairs of points by the four rules above, as many of each; every second one of "behind" is close to the outline.

    Parameters
    ----------
    mask
        (H, W), True on the person.
    n
        How many are drawn; a pair of two points at nearly one height falls away where height decides.
    rng
        The only source of chance.

    Returns
    -------
    ndarray
        (at most n, 5) rows (y_i, x_i, y_j, x_j, gamma); none without a person or without a background.

    Examples
    --------
    >>> standing = np.zeros((30, 20), bool); standing[5:20, 8:12] = True
    >>> pairs = orders_from_mask(standing, 40, np.random.default_rng(0))
    >>> above, person = pairs[:10, :2], pairs[:10, 2:4]
    >>> bool((above[:, 0] < 20).all() and standing[tuple(person.T)].all() and (pairs[:10, 4] == 1).all())
    True
    """
    if not mask.any():
        return np.empty((0, 5), np.int64)
    rows = np.arange(len(mask))[:, None]
    top, feet = np.flatnonzero(mask.any(1))[[0, -1]]
    margin = max(1, round(MARGIN * len(mask)))
    behind, before, far = (~mask & where for where in (
        rows < feet - margin, rows > feet + margin, rows < (top + feet) // 2))
    ground = ~mask & (rows >= feet - margin)
    kinds = [(behind, mask), (mask, before), (ground, ground), (far, ground)]
    if feet + margin >= len(mask):  # the feet are not in the picture
        kinds = kinds[:1]
    kinds = [kind for kind in kinds if all(part.any() for part in kind)]
    drawn = [np.column_stack([_points(first, n // len(kinds), rng), _points(second, n // len(kinds), rng)])
             for first, second in kinds]
    if kinds and kinds[0][0] is behind:
        drawn[0][::2] = _across(behind, mask, len(drawn[0][::2]), rng)
    if not drawn:
        return np.empty((0, 5), np.int64)
    gamma = [np.sign(pairs[:, 2] - pairs[:, 0]) * (np.abs(pairs[:, 2] - pairs[:, 0]) > margin)
             if first is ground else np.ones(len(pairs), np.int64)
             for pairs, (first, _) in zip(drawn, kinds, strict=True)]
    pairs = np.column_stack([np.concatenate(drawn), np.concatenate(gamma)]).astype(np.int64)
    return pairs[pairs[:, 4] != 0]


def _points(where: NDArray[np.bool_], n: int, rng: np.random.Generator) -> Pairs:
    """(n, 2) pixels at random among those that are True."""
    there = np.argwhere(where)
    return there[rng.integers(len(there), size=n)]


def _across(behind: NDArray[np.bool_], mask: NDArray[np.bool_], n: int, rng: np.random.Generator) -> Pairs:
    """(n, 4): a background pixel close to the outline, and the person's pixel nearest to it."""
    distance, nearest = distance_transform_edt(~mask, return_indices=True)
    close = behind & (distance <= REACH * len(mask))
    outside = _points(close if close.any() else behind, n, rng)
    return np.column_stack([outside, nearest[:, outside[:, 0], outside[:, 1]].T])
