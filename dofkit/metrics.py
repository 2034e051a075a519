# SPDX-License-Identifier: GPL-3.0-or-later
"""The measures behind every table: one picture in, one number out.

    IoU     |M and T| / |M or T|, of the person                         section 4.2, Table 1
    WHDR    share of ordinal pairs that the depth orders wrongly        section 4.3
    PSNR    10 log10(1 / mean squared error),  SSIM of Wang et al.      Table 2
    leak    colour error beside the body's edge, outside and inside     ours, for Fig. 11
    spread  (E (z_i - z_j)^2)^(1/2) over the body, Eq. 3 with delta = 0  ours, for Fig. 8
    step    how much of the depth's step at the body's edge is made within a few pixels   ours, for section 4.3

A number for a data set is the plain mean over its pictures. A measure that does not exist for a picture
(the boundary of an empty mask, the error rate of no pairs) is NaN, so that a table cannot hide it. Shapes
that do not fit and values out of range (logits, or 0-255, for a mask) raise ValueError.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import distance_transform_edt
from skimage.metrics import structural_similarity

BoolArray = NDArray[np.bool_]


class Leak(NamedTuple):
    """Colour error in the ring around the body and in the ring within it, both in [0, 1]."""

    outside: float
    inside: float


def iou(mask: ArrayLike, truth: ArrayLike) -> float:
    """Intersection over union of the person (the background does not count).

    Parameters
    ----------
    mask, truth
        (H, W), bool or in [0, 1]; the person is where the value is above 0.5.

    Returns
    -------
    float
        In [0, 1], larger is better; 1 if both are empty.

    Notes
    -----
    The paper's Table 1 and its source, Shen et al. 2016, average this number over the test pictures.

    Examples
    --------
    >>> iou([[1, 1, 0, 0]], [[0, 1, 1, 0]])
    0.3333333333333333
    """
    m, t = _person(mask, "mask"), _person(truth, "truth")
    _same_shape(m, t)
    return _iou(m, t)


def iou_near_boundary(mask: ArrayLike, truth: ArrayLike, *, distance: float = 5.0) -> float:
    """IoU counted only within `distance` px of the true boundary: where a coarse mask fails.

    The band holds each pixel no farther than `distance` (centre to centre) from the nearest true pixel of the
    other side: the "trimap" measure of Kohli et al., IJCV 2009. It is not the Boundary IoU of Cheng et al.
    2021, which takes a band in each of the two masks.

    Parameters
    ----------
    mask, truth
        (H, W), as for `iou`.
    distance
        Half the width of the band in pixels, at least 1.

    Returns
    -------
    float
        In [0, 1]; NaN if the truth is empty or full, for then it has no boundary.

    Examples
    --------
    >>> truth = np.zeros((20, 20)); truth[:, 10:] = 1
    >>> mask = truth.copy(); mask[:, 9] = 1                                    # one pixel too wide
    >>> round(iou(mask, truth), 3), round(iou_near_boundary(mask, truth, distance=2), 3)
    (0.909, 0.667)
    """
    m, t = _person(mask, "mask"), _person(truth, "truth")
    _same_shape(m, t)
    if not distance >= 1:
        raise ValueError(f"distance must be at least 1 px, not {distance}")
    if t.all() or not t.any():
        return float("nan")
    band = _distance_to_edge(t) <= distance
    return _iou(m[band], t[band])


def whdr(depth: ArrayLike, pairs: ArrayLike) -> float:
    """Human disagreement rate, unweighted: the share of pairs that the depth orders wrongly.

    Parameters
    ----------
    depth
        (H, W), larger = farther, in any unit: only its order counts.
    pairs
        (n, 5) integers (y_i, x_i, y_j, x_j, gamma), 0-based; gamma = +1 if i is farther than j, -1 if nearer.

    Returns
    -------
    float
        In [0, 1], smaller is better; NaN without pairs. A tie, or a depth that is not a number, is wrong:
        a constant depth scores 1, not 1/2.

    Notes
    -----
    As on DIW (Chen et al. 2016), whose pairs weigh all alike and are never at equal depth. DIW has one pair
    an image; with unequal numbers of pairs, weight the pictures by them when taking a mean.

    Examples
    --------
    >>> whdr([[0.0, 1.0, 1.0]], [[0, 1, 0, 0, +1], [0, 1, 0, 2, -1]])          # right, and a tie
    0.5
    """
    z, p = np.asarray(depth), np.asarray(pairs)
    if z.ndim != 2:
        raise ValueError(f"depth must be (H, W), not {z.shape}")
    if p.size == 0:
        return float("nan")
    if p.ndim != 2 or p.shape[1] != 5 or p.dtype.kind not in "iu":
        raise ValueError(f"pairs must be (n, 5) integers, not {p.dtype} of shape {p.shape}")
    y_i, x_i, y_j, x_j, gamma = p.T
    if p[:, :4].min() < 0 or (p[:, [0, 2]] >= z.shape[0]).any() or (p[:, [1, 3]] >= z.shape[1]).any():
        raise ValueError(f"a pair lies outside the depth map of {z.shape[0]} x {z.shape[1]} pixels")
    if not np.isin(gamma, (-1, 1)).all():
        raise ValueError("gamma must be +1 (i is farther) or -1 (i is nearer)")
    z_i, z_j = z[y_i, x_i], z[y_j, x_j]
    right = np.where(gamma == 1, z_i > z_j, z_i < z_j)
    return float(1.0 - right.mean())


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
    _same_shape(x, t)
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
    x, t, body = np.asarray(image), np.asarray(truth), _person(alpha, "alpha", at_half=True)
    if x.shape[:2] != body.shape:
        raise ValueError(f"alpha is {body.shape} but the image {x.shape[:2]}")
    _same_shape(x, t)
    if not width >= 1:
        raise ValueError(f"width must be at least 1 px, not {width}")
    if body.all() or not body.any():
        return Leak(float("nan"), float("nan"))
    near = _distance_to_edge(body) <= width
    return Leak(*(_colour_error(x[ring], t[ring]) for ring in (near & ~body, near & body)))


def body_spread(depth: ArrayLike, mask: ArrayLike) -> float:
    """How far the depth of one body spreads: what Eq. 3 is there to reduce.

    The root of Eq. 3 as a mean over pairs, with delta = 0, is the standard deviation over the body times
    sqrt(2), for E (z_i - z_j)^2 = 2 Var z. It is divided by the scene's depth range, from the 5th to the 95th
    percentile of the whole picture, so that unit and zero of the depth do not matter. Other monotone maps of
    the depth do change it: compare methods that were trained alike, and state WHDR beside it.

    Parameters
    ----------
    depth
        (H, W), finite.
    mask
        (H, W), as for `iou`.

    Returns
    -------
    float
        0 for a flat body, smaller is more consistent; NaN without a body or if the depth has no range.

    Examples
    --------
    >>> ramp = np.linspace(0.0, 1.0, 101)[:, None].repeat(3, axis=1)
    >>> body = np.zeros((101, 3)); body[[20, 65]] = 1
    >>> round(body_spread(ramp, body), 3)                   # pairs differ by 0 or 0.45, the range is 0.9
    0.354
    """
    z, body = np.asarray(depth, dtype=np.float64), _person(mask, "mask")
    _same_shape(z, body)
    if not np.isfinite(z).all():
        raise ValueError("the depth holds values that are not finite")
    low, high = np.percentile(z, [5, 95])
    if not body.any() or high <= low:
        return float("nan")
    return float(np.sqrt(2.0) * z[body].std() / (high - low))


def boundary_step(depth: ArrayLike, mask: ArrayLike, *, near: float = 3.0, far: float = 15.0) -> float:
    """How sharply the depth steps at the body's edge: the "sharper boundaries" of section 4.3.

    The mean depth outside less that inside, within `near` px of the edge, as a part of the same at `near` to `far` px.

    Parameters
    ----------
    depth
        (H, W), finite, larger = farther.
    mask
        (H, W), as for `iou`: the true person.
    near, far
        Distances from the edge in pixels, 1 <= near < far.

    Returns
    -------
    float
        1 for a step, about a sixth for an even slope at the default distances; NaN without an edge, or where the body
        is no nearer than what is around it.

    Examples
    --------
    >>> mask = np.zeros((9, 80)); mask[:, 40:] = 1
    >>> slope = np.clip(np.arange(80.0), 24, 55)[None].repeat(9, axis=0)
    >>> boundary_step(1 - mask, mask), round(boundary_step(-slope, mask), 2)
    (1.0, 0.17)
    """
    z, body = np.asarray(depth, dtype=np.float64), _person(mask, "mask")
    _same_shape(z, body)
    if not 1 <= near < far:
        raise ValueError(f"near = {near} and far = {far}: choose 1 <= near < far")
    if body.all() or not body.any():
        return float("nan")
    distance = _distance_to_edge(body)
    rings = [(distance <= near), (distance > near) & (distance <= far)]
    if not all((ring & side).any() for ring in rings for side in (body, ~body)):
        return float("nan")
    close, wide = (z[ring & ~body].mean() - z[ring & body].mean() for ring in rings)
    return float(close / wide) if wide > 0 else float("nan")


def _person(values: ArrayLike, name: str, *, at_half: bool = False) -> BoolArray:
    v = np.asarray(values)
    if v.ndim != 2 or v.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be (H, W) numbers, not {v.dtype} of shape {v.shape}")
    if v.size and not (v.min() >= 0 and v.max() <= 1):  # NaN fails too
        raise ValueError(f"{name} must lie in [0, 1], but runs from {v.min():g} to {v.max():g}")
    return v >= 0.5 if at_half else v > 0.5


def _same_shape(a: NDArray, b: NDArray) -> None:
    if a.shape != b.shape:
        raise ValueError(f"shapes differ: {a.shape} and {b.shape}")


def _iou(m: BoolArray, t: BoolArray) -> float:
    union = int(np.count_nonzero(m | t))
    return int(np.count_nonzero(m & t)) / union if union else 1.0


def _distance_to_edge(body: BoolArray) -> NDArray[np.float64]:
    """(H, W): from each pixel to the nearest one on the other side, centre to centre, so at least 1."""
    return np.where(body, distance_transform_edt(body), distance_transform_edt(~body))


def _colour_error(image: ArrayLike, truth: ArrayLike) -> float:
    x, t = np.asarray(image, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    _same_shape(x, t)
    return float(np.sqrt(np.mean((x - t) ** 2)))
