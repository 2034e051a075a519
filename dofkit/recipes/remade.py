# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether weights that were made anew do what the shipped ones do: by the scores that both have in their reports.

    |mean of m remade - mean of n shipped| <= t s sqrt(1/m + 1/n),    s, t: spread over the shipped seeds, 99 %

The same seed on the same machine gives the same weights. On another one sums are rounded otherwise, and after
thousands of steps that is like another seed. What was trained once takes the s of its kind: the segmentation that of
Table 1's rows, small networks of the same kinds; a filter that of the RNN filter. Where nothing tells a spread, nothing
is said of a difference.

    python -m dofkit.recipes.remade trained/depth            # exit code 1 if a score lies outside
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from scipy.stats import t as student

from dofkit.figures import markdown_table
from dofkit.results import ResultsError, read_results

CONFIDENCE = 0.99
REPORTS = ("segmentation", "depth", "table1", "filter")
ROWS = {"coarse": "coarse", "refined": "three-way (ours)"}
"""The row of Table 1 whose spread counts for each mask of the segmentation."""

Scores = dict[str, list[float]]
"""For each score one number from each seed."""


def scores(name: str, report: Mapping[str, Any]) -> Scores:
    """The scores of a report that are compared: IoU, WHDR, or PSNR in dB."""
    if name == "table1":
        return {f"{method}, {test}, IoU": list(values) for method, cells in report["iou"].items()
                for test, values in cells.items()}
    if name == "filter":
        return {filter_score(each): list(values) for each, values in report["validation by seed"].items()}
    if name == "segmentation":
        return {f"{ROWS[mask]}, {test}, IoU": [means[mask]["iou"]] for test, means in report["test"].items()
                for mask in ROWS if mask in means}
    seeds = [report["test"], *report["other seeds"]]
    return {f"{stage} SPN, {test}, WHDR": [each[stage][test]["refined"]["whdr"] for each in seeds]
            for stage, tests in report["test"].items() for test in tests}


def filter_score(name: str) -> str:
    """What the score of a filter is called."""
    return f"{name}, validation PSNR"


def allowed(values: Sequence[float], remade: int, shipped: int) -> float | None:
    """How far two means may lie apart, by the spread of some seeds' values; None for a single one.

    >>> round(allowed([0.90, 0.91, 0.92], 1, 1), 3)
    0.14
    """
    if len(values) < 2:
        return None
    t = float(student.ppf(0.5 + CONFIDENCE / 2, len(values) - 1))
    return t * stdev(values) * math.sqrt(1 / remade + 1 / shipped)


def compare(name: str, folder: Path, shipped: Path | None = None) -> list[dict[str, Any]]:
    """A row for each score: shipped, remade, how far they may lie apart, and whether they do not lie farther.

    Parameters
    ----------
    name
        "segmentation", "depth", "table1" or "filter".
    folder
        Where the report of the remade weights is.
    shipped
        Where the reports to compare with are; by default those that come with the kit.

    Raises
    ------
    ResultsError
        If a report is missing, or has not the scores of the shipped one.
    """
    ours, theirs = (read_results(name, place) for place in (folder, shipped))
    made, there = scores(name, ours), scores(name, theirs)
    if made.keys() != there.keys():
        other = sorted(made.keys() ^ there.keys())
        raise ResultsError(f"'{folder}' and the shipped weights were not scored alike ({other[0]}): compare trainings "
                           "of one profile and one version")
    spreads = _spreads(name, there, shipped)
    rows = []
    for score, values in there.items():
        limit = allowed(spreads.get(score, []), len(made[score]), len(values))
        apart = abs(fmean(made[score]) - fmean(values))
        within = None if limit is None else apart <= limit + 1e-12
        rows.append({"score": score, "shipped": fmean(values), "remade": fmean(made[score]), "apart": apart,
                     "allowed": limit, "within": {None: "not known", True: "yes", False: "NO"}[within]})
    return rows


def _spreads(name: str, there: Scores, shipped: Path | None) -> Scores:
    """For each score the values over some seeds, of the shipped weights or of their kind."""
    if name == "segmentation":
        return scores("table1", read_results("table1", shipped))
    if name == "filter":
        kind = there[filter_score("rnn")]
        return {score: values if len(values) > 1 else kind for score, values in there.items()}
    return there


def main(argv: Sequence[str] | None = None) -> int:
    """Compare the report in a folder with the shipped one of its name, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dofkit.recipes.remade", description=main.__doc__)
    parser.add_argument("folder", type=Path, help="of `dofkit train`")
    parser.add_argument("--accept", action="store_true", help="exit code 0 whatever the scores are")
    args = parser.parse_args(argv)
    names = [name for name in REPORTS if (args.folder / f"{name}.json").exists()]
    if not names:
        print(f"dofkit: no report of a training in '{args.folder}': name a folder of `dofkit train`", file=sys.stderr)
        return 2
    try:
        rows = [row for name in names for row in compare(name, args.folder)]
    except (ResultsError, LookupError) as error:
        print(f"dofkit: {error}", file=sys.stderr)
        return 0 if args.accept else 2
    print(markdown_table(rows))
    outside = sum(row["within"] == "NO" for row in rows)
    print(f"dofkit: {outside} of {len(rows)} scores in '{args.folder}' lie outside what the shipped ones allow",
          file=sys.stderr)
    return int(outside > 0 and not args.accept)


if __name__ == "__main__":
    sys.exit(main())
