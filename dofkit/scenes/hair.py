# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair, strand by strand: rooted on the scalp, combed, pulled down by gravity, kept off the head.

Strands grow in head coordinates (see `head`) as polylines, all at once; they are lit like thin cylinders
and drawn far to near, so that the edge of the hair is made of strands and its matte is truly fractional.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dofkit.scenes.head import Head, _ellipsoid, _join
from dofkit.scenes.palettes import Colour
from dofkit.scenes.solids import Array, Part, vec
from dofkit.scenes.textures import noise

SKULL = (np.array([0, 0.30, -0.12]), np.array([0.70, 0.70, 0.87]))
_FACE = (np.array([0, -0.15, 0.08]), np.array([0.66, 0.84, 0.74]))
_BODY = (np.array([0, -2.55, -0.08]), np.array([1.85, 1.0, 0.88]))


@dataclass(frozen=True)
class Style:
    """How hair grows: lengths are in half head heights."""

    name: str
    length: float
    stiff: float
    gravity: float
    lift: float = 0.2
    comb: tuple[float, float, float] = (0.0, 0.0, 0.0)
    part: float | None = None
    curl: float = 0.0
    turns: float = 3.0
    fringe: float = 0.0
    tie: tuple[float, float, float] | None = None
    tail: float = 0.0
    volume: float = 0.08
    puff: float = 0.0


STYLES = (
    Style("crop", 0.20, 0.9, 0.05, 0.35, comb=(0.15, 0.1, 0.5), volume=0.05),
    Style("side sweep", 0.52, 0.75, 0.16, 0.25, comb=(0.7, 0.15, 0.25), part=0.35, volume=0.09),
    Style("quiff", 0.48, 0.9, 0.05, 0.75, comb=(0.2, 0.5, -0.5), volume=0.08),
    Style("curls", 0.42, 0.85, 0.26, 0.6, curl=0.06, turns=2.2, volume=0.14, puff=0.12),
    Style("afro", 0.36, 0.92, 0.16, 1.2, curl=0.045, turns=2.5, volume=0.20, puff=0.26),
    Style("bob", 1.30, 0.62, 0.42, 0.15, part=0.25, fringe=0.0, volume=0.09),
    Style("fringe bob", 1.25, 0.62, 0.42, 0.15, part=0.0, fringe=0.50, volume=0.09),
    Style("long", 2.35, 0.62, 0.40, 0.15, part=0.1, volume=0.08),
    Style("waves", 2.15, 0.66, 0.34, 0.25, part=-0.3, curl=0.06, turns=3.0, volume=0.11),
    Style("ponytail", 0.95, 0.5, 0.05, 0.05, tie=(0.0, 0.42, -1.0), tail=1.7, volume=0.035),
)
TEST_STYLE = Style("bun", 0.95, 0.5, 0.05, 0.05, tie=(0.0, 0.98, -0.52), tail=0.0, volume=0.035)
_POINTS = 12


def _beyond(q: Array, hairline: float, back: float) -> Array:
    """How far points in head coordinates lie outside the hair's region: in front of it, below the hairline."""
    line = hairline - 0.02 - 0.25 * np.clip(np.abs(q[0]) - 0.25, 0, 1)
    return np.minimum((line - q[1]) * 0.9, q[2] - back)


def _swell(beyond: Array) -> Array:
    """Hair is thin at its edge and full a little behind it: a factor from 0.15 to 1."""
    t = np.clip(-beyond / 0.42, 0, 1)
    return 0.15 + 0.85 * t * (2 - t)


@dataclass
class Mass:
    """The body of the hair under its strands: a shell on the skull behind the hairline, and a curtain."""

    head: Head
    style: Style
    hat: bool

    def distance(self, p: Array) -> Array:
        """See `Solid`."""
        q = self.head.local(p)
        y, z = q[1], q[2]
        face = _beyond(q, self.head.face.hairline, -0.02 if self.style.length > 1 else 0.0)
        shell = 0.5 * self.style.volume if self.hat else self.style.volume + self.style.puff * _swell(face)
        radius = np.sqrt(np.einsum("in,in->n", *[(q - vec(SKULL[0])) / vec(SKULL[1])] * 2))
        top = (radius - 1 - shell) * np.float32(0.72)
        if self.style.puff:
            bumps = np.sin(17 * q[0] + 3 * y) * np.sin(15 * y + 2) * np.sin(16 * z + 1)
            top -= np.float32(0.030) * bumps * (not self.hat)
        total = -_join(-top, -np.maximum(face, np.float32(-0.62) - y), np.float32(0.20 + 0.4 * self.style.puff))
        total = np.maximum(
            total, np.where(z < 0.06, np.minimum(0.05 - y, z + 0.22) if self.style.length < 1 else -9.0, -9.0)
        )
        if self.style.length > 1 and self.style.tie is None:
            low = 0.30 - 0.92 * self.style.length
            curtain = _ellipsoid(q, (0, 0.18 + 0.5 * low, -0.20), (0.84 + self.style.curl, 0.45 - 0.62 * low, 0.62))
            cut = np.maximum(z - np.float32(0.10), np.float32(low) - y)
            total = _join(total, np.maximum(curtain, cut), np.float32(0.10))
            over_ear = _ellipsoid(np.stack([np.abs(q[0]), y, z]), (0.68, -0.02, -0.15), (0.15, 0.27, 0.22))
            total = np.minimum(total, over_ear)
        if self.style.name == "bun":
            total = np.minimum(total, _ellipsoid(q, tuple(1.12 * np.array(self.style.tie)), (0.30, 0.28, 0.30)))
        return total * np.float32(0.9 * self.head.half)

    def bounds(self) -> list[tuple[NDArray[np.float64], float]]:
        """See `Solid`."""
        spheres = [
            (
                self.head.centre + SKULL[0] * self.head.half @ self.head.turn,
                (1.0 + self.style.puff) * self.head.half,
            )
        ]
        if self.style.length > 1:
            low = np.array([0, 0.6 - 0.92 * self.style.length, -0.2])
            spheres.append((self.head.centre + low * self.head.half @ self.head.turn, 0.95 * self.head.half))
        return spheres


def mass(style: Style, head: Head, colour: Colour, *, hat: bool) -> list[Part]:
    """The hair's solid, painted with streaks along its fall."""
    solid = Mass(head, style, hat)

    def paint(p: Array, normal: Array, pixel: float) -> tuple[Array, tuple[Array, Array], Array]:
        q = head.local(p)
        turn = np.arctan2(q[0], q[2] + np.float32(0.2))
        if style.curl:
            streak = noise(turn + 0.15 * np.sin(9 * q[1]), q[1], 0.35, power=1.1, seed=14)
        else:
            streak = noise(turn, 0.08 * q[1], 0.25, power=1.1, seed=14)
        tone = np.clip(0.78 + 0.20 * streak, 0.3, 1.5) * np.clip(1.0 + 0.25 * (q[1] - 0.3), 0.6, 1.1)
        count = np.ones(p.shape[1], np.float32)
        shine = (0.02 + 0.25 * float(np.mean(colour))) * count
        # Hair lets light through: its underside is lit nearly like its front.
        under = np.clip(-vec(head.turn[1]).T @ normal, 0, 1)[0]
        bent = normal + under * vec(0.9 * head.turn[2] + 0.7 * head.turn[1])
        bent /= np.sqrt(np.einsum("in,in->n", bent, bent)) + np.float32(1e-6)
        return np.outer(tone * (1 + under), colour).astype(np.float32), (shine * (1 - under), 0.2 * count), bent

    return [Part(solid, paint)]


def below_hat(paths: Array) -> NDArray[np.bool_]:
    """Strands whose roots no hat covers."""
    return paths[:, 0, 1] - 0.1 * paths[:, 0, 2] < 0.40


def on_face(style: Style, hairline: float, middle: Array) -> NDArray[np.bool_]:
    """Pieces of strands, by their middles in head coordinates, that would lie loose on brow or cheek."""
    x, y, z = np.moveaxis(middle, -1, 0)
    loose = (y < hairline - 0.25) & (y > -0.9) & (z > 0.12) & (np.abs(x) < 0.66)
    return loose & (not style.fringe)


def grow(style: Style, head: Head, rng: np.random.Generator, count: int) -> tuple[Array, Array, Array]:
    """Strands (N, 12, 3) in head coordinates, their widths (N,) and a brightness (N,)."""
    draws = rng.random((4000, 8))[:count]
    turn, level = 2 * np.pi * draws[:, 0], np.sqrt(draws[:, 1])
    up = 1 - 1.75 * draws[:, 1]
    flat = np.sqrt(np.maximum(1 - up**2, 0))
    unit = np.stack([flat * np.cos(turn), up, flat * np.sin(turn)], 1)
    root = SKULL[0] + unit * SKULL[1]
    keep = head.scalp(root.T.astype(np.float32)) > 0.6
    root, unit, draws, level = root[keep], unit[keep], draws[keep], level[keep]
    length = style.length * (0.75 + 0.4 * draws[:, 2])
    if style.length < 1:  # shorter at the sides and the nape
        length *= np.clip(0.40 + 0.9 * (root[:, 1] + 0.2), 0.30, 1)
    way = style.lift * unit + np.array(style.comb) + 0.25 * (draws[:, 3:6] - 0.5)
    if style.part is not None:
        side = np.sign(root[:, 0] - style.part * np.clip(root[:, 2] + 1.1, 0, 1))
        way = way + np.stack([side * 0.9, 0 * side, -0.25 + 0 * side], 1)
    if style.fringe:
        front = (root[:, 2] > 0.30) & (np.abs(root[:, 0]) < 0.5)
        way[front] = np.array([0, 0.1, 1.0]) + 0.12 * (draws[front, 3:6] - 0.5)
        length[front] = style.fringe * (0.9 + 0.15 * draws[front, 2]) + 0.15
    if style.tie is not None:
        way = np.array(style.tie) - root
        length = np.linalg.norm(way, axis=1) * 1.12
    thick = style.puff * _swell(_beyond(root.T, head.face.hairline, 0.0)) + style.volume * (0.75 + 0.35 * draws[:, 6])
    if style.puff:
        root = SKULL[0] + (root - SKULL[0]) * (1 + 0.8 * thick)[:, None]
    paths = _flow(style, root, way, length, 1 + thick)
    paths = _curl(style, paths, draws[:, 0], length)
    if style.tail:
        paths = np.concatenate([paths, _tail(style, draws)])
        draws = np.concatenate([draws, draws])
    width = (0.7 + 0.6 * draws[:, 4][: len(paths)]) * 36.0 / max(count, 1)
    return paths.astype(np.float32), width.astype(np.float32), (0.72 + 0.5 * draws[:, 7]).astype(np.float32)


def _flow(
    style: Style,
    root: NDArray[np.float64],
    way: NDArray[np.float64],
    length: NDArray[np.float64],
    shell: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Walk all strands at once: inertia, gravity, a pull to the tie, off the skull, face and shoulders."""
    way = way / (np.linalg.norm(way, axis=1, keepdims=True) + 1e-9)
    point, path = root.copy(), [root.copy()]
    step = (length / (_POINTS - 1))[:, None]
    for _ in range(_POINTS - 1):
        pull = np.array([0, -style.gravity, 0])
        if style.tie is not None:
            pull = 0.9 * (np.array(style.tie) - point)
        elif not style.fringe and style.length > 0.45:  # off the face
            open_ = (point[:, 2] > -0.1) & (np.abs(point[:, 0]) < 0.72) & (point[:, 1] < 0.75)
            pull = pull + np.stack([0.8 * np.sign(point[:, 0]) * open_, 0 * open_, -0.35 * open_], 1)
        way = style.stiff * way + pull
        way /= np.linalg.norm(way, axis=1, keepdims=True) + 1e-9
        moved = point + way * step
        for (centre, radii), scale in (
            (SKULL, shell),
            (_FACE, 0.98 + 0.6 * (shell - 1)),
            (_BODY, 1.0 + 0 * shell),
        ):
            q = (moved - centre) / (radii * scale[:, None])
            r = np.linalg.norm(q, axis=1, keepdims=True)
            moved = np.where(r < 1, centre + q / np.maximum(r, 1e-6) * radii * scale[:, None], moved)
        way = (moved - point) / (np.linalg.norm(moved - point, axis=1, keepdims=True) + 1e-9)
        point = moved
        path.append(point.copy())
    return np.stack(path, 1)


def _curl(
    style: Style, paths: NDArray[np.float64], phase: NDArray[np.float64], length: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Wind the strands into curls; neighbours share their phase, so that locks form."""
    if not style.curl:
        return paths
    t = np.linspace(0, 1, _POINTS)
    lock = np.floor(phase * 60) / 60
    angle = 2 * np.pi * (style.turns * t[None] + 7.3 * lock[:, None] + 0.15 * phase[:, None])
    swell = style.curl * np.minimum(2.5 * t, 1)[None]
    return paths + np.stack([swell * np.cos(angle), 0.5 * swell * np.sin(angle), swell * np.sin(angle)], -1)


def _tail(style: Style, draws: NDArray[np.float64]) -> NDArray[np.float64]:
    """The part of a ponytail behind its tie."""
    t = np.linspace(0, 1, _POINTS)
    spread = (draws[:, 3:6] - 0.5) * np.array([0.34, 0.2, 0.3])
    fall = np.stack(
        [0 * t, 0.12 * np.sin(3 * t) - t**1.3 * style.tail, -0.30 * np.sin(np.pi * np.minimum(t * 1.3, 1))], 1
    )
    width = (0.35 + 0.9 * np.sin(np.pi * np.clip(t * 0.85 + 0.08, 0, 1)))[None, :, None]
    return np.array(style.tie) + fall[None] * (0.85 + 0.25 * draws[:, 2])[:, None, None] + spread[:, None] * width
