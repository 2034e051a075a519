# SPDX-License-Identifier: GPL-3.0-or-later
"""Strands of hair on the canvas: lit like thin cylinders, drawn far to near, before and behind the body."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from dofkit.scenes.camera import Camera
from dofkit.scenes.hair import SKULL, Style, on_face
from dofkit.scenes.head import Head
from dofkit.scenes.layers import LINEAR, premultiply
from dofkit.scenes.light import Light
from dofkit.scenes.palettes import Colour
from dofkit.scenes.solids import Array

_PIECES = 4  # of a segment that goes into the body, so that it ends there


@dataclass(frozen=True)
class Strands:
    """Drawn hair on a window: premultiplied colour, and inverse depths with their weight."""

    colour: Array
    inverse: Array
    weight: Array


def draw(
    paths: Array,
    width: Array,
    tint: Array,
    head: Head,
    camera: Camera,
    place: NDArray[np.float64],
    turn: NDArray[np.float64],
    colour: Colour,
    light: Light,
    window: tuple[slice, slice],
    depth: Array,
    cover: Array,
    style: Style,
) -> tuple[Strands, Strands]:
    """Draw strands on a window of the fine canvas: those before the body, and those behind it."""
    body = paths.astype(float) * head.half @ head.turn + head.centre
    seen = camera.project(place + body @ turn)
    seen[..., :2] -= [window[1].start, window[0].start]
    rows, columns = depth.shape
    middle = 0.5 * (seen[:, :-1] + seen[:, 1:])
    t = np.linspace(0, 1, paths.shape[1] - 1)
    thick = (
        width[:, None]
        * head.half
        * camera.focal_pixels
        / middle[..., 2]
        * (1.05 - 0.75 * t**2)
        * np.minimum(1, 0.45 + 2.5 * t)
    )
    shades = _shade(paths, body, tint, colour, light, turn, head, style.curl > 0)
    kept = ~on_face(style, head.face.hairline, 0.5 * (paths[:, :-1] + paths[:, 1:]))
    a, b, thick, shades = seen[:, :-1][kept], seen[:, 1:][kept], thick[kept], shades[kept]
    begins, ends = _hidden(a, depth, cover), _hidden(b, depth, cover)
    a, b, of = _split(a, b, np.where(begins != ends, _PIECES, 1))
    middle, thick, shades = 0.5 * (a + b), thick[of], shades[of]
    hidden = _hidden(middle, depth, cover)
    inside = (a[..., 0].clip(-50) > -50) & (a[..., 0] < columns + 50) & (a[..., 1] > -50) & (a[..., 1] < rows + 50)
    drawn = []
    base = [int(v) for v in shades.reshape(-1, 3).mean(0)]
    for chosen in (~hidden & inside, hidden & inside):
        drawn.append(_ink(a, b, middle, shades, thick, chosen, depth.shape, base))
    return drawn[0], drawn[1]


def _hidden(seen: NDArray[np.float64], depth: Array, cover: Array) -> NDArray[np.bool_]:
    """Which points (M, 3) of the window the body hides; a strand may sink into it a little."""
    x = np.clip(np.round(seen[:, 0]).astype(int), 0, depth.shape[1] - 1)
    y = np.clip(np.round(seen[:, 1]).astype(int), 0, depth.shape[0] - 1)
    return (seen[:, 2] > depth[y, x] + 0.012) & (cover[y, x] > 0.3)


def _split(
    a: NDArray[np.float64], b: NDArray[np.float64], pieces: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
    """Cut segments (M, 3) into so many pieces each: their ends, and which segment each is of."""
    of = np.repeat(np.arange(len(a)), pieces)
    first = np.arange(len(of)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    span = (b - a)[of] / pieces[of, None]
    start = a[of] + first[:, None] * span
    return start, start + span, of


def thicken(before: Strands, behind: Strands, reach: float) -> Strands:
    """Strands behind the body with the volume of the hair under them: it is closed where it is dense."""
    reach = max(reach, 0.6)
    layers = before.colour + (1 - before.colour[..., 3:]) * behind.colour
    mean = cv2.GaussianBlur(layers, (0, 0), reach)
    dense = np.clip((mean[..., 3] - 0.60) / 0.14, 0, 1)
    shade = np.float32(0.8) * mean[..., :3] / np.maximum(mean[..., 3:], np.float32(1e-3))
    colour = behind.colour + (1 - behind.colour[..., 3:]) * premultiply(shade, dense)
    return Strands(colour, behind.inverse, behind.weight)


def _shade(
    paths: Array,
    body: NDArray[np.float64],
    tint: Array,
    colour: Colour,
    light: Light,
    turn: NDArray[np.float64],
    head: Head,
    curled: bool,
) -> NDArray[np.uint8]:
    """SRGB codes of every segment: a thin cylinder's diffuse and highlight, darker inside and below."""
    middle = 0.5 * (paths[:, :-1] + paths[:, 1:])
    out = middle - SKULL[0].astype(np.float32)
    out[..., 1] = np.maximum(out[..., 1], -0.25)
    out /= np.linalg.norm(out, axis=-1, keepdims=True) + 1e-6
    tangent = np.diff(body, axis=1)
    tangent /= np.linalg.norm(tangent, axis=-1, keepdims=True) + 1e-9
    key = turn @ np.asarray(light.towards)
    normal = out @ head.turn
    facing = np.clip(0.35 + 0.65 * normal @ key, 0, 1)
    half = key + np.array([0, 0.15, 1.0])
    half /= np.linalg.norm(half)
    shine = np.clip(1 - (tangent @ half) ** 2, 0, 1) ** 14 * np.clip(normal @ half, 0, 1) ** 2
    up = 0.5 + 0.5 * normal[..., 1]
    strand = np.asarray(colour) * tint[:, None, None]
    fill = up[..., None] * np.asarray(light.sky) + (1 - up[..., None]) * np.asarray(light.ground)
    lit = strand * (fill + facing[..., None] * np.asarray(light.key))
    lit += shine[..., None] * np.asarray(light.key) * (0.9 * np.asarray(colour) + 0.012) * (0.4 if curled else 1.0)
    lit += np.asarray(light.rim) * 0.25 * np.sqrt(np.asarray(colour)) * (np.clip(normal[..., 1], 0, 1) ** 2)[..., None]
    return np.round(255 * np.interp(lit, LINEAR, np.arange(256) / 255)).astype(np.uint8)


def _ink(
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    middle: NDArray[np.float64],
    shades: NDArray[np.uint8],
    thick: NDArray[np.float64],
    chosen: NDArray[np.bool_],
    shape: tuple[int, int],
    base: list[int],
) -> Strands:
    """Draw the chosen segments far to near."""
    ink = np.empty((*shape, 4), np.uint8)
    ink[:] = (*base, 0)
    order = np.argsort(-middle[chosen][:, 2])
    starts, ends = (np.round(p[chosen][order][:, :2] * 16).astype(int).tolist() for p in (a, b))
    sizes = thick[chosen][order]
    strong = np.clip(sizes * 255, 90, 255)  # thinner than a pixel, a strand covers less of it
    tones = np.concatenate([shades[chosen][order], strong[:, None]], axis=1).tolist()
    wide = np.maximum(1, np.round(sizes)).astype(int).tolist()
    for start, end, tone, size in zip(starts, ends, tones, wide, strict=True):
        cv2.line(ink, start, end, tone, size, cv2.LINE_AA, 4)
    x, y = (np.round(middle[chosen][:, k]).astype(int) for k in (0, 1))
    fits = (x >= 0) & (x < shape[1]) & (y >= 0) & (y < shape[0])
    flat = y[fits] * shape[1] + x[fits]
    cells = shape[0] * shape[1]
    weight = np.bincount(flat, minlength=cells).reshape(shape).astype(np.float32)
    total = np.bincount(flat, 1 / middle[chosen][fits, 2], cells).reshape(shape).astype(np.float32)
    colour = premultiply(LINEAR[ink[..., :3]], ink[..., 3].astype(np.float32) / 255)
    return Strands(colour, total / np.maximum(weight, 1), weight)
