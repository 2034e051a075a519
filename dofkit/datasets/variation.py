# SPDX-License-Identifier: GPL-3.0-or-later
"""Stronger augmentation than the paper's, for the few photographs there are: turn, zoom, shift, other light.

The paper changes the aspect ratio and flips (`augment`), with 1428 and 4887 photographs at hand and a network that had
seen ImageNet. Ours start from nothing: here the same two changes come with a similarity transform and with light
and colour that another camera could have given.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dofkit.datasets.item import DataError, Item

ASPECT, ZOOM, TURN, SHIFT = 1.3, (0.8, 1.5), 6.0, 0.05


def vary(item: Item, rng: np.random.Generator) -> Item:
    """Turn, zoom, shift, stretch and flip a photograph with its mask and pairs, and change its light; the shape stays.

    Stretch up to 1.3 either way, zoom 0.8 to 1.5 (both even in their logarithm), turn by 6 degrees (standard
    deviation), shift by 5 % of each side and as far as the zoom leaves room; a flip at even chance. What lies outside
    is mirrored.

    Parameters
    ----------
    item
        Image (H, W, 3), mask and pairs; a depth map is not moved, so an item that has one is refused.
    rng
        The only source of chance: the same state gives the same result.

    Returns
    -------
    Item
        Pairs that leave the picture, or meet in one pixel, are dropped.

    Raises
    ------
    DataError
        If the item has a depth map.

    Examples
    --------
    >>> grey = Item(np.full((8, 8, 3), 0.5, np.float32), mask=np.ones((8, 8), bool))
    >>> varied = vary(grey, np.random.default_rng(0))
    >>> varied.shape, bool(varied.mask.all())
    ((8, 8), True)
    """
    if item.depth is not None:
        raise DataError(f"{item.name}: a depth map cannot be varied, only image, mask and pairs")
    movement = _movement(item.shape, rng)
    size = item.shape[::-1]
    image = cv2.warpAffine(item.image, movement, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    mask = item.mask
    if mask is not None:
        moved = cv2.warpAffine(mask.astype(np.float32), movement, size, borderMode=cv2.BORDER_REFLECT_101)
        mask = moved >= 0.5
    pairs = None if item.pairs is None else _moved(item.pairs, movement, item.shape)
    return Item(relight(image, rng), mask, pairs=pairs, name=item.name)


def relight(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Another exposure, white balance, saturation, contrast and, one time in five, a softer lens.

    Parameters
    ----------
    image
        (H, W, 3) float32 in [0, 1].
    rng
        The only source of chance.

    Returns
    -------
    ndarray
        (H, W, 3) float32 in [0, 1].

    Examples
    --------
    >>> relight(np.full((2, 2, 3), 0.5, np.float32), np.random.default_rng(0)).shape
    (2, 2, 3)
    """
    gains = rng.uniform(0.85, 1.18, 3) * np.exp(rng.normal(0, 0.2))
    image = image * gains.astype(np.float32)
    grey = image.mean(axis=-1, keepdims=True)
    saturation = rng.uniform(0.3, 1.5) if rng.random() < 0.9 else 0.0
    image = grey + (image - grey) * np.float32(saturation)
    middle, contrast = image.mean(), np.float32(np.exp(rng.normal(0, 0.2)))
    image = np.clip(middle + (image - middle) * contrast, 0, 1)
    if rng.random() < 0.2:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 1.5))
    return np.asarray(image, np.float32)


def beside_person(item: Item, rng: np.random.Generator, *, share: float = 0.3, tries: int = 20) -> Item | None:
    """A window of the photograph in which nobody is, of the same aspect ratio: what a network must leave empty.

    Parameters
    ----------
    item
        With a mask.
    rng
        The only source of chance.
    share
        Smallest side of the window, as a part of the photograph's; the largest is twice that, or all of it.
    tries
        How often a window is drawn before it is given up.

    Returns
    -------
    Item or None
        None where no empty window was met.

    Raises
    ------
    DataError
        If the item has no mask.

    Examples
    --------
    >>> mask = np.zeros((20, 20), bool); mask[:, 10:] = True
    >>> window = beside_person(Item(np.zeros((20, 20, 3), np.float32), mask=mask), np.random.default_rng(0))
    >>> bool(window.mask.any())
    False
    """
    if item.mask is None:
        raise DataError(f"{item.name}: without a mask nobody knows where the person is not")
    for _ in range(tries):
        part = min(1.0, share * np.exp(rng.uniform(0, np.log(2))))
        height, width = (max(1, round(part * side)) for side in item.shape)
        top, left = (int(rng.integers(whole - side + 1))
                     for whole, side in zip(item.shape, (height, width), strict=True))
        at = slice(top, top + height), slice(left, left + width)
        if not item.mask[at].any():
            return Item(item.image[at].copy(), item.mask[at].copy(), name=f"beside {item.name}")
    return None


def set_before(item: Item, background: Item) -> Item:
    """The person of one photograph before the background of another, which is stretched to the same shape.

    The mask's edge is softened by a pixel, so that a network cannot tell a person by the cut.

    Parameters
    ----------
    item
        With a mask.
    background
        A photograph of nobody.

    Examples
    --------
    >>> person = Item(np.ones((9, 9, 3), np.float32), mask=np.eye(9) > 2)
    >>> float(set_before(person, Item(np.zeros((3, 3, 3), np.float32))).image.max())
    0.0
    """
    if item.mask is None:
        raise DataError(f"{item.name}: without a mask nobody knows what to cut out")
    size = item.shape[::-1]
    behind = cv2.resize(background.image, size, interpolation=cv2.INTER_LINEAR)
    alpha = cv2.GaussianBlur(item.mask.astype(np.float32), (0, 0), 1.0)[..., None]
    return Item(np.asarray(alpha * item.image + (1 - alpha) * behind, np.float32), item.mask, name=item.name)


def _moved(pairs: NDArray[np.int64], movement: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.int64]:
    """The pairs whose points, moved and rounded, are two pixels of the picture."""
    points = pairs[:, :4].reshape(-1, 2)[:, ::-1] @ movement[:, :2].T + movement[:, 2]  # (x, y)
    moved = np.rint(points[:, ::-1]).astype(np.int64).reshape(-1, 4)
    inside = ((moved >= 0) & (moved < np.array(shape * 2))).all(1) & (moved[:, :2] != moved[:, 2:]).any(1)
    return np.column_stack([moved, pairs[:, 4]])[inside]


def _movement(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float64]:
    """(2, 3) affine map of x, y: turned, zoomed, stretched and flipped about a shifted centre."""
    size = np.array(shape[::-1], np.float64)
    zoom = np.exp(rng.uniform(*np.log(ZOOM)))
    stretch = np.exp(rng.uniform(-0.5, 0.5) * np.log(ASPECT))
    angle = np.deg2rad(rng.normal(0, TURN))
    scale = np.array([zoom * stretch, zoom / stretch])
    flip = 1 if rng.random() < 0.5 else -1
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn @ np.diag(scale * [flip, 1])
    room = size * (np.maximum(0, scale - 1) / 2 + SHIFT)
    centre = (size - 1) / 2
    return np.column_stack([linear, centre + rng.uniform(-1, 1, 2) * room - linear @ centre])
