# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare what the networks find with the truth, on any folder of photographs and masks."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

HELP = "compare the networks' masks with true ones"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `dofkit evaluate`."""
    add = parser.add_argument
    add("what", choices=("segmentation",), help="what is evaluated: segmentation, the person's mask")
    add("--images", metavar="DIR", type=Path, required=True, help="a folder of photographs")
    add("--masks", metavar="DIR", type=Path, required=True, help="a folder of their masks, white on black")
    add("--mask-suffix", metavar="TEXT", default="", help="what a mask's name adds to its photograph's, such as _mask")
    add("--threshold", metavar="T", type=float, default=0.5,
        help="the person is above T on the scale 0..1; 0 for files of label numbers (default: %(default)s)")
    add("--coarse", metavar="GUESS", default="network",
        help="network, graphcut or transformers:MODEL (default: %(default)s)")
    add("--json", action="store_true", help="print means, counts and failures as JSON")


def run(args: argparse.Namespace) -> int:
    """Evaluate and print; returns the exit code."""
    from dofkit.datasets import folder
    from dofkit.evaluation import evaluate_masks
    from dofkit.segmentation import segmenter

    photographs = folder(args.images, args.masks, suffix=args.mask_suffix, threshold=args.threshold)
    report = evaluate_masks(segmenter(args.coarse), photographs).report()
    print(json.dumps(report, indent=1, ensure_ascii=False) if args.json else _lines(report))
    for failure in report["failures"]:
        print(f"dofkit: left out {failure['name']}: {failure['reason']}", file=sys.stderr)
    return 0


def _lines(report: dict[str, Any]) -> str:
    masks = [f"{name:<8} IoU {_percent(report[name]['iou'])}   within 5 px of the boundary "
             f"{_percent(report[name]['iou_near_boundary'])}" for name in ("coarse", "refined")]
    return "\n".join([f"{report['photographs']} photographs, {len(report['failures'])} failures", *masks])


def _percent(share: float | None) -> str:
    return "  none" if share is None else f"{100 * share:6.2f} %"
