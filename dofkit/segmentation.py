# SPDX-License-Identifier: GPL-3.0-or-later
"""From a photograph to the person in it: the coarse mask, and what the SPN makes of it (section 3.1).

    photograph -> 224 and 288 px high -> coarse logits -> SPN -> m = 1 / (1 + exp(-v)) -> the photograph's size

The networks see every photograph at the same two heights, and their logits are averaged. What is finer than that,
hair above all, is found afterwards by matting (`dofkit.matting`), at the photograph's own size.
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

from dofkit.coarse import Mode, grabcut_mask
from dofkit.coarse.network import CoarseNetwork
from dofkit.faces import find_face
from dofkit.spn import SpatialPropagation
from dofkit.weights import WeightsError, load_weights

HEIGHTS = (224, 288)
"""Heights in pixels at which the networks see a photograph.

They learned at the first. The second makes people larger, which helps where they are small, and costs sureness where
they fill the picture. On 56 held-out photographs of each kind the mean of both is better than the first alone, by
0.3 points of IoU on selfies and 1.1 on whole bodies, and better than the second on selfies, by 0.2.
"""

WIDEST = 2.0
"""Width of what they see, at most, in heights; a wider photograph is made smaller."""

NOBODY = 0.004
"""A mask with less than this share of the picture is no person."""

UNSURE = 0.9
"""Nor is a mask without a face in the picture whose logits are on average below that of this probability.

Of 80 photographs held out of the training sets, 40 of each kind, the least sure mask has 0.961.
"""

Guess = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""From a photograph (H, W, 3) in [0, 1] to (H, W) logits of the person."""


@dataclass(frozen=True, eq=False)
class Segmentation:
    """What the networks say of a photograph, at its size.

    Attributes
    ----------
    mask : (H, W) float32 in [0, 1], the refined mask m; all 0 where nobody was found.
    coarse : (H, W) float32 in [0, 1], what the SPN was given.
    message : what the reader should know, in one sentence.
    """

    mask: NDArray[np.float32]
    coarse: NDArray[np.float32]
    message: str


Segment = Callable[[NDArray[np.float32]], Segmentation]
"""From a photograph (H, W, 3) in [0, 1] to the person in it."""


class Segmenter:
    """A coarse guess and an SPN that refines it: call it with a photograph.

    Parameters
    ----------
    guess : the kit's own coarse network, or any function from a photograph to logits.
    spn : refines the guess; None leaves it as it is.
    name : of the guess, for the message.
    heights : in pixels, at which the networks see a photograph.

    Examples
    --------
    >>> from skimage.data import astronaut
    >>> found = Segmenter.shipped()(astronaut() / np.float32(255))
    >>> found.mask.shape, found.message
    ((512, 512), 'the person was found by the coarse network and refined by the SPN')
    """

    def __init__(
        self,
        guess: nn.Module | Guess,
        spn: nn.Module | None,
        *,
        name: str = "the coarse network",
        heights: Sequence[int] = HEIGHTS,
    ) -> None:
        self.guess, self.spn, self.name, self.heights = guess, spn, name, heights

    @classmethod
    def shipped(cls, guess: Guess | None = None, *, name: str = "the coarse network") -> Segmenter:
        """The SPN that comes with the kit, behind the kit's own coarse network or a guess of your own."""
        return cls(shipped_network("segmentation-coarse") if guess is None else guess,
                   shipped_network("segmentation-spn"), name=name)

    def __call__(self, image: NDArray[np.float32]) -> Segmentation:
        """Find the person.

        Parameters
        ----------
        image
            (H, W, 3) float32 sRGB in [0, 1], of any size.
        """
        coarse, v = self.logits(image)
        masks = [_back(_sigmoid(logits), image) for logits in (coarse, v)]
        if (masks[1] > 0.5).mean() < NOBODY or not _credible(v, image):
            return Segmentation(np.zeros_like(masks[1]), masks[0], "no person was found in this photograph")
        refined = " and refined by the SPN" if self.spn is not None else ""
        return Segmentation(masks[1], masks[0], f"the person was found by {self.name}{refined}")

    def logits(self, image: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Coarse and refined logits of a photograph, both of the size of the largest that the networks see."""
        guessed = None if isinstance(self.guess, nn.Module) else self.guess(image)
        maps = [self._seen(_resized(image, height), guessed) for height in self.heights]
        size = max(v.shape for _, v in maps)[::-1]
        coarse, v = (np.mean([cv2.resize(x, size, interpolation=cv2.INTER_LINEAR) for x in which], 0)
                     for which in zip(*maps, strict=True))
        return coarse, v

    @torch.no_grad()
    def _seen(
        self, small: NDArray[np.float32], guessed: NDArray[np.float32] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Coarse and refined logits of a photograph as the networks see it; the coarse ones by `guessed` if given."""
        device = _device(self.guess, self.spn)
        tensor = _with_mirror(torch.from_numpy(small).permute(2, 0, 1)[None].to(device))
        if guessed is not None:
            coarse = torch.from_numpy(cv2.resize(guessed, small.shape[1::-1], interpolation=cv2.INTER_AREA))
            coarse = coarse[None, None].to(device)
        else:
            assert isinstance(self.guess, nn.Module)
            coarse = _mean_of_mirrored(self.guess(tensor))
        v = coarse if self.spn is None else _mean_of_mirrored(self.spn(tensor, _with_mirror(coarse)))
        return _array(coarse), _array(v)


def segmenter(coarse: str = "network", mode: Mode = "auto") -> Segment:
    """What finds the person, behind an option's value.

    Parameters
    ----------
    coarse
        "network": the kit's own coarse network and SPN. "graphcut": GrabCut, unrefined, for comparison.
        "transformers:MODEL": any semantic segmentation model of that library, by folder or name, before the SPN.
    mode
        What "graphcut" looks for: "selfie", "whole-body" or "auto"; the networks find either.

    Raises
    ------
    WeightsError, ModelError
        If there is no such guess.
    """
    check_guess(coarse)
    if coarse == "network":
        return Segmenter.shipped()
    if coarse == "graphcut":
        return functools.partial(_graph_cut, mode=mode)
    from dofkit.coarse.offtheshelf import load_segmenter

    model = coarse.removeprefix("transformers:")
    return Segmenter.shipped(load_segmenter(model), name=model)


def check_guess(coarse: str) -> None:
    """Raise WeightsError if `segmenter` knows no such guess; whether a model is there is not looked up.

    >>> check_guess("magic")
    Traceback (most recent call last):
    dofkit.weights.container.WeightsError: no coarse guess is called 'magic': choose network, graphcut or ...
    """
    kind, _, model = coarse.partition(":")
    if coarse not in ("network", "graphcut") and not (kind == "transformers" and model):
        raise WeightsError(f"no coarse guess is called {coarse!r}: choose network, graphcut or transformers:MODEL")


def _graph_cut(image: NDArray[np.float32], mode: Mode) -> Segmentation:
    found = grabcut_mask(image, mode)
    return Segmentation(found.mask, found.mask, found.message)


@functools.cache
def shipped_network(name: str) -> nn.Module:
    """A network with the weights that come with the kit, read once."""
    return load_weights(name, BUILDERS)


BUILDERS: dict[str, Callable[..., nn.Module]] = {"coarse": CoarseNetwork, "spn": SpatialPropagation}
"""What a weights file may ask for."""


def _resized(image: NDArray[np.float32], height: int) -> NDArray[np.float32]:
    """The photograph at a height: people are as tall in a wide picture as in an upright one."""
    scale = min(height / image.shape[0], WIDEST * height / image.shape[1])
    size = [max(1, round(side * scale)) for side in image.shape[1::-1]]
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(image, size, interpolation=method)


def _back(mask: NDArray[np.float32], image: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mask at the photograph's size: cubic, since a guided filter, tried, lost thin limbs (1 point of IoU)."""
    method = cv2.INTER_CUBIC if mask.shape[0] <= image.shape[0] else cv2.INTER_AREA
    return cv2.resize(mask, image.shape[1::-1], interpolation=method).clip(0, 1)


def _credible(v: NDArray[np.float32], image: NDArray[np.float32]) -> bool:
    """Whether a mask is sure of itself, or backed by a face."""
    inside = v > 0
    sure = inside.any() and v[inside].mean() >= np.log(UNSURE / (1 - UNSURE))
    return bool(sure) or find_face(image) is not None


def _with_mirror(x: Tensor) -> Tensor:
    return torch.cat([x, x.flip(-1)])


def _mean_of_mirrored(x: Tensor) -> Tensor:
    """What was said of a photograph and of its mirror image, averaged: half a point of IoU for nothing."""
    return (x[:1] + x[1:].flip(-1)) / 2


def _sigmoid(v: NDArray[np.float32]) -> NDArray[np.float32]:
    return (0.5 + 0.5 * np.tanh(v / 2)).astype(np.float32)


def _array(x: Tensor) -> NDArray[np.float32]:
    return x[0, 0].float().cpu().numpy()


def _device(*networks: object) -> torch.device:
    """Where the networks' parameters are; the CPU if there are none."""
    parameters = (p for network in networks if isinstance(network, nn.Module) for p in network.parameters())
    first = next(parameters, None)
    return torch.device("cpu") if first is None else first.device
