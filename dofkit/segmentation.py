# SPDX-License-Identifier: GPL-3.0-or-later
"""From a photograph to the person in it: the coarse mask, and what the SPN makes of it (section 3.1).

    coarse logits -> SPN -> v,    m = 1 / (1 + exp(-v)) at the photograph's size

What is finer than the networks see, hair above all, is found afterwards by matting (`dofkit.matting`), at the
photograph's own size.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from dofkit.coarse import Mode, grabcut_mask
from dofkit.faces import find_face
from dofkit.refining import HEIGHTS, Guess, Refiner, back, shipped_network
from dofkit.weights import WeightsError

NOBODY = 0.004
"""A mask with less than this share of the picture is no person."""

UNSURE = 0.9
"""Nor is a mask without a face in the picture whose logits are on average below that of this probability.

Of 80 photographs held out of the training sets, 40 of each kind, the least sure mask has 0.961.
"""


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
        self.refiner, self.name = Refiner(guess, spn, heights), name

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
        coarse, v = self.refiner(image)
        masks = [back(_sigmoid(logits), image).clip(0, 1) for logits in (coarse, v)]
        if (masks[1] > 0.5).mean() < NOBODY or not _credible(v, image):
            return Segmentation(np.zeros_like(masks[1]), masks[0], "no person was found in this photograph")
        refined = " and refined by the SPN" if self.refiner.spn is not None else ""
        return Segmentation(masks[1], masks[0], f"the person was found by {self.name}{refined}")


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


def _credible(v: NDArray[np.float32], image: NDArray[np.float32]) -> bool:
    """Whether a mask is sure of itself, or backed by a face."""
    inside = v > 0
    sure = inside.any() and v[inside].mean() >= np.log(UNSURE / (1 - UNSURE))
    return bool(sure) or find_face(image) is not None


def _sigmoid(v: NDArray[np.float32]) -> NDArray[np.float32]:
    return (0.5 + 0.5 * np.tanh(v / 2)).astype(np.float32)
