# SPDX-License-Identifier: GPL-3.0-or-later
"""Where everybody stands and how the camera frames them, before any pixel is drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dofkit.scenes.camera import Camera
from dofkit.scenes.casting import Person, cast
from dofkit.scenes.layers import Relief, Sheet
from dofkit.scenes.light import Light
from dofkit.scenes.palettes import LEAVES
from dofkit.scenes.people import portray
from dofkit.scenes.scenery import bush

MARGIN = 0.09  # of the picture's height


def compose(
    rng: np.random.Generator, where: np.random.Generator, height: int, width: int, *, selfie: bool, test: bool
) -> tuple[list[Person], list[NDArray[np.float64]], Camera]:
    """Choose the people, where they stand, and a camera that frames them."""
    seated = not selfie and rng.random() < 0.14
    people = [cast(rng, selfie=selfie, test=test, stance="sit" if seated else None)]
    focal = 0.050 if selfie else 0.085
    head = people[0].joints.head
    tall = float(head[1] + people[0].joints.half_head)
    if selfie:
        span = where.uniform(0.56, 0.74)
        aim = head[1] - span * where.uniform(0.10, 0.20)
    else:
        span = tall / where.uniform(0.70, 0.86)
        aim = 0.5 * span - span * where.uniform(0.04, 0.09)
    distance = span * focal / 0.036
    pitch = float(where.normal(0, 0.03))
    eye = max(0.35, aim + np.tan(pitch) * distance)
    margin = int(np.ceil(MARGIN * height))
    camera = Camera(height, width, margin, focal, float(eye), pitch, float(where.normal(0, 0.012)))
    room = max(span * width / height - (0.5 if selfie else 0.75), 0)
    x = float(np.clip(where.normal(0, 0.16), -0.32, 0.32) * room)
    offset = people[0].axes().T @ (head * [1, 0, 1]) if selfie else np.zeros(3)
    places = [np.array([x - offset[0], 0.0, distance - (offset[2] if selfie else 0.0)])]
    if rng.random() < 0.12 and width >= (0.9 if selfie else 0.55) * height:
        people.append(cast(rng, selfie=selfie, test=test))
        side = -np.sign(x) if abs(x) > 0.02 else 1.0
        places.append(places[0] + [side * (0.44 if selfie else 0.55), 0.0, 0.10 if selfie else 0.12])
        places = [place - [side * (0.18 if selfie else 0.25), 0, 0] for place in places]
    return people, places, camera


def foreground(
    camera: Camera, fine: int, light: Light, rng: np.random.Generator, stand: float, indoor: bool
) -> list[Sheet]:
    """Leaves in a lower corner before the person, now and then."""
    if indoor or rng.random() > 0.22:
        return []
    depth = stand * rng.uniform(0.62, 0.78)
    half = depth / camera.focal_pixels * np.array(camera.canvas)[::-1] * 0.5
    low = camera.eye - np.tan(camera.pitch) * depth - half[1]
    x = rng.choice((-1, 1)) * half[0] * rng.uniform(0.85, 1.0)
    return [
        bush(
            camera,
            fine,
            float(x),
            float(depth),
            float(0.8 * half[0]),
            float(0.55 * half[1]),
            LEAVES,
            rng,
            light,
            leaves=320,
            low=float(low),
        )
    ]


def passers_by(
    around: list[Sheet | Relief],
    camera: Camera,
    fine: int,
    light: Light,
    rng: np.random.Generator,
    stand: float,
) -> list[Sheet | Relief]:
    """The same place with one or two people walking far behind, now and then."""
    if rng.random() > 0.28:
        return around
    made = list(around)
    for _ in range(int(rng.integers(1, 3))):
        depth = stand + float(rng.uniform(5, 12))
        wide = 0.45 * depth * camera.canvas[1] / camera.focal_pixels
        walker = cast(rng, selfie=False, test=False, stance="walk")
        place = np.array([rng.choice((-1, 1)) * rng.uniform(0.3, 0.95) * wide, 0.0, depth])
        layers = portray(walker, camera, fine, place, light, detailed=False)
        # Behind everything nearer; before what reaches far in depth, as the ground does.
        ends = [layer.nearest_farthest() for layer in made]
        behind = [k for k, (near, far) in enumerate(ends) if near < 1 / depth or near > 2 * max(far, 1e-3)]
        spot = max(behind, default=-1) + 1
        made[spot:spot] = layers
    return made
