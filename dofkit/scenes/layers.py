# SPDX-License-Identifier: GPL-3.0-or-later
"""What a scene is made of: planar sheets and reliefs, each knowing its view from any point of the lens.

A point of inverse depth w moves by ``shift * (focus - w)`` pixels when the eye moves over the lens.

* `Sheet`: w is linear in the pixel's coordinates, so the move is one affine warp, exactly.
* `Relief`: w is a map; the move is inverted by a fixed point, x <- x' - shift (focus - w(x)), and one remap.

`Sketch` draws a sheet: polygons, lines and discs on a plane of the world, antialiased, in sRGB; `sheet`
lights it and turns it linear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from dofkit.scenes.camera import Camera

Array = NDArray[np.floating]
_SUBPIXEL = 4  # bits of cv2's fixed-point coordinates
_CODES = np.arange(256) / 255
LINEAR = np.where(_CODES <= 0.04045, _CODES / 12.92, ((_CODES + 0.055) / 1.055) ** 2.4).astype(np.float32)


@dataclass(frozen=True)
class Sheet:
    """A plane of the scene: premultiplied linear colour and the coefficients of its inverse depth."""

    colour: Array
    top: int
    left: int
    plane: tuple[float, float, float]

    def seen_from(self, shift: tuple[float, float], focus: float) -> tuple[Array, int, int]:
        """The view from another point of the lens: one affine warp (see `lens.Layer`)."""
        if shift == (0.0, 0.0):
            return self.colour, self.top, self.left
        a, b, c = self.plane
        pad_x, pad_y = (int(np.ceil(abs(s) * self._furthest(focus))) + 1 for s in shift)
        c = c + a * self.left + b * self.top
        (sx, sy), rest = shift, focus - c
        matrix = np.array([[1 - sx * a, -sx * b, sx * rest + pad_x], [-sy * a, 1 - sy * b, sy * rest + pad_y]])
        rows, columns = self.colour.shape[:2]
        view = cv2.warpAffine(self.colour, matrix, (columns + 2 * pad_x, rows + 2 * pad_y))
        return view, self.top - pad_y, self.left - pad_x

    def nearest_farthest(self) -> tuple[float, float]:
        """Largest and smallest inverse distance, 1/m."""
        corners = self._corners()
        return float(corners.max()), float(corners.min())

    def inverse_depth(self) -> Array:
        """1/z of every pixel of the sheet."""
        a, b, c = self.plane
        rows, columns = self.colour.shape[:2]
        across = a * (np.arange(columns) + self.left)
        return (across[None] + (b * (np.arange(rows) + self.top) + c)[:, None]).astype(np.float32)

    def _corners(self) -> NDArray[np.float64]:
        a, b, c = self.plane
        rows, columns = self.colour.shape[:2]
        x = self.left + np.array([0, columns - 1])
        y = self.top + np.array([0, rows - 1])
        return a * x[None] + b * y[:, None] + c

    def _furthest(self, focus: float) -> float:
        return float(np.abs(self._corners() - focus).max())


@dataclass(frozen=True)
class Relief:
    """A curved part of the scene: premultiplied linear colour and a smooth map of its inverse depth."""

    colour: Array
    top: int
    left: int
    inverse: Array

    def seen_from(self, shift: tuple[float, float], focus: float) -> tuple[Array, int, int]:
        """The view from another point of the lens: a fixed point and one remap (see `lens.Layer`)."""
        if shift == (0.0, 0.0):
            return self.colour, self.top, self.left
        sx, sy = np.float32(shift[0]), np.float32(shift[1])
        near, far = self.nearest_farthest()
        reach = max(abs(focus - near), abs(focus - far))
        pad_x, pad_y = int(np.ceil(abs(sx) * reach)) + 1, int(np.ceil(abs(sy) * reach)) + 1
        rows, columns = self.colour.shape[:2]
        x = np.arange(-pad_x, columns + pad_x, dtype=np.float32)[None]
        y = np.arange(-pad_y, rows + pad_y, dtype=np.float32)[:, None]
        step = np.full((rows + 2 * pad_y, columns + 2 * pad_x), focus - 0.5 * (near + far), np.float32)
        for _ in range(3):
            step = focus - cv2.remap(
                self.inverse, x - sx * step, y - sy * step, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
        view = cv2.remap(self.colour, x - sx * step, y - sy * step, cv2.INTER_LINEAR)
        return view, self.top - pad_y, self.left - pad_x

    def nearest_farthest(self) -> tuple[float, float]:
        """Largest and smallest inverse distance, 1/m."""
        return float(self.inverse.max()), float(self.inverse.min())

    def inverse_depth(self) -> Array:
        """1/z of every pixel of the relief."""
        return self.inverse


class Sketch:
    """Draw on a plane of the world; windowed, antialiased, sRGB in 8 bits.

    Parameters
    ----------
    camera : Camera
        The final canvas.
    fine : int
        Supersampling while drawing.
    corners : (N, 3) array or None
        World points whose projection bounds the drawing; None for the whole canvas.
    normal, offset :
        The plane ``normal . P = offset``.
    base : colour
        sRGB in [0, 1]: what half covered edges fade to.
    """

    def __init__(
        self,
        camera: Camera,
        fine: int,
        corners: ArrayLike | None,
        *,
        normal: tuple[float, float, float],
        offset: float,
        base: ArrayLike = (0.3, 0.3, 0.3),
    ) -> None:
        self.camera, self.fine, self.view = camera, fine, camera.scaled(fine)
        self.plane = camera.inverse_depth(normal, offset)
        rows, columns = camera.canvas
        spots = (
            np.array([[0, 0], [columns, rows]])
            if corners is None
            else camera.project(np.asarray(corners, float))[..., :2].reshape(-1, 2)
        )
        self.left, self.top = (int(v) for v in np.clip(np.floor(spots.min(0)) - 2, 0, [columns - 1, rows - 1]))
        right, bottom = (
            int(v) for v in np.clip(np.ceil(spots.max(0)) + 3, [self.left + 1, self.top + 1], [columns, rows])
        )
        self.shape = ((bottom - self.top) * fine, (right - self.left) * fine)
        self.paint = np.empty((*self.shape, 4), np.uint8)  # sRGB and coverage
        self.paint[:] = (*code(base), 0)

    def spot(self, points: ArrayLike) -> NDArray[np.float64]:
        """World points (..., 3) to (..., 2) pixels of the window, fine."""
        fine = self.view.project(np.asarray(points, float))[..., :2]
        return fine - [self.left * self.fine, self.top * self.fine]

    def pixels(self, metres: float, depth: float) -> float:
        """How long a length is at a depth, fine pixels."""
        return metres * self.view.focal_pixels / depth

    def fill(self, outline: NDArray[np.floating], colour: ArrayLike) -> None:
        """Fill one polygon, (N, 2) pixels of the window."""
        points = np.round(outline * 2**_SUBPIXEL).astype(np.int32)
        cv2.fillPoly(self.paint, [points], (*code(colour), 255), cv2.LINE_AA, _SUBPIXEL)

    def fill_many(self, outlines: NDArray[np.floating], colours: NDArray[np.floating]) -> None:
        """Fill many polygons, (M, N, 2) pixels of the window, each with its own colour (M, 3)."""
        points = np.round(outlines * 2**_SUBPIXEL).astype(np.int32)
        shades = np.clip(np.round(np.pad(colours * 255, ((0, 0), (0, 1)), constant_values=255)), 0, 255)
        for outline, shade in zip(points, shades.tolist(), strict=True):
            cv2.fillPoly(self.paint, [outline], shade, cv2.LINE_AA, _SUBPIXEL)

    def line(self, path: NDArray[np.floating], colour: ArrayLike, width: float) -> None:
        """Draw a line through (N, 2) pixels, at least a pixel wide."""
        points = [np.round(path * 2**_SUBPIXEL).astype(np.int32)]
        cv2.polylines(self.paint, points, False, (*code(colour), 255), max(1, round(width)), cv2.LINE_AA, _SUBPIXEL)

    def disc(self, middle: NDArray[np.floating], radius: float, colour: ArrayLike) -> None:
        """Fill a disc, pixels of the window."""
        turn = np.linspace(0, 2 * np.pi, 4 + int(min(36, 4 + radius * 2)), endpoint=False)
        self.fill(middle + radius * np.stack([np.cos(turn), np.sin(turn)], 1), colour)

    def sheet(self, light: ArrayLike = (1.0, 1.0, 1.0), haze: ArrayLike = (0.0, 0.0, 0.0), veil: float = 0.0) -> Sheet:
        """Light the drawing (`light`: one colour or a fine map), veil it with haze, and make it linear."""
        linear = LINEAR[self.paint[..., :3]] * np.asarray(light, np.float32)
        if veil:
            linear += np.float32(veil) * (np.asarray(haze, np.float32) - linear)
        return Sheet(
            shrink(premultiply(linear, self.paint[..., 3].astype(np.float32) / 255), self.fine),
            self.top,
            self.left,
            self.plane,
        )


def code(colour: ArrayLike) -> list[int]:
    """8-bit code of an sRGB colour in [0, 1], as cv2 wants it."""
    return [int(v) for v in np.clip(np.round(np.asarray(colour, float) * 255), 0, 255)]


def premultiply(colour: Array, cover: Array) -> Array:
    """Join linear colour (h, w, 3) and coverage (h, w) to a premultiplied (h, w, 4)."""
    return np.dstack([colour * cover[..., None], cover]).astype(np.float32)


def shrink(picture: Array, factor: int) -> Array:
    """Mean over factor x factor pixels."""
    if factor == 1:
        return picture
    rows, columns = picture.shape[0] // factor, picture.shape[1] // factor
    return cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_AREA)


def spread(values: Array, weight: Array, *, smooth: float = 1.0) -> Array:
    """Carry a map from where its weight is to everywhere else, smoothly (a pyramid of weighted means)."""
    levels: list[tuple[Array, Array]] = [(values * weight, weight)]
    while min(levels[-1][0].shape) > 2:
        down = tuple(cv2.resize(part, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for part in levels[-1])
        levels.append(down)
    total, mass = levels[-1]
    for part, load in reversed(levels[:-1]):
        size = part.shape[::-1]
        total = cv2.resize(total, size, interpolation=cv2.INTER_LINEAR) * np.float32(1e-3) + part
        mass = cv2.resize(mass, size, interpolation=cv2.INTER_LINEAR) * np.float32(1e-3) + load
        low = np.float32(max(float(mass.max()), 1e-20))
        total, mass = total / low, mass / low
    filled = total / np.maximum(mass, 1e-30)
    return cv2.GaussianBlur(filled, (0, 0), smooth).astype(np.float32) if smooth else filled.astype(np.float32)


def depth_of(layers: Sequence[Sheet | Relief], shape: tuple[int, int]) -> Array:
    """Depth of what covers more than half of each pixel, metres, (H, W); `layers` far to near."""
    inverse = np.full(shape, 1e-3, np.float32)
    for layer in layers:
        rows, columns = layer.colour.shape[:2]
        window = inverse[layer.top : layer.top + rows, layer.left : layer.left + columns]
        np.copyto(window, layer.inverse_depth(), where=layer.colour[..., 3] > 0.5)
    return 1 / inverse
