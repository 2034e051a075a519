# SPDX-License-Identifier: GPL-3.0-or-later
"""The oracle of the lens look: every pixel scatters its own disc, far to near."""

import cv2
import numpy as np

from dofkit.blur import disc_kernel
from dofkit.colour import linear_to_srgb, srgb_to_linear


def scatter(image: np.ndarray, s: np.ndarray, *, groups: int = 64, linear: bool = True) -> np.ndarray:
    """Each pixel's light over the disc of its own radius; what no disc reaches keeps what lies behind, or itself.

    Pixels of about the same signed radius, of `groups` steps, are scattered together: within a group light adds up,
    and a group hides what is behind it in the measure in which its discs cover a pixel.
    """
    light = srgb_to_linear(image).astype(np.float64) if linear else image.astype(np.float64)
    levels = np.linspace(s.max(), s.min(), groups)
    owner = np.rint(np.interp(-s, -levels, np.arange(groups))) if groups > 1 else np.zeros(s.shape)
    result = light.copy()
    for k, level in enumerate(levels):
        here = (owner == k).astype(np.float64)
        if not here.any():
            continue
        kernel = disc_kernel(abs(float(level))).astype(np.float64)
        spread = cv2.filter2D(np.dstack([light * here[..., None], here]), -1, kernel, borderType=cv2.BORDER_CONSTANT)
        cover = np.minimum(spread[..., 3:], 1)
        colour = spread[..., :3] / np.maximum(spread[..., 3:], 1e-9)
        result = np.where(cover > 0, cover * colour + (1 - cover) * result, result)
    return (linear_to_srgb(result.clip(0, 1)) if linear else result.clip(0, 1)).astype(np.float32)
