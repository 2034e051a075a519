# SPDX-License-Identifier: GPL-3.0-or-later
"""The shadow a person casts on the ground: every solid's outline thrown along the light, and soft."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from dofkit.scenes.light import Light
from dofkit.scenes.people import Person
from dofkit.scenes.textures import Array

_CELLS = 50  # per metre
_SPAN = 7.0  # metres


def ground_shadow(
    people: list[Person], places: list[NDArray[np.float64]], light: Light, *, hard: float
) -> Callable[[Array, Array], Array]:
    """A function of the ground's (X, Z): the share of light that is left."""
    size = int(_SPAN * _CELLS)
    thrown, contact = np.zeros((size, size), np.uint8), np.zeros((size, size), np.uint8)
    centre = places[0][[0, 2]]
    way = np.asarray(light.towards)
    for person, place in zip(people, places, strict=True):
        axes = person.axes()
        for part in person.parts:
            spheres = [(place + middle @ axes, radius) for middle, radius in part.solid.bounds()]
            cells = []
            for spot, radius in spheres:
                flat = spot - way * spot[1] / max(way[1], 0.25)
                cells.append(((flat[[0, 2]] - centre + _SPAN / 2) * _CELLS, radius * _CELLS))
                near = float(np.clip(1 - (spot[1] - radius) / 0.35, 0, 1))
                if near > 0.5:
                    _blob(contact, (spot[[0, 2]] - centre + _SPAN / 2) * _CELLS, (radius + 0.03) * _CELLS)
            for (a, ra), (b, rb) in zip(cells, cells[1:] or cells, strict=False):
                for t in np.linspace(0, 1, 6 if len(cells) > 1 else 1):
                    _blob(thrown, a + t * (b - a), 0.92 * (ra + t * (rb - ra)))
    soft = cv2.GaussianBlur(thrown.astype(np.float32) / 255, (0, 0), 0.035 * _CELLS) * np.float32(light.hard * hard)
    near = cv2.GaussianBlur(contact.astype(np.float32) / 255, (0, 0), 0.07 * _CELLS) * np.float32(0.55)
    kept = (1 - soft) * (1 - near)

    def share(x: Array, z: Array) -> Array:
        u = (x - np.float32(centre[0]) + np.float32(_SPAN / 2)) * np.float32(_CELLS)
        v = (z - np.float32(centre[1]) + np.float32(_SPAN / 2)) * np.float32(_CELLS)
        return cv2.remap(
            kept,
            u.astype(np.float32),
            v.astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=1.0,
        )

    return share


def _blob(map_: NDArray[np.uint8], middle: NDArray[np.float64], radius: float) -> None:
    cv2.circle(map_, tuple(int(v) for v in np.round(middle * 16)), max(1, int(radius * 16)), 255, -1, cv2.LINE_AA, 4)
