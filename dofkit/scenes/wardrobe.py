# SPDX-License-Identifier: GPL-3.0-or-later
"""From joints to solids: a body and its clothes.

Garments are solids of their own, a little larger than the body, so that hems, cuffs and lapels are real
steps that the light finds.  Cloth gets folds by tilting normals with noise, more of it near the joints.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dofkit.scenes.fabrics import fabric_paint, skin_paint
from dofkit.scenes.limbs import arm
from dofkit.scenes.outfit import Outfit
from dofkit.scenes.palettes import Colour, dim
from dofkit.scenes.pose import Skeleton, turned
from dofkit.scenes.solids import Array, Loft, Part, Ring, RoundCone

HEIGHTS = (-0.035, 0.0, 0.03, 0.08, 0.13, 0.19, 0.25, 0.29, 0.325, 0.345, 0.362)
STRAIGHT = (
    (0.074, 0.094, 0.095, 0.089, 0.086, 0.094, 0.102, 0.104, 0.092, 0.056, 0.032),
    (0.058, 0.064, 0.065, 0.062, 0.060, 0.066, 0.070, 0.066, 0.054, 0.042, 0.034),
    (0.0, -0.002, -0.004, 0.0, 0.003, 0.004, 0.005, 0.0, -0.006, -0.010, -0.012),
)
CURVED = (
    (0.072, 0.094, 0.099, 0.088, 0.071, 0.078, 0.086, 0.090, 0.081, 0.049, 0.029),
    (0.060, 0.068, 0.069, 0.059, 0.052, 0.061, 0.072, 0.062, 0.049, 0.038, 0.030),
    (0.0, -0.006, -0.008, -0.002, 0.003, 0.008, 0.014, 0.004, -0.006, -0.010, -0.012),
)


def torso_profile(
    s: float, curve: float, girth: float, low: float = -0.035, high: float = 0.362, flare: float = 0.0
) -> NDArray[np.float64]:
    """Rows of a torso's loft between two heights (see `Loft`); `flare` widens what hangs below the hips."""
    shape = [(1 - curve) * np.array(a) + curve * np.array(b) for a, b in zip(STRAIGHT, CURVED, strict=True)]
    belly = np.exp(-(((np.array(HEIGHTS) - 0.09) / 0.09) ** 2)) * max(girth - 1, 0)
    wide, deep, ahead = shape[0] * girth**0.7, shape[1] * girth + 0.02 * belly, shape[2] + 0.03 * belly
    at = np.unique(np.concatenate([[low, high], [y for y in HEIGHTS if low < y < high]]))
    rows = np.stack([at] + [np.interp(at, HEIGHTS, column) for column in (wide, deep, ahead)], 1)
    below = np.clip(0.03 - at, 0, None)
    hip, seat = float(np.interp(0.03, HEIGHTS, wide)), float(np.interp(0.03, HEIGHTS, deep))
    rows[:, 1] = np.where(below > 0, hip * 1.02 + flare * below, rows[:, 1]) if flare else rows[:, 1]
    rows[:, 2] = np.where(below > 0, seat * 1.05 + 0.8 * flare * below, rows[:, 2]) if flare else rows[:, 2]
    return rows * s


def dress(joints: Skeleton, outfit: Outfit, *, skin: Colour, curve: float, girth: float, head: Part) -> list[Part]:
    """All parts of a clothed body, in an order that smooth unions like."""
    s = joints.stature
    parts = _legs(joints, outfit, skin, girth)
    parts += _trunk(joints, outfit, skin, curve, girth)
    for side in (0, 1):
        parts += arm(joints, outfit, skin, girth * (1 - 0.10 * curve), side)
    bare = skin_paint(skin)
    throat = joints.neck - joints.torso[1] * 0.02 * s - joints.torso[2] * 0.010 * s
    nape = joints.head - joints.head_turn[1] * 0.035 * s - joints.head_turn[2] * 0.010 * s
    parts.append(
        Part(RoundCone(throat, nape, 0.033 * s * (1 - 0.16 * curve), 0.030 * s * (1 - 0.08 * curve)), bare, 0.0)
    )
    parts.append(Part(head.solid, head.paint, 0.012))
    if outfit.scarf:
        wrap = Ring(
            joints.neck + joints.torso[1] * 0.004 * s,
            0.036 * s,
            0.017 * s,
            turned(0, 0.2)[[0, 2, 1]] @ np.eye(3),
        )
        parts.append(Part(wrap, fabric_paint(wrap, outfit.colours[5], folds=0.5), 0.008))
    return parts


def _trunk(joints: Skeleton, outfit: Outfit, skin: Colour, curve: float, girth: float) -> list[Part]:
    s, c = joints.stature, outfit.colours
    base = (joints.pelvis, joints.torso)
    chest = Loft(*base, torso_profile(s, curve, girth, 0.20))
    parts = [Part(chest, skin_paint(skin))]
    hem = {"tucked": 0.085, "tee": 0.0, "dress": 0.06, "sweater": 0.005}[outfit.top]
    if joints.seated:
        hem = max(hem, 0.02)
    v = outfit.neckline
    top = Loft(
        *base,
        torso_profile(s, curve, girth, hem, 0.350, 0.12 if outfit.top == "tee" else 0.0),
        grow=0.0055 * s if outfit.top != "sweater" else 0.009 * s,
        gap=(-0.036 * s * v / (1 - v), 0.036 * s) if v else None,
    )
    parts.append(Part(top, fabric_paint(top, c[0], c[1], pattern=outfit.pattern), 0.0))
    if outfit.top == "sweater":
        band = Loft(*base, torso_profile(s, curve, girth, hem - 0.012, hem + 0.014), grow=0.006 * s)
        parts.append(Part(band, fabric_paint(band, dim(c[0], 0.85), folds=0.1)))
    if not v:
        collar = Ring(
            joints.neck - joints.torso[1] * 0.014 * s - joints.torso[2] * 0.010 * s,
            0.037 * s * (1 - 0.1 * curve),
            0.006 * s if outfit.top != "sweater" else 0.009 * s,
            joints.torso[[0, 2, 1]],
        )
        parts.append(Part(collar, fabric_paint(collar, dim(c[0], 0.88), folds=0.0), 0.004))
    if outfit.over in ("jacket", "coat"):
        low = -0.03 if outfit.over == "jacket" or joints.seated else -0.20
        cover = Loft(
            *base,
            torso_profile(s, curve, girth, low, 0.352, 0.10 if low < -0.1 else 0.02),
            grow=0.014 * s,
            gap=(0.075 * s, 0.036 * s) if outfit.over == "jacket" else (0.030 * s, 0.045 * s),
        )
        parts.append(Part(cover, fabric_paint(cover, c[2], folds=0.3), 0.0))
    return parts


def _legs(joints: Skeleton, outfit: Outfit, skin: Colour, girth: float) -> list[Part]:
    s, c = joints.stature, outfit.colours
    fit = 0.6 + 0.4 * girth
    parts: list[Part] = []
    bare, cover = skin_paint(skin), c[3]
    kind = outfit.bottom
    if outfit.top == "dress":
        cover = c[0]
    seat = torso_profile(s, 0.5, girth, -0.035, 0.10)
    seat = np.concatenate([[[-0.085 * s, 0.030 * s, 0.022 * s, 0.0]], seat])
    seat[1, 1:3] *= (0.86, 0.76)
    pelvis = Loft(joints.pelvis, joints.torso, seat, grow=0.002 * s)
    parts.append(Part(pelvis, fabric_paint(pelvis, cover, folds=0.15)))
    for hip, knee, ankle in zip(joints.hips, joints.knees, joints.ankles, strict=True):
        loose = {"trousers": 1.0, "wide": 1.28, "slim": 0.88, "shorts": 1.18, "skirt": 0.0}[kind]
        if kind in ("shorts", "skirt"):
            parts.append(Part(RoundCone(hip, knee, 0.050 * s * fit, 0.034 * s * fit), bare, 0.0))
            parts.append(
                Part(
                    RoundCone(knee, knee + 0.42 * (ankle - knee), 0.034 * s * fit, 0.0345 * s * fit),
                    bare,
                    0.01,
                )
            )
            parts.append(Part(RoundCone(knee + 0.42 * (ankle - knee), ankle, 0.0345 * s * fit, 0.020 * s), bare, 0.02))
        if kind == "shorts":
            leg = RoundCone(hip, hip + 0.72 * (knee - hip), 0.051 * s * fit, 0.049 * s * loose * fit, flat=True)
            parts.append(Part(leg, fabric_paint(leg, cover), 0.015))
        elif kind != "skirt":
            thigh = RoundCone(hip, knee, 0.050 * s * fit, 0.040 * s * loose * fit)
            shin = RoundCone(knee, ankle, 0.040 * s * loose * fit, 0.033 * s * loose, flat=True)
            parts.append(Part(thigh, fabric_paint(thigh, cover, folds=0.3), 0.05))
            parts.append(Part(shin, fabric_paint(shin, cover, folds=0.4), 0.02))
    if kind == "skirt":
        length = 0.21 if outfit.boots else 0.16
        skirt = Loft(joints.pelvis, np.eye(3), torso_profile(s, 1.0, girth, -length, 0.095, 0.34), grow=0.006 * s)
        pattern = outfit.pattern if outfit.top == "dress" else "plain"
        parts.append(Part(skirt, fabric_paint(skirt, cover, c[1], pattern=pattern, folds=0.5, stretch=6.0), 0.0))
    return parts + _shoes(joints, outfit)


def _shoes(joints: Skeleton, outfit: Outfit) -> list[Part]:
    s, parts = joints.stature, []
    upper, sole = outfit.colours[4], (0.62, 0.60, 0.56)
    for knee, ankle, toe in zip(joints.knees, joints.ankles, joints.toes, strict=True):
        way = toe - ankle
        way[1] = 0
        heel = ankle - 0.18 * way + [0, -0.014 * s, 0]
        tip = ankle + 0.95 * way
        tip[1] = 0.026 * s
        solids = [
            RoundCone(ankle + np.array([0, 0.008 * s, 0]), heel, 0.022 * s, 0.022 * s),
            RoundCone(heel, tip, 0.022 * s, 0.019 * s),
        ]
        if outfit.boots:
            solids.append(RoundCone(ankle + 0.35 * (knee - ankle), ankle, 0.032 * s, 0.027 * s))
        for solid in solids:
            parts.append(Part(solid, fabric_paint(solid, upper, folds=0.12, gloss=0.12), 0.018))
        edge = RoundCone(
            np.array([heel[0], 0.010 * s, heel[2]]),
            np.array([tip[0], 0.010 * s, tip[2]]),
            0.024 * s,
            0.021 * s,
        )
        edge.ra, edge.rb = 0.0225 * s, 0.0205 * s
        parts.append(Part(Flat(edge, 0.013 * s), fabric_paint(edge, upper if outfit.boots else sole, folds=0.0), 0.0))
    return parts


@dataclass
class Flat:
    """A solid cut by a level plane: the soles of shoes."""

    solid: RoundCone
    level: float

    def distance(self, p: Array) -> Array:
        """See `Solid`."""
        return np.maximum(self.solid.distance(p), p[1] - np.float32(self.level))

    def bounds(self) -> list[tuple[NDArray[np.float64], float]]:
        """See `Solid`."""
        return self.solid.bounds()
