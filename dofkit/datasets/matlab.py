# SPDX-License-Identifier: GPL-3.0-or-later
"""MATLAB files, in which the selfie set and CCP keep masks and lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from scipy.io import loadmat

from dofkit.datasets.item import DataError


def read_mat(path: Path, key: str, *, ndim: int = 2) -> NDArray[Any]:
    """The integer array `key` of a .mat file (version 7.2 or older; no code in it is run).

    Raises
    ------
    DataError
        If the file is missing or broken, or the array is absent, not of integers or not of `ndim` dimensions.
    """
    try:
        found = loadmat(path, variable_names=[key])
    except FileNotFoundError as error:
        raise DataError(f"there is no file {path}") from error
    except Exception as error:  # on broken files SciPy raises whatever its parser stumbles over
        raise DataError(f"{path}: not a readable MATLAB file ({error}); copy it again") from error
    if key not in found:
        raise DataError(f"{path}: holds no array {key!r}")
    values = found[key]
    if getattr(values, "ndim", 0) != ndim or values.size == 0 or values.dtype.kind not in "biu":
        raise DataError(f"{path}: {key!r} is not an integer array of {ndim} dimensions")
    return values
