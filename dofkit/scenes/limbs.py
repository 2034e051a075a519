# SPDX-License-Identifier: GPL-3.0-or-later
"""Arms and hands: bare or sleeved, before the body or beside it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dofkit.scenes.fabrics import fabric_paint, skin_paint
from dofkit.scenes.outfit import Outfit
from dofkit.scenes.palettes import Colour
from dofkit.scenes.pose import Skeleton
from dofkit.scenes.solids import Ellipsoid, Paint, Part, RoundCone


def arm(joints: Skeleton, outfit: Outfit, skin: Colour, fit: float, side: int) -> list[Part]:
    """One arm: bare parts, sleeve and hand."""
    s, c = joints.stature, outfit.colours
    a, e, w, h = (joints.shoulders[side], joints.elbows[side], joints.wrists[side], joints.hands[side])
    middle = joints.pelvis + 0.2 * s * joints.torso[1]
    inward = (w - middle) @ joints.torso.T
    front = bool(inward[2] > 0.055 * s and abs(inward[0]) < 0.12 * s)
    bare = skin_paint(skin)
    worn = outfit.over in ("jacket", "coat")
    colour, second = (c[2], None) if worn else (c[0], c[1])
    pattern, long = ("plain", 1.0) if worn else (outfit.pattern, outfit.sleeve)
    extra = 0.012 * s if worn else 0.006 * s
    parts = []
    if long < 0.95:
        parts.append(Part(RoundCone(a, e, 0.030 * s * fit, 0.0235 * s * fit), bare, 0.0, front))
        parts.append(Part(RoundCone(e, w, 0.0245 * s * fit, 0.0165 * s * fit), bare, 0.015, front))
    if long > 0.05:
        end = a + min(long / 0.5, 1.0) * (e - a)
        upper = RoundCone(a - 0.02 * (e - a), end, 0.030 * s * fit + extra, 0.025 * s * fit + extra, flat=long <= 0.5)
        parts.append(Part(upper, fabric_paint(upper, colour, second, pattern=pattern, folds=0.3), 0.035, front))
    if long > 0.5:
        cuff = RoundCone(
            e,
            e + (long - 0.5) / 0.5 * 0.97 * (w - e),
            0.026 * s * fit + extra,
            0.019 * s * fit + extra,
            flat=True,
        )
        parts.append(Part(cuff, fabric_paint(cuff, colour, second, pattern=pattern, folds=0.4), 0.02, front))
    return parts + hand(w, h, joints.arms[side], s * (0.95 + 0.05 * fit), (-1, 1)[side], bare, front)


def hand(
    wrist: NDArray[np.float64],
    tip: NDArray[np.float64],
    name: str,
    s: float,
    side: int,
    bare: Paint,
    front: bool,
) -> list[Part]:
    """A hand with four fingers and a thumb; none for a hand in a pocket."""
    way = (tip - wrist) / np.linalg.norm(tip - wrist)
    if name == "pocket":
        return []
    flat = np.array([0, 0, 1.0]) if name in ("wave", "folded", "cup", "strap") else np.array([side * 1.0, 0, 0.35])
    flat -= way * (flat @ way)
    flat /= np.linalg.norm(flat)
    across = np.cross(way, flat)
    palm = wrist + way * 0.030 * s
    parts = [
        Part(
            Ellipsoid(palm, np.array([0.0225, 0.034, 0.0125]) * s, np.stack([across, way, flat])),
            bare,
            0.012,
            front,
        )
    ]
    curl = {"wave": 0.10, "down": 0.35, "lap": 0.25, "cup": 0.8, "phone": 0.7, "carry": 1.0}.get(name, 0.3)
    inward = -flat * side if name == "down" else -flat
    spread = 0.20 if name == "wave" else 0.03
    for k in (-1.5, -0.5, 0.5, 1.5):
        root = wrist + (way * 0.056 + across * 0.0095 * k) * s
        aim = way * (1 - 0.35 * curl) + across * spread * k * 0.6 + inward * 0.8 * curl
        length = (0.043 - 0.004 * abs(k + 0.2)) * s
        parts.append(
            Part(
                RoundCone(root, root + aim / np.linalg.norm(aim) * length, 0.0068 * s, 0.0056 * s),
                bare,
                0.004,
                front,
            )
        )
    thumb_side = across * (1 if across[1] > 0.2 or (abs(across[1]) <= 0.2 and across[0] * side < 0) else -1)
    root = wrist + (way * 0.018 + thumb_side * 0.016) * s
    parts.append(
        Part(
            RoundCone(root, root + (way * 0.034 + thumb_side * 0.020) * s, 0.0085 * s, 0.0065 * s),
            bare,
            0.006,
            front,
        )
    )
    return parts
