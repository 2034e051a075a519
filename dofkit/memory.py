# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a photograph fits into memory: asked before any work, since the system ends a process that asks too much."""

from __future__ import annotations

from pathlib import Path

import psutil

from dofkit.files import PhotoError

BYTES = {"paper": 120, "lens": 190}
"""What rendering takes at its peak for each pixel, by look; measured at 6 and 12 megapixels, rounded up."""
FOREGROUND_BYTES = 40
"""What the colours of soft hair take for each pixel beside that."""


def check_memory(pixels: int, look: str, *, foreground: bool = False) -> None:
    """Do nothing where a photograph of so many pixels can be rendered.

    Raises
    ------
    PhotoError
        If it needs more memory than is free; the message says how large a photograph may be.

    Examples
    --------
    >>> check_memory(10**13, "paper")
    Traceback (most recent call last):
    dofkit.files.PhotoError: rendering 10,000,000.0 megapixels takes 1,200,000.0 GB of memory, and ...
    """
    each = BYTES[look] + FOREGROUND_BYTES * foreground
    free = free_memory()
    if pixels * each > free:
        raise PhotoError(f"rendering {pixels / 1e6:,.1f} megapixels takes {pixels * each / 1e9:,.1f} GB of memory, and "
                         f"{free / 1e9:,.1f} GB are free: scale the photograph down to {free / each / 1e6:,.1f} "
                         "megapixels, or close other programs")


def free_memory(container: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes that this process can still get: of the machine, and of its container where that has a limit.

    Parameters
    ----------
    container
        Where Linux tells the limit and the use of a container (control groups, version 2).

    Examples
    --------
    >>> free_memory() > 0
    True
    """
    machine: int = psutil.virtual_memory().available
    try:
        limit, used = (int((container / f"memory.{name}").read_text()) for name in ("max", "current"))
        cached = dict(map(str.split, (container / "memory.stat").read_text().splitlines()))["inactive_file"]
    except (OSError, ValueError, KeyError):  # no container, or one without a limit ("max")
        return machine
    return max(min(machine, limit - used + int(cached)), 0)
