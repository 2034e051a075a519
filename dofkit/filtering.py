# SPDX-License-Identifier: GPL-3.0-or-later
"""The learned filter on a photograph of any size, in the place of matting, layers and blur (section 3.4).

r_i = r(z_i) (1 - m_i)      what Eq. 10 asks for: r goes through the radii r^l at the layers' centres C_l
B   = filter(I, m, r)       at the size the filter has learned at; a larger photograph gets back its own detail
where it is not blurred
B_i = I_i                   inside the body
"""

from __future__ import annotations

import functools

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dofkit import matting, render
from dofkit.layers import kmeans
from dofkit.rnn_filter import FILTERS, RADIUS_UNIT
from dofkit.weights import load_weights

WORK_SIDE = 512
"""Long side of the pictures that the filter sees, at most: its training pairs have 480 pixels."""

LARGEST = 4.0
"""Largest radius in the picture that the filter sees, at most, in pixels. It has learned three times that, badly; 4 was
chosen on the validation pairs, where it gains 1.2 dB on whole bodies and 0.5 on selfies."""

Array = NDArray[np.float32]


def blur_radius(z: np.ndarray | None, m: np.ndarray, K: int, max_radius: float) -> Array:
    """The radius of the blur that each pixel asks for: Eq. 10's radii without its layers.

    Parameters
    ----------
    z
        (H, W) depth, larger = farther; None asks for `max_radius` everywhere behind the person (Eq. 4).
    m
        (H, W) in [0, 1], the person, who asks for none.
    K
        Layers whose radii are followed, linearly between the centres of their depths.
    max_radius
        Of the farthest, in pixels.

    Returns
    -------
    (H, W) float32 in pixels.

    Examples
    --------
    >>> m = np.float32([[1, 0, 0, 0]])
    >>> blur_radius(np.float32([[0, 0, 1, 2]]), m, 3, 4.0).tolist(), blur_radius(None, m, 3, 4.0).tolist()
    ([[0.0, 0.0, 2.0, 4.0]], [[0.0, 4.0, 4.0, 4.0]])
    """
    if z is None:
        return (max_radius * (1 - m)).astype(np.float32)
    centres = kmeans(z, K).centres
    labels = np.searchsorted((centres[1:] + centres[:-1]) / 2, z)
    radii = render.layer_radii(labels, m, len(centres), max_radius)
    return (np.interp(z, centres, radii) * (1 - m)).astype(np.float32)


@torch.no_grad()
def filtered(model: nn.Module, image: Array, m: Array, r: Array) -> Array:
    """What a filter makes of a picture at the picture's own size; parameters as for `filter_photo`."""
    device = next(model.parameters()).device
    tensor = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].to(device)
    told = torch.from_numpy(np.stack([m, r / RADIUS_UNIT]).astype(np.float32))[None].to(device)
    return model(tensor, told)[0].permute(1, 2, 0).clamp(0, 1).cpu().numpy()


def filter_photo(model: nn.Module, image: Array, m: Array, r: Array) -> Array:
    """What a filter makes of a photograph of any size with a blur of any strength.

    Parameters
    ----------
    model : of `dofkit.rnn_filter.FILTERS`.
    image : (H, W, 3) sRGB in [0, 1], of any size.
    m : (H, W) in [0, 1], the person's mask.
    r : (H, W), `blur_radius` in pixels of `image`.

    Returns
    -------
    (H, W, 3) float32 in [0, 1].
    """
    reduction = min(1.0, WORK_SIDE / max(m.shape), LARGEST / max(float(r.max()), LARGEST))
    if reduction == 1.0:
        return filtered(model, image, m, r)
    size = tuple(max(1, round(side * reduction)) for side in m.shape[::-1])
    small, small_m, small_r = (cv2.resize(a, size, interpolation=cv2.INTER_AREA) for a in (image, m, r * reduction))
    result = filtered(model, small, small_m, small_r)
    full, change = (cv2.resize(a, m.shape[::-1], interpolation=cv2.INTER_LINEAR) for a in (result, result - small))
    # A blur of a pixel or more of the small picture leaves no detail that the small one lacks
    blurred = cv2.resize(small_r, m.shape[::-1], interpolation=cv2.INTER_LINEAR).clip(0, 1)[..., None]
    return (blurred * full + (1 - blurred) * (image + change)).clip(0, 1)


def keep_person(image: Array, m: Array, result: Array) -> Array:
    """The result with the photograph itself inside the body: bit for bit beyond the trimap's band, by m within it."""
    known = matting.trimap(m)
    kept = np.where(known == 0.5, (2 * m - 1).clip(0, 1), known)[..., None]
    return np.where(kept == 1, image, kept * image + (1 - kept) * result)


@functools.cache
def shipped_filter(name: str = "rnn") -> nn.Module:
    """A filter with the weights that come with the kit, read once."""
    return load_weights(f"filter-{name}", FILTERS)
