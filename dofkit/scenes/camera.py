# SPDX-License-Identifier: GPL-3.0-or-later
"""The pinhole at the centre of the lens: where a point of the world falls on the canvas.

The world has X to the right, Y up and Z into the picture, metres, its origin on the ground below the
camera.  Pixel (column, row) has its centre at whole numbers.  A point P is seen along the ray r with
P = C + z r, where z is its depth (along the optical axis, not along the ray); on any plane n.P = k

    1 / z = n.r / (k - n.C)

is therefore linear in the pixel's coordinates: what makes one lens point one affine warp per plane.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

SENSOR_HEIGHT = 0.036  # metres: the long side of a full frame, held upright


@dataclass(frozen=True)
class Camera:
    """A camera and its canvas: the frame and a margin around it for the lens to look into.

    Parameters
    ----------
    height, width : int
        The frame, pixels.
    margin : int
        Extra pixels on every side.
    focal_length : float
        Metres, on a sensor 36 mm high.
    eye : float
        Height of the lens above the ground, metres.
    pitch, roll : float
        Radians; a positive pitch looks down.

    Examples
    --------
    >>> camera = Camera(100, 60, 10, focal_length=0.05, eye=1.5)
    >>> camera.project(np.array([[0.0, 1.5, 3.0]]))[0].tolist()   # straight ahead: the canvas's centre
    [39.5, 59.5, 3.0]
    """

    height: int
    width: int
    margin: int
    focal_length: float
    eye: float
    pitch: float = 0.0
    roll: float = 0.0

    @property
    def focal_pixels(self) -> float:
        """Focal length in pixels."""
        return self.height * self.focal_length / SENSOR_HEIGHT

    @property
    def canvas(self) -> tuple[int, int]:
        """Height and width with the margin."""
        return self.height + 2 * self.margin, self.width + 2 * self.margin

    @property
    def centre(self) -> tuple[float, float]:
        """Column and row of the optical axis."""
        rows, columns = self.canvas
        return (columns - 1) / 2, (rows - 1) / 2

    @property
    def position(self) -> NDArray[np.float64]:
        """The lens's centre in the world."""
        return np.array([0.0, self.eye, 0.0])

    @cached_property
    def axes(self) -> NDArray[np.float64]:
        """Rows: right, down and forward in the world."""
        sin, cos = np.sin(self.pitch), np.cos(self.pitch)
        right, down, forward = np.array([1.0, 0, 0]), np.array([0, -cos, -sin]), np.array([0, -sin, cos])
        turn, lean = np.cos(self.roll), np.sin(self.roll)
        return np.stack([turn * right + lean * down, turn * down - lean * right, forward])

    def scaled(self, factor: int) -> Camera:
        """The same view drawn `factor` times finer."""
        return replace(self, height=self.height * factor, width=self.width * factor, margin=self.margin * factor)

    def project(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Project (..., 3) world points to (..., 3): column, row, depth."""
        seen = (np.asarray(points, float) - self.position) @ self.axes.T
        depth = np.maximum(seen[..., 2:], 1e-3)
        plane = seen[..., :2] / depth * self.focal_pixels + self.centre
        return np.concatenate([plane, depth], axis=-1)

    def rays(self, top: int, left: int, rows: int, columns: int) -> NDArray[np.float32]:
        """World directions of unit depth through a window of the canvas, (3, rows, columns)."""
        across = (np.arange(left, left + columns) - self.centre[0]) / self.focal_pixels
        along = (np.arange(top, top + rows) - self.centre[1]) / self.focal_pixels
        right, down, forward = self.axes.astype(np.float32)[..., None, None]
        return right * across[None, None].astype(np.float32) + down * along[None, :, None].astype(np.float32) + forward

    def inverse_depth(self, normal: tuple[float, float, float], offset: float) -> tuple[float, float, float]:
        """(a, b, c) with 1/z = a column + b row + c on the plane ``normal . P = offset``."""
        n = np.asarray(normal, float)
        right, down, forward = self.axes @ n / (offset - n @ self.position)
        a, b = right / self.focal_pixels, down / self.focal_pixels
        return a, b, forward - a * self.centre[0] - b * self.centre[1]
