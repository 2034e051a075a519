# SPDX-License-Identifier: GPL-3.0-or-later
"""Single-channel files: masks m and mattes alpha in [0, 1], depths z, labels l.

A mask or a depth that a person brings must fit the photograph and mean something; `check_mask` and `check_depth`
say so in one sentence when it does not, and bring another size of the same aspect to the photograph's.
"""

from __future__ import annotations

import io
import os
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from dofkit.files import (
    MAX_PIXELS,
    PhotoError,
    check_input,
    check_output,
    decode,
    encode_pillow,
    quiet_opencv,
    write_bytes,
)

MAP_SUFFIXES = (".png", ".tif", ".tiff", ".npy")
ASPECT_TOLERANCE = 0.02
_GREY_TOLERANCE = 2  # levels of 255 by which the channels of a grey JPEG may differ
_JUMP = 0.05  # of the depth range: a larger step between neighbours is an edge, not a slope


def read_map(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a mask, a matte or a depth as numbers.

    8- and 16-bit files are divided by 255 and 65535, so that a mask lies in [0, 1]; a file whose largest number
    is 1 holds 0/1 labels and is taken as it is. Float TIFFs and `.npy` arrays of floats keep their values. An RGB
    file must be grey. With an alpha channel that is not the same everywhere (a cut-out), the alpha is the map.

    Parameters
    ----------
    path : path
        JPEG, PNG, WebP, TIFF, or `.npy` (never unpickled).

    Returns
    -------
    ndarray, (H, W) float32

    Raises
    ------
    PhotoError
        If the file cannot be read or is no map.
    """
    values, mode = _load_npy(path) if Path(path).suffix.lower() == ".npy" else _load_picture(path)
    name = Path(path).name
    if mode in ("LA", "RGBA"):
        alpha = values[..., -1]
        values = alpha if alpha.min() < alpha.max() else values[..., :-1]
    if values.ndim == 3:
        spread = int((values.max(2) - values.min(2)).max()) / np.iinfo(values.dtype).max * 255
        if mode == "CMYK" or spread > _GREY_TOLERANCE:
            raise PhotoError(f"'{name}' is a colour picture, not a mask or a depth: save it as grey")
        values = values[..., 0]
    if values.dtype in (np.uint8, np.uint16):
        top = 1 if values.max(initial=0) == 1 else np.iinfo(values.dtype).max
        return np.divide(values, top, dtype=np.float32)
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes inf, which the checks refuse
        return np.ascontiguousarray(values, np.float32)


def write_map(path: str | os.PathLike[str], values: np.ndarray, *, bits: int = 16,
              force: bool = False) -> Path:
    """Write a mask, matte, depth (floats) or labels (integers), whole or not at all.

    In a PNG, floats in [0, 1] fill the range of `bits` bits and integers are kept; TIFF and `.npy` keep floats
    as they are, whatever their range. `read_map` gives back written floats (from a PNG to half a step).

    Parameters
    ----------
    path : path
        Ends in .png, .tif, .tiff or .npy.
    values : ndarray, (H, W)
        bool, integer or float.
    bits : int
        8 for masks and labels, 16 for depths and mattes; PNG only.
    force : bool
        Overwrite an existing file.

    Raises
    ------
    PhotoError
        If the file exists and `force` is false, cannot be written, or cannot hold the values.
    """
    file = check_output(path, force=force, suffixes=MAP_SUFFIXES)
    write_bytes(file, encode_map(file, values, bits=bits))
    return file


def encode_map(file: Path, values: np.ndarray, *, bits: int = 16) -> bytes:
    """What `write_map` puts into a file of that suffix; raises PhotoError if it cannot hold the values."""
    values = np.asarray(values)
    if values.ndim != 2 or values.size == 0 or values.dtype.kind not in "buif":
        raise PhotoError(f"a map to write must be (H, W) numbers, not {values.shape} {values.dtype}")
    if values.dtype.kind == "b":
        values = values.astype(np.float32)
    if file.suffix.lower() == ".png":
        return encode_pillow(Image.fromarray(_as_integers(file, values, bits)), "PNG")
    if file.suffix.lower() == ".npy":
        return _encode_npy(values.astype(np.float32) if values.dtype.kind == "f" else values)
    return _encode_tiff(values)


def check_mask(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The mask at the photograph's size, or one sentence saying why it cannot be used.

    A mask of another size with the same aspect (within 2 %) is resized: averaged over areas when it shrinks,
    linear when it grows; a mask is a coverage, so values between 0 and 1 along its edge are what they should be.

    Parameters
    ----------
    mask : ndarray, (h, w)
        bool, or numbers in [0, 1]; 1 is the person.
    shape : tuple
        (H, W) or (H, W, 3) of the photograph.

    Returns
    -------
    ndarray, (H, W) float32 in [0, 1]

    Raises
    ------
    PhotoError
        Not 2-D, another aspect, NaN, values outside [0, 1], nothing or everything above 0.5.
    """
    mask = _fitting("mask", mask, shape)
    if mask.min() < -1e-3 or mask.max() > 1 + 1e-3:
        raise PhotoError(f"the mask holds values from {mask.min():.4g} to {mask.max():.4g}: scale them to "
                         "0 (background) ... 1 (person)")
    size = (shape[1], shape[0])
    if mask.shape != tuple(shape[:2]):
        shrinks = mask.shape[0] > shape[0]
        mask = cv2.resize(mask, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    mask = np.clip(mask, 0, 1)
    if mask.max() <= 0.5:
        raise PhotoError("the mask is empty (no pixel above 0.5): nobody would stay sharp; paint the person white")
    if mask.min() > 0.5:
        raise PhotoError("the mask is full (every pixel above 0.5): nothing is left to blur; paint the rest black")
    return mask


def check_depth(depth: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The depth at the photograph's size, or one sentence saying why it cannot be used.

    Resized when the aspect agrees within 2 %: smoothly on surfaces, but across a depth edge the nearest value is
    taken: a mean of person and wall is a depth at which nothing stands, and would become a layer of its own.

    Infinite depths are refused like NaN: files use them for "not measured" (as scikit-image's stereo disparity does)
    as well as for the sky, and a guess would blur one of the two wrongly.

    Parameters
    ----------
    depth : ndarray, (h, w)
        Any unit.
    shape : tuple
        (H, W) or (H, W, 3) of the photograph.

    Returns
    -------
    ndarray, (H, W) float32

    Raises
    ------
    PhotoError
        Not 2-D, another aspect, NaN or infinite values, the same value everywhere.
    """
    depth = _fitting("depth", depth, shape)
    low, high = float(depth.min()), float(depth.max())
    if high - low <= 1e-6 * max(abs(low), abs(high)):
        raise PhotoError(f"the depth is {low:.4g} everywhere: it tells nothing near from far; give another, or none")
    if depth.shape == tuple(shape[:2]):
        return depth
    size = (shape[1], shape[0])
    shrinks = depth.shape[0] > shape[0]
    smooth = cv2.resize(depth, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    nearest = cv2.resize(depth, size, interpolation=cv2.INTER_NEAREST_EXACT)
    reach = np.ones((2 * int(np.ceil(max(1, depth.shape[0] / shape[0]) / 2)) + 1,) * 2, np.uint8)
    step = cv2.dilate(depth, reach) - cv2.erode(depth, reach)
    at_edge = cv2.resize(step, size, interpolation=cv2.INTER_NEAREST_EXACT) > _JUMP * (high - low)
    return np.where(at_edge, nearest, smooth)


def _fitting(what: str, values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """`values` as finite (h, w) float32 of the photograph's aspect, else PhotoError."""
    values = np.asarray(values)
    if values.ndim != 2 or values.size == 0 or values.dtype.kind not in "buif":
        raise PhotoError(f"the {what} must be one channel of numbers, (H, W), not {values.shape} {values.dtype}")
    (h, w), (height, width) = values.shape, shape[:2]
    if not _same_aspect(h, w, height, width):
        hint = "; it seems to lie on its side: turn it" if _same_aspect(w, h, height, width) else ""
        raise PhotoError(f"the {what} is {w}x{h} but the photo is {width}x{height}, another aspect ratio{hint}; "
                         "make it from the same picture, uncropped")
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(values, np.float32)
    bad = values.size - int(np.isfinite(values).sum())
    if bad:
        raise PhotoError(f"the {what} has NaN or infinite values in {bad:,} of {values.size:,} pixels: fill them "
                         "first (not measured: from their neighbours; sky: with the largest depth)")
    return values


def _same_aspect(h: int, w: int, height: int, width: int) -> bool:
    """Aspects agree within 2 %, or within what rounding to whole pixels may have cost the smaller picture."""
    ratio = (w * height) / (h * width)
    return abs(ratio - 1) <= max(ASPECT_TOLERANCE, 0.5 / min(h, height) + 0.5 / min(w, width))


def _load_picture(path: str | os.PathLike[str]) -> tuple[np.ndarray, str]:
    decoded = decode(path)
    return decoded.values, decoded.mode


def _load_npy(path: str | os.PathLike[str]) -> tuple[np.ndarray, str]:
    file = check_input(path)
    try:
        values = np.load(file, mmap_mode="r", allow_pickle=False)  # mapped: a lying header takes no memory
    except Exception as error:  # numpy parses the header as a Python literal: Syntax, Token, Value errors
        raise PhotoError(f"'{file}' is not a usable .npy array ({error}): save it with numpy.save") from error
    if isinstance(values, np.ndarray) and values.ndim == 3 and values.shape[2] == 1:
        values = values[..., 0]
    if not isinstance(values, np.ndarray) or values.ndim != 2 or values.dtype.kind not in "buif":
        raise PhotoError(f"'{file}' must hold one (H, W) array of numbers")
    if not 0 < values.size <= MAX_PIXELS:
        raise PhotoError(f"'{file}' has {values.size:,} pixels, not 1 ... {MAX_PIXELS:,}: scale it down first")
    return np.array(values), "F"


def _as_integers(file: Path, values: np.ndarray, bits: int) -> np.ndarray:
    if bits not in (8, 16):
        raise PhotoError(f"bits must be 8 or 16, not {bits}")
    full, dtype = (255, np.uint8) if bits == 8 else (65535, np.uint16)
    limit = 1 if values.dtype.kind == "f" else full
    if not np.isfinite(values).all() or values.min() < 0 or values.max() > limit:
        raise PhotoError(f"cannot write '{file}': a {bits}-bit PNG holds 0 ... {limit}, not {values.min():.4g} "
                         f"... {values.max():.4g}; use .tif or .npy, which keep any number")
    return (np.rint(values * full) if values.dtype.kind == "f" else values).astype(dtype)


def _encode_npy(values: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()


def _encode_tiff(values: np.ndarray) -> bytes:
    if values.dtype.kind == "f" or values.dtype.itemsize > 2:
        values = values.astype(np.float32)
    elif values.dtype.kind == "i":
        values = values.astype(np.int32)
    with quiet_opencv():
        return cv2.imencode(".tiff", values)[1].tobytes()
