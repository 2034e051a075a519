# SPDX-License-Identifier: GPL-3.0-or-later
"""Several arrays in one file, NumPy's .npz: what the kit keeps for itself, scenes and pairs.

A small file can claim to hold gigabytes, as in any compressed format: what is read is bounded first.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

MAX_BYTES = 500_000_000
"""Most that the arrays of a file may take in memory together; a pair of 16 megapixels takes 140 MB."""


def pack_arrays(**arrays: NDArray[np.generic]) -> bytes:
    """The bytes of a compressed .npz.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "a.npz")
    ...     _ = file.write_bytes(pack_arrays(a=np.arange(3), b=np.eye(2)))
    ...     read_arrays(file, ["a"])
    {'a': array([0, 1, 2])}
    """
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def read_arrays(file: Path, names: Sequence[str]) -> dict[str, NDArray[np.generic]] | None:
    """The named arrays of a .npz, or None if there is no such file or it is not whole; nothing is unpickled."""
    try:
        data = file.read_bytes()
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MAX_BYTES:
                return None
        with np.load(io.BytesIO(data), allow_pickle=False) as kept:
            return {name: kept[name] for name in names}
    except Exception:  # absent, cut short, scribbled over: NumPy and zipfile raise all sorts
        return None
