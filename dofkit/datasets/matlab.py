# SPDX-License-Identifier: GPL-3.0-or-later
"""MATLAB files, in which the selfie set and CCP keep masks and lists."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from scipy.io import loadmat

from dofkit.datasets.item import DataError

MAX_BYTES = 100_000_000
"""Most that an array of a file may take: masks have at most 100 megapixels, of a byte each."""

_HEADER, _COMPRESSED = 128, 15  # bytes of a file's own header; an element's kind


def read_mat(path: Path, key: str, *, ndim: int = 2) -> NDArray[Any]:
    """The integer array `key` of a .mat file (version 7.2 or older; no code in it is run).

    Raises
    ------
    DataError
        If the file is missing, broken or too large, or the array is absent, not of integers or not of `ndim`
        dimensions.
    """
    try:
        data = path.read_bytes()
        if len(data) > MAX_BYTES or _grows(data):
            raise DataError(f"{path}: holds more than {MAX_BYTES:,} bytes, no mask or list does")
        found = loadmat(io.BytesIO(data), variable_names=[key])
    except FileNotFoundError as error:
        raise DataError(f"there is no file {path}") from error
    except DataError:
        raise
    except Exception as error:  # on broken files SciPy raises whatever its parser stumbles over
        raise DataError(f"{path}: not a readable MATLAB file ({error}); copy it again") from error
    if key not in found:
        raise DataError(f"{path}: holds no array {key!r}")
    values: NDArray[Any] = found[key]
    if getattr(values, "ndim", 0) != ndim or values.size == 0 or values.dtype.kind not in "biu":
        raise DataError(f"{path}: {key!r} is not an integer array of {ndim} dimensions")
    return values


def _grows(data: bytes) -> bool:
    """Whether a compressed element of a version 5 file is more than `MAX_BYTES` when it is unpacked.

    An element is its kind and its length, 4 bytes each, and so many bytes.
    """
    order = "<" if data[126:128] == b"IM" else ">"
    at, names = _HEADER, {"<": "little", ">": "big"}
    while at + 8 <= len(data):
        kind, length = (int.from_bytes(data[at + i : at + i + 4], names[order]) for i in (0, 4))  # type: ignore[arg-type]
        if kind == _COMPRESSED:
            unpacker = zlib.decompressobj()
            unpacker.decompress(data[at + 8 : at + 8 + length], MAX_BYTES)
            if unpacker.unconsumed_tail:
                return True
        at += 8 + length
    return False
