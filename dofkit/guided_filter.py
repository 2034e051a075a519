# SPDX-License-Identifier: GPL-3.0-or-later
"""The fast guided filter, to bring small masks and mattes to full size (He and Sun, 2015; He et al., PAMI 2013).

    alpha_i = a_k . I_i + b_k for all i in the window k,    a_k = (Cov_k(I) + eps 1)^-1 Cov_k(I, alpha)

The fit is made on the small picture; a and b, which are smooth, are what is enlarged, and meet the large picture there.
"""

from __future__ import annotations

import cv2
import numpy as np


def guided_upsample(
    alpha: np.ndarray, small: np.ndarray, image: np.ndarray, *, radius: int = 2, eps: float = 1e-4
) -> np.ndarray:
    """Enlarge a mask or matte along the edges of the picture it belongs to.

    Parameters
    ----------
    alpha : (h, w) float32 in [0, 1].
    small : (h, w, 3) float32, the picture at the size of ``alpha``.
    image : (H, W, 3) float32, the picture at the size wanted.
    radius : half-width of the windows, in pixels of ``small``.
    eps : variance of the colours below which a window counts as flat.

    Returns
    -------
    (H, W) float32 in [0, 1].

    Examples
    --------
    >>> image = np.zeros((8, 8, 3), np.float32)
    >>> image[:, 5:] = 1  # an edge that the small mask has only to the nearest two pixels
    >>> small = image[::2, ::2]
    >>> (guided_upsample(small[..., 0], small, image)[4] > 0.5).astype(int)
    array([0, 0, 0, 0, 0, 1, 1, 1])
    """

    def mean(x: np.ndarray) -> np.ndarray:
        return cv2.blur(x, (2 * radius + 1,) * 2)

    mean_i, mean_alpha = mean(small), mean(alpha)
    covariance = mean(small * alpha[..., None]) - mean_i * mean_alpha[..., None]
    products = np.stack([small[..., c] * small[..., d] for c, d in _PAIRS], -1)
    variance = mean(products) - np.stack([mean_i[..., c] * mean_i[..., d] for c, d in _PAIRS], -1)
    a = _solve_symmetric(variance, covariance, eps)
    b = mean_alpha - (a * mean_i).sum(-1)
    lines = cv2.resize(mean(np.dstack([a, b])), image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return ((lines[..., :3] * image).sum(-1) + lines[..., 3]).clip(0, 1)


_PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))


def _solve_symmetric(v: np.ndarray, c: np.ndarray, eps: float) -> np.ndarray:
    """(V + eps 1)^-1 c for a 3x3 symmetric V at every pixel, given its six entries (Cramer's rule)."""
    rr, rg, rb, gg, gb, bb = np.moveaxis(v, -1, 0)
    rr, gg, bb = rr + eps, gg + eps, bb + eps
    cofactor = np.stack(
        (
            gg * bb - gb * gb,
            rb * gb - rg * bb,
            rg * gb - rb * gg,
            rr * bb - rb * rb,
            rg * rb - rr * gb,
            rr * gg - rg * rg,
        )
    )
    determinant = rr * cofactor[0] + rg * cofactor[1] + rb * cofactor[2]
    rows = np.stack([cofactor[[0, 1, 2]], cofactor[[1, 3, 4]], cofactor[[2, 4, 5]]])
    return np.einsum("ijhw,hwj->hwi", rows, c) / determinant[..., None]
