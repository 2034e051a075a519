# SPDX-License-Identifier: GPL-3.0-or-later
"""Skin and cloth on solids: patterns unwrapped onto limbs and trunks, folds as tilted normals."""

from __future__ import annotations

import numpy as np

from dofkit.scenes.palettes import Colour
from dofkit.scenes.solids import Array, Loft, Paint, RoundCone, Solid
from dofkit.scenes.textures import cloth, noise, sample, slopes


def skin_paint(colour: Colour) -> Paint:
    """Plain skin: soft terminator, faint mottling."""

    def paint(p: Array, normal: Array, pixel: float) -> tuple[Array, tuple[Array, Array], Array]:
        tone = 1 + 0.03 * noise(p[0] + p[2], p[1], 0.05, seed=13)
        count = np.ones(p.shape[1], np.float32)
        return np.outer(tone, colour).astype(np.float32), (0.10 * count, count), normal

    return paint


def fabric_paint(
    solid: Solid,
    first: Colour,
    second: Colour | None = None,
    *,
    pattern: str = "plain",
    folds: float = 0.25,
    gloss: float = 0.03,
    stretch: float = 3.0,
) -> Paint:
    """Cloth laid on a solid: pattern, weave and folds."""

    def paint(p: Array, normal: Array, pixel: float) -> tuple[Array, tuple[Array, Array], Array]:
        u, v = _unwrap(solid, p)
        albedo = cloth(pattern, u, v, first, second or first, pixel)
        strength = np.full_like(u, folds)
        if isinstance(solid, RoundCone):
            t = v / solid.length
            strength *= 0.5 + 1.2 * np.maximum(np.exp(-(((t - 1) / 0.2) ** 2)), np.exp(-(((t + 0.1) / 0.25) ** 2)))
        across, down = slopes(3.0, 1)
        span = np.float32(1 / 0.55)
        tilt = np.stack(
            [
                sample(across, u * span * stretch, v * span),
                sample(down, u * span * stretch, v * span),
                np.zeros_like(u),
            ]
        )
        bent = normal + strength * tilt
        bent /= np.sqrt(np.einsum("in,in->n", bent, bent)) + np.float32(1e-9)
        albedo *= (1 - 0.10 * strength * np.clip(tilt[0] + tilt[1], -1.5, 1.5))[:, None]
        return albedo, (np.full_like(u, gloss), np.full_like(u, 0.1)), bent

    return paint


def _unwrap(solid: Solid, p: Array) -> tuple[Array, Array]:
    """Cloth coordinates (u around, v along) of points (3, N), metres."""
    if isinstance(solid, RoundCone):
        q = p - solid.a.astype(np.float32)[:, None]
        axis = (solid.b - solid.a) / solid.length
        side = np.cross(axis, (0, 0, 1.0))
        side /= np.linalg.norm(side) + 1e-9
        front = np.cross(side, axis)
        turn = np.stack([side, axis, front]).astype(np.float32) @ q
        around = np.arctan2(turn[0], np.abs(turn[2]) + np.float32(1e-6))
        return around * np.float32(max(solid.ra, 0.03)), turn[1]
    q = solid.local(p) if hasattr(solid, "local") else p
    if isinstance(solid, Loft):
        return np.arctan2(q[0], np.abs(q[2]) + np.float32(0.03)) * np.float32(0.15), q[1]
    return q[0], q[1]
