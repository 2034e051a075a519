# SPDX-License-Identifier: GPL-3.0-or-later
"""Put the tables of README.md at their places, from what runs have written."""

from __future__ import annotations

import argparse

HELP = "write the tables of README.md from what was measured"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """`dofkit readme` has no options."""


def run(args: argparse.Namespace) -> int:
    """Write the file; returns the exit code."""
    from dofkit.files import write_bytes
    from dofkit.manifest import checkout
    from dofkit.readme import with_tables

    file = checkout() / "README.md"
    write_bytes(file, with_tables(file.read_text(encoding="utf-8"), checkout()).encode())
    print(f"written: {file}")
    return 0
