# SPDX-License-Identifier: GPL-3.0-or-later
"""Glasses: curves before the eyes, drawn finely on the canvas as a layer of their own.

Frames are thinner than a pixel in most pictures, so they are drawn as lines of their true width with much
supersampling instead of being traced; what the head, the hair or a hand hides is left out.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from dofkit.scenes.camera import Camera
from dofkit.scenes.head import Head
from dofkit.scenes.light import Light
from dofkit.scenes.solids import Array

KINDS = ("round", "square", "dark")
_SHAPES = {"round": (0.200, 0.190, 2.0), "square": (0.215, 0.165, 4.0), "dark": (0.220, 0.180, 2.7)}
_FRAMES = {"round": (0.17, 0.10, 0.045), "square": (0.02, 0.018, 0.017), "dark": (0.02, 0.018, 0.017)}
_MIDDLE = (0.272, 0.035, 0.83)  # of the viewer's right lens, in head coordinates
_THICK = 0.022  # of a frame, in half head heights
_OVER = 4  # supersampling of the drawing
_POINTS = 64


def curves(kind: str) -> list[NDArray[np.float64]]:
    """Two rims, two temples and the bridge in head coordinates, (64, 3) each."""
    wide, tall, power = _SHAPES[kind]
    turn = np.linspace(0, 2 * np.pi, _POINTS)
    x, y = (np.sign(f) * np.abs(f) ** (2 / power) for f in (np.cos(turn), np.sin(turn)))
    t = np.linspace(0, 1, _POINTS)
    rims, temples = [], []
    for side in (-1, 1):
        # Rims lean on the cheeks and wrap around the face a little.
        across = _MIDDLE[0] + side * wide * x
        deep = _MIDDLE[2] - 0.25 * np.maximum(across - 0.2, 0) ** 1.5 + 0.10 * tall * y
        rims.append(np.stack([side * across, _MIDDLE[1] + tall * y, deep], 1))
        hinge = np.array([side * (_MIDDLE[0] + wide), 0.07, _MIDDLE[2] - 0.03])
        temples.append(hinge + t[:, None] * (np.array([side * 0.70, 0.06, -0.05]) - hinge))
    reach = _MIDDLE[0] - 0.97 * wide
    bridge = np.stack([(2 * t - 1) * reach, 0.055 + 0.025 * np.sin(np.pi * t), 0.83 + 0.03 * np.sin(np.pi * t)], 1)
    return [*rims, *temples, bridge]


def wear(
    kind: str,
    head: Head,
    camera: Camera,
    place: NDArray[np.float64],
    axes: NDArray[np.float64],
    light: Light,
    window: tuple[slice, slice],
    depth: Array,
    cover: Array,
) -> tuple[Array, Array, Array]:
    """The layer of a head's glasses on a window of the canvas: premultiplied colour, inverse depth, its weight."""
    rows, columns = depth.shape
    lines = np.stack(curves(kind))
    seen = camera.project(place + (lines * head.half @ head.turn + head.centre) @ axes)
    seen[..., :2] -= [window[1].start, window[0].start]
    x = np.clip(np.round(seen[..., 0]).astype(int), 0, columns - 1)
    y = np.clip(np.round(seen[..., 1]).astype(int), 0, rows - 1)
    slack = np.where(np.arange(len(lines)) % 5 < 2, 0.020, 0.010)[:, None]
    slack[4] = 0.020  # what rests on the nose may touch it
    open_ = (seen[..., 2] < depth[y, x] + slack) | (cover[y, x] < 0.3)
    colour, inverse = np.zeros((rows, columns, 4), np.float32), np.zeros((rows, columns), np.float32)
    weight = np.zeros_like(inverse)
    np.add.at(weight, (y[open_], x[open_]), 1)
    np.add.at(inverse, (y[open_], x[open_]), 1 / seen[..., 2][open_])
    low = np.maximum(np.floor(seen[..., :2].min((0, 1))).astype(int) - 2, 0)
    high = np.minimum(np.ceil(seen[..., :2].max((0, 1))).astype(int) + 3, [columns, rows])
    if (low < high).all() and open_.any():
        box = slice(low[1], high[1]), slice(low[0], high[0])
        seen[..., :2] -= low
        thick = _THICK * head.half * camera.focal_pixels / float(seen[..., 2].mean())
        frame = _lines(seen, open_, thick, colour[box].shape[:2])
        glass = _lenses(seen, open_, depth[box], cover[box])
        colour[box] = _lit(kind, frame, glass, light, head, axes)
    return colour, inverse / np.maximum(weight, 1), weight


def _lines(seen: NDArray[np.float64], open_: NDArray[np.bool_], thick: float, shape: tuple[int, int]) -> Array:
    """Coverage of the frame, whose parts are as wide as they are: thinner than a line can be drawn, fainter."""
    ink = np.zeros((shape[0] * _OVER, shape[1] * _OVER), np.uint8)
    points = np.round(((seen[..., :2] + 0.5) * _OVER - 0.5) * 16).astype(int)
    wide = max(1, round(thick * _OVER))
    for line, shown in zip(points, open_, strict=True):
        pieces = [line[k : k + 2] for k in np.flatnonzero(shown[:-1] & shown[1:])]
        cv2.polylines(ink, pieces, False, 255, wide, cv2.LINE_AA, 4)
    strength = np.float32(min(1.0, max(thick * _OVER, 0.5) / wide) / 255)
    return cv2.resize(ink, shape[::-1], interpolation=cv2.INTER_AREA).astype(np.float32) * strength


def _lenses(seen: NDArray[np.float64], open_: NDArray[np.bool_], depth: Array, cover: Array) -> Array:
    """Coverage of the two lenses, where nothing lies before them."""
    rows, columns = depth.shape
    glass = np.zeros((rows, columns), np.float32)
    for rim, shown in zip(seen[:2], open_[:2], strict=True):
        if shown.mean() < 0.6:
            continue
        ink = np.zeros((rows * _OVER, columns * _OVER), np.uint8)
        points = np.round(((rim[:, :2] + 0.5) * _OVER - 0.5) * 16).astype(np.int32)
        cv2.fillPoly(ink, [points], 255, cv2.LINE_AA, 4)
        filled = cv2.resize(ink, (columns, rows), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        near = np.float32(rim[:, 2].mean() - 0.03)
        glass = np.maximum(glass, filled * np.where(cover > 0.3, np.clip((depth - near) / 0.005, 0, 1), 1))
    return glass


def _lit(kind: str, frame: Array, glass: Array, light: Light, head: Head, axes: NDArray[np.float64]) -> Array:
    """Premultiplied colour: dark lenses evenly tinted, clear ones with a breath of sky, the frame over them."""
    facing = float(np.clip((head.turn[2] @ axes) @ np.asarray(light.towards), 0, 1))
    around = 0.6 * np.asarray(light.sky) + 0.2 * np.asarray(light.ground) + facing * np.asarray(light.key)
    share, tint = (0.95, 0.022 * around) if kind == "dark" else (0.05, 0.6 * np.asarray(light.sky))
    cover = (share * glass)[..., None].astype(np.float32)
    shade = np.linspace(0.75, 1.3, len(glass), dtype=np.float32)[:, None, None]
    lens = np.concatenate([np.asarray(tint, np.float32) * shade * cover, cover], 2)
    rim = np.asarray([*(np.asarray(_FRAMES[kind]) * around), 1.0], np.float32) * frame[..., None]
    return rim + (1 - frame[..., None]) * lens
