# SPDX-License-Identifier: GPL-3.0-or-later
"""People: who they are, what they wear, how they stand, and the layers they become.

A person is traced twice, without and with the limbs that lie in front of the body; what the second picture
has nearer is a layer of its own, so that the lens can look behind an arm.  Hair adds a layer before and one
behind.  Every layer keeps its own relief, an inverse depth for each pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dofkit.scenes import hair as hairs
from dofkit.scenes.accessories import Extras, bag_parts, cup_part, glasses_parts, hat_parts
from dofkit.scenes.camera import Camera
from dofkit.scenes.head import Features, Head
from dofkit.scenes.layers import Relief, premultiply, shrink, spread
from dofkit.scenes.light import Light
from dofkit.scenes.palettes import EYES, HAIRS, LIPS, OUTFITS, SKINS, Colour, linear, pick
from dofkit.scenes.pose import STANDING, Skeleton, skeleton
from dofkit.scenes.solids import Array, Part
from dofkit.scenes.textures import PATTERNS
from dofkit.scenes.tracing import Tracer
from dofkit.scenes.wardrobe import Outfit, dress


@dataclass(frozen=True)
class Person:
    """Everything drawn about a person before a camera is there."""

    parts: list[Part]
    joints: Skeleton
    head: Head
    style: hairs.Style | None
    hair: Colour
    seed: int
    stance: str
    yaw: float
    hat: bool

    def axes(self) -> NDArray[np.float64]:
        """The body's right, up and front in the world (rows): it faces the camera at yaw 0."""
        cos, sin = np.cos(self.yaw), np.sin(self.yaw)
        return np.array([[cos, 0, sin], [0, 1, 0], [sin, 0, -cos]])


def cast(rng: np.random.Generator, *, selfie: bool, test: bool, stance: str | None = None) -> Person:
    """Draw a person: traits, outfit, pose and what they carry."""
    tone = int(rng.integers(len(SKINS)))
    curve = float(np.clip(rng.choice((0.05, 0.95)) + rng.normal(0, 0.08), 0, 1))
    woman = curve > 0.5
    hair = linear(pick(rng, HAIRS if tone < 4 else HAIRS[:4] if tone > 5 else HAIRS[:7]))
    stature = float(rng.normal(1.66 if woman else 1.77, 0.06))
    girth = float(np.clip(rng.normal(1.0, 0.09), 0.86, 1.25))
    stance = stance or str(rng.choice(STANDING))
    extras = Extras.draw(rng, selfie=selfie)
    yaw, look = _facing(rng, selfie, extras)
    arms = _arms(rng, extras, selfie)
    style = _style(rng, woman, test, extras)
    face = _face(rng, tone, hair, woman, style, yaw)
    joints = skeleton(stature, 1.04 - 0.13 * curve, rng, stance=stance, arms=arms, head=look)
    head = Head(joints.head, joints.half_head * (1.0 if woman else 1.02), joints.head_turn, face,
                cap=0.9 if style is None else 1.0)
    outfit = _outfit(rng, woman, joints.seated)
    parts = dress(joints, outfit, skin=face.skin, curve=curve, girth=girth, head=Part(head, head.paint))
    parts += hat_parts(extras, head, outfit.colours) + glasses_parts(extras, head) + bag_parts(extras, joints, outfit.colours, curve, girth)
    if style is not None:
        parts += hairs.mass(style, head, hair, hat=extras.hat != "none")
    parts += [cup_part(joints, side) for side in (0, 1) if arms[side] == "cup"]
    return Person(parts, joints, head, style, hair, int(rng.integers(2**31)), stance, yaw, extras.hat != "none")


def _facing(rng: np.random.Generator, selfie: bool, extras: Extras) -> tuple[float, tuple[float, float, float]]:
    """The body's yaw, and yaw, pitch, roll of the head on it."""
    draw, sign = rng.random(), rng.choice((-1, 1))
    if selfie:
        yaw = rng.normal(0, 0.22) if draw < 0.9 else sign * rng.uniform(0.7, 1.3)
        back = -0.75 * yaw + rng.normal(0, 0.08)
    else:
        yaw = rng.normal(0, 0.35) if draw < 0.78 else sign * rng.uniform(1.1, 1.6) if draw < 0.92 else np.pi + rng.normal(0, 0.3)
        back = -0.6 * yaw + rng.normal(0, 0.12) if abs(yaw) < 1 else -0.25 * np.sin(yaw)
    return float(yaw), (float(np.clip(back, -0.7, 0.7)), float(rng.normal(0.0, 0.06)), float(rng.normal(0, 0.06)))


def _arms(rng: np.random.Generator, extras: Extras, selfie: bool) -> tuple[str, str]:
    names, odds = ("down", "hip", "pocket", "wave", "cup", "behind"), np.array([0.40, 0.17, 0.17, 0.08, 0.10, 0.08])
    if selfie:
        odds = np.array([0.52, 0.14, 0.14, 0.03, 0.09, 0.08])
    pair = [str(name) for name in rng.choice(names, 2, p=odds)]
    if rng.random() < 0.12 or pair in (["wave", "wave"], ["cup", "cup"]):
        pair = ["folded", "folded"]
    if extras.bag == "backpack" and rng.random() < 0.5:
        pair[extras.side] = "strap"
    if extras.bag in ("tote", "case"):
        pair[extras.side] = "carry"
    return pair[0], pair[1]


def _style(rng: np.random.Generator, woman: bool, test: bool, extras: Extras) -> hairs.Style | None:
    if test and rng.random() < 0.35:
        return hairs.TEST_STYLE
    names = ("bob", "fringe bob", "long", "waves", "ponytail", "curls", "side sweep", "long", "waves", "afro") if woman else (
        "crop", "side sweep", "quiff", "curls", "crop", "afro", "shaved", "side sweep", "quiff", "waves")
    name = str(rng.choice(names))
    if extras.hat != "none" and name in ("quiff", "afro", "curls"):
        name = "crop" if not woman else "bob"
    return next((style for style in hairs.STYLES if style.name == name), None)


def _face(rng: np.random.Generator, tone: int, hair: Colour, woman: bool, style: hairs.Style | None, yaw: float) -> Features:
    skin = np.array(linear(SKINS[tone])) * rng.normal(1, 0.02, 3)
    lips = np.array(linear(LIPS[tone]))
    if woman and rng.random() < 0.4:
        lips = 0.5 * lips + 0.5 * np.array(linear(str(rng.choice(("b5393f", "a8434f", "c0564f")))))
    beard = 0.0 if woman else float(rng.choice((0, 0, 0.25, 0.35, 0.75, 0.92)))
    return Features(
        tuple(skin), linear(pick(rng, EYES if tone < 4 else EYES[:3])), hair, tuple(lips),
        jaw=float(rng.normal(0.94 if woman else 1.06, 0.05)), width=float(rng.normal(1.0, 0.025)),
        nose=float(rng.normal(0.95 if woman else 1.06, 0.07)), eyes=float(rng.normal(1.06 if woman else 0.98, 0.04)),
        brow=float(rng.normal(0.9 if woman else 1.25, 0.12)), smile=float(rng.uniform(0.25, 1.0)),
        teeth=bool(rng.random() < 0.3), gaze=(float(rng.normal(0, 0.07)), 0.0), stubble=beard,
        blush=float(rng.uniform(0.2, 0.5)), freckles=bool(tone < 3 and rng.random() < 0.25),
        lash=float(rng.uniform(0.7, 1.0) if woman else 0.3), hairline=float(rng.normal(0.60, 0.04)),
    )


def _outfit(rng: np.random.Generator, woman: bool, seated: bool) -> Outfit:
    colours = tuple(linear(code) for code in OUTFITS[int(rng.integers(len(OUTFITS)))])
    top = str(rng.choice(("tee", "tee", "sweater", "tucked", "tucked")))
    bottom = str(rng.choice(("trousers", "trousers", "slim", "wide", "shorts")))
    if woman and not seated and rng.random() < 0.45:
        top, bottom = (("dress", "skirt") if rng.random() < 0.5 else ("tucked", "skirt"))
    over = str(rng.choice(("", "", "jacket", "coat"))) if top != "sweater" and bottom != "shorts" else ""
    sleeve = 1.0 if top == "sweater" else float(rng.choice((0.22, 0.28, 1.0, 0.8)))
    neckline = float(rng.choice((0.0, 0.86))) if top != "sweater" else 0.0
    return Outfit(top, bottom, over, "plain" if top == "sweater" and rng.random() < 0.5 else pick(rng, PATTERNS), sleeve,
                  neckline, colours, scarf=bool(over and rng.random() < 0.3), boots=bool(rng.random() < 0.3))


def portray(person: Person, camera: Camera, fine: int, place: NDArray[np.float64], light: Light, *, strands: bool = True
            ) -> list[Relief]:
    """The layers of a person standing at a place of the world, far to near."""
    view, axes = camera.scaled(fine), person.axes()
    tracer = Tracer(person.parts, view, place, axes)
    box = tracer.window()
    if box is None:
        return []
    window = _aligned(box, person, view, place, axes, fine)
    body = tracer.look(window, light, front=False)
    looks: list[tuple[Array, Array, Array]] = []
    limb: list[Array] | None = None
    depth, cover = body.depth, body.cover
    ahead = tracer.window(front_only=True)
    if ahead is not None:
        part = tuple(slice(max(f.start, w.start), min(f.stop, w.stop)) for f, w in zip(ahead, window, strict=True))
        whole = tracer.look((part[0], part[1]), light, front=True)
        inner = tuple(slice(p.start - w.start, p.stop - w.start) for p, w in zip(part, window, strict=True))
        nearer = (np.clip((body.depth[inner] - whole.depth) / 0.02 - 0.4, 0, 1) * whole.cover).astype(np.float32)
        limb = [np.zeros((*body.cover.shape, 4), np.float32), np.ones_like(body.cover), np.zeros_like(body.cover)]
        limb[0][inner], limb[1][inner], limb[2][inner] = premultiply(whole.colour, nearer), 1 / whole.depth, nearer
        depth, cover = body.depth.copy(), body.cover.copy()
        depth[inner] = np.minimum(depth[inner], whole.depth)
        cover[inner] = np.maximum(cover[inner], whole.cover)
    looks.append((premultiply(body.colour, body.cover), 1 / body.depth, body.cover))
    if limb is not None:
        looks.append((limb[0], limb[1], limb[2]))
    if person.style is not None and strands:
        rng = np.random.default_rng(person.seed)
        size = person.head.half * view.focal_pixels / place[2]
        count = int(np.clip(16 * size, 260, 2600))
        paths, width, tint = hairs.grow(person.style, person.head, rng, count)
        if person.hat:
            shown = hairs.below_hat(paths)
            paths, width, tint = paths[shown], width[shown], tint[shown]
        before, behind = hairs.draw(paths, width, tint, person.head, view, place, axes, person.hair, light, window, depth, cover,
                                      person.style.curl > 0)
        looks.insert(0, (behind.colour, behind.inverse, behind.weight))
        looks.append((before.colour, before.inverse, before.weight))
    return [relief for look in looks if (relief := _relief(*look, window, fine)) is not None]


def _aligned(box: tuple[slice, slice], person: Person, view: Camera, place: NDArray[np.float64], axes: NDArray[np.float64],
             fine: int) -> tuple[slice, slice]:
    """The person's window with room for hair, on whole pixels of the canvas."""
    x, y, z = view.project(place + person.head.centre @ axes)
    reach = (2.2 if person.style is not None else 1.2) * person.head.half * view.focal_pixels / z
    low = np.array([min(box[0].start, y - reach), min(box[1].start, x - reach)])
    high = np.array([max(box[0].stop, y + 1.5 * reach), max(box[1].stop, x + reach)])
    low = np.maximum(np.floor(low / fine) * fine, 0).astype(int)
    high = np.minimum(np.ceil(high / fine) * fine, view.canvas).astype(int)
    return slice(low[0], high[0]), slice(low[1], high[1])


def _relief(colour: Array, inverse: Array, weight: Array, window: tuple[slice, slice], fine: int) -> Relief | None:
    """Bring a layer to the canvas's resolution, cut to what it covers, its relief carried over the edges."""
    colour = shrink(colour, fine)
    total, mass = shrink(inverse * weight, fine), shrink(weight, fine)
    rows, columns = np.flatnonzero(colour[..., 3].max(1) > 1e-3), np.flatnonzero(colour[..., 3].max(0) > 1e-3)
    if not rows.size or not columns.size or mass.max() <= 0:
        return None
    y = slice(max(rows[0] - 3, 0), rows[-1] + 4)
    x = slice(max(columns[0] - 3, 0), columns[-1] + 4)
    relief = spread((total / np.maximum(mass, 1e-9))[y, x], np.minimum(mass[y, x], 1).astype(np.float32))
    return Relief(np.ascontiguousarray(colour[y, x]), window[0].start // fine + y.start, window[1].start // fine + x.start, relief)
