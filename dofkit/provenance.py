# SPDX-License-Identifier: GPL-3.0-or-later
"""What a figure remembers of its making: only what is the same each time the same thing is made.

No dates, times, host names, folders or versions: a provenance file changes when the notebook's parameters,
the kit's sources, the inputs or the measured numbers change, and at no other time.
"""

from __future__ import annotations

import hashlib
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dofkit.manifest import Item

PROFILES = ("quick", "full", "paper")


def provenance(
    item: Item, profile: str, seed: int, inputs: Mapping[str, Any] | None, metrics: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Where a figure comes from, in stable fields; parameters as for `dofkit.figures.save_figure`."""
    if profile not in PROFILES:
        raise ValueError(f"profile is {profile!r}; there are {', '.join(PROFILES)}")
    return {
        "name": item.name,
        "paper": item.paper,
        "notebook": item.notebook,
        "profile": profile,
        "seed": int(seed),
        "source": source_hash(),
        "inputs": {key: _input(value) for key, value in (inputs or {}).items()},
        "metrics": plain(dict(metrics or {}), "metrics"),
    }


def source_hash() -> str:
    """A hash of the sources of the dofkit modules that this process has loaded, by name.

    Examples
    --------
    >>> source_hash() == source_hash()
    True
    """
    digest = hashlib.sha256()
    for name in sorted(sys.modules):
        file = getattr(sys.modules[name], "__file__", None)
        if name.partition(".")[0] == "dofkit" and file is not None:
            digest.update(name.encode() + b"\0" + Path(file).read_bytes().replace(b"\r\n", b"\n"))
    return _short(digest)


def input_hash(value: np.ndarray | Path) -> str:
    """A hash of an array (floats at 4 decimals) or of a file's bytes.

    Examples
    --------
    >>> input_hash(np.zeros((2, 3), np.float32)) == input_hash(np.zeros((2, 3)) + 1e-9)
    True
    """
    if isinstance(value, Path):
        return _short(hashlib.sha256(value.read_bytes()))
    array = np.asarray(value)
    if array.dtype.kind == "f":
        array = np.round(array.astype(np.float64), 4) + 0.0  # + 0.0: no negative zeros
    head = f"{array.dtype.kind} {array.shape}".encode()
    return _short(hashlib.sha256(head + np.ascontiguousarray(array).tobytes()))


def _short(digest: Any) -> str:
    return f"sha256:{digest.hexdigest()[:16]}"


def _input(value: Any) -> Any:
    return input_hash(value) if isinstance(value, (np.ndarray, Path)) else plain(value, "inputs")


def plain(value: Any, where: str) -> Any:
    """The value as JSON keeps it, with numbers at 6 significant digits; `where` names it in an error.

    Examples
    --------
    >>> plain({"PSNR": np.float32(31.23456789), "images": 3}, "metrics")
    {'PSNR': 31.2346, 'images': 3}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(entry, f"{where}.{key}") for key, entry in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist(), where)
    if isinstance(value, (list, tuple)):
        return [plain(entry, where) for entry in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{where} is {value}: only finite numbers are kept (None for not available)")
        return float(f"{value:.6g}")
    if value is None or isinstance(value, (bool, int, str)):
        return value
    raise ValueError(f"{where} is a {type(value).__name__}: give a number, a text, or a list or dict of them")
