# SPDX-License-Identifier: GPL-3.0-or-later
"""Round shapes as signed distances, and the rays that find them.

A person is a smooth union of a few dozen solids.  `trace` walks every ray of a window by the distance to the
nearest surface until it touches (sphere tracing); each solid is evaluated only inside the box its projection
fills, so a step costs little more than one look at each pixel.  The closest approach, in pixels, gives
antialiased coverage; small steps of the field give normals and ambient occlusion.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating]
Paint = Callable[[Array, Array, float], tuple[Array, tuple[Array, Array], Array]]
Box = tuple[slice, slice]
FAR = 1e3


class Solid(Protocol):
    """A shape that knows its signed distance at points (3, N) and a few spheres that hold it."""

    def distance(self, p: Array) -> Array:
        """Signed distance (or a lower bound of it) in metres."""
        ...

    def bounds(self) -> list[tuple[NDArray[np.float64], float]]:
        """Spheres, (centre, radius), whose hull holds the shape."""
        ...


def vec(v: ArrayLike) -> Array:
    """A float32 vector shaped to meet (3, N) points."""
    return np.asarray(v, np.float32).reshape(3, 1)


@dataclass
class RoundCone:
    """A limb: the hull of a sphere at `a` and one at `b`; `flat` cuts it off at `b`, as a hem does."""

    a: NDArray[np.float64]
    b: NDArray[np.float64]
    ra: float
    rb: float
    flat: bool = False

    def __post_init__(self) -> None:
        self.a, self.b = np.asarray(self.a, float), np.asarray(self.b, float)
        axis = self.b - self.a
        self.length = float(np.linalg.norm(axis)) + 1e-9
        self._axis = (axis / self.length**2).astype(np.float32)

    def along(self, p: Array) -> Array:
        """Position along the limb, 0 at a, 1 at b."""
        return np.clip(self._axis @ (p - vec(self.a)), 0, 1)

    def numbers(self) -> Array:
        """Start, axis over length squared, axis, first radius, growth, and the level of a flat cut, (13,)."""
        cut = (self.length, -self.length) if self.flat else (0.0, -FAR)
        return np.concatenate([self.a, self._axis, self.b - self.a, [self.ra, self.rb - self.ra], cut]).astype(
            np.float32
        )

    def distance(self, p: Array) -> Array:
        """See `Solid`."""
        return cone_distances(p[:, None], self.numbers()[:, None])[0]

    def bounds(self) -> list[tuple[NDArray[np.float64], float]]:
        """See `Solid`."""
        return [(self.a, self.ra), (self.b, self.rb)]


def cone_distances(p: Array, numbers: Array) -> Array:
    """Distances (K, N) of points (3, K, N) to N round cones given by their `numbers` (13, N)."""
    q = p - numbers[:3, None]
    place = np.einsum("in,ikn->kn", numbers[3:6], q)
    t = np.minimum(np.maximum(place, 0), 1)
    q -= numbers[6:9, None] * t
    gap = np.sqrt(np.einsum("ikn,ikn->kn", q, q)) - (numbers[9] + numbers[10] * t)
    return np.maximum(gap, place * numbers[11] + numbers[12])


@dataclass
class Ellipsoid:
    """An ellipsoid with semi-axes `radii` along the rows of `turn`."""

    centre: NDArray[np.float64]
    radii: NDArray[np.float64]
    turn: NDArray[np.float64] | None = None

    def local(self, p: Array) -> Array:
        """Points in the ellipsoid's own axes, metres."""
        q = p - vec(self.centre)
        return q if self.turn is None else self.turn.astype(np.float32) @ (q)

    def distance(self, p: Array) -> Array:
        """See `Solid`."""
        q = self.local(p) / vec(self.radii)
        k0 = np.sqrt(np.einsum("in,in->n", q, q))
        q /= vec(self.radii)
        return k0 * (k0 - 1) / (np.sqrt(np.einsum("in,in->n", q, q)) + np.float32(1e-6))

    def bounds(self) -> list[tuple[NDArray[np.float64], float]]:
        """See `Solid`."""
        return [(np.asarray(self.centre, float), float(np.max(self.radii)))]


@dataclass
class Block:
    """A box with rounded edges: `half` sizes along the rows of `turn`."""

    centre: NDArray[np.float64]
    half: NDArray[np.float64]
    round: float
    turn: NDArray[np.float64]

    def local(self, p: Array) -> Array:
        """Points in the box's own axes, metres."""
        return self.turn.astype(np.float32) @ (p - vec(self.centre))

    def distance(self, p: Array) -> Array:
        """See `Solid`."""
        q = np.abs(self.local(p)) - vec(np.asarray(self.half) - self.round)
        inside = np.minimum(q.max(0), 0)
        np.maximum(q, 0, out=q)
        return np.sqrt(np.einsum("in,in->n", q, q)) + inside - np.float32(self.round)

    def bounds(self) -> list[tuple[NDArray[np.float64], float]]:
        """See `Solid`."""
        return [(np.asarray(self.centre, float), float(np.linalg.norm(self.half)))]


@dataclass
class Ring:
    """A torus around the third row of `turn`, or a round plate: glasses, collars, brims."""

    centre: NDArray[np.float64]
    radius: float
    thick: float
    turn: NDArray[np.float64]
    squash: float = 1.0
    plate: bool = False

    def local(self, p: Array) -> Array:
        """Points in the ring's own axes, metres."""
        return self.turn.astype(np.float32) @ (p - vec(self.centre))

    def distance(self, p: Array) -> Array:
        """See `Solid`."""
        x, y, z = self.local(p)
        flat = np.sqrt(x * x + (y / self.squash) ** 2) - np.float32(self.radius)
        if self.plate:
            flat = np.maximum(flat, 0)
        return np.sqrt(flat * flat + z * z) * min(1.0, self.squash) - np.float32(self.thick)

    def bounds(self) -> list[tuple[NDArray[np.float64], float]]:
        """See `Solid`."""
        return [(np.asarray(self.centre, float), self.radius * max(1.0, self.squash) + self.thick)]


class Loft:
    """Elliptic slices along an axis: torsos, skirts, coats.

    `profile` has rows (height, half width, half depth, forward shift), metres, along the second row of
    `turn`; in between it is smooth.  `gap` opens the front: (width at the bottom, at the top).
    """

    def __init__(
        self,
        centre: ArrayLike,
        turn: NDArray[np.float64],
        profile: ArrayLike,
        *,
        grow: float = 0.0,
        gap: tuple[float, float] | None = None,
    ) -> None:
        self.centre, self.turn, self.gap = np.asarray(centre, float), turn, gap
        rows = np.asarray(profile, float)
        self.low, self.high = float(rows[0, 0]), float(rows[-1, 0])
        count = 512
        at = np.linspace(self.low, self.high, count)
        soft = np.hanning(61) / np.hanning(61).sum()
        table = np.stack(
            [np.convolve(np.pad(np.interp(at, rows[:, 0], rows[:, k]), 30, "edge"), soft, "valid") for k in (1, 2, 3)]
        )
        table[:2] += grow
        self._both = np.concatenate([table, np.gradient(table, at[1] - at[0], axis=1)]).astype(np.float32)
        self._scale = np.float32((count - 1) / (self.high - self.low))
        self._reach = float(table[:2].max())

    def local(self, p: Array) -> Array:
        """Points in the loft's own axes: across, along, forward."""
        return self.turn.astype(np.float32) @ (p - vec(self.centre))

    def distance(self, p: Array) -> Array:
        """See `Solid`: (g - 1) / |grad g| of the slice's ellipse, cut at both ends."""
        x, y, z = self.local(p)
        place = np.clip((y - np.float32(self.low)) * self._scale, 0, self._both.shape[1] - 1)
        step = place.astype(np.intp)
        rows = np.take(self._both, step, axis=1)
        slope = rows[3:]
        wide, deep, ahead = rows[:3] + (place - step) / self._scale * slope
        x, z = x / wide, (z - ahead) / deep
        g = np.sqrt(x * x + z * z) + np.float32(1e-4)
        gy = x * x * slope[0] / wide + z * z * slope[1] / deep
        steep = np.sqrt((x / wide) ** 2 + (z / deep) ** 2 + gy * gy) / g
        distance = (g - 1) / np.maximum(steep, 1e-2)
        ends = np.maximum(y - np.float32(self.high), np.float32(self.low) - y)
        if self.gap:
            level = np.clip((y - self.low) / (self.high - self.low), 0, 1)
            opening = self.gap[0] + (self.gap[1] - self.gap[0]) * level - np.abs(x * wide)
            ends = np.maximum(ends, np.minimum(opening, z * deep))
        return np.maximum(distance, ends)

    def bounds(self) -> list[tuple[NDArray[np.float64], float]]:
        """See `Solid`."""
        axis = self.turn[1]
        inner = min(self._reach, (self.high - self.low) / 2) * 0.5
        return [
            (self.centre + axis * (self.low + inner), self._reach),
            (self.centre + axis * (self.high - inner), self._reach),
        ]


@dataclass
class Part:
    """A solid and how it looks.

    `paint` gets points (3, N), normals (3, N) and a pixel's footprint in metres, and gives linear albedo
    (N, 3), gloss and softness (N,), and the normals tilted by its folds.
    """

    solid: Solid
    paint: Paint
    blend: float = 0.0
    front: bool = False
