# SPDX-License-Identifier: GPL-3.0-or-later
"""One photograph and many settings, without a page: what `dofkit.widgets.explore_photo` shows.

    mask -> depth -> matte -> layers -> blur        a change is followed from the first stage that it touches

The preview is small, and its layers are split as finely as the networks see depth. The same settings, given as shares
of the picture, then make the portrait at the photograph's own size.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dofkit.coarse import Mode
from dofkit.photo import Photo, PhotoError
from dofkit.pipeline import Look, Portrait, PortraitMode, check_image
from dofkit.plots import coloured
from dofkit.stages import Memo

PREVIEW_SIDE = 500
"""Long side of the preview in pixels, at most."""

LAYER_SIDE = 192
"""Long side at which the preview's layers are split: the networks see depth hardly finer, and at
the defaults a cut takes a sixth of the time (three validation scenes)."""

VIEWS = ("result", "photograph", "mask", "matte", "depth", "layers")
"""What can be looked at."""


@dataclass(frozen=True)
class Settings:
    """What can be changed, free of the picture's size.

    Attributes
    ----------
    look, mode, K, lambda_ : as `PortraitMode` takes them.
    aperture : radius of the strongest blur, in percent of the long side; None is the kit's own choice.
    feather : standard deviation of Eq. 10's g, in percent of the long side.
    focus : the point in focus, as shares of width and height; None is the person. Another focus needs look "lens".
    """

    look: Look = "paper"
    mode: Mode = "auto"
    aperture: float | None = None
    K: int = 6
    lambda_: float = 10.0
    feather: float = 0.8
    focus: tuple[float, float] | None = None

    def renderer(self, shape: tuple[int, ...], layer_side: int = PortraitMode.layer_side) -> PortraitMode:
        """The renderer of these settings for a picture (H, W, ...).

        Raises
        ------
        PhotoError
            If two settings contradict each other.

        Examples
        --------
        >>> Settings(look="lens", aperture=2.0, focus=(0.5, 0.25)).renderer((400, 300)).focus
        (150.0, 100.0)
        """
        height, width = shape[:2]
        percent = max(height, width) / 100
        focus = None if self.focus is None else (self.focus[0] * width, self.focus[1] * height)
        return PortraitMode(
            mode=self.mode, look=self.look, K=self.K, lambda_=self.lambda_, layer_side=layer_side,
            max_radius=None if self.aperture is None else self.aperture * percent,
            feather=self.feather * percent, focus=focus,
        )


class Exploration:
    """A photograph to be rendered again and again.

    Parameters
    ----------
    photo : (H, W, 3) float32 sRGB in [0, 1], or what `read_photo` returned.
    mask, depth : as `PortraitMode` takes them; default what the networks find.
    side : long side of the preview in pixels, at most.

    Raises
    ------
    PhotoError
        If this is no photograph.

    Examples
    --------
    >>> from skimage.data import astronaut
    >>> exploration = Exploration(astronaut().astype("float32") / 255, side=200)
    >>> once = exploration.portrait(Settings())
    >>> exploration.memo.news()
    ['mask', 'matte', 'blur']
    >>> twice = exploration.portrait(Settings(aperture=3.0))
    >>> exploration.memo.news()
    ['blur']
    """

    def __init__(
        self, photo: np.ndarray | Photo, mask: np.ndarray | None = None, depth: np.ndarray | None = None, *,
        side: int = PREVIEW_SIDE,
    ) -> None:
        self.photo, self.mask, self.depth, self.memo = photo, mask, depth, Memo()
        image = check_image(photo.image if isinstance(photo, Photo) else photo)
        reduction = min(1.0, side / max(image.shape[:2]))
        size = [max(1, round(length * reduction)) for length in image.shape[1::-1]]
        # means of pixels leave the range by rounding
        self.preview = image if reduction == 1 else cv2.resize(image, size, interpolation=cv2.INTER_AREA).clip(0, 1)

    def portrait(self, settings: Settings) -> Portrait:
        """The preview's portrait; computes what has changed since the last one."""
        renderer = settings.renderer(self.preview.shape, LAYER_SIDE)
        return renderer(self.preview, self.mask, self.depth, memo=self.memo)

    def full(self, settings: Settings) -> Portrait:
        """The portrait at the photograph's own size."""
        image = self.photo.image if isinstance(self.photo, Photo) else self.photo
        return settings.renderer(image.shape)(image, self.mask, self.depth)


def view(portrait: Portrait, name: str) -> np.ndarray:
    """One of `VIEWS` of a portrait, (H, W, 3) in [0, 1]; depth and layers are brighter where they are farther.

    Raises
    ------
    PhotoError
        If the portrait was made without it.
    """
    if name == "depth" and portrait.depth is not None:
        return coloured(portrait.depth, "magma")
    if name == "layers" and portrait.labels is not None:
        return coloured(portrait.labels, "viridis")
    values = {"result": portrait.result, "photograph": portrait.image, "mask": portrait.mask, "matte": portrait.alpha}
    shown = values.get(name)
    if shown is None:
        raise PhotoError(f"this portrait was made without {name}: the paper's look blurs a selfie once, and the lens "
                         "look has layers of its own; choose look paper and mode whole-body")
    return shown if shown.ndim == 3 else np.repeat(shown[..., None], 3, axis=2)


def wiped(before: np.ndarray, after: np.ndarray, share: float) -> np.ndarray:
    """Two pictures (H, W, 3) in one: the left `share` of the width from `before`, the rest from `after`.

    >>> wiped(np.zeros((1, 4, 3)), np.ones((1, 4, 3)), 0.25)[0, :, 0].tolist()
    [0.0, 1.0, 1.0, 1.0]
    """
    border = round(share * before.shape[1])
    return np.concatenate([before[:, :border], after[:, border:]], axis=1)
