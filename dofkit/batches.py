# SPDX-License-Identifier: GPL-3.0-or-later
"""Training batches: photographs held in memory at one size, drawn and varied by (seed, step) alone.

A step's batch does not depend on the steps before it, so a training that was interrupted goes on with exactly the
batches that it would have seen.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dofkit.datasets import DataError, Item, resize, set_before, vary

Batch = tuple[Tensor, ...]


@dataclass(frozen=True, eq=False)
class Pool:
    """Photographs and masks of one size, 8 bits each.

    Attributes
    ----------
    images
        (n, H, W, 3) uint8, sRGB.
    masks
        (n, H, W) bool.
    share
        Part of the batches that come from this pool, relative to the other pools.

    Examples
    --------
    >>> white = Item(np.ones((4, 3, 3), np.float32), mask=np.ones((4, 3), bool))
    >>> pool = hold([white, white], (4, 3))
    >>> len(pool), pool[0].shape
    (2, (4, 3))
    """

    images: NDArray[np.uint8]
    masks: NDArray[np.bool_]
    share: float = 1.0

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Item:
        return Item(self.images[index].astype(np.float32) / 255, self.masks[index], name=str(index))

    @functools.cached_property
    def of_nobody(self) -> bool:
        """Whether no photograph shows a person."""
        return not self.masks.any()


def hold(items: Iterable[Item], shape: tuple[int, int], *, share: float = 1.0) -> Pool:
    """Read photographs with masks and keep them at (H, W).

    Raises
    ------
    DataError
        If there are none, or one has no mask.
    """
    images, masks = [], []
    for item in items:
        small = resize(item, shape)
        if small.mask is None:
            raise DataError(f"{item.name} has no mask to learn from")
        images.append(np.round(small.image * 255).astype(np.uint8))
        masks.append(small.mask)
    if not images:
        raise DataError("there is not one photograph to learn from")
    return Pool(np.stack(images), np.stack(masks), share)


def draw(pools: Sequence[Pool], n: int, *, seed: int, step: int, elsewhere: float = 0.0) -> Batch:
    """The batch of a step: `n` varied photographs, each from a pool that is drawn by its share.

    Pools of different kinds are mixed within a batch: batch normalisation would learn other statistics for each kind
    of batch than the ones it uses afterwards (measured: 4 points of IoU lost).

    Parameters
    ----------
    pools
        All of one shape.
    elsewhere
        Part of them that is set before a photograph of nobody, in [0, 1]; where no pool is of nobody, none is.

    Returns
    -------
    tuple of Tensor
        image (n, 3, H, W) float32 in [0, 1] and mask (n, 1, H, W) float32 of 0 and 1.

    Examples
    --------
    >>> white = Item(np.ones((4, 3, 3), np.float32), mask=np.ones((4, 3), bool))
    >>> image, mask = draw([hold([white], (4, 3))], 2, seed=0, step=1)
    >>> image.shape, mask.shape
    (torch.Size([2, 3, 4, 3]), torch.Size([2, 1, 4, 3]))
    """
    rng = np.random.default_rng([seed, step])
    shares = np.array([pool.share for pool in pools])
    backgrounds = [pool for pool in pools if elsewhere and pool.of_nobody]
    chosen = (pools[i] for i in rng.choice(len(pools), n, p=shares / shares.sum()))
    return stack([vary(_moved(_any(pool, rng), backgrounds, elsewhere, rng), rng) for pool in chosen])


def _any(pool: Pool, rng: np.random.Generator) -> Item:
    return pool[int(rng.integers(len(pool)))]


def _moved(item: Item, backgrounds: Sequence[Pool], part: float, rng: np.random.Generator) -> Item:
    if not backgrounds or rng.random() >= part:
        return item
    return set_before(item, _any(backgrounds[int(rng.integers(len(backgrounds)))], rng))


def crop(batch: Batch, side: int, *, seed: int, step: int) -> Batch:
    """The same square window, drawn at random, of every tensor (n, C, H, W) of a batch; all of a shorter side.

    Examples
    --------
    >>> [part.shape for part in crop((torch.zeros(2, 3, 8, 6), torch.zeros(2, 1, 8, 6)), 4, seed=0, step=1)]
    [torch.Size([2, 3, 4, 4]), torch.Size([2, 1, 4, 4])]
    """
    rng = np.random.default_rng([seed, step, side])
    height, width = batch[0].shape[-2:]
    top, left = int(rng.integers(max(1, height - side + 1))), int(rng.integers(max(1, width - side + 1)))
    return tuple(part[..., top : top + side, left : left + side] for part in batch)


def stack(items: Sequence[Item]) -> Batch:
    """Items of one shape as image (n, 3, H, W) and mask (n, 1, H, W), both float32."""
    image = torch.from_numpy(np.stack([item.image for item in items])).permute(0, 3, 1, 2).contiguous()
    masks = [np.zeros(item.shape, bool) if item.mask is None else item.mask for item in items]
    return image, torch.from_numpy(np.stack(masks)).float()[:, None]
