# SPDX-License-Identifier: GPL-3.0-or-later
"""Of a picture: PSNR, SSIM, and what leaks over the body's edge."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from skimage.metrics import structural_similarity

from dofkit.metrics.masks import distance_to_edge, person, same_shape


class Leak(NamedTuple):
    """Colour error in the ring around the body and in the ring within it, both in [0, 1]."""

    outside: float
    inside: float


def psnr(image: ArrayLike, truth: ArrayLike) -> float:
    """Peak signal-to-noise ratio in dB, peak 1, over all pixels and channels together.

    Parameters
    ----------
    image, truth
        Of one shape, (H, W, 3) or (H, W), in [0, 1].

    Returns
    -------
    float
        Larger is better; infinite if the pictures are equal.

    Examples
    --------
    >>> round(psnr(np.full((4, 4, 3), 0.6), np.full((4, 4, 3), 0.5)), 3)
    20.0
    """
    error = _colour_error(image, truth)
    return -20.0 * float(np.log10(error)) if error > 0 else float("inf")


def ssim(image: ArrayLike, truth: ArrayLike) -> float:
    """Structural similarity with the window of Wang et al. 2004 (Gaussian, sigma 1.5), mean of the channels.

    Parameters
    ----------
    image, truth
        Of one shape, (H, W, 3) or (H, W), in [0, 1], at least 11 px wide and high.

    Returns
    -------
    float
        In [-1, 1], larger is better.

    Notes
    -----
    scikit-image's own defaults (a flat 7 px window) give other numbers: they are not the published measure.

    Examples
    --------
    >>> wall = np.random.default_rng(0).random((16, 16, 3))
    >>> round(ssim(wall, wall), 3), ssim(wall, 1 - wall) < 0
    (1.0, True)
    """
    x, t = np.asarray(image, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    same_shape(x, t)
    if x.ndim not in (2, 3) or min(x.shape[:2]) < 11:
        raise ValueError(f"SSIM needs pictures of at least 11 x 11 px, not {x.shape}")
    axis = 2 if x.ndim == 3 else None
    return float(structural_similarity(x, t, data_range=1.0, channel_axis=axis,
                                       gaussian_weights=True, sigma=1.5, use_sample_covariance=False))


def boundary_leak(image: ArrayLike, truth: ArrayLike, alpha: ArrayLike, *, width: float = 10.0) -> Leak:
    """What goes wrong beside the body's edge: the two faults that Fig. 11 removes a part to show.

    Outside, an unguided blur smears the body's colour into the background: a halo. Inside, a hard or shifted
    mask lets the background's blur run over the body's edge. Each is the root mean square error of colour,
    over pixels and channels, in a ring:

        outside  alpha <  1/2, no farther than `width` px from a pixel with alpha >= 1/2
        inside   alpha >= 1/2, no farther than `width` px from a pixel with alpha <  1/2

    Parameters
    ----------
    image
        (H, W, 3) in [0, 1]: what a method rendered.
    truth
        (H, W, 3) in [0, 1]: the photograph through a lens of the same scene.
    alpha
        (H, W) in [0, 1]: the true matte.
    width
        Of each ring, in px and at least 1; 10 is the half width of the paper's trimap (section 4.1).

    Returns
    -------
    Leak
        (outside, inside), each in [0, 1], smaller is better; NaN if there is no edge.
        `-20 * log10` of it is the PSNR in the ring.

    Examples
    --------
    >>> alpha = np.zeros((8, 8)); alpha[:, 4:] = 1
    >>> truth = np.zeros((8, 8, 3)); halo = truth.copy(); halo[:, 3] = 0.5     # beside the body
    >>> boundary_leak(halo, truth, alpha, width=1)
    Leak(outside=0.5, inside=0.0)
    """
    x, t, body = np.asarray(image), np.asarray(truth), person(alpha, "alpha", at_half=True)
    if x.shape[:2] != body.shape:
        raise ValueError(f"alpha is {body.shape} but the image {x.shape[:2]}")
    same_shape(x, t)
    if not width >= 1:
        raise ValueError(f"width must be at least 1 px, not {width}")
    if body.all() or not body.any():
        return Leak(float("nan"), float("nan"))
    near = distance_to_edge(body) <= width
    return Leak(*(_colour_error(x[ring], t[ring]) for ring in (near & ~body, near & body)))


def _colour_error(image: ArrayLike, truth: ArrayLike) -> float:
    x, t = np.asarray(image, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    same_shape(x, t)
    return float(np.sqrt(np.mean((x - t) ** 2)))
