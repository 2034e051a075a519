# SPDX-License-Identifier: GPL-3.0-or-later
"""Who stands before the camera: traits, clothes, pose and what they carry, drawn from a generator."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dofkit.scenes import hair as hairs
from dofkit.scenes.accessories import Extras, bag_parts, cup_part, hat_parts
from dofkit.scenes.fabrics import fabric_paint
from dofkit.scenes.head import Features, Head
from dofkit.scenes.outfit import Outfit
from dofkit.scenes.palettes import BOOKS, EYES, HAIRS, LIPS, OUTFITS, SKINS, Colour, linear, pick
from dofkit.scenes.pose import STANDING, Skeleton, skeleton
from dofkit.scenes.solids import Block, Part
from dofkit.scenes.textures import PATTERNS
from dofkit.scenes.wardrobe import dress


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
    glasses: str

    def axes(self) -> NDArray[np.float64]:
        """The body's right, up and front in the world (rows): it faces the camera at yaw 0."""
        cos, sin = np.cos(self.yaw), np.sin(self.yaw)
        return np.array([[cos, 0, sin], [0, 1, 0], [sin, 0, -cos]])


def cast(rng: np.random.Generator, *, selfie: bool, test: bool, stance: str | None = None) -> Person:
    """Draw a person: traits, outfit, pose and what they carry."""
    tone = int(len(SKINS) * rng.random() ** 1.2)
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
    head = Head(
        joints.head,
        joints.half_head * (1.0 if woman else 1.02),
        joints.head_turn,
        face,
        cap=0.9 if style is None else 1.0,
    )
    outfit = _outfit(rng, woman, joints.seated)
    parts = dress(joints, outfit, skin=face.skin, curve=curve, girth=girth, head=Part(head, head.paint))
    parts += hat_parts(extras, head, outfit.colours) + bag_parts(extras, joints, outfit.colours, curve, girth)
    if style is not None:
        parts += hairs.mass(style, head, hair, hat=extras.hat != "none")
    parts += [cup_part(joints, side) for side in (0, 1) if arms[side] == "cup"]
    return Person(
        parts, joints, head, style, hair, int(rng.integers(2**31)), stance, yaw, extras.hat != "none", extras.glasses
    )


def seat(person: Person) -> Person:
    """What a sitting person sits on, to be drawn behind them: a cube of wood or a pouf."""
    rng, s = np.random.default_rng([person.seed, 1]), person.joints.stature
    height, colour = 0.232 * s, linear(pick(rng, BOOKS))
    solid = Block(
        np.array([0, height / 2, -0.01 * s]),
        np.array([0.125, 0.5 * height / s, 0.12]) * s,
        float(rng.choice((0.01, 0.05))) * s,
        np.eye(3),
    )
    return replace(person, parts=[Part(solid, fabric_paint(solid, colour, folds=0.06))], style=None, glasses="none")


def _facing(rng: np.random.Generator, selfie: bool, extras: Extras) -> tuple[float, tuple[float, float, float]]:
    """The body's yaw, and yaw, pitch, roll of the head on it."""
    draw, sign = rng.random(), rng.choice((-1, 1))
    if selfie:
        yaw = rng.normal(0, 0.22) if draw < 0.9 else sign * rng.uniform(0.7, 1.3)
        back = -0.75 * yaw + rng.normal(0, 0.08)
    else:
        yaw = (
            rng.normal(0, 0.35)
            if draw < 0.78
            else sign * rng.uniform(1.1, 1.6)
            if draw < 0.92
            else np.pi + rng.normal(0, 0.3)
        )
        back = -0.6 * yaw + rng.normal(0, 0.12) if abs(yaw) < 1 else -0.25 * np.sin(yaw)
    return float(yaw), (
        float(np.clip(back, -0.7, 0.7)),
        float(rng.normal(0.0, 0.06)),
        float(rng.normal(0, 0.06)),
    )


def _arms(rng: np.random.Generator, extras: Extras, selfie: bool) -> tuple[str, str]:
    names, odds = (
        ("down", "hip", "pocket", "wave", "cup", "behind"),
        np.array([0.40, 0.17, 0.17, 0.08, 0.10, 0.08]),
    )
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
    names = (
        ("bob", "fringe bob", "long", "waves", "ponytail", "curls", "side sweep", "long", "waves", "afro")
        if woman
        else (
            "crop",
            "side sweep",
            "quiff",
            "curls",
            "crop",
            "afro",
            "shaved",
            "side sweep",
            "quiff",
            "waves",
        )
    )
    name = str(rng.choice(names))
    if extras.hat != "none" and name in ("quiff", "afro", "curls"):
        name = "crop" if not woman else "bob"
    return next((style for style in hairs.STYLES if style.name == name), None)


def _face(
    rng: np.random.Generator, tone: int, hair: Colour, woman: bool, style: hairs.Style | None, yaw: float
) -> Features:
    skin = np.array(linear(SKINS[tone])) * rng.normal(1, 0.02, 3)
    lips = np.array(linear(LIPS[tone]))
    if woman and rng.random() < 0.4:
        lips = 0.5 * lips + 0.5 * np.array(linear(str(rng.choice(("b5393f", "a8434f", "c0564f")))))
    beard = 0.0 if woman else float(rng.choice((0, 0, 0.25, 0.35, 0.75, 0.92)))
    return Features(
        tuple(skin),
        linear(pick(rng, EYES if tone < 4 else EYES[:3])),
        hair,
        tuple(lips),
        jaw=float(rng.normal(0.94 if woman else 1.06, 0.05)),
        width=float(rng.normal(1.0, 0.025)),
        nose=float(rng.normal(0.95 if woman else 1.06, 0.07)),
        eyes=float(rng.normal(1.06 if woman else 0.98, 0.04)),
        brow=float(rng.normal(0.9 if woman else 1.25, 0.12)),
        smile=float(rng.uniform(0.25, 1.0)),
        teeth=bool(rng.random() < 0.3),
        gaze=(float(rng.normal(0, 0.07)), 0.0),
        stubble=beard,
        blush=float(rng.uniform(0.2, 0.5)),
        freckles=bool(tone < 3 and rng.random() < 0.25),
        lash=float(rng.uniform(0.7, 1.0) if woman else 0.3),
        hairline=float(rng.normal(0.60, 0.04)),
    )


def _outfit(rng: np.random.Generator, woman: bool, seated: bool) -> Outfit:
    colours = tuple(linear(code) for code in OUTFITS[int(rng.integers(len(OUTFITS)))])
    top = str(rng.choice(("tee", "tee", "sweater", "tucked", "tucked")))
    bottom = str(rng.choice(("trousers", "trousers", "slim", "wide", "shorts")))
    if woman and not seated and rng.random() < 0.45:
        top, bottom = ("dress", "skirt") if rng.random() < 0.5 else ("tucked", "skirt")
    over = str(rng.choice(("", "", "jacket", "coat"))) if top != "sweater" and bottom != "shorts" else ""
    sleeve = 1.0 if top == "sweater" else float(rng.choice((0.22, 0.28, 1.0, 0.8)))
    neckline = float(rng.choice((0.0, 0.86))) if top != "sweater" else 0.0
    return Outfit(
        top,
        bottom,
        over,
        "plain" if top == "sweater" and rng.random() < 0.5 else pick(rng, PATTERNS),
        sleeve,
        neckline,
        colours,
        scarf=bool(over and rng.random() < 0.3),
        boots=bool(rng.random() < 0.3),
    )
