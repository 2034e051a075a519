# SPDX-License-Identifier: GPL-3.0-or-later
"""Colour: the sRGB curve, and embedded profiles (Display P3, Adobe RGB, a printer's CMYK, a scanner's grey) to sRGB.

    v = 12.92 c  if c <= 0.0031308,  else 1.055 c^(1/2.4) - 0.055           IEC 61966-2-1

LittleCMS (through Pillow) converts 8-bit pixels. Pillow has no 16-bit RGB, so for that the kind of profile which
photographs carry, a curve per channel and a matrix, is computed here in float (ICC.1:2022):

    XYZ = [rXYZ gXYZ bXYZ] . TRC(v)        sRGB = encode(M^-1 . XYZ)
"""

from __future__ import annotations

import io
import struct

import numpy as np
from PIL import Image, ImageCms

_SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}
# sRGB's primaries as columns, adapted to the white of profiles (D50)
_SRGB_D50 = np.array([[0.4360747, 0.3850649, 0.1430804],
                      [0.2225045, 0.7168786, 0.0606169],
                      [0.0139322, 0.0971045, 0.7141733]])


def srgb_to_linear(image: np.ndarray) -> np.ndarray:
    """Turn sRGB values into linear light, both in [0, 1] (values above 1 follow the curve), float32.

    Examples
    --------
    >>> srgb_to_linear(np.array([0.0, 0.25, 0.5, 1.0]))
    array([0.        , 0.05087609, 0.21404114, 1.        ], dtype=float32)
    """
    value = np.asarray(image, np.float32)
    curve = ((np.maximum(value, 0.04045) + 0.055) / 1.055) ** 2.4  # Python floats keep float32 arrays float32
    return np.where(value <= 0.04045, value / 12.92, curve)


def linear_to_srgb(linear: np.ndarray) -> np.ndarray:
    """Turn linear light into sRGB values, the inverse of `srgb_to_linear`, float32.

    Examples
    --------
    >>> linear_to_srgb(np.array([0.0, 0.05087609, 0.21404114, 1.0])).round(6)
    array([0.  , 0.25, 0.5 , 1.  ], dtype=float32)
    """
    light = np.asarray(linear, np.float32)
    curve = 1.055 * np.maximum(light, 0.0031308) ** (1 / 2.4) - 0.055
    return np.where(light <= 0.0031308, light * 12.92, curve)


def to_srgb(values: np.ndarray, mode: str, profile: bytes) -> tuple[np.ndarray | None, str]:
    """Convert pixels with an embedded profile to sRGB.

    Parameters
    ----------
    values : ndarray, (H, W) or (H, W, C)
        uint8 or uint16 colour channels without alpha.
    mode : str
        "L", "RGB" or "CMYK".
    profile : bytes
        The ICC profile of the file.

    Returns
    -------
    converted : ndarray, (H, W, 3) float32, or None
        sRGB in [0, 1]; None when nothing is to be done (the profile is sRGB) or can be done.
    note : str
        One sentence for the reader, or "".
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        name = " ".join(ImageCms.getProfileDescription(source).split()) or "unnamed"
        if source.profile.xcolor_space.strip() != _SPACES[mode]:
            return None, f"the colour profile '{name}' does not fit the picture and is ignored"
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB",
                                            ImageCms.Intent.RELATIVE_COLORIMETRIC,
                                            ImageCms.Flags.BLACKPOINTCOMPENSATION)
        if mode != "CMYK" and _changes_nothing(transform, mode):
            return None, ""
        note = f"colours converted from '{name}' to sRGB"
        if values.dtype == np.uint16:
            exact = _curves_and_matrix(values, profile)
            if exact is not None:
                return exact, note
            values, note = (values >> 8).astype(np.uint8), f"{note} (8 bits of 16)"
        changed = ImageCms.applyTransform(Image.fromarray(values, mode), transform)
    except (ImageCms.PyCMSError, OSError, ValueError, LookupError, struct.error) as error:
        return None, f"the embedded colour profile is damaged and is ignored ({error})"
    return np.divide(np.asarray(changed), 255, dtype=np.float32), note


def _changes_nothing(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """True if the profile is sRGB under any name: no colour of a grid moves by more than two levels."""
    steps = np.arange(0, 256, 51 if mode == "RGB" else 1, dtype=np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(1, -1, 3) if mode == "RGB" else steps[None]
    moved = np.asarray(ImageCms.applyTransform(Image.fromarray(grid, mode), transform), np.int16)
    return int(np.abs(moved - (grid if mode == "RGB" else grid[..., None]).astype(np.int16)).max()) <= 2


def _curves_and_matrix(values: np.ndarray, profile: bytes) -> np.ndarray | None:
    """16-bit RGB or grey by the profile's curves and matrix in float; None if the profile has other means."""
    tags = _tags(profile)
    if "A2B0" in tags:
        return None
    if values.ndim == 2:
        if "kTRC" not in tags:
            return None
        grey = linear_to_srgb(_curve(tags["kTRC"]))[values]
        return np.repeat(grey[..., None], 3, 2)
    if not all(c + part in tags for c in "rgb" for part in ("XYZ", "TRC")):
        return None
    columns = [np.array(struct.unpack(">3i", tags[f"{c}XYZ"][8:20])) / 65536 for c in "rgb"]
    mixing = (np.linalg.inv(_SRGB_D50) @ np.stack(columns, 1)).astype(np.float32)
    curves = [_curve(tags[f"{c}TRC"]) for c in "rgb"]
    colours = np.empty(values.shape, np.float32)
    for row, colour in zip(values, colours, strict=True):  # all at once would take four times the picture's memory
        light = np.stack([curve[row[:, c]] for c, curve in enumerate(curves)], -1)
        colour[:] = linear_to_srgb(np.clip(light @ mixing.T, 0, 1))
    return colours


def _tags(profile: bytes) -> dict[str, bytes]:
    """The profile's table of contents: four letters and the data they name."""
    count = min(struct.unpack_from(">I", profile, 128)[0], 256)
    entries = (struct.unpack_from(">4sII", profile, 132 + 12 * i) for i in range(count))
    return {name.decode("latin-1"): profile[start : start + size] for name, start, size in entries}


def _curve(tag: bytes) -> np.ndarray:
    """Linear light in [0, 1] of all 65536 values, by a profile's curve."""
    with np.errstate(all="ignore"):  # of a damaged one
        curve = _points(tag, np.arange(65536) / 65535)
    if not np.isfinite(curve).all():
        raise ValueError("a curve is not finite")
    return np.clip(curve, 0, 1).astype(np.float32)


def _points(tag: bytes, x: np.ndarray) -> np.ndarray:
    """A curve at `x`: a 'curv' (gamma or table) or 'para' (function types 0 to 4) tag."""
    if tag[:4] == b"curv":
        count = struct.unpack_from(">I", tag, 8)[0]
        points = np.array(struct.unpack_from(f">{count}H", tag, 12))
        if count <= 1:
            return x ** (points[0] / 256 if count else 1)
        return np.interp(x, np.linspace(0, 1, count), points / 65535)
    if tag[:4] == b"para":
        kind = struct.unpack_from(">H", tag, 8)[0]
        given = np.array(struct.unpack_from(f">{(1, 3, 4, 5, 7)[kind]}i", tag, 12)) / 65536
        g, a, b, c, d, e, f = _parameters(kind, given)
        return np.where(x >= d, np.maximum(a * x + b, 0) ** g + e, c * x + f)
    raise ValueError(f"curve of kind {tag[:4]!r}")


def _parameters(kind: int, given: np.ndarray) -> tuple[float, ...]:
    """All seven numbers (g, a, b, c, d, e, f) of ICC's most general curve, for each of its five forms."""
    g, a, b, c, d, e, f = (*given, *[0.0] * 7)[:7]
    if kind == 0:
        return g, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0
    if kind == 1:
        return g, a, b, 0.0, -b / a, 0.0, 0.0
    if kind == 2:
        return g, a, b, 0.0, -b / a, c, c
    return (g, a, b, c, d, 0.0, 0.0) if kind == 3 else (g, a, b, c, d, e, f)
