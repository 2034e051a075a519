# SPDX-License-Identifier: GPL-3.0-or-later
"""Moods of light: the sun, the sky's fill, the ground's bounce, haze, and what they do to a surface.

All colours are linear.  A body is lit by a key light (the sun, a window, a street lamp) with a soft
terminator, by a hemisphere of fill light dimmed where the body is hollow, and by a rim from behind.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Light:
    """One mood.

    Parameters
    ----------
    name : str
    key : colour
        The key light's strength.
    towards : (3,)
        Unit vector from the scene to the key light, world axes.
    sky, ground : colour
        Fill from above and from below.
    rim : colour
        Light from behind, seen on edges.
    zenith, horizon : colour
        The visible sky, linear.
    haze : float
        Veil per metre, exp(-haze * distance).
    night : bool
        Lamps are lit.
    hard : float
        Darkness of cast shadows, 0 to 1.
    """

    name: str
    key: Colour
    towards: tuple[float, float, float]
    sky: Colour
    ground: Colour
    rim: Colour
    zenith: Colour
    horizon: Colour
    haze: float = 0.004
    night: bool = False
    hard: float = 0.6

    def on(
        self,
        albedo: Array,
        normal: Array,
        view: Array,
        open_: Array,
        gloss: Array,
        soft: Array,
        turn: NDArray[np.float64],
        height: Array,
    ) -> Array:
        """Light leaving a body towards the eye, (N, 3).

        Parameters
        ----------
        albedo : (N, 3) linear
        normal, view : (3, N) unit vectors in the body's axes
        open_, gloss, soft : (N,)
            Openness to the fill light, strength of the highlight, softness of the terminator (skin).
        turn : (3, 3)
            The body's axes in the world, as rows.
        height : (N,)
            Above the ground, metres.
        """
        key = (turn @ np.asarray(self.towards)).astype(np.float32)
        facing = key @ normal
        up = 0.5 + 0.5 * normal[1]
        fill = np.outer(up, self.sky) + np.outer((1 - up) * np.clip(1.1 - 0.2 * height, 0.5, 1), self.ground)
        fill *= (open_**1.3)[:, None]
        # Skin scatters light past the terminator, red the farthest.
        wrap = np.outer(soft, (0.45, 0.22, 0.16)) + np.float32(0.12)
        direct = np.clip((facing[:, None] + wrap) / (1 + wrap), 0, 1) * np.asarray(self.key)
        direct *= (0.35 + 0.65 * np.clip(1.6 * open_ - 0.3, 0, 1))[:, None]
        edge = (1 - np.clip(np.einsum("in,in->n", view, normal), 0, 1)) ** 3
        behind = np.clip(0.3 - 0.7 * (facing * 0 + normal[1] * -0.3), 0, 1) * edge * open_
        half = view + key[:, None]
        half /= np.sqrt(np.einsum("in,in->n", half, half)) + np.float32(1e-6)
        spot = np.clip(np.einsum("in,in->n", half, normal), 0, 1)
        shine = gloss * (0.5 * spot**24 + 0.22 * spot**6) * (facing > -0.2)
        lit = albedo * (fill + direct + np.outer(behind, self.rim))
        lit += np.outer(shine, self.key) * 0.6 + np.outer(behind * 0.12, self.rim)
        return lit.astype(np.float32)

    def flat(self, facing: float = 0.6) -> NDArray[np.float32]:
        """Light on a matt upright thing, one colour."""
        side = np.clip(self.towards[2] * -0.5 + 0.5, 0, 1) * facing + 0.15
        return (0.75 * np.asarray(self.sky) + 0.2 * np.asarray(self.ground) + side * np.asarray(self.key)).astype(
            np.float32
        )

    def on_ground(self) -> NDArray[np.float32]:
        """Light on the open ground, one colour."""
        return (np.asarray(self.sky) + max(self.towards[1], 0.05) * np.asarray(self.key)).astype(np.float32)

    def veil(self, depth: float) -> float:
        """Share of haze before something at a depth."""
        return float(1 - np.exp(-self.haze * depth))
