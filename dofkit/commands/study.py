# SPDX-License-Identifier: GPL-3.0-or-later
"""Give a user study as the paper did: build one, and report what its subjects said."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

HELP = "build a user study, or report its answers"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `dofkit study build` and `dofkit study report` with their options."""
    kinds = parser.add_subparsers(metavar="WHAT", required=True)
    says = "make a study in a new folder: pictures, their key, and the notebook on which it is taken"
    build = kinds.add_parser("build", help=says, description=says)
    build.set_defaults(act=_build)
    build.add_argument("--out", metavar="DIR", type=Path, required=True, help="the new folder")
    build.add_argument("--each", metavar="N", type=int, default=10,
                       help="pictures through a lens, of ours, and without depth, each (default: %(default)s)")
    build.add_argument("--size", metavar="S", type=int, default=720, help="long side in pixels (default: %(default)s)")
    build.add_argument("--seed", metavar="SEED", type=int, default=0, help="which pictures (default: %(default)s)")
    build.add_argument("--photographs", metavar="DIR", type=Path,
                       help="your own sharp photographs of whole bodies instead of test scenes, at least 2 N")
    build.add_argument("--slr", metavar="DIR", type=Path,
                       help="and N real ones with a soft background, through a camera's lens")
    says = "what the answers say: shares, intervals, tests, a figure"
    report = kinds.add_parser("report", help=says, description=says)
    report.set_defaults(act=_report)
    report.add_argument("answers", metavar="CSV", type=Path, help="the answers")
    report.add_argument("--study", metavar="DIR", type=Path, help="the study (default: the folder of the CSV)")
    report.add_argument("--figure", metavar="FILE", type=Path, help="also draw it there: a new .png, .jpg or .webp")
    report.add_argument("--json", action="store_true", help="print the report as JSON")


def run(args: argparse.Namespace) -> int:
    """Build or report; returns the exit code."""
    code: int = args.act(args)
    return code


def _build(args: argparse.Namespace) -> int:
    from dofkit.study.material import Plan, build_study

    plan = Plan(args.each, args.size, args.seed, args.photographs, args.slr)
    study = build_study(args.out, plan, progress=_bar if sys.stderr.isatty() else None)
    print(f"{len(study.pictures)} pictures of {study.material} in {study.folder}")
    print(f"take it:   jupyter lab --ServerApp.ip=127.0.0.1 {study.folder / 'take_the_study.ipynb'}")
    print(f"report it: dofkit study report {study.answers}")
    return 0


def _report(args: argparse.Namespace) -> int:
    from dofkit.files import check_output
    from dofkit.study.answers import AnswersError
    from dofkit.study.folder import read_study
    from dofkit.study.report import read_report, report_json, report_lines

    if not args.answers.is_file():
        raise AnswersError(f"there are no answers in '{args.answers}': name the CSV that the study's page has written")
    if args.figure is not None:
        check_output(args.figure, suffixes=(".png", ".jpg", ".jpeg", ".webp"))
    report = read_report(args.answers, read_study(args.study or args.answers.parent))
    if args.figure is not None:
        _draw(args.figure, report)
    print(json.dumps(report_json(report), indent=1) if args.json else "\n".join(report_lines(report)))
    return 0


def _draw(file: Path, report: object) -> None:
    import io

    import matplotlib.pyplot as plt
    from matplotlib.figure import Figure

    from dofkit.figures import STYLE
    from dofkit.files import FORMATS, write_bytes
    from dofkit.study.report import Report, draw_report

    assert isinstance(report, Report)
    buffer = io.BytesIO()
    with plt.style.context(STYLE):
        figure = Figure(figsize=(6.4, 2.4))
        draw_report(figure.subplots(), report)
        figure.savefig(buffer, format=FORMATS[file.suffix.lower()].lower(), dpi=150)
    write_bytes(file, buffer.getvalue())


def _bar(done: int, of: int) -> None:
    print(f"\r{done} of {of} pictures", end="\n" if done == of else "", file=sys.stderr, flush=True)
