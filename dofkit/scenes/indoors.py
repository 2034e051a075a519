# SPDX-License-Identifier: GPL-3.0-or-later
"""Indoor places: rooms with a window, shelves, pictures, plants, lamps and a sofa."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dofkit.scenes.camera import Camera
from dofkit.scenes.furniture import bookcase, cabinet, floor_lamp, ledge, picture, plant, sofa, window
from dofkit.scenes.grounds import FLOORS, TEST_FLOOR, ground_paint, surface, wall_paint
from dofkit.scenes.layers import Sheet
from dofkit.scenes.light import Light
from dofkit.scenes.palettes import BRIGHT, WALLS, linear, pick
from dofkit.scenes.scenery import FRONTAL, lamps
from dofkit.scenes.street import LIVELY, WARM
from dofkit.scenes.textures import step

Array = NDArray[np.floating]
Shadow = Callable[[Array, Array], Array]


def indoors(
    camera: Camera,
    fine: int,
    light: Light,
    rng: np.random.Generator,
    stand: float,
    shadow: Shadow,
    test: bool,
) -> list[Sheet]:
    """The sheets of a room, far to near; a person will stand at depth `stand`."""
    back = stand + rng.uniform(1.6, 4.5)
    colour = linear(pick(rng, WALLS))
    wall = wall_paint(str(rng.choice(("plaster", "wainscot", "brick", "panels"))), colour)
    floor = TEST_FLOOR if test and rng.random() < 0.35 else str(rng.choice(FLOORS))
    fill = 0.85 * np.asarray(light.sky) + 0.25 * np.asarray(light.ground) + 0.30 * np.asarray(light.key)
    falloff = _falloff(light, back)
    sheets: list[Sheet | None] = [
        surface(
            camera,
            fine,
            normal=FRONTAL,
            offset=back,
            axes=((1, 0, 0), (0, 1, 0)),
            paint=wall,
            light=fill,
            reach=(0.3, 60),
            shadow=falloff,
        ),
        surface(
            camera,
            fine,
            normal=(0, 1, 0),
            offset=0.0,
            axes=((1, 0, 0), (0, 0, 1)),
            paint=_with_rug(floor, rng, stand),
            light=0.9 * np.asarray(light.sky) + 0.42 * np.asarray(light.key),
            reach=(0.3, back + 0.02),
            shadow=shadow,
        ),
    ]
    wide = back * camera.canvas[1] / camera.focal_pixels * 0.5
    if rng.random() < 0.45:
        x = float(rng.choice((-1, 1)) * rng.uniform(0.62, 0.95) * wide)
        sheets.append(
            surface(
                camera,
                fine,
                normal=(1, 0, 0),
                offset=x,
                axes=((0, 0, 1), (0, 1, 0)),
                paint=wall,
                light=fill * rng.uniform(0.7, 0.95),
                reach=(0.3, back),
                region=lambda u, v: (v > 0).astype(np.float32),
            )
        )
    sheets += _wall_things(camera, fine, light, rng, back - 0.03, wide)
    near = [_furniture(camera, fine, light, rng, stand, back, wide) for _ in range(int(rng.integers(2, 5)))]
    if light.night or rng.random() < 0.3:
        near += _pendants(camera, light, rng, stand, back)
    found = sorted((s for s in near if s is not None), key=lambda s: s.nearest_farthest()[0])
    return [sheet for sheet in [*sheets, *found] if sheet is not None]


def _falloff(light: Light, back: float) -> Callable[[Array, Array], Array]:
    """Light from one side, dimmer towards the ceiling and the far corner."""
    side = np.sign(light.towards[0])
    return lambda u, v: (
        np.clip(1.0 + 0.10 * side * u, 0.62, 1.3) * np.clip(1.12 - 0.09 * np.abs(v - 1.5), 0.6, 1.1)
    ).astype(np.float32)


def _with_rug(kind: str, rng: np.random.Generator, stand: float) -> Callable[[Array, Array, Array], Array]:
    main = ground_paint(kind, 1 + rng.normal(0, 0.03, 3))
    if kind == TEST_FLOOR or rng.random() < 0.5:
        return main
    one, two = (np.asarray(linear(pick(rng, codes)), np.float32) for codes in (BRIGHT, WALLS))
    half, middle = rng.uniform((0.9, 0.7), (1.5, 1.1)), stand + rng.uniform(0.0, 0.7)

    def paint(u: Array, v: Array, pixel: Array) -> Array:
        edge = np.minimum(half[0] - np.abs(u), half[1] - np.abs(v - middle))
        blur = 0.004 + 0.6 * pixel
        on, border = (
            step(edge, 0, blur)[..., None],
            (step(edge, 0.10, blur) - step(edge, 0.16, blur))[..., None],
        )
        diamonds = step(np.sin(u * 11) * np.sin(v * 11), 0.35, 0.1 + 4 * np.clip(pixel, 0, 0.2))[..., None] * 0.35
        rug = one + np.clip(border + diamonds, 0, 1) * (two - one)
        base = main(u, v, pixel)
        return base + on * (rug * np.float32(0.85) - base)

    return paint


def _wall_things(
    camera: Camera, fine: int, light: Light, rng: np.random.Generator, depth: float, wide: float
) -> list[Sheet | None]:
    made: list[Sheet | None] = []
    taken: list[float] = []
    for kind in rng.permutation(["window", "picture", "picture", "shelf"])[: int(rng.integers(1, 4))]:
        x = float(rng.uniform(-0.85, 0.85) * wide)
        if any(abs(x - other) < 1.3 for other in taken):
            continue
        taken.append(x)
        if kind == "window":
            made.append(window(camera, fine, light, rng, x, depth))
        elif kind == "picture":
            made.append(picture(camera, fine, light, rng, x, depth))
        else:
            made.append(ledge(camera, fine, light, rng, x, depth))
    return made


def _furniture(
    camera: Camera, fine: int, light: Light, rng: np.random.Generator, stand: float, back: float, wide: float
) -> Sheet | None:
    kind = str(rng.choice(("bookcase", "bookcase", "plant", "plant", "sofa", "lamp", "cabinet")))
    depth = float(rng.uniform(stand + 0.9, back - 0.25)) if kind in ("plant", "lamp") else back - rng.uniform(0.25, 0.5)
    x = float(rng.choice((-1, 1)) * rng.uniform(0.3, 0.95) * wide * depth / back)
    if kind == "bookcase":
        return bookcase(camera, fine, light, rng, x, depth)
    if kind == "plant":
        return plant(camera, fine, light, rng, x, depth)
    if kind == "sofa":
        return sofa(camera, fine, light, rng, x, depth)
    if kind == "lamp":
        return floor_lamp(camera, fine, light, rng, x, depth)
    return cabinet(camera, fine, light, rng, x, depth)


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
        made.append(
            lamps(
                camera,
                np.stack([x, y, np.full_like(x, depth)], 1),
                glows[rng.integers(len(glows), size=len(x))],
                radius,
                halo=0.02,
            )
        )
    return made
