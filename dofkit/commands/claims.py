# SPDX-License-Identifier: GPL-3.0-or-later
"""Write figures/CLAIMS.md: every claim of the paper beside what was measured here."""

from __future__ import annotations

import argparse

HELP = "write figures/CLAIMS.md from what was measured"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`dofkit claims` has no options."""


def run(args: argparse.Namespace) -> int:
    """Write the page; returns the exit code."""
    from dofkit.claims import claims_page
    from dofkit.files import write_bytes
    from dofkit.manifest import figures_dir

    file = figures_dir() / "CLAIMS.md"
    write_bytes(file, claims_page(figures_dir()).encode())
    print(f"written: {file}")
    return 0
