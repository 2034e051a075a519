# SPDX-License-Identifier: GPL-3.0-or-later
"""The moods a scene is lit by; one of them is kept for the test split."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dofkit.scenes.light import Light

_UP = (0.0, 1.0, 0.0)
OUTDOOR = (
    Light(
        "clear",
        (1.12, 1.02, 0.86),
        _UP,
        (0.36, 0.44, 0.56),
        (0.20, 0.18, 0.14),
        (0.5, 0.5, 0.5),
        (0.16, 0.34, 0.72),
        (0.62, 0.76, 0.92),
        0.004,
    ),
    Light(
        "morning",
        (1.06, 0.90, 0.69),
        _UP,
        (0.36, 0.42, 0.52),
        (0.20, 0.18, 0.14),
        (0.7, 0.62, 0.5),
        (0.25, 0.42, 0.72),
        (0.85, 0.83, 0.80),
        0.009,
    ),
    Light(
        "golden",
        (1.14, 0.76, 0.42),
        _UP,
        (0.34, 0.33, 0.40),
        (0.20, 0.14, 0.09),
        (1.5, 0.95, 0.5),
        (0.27, 0.36, 0.58),
        (0.95, 0.66, 0.40),
        0.008,
    ),
    Light(
        "overcast",
        (0.42, 0.43, 0.45),
        _UP,
        (0.62, 0.65, 0.70),
        (0.22, 0.21, 0.20),
        (0.25, 0.26, 0.28),
        (0.50, 0.55, 0.62),
        (0.78, 0.81, 0.84),
        0.010,
        hard=0.25,
    ),
    Light(
        "dusk",
        (0.52, 0.38, 0.36),
        _UP,
        (0.26, 0.29, 0.44),
        (0.10, 0.09, 0.12),
        (0.7, 0.42, 0.40),
        (0.10, 0.14, 0.34),
        (0.72, 0.42, 0.40),
        0.008,
        True,
        0.25,
    ),
    Light(
        "night",
        (0.80, 0.60, 0.40),
        _UP,
        (0.12, 0.13, 0.20),
        (0.05, 0.045, 0.05),
        (0.55, 0.36, 0.20),
        (0.006, 0.010, 0.030),
        (0.035, 0.04, 0.075),
        0.003,
        True,
        0.3,
    ),
    Light(
        "night",
        (0.72, 0.60, 0.48),
        _UP,
        (0.13, 0.13, 0.20),
        (0.05, 0.05, 0.06),
        (0.25, 0.35, 0.60),
        (0.008, 0.012, 0.034),
        (0.05, 0.045, 0.08),
        0.003,
        True,
        0.3,
    ),
)
TEST_MOOD = Light(
    "mist",
    (0.50, 0.47, 0.42),
    _UP,
    (0.58, 0.60, 0.62),
    (0.24, 0.23, 0.21),
    (0.5, 0.48, 0.44),
    (0.62, 0.65, 0.69),
    (0.80, 0.80, 0.79),
    0.055,
    hard=0.15,
)
INDOOR = (
    Light(
        "daylight",
        (0.85, 0.81, 0.74),
        _UP,
        (0.42, 0.43, 0.45),
        (0.26, 0.23, 0.19),
        (0.6, 0.6, 0.6),
        (0.30, 0.50, 0.85),
        (0.85, 0.92, 1.0),
        0.0,
        hard=0.2,
    ),
    Light(
        "afternoon",
        (0.95, 0.72, 0.47),
        _UP,
        (0.36, 0.35, 0.36),
        (0.25, 0.20, 0.15),
        (0.9, 0.65, 0.4),
        (0.45, 0.55, 0.75),
        (1.2, 0.95, 0.70),
        0.0,
        hard=0.25,
    ),
    Light(
        "evening",
        (0.78, 0.54, 0.31),
        _UP,
        (0.20, 0.16, 0.13),
        (0.12, 0.09, 0.07),
        (0.7, 0.45, 0.22),
        (0.01, 0.016, 0.05),
        (0.05, 0.05, 0.09),
        0.0,
        True,
        0.2,
    ),
)


def draw_light(rng: np.random.Generator, *, indoor: bool, test: bool) -> Light:
    """A mood with the sun somewhere in front of the person, left or right, or low behind in golden hours."""
    moods = INDOOR if indoor else OUTDOOR
    light = moods[int(rng.integers(len(moods)))]
    if test and not indoor and rng.random() < 0.35:
        light = TEST_MOOD
    side = rng.choice((-1, 1)) * rng.uniform(0.45, 1.05)
    height = rng.uniform(0.5, 0.9) if light.name in ("clear", "overcast", "mist") else rng.uniform(0.30, 0.55)
    away = -rng.uniform(0.45, 0.8)
    if light.name == "golden" and rng.random() < 0.3:
        away = 0.15
    towards = np.array([side, height, away])
    towards /= np.linalg.norm(towards)
    return replace(light, towards=tuple(towards))
