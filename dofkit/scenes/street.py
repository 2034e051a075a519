# SPDX-License-Identifier: GPL-3.0-or-later
"""Things of parks and streets: benches, fences, planters, signs, strings of lights and lights far away."""

from __future__ import annotations

import numpy as np

from dofkit.scenes.camera import Camera
from dofkit.scenes.layers import Sheet
from dofkit.scenes.light import Light
from dofkit.scenes.palettes import LEAVES, pick, srgb
from dofkit.scenes.scenery import at, board, crown, foliage, lamps, rectangle, tone

WARM = np.array([[9.0, 5.6, 2.5], [8.0, 6.2, 3.6], [9.0, 4.6, 1.8]])
LIVELY = np.array([[8.0, 2.2, 1.2], [7.0, 4.2, 1.2], [1.6, 4.8, 7.0], [6.0, 2.0, 5.0], [2.0, 6.0, 3.0]])


def bench(camera: Camera, fine: int, x: float, depth: float, light: Light, rng: np.random.Generator) -> Sheet:
    """A park bench."""
    sketch, wood = (
        board(camera, fine, depth, x - 0.9, x + 0.9, -0.05, 1.0),
        srgb(pick(rng, ("8a6242", "9b7652", "5f6f62"))),
    )
    for k in (-0.68, 0.68):
        sketch.fill(at(sketch, depth, rectangle(x + k - 0.04, x + k + 0.04, 0, 0.85)), srgb("2e3033"))
    for low, high, bright in (
        (0.40, 0.455, 1.25),
        (0.46, 0.475, 0.6),
        (0.56, 0.66, 1.0),
        (0.68, 0.78, 1.0),
        (0.80, 0.88, 1.05),
    ):
        sketch.fill(at(sketch, depth, rectangle(x - 0.82, x + 0.82, low, high)), tone(wood, bright))
    return sketch.sheet(light.flat(0.8), light.horizon, light.veil(depth))


def fence(camera: Camera, fine: int, depth: float, light: Light, rng: np.random.Generator) -> Sheet:
    """A picket fence across the picture."""
    reach = depth * camera.canvas[1] / camera.focal_pixels * 0.55
    sketch, paint = (
        board(camera, fine, depth, -reach, reach, -0.05, 1.2),
        srgb(pick(rng, ("d9d2c4", "8f7a62", "6d7f78"))),
    )
    for low in (0.25, 0.78):
        sketch.fill(at(sketch, depth, rectangle(-reach, reach, low, low + 0.09)), tone(paint, 0.7))
    for k in np.arange(-reach, reach, 0.22):
        sketch.fill(
            at(sketch, depth, [[k, 0], [k + 0.13, 0], [k + 0.13, 0.98], [k + 0.065, 1.08], [k, 0.98]]),
            tone(paint, rng.uniform(0.85, 1.1)),
        )
    return sketch.sheet(light.flat(0.8), light.horizon, light.veil(depth))


def planter(camera: Camera, fine: int, x: float, depth: float, light: Light, rng: np.random.Generator) -> Sheet:
    """A wooden box with a small bush."""
    sketch = board(camera, fine, depth, x - 0.7, x + 0.7, -0.05, 1.35, (0.2, 0.26, 0.13))
    wood, half = srgb(pick(rng, ("9a6f4a", "b8ada0", "6f7478", "a85f45"))), rng.uniform(0.35, 0.5)
    foliage(sketch, depth, crown(rng, x, 0.80, half * 1.05, 0.30, 9), 0.06, 200, LEAVES, rng, light)
    for low in (0.0, 0.20, 0.40):
        sketch.fill(at(sketch, depth, rectangle(x - half, x + half, low, low + 0.2)), tone(wood, 0.55))
        sketch.fill(
            at(sketch, depth, rectangle(x - half, x + half, low + 0.012, low + 0.195)),
            tone(wood, rng.uniform(0.9, 1.1)),
        )
    return sketch.sheet(light.flat(0.8), light.horizon, light.veil(depth))


def sign(camera: Camera, fine: int, x: float, depth: float, light: Light, rng: np.random.Generator) -> Sheet:
    """A board with chalk lines before a cafe."""
    sketch = board(camera, fine, depth, x - 0.4, x + 0.4, -0.05, 1.1, srgb("5b4632"))
    sketch.fill(at(sketch, depth, [[x - 0.34, 0], [x + 0.34, 0], [x + 0.29, 1.0], [x - 0.29, 1.0]]), srgb("7a5a3c"))
    sketch.fill(
        at(sketch, depth, [[x - 0.28, 0.18], [x + 0.28, 0.18], [x + 0.245, 0.94], [x - 0.245, 0.94]]),
        srgb("2d3532"),
    )
    for row in np.linspace(0.82, 0.3, 6):
        sketch.line(
            at(sketch, depth, [[x - 0.18, row], [x - 0.18 + rng.uniform(0.15, 0.36), row]]),
            srgb("d8d4c8"),
            sketch.pixels(0.025, depth),
        )
    return sketch.sheet(light.flat(0.8), light.horizon, light.veil(depth))


def strings(camera: Camera, light: Light, rng: np.random.Generator, stand: float) -> list[Sheet]:
    """Strings of fairy lights hung in arcs."""
    made = []
    for _ in range(int(rng.integers(1, 4))):
        depth = stand + rng.uniform(1.5, 8)
        wide = depth * camera.canvas[1] / camera.focal_pixels * 0.65
        top = camera.eye + depth * camera.canvas[0] / camera.focal_pixels * rng.uniform(0.12, 0.46)
        x = np.arange(-wide, wide, rng.uniform(0.22, 0.4))
        sag = rng.uniform(0.15, 0.6)
        y = top - sag * np.abs(np.sin(x / rng.uniform(2, 4) + rng.uniform(0, 3)))
        colours = WARM if rng.random() < 0.7 else LIVELY
        glow = colours[rng.integers(len(colours), size=len(x))] * (1.3 if light.night else 0.5)
        sheet = lamps(camera, np.stack([x, y, np.full_like(x, depth)], 1), glow, 0.022)
        if sheet is not None:
            made.append(sheet)
    return made


def distant_lights(camera: Camera, rng: np.random.Generator, stand: float, street: bool) -> list[Sheet]:
    """Street lamps, cars and windows far away: the stuff of bokeh."""
    made = []
    for _ in range(int(rng.integers(5, 9))):
        depth = stand + rng.uniform(5, 34)
        wide = depth * camera.canvas[1] / camera.focal_pixels * 0.55
        count = int(rng.integers(2, 8))
        low = rng.random() < (0.45 if street else 0.25)
        y = np.full(count, 0.65) if low else rng.uniform(1.8, 2.2 + depth * 0.14, count)
        x = rng.uniform(-wide, wide, count)
        tones = np.array([[9, 1.2, 0.7], [9, 8, 6.5]]) if low else np.concatenate([WARM, WARM, LIVELY])
        glow = tones[rng.integers(len(tones), size=count)] * rng.uniform(0.6, 1.8, (count, 1))
        sheet = lamps(camera, np.stack([x, y, np.full(count, depth)], 1), glow, rng.uniform(0.05, 0.11), halo=0.02)
        if sheet is not None:
            made.append(sheet)
    return made
