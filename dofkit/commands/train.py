# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the networks: on scenes in minutes, or on the real data sets, as the weights that come with the kit were."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dofkit.recipes.making import Stage
    from dofkit.training import Progress

HELP = "train a network"

NO_VGG16 = {
    "depth": "the depth networks begin as the segmentation's: leave out the VGG-16 weights",
    "rnn": "the filters' guidance starts from nothing: leave out the VGG-16 weights",
}
"""Why a training takes no VGG-16 weights."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `dofkit train`."""
    add = parser.add_argument
    add(
        "target",
        choices=("segmentation", "depth", "table1", "rnn"),
        help="segmentation or depth: its coarse network and SPN; table1: the rows of Table 1, small, from three seeds; "
        "rnn: the RNN filter and its competitors, Table 2",
    )
    add(
        "--profile",
        choices=("quick", "full", "paper"),
        default="quick",
        help="quick: minutes, on scenes; full: hours, on real data, what the kit's own weights are; "
        "paper: networks of the paper's size, for a GPU (default: %(default)s)",
    )
    add("--data-root", metavar="DIR", type=Path, help="where selfie/ and ccp/ lie (default: DOFKIT_DATA)")
    add("--out", metavar="DIR", type=Path, required=True, help="a folder for checkpoints, curves and weights")
    add("--seed", type=int, default=0, help="of parameters and batches (default: %(default)s)")
    add("--devices", metavar="N", type=int, default=1, help="processes that share each batch (default: %(default)s)")
    add("--pairs", metavar="DIR", type=Path, help="pairs by `dofkit pairs`, for rnn (default: made in OUT/pairs)")
    add("--segmentation", metavar="DIR", type=Path,
        help="folder of a segmentation training that depth begins as (default: the weights that come with the kit)")
    add("--vgg16", metavar="FILE", type=Path, help="torchvision's VGG-16 weights to start from (profile paper)")


def run(args: argparse.Namespace) -> int:
    """Train, or go on where an interrupted run of the same options stopped; returns the exit code."""
    from dofkit.engines import fabric, local
    from dofkit.recipes.making import make_segmentation
    from dofkit.recipes.making_depth import make_depth
    from dofkit.recipes.making_filter import make_filter
    from dofkit.recipes.table1 import make_table1

    _check(args)
    if args.target == "rnn" and not args.pairs:
        args.pairs = args.out / "pairs"
        if os.environ.get("LOCAL_RANK", "0") == "0":  # before it starts the others, which find them made
            _make_own_pairs(args)
    engine = local(precision="auto") if args.devices == 1 else fabric(args.devices, precision="auto")
    how: dict[str, Any] = {"engine": engine, "stage": stages(shown=engine.main)}
    if args.target == "depth":
        report = make_depth(args.profile, args.out, root=args.data_root, seed=args.seed, start=args.segmentation,
                            **how).get("test")
    elif args.target == "rnn":
        report = make_filter(args.profile, args.out, args.pairs, seed=args.seed, **how).get("test")
    elif args.target == "table1":
        report = make_table1(args.profile, args.out, root=args.data_root, vgg16=args.vgg16, **how)["iou"]
    else:
        report = make_segmentation(args.profile, args.out, root=args.data_root, seed=args.seed, vgg16=args.vgg16,
                                   **how).get("test")
    if engine.main:
        print(json.dumps(report, indent=1, ensure_ascii=False))
    return 0


def _check(args: argparse.Namespace) -> None:
    """Raise TrainingError for options that do not go together."""
    from dofkit.engines import TrainingError, check_devices

    if args.target == "table1" and (args.devices != 1 or args.seed):
        raise TrainingError("table1 has its own seeds, and runs on one device")
    if args.vgg16 and args.target in NO_VGG16:
        raise TrainingError(NO_VGG16[args.target])
    if args.segmentation and args.target != "depth":
        raise TrainingError("only the depth networks begin as the segmentation's: leave out --segmentation")
    if args.target != "rnn" and args.pairs:
        raise TrainingError("only the RNN filter learns from pairs: leave out --pairs")
    if not 0 <= args.seed < 2**63:
        raise TrainingError(f"the seed is {args.seed}: choose a whole number from 0 to {2**63 - 1}")
    if args.devices != 1:
        check_devices(args.devices)


def _make_own_pairs(args: argparse.Namespace) -> None:
    """The pairs of the profile, made where they are not there."""
    from dofkit.recipes.pairs import make_pairs
    from dofkit.workers import cores, in_processes

    print(f"dofkit: pairs in '{args.pairs}'", file=sys.stderr)
    make_pairs(args.profile, args.pairs, root=args.data_root, run=in_processes(cores()))


def stages(*, shown: bool) -> Stage:
    """Announce each stage on standard error, with a bar of its steps, loss and last validation at a terminal."""

    @contextmanager
    def stage(name: str) -> Iterator[Progress | None]:
        if not shown:
            yield None
            return
        print(f"dofkit: {name}", file=sys.stderr)
        with step_bar(name) as progress:
            yield progress

    return stage


@contextmanager
def step_bar(name: str) -> Iterator[Progress]:
    """A bar over the steps of a training; without a terminal, a line for each validation."""
    from tqdm import tqdm

    with tqdm(desc=name, unit="step", disable=not sys.stderr.isatty(), leave=True) as bar:

        def progress(step: int, steps: int, loss: float, validation: float | None) -> None:
            bar.total = steps
            bar.update(step - bar.n)
            if validation is None:
                return
            bar.set_postfix(loss=f"{loss:.3f}", validation=f"{validation:.4f}")
            if bar.disable:
                print(f"dofkit: {name}, step {step} of {steps}: validation {validation:.4f}", file=sys.stderr)

        yield progress
