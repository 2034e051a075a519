# SPDX-License-Identifier: GPL-3.0-or-later
"""From depth to the radius of the blur, as a thin lens has it.

    s_i = c (q_f - q_i),   q = 1 / distance,   c = F f / (2 N)              (lens equation, `dofkit.scenes.lens`)

s is the signed radius in pixels, positive behind the focus; F is the focal length in pixels, f in metres, N the
f-number. Without a lens only the shape is known, and c follows from a largest radius. With one, distances need a unit:
depth in metres has it; q of the networks is inverse distance up to a factor (so it is assumed), which one known
distance fixes, that of the person.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dofkit.files import PhotoError

Array = NDArray[np.float32]

Focus = float | tuple[float, float] | None
"""Depth in focus; or a point (x, y) of the picture, in pixels, whose depth it is; or the person, None."""

UNKNOWN_DISTANCE = 2.5
"""Metres to the person where depth has no unit and nobody says: a whole body fills the picture of a 50 mm lens."""

FILM = 36.0
"""Long side of the film in mm, to which focal lengths refer."""

WIDEST = 0.1
"""No radius is larger than this share of the long side."""


@dataclass(frozen=True)
class ThinLens:
    """A lens, and how far the person is from it.

    Attributes
    ----------
    f_number : N, focal length by diameter of the aperture; a smaller one blurs more.
    focal_length : f in mm on film of 36 mm (the long side), which says how wide the picture's view is.
    distance : of the person, metres; it overrules what depth says. None takes positive depth to be in metres, and a
        person whose depth has no unit to stand at 2.5 m.

    Raises
    ------
    PhotoError
        If there is no such lens, or the person stands inside it.

    Examples
    --------
    >>> q = np.float32([[0.5, 0.25]])  # 2 m and 4 m
    >>> ThinLens(2.0, 80.0).radii(q, 0.5, 450).tolist()  # F is 1000 pixels
    [[0.0, 5.0]]
    """

    f_number: float
    focal_length: float = 50.0
    distance: float | None = None

    def __post_init__(self) -> None:
        for name, value in (("f-number", self.f_number), ("focal length", self.focal_length)):
            if not (np.isfinite(value) and value > 0):
                raise PhotoError(f"the {name} is {value}: choose a number above 0")
        if self.distance is not None and not (np.isfinite(self.distance) and 1000 * self.distance > self.focal_length):
            raise PhotoError(f"the person is {self.distance:g} m away, with a lens of {self.focal_length:g} mm: "
                             "choose a distance in metres, beyond the focal length")

    def per_metre(self, z: NDArray[np.floating], m: NDArray[np.floating]) -> float:
        """By how much to multiply q (`inverse_distance` of z) so that it is in 1/m.

        Parameters
        ----------
        z : (H, W) depth as `PortraitMode` has it; m : (H, W) in [0, 1], the person.

        Raises
        ------
        PhotoError
            If the person's depth says that they are infinitely far away.

        Examples
        --------
        >>> z, m = np.float32([[-0.8, -0.4]]), np.float32([[1, 0]])
        >>> round(ThinLens(2.0, distance=2.5).per_metre(z, m), 3), ThinLens(2.0).per_metre(-1 / z, m)
        (0.5, 1.0)
        """
        if self.distance is None and z.min() > 0:
            return 1.0
        person = focus_at(inverse_distance(z), None, m)
        if person <= 0:
            raise PhotoError("an f-number needs depth in metres, or negative inverse distance: this depth says that "
                             "the person is infinitely far away")
        return 1 / (person * (self.distance or UNKNOWN_DISTANCE))

    def radii(self, q: Array, focus: float, side: int) -> Array:
        """Signed radius of each pixel, at most 10 % of the long side.

        Parameters
        ----------
        q : (H, W) in 1/m; focus : q in focus; side : long side of the picture in pixels.

        Raises
        ------
        PhotoError
            If the focus lies inside the lens.
        """
        if focus * self.focal_length >= 1000:
            raise PhotoError(f"the focus is {1 / focus:.2g} m away, inside a lens of {self.focal_length:g} mm: is the "
                             "depth in metres? Otherwise say how far away the person is")
        focal_pixels = side * self.focal_length / FILM
        s = focal_pixels * self.focal_length / 1000 / (2 * self.f_number) * (focus - q)
        return np.clip(s, -WIDEST * side, WIDEST * side).astype(np.float32)


def inverse_distance(z: NDArray[np.floating]) -> Array:
    """q, from depth as `PortraitMode` has it: 1 / z where z is positive (metres), -z where it is not (the networks').

    >>> inverse_distance(np.float32([[2, 4]])).tolist(), inverse_distance(np.float32([[-0.5, -0.25]])).tolist()
    ([[0.5, 0.25]], [[0.5, 0.25]])
    """
    q = 1 / z if z.min() > 0 else -z
    return q.astype(np.float32)


def focus_at(q: Array, focus: Focus, m: NDArray[np.floating]) -> float:
    """Give q in focus: of the person's median, of a point (x, y) and its neighbours, or of a depth.

    Parameters
    ----------
    q : (H, W), `inverse_distance`.
    focus : a depth is meant as `PortraitMode` has it, metres or negative inverse distance.
    m : (H, W) in [0, 1], the person.

    Raises
    ------
    PhotoError
        If the point lies outside the picture, or there is no such depth.

    Examples
    --------
    >>> q, m = np.float32([[0.5, 0.25]]), np.float32([[1, 0]])
    >>> focus_at(q, None, m), focus_at(q, 4.0, m), focus_at(q, -0.25, m)
    (0.5, 0.25, 0.25)
    """
    if focus is None:
        inside = q[m > 0.5]
        return float(np.median(inside if inside.size else q))
    if not isinstance(focus, tuple):
        if not (np.isfinite(focus) and focus):
            raise PhotoError(f"the depth in focus is {focus}: choose a depth in the unit of the depth map")
        return 1 / focus if focus > 0 else -focus
    x, y = focus
    if not (0 <= x < q.shape[1] and 0 <= y < q.shape[0]):
        size = f"{q.shape[1]} x {q.shape[0]} pixels"
        raise PhotoError(f"the point in focus, {x:g},{y:g}, lies outside the picture of {size}")
    row, column = int(y), int(x)
    return float(np.median(q[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]))


def signed_radius(q: Array, focus: float, max_radius: float) -> Array:
    """Signed radius of each pixel: 0 in focus, negative before it; `max_radius` at the far end of q, and beyond.

    The end is the 1st percentile, the 99th (near) one where hardly anything lies behind the focus. What is near may
    have up to twice that radius.

    >>> signed_radius(np.float32([[0.5, 0.25, 0.0]]), 0.25, 4.0).tolist()
    [[-4.0, 0.0, 4.0]]
    """
    far, near = np.percentile(q, 1, method="lower"), np.percentile(q, 99, method="higher")
    gap = focus - far if focus - far > 0.05 * (near - far) else near - focus
    c = max_radius / max(float(gap), 1e-6)
    return np.clip(c * (focus - q), -2 * max_radius, max_radius).astype(np.float32)
