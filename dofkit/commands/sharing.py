# SPDX-License-Identifier: GPL-3.0-or-later
"""The options `--workers` and `--scheduler` of the commands whose work can be shared out."""

from __future__ import annotations

import argparse
from typing import Any


def add_sharing(parser: argparse.ArgumentParser, *, workers: int, says: str) -> None:
    """Add the options; `workers` is how many processes there are by default, which `says` tells people."""
    shared = parser.add_mutually_exclusive_group()
    shared.add_argument("--workers", metavar="N", type=int, default=workers,
                        help=f"processes on this machine (default: {says})")
    shared.add_argument("--scheduler", metavar="tcp://HOST:PORT",
                        help="a Dask scheduler whose workers share the work (pip install 'dofkit[dask]')")


def chosen_share(args: argparse.Namespace) -> Any:
    """What shares the work out, a `dofkit.workers.Share`.

    Raises
    ------
    PhotoError
        If there are to be fewer than one worker.
    """
    from dofkit.files import PhotoError
    from dofkit.workers import by_dask, in_processes, in_turn

    if args.workers < 1:
        raise PhotoError(f"--workers is {args.workers}: choose 1 or more")
    if args.scheduler:
        return by_dask(args.scheduler)
    return in_turn if args.workers == 1 else in_processes(args.workers)
