# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphere tracing of a body: what each ray meets, and how the light falls on it.

`Tracer` holds a body's parts as one camera sees them.  `look` returns coverage, depth and lit colour on a
window of the (finely drawn) canvas; everything is in the body's own axes, metres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from dofkit.scenes.camera import Camera
from dofkit.scenes.light import Light
from dofkit.scenes.solids import FAR, Array, Box, Part, RoundCone, cone_distances, vec

_SCOUTING = (4, 4)
_ROUNDS = (6, 8, 9)  # steps before the rays that are done are dropped
_BLOCK = 4  # pixels that share the first part of their way
_ROOM = 2.5  # metres behind the nearest part where a ray gives up
_HURRY = np.float32(1.8)
_DEEP = 4.0  # pixels inside a surface that are too many
_SMALLEST = 0.7  # pixels: thinner parts, such as fingers far away, are left out
_STEP = 0.08  # of the square root of linear colour: what is an edge
_EPSILON = np.float32(0.003)  # metres, for normals
_HOLLOWS = (0.035, 0.13)  # metres: how far ambient occlusion looks


@dataclass(frozen=True)
class Look:
    """What a window shows of a body: linear colour (h, w, 3), coverage (h, w), depth (h, w)."""

    colour: Array
    cover: Array
    depth: Array


class Tracer:
    """A body's parts before a camera.

    Parameters
    ----------
    parts : sequence of Part
        In the body's axes.
    camera : Camera
        The canvas to draw on.
    place : (3,) array
        The body's origin in the world.
    turn : (3, 3) array
        Rows: the body's right, up and front in the world.
    """

    def __init__(
        self, parts: Sequence[Part], camera: Camera, place: NDArray[np.float64], turn: NDArray[np.float64]
    ) -> None:
        self.camera, self.place, self.turn = camera, place, turn
        self.origin = turn @ (camera.position - place)
        found = [(part, self._bounds(part)) for part in parts]
        self.parts = [(part, box, near) for part, (box, near) in found if box is not None]

    def _bounds(self, part: Part) -> tuple[Box | None, float]:
        """The part's box on the canvas (None: out of sight, or too small) and the depth where it starts."""
        widest = 0.0
        low, high, near = np.full(2, np.inf), np.full(2, -np.inf), np.inf
        for centre, radius in part.solid.bounds():
            x, y, z = self.camera.project(self.place + centre @ self.turn)
            reach = (radius + part.blend) * self.camera.focal_pixels / max(z - radius, 0.05) + 2
            low, high = np.minimum(low, [y - reach, x - reach]), np.maximum(high, [y + reach, x + reach])
            near = min(near, z - radius - 0.02)
            widest = max(widest, radius * self.camera.focal_pixels / z)
        low = np.maximum(np.floor(low), 0).astype(int)
        high = np.minimum(np.ceil(high), self.camera.canvas).astype(int)
        if (low >= high).any() or widest < _SMALLEST:
            return None, near
        return (slice(low[0], high[0]), slice(low[1], high[1])), near

    def window(self, front_only: bool = False) -> Box | None:
        """The box that holds all parts, or those in front."""
        boxes = [box for part, box, _ in self.parts if part.front or not front_only]
        if not boxes:
            return None
        rows, columns = zip(*boxes, strict=True)
        return (
            slice(min(r.start for r in rows), max(r.stop for r in rows)),
            slice(min(c.start for c in columns), max(c.stop for c in columns)),
        )

    def look(self, window: Box, light: Light, *, front: bool, smooth: bool = False) -> Look:
        """Trace and light a window, with or without the parts that lie in front; `smooth` its inner edges."""
        rows, columns = window[0].stop - window[0].start, window[1].stop - window[1].start
        parts = [(part, _inside(box, window), near) for part, box, near in self.parts if front or not part.front]
        world = self.camera.rays(window[0].start, window[1].start, rows, columns)
        rays = self.turn.astype(np.float32) @ (world).reshape(3, -1)
        depth, miss = self._walk(parts, rays, columns)
        cover = np.clip(0.5 - miss, 0, 1)
        seen = np.flatnonzero(cover > 0)
        colour = np.zeros((cover.size, 3), np.float32)
        if seen.size:
            way, far = np.ascontiguousarray(rays[..., seen]), depth[seen]
            colour[seen] = self._light(_Field(parts, seen, columns), way, far, light)
        if smooth and seen.size:
            edges = np.flatnonzero(_steps(colour, cover, columns))
            self._soften(colour, parts, rays, columns, edges, depth, light)
        depth[cover <= 0] = FAR
        return Look(colour.reshape(rows, columns, 3), cover.reshape(rows, columns), depth.reshape(rows, columns))

    def _walk(self, parts: list, rays: Array, columns: int) -> tuple[Array, Array]:
        """Depth of the first touch or closest approach of each ray, and the distance there in pixels.

        One ray per block of pixels goes ahead until a surface comes within the block's cone; the block's rays
        start from there, if at all.
        """
        rows = rays.shape[1] // columns
        near = np.full((rows, columns), FAR, np.float32)
        for _, box, start in parts:
            np.minimum(near[box], start, out=near[box])
        y, x = (np.minimum(np.arange(0, n, _BLOCK) + _BLOCK // 2, n - 1) for n in (rows, columns))
        scout = (y[:, None] * columns + x[None]).reshape(-1)
        first = cv2.erode(near, np.ones((_BLOCK + 1, _BLOCK + 1), np.uint8))[np.ix_(y, x)].reshape(-1)
        reach = 0.75 * _BLOCK
        _, gap, ahead = self._march(parts, rays[:, scout], columns, scout, first, _SCOUTING, reach=reach)
        limit = np.min(first, initial=FAR) + _ROOM
        start = np.where((gap <= reach) | (ahead < limit), ahead, FAR).reshape(len(y), len(x))
        start = np.repeat(np.repeat(start, _BLOCK, 0)[:rows], _BLOCK, 1)[:, :columns].reshape(-1)
        found, miss, ahead = self._march(parts, rays, columns, np.arange(start.size), start, _ROUNDS, reach=-0.5)
        # Who still creeps along a surface after all these steps has met it.
        miss[(miss < 0.5) & (np.abs(ahead - found) < 1e-3)] = -0.5
        return found, miss

    def _soften(
        self, colour: Array, parts: list, rays: Array, columns: int, edges: NDArray[np.intp], depth: Array, light: Light
    ) -> None:
        """Light pixels on inner edges again, as the mean of four rays each."""
        near = cv2.erode(depth.reshape(-1, columns), np.ones((3, 3), np.uint8)).reshape(-1)[edges] - np.float32(0.015)
        axes = (self.camera.axes[:2] @ self.turn.T / self.camera.focal_pixels).astype(np.float32)
        shifts = np.array([(-1, -3), (3, -1), (1, 3), (-3, 1)], np.float32) / 8
        way = np.concatenate([rays[:, edges] + vec(shift @ axes) for shift in shifts], 1)
        pixels = np.tile(edges, 4)
        far, miss, _ = self._march(parts, way, columns, pixels, np.tile(near, 4), _ROUNDS, reach=-0.5)
        lit = self._light(_Field(parts, pixels, columns), way, far, light)
        share = np.clip(0.5 - miss, 0, 1).reshape(4, -1, 1)
        mass = share.sum(0)
        mean = (lit.reshape(4, -1, 3) * share).sum(0) / np.maximum(mass, 1e-6)
        colour[edges] = np.where(mass > 0.5, mean, colour[edges])

    def _march(
        self,
        parts: list,
        rays: Array,
        columns: int,
        pixels: NDArray[np.intp],
        start: Array,
        rounds: tuple[int, ...],
        *,
        reach: float,
    ) -> tuple[Array, Array, Array]:
        """Walk the rays (3, N) of some pixels (N,) until a surface is within `reach` pixels.

        Returns the depth of the closest approach, its distance in pixels, and the depth walked to.
        """
        depth, found = start.astype(np.float32), start.astype(np.float32)
        best = np.full(depth.size, np.inf, np.float32)
        pixel, slack = np.float32(1 / self.camera.focal_pixels), np.float32(0.4 - min(reach, 0))
        active = np.flatnonzero(depth < FAR)
        limit = np.float32(np.min(depth, initial=FAR) + _ROOM)
        for steps in rounds:
            if not active.size:
                break
            field, way = _Field(parts, pixels[active], columns), rays[:, active]
            here, top, at = depth[active], best[active], found[active]
            pace = 1 / np.sqrt(np.einsum("in,in->n", way, way))
            for _ in range(steps):
                gap = field((vec(self.origin) + here * way)[:, None])[0]
                size = gap / (here * pixel)
                better = (size < top) & (size > -_DEEP)
                # A ray that leaves a surface may hurry; if it lands inside another, it steps back.
                hurry = np.where((size > top) & (size > 0), _HURRY, np.float32(1))
                np.copyto(top, size, where=better)
                np.copyto(at, here, where=better)
                ahead = pace * hurry * (gap + slack * here * pixel) if reach < 0 else pace * gap
                here = np.where(top > reach, here + np.minimum(ahead, 1.0), here)
            best[active], found[active], depth[active] = top, at, here
            active = active[(top > reach) & (here < limit)]
        return found, best, depth

    def _light(self, field: _Field, way: Array, far: Array, light: Light) -> Array:
        """Linear colour of the rays that touch, (N, 3)."""
        points = vec(self.origin) + far * way
        index = np.full(far.size, -1, np.int16)
        steps = np.concatenate([np.zeros((3, 1)), np.eye(3)], axis=1).astype(np.float32) * _EPSILON
        here, *moved = field(points[:, None] + steps[..., None], index)
        normal = np.stack(moved) - here
        normal /= np.sqrt(np.einsum("in,in->n", normal, normal)) + np.float32(1e-9)
        reach = np.array(_HOLLOWS, np.float32)[:, None]
        open_ = field(points[:, None] + reach * normal[:, None]) / reach
        hollow = 1 - np.float32(0.45) * (1 - np.clip(open_, 0, 1)).sum(0)
        albedo = np.full((far.size, 3), 0.2, np.float32)
        gloss, soft = np.zeros(far.size, np.float32), np.zeros(far.size, np.float32)
        pixel = float(np.median(far)) / self.camera.focal_pixels
        for number, part in enumerate(field.parts):
            rows = np.flatnonzero(index == number)
            if rows.size:
                albedo[rows], shine, normal[:, rows] = part.paint(points[:, rows], normal[:, rows], pixel)
                gloss[rows], soft[rows] = shine
        view = -way / np.sqrt(np.einsum("in,in->n", way, way))
        return light.on(albedo, normal, view, hollow, gloss, soft, self.turn, points[1])


class _Field:
    """Signed distance to the smooth union of parts, for a fixed set of pixels of a window.

    All round cones, most of a body, are evaluated at once; the union then takes part after part.
    """

    def __init__(self, parts: list, pixels: NDArray[np.intp], columns: int) -> None:
        row, column = pixels // columns, pixels % columns
        self.parts = [part for part, _, _ in parts]
        self.where = [
            np.flatnonzero((row >= y.start) & (row < y.stop) & (column >= x.start) & (column < x.stop))
            for _, (y, x), _ in parts
        ]
        cones = [k for k, part in enumerate(self.parts) if type(part.solid) is RoundCone and self.where[k].size]
        counts = [self.where[k].size for k in cones]
        ends = np.cumsum([0, *counts])
        self.slices = {k: slice(ends[i], ends[i + 1]) for i, k in enumerate(cones)}
        if cones:
            solids = [cast(RoundCone, self.parts[k].solid) for k in cones]
            self.pairs = np.concatenate([self.where[k] for k in cones])
            self.cones = np.repeat(np.stack([solid.numbers() for solid in solids], 1), counts, axis=1)

    def __call__(self, p: Array, index: NDArray[np.int16] | None = None) -> Array:
        """Distances (K, N) at points (3, K, N); on request also which part is nearest for K = 0."""
        total = np.full(p.shape[1:], FAR, np.float32)
        nearest = np.full(p.shape[2], FAR, np.float32)
        round_ = cone_distances(np.take(p, self.pairs, axis=2), self.cones) if self.slices else total
        for number, (part, rows) in enumerate(zip(self.parts, self.where, strict=True)):
            if not rows.size:
                continue
            if number in self.slices:
                gap = round_[:, self.slices[number]]
            else:
                gap = part.solid.distance(np.take(p, rows, axis=2).reshape(3, -1)).reshape(-1, rows.size)
            if index is not None:
                closer = gap[0] < nearest[rows]
                nearest[rows[closer]], index[rows[closer]] = gap[0, closer], number
            below = total[:, rows]
            joined = np.minimum(below, gap)
            if part.blend:
                mix = np.maximum(np.float32(part.blend) - np.abs(below - gap), 0)
                joined -= mix * mix * np.float32(0.25 / part.blend)
            total[:, rows] = joined
        return total


def _steps(colour: Array, cover: Array, columns: int) -> NDArray[np.bool_]:
    """Pixels inside a body whose colour steps to a neighbour's."""
    tone, inside = np.sqrt(np.maximum(colour, 0)).reshape(-1, columns, 3), (cover > 0).reshape(-1, columns)
    found = np.zeros(inside.shape, bool)
    for axis in (0, 1):
        a, b = (slice(None, -1), slice(1, None)) if axis == 0 else (np.s_[:, :-1], np.s_[:, 1:])
        step = (np.abs(tone[a] - tone[b]).max(-1) > _STEP) & inside[a] & inside[b]
        found[a] |= step
        found[b] |= step
    return found.reshape(-1)


def _inside(box: Box, window: Box) -> Box:
    """A box of the canvas in the coordinates of a window of it."""
    sizes = [frame.stop - frame.start for frame in window]
    y, x = (
        slice(min(max(part.start - frame.start, 0), size), min(max(part.stop - frame.start, 0), size))
        for part, frame, size in zip(box, window, sizes, strict=True)
    )
    return y, x
