# SPDX-License-Identifier: GPL-3.0-or-later
"""Outdoor places: parks, streets and terraces, by day, at dusk and at night."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dofkit.scenes.camera import Camera
from dofkit.scenes.grounds import GROUNDS, ground_paint, surface, wall_paint
from dofkit.scenes.layers import Sheet
from dofkit.scenes.light import Light
from dofkit.scenes.palettes import AUTUMN, BRIGHT, LEAVES, WALLS, linear, pick, srgb
from dofkit.scenes.scenery import (
    at,
    board,
    bush,
    foliage,
    glowing,
    post,
    rectangle,
    sky,
    tone,
    tree,
)
from dofkit.scenes.street import bench, distant_lights, fence, planter, sign, strings
from dofkit.scenes.textures import noise, step

Array = NDArray[np.floating]
Shadow = Callable[[Array, Array], Array]


def outdoors(
    camera: Camera, fine: int, light: Light, rng: np.random.Generator, stand: float, shadow: Shadow
) -> list[Sheet]:
    """The sheets of an outdoor place, far to near; a person will stand at depth `stand`."""
    street = rng.random() < 0.42
    sheets: list[Sheet | None] = [sky(camera, light, rng)]
    sheets.append(_hills(camera, fine, light, rng) if not street or rng.random() < 0.4 else None)
    sheets.append(_skyline(camera, fine, light, rng) if street else _treeline(camera, fine, light, rng))
    kind = str(rng.choice(("paving", "asphalt", "cobbles", "paving") if street else GROUNDS))
    tint = 1 + rng.normal(0, 0.04, 3)
    sheets.append(
        surface(
            camera,
            fine,
            normal=(0, 1, 0),
            offset=0.0,
            axes=((1, 0, 0), (0, 0, 1)),
            reach=(0.3, 46.0),
            paint=_with_path(kind, rng, tint, street),
            light=light.on_ground(),
            haze=light,
            shadow=shadow,
        )
    )
    if street:
        for side in (-1, 1):
            if rng.random() < 0.8:
                sheets.append(_facade(camera, fine, light, rng, side * rng.uniform(2.6, 4.6)))
    near = [item for _ in range(int(rng.integers(3, 7))) if (item := _thing(camera, fine, light, rng, stand, street))]
    if light.night or rng.random() < 0.25:
        near += strings(camera, light, rng, stand)
    if light.night:
        near += distant_lights(camera, rng, stand, street)
    near.sort(key=lambda sheet: sheet.nearest_farthest()[0])
    return [sheet for sheet in [*sheets, *near] if sheet is not None]


def _with_path(
    kind: str, rng: np.random.Generator, tint: NDArray[np.float64], street: bool
) -> Callable[[Array, Array, Array], Array]:
    """A ground, with a path over it where it is green."""
    main = ground_paint(kind, tint)
    if street or kind not in ("grass", "meadow") or rng.random() < 0.35:
        return main
    other, centre, half, bend = (
        ground_paint(str(rng.choice(("gravel", "sand", "paving")))),
        rng.normal(0, 0.5),
        rng.uniform(0.8, 1.3),
        rng.uniform(-0.012, 0.012),
    )

    def paint(u: Array, v: Array, pixel: Array) -> Array:
        away = np.abs(u - centre - bend * v * v) + 0.06 * noise(u, v, 0.3, seed=60)
        on = step(-away, -half, 0.05 + pixel)[..., None]
        base = main(u, v, pixel)
        return base + on * (other(u, v, pixel) - base)

    return paint


def _hills(camera: Camera, fine: int, light: Light, rng: np.random.Generator) -> Sheet:
    depth, x = 110.0, np.linspace(-90, 90, 80)
    sketch = board(camera, fine, depth, -90, 90, -5, 24)
    y = 5 + 3.0 * np.sin(x / 19 + rng.uniform(0, 6)) + 1.6 * np.sin(x / 7.3 + rng.uniform(0, 6))
    sketch.fill(at(sketch, depth, np.concatenate([np.stack([x, y], 1), [[90, -9], [-90, -9]]])), srgb("5f7a78"))
    return sketch.sheet(light.flat(0.5), light.horizon, max(light.veil(depth), 0.45))


def _treeline(camera: Camera, fine: int, light: Light, rng: np.random.Generator) -> Sheet:
    depth, high = 46.0, rng.uniform(3.5, 7)
    reach = depth * camera.canvas[1] / camera.focal_pixels * 0.55
    sketch = board(camera, fine, depth, -reach, reach, -2, high * 1.9, (0.22, 0.28, 0.15))
    codes = AUTUMN if rng.random() < 0.2 else LEAVES
    count = int(np.clip(reach * 1.6, 14, 60))
    x = np.linspace(-reach, reach, count) + rng.normal(0, 0.6, count)
    clumps = np.stack([x, high * rng.uniform(0.35, 0.9, count), high * rng.uniform(0.28, 0.5, count)], 1)
    sketch.fill(at(sketch, depth, rectangle(-reach, reach, -2, high * 0.45)), tone(srgb(codes[0]), 0.35))
    foliage(sketch, depth, clumps[np.argsort(-clumps[:, 1])], 0.30, 1100, codes, rng, light)
    return sketch.sheet(light.flat(0.7), light.horizon, light.veil(depth))


def _skyline(camera: Camera, fine: int, light: Light, rng: np.random.Generator) -> Sheet:
    depth = 44.0
    reach = depth * camera.canvas[1] / camera.focal_pixels * 0.58
    sketch = board(camera, fine, depth, -reach, reach, -1, 26, srgb("8a8078"))
    x, glow = -reach, []
    while x < reach:
        wide, high = rng.uniform(3.0, 6.5), rng.uniform(5, 17)
        body = srgb(pick(rng, WALLS))
        sketch.fill(at(sketch, depth, rectangle(x, x + wide, -1, high)), tone(body, 0.72))
        sketch.fill(at(sketch, depth, rectangle(x, x + wide, high - 0.35, high)), tone(body, 1.0))
        for wx in np.arange(x + 0.5, x + wide - 0.8, 1.15):
            for wy in np.arange(1.2, high - 1.4, 1.75):
                on = light.night and rng.random() < 0.42
                pane = (1.0, 0.80, 0.48) if on else tone(srgb("5c6b78"), rng.uniform(0.5, 1.3))
                box = at(sketch, depth, rectangle(wx, wx + 0.62, wy, wy + 1.05))
                sketch.fill(box, pane)
                if on:
                    glow.append(box)
        x += wide
    lit = glowing(sketch, light.flat(0.6), glow, (1.5, 1.15, 0.7))
    return sketch.sheet(lit, light.horizon, light.veil(depth))


def _facade(camera: Camera, fine: int, light: Light, rng: np.random.Generator, x: float) -> Sheet | None:
    """A house along the street: bricks or plaster, windows, a shop front lit at night."""
    wall = wall_paint(
        str(rng.choice(("brick", "plaster", "brick"))),
        linear(str(rng.choice(("b08068", "d8c8b0", "c99f7f", "a8b0ae", "8f6a58")))),
    )
    awning, start = np.asarray(linear(pick(rng, BRIGHT)), np.float32), rng.uniform(6.5, 10)
    seed = int(rng.integers(1000))

    def paint(u: Array, v: Array, pixel: Array) -> Array:
        base = wall(u, v, pixel)
        cu, level = np.floor(u / 1.9), np.floor((v - 0.1) / 2.9)
        du, dv = np.mod(u / 1.9, 1) * 1.9 - 0.95, np.mod((v - 0.1) / 2.9, 1) * 2.9 - 1.45
        blur = 0.01 + 0.6 * pixel
        frame = step(0.56 - np.abs(du), 0, blur) * step(0.86 - np.abs(dv), 0, blur)
        pane = (
            step(0.47 - np.abs(du), 0, blur) * step(0.77 - np.abs(dv), 0, blur) * (1 - step(0.03 - np.abs(du), 0, blur))
        )
        on = np.mod(np.sin(cu * 12.9 + level * 78.2 + seed) * 43758.5, 1) < (0.3 if light.night else 0.0)
        glass = np.where(
            on[..., None],
            np.array([3.2, 2.0, 0.95] if light.night else [0.3, 0.3, 0.3], np.float32),
            np.array([0.10, 0.13, 0.16], np.float32) * (1 + 0.6 * np.clip(dv, -1, 1))[..., None],
        )
        base = base + frame[..., None] * (np.float32(0.62) - base)
        base = base + pane[..., None] * (glass.astype(np.float32) - base)
        shade = step(0.16 - np.abs(v - 2.75), 0, blur)[..., None]
        return base + shade * (awning - base)

    facing = max(0.15, -np.sign(x) * light.towards[0])
    lit = 0.7 * np.asarray(light.sky) + 0.2 * np.asarray(light.ground) + facing * 0.8 * np.asarray(light.key)
    return surface(
        camera,
        fine,
        normal=(1, 0, 0),
        offset=x,
        axes=((0, 0, 1), (0, 1, 0)),
        paint=paint,
        light=lit,
        haze=light,
        reach=(start, 43.0),
        region=lambda u, v: (v > -0.02).astype(np.float32) * (v < 14),
    )


def _thing(
    camera: Camera, fine: int, light: Light, rng: np.random.Generator, stand: float, street: bool
) -> Sheet | None:
    """One thing beside or behind the person."""
    depth = stand + float(rng.choice((rng.uniform(0.5, 3), rng.uniform(2, 9), rng.uniform(6, 22))))
    wide = depth * camera.canvas[1] / camera.focal_pixels * 0.5
    x = float(rng.choice((-1, 1)) * rng.uniform(0.25, 1.0) * wide)
    kind = str(
        rng.choice(
            ("tree", "tree", "bush", "post", "bench", "box", "sign")
            if street
            else ("tree", "tree", "tree", "bush", "bush", "bench", "post", "fence")
        )
    )
    if depth < stand + 1.2 and abs(x) < 0.55:
        x = float(np.sign(x) * 0.75)
    autumn = rng.random() < 0.2
    if kind == "tree":
        return tree(
            camera,
            fine,
            x,
            max(depth, stand + 2.5),
            rng.uniform(3.6, 6.8),
            AUTUMN if autumn else LEAVES,
            rng,
            light,
        )
    if kind == "bush":
        return bush(
            camera,
            fine,
            x,
            depth,
            rng.uniform(0.5, 1.3),
            rng.uniform(0.5, 1.3),
            LEAVES,
            rng,
            light,
            flowers=pick(rng, ("", "e6c65c", "d98aa0", "efe9dd", "c9675a")),
        )
    if kind == "post":
        return post(camera, fine, x, depth, rng.uniform(2.6, 3.4), light)
    if kind == "bench":
        return bench(camera, fine, x, depth, light, rng)
    if kind == "fence":
        return fence(camera, fine, depth + 3, light, rng)
    return planter(camera, fine, x, depth, light, rng) if kind == "box" else sign(camera, fine, x, depth, light, rng)
