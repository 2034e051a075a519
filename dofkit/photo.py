# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and write photographs.

Everything in this kit sees a photograph as float32 sRGB in [0, 1], upright. Single-channel files (masks, depths,
mattes) are read and checked in `dofkit.maps`; colour is the business of `dofkit.colour`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from dofkit.colour import to_srgb
from dofkit.files import (
    FORMATS,
    MAX_PIXELS,
    Decoded,
    PhotoError,
    check_output,
    decode,
    encode_pillow,
    quiet_opencv,
    write_bytes,
)

__all__ = ["MAX_PIXELS", "Photo", "PhotoError", "read_photo", "write_photo"]

_LONGEST = {"JPEG": 65535, "WEBP": 16383}  # what the formats can hold, px
_OPTIONS: dict[str, dict[str, object]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "PNG": {"compress_level": 4},
    "TIFF": {"compression": "tiff_adobe_deflate"},
    "WEBP": {"lossless": True, "exact": True, "method": 0, "quality": 20},  # effort: 7 times faster than the default
}


@dataclass(frozen=True)
class Photo:
    """A photograph as read from a file.

    Attributes
    ----------
    image : ndarray, (H, W, 3) float32
        sRGB in [0, 1], upright.
    opacity : ndarray, (H, W) float32, or None
        The file's alpha channel in [0, 1]; None if it has none.
    bits : int
        8 or 16 per channel in the file.
    name : str
        The file's name without folder and suffix.
    notes : tuple of str
        What was done that a reader may want to know (first frame of an animation, colours converted).
    """

    image: np.ndarray
    opacity: np.ndarray | None
    bits: int
    name: str
    notes: tuple[str, ...] = ()


def read_photo(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> Photo:
    """Read a JPEG, PNG, WebP or TIFF photograph: grey, palette, RGB or CMYK, 8 or 16 bit, with alpha or not.

    EXIF orientation is applied. An embedded colour profile other than sRGB is converted to sRGB. Of an animation
    or a file of several pages the first picture is read, and a note says so.

    Parameters
    ----------
    path : path
        The file; its content decides the format.
    max_pixels : int
        Pictures with more pixels are refused before any pixel is decoded.

    Raises
    ------
    PhotoError
        If the file is missing, damaged, not a supported picture, or too large.

    Examples
    --------
    >>> import matplotlib.cbook
    >>> photo = read_photo(matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    >>> photo.image.shape, photo.bits, photo.name
    ((600, 512, 3), 8, 'grace_hopper')
    """
    decoded = decode(path, max_pixels=max_pixels)
    if decoded.values.dtype not in (np.uint8, np.uint16):
        raise PhotoError(f"'{path}' holds {decoded.values.dtype} numbers, not a photograph of 8 or 16 bits: "
                         "give it as --depth if it is a depth map, or export it as PNG")
    notes = []
    if decoded.frames > 1:
        notes.append(f"the file holds {decoded.frames} pictures: the first one is used")
    full = float(np.iinfo(decoded.values.dtype).max)
    opacity = None
    if decoded.mode in ("LA", "RGBA"):
        opacity = np.divide(decoded.values[..., -1], full, dtype=np.float32)
    image = _colours(decoded, full, notes)
    return Photo(image, opacity, 8 * decoded.values.itemsize, Path(path).stem, tuple(notes))


def write_photo(path: str | os.PathLike[str], image: np.ndarray, *, bits: int = 8,
                opacity: np.ndarray | None = None, force: bool = False) -> Path:
    """Write a picture as the suffix says, whole or not at all.

    PNG and TIFF hold 8 or 16 bits and opacity; WebP is written lossless with 8 bits and opacity; JPEG (quality
    95, 4:4:4) has 8 bits and no opacity: what is clear is laid on white. A PNG that was read and is written
    unchanged keeps every number. No profile is embedded: numbers are sRGB.

    Parameters
    ----------
    path : path
        Ends in .png, .jpg, .jpeg, .webp, .tif or .tiff.
    image : ndarray, (H, W, 3) float
        sRGB; clipped to [0, 1].
    bits : int
        8, or 16 where the format can (others get 8).
    opacity : ndarray, (H, W) float, optional
        Alpha in [0, 1].
    force : bool
        Overwrite an existing file.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    PhotoError
        If the file exists and `force` is false, cannot be written, or the format cannot hold the picture.
    """
    file = check_output(path, force=force)
    write_bytes(file, encode_photo(file, image, bits=bits, opacity=opacity))
    return file


def encode_photo(file: Path, image: np.ndarray, *, bits: int = 8, opacity: np.ndarray | None = None) -> bytes:
    """What `write_photo` puts into a file of that suffix; raises PhotoError if the format cannot hold the picture."""
    kind = FORMATS[file.suffix.lower()]
    image = _checked(image, opacity, bits)
    longest = _LONGEST.get(kind)
    if longest and max(image.shape[:2]) > longest:
        raise PhotoError(f"cannot write '{file}': {kind} holds at most {longest} px a side; use .png")
    if opacity is not None and kind == "JPEG":
        image, opacity = image * opacity[..., None] + (1 - opacity[..., None]), None
    channels = image if opacity is None else np.dstack([image, opacity])
    if bits == 16 and kind in ("PNG", "TIFF"):
        return _encode_16(_quantised(channels, 65535, np.uint16), file.suffix.lower())
    return encode_pillow(Image.fromarray(_quantised(channels, 255, np.uint8)), kind, **_OPTIONS[kind])


def _colours(decoded: Decoded, full: float, notes: list[str]) -> np.ndarray:
    """(H, W, 3) float32 sRGB in [0, 1] from grey, RGB or CMYK numbers; what was done goes into `notes`."""
    mode = {"LA": "L", "RGBA": "RGB"}.get(decoded.mode, decoded.mode)
    colour = decoded.values[..., :-1] if mode != decoded.mode else decoded.values
    colour = colour[..., 0] if mode == "L" and colour.ndim == 3 else colour
    if decoded.icc:
        converted, note = to_srgb(np.ascontiguousarray(colour), mode, decoded.icc)
        notes.extend([note] if note else [])
        if converted is not None:
            return converted
    if mode == "CMYK":
        colour = np.asarray(Image.fromarray(colour, "CMYK").convert("RGB"))
    image = np.divide(colour, full, dtype=np.float32)
    return np.repeat(image[..., None], 3, axis=2) if mode == "L" else image


def _checked(image: np.ndarray, opacity: np.ndarray | None, bits: int) -> np.ndarray:
    """`image` if it can be written, else PhotoError."""
    if bits not in (8, 16):
        raise PhotoError(f"bits must be 8 or 16, not {bits}")
    image = np.asarray(image)
    if image.shape[2:] != (3,) or image.size == 0 or image.dtype.kind != "f":
        raise PhotoError(f"a picture to write must be (H, W, 3) float, not {image.shape} {image.dtype}")
    if opacity is not None and np.shape(opacity) != image.shape[:2]:
        raise PhotoError(f"opacity {np.shape(opacity)} does not fit the picture {image.shape[:2]}")
    if not np.isfinite(image).all() or not np.isfinite(1 if opacity is None else opacity).all():
        raise PhotoError("a picture to write holds NaN or infinite values: what computed it went wrong")
    return image


def _quantised(values: np.ndarray, full: int, dtype: type) -> np.ndarray:
    scaled = np.multiply(values, full, dtype=np.float32)
    return np.clip(np.rint(scaled, out=scaled), 0, full, out=scaled).astype(dtype)


def _encode_16(values: np.ndarray, suffix: str) -> bytes:
    order = cv2.COLOR_RGB2BGR if values.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
    with quiet_opencv():
        return cv2.imencode(suffix, cv2.cvtColor(values, order))[1].tobytes()

