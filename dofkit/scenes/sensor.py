# SPDX-License-Identifier: GPL-3.0-or-later
"""From light to a picture file: photon and read noise, the sRGB tone curve, clipping, JPEG.

`develop` is the clean part, the same for sharp scenes and for photographs through the lens, so that both
can be compared: the sRGB curve, and white for whatever is brighter than 1, as a camera's sensor saturates.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dofkit.colour import linear_to_srgb

Array = NDArray[np.floating]


def develop(radiance: Array) -> Array:
    """Linear radiance (..., 3) to sRGB in [0, 1]; what is brighter than 1 is lost, as in a photograph.

    Examples
    --------
    >>> develop(np.array([0.0, 0.5, 100.0], np.float32)).round(3).tolist()
    [0.0, 0.7350000143051147, 1.0]
    """
    return linear_to_srgb(np.clip(np.asarray(radiance, np.float32), 0, 1))


def expose(radiance: Array, rng: np.random.Generator, *, noise: float, quality: int) -> Array:
    """What a camera saves: noise in linear light, `develop`, 8 bits through JPEG.

    Parameters
    ----------
    radiance : (H, W, 3) linear
    rng : numpy.random.Generator
    noise : float
        Relative standard deviation of the photon noise at radiance 1 (0.005 to 0.02 is common).
    quality : int
        JPEG quality, 1 to 100.

    Returns
    -------
    (H, W, 3) float32, sRGB in [0, 1]
    """
    spread = noise * np.sqrt(np.maximum(radiance, 0) + np.float32(0.01))
    grainy = radiance + spread * rng.standard_normal(radiance.shape, dtype=np.float32)
    codes = np.round(develop(grainy) * 255).astype(np.uint8)
    done, data = cv2.imencode(".jpg", codes[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise RuntimeError("OpenCV could not write a JPEG to memory")
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1].astype(np.float32) / 255
