# SPDX-License-Identifier: GPL-3.0-or-later
"""Run every benchmark, print the table, write it beside the figures: `make bench`.

`python -m tests.benchmarks propagation` runs that one alone and puts its rows in the place of the old ones.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[variable] = "1"  # before numpy starts its threads; CPU seconds then mean work, not waiting

import cv2

from dofkit.figures import figures_dir
from dofkit.files import write_bytes
from dofkit.timing import machine
from tests.benchmarks import explorer, filtering, lens_look, propagation, renderer, scenes, segmentation

BENCHMARKS = {"renderer": renderer.run, "scenes": scenes.run, "propagation": propagation.run,
              "segmentation": segmentation.run, "filter": filtering.run, "look": lens_look.run,
              "explorer": explorer.run}

Row = dict[str, Any]


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Measure, print and write.")
    parser.add_argument("name", nargs="*", help=f"what to measure ({', '.join(BENCHMARKS)}); without a name: all")
    names = parser.parse_args().name
    if unknown := set(names) - set(BENCHMARKS):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}: choose from {', '.join(BENCHMARKS)}")
    cv2.setNumThreads(1)
    rows = [row for name in names or BENCHMARKS for row in BENCHMARKS[name]()]
    for row in rows:
        print("  ".join(f"{key} {value:.4g}" if isinstance(value, float) else str(value) for key, value in row.items()))
    rounded = [{k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in row.items()} for row in rows]
    path = figures_dir() / "benchmarks.json"
    kept = merged(path, rounded) if names else rounded
    write_bytes(path, (json.dumps({"machine": measured_on(), "rows": kept}, indent=1) + "\n").encode())
    print(f"written: {path}")


def measured_on() -> dict[str, Any]:
    """The machine, and that one thread was used."""
    return machine() | {"threads": 1}


def merged(path: Path, rows: list[Row]) -> list[Row]:
    """The table with new rows in the place of those of the same name, or at its end."""
    table = json.loads(path.read_text(encoding="utf-8"))
    if table["machine"] != measured_on():
        raise SystemExit(f"{path} was measured on another machine, {table['machine']}: run all benchmarks")
    by_name = {(row["what"], row["stage"]): row for row in [*table["rows"], *rows]}
    return list(by_name.values())


if __name__ == "__main__":
    main()
