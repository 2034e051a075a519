# SPDX-License-Identifier: GPL-3.0-or-later
"""Of a mask: IoU, everywhere and near the boundary."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import distance_transform_edt

BoolArray = NDArray[np.bool_]


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
    m, t = person(mask, "mask"), person(truth, "truth")
    same_shape(m, t)
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
    m, t = person(mask, "mask"), person(truth, "truth")
    same_shape(m, t)
    if not distance >= 1:
        raise ValueError(f"distance must be at least 1 px, not {distance}")
    if t.all() or not t.any():
        return float("nan")
    band = distance_to_edge(t) <= distance
    return _iou(m[band], t[band])


def person(values: ArrayLike, name: str, *, at_half: bool = False) -> BoolArray:
    """(H, W) bool: where the values, which have to be numbers in [0, 1], are above 1/2, or at it."""
    v = np.asarray(values)
    if v.ndim != 2 or v.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be (H, W) numbers, not {v.dtype} of shape {v.shape}")
    if v.size and not (v.min() >= 0 and v.max() <= 1):  # NaN fails too
        raise ValueError(f"{name} must lie in [0, 1], but runs from {v.min():g} to {v.max():g}")
    return v >= 0.5 if at_half else v > 0.5


def same_shape(a: NDArray, b: NDArray) -> None:
    """Refuse two arrays that would be broadcast."""
    if a.shape != b.shape:
        raise ValueError(f"shapes differ: {a.shape} and {b.shape}")


def distance_to_edge(body: BoolArray) -> NDArray[np.float64]:
    """(H, W): from each pixel to the nearest one on the other side, centre to centre, so at least 1."""
    return np.where(body, distance_transform_edt(body), distance_transform_edt(~body))


def _iou(m: BoolArray, t: BoolArray) -> float:
    union = int(np.count_nonzero(m | t))
    return int(np.count_nonzero(m & t)) / union if union else 1.0
