# SPDX-License-Identifier: GPL-3.0-or-later
"""Floors and walls: textures on planes of the world, in true perspective.

A paint gives linear albedo at plane coordinates (u, v), metres, seen with a pixel footprint, metres.
`surface` lays it on a plane; cast shadows and haze come with it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dofkit.scenes.camera import Camera
from dofkit.scenes.layers import Sheet, premultiply, shrink
from dofkit.scenes.light import Light
from dofkit.scenes.palettes import linear
from dofkit.scenes.textures import noise, step

Array = NDArray[np.floating]
Paint = Callable[[Array, Array, Array], Array]
GROUNDS = ("grass", "paving", "cobbles", "gravel", "asphalt", "sand", "deck", "meadow")
FLOORS = ("planks", "parquet", "tiles", "carpet", "concrete")
TEST_FLOOR = "checker"


def surface(
    camera: Camera,
    fine: int,
    *,
    normal: tuple[float, float, float],
    offset: float,
    axes: tuple[tuple[float, float, float], tuple[float, float, float]],
    paint: Paint,
    light: ArrayLike,
    reach: tuple[float, float] = (0.3, 90.0),
    haze: Light | None = None,
    shadow: Callable[[Array, Array], Array] | None = None,
    region: Callable[[Array, Array], Array] | None = None,
) -> Sheet | None:
    """Paint a plane of the world over all of the canvas where it lies within `reach` metres of depth.

    `axes` are the two world directions of u and v; `shadow` gives the share of light kept at (u, v);
    `region` the coverage.
    """
    view = camera.scaled(fine)
    a, b, c = view.inverse_depth(normal, offset)
    rows, columns = view.canvas
    x, y = np.arange(columns, dtype=np.float32)[None], np.arange(rows, dtype=np.float32)[:, None]
    inverse = (np.float32(a) * x + np.float32(b) * y + np.float32(c)).astype(np.float32)
    inside = (inverse > 1 / reach[1]) & (inverse < 1 / reach[0])
    if not inside.any():
        return None
    span = [np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))]
    top, bottom = span[0][0] // fine * fine, min(-(-(span[0][-1] + 1) // fine) * fine, rows)
    left, right = span[1][0] // fine * fine, min(-(-(span[1][-1] + 1) // fine) * fine, columns)
    window = (slice(top, bottom), slice(left, right))
    depth = 1 / np.maximum(inverse[window], np.float32(1 / reach[1]))
    rays = view.rays(top, left, bottom - top, right - left)
    u, v = (
        depth * np.tensordot(np.asarray(axis, np.float32), rays, 1) + np.float32(np.dot(axis, view.position))
        for axis in axes
    )
    slant = np.sqrt(np.abs(np.tensordot(np.asarray(normal, np.float32), rays, 1)) + 1e-4)
    pixel = depth / np.float32(view.focal_pixels) / slant
    colour = paint(u, v, pixel) * np.asarray(light, np.float32)
    if shadow is not None:
        colour *= shadow(u, v)[..., None]
    if haze is not None:
        veil = (1 - np.exp(-np.float32(haze.haze) * depth))[..., None]
        colour += veil * (np.asarray(haze.horizon, np.float32) - colour)
    cover = inside[window].astype(np.float32)
    if region is not None:
        cover *= region(u, v)
    return Sheet(
        shrink(premultiply(colour.astype(np.float32), cover), fine),
        top // fine,
        left // fine,
        camera.inverse_depth(normal, offset),
    )


def ground_paint(kind: str, tint: ArrayLike = (1, 1, 1)) -> Paint:
    """The paint of a named ground or floor."""
    return lambda u, v, pixel: _GROUND[kind](u, v, pixel) * np.asarray(tint, np.float32)


def _soft(u: Array, v: Array, scale: float, pixel: Array, *, power: float = 1.6, seed: int = 0) -> Array:
    """Noise that fades where its features are finer than a pixel."""
    return noise(u, v, scale, power=power, seed=seed) * np.clip(1.3 - pixel / np.float32(scale), 0.15, 1)


def _mix(dark: str, light: str, t: Array) -> Array:
    one, two = np.asarray(linear(dark), np.float32), np.asarray(linear(light), np.float32)
    return one + np.clip(t, 0, 1)[..., None] * (two - one)


def _grass(u: Array, v: Array, pixel: Array) -> Array:
    patch = 0.5 + 0.16 * noise(u, v, 1.2, seed=20) + 0.17 * _soft(u, v * 0.6, 0.10, pixel, power=1.0, seed=21)
    base = _mix("3f5f2a", "86a34f", patch)
    base += _mix("000000", "6a6a30", 0.25 * np.clip(noise(u, v, 2.5, seed=22), 0, 1)) * 0.4
    return base


def _meadow(u: Array, v: Array, pixel: Array) -> Array:
    base = _grass(u, v, pixel) * np.float32(0.95)
    for seed, code in ((31, "e8d36a"), (32, "e9e4da"), (33, "b79ac8")):
        bloom = step(noise(u, v, 0.35, power=1.1, seed=seed), 2.0, 0.15) * np.clip(1.4 - pixel / 0.04, 0, 1)
        base += bloom[..., None] * (np.asarray(linear(code), np.float32) - base)
    return base


def _joints(
    u: Array, v: Array, wide: float, long: float, pixel: Array, *, stagger: float = 0.5, gap: float = 0.012
) -> tuple[Array, Array]:
    """Slabs in rows: how much a point is joint, and a random number per slab."""
    row = np.floor(v / long)
    shifted = u / wide + stagger * row
    column = np.floor(shifted)
    du, dv = (np.abs(np.mod(t, 1) - 0.5) for t in (shifted, v / long))
    edge = np.minimum((0.5 - du) * wide, (0.5 - dv) * long)
    joint = 1 - step(edge, gap * 0.5, gap * 0.5 + 0.7 * pixel)
    joint *= np.clip(gap / pixel * 1.6, 0, 1)
    shade = np.mod(np.sin(column * 127.1 + row * 311.7) * 43758.5, 1).astype(np.float32)
    return joint, shade


def _paving(u: Array, v: Array, pixel: Array) -> Array:
    joint, shade = _joints(u, v, 0.60, 0.60, pixel, gap=0.016)
    stone = (
        0.35
        + 0.35 * shade
        + 0.10 * _soft(u, v, 0.25, pixel, seed=23)
        + 0.05 * _soft(u, v, 0.05, pixel, power=1.0, seed=24)
    )
    return _mix("9a8f80", "c9bfae", stone) * (1 - 0.45 * joint)[..., None]


def _cobbles(u: Array, v: Array, pixel: Array) -> Array:
    joint, shade = _joints(u + 0.012 * noise(u, v, 0.2, seed=25), v, 0.13, 0.11, pixel, gap=0.018)
    return (
        _mix("6b6560", "a8a097", 0.2 + 0.6 * shade + 0.10 * _soft(u, v, 0.06, pixel, seed=26))
        * (1 - 0.5 * joint)[..., None]
    )


def _gravel(u: Array, v: Array, pixel: Array) -> Array:
    grain = 0.5 + 0.2 * _soft(u, v, 0.08, pixel, power=0.9, seed=27) + 0.10 * noise(u, v, 0.9, seed=28)
    return _mix("8a7d6c", "cfc3ae", grain)


def _asphalt(u: Array, v: Array, pixel: Array) -> Array:
    grain = 0.45 + 0.12 * _soft(u, v, 0.06, pixel, power=0.8, seed=29) + 0.16 * noise(u, v, 1.4, seed=30)
    base = _mix("4b4c4e", "77777a", grain)
    line = (1 - step(np.abs(u - 2.3), 0.06, 0.01 + 0.5 * pixel)) * (np.mod(v, 4.0) < 2.2)
    return base + (0.7 * line)[..., None] * (np.asarray(linear("e6e2d8"), np.float32) - base)


def _sand(u: Array, v: Array, pixel: Array) -> Array:
    ripple = 0.5 + 0.12 * np.sin(14 * v + 2.2 * noise(u, v, 0.8, seed=34)) * np.clip(1.2 - pixel / 0.15, 0, 1)
    return _mix(
        "c4a981",
        "e8d6b3",
        ripple + 0.10 * noise(u, v, 0.5, seed=35) + 0.06 * _soft(u, v, 0.05, pixel, power=0.9, seed=36),
    )


def _boards(dark: str, light: str, wide: float, long: float, across: bool) -> Paint:
    def paint(u: Array, v: Array, pixel: Array) -> Array:
        one, two = (u, v) if across else (v, u)
        joint, shade = _joints(one, two, long, wide, pixel, stagger=0.37, gap=0.007)
        grain = 0.15 + 0.55 * shade + 0.13 * _soft(one * 0.12, two + 0.4 * shade, 0.035, pixel, seed=37)
        return _mix(dark, light, grain) * (1 - 0.55 * joint)[..., None]

    return paint


def _parquet(u: Array, v: Array, pixel: Array) -> Array:
    cell = np.mod(np.floor(u / 0.48) + np.floor(v / 0.48), 2) > 0
    one, two = np.where(cell, u, v), np.where(cell, v, u)
    joint, shade = _joints(one, two, 0.48, 0.08, pixel, stagger=0, gap=0.005)
    return (
        _mix("8f633c", "c4925c", 0.2 + 0.5 * shade + 0.1 * _soft(one * 0.15, two, 0.03, pixel, seed=38))
        * (1 - 0.4 * joint)[..., None]
    )


def _tiles(u: Array, v: Array, pixel: Array) -> Array:
    joint, shade = _joints(u, v, 0.45, 0.45, pixel, stagger=0, gap=0.010)
    return _mix("c9beac", "e6ddcd", 0.3 + 0.4 * shade + 0.12 * noise(u, v, 0.3, seed=39)) * (1 - 0.3 * joint)[..., None]


def _carpet(u: Array, v: Array, pixel: Array) -> Array:
    return _mix(
        "7d8590",
        "a3a9b0",
        0.5 + 0.10 * _soft(u, v, 0.05, pixel, power=0.7, seed=40) + 0.10 * noise(u, v, 0.5, seed=41),
    )


def _concrete(u: Array, v: Array, pixel: Array) -> Array:
    joint, _ = _joints(u, v, 2.4, 2.4, pixel, stagger=0, gap=0.012)
    return (
        _mix(
            "9b9892",
            "c4c0b8",
            0.5 + 0.2 * noise(u, v, 0.9, seed=42) + 0.06 * _soft(u, v, 0.1, pixel, seed=43),
        )
        * (1 - 0.3 * joint)[..., None]
    )


def _checker(u: Array, v: Array, pixel: Array) -> Array:
    cell = np.sin(np.pi * u / 0.5) * np.sin(np.pi * v / 0.5)
    return _mix(
        "35393f",
        "e4ddd0",
        step(cell, 0.0, 0.05 + 2 * np.clip(pixel, 0, 0.3)) + 0.03 * noise(u, v, 0.2, seed=44),
    )


_GROUND: dict[str, Paint] = {
    "grass": _grass,
    "meadow": _meadow,
    "paving": _paving,
    "cobbles": _cobbles,
    "gravel": _gravel,
    "asphalt": _asphalt,
    "sand": _sand,
    "deck": _boards("7d6550", "a98d70", 0.14, 2.6, True),
    "planks": _boards("96704a", "c79f70", 0.16, 1.9, False),
    "parquet": _parquet,
    "tiles": _tiles,
    "carpet": _carpet,
    "concrete": _concrete,
    "checker": _checker,
}


def wall_paint(kind: str, colour: ArrayLike) -> Paint:
    """Plaster, brick, wood panels or tiles, with a skirting board (v is the height above the floor)."""
    base = np.asarray(colour, np.float32)

    def paint(u: Array, v: Array, pixel: Array) -> Array:
        if kind == "brick":
            joint, shade = _joints(u, v, 0.24, 0.078, pixel, gap=0.012)
            tone = 0.75 + 0.4 * shade + 0.06 * _soft(u, v, 0.04, pixel, seed=45)
            wall = base * tone[..., None]
            return wall + joint[..., None] * (np.float32(0.9) * base.mean() + 0.12 - wall) * 0.6
        if kind == "panels":
            joint, shade = _joints(v, u, 4.0, 0.16, pixel, stagger=0, gap=0.010)
            wall = base * (0.9 + 0.18 * shade + 0.03 * noise(u, v * 0.1, 0.1, seed=46))[..., None]
            return wall * (1 - 0.3 * joint)[..., None]
        wall = base * (1 + 0.02 * noise(u, v, 0.5, seed=47) + 0.012 * _soft(u, v, 0.05, pixel, seed=48))[..., None]
        if kind == "wainscot":
            rail = np.clip(1 - np.abs(v - 0.95) / 0.03, 0, 1)
            low = step(-v, -0.95, 0.01 + 0.5 * pixel)[..., None]
            board, _ = _joints(v, u, 9.0, 0.30, pixel, stagger=0, gap=0.014)
            white = np.float32(0.72) * (1 - 0.2 * board)[..., None] * np.ones(3, np.float32)
            wall = wall + low * (white - wall)
            wall = wall * (1 + 0.15 * rail[..., None])
        skirt = step(-v, -0.12, 0.006 + 0.5 * pixel)[..., None]
        return wall + skirt * (np.float32(0.68) - wall)

    return paint
