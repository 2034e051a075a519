# SPDX-License-Identifier: GPL-3.0-or-later
"""Hats and bags: a few solids each, fastened to the head or the joints; glasses are in `glasses`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dofkit.scenes.fabrics import fabric_paint
from dofkit.scenes.glasses import KINDS
from dofkit.scenes.head import Head
from dofkit.scenes.palettes import Colour, dim
from dofkit.scenes.pose import Skeleton
from dofkit.scenes.solids import Array, Block, Loft, Part, Ring, RoundCone
from dofkit.scenes.wardrobe import torso_profile

HATS = ("beanie", "cap", "sun hat", "fedora")
BAGS = ("backpack", "shoulder", "tote")


@dataclass(frozen=True)
class Extras:
    """What a person carries."""

    hat: str
    glasses: str
    bag: str
    side: int

    @classmethod
    def draw(cls, rng: np.random.Generator, *, selfie: bool) -> Extras:
        """Draw hat, glasses and bag; each is worn now and then."""
        hat = str(rng.choice(HATS)) if rng.random() < 0.24 else "none"
        glasses = str(rng.choice(KINDS)) if rng.random() < 0.30 else "none"
        bag = str(rng.choice(BAGS)) if rng.random() < (0.15 if selfie else 0.34) else "none"
        return cls(hat, glasses, bag, int(rng.integers(2)))


@dataclass
class Dome:
    """The upper part of an ellipsoid in head coordinates, open below a tilted rim: crowns of hats."""

    head: Head
    centre: tuple[float, float, float]
    radii: tuple[float, float, float]
    rim: float
    tilt: float

    def distance(self, p: Array) -> Array:
        """See `Solid`."""
        q = self.head.local(p) - np.asarray(self.centre, np.float32).reshape(3, 1)
        r = np.asarray(self.radii, np.float32).reshape(3, 1)
        k0 = np.sqrt(np.einsum("in,in->n", q / r, q / r))
        k1 = np.sqrt(np.einsum("in,in->n", q / r**2, q / r**2)) + np.float32(1e-6)
        below = np.float32(self.rim) - (q[1] + np.float32(self.centre[1]) - np.float32(self.tilt) * q[2])
        return np.maximum(k0 * (k0 - 1) / k1, below) * np.float32(self.head.half)

    def local(self, p: Array) -> Array:
        """Points in head coordinates, metres."""
        return self.head.local(p) * np.float32(self.head.half)

    def bounds(self) -> list[tuple[NDArray[np.float64], float]]:
        """See `Solid`."""
        middle = self.head.centre + np.asarray(self.centre) * self.head.half @ self.head.turn
        return [(middle, max(self.radii) * self.head.half)]


@dataclass
class Band:
    """A strap: what a loft shows between two slanted planes, ``|x + slope y - offset| < half``."""

    loft: Loft
    slope: float
    offset: float
    half: float

    def distance(self, p: Array) -> Array:
        """See `Solid`."""
        x, y, _ = self.loft.local(p)
        away = np.abs(x + np.float32(self.slope) * y - np.float32(self.offset)) - np.float32(self.half)
        return np.maximum(self.loft.distance(p), away / np.float32(np.hypot(1, self.slope)))

    def bounds(self) -> list[tuple[NDArray[np.float64], float]]:
        """See `Solid`."""
        return self.loft.bounds()


def cup_part(joints: Skeleton, side: int) -> Part:
    """A paper cup in a raised hand."""
    s = joints.stature
    middle = 0.45 * joints.wrists[side] + 0.55 * joints.hands[side] + joints.torso[2] * 0.026 * s
    rows = np.array(
        [
            [-0.026, 0.0155, 0.0155, 0],
            [0.026, 0.0205, 0.0205, 0],
            [0.028, 0.0225, 0.0225, 0],
            [0.033, 0.021, 0.021, 0],
        ]
    )
    solid = Loft(middle, np.eye(3), rows * s)
    return Part(
        solid,
        fabric_paint(solid, (0.70, 0.66, 0.58), (0.30, 0.17, 0.09), pattern="sleeve", folds=0.0),
        0.0,
        True,
    )


def hat_parts(extras: Extras, head: Head, colours: tuple[Colour, ...]) -> list[Part]:
    """The hat's crown, its brim and its band."""
    if extras.hat == "none":
        return []
    h, felt = head.half, colours[5]
    place = lambda x, y, z: head.centre + np.array([x, y, z]) * h @ head.turn  # noqa: E731
    if extras.hat == "beanie":
        crown = Dome(head, (0, 0.34, -0.12), (0.80, 0.84, 0.98), 0.40, 0.10)
        roll = Ring(place(0, 0.44, -0.08), 0.80 * h, 0.105 * h, _level(head, 0.10), squash=1.20)
        return [
            Part(crown, fabric_paint(crown, felt, folds=0.3, stretch=6)),
            Part(roll, fabric_paint(roll, dim(felt, 0.85), folds=0.25, stretch=8), 0.01),
        ]
    if extras.hat == "cap":
        crown = Dome(head, (0, 0.36, -0.12), (0.78, 0.74, 0.96), 0.45, 0.12)
        peak = Ring(place(0, 0.50, 0.74), 0.54 * h, 0.035 * h, _level(head, -0.22), squash=1.30, plate=True)
        return [
            Part(crown, fabric_paint(crown, felt, folds=0.08)),
            Part(peak, fabric_paint(peak, felt, folds=0.0), 0.004),
        ]
    wide = 1.5 if extras.hat == "sun hat" else 1.25
    straw = (0.62, 0.46, 0.26) if extras.hat == "sun hat" else felt
    crown = Dome(head, (0, 0.42, -0.10), (0.79, 0.78 if extras.hat == "sun hat" else 0.86, 0.95), 0.42, 0.04)
    brim = Ring(place(0, 0.50, -0.08), wide * h, 0.04 * h, _level(head, 0.05), squash=1.07, plate=True)
    band = Ring(place(0, 0.58, -0.10), 0.775 * h, 0.065 * h, _level(head, 0.04), squash=1.22)
    return [
        Part(crown, fabric_paint(crown, straw, folds=0.08)),
        Part(brim, fabric_paint(brim, straw, folds=0.06), 0.01),
        Part(band, fabric_paint(band, dim(colours[3], 0.35), folds=0.0)),
    ]


def _level(head: Head, tilt: float) -> NDArray[np.float64]:
    """A ring's axes around the head's up, tilted back."""
    right, up, front = head.turn
    return np.stack([right, np.cos(tilt) * front + np.sin(tilt) * up, np.cos(tilt) * up - np.sin(tilt) * front])


def bag_parts(extras: Extras, joints: Skeleton, colours: tuple[Colour, ...], curve: float, girth: float) -> list[Part]:
    """A backpack with straps, a shoulder bag with a strap across the chest, or a tote in the hand."""
    if extras.bag == "none":
        return []
    s, side = joints.stature, (-1, 1)[extras.side]
    leather = dim(colours[5], 0.8)
    place = lambda x, y, z: joints.pelvis + np.array([x, y, z]) * s @ joints.torso  # noqa: E731

    def box(centre: NDArray[np.float64], half: tuple[float, float, float], front: bool = False) -> Part:
        solid = Block(centre, np.array(half) * s, min(half) * 0.6 * s, joints.torso)
        return Part(solid, fabric_paint(solid, leather, folds=0.18, gloss=0.08), 0.0, front)

    def band(slope: float, offset: float, low: float, high: float) -> Part:
        around = Loft(joints.pelvis, joints.torso, torso_profile(s, curve, girth, low, high), grow=0.0165 * s)
        solid = Band(around, slope, offset * s, 0.0125 * s)
        return Part(solid, fabric_paint(around, dim(leather, 0.7), folds=0.03))

    if extras.bag == "backpack":
        return [
            box(place(0, 0.20, -0.125), (0.085, 0.125, 0.05)),
            band(0.0, 0.056, 0.10, 0.352),
            band(0.0, -0.056, 0.10, 0.352),
        ]
    if extras.bag == "shoulder":
        return [
            box(place(side * 0.128, -0.01, 0.035), (0.026, 0.060, 0.072)),
            band(side * 0.55, -side * 0.105, 0.02, 0.352),
        ]
    grip = joints.hands[extras.side]
    low = grip + np.array([0, -0.145, 0.0]) * s
    solid = Block(low, np.array([0.030, 0.095, 0.085]) * s, 0.02 * s, np.eye(3))
    parts = [Part(solid, fabric_paint(solid, leather, folds=0.2, gloss=0.05))]
    for k in (-1, 1):
        solid_strap = RoundCone(
            grip + np.array([0, 0.02, 0]) * s, low + np.array([0, 0.09, 0.05 * k]) * s, 0.006 * s, 0.006 * s
        )
        parts.append(Part(solid_strap, fabric_paint(solid_strap, leather, folds=0.0)))
    return parts
