# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the book: the whole tutorial as static HTML."""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "write the tutorial as static HTML, from the notebooks as they are committed"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `dofkit book`."""
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to write to (default: build/book)")


def run(args: argparse.Namespace) -> int:
    """Build it; returns the exit code."""
    from dofkit.book.building import build_book
    from dofkit.manifest import checkout

    print(f"written: {build_book(args.out or checkout() / 'build' / 'book')}")
    return 0
