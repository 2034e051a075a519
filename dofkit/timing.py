# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes with a measured time: the machine, and the memory of a process."""

from __future__ import annotations

import platform
import re
from pathlib import Path
from typing import Any

from dofkit.workers import cores


def machine() -> dict[str, Any]:
    """What a number was measured on: processor, cores, Python."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    model = models[0] if models else platform.processor()
    return {"cpu": model, "cores": cores(), "python": platform.python_version()}


def peak_mb(pid: int) -> float | None:
    """The largest resident set that a running process has had, in MB; None where the system does not tell (Linux does).

    Examples
    --------
    >>> import os
    >>> peak = peak_mb(os.getpid())
    >>> peak is None or peak > 1
    True
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return None
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else None
