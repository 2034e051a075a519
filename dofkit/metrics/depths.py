# SPDX-License-Identifier: GPL-3.0-or-later
"""Of a depth: WHDR, its spread over the body, its step at the body's edge."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from dofkit.metrics.masks import distance_to_edge, person, same_shape


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
    z, body = np.asarray(depth, dtype=np.float64), person(mask, "mask")
    same_shape(z, body)
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
    z, body = np.asarray(depth, dtype=np.float64), person(mask, "mask")
    same_shape(z, body)
    if not 1 <= near < far:
        raise ValueError(f"near = {near} and far = {far}: choose 1 <= near < far")
    if body.all() or not body.any():
        return float("nan")
    distance = distance_to_edge(body)
    rings = [(distance <= near), (distance > near) & (distance <= far)]
    if not all((ring & side).any() for ring in rings for side in (body, ~body)):
        return float("nan")
    close, wide = (z[ring & ~body].mean() - z[ring & body].mean() for ring in rings)
    return float(close / wide) if wide > 0 else float("nan")
