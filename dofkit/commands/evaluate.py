# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare what the networks find with the truth, and portraits with photographs through a lens."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from dofkit.commands.sharing import add_sharing, chosen_share

HELP = "compare the networks' masks and depths with true ones, or the renderer's parts with a lens"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what can be evaluated, each with its options."""
    kinds = parser.add_subparsers(metavar="WHAT", required=True)
    segmentation = _kind(kinds, "segmentation", _segmentation, "the person's mask: IoU")
    _add_folder(segmentation, "mask", "white on black", required=True)
    segmentation.add_argument("--threshold", metavar="T", type=float, default=0.5,
                              help="the person is above T on the scale 0..1; 0 for files of label numbers "
                                   "(default: %(default)s)")
    _add_guess(segmentation, "network, graphcut")
    depth = _kind(kinds, "depth", _depth, "depth: WHDR of random pairs; with masks also spread and step of the body")
    _add_folder(depth, "depth", "of any unit", required=True)
    _add_folder(depth, "mask", "white on black", required=False)
    depth.add_argument("--larger-is", choices=("nearer", "farther"), required=True,
                       help="what a larger number in a depth map means")
    _add_guess(depth, "network, prior")
    diw = _kind(kinds, "diw", _diw, "depth on an annotation file of Depth in the Wild: WHDR")
    diw.add_argument("annotations", metavar="CSV", type=Path, help="DIW_test.csv, as published or as re-packed")
    diw.add_argument("--images", metavar="DIR", type=Path,
                     help="where the file's paths begin (default: its own folder)")
    diw.add_argument("--greater-is", choices=("farther", "nearer"), default="farther",
                     help="what `>` says of a line's first point (default: %(default)s, as in the authors' files)")
    _add_guess(diw, "network, prior")
    ablation = kinds.add_parser("ablation", help="the renderer without each part, against a lens, on scenes",
                                description="Portraits without each part, against the lens, on scenes (Fig. 11).")
    ablation.set_defaults(evaluate=_ablation, json=True)
    add_sharing(ablation, workers=1, says="1, this one")
    ablation.add_argument("--split", choices=("validation", "test"), default="test", help="(default: %(default)s)")
    ablation.add_argument("--day", metavar="N", type=int, default=30, help="scenes by day (default: %(default)s)")
    ablation.add_argument("--night", metavar="N", type=int, default=12, help="scenes at night (default: %(default)s)")
    ablation.add_argument("--out", metavar="FILE", type=Path, help="also write the JSON there; replaces what is there")


def run(args: argparse.Namespace) -> int:
    """Evaluate and print; returns the exit code."""
    report, lines = args.evaluate(args)
    print(json.dumps(report, indent=1, ensure_ascii=False) if args.json else "\n".join([_counts(report), *lines]))
    for failure in report["failures"]:
        print(f"dofkit: left out {failure['name']}: {failure['reason']}", file=sys.stderr)
    return 0


def _kind(kinds: Any, name: str, evaluate: Any, says: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = kinds.add_parser(name, help=says, description=says)
    parser.set_defaults(evaluate=evaluate)
    add_sharing(parser, workers=1, says="1, this one")
    if name != "diw":
        parser.add_argument("--images", metavar="DIR", type=Path, required=True, help="a folder of photographs")
    return parser


def _add_folder(parser: argparse.ArgumentParser, what: str, kind: str, *, required: bool) -> None:
    parser.add_argument(f"--{what}s", metavar="DIR", type=Path, required=required,
                        help=f"a folder of their {what}s, {kind}")
    parser.add_argument(f"--{what}-suffix", metavar="TEXT", default="",
                        help=f"what a {what}'s name adds to its photograph's, such as _{what}")


def _add_guess(parser: argparse.ArgumentParser, own: str) -> None:
    parser.add_argument("--coarse", metavar="GUESS", default="network",
                        help=f"{own} or transformers:MODEL (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print means, counts and failures as JSON")


def _segmentation(args: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    from dofkit.datasets import folder
    from dofkit.evaluation import evaluate_masks
    from dofkit.segmentation import segmenter
    from dofkit.workers import Once

    photographs = folder(args.images, args.masks, suffix=args.mask_suffix, threshold=args.threshold)
    segment = Once(segmenter, (args.coarse,))
    report = evaluate_masks(segment, photographs, run=chosen_share(args), progress=_progress).report()
    return report, [f"{name:<8} IoU {_percent(report[name]['iou'])}   within 5 px of the boundary "
                    f"{_percent(report[name]['iou_near_boundary'])}" for name in ("coarse", "refined")]


def _depth(args: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    from dofkit.datasets import folder

    photographs = folder(args.images, args.masks, suffix=args.mask_suffix, depths=args.depths,
                         depth_suffix=args.depth_suffix, larger_is=args.larger_is)
    return _depths(args, photographs)


def _diw(args: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    from dofkit.datasets import diw

    return _depths(args, diw(args.annotations, sign=1 if args.greater_is == "farther" else -1, images=args.images))


def _ablation(args: argparse.Namespace) -> tuple[dict[str, Any], list[str]]:
    from dofkit.files import check_output, write_bytes
    from dofkit.recipes.ablation import evaluate_ablation

    if args.out is not None:
        check_output(args.out, force=True, suffixes=(".json",))
    report = evaluate_ablation(args.split, day=args.day, night=args.night, run=chosen_share(args), progress=_progress)
    if args.out is not None:
        write_bytes(args.out, (json.dumps(report, indent=1) + "\n").encode())
    return report, []


def _depths(args: argparse.Namespace, photographs: Any) -> tuple[dict[str, Any], list[str]]:
    from dofkit.depth import estimator
    from dofkit.depth_evaluation import METHODS, evaluate_depths
    from dofkit.workers import Once

    report = evaluate_depths(Once(estimator, (args.coarse,)), photographs, metric=False, run=chosen_share(args),
                             progress=_progress).report()
    lines = []
    for name in METHODS:
        line = f"{name:<15} WHDR {_percent(report[name]['whdr'])}"
        if report[name]["spread"] is not None:
            line += f"   spread over the body {_percent(report[name]['spread'])} of the range"
        lines.append(line)
    return report, lines


def _progress(done: int, of: int) -> None:
    """One line that counts, for people who look; nothing in a pipe or a log."""
    if sys.stderr.isatty():
        print(f"\r{done} of {of}", end="\r" if done < of else "\r\033[K", file=sys.stderr, flush=True)


def _counts(report: dict[str, Any]) -> str:
    return f"{report['photographs']} photographs, {len(report['failures'])} failures"


def _percent(share: float | None) -> str:
    return "  none" if share is None else f"{100 * share:6.2f} %"
