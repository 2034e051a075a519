# SPDX-License-Identifier: GPL-3.0-or-later
"""Things to stand between: sky, foliage, trees, posts, and lamps brighter than a picture can show."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from dofkit.scenes.camera import Camera
from dofkit.scenes.layers import LINEAR, Sheet, Sketch
from dofkit.scenes.light import Light
from dofkit.scenes.palettes import srgb
from dofkit.scenes.textures import noise, step

Array = NDArray[np.floating]
FRONTAL = (0.0, 0.0, 1.0)


def tone(colour: ArrayLike, factor: ArrayLike) -> NDArray[np.float64]:
    """An sRGB colour made brighter or darker in linear light."""
    linear = np.interp(np.asarray(colour, float), np.arange(256) / 255, LINEAR)
    return np.interp(linear * np.asarray(factor), LINEAR, np.arange(256) / 255)


def board(
    camera: Camera,
    fine: int,
    depth: float,
    left: float,
    right: float,
    low: float,
    high: float,
    base: ArrayLike = (0.3, 0.3, 0.3),
) -> Sketch:
    """A sketch on the upright plane Z = depth, over X in [left, right] and Y in [low, high]."""
    corners = [[x, y, depth] for x in (left, right) for y in (low, high)]
    return Sketch(camera, fine, corners, normal=FRONTAL, offset=depth, base=base)


def at(sketch: Sketch, depth: float, points: ArrayLike) -> NDArray[np.float64]:
    """Points (N, 2) on the plane Z = depth, as pixels of a sketch."""
    flat = np.asarray(points, float)
    return sketch.spot(np.concatenate([flat, np.full((len(flat), 1), depth)], 1))


def glowing(sketch: Sketch, light: ArrayLike, outlines: list[NDArray[np.float64]], glow: ArrayLike) -> Array:
    """A light map for a sketch: `light` everywhere, `glow` inside some outlines."""
    mask = np.zeros(sketch.shape, np.uint8)
    for outline in outlines:
        cv2.fillPoly(mask, [np.round(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    share = mask[..., None].astype(np.float32) / 255
    return np.asarray(light, np.float32) + share * (np.asarray(glow, np.float32) - np.asarray(light, np.float32))


def rectangle(left: float, right: float, low: float, high: float) -> NDArray[np.float64]:
    """Corners of an upright rectangle."""
    return np.array([[left, low], [right, low], [right, high], [left, high]])


def sky(camera: Camera, light: Light, rng: np.random.Generator, *, distance: float = 150.0) -> Sheet:
    """The sky: a gradient, clouds, and a glow around the sun."""
    rows, columns = camera.canvas
    rays = camera.rays(0, 0, rows, columns)
    rays /= np.sqrt(np.einsum("ihw,ihw->hw", rays, rays))
    height = np.clip(rays[1] * 2.2 + 0.05, 0, 1)[..., None] ** 0.7
    colour = np.asarray(light.horizon, np.float32) * (1 - height) + np.asarray(light.zenith, np.float32) * height
    shift, amount = rng.uniform(0, 40, 2), rng.uniform(0.1, 1.0)
    far = 1 / np.maximum(rays[1] + 0.12, 0.08)
    puff = noise(rays[0] * far * 6 + shift[0], far * 7 + shift[1], 5.0, power=1.9, seed=50)
    cloud = (step(puff, 0.35, 0.8) * amount * np.clip(rays[1] * 8, 0, 1))[..., None]
    bright = 0.55 * np.asarray(light.key, np.float32) + 0.6 * np.asarray(light.sky, np.float32)
    bright = bright * np.float32(0.25 if light.night else 0.9)
    colour += cloud * np.float32(0.55) * (bright - colour)
    sun = np.tensordot(np.asarray(light.towards, np.float32), rays, 1)
    if not light.night:
        colour += (np.clip(sun, 0, 1) ** 12)[..., None] * np.asarray(light.key, np.float32) * 0.5
    cover = np.ones((rows, columns, 1), np.float32)
    return Sheet(np.dstack([colour, cover]).astype(np.float32), 0, 0, camera.inverse_depth(FRONTAL, distance))


def foliage(
    sketch: Sketch,
    depth: float,
    clumps: NDArray[np.float64],
    leaf: float,
    count: int,
    codes: tuple[str, ...],
    rng: np.random.Generator,
    light: Light,
) -> None:
    """Leaves in round clumps, rows (x, y, radius): dark ones below and behind, sunlit ones on top."""
    share = clumps[:, 2] ** 2 / (clumps[:, 2] ** 2).sum()
    which = rng.choice(len(clumps), count, p=share)
    turn, radius = rng.uniform(0, 2 * np.pi, count), np.sqrt(rng.random(count))
    offset = radius[:, None] * np.stack([np.cos(turn), 0.82 * np.sin(turn)], 1)
    spots = clumps[which, :2] + offset * clumps[which, 2:]
    sun = np.array([light.towards[0], max(light.towards[1], 0.2)])
    bulge = np.sqrt(np.maximum(1 - radius**2, 0))
    lit = 0.42 + 0.40 * (offset @ (sun / np.linalg.norm(sun))) + 0.18 * bulge + 0.10 * rng.normal(size=count)
    layer = rng.random(count)
    lit *= 0.45 + 0.75 * layer
    size = leaf * rng.uniform(0.6, 1.3, count)
    tilt = rng.uniform(0, np.pi, count)
    picks = rng.integers(len(codes), size=count)
    along = np.stack([np.cos(tilt), np.sin(tilt)], 1) * size[:, None]
    aside = np.stack([-np.sin(tilt), np.cos(tilt)], 1) * 0.45 * size[:, None]
    shape = np.stack(
        [
            along,
            0.5 * along + aside,
            -0.4 * along + aside * 0.9,
            -along,
            -0.4 * along - 0.9 * aside,
            0.5 * along - aside,
        ],
        1,
    )
    outlines = at(sketch, depth, (spots[:, None] + shape).reshape(-1, 2)).reshape(count, 6, 2)
    base = np.array([srgb(code) for code in codes])
    for x, y, r in clumps:
        core = at(sketch, depth, [[x, y - 0.05 * r], [x + 0.68 * r, y - 0.05 * r]])
        sketch.disc(core[0], float(np.hypot(*(core[1] - core[0]))), tone(base[0], 0.34))
    order = np.argsort(layer)
    shades = tone(base[picks[order]], 1.25 * np.clip(lit[order], 0.12, 1.5)[:, None])
    sketch.fill_many(outlines[order], shades)


def crown(rng: np.random.Generator, x: float, y: float, width: float, height: float, count: int) -> NDArray[np.float64]:
    """Clumps of a tree's crown or a bush: an oval of overlapping balls."""
    turn = rng.uniform(0, 2 * np.pi, count)
    radius = np.sqrt(rng.uniform(0, 1, count)) * 0.68
    size = rng.uniform(0.26, 0.46, count) * min(width, height)
    return np.stack([x + radius * np.cos(turn) * width, y + radius * np.sin(turn) * height, size], 1)


def tree(
    camera: Camera,
    fine: int,
    x: float,
    depth: float,
    size: float,
    codes: tuple[str, ...],
    rng: np.random.Generator,
    light: Light,
    leaves: int = 420,
) -> Sheet:
    """A tree `size` metres high: a leaning trunk, branches and a crown of leaves."""
    width = size * rng.uniform(0.26, 0.36)
    sketch = board(camera, fine, depth, x - 1.5 * width, x + 1.5 * width, -0.1, size * 1.08, (0.20, 0.22, 0.12))
    bark, lean = srgb(("6b5442", "5d4c40", "776556")[int(rng.integers(3))]), rng.uniform(-0.04, 0.04) * size
    thick = size * rng.uniform(0.028, 0.042)
    t = np.linspace(0, 1, 9)
    spine = np.stack([x + lean * t**2 + 0.02 * size * np.sin(3 * t + rng.uniform(0, 6)) * t, t * size * 0.66], 1)
    half = thick * (1 - 0.55 * t) + 0.5 * thick * np.exp(-t / 0.07)
    sides = [spine + np.stack([k * half, 0 * half], 1) for k in (-1.0, -0.35, 0.3, 1.0)]
    bright = (0.55, 0.85, 1.15) if light.towards[0] > 0 else (1.15, 0.85, 0.55)
    sketch.fill(at(sketch, depth, np.concatenate([sides[0], sides[3][::-1]])), tone(bark, 0.8))
    for k in range(3):
        sketch.fill(at(sketch, depth, np.concatenate([sides[k], sides[k + 1][::-1]])), tone(bark, bright[k]))
    for _ in range(14):
        s = rng.uniform(0.02, 0.85)
        here = np.array([np.interp(s, t, spine[:, i]) for i in (0, 1)])
        here[0] += rng.uniform(-0.7, 0.7) * np.interp(s, t, half)
        crack = at(sketch, depth, here + np.array([[0, 0], [0.012 * size * rng.normal(), 0.05 * size]]) * 0.7)
        sketch.line(crack, tone(bark, rng.choice((0.45, 1.3))), sketch.pixels(0.02, depth))
    for k in range(6):
        root = np.array([np.interp(0.62 + 0.06 * k, t, spine[:, i]) for i in (0, 1)])
        tip = root + np.array([(-1) ** k * rng.uniform(0.2, 0.45) * width, rng.uniform(0.10, 0.22) * size])
        side = np.array([0.0, 0.35 * thick])
        sketch.fill(at(sketch, depth, np.stack([root - side, tip, root + side])), tone(bark, 0.6))
    clumps = crown(rng, spine[-1, 0], size * 0.74, width * 1.15, size * 0.24, 16)
    foliage(sketch, depth, clumps, size * 0.022 + 0.03, leaves, codes, rng, light)
    return sketch.sheet(light.flat(0.75), light.horizon, light.veil(depth))


def bush(
    camera: Camera,
    fine: int,
    x: float,
    depth: float,
    width: float,
    height: float,
    codes: tuple[str, ...],
    rng: np.random.Generator,
    light: Light,
    *,
    leaves: int = 260,
    low: float = 0.0,
    flowers: str = "",
) -> Sheet:
    """A bush on the ground, perhaps in flower."""
    sketch = board(camera, fine, depth, x - width, x + width, low - 0.05, low + height * 1.25, (0.2, 0.26, 0.13))
    clumps = crown(rng, x, low + 0.45 * height, 0.62 * width, 0.45 * height, 10)
    clumps[:, 1] = np.maximum(clumps[:, 1], low + 0.75 * clumps[:, 2])
    foliage(sketch, depth, clumps, 0.035 + 0.035 * height, leaves, codes, rng, light)
    for _ in range(26 if flowers else 0):
        spot = clumps[int(rng.integers(len(clumps)))]
        place = spot[:2] + rng.normal(0, 0.4, 2) * spot[2]
        sketch.disc(
            at(sketch, depth, [place])[0],
            sketch.pixels(0.028, depth),
            tone(srgb(flowers), rng.uniform(0.7, 1.2)),
        )
    return sketch.sheet(light.flat(0.75), light.horizon, light.veil(depth))


def lamps(
    camera: Camera,
    spots: NDArray[np.float64],
    colours: NDArray[np.float64],
    radius: float,
    *,
    halo: float = 0.0,
) -> Sheet | None:
    """Glowing balls at world points (N, 3) of one depth, linear radiance (N, 3); `halo` adds a faint glow.

    Balls smaller than a pixel keep their light: they cover less than one.
    """
    depth = float(spots[0, 2])
    seen = camera.project(spots)[:, :2]
    size = radius * camera.focal_pixels / depth
    pad = int(np.ceil(size * (1 + 6 * bool(halo)))) + 2
    rows, columns = camera.canvas
    keep = ((seen > -pad) & (seen < [columns + pad, rows + pad])).all(1)
    if not keep.any():
        return None
    seen, colours = seen[keep], colours[keep]
    left, top = np.maximum(np.floor(seen.min(0)).astype(int) - pad, 0)
    right, bottom = np.minimum(np.ceil(seen.max(0)).astype(int) + pad + 1, [columns, rows])
    if right - left < 2 or bottom - top < 2:
        return None
    canvas = np.zeros((bottom - top, right - left, 4), np.float32)
    for (x, y), colour in zip(seen - [left, top], colours, strict=True):
        r0, r1, c0, c1 = (max(int(v), 0) for v in (y - pad, y + pad + 2, x - pad, x + pad + 2))
        patch = canvas[r0:r1, c0:c1]
        if not patch.size:
            continue
        far = np.hypot(*np.meshgrid(np.arange(c0, c0 + patch.shape[1]) - x, np.arange(r0, r0 + patch.shape[0]) - y))
        ball = np.clip(max(size, 0.5) + 0.5 - far, 0, 1) * min(1.0, (2 * size) ** 2)
        patch *= (1 - ball)[..., None]
        patch += np.dstack([ball[..., None] * colour, ball])
        if halo:
            patch[..., :3] += (halo * np.clip(1 - far / pad, 0, 1) ** 3)[..., None] * colour
    return Sheet(canvas, int(top), int(left), camera.inverse_depth(FRONTAL, depth))


def post(
    camera: Camera, fine: int, x: float, depth: float, height: float, light: Light, colour: str = "34373a"
) -> Sheet:
    """A lamp post with an arm-less lantern."""
    sketch = board(camera, fine, depth, x - 0.4, x + 0.4, -0.05, height + 0.4, srgb(colour))
    for half, low, high in ((0.085, 0.0, 0.35), (0.042, 0.3, height), (0.10, height - 0.04, height)):
        sketch.fill(at(sketch, depth, rectangle(x - half, x + half, low, high)), tone(srgb(colour), 0.8))
        bright = half * 0.3 * np.sign(light.towards[0])
        sketch.fill(at(sketch, depth, rectangle(x + bright, x + 3 * bright, low, high)), tone(srgb(colour), 2.2))
    glass = at(
        sketch,
        depth,
        [[x - 0.08, height], [x + 0.08, height], [x + 0.13, height + 0.28], [x - 0.13, height + 0.28]],
    )
    sketch.fill(glass, srgb("efe6cf"))
    cap = np.array(
        [
            [x - 0.17, height + 0.28],
            [x + 0.17, height + 0.28],
            [x + 0.03, height + 0.38],
            [x - 0.03, height + 0.38],
        ]
    )
    sketch.fill(at(sketch, depth, cap), tone(srgb(colour), 0.8))
    if light.night:
        return sketch.sheet(glowing(sketch, light.flat(), [glass], (11.0, 7.5, 4.0)), light.horizon, light.veil(depth))
    return sketch.sheet(light.flat(), light.horizon, light.veil(depth))
