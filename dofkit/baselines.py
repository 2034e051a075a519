# SPDX-License-Identifier: GPL-3.0-or-later
"""What one gets for nothing: the rows that every learned result must beat.

    mean mask          one mask for every photograph: the mean of the training set's, cut at its best level
    lower is nearer    z_i = -y_i: whatever stands lower in the picture is nearer
    one guided blur    Eq. 4 for every photograph: the mask alone, one radius
    six-bin blur       Eq. 10 without matting and CRF: depth cut into equal steps of the radius, nothing feathered

The first stands in the tables of IoU, the second in those of WHDR, the last two beside the learned filters.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from dofkit import render
from dofkit.datasets import Item, resize
from dofkit.metrics import iou, whdr

_LEVELS = np.arange(1, 20) / 20


def mean_mask(train: Iterable[Item], *, shape: tuple[int, int] = (128, 128)) -> NDArray[np.float32]:
    """The mean of all masks, shifted so that cutting it at 1/2 gives the best mean IoU on `train`.

    Cut at its own 1/2, a mean mask of whole bodies is too thin a stripe: the level is fitted, to 0.05.

    Parameters
    ----------
    train
        Items with masks, of any shapes.
    shape
        (H, W) of the result.

    Returns
    -------
    ndarray
        (H, W) float32 in [0, 1].

    Raises
    ------
    ValueError
        Without a mask.

    Examples
    --------
    >>> left = np.zeros((4, 4), bool); left[:, :2] = True
    >>> items = [Item(np.zeros((4, 4, 3), np.float32), mask=mask) for mask in (left, left, ~left)]
    >>> (mean_mask(items, shape=(1, 4)) > 0.5).tolist()
    [[True, True, False, False]]
    """
    truths = np.array([resize(item, shape).mask for item in train])
    if truths.dtype != bool or not len(truths):
        raise ValueError("a mean mask needs items with masks")
    mean = truths.mean(axis=0, dtype=np.float64)
    scores = [np.mean([iou(mean > level, truth) for truth in truths]) for level in _LEVELS]
    return np.clip(mean - _LEVELS[np.argmax(scores)] + 0.5, 0.0, 1.0).astype(np.float32)


def mean_mask_iou(mask: NDArray[np.float32], test: Iterable[Item]) -> NDArray[np.float64]:
    """(n,) IoU of one mask, stretched to each photograph, with the mask of each of the n test items.

    Examples
    --------
    >>> whole = Item(np.zeros((6, 4, 3), np.float32), mask=np.ones((6, 4), bool))
    >>> mean_mask_iou(np.eye(2, dtype=np.float32) * 0 + 1, [whole]).tolist()
    [1.0]
    """
    with_mask = ((item.shape[::-1], item.mask) for item in test if item.mask is not None)
    return np.array([iou(cv2.resize(mask, size), truth) for size, truth in with_mask])


def lower_is_nearer_whdr(test: Iterable[Item]) -> float:
    """WHDR of "lower in the picture is nearer", in [0, 1], over all pairs together; level pairs are wrong.

    Examples
    --------
    >>> pairs = np.array([[0, 0, 3, 3, +1], [1, 0, 3, 3, -1]])
    >>> lower_is_nearer_whdr([Item(np.zeros((4, 4, 3), np.float32), pairs=pairs)])
    0.5
    """
    pairs = np.concatenate([item.pairs for item in test if item.pairs is not None])
    height, width = pairs[:, [0, 2]].max() + 1, pairs[:, [1, 3]].max() + 1
    return whdr(np.broadcast_to(-np.arange(height, dtype=np.float32)[:, None], (height, width)), pairs)


def one_blur(image: NDArray[np.float32], m: NDArray[np.float32], r: NDArray[np.float32]) -> NDArray[np.float32]:
    """Blur the background once, by the mean radius asked for there: the photograph (H, W, 3), its mask, `blur_radius`.

    >>> grey = np.full((4, 4, 3), 0.5, np.float32)
    >>> bool(np.allclose(one_blur(grey, np.zeros((4, 4), np.float32), np.ones((4, 4), np.float32)), grey))
    True
    """
    return render.render_selfie(image, m, float(np.average(r, weights=1.001 - m)))


def binned_blur(
    image: NDArray[np.float32], m: NDArray[np.float32], r: NDArray[np.float32], *, bins: int = 6
) -> NDArray[np.float32]:
    """Blur the background in bins of the radius, 0 to the largest: what layers are without a model of them."""
    radii = np.linspace(0, float(r.max()), bins)
    labels = np.rint(r * ((bins - 1) / max(float(r.max()), 1e-6))).astype(np.uint8)
    return render.render_layers(image, m, labels, radii, feather=0)
