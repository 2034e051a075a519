# SPDX-License-Identifier: GPL-3.0-or-later
"""The head: a solid of a dozen soft pieces, and a face painted on it in its own coordinates.

Head coordinates are in half head heights: x to the viewer's right, y up (chin -1, crown 1), z out of the
face.  The left half mirrors the right, so each piece is evaluated once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dofkit.scenes.solids import Array, vec
from dofkit.scenes.textures import noise, step

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Features:
    """What makes a face: sizes are factors around 1, colours are linear."""

    skin: Colour
    iris: Colour
    hair: Colour
    lips: Colour
    jaw: float = 1.0
    width: float = 1.0
    nose: float = 1.0
    eyes: float = 1.0
    brow: float = 1.0
    smile: float = 0.5
    teeth: bool = False
    gaze: tuple[float, float] = (0.0, 0.0)
    stubble: float = 0.0
    blush: float = 0.3
    freckles: bool = False
    lash: float = 0.6
    hairline: float = 0.62


@dataclass
class Head:
    """The head as a `Solid` (see `solids`): `half` is half its height, `turn` its axes as rows."""

    centre: NDArray[np.float64]
    half: float
    turn: NDArray[np.float64]
    face: Features
    cap: float = 0.0
    _pieces: list[tuple] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        f = self.face
        w, jaw, nose = 0.97 * f.width, f.jaw, f.nose
        self._pieces = [  # centre, radii, blend
            ((0, 0.30, -0.12), (0.70 * w, 0.69, 0.86), 0.0),
            ((0, -0.10, 0.10), (0.60 * w, 0.72, 0.66), 0.22),
            ((0, -0.52, 0.22), (0.43 * w * jaw, 0.42, 0.47), 0.25),
            ((0, -0.82, 0.42), (0.17 * jaw, 0.13, 0.16), 0.22),
            ((0.33 * w, -0.24, 0.47), (0.21, 0.22, 0.20), 0.20),
            ((0, 0.02, 0.735), (0.06 * nose, 0.22, 0.10), 0.12),
            ((0, -0.18, 0.79 + 0.04 * nose), (0.092 * nose, 0.10, 0.11 * nose), 0.12),
            ((0.090 * nose, -0.235, 0.755), (0.060 * nose, 0.055, 0.075), 0.07),
            ((0.23, 0.235, 0.65), (0.17, 0.05, 0.06), 0.14),
            ((0.70 * w, -0.02, -0.10), (0.07, 0.19, 0.13), 0.05),
            ((0, -0.475, 0.70), (0.17, 0.05, 0.06), 0.09),
            ((0, -0.565, 0.685), (0.13, 0.05, 0.06), 0.08),
        ]

    def local(self, p: Array) -> Array:
        """Points in head coordinates."""
        return (self.turn / self.half).astype(np.float32) @ (p - vec(self.centre))

    def distance(self, p: Array) -> Array:
        """See `Solid`."""
        q = self.local(p)
        np.abs(q[0], out=q[0])
        total = np.full(q.shape[1:], 1e3, np.float32)
        for centre, radii, k in self._pieces:
            gap = _ellipsoid(q, centre, radii)
            total = gap if k == 0 else _join(total, gap, np.float32(k))
        socket = _ellipsoid(q, (0.275, 0.05, 0.80), (0.17, 0.10, 0.13))
        total = -_join(-total, socket, np.float32(0.14))
        eye = _ellipsoid(q, (0.272, 0.045, 0.54), (0.145, 0.135, 0.145))
        return _join(total, eye, np.float32(0.03)) * np.float32(self.half)

    def bounds(self) -> list[tuple[NDArray[np.float64], float]]:
        """See `Solid`."""
        return [(np.asarray(self.centre, float), self.half * 1.12)]

    def paint(self, p: Array, normal: Array, pixel: float) -> tuple[Array, tuple[Array, Array], Array]:
        """Albedo, (gloss, softness) and normals of the face at points (3, N)."""
        f, q = self.face, self.local(p)
        x, y, z = np.abs(q[0]), q[1], q[2]
        side = np.sign(q[0])
        fine = 0.7 * pixel / self.half
        front = step(z, 0.25, 0.12)
        tone = 1 + 0.02 * noise(q[0], y, 0.12, seed=8)
        skin = np.outer(tone, f.skin).astype(np.float32)
        warm = np.asarray(f.skin) * (1.05, 0.72, 0.68)
        cheeks = np.exp(-((x - 0.40) ** 2 + (y + 0.22) ** 2) / 0.035) * front
        tip = np.exp(-(x**2 + (y + 0.20) ** 2) / 0.012) * front + 0.8 * np.exp(-((x - 0.72) ** 2 + y**2) / 0.02)
        _blend(skin, warm, np.clip(f.blush * (cheeks + 0.6 * tip), 0, 0.8))
        if f.freckles:
            spots = step(noise(q[0], y, 0.10, power=0.9, seed=9), 1.2, 0.2) * np.exp(-((y + 0.15) ** 2) / 0.03) * front
            _blend(skin, np.asarray(f.skin) * (0.62, 0.5, 0.42), 0.55 * spots)
        self._beard(skin, x, y, z, q)
        gloss = 0.10 + 0.22 * np.exp(-(x**2) / 0.01) * front * (y > -0.4)
        soft = np.ones_like(x)
        self._mouth(skin, gloss, q, x, y, front, fine)
        self._eyes(skin, gloss, soft, x, y, side, front, fine)
        self._brows(skin, x, y, z, front, fine)
        if self.cap > 0:
            _blend(skin, np.asarray(f.hair) * 0.75, np.clip(self.cap * self.scalp(q, fine), 0, 1))
        nostril = np.exp(-((((x - 0.065) / 0.034) ** 2 + ((y + 0.295) / 0.020) ** 2) ** 2)) * front
        _blend(skin, np.asarray(f.skin) * 0.22, 0.75 * nostril)
        return skin, (gloss, soft), normal

    def scalp(self, q: Array, fine: float = 0.02) -> Array:
        """How much a point of the head is scalp: 1 above the hairline, 0 on the face."""
        x, y, z = np.abs(q[0]), q[1], q[2]
        # The hairline runs over the brow, down before the ears, and round the nape.
        brow = self.face.hairline - 0.25 * np.clip(x - 0.25, 0, 1) ** 1.0
        line = np.interp(z, (-0.5, -0.25, -0.18, 0.02, 0.14, 0.30), (-0.62, -0.45, 0.02, -0.05, 0.25, 1.0))
        line = np.minimum(np.where(z > 0.30, 9.0, line), brow).astype(np.float32)
        line += 9.0 * ((x > 0.67 * self.face.width) & (y < 0.2) & (z > -0.26)).astype(np.float32)
        return step(y - line + 0.02 * noise(q[0] + q[2], y, 0.2, power=1.2, seed=12), 0.0, max(float(fine), 0.035))

    def _beard(self, skin: Array, x: Array, y: Array, z: Array, q: Array) -> None:
        f = self.face
        if f.stubble <= 0:
            return
        jaw = step(-y - 0.30 + 0.75 * np.clip(x - 0.30, 0, 1) * (z > 0), 0.10, 0.10) * step(z, -0.12, 0.10)
        lip = np.exp(-(((x) / 0.22) ** 4 + ((y + 0.375) / 0.055) ** 4))
        grain = np.clip(0.8 + 0.25 * noise(q[0], y + q[2], 0.10, power=0.9, seed=10), 0, 1.1)
        bare = np.exp(-((x / 0.17) ** 4 + ((y + 0.51) / 0.08) ** 4))
        amount = np.clip(np.maximum(jaw, lip) - bare, 0, 1) * grain * step(-y, -0.05, 0.05)
        _blend(skin, np.asarray(f.hair) * 0.8, np.clip(f.stubble * amount, 0, 0.96))

    def _mouth(self, skin: Array, gloss: Array, q: Array, x: Array, y: Array, front: Array, fine: float) -> None:
        f = self.face
        half = 0.205 + 0.05 * f.smile
        t = np.clip(x / half, 0, 1)
        middle = -0.515 + (0.075 * f.smile - 0.012) * t**2 - 0.015 * f.smile
        upper = middle + 0.062 * (1 - t**2) * (1 - 0.25 * np.exp(-((x / 0.05) ** 2)))
        lower = middle - (0.085 - 0.02 * f.smile) * (1 - t**2) ** 0.8
        inside = _between(y, lower, upper, 0.012 + fine) * (x < half) * front
        _blend(skin, f.lips, 0.85 * inside)
        gloss += 0.35 * inside * np.exp(-(((y - middle + 0.045) / 0.02) ** 2))
        if f.teeth:
            lip = 0.050 * (1 - t**2)
            mouth = _between(y, middle - 1.1 * lip, middle + 0.35 * lip, 0.006 + fine) * (x < half * 0.92) * front
            _blend(skin, (0.10, 0.02, 0.02), mouth)
            white = _between(y, middle - 0.75 * lip, middle + 0.3 * lip, 0.006 + fine) * (x < half * 0.82) * front
            _blend(skin, (0.78, 0.74, 0.68), white)
        else:
            seam = np.exp(-(((y - middle) / (0.011 + 0.5 * fine)) ** 2)) * (x < half + 0.015) * front
            _blend(skin, np.asarray(f.lips) * (0.30, 0.22, 0.22), 0.85 * seam)

    def _eyes(
        self,
        skin: Array,
        gloss: Array,
        soft: Array,
        x: Array,
        y: Array,
        side: Array,
        front: Array,
        fine: float,
    ) -> None:
        f = self.face
        size = 0.142 * f.eyes
        u, v = (x - 0.272) / size, (y - 0.045) / size
        arch = np.clip(1 - u * u, 0, 1)
        top = 0.52 * arch**0.75 * (1 + 0.12 * u) - 0.06 * f.smile * arch + 0.08 * u
        bottom = -0.42 * arch**0.9 + 0.10 * f.smile * arch + 0.08 * u
        px = float(fine / size)
        ball = _between(v, bottom, top, 0.03 + px) * (np.abs(u) < 1) * front
        shade = np.exp(-(((u) / 1.25) ** 2 + ((v - 0.25) / 0.9) ** 2)) * front
        _blend(skin, np.asarray(f.skin) * (0.72, 0.55, 0.52), 0.38 * shade)
        white = np.outer(0.62 + 0.16 * np.clip(top - v, 0, 0.6), (1.0, 0.97, 0.95)).astype(np.float32)
        skin += ball[:, None] * (white - skin)
        gx, gy = f.gaze[0] * side + 0.04, f.gaze[1] + 0.05
        r = np.hypot(u - gx, v - gy)
        iris = ball * (1 - step(r, 0.46, 0.03 + px))
        ring = (
            np.outer(0.55 + 0.9 * np.clip((gy - v) + 0.25, 0, 0.8), f.iris) * (1 - 0.6 * step(r, 0.38, 0.06))[:, None]
        )
        skin += iris[:, None] * (ring.astype(np.float32) - skin)
        _blend(skin, (0.004, 0.004, 0.005), ball * (1 - step(r, 0.21, 0.03 + px)))
        glint = np.hypot(u - gx + 0.15 * side, v - gy - 0.17)
        _blend(
            skin,
            (1.3, 1.3, 1.3),
            np.float32(1 / (1 + 6 * px)) * ball * (1 - step(glint, 0.10, 0.03 + 0.5 * px)),
        )
        gloss += 0.2 * ball
        soft *= 1 - 0.6 * ball
        lash = (
            np.exp(-(((v - top - 0.02) / (0.05 + 0.05 * f.lash + 0.4 * px)) ** 2))
            * (u > -0.98)
            * (u < 1.02 + 0.16 * f.lash)
        )
        _blend(skin, np.asarray(f.hair) * 0.12, np.clip((0.55 + 0.45 * f.lash) * lash * front, 0, 1))
        low = np.exp(-(((v - bottom + 0.03) / (0.05 + px)) ** 2)) * (np.abs(u) < 1)
        _blend(skin, np.asarray(f.skin) * (0.5, 0.32, 0.3), 0.45 * low * front)
        crease = np.exp(-(((v - top - 0.30) / (0.055 + 0.6 * px)) ** 2)) * (np.abs(u) < 0.95)
        _blend(skin, np.asarray(f.skin) * (0.55, 0.38, 0.36), 0.5 * crease * front)

    def _brows(self, skin: Array, x: Array, y: Array, z: Array, front: Array, fine: float) -> None:
        f = self.face
        t = np.clip((x - 0.11) / 0.37, 0, 1)
        arc = 0.286 + 0.052 * np.sin(np.pi * np.clip(t * 0.85, 0, 1)) ** 1.2 - 0.03 * t**3
        thick = (0.036 * f.brow) * (1 - 0.75 * t**2) + 0.004
        inside = (
            np.exp(-(((y - arc) / (thick + 0.5 * fine)) ** 4))
            * step(x - 0.10, 0.0, 0.02)
            * step(0.47 - x, 0.0, 0.04)
            * front
        )
        streak = 0.85 + 0.25 * noise(x - 1.5 * y, 0.3 * y, 0.12, power=1.2, seed=11)
        _blend(skin, np.asarray(f.hair) * 0.6, np.clip(inside * streak * min(1.0, 0.75 * f.brow), 0, 0.95))


def _blend(base: Array, colour: object, amount: Array) -> None:
    """Mix a colour into (N, 3) albedo in place."""
    base += amount[:, None].astype(np.float32) * (np.asarray(colour, np.float32) - base)


def _between(v: Array, low: Array, high: Array, blur: float) -> Array:
    return step(v - low, 0.0, blur) * step(high - v, 0.0, blur)


def _ellipsoid(q: Array, centre: tuple, radii: tuple) -> Array:
    r = np.asarray(radii, np.float32).reshape(3, 1)
    d = (q - np.asarray(centre, np.float32).reshape(3, 1)) / r
    k0 = np.sqrt(np.einsum("in,in->n", d, d))
    d /= r
    return k0 * (k0 - 1) / (np.sqrt(np.einsum("in,in->n", d, d)) + np.float32(1e-6))


def _join(a: Array, b: Array, k: np.float32) -> Array:
    """Smooth minimum."""
    mix = np.maximum(k - np.abs(a - b), 0)
    return np.minimum(a, b) - mix * mix * (np.float32(0.25) / k)
