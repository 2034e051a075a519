# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the notebooks with papermill and write the figures.

The quick profile needs two cores, no GPU, no network and no data.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dofkit.manifest import Item
    from dofkit.reproduce import Run

HELP = "run the notebooks and write the figures"

MOST = 4
"""Notebooks at a time, unless asked for: more would wait for the longest one."""

MEMORY = 1_500_000_000
"""Bytes that a notebook may take at its peak: more than `figures/times.json` says where nothing is cached yet."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `dofkit reproduce`."""
    add = parser.add_argument
    add(
        "--only",
        metavar="NAME",
        nargs="+",
        default=[],
        help="figures, tables, claims or notebooks by the beginning of their name: fig03, table1, 05",
    )
    add(
        "--profile",
        choices=("quick", "full", "paper"),
        default="quick",
        help="quick: minutes on two cores; full: real data; paper: the paper's sizes (default: %(default)s)",
    )
    add("--data-root", metavar="DIR", type=Path, help="where the data sets are (default: DOFKIT_DATA)")
    add(
        "-p",
        "--parameter",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a parameter of the notebooks; each notebook that runs must have it",
    )
    add(
        "--time-limit",
        metavar="SECONDS",
        type=float,
        default=1800.0,
        help="for each notebook (default: %(default)g)",
    )
    add("--workers", metavar="N", type=int,
        help=f"notebooks at a time (default: one for each core and {MEMORY / 1e9} GB of free memory, at most {MOST})")
    add("--output", metavar="DIR", type=Path, help="executed notebooks (default: build/notebooks)")
    add("--solutions", action="store_true", help="also run the solutions of the exercises")
    add("--update", action="store_true", help="write the outputs, normalised, into the notebooks themselves")
    add("--record", action="store_true", help="keep times and memory in figures/times.json, for the README")


def run(args: argparse.Namespace) -> int:
    """Check everything, run the notebooks, say where to look; returns the exit code."""
    from dofkit import manifest, reproduce
    from dofkit.notebooks import NotebookError

    if args.update and (args.profile != "quick" or args.parameter or args.data_root):
        raise NotebookError("--update writes what a reader sees first: the quick profile without parameters")
    if args.record and (args.profile != "quick" or args.parameter):
        raise NotebookError("--record keeps what the quick profile takes, without parameters")
    workers = at_a_time() if args.workers is None else args.workers
    if workers < 1:
        raise NotebookError(f"--workers is {workers}: choose 1 or more")
    if not args.time_limit > 0:
        raise NotebookError(f"the time limit is {args.time_limit:g} s: give more than 0")
    root = manifest.checkout()
    items = manifest.read_manifest()
    notebooks = reproduce.all_notebooks(root / "notebooks", solutions=args.solutions)
    if not notebooks:
        raise NotebookError(f"there are no notebooks in {root / 'notebooks'}")
    plan = reproduce.Plan(
        reproduce.select(notebooks, args.only, items),
        (args.output or root / "build" / "notebooks").absolute(),
        # quick is every notebook's own default; the exercises' solutions have no profiles
        ({} if args.profile == "quick" else {"profile": args.profile})
        | dict(parse_parameter(text) for text in args.parameter),
        offered=data_root(args.data_root),
        time_limit=args.time_limit,
    )
    began, started = time.time_ns(), time.monotonic()
    runs = reproduce.reproduce(plan, workers=workers)
    seconds = time.monotonic() - started
    if args.update:
        for path in reproduce.update([run for run in runs if not run.error]):
            print(f"updated {path.relative_to(root)}", file=sys.stderr)
    if args.record:
        record(runs, manifest.figures_dir() / "times.json", workers, seconds if not args.only else None)
    tell(runs, plan.output, written_figures(runs, items, manifest.figures_dir(), began))
    return 1 if any(run.error for run in runs) else 0


def at_a_time() -> int:
    """How many notebooks run at a time where nothing is said.

    >>> 1 <= at_a_time() <= MOST
    True
    """
    from dofkit.memory import free_memory
    from dofkit.workers import cores

    return max(1, min(cores(), MOST, free_memory() // MEMORY))


def parse_parameter(text: str) -> tuple[str, Any]:
    """A parameter from ``NAME=VALUE``: a number, True, None, a list, or else a text.

    An existing file or folder becomes an absolute path, because a notebook runs in its own folder.

    Examples
    --------
    >>> parse_parameter("seed=3"), parse_parameter("mode=selfie")
    (('seed', 3), ('mode', 'selfie'))
    """
    from dofkit.notebooks import NotebookError

    name, sign, value = text.partition("=")
    if not (sign and name.isidentifier()):
        raise NotebookError(f"parameter {text!r} is not of the form NAME=VALUE")
    with contextlib.suppress(OSError, RuntimeError, ValueError):  # too long for a name, ~nobody: no file then
        if value and Path(value).expanduser().exists():
            return name, str(Path(value).expanduser().absolute())
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return name, value


def data_root(folder: Path | None) -> dict[str, str]:
    """The data folder as a parameter for the notebooks that have it, and in the environment for the package.

    Raises
    ------
    NotebookError
        If it is not a folder.
    """
    from dofkit.notebooks import NotebookError

    if folder is None:
        return {}
    if not folder.is_dir():
        raise NotebookError(f"--data-root {folder} is no folder")
    os.environ["DOFKIT_DATA"] = str(folder.absolute())
    return {"data_root": str(folder.absolute())}


def written_figures(runs: list[Run], items: dict[str, Item], folder: Path, began: int) -> list[str]:
    """Names of the figures and tables that these runs wrote since `began` (nanoseconds)."""
    ran = {run.notebook.stem for run in runs}
    files = [folder / f"{item.name}.json" for item in items.values() if item.notebook in ran]
    since = began - 2_000_000_000  # some file systems keep times to two seconds
    return [path.stem for path in files if path.is_file() and path.stat().st_mtime_ns >= since]


def record(runs: list[Run], file: Path, workers: int, seconds: float | None) -> None:
    """Keep what the runs took, beside what is there of the same machine; nothing of those that failed.

    `seconds` is what all notebooks took together, `workers` at a time; None where only some ran.
    """
    from dofkit.files import write_bytes
    from dofkit.timing import machine

    rows = {run.notebook.stem: {"seconds": round(run.seconds, 1), "peak_mb": run.peak_mb and round(run.peak_mb)}
            for run in runs if run.notebook.parent.name == "notebooks" and not run.error}
    together = seconds and round(seconds, 1)
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
        before = json.loads(file.read_text(encoding="utf-8"))
        if (before["machine"], before["workers"]) == (machine(), workers):
            rows, together = {**before["notebooks"], **rows}, together or before["seconds"]
    kept = {"machine": machine(), "workers": workers, "seconds": together, "notebooks": dict(sorted(rows.items()))}
    write_bytes(file, (json.dumps(kept, indent=1) + "\n").encode())


def tell(runs: list[Run], output: Path, figures: list[str]) -> None:
    """Print how it went and where to look."""
    from dofkit.manifest import figures_dir

    print()
    for one in runs:
        memory = f"{one.peak_mb:6.0f} MB" if one.peak_mb else ""
        print(f"{one.seconds:7.1f} s {memory}  {'FAILED ' if one.error else ''}{one.notebook.stem}")
    print(f"\nfigures:   {figures_dir()}")
    for name in figures:
        print(f"           {name}")
    print(f"notebooks: {output} (as executed; `make lab` opens the originals)")
