# SPDX-License-Identifier: GPL-3.0-or-later
"""A first guess and the SPN that refines it, at the size the networks were trained at (Fig. 2, left half).

    photograph -> 224 and 288 px high -> coarse map -> SPN -> refined map

The networks see every photograph at the same two heights, and what they say is averaged.

The same for the mask (`dofkit.segmentation`) and for depth (`dofkit.depth`): there the maps get their meaning, and go
back to the photograph's size.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dofkit.coarse.network import CoarseNetwork
from dofkit.spn import SpatialPropagation
from dofkit.weights import load_weights

HEIGHTS = (224, 288)
"""Heights in pixels at which the networks see a photograph.

They learned at the first. The second makes people larger, which helps where they are small, and costs sureness where
they fill the picture. On 56 held-out photographs of each kind the mean of both is better than the first alone, by
0.3 points of IoU on selfies and 1.0 on whole bodies, and better than the second on selfies, by 0.2.
"""

WIDEST = 2.0
"""Width of what they see, at most, in heights; a wider photograph is made smaller."""

Guess = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""From a photograph (H, W, 3) in [0, 1] to an (H, W) map: logits of the person, or depth."""


@dataclass(frozen=True)
class Refiner:
    """A coarse guess and an SPN.

    Parameters
    ----------
    guess : the kit's own coarse network, or any function from a photograph to a map.
    spn : refines the guess; None leaves it as it is.
    heights : in pixels, at which the networks see a photograph.
    prepare : what becomes of the guess, a tensor (1, 1, h, w), before the SPN sees it; nothing if None.
    """

    guess: nn.Module | Guess
    spn: nn.Module | None
    heights: Sequence[int] = HEIGHTS
    prepare: Callable[[Tensor], Tensor] | None = None

    def __call__(self, image: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Coarse and refined map of a photograph (H, W, 3), both of the size of the largest that the networks see."""
        guessed = None if isinstance(self.guess, nn.Module) else self.guess(image)
        maps = [self._at(seen(image, height), guessed) for height in self.heights]
        size = max(refined.shape for _, refined in maps)[::-1]
        coarse, refined = (np.mean([cv2.resize(x, size, interpolation=cv2.INTER_LINEAR) for x in which], 0)
                           for which in zip(*maps, strict=True))
        return coarse, refined

    @torch.no_grad()
    def _at(
        self, small: NDArray[np.float32], guessed: NDArray[np.float32] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Coarse and refined map of a photograph as the networks see it; the coarse one is `guessed` if given."""
        device = _device(self.guess, self.spn)
        tensor = _with_mirror(torch.from_numpy(small).permute(2, 0, 1)[None].to(device))
        if guessed is not None:
            coarse = torch.from_numpy(cv2.resize(guessed, small.shape[1::-1], interpolation=cv2.INTER_AREA))
            coarse = coarse[None, None].to(device)
        else:
            assert isinstance(self.guess, nn.Module)
            coarse = _mean_of_mirrored(self.guess(tensor))
        if self.prepare is not None:
            coarse = self.prepare(coarse)
        refined = coarse if self.spn is None else _mean_of_mirrored(self.spn(tensor, _with_mirror(coarse)))
        return _array(coarse), _array(refined)


@functools.cache
def shipped_network(name: str) -> nn.Module:
    """A network with the weights that come with the kit, read once."""
    return load_weights(name, BUILDERS)


BUILDERS: dict[str, Callable[..., nn.Module]] = {"coarse": CoarseNetwork, "spn": SpatialPropagation}
"""What a weights file may ask for."""


def seen(image: NDArray[np.float32], height: int) -> NDArray[np.float32]:
    """The photograph at a height: people are as tall in a wide picture as in an upright one."""
    scale = min(height / image.shape[0], WIDEST * height / image.shape[1])
    size = [max(1, round(side * scale)) for side in image.shape[1::-1]]
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(image, size, interpolation=method)


def back(values: NDArray[np.float32], image: NDArray[np.float32]) -> NDArray[np.float32]:
    """A map at the photograph's size: cubic, since a guided filter, tried, lost thin limbs (1 point of IoU)."""
    method = cv2.INTER_CUBIC if values.shape[0] <= image.shape[0] else cv2.INTER_AREA
    return cv2.resize(values, image.shape[1::-1], interpolation=method)


def _with_mirror(x: Tensor) -> Tensor:
    return torch.cat([x, x.flip(-1)])


def _mean_of_mirrored(x: Tensor) -> Tensor:
    """What was said of a photograph and of its mirror image, averaged: half a point of IoU for nothing."""
    return (x[:1] + x[1:].flip(-1)) / 2


def _array(x: Tensor) -> NDArray[np.float32]:
    return x[0, 0].float().cpu().numpy()


def _device(*networks: object) -> torch.device:
    """Where the networks' parameters are; the CPU if there are none."""
    parameters = (p for network in networks if isinstance(network, nn.Module) for p in network.parameters())
    first = next(parameters, None)
    return torch.device("cpu") if first is None else first.device
