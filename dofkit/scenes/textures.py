# SPDX-License-Identifier: GPL-3.0-or-later
"""Noise and cloth: what a surface looks like at (u, v), metres.

Noise comes from small periodic tiles made once by spectral synthesis, so that a place in the world looks
the same at every resolution.  Patterns fade to their mean when a period is finer than the pixel.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.floating]
_TILE = 256


@lru_cache(maxsize=16)
def tile(power: float = 1.6, seed: int = 0) -> Array:
    """Periodic noise, (256, 256), mean 0, standard deviation 1; a larger power is smoother."""
    rng = np.random.default_rng([71, seed])
    f = np.hypot(*np.meshgrid(np.fft.fftfreq(_TILE), np.fft.rfftfreq(_TILE), indexing="ij"))
    f[0, 0] = 1
    wave = np.exp(2j * np.pi * rng.random(f.shape)) * f**-power * rng.random(f.shape)
    wave[0, 0] = 0
    field = np.fft.irfft2(wave, (_TILE, _TILE))
    return ((field - field.mean()) / field.std()).astype(np.float32)


@lru_cache(maxsize=4)
def slopes(power: float = 2.0, seed: int = 0) -> tuple[Array, Array]:
    """Both derivatives of a noise tile, each of standard deviation 1."""
    height = tile(power, seed)
    across, down = np.roll(height, -1, 1) - height, np.roll(height, -1, 0) - height
    return across / across.std(), down / down.std()


def sample(picture: Array, u: Array, v: Array) -> Array:
    """A periodic tile at tile coordinates (one unit is one tile), bilinear."""
    flat = u.reshape(1, -1), v.reshape(1, -1)
    count = flat[0].shape[1]
    width = min(count, 16384)  # cv2.remap takes at most 32767 columns
    rows = -(-count // width)
    x, y = (np.zeros(rows * width, np.float32) for _ in range(2))
    x[:count], y[:count] = (np.mod(part[0], 1) * _TILE for part in flat)
    out = cv2.remap(_padded(picture), x.reshape(rows, width), y.reshape(rows, width), cv2.INTER_LINEAR)
    return out.reshape(-1)[:count].reshape(u.shape)


def _padded(picture: Array) -> Array:
    return cv2.copyMakeBorder(picture, 0, 2, 0, 2, cv2.BORDER_WRAP)


def noise(u: Array, v: Array, scale: float, *, power: float = 1.6, seed: int = 0) -> Array:
    """Noise with features of about `scale` metres at (u, v) metres, standard deviation about 1."""
    span = np.float32(1 / (scale * 8))
    return sample(tile(power, seed), u * span, v * span)


def step(x: Array, edge: float, blur: float | Array) -> Array:
    """0 below the edge, 1 above, with a smooth step `blur` wide on both sides."""
    t = np.clip((x - edge) / (2 * np.maximum(blur, np.float32(1e-6))) + 0.5, 0, 1)
    return t * t * (3 - 2 * t)


def wave(x: Array, period: float, share: float, pixel: float) -> Array:
    """A band pattern: 1 in `share` of each period, antialiased to the pixel (all in metres)."""
    phase = np.abs(np.mod(x / period, 1) - 0.5) * 2  # 1 at the period's ends, 0 in the middle
    fine = np.clip(2.5 - 4 * pixel / period, 0, 1)
    return share + fine * (1 - step(phase, share, max(0.02, 1.2 * pixel / period)) - share)


PATTERNS = (
    "plain",
    "plain",
    "plain",
    "stripes",
    "breton",
    "pinstripes",
    "plaid",
    "dots",
    "melange",
    "floral",
)


def cloth(pattern: str, u: Array, v: Array, first: ArrayLike, second: ArrayLike, pixel: float) -> Array:
    """Linear albedo (N, 3) of a fabric at (u, v) metres; `first` and `second` are linear colours."""
    one, two = np.asarray(first, np.float32), np.asarray(second, np.float32)
    mix = np.zeros_like(u)
    if pattern == "stripes":
        mix = wave(v, 0.075, 0.48, pixel)
    elif pattern == "breton":
        mix = wave(v, 0.042, 0.3, pixel)
    elif pattern == "pinstripes":
        mix = 0.6 * wave(u, 0.03, 0.16, pixel)
    elif pattern == "plaid":
        mix = 0.4 * wave(u, 0.09, 0.45, pixel) + 0.4 * wave(v, 0.09, 0.45, pixel)
        mix += 0.18 * wave(u + 0.045, 0.09, 0.08, pixel) + 0.18 * wave(v + 0.045, 0.09, 0.08, pixel)
    elif pattern == "dots":
        row = np.floor(v / 0.05)
        du = np.mod(u / 0.05 + 0.5 * np.mod(row, 2), 1) - 0.5
        dv = np.mod(v / 0.05, 1) - 0.5
        mix = 1 - step(np.hypot(du, dv), 0.24, max(0.03, pixel / 0.05))
    elif pattern == "floral":
        mix = step(noise(u, v, 0.016, power=1.4, seed=3), 0.95, 0.15) * 0.85
    elif pattern == "sleeve":
        mix = step(0.016 - np.abs(v), 0, 0.001 + pixel)
    elif pattern == "melange":
        mix = np.clip(0.22 + 0.10 * noise(u, v, 0.008, power=0.8, seed=4), 0, 1)
    weave = 1 + 0.035 * noise(u, v, 0.012, power=0.7, seed=5) + 0.03 * noise(u, v, 0.12, seed=6)
    return (one + mix[:, None] * (two - one)) * weave[:, None]
