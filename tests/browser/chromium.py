# SPDX-License-Identifier: GPL-3.0-or-later
"""The browser of the machine: find it, and install it where that is simple. Playwright's own is never downloaded."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = (
    "no Chromium was found for the tests in the browser: install it (Debian: `sudo apt install chromium`), "
    "set CHROMIUM to the path of a Chromium or Chrome, or leave these tests out with CHROMIUM=none"
)
INSTALL = ("install", "--yes", "--no-install-recommends", "chromium", "fonts-liberation")
"""A bare machine has no fonts, and the pages would be full of empty boxes."""


def find_chromium() -> str | None:
    """What the variable CHROMIUM names, else the first of the usual names that there is."""
    wanted = os.environ.get("CHROMIUM")
    return shutil.which(wanted) if wanted else next(filter(None, map(shutil.which, NAMES)), None)


def ensure_chromium(log: Path) -> str:
    """The path of the browser; as root on Debian it is installed if need be, with what apt-get says in a log.

    Raises
    ------
    FileNotFoundError
        If there is none, and it cannot be installed here.
    """
    found, wanted = find_chromium(), os.environ.get("CHROMIUM")
    if wanted and not found:
        raise FileNotFoundError(f"CHROMIUM is {wanted!r}, which is no program: give the path of a Chromium or Chrome")
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w", encoding="utf-8") as file:
            for arguments in (("update",), INSTALL):
                quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
                subprocess.run(("apt-get", *arguments), env=quiet, stdout=file, stderr=file, check=False)
        found = find_chromium()
        if found is None:
            raise FileNotFoundError(f"{MISSING}; apt-get did not install it, see {log}")
    if found is None:
        raise FileNotFoundError(MISSING)
    return found
