# SPDX-License-Identifier: GPL-3.0-or-later
"""Indoor places: rooms with a window, shelves, pictures, plants, lamps and a sofa."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dofkit.scenes.camera import Camera
from dofkit.scenes.grounds import FLOORS, TEST_FLOOR, ground_paint, surface, wall_paint
from dofkit.scenes.layers import Sheet
from dofkit.scenes.light import Light
from dofkit.scenes.outdoors import LIVELY, WARM
from dofkit.scenes.palettes import BOOKS, BRIGHT, LEAVES, WALLS, linear, pick, srgb
from dofkit.scenes.scenery import FRONTAL, at, board, bush, lamps, rectangle, tone
from dofkit.scenes.textures import step

Array = NDArray[np.float32]
Shadow = Callable[[Array, Array], Array]


def indoors(camera: Camera, fine: int, light: Light, rng: np.random.Generator, stand: float, shadow: Shadow, test: bool
            ) -> list[Sheet]:
    """The sheets of a room, far to near; a person will stand at depth `stand`."""
    back = stand + rng.uniform(1.6, 4.5)
    colour = linear(pick(rng, WALLS))
    wall = wall_paint(str(rng.choice(("plaster", "wainscot", "brick", "panels"))), colour)
    floor = TEST_FLOOR if test and rng.random() < 0.35 else str(rng.choice(FLOORS))
    fill = 0.85 * np.asarray(light.sky) + 0.25 * np.asarray(light.ground) + 0.30 * np.asarray(light.key)
    falloff = _falloff(light, back)
    sheets: list[Sheet | None] = [
        surface(camera, fine, normal=FRONTAL, offset=back, axes=((1, 0, 0), (0, 1, 0)), paint=wall, light=fill,
                reach=(0.3, 60), shadow=falloff),
        surface(camera, fine, normal=(0, 1, 0), offset=0.0, axes=((1, 0, 0), (0, 0, 1)), paint=_with_rug(floor, rng, stand),
                light=0.9 * np.asarray(light.sky) + 0.42 * np.asarray(light.key), reach=(0.3, back + 0.02), shadow=shadow)]
    wide = back * camera.canvas[1] / camera.focal_pixels * 0.5
    if rng.random() < 0.45:
        x = float(rng.choice((-1, 1)) * rng.uniform(0.62, 0.95) * wide)
        sheets.append(surface(camera, fine, normal=(1, 0, 0), offset=x, axes=((0, 0, 1), (0, 1, 0)), paint=wall,
                              light=fill * rng.uniform(0.7, 0.95), reach=(0.3, back), region=lambda u, v: (v > 0).astype(np.float32)))
    sheets += _wall_things(camera, fine, light, rng, back - 0.03, wide)
    near = [_furniture(camera, fine, light, rng, stand, back, wide) for _ in range(int(rng.integers(2, 5)))]
    if light.night or rng.random() < 0.3:
        near += _pendants(camera, light, rng, stand, back)
    found = sorted((s for s in near if s is not None), key=lambda s: s.nearest_farthest()[0])
    return [sheet for sheet in [*sheets, *found] if sheet is not None]


def _falloff(light: Light, back: float) -> Callable[[Array, Array], Array]:
    """Light from one side, dimmer towards the ceiling and the far corner."""
    side = np.sign(light.towards[0])
    return lambda u, v: (np.clip(1.0 + 0.10 * side * u, 0.62, 1.3) * np.clip(1.12 - 0.09 * np.abs(v - 1.5), 0.6, 1.1)).astype(np.float32)


def _with_rug(kind: str, rng: np.random.Generator, stand: float) -> Callable[[Array, Array, Array], Array]:
    main = ground_paint(kind, 1 + rng.normal(0, 0.03, 3))
    if kind == TEST_FLOOR or rng.random() < 0.5:
        return main
    one, two = (np.asarray(linear(pick(rng, codes)), np.float32) for codes in (BRIGHT, WALLS))
    half, middle = rng.uniform((0.9, 0.7), (1.5, 1.1)), stand + rng.uniform(0.0, 0.7)

    def paint(u: Array, v: Array, pixel: Array) -> Array:
        edge = np.minimum(half[0] - np.abs(u), half[1] - np.abs(v - middle))
        blur = 0.004 + 0.6 * pixel
        on, border = step(edge, 0, blur)[..., None], (step(edge, 0.10, blur) - step(edge, 0.16, blur))[..., None]
        diamonds = step(np.sin(u * 11) * np.sin(v * 11), 0.35, 0.1 + 4 * np.clip(pixel, 0, 0.2))[..., None] * 0.35
        rug = one + np.clip(border + diamonds, 0, 1) * (two - one)
        base = main(u, v, pixel)
        return base + on * (rug * np.float32(0.85) - base)

    return paint


def _wall_things(camera: Camera, fine: int, light: Light, rng: np.random.Generator, depth: float, wide: float) -> list[Sheet | None]:
    made: list[Sheet | None] = []
    taken: list[float] = []
    for kind in rng.permutation(["window", "picture", "picture", "shelf"])[: int(rng.integers(1, 4))]:
        x = float(rng.uniform(-0.85, 0.85) * wide)
        if any(abs(x - other) < 1.3 for other in taken):
            continue
        taken.append(x)
        if kind == "window":
            made.append(_window(camera, fine, light, rng, x, depth))
        elif kind == "picture":
            made.append(_picture(camera, fine, light, rng, x, depth))
        else:
            made.append(_ledge(camera, fine, light, rng, x, depth))
    return made


def _window(camera: Camera, fine: int, light: Light, rng: np.random.Generator, x: float, depth: float) -> Sheet:
    half, low, high = rng.uniform(0.5, 0.85), 0.95, rng.uniform(2.1, 2.5)
    sketch = board(camera, fine, depth, x - half - 0.5, x + half + 0.5, low - 0.2, high + 0.25, (0.8, 0.8, 0.78))
    frame = srgb("f0ece2")
    sketch.fill(at(sketch, depth, rectangle(x - half - 0.07, x + half + 0.07, low - 0.07, high + 0.07)), frame)
    panes = [rectangle(x - half + 0.03, x - 0.03, low, high), rectangle(x + 0.03, x + half - 0.03, low, high)]
    for pane in panes:
        sketch.fill(at(sketch, depth, pane), (0.8, 0.85, 0.9))
        hill = np.array([[pane[0, 0], low], [pane[1, 0], low], [pane[1, 0], low + 0.35], [(pane[0, 0] + pane[1, 0]) / 2, low + 0.5], [pane[0, 0], low + 0.3]])
        sketch.fill(at(sketch, depth, hill), (0.45, 0.58, 0.42))
    from dofkit.scenes.outdoors import _mask

    mask = _mask(sketch.shape, [at(sketch, depth, pane) for pane in panes])[..., None]
    cloth = srgb(pick(rng, WALLS))
    for k in (-1, 1):
        for j in range(5):
            strip = x + k * (half + 0.02) + 0.085 * k * (j - 0.5)
            sketch.fill(at(sketch, depth, rectangle(strip - 0.05, strip + 0.05, low - 0.25, high + 0.15)), tone(cloth, (1.1, 0.85)[j % 2]))
            box = at(sketch, depth, rectangle(strip - 0.05, strip + 0.05, low - 0.25, high + 0.15))
            mask = np.minimum(mask, 1 - _mask(sketch.shape, [box])[..., None])
    flat = light.flat(0.5)
    outside = np.asarray(light.horizon, np.float32) * np.float32(1.0 if light.night else 1.6)
    return sketch.sheet(flat + mask * (outside - flat))


def _picture(camera: Camera, fine: int, light: Light, rng: np.random.Generator, x: float, depth: float) -> Sheet:
    half, tall, y = rng.uniform(0.22, 0.45), rng.uniform(0.25, 0.45), rng.uniform(1.5, 1.9)
    sketch = board(camera, fine, depth, x - half - 0.1, x + half + 0.1, y - tall - 0.1, y + tall + 0.1)
    for grow, colour in ((0.0, pick(rng, ("2e2a27", "b08a5a", "e8e2d6"))), (-0.035, "f1ece1"), (-0.10, pick(rng, WALLS))):
        sketch.fill(at(sketch, depth, rectangle(x - half - grow, x + half + grow, y - tall - grow, y + tall + grow)), srgb(colour))
    inner = np.array([half - 0.10, tall - 0.10])
    for _ in range(int(rng.integers(3, 7))):
        spot = np.array([x, y]) + rng.uniform(-0.6, 0.6, 2) * inner
        size = rng.uniform(0.2, 0.4) * inner.min()
        turn = np.linspace(0, 2 * np.pi, int(rng.choice((3, 4, 24))), endpoint=False) + rng.uniform(0, 6)
        sketch.fill(at(sketch, depth, spot + size * np.stack([np.cos(turn), np.sin(turn)], 1)), srgb(pick(rng, BRIGHT)))
    return sketch.sheet(light.flat(0.5))


def _books(sketch, depth: float, left: float, right: float, low: float, room: float, rng: np.random.Generator) -> None:  # noqa: ANN001
    """A row of books with a gap or an ornament here and there."""
    x = left + 0.02
    while x < right - 0.05:
        if rng.random() < 0.08:
            x += rng.uniform(0.06, 0.2)
            continue
        thick, tall = rng.uniform(0.022, 0.055), room * rng.uniform(0.58, 0.88)
        colour = srgb(pick(rng, BOOKS))
        lean = rng.uniform(0, 0.03) if rng.random() < 0.1 else 0.0
        spine = np.array([[x, low], [x + thick, low], [x + thick + lean, low + tall], [x + lean, low + tall]])
        sketch.fill(at(sketch, depth, spine), tone(colour, rng.uniform(0.8, 1.1)), cover=False)
        sketch.fill(at(sketch, depth, spine + [[0, 0], [-0.72 * thick, 0], [-0.72 * thick, 0], [0, 0]]), tone(colour, 0.6), cover=False)
        if rng.random() < 0.5:
            band = low + tall * 0.78
            sketch.fill(at(sketch, depth, rectangle(x + 0.002, x + thick - 0.002, band, band + 0.018)), tone(colour, 1.9), cover=False)
        x += thick + 0.003


def _bookcase(camera: Camera, fine: int, light: Light, rng: np.random.Generator, x: float, depth: float) -> Sheet:
    half, high, rows = rng.uniform(0.5, 0.95), rng.uniform(1.7, 2.3), int(rng.integers(4, 7))
    wood = srgb(pick(rng, ("8a6242", "6b4a33", "e6dfd2", "a88560", "4a4038")))
    sketch = board(camera, fine, depth, x - half, x + half, 0, high, wood)
    sketch.fill(at(sketch, depth, rectangle(x - half, x + half, 0, high)), wood)
    gap = (high - 0.10) / rows
    for k in range(rows):
        low = 0.08 + k * gap
        sketch.fill(at(sketch, depth, rectangle(x - half + 0.04, x + half - 0.04, low, low + gap - 0.035)), tone(wood, 0.28))
        _books(sketch, depth, x - half + 0.04, x + half - 0.04, low, gap - 0.035, rng)
        sketch.fill(at(sketch, depth, rectangle(x - half + 0.04, x + half - 0.04, low + gap - 0.075, low + gap - 0.035)), tone(wood, 0.16), cover=False)
    return sketch.sheet(light.flat(0.55))


def _ledge(camera: Camera, fine: int, light: Light, rng: np.random.Generator, x: float, depth: float) -> Sheet:
    half, y = rng.uniform(0.4, 0.7), rng.uniform(1.35, 1.8)
    sketch = board(camera, fine, depth, x - half, x + half, y - 0.08, y + 0.4, srgb("8a6242"))
    sketch.fill(at(sketch, depth, rectangle(x - half, x + half, y - 0.035, y)), srgb("a27a55"))
    for k in np.arange(x - half + 0.08, x + half - 0.1, 0.14):
        tall, wide, colour = rng.uniform(0.12, 0.3), rng.uniform(0.03, 0.055), srgb(pick(rng, BOOKS))
        vase = np.array([[-wide, 0], [wide, 0], [wide * 1.2, tall * 0.5], [wide * 0.45, tall * 0.8], [wide * 0.5, tall], [-wide * 0.5, tall], [-wide * 0.45, tall * 0.8], [-wide * 1.2, tall * 0.5]])
        sketch.fill(at(sketch, depth, vase + [k, y]), colour)
        sketch.fill(at(sketch, depth, vase * [0.35, 1] + [k + 0.3 * wide * np.sign(light.towards[0]), y]), tone(colour, 1.5))
    return sketch.sheet(light.flat(0.55))


def _furniture(camera: Camera, fine: int, light: Light, rng: np.random.Generator, stand: float, back: float, wide: float) -> Sheet | None:
    kind = str(rng.choice(("bookcase", "bookcase", "plant", "plant", "sofa", "lamp", "cabinet")))
    depth = float(rng.uniform(stand + 0.5, back - 0.25)) if kind in ("plant", "lamp") else back - rng.uniform(0.25, 0.5)
    x = float(rng.choice((-1, 1)) * rng.uniform(0.3, 0.95) * wide * depth / back)
    if kind == "bookcase":
        return _bookcase(camera, fine, light, rng, x, depth)
    if kind == "plant":
        return _plant(camera, fine, light, rng, x, depth)
    if kind == "sofa":
        return _sofa(camera, fine, light, rng, x, depth)
    if kind == "lamp":
        return _floor_lamp(camera, fine, light, rng, x, depth)
    sketch = board(camera, fine, depth, x - 0.7, x + 0.7, 0, 0.9)
    wood = srgb(pick(rng, ("8a6242", "d9cfc0", "4f5d63", "a88560")))
    sketch.fill(at(sketch, depth, rectangle(x - 0.62, x + 0.62, 0.1, 0.8)), wood)
    for k in (-0.31, 0.31):
        sketch.fill(at(sketch, depth, rectangle(x + k - 0.28, x + k + 0.28, 0.15, 0.75)), tone(wood, 1.15))
        sketch.disc(at(sketch, depth, [[x + 0.7 * k, 0.5]])[0], sketch.pixels(0.018, depth), srgb("c9a860"))
    sketch.fill(at(sketch, depth, rectangle(x - 0.66, x + 0.66, 0.8, 0.85)), tone(wood, 1.35))
    return sketch.sheet(light.flat(0.55))


def _plant(camera: Camera, fine: int, light: Light, rng: np.random.Generator, x: float, depth: float) -> Sheet:
    """Big leaves on arching stems in a pot."""
    high = rng.uniform(0.9, 1.7)
    sketch = board(camera, fine, depth, x - 0.75, x + 0.75, 0, high + 0.25, (0.2, 0.3, 0.16))
    pot, codes = srgb(pick(rng, ("c07850", "e0d8ca", "4a5560", "8f6f55"))), LEAVES
    for k in range(15):
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
        leaf = np.concatenate([s[:, None] * way + curve[:, None] * side, (s[:, None] * way - curve[:, None] * side)[::-1]])
        sketch.fill(at(sketch, depth, tip + size * leaf), tone(colour, rng.uniform(0.65, 1.0)))
        half = np.concatenate([s[:, None] * way + curve[:, None] * side, (s[:, None] * way)[::-1]])
        sketch.fill(at(sketch, depth, tip + size * half), tone(colour, rng.uniform(1.0, 1.5)))
    outline = np.array([[x - 0.15, 0], [x + 0.15, 0], [x + 0.21, 0.38], [x - 0.21, 0.38]])
    sketch.fill(at(sketch, depth, outline), tone(pot, 0.8))
    sketch.fill(at(sketch, depth, outline * [0.45, 1] + [0.55 * x + 0.06 * np.sign(light.towards[0]), 0]), tone(pot, 1.15))
    return sketch.sheet(light.flat(0.6))


def _sofa(camera: Camera, fine: int, light: Light, rng: np.random.Generator, x: float, depth: float) -> Sheet:
    sketch, cloth = board(camera, fine, depth, x - 1.1, x + 1.1, 0, 0.95), srgb(pick(rng, BOOKS + BRIGHT))
    for left, right, low, high, bright in ((-1.0, 1.0, 0.12, 0.85, 0.75), (-0.80, -0.01, 0.42, 0.80, 0.95), (0.01, 0.80, 0.42, 0.80, 0.95),
                                           (-0.80, -0.01, 0.26, 0.44, 1.15), (0.01, 0.80, 0.26, 0.44, 1.15), (-1.0, -0.80, 0.10, 0.60, 1.05), (0.80, 1.0, 0.10, 0.60, 1.05)):
        corner = 0.06
        box = rectangle(x + left, x + right, low, high)
        soft = np.concatenate([[p + corner * (q - p) / np.linalg.norm(q - p), p + corner * (r - p) / np.linalg.norm(r - p)]
                               for p, q, r in zip(box, np.roll(box, 1, 0), np.roll(box, -1, 0), strict=True)])
        sketch.fill(at(sketch, depth, soft), tone(cloth, bright))
    for k in (-0.5, 0.55):
        pillow = np.array([x + k, 0.58]) + 0.19 * np.array([[-1, -0.9], [0, -0.8], [1, -0.9], [0.9, 0], [1, 0.9], [0, 0.8], [-1, 0.9], [-0.9, 0]])
        sketch.fill(at(sketch, depth, pillow), srgb(pick(rng, WALLS)))
    return sketch.sheet(light.flat(0.55))


def _floor_lamp(camera: Camera, fine: int, light: Light, rng: np.random.Generator, x: float, depth: float) -> Sheet:
    sketch = board(camera, fine, depth, x - 0.35, x + 0.35, 0, 1.75, srgb("e8d8b8"))
    sketch.fill(at(sketch, depth, rectangle(x - 0.016, x + 0.016, 0, 1.4)), srgb("3a3633"))
    sketch.fill(at(sketch, depth, rectangle(x - 0.14, x + 0.14, 0, 0.03)), srgb("3a3633"))
    shade = at(sketch, depth, [[x - 0.24, 1.32], [x + 0.24, 1.32], [x + 0.16, 1.68], [x - 0.16, 1.68]])
    sketch.fill(shade, srgb("f3e3c3"))
    from dofkit.scenes.outdoors import _mask

    mask = _mask(sketch.shape, [shade])[..., None]
    flat = light.flat(0.5)
    glow = np.array([2.4, 1.7, 0.95] if light.night else [1.1, 1.0, 0.85], np.float32)
    return sketch.sheet(flat + mask * (glow - flat))


def _pendants(camera: Camera, light: Light, rng: np.random.Generator, stand: float, back: float) -> list[Sheet | None]:
    """Bulbs hung in a row, or fairy lights along the wall."""
    made: list[Sheet | None] = []
    for _ in range(int(rng.integers(1, 4))):
        depth = float(rng.uniform(stand + 0.5, back - 0.1))
        wide = depth * camera.canvas[1] / camera.focal_pixels * 0.6
        top = camera.eye + depth * camera.canvas[0] / camera.focal_pixels * rng.uniform(0.15, 0.46)
        if rng.random() < 0.5:
            x, radius = np.arange(-wide, wide, rng.uniform(0.35, 0.7)), 0.045
            y = np.full_like(x, top) + rng.choice((0, 0.12)) * rng.standard_normal(len(x))
        else:
            x, radius = np.arange(-wide, wide, 0.13), 0.012
            y = top - 0.25 * np.abs(np.sin(x * 1.7 + rng.uniform(0, 3)))
        glows = WARM if rng.random() < 0.8 else LIVELY
        made.append(lamps(camera, np.stack([x, y, np.full_like(x, depth)], 1), glows[rng.integers(len(glows), size=len(x))], radius, halo=0.02))
    return made
