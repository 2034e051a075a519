# SPDX-License-Identifier: GPL-3.0-or-later
"""Render the pairs that the RNN filter learns from: photographs and their portraits by the CRF renderer."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from dofkit.commands.sharing import add_sharing, chosen_share
from dofkit.workers import cores

HELP = "render the training pairs of the RNN filter"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `dofkit pairs`."""
    add = parser.add_argument
    add(
        "--profile",
        choices=("quick", "full", "paper"),
        default="quick",
        help="quick: a few small scenes; full: what the kit's weights learned from; paper: 5000 (default: %(default)s)",
    )
    add("--data-root", metavar="DIR", type=Path, help="where selfie/ and ccp/ lie (default: DOFKIT_DATA)")
    add("--out", metavar="DIR", type=Path, required=True, help="a folder for the pairs; what is there stays")
    add("--seed", type=int, default=0, help="of the strengths and of what is held out (default: %(default)s)")
    add_sharing(parser, workers=cores(), says="one for each core")


def run(args: argparse.Namespace) -> int:
    """Make the pairs, or go on where an interrupted run stopped; returns the exit code."""
    from tqdm import tqdm

    from dofkit.files import PhotoError
    from dofkit.recipes.pairs import make_pairs

    share = chosen_share(args)
    if args.seed < 0:
        raise PhotoError(f"the seed is {args.seed}: choose 0 or more")
    with tqdm(desc="pairs", unit="pair", disable=not sys.stderr.isatty()) as bar:

        def progress(done: int, of: int) -> None:
            bar.total = of
            bar.update(done - bar.n)

        report = make_pairs(args.profile, args.out, root=args.data_root, seed=args.seed, run=share, progress=progress)
    print(json.dumps(report, indent=1, ensure_ascii=False))
    for failure in report["failures"]:
        print(f"dofkit: left out {failure['name']}: {failure['reason']}", file=sys.stderr)
    return 0
