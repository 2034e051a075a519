# SPDX-License-Identifier: GPL-3.0-or-later
"""How a person stands or sits: joints from a pose's name, by two-bone inverse kinematics.

A body has x to the viewer's right, y up and z towards the viewer when it faces the camera; its origin lies
on the ground below the pelvis.  All lengths scale with the stature.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Point = NDArray[np.float64]
STANDING = ("stand", "contrapposto", "walk", "feet apart", "crossed legs")


@dataclass(frozen=True)
class Skeleton:
    """Joints (metres) and frames of a posed body; left and right as the viewer sees a frontal body."""

    stature: float
    pelvis: Point
    torso: NDArray[np.float64]
    neck: Point
    head: Point
    head_turn: NDArray[np.float64]
    shoulders: tuple[Point, Point]
    elbows: tuple[Point, Point]
    wrists: tuple[Point, Point]
    hands: tuple[Point, Point]
    hips: tuple[Point, Point]
    knees: tuple[Point, Point]
    ankles: tuple[Point, Point]
    toes: tuple[Point, Point]
    arms: tuple[str, str]
    seated: bool

    @property
    def half_head(self) -> float:
        """Half the head's height."""
        return 0.0745 * self.stature


def turned(yaw: float, pitch: float = 0.0, roll: float = 0.0) -> NDArray[np.float64]:
    """Axes (rows: right, up, front) turned to the viewer's right, bowed and leant sideways, radians."""
    cy, sy, cp, sp, cr, sr = (f(a) for a in (yaw, pitch, roll) for f in (np.cos, np.sin))
    right, up, front = np.array([cy, 0, -sy]), np.array([0, 1.0, 0]), np.array([sy, 0, cy])
    up, front = cp * up + sp * front, cp * front - sp * up
    return np.stack([cr * right - sr * up, cr * up + sr * right, front])


def bend(start: Point, goal: Point, upper: float, lower: float, hint: ArrayLike) -> tuple[Point, Point]:
    """The middle joint and the reached end of a two-bone limb that bends towards `hint`.

    Examples
    --------
    >>> knee, end = bend(np.zeros(3), np.array([0, -1.0, 0]), 0.6, 0.6, (0, 0, 1))
    >>> bool(knee[2] > 0), round(float(np.linalg.norm(end - knee)), 6)
    (True, 0.6)
    """
    reach = goal - start
    far = float(np.clip(np.linalg.norm(reach), abs(upper - lower) * 1.05, (upper + lower) * 0.998))
    way = reach / (np.linalg.norm(reach) + 1e-9)
    foot = (upper**2 - lower**2 + far**2) / (2 * far)
    side = np.asarray(hint, float) - way * (way @ np.asarray(hint, float))
    side /= np.linalg.norm(side) + 1e-9
    return start + way * foot + side * np.sqrt(max(upper**2 - foot**2, 0.0)), start + way * far


def skeleton(
    stature: float,
    width: float,
    rng: np.random.Generator,
    *,
    stance: str,
    arms: tuple[str, str],
    head: tuple[float, float, float] = (0, 0, 0),
) -> Skeleton:
    """Pose a body of a stature (metres) and a shoulder width (factor around 1)."""
    s, seated = stature, stance == "sit"
    sway = rng.uniform(-0.035, 0.035) if stance != "contrapposto" else 0.06 * rng.choice((-1, 1))
    lean = rng.uniform(-0.03, 0.04) + (0.10 if seated else 0.0)
    pelvis = np.array([0.0, (0.285 if seated else 0.492) * s, 0.0])
    torso = turned(rng.uniform(-0.12, 0.12), lean, -sway)
    up = torso[1]
    neck = pelvis + 0.345 * s * up
    turn = turned(*head) @ turned(0, 0.5 * lean)
    skull = neck + 0.030 * s * up + turn[1] * 0.064 * s + turn[2] * 0.012 * s
    shoulders = tuple(pelvis + torso.T @ np.array([k * 0.090 * width * s, 0.308 * s, -0.008 * s]) for k in (-1, 1))
    limbs = [_arm(arms[i], shoulders[i], (-1, 1)[i], s, torso, seated) for i in (0, 1)]
    hips = tuple(pelvis + torso.T @ np.array([k * 0.044 * s, 0.012 * s, 0.0]) for k in (-1, 1))
    legs = _legs(stance, hips, s, rng)
    (elbow, wrist, hand), (elbow2, wrist2, hand2) = limbs
    (knee, ankle, toe), (knee2, ankle2, toe2) = legs
    return Skeleton(
        stature=s, pelvis=pelvis, torso=torso, neck=neck, head=skull, head_turn=turn, arms=arms,
        shoulders=shoulders, elbows=(elbow, elbow2), wrists=(wrist, wrist2), hands=(hand, hand2),
        seated=seated, hips=hips, knees=(knee, knee2), ankles=(ankle, ankle2), toes=(toe, toe2),
    )  # fmt: skip


def _arm(
    name: str, shoulder: Point, side: int, s: float, torso: NDArray[np.float64], seated: bool
) -> tuple[Point, Point, Point]:
    """Elbow, wrist and finger tips of one arm."""
    base = shoulder - torso.T @ np.array([side * 0.090 * s, 0.308 * s, 0])  # near the pelvis
    if seated and name in ("down", "pocket", "behind"):
        name = "lap"
    goals = {  # wrist from the pelvis (torso axes), bend, hand direction
        "down": ((side * 0.150, 0.020, 0.028), (side * 0.5, 0, -1), (side * -0.05, -1, 0.12)),
        "hip": ((side * 0.118, 0.082, 0.035), (side, 0.1, -0.35), (side * -0.75, -0.45, 0.35)),
        "pocket": ((side * 0.118, 0.048, 0.045), (side * 0.8, 0, -0.8), (side * -0.35, -0.9, 0.1)),
        "wave": ((side * 0.190, 0.440, 0.085), (side * 0.35, -1, 0.1), (side * 0.12, 1, 0.05)),
        "cup": ((side * 0.055, 0.235, 0.155), (side * 0.5, -1, -0.1), (side * -0.45, 0.75, 0.25)),
        "phone": ((side * 0.045, 0.245, 0.165), (side * 0.45, -1, -0.1), (side * -0.25, 0.85, -0.1)),
        "behind": ((side * 0.075, 0.060, -0.085), (side, 0, -0.5), (side * -0.8, -0.4, -0.1)),
        "strap": ((side * 0.068, 0.245, 0.095), (side * 0.6, -1, 0), (side * -0.25, 0.85, -0.1)),
        "folded": (
            (side * -0.020, 0.190 + 0.012 * side, 0.118 + 0.012 * side),
            (side * 0.7, -0.8, 0.1),
            (side * -0.95, 0.12, -0.1),
        ),
        "lap": ((side * 0.060, 0.055, 0.170), (side * 0.9, 0.1, -0.5), (side * -0.35, -0.25, 0.9)),
        "carry": ((side * 0.165, 0.015, 0.02), (side * 0.4, 0, -1), (0, -1, 0.05)),
    }
    goal, hint, way = goals[name]
    elbow, wrist = bend(shoulder, base + torso.T @ (np.array(goal) * s), 0.172 * s, 0.150 * s, torso.T @ np.array(hint))
    point = torso.T @ np.array(way, float)
    return elbow, wrist, wrist + point / np.linalg.norm(point) * 0.098 * s


def _legs(
    stance: str, hips: tuple[Point, Point], s: float, rng: np.random.Generator
) -> list[tuple[Point, Point, Point]]:
    """Knee, ankle and toe of both legs."""
    lead = int(rng.integers(2))
    wide = rng.uniform(0.045, 0.062)
    legs = []
    for i, side in enumerate((-1, 1)):
        front = 1 if i == lead else -1
        x, z, lift, out = side * wide, 0.0, 0.0, rng.uniform(0.15, 0.35)
        if stance == "contrapposto" and front > 0:
            x, z = side * (wide + 0.035), 0.05
        elif stance == "walk":
            x, z, lift, out = side * 0.035, 0.075 * front, 0.0 if front > 0 else 0.03, 0.1
        elif stance == "feet apart":
            x = side * (wide + 0.03)
        elif stance == "crossed legs":
            x, z = (-side * 0.022, 0.055) if front > 0 else (side * 0.028, -0.01)
        elif stance == "sit":
            x, z = side * rng.uniform(0.05, 0.085), 0.215 + 0.03 * front
        ankle = np.array([x, 0.042 + lift, z]) * s
        knee, ankle = bend(hips[i], ankle, 0.238 * s, 0.230 * s, (side * 0.25, 0.2, 1))
        toe = ankle + np.array([np.sin(side * out), 0, np.cos(out)]) * 0.088 * s
        toe[1] = 0.018 * s
        legs.append((knee, ankle, toe))
    return legs
