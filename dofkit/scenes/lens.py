# SPDX-License-Identifier: GPL-3.0-or-later
"""A thin lens: the physics of depth of field in one file.

A lens of focal length f and aperture diameter A = f / N (N: the f-number), focused at distance d_f,
spreads a point at distance d over a disc on the sensor, the circle of confusion, of diameter

    c = A f |d - d_f| / (d (d_f - f)).

Seen the other way round, every point (u, v) of the aperture is a tiny pinhole with its own view of the
scene.  Keep the frame fixed on the focus plane: the view from (u, v) then differs from the central one by
a shift of

    F (u, v) (1/d_f - 1/d)    pixels,    F = focal length in pixels,

and the photograph is the mean of these views.  What is hidden behind an edge really comes into sight from
a part of the lens: occlusion is right because it is rendered, not because a filter imitates it.

Layers are premultiplied by their coverage and are composited back to front in linear light; the mean keeps
the light's energy.  A shift that leaves the margin drawn around the frame raises `LensError`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
GOLDEN_ANGLE = np.pi * (3.0 - np.sqrt(5.0))


class LensError(ValueError):
    """The lens asks for more than the scene holds: a blur wider than its margin, a focus inside the lens."""


class Layer(Protocol):
    """One sheet of the scene, as `photograph` needs it."""

    def seen_from(self, shift: tuple[float, float], focus: float) -> tuple[Array, int, int]:
        """Premultiplied (h, w, 4) view and its top left pixel; `shift` in pixels per unit of 1/distance."""
        ...

    def nearest_farthest(self) -> tuple[float, float]:
        """Largest and smallest inverse distance of the layer, 1/m."""
        ...


def circle_of_confusion(
    distance: NDArray[np.floating] | float, *, focus: float, focal_length: float, f_number: float
) -> NDArray[np.floating] | float:
    """Diameter of the disc that a point becomes on the sensor, metres (thin lens, geometric optics).

    Parameters
    ----------
    distance : float or array
        Distance d of the point from the lens, metres, > 0.
    focus : float
        Distance d_f of the plane in focus, metres, > focal_length.
    focal_length, f_number : float
        f in metres and N = f / A.

    Examples
    --------
    >>> round(1e3 * float(circle_of_confusion(4.0, focus=2.0, focal_length=0.080, f_number=2.0)), 3)  # mm
    0.833
    """
    _check_lens(focus, focal_length, f_number)
    aperture = focal_length / f_number
    return aperture * focal_length * np.abs(distance - focus) / (distance * (focus - focal_length))


def blur_diameter(
    distance: NDArray[np.floating] | float,
    *,
    focus: float,
    focal_length: float,
    f_number: float,
    focal_pixels: float,
) -> NDArray[np.floating] | float:
    """The circle of confusion in pixels: ``F A |1/d_f - 1/d|``, with F the focal length in pixels.

    `focal_pixels` is measured as the frame is, on the focus plane (one metre there spans F / d_f pixels);
    then the sensor's ``(d_f - f)`` cancels and both formulas are the same.

    Examples
    --------
    >>> float(blur_diameter(4.0, focus=2.0, focal_length=0.080, f_number=2.0, focal_pixels=1000))
    10.0
    """
    _check_lens(focus, focal_length, f_number)
    return focal_pixels * focal_length / f_number * np.abs(1.0 / focus - 1.0 / distance)


def aperture_points(count: int) -> NDArray[np.float64]:
    """Spread `count` points evenly over the unit disc: Vogel's sunflower spiral, (count, 2), mean zero.

    The n-th point sits at radius sqrt((n + 1/2) / count) and at n golden angles: equal areas, no rows.

    Examples
    --------
    >>> points = aperture_points(64)
    >>> bool(np.hypot(*points.T).max() < 1), points.shape
    (True, (64, 2))
    """
    if count < 1:
        raise LensError(f"a photograph needs at least 1 lens point, not {count}")
    if count == 1:
        return np.zeros((1, 2))
    turn = np.arange(count)
    radius = np.sqrt((turn + 0.5) / count)
    points = radius[:, None] * np.stack([np.cos(turn * GOLDEN_ANGLE), np.sin(turn * GOLDEN_ANGLE)], axis=1)
    centred = points - points.mean(axis=0)
    return centred / max(1.0, float(np.hypot(*centred.T).max()))


def composite(
    layers: Sequence[Layer],
    *,
    shape: tuple[int, int],
    shift: tuple[float, float] = (0.0, 0.0),
    focus: float = 0.0,
) -> tuple[Array, Array]:
    """Lay the layers over each other, far to near: ``over``, premultiplied, linear light.

    Parameters
    ----------
    layers : sequence of Layer
        Sorted far to near.
    shape : (int, int)
        Height and width of the canvas.
    shift : (float, float)
        Where on the lens we stand: F (u, v), pixels metre.
    focus : float
        1 / d_f: what lies there does not move.

    Returns
    -------
    radiance : (H, W, 3) float32, linear
    coverage : (H, W) float32
        1 where something opaque was met.
    """
    red, green, blue, clear = (np.zeros(shape, np.float32) for _ in range(4))
    clear += 1
    for layer in layers:
        view, top, left = layer.seen_from(shift, focus)
        y0, x0 = max(top, 0), max(left, 0)
        y1, x1 = min(top + view.shape[0], shape[0]), min(left + view.shape[1], shape[1])
        if y0 >= y1 or x0 >= x1:
            continue
        *colour, through = cv2.split(view[y0 - top : y1 - top, x0 - left : x1 - left])
        np.subtract(1, through, out=through)
        for below, above in zip((red, green, blue), colour, strict=True):
            window = below[y0:y1, x0:x1]
            window *= through
            window += above
        clear[y0:y1, x0:x1] *= through
    return cv2.merge([red, green, blue]), 1 - clear


def photograph(
    layers: Sequence[Layer],
    *,
    shape: tuple[int, int],
    margin: int,
    focal_pixels: float,
    focus: float,
    focal_length: float,
    f_number: float,
    lens_points: int,
) -> Array:
    """Take the picture through the whole lens: the mean view over the aperture.

    Parameters
    ----------
    layers : sequence of Layer
        Far to near, on a canvas that is wider than the frame by `margin` pixels on every side.
    shape : (int, int)
        Height and width of that canvas.
    margin : int
        Border drawn around the frame, pixels; no point may move farther.
    focal_pixels : float
        Focal length in pixels, F.
    focus, focal_length : float
        Metres.
    f_number : float
        N = f / A.
    lens_points : int
        Number of aperture points; the noise of the estimate falls about as 1 / lens_points.

    Returns
    -------
    (H - 2 margin, W - 2 margin, 3) float32
        Linear radiance.

    Raises
    ------
    LensError
        If a blur radius is beyond the margin, or the focus lies within the focal length.
    """
    _check_lens(focus, focal_length, f_number)
    radius = 0.5 * focal_length / f_number
    _check_margin(layers, focal_pixels * radius, 1.0 / focus, margin)
    total = np.zeros((*shape, 3), np.float32)
    for u, v in aperture_points(lens_points) * radius:
        view, _ = composite(layers, shape=shape, shift=(focal_pixels * u, focal_pixels * v), focus=1.0 / focus)
        cv2.accumulate(view, total)
    inside = total[margin : shape[0] - margin, margin : shape[1] - margin]
    return np.ascontiguousarray(inside) / np.float32(lens_points)


def _check_lens(focus: float, focal_length: float, f_number: float) -> None:
    if not focal_length > 0 or not f_number > 0:
        raise LensError(f"focal length ({focal_length} m) and f-number ({f_number}) have to be positive")
    if not focus > focal_length:
        raise LensError(
            f"the focus distance, {focus} m, has to be beyond the focal length, {focal_length} m (both are in metres)"
        )


def _check_margin(layers: Sequence[Layer], reach: float, focus: float, margin: int) -> None:
    ends = [end for layer in layers for end in layer.nearest_farthest()]
    widest = max(abs(focus - end) for end in ends) * reach
    if widest > margin:
        raise LensError(
            f"a blur radius of {widest:.1f} px is beyond the scene's margin of {margin} px: "
            "use a larger f-number, a shorter focal length or another focus distance"
        )
