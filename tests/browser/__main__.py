# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make test` does first: `python -m tests.browser` sees to it that there is a browser."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.browser.chromium import ensure_chromium

if __name__ == "__main__":
    try:
        ensure_chromium(Path("build") / "browser" / "apt-get.log")
    except FileNotFoundError as missing:
        sys.exit(f"make: {missing}")
