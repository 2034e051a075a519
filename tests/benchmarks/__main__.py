# SPDX-License-Identifier: GPL-3.0-or-later
"""Run every benchmark, print the table, write it beside the figures: `make bench`."""

from __future__ import annotations

import json
import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[variable] = "1"  # before numpy starts its threads; CPU seconds then mean work, not waiting

import cv2

from dofkit.figures import figures_dir
from dofkit.files import write_bytes
from tests.benchmarks import renderer, scenes
from tests.benchmarks.timing import machine


def main() -> None:
    """Measure and report."""
    cv2.setNumThreads(1)
    rows = renderer.run() + scenes.run()
    for row in rows:
        print("  ".join(f"{key} {value:.4g}" if isinstance(value, float) else str(value) for key, value in row.items()))
    rounded = [{k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in row.items()} for row in rows]
    path = figures_dir() / "benchmarks.json"
    write_bytes(path, (json.dumps({"machine": machine(), "rows": rounded}, indent=1) + "\n").encode())
    print(f"written: {path}")


if __name__ == "__main__":
    main()
