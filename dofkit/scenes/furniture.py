# SPDX-License-Identifier: GPL-3.0-or-later
"""Furniture and what hangs on walls: flat pieces on upright planes, drawn with care for light and shade."""

from __future__ import annotations

import numpy as np

from dofkit.scenes.camera import Camera
from dofkit.scenes.layers import Sheet
from dofkit.scenes.light import Light
from dofkit.scenes.palettes import BOOKS, BRIGHT, LEAVES, WALLS, pick, srgb
from dofkit.scenes.scenery import at, board, glowing, rectangle, tone


def window(camera: Camera, fine: int, light: Light, rng: np.random.Generator, x: float, depth: float) -> Sheet:
    """A window with curtains: bright by day, dark at night."""
    half, low, high = rng.uniform(0.5, 0.85), 0.95, rng.uniform(2.1, 2.5)
    sketch = board(camera, fine, depth, x - half - 0.5, x + half + 0.5, low - 0.2, high + 0.25, (0.8, 0.8, 0.78))
    frame = srgb("f0ece2")
    sketch.fill(at(sketch, depth, rectangle(x - half - 0.07, x + half + 0.07, low - 0.07, high + 0.07)), frame)
    panes = [rectangle(x - half + 0.03, x - 0.03, low, high), rectangle(x + 0.03, x + half - 0.03, low, high)]
    for pane in panes:
        sketch.fill(at(sketch, depth, pane), (0.8, 0.85, 0.9))
        hill = np.array(
            [
                [pane[0, 0], low],
                [pane[1, 0], low],
                [pane[1, 0], low + 0.35],
                [(pane[0, 0] + pane[1, 0]) / 2, low + 0.5],
                [pane[0, 0], low + 0.3],
            ]
        )
        sketch.fill(at(sketch, depth, hill), (0.45, 0.58, 0.42))
    curtains = [
        rectangle(strip - 0.05, strip + 0.05, low - 0.25, high + 0.15)
        for k in (-1, 1)
        for j in range(5)
        for strip in [x + k * (half + 0.02) + 0.085 * k * (j - 0.5)]
    ]
    flat, cloth = light.flat(0.5), srgb(pick(rng, WALLS))
    outside = np.asarray(light.horizon, np.float32) * np.float32(1.0 if light.night else 1.6)
    lit = glowing(sketch, flat, [at(sketch, depth, pane) for pane in panes], outside)
    lit = glowing(sketch, lit, [at(sketch, depth, strip) for strip in curtains], flat)
    for k, strip in enumerate(curtains):
        sketch.fill(at(sketch, depth, strip), tone(cloth, (1.1, 0.85)[k % 2]))
    return sketch.sheet(lit)


def picture(camera: Camera, fine: int, light: Light, rng: np.random.Generator, x: float, depth: float) -> Sheet:
    """A framed print of plain shapes."""
    half, tall, y = rng.uniform(0.22, 0.45), rng.uniform(0.25, 0.45), rng.uniform(1.5, 1.9)
    sketch = board(camera, fine, depth, x - half - 0.1, x + half + 0.1, y - tall - 0.1, y + tall + 0.1)
    for grow, colour in (
        (0.0, pick(rng, ("2e2a27", "b08a5a", "e8e2d6"))),
        (-0.035, "f1ece1"),
        (-0.10, pick(rng, WALLS)),
    ):
        sketch.fill(
            at(sketch, depth, rectangle(x - half - grow, x + half + grow, y - tall - grow, y + tall + grow)),
            srgb(colour),
        )
    inner = np.array([half - 0.10, tall - 0.10])
    for _ in range(int(rng.integers(3, 7))):
        spot = np.array([x, y]) + rng.uniform(-0.6, 0.6, 2) * inner
        size = rng.uniform(0.2, 0.4) * inner.min()
        turn = np.linspace(0, 2 * np.pi, int(rng.choice((3, 4, 24))), endpoint=False) + rng.uniform(0, 6)
        sketch.fill(
            at(sketch, depth, spot + size * np.stack([np.cos(turn), np.sin(turn)], 1)),
            srgb(pick(rng, BRIGHT)),
        )
    return sketch.sheet(light.flat(0.5))


def _books(left: float, right: float, low: float, room: float, rng: np.random.Generator) -> tuple[list, list]:
    """A row of books, with a gap here and there: outlines and colours."""
    x, outlines, colours = left + 0.02, [], []
    while x < right - 0.05:
        if rng.random() < 0.08:
            x += rng.uniform(0.06, 0.2)
            continue
        thick, tall = rng.uniform(0.022, 0.055), room * rng.uniform(0.58, 0.88)
        colour = srgb(pick(rng, BOOKS))
        lean = rng.uniform(0, 0.03) if rng.random() < 0.1 else 0.0
        spine = np.array([[x, low], [x + thick, low], [x + thick + lean, low + tall], [x + lean, low + tall]])
        outlines += [spine, spine - np.array([[0, 0], [0.72, 0], [0.72, 0], [0, 0]]) * thick]
        colours += [tone(colour, rng.uniform(0.8, 1.1)), tone(colour, 0.6)]
        if rng.random() < 0.5:
            band = low + tall * 0.78
            outlines.append(rectangle(x + 0.002, x + thick - 0.002, band, band + 0.018))
            colours.append(tone(colour, 1.9))
        x += thick + 0.003
    return outlines, colours


def bookcase(camera: Camera, fine: int, light: Light, rng: np.random.Generator, x: float, depth: float) -> Sheet:
    """A case full of books."""
    half, high, rows = rng.uniform(0.5, 0.95), rng.uniform(1.7, 2.3), int(rng.integers(4, 7))
    wood = srgb(pick(rng, ("8a6242", "6b4a33", "e6dfd2", "a88560", "4a4038")))
    sketch = board(camera, fine, depth, x - half, x + half, 0, high, wood)
    sketch.fill(at(sketch, depth, rectangle(x - half, x + half, 0, high)), wood)
    gap = (high - 0.10) / rows
    outlines, colours = [], []
    for k in range(rows):
        low = 0.08 + k * gap
        books, shades = _books(x - half + 0.04, x + half - 0.04, low, gap - 0.035, rng)
        outlines += [
            rectangle(x - half + 0.04, x + half - 0.04, low, low + gap - 0.035),
            *books,
            rectangle(x - half + 0.04, x + half - 0.04, low + gap - 0.075, low + gap - 0.035),
        ]
        colours += [tone(wood, 0.28), *shades, tone(wood, 0.16)]
    spots = at(sketch, depth, np.concatenate(outlines)).reshape(-1, 4, 2)
    sketch.fill_many(spots, np.array(colours))
    return sketch.sheet(light.flat(0.55))


def ledge(camera: Camera, fine: int, light: Light, rng: np.random.Generator, x: float, depth: float) -> Sheet:
    """A shelf with vases."""
    half, y = rng.uniform(0.4, 0.7), rng.uniform(1.35, 1.8)
    sketch = board(camera, fine, depth, x - half, x + half, y - 0.08, y + 0.4, srgb("8a6242"))
    sketch.fill(at(sketch, depth, rectangle(x - half, x + half, y - 0.035, y)), srgb("a27a55"))
    for k in np.arange(x - half + 0.08, x + half - 0.1, 0.14):
        tall, wide, colour = rng.uniform(0.12, 0.3), rng.uniform(0.03, 0.055), srgb(pick(rng, BOOKS))
        vase = np.array(
            [
                [-wide, 0],
                [wide, 0],
                [wide * 1.2, tall * 0.5],
                [wide * 0.45, tall * 0.8],
                [wide * 0.5, tall],
                [-wide * 0.5, tall],
                [-wide * 0.45, tall * 0.8],
                [-wide * 1.2, tall * 0.5],
            ]
        )
        sketch.fill(at(sketch, depth, vase + np.array([k, y])), colour)
        sketch.fill(
            at(sketch, depth, vase * [0.35, 1] + [k + 0.3 * wide * np.sign(light.towards[0]), y]),
            tone(colour, 1.5),
        )
    return sketch.sheet(light.flat(0.55))


def plant(camera: Camera, fine: int, light: Light, rng: np.random.Generator, x: float, depth: float) -> Sheet:
    """Big leaves on arching stems in a pot."""
    high = rng.uniform(0.9, 1.7)
    sketch = board(camera, fine, depth, x - 0.75, x + 0.75, 0, high + 0.25, (0.2, 0.3, 0.16))
    pot, codes = srgb(pick(rng, ("c07850", "e0d8ca", "4a5560", "8f6f55"))), LEAVES
    for _ in range(15):
        turn = np.pi * (0.08 + 0.84 * rng.random())
        length = high * rng.uniform(0.45, 0.9)
        t = np.linspace(0, 1, 6)[:, None]
        tip = np.array([x, 0.36]) + length * np.array([0.55 * np.cos(turn), np.sin(turn) * 0.95])
        stem = np.array([x, 0.36]) + t * (tip - [x, 0.36]) + (t * (1 - t)) * [0, 0.25]
        colour = srgb(pick(rng, codes))
        sketch.line(at(sketch, depth, stem), tone(colour, 0.5), sketch.pixels(0.012, depth))
        way = np.array([np.cos(turn) * 1.1, np.sin(turn) * 0.5 - 0.35 * abs(np.cos(turn))])
        way /= np.linalg.norm(way)
        side, size = np.array([-way[1], way[0]]), high * rng.uniform(0.11, 0.19)
        s = np.linspace(0, 1, 9)
        curve = 0.36 * np.sin(np.pi * s**0.8)
        leaf = np.concatenate(
            [s[:, None] * way + curve[:, None] * side, (s[:, None] * way - curve[:, None] * side)[::-1]]
        )
        sketch.fill(at(sketch, depth, tip + size * leaf), tone(colour, rng.uniform(0.65, 1.0)))
        half = np.concatenate([s[:, None] * way + curve[:, None] * side, (s[:, None] * way)[::-1]])
        sketch.fill(at(sketch, depth, tip + size * half), tone(colour, rng.uniform(1.0, 1.5)))
    outline = np.array([[x - 0.15, 0], [x + 0.15, 0], [x + 0.21, 0.38], [x - 0.21, 0.38]])
    sketch.fill(at(sketch, depth, outline), tone(pot, 0.8))
    sketch.fill(
        at(sketch, depth, outline * [0.45, 1] + [0.55 * x + 0.06 * np.sign(light.towards[0]), 0]),
        tone(pot, 1.15),
    )
    return sketch.sheet(light.flat(0.6))


def sofa(camera: Camera, fine: int, light: Light, rng: np.random.Generator, x: float, depth: float) -> Sheet:
    """A sofa with two pillows."""
    sketch, cloth = board(camera, fine, depth, x - 1.1, x + 1.1, 0, 0.95), srgb(pick(rng, BOOKS + BRIGHT))
    for left, right, low, high, bright in (
        (-1.0, 1.0, 0.12, 0.85, 0.75),
        (-0.80, -0.01, 0.42, 0.80, 0.95),
        (0.01, 0.80, 0.42, 0.80, 0.95),
        (-0.80, -0.01, 0.26, 0.44, 1.15),
        (0.01, 0.80, 0.26, 0.44, 1.15),
        (-1.0, -0.80, 0.10, 0.60, 1.05),
        (0.80, 1.0, 0.10, 0.60, 1.05),
    ):
        corner = 0.06
        box = rectangle(x + left, x + right, low, high)
        soft = np.concatenate(
            [
                [p + corner * (q - p) / np.linalg.norm(q - p), p + corner * (r - p) / np.linalg.norm(r - p)]
                for p, q, r in zip(box, np.roll(box, 1, 0), np.roll(box, -1, 0), strict=True)
            ]
        )
        sketch.fill(at(sketch, depth, soft), tone(cloth, bright))
    for k in (-0.5, 0.55):
        pillow = np.array([x + k, 0.58]) + 0.19 * np.array(
            [[-1, -0.9], [0, -0.8], [1, -0.9], [0.9, 0], [1, 0.9], [0, 0.8], [-1, 0.9], [-0.9, 0]]
        )
        sketch.fill(at(sketch, depth, pillow), srgb(pick(rng, WALLS)))
    return sketch.sheet(light.flat(0.55))


def floor_lamp(camera: Camera, fine: int, light: Light, rng: np.random.Generator, x: float, depth: float) -> Sheet:
    """A lamp with a glowing shade."""
    sketch = board(camera, fine, depth, x - 0.35, x + 0.35, 0, 1.75, srgb("e8d8b8"))
    sketch.fill(at(sketch, depth, rectangle(x - 0.016, x + 0.016, 0, 1.4)), srgb("3a3633"))
    sketch.fill(at(sketch, depth, rectangle(x - 0.14, x + 0.14, 0, 0.03)), srgb("3a3633"))
    shade = at(sketch, depth, [[x - 0.24, 1.32], [x + 0.24, 1.32], [x + 0.16, 1.68], [x - 0.16, 1.68]])
    sketch.fill(shade, srgb("f3e3c3"))
    glow = (1.7, 1.1, 0.58) if light.night else (0.85, 0.76, 0.62)
    return sketch.sheet(glowing(sketch, light.flat(0.5), [shade], glow))


def cabinet(camera: Camera, fine: int, light: Light, rng: np.random.Generator, x: float, depth: float) -> Sheet:
    """A low cabinet with two doors."""
    sketch = board(camera, fine, depth, x - 0.7, x + 0.7, 0, 0.9)
    wood = srgb(pick(rng, ("8a6242", "d9cfc0", "4f5d63", "a88560")))
    sketch.fill(at(sketch, depth, rectangle(x - 0.62, x + 0.62, 0.1, 0.8)), wood)
    for k in (-0.31, 0.31):
        sketch.fill(at(sketch, depth, rectangle(x + k - 0.28, x + k + 0.28, 0.15, 0.75)), tone(wood, 1.15))
        sketch.disc(at(sketch, depth, [[x + 0.7 * k, 0.5]])[0], sketch.pixels(0.018, depth), srgb("c9a860"))
    sketch.fill(at(sketch, depth, rectangle(x - 0.66, x + 0.66, 0.8, 0.85)), tone(wood, 1.35))
    return sketch.sheet(light.flat(0.55))
