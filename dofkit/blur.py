# SPDX-License-Identifier: GPL-3.0-or-later
"""Disc blur, plain and guided by the mask (section 3.3 of the paper).

    w_ij = 1/C if ||p_i - p_j|| < r, else 0                                 Eq. 5
    w_hat_ij(m) = w_ij (1 - m_j) / sum_j w_ij (1 - m_j)                     Eq. 6

``printed`` is Eq. 5 as it stands: a pixel counts whole or not at all, so the disc jumps as r grows. ``area`` weighs
each pixel by the share of it that the disc covers; it varies smoothly with r, and the one picture that the authors
published before and after their blur shows it.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Disc = Literal["area", "printed"]

#: Below this share of background under the disc, nothing can be said about the background: the pixel stays as it is.
_LEAST_WEIGHT = 1e-5


def disc_kernel(r: float, disc: Disc = "area") -> np.ndarray:
    """The normalised disc of radius ``r`` pixels, Eq. 5: (2n + 1, 2n + 1) float32, sum 1.

    Raises
    ------
    ValueError
        If r is negative or not finite.

    Examples
    --------
    >>> disc_kernel(0.0)
    array([[1.]], dtype=float32)
    >>> disc_kernel(1.5, "printed")[0] * 9
    array([1., 1., 1.], dtype=float32)
    """
    if not (np.isfinite(r) and r >= 0):
        raise ValueError(f"disc_kernel: the radius is {r}, it must be at least 0")
    n = int(np.ceil(r - 0.5)) if disc == "area" else int(np.ceil(r) - 1)
    p = np.arange(-max(n, 0), max(n, 0) + 1, dtype=np.float64)
    if n <= 0:
        return np.ones((1, 1), np.float32)
    if disc == "printed":
        w = (p[:, None] ** 2 + p[None] ** 2 < r**2).astype(np.float64)
    else:
        edge = np.append(p - 0.5, p[-1] + 0.5)
        w = np.diff(np.diff(_area_from_centre(edge[:, None], edge[None], r), axis=0), axis=1)
    return (w / w.sum()).astype(np.float32)


def aperture(r: float, blades: int = 0) -> NDArray[np.float32]:
    """The kernel of an aperture at a radius: `disc_kernel`, or a polygon of the same area, sum 1.

    >>> aperture(3.0, 6).shape, round(float(aperture(3.0, 6).sum()), 5)
    ((9, 9), 1.0)
    """
    if blades < 3 or r < 0.75:
        return disc_kernel(r)
    fine, side = 8, int(np.ceil(1.2 * r))
    n = 2 * side + 1
    angles = 2 * np.pi * np.arange(blades) / blades - np.pi / 2
    outer = r * np.sqrt(2 * np.pi / (blades * np.sin(2 * np.pi / blades)))
    corners = np.stack([np.cos(angles), np.sin(angles)], 1) * outer * fine + (n * fine - 1) / 2
    drawn = cv2.fillPoly(np.zeros((n * fine, n * fine), np.float32), [np.rint(corners).astype(np.int32)], 1.0)
    kernel = cv2.resize(drawn, (n, n), interpolation=cv2.INTER_AREA)
    return (kernel / kernel.sum()).astype(np.float32)


def _area_from_centre(x: np.ndarray, y: np.ndarray, r: float) -> np.ndarray:
    """Area of the disc of radius r inside the rectangle from (0, 0) to (x, y), odd in x and in y."""
    a, b = np.broadcast_arrays(np.minimum(np.abs(x), r), np.minimum(np.abs(y), r))
    start = np.minimum(np.sqrt(np.maximum(r**2 - b**2, 0.0)), a)  # up to here the rectangle's top lies inside the disc
    under_arc = _arc_integral(a, r) - _arc_integral(start, r)
    return np.sign(x) * np.sign(y) * (start * b + under_arc)


def _arc_integral(t: np.ndarray, r: float) -> np.ndarray:
    """Integral of sqrt(r^2 - s^2) over s from 0 to t."""
    return 0.5 * (t * np.sqrt(np.maximum(r**2 - t**2, 0.0)) + r**2 * np.arcsin(np.clip(t / r, -1.0, 1.0)))


def disc_blur(image: np.ndarray, r: float, *, disc: Disc = "area") -> np.ndarray:
    """sum_j w_ij I_j of Eq. 4; near the frame the weights of the pixels that exist are scaled up to sum 1.

    Parameters
    ----------
    image : (H, W) or (H, W, C) float32.
    r : radius in pixels, 0 leaves the picture as it is.

    Examples
    --------
    >>> disc_blur(np.ones((4, 4), np.float32), 2.0).round(5).min()
    np.float32(1.0)
    """
    return guided_blur(image, np.zeros(image.shape[:2], np.float32), r, disc=disc)


def guided_blur(image: np.ndarray, m: np.ndarray, r: float, *, disc: Disc = "area") -> np.ndarray:
    """sum_j w_hat_ij(m) I_j of Eq. 6: only the background, 1 - m, takes part.

    Parameters
    ----------
    image : (H, W) or (H, W, C) float32, any range.
    m : (H, W) in [0, 1], the person's mask or matte.
    r : radius in pixels.

    Returns
    -------
    Array like ``image``. Where no background is within reach (deep inside the person) the input is returned.

    Raises
    ------
    ValueError
        If the mask has another size than the picture.
    """
    if m.shape != image.shape[:2]:
        raise ValueError(f"guided_blur: the mask is {m.shape}, the picture {image.shape[:2]}")
    w = disc_kernel(r, disc)
    if w.size == 1:
        return image.copy()
    pixels = image.reshape(*m.shape, -1)
    share = (1.0 - m).astype(np.float32)[..., None]
    sums = cv2.filter2D(np.concatenate([pixels * share, share], -1), -1, w, borderType=cv2.BORDER_CONSTANT)
    weight = sums[..., -1:]
    blurred = sums[..., :-1] / np.maximum(weight, _LEAST_WEIGHT)
    return np.where(weight > _LEAST_WEIGHT, blurred, pixels).astype(image.dtype).reshape(image.shape)
